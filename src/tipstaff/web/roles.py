"""Which role may do what: one table, read by every view and shown on the staff page."""

import enum
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from tipstaff.policy.deciding import may_decide as decides
from tipstaff.words import STAFF_ROLES, Case, Role

from .sessions import is_strong


class Ability(enum.StrEnum):
    """One thing that a person may do here. The docstring is how the staff page says it."""

    SEE_DESK = "see cases, reports and customers"
    SEE_POLICY = "read the policy"
    SEE_MEASURES = "see measures and their proof"
    SEE_RECORD = "read and verify the record"
    SEE_HEALTH = "see how the programs are doing"
    SEE_SEALED = "see the sealed queue (digests and references only)"
    KEEP_LEGAL = "keep the legal register: requests of authorities, and what counsel alone reads"
    AGREE_LEGAL = "agree, as the second person, that a customer is named to somebody else"
    NOTE = "write notes and take cases"
    DECIDE = "set reports aside, and correct what was read of them"
    DECIDE_CASES = "decide, close and open again the cases that the policy leaves to a role that they hold"
    REVIEW = "review a dispute"
    PROPOSE_URGENT = "propose an urgent measure, a filter, that routes are refused, or that a service is suspended"
    SECOND_URGENT = "second such a measure that somebody else proposed"
    LIFT = "lift a measure"
    SEND_AGAIN = "send a letter again"
    KEEP_REGISTRY = "change customers and what they hold, and undo changes"
    ADMIT = "accept or refuse new customers"
    DRAFT_POLICY = "write a new edition of the policy"
    APPROVE_POLICY = "approve an edition that somebody else wrote"
    POST_POLICY = "announce and post an approved edition"
    KEEP_TOKENS = "make and revoke tokens by which programs act in one's own name"
    KEEP_WEBHOOKS = "say where events are sent"
    MANAGE_STAFF = "add staff and change roles"


_DESK = frozenset(
    {Ability.SEE_DESK, Ability.SEE_POLICY, Ability.SEE_MEASURES, Ability.SEE_RECORD, Ability.SEE_HEALTH}
) | {Ability.KEEP_TOKENS}

ABILITIES: Mapping[Role, frozenset[Ability]] = MappingProxyType(
    {
        Role.ANALYST: _DESK
        | {Ability.NOTE, Ability.DECIDE, Ability.DECIDE_CASES, Ability.REVIEW, Ability.PROPOSE_URGENT}
        | {Ability.SEND_AGAIN, Ability.KEEP_REGISTRY, Ability.ADMIT},
        Role.LEAD: _DESK
        | {Ability.NOTE, Ability.DECIDE, Ability.DECIDE_CASES, Ability.REVIEW, Ability.PROPOSE_URGENT}
        | {
            Ability.AGREE_LEGAL,
            Ability.SECOND_URGENT,
            Ability.LIFT,
            Ability.SEND_AGAIN,
            Ability.KEEP_REGISTRY,
            Ability.ADMIT,
        }
        | {Ability.DRAFT_POLICY, Ability.POST_POLICY, Ability.KEEP_WEBHOOKS},
        Role.COUNSEL: _DESK
        | {Ability.NOTE, Ability.DECIDE, Ability.DECIDE_CASES, Ability.REVIEW, Ability.SECOND_URGENT}
        | {Ability.SEE_SEALED, Ability.KEEP_LEGAL, Ability.AGREE_LEGAL, Ability.ADMIT}
        | {Ability.DRAFT_POLICY, Ability.APPROVE_POLICY, Ability.POST_POLICY},
        Role.ENGINEER: _DESK
        | {Ability.NOTE, Ability.DECIDE_CASES, Ability.REVIEW, Ability.PROPOSE_URGENT, Ability.SECOND_URGENT}
        | {Ability.LIFT, Ability.KEEP_REGISTRY, Ability.KEEP_WEBHOOKS},
        Role.ADMINISTRATOR: frozenset(
            {Ability.SEE_POLICY, Ability.SEE_RECORD, Ability.SEE_HEALTH, Ability.KEEP_TOKENS, Ability.MANAGE_STAFF}
        ),
    }
)
"""Administrators keep accounts, not cases: whoever needs both holds two roles."""


def roles_of(user: User | AnonymousUser) -> frozenset[Role]:
    """The roles that the user holds, from group names; nothing for who is not logged in or switched off."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    cached: frozenset[Role] | None = getattr(user, "_tipstaff_roles", None)
    if cached is None:
        names = set(user.groups.values_list("name", flat=True))
        cached = frozenset(role for role in STAFF_ROLES if role.value in names)
        user._tipstaff_roles = cached  # type: ignore[attr-defined]  # remembered for this request only
    return cached


def abilities_of(user: User | AnonymousUser) -> frozenset[Ability]:
    return frozenset().union(*(ABILITIES[role] for role in roles_of(user)))


def may(user: User | AnonymousUser, ability: Ability) -> bool:
    return ability in abilities_of(user)


def may_decide(user: User | AnonymousUser, case: Case) -> bool:
    """True when the user may decide `case`: some clauses leave that to one role, such as counsel or an engineer."""
    return may(user, Ability.DECIDE_CASES) and decides(roles_of(user), needed=case.decides)


def give_roles(user: User, roles: frozenset[Role]) -> None:
    """Make `roles` the user's roles, exactly."""
    assert roles <= set(STAFF_ROLES), roles
    user.groups.set([Group.objects.get_or_create(name=role.value)[0] for role in sorted(roles)])


def needs_factor(user: User | AnonymousUser) -> bool:
    """Whether the settings let the user do nothing without a second factor."""
    named = settings.TIPSTAFF.staff.second_factor_for
    return user.is_authenticated and ("*" in named or any(role.value in named for role in roles_of(user)))


def lacks_factor(request: HttpRequest) -> bool:
    """Whether this session was begun by less than the settings ask of its roles."""
    return needs_factor(request.user) and not is_strong(request)


class StaffRequest(HttpRequest):
    """A request whose user is logged in; only for type checkers."""

    user: User


_Rest = ParamSpec("_Rest")


def needs(
    ability: Ability,
) -> Callable[
    [Callable[Concatenate[StaffRequest, _Rest], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, _Rest], HttpResponseBase],
]:
    """Let a view run only for a logged-in person with `ability`."""

    def wrap(
        view: Callable[Concatenate[StaffRequest, _Rest], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, _Rest], HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if request.headers.get("HX-Request"):
                    # A fragment must not swallow the log-in page; the whole page goes there.
                    return HttpResponse(status=204, headers={"HX-Redirect": "/login"})
                return redirect_to_login(request.get_full_path())
            if lacks_factor(request):
                to = reverse("me:me")
                if request.headers.get("HX-Request"):
                    return HttpResponse(status=204, headers={"HX-Redirect": to})
                return HttpResponseRedirect(to)
            if not may(request.user, ability):
                raise PermissionDenied(ability.value)
            return view(request, *args, **kwargs)  # type: ignore[arg-type]  # the user was just checked

        guarded.needs_ability = ability  # type: ignore[attr-defined]  # read by the permission tests
        return guarded

    return wrap


def roles_in_words(user: User | AnonymousUser) -> str:
    return ", ".join(sorted(role.value for role in roles_of(user)))
