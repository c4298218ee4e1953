"""Rows of webhooks and what is sent to them. Private to this room."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class WebhookRow(models.Model):
    key = models.CharField(max_length=16, unique=True)
    customer = models.CharField(max_length=64, default="")
    """Whose account it belongs to; empty is the operator's own."""
    url = models.TextField()
    events = ArrayField(models.CharField(max_length=64))
    secret = models.BinaryField()
    """Sealed for the worker; only its key file opens it."""
    on = models.BooleanField(default=True)
    note = models.TextField(default="")
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    told_to = models.BigIntegerField()
    """Place in the record's chain up to which dispatches were made."""
    failing_since = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["customer"], condition=~Q(customer=""), name="webhooks_webhook_customer"),)


class DispatchRow(models.Model):
    webhook = models.ForeignKey(WebhookRow, on_delete=models.CASCADE, related_name="dispatches")
    seq = models.BigIntegerField()
    message = models.CharField(max_length=40)
    event = models.CharField(max_length=64)
    body = models.TextField()
    at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    said = models.TextField(default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["webhook", "seq"], name="webhooks_dispatch_once"),)
        indexes = (
            models.Index(fields=["due_at", "id"], condition=Q(due_at__isnull=False), name="webhooks_dispatch_due"),
            models.Index(fields=["webhook"], condition=Q(taken_at__isnull=True), name="webhooks_dispatch_untaken"),
            models.Index(fields=["taken_at"], condition=Q(taken_at__isnull=False), name="webhooks_dispatch_taken"),
            models.Index(fields=["webhook", "-id"], name="webhooks_dispatch_of"),
        )
