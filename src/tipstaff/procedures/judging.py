"""What was alleged or measured is attributed at its time and judged; the question and the answer go on record."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tipstaff.cases.queries import strikes_of
from tipstaff.intake.queries import offenders_of_case, reports_of_case
from tipstaff.ledger.operations import Step, record_all
from tipstaff.ledger.queries import count_about, latest_about, newest_about
from tipstaff.policy import Clause, Edition, edition_to_go_by, judge
from tipstaff.policy.past import keep_question
from tipstaff.policy.replay import treatment_digest, treatment_of
from tipstaff.policy.strikes import count as count_strikes
from tipstaff.sensors.queries import measured_of_case
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Conduct,
    Customer,
    Disposition,
    History,
    Matter,
    Reason,
    Report,
    ReportOutcome,
    Standing,
    Strike,
    Trust,
    Use,
    Verdict,
)

from .desk import Desk
from .shadow import ask_in_the_shadow

log = logging.getLogger("tipstaff.worker")


def matters_of_case(case: str, *, reports: Sequence[Report] | None = None) -> list[Matter]:
    """Everything that a case is about: the incidents of its reports, then what we measured ourselves. `reports` are
    the case's, where they were read already."""
    reports = reports_of_case(case) if reports is None else reports
    reported = (incident for report in reports for incident in report.incidents)
    return [*reported, *measured_of_case(case)]


def offenders_of(case: str) -> dict[str, str]:
    """What each of `matters_of_case` is about."""
    return {**offenders_of_case(case), **{each.key: each.conduct.offender for each in measured_of_case(case)}}


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Something alleged or measured with its holder and the verdict on it."""

    conduct: Conduct
    attribution: Attribution
    verdict: Verdict
    edition: Edition
    history: History
    trust: Trust | None
    """None for what we measured: nobody has to be believed."""
    received_at: datetime


def weigh(
    conduct: Conduct,
    *,
    attribution: Attribution,
    edition: Edition,
    trust: Trust | None,
    received_at: datetime,
    at: datetime,
    history: History | None = None,
) -> Weighed:
    """What the policy says of it: reads only, decides nothing. `history` is the holder's, where it is known already."""
    if history is None:
        history = history_of(conduct, attribution, edition=edition, at=at)
    verdict = judge(
        conduct,
        attribution=attribution,
        history=history,
        edition=edition,
        received_at=received_at,
        cited=_cited(conduct),
        trust=trust,
    )
    return Weighed(
        conduct=conduct, attribution=attribution, verdict=verdict, edition=edition, history=history, trust=trust,
        received_at=received_at,
    )  # fmt: skip


def history_of(
    conduct: Conduct,
    attribution: Attribution,
    *,
    edition: Edition,
    at: datetime,
    strikes: Sequence[Strike] | None = None,
) -> History:
    """The holder's strikes that count under `edition`. `strikes` are all that may, where they were looked up."""
    clause = clause_of(edition, conduct)
    if clause is None or attribution.customer is None:
        return History()
    lifetime = edition.repeats_of(clause.group).lifetime
    if strikes is None:
        strikes = strikes_of(attribution.customer, group=clause.group, since=at - lifetime)
    return History(cases_before=count_strikes(strikes, group=clause.group, at=at, lifetime=lifetime))


def clause_of(edition: Edition, conduct: Conduct) -> Clause | None:
    """The clause that a person named, else the one to which it leads; None when neither is in the edition.

    A clause that a person named in today's edition may not stand in the one that was in force then: nobody is held to
    words that were not.
    """
    cited = _cited(conduct)
    return edition.clause_of(conduct) if cited is None else edition.clause_named(cited)


def edition_at(editions: tuple[Edition, ...], *, conduct: Conduct, received_at: datetime) -> Edition:
    """The edition in force when the conduct happened; before the first one, today's, whose judge says so. Nothing is
    judged under an edition that was not in force when it was received, whatever time it states; while none is in force
    yet, the one that comes first is asked, and its judge leaves everything to a person."""
    happened_at = min(conduct.moment.at, received_at) if conduct.moment is not None else received_at
    in_force = any(e.effective_at <= happened_at for e in editions)
    return edition_to_go_by(editions, at=happened_at if in_force else received_at)


