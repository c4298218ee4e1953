"""One's own page: passkeys, code app, recovery codes, sessions. To change how one logs in takes a fresh log-in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from zoneinfo import available_timezones

import segno
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures.portal import note_portal_change
from tipstaff.procedures.staffing import note_staff_change

from .. import factors, reader, throttle
from ..asked import asked_text
from ..auth import read_json
from ..company import send
from ..console.page import show_console
from ..models import CompanyLink, PersonLink, PortalPerson
from ..pages import show_public
from ..passkeys import NotThatPasskey, ask_for_new, passkeys_work, take_new
from ..portal import company as portal_company
from ..portal.people import customers_of, person_here
from ..portal.people import who as who_is
from ..roles import needs_factor
from ..said import FALLBACK, LANGUAGES, language_of, say
from ..sessions import end_sessions, is_fresh, is_strong, make_strong, sessions_of, staff
from ..shown import span

_Rest = ParamSpec("_Rest")
ADDED = {
    "passkey": "The passkey is added. Your other sessions were ended.",
    "code app": "The code app is added. Your other sessions were ended.",
}
PORTAL_NAME = "account_me"
"""The name under which `urls` stands at the portal."""


class OwnRequest(HttpRequest):
    """A request of somebody about themselves; only for type checkers."""

    me: "Me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who asks: a member of staff at the console, or one of a customer's people at the portal."""

    who: str
    name: str
    home: str
    """The page's own address."""
    log_in: str
    needed: bool
    """They may do nothing without a second factor."""
    user: User | None
    """The member of staff."""
    person: PortalPerson | None

    @property
    def actor(self) -> str:
        return self.name if self.person is None else f"customer ({self.name})"


_View = Callable[Concatenate[OwnRequest, _Rest], HttpResponse]


def _me(request: HttpRequest) -> Me | None:
    """Who asks here; the two pages are one, under two addresses."""
    home = reverse("me:me", current_app=_namespace(request))
    if _namespace(request) == PORTAL_NAME:
        person = person_here(request)
        if person is None or not customers_of(person):
            return None
        return Me(
            who=who_is(person.pk), name=person.email, home=home, log_in=reverse("account:log_in"), needed=True,
            user=None, person=person,
        )  # fmt: skip
    user = request.user
    if not isinstance(user, User):
        return None
    return Me(
        who=staff(user), name=user.username, home=home, log_in=f"{reverse('log_in')}?again&next={home}",
        needed=needs_factor(user), user=user, person=None,
    )  # fmt: skip


def _namespace(request: HttpRequest) -> str:
    assert request.resolver_match is not None
    return request.resolver_match.namespace


