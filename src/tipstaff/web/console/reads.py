"""What the console's pages are made of, gathered from the rooms' reading doors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from django.urls import reverse

from tipstaff import wiring
from tipstaff.cases import queries as cases
from tipstaff.cases import rules
from tipstaff.cases.clocks import count_late_clocks, running_clocks
from tipstaff.enforcement import queries as enforcement
from tipstaff.intake import queries as intake
from tipstaff.ledger import queries as ledger
from tipstaff.notices import queries as notices
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.clauses import Clause, Edition, UnknownClause
from tipstaff.procedures.agent import ABOUT as AGENT
from tipstaff.procedures.casework import URGENT, proposals_waiting, waiting_incidents
from tipstaff.procedures.joint import may_be_proposed
from tipstaff.procedures.judging import FailedCondition, failed_of
from tipstaff.procedures.other_ways import Task, tasks, to_carry
from tipstaff.procedures.our_clocks import WATCHES
from tipstaff.procedures.reasons import Reasons, reasons_for_court
from tipstaff.procedures.sealed import closed_groups
from tipstaff.procedures.sighting import role_for
from tipstaff.procedures.spreading import SUSPENSION
from tipstaff.procedures.staffing import staff_names
from tipstaff.procedures.transit import REFUSAL
from tipstaff.procedures.work import act_by
from tipstaff.registry import queries as registry
from tipstaff.sensors import queries as sensors
from tipstaff.words import (
    Admission,
    AdmissionState,
    Answer,
    Candidate,
    Case,
    CaseState,
    Customer,
    Decision,
    Entry,
    Evidence,
    Incident,
    Letter,
    LetterKind,
    LetterState,
    Matter,
    Measure,
    Measured,
    MeasureState,
    Note,
    Report,
    ReportOutcome,
    Role,
    RunningClock,
    Service,
)

from ..shown import COUNTED_MAX, label, stamp
from .lanes import Picture, Row, moved, picture, rows_on_record, span_kept
from .sentences import Step, tell_all

NEEDS_PERSON = rules.NEEDS_PERSON


UNDER_WAY = frozenset(CaseState) - {CaseState.CLOSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A saved way to look at the list of cases; it lives in the address, so it can be linked."""

    name: str
    label: str
    states: frozenset[CaseState] | None
    order: str = "due"
    mine: bool = False
    watched: bool = False
    snoozed: bool | None = False
    """Only what is snoozed, only what is not, or both (None)."""
    empty: tuple[str, str]


