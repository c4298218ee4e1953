"""Reports that a person reads: who hears of them, what is set aside, and what is sealed by hand."""

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter, spam_report
from tipstaff.cases.operations import SEALED_MATTER
from tipstaff.cases.queries import notes_of
from tipstaff.intake.operations import NoSuchReport
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.queries import entries_about, get_evidence
from tipstaff.notices.queries import letters_of_case
from tipstaff.procedures import casework, complaint
from tipstaff.testing.story.mail import mail
from tipstaff.words import CaseState, LetterKind, LetterState, Report, ReportOutcome

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "192.0.2.7"
CUSTOMER = "acct-1@customer.example.com"
THEIRS = reporter().address


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", ADDRESS + "/32")
    return made


def unclear(office: Office) -> Report:
    """A complaint that names nobody."""
    raw = mail("Somebody in your network attacks us. Please stop it.", sender=reporter(), subject="Attack", at=NOON)
    return office.take_in(raw, at=NOON, sender=THEIRS)


def test_who_wrote_what_no_reader_understood_hears_that_it_arrived(office: Office) -> None:
    report = unclear(office)
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    office.post(at=NOON)
    [letter] = office.letters_to(THEIRS)
    assert letter.kind is LetterKind.ACKNOWLEDGEMENT
    assert report.key in letter.subject
    complaint.understand(report.key, desk=office.desk, at=NOON)
    assert office.post(at=NOON) == [], "read again, told once"


@pytest.mark.parametrize(
    ("gateway", "outcome"), [(ADDRESS, ReportOutcome.WITH_A_PERSON), ("203.0.113.1", ReportOutcome.NOT_OURS)]
)
def test_nobody_is_told_that_it_is_not_ours_who_names_an_address_of_ours(
    office: Office, gateway: str, outcome: ReportOutcome
) -> None:
    text = "Source IP: 203.0.113.8\nBrute force attack, failed password for root from 203.0.113.8.\n"
    raw = mail(
        f"{text}\nGateway: {gateway}", sender=reporter(), subject="Abuse from 203.0.113.8: SSH brute force", at=NOON
    )
    report = office.take_in(raw, at=NOON, sender=THEIRS)
    assert report.outcome is outcome
    office.post(at=NOON)
    assert (LetterKind.NOT_OURS in office.kinds_to(THEIRS)) is (outcome is ReportOutcome.NOT_OURS)


def test_a_report_that_breaks_the_reader_is_with_a_person_and_its_sender_knows(office: Office) -> None:
    raw = spam_report(ADDRESS, at=NOON, by=reporter(), happened=NOON)
    key = complaint.accept(
        raw, sender=THEIRS, recipients=("abuse@operator.example.net",), channel="smtp", desk=office.desk, at=NOON
    )
    for _ in range(2):
        complaint.hand_to_person(key, why="The reader failed.", desk=office.desk, at=NOON)
    assert office.report(key).outcome is ReportOutcome.WITH_A_PERSON
    office.post(at=NOON)
    assert office.kinds_to(THEIRS) == [LetterKind.ACKNOWLEDGEMENT]


def test_a_person_who_sets_a_report_aside_says_whether_its_sender_is_told(office: Office) -> None:
    told, untold = (
        unclear(office),
        office.take_in(
            mail("Attack again, please look.", sender=reporter(2), subject="Attack", at=NOON),
            at=NOON,
            sender="x@y.example",
        ),
    )
    office.post(at=NOON)
    complaint.set_aside(told.key, why="No address.", tell=True, desk=office.desk, at=NOON, actor="ana")
    complaint.set_aside(told.key, why="No address.", tell=True, desk=office.desk, at=NOON, actor="ana")
    complaint.set_aside(untold.key, why="Advertising.", tell=False, desk=office.desk, at=NOON, actor="ana")
    [letter] = office.post(at=NOON)
    assert (letter.to, letter.kind) == (THEIRS, LetterKind.OUTCOME)
    assert "have set it aside" in letter.body
    assert "Advertising." not in letter.body


def test_a_report_sealed_by_hand_leaves_no_word_behind(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [report] = reports_of_case(case.key)
    at = NOON + 2 * DAY
    casework.note(case.key, text="They say that it is a picture.", at=at, actor="ana")
    complaint.seal_by_hand(report.key, desk=office.desk, at=at, actor="ana")
    complaint.seal_by_hand(report.key, desk=office.desk, at=at, actor="ana")

    evidence = get_evidence(report.evidence)
    assert evidence is not None
    assert evidence.sealed
    sealed = office.report(report.key)
    assert sealed.outcome is ReportOutcome.SEALED
    assert all(i.allegation.source is None and not i.allegation.excerpt for i in sealed.incidents)
    assert office.fresh(case.key).resource == SEALED_MATTER
    assert [note.text for note in notes_of(case.key)] == [SEALED_MATTER]
    assert [
        letter for letter in letters_of_case(case.key) if ADDRESS in letter.subject + letter.body + letter.html
    ] == []
    assert [e.what for e in entries_about(report.key)].count("report.decided") == 1
    assert any(e.actor == "ana" for e in entries_about(report.key))


def test_a_case_with_other_reports_waits_for_counsel_too_when_one_of_them_is_sealed(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.complain(ADDRESS, at=NOON + HOUR, by=reporter(2))
    [first, _] = reports_of_case(case.key)
    complaint.seal_by_hand(first.key, desk=office.desk, at=NOON + HOUR, actor="ana")
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert all(x.body == "" for x in letters_of_case(case.key) if x.state is LetterState.SENT)


def test_only_what_is_there_can_be_sealed(office: Office) -> None:
    with pytest.raises(NoSuchReport):
        complaint.seal_by_hand("R-999999", desk=office.desk, at=NOON, actor="ana")
