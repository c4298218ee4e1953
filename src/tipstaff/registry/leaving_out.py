"""What a file or another system leaves out stays as it is known. Private to this room.

A column that is not there says nothing; one that is there and empty says that there is nothing.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tipstaff.words import AccountUser, Customer, Representative, Resource, Service, Site

from .columns import Contact, Value
from .models import CustomerRow, RepresentativeRow, ResourceRow, ServiceRow, SiteRow, UserRow
from .rows import representative_of, resource_of, service_of, site_of, stated_customer_of, user_of

_TONGUE = {"representative_name": "name", "language": "language", "timezone": "timezone"}


def completed(value: Value, left_out: frozenset[str]) -> Value:
    """The row with what the registry knows in the columns that were left out."""
    known = _known(value) if left_out else None
    if known is None:
        return value
    changes = _as_known(known, left_out)
    if isinstance(value, Customer):
        assert isinstance(known, Customer), "the same key"
        if "representative_email" in left_out:
            changes["representative"] = known.representative
        else:
            changes["representative"] = _same_person(value.representative, known.representative, left_out, _TONGUE)
    if isinstance(value, Contact):
        assert isinstance(known, Representative), "the one with this address"
        names = {name: name for name in ("name", "language", "timezone", "phone")}
        return replace(value, person=_same_person(value.person, known, left_out, names) or value.person)
    return replace(value, **changes)


def changed_fields(before: object, after: object) -> tuple[str, ...]:
    """By name, what of a customer or a service is not what it was."""
    if not isinstance(before, Customer | Service) or not isinstance(after, Customer | Service):
        return ()
    return tuple(f.name for f in fields(before) if getattr(before, f.name) != getattr(after, f.name))


def _as_known(known: Value | Representative, left_out: frozenset[str]) -> dict[str, Any]:
    return {f.name: getattr(known, f.name) for f in fields(known) if f.name in left_out}


def _same_person(
    stated: Representative | None, known: Representative | None, left_out: frozenset[str], names: Mapping[str, str]
) -> Representative | None:
    """Whoever has the same address is the same person; of another nothing is known."""
    if stated is None or known is None or stated.email.lower() != known.email.lower():
        return stated
    return replace(stated, **{name: getattr(known, name) for column, name in names.items() if column in left_out})


def _known(value: Value) -> Value | Representative | None:
    row: Any
    if isinstance(value, Customer):
        row = CustomerRow.objects.filter(key=value.key).first()
        return None if row is None else stated_customer_of(row)
    if isinstance(value, Service):
        row = ServiceRow.objects.filter(key=value.key).first()
        return None if row is None else service_of(row)
    if isinstance(value, AccountUser):
        row = UserRow.objects.filter(key=value.key).first()
        return None if row is None else user_of(row)
    if isinstance(value, Contact):
        row = RepresentativeRow.objects.filter(customer_id=value.customer, email__iexact=value.person.email).first()
        return None if row is None else representative_of(row)
    if isinstance(value, Resource):
        row = ResourceRow.objects.filter(
            kind=value.kind, name=value.name, scope=value.scope, tier=value.tier, customer_id=value.customer,
            during__startswith=value.held_from,
        ).first()  # fmt: skip
        return None if row is None else resource_of(row)
    if isinstance(value, Site):
        row = SiteRow.objects.filter(
            host_name=value.host_name, address=value.address, customer_id=value.customer, during__startswith=value.since
        ).first()
        return None if row is None else site_of(row)
    return None
