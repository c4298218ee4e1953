"""Letters in the stories: what is known of a case or a report becomes a letter's facts, and the letter is queued."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import islice
from typing import Any

from tipstaff.cases.operations import SEALED_MATTER
from tipstaff.cases.queries import told_incidents
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import latest_about
from tipstaff.notices import Held, LetterFacts, compose, may_be_answered, place_shown, redact
from tipstaff.notices.compose import language_for
from tipstaff.notices.operations import queue_letter
from tipstaff.notices.queries import get_letter, letters_of_case, too_many_to
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.registry.queries import get_customer, is_network_of_ours
from tipstaff.words import (
    SEALED_TYPES,
    Announcer,
    AttributionReason,
    Case,
    Conduct,
    Customer,
    Entry,
    LetterKind,
    LetterState,
    Matter,
    Measure,
    Missing,
    Moment,
    Reason,
    Report,
    ReportOutcome,
    SourceKind,
    Tier,
)

from .answer_clock import answer_due
from .complainants_brand import brand_for_complainant
from .desk import Desk
from .judging import matters_of_case
from .links import REPORT_LINK_LASTS
from .reasons import INCIDENTS_MAX, reasons_for_complainant, reasons_for_customer

ANSWER_SHARE_WITHIN = timedelta(days=5)
"""By when a complainant is told that they will hear again."""


class EditionGone(LookupError):
    """An edition that cases are bound to was taken away."""


def tell_customer(
    kind: LetterKind,
    *,
    case: Case,
    customer: Customer,
    desk: Desk,
    at: datetime,
    actor: str,
    once: str = "",
    measure: Measure | None = None,
    incidents: frozenset[str] | None = None,
    reports: list[Report] | None = None,
    more: Mapping[str, Any] | None = None,
) -> str | None:
    """Queue a letter to the representative; its key, or None when there is nobody to write to.

    It is about all of the case, or only about these `incidents` of it. `reports` are the case's, where they were read
    already.
    """
    if case.resource == SEALED_MATTER:
        record("letter.not_written", at=at, actor=actor, about=[case.key], kind=kind, why="SEALED_MATTER")
        return None
    to = customer.representative
    if to is None:
        record("letter.nobody_to_tell", at=at, actor=actor, about=[case.key, customer.key], kind=kind)
        return None
    desk = desk.speaking_to(customer)
    facts = _customer_facts(
        kind, case, customer, desk=desk, at=at, actor=actor, measure=measure, only=incidents, more=more or {},
        reports=reports_of_case(case.key) if reports is None else reports,
    )  # fmt: skip
    draft = compose(kind, facts=facts)
    key = queue_letter(
        kind,
        once=once or f"{kind}:{case.key}",
        to=to.email,
        draft=draft,
        case=case.key,
        report=None,
        at=at,
        actor=actor,
        held=not desk.mail_out_ready,
        brand=desk.brand,
    )
    desk.enqueue("letters", "all")
    return key


def tell_complainant(
    kind: LetterKind,
    *,
    report: Report,
    once: str,
    desk: Desk,
    at: datetime,
    also: Sequence[str] = (),
    contact: str = "",
    actor: str = "worker",
) -> str | None:
    """Queue a letter to who complained; None when no answer may be sent, with the reason on record.

    `also` are further reports of the same reporter that the letter answers; `contact` is an address that it passes on.
    A storm of reports is not answered one by one, but an outcome is always told.
    """
    reporter = report.reading.reporter if report.reading else None
    to = (reporter.address if reporter else "") or report.sender
    if not may_be_answered(to, desk.own_addresses):
        record("letter.not_answered", at=at, actor="worker", about=[report.key], kind=kind, why="NO_ANSWER_ADDRESS")
        return None
    if kind is not LetterKind.OUTCOME and too_many_to(to, at=at, hourly_max=desk.complainant_hourly_max):
        record("letter.not_answered", at=at, actor="worker", about=[report.key], kind=kind, why="TOO_MANY_TO_THEM")
        return None
    desk = desk.speaking_as(brand_for_complainant(report, desk=desk))
    language = language_for(kind, wanted=language_of_complainant(report, desk=desk, at=at))
    facts = LetterFacts(
        operator=desk.operator,
        abuse_contact=desk.abuse_address,
        language=language,
        reports=(report.key, *also),
        reporter_reference=reporter.reference if reporter else "",
        received_at=report.received_at,
        digest=report.evidence,
        incidents=report.incidents,
        missing=_missing(report),
        expect_by=at + ANSWER_SHARE_WITHIN,
        link_until=at + REPORT_LINK_LASTS,
        outcome=report.outcome,
        look_back_days=_look_back_days(report, desk=desk),
        elsewhere=_elsewhere(report, desk=desk, at=at) if kind is LetterKind.NOT_OURS else (),
        contact=contact,
        why=() if kind is LetterKind.OUTCOME else _why_of_all(report, desk=desk, language=language),
    )
    key = queue_letter(
        kind,
        once=once,
        to=to,
        draft=compose(kind, facts=facts),
        case=_one_case(report),
        report=report.key,
        in_reply_to=reporter.message_id if reporter else "",
        at=at,
        actor=actor,
        held=not desk.mail_out_ready,
        brand=desk.brand,
    )
    desk.enqueue("letters", "all")
    return key


def _elsewhere(report: Report, *, desk: Desk, at: datetime) -> tuple[tuple[str, Announcer], ...]:
    """Who likely holds what is not ours. Nothing is said of what must not be shown (clause row 41), nor where the
    likely holder would be ourselves or a customer: then it is our registry that lacks something."""
    meant = dict.fromkeys(
        i.allegation.source
        for i in report.incidents
        if i.outcome is ReportOutcome.NOT_OURS and i.allegation.source and i.allegation.type not in SEALED_TYPES
    )
    named = ((address, desk.announcer_of(address)) for address in islice(meant, INCIDENTS_MAX) if address is not None)
    return tuple(
        (str(address), announcer)
        for address, announcer in named
        if announcer is not None and not is_network_of_ours(announcer.number, at=at)
    )


def language_of_complainant(report: Report, *, desk: Desk, at: datetime) -> str:
    """The language in which they wrote, where the reader knows it; else the one of the operator's policy."""
    written_in = report.reading.reporter.language if report.reading else ""
    return written_in or edition_to_go_by(desk.editions, at=at).locale


