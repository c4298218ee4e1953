"""Bindings into PostgreSQL: COPY, and joining with what earlier readings left. Only `operations.py` uses it."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from typing import Any

import polars as pl
from django.db import connection

from .codes import ENDINGS, STATION, USERNAME
from .intervals import SAME_START
from .protocol import Joins

COLUMNS = (
    "source_id", "load_id", "byte_offset", "end_load_id", "end_offset", "realm", "version", "length", "hi", "lo",
    "port_first", "port_last", "protocol", "possible_from", "sure_from", "sure_until", "possible_until", "ending",
    "strong", "momentary", "kind", "subject", "nas", "inside_realm", "inside_version", "inside_hi", "inside_lo",
)  # fmt: skip
_TABLE = "attribution_bindingrow"
_LISTED = ", ".join(COLUMNS)
_PLACE = ("realm", "version", "length", "hi", "lo", "port_first", "protocol")
_SUBJECT = ("kind", "subject", "inside_realm", "inside_version", "inside_hi", "inside_lo")
_EXPLICIT, _PROMISED, _SUPERSEDED, _INFERRED, _STILL = range(len(ENDINGS))
_COPY_ROWS = 200_000


_is_a_machine = (
    (pl.col("kind") == USERNAME)
    & pl.col("subject").str.contains(r"(?i)^\s*(?:[0-9a-f]{2}[:.-]?){5}[0-9a-f]{2}\s*$")
    & ~pl.col("subject").str.contains(r"^\s*\d{12}\s*$")
).fill_null(value=False)
"""A log-in that is a hardware address (as `station_of` reads it) was let in for what it claims to be, by no secret."""


def rows_of(
    bindings: pl.DataFrame, *, source: int, load: int, realm: int, inside_realm: int, momentary: bool
) -> pl.DataFrame:
    """Bindings as the table's columns, and `begun`."""
    return bindings.select(
        pl.lit(source).alias("source_id"),
        pl.lit(load).alias("load_id"),
        pl.col("offset").alias("byte_offset"),
        pl.lit(load).alias("end_load_id"),
        pl.coalesce("end_offset", "offset").alias("end_offset"),
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
        "begun",
    )


def put_in(rows: pl.DataFrame) -> int:
    """COPY straight into the table: for a source that has said nothing before."""
    _copy(rows.select(COLUMNS), _TABLE, COLUMNS)
    return rows.height


