"""A device is made to hold what is wanted, and shows it. The enforcer calls `reconcile` again and again.

Nothing here remembers: each round starts from what is wanted and what the device holds, so it may be killed between
any two lines and the next round finishes. The intent is on record before the wire is touched, the outcome after.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tipstaff.enforcement import guards, operations, queries
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import Fence, PlanOutdated
from tipstaff.enforcement.planner import fingerprint, steps
from tipstaff.enforcement.protocol import Driver, DriverFailure, LooksAtSome, read_proof_of
from tipstaff.words import Measure, MeasureState, Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

PROBES_MAX = 50
"""Probes in one round: each takes a moment, and a mass of measures must not wait for all of them."""
ROUND_SECONDS = 5
"""About as often a device is looked at."""
BACK_OFF_MAX_SECONDS = 300
TURNS = 12
"""In so many rounds everything is asked for that can never be shown in force: once a minute."""
FEW = 20
"""Changes that are carried out by themselves, between two whole rounds."""
VETTED_ANEW_MAX = 5
"""So often one round vets what is wanted, if that changes while it is vetted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one round did."""

    device: str
    generation: int
    steps: tuple[Step, ...] = ()
    """What was carried out; none if the device held everything already."""
    turned: tuple[Measure, ...] = ()
    """Measures that came into force or were lifted, as the device showed."""
    refused: tuple[str, ...] = ()
    """Measures that a guard refused for good."""
    held_back: str = ""
    """Why new measures wait for two people; empty when none does."""
    unproven: int = 0
    """Measures in force that a probe has yet to prove."""
    failure: str = ""
    """Why the device could not be read or told; nothing was declared then."""
    again_at: datetime | None = None
    """Not before then, after a failure; None for as soon as anybody likes."""


@dataclass(slots=True)
class Patience:
    """What one process tried on one device to no effect, so that the same is not tried, and recorded, in each round.

    The device is read in each round all the same: what comes right by itself is seen at once, and anything else that is
    wanted is done at once.
    """

    tried: tuple[int, tuple[tuple[str, str], ...]] = (0, ())
    """(generation, what was done: verb and measure)."""
    times: int = 0
    not_before: datetime | None = None

    def rests(self, plan: Plan, todo: tuple[Step, ...], *, at: datetime) -> bool:
        """Whether exactly this was tried a short while ago."""
        if self.tried != _tried(plan, todo) or self.not_before is None:
            return False
        # A time further off than any wait is of a clock that was set back since.
        return at < self.not_before <= at + timedelta(seconds=BACK_OFF_MAX_SECONDS)

    def note(self, plan: Plan, todo: tuple[Step, ...], *, left: tuple[Step, ...], at: datetime) -> None:
        """Note what was tried; without effect it rests longer each time."""
        if not left:
            self.tried, self.times, self.not_before = (0, ()), 0, None
            return
        self.times = self.times + 1 if self.tried == _tried(plan, todo) else 1
        self.tried = _tried(plan, todo)
        self.not_before = at + timedelta(seconds=min(BACK_OFF_MAX_SECONDS, 2**self.times))


def _tried(plan: Plan, todo: tuple[Step, ...]) -> tuple[int, tuple[tuple[str, str], ...]]:
    return plan.generation, tuple((step.verb, step.measure) for step in todo)


def reconcile(
    driver: Driver,
    *,
    fence: Fence,
    limits: Limits,
    at: datetime,
    tell: Callable[[Measure], None] | None = None,
    patience: Patience | None = None,
) -> Reconciled:
    """Make the device hold what is wanted at `at`, and put on record what it showed.

    With `patience`, what has just been tried to no effect, as while a BGP session is down, is tried again ever later.
    `tell` is called for each measure that came into force or was lifted, in the transaction that says so.
    It raises `Fenced` when another writer has taken over.
    """
    operations.expire(at=at, device=driver.device)
    plan = operations.next_plan(fence, at=at)
    before = driver.observe(at=at)
    if not before.complete:
        return _failed(plan, before.detail, fence=fence, at=at)
    if before.generation > plan.generation:
        # The database was restored from a backup. Under a valid fence what it wants now is no late plan.
        plan = operations.next_plan(fence, at=at, above=before.generation)

    plan, refused, held_back = _guarded(plan, before, driver, fence, limits, at)
    todo = steps(plan, before)
    if patience is not None and before.generation == plan.generation and patience.rests(plan, todo, at=at):
        todo = ()
    after = before
    # The device learns of each generation even if it has nothing to do: only then can a plan that was made before,
    # and is still under way somewhere, do nothing there any more.
    if todo or before.generation < plan.generation:
        try:
            operations.record_intent(plan, todo, fence=fence, at=at, let_pass_by=limits.overridden_by or ())
            driver.carry_out(plan, steps=todo, at=at)
        except PlanOutdated:
            return Reconciled(device=driver.device, generation=plan.generation, refused=refused, held_back=held_back)
        except DriverFailure as why:
            return _failed(plan, _sentence(why), fence=fence, at=at)
        after = driver.observe(at=at)
        if patience is not None and after.complete:
            patience.note(plan, todo, left=steps(plan, after), at=at)

    probes, later = _probed(driver, after, at=at)
    turned = operations.record_outcome(
        plan, after, probes, unprobed=later, fence=fence, read_proof=read_proof_of(driver), at=at, tell=tell
    )
    if not after.complete:
        return replace(_waiting(plan, after.detail, at=at), steps=todo)
    return Reconciled(
        device=driver.device,
        generation=plan.generation,
        steps=todo,
        turned=turned,
        refused=refused,
        held_back=held_back,
        unproven=len(later),
    )


def hasten(
    driver: Driver, *, fence: Fence, limits: Limits, at: datetime, tell: Callable[[Measure], None] | None = None
) -> Reconciled | None:
    """Carry out the few that are wanted anew or no longer, between two whole rounds; None if it takes a whole one.

    What stands is neither read nor planned anew, so that one change among 100,000 measures is one change. Whatever is
    not plain (a guard, the fuse, a refusal, a device that is not as it was left) is left to the whole round, which
    starts from what is wanted and what the device holds, whatever became of this.
    """
    if not isinstance(driver, LooksAtSome):
        return None

    def may(rules: Sequence[Rule], customers: Collection[str]) -> bool:
        held = all(
            guards.refusal(rule.selector, limits) is None
            and guards.holds_exactly(driver, rule)
            and guards.estranged(customer, rule, limits) is None
            for rule, customer in zip(rules, customers, strict=True)
        )
        sent = queries.sent_lately(driver.device, since=at - guards.FUSE_LASTS)
        return held and not fused(driver.device, customers, sent, limits=limits, at=at)

    few = operations.plan_few(fence, most=FEW, may=may, at=at, let_pass_by=limits.overridden_by or ())
    if few is None:
        return None
    todo = (
        *(Step(verb="lift", measure=rule.measure, rule=None) for rule in few.lifts),
        *(Step(verb="apply", measure=rule.measure, rule=rule) for rule in few.plan.rules),
    )
    try:
        driver.carry_out(few.plan, steps=todo, at=at)
    except DriverFailure:
        return None
    after = driver.look_at([step.measure for step in todo], at=at)
    if after is None:
        return None
    probes: dict[str, ProbeResult] = {}
    if driver.max_proof >= Proof.PROBE:
        probes = {rule.measure: driver.probe(rule) for rule in (*few.lifts, *few.plan.rules)}
    # What is stopped still may be stopped by another measure: the whole round knows them all.
    lifts = {rule.measure for rule in few.lifts}
    later = frozenset(key for key, probe in probes.items() if key in lifts and probe.contradicts_lift)
    turned = operations.record_outcome(
        few.plan, after, probes, unprobed=later, fence=fence, read_proof=read_proof_of(driver), at=at, tell=tell
    )
    return Reconciled(
        device=driver.device, generation=few.plan.generation, steps=todo, turned=turned, unproven=len(later)
    )


def _guarded(
    plan: Plan, seen: Observation, driver: Driver, fence: Fence, limits: Limits, at: datetime
) -> tuple[Plan, tuple[str, ...], str]:
    """The plan without what may never be sent and what must wait; what was refused; why the rest waits.

    Whatever is wanted anew meanwhile may come with each plan: one that was not vetted and counted itself is not told.
    """
    refused: list[str] = []
    held_back = ""
    for _ in range(VETTED_ANEW_MAX):
        no_more = estranged(plan, limits, seen=seen, max_proof=driver.max_proof) | fence.vetting.refused(
            plan.rules, limits, driver=driver
        )
        for key, why in no_more.items():
            operations.refuse_measure(key, why=why, fence=fence, at=at)
        refused += no_more
        if not no_more:
            new = _never_sent(plan, seen)
            sent = queries.sent_lately(plan.device, since=at - guards.FUSE_LASTS) if new else []
            held_back = fused(plan.device, list(new.values()), sent, limits=limits, at=at)
            if not operations.hold_back(fence, why=held_back, at=at):
                if held_back:
                    plan = replace(plan, rules=tuple(rule for rule in plan.rules if rule.measure not in new))
                return plan, tuple(refused), held_back
        plan = operations.next_plan(fence, at=at)
    # It changes faster than it is vetted: what the device does not hold already waits for the next round.
    there = {key for key, _ in seen.rules}
    return replace(plan, rules=tuple(r for r in plan.rules if r.measure in there)), tuple(refused), held_back


def fused(device: str, new: Collection[str], sent: Collection[str], *, limits: Limits, at: datetime) -> str:
    """Why these new measures, of as many customers, wait for two people; empty where they need not."""

    def elsewhere() -> Collection[str]:
        return queries.sent_elsewhere(device, since=at - guards.FUSE_LASTS)

    return guards.fuse(new, sent, limits=limits, elsewhere=elsewhere) or ""


def estranged(plan: Plan, limits: Limits, *, seen: Observation, max_proof: Proof) -> dict[str, str]:
    """Measure -> why, of what waited so long to be sent, or to be shown, that it would hit somebody else now.

    Where a device can show nothing in force, all that it took waits to be shown for as long as it stands: that is asked
    for in turns, as what is in force is elsewhere.
    """
    customers = queries.unshown_on(plan.device) if limits.others_beyond is not None else {}
    if max_proof < Proof.STATE and customers:
        turn, held = int(seen.at.timestamp()) // ROUND_SECONDS % TURNS, dict(seen.fingerprints)
        there = {key for key, how in seen.rules if how is Seen.IN_FORCE}
        for rule in plan.rules:
            rests = rule.measure in there and held.get(rule.measure) == fingerprint(rule)
            if rests and int(rule.measure.rpartition("-")[2]) % TURNS != turn:
                customers.pop(rule.measure, None)
    found = (
        (rule.measure, guards.estranged(customers[rule.measure], rule, limits))
        for rule in plan.rules
        if rule.measure in customers
    )
    return {key: why for key, why in found if why is not None}


def _never_sent(plan: Plan, seen: Observation) -> dict[str, str]:
    """Measure -> customer of all that is wanted for the first time. What a rebooted device lost is not among it."""
    held = {key for key, how in seen.rules if how is Seen.IN_FORCE}
    if all(rule.measure in held for rule in plan.rules):
        return {}
    return queries.planned_on(plan.device)


def _probed(driver: Driver, seen: Observation, *, at: datetime) -> tuple[dict[str, ProbeResult], frozenset[str]]:
    """Probe what is to be shown lifted, then what is in force and not proven yet; and what is left for a later round.

    Where there are more than one round can probe, another stretch of them has its turn each time: those that can never
    be proven keep no others waiting.
    """
    if not seen.complete or driver.max_proof < Proof.PROBE:
        return {}, frozenset()
    read = dict(seen.rules)
    lifts: list[Rule] = []
    others: list[Rule] = []
    for rule, state in queries.unproven_rules(driver.device):
        lifting = state is MeasureState.LIFTING
        if read.get(rule.measure, Seen.ABSENT) is (Seen.ABSENT if lifting else Seen.IN_FORCE):
            (lifts if lifting else others).append(rule)
    # What is stopped still, whoever stops it, may stay so for long: what waits to be in force has half of the places.
    lifts = _turned(lifts, places := max(PROBES_MAX // 2, PROBES_MAX - len(others)), at=at)
    due, later = lifts[:places], lifts[places:]
    others = _turned(others, places := PROBES_MAX - len(due), at=at)
    probes = {rule.measure: driver.probe(rule) for rule in (*due, *others[:places])}
    return probes, frozenset(rule.measure for rule in (*later, *others[places:]))


def _turned(rules: list[Rule], places: int, *, at: datetime) -> list[Rule]:
    """The same rules, beginning elsewhere in each round; nothing need be remembered for it."""
    if len(rules) <= places:
        return rules
    start = int(at.timestamp()) // ROUND_SECONDS * places % len(rules)
    return rules[start:] + rules[:start]


def _failed(plan: Plan, why: str, *, fence: Fence, at: datetime) -> Reconciled:
    operations.record_failure(plan, why, fence=fence, at=at)
    return _waiting(plan, why, at=at)


def _waiting(plan: Plan, why: str, *, at: datetime) -> Reconciled:
    health = queries.get_health(plan.device)
    failures = health.failures if health else 1
    again_at = at + timedelta(seconds=min(BACK_OFF_MAX_SECONDS, 2**failures))
    return Reconciled(device=plan.device, generation=plan.generation, failure=why, again_at=again_at)


def _sentence(why: DriverFailure) -> str:
    first = (type(why).__doc__ or "").strip().split("\n")[0]
    return f"{first} {why}"
