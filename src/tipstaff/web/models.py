"""What the web room remembers: links for a first log-in, failed log-ins, tokens. Private to this room."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class FirstLink(models.Model):
    """A one-time link by which a member of staff sets a password. Only its digest is kept."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class FailedLogin(models.Model):
    """One failed attempt. The name is kept as a digest: people type passwords into the wrong field."""

    who = models.CharField(max_length=64)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["who", "address", "at"], name="web_failed_who"),
            models.Index(fields=["address", "at"], name="web_failed_address"),
        )


class Token(models.Model):
    """A key by which a program acts in its owner's name. Only its digest is kept."""

    key = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    scopes = ArrayField(models.CharField(max_length=32))
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=150, default="")


class Pace(models.Model):
    """How much of what it may ask a token or an address has used. A row that is past is the same as none."""

    who = models.CharField(max_length=64, primary_key=True)
    used_up_to = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["used_up_to"], name="web_pace_past"),)
