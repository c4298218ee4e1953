"""What the policy says of an allegation or a sighting. Pure: the same question has the same answer on any machine."""

import math
from dataclasses import replace
from datetime import datetime, timedelta

from tipstaff.words import (
    SEALED_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    Basis,
    Conduct,
    Disposition,
    Fact,
    Grade,
    History,
    NaiveInstant,
    NoticePosture,
    Reason,
    Role,
    Rung,
    Severity,
    Sighting,
    Trust,
    Verdict,
)

from .clauses import Clause, Edition, Opens, PortOf
from .deciding import PROBABLE_DEGREE_MAX, decided_by, doubted, weighed_trust
from .explain import time_value, why_case, why_no_case
from .strikes import Escalation

CLOCK_AHEAD_SECONDS_MAX = 600.0
"""A stated time may lie so far after receipt, as of a clock that runs ahead. One beyond it says nothing of when it
happened (attribution reads it the same way), and whoever holds the address now is not accused by it."""


def judge(
    conduct: Conduct,
    *,
    attribution: Attribution,
    history: History,
    edition: Edition,
    received_at: datetime,
    cited: str | None = None,
    trust: Trust | None = None,
) -> Verdict:
    """Say what follows from `conduct`, alleged or measured, under `edition`, and why.

    `cited` is the clause that a person or a procedure names, whatever the type leads to; `trust` how far the report may
    be believed, None where that was not weighed. What we measured ourselves needs no reporter's word, so `trust` is not
    asked for; nobody can be asked about it either, so where nobody is named it only stays on record. The order
    protects: sealed matter first, then everything that keeps a case from being opened. There is an answer to every
    question; only an instant without a zone is none (NaiveInstant).
    """
    if received_at.tzinfo is None:
        raise NaiveInstant(str(received_at))
    measured = isinstance(conduct, Sighting)
    if not measured and conduct.type in SEALED_TYPES:
        return _without_case(edition, Reason.COUNSEL_MUST_DECIDE, clause=edition.clause_of(conduct), sealed=True)
    grade = attribution.grade
    if grade is Grade.NONE and attribution.reason is AttributionReason.NOT_OUR_SPACE:
        return _without_case(edition, Reason.NOT_OUR_SPACE, measured=measured)

    if received_at < edition.effective_at:
        return _without_case(edition, Reason.NO_EDITION_IN_FORCE, measured=measured)

    # Ages are differences in seconds, not instants: they cannot leave the calendar, whatever a reporter states.
    oldest_seconds, in_progress, ahead = 0.0, False, False
    moment = conduct.moment
    if moment is not None:
        age, error = (received_at - moment.at).total_seconds(), moment.error_seconds
        if error != error:  # Not a number bounds nothing.
            error = math.inf
        ahead = age + error < -CLOCK_AHEAD_SECONDS_MAX
        if not ahead:
            if age - error > edition.look_back_seconds:
                return _without_case(edition, Reason.BEYOND_LOOK_BACK, measured=measured)
            oldest_seconds = max(age + error, 0.0)
            in_progress = oldest_seconds <= edition.in_progress_seconds
    unread = isinstance(conduct, Allegation) and moment is None and conduct.unread_time is not None
    if unread and (attribution.reason is AttributionReason.TIME_UNREAD or attribution.customer is not None):
        return _without_case(edition, Reason.TIME_UNREAD, ask=True)
    if grade is not Grade.CONFIRMED and grade is not Grade.PROBABLE:
        return _holder_not_named(edition, attribution, time_stated=moment is not None, measured=measured)
    if ahead:
        return _without_case(edition, Reason.TIME_AHEAD, ask=True, measured=measured)

    failed = False
    if cited is not None:
        clause = edition.clause_named(cited)
    elif isinstance(conduct, Sighting):
        clause, failed = edition.look_up_finding(conduct.kind, facts=conduct.facts)
    else:
        clause = edition.clause_for(conduct)
    if clause is None and isinstance(conduct, Sighting) and cited is None and edition.takes(conduct.kind):
        # What could not be worked out is no answer of the policy's: a person looks, and nothing is dropped.
        reason = Reason.CONDITION_FAILED if failed else Reason.BELOW_THRESHOLD
        return _without_case(edition, reason, measured=True)
    if clause is None or not clause.judged:
        identity = clause is not None and clause.id in edition.of_identity
        return _without_case(edition, Reason.NO_CLAUSE, decides=Role.COUNSEL if identity else None, measured=measured)
    if attribution.customer is None:
        return _without_case(edition, Reason.HOLDER_CONTRADICTED, clause=clause, measured=measured)
    trusted = (Fact.MEASURED,) if measured else weighed_trust(trust)
    return _on_clause(
        edition,
        clause,
        why_person=_why_person(
            clause,
            confidence=1.0 if isinstance(conduct, Sighting) else conduct.confidence,
            edition=edition,
            in_force_seconds=(received_at - edition.effective_at).total_seconds(),
            oldest_seconds=oldest_seconds,
        ),
        ports=_ports(conduct, clause),
        confirmed=grade is Grade.CONFIRMED,
        repeated=history.cases_before > 0,
        # What may be forged, or comes from who is often wrong, is not taken for going on: the notice goes first.
        in_progress=in_progress and clause.notice is NoticePosture.SIMULTANEOUS and not doubted(trusted),
        trusted=trusted,
        step=edition.repeats_of(clause.group).step(history.cases_before),
    )


