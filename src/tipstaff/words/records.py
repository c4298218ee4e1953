"""What stands in the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the record: what happened, when, by whom, about what."""

    id: int
    at: datetime
    what: str
    """`case.opened`, `letter.sent`, `measure.applied` ..."""
    actor: str
    """A staff log-in, `customer`, or the process: `intake`, `worker`, `enforcer`."""
    about: tuple[str, ...]
    """Keys of everything it concerns, the first one foremost."""
    detail: Mapping[str, object]
    digest: str
    """SHA-256 of the entry's canonical form."""
    seq: int | None
    """Place in the sealed chain; None until sealed."""
