"""A customer's webhooks at the portal: where programs of theirs are told of their own cases, and how each does.

Only managers keep them, and only a log-in of a moment ago makes or forgets one. What is sent is chosen in
`procedures.hooks_of_customers`; where it may go, by the settings.
"""

import re
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.host.outward import NotAllowed
from tipstaff.procedures import hooks
from tipstaff.procedures.hooks_of_customers import OWN_EVENTS
from tipstaff.webhooks import queries
from tipstaff.words import Customer, Webhook

from .. import pace
from ..asked import asked_text
from ..models import PortalPerson
from ..said import Sentence, language_of, say
from ..sessions import is_fresh
from .account import PersonRequest, inside, managed, show_inside
from .people import PortalRole

SHOWN, URL_MAX, A_MINUTE = 50, 500, 10
_STATUS = re.compile(r"[1-5][0-9]{2}")
"""All that is kept of what a customer's program answered. A failure's words may begin with digits: a host's name."""


def make_for(
    customer: Customer, *, url: str, events: list[str], by: PortalPerson
) -> tuple[Webhook, str]:  # fmt: skip
    """A new webhook, and its secret, which is shown this once. Raise a Sentence."""
    pace_of(by)
    try:
        return hooks.make(
            url, events=events, outward=wiring.outward_to_customers(), seal=wiring.seal_secret, at=wiring.now(),
            actor=f"customer ({by.email})", customer=customer.key,
        )  # fmt: skip
    except NotAllowed as why:
        # Which addresses a name has inside is nobody's business: no more is said.
        raise Sentence("Nothing may be sent to that address: it takes https to a host that we allow.") from why
    except hooks.NoSuchEvent as why:
        raise Sentence("Choose what it is told of.") from why
    except hooks.TooManyWebhooks as why:
        raise Sentence("There are {count} already; forget one first.", count=hooks.HOOKS_MAX) from why


DONE: Mapping[str, str] = {
    "try": "A message that tells of nothing is on its way; below stands what it is answered.",
    "on": "It is on; what waited goes out.",
    "off": "It is off; what happened in the last seven days is told once it is on again.",
    "again": "It goes out once more, under the same id.",
    "forget": "It is gone, with what waited for it.",
}
"""What may be done to one, and what is said then."""


def act_on(webhook: Webhook, action: str, *, number: int = 0, by: PortalPerson) -> None:
    """Try one, switch it on or off, send something (`number`) again, or forget it. Raise a Sentence."""
    key, at, actor = webhook.key, wiring.now(), f"customer ({by.email})"
    pace_of(by)
    try:
        match action:
            case "try":
                hooks.try_webhook(key, at=at, actor=actor)
            case "on" | "off":
                hooks.switch(key, on=action == "on", at=at, actor=actor)
            case "again":
                hooks.send_again(key, number, at=at)
            case "forget":
                hooks.forget_webhook(key, at=at, actor=actor)
    except hooks.WebhookIsOff as why:
        raise Sentence("It is off: switch it on first.") from why
    except (hooks.NoSuchWebhook, hooks.NoSuchDispatch) as why:
        raise Sentence("It is gone already.") from why


def told_of(webhook: Webhook) -> list[dict[str, Any]]:
    """What was sent to one or waits to be, newest first: how it stands, and the number that it was answered by. What
    else we know of a failure says something of our own network."""
    sent = [hooks.told(one) for one in queries.list_dispatches(webhook.key, limit=SHOWN)]
    return [
        {
            **{name: one[name] for name in ("number", "id", "event", "at", "state", "attempts", "due_at", "taken_at")},
            "status": int(one["said"]) if _STATUS.fullmatch(one["said"]) else None,
        }
        for one in sent
    ]  # fmt: skip


def pace_of(person: PortalPerson) -> None:
    if pace.use("own webhooks", str(person.pk), quota=A_MINUTE, at=wiring.now()).wait_seconds:
        raise Sentence("Too many at once. Try again in a minute.")


@require_safe
@inside
def webhooks(request: PersonRequest, customer: str) -> HttpResponse:
    account, _ = managed(request, customer, PortalRole.MANAGES)
    return _page(request, account)


@never_cache
@require_POST
@inside
@sensitive_variables("secret")
def make(request: PersonRequest, customer: str) -> HttpResponse:
    """Tell a program of theirs from now on, and show its secret this once."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    if not _fresh(request):
        return redirect("account:log_in")
    try:
        made, secret = make_for(
            account, url=asked_text(request.POST, "url", characters_max=URL_MAX),
            events=request.POST.getlist("event")[: len(OWN_EVENTS)], by=request.person,
        )  # fmt: skip
    except Sentence as why:
        messages.error(request, why.said(_language(request)))
        return redirect("account:webhooks", account.key)
    return _page(request, account, made=made, secret=secret)


@require_safe
@inside
def webhook(request: PersonRequest, customer: str, key: str) -> HttpResponse:
    """One of them, and what was sent to it or waits to be, newest first."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    found = _found(account, key)
    return show_inside(
        request, "tipstaff/portal/webhook.html", customer=account, webhook=found, sent=told_of(found)
    )  # fmt: skip


@require_POST
@inside
def act(request: PersonRequest, customer: str, key: str, action: str) -> HttpResponse:
    account, _ = managed(request, customer, PortalRole.MANAGES)
    found = _found(account, key)
    if action == "forget" and not _fresh(request):
        return redirect("account:log_in")
    if action not in DONE:
        raise Http404(action)
    number = asked_text(request.POST, "number", characters_max=18)
    try:
        act_on(found, action, number=int(number) if number.isdecimal() else 0, by=request.person)
        messages.success(request, say(_language(request), DONE[action]))
    except Sentence as why:
        messages.error(request, why.said(_language(request)))
    if action == "forget":
        return redirect("account:webhooks", account.key)
    return redirect("account:webhook", account.key, found.key)


def _found(account: Customer, key: str) -> Webhook:
    found = queries.get_webhook(key, customer=account.key)
    if found is None:
        raise Http404(key)
    return found


def _fresh(request: PersonRequest) -> bool:
    if is_fresh(request, at=wiring.now()):
        return True
    messages.error(request, say(_language(request), "Log in again for that: a screen left open is not enough."))
    return False


def _language(request: PersonRequest) -> str:
    return language_of(request, otherwise=request.person.language)


def _page(
    request: PersonRequest, account: Customer, *, made: Webhook | None = None, secret: str = ""
) -> HttpResponse:  # fmt: skip
    return show_inside(
        request, "tipstaff/portal/webhooks.html", customer=account, made=made, secret=secret, events=OWN_EVENTS,
        webhooks=queries.list_webhooks(customer=account.key), allowed=bool(wiring.settings().portal.webhook_hosts),
    )  # fmt: skip
