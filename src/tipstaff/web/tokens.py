"""Tokens by which programs use the API: each acts in its owner's name, within the scopes that it was given.

What its owner's roles do not allow, no scope allows; an owner who is switched off takes the tokens along. The token is
shown once, and kept as a digest only.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from tipstaff.procedures.staffing import PROGRAMS, note_token_change

from .models import AnyToken, Token

_READ_ONLY = {("figures", "act"), ("record", "act")}
ROOMS = (
    "cases",
    "reports",
    "letters",
    "measures",
    "sightings",
    "registry",
    "figures",
    "webhooks",
    "record",
    "legal",
    "policy",
)
SCOPES = tuple(f"{room}:{what}" for room in ROOMS for what in ("read", "act") if (room, what) not in _READ_ONLY)
"""What a token may be given: to read a room of the API, or to act in it. Acting does not include reading."""
DAYS_MAX = 366
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")
PREFIX = "tipstaff_"
"""What every token begins with, so that whoever looks for leaked secrets finds it."""
USE_NOTED_EVERY = timedelta(minutes=1)
_FORM = r"([a-z0-9]{12})_([A-Za-z0-9_-]{43})"


class BadToken(ValueError):
    """A token cannot be made so; the message says what to change."""


class NoSuchToken(LookupError):
    """There is no such token, or it is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenShown:
    """A token as its owner sees it: everything but the token."""

    key: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str

    def stands(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at


def make_token(
    name: str, *, owner: str, scopes: Iterable[str], days: int, at: datetime, actor: str
) -> tuple[TokenShown, str]:
    """The token's record, and the token itself, which nobody can say again. Raise BadToken."""
    wanted = tuple(scope for scope in SCOPES if scope in set(given := list(scopes)))
    if unknown := sorted(set(given) - set(SCOPES)):
        raise BadToken(f"There is no scope {', '.join(unknown)}; scopes are {', '.join(SCOPES)}.")
    if not wanted:
        raise BadToken(f"A token takes at least one scope of {', '.join(SCOPES)}.")
    if not NAME.fullmatch(name):
        raise BadToken("A token's name has 1 to 60 letters, digits, blanks, dots and dashes; say what uses it.")
    if not 1 <= days <= DAYS_MAX:
        raise BadToken(f"A token lasts 1 to {DAYS_MAX} days.")
    user = User.objects.filter(username=owner, is_active=True).first()
    if user is None or owner in PROGRAMS:
        raise BadToken(f"Nobody called {owner!r} can log in here, so no token can act in that name.")
    key, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with transaction.atomic():
        row = Token.objects.create(
            key=key, digest=digest_of(secret), owner=user, name=name, scopes=list(wanted), made_at=at,
            expires_at=at + timedelta(days=days),
        )  # fmt: skip
        note_token_change(
            "token.made", key=key, owner=owner, at=at, actor=actor, name=name, scopes=wanted,
            expires_at=row.expires_at,
        )  # fmt: skip
    return _shown(row), f"{PREFIX}{key}_{secret}"


def list_tokens(*, owner: str | None = None) -> list[TokenShown]:
    """All tokens, or one owner's, newest first."""
    rows = Token.objects.select_related("owner").order_by("-id")
    return [_shown(row) for row in (rows.filter(owner__username=owner) if owner is not None else rows)[:1000]]


def revoke_token(key: str, *, owner: str | None = None, at: datetime, actor: str) -> TokenShown:
    """End a token, of `owner` alone if one is named; what is ended stays so. Raise NoSuchToken."""
    with transaction.atomic():
        rows = Token.objects.select_related("owner").select_for_update(of=("self",)).filter(key=key)
        row = (rows.filter(owner__username=owner) if owner is not None else rows).first()
        if row is None:
            raise NoSuchToken("There is no such token, or it is somebody else's.")
        if row.revoked_at is None:
            row.revoked_at, row.revoked_by = at, actor
            row.save(update_fields=["revoked_at", "revoked_by"])
            note_token_change("token.revoked", key=key, owner=row.owner.username, at=at, actor=actor, name=row.name)
    return _shown(row)


def use_token(text: str, *, at: datetime) -> tuple[User, TokenShown] | None:
    """Whose it is, and what it may; None for one unknown, revoked or expired, or whose owner is switched off."""
    row = standing(text, Token.objects.select_related("owner"), prefix=PREFIX, at=at)
    if row is None or not row.owner.is_active:
        return None
    note_use(row, at=at)
    return row.owner, _shown(row)


_T = TypeVar("_T", bound=AnyToken)


def standing(text: str, rows: QuerySet[_T], *, prefix: str, at: datetime) -> _T | None:
    """The row of a token, if `text` is all of it and it stands."""
    match = re.fullmatch(prefix + _FORM, text)
    row = rows.filter(key=match[1]).first() if match else None
    if match is None or row is None or not hmac.compare_digest(row.digest, digest_of(match[2])):
        return None
    return row if row.stands(at) else None


def note_use(row: AnyToken, *, at: datetime) -> None:
    """When it was used last; a program that asks a thousand times a minute does not write a thousand times."""
    kept = type(row)._default_manager.filter(Q(used_at=None) | Q(used_at__lt=at - USE_NOTED_EVERY), pk=row.pk)
    kept.update(used_at=at)


def _shown(row: Token) -> TokenShown:
    return TokenShown(
        key=row.key, name=row.name, owner=row.owner.username, scopes=tuple(row.scopes), made_at=row.made_at,
        expires_at=row.expires_at, used_at=row.used_at, revoked_at=row.revoked_at, revoked_by=row.revoked_by,
    )  # fmt: skip


def digest_of(secret: str) -> str:
    # 256 random bits: no salt and no slow hash makes them harder to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
