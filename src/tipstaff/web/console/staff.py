"""Accounts of staff: who may log in, and in which roles."""

from dataclasses import dataclass
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures.staffing import PROGRAMS, note_staff_change
from tipstaff.words import STAFF_ROLES, Role

from ..asked import asked_text
from ..factors import factors_of
from ..first import NAME, forget_factors_of, has_account, make_first_token
from ..roles import ABILITIES, Ability, StaffRequest, give_roles, needs
from ..sessions import end_sessions, sessions_of
from ..sessions import staff as who_is
from .page import show_console


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One member of staff."""

    id: int
    name: str
    active: bool
    set_up: bool
    roles: tuple[tuple[Role, bool], ...]
    factors: int
    """How many passkeys and code apps they have."""
    sessions: int
    """How many of their log-ins stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeLink:
    """A link that is shown once."""

    name: str
    url: str


class NotForStaff(ValueError):
    """An account cannot be changed so; the message says why."""


class NoSuchPerson(LookupError):
    """There is no such account."""


CHANGES = ("link", "roles", "sessions", "factors", "on", "off")
"""What may be done to an account: a new one-time link, its roles, its log-ins ended, its factors taken away, and
switched on or off."""


@require_safe
@needs(Ability.MANAGE_STAFF)
def staff(request: StaffRequest) -> HttpResponse:
    return _page(request, link=None)


@require_POST
@needs(Ability.MANAGE_STAFF)
def add(request: StaffRequest) -> HttpResponse:
    """Add a colleague and show a one-time link by which they set their password."""
    try:
        link = add_colleague(asked_text(request.POST, "name"), roles=_asked_roles(request), by=request)
    except NotForStaff as why:
        messages.error(request, str(why))
        return redirect("console:staff")
    return _page(request, link=link)


@require_POST
@needs(Ability.MANAGE_STAFF)
def change(request: StaffRequest, id: int) -> HttpResponse:
    """Change roles, make a new one-time link, end sessions, take factors away, or switch an account on or off."""
    try:
        done = change_colleague(id, asked_text(request.POST, "do"), roles=_asked_roles(request), by=request)
    except NoSuchPerson as why:
        raise Http404(str(id)) from why
    except NotForStaff as why:
        messages.error(request, str(why))
        return redirect("console:staff")
    if isinstance(done, OneTimeLink):
        return _page(request, link=done)
    messages.success(request, done)
    return redirect("console:staff")


def add_colleague(name: str, *, roles: frozenset[Role], by: StaffRequest) -> OneTimeLink:
    """Make the account, and the link by which its owner sets a password; raise NotForStaff in a sentence."""
    name = name.lower()
    if not NAME.fullmatch(name):
        raise NotForStaff("A log-in name has small letters, digits, dots and dashes, 2 to 41 of them.")
    if name in PROGRAMS:
        raise NotForStaff(f"{name} is what a program is called in the record; choose another name.")
    if has_account(name):
        raise NotForStaff(f"{name} is there already.")
    return _link(name, roles, by=by)


def change_colleague(id: int, do: str, *, roles: frozenset[Role], by: StaffRequest) -> str | OneTimeLink:
    """Do one of CHANGES to an account; what was done in a sentence, or the link. Raise NotForStaff or NoSuchPerson."""
    person = User.objects.filter(pk=id).first()
    if person is None:
        raise NoSuchPerson(str(id))
    name, me = person.username, person.pk == by.user.pk
    if do == "link":
        return _link(name, frozenset(), by=by)
    if do == "roles":
        if me and Role.ADMINISTRATOR not in roles:
            raise NotForStaff("You cannot take the administrator's role from yourself.")
        with transaction.atomic():
            give_roles(person, roles)
            _on_record("staff.roles_changed", name=name, roles=roles, by=by)
        return f"The roles of {name} are saved."
    if do == "sessions":
        count = end_sessions(who_is(person), but=by.session.session_key)
        _on_record("staff.sessions_ended", name=name, count=count, by=by)
        return f"{name} is logged out everywhere{' else' if me else ''}."
    if do == "factors":
        if me:
            raise NotForStaff("Another administrator does that for you; your own page adds and takes away.")
        # Whoever has the lost device may hold a session as well.
        forget_factors_of(name, at=wiring.now(), actor=by.user.get_username())
        return f"The second factors of {name} are taken away."
    if do in ("on", "off"):
        if me:
            raise NotForStaff("You cannot switch yourself off.")
        person.is_active = do == "on"
        with transaction.atomic():
            person.save(update_fields=["is_active"])
            _on_record(f"staff.switched_{do}", name=name, by=by)
        return f"{name} is switched {do}."
    raise NotForStaff(f"To an account one does {', '.join(CHANGES)}.")


def _asked_roles(request: HttpRequest) -> frozenset[Role]:
    asked = set(request.POST.getlist("role"))
    return frozenset(role for role in STAFF_ROLES if role.value in asked)


def _link(name: str, roles: frozenset[Role], *, by: StaffRequest) -> OneTimeLink:
    token = make_first_token(name=name, roles=roles, at=wiring.now(), actor=by.user.get_username())
    return OneTimeLink(name=name, url=f"{wiring.settings().public_url}/first/{quote(token)}")


def _on_record(
    what: str, *, name: str, by: StaffRequest, roles: frozenset[Role] | None = None, **detail: object
) -> None:
    note_staff_change(what, name=name, roles=roles or (), at=wiring.now(), actor=by.user.get_username(), **detail)


def everybody() -> list[Person]:
    """All accounts of staff, by name."""
    return [
        Person(
            id=user.pk,
            name=user.username,
            active=user.is_active,
            set_up=user.has_usable_password(),
            roles=tuple((role, role.value in {g.name for g in user.groups.all()}) for role in STAFF_ROLES),
            factors=len(factors_of(who_is(user))),
            sessions=len(sessions_of(who_is(user), mine=None)),
        )
        for user in User.objects.order_by("username").prefetch_related("groups")
    ]


def _page(request: StaffRequest, *, link: OneTimeLink | None) -> HttpResponse:
    return show_console(
        request,
        "tipstaff/console/staff.html",
        here="",
        staff=everybody(),
        roles=STAFF_ROLES,
        link=link,
        table=[(ability, [ability in ABILITIES[role] for role in STAFF_ROLES]) for ability in Ability],
    )
