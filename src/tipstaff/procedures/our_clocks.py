"""Clocks of the edition that run on us: begun by the event that each names, shown with their end, told of when late.

The events are read from the record's chain, so a restart misses none; whether one is done is seen from how things
stand. What only people can do (telling the police, ending a preservation) counsel notes here.
"""

import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from django.db import transaction

from tipstaff.cases.clocks import (
    LOOK_AFTER,
    clocks_to_look_at,
    end_clock,
    lock_place,
    look_again,
    note_read_to,
    read_to,
    running_clocks,
    start_clocks,
)
from tipstaff.cases.queries import get_case, standing_key
from tipstaff.cases.rules import ENDED, SEALED
from tipstaff.enforcement.queries import get_measure, measures_of_case
from tipstaff.intake.queries import get_report, reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of, has_entry, in_chain, place_before
from tipstaff.legal.queries import get_matter
from tipstaff.notices.queries import get_letter, letters_of_case, letters_of_report
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.policy.clauses import Clock, ClockUnit
from tipstaff.policy.deciding import may_decide
from tipstaff.registry.queries import get_customer
from tipstaff.words import (
    Case,
    CaseState,
    Degree,
    Entry,
    Incident,
    LetterKind,
    LetterState,
    MatterState,
    Measure,
    MeasureState,
    NoticePosture,
    ReadingOutcome,
    ReadingReason,
    Report,
    ReportOutcome,
    Role,
    RunningClock,
    host_of,
)

from .agent import ABOUT, designations, since_of
from .answer_clock import ends_for, ends_for_us
from .desk import Desk
from .letters import notices_sent
from .suspension import NotYourDecision
from .transit import OF_RECORDS

log = logging.getLogger("tipstaff.worker")

READ_AT_A_TIME, BATCHES_MAX, LOOKS_MAX = 1000, 5, 500
AGAIN_AT_LEAST, AGAIN_AT_MOST = timedelta(minutes=10), timedelta(hours=12)
"""How soon one that is not done is looked at again: after a quarter of what is left to it, or of the time for which it
is late, within these."""
WORDS_MAX = 500
TOLD = "authority.told"


class NoSuchClock(LookupError):
    """No such clock runs about that; `tipstaff clocks list` shows those that do."""


class NothingToTell(ValueError):
    """Say whom, by which way and under which reference: that is what is shown later."""


class _Began(NamedTuple):
    """What a clock runs for, since when, and which of several it is."""

    about: str
    since: datetime
    nth: int = 1


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How one clock is begun and done."""

    done: Callable[[RunningClock, Desk], bool]
    seen_to: str
    """What is to be done about one that is late, in a sentence."""
    events: frozenset[str] = frozenset()
    """Entries of the record that may begin it."""
    began: Callable[[Entry, Clock, Desk], Iterable[_Began]] = lambda entry, clock, desk: ()
    """(the entry, the clock) -> what it runs for and since when; none where this entry begins none."""
    stands: Callable[[Desk], Iterable[_Began]] = lambda desk: ()
    """For one that no entry begins: what it runs for, as things stand."""
    ended_by: frozenset[str] = frozenset()
    """Entries about the same thing that show at once that it is done."""
    kept: bool = True
    """Whether each beginning and end stands in the record; the many that end within minutes leave no line there."""
    of_customer: bool = False
    """It runs on the customer and is counted where they live."""
    ahead: timedelta = timedelta(days=1)
    """So long before its end it comes into the inbox."""


def watch(*, desk: Desk, at: datetime) -> int:
    """Begin what the record's new entries begin, end what is done, tell of what is late; how many clocks changed."""
    changed, caught_up = _read_batches(desk=desk, at=at)
    changed += _begin_what_stands(desk=desk, at=at)
    short, ahead = _counted_in_hours(desk), False
    if not caught_up:
        # An hour is over before a long history is read: what is counted in hours begins from the chain's end meanwhile.
        begun, ahead = _read_batches(desk=desk, at=at, ahead=True)
        changed += begun
    for clock in clocks_to_look_at(at, limit=LOOKS_MAX):
        with transaction.atomic():
            changed += _look(clock, may_be_late=caught_up or (ahead and clock.clock in short), desk=desk, at=at)
    return changed


