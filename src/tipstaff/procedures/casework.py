"""What people at the desk decide. Each act names who did it, and a view that is out of date is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from django.db import transaction

from tipstaff.cases import operations as cases
from tipstaff.cases.queries import decisions_of, get_case, lineage_of, waiting_members
from tipstaff.cases.rules import OPEN, IllegalMove
from tipstaff.enforcement.operations import NoSuchMeasure, NotStanding, prolong, take_as_lifted, want_lifted
from tipstaff.enforcement.queries import FILTERS, get_measure, measures_of_case
from tipstaff.intake.operations import set_incidents
from tipstaff.intake.queries import incidents_with, reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of, has_entry
from tipstaff.notices.operations import send_again, take_as_sent
from tipstaff.notices.queries import get_letter
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN
from tipstaff.registry.queries import get_customer
from tipstaff.words import (
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    Decision,
    Ground,
    LetterKind,
    Measure,
    ReportOutcome,
    Role,
    Urgency,
)

from .answer_clock import answer_due
from .answers import answer_case
from .complaint import tell_untold
from .desk import Desk
from .letters import notices_sent, tell_customer, warned_by
from .posting import hold_case_of, start_clock_of
from .staffing import is_person
from .suspension import (
    NotWarned,
    NotYourDecision,
    TakesTwoPeople,
    close,
    decider_of_measure,
    is_still_theirs,
    lapsed_of,
    lasts_for,
    lift_all,
    plan_for,
    resources_of,
    role_of_taking,
    why_two_prolong,
)

URGENT = "urgent_measure"
WIDE = "wide_measure"
"""A measure after a warning that hits others as well, or on which the policy has two people decide: the one who goes
ahead proposes it, another seconds it."""
PROLONG = "prolonged_measure"
"""A measure that took two people goes on: the one who reviewed it proposes it, another seconds it."""


class AlreadyEnding(ValueError):
    """This measure is being lifted already, or has ended."""


class NothingToPlan(ValueError):
    """No measure can be taken now, and the case waits on: the time to answer has not passed, no device within reach
    holds one that suffices, the address changed hands, or it takes two people."""


class NothingWaits(ValueError):
    """No incident of this case waits for a person's word."""


class NothingWasSaid(ValueError):
    """They have not written to us on this case: there is nothing to answer."""


class OwnDecision(PermissionError):
    """Whoever decided on this case before cannot review a dispute of it."""


class ProposalLapsed(ValueError):
    """Too much time has passed since it was proposed; propose it anew if it still holds."""


def assign(key: str, *, to: str | None, version: int, at: datetime, actor: str) -> Case:
    return cases.assign_case(key, to=to, version=version, at=at, actor=actor)


def note(key: str, *, text: str, at: datetime, actor: str) -> None:
    cases.write_note(key, text=text, at=at, actor=actor)


