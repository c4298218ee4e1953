"""What people and other systems do to the registry: console, command line, API, NetBox and the customer system.

Each act is one change of the registry, which can be undone, and a customer who is new or changed by it is vetted.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from django.db import transaction

from tipstaff.registry import crm, queries
from tipstaff.registry import operations as registry
from tipstaff.registry.imports import Sheet
from tipstaff.registry.netbox import NetBox, read_netbox
from tipstaff.webhooks.operations import switch_off_of
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Holding,
    ImportPreview,
    LetterOfAuthority,
    Origin,
    Representative,
    Resource,
    Service,
    Site,
    Standing,
    Webhook,
)

from .acceptance import accept_by_contract
from .admission import NotRefused, OwnRefusal, vet_changed, vet_customer

REFUSED = (
    registry.AlreadyUndone, registry.ChangedSince, registry.HeldTwice, registry.HeldAtThisMomentByAnother,
    registry.NoSuchChange, registry.NotAContact, registry.NotAHolding, registry.NotALetter, registry.NotAResource,
    registry.NotTheCustomersService, registry.NotTheCustomersUser, registry.NotWhatWasShown, registry.NotYetSo,
    registry.ResellersInACircle, registry.ResourceHeldTwice,
    registry.SiteHeldTwice,
    registry.TransferNeedsALetter, registry.UndoingRefused, registry.UnknownKey, registry.NoSuchAdmission,
    registry.DecisionNeedsAReason, NotRefused, OwnRefusal,
)  # fmt: skip
"""What an act here may answer that a person should read as a sentence."""


@transaction.atomic
def save_customer(customer: Customer, *, at: datetime, actor: str) -> None:
    """Add a customer or change one, and vet them."""
    registry.add_customer(customer, at=at, actor=actor)
    vet_customer(customer.key, at=at, actor=actor)


@transaction.atomic
def designate(customer: str, chain: Sequence[Representative], *, at: datetime, actor: str) -> None:
    """Say who represents a customer, in which order, and vet them with the new addresses. Webhooks that somebody made
    who stands there no more are switched off."""
    before = {one.email.lower() for one in queries.representatives_of(customer)}
    registry.designate(customer, chain, at=at, actor=actor)
    vet_customer(customer, at=at, actor=actor)
    for email in sorted(before - {one.email.lower() for one in chain}):
        why = "Who made it is no contact of the account any more."
        switch_off_of(email, still=_as_contact(email), why=why, at=at, actor=actor)


def _as_contact(email: str) -> Callable[[Webhook], bool]:
    own = queries.represented_by(email)
    return lambda hook: hook.customer in own or any(each.key in own for each in queries.accounts_above(hook.customer))


def save_service(service: Service, *, at: datetime, actor: str) -> None:
    registry.add_service(service, at=at, actor=actor)


def save_user(user: AccountUser, *, at: datetime, actor: str) -> None:
    """Add somebody who uses an account, or change them."""
    registry.add_user(user, at=at, actor=actor)


def end_service(key: str, *, held_until: datetime, at: datetime, actor: str) -> int:
    """A service has ended, and with it what is held by it; how many holdings that were."""
    return registry.end_service(key, held_until=held_until, at=at, actor=actor).holdings


def set_standing(customer: str, standing: Standing, *, since: datetime, why: str, at: datetime, actor: str) -> None:
    """A contract runs, rests or has ended."""
    registry.set_standing(customer, standing, since=since, why=why, at=at, actor=actor)


def hold(holding: Holding, *, at: datetime, actor: str) -> int:
    """Give addresses to a customer, or note the operator's own."""
    return registry.hold(
        tier=holding.tier, kind=holding.kind, prefix=holding.prefix, held_from=holding.held_from,
        held_until=holding.held_until, customer=holding.customer, service=holding.service,
        port_first=holding.port_first, port_last=holding.port_last, source=holding.source, at=at, actor=actor,
    )  # fmt: skip


def end_holding(key: int, *, held_until: datetime, at: datetime, actor: str) -> None:
    registry.end_holding(key, held_until=held_until, at=at, actor=actor)


def transfer_holding(
    key: int, *, to: str, service: str | None = None, since: datetime, at: datetime, actor: str
) -> int:
    """Move addresses to another customer: refused without a letter of authority."""
    return registry.transfer_holding(key, to=to, service=service, since=since, at=at, actor=actor)


@transaction.atomic
def hold_resource(resource: Resource, *, at: datetime, actor: str) -> int:
    """Give a customer something beside addresses; with an AS number they are vetted anew."""
    key = registry.hold_resource(resource, at=at, actor=actor)
    if resource.customer is not None:
        vet_customer(resource.customer, at=at, actor=actor)
    return key


def save_site(site: Site, *, at: datetime, actor: str) -> bool:
    """A host name is answered at an address for a customer, or has its end; whether anything changed."""
    return registry.save_site(site, at=at, actor=actor)


