"""Pages of devices: what is wanted, what was seen, what differs, what happened; and what takes two people there."""

from datetime import datetime
from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.ledger import queries as ledger
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN
from tipstaff.procedures import devices as procedures
from tipstaff.procedures.refusals import AnotherMustAgree, NothingAsked, NothingHeldBack
from tipstaff.words import MeasureState

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .actions import MissingWords
from .page import show_console
from .sentences import tell_all

HISTORY, MEASURES_SHOWN = 60, 300


@require_safe
@needs(Ability.SEE_MEASURES)
def devices(request: StaffRequest) -> HttpResponse:
    """All devices of the settings, and those that ever held a measure."""
    return show_console(request, "tipstaff/console/devices.html", here="console:measures", devices=all_devices())


def all_devices() -> list[tuple[str, enforcement.DeviceHealth | None]]:
    """Each device by name, with how it stands; None for one that nobody ever wrote to."""
    known = {health.device: health for health in enforcement.list_health()}
    named = [device.name for device in wiring.settings().devices]
    return [(name, known.get(name)) for name in (*named, *sorted(known.keys() - set(named)))]


@require_safe
@needs(Ability.SEE_MEASURES)
def device(request: StaffRequest, name: str) -> HttpResponse:
    """One device: desired, seen, drift, history. What was seen is the enforcer's last word, not a new reading."""
    health = enforcement.get_health(name)
    config = next((d for d in wiring.settings().devices if d.name == name), None)
    if health is None and config is None:
        raise Http404(name)
    now = wiring.now()
    measures = enforcement.open_on(name)
    return show_console(
        request,
        "tipstaff/console/device.html",
        here="console:measures",
        name=name,
        driver=config.driver if config else "",
        protected=config.protected if config else (),
        maintenance_until=wiring.in_maintenance(config, at=now) if config else None,
        health=health,
        wanted=measures[:MEASURES_SHOWN],
        wanted_more=max(0, len(measures) - MEASURES_SHOWN),
        differs=[m for m in measures if m.state is not MeasureState.IN_FORCE][:MEASURES_SHOWN],
        asks=[ask for ask in health.asks if ask.at + COUNTERSIGN_WITHIN >= now] if health else [],
        steps=tell_all(ledger.recent(about=name, limit=HISTORY)[::-1]),
    )


_ACTS = {
    "lift-all": procedures.ask_to_lift_all,
    "let-pass": procedures.ask_to_let_pass,
}
_AGREED = {
    "lift-all-agreed": procedures.lift_all_on,
    "let-pass-agreed": procedures.let_pass,
}


DEVICE_ACTS = (*_ACTS, *_AGREED)
REFUSED = (AnotherMustAgree, NothingAsked, NothingHeldBack, MissingWords)


def act_at(name: str, action: str, *, why: str, at: datetime, actor: str) -> str:
    """Ask for what takes two people at a device, or agree to it; what was done, in a sentence. Raise one of REFUSED."""
    if action in _AGREED:
        keys = _AGREED[action](name, desk=wiring.desk(), at=at, actor=actor)
        done = "are being lifted" if action == "lift-all-agreed" else "may pass"
        return f"{name}: {len(keys)} measures {done}."
    if not why:
        raise MissingWords
    _ACTS[action](name, why=why, at=at, actor=actor)
    return f"{name}: asked for. Nothing happens until another person agrees."


def why_refused(refusal: Exception) -> str:
    if isinstance(refusal, MissingWords):
        return "Say why: the reason stands in the record and in the customers' letters."
    return " ".join((type(refusal).__doc__ or "").split())


@require_POST
@needs(Ability.LIFT)
def act(request: StaffRequest, name: str, action: str) -> HttpResponse:
    """Ask for what takes two people, or agree to it."""
    if action not in DEVICE_ACTS or enforcement.get_health(name) is None:
        raise Http404(name)
    actor, why = request.user.get_username(), asked_text(request.POST, "why", characters_max=2000)
    try:
        messages.success(request, act_at(name, action, why=why, at=wiring.now(), actor=actor))
    except REFUSED as refusal:
        messages.error(request, why_refused(refusal))
    return HttpResponseRedirect(reverse("console:device", args=[name]), status=HTTPStatus.SEE_OTHER)
