"""Reads of the registry."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from typing import Any

from django.db import connection
from django.db.models import Q

from tipstaff.words import Customer, Holding, Service, Site, require_aware

from .models import CustomerRow, ServiceRow, SiteRow
from .rows import HOLDING_COLUMNS, customer_of, holding_of, plain_host_name, service_of, site_of

COVERING = f"""
SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
WHERE h.prefix >>= %s::inet AND h.during && tstzrange(%s, %s, '[]')
ORDER BY h.tier, lower(h.during), lower(h.ports), h.id
"""


def get_customer(key: str) -> Customer | None:
    row = CustomerRow.objects.prefetch_related("representatives").filter(key=key).first()
    return customer_of(row) if row else None


def list_customers(*, search: str = "", limit: int = 200) -> list[Customer]:
    """Customers whose key, name or representative's address contains `search`, by key."""
    rows = CustomerRow.objects.prefetch_related("representatives").order_by("key")
    if search:
        rows = rows.filter(
            Q(key__icontains=search) | Q(name__icontains=search) | Q(representatives__email__icontains=search)
        ).distinct()
    return [customer_of(row) for row in rows[:limit]]


def customers_of_reseller(reseller: str) -> list[Customer]:
    """The accounts directly below a reseller, by key."""
    rows = CustomerRow.objects.prefetch_related("representatives").filter(reseller_id=reseller).order_by("key")
    return [customer_of(row) for row in rows]


def services_of(customer: str) -> list[Service]:
    return [service_of(row) for row in ServiceRow.objects.filter(customer_id=customer).order_by("key")]


def get_service(key: str) -> Service | None:
    row = ServiceRow.objects.filter(key=key).first()
    return service_of(row) if row else None


def holdings_covering(address: IPv4Address | IPv6Address, *, earliest: datetime, latest: datetime) -> list[Holding]:
    """Every holding, of any tier, that covered `address` at an instant of [earliest, latest]."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return _holdings(COVERING, [str(address), require_aware(earliest), require_aware(latest)])


def holdings_of(customer: str, *, at: datetime) -> list[Holding]:
    """What a customer held at `at`, by prefix."""
    return _holdings(
        f"""
        SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
        WHERE h.customer_id = %s AND h.during @> %s::timestamptz ORDER BY h.prefix, lower(h.ports), h.id
        """,
        [customer, require_aware(at)],
    )


def holdings_within(network: IPv4Network | IPv6Network, *, limit: int = 1000) -> list[Holding]:
    """The history of a network: all holdings inside it or over it, the newest first."""
    return _holdings(
        f"""
        SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
        WHERE h.prefix && %s::inet ORDER BY lower(h.during) DESC, h.prefix, h.id LIMIT %s
        """,
        [str(network), limit],
    )


def accounts_on(network: IPv4Network | IPv6Network, *, at: datetime) -> frozenset[str]:
    """The customers, resellers included, who held anything in or over `network`, or had a site in it, at `at`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT customer_id FROM registry_holdingrow
            WHERE prefix && %(network)s::inet AND during @> %(at)s::timestamptz AND customer_id IS NOT NULL
            UNION SELECT customer_id FROM registry_siterow
            WHERE address <<= %(network)s::inet AND during @> %(at)s::timestamptz
            """,
            {"network": str(network), "at": require_aware(at)},
        )
        return frozenset(key for (key,) in cursor.fetchall())


def sites_on(address: IPv4Address | IPv6Address, *, at: datetime) -> list[str]:
    """The host names answered at `address`, in order."""
    rows = SiteRow.objects.filter(address=address, during__contains=require_aware(at))
    return sorted(set(rows.values_list("host_name", flat=True)))


def sites_named(host_name: str, *, at: datetime) -> list[Site]:
    """Where a host name was answered at `at`, and for whom."""
    rows = SiteRow.objects.filter(host_name=plain_host_name(host_name), during__contains=require_aware(at))
    return [site_of(row) for row in rows.order_by("address", "id")]


def service_of_site(host_name: str, *, at: datetime) -> Service | None:
    """The one service that answered for a host name at `at`; None when there is none or more than one."""
    services = {site.service for site in sites_named(host_name, at=at)}
    service = services.pop() if len(services) == 1 else None
    return None if service is None else get_service(service)


def own_space(*, at: datetime) -> tuple[IPv4Network | IPv6Network, ...]:
    """The operator's own address space at `at`: no measure may ever reach beyond it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT prefix FROM registry_holdingrow WHERE tier = 'operator' AND during @> %s::timestamptz",
            [require_aware(at)],
        )
        return tuple(collapsed(ip_network(row[0]) for row in cursor.fetchall()))


def count_customers() -> int:
    """How many accounts there are."""
    return CustomerRow.objects.count()


def customer_classes() -> tuple[dict[str, str], dict[str, str]]:
    """What kind each service is, by its key; and each customer, by theirs: `reseller`, the one kind of what they buy,
    `several kinds`, or `no service named`."""
    of_service: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    for key, customer, kind in ServiceRow.objects.values_list("key", "customer_id", "kind"):
        of_service[key] = kind
        kinds.setdefault(customer, set()).add(kind)
    of_customer = {}
    for key, is_reseller in CustomerRow.objects.values_list("key", "is_reseller"):
        bought = kinds.get(key, set())
        of_customer[key] = (
            "reseller" if is_reseller
            else "no service named" if not bought
            else next(iter(bought)) if len(bought) == 1
            else "several kinds"
        )  # fmt: skip
    return of_service, of_customer


def records_begin_at() -> datetime | None:
    """Since when the registry knows who held what; None while it knows nothing.

    The operator's own space says what is ours and not who held it, so it counts only while there is nothing else.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(lower(during)) FROM registry_holdingrow WHERE tier <> 'operator'")
        (begin,) = cursor.fetchone()
        if begin is None:
            cursor.execute("SELECT min(lower(during)) FROM registry_holdingrow")
            (begin,) = cursor.fetchone()
    return None if begin is None else require_aware(begin)


def _holdings(sql: str, parameters: list[Any]) -> list[Holding]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [holding_of(row) for row in cursor.fetchall()]


def collapsed(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[IPv4Network | IPv6Network]:
    """The fewest networks that cover the same addresses."""
    networks = list(networks)
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv6Network))
