"""Who of a customer's may log in at the portal, and what each may see and do there.

The contacts that the registry names for complaints may do everything for their customer; they let colleagues in. It
is looked up at each request: whom the registry names no more, or a colleague lets out, is out at once. Whoever is let
in again is as anybody new: what they logged in with before opens nothing. Who may do something for a reseller may do
it for the accounts below.
"""

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.http import HttpRequest

from tipstaff import wiring
from tipstaff.host.envelopes import UselessKey
from tipstaff.notices.closing import NO_KEYS, usable
from tipstaff.procedures.acceptance import note_portal_log_in
from tipstaff.procedures.hooks import switch_off_of
from tipstaff.procedures.portal import note_portal_change, send_log_in_link
from tipstaff.registry.queries import (
    accounts_above,
    get_customer,
    mail_keys_of,
    representatives_of,
    represented_by,
    represented_since,
)
from tipstaff.words import Representative, Webhook

from ..brands import brand_of
from ..factors import factors_of, forget_factors
from ..models import Membership, PersonLink, PortalPerson, PortalToken
from ..said import Sentence
from ..sessions import end_sessions, entered_at, person_in, sessions_of

MAIL_ADDRESS = re.compile(r"[^\s@<>,;\"\x00-\x1f]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z0-9-]{2,63}")
LINK_EVERY = timedelta(minutes=5)
ADDRESS_CHARACTERS_MAX = 139
"""Whoever does something stands on record as `customer (address)`, in 150 characters."""
MEMBERS_MAX = 50


class PortalRole(enum.StrEnum):
    """What somebody may do for a customer, the least first."""

    READS = "reads"
    """See cases and measures."""
    ANSWERS = "answers"
    """Answer as well."""
    MANAGES = "manages"
    """Let colleagues in and out as well."""


_ORDER = list(PortalRole)


class NotInvited(Sentence):
    """Somebody cannot be let in so; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colleague:
    """Somebody who was let in by a colleague."""

    id: int
    email: str
    role: PortalRole
    invited_by: str
    entered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who logs in for a customer, as the desk sees it."""

    email: str
    role: PortalRole
    factors: int
    sessions: int
    tokens: int
    """Their programs' keys that are good still."""
    invited_by: str


def who(person: int) -> str:
    """How somebody is called in factors and sessions."""
    return f"person:{person}"


def find_person(id: int | None) -> PortalPerson | None:
    return PortalPerson.objects.filter(pk=id).first() if id is not None else None


def person_here(request: HttpRequest) -> PortalPerson | None:
    """Which of the customers' people is logged in, with what their log-in opens."""
    person = find_person(person_in(request))
    if person is not None:
        person.shown_at = entered_at(request)
    return person


def roles_of(person: PortalPerson) -> Mapping[str, PortalRole]:
    """The customers for whom somebody may do something themselves; empty for whom nobody lets in any more.

    Of somebody who is here by a log-in, link or token, only those who have let them in all the time since it was made.
    """
    return {
        customer: role
        for customer, (role, since) in _let_in(person).items()
        if person.shown_at is None or since <= person.shown_at
    }


def _let_in(person: PortalPerson) -> dict[str, tuple[PortalRole, datetime]]:
    """For each customer: what they may do, and since when they have been let in without a gap."""
    rows = Membership.objects.filter(person=person, ended_at=None)
    found = {row.customer: (PortalRole(row.role), row.made_at) for row in rows}
    for customer, since in represented_since(person.email).items():
        # A colleague who became a contact, or had been one before, was never out meanwhile.
        _, before = found.get(customer, (None, since))
        found[customer] = PortalRole.MANAGES, min(since, before)
    return found


def forget_what_is_stale(person: PortalPerson, *, at: datetime) -> bool:
    """Take away the factors and tokens of a time after which nobody let them in for a while: the mailbox may be
    another's by now. True when there were factors; whoever reads the mailbox adds new ones, as anybody new does.
    """
    let_in = _let_in(person)
    since = min((since for _, since in let_in.values()), default=None)
    if since is None:
        return False
    links, stale = PersonLink.objects.filter(person=person, made_at__lt=since), _is_stale(person, since=since)
    with transaction.atomic():
        count = forget_factors(who(person.pk)) + links.delete()[0] if stale else 0
        for customer in sorted(let_in):
            _end_tokens(person, customer=customer, at=at, actor="worker", made_before=since)
            if stale:
                note_portal_change(
                    "portal.factors_forgotten", customer=customer, at=at, actor="worker", email=person.email,
                    count=count,
                )  # fmt: skip
        _end_webhooks(person, still=lambda hook: hook.made_at >= since, at=at, actor="worker")
    return stale


def _is_stale(person: PortalPerson, *, since: datetime) -> bool:
    """Whether anything that somebody logs in with is of a time before `since`."""
    links = PersonLink.objects.filter(person=person, made_at__lt=since)
    return links.exists() or any(factor.made_at < since for factor in factors_of(who(person.pk)))


