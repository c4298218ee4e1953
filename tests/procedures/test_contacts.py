"""A notice that comes back goes to the next contact; who answers counts as verified."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.procedures.office import DAY, NOON, Office
from tipstaff.notices.operations import claim_letter, mark_failed
from tipstaff.notices.queries import get_letter
from tipstaff.notices.returned import read_returned
from tipstaff.procedures.posting import write_to_next_contact
from tipstaff.procedures.returned import take_back
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Answer, CaseState, Letter, LetterKind, Representative

ADDRESS = "198.51.100.7"
FIRST, SECOND = "gone@customer.example.com", "owner@customer.example.com"
LATER = NOON + timedelta(minutes=5)


def chain(*emails: str) -> None:
    people = [Representative(name=email, email=email) for email in emails]
    registry.designate("acct-1", people, at=NOON, actor="lena")


def come_back(reply: str) -> Letter:
    """The mail server refuses the letter that is due, for good."""
    letter = claim_letter(at=LATER, worker="worker-1", domain="operator.example.net")
    assert letter is not None
    assert letter.kind is LetterKind.NOTICE
    mark_failed(letter.key, at=LATER, reply=reply, permanent=True, worker="worker-1")
    refused = get_letter(letter.key)
    assert refused is not None
    return refused


@pytest.mark.parametrize(
    "reply", ["550 5.1.1 no such user", "550 No such user here", "553 unknown", "550 5.2.1 closed"]
)
def test_the_next_contact_is_written_to_when_a_notice_comes_back(office: Office, reply: str) -> None:
    office.admit("acct-1", ADDRESS)
    chain(FIRST, SECOND)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    assert case.state is CaseState.OPENED
    key = write_to_next_contact(come_back(reply), desk=office.desk, at=LATER)
    assert key is not None
    office.post(at=LATER)
    [notice] = office.letters_to(SECOND)
    assert (notice.key, notice.to) == (key, SECOND)
    assert representatives_of("acct-1")[0].bounced_at == LATER
    [found] = office.cases()
    assert found.state is CaseState.NOTIFIED
    assert found.due_at is not None
    assert found.due_at > LATER, "the clock runs from the letter that arrived"


@pytest.mark.parametrize(
    "reply", ["554 5.7.1 looks like spam", "550 5.7.1 refused by policy", "552 5.2.2 mailbox full"]
)
def test_a_reply_about_the_letter_says_nothing_about_the_contact(office: Office, reply: str) -> None:
    office.admit("acct-1", ADDRESS)
    chain(FIRST, SECOND)
    office.complain(ADDRESS, at=NOON)
    assert write_to_next_contact(come_back(reply), desk=office.desk, at=LATER) is None
    assert representatives_of("acct-1")[0].bounced_at is None


def test_without_another_contact_a_person_sees_it_and_no_clock_runs(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    chain(FIRST)
    office.complain(ADDRESS, at=NOON)
    assert write_to_next_contact(come_back("550 5.1.1 no such user"), desk=office.desk, at=LATER) is None
    found = get_customer("acct-1")
    assert found is not None
    assert found.representative is None
    [case] = office.cases()
    assert (case.state, case.due_at) == (CaseState.OPENED, None)


def test_who_answers_is_verified(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    office.post(at=NOON)
    office.answer(case, Answer.NEED_TIME, at=LATER)
    assert representatives_of("acct-1")[0].verified_at == LATER


def delivery_report(letter: Letter, *, recipient: str = "", status: str = "5.1.1", message_id: str = "") -> bytes:
    """What a mail system of the customer writes when the mailbox is gone (RFC 3464)."""
    return f"""\
From: MAILER-DAEMON@mx.customer.example.com
To: abuse@operator.example.net
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="part"

--part
Content-Type: text/plain

I could not deliver it.

--part
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.example.com

Final-Recipient: rfc822; {recipient or letter.to.upper()}
Action: failed
Status: {status}

--part
Content-Type: text/rfc822-headers

From: abuse@operator.example.net
Message-ID: {message_id or letter.message_id}
Subject: A notice

--part--
""".encode()


def told_notice(office: Office) -> Letter:
    office.admit("acct-1", ADDRESS)
    chain(FIRST, SECOND)
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    [notice] = office.letters_to(FIRST)
    return notice


def test_a_letter_that_comes_back_later_goes_to_the_next_contact_with_time_of_its_own(office: Office) -> None:
    notice = told_notice(office)
    back = office.take_in(delivery_report(notice), at=LATER, sender="")
    key = take_back(back.key, desk=office.desk, at=LATER)
    assert take_back(back.key, desk=office.desk, at=LATER) is None, "once"
    office.post(at=LATER)
    [again] = office.letters_to(SECOND)
    assert again.key == key
    assert representatives_of("acct-1")[0].bounced_at == LATER
    [case] = office.cases()
    # The old deadline passes, but nothing is measured that the second letter has not given time for.
    office.deadlines(at=NOON + DAY + timedelta(minutes=1))
    assert office.measures(case) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"message_id": "<L-000001.000000000000@operator.example.net>"},
        {"message_id": "<nobody@example.net>"},
        {"recipient": "somebody-else@example.net"},
        {"status": "4.2.2"},
        {"status": "5.7.1"},
    ],
)
def test_a_forged_or_passing_report_changes_nothing(office: Office, wrong: dict[str, str]) -> None:
    notice = told_notice(office)
    back = office.take_in(delivery_report(notice, **wrong), at=LATER, sender="")
    assert take_back(back.key, desk=office.desk, at=LATER) is None
    assert representatives_of("acct-1")[0].bounced_at is None


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_of_returned_letters_fail(raw: bytes) -> None:
    head = b"Content-Type: multipart/report; boundary=p\n\n--p\nContent-Type: message/delivery-status\n\n"
    for whole in (raw, head + raw, head + b"Action: failed\nStatus: 5.1.1\nFinal-Recipient: " + raw):
        read_returned(whole)
