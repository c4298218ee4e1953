"""From rows to words, and the SQL that both doors share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from psycopg.types.range import Range

from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Holding,
    HoldingKind,
    LetterOfAuthority,
    Representative,
    Resource,
    ResourceKind,
    Service,
    ServiceKind,
    Site,
    Standing,
    StandingPeriod,
    Tier,
)

from .models import (
    AcceptanceRow,
    CustomerRow,
    HoldingRow,
    LetterRow,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    StandingRow,
    UserRow,
)
from .names import plain_host_name

__all__ = ["plain_host_name"]

HOLDING_COLUMNS = """
    h.id, h.tier, h.kind, h.prefix, lower(h.ports), upper(h.ports), lower(h.during), upper(h.during),
    h.customer_id, h.service_id, h.source
"""

ATTRIBUTED = """
    (SELECT h.id, h.tier, h.kind, h.prefix, h.ports, h.customer_id, h.service_id, h.source, h.during AS stated,
        CASE WHEN v.ended_at IS NULL OR upper(h.during) <= v.ended_at THEN h.during
            ELSE h.during * tstzrange(NULL, v.ended_at) END AS during
    FROM registry_holdingrow h LEFT JOIN registry_servicerow v ON v.key = h.service_id)
"""
"""The holdings as somebody is named by them: by none longer than its service lasted, though a person's row stands until
a person ends it. Of a row that would begin only after it `during` is empty, which overlaps nothing. `stated` is what
the index knows."""

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


def holding_of_row(row: HoldingRow) -> Holding:
    ports: Range[int] = row.ports
    assert ports.lower is not None, "a holding has its ports"
    assert ports.upper is not None, "a holding has its ports"
    return Holding(
        key=row.pk, tier=Tier(row.tier), kind=HoldingKind(row.kind), prefix=row.prefix, port_first=ports.lower,
        port_last=ports.upper - 1, held_from=_utc(row.during.lower),
        held_until=None if row.during.upper is None else _utc(row.during.upper), customer=row.customer_id,
        service=row.service_id, source=row.source,
    )  # fmt: skip


def customer_of(row: CustomerRow) -> Customer:
    """The row as a word, with whom to write to now; its representatives must be fetched with it."""
    reached = [person for person in row.representatives.all() if person.bounced_at is None]
    first = min(reached, key=lambda x: x.rank, default=None)
    return customer_from(row, None if first is None else representative_of(first))


def stated_customer_of(row: CustomerRow) -> Customer:
    """The row as whoever keeps the customer's data would state it: with the first contact, letters or not."""
    first = next((person for person in row.representatives.all() if person.rank == 0), None)
    person = (
        None
        if first is None
        else Representative(name=first.name, email=first.email, language=first.language, timezone=first.timezone)
    )
    return customer_from(row, person)


def customer_from(row: CustomerRow, person: Representative | None) -> Customer:
    """The row as a word, with this contact."""
    return Customer(
        key=row.key,
        name=row.name,
        representative=person,
        reseller=row.reseller_id,
        is_reseller=row.is_reseller,
        standing=Standing(row.standing),
        since=row.since,
        phone=row.phone,
        email=row.email,
        postal_address=row.postal_address,
        country=row.country,
        brand=row.brand,
    )


def representative_of(row: RepresentativeRow) -> Representative:
    return Representative(
        name=row.name,
        email=row.email,
        language=row.language,
        timezone=row.timezone,
        phone=row.phone,
        verified_at=row.verified_at,
        bounced_at=row.bounced_at,
        openpgp_key=row.openpgp_key,
        smime_certificate=row.smime_certificate,
    )


def user_of(row: UserRow) -> AccountUser:
    return AccountUser(key=row.key, customer=row.customer_id, name=row.name, email=row.email)


def acceptance_of(row: AcceptanceRow) -> Acceptance:
    return Acceptance(
        customer=row.customer_id,
        contract=row.contract,
        edition=row.edition,
        accepted_at=row.accepted_at,
        accepted_by=row.accepted_by,
    )


def standing_of(row: StandingRow) -> StandingPeriod:
    return StandingPeriod(
        customer=row.customer_id,
        standing=Standing(row.standing),
        since=_utc(row.during.lower),
        until=None if row.during.upper is None else _utc(row.during.upper),
        why=row.why,
    )


def letter_key(id: int) -> str:
    """`LOA-7`."""
    return f"LOA-{id}"


def letter_of(row: LetterRow) -> LetterOfAuthority:
    return LetterOfAuthority(
        key=letter_key(row.pk),
        issuer=row.issuer,
        customer=row.customer_id,
        prefixes=tuple(ip_network(p) for p in row.prefixes),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        file_name=row.file_name,
        digest=row.digest,
    )


def resource_of(row: ResourceRow) -> Resource:
    return Resource(
        kind=ResourceKind(row.kind),
        name=row.name,
        scope=row.scope,
        tier=Tier(row.tier),
        customer=row.customer_id,
        service=row.service_id,
        held_from=_utc(row.during.lower),
        held_until=None if row.during.upper is None else _utc(row.during.upper),
        source=row.source,
        key=int(row.pk),
    )


def resource_in_words(resource: Resource) -> str:
    """`vlan 100 on sw-1 for acct-1 from 2026-03-01 12:00 UTC (resources.csv:4)`."""
    scope = f" on {resource.scope}" if resource.scope else ""
    until = "" if resource.held_until is None else f" until {_stamp(resource.held_until)}"
    whose = resource.customer or "the operator"
    kind = resource.kind.replace("_", " ")
    return f"{kind} {resource.name}{scope} for {whose} from {_stamp(resource.held_from)}{until} ({resource.source})"


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


def in_words(holding: Holding) -> str:
    """`192.0.2.1 ports 1024-2047 for acct-1 from 2026-03-01 12:00 UTC (customers.csv:4)`."""
    ports = f" ports {holding.port_first}-{holding.port_last}" if holding.shared else ""
    whose = holding.customer or ("the operator's pools" if holding.kind is HoldingKind.POOL else "the operator")
    until = "" if holding.held_until is None else f" until {_stamp(holding.held_until)}"
    single = holding.prefix.num_addresses == 1
    what = holding.prefix.network_address if single else holding.prefix
    return f"{what}{ports} for {whose} from {_stamp(holding.held_from)}{until} ({holding.source})"


def value_in_words(value: object) -> str:
    """One line for a preview."""
    if isinstance(value, Customer):
        return f"customer {value.key}, {value.name}"
    if isinstance(value, Service):
        return f"service {value.key} of {value.customer}"
    if isinstance(value, Site):
        return f"{value.host_name} at {value.address} for {value.customer}"
    if isinstance(value, Resource):
        return resource_in_words(value)
    if isinstance(value, AccountUser):
        return f"user {value.key} of {value.customer}"
    if isinstance(value, Acceptance):
        return f"{value.customer} accepted edition {value.edition} by {value.contract}"
    if isinstance(value, Holding):
        return in_words(value)
    return f"contact {getattr(value, 'place', '')} of {getattr(value, 'customer', '')}"


def _stamp(at: datetime) -> str:
    at = at.astimezone(UTC)
    seconds = f"{at:%Y-%m-%d %H:%M:%S}"
    return (seconds + (f".{at:%f}" if at.microsecond else "")).removesuffix(":00") + " UTC"


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
