"""The moves of a case, tried in every order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.cases import rules
from tipstaff.words import Answer, CaseState

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def test_every_state_has_its_moves_and_its_words() -> None:
    assert set(rules.MOVES) == set(rules.WHAT_NEXT) == set(CaseState)


def test_every_state_leads_to_an_end() -> None:
    ends = {CaseState.CLOSED}
    while True:
        more = {s for s, to in rules.MOVES.items() if to & ends} - ends
        if not more:
            break
        ends |= more
    assert ends == set(CaseState)


@given(st.lists(st.sampled_from(CaseState), max_size=30))
def test_no_measure_is_planned_for_a_case_that_is_fixed_disputed_or_closed(wishes: list[CaseState]) -> None:
    state = CaseState.OPENED
    for wish in wishes:
        try:
            after = rules.move(state, wish)
        except rules.IllegalMove:
            continue
        if after is CaseState.MEASURE_PLANNED:
            assert state not in (CaseState.FIXED, CaseState.DISPUTED, CaseState.CLOSED)
        state = after


@pytest.mark.parametrize("state", CaseState)
def test_a_closed_case_stays_closed(state: CaseState) -> None:
    with pytest.raises(rules.IllegalMove, match="closed cannot become"):
        rules.move(CaseState.CLOSED, state)


def test_only_a_running_clock_can_run_out() -> None:
    assert {s for s, to in rules.MOVES.items() if CaseState.OVERDUE in to} == rules.CLOCK_RUNS


def test_more_time_is_given_once() -> None:
    assert Answer.NEED_TIME in rules.answers_open(CaseState.NOTIFIED, extended=False)
    assert Answer.NEED_TIME not in rules.answers_open(CaseState.NOTIFIED, extended=True)
    assert Answer.NEED_TIME not in rules.answers_open(CaseState.EXTENDED, extended=True)


def test_a_customer_can_always_say_that_it_is_fixed_while_a_measure_is_on() -> None:
    assert Answer.FIXED in rules.answers_open(CaseState.MEASURE_IN_FORCE, extended=True)


@given(st.integers(1, 30 * 24))
def test_more_time_is_never_less_and_never_more_than_three_days(hours: int) -> None:
    due = rules.due_at(told_at=NOON, answer_within=timedelta(hours=hours))
    later = rules.extended_due(due=due, answer_within=timedelta(hours=hours))
    assert due < later <= due + timedelta(hours=72)
