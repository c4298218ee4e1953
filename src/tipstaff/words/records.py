"""What stands in the record."""

from collections.abc import Mapping, Sequence
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


def ranges(numbers: Sequence[int]) -> str:
    """`1-3 7` for sorted 1, 2, 3, 7: ten thousand incidents decided at once stay one short line of the record."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][1] + 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
