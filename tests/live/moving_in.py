"""Makes a database ready for a desk of its own: `python -m tests.live.moving_in` on the one that the settings name.

A hundred customers with one address each, so that every story of a test has a customer to itself.
"""

from datetime import UTC, datetime
from ipaddress import IPv4Network, ip_network

CUSTOMERS = 100
MOVED_IN = datetime(2024, 1, 1, tzinfo=UTC)


def network_of(n: int) -> IPv4Network:
    """What the n-th customer holds."""
    return IPv4Network(f"198.51.100.{n + 1}/32")


def main() -> None:
    from tipstaff.cli.base import migrate, start_django

    start_django()
    migrate()
    from tipstaff.registry import operations as registry
    from tipstaff.words import Customer, Holding, HoldingKind, Representative, Service, ServiceKind, Tier

    rows = [
        Holding(key=0, tier=Tier.OPERATOR, kind=HoldingKind.STATIC, prefix=ip_network(own), held_from=MOVED_IN)
        for own in ("192.0.2.0/24", "198.51.100.0/24")
    ]
    for n in range(CUSTOMERS):
        customer = Customer(
            key=f"acct-{n}",
            name=f"Placeholder Holder {n}",
            representative=Representative(name="Desk", email=f"desk-{n}@customer.example.com"),
        )
        registry.add_customer(customer, at=MOVED_IN, actor="import")
        service = Service(key=f"svc-{n}", customer=customer.key, kind=ServiceKind.ACCESS)
        registry.add_service(service, at=MOVED_IN, actor="import")
        rows.append(
            Holding(
                key=0, tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=network_of(n), held_from=MOVED_IN,
                customer=customer.key, service=service.key,
            )
        )  # fmt: skip
    registry.add_holdings(rows, at=MOVED_IN, actor="import")


if __name__ == "__main__":
    main()
