"""Ends announcements at their time while nobody else is there. `python -m tipstaff.enforcement.routing.keeper`.

BGP speakers know no expiry, so a driver starts one keeper per device as soon as a measure with an end stands. It
lives in a session of its own, reads the book, sleeps until the next end, takes that measure away, and ends itself when
none has an end any more. It does not touch the database and needs no enforcer. It dies with the machine: a timer that
runs `tipstaff end-due` at the start and each minute stands in for it then.
"""

import contextlib
import importlib
import json
import os
import select
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from tipstaff.enforcement.protocol import DriverFailure
from tipstaff.enforcement.routing.announcer import Announcer, poke
from tipstaff.enforcement.routing.book import Shelf

AGAIN_SECONDS = 1.0
"""After a failure; twice as long after each that follows, up to the time below."""
LOOKS_EVERY_SECONDS = 60.0
"""It looks into the book this often even if nobody wakes it: somebody may have taken the file away."""


def main(module: str, device: str, options: str, file: str, at: str) -> None:
    """Keep one device until none of its measures has an end."""
    shelf = Shelf(device, Path(file))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(shelf.locked(what="keeper", wait=False))
        except BlockingIOError:
            poke(shelf.fifo, datetime.fromisoformat(at))  # Somebody keeps it already.
            return
        shelf.fifo.unlink(missing_ok=True)
        os.mkfifo(shelf.fifo, 0o600)
        # Open for both, so that it never reads as ended when a writer goes.
        ear = os.open(shelf.fifo, os.O_RDWR | os.O_NONBLOCK)
        driver: Announcer = importlib.import_module(module).make(device, json.loads(options))
        clock = _Clock(datetime.fromisoformat(at))
        again = AGAIN_SECONDS
        while True:
            try:
                next_end = driver.end_due(at=clock.now())
            except (DriverFailure, OSError, ValueError):
                if not shelf.file.exists():
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


if __name__ == "__main__":
    main(*sys.argv[1:])
