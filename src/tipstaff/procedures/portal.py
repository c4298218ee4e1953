"""Customers' own people at the portal: the letter with a link to log in, and what stands in the record of them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from tipstaff.cases.operations import SEALED_MATTER
from tipstaff.host.envelopes import UselessKey, check_openpgp, check_smime
from tipstaff.ledger.operations import record
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter
from tipstaff.registry.operations import NotAContact, lock_customer, refuse_no_contact
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import SEALED_TYPES, Case, Customer, LetterKind, MailKeys, Representative

from . import registering
from .desk import Desk
from .links import CONTACT, FORWARD, KEY

CONTACTS_MAX = 10


class ContactsKept(ValueError):
    """The contacts stay as they are; the message says why."""


def send_log_in_link(
    email: str, *, customer: str, name: str, language: str, log_in: str, desk: Desk, at: datetime, actor: str,
    keys: MailKeys | None = None,
) -> str:  # fmt: skip
    """Queue the letter with link `log_in` (`12-3`); its key. The link itself is made when the letter is sent. `keys`
    close it in place of those on record."""
    desk = desk.speaking_to(get_customer(customer))
    facts = LetterFacts(
        operator=desk.operator, abuse_contact=desk.abuse_address, language=language, representative=name
    )  # fmt: skip
    key = queue_letter(
        LetterKind.LOG_IN_LINK, once=f"log_in_link:{log_in}", to=email, log_in=log_in, case=None, report=None,
        draft=compose(LetterKind.LOG_IN_LINK, facts=facts), at=at, actor=actor, held=not desk.mail_out_ready,
        brand=desk.brand, keys=keys,
    )  # fmt: skip
    desk.enqueue("letters", "all")
    return key


def note_portal_change(what: str, *, customer: str, at: datetime, actor: str, **detail: object) -> None:
    """Put on record what changed among a customer's people: `portal.let_in`, `portal.let_out`, ..."""
    record(what, at=at, actor=actor, about=[customer], **detail)


def ask_contact(proposed: Representative, *, number: int, customer: Customer, by: str, desk: Desk, at: datetime) -> str:
    """Ask somebody by letter whether they take letters about complaints; its key. Until they agree they get none.

    Nor does the letter name them: whoever typed the address typed the name as well.
    """
    desk = desk.speaking_to(customer)
    facts = _facts(desk, language=proposed.language, customer=_named(customer), by=by)
    return _send(
        LetterKind.CONTACT_CHECK, facts=facts, to=proposed.email, link=f"{CONTACT}{number}", desk=desk, at=at, by=by
    )  # fmt: skip


def ask_key(
    contact: Representative, keys: MailKeys, *, number: int, customer: Customer, desk: Desk, at: datetime
) -> str:
    """Ask a contact by a letter that only this key opens whether it is theirs; the letter's key. The link in it is made
    when the letter goes, and stands nowhere else: whoever comes by it has opened the letter."""
    desk = desk.speaking_to(customer)
    facts = _facts(desk, language=contact.language, name=contact.name, customer=_named(customer))
    return _send(
        LetterKind.KEY_CHECK, facts=facts, to=contact.email, link=f"{KEY}{number}", desk=desk, at=at, by=contact.email,
        keys=keys,
    )  # fmt: skip


def is_sealed(case: Case) -> bool:
    """Whether nobody may be told anything of it."""
    return case.resource == SEALED_MATTER or case.type in SEALED_TYPES


def why_no_contact(proposed: Representative) -> str:
    """Why somebody cannot be written to; empty where they can."""
    try:
        refuse_no_contact(proposed)
    except NotAContact as why:
        return str(why)
    return ""


def take_turn(customer: str) -> None:
    """Within a transaction: what a customer's people do in turn waits until it ends, so that no two pass one count."""
    lock_customer(customer)


