"""Writes of the registry. Each is one transaction with its entry in the record."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg import errors
from psycopg.types.range import Range

from tipstaff.ledger.operations import record
from tipstaff.words import Customer, Holding, HoldingKind, ImportPreview, RefusedRow, Service, Site, Tier, require_aware

from . import staging
from .imports import Line, Sheet, Value, read_sheet, why_no_holding
from .models import CustomerRow, HoldingRow, RepresentativeRow, ServiceRow, SiteRow
from .refusals import (
    HeldAtThisMomentByAnother,
    HeldTwice,
    NotAHolding,
    NotTheCustomersService,
    ResellersInACircle,
    SiteHeldTwice,
    UnknownKey,
)
from .rows import (
    HOLDING_COLUMNS,
    SCOPES,
    customer_of,
    holding_of,
    in_words,
    plain_host_name,
    service_of,
    site_of,
    value_in_words,
)

__all__ = [
    "HeldAtThisMomentByAnother",
    "HeldTwice",
    "NotAHolding",
    "NotTheCustomersService",
    "ResellersInACircle",
    "SiteHeldTwice",
    "UnknownKey",
    "add_customer",
    "add_holdings",
    "add_service",
    "add_site",
    "end_holding",
    "hold",
    "import_csv",
]

OVERLAPS_TOLD_MAX = 20
CHANGES_TOLD_MAX = 50
ANALYZE_FROM_ROWS = 1000
"""After so many new rows at once, PostgreSQL should count again rather than plan from old figures."""


@transaction.atomic
def add_customer(customer: Customer, *, at: datetime, actor: str) -> None:
    """Add a customer, or bring the one with this key up to date. Doing it twice changes nothing more."""
    before = CustomerRow.objects.select_for_update(of=("self",)).filter(key=customer.key).first()
    if before is not None and customer_of(before) == customer:
        return
    _refuse_circle(customer)
    CustomerRow.objects.update_or_create(
        key=customer.key,
        defaults={
            "name": customer.name,
            "reseller_id": customer.reseller,
            "is_reseller": customer.is_reseller,
            "standing": customer.standing,
            "since": customer.since,
        },
    )
    person = customer.representative
    if person is None:
        RepresentativeRow.objects.filter(customer_id=customer.key, rank=0).delete()
    else:
        RepresentativeRow.objects.update_or_create(
            customer_id=customer.key,
            rank=0,
            defaults={
                "name": person.name,
                "email": person.email,
                "language": person.language,
                "timezone": person.timezone,
            },
        )
    what = "customer.added" if before is None else "customer.changed"
    record(what, at=at, actor=actor, about=[customer.key], standing=customer.standing, reseller=customer.reseller)


@transaction.atomic
def add_service(service: Service, *, at: datetime, actor: str) -> None:
    """Add a service, or bring the one with this key up to date. It stays its customer's."""
    before = ServiceRow.objects.select_for_update().filter(key=service.key).first()
    if before is not None and service_of(before) == service:
        return
    if not CustomerRow.objects.filter(key=service.customer).exists():
        raise UnknownKey(f"there is no customer {service.customer}")
    if before is not None and before.customer_id != service.customer:
        raise NotTheCustomersService(f"{service.key} is {before.customer_id}'s and can't become {service.customer}'s")
    ServiceRow.objects.update_or_create(
        key=service.key,
        defaults={
            "customer_id": service.customer,
            "kind": service.kind,
            "label": service.label,
            "port": service.port,
        },
    )
    what = "service.added" if before is None else "service.changed"
    record(what, at=at, actor=actor, about=[service.key, service.customer], kind=service.kind)


@transaction.atomic
def hold(
    *,
    tier: Tier,
    kind: HoldingKind,
    prefix: IPv4Network | IPv6Network,
    held_from: datetime,
    held_until: datetime | None = None,
    customer: str | None = None,
    service: str | None = None,
    port_first: int = 0,
    port_last: int = 65535,
    source: str,
    at: datetime,
    actor: str,
) -> int:
    """Record one holding and return its key; raise HeldTwice when PostgreSQL refuses it."""
    holding = Holding(
        key=0,
        tier=tier,
        kind=kind,
        prefix=prefix,
        held_from=require_aware(held_from),
        held_until=None if held_until is None else require_aware(held_until),
        customer=customer,
        service=service,
        port_first=port_first,
        port_last=port_last,
        source=source,
    )
    _refuse_what_is_none(holding)
    _refuse_foreign([(customer, service)])
    try:
        with _refusals_told_apart(), transaction.atomic():
            row = HoldingRow.objects.create(
                tier=tier,
                kind=kind,
                prefix=prefix,
                ports=Range(port_first, port_last + 1),
                during=Range(holding.held_from, holding.held_until),
                customer_id=customer,
                service_id=service,
                source=source,
                known_from=require_aware(at),
            )
    except _Overlap as why:
        raise HeldTwice([(holding, old) for old in _in_the_way(holding)]) from why
    about = [key for key in (customer, service) if key]
    record(
        "holding.added", at=at, actor=actor, about=about, holding=row.pk, tier=tier, prefix=str(prefix), source=source
    )
    return int(row.pk)


