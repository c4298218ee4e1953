"""A forged route is denied on its own session, an infected machine walled in at its log-in; nothing wider is hit."""

import dataclasses
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office
from tests.procedures.test_detecting import LATER, case_under, give, looked
from tests.rooms.attribution.test_machines import RECORD
from tests.rooms.enforcement.test_radius_rows import Desk as RadiusDesk
from tests.rooms.sensors import test_detectors as said
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.enforcement.planner import Ability
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.devices import by_catch_of
from tipstaff.procedures.suspension import plan_for
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import resources_of
from tipstaff.sensors.queries import list_measured
from tipstaff.wiring import sources
from tipstaff.words import (
    Answer,
    Case,
    CaseState,
    Degree,
    HoldingKind,
    Identity,
    Measure,
    MeasureState,
    Proof,
    ResourceKind,
    Scope,
    Selector,
    SubjectKind,
    Tier,
)

FORGED, NEIGHBOUR, SESSION = "203.0.113.0/24", "203.0.113.1", "203.0.113.1 at edge1"
WIDER = {(Scope.PREFIX, Degree.BLOCK), (Scope.SERVICE, Degree.SUSPEND), (Scope.ACCOUNT, Degree.SUSPEND)}


def device(*can: tuple[Scope, Degree], name: str = "edge1", session: str = "") -> Ability:
    return Ability(device=name, can=frozenset(can), proof=Proof.STATE, session=session)


def forged(office: Office, *, peers: tuple[str, ...] = (NEIGHBOUR,), abilities: tuple[Ability, ...]) -> Case:
    """A prefix to which acct-1 has no right, announced to these of our routers; its case, when the day has passed."""
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: abilities)
    give(office, ResourceKind.ASN, "AS64500")
    looked(office, "routes", "\n".join(said.dump("64500", peer=p, peer_as=64500, prefix=FORGED) for p in peers))
    office.post(at=LATER)
    case = case_under("routes.entitled_prefixes")
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    return office.fresh(case.key)


def decided(office: Office, case: Case) -> datetime:
    """An engineer decides what the clause leaves to one; when."""
    assert case.state is CaseState.WAITING_PERSON
    plan_for(case.key, desk=office.desk, at=LATER + DAY, actor="engineer")
    return LATER + DAY


def test_a_forged_route_is_denied_on_the_one_session_where_it_comes_in_until_it_is_withdrawn(office: Office) -> None:
    for key, neighbour, router in (("acct-1", NEIGHBOUR, "edge1"), ("acct-2", "203.0.113.9", "edge1")):
        office.admit(key)
        give(office, ResourceKind.BGP_SESSION, neighbour, scope=router, customer=key)
    others = device((Scope.ROUTE, Degree.BLOCK), name="edge2", session="203.0.113.9 at edge1")
    case = forged(office, abilities=(others, device((Scope.ROUTE, Degree.BLOCK), *WIDER, session=SESSION)))
    at = decided(office, case)
    [measure] = office.measures(case)
    assert (measure.device, str(measure.selector)) == ("edge1", f"{FORGED} as announced on {SESSION}")
    office.enforce(at=at)
    assert [words for _, words in office.twin.rules()] == [f"{FORGED} as announced on {SESSION}"]
    office.enforce(at=at + HOUR)  # The prefix is nobody's with us, and the session is still theirs: it stays.
    assert office.measures(case)[0].state is MeasureState.IN_FORCE
    office.answer(office.fresh(case.key), Answer.FIXED, at=at + HOUR)
    office.enforce(at=at + HOUR)
    assert office.twin.rules() == []


