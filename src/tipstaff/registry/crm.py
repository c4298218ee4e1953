"""The customer system's webhook: a signed event becomes rows for the registry. Pure but for what it is given.

One delivery is one JSON object: `{"event": "customer.saved", "customer": {...}}`. `docs/operate/customer-system.md`
is its contract, with how WHMCS' and Blesta's own hooks map onto it.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tipstaff.words import Customer, Service, Standing

from .columns import KINDS, BadRow, Value, read_time

WINDOW = timedelta(minutes=5)
"""A delivery's clock may be so far from ours; an older one is a replay."""
BODY_OCTETS_MAX = 64 * 1024


class BadDelivery(ValueError):
    """A delivery can't be taken in; the message says why."""


class NotSigned(BadDelivery):
    """The delivery's signature or time is not right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the customer system says has happened."""

    name: str
    values: tuple[Value, ...]
    left_out: frozenset[str] = frozenset()
    """The columns of its values that it does not say: what is known of them stays."""
    standing: tuple[str, Standing, datetime, str] | None = None
    """(customer, standing, since, why), for `customer.standing`."""
    ended: tuple[str, datetime] | None = None
    """(service, when), for `service.ended`."""


def signature_of(*, key: bytes, delivery: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA-256 over time, delivery and body, each ended by a line feed but the last (RFC 2104)."""
    signed = timestamp.encode() + b"\n" + delivery.encode() + b"\n" + body
    return "sha256=" + hmac.new(key, signed, hashlib.sha256).hexdigest()


def check_signature(*, key: bytes, delivery: str, timestamp: str, body: bytes, signature: str, at: datetime) -> None:
    """Raise NotSigned unless whoever has the key signed exactly this, within the last five minutes."""
    wanted = signature_of(key=key, delivery=delivery, timestamp=timestamp, body=body)
    if not hmac.compare_digest(wanted.encode(), signature.strip().encode("utf-8", "replace")):
        raise NotSigned("The signature does not fit the body; sign time, delivery and body with the key.")
    if not timestamp.isdecimal() or len(timestamp) > 12:
        raise NotSigned("X-Tipstaff-Time is not a number of seconds since 1970.")
    if abs(at - datetime.fromtimestamp(int(timestamp), UTC)) > WINDOW:
        raise NotSigned("The delivery's time is more than five minutes from ours.")
    if not 8 <= len(delivery) <= 100 or not delivery.isprintable():
        raise NotSigned("X-Tipstaff-Delivery is a name of its own for each delivery, 8 to 100 characters.")


def read_event(body: bytes, *, at: datetime) -> Event:
    """Understand a delivery; raise BadDelivery with one sentence."""
    if len(body) > BODY_OCTETS_MAX:
        raise BadDelivery(f"A delivery is at most {BODY_OCTETS_MAX} octets long.")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise BadDelivery("The body is not JSON.") from None
    if not isinstance(told, dict) or not isinstance(told.get("event"), str):
        raise BadDelivery('The body is an object with an "event".')
    reader = _EVENTS.get(told["event"])
    if reader is None:
        raise BadDelivery(f'There is no event "{told["event"][:60]}"; there are {", ".join(_EVENTS)}.')
    try:
        return reader(told, at)
    except BadRow as why:
        raise BadDelivery(str(why)) from None


def _customer_saved(told: Mapping[str, object], at: datetime) -> Event:
    row = _row(told, "customer", "customers")
    customer = _built("customers", row)
    assert isinstance(customer, Customer)
    return Event(name="customer.saved", values=(customer,), left_out=_left_out("customers", row))


def _standing(told: Mapping[str, object], at: datetime) -> Event:
    row = _strings(told.get("customer"), ("key", "standing", "since", "why"))
    if not row.get("key"):
        raise BadRow("The field key is empty.")
    try:
        standing = Standing(row.get("standing", "").lower())
    except ValueError:
        raise BadRow(f"standing may be {', '.join(Standing)}.") from None
    since = read_time(row["since"], "since") if row.get("since") else at
    return Event(name="customer.standing", values=(), standing=(row["key"], standing, since, row.get("why", "")))


def _service_saved(told: Mapping[str, object], at: datetime) -> Event:
    row = _row(told, "service", "services")
    service = _built("services", row)
    assert isinstance(service, Service)
    return Event(name="service.saved", values=(service,), left_out=_left_out("services", row))


def _service_ended(told: Mapping[str, object], at: datetime) -> Event:
    row = _strings(told.get("service"), ("key", "ended_at"))
    if not row.get("key"):
        raise BadRow("The field key is empty.")
    when = read_time(row["ended_at"], "ended_at") if row.get("ended_at") else at
    return Event(name="service.ended", values=(), ended=(row["key"], when))


def _accepted(told: Mapping[str, object], at: datetime) -> Event:
    acceptance = _built("acceptances", _row(told, "acceptance", "acceptances"))
    return Event(name="policy.accepted", values=(acceptance,))


def _row(told: Mapping[str, object], name: str, kind: str) -> dict[str, str]:
    needed, optional, _ = KINDS[kind]
    return _strings(told.get(name), (*needed, *optional))


def _left_out(kind: str, row: Mapping[str, str]) -> frozenset[str]:
    """An empty field says no more than one that is not there: customer systems send what they have no value for."""
    return frozenset(name for name in KINDS[kind][1] if not row.get(name))


def _strings(told: object, names: tuple[str, ...]) -> dict[str, str]:
    if not isinstance(told, Mapping):
        raise BadRow("The event lacks the object that it is about.")
    unknown = [str(name)[:40] for name in told if name not in names]
    if unknown:
        raise BadRow(f'There is no field "{unknown[0]}"; there may be {", ".join(names)}.')
    row = {}
    for name, value in told.items():
        text = "yes" if value is True else "no" if value is False else "" if value is None else str(value)
        if isinstance(value, dict | list) or len(text) > 500 or any(ord(letter) < 32 for letter in text):
            raise BadRow(f"The field {name} is a text of at most 500 characters without line breaks.")
        row[str(name)] = text.strip()
    return row


def _built(kind: str, row: dict[str, str]) -> Value:
    needed, _, build = KINDS[kind]
    for name in needed:
        if not row.get(name):
            raise BadRow(f"The field {name} is empty.")
    if any(len(row.get(name, "")) > 64 for name in ("key", "customer", "reseller", "service")):
        raise BadRow("A key is at most 64 characters long.")
    return build(row, "customer system")


_EVENTS: dict[str, Callable[[Mapping[str, object], datetime], Event]] = {
    "customer.saved": _customer_saved,
    "customer.standing": _standing,
    "service.saved": _service_saved,
    "service.ended": _service_ended,
    "policy.accepted": _accepted,
}