def note_use(person: PortalPerson, *, at: datetime) -> None:
    """Whoever a customer lets answer in its name uses our services for it; who only reads binds nobody."""
    acting = [key for key, role in roles_of(person).items() if may(role, PortalRole.ANSWERS)]
    note_portal_log_in(acting, by=person.email, desk=wiring.desk(), at=at)


def customers_of(person: PortalPerson) -> list[str]:
    """The customers for whom somebody may do something themselves."""
    return sorted(roles_of(person))


def contacts_of(person: PortalPerson) -> list[Representative]:
    """The contacts on record that somebody is, one for each customer."""
    chains = (representatives_of(key) for key in represented_by(person.email))
    return [contact for chain in chains for contact in chain if contact.email.lower() == person.email]


def role_on(person: PortalPerson, customer: str) -> PortalRole | None:
    """What somebody may do for a customer: by themselves, or as somebody of a reseller above; None is nothing."""
    own = roles_of(person)
    above = [account.key for account in accounts_above(customer)]
    return max((own[key] for key in (customer, *above) if key in own), key=_ORDER.index, default=None)


def may(role: PortalRole | None, needed: PortalRole) -> bool:
    return role is not None and _ORDER.index(role) >= _ORDER.index(needed)


def ask_for_link(email: str, *, brand: str = "", at: datetime) -> None:
    """Send a link to an address that may log in; nothing to any other, and nobody is told which it was. Whose accounts
    are under several brands hears from the one whose page was asked.

    An address gets one link in five minutes, however often it is asked for.
    """
    email = email.lower()
    if not _can_be_named(email):
        return
    person = PortalPerson.objects.filter(email=email).first()
    if person is None and represented_by(email):
        person, _ = PortalPerson.objects.get_or_create(email=email, defaults={"made_at": at})
    if person is not None and (own := roles_of(person)):
        customer = min(own, key=lambda key: (brand_of(key) != brand, key))
        _send(person, customer=customer, at=at, actor=f"customer ({email})")


def _can_be_named(email: str) -> bool:
    return MAIL_ADDRESS.fullmatch(email) is not None and len(email) <= ADDRESS_CHARACTERS_MAX


def _send(person: PortalPerson, *, customer: str, at: datetime, actor: str) -> None:
    with transaction.atomic():
        row = PortalPerson.objects.select_for_update().get(pk=person.pk)
        if row.link_made_at is not None and at - row.link_made_at < LINK_EVERY:
            return
        contact = next((c for c in representatives_of(customer) if c.email.lower() == row.email), None)
        row.language = contact.language if contact is not None else row.language
        row.links, row.link_made_at = row.links + 1, at
        row.save(update_fields=["language", "links", "link_made_at"])
        send_log_in_link(
            row.email, customer=customer, name=contact.name if contact is not None else "", language=row.language,
            log_in=f"{row.pk}-{row.links}", desk=wiring.desk(), at=at, actor=actor,
            keys=NO_KEYS if _is_locked_out(row, at=at) else None,
        )  # fmt: skip


def _is_locked_out(person: PortalPerson, *, at: datetime) -> bool:
    """Whether a link would wait for good: the keys of before have run out, and only who is in gives a new one.

    It goes unclosed then, if a second factor is asked of whoever opens it. It says nothing of a case, and without the
    factor it opens nothing; where there is none, or one of before a time in which nobody let them in, it waits.
    """
    try:
        usable(mail_keys_of(person.email), at=at)
    except UselessKey:
        since = min((since for _, since in _let_in(person).values()), default=at)
        return bool(factors_of(who(person.pk))) and not _is_stale(person, since=since)
    return False


def person_of_link(log_in: str) -> PortalPerson | None:
    """Whose link that is, if it is their last one and was not used."""
    id, _, number = log_in.partition("-")
    person = PortalPerson.objects.filter(pk=int(id), links=int(number), link_made_at__isnull=False).first()
    if person is not None:
        person.shown_at = person.link_made_at
    return person


def use_link(log_in: str, *, at: datetime) -> bool:
    """Spend a link; False when it was spent meanwhile."""
    id, _, number = log_in.partition("-")
    rows = PortalPerson.objects.filter(pk=int(id), links=int(number), link_made_at__isnull=False)
    return bool(rows.update(link_made_at=None, entered_at=at))


def colleagues_of(customer: str) -> list[Colleague]:
    rows = Membership.objects.filter(customer=customer, ended_at=None).select_related("person").order_by("id")
    return [
        Colleague(
            id=row.pk, email=row.person.email, role=PortalRole(row.role), invited_by=row.invited_by,
            # A log-in before that was for another customer, and no business of this one's.
            entered=row.person.entered_at is not None and row.person.entered_at >= row.made_at,
        )
        for row in rows
    ]  # fmt: skip


