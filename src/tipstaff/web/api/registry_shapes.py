"""What goes in and out of the registry's API."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field, StrictBool, StrictInt

from tipstaff.words import HoldingKind, ResourceKind, ServiceKind, Standing, Tier

from .moments import Instant


class ContactIn(Schema):
    """One contact of a chain."""

    name: str
    email: str
    language: str = "en"
    timezone: str = "UTC"
    phone: str = ""
    openpgp_key: str = ""
    smime_certificate: str = ""


class CustomerIn(Schema):
    """A customer as a person states it."""

    name: str
    reseller: str | None = None
    is_reseller: StrictBool = False
    phone: str = ""
    email: str = ""
    postal_address: str = ""
    country: str = ""
    brand: str | None = None
    """One that the settings name; empty is the operator's own name, left out what it was."""


class ContactOut(ContactIn):
    """One contact of a chain, and whether letters reach it."""

    verified_at: datetime | None
    bounced_at: datetime | None


class HoldingOut(Schema):
    """Addresses, and when they were held."""

    number: int
    tier: Tier
    kind: HoldingKind
    prefix: str
    port_first: int
    port_last: int
    customer: str | None
    service: str | None
    held_from: datetime
    held_until: datetime | None
    source: str


class ResourceOut(Schema):
    """Something beside addresses, and when it was held."""

    number: int
    kind: ResourceKind
    name: str
    scope: str
    tier: Tier
    customer: str | None
    service: str | None
    held_from: datetime
    held_until: datetime | None
    source: str


class CustomerOut(Schema):
    """A customer with what they hold now."""

    key: str
    name: str
    standing: Standing
    reseller: str | None
    is_reseller: bool
    since: datetime | None
    letters_to: str | None


class CustomerPageOut(CustomerOut):
    """One customer, with everything that belongs to them."""

    representatives: list[ContactOut]
    services: list[dict[str, str]]
    holdings: list[HoldingOut]
    resources: list[ResourceOut]


class StandingIn(Schema):
    standing: Standing
    why: str
    since: Instant | None = None


class AcceptanceIn(Schema):
    """That a customer accepted an edition of the policy by contract."""

    contract: Annotated[str, Field(max_length=200)]
    edition: Annotated[str, Field(max_length=64)]
    accepted_by: Annotated[str, Field(max_length=200)]
    accepted_at: Instant | None = None
    """Now, unless said."""


class ReachedIn(Schema):
    """Whether letters to an address of a customer arrive."""

    email: Annotated[str, Field(max_length=254)]
    bounced: StrictBool = False


class PersonIn(Schema):
    """Somebody who logs in for a customer."""

    email: Annotated[str, Field(max_length=254)]


class SaidOut(Schema):
    """What was done, in a sentence."""

    said: str


class ServiceIn(Schema):
    customer: str
    kind: ServiceKind
    label: str = ""
    port: str = ""


class ServiceEndIn(Schema):
    """When a service ended; what is held by it ends then too."""

    ended_at: Instant


class UserIn(Schema):
    """Somebody who uses an account."""

    customer: Annotated[str, Field(max_length=64)]
    name: Annotated[str, Field(max_length=500)]
    email: Annotated[str, Field(max_length=254)] = ""


class UserOut(Schema):
    """Somebody who uses an account."""

    key: str
    name: str
    email: str


class TransferIn(Schema):
    """To whom addresses move, by a letter of authority that is on file."""

    customer: Annotated[str, Field(max_length=64)]
    since: Instant
    service: Annotated[str, Field(max_length=64)] | None = None


class LetterOfAuthorityOut(Schema):
    """A letter of authority as it is on file."""

    key: str
    sha256: str


class SiteOut(Schema):
    """A name that is answered at an address."""

    host_name: str
    address: str
    since: datetime
    until: datetime | None


class StandingOut(Schema):
    standing: Standing
    since: datetime
    until: datetime | None
    why: str


class AcceptanceOut(Schema):
    edition: str
    contract: str
    accepted_at: datetime
    accepted_by: str


class AccountThenOut(Schema):
    """What was believed, at `known_at`, to be so of an account at `at`."""

    key: str
    name: str
    reseller: str | None
    at: datetime
    known_at: datetime
    standing: StandingOut | None
    representatives: list[ContactOut]
    services: list[dict[str, str]]
    users: list[UserOut]
    acceptances: list[AcceptanceOut]
    holdings: list[HoldingOut]
    resources: list[ResourceOut]
    sites: list[SiteOut]


class HoldingIn(Schema):
    """Addresses to be given to a customer."""

    prefix: str
    customer: str
    kind: HoldingKind = HoldingKind.STATIC
    tier: Tier = Tier.CUSTOMER
    service: str | None = None
    held_from: Instant
    held_until: Instant | None = None
    port_first: StrictInt = 0
    port_last: StrictInt = 65535


class SiteIn(Schema):
    host_name: str = Field(max_length=253)
    address: str = Field(max_length=45)
    customer: str = Field(max_length=64)
    service: str | None = Field(None, max_length=64)
    since: Instant
    until: Instant | None = None


class ResourceIn(Schema):
    """Something else to be given to a customer."""

    kind: ResourceKind
    name: str
    scope: str = ""
    customer: str
    service: str | None = None
    held_from: Instant
    held_until: Instant | None = None


class EndIn(Schema):
    held_until: Instant


class WhyIn(Schema):
    why: str


class DecisionIn(Schema):
    accept: StrictBool
    why: str


class ImportOut(Schema):
    """What a file changed, or would."""

    kind: str
    rows: int
    added: int
    changed: int
    unchanged: int
    changes: list[str]
    refused: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    outside: dict[str, Any] | None
    applied: bool
    change: str | None


class ChangeOut(Schema):
    """One change of the registry."""

    key: str
    at: datetime
    actor: str
    origin: str
    source: str
    says: list[str]
    count: int
    undoes: str | None
    undone_by: str | None


class ConcernOut(Schema):
    """What speaks against letting a customer in."""

    kind: str
    score: int
    explanation: str
    against: str


class AdmissionOut(Schema):
    """The vetting of one customer."""

    key: str
    customer: str
    name: str
    state: str
    opened_at: datetime
    why: str
    decided_by: str
    concerns: list[ConcernOut]
