"""What the files of an edition hold, key by key."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from tipstaff.words import (
    SEALED_TYPES,
    XARF_TYPES,
    Degree,
    Direction,
    NoticePosture,
    RetestCheck,
    Role,
    Scope,
    Severity,
)

from .clauses import (
    Actor,
    AutoStep,
    Clause,
    ClauseKind,
    Clock,
    ClockKind,
    ClockUnit,
    Edition,
    LegalForm,
    Opens,
    PortOf,
    Purpose,
    RecordKind,
    Subject,
)
from .clocks import is_region
from .conditions import REPORT_FACTS, BadCondition, Condition, names_in, read_condition
from .deciding import IDENTITY_ROWS, SPEECH_ROWS, TWO_PEOPLE_ROW
from .decomposition import policy_rows
from .form_examples import OCCURRENCE, read_examples, read_ports
from .kinds import ASKED_EVENTS, DESK_CLOCK, WATCHED_CLOCKS
from .ladder_form import read_repeats, read_rungs
from .toml_tables import E, Table, listed, perhaps

_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_EDITION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""It stands in addresses of pages, in letters and in a column of 32 characters."""
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_SERVICE = re.compile(r"(procedure|page|desk|command|detector): [a-z_-]+( [a-z_-]+)*")
_COLLECTED = re.compile(r"(source|detector): [a-z0-9_-]+")
_TEST = re.compile(r"tests/[\w/]+\.py::\w+(\[[^\]]+\])?")


def read_edition(head: Table, *, clauses: tuple[Clause, ...], thorough: bool) -> Edition:
    """What `edition.toml` says, with the clauses that were read."""
    effective_at = head.take("effective_at", datetime, "an instant with its zone")
    if isinstance(effective_at, datetime) and effective_at.tzinfo is None:
        head.report("effective_at has no zone; write it as 2026-01-01T00:00:00Z.", "effective_at")
    if not isinstance(effective_at, datetime) or effective_at.tzinfo is None:
        effective_at = datetime(1970, 1, 1, tzinfo=UTC)
    parameters = head.inner("parameters", "the table parameters") or head
    id = head.text("id")
    confidence = parameters.take("reader_confidence_min", float, "a number from 0.0 to 1.0")
    if not 0.0 <= confidence <= 1.0:
        parameters.report(f"reader_confidence_min must lie from 0.0 to 1.0, not {confidence}.", "reader_confidence_min")
    clocks = head.inner("clocks", "the table clocks", default=None)
    edition = Edition(
        id=id,
        title=head.text("title"),
        entity=head.text("entity"),
        locale=head.text("locale"),
        introduction=head.text("introduction"),
        effective_at=effective_at.astimezone(UTC),
        look_back=timedelta(days=parameters.whole("look_back_days", least=1)),
        memory=timedelta(days=parameters.whole("memory_days", least=1)),
        reader_confidence_min=confidence,
        in_progress=timedelta(hours=parameters.whole("in_progress_hours", least=1)),
        person_from=parameters.word("person_from", Degree),
        clauses=clauses,
        clocks=_read_clocks(clocks, thorough=thorough) if clocks else (),
        repeats=read_repeats(head),
        purposes=_read_purposes(head),
    )
    parameters.done()
    head.done()
    return edition


def _read_clocks(table: Table, *, thorough: bool) -> tuple[Clock, ...]:
    clocks = []
    for id, value in table.table.items():
        if not isinstance(value, dict):
            table.report(f'the clock "{id}" must be a table.', id)
            continue
        clock = table.under(value, "a clock", id)
        unit, amount = _read_length(clock, tuple(ClockUnit))
        kind, source = _read_kind(clock)
        not_before = clock.whole("not_before", default=0)
        if not_before > amount:
            clock.report(f"not_before ({not_before}) is later than the end ({amount}).", "not_before")
        clocks.append(
            Clock(
                id=id,
                kind=kind,
                clause=clock.text("clause"),
                unit=unit,
                amount=amount,
                not_before=not_before,
                source=source,
                text_at=_read_text_at(clock, source),
                verified=_read_verified(clock, source),
                region=_read_region(clock, unit, thorough=thorough, of_statute=kind is ClockKind.STATUTE),
                says=clock.text("says"),
            )
        )
        clock.done()
    return tuple(clocks)


