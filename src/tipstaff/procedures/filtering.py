"""A filter in the network against a danger, that belongs to no case: proposed, agreed, told, ended (row 83).

Two people answer for each, one of them an engineer, and the danger is shown by something on record. Whoever it would
touch is told first, except on a recorded ground. It goes the way of every measure: weighed, guarded, carried out, read
back; it ends by itself, and an engineer may let it go on with a reason.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import InterfaceError, OperationalError, transaction

from tipstaff.cases.queries import get_case
from tipstaff.enforcement.filters import (
    decide_filter,
    end_filter,
    keep_filter,
    lock_filter,
    note_planned,
    note_told,
    note_touches,
)
from tipstaff.enforcement.operations import mark_told, plan_measure, prolong, want_lifted
from tipstaff.enforcement.planner import reached
from tipstaff.enforcement.queries import (
    FILTERS,
    get_filter,
    get_measure,
    list_filters,
    untold_measures,
    withdrawn_of_filters,
)
from tipstaff.intake.queries import get_report
from tipstaff.ledger.operations import record
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter
from tipstaff.notices.queries import get_letter
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.policy.clauses import Clause
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event
from tipstaff.policy.remedies import Reached
from tipstaff.registry.queries import accounts_on, get_customer, is_shared_out, top_resellers
from tipstaff.sensors.queries import get_measured
from tipstaff.words import (
    Candidate,
    Degree,
    Direction,
    Filter,
    FilterState,
    Ground,
    LetterKind,
    LetterState,
    Measure,
    MeasureState,
    Proof,
    Role,
    Rung,
    Scope,
    Selector,
    Urgency,
)

from .desk import Desk
from .refusals import AnotherMustAgree, NotYourDecision

log = logging.getLogger("tipstaff.worker")

LASTS_MAX, NOTICE = timedelta(hours=72), timedelta(hours=24)
"""How long one stands at the most, and how long before it whoever it touches is told, where the edition is silent."""
SHOWN_MAX, TEXT_MAX = 20, 2000
LIFTED_WHEN_THE_DANGER_IS_OVER = "It is lifted as soon as the danger is over, and by itself at its end."
_SHOWS: Mapping[str, Callable[[str], object]] = {"S-": get_measured, "R-": get_report, "C-": get_case}


class NotAFilter(ValueError):
    """No such filter may be put in; the message says why. Nothing was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a filter would be and do, as things stand. Nothing was sent, nothing written."""

    device: str | None
    flaw: str
    """Why no device can carry it out, in a sentence; empty where one can."""
    touches: tuple[str, ...]
    """Customers who use any of what it takes in: of those below a reseller, whoever has the contract with us."""
    accounts: int
    """How many accounts that is, those below resellers counted singly."""
    shared_out: bool
    """Whether any of it is a pool: then there are more, and nobody can tell them all."""
    unreached: tuple[str, ...]
    """Those of them whom no letter reaches."""
    narrower: tuple[str, ...]
    """What is narrower, and a device could do as well."""


def dry_run(selector: Selector, degree: Degree, *, desk: Desk, at: datetime) -> DryRun:
    """Where it could be put in, whom it would touch, and what would be narrower."""
    rung = Rung(scope=selector.scope, degree=degree)
    found = _reached(rung, selector, desk=desk, at=at)
    accounts = accounts_on(selector.network, at=at) if selector.network is not None else frozenset[str]()
    above = top_resellers(accounts, at=at)
    touches = sorted({above.get(key, key) for key in accounts})
    clause = _clause(desk=desk, at=at)
    narrower = []
    for other in clause.ladder if clause is not None else ():
        softer = other.scope is rung.scope and other.degree < rung.degree
        if softer and not _reached(other, selector, desk=desk, at=at).flaw:
            narrower.append(f"{_does(other)} {selector}")
        elif other.scope is Scope.FLOW and rung.scope > Scope.FLOW:
            narrower.append(f"{_does(other)} one port of {selector.network}")
    return DryRun(
        device=found.device, flaw=found.flaw, touches=tuple(touches), accounts=len(accounts),
        shared_out=selector.network is not None and is_shared_out(selector.network, at=at),
        unreached=tuple(key for key in touches if (c := get_customer(key)) is None or c.representative is None),
        narrower=tuple(dict.fromkeys(narrower)),
    )  # fmt: skip


def propose(
    selector: Selector,
    degree: Degree,
    *,
    danger: str,
    shown_by: Sequence[str],
    lasts_hours: int,
    why_no_narrower: str = "",
    ground: Ground | None = None,
    desk: Desk,
    at: datetime,
    actor: str,
) -> Filter:
    """Propose a filter; an engineer, who is somebody else, decides. Raise NotAFilter, with the reason.

    `ground` is why nobody is told before it counts. `why_no_narrower` is needed where something narrower is in reach.
    """
    edition = edition_to_go_by(desk.editions, at=at)
    seen = dry_run(selector, degree, desk=desk, at=at)
    keys = tuple(dict.fromkeys(key.strip() for key in shown_by if key.strip()))
    longest = edition.length_of("filter.review", default=LASTS_MAX)
    clause = _clause(desk=desk, at=at)
    rung = Rung(scope=selector.scope, degree=degree)
    for wrong, said in (
        (clause is None, "The edition in force knows no filters without a case."),
        (selector.network is None or selector.announced_on is not None, "A filter names an address or a prefix."),
        (clause is not None and rung not in clause.ladder, f"The edition's clause does not allow to {_does(rung)}."),
        (not danger.strip() or len(danger) > TEXT_MAX, f"Say what the danger is, in at most {TEXT_MAX} characters."),
        (not keys or len(keys) > SHOWN_MAX, "Name what shows the danger: sightings, reports or cases on record."),
        (not timedelta(0) < timedelta(hours=lasts_hours) <= longest, f"It ends within {_hours(longest)} hours."),
        (bool(seen.flaw), seen.flaw),
        (bool(seen.narrower) and not why_no_narrower.strip(), f"Say why this does not do: {'; '.join(seen.narrower)}."),
        (len(why_no_narrower) > TEXT_MAX, "That is too long."),
        (ground is None and bool(_untellable(seen)), _untellable(seen)),
    ):
        if wrong:
            raise NotAFilter(said)
    if unknown := [key for key in keys if not _is_on_record(key)]:
        raise NotAFilter(f"{unknown[0]} is no sighting, report or case on record.")
    assert seen.device is not None, "a flaw says that there is none"
    considered = [f"{each}: {why_no_narrower.strip()}" for each in seen.narrower]
    return keep_filter(
        selector=selector, degree=degree, device=seen.device, danger=danger.strip(), shown_by=keys,
        lasts_hours=lasts_hours, touches=seen.touches, considered=considered, ground=ground, at=at, actor=actor,
    )  # fmt: skip


def decide(key: str, *, agree: bool, seen: int, why: str, desk: Desk, at: datetime, actor: str) -> Filter:
    """An engineer, who did not propose it, agrees or refuses; `seen` is how many customers they saw it touch.

    Whoever it touches is told. It begins after the notice, or at once on its ground, or where it touches nobody. Raise
    NotYourDecision, AnotherMustAgree, NotThatFar, or NotAFilter where it touches others now than were seen: as many
    others are others too, so what it touches is kept first, and agreed to when it is looked at again.
    """
    touches = _decided(key, agree=agree, seen=seen, why=why, desk=desk, at=at, actor=actor)
    if touches is not None:
        raise NotAFilter(f"It touches {touches} customers now, others than before: look at it again.")
    found = get_filter(key)
    assert found is not None, "it has just been decided on"
    return found


@transaction.atomic
def _decided(key: str, *, agree: bool, seen: int, why: str, desk: Desk, at: datetime, actor: str) -> int | None:
    """None once it is decided on; how many customers it touches where those are others than before, which is kept."""
    found = lock_filter(key)
    if not may_decide(desk.roles_of(actor), needed=Role.ENGINEER):
        raise NotYourDecision(f"{key}: clause way.filtering_devices leaves this decision to the role engineer.")
    if actor.strip().lower() == found.proposed_by.strip().lower():
        raise AnotherMustAgree(key)
    if not why.strip() or len(why) > TEXT_MAX:
        raise NotAFilter(f"Say why, in at most {TEXT_MAX} characters.")
    if not agree:
        decide_filter(key, to=FilterState.REFUSED, why=why, starts_at=None, at=at, actor=actor)
        return None
    now = dry_run(found.selector, found.degree, desk=desk, at=at)
    if now.flaw or now.device != found.device:
        raise NotAFilter(now.flaw or f"{found.device} is not where it would be put in now: propose it anew.")
    if now.touches != found.touches:
        note_touches(key, touches=now.touches, at=at, actor=actor)
        return len(now.touches)
    if len(now.touches) != seen:
        raise NotAFilter(f"It touches {len(now.touches)} customers now: look at it again.")
    if found.ground is None and (untellable := _untellable(now)):
        raise NotAFilter(untellable)
    facts = {"danger_shown": bool(found.shown_by), "ends": found.lasts_hours > 0, "engineer_agrees": True}
    if edition_to_go_by(desk.editions, at=at).clause_for_event(Event.FILTER_PROPOSED, facts=facts) is None:
        raise NotAFilter("The edition in force does not let it be put in.")
    starts_at = at if found.ground is not None or not now.touches else None
    decide_filter(key, to=FilterState.AGREED, why=why, starts_at=starts_at, at=at, actor=actor)
    _tell(lock_filter(key), now.touches, starts_at=starts_at or at + _notice(desk, at), desk=desk, at=at, actor=actor)
    _go_on(key, desk=desk, at=at)
    return None


def let_go_on(key: str, *, hours: int, why: str, desk: Desk, at: datetime, actor: str) -> Filter:
    """An engineer lets a filter stand for so many more hours from now; whoever it touches is told of the new end."""
    with transaction.atomic():
        found = lock_filter(key)
        if not may_decide(desk.roles_of(actor), needed=Role.ENGINEER):
            raise NotYourDecision(f"{key}: clause way.filtering_devices leaves this decision to the role engineer.")
        longest = edition_to_go_by(desk.editions, at=at).length_of("filter.review", default=LASTS_MAX)
        if not why.strip() or len(why) > TEXT_MAX or not timedelta(0) < timedelta(hours=hours) <= longest:
            raise NotAFilter(f"Say why, and for how long: at most {_hours(longest)} hours.")
        if found.ground is not None and actor.strip().lower() == found.decided_by.strip().lower():
            raise AnotherMustAgree(key)
        touches = dry_run(found.selector, found.degree, desk=desk, at=at).touches
        if found.ground is None and (new := [each for each in touches if each not in found.touches]):
            raise NotAFilter(f"It has come to touch {new[0]}, who was not told before it began: propose it anew.")
        measure = prolong(found.measure, until=at + timedelta(hours=hours), why=why, at=at, actor=actor)
        assert measure.until is not None, "it has just been set"
        _tell(found, touches, starts_at=found.starts_at or at, until=measure.until, desk=desk, at=at, actor=actor)
        desk.enqueue("enforce", "all")
        return lock_filter(key)


def end(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> Filter:
    """Take a filter out, or withdraw it before it begins. Raise NotThatFar for one that ended before."""
    if not why.strip() or len(why) > TEXT_MAX:
        raise NotAFilter(f"Say why, in at most {TEXT_MAX} characters.")
    with transaction.atomic():
        found = lock_filter(key)
        if found.state is FilterState.STANDS:
            want_lifted(found.measure, why=why, at=at, actor=actor)
            desk.enqueue("enforce", "all")
        end_filter(key, why=why, at=at, actor=actor)
        if found.state is FilterState.AGREED:
            _tell_of_end(found, None, desk=desk, at=at, actor=actor)
        return lock_filter(key)


def follow_filters(*, desk: Desk, at: datetime) -> None:
    """Filters whose notice has run begin, and what their devices showed is followed. Safe to run at any time."""
    turned = [*untold_measures(MeasureState.IN_FORCE), *untold_measures(MeasureState.LIFTED), *withdrawn_of_filters()]
    for measure in turned:
        if measure.case.startswith(FILTERS):
            _apart(measure.case, partial(_note_measure, measure, desk=desk, at=at))
    for found in reversed(list_filters(states=(FilterState.AGREED, FilterState.STANDS), limit=None)):
        _apart(found.key, partial(_follow, found.key, desk=desk, at=at))


def _apart(key: str, act: Callable[[], None]) -> None:
    """Do it in a transaction of its own: a filter that cannot be followed stops no other."""
    try:
        with transaction.atomic():
            act()
    except (OperationalError, InterfaceError):
        raise  # The database itself: nothing else would go better now.
    except Exception:
        log.exception("%s cannot be followed", key)


def _follow(key: str, *, desk: Desk, at: datetime) -> None:
    found = lock_filter(key)
    if found.state is FilterState.AGREED:
        _go_on(key, desk=desk, at=at)
    elif found.state is FilterState.STANDS:
        _follow_standing(found, desk=desk, at=at)


def _follow_standing(found: Filter, *, desk: Desk, at: datetime) -> None:
    """It ends with its measure, and where it has come to touch somebody whom no notice could reach before it began."""
    measure = get_measure(found.measure)
    if measure is None:
        return
    if measure.state in (MeasureState.LIFTED, MeasureState.FAILED):
        end_filter(found.key, why=measure.proof_detail or "Its time has ended.", at=at, actor="worker")
        if measure.state is MeasureState.FAILED:
            _tell_of_end(found, measure, desk=desk, at=at, actor="worker")
        return
    touches = dry_run(found.selector, found.degree, desk=desk, at=at).touches
    new = [customer for customer in touches if customer not in found.touches]
    if new and found.ground is None:
        why = f"It has come to touch {new[0]}, who was not told before it began: whoever wants it proposes it anew."
        want_lifted(found.measure, why=why, at=at, actor="worker")
        end_filter(found.key, why=why, at=at, actor="worker")
        desk.enqueue("enforce", "all")
    elif new:
        _tell(
            found, touches, to=new, starts_at=found.starts_at or at, until=measure.until, desk=desk, at=at,
            actor="worker",
        )  # fmt: skip


def _note_measure(measure: Measure, *, desk: Desk, at: datetime) -> None:
    """A filter's measure is in force, or gone: whoever was told of its beginning hears of its end."""
    if measure.state is MeasureState.LIFTED:
        _tell_of_end(lock_filter(measure.case), measure, desk=desk, at=at, actor="worker")
    mark_told(measure.key, state=measure.state)


