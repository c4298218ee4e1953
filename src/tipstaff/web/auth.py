"""Logging in, by password and second factor or by passkey; logging out; the first log-in."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tipstaff import wiring

from . import factors, pace, throttle
from .asked import asked_text
from .first import FirstLinkGone, check_first_token, use_first_token
from .models import Session
from .pages import show_page
from .passkeys import NotThatPasskey, ask_for_one, passkeys_work, take_one
from .sessions import enter, staff
from .shown import span

HALF_LASTS = timedelta(minutes=10)
"""So long after the password the second factor may follow."""
_HALF = "half"
_PASSKEYS_A_MINUTE = 30


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; after five failures the same name waits a quarter of an hour at that address."""
    onward = onward_of(request.POST.get("next") or request.GET.get("next") or "")
    if request.user.is_authenticated and request.method != "POST" and "again" not in request.GET:
        return HttpResponseRedirect(onward or settings.LOGIN_REDIRECT_URL)
    if request.method != "POST":
        return show_log_in(request, onward=onward)
    name, password = asked_text(request.POST, "username", characters_max=150), request.POST.get("password", "")[:1000]
    at, address = wiring.now(), request.META.get("REMOTE_ADDR") or None
    wait = throttle.seconds_to_wait(name, address=address, at=at)
    if wait:
        trouble = f"Too many attempts. Try again in {span(wait)}."
        return _slower(show_log_in(request, onward=onward, name=name, trouble=trouble, status=429), wait)
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        throttle.count_failure(name, address=address, at=at)
        trouble = "That name and password do not go together."
        return show_log_in(request, onward=onward, name=name, trouble=trouble, status=401)
    throttle.forget_failures(name, address=address)
    assert isinstance(user, User), "the one backend that there is keeps these"
    return HttpResponseRedirect(after_first_factor(request, user, how="password", onward=onward, at=at))


def show_log_in(
    request: HttpRequest, *, trouble: str = "", onward: str = "", name: str = "", status: int = 200
) -> HttpResponse:
    """The page on which people log in, with all the ways that there are."""
    own = wiring.settings().staff
    return show_page(
        request, "tipstaff/auth/log_in.html", status=status, trouble=trouble, onward=onward, name=name,
        passkeys=passkeys_work(), company=own.openid_name if own.openid_issuer else "",
    )  # fmt: skip


def after_first_factor(request: HttpRequest, user: User, *, how: str, onward: str, at: datetime) -> str:
    """Where somebody goes whose password, or company, was right: on, or to show the second factor that they have."""
    if not factors.has_factor(staff(user)):
        enter(request, user, how=how, strong=False, at=at)
        return onward or settings.LOGIN_REDIRECT_URL
    # Nobody is logged in by this: what is kept is who may show a factor now.
    request.session.flush()
    request.session.set_expiry(int(HALF_LASTS.total_seconds()))
    request.session[_HALF] = {"user": user.pk, "how": how, "onward": onward, "until": (at + HALF_LASTS).isoformat()}
    return reverse("log_in_second")


