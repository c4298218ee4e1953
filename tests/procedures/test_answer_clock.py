"""The time to answer by a clause's own clock: business days and holidays, where the customer lives."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.cases import rules
from tipstaff.policy.clauses import Clock, ClockKind, ClockUnit
from tipstaff.policy.clocks import deadline, is_business_day
from tipstaff.procedures import casework
from tipstaff.procedures.answer_clock import answer_due, extended_due
from tipstaff.procedures.desk import Desk
from tipstaff.words import Answer, Case, CaseState

ADDRESS = "198.51.100.7"
BERLIN = "Europe/Berlin"
BEFORE_MAY_DAY = datetime(2026, 4, 30, 12, 0, tzinfo=UTC)
"""A Thursday; Friday is a holiday in Germany, then comes a weekend."""


def counted(desk: Desk, unit: ClockUnit, amount: int, *, region: str = "DE-BE") -> Desk:
    """The same desk under an edition whose clause on bulk mail counts its time by a clock."""
    clock = Clock(
        id="answer", kind=ClockKind.OPERATOR, clause="mail.unsolicited", unit=unit, amount=amount, region=region
    )
    [edition] = desk.editions
    clauses = tuple(
        dataclasses.replace(
            c, answer_clock=clock, answer_within=amount * clock.shortest_unit, answer_within_repeated=None
        )
        if c.id == clock.clause
        else c
        for c in edition.clauses
    )
    return dataclasses.replace(desk, editions=(dataclasses.replace(edition, clauses=clauses),))


@pytest.fixture
def three_business_days(office: Office) -> Office:
    office.admit("acct-1", ADDRESS, timezone=BERLIN)
    office.desk = counted(office.desk, ClockUnit.BUSINESS_DAYS, 3)
    return office


def test_business_days_leave_out_the_holidays_of_the_region_and_end_at_midnight_there(
    three_business_days: Office,
) -> None:
    office = three_business_days
    case = office.warned(ADDRESS, at=BEFORE_MAY_DAY)
    assert case.due_at == datetime(2026, 5, 6, 22, 0, tzinfo=UTC), "Monday, Tuesday, Wednesday, to midnight in Berlin"
    [notice] = office.letters_to("acct-1@customer.example.com")
    assert "7 May 2026" in notice.body
    assert "You have 3 business days to answer" in " ".join(notice.body.split())


def test_nothing_is_planned_before_the_clause_s_clock_has_ended(three_business_days: Office) -> None:
    office = three_business_days
    case = office.warned(ADDRESS, at=BEFORE_MAY_DAY)
    assert case.due_at is not None
    office.deadlines(at=BEFORE_MAY_DAY + timedelta(days=3, hours=1))
    assert office.fresh(case.key).state is CaseState.NOTIFIED, "72 hours would be over"
    office.deadlines(at=case.due_at - timedelta(seconds=1))
    assert office.measures(case) == []
    office.deadlines(at=case.due_at)
    assert office.fresh(case.key).state is CaseState.MEASURE_PLANNED


def test_more_time_is_counted_as_the_first_was(three_business_days: Office) -> None:
    office = three_business_days
    case = office.warned(ADDRESS, at=BEFORE_MAY_DAY)
    case = office.answer(case, Answer.NEED_TIME, at=BEFORE_MAY_DAY + HOUR, words="")
    assert case.due_at == datetime(2026, 5, 11, 22, 0, tzinfo=UTC), "Thursday, Friday, and Monday"
    assert case.state is CaseState.EXTENDED


def test_a_dispute_that_is_not_upheld_begins_the_same_clock_anew(three_business_days: Office) -> None:
    office = three_business_days
    case = office.warned(ADDRESS, at=BEFORE_MAY_DAY)
    case = office.answer(case, Answer.DISPUTE, at=BEFORE_MAY_DAY + HOUR, words="It is not so.")
    monday = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
    casework.review_dispute(
        case.key, upheld=False, why="The log shows it.", version=case.version, desk=office.desk, at=monday, actor="lena"
    )
    office.post(at=monday)
    assert office.fresh(case.key).due_at == datetime(2026, 5, 7, 22, 0, tzinfo=UTC)


def test_a_zone_that_is_none_counts_as_utc(office: Office) -> None:
    office.admit("acct-1", ADDRESS, timezone="Nowhere/At_All")
    office.desk = counted(office.desk, ClockUnit.BUSINESS_DAYS, 1)
    assert office.warned(ADDRESS, at=NOON).due_at == datetime(2026, 5, 6, tzinfo=UTC)


def test_plain_hours_stay_as_they_were(office: Office) -> None:
    office.admit("acct-1", ADDRESS, timezone=BERLIN)
    case = office.warned(ADDRESS, at=BEFORE_MAY_DAY)
    assert case.due_at == BEFORE_MAY_DAY + case.answer_within
    case = office.answer(case, Answer.NEED_TIME, at=BEFORE_MAY_DAY + HOUR, words="")
    assert case.due_at == rules.extended_due(due=BEFORE_MAY_DAY + case.answer_within, answer_within=case.answer_within)


def test_no_clock_of_a_clause_is_shorter_than_the_time_that_the_verdict_states(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.warned(ADDRESS, at=NOON)
    zones = st.sampled_from(["UTC", BERLIN, "Pacific/Kiritimati", "America/St_Johns"])
    moments = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))

    @given(unit=st.sampled_from(ClockUnit), amount=st.integers(1, 12), at=moments, zone=zones)
    def holds(unit: ClockUnit, amount: int, at: datetime, zone: str) -> None:
        desk = counted(office.desk, unit, amount)
        [edition] = desk.editions
        clause = edition.clause(case.clause)
        assert clause.answer_clock is not None
        assert clause.answer_within is not None
        asked: Case = dataclasses.replace(case, answer_within=clause.answer_within, due_at=None)
        due = answer_due(asked, told_at=at, desk=desk)
        assert due == deadline(clause.answer_clock, at=at, zone="UTC").by
        assert due >= at + clause.answer_within
        assert deadline(clause.answer_clock, at=at, zone=zone).by >= at + clause.answer_within
        later = extended_due(dataclasses.replace(asked, due_at=due), at=at, desk=desk)
        assert due < later
        assert unit is ClockUnit.HOURS or is_business_day((later - timedelta(microseconds=1)).date(), region="DE-BE")
        other = dataclasses.replace(asked, answer_within=clause.answer_within + timedelta(hours=1))
        assert answer_due(other, told_at=at, desk=desk) == at + other.answer_within, "a step's own hours"

    holds()
