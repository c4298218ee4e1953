"""What a driver is: the one thing that touches a device. The plan decides; drivers obey.

A driver owns one namespace on its device (a table, a zone, a file) and nothing beside it. It is made by the
callable that its entry point in the group `tipstaff.drivers` names: `make(device, options) -> Driver`, which
raises `BadOption` for options that it cannot use and touches nothing yet.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from tipstaff.enforcement.planner import Ability
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step


class DriverFailure(Exception):
    """The device did not do what it was told."""

    permanent = False
    """Whether trying again is of no use."""


class StalePlan(DriverFailure):
    """The device has already seen a newer generation; this plan must never be carried out."""

    permanent = True


class DeviceUnreachable(DriverFailure):
    """The device cannot be reached now; the intent stands and is tried again."""


class DeviceRefused(DriverFailure):
    """The device refused the change as a whole and holds what it held before."""


class BadOption(ValueError):
    """An option of a device in the settings cannot be used; the message says which and what it takes."""


class Driver(Protocol):
    """Makes one device hold what a plan says, and tells what it holds."""

    device: str
    """The device's name in plans and pages."""
    max_proof: Proof
    """The surest proof that this driver can give as it is set up."""

    @property
    def ability(self) -> Ability:
        """What the planner may choose this device for."""

    def supports(self, rule: Rule) -> bool:
        """Whether the device can hold exactly this rule, no wider and no narrower. Its options and the rule say so."""

    def observe(self, *, at: datetime) -> Observation:
        """Read back the whole namespace. It does not raise: a failed read is an observation that is not complete."""

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        """Do the steps in one transaction and leave the plan's generation on the device.

        Twice is harmless. It raises StalePlan if the device has seen a higher generation, DeviceUnreachable or
        DeviceRefused if nothing was changed. A rule with `until` must end by itself then, even if nobody comes back:
        on the device, or by a process that outlives the enforcer if the device cannot (`EndsByKeeper`).
        """

    def probe(self, rule: Rule) -> ProbeResult:
        """Show with real traffic whether the target is stopped and its neighbour works; (None, None) if it cannot."""


@runtime_checkable
class EndsByKeeper(Protocol):
    """A driver whose device knows no expiry. What it promises instead, and no more:

    a keeper process, which the driver starts and which needs neither the enforcer nor the database, ends each rule in
    its time while this machine runs; after a restart of the machine, a timer that calls `tipstaff end-due` does.
    """

    def end_due(self, *, at: datetime) -> datetime | None:
        """End what has ended by `at`; when the next rule ends. It raises DriverFailure if it is to be called again."""


@runtime_checkable
class LooksAtSome(Protocol):
    """A driver that need not read a hundred thousand entries to say what became of one."""

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        """Read back what was just carried out, and these measures only (`Observation.only`).

        None if anything there is not as it was left: then the whole is to be read. It does not raise.
        """


def as_asked(
    there: Mapping[str, str], *, asked: Collection[str], generation: int, foreign: Sequence[str], at: datetime
) -> Observation:
    """What `look_at` says where all is as it was left: of the measures `asked` for, those `there` stand (measure ->
    fingerprint), and the others are gone."""
    held = sorted(there.items())
    return Observation(
        complete=True,
        generation=generation,
        rules=tuple((key, Seen.IN_FORCE) for key, _ in held),
        fingerprints=tuple(held),
        foreign=tuple(foreign),
        at=at,
        only=frozenset(asked),
    )


@runtime_checkable
class ShowsLessRead(Protocol):
    """A driver whose device may hold all that it was told and stop nothing: only a probe shows more."""

    read_proof: Proof
    """What reading back alone shows."""


def read_proof_of(driver: Driver) -> Proof:
    """What reading a device back alone shows: its state at best, for only traffic shows more."""
    return min(driver.read_proof if isinstance(driver, ShowsLessRead) else driver.max_proof, Proof.STATE)


class MakesDriver(Protocol):
    """What an entry point of `tipstaff.drivers` names."""

    def __call__(self, device: str, options: Mapping[str, object]) -> Driver: ...
