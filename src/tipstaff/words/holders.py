"""Customers, what they hold, and who held it at a moment."""

import enum
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network


class Tier(enum.StrEnum):
    """Whose holding a row is. Holdings of one tier never overlap in space and time."""

    OPERATOR = "operator"
    RESELLER = "reseller"
    CUSTOMER = "customer"


class HoldingKind(enum.StrEnum):
    STATIC = "static"
    LEASE = "lease"
    PORT_BLOCK = "port_block"
    """A block of ports on a shared address (deterministic NAT, RFC 7422)."""
    DELEGATED = "delegated"
    POOL = "pool"
    """Space the operator shares out; a pool names no customer by itself."""


class ServiceKind(enum.StrEnum):
    ACCESS = "access"
    HOSTING = "hosting"
    MAIL = "mail"
    TRANSIT = "transit"
    COLOCATION = "colocation"


class Standing(enum.StrEnum):
    GOOD = "good"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """The contact that a customer designates for complaints (clause row 92)."""

    name: str
    email: str
    language: str = "en"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    key: str
    """`acct-1001`: the operator's own account number."""
    name: str
    representative: Representative | None
    reseller: str | None = None
    """Key of the account above this one."""
    is_reseller: bool = False
    standing: Standing = Standing.GOOD
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
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


class Grade(enum.StrEnum):
    """How surely a holder is named, and so what the answer allows."""

    CONFIRMED = "confirmed"
    PROBABLE = "probable"
    AMBIGUOUS = "ambiguous"
    CONTRADICTED = "contradicted"
    NO_DATA = "no_data"
    NONE = "none"


class AttributionReason(enum.StrEnum):
    ONE_HOLDER = "ONE_HOLDER"
    ONE_RESELLER = "ONE_RESELLER"
    """The end customer is the reseller's own; the answer stops at the reseller."""
    TIME_ASSUMED = "TIME_ASSUMED"
    """No time was stated; one holder held it over the whole look-back."""
    SHARED_WITHOUT_PORT = "SHARED_WITHOUT_PORT"
    SEVERAL_HOLDERS_IN_WINDOW = "SEVERAL_HOLDERS_IN_WINDOW"
    EDGE_IN_WINDOW = "EDGE_IN_WINDOW"
    """A holding begins or ends within the window of uncertainty."""
    UNASSIGNED = "UNASSIGNED"
    """Our space, held by nobody at that moment."""
    NOT_OUR_SPACE = "NOT_OUR_SPACE"
    NO_ADDRESS = "NO_ADDRESS"
    BEFORE_RECORDS = "BEFORE_RECORDS"


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
    earliest: datetime | None = None
    latest: datetime | None = None

    @property
    def named(self) -> bool:
        """True when one holder is named."""
        return self.grade in (Grade.CONFIRMED, Grade.PROBABLE)
