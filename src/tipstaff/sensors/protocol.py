"""What a detector is: it reads what the operator's devices and servers write, and says what it counted. Pure.

It judges nothing. It leaves out what is far below anything that a policy might ask for, so that not every packet
becomes a sighting; the clause that takes a finding says what amounts to something.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Protocol, TypeAlias

from tipstaff.words import ResourceKind, StatedFacts, Usage

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a detector counted. Whose it is is looked up at its time: by the address, or by a thing that one customer
    at a time holds."""

    kind: str
    """The finding, as clauses take it: `flows.scan`."""
    id: str
    """The same for the same thing in the same stretch of time, however often the file is read."""
    at: datetime
    error_seconds: float = 1.0
    facts: StatedFacts = field(default_factory=lambda: MappingProxyType({}))
    type: str = ""
    """The XARF type that it is like, for the letter's words."""
    source: Address | None = None
    held: tuple[ResourceKind, str, str] | None = None
    """Kind, name and scope of what its customer holds, where no address says whose it is."""
    account: str = ""
    """The customer's key, where the books named it already."""
    used: Usage | None = None
    """Set where all that was seen is that something is in use: the registry says whether anybody's right to it has
    ended, and whose. Nothing is handed in where nobody's has."""
    protocol: str = ""
    target: str = ""
    target_port: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Who held a network last, where nobody holds it now, and since when nobody has."""

    customer: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Roa:
    """What a route origin authorisation allows (RFC 9582): `origin` may announce `prefix`, no longer than `longest`."""

    prefix: Network
    longest: int
    origin: int


class Books(Protocol):
    """What the registry says, and what was agreed: a detector compares with it and changes nothing."""

    @property
    def agreed(self) -> frozenset[str]:
        """Addresses whose tests and scans were agreed on beforehand."""

    @property
    def roas(self) -> Sequence[Roa]:
        """The validated route origins that were handed in."""

    @property
    def own_asn(self) -> int | None:
        """The operator's own autonomous system; None where it was not said."""

    @property
    def controls(self) -> Mapping[str, str]:
        """Addresses of servers known to control other people's machines, each with who says so."""

    @property
    def needed(self) -> Mapping[str, str]:
        """The oldest version of a product that is in order, by its name in small letters."""

    def allowed(self, customer: str, detector: str, *, at: datetime) -> bool:
        """Whether a customer had allowed that this detector looks at what is theirs."""

    def represented_by(self, email: str, *, at: datetime) -> Iterable[tuple[str, int]]:
        """The customers who named this contact, each with how many others of theirs are reached."""

    def is_own(self, network: Network, *, at: datetime) -> bool:
        """Whether it was the operator's space then."""

    def is_given(self, network: Network, *, at: datetime) -> bool:
        """Whether anybody was given any of it then, or may take it out of a pool."""

    def holder(self, network: Network, *, at: datetime) -> str | None:
        """The customer who holds all of it then; None for nobody or several."""

    def ended(self, network: Network, *, at: datetime) -> Ended | None:
        """Who held it last, where nobody holds it then."""

    def holder_of(self, kind: ResourceKind, name: str, *, scope: str = "", at: datetime) -> str | None:
        """The customer who holds a thing then."""

    def may_announce(self, customer: str, prefix: Network, origin: int, *, at: datetime) -> tuple[bool, bool]:
        """(whether the registry has it as theirs, whether a letter of authority covers it)."""


class Detector(Protocol):
    """A plug-in of the group `tipstaff.detectors`, named as its entry point is."""

    reads: str
    """What it reads, in a phrase: `flow records as CSV`."""

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        """What it counted in the whole of `lines`; raise NotReadable for a file in another form."""


class NotReadable(ValueError):
    """The file is not in the form that this detector reads; the message says which line and why."""


def rows(
    lines: Iterable[str], *, columns: Sequence[str], more: Sequence[str] = ()
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line, its fields) of a CSV file whose first line names its columns; `more` are columns that may be missing."""
    reader = csv.reader(line for line in lines if line.strip() and not line.startswith("#"))
    try:
        head = [name.strip() for name in next(reader, [])]
        if missing := [name for name in columns if name not in head]:
            raise NotReadable(f"line 1: there is no column {missing[0]}; the first line names {', '.join(columns)}.")
        for number, fields in enumerate(reader, 2):
            if len(fields) != len(head):
                raise NotReadable(f"line {number}: {len(fields)} fields under {len(head)} columns.")
            row = {name: value.strip() for name, value in zip(head, fields, strict=True)}
            yield number, {name: row.get(name, "") for name in (*columns, *more)}
    except csv.Error as why:
        raise NotReadable(f"line {reader.line_num}: {why}.") from None


def instant(text: str, *, line: int) -> datetime:
    """An instant as RFC 3339 with its zone, or as seconds since 1970."""
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(text), tz=UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise NotReadable(f"line {line}: {text!r} is no time.") from None
    if at.tzinfo is None:
        raise NotReadable(f"line {line}: {text!r} states no zone.")
    return at.astimezone(UTC)


def number(text: str, *, line: int) -> float:
    """A number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**63:
        raise NotReadable(f"line {line}: {text!r} is no number from 0.")
    return value


def since_without_a_break(seen: Iterable[tuple[datetime, bool]]) -> datetime | None:
    """Since when it has been so at every look; None where the last one found it otherwise."""
    since = None
    for at, so in sorted(seen):
        since = (since or at) if so else None
    return since
