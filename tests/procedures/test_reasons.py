"""Why it was decided so: the customer, the complainant and a court are told what the record of the verdict backs."""

import dataclasses
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from tests.procedures.office import HOUR, NOON, Office, reporter
from tipstaff import wiring
from tipstaff.cli.policy import app
from tipstaff.intake.queries import reports_of_case
from tipstaff.notices.queries import letters_of_case
from tipstaff.policy.explain import Audience, explain
from tipstaff.procedures import casework
from tipstaff.procedures.answers import answer_case
from tipstaff.procedures.complaint import weigh_allegation
from tipstaff.procedures.letters import tell_customer
from tipstaff.procedures.reasons import reasons_for_complainant, reasons_for_court, reasons_for_customer
from tipstaff.registry.queries import get_customer
from tipstaff.words import Answer, Case, Ground, Incident, LetterKind, ReportOutcome

ADDRESS, ANOTHER = "198.51.100.7", "198.51.100.8"
BEFORE_A_LETTER = (
    "No measure is taken before a letter about it was handed over, except on a recorded ground for urgency."
)
WE_TELL = "We tell whoever held it"


def incidents(case: Case) -> list[Incident]:
    return [incident for report in reports_of_case(case.key) for incident in report.incidents]


def in_a_line(text: str) -> str:
    return " ".join(text.split())


def test_the_notice_says_exactly_what_the_verdict_backs(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    [incident] = report.incidents
    weighed = weigh_allegation(incident.allegation, received_at=NOON, desk=office.desk, at=NOON)
    said = [s.text for s in explain(weighed.verdict, edition=weighed.edition, to=Audience.CUSTOMER)]
    [notice] = office.letters_to("acct-1@customer.example.com")
    assert len(said) >= 5
    for sentence in said:
        assert sentence in in_a_line(notice.body)
    assert office.case_of(report).explanation not in in_a_line(notice.body), "it would say the same twice"


def test_a_notice_in_another_language_says_that_its_one_english_sentence_is_english(office: Office) -> None:
    """Where the record does not back the reasons, as after an edition's folder was changed."""
    office.admit("acct-1", ADDRESS, language="de")
    [edition] = office.desk.editions
    changed = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, digest="0" * 64),))
    report = office.complain(ADDRESS, at=NOON)
    case = office.case_of(report)
    customer = get_customer("acct-1")
    assert customer is not None
    key = tell_customer(
        LetterKind.NOTICE, case=case, customer=customer, desk=changed, at=NOON, actor="tests", once="again"
    )
    notice = next(letter for letter in letters_of_case(case.key) if letter.key == key)
    said = in_a_line(notice.body)
    assert f"Die Begründung liegt nur auf Englisch vor: {case.explanation}" in said
    assert BEFORE_A_LETTER not in said


def test_only_what_holds_for_every_address_of_a_letter_is_said_of_them(office: Office) -> None:
    office.admit("acct-1", ADDRESS, ANOTHER)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    office.complain(ANOTHER, at=NOON)
    one, two = incidents(case)
    of_both = reasons_for_customer(case, incidents=[one, two], desk=office.desk)
    assert set(of_both) <= set(reasons_for_customer(case, incidents=[one], desk=office.desk))
    assert of_both[0].startswith("What was reported falls under")
    stranger = dataclasses.replace(two, key="R-999999.1")
    assert reasons_for_customer(case, incidents=[one, stranger], desk=office.desk) == (), "nothing is on record of it"


def test_a_measure_before_a_letter_is_not_denied_in_its_letter(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    assert BEFORE_A_LETTER in reasons_for_customer(case, incidents=incidents(case), desk=office.desk)
    casework.propose_urgent(case.key, ground=Ground.NETWORK_HARM, shown_by="Flow export 17", at=NOON, actor="ana")
    casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="lena")
    assert BEFORE_A_LETTER not in reasons_for_customer(case, incidents=incidents(case), desk=office.desk)


