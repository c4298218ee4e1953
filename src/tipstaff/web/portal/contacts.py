"""A customer's contacts for complaints, as their own people set them: proposed, agreed to by mail, ordered, removed.

Nobody becomes a contact whose mailbox did not agree; one stays whom letters reach; and the contacts of before are told.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from tipstaff import wiring
from tipstaff.procedures.portal import (
    CONTACTS_MAX,
    ContactsKept,
    ask_contact,
    note_portal_change,
    set_contacts,
    take_turn,
    why_no_contact,
)
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Customer, Representative

from ..models import PortalPerson, ProposedContact
from ..said import Sentence
from .outgoing import is_no_name, refuse_too_many
from .people import MAIL_ADDRESS, PortalRole, roles_of

PROPOSED_MAX = 5
PROPOSED_LASTS = timedelta(days=7)


class NotSet(Sentence):
    """The contacts stay as they are; the message says why."""


def proposed_for(customer: str, *, at: datetime) -> list[ProposedContact]:
    """Who was asked and has not agreed yet."""
    rows = ProposedContact.objects.filter(customer=customer, ended_at=None, made_at__gt=at - PROPOSED_LASTS)
    return list(rows.order_by("id"))


def propose(contact: Representative, *, customer: Customer, by: PortalPerson, at: datetime) -> None:
    """Ask somebody by letter whether they take letters for a customer. Raise NotSet, or the Sentence of too many."""
    contact = replace(contact, email=contact.email.lower())
    if not MAIL_ADDRESS.fullmatch(contact.email):
        raise NotSet("That is no mail address.")
    if not contact.name or is_no_name(contact.name):
        raise NotSet("Say who that is.")
    if why_no_contact(contact):
        raise NotSet("Choose a language and a time zone.")
    chain = representatives_of(customer.key)
    if any(one.email.lower() == contact.email for one in chain):
        raise NotSet("That address stands among your contacts already.")
    if len(chain) >= CONTACTS_MAX:
        raise NotSet("There are ten contacts already; take one away first.")
    with transaction.atomic():
        take_turn(customer.key)  # Two at once count one another.
        refuse_too_many(customer.key, contact.email, at=at)
        old = ProposedContact.objects.filter(customer=customer.key, ended_at=None)
        old.filter(made_at__lte=at - PROPOSED_LASTS).update(ended_at=at)
        if old.count() >= PROPOSED_MAX:
            raise NotSet("Five were asked and have not agreed yet; take one back first.")
        try:
            with transaction.atomic():
                row = ProposedContact.objects.create(
                    customer=customer.key, email=contact.email, name=contact.name, phone=contact.phone,
                    language=contact.language, timezone=contact.timezone, proposed_by=by.email, made_at=at,
                )  # fmt: skip
        except IntegrityError as why:
            raise NotSet("That address was asked already.") from why
        note_portal_change(
            "portal.contact_proposed", customer=customer.key, at=at, actor=f"customer ({by.email})", email=row.email
        )  # fmt: skip
        ask_contact(contact, number=row.pk, customer=customer, by=by.email, desk=wiring.desk(), at=at)


def proposed_by_link(name: str, *, at: datetime) -> ProposedContact | None:
    """The proposal that a link is about, while it stands."""
    rows = ProposedContact.objects.filter(ended_at=None, made_at__gt=at - PROPOSED_LASTS)
    return rows.filter(pk=int(name.partition("-")[2])).first()


def agree(number: int, *, at: datetime) -> bool:
    """Make a contact of whoever was asked, as the last of the chain; False where it was taken back meanwhile, or where
    whoever proposed it may manage no contacts any more."""
    with transaction.atomic():
        asked_for = ProposedContact.objects.filter(pk=number).values_list("customer", flat=True).first()
        take_turn(asked_for or "")  # First, as `propose` does, or each could wait for what the other holds.
        row = ProposedContact.objects.select_for_update().filter(pk=number, ended_at=None).first()
        customer = get_customer(row.customer) if row is not None else None
        if row is None or customer is None:
            return False
        proposer = PortalPerson.objects.filter(email=row.proposed_by).first()
        if proposer is None:
            return False
        proposer.shown_at = row.made_at
        if not manages_contacts(proposer, customer.key):
            return False
        row.ended_at = at
        row.save(update_fields=["ended_at"])
        agreed = Representative(
            name=row.name, email=row.email, language=row.language, timezone=row.timezone, phone=row.phone,
            verified_at=at,
        )  # fmt: skip
        change_contacts(
            customer, lambda chain: [*(one for one in chain if one.email.lower() != agreed.email), agreed],
            by=row.proposed_by, why=f"{row.email} agreed", at=at,
        )  # fmt: skip
    return True


def take_back(number: int, *, customer: Customer, by: PortalPerson, at: datetime) -> str | None:
    """Take a proposal back: its link opens nothing any more; the address, or None where it is gone."""
    row = ProposedContact.objects.filter(pk=number, customer=customer.key, ended_at=None).first()
    if row is None:
        return None
    with transaction.atomic():
        # Whoever was asked may have agreed since it was read: what they did is not said to be taken back.
        if not ProposedContact.objects.filter(pk=row.pk, ended_at=None).update(ended_at=at):
            return None
        note_portal_change(
            "portal.contact_taken_back", customer=customer.key, at=at, actor=f"customer ({by.email})", email=row.email
        )  # fmt: skip
    return row.email


def move_up(email: str, *, customer: Customer, by: PortalPerson, at: datetime) -> bool:
    """Have somebody written to before the one above them; False where nobody is. Raise NotSet."""

    def edit(chain: list[Representative]) -> list[Representative]:
        place = _place(chain, email)
        above = max(place - 1, 0)
        chain[above], chain[place] = chain[place], chain[above]
        return chain

    return change_contacts(customer, edit, by=by.email, why=f"{email} was moved up", at=at)


def remove(email: str, *, customer: Customer, by: PortalPerson, at: datetime) -> None:
    """Take somebody out of the chain. Raise NotSet where nobody would be left whom letters reach."""

    def edit(chain: list[Representative]) -> list[Representative]:
        del chain[_place(chain, email)]
        return chain

    change_contacts(customer, edit, by=by.email, why=f"{email} was taken out", at=at)


def manages_contacts(person: PortalPerson, customer: str) -> bool:
    """Only a customer's own people say who is written to about it, and nobody of a reseller's above."""
    return roles_of(person).get(customer) is PortalRole.MANAGES


def _place(chain: list[Representative], email: str) -> int:
    found = next((place for place, one in enumerate(chain) if one.email.lower() == email.lower()), None)
    if found is None:
        raise NotSet("That address is not among your contacts any more.")
    return found


def change_contacts(
    customer: Customer, edit: Callable[[list[Representative]], list[Representative]], *, by: str, why: str, at: datetime
) -> bool:
    """Let somebody change a customer's contacts; False where it is so already. Raise NotSet."""
    try:
        return set_contacts(customer, edit, by=by, why=why, desk=wiring.desk(), at=at)
    except ContactsKept as kept:
        raise NotSet(str(kept)) from kept
