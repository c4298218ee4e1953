"""Rows of editions and acceptances. Private to this room; PostgreSQL refuses to change what was posted (0002)."""

from django.db import models
from django.db.models import F, Q

from tipstaff.words import EditionState


class EditionRow(models.Model):
    """One edition with its files."""

    name = models.CharField(max_length=32)
    """`2026-07`. A draft may be given up and written anew under its name; only one is ever posted under it."""
    digest = models.CharField(max_length=64, unique=True)
    title = models.TextField()
    files = models.JSONField()
    """{name: text}, exactly those of the digest."""
    state = models.CharField(max_length=16, choices=[(state.value, state.value) for state in EditionState])
    drafted_by = models.CharField(max_length=150)
    drafted_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, default="")
    approved_at = models.DateTimeField(null=True)
    significant = models.BooleanField(default=True)
    compiled_at = models.DateTimeField(null=True)
    effects = models.JSONField(default=dict)
    announced_at = models.DateTimeField(null=True)
    posted_by = models.CharField(max_length=150, default="")
    posted_at = models.DateTimeField(null=True)
    effective_at = models.DateTimeField(null=True)
    adopted = models.BooleanField(default=False)
    """It came with the installation, before there was a record: nobody drafted or approved it here."""

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["name"], condition=~Q(state="withdrawn"), name="editions_edition_one_of_a_name"
            ),
            models.CheckConstraint(
                condition=Q(approved_by="") | ~Q(approved_by=F("drafted_by")), name="editions_edition_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state="posted")
                | Q(posted_at__isnull=False, effective_at__isnull=False)
                & (Q(adopted=True) | Q(approved_at__isnull=False, compiled_at__isnull=False)),
                name="editions_edition_posted_went_all_its_way",
            ),
            models.CheckConstraint(
                condition=~Q(state="posted") | Q(adopted=True) | Q(significant=False) | Q(announced_at__isnull=False),
                name="editions_edition_significant_was_announced",
            ),
        )


class AcceptanceRow(models.Model):
    """A customer's first use under an edition."""

    customer = models.CharField(max_length=64)
    edition = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    accepted_at = models.DateTimeField()
    shown_by = models.TextField()

    class Meta:
        constraints = (
            # What a report showed once counts no more (0003), and stands in no real use's way.
            models.UniqueConstraint(
                fields=["customer", "digest"],
                condition=~Q(shown_by__startswith="R-"),
                name="editions_acceptance_once_a_customer",
            ),
        )
        indexes = (models.Index(fields=["digest", "customer"], name="editions_acceptance_digest"),)


class WorkRow(models.Model):
    """The step of an edition that is being carried out, or was last. What it did stands in the record."""

    name = models.CharField(max_length=32, unique=True)
    step = models.CharField(max_length=16)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    done = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True)


class ReplayRow(models.Model):
    """The past judged again under an edition: how far that is, and what was counted."""

    edition = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    place = models.BigIntegerField(default=0)
    totals = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True)


class ReplayPileRow(models.Model):
    """Differences of one part of a replay that are alike, and which they are."""

    replay = models.ForeignKey(ReplayRow, models.CASCADE, related_name="piles")
    alike = models.TextField()
    """What they have in common, as JSON: always the same text for the same."""
    n = models.PositiveIntegerField()
    differences = models.JSONField()
    """A list for each: its key, its customer, when it came in, and the measures in words, which sealing blanks."""