def invite(email: str, *, customer: str, role: PortalRole, by: PortalPerson, at: datetime) -> None:
    """Let somebody in, and send them a link; who is in already gets the role. Raise NotInvited."""
    email = email.lower()
    if not _can_be_named(email):
        raise NotInvited("That is no mail address.")
    if customer in represented_by(email):
        raise NotInvited("That address stands among your contacts for complaints, and may do everything already.")
    assert get_customer(customer) is not None, customer
    with transaction.atomic():
        if Membership.objects.filter(customer=customer, ended_at=None).count() >= MEMBERS_MAX:
            raise NotInvited("There are {count} already; let somebody out first.", count=MEMBERS_MAX)
        person, _ = PortalPerson.objects.get_or_create(
            email=email, defaults={"made_at": at, "language": by.language}
        )  # fmt: skip
        rows = Membership.objects.filter(person=person, customer=customer, ended_at=None)
        since = rows.values_list("made_at", flat=True).first() or at
        rows.update(ended_at=at)
        Membership.objects.create(person=person, customer=customer, role=role, invited_by=by.email, made_at=since)
        actor = f"customer ({by.email})"
        note_portal_change("portal.let_in", customer=customer, at=at, actor=actor, email=email, role=role.value)
        _end_webhooks(person, still=_manages(person), at=at, actor=actor)  # They may have managed it before.
        _send(person, customer=customer, at=at, actor=actor)


def let_out(id: int, *, customer: str, at: datetime, actor: str) -> str | None:
    """Take somebody's role for a customer away; sessions and tokens of whom nobody lets in any more end, so that they
    are not good again when somebody lets them in later. Their address, or None if it was gone."""
    with transaction.atomic():
        row = Membership.objects.select_related("person").filter(pk=id, customer=customer, ended_at=None).first()
        if row is None:
            return None
        row.ended_at = at
        row.save(update_fields=["ended_at"])
        if not roles_of(row.person):
            end_sessions(who(row.person.pk))
            _end_tokens(row.person, customer=customer, at=at, actor=actor)
        _end_webhooks(row.person, still=_manages(row.person), at=at, actor=actor)
        note_portal_change("portal.let_out", customer=customer, at=at, actor=actor, email=row.person.email)
    return row.person.email


def visitors_of(customer: str, *, at: datetime) -> list[Visitor]:
    """Who has logged in for a customer, or was let in: the contacts on record first."""
    contacts = [contact.email.lower() for contact in representatives_of(customer)]
    invited = {colleague.email: colleague for colleague in colleagues_of(customer)}
    people = PortalPerson.objects.filter(email__in=[*contacts, *invited])
    return [
        Visitor(
            email=person.email,
            role=invited[person.email].role if person.email not in contacts else PortalRole.MANAGES,
            factors=len(factors_of(who(person.pk))) + PersonLink.objects.filter(person=person).count(),
            sessions=len(sessions_of(who(person.pk), mine=None)),
            tokens=PortalToken.objects.filter(person=person, revoked_at=None, expires_at__gt=at).count(),
            invited_by=invited[person.email].invited_by if person.email not in contacts else "",
        )
        for person in sorted(people, key=lambda each: (each.email not in contacts, each.email))
    ]


def forget(email: str, *, customer: str, at: datetime, actor: str) -> bool:
    """Take away what somebody of a customer's logs in with, the last link and their programs' tokens too, and switch
    off their webhooks: whoever holds the one may have made the other. False where there is nobody such."""
    person = PortalPerson.objects.filter(email=email.lower()).first()
    if person is None or person.email not in {visitor.email for visitor in visitors_of(customer, at=at)}:
        return False
    with transaction.atomic():
        count = forget_factors(who(person.pk)) + PersonLink.objects.filter(person=person).delete()[0]
        end_sessions(who(person.pk))
        PortalPerson.objects.filter(pk=person.pk).update(link_made_at=None)
        _end_tokens(person, customer=customer, at=at, actor=actor)
        _end_webhooks(person, still=lambda _: False, at=at, actor=actor)
        note_portal_change(
            "portal.factors_forgotten", customer=customer, at=at, actor=actor, email=person.email, count=count
        )  # fmt: skip
    return True


def _end_tokens(
    person: PortalPerson, *, customer: str, at: datetime, actor: str, made_before: datetime | None = None
) -> None:  # fmt: skip
    PortalPerson.objects.select_for_update().get(pk=person.pk)  # As whoever makes one does.
    rows = PortalToken.objects.select_for_update().filter(person=person, revoked_at=None).order_by("pk")
    for row in rows if made_before is None else rows.filter(made_at__lt=made_before):
        row.revoked_at = at
        row.save(update_fields=["revoked_at"])
        note_portal_change(
            "portal.token_revoked", customer=customer, at=at, actor=actor, email=person.email, token=row.key,
            name=row.name,
        )  # fmt: skip


def _manages(person: PortalPerson) -> Callable[[Webhook], bool]:
    return lambda hook: may(role_on(person, hook.customer), PortalRole.MANAGES)


def _end_webhooks(person: PortalPerson, *, still: Callable[[Webhook], bool], at: datetime, actor: str) -> None:
    why = "Who made it may not manage the account any more, or what they logged in with was taken away."
    switch_off_of(person.email, still=still, why=why, at=at, actor=actor)
