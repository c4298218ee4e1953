"""The moves a case may make, and what each means for its clock. Pure: no clock is read here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.words import Answer, Case, CaseOutcome, CaseState, Entry, Role, Severity

S = CaseState

MOVES: Mapping[CaseState, frozenset[CaseState]] = {
    S.OPENED: frozenset({S.NOTIFIED, S.WAITING_PERSON, S.MEASURE_PLANNED, S.FIXED, S.DISPUTED, S.CLOSED}),
    S.WAITING_PERSON: frozenset({S.OPENED, S.NOTIFIED, S.MEASURE_PLANNED, S.FIXED, S.DISPUTED, S.CLOSED}),
    S.NOTIFIED: frozenset({S.EXTENDED, S.DISPUTED, S.FIXED, S.OVERDUE, S.MEASURE_PLANNED, S.WAITING_PERSON, S.CLOSED}),
    S.EXTENDED: frozenset({S.DISPUTED, S.FIXED, S.OVERDUE, S.MEASURE_PLANNED, S.WAITING_PERSON, S.CLOSED}),
    S.DISPUTED: frozenset({S.NOTIFIED, S.FIXED, S.WAITING_PERSON, S.CLOSED}),
    S.OVERDUE: frozenset({S.MEASURE_PLANNED, S.WAITING_PERSON, S.FIXED, S.DISPUTED, S.CLOSED}),
    S.MEASURE_PLANNED: frozenset({S.MEASURE_IN_FORCE, S.WAITING_PERSON, S.FIXED, S.DISPUTED, S.CLOSED}),
    S.MEASURE_IN_FORCE: frozenset({S.MEASURE_PLANNED, S.FIXED, S.DISPUTED, S.WAITING_PERSON, S.CLOSED}),
    S.FIXED: frozenset({S.MONITORED, S.CLOSED}),
    S.MONITORED: frozenset({S.APPEALED, S.CLOSED}),
    S.APPEALED: frozenset({S.MONITORED, S.CLOSED}),
    S.CLOSED: frozenset(),
}
"""What leads out of `closed` is `reopened` and `appealed`: both have a time limit that a plain move has not."""

ENDED = frozenset({S.FIXED, S.MONITORED, S.APPEALED, S.CLOSED})
"""What comes now opens a new case, with a notice and a clock of its own."""

OPEN = frozenset(CaseState) - ENDED
"""States in which further reports join the case."""

NEEDS_PERSON = frozenset({S.WAITING_PERSON, S.DISPUTED, S.APPEALED})
"""States that end when somebody at the desk decides."""

CLOCK_RUNS = frozenset({S.NOTIFIED, S.EXTENDED})
"""States in which the deadline can pass."""

UPHELD = frozenset({CaseOutcome.FIXED, CaseOutcome.FIXED_AFTER_MEASURE})
"""Outcomes that count when the same thing happens again."""

AFTER_THE_END = timedelta(days=180)
"""So long a case can be opened again or appealed (six months, as Article 20 of Regulation (EU) 2022/2065 has them)."""

ANSWER_MOVES: Mapping[Answer, CaseState] = {
    Answer.FIXED: S.FIXED,
    Answer.NEED_TIME: S.EXTENDED,
    Answer.DISPUTE: S.DISPUTED,
    Answer.WRONG_CUSTOMER: S.DISPUTED,
}


class IllegalMove(Exception):
    """A case cannot go from the state it is in to the one asked for."""


class AlreadyExtended(IllegalMove):
    """More time was given once already; it is given only once."""


def move(before: CaseState, after: CaseState) -> CaseState:
    """`after`, if a case may go there from `before`; else raise IllegalMove."""
    if after not in MOVES[before]:
        raise IllegalMove(f"A case that is {before.replace('_', ' ')} cannot become {after.replace('_', ' ')}.")
    return after


class TooLate(IllegalMove):
    """More than 180 days have passed since it ended."""


class AppealedBefore(IllegalMove):
    """It was appealed once already, and reviewed."""


def reopened(case: Case, *, at: datetime) -> CaseState:
    """Where a closed case stands once it is opened again; raise IllegalMove or TooLate."""
    if case.state is not S.CLOSED or case.outcome is CaseOutcome.MERGED:
        raise IllegalMove(f"{case.key} is not closed, or goes on in {case.merged_into}.")
    if case.closed_at is None or at - case.closed_at > AFTER_THE_END:
        raise TooLate(case.key)
    return S.WAITING_PERSON


def appealed(case: Case, *, at: datetime) -> CaseState:
    """Where a case stands once its holder disputes how it ended; raise IllegalMove, AppealedBefore or TooLate.

    Only what counts against them can be appealed.
    """
    if case.state not in (S.MONITORED, S.CLOSED) or case.outcome not in UPHELD:
        raise IllegalMove(f"There is nothing in {case.key} to appeal against.")
    if case.appealed:
        raise AppealedBefore(case.key)
    ended_at = case.closed_at or case.fixed_at
    if ended_at is None or at - ended_at > AFTER_THE_END:
        raise TooLate(case.key)
    return S.APPEALED


def watch_is_over(case: Case, *, at: datetime, came_again: str | None, unread: bool) -> bool:
    """Whether a fixed case that is watched may close.

    Not while what came in during the watch is unread, nor while the same is open again: nobody is told of an end that
    there is not.
    """
    return case.watched_until is not None and at >= case.watched_until and came_again is None and not unread


def due_at(*, told_at: datetime, answer_within: timedelta) -> datetime:
    """When the time to answer ends: it runs from the moment the letter was handed over, not from the complaint."""
    return told_at + answer_within


def extended_due(*, due: datetime, answer_within: timedelta) -> datetime:
    """More time: once, as much again, three days at the most."""
    return due + min(answer_within, timedelta(hours=72))


def answers_open(state: CaseState, *, extended: bool) -> tuple[Answer, ...]:
    """What a customer may answer now."""
    open_answers = [a for a, to in ANSWER_MOVES.items() if to in MOVES[state]]
    if extended and Answer.NEED_TIME in open_answers:
        open_answers.remove(Answer.NEED_TIME)
    return tuple(open_answers)


def answers_open_to(case: Case, *, at: datetime) -> tuple[Answer, ...]:
    """What the customer of `case` may answer now; after its end that is an appeal, while there is time for one."""
    try:
        appealed(case, at=at)
    except IllegalMove:
        return answers_open(case.state, extended=case.extended)
    return (Answer.DISPUTE,)


TELL_OF_DISPUTES = frozenset({"case.answered", f"case.{S.NOTIFIED}", f"case.{S.MONITORED}", f"case.{S.CLOSED}"})
"""The entries that say whether a case was disputed, and whether that was reviewed."""


def contested(entries: Iterable[Entry]) -> bool:
    """Whether the holder's dispute was never reviewed, as the case's entries (`TELL_OF_DISPUTES`) tell it.

    A dispute that a colleague reviewed and did not uphold sends the case back to its clock; one after which the case
    merely ended has settled nothing.
    """
    open_dispute = False
    for entry in entries:
        if entry.what == "case.answered":
            open_dispute = open_dispute or ANSWER_MOVES.get(Answer(str(entry.detail["answer"]))) is S.DISPUTED
        elif entry.detail.get("before") == _REVIEWED_FROM[entry.what]:
            open_dispute = False
    return open_dispute


MERGEABLE = frozenset({S.OPENED, S.NOTIFIED, S.EXTENDED})
"""States in which nobody waits for a word of ours, and nothing was taken: nothing is hidden by a merge."""
SPLITTABLE = MERGEABLE | {S.WAITING_PERSON}


class CannotMerge(ValueError):
    """These cannot be merged or taken apart without a loss to somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """How the case stands that another was merged into."""

    state: CaseState
    due_at: datetime | None
    extended: bool
    decides: Role | None
    severity: Severity


