"""What is wanted stands on record; what is in force is said only by a device."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from ipaddress import ip_network

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import Fence, Fenced
from tipstaff.enforcement.planner import fingerprint, steps
from tipstaff.enforcement.protocol import StalePlan
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import enforcing
from tipstaff.procedures.enforcing import FEW, Reconciled, hasten, reconcile
from tipstaff.testing.drivers import NOON
from tipstaff.words import (
    Candidate,
    Degree,
    Direction,
    Ground,
    Measure,
    MeasureState,
    Observation,
    ProbeResult,
    Proof,
    Rule,
    Seen,
    Selector,
    Urgency,
)

pytestmark = pytest.mark.django_db

OWN = Limits(own=(ip_network("192.0.2.0/24"),), protected=(ip_network("192.0.2.1/32"),))


def candidate(n: int = 7, *, port: int = 25, chosen: bool = True) -> Candidate:
    host = ip_network(f"192.0.2.{n}")
    return Candidate(
        selector=Selector(network=host, protocol="tcp", port=port, direction=Direction.OUT),
        degree=Degree.BLOCK,
        device="edge1",
        sufficient=True,
        others_hit=0,
        services_hit=0,
        chosen=chosen,
        why="The narrowest.",
    )


def planned(n: int = 7, *, case: str = "C-000001", hours: int = 24, notice: str | None = "L-000001",
            device: str = "edge1") -> str:  # fmt: skip
    one = replace(candidate(n), device=device)
    key = operations.plan_measure(
        case=case,
        customer=f"acct-{n}",
        candidates=[one, candidate(n, port=26, chosen=False)],
        chosen=one,
        until=NOON + timedelta(hours=hours),
        lifted_when="The customer says that it is fixed.",
        notice=notice,
        urgency=None,
        at=NOON,
        actor="worker",
    )
    return key


@pytest.fixture
def fence(db: None) -> Iterator[Fence]:
    fence = operations.become_writer("edge1", at=NOON)
    yield fence
    operations.stop_writing(fence)


def state_of(key: str) -> MeasureState:
    found = queries.get_measure(key)
    assert found is not None
    return found.state


def said(key: str) -> list[str]:
    return [entry.what for entry in entries_about(key)]


def round_of(driver: MemoryTwin, fence: Fence, *, limits: Limits = OWN, minutes: int = 0) -> Reconciled:
    return reconcile(driver, fence=fence, limits=limits, at=NOON + timedelta(minutes=minutes))


def test_a_measure_comes_into_force_and_is_lifted_and_each_step_is_in_the_record(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    assert state_of(key) is MeasureState.PLANNED
    turned = round_of(driver, fence).turned
    assert [(m.key, m.state, m.proof) for m in turned] == [(key, MeasureState.IN_FORCE, Proof.STATE)]
    operations.want_lifted(key, why="The customer fixed it.", at=NOON, actor="worker")
    assert state_of(key) is MeasureState.LIFTING
    assert [m.state for m in round_of(driver, fence).turned] == [MeasureState.LIFTED]
    assert driver.rules() == []
    assert said(key) == [
        "measure.planned",
        "device.intent",
        "measure.in_force",
        "measure.lifting",
        "device.intent",
        "measure.lifted",
    ]


def test_everything_that_was_weighed_stays_with_the_measure(db: None) -> None:
    measure = queries.get_measure(planned())
    assert measure is not None
    assert measure.candidates == (candidate(), candidate(port=26, chosen=False))
    assert measure.selector == candidate().selector
    assert measure.until == NOON + timedelta(hours=24)


@pytest.mark.parametrize(
    "selector",
    [
        Selector(network=ip_network("192.0.2.0/28"), announced_on="AS64501"),
        Selector(network=ip_network("192.0.2.7"), protocol="tcp", port=25, direction=Direction.OUT),
        Selector(url="https://shop.example.net/a"),
        Selector(host_name="shop.example.net"),
        Selector(mailbox="u@example.net"),
        Selector(session="s-1"),
        Selector(service="svc-1"),
        Selector(account="acct-1"),
    ],
    ids=lambda selector: selector.scope.name,
)
def test_a_measure_is_read_back_as_narrow_as_it_was_planned(db: None, selector: Selector) -> None:
    chosen = replace(candidate(), selector=selector)
    key = operations.plan_measure(
        case="C-000001", customer="acct-7", candidates=[chosen], chosen=chosen, until=NOON + timedelta(days=7),
        lifted_when="It is fixed.", notice="L-000001", urgency=None, at=NOON, actor="worker",
    )  # fmt: skip
    found = queries.get_measure(key)
    assert found is not None
    assert (found.selector, found.candidates[0].selector) == (selector, selector)
    assert [rule.selector for rule in queries.wanted_rules("edge1", at=NOON)] == [selector]


def test_a_second_round_does_nothing_more(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    first = round_of(driver, fence)
    second = round_of(driver, fence)
    assert (second.steps, second.turned, second.generation) == ((), (), first.generation)
    assert said(key).count("measure.in_force") == 1


def test_planning_it_twice_makes_one_measure(db: None) -> None:
    assert planned() == planned()
    assert len(queries.measures_of_case("C-000001")) == 1


def test_the_database_itself_holds_one_measure_per_case_and_selector(db: None) -> None:
    planned()
    rest = ", ".join(f'"{name}"' for name in columns() if name != "key")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO enforcement_measurerow SELECT 'M-999999', {rest} FROM enforcement_measurerow")


def test_the_database_itself_refuses_a_measure_without_notice_or_ground(db: None) -> None:
    planned()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_measurerow SET notice = NULL")


def test_the_database_itself_refuses_a_measure_without_an_end(db: None) -> None:
    planned()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_measurerow SET until = NULL")


def test_a_measure_of_before_that_had_no_end_gets_one_and_is_not_lifted_by_it(db: None) -> None:
    stands, urgent, over = (planned(n, case=f"C-00000{n}") for n in (1, 2, 3))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE enforcement_measurerow ALTER until DROP NOT NULL")
        cursor.execute("UPDATE enforcement_measurerow SET until = NULL, state = 'in_force'")
        cursor.execute(
            "UPDATE enforcement_measurerow SET notice = NULL, urgency = %s WHERE key = %s",
            ['{"ground": "network_harm", "decided_by": "ann", "seconded_by": "bob"}', urgent],
        )
        cursor.execute(
            "UPDATE enforcement_measurerow SET state = 'lifted', lifted_at = %s WHERE key = %s", [NOON, over]
        )
        import_module("tipstaff.enforcement.migrations.0011_every_measure_ends").give_an_end(apps, None)
        cursor.execute("SELECT key, until, until - now() FROM enforcement_measurerow ORDER BY key")
        found = {key: (until, left) for key, until, left in cursor.fetchall()}
    assert found[over][0] == NOON
    assert [round(found[key][1] / timedelta(hours=1)) for key in (stands, urgent)] == [7 * 24, 24]
    for n, key in enumerate((stands, urgent), 1):
        entry = entries_about(key)[-1]
        assert (entry.what, entry.about) == ("measure.given_end", (key, f"C-00000{n}", f"acct-{n}"))
        assert datetime.fromisoformat(str(entry.detail["until"])) == found[key][0]
    assert "measure.given_end" not in said(over), "what is over keeps its history"


def columns() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM enforcement_measurerow LIMIT 0")
        return [c.name for c in cursor.description]


def test_no_measure_without_a_notice_unless_two_people_record_a_ground(db: None) -> None:
    with pytest.raises(operations.NoNotice):
        planned(notice=None)
    urgency = Urgency(ground=Ground.NETWORK_HARM, shown_by="flows of 11:58", decided_by="ann", seconded_by="bob")
    wanted = {
        "case": "C-000001",
        "customer": "acct-7",
        "candidates": [candidate()],
        "chosen": candidate(),
        "until": NOON + timedelta(hours=24),
        "lifted_when": "The flood has ended.",
        "notice": None,
        "at": NOON,
        "actor": "ann",
    }
    with pytest.raises(operations.SecondMustBeAnother):
        operations.plan_measure(**wanted, urgency=replace(urgency, seconded_by="Ann"))  # type: ignore[arg-type]
    key = operations.plan_measure(**wanted, urgency=urgency)  # type: ignore[arg-type]
    measure = queries.get_measure(key)
    assert measure is not None
    assert measure.urgency == urgency


def test_a_measure_that_was_never_sent_is_withdrawn_at_once(fence: Fence) -> None:
    key = planned()
    operations.want_lifted(key, why="A mistake.", at=NOON, actor="ann")
    assert state_of(key) is MeasureState.LIFTED
    assert round_of(MemoryTwin("edge1"), fence).steps == ()
    assert said(key) == ["measure.planned", "measure.withdrawn"]


def test_a_measure_ends_when_its_time_has_ended(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned(hours=1)
    round_of(driver, fence)
    round_of(driver, fence, minutes=61)
    assert state_of(key) is MeasureState.LIFTED
    assert driver.observe(at=NOON + timedelta(minutes=61)).rules == ()


def test_a_silent_device_is_unknown_and_nothing_is_declared(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    driver.unreachable = True
    results = [round_of(driver, fence) for _ in range(3)]
    assert state_of(key) is MeasureState.LIFTING
    assert [r.again_at for r in results] == [NOON + timedelta(seconds=s) for s in (2, 4, 8)]
    health = queries.get_health("edge1")
    assert health is not None
    assert (health.failures, health.detail) == (3, "The device does not answer.")
    assert [e.what for e in entries_about("edge1")].count("device.silent") == 1
    driver.unreachable = False
    round_of(driver, fence)
    assert state_of(key) is MeasureState.LIFTED


def test_a_device_that_lost_everything_is_made_whole_and_the_fuse_lets_it_pass(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    keys = [planned(n) for n in range(2, 12)]
    round_of(driver, fence)
    driver.forget()
    result = round_of(driver, fence, limits=replace(OWN, new_rules_max=0))
    assert result.held_back == ""
    assert len(driver.rules()) == len(keys)
    assert {state_of(key) for key in keys} == {MeasureState.IN_FORCE}


def test_drift_is_mended_and_told(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    driver.tamper(key)
    round_of(driver, fence)
    assert driver.observe(at=NOON).of(key) is Seen.IN_FORCE


class Holding(MemoryTwin):
    """Says that it holds a measure's name, and under that name the rule of another port."""

    port = 26

    def observe(self, *, at: datetime) -> Observation:
        seen = super().observe(at=at)
        held = tuple(
            (rule.measure, fingerprint(replace(rule, selector=replace(rule.selector, port=self.port))))
            for rule in queries.wanted_rules("edge1", at=at)
        )
        return replace(seen, fingerprints=held) if seen.fingerprints else seen


