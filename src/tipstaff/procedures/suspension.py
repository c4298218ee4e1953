"""A deadline passes: the narrowest sufficient measure is weighed and planned, carried out elsewhere, and lifted.

The order is the law of this file: a warning that was handed over, or a recorded ground for urgency, comes before any
measure (clause rows 63 and 64); the narrowest that suffices is taken (62); what was taken is given back (89).
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.db import InterfaceError, OperationalError, transaction

from tipstaff.cases.operations import NotDue, lock_case, move_case
from tipstaff.cases.queries import (
    Member,
    came_again,
    get_case,
    list_due,
    list_in,
    list_watched_out,
    members_of,
    states_of,
    strikes_of,
    told_incidents,
)
from tipstaff.cases.rules import OPEN, IllegalMove, outcome_when_fixed, stricter, watch_is_over
from tipstaff.enforcement.guards import shared_by_now, what_of
from tipstaff.enforcement.operations import mark_told, plan_measure, want_lifted
from tipstaff.enforcement.queries import (
    FILTERS,
    all_in_force,
    count_by_measure_state,
    measures_of_case,
    others_counted,
    untold_measures,
)
from tipstaff.intake.operations import set_incidents
from tipstaff.intake.queries import reports_of_case, unread
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of, has_entry
from tipstaff.notices.operations import withdraw_unsent
from tipstaff.policy import Edition
from tipstaff.policy.deciding import PROBABLE_DEGREE_MAX, may_decide
from tipstaff.policy.footing import footing
from tipstaff.policy.remedies import FIRST_LIFETIME, MEASURE_LASTS, URGENT_MEASURE_LASTS, Briefer
from tipstaff.registry.queries import (
    accounts_below,
    accounts_on,
    customers_named_by,
    get_customer,
    top_resellers,
)
from tipstaff.sensors.queries import unjudged
from tipstaff.words import (
    LIFTED_WHEN,
    Candidate,
    Case,
    CaseOutcome,
    CaseState,
    Conduct,
    Entry,
    LetterKind,
    Matter,
    Measure,
    MeasureState,
    Report,
    ReportOutcome,
    Role,
    Rung,
    Scope,
    Selector,
    Urgency,
    host_of,
)

from .answer_clock import answer_due
from .books import case_went_unanswered
from .desk import Desk
from .judging import clause_of, matters_of_case
from .letters import edition_named, notices_sent, tell_complainant, tell_customer, warned_by
from .retesting import BeforeClosing, before_closing, can_be_retested
from .sessions import holders_of_port, holders_of_session
from .trust import was_flooded
from .weighing import others_on, weigh_for

log = logging.getLogger("tipstaff.worker")

MEASURES_AT_A_TIME = 500

_STANDING = frozenset({MeasureState.PLANNED, MeasureState.APPLYING, MeasureState.IN_FORCE, MeasureState.LIFTING})
"""On the device, or on its way there or back."""
_TRIED = _STANDING | {MeasureState.FAILED}
"""Not to be planned again: it stands, or a guard refused it for good."""


class NotWarned(PermissionError):
    """The customer has not been warned, and no ground for urgency is on record: no measure may be taken."""


class TakesTwoPeople(Exception):
    """The narrowest measure within reach takes a second person: it would hit others as well, or the policy says so."""

    def __init__(self, said: str, *, measures: str) -> None:
        super().__init__(said)
        self.measures = measures
        """What would be taken, and how many others it hits: whoever agrees, agrees to this."""


class NotYourDecision(PermissionError):
    """The clause leaves this decision to a role that you do not hold."""


def deadlines_pass(*, desk: Desk, at: datetime) -> list[str]:
    """Every case whose time to answer has ended: overdue, then the narrowest measure is planned."""
    passed = list_due(at)
    one_by_one(passed, lambda key: _become_overdue(key, desk=desk, at=at), at=at)
    one_by_one(list_in(CaseState.OVERDUE), lambda key: _plan_by_clock(key, desk=desk, at=at), at=at)
    one_by_one(list_in(CaseState.MEASURE_IN_FORCE), lambda key: _plan_what_came_later(key, desk=desk, at=at), at=at)
    return passed


def one_by_one(keys: Iterable[str], act: Callable[[str], None], *, at: datetime) -> None:
    """Each case in a transaction of its own: one that cannot be followed goes to a person and stops no other."""
    for key in keys:
        try:
            with transaction.atomic():
                act(key)
        except (OperationalError, InterfaceError):
            raise  # The database itself: nothing else would go better now.
        except Exception as why:
            log.exception("%s cannot be followed", key)
            with suppress(IllegalMove), transaction.atomic():
                sentence = f"It could not be followed ({type(why).__name__}: {why}); look at it before anything else."
                move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why=sentence)


def _become_overdue(key: str, *, desk: Desk, at: datetime) -> None:
    try:
        case = move_case(
            key, to=CaseState.OVERDUE, at=at, actor="worker", why="The deadline passed without an answer.",
            only_if_due=True,
        )  # fmt: skip
    except (IllegalMove, NotDue):
        return  # Answered, or given more time, between our look and our lock: that counts.
    case_went_unanswered(case, desk=desk, at=at)


def _plan_by_clock(key: str, *, desk: Desk, at: datetime) -> None:
    try:
        plan_for(key, desk=desk, at=at, actor="worker")
    except NotWarned:
        # It cannot be overdue without a warning; should it be, a person finds out why, and nothing is done.
        move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why="No warning is on record.")


def _plan_what_came_later(key: str, *, desk: Desk, at: datetime) -> None:
    """An address that was reported, and told, while a measure on another one was in force already."""
    case = lock_case(key)
    taken = {m.notice for m in measures_of_case(key)}
    later = {
        n for n, sent in notices_sent(key).items() if n not in taken and answer_due(case, told_at=sent, desk=desk) <= at
    }
    if later & {letter for letter in told_incidents(key).values() if letter}:
        plan_for(key, desk=desk, at=at, actor="worker", only=later)


def plan_for(
    key: str,
    *,
    desk: Desk,
    at: datetime,
    actor: str,
    urgency: Urgency | None = None,
    only: Collection[str] | None = None,
    agreed_by: str | None = None,
) -> list[str]:
    """Weigh the ladder for each thing complained about and plan what is narrowest; keys of the measures planned.

    Only what a notice has named to the holder, as long ago as they have time to answer, is weighed: a letter about one
    address warns of no measure on another. Nothing is planned, and a person is asked, when no candidate suffices, when
    the clause wants a person to decide, when the holder no longer holds the address, or when it takes a second person,
    as where a candidate would hit somebody else, or the edition has two people decide: that one is `agreed_by`; without
    one, whoever asks for it gets TakesTwoPeople with a sentence. With `only`, nothing is weighed but what these letters
    have named. The clock never brings back what was in force and was lifted: whoever lifted it knew why, so a person
    decides on more. Nor does anybody on the notice of a measure that ended by its own time: a new one comes first.
    Raise NotWarned without a warning and without urgency.
    """
    case = lock_case(key)
    sent = notices_sent(key)
    if not sent and urgency is None:
        raise NotWarned(key)
    by_clock = actor == "worker"
    planned: list[str] = []
    why_not: list[str] = []
    measures = measures_of_case(key)
    tried = {m.selector for m in measures if m.state in _TRIED}
    covered = tried | {m.selector for m in measures if by_clock and _was_lifted(m)}
    lapsed = lapsed_of(measures)
    for allegation, letter, left_to, terms in resources_of(case):
        if only is not None and letter not in only:
            continue
        answered_by = (
            max(answer_due(each, told_at=sent[letter], desk=desk) for each in (case, terms)) if letter in sent else None
        )
        ended = lapsed_on(allegation, terms, lapsed=lapsed, desk=desk, at=at)
        if answered_by is not None and ended is not None and sent[letter or ""] <= ended:
            why_not.append(
                f"What was in force on {allegation.offender} ended by its own time: a new letter comes first."
            )
            answered_by = None
        stands_on = footing(notice=letter or None, answer_by=answered_by, urgency=urgency, at=at)
        if stands_on is None:
            continue
        notice = stands_on.notice
        lasts = lasts_for(case, desk=desk, urgent=notice is None)
        moved_on = allegation.source is not None and not _still_theirs(case, ip_network(allegation.source), at=at)
        # Who has the address now did nothing; whose log-in it was then is still the customer's.
        ladder = tuple(rung for rung in terms.ladder if rung.scope is Scope.SESSION or not moved_on)
        candidates = weigh_case(
            replace(terms, ladder=ladder), allegation, desk=desk, at=at, lasts=lasts,
            briefer=() if notice is None else briefer_for(case, terms, allegation, desk=desk, at=at),
        )  # fmt: skip
        chosen = [c for c in candidates if c.chosen]
        if moved_on and not chosen:
            why_not.append(f"{case.customer} no longer holds {allegation.source}.")
            continue
        if chosen and all(c.selector in covered for c in chosen):
            if not all(c.selector in tried for c in chosen):
                why_not.append(f"What was in force on {allegation.offender} was lifted: a person decides on more.")
            continue
        record(
            "measure.weighed", at=at, actor=actor, about=[key], resource=allegation.offender,
            candidates=[
                {"selector": c.selector, "degree": c.degree.name, "device": c.device, "chosen": c.chosen,
                 "sufficient": c.sufficient, "others_hit": c.others_hit, "services_hit": c.services_hit, "why": c.why,
                 "lasts_hours": c.lasts_hours}
                for c in candidates
            ],
        )  # fmt: skip
        if not chosen:
            why_not.append(f"No measure within reach suffices for {allegation.offender}.")
        elif by_clock and was_flooded(key):
            why_not.append("Reports against this customer came in a flood and may be forged; a person looks first.")
        elif by_clock and (decider := _decider(case, chosen, desk=desk, left_to=left_to)) is not None:
            why_not.append(f"The measure against {allegation.offender} is left to the role {decider}.")
        elif (
            not by_clock
            and (
                missing := _left_to_another(
                    case, chosen, urgency, desk=desk, left_to=left_to, actors=(actor, agreed_by or actor)
                )
            )
            is not None
        ):
            raise NotYourDecision(f"{key}: clause {case.clause} leaves this decision to the role {missing}.")
        elif urgency is None and agreed_by is None and (two := _why_two_people(case, allegation, chosen, desk=desk)):
            if not by_clock:
                wide = ", ".join(
                    f"{c.degree.name.lower()} {c.selector} on {c.device} hits {c.others_hit}" for c in chosen
                )
                raise TakesTwoPeople(two, measures=wide)
            why_not.append(two)
        else:
            planned += [
                plan_chosen(
                    case,
                    c,
                    candidates,
                    until=ends_at(c, lasts=lasts, at=at),
                    notice=notice,
                    urgency=stands_on.urgency,
                    at=at,
                    actor=actor,
                )
                for c in chosen
                if c.selector not in covered
            ]
    if planned:
        move_case(key, to=CaseState.MEASURE_PLANNED, at=at, actor=actor, why=_why(urgency), about=tuple(planned))
        desk.enqueue("enforce", "all")
    elif case.state is CaseState.OVERDUE or (why_not and case.state is CaseState.MEASURE_IN_FORCE):
        why = " ".join(why_not) or "Nothing that a letter has named is left to act on."
        move_case(key, to=CaseState.WAITING_PERSON, at=at, actor=actor, why=why)
    return planned


def _was_lifted(measure: Measure) -> bool:
    return measure.in_force_at is not None and measure.lifted_at is not None


def lapsed_of(measures: Iterable[Measure]) -> list[Measure]:
    """Those that were in force until their own time was over: nobody lifted them because something was fixed."""
    return [measure for measure in measures if _ran_out(measure, lasts=timedelta())]


def lapsed_on(
    conduct: Conduct, terms: Case, *, lapsed: Sequence[Measure], desk: Desk, at: datetime
) -> datetime | None:  # fmt: skip
    """When the last of the `lapsed` that was on this ended, None where none was. What the holder was told before that
    warns of no further measure: they were told that it has ended."""
    if not lapsed:
        return None
    selectors = {candidate.selector for candidate in weigh_case(terms, conduct, desk=desk, at=at)}
    address = None if conduct.source is None else ip_network(conduct.source)
    ends = [
        m.until
        for m in lapsed
        if m.until is not None and (m.selector in selectors or (address is not None and m.selector.network == address))
    ]
    return max(ends, default=None)


def what_would_follow(
    case: Case, allegation: Conduct, *, left_to: Role | None, confirmed: bool = False, desk: Desk, at: datetime
) -> Candidate | None:
    """The measure that silence would lead to by the clock alone, as things stand; None where a person would decide.

    `left_to` is who decides on what the allegation is about, as `left_to_of` says; `confirmed` is whether its holder
    is sure, as `is_confirmed` says.
    """
    case = _as_sure(case, confirmed=confirmed)
    chosen = [c for c in weigh_case(case, allegation, desk=desk, at=at) if c.chosen]
    if (
        not chosen
        or _why_two_people(case, allegation, chosen, desk=desk)
        or _decider(case, chosen, desk=desk, left_to=left_to)
    ):
        return None
    return chosen[0]


def _still_theirs(case: Case, network: IPv4Network | IPv6Network, *, at: datetime) -> bool:
    """Whether the holder of the case holds any of it now: what changed hands since is somebody else's."""
    return _share_of(case.customer, network, at=at)[0]


