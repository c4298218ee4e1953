"""Rows of the restricted legal register. Private to this room; the record holds keys and steps only."""

from django.db import models
from django.db.models import F, Q

from tipstaff.words import MatterKind, MatterState


class ConditionRow(models.Model):
    """One look at one condition of a limit of liability. The last one counts; none is changed."""

    condition = models.CharField(max_length=32)
    met = models.BooleanField()
    shown_by = models.TextField()
    until = models.DateTimeField()
    noted_by = models.CharField(max_length=150)
    noted_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["condition", "-id"], name="legal_condition_last"),)


class MatterRow(models.Model):
    """One matter, from the moment it came in."""

    key = models.CharField(max_length=32, unique=True)
    kind = models.CharField(max_length=16, choices=[(each.value, each.value) for each in MatterKind])
    state = models.CharField(max_length=16, choices=[(each.value, each.value) for each in MatterState])
    clause = models.CharField(max_length=64)
    edition = models.CharField(max_length=32)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    received_at = models.DateTimeField()
    authority = models.TextField(default="")
    reference = models.TextField(default="")
    binding = models.BooleanField(default=False)
    digest = models.CharField(max_length=64, default="")
    report = models.CharField(max_length=32, default="")
    shown = models.JSONField(default=list)
    lacking = models.JSONField(default=list)
    clock = models.CharField(max_length=64, default="")
    due_at = models.DateTimeField(null=True)
    address = models.GenericIPAddressField(null=True)
    port = models.PositiveIntegerField(null=True)
    protocol = models.CharField(max_length=8, default="")
    used_at = models.DateTimeField(null=True)
    error_seconds = models.FloatField(default=1.0)
    url = models.TextField(default="")
    grade = models.CharField(max_length=32, default="")
    reason = models.CharField(max_length=64, default="")
    customer = models.CharField(max_length=64, default="")
    authenticated_by = models.CharField(max_length=150, default="")
    authenticated_how = models.TextField(default="")
    gives = models.JSONField(default=list)
    why = models.TextField(default="")
    decided_by = models.CharField(max_length=150, default="")
    second_by = models.CharField(max_length=150, default="")
    decided_at = models.DateTimeField(null=True)
    ground = models.TextField(default="")
    review_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    told_how = models.TextField(default="")
    handed_at = models.DateTimeField(null=True)
    handed_digest = models.CharField(max_length=64, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["report", "clause"], condition=~Q(report=""), name="legal_matter_one_of_a_report"
            ),
            models.CheckConstraint(
                condition=~Q(kind="identity", state="answered") | ~Q(second_by="") & ~Q(second_by=F("decided_by")),
                name="legal_matter_identity_takes_two_people",
            ),
            models.CheckConstraint(
                condition=Q(ground="") | Q(review_at__isnull=False), name="legal_matter_silence_ends"
            ),
            models.CheckConstraint(
                condition=Q(handed_at__isnull=True) | Q(state="answered"), name="legal_matter_decided_before_handed"
            ),
        )
        indexes = (models.Index(fields=["state", "id"], name="legal_matter_state"),)
