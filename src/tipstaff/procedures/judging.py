"""What was alleged or measured is attributed at its time and judged; the question and the answer go on record."""

from dataclasses import dataclass
from datetime import datetime

from tipstaff.cases.queries import open_case_of, strikes_of
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.policy import Clause, Edition, edition_in_force, judge
from tipstaff.policy.past import keep_question
from tipstaff.policy.replay import treatment_digest, treatment_of
from tipstaff.policy.strikes import count as count_strikes
from tipstaff.sensors.queries import measured_of_case
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Conduct,
    Disposition,
    History,
    Matter,
    Reason,
    Trust,
    Use,
    Verdict,
)

from .desk import Desk
from .shadow import ask_in_the_shadow


def matters_of_case(case: str) -> list[Matter]:
    """Everything that a case is about: the incidents of its reports, then what we measured ourselves."""
    reported = (incident for report in reports_of_case(case) for incident in report.incidents)
    return [*reported, *measured_of_case(case)]


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
) -> Weighed:
    """What the policy says of it: reads only, decides nothing."""
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


def history_of(conduct: Conduct, attribution: Attribution, *, edition: Edition, at: datetime) -> History:
    """The holder's strikes that count under `edition`, and the case that it would join."""
    clause = clause_of(edition, conduct)
    if clause is None or attribution.customer is None:
        return History()
    lifetime = edition.repeats_of(clause.group).lifetime
    strikes = strikes_of(attribution.customer, group=clause.group, since=at - lifetime)
    open_case = open_case_of(attribution.customer, group=clause.group, service=attribution.service)
    return History(
        cases_before=count_strikes(strikes, group=clause.group, at=at, lifetime=lifetime),
        open_case=open_case.key if open_case else None,
    )


def clause_of(edition: Edition, conduct: Conduct) -> Clause | None:
    """The clause that a person named, else the one to which it leads; None when neither is in the edition.

    A clause that a person named in today's edition may not stand in the one that was in force then: nobody is held to
    words that were not.
    """
    cited = _cited(conduct)
    return edition.clause_of(conduct) if cited is None else edition.clause_named(cited)


def edition_at(editions: tuple[Edition, ...], *, conduct: Conduct, received_at: datetime) -> Edition:
    """The edition in force when the conduct happened; before the first one, today's, whose judge says so."""
    happened_at = conduct.moment.at if conduct.moment is not None else received_at
    in_force = [e for e in editions if e.effective_at <= happened_at]
    return max(in_force, key=lambda e: e.effective_at) if in_force else edition_in_force(editions, at=received_at)


def _cited(conduct: Conduct) -> str | None:
    return conduct.cited if isinstance(conduct, Allegation) else None


def record_judgement(weighed: Weighed, *, about: tuple[str, ...], desk: Desk, at: datetime, **detail: object) -> None:
    """Put on record what was asked and answered, what the edition in the shadow would have said, and whether somebody
    uses what nobody was given. `about` names the incident or sighting first."""
    verdict, attribution, conduct = weighed.verdict, weighed.attribution, weighed.conduct
    record(
        "incident.judged", at=at, actor="worker", about=[*about, *([desk.shadow.key] if desk.shadow else [])],
        grade=attribution.grade, attribution=attribution.reason, customer=attribution.customer,
        service=attribution.service, downstream=attribution.downstream,
        window=[attribution.earliest, attribution.latest],
        proof=[
            {
                "holding": h.key, "tier": h.tier, "kind": h.kind, "prefix": h.prefix, "customer": h.customer,
                "ports": [h.port_first, h.port_last], "from": h.held_from, "until": h.held_until, "source": h.source,
            }
            for h in attribution.proof
        ],
        sites=[
            {
                "host_name": s.host_name, "address": s.address, "customer": s.customer, "service": s.service,
                "from": s.since, "until": s.until,
            }
            for s in attribution.sites
        ],
        logs=[
            {
                "source": b.source, "realm": b.realm, "prefix": b.prefix, "ports": [b.port_first, b.port_last],
                "possible": [b.possible_from, b.possible_until], "sure": [b.sure_from, b.sure_until],
                "ending": b.ending, "subject": b.subject, "inside": b.inside, "file": b.file, "offset": b.offset,
                "stretch": b.stretch, "sha256": b.sha256, "clock_error_ms": round(b.clock_error_seconds * 1000),
            }
            for b in attribution.bindings
        ],
        clause=verdict.clause, edition=verdict.edition, edition_digest=weighed.edition.digest,
        disposition=verdict.disposition, reason=verdict.reason, explanation=verdict.explanation,
        basis={basis.fact: basis.value for basis in verdict.basis},
        asked=keep_question(
            conduct, history=weighed.history, received_at=weighed.received_at, trust=weighed.trust
        ),
        verdict=treatment_digest(treatment_of(verdict)),
        **detail,
    )  # fmt: skip
    if desk.shadow is not None:
        ask_in_the_shadow(
            desk.shadow, conduct, about=about[:2], attribution=attribution,
            applied=weighed.edition, verdict=verdict, trust=weighed.trust, received_at=weighed.received_at,
            history_under=lambda edition: history_of(conduct, attribution, edition=edition, at=at),
            at=at, actor="worker",
        )  # fmt: skip
    if nothing_follows(verdict):
        return
    if Use.FINDING in attribution.grade.allows or attribution.reason is AttributionReason.UNASSIGNED:
        # Somebody uses what nobody was given, or what our sources give to two: an engineer's matter, not a customer's.
        record(
            "finding.unassigned_use", at=at, actor="worker", about=list(about[:2]), address=conduct.offender,
            reason=attribution.reason, window=[attribution.earliest, attribution.latest],
        )  # fmt: skip


def nothing_follows(verdict: Verdict) -> bool:
    """Whether what was measured does not even amount to what a clause asks for."""
    return verdict.disposition is Disposition.NOTHING and verdict.reason is Reason.BELOW_THRESHOLD
