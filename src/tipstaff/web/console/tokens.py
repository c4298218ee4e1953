"""Tokens: what programs use the API with in one's own name. An administrator sees everybody's, and can end them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring

from ..asked import asked_number, asked_text
from ..roles import Ability, StaffRequest, may, needs
from ..tokens import DAYS_MAX, ROOMS, SCOPES, BadToken, NoSuchToken, TokenShown, list_tokens, make_token, revoke_token
from .page import show_console


@require_safe
@needs(Ability.KEEP_TOKENS)
def tokens(request: StaffRequest) -> HttpResponse:
    return _page(request)


@require_POST
@needs(Ability.KEEP_TOKENS)
@sensitive_variables("token")
def make(request: StaffRequest) -> HttpResponse:
    """Make a token of one's own, and show it this once."""
    name, who = asked_text(request.POST, "name"), request.user.get_username()
    try:
        made, token = make_token(
            name, owner=who, scopes=request.POST.getlist("scope"), at=wiring.now(), actor=who,
            days=asked_number(request.POST, "days", otherwise=0),
        )  # fmt: skip
    except BadToken as why:
        messages.error(request, str(why))
        return redirect("console:tokens")
    return _page(request, made=made, token=token)


@require_POST
@needs(Ability.KEEP_TOKENS)
def revoke(request: StaffRequest, key: str) -> HttpResponse:
    """End a token of one's own; an administrator ends anybody's."""
    who = request.user.get_username()
    try:
        gone = revoke_token(key, owner=owner_seen(request), at=wiring.now(), actor=who)
        messages.success(request, f"{gone.name} is revoked; whatever uses it is refused from now on.")
    except NoSuchToken as why:
        messages.error(request, str(why))
    return redirect("console:tokens")


def owner_seen(request: StaffRequest) -> str | None:
    """Whose tokens somebody sees and ends: their own, and an administrator everybody's (None)."""
    return None if may(request.user, Ability.MANAGE_STAFF) else request.user.get_username()


def _page(request: StaffRequest, *, made: TokenShown | None = None, token: str = "") -> HttpResponse:
    at = wiring.now()
    found = list_tokens(owner=owner_seen(request))
    return show_console(
        request,
        "tipstaff/console/tokens.html",
        here="console:tokens",
        tokens=[(token, token.stands(at)) for token in found],
        rooms=[(room, [scope for scope in SCOPES if scope.startswith(f"{room}:")]) for room in ROOMS],
        days_max=DAYS_MAX,
        made=made,
        token=token,
    )
