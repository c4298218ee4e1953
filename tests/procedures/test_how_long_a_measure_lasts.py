"""A first measure may be short; one that was tried in vain is not tried again."""

import dataclasses
from datetime import timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tests.procedures.test_deciding import fixed_case
from tipstaff.policy.clocks import Clock, ClockKind, ClockUnit
from tipstaff.policy.remedies import FIRST_LIFETIME

ADDRESS = "198.51.100.7"
FIRST = Clock(id=FIRST_LIFETIME, kind=ClockKind.OPERATOR, clause="", unit=ClockUnit.HOURS, amount=36)


@pytest.fixture
def office(db: None) -> Office:
    made = Office()
    made.admit("acct-9", ADDRESS)
    editions = [dataclasses.replace(e, clocks=(*e.clocks, FIRST)) for e in made.desk.editions]
    made.desk = dataclasses.replace(made.desk, editions=tuple(editions))
    return made


def test_a_first_measure_lasts_as_long_as_the_edition_says_and_the_longer_one_says_why_not(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.until is not None
    assert measure.until - measure.planned_at == timedelta(hours=36)
    rows = [(c.lasts_hours, c.chosen, c.why) for c in measure.candidates if c.selector == measure.selector]
    assert [(hours, chosen) for hours, chosen, _ in rows] == [(36, True), (7 * 24, False)]
    assert rows[0][2].endswith("; 36 hours is the shortest time that suffices.")
    assert rows[1][2] == "Longer than needed: 36 hours suffice."


def test_after_an_earlier_case_so_short_a_time_does_not_suffice(office: Office) -> None:
    fixed_case(office, at_day=0)
    case = office.measured(ADDRESS, at=NOON + 10 * DAY)
    [measure] = office.measures(case)
    assert measure.until is not None
    assert measure.until - measure.planned_at == timedelta(days=7)
    [short] = [c for c in measure.candidates if c.selector == measure.selector and c.lasts_hours == 36]
    assert (short.sufficient, short.why) == (
        False, "It came to the same again after an earlier case: so short a time was not enough.",
    )  # fmt: skip


def test_an_edition_without_such_a_clock_weighs_one_time(office: Office) -> None:
    plain = [dataclasses.replace(e, clocks=tuple(c for c in e.clocks if c is not FIRST)) for e in office.desk.editions]
    office.desk = dataclasses.replace(office.desk, editions=tuple(plain))
    [measure] = office.measures(office.measured(ADDRESS, at=NOON + HOUR))
    assert {c.lasts_hours for c in measure.candidates} == {7 * 24}
