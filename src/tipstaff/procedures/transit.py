"""A network whose records in the registries stay wrong after our letter: its routes may be refused (row 60).

Two people decide, one of them of the role that the clause names. What is refused is narrow: each prefix that our
registry has as the customer's, on the customer's own session, at a device that touches that session and no other.
"""

from datetime import datetime
from ipaddress import ip_network

from django.db import transaction

from tipstaff.cases import operations as cases
from tipstaff.cases.rules import IllegalMove
from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.ledger.operations import record
from tipstaff.policy import Clause
from tipstaff.policy.deciding import DESK, may_decide
from tipstaff.policy.kinds import Event
from tipstaff.registry.queries import resources_of, sessions_of
from tipstaff.words import Candidate, Case, CaseState, Degree, ResourceKind, Role, Rung, Scope

from .casework import NothingToPlan, ProposalLapsed, lapsed_before, promised_until, proposal
from .desk import Desk
from .letters import EditionGone, edition_named, notices_sent
from .suspension import NotYourDecision, lasts_for, plan_chosen

REFUSE_TRANSIT = "refuse_transit"
OF_RECORDS = 59
"""The row of the policy under which records in the registries are kept current."""
_WHEN = frozenset({CaseState.OVERDUE, CaseState.WAITING_PERSON, CaseState.MEASURE_IN_FORCE})
_LADDER = (Rung(scope=Scope.ROUTE, degree=Degree.BLOCK),)


def propose_refusal(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """Propose that the routes of a case's customer are refused; another person agrees with `second_refusal`.

    Raise NothingToPlan where the case or its time does not allow it or no device can, IllegalMove in a state that knows
    no measure, NotYourDecision for who decides nothing here, AlreadyProposed.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        _takes_part(key, desk=desk, actor=actor)
        said = in_words(_what(case, desk=desk, at=at))
        cases.propose(
            key, kind=REFUSE_TRANSIT, ground=said, detail=why, at=at, actor=actor,
            lapsed_before=lapsed_before(case, desk=desk, at=at),
        )  # fmt: skip


def second_refusal(key: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Agree to it: exactly what was proposed is planned now, and both answer for it; the keys of the measures.

    Raise as `propose_refusal` does; ProposalLapsed when it was proposed too long ago or is another thing by now;
    NotYourDecision where neither of the two holds the role that the edition's clause names.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        _takes_part(key, desk=desk, actor=actor)
        waiting = proposal(key, REFUSE_TRANSIT)
        if waiting is not None and waiting.proposed_at < lapsed_before(case, desk=desk, at=at):
            raise ProposalLapsed(key)
        said, why, proposed_by = cases.second(key, kind=REFUSE_TRANSIT, at=at, actor=actor)
        found = _what(case, desk=desk, at=at)
        if in_words(found) != said:
            raise ProposalLapsed(key)  # It is another thing by now: nobody has read that.
        held = desk.roles_of(actor) | desk.roles_of(proposed_by)
        clause = _answering(case, engineer=Role.ENGINEER in held, desk=desk, at=at)
        if clause is None or (clause.decides is not None and not may_decide(held, needed=clause.decides)):
            needed = clause.decides if clause is not None else Role.ENGINEER
            raise NotYourDecision(f"{key}: one of the two who decide on this has to hold the role {needed}.")
        until, notice = at + lasts_for(case, desk=desk, urgent=False), min(_told(case), key=_told(case).__getitem__)
        planned = [
            plan_chosen(case, one, found, until=until, notice=notice, urgency=None, at=at, actor=actor) for one in found
        ]
        cases.move_case(
            key, to=CaseState.MEASURE_PLANNED, at=at, actor=actor, about=tuple(planned),
            why=f"Under {clause.id}, two people: the records are still wrong after our letter, and routes are refused.",
        )  # fmt: skip
        record(
            "case.decided", at=at, actor=actor, about=[key, *planned], why=why, proposed_by=proposed_by,
            under=clause.id, role=clause.decides,
        )  # fmt: skip
        desk.enqueue("enforce", "all")
        return planned


def may_be_refused(case: Case, *, desk: Desk, at: datetime) -> bool:
    """Whether a refusal can be proposed on this case now."""
    try:
        return bool(_what(case, desk=desk, at=at))
    except (NothingToPlan, IllegalMove, EditionGone):
        return False


def in_words(found: tuple[Candidate, ...]) -> str:
    """What would be refused, as whoever agrees reads it."""
    return ", ".join(f"block {c.selector} on {c.device}" for c in found)


def _what(case: Case, *, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    """The routes that may be refused on this case; raise NothingToPlan, or IllegalMove."""
    edition = edition_named(desk, case.edition)
    if OF_RECORDS not in edition.clause(case.clause).rows:
        raise NothingToPlan(case.key)
    if case.state not in _WHEN:
        raise IllegalMove(f"{case.key} is {case.state.replace('_', ' ')}: no route is refused on it now.")
    promised = promised_until(case.key)
    if (promised is not None and promised > at) or _answering(case, engineer=True, desk=desk, at=at) is None:
        raise NothingToPlan(case.key)
    found = routes_on_sessions(case, desk=desk, at=at)
    if not found:
        raise NothingToPlan(case.key)
    return found


def routes_on_sessions(case: Case, *, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    """Each prefix that is the customer's by our registry, on each session of theirs that a device touches."""
    devices = [ability for ability in desk.abilities(at) if ability.session in sessions_of(case.customer, at=at)]
    prefixes = sorted(
        {r.name.split()[0] for r in resources_of(case.customer, at=at) if r.kind is ResourceKind.ROUTE}
    )  # fmt: skip
    lasts = lasts_for(case, desk=desk, urgent=False)
    weighed = (
        candidate
        for session in sorted({device.session for device in devices})
        for prefix in prefixes
        for candidate in weigh(
            devices=devices, ladder=_LADDER, measure_ports=(), resource=None, url=None, source_port=None,
            service=case.service, account=case.customer, footprint=Footprint(), announced=ip_network(prefix),
            announced_on=(session,), lasts=lasts,
        )
    )  # fmt: skip
    return tuple(candidate for candidate in weighed if candidate.chosen)


def _answering(case: Case, *, engineer: bool, desk: Desk, at: datetime) -> Clause | None:
    """The clause of the case's edition that lets routes be refused; None where it does not, or not yet."""
    sent = _told(case)
    if not sent:
        return None
    days = (at - min(sent.values())).days
    return edition_named(desk, case.edition).clause_for_event(
        Event.REGISTRY_UNCORRECTED, facts={"days_since_notice": days, "engineer_agrees": engineer}
    )


def _told(case: Case) -> dict[str, datetime]:
    return notices_sent(case.key)


def _takes_part(key: str, *, desk: Desk, actor: str) -> None:
    if (DESK | {Role.ENGINEER}).isdisjoint(desk.roles_of(actor)):
        raise NotYourDecision(f"{key}: whether routes are refused is left to people of the desk and engineers.")