def _read_purposes(head: Table) -> tuple[Purpose, ...]:
    table = head.inner("purposes", "the table purposes", default=None)
    purposes: list[Purpose] = []
    for id, value in table.table.items() if table else ():
        assert table is not None, "there is no item without its table"
        if not isinstance(value, dict):
            table.report(f'the purpose "{id}" must be a table.', id)
            continue
        one = table.under(value, "a purpose", id)
        collects = one.texts("collects")
        for name in collects:
            if not _COLLECTED.fullmatch(name):
                one.report(f'"{name}" is neither "source: NAME" nor "detector: NAME".', "collects", value=name)
            if twice := next((other.id for other in purposes if name in other.collects), ""):
                one.report(f'"{name}" stands under "{twice}" already.', "collects", value=name)
        purposes.append(
            Purpose(id=id, data=one.text("data"), why=one.text("why"), kept=one.text("kept"), collects=collects)
        )
        one.done()
    return tuple(purposes)


def _read_text_at(table: Table, source: str) -> str:
    text_at: str = table.text("text_at", default="")
    if text_at and not source:
        table.report("text_at says where a statute can be read; this clock names none.", "text_at")
    if text_at and not text_at.startswith("https://"):
        table.report("text_at is an address that begins with https://.", "text_at", value=text_at)
    return text_at


def _read_region(table: Table, unit: ClockUnit, *, thorough: bool, of_statute: bool = False) -> str:
    region = table.text("region", default="")
    if thorough and of_statute and not region and unit in (ClockUnit.DAYS, ClockUnit.MONTHS):
        table.report("a statute's clock in days or months names the region whose days of rest count.", unit.value)
    if unit is ClockUnit.BUSINESS_DAYS and not region:
        table.report("a clock in business days names the region whose holidays count.", unit.value)
    if region and not (_REGION.fullmatch(region) and (not thorough or is_region(region))):
        table.report(f'no holidays are known of the region "{region}"; one is written as US or DE-BE.', "region")
    return region


def _read_verified(table: Table, source: str) -> str:
    verified: str = table.text("verified", default="")
    if verified and not source:
        table.report("verified says what of a statute's words was read; this clock names none.", "verified")
    return verified


def _read_length(table: Table, units: tuple[ClockUnit, ...]) -> tuple[ClockUnit, int]:
    stated = [unit for unit in units if unit.value in table.table]
    if len(stated) != 1:
        table.report(f"{table.what} states its length once, in {listed([unit.value for unit in units])}.")
    for unit in stated:
        amount: int = table.whole(unit.value, least=1)
    return (stated[0], amount) if stated else (units[0], 1)


def _read_kind(table: Table) -> tuple[ClockKind, str]:
    kind: ClockKind = table.word("kind", ClockKind)
    source = table.text("source", default="")
    if kind is ClockKind.STATUTE and not source:
        table.report(f"{table.what} of a statute names its source.", "kind")
    if kind is ClockKind.OPERATOR and source:
        table.report(f"{table.what} of the operator's own has no source; only a statute's has.", "source")
    return kind, source


