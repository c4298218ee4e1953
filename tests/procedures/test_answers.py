"""What customers answer, what complainants learn, and what neither learns of the other."""

from datetime import timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.cases.rules import AlreadyExtended, IllegalMove
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.casework import close_not_upheld, review_dispute
from tipstaff.words import Answer, CaseOutcome, CaseState, LetterKind, Reason, ReportOutcome

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture(autouse=True)
def _customer(office: Office) -> None:
    office.admit("acct-1", ADDRESS)


def test_a_dispute_stops_the_clock_until_a_person_has_reviewed_it(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    disputed = office.answer(case, Answer.DISPUTE, at=NOON + HOUR, words="The machine was off.")
    assert (disputed.state, disputed.due_at) == (CaseState.DISPUTED, None)
    office.deadlines(at=NOON + 60 * DAY)
    assert office.fresh(case.key).state is CaseState.DISPUTED
    assert office.measures(case) == []

    reviewed_at = NOON + 61 * DAY
    again = review_dispute(
        case.key, upheld=False, why="Our flow records show it.", version=disputed.version, desk=office.desk,
        at=reviewed_at, actor="lena",
    )  # fmt: skip
    assert (again.state, again.due_at) == (CaseState.NOTIFIED, None), "no clock before the reminder is handed over"
    office.deadlines(at=reviewed_at + 60 * DAY)
    assert office.measures(case) == []
    handed_over_at = reviewed_at + 2 * DAY
    office.post(at=handed_over_at)
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE, LetterKind.DISPUTE_RECEIVED, LetterKind.REMINDER]
    assert office.fresh(case.key).due_at == handed_over_at + case.answer_within, "a whole new time"
    office.deadlines(at=handed_over_at + case.answer_within)
    assert len(office.measures(case)) == 1


