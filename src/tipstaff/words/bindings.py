"""What a log proves of who had an address: bindings, and the subscribers that they name."""

import enum
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

PUBLIC = ""
"""The realm of the internet's own addresses. Inside addresses (RFC 1918, RFC 6598) need a realm of their own."""


class Ending(enum.StrEnum):
    """How the end of a binding is known."""

    EXPLICIT = "explicit"
    """A Stop, a release, or the end that the log itself states."""
    PROMISED = "promised"
    """A lease's own term. It was not seen to end earlier, as far as the log was read."""
    SUPERSEDED = "superseded"
    """The same source gave the address to somebody else, or its device restarted."""
    INFERRED = "inferred"
    """It was expected to speak and did not: it ended at some time after it was last seen."""
    OPEN = "open"
    """It had not ended when the log was read."""


class SubjectKind(enum.StrEnum):
    """By what a log names a subscriber."""

    USERNAME = "username"
    """A log-in that was authenticated."""
    CIRCUIT = "circuit"
    """A line or port, as the access network names it (RFC 3046 circuit or remote id, NAS-Port-Id)."""
    MAC = "mac"
    """A hardware address. Anybody can take another's, so it never proves a subscriber alone. Who was logged in with it,
    the session of a RADIUS server says (`Station`)."""
    SERVICE = "service"
    """The key of a service in the registry."""


@dataclass(frozen=True, slots=True)
class Station:
    """A machine by its hardware address (EUI-48), where a log says who was logged in with it: Calling-Station-Id."""

    number: int

    def __str__(self) -> str:
        return ":".join(f"{octet:02x}" for octet in self.number.to_bytes(6, "big"))

    def __contains__(self, address: object) -> bool:
        """No address of the internet lies in it."""
        return False


def station_of(text: str) -> Station | None:
    """The machine that a log names: upper or lower case, octets apart by `:`, `-` or `.` or not at all (RFC 3580,
    section 3.21). None for what is no hardware address, or not one machine's: zero, groups, and twelve decimal digits
    without anything between them, which may be a telephone number (RFC 2865, section 5.31)."""
    digits = text.strip().lower()
    plain = "".join(c for c in digits if c not in ":-.")
    if len(plain) != 12 or not set(plain) <= set("0123456789abcdef") or (digits == plain and plain.isdecimal()):
        return None
    number = int(plain, 16)
    return Station(number) if number and not number >> 40 & 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A source's word that `prefix` with some ports was given to a subscriber, or to an inside address by NAT; of a
    station, that the subscriber was logged in with it.

    The address was surely held in [sure_from, sure_until) and possibly in [possible_from, possible_until): the clock's
    error and an unseen end lie between the two. `sure_from >= sure_until` says that no instant is sure.
    """

    source: str
    """The name that the import gave to the source: `radius-1`."""
    realm: str = PUBLIC
    prefix: IPv4Network | IPv6Network | Station
    port_first: int = 0
    port_last: int = 65535
    protocol: int | None = None
    """IANA protocol number; None for all."""
    possible_from: datetime
    sure_from: datetime
    sure_until: datetime
    possible_until: datetime | None = None
    """None while it is open."""
    ending: Ending = Ending.OPEN
    strong: bool = True
    """True when the source alone proves the subscriber: an authenticated log-in, a wired circuit, the NAT's own map."""
    momentary: bool = False
    """True for one connection of a per-flow NAT log: before and after it the port was nobody's."""
    subject_kind: SubjectKind | None = None
    """None for a translation, which leads to `inside`."""
    subject: str = ""
    inside: IPv4Address | IPv6Address | None = None
    inside_realm: str = PUBLIC
    there: IPv4Address | IPv6Address | None = None
    """With whom a connection was; None where its log did not say, or it was not kept."""
    there_port: int | None = None
    file: str = ""
    offset: int = 0
    """Where in the file the row that proves it begins, in bytes."""
    sha256: str = ""
    """Of the stretch of the file that was read with it."""
    stretch: tuple[int, int] = (0, 0)
    """That stretch: first byte, and the byte after its last."""
    clock_error_seconds: float = 0.0
    """The bound of the source's clock that the edges were widened by."""
    heard: datetime | None = None
    """When its log last spoke of a lease before its end; None where that is not kept."""
    part: str = ""
    """The file of flows that keeps the row, where it is not in the database; `part_row` is its number there, from 0."""
    part_row: int = 0
    part_sha256: str = ""

    @property
    def shared(self) -> bool:
        """True when it covers some ports, or one protocol, of an address only."""
        return (self.port_first, self.port_last) != (0, 65535) or self.protocol is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By which service a subscriber that logs name is known to the registry, in [since, until).

    Within that it is sure in [sure_from, sure_until), as long as somebody had said so; what nobody had said yet, or
    said no more, is only possible."""

    kind: SubjectKind
    value: str
    customer: str
    service: str | None = None
    reseller: str | None = None
    """The account above the customer that answers to the operator; an answer stops there."""
    since: datetime | None = None
    until: datetime | None = None
    sure_from: datetime | None = None
    """None: from `since` on."""
    sure_until: datetime | None = None
    """None: until `until`."""
    source: str | None = None
    """Whose logs name the subscriber so: `radius-east`, or `radius` for all whose names begin with `radius-`; None for
    all logs. Two log-in servers may each have an `alice`."""

    def surely_at(self, at: datetime) -> bool:
        """True when somebody had said so at that instant."""
        return (self.sure_from is None or self.sure_from <= at) and (self.sure_until is None or at < self.sure_until)

    def in_logs_of(self, source: str) -> bool:
        """True when it is about a subscriber whom the logs of `source` name."""
        return is_of_logs(self.source or "", source)


def is_of_logs(scope: str, source: str) -> bool:
    """True when a name of this scope is one by which the logs of `source` mean a subscriber: `radius` stands for itself
    and for all whose names begin with `radius-`, an empty scope for all logs."""
    mine, theirs = scope.lower(), source.lower()
    return not mine or theirs == mine or theirs.startswith(f"{mine}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """No source can speak for [since, until): nobody seen then is not nobody there."""

    since: datetime | None
    until: datetime | None
    behind_nat: bool = False
    """True where it is a source of the inside addresses that cannot speak, and not one of the address asked about."""
    lasting: bool = False
    """True after a gap, while a lease, block of ports or connection that began in it may last without a word."""
    beside: bool = False
    """True of such a time, too, where it may have been had beside another's: a NAT may give one public port to several
    connections at once, each with another server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A line that a source's reader did not take in, and why. The rest of the file was taken in."""

    offset: int
    why: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLoad:
    """What one reading of a source's file brought."""

    source: str
    kind: str
    file: str
    first_byte: int
    """Where this reading went on; 0 for a new file."""
    end_byte: int
    sha256: str
    records: int
    bindings: int
    refused: tuple[RefusedLine, ...] = ()
    """The first few; `refused_total` counts all."""
    refused_total: int = 0
    clock_error_seconds: float = 0.0
    covers_from: datetime | None = None
    covers_until: datetime | None = None
