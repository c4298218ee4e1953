"""What the policy says of an allegation, and why."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

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
    NOTHING = "nothing"
    """What we measured ourselves stays on record: nobody is told, and nobody can be asked."""


class Reason(enum.StrEnum):
    """Why a verdict is what it is."""

    FIRST_REPORT = "FIRST_REPORT"
    """One holder, and no such case that counts within the edition's memory."""
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
    TIME_AHEAD = "TIME_AHEAD"
    """The stated time lies after receipt, so it does not tell who held the address when it happened."""
    TIME_UNREAD = "TIME_UNREAD"
    """A time was stated and could not be understood, so it does not tell who held the address when it happened."""
    RECORDS_INCOMPLETE = "RECORDS_INCOMPLETE"
    """Our logs have a gap then, or name a subscriber whom the registry does not know."""
    NO_EDITION_IN_FORCE = "NO_EDITION_IN_FORCE"
    """The edition was not in force yet when it happened, so the judge may not bind anybody to it."""
    NO_CLAUSE = "NO_CLAUSE"
    """No clause covers it."""
    BELOW_THRESHOLD = "BELOW_THRESHOLD"
    """A clause takes what we measured, but its facts do not amount to what the clause asks for."""
    CONDITION_FAILED = "CONDITION_FAILED"
    """A clause takes what we measured, but its condition could not be worked out of the facts."""
    READER_UNSURE = "READER_UNSURE"
    """The reading is less sure than the edition asks."""
    COUNSEL_MUST_DECIDE = "COUNSEL_MUST_DECIDE"
    """A sealed type, or a clause that opens with counsel."""
    SPEECH = "SPEECH"
    """It turns on what somebody said (defamation, hatred, indecency): always a person's."""
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
class Strike:
    """An earlier case of a holder that ended with a repair or a measure. Whether it counts, the edition says."""

    case: str
    group: str
    at: datetime
    """When the case was closed."""
    contested: bool = False
    """The holder disputed it, and nobody has reviewed that: it does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the holder has to their name when a verdict is made."""

    cases_before: int = 0
    """Strikes that count: upheld, not contested, and not expired under the edition."""


class Fact(enum.StrEnum):
    """What a verdict rests on, besides its reason. Each sentence of an explanation cites what backs it."""

    CLAUSE = "clause"
    """A clause covers what was reported; the value is its id."""
    EDITION = "edition"
    """The edition that was applied; the value is its id."""
    HOLDER_CONFIRMED = "holder_confirmed"
    """One holder over the whole window."""
    HOLDER_PROBABLE = "holder_probable"
    """One holder, but not for all of the window: nothing wider than a block may follow."""
    IN_PROGRESS = "in_progress"
    """It surely happened so many hours before the report at most; the value is the edition's bound in hours."""
    NONE_BEFORE = "none_before"
    """No strike counts; the value is for how many days one would."""
    STRIKES = "strikes"
    """At least one strike counts; the value is for how many days it does."""
    ESCALATED = "escalated"
    """So many strikes count that the edition goes further; the value is the step's number of strikes."""
    SHORTER_TIME = "shorter_time"
    """The time to answer is shorter than for a first report."""
    TIME_TO_ANSWER = "time_to_answer"
    """How long the holder has; the value is in hours where it is a number alone, else such as `3 business days`."""
    STATUTE = "statute"
    """The time to answer is a statute's; the value is its source."""
    PERSON_DECIDES = "person_decides"
    """No measure by the clock; the value is the role that decides."""
    PERSON_FROM = "person_from"
    """The clock may take the narrow measures; the value is the degree from which a person decides."""
    NOTICE_FIRST = "notice_first"
    """No measure before a notice was handed over."""
    NOTICE_WITH = "notice_with"
    """A measure may come with its notice, on a recorded ground and with a second person."""
    NOTICE_WITHHELD = "notice_withheld"
    """Whether the holder is told at all, counsel decides."""
    SPOOFABLE = "spoofable"
    """Anybody could have sent these packets under the holder's address."""
    NOTHING_SHOWN = "nothing_shown"
    """The report names an address and says what it did; it shows neither when nor anything of it."""
    SENDER_NOT_VOUCHED_FOR = "sender_not_vouched_for"
    """The report's mail does not show that it comes from whom it names."""
    REPORTER_OFTEN_WRONG = "reporter_often_wrong"
    """More of the reporter's reports were overturned than upheld."""
    REPORTER_FLOODS = "reporter_floods"
    """The reporter sends far more than usual."""
    CORROBORATED = "corroborated"
    """The operator's own measurement saw the same."""
    MEASURED = "measured"
    """The operator measured it; no report is needed to show it."""


DOUBTS = frozenset(
    {
        Fact.SPOOFABLE, Fact.NOTHING_SHOWN, Fact.SENDER_NOT_VOUCHED_FOR, Fact.REPORTER_OFTEN_WRONG,
        Fact.REPORTER_FLOODS,
    }
)  # fmt: skip
"""Facts that leave every measure to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One fact that a verdict rests on."""

    fact: Fact
    value: str = ""


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
    basis: tuple[Basis, ...] = ()
    """The facts that it rests on, besides its reason."""
