"""Measures: what is touched, how hard, until when, and how surely it is in force."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

LIFTED_WHEN = "It is lifted as soon as the cause is reported fixed, or when the case is closed."
"""When a measure ends, as the record says it; letters say it in their reader's language."""


def names_an_interface(network: IPv4Network | IPv6Network) -> bool:
    """Whether it has a zone (RFC 4007, section 11), `2001:db8::7%eth0`: free text, and an address of one link only."""
    return isinstance(network, IPv6Network) and network.network_address.scope_id is not None


class Degree(enum.IntEnum):
    """How hard a measure is. Smaller is preferred."""

    NOTIFY = 1
    """A letter; nothing is touched."""
    RATE_LIMIT = 2
    """Slowed down."""
    HOLD = 3
    """Held back, as mail in a queue."""
    BLOCK = 4
    """What the selector takes in is stopped."""
    WALLED_GARDEN = 5
    """Everything leads to a page that says what to do."""
    DISCONNECT = 6
    """The session is ended."""
    SUSPEND = 7
    """A service stops until further notice."""
    TERMINATE = 8
    """A service ends for good."""


class Scope(enum.IntEnum):
    """How much of the customer's world a selector takes in. Smaller is preferred."""

    FORGED = 1
    """The packets of a customer's port whose source addresses do not lead back there; nobody's lawful traffic."""
    ITEM = 2
    """One URL."""
    MAILBOX = 3
    """One mailbox."""
    HOST_NAME = 4
    """All pages of one host name."""
    FLOW = 5
    """Address, protocol and port."""
    ROUTE = 6
    """One prefix as it is announced on one BGP session; the same prefix on another is not touched."""
    ADDRESS = 7
    """All traffic of one address."""
    PREFIX = 8
    """All traffic of one prefix."""
    SESSION = 9
    """One session of the customer's line, or one machine on a port of theirs."""
    SERVICE = 10
    """One service of the customer."""
    ACCOUNT = 11
    """Everything the customer has."""


class Direction(enum.StrEnum):
    """Seen from the customer."""

    OUT = "out"
    """Packets that the customer sends: the selector's port is the destination port."""
    IN = "in"
    """Packets sent to the customer: the selector's port is the customer's own."""
    BOTH = "both"
    """Either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What is touched: exactly one network, URL, host name, mailbox, session, port with forged packets, service or
    account."""

    network: IPv4Network | IPv6Network | None = None
    protocol: str | None = None
    """`tcp` or `udp`, with `port`; only with `network`."""
    port: int | None = None
    direction: Direction = Direction.BOTH
    url: str | None = None
    host_name: str | None = None
    mailbox: str | None = None
    service: str | None = None
    account: str | None = None
    session: str | None = None
    """A session of a customer's line, as the access network names it, or one machine on a port (`machine_on`)."""
    forged_on: str | None = None
    """The customer's port on which only packets with forged sources are touched: `r1/eth7`, as the registry has it."""
    announced_on: str | None = None
    """The BGP session on which `network` is announced: the route is touched, and not its traffic by another way."""
    remote: IPv4Network | IPv6Network | None = None
    """The far end: only traffic between `network` and there is touched; with `port`."""
    source_port: int | None = None
    """Only packets from this port are touched, whichever end sends them; with `port`, which they go to."""

    def __post_init__(self) -> None:
        subjects = (self.network, self.url, self.host_name, self.mailbox, self.session, self.forged_on, self.service,
                    self.account)  # fmt: skip
        if sum(x is not None for x in subjects) != 1:
            raise ValueError(
                "a selector names exactly one network, URL, host name, mailbox, session, port, service, account"
            )
        if self.port is not None and (self.network is None or self.protocol is None):
            raise ValueError("a port belongs to a network and a protocol")
        if self.announced_on is not None and (self.network is None or self.port is not None):
            raise ValueError("what is announced is a network and no port")
        if self.narrowed and (self.network is None or self.port is None):
            raise ValueError("a far end and a source port belong to a network and a port")
        if self.remote is not None and self.network is not None and self.remote.version != self.network.version:
            raise ValueError("both ends are of one IP version")
        if self.remote is not None and names_an_interface(self.remote):
            raise ValueError("a far end names no interface")

    @property
    def narrowed(self) -> bool:
        """Whether it takes in less than a port of its network: only one far end, or what comes from one port."""
        return self.remote is not None or self.source_port is not None

    @property
    def scope(self) -> Scope:
        if self.forged_on is not None:
            return Scope.FORGED
        if self.url is not None:
            return Scope.ITEM
        if self.mailbox is not None:
            return Scope.MAILBOX
        if self.host_name is not None:
            return Scope.HOST_NAME
        if self.network is not None:
            if self.announced_on is not None:
                return Scope.ROUTE
            if self.port is not None:
                return Scope.FLOW
            return Scope.ADDRESS if self.network.num_addresses == 1 else Scope.PREFIX
        if self.session is not None:
            return Scope.SESSION
        return Scope.SERVICE if self.service is not None else Scope.ACCOUNT

    def __str__(self) -> str:
        if self.forged_on is not None:
            return f"forged packets on {self.forged_on}"
        if self.network is None:
            return self.url or self.host_name or self.mailbox or self.session or self.service or self.account or ""
        if self.announced_on is not None:
            return f"{self.network} as announced on {self.announced_on}"
        host = str(self.network.network_address) if self.network.num_addresses == 1 else str(self.network)
        if self.port is None and self.direction is Direction.BOTH:
            return host
        way = {Direction.OUT: "from", Direction.IN: "to", Direction.BOTH: "from and to"}[self.direction]
        if self.port is None:
            return f"everything {way} {host}"
        source = "" if self.source_port is None else f" from port {self.source_port}"
        far = "" if self.remote is None else f", far end {self.remote}"
        return f"{self.protocol}/{self.port} {way} {host}{source}{far}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A measure that was weighed, and what it would hit."""

    selector: Selector
    degree: Degree
    device: str | None
    """The device that could carry it out; None when none is reachable."""
    sufficient: bool
    others_hit: int
    """Accounts other than the holder's that it would touch."""
    services_hit: int
    """The holder's other services that it would touch."""
    chosen: bool
    why: str
    """One sentence: why it was chosen or rejected."""
    lasts_hours: int | None = None
    """After this time it ends by itself; None where that was not weighed."""


