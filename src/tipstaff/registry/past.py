"""What the registry believed, and when: reads of changes and of versions. Private to this room but for `queries.py`."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from django.db import connection

from tipstaff.words import Change, Holding, Resource, ResourceKind, Tier, Version, require_aware

from .changes import change_of, key_of
from .models import ChangeRow
from .names import plain_name
from .planned import Asked
from .rows import HOLDING_COLUMNS, holding_of, in_words, resource_in_words

_ALL_HOLDINGS = """
    (SELECT h.*, NULL::timestamptz AS known_until, NULL::bigint AS ended_by FROM registry_holdingrow h
        WHERE h.prefix {operator} %(where)s::inet
    UNION ALL
    SELECT h.*, p.known_until, p.ended_by
        FROM registry_pastrow p, jsonb_populate_record(NULL::registry_holdingrow, p.body) h
        WHERE p.kept_table = 'registry_holdingrow' AND (p.body ->> 'prefix')::cidr {operator} %(where)s::inet) AS h
"""
_ALL_RESOURCES = """
    (SELECT r.*, NULL::timestamptz AS known_until, NULL::bigint AS ended_by FROM registry_resourcerow r
        WHERE r.kind = %(kind)s AND r.name = %(name)s
    UNION ALL
    SELECT r.*, p.known_until, p.ended_by
        FROM registry_pastrow p, jsonb_populate_record(NULL::registry_resourcerow, p.body) r
        WHERE p.kept_table = 'registry_resourcerow' AND r.kind = %(kind)s AND r.name = %(name)s) AS h
"""
_KNOWN_THEN = "h.known_from <= %(known_at)s AND (h.known_until IS NULL OR h.known_until > %(known_at)s)"


def holdings_as_known(address: IPv4Address | IPv6Address, *, at: datetime, known_at: datetime) -> list[Holding]:
    """Who was believed, at `known_at`, to hold `address` at `at`: every tier's rows."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {HOLDING_COLUMNS} FROM {_ALL_HOLDINGS.format(operator=">>=")}
            WHERE h.during @> %(at)s::timestamptz AND {_KNOWN_THEN}
            ORDER BY h.tier, lower(h.during), lower(h.ports), h.id
            """,
            {"where": str(address), "at": require_aware(at), "known_at": require_aware(known_at)},
        )
        return [holding_of(row) for row in cursor.fetchall()]


def versions_of_addresses(network: IPv4Network | IPv6Network, *, limit: int = 1000) -> list[Version]:
    """Every version of every holding in or over a network, the latest known first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT h.known_from, h.known_until, h.change, h.ended_by, {HOLDING_COLUMNS}
            FROM {_ALL_HOLDINGS.format(operator="&&")}
            ORDER BY h.known_from DESC, h.known_until DESC NULLS FIRST, h.id DESC LIMIT %(limit)s
            """,
            {"where": str(network), "limit": limit},
        )
        return [_version_of_holding(row) for row in cursor.fetchall()]


def resource_holders(
    kind: ResourceKind, name: str, *, scope: str | None = None, at: datetime, known_at: datetime | None = None
) -> list[Resource]:
    """Who held a resource at `at`, as believed now or at `known_at`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_RESOURCE_COLUMNS} FROM {_ALL_RESOURCES}
            WHERE h.during @> %(at)s::timestamptz AND (%(scope)s::text IS NULL OR h.scope = %(scope)s)
                AND CASE WHEN %(known_at)s::timestamptz IS NULL THEN h.known_until IS NULL ELSE {_KNOWN_THEN} END
            ORDER BY h.tier, h.scope, h.id
            """,
            {
                "kind": kind,
                "name": plain_name(kind, name),
                "scope": None if scope is None else scope.strip().lower(),
                "at": require_aware(at),
                "known_at": None if known_at is None else require_aware(known_at),
            },
        )
        return [resource_of_row(row) for row in cursor.fetchall()]


def resources_named(wanted: Iterable[tuple[ResourceKind, str]]) -> Asked:
    """Asks for every customer's holding, now and before, of a resource of these kinds and names, by its beginning."""
    asked = list(wanted)
    return (
        f"""
        SELECT {_RESOURCE_COLUMNS} FROM registry_resourcerow h
        JOIN unnest(%s::text[], %s::text[]) w(kind, name) ON w.kind = h.kind AND w.name = h.name
        WHERE h.customer_id IS NOT NULL ORDER BY h.kind, h.name, lower(h.during), h.scope, h.id
        """,
        [[kind.value for kind, _ in asked], [name for _, name in asked]],
    )


