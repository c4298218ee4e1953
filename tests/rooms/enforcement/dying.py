"""Runs a round of the enforcer in a process that is killed at a chosen line or after a chosen time."""

import contextlib
import multiprocessing
import os
import select
import signal
import sys
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from ipaddress import ip_network
from types import FrameType
from typing import Any

from django.db import DatabaseError, connection

from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.protocol import Driver
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import enforcing
from tipstaff.testing.drivers import NOON
from tipstaff.words import Candidate, Degree, Direction, MeasureState, Selector

OWN = Limits(
    own=(ip_network("192.0.2.0/24"),),
    owns_name=lambda name: name.endswith("example.net"),
    owns_mailbox=lambda mailbox: mailbox.endswith("example.net"),
    owns_account=lambda account: account.endswith("example.net"),
    owns_session=lambda selector: "outside" not in f"{selector.session}{selector.announced_on}",
)


def plan(
    n: int, *, host: str | None = None, at: datetime = NOON, until: datetime | None = None, whole: bool = False,
    selector: Selector | None = None, degree: Degree = Degree.BLOCK,
) -> str:  # fmt: skip
    """Plan to block mail of the n-th customer, or another host; `whole`: all that goes to them; or another thing."""
    network = ip_network(host or f"192.0.2.{n % 250 + 2}")
    mail = Selector(network=network, protocol="tcp", port=25 + n // 250, direction=Direction.OUT)
    chosen = Candidate(
        selector=selector or (Selector(network=network, direction=Direction.IN) if whole else mail),
        degree=degree,
        device="edge1",
        sufficient=True,
        others_hit=0,
        services_hit=0,
        chosen=True,
        why="The narrowest.",
    )
    key = operations.plan_measure(
        case=f"C-{n:06d}",
        customer=f"acct-{n}",
        candidates=[chosen],
        chosen=chosen,
        until=until or at + timedelta(days=1),
        lifted_when="The customer says that it is fixed.",
        notice=f"L-{n:06d}",
        urgency=None,
        at=at,
        actor="worker",
    )
    return key


def run_a_round(make: Callable[[], Driver], *, at: datetime = NOON) -> enforcing.Reconciled:
    """One round, whole, by a new writer."""
    fence = become_writer_soon(at)
    try:
        return enforcing.reconcile(make(), fence=fence, limits=OWN, at=at)
    finally:
        operations.stop_writing(fence)


def run_a_few(make: Callable[[], Driver], *, at: datetime = NOON) -> None:
    """The few that are wanted anew or no longer, by a new writer."""
    fence = become_writer_soon(at)
    try:
        enforcing.hasten(make(), fence=fence, limits=OWN, at=at)
    finally:
        operations.stop_writing(fence)


def become_writer_soon(at: datetime) -> operations.Fence:
    """A killed writer's session may take a moment to be noticed."""
    for _ in range(400):
        try:
            return operations.become_writer("edge1", at=at)
        except operations.AnotherWriter:
            select.select([], [], [], 0.05)
    raise AssertionError("the killed writer's lock stayed")


def run_and_be_killed(
    make: Callable[[], Driver],
    *,
    line: int | None = None,
    seconds: float | None = None,
    at: datetime = NOON,
    within: Collection[str] = (enforcing.__file__,),
    work: Callable[..., object] = enforcing.reconcile,
) -> bool:
    """One round, or other work, in a process that is killed before its `line`-th line or after so long; whether it was.

    Lines are counted in the files `within`.
    """
    operations.stop_writing(become_writer_soon(at))
    connection.close()  # Two processes must not share one.
    child = multiprocessing.get_context("fork").Process(target=_die, args=(make, line, at, frozenset(within), work))
    child.start()
    if seconds is not None:
        select.select([child.sentinel], [], [], seconds)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL), child.exitcode
    return child.exitcode != 0


