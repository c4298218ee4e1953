"""Logging in by the operator's identity provider: which account that is, made and kept in its roles by what it says."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.host.openid import NotSaid, Provider, Said, ask, hear
from tipstaff.procedures.staffing import BY_COMPANY, PROGRAMS, note_staff_change
from tipstaff.words import Role

from . import pace
from .auth import after_first_factor, onward_of, show_log_in
from .first import NAME
from .models import CompanyLink
from .roles import give_roles, roles_of
from .sessions import end_sessions, enter, staff

log = logging.getLogger("tipstaff.web")
_ASKED = "company"
ANSWER_WITHIN = timedelta(minutes=10)
_A_MINUTE = 30


class NoAccount(ValueError):
    """The provider knows this person and we do not; the message says what to do."""


@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider. A plain link leads here: a form could not leave for another site."""
    return send(request, onward=onward_of(request.GET.get("next", "")), link=None)


def send(request: HttpRequest, *, onward: str, link: int | None) -> HttpResponse:
    """The same, to come back for `link`: the number of somebody logged in, whose account it then is."""
    at, provider = wiring.now(), wiring.openid_provider()
    if provider is None:
        return show_log_in(request, trouble="This desk has no log-in by a company.", status=404)
    who = pace.household(request.META.get("REMOTE_ADDR") or "")
    if pace.use("company", who, quota=_A_MINUTE, at=at).wait_seconds:
        return show_log_in(request, trouble="Too many attempts. Try again in a minute.", status=429)
    try:
        return HttpResponseRedirect(ask_of(request, provider, onward=onward, link=link, at=at))
    except NotSaid as why:
        log.warning("log-in by %s: %s", provider.issuer, why)
        return show_log_in(request, trouble=str(why), status=502)


@never_cache
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """The browser comes back with the provider's answer: log in, or link what the person is logged in to."""
    at, provider = wiring.now(), wiring.openid_provider()
    try:
        said, asked = heard(request, provider, at=at)
        assert provider is not None, "it was heard"
        if asked["link"] is not None:
            return _link(request, said, issuer=provider.issuer, to=asked["link"], at=at)
        user = account_of(said, issuer=provider.issuer, at=at)
    except TooLate as why:
        return show_log_in(request, trouble=str(why), status=400)
    except (NotSaid, NoAccount) as why:
        log.warning("log-in by %s: %s", provider.issuer if provider is not None else "", why)
        return show_log_in(request, trouble=str(why), status=403)
    how = "company"
    if said.by_two_factors:
        enter(request, user, how="company, by two factors", strong=True, at=at)
        return HttpResponseRedirect(asked["onward"] or settings.LOGIN_REDIRECT_URL)
    return HttpResponseRedirect(after_first_factor(request, user, how=how, onward=asked["onward"], at=at))


class TooLate(NotSaid):
    """Nobody was asked from here, or too long ago."""


def ask_of(
    request: HttpRequest, provider: Provider, *, onward: str, link: int | None, at: datetime, kept: str = _ASKED
) -> str:  # fmt: skip
    """Where to send the browser to be asked who it is; what it is asked with is kept in its session. Raise NotSaid."""
    asked = ask(provider)
    if not request.session.session_key:
        request.session.set_expiry(int(ANSWER_WITHIN.total_seconds()))
    request.session[kept] = {
        "state": asked.state, "nonce": asked.nonce, "verifier": asked.verifier, "onward": onward, "link": link,
        "until": (at + ANSWER_WITHIN).isoformat(),
    }  # fmt: skip
    return asked.url


def heard(
    request: HttpRequest, provider: Provider | None, *, at: datetime, kept: str = _ASKED
) -> tuple[Said, dict[str, Any]]:  # fmt: skip
    """Who came back, and what they were sent with: it counts once. Raise NotSaid or TooLate."""
    asked = request.session.pop(kept, None)
    if provider is None or asked is None or at >= datetime.fromisoformat(asked["until"]):
        raise TooLate("That took too long; try again.")
    answer = {k: v for k, v in request.GET.items() if isinstance(v, str)}
    said = hear(
        provider, answer, state=asked["state"], nonce=asked["nonce"], verifier=asked["verifier"], at=at
    )  # fmt: skip
    return said, asked


def account_of(said: Said, *, issuer: str, at: datetime) -> User:
    """Whose account that is, in the roles that the provider's groups name. Raise NoAccount.

    The link is by the provider's own number for the person: names there change, and are given to others.
    """
    roles = roles_said(said)
    link = CompanyLink.objects.filter(issuer=issuer, subject=said.subject).select_related("user").first()
    if link is not None:
        if not link.user.is_active:
            raise NoAccount(f"{link.user.username} is switched off here.")
        if roles is not None:
            _keep_in_roles(link.user, roles, at=at)
        return link.user
    if not roles:
        raise NoAccount("None of your groups has a role here. Ask an administrator.")
    said_name = str(said.claims.get("preferred_username") or "").lower()
    name = said_name if NAME.fullmatch(said_name) else said_name.partition("@")[0]
    if not NAME.fullmatch(name) or name in PROGRAMS:
        raise NoAccount("The provider names you by nothing that can be a log-in name here.")
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(username=name)
        if not is_new:
            raise NoAccount(f"There is a {name} here already. If that is you, log in and link it on your own page.")
        user.set_unusable_password()
        user.save()
        give_roles(user, roles)
        CompanyLink.objects.create(issuer=issuer, subject=said.subject, user=user, made_at=at)
        note_staff_change("staff.added", name=name, roles=roles, at=at, actor=BY_COMPANY)
    return user


def roles_said(said: Said) -> frozenset[Role] | None:
    """The roles that the settings give the groups which the provider names; None where they give none to any."""
    own = wiring.settings().staff
    if not own.openid_roles:
        return None
    claim = said.claims.get(own.openid_groups_claim)
    groups = {claim} if isinstance(claim, str) else set(map(str, claim)) if isinstance(claim, list) else set()
    pairs = (pair.rpartition("=") for pair in own.openid_roles)
    return frozenset(Role(role.strip()) for group, _, role in pairs if group.strip() in groups)


def _keep_in_roles(user: User, roles: frozenset[Role], *, at: datetime) -> None:
    if roles != roles_of(user):
        with transaction.atomic():
            give_roles(user, roles)
            note_staff_change("staff.roles_changed", name=user.username, roles=roles, at=at, actor=BY_COMPANY)
    if not roles:
        # Who left the groups leaves the desk: also where they are logged in still.
        end_sessions(staff(user))
        raise NoAccount("None of your groups has a role here any more. Ask an administrator.")


def _link(request: HttpRequest, said: Said, *, issuer: str, to: int, at: datetime) -> HttpResponse:
    if request.user.pk != to:
        raise NoAccount("You are logged in as somebody else than when you began.")
    name = request.user.get_username()
    try:
        with transaction.atomic():
            CompanyLink.objects.create(issuer=issuer, subject=said.subject, user_id=to, made_at=at)
            note_staff_change("staff.linked", name=name, at=at, actor=name)
    except IntegrityError as why:
        raise NoAccount("That person, or your account, is linked already.") from why
    return HttpResponseRedirect(reverse("me:me"))
