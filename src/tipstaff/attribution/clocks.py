"""How wrong a source's clock may be, from its own arrival times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LATELY = 1000
"""What so many records say of a clock is believed without what was said before them."""


def clock_error(lateness: Sequence[np.ndarray], *, floor_seconds: float) -> tuple[int, int]:
    """A bound in microseconds, and of how many records it is: 999 of 1000 lie within it, and it is never below the
    floor. Of few records all do: they are enough to be unsure.

    `lateness` is arrival less event. Late arrival and a clock that runs behind look the same from here, so both widen
    the bound: being less sure than one could be wrongs nobody.
    """
    floor = round(floor_seconds * 1e6)
    late = np.concatenate([a for a in lateness if a is not None and len(a)] or [np.zeros(0, np.int64)])
    if not len(late):
        return floor, 0
    low, high = np.quantile(late, (0.001, 0.999), method="inverted_cdf")
    return int(max(floor, abs(low), abs(high))), len(late)


@dataclass(frozen=True, slots=True)
class KnownClock:
    """What earlier readings showed of a clock. A reading of few records, or of records that do not say how late they
    are, is as wrong as those before it were: the last LATELY records count, and at most twice as many."""

    before: int = 0
    lately: int = 0
    samples: int = 0
    """Of how many records `lately` is."""

    @property
    def error(self) -> int:
        """In microseconds."""
        return max(self.before, self.lately)

    @property
    def settled(self) -> bool:
        """Whether it was ever learnt from enough records."""
        return self.before > 0

    def after(self, error: int, samples: int) -> "KnownClock":
        """With one reading more."""
        if not samples:
            return self
        lately = max(self.lately, error)
        if self.samples + samples < LATELY:
            return KnownClock(self.before, lately, self.samples + samples)
        return KnownClock(lately)


READINGS = 20
"""So many readings of a growing file are enough to be near to the promptest of them."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What the last change of a growing log shows of the clock of whoever writes times into it: how long after its
    newest record's time it was, in microseconds. Nothing is written before it happened, so less than nothing shows a
    clock that runs ahead; of many readings the promptest shows by how much it runs behind at most. A single one does
    not, for what was written last may be late, or about something that was long ago."""

    before: int = 0
    """Of the promptest of the last READINGS; 0 where there were not so many yet."""
    lately: int = 0
    samples: int = 0
    """Of how many readings `lately` is."""

    @property
    def error(self) -> int:
        """In microseconds; 0 where nothing is known."""
        return max(abs(self.before), -self.lately)

    def after(self, late: int) -> "Arrivals":
        """With one reading more."""
        lately = min(self.lately, late) if self.samples else late
        if self.samples + 1 < READINGS:
            return Arrivals(self.before, lately, self.samples + 1)
        return Arrivals(lately)
