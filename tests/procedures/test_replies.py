"""Whoever answers a letter of ours by mail is read by a person: no clock acts, and nobody accuses themselves."""

import dataclasses
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.replies import read_answered
from tipstaff.procedures import casework, complaint, posting
from tipstaff.procedures.casework import NothingToPlan, NothingWasSaid
from tipstaff.testing.story.mail import rfc5322
from tipstaff.web.console.reads import case_page
from tipstaff.words import (
    Answer,
    CaseOutcome,
    CaseState,
    Letter,
    LetterKind,
    MeasureState,
    ReadingReason,
    ReportOutcome,
)

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture(autouse=True)
def _customer(office: Office) -> None:
    office.admit("acct-1", ADDRESS)


def answer_to(
    letter: Letter,
    words: str,
    *,
    at: datetime,
    sender: str = "",
    threaded: bool = True,
    quoting: bool = False,
    headers: dict[str, str] | None = None,
) -> bytes:
    """What a mail program makes of "Reply"; without `threaded` it keeps the subject only."""
    mail = EmailMessage()
    mail["From"] = f"Somebody <{sender or letter.to}>"
    mail["To"] = "abuse@operator.example.net"
    mail["Date"] = rfc5322(at)
    mail["Subject"] = f"Re: {letter.subject}"
    mail["Message-ID"] = f"<{abs(hash(words)) % 10**8}.{at.timestamp()}@customer.example.com>"
    if threaded:
        mail["In-Reply-To"] = mail["References"] = letter.message_id
    for name, value in (headers or {}).items():
        mail[name] = value
    quoted = "".join(f"> {line}\n" for line in letter.body.splitlines()) if quoting else ""
    mail.set_content(f"{words}\n\n{quoted}")
    return mail.as_bytes()


def the_notice(office: Office) -> Letter:
    [notice] = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    return notice


@pytest.mark.parametrize("quoting", [False, True])
@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("words", ["It is fixed: we changed the password.", "Which machine do you mean?", "ok"])
def test_a_customer_who_answers_by_mail_is_read_before_any_clock_acts(
    office: Office, words: str, threaded: bool, quoting: bool
) -> None:
    case = office.warned(ADDRESS, at=NOON)
    raw = answer_to(the_notice(office), words, at=NOON + HOUR, threaded=threaded, quoting=quoting)
    report = office.take_in(raw, at=NOON + HOUR, sender=CUSTOMER)
    assert (report.outcome, report.reading and report.reading.reason) == (
        ReportOutcome.WITH_A_PERSON, ReadingReason.REPLY,
    )  # fmt: skip
    assert report.incidents == ()
    waiting = office.fresh(case.key)
    assert (waiting.state, waiting.reports) == (CaseState.WAITING_PERSON, 1)
    office.post(at=NOON + HOUR)
    office.deadlines(at=NOON + 60 * DAY)
    office.enforce(at=NOON + 60 * DAY)
    assert office.measures(case) == []
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE], "no acknowledgement, as if they had complained"
    assert "letter.replied" in [e.what for e in entries_about(case.key)]


def test_a_stranger_who_names_a_case_stops_no_clock(office: Office) -> None:
    """Only a Message-ID that they have seen, or the address that was written to, speaks for whoever writes."""
    case = office.warned(ADDRESS, at=NOON)
    notice = the_notice(office)
    raw = answer_to(notice, "Leave them alone.", at=NOON + HOUR, sender="x@stranger.example.org", threaded=False)
    office.take_in(raw, at=NOON + HOUR, sender="x@stranger.example.org")
    assert office.fresh(case.key).state is CaseState.NOTIFIED
    guessed = f"<{notice.key}.{'0' * 16}@operator.example.net>"
    assert guessed != notice.message_id
    raw = raw.replace(b"MIME-Version", f"In-Reply-To: {guessed}\nMIME-Version".encode(), 1)
    office.take_in(raw, at=NOON + HOUR, sender="x@stranger.example.org")
    assert office.fresh(case.key).state is CaseState.NOTIFIED


