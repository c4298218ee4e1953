"""Columns that PostgreSQL has and Django has not. Private to this room."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.db import models


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
