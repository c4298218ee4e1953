"""Unusual orders of events: notices held for long, a refused measure, sealing while others work, many lifts."""

import dataclasses
import threading
from collections.abc import Callable
from ipaddress import ip_network

import pytest
from django.db import IntegrityError, connection, transaction

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office, reporter, spam_report
from tipstaff.cases import operations as cases
from tipstaff.cases.queries import get_case
from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.models import MeasureRow
from tipstaff.enforcement.operations import Fence
from tipstaff.intake.queries import reports_of_case
from tipstaff.notices.operations import NotInYourHands, claim_letter, mark_failed, mark_handing_over, mark_sent
from tipstaff.notices.queries import get_letter
from tipstaff.procedures import casework, complaint, enforcing, posting
from tipstaff.words import (
    Answer,
    Candidate,
    CaseState,
    Channel,
    Degree,
    Direction,
    Ground,
    Letter,
    LetterKind,
    LetterState,
    MeasureState,
    ProbeResult,
    Proof,
    Report,
    Rule,
    Selector,
)

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND = "192.0.2.7", "192.0.2.9"
CUSTOMER = "acct-1@customer.example.com"
OURS = (ip_network("192.0.2.0/24"),)


class Probed(MemoryTwin):
    """A twin on which a probe finds everything stopped."""

    max_proof = Proof.PROBE
    neighbour = True

    def probe(self, rule: Rule) -> ProbeResult:
        detail = f"out: {rule.selector} gets no answer."
        return ProbeResult(target_stopped=True, neighbour_works=self.neighbour, detail=detail)


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", FIRST + "/32", SECOND + "/32")
    return made


@pytest.fixture
def fence(office: Office) -> "object":
    fence = operations.become_writer(EDGE, at=NOON)
    yield fence
    operations.stop_writing(fence)


def plan(n: int, *, port: int = 25, case: str = "C-000001", degree: Degree = Degree.BLOCK) -> str:
    """A measure on one port of one address."""
    selector = Selector(network=ip_network(f"192.0.2.{n}"), protocol="tcp", port=port, direction=Direction.OUT)
    chosen = Candidate(
        selector=selector, degree=degree, device=EDGE, sufficient=True, others_hit=0, services_hit=0, chosen=True,
        why="The narrowest.",
    )  # fmt: skip
    return operations.plan_measure(
        case=case, customer="acct-1", candidates=[chosen], chosen=chosen, until=NOON + 30 * DAY, lifted_when="Fixed.",
        notice="L-000001", urgency=None, at=NOON, actor="worker",
    )  # fmt: skip


def round_of(twin: MemoryTwin, fence: Fence) -> enforcing.Reconciled:
    return enforcing.reconcile(twin, fence=fence, limits=Limits(own=OURS), at=NOON)


def state_of(key: str) -> MeasureState:
    found = queries.get_measure(key)
    assert found is not None
    return found.state


def notice_in_hand(office: Office) -> tuple[Report, Letter]:
    """A report, and the notice about it that a worker has just taken to the mail server."""
    report = office.complain(FIRST, at=NOON)
    while (letter := claim_letter(at=NOON, worker="w", domain="operator.example.net")) is not None:
        if letter.kind is LetterKind.NOTICE:
            return report, letter
        mark_handing_over(letter.key, at=NOON, worker="w")
        mark_sent(letter.key, at=NOON, reply="250", worker="w")
    raise AssertionError("no notice was written")


# Letters


def test_every_notice_that_was_held_for_long_is_written_anew(office: Office) -> None:
    office.desk = dataclasses.replace(office.desk, mail_out_ready=False)
    office.complain(FIRST, at=NOON)
    office.complain(SECOND, at=NOON + HOUR, by=reporter(2))
    office.desk = dataclasses.replace(office.desk, mail_out_ready=True)
    posting.post_letters(desk=office.desk, post_next=lambda: None, now=lambda: NOON + 2 * DAY)
    office.post(at=NOON + 2 * DAY)
    bodies = "".join(letter.body for letter in office.letters_to(CUSTOMER))
    assert FIRST in bodies
    assert SECOND in bodies


def test_an_automatic_answer_is_not_answered(office: Office) -> None:
    for headers, asked in (
        ("Auto-Submitted: auto-replied", []),
        ("Auto-Submitted: auto-generated", []),
        ("Precedence: bulk", []),
        ("List-Id: <list.other.example.org>", []),
        ("X-Mailer: Hand", [LetterKind.ACKNOWLEDGEMENT]),
    ):
        sender = f"desk-{len(headers)}@other.example.org"
        raw = (
            f"From: {sender}\r\nTo: abuse@operator.example.net\r\nSubject: Attack from your network\r\n{headers}\r\n"
            f"Message-ID: <{len(headers)}@other.example.org>\r\nDate: Mon, 04 May 2026 11:00:00 +0000\r\n\r\n"
            "Somebody in your network attacks us and sends spam. Please stop this abuse.\r\n"
        )
        office.take_in(raw.encode(), at=NOON, sender=sender)
        office.post(at=NOON)
        assert office.kinds_to(sender) == asked, headers


