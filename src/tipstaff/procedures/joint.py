"""A measure that a clause of our own procedures allows on a case, beside the ladder: two people decide on it.

One proposes it, another agrees to exactly that, and one of them holds the role that the clause names. The time
to answer comes first, as before any measure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from tipstaff.cases import operations as cases
from tipstaff.cases.rules import IllegalMove
from tipstaff.ledger.operations import record
from tipstaff.policy import Clause
from tipstaff.policy.deciding import DESK, may_decide
from tipstaff.policy.kinds import Event
from tipstaff.words import Candidate, Case, CaseState, Role, StatedFacts

from .casework import NothingToPlan, ProposalLapsed, lapsed_before, promised_until, proposal
from .desk import Desk
from .letters import EditionGone, edition_named, notices_sent
from .suspension import NotYourDecision, ends_at, lasts_for, plan_chosen

_WHEN = frozenset({CaseState.OVERDUE, CaseState.WAITING_PERSON, CaseState.MEASURE_IN_FORCE})


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One kind of such measures."""

    kind: str
    """`refuse_transit`: how the proposal is kept."""
    event: Event
    """What the edition is asked with."""
    applies: Callable[[Case, Desk], bool]
    """Whether a case is of the kind at all."""
    facts: Callable[[Case, frozenset[Role], datetime], StatedFacts]
    """What is stated with the event, of a case and the roles of those who decide."""
    what: Callable[[Case, Desk, datetime], tuple[Candidate, ...]]
    """Every candidate that was weighed; those that were chosen are taken together. None is, where nothing is
    within reach."""


def propose(joint: Joint, key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """Propose it on a case; another person agrees with `agree`.

    Raise NothingToPlan where the case or its time does not allow it or no device can, IllegalMove in a state that knows
    no measure, NotYourDecision for who decides nothing here, AlreadyProposed.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        _takes_part(key, desk=desk, actor=actor)
        cases.propose(
            key, kind=joint.kind, ground=in_words(_what(joint, case, desk=desk, at=at)), detail=why, at=at, actor=actor,
            lapsed_before=lapsed_before(case, desk=desk, at=at),
        )  # fmt: skip


def agree(joint: Joint, key: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Agree to it: exactly what was proposed is planned now, and both answer for it; the keys of the measures.

    Raise as `propose` does; ProposalLapsed when it was proposed too long ago or is another thing by now;
    NotYourDecision where neither of the two holds the role that the edition's clause names.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        _takes_part(key, desk=desk, actor=actor)
        waiting = proposal(key, joint.kind)
        if waiting is not None and waiting.proposed_at < lapsed_before(case, desk=desk, at=at):
            raise ProposalLapsed(key)
        said, why, proposed_by = cases.second(key, kind=joint.kind, at=at, actor=actor)
        found = _what(joint, case, desk=desk, at=at)
        if in_words(found) != said:
            raise ProposalLapsed(key)  # It is another thing by now: nobody has read that.
        held = desk.roles_of(actor) | desk.roles_of(proposed_by)
        needed = _clause(joint, case, _EVERYBODY, desk=desk, at=at)
        clause = _clause(joint, case, held, desk=desk, at=at)
        if clause is None or (clause.decides is not None and not may_decide(held, needed=clause.decides)):
            role = needed.decides if needed is not None else None
            raise NotYourDecision(f"{key}: one of the two who decide on this has to hold the role {role}.")
        sent = notices_sent(key)
        lasts, notice = lasts_for(case, desk=desk, urgent=False), min(sent, key=sent.__getitem__)
        planned = [
            plan_chosen(
                case, one, found, until=ends_at(one, lasts=lasts, at=at), notice=notice, urgency=None, at=at,
                actor=actor,
            )
            for one in found
            if one.chosen
        ]  # fmt: skip
        cases.move_case(
            key, to=CaseState.MEASURE_PLANNED, at=at, actor=actor, about=tuple(planned),
            why=f"Two people decided on it under {clause.id}, after the letter and its time: {said}.",
        )  # fmt: skip
        record(
            "case.decided", at=at, actor=actor, about=[key, *planned], why=why, proposed_by=proposed_by,
            under=clause.id, role=clause.decides,
        )  # fmt: skip
        desk.enqueue("enforce", "all")
        return planned


def may_be_proposed(joint: Joint, case: Case, *, desk: Desk, at: datetime) -> bool:
    """Whether it can be proposed on this case now."""
    try:
        return bool(_what(joint, case, desk=desk, at=at))
    except (NothingToPlan, IllegalMove, EditionGone):
        return False


def in_words(found: tuple[Candidate, ...]) -> str:
    """What would be taken, for how long and whom it hits, as whoever agrees reads it."""
    return ", ".join(
        f"{c.degree.name.lower()} {c.selector} on {c.device}"
        f"{f' for {c.lasts_hours} hours' if c.lasts_hours else ''}{f' hits {c.others_hit}' if c.others_hit else ''}"
        for c in found
        if c.chosen
    )


_EVERYBODY = frozenset(Role)


def _what(joint: Joint, case: Case, *, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    if not joint.applies(case, desk):
        raise NothingToPlan(case.key)
    if case.state not in _WHEN:
        raise IllegalMove(f"{case.key} is {case.state.replace('_', ' ')}: no measure is taken on it now.")
    promised = promised_until(case.key)
    still_theirs = promised is not None and promised > at
    if still_theirs or not notices_sent(case.key) or _clause(joint, case, _EVERYBODY, desk=desk, at=at) is None:
        raise NothingToPlan(case.key)
    found = joint.what(case, desk, at)
    if not any(candidate.chosen for candidate in found):
        raise NothingToPlan(case.key)
    return found


def _clause(joint: Joint, case: Case, roles: frozenset[Role], *, desk: Desk, at: datetime) -> Clause | None:
    """The clause of the case's edition that allows it; None where it does not, or not yet."""
    return edition_named(desk, case.edition).clause_for_event(joint.event, facts=joint.facts(case, roles, at))


def _takes_part(key: str, *, desk: Desk, actor: str) -> None:
    if (DESK | {Role.ENGINEER}).isdisjoint(desk.roles_of(actor)):
        raise NotYourDecision(f"{key}: this is left to people of the desk and engineers.")
