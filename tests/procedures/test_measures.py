"""Warned first, the narrowest that suffices, given back when it is set right, and never brought back by a late plan."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office, reporter
from tipstaff.cases.operations import SecondMustBeAnother
from tipstaff.enforcement import operations
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.operations import NoNotice, PlanOutdated
from tipstaff.enforcement.planner import Ability, steps
from tipstaff.enforcement.protocol import StalePlan
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.remedies import URGENT_MEASURE_LASTS
from tipstaff.procedures import casework
from tipstaff.procedures.casework import propose_urgent, second_urgent
from tipstaff.procedures.suspension import NotWarned, plan_for
from tipstaff.words import (
    Answer,
    CaseOutcome,
    CaseState,
    Degree,
    Ground,
    HoldingKind,
    LetterKind,
    MeasureState,
    Proof,
    ReportOutcome,
    Scope,
)

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture(autouse=True)
def _customer(office: Office) -> None:
    office.admit("acct-1", ADDRESS)


def test_no_measure_comes_before_its_notice_was_handed_over(office: Office) -> None:
    report = office.complain(ADDRESS, at=NOON)
    case = office.case_of(report)
    office.deadlines(at=NOON + 30 * DAY)
    assert office.fresh(case.key).state is CaseState.OPENED, "a letter that was not sent starts no clock"
    with pytest.raises(NotWarned):
        plan_for(case.key, desk=office.desk, at=NOON + 30 * DAY, actor="worker")
    assert office.measures(case) == []

    office.post(at=NOON + 30 * DAY)
    office.deadlines(at=NOON + 31 * DAY)
    [measure] = office.measures(case)
    [notice] = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    assert measure.notice == notice.key
    assert notice.sent_at is not None
    assert notice.sent_at + case.answer_within <= measure.planned_at


def test_the_database_refuses_a_measure_without_notice_or_ground(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    with pytest.raises(NoNotice):
        operations.plan_measure(
            case=case.key, customer=case.customer, candidates=measure.candidates,
            chosen=next(c for c in measure.candidates if c.chosen), until=NOON + DAY, lifted_when="Never.", notice=None,
            urgency=None, at=NOON, actor="worker",
        )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_measurerow SET notice = NULL WHERE key = %s", [measure.key])


def test_an_urgent_measure_takes_a_ground_two_people_and_a_letter_at_the_same_moment(office: Office) -> None:
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    propose_urgent(case.key, ground=Ground.NETWORK_HARM, shown_by="Flow export 17", at=NOON, actor="ana")
    with pytest.raises(SecondMustBeAnother):
        second_urgent(case.key, desk=office.desk, at=NOON, actor="ana")
    assert office.measures(case) == []
    [key] = second_urgent(case.key, desk=office.desk, at=NOON + HOUR, actor="lena")
    [measure] = office.measures(case)
    assert measure.key == key
    assert measure.urgency is not None
    assert (measure.urgency.ground, measure.urgency.shown_by) == (Ground.NETWORK_HARM, "Flow export 17")
    assert (measure.urgency.decided_by, measure.urgency.seconded_by) == ("ana", "lena")
    assert measure.until == NOON + HOUR + URGENT_MEASURE_LASTS
    office.post(at=NOON + HOUR)
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE]
    office.enforce(at=NOON + HOUR)
    assert office.twin.rules() != []
    office.enforce(at=NOON + HOUR + URGENT_MEASURE_LASTS)
    assert office.twin.rules() == [], "it ends by itself"


def test_the_narrowest_sufficient_measure_is_taken_and_the_rest_is_on_record_with_why(office: Office) -> None:
    office.hold("198.51.100.8", customer="acct-1")
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert (measure.selector.scope, measure.degree) == (Scope.FLOW, Degree.BLOCK)
    assert str(measure.selector) == f"tcp/25 from {ADDRESS}"
    wider = [c for c in measure.candidates if c.selector.scope > Scope.FLOW]
    assert wider
    assert not any(c.chosen for c in wider)
    assert all(c.why for c in measure.candidates)
    [planned] = [e for e in entries_about(measure.key) if e.what == "measure.planned"]
    assert len(planned.detail["rejected"]) == len(measure.candidates) - 1  # type: ignore[arg-type]  # a list


def test_what_was_taken_is_given_back_when_it_is_set_right_and_shown_to_be_gone(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    assert case.state is CaseState.MEASURE_IN_FORCE
    assert office.twin.rules() == [(office.measures(case)[0].key, f"tcp/25 from {ADDRESS}")]
    at = NOON + 2 * DAY
    assert office.answer(case, Answer.FIXED, at=at).state is CaseState.FIXED
    office.follow(at=at)
    assert office.fresh(case.key).state is CaseState.FIXED, "not closed before the device has shown it"
    office.enforce(at=at)
    assert office.twin.rules() == []
    closed = office.fresh(case.key)
    assert (closed.state, closed.outcome) == (CaseState.CLOSED, CaseOutcome.FIXED_AFTER_MEASURE)
    [measure] = office.measures(case)
    assert (measure.state, measure.lifted_at) == (MeasureState.LIFTED, at)
    office.post(at=at)
    assert office.kinds_to(CUSTOMER) == [
        LetterKind.NOTICE, LetterKind.MEASURE_TAKEN, LetterKind.MEASURE_LIFTED, LetterKind.CASE_CLOSED,
    ]  # fmt: skip
    assert office.kinds_to(reporter().address) == [LetterKind.ACKNOWLEDGEMENT, LetterKind.OUTCOME]


def test_fixed_before_the_deadline_means_no_measure_at_all(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    office.follow(at=NOON + HOUR)
    office.deadlines(at=NOON + 9 * DAY)
    closed = office.fresh(case.key)
    assert (closed.state, closed.outcome) == (CaseState.CLOSED, CaseOutcome.FIXED)
    assert office.measures(case) == []


def test_a_late_plan_cannot_bring_back_a_lifted_measure(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    at = NOON + 2 * DAY
    office.twin.forget()  # A reboot: the device holds nothing, so the plan has something to do.
    slow = office.fence(at=at)
    late = operations.next_plan(slow, at=at)
    todo = steps(late, office.twin.observe(at=at))
    assert [(step.verb, step.measure) for step in todo] == [("apply", office.measures(case)[0].key)]

    # While that enforcer thinks, the measure is lifted, and another one has seen to it.
    office.answer(case, Answer.FIXED, at=at)
    with pytest.raises(PlanOutdated):
        operations.record_intent(late, todo, fence=slow, at=at)
    operations.stop_writing(slow)
    office.enforce(at=at)
    assert office.fresh(case.key).state is CaseState.CLOSED

    with pytest.raises(operations.Fenced):
        operations.record_intent(late, todo, fence=slow, at=at)
    with pytest.raises(StalePlan):
        office.twin.carry_out(late, steps=todo, at=at)
    assert office.twin.rules() == []
    assert [m.state for m in office.measures(case)] == [MeasureState.LIFTED]
    office.enforce(at=at + HOUR)
    assert office.twin.rules() == []


def test_the_clock_does_not_bring_back_what_a_person_lifted(office: Office) -> None:
    """A and B are measured, a colleague lifts A, then C is reported and its time passes: C follows, A stays free."""
    first, second, third = ADDRESS, "198.51.100.8", "198.51.100.9"
    for address in (second, third):
        office.hold(address, customer="acct-1")
    office.complain(first, at=NOON)
    case = office.case_of(office.complain(second, at=NOON, by=reporter(2)))
    office.post(at=NOON)
    due = office.fresh(case.key).due_at
    assert due is not None
    office.deadlines(at=due)
    office.enforce(at=due)
    on = {str(m.selector.network): m.key for m in office.measures(case)}
    assert on.keys() == {f"{first}/32", f"{second}/32"}
    casework.lift_measure(on[f"{first}/32"], why="This one is clean.", desk=office.desk, at=due + HOUR, actor="lena")
    office.enforce(at=due + HOUR)

    office.complain(third, at=due + 2 * HOUR, by=reporter(3))
    office.post(at=due + 2 * HOUR)
    later = due + 2 * HOUR + case.answer_within
    office.deadlines(at=later)
    office.enforce(at=later)
    standing = [str(m.selector.network) for m in office.measures(case) if m.state is MeasureState.IN_FORCE]
    assert sorted(standing) == [f"{second}/32", f"{third}/32"]
    assert len(office.measures(case)) == 3


def test_an_answer_at_the_very_moment_of_the_deadline_counts(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has seen that the case is due; before it has the lock, the customer answers."""
    from tipstaff.procedures import suspension

    case = office.warned(ADDRESS, at=NOON)
    assert case.due_at is not None
    seen = suspension.list_due(case.due_at)
    assert seen == [case.key]
    monkeypatch.setattr(suspension, "list_due", lambda at: seen)
    office.answer(case, Answer.FIXED, at=case.due_at)
    office.deadlines(at=case.due_at)
    office.follow(at=case.due_at)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED
    assert office.measures(case) == []


