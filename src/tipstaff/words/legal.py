"""Matters of the restricted legal register: what counsel alone reads and decides."""

import enum
from dataclasses import dataclass
from datetime import datetime


class MatterKind(enum.StrEnum):
    """What a matter is."""

    REQUEST = "request"
    """An authority asks for help that names no customer: to preserve, or whether an address was in use (row 80)."""
    IDENTITY = "identity"
    """Somebody asks who a customer is (row 81)."""
    REPORT = "report"
    """A report that counsel alone reads: its words are in the sealed queue (rows 36 and 39)."""


class MatterState(enum.StrEnum):
    """How far a matter has come."""

    OPEN = "open"
    """It came in and its clock runs; nobody has decided anything yet."""
    PROPOSED = "proposed"
    """Counsel would answer it; a second person has to agree."""
    ANSWERED = "answered"
    """It was decided to answer it, or to act on it."""
    REFUSED = "refused"
    """It was decided not to."""


class Gives(enum.StrEnum):
    """What an answer may hold; each only where it was asked for."""

    HELD = "held"
    """Whether one customer held the address at that time."""
    NAME = "name"
    """The customer's name."""
    POSTAL_ADDRESS = "postal_address"
    """Their postal address."""
    EMAIL = "email"
    """The account's own mail address."""
    PHONE = "phone"
    """Their telephone number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionNoted:
    """What counsel noted last of one condition of a limit of liability."""

    condition: str
    """`repeat_infringers`."""
    met: bool
    shown_by: str
    until: datetime
    """When it is looked at again; from then on it counts as not met."""
    noted_by: str
    noted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOf:
    """The address and moment that a matter is about."""

    address: str
    port: int | None
    protocol: str
    used_at: datetime | None
    """None where a report states no time."""
    error_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalMatter:
    """One line of the register."""

    key: str
    """`G-000001`."""
    kind: MatterKind
    state: MatterState
    clause: str
    edition: str
    opened_by: str
    opened_at: datetime
    received_at: datetime
    authority: str = ""
    reference: str = ""
    binding: bool = False
    """The law makes it binding, counsel says."""
    digest: str = ""
    """SHA-256 of the request's text, which counsel keeps."""
    report: str = ""
    shown: tuple[str, ...] = ()
    """Elements of its form that its words show."""
    lacking: tuple[str, ...] = ()
    clock: str = ""
    due_at: datetime | None = None
    asked: AskedOf | None = None
    url: str = ""
    grade: str = ""
    reason: str = ""
    """Why one holder is named, or none."""
    customer: str = ""
    authenticated_by: str = ""
    authenticated_how: str = ""
    gives: tuple[Gives, ...] = ()
    why: str = ""
    decided_by: str = ""
    second_by: str = ""
    decided_at: datetime | None = None
    ground: str = ""
    """Why the customer is not told yet."""
    review_at: datetime | None = None
    told_at: datetime | None = None
    told_how: str = ""
    handed_at: datetime | None = None
    handed_digest: str = ""
    """SHA-256 of the answer as it was handed over."""

    @property
    def proposal(self) -> str:
        """Who proposed which answer, as whoever agrees says it back: `carla: name email`."""
        return f"{self.decided_by}: {' '.join(self.gives)}" if self.decided_by else ""
