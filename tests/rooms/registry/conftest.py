"""A small operator: one /24 and one /32 of space, three customers, one of them a reseller."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from tipstaff.registry import operations
from tipstaff.words import Customer, Holding, HoldingKind, Representative, Service, ServiceKind, Tier

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BY = {"at": NOW, "actor": "engineer"}


def customer(key: str, **more) -> Customer:
    person = Representative(name=f"Desk of {key}", email=f"abuse@{key}.example.net")
    return Customer(key=key, name=f"Customer {key}", representative=person, since=BEGIN, **more)


def row(prefix: str, holder: str | None = None, **more) -> Holding:
    more.setdefault("tier", Tier.OPERATOR if holder is None else Tier.CUSTOMER)
    more.setdefault("kind", HoldingKind.PORT_BLOCK if "port_first" in more else HoldingKind.STATIC)
    more.setdefault("held_from", BEGIN)
    return Holding(key=0, prefix=ip_network(prefix), customer=holder, **more)


def hold(prefix: str, holder: str | None = None, **more) -> int:
    one = row(prefix, holder, **more)
    return operations.hold(
        tier=one.tier,
        kind=one.kind,
        prefix=one.prefix,
        held_from=one.held_from,
        held_until=one.held_until,
        customer=one.customer,
        service=one.service,
        port_first=one.port_first,
        port_last=one.port_last,
        source=one.source,
        **BY,
    )


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


def stock() -> None:
    operations.add_customer(customer("acct-9", is_reseller=True), **BY)
    operations.add_customer(customer("acct-1"), **BY)
    operations.add_customer(customer("acct-2"), **BY)
    operations.add_customer(customer("acct-3", reseller="acct-9"), **BY)
    operations.add_service(Service(key="svc-1-1", customer="acct-1", kind=ServiceKind.ACCESS), **BY)
    operations.add_service(Service(key="svc-2-1", customer="acct-2", kind=ServiceKind.HOSTING), **BY)
    hold("198.51.100.0/24")
    hold("2001:db8::/32")


@pytest.fixture
def operator(db: None) -> None:
    stock()
