"""The example day, played without processes: the rooms hold what a desk would see in the middle of it."""

import dataclasses
from collections.abc import Container
from datetime import datetime, timedelta

from tipstaff import wiring
from tipstaff.cases.queries import list_cases
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.operations import become_writer, next_plan, record_intent, record_outcome, stop_writing
from tipstaff.enforcement.planner import steps
from tipstaff.ledger.operations import seal_entries
from tipstaff.notices.operations import claim_letter, mark_handing_over, mark_sent
from tipstaff.procedures import complaint, posting
from tipstaff.procedures.answers import answer_case
from tipstaff.procedures.casework import propose_urgent
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.suspension import deadlines_pass, follow
from tipstaff.registry import operations as registry
from tipstaff.testing import story
from tipstaff.words import Answer, CaseState, Ground

WORKER = "worker-tests"
EDGE = MemoryTwin("edge-1")


def desk() -> Desk:
    """The desk as wiring builds it, with nothing running behind it."""
    return dataclasses.replace(
        wiring.desk(),
        enqueue=lambda job, key: None,
        mail_out_ready=True,
        seal=lambda kept: kept,
        abilities=lambda at: (EDGE.ability,),
    )


def lay_out_operator(*, at: datetime) -> datetime:
    """Customers, services and holdings of the story; returns the story's start, so that it ends about `at`."""
    day = at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=18)
    for customer in sorted(story.customers(), key=lambda c: c.reseller is not None):
        registry.add_customer(customer, at=day, actor="import")
    for service in story.services():
        registry.add_service(service, at=day, actor="import")
    registry.add_holdings(story.holdings(day), at=day, actor="import")
    for site in story.sites(day):
        registry.add_site(
            site.host_name, address=site.address, customer=site.customer, service=site.service, since=site.since,
            at=day, actor="import",
        )  # fmt: skip
    return day


def play(*, at: datetime, ids: Container[str] | None = None, answers: bool = True) -> None:
    """Take in the day's complaints, send the letters, let some customers answer and some deadlines pass."""
    own, day = desk(), lay_out_operator(at=at)
    for told in (t for t in story.complaints(day) if ids is None or t.id in ids):
        came_at = min(day + told.at, at - timedelta(minutes=1))
        key = complaint.accept(
            told.raw, sender=told.sender, recipients=(told.recipient,), channel=told.channel, desk=own, at=came_at
        )
        complaint.understand(key, desk=own, at=came_at)
        send_letters(at=came_at)
    if answers:
        _answer_some(own, at=at)
    seal_entries()


def send_letters(*, at: datetime) -> None:
    """Every letter is taken by an imagined mail server; clocks start as they would."""
    while (letter := claim_letter(at=at, worker=WORKER, domain="operator.example.net")) is not None:
        mark_handing_over(letter.key, at=at, worker=WORKER)
        mark_sent(letter.key, at=at, reply="250 2.0.0 kept", worker=WORKER)
    posting.start_clocks(desk=desk())


def _answer_some(own: Desk, *, at: datetime) -> None:
    notified = list_cases(states=frozenset({CaseState.NOTIFIED}), order="oldest")
    told = [case for case in notified if case.answer_within >= timedelta(days=1)]  # The urgent ones run out in silence.
    answers = (
        (Answer.FIXED, "The mail plugin was taken over; we removed it and changed every password."),
        (Answer.NEED_TIME, "Our administrator is back tomorrow."),
        (Answer.DISPUTE, "The machine was off at that time. Could you look at the port again?"),
        (Answer.WRONG_CUSTOMER, "We gave this address back last week."),
    )
    for case, (answer, words) in zip(told[:4], answers, strict=False):
        answer_case(case.key, answer=answer, words=words, via="portal", desk=own, at=at - timedelta(minutes=20))
    for case in told[4:5]:
        propose_urgent(
            case.key, ground=Ground.NETWORK_HARM, shown_by="40,000 packets a second, and rising", actor="lena",
            at=at - timedelta(minutes=7),
        )  # fmt: skip
    deadlines_pass(desk=own, at=at)
    carry_out(at=at)
    follow(desk=own, at=at)
    send_letters(at=at)


def carry_out(*, at: datetime) -> None:
    """One round of the enforcer on the twin of a device."""
    fence = become_writer(EDGE.device, at=at)
    plan = next_plan(fence, at=at)
    todo = steps(plan, EDGE.observe(at=at))
    record_intent(plan, todo, fence=fence, at=at)
    EDGE.carry_out(plan, steps=todo, at=at)
    probes = {rule.measure: EDGE.probe(rule) for rule in plan.rules}
    record_outcome(plan, EDGE.observe(at=at), probes, fence=fence, read_proof=EDGE.max_proof, at=at)
    stop_writing(fence)
