"""Reads of attribution: what logs say of an address, and when nothing was read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from tipstaff.registry.planned import fetch_planned, fetch_together
from tipstaff.words import PUBLIC, Binding, Gap, Station, SubjectKind, require_aware

from .codes import ENDINGS, KINDS, OPEN, STATION, USERNAME, signed, unsigned
from .covers import holes, with_lasting
from .flow_parts import flows_touching, missing, parts_over, spoilt
from .match import plain_address
from .models import FlowPartRow

Address = IPv4Address | IPv6Address
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHARED_ROWS_MAX = 200
"""Of a question without a port: that many sharers show that only a port can tell."""

_COLUMNS = """
    b.source_id, b.realm, b.version, b.length, b.hi, b.lo, b.port_first, b.port_last, b.protocol, b.possible_from,
    b.sure_from, b.sure_until, b.possible_until, b.ending, b.strong, b.momentary, b.kind, b.subject, b.inside_realm,
    b.inside_version, b.inside_hi, b.inside_lo, b.heard, b.load_id, b.byte_offset
"""
_IN_FULL = """
SELECT b.*, s.name, l.file, l.sha256, l.first_byte, l.end_byte, l.clock_error, r.name, i.name FROM ({}) b
LEFT JOIN attribution_loadrow l ON l.id = b.load_id LEFT JOIN attribution_sourcerow s ON s.id = l.source_id
LEFT JOIN attribution_realmrow r ON r.id = b.realm LEFT JOIN attribution_realmrow i ON i.id = b.inside_realm
"""
"""Rows of _COLUMNS with the names of their sources and realms, and the files that prove them."""
_SHAPES = (
    "SELECT s.realm, s.length, s.ports_max FROM attribution_shaperow s "
    "LEFT JOIN attribution_realmrow r ON r.id = s.realm WHERE s.version = %s AND coalesce(r.name, '') = %s"
)
_PLACE = (
    f"SELECT {_COLUMNS} FROM attribution_bindingrow b WHERE b.realm = %s AND b.version = %s AND b.length = %s "  # noqa: S608 - this room's own columns
    "AND b.hi = %s AND b.lo = %s AND b.possible_from <= %s AND b.possible_until > %s"
)


def bindings_covering(
    address: Address,
    *,
    earliest: datetime,
    latest: datetime,
    port: int | None = None,
    protocol: int | None = None,
    realm: str = PUBLIC,
) -> list[Binding]:
    """What logs say of `address` at some instant of [earliest, latest], by source and beginning.

    FlowsCannotBeRead when a part of the flows about it is not there.
    """
    address = plain_address(address)
    value = int(address)
    width = 32 if address.version == 4 else 128
    begin, end = micro(earliest), micro(latest)
    parts, parameters = [], []
    shapes, kept = fetch_together(
        (_SHAPES, [address.version, realm]), parts_over(address, earliest=begin, latest=end, realm=realm)
    )
    for number, length, ports_max in shapes:
        network = value >> (width - length) << (width - length)
        hi, lo = signed(network >> 64), signed(network & (2**64 - 1))
        asked: list[Any] = [number, address.version, length, hi, lo, end, begin]
        parts.append(f"({_PLACE} AND b.port_first = 0)")
        parameters += asked
        if not ports_max:
            continue
        if port is None:
            parts.append(f"({_PLACE} AND b.port_first > 0 LIMIT {SHARED_ROWS_MAX})")
            parameters += asked
        else:
            parts.append(f"({_PLACE} AND b.port_first BETWEEN %s AND %s AND b.port_last >= %s)")
            parameters += [*asked, max(1, port - ports_max + 1), port, port]
    found = _bindings(" UNION ALL ".join(parts), parameters) if parts else []
    found += _flows(address, begin=begin, end=end, port=port, protocol=protocol, realm=realm, kept=kept)
    fitting = [b for b in found if protocol is None or b.protocol is None or b.protocol == protocol]
    return sorted(fitting, key=lambda b: (b.source, b.possible_from, b.port_first, b.subject, str(b.inside)))


def logged_in_with(stations: Iterable[Station], *, earliest: datetime, latest: datetime) -> list[Binding]:
    """Who was logged in with one of these machines at some instant of [earliest, latest], by machine and beginning."""
    numbers = list(dict.fromkeys(s.number for s in stations))
    if not numbers:
        return []
    rows = _bindings(
        f"SELECT {_COLUMNS} FROM attribution_bindingrow b WHERE b.realm = 0 AND b.version = {STATION} "  # noqa: S608 - this room's own columns
        f"AND b.length = {STATION} AND b.hi = 0 AND b.lo = ANY(%s) AND b.possible_from <= %s AND b.possible_until > %s",
        [numbers, micro(latest), micro(earliest)],
    )
    return sorted(rows, key=lambda b: (str(b.prefix), b.source, b.possible_from, b.subject))


def machines_of(login: str, *, earliest: datetime, latest: datetime) -> list[Binding]:
    """The machines with which a log-in was let in at some instant of [earliest, latest]."""
    rows = _bindings(
        f"SELECT {_COLUMNS} FROM attribution_bindingrow b WHERE b.kind = {USERNAME} AND b.subject = %s "  # noqa: S608 - this room's own columns
        f"AND b.realm = 0 AND b.version = {STATION} AND b.possible_from <= %s AND b.possible_until > %s",
        [login, micro(latest), micro(earliest)],
    )
    return sorted(rows, key=lambda b: (str(b.prefix), b.source, b.possible_from))


SESSION_LOGS, LEASE_LOGS = ("radius-csv", "radius-detail"), ("dnsmasq", "isc-dhcpd", "kea-forensic", "kea-memfile")
"""Sources that say that something was used: a session went on, a lease was asked for. What a plan, a list or a table of
neighbours says, somebody else may have brought about."""
_LAST_USES = """
SELECT DISTINCT ON (b.kind, b.subject, s.name) b.kind, b.subject, u.at, s.name
FROM attribution_bindingrow b
JOIN unnest(%s::smallint[], %s::text[]) w(kind, name) ON w.kind = b.kind AND w.name = b.subject
JOIN attribution_sourcerow s ON s.id = b.source_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN s.kind = ANY(%s) THEN greatest(b.sure_from, b.heard) ELSE b.sure_until - 1 END AS at) u
WHERE b.sure_from < b.sure_until AND b.sure_until < %s AND (b.kind = %s OR s.kind = ANY(%s))
ORDER BY b.kind, b.subject, s.name, u.at DESC
"""


def last_uses(names: Sequence[tuple[SubjectKind, str]]) -> list[tuple[SubjectKind, str, datetime, str]]:
    """Of these log-ins, circuits and machines those of which logs speak: (kind, name, the last instant at which it
    surely was in use, source), one of each source: two servers may each have an `alice`.

    A session is in use as long as its records say that it went on; a lease when it was given or renewed, whatever its
    term. Of circuits and machines only logs of sessions and leases count.
    """
    if not names:
        return []
    rows = fetch_planned(
        _LAST_USES,
        [[KINDS.index(kind) for kind, _ in names], [name for _, name in names], list(LEASE_LOGS), OPEN, USERNAME,
         [*SESSION_LOGS, *LEASE_LOGS]],
    )  # fmt: skip
    return [(_kind(kind), name, _at(at), source) for kind, name, at, source in rows]


_FIRST_USES = """
SELECT DISTINCT ON (b.kind, b.subject, w.since, s.name) b.kind, b.subject, greatest(b.sure_from, w.since), s.name
FROM attribution_bindingrow b
JOIN unnest(%s::smallint[], %s::text[], %s::bigint[]) w(kind, name, since) ON w.kind = b.kind AND w.name = b.subject
JOIN attribution_sourcerow s ON s.id = b.source_id
WHERE b.sure_from < b.sure_until AND b.sure_until < %s AND greatest(b.sure_from, w.since) <= %s AND (
    s.kind = ANY(%s) AND b.sure_until > w.since OR s.kind = ANY(%s) AND b.sure_from >= w.since)
