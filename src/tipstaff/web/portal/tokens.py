"""Tokens by which a customer's programs ask in the name of one of their people, within what that person may do now.

What the person's role does not allow, no scope allows; whom nobody lets in any more asks in vain, and of a customer who
let them in only after it was made a token opens nothing. It is shown once, and kept as a digest only.
"""

import enum
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from tipstaff.procedures.portal import note_portal_change

from ..models import PortalPerson, PortalToken
from ..said import Sentence
from ..tokens import DAYS_MAX, NAME, digest_of, note_use, standing
from .people import customers_of

PREFIX = "tipstaffown_"
"""What every such token begins with, so that whoever looks for leaked secrets finds it."""
TOKENS_MAX = 20


class OwnScope(enum.StrEnum):
    """What a token may be used for."""

    READ = "read"
    """Accounts, cases and measures."""
    ANSWER = "answer"
    """Answers to cases."""
    WEBHOOKS = "webhooks"
    """Webhooks of accounts that their person manages."""
    KEYS = "keys"
    """The person's own keys for their letters: given, never taken back."""


class NotMade(Sentence):
    """A token cannot be made so; the message says why."""


def make(
    name: str, *, person: PortalPerson, scopes: Iterable[str], days: int, at: datetime
) -> tuple[PortalToken, str]:  # fmt: skip
    """The token's row, and the token itself, which nobody can say again. Raise NotMade."""
    given = set(scopes)
    wanted = [scope.value for scope in OwnScope if scope.value in given]
    if not wanted or not NAME.fullmatch(name) or not 1 <= days <= DAYS_MAX:
        raise NotMade("Give a name of letters and digits, what it may do, and 1 to {days} days.", days=DAYS_MAX)
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic():
        PortalPerson.objects.select_for_update().get(pk=person.pk)  # Two at once count one another.
        if len([token for token in tokens_of(person) if token.stands(at)]) >= TOKENS_MAX:
            raise NotMade("There are {count} already; revoke one first.", count=TOKENS_MAX)
        row = PortalToken.objects.create(
            key=key, digest=digest_of(secret), person=person, name=name, scopes=wanted, made_at=at,
            expires_at=at + timedelta(days=days),
        )  # fmt: skip
        _note("portal.token_made", row, at=at, scopes=wanted)
    return row, f"{PREFIX}{key}_{secret}"


def tokens_of(person: PortalPerson) -> list[PortalToken]:
    """All of somebody's, newest first."""
    return list(PortalToken.objects.filter(person=person).order_by("-id")[:200])


def revoke(key: str, *, person: PortalPerson, at: datetime) -> str | None:
    """End a token of one's own; its name, or None where there is none such."""
    with transaction.atomic():
        row = PortalToken.objects.select_for_update().filter(key=key, person=person, revoked_at=None).first()
        if row is None:
            return None
        row.revoked_at = at
        row.save(update_fields=["revoked_at"])
        _note("portal.token_revoked", row, at=at)
    return row.name


def use(text: str, *, at: datetime) -> PortalToken | None:
    """The token, if it stands and its person is let in by somebody still."""
    row = standing(text, PortalToken.objects.select_related("person"), prefix=PREFIX, at=at)
    if row is None:
        return None
    row.person.shown_at = row.made_at
    if not customers_of(row.person):
        return None
    note_use(row, at=at)
    return row


def _note(what: str, row: PortalToken, *, at: datetime, **more: object) -> None:
    for customer in customers_of(row.person):
        note_portal_change(
            what, customer=customer, at=at, actor=f"customer ({row.person.email})", token=row.key, name=row.name, **more
        )  # fmt: skip