def read_clause(table: Table) -> tuple[Clause, Table]:
    """One clause, and its table for what can only be checked among all."""
    id = table.text("id")
    table.clause = id
    if id and not _ID.fullmatch(id):
        table.report(f'the id "{id}" is not of the form topic.what_is_meant, in small letters.', "id")
    acts = table.word("acts", Actor)
    usual = ClauseKind.CONDUCT if acts is Actor.USER else ClauseKind.PROCEDURE
    kind = table.word("kind", ClauseKind, default=usual)
    if kind is ClauseKind.CONDUCT and acts is not Actor.USER:
        table.report('only what a "user" does is conduct; the operator\'s is a "duty" or a "procedure".', "kind")
        kind = usual
    clause = Clause(
        id=id,
        rows=_read_rows(table),
        title=table.text("title"),
        text=" ".join(table.text("text").split()),
        acts=acts,
        kind=kind,
        when=_read_condition(table, "when"),
        automatic=tuple(_each(table, "automatic", AutoStep)),
        not_built=tuple(_each(table, "not_built", AutoStep)),
        legal_form=table.word("legal_form", LegalForm, default=None),
        record=table.word("record", RecordKind, default=RecordKind.CASE),
        two_people=table.take("two_people", bool, "true or false", default=False),
        left_to_people=table.text("left_to_people", default=""),
        tells_complainant=table.take("tells_complainant", bool, "true or false", default=True),
        what_to_do=table.texts("what_to_do", default=... if kind is ClauseKind.CONDUCT else []),
        proof=table.text("proof"),
        served_by=_read_services(table),
        awaits=table.text("awaits", default=""),
        proved_by=_read_tests(table),
        limits=table.text("limits", default=""),
        file=table.file,
        lines={key: table.line_of(key) for key in ("when", "found_when") if key in table.table},
    )
    clause = _read_conduct(table, clause) if clause.judged else _read_procedure(table, clause)
    if clause.awaits and clause.proved_by:
        table.report("a clause that awaits something is not proved yet; leave out awaits or proved_by.", "awaits")
    if strange := [step.value for step in clause.not_built if step not in clause.automatic]:
        table.report(f'not_built names "{strange[0]}", which automatic does not.', "not_built", value=strange[0])
    clause = replace(clause, examples=read_examples(table, id))
    table.done()
    return clause, table


def _read_procedure(table: Table, clause: Clause) -> Clause:
    """What a duty or a procedure has: the events that it answers, who decides, how it is told."""
    return replace(
        clause,
        events=_read_occurrences(table, "events"),
        notice=table.word("notice", NoticePosture, default=NoticePosture.NONE),
        withheld_until=_read_withheld(table),
        decides=table.word("decides", Role, default=None),
        ladder=read_rungs(table) if "ladder" in table.table else (),
    )


def _read_conduct(table: Table, clause: Clause) -> Clause:
    """What only a clause about the user's conduct has: types, group, clock, notice and remedies."""
    answer = table.inner("answer_within", "the time to answer")
    first, repeated, kind, source, clock = timedelta(), None, ClockKind.OPERATOR, "", None
    if answer is not None and answer.table:
        unit, amount = _read_length(answer, tuple(ClockUnit))
        region = _read_region(answer, unit, thorough=True)
        again = answer.whole(f"repeated_{unit.value}", default=None, least=1)
        kind, source = _read_kind(answer)
        if again is not None and answer.holds(unit.value, int) and again > amount:
            answer.report("a repeated report leaves more time than the first one.", f"repeated_{unit.value}")
        counted = Clock(
            id="answer", kind=kind, clause=clause.id, unit=unit, amount=amount, source=source, region=region
        )
        first = amount * counted.shortest_unit
        repeated = again * counted.shortest_unit if again is not None else None
        if region or unit in (ClockUnit.BUSINESS_DAYS, ClockUnit.MONTHS):
            clock = counted  # Hours, and days that name no region, are as long wherever the customer lives.
        answer.done()
    clause = replace(
        clause,
        applies_to=_read_types(table),
        subject=table.word("subject", Subject, default=None),
        group=table.text("group"),
        severity=table.word("severity", Severity),
        answer_within=first,
        answer_within_repeated=repeated,
        answer_clock=clock,
        answer_kind=kind,
        answer_source=source,
        findings=_read_occurrences(table, "findings"),
        found_when=_read_condition(table, "found_when"),
        retest=tuple(_each(table, "retest", RetestCheck)),
        notice=table.word("notice", NoticePosture),
        withheld_until=_read_withheld(table),
        opens=table.word("opens", Opens, default=Opens.CASE),
        decides=table.word("decides", Role, default=None),
        ladder=read_rungs(table),
        measure_ports=read_ports(table, "measure_ports"),
        measure_direction=table.word("measure_direction", Direction, default=Direction.BOTH),
        measure_port_of=table.word("measure_port_of", PortOf, default=None),
        what_to_do_for=_read_steps(table),
    )
    on_ports = clause.measure_ports or clause.measure_port_of or Scope.FLOW in {rung.scope for rung in clause.ladder}
    if on_ports and clause.measure_direction is Direction.BOTH and "measure_direction" not in table.table:
        table.report('a measure on ports needs a measure_direction, "in" or "out".', "ladder")
    if clause.opens is Opens.PERSON and clause.decides is not Role.COUNSEL:
        table.report('a clause that opens with a person is decided by "counsel".', "opens")
    if clause.found_when is not None and not clause.findings:
        table.report("found_when is a condition on findings; name the findings.", "found_when")
    if SEALED_TYPES & set(clause.applies_to) and (clause.opens, clause.notice) != (
        Opens.PERSON,
        NoticePosture.WITHHELD,
    ):
        table.report('a clause on sealed types opens with a "person" and its notice is "withheld".', "applies_to")
    return clause


