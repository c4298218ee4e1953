"""The registry's rows. Private to this room.

A holding and a site have columns that only PostgreSQL knows: the ranges that the exclusion constraints compare,
generated from `prefix`, `address` and `host_name` (`migrations/0002_holdings.py`).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.contrib.postgres.fields import DateTimeRangeField, IntegerRangeField
from django.db import models

from tipstaff.words import HoldingKind, ServiceKind, Standing, Tier


class PrefixField(models.Field):  # type: ignore[type-arg]  # Field's parameters are the stubs' own; the value is below
    """A `cidr` column, an `ipaddress` network in Python."""

    def db_type(self, connection: Any) -> str:
        return "cidr"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> IPv4Network | IPv6Network | None:
        return None if value is None else ip_network(value)

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else ip_network(value)


class AddressField(models.Field):  # type: ignore[type-arg]  # as above
    """An `inet` column that holds single addresses, an `ipaddress` address in Python."""

    def db_type(self, connection: Any) -> str:
        return "inet"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> IPv4Address | IPv6Address | None:
        return None if value is None else ip_address(str(value).partition("/")[0])

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else ip_address(value)


class CustomerRow(models.Model):
    """An account; `reseller` is the account above it, to any depth."""

    key = models.CharField(max_length=64, primary_key=True)
    name = models.TextField()
    reseller = models.ForeignKey("self", models.PROTECT, null=True, related_name="resold")
    is_reseller = models.BooleanField(default=False)
    standing = models.CharField(max_length=12, default=Standing.GOOD, choices=[(x.value, x.value) for x in Standing])
    since = models.DateTimeField(null=True)


class RepresentativeRow(models.Model):
    """Whom a customer designates for complaints; the lowest rank first, further ones are for when it bounces."""

    customer = models.ForeignKey(CustomerRow, models.CASCADE, related_name="representatives")
    rank = models.PositiveSmallIntegerField(default=0)
    name = models.TextField()
    email = models.TextField()
    language = models.CharField(max_length=35, default="en")
    timezone = models.CharField(max_length=64, default="UTC")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["customer", "rank"], name="registry_one_per_rank"),)


class ServiceRow(models.Model):
    key = models.CharField(max_length=64, primary_key=True)
    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="services")
    kind = models.CharField(max_length=12, choices=[(x.value, x.value) for x in ServiceKind])
    label = models.TextField(default="")
    port = models.TextField(default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["key", "customer"], name="registry_service_and_customer"),)
        """What the composite foreign keys of holdings and sites refer to: a service is its customer's own."""


class HoldingRow(models.Model):
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
    known_from = models.DateTimeField()
    """When we came to know it, as against when it was true."""

    class Meta:
        indexes = (models.Index(fields=["customer"], name="registry_holding_customer"),)


class SiteRow(models.Model):
    """A virtual host: a name answered at an address for a customer."""

    host_name = models.TextField()
    """In its ASCII (IDNA) form, lower case, without the final dot."""
    address = AddressField()
    customer = models.ForeignKey(CustomerRow, models.PROTECT, related_name="sites")
    service = models.ForeignKey(
        ServiceRow, models.PROTECT, null=True, related_name="sites", db_index=False, db_constraint=False
    )
    during = DateTimeRangeField()
    known_from = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["address"], name="registry_site_address"),)
