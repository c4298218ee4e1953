"""An address that nobody meant: a slash too many leads to the page without it, a NUL to none. Django adds slashes.

What is larger than any form of ours is refused here as well: to look for a form's token is to keep its files first.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve

from tipstaff.procedures.files_in import OCTETS_MAX

from .api.problems import problem
from .public.views import not_found

FORM_OCTETS_MAX = OCTETS_MAX + 1024 * 1024
"""Files and what is around them; a request without a length has no body for Django."""
_OWN_BOUND = frozenset({"/api/reports/in", "/api/sightings/in"})
"""These read no form, and nothing before they know the token and the length."""


class Slashes:
    """Middleware: where nothing is found, the same address without its last slash is tried."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if "\0" in path:
            return not_found(request, Resolver404(path))  # No key has a NUL, and PostgreSQL takes none.
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > FORM_OCTETS_MAX and path not in _OWN_BOUND:
            said = f"That is too large: at most {FORM_OCTETS_MAX // 1024**2} MiB at once."
            if path.startswith("/api/"):
                return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said)
            return HttpResponse(said, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, content_type="text/plain")
        response = self.get_response(request)
        if response.status_code != HTTPStatus.NOT_FOUND or not path.endswith("/") or request.method == "POST":
            return response
        meant = path.rstrip("/")
        # "//name" would name another host (RFC 3986, section 4.2).
        if not meant or meant.startswith("//"):
            return response
        try:
            resolve(meant)
        except Resolver404:
            return response
        query = request.META.get("QUERY_STRING", "")
        return HttpResponsePermanentRedirect(f"{meant}?{query}" if query else meant)