def test_an_answer_after_the_deadline_still_lifts_what_was_planned(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    [planned] = office.measures(case)
    office.answer(case, Answer.FIXED, at=case.due_at + HOUR)
    office.enforce(at=case.due_at + HOUR)
    assert office.twin.rules() == []
    [measure] = office.measures(case)
    assert (measure.key, measure.state, measure.in_force_at) == (planned.key, MeasureState.LIFTED, None)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED


def test_deadlines_may_pass_any_number_of_times(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    for n in range(3):
        office.deadlines(at=NOON + 2 * DAY + n * HOUR)
        office.enforce(at=NOON + 2 * DAY + n * HOUR)
        office.post(at=NOON + 2 * DAY + n * HOUR)
    assert len(office.measures(case)) == 1
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE, LetterKind.MEASURE_TAKEN]


def test_a_measure_that_ended_by_itself_leaves_the_case_to_a_person(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.until is not None
    office.enforce(at=measure.until + timedelta(seconds=1))
    assert office.twin.rules() == []
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_a_measure_that_would_hit_somebody_else_waits_for_two_people(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device can block addresses alone, and another customer is behind this one too."""
    only = Ability(device=EDGE, can=frozenset({(Scope.ADDRESS, Degree.BLOCK)}), proof=Proof.STATE)
    monkeypatch.setattr(MemoryTwin, "ability", only)
    office.admit("acct-2")
    shared = "198.51.100.20"
    office.hold(shared, customer="acct-1", kind=HoldingKind.PORT_BLOCK, ports=(1024, 32767))
    office.hold(shared, customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(32768, 65535))
    report = office.complain(shared, at=NOON, port=2000)
    office.post(at=NOON)
    case = office.case_of(report)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)

    def waits() -> str:
        assert office.measures(case) == []
        assert office.fresh(case.key).state is CaseState.WAITING_PERSON
        *_, weighed = [e for e in entries_about(case.key) if e.what == "measure.weighed"]
        [chosen] = [c for c in weighed.detail["candidates"] if c["chosen"]]  # type: ignore[union-attr]  # a list
        assert (chosen["selector"], chosen["others_hit"]) == (shared, 1)
        *_, waiting = [e for e in entries_about(case.key) if e.what == "case.waiting_person"]
        return str(waiting.detail["why"])

    assert "would hit 1 other" in waits()
    assert "two people decide" in waits()
    assert office.report(report.key).outcome is ReportOutcome.FORWARDED

    # One person alone does not make it pass; a second one does.
    at = case.due_at + HOUR
    casework.decide_waiting(
        case.key, go_ahead=True, why="Go on.", version=office.fresh(case.key).version, desk=office.desk, at=at,
        actor="ana",
    )  # fmt: skip
    assert "two people decide" in waits()
    casework.second_wide(case.key, desk=office.desk, at=at, actor="lena")
    [measure] = office.measures(case)
    assert (str(measure.selector), [c.others_hit for c in measure.candidates if c.chosen]) == (shared, [1])


def test_a_device_is_written_to_by_one_enforcer_and_its_name_is_on_record(office: Office) -> None:
    office.measured(ADDRESS, at=NOON)
    assert {e.what for e in entries_about(EDGE)} >= {"device.writer", "device.intent"}


def test_what_a_person_lifted_is_not_brought_back_by_the_clock(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    later = NOON + 3 * DAY
    office.answer(case, Answer.DISPUTE, at=later, words="Look at it.")
    casework.lift_measure(measure.key, why="It hits too much.", desk=office.desk, at=later, actor="lena")
    office.enforce(at=later)
    case = casework.review_dispute(
        case.key, upheld=False, why="It is so.", version=office.fresh(case.key).version, desk=office.desk, at=later,
        actor="eva",
    )  # fmt: skip
    office.post(at=later)
    due = office.fresh(case.key).due_at
    assert due is not None
    office.deadlines(at=due)
    office.enforce(at=due)
    assert ([m.key for m in office.measures(case)], office.twin.rules()) == ([measure.key], [])
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON, "whoever lifted it knew why"
    casework.decide_waiting(
        case.key, go_ahead=True, why="Now it is needed.", version=office.fresh(case.key).version, desk=office.desk,
        at=due, actor="lena",
    )  # fmt: skip
    assert len(office.measures(case)) == 2, "a person may"
