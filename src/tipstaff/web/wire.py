"""Pages are folded on the wire. Nothing else is: an API's ETag names its octets, and a stream is not held back."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class Folded(GZipMiddleware):
    """Gzip for whole HTML pages, of a length that is padded at random (BREACH: a page that echoes what was searched
    for must not tell by its length how much of that stands elsewhere in it)."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or not response.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)