def merged(one: Case, *, into: Case) -> Merged:
    """What becomes of `into` when `one` goes on in it; raise CannotMerge.

    Each incident keeps the terms that it was judged with. The time to answer is the later of the two, more time can be
    asked for unless both had it, and the stricter role decides.
    """
    for said, wrong in (
        ("is the same case", one.key == into.key),
        ("is another customer's", one.customer != into.customer),
        ("is under another clause or edition", (one.clause, one.edition) != (into.clause, into.edition)),
        ("tells its holder in another way", one.notice is not into.notice),
        ("has another matter", (SEALED in (one.resource, into.resource))),
    ):
        if wrong:
            raise CannotMerge(f"{one.key} {said}.")
    for case in (one, into):
        if case.state not in MERGEABLE:
            raise CannotMerge(f"{case.key} is {case.state.replace('_', ' ')}: that is settled first.")
        if case.state in CLOCK_RUNS and case.due_at is None:
            raise CannotMerge(f"The time to answer of {case.key} begins anew in a moment: merge them then.")
    if (one.state is S.OPENED) is not (into.state is S.OPENED):
        raise CannotMerge("One of them was written about and the other one not yet: merge them when both were.")
    extended = one.extended and into.extended
    dues = [case.due_at for case in (one, into) if case.due_at is not None]
    return Merged(
        state=into.state if into.state is S.OPENED else S.EXTENDED if extended else S.NOTIFIED,
        due_at=max(dues, default=None), extended=extended, decides=stricter(one.decides, into.decides),
        severity=max(one.severity, into.severity),
    )  # fmt: skip


