"""Ends measures at their time while nobody else is there. `python -m tipstaff.enforcement.keeper`.

Some devices know no expiry (BGP speakers, DNS zones), so their driver starts a keeper as soon as a measure with an end
stands. It lives in a session of its own, asks the driver what is due, sleeps until the next end, and ends itself when
none has an end any more. It does not touch the database and needs no enforcer. It dies with the machine: a timer that
runs `tipstaff end-due` at the start and each minute stands in for it then.
"""

import contextlib
import errno
import fcntl
import importlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from tipstaff.enforcement.protocol import DeviceUnreachable, DriverFailure, EndsByKeeper

AGAIN_SECONDS = 1.0
"""After a failure; twice as long after each that follows, up to the time below."""
LOOKS_EVERY_SECONDS = 60.0
"""It looks this often even if nobody wakes it: somebody may have taken the file away."""


class Keeper:
    """The keeper of one device, as its driver starts and wakes it. `file` says that the device is kept; beside it lie a
    lock, by which there is one keeper, and a pipe, by which it is woken."""

    def __init__(self, device: str, *, file: Path, module: str, options: Mapping[str, object]) -> None:
        self._device, self.file, self._module, self._options = device, file, module, dict(options)
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self, at: datetime) -> None:
        """See to it that a keeper lives and knows the time."""
        if self.wake(at):
            return
        call = [sys.executable, "-m", "tipstaff.enforcement.keeper"]
        if self._process is not None:
            self._process.poll()  # So that one that has ended does not stay as a zombie.
        # In a session of its own: it outlives the enforcer, that is what it is for.
        self._process = subprocess.Popen(
            [*call, self._module, self._device, json.dumps(self._options), str(self.file), at.isoformat()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def needed(self, needed: bool, *, at: datetime) -> None:
        """See to a keeper where something with an end stands; else wake the one there is, so that it sees it may go.

        Raise DeviceUnreachable if none can be set up.
        """
        try:
            if needed:
                self.file.touch(mode=0o600)
                self.keep(at)
            else:
                self.wake(at)
        except OSError as why:
            raise DeviceUnreachable(f"{self._device}: no keeper can be set up at {self.file}") from why

    def wake(self, at: datetime) -> bool:
        """Wake the keeper and tell it the time; whether there is one."""
        return _poke(_pipe_of(self.file), at)


def main(module: str, device: str, options: str, file: str, at: str) -> None:
    """Keep one device until none of its measures has an end."""
    kept = Path(file)
    pipe = _pipe_of(kept)
    with open(kept.with_name(f"{kept.name}.keeper"), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _poke(pipe, datetime.fromisoformat(at))  # Somebody keeps it already.
            return
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)
        # Open for both, so that it never reads as ended when a writer goes.
        ear = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        driver = importlib.import_module(module).make(device, json.loads(options))
        assert isinstance(driver, EndsByKeeper), module
        clock = _Clock(datetime.fromisoformat(at))
        again = AGAIN_SECONDS
        while True:
            try:
                next_end = driver.end_due(at=clock.now())
            except (DriverFailure, OSError, ValueError):
                if not kept.exists():
                    return
                wait, again = again, min(again * 2, LOOKS_EVERY_SECONDS)
            else:
                again = AGAIN_SECONDS
                if next_end is None:
                    return
                wait = max(0.0, (next_end - clock.now()).total_seconds())
            if select.select([ear], [], [], min(wait, LOOKS_EVERY_SECONDS))[0]:
                told = os.read(ear, 65536).decode().split()
                clock = _Clock(datetime.fromisoformat(told[-1]))


class _Clock:
    """The enforcer's time, carried on without it, also over a suspend of the machine."""

    def __init__(self, at: datetime) -> None:
        self._at, self._begun = at, time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> datetime:
        return self._at + timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - self._begun)


def _pipe_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.poke")


def _poke(pipe: Path, at: datetime) -> bool:
    try:
        end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as why:
        if why.errno in (errno.ENXIO, errno.ENOENT):
            return False
        raise
    try:
        # It has enough to read, where it takes no more.
        with contextlib.suppress(BlockingIOError):
            os.write(end, f"{at.isoformat()}\n".encode())
    finally:
        os.close(end)
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
