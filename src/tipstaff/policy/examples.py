"""Tries an edition's examples: what each supposes becomes a question, and its answer is compared.

A report or a finding is put to the judge. An event is nobody's conduct: it is asked which clause answers it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Conduct,
    Grade,
    History,
    Moment,
    Sighting,
    StatedFacts,
    Verdict,
)

from .clauses import Clause, Edition, Example, Given, Subject
from .conditions import report_facts
from .judge import judge

_USUAL_REASONS = {
    Grade.CONFIRMED: AttributionReason.ONE_HOLDER,
    Grade.PROBABLE: AttributionReason.TIME_ASSUMED,
    Grade.AMBIGUOUS: AttributionReason.SHARED_WITHOUT_PORT,
    Grade.CONTRADICTED: AttributionReason.SEVERAL_HOLDERS_IN_WINDOW,
    Grade.NO_DATA: AttributionReason.BEFORE_RECORDS,
    Grade.NONE: AttributionReason.NOT_OUR_SPACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """An example that does not hold, and how."""

    clause: str
    example: str
    differences: tuple[str, ...]
    place: str = ""
    """Where the example stands, `2026-01/clauses/mail.unsolicited.toml:61`; empty for one from no file."""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.clause}/{self.example}: {'; '.join(self.differences)}"


def try_examples(edition: Edition) -> tuple[Mismatch, ...]:
    """Every example of `edition` that does not hold; empty when all do."""
    tried = (
        (clause, example, differences(example, clause=clause, edition=edition))
        for clause, example in edition.examples()
    )
    return tuple(
        Mismatch(clause=clause.id, example=example.id, differences=found, place=clause.place_of(example.line))
        for clause, example, found in tried
        if found
    )


def verdict_on(example: Example, *, clause: Clause, edition: Edition) -> Verdict:
    """What the judge says of what `example` supposes: a report, or a finding, which leads to its clause by itself."""
    given = example.given
    cited = clause.id if given.cited else None
    received_at = edition.effective_at + given.edition_age
    return judge(
        _conduct(given, received_at=received_at),
        attribution=_attribution(given),
        history=History(cases_before=given.cases_before),
        edition=edition,
        received_at=received_at,
        cited=cited,
    )


def differences(example: Example, *, clause: Clause, edition: Edition) -> tuple[str, ...]:
    """How the answer differs from what `example` expects; empty when it holds."""
    if example.given.event:
        return _event_differences(example, edition=edition)
    verdict, expect = verdict_on(example, clause=clause, edition=edition), example.expect
    widest = max((rung.degree for rung in verdict.ladder), default=None)
    compared: list[tuple[str, object, object]] = [
        ("disposition", expect.disposition, verdict.disposition),
        ("reason", expect.reason, verdict.reason),
        ("clause", expect.clause, verdict.clause),
    ]
    for name, wanted, found in (
        ("answer_within", expect.answer_within, verdict.answer_within),
        ("notice", expect.notice, verdict.notice),
        ("decides", expect.decides, verdict.decides),
        ("widest_degree", expect.widest_degree, widest),
        ("ports", expect.ports, verdict.measure_ports),
    ):
        if wanted is not None:
            compared.append((name, wanted, found))
    return tuple(
        f"{name} should be {_said(wanted)} and is {_said(found)}"
        + (_why_not(example, edition=edition) if name == "clause" and found is None else "")
        for name, wanted, found in compared
        if wanted != found
    )


def _event_differences(example: Example, *, edition: Edition) -> tuple[str, ...]:
    given, wanted = example.given, example.expect.clause
    answering = edition.clause_for_event(given.event, facts=given.facts)
    found = answering.id if answering is not None else None
    if found == wanted:
        return ()
    why = _why_not(example, edition=edition) if found is None else ""
    return (f"clause should be {_said(wanted)} and is {_said(found)}{why}",)


def _why_not(example: Example, *, edition: Edition) -> str:
    """What the conditions of the expected clause say of what is stated, and where they stand; empty without any."""
    given, wanted = example.given, example.expect.clause
    clause = edition.clause(wanted) if wanted is not None else None
    if clause is None:
        return ""
    of_report = not (given.event or given.finding)
    conditions = {key: c for key, c in (("when", clause.when), ("found_when", clause.found_when)) if c is not None}
    if of_report:
        conditions.pop("found_when", None)
    stated = _stated_in(given, edition=edition)
    failing = ((key, said) for key, c in conditions.items() if (said := c.why_not(**stated)) is not None)
    key, said = next(failing, (next(iter(conditions), ""), ""))
    if not key:
        return ""
    kind = "event" if given.event else "finding" if given.finding else "report"
    place = clause.place_of(clause.lines.get(key, 0))
    where = f" ({place})" if place else ""
    return f", because of its condition {said or f'it holds, but not for this {kind}'}{where}"


def _stated_in(given: Given, *, edition: Edition) -> dict[str, StatedFacts]:
    if given.event or given.finding:
        return {"facts": given.facts}
    conduct = _conduct(given, received_at=edition.effective_at + given.edition_age)
    return {"report": report_facts(conduct)} if isinstance(conduct, Allegation) else {}


def _conduct(given: Given, *, received_at: datetime) -> Conduct:
    by_name = given.subject is Subject.NAME
    if given.finding:
        return Sighting(
            kind=given.finding,
            facts=given.facts,
            # A sensor knows when it measured.
            moment=_moment(given.age, received_at=received_at, zone_stated=given.zone_stated) or Moment(received_at),
            source=None if by_name else IPv4Address("192.0.2.10"),
            source_port=given.source_port,
            url="http://shop.example.net/offer" if by_name else None,
            protocol=given.protocol,
            target_port=given.target_port,
        )
    return Allegation(
        type=given.type,
        source=None if by_name else IPv4Address("192.0.2.10"),
        source_port=given.source_port,
        url="http://shop.example.net/offer" if by_name else None,
        protocol=given.protocol,
        target_port=given.target_port,
        moment=_moment(given.age, received_at=received_at, zone_stated=given.zone_stated),
        confidence=given.confidence,
    )


def _moment(age: timedelta | None, *, received_at: datetime, zone_stated: bool) -> Moment | None:
    if age is None:
        return None
    at = received_at - age
    return Moment(at) if zone_stated else Moment.without_zone(at.replace(tzinfo=None))


def _attribution(given: Given) -> Attribution:
    named = given.grade in (Grade.CONFIRMED, Grade.PROBABLE)
    return Attribution(
        grade=given.grade,
        reason=given.attribution or _USUAL_REASONS[given.grade],
        customer="acct-1001" if named else None,
    )


def _said(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 3600:g} hours"
    return "nothing" if value is None else str(getattr(value, "name", value))