def join_in(rows: pl.DataFrame, joins: Joins, *, restarts: pl.DataFrame | None, source: int) -> int:
    """Rows of a source that has spoken before: they go on with, end or follow what is there. Returns new rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE attribution_staging ON COMMIT DROP AS SELECT {_LISTED}, true AS begun "
            f"FROM {_TABLE} WITH NO DATA"
        )
        _copy(rows.select(*COLUMNS, "begun"), "attribution_staging", (*COLUMNS, "begun"))
        cursor.execute("ANALYZE attribution_staging")
        if joins is not Joins.ALONE:
            which = _THE_FIRST if joins is Joins.LEASE else _ALL_OF_THEM
            cursor.execute(_GO_ON.format(same=_SAME_SUBJECT, when=_GOES_ON[joins], which=which))
            cursor.execute(_SUPERSEDE_OLD)
            cursor.execute(_SUPERSEDE_NEW)
        if restarts is not None:
            for nas, at in restarts.iter_rows():
                cursor.execute(_RESTART, {"nas": nas, "at": at, "source": source})
        cursor.execute(f"INSERT INTO {_TABLE} ({_LISTED}) SELECT {_LISTED} FROM attribution_staging")
        added = int(cursor.rowcount)
        cursor.execute("DROP TABLE attribution_staging")
    return added


def _equal(columns: tuple[str, ...], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{c} = {right}.{c}" for c in columns)


_SAME_PLACE = f"b.source_id = s.source_id AND {_equal(_PLACE, 'b', 's')}"
_SAME_SUBJECT = f"{_SAME_PLACE} AND {_equal(_SUBJECT, 'b', 's')}"
_GOES_ON = {
    Joins.SESSION: f"""
        b.ending <> {_EXPLICIT} AND (
            (s.begun AND abs(b.possible_from - s.possible_from) <= {SAME_START})
            OR (NOT s.begun AND b.possible_from <= s.possible_from))
    """,
    Joins.LEASE: f"b.ending = {_PROMISED} AND s.possible_from BETWEEN b.possible_from AND b.possible_until",
    Joins.SIGHTING: "s.possible_from BETWEEN b.possible_from AND b.possible_until",
}
_GO_ON = f"""
WITH found AS (
    SELECT DISTINCT ON (s.ctid) s.ctid AS staged, b.id
    FROM attribution_staging s JOIN {_TABLE} b ON {{same}} AND {{when}}
    ORDER BY s.ctid, b.possible_from DESC
), going AS (
    {{which}}
), gone AS (
    DELETE FROM attribution_staging s USING going found WHERE s.ctid = found.staged
    RETURNING found.id, s.sure_from, s.sure_until, s.possible_until, s.ending, s.end_load_id, s.end_offset
), last AS (
    SELECT DISTINCT ON (id) *, max(sure_until) OVER (PARTITION BY id) AS surest
    FROM gone ORDER BY id, (ending = {_EXPLICIT}) DESC, sure_until DESC
)
UPDATE {_TABLE} b SET
    sure_until = CASE WHEN last.ending = {_EXPLICIT} THEN last.sure_until ELSE greatest(b.sure_until, last.surest) END,
    possible_until = CASE
        WHEN last.ending = {_EXPLICIT} OR b.ending <> {_SUPERSEDED} THEN last.possible_until ELSE b.possible_until END,
    ending = CASE WHEN last.ending = {_EXPLICIT} OR b.ending <> {_SUPERSEDED} THEN last.ending ELSE b.ending END,
    end_load_id = last.end_load_id, end_offset = last.end_offset
FROM last WHERE b.id = last.id
"""
_ALL_OF_THEM = "SELECT staged, id FROM found"
# The staged leases of one subscriber are apart already: if the first goes on with what is there, the others do not.
_THE_FIRST = """
    SELECT DISTINCT ON (found.id) found.staged, found.id
    FROM found JOIN attribution_staging s ON s.ctid = found.staged ORDER BY found.id, s.possible_from
"""
_NOT_ENDED = f"({_STILL}, {_PROMISED}, {_INFERRED})"
_SUPERSEDE_OLD = f"""
UPDATE {_TABLE} b SET
    possible_until = next.since, sure_until = least(b.sure_until, next.surely), ending = {_SUPERSEDED}
FROM (
    SELECT b.id, min(s.sure_from) AS since, min(s.possible_from) AS surely
    FROM {_TABLE} b JOIN attribution_staging s ON {_SAME_PLACE}
    WHERE b.version <> {STATION} AND b.ending IN {_NOT_ENDED} AND s.begun
        AND b.possible_from < s.possible_from AND b.possible_until > s.sure_from
    GROUP BY b.id
) next WHERE b.id = next.id
"""
_SUPERSEDE_NEW = f"""
UPDATE attribution_staging s SET
    possible_until = next.since, sure_until = least(s.sure_until, next.surely), ending = {_SUPERSEDED}
FROM (
    SELECT s.ctid AS staged, min(b.sure_from) AS since, min(b.possible_from) AS surely
    FROM attribution_staging s JOIN {_TABLE} b ON {_SAME_PLACE}
    WHERE s.version <> {STATION} AND s.ending IN {_NOT_ENDED}
        AND s.possible_from < b.possible_from AND s.possible_until > b.sure_from
    GROUP BY s.ctid
) next WHERE s.ctid = next.staged
"""
_RESTART = f"""
UPDATE {_TABLE} SET
    possible_until = %(at)s, sure_until = least(sure_until, %(at)s), ending = {_SUPERSEDED}
WHERE source_id = %(source)s AND nas = %(nas)s AND ending = {_STILL} AND possible_from < %(at)s
"""


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
