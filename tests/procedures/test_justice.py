"""Never the wrong customer, never what no letter named, never unseen: what must hold when things happen at once."""

import dataclasses
from datetime import timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.cases import operations as cases
from tipstaff.cases.operations import AlreadyProposed, StaleCase
from tipstaff.cases.queries import list_due
from tipstaff.enforcement.operations import want_lifted
from tipstaff.intake.operations import AlreadyInACase
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework, complaint, posting
from tipstaff.procedures.casework import OwnDecision
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import holdings_of
from tipstaff.words import Answer, CaseState, Ground, LetterKind, MeasureState

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND = "192.0.2.7", "192.0.2.9"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", FIRST + "/32", SECOND + "/32")
    return made


def test_an_address_that_no_letter_named_in_time_is_not_measured(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    late = case.due_at - HOUR
    office.complain(SECOND, at=late, by=reporter(2))
    office.post(at=late)
    notices = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    assert len(notices) == 2
    assert SECOND in notices[1].body
    assert SECOND not in notices[0].body

    office.deadlines(at=case.due_at)
    assert [str(m.selector) for m in office.measures(case)] == [f"tcp/25 from {FIRST}"]
    office.enforce(at=case.due_at)
    office.deadlines(at=late + case.answer_within - timedelta(seconds=1))
    assert len(office.measures(case)) == 1
    office.deadlines(at=late + case.answer_within)
    assert [str(m.selector) for m in office.measures(case)] == [f"tcp/25 from {FIRST}", f"tcp/25 from {SECOND}"]
    assert {m.notice for m in office.measures(case)} == {letter.key for letter in notices}


def test_a_holder_who_gave_the_address_back_is_not_measured_on_it(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    holding = next(h for h in holdings_of("acct-1", at=NOON) if str(h.prefix).startswith(FIRST))
    registry.end_holding(holding.key, held_until=NOON + HOUR, at=NOON, actor="import")
    office.deadlines(at=case.due_at)
    assert office.measures(case) == []
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_a_measure_does_not_stay_on_the_next_holder(office: Office) -> None:
    case = office.measured(FIRST, at=NOON)
    assert office.measures(case)[0].state is MeasureState.IN_FORCE
    at = NOON + 2 * DAY
    holding = next(h for h in holdings_of("acct-1", at=at) if str(h.prefix).startswith(FIRST))
    registry.end_holding(holding.key, held_until=at, at=at, actor="import")
    office.admit("acct-2")
    office.hold(FIRST + "/32", customer="acct-2", since=at)
    office.follow(at=at)
    office.enforce(at=at)
    assert office.measures(case)[0].state is MeasureState.LIFTED
    assert office.twin.observe(at=at).rules == ()


def test_more_time_that_was_just_given_is_not_taken_away(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    due = list_due(case.due_at)
    assert due == [case.key]
    office.answer(case, Answer.NEED_TIME, at=case.due_at)
    monkeypatch.setattr("tipstaff.procedures.suspension.list_due", lambda at: due)
    office.deadlines(at=case.due_at)
    assert office.fresh(case.key).state is CaseState.EXTENDED
    assert office.measures(case) == []


def test_what_is_disputed_before_it_reached_a_device_never_does(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    office.answer(office.fresh(case.key), Answer.DISPUTE, at=case.due_at)
    office.enforce(at=case.due_at)
    assert [m.state for m in office.measures(case)] == [MeasureState.LIFTED]
    assert office.measures(case)[0].in_force_at is None
    assert office.fresh(case.key).state is CaseState.DISPUTED


def test_a_case_whose_measures_were_all_withdrawn_goes_to_a_person(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    for measure in office.measures(case):
        want_lifted(measure.key, why="Not today.", at=case.due_at, actor="eva")
    office.follow(at=case.due_at)
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_nobody_closes_a_case_on_an_old_view_while_a_measure_is_being_planned(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    with pytest.raises(StaleCase):
        casework.close_not_upheld(
            case.key, why="No.", version=case.version, desk=office.desk, at=case.due_at, actor="ana"
        )
    fresh = office.fresh(case.key)
    casework.close_not_upheld(case.key, why="No.", version=fresh.version, desk=office.desk, at=case.due_at, actor="ana")
    office.enforce(at=case.due_at)
    assert [m.state for m in office.measures(case)] == [MeasureState.LIFTED]


def test_a_notice_does_not_go_out_after_its_case_was_closed(office: Office) -> None:
    case = office.case_of(office.complain(FIRST, at=NOON))
    casework.close_not_upheld(case.key, why="A mistake.", version=case.version, desk=office.desk, at=NOON, actor="ana")
    office.post(at=NOON)
    assert office.kinds_to(CUSTOMER) == []
    withdrawn = [e for e in entries_about(case.key) if e.what == "letter.withdrawn"]
    assert len(withdrawn) == 1


def test_one_case_that_cannot_be_followed_stops_no_other(office: Office) -> None:
    office.admit("acct-3", "192.0.2.30/32")
    broken, healthy = office.warned(FIRST, at=NOON), office.warned("192.0.2.30", at=NOON)
    from tipstaff.cases.models import CaseRow

    CaseRow.objects.filter(pk=broken.key).update(edition="1999-01")
    assert healthy.due_at is not None
    office.deadlines(at=healthy.due_at)
    assert office.fresh(broken.key).state is CaseState.WAITING_PERSON
    assert len(office.measures(healthy)) == 1


def test_whoever_decided_does_not_review_the_dispute(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    cases.propose(case.key, kind="urgent_measure", ground=Ground.NETWORK_HARM, detail="flows", at=NOON, actor="ana")
    disputed = office.answer(office.fresh(case.key), Answer.DISPUTE, at=NOON + HOUR)
    with pytest.raises(OwnDecision):
        casework.review_dispute(
            case.key, upheld=False, why="No.", version=disputed.version, desk=office.desk, at=NOON, actor="ana"
        )


def test_nobody_seconds_what_they_did_not_read(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    cases.propose(case.key, kind="urgent_measure", ground=Ground.NETWORK_HARM, detail="flows", at=NOON, actor="ana")
    with pytest.raises(AlreadyProposed):
        cases.propose(case.key, kind="urgent_measure", ground=Ground.LISTING, detail="other", at=NOON, actor="bob")


def test_a_report_in_a_case_is_not_set_aside_behind_its_back(office: Office) -> None:
    report = office.complain(FIRST, at=NOON)
    with pytest.raises(AlreadyInACase):
        complaint.set_aside(report.key, why="spam", tell=False, desk=office.desk, at=NOON, actor="ana")


def test_a_complainant_with_many_reports_has_one_letter_about_the_end(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    for n in range(4):
        office.complain(FIRST, at=NOON + (n + 2) * HOUR, happened=NOON + (n + 1) * HOUR)
    office.answer(office.fresh(case.key), Answer.FIXED, at=NOON + 9 * HOUR)
    office.follow(at=NOON + 9 * HOUR)
    office.post(at=NOON + 9 * HOUR)
    assert office.kinds_to(reporter().address).count(LetterKind.OUTCOME) == 1


def test_a_notice_that_was_held_for_long_is_written_anew_with_its_deadline(office: Office) -> None:
    office.desk = dataclasses.replace(office.desk, mail_out_ready=False)
    case = office.case_of(office.complain(FIRST, at=NOON))
    office.desk = dataclasses.replace(office.desk, mail_out_ready=True)
    much_later = NOON + 20 * DAY
    posting.post_letters(desk=office.desk, post_next=lambda: None, now=lambda: much_later)
    office.post(at=much_later)
    notices = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    assert len(notices) == 1
    due = office.fresh(case.key).due_at
    assert due == much_later + case.answer_within
    assert f"{due.day} {due:%B %Y}" in notices[0].body