def _tell_of_end(found: Filter, measure: Measure | None, *, desk: Desk, at: datetime, actor: str) -> None:
    """Whoever was told of its beginning hears that it is gone, or that it never was in force."""
    if measure is None:
        measure = _as_measure(found, starts_at=at, until=at)
    if measure.in_force_at is None or measure.state is not MeasureState.LIFTED:
        measure = replace(measure, lifted_at=None)
    for customer, _ in found.letters:
        _write(LetterKind.FILTER_ENDED, found, customer, measure, once="ended", desk=desk, at=at, actor=actor)


def _go_on(key: str, *, desk: Desk, at: datetime) -> None:
    """Plan the measure of a filter that was agreed, once everybody whom it touches now has been told long enough."""
    found = lock_filter(key)
    now = dry_run(found.selector, found.degree, desk=desk, at=at)
    told = dict(found.letters)
    begins = found.starts_at
    if found.ground is None and (now.touches or now.shared_out):
        if found.decided_at is not None and at > found.decided_at + _waits_at_most(desk, at):
            end_filter(key, why="It could not begin in time: whoever wants it proposes it anew.", at=at, actor="worker")
            _tell_of_end(found, None, desk=desk, at=at, actor="worker")
            return
        untold = [customer for customer in now.touches if customer not in told]
        if now.touches != found.touches or set(untold) - set(now.unreached):
            starts_at = at + _notice(desk, at)
            _tell(found, now.touches, to=untold, starts_at=starts_at, desk=desk, at=at, actor="worker")
            return
        if untold or now.shared_out:
            return  # It waits until they can be told, and ends where that takes too long.
        letters = [get_letter(told[customer]) for customer in now.touches]
        sent = [x.sent_at for x in letters if x is not None and x.state is LetterState.SENT and x.sent_at is not None]
        if len(sent) < len(now.touches):
            return  # Somebody was not told yet.
        begins = max(sent) + _notice(desk, at)
    if begins is None or begins > at:
        return
    if now.flaw or now.device != found.device:
        end_filter(key, why=now.flaw or "Its device is another one now.", at=at, actor="worker")
        _tell_of_end(found, None, desk=desk, at=at, actor="worker")
        return
    urgency = None
    if found.ground is not None or not now.touches:
        # Where it touches nobody there is nobody to tell: the ground, and the two, stand on record all the same.
        urgency = Urgency(ground=found.ground or Ground.NETWORK_HARM, shown_by=", ".join(found.shown_by),
                          decided_by=found.proposed_by, seconded_by=found.decided_by)  # fmt: skip
    chosen = Candidate(
        selector=found.selector, degree=found.degree, device=found.device, sufficient=True, others_hit=now.accounts,
        services_hit=0, chosen=True, why=f"{found.key}: {found.danger}"[:500], lasts_hours=found.lasts_hours,
    )  # fmt: skip
    measure = plan_measure(
        case=key, customer="", candidates=[chosen], chosen=chosen, until=at + timedelta(hours=found.lasts_hours),
        lifted_when=LIFTED_WHEN_THE_DANGER_IS_OVER, notice=None if urgency else told[now.touches[0]], urgency=urgency,
        at=at, actor=found.decided_by,
    )  # fmt: skip
    note_planned(key, measure=measure, at=at, actor="worker")
    desk.enqueue("enforce", "all")


