"""What another edition would have made of the past: what stands in the record is judged once more; nothing is done."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tipstaff.intake.queries import get_incident
from tipstaff.ledger.queries import recent
from tipstaff.policy import Edition, UnknownClause, judge
from tipstaff.policy.difference import in_short
from tipstaff.words import Allegation, Attribution, AttributionReason, Entry, Grade, History, Verdict

PAST_MAX = 20_000
"""So many entries of the record are gone through, the newest first."""
_AT_A_TIME = 500


@dataclass(frozen=True, kw_only=True)
class Past:
    """What a draft would have made of reports that were judged already."""

    judged: int
    otherwise: tuple[tuple[str, str, str], ...]
    """(incident, before, after) of each that would be judged otherwise."""


def judge_past(old: Edition, new: Edition, *, entries_max: int = PAST_MAX) -> Past:
    """What was judged already, judged under both as if each had been in force, on the attribution of that time."""
    supposed = [replace(edition, effective_at=datetime(1970, 1, 1, tzinfo=UTC)) for edition in (old, new)]
    judged, otherwise = 0, []
    for entry in _judgements(entries_max):
        incident = get_incident(entry.about[0])
        if incident is None:
            continue
        was, now = (_judged_then(entry, incident.allegation, edition) for edition in supposed)
        judged += 1
        if in_short(was) != in_short(now):
            otherwise.append((incident.key, in_short(was), in_short(now)))
    return Past(judged=judged, otherwise=tuple(otherwise))


def _judged_then(entry: Entry, allegation: Allegation, edition: Edition) -> Verdict:
    """The verdict on what the record holds of a judgement, as on a first report; `edition` counts as in force."""
    cited = allegation.cited
    try:
        if cited is not None:
            edition.clause(cited)
    except UnknownClause:
        cited = None
    customer = entry.detail.get("customer")
    attribution = Attribution(
        grade=Grade(str(entry.detail["grade"])),
        reason=AttributionReason(str(entry.detail["attribution"])),
        customer=str(customer) if customer is not None else None,
    )
    return judge(
        allegation, attribution=attribution, history=History(), edition=edition, received_at=entry.at, cited=cited
    )


def _judgements(entries_max: int) -> Iterator[Entry]:
    before: int | None = None
    for _ in range(0, entries_max, _AT_A_TIME):
        entries = recent(before=before, limit=_AT_A_TIME)
        yield from (entry for entry in entries if entry.what == "incident.judged")
        if len(entries) < _AT_A_TIME:
            return
        before = entries[-1].id