def _why_of_all(report: Report, *, desk: Desk, language: str) -> tuple[str, ...]:
    """Why it was decided so: the sentences that hold for everything in the report, so that none is read of another."""
    told = reasons_for_complainant(report, desk=desk, language=language)
    if not told or len(told) < max(report.incident_total, len(report.incidents)):
        return ()
    first, *others = told.values()
    return tuple(reason for reason in first if all(reason in each for each in others))


def _look_back_days(report: Report, *, desk: Desk) -> int | None:
    """How far back anything is looked into, where that is why this report is not: under the editions by which it was
    judged. Of several the fewest days: what is older than most is older than that. None where no record says."""
    if report.outcome_reason != Reason.BEYOND_LOOK_BACK:
        return None
    judged = latest_about([i.key for i in report.incidents], what=["incident.judged"]).values()
    applied = {e.detail.get("edition") for e in judged if e.detail.get("reason") == Reason.BEYOND_LOOK_BACK}
    return min((e.look_back.days for e in desk.editions if e.id in applied), default=None)


def warned_by(case: str) -> str | None:
    """The first letter that warned of a measure, if it was handed over: no measure without it (clause row 63)."""
    return next(iter(notices_sent(case)), None)


def notices_sent(case: str) -> dict[str, datetime]:
    """The notices that were handed over about what is in the case, and when; first one first.

    What was merged into it, or was split off another, was told by letters of that one: they count on.
    """
    own = letters_of_case(case)
    elsewhere = {told for told in told_incidents(case).values() if told} - {letter.key for letter in own}
    sent = {
        letter.key: letter.sent_at
        for letter in (*own, *filter(None, map(get_letter, sorted(elsewhere))))
        if letter.kind is LetterKind.NOTICE
        and letter.state is LetterState.SENT
        and letter.sent_at is not None
        and not letter.diverted
    }
    return dict(sorted(sent.items(), key=lambda each: each[1])) if elsewhere else sent


def edition_named(desk: Desk, id: str) -> Edition:
    """The edition that a case is bound to."""
    for edition in desk.editions:
        if edition.id == id:
            return edition
    raise EditionGone(f"edition {id}, to which a case is bound, is not there any more; put its folder back.")