@transaction.atomic
def add_holdings(rows: Iterable[Holding], *, at: datetime, actor: str) -> int:
    """Record many holdings at once, all or none, and return how many; raise HeldTwice with the first few overlaps.

    The keys of `rows` are ignored; PostgreSQL gives new ones.
    """
    with staging.staged(_sound(rows)):
        for why in _foreign(staging.staged_pairs()).values():
            raise UnknownKey(why)
        try:
            with _refusals_told_apart(), transaction.atomic():
                added = staging.insert_staged(known_from=require_aware(at))
        except _Overlap as why:
            raise HeldTwice(staging.overlaps(restating=False, limit=OVERLAPS_TOLD_MAX)) from why
    if added >= ANALYZE_FROM_ROWS:
        staging.analyze()
    if added:
        record("holdings.added", at=at, actor=actor, about=["registry"], count=added)
    return added


@transaction.atomic
def end_holding(key: int, *, held_until: datetime, at: datetime, actor: str) -> None:
    """Set when a holding ends. Ending it at the same instant again does nothing more."""
    held_until = require_aware(held_until)
    row = HoldingRow.objects.select_for_update().filter(pk=key).first()
    if row is None:
        raise UnknownKey(f"there is no holding {key}")
    if row.during.upper == held_until:
        return
    if held_until <= row.during.lower:
        raise NotAHolding(f"holding {key} began at {row.during.lower.isoformat()}, so it can't end before that")
    before = row.during.upper
    row.during = Range(row.during.lower, held_until)
    try:
        with _refusals_told_apart(), transaction.atomic():
            row.save(update_fields=["during"])
    except _Overlap as why:
        holding = _get(key, held_until=held_until)
        raise HeldTwice([(holding, old) for old in _in_the_way(holding)]) from why
    about = [k for k in (row.customer_id, row.service_id) if k]
    record("holding.ended", at=at, actor=actor, about=about, holding=key, held_until=held_until, before=before)


@transaction.atomic
def add_site(
    host_name: str,
    *,
    address: IPv4Address | IPv6Address,
    customer: str,
    service: str | None,
    since: datetime,
    until: datetime | None = None,
    at: datetime,
    actor: str,
) -> None:
    """Record that a host name is answered at an address for a customer. The same again changes nothing."""
    host_name = plain_host_name(host_name)
    during = Range(require_aware(since), None if until is None else require_aware(until))
    same = {"host_name": host_name, "address": address, "customer_id": customer, "service_id": service}
    if SiteRow.objects.filter(**same, during=during).exists():
        return
    if until is not None and until <= since:
        raise NotAHolding(f"{host_name} can't end before it begins")
    _refuse_foreign([(customer, service)])
    try:
        with _refusals_told_apart(), transaction.atomic():
            SiteRow.objects.create(**same, during=during, known_from=require_aware(at))
    except _Overlap as why:
        old = SiteRow.objects.filter(host_name=host_name, address=address, during__overlap=during).first()
        whose = old.customer_id if old else "another"
        raise SiteHeldTwice(f"{host_name} at {address} is already answered for {whose} then") from why
    about = [key for key in (customer, service) if key]
    record("site.added", at=at, actor=actor, about=about, host_name=host_name, address=str(address))


@transaction.atomic
def import_csv(
    lines: Iterable[str], *, source_name: str, at: datetime, actor: str, dry_run: bool = False
) -> ImportPreview:
    """Take in a CSV file of customers, services, holdings or sites: all of it, or with one bad row nothing.

    The header says which of the four it is; `imports.py` lists the columns. The same file again changes nothing.
    """
    sheet = read_sheet(lines, source_name=source_name)
    with transaction.atomic():
        tally = _Tally()
        if sheet.kind == "holdings":
            _take_in_holdings(sheet, tally, at=at, actor=actor)
        else:
            _take_in_one_by_one(sheet, tally, at=at, actor=actor)
        refused = sorted((*sheet.refused, *tally.refused), key=lambda row: row.line)
        applied = not dry_run and not refused
        if not applied:
            transaction.set_rollback(True)
        elif tally.added or tally.changed:
            counts = {"added": tally.added, "changed": tally.changed, "unchanged": tally.unchanged}
            record("registry.imported", at=at, actor=actor, about=[source_name], kind=sheet.kind, **counts)
    return ImportPreview(
        source=source_name,
        kind=sheet.kind,
        rows=sheet.rows,
        added=tally.added,
        changed=tally.changed,
        unchanged=tally.unchanged,
        changes=tuple(tally.changes),
        refused=tuple(refused),
        applied=applied,
    )