def _cited(conduct: Conduct) -> str | None:
    return conduct.cited if isinstance(conduct, Allegation) else None


def record_judgement(weighed: Weighed, *, about: tuple[str, ...], desk: Desk, at: datetime, **detail: object) -> None:
    """Put on record what was asked and answered, what the edition in the shadow would have said, and whether somebody
    uses what nobody was given. `about` names the incident or sighting first."""
    steps = [judged_entry(weighed, about=about, desk=desk, **detail), *asides(weighed, about=about[:2])]
    record_all(steps, at=at, actor="worker")
    if desk.shadow is not None:
        ask_in_the_shadow(
            desk.shadow, weighed.conduct, about=about[:2], attribution=weighed.attribution,
            applied=weighed.edition, verdict=weighed.verdict, trust=weighed.trust, received_at=weighed.received_at,
            history_under=lambda edition: history_of(weighed.conduct, weighed.attribution, edition=edition, at=at),
            at=at, actor="worker",
        )  # fmt: skip


def judged_entry(weighed: Weighed, *, about: tuple[str, ...], desk: Desk, **detail: object) -> Step:
    """How the record says what was judged, and on what."""
    verdict, attribution, conduct = weighed.verdict, weighed.attribution, weighed.conduct
    return "incident.judged", [*about, *([desk.shadow.key] if desk.shadow else [])], {
        "grade": attribution.grade, "attribution": attribution.reason, "customer": attribution.customer,
        "service": attribution.service, "downstream": attribution.downstream,
        "window": [attribution.earliest, attribution.latest],
        "proof": [
            {
                "holding": h.key, "tier": h.tier, "kind": h.kind, "prefix": h.prefix, "customer": h.customer,
                "ports": [h.port_first, h.port_last], "from": h.held_from, "until": h.held_until, "source": h.source,
            }
            for h in attribution.proof
        ],
        "sites": [
            {
                "host_name": s.host_name, "address": s.address, "customer": s.customer, "service": s.service,
                "from": s.since, "until": s.until,
            }
            for s in attribution.sites
        ],
        "logs": [
            {
                "source": b.source, "realm": b.realm, "prefix": b.prefix, "ports": [b.port_first, b.port_last],
                "possible": [b.possible_from, b.possible_until], "sure": [b.sure_from, b.sure_until],
                "ending": b.ending, "subject": b.subject, "inside": b.inside, "file": b.file, "offset": b.offset,
                "stretch": b.stretch, "sha256": b.sha256, "clock_error_ms": round(b.clock_error_seconds * 1000),
            }
            for b in attribution.bindings
        ],
        "clause": verdict.clause, "edition": verdict.edition, "edition_digest": weighed.edition.digest,
        "disposition": verdict.disposition, "reason": verdict.reason, "explanation": verdict.explanation,
        "basis": {basis.fact: basis.value for basis in verdict.basis},
        "asked": keep_question(
            conduct, history=weighed.history, received_at=weighed.received_at, trust=weighed.trust
        ),
        "verdict": treatment_digest(treatment_of(verdict)),
        **detail,
    }  # fmt: skip


def trust_in_words(trust: Trust | None) -> dict[str, object]:
    """How the record says how far whoever complained was believed."""
    trust = trust or Trust()
    return {
        "evidence": trust.evidence,
        "authenticated": trust.authenticated,
        "flooding": trust.flooding,
        "reporter": [trust.reporter_upheld, trust.reporter_overturned],
    }


def asides(weighed: Weighed, *, about: tuple[str, ...]) -> list[Step]:
    """What else stands on record beside a judgement."""
    return [*unassigned_use(weighed, about=about), *failed_conditions(weighed, about=about)]


FAILED = "condition.failed"


def condition_of(edition: str, clause: str) -> str:
    """What the record says a failed condition is about."""
    return f"condition:{edition}:{clause}"


