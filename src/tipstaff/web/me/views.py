"""One's own page: passkeys, code app, recovery codes, sessions. To change how one logs in takes a fresh log-in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import segno
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures.staffing import note_staff_change

from .. import factors, throttle
from ..asked import asked_text
from ..auth import read_json
from ..company import send
from ..console.page import show_console
from ..models import CompanyLink
from ..passkeys import NotThatPasskey, ask_for_new, passkeys_work, take_new
from ..roles import StaffRequest, lacks_factor, needs_factor
from ..sessions import end_sessions, is_fresh, make_strong, sessions_of, staff
from ..shown import span

_Rest = ParamSpec("_Rest")
_View = Callable[Concatenate[StaffRequest, _Rest], HttpResponse]


def _own(*, fresh: bool) -> Callable[[_View[_Rest]], Callable[Concatenate[HttpRequest, _Rest], HttpResponse]]:
    """Let a view run for whoever is logged in, with `fresh` for who did so a moment ago."""

    def wrap(view: _View[_Rest]) -> Callable[Concatenate[HttpRequest, _Rest], HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(reverse("me:me"))
            if fresh and not is_fresh(request, at=wiring.now()):
                again = f"{reverse('log_in')}?again&next={reverse('me:me')}"
                if request.content_type == "application/json":
                    return JsonResponse({"to": again})
                return redirect(again)
            return view(request, *args, **kwargs)  # type: ignore[arg-type]  # the user was just checked

        guarded.needs_fresh = fresh  # type: ignore[attr-defined]  # read by the tests
        return guarded

    return wrap


@require_safe
@_own(fresh=False)
def me(request: StaffRequest) -> HttpResponse:
    return _page(request)


@never_cache
@require_POST
@_own(fresh=True)
@sensitive_variables("setup")
def begin_codes(request: StaffRequest) -> HttpResponse:
    """Show a new key for a code app, this once."""
    try:
        setup = factors.begin_totp(
            staff(request.user), account=request.user.get_username(), issuer=wiring.settings().operator.name,
            at=wiring.now(),
        )  # fmt: skip
    except factors.KeptFactor as why:
        messages.error(request, str(why))
        return redirect("me:me")
    return _page(request, setup=setup, picture=_picture(setup.uri))


@sensitive_post_parameters("code")
@never_cache
@require_POST
@_own(fresh=True)
def confirm_codes(request: StaffRequest) -> HttpResponse:
    """The first code shows that the app has the key; from now on it is asked for."""
    at, who, guesses = wiring.now(), staff(request.user), f"first code of {request.user.pk}"
    if wait := throttle.seconds_to_wait(guesses, address=None, at=at):
        messages.error(request, f"Too many attempts. Try again in {span(wait)}.")
        return redirect("me:me")
    try:
        factors.confirm_totp(who, asked_text(request.POST, "code", characters_max=40), at=at)
    except factors.NotThatCode:
        throttle.count_failure(guesses, address=None, at=at)
        messages.error(request, "That was not the code. Begin again: the key that was shown counts no more.")
        return redirect("me:me")
    return _page(request, codes=_added(request, kind="code app"))


@never_cache
@require_POST
@_own(fresh=True)
def passkey_options(request: StaffRequest) -> HttpResponse:
    name = request.user.get_username()
    return JsonResponse(ask_for_new(request, staff(request.user), name=name, at=wiring.now()))


@never_cache
@require_POST
@_own(fresh=True)
def add_passkey(request: StaffRequest) -> HttpResponse:
    """Keep a passkey that the browser has just made."""
    answer = read_json(request)
    name = asked_text({"name": str(answer.get("name") or "")}, "name", characters_max=60)
    try:
        take_new(request, staff(request.user), answer, name=name, at=wiring.now())
    except NotThatPasskey as why:
        return JsonResponse({"trouble": str(why)}, status=400)
    return JsonResponse({"codes": _added(request, kind="passkey"), "to": reverse("me:me")})


@never_cache
@require_safe
@_own(fresh=True)
def link_company(request: StaffRequest) -> HttpResponse:
    """Go to the company's log-in and come back linked. It changes nothing by itself, so a plain link may lead here."""
    return send(request, onward="", link=request.user.pk)


