"""What was said of a service or an account, and from when until when: read from the versions that are kept.

A port, a reseller above: such a word has no time of its own in the systems that tell it, so it counts from when we
came to know it until we knew otherwise. A version that an undoing has taken back counts nowhere. Private to this room
but for `queries.py` and `export.py`.
"""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tipstaff.words import require_aware

from .planned import fetch_planned

_VERSIONS = """
    SELECT r.key, r.{column} AS says, coalesce(o.at, r.known_from) AS known, TRUE AS live, 0::bigint AS place
    FROM {table} r LEFT JOIN registry_changerow o ON o.id = r.restored_from WHERE {ours}
    UNION ALL
    SELECT p.kept_key, p.body ->> '{column}', coalesce(o.at, p.known_from), FALSE, p.id
    FROM registry_pastrow p LEFT JOIN registry_changerow c ON c.id = p.came_by
        LEFT JOIN registry_changerow o ON o.id = (p.body ->> 'restored_from')::bigint
    WHERE p.kept_table = '{table}' AND c.undone_by IS NULL AND o.undone_by IS NULL AND {past}
"""
_SPELLS = """
    SELECT key, says, min(known) AS known, CASE WHEN bool_or(live) THEN NULL ELSE max(next) END AS until
    FROM (
        SELECT *, count(*) FILTER (WHERE fresh) OVER (PARTITION BY key ORDER BY live, known, place) AS spell
        FROM (
            SELECT v.*, lead(known) OVER w AS next,
                row_number() OVER w = 1 OR lag(says) OVER w IS DISTINCT FROM says AS fresh
            FROM (SELECT *, max(known) FILTER (WHERE live) OVER (PARTITION BY key) AS last FROM ({versions}) u) v
            WHERE live OR known <= last WINDOW w AS (PARTITION BY key ORDER BY live, known, place)
        ) told
    ) numbered GROUP BY key, says, spell
"""


def _spells(table: str, column: str, *, ours: str = "TRUE", past: str = "TRUE") -> str:
    return _SPELLS.format(versions=_VERSIONS.format(table=table, column=column, ours=ours, past=past))


_EVER_AT = """
    SELECT key FROM registry_servicerow WHERE port = ANY(%(values)s) AND port <> ''
    UNION SELECT kept_key FROM registry_pastrow
    WHERE kept_table = 'registry_servicerow' AND body ->> 'port' = ANY(%(values)s) AND body ->> 'port' <> ''
"""
_SERVICES = """
    SELECT key AS value, FALSE AS by_port, customer_id AS customer, key AS service, NULL::timestamptz AS since,
        ended_at AS until, NULL::timestamptz AS sure_from
    FROM registry_servicerow WHERE {these}
    UNION ALL
    SELECT * FROM (
        SELECT s.says, TRUE, r.customer_id, r.key,
            -- Before anybody was said to be at a port, whoever came first may have been there.
            CASE WHEN s.known > min(s.known) OVER (PARTITION BY s.says) THEN s.known END AS since,
            least(s.until, r.ended_at) AS until, s.known
        FROM ({spells}) s JOIN registry_servicerow r ON r.key = s.key WHERE s.says <> '' AND {at_these}
    ) at_ports WHERE since IS NULL OR until IS NULL OR since < until
"""
EVERY_SERVICE = _SERVICES.format(these="TRUE", at_these="TRUE", spells=_spells("registry_servicerow", "port"))
_THESE_SERVICES = (
    _SERVICES.format(
        these="key = ANY(%(values)s)",
        at_these="s.says = ANY(%(values)s) AND s.says <> s.key",
        spells=_spells(
            "registry_servicerow", "port",
            ours="r.key IN (SELECT key FROM ever_at)", past="p.kept_key IN (SELECT key FROM ever_at)",
        ),
    )
    + " ORDER BY value, service, since NULLS FIRST"
)  # fmt: skip


class KnownService(NamedTuple):
    """The service that a name in a log is, by its key or by the port that it was said to be at."""

    value: str
    by_port: bool
    customer: str
    service: str
    since: datetime | None
    until: datetime | None
    sure_from: datetime | None
    """It was said from then on; before, it was nobody else's."""


def services_known_as(values: Iterable[str]) -> list[KnownService]:
    """The services whose key, or circuit or port, is or was one of `values`, each with when."""
    wanted = list(values)
    if not wanted:
        return []
    return [KnownService(*row) for row in _fetch(f"WITH ever_at AS ({_EVER_AT}) {_THESE_SERVICES}", values=wanted)]


