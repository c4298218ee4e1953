"""A measure that waited for its device: the address may be somebody else's by the time it could be sent."""

from datetime import datetime
from ipaddress import ip_network

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.enforcement.operations import become_writer, stop_writing
from tipstaff.procedures.enforcing import hasten
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_covering
from tipstaff.words import CaseState, Holding, LetterKind, MeasureState, Tier

ADDRESS, NEXT = "198.51.100.7", "acct-2@customer.example.com"


def moves(office: Office, *, at: datetime) -> None:
    """The address is given back, and given to another customer."""
    (holding,) = (
        h
        for h in holdings_covering(ip_network(ADDRESS)[0], earliest=NOON, latest=NOON + HOUR)
        if h.tier is Tier.CUSTOMER
    )
    assert isinstance(holding, Holding)
    end_holding(holding.key, held_until=at - DAY, at=at, actor="import")
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
        office.twin.carry_out = lambda *_, **__: setattr(office.twin, "unreachable", True)  # type: ignore[method-assign]
    office.deadlines(at=away_at)
    office.enforce(at=away_at)
    (measure,) = office.measures(case)
    assert measure.state is (MeasureState.PLANNED if told == "never" else MeasureState.APPLYING)

    moves(office, at=away_at + 2 * DAY)
    office.twin.unreachable, office.twin.observe, office.twin.carry_out = False, observe, carry  # type: ignore[method-assign]
    back_at = away_at + 3 * DAY
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
