"""A measure ended by its own time, the case has not: somebody looks, and a letter comes before another measure."""

import pytest

from tests.procedures.office import HOUR, NOON, Office, reporter
from tipstaff.cases.operations import move_case
from tipstaff.enforcement.operations import expire
from tipstaff.procedures import casework, suspension
from tipstaff.words import Case, CaseState, LetterKind, Measure, MeasureState

ADDRESS, OTHER = "198.51.100.7", "198.51.100.8"
CUSTOMER = "acct-9@customer.example.com"


@pytest.fixture
def office(db: None) -> Office:
    made = Office()
    made.admit("acct-9", ADDRESS, OTHER)
    return made


def lapse(office: Office, case: Case) -> Measure:
    """The first measure of the case ends by its own time, and the customer is told."""
    first = office.measures(case)[0]
    assert first.until is not None
    expire(at=first.until)
    office.enforce(at=first.until)
    office.follow(at=first.until)
    office.post(at=first.until)
    return office.measures(case)[0]


def notices(office: Office) -> list[str]:
    return [letter.key for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]


def test_a_person_is_asked_when_one_measure_lapses_and_another_stands(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [first] = office.measures(case)
    assert first.until is not None
    later = NOON + 48 * HOUR
    office.complain(OTHER, at=later, by=reporter(2))
    office.post(at=later)
    for hours in (25, 26):
        office.deadlines(at=later + hours * HOUR)
        office.enforce(at=later + hours * HOUR)
        office.follow(at=later + hours * HOUR)
    assert [m.state for m in office.measures(case)] == [MeasureState.IN_FORCE] * 2
    lapsed = lapse(office, case)
    assert [m.state for m in office.measures(case)] == [MeasureState.LIFTED, MeasureState.IN_FORCE]
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON

    # It goes on: while a person is awaited nothing is told, and what they decide begins with a letter.
    at = first.until + 6 * HOUR
    office.complain(ADDRESS, at=at, by=reporter(3))
    told = notices(office)
    waiting = office.fresh(case.key)
    moved = casework.decide_waiting(
        case.key, go_ahead=True, why="It goes on.", version=waiting.version, desk=office.desk, at=at, actor="anna"
    )
    assert (moved.state, moved.due_at) == (CaseState.NOTIFIED, None), "their time begins with the letter"
    office.post(at=at)
    assert len(notices(office)) == len(told) + 1
    due = office.fresh(case.key).due_at
    assert due is not None
    assert due > at
    assert [m.selector for m in office.measures(case)] == [lapsed.selector, office.measures(case)[1].selector]

    office.deadlines(at=due)
    overdue = office.fresh(case.key)
    assert overdue.state is CaseState.WAITING_PERSON, "the clock brings back nothing that has ended"
    casework.decide_waiting(
        case.key, go_ahead=True, why="Still so.", version=overdue.version, desk=office.desk, at=due, actor="anna"
    )
    again = office.measures(case)[-1]
    assert (again.selector, again.notice) == (lapsed.selector, notices(office)[-1])
    office.enforce(at=due)
    office.follow(at=due + HOUR)
    assert office.fresh(case.key).state is CaseState.MEASURE_IN_FORCE, "a person was asked of the one that lapsed"


def test_a_report_after_a_lapse_is_told_anew(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    first = lapse(office, case)
    assert first.until is not None
    for state in (CaseState.MEASURE_PLANNED, CaseState.MEASURE_IN_FORCE):  # Somebody took another measure meanwhile.
        move_case(case.key, to=state, at=first.until, actor="anna", why="Another one.")
    before = notices(office)
    office.complain(ADDRESS, at=first.until + HOUR, by=reporter(3))
    office.post(at=first.until + HOUR)
    assert len(notices(office)) == len(before) + 1
    office.complain(ADDRESS, at=first.until + 2 * HOUR, by=reporter(4))
    office.post(at=first.until + 2 * HOUR)
    assert len(notices(office)) == len(before) + 1, "once"


def test_the_letter_of_a_lapse_says_that_the_case_is_open_and_the_old_notice_is_spent(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    lapsed = lapse(office, case)
    assert lapsed.until is not None
    letter = office.letters_to(CUSTOMER)[-1]
    assert letter.kind is LetterKind.MEASURE_LIFTED
    said = " ".join(letter.body.split())
    assert "nothing more that you need to do" not in said
    assert "The case is still open" in said
    assert suspension.plan_for(case.key, desk=office.desk, at=lapsed.until + HOUR, actor="anna") == []
