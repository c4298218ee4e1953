"""Turns a template into a page, with what every page needs beside it."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from tipstaff import wiring

from .roles import Ability, may, roles_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """One entry of the console's main menu."""

    label: str
    url: str
    key: str
    current: bool
    count: int = 0


_NAV: tuple[tuple[str, str, str, Ability], ...] = (
    ("Inbox", "console:inbox", "i", Ability.SEE_DESK),
    ("Cases", "console:cases", "c", Ability.SEE_DESK),
    ("Reports", "console:reports", "r", Ability.SEE_DESK),
    ("Customers", "console:customers", "u", Ability.SEE_DESK),
    ("Measures", "console:measures", "m", Ability.SEE_MEASURES),
    ("Policy", "console:policy", "p", Ability.SEE_POLICY),
    ("Record", "console:record", "l", Ability.SEE_RECORD),
    ("Sealed", "console:sealed", "s", Ability.SEE_SEALED),
    ("Health", "console:health", "h", Ability.SEE_HEALTH),
)


def show_page(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    """A public page, or a fragment of any page."""
    context.setdefault("at", wiring.now())
    return render(request, template, {"operator": settings.TIPSTAFF.operator, **context}, status=status)


def show_console(
    request: HttpRequest,
    template: str,
    *,
    here: str,
    status: int = 200,
    waiting: Callable[[], int] = lambda: 0,
    **context: object,
) -> HttpResponse:
    """A page of the console. `here` is the menu entry that it belongs to; `waiting` counts the inbox."""
    nav = [
        NavItem(
            label=label,
            url=reverse(name),
            key=key,
            current=name == here,
            count=waiting() if name == "console:inbox" else 0,
        )
        for label, name, key, ability in _NAV
        if may(request.user, ability)
    ]
    return show_page(request, template, status=status, nav=nav, my_roles=roles_in_words(request.user), **context)


def roles_in_words(user: User | AnonymousUser) -> str:
    return ", ".join(sorted(role.value for role in roles_of(user)))
