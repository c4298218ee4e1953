"""Notice first: on what a measure stands. Pure; a measure that stands on nothing is not taken (row 64)."""

from datetime import datetime
from typing import NamedTuple

from tipstaff.words import Urgency


class Footing(NamedTuple):
    """A notice whose time to answer has passed, or else a recorded ground; never both, and never neither."""

    notice: str | None
    urgency: Urgency | None


def footing(*, notice: str | None, answer_by: datetime | None, urgency: Urgency | None, at: datetime) -> Footing | None:
    """On what a measure may be taken at this moment; None where it may not be taken.

    `notice` is the letter that named what is measured and was handed over, and `answer_by` the end of the holder's time
    to answer it, None while that does not run. A ground counts with what shows it and two people who answer for it.
    """
    if notice is not None and answer_by is not None and answer_by <= at:
        return Footing(notice, None)
    if urgency is None:
        return None
    first, second = urgency.decided_by, urgency.seconded_by
    assert first, "somebody answers for it"
    assert second not in ("", first), "and a second person"
    assert urgency.shown_by, "and something shows it"
    return Footing(None, urgency)