def _why_person(
    clause: Clause, *, confidence: float, edition: Edition, in_force_seconds: float, oldest_seconds: float
) -> Reason | None:
    """Why a person must decide although the holder and the clause are known; None where nothing speaks for it."""
    if oldest_seconds > in_force_seconds:
        return Reason.NO_EDITION_IN_FORCE
    if not confidence >= edition.reader_confidence_min:  # Not a number is not sure either.
        return Reason.READER_UNSURE
    if clause.opens is Opens.PERSON:
        return Reason.COUNSEL_MUST_DECIDE
    return Reason.SPEECH if clause.id in edition.of_speech else None


def _holder_not_named(edition: Edition, attribution: Attribution, *, time_stated: bool, measured: bool) -> Verdict:
    ask, reason = False, Reason.NO_ADDRESS
    match attribution.grade:
        case Grade.AMBIGUOUS:
            reason = Reason.HOLDER_AMBIGUOUS
        case Grade.CONTRADICTED:
            reason = Reason.HOLDER_CONTRADICTED
        case Grade.NO_DATA if attribution.reason is not AttributionReason.BEFORE_RECORDS:
            reason = Reason.RECORDS_INCOMPLETE
        case Grade.NO_DATA:
            # With a time, asking again would not help: our records do not reach back so far.
            ask, reason = not time_stated, Reason.BEFORE_RECORDS
        case _ if attribution.reason is AttributionReason.UNASSIGNED:
            reason = Reason.NO_HOLDER
    return _without_case(edition, reason, ask=ask, measured=measured)


def _ports(allegation: Conduct, clause: Clause) -> tuple[tuple[str, int], ...]:
    """The ports that stopping it takes: the report's own where the clause says so and it states one."""
    if clause.measure_port_of is None:
        return clause.measure_ports
    port = allegation.target_port if clause.measure_port_of is PortOf.TARGET else allegation.source_port
    protocol = (allegation.protocol or "tcp").lower()
    if port is None or not 0 < port < 65536 or protocol not in ("tcp", "udp"):
        return clause.measure_ports
    return ((protocol, port),)


_DISPOSITIONS = {
    Reason.HOLDER_AMBIGUOUS: Disposition.ASK_COMPLAINANT,
    Reason.NO_ADDRESS: Disposition.ASK_COMPLAINANT,
    Reason.HOLDER_CONTRADICTED: Disposition.PERSON,
    Reason.RECORDS_INCOMPLETE: Disposition.PERSON,
    Reason.NO_HOLDER: Disposition.UNASSIGNED,
    Reason.NOT_OUR_SPACE: Disposition.NOT_OURS,
    Reason.BEYOND_LOOK_BACK: Disposition.TOO_OLD,
    Reason.BEFORE_RECORDS: Disposition.TOO_OLD,
    Reason.NO_EDITION_IN_FORCE: Disposition.PERSON,
    Reason.NO_CLAUSE: Disposition.PERSON,
    Reason.BELOW_THRESHOLD: Disposition.NOTHING,
    Reason.CONDITION_FAILED: Disposition.PERSON,
    Reason.READER_UNSURE: Disposition.PERSON,
    Reason.COUNSEL_MUST_DECIDE: Disposition.PERSON,
    Reason.SPEECH: Disposition.PERSON,
}