def failed_conditions(weighed: Weighed, *, about: tuple[str, ...]) -> list[Step]:
    """An entry for each condition of the edition that is neither true nor false of this: a mistake in the edition, or
    facts of another kind than it expects. It held nobody to anything. Of what is stated nothing is repeated."""
    if weighed.verdict.clause is not None and weighed.verdict.reason is Reason.COUNSEL_MUST_DECIDE:
        return []  # Of what is sealed, or counsel's to open, nothing is said to colleagues.
    found = weighed.edition.failing(weighed.conduct)
    for each in found:
        log.warning("%s: the condition of %s could not be worked out: %s", about[0], each.clause, each.why)
    return [
        (
            FAILED, [*about, condition_of(weighed.edition.id, each.clause)],
            {"edition": weighed.edition.id, "clause": each.clause, "condition": each.key, "why": each.why},
        )
        for each in found
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCondition:
    """A clause whose condition could not be worked out."""

    clause: str
    times: int
    last_at: datetime
    last_on: str
    """A report or a sighting."""
    why: str


def failed_of(edition: Edition, *, since: datetime | None = None) -> list[FailedCondition]:
    """The clauses of an edition whose conditions could not be worked out, the last first; with `since`, only those of
    which that is so since then."""
    keys = {
        condition_of(edition.id, clause.id): clause.id
        for clause in edition.clauses
        if clause.when is not None or clause.found_when is not None
    }
    # What anybody may not see is left out, so the newest is asked again of those that they may.
    shown = {key: newest_about(key, what=FAILED, limit=1) for key in latest_about(keys, what=[FAILED])}
    newest = {key: entries[0] for key, entries in shown.items() if entries}
    return sorted(
        (
            FailedCondition(
                clause=keys[key], times=count_about(key, what=FAILED), last_at=entry.at,
                last_on=entry.about[1] if entry.about[0].startswith("R-") else entry.about[0],
                why=str(entry.detail["why"]),
            )
            for key, entry in newest.items()
            if since is None or entry.at >= since
        ),
        key=lambda each: each.last_at, reverse=True,
    )  # fmt: skip


def unassigned_use(weighed: Weighed, *, about: tuple[str, ...]) -> list[Step]:
    """An entry where somebody uses what nobody was given, or what our sources give to two: an engineer's matter, not a
    customer's."""
    attribution = weighed.attribution
    if nothing_follows(weighed.verdict):
        return []
    if Use.FINDING not in attribution.grade.allows and attribution.reason is not AttributionReason.UNASSIGNED:
        return []
    detail = {
        "address": weighed.conduct.offender,
        "reason": attribution.reason,
        "window": [attribution.earliest, attribution.latest],
    }
    return [("finding.unassigned_use", list(about), detail)]


def outcome_without_case(weighed: Weighed) -> tuple[ReportOutcome, str] | None:
    """What becomes of an incident that belongs into no case, and why; None for one that does."""
    verdict, attribution = weighed.verdict, weighed.attribution
    match verdict.disposition:
        case Disposition.NOT_OURS:
            return ReportOutcome.NOT_OURS, verdict.reason
        case Disposition.TOO_OLD:
            return ReportOutcome.TOO_OLD, verdict.reason
        case Disposition.ASK_COMPLAINANT:
            of_time = verdict.reason in (Reason.TIME_AHEAD, Reason.TIME_UNREAD)
            return ReportOutcome.NEEDS_DETAIL, verdict.reason if of_time else attribution.reason
        case Disposition.UNASSIGNED:
            return ReportOutcome.WITH_A_PERSON, verdict.reason
        case Disposition.NOTHING:
            raise AssertionError("whoever complained can be asked")
    if verdict.clause is None or attribution.customer is None or verdict.reason is Reason.READER_UNSURE:
        return ReportOutcome.WITH_A_PERSON, verdict.reason
    return None


def as_reachable(verdict: Verdict, customer: Customer) -> Verdict:
    """The verdict; a person decides where it opens a case against somebody who cannot be written to."""
    gone = customer.standing is Standing.TERMINATED
    if verdict.disposition is not Disposition.OPEN_CASE or (customer.representative is not None and not gone):
        return verdict
    reason = Reason.CUSTOMER_GONE if gone else Reason.NO_REPRESENTATIVE
    return replace(verdict, disposition=Disposition.PERSON, reason=reason)


def nothing_follows(verdict: Verdict) -> bool:
    """Whether what was measured does not even amount to what a clause asks for."""
    return verdict.disposition is Disposition.NOTHING and verdict.reason is Reason.BELOW_THRESHOLD