def test_a_route_that_comes_in_twice_is_denied_on_both_sessions_or_on_none(office: Office) -> None:
    office.admit("acct-1")
    for n in (1, 2):
        give(office, ResourceKind.BGP_SESSION, f"203.0.113.{n}", scope=f"edge{n}")
    both = tuple(
        device((Scope.ROUTE, Degree.BLOCK), name=f"edge{n}", session=f"203.0.113.{n} at edge{n}") for n in (1, 2)
    )
    case = forged(office, peers=("203.0.113.1", "203.0.113.2"), abilities=both[:1])
    at = decided(office, case)
    assert office.measures(case) == [], "half of it would stop nothing"
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: both)
    plan_for(case.key, desk=office.desk, at=at, actor="engineer")
    assert {(m.device, m.selector.announced_on) for m in office.measures(case)} == {
        ("edge1", "203.0.113.1 at edge1"), ("edge2", "203.0.113.2 at edge2")
    }  # fmt: skip


@pytest.mark.parametrize("whose", [None, "acct-2"])
def test_a_session_that_is_not_the_customers_own_is_never_touched(office: Office, whose: str | None) -> None:
    """An upstream's, or another customer's: the route is only passed on there."""
    office.admit("acct-1")
    if whose:
        office.admit(whose)
        give(office, ResourceKind.BGP_SESSION, NEIGHBOUR, scope="edge1", customer=whose)
    case = forged(office, abilities=(device((Scope.ROUTE, Degree.BLOCK)),))
    assert all("sessions" not in one.sighting.facts for one in list_measured())
    decided(office, case)
    assert office.measures(case) == []


def test_a_denial_is_lifted_when_the_session_becomes_somebody_elses(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    give(office, ResourceKind.BGP_SESSION, NEIGHBOUR, scope="edge1")
    case = forged(office, abilities=(device((Scope.ROUTE, Degree.BLOCK), session=SESSION),))
    at = decided(office, case)
    office.enforce(at=at)
    [held] = [r for r in resources_of("acct-1") if r.kind is ResourceKind.BGP_SESSION]
    registry.end_resource(held.key, held_until=at + HOUR, at=at, actor="tests")
    theirs = dataclasses.replace(held, customer="acct-2", held_from=at + HOUR, held_until=None, key=0)
    registry.hold_resource(theirs, at=at, actor="tests")
    office.enforce(at=at + HOUR)
    office.enforce(at=at + HOUR)
    [measure] = office.measures(case)
    assert (office.twin.rules(), measure.state) == ([], MeasureState.LIFTED)
    [why] = [e.detail["why"] for e in entries_about(measure.key) if e.what == "measure.lifting"]
    assert why == f"acct-1 no longer holds {SESSION}."


def test_whoever_holds_the_prefix_is_not_hit_by_its_denial_on_another_session(office: Office) -> None:
    """It may even be ours: all the more it is not taken from a customer who forges it."""
    office.admit("acct-1")
    office.admit("acct-2", FORGED.replace("203.0.113", "198.51.100"))
    measure = Measure(
        key="M-000001", case="C-000001", customer="acct-1", device="edge1", degree=Degree.BLOCK, proof=Proof.NONE,
        selector=Selector(network=ip_network("198.51.100.0/24"), announced_on=SESSION), state=MeasureState.PLANNED,
        proof_detail="", generation=0, planned_at=NOON, until=None, lifted_when="", notice="L-000001", urgency=None,
    )  # fmt: skip
    assert by_catch_of(measure, at=NOON).accounts == ()


# Log-ins

DYNAMIC, STATION = "198.51.100.7", "02-00-5E-10-00-03"
GARDEN = device((Scope.SESSION, Degree.WALLED_GARDEN), *WIDER)


def logged_in(office: Office, folder: Path, *more: str) -> None:
    """alice of acct-1 had the address from NOON-4h to NOON+1h, with one machine; the logs say so."""
    office.admit("acct-1")
    office.hold("198.51.100.0/25", tier=Tier.OPERATOR, customer=None, kind=HoldingKind.POOL)
    records = "".join(_records("alice", station) for station in (STATION, *more))
    detail = folder / "detail"
    detail.write_text(records)
    known = [Identity(kind=SubjectKind.USERNAME, value="alice", customer="acct-1", since=NOON - 900 * DAY)]
    add_identities(known, source="crm", at=NOON - DAY, actor="tests")
    options = Options(source="radius", clock_error_seconds=1)
    assert list(take_in(detail, sources()["radius-detail"], options, at=NOON + 2 * HOUR, actor="tests"))


def _records(user: str, station: str) -> str:
    found = ""
    for status, at, lasted in (("Start", NOON - 4 * HOUR, 0), ("Stop", NOON + HOUR, 5 * 3600)):
        text = RECORD.format(
            clock=at.strftime("%H:%M:%S"), status=status, user=user, nas="192.0.2.1", session=f"{user}-{station}",
            station=station, lasted=lasted, at=int(at.timestamp()),
        )  # fmt: skip
        address = f"\tFramed-IP-Address = {DYNAMIC}\n" if station == STATION else ""
        found += text.replace("\tAcct-Session-Time", f"{address}\tAcct-Session-Time")
    return found


def complained(office: Office) -> Case:
    report = office.complain(DYNAMIC, at=NOON + 3 * HOUR, happened=NOON)
    office.post(at=NOON + 3 * HOUR)
    return office.case_of(report)


def test_whose_address_has_moved_on_is_walled_in_at_the_log_in_and_nobody_else(office: Office, tmp_path: Path) -> None:
    logged_in(office, tmp_path)
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: (GARDEN,))
    case = complained(office)
    due = case.due_at
    assert due is not None
    office.deadlines(at=due)
    plan_for(case.key, desk=office.desk, at=due, actor="ana")  # One log alone names the holder: a person decides.
    [measure] = office.measures(case)
    assert (measure.selector.session, measure.degree) == (f"alice/{STATION}", Degree.WALLED_GARDEN)
    assert {c.selector.scope for c in measure.candidates} == {Scope.SESSION}, "the address is somebody else's by now"
    office.enforce(at=due)
    assert [words for _, words in office.twin.rules()] == [f"alice/{STATION}"]


