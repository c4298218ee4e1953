"""Who is at the other end, when a reverse proxy of the operator's stands between: what it says is believed, and no
other's word."""

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class Peer:
    """Middleware: sets REMOTE_ADDR to whom the nearest proxy that is not ours was, by `X-Forwarded-For`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.proxies = frozenset(map(ip_address, settings.TIPSTAFF.web.proxies))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        hops = [*request.headers.get("X-Forwarded-For", "").split(","), request.META.get("REMOTE_ADDR", "")]
        while self.proxies and hops:
            try:
                peer = ip_address(hops.pop().strip())
            except ValueError:
                break  # Our own proxy says so, and it means nothing: the address that we know is kept.
            request.META["REMOTE_ADDR"] = str(peer)
            if peer not in self.proxies:
                break
        return self.get_response(request)
