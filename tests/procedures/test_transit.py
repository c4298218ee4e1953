"""Records that stay wrong after our letter may cost a network its routes: by two people, one of them an engineer."""

import dataclasses
import json
from datetime import datetime, timedelta

import pytest

from tests.procedures.office import DAY, EDGE, HOUR, MOVED_IN, NOON, Office
from tipstaff.cases.operations import AlreadyProposed, SecondMustBeAnother
from tipstaff.cases.rules import IllegalMove
from tipstaff.enforcement.planner import Ability
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN, FIRST_LIFETIME
from tipstaff.procedures import joint
from tipstaff.procedures.casework import NothingToPlan, ProposalLapsed, prolong_measure, second_prolonging
from tipstaff.procedures.joint import may_be_proposed
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.procedures.sighting import judge_waiting, take
from tipstaff.procedures.transit import REFUSAL
from tipstaff.registry.operations import hold_resource
from tipstaff.words import (
    Answer,
    Case,
    CaseState,
    Degree,
    LetterKind,
    MeasureState,
    Proof,
    Resource,
    ResourceKind,
    Role,
    Scope,
)

CUSTOMER = "acct-1@customer.example.com"
NUMBER = "AS64501"
SESSION = "192.0.2.201 at edge1"
LATE = NOON + 31 * DAY
STALE = json.dumps(
    {
        "id": "1",
        "kind": "registry.stale_contact",
        "account": "acct-1",
        "at": NOON.isoformat(),
        "facts": {"days_stale": 9},
    }
)


def hold(kind: ResourceKind, name: str, *, customer: str = "acct-1", scope: str = "") -> None:
    thing = Resource(kind=kind, name=name, scope=scope, customer=customer, held_from=MOVED_IN)
    hold_resource(thing, at=MOVED_IN, actor="import")


@pytest.fixture
def network(office: Office) -> Case:
    """A network that was told a month ago of a record that is still wrong."""
    office.admit("acct-1")
    office.admit("acct-2")
    for name in ("198.51.100.0/24", "203.0.113.0/24"):
        hold(ResourceKind.ROUTE, f"{name} {NUMBER}")
    hold(ResourceKind.BGP_SESSION, "192.0.2.201", scope="edge1")
    hold(ResourceKind.BGP_SESSION, "192.0.2.202", scope="edge1", customer="acct-2")
    hold(ResourceKind.ROUTE, "192.0.2.0/24 AS64502", customer="acct-2")
    office.roles = {
        "ana": frozenset({Role.ANALYST}), "lena": frozenset({Role.LEAD}), "erik": frozenset({Role.ENGINEER}),
        "adam": frozenset({Role.ADMINISTRATOR}),
    }  # fmt: skip
    sessions = tuple(
        Ability(device=device, can=frozenset({(Scope.ROUTE, Degree.BLOCK)}), proof=Proof.STATE, session=session)
        for device, session in ((EDGE, SESSION), ("edge2", "192.0.2.202 at edge1"))
    )
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: sessions)
    take(STALE.encode(), sensor="contacts", desk=office.desk, at=NOON, actor="tests")
    judge_waiting(desk=office.desk, at=NOON)
    office.post(at=NOON)
    [case] = office.cases()
    assert case.due_at == NOON + 30 * DAY
    office.deadlines(at=case.due_at + DAY)
    return office.fresh(case.key)


def propose(office: Office, case: Case, *, by: str = "ana", at: datetime = LATE) -> None:
    joint.propose(REFUSAL, case.key, why="The contact still bounces.", desk=office.desk, at=at, actor=by)


def agree(office: Office, case: Case, *, by: str = "erik", at: datetime = LATE) -> list[str]:
    return joint.agree(REFUSAL, case.key, desk=office.desk, at=at, actor=by)


