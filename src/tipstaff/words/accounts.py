"""What belongs to an account over time, and how the registry came to know it."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .holders import Customer, Holding, Representative, Service, Site, Standing
from .resources import Resource


class Origin(enum.StrEnum):
    """Who changed the registry. What a person has set, no import overwrites."""

    PERSON = "person"
    """Somebody at the desk: console, command line or API."""
    IMPORT = "import"
    """A CSV file."""
    NETBOX = "netbox"
    """The operator's NetBox."""
    WHOIS = "whois"
    """Objects or statistics of a regional internet registry."""
    CRM = "crm"
    """The operator's customer system, by its webhook."""
    MAIL = "mail"
    """A mail server's answer, or a letter that came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Everything that one act wrote into the registry; it can be undone as a whole."""

    key: str
    """`CH-12`."""
    at: datetime
    actor: str
    origin: Origin
    source: str
    """The file, system or page that it came from."""
    says: Sequence[str]
    """The first of what it did, a sentence each."""
    count: int
    """How many rows it wrote."""
    about: tuple[str, ...]
    """Customers and services that it concerns."""
    undoes: str | None = None
    undone_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUser:
    """Somebody who uses an account: a member of the household or of the staff. Never a holder of anything."""

    key: str
    customer: str
    name: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A customer accepted an edition of the policy, under a contract, at a moment."""

    customer: str
    contract: str
    """The contract's number or file, as the operator names it."""
    edition: str
    accepted_at: datetime
    accepted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPeriod:
    """A customer's standing was this in [since, until)."""

    customer: str
    standing: Standing
    since: datetime
    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a row, with when the registry believed it."""

    what: str
    """`holding`, `customer`, `resource` ..."""
    says: str
    customer: str | None
    true_from: datetime | None
    true_until: datetime | None
    known_from: datetime
    known_until: datetime | None
    """None while it is still believed."""
    change: str | None
    """The change that brought it."""
    ended_by: str | None = None
    """The change after which it was believed no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountThen:
    """What was believed, at `known_at`, to be so of an account at `at`."""

    customer: Customer
    """With the first contact whose letters did not come back then."""
    at: datetime
    known_at: datetime
    standing: StandingPeriod | None
    representatives: tuple[Representative, ...]
    services: tuple[Service, ...]
    users: tuple[AccountUser, ...]
    acceptances: tuple[Acceptance, ...]
    """Those of `at` or before."""
    holdings: tuple[Holding, ...]
    resources: tuple[Resource, ...]
    sites: tuple[Site, ...]
