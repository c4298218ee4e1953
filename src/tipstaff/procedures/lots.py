"""Many incidents of one report, decided lot by lot: the same outcome as one by one, in few statements.

One by one (`complaint.decide`) is the reference, and a test holds the two equal. A lot is one transaction: a worker
that dies in it leaves nothing of it, and whoever comes after finds which incidents are still undecided.

Locks are taken in the order of all procedures: cases before reports, cases in the order of their keys.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from tipstaff.cases.operations import Contended, Joining, join_or_open_all
from tipstaff.cases.queries import get_case, strikes_of_all
from tipstaff.intake.operations import DecidedMeanwhile, Settled, settle_incidents, split_incident_key
from tipstaff.intake.queries import SAME_EVENT_WITHIN, Telling, places_of, teller_of, told_elsewhere, undecided
from tipstaff.ledger.operations import Step, record_all
from tipstaff.policy import Edition
from tipstaff.registry.queries import get_customers
from tipstaff.sensors.queries import measured_of_any
from tipstaff.words import (
    Allegation,
    Attribution,
    Disposition,
    EvidenceGrade,
    History,
    Incident,
    Reason,
    Report,
    ReportOutcome,
    Strike,
)

from .books import look_up_in_books
from .corroboration import seen_by_us
from .desk import Desk
from .judging import (
    Weighed,
    as_reachable,
    asides,
    clause_of,
    edition_at,
    history_of,
    judged_entry,
    outcome_without_case,
    trust_in_words,
    weigh,
)
from .offender import who_did_them
from .shadow import ask_in_the_shadow
from .trust import Belief

MANY = 20
"""From so many incidents on, lots are worth their overhead."""
LOT = 1000
"""Incidents in a transaction: what a kill undoes, and what is held in memory beside the report itself."""
TRIES = 5


class Busy(Exception):
    """Others were at the same cases again and again; the job comes back later."""

    permanent = False


class Event(NamedTuple):
    """What makes two tellings one event, but for its time."""

    type: str
    source: str
    port: int | None
    url: str | None
    domain: str | None


class Lots:
    """The incidents of one report on their way through the judge."""

    def __init__(self, report: Report, *, belief: Belief, desk: Desk) -> None:
        self._report, self._belief, self._desk = report, belief, desk
        self._places = places_of(report.key)
        editions = {e.digest: e for e in (*desk.editions, *([desk.shadow.edition] if desk.shadow else []))}.values()
        self._longest = max(e.repeats_of(clause.group).lifetime for e in editions for clause in e.clauses)
        """How long ago a strike may lie that counts."""
        self._histories: dict[tuple[str | None, ...], History] = {}
        self._strikes: dict[str, list[Strike]] = {}
        self._told: dict[Event, list[Incident]] = {}
        """What this report told before, and is in a case."""
        for incident in report.incidents:
            self._note(incident)

    def decide(self, incidents: Sequence[Incident], *, at: datetime) -> None:
        """Judge them, each lot in its own transaction."""
        for start in range(0, len(incidents), LOT):
            lot = incidents[start : start + LOT]
            for _ in range(TRIES):
                try:
                    with transaction.atomic():
                        decided = self._decide(lot, at=at)
                    break
                except (Contended, DecidedMeanwhile):
                    continue
            else:
                raise Busy(self._report.key)
            for incident in decided:
                self._note(incident)

    def _note(self, incident: Incident) -> None:
        if incident.case is not None:
            self._told.setdefault(_event(incident.allegation), []).append(incident)

    def _decide(self, lot: Sequence[Incident], *, at: datetime) -> list[Incident]:
        """One transaction; the incidents as they stand after it."""
        report, desk = self._report, self._desk
        open_ = undecided(report.key, numbers=[_n(i) for i in lot])
        incidents = [i for i in lot if _n(i) in open_]
        if not incidents:
            return []
        weighed = self._weigh([i.allegation for i in incidents], at=at)
        steps: list[Step] = []
        for incident, each in zip(incidents, weighed, strict=True):
            about, trusted = (incident.key, report.key, report.evidence), trust_in_words(each.trust)
            steps.append(judged_entry(each, about=about, desk=desk, **trusted))
            steps += asides(each, about=about[:2])
        record_all(steps, at=at, actor="worker")
        if desk.shadow is not None:
            for incident, each in zip(incidents, weighed, strict=True):
                self._ask_in_the_shadow(incident, each, at=at)
        settled = self._settle(incidents, weighed, at=at)
        settle_incidents(report.key, settled, at=at, actor="worker")
        return [
            Incident(key=i.key, allegation=i.allegation, outcome=s.outcome, reason=s.reason, case=s.case)
            for i, s in zip(incidents, settled, strict=True)
        ]

    def _weigh(self, allegations: Sequence[Allegation], *, at: datetime) -> list[Weighed]:
        """`weigh_allegation` for all of them."""
        received_at, editions = self._report.received_at, self._desk.editions
        attributions = who_did_them(allegations, received_at=received_at)
        self._belief.look_at({a.customer for a in attributions if a.customer is not None})
        applied = [edition_at(editions, conduct=a, received_at=received_at) for a in allegations]
        named = zip(allegations, attributions, strict=True)
        measured = measured_of_any({a.source for a, who in named if a.source is not None and who.customer is not None})
        self._histories.clear()
        self._strikes = strikes_of_all({a.customer for a in attributions if a.customer}, since=at - self._longest)
        weighed = []
        for allegation, attribution, edition in zip(allegations, attributions, applied, strict=True):
            trust = self._belief.trust(allegation, customer=attribution.customer)
            customer = attribution.customer
            if allegation.source in measured and seen_by_us(allegation, customer=customer, edition=edition):
                trust = replace(trust, evidence=EvidenceGrade.CORROBORATED)
            weighed.append(
                weigh(
                    allegation, attribution=attribution, edition=edition, trust=trust, received_at=received_at, at=at,
                    history=self._history(allegation, attribution, edition=edition, at=at),
                )
            )  # fmt: skip
        return weighed

    def _history(self, allegation: Allegation, attribution: Attribution, *, edition: Edition, at: datetime) -> History:
        """Strikes are ended cases: what this lot opens or joins does not change them."""
        clause = clause_of(edition, allegation)
        if clause is None or attribution.customer is None:
            return History()
        key = (attribution.customer, clause.group, edition.digest)
        known = self._histories.get(key)
        if known is None:
            strikes = self._strikes.get(attribution.customer)
            known = history_of(allegation, attribution, edition=edition, at=at, strikes=strikes)
            self._histories[key] = known
        return known

    def _ask_in_the_shadow(self, incident: Incident, weighed: Weighed, *, at: datetime) -> None:
        assert self._desk.shadow is not None, "asked by the caller"
        ask_in_the_shadow(
            self._desk.shadow, incident.allegation, about=(incident.key, self._report.key),
            attribution=weighed.attribution, applied=weighed.edition, verdict=weighed.verdict, trust=weighed.trust,
            received_at=self._report.received_at,
            history_under=lambda edition: self._history(
                incident.allegation, weighed.attribution, edition=edition, at=at
            ),
            at=at, actor="worker",
        )  # fmt: skip

    def _settle(self, incidents: Sequence[Incident], weighed: Sequence[Weighed], *, at: datetime) -> list[Settled]:
        """What became of each, once those that belong into a case are in it."""
        apart = [outcome_without_case(each) for each in weighed]
        bound = [place for place, outcome in enumerate(apart) if outcome is None]
        names = [weighed[place].attribution.customer or "" for place in bound]
        customers = get_customers(set(names))
        elsewhere = told_elsewhere(
            self._report.key, [incidents[place] for place in bound], received_at=self._report.received_at,
            teller=teller_of(self._report),
        )  # fmt: skip
        twice: dict[int, Telling | Incident] = {}
        joining: dict[int, Joining] = {}
        in_lot: dict[Event, list[Incident]] = {}
        for place, name in zip(bound, names, strict=True):
            incident, each, customer = incidents[place], weighed[place], customers.get(name)
            assert customer is not None, "attribution named a customer whom the registry does not know"
            event = _event(incident.allegation)
            tellings = [*self._told.get(event, ()), *in_lot.get(event, ())]
            before = self._earliest(elsewhere.get(_n(incident)), _first_near(incident, tellings))
            in_lot.setdefault(event, []).append(incident)
            if before is not None:
                twice[place] = before
                continue
            joining[place] = Joining(
                verdict=as_reachable(each.verdict, customer),
                customer=customer.key,
                customer_name=customer.name,
                brand=customer.brand,
                service=each.attribution.service,
                incident=incident.key,
                type=incident.allegation.type,
                resource=incident.allegation.offender,
                repeats=each.history.cases_before,
            )
        joined = join_or_open_all(list(joining.values()), evidence=self._report.evidence, at=at, actor="worker")
        settled: dict[str, Settled] = {}
        for (place, into), (case, opened) in zip(joining.items(), joined, strict=True):
            incident = incidents[place]
            if opened and (into.repeats or into.verdict.reason is Reason.NO_REPRESENTATIVE):
                begun = get_case(case)
                assert begun is not None, "it has just been opened"
                look_up_in_books(
                    begun, incident.allegation, into.verdict, repeats=into.repeats, desk=self._desk, at=at
                )  # fmt: skip
            to_person = into.verdict.disposition is Disposition.PERSON
            outcome = ReportOutcome.WITH_A_PERSON if to_person else ReportOutcome.FORWARDED
            settled[incident.key] = Settled(
                _n(incident), outcome, into.verdict.reason if opened or to_person else "JOINED", case
            )
        for place, incident in enumerate(incidents):
            alone, before = apart[place], twice.get(place)
            if alone is not None:
                settled[incident.key] = Settled(_n(incident), *alone)
            elif before is not None:
                # An earlier telling of this lot is settled by now: they are looked at in their order.
                its_case = before.case or settled[before.key].case
                settled[incident.key] = Settled(
                    _n(incident), ReportOutcome.DUPLICATE, f"SAME_AS {before.key}", its_case
                )
        return [settled[incident.key] for incident in incidents]

    def _earliest(self, other: Telling | None, own: Incident | None) -> Telling | Incident | None:
        """By when it was received, then by its place on record."""
        if other is None or own is None:
            return own or other
        mine = (self._report.received_at, self._places[_n(own)])
        return other if (other.received_at, other.place) < mine else own


def _n(incident: Incident) -> int:
    return split_incident_key(incident.key)[1]


def _event(allegation: Allegation) -> Event:
    return Event(allegation.type, str(allegation.source), allegation.source_port, allegation.url, allegation.domain)


def _first_near(incident: Incident, tellings: Sequence[Incident]) -> Incident | None:
    """The first of the same report's tellings whose time is near, or is not stated."""
    moment = incident.allegation.moment
    if moment is None:
        return tellings[0] if tellings else None
    for telling in tellings:
        other = telling.allegation.moment
        if other is None or abs(other.at - moment.at) <= SAME_EVENT_WITHIN:
            return telling
    return None
