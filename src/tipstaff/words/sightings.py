"""What the operator's own telemetry measured. A sighting judges nothing: thresholds and entitlements are policy."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import TypeAlias

from .moments import Moment
from .reports import Allegation, Incident
from .verdicts import Disposition

LEFT_TO_PERSON = (Disposition.PERSON, Disposition.UNASSIGNED)
"""What becomes of a sighting that the judge leaves to a person: to decide, or, where nobody holds the address, to find
out why it is used."""

Stated: TypeAlias = bool | int | float | str | tuple[str, ...]
"""What is stated with a sighting or an event: a condition of a clause may ask for it."""
StatedFacts: TypeAlias = Mapping[str, Stated]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What we measured ourselves, at its time. Nobody complained of it."""

    kind: str
    """What was measured, by the name under which clauses take it: `flows.scan`."""
    moment: Moment
    sensor: str = ""
    """What measured it."""
    id: str = ""
    """The sensor's own name for it; the same sensor names two things never alike."""
    facts: StatedFacts = field(default_factory=lambda: MappingProxyType({}))
    """What was counted and compared: `targets`, `packets_per_second` ..."""
    type: str = ""
    """The XARF type that it is like. It chooses words for a letter and nothing else; the clause follows from `kind`."""
    source: IPv4Address | IPv6Address | None = None
    """The address that was seen to do it."""
    source_port: int | None = None
    url: str | None = None
    domain: str | None = None
    account: str | None = None
    """The customer's key, where our own books say whose it is and no address does: a bill, an order, a letter."""
    protocol: str | None = None
    target: str | None = None
    target_port: int | None = None
    excerpt: str = ""
    """Lines that show it, bounded."""

    @property
    def counted(self) -> tuple[tuple[str, Stated], ...]:
        """The facts as pairs: a template would take one that is named `items` for the method."""
        return tuple(self.facts.items())

    @property
    def offender(self) -> str:
        """Where it was seen, in words: a URL, else an address, else a host name, else an account."""
        return self.url or (str(self.source) if self.source else None) or self.domain or self.account or ""


Conduct: TypeAlias = Allegation | Sighting
"""What somebody says was done, or what we measured: the question that is put to the judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A sighting on record, and what became of it."""

    key: str
    """`S-000123`."""
    sighting: Sighting
    evidence: str
    """SHA-256 of the bytes in which it came."""
    line: int
    """Its line in them, from 1."""
    received_at: datetime
    disposition: Disposition | None = None
    """None while it waits for the judge."""
    reason: str = ""
    case: str | None = None
    done_at: datetime | None = None
    """When a person closed it; what the judge made of it stands beside."""
    done_by: str = ""
    done_why: str = ""

    @property
    def conduct(self) -> Sighting:
        """What is judged."""
        return self.sighting

    @property
    def left_to_person(self) -> bool:
        """Whether a person has to see to it; one that has a case is decided there."""
        return self.disposition in LEFT_TO_PERSON and self.case is None and self.done_at is None


Matter: TypeAlias = Incident | Measured
"""One thing that a case may be about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSighting:
    """A line that is no sighting, and why; the others of its file stand."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenSightings:
    """What became of one delivery of a sensor."""

    evidence: str
    taken: tuple[str, ...]
    """Keys of those that are new."""
    known: int
    """That were on record before, word for word."""
    refused: tuple[RefusedSighting, ...]


class RetestCheck(enum.StrEnum):
    """What one harmless look at an address of a customer's asks, after a fix and before its case closes."""

    TCP_PORT = "tcp_port"
    """Whether the port takes a connection. Its greeting is read; nothing is sent."""
    OPEN_RESOLVER = "open_resolver"
    """Whether the name server resolves a name of ours for anybody (UDP)."""
    OPEN_RELAY = "open_relay"
    """Whether the mail server would take a mail for somebody elsewhere. It ends before any mail is sent."""
    NTP = "ntp"
    """Whether the time server answers questions of its keepers from anybody, which multiplies traffic (UDP)."""
    MEMCACHED = "memcached"
    """Whether the cache says its version to anybody (UDP)."""
    SSDP = "ssdp"
    """Whether the device describes itself to anybody (UDP)."""


class RetestFound(enum.StrEnum):
    """What such a look showed."""

    STILL_THERE = "still_there"
    """What was reported still answers."""
    GONE = "gone"
    """It refuses, or does not answer."""
    UNCLEAR = "unclear"
    """Neither can be said: the network failed, or it was asked to come back. It is tried again."""
    NOT_MADE = "not_made"
    """Nothing was sent: the customer no longer holds the address, the leave to look ended, or no prober runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retest:
    """One look at one port of an address before a case closes, asked for or made."""

    key: str
    """`P-000123`."""
    case: str
    customer: str
    clause: str
    address: IPv4Address | IPv6Address
    protocol: str
    port: int
    check: RetestCheck
    asked_at: datetime
    tries: int = 0
    """How often it was begun."""
    sent_at: datetime | None = None
    """When the last one was begun."""
    found: RetestFound | None = None
    """None while it waits for its first or another try."""
    said: str = ""
    """What was seen, in a sentence."""
    found_at: datetime | None = None
    evidence: str = ""
    """SHA-256 of what was sent and came back, as it is kept."""
    sighting: str = ""
    """The sighting that was handed in where it is still there."""
