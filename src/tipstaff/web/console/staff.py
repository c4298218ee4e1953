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
from ..first import NAME, forget_factors_of, make_first_token
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


@require_safe
@needs(Ability.MANAGE_STAFF)
def staff(request: StaffRequest) -> HttpResponse:
    return _page(request, link=None)


@require_POST
@needs(Ability.MANAGE_STAFF)
def add(request: StaffRequest) -> HttpResponse:
    """Add a colleague and show a one-time link by which they set their password."""
    name = asked_text(request.POST, "name").lower()
    if not NAME.fullmatch(name):
        messages.error(request, "A log-in name has small letters, digits, dots and dashes, 2 to 41 of them.")
        return redirect("console:staff")
    if name in PROGRAMS:
        messages.error(request, f"{name} is what a program is called in the record; choose another name.")
        return redirect("console:staff")
    if User.objects.filter(username=name).exists():
        messages.error(request, f"{name} is there already.")
        return redirect("console:staff")
    roles = _asked_roles(request)
    return _page(request, link=_link(request, name, roles))


@require_POST
@needs(Ability.MANAGE_STAFF)
def change(request: StaffRequest, id: int) -> HttpResponse:
    """Change roles, make a new one-time link, end sessions, take factors away, or switch an account on or off."""
    person = User.objects.filter(pk=id).first()
    if person is None:
        raise Http404(str(id))
    wanted = request.POST.get("do")
    self_change = person.pk == request.user.pk
    if wanted == "link":
        return _page(request, link=_link(request, person.username, frozenset()))
    if wanted == "roles":
        roles = _asked_roles(request)
        if self_change and Role.ADMINISTRATOR not in roles:
            messages.error(request, "You cannot take the administrator's role from yourself.")
        else:
            with transaction.atomic():
                give_roles(person, roles)
                _on_record(request, "staff.roles_changed", name=person.username, roles=roles)
            messages.success(request, f"The roles of {person.username} are saved.")
    elif wanted == "sessions":
        count = end_sessions(who_is(person), but=request.session.session_key)
        _on_record(request, "staff.sessions_ended", name=person.username, count=count)
        messages.success(request, f"{person.username} is logged out everywhere{' else' if self_change else ''}.")
    elif wanted == "factors":
        if self_change:
            messages.error(request, "Another administrator does that for you; your own page adds and takes away.")
        else:
            # Whoever has the lost device may hold a session as well.
            forget_factors_of(person.username, at=wiring.now(), actor=request.user.get_username())
            messages.success(request, f"The second factors of {person.username} are taken away.")
    elif wanted in ("on", "off"):
        if self_change:
            messages.error(request, "You cannot switch yourself off.")
        else:
            person.is_active = wanted == "on"
            with transaction.atomic():
                person.save(update_fields=["is_active"])
                _on_record(request, f"staff.switched_{wanted}", name=person.username)
            messages.success(request, f"{person.username} is switched {wanted}.")
    return redirect("console:staff")


def _asked_roles(request: HttpRequest) -> frozenset[Role]:
    asked = set(request.POST.getlist("role"))
    return frozenset(role for role in STAFF_ROLES if role.value in asked)


def _link(request: StaffRequest, name: str, roles: frozenset[Role]) -> OneTimeLink:
    token = make_first_token(name=name, roles=roles, at=wiring.now(), actor=request.user.get_username())
    return OneTimeLink(name=name, url=f"{wiring.settings().public_url}/first/{quote(token)}")


def _on_record(
    request: StaffRequest, what: str, *, name: str, roles: frozenset[Role] | None = None, **detail: object
) -> None:
    actor = request.user.get_username()
    note_staff_change(what, name=name, roles=roles or (), at=wiring.now(), actor=actor, **detail)


def _page(request: StaffRequest, *, link: OneTimeLink | None) -> HttpResponse:
    people = [
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
    return show_console(
        request,
        "tipstaff/console/staff.html",
        here="",
        staff=people,
        roles=STAFF_ROLES,
        link=link,
        table=[(ability, [ability in ABILITIES[role] for role in STAFF_ROLES]) for ability in Ability],
    )
