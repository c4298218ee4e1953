"""A page of the console: its menu, with how much waits in the inbox, around a template."""

from contextlib import nullcontext
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from tipstaff.host.viewing import hiding, is_looked

from ..eyes import hidden_from
from ..pages import show_page
from ..roles import Ability, may, roles_in_words
from .reads import Numbers, count_waiting


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
    ("Late", "console:levels", "t", Ability.SEE_DESK),
    ("Reports", "console:reports", "r", Ability.SEE_DESK),
    ("Customers", "console:customers", "u", Ability.SEE_DESK),
    ("Measures", "console:measures", "m", Ability.SEE_MEASURES),
    ("Policy", "console:policy", "p", Ability.SEE_POLICY),
    ("Overview", "console:overview", "o", Ability.SEE_DESK),
    ("Record", "console:record", "l", Ability.SEE_RECORD),
    ("Sealed", "console:sealed", "s", Ability.SEE_SEALED),
    ("Legal", "console:legal", "g", Ability.KEEP_LEGAL),
    ("Health", "console:health", "h", Ability.SEE_HEALTH),
)


def show_console(
    request: HttpRequest,
    template: str,
    *,
    here: str,
    status: int = 200,
    **context: object,
) -> HttpResponse:
    """A page of the console. `here` is the menu entry that it belongs to."""
    # After an act too, which is done with all that the desk knows; whoever only looks is asked about once.
    with nullcontext() if is_looked() else hiding(lambda: hidden_from(request.user)):
        nav = _nav(request, here=here, numbers=context.get("numbers"))
        return show_page(request, template, status=status, nav=nav, my_roles=roles_in_words(request.user), **context)


def _nav(request: HttpRequest, *, here: str, numbers: object) -> list[NavItem]:
    return [
        NavItem(
            label=label,
            url=reverse(name),
            key=key,
            current=name == here,
            count=_waiting(numbers) if name == "console:inbox" else 0,
        )
        for label, name, key, ability in _NAV
        if may(request.user, ability)
    ]


def _waiting(numbers: object) -> int:
    """How much waits in the inbox, where the page has not asked for it already."""
    return numbers.waiting if isinstance(numbers, Numbers) else count_waiting()
