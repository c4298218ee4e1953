"""Many holdings at once: COPY into a temporary table, then one INSERT. Only `operations.py` uses it."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from tipstaff.words import Holding

from .rows import HOLDING_COLUMNS, SCOPES, holding_of

_STAGE = """
CREATE TEMPORARY TABLE registry_staging (
    ord integer, tier varchar(10), kind varchar(12), prefix cidr, ports int4range, during tstzrange,
    customer_id varchar(64), service_id varchar(64), source text
) ON COMMIT DROP
"""
_COPY = "COPY registry_staging FROM STDIN"
_INSERT = """
INSERT INTO registry_holdingrow
    (tier, kind, prefix, ports, during, customer_id, service_id, source, known_from, change)
SELECT tier, kind, prefix, ports, during, customer_id, service_id, source, %s, %s
FROM registry_staging ORDER BY prefix, during, ports
"""
_SAME_HOLDING = """
    h.tier = s.tier AND h.kind = s.kind AND h.prefix = s.prefix AND h.ports = s.ports
    AND lower(h.during) = lower(s.during) AND h.customer_id IS NOT DISTINCT FROM s.customer_id
"""
_SAME_IN_ALL = f"{_SAME_HOLDING} AND h.during = s.during AND h.service_id IS NOT DISTINCT FROM s.service_id"
_CHANGE = f"""
UPDATE registry_holdingrow h SET during = s.during, service_id = s.service_id, source = s.source
FROM registry_staging s WHERE {_SAME_HOLDING}
"""
_STAGED = """
    0, s.tier, s.kind, s.prefix, lower(s.ports), upper(s.ports), lower(s.during), upper(s.during),
    s.customer_id, s.service_id, s.source
"""
_PLACE = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}


@contextmanager
def staged(rows: Iterable[Holding]) -> Iterator[None]:
    """The rows in a temporary table, for the time of the block."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for number, row in enumerate(rows):
                copy.write(_line(number, row))
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE registry_staging")


def complete(left_out: frozenset[str]) -> None:
    """Of what the file has no column for, known holdings stay as they are."""
    columns = {"held_until": "during = h.during", "service": "service_id = h.service_id"}
    if stay := [columns[name] for name in sorted(left_out & columns.keys())]:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE registry_staging s SET {', '.join(stay)} FROM registry_holdingrow h WHERE {_SAME_HOLDING}"
            )


def end_with_services() -> dict[str, str]:
    """A file does not bring back what ended with its service: rows that reach beyond end there. Those that would begin
    only afterwards, by their source, with why they can't be."""
    ended = "registry_servicerow v WHERE v.key = s.service_id AND v.ended_at"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registry_staging s SET during = tstzrange(lower(s.during), v.ended_at) "
            f"FROM {ended} > lower(s.during) AND (upper(s.during) IS NULL OR upper(s.during) > v.ended_at)"
        )
        cursor.execute(f"SELECT s.source, v.key, v.ended_at FROM registry_staging s, {ended} <= lower(s.during)")
        return {source: ended_words(key, at) for source, key, at in cursor.fetchall()}


def ended_words(service: str, at: datetime) -> str:
    """Why nothing is held by a service from then on."""
    return f"the service {service} has ended on {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def staged_pairs() -> list[tuple[str | None, str | None]]:
    """The customers and services that the staged rows name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT customer_id, service_id FROM registry_staging")
        return [(customer, service) for customer, service in cursor.fetchall()]


def staged_resellers() -> list[str]:
    """The customers for whom staged rows of the tier reseller are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT customer_id FROM registry_staging WHERE tier = 'reseller'")
        return [customer for (customer,) in cursor.fetchall()]


def insert_staged(*, known_from: datetime, change: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [known_from, change])
        return int(cursor.rowcount)


def drop_unchanged() -> int:
    """Forget the staged rows that the registry has already, in every respect; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM registry_staging s USING registry_holdingrow h WHERE {_SAME_IN_ALL}")
        return int(cursor.rowcount)


def change_restated() -> list[Holding]:
    """Give known holdings the end and the service that the staged rows state; returns them as stated."""
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE)
        cursor.execute(
            f"DELETE FROM registry_staging s USING registry_holdingrow h WHERE {_SAME_IN_ALL} RETURNING {_STAGED}"
        )
        return [holding_of(row) for row in cursor.fetchall()]


def drop_pairs(pairs: Iterable[tuple[str | None, str | None]]) -> None:
    """Forget the staged rows of customers and services that do not exist or do not belong together."""
    with connection.cursor() as cursor:
        for customer, service in pairs:
            cursor.execute(
                "DELETE FROM registry_staging WHERE customer_id IS NOT DISTINCT FROM %s "
                "AND service_id IS NOT DISTINCT FROM %s",
                [customer, service],
            )


def drop_sources(sources: list[str]) -> None:
    """Forget staged rows by the line that they came from."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM registry_staging WHERE source = ANY (%s)", [sources])


