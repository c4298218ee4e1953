"""An address is passed on so that two can settle a matter; never who a customer is, and never in a sealed matter."""

import pytest

from tests.procedures.office import NOON, Office, reporter
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.complaint import correct_reading
from tipstaff.procedures.in_touch import NotToBePassedOn, put_in_touch
from tipstaff.procedures.refusals import NoSuchReport, NotYourDecision
from tipstaff.words import Allegation, LetterKind, Report, Role

ADDRESS = "198.51.100.7"
DESK, PERSON = "abuse@customer.example.com", "maja@customer.example.com"


@pytest.fixture
def report(office: Office) -> Report:
    office.admit("acct-1", ADDRESS)
    office.roles = {"ana": frozenset({Role.ANALYST}), "erik": frozenset({Role.ENGINEER})}
    found = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    return found


def pass_on(office: Office, report: str, address: str, *, agreed: str = "", by: str = "ana") -> str:
    return put_in_touch(report, address=address, agreed=agreed, desk=office.desk, at=NOON, actor=by)


def test_a_desks_address_is_passed_on_and_nothing_else(office: Office, report: Report) -> None:
    key = pass_on(office, report.key, DESK)
    [letter] = office.post(at=NOON)
    assert (letter.key, letter.kind, letter.to) == (key, LetterKind.IN_TOUCH, reporter().address)
    assert DESK in letter.body
    for theirs in ("acct-1", "Placeholder", ADDRESS):
        assert theirs not in letter.subject + letter.body, "who the customer is stays unsaid"
    [entry] = [e for e in entries_about(report.key) if e.what == "contact.passed_on"]
    assert (entry.actor, entry.detail["address"], entry.detail["under"]) == ("ana", DESK, "way.share_contact")
    assert pass_on(office, report.key, DESK) == key
    assert office.post(at=NOON) == [], "it is told once"


def test_a_persons_address_is_passed_on_only_when_they_agreed(office: Office, report: Report) -> None:
    with pytest.raises(NotToBePassedOn, match="nobody is said to have agreed"):
        pass_on(office, report.key, PERSON)
    assert office.post(at=NOON) == []
    pass_on(office, report.key, PERSON, agreed="Her letter of 2 May.")
    [letter] = office.post(at=NOON)
    assert PERSON in letter.body


def test_in_a_sealed_matter_nobody_is_put_in_touch(office: Office, report: Report) -> None:
    sealed = (Allegation(type="content/csam", domain="www.example.org"),)
    correct_reading(report.key, allegations=sealed, desk=office.desk, at=NOON, actor="ana")
    with pytest.raises(NotToBePassedOn, match="sealed"):
        pass_on(office, report.key, DESK)


def test_it_takes_an_analyst_a_case_and_an_address(office: Office, report: Report) -> None:
    with pytest.raises(NotYourDecision):
        pass_on(office, report.key, DESK, by="erik")
    with pytest.raises(NoSuchReport):
        pass_on(office, "R-999999", DESK)
    for no_address in ("abuse", "abuse@", "abuse@a@b.example", "abuse@b.example\r\nBcc: x@example.org"):
        with pytest.raises(NotToBePassedOn):
            pass_on(office, report.key, no_address, agreed="Yes.")
    nobodys = office.complain("203.0.113.9", at=NOON)
    with pytest.raises(NotToBePassedOn, match="no case"):
        pass_on(office, nobodys.key, DESK)
