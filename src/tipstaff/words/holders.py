"""Customers, what they hold, and who held it at a moment."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from .bindings import Binding, Identity


class Tier(enum.StrEnum):
    """Whose holding a row is. Holdings of one tier never overlap in space and time."""

    OPERATOR = "operator"
    """The operator's own space, and its pools."""
    RESELLER = "reseller"
    """Space of a customer who has customers of their own."""
    CUSTOMER = "customer"
    """Space of one customer."""


class HoldingKind(enum.StrEnum):
    """How a holder came to hold it."""

    STATIC = "static"
    """Assigned until further notice."""
    LEASE = "lease"
    """Given out for a time, as by DHCP or RADIUS."""
    PORT_BLOCK = "port_block"
    """A block of ports on a shared address (deterministic NAT, RFC 7422)."""
    DELEGATED = "delegated"
    """An IPv6 prefix given to a customer's router (RFC 8415)."""
    POOL = "pool"
    """Space the operator shares out; a pool names no customer by itself."""


@dataclass(frozen=True, slots=True)
class Announcer:
    """Who announces an address: its likely holder, where it is not ours."""

    number: int
    """Of the autonomous system."""
    country: str
    """Two letters; empty where the table does not say."""
    name: str
    """The network's, as the table has it: nobody's word but the table's."""
    as_of: date
    """How old the table is."""


class ServiceKind(enum.StrEnum):
    """What a customer buys."""

    ACCESS = "access"
    """A line to the internet."""
    HOSTING = "hosting"
    """A server or space on one."""
    MAIL = "mail"
    """Mailboxes or a relay."""
    TRANSIT = "transit"
    """Routes to everywhere, by BGP."""
    COLOCATION = "colocation"
    """Room, power and a port."""


