"""A complainant is written to in the language in which they wrote, with the reasons that hold for their report."""

import dataclasses
from datetime import timedelta

import pytest

from tests.procedures.office import HOUR, NOON, Office, reporter
from tipstaff.policy.explain import Audience, explain
from tipstaff.procedures.complaint import weigh_allegation
from tipstaff.testing.story.mail import arf, mail, rfc5322, spam_sample
from tipstaff.words import HoldingKind, Letter, LetterKind, Report

ADDRESS, OUTSIDE = "198.51.100.7", "203.0.113.9"
GERMAN = (
    "Guten Tag, von der genannten Adresse haben wir unerwünschte Werbung bekommen. Bitte stellen Sie fest, wer sie "
    "zu dieser Zeit benutzt hat, und sagen Sie uns, was Sie unternommen haben."
)
DUTCH = (
    "Goedendag, vanaf het adres hieronder is reclame naar ons gestuurd. Wij vragen u om uit te zoeken wie het op dat "
    "moment gebruikte en ons te laten weten wat er met de melding wordt gedaan."
)
WORDLESS = "192.0.2.7"


def complain(office: Office, source: str, *, words: str) -> Report:
    by, happened = reporter(), NOON - HOUR
    sample = spam_sample(
        source=source, helo="host.customer.example.com", received_by=f"mx.{by.domain}", at=happened,
        sender="prizes@sender.example.com", to=f"victim@{by.domain}", subject="You have won", body="Answer today.",
    )  # fmt: skip
    fields = {
        "Feedback-Type": "abuse", "User-Agent": "SampleFBL/1", "Version": "1", "Source-IP": source,
        "Arrival-Date": rfc5322(happened),
    }  # fmt: skip
    raw = mail(arf(fields, sample=sample, words=words), sender=by, subject="Spam", at=NOON)
    return office.take_in(raw, at=NOON, sender=by.address)


def answer(office: Office) -> Letter:
    [letter] = [letter for letter in office.post(at=NOON) if letter.to == reporter().address]
    return letter


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def in_german(office: Office, *, locale: str = "de-DE") -> None:
    """The operator's policy is written in German."""
    editions = tuple(dataclasses.replace(edition, locale=locale) for edition in office.desk.editions)
    office.desk = dataclasses.replace(office.desk, editions=editions)


def test_a_german_complaint_is_acknowledged_in_german_with_every_reason_that_the_verdict_backs(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = complain(office, ADDRESS, words=GERMAN)
    letter = answer(office)
    assert (letter.kind, letter.language) == (LetterKind.ACKNOWLEDGEMENT, "de")
    [incident] = report.incidents
    weighed = weigh_allegation(incident.allegation, received_at=NOON, desk=office.desk, at=NOON)
    said = explain(weighed.verdict, edition=weighed.edition, to=Audience.COMPLAINANT, language="de")
    assert len(said) == 3
    for sentence in said:
        assert sentence.text in in_a_line(letter.body)
    assert "Was Sie gemeldet haben, fällt unter „Unverlangte Massenpost“" in in_a_line(letter.body)
    assert "acct-1" not in letter.body
    assert "What you reported" not in letter.body


@pytest.mark.parametrize(
    ("words", "operators", "written_in"),
    [
        (WORDLESS, "en", "en"),
        (WORDLESS, "de-DE", "de"),
        (GERMAN, "en", "de"),
        (GERMAN, "fr", "de"),
        (DUTCH, "de-DE", "en"),
        (WORDLESS, "nl", "en"),
    ],
)
def test_their_language_comes_before_the_operators_and_english_where_none_is_written(
    office: Office, words: str, operators: str, written_in: str
) -> None:
    in_german(office, locale=operators)
    complain(office, OUTSIDE, words=words)
    letter = answer(office)
    assert (letter.kind, letter.language) == (LetterKind.NOT_OURS, written_in)
    why = {
        "en": "What was reported lay outside the address space of",
        "de": "Was gemeldet wurde, lag zur fraglichen Zeit außerhalb des Adressraums von",
    }
    assert why[written_in] in in_a_line(letter.body)


def test_who_is_asked_for_detail_reads_why_it_decides_and_nothing_of_those_who_may_have_held_it(office: Office) -> None:
    for n, ports in ((1, (1024, 2047)), (2, (2048, 4095))):
        office.admit(f"acct-{n}")
        office.hold(f"{ADDRESS}/32", customer=f"acct-{n}", kind=HoldingKind.PORT_BLOCK, ports=ports)
    complain(office, ADDRESS, words=GERMAN)
    letter = answer(office)
    assert (letter.kind, letter.language) == (LetterKind.NEEDS_DETAIL, "de")
    assert "Mehr als ein Kunde kann die Adresse zur angegebenen Zeit innegehabt haben" in in_a_line(letter.body)
    assert "acct-" not in letter.body


def test_the_end_is_told_in_their_language_too_and_without_reasons_that_no_longer_hold(office: Office) -> None:
    from tipstaff.procedures.casework import close_not_upheld

    office.admit("acct-1", ADDRESS)
    case = office.case_of(complain(office, ADDRESS, words=GERMAN))
    answer(office)
    later = NOON + timedelta(hours=2)
    case = office.fresh(case.key)
    close_not_upheld(case.key, why="seen", version=case.version, desk=office.desk, at=later, actor="ana")
    [outcome] = [x for x in office.post(at=later) if x.kind is LetterKind.OUTCOME]
    assert (outcome.language, outcome.to) == ("de", reporter().address)
    assert "Warum wir so entscheiden" not in outcome.body


def test_of_several_things_in_a_report_only_what_holds_for_all_is_said(office: Office) -> None:
    from tipstaff.procedures.letters import _why_of_all

    office.admit("acct-1", ADDRESS, "198.51.100.8")
    report = complain(office, ADDRESS, words=GERMAN)
    [incident] = report.incidents
    alone = _why_of_all(report, desk=office.desk, language="de")
    assert len(alone) == 3
    unjudged = dataclasses.replace(incident, key="R-999999.1")
    both = dataclasses.replace(report, incidents=(incident, unjudged), incident_total=2)
    assert _why_of_all(both, desk=office.desk, language="de") == (), "nothing is on record of the other"
    assert _why_of_all(dataclasses.replace(report, incident_total=2), desk=office.desk, language="de") == ()