def _counted_in_hours(desk: Desk) -> Mapping[str, timedelta]:
    """The clocks that are over within hours, and the longest time that an edition has for each."""
    clocks = [each for edition in desk.editions for each in edition.clocks if each.id in WATCHES]
    hours = sorted((each.id, each.amount) for each in clocks if each.unit is ClockUnit.HOURS)
    return {id: timedelta(hours=amount) for id, amount in hours}


def _begin_what_stands(*, desk: Desk, at: datetime) -> int:
    """Begin what no entry begins; how many clocks began."""
    if not desk.editions:
        return 0
    begun = [
        RunningClock(
            clock=clock.id, about=each.about, nth=each.nth, edition=edition.id, started_at=each.since,
            due_at=ends_for_us(clock, at=each.since, desk=desk).by,
        )
        for edition in [edition_to_go_by(desk.editions, at=at)]
        for clock in edition.clocks
        if clock.id in WATCHES
        for each in WATCHES[clock.id].stands(desk)
    ]  # fmt: skip
    with transaction.atomic():
        new = start_clocks(begun, look_at=at)
        _record_begun(new, at=at)
    return len(new)


_DAYS_MOST = {ClockUnit.HOURS: 1, ClockUnit.DAYS: 1, ClockUnit.BUSINESS_DAYS: 4, ClockUnit.MONTHS: 31}
"""No clock is longer than so many days for each of what it counts."""


def _longest(desk: Desk) -> timedelta:
    """What is older began no clock that is not over."""
    clocks = (each for edition in desk.editions for each in edition.clocks if each.id in WATCHES)
    return timedelta(days=1 + max((each.amount * _DAYS_MOST[each.unit] for each in clocks), default=0))


def _read_batches(*, desk: Desk, at: datetime, ahead: bool = False) -> tuple[int, bool]:
    """How many clocks began, and whether the chain was read to its end."""
    changed = 0
    for _ in range(BATCHES_MAX):
        read, begun = _read_on(desk=desk, at=at, ahead=ahead)
        changed += begun
        if read < READ_AT_A_TIME:
            return changed, True
    return changed, False


def _place(*, desk: Desk, at: datetime, ahead: bool) -> int:
    """How far it was read. What nobody read who was asked too late is not read ahead: it is late already."""
    if not ahead:
        return lock_place(first=lambda: place_before(at - _longest(desk)))
    since = max(_counted_in_hours(desk).values(), default=timedelta()) + LOOK_AFTER
    return max(lock_place(first=lambda: 0, ahead=True), read_to(), place_before(at - since))


def _read_on(*, desk: Desk, at: datetime, ahead: bool) -> tuple[int, int]:
    """Read one batch of entries: (how many there were, how many clocks began)."""
    with transaction.atomic():
        entries = in_chain(after=_place(desk=desk, at=at, ahead=ahead), limit=READ_AT_A_TIME)
        if not entries:
            return 0, 0
        begun: dict[tuple[str, str, int], RunningClock] = {}
        answers: set[str] = set()
        for entry in entries:
            # What ends among the same entries never was late, and most of it does.
            if entry.detail.get("kind") == LetterKind.ACKNOWLEDGEMENT:
                answers.add(entry.about[0])
            if entry.what not in _SENT or entry.about[0] in answers:
                for id, key in itertools.product(_ENDED_BY.get(entry.what, ()), entry.about):
                    begun.pop((id, key, 1), None)
            for clock in _begun_by(entry, desk=desk, ahead=ahead):
                begun.setdefault((clock.clock, clock.about, clock.nth), clock)
        new = start_clocks(begun.values(), look_at=at + LOOK_AFTER)
        _record_begun(new, at=at)
        assert entries[-1].seq is not None, "it stands in the chain"
        note_read_to(entries[-1].seq, ahead=ahead)
        return len(entries), len(new)


def _record_begun(clocks: Iterable[RunningClock], *, at: datetime) -> None:
    for clock in clocks:
        if WATCHES[clock.clock].kept:
            _record("clock.started", clock, at=at, actor="worker", due_at=clock.due_at)