class Standing(enum.StrEnum):
    """Whether a customer's contract runs."""

    GOOD = "good"
    """It runs."""
    SUSPENDED = "suspended"
    """It rests."""
    TERMINATED = "terminated"
    """It has ended; nobody is written to without a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """The contact that a customer designates for complaints (clause row 92)."""

    name: str
    email: str
    language: str = "en"
    timezone: str = "UTC"
    phone: str = ""
    verified_at: datetime | None = None
    """When it was last shown that the address reaches them."""
    bounced_at: datetime | None = None
    """Since when letters come back; the next contact of the chain is written to."""
    openpgp_key: str = ""
    """ASCII-armoured, where the customer gave one."""
    smime_certificate: str = ""
    """PEM, where the customer gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailKeys:
    """The keys by which letters to an address are closed; with none they go as they are."""

    openpgp: tuple[str, ...] = ()
    smime: tuple[str, ...] = ()
    """Where there are both, OpenPGP is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """An account of the operator's, with whom to write to."""

    key: str
    """`acct-1001`: the operator's own account number."""
    name: str
    representative: Representative | None
    """Whom to write to now: the first contact of the chain whose letters do not come back."""
    reseller: str | None = None
    """Key of the account above this one."""
    is_reseller: bool = False
    standing: Standing = Standing.GOOD
    since: datetime | None = None
    phone: str = ""
    email: str = ""
    """The account's own address, as the order gave it."""
    postal_address: str = ""
    country: str = ""
    """Two letters (ISO 3166-1)."""
    brand: str = ""
    """Under which of the operator's brands it is; empty: under the operator's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One thing that a customer buys. Cases and measures name it, so that one fault does not touch all the others."""

    key: str
    """`svc-1001-1`."""
    customer: str
    kind: ServiceKind
    label: str = ""
    port: str = ""
    """Circuit or switch port, as the operator names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """`prefix` with ports `port_first`..`port_last` was held in [held_from, held_until)."""

    key: int
    tier: Tier
    kind: HoldingKind
    prefix: IPv4Network | IPv6Network
    held_from: datetime
    held_until: datetime | None = None
    customer: str | None = None
    """None for the operator's own space and for pools."""
    service: str | None = None
    port_first: int = 0
    port_last: int = 65535
    source: str = "registry"
    """Where the row came from: a file and line, an import, a person."""

    @property
    def shared(self) -> bool:
        """True when the row covers some ports of an address only."""
        return (self.port_first, self.port_last) != (0, 65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A virtual host: `host_name` was answered at `address` for `customer` in [since, until)."""

    host_name: str
    """In its ASCII (IDNA) form, lower case, without the final dot."""
    address: IPv4Address | IPv6Address
    customer: str
    service: str | None = None
    since: datetime
    until: datetime | None = None


class Use(enum.StrEnum):
    """What an answer may be used for."""

    NOTICE = "notice"
    """A letter to the holder."""
    NARROW_MEASURE = "narrow_measure"
    """A measure no wider than a block."""
    SUSPENSION = "suspension"
    """Any measure that the policy knows."""
    DISCLOSURE = "disclosure"
    """The holder's name to an authority that may ask for it."""
    QUESTION = "question"
    """The complainant is asked for the port or the time."""
    FINDING = "finding"
    """An engineer looks: somebody may use what was given to nobody, or to another."""


class Grade(enum.StrEnum):
    """How surely a holder is named, and so what the answer allows."""

    CONFIRMED = "confirmed"
    """One holder over the whole window, proven at every instant of it."""
    PROBABLE = "probable"
    """One holder, but not proven at every instant, or by one weak source only, or no time was stated."""
    AMBIGUOUS = "ambiguous"
    """More than one may have held it; nobody is named."""
    CONTRADICTED = "contradicted"
    """Sources of record disagree; nobody is named."""
    NO_DATA = "no_data"
    """No records reach that time; nobody is named."""
    NONE = "none"
    """Surely nobody's, or not ours."""

    @property
    def allows(self) -> frozenset[Use]:
        """What an answer of this grade may be used for, at most."""
        return _ALLOWS[self]


_ALLOWS = {
    Grade.CONFIRMED: frozenset({Use.NOTICE, Use.NARROW_MEASURE, Use.SUSPENSION, Use.DISCLOSURE}),
    Grade.PROBABLE: frozenset({Use.NOTICE, Use.NARROW_MEASURE}),
    Grade.AMBIGUOUS: frozenset({Use.QUESTION}),
    Grade.CONTRADICTED: frozenset({Use.FINDING}),
    Grade.NO_DATA: frozenset(),
    Grade.NONE: frozenset(),
}


class AttributionReason(enum.StrEnum):
    """Why a holder is named, or why nobody is."""

    ONE_HOLDER = "ONE_HOLDER"
    """The same customer held it at every instant of the window."""
    ONE_RESELLER = "ONE_RESELLER"
    """The end customer is the reseller's own; the answer stops at the reseller."""
    OUR_BOOKS = "OUR_BOOKS"
    """Our own books name the account: a bill, an order, a letter of ours. No address had to be looked up."""
    TIME_ASSUMED = "TIME_ASSUMED"
    """No time was stated; one holder held it over the whole look-back."""
    TIME_UNREAD = "TIME_UNREAD"
    """A time was stated and not understood, so it is not known who held it then."""
    SHARED_WITHOUT_PORT = "SHARED_WITHOUT_PORT"
    """Several share the address and no port was stated."""
    SEVERAL_HOLDERS_IN_WINDOW = "SEVERAL_HOLDERS_IN_WINDOW"
    """It changed hands within the window."""
    OTHER_DESTINATION = "OTHER_DESTINATION"
    """None of the connections that had the port was with the destination that is stated."""
    UNSEEN_CONNECTIONS = "UNSEEN_CONNECTIONS"
    """Another connection may have had the port as well: one that began while the log of the NAT was not read."""
    EDGE_IN_WINDOW = "EDGE_IN_WINDOW"
    """A holding begins or ends within the window of uncertainty."""
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    """What was measured names an account that the registry does not know."""
    UNASSIGNED = "UNASSIGNED"
    """Our space, held by nobody at that moment."""
    NOT_OUR_SPACE = "NOT_OUR_SPACE"
    """It was not the operator's space then."""
    NO_ADDRESS = "NO_ADDRESS"
    """The report names no address."""
    BEFORE_RECORDS = "BEFORE_RECORDS"
    """The window begins before the registry's records do."""
    ONE_SOURCE = "ONE_SOURCE"
    """One holder, by the word of a single source that does not prove a subscriber alone."""
    UNSEEN_END = "UNSEEN_END"
    """One holder, whose end was not seen: no Stop came, or the log was not read so far."""
    SOURCES_DISAGREE = "SOURCES_DISAGREE"
    """At the same instant two rows surely name different holders."""
    UNKNOWN_SUBSCRIBER = "UNKNOWN_SUBSCRIBER"
    """A log names a subscriber whom the registry does not know."""
    SOURCE_GAP = "SOURCE_GAP"
    """No source was read for a part of the window, or the registry is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Who held it: one, ambiguous or none, with the rows that prove it."""

    grade: Grade
    reason: AttributionReason
    customer: str | None = None
    """Set only for CONFIRMED and PROBABLE."""
    service: str | None = None
    downstream: str | None = None
    """The reseller's customer, where the answer stops at a reseller."""
    proof: tuple[Holding, ...] = ()
    bindings: tuple[Binding, ...] = ()
    """The rows of logs that prove it, in the order of the walk."""
    identities: tuple[Identity, ...] = ()
    """By which entries of the registry their subscribers are known."""
    sites: tuple[Site, ...] = ()
    """The virtual hosts that were named, where the question was about a host name."""
    earliest: datetime | None = None
    latest: datetime | None = None

    @property
    def named(self) -> bool:
        """True when one holder is named."""
        return self.grade in (Grade.CONFIRMED, Grade.PROBABLE)