class Ground(enum.StrEnum):
    """Grounds on which a measure may come at once, its notice with it (clause row 64)."""

    LAW = "law"
    """The law or an order demands it."""
    LIABILITY = "liability"
    """The operator would be liable for waiting."""
    NETWORK_HARM = "network_harm"
    """The network or others on it are being harmed now."""
    LISTING = "listing"
    """A listing of the operator's addresses is imminent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """Why no warning came first: a ground, what shows it, and the two who answer for it."""

    ground: Ground
    shown_by: str
    decided_by: str
    seconded_by: str


class MeasureState(enum.StrEnum):
    """What is wanted of a measure, and how far that has come."""

    PLANNED = "planned"
    """Recorded; the enforcer has not acted yet."""
    APPLYING = "applying"
    """The intent is on record; the wire may have been touched."""
    IN_FORCE = "in_force"
    """The device has shown that it holds it."""
    LIFTING = "lifting"
    """No longer wanted; the device may still hold it."""
    LIFTED = "lifted"
    """The device has shown that it is gone, or it was never sent."""
    FAILED = "failed"
    """A guard refused it before anything was sent."""


class Proof(enum.IntEnum):
    """How surely a state is known. 'In force' may be said from STATE up."""

    NONE = 0
    """Nothing yet."""
    ACK = 1
    """The device said that it did it."""
    CONFIG = 2
    """It stands in the device's configuration."""
    STATE = 3
    """Read back from the device's forwarding or session state."""
    PROBE = 4
    """Shown by traffic: the target is stopped and its neighbour still works."""


