"""Pages of devices: what is wanted, what was seen, what differs, what happened; and what takes two people there."""

from collections.abc import Callable
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
from tipstaff.procedures.refusals import AnotherMustAgree, NotAllOfThem, NothingAsked, NothingHeldBack

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from .actions import MissingWords
from .page import show_console
from .sentences import tell
from .views import why_refused

HISTORY, MEASURES_SHOWN, ENDED_SHOWN = 60, 300, 20


@require_safe
@needs(Ability.SEE_MEASURES)
def devices(request: StaffRequest) -> HttpResponse:
    """All devices of the settings, and those that ever held a measure."""
    drivers = {device.name: device.driver for device in wiring.settings().devices}
    shown = [(name, drivers.get(name, ""), health) for name, health in all_devices()]
    return show_console(request, "tipstaff/console/devices.html", here="console:measures", devices=shown)


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
    wanted = enforcement.open_on(name, limit=MEASURES_SHOWN)
    return show_console(
        request,
        "tipstaff/console/device.html",
        here="console:measures",
        name=name,
        driver=config.driver if config else "",
        protected=config.protected if config else (),
        maintenance_until=wiring.in_maintenance(config, at=now) if config else None,
        health=health,
        wanted=wanted,
        wanted_more=enforcement.count_open_on(name) - len(wanted) if len(wanted) == MEASURES_SHOWN else 0,
        differs=enforcement.open_on(name, limit=MEASURES_SHOWN, but_in_force=True),
        asks=[ask for ask in health.asks if ask.at + COUNTERSIGN_WITHIN >= now] if health else [],
        ended=enforcement.ended_on(name, limit=ENDED_SHOWN),
        # Also what elsewhere only the record needs: here each writing to the device is what is looked for.
        steps=[tell(entry) for entry in ledger.recent(about=name, limit=HISTORY)[::-1]],
    )


@require_safe
@needs(Ability.SEE_MEASURES)
def driver(request: StaffRequest, name: str) -> HttpResponse:
    """All devices of one driver, and the red button that lifts everything on all of them."""
    names = devices_of(name)
    asks = asks_of_driver(name)
    if not names and not asks:
        raise Http404(name)
    known, counts = {h.device: h for h in enforcement.list_health()}, enforcement.count_wanted_on(names)
    rows = [(each, known.get(each), counts.get(each, 0)) for each in names]
    return show_console(
        request, "tipstaff/console/driver.html", here="console:measures", name=name, devices=rows,
        wanted=sum(counts.values()), asks=asks,
    )  # fmt: skip


def devices_of(driver: str) -> tuple[str, ...]:
    """The devices of the settings that this driver serves."""
    return tuple(device.name for device in wiring.settings().devices if device.driver == driver)


def asks_of_driver(driver: str) -> list[tuple[enforcement.Ask, tuple[str, ...]]]:
    """What was asked for a whole driver and waits for a second person, with the devices that it was asked for."""
    now, found = wiring.now(), dict[enforcement.Ask, tuple[str, ...]]()
    for health in enforcement.list_health():
        for ask in health.asks:
            if ask.driver == driver and ask.at + COUNTERSIGN_WITHIN >= now:
                found[ask] = (*found.get(ask, ()), health.device)
    return list(found.items())


_ACTS = {
    "lift-all": procedures.ask_to_lift_all,
    "let-pass": procedures.ask_to_let_pass,
}
_AGREED = {
    "lift-all-agreed": procedures.lift_all_on,
    "let-pass-agreed": procedures.let_pass,
}


DEVICE_ACTS = (*_ACTS, *_AGREED)
DRIVER_ACTS = ("lift-all", "lift-all-agreed")
REFUSED = (AnotherMustAgree, NotAllOfThem, NothingAsked, NothingHeldBack, MissingWords)


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


def act_at_driver(name: str, action: str, *, why: str, at: datetime, actor: str) -> str:
    """The red button of a whole driver: ask for it, or agree to it; what was done. Raise one of REFUSED."""
    if action == "lift-all-agreed":
        keys = procedures.lift_all_of(name, desk=wiring.desk(), at=at, actor=actor)
        return f"{name}: {len(keys)} measures are being lifted."
    if not why:
        raise MissingWords
    theirs = devices_of(name)
    procedures.ask_to_lift_all_of(name, theirs, why=why, at=at, actor=actor)
    return f"{name} ({', '.join(theirs)}): asked for. Nothing happens until another person agrees."


@require_POST
@needs(Ability.LIFT)
def act(request: StaffRequest, name: str, action: str) -> HttpResponse:
    """Ask for what takes two people, or agree to it."""
    if action not in DEVICE_ACTS or enforcement.get_health(name) is None:
        raise Http404(name)
    return _done(request, act_at, name, action, page="console:device")


@require_POST
@needs(Ability.LIFT)
def act_on_driver(request: StaffRequest, name: str, action: str) -> HttpResponse:
    """Ask that everything of one driver is lifted, or agree to it."""
    if action not in DRIVER_ACTS or not devices_of(name):
        raise Http404(name)
    return _done(request, act_at_driver, name, action, page="console:driver")


def _done(request: StaffRequest, do: Callable[..., str], name: str, action: str, *, page: str) -> HttpResponse:
    actor, why = request.user.get_username(), asked_text(request.POST, "why", characters_max=2000)
    try:
        messages.success(request, do(name, action, why=why, at=wiring.now(), actor=actor))
    except REFUSED as refusal:
        messages.error(request, why_refused(refusal))
    return HttpResponseRedirect(reverse(page, args=[name]), status=HTTPStatus.SEE_OTHER)
