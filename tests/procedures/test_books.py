"""What our own books show of a customer is judged like whatever else we measure: by thresholds of the policy, and never
twice. Each finding here is brought about by what happens in the program, not handed in by the test."""

import json
from datetime import datetime, timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tests.procedures.test_bounces import report_of
from tipstaff.cases.queries import list_cases
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import admission, returned
from tipstaff.procedures.books import SENSOR
from tipstaff.procedures.sighting import judge_waiting, take
from tipstaff.registry import operations as registry
from tipstaff.registry import queries
from tipstaff.sensors.queries import list_measured
from tipstaff.words import (
    Answer,
    Case,
    CaseState,
    Customer,
    Disposition,
    LetterKind,
    ListKind,
    Measured,
    Reason,
    Representative,
    Role,
    Standing,
    UsageKind,
)

ADDRESS = "192.0.2.77"
THEIRS = "acct-1@customer.example.com"


def found(kind: str) -> list[Measured]:
    """What our books handed in of this kind, the oldest first."""
    return [m for m in reversed(list_measured(search=kind)) if m.sighting.sensor == SENSOR]


def case_under(clause: str) -> Case:
    [case] = [case for case in list_cases(limit=100) if case.clause == clause]
    return case


def silent(office: Office, n: int, *, at: datetime) -> datetime:
    """A complaint about another address each time, its letter, no answer by the deadline; when its case was closed."""
    report = office.complain(f"192.0.2.{70 + n}", at=at, by=reporter(n), subject=f"Report {n}")
    office.post(at=at)
    case = office.case_of(report)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    judge_waiting(desk=office.desk, at=case.due_at)
    office.answer(office.fresh(case.key), Answer.FIXED, at=case.due_at + HOUR)
    office.enforce(at=case.due_at + HOUR)
    assert office.fresh(case.key).state is CaseState.CLOSED
    return case.due_at + HOUR


# Letters that nobody answered (row 88)


def test_two_letters_without_an_answer_amount_to_nothing(office: Office) -> None:
    office.admit("acct-1", "192.0.2.64/26")
    at = silent(office, 1, at=NOON)
    silent(office, 2, at=at + DAY)
    once, twice = found("complaint.unanswered")
    assert (once.sighting.facts, twice.sighting.facts) == ({"unanswered": 1}, {"unanswered": 2})
    assert {m.reason for m in (once, twice)} == {Reason.BELOW_THRESHOLD}
    assert {case.clause for case in list_cases()} == {"mail.unsolicited"}


