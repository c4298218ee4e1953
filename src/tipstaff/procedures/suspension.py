"""A deadline passes: the narrowest sufficient measure is weighed and planned, carried out elsewhere, and lifted.

The order is the law of this file: a warning that was handed over, or a recorded ground for urgency, comes before any
measure (clause rows 63 and 64); the narrowest that suffices is taken (62); what was taken is given back (89).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_network

from django.db import transaction

from tipstaff.cases.operations import move_case
from tipstaff.cases.queries import get_case, list_due, list_in
from tipstaff.cases.rules import IllegalMove, outcome_when_fixed
from tipstaff.enforcement.operations import plan_measure, want_lifted
from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.intake.operations import set_incident
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.registry.queries import accounts_on, customers_of_reseller, get_customer, holdings_of, services_of
from tipstaff.words import (
    Allegation,
    Candidate,
    Case,
    CaseOutcome,
    CaseState,
    LetterKind,
    Measure,
    MeasureState,
    ReportOutcome,
    Role,
    Rung,
    Urgency,
)

from .desk import Desk
from .letters import edition_named, tell_complainant, tell_customer, warned_by

MEASURE_LASTS = timedelta(days=7)
"""Every measure ends by itself: unless it is lifted earlier or a person renews it (operator's parameter)."""
URGENT_MEASURE_LASTS = timedelta(hours=24)
"""A measure without a warning is reviewed within a day, or ends (clause row 64; operator's parameter)."""

_STANDING = frozenset(
    {MeasureState.PLANNED, MeasureState.APPLYING, MeasureState.IN_FORCE, MeasureState.LIFTING, MeasureState.FAILED}
)


class NotWarned(PermissionError):
    """The customer has not been warned, and no ground for urgency is on record: no measure may be taken."""


def deadlines_pass(*, desk: Desk, at: datetime) -> list[str]:
    """Every case whose time to answer has ended: overdue, then the narrowest measure is planned."""
    passed = list_due(at)
    for key in passed:
        with transaction.atomic():
            try:
                move_case(
                    key, to=CaseState.OVERDUE, at=at, actor="worker", why="The deadline passed without an answer."
                )
            except IllegalMove:
                continue  # Answered between our look and our lock: the answer counts.
    for key in list_in(CaseState.OVERDUE):
        with transaction.atomic():
            try:
                plan_for(key, desk=desk, at=at, actor="worker")
            except NotWarned:
                # It cannot be overdue without a warning; should it be, a person finds out why, and nothing is done.
                move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why="No warning is on record.")
    return passed


def plan_for(key: str, *, desk: Desk, at: datetime, actor: str, urgency: Urgency | None = None) -> list[str]:
    """Weigh the ladder for each thing complained about and plan what is narrowest; keys of the measures planned.

    Nothing is planned, and a person is asked, when no candidate suffices, when the clause wants a person to decide,
    or when a candidate would hit somebody else. Raise NotWarned without a warning and without urgency.
    """
    case = get_case(key)
    assert case is not None, key
    notice = warned_by(key)
    if notice is None and urgency is None:
        raise NotWarned(key)
    by_clock = actor == "worker"
    planned: list[str] = []
    why_not: list[str] = []
    for allegation in distinct_resources(case):
        candidates = weigh_case(case, allegation, desk=desk, at=at)
        chosen = [c for c in candidates if c.chosen]
        record(
            "measure.weighed", at=at, actor=actor, about=[key], resource=allegation.offender,
            candidates=[
                {"selector": c.selector, "degree": c.degree.name, "device": c.device, "chosen": c.chosen,
                 "sufficient": c.sufficient, "others_hit": c.others_hit, "services_hit": c.services_hit, "why": c.why}
                for c in candidates
            ],
        )  # fmt: skip
        if not chosen:
            why_not.append(f"No measure within reach suffices for {allegation.offender}.")
        elif by_clock and (decider := _decider(case, chosen, desk=desk)) is not None:
            why_not.append(f"Clause {case.clause} leaves this decision to the role {decider}.")
        elif by_clock and any(c.others_hit for c in chosen):
            why_not.append(f"The narrowest measure within reach would hit {chosen[0].others_hit} others.")
        else:
            planned += [_plan(case, c, candidates, notice=notice, urgency=urgency, at=at, actor=actor) for c in chosen]
    if planned:
        move_case(key, to=CaseState.MEASURE_PLANNED, at=at, actor=actor, why=_why(urgency), about=tuple(planned))
        desk.enqueue("enforce", "all")
    elif case.state is CaseState.OVERDUE:
        move_case(key, to=CaseState.WAITING_PERSON, at=at, actor=actor, why=" ".join(why_not))
    return planned


