"""Random schedules for one device: what is wanted changes, time passes, the enforcer is killed anywhere, the device
loses its state, a plan comes late. After each schedule one round that nobody disturbs must make it right.

A device of any driver can be put through it: give what makes the driver, and what makes the device forget.
"""

import random
import select
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import tipstaff.enforcement
from tests.rooms.enforcement.dying import (
    become_writer_soon,
    plan,
    run_a_few,
    run_a_round,
    run_and_be_killed,
    run_and_lose_the_device,
)
from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.planner import fingerprint, steps
from tipstaff.enforcement.protocol import Driver, StalePlan
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import enforcing
from tipstaff.testing.drivers import NOON
from tipstaff.words import Degree, Measure, MeasureState, Plan, Proof, Seen, Selector, Step

STANDING = (MeasureState.PLANNED, MeasureState.APPLYING, MeasureState.IN_FORCE)
ENDED = (MeasureState.LIFTED, MeasureState.FAILED)
OUTSIDE = "198.51.100.9"
"""Not among the operator's own addresses, as no name under example.org is: no measure there may ever reach a device."""
LINES_MAX = 900
"""A round of a few measures has about so many lines in the files below; a kill beyond its end is none."""
_ROOM = Path(str(tipstaff.enforcement.__file__)).parent
WITHIN = frozenset(
    {str(enforcing.__file__), *(str(file) for file in _ROOM.rglob("*.py") if "migrations" not in file.parts)}
)