def versions_of_resource(kind: ResourceKind, name: str, *, limit: int = 1000) -> list[Version]:
    """Every version of a resource's holdings, the latest known first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT h.known_from, h.known_until, h.change, h.ended_by, {_RESOURCE_COLUMNS} FROM {_ALL_RESOURCES}
            ORDER BY h.known_from DESC, h.known_until DESC NULLS FIRST, h.id DESC LIMIT %(limit)s
            """,
            {"kind": kind, "name": plain_name(kind, name), "limit": limit},
        )
        found = cursor.fetchall()
    versions = []
    for row in found:
        resource = resource_of_row(row[4:])
        versions.append(
            _version(
                row[:4],
                what="resource",
                says=resource_in_words(resource),
                customer=resource.customer,
                true_from=resource.held_from,
                true_until=resource.held_until,
            )
        )
    return versions


_PLACES = {
    # What a version of each table says: (word, the customer's column, a sentence over `body`).
    "registry_customerrow": ("customer", "key", "{name}, {standing}"),
    "registry_representativerow": ("contact", "customer_id", "{name} <{email}>, place {rank}"),
    "registry_standingrow": ("standing", "customer_id", "{standing} in {during} {why}"),
    "registry_servicerow": ("service", "customer_id", "{key}, {kind} {label}"),
    "registry_userrow": ("user", "customer_id", "{name} {email}"),
    "registry_acceptancerow": ("acceptance", "customer_id", "edition {edition} by {contract}"),
    "registry_holdingrow": ("holding", "customer_id", "{prefix} in {during}"),
    "registry_siterow": ("site", "customer_id", "{host_name} at {address} in {during}"),
    "registry_subscriberrow": ("subscriber", "customer_id", "{kind} {value} by {source}"),
    "registry_resourcerow": ("resource", "customer_id", "{kind} {name} {scope} in {during}"),
}


def versions_of_customer(customer: str, *, limit: int = 200) -> list[Version]:
    """What the registry has ceased to believe about a customer, the latest first."""
    versions = []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT known_from, known_until, came_by, ended_by, kept_table, body::text FROM registry_pastrow
            WHERE (kept_table = 'registry_customerrow' AND kept_key = %(key)s) OR body ->> 'customer_id' = %(key)s
            ORDER BY known_until DESC, id DESC LIMIT %(limit)s
            """,
            {"key": customer, "limit": limit},
        )

        for row in cursor.fetchall():
            word, _, sentence = _PLACES.get(row[4], ("row", "", ""))
            body = {name: "" if value is None else value for name, value in json.loads(row[5]).items()}
            says = sentence.format_map(body).strip()
            versions.append(_version(row[:4], what=word, says=says, customer=customer, true_from=None, true_until=None))
    return versions


def get_change(key: str) -> Change | None:
    digits = key.strip().upper().removeprefix("CH-")
    if not digits.isdecimal() or len(digits) > 18:
        return None
    row = ChangeRow.objects.filter(pk=int(digits)).first()
    return None if row is None else change_of(row)


def list_changes(*, limit: int = 100, before: int | None = None) -> list[Change]:
    """Changes of the registry, the latest first."""
    rows = ChangeRow.objects.order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [change_of(row) for row in rows[:limit]]


def changes_of(key: str, *, limit: int = 100, before: int | None = None) -> list[Change]:
    """The changes that concern a customer or a service, the latest first."""
    rows = ChangeRow.objects.filter(about__contains=[key]).order_by("-id")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [change_of(row) for row in rows[:limit]]


_RESOURCE_COLUMNS = """
    h.id, h.kind, h.name, h.scope, h.tier, h.customer_id, h.service_id, lower(h.during), upper(h.during), h.source
"""


def resource_of_row(row: Sequence[Any]) -> Resource:
    key, kind, name, scope, tier, customer, service, since, until, source = row
    return Resource(
        key=key,
        kind=ResourceKind(kind),
        name=name,
        scope=scope,
        tier=Tier(tier),
        customer=customer,
        service=service,
        held_from=since.astimezone(UTC),
        held_until=None if until is None else until.astimezone(UTC),
        source=source,
    )


def _version_of_holding(row: Sequence[Any]) -> Version:
    holding = holding_of(row[4:])
    return _version(
        row[:4], what="holding", says=in_words(holding), customer=holding.customer, true_from=holding.held_from,
        true_until=holding.held_until,
    )  # fmt: skip


def _version(
    known: Sequence[Any], *, what: str, says: str, customer: str | None, true_from: datetime | None,
    true_until: datetime | None,
) -> Version:  # fmt: skip
    known_from, known_until, came_by, ended_by = known
    return Version(
        what=what,
        says=says,
        customer=customer,
        true_from=true_from,
        true_until=true_until,
        known_from=known_from.astimezone(UTC),
        known_until=None if known_until is None else known_until.astimezone(UTC),
        change=None if came_by is None else key_of(came_by),
        ended_by=None if ended_by is None else key_of(ended_by),
    )
