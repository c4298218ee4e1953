"""An edition of the policy as frozen values: its clauses, remedies and clocks, and the examples that prove them."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from tipstaff.words import (
    Allegation,
    AttributionReason,
    Degree,
    Direction,
    Disposition,
    Grade,
    NoticePosture,
    Reason,
    Role,
    Rung,
    Severity,
    Verdict,
)

from .deciding import decided_by
from .strikes import Repeats


class UnknownClause(LookupError):
    """The edition has no clause of that name."""


class Actor(enum.StrEnum):
    """Whose conduct a clause binds."""

    USER = "user"
    OPERATOR = "operator"
    COMPLAINANT = "complainant"


class ClockKind(enum.StrEnum):
    """Who set a clock: the operator may change its own, never a statute's."""

    OPERATOR = "operator"
    STATUTE = "statute"


class ClockUnit(enum.StrEnum):
    """What a clock counts in. Business days need a calendar, so they have no fixed length."""

    HOURS = "hours"
    DAYS = "days"
    BUSINESS_DAYS = "business_days"


class Opens(enum.StrEnum):
    """What a first report under a clause leads to."""

    CASE = "case"
    """The holder is told."""
    PERSON = "person"
    """Counsel decides before anything is sent."""


class Subject(enum.StrEnum):
    """What is complained about: an address, or a name or URL with no address stated."""

    ADDRESS = "address"
    NAME = "name"


class PortOf(enum.StrEnum):
    """Where the port comes from that stopping this conduct takes."""

    TARGET = "target"
    """The port that was attacked."""
    SOURCE = "source"
    """The port of the customer's own service."""


class ExampleKind(enum.StrEnum):
    """What an example shows of its clause."""

    HIT = "hit"
    NEAR_MISS = "near_miss"
    EXEMPT = "exempt"
    EXIGENT = "exigent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A time that the edition sets, or that a statute sets and the edition repeats."""

    id: str
    kind: ClockKind
    clause: str
    """The clause that it serves."""
    unit: ClockUnit
    amount: int
    not_before: int = 0
    """For a window: the earliest end, in the same unit."""
    source: str = ""
    """The statute, for a statute's clock; empty for the operator's own."""
    says: str = ""

    @property
    def length(self) -> timedelta | None:
        """How long it is; None in business days, which only a calendar can tell."""
        if self.unit is ClockUnit.HOURS:
            return timedelta(hours=self.amount)
        return timedelta(days=self.amount) if self.unit is ClockUnit.DAYS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an example supposes: the report, who held the address, how long ago, and what came before."""

    type: str
    grade: Grade = Grade.CONFIRMED
    attribution: AttributionReason | None = None
    """None stands for the usual reason of the grade."""
    age: timedelta | None = timedelta(hours=2)
    """From the event to receipt; None when no time was stated."""
    zone_stated: bool = True
    cases_before: int = 0
    confidence: float = 1.0
    subject: Subject = Subject.ADDRESS
    protocol: str | None = None
    target_port: int | None = None
    source_port: int | None = None
    cited: bool = False
    """True when a person names this clause, whatever the type leads to."""
    edition_age: timedelta = timedelta(days=400)
    """How long the edition has been in force at receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an example expects. A field that is None is not compared, except `clause`."""

    disposition: Disposition
    reason: Reason
    clause: str | None = None
    """None: the verdict must name no clause."""
    answer_within: timedelta | None = None
    notice: NoticePosture | None = None
    decides: Role | None = None
    widest_degree: Degree | None = None
    ports: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A test and an explanation at once: given this, the verdict is that."""

    id: str
    kind: ExampleKind
    says: str
    """One sentence for the page that a customer reads."""
    given: Given
    expect: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One rule of an edition: the words that a customer reads, and what the judge needs to apply them."""

    id: str
    rows: tuple[int, ...]
    """The rows of the policy's decomposition (`rows.csv`) that it puts into words."""
    title: str
    text: str
    acts: Actor = Actor.USER
    applies_to: tuple[str, ...] = ()
    """XARF types that lead here; empty for a clause that only a person or a procedure cites."""
    subject: Subject | None = None
    """Only reports about this; None for any."""
    group: str = ""
    """Reports under clauses of one group join one case."""
    severity: Severity = Severity.LOW
    answer_within: timedelta | None = None
    answer_within_repeated: timedelta | None = None
    answer_kind: ClockKind = ClockKind.OPERATOR
    answer_source: str = ""
    notice: NoticePosture = NoticePosture.BEFORE
    opens: Opens = Opens.CASE
    decides: Role | None = None
    ladder: tuple[Rung, ...] = ()
    """Narrow to wide: by scope, then by degree."""
    measure_ports: tuple[tuple[str, int], ...] = ()
    measure_direction: Direction = Direction.BOTH
    measure_port_of: PortOf | None = None
    """Take the port from the report instead, where it states one."""
    what_to_do: tuple[str, ...] = ()
    what_to_do_for: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Further steps for one type."""
    proof: str = ""
    """What shows that it was broken."""
    examples: tuple[Example, ...] = ()
    proved_by: tuple[str, ...] = ()
    """Tests that prove it: `tests/...py::name`."""
    limits: str = ""
    """What this edition's software does not do for it yet, in a sentence."""
    file: str = ""

    def steps_for(self, type: str) -> tuple[str, ...]:
        """What a customer should do about a report of `type`: what is particular to it first."""
        return (*self.what_to_do_for.get(type, ()), *self.what_to_do)


