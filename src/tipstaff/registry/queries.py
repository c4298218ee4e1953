"""Reads of the registry."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_network
from operator import or_
from typing import Any, Final

from django.db import connection
from django.db.models import F, Q
from psycopg.types.range import Range

from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Holding,
    HoldingKind,
    Identity,
    LetterOfAuthority,
    MailKeys,
    Outside,
    Representative,
    Resource,
    ResourceKind,
    Service,
    Site,
    Standing,
    StandingPeriod,
    SubjectKind,
    require_aware,
    session_name,
)

from .admission_queries import (
    count_waiting_admissions,
    former_customers,
    get_admission,
    handle_holder,
    holders_of_name,
    latest_admissions,
    list_admissions,
    list_late_uses,
    lists_loaded,
    names_ever_held,
    names_in_logs,
    order_of,
    periods_of_addresses,
    periods_of_resources,
    periods_of_subscriber,
    running_orders,
    subscribers_without_a_right,
)
from .models import (
    AcceptanceRow,
    CustomerRow,
    LetterRow,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    StandingRow,
    UserRow,
)
from .past import (
    changes_of,
    get_change,
    holdings_as_known,
    list_changes,
    resource_holders,
    resource_of_row,
    resources_named,
    versions_of_addresses,
    versions_of_customer,
    versions_of_resource,
)
from .planned import fetch_planned, fetch_together
from .rows import (
    ATTRIBUTED,
    HOLDING_COLUMNS,
    acceptance_of,
    customer_of,
    holding_of,
    letter_of,
    plain_host_name,
    representative_of,
    resource_of,
    service_of,
    site_of,
    standing_of,
    stated_customer_of,
    user_of,
)
from .spells import Above, accounts_over, service_ends, services_known_as, top_resellers
from .subscribers import entries_in_words, entries_named
from .then import account_as_known

__all__ = [
    "Above",
    "acceptances_of",
    "account_as_known",
    "accounts_above",
    "accounts_below",
    "accounts_on",
    "accounts_on_service",
    "accounts_over",
    "all_holdings_of",
    "changes_around",
    "changes_of",
    "collapsed",
    "count_customers",
    "count_waiting_admissions",
    "customers_changed_by",
    "customers_named_by",
    "customers_who_agreed",
    "edition_accepted",
    "former_customers",
    "get_admission",
    "get_change",
    "get_customer",
    "get_service",
    "handle_holder",
    "holders_of_name",
    "holdings_and_begin",
    "holdings_as_known",
    "holdings_covering",
    "holdings_of",
    "holdings_within",
    "holds_within",
    "latest_admissions",
    "letters_of_authority",
    "list_admissions",
    "list_changes",
    "list_customers",
    "list_late_uses",
    "lists_loaded",
    "mail_keys_of",
    "names_ever_held",
    "names_in_logs",
    "order_of",
    "own_space",
    "periods_of_addresses",
    "periods_of_resources",
    "periods_of_subscriber",
    "records_begin_at",
    "representatives_of",
    "represented_by",
    "represented_since",
    "resource_holders",
    "resources_of",
    "running_orders",
    "service_ends",
    "service_of_site",
    "services_known_as",
    "services_of",
    "sites_named",
    "sites_named_within",
    "sites_of",
    "sites_on",
    "standing_at",
    "standings_of",
    "stated_representative",
    "subscribers_without_a_right",
    "top_resellers",
    "users_of",
    "versions_of_addresses",
    "versions_of_customer",
    "versions_of_resource",
]

COVERING = f"""
SELECT {HOLDING_COLUMNS} FROM (SELECT %s::inet AS address, tstzrange(%s, %s, '[]') AS at) asked
JOIN {ATTRIBUTED} h ON h.prefix >>= asked.address AND h.stated && asked.at AND h.during && asked.at
ORDER BY h.tier, lower(h.during), lower(h.ports), h.id
"""
BEGIN = """
SELECT coalesce(
    (SELECT min(lower(during)) FROM registry_holdingrow WHERE tier <> 'operator'),
    (SELECT min(lower(during)) FROM registry_holdingrow)
)
"""


def get_customer(key: str) -> Customer | None:
    row = CustomerRow.objects.prefetch_related("representatives").filter(key=key).first()
    return customer_of(row) if row else None


def get_customers(keys: Iterable[str]) -> dict[str, Customer]:
    """These customers by their keys; those whom nobody knows are left out."""
    rows = CustomerRow.objects.prefetch_related("representatives").filter(key__in=list(keys))
    return {row.key: customer_of(row) for row in rows}


def list_customers(
    *, search: str = "", standing: Standing | None = None, brand: str | None = None, limit: int = 200, offset: int = 0,
    after: str = "",
) -> list[Customer]:  # fmt: skip
    """Customers whose key, name or representative's address contains `search`, by key, after `after`."""
    rows = CustomerRow.objects.prefetch_related("representatives").order_by("key")
    if after:
        rows = rows.filter(key__gt=after)
    if standing is not None:
        rows = rows.filter(standing=standing)
    if brand is not None:
        rows = rows.filter(brand=brand)
    if search:
        rows = rows.filter(
            Q(key__icontains=search) | Q(name__icontains=search) | Q(representatives__email__icontains=search)
        ).distinct()
    return [customer_of(row) for row in rows[offset : offset + limit]]


