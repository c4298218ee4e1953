"""Per-flow NAT logs as IPFIX files: NAT session events (RFC 8158) in messages (RFC 7011) one after another (RFC 5655);
and the same events in the packets of NetFlow version 9 (RFC 3954), as a NAT exports them.

A template says where the fields of a data set lie; all data sets of one template are then read by the column.
"""

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ...protocol import OPEN, Joins, Kind, Options, Parsed, Stretch
from ...reading import WITH_PORTS, Sieve

VERSION, HEADER = 10, 16
VERSION_9, HEADER_9 = 9, 20
TEMPLATES, OPTIONS_TEMPLATES, DATA = 2, 3, 256
"""Set ids (RFC 7011, section 3.3.2)."""
VARIABLE = 65535
CREATED, DELETED = (1, 4, 6), (2, 5, 7)
"""natEvent of sessions: the historic ones, NAT44 and NAT64 (RFC 8158, section 4.3)."""
_INSIDE4, _INSIDE6, _OUTSIDE4, _OUTSIDE6, _PORT, _OUTSIDE_PORT = 8, 27, 225, 281, 7, 227
_THERE4, _THERE6, _THERE_PORT, _PROTOCOL, _EVENT, _MILLISECONDS = 12, 28, 11, 4, 230, 323
"""Numbers of information elements in IANA's registry of them."""
_WIDTH = {_INSIDE4: 4, _OUTSIDE4: 4, _THERE4: 4, _INSIDE6: 16, _OUTSIDE6: 16, _THERE6: 16}

Template = tuple[tuple[int, int], ...]
"""(element, octets) of each field; an element of an enterprise of its own is -1."""


@dataclass
class _Read:
    """What the sets of a stretch hold."""

    blocks: dict[Template, list[tuple[int, bytes]]] = field(default_factory=dict)
    """Data sets by their template: the place in the file, and the octets."""
    bad: list[tuple[int, str]] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    """Where among these there may be events of sessions, and where messages are missing before one."""


class Ipfix(Kind):
    """A session is created, and deleted; both events name the addresses and ports on either side."""

    kind = "nat-ipfix"
    proves = "which inside address made a connection from a public address and port"
    clock = "the NAT's own, to the millisecond"
    gaps = (
        "messages that UDP lost, which their numbers show; a flow whose end was lost is open until its port is used "
        "again with the same server"
    )
    joins = Joins.SESSION
    rotated = True
    momentary = True
    lasts_seconds = 86_400.0

    version = VERSION

    def cut(self, data: bytes) -> int:
        return _framed(data, self.version)[1]

    def carry(self, header: bytes, data: bytes) -> bytes:
        """The templates that were stated so far, those of options too, as messages: a later stretch may use them."""
        known: dict[tuple[int, int], tuple[int, bytes]] = {}
        # Of options only how long their records are is asked, which NetFlow does not count.
        carried = (TEMPLATES, OPTIONS_TEMPLATES) if self.version == VERSION else (TEMPLATES,)
        for piece in (header, data):
            for domain, _, number, body in _sets(piece, self.version):
                if number in carried:
                    for id, _, record in _templates(body, self.version, scoped=number == OPTIONS_TEMPLATES):
                        known[domain, id] = number, record
        numbers = _Numbers(header, self.version)
        numbers.follow(data)
        stated = b"".join(self._stated(domain, number, record) for (domain, _), (number, record) in known.items())
        return stated + b"".join(self._empty(domain, number) for domain, number in numbers.due.items())

    def _stated(self, domain: int, set_id: int, record: bytes) -> bytes:
        """A message that states one template."""
        length = 4 + len(record)
        return struct.pack(">HHIIIHH", VERSION, HEADER + length, 0, 0, domain, set_id, length) + record

    def _empty(self, domain: int, number: int) -> bytes:
        """A message without a record: the next one's number is its own."""
        return struct.pack(">HHIII", VERSION, HEADER, 0, number, domain)

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        found = _read(stretch, self.version)
        frames = [_frame(template, blocks) for template, blocks in found.blocks.items()]
        frame = pl.concat([f for f in frames if f is not None and f.height] or [_nothing()], how="vertical")
        sieve = Sieve(frame.sort("offset"))
        sieve.refuse(~pl.col("event").is_in([*CREATED, *DELETED]), "no event of a session of NAT")
        sieve.refuse(pl.col("since") <= 0, "no time", missed=True)
        sieve.refuse(pl.col("since") > _LATEST, "a time beyond the calendar", missed=True)
        no_port, why = ~pl.col("port_first").is_between(1, 65535), "no port on the outside"
        sieve.refuse(no_port & pl.col("protocol").is_in(WITH_PORTS), why, missed=True)
        sieve.refuse(no_port, why)
        # Not translated: the registry and the sessions of that address speak for it.
        kept = sieve.frame.filter((pl.col("lo") != pl.col("inside_lo")) | (pl.col("hi") != pl.col("inside_hi")))
        gone = pl.col("event").is_in(DELETED)
        records = kept.with_columns(
            pl.col("port_first").alias("port_last"),
            pl.lit(0, pl.UInt8).alias("kind"),
            pl.col("since").alias("seen"),
            pl.when(gone).then("since").otherwise(OPEN).alias("until"),
            gone.alias("final"),
            (~gone).alias("begun"),
        ).drop("event")
        sieve.missed += [np.array(found.missed, np.int64)] if found.missed else []
        sieve.told += found.bad[:50]
        sieve.total += len(found.bad)
        return sieve.parsed(records)


