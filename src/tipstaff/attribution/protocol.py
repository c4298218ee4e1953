"""What a source of identity is: a reader that turns a stretch of a file into records of who had an address.

A source comes through the entry points `tipstaff.sources`. It says in words what it proves, how wrong its clock may be
and what it misses; it never judges, and it never stops at a bad line: that line is refused with its reason.
"""

import enum
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tipstaff.words import PUBLIC, RefusedLine

from .codes import CIRCUIT, KINDS, MAC, OPEN, SERVICE, STATION, USERNAME

__all__ = [
    "CIRCUIT",
    "DECLINED",
    "ERROR",
    "KINDS",
    "MAC",
    "OPEN",
    "RECORD",
    "REFUSED_TOLD_MAX",
    "SERVICE",
    "STATION",
    "USERNAME",
    "Joins",
    "Kind",
    "Lines",
    "Options",
    "Parsed",
    "Source",
    "Span",
    "Stretch",
    "UnusableFile",
]  # fmt: skip

RECORD: dict[str, tuple[pl.DataType, object]] = {
    # column: (type, what stands for it where a source leaves it out)
    "offset": (pl.Int64(), 0),  # where the record begins in the file, in bytes
    "end_offset": (pl.Int64(), None),  # where the record begins that says how it ended
    "version": (pl.UInt8(), 4),  # or STATION
    "hi": (pl.UInt64(), 0),  # the upper 64 bits of an IPv6 prefix
    "lo": (pl.UInt64(), 0),  # the lower 64 bits, or the IPv4 address
    "length": (pl.UInt8(), 32),
    "port_first": (pl.Int32(), 0),
    "port_last": (pl.Int32(), 65535),
    "protocol": (pl.Int16(), -1),  # IANA number; -1 for all
    "since": (pl.Int64(), None),  # microseconds since 1970, UTC
    "seen": (pl.Int64(), None),  # the last instant at which it was surely so
    "until": (pl.Int64(), OPEN),  # when it ended or will end by its own term
    "final": (pl.Boolean(), False),  # `until` was seen to happen
    "begun": (pl.Boolean(), True),  # False where `since` is only the instant of the record itself
    "session": (pl.String(), ""),  # what tells two sessions of one subscriber apart within a file
    "remote": (pl.String(), ""),  # whom a connection is with: two with others may have one port at a time
    "nas": (pl.String(), ""),  # whose restart ends it
    "kind": (pl.UInt8(), USERNAME),
    "subject": (pl.String(), ""),
    "strong": (pl.Boolean(), True),
    "inside_version": (pl.UInt8(), 4),
    "inside_hi": (pl.UInt64(), 0),
    "inside_lo": (pl.UInt64(), 0),
}


ERROR = "error"
"""A column beside those of RECORD: by how many microseconds the instants of a record may be off, beyond the error of
the source's clock."""
DECLINED = "declined"
"""The subject of an address that a client found in use when it was given to it: somebody's whom nobody knows."""


class Joins(enum.Enum):
    """How records of one subscriber on one address make one binding."""

    SESSION = "session"
    """Start, interim and stop: records with the same beginning are one."""
    LEASE = "lease"
    """Renewals: a record that begins before the one before it ends goes on with it, and the newest term counts."""
    SIGHTING = "sighting"
    """Seen again within the time between two looks."""
    ALONE = "alone"
    """Each record is a binding."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some whole records of a file."""

    data: bytes
    offset: int
    """Where they begin in the file."""
    header: bytes = b""
    """The file's first line, for kinds that have one, or what the kind carries on; `data` never holds it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the person who imports says about a source."""

    source: str
    realm: str = PUBLIC
    inside_realm: str = PUBLIC
    zone: ZoneInfo | None = None
    """Of times that a log writes without one."""
    year: int | None = None
    """Of times that a log writes without one (RFC 3164): that of the first of them."""
    after: int | None = None
    """The last instant, in microseconds, that was read of the source before: by it later years are told."""
    goes_on: bool = False
    """It is the file itself that was read so far, and not only the source."""
    clock_error_seconds: float | None = None
    """None estimates it."""
    interim_seconds: float | None = None
    """How often the source speaks of what still lasts."""
    circuits_unique: bool = False
    """Circuit-ids are unique in the whole network, not only within each relay."""
    lasts_seconds: float | None = None
    """How long a connection, or a block of ports, lasts at most; None: a day. 0: none outlasts a gap of the log."""
    one_port: bool = False
    """No NAT of the source gives a public port to two inside addresses at once, whatever they are connected with."""
    follows: bool = False
    """The file goes on where another one of the source ended, though all is silent for longer between the two."""
    one_pool: bool = False
    """No access server (NAS) gives out an address that another has given out and not taken back."""


Span = tuple[int | None, int | None]


@dataclass(kw_only=True)
class Parsed:
    """What a stretch says."""

    records: pl.DataFrame
    """Some columns of RECORD; the others are their defaults."""
    count: int
    """Records read, refused ones left out."""
    refused: list[RefusedLine] = field(default_factory=list)
    refused_total: int = 0
    restarts: pl.DataFrame | None = None
    """Columns `nas` and `at`: everything that a NAS had open ended then at the latest."""
    lateness: np.ndarray | None = None
    """Arrival less event, in microseconds, of records that state both: what the clock's error is estimated from."""
    covers: tuple[int, int] | None = None
    """First and last instant that the stretch speaks of."""
    missed: list[Span] = field(default_factory=list)
    """Between which instants records lie that the source did write and that could not be read: of the record before and
    of the one after, None where the stretch has none."""


class Source(Protocol):
    """One kind of log."""

    kind: str
    """As in `tipstaff registry import KIND`."""
    proves: str
    clock: str
    gaps: str
    joins: Joins
    has_header: bool
    whole: bool
    """True when a file states all there is: each reading replaces what the same file said before."""
    says_the_present: bool
    """True when such a file says what is so now, and need not say since when: its past is what its readings said."""
    momentary: bool
    """True when each record is one connection."""
    rotated: bool
    """True for a log of which one file follows on another: that none is missing between two, their silence tells."""
    lasts_seconds: float
    """How long what it tells of may last without a word, if nobody says otherwise; 0 where that is not reckoned."""
    tells_lateness: bool
    """True when its records say how late they arrived (`Parsed.lateness`); else the change of a growing file tells."""
    clock_error_seconds: float
    """Of a clock that NTP keeps; the estimate never goes below it."""

    def cut(self, data: bytes) -> int:
        """After how many bytes the last whole record ends; 0 when there is none."""

    def carry(self, header: bytes, data: bytes) -> bytes:
        """The header for the stretch that comes after `data`: what it needs to know of all that came before."""

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        """The records of a stretch, with bad ones refused."""


class UnusableFile(ValueError):
    """The file is not of the kind that was named; the message says what is missing."""


class Kind:
    """A base for kinds: what most of them have in common."""

    has_header = False
    whole = False
    says_the_present = False
    momentary = False
    rotated = False
    lasts_seconds = 0.0
    tells_lateness = False
    clock_error_seconds = 1.0

    def carry(self, header: bytes, data: bytes) -> bytes:
        return header


class Lines(Kind):
    """A base for kinds whose records are lines."""

    def cut(self, data: bytes) -> int:
        return data.rfind(b"\n") + 1


REFUSED_TOLD_MAX = 50
