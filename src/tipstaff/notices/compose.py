"""Compose a letter from a case's facts: `compose(kind, facts=...)`. Pure: no store, no clock, no network.

Two kinds of readers, two walls. A letter to a complainant is written from `facts.for_complainant()`, which holds no
customer's field at all; a letter to a customer from `facts.for_customer()`, which holds nothing of who complained.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from tipstaff.words import (
    LIFTED_WHEN,
    SEALED_TYPES,
    Announcer,
    Attachment,
    CaseOutcome,
    Degree,
    Direction,
    Incident,
    LetterKind,
    Measure,
    Missing,
    Moment,
    ReportOutcome,
    Scope,
    Selector,
    SourceKind,
    machine_named,
)

from .letters import FALLBACK, has_letter, letter_text, phrases
from .machine import xarf_reports
from .prose import PORTAL_LINK, UNBROKEN_SPACE, LacksAFact, Value, clean, render
from .redact import place_shown

__all__ = [
    "COMPLAINANT_KINDS",
    "PORTAL_LINK",
    "Draft",
    "Held",
    "LacksAFact",
    "LetterFacts",
    "SealedMatter",
    "compose",
    "language_for",
]

COMPLAINANT_KINDS: Final = frozenset(
    {
        LetterKind.ACKNOWLEDGEMENT,
        LetterKind.NEEDS_DETAIL,
        LetterKind.NOT_OURS,
        LetterKind.TOO_OLD,
        LetterKind.IN_TOUCH,
        LetterKind.OUTCOME,
    }
)
"""Letters to whoever complained. All others go to the customer's representative."""

POINTS_MAX = 10
"""So many incidents of one report are listed one by one; the rest are counted."""


CHANGES_MAX = 40
"""So many changed clauses are named in a letter; all of them stand on the page that it names."""


