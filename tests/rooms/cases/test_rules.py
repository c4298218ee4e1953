"""The moves of a case, tried in every order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.cases import rules
from tipstaff.words import Answer, Case, CaseOutcome, CaseState, Direction, NoticePosture, Role, Severity

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


ROLES = st.sampled_from([None, Role.ANALYST, Role.LEAD, Role.ENGINEER, Role.COUNSEL])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    state = draw(st.sampled_from([*CaseState]))
    hours = draw(st.none() | st.integers(1, 500))
    return Case(
        key=draw(st.sampled_from(["C-000001", "C-000002"])), customer=draw(st.sampled_from(["acct-1", "acct-2"])),
        customer_name="Example Bakery", service=None, clause=draw(st.sampled_from(["mail.unsolicited", "a.b"])),
        group="mail", edition="2026-01", type="messaging/spam", severity=draw(st.sampled_from(Severity)), state=state,
        outcome=CaseOutcome.NONE, resource=draw(st.sampled_from(["192.0.2.7", rules.SEALED])), opened_at=NOON,
        due_at=NOON + timedelta(hours=hours) if hours and state in rules.CLOCK_RUNS else None, closed_at=None,
        extended=draw(st.booleans()), reports=1, explanation="", notice=NoticePosture.BEFORE, ladder=(),
        measure_ports=(), measure_direction=Direction.BOTH, decides=draw(ROLES), assignee=None, answer="", version=1,
    )  # fmt: skip


@given(cases(), cases())
def test_a_merge_shortens_no_time_loosens_no_role_and_hides_no_dispute(one: Case, into: Case) -> None:
    try:
        merged = rules.merged(one, into=into)
    except rules.CannotMerge:
        return
    assert (one.customer, one.clause, one.edition) == (into.customer, into.clause, into.edition)
    assert {one.state, into.state} <= rules.MERGEABLE
    for case in (one, into):
        assert case.due_at is None or (merged.due_at is not None and merged.due_at >= case.due_at)
        assert rules.stricter(case.decides, merged.decides) is merged.decides
        assert case.extended or not merged.extended, "more time may be asked for, unless both had it"
        assert merged.severity >= case.severity
    assert merged.state in rules.CLOCK_RUNS or merged.due_at is None


def test_two_cases_on_their_clock_can_be_merged() -> None:
    due = NOON + timedelta(hours=5)
    one = replace(A_CASE, key="C-000001", state=CaseState.EXTENDED, extended=True, due_at=due)
    into = replace(A_CASE, key="C-000002", state=CaseState.NOTIFIED, due_at=NOON, decides=Role.LEAD)
    assert rules.merged(one, into=into) == rules.Merged(
        state=CaseState.NOTIFIED, due_at=due, extended=False, decides=Role.LEAD, severity=Severity.MEDIUM
    )


A_CASE = Case(
    key="C-000001", customer="acct-1", customer_name="Example Bakery", service=None, clause="mail.unsolicited",
    group="mail", edition="2026-01", type="messaging/spam", severity=Severity.MEDIUM, state=CaseState.CLOSED,
    outcome=CaseOutcome.FIXED, resource="192.0.2.7", opened_at=NOON, due_at=None, closed_at=NOON, extended=False,
    reports=1, explanation="", notice=NoticePosture.BEFORE, ladder=(), measure_ports=(),
    measure_direction=Direction.BOTH, decides=None, assignee=None, answer="", version=1,
)  # fmt: skip


def test_an_end_is_appealed_once_in_time_and_only_where_it_counts() -> None:
    last = NOON + rules.AFTER_THE_END
    assert rules.appealed(A_CASE, at=last) is CaseState.APPEALED
    assert rules.answers_open_to(A_CASE, at=last) == (Answer.DISPUTE,)
    for case, at, why in (
        (A_CASE, last + timedelta(seconds=1), rules.TooLate),
        (replace(A_CASE, appealed=True), NOON, rules.AppealedBefore),
        (replace(A_CASE, outcome=CaseOutcome.NOT_UPHELD), NOON, rules.IllegalMove),
        (replace(A_CASE, state=CaseState.NOTIFIED), NOON, rules.IllegalMove),
    ):
        with pytest.raises(why):
            rules.appealed(case, at=at)
    assert rules.answers_open_to(replace(A_CASE, appealed=True), at=NOON) == ()


def test_only_a_closed_case_is_opened_again_and_not_one_that_goes_on_elsewhere() -> None:
    assert rules.reopened(A_CASE, at=NOON + rules.AFTER_THE_END) is CaseState.WAITING_PERSON
    for case in (replace(A_CASE, outcome=CaseOutcome.MERGED), replace(A_CASE, state=CaseState.MONITORED)):
        with pytest.raises(rules.IllegalMove):
            rules.reopened(case, at=NOON)


def test_a_watch_ends_when_it_is_over_and_nothing_came() -> None:
    watched = replace(A_CASE, state=CaseState.MONITORED, closed_at=None, watched_until=NOON)
    assert rules.watch_is_over(watched, at=NOON, came_again=None, unread=False)
    assert not rules.watch_is_over(watched, at=NOON - timedelta(seconds=1), came_again=None, unread=False)
    assert not rules.watch_is_over(watched, at=NOON, came_again="C-000009", unread=False)
    assert not rules.watch_is_over(watched, at=NOON, came_again=None, unread=True)


@pytest.mark.parametrize("state", CaseState)
def test_what_comes_next_is_said_of_every_state(state: CaseState) -> None:
    case = replace(A_CASE, state=state, due_at=NOON, watched_until=NOON)
    assert rules.what_next(case).endswith(".") or state is CaseState.CLOSED
    assert (rules.next_at(case) is not None) is (state in rules.CLOCK_RUNS or state is CaseState.MONITORED)
