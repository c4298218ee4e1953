"""What the policy says of an allegation. Pure: the same question has the same answer on any machine, at any time."""

from datetime import datetime

from tipstaff.words import (
    SEALED_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    Degree,
    Disposition,
    Grade,
    History,
    NaiveInstant,
    NoticePosture,
    Reason,
    Role,
    Severity,
    Verdict,
)

from .clauses import Clause, Edition, Opens, PortOf

CLOCK_AHEAD_SECONDS_MAX = 600.0
"""A stated time may lie so far after receipt, as of a clock that runs ahead; beyond it no time was stated (attribution
reads it the same way)."""

PROBABLE_DEGREE_MAX = Degree.BLOCK
"""A holder who is only probable is never walled in, disconnected or suspended."""


def judge(
    allegation: Allegation,
    *,
    attribution: Attribution,
    history: History,
    edition: Edition,
    received_at: datetime,
    cited: str | None = None,
) -> Verdict:
    """Say what follows from `allegation` under `edition`, and why.

    `cited` is the clause that a person or a procedure names, whatever the type leads to. The order protects: sealed
    matter first, then everything that keeps a case from being opened.
    """
    if received_at.tzinfo is None:
        raise NaiveInstant(str(received_at))
    if allegation.type in SEALED_TYPES:
        return _without_case(edition, Reason.COUNSEL_MUST_DECIDE, clause=edition.clause_for(allegation), sealed=True)
    grade = attribution.grade
    if grade is Grade.NONE and attribution.reason is AttributionReason.NOT_OUR_SPACE:
        return _without_case(edition, Reason.NOT_OUR_SPACE)

    # Ages are differences in seconds, not instants: they cannot leave the calendar, whatever a reporter states.
    oldest_seconds, in_progress = 0.0, False
    moment = allegation.moment
    if moment is not None:
        age, error = (received_at - moment.at).total_seconds(), moment.error_seconds
        if age + error >= -CLOCK_AHEAD_SECONDS_MAX:
            if age - error > edition.look_back_seconds:
                return _without_case(edition, Reason.BEYOND_LOOK_BACK)
            oldest_seconds = max(age + error, 0.0)
            in_progress = oldest_seconds <= edition.in_progress_seconds
    if grade is not Grade.CONFIRMED and grade is not Grade.PROBABLE:
        return _holder_not_named(edition, attribution, time_stated=moment is not None)

    clause = edition.clause_for(allegation) if cited is None else edition.clause(cited)
    if clause is None or not clause.judged:
        return _without_case(edition, Reason.NO_CLAUSE)
    if attribution.customer is None:
        return _without_case(edition, Reason.HOLDER_CONTRADICTED, clause=clause)
    return _on_clause(
        edition,
        clause,
        why_person=_why_person(
            allegation,
            clause,
            edition=edition,
            in_force_seconds=(received_at - edition.effective_at).total_seconds(),
            oldest_seconds=oldest_seconds,
        ),
        ports=_ports(allegation, clause),
        confirmed=grade is Grade.CONFIRMED,
        repeated=history.cases_before > 0,
        in_progress=in_progress and clause.notice is NoticePosture.SIMULTANEOUS,
    )


def _why_person(
    allegation: Allegation, clause: Clause, *, edition: Edition, in_force_seconds: float, oldest_seconds: float
) -> Reason | None:
    """Why a person must decide although the holder and the clause are known; None where nothing speaks for it."""
    if oldest_seconds > in_force_seconds:
        return Reason.NO_EDITION_IN_FORCE
    if not allegation.confidence >= edition.reader_confidence_min:  # Not a number is not sure either.
        return Reason.READER_UNSURE
    return Reason.COUNSEL_MUST_DECIDE if clause.opens is Opens.PERSON else None


