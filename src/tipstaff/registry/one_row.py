"""One row of a file or of another system into the registry, and what became of it. Private to this room."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from psycopg.types.range import Range

from tipstaff.ledger.operations import record
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Origin,
    Representative,
    Resource,
    Service,
    Site,
    require_aware,
)

from .accounts import accept_policy, add_customer, add_service, add_user, designate
from .changes import change
from .guarding import Overlap, refusals_told_apart, refuse_foreign
from .holdings import add_site
from .imports import Value
from .leaving_out import changed_fields
from .models import (
    AcceptanceRow,
    ChangeRow,
    CustomerRow,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    UserRow,
)
from .names import plain_host_name
from .refusals import (
    NotAContact,
    NotAHolding,
    NotAResource,
    NotTheCustomersService,
    ResellersInACircle,
    ResourceHeldTwice,
    SiteHeldTwice,
    UnknownKey,
)
from .resources import end_resource, hold_resource
from .rows import representative_of, resource_of, service_of, site_of, stated_customer_of, user_of, value_in_words

REFUSALS = (
    UnknownKey, ResellersInACircle, NotTheCustomersService, SiteHeldTwice, NotAHolding, NotAResource, ResourceHeldTwice,
    NotAContact,
)  # fmt: skip
"""What a row may be refused for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one row."""

    new: bool
    before_is_same: bool
    kept: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    """What of it was changed, by name, where that is known."""
    kept_all: bool = False
    """True when nothing of the row was taken, because of a person's word."""


def write_chain(customer: str, people: list[Representative], *, at: datetime, actor: str, origin: Origin) -> Outcome:
    rows = RepresentativeRow.objects.filter(customer_id=customer).order_by("rank")
    known = {row.email.lower(): representative_of(row) for row in rows}
    # What only we know of a contact, the file can't say: keys, and whether letters reach it.
    whole = [
        replace(
            person,
            verified_at=old.verified_at,
            bounced_at=old.bounced_at,
            openpgp_key=old.openpgp_key,
            smime_certificate=old.smime_certificate,
        )
        if (old := known.get(person.email.lower()))
        else person
        for person in people
    ]
    same = list(known.values()) == whole
    kept = designate(customer, whole, at=at, actor=actor, origin=origin)
    return Outcome(new=not known, before_is_same=same, kept=kept, kept_all=bool(kept))


def write(value: Value, *, at: datetime, actor: str, origin: Origin) -> Outcome:
    """Write one row of a file."""
    by = {"at": at, "actor": actor, "origin": origin}
    if isinstance(value, Customer):
        row = CustomerRow.objects.filter(key=value.key).first()
        before = stated_customer_of(row) if row else None
        kept = add_customer(value, **by)  # type: ignore[arg-type]  # the same three everywhere
        after = stated_customer_of(CustomerRow.objects.get(key=value.key)) if kept else value
        return Outcome(
            new=row is None, before_is_same=before == value, kept=kept, kept_all=before == after,
            fields=changed_fields(before, after),
        )  # fmt: skip
    if isinstance(value, Service):
        service = ServiceRow.objects.filter(key=value.key).first()
        old = service_of(service) if service else None
        kept = add_service(value, **by)  # type: ignore[arg-type]  # as above
        now = service_of(ServiceRow.objects.get(key=value.key)) if kept else value
        return Outcome(
            new=service is None, before_is_same=old == value, kept=kept, kept_all=old == now,
            fields=changed_fields(old, now),
        )  # fmt: skip
    if isinstance(value, AccountUser):
        user = UserRow.objects.filter(key=value.key).first()
        same = user is not None and user_of(user) == value
        kept = add_user(value, **by)  # type: ignore[arg-type]  # as above
        return Outcome(new=user is None, before_is_same=same, kept=kept, kept_all=bool(kept))
    if isinstance(value, Acceptance):
        count = AcceptanceRow.objects.count()
        accept_policy(value, **by)  # type: ignore[arg-type]  # as above
        return Outcome(new=True, before_is_same=AcceptanceRow.objects.count() == count)
    if isinstance(value, Resource):
        return _write_resource(value, at=at, actor=actor, origin=origin)
    assert isinstance(value, Site)
    return _write_site(value, at=at, actor=actor, origin=origin)


