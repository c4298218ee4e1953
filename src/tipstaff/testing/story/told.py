"""What the story says of each complaint: its bytes, when and how it comes in, and what must become of it."""

import enum
from dataclasses import dataclass, field
from datetime import timedelta

from tipstaff.words import (
    Answer,
    AttributionReason,
    Channel,
    LetterKind,
    ReadingOutcome,
    ReadingReason,
    ReportOutcome,
    Role,
)


class Since(enum.StrEnum):
    """From when a move's time counts."""

    OPENED = "opened"
    """From the opening of the case."""
    MEASURE_IN_FORCE = "measure_in_force"
    """From the moment the measure is in force."""
    OVERDUE = "overdue"
    """From the moment the deadline passed without an answer."""


class Review(enum.StrEnum):
    """How a member of staff may end a dispute or decide for the desk."""

    FOR_CUSTOMER = "for_customer"
    """The dispute is right: the case ends as not upheld."""
    AGAINST_CUSTOMER = "against_customer"
    """The dispute is wrong: the clock runs again."""
    TAKE_MEASURE = "take_measure"
    """The measure that was weighed is taken, where the clause leaves that to a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Something that a person does after the case was opened."""

    who: Role
    does: Answer | Review
    after: timedelta
    since: Since = Since.OPENED
    words: str = ""
    """What they write, in their own words."""
    customer: str | None = None
    """Whose case is meant, where the complaint opens several; otherwise it opens one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedIncident:
    """What must be understood of one allegation, and what must become of it at the end of the story."""

    type: str
    source: str | None = None
    """The address, where one is stated."""
    port: int | None = None
    url: str | None = None
    domain: str | None = None
    outcome: ReportOutcome = ReportOutcome.FORWARDED
    clause: str | None = None
    customer: str | None = None
    """The account that is named. It is told unless the outcome says that a person decides first."""
    downstream: str | None = None
    attribution: AttributionReason | None = None
    joins: str | None = None
    """The id of the told complaint whose case it joins."""
    repeats: str | None = None
    """The id of the told complaint whose case was closed before; this one opens another, counted as a repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The declared end of one report."""

    report_outcome: ReportOutcome
    reading: ReadingOutcome = ReadingOutcome.COMPLAINT
    reason: ReadingReason = ReadingReason.UNDERSTOOD
    incidents: tuple[ExpectedIncident, ...] = ()
    measure: str | None = None
    """The measure that is in force for a while, as `str(Selector)` prints it."""
    same_as: str | None = None
    """The id of the told complaint whose very bytes these are: it stays one report."""
    answered: bool = True
    """False where no answer may go: its sender is a program or a list, or has had too many within the hour."""

    @property
    def answers(self) -> tuple[LetterKind, ...]:
        """What its sender is told at once; how it ended is told besides."""
        kind = _ANSWERS.get(self.report_outcome)
        hostile = self.reason is ReadingReason.HOSTILE_FORM
        return (kind,) if kind is not None and self.answered and not hostile else ()

    @property
    def clause(self) -> str | None:
        return self.incidents[0].clause if self.incidents else None

    @property
    def customer(self) -> str | None:
        return self.incidents[0].customer if self.incidents else None

    @property
    def joins(self) -> str | None:
        return self.incidents[0].joins if self.incidents else None


_ANSWERS = {
    ReportOutcome.NOT_OURS: LetterKind.NOT_OURS,
    ReportOutcome.NEEDS_DETAIL: LetterKind.NEEDS_DETAIL,
    ReportOutcome.TOO_OLD: LetterKind.TOO_OLD,
    **dict.fromkeys(
        (
            ReportOutcome.WITH_A_PERSON,
            ReportOutcome.DUPLICATE,
            ReportOutcome.FORWARDED,
            ReportOutcome.FIXED,
            ReportOutcome.MEASURE_TAKEN,
            ReportOutcome.NOT_UPHELD,
        ),
        LetterKind.ACKNOWLEDGEMENT,
    ),
}
"""What is set aside or sealed is not answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One complaint of the day."""

    id: str
    title: str
    """One line for the table."""
    at: timedelta
    """When it comes in, counted from the start of the story."""
    raw: bytes
    expected: Expected
    sender: str
    """The envelope's reverse-path; empty for a bounce."""
    recipient: str
    channel: Channel = Channel.SMTP
    moves: tuple[Move, ...] = field(default=())
    """What people do about the case that this complaint opens; without a move the customer stays silent."""