def _holder_not_named(edition: Edition, attribution: Attribution, *, time_stated: bool) -> Verdict:
    match attribution.grade:
        case Grade.AMBIGUOUS:
            return _without_case(edition, Reason.HOLDER_AMBIGUOUS)
        case Grade.CONTRADICTED:
            return _without_case(edition, Reason.HOLDER_CONTRADICTED)
        case Grade.NO_DATA:
            # With a time, asking again would not help: our records do not reach back so far.
            return _without_case(edition, Reason.BEFORE_RECORDS, ask=not time_stated)
    if attribution.reason is AttributionReason.UNASSIGNED:
        return _without_case(edition, Reason.NO_HOLDER)
    return _without_case(edition, Reason.NO_ADDRESS)


def _ports(allegation: Allegation, clause: Clause) -> tuple[tuple[str, int], ...]:
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
    Reason.NO_HOLDER: Disposition.UNASSIGNED,
    Reason.NOT_OUR_SPACE: Disposition.NOT_OURS,
    Reason.BEYOND_LOOK_BACK: Disposition.TOO_OLD,
    Reason.BEFORE_RECORDS: Disposition.TOO_OLD,
    Reason.NO_EDITION_IN_FORCE: Disposition.PERSON,
    Reason.NO_CLAUSE: Disposition.PERSON,
    Reason.READER_UNSURE: Disposition.PERSON,
    Reason.COUNSEL_MUST_DECIDE: Disposition.PERSON,
}

_DECIDERS = {
    Reason.HOLDER_CONTRADICTED: Role.ANALYST,
    Reason.NO_HOLDER: Role.ENGINEER,
    Reason.NO_EDITION_IN_FORCE: Role.LEAD,
    Reason.NO_CLAUSE: Role.ANALYST,
    Reason.READER_UNSURE: Role.ANALYST,
    Reason.COUNSEL_MUST_DECIDE: Role.COUNSEL,
}


def _without_case(
    edition: Edition, reason: Reason, *, clause: Clause | None = None, sealed: bool = False, ask: bool = False
) -> Verdict:
    """A verdict by which nothing is sent to any customer."""
    key = (reason, clause and clause.id, sealed, ask)
    known = edition.verdicts.get(key)
    if known is not None:
        return known
    verdict = Verdict(
        disposition=Disposition.ASK_COMPLAINANT if ask else _DISPOSITIONS[reason],
        reason=reason,
        explanation=_why_no_case(edition, reason, clause, sealed=sealed, ask=ask),
        edition=edition.id,
        clause=clause.id if clause else None,
        group=clause.group if clause else None,
        severity=Severity.CRITICAL if sealed else clause.severity if clause else Severity.LOW,
        notice=NoticePosture.WITHHELD if sealed else clause.notice if clause else NoticePosture.NONE,
        decides=_DECIDERS.get(reason),
    )
    return edition.verdicts.setdefault(key, verdict)


def _on_clause(
    edition: Edition,
    clause: Clause,
    *,
    why_person: Reason | None,
    ports: tuple[tuple[str, int], ...],
    confirmed: bool,
    repeated: bool,
    in_progress: bool,
) -> Verdict:
    """A case, or a case in waiting: where a person decides first, the verdict says what follows from a yes."""
    key = (clause.id, why_person, confirmed, repeated, in_progress)
    known = edition.verdicts.get(key)
    if known is not None and known.measure_ports == ports:
        return known
    if known is not None:
        explanation = known.explanation
    elif why_person is not None:
        explanation = _why_no_case(edition, why_person, clause, sealed=False, ask=False)
    else:
        explanation = _why_case(edition, clause, confirmed=confirmed, repeated=repeated, in_progress=in_progress)
    told_at_once = in_progress or clause.notice is not NoticePosture.SIMULTANEOUS
    shorter = repeated and clause.answer_within_repeated is not None
    verdict = Verdict(
        disposition=Disposition.OPEN_CASE if why_person is None else Disposition.PERSON,
        reason=why_person or _reason(repeated=repeated, in_progress=in_progress),
        explanation=explanation,
        edition=edition.id,
        clause=clause.id,
        group=clause.group,
        severity=clause.severity,
        answer_within=clause.answer_within_repeated if shorter else clause.answer_within,
        notice=clause.notice if told_at_once else NoticePosture.BEFORE,
        ladder=tuple(rung for rung in clause.ladder if confirmed or rung.degree <= PROBABLE_DEGREE_MAX),
        measure_ports=ports,
        decides=clause.decides or (_DECIDERS[why_person] if why_person else None),
        measure_direction=clause.measure_direction,
    )
    edition.verdicts.setdefault(key, verdict)
    return verdict


