"""The enforcer's loop: woken by the database or every few seconds, it makes each device hold its plan."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import psycopg
from django.db import InterfaceError, OperationalError

from tipstaff import wiring
from tipstaff.config import DeviceConfig
from tipstaff.enforcement.operations import CHANNEL, AnotherWriter, Fence, Fenced, become_writer
from tipstaff.enforcement.protocol import Driver
from tipstaff.host.memory import collect_rarely
from tipstaff.procedures import enforcing
from tipstaff.procedures.enforcing import Patience, Reconciled
from tipstaff.wiring.jobs import defer
from tipstaff.words import Measure

log = logging.getLogger("tipstaff.enforcer")

AGAIN_SECONDS = 30.0
"""After a fault in a driver itself its device is left alone for so long."""
ROUND_SECONDS = 5.0
"""A device is looked at this often even when nobody calls, so that drift does not last."""


JUMP_SECONDS = 300.0
"""A wall clock that moved so much more, or less, than time passed has jumped."""
PATIENCE_SECONDS = 600.0
"""So long a clock that jumped is not believed: long enough for NTP, or a person, to set it right."""


class Clock:
    """Tells when the wall clock jumped: by a wrong one everything would end at once, and end for good.

    What has an end ends on the devices meanwhile all the same, each by its own clock.
    """

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None
        self._since: float | None = None

    def doubt(self, at: datetime, *, ticks: float) -> str:
        """Why the time is not believed, in words; empty if it is. `ticks` are seconds of a clock that only runs on."""
        if self._known is None:
            self._known = (at, ticks)
        before, then = self._known
        ahead = (at - before).total_seconds() - (ticks - then)
        if abs(ahead) <= JUMP_SECONDS:
            self._known, self._since = (at, ticks), None
            return ""
        if self._since is None:
            self._since = ticks
        if ticks - self._since >= PATIENCE_SECONDS:
            self._known, self._since = (at, ticks), None
            return ""
        way = "forward" if ahead > 0 else "back"
        return f"this machine's clock jumped {abs(ahead):.0f} s {way}; nothing is changed until it is believed"


class Enforcer:
    """All configured devices, one after the other. The right to write is held by this process's one session."""

    def __init__(self) -> None:
        self._devices: tuple[tuple[DeviceConfig, Driver], ...] = tuple(
            zip(wiring.settings().devices, wiring.drivers(), strict=True)
        )
        self._fences: dict[str, Fence] = {}
        self._again_at: dict[str, datetime] = {}
        self._patience: dict[str, Patience] = {}
        self._said: dict[str, str] = {}
        self._clock = Clock()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. A device that fails is tried again later; the others go on."""
        from tipstaff.wiring.processes import database_url

        collect_rarely()
        if not self._devices:
            log.info("no device is configured; measures wait for one")
        with psycopg.connect(database_url(), autocommit=True) as ear:
            ear.execute(f"LISTEN {CHANNEL}")
            log.info("devices: %s", ", ".join(d.name for d, _ in self._devices) or "none")
            while not stop.is_set():
                self.converge()
                next_at = time.monotonic() + ROUND_SECONDS
                while not stop.is_set() and time.monotonic() < next_at:
                    # A short ear, so that a signal to stop is heard. A call that takes a whole round ends the rest.
                    called = {call.payload for call in ear.notifies(timeout=0.25, stop_after=1)}
                    if called and not self.hasten(called):
                        break

    def converge(self) -> None:
        """One round over all devices."""
        if wiring.settings().demo.clock_file is None:  # The demo's clock is meant to jump.
            doubt = self._clock.doubt(wiring.now(), ticks=time.monotonic())
            self._say("the clock", doubt)
            if doubt:
                return
        for device, driver in self._devices:
            now = wiring.now()
            if until := wiring.in_maintenance(device, at=now):
                self._say(device.name, f"in maintenance until {until:%Y-%m-%d %H:%M} UTC; it is left alone")
                continue
            if self._rests(device.name, now=now):
                continue
            patience = self._patience.setdefault(device.name, Patience())
            done = self._work_on(device, driver, functools.partial(enforcing.reconcile, patience=patience), now=now)
            if done is None:
                continue
            if done.again_at is not None:
                self._again_at[device.name] = done.again_at
            else:
                self._again_at.pop(device.name, None)
            self._say(device.name, done.failure or done.held_back)

    def hasten(self, names: Collection[str]) -> bool:
        """Carry out the few things that these devices were called for; False if it takes a whole round."""
        if self._clock.doubt(wiring.now(), ticks=time.monotonic()) and wiring.settings().demo.clock_file is None:
            return False
        now = wiring.now()
        return all(
            device.name in self._fences
            and not wiring.in_maintenance(device, at=now)
            and not self._rests(device.name, now=now)
            and self._work_on(device, driver, enforcing.hasten, now=now) is not None
            for device, driver in self._devices
            if device.name in names
        )

    def _rests(self, device: str, *, now: datetime) -> bool:
        """Whether it failed lately. A time further off than any wait is of a clock that was set back since."""
        again_at = self._again_at.get(device, now)
        return now < again_at <= now + timedelta(seconds=enforcing.BACK_OFF_MAX_SECONDS)

    def _work_on(
        self, device: DeviceConfig, driver: Driver, work: Callable[..., Reconciled | None], *, now: datetime
    ) -> Reconciled | None:
        """Do this with one device; None if it was not to be done, or went wrong."""
        try:
            fence = self._fences.get(device.name) or become_writer(device.name, at=now)
            self._fences[device.name] = fence
            done = work(driver, fence=fence, limits=wiring.limits(device, at=now), at=now, tell=self._tell)
        except AnotherWriter:
            self._say(device.name, "another enforcer writes to it; this one waits")
            return None
        except Fenced:
            self._fences.pop(device.name, None)
            self._say(device.name, "another enforcer has taken over")
            return None
        except (OperationalError, InterfaceError):
            raise  # The database itself: no device would go better now.
        except Exception as why:  # - a driver's fault stops its own device only
            log.exception("%s: its driver failed", device.name)
            self._again_at[device.name] = now + timedelta(seconds=AGAIN_SECONDS)
            self._say(device.name, f"its driver failed: {type(why).__name__}: {why}")
            return None
        for measure in done.turned if done is not None else ():
            log.info("%s %s on %s: %s", measure.key, measure.state, device.name, measure.selector)
        return done

    def _tell(self, measure: Measure) -> None:
        """In the transaction that says what a device showed: the case follows."""
        defer("follow", "all")

    def _say(self, device: str, words: str) -> None:
        if words and self._said.get(device) != words:
            log.warning("%s: %s", device, words)
        self._said[device] = words