def _read_condition(table: Table, key: str) -> Condition | None:
    text = table.text(key, default="")
    try:
        return read_condition(" ".join(text.split())) if text else None
    except BadCondition as why:
        table.report(str(why), key)
        return None


def _read_withheld(table: Table) -> timedelta | None:
    days = table.whole("withheld_days", default=None, least=1)
    if days is None and table.table.get("notice") == NoticePosture.WITHHELD.value:
        table.report("a notice that is withheld has withheld_days, after which its ground is reviewed.", "notice")
    return timedelta(days=days) if days is not None else None


def _read_occurrences(table: Table, key: str) -> tuple[str, ...]:
    names = table.texts(key, default=[])
    for name in names:
        if not OCCURRENCE.fullmatch(name):
            table.report(f'"{name}" names no {key[:-1]}; write it as routes.origin_invalid.', key, value=name)
    return names


def _read_services(table: Table) -> tuple[str, ...]:
    services = table.texts("served_by", default=[])
    for service in services:
        if not _SERVICE.fullmatch(service):
            table.report(f'{service!r} serves nothing; write it as "procedure: complaint".', "served_by", value=service)
    return services


def _each(table: Table, key: str, words: type[E]) -> Iterator[E]:
    """Each member of an enum that a list names."""
    for text in table.texts(key, default=[]):
        yield table.member(key, words, text)


def _read_rows(table: Table) -> tuple[int, ...]:
    rows = table.take("rows", list, "a list of row numbers")
    for row in rows:
        if not isinstance(row, int) or row not in policy_rows():
            table.report(f"{row!r} is no row of the policy; rows are numbered 1 to {max(policy_rows())}.", "rows")
    if not rows and "rows" in table.table:
        table.report("rows is empty; name the rows of the policy that the clause puts into words.", "rows")
    return tuple(row for row in rows if isinstance(row, int))


def _read_types(table: Table) -> tuple[str, ...]:
    types = table.texts("applies_to", default=[])
    for type in types:
        if type not in XARF_TYPES:
            table.report(f'"{type}" is no XARF type{perhaps(type, XARF_TYPES)}.', "applies_to", value=type)
        elif types.count(type) > 1:
            table.report(f'"{type}" stands in applies_to twice.', "applies_to", value=type)
    return types


def _read_steps(table: Table) -> MappingProxyType[str, tuple[str, ...]]:
    steps = table.inner("what_to_do_for", "the table what_to_do_for", default=None)
    if steps is None:
        return MappingProxyType({})
    types = table.table.get("applies_to", [])
    for type in steps.table:
        if type not in types and XARF_TYPES.issuperset(types):
            steps.report(f'what_to_do_for names "{type}", which is not in applies_to.', type)
    return MappingProxyType({type: steps.texts(type) for type in steps.table})


def _read_tests(table: Table) -> tuple[str, ...]:
    tests = table.texts("proved_by", default=[])
    for test in tests:
        if not _TEST.fullmatch(test):
            table.report(f'{test!r} names no test; write it as "tests/rooms/policy/test_x.py::test_y".', "proved_by")
    return tests


def check_together(clauses: list[tuple[Clause, Table]]) -> None:
    """What can be wrong between clauses: two of one name, or two to which one type leads."""
    by_id: dict[str, Table] = {}
    by_type: dict[tuple[object, ...], Clause] = {}
    for clause, table in clauses:
        if clause.id in by_id:
            table.report(f'the id "{clause.id}" is taken by {by_id[clause.id].file}.', "id")
        by_id.setdefault(clause.id, table)
        for type in clause.applies_to:
            other = by_type.setdefault((type, clause.subject, clause.when), clause)
            if other is not clause:
                table.report(
                    f'"{type}" leads to {other.id} already; one type leads to one clause.', "applies_to", value=type
                )
        for key, names in (("findings", clause.findings), ("events", clause.events)):
            for name in names:
                other = by_type.setdefault((name, None, clause.when, clause.found_when), clause)
                if other is not clause:
                    table.report(
                        f'"{name}" leads to {other.id} already; give one of them a condition.', key, value=name
                    )