def _decider(case: Case, chosen: list[Candidate], *, desk: Desk) -> Role | None:
    """Who must decide before these measures: the clause's role, or the edition's for what is hard or wide."""
    edition = edition_named(desk, case.edition)
    rungs = [Rung(scope=c.selector.scope, degree=c.degree) for c in chosen]
    named = (edition.decider_of(rung, clause=case.clause) for rung in rungs)
    return next((role for role in named if role is not None), case.decides)


def _why(urgency: Urgency | None) -> str:
    if urgency is None:
        return "The narrowest sufficient measure was planned after a warning."
    return f"Urgent ({urgency.ground}): {urgency.shown_by}"


def _plan(
    case: Case,
    chosen: Candidate,
    candidates: tuple[Candidate, ...],
    *,
    notice: str | None,
    urgency: Urgency | None,
    at: datetime,
    actor: str,
) -> str:
    return plan_measure(
        case=case.key,
        customer=case.customer,
        candidates=candidates,
        chosen=chosen,
        until=at + (URGENT_MEASURE_LASTS if urgency else MEASURE_LASTS),
        lifted_when="It is lifted as soon as the cause is reported fixed, or when the case is closed.",
        notice=notice,
        urgency=urgency,
        at=at,
        actor=actor,
    )


def distinct_resources(case: Case) -> Iterable[Allegation]:
    """One allegation for each address, URL or name that the case's reports complain about."""
    seen: dict[str, Allegation] = {}
    for report in reports_of_case(case.key):
        for incident in report.incidents:
            seen.setdefault(incident.allegation.offender, incident.allegation)
    return list(seen.values())


def weigh_case(case: Case, allegation: Allegation, *, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    """The candidates for one thing complained about, with what each would hit now."""
    return weigh(
        ladder=[Rung(scope=r.scope, degree=r.degree) for r in case.ladder],
        measure_ports=case.measure_ports,
        resource=allegation.source,
        url=allegation.url,
        host_name=allegation.domain,
        source_port=allegation.source_port,
        source_protocol=allegation.protocol,
        service=case.service,
        account=case.customer,
        direction=case.measure_direction,
        footprint=_footprint(case, allegation, at=at),
        devices=desk.abilities(at),
    )


def _footprint(case: Case, allegation: Allegation, *, at: datetime) -> Footprint:
    """Who and what lies around an address at this moment, from the registry."""
    services = frozenset(s.key for s in services_of(case.customer))
    own = holdings_of(case.customer, at=at)
    address = allegation.source
    below = frozenset(c.key for c in customers_of_reseller(case.customer))
    if address is None:
        return Footprint(services_of_account=services, accounts_below=below)
    around = [h for h in own if address in h.prefix]
    prefix = max((h.prefix for h in around), key=lambda p: p.prefixlen, default=None)
    self_and_below = {case.customer} | below
    on_prefix = accounts_on(prefix, at=at) if prefix is not None else frozenset()
    return Footprint(
        prefix=prefix,
        others_on_address=accounts_on(ip_network(address), at=at) - self_and_below,
        others_on_prefix=on_prefix - self_and_below,
        services_on_address=frozenset(h.service for h in around if h.service) - {case.service},
        services_on_prefix=frozenset(
            h.service for h in own if prefix is not None and h.service and h.prefix.version == prefix.version
            and h.prefix.overlaps(prefix)
        ) - {case.service},
        services_of_account=services,
        accounts_below=below,
    )  # fmt: skip


def follow(*, desk: Desk, at: datetime) -> None:
    """Cases follow their measures: told when in force, closed when all are lifted. Safe to run at any time."""
    for key in list_in(CaseState.MEASURE_PLANNED):
        with transaction.atomic():
            _follow_planned(key, desk=desk, at=at)
    for key in list_in(CaseState.MEASURE_IN_FORCE):
        with transaction.atomic():
            _follow_in_force(key, at=at)
    for key in list_in(CaseState.FIXED):
        with transaction.atomic():
            _follow_fixed(key, desk=desk, at=at)


def _follow_planned(key: str, *, desk: Desk, at: datetime) -> None:
    measures = [m for m in measures_of_case(key) if m.state is not MeasureState.LIFTED]
    if any(m.state is MeasureState.FAILED for m in measures):
        move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why="A measure could not be carried out.")
    elif measures and all(m.state is MeasureState.IN_FORCE for m in measures):
        case = move_case(
            key, to=CaseState.MEASURE_IN_FORCE, at=at, actor="worker", why="Read back from the device.",
            about=tuple(m.key for m in measures),
        )  # fmt: skip
        for measure in measures:
            _tell_of_measure(LetterKind.MEASURE_TAKEN, case, measure, desk=desk, at=at)