def test_the_radius_server_walls_in_the_one_machine_and_its_session_comes_back_so(
    office: Office, tmp_path: Path
) -> None:
    logged_in(office, tmp_path)
    radius = RadiusDesk(tmp_path)
    radius.driver.device = EDGE
    office.twin = radius.driver  # type: ignore[assignment]  # the driver in the twin's place
    # One access server writes the address otherwise than the log did.
    radius.log_in("alice", station=STATION.replace("-", ":").lower(), number="S1")
    radius.log_in("alice", station="02-00-5E-10-00-09", number="S2")
    case = complained(office)
    due = case.due_at
    assert due is not None
    office.deadlines(at=due)
    plan_for(case.key, desk=office.desk, at=due, actor="ana")
    office.enforce(at=due)
    [measure] = office.measures(case)
    assert (measure.state, measure.degree, measure.proof) == (
        MeasureState.IN_FORCE, Degree.WALLED_GARDEN, Proof.STATE,
    )  # fmt: skip
    assert radius.run("SELECT scope, subject, station, verdict FROM tipstaff_measures") == [
        ("session", "alice", STATION, "walled_garden")
    ]
    assert radius.run("SELECT acctsessionid FROM radacct WHERE acctstoptime IS NULL") == [("S2",)]
    office.answer(office.fresh(case.key), Answer.FIXED, at=due + HOUR)
    office.enforce(at=due + HOUR)
    assert radius.run("SELECT count(*) FROM tipstaff_measures") == [(0,)]


def test_where_the_log_in_was_in_use_with_two_machines_neither_is_walled_in(office: Office, tmp_path: Path) -> None:
    logged_in(office, tmp_path, "02-00-5E-10-00-04")
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: (GARDEN,))
    case = complained(office)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    assert (office.fresh(case.key).state, office.measures(case)) == (CaseState.WAITING_PERSON, [])
