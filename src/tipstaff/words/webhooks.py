"""Where programs of the operator's and of customers are told of what happens, and what they were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address to which events are sent, signed. Its secret is in no word."""

    key: str
    url: str
    events: tuple[str, ...]
    """Kinds of entries of the record, or `case.*` for all of a room."""
    on: bool
    note: str
    """Why it is off, or what went wrong last."""
    made_at: datetime
    made_by: str
    failing_since: datetime | None
    """The first failure after the last success."""
    waiting: int
    """Dispatches that are not taken yet."""
    customer: str = ""
    """Whose it is: a customer's account; empty is the operator's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One event on its way to one webhook."""

    number: int
    webhook: str
    id: str
    """`webhook-id`: the same for every attempt, so that whoever gets it twice does nothing twice."""
    event: str
    body: str
    """What is sent and signed."""
    at: datetime
    attempts: int
    due_at: datetime | None
    """When the next attempt is due; None when it was taken, or when nobody tries any more."""
    taken_at: datetime | None
    said: str
    """What the last attempt was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What is told of one entry of the record: its kind and the keys that it names, and nothing that anybody said."""

    seq: int
    """Place in the chain of the record: nothing is told before it stands there."""
    entry: int | None
    """Its number in the record; None where that is told to nobody outside."""
    kind: str
    at: datetime
    keys: Mapping[str, str | Sequence[str]]
    """`{"case": "C-000123"}`; the foremost of each kind."""
