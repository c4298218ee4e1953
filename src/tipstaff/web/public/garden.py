"""What a customer in the walled garden sees, and what their device is told of it (RFC 8908).

Whoever asks is known by the address that they ask from. More people than the customer may sit behind it, so the page
says that there is a restriction, of which kind and how it ends, and nothing of what was reported.
"""

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.cases.queries import get_case, standing_key
from tipstaff.enforcement.queries import walled_in
from tipstaff.procedures.portal import is_sealed
from tipstaff.words import Case, Ground, Measure

from .. import pace
from ..pages import show_public
from ..portal.checks import checks_for
from ..said import language_of

_A_MINUTE = 120
LAW, POLICY = 451, 403
"""What is answered in place of what was asked for: 451 where the law demands the measure (RFC 7725), else 403."""


class Garden:
    """Middleware: whatever somebody in the garden asks of another site is answered by the page, and says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # The page's own style sheet is asked for under the stranger's name as well.
        if _is_elsewhere(request) and not request.path.startswith("/static/"):
            try:
                # Another name may be one of ours as well, of the API or of a proxy inside: only the garden is paced.
                measure = _measure_on(request)
                wait = _seconds_to_wait(request) if measure is not None else 0
            except (OperationalError, InterfaceError):
                return self.get_response(request)  # Without its database each door answers as it does.
            if wait:
                return _slower(wait)
            if measure is not None:
                request.META["HTTP_HOST"] = _own_name()  # Nothing of ours is made of a stranger's name.
                page = _page(request, measure, status=_status(measure))
                page.cookies.clear()  # It would be a cookie of the other site's.
                return page
        return self.get_response(request)


def _is_elsewhere(request: HttpRequest) -> bool:
    """Whether another site was asked for by its name: only a garden leads that here. A desk without a name has none."""
    asked, own = request.META.get("HTTP_HOST", "").rpartition(":")[0] or request.META.get("HTTP_HOST", ""), _own_name()
    return _is_name(own) and _is_name(asked) and asked.lower() not in wiring.own_hosts()


def _is_name(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return "." in host.strip(".")
    return False


@never_cache
@require_safe
def garden(request: HttpRequest) -> HttpResponse:
    """The page itself, under our own name: it is what was asked for, so it is no refusal."""
    if wait := _seconds_to_wait(request):
        return _slower(wait)
    return _page(request, _measure_on(request), status=200)


@never_cache
@require_safe
def captive(request: HttpRequest) -> HttpResponse:
    """Whether the device that asks is in the garden, and where its page is (RFC 8908, section 5)."""
    if wait := _seconds_to_wait(request):
        return _slower(wait)
    measure = _measure_on(request)
    told: dict[str, object] = {"captive": measure is not None}
    if measure is not None:
        told["user-portal-url"] = _address("garden")
    return JsonResponse(told, content_type="application/captive+json")


def _seconds_to_wait(request: HttpRequest) -> int:
    """Each page asks the database, so a household has so many a minute."""
    peer = pace.household(request.META.get("REMOTE_ADDR") or "")
    return pace.use("garden", peer, quota=_A_MINUTE, at=wiring.now()).wait_seconds


def _slower(seconds: int) -> HttpResponse:
    return HttpResponse(status=429, headers={"Retry-After": str(seconds), "Cache-Control": "no-store"})


def _measure_on(request: HttpRequest) -> Measure | None:
    try:
        address = ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return walled_in(mapped or address)


def _status(measure: Measure) -> int:
    return LAW if measure.urgency is not None and measure.urgency.ground is Ground.LAW else POLICY


def _page(request: HttpRequest, measure: Measure | None, *, status: int) -> HttpResponse:
    case: Case | None = get_case(standing_key(measure.case)) if measure is not None else None
    shown = case if case is not None and not is_sealed(case) else None
    language = language_of(request)
    response = show_public(
        request, "tipstaff/public/garden.html", status=status, page_language=language, measure=measure, case=shown,
        checks=checks_for(shown, language=language) if shown is not None else (), account=_address("account:home"),
        by_law=measure is not None and _status(measure) == LAW, about=measure.customer if measure is not None else "",
    )  # fmt: skip
    response["Cache-Control"] = "no-store"
    if status == LAW:
        response["Link"] = f'<{wiring.settings().public_url}>; rel="blocked-by"'
    return response


def _own_name() -> str:
    return (urlsplit(wiring.settings().public_url).hostname or "").lower()


def _address(name: str) -> str:
    return f"{wiring.settings().public_url}{reverse(name)}"
