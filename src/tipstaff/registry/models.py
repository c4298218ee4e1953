"""The registry's rows. Private to this room.

A holding, a site, a resource and a standing have columns that only PostgreSQL knows: the ranges that the exclusion
constraints compare (`migrations/0002_holdings.py`, `0004_nothing_is_overwritten.py`).

What is `Kept` is never overwritten: PostgreSQL puts the version that a write replaces or takes away into `PastRow`.
"""

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, IntegerRangeField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now, Upper

from tipstaff.words import AdmissionState, HoldingKind, Origin, ResourceKind, ServiceKind, Standing, Tier

from .fields import AddressField, PrefixField


class ChangeRow(models.Model):
    """One act. It is written last, so no key refers to it by a constraint."""

    id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    origin = models.CharField(max_length=8, choices=[(x.value, x.value) for x in Origin])
    source = models.TextField(default="")
    says = models.JSONField(default=list)
    count = models.BigIntegerField(default=0)
    about = ArrayField(models.CharField(max_length=128), default=list)
    undoes = models.BigIntegerField(null=True)
    undone_by = models.BigIntegerField(null=True)

    class Meta:
        indexes = (GinIndex(fields=["about"], name="registry_change_about"),)


class PastRow(models.Model):
    """A version that is believed no more. Only PostgreSQL's own trigger writes it; nobody may change it."""

    kept_table = models.CharField(max_length=40)
    kept_key = models.TextField()
    body = models.JSONField()
    known_from = models.DateTimeField()
    known_until = models.DateTimeField()
    came_by = models.BigIntegerField(null=True)
    ended_by = models.BigIntegerField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["kept_table", "kept_key"], name="registry_past_row"),
            models.Index(fields=["ended_by"], name="registry_past_ended_by"),
            models.Index(fields=["came_by"], name="registry_past_came_by"),
        )


class Kept(models.Model):
    """What every row of the registry has: when we came to know it, as against when it was true, and by which change."""

    known_from = models.DateTimeField(db_default=Now())
    change = models.BigIntegerField(null=True)
    restored_from = models.BigIntegerField(null=True)
    """After an undoing: the change that had brought this version first."""

    class Meta:
        abstract = True


class CustomerRow(Kept):
    """An account; `reseller` is the account above it, to any depth."""

    key = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    reseller = models.ForeignKey("self", models.PROTECT, null=True, related_name="resold")
    is_reseller = models.BooleanField(default=False)
    standing = models.CharField(max_length=12, default=Standing.GOOD, choices=[(x.value, x.value) for x in Standing])
    since = models.DateTimeField(null=True)
    phone = models.TextField(default="", db_default="")
    email = models.TextField(default="", db_default="")
    postal_address = models.TextField(default="", db_default="")
    country = models.TextField(default="", db_default="")
    brand = models.TextField(default="", db_default="")
    by_person = ArrayField(models.CharField(max_length=32), default=list, db_default=[])
    """The fields that a person has set; an import leaves them alone."""


class UserRow(Kept):
    key = models.CharField(max_length=64, primary_key=True)
    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="users")
    name = models.TextField()
    email = models.TextField(default="")


class RepresentativeRow(Kept):
    """Whom a customer designates for complaints; the lowest rank first, further ones are for when it bounces."""

    customer = models.ForeignKey(CustomerRow, models.CASCADE, related_name="representatives")
    rank = models.PositiveSmallIntegerField(default=0)
    name = models.TextField()
    email = models.TextField()
    language = models.CharField(max_length=35, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    phone = models.TextField(default="", db_default="")
    verified_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    openpgp_key = models.TextField(default="", db_default="")
    smime_certificate = models.TextField(default="", db_default="")
    by_person = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["customer", "rank"], name="registry_one_per_rank"),)
        # For whom does this address speak? Every page of the portal asks it.
        indexes = (models.Index(Upper("email"), name="registry_contact_email"),)


class StandingRow(Kept):
    """What a customer's standing was, and when."""

    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="standings")
    standing = models.CharField(max_length=12, choices=[(x.value, x.value) for x in Standing])
    during = DateTimeRangeField()
    why = models.TextField(default="")


class AcceptanceRow(Kept):
    """A customer accepted an edition of the policy."""

    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="acceptances")
    contract = models.TextField()
    edition = models.CharField(max_length=64)
    accepted_at = models.DateTimeField()
    accepted_by = models.TextField(default="")


class ServiceRow(Kept):
    key = models.CharField(max_length=64, primary_key=True)
    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="services")
    kind = models.CharField(max_length=12, choices=[(x.value, x.value) for x in ServiceKind])
    label = models.TextField(default="")
    port = models.TextField(default="")
    ended_at = models.DateTimeField(null=True)
    by_person = ArrayField(models.CharField(max_length=32), default=list, db_default=[])

    class Meta:
        indexes = (models.Index(fields=["port"], condition=~models.Q(port=""), name="registry_service_port"),)
        constraints = (models.UniqueConstraint(fields=["key", "customer"], name="registry_service_and_customer"),)
        """What the composite foreign keys of holdings and sites refer to: a service is its customer's own."""


