"""The example day's comparison sees what it is there to see: each of these differences makes the day wrong."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.procedures.office import DAY, NOON, Office, reporter, spam_report
from tipstaff.intake.queries import get_report, reports_of_case
from tipstaff.notices.models import LetterRow
from tipstaff.testing.compared import Played, compare
from tipstaff.testing.mailbox import Mail
from tipstaff.testing.story import Expected, ExpectedIncident, Move, Since, Told
from tipstaff.words import Answer, Proof, ReadingReason, ReportOutcome, Role

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "192.0.2.7"


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", ADDRESS + "/32")
    return made


def told(outcome: ReportOutcome, *, measure: str | None = None, clause: str) -> Told:
    incident = ExpectedIncident(
        type="messaging/spam", source=ADDRESS, outcome=outcome, customer="acct-1", clause=clause
    )  # fmt: skip
    fixes = Move(who=Role.CUSTOMER, does=Answer.FIXED, after=timedelta(hours=1), since=Since.MEASURE_IN_FORCE)
    return Told(
        id="spam", title="Spam", at=timedelta(), raw=spam_report(ADDRESS, at=NOON, by=reporter(), happened=NOON),
        expected=Expected(report_outcome=outcome, incidents=(incident,), measure=measure),
        sender=reporter().address, recipient="abuse@operator.example.net", moves=(fixes,),
    )  # fmt: skip


def mails_of(office: Office) -> list[Mail]:
    """What the mail server would hold of the letters that were handed over."""
    return [Mail("", (x.to,), f"Message-ID: {x.message_id}\r\n\r\n{x.body}".encode()) for x in office.letters]


def lived_through(office: Office) -> tuple[Played, list[Mail]]:
    """One complaint up to its closed case, a measure between; and how its story tells it."""
    case = office.measured(ADDRESS, at=NOON)
    at = NOON + 2 * DAY
    office.answer(case, Answer.FIXED, at=at)
    office.enforce(at=at)
    office.post(at=at)
    [report] = reports_of_case(case.key)
    story = told(ReportOutcome.MEASURE_TAKEN, measure=f"tcp/25 from {ADDRESS}", clause=case.clause)
    return Played(told=story, report=report.key), mails_of(office)


def wrong(played: Played, mails: list[Mail], *, proof: Proof = Proof.STATE) -> list[str]:
    played.wrong.clear()
    compare({"spam": played}, mails=mails, proof=proof)
    return played.wrong


def test_a_day_as_told_has_nothing_wrong(office: Office) -> None:
    played, mails = lived_through(office)
    assert wrong(played, mails) == []
    assert sorted(played.letters) == [
        "acknowledgement", "case_closed", "measure_lifted", "measure_taken", "notice", "outcome",
    ]  # fmt: skip


def test_a_letter_that_is_lost_or_doubled_or_goes_astray_is_seen(office: Office) -> None:
    played, mails = lived_through(office)
    assert "arrived 0 times" in " ".join(wrong(played, mails[1:]))
    assert "arrived 2 times" in " ".join(wrong(played, [*mails, mails[0]]))
    astray = replace(mails[0], recipients=("somebody@else.example",))
    assert "went to somebody@else.example" in " ".join(wrong(played, [astray, *mails[1:]]))


def test_a_letter_too_few_or_too_many_is_seen(office: Office) -> None:
    played, mails = lived_through(office)
    LetterRow.objects.filter(kind="measure_lifted").update(kind="reminder")
    assert "letters to the customer" in " ".join(wrong(played, mails))
    LetterRow.objects.filter(kind="acknowledgement").delete()
    assert "answer to the complainant" in " ".join(wrong(played, mails))


@pytest.mark.parametrize("measure", [None, f"tcp/80 from {ADDRESS}"])
def test_a_measure_that_was_not_declared_is_seen(office: Office, measure: str | None) -> None:
    played, mails = lived_through(office)
    played.told = replace(played.told, expected=replace(played.told.expected, measure=measure))
    assert "the measures of" in " ".join(wrong(played, mails))


def test_where_packets_pass_a_measure_that_was_only_read_back_is_seen(office: Office) -> None:
    played, mails = lived_through(office)
    said = " ".join(wrong(played, mails, proof=Proof.PROBE))
    assert "was proven in force and lifted by STATE and STATE, not by PROBE" in said


def test_a_complaint_that_was_understood_for_another_reason_is_seen(office: Office) -> None:
    played, mails = lived_through(office)
    report = get_report(played.report)
    assert report is not None
    assert report.reading is not None
    assert report.reading.reason is ReadingReason.UNDERSTOOD
    odd = replace(report, reading=replace(report.reading, reason=ReadingReason.NO_SOURCE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tipstaff.testing.compared.get_report", lambda key: odd)
        assert "reason is NO_SOURCE, not UNDERSTOOD" in " ".join(wrong(played, mails))


def test_a_measure_that_stays_is_seen(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [report] = reports_of_case(case.key)
    story = told(ReportOutcome.FORWARDED, measure=f"tcp/25 from {ADDRESS}", clause=case.clause)
    assert "lifted once" in " ".join(wrong(Played(told=story, report=report.key), mails_of(office)))