def test_a_third_letter_without_an_answer_is_judged_under_the_duty_to_look_into_it(office: Office) -> None:
    office.admit("acct-1", "192.0.2.64/26")
    at = NOON
    for n in (1, 2, 3):
        at = silent(office, n, at=at + DAY)
    third = found("complaint.unanswered")[-1]
    case = case_under("duty.investigate")
    assert (third.disposition, third.case, case.customer) == (Disposition.OPEN_CASE, case.key, "acct-1")
    assert case.decides is Role.ANALYST
    office.post(at=at)
    letter = [letter for letter in office.letters_to(THEIRS) if letter.kind is LetterKind.NOTICE][-1]
    assert letter.case == case.key
    assert "No answer by its date" in letter.body
    assert reporter(3).address not in letter.body
    office.deadlines(at=at + 4 * DAY)
    assert list(office.measures(case)) == [], "a person decides on a measure"
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_an_answer_in_time_is_no_silence(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    office.answer(office.case_of(report), Answer.DISPUTE, at=NOON + HOUR)
    office.deadlines(at=NOON + 30 * DAY)
    assert found("complaint.unanswered") == []


def test_what_is_itself_about_that_duty_never_counts_for_it(office: Office) -> None:
    office.admit("acct-1", "192.0.2.64/26")
    at = NOON
    for n in (1, 2, 3):
        at = silent(office, n, at=at + DAY)
    office.post(at=at)
    before = len(found("complaint.unanswered"))
    office.deadlines(at=at + 30 * DAY)
    assert office.fresh(case_under("duty.investigate").key).state is CaseState.WAITING_PERSON
    assert len(found("complaint.unanswered")) == before == 3


# What was said to be set right and came back (row 89)


def repaired(office: Office, n: int, *, at: datetime) -> datetime:
    """A complaint that the customer answers with `fixed`; when its case was closed."""
    report = office.complain(ADDRESS, at=at, by=reporter(n), happened=at - timedelta(minutes=5), subject=f"Report {n}")
    office.post(at=at)
    judge_waiting(desk=office.desk, at=at)
    office.answer(office.case_of(report), Answer.FIXED, at=at + HOUR)
    office.follow(at=at + HOUR)
    assert office.fresh(office.case_of(report).key).state is CaseState.CLOSED
    return at + HOUR


def test_what_came_back_after_two_repairs_is_judged_under_the_duty_to_cure(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    at = repaired(office, 1, at=NOON)
    at = repaired(office, 2, at=at + DAY)
    [once] = found("complaint.came_back")
    assert (once.sighting.facts, once.reason) == ({"times_back": 1}, Reason.BELOW_THRESHOLD)
    repaired(office, 3, at=at + DAY)
    _, twice = found("complaint.came_back")
    assert twice.sighting.facts == {"times_back": 2}
    assert twice.case == case_under("duty.investigate").key


def test_what_happened_before_the_repair_shows_nothing_of_it(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    at = repaired(office, 1, at=NOON)
    office.complain(ADDRESS, at=at + DAY, by=reporter(2), happened=NOON - HOUR, subject="Report of before")
    assert found("complaint.came_back") == []


# Whom no letter reaches (row 92)


def come_back(office: Office, *, at: datetime) -> None:
    """The newest letter to the customer comes back from their mail server (RFC 3464)."""
    report = office.take_in(report_of(office.letters_to(THEIRS)[-1]), at=at, sender="")
    returned.take_back(report.key, desk=office.desk, at=at)


def test_a_customer_whom_no_letter_reaches_is_a_persons_to_ask(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    come_back(office, at=NOON + HOUR)
    judge_waiting(desk=office.desk, at=NOON + HOUR)
    [one] = found("representative.unreachable")
    case = case_under("duty.representative")
    assert (one.sighting.facts, one.case) == ({"contacts": 0}, case.key)
    assert (case.state, case.decides) == (CaseState.WAITING_PERSON, Role.ANALYST)
    assert [entry.what for entry in entries_about(one.key)].count("incident.judged") == 1


def test_while_there_is_another_contact_nobody_is_asked_for_one(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    people = [Representative(name="Desk", email=e) for e in (THEIRS, "deputy@customer.example.com")]
    registry.designate("acct-1", people, at=NOON - DAY, actor="import")
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    come_back(office, at=NOON + HOUR)
    assert found("representative.unreachable") == []


def test_a_case_against_somebody_without_a_representative_says_so_to_a_person(office: Office) -> None:
    office.admit("acct-1", ADDRESS, representative=False)
    office.complain(ADDRESS, at=NOON)
    judge_waiting(desk=office.desk, at=NOON)
    [one] = found("representative.missing")
    assert one.case == case_under("duty.representative").key
    assert case_under("duty.representative").state is CaseState.WAITING_PERSON
    office.complain("192.0.2.77", at=NOON + 2 * HOUR, by=reporter(2), subject="Another")
    assert len(found("representative.missing")) == 1, "asked once a fortnight, not once a complaint"


# Use after the end (row 32)


def seen(office: Office, *, at: datetime, what: str = f"{ADDRESS}/32") -> None:
    use = admission.read_use(UsageKind.TRAFFIC, what, seen_at=at, source="flows-1")
    admission.note_use(use, at=at, actor="flows-1", editions=office.desk.editions, desk=office.desk)
    judge_waiting(desk=office.desk, at=at)


def test_use_after_the_end_is_told_to_the_former_holder(office: Office) -> None:
    office.admit("acct-1")
    office.hold(f"{ADDRESS}/32", customer="acct-1", until=NOON)
    seen(office, at=NOON + 2 * HOUR)
    seen(office, at=NOON + 2 * HOUR + timedelta(minutes=1))
    [one] = found("service.used_after_end")
    case = case_under("account.after_termination")
    assert (one.sighting.facts, one.case, case.customer) == ({"hours_after_end": 2}, case.key, "acct-1")
    [letter] = [letter for letter in office.post(at=NOON + 2 * HOUR) if letter.to == THEIRS]
    assert "was held by acct-1 until" in letter.body
    assert list(office.measures(case)) == []
    seen(office, at=NOON + 2 * DAY)
    assert [m.sighting.facts["hours_after_end"] for m in found("service.used_after_end")] == [2, 48]
    assert len(list_cases()) == 1, "what goes on joins its case"


def test_use_within_the_hour_after_the_end_is_left_alone(office: Office) -> None:
    office.admit("acct-1")
    office.hold(f"{ADDRESS}/32", customer="acct-1", until=NOON)
    seen(office, at=NOON + timedelta(minutes=20))
    [one] = found("service.used_after_end")
    assert (one.reason, list_cases()) == (Reason.BELOW_THRESHOLD, [])
    seen(office, at=NOON + HOUR)
    assert case_under("account.after_termination").customer == "acct-1"


def test_somebody_whose_contract_has_ended_is_written_to_by_a_person(office: Office) -> None:
    office.admit("acct-1", ADDRESS, standing=Standing.TERMINATED)
    seen(office, at=NOON)
    case = case_under("account.after_termination")
    assert case.state is CaseState.WAITING_PERSON
    assert office.post(at=NOON) == []


# Orders and registers (rows 17, 31, 33)


def order(office: Office, key: str = "acct-2", **more: str) -> str:
    """An order that vetting puts before a person; its admission."""
    given = {"name": "Placeholder Trading", "country": "DE", "phone": "+44 20 7946 0000", "email": f"{key}@example.com"}
    registry.add_customer(
        Customer(key=key, representative=Representative(name="Desk", email=f"{key}@customer.example.com"),
                 postal_address="1 Example Street", **{**given, **more}),
        at=NOON - DAY, actor="import",
    )  # fmt: skip
    asked = admission.vet_customer(key, at=NOON, actor="import")
    assert asked.concerns
    return asked.key


def refuse(office: Office, key: str, *, accept: bool = False, actor: str = "anna") -> None:
    admission.decide(key, accept=accept, why="Looked at.", at=NOON, actor=actor, desk=office.desk)
    judge_waiting(desk=office.desk, at=NOON)


def test_an_order_that_a_person_found_false_is_put_to_the_customer(office: Office) -> None:
    asked = order(office)
    assert list_measured() == [], "that vetting wonders accuses nobody"
    refuse(office, asked)
    [one] = found("order.data_mismatch")
    case = case_under("account.false_order_data")
    assert (one.sighting.facts, one.case, case.customer) == ({"explained": False}, case.key, "acct-2")
    assert "numbers begin with +49" in office.post(at=NOON)[0].body


def test_an_order_that_was_explained_accuses_nobody(office: Office) -> None:
    refuse(office, order(office), accept=True)
    [one] = found("order.data_mismatch")
    assert (one.reason, list_cases()) == (Reason.BELOW_THRESHOLD, [])


def test_a_payment_service_hands_in_an_order_that_was_paid_back(office: Office) -> None:
    office.admit("acct-1")
    hand_in(office, "order.chargeback", explained=False)
    case = case_under("account.false_order_data")
    assert (case.customer, case.resource) == ("acct-1", "acct-1")


def test_a_match_with_a_register_counts_once_two_people_have_confirmed_it(office: Office) -> None:
    admission.load_list(ListKind.ALIASES, ["Placeholder Trading; REF-1"], file_name="list", at=NOON, actor="import")
    asked = order(office, phone="+49 30 123456")
    refuse(office, asked)
    [one] = found("customer.matches_register")
    assert (one.sighting.facts, one.reason) == ({"confirmed_by": 1}, Reason.BELOW_THRESHOLD)
    for _ in range(2):
        admission.confirm_refusal(asked, why="The same register number.", desk=office.desk, at=NOON, actor="ben")
    judge_waiting(desk=office.desk, at=NOON)
    _, two = found("customer.matches_register")
    case = case_under("account.known_spam_operations")
    assert (two.sighting.facts, two.case, case.decides) == ({"confirmed_by": 2}, case.key, Role.LEAD)


def test_whoever_refused_an_order_does_not_confirm_it_as_well(office: Office) -> None:
    admission.load_list(ListKind.ALIASES, ["Placeholder Trading; REF-1"], file_name="list", at=NOON, actor="import")
    asked = order(office)
    with pytest.raises(admission.NotRefused):
        admission.confirm_refusal(asked, why="Too early.", desk=office.desk, at=NOON, actor="ben")
    refuse(office, asked)
    with pytest.raises(admission.OwnRefusal):
        admission.confirm_refusal(asked, why="Myself.", desk=office.desk, at=NOON, actor="anna")
    assert [m.sighting.facts["confirmed_by"] for m in found("customer.matches_register")] == [1]
    assert queries.get_admission(asked) is not None


def hand_in(office: Office, kind: str, *, account: str = "acct-1", **facts: bool) -> list[str]:
    line = {"id": kind, "kind": kind, "at": NOON.isoformat(), "account": account, "facts": facts}
    taken = take(json.dumps(line).encode(), sensor="billing", desk=office.desk, at=NOON, actor="tests")
    judge_waiting(desk=office.desk, at=NOON)
    return [refused.why for refused in taken.refused]


def test_what_billing_has_confirmed_is_put_to_the_customer(office: Office) -> None:
    office.admit("acct-1")
    hand_in(office, "billing.anomaly", confirmed_by_billing=True)
    case = case_under("account.dodging_payment")
    assert (case.customer, case.decides) == ("acct-1", Role.ANALYST)
    [letter] = office.post(at=NOON)
    assert (letter.kind, letter.to) == (LetterKind.NOTICE, THEIRS)
    office.deadlines(at=NOON + 30 * DAY)
    assert list(office.measures(case)) == [], "a dodge or a mistake: a person says"


def test_what_billing_has_not_confirmed_accuses_nobody(office: Office) -> None:
    office.admit("acct-1")
    hand_in(office, "billing.anomaly", confirmed_by_billing=False)
    assert (list_cases(), office.post(at=NOON)) == ([], [])


def test_an_account_that_the_registry_does_not_know_names_nobody(office: Office) -> None:
    hand_in(office, "billing.anomaly", account="acct-404", confirmed_by_billing=True)
    [one] = list_measured(search="billing.anomaly")
    assert (one.case, one.left_to_person) == (None, True)


def test_the_account_of_a_resellers_customer_leads_to_the_reseller(office: Office) -> None:
    office.admit("acct-1", is_reseller=True)
    office.admit("acct-9", reseller="acct-1")
    hand_in(office, "billing.anomaly", account="acct-9", confirmed_by_billing=True)
    assert case_under("account.dodging_payment").customer == "acct-1"


def test_nobodys_word_stands_in_place_of_who_held_an_address(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    line = {"id": "1", "kind": "billing.anomaly", "at": NOON.isoformat(), "account": "acct-1", "source": "192.0.2.9"}
    taken = take(json.dumps(line).encode(), sensor="billing", desk=office.desk, at=NOON, actor="tests")
    assert "beside an address" in taken.refused[0].why
