"""The enforcer's loop: woken by the database or every few seconds, it makes each device hold its plan."""

import logging
import threading

import psycopg
from django.db import close_old_connections

from tipstaff import wiring
from tipstaff.enforcement.operations import become_writer
from tipstaff.procedures import enforcing
from tipstaff.wiring.jobs import ENFORCE_CHANNEL, defer

log = logging.getLogger("tipstaff.enforcer")

ROUND_SECONDS = 5.0


class Enforcer:
    """All configured devices, one after the other."""

    def __init__(self) -> None:
        self._drivers = wiring.drivers()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. A device that fails is tried again; the others go on."""
        from tipstaff.wiring.processes import database_url

        if not self._drivers:
            log.info("no device is configured; measures wait for one")
        with psycopg.connect(database_url(), autocommit=True) as ear:
            ear.execute(f"LISTEN {ENFORCE_CHANNEL}")
            while not stop.is_set():
                self.converge()
                for _ in ear.notifies(timeout=0.5, stop_after=1):
                    break
                else:
                    stop.wait(0)

    def converge(self) -> None:
        """One round over all devices."""
        close_old_connections()
        changed = False
        for driver in self._drivers:
            fence = become_writer(driver.device)
            if fence is None:
                continue
            done = enforcing.reconcile(driver, fence=fence, now=wiring.now)
            changed |= done.changed
        if changed:
            defer("follow", "all")
