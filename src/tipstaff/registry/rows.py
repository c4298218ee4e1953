"""From rows to words, and the SQL that both doors share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from tipstaff.words import Customer, Holding, HoldingKind, Representative, Service, ServiceKind, Site, Standing, Tier

from .models import CustomerRow, ServiceRow, SiteRow

HOLDING_COLUMNS = """
    h.id, h.tier, h.kind, h.prefix, lower(h.ports), upper(h.ports), lower(h.during), upper(h.during),
    h.customer_id, h.service_id, h.source
"""

SCOPES = {
    "operator": "{0}.tier = 'operator' AND {0}.kind <> 'pool'",
    "pool": "{0}.tier = 'operator' AND {0}.kind = 'pool'",
    "reseller": "{0}.tier = 'reseller'",
    "customer": "{0}.tier = 'customer'",
}
"""Within each of these, nothing is held twice (`migrations/0002_holdings.py`). `{0}` is the table's alias."""


def holding_of(row: Sequence[Any]) -> Holding:
    key, tier, kind, prefix, first, end, since, until, customer, service, source = row
    return Holding(
        key=key,
        tier=Tier(tier),
        kind=HoldingKind(kind),
        prefix=ip_network(prefix),
        held_from=_utc(since),
        held_until=None if until is None else _utc(until),
        customer=customer,
        service=service,
        port_first=first,
        port_last=end - 1,
        source=source,
    )


def customer_of(row: CustomerRow) -> Customer:
    """The row as a word; its representatives must be fetched with it."""
    first = min(row.representatives.all(), key=lambda x: x.rank, default=None)
    return Customer(
        key=row.key,
        name=row.name,
        representative=None
        if first is None
        else Representative(name=first.name, email=first.email, language=first.language, timezone=first.timezone),
        reseller=row.reseller_id,
        is_reseller=row.is_reseller,
        standing=Standing(row.standing),
        since=row.since,
    )


def service_of(row: ServiceRow) -> Service:
    return Service(key=row.key, customer=row.customer_id, kind=ServiceKind(row.kind), label=row.label, port=row.port)


def site_of(row: SiteRow) -> Site:
    return Site(
        host_name=row.host_name,
        address=row.address,
        customer=row.customer_id,
        service=row.service_id,
        since=_utc(row.during.lower),
        until=None if row.during.upper is None else _utc(row.during.upper),
    )


def plain_host_name(name: str) -> str:
    """Lower case, without the final dot, in ASCII (IDNA 2003, as Python's codec has it) where that can be."""
    name = name.strip().rstrip(".").lower()
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def in_words(holding: Holding) -> str:
    """`192.0.2.1 ports 1024-2047 for acct-1 from 2026-03-01 12:00 UTC (customers.csv:4)`."""
    ports = f" ports {holding.port_first}-{holding.port_last}" if holding.shared else ""
    whose = holding.customer or ("the operator's pools" if holding.kind is HoldingKind.POOL else "the operator")
    until = "" if holding.held_until is None else f" until {_stamp(holding.held_until)}"
    single = holding.prefix.num_addresses == 1
    what = holding.prefix.network_address if single else holding.prefix
    return f"{what}{ports} for {whose} from {_stamp(holding.held_from)}{until} ({holding.source})"


def value_in_words(value: Customer | Service | Holding | Site) -> str:
    """One line for a preview."""
    if isinstance(value, Customer):
        return f"customer {value.key}, {value.name}"
    if isinstance(value, Service):
        return f"service {value.key} of {value.customer}"
    if isinstance(value, Site):
        return f"{value.host_name} at {value.address} for {value.customer}"
    return in_words(value)


def _stamp(at: datetime) -> str:
    at = at.astimezone(UTC)
    seconds = f"{at:%Y-%m-%d %H:%M:%S}"
    return (seconds + (f".{at:%f}" if at.microsecond else "")).removesuffix(":00") + " UTC"


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