# Sealing while others work


def test_a_letter_in_a_workers_hands_stops_before_the_dot_when_its_matter_is_sealed(office: Office) -> None:
    report, letter = notice_in_hand(office)
    complaint.seal_by_hand(report.key, desk=office.desk, at=NOON, actor="ana")
    with pytest.raises(NotInYourHands):
        mark_handing_over(letter.key, at=NOON, worker="w")
    assert office.post(at=NOON + HOUR) == []


def test_a_letter_that_comes_back_from_the_dot_blank_is_not_sent_again(office: Office) -> None:
    report, letter = notice_in_hand(office)
    mark_handing_over(letter.key, at=NOON, worker="w")
    complaint.seal_by_hand(report.key, desk=office.desk, at=NOON, actor="ana")
    mark_failed(letter.key, at=NOON, reply="450 later", permanent=False, worker="w")
    found = get_letter(letter.key)
    assert found is not None
    assert (found.state, found.body) == (LetterState.WITHDRAWN, "")
    assert office.post(at=NOON + DAY) == []


def test_a_report_that_joins_a_case_while_it_is_being_sealed_takes_the_case_with_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = spam_report(FIRST, at=NOON, by=reporter(), happened=NOON - HOUR)
    key = complaint.accept(
        raw, sender=reporter().address, recipients=("abuse@operator.example.net",), channel=Channel.SMTP,
        desk=office.desk, at=NOON,
    )  # fmt: skip
    really, looked = complaint.get_report, []

    def slowly(asked: str) -> Report | None:
        found = really(asked)
        if not looked:
            looked.append(asked)
            complaint.understand(key, desk=office.desk, at=NOON)
        return found

    monkeypatch.setattr(complaint, "get_report", slowly)
    complaint.seal_by_hand(key, desk=office.desk, at=NOON, actor="ana")
    [case] = office.cases()
    assert (case.resource, case.state) == (cases.SEALED_MATTER, CaseState.WAITING_PERSON)