class LetterRow(Kept):
    """A letter of authority."""

    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="letters")
    issuer = models.TextField()
    prefixes = ArrayField(PrefixField())
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    file_name = models.TextField()
    digest = models.CharField(max_length=64)


class HoldingRow(Kept):
    tier = models.CharField(max_length=10, choices=[(x.value, x.value) for x in Tier])
    kind = models.CharField(max_length=12, choices=[(x.value, x.value) for x in HoldingKind])
    prefix = PrefixField()
    ports = IntegerRangeField()
    during = DateTimeRangeField()
    customer = models.ForeignKey(CustomerRow, models.PROTECT, null=True, related_name="holdings", db_index=False)
    service = models.ForeignKey(
        ServiceRow, models.PROTECT, null=True, related_name="holdings", db_index=False, db_constraint=False
    )
    source = models.TextField()

    class Meta:
        indexes = (
            models.Index(fields=["customer"], name="registry_holding_customer"),
            models.Index(fields=["change"], name="registry_holding_change"),
        )


class SiteRow(Kept):
    """A virtual host: a name answered at an address for a customer."""

    host_name = models.TextField()
    """In its ASCII (IDNA) form, lower case, without the final dot."""
    address = AddressField()
    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="sites")
    service = models.ForeignKey(
        ServiceRow, models.PROTECT, null=True, related_name="sites", db_index=False, db_constraint=False
    )
    during = DateTimeRangeField()

    class Meta:
        indexes = (models.Index(fields=["address"], name="registry_site_address"),)


class ResourceRow(Kept):
    """Anything but an address that one holder at a time has."""

    kind = models.CharField(max_length=12, choices=[(x.value, x.value) for x in ResourceKind])
    name = models.TextField()
    scope = models.TextField(default="")
    tier = models.CharField(max_length=10, choices=[(x.value, x.value) for x in Tier])
    customer = models.ForeignKey(CustomerRow, models.PROTECT, null=True, related_name="resources")
    service = models.ForeignKey(
        ServiceRow, models.PROTECT, null=True, related_name="resources", db_index=False, db_constraint=False
    )
    during = DateTimeRangeField()
    source = models.TextField()

    class Meta:
        indexes = (models.Index(fields=["name", "kind"], name="registry_resource_name"),)


class SubscriberListRow(Kept):
    """A list of whose a log-in, circuit or MAC is, by its name, and when it was last read."""

    key = models.TextField(primary_key=True)
    read_at = models.DateTimeField()


class SubscriberRow(Kept):
    """An entry of such a list: possible in [since, until), sure in [sure_from, sure_until) of it, None being no bound.

    No foreign key to a customer: a list may be read before its customers are. `sure_from` is the reading that first had
    an entry without a beginning; `sure_until` stands once a reading had it no more."""

    kind = models.CharField(max_length=8)
    value = models.TextField()
    customer = models.CharField(max_length=64, db_column="customer_id")
    service = models.CharField(max_length=64, null=True, db_column="service_id")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    stated_until = models.DateTimeField(null=True)
    """The end that the list itself states."""
    sure_from = models.DateTimeField(null=True)
    sure_until = models.DateTimeField(null=True)
    source = models.TextField()

    class Meta:
        indexes = (
            models.Index(fields=["kind", "value"], name="registry_subscriber_value"),
            models.Index(fields=["source"], name="registry_subscriber_source"),
        )


class DeliveryRow(models.Model):
    """A delivery of the customer system that was taken in; the same one again does nothing."""

    id = models.CharField(max_length=100, primary_key=True)
    received_at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    answer = models.JSONField()


class ListRow(models.Model):
    """A list against which customers are held, as the operator last gave it."""

    kind = models.CharField(max_length=8, primary_key=True)
    file_name = models.TextField()
    digest = models.CharField(max_length=64)
    loaded_at = models.DateTimeField()
    entries = models.JSONField()


class AdmissionRow(models.Model):
    customer_key = models.CharField(max_length=64, db_index=True)
    """No foreign key: a refusal outlives the customer's row."""
    customer_name = models.TextField()
    opened_at = models.DateTimeField()
    state = models.CharField(max_length=8, db_index=True, choices=[(x.value, x.value) for x in AdmissionState])
    concerns = models.JSONField()
    lists = models.JSONField(default=list)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=150, default="")
    why = models.TextField(default="")


class LateUseRow(models.Model):
    """A finding: use after the right to it had ended. The same again counts up."""

    kind = models.CharField(max_length=12)
    what = models.TextField()
    customer_key = models.CharField(max_length=64, db_index=True)
    reason = models.CharField(max_length=24)
    ended_at = models.DateTimeField()
    explanation = models.TextField()
    source = models.TextField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    count = models.IntegerField(default=1)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "what", "customer_key", "reason", "ended_at"], name="registry_late_use_once"
            ),
        )
