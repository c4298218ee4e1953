"""A device is taken out and another put in its place under the same name: nothing of the former is believed. And what
becomes of one in a maintenance window, and while a clock is wrong.

The devices are real packet filters in namespaces of their own; the way to the device leads to another one by and by, as
an address does after a swap of the hardware.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from tipstaff import wiring
from tipstaff.config import DeviceConfig
from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import Fence
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.enforcing import Reconciled, hasten, reconcile
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.testing.lab import Lab
from tipstaff.wiring import enforcer
from tipstaff.words import Candidate, Degree, Direction, MeasureState, Seen, Selector

pytestmark = [pytest.mark.live, pytest.mark.django_db]

LIMITS = Limits(own=(ip_network("192.0.2.0/24"),))


@pytest.fixture(scope="module")
def devices() -> Iterator[tuple[Lab, Lab]]:
    """The device, and the one that will take its place."""
    if why := Lab.unavailable():
        pytest.skip(why)
    with ExitStack() as stack:
        one, two = (stack.enter_context(Lab(customers=("192.0.2.7",), outside=("198.51.100.10",))) for _ in range(2))
        yield one, two


@pytest.fixture
def fence(db: None) -> Iterator[Fence]:
    fence = operations.become_writer("edge1", at=NOON)
    yield fence
    operations.stop_writing(fence)


def planned(n: int, *, at: datetime, lasts: timedelta = timedelta(days=7)) -> str:
    chosen = Candidate(
        selector=Selector(network=ip_network(f"192.0.2.{n}"), protocol="tcp", port=25, direction=Direction.OUT),
        degree=Degree.BLOCK, device="edge1", sufficient=True, others_hit=0, services_hit=0, chosen=True, why="Narrow.",
    )  # fmt: skip
    return operations.plan_measure(
        case="C-000001", customer=f"acct-{n}", candidates=[chosen], chosen=chosen, until=at + lasts,
        lifted_when="It is fixed.", notice="L-000001", urgency=None, at=at, actor="worker",
    )  # fmt: skip


def lead_to(driver: NftDriver, lab: Lab) -> None:
    driver._prefix, driver._nft = tuple(lab.prefix("edge")), (*lab.prefix("edge"), "nft")


def state_of(key: str) -> MeasureState:
    found = queries.get_measure(key)
    assert found is not None
    return found.state


def holds(lab: Lab) -> set[str]:
    """What the kernel of a device says that it holds, asked by somebody who knows nothing else."""
    seen = make("edge1", {"command_prefix": lab.prefix("edge")}).observe(at=NOON)
    assert seen.complete
    return {key for key, how in seen.rules if how is Seen.IN_FORCE}


@pytest.mark.parametrize("netlink", [False, True])
def test_another_device_under_the_same_name_is_made_whole_and_what_it_brought_along_goes(
    devices: tuple[Lab, Lab], fence: Fence, netlink: bool
) -> None:
    former, empty = devices
    for lab in devices:
        lab.run("edge", "nft", "flush ruleset")
    driver = make("edge1", {"command_prefix": former.prefix("edge"), "netlink": netlink})

    def a_round(minutes: int) -> Reconciled:
        return reconcile(driver, fence=fence, limits=LIMITS, at=NOON + timedelta(minutes=minutes))

    first, second = planned(7, at=NOON), planned(8, at=NOON)
    a_round(0)
    assert holds(former) == {first, second}

    # An empty one takes its place, and something is wanted before anybody has looked at it.
    lead_to(driver, empty)
    third = planned(9, at=NOON)
    done = hasten(driver, fence=fence, limits=LIMITS, at=NOON + timedelta(minutes=1))
    assert done is None or [m.key for m in done.turned] == [third], "of the others it says nothing"
    # A way to a kernel that is still open leads where it led, for one change at most; `nft` finds its way each time.
    assert (holds(former) - {first, second}, holds(empty)) == (({third}, set()) if netlink else (set(), {third}))
    whole = a_round(2)
    assert {step.measure for step in whole.steps} >= {first, second}
    assert holds(empty) == {first, second, third}

    # The former one comes back from the shelf: it still holds what was lifted since, and what nobody here ever wanted.
    operations.want_lifted(first, why="Fixed.", at=NOON, actor="worker")
    a_round(3)
    assert (state_of(first), holds(empty)) == (MeasureState.LIFTED, {second, third})
    contract = DriverContract()
    shelf = make("edge1", {"command_prefix": former.prefix("edge")})
    carry_out(shelf, 1000, [contract.rule(6, key=int(first[2:]) - 1), contract.rule(50, key=998)])
    assert holds(former) == {first, "M-000999"}
    lead_to(driver, former)
    again = a_round(4)
    assert holds(former) == {second, third}
    assert again.generation > 1000, "what it has seen elsewhere makes no plan of ours a late one"
    assert again.turned == ()
    assert state_of(first) is MeasureState.LIFTED
    assert [e.what for e in entries_about(first)].count("measure.in_force") == 1, "it was not taken for in force again"
    assert a_round(5).steps == ()


def test_while_the_new_one_does_not_answer_nothing_is_said_of_it(devices: tuple[Lab, Lab], fence: Fence) -> None:
    former, empty = devices
    for lab in devices:
        lab.run("edge", "nft", "flush ruleset")
    driver = make("edge1", {"command_prefix": former.prefix("edge")})
    key = planned(7, at=NOON)
    assert [m.key for m in reconcile(driver, fence=fence, limits=LIMITS, at=NOON).turned] == [key]
    driver._prefix, driver._nft = ("false",), ("false",)
    gone = reconcile(driver, fence=fence, limits=LIMITS, at=NOON + timedelta(minutes=1))
    assert (gone.turned, gone.failure != "", state_of(key)) == ((), True, MeasureState.IN_FORCE)
    assert gone.again_at is not None
    lead_to(driver, empty)
    reconcile(driver, fence=fence, limits=LIMITS, at=NOON + timedelta(minutes=2))
    assert holds(empty) == {key}
    assert [e.what for e in entries_about("edge1") if e.what in ("device.silent", "device.answers_again")] == [
        "device.silent", "device.answers_again",
    ]  # fmt: skip


class Loop:
    """The enforcer's own loop over this one device, with a clock that can be set."""

    def __init__(self, driver: NftDriver, monkeypatch: pytest.MonkeyPatch, **config: Any) -> None:
        self.now, self.ticks = NOON, 1000.0
        told = DeviceConfig(name="edge1", driver="nftables", **config)
        settings = dataclasses.replace(wiring.settings(), devices=(told,))
        monkeypatch.setattr(wiring, "settings", lambda: settings)
        monkeypatch.setattr(wiring, "drivers", lambda: (driver,))
        monkeypatch.setattr(wiring, "limits", lambda device, at: LIMITS)
        monkeypatch.setattr(wiring, "now", lambda: self.now)
        monkeypatch.setattr(enforcer, "defer", lambda *_: None)
        monkeypatch.setattr(enforcer.time, "monotonic", lambda: self.ticks)
        self._enforcer = enforcer.Enforcer()

    def round_after(self, seconds: float, *, jump: timedelta = timedelta()) -> None:
        """One round so much later, by a wall clock that jumped meanwhile."""
        self.now, self.ticks = self.now + timedelta(seconds=seconds) + jump, self.ticks + seconds
        self._enforcer.converge()