@require_POST
@_own(fresh=True)
def unlink_company(request: StaffRequest) -> HttpResponse:
    """The company's log-in is no way in any more; not for somebody without a password."""
    if not request.user.has_usable_password():
        messages.error(request, "You have no password here: without the link you could not log in.")
    elif CompanyLink.objects.filter(user=request.user).delete()[0]:
        _on_record(request, "staff.unlinked")
        messages.success(request, "The link is gone.")
    return redirect("me:me")


@never_cache
@require_POST
@_own(fresh=True)
def recovery(request: StaffRequest) -> HttpResponse:
    """New recovery codes, shown this once; the old ones count no more."""
    if not factors.has_factor(staff(request.user)):
        messages.error(request, "Recovery codes stand in for a passkey or a code app; add one first.")
        return redirect("me:me")
    return _page(request, codes=_new_codes(request))


@require_POST
@_own(fresh=True)
def remove(request: StaffRequest, id: int) -> HttpResponse:
    """Take a factor away; not the last one of somebody whose roles need one."""
    try:
        gone = factors.remove_factor(staff(request.user), id, needed=needs_factor(request.user))
    except factors.KeptFactor as why:
        messages.error(request, str(why))
        return redirect("me:me")
    _on_record(request, "staff.factor_removed", kind=gone.kind)
    messages.success(request, f"{gone.name} is taken away.")
    return redirect("me:me")


@require_POST
@_own(fresh=False)
def end(request: StaffRequest, id: int) -> HttpResponse:
    """End one of one's own sessions."""
    if end_sessions(staff(request.user), id=id):
        _on_record(request, "staff.sessions_ended", count=1)
    return redirect("me:me")


@require_POST
@_own(fresh=False)
def end_others(request: StaffRequest) -> HttpResponse:
    """End all of one's own sessions but this one."""
    if count := end_sessions(staff(request.user), but=request.session.session_key):
        _on_record(request, "staff.sessions_ended", count=count)
    return redirect("me:me")


def _added(request: StaffRequest, *, kind: str) -> list[str]:
    """A factor is there: sessions that began without it end, and the first one brings recovery codes along."""
    who = staff(request.user)
    make_strong(request)
    end_sessions(who, but=request.session.session_key)
    _on_record(request, "staff.factor_added", kind=kind)
    messages.success(request, f"The {kind} is added. Your other sessions were ended.")
    return [] if factors.recovery_codes_left(who) else _new_codes(request)


def _new_codes(request: StaffRequest) -> list[str]:
    _on_record(request, "staff.recovery_codes_made")
    return factors.make_recovery_codes(staff(request.user))


def _on_record(request: StaffRequest, what: str, **detail: object) -> None:
    name = request.user.get_username()
    note_staff_change(what, name=name, roles=(), at=wiring.now(), actor=name, **detail)


def _picture(uri: str) -> SafeString:
    """The key as a QR code, drawn into the page: it is loaded from nowhere and kept nowhere."""
    drawn = segno.make(uri, error="m").svg_inline(scale=4, border=2, dark="#000", light="#fff")
    return mark_safe(drawn)  # noqa: S308 - drawn by segno: paths and numbers, nothing of what was typed


def _page(request: StaffRequest, **more: object) -> HttpResponse:
    who, own = staff(request.user), wiring.settings().staff
    return show_console(
        request,
        "tipstaff/me/me.html",
        here="",
        status=200,
        factors=factors.factors_of(who),
        has_codes=factors.has_totp(who),
        recovery_left=factors.recovery_codes_left(who),
        passkeys=passkeys_work(),
        company=own.openid_name if own.openid_issuer else "",
        linked=CompanyLink.objects.filter(user=request.user, issuer=own.openid_issuer).exists(),
        lacks=lacks_factor(request),
        sessions=sessions_of(who, mine=request.session.session_key),
        **more,
    )