def check_names(edition: Edition, head: Table, clauses: list[tuple[Clause, Table]]) -> None:
    """Clocks and examples name clauses; each must be one of this edition."""
    known = {clause.id for clause, _ in clauses}
    for clock in edition.clocks:
        if clock.clause not in known:
            head.report(f'the clock "{clock.id}" serves no clause of this edition.', "clocks", clock.id, "clause")
    groups = {clause.group for clause, _ in clauses}
    for repeats in edition.repeats:
        if repeats.group not in groups:
            head.report(f'no clause of this edition belongs to the group "{repeats.group}".', "repeats", repeats.group)
    for clause, table in clauses:
        for number, example in enumerate(clause.examples):
            if example.expect.clause is not None and example.expect.clause not in known:
                table.report(
                    f'the example expects "{example.expect.clause}", which is no clause of this edition.',
                    *("example", number, "expect", "clause"),
                )


def check_thoroughly(edition: Edition, head: Table, clauses: list[tuple[Clause, Table]]) -> None:
    """What is asked of whoever writes an edition. One that was posted is read without it: what counts stays readable
    when a later version asks for more."""
    if not _EDITION_ID.fullmatch(edition.id):
        head.report(
            f'the id "{edition.id[:60]}" is no name of an edition: 1 to 32 letters, digits, dots, dashes and '
            "underscores, the first a letter or a digit.",
            "id",
        )
    for clause, table in clauses:
        _check_what_stays_a_persons(table, clause)
        _check_what_is_asked(table, clause)
    _check_that_clocks_are_watched(edition, head)


def _check_that_clocks_are_watched(edition: Edition, head: Table) -> None:
    """A promise that nothing starts and nobody is told of is none."""
    asked = {clause.id for clause in edition.clauses if not ASKED_EVENTS.isdisjoint(clause.events)}
    clocks = head.inner("clocks", "the table clocks", default=None)
    for clock in edition.clocks:
        of_the_desk = clock.id == DESK_CLOCK or clock.id.startswith(f"{DESK_CLOCK}.")
        if clock.id not in WATCHED_CLOCKS and clock.clause not in asked and not of_the_desk:
            (clocks or head).report(
                f'nothing starts or watches a clock "{clock.id}"{perhaps(clock.id, sorted(WATCHED_CLOCKS))}.', clock.id
            )


def _check_what_stays_a_persons(table: Table, clause: Clause) -> None:
    """What a clause is about does not hang on the rows under which it is filed."""
    for told, rows, what in (
        (clause.of_speech, SPEECH_ROWS, "what somebody said"),
        (clause.of_identity, IDENTITY_ROWS, "who a customer is"),
    ):
        if told and rows.isdisjoint(clause.rows):
            table.report(
                f'the clause speaks of {what} ("{told}"), which is always a person\'s: '
                f"its rows name one of {listed(map(str, sorted(rows)))}.",
                "rows",
            )
    if TWO_PEOPLE_ROW in clause.rows and not clause.two_people:
        table.report(f"row {TWO_PEOPLE_ROW} has two people decide; write two_people = true.", "two_people")


def _check_what_is_asked(table: Table, clause: Clause) -> None:
    """A condition asks for what a report can state, and for facts that an example of its clause states: those are what
    is known of them."""
    stated = sorted({name for example in clause.examples for name in example.given.facts})
    for key, condition in (("when", clause.when), ("found_when", clause.found_when)):
        if condition is None:
            continue
        for name in sorted(names_in(condition.text, "report").difference(REPORT_FACTS)):
            table.report(
                f"the condition asks for report.{name}; of a report it may ask for {listed(REPORT_FACTS)}"
                f"{perhaps(name, REPORT_FACTS)}.",
                key,
            )
        for name in sorted(names_in(condition.text, "facts").difference(stated)):
            table.report(
                f"the condition asks for facts.{name}, which no example of the clause states; "
                f"they state {listed(stated) if stated else 'none'}{perhaps(name, stated)}.",
                key,
            )
