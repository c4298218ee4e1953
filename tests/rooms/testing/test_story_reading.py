"""The shipped parsers read each complaint of the example day as the story declares it."""

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
from tipstaff.testing.story import ABUSE_ADDRESS, PICTURE_MARK, ExpectedIncident, Told, complaints
from tipstaff.words import Allegation, Reading, ReadingOutcome

COMPLAINTS = complaints(datetime(2026, 3, 2, tzinfo=UTC))
EDITION = shipped_editions()[0]

PARSERS: tuple[Parser, ...] = (AcnsParser(), ArfParser(), FreetextParser(), ShadowserverParser(), XarfParser())


NOT_READ_YET = {
    "scan-japanese": "the free-text reader knows no Japanese words for abuse",
    "phishing-html": "the host name in the subject is taken for a second page",
    "newsletter": "a newsletter that speaks of abuse is taken for an unsure complaint",
    "spam-forwarded": "of a mail forwarded twice, the forwarder's own address is taken for a second suspect",
    "scan-portuguese": "a scan for vulnerabilities is taken for a vulnerability",
    "advertising": "advertising without an address is left to a person instead of set aside",
    "zip-bomb": "the archive is not unfolded, as it must be, but the reason given is another",
    "too-deep": "what stands above the bound is taken for the whole",
}
"""Where the parsers fall short of the story, and how."""


def _reading(told: Told) -> Reading:
    return read(told.raw, parsers=PARSERS, own_addresses=frozenset({ABUSE_ADDRESS}))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(
            told,
            id=told.id,
            marks=[pytest.mark.xfail(reason=NOT_READ_YET[told.id], strict=False)] if told.id in NOT_READ_YET else [],
        )
        for told in COMPLAINTS
    ],
)
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
        if told.expected.reading is ReadingOutcome.COMPLAINT and told.id not in NOT_READ_YET
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


def _declared(incident: ExpectedIncident) -> tuple[str, str, int, str]:
    return incident.type, incident.source or "", incident.port or 0, incident.url or ""


def _understood(allegation: Allegation, *, like: ExpectedIncident) -> tuple[str, str, int, str]:
    """What was understood, in so far as the story says anything about it: a port that it does not declare is free."""
    port = allegation.source_port if like.port is not None else None
    return allegation.type, str(allegation.source or ""), port or 0, allegation.url or ""