def close_not_upheld(key: str, *, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """The complaint does not hold: measures go, the customer's record stays clean, complainants are told."""
    return _close(key, CaseOutcome.NOT_UPHELD, why=why, version=version, desk=desk, at=at, actor=actor)


def _close(
    key: str, outcome: CaseOutcome, *, why: str, version: int, desk: Desk, at: datetime, actor: str, note: str = ""
) -> Case:  # fmt: skip
    with transaction.atomic():
        _must_decide(cases.lock_case(key, version=version), desk=desk, actor=actor)
        lift_all(key, why=why, desk=desk, at=at, actor=actor)
        return close(key, outcome=outcome, why=why, desk=desk, at=at, actor=actor, note=note)


def confirm_fixed(key: str, *, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """A person has seen that it is fixed; the case closes when nothing is in force any more."""
    with transaction.atomic():
        _must_decide(cases.lock_case(key, version=version), desk=desk, actor=actor)
        case = cases.move_case(key, to=CaseState.FIXED, at=at, actor=actor, why=why, version=version)
        lift_all(key, why=why, desk=desk, at=at, actor=actor)
        desk.enqueue("follow", key)
        return case


def review_dispute(key: str, *, upheld: bool, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """Review what the customer disputes: upheld closes the case in their favour, else a new time to answer begins."""
    with transaction.atomic():
        case = cases.lock_case(key, version=version)
        appeal = case.state is CaseState.APPEALED
        if actor in _who_decided(key, appeal=appeal):
            raise OwnDecision(actor)
        if upheld:
            note = why if appeal else ""
            return _close(
                key, CaseOutcome.NOT_UPHELD, why=why, version=version, desk=desk, at=at, actor=actor, note=note
            )  # fmt: skip
        _must_decide(case, desk=desk, actor=actor)
        if appeal:
            return _appeal_rejected(case, why=why, desk=desk, at=at, actor=actor)
        return _tell_again(case, why=why, desk=desk, at=at, actor=actor)


def _appeal_rejected(case: Case, *, why: str, desk: Desk, at: datetime, actor: str) -> Case:
    """It ended as it ended; the customer learns why. One that was still watched is watched on."""
    to = CaseState.MONITORED if case.closed_at is None else CaseState.CLOSED
    moved = cases.move_case(case.key, to=to, at=at, actor=actor, why=why)
    customer = get_customer(case.customer)
    if customer is not None:
        tell_customer(
            LetterKind.CASE_CLOSED, case=moved, customer=customer, desk=desk, at=at, actor=actor,
            once=f"appeal:{case.key}:{moved.version}", more={"note": why},
        )  # fmt: skip
    return moved


def reopen(key: str, *, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """Open a closed case again, within 180 days of its end: the customer is told why, and has their time anew.

    One of which they were never written waits for a person. Raise IllegalMove, TooLate or PlaceTaken.
    """
    with transaction.atomic():
        before = cases.lock_case(key, version=version)
        _must_decide(before, desk=desk, actor=actor)
        case = cases.reopen_case(key, why=why, version=version, at=at, actor=actor)
        aside = {k for entry in entries_of(key, what=("case.left_aside",)) for k in entry.about}
        back = [
            incident.key
            for report in reports_of_case(key)
            if report.outcome is not ReportOutcome.SEALED
            for incident in report.incidents
            if incident.outcome is not ReportOutcome.DUPLICATE and incident.key not in aside
        ]
        set_incidents(back, outcome=ReportOutcome.FORWARDED, reason="REOPENED", case=key, at=at, actor=actor)
        if warned_by(key) is None:
            return case
        return _tell_again(case, why=why, desk=desk, at=at, actor=actor)


def answer_back(key: str, *, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """A case that waits because they wrote to us: tell them why it stands; their time to answer begins anew.

    Raise NothingWasSaid when they did not write.
    """
    with transaction.atomic():
        case = cases.lock_case(key, version=version)
        _must_decide(case, desk=desk, actor=actor)
        if case.state is not CaseState.WAITING_PERSON or not _has_written(case):
            raise NothingWasSaid(key)
        return _tell_again(case, why=why, desk=desk, at=at, actor=actor)


def _has_written(case: Case) -> bool:
    keys = lineage_of(case.key)
    return bool(case.answer) or any(has_entry(each, what="letter.replied", by="customer") for each in keys)


def _tell_again(case: Case, *, why: str, desk: Desk, at: datetime, actor: str) -> Case:
    customer = get_customer(case.customer)
    # The new time to answer runs from the moment the reminder is handed over, as the first one did.
    reachable = customer is not None and customer.representative is not None
    due = None if reachable else answer_due(case, told_at=at, desk=desk)
    case = cases.move_case(case.key, to=CaseState.NOTIFIED, at=at, actor=actor, why=why, due_at=due)
    if customer is not None:
        tell_customer(
            LetterKind.REMINDER, case=case, customer=customer, desk=desk, at=at, actor=actor,
            once=f"reminder:{case.key}:{case.version}", more={"note": why},
        )  # fmt: skip
    return case


def note_answer(key: str, *, answer: Answer, words: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """What the customer answered by mail or telephone, in the words of whoever took it; it counts as if by the portal.

    Raise IllegalMove when the case no longer takes this answer.
    """
    with transaction.atomic():
        _must_decide(cases.lock_case(key, version=version), desk=desk, actor=actor)
        return answer_case(key, answer=answer, words=words, via=f"noted by {actor}", desk=desk, at=at)


_DECISIONS = frozenset(
    {
        "case.opened",
        "case.notified",
        "case.measure_planned",
        "case.decided",
        "case.taken_up",
        f"case.{URGENT}_proposed",
        f"case.{URGENT}_seconded", f"case.{WIDE}_proposed", f"case.{WIDE}_seconded",
    }
)  # fmt: skip


def _who_decided(key: str, *, appeal: bool) -> set[str]:
    """The people who decided something against the customer, on this case or on one that it was merged with or split
    from; for an appeal also who opened it again, marked it as fixed or closed it."""
    what = _DECISIONS | {"case.reopened", "case.fixed", "case.closed"} if appeal else _DECISIONS
    entries = (entry for each in lineage_of(key) for entry in entries_of(each, what=what))
    return {entry.actor for entry in entries if is_person(entry.actor)}


def decide_waiting(key: str, *, go_ahead: bool, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """A case that waits for a person: go ahead (write to the customer, or plan the measure), or close it.

    Where the narrowest measure within reach hits others, or the edition has two people decide on it, to go ahead is to
    propose it: a second person must agree.
    Raise NothingToPlan when it should go ahead and no measure can be planned; the case is as it was.
    """
    if not go_ahead:
        return _close(key, CaseOutcome.WITHDRAWN, why=why, version=version, desk=desk, at=at, actor=actor)
    with transaction.atomic():
        case = cases.lock_case(key, version=version)
        _must_decide(case, desk=desk, actor=actor)
        if case.state is not CaseState.WAITING_PERSON:
            raise IllegalMove(f"{key} does not wait for a person.")
        if warned_by(key) is not None:
            _go_ahead(case, why=why, desk=desk, at=at, actor=actor)
        else:
            cases.move_case(key, to=CaseState.OPENED, at=at, actor=actor, why=why, version=version)
            _take_up(key, why=why, at=at, actor=actor)
            tell_untold(key, desk=desk, at=at, actor=actor)
        fresh = get_case(key)
        assert fresh is not None, key
        return fresh


def decide_joined(key: str, *, tell: bool, why: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """What joined a running case and was left to a person: the holder is told of it as well, or it is left aside.

    What is left aside counts for nothing: it is not told, nothing is measured for it, and whoever reported it hears
    that it was not upheld. Raise NothingWaits when nothing of the case waits so, and IllegalMove while all of it does.
    """
    with transaction.atomic():
        case = cases.lock_case(key, version=version)
        _must_decide(case, desk=desk, actor=actor)
        if case.state is CaseState.WAITING_PERSON:
            raise IllegalMove(f"{key} as a whole waits for a person: decide on that first.")
        if case.state not in OPEN:
            raise IllegalMove(f"{key} has ended.")
        if tell:
            if not _take_up(key, why=why, at=at, actor=actor):
                raise NothingWaits(key)
            tell_untold(key, desk=desk, at=at, actor=actor)
        else:
            left = waiting_incidents(key)
            if not left:
                raise NothingWaits(key)
            set_incidents(
                left, outcome=ReportOutcome.NOT_UPHELD, reason=CaseOutcome.NOT_UPHELD.upper(), case=key, at=at,
                actor=actor,
            )  # fmt: skip
            record("case.left_aside", at=at, actor=actor, about=[key, *left[: cases.ABOUT_MAX]], why=why)
        return cases.lock_case(key)


def waiting_incidents(key: str) -> list[str]:
    """The reported incidents of a case that wait for a person's word, in their order."""
    waits = waiting_members(key)
    if not waits:
        return []
    return incidents_with(ReportOutcome.WITH_A_PERSON, case=key, among=waits)


def _take_up(key: str, *, why: str, at: datetime, actor: str) -> list[str]:
    """Whoever decides has read all of it: nothing of the case waits for a person any more."""
    reported = waiting_incidents(key)
    waits = [*reported, *sorted(k for k in waiting_members(key) if k.startswith("S-"))]
    if waits:
        cases.take_up(key, incidents=waits, why=why, at=at, actor=actor)
    if reported:
        set_incidents(reported, outcome=ReportOutcome.FORWARDED, reason="JOINED", case=key, at=at, actor=actor)
    return waits


def _go_ahead(case: Case, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    promised = promised_until(case.key)
    if promised is not None and promised > at:
        raise NothingToPlan(case.key)
    try:
        with transaction.atomic():
            planned = plan_for(case.key, desk=desk, at=at, actor=actor)
    except TakesTwoPeople as hit:
        cases.propose(
            case.key, kind=WIDE, ground=hit.measures, detail=f"{hit} {why}", at=at, actor=actor,
            lapsed_before=lapsed_before(case, desk=desk, at=at),
        )  # fmt: skip
        return
    lapsed = bool(lapsed_of(measures_of_case(case.key)))
    if planned:
        record("case.decided", at=at, actor=actor, about=[case.key, *planned], why=why)
    elif lapsed:
        # They were told that it has ended: a new letter, with its own time to answer, comes before another.
        cases.move_case(case.key, to=CaseState.NOTIFIED, at=at, actor=actor, why=why)
    if lapsed:
        told = tell_untold(case.key, desk=desk, at=at, actor=actor, anew=True)
        if planned or told is not None:
            return
    if not planned:
        raise NothingToPlan(case.key)


def promised_until(key: str) -> datetime | None:
    """The end of the time to answer that they were last given, whatever has stopped its clock since."""
    entries = [entry for each in lineage_of(key) for entry in entries_of(each, what=_GIVE_TIME)]
    for entry in sorted(entries, key=lambda entry: entry.id, reverse=True):
        if entry.what == "case.reopened" and entry.about[0] == key:
            return datetime.max.replace(tzinfo=UTC)  # Their new time has not begun yet.
        if entry.detail.get("due_at"):
            return datetime.fromisoformat(str(entry.detail["due_at"]))
    return None


_GIVE_TIME = frozenset({"case.notified", "case.answered", "case.extended", "case.clock_started", "case.reopened"})


def second_wide(key: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Agree to a measure that takes two people; it is planned now, and both answer for it.

    Raise ProposalLapsed when it was proposed too long ago, NothingToPlan when nothing can be taken any more, and
    IllegalMove when the case no longer waits: they have answered, or have their time again.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        waiting = proposal(key, WIDE)
        if waiting is not None and waiting.proposed_at < lapsed_before(case, desk=desk, at=at):
            raise ProposalLapsed(key)
        if case.state is not CaseState.WAITING_PERSON:
            raise IllegalMove(f"{key} does not wait for a person.")
        own = desk.roles_of(actor)
        if not may_decide(own, needed=None) and not may_decide(own, needed=case.decides):
            raise NotYourDecision(f"{key}: whoever agrees to it has to be somebody who may decide cases.")
        measures, why, proposed_by = cases.second(key, kind=WIDE, at=at, actor=actor)
        if _hits_now(case, desk=desk, at=at, actor=actor, agreed_by=proposed_by) != measures:
            raise ProposalLapsed(key)  # It is another measure by now, or hits more: nobody has read that.
        planned = plan_for(key, desk=desk, at=at, actor=actor, agreed_by=proposed_by)
        if not planned:
            raise NothingToPlan(key)
        record("case.decided", at=at, actor=actor, about=[key, *planned], why=why, proposed_by=proposed_by)
        return planned


def _hits_now(case: Case, *, desk: Desk, at: datetime, actor: str, agreed_by: str) -> str:
    """What would be taken now and whom it hits, weighed again without taking it."""
    for who in (agreed_by, actor):  # Either may hold the role that the clause names.
        try:
            with transaction.atomic():
                plan_for(case.key, desk=desk, at=at, actor=who)
                raise NothingToPlan(case.key)  # It takes no second person any more: it is not what was agreed to.
        except TakesTwoPeople as hit:
            return hit.measures
        except NotYourDecision:
            continue
    raise NotYourDecision(case.key)


def proposals_waiting(case: Case, *, desk: Desk, at: datetime) -> list[Decision]:
    """What a second person may agree to now, newest first: not what has lapsed, nor what the case has left behind."""
    alive = lapsed_before(case, desk=desk, at=at)
    return [
        each
        for each in reversed(decisions_of(case.key))
        if each.seconded_by is None
        and each.proposed_at >= alive
        and (each.kind != WIDE or case.state is CaseState.WAITING_PERSON)
    ]


def proposal(key: str, kind: str) -> Decision | None:
    """What waits for a second person on a case, of one kind."""
    return next(_unseconded(key, kind), None)


def _unseconded(key: str, kind: str) -> Iterator[Decision]:
    return (d for d in decisions_of(key) if d.kind == kind and d.seconded_by is None)


def _must_decide(case: Case, *, desk: Desk, actor: str) -> None:
    """Raise NotYourDecision unless `actor` holds the role that the case's clause leaves it to."""
    if not may_decide(desk.roles_of(actor), needed=case.decides):
        raise NotYourDecision(f"{case.key}: clause {case.clause} leaves this decision to the role {case.decides}.")


def propose_urgent(
    key: str, *, ground: Ground, shown_by: str, at: datetime, actor: str, desk: Desk | None = None
) -> None:
    """Propose a measure without waiting: it needs a ground, what shows it, and a second person (clause row 64).

    With the desk, a proposal that nobody seconded in time gives way to the new one; the record keeps both.
    """
    case = get_case(key)
    before = None if case is None or desk is None else lapsed_before(case, desk=desk, at=at)
    cases.propose(key, kind=URGENT, ground=ground, detail=shown_by, at=at, actor=actor, lapsed_before=before)


def second_urgent(key: str, *, desk: Desk, at: datetime, actor: str) -> list[str]:
    """Second it: the measure is planned, and the customer is told in the same transaction.

    It ends by itself after the edition's time for a review, unless somebody reviews it. One of the two must hold the
    role that the clause leaves such a decision to; raise NotYourDecision, or ProposalLapsed when it was proposed longer
    ago than the edition lets a second person wait.
    """
    with transaction.atomic():
        case = cases.lock_case(key)
        waiting = proposal(key, URGENT)
        if waiting is not None and waiting.proposed_at < lapsed_before(case, desk=desk, at=at):
            raise ProposalLapsed(key)
        ground, shown_by, proposed_by = cases.second(key, kind=URGENT, at=at, actor=actor)
        if warned_by(key) is None:
            _take_up(key, why=shown_by, at=at, actor=actor)  # Both have read what nobody was told of yet.
        urgency = Urgency(ground=Ground(ground), shown_by=shown_by, decided_by=proposed_by, seconded_by=actor)
        planned = plan_for(key, desk=desk, at=at, actor=actor, urgency=urgency)
        if not planned:
            raise NothingToPlan(key)
        tell_untold(key, desk=desk, at=at, actor=actor)
        return planned


def lapsed_before(case: Case, *, desk: Desk, at: datetime) -> datetime:
    """What was proposed before then, and nobody has seconded, counts no longer."""
    edition = next((edition for edition in desk.editions if edition.id == case.edition), None)
    if edition is None:  # Its folder was taken away: nothing can be taken then, but the case can be looked at.
        return at - COUNTERSIGN_WITHIN
    return at - edition.length_of("measure.countersign", default=COUNTERSIGN_WITHIN)


def lift_measure(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """Take one measure back; its case goes on."""
    if not want_lifted(key, why=why, at=at, actor=actor):
        raise AlreadyEnding(key)
    desk.enqueue("enforce", "all")


def prolong_measure(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> datetime | None:
    """A person has reviewed a measure and it goes on without a gap; the moment at which it ends by itself now.

    Where taking it took two people, so does this: it is proposed, and None is returned (`second_prolonging`). Once the
    customer was written to it lasts as long as any other from now on, else as long again as an unreviewed one.
    Raise OwnDecision for whoever proposed it, NotYourDecision without the role that its clause leaves it to,
    NotStanding when it ends already, NothingToPlan when the customer no longer holds what it stops, NotWarned when the
    letter that named it came back.
    """
    with transaction.atomic():
        case, found = _may_go_on(key, at=at)
        if found.urgency is not None and actor == found.urgency.decided_by:
            raise OwnDecision(actor)
        needed, held = decider_of_measure(case, found, desk=desk), desk.roles_of(actor)
        if not may_decide(held, needed=needed) and not _holds_role_of_taking(found, held):
            raise NotYourDecision(f"{key}: clause {case.clause} leaves this decision to the role {needed}.")
        if why_two_prolong(case, found, desk=desk, at=at):
            cases.propose(
                case.key, kind=PROLONG, ground=key, detail=why, at=at, actor=actor, beside_others=True,
                lapsed_before=lapsed_before(case, desk=desk, at=at),
            )  # fmt: skip
            return None
        return _goes_on(case, key, why=why, desk=desk, at=at, actor=actor)


def second_prolonging(key: str, *, desk: Desk, at: datetime, actor: str) -> datetime:
    """Agree that a measure goes on; the moment at which it ends by itself now. Both answer for it.

    Raise as `prolong_measure` does, NothingProposed, or ProposalLapsed when it was proposed too long ago.
    """
    with transaction.atomic():
        case, found = _may_go_on(key, at=at)
        alive = lapsed_before(case, desk=desk, at=at)
        if any(p.ground == key and p.proposed_at < alive for p in _unseconded(case.key, PROLONG)):
            raise ProposalLapsed(key)
        own = desk.roles_of(actor)
        if not may_decide(own, needed=None) and not _holds_role_of_taking(found, own):
            raise NotYourDecision(f"{key}: whoever agrees to it has to be somebody who may decide cases.")
        _, why, proposed_by = cases.second(case.key, kind=PROLONG, ground=key, at=at, actor=actor)
        role = role_of_taking(found)
        if role is not None and not may_decide(own | desk.roles_of(proposed_by), needed=role):
            raise NotYourDecision(f"{key}: one of the two who let it go on has to hold the role {role}.")
        return _goes_on(case, key, why=why, desk=desk, at=at, actor=actor)


def _holds_role_of_taking(measure: Measure, held: frozenset[Role]) -> bool:
    role = role_of_taking(measure)
    return role is not None and may_decide(held, needed=role)


def _may_go_on(key: str, *, at: datetime) -> tuple[Case, Measure]:
    """A measure and its case, locked; raise NotStanding or NothingToPlan where nothing may go on."""
    found = get_measure(key)
    if found is None:
        raise NoSuchMeasure(key)
    if found.case.startswith(FILTERS):
        raise NotStanding(key)  # A filter goes on by its own procedure (`filtering.let_go_on`).
    case = cases.lock_case(found.case)
    if case.state not in OPEN or found.until is None or found.until <= at:
        raise NotStanding(key)
    if not is_still_theirs(case, found, at=at):
        raise NothingToPlan(key)
    if found.urgency is None and not _is_warned_of(case, found):
        raise NotWarned(key)
    return case, found


def _is_warned_of(case: Case, measure: Measure) -> bool:
    """Whether a letter that named what it stops has reached somebody and did not come back since."""
    sent, on = notices_sent(case.key), measure.selector
    return measure.notice in sent or any(
        letter in sent
        and (on.url is None or on.url == conduct.url)
        and (on.network is None or (conduct.source is not None and conduct.source in on.network))
        for conduct, letter, _, _ in resources_of(case)
    )


def _goes_on(case: Case, key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> datetime:
    lasts = lasts_for(case, desk=desk, urgent=warned_by(case.key) is None)
    measure = prolong(key, until=at + lasts, why=why, at=at, actor=actor)
    assert measure.until is not None, "it has just been set"
    customer = get_customer(case.customer)
    if customer is not None and measure.in_force_at is not None:
        # One that is not in force yet has its letter before it, with the new end.
        tell_customer(
            LetterKind.MEASURE_TAKEN, case=case, customer=customer, desk=desk, at=at, actor=actor,
            once=f"prolonged:{key}:{measure.until.isoformat()}", measure=measure, more={"note": why},
        )  # fmt: skip
    desk.enqueue("enforce", "all")
    return measure.until


def take_measure_as_lifted(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person knows what else stops the traffic of a measure that its device holds no longer; its case goes on."""
    with transaction.atomic():
        take_as_lifted(key, why=why, at=at, actor=actor)
        desk.enqueue("follow", key)


def send_letter_again(key: str, *, desk: Desk, at: datetime, actor: str) -> None:
    """A person decided that a doubtful letter is sent once more, under the same Message-ID."""
    send_again(key, at=at, actor=actor)
    desk.enqueue("letters", "all")


def take_letter_as_sent(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person knows that a doubtful letter did arrive; if it is a notice, its case's clock starts."""
    with transaction.atomic():
        letter = get_letter(key)
        if letter is not None:
            hold_case_of(letter)
        take_as_sent(key, at=at, actor=actor, why=why, on_sent=partial(start_clock_of, desk=desk))
    desk.enqueue("letters", "all")