@dataclass(frozen=True, slots=True)
class Kept:
    """A staged row that gave way to what a person has set."""

    new: Holding
    why: str


_BY_PERSON = """
    registry_holdingrow h
    JOIN registry_changerow c ON c.id = coalesce(h.restored_from, h.change) AND c.origin = 'person'
"""


def drop_what_persons_set() -> list[Kept]:
    """Forget staged rows that state otherwise, or claim for another, what a person has set; they stand."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {_BY_PERSON})")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute("CREATE INDEX ON registry_staging USING gist ((registry_span(prefix)))")
        cursor.execute("ANALYZE registry_staging")
        scopes = " OR ".join(f"({scope.format('s')} AND {scope.format('h')})" for scope in SCOPES.values())
        cursor.execute(
            f"""
            DELETE FROM registry_staging WHERE ord IN (
                SELECT s.ord FROM {_BY_PERSON} JOIN registry_staging s ON registry_span(s.prefix) && h.span
                    AND h.prefix && s.prefix AND h.ports && s.ports AND h.during && s.during AND ({scopes})
                WHERE NOT ({_SAME_IN_ALL}))
            RETURNING {_STAGED.replace("s.", "")}, ord
            """
        )
        dropped = {row[-1]: holding_of(row[:-1]) for row in cursor.fetchall()}
        why: dict[int, str] = {}
        for number, holding in dropped.items():
            cursor.execute(
                f"""
                SELECT c.actor, to_char(c.at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), h.customer_id, v.key, v.ended_at
                FROM {_BY_PERSON} LEFT JOIN registry_servicerow v
                    ON v.key = h.service_id AND v.ended_at < coalesce(upper(h.during), 'infinity')
                WHERE h.prefix && %s::cidr AND h.tier = %s AND h.during && tstzrange(%s, %s) ORDER BY c.at DESC LIMIT 1
                """,
                [str(holding.prefix), holding.tier, holding.held_from, holding.held_until],
            )
            found = cursor.fetchone()
            actor, day, whose, service, ended = found if found else ("a person", "", None, None, None)
            why[number] = (
                f"{holding.prefix} for {holding.customer or 'the operator'}: {actor} has set it for "
                f"{whose or 'the operator'} on {day}, and that stands"
            )
            if service is not None and ended is not None:
                why[number] += (
                    f", though {ended_words(service, ended)}: it names nobody since, so end it and read this again"
                )
        return [Kept(holding, why[number]) for number, holding in sorted(dropped.items())]


_CUT_SHORT = """
    SELECT FROM registry_pastrow p WHERE p.kept_table = 'registry_holdingrow' AND p.kept_key = h.id::text
        AND coalesce(upper((p.body ->> 'during')::tstzrange), 'infinity') > lower(s.during)
        -- The day counts from the end, and from when the end was told: nobody makes it pass by stating an older one.
        AND greatest(upper(h.during), p.known_until) > lower(s.during) - %s::interval
"""
_RELATED = """
    WITH RECURSIVE above (below, key, top) AS (
        SELECT c.key, c.key, c.reseller_id FROM registry_customerrow c WHERE c.key IN (h.customer_id, s.customer_id)
        UNION SELECT a.below, c.key, c.reseller_id FROM above a JOIN registry_customerrow c ON c.key = a.top)
    SELECT FROM above a WHERE a.below <> a.key AND a.key IN (h.customer_id, s.customer_id)
"""
"""Whether one of the two stands above the other."""
_MOVED = f"""
    SELECT {_STAGED}, {HOLDING_COLUMNS} FROM {{new}} s JOIN registry_holdingrow h
        ON h.span && registry_span(s.prefix) AND h.prefix && s.prefix AND h.ports && s.ports
            AND h.customer_id <> s.customer_id AND upper(h.during) <= lower(s.during)
    WHERE (h.kind IN ('static', 'delegated') OR s.kind IN ('static', 'delegated')) AND EXISTS ({_CUT_SHORT})
        -- What a reseller holds and what those below hold lie over each other; that is no move between them.
        AND (h.tier = s.tier OR NOT EXISTS ({_RELATED}))
        -- The end of a service or of a contract gives its addresses back.
        AND NOT EXISTS (SELECT FROM registry_servicerow v WHERE v.key = h.service_id AND v.ended_at <= upper(h.during))
        AND NOT EXISTS (SELECT FROM registry_standingrow t WHERE t.customer_id = h.customer_id
            AND t.standing = 'terminated' AND t.during @> upper(h.during))
    ORDER BY s.ord LIMIT 100
