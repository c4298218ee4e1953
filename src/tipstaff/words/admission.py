"""Who is let in, and what of those who were sent away is still seen."""

import enum
from dataclasses import dataclass
from datetime import datetime


class ListKind(enum.StrEnum):
    """A list against which customers are held."""

    ALIASES = "aliases"
    """Names and aliases of known spam operations, as ROKSO keeps them."""
    DROP = "drop"
    """Prefixes not to be routed (Spamhaus DROP)."""
    ASN_DROP = "asn-drop"
    """Autonomous systems not to be peered with (Spamhaus ASN-DROP)."""


class ConcernKind(enum.StrEnum):
    """Why a person should look at an order."""

    ALIAS_MATCH = "ALIAS_MATCH"
    """A name is like one on the list of aliases."""
    DROP_PREFIX = "DROP_PREFIX"
    """A prefix of theirs overlaps one on the DROP list."""
    DROP_ASN = "DROP_ASN"
    """An AS number of theirs is on the ASN-DROP list."""
    TERMINATED_BEFORE = "TERMINATED_BEFORE"
    """It is like a customer who was terminated."""
    ORDER_INCOMPLETE = "ORDER_INCOMPLETE"
    """A field that an order must have is empty."""
    ORDER_CONTRADICTS = "ORDER_CONTRADICTS"
    """Two fields can't both be right, or one can't be right at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing about an order that a person should look at. It decides nothing."""

    kind: ConcernKind
    explanation: str
    """Why, in a sentence that names what was compared."""
    score: int
    """0 to 100: how like the two are; 100 for a plain fact."""
    against: str = ""
    """The list's entry or the customer it was compared with."""


class AdmissionState(enum.StrEnum):
    """How far an admission is."""

    WAITING = "waiting"
    """A person has to decide."""
    CLEAR = "clear"
    """Nothing was found; nobody had to decide."""
    ACCEPTED = "accepted"
    """A person let the customer in."""
    REFUSED = "refused"
    """A person refused the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One vetting of a new or changed customer."""

    key: str
    """`AD-4`."""
    customer: str
    customer_name: str
    opened_at: datetime
    state: AdmissionState
    concerns: tuple[Concern, ...]
    lists: tuple[str, ...]
    """The lists it was held against: `drop of 2026-03-01`."""
    decided_at: datetime | None = None
    decided_by: str = ""
    why: str = ""


class UsageKind(enum.StrEnum):
    """How something shows itself in use."""

    TRAFFIC = "traffic"
    """Packets from or to an address."""
    LOGIN = "login"
    """A log-in."""
    ANNOUNCEMENT = "announcement"
    """A route."""
    LEASE = "lease"
    """An address was given to a circuit or a machine, or renewed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A sensor saw that something was used."""

    kind: UsageKind
    what: str
    """The address or prefix, the log-in, the prefix and the AS number that originates it, or the circuit or machine as
    `circuit NAME` or `mac NAME`."""
    seen_at: datetime
    source: str
    """The sensor, or the file and line."""


class LateUseReason(enum.StrEnum):
    """Why a use is a finding."""

    HOLDING_ENDED = "HOLDING_ENDED"
    """The last who held it holds it no more, and nobody has it now."""
    CUSTOMER_TERMINATED = "CUSTOMER_TERMINATED"
    """Who holds it was terminated before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateUse:
    """A finding: something was used after its holder's right to it had ended."""

    use: Usage
    customer: str
    reason: LateUseReason
    ended_at: datetime
    explanation: str