def services_of(customer: str) -> list[Service]:
    return [service_of(row) for row in ServiceRow.objects.filter(customer_id=customer).order_by("key")]


def get_service(key: str) -> Service | None:
    row = ServiceRow.objects.filter(key=key).first()
    return service_of(row) if row else None


def holdings_covering(address: IPv4Address | IPv6Address, *, earliest: datetime, latest: datetime) -> list[Holding]:
    """Every holding, of any tier, that covered `address` at an instant of [earliest, latest]: none longer than its
    service lasted."""
    return _holdings(*_covering(address, earliest, latest))


def holdings_and_begin(
    address: IPv4Address | IPv6Address, *, earliest: datetime, latest: datetime
) -> tuple[list[Holding], datetime | None]:
    """`holdings_covering` and `records_begin_at`."""
    held, ((begin,),) = fetch_together(_covering(address, earliest, latest), (BEGIN, []))
    return [holding_of(row) for row in held], None if begin is None else require_aware(begin)


def _covering(address: IPv4Address | IPv6Address, earliest: datetime, latest: datetime) -> tuple[str, list[Any]]:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return COVERING, [str(address), require_aware(earliest), require_aware(latest)]


def holds_within(network: IPv4Network | IPv6Network, *, kinds: Iterable[HoldingKind]) -> bool:
    """Whether the registry has, or had, a holding of one of these kinds in or over a network."""
    return bool(
        fetch_planned(
            "SELECT 1 FROM registry_holdingrow WHERE prefix && %s::inet AND kind = ANY(%s) LIMIT 1",
            [str(network), [kind.value for kind in kinds]],
        )
    )