"""
_GIVEN = """
    (SELECT 0 AS ord, %s AS tier, %s AS kind, %s::cidr AS prefix, int4range(%s, %s) AS ports,
        tstzrange(%s, %s) AS during, %s AS customer_id, %s AS service_id, %s AS source)
"""
GIVEN_BACK = timedelta(days=1)
"""Addresses that lay with the operator for so long have been given back, and may be given to anybody."""


def transfers(given: Holding | None = None) -> list[tuple[Holding, Holding]]:
    """Addresses that would go to another (the staged rows, or `given`) than the customer from whom they were taken less
    than GIVEN_BACK before: (the new row, the old one). A term that ran out as it was agreed takes nothing from anybody.
    """
    new, parameters = "registry_staging", list[Any]()
    if given is not None:
        new, parameters = _GIVEN, [
            given.tier, given.kind, str(given.prefix), given.port_first, given.port_last + 1, given.held_from,
            given.held_until, given.customer, given.service, given.source,
        ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM registry_pastrow WHERE kept_table = 'registry_holdingrow')")
        if not cursor.fetchone()[0]:
            return []
        cursor.execute(_MOVED.format(new=new), [*parameters, f"{GIVEN_BACK.total_seconds()} seconds"])
        return [(holding_of(row[:11]), holding_of(row[11:])) for row in cursor.fetchall()]


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE registry_holdingrow")


def overlaps(*, restating: bool, limit: int) -> list[tuple[Holding, Holding]]:
    """Staged rows that overlap, each with the row in the way: a known one, or one earlier in the same lot.

    With `restating`, a known holding that the lot states anew counts as the lot states it.
    """
    known = (
        f"AND NOT EXISTS (SELECT FROM registry_staging r WHERE {_SAME_HOLDING.replace('s.', 'r.')})"
        if restating
        else ""
    )
    against_known = " UNION ALL ".join(
        f"""
        SELECT s.ord, {_STAGED}, h.id, h.tier, h.kind, h.prefix, lower(h.ports), upper(h.ports), lower(h.during),
            upper(h.during), h.customer_id, h.service_id, h.source
        FROM registry_staging s JOIN registry_holdingrow h
            ON h.span && registry_span(s.prefix) AND h.prefix && s.prefix AND h.ports && s.ports
                AND h.during && s.during
        WHERE {scope.format("s")} AND {scope.format("h")} {known}
        """
        for scope in SCOPES.values()
    )
    with connection.cursor() as cursor:
        _index(cursor)
        cursor.execute(f"{against_known} UNION ALL {_AMONG_THEMSELVES} ORDER BY 1, 13 LIMIT {int(limit)}")
        return [(holding_of(row[1:12]), holding_of(row[12:])) for row in cursor.fetchall()]


def rivals(*, limit: int) -> list[tuple[Holding, Holding]]:
    """Staged rows that overlap one of another customer in the same lot, each with that one. Of two prefixes the
    narrower says more, so it has no rival in the wider; of two that are alike neither can be believed."""
    with connection.cursor() as cursor:
        _index(cursor)
        cursor.execute(f"{_AMONG_THEMSELVES} AND e.customer_id <> s.customer_id ORDER BY 1, 13 LIMIT {int(limit)}")
        pairs = [(holding_of(row[1:12]), holding_of(row[12:])) for row in cursor.fetchall()]
    both = [*pairs, *((earlier, later) for later, earlier in pairs)]
    return [(one, other) for one, other in both if one.prefix.prefixlen <= other.prefix.prefixlen]


_AMONG_THEMSELVES = f"""
    SELECT s.ord, {_STAGED}, {_STAGED.replace("0, s.", "e.ord, e.").replace("s.", "e.")}
    FROM registry_staging s JOIN registry_staging e
        ON registry_span(e.prefix) && registry_span(s.prefix) AND e.prefix && s.prefix AND e.ports && s.ports
            AND e.during && s.during
    WHERE e.ord < s.ord AND e.tier = s.tier AND (e.kind = 'pool') = (s.kind = 'pool')
"""


def _index(cursor: Any) -> None:
    cursor.execute(
        "CREATE INDEX IF NOT EXISTS registry_staging_places ON registry_staging "
        "USING gist ((registry_span(prefix)), ports, during)"
    )
    cursor.execute("ANALYZE registry_staging")


def _line(number: int, row: Holding) -> str:
    """One line of COPY's text format."""
    until = "" if row.held_until is None else row.held_until.isoformat()
    return (
        f"{number}\t{row.tier}\t{row.kind}\t{row.prefix}\t[{row.port_first},{row.port_last + 1})\t"
        f"[{row.held_from.isoformat()},{until})\t{_text(row.customer)}\t{_text(row.service)}\t{_text(row.source)}\n"
    )


def _text(value: str | None) -> str:
    return "\\N" if value is None else value.translate(_PLACE)
