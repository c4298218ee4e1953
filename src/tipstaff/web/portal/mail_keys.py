"""A contact's own keys for their letters: given by themselves, shown to be theirs by a letter that only they open.

Letters are closed by a key that stands on record (see `notices.closing`): a key whose owner cannot open would lose them
their letters, and another's would give these to somebody else. So a contact gives keys for their own address alone, and
a key counts once whoever has it has opened a letter at that address.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, get_args

from django.db import transaction

from tipstaff import wiring
from tipstaff.host.envelopes import KEY_CHARACTERS_MAX, UselessKey, check_openpgp, check_smime
from tipstaff.procedures.portal import ask_key, note_portal_change, take_turn
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Customer, MailKeys, Representative

from ..models import PortalPerson, ProposedKey
from ..said import Sentence
from .contacts import NotSet, change_contacts, manages_contacts

KindOfKey = Literal["OpenPGP", "S/MIME"]
LASTS = timedelta(days=1)
A_DAY_MAX = 5
"""So many letters a day to show a key by."""


def own_contact(person: PortalPerson, customer: str) -> Representative | None:
    """The contact of a customer's that somebody is themselves; None where they are none, or may manage none."""
    if not manages_contacts(person, customer):
        return None
    return next((one for one in representatives_of(customer) if one.email.lower() == person.email), None)


def says_of(contact: Representative, *, at: datetime) -> list[tuple[KindOfKey, str]]:
    """By what letters to a contact are closed: (OpenPGP or S/MIME, whose the key says it is); what is no use any more
    says so."""
    keys: tuple[tuple[KindOfKey, str, Callable[..., str]], ...] = (
        ("OpenPGP", contact.openpgp_key, check_openpgp),
        ("S/MIME", contact.smime_certificate, check_smime),
    )
    found: list[tuple[KindOfKey, str]] = []
    for name, key, check in keys:
        if key:
            try:
                found.append((name, check(key, at=at)))
            except UselessKey as why:
                found.append((name, str(why)))
    return found


def proposed_by(person: PortalPerson, customer: str, *, at: datetime) -> ProposedKey | None:
    """The key of theirs that waits to be shown."""
    rows = ProposedKey.objects.filter(customer=customer, email=person.email, ended_at=None, made_at__gt=at - LASTS)
    return rows.first()


def propose(text: str, *, customer: Customer, by: PortalPerson, at: datetime) -> ProposedKey:
    """Send somebody a letter that is closed by the key they give. Raise NotSet."""
    contact = own_contact(by, customer.key)
    if contact is None:
        raise NotSet("Only a contact gives a key, for letters to themselves.")
    if len(text) > KEY_CHARACTERS_MAX:
        raise NotSet("That is longer than any key that we take.")
    keys = MailKeys(smime=(text,)) if "BEGIN CERTIFICATE" in text else MailKeys(openpgp=(text,))
    says = _whose(keys, at=at)
    with transaction.atomic():
        take_turn(customer.key)  # Two at once count one another.
        rows = ProposedKey.objects.filter(customer=customer.key, email=by.email)
        if rows.filter(made_at__gt=at - timedelta(days=1)).count() >= A_DAY_MAX:
            raise Sentence("Too many letters went to that address today; try again tomorrow.")
        ProposedKey.objects.filter(made_at__lte=at - LASTS).delete()  # Anybody's: none of them opens anything.
        rows.filter(ended_at=None).update(ended_at=at)
        row = ProposedKey.objects.create(
            customer=customer.key, email=by.email, openpgp_key="".join(keys.openpgp),
            smime_certificate="".join(keys.smime), says=says, made_at=at,
        )  # fmt: skip
        note_portal_change(
            "portal.key_proposed", customer=customer.key, at=at, actor=f"customer ({by.email})", email=by.email,
            says=says,
        )  # fmt: skip
        ask_key(contact, keys, number=row.pk, customer=customer, desk=wiring.desk(), at=at)
    return row


def _whose(keys: MailKeys, *, at: datetime) -> str:
    """Whose this one key says it is. Raise NotSet where nothing can be closed by it."""
    try:
        return check_smime(keys.smime[0], at=at) if keys.smime else check_openpgp(keys.openpgp[0], at=at)
    except UselessKey as why:
        raise NotSet("Nothing can be closed by this key: {why}.", why=str(why)) from why


def key_of_link(name: str, *, at: datetime) -> ProposedKey | None:
    """The key that a link is about, while it waits."""
    rows = ProposedKey.objects.filter(ended_at=None, made_at__gt=at - LASTS)
    return rows.filter(pk=int(name.partition("-")[2])).first()


def show(number: int, *, at: datetime) -> bool:
    """Whoever opened the letter uses its key from now on, and no other that they gave before; False where it waits no
    more, or they are no contact. Raise NotSet where it has run out meanwhile."""
    with transaction.atomic():
        whose = ProposedKey.objects.filter(pk=number).values_list("customer", flat=True).first()
        take_turn(whose or "")
        row = ProposedKey.objects.select_for_update().filter(pk=number, ended_at=None).first()
        customer = get_customer(row.customer) if row is not None else None
        person = PortalPerson.objects.filter(email=row.email).first() if row is not None else None
        if row is None or customer is None or person is None:
            return False
        person.shown_at = row.made_at
        if own_contact(person, customer.key) is None:
            return False
        row.ended_at = at
        row.save(update_fields=["ended_at"])
        given = (
            MailKeys(smime=(row.smime_certificate,)) if row.smime_certificate else MailKeys(openpgp=(row.openpgp_key,))
        )
        says = _whose(given, at=at)

        def edit(chain: list[Representative]) -> list[Representative]:
            return [
                replace(
                    one, openpgp_key=row.openpgp_key, smime_certificate=row.smime_certificate, verified_at=at,
                    bounced_at=None,
                )
                if one.email.lower() == row.email else one
                for one in chain
            ]  # fmt: skip

        change_contacts(
            customer, edit, by=row.email, why=f"{row.email} showed an {row.kind} key to be theirs: {says}", at=at
        )
    return True


def forget(kind: str, *, customer: Customer, by: PortalPerson, at: datetime) -> bool:
    """Letters to somebody go no longer closed by their key of a kind; False where there was none. Raise NotSet."""
    if own_contact(by, customer.key) is None:
        raise NotSet("Only a contact gives a key, for letters to themselves.")
    if kind not in get_args(KindOfKey):
        return False

    def without(one: Representative) -> Representative:
        return replace(one, smime_certificate="") if kind == "S/MIME" else replace(one, openpgp_key="")

    def edit(chain: list[Representative]) -> list[Representative]:
        return [without(one) if one.email.lower() == by.email else one for one in chain]

    return change_contacts(customer, edit, by=by.email, why=f"{by.email} took back an {kind} key", at=at)