def is_still_theirs(case: Case, measure: Measure, *, at: datetime) -> bool:
    """Whether what a measure stops is the case's customer's now."""
    return others_beyond(case.customer, measure.selector, measure=measure.key, at=at) == 0


def others_beyond(customer: str, selector: Selector, *, measure: str, at: datetime) -> int | None:
    """How many others than this customer a measure would hit now that nobody counted when it was decided on; None where
    the customer, and whoever bought from them, hold nothing of it. A name or a session is theirs alone or not theirs.

    Two people may have taken one that hits others: that many it may hit.
    """
    if selector.network is None or selector.announced_on is not None or selector.session is not None:
        return 0 if _is_theirs_alone(customer, selector, at=at) else None
    held, others = _share_of(customer, selector.network, at=at)
    if not held:
        return None
    counted = others_counted(measure) if others else None
    return 0 if counted is None else max(0, others - counted)


def _share_of(customer: str, network: IPv4Network | IPv6Network, *, at: datetime) -> tuple[bool, int]:
    """Whether this customer, or whoever bought from them, holds any of a network, and how many others do."""
    holders = accounts_on(network, at=at)
    if holders <= {customer}:
        return bool(holders), 0
    above = top_resellers(holders, at=at)
    below = {each.key for each in accounts_below(customer)}
    theirs = {who for who in holders if customer in (who, above.get(who)) or who in below}
    # As they are counted where it is weighed.
    return bool(theirs), len(others_on(network, customer=customer, doer_on=network, at=at))