class SealedMatter(ValueError):
    """A matter of the sealed queue is never written about to a customer (clause row 41)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A composed letter. Where the body says `{{portal_link}}`, the link is put in at sending and never stored."""

    subject: str
    body: str
    language: str = FALLBACK
    """The language it is really written in: English where the wanted one lacks this kind."""
    html: str = ""
    """The same words as HTML, the inside of its body."""
    attachments: tuple[Attachment, ...] = ()
    """The same for machines: XARF reports, one for each place that the letter names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A row of the registry that names the customer."""

    what: str
    """A prefix or an address."""
    since: datetime
    until: datetime | None = None
    ports: tuple[int, int] | None = None
    """Where several share the address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFacts:
    """What a letter may say. Every field but the operator's is optional; a letter leaves out what is not given.

    A kind that cannot be written without a fact raises `LacksAFact` with the fact's name.
    """

    operator: str
    """The name that the letter is signed with."""
    abuse_contact: str
    """Where a reader may write."""
    language: str = FALLBACK
    """The reader's language; English where it is not written yet."""

    reports: tuple[str, ...] = ()
    """Keys of the reports in question; the first one is a complainant's reference."""
    expect_by: datetime | None = None
    """By when the reader hears from us again."""
    link_until: datetime | None = None
    """Until when the letter's link opens at the least; it is made when the letter goes."""

    # The customer and the case. None of these reaches a complainant.
    case: str = ""
    """`C-000123`."""
    customer: str = ""
    """The customer's name, for resellers and large accounts to tell their letters apart."""
    representative: str = ""
    """The name of the designated contact."""
    timezone: str = "UTC"
    """The representative's IANA zone: deadlines are given in it beside UTC."""
    report_count: int = 1
    """None (0) where nobody complained: the operator measured it."""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    """With several reports: the earliest and the latest event."""
    type: str = ""
    """XARF `category/type`."""
    resource: str = ""
    """The address, URL or host name complained about."""
    further: tuple[str, ...] = ()
    """The other addresses, URLs and names of the case that this letter is about."""
    port: int | None = None
    protocol: str = ""
    target: str = ""
    """The victim as stated; give it only where naming it does not name the reporter."""
    moment: Moment | None = None
    """When it happened, with its uncertainty."""
    source_kind: SourceKind = SourceKind.UNKNOWN
    """What kind of reporter; never which."""
    evidence: str = ""
    """Lines of `redact(...)`: never the raw excerpt."""
    held: tuple[Held, ...] = ()
    """Why we think it is the customer's: what was assigned to them, and when."""
    resold: bool = False
    """True for a reseller who is asked about a customer of theirs."""
    downstream: str = ""
    """That customer, as the reseller named them to us."""
    explanation: str = ""
    """How the policy applies, in a sentence or two."""
    reasons: tuple[str, ...] = ()
    """In place of the explanation: why it was decided so, a sentence each."""
    automated: bool = True
    """True when no person has looked at it yet."""
    clause: str = ""
    """`mail.unsolicited`."""
    clause_title: str = ""
    clause_text: str = ""
    edition: str = ""
    """`2026-01`."""
    what_to_do: tuple[str, ...] = ()
    """Steps that end the problem."""
    quoted_in: str = ""
    """The language of the clause's words and steps; empty where it is the letter's."""
    answer_by: datetime | None = None
    next_degree: Degree | None = None
    next_selector: Selector | None = None
    """With `next_degree`: the narrowest sufficient measure that follows silence, and what it touches."""
    what_happens_next: str = ""
    """In place of the sentence made from `next_degree` and `next_selector`."""
    keeps_working: str = ""
    """In place of the sentence made from the selector's scope."""
    measure: Measure | None = None
    """The measure that the letter is about. Its staff names and rejected candidates are not shown."""
    measure_why: str = ""
    """Why there is a measure, in place of "no answer by the deadline"; a ground of urgency comes before both."""
    answered: bool = False
    """They answered us before the measure: it does not follow silence."""
    lapsed: bool = False
    """The measure ended by its own time, and its case has not."""
    measure_detail: str = ""
    """A sentence more about the measure, for instance how it was shown to be in force or lifted."""
    case_outcome: CaseOutcome | None = None
    note: str = ""
    """One paragraph from a person at the desk to the customer."""
    counts_from: datetime | None = None
    """From when a changed policy counts; `edition` names it."""
    contact: str = ""
    """An address at which a complainant can settle the matter: only the letter that passes it on says it."""
    question: str = ""
    """The name of a question that we ask: `AQ-1f2e3d4c5b`."""
    edition_kept: str = ""
    """The edition that goes on counting, where the one that `edition` names was announced and does not come."""
    changes: tuple[str, ...] = ()
    """The titles of the clauses that change for the customer."""
    policy_link: str = ""
    """Where the difference can be read."""
    contacts: tuple[str, ...] = ()
    """To whom letters about complaints go now, the first first."""
    by: str = ""
    """Who of a customer's did what the letter tells of; for what a reseller passes on, the reseller's name."""
    webhook: str = ""
    """The host of a customer's program: its whole address is somebody's own words."""
    by_contact: str = ""
    """How the reseller who passes a case on is reached."""

    # The complainant's own report. None of these reaches a customer.
    reporter_reference: str = ""
    """The complainant's own reference."""
    received_at: datetime | None = None
    digest: str = ""
    """SHA-256 of the mail as received."""
    incidents: tuple[Incident, ...] = ()
    """What we understood. Only type, offender, port and time are shown."""
    missing: frozenset[Missing] = frozenset()
    outcome: ReportOutcome | None = None
    look_back_days: int | None = None
    """How far our records reach back."""
    elsewhere: tuple[tuple[str, Announcer], ...] = ()
    """Addresses that are not ours, and who likely holds each."""
    why: tuple[str, ...] = ()
    """Why it was decided so, a sentence each, in the letter's language: what holds for all of the report."""

    def for_complainant(self) -> "LetterFacts":
        """Return these facts without any of the customer's or the case's."""
        return _only(self, _EVERYBODY | _COMPLAINANT)

    def for_customer(self) -> "LetterFacts":
        """Return these facts without any of the complainant's."""
        return _only(self, frozenset(field.name for field in fields(self)) - _COMPLAINANT)


_EVERYBODY: Final = frozenset({"operator", "abuse_contact", "language", "reports", "expect_by", "link_until"})
_COMPLAINANT: Final = frozenset(
    {
        "reporter_reference", "received_at", "digest", "incidents", "missing", "outcome", "look_back_days", "elsewhere",
        "why",
    }
)  # fmt: skip