ORDER BY b.kind, b.subject, w.since, s.name, 3
"""


def first_uses(
    wanted: Sequence[tuple[SubjectKind, str, datetime]], *, until: datetime, begun: bool = False
) -> list[tuple[SubjectKind, str, datetime, str]]:
    """Of these log-ins and circuits, each with the moment from which it counts, those that logs show in use from then
    on: (kind, name, the first such instant, source), the earliest first, one of each source: two servers may each have
    an `alice`. One look for all of them, whatever the logs hold.

    A session is in use as long as its records say that it went on; a lease, when it was given. With `begun` only what
    began from then on counts: whoever was connected already may not have been there.
    """
    if not wanted:
        return []
    kinds = [KINDS.index(kind) for kind, _, _ in wanted]
    rows = fetch_planned(
        _FIRST_USES,
        [kinds, [name for _, name, _ in wanted], [micro(since) for _, _, since in wanted], OPEN, micro(until),
         [] if begun else list(SESSION_LOGS), [*(SESSION_LOGS if begun else ()), *LEASE_LOGS]],
    )  # fmt: skip
    return [(_kind(kind), name, _at(at), source) for kind, name, at, source in sorted(rows, key=lambda row: row[2:])]


# The stretches of a source lie apart: the last that begins by the window's begin, those that begin within it, and the
# first after it are all that can bound a gap in it, or one before it of which a lease may be left.
COVERED = """
SELECT c.source_id, o.term, o.beside, v.since, v.until FROM attribution_scoperow c
JOIN attribution_sourcerow o ON o.id = c.source_id LEFT JOIN LATERAL (
    (SELECT since, until FROM attribution_coverrow WHERE source_id = c.source_id AND since <= %s - o.term
     ORDER BY since DESC LIMIT 1)
    UNION ALL
    (SELECT since, until FROM attribution_coverrow
     WHERE source_id = c.source_id AND since > %s - o.term AND since <= %s)
    UNION ALL
    (SELECT since, until FROM attribution_coverrow WHERE source_id = c.source_id AND since > %s
     ORDER BY since LIMIT 1)
) v ON true WHERE c.version = %s AND c.block = %s ORDER BY 1, 4
"""


MISSED = """
SELECT o.term, o.beside, m.since, m.until FROM attribution_scoperow c JOIN attribution_sourcerow o ON o.id = c.source_id
JOIN attribution_missedrow m ON m.source_id = c.source_id
WHERE c.version = %s AND c.block = %s AND m.since <= %s AND m.until >= %s - o.term ORDER BY 3, 4
"""


def gaps_for(address: Address, *, earliest: datetime, latest: datetime) -> list[Gap]:
    """When sources that speak of this neighbourhood were not read, or wrote what could not be read, within
    [earliest, latest], and for how long what began then may last."""
    return gaps_or_unread(address, earliest=earliest, latest=latest)[0]


def gaps_or_unread(address: Address, *, earliest: datetime, latest: datetime) -> tuple[list[Gap], bool]:
    """`gaps_for`, and whether there is none because no source that is read for a time speaks of this neighbourhood."""
    address = plain_address(address)
    value = int(address)
    block = value >> 8 if address.version == 4 else value >> 88
    begin, end = micro(earliest), micro(latest)
    covered: dict[tuple[int, int, bool], list[tuple[int, int]]] = {}
    read, missed = fetch_together(
        (COVERED, [begin, begin, end, end, address.version, block]), (MISSED, [address.version, block, end, begin])
    )
    for source, term, beside, first, last in read:
        stretches = covered.setdefault((source, term, beside), [])
        if first is not None:
            stretches.append((first, last))
    found = [
        (first, last, term, beside)
        for (_, term, beside), stretches in covered.items()
        for first, last in holes(stretches, begin=begin - term, end=end)
    ]
    found += [(first, last, term, beside) for term, beside, first, last in missed]
    gaps = [
        Gap(since=None if first is None else instant(first), until=instant(last), lasting=lasting, beside=beside)
        for first, last, lasting, beside in with_lasting(found)
        if (first is None or first <= end) and (last is None or last > begin)
    ]
    return gaps, not read


_ANY_FROM_TO = (
    "(SELECT 1 FROM attribution_bindingrow WHERE realm = %s AND version = %s AND length = %s "
    "AND {} BETWEEN %s AND %s LIMIT 1)"
)


def bound_near(address: Address) -> bool:
    """Whether any log, plan or map ever bound an address of this neighbourhood (/24, or /40 of IPv6)."""
    address = plain_address(address)
    # An IPv6 neighbourhood is told by the upper half of its addresses alone.
    four = address.version == 4
    value, width, bits = (int(address), 32, 24) if four else (int(address) >> 64, 64, 40)
    first = value >> (width - bits) << (width - bits)
    last = first + (1 << (width - bits)) - 1
    parts, parameters = [], []
    for number, length, _ in fetch_planned(_SHAPES, [address.version, PUBLIC]):
        # A prefix that is wider than the neighbourhood begins before it.
        begin = first >> (width - length) << (width - length) if length < bits else first
        parts.append(_ANY_FROM_TO.format("hi = 0 AND lo" if four else "hi"))
        parameters += [number, address.version, length, signed(begin), signed(last)]
    return bool(parts) and bool(fetch_planned(" UNION ALL ".join(parts), parameters))


def spoken_of(addresses: Sequence[Address]) -> frozenset[Address]:
    """Those of the addresses in whose neighbourhood any source of logs speaks, or that any log binds to somebody.

    For all others `bindings_covering` and `gaps_for` find nothing, at whatever time. Once flows are kept in files it is
    all of them: what those speak of stands in neither of the tables that are asked here.
    """
    if FlowPartRow.objects.exists():
        return frozenset(addresses)
    blocks: dict[tuple[int, int], list[Address]] = {}
    places: dict[tuple[int, int, int, int, int], list[Address]] = {}
    shapes: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for version, realm, length in fetch_planned(
        "SELECT s.version, s.realm, s.length FROM attribution_shaperow s "
        "LEFT JOIN attribution_realmrow r ON r.id = s.realm WHERE coalesce(r.name, '') = %s",
        [PUBLIC],
    ):
        shapes[version].append((realm, length))
    for address in addresses:
        plain = plain_address(address)
        value, version = int(plain), plain.version
        blocks.setdefault((version, value >> 8 if version == 4 else value >> 88), []).append(address)
        for realm, length in shapes[version]:
            width = 32 if version == 4 else 128
            network = value >> (width - length) << (width - length)
            place = (realm, version, length, signed(network >> 64), signed(network & (2**64 - 1)))
            places.setdefault(place, []).append(address)
    found: set[Address] = set()
    asked: list[list[int]] = [[v for v, _ in blocks], [b for _, b in blocks]]
    for version, block in fetch_planned(
        "SELECT DISTINCT c.version, c.block FROM unnest(%s::int[], %s::bigint[]) w(version, block) "
        "JOIN attribution_scoperow c ON c.version = w.version AND c.block = w.block",
        asked,
    ):
        found.update(blocks[version, block])
    if places:
        columns = [list(column) for column in zip(*places, strict=True)]
        for place in fetch_planned(
            "SELECT w.realm, w.version, w.length, w.hi, w.lo FROM "
            "unnest(%s::int[], %s::int[], %s::int[], %s::bigint[], %s::bigint[]) w(realm, version, length, hi, lo) "
            "WHERE EXISTS (SELECT 1 FROM attribution_bindingrow b WHERE b.realm = w.realm AND b.version = w.version "
            "AND b.length = w.length AND b.hi = w.hi AND b.lo = w.lo)",
            columns,
        ):
            found.update(places[place])
    return frozenset(found)


def _bindings(sql: str, parameters: Sequence[Any]) -> list[Binding]:
    """In words what a query of _COLUMNS finds."""
    found = []
    for row in fetch_planned(_IN_FULL.format(sql), parameters):
        *_, offset, source, file, sha256, first, end, error, realm, inside_realm = row
        assert source is not None, "a reading is kept as long as a row of it is"
        found.append(
            binding_of(
                (source, realm, *row[2:18], inside_realm, *row[19:22], file, offset, sha256, first, end, error, row[22])
            )
        )
    return found


class FlowsCannotBeRead(LookupError):
    """A file that keeps flows of this address is not where it should be; the message names it."""


def _flows(
    address: Address, *, begin: int, end: int, port: int | None, protocol: int | None, realm: str,
    kept: Sequence[tuple[int]],
) -> list[Binding]:  # fmt: skip
    """The flows of the address that are kept in files."""
    try:
        rows = flows_touching(
            address, earliest=begin, latest=end, port=port, protocol=protocol, realm=realm, rows_max=SHARED_ROWS_MAX,
            kept=kept,
        )  # fmt: skip
    except FileNotFoundError as why:
        raise FlowsCannotBeRead(str(why)) from why
    if not rows:
        return []
    from .flow_files import edges

    loads = _loads({found.row["load"] for found in rows})
    realms = dict(fetch_planned("SELECT id, name FROM attribution_realmrow", []))
    words = []
    for part, row in ((found.part, found.row) for found in rows):
        source, file, sha256, first, last, _ = loads[row["load"]]
        words.append(
            replace(
                binding_of(
                    (source, realms.get(part.realm), address.version, address.max_prefixlen, row["hi"], row["lo"],
                     row["port"], row["port"], row["protocol"], *edges(row, error=part.error), row["ending"], True,
                     True, 0, "", realms.get(part.inside_realm), row["inside_version"], row["inside_hi"],
                     row["inside_lo"], file, row["offset"], sha256, first, last, part.error, None)
                ),
                there=_there(row), there_port=None if row.get("there_port", -1) <= 0 else row["there_port"],
                part=part.name, part_row=row["row"], part_sha256=part.sha256,
            )
        )  # fmt: skip
    return words


def _there(row: dict[str, Any]) -> Address | None:
    """With whom a flow was. Files of an earlier version do not say."""
    version = row.get("there_version", 0)
    return _address(version, row["there_hi"], row["there_lo"]) if version else None


def _loads(numbers: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    """The source, file, digest, stretch and clock error of each reading."""
    return {
        row[0]: row[1:]
        for row in fetch_planned(
            "SELECT l.id, s.name, l.file, l.sha256, l.first_byte, l.end_byte, l.clock_error FROM attribution_loadrow l "
            "JOIN attribution_sourcerow s ON s.id = l.source_id WHERE l.id = ANY(%s)",
            [list(numbers)],
        )
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsKept:
    """How much of a source's flows is kept in files."""

    source: str
    parts: int
    rows: int
    octets: int
    since: datetime | None
    until: datetime | None
    """The last end that was read; flows that may go on are left out."""