def test_in_its_window_a_device_is_left_alone_and_ends_what_has_an_end(
    db: None, devices: tuple[Lab, Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    device, _ = devices
    device.run("edge", "nft", "flush ruleset")
    driver = make("edge1", {"command_prefix": device.prefix("edge")})
    loop = Loop(driver, monkeypatch, maintenance=("2026-05-04T12:01/2026-05-04T13:00",))
    ends, stays = planned(7, at=NOON, lasts=timedelta(seconds=61)), planned(8, at=NOON)
    loop.round_after(60 - 1)
    assert holds(device) == {ends, stays}
    waits = planned(9, at=NOON)
    operations.want_lifted(stays, why="Fixed.", at=NOON, actor="worker")
    await_true(lambda: holds(device) == {stays})  # By the kernel's own clock: two seconds were left.
    loop.round_after(60)
    assert (holds(device), state_of(waits)) == ({stays}, MeasureState.PLANNED)
    assert "device.silent" not in [e.what for e in entries_about("edge1")], "a window is no failure"
    loop.round_after(3600)
    assert holds(device) == {waits}
    assert [state_of(key) for key in (ends, stays, waits)] == [
        MeasureState.LIFTED, MeasureState.LIFTED, MeasureState.IN_FORCE,
    ]  # fmt: skip


def test_a_clock_that_jumps_ends_nothing_and_keeps_no_device_waiting(
    db: None, devices: tuple[Lab, Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    device, _ = devices
    device.run("edge", "nft", "flush ruleset")
    driver = make("edge1", {"command_prefix": device.prefix("edge")})
    loop = Loop(driver, monkeypatch)
    key = planned(7, at=NOON)
    loop.round_after(1)
    loop.round_after(5, jump=timedelta(days=365))
    assert (state_of(key), holds(device)) == (MeasureState.IN_FORCE, {key}), "a year is not over"
    loop.round_after(5, jump=-timedelta(days=365))
    assert (state_of(key), holds(device)) == (MeasureState.IN_FORCE, {key})
    # The device is away; then the clock is set back by a day, and believed.
    driver._prefix, driver._nft = ("false",), ("false",)
    for seconds in (5, 10, 20, 40):
        loop.round_after(seconds)
    failures = queries.get_health("edge1")
    assert failures is not None
    assert failures.failures >= 3
    assert state_of(key) is MeasureState.IN_FORCE, "it is not known, and not said to be over"
    loop.round_after(5, jump=-timedelta(days=1))
    lead_to(driver, device)
    device.run("edge", "nft", "flush ruleset")
    for _ in range(2):
        loop.round_after(enforcer.PATIENCE_SECONDS)
    assert holds(device) == {key}, "nobody waits a day for it"
