"""The registry's rows as CSV, all at once, for whoever answers many questions in memory. Reads only."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text.

from django.db import connection

from .rows import ATTRIBUTED
from .spells import EVERY_SERVICE

HOLDINGS = f"""
COPY (
    SELECT h.id, h.tier, h.kind, family(h.prefix) AS version, host(h.prefix) AS address, masklen(h.prefix) AS length,
        (extract(epoch FROM lower(h.during)) * 1000000)::bigint AS since,
        (extract(epoch FROM upper(h.during)) * 1000000)::bigint AS until,
        lower(h.ports) AS port_first, upper(h.ports) - 1 AS port_last, h.customer_id AS customer,
        h.service_id AS service, h.source
    FROM {ATTRIBUTED} h WHERE NOT isempty(h.during) ORDER BY h.id
) TO STDOUT (FORMAT csv, HEADER)
"""
SERVICES = f"""
COPY (
    SELECT value, by_port::int AS by_port, customer, service, (extract(epoch FROM since) * 1000000)::bigint AS since,
        (extract(epoch FROM until) * 1000000)::bigint AS until,
        (extract(epoch FROM sure_from) * 1000000)::bigint AS sure_from
    FROM ({EVERY_SERVICE}) s
) TO STDOUT (FORMAT csv, HEADER)
"""
ENDED = """
COPY (
    SELECT key AS service, (extract(epoch FROM ended_at) * 1000000)::bigint AS ended
    FROM registry_servicerow WHERE ended_at IS NOT NULL
) TO STDOUT (FORMAT csv, HEADER)
"""
CUSTOMERS = "COPY (SELECT key FROM registry_customerrow) TO STDOUT (FORMAT csv, HEADER)"
LISTED = """
COPY (
    SELECT kind, value AS subject, customer_id AS customer, service_id AS service,
        (extract(epoch FROM since) * 1000000)::bigint AS since, (extract(epoch FROM until) * 1000000)::bigint AS until,
        (extract(epoch FROM sure_from) * 1000000)::bigint AS sure_from,
        (extract(epoch FROM sure_until) * 1000000)::bigint AS sure_until
    FROM registry_subscriberrow ORDER BY id
) TO STDOUT (FORMAT csv, HEADER)
"""
RESOURCES = """
COPY (
    SELECT kind, name, scope, customer_id AS customer, service_id AS service,
        (extract(epoch FROM lower(during)) * 1000000)::bigint AS since,
        (extract(epoch FROM upper(during)) * 1000000)::bigint AS until
    FROM registry_resourcerow WHERE customer_id IS NOT NULL AND kind IN ('login', 'circuit', 'mac')
    ORDER BY kind, name, lower(during), scope, id
) TO STDOUT (FORMAT csv, HEADER)
"""


def holdings_csv() -> bytes:
    """Every holding, none beyond its service; instants in microseconds since 1970."""
    return _copied(HOLDINGS)


def services_csv() -> bytes:
    """Every name by which a service is or was known, as `queries.services_known_as` tells it."""
    return _copied(SERVICES)


def ended_csv() -> bytes:
    """Every service that has ended, and when."""
    return _copied(ENDED)


def listed_csv() -> bytes:
    """What the operator's lists say of subscribers, as `queries.identities_of` tells it."""
    return _copied(LISTED)


def subscribers_csv() -> bytes:
    """Which customer held each log-in, circuit and MAC when; instants in microseconds since 1970."""
    return _copied(RESOURCES)


def customers_csv() -> bytes:
    """Every customer's key."""
    return _copied(CUSTOMERS)


def _copied(sql: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(sql) as copy:
        return b"".join(bytes(block) for block in copy)