def holdings_covering_all(
    addresses: Iterable[IPv4Address | IPv6Address], *, earliest: datetime, latest: datetime
) -> dict[IPv4Address | IPv6Address, list[Holding]]:
    """`holdings_covering` for many addresses, each as PostgreSQL knows it (no mapped one)."""
    wanted = list(dict.fromkeys(addresses))
    found: dict[IPv4Address | IPv6Address, list[Holding]] = {address: [] for address in wanted}
    words: dict[int, Holding] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT w.n, {HOLDING_COLUMNS} FROM unnest(%s::inet[]) WITH ORDINALITY w(address, n)
            CROSS JOIN (SELECT tstzrange(%s, %s, '[]') AS at) asked
            JOIN {ATTRIBUTED} h ON h.prefix >>= w.address AND h.stated && asked.at AND h.during && asked.at
            ORDER BY w.n, h.tier, lower(h.during), lower(h.ports), h.id
            """,
            [[str(a) for a in wanted], require_aware(earliest), require_aware(latest)],
        )
        for n, *row in cursor.fetchall():
            holding = words.get(row[0]) or words.setdefault(row[0], holding_of(row))
            found[wanted[n - 1]].append(holding)
    return found


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


def accounts_on(
    network: IPv4Network | IPv6Network, *, at: datetime, rows_max: int | None = None
) -> frozenset[str]:  # fmt: skip
    """The customers, resellers included, who held anything in or over `network`, or had a site in it, at `at`; with
    `rows_max` some of them, where more holdings and sites than that are in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT customer_id FROM (
                SELECT customer_id FROM registry_holdingrow
                WHERE prefix && %(network)s::inet AND during @> %(at)s::timestamptz AND customer_id IS NOT NULL
                UNION ALL SELECT customer_id FROM registry_siterow
                WHERE address <<= %(network)s::inet AND during @> %(at)s::timestamptz
                LIMIT %(rows_max)s
            ) held
            """,
            {"network": str(network), "at": require_aware(at), "rows_max": rows_max},
        )
        return frozenset(key for (key,) in cursor.fetchall())


def accounts_on_service(service: str, *, at: datetime) -> frozenset[str]:
    """The customers, its own included, who used a service at `at`: those with a log-in of it, and those with a site, a
    holding or a holding's part on the addresses that it alone has. Of an address shared by ports it has not all."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH own AS (
                SELECT prefix FROM registry_holdingrow
                WHERE service_id = %(service)s AND during @> %(at)s::timestamptz AND kind <> %(block)s)
            SELECT customer_id FROM registry_servicerow WHERE key = %(service)s
            UNION SELECT customer_id FROM registry_resourcerow
            WHERE (service_id = %(service)s OR (kind = %(login)s AND scope = %(service)s))
            AND during @> %(at)s::timestamptz AND customer_id IS NOT NULL
            UNION SELECT s.customer_id FROM own JOIN registry_siterow s ON s.address <<= own.prefix
            WHERE s.during @> %(at)s::timestamptz
            UNION SELECT h.customer_id FROM own JOIN registry_holdingrow h ON h.prefix <<= own.prefix
            WHERE h.during @> %(at)s::timestamptz AND h.customer_id IS NOT NULL
            """,
            {
                "service": service, "at": require_aware(at), "block": HoldingKind.PORT_BLOCK.value,
                "login": ResourceKind.LOGIN.value,
            },
        )  # fmt: skip
        return frozenset(key for (key,) in cursor.fetchall())


def changes_around(customer: str, *, service: str | None, address: IPv4Address | IPv6Address | None) -> list[datetime]:
    """The instants, in order, at which it changed who uses an address, what the customer holds around it, or who uses
    the service: between two of them `holdings_of`, `accounts_on` and `accounts_on_service` say the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH own AS (
                SELECT prefix, during FROM registry_holdingrow WHERE customer_id = %(customer)s),
            around AS (
                SELECT %(address)s::inet AS prefix WHERE %(address)s::inet IS NOT NULL
                UNION SELECT prefix FROM own WHERE prefix >>= %(address)s::inet
                UNION SELECT prefix FROM registry_holdingrow WHERE service_id = %(service)s),
            those AS (
                SELECT during FROM own
                UNION SELECT h.during FROM around JOIN registry_holdingrow h ON h.prefix && around.prefix
                UNION SELECT s.during FROM around JOIN registry_siterow s ON s.address <<= around.prefix
                UNION SELECT during FROM registry_resourcerow
                WHERE service_id = %(service)s OR (kind = %(login)s AND scope = %(service)s))
            SELECT lower(during) FROM those WHERE isfinite(lower(during))
            UNION SELECT upper(during) FROM those WHERE isfinite(upper(during)) ORDER BY 1
            """,
            {
                "customer": customer, "service": service, "login": ResourceKind.LOGIN.value,
                "address": None if address is None else str(address),
            },
        )  # fmt: skip
        return [at for (at,) in cursor.fetchall()]


def is_shared_out(network: IPv4Network | IPv6Network, *, at: datetime) -> bool:
    """Whether any of it is of a pool at `at`, and held by no customer: who uses that is told by logs alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT prefix, kind = %(pool)s FROM registry_holdingrow
            WHERE prefix && %(network)s::inet AND during @> %(at)s::timestamptz
            AND (kind = %(pool)s OR (customer_id IS NOT NULL AND kind <> %(block)s))
            """,
            {
                "pool": HoldingKind.POOL.value, "block": HoldingKind.PORT_BLOCK.value, "network": str(network),
                "at": require_aware(at),
            },
        )  # fmt: skip
        rows = [(min(ip_network(prefix), network, key=_size), is_pool) for prefix, is_pool in cursor.fetchall()]
    held = list(collapsed(part for part, is_pool in rows if not is_pool))
    return any(
        is_pool and sum(min(map(_size, (part, own))) for own in held if own.overlaps(part)) < _size(part)
        for part, is_pool in rows
    )


def _size(network: IPv4Network | IPv6Network) -> int:
    return network.num_addresses


def sites_of(customer: str, *, limit: int = 200) -> list[Site]:
    """The host names that are or were answered for a customer, those first that still are."""
    rows = SiteRow.objects.filter(customer_id=customer)
    ordered = rows.order_by(F("during__endswith").desc(nulls_first=True), "host_name", "id")
    return [site_of(row) for row in ordered[:limit]]


def sites_on(address: IPv4Address | IPv6Address, *, at: datetime) -> list[str]:
    """The host names answered at `address`, in order."""
    rows = SiteRow.objects.filter(address=address, during__contains=require_aware(at))
    return sorted(set(rows.values_list("host_name", flat=True)))


def sites_named(host_name: str, *, at: datetime) -> list[Site]:
    """Where a host name was answered at `at`, and for whom."""
    rows = SiteRow.objects.filter(host_name=plain_host_name(host_name), during__contains=require_aware(at))
    return [site_of(row) for row in rows.order_by("address", "id")]


def sites_named_within(host_name: str, *, earliest: datetime, latest: datetime) -> list[Site]:
    """Where a host name was answered, and for whom, at some instant of [earliest, latest], by its beginning: for nobody
    any more after the end of their service."""
    rows = SiteRow.objects.filter(
        host_name=plain_host_name(host_name),
        during__overlap=Range(require_aware(earliest), require_aware(latest), "[]"),
    )
    sites = [site_of(row) for row in rows]
    ends = service_ends({site.service for site in sites if site.service is not None})
    sites = [s if (end := ends.get(s.service or "")) is None else _until(s, end) for s in sites]
    sites = [s for s in sites if s.until is None or (s.since < s.until and earliest < s.until)]
    return sorted(sites, key=lambda s: (s.since, str(s.address), s.customer))


def _until(site: Site, end: datetime) -> Site:
    return site if site.until is not None and site.until <= end else replace(site, until=end)


def site_names(host_names: Iterable[str]) -> frozenset[str]:
    """Those of the host names that were ever a site of ours, as they were given."""
    plain = {name: plain_host_name(name) for name in host_names}
    known = set(SiteRow.objects.filter(host_name__in=set(plain.values())).values_list("host_name", flat=True))
    return frozenset(name for name, said in plain.items() if said in known)


def customers_named_by(name: str, *, at: datetime) -> frozenset[str]:
    """The customers whose site a host name is, or whose mailbox or log-in a mail address is, at `at`."""
    if "@" not in name and (sites := sites_named(name, at=at)):
        return frozenset(site.customer for site in sites)
    rows = ResourceRow.objects.filter(
        kind__in=(ResourceKind.MAILBOX.value, ResourceKind.LOGIN.value),
        name__iexact=name,
        during__contains=require_aware(at),
        customer_id__isnull=False,
    )
    return frozenset(rows.values_list("customer_id", flat=True))


def names_of_customers(names: Collection[str], *, at: datetime) -> frozenset[str]:
    """Those of the names, as they were given, that `customers_named_by` knows at `at`: for many in two questions."""
    plain = {name: plain_host_name(name) for name in names if "@" not in name}
    sites = SiteRow.objects.filter(host_name__in=set(plain.values()), during__contains=require_aware(at))
    hosts = set(sites.values_list("host_name", flat=True)) if plain else set()
    found = {name for name, said in plain.items() if said in hosts}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS asked(name) WHERE EXISTS (SELECT FROM registry_resourcerow r"
            " WHERE r.kind = ANY(%s) AND upper(r.name::text) = upper(asked.name) AND r.during @> %s::timestamptz"
            " AND r.customer_id IS NOT NULL)",
            [
                [name for name in names if name not in found],
                [ResourceKind.MAILBOX.value, ResourceKind.LOGIN.value],
                require_aware(at),
            ],
        )
        return frozenset(found.union(row[0] for row in cursor.fetchall()))


def service_of_site(host_name: str, *, at: datetime) -> Service | None:
    """The one service that answered for a host name at `at`; None when there is none or more than one."""
    services = {site.service for site in sites_named(host_name, at=at)}
    service = services.pop() if len(services) == 1 else None
    return None if service is None else get_service(service)


def names_known(
    subjects: Iterable[tuple[SubjectKind, str]], resources: Iterable[tuple[ResourceKind, str]]
) -> tuple[list[Identity], list[Resource]]:
    """By which services these subscribers are or were known, as the lists say; and every customer's holding, now and
    before, of a resource of these kinds and names, by its beginning."""
    told, held = fetch_together(entries_named(subjects), resources_named(resources))
    return list(entries_in_words(told)), [resource_of_row(row) for row in held]


def own_space(*, at: datetime) -> tuple[IPv4Network | IPv6Network, ...]:
    """The operator's own address space at `at`: no measure may ever reach beyond it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT prefix FROM registry_holdingrow WHERE tier = 'operator' AND during @> %s::timestamptz",
            [require_aware(at)],
        )
        return tuple(collapsed(ip_network(row[0]) for row in cursor.fetchall()))


