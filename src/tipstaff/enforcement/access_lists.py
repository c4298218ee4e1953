"""Measures as entries of access lists on a router, for drivers that change its lists as a whole.

An entry has room for little but a name, so all that must be known of it stands there: measure, fingerprint, end, which
of how many it is, and a digest of what it does. No such device knows an expiry: a keeper ends what has an end.
"""

import abc
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DriverFailure, StalePlan
from tipstaff.words import Degree, Direction, Observation, Plan, ProbeResult, Proof, Rule, Scope, Seen, Step

LISTS = {4: "tipstaff-4", 6: "tipstaff-6"}
"""IP version -> the list that the operator attaches to interfaces."""
CAN = frozenset((scope, Degree.BLOCK) for scope in (Scope.FLOW, Scope.ADDRESS, Scope.PREFIX))
NAME = re.compile(r"([A-Za-z0-9-]{1,15})/([0-9a-f]{12})/(\d+|-)/([oi])([12])/([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ours as the device has it."""

    name: str
    measure: str
    fingerprint: str
    until: datetime | None
    of: int
    """How many entries the rule has."""
    whole: bool
    """Whether it does what its name says."""
    version: int
    body: str
    """What it does, as the device is told it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What our lists hold."""

    generation: int = 0
    entries: tuple[Entry, ...] = ()
    foreign: Mapping[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """IP version -> (name, body) of entries that somebody else put into our lists."""


def supports(rule: Rule) -> bool:
    """Whether entries can hold exactly this rule."""
    selector = rule.selector
    network = selector.network
    if network is None or not network.prefixlen or (selector.scope, rule.degree) not in CAN:
        return False
    if selector.narrowed:
        return False
    return selector.port is None or (selector.protocol in ("tcp", "udp") and network.num_addresses == 1)


def ways_of(rule: Rule) -> str:
    """`o`, `i` or both: an entry is needed for each."""
    return {Direction.OUT: "o", Direction.IN: "i", Direction.BOTH: "oi"}[rule.selector.direction]


def name_of(rule: Rule, way: str, does: object) -> str:
    """The name of the entry of a rule for one way, which does this."""
    until = "-" if rule.until is None else str(int(rule.until.timestamp()))
    return f"{rule.measure}/{fingerprint(rule)}/{until}/{way}{len(ways_of(rule))}/{digest(does)}"


def digest(does: object) -> str:
    """Eight characters that change when what an entry does is changed."""
    return hashlib.sha256(repr(does).encode()).hexdigest()[:8]


def entry(name: str, body: str, *, version: int, does: object = None) -> Entry:
    """An entry by its name; `does` is what it really does, where that was read."""
    told = NAME.fullmatch(name)
    assert told is not None, name
    until = None if told[3] == "-" else datetime.fromtimestamp(int(told[3]), tz=UTC)
    whole = does is None or digest(does) == told[6]
    return Entry(name, told[1], told[2], until, int(told[5]), whole, version, body)


class AccessLists(abc.ABC):
    """One device, and lists of our own on it."""

    max_proof: Proof = Proof.CONFIG

    def __init__(self, device: str, *, keeper: Keeper) -> None:
        self.device, self._keeper = device, keeper

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        return supports(rule)

    def observe(self, *, at: datetime) -> Observation:
        try:
            with self._asking() as session:
                held = self._read(session)
                idle = self._idle(session, held)
            self._keep(held.entries, at=at)
        except DriverFailure as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive: dict[str, list[Entry]] = {}
        for one in held.entries:
            if one.until is None or one.until > at:
                alive.setdefault(one.measure, []).append(one)
        rules, uncounted = [], []
        for measure, parts in sorted(alive.items()):
            whole = all(part.whole for part in parts) and len({p.name for p in parts}) == parts[0].of
            if whole and any(part.name in idle for part in parts):
                whole = False
                uncounted.append(measure)
            rules.append((measure, Seen.IN_FORCE if whole else Seen.DRIFT))
        doubt = f"No interface counts packets for {', '.join(uncounted[:5])}: are the lists attached?"
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(rules),
            fingerprints=tuple((measure, parts[0].fingerprint) for measure, parts in sorted(alive.items())),
            foreign=tuple(name for _, strange in sorted(held.foreign.items()) for name, _ in strange),
            at=at,
            detail=doubt if uncounted else "",
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._asking() as session, self._locked(session):
            held = self._read(session)
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            todo = {step.measure: step.rule for step in steps}
            kept = [e for e in held.entries if e.measure not in todo and (e.until is None or e.until > at)]
            for rule in todo.values():
                assert rule is None or self.supports(rule), f"{rule} was planned for a device that cannot hold it"
                if rule is not None and (rule.until is None or rule.until > at):
                    kept += self._entries_of(rule)
            self._write(session, plan.generation, kept, held)
        self._keep(kept, at=at)

    def end_due(self, *, at: datetime) -> datetime | None:
        """Take out what has ended, without any plan; when the next one ends. It is for the keeper, and for a timer."""
        with self._asking() as session:
            held = self._read(session)
            if any(e.until is not None and e.until <= at for e in held.entries):
                with self._locked(session):
                    held = self._read(session)
                    kept = [e for e in held.entries if e.until is None or e.until > at]
                    self._write(session, held.generation, kept, held)
            return min((e.until for e in held.entries if e.until is not None and e.until > at), default=None)

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="No packet is sent by this driver.")

    @abc.abstractmethod
    def _asking(self) -> AbstractContextManager[Any]:
        """A session with the device; what goes wrong with it comes out as DriverFailure."""

    @abc.abstractmethod
    def _locked(self, session: Any) -> AbstractContextManager[None]:
        """What is to be changed is ours alone; what is left of a change that fails is discarded."""

    @abc.abstractmethod
    def _read(self, session: Any) -> Held:
        """What is in force by the device's configuration."""

    @abc.abstractmethod
    def _entries_of(self, rule: Rule) -> list[Entry]:
        """The entries that a rule needs: one for each way."""

    @abc.abstractmethod
    def _try(self, session: Any, generation: int, entries: Sequence[Entry], held: Held) -> None:
        """Put these entries in the place of ours, for a trial."""

    @abc.abstractmethod
    def _settle(self, session: Any, *, good: bool) -> None:
        """End the trial: keep what was tried, or take it back."""

    def _idle(self, session: Any, held: Held) -> frozenset[str]:
        """Names of entries that stand in the configuration, and packets never meet; none where that is not known."""
        return frozenset()

    def _write(self, session: Any, generation: int, entries: Sequence[Entry], held: Held) -> None:
        """Change our lists as a whole, for a trial; keep it when it is read back as it was meant."""
        self._try(session, generation, entries, held)
        now = self._read(session)
        as_meant = {e.name for e in now.entries} == {e.name for e in entries} and all(e.whole for e in now.entries)
        good = as_meant and now.generation == generation
        self._settle(session, good=good)
        if not good:
            raise DeviceRefused(f"{self.device} took the change otherwise than it was meant; it was taken back.")

    def _keep(self, entries: Sequence[Entry], *, at: datetime) -> None:
        """A keeper ends what has an end, also if the enforcer is gone for long."""
        self._keeper.needed(any(e.until is not None and e.until > at for e in entries), at=at)
