"""A letter that comes back warned nobody; one that went to a staging address neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.notices.operations import claim_letter, mark_handing_over, mark_sent
from tipstaff.notices.queries import get_letter
from tipstaff.notices.returned import read_returned
from tipstaff.procedures import posting, returned
from tipstaff.procedures.letters import warned_by
from tipstaff.words import CaseState, Letter, LetterKind, LetterState

ADDRESS = "192.0.2.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office(transactional_db: None) -> Office:
    made = Office()
    made.admit("acct-1", ADDRESS + "/32")
    return made


def report_of(letter: Letter, *, action: str = "failed", status: str = "5.1.1", message_id: str = "") -> bytes:
    """A delivery report after RFC 3464, as a mail system writes it."""
    return f"""From: MAILER-DAEMON@mail.customer.example.com
To: abuse@operator.example.net
Subject: Undelivered Mail Returned to Sender
Message-ID: <{action}{status}@mail.customer.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver your mail.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.customer.example.com

Final-Recipient: rfc822; {letter.to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} No such user here

--b
Content-Type: text/rfc822-headers

From: abuse@operator.example.net
To: {letter.to}
Message-ID: {message_id or letter.message_id}

--b--
""".replace("\n", "\r\n").encode()


def notice_of(office: Office) -> Letter:
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    return next(letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE)


def test_a_notice_that_came_back_is_no_warning_and_its_case_waits_for_a_person(office: Office) -> None:
    letter = notice_of(office)
    [case] = office.cases()
    assert warned_by(case.key) == letter.key
    came = office.take_in(report_of(letter), at=NOON + HOUR, sender="")
    returned.take_back(came.key, desk=office.desk, at=NOON + HOUR)
    found = get_letter(letter.key)
    assert found is not None
    assert found.state is LetterState.RETURNED
    assert "came back" in found.detail
    assert warned_by(case.key) is None
    waiting = office.fresh(case.key)
    assert waiting.state is CaseState.WAITING_PERSON
    assert case.due_at is not None
    office.deadlines(at=case.due_at + HOUR)
    assert office.measures(case) == []


@pytest.mark.parametrize(
    "changes",
    [{"action": "delayed"}, {"status": "4.2.2"}, {"message_id": "<L-000001.000000000000@operator.example.net>"}],
)
def test_what_only_waits_or_names_no_letter_of_ours_changes_nothing(office: Office, changes: dict[str, str]) -> None:
    letter = notice_of(office)
    came = office.take_in(report_of(letter, **changes), at=NOON + HOUR, sender="")
    returned.take_back(came.key, desk=office.desk, at=NOON + HOUR)
    found = get_letter(letter.key)
    assert found is not None
    assert found.state is LetterState.SENT
    assert office.cases()[0].state is CaseState.NOTIFIED


def test_a_letter_to_a_staging_address_starts_no_clock(office: Office) -> None:
    office.complain(ADDRESS, at=NOON)
    while (letter := claim_letter(at=NOON, worker="w", domain="operator.example.net")) is not None:
        mark_handing_over(letter.key, at=NOON, worker="w")
        mark_sent(
            letter.key, at=NOON, reply="250", worker="w", on_sent=office.start_clock_of, diverted=True
        )  # fmt: skip
    posting.start_clocks(desk=office.desk)
    [case] = office.cases()
    assert (case.state, case.due_at, warned_by(case.key)) == (CaseState.OPENED, None, None)


@given(st.binary(max_size=2000), st.integers(0, 1200))
def test_no_mail_breaks_the_reader_of_delivery_reports(noise: bytes, at: int) -> None:
    letter = Letter(
        key="L-1", kind=LetterKind.NOTICE, to="x@y.example", subject="", body="", state=LetterState.SENT, case=None,
        report=None, created_at=NOON, sent_at=None, message_id="<L-1@y.example>", language="en",
    )  # fmt: skip
    raw = report_of(letter)
    read_returned(noise)
    read_returned(raw[:at] + noise + raw[at:])
