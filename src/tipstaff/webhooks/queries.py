"""Reads of the webhooks room."""

from datetime import datetime

from tipstaff.words import Dispatch, Webhook

from .models import DispatchRow, WebhookRow
from .rows import counted, dispatch_of, webhook_of


def list_webhooks() -> list[Webhook]:
    """All of them, the oldest first."""
    return [webhook_of(row) for row in counted().order_by("id")]


def get_webhook(key: str) -> Webhook | None:
    row = counted().filter(key=key).first()
    return webhook_of(row) if row else None


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
    """Numbers of dispatches whose attempt is due, of webhooks that are on: those that work first, then in order."""
    rows = DispatchRow.objects.filter(webhook__on=True, due_at__lte=at)
    return list(rows.order_by("attempts", "id").values_list("id", flat=True)[:limit])
