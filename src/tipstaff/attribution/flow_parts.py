"""Which parts of flows count, and what is done to them: adding, finding, merging, forgetting. Private to this room.

The parts lie in a folder, what is said of them in PostgreSQL. A batch of a log writes its parts, and the transaction
that says that the log was read says that the parts count: so a killed import leaves files that do not count, and the
next writer takes them away. Writers wait for one another; readers wait for nobody.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction

from tipstaff.ledger.operations import record
from tipstaff.registry.planned import Asked, fetch_planned

from .codes import OPEN, unsigned
from .covers import forget_cover
from .models import BindingRow, FlowPartRow, LoadRow, SourceRow

if TYPE_CHECKING:  # Few processes hold flows, and only they need arrays.
    import polars as pl

    from .flow_files import Written

MERGE_FROM = 8
"""So many parts of one slot are made into one."""
MERGE_ROWS_MAX = 24_000_000
"""Rows that are held in memory to be merged."""
ONE_WRITER = 7_421_001
"""The number of the advisory lock for which writers wait."""


def folder() -> Path:
    """Where the parts lie."""
    return Path(settings.FLOWS_FOLDER)


def keep(
    records: "pl.DataFrame", *, source: SourceRow, load: int, realm: int, inside_realm: int, error: int,
    covers: tuple[int, int], interim: int | None, at: datetime, lasts: int = 0,
) -> int:  # fmt: skip
    """Take joined records of a batch into the store, in the caller's transaction; how many flows are new.

    `covers`, `interim` and `lasts` as for `flow_files.step`.
    """
    from . import flow_files

    _wait_for_writers()
    _sweep()
    mine = FlowPartRow.objects.filter(source=source, realm=realm, inside_realm=inside_realm)
    before = {row.span: row for row in mine.filter(span=flow_files.CARRIED)}
    last = before.get(flow_files.CARRIED)
    if last is None:
        carried, past_error = _left_in_the_database(source, realm=realm, inside_realm=inside_realm)
    else:
        carried, past_error = flow_files.read_rows(folder() / last.name), last.error
    error = max(error, past_error)
    made = flow_files.step(
        carried, flow_files.placed(records, load=load), covers=covers, interim=interim, lasts=lasts
    )  # fmt: skip
    prefix = _prefix()
    parts = flow_files.write_step(folder(), made, prefix=prefix)
    gone = mine.filter(span__in=(flow_files.OPEN_SPAN, flow_files.CARRIED))
    _replace(list(gone), parts, source=source, realm=realm, inside_realm=inside_realm, error=error, at=at)
    return made.ended.height + made.going_on.height - (0 if carried is None else carried.height)


def widen(source: SourceRow, *, error: int) -> None:
    """Flows that were kept with a smaller error of the clock, in microseconds, are widened to this one, in the caller's
    transaction."""
    FlowPartRow.objects.filter(source=source, error__lt=error).update(error=error)


def _left_in_the_database(source: SourceRow, *, realm: int, inside_realm: int) -> "tuple[pl.DataFrame | None, int]":
    """Flows that an earlier version put into the database and that may go on, taken out of it to be gone on with, and
    the error of their clock. Its rows do not say what told two connections of one port apart: such a flow ends when the
    next record about its inside address on this port says so."""
    from . import flow_files

    left = BindingRow.objects.filter(
        source=source, realm=realm, inside_realm=inside_realm, momentary=True, possible_until=OPEN
    ).select_related("load")
    rows = [
        {
            "offset": flow_files.place_in_loads(row.load_id, row.byte_offset),
            "end_offset": flow_files.place_in_loads(row.end_load_id, row.end_offset),
            "version": row.version, "hi": unsigned(row.hi), "lo": unsigned(row.lo), "length": row.length,
            "port_first": row.port_first, "port_last": row.port_last, "protocol": row.protocol,
            "since": row.possible_from + row.load.clock_error, "seen": row.sure_until + row.load.clock_error,
            "begun": row.sure_from - row.possible_from == 2 * row.load.clock_error, "kind": row.kind,
            "inside_version": row.inside_version, "inside_hi": unsigned(row.inside_hi),
            "inside_lo": unsigned(row.inside_lo), "clock_error": row.load.clock_error,
        }
        for row in left
    ]  # fmt: skip
    if not rows:
        return None, 0
    left.delete()
    return flow_files.carried_of(rows), max(row["clock_error"] for row in rows)


def _replace(
    gone: Sequence[FlowPartRow], parts: "Sequence[Written]", *, source: SourceRow, realm: int, inside_realm: int,
    error: int, at: datetime,
) -> None:  # fmt: skip
    FlowPartRow.objects.filter(pk__in=[row.pk for row in gone]).delete()
    FlowPartRow.objects.bulk_create(
        FlowPartRow(
            source=source, realm=realm, inside_realm=inside_realm, error=error, written_at=at,
            **{name: getattr(part, name) for name in
               ("name", "version", "span", "slot", "first", "last", "since", "until", "rows", "octets", "sha256")},
        )
        for part in parts
    )  # fmt: skip
    paths = [folder() / row.name for row in gone]
    transaction.on_commit(lambda: _take_away(paths))


def _take_away(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _wait_for_writers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_WRITER])


def _sweep() -> None:
    """Take away what a killed writer left. Only under the lock: nobody else has files that do not count yet."""
    from . import flow_files

    named = list(FlowPartRow.objects.values_list("name", flat=True))
    _take_away(flow_files.unnamed(folder(), prefix=_prefix(), named=named))


def _prefix() -> str:
    """What file names of this database begin with: another one that was given the same folder is left alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_hex(d.oid::bigint) || to_hex(c.system_identifier) "
                       "FROM pg_database d, pg_control_system() c WHERE d.datname = current_database()")  # fmt: skip
        return str(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A row of a part that touches a question."""

    part: FlowPartRow
    row: dict[str, Any]


def flows_touching(
    address: IPv4Address | IPv6Address, *, earliest: int, latest: int, port: int | None, protocol: int | None,
    realm: str, rows_max: int, kept: Sequence[tuple[int]],
) -> list[FoundFlow]:  # fmt: skip
    """Rows about an address at some instant of [earliest, latest] (microseconds). PartIsMissing when one can't be read.

    `kept` is what `parts_over` finds. Without a port at most `rows_max` rows.
    """
    if not kept:
        return []
    from . import flow_files

    value = int(address)
    for tries_left in (1, 0):
        parts = list(FlowPartRow.objects.filter(pk__in=[key for (key,) in kept]).order_by("pk"))
        found: list[FoundFlow] = []
        try:
            if len(parts) < len(kept):
                # Others were put in their place since they were asked for: those that are left say half of it.
                raise flow_files.PartIsMissing("parts of the flows were replaced while they were looked up")
            for part in parts:
                rows = flow_files.search(
                    folder() / part.name, hi=value >> 64, lo=value & (2**64 - 1), port=port, protocol=protocol,
                    earliest=earliest - part.error, latest=latest + part.error, rows_max=rows_max,
                )  # fmt: skip
                found += [FoundFlow(part, row) for row in rows]
                if port is None and len(found) >= rows_max:
                    break
            return found
        except flow_files.PartIsMissing:
            # A writer may have replaced it a moment ago; then the list of parts is another one by now.
            if not tries_left:
                raise
            kept = fetch_planned(*parts_over(address, earliest=earliest, latest=latest, realm=realm))
    raise AssertionError("the second try returns or raises")


def parts_over(address: IPv4Address | IPv6Address, *, earliest: int, latest: int, realm: str) -> Asked:
    """Asks which parts may have flows of an address at some instant of [earliest, latest] (microseconds)."""
    place = int(address) if address.version == 4 else int(address) >> 65
    return (
        "SELECT p.id FROM attribution_flowpartrow p LEFT JOIN attribution_realmrow r ON r.id = p.realm "
        "WHERE p.version = %s AND coalesce(r.name, '') = %s AND p.first <= %s AND p.last >= %s "
        "AND p.until > %s - p.error AND p.since <= %s + p.error",
        [address.version, realm, place, place, earliest, latest],
    )


def extent() -> list[tuple[int, int, int]]:
    """(version, first, last) of the places that parts on the internet speak of."""
    parts = FlowPartRow.objects.filter(realm=0, version__gt=0)
    return list(parts.values_list("version", "first", "last").distinct())


def merge(source: SourceRow, *, at: datetime, actor: str, parts_min: int = MERGE_FROM) -> int:
    """Make one part of many, in every slot of a source that has `parts_min`; how many parts became fewer."""
    from . import flow_files

    fewer = 0
    for key in list(_slots(source, parts_min=parts_min)):
        with transaction.atomic():
            _wait_for_writers()
            _sweep()
            parts = list(FlowPartRow.objects.filter(source=source, **key).order_by("id"))
            if len(parts) < parts_min or sum(p.rows for p in parts) > MERGE_ROWS_MAX:
                continue
            import polars as pl

            rows = pl.concat([flow_files.read_rows(folder() / p.name) for p in parts])
            first = parts[0]
            made = flow_files.write_sorted(
                folder(), rows, prefix=_prefix(), version=first.version, span=first.span, slot=first.slot
            )
            if len(made) >= len(parts):
                _take_away(folder() / part.name for part in made)
                continue
            _replace(
                parts, made, source=source, realm=first.realm, inside_realm=first.inside_realm, error=first.error, at=at
            )
            # Proofs cite a part by its digest; this is how one leads to the part that holds the row now.
            record(
                "flows.merged", at=at, actor=actor, about=[source.name],
                parts={p.name: p.sha256 for p in parts}, into={p.name: p.sha256 for p in made},
            )  # fmt: skip
            fewer += len(parts) - len(made)
    return fewer


def _slots(source: SourceRow, *, parts_min: int) -> Iterator[dict[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT realm, inside_realm, version, span, slot, error FROM attribution_flowpartrow "
            "WHERE source_id = %s AND span < 8 GROUP BY 1, 2, 3, 4, 5, 6 HAVING count(*) >= %s ORDER BY 1, 2, 3, 4, 5",
            [source.pk, parts_min],
        )
        for values in cursor.fetchall():
            yield dict(zip(("realm", "inside_realm", "version", "span", "slot", "error"), values, strict=True))


def forget(*, before: int, at: datetime, actor: str) -> int:
    """Take away the flows that were over before an instant (microseconds), and with them those of which nothing was
    heard since; how many rows."""
    from . import flow_files

    with transaction.atomic():
        _wait_for_writers()
        _sweep()
        gone = 0
        # Nobody can say any more that there was none.
        forget_cover(list(FlowPartRow.objects.values_list("source", flat=True).distinct()), before=before)
        for part in FlowPartRow.objects.filter(since__lt=before).select_related("source").order_by("id"):
            made: list[flow_files.Written] = []
            if part.span == flow_files.CARRIED or part.until >= before:
                rows = flow_files.read_rows(folder() / part.name)
                left = flow_files.younger(rows, before=before)
                if left.height == rows.height:
                    continue
                if part.span == flow_files.CARRIED:
                    made = [flow_files.write_carried(folder(), left, prefix=_prefix())]
                else:
                    made = flow_files.write_sorted(
                        folder(), left, prefix=_prefix(), version=part.version, span=part.span, slot=part.slot
                    )
            _replace(
                [part], made, source=part.source, realm=part.realm, inside_realm=part.inside_realm, error=part.error,
                at=at,
            )  # fmt: skip
            if part.span != flow_files.CARRIED:
                gone += part.rows - sum(p.rows for p in made)
        if gone:
            record("flows.forgotten", at=at, actor=actor, about=[], rows=gone, before=before)
        return gone


def flows_of(source: SourceRow, loads: Sequence[int]) -> int:
    """How many flows these readings began."""
    parts = FlowPartRow.objects.filter(source=source, version__gt=0).order_by("id")
    if not parts:
        return 0
    from . import flow_files

    return sum(flow_files.begun_by(folder() / part.name, loads=loads) for part in parts)


def take_out(source: SourceRow, loads: Sequence[int], *, until: int, at: datetime) -> int:
    """Take away the flows that these readings began, and open those again that they may have ended up to an instant
    (microseconds), in the caller's transaction; how many are open again."""
    mine = FlowPartRow.objects.filter(source=source)
    if not mine.exists():
        return 0
    from . import flow_files

    _wait_for_writers()
    _sweep()
    covers = LoadRow.objects.filter(source=source, covers_until__isnull=False).values_list("id", "covers_until")
    read_until = {number: last for number, last in covers if last is not None}
    opened = 0
    for realm, inside_realm in list(mine.values_list("realm", "inside_realm").distinct().order_by()):
        here = mine.filter(realm=realm, inside_realm=inside_realm)
        carried, error, also_open = None, 0, []
        for part in here.order_by("id"):
            rows = flow_files.read_rows(folder() / part.name)
            made: list[Written] = []
            if part.span == flow_files.CARRIED:
                carried, error = flow_files.carried_without(rows, loads=loads), max(error, part.error)
            elif part.span != flow_files.OPEN_SPAN:
                kept, again = flow_files.without(
                    rows, loads=loads, version=part.version, until=until, read_until=read_until
                )
                if kept.height == rows.height:
                    continue
                if again.height:
                    also_open.append(again)
                    error = max(error, part.error)
                made = flow_files.write_sorted(
                    folder(), kept, prefix=_prefix(), version=part.version, span=part.span, slot=part.slot
                )
            _replace(
                [part], made, source=source, realm=realm, inside_realm=inside_realm, error=part.error, at=at,
            )  # fmt: skip
        opened += sum(again.height for again in also_open)
        carried = flow_files.together([*([] if carried is None else [carried]), *also_open])
        made = flow_files.laid_open(folder(), carried, prefix=_prefix())
        _replace([], made, source=source, realm=realm, inside_realm=inside_realm, error=error, at=at)
    return opened


def spoilt() -> Iterator[str]:
    """What is wrong with the files that count, a sentence each."""
    from . import flow_files

    for part in FlowPartRow.objects.order_by("id"):
        path = folder() / part.name
        try:
            if flow_files.digest_of(path) != part.sha256:
                yield f"{path} is not what was written"
        except flow_files.PartIsMissing as why:
            yield str(why)


def missing() -> list[Path]:
    """Parts that count and are not in the folder."""
    names = FlowPartRow.objects.order_by("id").values_list("name", flat=True)
    return [path for path in map(folder().joinpath, names) if not path.exists()]
