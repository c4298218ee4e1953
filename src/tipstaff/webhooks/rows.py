"""Rows as words."""

from django.db.models import Count, Q, QuerySet

from tipstaff.words import Dispatch, Webhook

from .models import DispatchRow, WebhookRow


def counted() -> QuerySet[WebhookRow]:
    return WebhookRow.objects.annotate(waiting=Count("dispatches", filter=Q(dispatches__taken_at=None)))


def webhook_of(row: WebhookRow) -> Webhook:
    """The row as a word; `counted` has it with how many wait."""
    return Webhook(
        key=row.key, url=row.url, events=tuple(row.events), on=row.on, note=row.note, made_at=row.made_at,
        made_by=row.made_by, failing_since=row.failing_since, waiting=getattr(row, "waiting", 0), customer=row.customer,
    )  # fmt: skip


def dispatch_of(row: DispatchRow) -> Dispatch:
    return Dispatch(
        number=row.pk, webhook=row.webhook.key, id=row.message, event=row.event, body=row.body, at=row.at,
        attempts=row.attempts, due_at=row.due_at, taken_at=row.taken_at, said=row.said,
    )  # fmt: skip