def _begun_by(entry: Entry, *, desk: Desk, ahead: bool) -> Iterator[RunningClock]:
    """Those that an entry begins; of those read `ahead`, what is counted in hours."""
    for id in _BEGUN_BY.get(entry.what, ()):
        edition = _edition_of(entry, desk)
        clock = next((each for each in edition.clocks if each.id == id), None) if edition is not None else None
        if edition is None or clock is None or (ahead and clock.unit is not ClockUnit.HOURS):
            continue
        for about, since, nth in WATCHES[id].began(entry, clock, desk):
            case = get_case(about) if WATCHES[id].of_customer else None
            due = (
                ends_for(get_customer(case.customer), clock, at=since)
                if case is not None
                else ends_for_us(clock, at=since, desk=desk)
            )
            yield RunningClock(
                clock=id, about=about, nth=nth, edition=edition.id, started_at=since, due_at=due.by
            )  # fmt: skip


def _edition_of(entry: Entry, desk: Desk) -> Edition | None:
    """The edition by which a clock is counted: the case's own, else the one in force when it happened."""
    if not desk.editions:
        return None
    case = _case_in(entry)
    named = next((each for each in desk.editions if case is not None and each.id == case.edition), None)
    return named or edition_to_go_by(desk.editions, at=entry.at)


def _look(clock: RunningClock, *, may_be_late: bool, desk: Desk, at: datetime) -> int:
    watched = WATCHES.get(clock.clock)
    if watched is None or watched.done(clock, desk):
        if end_clock(clock, at=at, keep=watched is not None and watched.kept):
            if watched is not None and (watched.kept or clock.late_at is not None):
                _record("clock.ended", clock, at=at, actor="worker", late=clock.late_at is not None)
            return 1
        return 0
    soon = min(max(abs(clock.due_at - at) / 4, AGAIN_AT_LEAST), AGAIN_AT_MOST)
    if at < clock.due_at:
        look_again(clock, look_at=min(at + soon, clock.due_at))
        return 0
    late = clock.late_at is None and may_be_late
    told = late or clock.late_at is not None
    look_again(clock, look_at=at + (soon if told else AGAIN_AT_LEAST), late_at=at if late else None)
    if late:
        _record("clock.late", clock, at=at, actor="worker", due_at=clock.due_at)
        # Which clock it is tells what a matter of the register, or a sealed report, is about.
        log.warning("%s: a clock of ours was due %s", clock.about, clock.due_at.isoformat())
    return int(late)


def _record(what: str, clock: RunningClock, *, at: datetime, actor: str, **detail: object) -> None:
    """What a matter of the legal register is about stands in that register only."""
    name = {} if clock.about.startswith("G-") else {"clock": clock.clock, "edition": clock.edition}
    which = {"nth": clock.nth} if clock.nth > 1 else {}
    record(what, at=at, actor=actor, about=[clock.about], **name, **which, **detail)


# What only people do.


def tell_authority(key: str, *, authority: str, how: str, desk: Desk, at: datetime, actor: str) -> None:
    """Counsel notes that an authority was told of a case, a report or a matter: whom, and by which way and reference.

    Raise NotYourDecision, NothingToTell, or NoSuchClock for what there is not.
    """
    _is_counsel(desk, actor)
    if not authority.strip() or not how.strip():
        raise NothingToTell(NothingToTell.__doc__)
    if get_case(key) is None and get_report(key) is None and get_matter(key) is None:
        raise NoSuchClock(NoSuchClock.__doc__)
    record(
        TOLD, at=at, actor=actor, about=[key], authority=authority.strip()[:WORDS_MAX], how=how.strip()[:WORDS_MAX]
    )  # fmt: skip