def _own(*, fresh: bool) -> Callable[[_View[_Rest]], Callable[Concatenate[HttpRequest, _Rest], HttpResponse]]:
    """Let a view run for whoever is logged in, with `fresh` for who did so a moment ago."""

    def wrap(view: _View[_Rest]) -> Callable[Concatenate[HttpRequest, _Rest], HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponse:
            found = _me(request)
            if found is None:
                at_portal = _namespace(request) == PORTAL_NAME
                return redirect("account:log_in") if at_portal else redirect_to_login(reverse("me:me"))
            if fresh and not is_fresh(request, at=wiring.now()):
                if request.content_type == "application/json":
                    return JsonResponse({"to": found.log_in})
                return redirect(found.log_in)
            request.me = found  # type: ignore[attr-defined]  # read by the views below alone
            return view(request, *args, **kwargs)  # type: ignore[arg-type]  # it has what an OwnRequest has

        guarded.needs_fresh = fresh  # type: ignore[attr-defined]  # read by the tests
        return guarded

    return wrap


@require_safe
@_own(fresh=False)
def me(request: OwnRequest) -> HttpResponse:
    return _page(request)


@never_cache
@require_POST
@_own(fresh=True)
@sensitive_variables("setup")
def begin_codes(request: OwnRequest) -> HttpResponse:
    """Show a new key for a code app, this once."""
    try:
        setup = factors.begin_totp(
            request.me.who, account=request.me.name, issuer=wiring.settings().operator.name,
            at=wiring.now(),
        )  # fmt: skip
    except factors.KeptFactor as why:
        messages.error(request, _say(request, str(why)))
        return redirect(request.me.home)
    return _page(request, setup=setup, picture=_picture(setup.uri))


@sensitive_post_parameters("code")
@never_cache
@require_POST
@_own(fresh=True)
def confirm_codes(request: OwnRequest) -> HttpResponse:
    """The first code shows that the app has the key; from now on it is asked for."""
    at, who, guesses = wiring.now(), request.me.who, f"first code of {request.me.who}"
    if wait := throttle.seconds_to_wait(guesses, address=None, at=at):
        messages.error(request, _say(request, "Too many attempts. Try again in {time}.", time=span(wait)))
        return redirect(request.me.home)
    try:
        factors.confirm_totp(who, asked_text(request.POST, "code", characters_max=40), at=at)
    except factors.NotThatCode:
        throttle.count_failure(guesses, address=None, at=at)
        trouble = "That was not the code. Begin again: the key that was shown counts no more."
        messages.error(request, _say(request, trouble))
        return redirect(request.me.home)
    return _page(request, codes=_added(request, kind="code app"))


@never_cache
@require_POST
@_own(fresh=True)
def passkey_options(request: OwnRequest) -> HttpResponse:
    return JsonResponse(ask_for_new(request, request.me.who, name=request.me.name, at=wiring.now()))


@never_cache
@require_POST
@_own(fresh=True)
def add_passkey(request: OwnRequest) -> HttpResponse:
    """Keep a passkey that the browser has just made."""
    answer = read_json(request)
    name = asked_text({"name": str(answer.get("name") or "")}, "name", characters_max=60)
    try:
        take_new(request, request.me.who, answer, name=name, at=wiring.now())
    except NotThatPasskey as why:
        return JsonResponse({"trouble": str(why)}, status=400)
    return JsonResponse({"codes": _added(request, kind="passkey"), "to": request.me.home})


@never_cache
@require_safe
@_own(fresh=True)
def link_company(request: OwnRequest) -> HttpResponse:
    """Go to the company's log-in and come back linked. A link of our own page leads here, and none of another
    site: it would link whomever the browser is logged in as over there, unasked."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return redirect(request.me.home)
    if request.me.person is not None:
        return portal_company.send(request, link=request.me.person.pk)
    assert request.me.user is not None, "one of the two"
    return send(request, onward="", link=request.me.user.pk)


@require_POST
@_own(fresh=True)
def unlink_company(request: OwnRequest) -> HttpResponse:
    """The company's log-in is no way in any more; not for somebody without a password."""
    person = request.me.person
    if person is not None:
        if not factors.has_factor(request.me.who):
            trouble = "Add a passkey or a code app first: without the link you could not log in."
            messages.error(request, _say(request, trouble))
        elif PersonLink.objects.filter(person=person).delete()[0]:
            _on_record(request, "unlinked")
            messages.success(request, _say(request, "The link is gone."))
        return redirect(request.me.home)
    assert request.me.user is not None, "one of the two"
    if not request.me.user.has_usable_password():
        messages.error(request, "You have no password here: without the link you could not log in.")
    elif CompanyLink.objects.filter(user=request.me.user).delete()[0]:
        _on_record(request, "unlinked")
        messages.success(request, "The link is gone.")
    return redirect(request.me.home)


@never_cache
@require_POST
@_own(fresh=True)
def recovery(request: OwnRequest) -> HttpResponse:
    """New recovery codes, shown this once; the old ones count no more."""
    if not factors.has_factor(request.me.who):
        messages.error(request, _say(request, "Recovery codes stand in for a passkey or a code app; add one first."))
        return redirect(request.me.home)
    return _page(request, codes=_new_codes(request))


@require_POST
@_own(fresh=True)
def remove(request: OwnRequest, id: int) -> HttpResponse:
    """Take a factor away; not the last one of somebody whose roles need one."""
    try:
        gone = factors.remove_factor(request.me.who, id, needed=request.me.needed)
    except factors.KeptFactor as why:
        messages.error(request, _say(request, str(why)))
        return redirect(request.me.home)
    _on_record(request, "factor_removed", kind=gone.kind)
    messages.success(request, _say(request, "{name} is taken away.", name=gone.name))
    return redirect(request.me.home)


@require_POST
@_own(fresh=False)
def times(request: OwnRequest) -> HttpResponse:
    """In which zone times are written for a member of staff, and how dates are."""
    if request.me.user is None:
        raise Http404("Customers' people have theirs in the registry.")
    try:
        reader.keep(
            request.me.user, timezone=asked_text(request.POST, "timezone", characters_max=64),
            dates=asked_text(request.POST, "dates", characters_max=8),
        )  # fmt: skip
        messages.success(request, "Kept: times are written so from now on.")
    except reader.NoSuchWay as why:
        messages.error(request, str(why))
    return redirect(request.me.home)


@require_POST
@_own(fresh=False)
def end(request: OwnRequest, id: int) -> HttpResponse:
    """End one of one's own sessions."""
    if end_sessions(request.me.who, id=id):
        _on_record(request, "sessions_ended", count=1)
    return redirect(request.me.home)


@require_POST
@_own(fresh=False)
def end_others(request: OwnRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    if count := end_sessions(request.me.who, but=request.session.session_key):
        _on_record(request, "sessions_ended", count=count)
    return redirect(request.me.home)


def _added(request: OwnRequest, *, kind: str) -> list[str]:
    """A factor is there: sessions that began without it end, and the first one brings recovery codes along."""
    who = request.me.who
    make_strong(request)
    end_sessions(who, but=request.session.session_key)
    _on_record(request, "factor_added", kind=kind)
    messages.success(request, _say(request, ADDED[kind]))
    return [] if factors.recovery_codes_left(who) else _new_codes(request)


def _new_codes(request: OwnRequest) -> list[str]:
    _on_record(request, "recovery_codes_made")
    return factors.make_recovery_codes(request.me.who)


def _on_record(request: OwnRequest, what: str, **detail: object) -> None:
    own, at = request.me, wiring.now()
    if own.person is None:
        note_staff_change(f"staff.{what}", name=own.name, roles=(), at=at, actor=own.name, **detail)
        return
    for customer in customers_of(own.person):
        note_portal_change(f"portal.{what}", customer=customer, at=at, actor=own.actor, **detail)


def _say(request: OwnRequest, text: str, **values: object) -> str:
    """The sentence in the reader's language; the console's is English."""
    own = request.me.person
    return say(language_of(request, otherwise=own.language) if own is not None else FALLBACK, text, **values)


def _picture(uri: str) -> SafeString:
    """The key as a QR code, drawn into the page: it is loaded from nowhere and kept nowhere."""
    drawn = segno.make(uri, error="m").svg_inline(scale=4, border=2, dark="#000", light="#fff")
    return mark_safe(drawn)  # noqa: S308 - drawn by segno: paths and numbers, nothing of what was typed


def _page(request: OwnRequest, **more: object) -> HttpResponse:
    own, settings = request.me, wiring.settings().staff
    if own.person is not None:
        company, linked = portal_company.company(), portal_company.is_linked(own.person)
    else:
        company = settings.openid_name if settings.openid_issuer else ""
        linked = bool(company) and CompanyLink.objects.filter(user=own.user, issuer=settings.openid_issuer).exists()
    page = "tipstaff/me/me.html"
    found: dict[str, Any] = {
        "factors": factors.factors_of(own.who),
        "has_codes": factors.has_totp(own.who),
        "recovery_left": factors.recovery_codes_left(own.who),
        "passkeys": passkeys_work(),
        "lacks": own.needed and not is_strong(request),
        "sessions": sessions_of(own.who, mine=request.session.session_key),
        "company": company,
        "linked": linked,
        "me": own,
        "person": own.person,
        "base": f"tipstaff/{'console/base' if own.person is None else 'portal/account'}.html",
    } | more
    if own.user is not None:
        found |= {"reads": reader.reader_of(own.user), "zones": sorted(available_timezones()), "tongues": LANGUAGES}
        return show_console(request, page, here="", status=200, **found)
    assert own.person is not None, "one of the two"
    return show_public(request, page, on_record=own.person.language, **found)