class Above(NamedTuple):
    """Who has the contract with us for an account in [since, until): a reseller, or the account itself."""

    top: str
    since: datetime | None
    until: datetime | None

    def within(self, since: datetime | None, until: datetime | None) -> "Above | None":
        """The part of it in [since, until); None for no instant."""
        begin = max((x for x in (self.since, since) if x is not None), default=None)
        end = min((x for x in (self.until, until) if x is not None), default=None)
        return None if begin is not None and end is not None and begin >= end else Above(self.top, begin, end)


_OF_THESE = _spells(
    "registry_customerrow", "reseller_id", ours="r.key = ANY(%(keys)s)", past="p.kept_key = ANY(%(keys)s)"
)
_OF_ALL = _spells(
    "registry_customerrow", "reseller_id", ours="r.key IN (SELECT key FROM resold)",
    past="p.kept_key IN (SELECT key FROM resold)",
)  # fmt: skip
_EVER_RESOLD = """
    SELECT key FROM registry_customerrow WHERE reseller_id IS NOT NULL
    UNION SELECT kept_key FROM registry_pastrow
    WHERE kept_table = 'registry_customerrow' AND body ->> 'reseller_id' IS NOT NULL
"""
_THESE_EVER_RESOLD = """
    SELECT key FROM registry_customerrow WHERE key = ANY(%(keys)s) AND reseller_id IS NOT NULL
    UNION ALL SELECT kept_key FROM registry_pastrow
    WHERE kept_table = 'registry_customerrow' AND kept_key = ANY(%(keys)s) AND body ->> 'reseller_id' IS NOT NULL
"""
_STEPS_MAX = 100


def accounts_over(customers: Iterable[str] | None = None) -> dict[str, list[Above]]:
    """For each customer who buys from a reseller, or did: who had the contract with us, and when, in order of time.

    For all customers where none are given. The others are left out: they are direct customers always.
    """
    told: dict[str, list[Above]] = {}
    wanted = None
    if customers is None:
        _tell(told, _fetch(f"WITH resold AS ({_EVER_RESOLD}) {_OF_ALL} ORDER BY key, known, until"))
    elif asked := sorted(set(customers)):
        # Most never bought from a reseller, and that is found much sooner than when they did.
        wanted = {key for (key,) in _fetch(_THESE_EVER_RESOLD, keys=asked)}
        waiting = set(wanted)
        while waiting:
            _tell(told, _fetch(f"{_OF_THESE} ORDER BY key, known, until", keys=sorted(waiting)))
            told |= {key: [] for key in waiting - told.keys()}
            waiting = {step.top for key in waiting for step in told[key]} - told.keys()
    found = {key: _joined(_climb(key, told, None, None, _STEPS_MAX)) for key in (told if wanted is None else wanted)}
    return {key: steps for key, steps in found.items() if any(step.top != key for step in steps)}


def _tell(told: dict[str, list[Above]], rows: Iterable[tuple[str, str | None, datetime, datetime | None]]) -> None:
    """The account directly above each; the first that was said holds for all the time before."""
    for key, reseller, known, until in rows:
        steps = told.setdefault(key, [])
        steps.append(Above(reseller or key, known if steps else None, until))


def _climb(
    key: str, told: dict[str, list[Above]], since: datetime | None, until: datetime | None, left: int
) -> Iterator[Above]:
    steps = told.get(key) or [Above(key, None, None)]
    for step in steps:
        part = step.within(since, until)
        if part is None:
            continue
        if part.top == key or not left:
            yield part
        else:
            yield from _climb(part.top, told, part.since, part.until, left - 1)


def _joined(steps: Iterable[Above]) -> list[Above]:
    found: list[Above] = []
    for step in steps:
        if found and found[-1].top == step.top:
            found[-1] = found[-1]._replace(until=step.until)
        else:
            found.append(step)
    return found


def top_resellers(customers: Iterable[str], *, at: datetime) -> dict[str, str]:
    """For each customer who bought from a reseller at `at`: the account at the top, which has a contract with us."""
    at = require_aware(at)
    return {
        key: step.top
        for key, steps in accounts_over(customers).items()
        for step in steps
        if step.top != key and (step.since is None or step.since <= at) and (step.until is None or at < step.until)
    }


def service_ends(services: Iterable[str]) -> dict[str, datetime]:
    """When each of these services ended, of those that have."""
    wanted = list(services)
    if not wanted:
        return {}
    return dict(
        _fetch(
            "SELECT key, ended_at FROM registry_servicerow WHERE key = ANY(%(keys)s) AND ended_at IS NOT NULL",
            keys=wanted,
        )
    )


def _fetch(sql: str, **parameters: object) -> list[tuple[Any, ...]]:
    return fetch_planned(sql, parameters)