def end_by_hand(
    clock: str, *, about: str, why: str, nth: int | None = None, desk: Desk, at: datetime, actor: str
) -> None:
    """Counsel ends a clock, with the reason: a preservation that nobody needs any more, or a duty that fell away.

    `nth` says which, where several run about one thing. Raise NotYourDecision, NothingToTell, NoSuchClock.
    """
    _is_counsel(desk, actor)
    if not why.strip():
        raise NothingToTell("Say why it ends.")
    with transaction.atomic():
        found = [c for c in running_clocks(about=[about], clocks=[clock]) if nth in (None, c.nth)]
        if len(found) > 1:
            which = " or ".join(str(each.nth) for each in sorted(found, key=lambda each: each.nth))
            raise NothingToTell(f"Several of these clocks run about {about}: say which one ends, {which}.")
        running = found[0] if found else None
        if running is None or not end_clock(running, at=at, keep=True):
            raise NoSuchClock(NoSuchClock.__doc__)
        _record("clock.ended", running, at=at, actor=actor, why=why.strip()[:WORDS_MAX])


def _is_counsel(desk: Desk, actor: str) -> None:
    if not may_decide(desk.roles_of(actor), needed=Role.COUNSEL):
        raise NotYourDecision("What is told to an authority, and what is kept for one, is left to the role counsel.")


# The clocks one by one.


def _case_in(entry: Entry) -> Case | None:
    key = next((key for key in entry.about if key.startswith("C-")), None)
    return get_case(key) if key is not None else None


def _report_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    return [_Began(entry.about[0], entry.at)] if entry.detail.get("outcome") != ReportOutcome.SEALED else []


_NEVER_ANSWERED = frozenset({ReportOutcome.SEALED, ReportOutcome.SET_ASIDE})
_GONE_OUT = frozenset({LetterState.SENT, LetterState.RETURNED, LetterState.REFUSED})
"""It was handed over, or cannot be."""
_ON_ITS_WAY = frozenset(LetterState) - _GONE_OUT - {LetterState.WITHDRAWN}


def _acknowledged(clock: RunningClock, desk: Desk) -> bool:
    """A letter went to whoever complained, or none may: advertising, what a program wrote, what counsel alone reads."""
    report = get_report(clock.about)
    if report is None or report.outcome in _NEVER_ANSWERED:
        return True
    reading = report.reading
    if reading is not None and (
        reading.outcome not in (ReadingOutcome.COMPLAINT, ReadingOutcome.UNREADABLE)
        or reading.reason in (ReadingReason.HOSTILE_FORM, ReadingReason.REPLY)
    ):
        return True  # An attack is not answered, and neither is an answer.
    if has_entry(report.key, what="letter.not_answered"):
        return True
    letters = (each for each in letters_of_report(report.key) if each.kind is not LetterKind.NOTICE)
    return any(each.state in _GONE_OUT for each in letters)


def _case_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    return [_Began(entry.about[0], entry.at)]


def _passed_on(clock: RunningClock, desk: Desk) -> bool:
    """The customer was told, or need not be any more, or must not be on a ground that is on record."""
    case = get_case(clock.about)
    if case is None or case.notice is NoticePosture.WITHHELD or case.resource == SEALED:
        return True
    return case.state not in (CaseState.OPENED, CaseState.WAITING_PERSON) or bool(notices_sent(case.key))


def _outcome_told(clock: RunningClock, desk: Desk) -> bool:
    """No letter on the outcome waits any more; closing the case wrote all of them."""
    of_reports = (letter for report in reports_of_case(clock.about) for letter in letters_of_report(report.key))
    letters = {letter.key: letter for letter in (*letters_of_case(clock.about), *of_reports)}
    return not any(x.kind is LetterKind.OUTCOME and x.state in _ON_ITS_WAY for x in letters.values())


def _threat_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """When somebody saw that it is one: a matter in the register, or a case."""
    key = entry.about[0]
    matter, case = (get_matter(key), None) if key.startswith("G-") else (None, get_case(key))
    clause = matter.clause if matter is not None else case.clause if case is not None else ""
    return [_Began(key, entry.at)] if clause == clock.clause else []


def _told(clock: RunningClock, desk: Desk) -> bool:
    """An authority was told, or it was decided that this is no such thing."""
    matter = get_matter(clock.about) if clock.about.startswith("G-") else None
    case = get_case(clock.about) if matter is None else None
    if matter is not None and (matter.state is MatterState.REFUSED or has_entry(matter.report, what=TOLD)):
        return True
    return has_entry(clock.about, what=TOLD) or (case is not None and case.state is CaseState.CLOSED)


