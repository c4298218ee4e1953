"""Which remedies devices can carry out, and what a device lacks of its plan. Pure: no I/O, no clock.

What is narrower than what, and whom it would hit, is the policy's (`policy/remedies.py`); here it is said what a device
can do, whether it can show it, and what may never be sent to it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NotRequired, TypedDict, Unpack

from tipstaff.enforcement.guards import Limits, refusal
from tipstaff.policy import remedies
from tipstaff.policy.remedies import Footprint, Reached, does
from tipstaff.words import (
    Candidate,
    Degree,
    Direction,
    Observation,
    Plan,
    Proof,
    Rule,
    Rung,
    Scope,
    Seen,
    Selector,
    Step,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


__all__ = ["Ability", "Conduct", "Footprint", "digest_of", "fingerprint", "reached", "steps", "weigh"]


class Conduct(TypedDict):
    """What is weighed: the arguments of `policy.remedies.weigh` without the reach."""

    ladder: Sequence[Rung]
    measure_ports: Sequence[tuple[str, int]]
    resource: Address | None
    url: str | None
    source_port: int | None
    service: str | None
    account: str | None
    footprint: Footprint
    host_name: NotRequired[str | None]
    mailbox: NotRequired[str | None]
    session: NotRequired[str | None]
    forged_on: NotRequired[str | None]
    source_protocol: NotRequired[str | None]
    announced: NotRequired[Network | None]
    announced_on: NotRequired[tuple[str, ...]]
    direction: NotRequired[Direction | None]
    lasts: NotRequired[timedelta | None]
    briefer: NotRequired[Sequence[remedies.Briefer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """What a device can be chosen for."""

    device: str
    can: frozenset[tuple[Scope, Degree]]
    proof: Proof
    """The surest proof that it can give."""
    proof_of: Callable[[Selector, Degree], Proof] | None = None
    """The surest proof of exactly this, where it is not the same of everything: not all can be probed."""
    networks: tuple[Network, ...] = ()
    """The networks whose traffic passes it; empty means all."""
    limits: Limits | None = None
    """What may not be sent to it; None leaves that to the moment of sending."""
    one_way: Direction | None = None
    """It stops whole addresses and prefixes this way only; None for both ways."""
    holds: Callable[[Selector, Degree], bool] | None = None
    """Whether it can hold exactly this; None leaves that to the moment of sending."""
    narrows: bool = False
    """It knows of far ends and source ports (`Selector.narrowed`)."""
    session: str = ""
    """The one BGP session whose routes it touches; empty where it has none."""

    def reaches(self, selector: Selector) -> bool:
        """Whether traffic of this selector passes the device."""
        if selector.announced_on is not None and self.session:
            return selector.announced_on == self.session
        network = selector.network
        if network is None or not self.networks:
            return True
        return any(network.version == n.version and network.overlaps(n) for n in self.networks)

    def shows(self, selectors: Sequence[Selector], degree: Degree) -> Proof:
        """The surest proof that it can give of all of these."""
        of = self.proof_of
        return self.proof if of is None else min((of(s, degree) for s in selectors), default=self.proof)

    def stops(self, scope: Scope, way: Direction) -> bool:
        """Whether what it does to this scope stops traffic that goes this way."""
        return self.one_way_of(scope) in (None, way)

    def one_way_of(self, scope: Scope) -> Direction | None:
        return self.one_way if scope in (Scope.ADDRESS, Scope.PREFIX) else None


def weigh(*, devices: Sequence[Ability], **conduct: Unpack[Conduct]) -> tuple[Candidate, ...]:
    """Weigh every rung of a ladder (`policy.remedies.weigh`) with what these devices can carry out and show."""
    way = remedies.way_of(url=conduct["url"], host_name=conduct.get("host_name"), direction=conduct.get("direction"))
    return remedies.weigh(**conduct, reach=lambda rung, selectors: reached(rung, selectors, devices, way))


def steps(plan: Plan, observation: Observation) -> tuple[Step, ...]:
    """The differences between a plan and what the device holds, lifts first. None while the device is not known."""
    if not observation.complete:
        return ()
    wanted = {rule.measure: rule for rule in plan.rules}
    held = dict(observation.fingerprints)
    stands = {key for key, seen in observation.rules if seen is Seen.IN_FORCE}
    lifts = [
        Step(verb="lift", measure=key, rule=None)
        for key, seen in sorted((key, seen) for key, seen in observation.rules if key not in wanted)
        if seen is not Seen.ABSENT
    ]
    lacking = [rule for rule in plan.rules if held.get(rule.measure) != fingerprint(rule) or rule.measure not in stands]
    lacking.sort(key=lambda rule: (rule.selector.scope, rule.measure))
    return (*lifts, *(Step(verb="apply", measure=rule.measure, rule=rule) for rule in lacking))


def fingerprint(rule: Rule) -> str:
    """Twelve characters that change when anything about a rule changes."""
    if rule.fingerprint:
        return rule.fingerprint
    s = rule.selector
    told = (s.network, s.protocol, s.port, s.direction, s.url, s.host_name, s.mailbox, s.service, s.account)
    if s.session is not None:
        told = (*told, s.session)  # type: ignore[assignment]  # Only then: what devices hold keeps its fingerprint.
    if s.forged_on is not None:
        told = (*told, "forged on", s.forged_on)  # type: ignore[assignment]  # As above.
    if rule.by_law:
        told = (*told, "by law")  # type: ignore[assignment]  # Only then, for the same reason.
    if s.announced_on is not None:
        told = (*told, "announced on", s.announced_on)  # type: ignore[assignment]  # As above.
    if s.narrowed:
        told = (*told, "far end", s.remote, "from port", s.source_port)  # type: ignore[assignment]  # As above.
    text = "|".join("" if x is None else str(x) for x in (rule.measure, rule.case, int(rule.degree), rule.until, *told))
    kept = hashlib.sha256(text.encode()).hexdigest()[:12]
    object.__setattr__(rule, "fingerprint", kept)  # A rule never changes, so neither does this.
    return kept


def digest_of(rules: Sequence[Rule]) -> str:
    """A digest of all rules of a plan, whatever their order."""
    return hashlib.sha256("\n".join(sorted(fingerprint(rule) for rule in rules)).encode()).hexdigest()


# What is within reach.


def reached(rung: Rung, selectors: tuple[Selector, ...], devices: Sequence[Ability], way: Direction) -> Reached:
    """The device that can carry it out and show it, or what is wrong with it."""
    able = [d for d in devices if (rung.scope, rung.degree) in d.can and all(d.reaches(s) for s in selectors)]
    if not able:
        return Reached(device=None, flaw=f"No device can {does(rung)}.")
    capable = [d for d in able if d.stops(rung.scope, way)]
    if not capable:
        # A blackhole leaves what the customer sends alone: a scan or a flood would go on.
        only = "what is sent to it" if able[0].one_way is Direction.IN else "what it sends"
        return Reached(device=able[0].device, flaw=f"{able[0].device} stops only {only}, and this goes the other way.")
    provable = [d for d in capable if d.shows(selectors, rung.degree) >= Proof.STATE]
    if not provable:
        best = max(capable, key=lambda d: d.shows(selectors, rung.degree))
        flaw = f"{best.device} cannot show that it is in force, only that it was told."
        return Reached(device=best.device, flaw=flaw)
    flaw = ""
    for device in provable:
        flaws = [refusal(s, device.limits) for s in selectors] if device.limits is not None else []
        if any(s.narrowed for s in selectors) and not device.narrows:
            flaws.append(f"{device.device} cannot hold exactly this, no wider and no narrower.")
        if device.holds is not None and not all(device.holds(s, rung.degree) for s in selectors):
            flaws.append(f"{device.device} cannot hold exactly this, no wider and no narrower.")
        flaw = next((f for f in flaws if f), "")
        if not flaw:
            return Reached(device=device.device, one_way=device.one_way_of(rung.scope))
    return Reached(device=provable[0].device, flaw=flaw)