@sensitive_post_parameters("code")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def second(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of somebody whose password was right a moment ago.

    Wrong codes are counted for the person, wherever they come from: only who knows the password can use them up.
    """
    at = wiring.now()
    half = _half(request, at=at)
    if half is None:
        return redirect("log_in")
    user, how, onward = half
    who, guesses, page = staff(user), f"second factor of {user.pk}", "tipstaff/auth/second.html"
    shown = {
        "codes": factors.has_totp(who), "recovery": factors.recovery_codes_left(who) > 0,
        "passkeys": passkeys_work() and any(each.kind == factors.PASSKEY_KIND for each in factors.factors_of(who)),
    }  # fmt: skip
    if request.method != "POST":
        return show_page(request, page, **shown)
    wait = throttle.seconds_to_wait(guesses, address=None, at=at)
    if wait:
        trouble = f"Too many attempts. Try again in {span(wait)}."
        return _slower(show_page(request, page, trouble=trouble, status=429, **shown), wait)
    code = asked_text(request.POST, "code", characters_max=40)
    try:
        how += f" and {factors.use_code(who, code, at=at)}"
    except factors.NotThatCode as why:
        throttle.count_failure(guesses, address=None, at=at)
        return show_page(request, page, trouble=str(why) or factors.NotThatCode.__doc__, status=401, **shown)
    throttle.forget_failures(guesses, address=None)
    enter(request, user, how=how, strong=True, at=at)
    return HttpResponseRedirect(onward or settings.LOGIN_REDIRECT_URL)


def _half(request: HttpRequest, *, at: datetime) -> tuple[User, str, str] | None:
    """Who has shown a password and nothing else yet, how, and where they go next."""
    kept = request.session.get(_HALF)
    if kept is None or at >= datetime.fromisoformat(kept["until"]):
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    return (user, kept["how"], kept["onward"]) if user is not None else None


@never_cache
@csrf_protect
@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """What a browser asks its passkeys for: one of who gave a password, or of whoever it is."""
    at = wiring.now()
    left = pace.use(
        "passkeys", pace.household(request.META.get("REMOTE_ADDR") or ""), quota=_PASSKEYS_A_MINUTE, at=at
    )  # fmt: skip
    if left.wait_seconds:
        return _slower(JsonResponse({"trouble": "Too many attempts. Try again in a minute."}, status=429), 60)
    half = _half(request, at=at)
    return JsonResponse(ask_for_one(request, staff(half[0]) if half else None, at=at))


@never_cache
@csrf_protect
@require_POST
def passkey(request: HttpRequest) -> HttpResponse:
    """Log in by the passkey that was asked for: as the second factor, or, verified by the device, as both."""
    at = wiring.now()
    half = _half(request, at=at)
    answer = read_json(request)
    try:
        shown = take_one(request, staff(half[0]) if half else None, answer, at=at)
    except NotThatPasskey as why:
        return JsonResponse({"trouble": str(why)}, status=401)
    user = User.objects.filter(pk=shown.who.partition(":")[2], is_active=True).first()
    if not shown.who.startswith("staff:") or user is None:
        return JsonResponse({"trouble": "Nobody can log in here by that passkey."}, status=401)
    if half is not None:
        enter(request, user, how=f"{half[1]} and passkey", strong=True, at=at)
        return JsonResponse({"to": half[2] or settings.LOGIN_REDIRECT_URL})
    enter(request, user, how="passkey", strong=True, at=at)
    return JsonResponse({"to": onward_of(str(answer.get("next") or "")) or settings.LOGIN_REDIRECT_URL})


JSON_OCTETS_MAX = 32 * 1024
"""What a passkey says is a few thousand octets; the library that reads it takes the square of the length in time."""


def read_json(request: HttpRequest) -> Mapping[str, Any]:
    """What a script of ours sent; nothing for anything else."""
    try:
        found = json.loads(request.body) if len(request.body) <= JSON_OCTETS_MAX else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def onward_of(asked: str) -> str:
    """Where to go afterwards: a page of ours, or nowhere in particular."""
    return asked if url_has_allowed_host_and_scheme(asked, allowed_hosts=None) else ""


def _slower(response: HttpResponse, seconds: int) -> HttpResponse:
    response["Retry-After"] = str(seconds)
    return response


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    Session.objects.filter(key=request.session.session_key or "").delete()
    auth.logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@sensitive_post_parameters("password", "again")
@never_cache
# The link is the key and no cookie is: a page elsewhere that could forge this request would have to know the link.
# (With `no-referrer` a browser sends `Origin: null`, which the check would refuse anyway.)
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def first(request: HttpRequest, token: str) -> HttpResponse:
    """Set one's own password by a one-time link, and be logged in."""
    at = wiring.now()
    page = "tipstaff/auth/first.html"
    try:
        name = check_first_token(token, at=at)
        if request.method != "POST":
            return _private(show_page(request, page, name=name))
        password, again = request.POST.get("password", ""), request.POST.get("again", "")
        if password != again:
            return _private(show_page(request, page, name=name, troubles=["The two are not the same."], status=400))
        user = use_first_token(token, password=password, at=at)
    except FirstLinkGone:
        return _private(show_page(request, "tipstaff/auth/first_gone.html", status=410))
    except ValidationError as why:
        return _private(show_page(request, page, name=name, troubles=why.messages, status=400))
    # The link stands for the password alone: who has a second factor shows it as well.
    return HttpResponseRedirect(after_first_factor(request, user, how="one-time link", onward="", at=at))


def _private(response: HttpResponse) -> HttpResponse:
    response["Referrer-Policy"] = "no-referrer"
    return response