def is_network_of_ours(number: int, *, at: datetime) -> bool:
    """Whether the autonomous system is the operator's own or one of its customers' at `at`."""
    rows = ResourceRow.objects.filter(
        kind=ResourceKind.ASN.value, name=f"AS{number}", during__contains=require_aware(at)
    )
    return rows.exists()


def held_outside(*, at: datetime, prefix: IPv4Network | IPv6Network | None = None) -> Outside:
    """What somebody holds at `at` or will, and is no part of the operator's own space then, in all or of `prefix`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH own AS (
                SELECT family(prefix) AS family, range_agg(span) AS spans FROM registry_holdingrow
                WHERE tier = 'operator' AND (upper(during) IS NULL OR upper(during) > %(at)s) GROUP BY 1
            )
            SELECT {HOLDING_COLUMNS}, count(*) OVER () FROM registry_holdingrow h
            LEFT JOIN own ON own.family = family(h.prefix)
            WHERE h.tier <> 'operator' AND (upper(h.during) IS NULL OR upper(h.during) > %(at)s)
                AND (own.spans IS NULL OR NOT own.spans @> h.span)
                AND (%(prefix)s::cidr IS NULL OR h.prefix = %(prefix)s::cidr)
            ORDER BY h.prefix, h.id LIMIT 1
            """,
            {"at": require_aware(at), "prefix": None if prefix is None else str(prefix)},
        )
        row = cursor.fetchone()
    if row is None:
        return Outside()
    first = holding_of(row[:-1])
    return Outside(count=row[-1], first=f"{first.prefix} of {first.customer}")


