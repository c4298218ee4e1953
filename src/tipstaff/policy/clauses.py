"""An edition of the policy as frozen values: its clauses, remedies and clocks, and the examples that prove them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType

from tipstaff.words import (
    Allegation,
    AttributionReason,
    Conduct,
    Degree,
    Direction,
    Disposition,
    Grade,
    NoticePosture,
    Reason,
    RetestCheck,
    Role,
    Rung,
    Severity,
    Sighting,
    StatedFacts,
    Verdict,
)

from .clocks import Clock, ClockKind, ClockUnit
from .conditions import Condition, report_facts
from .deciding import ON_REPEATS_ROW, TWO_PEOPLE_FROM, decided_by, of_identity, of_speech
from .kinds import (
    RAISED_EVENTS,
    Actor,
    AutoStep,
    ClauseKind,
    ExampleKind,
    LegalForm,
    Opens,
    PortOf,
    RecordKind,
    Subject,
)
from .strikes import Repeats

__all__ = [
    "Actor",
    "AutoStep",
    "Clause",
    "ClauseKind",
    "Clock",
    "ClockKind",
    "ClockUnit",
    "Edition",
    "Example",
    "ExampleKind",
    "Expected",
    "Given",
    "LegalForm",
    "Opens",
    "PortOf",
    "RecordKind",
    "Subject",
    "Translation",
    "UnknownClause",
    "Wording",
    "subject_of",
]


class UnknownClause(LookupError):
    """The edition has no clause of that name."""


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
    finding: str = ""
    """Not a report but what we found ourselves: `routes.origin_invalid`."""
    event: str = ""
    """Not about conduct at all but a step of the operator's: `contact.asked_for`."""
    facts: StatedFacts = field(default_factory=lambda: MappingProxyType({}))
    """What is stated with a finding or an event; conditions ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an example expects. A field that is None is not compared, except `clause`.

    Of a report or a finding a verdict is expected, of an event the clause that serves it, or none.
    """

    disposition: Disposition | None = None
    reason: Reason | None = None
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
    line: int = field(default=0, compare=False)
    """Its line in the clause's file; 0 where it came from none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One rule of an edition: the words that a customer reads, and what the judge needs to apply them."""

    id: str
    rows: tuple[int, ...]
    """The rows of the policy's decomposition (`rows.csv`) that it puts into words."""
    title: str
    text: str
    acts: Actor = Actor.USER
    kind: ClauseKind = ClauseKind.CONDUCT
    applies_to: tuple[str, ...] = ()
    """XARF types that lead here; empty for a clause that only a person or a procedure cites."""
    subject: Subject | None = None
    """Only reports about this; None for any."""
    findings: tuple[str, ...] = ()
    """Findings of our own that lead here."""
    events: tuple[str, ...] = ()
    """For a duty or a procedure: the events that it answers."""
    when: Condition | None = None
    """A report, a finding or an event leads here only where this holds."""
    found_when: Condition | None = None
    """A finding leads here only where this holds as well: the threshold of a clause that takes reports without one."""
    retest: tuple[RetestCheck, ...] = ()
    """What may be asked of the customer's address after a fix, before the case closes; empty: nothing is."""
    group: str = ""
    """Reports under clauses of one group join one case."""
    severity: Severity = Severity.LOW
    answer_within: timedelta | None = None
    answer_within_repeated: timedelta | None = None
    answer_clock: Clock | None = None
    """Where the time to answer is counted as people count days; `answer_within` is the least that it can be then."""
    answer_kind: ClockKind = ClockKind.OPERATOR
    answer_source: str = ""
    notice: NoticePosture = NoticePosture.BEFORE
    withheld_until: timedelta | None = None
    """The notice may be withheld on a recorded ground; the ground is reviewed at the latest after this."""
    tells_complainant: bool = True
    """Whether who complained is told that it came and how it ended."""
    opens: Opens = Opens.CASE
    decides: Role | None = None
    two_people: bool = False
    """A second person answers for the decision as well: no measure is taken before they have agreed."""
    left_to_people: str = ""
    """What no program decides, in a sentence."""
    automatic: tuple[AutoStep, ...] = ()
    not_built: tuple[AutoStep, ...] = ()
    """Those of the automatic steps that the software does not do yet."""
    legal_form: LegalForm | None = None
    """The form in which such notices come; what they show of it is put on the case."""
    record: RecordKind = RecordKind.CASE
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
    served_by: tuple[str, ...] = ()
    """What carries it out: `procedure: complaint`, `page: policy`, `desk: reading`, `command: policy publish`."""
    awaits: str = ""
    """What must be built before it works at all, in a sentence; empty for a clause that is served."""
    proved_by: tuple[str, ...] = ()
    """Tests that prove it: `tests/...py::name`."""
    limits: str = ""
    """What this edition's software does not do for it yet, in a sentence."""
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """The line of each condition in that file: `when`, `found_when`."""

    @property
    def judged(self) -> bool:
        """Whether anybody can be judged under it."""
        return self.kind is ClauseKind.CONDUCT

    @property
    def untried_events(self) -> tuple[str, ...]:
        """Those of the events that it answers which no procedure raises."""
        return tuple(event for event in self.events if event not in RAISED_EVENTS)

    @property
    def of_speech(self) -> str:
        """By what it turns on what somebody said, its row or its own words; empty where it does not."""
        return of_speech(self.rows, self.id, self.group, self.title, self.text) if self.judged else ""

    @property
    def of_identity(self) -> str:
        """By what it is about saying who a customer is, its row or its name; empty where it is not."""
        return of_identity(self.rows, self.id, self.title) if not self.judged else ""

    @property
    def always_a_persons(self) -> bool:
        """Whether every measure under it is left to a person, whatever came before."""
        return self.decides is not None or self.two_people

    def place_of(self, line: int) -> str:
        """`clauses/mail.unsolicited.toml:12`; empty for a clause that was read from no file."""
        return f"{self.file}:{line}" if self.file and line else ""

    def steps_for(self, type: str) -> tuple[str, ...]:
        """What a customer should do about a report of `type`: what is particular to it first."""
        return (*self.what_to_do_for.get(type, ()), *self.what_to_do)

    def clock_for(self, within: timedelta) -> Clock | None:
        """The clause's own clock, where `within` is its time to answer or the one after a repeated report."""
        clock = self.answer_clock
        if clock is None or within == self.answer_within:
            return clock
        if within != self.answer_within_repeated:
            return None
        return replace(clock, amount=within // clock.shortest_unit)

    @property
    def own_time(self) -> str:
        """The time to answer by the clause's own clock, as a page says it; empty where it is plain hours or days."""
        return self.time_said(self.answer_within) if self.answer_clock is not None and self.answer_within else ""

    def time_said(self, within: timedelta) -> str:
        """A time to answer as a sentence says it: `24 hours`, `3 business days`."""
        clock = self.clock_for(within)
        if clock is None:
            return f"{within.total_seconds() / 3600:g} hours"
        unit = clock.unit.value.replace("_", " ")
        return f"{clock.amount} {unit if clock.amount != 1 else unit[:-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a customer reads of a clause, in one language."""

    title: str
    text: str
    what_to_do: tuple[str, ...] = ()
    what_to_do_for: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def steps_for(self, type: str) -> tuple[str, ...]:
        """What a customer should do about a report of `type`: what is particular to it first."""
        return (*self.what_to_do_for.get(type, ()), *self.what_to_do)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """An edition's words in another language. Where they differ from the binding ones, those count."""

    locale: str
    title: str
    introduction: str
    note: str
    """Which language binds, said in this one."""
    clauses: Mapping[str, Wording]
    clocks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The sentences of clocks by their ids; the binding one stands for what is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """One entry of the register of what is collected about use (row 84)."""

    id: str
    data: str
    """What it is, in a sentence."""
    why: str
    """What it is for."""
    kept: str
    """How long, and who ends it."""
    collects: tuple[str, ...]
    """What the program may read for it: `source: kea-memfile`, `detector: flows`."""


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
    purposes: tuple[Purpose, ...] = ()
    """The register of what is collected about use, and why; empty for an edition that has none."""
    translations: tuple[Translation, ...] = ()
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
        found = self._by_type.get((allegation.type, subject_of(allegation)))
        if found is None or found[0].when is None:
            return found[0] if found else None
        stated = report_facts(allegation)
        return next((clause for clause in found if clause.when is None or clause.when.holds(report=stated)), None)

    def clause_for_finding(self, kind: str, *, facts: StatedFacts) -> Clause | None:
        """The clause that a finding of our own leads to; None where its facts do not amount to anything."""
        return self.look_up_finding(kind, facts=facts)[0]

    def look_up_finding(self, kind: str, *, facts: StatedFacts) -> tuple["Clause | None", bool]:
        """The same, and whether a condition on the way there could not be worked out."""
        failed = False
        for clause in self._by_finding.get(kind, ()):
            for condition in (clause.when, clause.found_when):
                answer = True if condition is None else condition.ask(facts=facts)
                if not answer:
                    failed = failed or answer is None
                    break
            else:
                return clause, failed
        return None, failed

    def failing(self, conduct: Conduct) -> tuple["Failing", ...]:
        """The conditions that could not be worked out on the way to the clause that `clause_of` gives: none held.
        Where a person cited the clause, no condition decided anything."""
        if isinstance(conduct, Allegation) and conduct.cited is not None:
            return ()
        found: list[Failing] = []
        measured = isinstance(conduct, Sighting)
        clauses = (
            self._by_finding.get(conduct.kind, ())
            if isinstance(conduct, Sighting)
            else self._by_type.get((conduct.type, subject_of(conduct)), ())
        )
        stated = {"facts": conduct.facts} if isinstance(conduct, Sighting) else {"report": report_facts(conduct)}
        for clause in clauses:
            conditions = {"when": clause.when, "found_when": clause.found_when if measured else None}
            asked = {key: condition for key, condition in conditions.items() if condition is not None}
            # As they are asked: one that does not hold ends it for its clause.
            key = next((key for key, condition in asked.items() if condition.ask(**stated) is not True), None)
            if key is None:
                break
            if why := asked[key].failure(**stated):
                found.append(Failing(clause=clause.id, key=key, why=why))
        return tuple(found)

    def clause_of(self, conduct: Conduct) -> Clause | None:
        """The clause that a report or a sighting leads to; None when there is none."""
        if isinstance(conduct, Sighting):
            return self.clause_for_finding(conduct.kind, facts=conduct.facts)
        return self.clause_for(conduct)

    def takes(self, kind: str) -> bool:
        """Whether any clause takes findings of this kind."""
        return kind in self._by_finding

    def answers(self, kind: str) -> bool:
        """Whether any clause answers events of this kind, whatever is stated with them."""
        return kind in self._by_event

    def clause_for_event(self, kind: str, *, facts: StatedFacts) -> Clause | None:
        """The duty or procedure that answers an event; None where it does not apply."""
        return self._holding(self._by_event.get(kind, ()), facts)

    def wording(self, clause: str, *, language: str) -> Wording:
        """What a reader of `language` is shown of a clause: the translation where there is one, else the binding words.

        Raises UnknownClause.
        """
        own, said = self.clause(clause), self.said_in(language)
        if said is not None:
            return said.clauses[clause]
        return Wording(title=own.title, text=own.text, what_to_do=own.what_to_do, what_to_do_for=own.what_to_do_for)

    def said_in(self, language: str) -> Translation | None:
        """The edition's translation into `language` (`de`, `de-AT`); None where there is none, or it is its own."""
        wanted = language.lower()
        for known in (wanted, wanted.partition("-")[0]):
            for translation in self.translations:
                if translation.locale.lower() == known:
                    return translation
        return None

    def decider_of(self, rung: Rung, *, clause: str) -> Role | None:
        """Who must decide before this rung is taken; None where the clock may."""
        decides = decided_by(self.clause(clause).decides)
        if decides is not None:
            return decides
        # Whatever an edition says, nobody is cut off for good by a clock; and a clock is nobody's second person.
        by_degree = rung.degree >= min(self.person_from, Degree.TERMINATE)
        return Role.ANALYST if by_degree or self.takes_two_people(rung, clause=clause) else None

    def takes_two_people(self, rung: Rung, *, clause: str) -> bool:
        """Whether a second person must agree before this rung is taken under a clause: the clause says so, the rung
        suspends or ends a service, or only earlier cases opened it and the edition's clause on repetition says so."""
        on = self.clause(clause)
        if on.two_people or rung.degree >= TWO_PEOPLE_FROM:
            return True
        added = any(rung in step.adds for step in self.repeats_of(on.group).steps) and rung not in on.ladder
        return added and any(each.two_people and ON_REPEATS_ROW in each.rows for each in self.clauses)

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
    def of_speech(self) -> frozenset[str]:
        """Clauses that turn on what somebody said."""
        return frozenset(clause.id for clause in self.clauses if clause.of_speech)

    @cached_property
    def of_identity(self) -> frozenset[str]:
        """Clauses under which somebody is told who a customer is."""
        return frozenset(clause.id for clause in self.clauses if clause.of_identity)

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
    def _by_type(self) -> dict[tuple[str, Subject], tuple[Clause, ...]]:
        found: dict[tuple[str, Subject], list[Clause]] = {}
        for clause in sorted(self.clauses, key=_particular_first):
            for type in clause.applies_to:
                for subject in (clause.subject,) if clause.subject else Subject:
                    found.setdefault((type, subject), []).append(clause)
        return {key: tuple(clauses) for key, clauses in found.items()}

    @cached_property
    def _by_finding(self) -> dict[str, tuple[Clause, ...]]:
        return _grouped((kind, clause) for clause in self.clauses for kind in clause.findings)

    @cached_property
    def _by_event(self) -> dict[str, tuple[Clause, ...]]:
        return _grouped((kind, clause) for clause in self.clauses for kind in clause.events)

    @staticmethod
    def _holding(clauses: tuple[Clause, ...], facts: StatedFacts) -> Clause | None:
        return next((clause for clause in clauses if clause.when is None or clause.when.holds(facts=facts)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A condition that is neither true nor false of something that came in."""

    clause: str
    key: str
    """`when` or `found_when`."""
    why: str


def _grouped(pairs: Iterable[tuple[str, Clause]]) -> dict[str, tuple[Clause, ...]]:
    found: dict[str, list[Clause]] = {}
    for key, clause in pairs:
        found.setdefault(key, []).append(clause)
    return {key: tuple(sorted(clauses, key=_particular_first)) for key, clauses in found.items()}


def _particular_first(clause: Clause) -> tuple[bool, bool]:
    """Clauses with a condition are asked before those without; those on one subject before those on any."""
    return clause.when is None, clause.subject is None


def subject_of(allegation: Allegation) -> Subject:
    """NAME when a URL or a host name is complained about and no address is stated."""
    if allegation.source is None and (allegation.url or allegation.domain):
        return Subject.NAME
    return Subject.ADDRESS
