"""A first log-in without a password in any file: a one-time link by which a person sets their own."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from tipstaff.procedures.staffing import PROGRAMS, note_staff_change
from tipstaff.words import Role

from .factors import forget_factors
from .models import FirstLink
from .roles import give_roles
from .sessions import end_sessions, staff

LASTS = timedelta(hours=24)
FIRST_ROLES = frozenset({Role.ADMINISTRATOR, Role.LEAD})
"""Whoever starts Tipstaff must be able to add staff and to see what it does."""


class FirstLinkGone(Exception):
    """This link was used already, has expired or was never made; ask for a new one."""


class NameOfAProgram(ValueError):
    """No person is called what a program is called in the record; the message names it."""


NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,40}")
"""Log-in names that are given out here."""


def has_account(name: str) -> bool:
    return User.objects.filter(username=name).exists()


def needs_first() -> bool:
    """True while no administrator can log in."""
    heads = User.objects.filter(is_active=True, groups__name=Role.ADMINISTRATOR.value)
    return not any(user.has_usable_password() for user in heads)


def forget_factors_of(name: str, *, at: datetime, actor: str) -> int:
    """Take all second factors of `name` away, and end every session; how many factors there were."""
    user = User.objects.get(username=name)
    count = forget_factors(staff(user))
    end_sessions(staff(user))
    note_staff_change("staff.factors_forgotten", name=name, at=at, actor=actor, count=count)
    return count


def make_first_token(
    *, name: str = "admin", roles: Iterable[Role] = FIRST_ROLES, at: datetime, actor: str, lasts: timedelta = LASTS
) -> str:
    """Make the user `name` if there is none, and a one-time token for `/first/<token>`. Older ones stop working.

    `actor` stands in the record as who made it: whoever holds the link can be that person once.
    """
    if name in PROGRAMS:
        raise NameOfAProgram(f"{name} is what a program is called in the record; choose another name.")
    with transaction.atomic():
        user, made = User.objects.get_or_create(username=name)
        if made:
            user.set_unusable_password()
            user.save()
            give_roles(user, frozenset(roles))
            note_staff_change("staff.added", name=name, roles=roles, at=at, actor=actor)
        token = secrets.token_urlsafe(24)
        FirstLink.objects.filter(user=user, used_at=None).delete()
        FirstLink.objects.create(digest=_digest(token), user=user, made_at=at, expires_at=at + lasts)
        note_staff_change("staff.link_made", name=name, at=at, actor=actor)
    return token


def check_first_token(token: str, *, at: datetime) -> str:
    """The user name that the token is for; raise FirstLinkGone."""
    found = (
        FirstLink.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=at).select_related("user").first()
    )
    if found is None or not found.user.is_active:
        raise FirstLinkGone
    return found.user.username


def use_first_token(token: str, *, password: str, at: datetime) -> User:
    """Set the password and spend the token; raise FirstLinkGone, or ValidationError for a weak password."""
    with transaction.atomic():
        found = (
            FirstLink.objects.select_for_update(of=("self",))
            .filter(digest=_digest(token), used_at=None, expires_at__gt=at)
            .select_related("user")
            .first()
        )
        if found is None or not found.user.is_active:
            raise FirstLinkGone
        validate_password(password, found.user)
        found.user.set_password(password)
        found.user.save()
        found.used_at = at
        found.save()
        name = found.user.username
        note_staff_change("staff.password_set", name=name, at=at, actor=name)
        return found.user


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