def flows_kept() -> list[FlowsKept]:
    """A line for each source that has flows in files."""
    rows = fetch_planned(
        "SELECT s.name, count(*) FILTER (WHERE p.version > 0), coalesce(sum(p.rows) FILTER (WHERE p.version > 0), 0), "
        "sum(p.octets), min(p.since) FILTER (WHERE p.version > 0), max(p.until) FILTER (WHERE p.span < 8) "
        "FROM attribution_flowpartrow p JOIN attribution_sourcerow s ON s.id = p.source_id GROUP BY s.name ORDER BY 1",
        [],
    )
    return [
        FlowsKept(source=n, parts=p, rows=int(r), octets=int(o), since=instant(f), until=instant(u))
        for n, p, r, o, f, u in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """One reading of a log: which stretch of which file, when, and what it speaks of."""

    number: int
    source: str
    file: str
    first_byte: int
    end_byte: int
    sha256: str
    records: int
    covers_from: datetime | None
    covers_until: datetime | None
    read_at: datetime


def readings(*, source: str = "", numbers: Sequence[int] | None = None) -> list[LogReading]:
    """Readings by number, the oldest first: all, those of a source, or those of some numbers."""
    rows = fetch_planned(
        "SELECT l.id, s.name, l.file, l.first_byte, l.end_byte, l.sha256, l.records, l.covers_from, l.covers_until, "
        "l.read_at FROM attribution_loadrow l JOIN attribution_sourcerow s ON s.id = l.source_id "
        "WHERE (%s = '' OR s.name = %s) AND (%s OR l.id = ANY(%s)) ORDER BY l.id",
        [source, source, numbers is None, list(numbers or ())],
    )
    return [
        LogReading(
            number=n, source=s, file=f, first_byte=b, end_byte=e, sha256=d, records=r, covers_from=instant(c),
            covers_until=instant(u), read_at=at,
        )
        for n, s, f, b, e, d, r, c, u, at in rows
    ]  # fmt: skip


def flows_spoilt() -> list[str]:
    """What is wrong with the files of flows, a sentence each: reads all of them."""
    return list(spoilt())


def flows_missing() -> list[str]:
    """A sentence for each file of flows that counts and is not there: reads none of them."""
    return [f"{path} is missing" for path in missing()]


def binding_of(row: Sequence[Any]) -> Binding:
    """A binding from the names of its source and realms, its numbers, and its place in a file."""
    (source, realm, version, length, hi, lo, first, last, protocol, possible_from, sure_from, sure_until,
     possible_until, ending, strong, momentary, kind, subject, inside_realm, inside_version, inside_hi, inside_lo, file,
     offset, sha256, begin, end, error, heard) = row  # fmt: skip
    place = _number(version, hi, lo)
    return Binding(
        source=source,
        realm=realm or PUBLIC,
        prefix=_place_of(version, place, length),
        port_first=first,
        port_last=last,
        protocol=None if protocol < 0 else protocol,
        possible_from=_at(possible_from),
        sure_from=_at(sure_from),
        sure_until=_at(sure_until),
        possible_until=instant(possible_until),
        ending=ENDINGS[ending],
        strong=strong,
        momentary=momentary,
        subject_kind=KINDS[kind],
        subject=subject,
        inside=None if kind else _address(inside_version, inside_hi, inside_lo),
        inside_realm=PUBLIC if kind else inside_realm or PUBLIC,
        file=file,
        offset=offset,
        sha256=sha256,
        stretch=(begin, end),
        clock_error_seconds=error / 1e6,
        heard=instant(heard),
    )


def micro(at: datetime) -> int:
    """Microseconds since 1970."""
    return (require_aware(at) - EPOCH) // timedelta(microseconds=1)


def instant(value: int | None) -> datetime | None:
    """The instant of so many microseconds; None for what is open."""
    return None if value is None or value >= _LAST else EPOCH + timedelta(microseconds=value)


_LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
assert _LAST < OPEN


def _at(value: int) -> datetime:
    return instant(value) or datetime.max.replace(tzinfo=UTC)


def _place_of(version: int, number: int, length: int) -> IPv4Network | IPv6Network | Station:
    if version == STATION:
        return Station(number)
    return IPv4Network((number, length)) if version == 4 else IPv6Network((number, length))


def _number(version: int, hi: int, lo: int) -> int:
    return unsigned(lo) if version == 4 else unsigned(hi) << 64 | unsigned(lo)


def _address(version: int, hi: int, lo: int) -> Address:
    return IPv4Address(_number(4, hi, lo)) if version == 4 else IPv6Address(_number(6, hi, lo))


def _kind(number: int) -> SubjectKind:
    kind = KINDS[number]
    assert kind is not None, "a subscriber has a kind"
    return kind