def _reason(*, repeated: bool, in_progress: bool) -> Reason:
    if in_progress:
        return Reason.HARM_IN_PROGRESS
    return Reason.REPEATED if repeated else Reason.FIRST_REPORT


def _why_case(edition: Edition, clause: Clause, *, confirmed: bool, repeated: bool, in_progress: bool) -> str:
    """At most two sentences for the customer, true for every case of this shape."""
    rule = f"“{clause.title}” in edition {edition.id} of the acceptable use policy of {edition.entity}"
    first = f"What was reported falls under {rule}"
    if not confirmed:
        first += ", and our records name you as the probable holder, so nothing wider than a block may follow"
    days = edition.memory.days
    if in_progress:
        hours = edition.in_progress_seconds / 3600
        return f"{first}. It happened within {hours:.0f} hours before the report reached us, so it counts as going on."
    if repeated and clause.answer_within_repeated not in (None, clause.answer_within):
        return f"{first}. A case of this kind was upheld within the last {days} days, so the time to answer is shorter."
    if repeated:
        return f"{first}. A case of this kind was upheld within the last {days} days."
    return f"{first}. No case of this kind was upheld within the last {days} days."


def _why_no_case(edition: Edition, reason: Reason, clause: Clause | None, *, sealed: bool, ask: bool) -> str:
    """At most two sentences for whoever is answered or has to decide."""
    policy = f"edition {edition.id} of the acceptable use policy"
    rule = f"“{clause.title}” in {policy}" if clause else policy
    match reason:
        case Reason.COUNSEL_MUST_DECIDE if sealed:
            return (
                f"Reports of this kind are sealed on arrival under {rule}; counsel decides, and nobody else sees them."
            )
        case Reason.COUNSEL_MUST_DECIDE:
            return f"What was reported falls under {rule}, where counsel decides before anybody is told."
        case Reason.HOLDER_AMBIGUOUS:
            return (
                "More than one customer may have held the address at the time stated, so nobody is told. "
                "The exact time with its zone and the source port would settle it."
            )
        case Reason.NO_ADDRESS:
            return (
                f"The report names no address that {edition.entity} can tie to a customer. "
                "The address, the time with its zone and the source port would."
            )
        case Reason.HOLDER_CONTRADICTED:
            return "Our sources disagree about who held the address at that time, so a person looks at it first."
        case Reason.NO_HOLDER:
            return f"The address belongs to {edition.entity}, but no customer held it at the time in question."
        case Reason.NOT_OUR_SPACE:
            return f"What was reported lay outside the address space of {edition.entity} at the time in question."
        case Reason.BEYOND_LOOK_BACK:
            days = edition.look_back.days
            return (
                f"It happened more than {days} days before the report came in, which is as far as {policy} looks back."
            )
        case Reason.BEFORE_RECORDS if ask:
            return (
                "No time was stated, and our records do not reach back far enough to do without one. "
                "The exact time with its zone would settle it."
            )
        case Reason.BEFORE_RECORDS:
            return f"It happened before the records of {edition.entity} begin, so nobody can be named."
        case Reason.NO_EDITION_IN_FORCE:
            posted = edition.effective_at.strftime("%Y-%m-%d %H:%M UTC")
            return (
                f"What was reported falls under {rule}. It may have happened before that took effect ({posted}), "
                "so a person decides whether it binds."
            )
        case Reason.NO_CLAUSE:
            return f"No clause of {policy} covers what was reported, so a person looks at it first."
        case Reason.READER_UNSURE:
            return (
                f"What was reported seems to fall under {rule}. That reading is not sure enough, so a person reads it."
            )
    raise AssertionError(f"{reason} opens a case or is not the judge's to give")
