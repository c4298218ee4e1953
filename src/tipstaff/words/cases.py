"""What is alleged against whom, and where that stands."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from .measures import Direction
from .people import Role
from .verdicts import NoticePosture, Rung, Severity


class CaseState(enum.StrEnum):
    """Where a case stands. The moves between states are in `tipstaff.cases.rules`."""

    OPENED = "opened"
    """On record; the first letter has not been handed over yet."""
    WAITING_PERSON = "waiting_person"
    """A person must decide before anything is sent."""
    NOTIFIED = "notified"
    """The holder was told; the deadline runs."""
    EXTENDED = "extended"
    """The holder asked for time, once."""
    DISPUTED = "disputed"
    """The holder disputes it; the clock stands until another person reviews it."""
    OVERDUE = "overdue"
    """The deadline passed without an answer."""
    MEASURE_PLANNED = "measure_planned"
    """A measure was chosen; the device has not shown it yet."""
    MEASURE_IN_FORCE = "measure_in_force"
    """A device has shown the measure."""
    FIXED = "fixed"
    """The holder says it is fixed; measures are being lifted."""
    MONITORED = "monitored"
    """Fixed, and nothing is in force; watched for a while before it closes."""
    APPEALED = "appealed"
    """The holder disputes how it ended; another person reviews it."""
    CLOSED = "closed"
    """Ended; its outcome says how."""


class CaseOutcome(enum.StrEnum):
    """How a case ended."""

    NONE = "none"
    """It has not ended."""
    FIXED = "fixed"
    """The holder ended it in time. It counts when the same happens again."""
    FIXED_AFTER_MEASURE = "fixed_after_measure"
    """It ended after a measure. It counts when the same happens again."""
    NOT_UPHELD = "not_upheld"
    """A person found no breach of the policy. It counts for nothing."""
    WITHDRAWN = "withdrawn"
    """It was taken back, or was no case. It counts for nothing."""
    MERGED = "merged"
    """What it was about goes on in another case. It counts for nothing by itself."""


class Answer(enum.StrEnum):
    """What a customer may answer."""

    FIXED = "fixed"
    """It is fixed; the case goes to its end and its measures are lifted."""
    NEED_TIME = "need_time"
    """More time, once."""
    DISPUTE = "dispute"
    """It is not so; the clock stands until another person has reviewed it."""
    WRONG_CUSTOMER = "wrong_customer"
    """It is not ours; reviewed like a dispute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is alleged against one customer under one clause group and one service, its state and its clock."""

    key: str
    """`C-000123`."""
    customer: str
    customer_name: str
    """A snapshot: a case outlives its customer."""
    brand: str = ""
    """Another: the brand that they were under."""
    service: str | None
    clause: str
    group: str
    edition: str
    type: str
    """XARF type of the report that opened it."""
    severity: Severity
    state: CaseState
    outcome: CaseOutcome
    resource: str
    """The address, URL or name complained about first."""
    opened_at: datetime
    due_at: datetime | None
    """When the holder's time to answer ends."""
    closed_at: datetime | None
    extended: bool
    reports: int
    explanation: str
    notice: NoticePosture
    ladder: tuple[Rung, ...]
    measure_ports: tuple[tuple[str, int], ...]
    measure_direction: Direction
    decides: Role | None
    assignee: str | None
    answer: str
    """The customer's latest answer in their own words."""
    version: int
    """For optimistic concurrency: a stale write is refused."""
    answer_within: timedelta = timedelta(hours=24)
    """How long the holder has from the moment the letter was handed over."""
    repeats: int = 0
    """Earlier upheld cases under the same group when this one was opened."""
    fixed_at: datetime | None = None
    watched_until: datetime | None = None
    """Until when it is watched after a fix, before it closes."""
    reopened: int = 0
    """How often it was opened again after it had ended."""
    appealed: bool = False
    """The holder appeals once."""
    merged_into: str | None = None
    split_from: str | None = None
    waits_since: datetime | None = None
    """Since when it waits for a person; None while it does not."""
    snoozed_until: datetime | None = None
    """Until then it stands in nobody's way; its clocks run all the same."""
    tags: tuple[str, ...] = ()
    campaign: str | None = None
    """The campaign that links it with cases of other customers. The desk alone sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A colleague's words on a case. Never leaves the desk."""

    case: str
    at: datetime
    actor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person proposed and another must second before it counts (four eyes)."""

    case: str
    kind: str
    """`urgent_measure`, before a warning; `wide_measure`, after one, that takes two people all the same;
    `prolonged_measure`, one of these that goes on."""
    detail: str
    ground: str
    proposed_by: str
    proposed_at: datetime
    seconded_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningClock:
    """A clock of the edition's that runs on the operator."""

    clock: str
    """Its name in the edition: `complaint.forward`."""
    about: str
    """The case, the report or the matter that it runs for; `agent` for the copyright agent's entry."""
    edition: str
    started_at: datetime
    due_at: datetime
    """The first instant that is too late."""
    late_at: datetime | None = None
    """When it was found late."""
    nth: int = 1
    """Which of several about the same thing: the second counter-notice on a case has a clock of its own."""
