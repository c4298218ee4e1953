"""What a customer may see of a case: facts about themselves, and nothing by which a complainant could be known."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.crypto import salted_hmac

from tipstaff import wiring
from tipstaff.cases.queries import Member, Narrowed, get_case, lineage_of, list_cases, members_of, standing_key
from tipstaff.cases.rules import CLOCK_RUNS, ENDED, OPEN, answers_open_to
from tipstaff.enforcement.queries import measures_of_case, measures_on
from tipstaff.intake.queries import reports_of_case
from tipstaff.notices import place_shown, redact
from tipstaff.notices.queries import cases_told
from tipstaff.policy.clauses import Clause, Edition, Wording
from tipstaff.policy.sentences import spoken
from tipstaff.procedures.judging import matters_of_case
from tipstaff.procedures.letters import hidden_from_customer, quoted_in
from tipstaff.procedures.reasons import reasons_for_customer
from tipstaff.procedures.suspension import is_confirmed, left_to_of, terms_of, what_would_follow
from tipstaff.registry.queries import accounts_below, get_customer
from tipstaff.words import Answer, Candidate, Case, Conduct, Customer, Matter, Measure, MeasureState, Moment

from ..models import PortalPerson
from .checks import checks_for
from .people import PortalRole, role_on, roles_of

EVENTS_SHOWN, CASES_MAX, OPEN_MAX = 12, 200, 1000
READ_AT_A_TIME, READ_MAX = 50, 400
"""So many cases are read at once, and about so many for one page of an account's history."""
Place = tuple[datetime, str]
"""Where a page of cases ends: when the last one that was read was opened, and its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that is said to have happened, without who said it."""

    what: str
    port: int | None
    moment: Moment | None
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A measure in force on a customer, and why."""

    measure: Measure
    why: str
    """The rule's title in the customer's language, where its edition is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalPage:
    """All that the page shows."""

    case: Case
    measured_only: bool
    """Nobody reported it: we measured it ourselves."""
    zone: ZoneInfo | None
    """The representative's own zone, where it is not UTC."""
    clause: Clause | None
    wording: Wording | None
    """What the customer is shown of the clause: in their language, where the edition is translated."""
    language: str
    """The language of `reasons`."""
    quoted_in: str
    """The language of `wording`."""
    reasons: tuple[str, ...]
    """Why it is a case, a sentence each; empty where the case's own explanation says all that is known."""
    steps: tuple[str, ...]
    checks: tuple[str, ...]
    """What to go through for this kind of problem, beside what the edition says."""
    events: tuple[Event, ...]
    events_more: int
    measures: tuple[Measure, ...]
    elsewhere: tuple[Standing, ...]
    """What else is in force on this customer."""
    answers: tuple[Answer, ...]
    follows: Candidate | None
    """What silence leads to as things stand; None where a person decides."""


def portal_page(key: str, *, language: str = "") -> PortalPage | None:
    """The page of a case in a language; the one on record for who represents the customer where none is asked for."""
    # Whoever holds the link of a case that was merged sees the one in which it goes on: it is their own as well.
    case = get_case(standing_key(key))
    if case is None:
        return None
    key = case.key
    reports = reports_of_case(key)
    hide = hidden_from_customer(reports)
    members = members_of(key)
    incidents = _held_against(key)
    allegations = [matter.conduct for matter in incidents]
    hide |= {c.target for c in allegations if c.target}
    customer = get_customer(case.customer)
    language = language or (customer.representative.language if customer and customer.representative else "en")
    edition, clause = _clause(case)
    spoken_in = language.partition("-")[0].lower()
    return PortalPage(
        case=case,
        measured_only=not reports,
        zone=_zone(case),
        clause=clause,
        wording=(wording := edition.wording(clause.id, language=language) if edition and clause else None),
        language=spoken_in if spoken_in in spoken() else "en",
        quoted_in=quoted_in(edition, language=language) if edition else "en",
        reasons=reasons_for_customer(case, incidents=incidents, desk=wiring.desk(), language=language),
        steps=wording.steps_for(case.type) if wording else (),
        checks=checks_for(case, language=spoken_in),
        events=tuple(_event(a, hide) for a in allegations[:EVENTS_SHOWN]),
        events_more=max(0, len(allegations) - EVENTS_SHOWN),
        measures=tuple(m for m in measures_of_case(key) if m.state is not MeasureState.FAILED),
        elsewhere=_elsewhere(case, language=language),
        answers=answers_open_to(case, at=wiring.now()),
        follows=_follows(case, incidents, members),
    )


def accounts_of(person: PortalPerson, *, most: int) -> tuple[list[tuple[Customer, PortalRole]], int]:
    """The first `most` customers for whom somebody may see something, with what they may do, and how many there are:
    their own, and those below."""
    seen: dict[str, tuple[Customer, PortalRole]] = {}
    for key, role in sorted(roles_of(person).items()):
        for customer in filter(None, (get_customer(key), *accounts_below(key))):
            seen.setdefault(customer.key, (customer, role))
    shown = [(one, role_on(person, one.key) or role) for one, role in list(seen.values())[:most]]
    return shown, len(seen)


def known_cases(customer: str) -> list[Case]:
    """The cases that a customer was told of, the newest first: those that are open, and the newest others."""
    # An old case that still waits for them is not pushed out by newer ones: its clock runs.
    known = [
        case
        for states, most in ((OPEN, OPEN_MAX), (ENDED, CASES_MAX))
        for case in list_cases(
            states=states, customer=customer, order="newest", narrowed=Narrowed(unsealed=True), limit=most
        )
    ]
    return _told(sorted(known, key=lambda case: (case.opened_at, case.key), reverse=True))


