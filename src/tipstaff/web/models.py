"""What the web room remembers: links for a first log-in, and failed log-ins. Private to this room."""

from django.conf import settings
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
