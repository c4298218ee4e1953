"""Rows of cases. Private to this room."""

from django.db import models


class CaseRow(models.Model):
    key = models.CharField(max_length=16, primary_key=True)
    customer = models.CharField(max_length=64)
    customer_name = models.CharField(max_length=200)
    service = models.CharField(max_length=64, null=True)
    clause = models.CharField(max_length=64)
    group = models.CharField(max_length=64)
    edition = models.CharField(max_length=32)
    type = models.CharField(max_length=64)
    severity = models.SmallIntegerField()
    state = models.CharField(max_length=20)
    outcome = models.CharField(max_length=24, default="none")
    resource = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    extended = models.BooleanField(default=False)
    reports = models.IntegerField(default=0)
    explanation = models.TextField()
    notice = models.CharField(max_length=16)
    ladder = models.JSONField()
    measure_ports = models.JSONField()
    measure_direction = models.CharField(max_length=8, default="both")
    decides = models.CharField(max_length=16, null=True)
    assignee = models.CharField(max_length=150, null=True)
    answer = models.TextField(default="")
    answer_seconds = models.BigIntegerField()
    repeats = models.IntegerField(default=0)
    version = models.IntegerField(default=1)

    class Meta:
        constraints = (
            # Two reports that arrive at once can open one case only; the other joins it.
            models.UniqueConstraint(
                fields=["customer", "group", "service"],
                condition=~models.Q(state__in=["fixed", "closed"]),
                name="cases_one_open_per_customer_group_service",
                nulls_distinct=False,
            ),
        )
        indexes = (
            models.Index(fields=["state", "due_at"], name="cases_state_due"),
            models.Index(fields=["customer", "group", "closed_at"], name="cases_customer_group"),
            models.Index(fields=["-opened_at"], name="cases_opened"),
        )


class MemberRow(models.Model):
    """An incident inside a case; once, however often it is offered."""

    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="members")
    incident = models.CharField(max_length=24, unique=True)
    told_by = models.CharField(max_length=16, null=True)
    """The letter that named what this incident is about to the holder."""
    decides = models.CharField(max_length=16, null=True)
    """Who must decide on a measure against what this incident is about; null leaves it to the clock."""
    waits = models.BooleanField(default=False, db_default=False)
    """A person decides whether the holder is told of it at all."""


class NoteRow(models.Model):
    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    text = models.TextField()


class DecisionRow(models.Model):
    case = models.ForeignKey(CaseRow, on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=32)
    ground = models.TextField()
    detail = models.TextField()
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    seconded_by = models.CharField(max_length=150, null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(seconded_by__isnull=True) | ~models.Q(seconded_by=models.F("proposed_by")),
                name="cases_seconded_by_another",
            ),
        )
