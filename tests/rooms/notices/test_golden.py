"""The letters as their readers see them, kept as files and reviewed as prose.

`TIPSTAFF_UPDATE_GOLDEN=1 pytest tests/rooms/notices/test_golden.py` writes them anew.
"""

import os
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tipstaff.notices.compose import COMPLAINANT_KINDS, Draft, LetterFacts, compose
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.explain import Audience, explain
from tipstaff.policy.judge import judge
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Grade,
    History,
    Incident,
    LetterKind,
    Measure,
    Moment,
    ReportOutcome,
    SourceKind,
)

EDITION = shipped_editions()[-1]
GOLDEN = Path(__file__).parent / "golden"
LANGUAGES = ("en", "de", "es", "fr", "ja", "pt")
WHY_IT_STANDS = "Your log ends at 09:00; the mail left at 09:12."
"""A reminder is written by a person who has read what the customer wrote, with the reasons, and in no other way."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", list(LetterKind), ids=lambda kind: kind.value)
def test_every_kind_of_letter_reads_as_reviewed(kind: LetterKind, language: str, facts: LetterFacts) -> None:
    note = WHY_IT_STANDS if kind is LetterKind.REMINDER else ""
    draft = compose(kind, facts=replace(facts, language=language, note=note))
    assert draft.language == language
    assert note in draft.body
    must_read_as_reviewed(f"{kind.value}.{language}", draft)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_of_one_report_about_a_page_at_a_time_without_a_zone_reads_as_reviewed(
    language: str, facts: LetterFacts
) -> None:
    bare = LetterFacts(
        operator=facts.operator,
        abuse_contact=facts.abuse_contact,
        language=language,
        case="C-000124",
        type="content/phishing",
        resource="https://login.shop.example.net/account/verify.html",
        source_kind=SourceKind.PERSON,
        moment=Moment.without_zone(datetime(2026, 3, 14, 9, 12, 44)),
        answer_by=facts.answer_by,
        automated=False,
    )
    must_read_as_reviewed(f"notice-page.{language}", compose(LetterKind.NOTICE, facts=bare))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_of_what_we_measured_ourselves_reads_as_reviewed(language: str, facts: LetterFacts) -> None:
    measured = replace(
        facts, language=language, type="connection/port_scan", report_count=0, reports=(), reasons=(),
        explanation="What we measured falls under a rule.", source_kind=SourceKind.OWN_SENSOR, target="",
        evidence="300 targets in 30 minutes, first 203.0.113.7",
    )  # fmt: skip
    draft = compose(LetterKind.NOTICE, facts=measured)
    must_read_as_reviewed(f"notice-measured.{language}", draft)
    about_a_report = {
        "en": "report of",
        "de": "Meldung",
        "es": "una denuncia",
        "fr": "signalement",
        "ja": "報告者",
        "pt": "denúncia",
    }
    assert about_a_report[language] not in draft.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_measure_taken_at_once_reads_as_reviewed(language: str, facts: LetterFacts, urgent_measure: Measure) -> None:
    urgent = replace(facts, language=language, measure=urgent_measure)
    must_read_as_reviewed(f"measure_taken-urgent.{language}", compose(LetterKind.MEASURE_TAKEN, facts=urgent))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_measure_that_ended_by_its_own_time_reads_as_reviewed(language: str, facts: LetterFacts) -> None:
    lapsed = replace(facts, language=language, lapsed=True)
    must_read_as_reviewed(f"measure_lifted-lapsed.{language}", compose(LetterKind.MEASURE_LIFTED, facts=lapsed))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_outcome_of_a_report_with_several_incidents_reads_as_reviewed(language: str, facts: LetterFacts) -> None:
    outcomes = [ReportOutcome.MEASURE_TAKEN, ReportOutcome.NOT_OURS, *[ReportOutcome.FORWARDED] * 10]
    incidents = tuple(
        Incident(
            key=f"R-000301.{n}",
            allegation=Allegation(type="vulnerability/open_service", source=IPv4Address("198.51.100.0") + n),
            outcome=outcome,
            reason="",
            case=None,
        )
        for n, outcome in enumerate(outcomes, 1)
    )
    several = replace(facts, language=language, incidents=incidents, outcome=ReportOutcome.FORWARDED)
    must_read_as_reviewed(f"outcome-several.{language}", compose(LetterKind.OUTCOME, facts=several))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_that_says_why_it_was_decided_so_reads_as_reviewed(language: str, facts: LetterFacts) -> None:
    verdict = judge(
        replace(facts.incidents[0].allegation, moment=None),
        attribution=Attribution(
            grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001", service=None
        ),
        history=History(cases_before=1),
        edition=EDITION,
        received_at=EDITION.effective_at + timedelta(days=200),
    )
    explained = explain(verdict, edition=EDITION, to=Audience.CUSTOMER, language=language)
    said = tuple(sentence.text for sentence in explained)
    assert len(said) > 4
    wording = EDITION.wording("mail.unsolicited", language=language)
    told = replace(
        facts, language=language, reasons=said, clause_title=wording.title, clause_text=wording.text,
        what_to_do=wording.steps_for("messaging/spam"), quoted_in="de" if language == "de" else "en",
    )  # fmt: skip
    must_read_as_reviewed(f"notice-reasons.{language}", compose(LetterKind.NOTICE, facts=told))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [LetterKind.ACKNOWLEDGEMENT, LetterKind.NEEDS_DETAIL], ids=lambda kind: kind.value)
def test_what_a_complainant_is_told_of_why_reads_as_reviewed(
    kind: LetterKind, language: str, facts: LetterFacts
) -> None:
    named = Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001")
    shared = Attribution(grade=Grade.AMBIGUOUS, reason=AttributionReason.SHARED_WITHOUT_PORT)
    verdict = judge(
        replace(facts.incidents[0].allegation, moment=None),
        attribution=named if kind is LetterKind.ACKNOWLEDGEMENT else shared,
        history=History(),
        edition=EDITION,
        received_at=EDITION.effective_at + timedelta(days=200),
    )
    explained = explain(verdict, edition=EDITION, to=Audience.COMPLAINANT, language=language)
    told = replace(facts, language=language, why=tuple(sentence.text for sentence in explained))
    must_read_as_reviewed(f"{kind.value}-why.{language}", compose(kind, facts=told))


def test_why_a_complainants_report_was_decided_so_reaches_no_customer(facts: LetterFacts) -> None:
    marked = replace(facts, why=("What you reported is marked.",), note=WHY_IT_STANDS)
    for kind in set(LetterKind) - COMPLAINANT_KINDS:
        assert "is marked" not in compose(kind, facts=marked).body, kind


def test_every_golden_letter_is_one_that_a_test_composes() -> None:
    names = {f"{kind.value}.{language}.txt" for kind in LetterKind for language in LANGUAGES}
    names |= {
        f"{name}.{language}.txt"
        for name in (
            "notice-page",
            "notice-measured",
            "notice-reasons",
            "measure_lifted-lapsed",
            "measure_taken-urgent",
            "outcome-several",
            "acknowledgement-why",
            "needs_detail-why",
        )
        for language in LANGUAGES
    }
    assert {path.name for path in GOLDEN.iterdir()} == names


def must_read_as_reviewed(name: str, draft: Draft) -> None:
    """Compare a letter with its golden file, or write the file anew when asked to."""
    text = f"Subject: {draft.subject}\n\n{draft.body}"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("TIPSTAFF_UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")