def compose(kind: LetterKind, *, facts: LetterFacts) -> Draft:
    """Return the letter's subject and body in the reader's language, else in English."""
    language = language_for(kind, wanted=facts.language)
    if kind in COMPLAINANT_KINDS:
        bare = facts.for_complainant()
        if kind is LetterKind.IN_TOUCH:  # The one letter that passes an address on; no other ever sees it.
            bare = replace(bare, contact=facts.contact)
        said = _complainant_context(bare, _Tongue(phrases(language)))
    else:
        if facts.type in SEALED_TYPES:
            raise SealedMatter(facts.case)
        said = _customer_context(facts.for_customer(), _Tongue(phrases(language)), language=language)
    written = render(letter_text(language, kind.value), said)
    return Draft(
        subject=written.subject,
        body=written.body,
        language=language,
        html=written.html,
        attachments=xarf_reports(facts) if kind is LetterKind.NOTICE else (),
    )


def language_for(kind: LetterKind, *, wanted: str) -> str:
    """Return the wanted language (`de`, `de-AT`) where the kind is written in it, else English."""
    language = wanted.partition("-")[0].lower()
    return language if has_letter(language, kind.value) else FALLBACK


def _only(facts: LetterFacts, kept: frozenset[str]) -> LetterFacts:
    bare = LetterFacts(operator=facts.operator, abuse_contact=facts.abuse_contact)
    return replace(bare, **{name: getattr(facts, name) for name in kept})


def _customer_context(facts: LetterFacts, tongue: "_Tongue", *, language: str) -> Mapping[str, Value]:
    measure = facts.measure
    selector = measure.selector if measure else facts.next_selector
    several, measured = facts.report_count > 1, facts.report_count == 0
    known_place = facts.resource or (place_shown(str(selector)) if selector else "")
    return {
        **_everyone_context(facts, tongue),
        "greeting": tongue.greeting(facts.representative),
        "case": clean(facts.case),
        "customer": clean(facts.customer),
        "type": tongue.type(facts.type),
        "Type": _capital(tongue.type(facts.type)),
        "where": tongue.place(facts.resource, port=facts.port, protocol=facts.protocol),
        "place": defanged(clean(known_place)),
        "further": tuple(defanged(clean(place)) for place in facts.further),
        "target": defanged(clean(facts.target)),
        "when": tongue.when(facts),
        "source": "" if measured else tongue.words("sources")[facts.source_kind.value],
        "report_count": str(facts.report_count),
        "several": "yes" if several else "",
        "one": "" if several or measured else "yes",
        "measured": "yes" if measured else "",
        "reports": ", ".join(map(clean, facts.reports[:POINTS_MAX])),
        "evidence": tuple(_evidence_line(line) for line in facts.evidence.splitlines() if line.strip()),
        "held": tuple(map(tongue.held, facts.held)),
        "resold": "yes" if facts.resold else "",
        "downstream": clean(facts.downstream, characters_max=200),
        "explanation": "" if facts.reasons else clean(facts.explanation, characters_max=1000),
        "quoted": tongue.quoted(facts.quoted_in, language=language),
        "in_english": ""
        if language == FALLBACK or not facts.explanation or facts.reasons
        else tongue.say("in_english"),
        "reasons": tuple(clean(reason, characters_max=600) for reason in facts.reasons),
        "automated": "yes" if facts.automated else "",
        "clause": clean(facts.clause),
        "clause_title": tongue.clause(facts.clause_title, facts.clause),
        "clause_text": clean(facts.clause_text, characters_max=4000),
        "edition": clean(facts.edition),
        "what_to_do": tuple(clean(step, characters_max=600) for step in facts.what_to_do),
        "answer_by": tongue.deadline(facts.answer_by, zone=facts.timezone),
        "answer_by_day": tongue.day(_in_zone(facts.answer_by, facts.timezone)) if facts.answer_by else "",
        "next_step": clean(facts.what_happens_next, characters_max=1000)
        or tongue.degree("will_do", facts.next_degree, facts.next_selector),
        "keeps_working": clean(facts.keeps_working, characters_max=1000) or tongue.keeps_working(selector),
        "measure": measure.key if measure else "",
        "measure_done": tongue.degree("have_done", measure.degree, measure.selector) if measure else "",
        "measure_what": tongue.selector(measure.selector) if measure else "",
        "measure_since": tongue.instant(measure.in_force_at) if measure else "",
        "measure_until": tongue.deadline(measure.until, zone=facts.timezone) if measure else "",
        "measure_lifted": tongue.instant(measure.lifted_at) if measure else "",
        "measure_why": clean(facts.measure_why, characters_max=1000),
        "answered": "yes" if facts.answered else "",
        "lapsed": "yes" if facts.lapsed else "",
        "measure_detail": tongue.technical(clean(facts.measure_detail, characters_max=1000)),
        "lifted_when": tongue.lifted_when(clean(measure.lifted_when, characters_max=600)) if measure else "",
        "ground": tongue.words("grounds")[measure.urgency.ground.value] if measure and measure.urgency else "",
        "case_outcome": tongue.words("case_outcomes")[facts.case_outcome.value] if facts.case_outcome else "",
        "note": clean(facts.note, characters_max=2000),
        "counts_from": tongue.deadline(facts.counts_from, zone=facts.timezone),
        "question": clean(facts.question),
        "edition_kept": clean(facts.edition_kept),
        "changes": tuple(clean(title, characters_max=200) for title in facts.changes[:CHANGES_MAX]),
        "more_changes": str(max(0, len(facts.changes) - CHANGES_MAX) or ""),
        "policy_link": clean(facts.policy_link, characters_max=400),
        "contacts": tuple(clean(each, characters_max=400) for each in facts.contacts),
        "by": clean(facts.by, characters_max=254),
        "webhook": clean(facts.webhook, characters_max=253),
        "by_contact": clean(facts.by_contact, characters_max=200),
    }


