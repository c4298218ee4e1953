"""The example network goes with whoever made it, however that ends."""

import contextlib
import os
import subprocess
import sys

import pytest

from tipstaff.testing.drivers import await_true
from tipstaff.testing.lab import Lab

pytestmark = pytest.mark.live

_BUILD_AND_WAIT = """
import sys
from tipstaff.testing.lab import Lab
lab = Lab()
lab.open()
lab.listen("outside", "198.51.100.10", 25)
print(*[p.pid for p in (*lab._keepers.values(), *lab._listeners)], flush=True)
sys.stdin.read()
"""


def test_a_killed_maker_leaves_no_namespace_and_no_listener() -> None:
    if why := Lab.unavailable():
        pytest.skip(why)
    with subprocess.Popen(
        [sys.executable, "-c", _BUILD_AND_WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        pids = [int(pid) for pid in maker.stdout.readline().split()]
        assert len(pids) == 4
        maker.kill()
    await_true(lambda: not any(is_alive(pid) for pid in pids))


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_it_is_taken_down_twice_without_harm() -> None:
    if why := Lab.unavailable():
        pytest.skip(why)
    lab = Lab()
    lab.open()
    edge = lab.prefix("edge")
    lab.close()
    lab.close()
    assert subprocess.run([*edge, "true"], capture_output=True, env=os.environ).returncode != 0