def test_a_dispute_that_is_upheld_ends_the_case_and_leaves_no_mark(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    disputed = office.answer(case, Answer.WRONG_CUSTOMER, at=NOON + HOUR)
    closed = review_dispute(
        case.key, upheld=True, why="They are right.", version=disputed.version, desk=office.desk, at=NOON + DAY,
        actor="lena",
    )  # fmt: skip
    assert (closed.state, closed.outcome) == (CaseState.CLOSED, CaseOutcome.NOT_UPHELD)
    office.post(at=NOON + DAY)
    assert office.kinds_to(reporter().address)[-1] is LetterKind.OUTCOME
    later = office.case_of(office.complain(ADDRESS, at=NOON + 3 * DAY))
    assert later.key != case.key
    assert later.repeats == 0, "what was not upheld is no repeat"
    assert later.answer_within == case.answer_within


def test_what_is_in_force_stays_while_a_dispute_is_reviewed(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    disputed = office.answer(case, Answer.DISPUTE, at=NOON + 2 * DAY)
    office.enforce(at=NOON + 2 * DAY)
    assert len(office.twin.rules()) == 1
    review_dispute(
        case.key, upheld=True, why="They are right.", version=disputed.version, desk=office.desk, at=NOON + 3 * DAY,
        actor="lena",
    )  # fmt: skip
    office.enforce(at=NOON + 3 * DAY)
    assert office.twin.rules() == []


def test_more_time_is_given_once(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    assert case.due_at is not None
    more = office.answer(case, Answer.NEED_TIME, at=NOON + HOUR)
    assert (more.state, more.due_at) == (CaseState.EXTENDED, case.due_at + case.answer_within)
    with pytest.raises(AlreadyExtended):
        office.answer(case, Answer.NEED_TIME, at=NOON + 2 * HOUR)
    office.deadlines(at=case.due_at)
    assert office.measures(case) == [], "the old deadline is over"
    assert more.due_at is not None
    office.deadlines(at=more.due_at)
    assert len(office.measures(case)) == 1
    office.post(at=more.due_at)
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE, LetterKind.EXTENSION_GRANTED]


def test_a_closed_case_takes_no_answer(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    office.follow(at=NOON + HOUR)
    for answer in Answer:
        with pytest.raises(IllegalMove):
            office.answer(case, answer, at=NOON + 2 * HOUR)


def test_a_repeat_within_memory_has_a_shorter_clock_and_is_still_warned_first(office: Office) -> None:
    first = office.warned(ADDRESS, at=NOON)
    office.answer(first, Answer.FIXED, at=NOON + HOUR)
    office.follow(at=NOON + HOUR)

    soon = office.warned(ADDRESS, at=NOON + 10 * DAY)
    assert soon.key != first.key
    assert (soon.repeats, soon.answer_within) == (1, timedelta(hours=12))
    assert first.answer_within == timedelta(hours=24)
    assert soon.due_at == NOON + 10 * DAY + timedelta(hours=12)
    [opened] = [e for e in entries_about(soon.key) if e.what == "case.opened"]
    assert opened.detail["reason"] == Reason.REPEATED
    office.answer(soon, Answer.FIXED, at=NOON + 10 * DAY + HOUR)
    office.follow(at=NOON + 10 * DAY + HOUR)

    late = office.warned(ADDRESS, at=NOON + 376 * DAY)
    assert (late.repeats, late.answer_within) == (0, timedelta(hours=24)), "what is beyond memory is forgotten"


def test_a_report_that_comes_while_a_case_is_open_joins_it_and_a_later_one_opens_another(office: Office) -> None:
    first = office.complain(ADDRESS, at=NOON, by=reporter(1))
    second = office.complain(ADDRESS, at=NOON + 5 * HOUR, by=reporter(2))
    case = office.case_of(first)
    assert office.case_of(second).key == case.key
    assert second.incidents[0].reason == "JOINED"
    office.post(at=NOON + 5 * HOUR)
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE]
    office.answer(case, Answer.FIXED, at=NOON + 6 * HOUR)
    third = office.complain(ADDRESS, at=NOON + 7 * HOUR, by=reporter(3))
    assert office.case_of(third).key != case.key, "it says that it is fixed, so this is a new event"


def test_each_complainant_learns_the_outcome_and_never_the_customers_name(office: Office) -> None:
    reports = [office.complain(ADDRESS, at=NOON + n * HOUR, by=reporter(n)) for n in range(1, 4)]
    case = office.case_of(reports[0])
    office.post(at=NOON + 4 * HOUR)
    office.deadlines(at=NOON + 3 * DAY)
    office.enforce(at=NOON + 3 * DAY)
    office.answer(case, Answer.FIXED, at=NOON + 4 * DAY, words="Robin from accounting had opened an attachment.")
    office.enforce(at=NOON + 4 * DAY)
    office.post(at=NOON + 4 * DAY)
    for n, report in enumerate(reports, 1):
        assert office.report(report.key).outcome is ReportOutcome.MEASURE_TAKEN
        first, last = office.letters_to(reporter(n).address)
        assert (first.kind, last.kind) == (LetterKind.ACKNOWLEDGEMENT, LetterKind.OUTCOME)
        assert last.report == report.key
        for letter in (first, last):
            said = (letter.subject + letter.body).lower()
            for secret in ("placeholder acct-1", "acct-1", "customer.example.com", "robin", case.key.lower()):
                assert secret not in said, secret
            for other in {1, 2, 3} - {n}:
                assert reporter(other).address not in said
                assert reports[other - 1].key.lower() not in said


def test_the_customer_never_learns_who_complained(office: Office) -> None:
    for n in range(1, 4):
        office.complain(ADDRESS, at=NOON + n * HOUR, by=reporter(n))
    office.post(at=NOON + 4 * HOUR)
    office.deadlines(at=NOON + 3 * DAY)
    office.enforce(at=NOON + 3 * DAY)
    office.post(at=NOON + 3 * DAY)
    letters = office.letters_to(CUSTOMER)
    assert [letter.kind for letter in letters] == [LetterKind.NOTICE, LetterKind.MEASURE_TAKEN]
    for letter in letters:
        said = (letter.subject + letter.body).lower()
        for n in range(1, 4):
            for secret in (reporter(n).address, reporter(n).domain, reporter(n).name.lower(), f"ref-{n}77"):
                assert secret not in said, secret


def test_a_case_that_is_not_upheld_lifts_everything_and_tells_both_sides(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    close_not_upheld(
        case.key, why="The log was of another year.", version=case.version, desk=office.desk, at=NOON + 2 * DAY,
        actor="ana",
    )  # fmt: skip
    office.enforce(at=NOON + 2 * DAY)
    office.post(at=NOON + 2 * DAY)
    assert office.twin.rules() == []
    assert set(office.kinds_to(CUSTOMER)[-2:]) == {LetterKind.CASE_CLOSED, LetterKind.MEASURE_LIFTED}
    assert office.kinds_to(reporter().address)[-1] is LetterKind.OUTCOME
