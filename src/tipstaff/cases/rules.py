"""The moves a case may make, and what each means for its clock. Pure: no clock is read here."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from tipstaff.words import Answer, CaseOutcome, CaseState, Entry, Role

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
    S.FIXED: frozenset({S.CLOSED}),
    S.CLOSED: frozenset(),
}

OPEN = frozenset(CaseState) - {S.FIXED, S.CLOSED}
"""States in which further reports join the case."""

CLOCK_RUNS = frozenset({S.NOTIFIED, S.EXTENDED})
"""States in which the deadline can pass."""

UPHELD = frozenset({CaseOutcome.FIXED, CaseOutcome.FIXED_AFTER_MEASURE})
"""Outcomes that count when the same thing happens again."""

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


TELL_OF_DISPUTES = frozenset({"case.answered", f"case.{S.NOTIFIED}"})
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
        elif entry.what == f"case.{S.NOTIFIED}" and entry.detail.get("before") == S.DISPUTED:
            open_dispute = False
    return open_dispute


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
    S.FIXED: "Measures are lifted and shown to be lifted; then the case is closed and the complainants are told.",
    S.CLOSED: "Nothing more happens; a new report opens a new case.",
}
