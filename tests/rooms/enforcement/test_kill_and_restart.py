"""`kill -9` of the enforcer between any two lines of a round, then a restart: nothing is lost and nothing doubled."""

from dataclasses import replace
from pathlib import Path

import pytest

from tipstaff.enforcement import operations
from tipstaff.enforcement.drivers import memory
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.testing.drivers import NOON

from . import dying
from .dying import check_converged, plan, run_a_round, run_and_be_killed, run_and_lose_the_device, take_over

pytestmark = pytest.mark.django_db(transaction=True)


def test_killed_before_any_line_of_a_round_the_next_one_finishes(tmp_path: Path) -> None:
    def make() -> MemoryTwin:
        return MemoryTwin("edge1", file=tmp_path / "edge1.json")

    last = plan(0)
    run_a_round(make)
    killed = 0
    for line in range(200):
        new = plan(line + 1)
        operations.want_lifted(last, why="Fixed.", at=NOON, actor="worker")
        was_killed = run_and_be_killed(make, line=line)
        run_a_round(make)
        check_converged(make, lifted=last, in_force={new})
        last = new
        killed += was_killed
        if not was_killed:
            break
    else:
        raise AssertionError("a round has more lines than were tried")
    assert killed > 30


def test_one_that_lost_its_session_in_the_middle_of_a_write_undoes_nothing_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped before any line of its write; another takes over and writes what is wanted by then; it goes on."""
    monkeypatch.setattr(memory, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(dying, "OWN", replace(dying.OWN, new_rules_max=1000))

    def make() -> MemoryTwin:
        return MemoryTwin("edge1", file=tmp_path / "edge1.json")

    last = plan(0)
    run_a_round(make)
    outcomes = set()
    for line in range(0, 200, 3):
        older, newer = plan(2 * line + 1), []
        operations.want_lifted(last, why="Fixed.", at=NOON, actor="worker")

        def overtake(line: int = line, older: str = older, newer: list[str] = newer) -> None:
            operations.want_lifted(older, why="Fixed.", at=NOON, actor="worker")
            newer.append(plan(2 * line + 2))
            outcomes.add(bool(done := take_over(make).failure))
            newer.append(done)

        met, _ = run_and_lose_the_device(
            make, line=line, befall=overtake, dies=False, waits=True, within={memory.__file__}
        )
        if not met:
            break
        key, failure = newer
        if not failure:  # The device took the newer plan: what was under way must have been refused.
            assert {held for held, _ in make().observe(at=NOON).rules} == {key}, line
        run_a_round(make)
        check_converged(make, lifted=last, in_force={key})
        last = key
    else:
        raise AssertionError("a write has more lines than were tried")
    assert outcomes == {True, False}, "both while it holds the device's lock, and while it does not"
