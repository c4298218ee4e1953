"""An address that nobody meant: a slash too many leads to the page without it, a NUL to none. Django adds slashes."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve

from .public.views import not_found


class Slashes:
    """Middleware: where nothing is found, the same address without its last slash is tried."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if "\0" in path:
            return not_found(request, Resolver404(path))  # No key has a NUL, and PostgreSQL takes none.
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
