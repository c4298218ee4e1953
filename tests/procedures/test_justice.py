"""Never the wrong customer, never what no letter named, never unseen: what must hold when things happen at once."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.cases import operations as cases
from tipstaff.cases.operations import AlreadyProposed, StaleCase
from tipstaff.cases.queries import list_due, strikes_of
from tipstaff.enforcement.operations import want_lifted
from tipstaff.intake.operations import AlreadyInACase
from tipstaff.ledger.operations import record, record_all
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework, complaint, posting
from tipstaff.procedures.casework import OwnDecision
from tipstaff.procedures.trust import Belief
from tipstaff.registry import operations as registry
from tipstaff.registry.queries import holdings_of
from tipstaff.testing.story.mail import mail, text
from tipstaff.web.portal.reads import portal_page
from tipstaff.words import (
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    EvidenceGrade,
    Ground,
    LetterKind,
    MeasureState,
    Reason,
    Report,
    ReportOutcome,
    Role,
    Trust,
)

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND, THIRD = "192.0.2.7", "192.0.2.9", "192.0.2.11"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", FIRST + "/32", SECOND + "/32", THIRD + "/32")
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
    registry.end_holding(holding.key, held_until=at - DAY, at=at - DAY, actor="import")
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


def crowd(case: str, *, at: datetime, number: int = 1200) -> None:
    """So many reports join a case, as after a feed that names one sender again and again."""
    record_all((("case.joined", [case, f"R-9{n:05}"], {}) for n in range(number)), at=at, actor="worker")


def test_whoever_decided_does_not_review_the_dispute_however_many_reports_joined(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    crowd(case.key, at=NOON)
    cases.propose(case.key, kind="urgent_measure", ground=Ground.NETWORK_HARM, detail="flows", at=NOON, actor="ana")
    disputed = office.answer(office.fresh(case.key), Answer.DISPUTE, at=NOON + HOUR)
    with pytest.raises(OwnDecision):
        casework.review_dispute(
            case.key, upheld=False, why="No.", version=disputed.version, desk=office.desk, at=NOON, actor="ana"
        )


def test_the_time_they_were_last_given_holds_however_many_reports_joined(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    crowd(case.key, at=NOON)
    extended = office.answer(office.fresh(case.key), Answer.NEED_TIME, at=NOON + HOUR)
    assert extended.due_at is not None
    assert case.due_at is not None
    assert extended.due_at > case.due_at
    assert casework.promised_until(case.key) == extended.due_at


def test_what_they_wrote_is_answered_however_many_reports_joined(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    crowd(case.key, at=NOON)
    assert not casework._has_written(case)
    record("letter.replied", at=NOON, actor="worker", about=["L-000001", case.key], by="reporter")
    assert not casework._has_written(case)
    record("letter.replied", at=NOON, actor="worker", about=["L-000001", case.key], by="customer")
    assert casework._has_written(case)


def test_a_disputed_case_counts_as_contested_however_many_reports_joined(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    crowd(case.key, at=NOON)
    office.answer(office.fresh(case.key), Answer.DISPUTE, at=NOON + HOUR)
    office.answer(office.fresh(case.key), Answer.FIXED, at=NOON + 2 * HOUR)
    office.follow(at=NOON + 2 * HOUR)
    assert office.fresh(case.key).state is CaseState.CLOSED
    assert [strike.contested for strike in strikes_of("acct-1", group=case.group, since=NOON)] == [True]


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


def doubtful(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on anybody could have forged what is reported."""
    monkeypatch.setattr(Belief, "trust", lambda self, allegation, *, customer: Trust(evidence=EvidenceGrade.SPOOFABLE))