@transaction.atomic
def set_contacts(
    customer: Customer, edit: Callable[[list[Representative]], list[Representative]], *, by: str, why: str, desk: Desk,
    at: datetime,
) -> bool:  # fmt: skip
    """Let a customer's people say to whom letters go, and in which order; the contacts of before are told by letter.
    False where that is so already: then nobody is.

    `edit` makes the new chain of the one that there is. One at least stays whom letters reach: whose address was shown
    to reach them, and from whom none comes back. The desk sees a change of the registry, which it can undo. Raise
    ContactsKept.
    """
    lock_customer(customer.key)
    before = representatives_of(customer.key)
    chain = edit(list(before))
    if chain == before:
        return False
    if not any(one.verified_at is not None and one.bounced_at is None for one in chain):
        raise ContactsKept("Somebody must be left whom our letters were shown to reach.")
    if len(chain) > CONTACTS_MAX:
        raise ContactsKept("There are ten contacts already; take one away first.")
    actor = f"customer ({by})"
    registering.designate(customer.key, chain, at=at, actor=actor)
    note_portal_change(
        "portal.contacts_changed", customer=customer.key, at=at, actor=actor, why=why,
        before=[one.email for one in before], now=[one.email for one in chain],
    )  # fmt: skip
    desk = desk.speaking_to(customer)
    for one in before:
        if one.bounced_at is None:
            facts = _facts(
                desk, language=one.language, name=one.name, customer=_named(customer), by=by,
                contacts=tuple(_reached_how(each, at=at) for each in chain),
            )  # fmt: skip
            _send(
                LetterKind.CONTACTS_CHANGED, facts=facts, to=one.email, link=None, desk=desk, at=at, by=by,
                step=" ".join(each.email for each in chain),
            )  # fmt: skip
    return True


def send_passed_on(
    case: str, *, number: int, to: str, name: str, language: str, brand: str, contact: str, by: str,
    reseller: str, desk: Desk, at: datetime,
) -> str:  # fmt: skip
    """Tell a reseller's own customer of what the reseller passes on, under the reseller's name; the letter's key.

    What the reseller writes stands on the page alone: our mail carries nobody's words to an address of their choice.
    """
    desk = desk.speaking_to(get_customer(reseller))
    facts = _facts(desk, language=language, name=name, case=case, by=brand, by_contact=contact)
    return _send(LetterKind.PASSED_ON, facts=facts, to=to, link=f"{FORWARD}{number}", desk=desk, at=at, by=by)


def tell_passed_on_answered(case: str, *, reseller: str, by: str, desk: Desk, at: datetime) -> str | None:
    """Tell a reseller that their customer has answered; the letter's key, or None where nobody can be written to.

    It goes to the contact on record: whoever passed the case on may have left, and the letter's link opens it.
    """
    customer = get_customer(reseller)
    to = customer.representative if customer is not None else None
    if to is None:
        return None
    desk = desk.speaking_to(customer)
    facts = _facts(desk, language=to.language, name=to.name, case=case, by=by)
    return _send(LetterKind.PASSED_ON_ANSWERED, facts=facts, to=to.email, link=None, desk=desk, at=at, by=by, case=case)


def _facts(desk: Desk, *, name: str = "", **more: Any) -> LetterFacts:
    return LetterFacts(operator=desk.operator, abuse_contact=desk.abuse_address, representative=name, **more)


def _reached_how(one: Representative, *, at: datetime) -> str:
    """A contact in a letter, with by what letters to them are closed: another's key of the same kind is seen."""
    keys = (("OpenPGP", one.openpgp_key, check_openpgp), ("S/MIME", one.smime_certificate, check_smime))
    by = [f"({name}) {_fingerprint(key, check, at=at)}".rstrip() for name, key, check in keys if key]
    return " ".join([f"{one.name} <{one.email}>", *by])


def _fingerprint(key: str, check: Callable[..., str], *, at: datetime) -> str:
    """What a key is known by; empty of one that is no use any more."""
    try:
        return check(key, at=at).partition(" ")[0]
    except UselessKey:
        return ""


def _named(customer: Customer) -> str:
    return f"{customer.name} ({customer.key})"


def _send(
    kind: LetterKind, *, facts: LetterFacts, to: str, link: str | None, desk: Desk, at: datetime, by: str,
    case: str | None = None, step: str = "", keys: MailKeys | None = None,
) -> str:  # fmt: skip
    key = queue_letter(
        kind, once=f"{kind}:{link or to}:{at.isoformat()}:{step}"[:255], to=to, log_in=link, case=case, report=None,
        draft=compose(kind, facts=facts), at=at, actor=f"customer ({by})", held=not desk.mail_out_ready,
        brand=desk.brand, keys=keys,
    )  # fmt: skip
    desk.enqueue("letters", "all")
    return key