def end_resource(key: int, *, held_until: datetime, at: datetime, actor: str) -> None:
    registry.end_resource(key, held_until=held_until, at=at, actor=actor)


@transaction.atomic
def file_letter(
    *,
    issuer: str,
    customer: str,
    prefixes: Sequence[IPv4Network | IPv6Network],
    valid_from: datetime,
    valid_until: datetime | None,
    file_name: str,
    content: bytes,
    at: datetime,
    actor: str,
) -> LetterOfAuthority:
    """File a letter of authority by its SHA-256, and vet its customer with the prefixes that it names."""
    letter = registry.add_letter(
        issuer=issuer, customer=customer, prefixes=prefixes, valid_from=valid_from, valid_until=valid_until,
        file_name=file_name, digest=hashlib.sha256(content).hexdigest(), at=at, actor=actor,
    )  # fmt: skip
    vet_customer(customer, at=at, actor=actor)
    return letter


def note_bounce(email: str, *, why: str, at: datetime, actor: str) -> tuple[str, ...]:
    """Letters to an address come back; the customers whose next contact is written to from now on."""
    return registry.note_bounce(email, why=why, at=at, actor=actor)


def note_reached(email: str, *, why: str, at: datetime, actor: str) -> tuple[str, ...]:
    """An address was shown to reach its representative."""
    return registry.note_reached(email, why=why, at=at, actor=actor)


def undo(key: str, *, why: str, at: datetime, actor: str) -> str:
    """Bring back what stood before a change, and vet whom that concerns; the undoing's own key."""
    with transaction.atomic():
        undone = registry.undo(key, at=at, actor=actor, why=why)
        vet_changed(undone, at=at, actor=actor)
    return undone


def import_netbox(
    netbox: NetBox, *, source_name: str, at: datetime, actor: str, dry_run: bool = False, end_gone: str = ""
) -> ImportPreview:
    """Take in what NetBox knows; bad objects are told and the others taken. A customer we know stays as they are.

    What NetBox says no more is shown and goes on, unless `end_gone` is the token of exactly what was shown.
    """
    sheet = read_netbox(netbox, source_name=source_name, at=at, is_reseller=_is_reseller)
    known = {key for key in _customer_keys(sheet) if queries.get_customer(key) is not None}
    lines = tuple(line for line in sheet.lines if not (isinstance(line.value, Customer) and line.value.key in known))
    preview = registry.take_in_all_there_is(
        replace(sheet, lines=lines), end_gone=end_gone, at=at, actor=actor, origin=Origin.NETBOX, dry_run=dry_run
    )
    if preview.applied:
        vet_changed(preview.change, at=at, actor=actor)
    return replace(preview, unchanged=preview.unchanged + len(known))


def _customer_keys(sheet: Sheet) -> set[str]:
    return {line.value.key for line in sheet.lines if isinstance(line.value, Customer)}


def _is_reseller(key: str) -> bool:
    found = queries.get_customer(key)
    return found is not None and found.is_reseller


def take_delivery(
    body: bytes, *, delivery: str, timestamp: str, signature: str, key: bytes, at: datetime
) -> dict[str, Any]:
    """Take in one delivery of the customer system, once; the same again gets the same answer.

    Raises NotSigned or BadDelivery with one sentence; then nothing of it was taken in, and it may be sent again.
    """
    crm.check_signature(key=key, delivery=delivery, timestamp=timestamp, body=body, signature=signature, at=at)
    digest = hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        earlier = registry.begin_delivery(delivery, digest=digest, at=at)
        if earlier is not None:
            if earlier.pop("digest") != digest:
                raise crm.BadDelivery(f"The delivery {delivery[:40]} was another body before; each has its own name.")
            return {**earlier, "again": True}
        answer = _carry_out(crm.read_event(body, at=at), at=at)
        registry.end_delivery(delivery, answer=answer)
    return {**answer, "again": False}


def _carry_out(event: crm.Event, *, at: datetime) -> dict[str, Any]:
    by: dict[str, Any] = {"at": at, "actor": "customer-system", "origin": Origin.CRM}
    kept: tuple[str, ...] = ()
    try:
        for value in (registry.completed(value, event.left_out) for value in event.values):
            if isinstance(value, Customer):
                kept += registry.add_customer(value, **by)
                vet_customer(value.key, at=at, actor="customer-system")
            elif isinstance(value, Service):
                kept += registry.add_service(value, **by)
            elif isinstance(value, Acceptance):
                accept_by_contract(value, **by)
        if event.standing is not None:
            customer, standing, since, why = event.standing
            kept += registry.set_standing(customer, standing, since=since, why=why, **by)
        if event.ended is not None:
            kept += registry.end_service(event.ended[0], held_until=event.ended[1], **by).kept
    except REFUSED as why:
        raise crm.BadDelivery(f"{str(why)[:1].upper()}{str(why)[1:]}".removesuffix(".") + ".") from why
    return {"event": event.name, "kept": list(kept)}