class NetFlow(Ipfix):
    """Packets one after another, as `nc -lu 2055` writes them into a file."""

    kind = "nat-netflow"
    version = VERSION_9

    def _stated(self, domain: int, set_id: int, record: bytes) -> bytes:
        return struct.pack(">HHIIIIHH", VERSION_9, 1, 0, 0, 0, domain, set_id - TEMPLATES, 4 + len(record)) + record

    def _empty(self, domain: int, number: int) -> bytes:
        return struct.pack(">HHIIII", VERSION_9, 0, 0, 0, number, domain)


_LATEST = 253_402_300_799 * 10**6
"""The last second of the year 9999."""


class _Numbers:
    """Which number the next message of each observation domain has, so that missing ones show: IPFIX counts the records
    of data sent before (RFC 7011, section 3.1), NetFlow the packets (RFC 3954, section 5.1). Where that can't be
    reckoned, or where messages are not numbered at all, nothing shows."""

    def __init__(self, header: bytes, version: int) -> None:
        self._next: dict[int, int] = {}
        self._version, self._head = version, HEADER if version == VERSION else HEADER_9
        self._sizes: dict[tuple[int, int], int] = {}
        self._seen: dict[int, deque[int]] = {}
        self._again: set[int] = set()
        for begin, end in _framed(header, version)[0]:
            number, domain = struct.unpack_from(">II", header, begin + self._head - 8)
            if end - begin == self._head:
                self._next[domain] = number
            else:
                self._records(header, begin, end, domain)

    @property
    def due(self) -> dict[int, int]:
        """By domain; of one whose last message had the number of another, nothing is said."""
        return {domain: number for domain, number in self._next.items() if domain not in self._again}

    def follow(self, data: bytes) -> list[int]:
        """Where messages begin before which others are missing."""
        missing: dict[int, list[tuple[int, int, int]]] = {}
        missed = []
        for begin, end in _framed(data, self._version)[0]:
            number, domain = struct.unpack_from(">II", data, begin + self._head - 8)
            records = self._records(data, begin, end, domain)
            seen = self._seen.setdefault(domain, deque(maxlen=64))
            due = self._next.get(domain)
            if number in seen and number != due:
                self._again.add(domain)
                continue  # Sent twice, or not numbered.
            self._again.discard(domain)
            seen.append(number)
            ahead = 0 if due is None else (number - due) % 2**32
            if 0 < ahead < 2**31:
                missing.setdefault(domain, []).append((due or 0, number, begin))
            elif ahead:
                late = next((x for x in missing.get(domain, []) if x[0] <= number < x[1]), None)
                if late is not None:
                    # Overtaken by another: what it is not itself may still come.
                    missing[domain].remove(late)
                    rest = [(late[0], number), (number + (records or 0), late[1])]
                    missing[domain] += [(first, last, late[2]) for first, last in rest if first < last]
                    continue
                missed.append(begin)  # The exporter began anew, and whatever it had not sent is lost.
            if records is None:
                self._next.pop(domain, None)
            else:
                self._next[domain] = (number + records) % 2**32
        return [*missed, *(place for places in missing.values() for _, _, place in places)]

    def _records(self, data: bytes, begin: int, end: int, domain: int) -> int | None:
        """By how many the next number is greater; None where that can't be known."""
        if self._version != VERSION:
            return 1
        count, place = 0, begin + HEADER
        known = True
        while place + 4 <= end:
            number, length = struct.unpack_from(">HH", data, place)
            if length < 4 or place + length > end:
                return None
            if number in (TEMPLATES, OPTIONS_TEMPLATES):
                body = data[place + 4 : place + length]
                for id, fields, _ in _templates(body, VERSION, scoped=number == OPTIONS_TEMPLATES):
                    sizes = [octets for _, octets in fields]
                    self._sizes[domain, id] = 0 if VARIABLE in sizes else sum(sizes)
            elif size := self._sizes.get((domain, number), 0):
                count += (length - 4) // size
            else:
                known = False
            place += length
        return count if known else None