_DECIDERS = {
    Reason.HOLDER_CONTRADICTED: Role.ANALYST,
    Reason.RECORDS_INCOMPLETE: Role.ENGINEER,
    Reason.NO_HOLDER: Role.ENGINEER,
    Reason.NO_EDITION_IN_FORCE: Role.LEAD,
    Reason.NO_CLAUSE: Role.ANALYST,
    Reason.CONDITION_FAILED: Role.ANALYST,
    Reason.READER_UNSURE: Role.ANALYST,
    Reason.COUNSEL_MUST_DECIDE: Role.COUNSEL,
    Reason.SPEECH: Role.COUNSEL,
}


def left_to(reason: Reason) -> Role | None:
    """The role that sees to what the judge leaves to a person for this reason; None leaves it to the whole desk."""
    return _DECIDERS.get(reason)


def _without_case(
    edition: Edition,
    reason: Reason,
    *,
    clause: Clause | None = None,
    sealed: bool = False,
    ask: bool = False,
    decides: Role | None = None,
    measured: bool = False,
) -> Verdict:
    """A verdict by which nothing is sent to any customer. `decides` stands before the reason's own role."""
    key = (reason, clause and clause.id, sealed, ask, decides, measured)
    known = edition.verdicts.get(key)
    if known is not None:
        return known
    verdict = Verdict(
        disposition=_unmet(reason, ask=ask, measured=measured),
        reason=reason,
        explanation=why_no_case(edition, reason, clause, sealed=sealed, ask=ask, measured=measured),
        edition=edition.id,
        clause=clause.id if clause else None,
        group=clause.group if clause else None,
        severity=Severity.CRITICAL if sealed else clause.severity if clause else Severity.LOW,
        notice=NoticePosture.WITHHELD if sealed else clause.notice if clause else NoticePosture.NONE,
        decides=decides or _DECIDERS.get(reason),
        basis=(
            *((Basis(fact=Fact.CLAUSE, value=clause.id),) if clause else ()),
            Basis(fact=Fact.EDITION, value=edition.id),
            *((Basis(fact=Fact.NOTICE_WITHHELD),) if sealed else ()),
            *((Basis(fact=Fact.MEASURED),) if measured else ()),
        ),
    )
    return edition.verdicts.setdefault(key, verdict)


def _unmet(reason: Reason, *, ask: bool, measured: bool) -> Disposition:
    found = Disposition.ASK_COMPLAINANT if ask else _DISPOSITIONS[reason]
    return Disposition.NOTHING if measured and found is Disposition.ASK_COMPLAINANT else found