def count_customers() -> int:
    """How many accounts there are."""
    return CustomerRow.objects.count()


def count_under_brand(brand: str, *, most: int) -> int:
    """How many accounts that go on are directly the operator's under a brand, `most` at the most."""
    rows = CustomerRow.objects.filter(brand=brand, reseller=None, is_reseller=False)
    return len(rows.exclude(standing=Standing.TERMINATED.value).values_list("key")[:most])


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
    ((begin,),) = fetch_planned(BEGIN)
    return None if begin is None else require_aware(begin)


def _holdings(sql: str, parameters: list[Any]) -> list[Holding]:
    return [holding_of(row) for row in fetch_planned(sql, parameters)]


def collapsed(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[IPv4Network | IPv6Network]:
    """The fewest networks that cover the same addresses."""
    networks = list(networks)
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    yield from collapse_addresses(n for n in networks if isinstance(n, IPv6Network))


def representatives_of(customer: str) -> list[Representative]:
    """The whole chain of a customer's contacts, the foremost first, whether letters reach them or not."""
    return [representative_of(row) for row in RepresentativeRow.objects.filter(customer_id=customer).order_by("rank")]


def represented_by(email: str) -> frozenset[str]:
    """The customers in whose chain of contacts this address stands, whether letters reach it or not."""
    rows = RepresentativeRow.objects.filter(email__iexact=email.strip())
    return frozenset(rows.values_list("customer_id", flat=True))


def represented_since(email: str) -> dict[str, datetime]:
    """The same, each with since when the address has stood there without a gap, as far as the registry's past says."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT customer, known_from, known_until FROM (
                SELECT customer_id AS customer, known_from, NULL::timestamptz AS known_until
                FROM registry_representativerow WHERE upper(email) = upper(%(email)s)
                UNION ALL
                SELECT body ->> 'customer_id', known_from, known_until FROM registry_pastrow
                WHERE kept_table = 'registry_representativerow' AND upper(body ->> 'email') = upper(%(email)s)
            ) told ORDER BY customer, known_until DESC NULLS FIRST, known_from
            """,
            {"email": email.strip()},
        )
        found = cursor.fetchall()
    since: dict[str, datetime] = {}
    for customer, known_from, known_until in found:
        # Backwards from what stands now: whoever only changed places in the chain was never out of it.
        if known_until is None or (customer in since and known_until >= since[customer]):
            since[customer] = min(known_from, since.get(customer, known_from))
    return since