VIEWS: Mapping[str, View] = MappingProxyType(
    {
        view.name: view
        for view in (
            View(
                name="open",
                label="Open",
                states=UNDER_WAY,
                empty=(
                    "No open case",
                    "A case opens when a complaint names an address that a customer held at that time. "
                    "Send one to the abuse address and watch it arrive here.",
                ),
            ),
            View(
                name="mine",
                label="Mine",
                states=UNDER_WAY,
                mine=True,
                empty=("Nothing is yours", "Open a case and press a, or “Take it”, to put your name on it."),
            ),
            View(
                name="followed",
                label="Followed",
                states=None,
                order="newest",
                watched=True,
                snoozed=None,
                empty=("You follow no case", "Open a case and press “Follow it”: it stands here whoever works on it."),
            ),
            View(
                name="overdue",
                label="Overdue",
                states=frozenset({CaseState.OVERDUE}),
                empty=(
                    "Nothing is overdue",
                    "A case comes here when the customer's time has passed and no measure is planned yet.",
                ),
            ),
            View(
                name="person",
                label="Needs a person",
                states=NEEDS_PERSON,
                order="severity",
                empty=("Nothing waits for you", "Disputes and cases that the policy leaves to a person come here."),
            ),
            View(
                name="measure",
                label="Measures",
                states=frozenset({CaseState.MEASURE_PLANNED, CaseState.MEASURE_IN_FORCE}),
                empty=(
                    "No case has a measure",
                    "When a deadline passes without an answer, the narrowest sufficient measure is planned.",
                ),
            ),
            View(
                name="snoozed",
                label="Snoozed",
                states=UNDER_WAY,
                snoozed=True,
                empty=(
                    "Nothing is snoozed",
                    "A case that is snoozed comes back by itself; its clocks run all the same.",
                ),
            ),
            View(
                name="closed",
                label="Closed",
                states=frozenset({CaseState.CLOSED}),
                order="newest",
                snoozed=None,
                empty=(
                    "No case is closed yet",
                    "A case closes when its cause is fixed and its measures are shown to be lifted.",
                ),
            ),
            View(
                name="all",
                label="All",
                states=None,
                order="newest",
                snoozed=None,
                empty=("No cases yet", "The first complaint about one of your customers opens the first case."),
            ),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The row of counters above the list."""

    open: int
    overdue: int
    waiting: int
    in_force: int
    today: int
    peak: int
    spark_width: int
    spark_line: str
    spark_area: str


def numbers(at: datetime) -> Numbers:
    by_state = cases.count_by_state(UNDER_WAY)
    hours = arrivals(at, hours=24)
    line, area, width = sparkline([n for _, n in hours])
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Numbers(
        open=sum(n for state, n in by_state.items() if state in UNDER_WAY),
        overdue=cases.count_overdue(at),
        waiting=count_waiting(by_state),
        in_force=enforcement.count_in_force(),
        today=sum(n for hour, n in hours if hour >= midnight),
        peak=max((n for _, n in hours), default=0),
        spark_width=width,
        spark_line=line,
        spark_area=area,
    )


def count_waiting(by_state: Mapping[CaseState, int] | None = None) -> int:
    """How many things wait in the inbox."""
    by_state = cases.count_by_state(NEEDS_PERSON) if by_state is None else by_state
    asked = (ReportOutcome.WITH_A_PERSON,)
    reports = intake.count_by_outcome(asked, most=COUNTED_MAX).get(ReportOutcome.WITH_A_PERSON, 0)
    measures = len(refused_measures()) + len(enforcement.list_still_stopped(limit=100)) + len(devices_in_trouble())
    people = sum(by_state.get(s, 0) for s in NEEDS_PERSON) + registry.count_waiting_admissions()
    people += sensors.count_left()
    return people + reports + measures + count_troubled_letters()


def count_troubled_letters() -> int:
    """How many letters a person has to look at, or to carry by another way."""
    came_back = sum(letter.state is LetterState.RETURNED for letter, _ in to_carry())
    return sum(notices.count_by_state(TROUBLED_LETTERS).values()) + came_back


def letters_to_carry() -> list[Task]:
    """What is to be posted or telephoned, with what comes next."""
    return tasks(own_font=str(wiring.settings().mail_out.paper_font or ""))


TROUBLED_LETTERS = (LetterState.IN_DOUBT, LetterState.REFUSED)


def arrivals(at: datetime, *, hours: int) -> list[tuple[datetime, int]]:
    """Reports received in each of the last `hours` hours, oldest first; the last one is the hour under way."""
    this_hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first = this_hour - timedelta(hours=hours - 1)
    counts = intake.count_by_hour(since=first, until=at + timedelta(hours=1))
    return [(first + timedelta(hours=i), counts.get(first + timedelta(hours=i), 0)) for i in range(hours)]


def sparkline(values: Sequence[int], *, height: int = 40, step: int = 10) -> tuple[str, str, int]:
    """SVG paths of a line and of the area under it, and their width."""
    top = max(max(values, default=0), 1)
    points = [(i * step, round(height - 3 - (height - 8) * value / top, 1)) for i, value in enumerate(values)]
    width = max((len(values) - 1) * step, 1)
    if not points:
        return "", "", width
    line = "M" + " L".join(f"{x} {y}" for x, y in points)
    return line, f"{line} L{width} {height} L0 {height} Z", width


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCases:
    """One page of the list."""

    cases: list[Case]
    total: int
    """Counted no further than COUNTED_MAX."""
    more: str
    """Query of the next page, or empty."""


PAGE = 50
INBOX_SHOWN = 50
"""Of each kind that a person has to see to; the list of that kind has the rest."""
STEPS_SHOWN, REPORTS_SHOWN = 100, 25
"""Of a longer story the console shows the beginning and the end; a case that more reports joined has pages of them."""


def list_cases(
    view: View, *, me: str, find: str, page: int, at: datetime, tag: str = "", campaign: str = "", brand: str = ""
) -> ListedCases:  # fmt: skip
    assignee = me if view.mine else None
    narrowed = cases.Narrowed(
        tag=tag or None, campaign=campaign or None, brand=brand or None, watcher=me if view.watched else None,
        awake_at=at if view.snoozed is False and not find else None, snoozed_at=at if view.snoozed else None,
    )  # fmt: skip
    total = cases.count_cases(states=view.states, search=find, assignee=assignee, narrowed=narrowed, most=COUNTED_MAX)
    rows = cases.list_cases(
        states=view.states, search=find, assignee=assignee, narrowed=narrowed, order=view.order, limit=PAGE,
        offset=(page - 1) * PAGE,
    )  # fmt: skip
    asked = {"view": view.name, "find": find, "tag": tag, "campaign": campaign, "brand": brand, "page": page + 1}
    more = urlencode({k: v for k, v in asked.items() if v}) if page * PAGE < total else ""
    return ListedCases(cases=rows, total=total, more=more)


def colleagues(*, but: str) -> list[str]:
    """Who may be handed a case."""
    return [name for name in staff_names() if name != but]


def in_short(case: Case) -> str:
    """A case as one sentence, for whoever has to compare two versions of it."""
    due = f", answer due {stamp(case.due_at)}" if case.due_at else ""
    snoozed = f", snoozed until {stamp(case.snoozed_until)}" if case.snoozed_until else ""
    tags = f", tags {' '.join(case.tags)}" if case.tags else ""
    reports = "1 report" if case.reports == 1 else f"{case.reports} reports"
    return f"{label(case.state)}{due}, {case.assignee or 'nobody'}'s, {reports}{snoozed}{tags}"


def now_of(case: Case, action: str) -> str:
    """What a bulk action would change, as it is now."""
    now = {
        "assign": case.assignee or "nobody", "snooze": stamp(case.snoozed_until) if case.snoozed_until else "awake",
        "tag": " ".join(case.tags) or "no tag", "link": case.campaign or "no campaign",
    }  # fmt: skip
    return now[action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """What the panel beside the list shows."""

    case: Case
    steps: list[Step]
    left_out: int
    """Entries between the steps."""
    next_step: str


def peek(key: str) -> Peek | None:
    case = cases.get_case(key)
    if case is None:
        return None
    steps, left_out = steps_of(key)
    return Peek(case=case, steps=steps, left_out=left_out, next_step=rules.what_next(case))


def steps_of(key: str) -> tuple[list[Step], int]:
    """The story of `key` without what only the record needs, and how many entries are left out of its middle."""
    entries, left_out = ledger.trace_and_rest(key, limit=STEPS_SHOWN)
    return tell_all(entries), left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Everything that waits for a person."""

    reports: list[Report]
    cases: list[tuple[Case, str]]
    """Each with why it waits, in a sentence."""
    letters: list[Letter]
    to_carry: list[Task]
    """To post, or to read out on the telephone."""
    measures: list[Measure]
    still_stopped: list[Measure]
    devices: list[enforcement.DeviceHealth]
    """Those that do not answer, and those that hold new measures back until two people agree."""
    admissions: list[Admission]
    sightings: list[tuple[Measured, Role | None]]
    """Each with the role that sees to it."""
    sightings_total: int
    clocks: list[tuple[RunningClock, str, str]]
    """Clocks of ours that end soon, or have: each with its page, and what is to be done."""
    failed: list[tuple[FailedCondition, str]]
    """Conditions of the edition in force that could not be worked out in the last week."""

    @property
    def more_cases(self) -> bool:
        """Whether more may wait than are shown."""
        return len(self.cases) == INBOX_SHOWN

    @property
    def more_reports(self) -> bool:
        return len(self.reports) == INBOX_SHOWN

    @property
    def empty(self) -> bool:
        return not (
            self.reports or self.cases or self.letters or self.measures or self.still_stopped or self.admissions
            or self.devices or self.sightings or self.clocks or self.to_carry or self.failed
        )  # fmt: skip


def inbox(at: datetime, *, legal: bool = False) -> Inbox:
    """What waits for a person; with `legal`, for one who keeps the legal register."""
    to_carry = letters_to_carry()
    carried = {task.letter.key for task in to_carry}
    troubled = [letter for s in TROUBLED_LETTERS for letter in notices.list_letters(state=s, limit=100)]
    return Inbox(
        reports=intake.list_reports(outcome=ReportOutcome.WITH_A_PERSON, limit=INBOX_SHOWN),
        cases=_with_why(
            cases.list_cases(
                states=NEEDS_PERSON, narrowed=cases.Narrowed(awake_at=at), order="severity", limit=INBOX_SHOWN
            )
        ),
        letters=[letter for letter in troubled if letter.key not in carried],
        to_carry=to_carry,
        measures=refused_measures(),
        still_stopped=enforcement.list_still_stopped(limit=100),
        devices=devices_in_trouble(),
        admissions=registry.list_admissions(state=AdmissionState.WAITING, limit=100),
        sightings=[(measured, role_for(measured)) for measured in sensors.left_to_people(limit=INBOX_SHOWN)],
        sightings_total=sensors.count_left(),
        clocks=clocks_shown(at, legal=legal),
        failed=failed_conditions(edition_to_go_by(wiring.editions(), at=at), since=at - FAILED_SHOWN),
    )


FAILED_SHOWN = timedelta(days=7)
"""So long a condition that failed stays in the inbox."""


def devices_in_trouble() -> list[enforcement.DeviceHealth]:
    """What an alarm is for, of the devices that the settings name."""
    return enforcement.devices_in_trouble([device.name for device in wiring.settings().devices])


def failed_conditions(edition: Edition, *, since: datetime | None = None) -> list[tuple[FailedCondition, str]]:
    """The conditions of an edition that could not be worked out, each with the page of what showed it last."""
    return [
        (
            each,
            reverse("console:report", args=[each.last_on]) if each.last_on.startswith("R-")
            else f"{reverse('console:sightings')}?{urlencode({'find': each.last_on})}",
        )
        for each in failed_of(edition, since=since)
    ]  # fmt: skip


def clocks_shown(soon_at: datetime | None, *, legal: bool) -> list[tuple[RunningClock, str, str]]:
    """Clocks that run on us, soonest due first: each with the address of what it is about, and what is to be done about
    it. With `soon_at`, only those that come into the inbox by then. What stands in the legal register is for whoever
    keeps it."""
    found = [
        clock
        for ahead in sorted({watched.ahead for watched in WATCHES.values()})
        for clock in running_clocks(
            due_before=soon_at + ahead if soon_at is not None else None,
            clocks=[id for id, watched in WATCHES.items() if watched.ahead == ahead],
            register=legal, limit=INBOX_SHOWN,
        )
    ]  # fmt: skip
    found.sort(key=lambda clock: clock.due_at)
    return [
        (clock, _page_about(clock.about, legal=legal), WATCHES[clock.clock].seen_to) for clock in found[:INBOX_SHOWN]
    ]


def _page_about(about: str, *, legal: bool) -> str:
    """Where what a clock is about is shown."""
    if about == AGENT:
        return reverse("console:harbour" if legal else "console:clocks")
    pages = {"C": "console:case", "R": "console:report", "G": "console:matter"}
    return reverse(pages[about[0]], args=[about])


def late_clocks(*, legal: bool) -> int:
    """How many of those clocks were found late."""
    return count_late_clocks(clocks=WATCHES.keys(), register=legal)


def refused_measures() -> list[Measure]:
    """Measures that a guard refused, while their case is open: afterwards nobody need do anything about them."""
    refused = enforcement.list_measures(state=MeasureState.FAILED, limit=100)
    states = cases.states_of({m.case for m in refused})
    return [m for m in refused if states.get(m.case) is not CaseState.CLOSED]


def _with_why(waiting: list[Case]) -> list[tuple[Case, str]]:
    entries = ledger.latest_about([c.key for c in waiting], what=("case.opened", "case.waiting_person"))

    def why(case: Case) -> str:
        if case.state in (CaseState.DISPUTED, CaseState.APPEALED):
            return f"“{case.answer}”"
        entry = entries.get(case.key)
        if entry is None:
            return case.explanation
        return str(entry.detail.get("why") or "") or f"{label(str(entry.detail.get('reason', '')))}."

    return [(case, why(case)) for case in waiting]


@dataclass(frozen=True, slots=True, kw_only=True)
class InCase:
    """One report inside a case, with what is known of its bytes."""

    report: Report
    evidence: Evidence | None
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributed:
    """Who held it, as the record says it."""

    grade: str
    reason: str
    rows: list[Row]
    earliest: datetime | None
    latest: datetime | None
    pictures: tuple[tuple[str, Picture], ...]
    """Of the rows over time, for a wide page and for a phone, each with when it is shown."""
    question: str
    """The query that asks the same of what is known today; empty where it was no address at some time."""
    as_known: str
    """What makes it ask of the registry as it was known when the verdict was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """Everything about one case."""

    case: Case
    steps: list[Step]
    left_out: int
    """Entries between the steps."""
    next_step: str
    reports: list[InCase]
    reports_at: "Turned"
    """Which of the case's reports these are."""
    letters: list[Letter]
    measures: list[Measure]
    notes: list[Note]
    proposals: list[Decision]
    """What waits for a second person, newest first."""
    customer: Customer | None
    service: Service | None
    clause: Clause | None
    edition: Edition | None
    attribution: Attributed | None
    weighed: tuple[Mapping[str, object], ...]
    reasons: tuple[Reasons, ...]
    """Why each incident of the reports shown, and each sighting, was judged so, as the record says it to a court."""
    others: list[Case]
    measured: list[Measured]
    """What we measured ourselves."""
    has_written: bool
    """Whether the customer has answered, by the link or by mail."""

    joined_waits: list[str]
    """What joined while the case ran, and waits for a person's word; empty where the case as a whole does."""
    waits_for: str
    """Why the case waits for a person, as the record says it; empty when it does not."""
    next_at: datetime | None
    """When the next step comes by itself."""
    act_by: datetime | None
    """By when somebody at the desk should act; None while nobody need."""
    our_clocks: list[RunningClock]
    """What runs on us for it, and for its reports."""
    seen: str
    """The case in short, which a form sends back: so whoever comes second sees what they saw."""
    entry: int
    """The newest line of the record in its story at that moment."""
    may_split: list[Matter]
    """Incidents of the reports shown, and sightings."""
    may_merge: list[Case]
    may_reopen: bool
    may_refuse_transit: bool
    """Whether the customer's routes may be refused, by two people."""
    may_suspend_spreader: bool
    """Whether the service may be suspended by which something is put up again and again, by two people."""
    parts: list[str]
    """Cases that it was split from, merged with or split into."""
    linked: list[Case]
    """Others of its campaign."""

    @property
    def go_ahead(self) -> str:
        """What the button does: a letter before a warning, the narrowest measure after one."""
        if not any(letter.kind is LetterKind.NOTICE and letter.sent_at for letter in self.letters):
            return "Write to the customer"
        chosen = [c for c in self.candidates if (c.chosen if isinstance(c, Candidate) else c.get("chosen"))]
        if not chosen:
            return "Take the narrowest measure"
        first = chosen[0]
        if isinstance(first, Candidate):
            selector, degree = str(first.selector), first.degree.name
        else:
            selector, degree = str(first.get("selector")), str(first.get("degree"))
        more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
        return f"{label(degree.lower()).capitalize()} {selector}{more}"

    @property
    def urgent_waits(self) -> bool:
        """Whether an urgent measure is proposed already."""
        return any(proposal.kind == URGENT for proposal in self.proposals)

    @property
    def open(self) -> bool:
        return self.case.state in rules.OPEN

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What the customer may answer now, whichever way they do; an appeal comes by the link or by mail."""
        return rules.answers_open(self.case.state, extended=self.case.extended)

    @property
    def candidates(self) -> "tuple[Candidate | Mapping[str, object], ...]":
        """What was weighed: as the measure keeps it, else as the record says it when nothing was planned."""
        return next((m.candidates for m in reversed(self.measures) if m.candidates), self.weighed)

    @property
    def lifted_all(self) -> bool:
        return all(m.state is MeasureState.LIFTED for m in self.measures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """A page of the reports that joined a case."""

    page: int
    """From 1 on."""
    total: int
    """Of reports."""

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // REPORTS_SHOWN))

    @property
    def first(self) -> int:
        """Number of its first report, in the order in which they came."""
        return (self.page - 1) * REPORTS_SHOWN + 1

    @property
    def last(self) -> int:
        return min(self.page * REPORTS_SHOWN, self.total)


def case_page(key: str, *, at: datetime, turned_to: int = 1) -> CasePage | None:
    """Everything about a case, with the page of its reports that is `turned_to`, or the last where it has fewer."""
    case = cases.get_case(key)
    if case is None:
        return None
    entries, left_out = ledger.trace_and_rest(key, limit=STEPS_SHOWN)
    numbers = intake.numbers_of_case(key)
    turned = Turned(page=max(1, turned_to), total=len(numbers))
    turned = replace(turned, page=min(turned.page, turned.pages))
    reports = intake.reports_of_case(key, numbers=numbers[turned.first - 1 : turned.last])
    measured = sensors.measured_of_case(key)
    matters: list[Matter] = [*(incident for report in reports for incident in report.incidents), *measured]
    desk = wiring.desk()
    edition = next((edition for edition in desk.editions if edition.id == case.edition), None)
    mergeable = case.state in rules.MERGEABLE
    same = cases.list_cases(customer=case.customer, states=rules.MERGEABLE, limit=20) if mergeable else []
    return CasePage(
        case=case,
        steps=tell_all(entries),
        left_out=left_out,
        next_step=rules.what_next(case),
        next_at=rules.next_at(case),
        seen=in_short(case),
        entry=entries[-1].id if entries else 0,
        act_by=act_by(case, desk=desk),
        our_clocks=running_clocks(about=[key, *(report.key for report in reports)]),
        may_split=matters if case.state in rules.SPLITTABLE else [],
        may_merge=[c for c in same if c.key != key and c.clause == case.clause and c.edition == case.edition],
        parts=sorted(cases.lineage_of(key) - {key}),
        linked=[
            c
            for c in cases.list_cases(narrowed=cases.Narrowed(campaign=case.campaign), order="newest", limit=21)
            if c.key != key
        ][:20]
        if case.campaign
        else [],
        reports=_in_case(reports),
        reports_at=turned,
        letters=notices.letters_of_case(key),
        measures=enforcement.measures_of_case(key),
        notes=cases.notes_of(key),
        proposals=proposals_waiting(case, desk=desk, at=at),
        customer=registry.get_customer(case.customer),
        service=registry.get_service(case.service) if case.service else None,
        clause=clause_of(edition, case.clause),
        edition=edition,
        attribution=attribution_in(entries, resource=case.resource),
        weighed=_weighed(key),
        reasons=reasons_for_court(matters, desk=desk),
        measured=measured,
        others=[c for c in cases.list_cases(customer=case.customer, order="newest", limit=6) if c.key != key][:5],
        may_reopen=_may_reopen(case, at=at),
        may_refuse_transit=may_be_proposed(REFUSAL, case, desk=desk, at=at),
        may_suspend_spreader=may_be_proposed(SUSPENSION, case, desk=desk, at=at),
        joined_waits=[]
        if case.state is CaseState.WAITING_PERSON or case.state not in rules.OPEN
        else waiting_incidents(key),
        waits_for=_with_why([case])[0][1] if case.state is CaseState.WAITING_PERSON else "",
        has_written=bool(case.answer) or ledger.has_entry(key, what="letter.replied", by="customer"),
    )


def _may_reopen(case: Case, *, at: datetime) -> bool:
    try:
        rules.reopened(case, at=at)
    except rules.IllegalMove:
        return False
    return True


def _in_case(reports: list[Report]) -> list[InCase]:
    evidence = ledger.get_evidences(r.evidence for r in reports)
    return [InCase(report=r, evidence=evidence.get(r.evidence), incidents=r.incidents) for r in reports]


def clause_of(edition: Edition | None, id: str) -> Clause | None:
    if edition is None:
        return None
    try:
        return edition.clause(id)
    except UnknownClause:
        return None


def attribution_in(entries: Sequence[Entry], *, resource: str) -> Attributed | None:
    """The judgement that opened the case about `resource`; later reports of it have their own."""
    entry = next((e for e in entries if e.what == "incident.judged" and e.detail.get("customer")), None)
    if entry is None:
        return None
    rows, (earliest, latest) = rows_on_record(entry.detail), span_kept(entry.detail.get("window"))
    pictures: tuple[tuple[str, Picture], ...] = ()
    question = ""
    if earliest and latest:
        margin = max((latest - earliest) / 4, PICTURED)
        begin, end = moved(earliest, -margin), moved(latest, margin)
        pictures = tuple(
            (shown, picture(rows, begin=begin, end=end, earliest=earliest, latest=latest, width=width))
            for shown, width in (("hidden sm:block", 1000), ("sm:hidden", 340)) if rows
        )  # fmt: skip
        half = (latest - earliest) / 2
        question = urlencode({
            "address": resource, "at": f"{earliest + half:%Y-%m-%d %H:%M:%S}", "precision": round(half.total_seconds()),
        }) if "/" not in resource and resource else ""  # fmt: skip
    return Attributed(
        grade=str(entry.detail.get("grade", "")), reason=str(entry.detail.get("attribution", "")), rows=rows,
        earliest=earliest, latest=latest, pictures=pictures, question=question,
        as_known=urlencode({"known_at": f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"}),
    )  # fmt: skip


PICTURED = timedelta(days=1)
"""So much is shown before and after the time of the event."""


def _rows(proof: object) -> tuple[Mapping[str, object], ...]:
    """The rows of a proof; none in entries older than that kind of row."""
    return tuple(dict(row) for row in proof if isinstance(row, Mapping)) if isinstance(proof, list) else ()


def _weighed(key: str) -> tuple[Mapping[str, object], ...]:
    """The candidates that were weighed last, as the record says it."""
    entry = ledger.latest_about([key], what=("measure.weighed",)).get(key)
    return () if entry is None else _rows(entry.detail.get("candidates"))


def sealed_queue(
    *, limit: int, after: str | None = None
) -> list[tuple[Evidence, str | None, list[dict[str, object]]]]:  # fmt: skip
    """What is sealed, newest first, each with the key of its report and what was taken out before it was kept. `after`
    is the last digest of the page before."""
    found = ledger.list_sealed(limit=limit, after=after)
    digests = [each.digest for each in found]
    reports, stripped = intake.reports_of_evidences(digests), ledger.get_stripped(digests)
    return [(each, reports.get(each.digest), stripped.get(each.digest, [])) for each in found]


def letter_states() -> list[tuple[LetterState, int]]:
    """How many letters are in each state, counted no further than COUNTED_MAX."""
    counts = {state: notices.count_in(state, most=COUNTED_MAX) for state in LetterState}
    return list(counts.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One line of the health page."""

    name: str
    well: bool
    detail: str


def programs(at: datetime) -> list[Program]:
    """What can be told from the database: a program that stands still leaves its work lying."""
    unread, due = len(intake.unread(limit=1000)), len(cases.list_due(at, limit=1000))
    letters = notices.count_by_state((LetterState.HELD, LetterState.QUEUED))
    return [
        Program(name="Reading", well=unread < 50, detail=f"{unread} reports not read yet"),
        Program(name="Deadlines", well=due == 0, detail=f"{due} passed and not acted on"),
        *_of_closed_groups(),
        _of_letters(letters),
        *(_of_device(device) for device in enforcement.list_health()),
    ]


def _of_closed_groups() -> list[Program]:
    """A group that no clause is of closes nothing, whatever its operator meant."""
    known = {clause.group for edition in wiring.editions() for clause in edition.clauses}
    unknown = closed_groups(wiring.settings().staff.closed_groups) - known
    said = f"[staff] closed_groups: no clause is of {', '.join(sorted(unknown))}; nothing is closed by it"
    return [Program(name="Settings", well=False, detail=said)] if unknown else []


def _of_letters(letters: Mapping[LetterState, int]) -> Program:
    if held := letters.get(LetterState.HELD, 0):
        return Program(name="Letters", well=False, detail=f"{held} held: no mail server is set")
    refused, why = notices.not_taken_yet()
    said = f"{letters.get(LetterState.QUEUED, 0)} waiting"
    if refused:
        said += f", {refused} of them not taken by the mail server yet: {why}"
    return Program(name="Letters", well=not refused, detail=said)


def _of_device(device: enforcement.DeviceHealth) -> Program:
    detail = device.held_back or device.detail
    if not detail:
        detail = (
            f"generation {device.generation}, read back {stamp(device.seen_at)}" if device.seen_at else "not read yet"
        )
    return Program(name=f"Device {device.device}", well=not device.failures and not device.held_back, detail=detail)