def _customer_facts(
    kind: LetterKind,
    case: Case,
    customer: Customer,
    *,
    desk: Desk,
    at: datetime,
    actor: str,
    measure: Measure | None,
    only: frozenset[str] | None,
    reports: list[Report],
    more: Mapping[str, Any],
) -> LetterFacts:
    representative = customer.representative
    assert representative is not None, "checked by the caller"
    edition = edition_named(desk, case.edition)
    wording = edition.wording(case.clause, language=representative.language)
    incidents = [m for m in matters_of_case(case.key, reports=reports) if only is None or m.key in only]
    allegations = [m.conduct for m in incidents]
    read = incidents if len(incidents) <= INCIDENTS_MAX else incidents[:HELD_LOOKED_AT]
    judged = latest_about([m.key for m in read], what=["incident.judged"])
    named = dict.fromkeys(a.offender for a in allegations if a.offender) or [case.resource]
    places = list(dict.fromkeys(map(place_shown, named)))
    first = allegations[0] if allegations else None
    moments = sorted(a.moment.at for a in allegations if a.moment is not None and _is_instant(a.moment))
    facts: dict[str, Any] = {
        "operator": desk.operator,
        "abuse_contact": desk.abuse_address,
        "language": representative.language,
        "case": case.key,
        "customer": customer.name,
        "representative": representative.name,
        "timezone": representative.timezone,
        "reports": tuple(r.key for r in reports),
        "report_count": len(reports),
        "first_seen": moments[0] if moments else None,
        "last_seen": moments[-1] if moments else None,
        "type": case.type,
        "resource": places[0],
        "further": tuple(places[1:]),
        "held": _held(case, [judged[i.key] for i in incidents[:HELD_LOOKED_AT] if i.key in judged]),
        **_resold([judged[i.key] for i in incidents if i.key in judged]),
        "explanation": case.explanation,
        "reasons": _reasons(kind, case, incidents, judged, language=representative.language, desk=desk),
        "clause": case.clause,
        "clause_title": wording.title,
        "clause_text": wording.text,
        "edition": case.edition,
        "what_to_do": wording.steps_for(case.type),
        "quoted_in": quoted_in(edition, language=representative.language),
        "answer_by": _answer_by(case, fresh=only is not None, desk=desk, at=at),
        "measure": measure,
        "source_kind": _source_kind(reports),
        "automated": actor == "worker",
        "case_outcome": case.outcome,
    }
    if first is not None:
        hide = hidden_from_customer(reports) | {c.target for c in allegations if c.target and len(c.target) >= 3}
        facts |= {
            "port": first.source_port,
            "protocol": first.protocol or "",
            "moment": first.moment,
            "evidence": redact(first.excerpt, hide=hide, keep=_kept(first)),
        }
    return LetterFacts(**{**facts, **more})


def _is_instant(moment: Moment) -> bool:
    """Whether it can be told as an instant in UTC."""
    return moment.zone_stated and not moment.of_days


def _reasons(
    kind: LetterKind, case: Case, incidents: list[Matter], judged: Mapping[str, Entry], *, language: str, desk: Desk
) -> tuple[str, ...]:
    """Why it was decided so, for the letter that says it, in the language that the letter is written in."""
    if kind is not LetterKind.NOTICE:
        return ()
    written_in = language_for(kind, wanted=language)
    return reasons_for_customer(case, incidents=incidents, desk=desk, judged=judged, language=written_in)


def quoted_in(edition: Edition, *, language: str) -> str:
    """The language in which a letter in `language` quotes the policy: its own where it is translated, else the binding
    one."""
    said = edition.said_in(language)
    return (said.locale if said is not None else edition.locale).partition("-")[0].lower()


def _held(case: Case, judged: list[Entry]) -> tuple[Held, ...]:
    """The registry's rows that named the customer when these incidents were judged, each once."""
    rows: dict[str, Held] = {}
    for entry in judged:
        proof = entry.detail.get("proof")
        for row in proof if isinstance(proof, list) else ():
            if row.get("customer") != case.customer:
                continue
            whole = row["ports"] == [0, 65535]
            network = ip_network(row["prefix"])
            what = str(network.network_address) if network.num_addresses == 1 else str(network)
            until = row.get("until")
            rows[str(row["holding"])] = Held(
                what=what,
                since=datetime.fromisoformat(row["from"]),
                until=datetime.fromisoformat(until) if until else None,
                ports=None if whole else (row["ports"][0], row["ports"][1]),
            )
    return tuple(rows.values())[:HELD_SHOWN]