def may_split(case: Case) -> None:
    """Raise CannotMerge where some of a case cannot go on in one of its own."""
    if case.state not in SPLITTABLE or case.resource == SEALED:
        raise CannotMerge(f"{case.key} is {case.state.replace('_', ' ')}: that is settled first.")


SEALED = "sealed"
"""What a case is about when that may not be said."""

_REVIEWED_FROM = {f"case.{S.NOTIFIED}": S.DISPUTED, f"case.{S.MONITORED}": S.APPEALED, f"case.{S.CLOSED}": S.APPEALED}


_STRICTNESS = {Role.LEAD: 2, Role.ENGINEER: 3, Role.COUNSEL: 4}
"""An analyst's, which is the desk's, is 1."""


def stricter(one: Role | None, other: Role | None) -> Role | None:
    """Who decides on what one would leave to `one` and the other to `other`; None leaves it to the whole desk."""
    return max(one, other, key=lambda role: 0 if role is None else _STRICTNESS.get(role, 1))


def outcome_when_fixed(*, measure_was_taken: bool) -> CaseOutcome:
    return CaseOutcome.FIXED_AFTER_MEASURE if measure_was_taken else CaseOutcome.FIXED


WHAT_NEXT: Mapping[CaseState, str] = {
    S.OPENED: "The first letter is on its way; the deadline starts when it has been handed over.",
    S.WAITING_PERSON: "A person decides what happens next; no clock acts.",
    S.NOTIFIED: "The holder has until the deadline; then the ladder is weighed, by the clock or by a person.",
    S.EXTENDED: "More time was given, once; then the ladder is weighed, by the clock or by a person.",
    S.DISPUTED: "The clock stands still until a colleague has reviewed the dispute.",
    S.OVERDUE: "The deadline has passed; the narrowest sufficient measure is being weighed.",
    S.MEASURE_PLANNED: "The enforcer carries the measure out and reads it back.",
    S.MEASURE_IN_FORCE: "The measure stays until the holder has fixed the cause, and is lifted then.",
    S.FIXED: "Measures are lifted and shown to be lifted; then the case is watched, if the edition says so, or closed.",
    S.MONITORED: "Nothing is in force. Unless the same comes again, the case closes and the complainants are told.",
    S.APPEALED: "A colleague who decided nothing on it reviews how it ended; until then it counts for nothing.",
    S.CLOSED: "Nothing more happens; a new report opens a new case.",
}


def next_at(case: Case) -> datetime | None:
    """When the next step comes by itself; None where somebody has to act first, or a device."""
    if case.state in CLOCK_RUNS:
        return case.due_at
    return case.watched_until if case.state is S.MONITORED else None


def what_next(case: Case) -> str:
    """What happens next, in a sentence or two, without the time, which `next_at` says."""
    if case.merged_into is not None:
        return f"It goes on in {case.merged_into}; nothing more happens here."
    if case.state is S.NOTIFIED and case.due_at is None:
        return "The time to answer begins anew when the letter that says so has been handed over."
    if case.state is S.CLOSED and case.closed_at is not None:
        last = f"{case.closed_at + AFTER_THE_END:%Y-%m-%d}"
        appeal = ", and the holder can appeal," if case.outcome in UPHELD and not case.appealed else ""
        return f"{WHAT_NEXT[S.CLOSED]} It can be opened again{appeal} until {last}."
    return WHAT_NEXT[case.state]
