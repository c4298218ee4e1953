"""`kill -9` of the enforcer between any two lines of a round, then a restart: nothing is lost and nothing doubled."""

from pathlib import Path

import pytest

from tipstaff.enforcement import operations
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.testing.drivers import NOON

from .dying import check_converged, plan, run_a_round, run_and_be_killed

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