def _follow_in_force(key: str, *, at: datetime) -> None:
    measures = measures_of_case(key)
    if measures and all(m.state is MeasureState.LIFTED for m in measures):
        move_case(
            key, to=CaseState.WAITING_PERSON, at=at, actor="worker",
            why="The measure ended by itself; a person decides whether the case is closed or a new one is needed.",
        )  # fmt: skip


def _follow_fixed(key: str, *, desk: Desk, at: datetime) -> None:
    measures = measures_of_case(key)
    if any(m.state in _STANDING for m in measures):
        return
    taken = [m for m in measures if m.in_force_at is not None]
    for measure in taken:
        case = get_case(key)
        assert case is not None, key
        _tell_of_measure(LetterKind.MEASURE_LIFTED, case, measure, desk=desk, at=at)
    close(
        key, outcome=outcome_when_fixed(measure_was_taken=bool(taken)), why="Fixed, and nothing is in force any more.",
        desk=desk, at=at, actor="worker",
    )  # fmt: skip


def _tell_of_measure(kind: LetterKind, case: Case, measure: Measure, *, desk: Desk, at: datetime) -> None:
    customer = get_customer(case.customer)
    if customer is not None:
        tell_customer(
            kind, case=case, customer=customer, desk=desk, at=at, actor="worker",
            once=f"{kind}:{measure.key}", measure=measure,
            more={"measure_detail": measure.proof_detail, "measure_why": _why_for_customer(measure)},
        )  # fmt: skip


def _why_for_customer(measure: Measure) -> str:
    """Why it was taken, where it did not follow silence after a warning."""
    if measure.urgency is None:
        return ""
    return f"It was taken at once, because of {measure.urgency.ground.replace('_', ' ')}: {measure.urgency.shown_by}"


def lift_all(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """Want every measure of a case gone; the enforcer takes it from there."""
    for measure in measures_of_case(key):
        if measure.state in _STANDING and measure.state is not MeasureState.LIFTING:
            want_lifted(measure.key, why=why, at=at, actor=actor)
    desk.enqueue("enforce", "all")


_TOLD = {
    CaseOutcome.FIXED: ReportOutcome.FIXED,
    CaseOutcome.FIXED_AFTER_MEASURE: ReportOutcome.MEASURE_TAKEN,
    CaseOutcome.NOT_UPHELD: ReportOutcome.NOT_UPHELD,
    CaseOutcome.WITHDRAWN: ReportOutcome.NOT_UPHELD,
}


def close(key: str, *, outcome: CaseOutcome, why: str, desk: Desk, at: datetime, actor: str) -> Case:
    """The end: the case is closed, the customer is told, and each complainant learns the outcome, never the name."""
    with transaction.atomic():
        case = move_case(key, to=CaseState.CLOSED, at=at, actor=actor, why=why, outcome=outcome)
        customer = get_customer(case.customer)
        if customer is not None and letters_were_sent(key):
            tell_customer(LetterKind.CASE_CLOSED, case=case, customer=customer, desk=desk, at=at, actor=actor)
        for report in reports_of_case(key):
            for incident in report.incidents:
                if incident.outcome is not ReportOutcome.DUPLICATE:
                    set_incident(
                        incident.key, outcome=_TOLD[outcome], reason=outcome.upper(), case=key, at=at, actor=actor
                    )
        for report in reports_of_case(key):
            if any(i.outcome is not ReportOutcome.DUPLICATE for i in report.incidents):
                tell_complainant(
                    LetterKind.OUTCOME, report=report, once=f"outcome:{key}:{report.key}", desk=desk, at=at
                )
        return case


def letters_were_sent(key: str) -> bool:
    """Whether the customer has heard of this case at all: who was never told of it is not told of its end."""
    return warned_by(key) is not None
