"""A measure that waited for its device: the address may be somebody else's by the time it could be sent."""

from datetime import datetime
from ipaddress import ip_network

import pytest

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.operations import become_writer, plan_measure, stop_writing
from tipstaff.enforcement.planner import Ability
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework
from tipstaff.procedures.enforcing import hasten
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_covering, holdings_of
from tipstaff.words import (
    Candidate,
    CaseState,
    Degree,
    Holding,
    HoldingKind,
    LetterKind,
    MeasureState,
    Proof,
    Scope,
    Selector,
    Tier,
)

ADDRESS, NEXT = "198.51.100.7", "acct-2@customer.example.com"


def moves(office: Office, *, at: datetime) -> None:
    """The address is given back, and given to another customer."""
    (holding,) = (
        h
        for h in holdings_covering(ip_network(ADDRESS)[0], earliest=NOON, latest=NOON + HOUR)
        if h.tier is Tier.CUSTOMER
    )
    assert isinstance(holding, Holding)
    end_holding(holding.key, held_until=at - DAY, at=at - DAY, actor="import")
    office.hold(ADDRESS, customer="acct-2", since=at)


@pytest.mark.parametrize("told", ["never", "told, and not shown"])
def test_it_never_hits_whoever_holds_the_address_next(office: Office, told: str) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2")
    case = office.warned(ADDRESS, at=NOON)
    assert case.due_at is not None
    away_at = case.due_at
    observe, carry = office.twin.observe, office.twin.carry_out
    if told == "never":
        office.twin.unreachable = True
    else:  # It took the measure in, and lost it and its voice at once.
        office.twin.carry_out = lambda *_, **__: setattr(office.twin, "unreachable", True)  # type: ignore[method-assign]  # a twin of tests
    office.deadlines(at=away_at)
    office.enforce(at=away_at)
    (measure,) = office.measures(case)
    assert measure.state is (MeasureState.PLANNED if told == "never" else MeasureState.APPLYING)

    moves(office, at=away_at + DAY)
    office.twin.unreachable, office.twin.observe, office.twin.carry_out = False, observe, carry  # type: ignore[method-assign]  # as above
    back_at = away_at + 2 * DAY
    fence = become_writer("edge1", at=back_at)
    assert hasten(office.twin, fence=fence, limits=office.limits(back_at), at=back_at) is None
    stop_writing(fence)
    office.enforce(at=back_at)
    office.post(at=back_at)
    assert office.twin.rules() == []
    (measure,) = office.measures(case)
    assert measure.proof_detail.startswith(f"acct-1 does not hold {ADDRESS}/32 now.") or told != "never"
    assert (measure.in_force_at, measure.state) == (
        None, MeasureState.FAILED if told == "never" else MeasureState.LIFTED,
    )  # fmt: skip
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert LetterKind.MEASURE_TAKEN not in office.kinds_to(NEXT)


BLOCK, WITHIN = "198.51.100.8/29", "198.51.100.10"


@pytest.mark.parametrize("sent", [False, True])
def test_a_prefix_of_which_a_part_is_somebody_elses_by_now_is_not_stopped(office: Office, sent: bool) -> None:
    office.admit("acct-1", BLOCK)
    case, at = office.warned(WITHIN, at=NOON), NOON + HOUR
    chosen = Candidate(
        selector=Selector(network=ip_network(BLOCK)), degree=Degree.BLOCK, device=EDGE, sufficient=True, others_hit=0,
        services_hit=0, chosen=True, why="The narrowest.",
    )  # fmt: skip
    plan_measure(
        case=case.key, customer="acct-1", candidates=[chosen], chosen=chosen, until=at + 7 * DAY, lifted_when="Fixed.",
        notice="L-000001", urgency=None, at=at, actor="worker",
    )  # fmt: skip
    office.twin.unreachable = not sent
    office.enforce(at=at)
    (measure,) = office.measures(case)
    assert measure.state is (MeasureState.IN_FORCE if sent else MeasureState.PLANNED)
    office.admit("acct-2")
    (holding,) = (h for h in holdings_of("acct-1", at=at) if h.tier is Tier.CUSTOMER)
    end_holding(holding.key, held_until=at + HOUR, at=at + HOUR, actor="import")
    for customer, prefix in (("acct-1", "198.51.100.10/31"), ("acct-2", "198.51.100.9")):
        office.hold(prefix, customer=customer, since=at + 2 * DAY)
    office.twin.unreachable = False
    back_at = at + 3 * DAY
    office.follow(at=back_at)
    office.enforce(at=back_at)
    assert office.twin.rules() == []
    (measure,) = office.measures(case)
    assert measure.state is (MeasureState.LIFTED if sent else MeasureState.FAILED)
    said = f"On {BLOCK} it would hit 1 more by now than were counted when it was decided."
    assert said in [e.detail.get("why") for e in entries_about(measure.key)]


def test_what_two_people_took_although_it_hits_another_stands_until_it_hits_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Ability(device=EDGE, can=frozenset({(Scope.ADDRESS, Degree.BLOCK)}), proof=Proof.STATE)
    monkeypatch.setattr(MemoryTwin, "ability", only)
    for n in (1, 2, 3):
        office.admit(f"acct-{n}")
    for n, ports in ((1, (1024, 9_999)), (2, (10_000, 19_999))):
        office.hold(ADDRESS, customer=f"acct-{n}", kind=HoldingKind.PORT_BLOCK, ports=ports)
    report = office.complain(ADDRESS, at=NOON, port=2000)
    office.post(at=NOON)
    case = office.case_of(report)
    assert case.due_at is not None
    at = case.due_at
    office.deadlines(at=at)
    version = office.fresh(case.key).version
    casework.decide_waiting(
        case.key, go_ahead=True, why="Go on.", version=version, desk=office.desk, at=at, actor="ana"
    )
    casework.second_wide(case.key, desk=office.desk, at=at, actor="lena")

    def state(later: datetime) -> MeasureState:
        office.follow(at=later)
        office.enforce(at=later)
        (measure,) = office.measures(case)
        return measure.state

    assert [state(at + n * HOUR) for n in (1, 2)] == [MeasureState.IN_FORCE] * 2
    office.hold(ADDRESS, customer="acct-3", kind=HoldingKind.PORT_BLOCK, ports=(20_000, 29_999), since=at + 3 * HOUR)
    assert state(at + 4 * HOUR) is MeasureState.LIFTED


def test_what_a_resellers_customer_alone_holds_is_the_resellers_who_answers_for_it(office: Office) -> None:
    office.admit("reseller-1", is_reseller=True)
    office.admit("acct-1", reseller="reseller-1")
    office.hold(ADDRESS, customer="acct-1")
    case = office.measured(ADDRESS, at=NOON)
    assert (case.customer, case.state) == ("reseller-1", CaseState.MEASURE_IN_FORCE)
    (measure,) = office.measures(case)
    office.follow(at=measure.planned_at + HOUR)
    office.enforce(at=measure.planned_at + HOUR)
    assert [m.state for m in office.measures(case)] == [MeasureState.IN_FORCE]