def represented_then(email: str, *, at: datetime) -> frozenset[str]:
    """The customers in whose chain of contacts this address stood at `at`, as the registry knew it then."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT customer_id FROM registry_representativerow
            WHERE upper(email) = upper(%(email)s) AND known_from <= %(at)s
            UNION SELECT body ->> 'customer_id' FROM registry_pastrow
            WHERE kept_table = 'registry_representativerow' AND upper(body ->> 'email') = upper(%(email)s)
                AND known_from <= %(at)s AND known_until > %(at)s
            """,
            {"email": email.strip(), "at": at},
        )
        return frozenset(customer for (customer,) in cursor.fetchall())


def chain_then(customer: str, *, at: datetime) -> list[str]:
    """An account and the resellers over it at `at`, the nearest first, as the registry knew it then."""
    found: list[str] = []
    step: str | None = customer
    while step is not None and step not in found:
        found.append(step)
        then = account_as_known(step, at=at, known_at=at)
        step = then.customer.reseller if then is not None else None
    return found


def mail_keys_of(email: str, *, customer: str | None = None, written_at: datetime | None = None) -> MailKeys:
    """The keys on record for an address, in whichever script its domain is written.

    Where it is a contact of this customer's, what they gave for it counts alone, be it no key; else what anybody gave.
    A letter of `written_at` may be for somebody who was taken out of a chain of contacts since, or by what the letter
    tells: then what was last on record for them there counts as if it stood.
    """
    spellings = _spellings(email)
    rows = RepresentativeRow.objects.filter(_written_as_any(spellings)).order_by("pk")
    found = [(str(row.customer_id), row.openpgp_key, row.smime_certificate) for row in rows]
    if written_at is not None:
        still = {each for each, _, _ in found}
        found += [row for row in _taken_out(spellings, since=written_at - _READ_BEFORE) if row[0] not in still]
    own = [row for row in found if row[0] == customer] or found
    return MailKeys(
        openpgp=tuple(dict.fromkeys(openpgp for _, openpgp, _ in own if openpgp)),
        smime=tuple(dict.fromkeys(smime for _, _, smime in own if smime)),
    )


_READ_BEFORE: Final = timedelta(hours=1)
"""Whoever writes a letter may have read its contact before another took them out: by longer than any job runs."""


def _taken_out(spellings: list[str], *, since: datetime) -> list[tuple[str, str, str]]:
    """What was last on record for an address in each chain that it stood in after `since`: whose, and both keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT ON (body ->> 'customer_id') body ->> 'customer_id', coalesce(body ->> 'openpgp_key', ''),
                coalesce(body ->> 'smime_certificate', '')
            FROM registry_pastrow
            WHERE kept_table = 'registry_representativerow' AND known_until >= %s
                AND upper(body ->> 'email') IN (SELECT upper(each) FROM unnest(%s::text[]) each)
            ORDER BY body ->> 'customer_id', known_until DESC, id DESC
            """,
            [since, spellings],
        )
        return [(customer, openpgp, smime) for customer, openpgp, smime in cursor.fetchall()]


def _spellings(email: str) -> list[str]:
    """An address as it is written, with its domain in ASCII as mail servers take it, and in its own script."""
    email = email.strip()
    local, _, domain = email.rpartition("@")
    plain = plain_host_name(domain)
    with suppress(UnicodeError):
        return list(dict.fromkeys((email, f"{local}@{plain}", f"{local}@{plain.encode().decode('idna')}")))
    return [email, f"{local}@{plain}"]


def _written_as_any(spellings: Iterable[str]) -> Q:
    return reduce(or_, (Q(email__iexact=each) for each in spellings))


def users_of(customer: str) -> list[AccountUser]:
    return [user_of(row) for row in UserRow.objects.filter(customer_id=customer).order_by("key")]


