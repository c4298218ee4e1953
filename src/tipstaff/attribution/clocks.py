"""How wrong a source's clock may be, from its own arrival times."""

from collections.abc import Sequence

import numpy as np

SAMPLE_MIN = 20
"""Below so many records an estimate is none, and the floor counts."""


def clock_error(lateness: Sequence[np.ndarray], *, floor_seconds: float) -> int:
    """A bound in microseconds: 999 of 1000 records lie within it, and it is never below the floor.

    `lateness` is arrival less event. Late arrival and a clock that runs behind look the same from here, so both widen
    the bound: being less sure than one could be wrongs nobody.
    """
    floor = round(floor_seconds * 1e6)
    late = np.concatenate([a for a in lateness if a is not None and len(a)] or [np.zeros(0, np.int64)])
    if len(late) < SAMPLE_MIN:
        return floor
    low, high = np.quantile(late, (0.001, 0.999), method="inverted_cdf")
    return int(max(floor, abs(low), abs(high)))