def _complainant_context(facts: LetterFacts, tongue: "_Tongue") -> Mapping[str, Value]:
    outcomes = tuple(dict.fromkeys(incident.outcome for incident in facts.incidents))
    if len(outcomes) > 1:
        said = tongue.words("outcomes")
        points = tuple(
            tongue.say(
                "point_outcome", outcome=said[outcome.value], places=tongue.places(facts.incidents, outcome=outcome)
            )
            for outcome in outcomes
        )
    else:
        points = tuple(tongue.point(incident) for incident in facts.incidents[:POINTS_MAX])
        if len(facts.incidents) > POINTS_MAX:
            points = (*points, tongue.say("and_more", count=len(facts.incidents) - POINTS_MAX))
    return {
        **_everyone_context(facts, tongue),
        "greeting": tongue.greeting(""),
        "report": clean(facts.reports[0]) if facts.reports else "",
        "reporter_reference": clean(facts.reporter_reference, characters_max=100),
        "received": tongue.instant(facts.received_at),
        "digest": clean(facts.digest),
        "points": points,
        "missing": tuple(tongue.words("missing")[each.value] for each in Missing if each in facts.missing),
        "outcome": tongue.words("outcomes")[facts.outcome.value] if facts.outcome else "",
        "duplicate": tongue.duplicate(facts.incidents, own=facts.reports),
        "forwarded": "yes" if facts.outcome in (ReportOutcome.FORWARDED, ReportOutcome.MEASURE_TAKEN) else "",
        "why": tuple(clean(reason, characters_max=600) for reason in facts.why),
        "look_back_days": str(facts.look_back_days) if facts.look_back_days else "",
        "contact": clean(facts.contact, characters_max=254),
        "elsewhere": tongue.elsewhere(facts.elsewhere),
    }


def _everyone_context(facts: LetterFacts, tongue: "_Tongue") -> dict[str, Value]:
    return {
        "operator": clean(facts.operator),
        "abuse_contact": clean(facts.abuse_contact),
        "expect_by": tongue.instant(facts.expect_by, seconds=False),
        "link_until": tongue.instant(facts.link_until, seconds=False),
    }


