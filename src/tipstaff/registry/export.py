"""The registry's rows as CSV, all at once, for whoever answers many questions in memory. Reads only."""

from django.db import connection

HOLDINGS = """
COPY (
    SELECT h.id, h.tier, h.kind, family(h.prefix) AS version, host(h.prefix) AS address, masklen(h.prefix) AS length,
        (extract(epoch FROM lower(h.during)) * 1000000)::bigint AS since,
        (extract(epoch FROM upper(h.during)) * 1000000)::bigint AS until,
        lower(h.ports) AS port_first, upper(h.ports) - 1 AS port_last, h.customer_id AS customer,
        h.service_id AS service, h.source
    FROM registry_holdingrow h ORDER BY h.id
) TO STDOUT (FORMAT csv, HEADER)
"""
SERVICES = "COPY (SELECT key, customer_id AS customer, port FROM registry_servicerow) TO STDOUT (FORMAT csv, HEADER)"
CUSTOMERS = "COPY (SELECT key FROM registry_customerrow) TO STDOUT (FORMAT csv, HEADER)"
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
    """Every holding; instants in microseconds since 1970."""
    return _copied(HOLDINGS)


def services_csv() -> bytes:
    """Every service's key, customer and circuit."""
    return _copied(SERVICES)


def subscribers_csv() -> bytes:
    """Which customer held each log-in, circuit and MAC when; instants in microseconds since 1970."""
    return _copied(RESOURCES)


def customers_csv() -> bytes:
    """Every customer's key."""
    return _copied(CUSTOMERS)


def _copied(sql: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(sql) as copy:
        return b"".join(bytes(block) for block in copy)
