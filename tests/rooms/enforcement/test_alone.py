"""One process at a time at a device's file: for no longer than it takes, and until what it started has ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tipstaff.enforcement.alone import alone, locks_held
from tipstaff.enforcement.protocol import DeviceUnreachable
from tipstaff.testing.drivers import await_true

STARTS = """
import subprocess, sys
from pathlib import Path
from tipstaff.enforcement.alone import alone, locks_held
with alone(Path(sys.argv[1]), device="edge1", seconds=5):
    subprocess.run(["cat"], pass_fds=locks_held())
"""


def is_free(lock: Path) -> bool:
    try:
        with alone(lock, device="edge1", seconds=0):
            return True
    except DeviceUnreachable:
        return False


def test_who_waits_for_one_that_was_stopped_is_told_which_file_it_holds(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock, device="edge1", seconds=1):
        assert len(locks_held()) == 1
        with (
            pytest.raises(DeviceUnreachable, match=r"edge1: another process is changing it, and holds .*lock"),
            alone(lock, device="edge1", seconds=0.01),
        ):
            pytest.fail("two at once")
    assert locks_held() == ()
    with alone(lock, device="edge1", seconds=0, shared=True), alone(lock, device="edge1", seconds=0, shared=True):
        assert not is_free(lock), "readers go together, and no writer with them"


def test_a_program_that_a_killed_enforcer_left_behind_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    hears, says = os.pipe()
    starter = subprocess.Popen([sys.executable, "-c", STARTS, str(lock)], stdin=hears)
    os.close(hears)
    await_true(lambda: lock.exists() and not is_free(lock))
    await_true(lambda: bool(Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text()))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert not is_free(lock), "it may still be handing over what the killed one wanted"
    os.close(says)
    await_true(lambda: is_free(lock))