def _tell(
    found: Filter,
    touches: Sequence[str],
    *,
    starts_at: datetime,
    until: datetime | None = None,
    to: Sequence[str] | None = None,
    desk: Desk,
    at: datetime,
    actor: str,
) -> None:
    """Write to each customer whom it touches, or to some of them; who cannot be written to stands on record."""
    ends_at = until or starts_at + timedelta(hours=found.lasts_hours)
    shown = _as_measure(found, starts_at=starts_at, until=ends_at)
    once = "" if until is None else until.isoformat()
    written = {
        customer: letter
        for customer in (touches if to is None else to)
        if (letter := _write(LetterKind.FILTER, found, customer, shown, once=once, desk=desk, at=at, actor=actor))
    }
    note_told(found.key, touches=touches, letters=written, starts_at=None if until else starts_at)


def _write(
    kind: LetterKind, found: Filter, customer: str, measure: Measure, *, once: str, desk: Desk, at: datetime, actor: str
) -> str | None:
    named = get_customer(customer)
    to = named.representative if named is not None else None
    if named is None or to is None:
        record("letter.nobody_to_tell", at=at, actor=actor, about=[found.key, customer], kind=kind)
        return None
    desk = desk.speaking_to(named)
    facts = LetterFacts(
        operator=desk.operator, abuse_contact=desk.abuse_address, language=to.language, customer=named.name,
        representative=to.name, timezone=to.timezone, case=found.key, measure=measure, note=found.danger,
    )  # fmt: skip
    key = queue_letter(
        kind, once=f"{kind}:{found.key}:{customer}:{once}", to=to.email, draft=compose(kind, facts=facts), case=None,
        report=None, at=at, actor=actor, held=not desk.mail_out_ready, brand=desk.brand,
    )  # fmt: skip
    record("filter.told", at=at, actor=actor, about=[found.key, customer, key], kind=kind)
    desk.enqueue("letters", "all")
    return key


