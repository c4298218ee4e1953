"""What became of a report, seen from what became of its incidents. Pure."""

from collections.abc import Iterable

from tipstaff.words import Reading, ReadingOutcome, ReportOutcome

PRECEDENCE: tuple[ReportOutcome, ...] = (
    ReportOutcome.SEALED,
    ReportOutcome.RECEIVED,
    ReportOutcome.WITH_A_PERSON,
    ReportOutcome.FORWARDED,
    ReportOutcome.MEASURE_TAKEN,
    ReportOutcome.NEEDS_DETAIL,
    ReportOutcome.FIXED,
    ReportOutcome.DUPLICATE,
    ReportOutcome.NOT_UPHELD,
    ReportOutcome.TOO_OLD,
    ReportOutcome.NOT_OURS,
    ReportOutcome.SET_ASIDE,
)
"""The first of these that any incident has is the report's.

Sealed hides all else. Then what is still open comes before what is finished, so that a report is called finished
only when each of its incidents is; and of what is finished, what was acted upon comes before what was not, so
that nobody whose report led to something is told that it did not.
"""


def overall(outcomes: Iterable[ReportOutcome]) -> ReportOutcome:
    """The outcome of a report whose incidents have these; RECEIVED when it has none yet."""
    present = frozenset(outcomes)
    return next((outcome for outcome in PRECEDENCE if outcome in present), ReportOutcome.RECEIVED)


def first_outcome(reading: Reading) -> ReportOutcome:
    """What a reading alone says of a report, before anything was judged."""
    match reading.outcome:
        case ReadingOutcome.SEALED:
            return ReportOutcome.SEALED
        case ReadingOutcome.NOT_A_COMPLAINT:
            return ReportOutcome.SET_ASIDE
        case ReadingOutcome.UNREADABLE:
            return ReportOutcome.WITH_A_PERSON
        case ReadingOutcome.COMPLAINT:
            return ReportOutcome.RECEIVED if reading.allegations else ReportOutcome.WITH_A_PERSON
