"""Rows of the record. Private to this room; PostgreSQL refuses to change or delete them (0001_initial)."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Entry(models.Model):
    at = models.DateTimeField()
    what = models.CharField(max_length=64)
    actor = models.CharField(max_length=150)
    about = ArrayField(models.CharField(max_length=128))
    detail = models.JSONField()
    digest = models.CharField(max_length=64)

    class Meta:
        indexes = (GinIndex(fields=["about"], name="ledger_entry_about", fastupdate=False),)


class Link(models.Model):
    """An entry's place in the sealed chain: `chain` = SHA-256(chain before || entry digest)."""

    seq = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="link")
    chain = models.CharField(max_length=64)


class EvidenceRow(models.Model):
    """Bytes as they came, compressed; sealed ones encrypted. Named by the SHA-256 of what was received."""

    digest = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    received_at = models.DateTimeField()
    channel = models.CharField(max_length=8)
    sender = models.TextField()
    recipients = ArrayField(models.TextField())
    sealed = models.BooleanField(default=False)
    content = models.BinaryField()
    stripped = models.JSONField(default=list)

    class Meta:
        indexes = (models.Index(fields=["received_at"], name="ledger_evidence_received"),)
