"""When the time to answer ends: in plain hours, or by the clause's own clock where the customer lives."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from tipstaff.cases import rules
from tipstaff.policy import Deadline, deadline
from tipstaff.policy.clauses import Clock, ClockUnit
from tipstaff.policy.clocks import UnknownZone
from tipstaff.registry.queries import get_customer
from tipstaff.words import Case, Customer

from .desk import Desk

EXTENDED_DAYS_MAX = 3
"""More time is as much again, three days at the most, counted as the clause counts its days."""
_LAST_INSTANT = timedelta(microseconds=1)


def answer_due(case: Case, *, told_at: datetime, desk: Desk) -> datetime:
    """When the time to answer ends that began at `told_at`, when the letter was handed over."""
    clock = clock_of(case, desk=desk)
    if clock is None:
        return rules.due_at(told_at=told_at, answer_within=case.answer_within)
    return ends_for(get_customer(case.customer), clock, at=told_at).by


def extended_due(case: Case, *, at: datetime, desk: Desk) -> datetime:
    """When it ends once the customer has been given more time; `at` stands for an end that was never set."""
    clock, due = clock_of(case, desk=desk), case.due_at or at
    if clock is None:
        return rules.extended_due(due=due, answer_within=case.answer_within)
    most = clock.amount if clock.unit is not ClockUnit.MONTHS else EXTENDED_DAYS_MAX
    unit = clock.unit if clock.unit is not ClockUnit.MONTHS else ClockUnit.DAYS
    more = replace(clock, unit=unit, amount=min(most, EXTENDED_DAYS_MAX))
    # It begins on the last day of the first time, not on the day that begins when that has passed.
    return ends_for(get_customer(case.customer), more, at=due - _LAST_INSTANT).by


def clock_of(case: Case, *, desk: Desk) -> Clock | None:
    """The clock that the case's clause names for this time to answer; None where it is plain hours.

    None also where the case's edition was taken away. No measure follows then: a person looks at it first.
    """
    edition = next((edition for edition in desk.editions if edition.id == case.edition), None)
    clause = edition.clause_named(case.clause) if edition is not None else None
    return clause.clock_for(case.answer_within) if clause is not None else None


def ends_for(customer: Customer | None, clock: Clock, *, at: datetime) -> Deadline:
    """When a clock ends that began at `at`, where the customer lives; by UTC where that is not known."""
    if customer is not None and customer.representative is not None:
        with suppress(UnknownZone):  # The registry takes any text; what is no zone counts as UTC, as in letters.
            return deadline(clock, at=at, zone=customer.representative.timezone)
    return deadline(clock, at=at)


def ends_for_us(clock: Clock, *, at: datetime, desk: Desk) -> Deadline:
    """When a clock ends that runs on the operator and began at `at`."""
    return deadline(clock, at=at, zone=desk.zone)
