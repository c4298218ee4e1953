"""Bindings into PostgreSQL: COPY, and joining with what earlier readings left. Only `operations.py` uses it."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from typing import Any

import polars as pl
from django.db import connection

from .bulk import read_csv
from .codes import ENDINGS, OPEN, STATION, USERNAME
from .flow_files import OFFSET_BITS, place_in_loads
from .intervals import HEARD, SAME_START, with_defaults
from .protocol import ERROR, Joins

COLUMNS = (
    "source_id", "load_id", "byte_offset", "end_load_id", "end_offset", "realm", "version", "length", "hi", "lo",
    "port_first", "port_last", "protocol", "possible_from", "sure_from", "sure_until", "possible_until", "ending",
    "strong", "momentary", "kind", "subject", "nas", "inside_realm", "inside_version", "inside_hi", "inside_lo",
)  # fmt: skip
SAID = ("since", "seen", "until", "heard", "final", "begun", "session")
"""What the records said, beside what was made of it."""
_TABLE = "attribution_bindingrow"
_PLACE = ("realm", "version", "length", "hi", "lo", "port_first", "protocol")
_SUBJECT = ("kind", "subject", "inside_version", "inside_hi", "inside_lo")
_HALVES = ("hi", "lo", "inside_hi", "inside_lo")
_EXPLICIT, _PROMISED, _SUPERSEDED, _INFERRED, _STILL = range(len(ENDINGS))
_COPY_ROWS = 200_000


_is_a_machine = (
    (pl.col("kind") == USERNAME)
    & pl.col("subject").str.contains(r"(?i)^\s*(?:[0-9a-f]{2}[:.-]?){5}[0-9a-f]{2}\s*$")
    & ~pl.col("subject").str.contains(r"^\s*\d{12}\s*$")
).fill_null(value=False)
"""A log-in that is a hardware address (as `station_of` reads it) was let in for what it claims to be, by no secret."""


def rows_of(
    bindings: pl.DataFrame, *, source: int, joins: Joins, realm: int, inside_realm: int, momentary: bool
) -> pl.DataFrame:
    """Bindings, with loads in their offsets, as the table's columns."""
    end_offset = pl.coalesce("end_offset", "offset")
    said = [pl.lit(None, pl.Int64).alias(c) for c in SAID] if joins is Joins.ALONE else SAID
    return bindings.select(
        pl.lit(source).alias("source_id"),
        (pl.col("offset") // place_in_loads(1, 0)).alias("load_id"),
        (pl.col("offset") % place_in_loads(1, 0)).alias("byte_offset"),
        (end_offset // place_in_loads(1, 0)).alias("end_load_id"),
        (end_offset % place_in_loads(1, 0)).alias("end_offset"),
        pl.when(pl.col("version") == STATION).then(0).otherwise(realm).alias("realm"),
        "version",
        "length",
        pl.col("hi").reinterpret(signed=True),
        pl.col("lo").reinterpret(signed=True),
        "port_first",
        "port_last",
        "protocol",
        "possible_from",
        "sure_from",
        "sure_until",
        "possible_until",
        "ending",
        (pl.col("strong") & ~_is_a_machine).alias("strong"),
        pl.lit(momentary).alias("momentary"),
        "kind",
        pl.col("subject").fill_null(""),
        pl.col("nas").fill_null(""),
        pl.lit(inside_realm).alias("inside_realm"),
        "inside_version",
        pl.col("inside_hi").reinterpret(signed=True),
        pl.col("inside_lo").reinterpret(signed=True),
        *said,
    )


def put_in(rows: pl.DataFrame) -> int:
    """COPY straight into the table."""
    columns = (*COLUMNS, *(c for c in SAID if c in rows.columns))
    _copy(rows.select(columns), _TABLE, columns)
    return rows.height


def take_out(
    records: pl.DataFrame, joins: Joins, *, interim: int | None, source: int, realm: int, inside_realm: int
) -> pl.DataFrame | None:
    """What the table has that `records`, joined, may go on with, end, or be ended by, as joined records with the error
    of the clock by which they were widened. The rows are gone from the table."""
    look = interim or 0 if joins is Joins.SIGHTING else 0
    places = records.select(
        pl.when(pl.col("version") == STATION).then(0).otherwise(realm).alias("realm"), *_PLACE[1:], *_SUBJECT,
        "session", "begun", "since", (pl.col("since") - look - pl.col(ERROR)).alias("possible_from"),
    ).unique().with_columns(pl.col(c).reinterpret(signed=True) for c in _HALVES)  # fmt: skip
    numbers = {"source": source, "inside_realm": inside_realm, "sighting": joins is Joins.SIGHTING,
               "lease": joins is Joins.LEASE}  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE attribution_staging ON COMMIT DROP AS "
            f"SELECT {', '.join(places.columns)} FROM {_TABLE} WITH NO DATA"
        )
        _copy(places, "attribution_staging", tuple(places.columns))
        cursor.execute("ANALYZE attribution_staging")
        if joins is Joins.SESSION:
            cursor.execute(_NAME_SESSIONS, numbers)
        with cursor.copy(_TAKE_OUT[joins is Joins.SIGHTING], numbers) as copy:
            csv = b"".join(bytes(block) for block in copy)
        cursor.execute("DROP TABLE attribution_staging")
    found = read_csv(csv, text=("nas", "subject", "session"))
    if not found.height:
        return None
    flags = ("strong", "final", "begun")
    found = found.with_columns(
        *(pl.col(c).reinterpret(signed=False) for c in _HALVES), *(pl.col(c).cast(pl.Boolean) for c in flags),
        *(pl.col(c).fill_null("") for c in ("nas", "subject", "session")),
    )  # fmt: skip
    return with_defaults(found).hstack(found.select(HEARD, ERROR) if joins is Joins.LEASE else found.select(ERROR))


def _equal(columns: tuple[str, ...], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{c} = {right}.{c}" for c in columns)


_IN_PLACE = f"b.source_id = %(source)s AND b.inside_realm = %(inside_realm)s AND {_equal(_PLACE, 'b', 's')}"
_BEGAN = "coalesce(b.since, b.possible_from)"
# Rows that an earlier version wrote do not say which session they are about: their beginning tells.
_NAME_SESSIONS = f"""
UPDATE {_TABLE} b SET session = s.session FROM attribution_staging s
WHERE b.session IS NULL AND {_IN_PLACE} AND {_equal(_SUBJECT, "b", "s")}
    AND (abs({_BEGAN} - s.since) <= 2 * {SAME_START} OR (NOT s.begun AND {_BEGAN} <= s.since))
"""
# A row may go on that may have lasted into the new records, or that is of a session whose beginning they state.
_LIVE = f"""
WITH live AS MATERIALIZED (
    SELECT DISTINCT b.id, {", ".join(f"b.{c}" for c in _PLACE)}, {_BEGAN} AS since
    FROM attribution_staging s JOIN {_TABLE} b ON {_IN_PLACE} AND (
        b.possible_until >= s.possible_from
        OR (NOT %(lease)s AND b.session = s.session AND {_equal(_SUBJECT, "b", "s")} AND (
            abs({_BEGAN} - s.since) <= {SAME_START}
            OR (NOT s.begun AND NOT coalesce(b.final, false) AND {_BEGAN} <= s.since)
        ))
    )
)
"""
_ERROR = "(SELECT clock_error FROM attribution_loadrow WHERE id = b.load_id)"
_RETURNED = f"""
    (b.load_id::bigint << {OFFSET_BITS}) + b.byte_offset AS "offset",
    (b.end_load_id::bigint << {OFFSET_BITS}) + b.end_offset AS end_offset,
    b.version, b.hi, b.lo, b.length, b.port_first, b.port_last, b.protocol, b.nas, b.kind, b.subject,
    b.strong::int AS strong, b.inside_version, b.inside_hi, b.inside_lo, coalesce(b.session, '') AS session,
    coalesce(b.since, b.possible_from + {_ERROR}) AS since,
    coalesce(b.seen, least(b.sure_until, b.possible_until, {OPEN - 2**60}) + {_ERROR}) AS seen,
    coalesce(b.until, CASE WHEN b.possible_until < {OPEN} AND (b.ending IN ({_EXPLICIT}, {_PROMISED}) OR %(lease)s)
        THEN b.possible_until - {_ERROR} ELSE {OPEN} END) AS until,
    coalesce(b.heard, b.possible_from + {_ERROR}) AS heard,
    coalesce(b.final, b.ending = {_EXPLICIT})::int AS final,
    coalesce(b.begun, b.sure_from - b.possible_from = 2 * {_ERROR})::int AS begun,
    CASE WHEN b.since IS NULL THEN {_ERROR} WHEN NOT %(sighting)s THEN b.since - b.possible_from
        WHEN b.begun THEN b.sure_from - b.since ELSE 0 END AS error
"""
_TAKE_OUT = {
    # Sightings end nobody. Of all others whoever began since the first of them may have ended one of them.
    False: f"""
        COPY ({_LIVE}, first AS (SELECT {", ".join(_PLACE)}, min(since) AS since FROM live GROUP BY {", ".join(_PLACE)})
        DELETE FROM {_TABLE} b USING first s WHERE {_IN_PLACE} AND {_BEGAN} >= s.since
            AND (b.version <> {STATION} OR b.id IN (SELECT id FROM live))
        RETURNING {_RETURNED}) TO STDOUT (FORMAT csv, HEADER)
    """,
    True: f"""
        COPY ({_LIVE} DELETE FROM {_TABLE} b USING live WHERE b.id = live.id RETURNING {_RETURNED})
        TO STDOUT (FORMAT csv, HEADER)
    """,
}


def widen(*, source: int, error: int) -> None:
    """Sessions that were read with a smaller error of the clock, in microseconds, are widened to this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_TABLE} b SET possible_from = b.possible_from - more, sure_from = b.sure_from + more, "
            "sure_until = b.sure_until - more, "
            f"possible_until = CASE WHEN b.possible_until = {OPEN} THEN {OPEN} ELSE b.possible_until + more END "
            f"FROM (SELECT id, %(error)s - (since - possible_from) AS more FROM {_TABLE} "
            "WHERE source_id = %(source)s AND since - possible_from < %(error)s) narrow WHERE narrow.id = b.id",
            {"source": source, "error": error},
        )


def note_restarts(restarts: pl.DataFrame, *, source: int) -> None:
    """NASes of a source restarted: what they had open and nothing was heard of since was over then."""
    with connection.cursor() as cursor:
        for nas, at in restarts.unique().iter_rows():
            cursor.execute(
                "INSERT INTO attribution_restartrow (source_id, nas, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [source, nas, at],
            )
            cursor.execute(
                f"UPDATE {_TABLE} b SET possible_until = %(at)s + coalesce(since - possible_from, 0), "
                f"sure_until = least(sure_until, %(at)s), ending = {_SUPERSEDED} "
                f"WHERE source_id = %(source)s AND ending = {_STILL} AND nas = %(nas)s "
                "AND coalesce(seen, possible_from) <= %(at)s",
                {"nas": nas, "at": at, "source": source},
            )


def restarts_of(source: int, nases: pl.Series) -> pl.DataFrame:
    """Columns `nas` and `at`, of these NASes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nas, at FROM attribution_restartrow WHERE source_id = %s AND nas = ANY(%s)",
            [source, nases.unique().to_list()],
        )
        return pl.DataFrame(cursor.fetchall(), schema={"nas": pl.String, "at": pl.Int64}, orient="row")


def note_silence(*, source: int, interim: int, covers_until: int) -> None:
    """What had not ended, and was not spoken of again although the source went on speaking, ended when it was due."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_TABLE} SET ending = {_INFERRED}, "
            "possible_until = coalesce(seen, sure_until) + %(interim)s + coalesce(since - possible_from, 0) "
            f"WHERE source_id = %(source)s AND ending = {_STILL} "
            "AND coalesce(seen, sure_until) + %(interim)s + coalesce(since - possible_from, 0) < %(covers_until)s",
            {"source": source, "interim": interim, "covers_until": covers_until},
        )


def note_shapes(rows: pl.DataFrame) -> None:
    """Where look-ups have to look from now on."""
    shapes = (
        rows.filter(pl.col("version") != STATION)
        .group_by("realm", "version", "length")
        .agg((pl.col("port_last") - pl.col("port_first") + 1).filter(pl.col("port_first") > 0).max().fill_null(0))
    )
    with connection.cursor() as cursor:
        for shape in shapes.iter_rows():
            cursor.execute(
                "INSERT INTO attribution_shaperow (realm, version, length, ports_max) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (realm, version, length) DO UPDATE "
                "SET ports_max = greatest(attribution_shaperow.ports_max, excluded.ports_max)",
                shape,
            )


def note_scope(rows: pl.DataFrame, *, source: int) -> None:
    """The neighbourhoods in which this source's silence tells something."""
    block = block_of(pl.col("version"), pl.col("hi"), pl.col("lo"))
    blocks = rows.filter(pl.col("version") != STATION).select("version", block.alias("block")).unique()
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO attribution_scoperow (source_id, version, block) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [(source, version, block) for version, block in blocks.iter_rows()],
        )


def block_of(version: Any, hi: Any, lo: Any) -> pl.Expr:
    """The /24 of an IPv4 address, the /40 of an IPv6 one, as a number."""
    return pl.when(version == 4).then(lo // 256).otherwise((hi.reinterpret(signed=False) // 2**24).cast(pl.Int64))


def _copy(rows: pl.DataFrame, table: str, columns: tuple[str, ...]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT csv)") as copy,
    ):
        for start in range(0, rows.height, _COPY_ROWS):
            copy.write(
                rows.slice(start, _COPY_ROWS).write_csv(include_header=False, quote_style="non_numeric").encode()
            )