def test_what_a_program_answers_is_no_answer(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    raw = answer_to(
        the_notice(office), "I am out of the office.", at=NOON + HOUR, headers={"Auto-Submitted": "auto-replied"}
    )
    assert office.take_in(raw, at=NOON + HOUR, sender=CUSTOMER).outcome is ReportOutcome.SET_ASIDE
    assert office.fresh(case.key).state is CaseState.NOTIFIED


def test_reading_an_answer_twice_changes_nothing(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    report = office.take_in(answer_to(the_notice(office), "Fixed.", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    before = [e.what for e in entries_about(case.key)]
    complaint.understand(report.key, desk=office.desk, at=NOON + 2 * HOUR)
    assert [e.what for e in entries_about(case.key)] == before


def test_a_measure_that_stands_stays_until_somebody_has_read_the_answer(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    raw = answer_to(the_notice(office), "Fixed now.", at=NOON + 10 * DAY)
    assert office.take_in(raw, at=NOON + 10 * DAY, sender=CUSTOMER).outcome is ReportOutcome.WITH_A_PERSON
    assert office.fresh(case.key).state is CaseState.MEASURE_IN_FORCE
    [measure] = office.measures(case)
    assert measure.state is MeasureState.IN_FORCE


def test_a_colleague_notes_what_was_answered_and_it_counts(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.take_in(answer_to(the_notice(office), "Fixed.", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    casework.note_answer(
        case.key, answer=Answer.FIXED, words="Fixed.", version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + 2 * HOUR, actor="ana",
    )  # fmt: skip
    office.follow(at=NOON + 2 * HOUR)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED
    [answered] = [e for e in entries_about(case.key) if e.what == "case.answered"]
    assert answered.actor == "customer (noted by ana)"


@pytest.mark.parametrize("threaded", [False, True])
def test_a_resellers_answer_about_its_customer_is_read_and_ends_the_case(office: Office, threaded: bool) -> None:
    inside, theirs = "198.51.100.21", "acct-9@customer.example.com"
    office.admit("acct-9", "198.51.100.16/28", is_reseller=True)
    office.admit("acct-10", f"{inside}/32", reseller="acct-9")
    case = office.warned(inside, at=NOON)
    [notice] = office.letters_to(theirs)
    words = "That is our customer acct-10; their server was cleaned this morning."
    raw = answer_to(notice, words, at=NOON + HOUR, threaded=threaded, quoting=True)
    # Their customer, who got no letter of ours, cannot speak for them.
    stranger = answer_to(notice, "All lies.", at=NOON + HOUR, sender="acct-10@customer.example.com", threaded=False)
    office.take_in(stranger, at=NOON + HOUR, sender="acct-10@customer.example.com")
    assert office.fresh(case.key).state is CaseState.NOTIFIED
    report = office.take_in(raw, at=NOON + HOUR, sender=theirs)
    assert report.reading is not None
    assert (report.reading.reason, report.incidents) == (ReadingReason.REPLY, ())
    assert (office.fresh(case.key).customer, office.fresh(case.key).state) == ("acct-9", CaseState.WAITING_PERSON)
    casework.note_answer(
        case.key, answer=Answer.FIXED, words=words, version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + 2 * HOUR, actor="ana",
    )  # fmt: skip
    office.follow(at=NOON + 60 * DAY)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED
    assert office.letters_to("acct-10@customer.example.com") == []
    assert office.measures(case) == []


def test_they_are_answered_and_have_their_time_again(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    notice = the_notice(office)
    office.take_in(answer_to(notice, "Which machine?", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    casework.answer_back(
        case.key, why="The one behind port 25.", version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + DAY, actor="ana",
    )  # fmt: skip
    office.post(at=NOON + DAY)
    assert office.fresh(case.key).due_at == NOON + DAY + case.answer_within
    [reminder] = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.REMINDER]
    assert "The one behind port 25." in reminder.body
    assert "have not heard from you" not in reminder.body


def test_nobody_is_answered_who_did_not_write(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    with pytest.raises(NothingWasSaid):
        casework.answer_back(
            case.key, why="So.", version=office.fresh(case.key).version, desk=office.desk, at=NOON, actor="ana"
        )


def test_a_complainant_who_sends_what_was_asked_for_is_read(office: Office) -> None:
    """They were asked to reply to the letter: what they send is never set aside in silence."""
    office.admit("acct-2", representative=True)
    report = office.complain(ADDRESS, at=NOON, happened=NOON + DAY)
    office.post(at=NOON)
    [asked] = [letter for letter in office.letters if letter.kind is LetterKind.NEEDS_DETAIL]
    raw = answer_to(asked, "The source port was 2000, at 2026-05-04 11:00:00 UTC.", at=NOON + HOUR)
    reply = office.take_in(raw, at=NOON + HOUR, sender=asked.to)
    assert reply.outcome is ReportOutcome.WITH_A_PERSON
    assert reply.reading is not None
    assert report.key in reply.reading.detail
    assert reply.key in [key for e in entries_about(report.key) for key in e.about]


def test_whoever_goes_ahead_where_nothing_can_be_done_is_told_so(office: Office) -> None:
    """No device holds what would suffice: the case waits on, and nobody is told that it goes ahead."""
    case = office.warned(ADDRESS, at=NOON)
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: ())
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    waiting = office.fresh(case.key)
    assert waiting.state is CaseState.WAITING_PERSON
    with pytest.raises(NothingToPlan):
        casework.decide_waiting(
            case.key, go_ahead=True, why="They know.", version=waiting.version, desk=office.desk, at=case.due_at,
            actor="ana",
        )  # fmt: skip
    assert office.fresh(case.key) == waiting


def test_the_reason_for_going_ahead_stands_in_the_record(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.take_in(answer_to(the_notice(office), "No.", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    later = NOON + 10 * DAY
    casework.decide_waiting(
        case.key, go_ahead=True, why="A refusal is no answer.", version=office.fresh(case.key).version,
        desk=office.desk, at=later, actor="ana",
    )  # fmt: skip
    [decided] = [e for e in entries_about(case.key) if e.what == "case.decided"]
    assert (decided.actor, decided.detail["why"]) == ("ana", "A refusal is no answer.")
    assert [m.key for m in office.measures(case)] == [key for key in decided.about if key.startswith("M-")]


def answered_back(office: Office, key: str, *, at: datetime) -> None:
    casework.answer_back(
        key, why="Port 25.", version=office.fresh(key).version, desk=office.desk, at=at, actor="ana"
    )  # fmt: skip


def test_a_second_answer_does_not_let_the_time_run_from_the_first_ones_letter(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.take_in(answer_to(the_notice(office), "Which?", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    answered_back(office, case.key, at=NOON + 2 * HOUR)
    office.post(at=NOON + 2 * HOUR)
    office.take_in(answer_to(the_notice(office), "Sure?", at=NOON + 3 * HOUR), at=NOON + 3 * HOUR, sender=CUSTOMER)
    answered_back(office, case.key, at=NOON + 20 * HOUR)
    posting.start_clocks(desk=office.desk)
    assert (office.fresh(case.key).state, office.fresh(case.key).due_at) == (CaseState.NOTIFIED, None)
    office.deadlines(at=NOON + 5 * DAY)
    assert office.measures(case) == [], "the letter with the new time has not arrived"
    office.post(at=NOON + 5 * DAY)
    assert office.fresh(case.key).due_at == NOON + 5 * DAY + case.answer_within


def test_nobody_goes_ahead_before_the_end_of_a_time_that_was_promised(office: Office) -> None:
    """More time was given, then they wrote: that their clock stands still takes nothing from what was promised."""
    case = office.warned(ADDRESS, at=NOON)
    promised = office.answer(case, Answer.NEED_TIME, at=NOON + HOUR, words="").due_at
    assert promised == NOON + 2 * case.answer_within
    office.take_in(answer_to(the_notice(office), "Soon.", at=NOON + HOUR), at=NOON + HOUR, sender=CUSTOMER)
    waiting = office.fresh(case.key)
    assert (waiting.state, waiting.due_at) == (CaseState.WAITING_PERSON, None)

    def go_ahead(*, at: datetime) -> None:
        casework.decide_waiting(
            case.key, go_ahead=True, why="Go.", version=office.fresh(case.key).version, desk=office.desk, at=at,
            actor="ana",
        )  # fmt: skip

    with pytest.raises(NothingToPlan):
        go_ahead(at=promised - timedelta(seconds=1))
    assert (office.measures(case), office.fresh(case.key)) == ([], waiting)
    go_ahead(at=promised)
    assert len(office.measures(case)) == 1


def test_a_complainants_reply_is_not_the_customers(office: Office) -> None:
    """Nobody answers the customer, or ends their time, over what somebody else wrote."""
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    case = office.case_of(report)
    [thanks] = [letter for letter in office.letters if letter.report == report.key]
    assert thanks.case == case.key, "it is about the case, and to its complainant"
    office.take_in(answer_to(thanks, "Hurry.", at=NOON + HOUR), at=NOON + HOUR, sender=thanks.to)
    [replied] = [e for e in entries_about(case.key) if e.what == "letter.replied"]
    assert replied.detail["by"] == "complainant"
    assert office.fresh(case.key).state is CaseState.NOTIFIED
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: ())
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON, "for another reason"
    page = case_page(case.key, at=case.due_at)
    assert page is not None
    assert not page.has_written
    with pytest.raises(NothingWasSaid):
        answered_back(office, case.key, at=case.due_at)


def test_headers_that_mean_nothing_name_nothing() -> None:
    raw = (
        b"In-Reply-To: =?x?q?\xff?=\r\nReferences: <a@b> <" + b"x" * 9000 + b">\r\nSubject: =?utf-8?b?!!?= C-1\r\n\r\n"
    )
    answered = read_answered(raw)
    assert answered.message_ids == ("<a@b>",)
    assert answered.keys == ()
    assert answered.sender == ""
