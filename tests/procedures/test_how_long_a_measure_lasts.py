"""A first measure may be short; one that was tried in vain is not tried again."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tests.procedures.test_deciding import fixed_case
from tipstaff.enforcement.operations import expire
from tipstaff.policy.clocks import Clock, ClockKind, ClockUnit
from tipstaff.policy.remedies import FIRST_LIFETIME
from tipstaff.procedures.desk import Desk
from tipstaff.words import Answer, Candidate, Case, Measure

ADDRESS = "198.51.100.7"
FIRST = Clock(id=FIRST_LIFETIME, kind=ClockKind.OPERATOR, clause="", unit=ClockUnit.HOURS, amount=36)


@pytest.fixture
def office(db: None) -> Office:
    made = Office()
    made.admit("acct-9", ADDRESS)
    made.desk = with_first(made, FIRST)
    return made


def with_first(office: Office, *first: Clock) -> Desk:
    """The desk with this clock for a first measure in place of the edition's own, or with none."""
    editions = [
        dataclasses.replace(e, clocks=(*(c for c in e.clocks if c.id != FIRST_LIFETIME), *first))
        for e in office.desk.editions
    ]
    return dataclasses.replace(office.desk, editions=tuple(editions))


def test_a_first_measure_lasts_as_long_as_the_edition_says_and_the_longer_one_says_why_not(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.until is not None
    assert measure.until - measure.planned_at == timedelta(hours=36)
    rows = [(c.lasts_hours, c.chosen, c.why) for c in measure.candidates if c.selector == measure.selector]
    assert [(hours, chosen) for hours, chosen, _ in rows] == [(36, True), (7 * 24, False)]
    assert rows[0][2].endswith("; 36 hours is the shortest time that suffices.")
    assert rows[1][2] == "Longer than needed: 36 hours suffice."


def close_as_fixed(office: Office, case: Case, *, at: datetime) -> None:
    office.answer(office.fresh(case.key), Answer.FIXED, at=at)
    office.follow(at=at)


def ran_out(office: Office, case: Case) -> Measure:
    """The measure of a case ends by its own time."""
    [measure] = office.measures(case)
    assert measure.until is not None
    expire(at=measure.until)
    office.enforce(at=measure.until)
    [measure] = office.measures(case)
    assert measure.lifted_at == measure.until
    return measure


def later(office: Office, *, at_day: int) -> tuple[Candidate, timedelta]:
    """The next case's measure: its candidate for the shorter time, and how long it lasts."""
    case = office.measured(ADDRESS, at=NOON + at_day * DAY, by=reporter(3))
    measure = office.measures(case)[-1]
    assert case.repeats > 0
    assert measure.until is not None
    [short] = [c for c in measure.candidates if c.selector == measure.selector and c.lasts_hours == 36]
    return short, measure.until - measure.planned_at


def test_after_a_measure_that_ended_by_its_own_time_so_short_a_one_does_not_suffice(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    measure = ran_out(office, case)
    assert measure.until is not None
    close_as_fixed(office, case, at=measure.until + HOUR)
    short, lasts = later(office, at_day=10)
    assert lasts == timedelta(days=7)
    assert (short.sufficient, short.why) == (
        False,
        f"A measure of 36 hours on the same ended by its own time, in {case.key}, and it came to the same again: "
        "so short a time was not enough.",
    )


def test_what_was_fixed_without_a_measure_shows_of_no_time_that_it_is_too_short(office: Office) -> None:
    fixed_case(office, at_day=0)
    short, lasts = later(office, at_day=10)
    assert (lasts, short.chosen) == (timedelta(hours=36), True)


def test_nor_does_a_measure_that_was_lifted_before_its_end(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.in_force_at is not None
    close_as_fixed(office, case, at=measure.in_force_at + HOUR)
    office.enforce(at=measure.in_force_at + HOUR)
    assert office.measures(case)[0].lifted_at == measure.in_force_at + HOUR
    short, lasts = later(office, at_day=10)
    assert (lasts, short.chosen) == (timedelta(hours=36), True)


def test_an_edition_without_such_a_clock_weighs_one_time(office: Office) -> None:
    office.desk = with_first(office)
    [measure] = office.measures(office.measured(ADDRESS, at=NOON + HOUR))
    assert {c.lasts_hours for c in measure.candidates} == {7 * 24}
