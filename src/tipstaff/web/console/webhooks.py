"""Webhooks: where the operator's own programs are told what happens, and how each of them does."""

from collections.abc import Callable, Mapping

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures import hooks
from tipstaff.webhooks import queries
from tipstaff.words import Webhook

from ..asked import asked_number, asked_text
from ..roles import Ability, StaffRequest, needs
from .page import show_console

DISPATCHES_SHOWN = 100
REFUSED = (hooks.NoSuchWebhook, hooks.NoSuchDispatch, hooks.NotAllowed, hooks.NoSuchEvent, hooks.WebhookIsOff)


@require_safe
@needs(Ability.KEEP_WEBHOOKS)
def webhooks(request: StaffRequest) -> HttpResponse:
    return _page(request)


@require_POST
@needs(Ability.KEEP_WEBHOOKS)
@sensitive_variables("secret")
def make(request: StaffRequest) -> HttpResponse:
    """Send events to an address from now on, and show its secret this once."""
    try:
        made, secret = hooks.make(
            asked_text(request.POST, "url", characters_max=2000),
            events=asked_text(request.POST, "events", characters_max=4000).split(),
            outward=wiring.outward(), seal=wiring.seal_secret, at=wiring.now(), actor=request.user.get_username(),
        )  # fmt: skip
    except REFUSED as why:
        messages.error(request, str(why))
        return redirect("console:webhooks")
    return _page(request, made=made, secret=secret)


@require_safe
@needs(Ability.KEEP_WEBHOOKS)
def webhook(request: StaffRequest, key: str) -> HttpResponse:
    """One webhook, and what was sent to it or waits to be, newest first."""
    found = queries.get_webhook(key)
    if found is None:
        raise Http404(key)
    before = asked_number(request.GET, "before", otherwise=None)
    sent = [hooks.told(one) for one in queries.list_dispatches(key, before=before, limit=DISPATCHES_SHOWN)]
    return show_console(
        request, "tipstaff/console/webhook.html", here="console:webhooks", webhook=found, sent=sent,
        older=sent[-1]["number"] if len(sent) == DISPATCHES_SHOWN else None,
    )  # fmt: skip


def _try(request: StaffRequest, key: str) -> str:
    hooks.try_webhook(key, at=wiring.now(), actor=request.user.get_username())
    return "A message that tells of nothing is on its way; below stands what it is answered."


def _switch(request: StaffRequest, key: str) -> str:
    on = request.POST.get("on") == "yes"
    hooks.switch(key, on=on, at=wiring.now(), actor=request.user.get_username())
    if on:
        return "It is on; what waited goes out."
    return "It is off; what happened in the last seven days is told once it is on again."


def _again(request: StaffRequest, key: str) -> str:
    number = request.POST.get("number", "")
    if not number.isdecimal() or len(number) > 18:
        raise hooks.NoSuchDispatch("There is no such dispatch.")
    hooks.send_again(key, int(number), at=wiring.now())
    return "It goes out once more, under the same id."


def _forget(request: StaffRequest, key: str) -> str:
    hooks.forget_webhook(key, at=wiring.now(), actor=request.user.get_username())
    return "It is gone, with what waited for it."


ACTS: Mapping[str, Callable[[StaffRequest, str], str]] = {
    "try": _try, "switch": _switch, "again": _again, "forget": _forget,
}  # fmt: skip


@require_POST
@needs(Ability.KEEP_WEBHOOKS)
def act(request: StaffRequest, key: str, action: str) -> HttpResponse:
    """Try one, switch it, send something again, or forget it."""
    if action not in ACTS:
        raise Http404(action)
    try:
        messages.success(request, ACTS[action](request, key))
    except REFUSED as why:
        messages.error(request, str(why))
    if queries.get_webhook(key) is None:
        return redirect("console:webhooks")
    return redirect("console:webhook", key)


def _page(request: StaffRequest, *, made: Webhook | None = None, secret: str = "") -> HttpResponse:
    return show_console(
        request, "tipstaff/console/webhooks.html", here="console:webhooks", webhooks=queries.list_webhooks(),
        hosts=wiring.settings().api.webhook_hosts, made=made, secret=secret,
    )  # fmt: skip