def _is_theirs_alone(customer: str, selector: Selector, *, at: datetime) -> bool:
    if selector.announced_on is not None or selector.session is not None:
        return holders_of_session(selector, at=at) == {customer}
    if selector.forged_on is not None:
        return holders_of_port(selector.forged_on, at=at) == {customer}
    name = selector.host_name or selector.mailbox or host_of(selector.url)
    if not name:
        return True
    named = customers_named_by(name, at=at)
    above = top_resellers(named, at=at)
    return {above.get(who, who) for who in named} == {customer}


def decider_of_measure(case: Case, measure: Measure, *, desk: Desk) -> Role | None:
    """Who must decide that a measure goes on: whoever would have to decide on it now."""
    return _decider(case, [measure], desk=desk, left_to=case.decides)


def _decider(case: Case, chosen: Sequence[Candidate | Measure], *, desk: Desk, left_to: Role | None) -> Role | None:
    """Who must decide before these measures: the verdict's role, or the edition's for what is hard or wide."""
    if left_to is not None:
        return left_to
    edition = edition_named(desk, case.edition)
    rungs = [Rung(scope=c.selector.scope, degree=c.degree) for c in chosen]
    named = (edition.decider_of(rung, clause=case.clause) for rung in rungs)
    return next((role for role in named if role is not None), None)


