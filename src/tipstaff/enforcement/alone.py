"""A file's lock by which one process at a time changes what it stands for. It goes with the process that holds it."""

import contextlib
import errno
import fcntl
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tipstaff.enforcement.protocol import DeviceUnreachable

AGAIN_SECONDS = 0.01
KILLED_AFTER_SECONDS = 2
"""A program that is told to end, and does not, is killed after this time."""
_held: set[tuple[str, int]] = set()
"""(device, descriptor): each device may have a thread of its own."""
_holding = threading.Lock()


@contextlib.contextmanager
def alone(file: Path, *, device: str, seconds: float, shared: bool = False) -> Iterator[int]:
    """While entered, no other process is; the descriptor that holds the lock. Readers may be `shared` with each other.

    Raise DeviceUnreachable where another process holds it for longer than `seconds`: one that was stopped midway must
    keep nobody waiting for ever. Raise OSError for a file that cannot be opened.
    """
    with open(file, "a+") as lock:
        begun = time.monotonic()
        while True:
            try:
                fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - begun >= seconds:
                    raise DeviceUnreachable(f"{device}: another process is changing it, and holds {file}.") from None
                select.select([], [], [], AGAIN_SECONDS)
        held = (device, lock.fileno())
        with _holding:
            _held.add(held)
        try:
            yield lock.fileno()
        finally:
            with _holding:
                _held.discard(held)


def locks_held(device: str) -> tuple[int, ...]:
    """The locks that this process holds now for one device, and for no other. A program that changes it gets them
    (`pass_fds`): if whoever started it is killed, nobody else comes in before it has ended, and what it does late is
    not the last thing that is done."""
    with _holding:
        return tuple(sorted(number for name, number in _held if name == device))


def run_alone(
    command: Sequence[str], *, device: str, timeout_seconds: float, given: str | None = None,
    env: Mapping[str, str] | None = None, errors: str = "strict",
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a program that changes `device`; raise TimeoutExpired or OSError, as `subprocess.run` does.

    The locks that are held for it stay so until it has ended, also if we are killed meanwhile: nobody else comes in
    before, and what it does late is not the last thing that is done. `ssh` and `sudo` close all descriptors that they
    were given, so a parent that stays holds them: `timeout`, which ends the program also when we cannot.
    """
    path = (os.environ if env is None else env).get("PATH")
    for program in ("timeout", command[0]):
        if shutil.which(program, path=path) is None:
            why = errno.EACCES if os.path.isfile(program) else errno.ENOENT
            raise OSError(why, os.strerror(why), program)
    # Nought would be no bound at all.
    bound = ["timeout", f"--kill-after={KILLED_AFTER_SECONDS}", f"{max(timeout_seconds, 0.001):f}"]
    begun = time.monotonic()
    process = subprocess.Popen(
        [*bound, *command], stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors=errors, env=env, pass_fds=locks_held(device), start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(given, timeout=timeout_seconds + 2 * KILLED_AFTER_SECONDS)
    except BaseException:
        # It ends with what it started; where it may not end that, which runs as somebody else, it goes on holding.
        process.terminate()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        raise
    # 124: told to end; killed with all that it started, where that did not help.
    if process.returncode in (124, -signal.SIGKILL) and time.monotonic() - begun >= timeout_seconds:
        raise subprocess.TimeoutExpired(list(command), timeout_seconds)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)
