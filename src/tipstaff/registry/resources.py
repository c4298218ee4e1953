"""Writes of what is held beside addresses: AS numbers, VLANs, ports, domains, mailboxes, circuits and so on."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from psycopg.types.range import Range

from tipstaff.ledger.operations import record
from tipstaff.words import Origin, Resource, Tier, require_aware

from .changes import change
from .guarding import Overlap, refusals_told_apart, refuse_foreign
from .models import ResourceRow
from .names import NotInItsForm, plain_name, plain_scope
from .refusals import NotAResource, ResourceHeldTwice, UnknownKey
from .rows import resource_in_words, resource_of


def plain_resource(resource: Resource) -> Resource:
    """The resource with its name and scope in their one form; raise NotAResource with a sentence."""
    try:
        plain = replace(
            resource,
            name=plain_name(resource.kind, resource.name),
            scope=plain_scope(resource.kind, resource.scope),
        )
    except NotInItsForm as why:
        raise NotAResource(str(why).removesuffix(".")) from why
    if (plain.tier is Tier.OPERATOR) != (plain.customer is None):
        raise NotAResource("a customer's resource names a customer, and the operator's own names none")
    if plain.held_until is not None and plain.held_until <= plain.held_from:
        raise NotAResource("it ends before it begins")
    return plain


def hold_resource(resource: Resource, *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> int:
    """Record who holds a resource; its key. The same again does nothing; raise ResourceHeldTwice for a second."""
    resource = plain_resource(resource)
    since = require_aware(resource.held_from)
    during = Range(since, None if resource.held_until is None else require_aware(resource.held_until))
    same = {
        "kind": resource.kind,
        "name": resource.name,
        "scope": resource.scope,
        "tier": resource.tier,
        "customer_id": resource.customer,
        "service_id": resource.service,
        "during": during,
    }
    known = ResourceRow.objects.filter(**same).first()
    if known is not None:
        return int(known.pk)
    with change(at=at, actor=actor, origin=origin, source=resource.source) as draft:
        refuse_foreign([(resource.customer, resource.service)])
        try:
            with refusals_told_apart(), transaction.atomic():
                row = ResourceRow.objects.create(**same, source=resource.source, known_from=draft.at, change=draft.id)
        except Overlap as why:
            raise ResourceHeldTwice(_clash(resource, during)) from why
        draft.tell(f"new: {resource_in_words(resource)}", resource.customer, resource.service)
        record(
            "resource.added", at=at, actor=actor, about=[k for k in (resource.customer, resource.service) if k],
            kind=resource.kind, name=resource.name, scope=resource.scope, resource=row.pk, change=draft.key,
        )  # fmt: skip
        return int(row.pk)


def end_resource(key: int, *, held_until: datetime, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> None:
    """Set when the holding of a resource ends. The same again does nothing."""
    held_until = require_aware(held_until)
    with change(at=at, actor=actor, origin=origin) as draft:
        row = ResourceRow.objects.select_for_update().filter(pk=key).first()
        if row is None:
            raise UnknownKey(f"there is no resource {key}")
        if row.during.upper == held_until:
            return
        if held_until <= row.during.lower:
            raise NotAResource(f"it began at {row.during.lower.isoformat()}, so it can't end before that")
        row.during = Range(row.during.lower, held_until)
        try:
            with refusals_told_apart(), transaction.atomic():
                row.save()
        except Overlap as why:
            raise ResourceHeldTwice(_clash(resource_of(row), row.during, but=key)) from why
        about = [k for k in (row.customer_id, row.service_id) if k]
        draft.tell(f"ended: {resource_in_words(resource_of(row))}", *about)
        record(
            "resource.ended", at=at, actor=actor, about=about, kind=row.kind, name=row.name, scope=row.scope,
            held_until=held_until, resource=key, change=draft.key,
        )  # fmt: skip


def _clash(resource: Resource, during: Range[datetime], *, but: int = 0) -> str:
    old = (
        ResourceRow.objects.filter(
            kind=resource.kind,
            name=resource.name,
            scope=resource.scope,
            tier=resource.tier,
            during__overlap=during,
        )
        .exclude(pk=but)
        .first()
    )
    known = "another" if old is None else resource_in_words(resource_of(old))
    return f"{resource_in_words(resource)} overlaps {known}"
