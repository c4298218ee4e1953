"""Logging in and out, and the first log-in."""

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from tipstaff import wiring

from . import throttle
from .asked import asked_text
from .first import FirstLinkGone, check_first_token, use_first_token
from .pages import show_page
from .shown import span


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; after five failures the same name waits a quarter of an hour at that address."""
    onward = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(onward, allowed_hosts=None):
        onward = ""
    if request.user.is_authenticated and request.method != "POST":
        return HttpResponseRedirect(onward or settings.LOGIN_REDIRECT_URL)
    page = "tipstaff/auth/log_in.html"
    if request.method != "POST":
        return show_page(request, page, onward=onward)
    name, password = asked_text(request.POST, "username", characters_max=150), request.POST.get("password", "")[:1000]
    at, address = wiring.now(), request.META.get("REMOTE_ADDR") or None
    wait = throttle.seconds_to_wait(name, address=address, at=at)
    if wait:
        trouble = f"Too many attempts. Try again in {span(wait)}."
        response = show_page(request, page, onward=onward, name=name, trouble=trouble, status=429)
        response["Retry-After"] = str(wait)
        return response
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        throttle.count_failure(name, address=address, at=at)
        trouble = "That name and password do not go together."
        return show_page(request, page, onward=onward, name=name, trouble=trouble, status=401)
    throttle.forget_failures(name, address=address)
    auth.login(request, user)
    return HttpResponseRedirect(onward or settings.LOGIN_REDIRECT_URL)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
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
    auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect(reverse("console:home"))


def _private(response: HttpResponse) -> HttpResponse:
    response["Referrer-Policy"] = "no-referrer"
    return response