def test_no_time_to_answer_is_promised_once_the_answer_is_there(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.warned(ADDRESS, at=NOON)
    promised = [s for s in reasons_for_customer(case, incidents=incidents(case), desk=office.desk) if "to answer" in s]
    assert promised
    case = answer_case(case.key, answer=Answer.NEED_TIME, words="", via="portal", desk=office.desk, at=NOON + HOUR)
    after = reasons_for_customer(case, incidents=incidents(case), desk=office.desk)
    assert not [s for s in after if "hours to answer" in s]


def test_a_complainant_is_never_told_that_somebody_was_told_while_a_person_decides(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2", ANOTHER, representative=False)
    told = office.complain(ADDRESS, at=NOON)
    waits = office.complain(ANOTHER, at=NOON)
    assert waits.outcome is ReportOutcome.WITH_A_PERSON
    [said] = reasons_for_complainant(told, desk=office.desk).values()
    assert any(WE_TELL in s for s in said)
    [said] = reasons_for_complainant(waits, desk=office.desk).values()
    assert "A person here decides before anybody is told." in said
    assert not any(WE_TELL in s for s in said)
    for sentence in said:
        assert "acct-" not in sentence


def test_a_court_reads_the_verdict_even_when_the_editions_words_are_gone(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    edition = office.desk.editions[-1]
    [one] = reasons_for_court(incidents(case), desk=office.desk)
    assert edition.digest in one.sentences[0]
    assert any("Remedies open, narrow to wide" in s for s in one.sentences), "the ladder is the verdict's"
    changed = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, digest="0" * 64),))
    [gone] = reasons_for_court(incidents(case), desk=changed)
    assert "not in use in those words any more" in gone.sentences[0]
    assert reasons_for_customer(case, incidents=incidents(case), desk=changed) == ()


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    if exit_code == 0 and result.exception is not None:
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def test_the_command_says_it_to_each(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "desk", lambda: office.desk)
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON)
    case = office.case_of(report)
    assert "SHA-256" in run("explain", case.key)
    document = json.loads(run("explain", case.key, "--to", "customer", "--json"))
    assert document["reasons"][0]["incidents"] == [f"{report.key}.1"]
    assert BEFORE_A_LETTER in document["reasons"][0]["sentences"]
    assert WE_TELL in run("explain", report.key, "--to", "complainant")
    assert "is not a report, R-000123." in run("explain", case.key, "--to", "complainant", exit_code=1)
    assert "is not a case or a report on record" in run("explain", "C-999999", exit_code=1)


@pytest.mark.parametrize(
    ("language", "falls", "quoted"),
    [
        ("de", "Was gemeldet wurde, fällt unter", ""),
        ("fr-CA", "Ce qui a été signalé relève de", "citée en anglais"),
        ("es", "Lo denunciado corresponde a", "se cita en inglés"),
        ("pt", "O que foi denunciado enquadra-se em", "citada em inglês"),
        ("ja", "報告された内容は、", "正文である英語"),
    ],
)
def test_a_customer_is_told_why_in_their_own_language(office: Office, language: str, falls: str, quoted: str) -> None:
    office.admit("acct-1", ADDRESS, language=language)
    office.complain(ADDRESS, at=NOON)
    [letter] = [letter for letter in office.post(at=NOON) if letter.case and letter.report is None]
    said = " ".join(letter.body.split())
    assert falls in said
    assert quoted in said
    assert ("Do not send bulk mail" in said) == bool(quoted), "what is not translated is quoted, and says so"
    assert "What was reported falls under" not in said
    assert "No measure is taken before" not in said


def test_what_is_too_old_is_told_the_days_of_the_edition_that_was_applied(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [edition] = office.desk.editions
    short = dataclasses.replace(edition, look_back=timedelta(days=30))
    later = dataclasses.replace(
        edition, id="2026-05", look_back=timedelta(days=400), effective_at=NOON - timedelta(days=5), digest="1" * 64
    )
    office.desk = dataclasses.replace(office.desk, editions=(short, later))
    report = office.complain(ADDRESS, at=NOON, happened=NOON - timedelta(days=60))
    assert report.outcome is ReportOutcome.TOO_OLD
    office.post(at=NOON)
    [answer] = office.letters_to(reporter().address)
    assert "more than 30 days" in in_a_line(answer.body)
    assert "400" not in answer.body
    assert "180" not in answer.body


def test_a_complainant_is_told_the_same_of_a_first_and_of_a_repeated_case(office: Office) -> None:
    told = []
    for n, customer in enumerate(("acct-1", "acct-2")):
        address = (ADDRESS, ANOTHER)[n]
        office.admit(customer, address)
        if n:
            first = office.warned(address, at=NOON - timedelta(days=9))
            office.answer(first, Answer.FIXED, at=NOON - timedelta(days=8))
            office.follow(at=NOON - timedelta(days=8))
        report = office.complain(address, at=NOON, by=reporter(n + 3))
        told.append(list(reasons_for_complainant(report, desk=office.desk).values()))
        assert office.case_of(report).repeats == n
    assert told[0] == told[1]
    assert any("at most 24 hours" in sentence for [sentences] in told for sentence in sentences)
