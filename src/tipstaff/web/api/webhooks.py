"""Webhooks by the API: where the operator's own programs are told what happens."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool

from tipstaff import wiring
from tipstaff.procedures import hooks
from tipstaff.webhooks import queries
from tipstaff.words import Webhook

from ..roles import Ability
from .auth import Able
from .pages import Cursor, IfMatch, Limit, opened_number, page, plain, seen, with_etag

router = Router(tags=["webhooks"])
_T = TypeVar("_T")
Number = Annotated[int, Path(ge=0, le=2**63 - 1)]


class WebhookOut(Schema):
    """Where events are sent. Its secret is not in it."""

    key: str
    customer: str
    """Whose account it belongs to; empty is the operator's own."""
    url: str
    events: list[str]
    on: bool
    note: str
    made_at: datetime
    made_by: str
    failing_since: datetime | None
    waiting: int


class WebhookIn(Schema):
    """A webhook to be made."""

    url: Annotated[str, Field(max_length=2000)]
    events: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=50)]
    """Kinds of entries of the record (`case.opened`), or `case.*`, `letter.*`, `measure.*`, `device.*`."""


class WebhookMadeOut(Schema):
    """A new webhook, with the secret that its messages are signed with: it is shown this once."""

    webhook: WebhookOut
    secret: str | None
    """None where the same request comes again under the same Idempotency-Key."""


class SwitchIn(Schema):
    on: StrictBool


class DispatchOut(Schema):
    """One event on its way, or taken."""

    number: int
    id: str
    event: str
    at: datetime
    state: Literal["waits", "taken", "given_up"]
    attempts: int
    due_at: datetime | None
    taken_at: datetime | None
    said: str


@router.get("", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=list[WebhookOut])
def list_webhooks(request: HttpRequest) -> list[WebhookOut]:
    """All webhooks, the oldest first."""
    return [_out(webhook) for webhook in queries.list_webhooks()]


@router.post("", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=WebhookMadeOut)
def make_webhook(request: HttpRequest, asked: WebhookIn) -> dict[str, Any]:
    """Send events to an address of the operator's from now on, signed with a secret that is shown this once."""
    made, secret = _said(
        lambda: hooks.make(
            asked.url, events=asked.events, outward=wiring.outward(), seal=wiring.seal_secret, at=wiring.now(),
            actor=request.user.get_username(),
        )
    )  # fmt: skip
    return {"webhook": _out(made), "secret": secret}


@router.get("/{key}", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=WebhookOut)
def get_webhook(request: HttpRequest, response: HttpResponse, key: str) -> WebhookOut:
    """One webhook, with why it is off or what went wrong last; an act on it may send its ETag as `If-Match`."""
    return with_etag(response, _out(_found(key)))


@router.delete("/{key}", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response={204: None})
def forget_webhook(request: HttpRequest, key: str, if_match: IfMatch = "") -> HttpResponse:
    """Take it away, with whatever waits for it."""
    seen(_out(_found(key)), if_match, what="webhook", needed=False)
    who, at = request.user.get_username(), wiring.now()
    _said(lambda: hooks.forget_webhook(_found(key).key, at=at, actor=who))
    return HttpResponse(status=204)


@router.post("/{key}/switch", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=WebhookOut)
def switch_webhook(request: HttpRequest, key: str, asked: SwitchIn, if_match: IfMatch = "") -> WebhookOut:
    """Switch it on or off; what waits goes out once it is on again."""
    seen(_out(_found(key)), if_match, what="webhook", needed=False)
    who, at = request.user.get_username(), wiring.now()
    return _out(_said(lambda: hooks.switch(_found(key).key, on=asked.on, at=at, actor=who)))


@router.post("/{key}/try", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=DispatchOut)
def try_webhook(request: HttpRequest, key: str) -> DispatchOut:
    """Send a message of the kind `webhook.tried`, which tells of nothing, to see whether it is taken."""
    who, at = request.user.get_username(), wiring.now()
    return DispatchOut(**hooks.told(_said(lambda: hooks.try_webhook(_found(key).key, at=at, actor=who))))


@router.get("/{key}/dispatches", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=list[DispatchOut])
def list_dispatches(
    request: HttpRequest, response: HttpResponse, key: str, cursor: Cursor = "", limit: Limit = 50
) -> list[DispatchOut]:  # fmt: skip
    """What was sent to it or waits to be, newest first, in pages. What was taken is kept for 30 days."""
    found = queries.list_dispatches(_found(key).key, before=opened_number(cursor), limit=limit + 1)
    shown = page(request, response, found, limit=limit, last=lambda one: str(one.number))
    return [DispatchOut(**hooks.told(one)) for one in shown]


@router.post("/{key}/dispatches/{number}/again", auth=Able(Ability.KEEP_WEBHOOKS, "webhooks"), response=DispatchOut)
def dispatch_again(request: HttpRequest, key: str, number: Number) -> DispatchOut:
    """Send one once more, under the same `webhook-id`."""
    return DispatchOut(**hooks.told(_said(lambda: hooks.send_again(_found(key).key, number, at=wiring.now()))))


def _found(key: str) -> Webhook:
    found = queries.get_webhook(plain(key))
    if found is None:
        raise HttpError(404, f"There is no webhook {plain(key)}.")
    return found


def _said(act: Callable[[], _T]) -> _T:
    try:
        return act()
    except (hooks.NoSuchWebhook, hooks.NoSuchDispatch) as why:
        raise HttpError(404, str(why)) from why
    except hooks.WebhookIsOff as why:
        raise HttpError(409, str(why)) from why
    except (hooks.NotAllowed, hooks.NoSuchEvent) as why:
        raise HttpError(422, str(why)) from why


def _out(webhook: Webhook) -> WebhookOut:
    return WebhookOut(**{name: getattr(webhook, name) for name in WebhookOut.model_fields})
