"""Whether anybody else saw what somebody reports: our own telemetry, or a second sender who depends on nobody else.

Only a sure agreement counts; not having looked, or having heard of nobody else, says nothing.
"""

from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction

from tipstaff.cases.operations import lock_case, write_note
from tipstaff.intake.queries import origin_of, reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import has_entry
from tipstaff.policy import Edition
from tipstaff.sensors.queries import measured_at
from tipstaff.words import Allegation, Grade, Incident, Moment, Report, Sighting

from .judging import clause_of
from .offender import who_did_it
from .trust import reporter_of

ERROR_MAX = timedelta(hours=1)
"""A time that is known less surely than this agrees with too much."""


def seen_by_us(allegation: Allegation, *, customer: str | None, edition: Edition) -> bool:
    """Whether a sighting on record is of the same address, time, ports and clause, and surely of the same holder.

    It raises the evidence's grade and so takes doubts away; so it is False wherever anything is left open.
    """
    moment = allegation.moment
    if customer is None or allegation.source is None or moment is None:
        return False
    clause = clause_of(edition, allegation)
    if clause is None or not _is_sure(moment):
        return False
    near = measured_at(
        allegation.source, earliest=moment.earliest - ERROR_MAX, latest=moment.latest + ERROR_MAX
    )  # fmt: skip
    for measured in near:
        sighting = measured.sighting
        if clause_of(edition, sighting) is not clause or not is_same_event(allegation, sighting):
            continue
        holder = who_did_it(sighting, received_at=measured.received_at)
        if holder.grade is Grade.CONFIRMED and holder.customer == customer:
            return True
    return False


SECOND_SOURCE = "incident.second_source"
PLACES_MAX = 50
"""Of one report so many places are looked at: a list of thousands is one sender's word, however long."""


def note_second_sources(report: Report, *, at: datetime) -> list[str]:
    """Say on each case of this report that another sender, who does not depend on this one, reports the same; which.

    Both must be vouched for: a second mail that anybody may have forged is no second source. It takes no doubt away
    and starts no measure; whoever decides reads it.
    """
    sender, noted = reporter_of(report), list[str]()
    if not sender or not _vouched_for(report.key):
        return noted
    places = {(i.case, i.allegation.offender): i for i in report.incidents if i.case and i.allegation.offender}
    for (case, place), incident in islice(places.items(), PLACES_MAX):
        if case is None or has_entry(case, what=SECOND_SOURCE, place=place):
            continue
        other = _second(incident, report, case=case)
        if other is None:
            continue
        with transaction.atomic():
            lock_case(case)
            if has_entry(case, what=SECOND_SOURCE, place=place):
                continue
            record(SECOND_SOURCE, at=at, actor="worker", about=[case, incident.key, other], place=place)
            said = f"{incident.key} and {other} say the same of {place}; different domains vouch for their senders."
            write_note(case, text=said, at=at, actor="worker")
        noted.append(case)
    return noted


def _second(incident: Incident, report: Report, *, case: str) -> str | None:
    """The incident of another sender's report of this case that says the same of the same place."""
    for other in reports_of_case(case):
        if other.key == report.key or not are_independent(reporter_of(other), reporter_of(report)):
            continue
        for one in other.incidents:
            same = (one.allegation.offender, one.allegation.type) == (
                incident.allegation.offender, incident.allegation.type,
            )  # fmt: skip
            if one.case == case and same and _vouched_for(other.key):
                return one.key
    return None


def are_independent(one: str, other: str) -> bool:
    """Whether two mail addresses are of domains that differ in their last two labels.

    Two names below `example.org` may be one party's, and so are two below `co.uk` taken to be: that errs on the side
    of fewer second sources.
    """
    domains = [".".join(address.lower().rpartition("@")[2].split(".")[-2:]) for address in (one, other)]
    return all(domains) and domains[0] != domains[1]


def _vouched_for(report: str) -> bool:
    return origin_of(report)[1] is True


def is_same_event(allegation: Allegation, sighting: Sighting) -> bool:
    """Whether address, time and ports of the two agree, as far as both state them."""
    moment = allegation.moment
    if allegation.source != sighting.source or moment is None or not _is_sure(moment) or not _is_sure(sighting.moment):
        return False
    if moment.earliest > sighting.moment.latest or sighting.moment.earliest > moment.latest:
        return False
    stated = (
        (allegation.source_port, sighting.source_port),
        (allegation.target_port, sighting.target_port),
        ((allegation.protocol or "").lower() or None, sighting.protocol),
    )
    return all(one == other for one, other in stated if one is not None and other is not None)


def _is_sure(moment: Moment) -> bool:
    return moment.zone_stated and moment.error_seconds <= ERROR_MAX.total_seconds()