def account_keys(person: PortalPerson) -> frozenset[str]:
    """The customers for whom somebody may see something: their own, and those below."""
    own = roles_of(person)
    return frozenset([*own, *(below.key for key in own for below in accounts_below(key))])


def known_page(
    customers: Collection[str], *, open: bool | None, before: Place | None, most: int
) -> tuple[list[Case], Place | None]:
    """The newest cases that these customers were told of, all or those that are open or not, `most` of them at the
    most; and where the next page begins, None after the last. `before` is where the page before ended.

    Where few of many cases were told, a page is short or empty though others follow: then the place may be that of a
    case that they were not told of, and goes out sealed alone.
    """
    states = None if open is None else OPEN if open else ENDED
    known: list[Case] = []
    read, wanted = 0, max(READ_AT_A_TIME, most + 1)
    while read < READ_MAX:
        narrowed = Narrowed(unsealed=True, customers=frozenset(customers), before=before)
        found = list_cases(states=states, order="newest", narrowed=narrowed, limit=wanted)
        known += _told(found)
        if len(known) > most:
            return known[:most], _place(known[most - 1])
        if len(found) < wanted:
            return known, None
        before, read = _place(found[-1]), read + len(found)
    return known, before


def _place(case: Case) -> Place:
    return case.opened_at, case.key


def known_among(keys: Collection[str], *, customer: str) -> frozenset[str]:
    """Which of these are cases that a customer was told of, however old."""
    narrowed = Narrowed(unsealed=True, keys=frozenset(keys))
    return frozenset(case.key for case in _told(list_cases(customer=customer, narrowed=narrowed, limit=len(keys))))


def in_force_on(customer: str) -> tuple[Measure, ...]:
    """What is in force on a customer because of cases that they were told of, the newest first."""
    found = [(m, standing_key(m.case)) for m in measures_on(customer) if m.state is MeasureState.IN_FORCE]
    known = known_among({case for _, case in found}, customer=customer)
    return tuple(measure for measure, case in found if case in known)


def _told(cases: Sequence[Case]) -> list[Case]:
    told = cases_told([case.key for case in cases])
    return [case for case in cases if case.key in told or cases_told(lineage_of(case.key))]


def places_of(key: str) -> list[str]:
    """The addresses, URLs and names that a case is about, as its page names them."""
    return list(dict.fromkeys(matter.conduct.offender for matter in _held_against(key) if matter.conduct.offender))


def places_by_name(key: str) -> dict[str, str]:
    """The same, each by a name that a form may carry: a place itself may say to whom a link in it was sent.

    The name is keyed, or whoever guesses an address could try whether it makes the same name.
    """
    return {
        salted_hmac("tipstaff.place", f"{key} {place}", algorithm="sha256").hexdigest()[:16]: place
        for place in places_of(key)
    }


def events_at(key: str, places: Collection[str]) -> tuple[Event, ...]:
    """What is said to have happened at these places of a case, and nowhere else."""
    matters = [matter for matter in _held_against(key) if matter.conduct.offender in places]
    hide = hidden_from_customer(reports_of_case(key)) | {m.conduct.target for m in matters if m.conduct.target}
    return tuple(_event(matter.conduct, hide) for matter in matters[:EVENTS_SHOWN])


def _held_against(key: str) -> list[Matter]:
    # What waits for a person's word is nothing that anybody holds against them yet.
    members = members_of(key)
    return [m for m in matters_of_case(key) if m.key in members and not members[m.key].waits]


def standing(measure: Measure, *, language: str) -> Standing:
    """A measure with the title of the rule that it is for."""
    case = get_case(measure.case)
    edition, clause = _clause(case) if case else (None, None)
    wording = edition.wording(clause.id, language=language) if edition and clause else None
    return Standing(measure=measure, why=wording.title if wording else "")


def _elsewhere(case: Case, *, language: str) -> tuple[Standing, ...]:
    found = []
    for measure in measures_on(case.customer):
        if measure.case == case.key or measure.state is not MeasureState.IN_FORCE:
            continue
        found.append(standing(measure, language=language))
    return tuple(found)


def _follows(case: Case, incidents: Sequence[Matter], members: Mapping[str, Member]) -> Candidate | None:
    """As the letter says it: weighed by the same rules, now."""
    if case.state not in CLOCK_RUNS or not incidents:
        return None
    first, terms = incidents[0].conduct, terms_of(case, members.get(incidents[0].key))
    left_to = left_to_of(first, matters=incidents, members=members)
    confirmed = is_confirmed(first, matters=incidents, members=members)
    return what_would_follow(terms, first, left_to=left_to, confirmed=confirmed, desk=wiring.desk(), at=wiring.now())


def _event(allegation: Conduct, hide: frozenset[str]) -> Event:
    own = frozenset(filter(None, (str(allegation.source or ""), allegation.url, allegation.domain)))
    return Event(
        what=place_shown(allegation.offender),
        port=allegation.source_port,
        moment=allegation.moment,
        evidence=redact(allegation.excerpt, hide=hide, keep=own),
    )


def _clause(case: Case) -> tuple[Edition | None, Clause | None]:
    edition = next((e for e in wiring.editions() if e.id == case.edition), None)
    return edition, edition.clause_named(case.clause) if edition is not None else None


def _zone(case: Case) -> ZoneInfo | None:
    customer = get_customer(case.customer)
    return zone_named(customer.representative.timezone if customer and customer.representative else "UTC")


def zone_named(name: str) -> ZoneInfo | None:
    """None for UTC, and for what is no zone."""
    if name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
