"""A notice that comes back goes to the next contact; who answers counts as verified."""

from datetime import timedelta

import pytest

from tests.procedures.office import NOON, Office
from tipstaff.notices.operations import claim_letter, mark_failed
from tipstaff.notices.queries import get_letter
from tipstaff.procedures.posting import write_to_next_contact
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