def test_routes_are_refused_by_two_people_of_whom_one_is_an_engineer(office: Office, network: Case) -> None:
    assert network.state is CaseState.WAITING_PERSON
    assert may_be_proposed(REFUSAL, network, desk=office.desk, at=LATE)
    propose(office, network)
    assert office.measures(network) == [], "one person has proposed it"
    with pytest.raises(SecondMustBeAnother):
        agree(office, network, by="ana")
    with pytest.raises(AlreadyProposed):
        propose(office, network, by="erik")
    keys = agree(office, network)
    measures = office.measures(network)
    assert [m.key for m in measures] == keys
    assert {str(m.selector) for m in measures} == {
        "198.51.100.0/24 as announced on 192.0.2.201 at edge1", "203.0.113.0/24 as announced on 192.0.2.201 at edge1",
    }, "and nothing of anybody else's"  # fmt: skip
    assert {m.device for m in measures} == {EDGE}
    first, longest = (
        office.desk.editions[-1].length_of(id, default=HOUR) for id in (FIRST_LIFETIME, "measure.lifetime")
    )
    assert all(m.notice is not None and m.until == LATE + first for m in measures)
    weighed = [(c.lasts_hours, c.chosen) for c in measures[0].candidates if c.selector == measures[0].selector]
    assert weighed == [(first / HOUR, True), (longest / HOUR, False)], "a longer time stays on record with why not"
    [decided] = [e for e in entries_about(network.key) if e.what == "case.decided"]
    assert (decided.actor, decided.detail["proposed_by"], decided.detail["under"]) == (
        "erik", "ana", "way.refuse_transit",
    )  # fmt: skip
    office.enforce(at=LATE)
    assert office.fresh(network.key).state is CaseState.MEASURE_IN_FORCE
    office.post(at=LATE)
    assert office.kinds_to(CUSTOMER)[-2:] == [LetterKind.MEASURE_TAKEN] * 2


def test_without_an_engineer_nothing_is_refused(office: Office, network: Case) -> None:
    propose(office, network)
    with pytest.raises(NotYourDecision, match="engineer"):
        agree(office, network, by="lena")
    with pytest.raises(NotYourDecision):
        agree(office, network, by="adam")
    assert office.measures(network) == []
    agree(office, network, by="erik")
    assert len(office.measures(network)) == 2


def test_an_engineer_may_be_the_one_who_proposes_it(office: Office, network: Case) -> None:
    with pytest.raises(NotYourDecision):
        propose(office, network, by="adam")
    propose(office, network, by="erik")
    assert len(agree(office, network, by="lena")) == 2


def test_before_the_month_is_over_nothing_is_refused(office: Office, network: Case) -> None:
    early = NOON + 29 * DAY
    assert not may_be_proposed(REFUSAL, network, desk=office.desk, at=early)
    with pytest.raises(NothingToPlan):
        propose(office, network, at=early)
    fixed = office.answer(network, Answer.FIXED, at=LATE)
    with pytest.raises(IllegalMove):
        propose(office, fixed)
    assert office.measures(network) == []


def test_whoever_agrees_agrees_to_what_was_proposed_and_in_time(office: Office, network: Case) -> None:
    propose(office, network)
    with pytest.raises(ProposalLapsed):
        agree(office, network, at=LATE + COUNTERSIGN_WITHIN + timedelta(seconds=1))
    hold(ResourceKind.ROUTE, f"2001:db8::/32 {NUMBER}")
    with pytest.raises(ProposalLapsed):
        agree(office, network)
    assert office.measures(network) == []


def test_a_case_about_anything_else_refuses_no_route(office: Office, network: Case) -> None:
    office.hold("198.51.100.7", customer="acct-2")
    other = office.warned("198.51.100.7", at=NOON)
    office.deadlines(at=LATE)
    assert not may_be_proposed(REFUSAL, office.fresh(other.key), desk=office.desk, at=LATE)


def test_the_routes_are_carried_again_as_soon_as_the_records_are_right(office: Office, network: Case) -> None:
    propose(office, network)
    agree(office, network)
    office.enforce(at=LATE)
    assert office.twin.rules() != []
    office.answer(network, Answer.FIXED, at=LATE + DAY)
    office.enforce(at=LATE + DAY)
    assert office.twin.rules() == []
    assert {m.state for m in office.measures(network)} == {MeasureState.LIFTED}


def test_a_refusal_goes_on_as_it_was_taken_by_two_and_an_engineer(office: Office, network: Case) -> None:
    propose(office, network)
    [key, _] = agree(office, network)
    office.enforce(at=LATE)
    at = LATE + DAY
    assert prolong_measure(key, why="Still wrong.", desk=office.desk, at=at, actor="ana") is None
    with pytest.raises(NotYourDecision, match="engineer"):
        second_prolonging(key, desk=office.desk, at=at, actor="lena")
    assert second_prolonging(key, desk=office.desk, at=at, actor="erik") == at + 7 * DAY