def _write_resource(value: Resource, *, at: datetime, actor: str, origin: Origin) -> Outcome:
    row = ResourceRow.objects.filter(
        kind=value.kind, name=value.name, scope=value.scope, tier=value.tier, customer_id=value.customer,
        during__startswith=value.held_from,
    ).first()  # fmt: skip
    if row is None:
        others = ResourceRow.objects.filter(
            kind=value.kind, name=value.name, scope=value.scope, tier=value.tier,
            during__overlap=Range(value.held_from, value.held_until),
        ).order_by("pk")  # fmt: skip
        if origin is not Origin.PERSON and (person := _first_by_person(others)):
            return Outcome(new=False, before_is_same=False, kept=(person,), kept_all=True)
        hold_resource(value, at=at, actor=actor, origin=origin)
        return Outcome(new=True, before_is_same=False)
    old = resource_of(row)
    if (old.held_until, old.service) == (value.held_until, value.service):
        return Outcome(new=False, before_is_same=True)
    if origin is not Origin.PERSON and (person := _by_person(row)):
        return Outcome(new=False, before_is_same=False, kept=(person,), kept_all=True)
    if value.held_until is not None and value.service == old.service:
        end_resource(int(row.pk), held_until=value.held_until, at=at, actor=actor, origin=origin)
        return Outcome(new=False, before_is_same=False)
    refuse_foreign([(value.customer, value.service)])
    with change(at=at, actor=actor, origin=origin) as draft:
        row.during, row.service_id, row.source = Range(value.held_from, value.held_until), value.service, value.source
        try:
            with refusals_told_apart(), transaction.atomic():
                row.save()
        except Overlap as why:
            raise ResourceHeldTwice(f"{value_in_words(value)} is held by another then") from why
        draft.tell(f"changed: {value_in_words(value)}", value.customer)
        record(
            "resource.changed", at=at, actor=actor, about=[value.customer or "registry"], kind=value.kind,
            name=value.name, scope=value.scope, change=draft.key,
        )  # fmt: skip
    return Outcome(new=False, before_is_same=False)


def _first_by_person(rows: Iterable[ResourceRow | SiteRow]) -> str:
    """Who set the first of these rows that a person has set; else empty."""
    return next(filter(None, map(_by_person, rows)), "")


def _by_person(row: ResourceRow | SiteRow) -> str:
    """Who set this row, if it was a person; else empty."""
    made = ChangeRow.objects.filter(pk=row.restored_from or row.change or 0, origin=Origin.PERSON).first()
    return "" if made is None else f"{made.actor} has set it otherwise on {made.at:%Y-%m-%d}, and that stands"


def save_site(site: Site, *, at: datetime, actor: str) -> bool:
    """Say by hand for whom a host name is answered at an address, and from when until when; one that is known by its
    beginning gets another end or service. Whether anything changed; SiteHeldTwice, NotAHolding, UnknownKey."""
    since, until = require_aware(site.since), None if site.until is None else require_aware(site.until)
    if until is not None and until <= since:
        raise NotAHolding(f"{site.host_name} can't end before it begins")
    plain = replace(site, host_name=plain_host_name(site.host_name), since=since, until=until)
    return not _write_site(plain, at=at, actor=actor, origin=Origin.PERSON).before_is_same


def _write_site(value: Site, *, at: datetime, actor: str, origin: Origin) -> Outcome:
    row = SiteRow.objects.filter(
        host_name=value.host_name, address=value.address, customer_id=value.customer, during__startswith=value.since
    ).first()
    if row is None:
        others = SiteRow.objects.filter(
            host_name=value.host_name, address=value.address, during__overlap=Range(value.since, value.until)
        ).order_by("pk")
        if origin is not Origin.PERSON and (person := _first_by_person(others)):
            return Outcome(new=False, before_is_same=False, kept=(person,), kept_all=True)
        add_site(
            value.host_name, address=value.address, customer=value.customer, service=value.service, since=value.since,
            until=value.until, at=at, actor=actor, origin=origin,
        )  # fmt: skip
        return Outcome(new=True, before_is_same=False)
    if site_of(row) == value:
        return Outcome(new=False, before_is_same=True)
    if origin is not Origin.PERSON and (person := _by_person(row)):
        return Outcome(new=False, before_is_same=False, kept=(person,), kept_all=True)
    refuse_foreign([(value.customer, value.service)])
    with change(at=at, actor=actor, origin=origin) as draft:
        row.during = Range(value.since, value.until)
        row.service_id = value.service
        try:
            with refusals_told_apart(), transaction.atomic():
                row.save(update_fields=["during", "service"])
        except Overlap as why:
            raise SiteHeldTwice(f"{value.host_name} at {value.address} is already answered for another then") from why
        about = [key for key in (value.customer, value.service) if key]
        draft.tell(f"changed: {value_in_words(value)}", *about)
        record(
            "site.changed", at=at, actor=actor, about=about, host_name=value.host_name, address=str(value.address),
            change=draft.key,
        )  # fmt: skip
    return Outcome(new=False, before_is_same=False)