def test_another_rule_under_a_measures_name_is_not_that_measure_in_force(fence: Fence) -> None:
    driver = Holding("edge1")
    key = planned()
    assert round_of(driver, fence).turned == ()
    assert driver.observe(at=NOON).of(key) is Seen.IN_FORCE, "as the device says"
    assert state_of(key) is not MeasureState.IN_FORCE
    assert "measure.in_force" not in said(key)
    driver.port = 25
    assert [m.key for m in round_of(driver, fence, minutes=1).turned] == [key], "once it holds what was planned"


def test_a_measure_whose_name_holds_another_rule_by_now_has_drifted(fence: Fence) -> None:
    driver = Holding("edge1")
    driver.port = 25
    key = planned()
    round_of(driver, fence)
    assert state_of(key) is MeasureState.IN_FORCE
    driver.port = 26
    round_of(driver, fence, minutes=1)
    assert state_of(key) is MeasureState.APPLYING
    assert said(key)[-1] == "measure.drifted"


def test_what_nobody_wants_is_taken_away_and_what_is_foreign_is_only_told(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    driver.put_foreign("a rule by hand")
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    round_of(driver, fence)
    health = queries.get_health("edge1")
    assert health is not None
    assert health.foreign == ("a rule by hand",)
    assert driver.observe(at=NOON).foreign == ("a rule by hand",)
    assert driver.rules() == []


def test_a_guard_refuses_for_good_before_anything_is_sent(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    protected, good = planned(1), planned(7)
    result = round_of(driver, fence)
    assert result.refused == (protected,)
    refused = queries.get_measure(protected)
    assert refused is not None
    assert (refused.state, refused.proof_detail) == (
        MeasureState.FAILED,
        "It would touch 192.0.2.1/32, which is protected.",
    )
    assert driver.rules() == [(good, "tcp/25 from 192.0.2.7")]


def test_what_becomes_protected_later_is_lifted(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    round_of(driver, fence, limits=replace(OWN, protected=(ip_network("192.0.2.7/32"),)))
    assert state_of(key) is MeasureState.LIFTED
    assert driver.rules() == []


def test_the_fuse_holds_new_measures_back_and_keeps_the_old_ones(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    old = planned(2)
    round_of(driver, fence)
    new = [planned(n) for n in range(3, 8)]
    result = round_of(driver, fence, limits=replace(OWN, new_rules_max=3))
    assert "6 new measures within an hour" in result.held_back
    assert [key for key, _ in driver.rules()] == [old]
    assert {state_of(key) for key in new} == {MeasureState.PLANNED}
    operations.want_lifted(old, why="Fixed.", at=NOON, actor="worker")
    round_of(driver, fence, limits=replace(OWN, new_rules_max=3))
    assert driver.rules() == []
    assert round_of(driver, fence, limits=replace(OWN, new_rules_max=3, overridden_by=("ann", "bob"))).held_back == ""
    assert len(driver.rules()) == len(new)


def test_a_mass_that_is_spread_over_devices_is_held_back_on_the_last_of_them(fence: Fence) -> None:
    limits = replace(OWN, customers_total=100)
    other = operations.become_writer("edge2", at=NOON)
    for n in range(2, 8):
        planned(n)
        planned(n + 100, device="edge2")
    assert round_of(MemoryTwin("edge1"), fence, limits=limits).held_back == ""
    second = MemoryTwin("edge2")
    assert "12 of 100 customers" in round_of(second, other, limits=limits).held_back
    assert second.rules() == []
    operations.ask("edge2", "let_pass", why="A worm.", at=NOON, actor="one")
    operations.agree("edge2", "let_pass", within=timedelta(hours=1), at=NOON, actor="two")
    before = second.observe(at=NOON).generation
    assert round_of(second, other, limits=limits).held_back == ""
    assert len(second.rules()) == 6
    # What was planned without them, and is still under way somewhere, is an older plan.
    assert second.observe(at=NOON).generation > before
    planned(50)
    assert round_of(MemoryTwin("edge1"), fence, limits=limits, minutes=1).held_back == "", "two people let those pass"
    operations.stop_writing(other)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "0.0.0.0/1", "192.0.2.1/32", "198.51.100.7/32", "192.0.0.0/16"])
def test_a_row_that_somebody_wrote_by_hand_passes_no_guard(fence: Fence, network: str) -> None:
    driver, good = MemoryTwin("edge1"), planned(7)
    bad = planned(8)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE enforcement_measurerow SET selector = jsonb_set(selector, '{network}', to_jsonb(%s::text)) - 'port'"
            " - 'protocol' WHERE key = %s",
            [network, bad],
        )
    assert few_of(driver, fence) is None, "not by the short way either"
    assert round_of(driver, fence).refused == (bad,)
    assert driver.rules() == [(good, "tcp/25 from 192.0.2.7")]
    assert state_of(bad) is MeasureState.FAILED


def test_a_mass_that_comes_drop_by_drop_is_held_back_too(fence: Fence) -> None:
    driver, limits = MemoryTwin("edge1"), replace(OWN, new_rules_max=3)
    planned(2)
    assert round_of(driver, fence, limits=limits).held_back == ""
    planned(3)
    assert few_of(driver, fence, limits=limits) is not None
    planned(4)
    planned(5)
    assert few_of(driver, fence, limits=limits, minutes=30) is None
    assert "4 new measures within an hour" in round_of(driver, fence, limits=limits, minutes=30).held_back
    assert len(driver.rules()) == 2
    # An hour after the first ones it is no mass any more.
    assert round_of(driver, fence, limits=limits, minutes=61).held_back == ""
    assert len(driver.rules()) == 4


def test_a_mass_that_waited_for_its_device_counts_from_when_it_came_in_force(fence: Fence) -> None:
    driver, limits = MemoryTwin("edge1"), replace(OWN, new_rules_max=3)
    for n in (2, 3, 4):
        planned(n)
    assert round_of(driver, fence, limits=limits, minutes=120).held_back == ""
    planned(5)
    assert "4 new measures within an hour" in round_of(driver, fence, limits=limits, minutes=121).held_back
    assert len(driver.rules()) == 3


def test_a_mass_that_was_sent_late_and_is_never_shown_counts_from_when_it_was_sent(fence: Fence) -> None:
    class TakesAndDoesNotShow(MemoryTwin):
        def observe(self, *, at: datetime) -> Observation:
            return replace(super().observe(at=at), rules=(), fingerprints=())

    driver, limits = TakesAndDoesNotShow("edge1"), replace(OWN, new_rules_max=3)
    first = [planned(n) for n in (2, 3, 4)]
    assert round_of(driver, fence, limits=limits, minutes=120).held_back == ""
    assert {state_of(key) for key in first} == {MeasureState.APPLYING}
    late = planned(5)
    assert "4 new measures within an hour" in round_of(driver, fence, limits=limits, minutes=121).held_back
    assert state_of(late) is MeasureState.PLANNED
    assert round_of(driver, fence, limits=limits, minutes=181).held_back == "", "tried again is not sent anew"


def few_of(driver: MemoryTwin, fence: Fence, *, limits: Limits = OWN, minutes: int = 0) -> Reconciled | None:
    return hasten(driver, fence=fence, limits=limits, at=NOON + timedelta(minutes=minutes))


def test_a_few_changes_are_carried_out_between_two_whole_rounds(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    stands, ends = planned(7), planned(8, case="C-000002")
    round_of(driver, fence)
    new = planned(9, case="C-000003")
    operations.want_lifted(ends, why="Fixed.", at=NOON, actor="worker")
    done = few_of(driver, fence)
    assert done is not None
    assert {(m.key, m.state) for m in done.turned} == {(new, MeasureState.IN_FORCE), (ends, MeasureState.LIFTED)}
    assert [state_of(key) for key in (stands, ends, new)] == [
        MeasureState.IN_FORCE,
        MeasureState.LIFTED,
        MeasureState.IN_FORCE,
    ]
    assert [key for key, _ in driver.rules()] == [stands, new]
    assert said(new) == ["measure.planned", "device.intent", "measure.in_force"]
    assert few_of(driver, fence) is None, "nothing is left to do"
    # The whole round that follows finds all of it as it should be, and touches no measure.
    after = round_of(driver, fence)
    assert (after.steps, after.turned, after.generation) == ((), (), done.generation + 1)
    assert round_of(driver, fence).generation == after.generation


def test_what_was_made_before_a_few_changes_comes_too_late_after_them(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    planned(7)
    round_of(driver, fence)
    late = operations.next_plan(fence, at=NOON)
    planned(8, case="C-000002")
    assert few_of(driver, fence) is not None
    with pytest.raises(StalePlan):
        driver.carry_out(late, steps=(), at=NOON)
    with pytest.raises(operations.PlanOutdated):
        operations.record_intent(late, (), fence=fence, at=NOON)


@pytest.mark.parametrize("reason", ["first round", "too many", "protected", "fuse", "ended", "silent", "fenced"])
def test_whatever_is_not_plain_takes_a_whole_round(fence: Fence, reason: str) -> None:
    driver = MemoryTwin("edge1")
    stands = planned(7)
    if reason != "first round":
        round_of(driver, fence)
    limits, minutes = OWN, 0
    match reason:
        case "too many":
            for n in range(FEW + 1):
                planned(20 + n, case=f"C-1{n:05d}")
        case "protected":
            planned(1, case="C-000002")
        case "fuse":
            planned(8, case="C-000002")
            limits = replace(OWN, new_rules_max=0)
        case "ended":
            planned(8, case="C-000002", hours=1)
            minutes = 90
        case "silent":
            planned(8, case="C-000002")
            driver.unreachable = True
        case "fenced":
            planned(8, case="C-000002")
            operations.stop_writing(fence)
            operations.become_writer("edge1", at=NOON)
            with pytest.raises(Fenced):
                few_of(driver, fence)
            return
    before = driver.rules()
    assert few_of(driver, fence, limits=limits, minutes=minutes) is None
    driver.unreachable = False
    assert driver.rules() == before, "nothing was sent"
    assert state_of(stands) is (MeasureState.PLANNED if reason == "first round" else MeasureState.IN_FORCE)


def test_a_writer_that_was_replaced_is_fenced_off(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    planned()
    newer = operations.become_writer("edge1", at=NOON)  # The same session may; another would be told to wait.
    with pytest.raises(Fenced):
        round_of(driver, fence)
    assert driver.rules() == []
    assert round_of(driver, newer).turned


def test_a_change_of_mind_between_plan_and_intent_is_seen(fence: Fence) -> None:
    """The measure is withdrawn while the device is being read: the plan is out of date, and nothing is sent."""
    key = planned()

    class Slow(MemoryTwin):
        def observe(self, **when: object) -> object:  # type: ignore[override]  # the client takes more than it needs
            seen = super().observe(**when)  # type: ignore[arg-type]
            operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
            return seen

    driver = Slow("edge1")
    result = round_of(driver, fence)
    assert (result.steps, driver.rules(), state_of(key)) == ((), [], MeasureState.LIFTED)


def test_a_change_of_mind_while_the_wire_is_touched_wins(fence: Fence) -> None:
    key = planned()

    class Slow(MemoryTwin):
        def carry_out(self, *plan: object, **rest: object) -> None:
            super().carry_out(*plan, **rest)  # type: ignore[arg-type]
            operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")

    driver = Slow("edge1")
    round_of(driver, fence)
    assert state_of(key) is MeasureState.LIFTING
    driver.__class__ = MemoryTwin
    round_of(driver, fence)
    assert (driver.rules(), state_of(key)) == ([], MeasureState.LIFTED)


def test_a_plan_that_is_still_under_way_cannot_bring_back_what_was_lifted_meanwhile(fence: Fence) -> None:
    """The first enforcer stops just before the wire. The device never held the measure, so there is nothing to lift."""
    driver = MemoryTwin("edge1")
    key = planned()
    late = operations.next_plan(fence, at=NOON)
    todo = steps(late, driver.observe(at=NOON))
    operations.record_intent(late, todo, fence=fence, at=NOON)
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    round_of(driver, operations.become_writer("edge1", at=NOON))
    assert state_of(key) is MeasureState.LIFTED
    with pytest.raises(StalePlan):
        driver.carry_out(late, steps=todo, at=NOON)
    assert driver.rules() == []


def test_a_measure_wanted_again_while_it_is_lifted_stays_the_same_measure(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    assert planned() == key
    round_of(driver, fence)
    assert state_of(key) is MeasureState.IN_FORCE
    assert len(driver.rules()) == 1


def test_a_measure_wanted_again_may_hit_as_many_others_as_it_was_decided_for_anew(fence: Fence) -> None:
    key = planned()
    round_of(MemoryTwin("edge1"), fence)
    assert queries.others_counted(key) == 0
    operations.want_lifted(key, why="It would hit another.", at=NOON, actor="worker")
    two = replace(candidate(), others_hit=2)
    again = operations.plan_measure(
        case="C-000001", customer="acct-7", candidates=[candidate(port=26, chosen=False), two], chosen=two,
        until=NOON + timedelta(hours=24),
        lifted_when="Fixed.", notice="L-000001", urgency=None, at=NOON, actor="lena",
    )  # fmt: skip
    assert (again, queries.others_counted(key)) == (key, 2)


def test_a_database_from_a_backup_still_rules_its_device(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_devicerow SET generation = 1, digest = ''")
    driver._state["generation"] = 40
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    assert round_of(driver, fence).generation == 41
    assert state_of(key) is MeasureState.LIFTED


def test_a_measure_that_the_device_holds_already_is_in_force_whatever_the_record_forgot(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()
    round_of(driver, fence)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_measurerow SET state = 'planned', in_force_at = NULL")
    round_of(driver, fence)
    assert state_of(key) is MeasureState.IN_FORCE


def test_what_follows_stands_or_falls_with_what_was_shown(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    key = planned()

    def fails(measure: Measure) -> None:
        raise RuntimeError("the letter could not be written")

    with pytest.raises(RuntimeError):
        reconcile(driver, fence=fence, limits=OWN, at=NOON, tell=fails)
    told: list[str] = []
    reconcile(driver, fence=fence, limits=OWN, at=NOON, tell=lambda m: told.append(m.key))
    assert told == [key]
    assert state_of(key) is MeasureState.IN_FORCE


class Probed(MemoryTwin):
    """A twin whose probe finds what the test says."""

    max_proof = Proof.PROBE
    stopped = True
    neighbour = True

    def probe(self, rule: Rule) -> ProbeResult:
        detail = f"out: {rule.selector} {'gets no answer' if self.stopped else 'gets through'}."
        return ProbeResult(target_stopped=self.stopped, neighbour_works=self.neighbour, detail=detail)


def test_what_is_held_and_stops_nothing_is_not_in_force(fence: Fence) -> None:
    driver = Probed("edge1")
    driver.stopped = False
    key = planned()
    for minutes in range(2):
        assert round_of(driver, fence, minutes=minutes).turned == ()
        state, proof, detail = shown(key)
        assert (state, proof, detail[-13:]) == (MeasureState.APPLYING, Proof.CONFIG, "gets through.")
    assert said(key).count("measure.ineffective") == 1, "the same is said once"
    driver.stopped = True
    round_of(driver, fence, minutes=2)
    assert shown(key)[:2] == (MeasureState.IN_FORCE, Proof.PROBE)


def test_what_was_in_force_and_stops_nothing_goes_back(fence: Fence) -> None:
    before, driver = MemoryTwin("edge1"), Probed("edge1")
    key = planned()
    round_of(before, fence)
    driver._state, driver.stopped = before._state, False
    round_of(driver, fence, minutes=1)
    assert (shown(key)[0], said(key)[-1]) == (MeasureState.APPLYING, "measure.ineffective")


def test_a_neighbour_that_is_stopped_too_is_on_record(fence: Fence) -> None:
    driver = Probed("edge1")
    driver.neighbour = False
    key = planned()
    for minutes in range(2):
        round_of(driver, fence, minutes=minutes)
        assert shown(key)[:2] == (MeasureState.IN_FORCE, Proof.STATE), "it is read back, and no probe proves it"
    assert said(key).count("measure.neighbour_harmed") == 1, "the same is said once"


class OnlyTold(Probed):
    """A twin that may hold a measure and stop nothing, as a router's table of flows may: only a probe tells."""

    read_proof = Proof.CONFIG

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self.can_probe = False
        self.asked: list[str] = []

    def probe(self, rule: Rule) -> ProbeResult:
        self.asked.append(rule.measure)
        away = ProbeResult(target_stopped=None, neighbour_works=None, detail="The vantage is away.")
        return super().probe(rule) if self.can_probe else away


def shown(key: str) -> tuple[MeasureState, Proof, str]:
    found = queries.get_measure(key)
    assert found is not None
    return found.state, found.proof, found.proof_detail


def test_a_read_back_that_shows_little_brings_nothing_into_force_without_a_probe(fence: Fence) -> None:
    driver = OnlyTold("edge1")
    key = planned()
    for minutes in range(2):
        assert round_of(driver, fence, minutes=minutes).turned == ()
        assert shown(key) == (MeasureState.APPLYING, Proof.CONFIG, "The vantage is away.")
    driver.can_probe = True
    [turned] = round_of(driver, fence, minutes=2).turned
    assert (turned.state, turned.proof) == (MeasureState.IN_FORCE, Proof.PROBE)
    for minutes in (3, 4):  # What traffic has shown stands while the device holds it, and is not asked again.
        assert round_of(driver, fence, minutes=minutes).turned == ()
        assert shown(key)[:2] == (MeasureState.IN_FORCE, Proof.PROBE)
    assert (driver.asked, said(key)[-1]) == ([key] * 3, "measure.in_force")
    driver.can_probe = False
    operations.want_lifted(key, why="The customer fixed it.", at=NOON, actor="worker")
    [turned] = round_of(driver, fence, minutes=5).turned
    assert (turned.state, turned.proof) == (MeasureState.LIFTED, Proof.CONFIG), "it is gone, and no more is claimed"


def test_what_waits_for_its_probe_is_not_in_force_before(fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enforcing, "PROBES_MAX", 2)
    driver = OnlyTold("edge1")
    driver.can_probe = True
    keys = {planned(n, case=f"C-{n:06d}") for n in range(2, 7)}
    turns = [[m.key for m in round_of(driver, fence, minutes=minutes).turned] for minutes in range(3)]
    assert [len(turn) for turn in turns] == [2, 2, 1]
    assert {key for turn in turns for key in turn} == keys == set(driver.asked)
    assert {shown(key)[:2] for key in keys} == {(MeasureState.IN_FORCE, Proof.PROBE)}


def test_what_is_stopped_still_keeps_nothing_else_from_its_probe(fence: Fence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enforcing, "PROBES_MAX", 2)
    driver = OnlyTold("edge1")
    driver.can_probe = True
    lifted = [planned(n, case=f"C-{n:06d}") for n in (2, 3)]
    round_of(driver, fence)
    for key in lifted:
        operations.want_lifted(key, why="The customer fixed it.", at=NOON, actor="worker")
    keys = [planned(n, case=f"C-{n:06d}") for n in (4, 5)]
    for minutes in (1, 2, 3):
        round_of(driver, fence, minutes=minutes)
    assert {shown(key)[0] for key in lifted} == {MeasureState.LIFTING}
    assert {key for key in lifted if "measure.still_stopped" in said(key)} == set(lifted)
    assert {shown(key)[:2] for key in keys} == {(MeasureState.IN_FORCE, Proof.PROBE)}


def test_what_was_called_in_force_by_a_read_back_that_shows_little_is_no_longer(fence: Fence) -> None:
    key = planned()
    before = MemoryTwin("edge1")
    round_of(before, fence)
    assert shown(key)[:2] == (MeasureState.IN_FORCE, Proof.STATE)
    driver = OnlyTold("edge1")
    driver._state = before._state
    for minutes in (1, 2):
        assert round_of(driver, fence, minutes=minutes).turned == ()
    assert shown(key) == (MeasureState.APPLYING, Proof.CONFIG, "The vantage is away.")
    assert said(key).count("measure.unshown") == 1


def let_go(driver: Probed, fence: Fence) -> str:
    """A measure that was in force and that the device holds no longer."""
    key = planned()
    round_of(driver, fence)
    operations.want_lifted(key, why="The customer fixed it.", at=NOON, actor="worker")
    round_of(driver, fence)
    assert driver.rules() == []
    return key


def test_what_is_stopped_still_is_not_called_lifted(fence: Fence) -> None:
    driver = Probed("edge1")
    key = let_go(driver, fence)
    round_of(driver, fence, minutes=1)
    assert state_of(key) is MeasureState.LIFTING
    assert [m.key for m in queries.list_still_stopped()] == [key]
    assert said(key).count("measure.still_stopped") == 1, "the same is said once"
    driver.stopped = False
    [turned] = round_of(driver, fence, minutes=2).turned
    assert (turned.key, turned.state, turned.proof) == (key, MeasureState.LIFTED, Proof.PROBE)
    assert queries.list_still_stopped() == []


def test_a_person_who_knows_what_else_stops_it_may_take_it_as_lifted(fence: Fence) -> None:
    driver = Probed("edge1")
    key = let_go(driver, fence)
    operations.take_as_lifted(key, why="Their own firewall.", at=NOON, actor="eva")
    found = queries.get_measure(key)
    assert found is not None
    assert (found.state, found.proof, found.still_stopped) == (MeasureState.LIFTED, Proof.STATE, "")
    assert "Their own firewall." not in found.proof_detail, "that sentence may stand in a letter"
    [taken] = [e for e in entries_about(key) if e.what == "measure.taken_as_lifted"]
    assert taken.detail["why"] == "Their own firewall."
    with pytest.raises(operations.NotStillStopped):
        operations.take_as_lifted(key, why="Again.", at=NOON, actor="eva")


def test_what_another_measure_stops_does_not_hold_a_lift_up(fence: Fence) -> None:
    driver = Probed("edge1")
    planned(case="C-000002")
    round_of(driver, fence)
    key = planned()
    round_of(driver, fence)
    operations.want_lifted(key, why="The customer fixed it.", at=NOON, actor="worker")
    [turned] = round_of(driver, fence).turned
    assert (turned.key, turned.state, turned.proof) == (key, MeasureState.LIFTED, Proof.STATE)
    assert "Another measure stops the same" in turned.proof_detail


def test_a_measure_wanted_again_is_no_longer_in_doubt(fence: Fence) -> None:
    driver = Probed("edge1")
    key = let_go(driver, fence)
    assert planned() == key
    assert queries.list_still_stopped() == []
    assert state_of(key) is MeasureState.APPLYING