def _why_two_people(case: Case, conduct: Conduct, chosen: Sequence[Candidate], *, desk: Desk) -> str:
    """Why a second person must agree to these measures, in a sentence; empty where one person, or the clock, may. What
    joined under another clause of the case's group brings its own clause's rule."""
    own = clause_of(edition_named(desk, case.edition), conduct)
    clauses = (case.clause, own.id if own is not None and own.judged else case.clause)
    return _two_people_under(clauses, chosen, case=case, desk=desk)


def _two_people_under(clauses: Iterable[str], chosen: Sequence[Candidate], *, case: Case, desk: Desk) -> str:
    if n := max((c.others_hit for c in chosen), default=0):
        return f"The narrowest measure within reach would hit {n} other{'s' if n > 1 else ''}: two people decide."
    edition = edition_named(desk, case.edition)
    for clause in dict.fromkeys(clauses):
        for c in chosen:
            if edition.takes_two_people(Rung(scope=c.selector.scope, degree=c.degree), clause=clause):
                what = f"{c.degree.name.lower().replace('_', ' ')} {c.selector}"
                return f"Under clause {clause} of edition {case.edition} two people decide on this measure: {what}."
    return ""


def why_two_prolong(case: Case, measure: Measure, *, desk: Desk, at: datetime) -> str:
    """Why two people must let a measure go on, in a sentence: as many as took it, or as would have to take it now.
    Empty where one may."""
    if measure.urgency is not None:
        return "Two people took it before any warning: two people let it go on."
    if any(entry.detail.get("proposed_by") for entry in _decided(measure)):
        return "Two people decided on it: two people let it go on."

    def is_it(candidate: Candidate) -> bool:
        return candidate.selector == measure.selector and candidate.degree is measure.degree

    for conduct, _, _, terms in resources_of(case):
        now = [c for c in weigh_case(terms, conduct, desk=desk, at=at) if is_it(c)]
        if now and (two := _why_two_people(case, conduct, now, desk=desk)):
            return two
    return _two_people_under([case.clause], [c for c in measure.candidates if is_it(c)], case=case, desk=desk)


def role_of_taking(measure: Measure) -> Role | None:
    """The role that one of the two who decided on a measure had to hold, where the policy names one for it."""
    roles = [str(entry.detail["role"]) for entry in _decided(measure) if entry.detail.get("role")]
    return Role(roles[-1]) if roles else None


def _decided(measure: Measure) -> list[Entry]:
    return entries_of(measure.key, what=["case.decided"])


def _left_to_another(
    case: Case,
    chosen: list[Candidate],
    urgency: Urgency | None,
    *,
    desk: Desk,
    left_to: Role | None,
    actors: tuple[str, ...],
) -> Role | None:
    """The role that must decide on these measures where none of those who answer for them holds it; else None."""
    needed = _decider(case, chosen, desk=desk, left_to=left_to)
    if needed is None:
        return None
    answer_for_it = actors if urgency is None else (urgency.decided_by, urgency.seconded_by)
    held = frozenset[Role]().union(*(desk.roles_of(who) for who in answer_for_it))
    return None if may_decide(held, needed=needed) else needed


