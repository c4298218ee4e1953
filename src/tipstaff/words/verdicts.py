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
    """The complainant learns that it is not ours."""
    TOO_OLD = "too_old"
    """The complainant learns that it is too old."""
    UNASSIGNED = "unassigned"
    """Our space, held by nobody: a finding for an engineer."""
    PERSON = "person"
    """A person must decide before anything is sent."""


class Reason(enum.StrEnum):
    """Why a verdict is what it is."""

    FIRST_REPORT = "FIRST_REPORT"
    """One holder, and no such case upheld within the edition's memory."""
    REPEATED = "REPEATED"
    """One holder, and such a case before; less time to answer."""
    HARM_IN_PROGRESS = "HARM_IN_PROGRESS"
    """A clause on urgent harm, and it surely goes on."""
    HOLDER_AMBIGUOUS = "HOLDER_AMBIGUOUS"
    """More than one customer may have held it."""
    HOLDER_CONTRADICTED = "HOLDER_CONTRADICTED"
    """Our sources disagree about the holder."""
    NO_HOLDER = "NO_HOLDER"
    """Our space, held by nobody at that time."""
    NOT_OUR_SPACE = "NOT_OUR_SPACE"
    """Outside our address space."""
    NO_ADDRESS = "NO_ADDRESS"
    """No address of ours can be tied to what is complained about."""
    BEYOND_LOOK_BACK = "BEYOND_LOOK_BACK"
    """Surely older than the edition's look-back."""
    BEFORE_RECORDS = "BEFORE_RECORDS"
    """It happened before our records of who held what begin."""
    NO_EDITION_IN_FORCE = "NO_EDITION_IN_FORCE"
    """The edition was not in force yet when it happened, so the judge may not bind anybody to it."""
    NO_CLAUSE = "NO_CLAUSE"
    """No clause covers it."""
    READER_UNSURE = "READER_UNSURE"
    """The reading is less sure than the edition asks."""
    COUNSEL_MUST_DECIDE = "COUNSEL_MUST_DECIDE"
    """A sealed type, or a clause that opens with counsel."""
    NO_REPRESENTATIVE = "NO_REPRESENTATIVE"
    """The customer has named nobody to write to."""
    CUSTOMER_GONE = "CUSTOMER_GONE"
    """The customer's contract has ended."""


class Severity(enum.IntEnum):
    """How much harm a clause's conduct does. It orders the desk's work."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class NoticePosture(enum.StrEnum):
    """When a customer is told, relative to a measure."""

    BEFORE = "before"
    """Told before any measure."""
    SIMULTANEOUS = "simultaneous"
    """Told with the measure, on a recorded ground."""
    WITHHELD = "withheld"
    """Not told, on counsel's decision."""
    PUBLIC = "public"
    """Everybody can read it on a public page."""
    NONE = "none"
    """Nobody is told."""


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