def test_a_letter_is_noted_as_sent_while_its_report_is_sealed_and_neither_waits_for_ever(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, letter = notice_in_hand(office)
    mark_handing_over(letter.key, at=NOON, worker="w")
    has_letter, may_end, errors = threading.Event(), threading.Event(), []

    def on_sent(sent: Letter) -> None:
        has_letter.set()
        may_end.wait(2)
        office.start_clock_of(sent)

    def worker() -> None:
        try:
            mark_sent(
                letter.key, at=NOON, reply="250", worker="w", on_sent=on_sent,
                first=lambda: posting.hold_case_of(letter),
            )  # fmt: skip
        except Exception as why:  # noqa: BLE001 - told below
            errors.append(why)
        finally:
            connection.close()

    blank = complaint.blank_letters

    def blank_now(**what: object) -> list[str]:
        may_end.set()
        return blank(**what)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(complaint, "blank_letters", blank_now)
    thread = threading.Thread(target=worker)
    thread.start()
    has_letter.wait(5)
    complaint.seal_by_hand(report.key, desk=office.desk, at=NOON, actor="ana")
    thread.join()
    assert errors == []


def test_sealing_decides_nothing_and_warns_nobody(office: Office) -> None:
    case = office.measured(FIRST, at=NOON)
    [report] = reports_of_case(case.key)
    told = len(office.letters_to(CUSTOMER))
    complaint.seal_by_hand(report.key, desk=office.desk, at=NOON + 2 * DAY, actor="ana")
    waiting = office.fresh(case.key)
    assert (waiting.state, waiting.decides) == (CaseState.WAITING_PERSON, "counsel")
    office.enforce(at=NOON + 2 * DAY)
    assert office.measures(case)[0].state is MeasureState.IN_FORCE
    casework.decide_waiting(
        case.key, go_ahead=False, why="With the police.", version=waiting.version, desk=office.desk, at=NOON + 3 * DAY,
        actor="cleo",
    )  # fmt: skip
    office.enforce(at=NOON + 3 * DAY)
    office.post(at=NOON + 3 * DAY)
    assert office.measures(case)[0].state is MeasureState.LIFTED
    assert len(office.letters_to(CUSTOMER)) == told


# Measures


def test_a_case_that_is_fixed_closes_although_a_guard_refused_its_measure(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    office.limits = lambda at: Limits(own=OURS, protected=(ip_network(FIRST),))  # type: ignore[method-assign]  # protected now
    office.enforce(at=case.due_at)
    office.answer(office.fresh(case.key), Answer.FIXED, at=case.due_at + HOUR)
    office.enforce(at=case.due_at + HOUR)
    office.follow(at=case.due_at + DAY)
    assert office.fresh(case.key).state is CaseState.CLOSED


def test_no_lift_is_declared_before_its_probe_had_its_turn(office: Office, fence: Fence) -> None:
    twin = Probed(EDGE)
    keys = [plan(n) for n in range(1, 61)]
    for _ in range(3):
        round_of(twin, fence)
    for key in keys:
        operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    round_of(twin, fence)
    assert [key for key in keys if state_of(key) is MeasureState.LIFTED] == []


@pytest.mark.parametrize("other", [{"port": 80}, {"degree": Degree.RATE_LIMIT}])
def test_a_measure_that_stops_something_else_explains_nothing(
    office: Office, fence: Fence, other: dict[str, object]
) -> None:
    twin = Probed(EDGE)
    plan(7, case="C-000002", **other)  # type: ignore[arg-type]  # a port or a degree
    key = plan(7)
    round_of(twin, fence)
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    round_of(twin, fence)
    assert state_of(key) is MeasureState.LIFTING


def test_a_probe_whose_own_way_is_down_contradicts_no_lift(office: Office, fence: Fence) -> None:
    twin = Probed(EDGE)
    key = plan(7)
    round_of(twin, fence)
    twin.neighbour = False
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    round_of(twin, fence)
    assert state_of(key) is MeasureState.LIFTED


def test_free_in_one_direction_is_not_lifted() -> None:
    half = ProbeResult(target_stopped=False, target_free=False, neighbour_works=True)
    assert (half.proves_lifted, half.contradicts_lift, half.proves_in_force) == (False, True, False)
    assert ProbeResult(target_stopped=False, neighbour_works=True).proves_lifted


def test_a_lift_is_told_however_many_newer_ones_there_are(office: Office) -> None:
    case = office.measured(FIRST, at=NOON)
    [measure] = office.measures(case)
    row = MeasureRow.objects.get(key=measure.key)
    for n in range(120):
        row.pk, row.state, row.in_force_at, row.lifted_at = f"M-{n + 900000}", "lifted", None, NOON
        row.selector_key = f"x{n}"
        row.save(force_insert=True)
    at = NOON + 5 * DAY
    casework.lift_measure(measure.key, why="Enough.", desk=office.desk, at=at, actor="eva")
    with pytest.raises(casework.AlreadyEnding):
        casework.lift_measure(measure.key, why="Enough.", desk=office.desk, at=at, actor="eva")
    office.enforce(at=at)
    office.post(at=at)
    assert office.kinds_to(CUSTOMER).count(LetterKind.MEASURE_LIFTED) == 1


def test_no_colleagues_name_or_inner_reason_stands_in_a_customers_letter(office: Office) -> None:
    office.twin = Probed(EDGE)
    case = office.measured(FIRST, at=NOON)
    office.answer(case, Answer.FIXED, at=NOON + 5 * DAY)
    office.enforce(at=NOON + 5 * DAY)
    [measure] = office.measures(case)
    casework.take_measure_as_lifted(
        measure.key, why="Inner words.", desk=office.desk, at=NOON + 6 * DAY, actor="eva.secret"
    )
    office.follow(at=NOON + 6 * DAY)
    office.post(at=NOON + 6 * DAY)
    letters = office.letters_to(CUSTOMER)
    assert LetterKind.MEASURE_LIFTED in [letter.kind for letter in letters]
    assert [x for x in letters if "eva.secret" in x.body or "Inner words" in x.body] == []


# People


def test_a_person_whose_name_looks_like_a_programs_does_not_review_their_own_decision(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    who = "customer.care"
    cases.propose(case.key, kind="urgent_measure", ground=Ground.NETWORK_HARM, detail="flows", at=NOON, actor=who)
    disputed = office.answer(case, Answer.DISPUTE, at=NOON + HOUR)
    with pytest.raises(casework.OwnDecision):
        casework.review_dispute(
            case.key, upheld=False, why="No.", version=disputed.version, desk=office.desk, at=NOON, actor=who
        )


def test_a_proposal_is_not_spent_on_a_measure_that_cannot_be_taken(office: Office) -> None:
    case = office.case_of(office.complain(FIRST, at=NOON))
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: ())
    casework.propose_urgent(case.key, ground=Ground.NETWORK_HARM, shown_by="flows", at=NOON, actor="ana")
    with pytest.raises(casework.NothingToPlan):
        casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="ben")
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: (office.twin.ability,))
    assert casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="ben")


@pytest.mark.parametrize(
    ("notice", "urgency"),
    [
        ("", None),
        (None, {"ground": "law", "shown_by": "x", "decided_by": "ana", "seconded_by": "Ana"}),
        (None, {"ground": "law", "shown_by": "x", "decided_by": "ana", "seconded_by": ""}),
        (None, {"ground": "law", "shown_by": "x", "decided_by": "ana"}),
    ],
)
def test_the_database_itself_takes_two_people_or_a_letter(office: Office, notice: str | None, urgency: object) -> None:
    row = MeasureRow.objects.get(key=plan(7))
    row.pk, row.selector_key, row.notice, row.urgency = "M-900000", "x", notice, urgency
    save: Callable[..., None] = row.save
    with pytest.raises(IntegrityError), transaction.atomic():
        save(force_insert=True)
    assert get_case("C-999999") is None