def _as_measure(found: Filter, *, starts_at: datetime, until: datetime) -> Measure:
    """The measure that it will be, for the letter that tells of it."""
    ground = found.ground
    urgency = Urgency(ground=ground, shown_by="", decided_by="", seconded_by="") if ground else None
    return Measure(
        key=found.key, case=found.key, customer="", device=found.device, selector=found.selector, degree=found.degree,
        state=MeasureState.PLANNED, proof=Proof.NONE, proof_detail="", generation=0, planned_at=found.proposed_at,
        until=until, lifted_when=LIFTED_WHEN_THE_DANGER_IS_OVER, notice=None, urgency=urgency, in_force_at=starts_at,
    )  # fmt: skip


def _clause(*, desk: Desk, at: datetime) -> Clause | None:
    """The clause of the edition in force that could let a filter be put in."""
    edition: Edition = edition_to_go_by(desk.editions, at=at)
    facts = {"danger_shown": True, "ends": True, "engineer_agrees": True}
    return edition.clause_for_event(Event.FILTER_PROPOSED, facts=facts)


def _untellable(seen: DryRun) -> str:
    """Why not everybody whom it touches can be told first, in a sentence; empty where they can."""
    if seen.shared_out:
        return "It takes in a pool: who uses that cannot all be told first, so it needs a ground."
    return f"No letter reaches {', '.join(seen.unreached[:5])}." if seen.unreached else ""


def _waits_at_most(desk: Desk, at: datetime) -> timedelta:
    """After what time without a beginning a danger is an old one: its notice, and as long as a filter may stand."""
    return _notice(desk, at) + edition_to_go_by(desk.editions, at=at).length_of("filter.review", default=LASTS_MAX)


def _notice(desk: Desk, at: datetime) -> timedelta:
    return edition_to_go_by(desk.editions, at=at).length_of("filter.notice", default=NOTICE)


def _reached(rung: Rung, selector: Selector, *, desk: Desk, at: datetime) -> Reached:
    way = selector.direction if selector.direction is not Direction.BOTH else Direction.OUT
    return reached(rung, (selector,), desk.abilities(at), way)


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g}"


def _does(rung: Rung) -> str:
    return rung.degree.name.lower().replace("_", " ")


def _is_on_record(key: str) -> bool:
    reads = _SHOWS.get(key[:2])
    return reads is not None and len(key) <= 16 and reads(key) is not None