def _framed(data: bytes, version: int) -> tuple[list[tuple[int, int]], int]:
    return _messages(data) if version == VERSION else _packets(data)


def _packets(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """As `_messages`. A packet of version 9 does not say how long it is, but no set has the number 9: where that stands
    in a set's place the next packet begins."""
    found, place = [], 0
    while place + HEADER_9 <= len(data):
        end = _end_of_packet(data, place)
        if end is None:
            after = data.find(b"\x00\x09", place + 1)
            place = after if after >= 0 else max(place + 1, len(data) - HEADER_9 + 1)
            continue
        if end > len(data):
            break
        found.append((place, end))
        place = end
    return found, place


def _end_of_packet(data: bytes, begin: int) -> int | None:
    """Behind its last set; beyond the data where that is not whole, None where no packet begins."""
    if struct.unpack_from(">H", data, begin)[0] != VERSION_9:
        return None
    place = begin + HEADER_9
    while place + 4 <= len(data):
        number, length = struct.unpack_from(">HH", data, place)
        if number == VERSION_9:
            break
        if length < 4 or 1 < number < DATA:
            return None
        place += length
    return place if place >= len(data) or place + 4 <= len(data) else len(data) + 1


def _messages(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """(begin, end) of the whole messages, and where the rest begins. What is no message is passed over."""
    found, place = [], 0
    while place + HEADER <= len(data):
        version, length = struct.unpack_from(">HH", data, place)
        if version != VERSION or length < HEADER:
            after = data.find(b"\x00\x0a", place + 1)
            place = after if after >= 0 else max(place + 1, len(data) - HEADER + 1)
            continue
        if place + length > len(data):
            break
        found.append((place, place + length))
        place += length
    return found, place


def _sets(data: bytes, version: int) -> Iterator[tuple[int, int, int, bytes]]:
    """(domain, place, id, octets) of each set; of version 9 with the ids that templates have in IPFIX."""
    header = HEADER if version == VERSION else HEADER_9
    for begin, end in _framed(data, version)[0]:
        (domain,) = struct.unpack_from(">I", data, begin + header - 4)
        place = begin + header
        while place + 4 <= end:
            number, length = struct.unpack_from(">HH", data, place)
            if length < 4 or place + length > end:
                break
            if version == VERSION_9 and number < TEMPLATES:
                number += TEMPLATES
            yield domain, place + 4, number, data[place + 4 : place + length]
            place += length


def _templates(body: bytes, version: int, *, scoped: bool = False) -> Iterator[tuple[int, Template, bytes]]:
    """(id, fields, the record itself) of a set of templates; no fields take a template back. Those of options are
    `scoped`: they say how many of their fields are scopes (RFC 7011, section 3.4.2.2)."""
    place = 0
    while place + 4 <= len(body):
        begin = place
        id, count = struct.unpack_from(">HH", body, place)
        place += 6 if scoped and count else 4
        fields = []
        for _ in range(count):
            if place + 4 > len(body):
                return
            element, length = struct.unpack_from(">HH", body, place)
            place += 4
            if element & 0x8000 and version == VERSION:
                element, place = -1, place + 4
            fields.append((element, length))
        if id < DATA or place > len(body):
            return
        yield id, tuple(fields), body[begin:place]


def _read(stretch: Stretch, version: int) -> _Read:
    """The data sets of a stretch by their templates, those of `header` known before it."""
    found, known, options = _Read(), dict[tuple[int, int], Template](), set[tuple[int, int]]()
    for data, offset in ((stretch.header, None), (stretch.data, stretch.offset)):
        for domain, place, number, body in _sets(data, version):
            if number == TEMPLATES:
                known.update(stated := {(domain, id): fields for id, fields, _ in _templates(body, version)})
                options -= stated.keys()
            elif number == OPTIONS_TEMPLATES and version == VERSION:
                stated = {(domain, id): fields for id, fields, _ in _templates(body, version, scoped=True)}
                options |= {key for key, fields in stated.items() if fields}
                known = {key: fields for key, fields in known.items() if key not in stated}
            elif (domain, number) in options:
                continue  # It tells of the exporter, not of connections.
            elif number >= DATA and offset is not None:
                template = known.get((domain, number), ())
                if not template or (_EVENT in dict(template) and _why_not(template)):
                    found.missed.append(offset + place)
                if not template:
                    found.bad.append((offset + place, f"data of the template {number}, which was not stated before"))
                elif why := _why_not(template):
                    found.bad.append((offset + place, f"data of the template {number}, which {why}"))
                else:
                    found.blocks.setdefault(template, []).append((offset + place, body))
    found.missed += [stretch.offset + place for place in _Numbers(stretch.header, version).follow(stretch.data)]
    return found


def _why_not(template: Template) -> str:
    """Why the data of a template can't be read; empty when they can."""
    elements = dict(template)
    if VARIABLE in elements.values():
        return "has fields of variable length"
    if not {_EVENT, _MILLISECONDS, _PROTOCOL, _PORT, _OUTSIDE_PORT} <= elements.keys():
        return "has no natEvent, time, protocol or ports on both sides"
    if not {_INSIDE4, _INSIDE6} & elements.keys() or not {_OUTSIDE4, _OUTSIDE6} & elements.keys():
        return "has no addresses on both sides"
    if any(elements[e] != width for e, width in _WIDTH.items() if e in elements) or elements[_MILLISECONDS] != 8:
        return "has an address or time of another length"
    if max(elements[e] for e in (_EVENT, _PROTOCOL, _PORT, _OUTSIDE_PORT)) > 4:
        return "has a number of more than four octets"
    return ""


def _frame(template: Template, blocks: list[tuple[int, bytes]]) -> pl.DataFrame | None:
    """All records of a template. A set may end in padding that is shorter than a record (RFC 7011, section 3.3.1)."""
    size = sum(length for _, length in template)
    counts = np.array([len(body) // size for _, body in blocks], np.int64)
    whole = b"".join(body[: len(body) // size * size] for _, body in blocks)
    if not whole:
        return None
    table = np.frombuffer(whole, np.uint8).reshape(-1, size)
    starts = {element: sum(n for _, n in template[:i]) for i, (element, _) in reversed([*enumerate(template)])}
    lengths = dict(reversed(template))

    def number(element: int, first: int = 0, octets: int | None = None) -> np.ndarray:
        value = np.zeros(len(table), np.uint64)
        if element in starts:
            begin = starts[element] + first
            for column in range(begin, begin + (octets or lengths[element])):
                value = value << np.uint64(8) | table[:, column]
        return value

    def address(four: int, six: int) -> tuple[int, np.ndarray, np.ndarray]:
        if four in starts:
            return 4, np.zeros(len(table), np.uint64), number(four)
        return 6, number(six, 0, 8), number(six, 8, 8)

    places = np.array([place for place, _ in blocks], np.int64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    version, hi, lo = address(_OUTSIDE4, _OUTSIDE6)
    inside_version, inside_hi, inside_lo = address(_INSIDE4, _INSIDE6)
    _, there_hi, there_lo = address(_THERE4, _THERE6)
    milliseconds = np.minimum(number(_MILLISECONDS), np.uint64(2**53)).astype(np.int64)
    frame = pl.DataFrame({
        "offset": np.repeat(places, counts) + within * size, "event": number(_EVENT).astype(np.int64),
        "since": milliseconds * 1000, "version": np.full(len(table), version, np.uint8), "hi": hi, "lo": lo,
        "length": np.full(len(table), 32 if version == 4 else 128, np.uint8),
        "port_first": number(_OUTSIDE_PORT).astype(np.int32), "protocol": number(_PROTOCOL).astype(np.int16),
        "inside_version": np.full(len(table), inside_version, np.uint8), "inside_hi": inside_hi,
        "inside_lo": inside_lo, "port": number(_PORT), "there_hi": there_hi, "there_lo": there_lo,
        "there_port": number(_THERE_PORT),
    })  # fmt: skip
    named = {_THERE4, _THERE6} & starts.keys()
    remote = pl.format("{}.{}:{}", "there_hi", "there_lo", "there_port") if named else pl.lit("")
    return frame.with_columns(pl.col("port").cast(pl.String).alias("session"), remote.alias("remote")).drop(
        "port", "there_hi", "there_lo", "there_port"
    )


def _nothing() -> pl.DataFrame:
    """No records, with the columns of some."""
    template = ((_EVENT, 1), (_MILLISECONDS, 8), (_PROTOCOL, 1), (_PORT, 2), (_OUTSIDE_PORT, 2), (_INSIDE4, 4),
                (_OUTSIDE4, 4))  # fmt: skip
    frame = _frame(template, [(0, bytes(sum(n for _, n in template)))])
    assert frame is not None
    return frame.clear()
