"""What people see of a device and do there: what is wanted and what it holds, a dry run, and what takes two of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tipstaff.enforcement import guards, operations, queries
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import become_writer, stop_writing
from tipstaff.enforcement.planner import steps
from tipstaff.enforcement.protocol import Driver
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN
from tipstaff.registry.queries import accounts_on
from tipstaff.words import Measure, Observation, Plan, Seen, Step

from .desk import Desk
from .enforcing import Reconciled, estranged, fused, reconcile


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCatch:
    """Whom a measure would touch beside its customer, as the registry says now."""

    accounts: tuple[str, ...] = ()
    """Others who use the address or the prefix."""
    others_hit: int = 0
    """As it was weighed: other accounts."""
    services_hit: int = 0
    """As it was weighed: other services of the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A device beside what is wanted of it, at one moment. Nothing was sent, nothing written."""

    device: str
    plan: Plan
    seen: Observation
    measures: Mapping[str, Measure]
    """Those of the plan, and those that are being lifted."""
    steps: tuple[Step, ...]
    """What a round would do now, without what is refused or held back."""
    refused: Mapping[str, str]
    """Measure -> why a guard would refuse it for good."""
    held_back: str
    """Why new measures would wait for two people; empty when they would not."""
    by_catch: Mapping[str, ByCatch]
    """Measure -> whom it would touch beside."""

    @property
    def drifts(self) -> tuple[tuple[str, Seen], ...]:
        """(measure, what is seen) of everything that is not as it is wanted; all of them where it cannot be read."""
        wanted = {rule.measure for rule in self.plan.rules}
        found = {key: self.seen.of(key) for key in wanted if self.seen.of(key) is not Seen.IN_FORCE}
        if self.seen.complete:
            found |= {key: how for key, how in self.seen.rules if key not in wanted and how is not Seen.ABSENT}
            for step in self.steps:  # Under the right name something else stands.
                found.setdefault(step.measure, Seen.DRIFT)
        return tuple(sorted(found.items()))


def look(driver: Driver, *, limits: Limits, at: datetime) -> Look:
    """Read a device and say what a round would do there; only the device is touched, and only by reading."""
    rules = queries.wanted_rules(driver.device, at=at)
    health = queries.get_health(driver.device)
    seen = driver.observe(at=at)
    refused = {}
    for rule in rules:
        why = guards.refusal(rule.selector, limits)
        if why is None and not guards.holds_exactly(driver, rule):
            why = f"{driver.device} cannot hold it exactly."
        if why is not None:
            refused[rule.measure] = why
    generation = health.generation if health else 0
    wanted = Plan(device=driver.device, generation=generation, rules=rules)
    refused = estranged(wanted, limits, seen=seen, max_proof=driver.max_proof) | refused
    new = {key: who for key, who in queries.planned_on(driver.device).items() if key not in refused}
    sent = queries.sent_lately(driver.device, since=at - guards.FUSE_LASTS)
    held_back = fused(driver.device, list(new.values()), sent, limits=limits, at=at)
    left_out = refused.keys() | (new.keys() if held_back else set())
    plan = Plan(device=driver.device, generation=generation, rules=rules)
    todo = steps(Plan(device=driver.device, generation=plan.generation,
                      rules=tuple(r for r in rules if r.measure not in left_out)), seen)  # fmt: skip
    measures = {m.key: m for m in queries.open_on(driver.device)}
    return Look(
        device=driver.device, plan=plan, seen=seen, measures=measures, steps=todo, refused=refused, held_back=held_back,
        by_catch={key: by_catch_of(m, at=at) for key, m in measures.items()},
    )  # fmt: skip


def by_catch_of(measure: Measure, *, at: datetime) -> ByCatch:
    """Whom a measure touches beside its customer."""
    chosen = next((c for c in measure.candidates if c.chosen and c.selector == measure.selector), None)
    # To deny a route on one session touches nobody else, whoever holds the prefix.
    network = measure.selector.network if measure.selector.announced_on is None else None
    others = accounts_on(network, at=at) - {measure.customer} if network is not None else frozenset()
    return ByCatch(
        accounts=tuple(sorted(others)),
        others_hit=chosen.others_hit if chosen else 0,
        services_hit=chosen.services_hit if chosen else 0,
    )


def one_round(driver: Driver, *, limits: Limits, at: datetime, desk: Desk) -> Reconciled:
    """Make one device hold what is wanted, once; raise AnotherWriter while an enforcer runs, which does it itself."""
    fence = become_writer(driver.device, at=at)
    try:
        return reconcile(driver, fence=fence, limits=limits, at=at, tell=lambda _: desk.enqueue("follow", "all"))
    finally:
        stop_writing(fence)


def ask_to_lift_all(device: str, *, why: str, at: datetime, actor: str) -> None:
    """The red button, first half: everything on a device shall be lifted. Nothing happens until another agrees."""
    operations.ask(device, "lift_all", why=why, at=at, actor=actor)


def lift_all_on(device: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """The red button, second half, by another person: keys of the measures that are being lifted. Their cases go on."""
    keys = operations.agree(device, "lift_all", within=COUNTERSIGN_WITHIN, at=at, actor=actor)
    desk.enqueue("enforce", "all")
    return keys


def ask_to_lift_all_of(driver: str, devices: Collection[str], *, why: str, at: datetime, actor: str) -> None:
    """The red button of a whole driver, first half: everything on all its devices shall be lifted."""
    operations.ask_to_lift_of_driver(driver, devices, why=why, at=at, actor=actor)


def lift_all_of(driver: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Its second half, by another person: keys of the measures that are being lifted, on all devices at once."""
    keys = operations.agree_to_lift_of_driver(driver, within=COUNTERSIGN_WITHIN, at=at, actor=actor)
    desk.enqueue("enforce", "all")
    return keys


def ask_to_let_pass(device: str, *, why: str, at: datetime, actor: str) -> None:
    """What the fuse holds back on a device shall pass. Nothing passes until another agrees."""
    operations.ask(device, "let_pass", why=why, at=at, actor=actor)


def let_pass(device: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Another person agrees: what was planned until now passes the fuse; their keys."""
    keys = operations.agree(device, "let_pass", within=COUNTERSIGN_WITHIN, at=at, actor=actor)
    desk.enqueue("enforce", "all")
    return keys