@dataclass
class _Tally:
    """What an import has done so far."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: list[str] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)

    def add(self, what: str) -> None:
        self.added += 1
        self._tell(f"new: {what}")

    def change(self, what: str) -> None:
        self.changed += 1
        self._tell(f"changed: {what}")

    def refuse(self, line: int, why: str) -> None:
        self.refused.append(RefusedRow(line=line, why=why))

    def _tell(self, sentence: str) -> None:
        if len(self.changes) < CHANGES_TOLD_MAX:
            self.changes.append(sentence)


def _take_in_one_by_one(sheet: Sheet, tally: _Tally, *, at: datetime, actor: str) -> None:
    seen: dict[object, int] = {}
    for line in _resellers_first(sheet.lines):
        value = line.value
        name = _name_of(value)
        if name in seen:
            tally.refuse(line.number, f"{value_in_words(value)} stands on line {seen[name]} already.")
            continue
        seen[name] = line.number
        try:
            before = _write(value, at=at, actor=actor)
        except (UnknownKey, ResellersInACircle, NotTheCustomersService, SiteHeldTwice, NotAHolding) as why:
            sentence = str(why)
            tally.refuse(line.number, f"{sentence[:1].upper()}{sentence[1:]}.")
            continue
        if before is None:
            tally.add(value_in_words(value))
        elif before == value:
            tally.unchanged += 1
        else:
            tally.change(value_in_words(value))


def _write(value: Value, *, at: datetime, actor: str) -> Value | None:
    """Write one row of a file; returns what the registry had in its place."""
    before: Value | None
    if isinstance(value, Customer):
        customer = CustomerRow.objects.filter(key=value.key).first()
        before = customer_of(customer) if customer else None
        add_customer(value, at=at, actor=actor)
        return before
    if isinstance(value, Service):
        service = ServiceRow.objects.filter(key=value.key).first()
        before = service_of(service) if service else None
        add_service(value, at=at, actor=actor)
        return before
    assert isinstance(value, Site)
    site = SiteRow.objects.filter(
        host_name=value.host_name,
        address=value.address,
        customer_id=value.customer,
        during__startswith=value.since,
    ).first()
    if site is None:
        add_site(
            value.host_name,
            address=value.address,
            customer=value.customer,
            service=value.service,
            since=value.since,
            until=value.until,
            at=at,
            actor=actor,
        )
        return None
    before = site_of(site)
    if before != value:
        _restate_site(site, value, at=at, actor=actor)
    return before


def _restate_site(row: SiteRow, site: Site, *, at: datetime, actor: str) -> None:
    _refuse_foreign([(site.customer, site.service)])
    row.during = Range(site.since, site.until)
    row.service_id = site.service
    try:
        with _refusals_told_apart(), transaction.atomic():
            row.save(update_fields=["during", "service"])
    except _Overlap as why:
        raise SiteHeldTwice(f"{site.host_name} at {site.address} is already answered for another then") from why
    about = [key for key in (site.customer, site.service) if key]
    record("site.changed", at=at, actor=actor, about=about, host_name=site.host_name, address=str(site.address))


def _take_in_holdings(sheet: Sheet, tally: _Tally, *, at: datetime, actor: str) -> None:
    holdings = [line.value for line in sheet.lines if isinstance(line.value, Holding)]
    line_of = {holding.source: line.number for holding, line in zip(holdings, sheet.lines, strict=True)}
    with staging.staged(holdings):
        foreign = _foreign(staging.staged_pairs())
        for holding in holdings:
            if why := foreign.get((holding.customer, holding.service)):
                tally.refuse(line_of[holding.source], f"{why[:1].upper()}{why[1:]}.")
        if foreign:
            return
        try:
            with _refusals_told_apart(), transaction.atomic():
                tally.unchanged = staging.drop_unchanged()
                for holding in staging.change_restated():
                    tally.change(in_words(holding))
                added = staging.insert_staged(known_from=require_aware(at))
        except _Overlap:
            tally.unchanged = tally.changed = 0
            tally.changes.clear()
            for new, old in staging.overlaps(restating=True, limit=OVERLAPS_TOLD_MAX):
                tally.refuse(line_of[new.source], f"{in_words(new)} overlaps {in_words(old)}.")
            return
    tally.added = added
    if tally.changed == tally.unchanged == 0:
        tally.changes = [f"new: {in_words(holding)}" for holding in holdings[:CHANGES_TOLD_MAX]]
    if added >= ANALYZE_FROM_ROWS:
        staging.analyze()


def _name_of(value: Value) -> object:
    if isinstance(value, Customer | Service):
        return value.key
    assert isinstance(value, Site)
    return value.host_name, value.address, value.since


def _resellers_first(lines: Iterable[Line]) -> list[Line]:
    """The rows in an order in which every reseller comes before its customers; those in a circle last."""
    waiting = list(lines)
    in_file = {line.value.key for line in waiting if isinstance(line.value, Customer)}
    done: set[str] = set()
    ordered: list[Line] = []
    while waiting:
        not_yet = in_file - done
        ready = [line for line in waiting if _reseller_of(line.value) not in not_yet]
        if not ready:
            return ordered + waiting
        waiting = [line for line in waiting if _reseller_of(line.value) in not_yet]
        ordered += ready
        done |= {line.value.key for line in ready if isinstance(line.value, Customer)}
    return ordered


def _reseller_of(value: Value) -> str | None:
    return value.reseller if isinstance(value, Customer) else None


class _Overlap(Exception):
    """PostgreSQL refused an overlap."""


@contextmanager
def _refusals_told_apart() -> Iterator[None]:
    """Tell an overlap, and a race for the same addresses, from every other refusal of PostgreSQL."""
    try:
        yield
    except IntegrityError as why:
        if isinstance(why.__cause__, errors.ExclusionViolation):
            raise _Overlap from why
        raise
    except OperationalError as why:
        if isinstance(why.__cause__, errors.DeadlockDetected):
            raise HeldAtThisMomentByAnother from why
        raise


def _sound(rows: Iterable[Holding]) -> Iterator[Holding]:
    for row in rows:
        _refuse_what_is_none(row)
        yield row


def _refuse_what_is_none(holding: Holding) -> None:
    require_aware(holding.held_from)
    if holding.held_until is not None:
        require_aware(holding.held_until)
    if why := why_no_holding(holding):
        raise NotAHolding(f"{in_words(holding)}: {why}")


def _refuse_foreign(pairs: Iterable[tuple[str | None, str | None]]) -> None:
    for (_, service), why in _foreign(pairs).items():
        raise (NotTheCustomersService if service and ServiceRow.objects.filter(key=service).exists() else UnknownKey)(
            why
        )


def _foreign(pairs: Iterable[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], str]:
    """Which of these customers and services don't exist or don't belong together, with why."""
    pairs = set(pairs)
    customers = {customer for customer, _ in pairs if customer is not None}
    services = {service for _, service in pairs if service is not None}
    known = set(CustomerRow.objects.filter(key__in=customers).values_list("key", flat=True))
    owners = dict(ServiceRow.objects.filter(key__in=services).values_list("key", "customer_id"))
    foreign: dict[tuple[str | None, str | None], str] = {}
    for customer, service in sorted(pairs, key=str):
        if customer is not None and customer not in known:
            foreign[customer, service] = f"there is no customer {customer}"
        elif service is not None and service not in owners:
            foreign[customer, service] = f"there is no service {service}"
        elif service is not None and owners[service] != customer:
            foreign[customer, service] = f"the service {service} is {owners[service]}'s, not {customer}'s"
    return foreign


def _refuse_circle(customer: Customer) -> None:
    above, climbed = customer.reseller, [customer.key]
    while above is not None:
        climbed.append(above)
        if above == customer.key:
            raise ResellersInACircle(f"{' under '.join(climbed)} is a circle")
        row = CustomerRow.objects.filter(key=above).only("reseller_id").first()
        if row is None:
            raise UnknownKey(f"there is no reseller {above}")
        above = row.reseller_id


def _get(key: int, *, held_until: datetime) -> Holding:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h WHERE h.id = %s", [key])
        return replace(holding_of(cursor.fetchone()), held_until=held_until)


def _in_the_way(holding: Holding) -> list[Holding]:
    """The known rows that a holding overlaps within its scope."""
    if holding.tier is Tier.OPERATOR:
        scope = SCOPES["pool" if holding.kind is HoldingKind.POOL else "operator"]
    else:
        scope = SCOPES[holding.tier]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
            WHERE {scope.format("h")} AND h.prefix && %s::cidr AND h.ports && int4range(%s, %s)
                AND h.during && tstzrange(%s, %s) AND h.id <> %s
            ORDER BY lower(h.during), h.id LIMIT {OVERLAPS_TOLD_MAX}
            """,
            [
                str(holding.prefix),
                holding.port_first,
                holding.port_last + 1,
                holding.held_from,
                holding.held_until,
                holding.key,
            ],
        )
        return [holding_of(row) for row in cursor.fetchall()]
