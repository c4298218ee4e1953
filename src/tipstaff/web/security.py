"""Headers that every page carries: nothing is loaded, run, framed or sent anywhere but from and to ourselves."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No nonce is needed because no page has an inline script, an inline style sheet or a style attribute."""

EVIDENCE_POLICY = "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""For bytes that a stranger wrote."""

_PUBLIC = frozenset({"/", "/copyright-agent", "/policy", "/policy.json", "/.well-known/security.txt"})


class Headers:
    """Adds the content security policy and keeps everything but the public pages out of caches and indexes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.path.startswith("/static/"):
            return response
        if request.path not in _PUBLIC and not request.path.startswith("/policy/"):
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("X-Robots-Tag", "noindex, nofollow, noarchive")
        return response
