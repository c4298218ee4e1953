"""Short words for writing a complaint down."""

from dataclasses import replace
from datetime import timedelta

from tipstaff.words import (
    Answer,
    AttributionReason,
    Channel,
    ReadingOutcome,
    ReadingReason,
    ReportOutcome,
    Role,
)

from .clauses import clause_for
from .mail import Day, Part, mail
from .operator import ABUSE_ADDRESS, LMTP_ADDRESS
from .reporters import Reporting
from .told import Expected, ExpectedIncident, Move, Review, Since, Told

CONFIRMED = AttributionReason.ONE_HOLDER


def mailed(
    day: Day,
    id: str,
    title: str,
    *,
    hours: float,
    by: Reporting,
    subject: str,
    content: Part | str,
    expected: Expected,
    lmtp: bool = False,
    moves: tuple[Move, ...] = (),
    headers: tuple[str, ...] = (),
    message_id: str | None = None,
) -> Told:
    """A complaint that comes in `hours` after the start; its sender wrote it a minute before."""
    recipient = LMTP_ADDRESS if lmtp else ABUSE_ADDRESS
    written_at = day.at(hours, -60)
    raw = mail(
        content,
        sender=by,
        subject=subject,
        at=written_at,
        to=ABUSE_ADDRESS,
        message_id=message_id,
        headers=headers,
    )
    return as_told(id, title, hours=hours, raw=raw, expected=expected, sender=by.address, moves=moves, to=recipient)


def as_told(
    id: str,
    title: str,
    *,
    hours: float,
    raw: bytes,
    expected: Expected,
    sender: str,
    moves: tuple[Move, ...] = (),
    to: str = ABUSE_ADDRESS,
) -> Told:
    """A complaint from bytes that are ready."""
    return Told(
        id=id,
        title=title,
        at=timedelta(hours=hours),
        raw=raw,
        expected=expected,
        sender=sender,
        recipient=to,
        channel=Channel.LMTP if to == LMTP_ADDRESS else Channel.SMTP,
        moves=moves,
    )


def about(
    type: str,
    source: str | None = None,
    *,
    account: int | None = None,
    outcome: ReportOutcome = ReportOutcome.FORWARDED,
    port: int | None = None,
    url: str | None = None,
    domain: str | None = None,
    downstream: int | None = None,
    attribution: AttributionReason | None = None,
    joins: str | None = None,
    repeats: str | None = None,
) -> ExpectedIncident:
    """One incident. A named account means that there is a case under the clause for `type`."""
    if attribution is None and account is not None:
        attribution = AttributionReason.ONE_RESELLER if account in (1033, 1034) else CONFIRMED
    return ExpectedIncident(
        type=type,
        source=source,
        port=port,
        url=url,
        domain=domain,
        outcome=outcome,
        clause=clause_for(type) if account is not None else None,
        customer=f"acct-{account}" if account is not None else None,
        downstream=f"acct-{downstream}" if downstream is not None else None,
        attribution=attribution,
        joins=joins,
        repeats=repeats,
    )


def ends(outcome: ReportOutcome, *incidents: ExpectedIncident, measure: str | None = None) -> Expected:
    """A complaint that is understood, and whose incidents all end with `outcome`."""
    same = tuple(replace(incident, outcome=outcome) for incident in incidents)
    return Expected(report_outcome=outcome, incidents=same, measure=measure)


def mixed(outcome: ReportOutcome, *incidents: ExpectedIncident) -> Expected:
    """A complaint whose incidents end differently; the report as a whole ends with `outcome`."""
    return Expected(report_outcome=outcome, incidents=incidents)


def fixed(*incidents: ExpectedIncident) -> Expected:
    """The holder is told and answers that it is fixed."""
    return ends(ReportOutcome.FIXED, *incidents)


def forwarded(*incidents: ExpectedIncident) -> Expected:
    """The holder is told; nothing more has happened when the story ends."""
    return ends(ReportOutcome.FORWARDED, *incidents)


def measured(incident: ExpectedIncident, *, measure: str) -> Expected:
    """Silence until the deadline: the narrowest measure is taken, and lifted when the holder has fixed it."""
    return ends(ReportOutcome.MEASURE_TAKEN, incident, measure=measure)


def asks_for_detail(*incidents: ExpectedIncident) -> Expected:
    """Nobody can be named: the complainant is asked for a port or a time, and no customer hears of it."""
    return ends(ReportOutcome.NEEDS_DETAIL, *incidents)


def nothing(reason: ReadingReason) -> Expected:
    """No complaint at all."""
    return Expected(
        report_outcome=ReportOutcome.SET_ASIDE, reading=ReadingOutcome.NOT_A_COMPLAINT, reason=reason, incidents=()
    )


def for_a_person(reason: ReadingReason) -> Expected:
    """Not readable by a program: a person looks at it."""
    return Expected(
        report_outcome=ReportOutcome.WITH_A_PERSON, reading=ReadingOutcome.UNREADABLE, reason=reason, incidents=()
    )


def sealed() -> Expected:
    """Child-abuse material: the sealed queue, and nothing else."""
    return Expected(
        report_outcome=ReportOutcome.SEALED,
        reading=ReadingOutcome.SEALED,
        reason=ReadingReason.CHILD_ABUSE,
        incidents=(),
    )


def fixes(after_hours: float, words: str, *, account: int | None = None) -> Move:
    """The customer answers that it is fixed; `account` says who, where the complaint opens several cases."""
    return replace(_customer(Answer.FIXED, after_hours, words), customer=f"acct-{account}" if account else None)


def asks_for_time(after_hours: float, words: str) -> Move:
    """The customer asks for more time, which is given once."""
    return _customer(Answer.NEED_TIME, after_hours, words)


def disputes(after_hours: float, words: str) -> Move:
    """The customer says that it is not so."""
    return _customer(Answer.DISPUTE, after_hours, words)


def is_wrong(after_hours: float, words: str) -> Move:
    """A lead reviews the dispute and finds against the customer."""
    return Move(who=Role.LEAD, does=Review.AGAINST_CUSTOMER, after=timedelta(hours=after_hours), words=words)


def takes_measure(after_hours: float, words: str) -> Move:
    """The clause leaves the measure to a person: an analyst takes it some time after the deadline."""
    return Move(
        who=Role.ANALYST,
        does=Review.TAKE_MEASURE,
        after=timedelta(hours=after_hours),
        since=Since.OVERDUE,
        words=words,
    )


def doubts_that_it_is_theirs(after_hours: float, words: str) -> Move:
    """The customer says that we have the wrong one."""
    return _customer(Answer.WRONG_CUSTOMER, after_hours, words)


def is_right(after_hours: float, words: str, *, who: Role = Role.LEAD) -> Move:
    """A lead, or whom the clause names, reviews the dispute and finds for the customer."""
    return Move(who=who, does=Review.FOR_CUSTOMER, after=timedelta(hours=after_hours), words=words)


def fixes_after_measure(after_hours: float, words: str) -> Move:
    """Silent until the measure is in force; then the customer repairs it."""
    return Move(
        who=Role.CUSTOMER,
        does=Answer.FIXED,
        after=timedelta(hours=after_hours),
        since=Since.MEASURE_IN_FORCE,
        words=words,
    )


def _customer(answer: Answer, after_hours: float, words: str) -> Move:
    return Move(who=Role.CUSTOMER, does=answer, after=timedelta(hours=after_hours), words=words)
