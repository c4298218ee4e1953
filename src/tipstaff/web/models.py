"""What the web room remembers: links for a first log-in, factors, sessions, failed log-ins, tokens. Private to it."""

from datetime import datetime
from typing import Literal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from tipstaff.words import Answer


class FirstLink(models.Model):
    """A one-time link by which a member of staff sets a password. Only its digest is kept."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class Factor(models.Model):
    """What somebody has besides a password: a passkey, or an app that shows codes (TOTP). `who` is `staff:3`."""

    who = models.CharField(max_length=64)
    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=60)
    credential = models.CharField(max_length=1400, default="")
    """A passkey's id; empty for a TOTP key."""
    kept = models.BinaryField()
    """A passkey's public key, or a TOTP key, sealed."""
    counter = models.BigIntegerField(default=0)
    """The time step of the last code, or the last count of the passkey: neither comes twice."""
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["who"], name="web_factor_who"),)
        constraints = (
            models.UniqueConstraint(
                fields=["credential"], condition=~models.Q(credential=""), name="web_factor_credential"
            ),
            models.UniqueConstraint(fields=["who"], condition=models.Q(kind="totp"), name="web_factor_one_totp"),
        )


class RecoveryCode(models.Model):
    """One of the codes that stand in for a lost factor, once each. Only its digest, made with our key, is kept."""

    who = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["who", "digest"], name="web_recovery_code"),)


class Session(models.Model):
    """A log-in that stands: where and how it was made, and when it was used last."""

    key = models.CharField(max_length=40, unique=True)
    who = models.CharField(max_length=64)
    how = models.CharField(max_length=60)
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=200)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["who"], name="web_session_who"),)


class CompanyLink(models.Model):
    """Which account somebody is whom the operator's identity provider knows: its own number for them, never a name."""

    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["issuer", "subject"], name="web_companylink_subject"),
            models.UniqueConstraint(fields=["issuer", "user"], name="web_companylink_user"),
        )


class StaffReader(models.Model):
    """How a member of staff wants times written on the pages that they read."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", primary_key=True)
    timezone = models.CharField(max_length=64, default="UTC")
    dates = models.CharField(max_length=8, default="")
    """The language that dates are written in; empty is `2026-11-23`."""


class PortalPerson(models.Model):
    """Somebody of a customer's who logs in at the portal. What they may see is looked up at each request."""

    email = models.CharField(max_length=254, unique=True)
    """In small letters."""
    language = models.CharField(max_length=16, default="en")
    made_at = models.DateTimeField()
    links = models.PositiveIntegerField(default=0)
    """How many links were made; only the last one opens, until it was used."""
    link_made_at = models.DateTimeField(null=True)
    entered_at = models.DateTimeField(null=True)
    shown_at: datetime | None = None
    """When the log-in, link or token was made by which they are here now; in no column. It opens no customer who let
    them in only later."""


class PersonLink(models.Model):
    """Which of the customers' people somebody is whom their identity provider knows: its own number for them, never a
    name or a mail address."""

    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    person = models.ForeignKey(PortalPerson, on_delete=models.CASCADE, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["issuer", "subject"], name="web_personlink_subject"),
            models.UniqueConstraint(fields=["issuer", "person"], name="web_personlink_person"),
        )


class Membership(models.Model):
    """Somebody whom a customer's own people let in, and how far."""

    person = models.ForeignKey(PortalPerson, on_delete=models.CASCADE, related_name="memberships")
    customer = models.CharField(max_length=64)
    role = models.CharField(max_length=16)
    invited_by = models.CharField(max_length=254)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["customer"], name="web_membership_customer"),)
        constraints = (
            models.UniqueConstraint(
                fields=["person", "customer"], condition=models.Q(ended_at=None), name="web_membership_one"
            ),
        )


class ProposedContact(models.Model):
    """An address that a customer's people propose as a contact; it becomes one when its reader agrees."""

    customer = models.CharField(max_length=64)
    email = models.CharField(max_length=254)
    """In small letters."""
    name = models.CharField(max_length=100)
    phone = models.CharField(max_length=40, default="")
    language = models.CharField(max_length=16)
    timezone = models.CharField(max_length=64)
    proposed_by = models.CharField(max_length=254)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    """When its reader agreed, or it was taken back."""

    class Meta:
        indexes = (models.Index(fields=["customer"], name="web_proposed_customer"),)
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "email"], condition=models.Q(ended_at=None), name="web_proposed_one"
            ),
        )


class ProposedKey(models.Model):
    """A key that a contact gave for their letters; it is used once they have opened a letter that is closed by it."""

    customer = models.CharField(max_length=64)
    email = models.CharField(max_length=254)
    """The contact's, in small letters."""
    openpgp_key = models.TextField(default="")
    smime_certificate = models.TextField(default="")
    """One of the two."""
    says = models.TextField()
    """Whose it says it is, and until when."""
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    """When it was shown to be theirs, or another took its place."""

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["customer", "email"], condition=models.Q(ended_at=None), name="web_proposed_key_one"
            ),
        )

    @property
    def kind(self) -> Literal["OpenPGP", "S/MIME"]:
        return "S/MIME" if self.smime_certificate else "OpenPGP"


class Brand(models.Model):
    """How a reseller looks on pages for its own customers."""

    customer = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=80)
    mark = models.CharField(max_length=12, default="")
    """A few letters in place of a logo."""
    colour = models.CharField(max_length=8, default="grey")
    contact = models.CharField(max_length=200, default="")


class Forward(models.Model):
    """A case, or some places of it, that a reseller passed on to a customer of theirs."""

    case = models.CharField(max_length=32)
    reseller = models.CharField(max_length=64)
    to_name = models.CharField(max_length=100)
    email = models.CharField(max_length=254)
    language = models.CharField(max_length=16)
    places = ArrayField(models.CharField(max_length=2000))
    note = models.CharField(max_length=2000, default="")
    made_by = models.CharField(max_length=254)
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    """When it was taken back: its link opens nothing then."""
    answer = models.CharField(max_length=16, default="")
    words = models.TextField(default="")
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["case"], name="web_forward_case"),)

    @property
    def answered(self) -> Answer | None:
        return Answer(self.answer) if self.answer else None


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


class AnyToken(models.Model):
    """A key by which a program asks in somebody's name. Only its digest is kept."""

    key = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def stands(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at


class Token(AnyToken):
    """One of a member of staff's."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    scopes = ArrayField(models.CharField(max_length=32))
    revoked_by = models.CharField(max_length=150, default="")


class PortalToken(AnyToken):
    """One of somebody's of a customer's."""

    person = models.ForeignKey(PortalPerson, on_delete=models.CASCADE, related_name="+")
    scopes = ArrayField(models.CharField(max_length=16))


class Pace(models.Model):
    """How much of what it may ask a token or an address has used. A row that is past is the same as none."""

    who = models.CharField(max_length=64, primary_key=True)
    used_up_to = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["used_up_to"], name="web_pace_past"),)
