"""A measure that came before its warning ends by itself, unless a person has reviewed it; then there is no gap."""

from datetime import timedelta

import pytest

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.enforcement.operations import NotStanding
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.remedies import MEASURE_LASTS, URGENT_MEASURE_LASTS
from tipstaff.procedures.casework import (
    NothingToPlan,
    OwnDecision,
    prolong_measure,
    propose_urgent,
    second_urgent,
)
from tipstaff.procedures.suspension import NotYourDecision
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_of
from tipstaff.words import Answer, Case, CaseState, Ground, LetterKind, Measure, MeasureState, Role, Seen

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"
END = NOON + URGENT_MEASURE_LASTS
REVIEWED = END - HOUR
SECOND = timedelta(seconds=1)


def urgent(office: Office) -> tuple[Case, Measure]:
    """A measure in force since noon, with its letter."""
    office.admit("acct-1", ADDRESS)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    propose_urgent(case.key, ground=Ground.NETWORK_HARM, shown_by="Flow export 17", at=NOON, actor="ana")
    second_urgent(case.key, desk=office.desk, at=NOON, actor="lena")
    office.post(at=NOON)
    office.enforce(at=NOON)
    [measure] = office.measures(case)
    assert (measure.state, measure.until) == (MeasureState.IN_FORCE, END)
    return case, measure


def test_a_measure_that_nobody_reviews_ends_by_itself_and_its_case_waits_for_a_person(office: Office) -> None:
    case, measure = urgent(office)
    office.enforce(at=END - SECOND)
    assert office.twin.rules() != []
    office.enforce(at=END)
    assert office.twin.rules() == []
    [measure] = office.measures(case)
    assert measure.state is MeasureState.LIFTED
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    with pytest.raises(NotStanding):
        prolong_measure(measure.key, why="Too late.", desk=office.desk, at=END, actor="eva")


def test_a_reviewed_measure_goes_on_and_the_device_never_lets_go_of_it(office: Office) -> None:
    case, measure = urgent(office)
    office.enforce(at=REVIEWED)
    until = prolong_measure(measure.key, why="The flood goes on.", desk=office.desk, at=REVIEWED, actor="eva")
    assert until == REVIEWED + MEASURE_LASTS, "the customer was written to: as long as any other"
    generation = measure.generation
    done = office.enforce(at=REVIEWED + SECOND)
    alone = office.twin.observe(at=until - SECOND).rules
    assert alone == ((measure.key, Seen.IN_FORCE),), "the device was told the new end, and holds it without us too"
    for moment in (END - SECOND, END, END + HOUR, until - SECOND):
        office.enforce(at=moment)
        assert office.twin.rules() != [], moment
    [fresh] = office.measures(case)
    assert (fresh.key, fresh.state, fresh.urgency) == (measure.key, MeasureState.IN_FORCE, measure.urgency)
    assert fresh.generation > generation
    assert done is not None
    assert "measure.lifting" not in [e.what for e in entries_about(measure.key)]
    [entry] = [e for e in entries_about(measure.key) if e.what == "measure.prolonged"]
    assert (entry.actor, entry.detail["why"]) == ("eva", "The flood goes on.")
    office.enforce(at=until)
    assert office.twin.rules() == [], "nor does it go on for ever"


def test_the_customer_is_told_that_it_goes_on_why_and_until_when(office: Office) -> None:
    _, measure = urgent(office)
    office.post(at=NOON)
    before = office.kinds_to(CUSTOMER).count(LetterKind.MEASURE_TAKEN)
    prolong_measure(measure.key, why="The flood goes on.", desk=office.desk, at=REVIEWED, actor="eva")
    office.post(at=REVIEWED)
    assert office.kinds_to(CUSTOMER).count(LetterKind.MEASURE_TAKEN) == before + 1
    letter = office.letters_to(CUSTOMER)[-1]
    assert "The flood goes on." in letter.body
    assert "12 May 2026" in letter.body


def test_whoever_proposed_it_does_not_review_it_nor_does_somebody_without_the_role(office: Office) -> None:
    _, measure = urgent(office)
    with pytest.raises(OwnDecision):
        prolong_measure(measure.key, why="Mine.", desk=office.desk, at=REVIEWED, actor="ana")
    office.roles["ole"] = frozenset({Role.ENGINEER})
    with pytest.raises(NotYourDecision):
        prolong_measure(measure.key, why="No role.", desk=office.desk, at=REVIEWED, actor="ole")


def test_nothing_goes_on_against_who_fixed_it_or_holds_the_address_no_more(office: Office) -> None:
    case, measure = urgent(office)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    with pytest.raises(NotStanding):
        prolong_measure(measure.key, why="Still.", desk=office.desk, at=NOON + HOUR, actor="eva")


def test_nothing_goes_on_against_an_address_that_changed_hands(office: Office) -> None:
    _, measure = urgent(office)
    holding = next(h for h in holdings_of("acct-1", at=NOON) if str(h.prefix).startswith(ADDRESS))
    end_holding(holding.key, held_until=NOON + HOUR, at=NOON + HOUR, actor="import")
    with pytest.raises(NothingToPlan):
        prolong_measure(measure.key, why="Still.", desk=office.desk, at=NOON + 2 * HOUR, actor="eva")