def test_what_joins_a_case_and_could_be_forged_is_not_measured_by_the_clock(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = office.warned(FIRST, at=NOON)
    with monkeypatch.context() as patch:
        doubtful(patch)
        assert office.case_of(office.complain(SECOND, at=NOON + HOUR, by=reporter(2))).key == case.key
    office.post(at=NOON + HOUR)
    assert office.fresh(case.key).decides is Role.ANALYST, "a person looks at the case"
    [left] = [e for e in entries_about(case.key) if e.what == "case.left_to"]
    assert left.detail == {"role": "analyst"}

    office.deadlines(at=NOON + 3 * DAY)
    office.enforce(at=NOON + 3 * DAY)
    office.deadlines(at=NOON + 3 * DAY + HOUR)
    [measure] = office.measures(case)
    assert str(measure.selector.network) == f"{FIRST}/32", "what is believed is measured, and nothing else"
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON, "and a person is asked about the rest"


def test_a_report_that_nobody_vouches_for_takes_nothing_from_one_that_is_believed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = office.warned(FIRST, at=NOON)
    with monkeypatch.context() as patch:
        doubtful(patch)
        office.complain(SECOND, at=NOON + HOUR, by=reporter(2))
        office.complain(FIRST, at=NOON + HOUR, by=reporter(4))
    office.complain(SECOND, at=NOON + 2 * HOUR, by=reporter(3))
    office.post(at=NOON + 2 * HOUR)
    office.deadlines(at=NOON + 3 * DAY)
    assert {str(m.selector.network) for m in office.measures(case)} == {f"{FIRST}/32", f"{SECOND}/32"}


def waiting_in_a_case(office: Office) -> tuple[Case, Report]:
    """A case that runs, and a report in it about what happened before any edition was in force."""
    case = office.warned(FIRST, at=NOON)
    before = min(e.effective_at for e in office.desk.editions) - HOUR
    report = office.complain(SECOND, at=NOON + HOUR, by=reporter(2), happened=before)
    assert office.case_of(report).key == case.key
    return case, report


def test_what_waits_for_a_person_is_not_told_or_measured_along_with_the_next_report(office: Office) -> None:
    case, report = waiting_in_a_case(office)
    [incident] = report.incidents
    assert (incident.outcome, incident.reason) == (ReportOutcome.WITH_A_PERSON, Reason.NO_EDITION_IN_FORCE)
    office.complain(THIRD, at=NOON + 2 * HOUR, by=reporter(3))
    office.post(at=NOON + 2 * HOUR)
    letters = [letter.body for letter in office.letters_to(CUSTOMER)]
    assert any(THIRD in body for body in letters)
    assert not any(SECOND in body for body in letters)
    page = portal_page(case.key)
    assert page is not None
    assert SECOND not in {event.what for event in page.events}
    office.deadlines(at=NOON + 3 * DAY)
    office.enforce(at=NOON + 3 * DAY)
    assert {str(m.selector.network) for m in office.measures(case)} == {f"{FIRST}/32", f"{THIRD}/32"}


def test_a_person_has_it_told_and_its_time_to_answer_begins_then(office: Office) -> None:
    case, report = waiting_in_a_case(office)
    version = office.fresh(case.key).version
    casework.decide_joined(
        case.key, tell=True, why="It goes on today.", version=version, desk=office.desk, at=NOON + DAY, actor="ana"
    )
    [letter] = [x for x in office.post(at=NOON + DAY) if x.to == CUSTOMER]
    assert SECOND in letter.body
    assert office.report(report.key).incidents[0].outcome is ReportOutcome.FORWARDED
    assert casework.waiting_incidents(case.key) == []
    with pytest.raises(casework.NothingWaits):
        casework.decide_joined(
            case.key, tell=True, why="Again.", version=office.fresh(case.key).version, desk=office.desk,
            at=NOON + DAY, actor="ana",
        )  # fmt: skip
    office.answer(case, Answer.DISPUTE, at=NOON + DAY)
    with pytest.raises(OwnDecision):
        casework.review_dispute(
            case.key, upheld=False, why="It stands.", version=office.fresh(case.key).version, desk=office.desk,
            at=NOON + 2 * DAY, actor="ana",
        )  # fmt: skip


def test_what_a_person_leaves_aside_counts_for_nothing(office: Office) -> None:
    case, report = waiting_in_a_case(office)
    version = office.fresh(case.key).version
    casework.decide_joined(
        case.key, tell=False, why="Too long ago.", version=version, desk=office.desk, at=NOON + HOUR, actor="ana"
    )
    assert office.report(report.key).incidents[0].outcome is ReportOutcome.NOT_UPHELD
    office.complain(THIRD, at=NOON + 2 * HOUR, by=reporter(3))
    office.post(at=NOON + 2 * HOUR)
    office.answer(case, Answer.FIXED, at=NOON + 3 * HOUR)
    office.follow(at=NOON + 3 * HOUR)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED
    assert office.report(report.key).incidents[0].outcome is ReportOutcome.NOT_UPHELD
    assert not any(SECOND in letter.body for letter in office.letters_to(CUSTOMER))


def test_the_clock_does_not_bring_back_what_a_person_lifted(office: Office) -> None:
    case = office.measured(FIRST, at=NOON)
    at = NOON + 4 * DAY
    [measure] = office.measures(case)
    casework.lift_measure(measure.key, why="It hit their shop.", desk=office.desk, at=at, actor="lena")
    office.enforce(at=at)
    office.answer(case, Answer.DISPUTE, at=at)
    casework.review_dispute(
        case.key, upheld=False, why="It stands.", version=office.fresh(case.key).version, desk=office.desk, at=at,
        actor="ben",
    )  # fmt: skip
    office.post(at=at)
    due = office.fresh(case.key).due_at
    assert due is not None
    office.deadlines(at=due)
    assert [m.key for m in office.measures(case)] == [measure.key]
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_a_sentence_without_anything_shown_leads_to_a_letter_and_to_a_person(office: Office) -> None:
    raw = mail(text(f"Spam from {FIRST} now"), sender=reporter(), subject="spam", at=NOON)
    report = office.take_in(raw, at=NOON, sender=reporter().address)
    case = office.case_of(report)
    office.post(at=NOON)
    assert [x.kind for x in office.letters_to(CUSTOMER)] == [LetterKind.NOTICE]
    office.deadlines(at=NOON + 5 * DAY)
    assert office.measures(case) == []
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_whoever_answered_is_not_told_that_they_did_not(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    office.answer(case, Answer.DISPUTE, at=NOON + HOUR, words="Not us.")
    casework.review_dispute(
        case.key, upheld=False, why="It stands.", version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + HOUR, actor="ben",
    )  # fmt: skip
    office.post(at=NOON + HOUR)
    due = office.fresh(case.key).due_at
    assert due is not None
    office.deadlines(at=due)
    office.enforce(at=due)
    [letter] = [x for x in office.post(at=due) if x.kind is LetterKind.MEASURE_TAKEN]
    assert "no answer" not in letter.body
    assert "You answered us" in letter.body
