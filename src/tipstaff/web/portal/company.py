"""Customers' people log in by an identity provider, which knows them by a number that they tied to themselves.

Nothing that the provider says of names or mail addresses ties anybody to anything: only whoever is logged in here, by a
letter to an address on record or by a factor of theirs, ties the provider's number to themselves. What the provider
calls two factors is enough; else a code of theirs goes with it, as it goes with a link.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from tipstaff import wiring
from tipstaff.host.openid import NotSaid, Said
from tipstaff.procedures.portal import note_portal_change

from .. import factors, pace
from ..brands import base_of
from ..company import ask_of, heard
from ..models import PersonLink, PortalPerson
from ..pages import show_public
from ..passkeys import passkeys_work
from ..said import Sentence, language_of, say
from ..sessions import end_sessions, enter_portal, is_fresh, is_strong, make_strong
from . import people
from .factor import NoCode, show_code
from .views import private

log = logging.getLogger("tipstaff.web")
KEPT, _HALF = "customers_company", "customers_half"
HALF_LASTS = timedelta(minutes=10)
_A_MINUTE = 30


class NotLetIn(Sentence):
    """The provider knows somebody who cannot come in here so; the message says what to do."""


def company() -> str:
    """What the pages call the provider; empty where the settings name none."""
    own = wiring.settings().portal
    return own.openid_name if own.openid_issuer else ""


def is_linked(person: PortalPerson) -> bool:
    """Whether somebody tied themselves to the provider that the settings name now."""
    issuer = wiring.settings().portal.openid_issuer
    return bool(issuer) and PersonLink.objects.filter(person=person, issuer=issuer).exists()


@never_cache
@require_safe
def begin(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider. A plain link leads here: a form could not leave for another site."""
    return send(request, link=None)


def send(request: HttpRequest, *, link: int | None) -> HttpResponse:
    """The same, to come back for `link`: the number of somebody logged in, who is tied to what the provider says."""
    at, provider = wiring.now(), wiring.customers_openid_provider(base_of(request))
    who = pace.household(request.META.get("REMOTE_ADDR") or "")
    if provider is None:
        return _refused(request, Sentence("Nobody logs in here by a company."), status=404)
    if pace.use("customers' company", who, quota=_A_MINUTE, at=at).wait_seconds:
        return _refused(request, Sentence("Too many attempts. Try again in a minute."), status=429)
    try:
        return HttpResponseRedirect(ask_of(request, provider, onward="", link=link, at=at, kept=KEPT))
    except NotSaid as why:
        log.warning("log-in of a customer by %s: %s", provider.issuer, why)
        return _refused(request, _failed(), status=502)


@never_cache
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """The browser comes back with the provider's answer: log in, or tie it to whoever is logged in."""
    at, provider = wiring.now(), wiring.customers_openid_provider(base_of(request))
    try:
        said, asked = heard(request, provider, at=at, kept=KEPT)
        assert provider is not None, "it was heard"
        if asked["link"] is not None:
            return _tie(request, said, issuer=provider.issuer, to=asked["link"], at=at)
        return _come_in(request, said, issuer=provider.issuer, at=at)
    except NotSaid as why:
        log.warning("log-in of a customer by %s: %s", provider.issuer if provider is not None else "", why)
        return _refused(request, _failed(), status=403)
    except Sentence as why:
        return _refused(request, why, status=403)


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second(request: HttpRequest) -> HttpResponse:
    """Ask for the code of somebody whose provider named one factor only, or did not say."""
    at, half = wiring.now(), request.session.get(_HALF)
    if half is None or at >= datetime.fromisoformat(half["until"]):
        return redirect("account:log_in")
    person = people.find_person(half["person"])
    # What they showed first is as old as the half: whoever let them in again since has let in somebody new.
    if person is not None:
        person.shown_at = datetime.fromisoformat(half["until"]) - HALF_LASTS
    if person is None or not people.roles_of(person):
        return redirect("account:log_in")
    shown: dict[str, Any] = {"has_factor": True, "codes": factors.has_totp(people.who(person.pk)), "by_cookie": True}
    if request.method != "POST":
        return _same_origin(show_public(request, "tipstaff/portal/enter.html", **shown))
    try:
        how = show_code(request, person, at=at)
    except NoCode as why:
        page = show_public(
            request, "tipstaff/portal/enter.html", trouble=why.said(language_of(request)), status=why.status, **shown
        )  # fmt: skip
        return _same_origin(page)
    enter_portal(request, person.pk, how=f"company and {how}", strong=True, at=at)
    people.note_use(person, at=at)
    return redirect("account:home")


def _come_in(request: HttpRequest, said: Said, *, issuer: str, at: datetime) -> HttpResponse:
    link = PersonLink.objects.filter(issuer=issuer, subject=said.subject).select_related("person").first()
    if link is None or not people.roles_of(link.person) or people.forget_what_is_stale(link.person, at=at):
        # The same for both: whether somebody is known here is nobody's business.
        raise NotLetIn(
            "Nobody here is linked with that log-in. Log in by a passkey or a link, and link it on your page."
        )
    who = people.who(link.person.pk)
    if not said.by_two_factors and factors.has_factor(who):
        # Nobody is logged in by this: what is kept is who may show a factor now.
        request.session.flush()
        request.session.set_expiry(int(HALF_LASTS.total_seconds()))
        request.session[_HALF] = {"person": link.person.pk, "until": (at + HALF_LASTS).isoformat()}
        return redirect("account:company_second")
    PortalPerson.objects.filter(pk=link.person.pk).update(entered_at=at)
    how = f"company{', by two factors' if said.by_two_factors else ''}"
    enter_portal(request, link.person.pk, how=how, strong=said.by_two_factors, at=at)
    if said.by_two_factors:
        people.note_use(link.person, at=at)
    return redirect("account:home")


def _tie(request: HttpRequest, said: Said, *, issuer: str, to: int, at: datetime) -> HttpResponse:
    """Tie the provider's number to whoever is logged in here still, as when they went."""
    person = people.person_here(request)
    if person is None or person.pk != to or not people.roles_of(person):
        raise NotLetIn("You are logged in as somebody else than when you began.")
    who = people.who(person.pk)
    if not is_fresh(request, at=at) or (factors.has_factor(who) and not is_strong(request)):
        raise NotLetIn("Log in again for that: a screen left open is not enough.")
    try:
        with transaction.atomic():
            PersonLink.objects.create(issuer=issuer, subject=said.subject, person=person, made_at=at)
            for customer in people.customers_of(person):
                note_portal_change(
                    "portal.linked", customer=customer, at=at, actor=f"customer ({person.email})", email=person.email
                )  # fmt: skip
    except IntegrityError as why:
        raise NotLetIn("That log-in, or you, is linked already.") from why
    end_sessions(who, but=request.session.session_key)
    if said.by_two_factors:
        make_strong(request)
    messages.success(request, say(language_of(request, otherwise=person.language), "Linked: it logs you in here."))
    return redirect("account_me:me")


def _failed() -> Sentence:
    return Sentence("{company} did not say who you are; try again.", company=company() or "?")


def _refused(request: HttpRequest, why: Sentence, *, status: int) -> HttpResponse:
    page = "tipstaff/portal/log_in.html"
    shown: dict[str, Any] = {"passkeys": passkeys_work(), "company": company()}
    return _same_origin(show_public(request, page, trouble=why.said(language_of(request)), status=status, **shown))


def _same_origin(response: HttpResponse) -> HttpResponse:
    """Without a referrer the form on it would be refused; its address holds the provider's answer, good no more."""
    response = private(response)
    response["Referrer-Policy"] = "same-origin"
    return response