@dataclass(frozen=True, kw_only=True, eq=False)
class Edition:
    """The whole policy as it was posted at one moment. Two editions are the same when their digests are."""

    id: str
    title: str
    entity: str
    locale: str
    effective_at: datetime
    look_back: timedelta
    """What happened longer ago than this when it was reported is too old."""
    memory: timedelta
    """How long an upheld case counts as an earlier one."""
    reader_confidence_min: float
    in_progress: timedelta
    """What happened at most so long before it was reported counts as going on."""
    person_from: Degree
    """From this degree up a person decides, whatever the clause says."""
    introduction: str
    clauses: tuple[Clause, ...]
    clocks: tuple[Clock, ...] = ()
    repeats: tuple[Repeats, ...] = ()
    """How repetition is treated, for the clause groups that the edition names."""
    digest: str = ""
    """SHA-256 (hex) over the edition's files in canonical form."""
    verdicts: dict[tuple[object, ...], Verdict] = field(default_factory=dict, init=False, repr=False)
    """Verdicts that the judge has already put into words; they follow from the edition alone."""

    def clause(self, id: str) -> Clause:
        """The clause named `id`; raises UnknownClause."""
        try:
            return self._by_id[id]
        except KeyError as why:
            raise UnknownClause(f"edition {self.id} has no clause {id!r}") from why

    def clause_named(self, id: str) -> Clause | None:
        """The clause named `id`; None when there is none."""
        return self._by_id.get(id)

    def clock(self, id: str) -> Clock:
        """The clock named `id`; raises UnknownClause."""
        for clock in self.clocks:
            if clock.id == id:
                return clock
        raise UnknownClause(f"edition {self.id} has no clock {id!r}")

    def clause_for(self, allegation: Allegation) -> Clause | None:
        """The clause that a report of this type and subject leads to; None when there is none."""
        return self._by_type.get((allegation.type, subject_of(allegation)))

    def decider_of(self, rung: Rung, *, clause: str) -> Role | None:
        """Who must decide before this rung is taken; None where the clock may."""
        decides = decided_by(self.clause(clause).decides)
        # Whatever an edition says, nobody is cut off for good by a clock.
        by_degree = rung.degree >= min(self.person_from, Degree.TERMINATE)
        return Role.ANALYST if decides is None and by_degree else decides

    def repeats_of(self, group: str) -> Repeats:
        """How repetition under a clause group is treated; the edition's memory where it says nothing of it."""
        return self._by_group.get(group) or Repeats(group=group, lifetime=self.memory)

    def length_of(self, clock: str, *, default: timedelta) -> timedelta:
        """How long a clock of the operator's runs; `default` where the edition does not set it, or in business days."""
        lengths = (each.length for each in self.clocks if each.id == clock)
        return next((length for length in lengths if length is not None), default)

    def examples(self) -> Iterator[tuple[Clause, Example]]:
        """Every example with its clause."""
        return ((clause, example) for clause in self.clauses for example in clause.examples)

    @cached_property
    def look_back_seconds(self) -> float:
        """`look_back` in seconds."""
        return self.look_back.total_seconds()

    @cached_property
    def in_progress_seconds(self) -> float:
        """`in_progress` in seconds."""
        return self.in_progress.total_seconds()

    @cached_property
    def _by_group(self) -> dict[str, Repeats]:
        return {repeats.group: repeats for repeats in self.repeats}

    @cached_property
    def _by_id(self) -> dict[str, Clause]:
        return {clause.id: clause for clause in self.clauses}

    @cached_property
    def _by_type(self) -> dict[tuple[str, Subject], Clause]:
        found: dict[tuple[str, Subject], Clause] = {}
        for clause in sorted(self.clauses, key=lambda clause: clause.subject is not None):
            for type in clause.applies_to:
                for subject in (clause.subject,) if clause.subject else Subject:
                    found[type, subject] = clause
        return found


def subject_of(allegation: Allegation) -> Subject:
    """NAME when a URL or a host name is complained about and no address is stated."""
    if allegation.source is None and (allegation.url or allegation.domain):
        return Subject.NAME
    return Subject.ADDRESS
