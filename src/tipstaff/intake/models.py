"""Rows of the intake room. Private to it: what leaves the room are the values of `words` (see rows.py).

Texts that came from outside are indexed by hash: such an index has no limit of length, a B-tree's entry has one
(about 2,700 octets), and a reporter must not be able to make a row that cannot be stored.
"""

from django.contrib.postgres.indexes import GinIndex, HashIndex
from django.contrib.postgres.search import SearchVector
from django.db import models

_CODE = 32
"""Room for the longest value of an enum."""


class ReportRow(models.Model):
    """One complaint; `decided` is true once a person or a procedure set its outcome itself."""

    key = models.CharField(max_length=24, unique=True)
    evidence = models.CharField(max_length=64, unique=True)
    received_at = models.DateTimeField()
    channel = models.CharField(max_length=8)
    sender = models.TextField()
    outcome = models.CharField(max_length=_CODE)
    outcome_reason = models.TextField(blank=True)
    decided = models.BooleanField(default=False)
    first_n = models.PositiveIntegerField(default=1)
    """Number of its first incident: those of a reading that a person replaced are gone, their numbers stay used."""

    read_at = models.DateTimeField(null=True)
    reading_outcome = models.CharField(max_length=_CODE, blank=True)
    reading_reason = models.CharField(max_length=_CODE, blank=True)
    peer = models.CharField(max_length=45, blank=True)
    """The address that handed the mail over, where no server of ours was between."""
    authenticated = models.BooleanField(null=True)
    authentication = models.JSONField(default=dict)
    """What was found of DKIM, SPF, ARC and DMARC; empty where nothing was checked."""
    parser = models.TextField(blank=True)
    detail = models.TextField(blank=True)
    reporter_address = models.TextField(blank=True)
    reporter_name = models.TextField(blank=True)
    reporter_reference = models.TextField(blank=True)
    reporter_message_id = models.TextField(blank=True)
    reporter_subject = models.TextField(blank=True)
    reporter_language = models.CharField(max_length=8, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=["outcome", "-id"], name="intake_report_outcome"),
            models.Index(fields=["received_at"], name="intake_report_received"),
            models.Index(fields=["id"], name="intake_report_unread", condition=models.Q(read_at__isnull=True)),
            HashIndex(fields=["sender"], name="intake_report_sender"),
            HashIndex(fields=["reporter_address"], name="intake_report_reporter"),
            HashIndex(fields=["reporter_reference"], name="intake_report_reference"),
            HashIndex(fields=["reporter_message_id"], name="intake_report_message_id"),
            GinIndex(SearchVector("reporter_subject", "detail", config="simple"), name="intake_report_words"),
        )


class HandedInRow(models.Model):
    """What a program or a form was answered under one of its own keys, so that asking again changes nothing."""

    who = models.CharField(max_length=100)
    key = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    answer = models.JSONField(default=dict)
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["who", "key"], name="intake_handed_in_once"),)


class FetchedRow(models.Model):
    """What is known of a feed or mailbox: what was seen of it, when it was last looked at, and what went wrong."""

    name = models.CharField(max_length=120, unique=True)
    state = models.JSONField(default=dict)
    looked_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    trouble = models.TextField(blank=True)
    next_at = models.DateTimeField(null=True)


class IncidentRow(models.Model):
    """One allegation of a report: the fields that are looked up as columns, all others in `rest`."""

    report = models.ForeignKey(ReportRow, on_delete=models.PROTECT, related_name="incidents", db_index=False)
    n = models.PositiveIntegerField()
    received_at = models.DateTimeField()
    """The report's, repeated here so that one index finds earlier reports of the same event."""

    type = models.TextField()
    source = models.GenericIPAddressField(null=True)
    source_port = models.IntegerField(null=True)
    url = models.TextField(null=True)
    domain = models.TextField(null=True)
    moment_at = models.DateTimeField(null=True)
    moment_error_seconds = models.FloatField(null=True)
    moment_zone_stated = models.BooleanField(null=True)
    excerpt = models.TextField(blank=True)
    confidence = models.FloatField()
    rest = models.JSONField(default=dict)
    site = models.CharField(max_length=255, blank=True)
    """Host name of `domain` or `url`, labels from the right (`net.example.www`), so that a prefix finds its zone."""

    outcome = models.CharField(max_length=_CODE)
    reason = models.TextField(blank=True)
    case = models.CharField(max_length=24, null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["report", "n"], name="intake_incident_place"),)
        indexes = (
            models.Index(fields=["report", "outcome", "n"], name="intake_incident_outcome"),
            models.Index(fields=["case"], name="intake_incident_case", condition=models.Q(case__isnull=False)),
            models.Index(fields=["source", "received_at"], name="intake_incident_source"),
            models.Index(fields=["source", "moment_at"], name="intake_incident_moment"),
            models.Index(fields=["received_at"], name="intake_incident_received"),
            models.Index(fields=["site"], name="intake_incident_site", opclasses=["varchar_pattern_ops"]),
            HashIndex(fields=["url"], name="intake_incident_url"),
            HashIndex(fields=["domain"], name="intake_incident_domain"),
            GinIndex(SearchVector("excerpt", config="simple"), name="intake_incident_words"),
        )