def lasts_for(case: Case, *, desk: Desk, urgent: bool) -> timedelta:
    """After what time a measure ends by itself: soon where no warning came first, unless it is reviewed (row 64)."""
    edition = edition_named(desk, case.edition)
    if urgent:
        return edition.length_of("measure.review", default=URGENT_MEASURE_LASTS)
    return edition.length_of("measure.lifetime", default=MEASURE_LASTS)


def briefer_for(case: Case, terms: Case, allegation: Conduct, *, desk: Desk, at: datetime) -> tuple[Briefer, ...]:
    """`briefer_on` for what the case's own ladder takes."""
    return briefer_on(case, lambda: weigh_case(terms, allegation, desk=desk, at=at), desk=desk, at=at)


def briefer_on(
    case: Case, weighed: Callable[[], Iterable[Candidate]], *, desk: Desk, at: datetime
) -> tuple[Briefer, ...]:
    """The shorter time that the edition has for a first measure, and what speaks against it for what is `weighed`: one
    of at least that length, on the same, was in force to its own end, and it came to the same again or went on.

    What was lifted before, or fixed without a measure, shows of no time that it is too short.
    """
    edition = edition_named(desk, case.edition)
    lasts = edition.length_of(FIRST_LIFETIME, default=timedelta())
    if not lasts:
        return ()
    strikes = strikes_of(case.customer, group=case.group, since=at - edition.repeats_of(case.group).lifetime)
    earlier = [each.case for each in strikes if not each.contested and each.case != case.key]
    ran_out = [m for key in (*earlier, case.key) for m in measures_of_case(key) if _ran_out(m, lasts=lasts)]
    if not ran_out:
        return (Briefer(lasts=lasts),)
    same = {candidate.selector for candidate in weighed()}
    tried = next((m for m in reversed(ran_out) if m.selector in same), None)
    return (Briefer(lasts=lasts, flaw="" if tried is None else _tried_in_vain(tried, case=case)),)


def _ran_out(measure: Measure, *, lasts: timedelta) -> bool:
    """Whether a measure of at least this length was in force until its own time was over."""
    if measure.in_force_at is None or measure.lifted_at is None or measure.until is None:
        return False
    wanted_off = (entry.at for entry in entries_of(measure.key, what=["measure.lifting"]))
    long = measure.until - measure.planned_at >= lasts
    return long and min(wanted_off, default=measure.lifted_at) >= measure.until


