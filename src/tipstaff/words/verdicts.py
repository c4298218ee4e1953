"""What the policy says of an allegation, and why."""

import enum
from dataclasses import dataclass
from datetime import timedelta

from .measures import Degree, Direction, Scope
from .people import Role


class Disposition(enum.StrEnum):
    """What follows from a verdict."""

    OPEN_CASE = "open_case"
    """The holder is told, with a deadline."""
    ASK_COMPLAINANT = "ask_complainant"
    """A port or a time is missing; nothing is sent to any customer."""
    NOT_OURS = "not_ours"
    TOO_OLD = "too_old"
    UNASSIGNED = "unassigned"
    """Our space, held by nobody: a finding for an engineer."""
    PERSON = "person"
    """A person must decide before anything is sent."""


class Reason(enum.StrEnum):
    """Why a verdict is what it is."""

    FIRST_REPORT = "FIRST_REPORT"
    REPEATED = "REPEATED"
    HARM_IN_PROGRESS = "HARM_IN_PROGRESS"
    HOLDER_AMBIGUOUS = "HOLDER_AMBIGUOUS"
    HOLDER_CONTRADICTED = "HOLDER_CONTRADICTED"
    NO_HOLDER = "NO_HOLDER"
    NOT_OUR_SPACE = "NOT_OUR_SPACE"
    NO_ADDRESS = "NO_ADDRESS"
    """No address of ours can be tied to what is complained about."""
    BEYOND_LOOK_BACK = "BEYOND_LOOK_BACK"
    BEFORE_RECORDS = "BEFORE_RECORDS"
    """It happened before our records of who held what begin."""
    NO_EDITION_IN_FORCE = "NO_EDITION_IN_FORCE"
    """The edition was not in force yet when it happened, so the judge may not bind anybody to it."""
    NO_CLAUSE = "NO_CLAUSE"
    READER_UNSURE = "READER_UNSURE"
    COUNSEL_MUST_DECIDE = "COUNSEL_MUST_DECIDE"
    NO_REPRESENTATIVE = "NO_REPRESENTATIVE"
    CUSTOMER_GONE = "CUSTOMER_GONE"


class Severity(enum.IntEnum):
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class NoticePosture(enum.StrEnum):
    """When a customer is told, relative to a measure."""

    BEFORE = "before"
    SIMULTANEOUS = "simultaneous"
    WITHHELD = "withheld"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung of a clause's ladder, narrowest first."""

    scope: Scope
    degree: Degree


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the holder has to their name when a verdict is made."""

    cases_before: int = 0
    """Earlier upheld cases under the same group within the edition's memory."""
    open_case: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the policy says: clause, edition, what follows, by when, and why."""

    disposition: Disposition
    reason: Reason
    explanation: str
    """One or two sentences a customer could read."""
    edition: str
    clause: str | None = None
    """`mail.unsolicited`."""
    group: str | None = None
    """The clause group by which reports join one case."""
    severity: Severity = Severity.LOW
    answer_within: timedelta | None = None
    notice: NoticePosture = NoticePosture.BEFORE
    ladder: tuple[Rung, ...] = ()
    measure_ports: tuple[tuple[str, int], ...] = ()
    """(protocol, port) that stopping this conduct takes, where the clause knows them."""
    decides: Role | None = None
    """Who must decide before a measure; None where the clock may."""
    measure_direction: Direction = Direction.BOTH
    """The way of those ports, seen from the customer."""