class _Tongue:
    """A language's way of saying things."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said

    def words(self, table: str) -> Mapping[str, str]:
        table_of: Mapping[str, str] = self._said[table]
        return table_of

    def say(self, phrase: str, **facts: object) -> str:
        return str(self._said[phrase]).format(**facts)

    def greeting(self, name: str) -> str:
        return self.say("greeting", name=clean(name)) if name else self.say("greeting_unnamed")

    def type(self, xarf_type: str) -> str:
        return self.words("types").get(xarf_type, self.words("types")["other"])

    def place(self, resource: str, *, port: int | None, protocol: str) -> str:
        address = defanged(clean(resource))
        if not address or port is None:
            return address
        if protocol:
            return self.say("address_and_port", address=address, protocol=clean(protocol).upper(), port=port)
        return self.say("address_and_port_only", address=address, port=port)

    def held(self, held: "Held") -> str:
        what = clean(held.what)
        if held.ports is not None:
            what = self.say("held_ports", first=held.ports[0], last=held.ports[1], address=what)
        if held.until is None:
            return self.say("held_since", what=what, since=self.instant(held.since))
        return self.say("held_until", what=what, since=self.instant(held.since), until=self.instant(held.until))

    def clause(self, title: str, clause: str) -> str:
        return self.say("clause_with_title", title=clean(title), clause=clean(clause)) if title else clean(clause)

    def point(self, incident: Incident) -> str:
        allegation = incident.allegation
        kind = _capital(self.type(allegation.type))
        if allegation.type in SEALED_TYPES:
            return self.say("point_sealed", type=kind)
        where = self.place(allegation.offender, port=allegation.source_port, protocol=allegation.protocol or "")
        if allegation.moment is None and allegation.unread_time is not None:
            return f"{kind}: {where}"
        if allegation.moment is None:
            return self.say("point_without_time", type=kind, where=where)
        return self.say("point", type=kind, where=where, when=self.moment(allegation.moment))

    def places(self, incidents: tuple[Incident, ...], *, outcome: ReportOutcome) -> str:
        """The offenders of one outcome, in a row."""
        incidents = tuple(incident for incident in incidents if incident.outcome is outcome)
        places = [
            self.type(incident.allegation.type)
            if incident.allegation.type in SEALED_TYPES
            else defanged(clean(incident.allegation.offender))
            for incident in incidents[:POINTS_MAX]
        ]
        more = len(incidents) - POINTS_MAX
        several = ", ".join(places)
        return f"{several} {self.say('and_more', count=more)}" if more > 0 else several

    def duplicate(self, incidents: tuple[Incident, ...], *, own: tuple[str, ...]) -> str:
        """With which earlier reports of the same reporter those stand that told of nothing new; else nothing.

        What the answered reports (`own`) tell twice among themselves is not said: nobody had told of it before.
        """
        before, reports, new = list[Incident](), dict[str, None](), False
        for incident in incidents:
            is_twice = incident.outcome is ReportOutcome.DUPLICATE and bool(incident.reason)
            report = incident.reason.rpartition(" ")[2].partition(".")[0] if is_twice else ""
            if report and report not in own:
                before.append(incident)
                reports[clean(report)] = None
            new = new or not report
        if not before:
            return ""
        several = ", ".join([*reports][:POINTS_MAX])
        if not new:
            return self.say("duplicate_of", reports=several)
        places = self.places(tuple(before), outcome=ReportOutcome.DUPLICATE)
        return self.say("duplicate_of_some", places=places, reports=several)

    def elsewhere(self, held: tuple[tuple[str, Announcer], ...]) -> tuple[str, ...]:
        """The likely holders, each with what it holds."""
        by_announcer: dict[Announcer, list[str]] = {}
        for address, announcer in held:
            by_announcer.setdefault(announcer, []).append(defanged(clean(address)))
        return tuple(
            self.say(
                "elsewhere",
                places=", ".join(dict.fromkeys(places)),
                network=defanged(clean(f"AS{announcer.number} {announcer.name}", characters_max=100)),
                country=f" ({clean(announcer.country, characters_max=10)})" if announcer.country else "",
                day=f"{announcer.as_of:%Y-%m-%d}",
            )
            for announcer, places in by_announcer.items()
        )

    def quoted(self, quoted_in: str, *, language: str) -> str:
        """That rule and steps are quoted in the language that binds, where that is not the letter's."""
        if quoted_in in ("", language):
            return ""
        return self.say("quoted_in", language=self.words("languages").get(quoted_in, quoted_in))

    def lifted_when(self, said: str) -> str:
        return self.say("lifted_when") if said == LIFTED_WHEN else self.technical(said)

    def technical(self, said: str) -> str:
        """What a program or a person noted in English, marked as such in another language."""
        return self.say("technical", said=said) if said else ""

    def day(self, at: datetime) -> str:
        return _unbroken(
            self.say(
                "date",
                weekday=self._said["weekdays"][at.weekday()],
                day=at.day,
                month=self._said["months"][at.month - 1],
                year=at.year,
            )
        )

    def instant(self, at: datetime | None, *, seconds: bool = True) -> str:
        if at is None:
            return ""
        at = at.astimezone(UTC)
        return f"{self.day(at)}, " + _unbroken(f"{at:{'%H:%M:%S' if seconds else '%H:%M'}} UTC")

    def deadline(self, at: datetime | None, *, zone: str) -> str:
        """An instant to the minute in UTC, and in the reader's own zone where that differs."""
        if at is None:
            return ""
        utc, local = self.instant(at, seconds=False), _in_zone(at, zone)
        if local.utcoffset() == at.astimezone(UTC).utcoffset():
            return utc
        said = "own_zone" if local.date() == at.astimezone(UTC).date() else "own_zone_other_day"
        return self.say(said, utc=utc, local=f"{local:%H:%M}", date=self.day(local), zone=zone)

    def moment(self, moment: Moment | None) -> str:
        if moment is None:
            return self.say("time_not_stated")
        if moment.of_days:
            first, last = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in moment.days)
            return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"
        if not moment.zone_stated:
            return self.say("zone_not_stated", time=f"{self.day(moment.at)}, {moment.at:%H:%M:%S}")
        time = self.instant(moment.at)
        if moment.error_seconds < 1:
            return time
        return self.say("give_or_take", time=time, error=self._length(moment.error_seconds))

    def when(self, facts: LetterFacts) -> str:
        """The span of several events; of one, or when a zone is missing, the moment with its uncertainty."""
        if facts.moment is not None and (facts.moment.of_days or not facts.moment.zone_stated):
            return self.moment(facts.moment)
        return self._interval(facts.first_seen, facts.last_seen) or self.moment(facts.moment)

    def selector(self, selector: Selector) -> str:
        said, scope = self.words("selectors"), selector.scope
        way = {Direction.OUT: "out", Direction.IN: "in", Direction.BOTH: "both"}[selector.direction]
        if (machine := machine_named(selector.session or "")) is not None:
            return said["machine"].format(place=machine[0], mac=machine[1])
        if selector.network is None:
            return said[scope.name.lower()].format(subject=defanged(place_shown(str(selector))))
        if scope is Scope.ROUTE:
            return said["route"].format(address=_network_text(selector), subject=selector.announced_on)
        form = "flow" if scope is Scope.FLOW else "network"
        return said[f"{form}_{way}"].format(
            address=_network_text(selector), protocol=(selector.protocol or "").upper(), port=selector.port
        )

    def degree(self, table: str, degree: Degree | None, selector: Selector | None) -> str:
        if degree is None:
            return ""
        what = self.selector(selector) if selector else ""
        if not what and degree is not Degree.NOTIFY:
            raise LacksAFact("next_selector")
        return self.words(table)[degree.name.lower()].format(what=what)

    def keeps_working(self, selector: Selector | None) -> str:
        if selector is None:
            return ""
        address = _network_text(selector) if selector.network is not None else ""
        return self.words("keeps_working")[selector.scope.name.lower()].format(address=address)

    def _interval(self, first: datetime | None, last: datetime | None) -> str:
        if first is None or last is None or first == last:
            return ""
        first, last = first.astimezone(UTC), last.astimezone(UTC)
        if first.date() == last.date():
            return f"{self.day(first)}, " + self.say("from_to", first=f"{first:%H:%M:%S}", last=f"{last:%H:%M:%S}")
        return self.say("first_to_last", first=self.instant(first), last=self.instant(last))

    def _length(self, seconds: float) -> str:
        for unit, length in (("hours", 3600), ("minutes", 60), ("seconds", 1)):
            if (seconds >= length and seconds % length == 0) or unit == "seconds":
                count = round(seconds / length)
                one, many = self._said["units"][unit]
                return str(one if count == 1 else many.format(n=count))
        raise AssertionError(seconds)


def defanged(place: str) -> str:
    """Return an address, URL or name that no mail program turns into a link and no filter takes for bait.

    `http://bad.example.net/a.b` becomes `hxxp://bad[.]example[.]net/a.b`; addresses stay as they are.
    """
    scheme, mark, rest = place.partition("://")
    if not mark:
        return place
    host, slash, path = rest.partition("/")
    return f"{scheme.replace('tt', 'xx')}://{host.replace('.', '[.]')}{slash}{path}"


def _evidence_line(line: str) -> str:
    line = "".join(c for c in line.replace("\t", "  ") if c.isprintable()).rstrip()[:200]
    line = line.replace("{{", "{ {").replace("}}", "} }")
    return re.sub(r"(?i)\bh(tt)p(?=s?://)", "hxxp", line)


def _network_text(selector: Selector) -> str:
    assert selector.network is not None
    network = selector.network
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _in_zone(at: datetime | None, zone: str) -> datetime:
    assert at is not None
    try:
        return at.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        return at.astimezone(UTC)


def _unbroken(text: str) -> str:
    return text.replace(" ", UNBROKEN_SPACE)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