def _tried_in_vain(measure: Measure, *, case: Case) -> str:
    assert measure.until is not None, "it ran out"
    hours = int((measure.until - measure.planned_at).total_seconds() // 3600)
    after = "and the case has not" if measure.case == case.key else f"in {measure.case}, and it came to the same again"
    return f"A measure of {hours} hours on the same ended by its own time, {after}: so short a time was not enough."


def _why(urgency: Urgency | None) -> str:
    if urgency is None:
        return "The narrowest sufficient measure was planned after a warning."
    return f"Urgent ({urgency.ground}): {urgency.shown_by}"


def ends_at(candidate: Candidate, *, lasts: timedelta, at: datetime) -> datetime:
    """When a measure taken at `at` ends by itself: after the time with which it was weighed, else after `lasts`."""
    return at + (lasts if candidate.lasts_hours is None else timedelta(hours=candidate.lasts_hours))


def plan_chosen(
    case: Case,
    chosen: Candidate,
    candidates: tuple[Candidate, ...],
    *,
    until: datetime,
    notice: str | None,
    urgency: Urgency | None,
    at: datetime,
    actor: str,
) -> str:
    """Plan one chosen candidate for a case; the measure's key."""
    return plan_measure(
        case=case.key,
        customer=case.customer,
        candidates=candidates,
        chosen=chosen,
        until=until,
        lifted_when=LIFTED_WHEN,
        notice=notice,
        urgency=urgency,
        at=at,
        actor=actor,
    )


def terms_of(case: Case, member: Member | None) -> Case:
    """The case whose service, ladder and ports hold for an incident: the one that it was judged into."""
    if member is None or member.home is None or member.home == case.key:
        return case
    home = get_case(member.home)
    assert home is not None, member.home
    return home


def _as_sure(terms: Case, *, confirmed: bool) -> Case:
    """The terms of a case, as far as one holder is sure: the ladder is that of the incident that opened it, and what
    joined may be less sure than that one was."""
    if confirmed:
        return terms
    return replace(terms, ladder=tuple(rung for rung in terms.ladder if rung.degree <= PROBABLE_DEGREE_MAX))


def resources_of(case: Case, *, confirmed_only: bool = False) -> list[tuple[Conduct, str | None, Role | None, Case]]:
    """One allegation or sighting for each address, URL or name of the case, the letter that named it, if any, who must
    decide on a measure against it, and on whose terms (`terms_of`), as far as its holder is sure.

    What waits for a person's word is left out, and with `confirmed_only` whatever has a holder who is only probable. Of
    several about one thing, what was told counts before what was not, then what is left to the clock: a report that
    nobody vouches for takes nothing from one that is believed.
    """
    members = members_of(case.key)
    seen: dict[str, tuple[Conduct, str | None, Role | None, Member]] = {}
    about: dict[str, list[Member]] = {}
    for matter in matters_of_case(case.key):
        member = members.get(matter.key)
        if member is None or member.waits:
            continue
        offender = matter.conduct.offender
        about.setdefault(offender, []).append(member)
        known = seen.get(offender)
        if known is None or _counts_before(member, known[1], known[2]):
            seen[offender] = (matter.conduct, member.told_by, member.decides, member)
    sure = {offender for offender, told_of in about.items() if _one_is_sure(told_of)}
    return [
        (conduct, told, left_to, _as_sure(terms_of(case, member), confirmed=offender in sure))
        for offender, (conduct, told, left_to, member) in seen.items()
        if offender in sure or not confirmed_only
    ]


def _one_is_sure(members: Iterable[Member]) -> bool:
    """Whether the holder is confirmed by one of these, which are about one thing; by one that was told, where any
    was."""
    counting = [member for member in members if not member.waits]
    told = [member for member in counting if member.told_by is not None]
    return any(member.confirmed for member in told or counting)


def _counts_before(member: Member, letter: str | None, left_to: Role | None) -> bool:
    if (member.told_by is None) is not (letter is None):
        return letter is None
    return member.decides is not left_to and stricter(member.decides, left_to) is left_to


def is_confirmed(conduct: Conduct, *, matters: Iterable[Matter], members: Mapping[str, Member]) -> bool:
    """Whether the holder of what `conduct` is about is sure, by the surest of what counts."""
    return _one_is_sure(members[m.key] for m in matters if m.key in members and m.conduct.offender == conduct.offender)


def left_to_of(conduct: Conduct, *, matters: Iterable[Matter], members: Mapping[str, Member]) -> Role | None:
    """Who must decide on a measure against what `conduct` is about: whoever the most trusted report of it leaves it
    to."""
    about = [members[m.key] for m in matters if m.key in members and m.conduct.offender == conduct.offender]
    told = [member.decides for member in about if not member.waits]
    least = told[0] if told else Role.ANALYST
    for role in told[1:]:
        least = least if stricter(role, least) is role else role
    return least


def weigh_case(
    case: Case,
    allegation: Conduct,
    *,
    desk: Desk,
    at: datetime,
    lasts: timedelta | None = None,
    briefer: Sequence[Briefer] = (),
) -> tuple[Candidate, ...]:
    """The candidates for one thing complained about, with what each would hit now."""
    return weigh_case_on(case.ladder, case, allegation, desk=desk, at=at, lasts=lasts, briefer=briefer)


def weigh_case_on(
    ladder: Sequence[Rung],
    case: Case,
    allegation: Conduct,
    *,
    desk: Desk,
    at: datetime,
    lasts: timedelta | None,
    briefer: Sequence[Briefer] = (),
) -> tuple[Candidate, ...]:
    """The same, on these rungs in place of the case's own."""
    return weigh_for(
        customer=case.customer, service=case.service, ladder=ladder, measure_ports=case.measure_ports,
        direction=case.measure_direction, allegation=allegation, desk=desk, at=at, lasts=lasts,
        briefer=briefer,
    )  # fmt: skip


def follow(*, desk: Desk, at: datetime) -> None:
    """Cases follow their measures: told when in force, closed when all are lifted. Safe to run at any time."""
    for state, tell in ((MeasureState.IN_FORCE, _tell_taken), (MeasureState.LIFTED, _tell_lifted)):
        for measure in untold_measures(state):
            if not measure.case.startswith(FILTERS):
                _on_its_case(measure, partial(tell, desk=desk, at=at), at=at)
    _watch(at=at)
    one_by_one(list_in(CaseState.MEASURE_PLANNED), lambda key: _follow_planned(key, at=at), at=at)
    one_by_one(list_in(CaseState.MEASURE_IN_FORCE), lambda key: _follow_in_force(key, at=at), at=at)
    one_by_one(list_in(CaseState.FIXED), lambda key: _follow_fixed(key, desk=desk, at=at), at=at)
    one_by_one(list_watched_out(at), lambda key: _end_of_watch(key, desk=desk, at=at), at=at)


def _on_its_case(measure: Measure, act: Callable[[Measure], None], *, at: datetime) -> None:
    """Do it in a transaction of its own; where it cannot be done, the measure's case goes to a person."""
    one_by_one([measure.case], lambda _: act(measure), at=at)


def _tell_taken(measure: Measure, *, desk: Desk, at: datetime) -> None:
    """Whoever is hit is told, whatever became of the case meanwhile."""
    _tell_of_measure(LetterKind.MEASURE_TAKEN, _case_of(measure), measure, desk=desk, at=at)
    mark_told(measure.key, state=MeasureState.IN_FORCE)


def _tell_lifted(measure: Measure, *, desk: Desk, at: datetime) -> None:
    """However a measure ended, its customer hears of it."""
    _tell_of_measure(LetterKind.MEASURE_LIFTED, _case_of(measure), measure, desk=desk, at=at)
    mark_told(measure.key, state=MeasureState.LIFTED)


def _case_of(measure: Measure) -> Case:
    case = get_case(measure.case)
    assert case is not None, measure.case
    return case


def _watch(*, at: datetime) -> None:
    """No measure outlives its case, and none stays on whoever holds the address next.

    Where there are many, each is looked at once a minute: a twelfth of them in each round of five seconds.
    """
    few = count_by_measure_state().get(MeasureState.IN_FORCE, 0) <= MEASURES_AT_A_TIME
    turn = int(at.timestamp()) // 5 % 12
    for batch in all_in_force(at_a_time=MEASURES_AT_A_TIME):
        mine = [m for m in batch if few or int(m.key.rpartition("-")[2]) % 12 == turn]
        # A filter belongs to no case, and to no one customer.
        mine = [m for m in mine if not m.case.startswith(FILTERS)]
        states = states_of({m.case for m in mine})
        for measure in mine:
            if states.get(measure.case) is CaseState.CLOSED:
                want_lifted(measure.key, why="Its case is closed.", at=at, actor="worker")
            else:
                _on_its_case(measure, partial(_lift_if_not_theirs, at=at), at=at)


def _lift_if_not_theirs(measure: Measure, *, at: datetime) -> None:
    beyond = others_beyond(measure.customer, measure.selector, measure=measure.key, at=at)
    if beyond is None:
        why = f"{measure.customer} no longer holds {what_of(measure.selector)}."
        want_lifted(measure.key, why=why, at=at, actor="worker")
    elif beyond:
        want_lifted(measure.key, why=shared_by_now(measure.selector, beyond), at=at, actor="worker")


def _follow_planned(key: str, *, at: datetime) -> None:
    measures = measures_of_case(key)
    if any(m.state in (MeasureState.PLANNED, MeasureState.APPLYING, MeasureState.LIFTING) for m in measures):
        return
    standing = tuple(m.key for m in measures if m.state is MeasureState.IN_FORCE)
    if standing:
        failed = [m.key for m in measures if m.state is MeasureState.FAILED]
        why = "Read back from the device." + (f" Refused: {', '.join(failed)}." if failed else "")
        move_case(key, to=CaseState.MEASURE_IN_FORCE, at=at, actor="worker", why=why, about=standing)
    else:
        why = "No measure came into force: each was refused or withdrawn."
        move_case(key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why=why)


def _follow_in_force(key: str, *, at: datetime) -> None:
    measures = measures_of_case(key)
    waiting = f"case.{CaseState.WAITING_PERSON}"
    unasked = [m for m in lapsed_of(measures) if not has_entry(m.key, what=waiting)]
    if unasked:
        # What else is in force says nothing of this one: whether it goes on is looked at now, once for each.
        what = ", ".join(what_of(m.selector) for m in unasked)
        move_case(
            key, to=CaseState.WAITING_PERSON, at=at, actor="worker", about=tuple(m.key for m in unasked),
            why=f"The measure on {what} ended by its own time; a person decides whether another is needed.",
        )  # fmt: skip
    elif measures and all(m.state in (MeasureState.LIFTED, MeasureState.FAILED) for m in measures):
        move_case(
            key, to=CaseState.WAITING_PERSON, at=at, actor="worker",
            why="The measure has ended; a person decides whether the case is closed or another is needed.",
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
    fixed = lock_case(key)
    outcome = outcome_when_fixed(measure_was_taken=bool(taken))
    watch = _watch_after_fix(fixed, desk=desk)
    if watch or can_be_retested(fixed, edition=_edition_of(fixed, desk=desk), desk=desk, at=at):
        move_case(
            key, to=CaseState.MONITORED, at=at, actor="worker", outcome=outcome, watched_until=at + watch,
            why=f"Nothing is in force any more; it is watched until {at + watch:%Y-%m-%d %H:%M} UTC.",
        )  # fmt: skip
        return
    close(key, outcome=outcome, why="Fixed, and nothing is in force any more.", desk=desk, at=at, actor="worker")


def _watch_after_fix(case: Case, *, desk: Desk) -> timedelta:
    """How long a case is watched after its fix: as its edition says (`case.watch`), and not where that is silent."""
    edition = _edition_of(case, desk=desk)
    return edition.length_of("case.watch", default=timedelta()) if edition is not None else timedelta()


def _edition_of(case: Case, *, desk: Desk) -> Edition | None:
    return next((edition for edition in desk.editions if edition.id == case.edition), None)


def _end_of_watch(key: str, *, desk: Desk, at: datetime) -> None:
    """Looked at again before it closes: no report, no sighting of ours, and no look of our own where the clause allows
    one, says that it went on after the fix.

    What was upheld of that kind opened a case at the same place. While one is open, and while anything of the time of
    the watch is unread, this one stays: nobody is told of an end that there is not.
    """
    case = lock_case(key)
    if case.state is not CaseState.MONITORED or case.watched_until is None:
        return
    waits = bool(unread(limit=1, before=case.watched_until)) or bool(unjudged(limit=1, before=case.watched_until))
    if not watch_is_over(case, at=at, came_again=came_again(case), unread=waits):
        return
    looked = before_closing(case, edition=_edition_of(case, desk=desk), desk=desk, at=at)
    if not looked.waits:
        close(
            key, outcome=case.outcome, why=f"{_why_watch_ended(looked)} {looked.said}".strip(), desk=desk, at=at,
            actor="worker",
        )  # fmt: skip


def _why_watch_ended(looked: BeforeClosing) -> str:
    """What the record says of the end: that nothing came in is one thing, that somebody looked is another."""
    if looked.all_gone:
        return "Watched since the fix: no report and no measurement of ours shows it any more."
    quiet = "Watched since the fix: nothing that came in shows it any more."
    return quiet if looked.measured else f"{quiet} Whether it is gone was not measured."


def _tell_of_measure(kind: LetterKind, case: Case, measure: Measure, *, desk: Desk, at: datetime) -> None:
    customer = get_customer(case.customer)
    if customer is not None:
        tell_customer(
            kind, case=case, customer=customer, desk=desk, at=at, actor="worker",
            once=f"{kind}:{measure.key}", measure=measure,
            more={
                "measure_detail": measure.proof_detail, "measure_why": _why_for_customer(measure),
                "answered": bool(case.answer) or has_entry(case.key, what="letter.replied", by="customer"),
                "lapsed": kind is LetterKind.MEASURE_LIFTED and case.state in OPEN and bool(lapsed_of([measure])),
            },
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


_ABOUT_AN_OPEN_CASE = frozenset(
    {LetterKind.NOTICE, LetterKind.REMINDER, LetterKind.EXTENSION_GRANTED, LetterKind.DISPUTE_RECEIVED}
)

_TOLD = {
    CaseOutcome.FIXED: ReportOutcome.FIXED,
    CaseOutcome.FIXED_AFTER_MEASURE: ReportOutcome.MEASURE_TAKEN,
    CaseOutcome.NOT_UPHELD: ReportOutcome.NOT_UPHELD,
    CaseOutcome.WITHDRAWN: ReportOutcome.NOT_UPHELD,
}
"""What complainants hear. A case that was merged has no end of its own to tell of."""


def close(
    key: str, *, outcome: CaseOutcome, why: str, desk: Desk, at: datetime, actor: str, note: str = ""
) -> Case:  # fmt: skip
    """The end: the case is closed, the customer is told, and each complainant learns the outcome, never the name.

    `note` is what a person says to the customer about it.
    """
    with transaction.atomic():
        case = move_case(key, to=CaseState.CLOSED, at=at, actor=actor, why=why, outcome=outcome)
        withdraw_unsent(key, kinds=_ABOUT_AN_OPEN_CASE, why="The case was closed first.", at=at, actor=actor)
        customer = get_customer(case.customer)
        again = f":{case.version}" if case.reopened or case.appealed else ""
        if customer is not None and letters_were_sent(key):
            tell_customer(
                LetterKind.CASE_CLOSED, case=case, customer=customer, desk=desk, at=at, actor=actor,
                once=f"{LetterKind.CASE_CLOSED}:{key}{again}", more={"note": note} if note else None,
            )  # fmt: skip
        told = [
            incident.key
            for report in reports_of_case(key)
            if report.outcome is not ReportOutcome.SEALED
            for incident in report.incidents
            if incident.case == key and incident.outcome not in (ReportOutcome.DUPLICATE, ReportOutcome.NOT_UPHELD)
        ]
        set_incidents(told, outcome=_TOLD[outcome], reason=outcome.upper(), case=key, at=at, actor=actor)
        _tell_outcome(key, again=again, desk=desk, at=at)
        return case


def _tell_outcome(key: str, *, again: str, desk: Desk, at: datetime) -> None:
    """One letter to each complainant of the case, however many reports they sent."""
    by_reporter: dict[str, list[Report]] = {}
    for report in reports_of_case(key):
        if any(i.outcome is not ReportOutcome.DUPLICATE for i in report.incidents):
            reporter = report.reading.reporter.address if report.reading else ""
            by_reporter.setdefault((reporter or report.sender).lower(), []).append(report)
    for reporter, (first, *more) in by_reporter.items():
        tell_complainant(
            LetterKind.OUTCOME, report=first, once=f"outcome:{key}:{reporter}{again}", also=[r.key for r in more],
            desk=desk, at=at,
        )  # fmt: skip


def letters_were_sent(key: str) -> bool:
    """Whether the customer has heard of this case at all: who was never told of it is not told of its end."""
    return warned_by(key) is not None
