"""What is planned while a round vets and counts is vetted and counted too; and what is no news is none."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import FUSE_LASTS
from tipstaff.enforcement.operations import Fence, PlanOutdated, agree, ask
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.enforcing import VETTED_ANEW_MAX, hasten
from tipstaff.testing.drivers import NOON
from tipstaff.words import MeasureState

from .test_measures_on_record import OWN, fence, planned, round_of, state_of

__all__ = ["fence"]
pytestmark = pytest.mark.django_db


def behind(monkeypatch: pytest.MonkeyPatch, what: str, then: Callable[[], object], *, times: int = 1) -> None:
    """After each of the first calls of an operation, somebody else does something."""
    real, left = getattr(operations, what), [None] * times

    def after(*args: object, **named: object) -> object:
        done = real(*args, **named)
        if left:
            left.pop()
            then()
        return done

    monkeypatch.setattr(operations, what, after)


def on(driver: MemoryTwin) -> set[str]:
    return {key for key, _ in driver.observe(at=NOON).rules}


@pytest.mark.parametrize("what", ["hold_back", "refuse_measure"])
def test_what_is_planned_between_is_vetted_and_counted(
    fence: Fence, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    driver, limits, between = MemoryTwin("edge1"), replace(OWN, new_rules_max=3), list[str]()
    for n in (1, 3, 4, 5, 6, 7) if what == "refuse_measure" else (3, 4, 5, 6, 7):  # 192.0.2.1 is protected.
        planned(n)
    behind(monkeypatch, what, lambda: between.extend((planned(20), planned(1, case="C-000002"))))
    for minutes in range(2):
        done = round_of(driver, fence, limits=limits, minutes=minutes)
        assert "new measures at once" in done.held_back
        assert driver.rules() == []
    assert [state_of(key) for key in between] == [MeasureState.PLANNED, MeasureState.FAILED]


def test_where_it_never_stays_the_same_nothing_new_is_sent_and_what_ends_is_lifted(
    fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = MemoryTwin("edge1")
    stays, ends = planned(7), planned(8)
    round_of(driver, fence)
    operations.want_lifted(ends, why="It is mended.", at=NOON, actor="worker")
    more = iter(range(2, 2 + VETTED_ANEW_MAX))
    planned(1)
    new: list[str] = []

    def another() -> None:
        new.append(planned(30 + (n := next(more))))
        planned(1, case=f"C-00000{n}")

    behind(monkeypatch, "refuse_measure", another, times=VETTED_ANEW_MAX)
    round_of(driver, fence, minutes=1)
    assert on(driver) == {stays}
    assert state_of(ends) is MeasureState.LIFTED
    assert {state_of(key) for key in new} == {MeasureState.PLANNED}
    round_of(driver, fence, minutes=2)
    assert on(driver) == {stays, *new}


def test_a_plan_is_outdated_by_what_is_planned_after_it_was_vetted(fence: Fence) -> None:
    planned(7)
    plan = operations.next_plan(fence, at=NOON)
    planned(8)
    with pytest.raises(PlanOutdated):
        operations.record_intent(plan, (), fence=fence, at=NOON)


def test_the_count_of_what_is_held_back_is_no_news(fence: Fence) -> None:
    limits, other = replace(OWN, customers_total=20), operations.become_writer("edge2", at=NOON)
    one, two, generations = MemoryTwin("edge1"), MemoryTwin("edge2"), set[int]()
    for n in range(2, 16):
        planned(n)
    for minutes in range(4):
        planned(100 + minutes, device="edge2")
        round_of(two, other, limits=OWN, minutes=minutes)
        held_back = round_of(one, fence, limits=limits, minutes=minutes).held_back
        assert f"against {15 + minutes} of 20" in held_back
        assert getattr(queries.get_health("edge1"), "held_back", "") == held_back, "a person sees how it is now"
        generations.add(one.observe(at=NOON).generation)
    operations.stop_writing(other)
    events = [entry.what for entry in entries_about("edge1")]
    assert (events.count("device.held_back"), events.count("device.intent"), len(generations)) == (1, 1, 1)
    ask("edge1", "let_pass", why="It is a worm.", at=NOON, actor="ann")
    agree("edge1", "let_pass", within=FUSE_LASTS, at=NOON, actor="bob")
    assert round_of(one, fence, limits=limits, minutes=5).held_back == ""
    assert len(one.rules()) == 14


@pytest.mark.parametrize("short", [False, True])
def test_what_the_settings_let_pass_is_not_counted_against_other_devices(fence: Fence, *, short: bool) -> None:
    limits, other = replace(OWN, customers_total=100), operations.become_writer("edge2", at=NOON)
    first, by_two = MemoryTwin("edge1"), replace(limits, overridden_by=("ann", "bob"))
    round_of(first, fence, limits=limits)
    for n in range(2, 16):
        planned(n)
    if short:
        assert hasten(first, fence=fence, limits=by_two, at=NOON - timedelta(minutes=1)) is not None
    else:
        round_of(first, fence, limits=by_two)
    assert len(first.rules()) == 14
    passed = [entry.detail.get("let_pass_by") for entry in entries_about("edge1") if entry.what == "device.intent"]
    assert passed[-1] == ["ann", "bob"], "the record says who let it pass"
    planned(100, device="edge2")
    assert round_of(MemoryTwin("edge2"), other, limits=limits).held_back == ""
    for n in range(20, 30):
        planned(n, device="edge2")
    assert "11 of 100 customers" in round_of(MemoryTwin("edge2"), other, limits=limits).held_back, "nobody let those"
    operations.stop_writing(other)
