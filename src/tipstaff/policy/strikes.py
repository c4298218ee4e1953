"""What counts when it happens again: strikes that expire, contested ones that do not count, and what follows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tipstaff.words import Role, Rung, Strike


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """What an edition does from so many strikes on."""

    strikes: int
    decides: Role | None = None
    """Who decides on a measure from here on, where the clause names nobody."""
    answer_within: timedelta | None = None
    """The time to answer, where the clause leaves more."""
    adds: tuple[Rung, ...] = ()
    """Rungs at the wide end of the ladder that are open from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How an edition treats repetition under one clause group."""

    group: str
    lifetime: timedelta
    """A strike that is older does not count."""
    steps: tuple[Escalation, ...] = ()
    """By rising number of strikes; each adds to those before it."""

    def step(self, strikes: int) -> Escalation | None:
        """What this many strikes reach, None below the first step: all that the steps so far add, the shortest of their
        times, and the last role that they name. More strikes never take a remedy away."""
        reached: Escalation | None = None
        for step in self.steps:
            if step.strikes > strikes:
                break
            reached = step if reached is None else _after(reached, step)
        return reached


def _after(so_far: Escalation, step: Escalation) -> Escalation:
    times = [time for time in (so_far.answer_within, step.answer_within) if time is not None]
    return replace(
        step, decides=step.decides or so_far.decides, answer_within=min(times, default=None),
        adds=(*so_far.adds, *(rung for rung in step.adds if rung not in so_far.adds)),
    )  # fmt: skip


def count(strikes: Iterable[Strike], *, group: str, at: datetime, lifetime: timedelta) -> int:
    """How many strikes count at `at`: of this group, not contested, not expired."""
    # Ages are compared, not instants: `at - lifetime` may leave the calendar.
    return sum(strike.group == group and not strike.contested and at - strike.at <= lifetime for strike in strikes)
