"""A file's lock by which one process at a time changes what it stands for. It goes with the process that holds it."""

import contextlib
import fcntl
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tipstaff.enforcement.protocol import DeviceUnreachable

AGAIN_SECONDS = 0.01
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
