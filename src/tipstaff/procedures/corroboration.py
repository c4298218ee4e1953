"""Whether our own telemetry saw what somebody reports. Only a sure agreement counts; not having looked says nothing."""

from datetime import timedelta

from tipstaff.policy import Edition
from tipstaff.sensors.queries import measured_at
from tipstaff.words import Allegation, Grade, Moment, Sighting

from .judging import clause_of
from .offender import who_did_it

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
