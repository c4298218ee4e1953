"""One process at a time at a device's file: for no longer than it takes, and until what it started has ended."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tipstaff.enforcement.alone import alone, locks_held, run_alone
from tipstaff.enforcement.protocol import DeviceUnreachable
from tipstaff.testing.drivers import await_true

STARTS = """
import sys
from pathlib import Path
from tipstaff.enforcement.alone import alone, run_alone
closes_all = "import os, sys; os.closerange(3, 65536); open(sys.argv[1]).read()"
with alone(Path(sys.argv[1]), device="edge1", seconds=5):
    run_alone([sys.executable, "-c", closes_all, sys.argv[2]], device="edge1", timeout_seconds=60)
"""
"""The program is as ssh and sudo are: it closes all that it was given. It lives until the pipe is closed."""


def is_free(lock: Path) -> bool:
    try:
        with alone(lock, device="edge1", seconds=0):
            return True
    except DeviceUnreachable:
        return False


def test_who_waits_for_one_that_was_stopped_is_told_which_file_it_holds(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock, device="edge1", seconds=1):
        assert len(locks_held("edge1")) == 1
        with (
            pytest.raises(DeviceUnreachable, match=r"edge1: another process is changing it, and holds .*lock"),
            alone(lock, device="edge1", seconds=0.01),
        ):
            pytest.fail("two at once")
    assert locks_held("edge1") == ()
    with alone(lock, device="edge1", seconds=0, shared=True), alone(lock, device="edge1", seconds=0, shared=True):
        assert not is_free(lock), "readers go together, and no writer with them"


def test_a_program_for_one_device_gets_no_lock_of_another(tmp_path: Path) -> None:
    """One that outlives its round at one device must keep nobody from another; each has a thread of its own."""
    devices = [f"edge{n}" for n in range(8)]
    all_in = threading.Barrier(len(devices), timeout=60)

    def handed(device: str) -> list[str]:
        with alone(tmp_path / device, device=device, seconds=5):
            all_in.wait()
            shown = "import os, sys; print(*(os.readlink(f'/proc/self/fd/{n}') for n in sys.argv[1:]))"
            locks = locks_held(device)
            command = [sys.executable, "-I", "-S", "-c", shown, *map(str, locks)]
            said = subprocess.run(command, pass_fds=locks, capture_output=True, text=True, check=True).stdout.split()
            all_in.wait()
            return said

    with ThreadPoolExecutor(len(devices)) as threads:
        assert list(threads.map(handed, devices)) == [[str(tmp_path / device)] for device in devices]
    assert all(locks_held(device) == () for device in devices)


def test_a_program_that_a_killed_enforcer_left_behind_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    lock, pipe, ends = tmp_path / "lock", tmp_path / "pipe", []
    os.mkfifo(pipe)

    def is_at_work() -> bool:
        with contextlib.suppress(OSError):  # Nobody reads there yet.
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    starter = subprocess.Popen([sys.executable, "-c", STARTS, str(lock), str(pipe)])
    await_true(is_at_work)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert not is_free(lock), "it may still be handing over what the killed one wanted"
    os.close(ends[0])
    await_true(lambda: is_free(lock))


def test_a_program_is_run_as_it_is_without_a_lock_and_ends_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipstaff.enforcement.alone.KILLED_AFTER_SECONDS", 0.05)
    done = run_alone(["sh", "-c", "cat; echo bad >&2; exit 124"], timeout_seconds=60, given="list", device="edge1")
    assert (done.returncode, done.stdout, done.stderr) == (124, "list", "bad\n")
    assert run_alone(["pwd"], timeout_seconds=60, env={"PATH": "/usr/bin:/bin"}, device="edge1").returncode == 0
    lock = tmp_path / "lock"
    for stubborn in ("", "trap '' TERM; "):
        with alone(lock, device="edge1", seconds=1), pytest.raises(subprocess.TimeoutExpired):
            run_alone(["sh", "-c", f"{stubborn}sleep 60; sleep 60"], timeout_seconds=0.05, device="edge1")
        await_true(lambda: is_free(lock))
    for name, why in ((tmp_path / "none", "No such file"), (lock, "Permission denied")):
        with pytest.raises(OSError, match=why):
            run_alone([str(name)], timeout_seconds=1, device="edge1")