def acceptances_of(customer: str) -> list[Acceptance]:
    """Which editions a customer accepted, the newest first."""
    return [
        acceptance_of(row) for row in AcceptanceRow.objects.filter(customer_id=customer).order_by("-accepted_at", "-id")
    ]


def customers_who_agreed(edition: str) -> frozenset[str]:
    """Who accepted an edition by contract."""
    return frozenset(AcceptanceRow.objects.filter(edition=edition).values_list("customer_id", flat=True))


def edition_accepted(customer: str, *, at: datetime) -> Acceptance | None:
    """The edition that bound a customer at `at`: the last one accepted by then."""
    rows = AcceptanceRow.objects.filter(customer_id=customer, accepted_at__lte=require_aware(at))
    row = rows.order_by("-accepted_at", "-id").first()
    return None if row is None else acceptance_of(row)


def standings_of(customer: str) -> list[StandingPeriod]:
    """A customer's standing over time, the newest first."""
    return [standing_of(row) for row in StandingRow.objects.filter(customer_id=customer).order_by("-during")]


def standing_at(customer: str, *, at: datetime) -> StandingPeriod | None:
    row = StandingRow.objects.filter(customer_id=customer, during__contains=require_aware(at)).first()
    return None if row is None else standing_of(row)


def accounts_above(customer: str) -> list[Customer]:
    """The resellers over an account, the nearest first."""
    return _climbed(customer, "JOIN registry_customerrow r ON r.key = a.reseller_id")


def accounts_below(customer: str) -> list[Customer]:
    """All accounts below one, to any depth, the nearest first."""
    return _climbed(customer, "JOIN registry_customerrow r ON r.reseller_id = a.key")


def _climbed(customer: str, step: str) -> list[Customer]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH RECURSIVE a (key, reseller_id, depth) AS (
                SELECT key, reseller_id, 0 FROM registry_customerrow WHERE key = %s
                UNION ALL SELECT r.key, r.reseller_id, a.depth + 1 FROM a {step})
            SELECT key FROM a WHERE depth > 0 ORDER BY depth, key
            """,
            [customer],
        )
        keys = [key for (key,) in cursor.fetchall()]
    rows = CustomerRow.objects.prefetch_related("representatives").in_bulk(keys)
    return [customer_of(rows[key]) for key in keys]


def resources_of(customer: str, *, at: datetime | None = None) -> list[Resource]:
    """What a customer holds beside addresses: at `at`, or ever."""
    rows = ResourceRow.objects.filter(customer_id=customer)
    if at is not None:
        rows = rows.filter(during__contains=require_aware(at))
    return [resource_of(row) for row in rows.order_by("kind", "scope", "name", "during")]


def sessions_of(customer: str, *, at: datetime) -> frozenset[str]:
    """The BGP sessions that are a customer's, as measures name them."""
    own = (thing for thing in resources_of(customer, at=at) if thing.kind is ResourceKind.BGP_SESSION)
    return frozenset(session_name(thing.name, thing.scope) for thing in own)


def letters_of_authority(customer: str) -> list[LetterOfAuthority]:
    return [letter_of(row) for row in LetterRow.objects.filter(customer_id=customer).order_by("-valid_from", "-id")]


def all_holdings_of(customer: str, *, limit: int = 1000) -> list[Holding]:
    """What a customer holds and held, as believed now, the newest first."""
    return _holdings(
        f"""
        SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
        WHERE h.customer_id = %s ORDER BY lower(h.during) DESC, h.prefix, h.id LIMIT %s
        """,
        [customer, limit],
    )


def stated_representative(customer: str) -> Representative | None:
    """The first contact as the customer's data state it, whether letters reach them or not."""
    row = CustomerRow.objects.prefetch_related("representatives").filter(key=customer).first()
    return None if row is None else stated_customer_of(row).representative


def customers_changed_by(changes: Iterable[str]) -> list[str]:
    """The customers whose own row, contacts or AS numbers these changes have written last, by key."""
    ids = [int(key.removeprefix("CH-")) for key in changes]
    own = CustomerRow.objects.filter(change__in=ids).values_list("key", flat=True)
    contacts = RepresentativeRow.objects.filter(change__in=ids).values_list("customer_id", flat=True)
    numbered = ResourceRow.objects.filter(change__in=ids, kind=ResourceKind.ASN, customer__isnull=False)
    return sorted({*own, *contacts, *numbered.values_list("customer_id", flat=True)})