def run_and_lose_the_device(
    make: Callable[[], Driver],
    *,
    line: int,
    befall: Callable[[], None],
    dies: bool,
    waits: bool,
    at: datetime = NOON,
    within: Collection[str] = (enforcing.__file__,),
    work: Callable[..., object] = enforcing.reconcile,
) -> tuple[bool, int]:
    """One round, or other work, in a process that is met before its `line`-th line within `carry_out`: whether it was,
    and how many lines it has there.

    Whatever is to `befall` the device befalls it while that process stands still, or goes on where it does not `wait`;
    then it is killed too if it `dies`.
    """
    operations.stop_writing(become_writer_soon(at))
    connection.close()  # Two processes must not share one.
    told, says = os.pipe()
    hears, tell = os.pipe()
    child = multiprocessing.get_context("fork").Process(
        target=_meet, args=(make, line, at, frozenset(within), work, says, hears if waits else None)
    )
    child.start()
    os.close(says)
    os.close(hears)
    words = os.read(told, 100)
    met = words[:1] == _HERE
    if met:
        befall()
        if dies:
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        else:
            with contextlib.suppress(BrokenPipeError):
                os.write(tell, b".")
    child.join(120)
    assert child.exitcode is not None, "it hangs"
    assert child.exitcode in (0, OVERTAKEN) or (met and dies), child.exitcode
    rest = words[1:] if met else words
    while part := os.read(told, 100):
        rest += part
    os.close(told)
    os.close(tell)
    return met, int(rest or 0)


_HERE = b"!"
OVERTAKEN = 3
"""How a process ends whose session with the database is gone, or that another writer has fenced off."""


def take_over(make: Callable[[], Driver], *, at: datetime = NOON) -> enforcing.Reconciled:
    """End the session of whoever writes to the device, which goes on without knowing; and do a round in its place."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND datname = current_database() AND pid <> pg_backend_pid()"
        )
    return run_a_round(make, at=at)


def _meet(
    make: Callable[[], Driver],
    line: int,
    at: datetime,
    within: frozenset[str],
    work: Callable[..., object],
    says: int,
    hears: int | None,
) -> None:
    seen = 0

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if frame.f_code.co_filename not in within:
            return None
        if event == "line":
            if seen == line:
                os.write(says, _HERE)
                if hears is not None:
                    os.read(hears, 1)
            seen += 1
        return tracer

    fence = operations.become_writer("edge1", at=at)
    driver = make()
    carry_out = driver.carry_out

    def traced(*args: Any, **named: Any) -> None:
        sys.settrace(tracer)
        try:
            carry_out(*args, **named)
        finally:
            sys.settrace(None)

    driver.carry_out = traced  # type: ignore[method-assign]  # in a process of its own, which ends with this
    try:
        work(driver, fence=fence, limits=OWN, at=at)
    except (operations.Fenced, DatabaseError):
        os._exit(OVERTAKEN)
    os.write(says, str(seen).encode())
    os._exit(0)


def _die(
    make: Callable[[], Driver],
    line: int | None,
    at: datetime,
    within: frozenset[str],
    work: Callable[..., object],
) -> None:
    left = line

    def tracer(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in within:
            return None
        if event == "line" and left is not None:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return tracer

    fence = operations.become_writer("edge1", at=at)
    driver = make()
    sys.settrace(tracer if line is not None else None)
    work(driver, fence=fence, limits=OWN, at=at)
    sys.settrace(None)
    os._exit(0)


def check_converged(make: Callable[[], Driver], *, lifted: str, in_force: set[str]) -> None:
    """The device holds exactly what is wanted, and the record says each thing once."""
    seen = make().observe(at=NOON)
    assert {key for key, _ in seen.rules} == in_force, seen
    states = {m.key: m.state for m in queries.list_measures(limit=1000)}
    assert states[lifted] is MeasureState.LIFTED
    assert {states[key] for key in in_force} == {MeasureState.IN_FORCE}
    for key in in_force:
        assert [e.what for e in entries_about(key)].count("measure.in_force") == 1
    assert [e.what for e in entries_about(lifted)].count("measure.lifted") == 1