def _removal_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """Each order by itself: a second one on the same case has an hour of its own."""
    case = _case_in(entry)
    if case is None or case.clause != clock.clause or entry.detail.get("form") != "removal_order":
        return []
    return [_Began(entry.about[0], datetime.fromisoformat(str(entry.detail["known_since"])))]


def _removed(clock: RunningClock, desk: Desk) -> bool:
    """Everything that the order names is gone or blocked; a measure on something else of the case ends no hour."""
    report = get_report(clock.about)
    # Those that began before this version are about a case, with all of its orders.
    orders = reports_of_case(clock.about) if clock.about.startswith("C-") else [report] if report is not None else []
    clauses = {each.clause for edition in desk.editions for each in edition.clocks if each.id == clock.clock}
    return all(_is_gone(incident, clauses) for order in orders for incident in order.incidents)


def _is_gone(incident: Incident, clauses: Collection[str]) -> bool:
    case = get_case(standing_key(incident.case)) if incident.case is not None else None
    # After its end a case takes in no more: whatever is in it was reported before.
    if case is None or case.clause not in clauses or case.state in ENDED:
        return True
    measures = (each for each in measures_of_case(case.key) if each.state is MeasureState.IN_FORCE)
    return any(_takes_in(measure, incident, case=case) for measure in measures)


def _takes_in(measure: Measure, incident: Incident, *, case: Case) -> bool:
    """Whether a measure keeps from everybody what an incident names; what is not known to is left to people."""
    on, named = measure.selector, incident.allegation
    if measure.degree <= Degree.RATE_LIMIT:
        return False
    if on.url is not None:
        return on.url == named.url
    if on.host_name is not None:
        return on.host_name.lower() == (named.domain or host_of(named.url)).lower()
    if on.network is not None:
        port = _port_of(named.url) if named.url else named.source_port
        return named.source is not None and named.source in on.network and on.port in (None, port) and not on.narrowed
    return (case.service is not None and on.service == case.service) or on.account == case.customer


def _port_of(url: str) -> int | None:
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None


def _removed_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """What each order of the case named that is gone with this: an order that came later has its own time."""
    case = _case_in(entry)
    if case is None or case.clause != clock.clause:
        return []
    measure = next((get_measure(key) for key in entry.about if key.startswith("M-")), None)

    def gone(report: Report) -> bool:
        return measure is None or any(_takes_in(measure, each, case=case) for each in report.incidents)

    reports = reports_of_case(case.key)
    return [_Began(each.key, entry.at) for each in reports if each.received_at <= entry.at and gone(each)]


def _reported_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """What was told to an authority and lies in the sealed queue as child abuse, or stands under that clause."""
    key = entry.about[0]
    report, matter, case = get_report(key), get_matter(key), get_case(key)
    sealed = (
        report is not None
        and report.outcome is ReportOutcome.SEALED
        and (report.reading is None or report.reading.reason is not ReadingReason.COUNSEL_ALONE)
    )
    under = {each.clause for each in (matter, case) if each is not None}
    return [_Began(key, entry.at)] if sealed or clock.clause in under else []


def _until_ended(clock: RunningClock, desk: Desk) -> bool:
    """Counsel says when nothing is preserved any more; no program does."""
    return False


def _correction_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """With the handing over of the letter that asks a network to correct its records."""
    case = _case_in(entry)
    edition = next((each for each in desk.editions if case is not None and each.id == case.edition), None)
    clause = edition.clause_named(case.clause) if edition is not None and case is not None else None
    if case is None or clause is None or OF_RECORDS not in clause.rows:
        return []
    letter = get_letter(entry.about[0])
    return [_Began(case.key, entry.at)] if letter is not None and letter.kind is LetterKind.NOTICE else []


