"""What a list that says only what is so now tells of the past: it is what its readings said. Pure.

Instants are of whatever kind the caller keeps them in.
"""

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

Instant = TypeVar("Instant", bound=Any)


class Times(NamedTuple, Generic[Instant]):
    """When an entry is possible, and within that sure; None is no bound."""

    since: Instant | None
    until: Instant | None
    sure_from: Instant | None
    """The reading that first had an entry which states no beginning."""
    sure_until: Instant | None


def end_of(
    times: Times[Instant], *, followers: Iterable[Instant | None], said_at: Instant, at: Instant
) -> Times[Instant] | None:
    """What an entry is that a reading at `at` has no more and that of `said_at` still had.

    `followers` are the stated beginnings of what the reading newly says of the same subject; None where it states none.
    An entry that a stated beginning leaves nothing of was never true: None.
    """
    stated = min((f for f in followers if f is not None), default=None)
    if stated is not None and stated <= at:
        begin = times.since if times.sure_from is None else times.sure_from
        if begin is None or stated <= begin:
            return None
        until = stated if times.until is None else min(times.until, stated)
        return times._replace(until=until, sure_until=until)
    until = at if times.until is None else min(times.until, at)
    return times._replace(until=until, sure_until=min(until, said_at))