class Seen(enum.StrEnum):
    """What a read-back says of a rule. A failed read is UNKNOWN, never ABSENT."""

    IN_FORCE = "in_force"
    """The device holds exactly this rule."""
    ABSENT = "absent"
    """The device was read whole, and it is not there."""
    DRIFT = "drift"
    """A part of it is missing, or something else stands under its name."""
    UNKNOWN = "unknown"
    """The device could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a plan: what a device shall hold for one measure."""

    measure: str
    """`M-000123`."""
    case: str
    selector: Selector
    degree: Degree
    until: datetime | None = None
    by_law: bool = False
    """The law or an order demands it: a page that is stopped says so (RFC 7725)."""
    fingerprint: str = field(default="", init=False, compare=False, repr=False)
    """Kept by the planner once it has been worked out: with 100,000 rules it is asked for again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All rules wanted on one device. A higher generation replaces a lower one."""

    device: str
    generation: int
    rules: tuple[Rule, ...]
    whole: bool = True
    """False: only what changes is in it, and everything else on the device stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One difference between a plan and what a device holds."""

    verb: str
    """`apply` or `lift`."""
    measure: str
    rule: Rule | None
    """None for a rule that the device holds and no plan wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A read-back of a device's own namespace. When not `complete`, what is not listed is UNKNOWN."""

    complete: bool
    generation: int
    rules: tuple[tuple[str, Seen], ...]
    """(measure key, what is seen)."""
    foreign: tuple[str, ...] = ()
    at: datetime
    detail: str = ""
    fingerprints: tuple[tuple[str, str], ...] = ()
    """(measure key, fingerprint of the rule that the device holds for it): a changed rule is told from a kept one."""
    only: frozenset[str] | None = None
    """The measures that were looked at, where it was not all: of others it says nothing."""

    def of(self, measure: str) -> Seen:
        for key, seen in self.rules:
            if key == measure:
                return seen
        return Seen.ABSENT if self.complete and (self.only is None or measure in self.only) else Seen.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What real traffic showed. None means that it was not probed."""

    target_stopped: bool | None
    """In every direction that the measure has."""
    neighbour_works: bool | None
    detail: str = ""
    target_free: bool | None = None
    """It gets through in every direction; left out, it is the opposite of `target_stopped`."""
    beside_works: bool | None = None
    """Something beside it got through, whatever becomes of the rest of its port; left out, as `neighbour_works`."""

    def __post_init__(self) -> None:
        if self.target_free is None and self.target_stopped is not None:
            object.__setattr__(self, "target_free", not self.target_stopped)
        if self.beside_works is None:
            object.__setattr__(self, "beside_works", self.neighbour_works)

    @property
    def proves_in_force(self) -> bool:
        return self.target_stopped is True and self.neighbour_works is True

    @property
    def proves_lifted(self) -> bool:
        return self.target_free is True

    @property
    def contradicts_lift(self) -> bool:
        """The target is stopped somewhere while its neighbour works, so it is not the probe's own way that failed."""
        return self.target_free is False and self.beside_works is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure on record."""

    key: str
    case: str
    customer: str
    device: str
    selector: Selector
    degree: Degree
    state: MeasureState
    proof: Proof
    proof_detail: str
    generation: int
    planned_at: datetime
    until: datetime | None
    """It ends by itself then, whatever else happens."""
    lifted_when: str
    """The condition under which it is lifted, in a sentence."""
    notice: str | None
    """Key of the letter that warned of it; None only with `urgency`."""
    urgency: Urgency | None
    in_force_at: datetime | None = None
    lifted_at: datetime | None = None
    proof_at: datetime | None = None
    """When the device last showed something new of it: since then it is known as surely as `proof` says."""
    still_stopped: str = ""
    """The device holds it no longer, and yet its target is stopped: what the probe saw. Something else stops it."""
    candidates: tuple[Candidate, ...] = ()


class FilterState(enum.StrEnum):
    """How far a filter that belongs to no case has come."""

    PROPOSED = "proposed"
    """Somebody proposed it; an engineer decides."""
    AGREED = "agreed"
    """An engineer agreed, and whoever it would touch is told first."""
    STANDS = "stands"
    """Its measure is planned or in force."""
    ENDED = "ended"
    """It was taken out, by its end or by a person, or it was withdrawn."""
    REFUSED = "refused"
    """An engineer did not want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A filter in the network against a danger, that belongs to no case (clause row 83)."""

    key: str
    """`F-000001`."""
    selector: Selector
    degree: Degree
    device: str
    danger: str
    """What is in danger and why this ends it, in words; whoever is touched reads it."""
    shown_by: tuple[str, ...]
    """Keys of the record that show the danger: sightings, reports, cases."""
    state: FilterState
    proposed_by: str
    proposed_at: datetime
    lasts_hours: int
    touches: tuple[str, ...]
    """The customers whom it touches, as the registry said when it was last looked up."""
    considered: tuple[str, ...] = ()
    """What was narrower, and why it was not proposed."""
    ground: Ground | None = None
    """Why nobody is told before it counts; None where they are."""
    decided_by: str = ""
    decided_at: datetime | None = None
    decided_why: str = ""
    starts_at: datetime | None = None
    letters: tuple[tuple[str, str], ...] = ()
    """(customer, the letter that told them)."""
    measure: str = ""
    ended_at: datetime | None = None
    ended_why: str = ""