def _on_clause(
    edition: Edition,
    clause: Clause,
    *,
    why_person: Reason | None,
    ports: tuple[tuple[str, int], ...],
    confirmed: bool,
    repeated: bool,
    in_progress: bool,
    trusted: tuple[Fact, ...],
    step: Escalation | None,
) -> Verdict:
    """A case, or a case in waiting: where a person decides first, the verdict says what follows from a yes."""
    key = (clause.id, why_person, confirmed, repeated, in_progress, trusted, step and step.strikes)
    known = edition.verdicts.get(key)
    if known is not None:
        return known if known.measure_ports == ports else replace(known, measure_ports=ports)
    answer_within = _answer_within(clause, repeated=repeated, step=step)
    shorter = answer_within != clause.answer_within
    if why_person is not None:
        explanation = why_no_case(
            edition, why_person, clause, sealed=False, ask=False, measured=Fact.MEASURED in trusted
        )
    else:
        explanation = why_case(
            edition, clause, confirmed=confirmed, repeated=repeated, in_progress=in_progress, shorter=shorter,
            measured=Fact.MEASURED in trusted,
        )  # fmt: skip
    told_at_once = in_progress or clause.notice is not NoticePosture.SIMULTANEOUS
    notice = clause.notice if told_at_once else NoticePosture.BEFORE
    decides = _decides(clause, why_person, trusted, step)
    lifetime = edition.repeats_of(clause.group).lifetime
    verdict = Verdict(
        disposition=Disposition.OPEN_CASE if why_person is None else Disposition.PERSON,
        reason=why_person or _reason(repeated=repeated, in_progress=in_progress),
        explanation=explanation,
        edition=edition.id,
        clause=clause.id,
        group=clause.group,
        severity=clause.severity,
        answer_within=answer_within,
        notice=notice,
        ladder=_ladder(clause, confirmed=confirmed, step=step),
        measure_ports=clause.measure_ports,
        decides=decides,
        measure_direction=clause.measure_direction,
        basis=tuple(
            Basis(fact=fact, value=value)
            for fact, value, holds in (
                (Fact.CLAUSE, clause.id, True),
                (Fact.EDITION, edition.id, True),
                (Fact.HOLDER_CONFIRMED if confirmed else Fact.HOLDER_PROBABLE, "", True),
                (Fact.IN_PROGRESS, f"{edition.in_progress_seconds / 3600:.0f}", in_progress),
                (Fact.STRIKES if repeated else Fact.NONE_BEFORE, str(lifetime.days), True),
                (Fact.ESCALATED, str(step.strikes) if step else "", step is not None),
                (Fact.SHORTER_TIME, "", shorter),
                (Fact.TIME_TO_ANSWER, _time(clause, answer_within), answer_within is not None),
                (Fact.STATUTE, clause.answer_source, bool(clause.answer_source)),
                *((fact, "", True) for fact in trusted),
                (Fact.PERSON_DECIDES, str(decides), decides is not None),
                (Fact.PERSON_FROM, edition.person_from.name.lower(), decides is None),
                (_NOTICES.get(notice, Fact.NOTICE_FIRST), "", notice in _NOTICES),
            )
            if holds
        ),
    )
    edition.verdicts.setdefault(key, verdict)
    return verdict if verdict.measure_ports == ports else replace(verdict, measure_ports=ports)


_NOTICES = {
    NoticePosture.BEFORE: Fact.NOTICE_FIRST,
    NoticePosture.SIMULTANEOUS: Fact.NOTICE_WITH,
    NoticePosture.WITHHELD: Fact.NOTICE_WITHHELD,
}


def _time(clause: Clause, within: timedelta | None) -> str:
    return "" if within is None else time_value(clause, within)


def _answer_within(clause: Clause, *, repeated: bool, step: Escalation | None) -> timedelta | None:
    """The shortest of the times that apply; a statute's time is nobody's to shorten."""
    if clause.answer_within is None or clause.answer_source:
        return clause.answer_within
    times = [clause.answer_within]
    if repeated and clause.answer_within_repeated is not None:
        times.append(clause.answer_within_repeated)
    if step is not None and step.answer_within is not None:
        times.append(step.answer_within)
    return min(times)


def _decides(
    clause: Clause, why_person: Reason | None, trusted: tuple[Fact, ...], step: Escalation | None
) -> Role | None:
    """Who must decide before a measure: the clause's role, else the edition's for this many strikes, else whoever sees
    to the reason or the doubt."""
    named = decided_by(clause.decides or (step.decides if step else None))
    if named is not None:
        return named
    if why_person is not None:
        return _DECIDERS[why_person]
    return Role.ANALYST if clause.two_people or doubted(trusted) else None


def _ladder(clause: Clause, *, confirmed: bool, step: Escalation | None) -> tuple[Rung, ...]:
    """The clause's rungs and those that repetition adds, narrow to wide, as far as the holder is sure."""
    rungs = clause.ladder
    if step is not None and step.adds:
        rungs = tuple(sorted({*rungs, *step.adds}, key=lambda rung: (rung.scope, rung.degree)))
    return tuple(rung for rung in rungs if confirmed or rung.degree <= PROBABLE_DEGREE_MAX)


def _reason(*, repeated: bool, in_progress: bool) -> Reason:
    if in_progress:
        return Reason.HARM_IN_PROGRESS
    return Reason.REPEATED if repeated else Reason.FIRST_REPORT
