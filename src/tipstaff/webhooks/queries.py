"""Reads of the webhooks room."""

from datetime import datetime

from django.db.models import Window
from django.db.models.functions import RowNumber

from tipstaff.words import Dispatch, Webhook

from .models import DispatchRow, WebhookRow
from .rows import counted, dispatch_of, webhook_of


def list_webhooks(*, customer: str | None = None) -> list[Webhook]:
    """All of them, or a customer's, the oldest first."""
    rows = counted() if customer is None else counted().filter(customer=customer)
    return [webhook_of(row) for row in rows.order_by("id")]


def get_webhook(key: str, *, customer: str | None = None) -> Webhook | None:
    """One of them; None too where it is not this customer's."""
    rows = counted().filter(key=key)
    row = (rows if customer is None else rows.filter(customer=customer)).first()
    return webhook_of(row) if row else None


def customers_on(*, event: str = "") -> frozenset[str]:
    """The customers of whom some webhook is on; only those that are told of this event, where one is given."""
    rows = WebhookRow.objects.filter(on=True).exclude(customer="")
    return frozenset((rows.filter(events__contains=[event]) if event else rows).values_list("customer", flat=True))


def sealed_secret(key: str) -> bytes:
    """Its secret as it is kept; raise KeyError for a webhook that is gone."""
    found = WebhookRow.objects.filter(key=key).values_list("secret", flat=True).first()
    if found is None:
        raise KeyError(key)
    return bytes(found)


def any_on() -> bool:
    return WebhookRow.objects.filter(on=True).exists()


def told_to() -> int | None:
    """The place in the record's chain from which some webhook that is on wants to be told; None when none is on."""
    return WebhookRow.objects.filter(on=True).order_by("told_to").values_list("told_to", flat=True).first()


def list_dispatches(webhook: str, *, before: int | None = None, limit: int = 50) -> list[Dispatch]:
    """What was sent to one, or waits to be, newest first; `before` is the last number of the page before."""
    rows = DispatchRow.objects.filter(webhook__key=webhook).select_related("webhook").order_by("-id")
    return [dispatch_of(row) for row in (rows.filter(id__lt=before) if before is not None else rows)[:limit]]


def due(at: datetime, *, limit: int) -> list[int]:
    """Numbers of dispatches whose attempt is due, of webhooks that are on: those that work first, then in order.

    After the operator's own come those of customers, each customer's first before anybody's second.
    """
    rows = DispatchRow.objects.filter(webhook__on=True, due_at__lte=at)
    own = list(rows.filter(webhook__customer="").order_by("attempts", "id").values_list("id", flat=True)[:limit])
    turn = Window(RowNumber(), partition_by="webhook__customer", order_by=["attempts", "id"])
    theirs = rows.exclude(webhook__customer="").annotate(turn=turn).order_by("turn", "attempts", "id")
    return own + list(theirs.values_list("id", flat=True)[: limit - len(own)])
