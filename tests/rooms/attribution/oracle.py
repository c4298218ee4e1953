"""An obviously right, slow answer: ask at every instant and port where anything could change."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tipstaff.attribution.match import window_of
from tipstaff.words import Attribution, AttributionReason, Grade, Holding, Moment, Tier

NOT_OURS = "not ours"
NOBODY = "nobody"


def holder_at(address, *, port: int, instant: datetime, holdings: Sequence[Holding]) -> str:
    """The one answerable at one instant and one port."""
    here = [
        row
        for row in holdings
        if address in row.prefix
        and row.port_first <= port <= row.port_last
        and row.held_from <= instant
        and (row.held_until is None or instant < row.held_until)
    ]
    if not any(row.tier is Tier.OPERATOR for row in here):
        return NOT_OURS
    for tier in (Tier.RESELLER, Tier.CUSTOMER):
        for row in here:
            if row.tier is tier:
                assert row.customer is not None
                return row.customer
    return NOBODY


def slow_answer(
    address, *, port: int | None, moment: Moment | None, received_at: datetime, holdings, records_begin_at
) -> tuple[Grade, AttributionReason | None, str | None]:
    """Grade, reason and customer. The reason is None where more than one would be true."""
    window = window_of(moment, received_at=received_at)
    if records_begin_at is not None and window.earliest < records_begin_at:
        return Grade.NO_DATA, AttributionReason.BEFORE_RECORDS, None
    tick = timedelta(microseconds=1)
    edges = {edge for row in holdings for edge in (row.held_from, row.held_until) if edge is not None}
    instants = {window.earliest, window.latest, *edges, *(edge - tick for edge in edges)}
    instants = {at for at in instants if window.earliest <= at <= window.latest}
    rims = {p for row in holdings for p in (row.port_first - 1, row.port_first, row.port_last, row.port_last + 1)}
    ports = {port} if port else {p for p in {0, 65535, *rims} if 0 <= p <= 65535}

    by_instant = {at: {holder_at(address, port=p, instant=at, holdings=holdings) for p in ports} for at in instants}
    seen = set().union(*by_instant.values())
    if seen == {NOT_OURS}:
        return Grade.NONE, AttributionReason.NOT_OUR_SPACE, None
    subjects = seen - {NOT_OURS, NOBODY}
    if not subjects:
        return Grade.NONE, AttributionReason.UNASSIGNED, None
    if len(subjects) > 1:
        return Grade.AMBIGUOUS, None, None
    (subject,) = subjects
    if any(subject in here and len(here) > 1 for here in by_instant.values()):
        return Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT, None
    if seen == subjects:
        return (Grade.PROBABLE if window.assumed else Grade.CONFIRMED), None, subject
    if window.assumed:
        return Grade.AMBIGUOUS, AttributionReason.EDGE_IN_WINDOW, None
    return Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW, subject


def in_short(answer: Attribution) -> tuple[Grade, AttributionReason, str | None]:
    return answer.grade, answer.reason, answer.customer
