"""Reports join cases; nobody's edit is lost; the database holds what must not be."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tipstaff.cases import operations, queries, rules
from tipstaff.ledger.queries import entries_about
from tipstaff.words import (
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    Degree,
    Disposition,
    Reason,
    Role,
    Rung,
    Scope,
    Severity,
    Verdict,
)

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db

VERDICT = Verdict(
    disposition=Disposition.OPEN_CASE,
    reason=Reason.FIRST_REPORT,
    explanation="Unsolicited mail came from your address.",
    edition="2026-01",
    clause="mail.unsolicited",
    group="mail",
    severity=Severity.MEDIUM,
    answer_within=timedelta(hours=24),
    ladder=(Rung(scope=Scope.FLOW, degree=Degree.BLOCK),),
    measure_ports=(("tcp", 25),),
)


def join(
    incident: str = "R-000001.1",
    customer: str = "acct-1",
    service: str | None = "svc-1",
    verdict: Verdict = VERDICT,
) -> tuple[Case, bool]:
    return operations.join_or_open(
        verdict=verdict,
        customer=customer,
        customer_name="Example Bakery",
        service=service,
        incident=incident,
        evidence="a" * 64,
        type="messaging/spam",
        resource="192.0.2.7",
        repeats=0,
        at=NOON,
        actor="worker",
    )


def test_the_second_report_joins_the_first_ones_case() -> None:
    first, opened = join()
    second, opened_again = join("R-000002.1")
    assert (opened, opened_again) == (True, False)
    assert second.key == first.key
    assert second.reports == 2
    assert first.measure_ports == (("tcp", 25),)


def test_the_same_incident_twice_counts_once() -> None:
    case, _ = join()
    again, opened = join()
    assert (again.key, again.reports, opened) == (case.key, 1, False)


def test_each_incident_keeps_its_decider_and_the_case_the_strictest() -> None:
    case, _ = join()
    join("R-000002.1", verdict=replace(VERDICT, decides=Role.COUNSEL))
    joined, _ = join("R-000003.1", verdict=replace(VERDICT, decides=Role.ANALYST))
    assert [m.decides for m in queries.members_of(case.key).values()] == [None, Role.COUNSEL, Role.ANALYST]
    assert joined.decides is Role.COUNSEL


def test_what_waits_for_a_person_waits_until_the_verdict_says_otherwise_and_never_again() -> None:
    case, _ = join()
    person = replace(VERDICT, disposition=Disposition.PERSON, decides=Role.ANALYST)
    join("S-000002", verdict=person)
    assert queries.members_of(case.key)["S-000002"] == queries.Member(None, Role.ANALYST, True)
    join("S-000002", verdict=VERDICT)
    assert queries.members_of(case.key)["S-000002"] == queries.Member(None, None, False)
    join("S-000002", verdict=person)
    assert queries.members_of(case.key)["S-000002"] == queries.Member(None, None, False)


@pytest.mark.parametrize(("customer", "service"), [("acct-2", "svc-1"), ("acct-1", "svc-2"), ("acct-1", None)])
def test_another_customer_or_service_has_a_case_of_its_own(customer: str, service: str | None) -> None:
    assert join()[0].key != join("R-000002.1", customer, service)[0].key


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("service", ["svc-1", None])
def test_two_reports_at_once_make_one_case(service: str | None) -> None:
    found: list[str] = []
    start = threading.Barrier(6)

    def one(n: int) -> None:
        start.wait()
        found.append(join(f"R-00000{n}.1", service=service)[0].key)
        connection.close()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    case = queries.get_case(found[0])
    assert case is not None
    assert case.reports == 6


def test_a_report_after_the_end_opens_a_new_case_and_the_old_one_counts() -> None:
    case, _ = join()
    operations.move_case(case.key, to=CaseState.FIXED, at=NOON, actor="customer", why="cleaned")
    operations.move_case(case.key, to=CaseState.CLOSED, at=NOON, actor="worker", why="done", outcome=CaseOutcome.FIXED)
    assert join("R-000002.1")[0].key != case.key
    [strike] = queries.strikes_of("acct-1", group="mail", since=NOON - timedelta(days=1))
    assert (strike.case, strike.at, strike.contested) == (case.key, NOON, False)
    assert queries.strikes_of("acct-1", group="mail", since=NOON + timedelta(days=1)) == []
    assert queries.strikes_of("acct-1", group="copyright", since=NOON - timedelta(days=1)) == []


def test_an_edit_on_an_old_view_is_refused() -> None:
    case, _ = join()
    operations.assign_case(case.key, to="ana", version=case.version, at=NOON, actor="ana")
    with pytest.raises(operations.StaleCase):
        operations.assign_case(case.key, to="ben", version=case.version, at=NOON, actor="ben")
    again = queries.get_case(case.key)
    assert again is not None
    assert again.assignee == "ana"


def test_the_deadline_runs_only_while_the_holder_is_asked() -> None:
    case, _ = join()
    due = NOON + timedelta(hours=24)
    operations.move_case(case.key, to=CaseState.NOTIFIED, at=NOON, actor="worker", why="told", due_at=due)
    assert queries.list_due(due - timedelta(seconds=1)) == []
    assert queries.list_due(due) == [case.key]
    operations.take_answer(case.key, answer=Answer.DISPUTE, words="not me", at=NOON, actor="customer")
    assert queries.list_due(due + timedelta(days=99)) == []


def test_more_time_is_given_once_and_kept_in_the_record() -> None:
    case, _ = join()
    due = NOON + timedelta(hours=24)
    operations.move_case(case.key, to=CaseState.NOTIFIED, at=NOON, actor="worker", why="told", due_at=due)
    later = operations.take_answer(case.key, answer=Answer.NEED_TIME, words="on it", at=NOON, actor="customer")
    assert later.due_at == due + timedelta(hours=24)
    with pytest.raises(rules.AlreadyExtended):
        operations.take_answer(case.key, answer=Answer.NEED_TIME, words="more", at=NOON, actor="customer")
    answered = [e for e in entries_about(case.key) if e.what == "case.answered"]
    assert [e.detail["words"] for e in answered] == ["on it"]


def test_nobody_seconds_their_own_proposal() -> None:
    case, _ = join()
    operations.propose(case.key, kind="urgent_measure", ground="network_harm", detail="flows", at=NOON, actor="ana")
    with pytest.raises(operations.SecondMustBeAnother):
        operations.second(case.key, kind="urgent_measure", at=NOON, actor="ana")
    assert operations.second(case.key, kind="urgent_measure", at=NOON, actor="ben") == ("network_harm", "flows", "ana")
    with pytest.raises(operations.NothingProposed):
        operations.second(case.key, kind="urgent_measure", at=NOON, actor="cem")


def test_every_move_stands_in_the_record_with_its_reason() -> None:
    case, _ = join()
    operations.move_case(case.key, to=CaseState.WAITING_PERSON, at=NOON, actor="worker", why="no representative")
    whats = [(e.what, e.detail.get("why")) for e in entries_about(case.key)]
    assert whats == [("case.opened", None), ("case.waiting_person", "no representative")]
