"""Devices by the API, what takes two people there, and the record to read: what the console shows and does."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.ledger import queries as ledger
from tipstaff.words import Entry

from ..console.devices import (
    DEVICE_ACTS,
    DRIVER_ACTS,
    REFUSED,
    act_at,
    act_at_driver,
    all_devices,
    devices_of,
)
from ..console.sentences import tell
from ..console.views import why_refused
from ..roles import Ability
from .auth import Able
from .pages import Cursor, Limit, opened_number, page, plain
from .problems import Problem

router = Router()


class AskOut(Schema):
    """What one person asked for at a device, and a second must agree to."""

    what: str
    by: str
    why: str
    at: datetime
    driver: str = ""
    """Where it was asked for all devices of one driver."""


class DeviceOut(Schema):
    """A device, as the enforcer saw it last; all of it empty for one that nobody ever wrote to."""

    name: str
    driver: str
    """Empty for one that the settings do not name any more."""
    generation: int
    seen_at: datetime | None
    failures: int
    detail: str
    foreign: list[str]
    held_back: str
    asks: list[AskOut]


class DeviceActIn(Schema):
    why: Annotated[str, Field(max_length=2000)] = ""
    """Needed by whoever asks; whoever agrees, agrees to what was asked."""


class DeviceDoneOut(Schema):
    """What was done, in a sentence, and the device as it stands now."""

    said: str
    device: DeviceOut


class EntryOut(Schema):
    """One line of the record, with the sentence that the console tells it in."""

    id: int
    at: datetime
    what: str
    actor: str
    by_token: str | None
    """Name and key of the token that it was done through."""
    about: list[str]
    title: str
    text: str
    digest: str
    seq: int | None
    """Place in the sealed chain; none until it has one."""


@router.get("/devices", auth=Able(Ability.SEE_MEASURES, "measures"), response=list[DeviceOut])
def list_devices(request: HttpRequest) -> list[DeviceOut]:
    """All devices of the settings, and those that ever held a measure."""
    return [_device(name, health) for name, health in all_devices()]


@router.get("/devices/{name}", auth=Able(Ability.SEE_MEASURES, "measures"), response=DeviceOut)
def get_device(request: HttpRequest, name: str) -> DeviceOut:
    return _found(plain(name))


def _add(action: str) -> None:
    def operation(request: HttpRequest, name: str, asked: DeviceActIn) -> dict[str, Any]:
        name = plain(name)
        if enforcement.get_health(name) is None:
            raise HttpError(404, f"Nothing was ever written to a device {name}.")
        why = asked.why.replace("\x00", "").strip()
        try:
            said = act_at(name, action, why=why, at=wiring.now(), actor=request.user.get_username())
        except REFUSED as refusal:
            raise Problem(409 if why or action.endswith("agreed") else 422, why_refused(refusal)) from refusal
        return {"said": said, "device": _found(name)}

    operation.__doc__ = f"{action.replace('-', ' ').capitalize()}: what the console does under that name."
    operation.__name__ = f"device_{action.replace('-', '_')}"
    router.post(f"/devices/{{name}}/{action}", auth=Able(Ability.LIFT, "measures"), response=DeviceDoneOut)(operation)


for _action in DEVICE_ACTS:
    _add(_action)


class DriverDoneOut(Schema):
    """What was done for all devices of one driver, in a sentence, and those devices as they stand now."""

    said: str
    devices: list[DeviceOut]


def _add_of_driver(action: str) -> None:
    def operation(request: HttpRequest, name: str, asked: DeviceActIn) -> dict[str, Any]:
        name, why = plain(name), asked.why.replace("\x00", "").strip()
        if not (names := devices_of(name)):
            raise HttpError(404, f"The settings name no device of a driver {name}.")
        try:
            said = act_at_driver(name, action, why=why, at=wiring.now(), actor=request.user.get_username())
        except REFUSED as refusal:
            raise Problem(409 if why or action.endswith("agreed") else 422, why_refused(refusal)) from refusal
        return {"said": said, "devices": [_found(each) for each in names]}

    operation.__doc__ = f"{action.replace('-', ' ').capitalize()}, on all devices of one driver: takes two people."
    operation.__name__ = f"driver_{action.replace('-', '_')}"
    router.post(f"/drivers/{{name}}/{action}", auth=Able(Ability.LIFT, "measures"), response=DriverDoneOut)(operation)


for _action in DRIVER_ACTS:
    _add_of_driver(_action)


@router.get("/record", auth=Able(Ability.SEE_RECORD, "record"), response=list[EntryOut])
def list_entries(
    request: HttpRequest,
    response: HttpResponse,
    about: Annotated[str, Query(max_length=128)] = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[EntryOut]:
    """The record, newest first, in pages; `about` is a key that entries name."""
    found = ledger.recent(about=plain(about) or None, before=opened_number(cursor), limit=limit + 1)
    return [_entry(e) for e in page(request, response, found, limit=limit, last=lambda e: str(e.id))]


def _found(name: str) -> DeviceOut:
    found = next((_device(known, health) for known, health in all_devices() if known == name), None)
    if found is None:
        raise HttpError(404, f"There is no device {name}.")
    return found


def _device(name: str, health: enforcement.DeviceHealth | None) -> DeviceOut:
    driver = next((device.driver for device in wiring.settings().devices if device.name == name), "")
    if health is None:
        return DeviceOut(
            name=name, driver=driver, generation=0, seen_at=None, failures=0, detail="", foreign=[], held_back="",
            asks=[],
        )  # fmt: skip
    return DeviceOut(
        name=name, driver=driver, generation=health.generation, seen_at=health.seen_at, failures=health.failures,
        detail=health.detail, foreign=list(health.foreign), held_back=health.held_back,
        asks=[AskOut(what=ask.what, by=ask.by, why=ask.why, at=ask.at, driver=ask.driver) for ask in health.asks],
    )  # fmt: skip


def _entry(entry: Entry) -> EntryOut:
    step, token = tell(entry), entry.detail.get("by_token")
    return EntryOut(
        id=entry.id, at=entry.at, what=entry.what, actor=entry.actor, by_token=str(token) if token else None,
        about=list(entry.about), title=step.title, text=step.text, digest=entry.digest, seq=entry.seq,
    )  # fmt: skip