def _counter_notice_began(entry: Entry, clock: Clock, desk: Desk) -> list[_Began]:
    """From when it came in, which may be before counsel noted it; each of a case's by itself."""
    key, received = entry.about[0], entry.detail.get("received_at")
    came = [each.id for each in entries_of(key, what=[entry.what])]
    since = datetime.fromisoformat(str(received)) if received else entry.at
    return [_Began(key, since, came.index(entry.id) + 1)]


def _entry_stands(desk: Desk) -> list[_Began]:
    """The agent's last entry in the directory, also one that was noted before this clock was watched."""
    noted = designations()
    return [_Began(ABOUT, since_of(noted[-1]), len(noted))] if noted else []


def _renewed(clock: RunningClock, desk: Desk) -> bool:
    return len(designations()) > clock.nth


def _nothing_stands(clock: RunningClock, desk: Desk) -> bool:
    """Nothing of the case is in force, on its way there or on its way back."""
    ended = (MeasureState.LIFTED, MeasureState.FAILED)
    return all(measure.state in ended for measure in measures_of_case(standing_key(clock.about)))


def _closed(clock: RunningClock, desk: Desk) -> bool:
    case = get_case(clock.about)
    return case is None or case.state is CaseState.CLOSED


_SENT = frozenset({"letter.sent", "letter.taken_as_sent"})

WATCHES: Mapping[str, Watch] = {
    "complaint.acknowledge": Watch(
        events=frozenset({"report.opened"}), began=_report_began, done=_acknowledged, kept=False,
        ended_by=_SENT | {"letter.not_answered"},
        seen_to="Nobody has written to whoever complained: read the report, and see whether letters go out.",
    ),
    "complaint.forward": Watch(
        events=frozenset({"case.opened"}), began=_case_began, done=_passed_on, kept=False,
        ended_by=frozenset({"case.notified", "case.closed"}),
        seen_to="The customer has not been told: decide the case, name a contact, or see whether letters go out.",
    ),
    "complaint.outcome": Watch(
        events=frozenset({"case.closed"}), began=_case_began, done=_outcome_told, kept=False,
        seen_to="Not every complainant has heard how it ended: see whether letters go out.",
    ),
    "threat.tell_police": Watch(
        events=frozenset({"matter.opened", "case.opened"}), began=_threat_began, done=_told,
        seen_to="Tell the police, and note whom and how.",
    ),
    "terror.remove": Watch(
        events=frozenset({"notice.form_checked"}), began=_removal_began, done=_removed,
        seen_to="What the order names still stands: remove or block it.",
    ),
    "terror.preserve": Watch(
        events=frozenset({"measure.in_force", "case.fixed"}), began=_removed_began, done=_until_ended,
        seen_to="The time is over for which it had to be preserved: say whether it is needed any longer.",
    ),
    "child_abuse.preserve": Watch(
        events=frozenset({TOLD}), began=_reported_began, done=_until_ended,
        seen_to="The time is over for which it had to be preserved: say whether it is needed any longer.",
    ),
    "copyright.restore": Watch(
        events=frozenset({"notice.counter_notice"}), began=_counter_notice_began, done=_nothing_stands,
        of_customer=True,
        seen_to="What was disabled should be back, unless the claimant went to court: lift it, or end this clock.",
    ),
    "copyright.agent_renewal": Watch(
        stands=_entry_stands, done=_renewed, ahead=timedelta(days=60),
        seen_to="Have the agent's entry in the directory renewed, and note it with tipstaff policy agent.",
    ),
    "transit.correct_first": Watch(
        events=_SENT, began=_correction_began, done=_closed, of_customer=True,
        seen_to="The month to correct the records is over: two people may refuse the network's routes.",
    ),
}  # fmt: skip
"""Each clock that is watched here: begun by an event of the record, or by how things stand."""


def _by_event(of: Callable[[Watch], frozenset[str]]) -> Mapping[str, tuple[str, ...]]:
    kinds = {kind for each in WATCHES.values() for kind in of(each)}
    return {kind: tuple(id for id, each in WATCHES.items() if kind in of(each)) for kind in sorted(kinds)}


_BEGUN_BY = _by_event(lambda each: each.events)
_ENDED_BY = _by_event(lambda each: each.ended_by)