@dataclass
class Soak:
    """One device and what befell it so far."""

    make: Callable[[], Driver]
    forget: Callable[[], None]
    """The device loses all its state, as by a reboot or by `kill -9` of what holds it."""
    kill: Callable[[], None] | None = None
    """`kill -9` of the daemon; None where there is none, and then the device forgets, as a kernel does at a reboot."""
    start: Callable[[], None] = lambda: None
    """Start the daemon again: it comes back with what it had written down."""
    ready: Callable[[], None] = lambda: None
    """Wait until it is with its peers again, as its driver sees it."""
    whole: bool = False
    """All that goes to an address is stopped, where the device knows no ports."""
    name: Callable[[str], Selector] | None = None
    """What stops something of a host name, where the device knows no addresses."""
    degree: Degree = Degree.BLOCK
    proof: Proof = Proof.STATE
    """What the device can show; of less than its state nothing is ever said to be in force."""
    shown: Callable[[Collection[str]], Sequence[str]] = lambda _: ()
    """What is wrong with what the device does, where it is asked: of the names that are to be stopped now."""
    busy_rounds: int = 0
    """So many rounds more may find the device busy at the end: its keeper takes out what has ended just then."""
    at: datetime = NOON
    befell: Counter[str] = field(default_factory=Counter)
    _n: int = 0
    _wire_lines: list[int] = field(default_factory=lambda: [20])
    """So many lines had each `carry_out` that was seen lately."""
    _late: list[tuple[Plan, Sequence[Step]]] = field(default_factory=list)
    _outside: set[str] = field(default_factory=set)

    def play(self, seed: int) -> list[str]:
        """One schedule, and the round after it; what is wrong then, in sentences that begin with the schedule."""
        chance = random.Random(seed)
        told = []
        for _ in range(chance.randint(3, 9)):
            event = chance.choices(list(_EVENTS), weights=[weight for weight, _ in _EVENTS.values()])[0]
            self.befell[event] += 1
            told.append(event)
            _EVENTS[event][1](self, chance)
        done = run_a_round(self.make, at=self.at)
        for _ in range(self.busy_rounds):
            if not done.failure:
                break
            done = run_a_round(self.make, at=self.at)
        faults = self.faults()
        if faults and (why := done.failure or self.make().observe(at=self.at).detail):
            faults.append(f"the round or the device says: {why}")
        return [f"schedule {seed} ({', '.join(told)}): {fault}" for fault in faults]

    def faults(self) -> list[str]:
        """Where the device, what is wanted and the record do not agree."""
        faults = []
        seen = self.make().observe(at=self.at)
        if not seen.complete:
            return [f"the device cannot be read: {seen.detail}"]
        wanted = {rule.measure: rule for rule in queries.wanted_rules("edge1", at=self.at)}
        held = {key for key, how in seen.rules if how is not Seen.ABSENT}
        if held != set(wanted):
            faults.append(f"it holds {sorted(held - set(wanted))} too many and lacks {sorted(set(wanted) - held)}")
        if dict(seen.fingerprints) != {key: fingerprint(rule) for key, rule in wanted.items()}:
            faults.append("it holds another rule under a name")
        if self._outside & held:
            faults.append(f"it holds what a guard refuses: {sorted(self._outside & held)}")
        faults += self.shown([str(rule.selector) for rule in wanted.values()])
        health = queries.get_health("edge1")
        if health is None or seen.generation != health.generation:
            faults.append(f"it holds generation {seen.generation}, which is not the last one: {health}")
        for measure in self._measures():
            said = Counter(entry.what for entry in entries_about(measure.key))
            shown = MeasureState.IN_FORCE if self.proof >= Proof.STATE else MeasureState.APPLYING
            expected = shown if measure.key in wanted else None
            if expected is not None and measure.state is not expected:
                faults.append(f"{measure.key} is wanted and {measure.state}")
            if expected is None and measure.state not in ENDED:
                faults.append(f"{measure.key} is not wanted and {measure.state}")
            standing = said["measure.in_force"] - said["measure.drifted"]
            if standing not in (0, 1) or said["measure.lifted"] > 1:
                faults.append(f"the record of {measure.key} says {dict(said)}")
        return faults

    def _measures(self) -> list[Measure]:
        return queries.list_measures(device="edge1", limit=40)

    def _standing(self) -> list[Measure]:
        return [m for m in self._measures() if m.state in STANDING]

    # What may befall it

    def _want(self, chance: random.Random) -> None:
        self._n += 1
        until = self.at + timedelta(minutes=chance.choice((2, 10, 1440)))
        selector = self.name(f"c{self._n}.example.net") if self.name else None
        plan(self._n, at=self.at, until=until, whole=self.whole, selector=selector, degree=self.degree)

    def _want_outside(self, chance: random.Random) -> None:
        self._n += 1
        selector = self.name(f"c{self._n}.example.org") if self.name else None
        self._outside.add(
            plan(self._n, host=OUTSIDE, at=self.at, whole=self.whole, selector=selector, degree=self.degree)
        )

    def _lift(self, chance: random.Random) -> None:
        if standing := self._standing():
            operations.want_lifted(chance.choice(standing).key, why="Fixed.", at=self.at, actor="worker")

    def _prolong(self, chance: random.Random) -> None:
        ends = [m for m in self._standing() if m.until is not None and m.until > self.at]
        if ends:
            later = self.at + timedelta(minutes=chance.choice((5, 3000)))
            operations.prolong(chance.choice(ends).key, until=later, why="Not fixed.", at=self.at, actor="worker")

    def _time_passes(self, chance: random.Random) -> None:
        self.at += timedelta(minutes=chance.choice((1, 3, 30)))

    def _round(self, chance: random.Random) -> None:
        run_a_round(self.make, at=self.at)

    def _a_few(self, chance: random.Random) -> None:
        run_a_few(self.make, at=self.at)

    def _killed_among_a_few(self, chance: random.Random) -> None:
        self._killed(line=chance.randrange(LINES_MAX // 3), work=enforcing.hasten)

    def _killed_before_a_line(self, chance: random.Random) -> None:
        self._killed(line=chance.randrange(LINES_MAX))

    def _killed_after_a_while(self, chance: random.Random) -> None:
        self._killed(seconds=chance.uniform(0.01, 0.25))

    def _killed(
        self,
        *,
        line: int | None = None,
        seconds: float | None = None,
        work: Callable[..., object] = enforcing.reconcile,
    ) -> None:
        was = run_and_be_killed(self.make, line=line, seconds=seconds, at=self.at, within=WITHIN, work=work)
        self.befell["killed"] += was

    def _forgotten(self, chance: random.Random) -> None:
        self.forget()

    def _daemon_killed(self, chance: random.Random) -> None:
        self._lose_device()
        self.start()
        self.ready()

    def _lose_device(self) -> None:
        (self.kill or self.forget)()

    def _daemon_killed_in_the_write(self, chance: random.Random) -> None:
        """The daemon is killed at some line of the enforcer's write, and is there again at once or after it; or while
        the enforcer goes on; and the enforcer is killed with it, or is not."""
        (self._want if chance.random() < 0.6 or not self._standing() else self._lift)(chance)
        returns, dies, waits = chance.random() < 0.5, chance.random() < 0.4, chance.random() < 0.75

        def befall() -> None:
            if not waits:
                select.select([], [], [], chance.uniform(0, 0.02))
            self._lose_device()
            if returns:
                self.start()

        line = chance.randrange(chance.choice(self._wire_lines))
        met, lines = run_and_lose_the_device(
            self.make, line=line, befall=befall, dies=dies, waits=waits, at=self.at, within=WITHIN
        )
        self._wire_lines = [*self._wire_lines, lines][-8:] if lines else self._wire_lines
        if met:
            self.befell["killed in the write"] += 1
            self.befell["both killed in the write"] += dies
        else:
            self._lose_device()
        if not (met and returns):
            self.start()
        self.ready()

    def _both_killed(self, chance: random.Random) -> None:
        self._killed_before_a_line(chance)
        self._daemon_killed(chance)

    def _stopped_midway(self, chance: random.Random) -> None:
        """An enforcer has made its plan, and is stopped before the wire, for long."""
        fence = become_writer_soon(self.at)
        try:
            made = operations.next_plan(fence, at=self.at)
        finally:
            operations.stop_writing(fence)
        rules = tuple(r for r in made.rules if r.measure not in self._outside)
        made = Plan(device=made.device, generation=made.generation, rules=rules)
        self._late.append((made, steps(made, self.make().observe(at=self.at))))

    def _goes_on(self, chance: random.Random) -> None:
        """It goes on: the device has to refuse it, unless nothing newer ever came there."""
        if not self._late:
            return
        made, todo = self._late.pop(chance.randrange(len(self._late)))
        driver = self.make()
        newest = driver.observe(at=self.at).generation
        try:
            driver.carry_out(made, steps=todo, at=self.at)
        except StalePlan:
            assert made.generation < newest, "a plan was refused as old that was not"
        else:
            assert made.generation >= newest, f"a plan of generation {made.generation} was taken after {newest}"


_EVENTS: dict[str, tuple[int, Callable[[Soak, random.Random], None]]] = {
    "wanted": (5, Soak._want),
    "wanted outside": (1, Soak._want_outside),
    "lifted": (3, Soak._lift),
    "prolonged": (1, Soak._prolong),
    "time passes": (2, Soak._time_passes),
    "a round": (2, Soak._round),
    "a few": (2, Soak._a_few),
    "killed among a few": (2, Soak._killed_among_a_few),
    "killed before a line": (5, Soak._killed_before_a_line),
    "killed after a while": (2, Soak._killed_after_a_while),
    "the device forgets": (2, Soak._forgotten),
    "the daemon is killed": (1, Soak._daemon_killed),
    "both are killed": (1, Soak._both_killed),
    "the daemon is killed in the write": (4, Soak._daemon_killed_in_the_write),
    "stopped midway": (1, Soak._stopped_midway),
    "it goes on": (2, Soak._goes_on),
}
