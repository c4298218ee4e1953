"""Rows of sightings. Private to this room."""

from django.db import models

from tipstaff.words.sightings import LEFT_TO_PERSON

LEFT = models.Q(
    disposition__in=[str(each) for each in LEFT_TO_PERSON], case__isnull=True, done_at__isnull=True
)  # fmt: skip
"""Rows that wait for a person."""


class SightingRow(models.Model):
    """One sighting. What was handed in never changes; what became of it is said once it is judged."""

    key = models.CharField(max_length=24, unique=True)
    sensor = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    """The sensor's own name for it."""
    digest = models.CharField(max_length=64)
    """SHA-256 (hex) over its content: the same name with another content is refused."""
    evidence = models.CharField(max_length=64)
    line = models.PositiveIntegerField()
    received_at = models.DateTimeField()
    kind = models.CharField(max_length=100)
    type = models.CharField(max_length=64, blank=True)
    moment_at = models.DateTimeField()
    moment_error_seconds = models.FloatField()
    source = models.GenericIPAddressField(null=True)
    source_port = models.IntegerField(null=True)
    url = models.TextField(null=True)
    domain = models.TextField(null=True)
    account = models.CharField(max_length=64, null=True)
    protocol = models.CharField(max_length=16, null=True)
    target = models.TextField(null=True)
    target_port = models.IntegerField(null=True)
    facts = models.JSONField(default=dict)
    excerpt = models.TextField(blank=True)

    disposition = models.CharField(max_length=32, null=True)
    reason = models.CharField(max_length=64, blank=True)
    case = models.CharField(max_length=24, null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.TextField(blank=True)
    done_why = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["sensor", "name"], name="sensors_sighting_once"),)
        indexes = (
            models.Index(fields=["source", "moment_at"], name="sensors_sighting_source"),
            models.Index(
                fields=["account", "kind"], name="sensors_sighting_account", condition=models.Q(account__isnull=False)
            ),
            models.Index(fields=["case"], name="sensors_sighting_case", condition=models.Q(case__isnull=False)),
            models.Index(fields=["id"], name="sensors_sighting_waits", condition=models.Q(disposition__isnull=True)),
            models.Index(fields=["disposition", "-id"], name="sensors_sighting_became"),
            models.Index(fields=["id"], name="sensors_sighting_left", condition=LEFT),
        )


class RetestRow(models.Model):
    """One look at an address of a customer's before its case closes: asked for, begun, and what it showed."""

    key = models.CharField(max_length=24, unique=True)
    case = models.CharField(max_length=24)
    customer = models.CharField(max_length=64)
    clause = models.CharField(max_length=100)
    address = models.GenericIPAddressField()
    protocol = models.CharField(max_length=8)
    port = models.PositiveIntegerField()
    check_name = models.CharField(max_length=32)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    """Not before then."""
    tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    found = models.CharField(max_length=16, blank=True)
    said = models.TextField(blank=True)
    found_at = models.DateTimeField(null=True)
    evidence = models.CharField(max_length=64, blank=True)
    sighting = models.CharField(max_length=24, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["case", "address", "protocol", "port", "asked_at"], name="sensors_retest_once"
            ),
        )
        indexes = (
            models.Index(fields=["case"], name="sensors_retest_case"),
            models.Index(fields=["due_at"], name="sensors_retest_waits", condition=models.Q(found="")),
            models.Index(fields=["sent_at"], name="sensors_retest_sent"),
        )