def _resold(judged: list[Entry]) -> dict[str, Any]:
    """Where the answer stopped at a reseller: that they are asked about a customer of theirs, and about which one."""
    below = {str(e.detail["downstream"]) for e in judged if e.detail.get("downstream")}
    proofs = [e.detail.get("proof") for e in judged]
    rows = [row for proof in proofs if isinstance(proof, list) for row in proof]
    stopped = any(e.detail.get("attribution") == AttributionReason.ONE_RESELLER for e in judged)
    if not (below or stopped or any(row.get("tier") == Tier.RESELLER for row in rows)):
        return {}
    named = get_customer(below.pop()) if len(below) == 1 else None
    return {"resold": True, "downstream": f"{named.name} ({named.key})" if named is not None else ""}


HELD_LOOKED_AT, HELD_SHOWN = 50, 5


def _answer_by(case: Case, *, fresh: bool, desk: Desk, at: datetime) -> datetime:
    """When the time to answer ends; for what is named for the first time it begins now."""
    return answer_due(case, told_at=at, desk=desk) if fresh or case.due_at is None else case.due_at


_KINDS = {
    "arf": SourceKind.FEEDBACK_LOOP,
    "shadowserver": SourceKind.MEASUREMENT,
    "acns": SourceKind.RIGHTS_HOLDER,
}
"""What kind of reporter stands behind a form; free text may come from anybody."""


def _source_kind(reports: list[Report]) -> SourceKind:
    """The kind of reporter, where all reports are of one kind; never which one. Without any, we measured it."""
    if not reports:
        return SourceKind.OWN_SENSOR
    kinds = {_KINDS.get(r.reading.parser, SourceKind.UNKNOWN) for r in reports if r.reading is not None}
    return kinds.pop() if len(kinds) == 1 else SourceKind.UNKNOWN


def hidden_from_customer(reports: list[Report]) -> frozenset[str]:
    """Everything that could tell a customer who complained: addresses, names, references, message ids, victims."""
    hide: set[str] = set()
    for report in reports:
        hide.add(report.sender)
        if report.reading is not None:
            who = report.reading.reporter
            hide |= {who.address, who.name, who.reference, who.message_id}
            hide |= {who.address.rpartition("@")[2]} - {""}
        hide |= {i.allegation.target or "" for i in report.incidents}
    return frozenset(h for h in hide if len(h) >= 3)


def _kept(allegation: Conduct) -> frozenset[str]:
    """The customer's own address and item stay legible: they are what the letter is about."""
    return frozenset(filter(None, (str(allegation.source or ""), allegation.url, allegation.domain)))


def _missing(report: Report) -> frozenset[Missing]:
    reasons = {i.reason for i in report.incidents if i.outcome is ReportOutcome.NEEDS_DETAIL}
    missing: set[Missing] = set()
    if AttributionReason.SHARED_WITHOUT_PORT in reasons:
        missing.add(Missing.SOURCE_PORT)
    if AttributionReason.UNSEEN_CONNECTIONS in reasons:
        missing.add(Missing.DESTINATION)
    for incident in report.incidents:
        if incident.outcome is not ReportOutcome.NEEDS_DETAIL:
            continue
        moment = incident.allegation.moment
        if incident.reason == Reason.TIME_AHEAD:
            missing.add(Missing.TIME_AHEAD)
        elif moment is None:
            missing.add(Missing.TIME if incident.allegation.unread_time is None else Missing.TIME_UNREAD)
        elif moment.of_days:
            missing.add(Missing.TIME)
        elif not moment.zone_stated:
            missing.add(Missing.ZONE)
    if reasons and not missing:
        missing.add(Missing.TIME)
    return frozenset(missing)


def _one_case(report: Report) -> str | None:
    """The case to file the letter under; none when the report spans several, which must not learn of each other."""
    cases = {i.case for i in report.incidents if i.case}
    return cases.pop() if len(cases) == 1 else None
