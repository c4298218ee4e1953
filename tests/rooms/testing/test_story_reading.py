"""Each complaint of the example day is read, attributed and judged as the story declares it, by the shipped parsers,
the example operator's record and the shipped edition of the policy.
"""

from datetime import UTC, datetime

import pytest

from tipstaff.intake.parsers.acns import AcnsParser
from tipstaff.intake.parsers.arf import ArfParser
from tipstaff.intake.parsers.freetext import FreetextParser
from tipstaff.intake.parsers.shadowserver import ShadowserverParser
from tipstaff.intake.parsers.xarf import XarfParser
from tipstaff.intake.protocol import Parser
from tipstaff.intake.reading import read
from tipstaff.intake.sieve import sift
from tipstaff.policy.editions import shipped_editions
from tipstaff.procedures.complaint import weigh_allegation
from tipstaff.procedures.desk import Desk
from tipstaff.testing.story import ABUSE_ADDRESS, PICTURE_MARK, ExpectedIncident, Told, complaints
from tipstaff.testing.story.settling import settle_in
from tipstaff.words import Allegation, Disposition, Reading, ReadingOutcome, ReportOutcome

DAY = datetime(2026, 3, 2, tzinfo=UTC)
COMPLAINTS = complaints(DAY)
EDITION = shipped_editions()[0]

PARSERS: tuple[Parser, ...] = (AcnsParser(), ArfParser(), FreetextParser(), ShadowserverParser(), XarfParser())
DESK = Desk(
    operator="Example Network",
    abuse_address=ABUSE_ADDRESS,
    own_addresses=frozenset({ABUSE_ADDRESS}),
    own_domains=frozenset({"operator.example.net"}),
    editions=shipped_editions(),
    parsers=PARSERS,
    abilities=(),
    mail_out_ready=False,
    complainant_hourly_max=20,
    enqueue=lambda job, key: None,
    seal=lambda raw: raw,
    policy_link=lambda edition: f"https://operator.example.net/policy/{edition}/changes",
    portal_link=lambda case, at: "",
    report_link=lambda report, at: "",
)


def _reading(told: Told) -> Reading:
    return read(told.raw, parsers=PARSERS, own_addresses=frozenset({ABUSE_ADDRESS}))


@pytest.mark.parametrize("told", [pytest.param(told, id=told.id) for told in COMPLAINTS])
def test_a_complaint_is_read_as_the_story_declares(told: Told) -> None:
    reading = _reading(told)
    declared = told.expected
    assert (reading.outcome, reading.reason) == (declared.reading, declared.reason), reading.detail
    declared_incidents = sorted(map(_declared, declared.incidents))
    understood = sorted(
        _understood(allegation, like=incident)
        for allegation, incident in zip(
            sorted(reading.allegations, key=lambda allegation: (allegation.type, allegation.offender)),
            sorted(declared.incidents, key=lambda incident: (incident.type, incident.url or incident.source or "")),
            strict=True,
        )
    )
    assert understood == declared_incidents


def test_the_reader_is_sure_enough_of_every_complaint_for_the_policy() -> None:
    unsure = {
        told.id: allegation.confidence
        for told in COMPLAINTS
        if told.expected.reading is ReadingOutcome.COMPLAINT
        for allegation in _reading(told).allegations
        if allegation.confidence < EDITION.reader_confidence_min
    }
    assert not unsure


def test_nothing_of_a_picture_is_kept_when_a_complaint_is_sealed() -> None:
    for told in COMPLAINTS:
        sifted = sift(told.raw)
        assert sifted.sealed == (told.expected.reading is ReadingOutcome.SEALED), told.id
        if sifted.sealed:
            assert PICTURE_MARK not in sifted.kept
            assert b"iVBORw0KGgo" not in sifted.kept


@pytest.mark.django_db
def test_every_complaint_is_attributed_and_judged_as_the_story_declares() -> None:
    settle_in(DAY, at=DAY)
    wrong: list[tuple[object, ...]] = []
    for told in COMPLAINTS:
        left = list(told.expected.incidents)
        for allegation in _reading(told).allegations:
            incident = next(x for x in left if _declared(x) == _understood(allegation, like=x))
            left.remove(incident)
            received_at = DAY + told.at
            weighed = weigh_allegation(allegation, received_at=received_at, desk=DESK, at=received_at)
            verdict, attribution = weighed.verdict, weighed.attribution
            found = (attribution.reason, attribution.customer, attribution.downstream, verdict.clause)
            declared = (incident.attribution, incident.customer, incident.downstream, incident.clause)
            if found != declared:
                wrong.append((told.id, found, declared))
            if verdict.disposition not in _MAY_END_AS[incident.outcome]:
                wrong.append((told.id, verdict.disposition, incident.outcome))
    assert not wrong, "\n".join(map(str, wrong))


_MAY_END_AS = {
    ReportOutcome.WITH_A_PERSON: {Disposition.PERSON, Disposition.UNASSIGNED, Disposition.OPEN_CASE},
    ReportOutcome.NOT_OURS: {Disposition.NOT_OURS},
    ReportOutcome.TOO_OLD: {Disposition.TOO_OLD},
    ReportOutcome.NEEDS_DETAIL: {Disposition.ASK_COMPLAINANT},
    ReportOutcome.DUPLICATE: {Disposition.OPEN_CASE},
    ReportOutcome.FORWARDED: {Disposition.OPEN_CASE},
    ReportOutcome.FIXED: {Disposition.OPEN_CASE},
    ReportOutcome.MEASURE_TAKEN: {Disposition.OPEN_CASE},
    ReportOutcome.NOT_UPHELD: {Disposition.OPEN_CASE},
}
"""Which verdicts may lead to which end. A customer who cannot be reached makes a person's matter of a case."""


def _declared(incident: ExpectedIncident) -> tuple[str, str, int, str]:
    return incident.type, incident.source or "", incident.port or 0, incident.url or ""


def _understood(allegation: Allegation, *, like: ExpectedIncident) -> tuple[str, str, int, str]:
    """What was understood, in so far as the story says anything about it: a port that it does not declare is free."""
    port = allegation.source_port if like.port is not None else None
    return allegation.type, str(allegation.source or ""), port or 0, allegation.url or ""
