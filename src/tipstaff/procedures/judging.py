"""An allegation with its holder and the verdict on it, and how the record says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tipstaff.cases.queries import strikes_of
from tipstaff.ledger.operations import Step
from tipstaff.policy import Clause, Edition, edition_in_force, judge
from tipstaff.policy.past import keep_question
from tipstaff.policy.replay import treatment_digest, treatment_of
from tipstaff.policy.strikes import count as count_strikes
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Customer,
    Disposition,
    Grade,
    History,
    Incident,
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
from .offender import who_did_it
from .trust import Belief


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """An allegation with its holder and the verdict on it."""

    attribution: Attribution
    verdict: Verdict
    edition: Edition
    history: History
    trust: Trust


def weigh_allegation(
    allegation: Allegation, *, received_at: datetime, desk: Desk, at: datetime, belief: Belief | None = None
) -> Weighed:
    """Who did it, under which edition, and what the policy says: reads only, decides nothing."""
    attribution = who_did_it(allegation, received_at=received_at)
    trust = belief.trust(allegation, customer=attribution.customer) if belief is not None else Trust()
    happened_at = allegation.moment.at if allegation.moment is not None else received_at
    edition = edition_at(desk.editions, happened_at, received_at)
    history = history_of(allegation, attribution, edition=edition, at=at)
    verdict = judge(
        allegation,
        attribution=attribution,
        history=history,
        edition=edition,
        received_at=received_at,
        cited=allegation.cited,
        trust=trust,
    )
    return Weighed(attribution=attribution, verdict=verdict, edition=edition, history=history, trust=trust)


def history_of(
    allegation: Allegation,
    attribution: Attribution,
    *,
    edition: Edition,
    at: datetime,
    strikes: Sequence[Strike] | None = None,
) -> History:
    """The holder's strikes that count under `edition`. `strikes` are all that may, where they were looked up."""
    clause = clause_of(edition, allegation)
    if clause is None or attribution.customer is None:
        return History()
    lifetime = edition.repeats_of(clause.group).lifetime
    if strikes is None:
        strikes = strikes_of(attribution.customer, group=clause.group, since=at - lifetime)
    return History(cases_before=count_strikes(strikes, group=clause.group, at=at, lifetime=lifetime))


def clause_of(edition: Edition, allegation: Allegation) -> Clause | None:
    """The clause that a person named, else the one to which the type leads; None when neither is in the edition.

    A clause that a person named in today's edition may not stand in the one that was in force then: nobody is held to
    words that were not.
    """
    return edition.clause_for(allegation) if allegation.cited is None else edition.clause_named(allegation.cited)


def edition_at(editions: tuple[Edition, ...], happened_at: datetime, received_at: datetime) -> Edition:
    """The edition in force when the conduct happened; before the first one, today's, whose judge says so."""
    in_force = [e for e in editions if e.effective_at <= happened_at]
    return max(in_force, key=lambda e: e.effective_at) if in_force else edition_in_force(editions, at=received_at)


def outcome_without_case(weighed: Weighed) -> tuple[ReportOutcome, str] | None:
    """What becomes of an incident that belongs into no case, and why; None for one that does."""
    verdict, attribution = weighed.verdict, weighed.attribution
    match verdict.disposition:
        case Disposition.NOT_OURS:
            return ReportOutcome.NOT_OURS, verdict.reason
        case Disposition.TOO_OLD:
            return ReportOutcome.TOO_OLD, verdict.reason
        case Disposition.ASK_COMPLAINANT:
            ahead = verdict.reason is Reason.TIME_AHEAD
            return ReportOutcome.NEEDS_DETAIL, verdict.reason if ahead else attribution.reason
        case Disposition.UNASSIGNED:
            return ReportOutcome.WITH_A_PERSON, verdict.reason
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


def used_at(incident: Incident, weighed: Weighed) -> datetime | None:
    """When it shows that the customer used their service: what was done over it does, whoever is to blame."""
    moment = incident.allegation.moment
    return moment.at if weighed.attribution.grade is Grade.CONFIRMED and moment is not None else None


def unassigned_use(incident: Incident, report: Report, weighed: Weighed) -> list[Step]:
    """An entry where somebody uses what nobody was given, or what our sources give to two: an engineer's matter."""
    attribution = weighed.attribution
    if Use.FINDING not in attribution.grade.allows and attribution.reason is not AttributionReason.UNASSIGNED:
        return []
    detail = {
        "address": incident.allegation.offender,
        "reason": attribution.reason,
        "window": [attribution.earliest, attribution.latest],
    }
    return [("finding.unassigned_use", [incident.key, report.key], detail)]


def judged_entry(incident: Incident, report: Report, weighed: Weighed, *, desk: Desk) -> Step:
    """How the record says what was judged, and on what."""
    attribution, verdict, trust = weighed.attribution, weighed.verdict, weighed.trust
    about = [incident.key, report.key, report.evidence, *([desk.shadow.key] if desk.shadow else [])]
    return "incident.judged", about, {
        "grade": attribution.grade,
        "attribution": attribution.reason,
        "customer": attribution.customer,
        "service": attribution.service,
        "downstream": attribution.downstream,
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
        "clause": verdict.clause,
        "edition": verdict.edition,
        "edition_digest": weighed.edition.digest,
        "disposition": verdict.disposition,
        "reason": verdict.reason,
        "explanation": verdict.explanation,
        "basis": {basis.fact: basis.value for basis in verdict.basis},
        "asked": keep_question(
            incident.allegation, history=weighed.history, received_at=report.received_at, trust=trust
        ),
        "verdict": treatment_digest(treatment_of(verdict)),
        "evidence": trust.evidence,
        "authenticated": trust.authenticated,
        "flooding": trust.flooding,
        "reporter": [trust.reporter_upheld, trust.reporter_overturned],
    }  # fmt: skip
