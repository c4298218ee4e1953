"""What the files of an edition hold, key by key."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tipstaff.words import (
    SEALED_TYPES,
    XARF_TYPES,
    AttributionReason,
    Degree,
    Direction,
    Disposition,
    Grade,
    NoticePosture,
    Reason,
    Role,
    Scope,
    Severity,
)

from .clauses import (
    Actor,
    Clause,
    Clock,
    ClockKind,
    ClockUnit,
    Edition,
    Example,
    ExampleKind,
    Expected,
    Given,
    Opens,
    PortOf,
    Subject,
)
from .ladder_form import read_repeats, read_rungs
from .toml_tables import Table, listed, perhaps

_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_EXAMPLE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PORT = re.compile(r"(tcp|udp)/(\d{1,5})")
_TEST = re.compile(r"tests/[\w/]+\.py::\w+(\[[^\]]+\])?")
_EXAMPLES_MIN = 3


@cache
def policy_rows() -> MappingProxyType[int, str]:
    """The 98 rows into which the policy is decomposed: number and short title."""
    lines = (Path(__file__).parent / "rows.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = {int(number): title.strip('"') for number, _, title in (line.partition(",") for line in lines)}
    return MappingProxyType(rows)


def read_edition(head: Table, *, clauses: tuple[Clause, ...]) -> Edition:
    """What `edition.toml` says, with the clauses that were read."""
    effective_at = head.take("effective_at", datetime, "an instant with its zone")
    if isinstance(effective_at, datetime) and effective_at.tzinfo is None:
        head.report("effective_at has no zone; write it as 2026-01-01T00:00:00Z.", "effective_at")
    if not isinstance(effective_at, datetime) or effective_at.tzinfo is None:
        effective_at = datetime(1970, 1, 1, tzinfo=UTC)
    parameters = head.inner("parameters", "the table parameters") or head
    confidence = parameters.take("reader_confidence_min", float, "a number from 0.0 to 1.0")
    if not 0.0 <= confidence <= 1.0:
        parameters.report(f"reader_confidence_min must lie from 0.0 to 1.0, not {confidence}.", "reader_confidence_min")
    clocks = head.inner("clocks", "the table clocks", default=None)
    edition = Edition(
        id=head.text("id"),
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
        clocks=_read_clocks(clocks) if clocks else (),
        repeats=read_repeats(head),
    )
    parameters.done()
    head.done()
    return edition


def _read_clocks(table: Table) -> tuple[Clock, ...]:
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
                says=clock.text("says"),
            )
        )
        clock.done()
    return tuple(clocks)


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
    clause = Clause(
        id=id,
        rows=_read_rows(table),
        title=table.text("title"),
        text=" ".join(table.text("text").split()),
        acts=acts,
        what_to_do=table.texts("what_to_do", default=... if acts is Actor.USER else []),
        proof=table.text("proof"),
        proved_by=_read_tests(table),
        limits=table.text("limits", default=""),
        file=table.file,
    )
    if acts is Actor.USER:
        clause = _read_conduct(table, clause)
    clause = replace(clause, examples=_read_examples(table, id))
    table.done()
    return clause, table


def _read_conduct(table: Table, clause: Clause) -> Clause:
    """What only a clause about the user's conduct has: types, group, clock, notice and remedies."""
    answer = table.inner("answer_within", "the time to answer")
    first, repeated, kind, source = timedelta(), None, ClockKind.OPERATOR, ""
    if answer is not None and answer.table:
        unit, amount = _read_length(answer, (ClockUnit.HOURS, ClockUnit.DAYS))
        again = answer.whole(f"repeated_{unit.value}", default=None, least=1)
        kind, source = _read_kind(answer)
        if again is not None and answer.holds(unit.value, int) and again > amount:
            answer.report("a repeated report leaves more time than the first one.", f"repeated_{unit.value}")
        first = timedelta(**{unit.value: amount})
        repeated = timedelta(**{unit.value: again}) if again is not None else None
        answer.done()
    clause = replace(
        clause,
        applies_to=_read_types(table),
        subject=table.word("subject", Subject, default=None),
        group=table.text("group"),
        severity=table.word("severity", Severity),
        answer_within=first,
        answer_within_repeated=repeated,
        answer_kind=kind,
        answer_source=source,
        notice=table.word("notice", NoticePosture),
        opens=table.word("opens", Opens, default=Opens.CASE),
        decides=table.word("decides", Role, default=None),
        ladder=read_rungs(table),
        measure_ports=_read_ports(table, "measure_ports"),
        measure_direction=table.word("measure_direction", Direction, default=Direction.BOTH),
        measure_port_of=table.word("measure_port_of", PortOf, default=None),
        what_to_do_for=_read_steps(table),
    )
    on_ports = clause.measure_ports or clause.measure_port_of or Scope.FLOW in {rung.scope for rung in clause.ladder}
    if on_ports and clause.measure_direction is Direction.BOTH and "measure_direction" not in table.table:
        table.report('a measure on ports needs a measure_direction, "in" or "out".', "ladder")
    if clause.opens is Opens.PERSON and clause.decides is not Role.COUNSEL:
        table.report('a clause that opens with a person is decided by "counsel".', "opens")
    if SEALED_TYPES & set(clause.applies_to) and (clause.opens, clause.notice) != (
        Opens.PERSON,
        NoticePosture.WITHHELD,
    ):
        table.report('a clause on sealed types opens with a "person" and its notice is "withheld".', "applies_to")
    return clause


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


def _read_ports(table: Table, key: str) -> tuple[tuple[str, int], ...]:
    ports = []
    for text in table.texts(key, default=[]):
        match = _PORT.fullmatch(text)
        if match is None or not 0 < int(match.group(2)) < 65536:
            table.report(f'{text!r} is no port; write it as "tcp/25".', key, value=text)
        else:
            ports.append((match.group(1), int(match.group(2))))
    return tuple(ports)


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


def _read_examples(table: Table, clause: str) -> tuple[Example, ...]:
    raw = table.take("example", list, "tables written as [[example]]", default=[])
    examples: list[Example] = []
    for number, value in enumerate(raw):
        if not isinstance(value, dict):
            table.report("an example is written as [[example]].", "example")
            continue
        example = table.under(value, "an example", "example", number)
        id = example.text("id")
        if id and not _EXAMPLE_ID.fullmatch(id):
            example.report(f'the id "{id}" is not of the form some-small-words.', "id")
        if id in {other.id for other in examples}:
            example.report(f'the example "{id}" stands here twice.', "id")
        given, expect = example.inner("given", "the table given"), example.inner("expect", "the table expect")
        examples.append(
            Example(
                id=id,
                kind=example.word("kind", ExampleKind),
                says=example.text("says"),
                given=_read_given(given) if given else Given(type=""),
                expect=_read_expected(expect)
                if expect
                else Expected(disposition=Disposition.PERSON, reason=Reason.NO_CLAUSE),
            )
        )
        example.done()
    kinds = {example.kind for example in examples}
    if len(examples) < _EXAMPLES_MIN:
        table.report(f"the clause has {_few(len(examples))}; it needs at least {_EXAMPLES_MIN}.", "id")
    elif ExampleKind.HIT not in kinds or ExampleKind.NEAR_MISS not in kinds or len(kinds) < _EXAMPLES_MIN:
        table.report("the examples show no hit, no near miss, or neither an exempt nor an exigent case.", "example")
    return tuple(examples)


def _read_given(table: Table) -> Given:
    given = Given(type=table.text("type"))
    if given.type and given.type not in XARF_TYPES and given.type != "unknown/unknown":
        table.report(f'"{given.type}" is no XARF type{perhaps(given.type, XARF_TYPES)}.', "type")
    ages = [unit for unit in ("age_hours", "age_days") if unit in table.table]
    no_time = table.take("no_time", bool, "true or false", default=False)
    if len(ages) + no_time > 1:
        table.report("an example states one of age_hours, age_days and no_time.")
    age: timedelta | None = None if no_time else given.age
    for unit in ages:
        age = timedelta(**{unit.removeprefix("age_"): table.whole(unit)})
    given = replace(
        given,
        age=age,
        grade=table.word("grade", Grade, default=given.grade),
        attribution=table.word("attribution", AttributionReason, default=None),
        zone_stated=table.take("zone_stated", bool, "true or false", default=True),
        cases_before=table.whole("cases_before", default=0),
        confidence=table.take("confidence", float, "a number from 0.0 to 1.0", default=1.0),
        subject=table.word("subject", Subject, default=given.subject),
        protocol=table.text("protocol", default="") or None,
        target_port=table.whole("target_port", default=None),
        source_port=table.whole("source_port", default=None),
        cited=table.take("cited", bool, "true or false", default=False),
        edition_age=timedelta(days=table.whole("edition_age_days", default=given.edition_age.days)),
    )
    table.done()
    return given


def _read_expected(table: Table) -> Expected:
    hours = table.whole("answer_within_hours", default=None)
    expected = Expected(
        disposition=table.word("disposition", Disposition),
        reason=table.word("reason", Reason),
        clause=table.text("clause", default="") or None,
        answer_within=None if hours is None else timedelta(hours=hours),
        notice=table.word("notice", NoticePosture, default=None),
        decides=table.word("decides", Role, default=None),
        widest_degree=table.word("widest_degree", Degree, default=None),
        ports=_read_ports(table, "ports") if "ports" in table.table else None,
    )
    table.done()
    return expected


def check_together(clauses: list[tuple[Clause, Table]]) -> None:
    """What can be wrong between clauses: two of one name, or two to which one type leads."""
    by_id: dict[str, Table] = {}
    by_type: dict[tuple[str, Subject | None], Clause] = {}
    for clause, table in clauses:
        if clause.id in by_id:
            table.report(f'the id "{clause.id}" is taken by {by_id[clause.id].file}.', "id")
        by_id.setdefault(clause.id, table)
        for type in clause.applies_to:
            other = by_type.setdefault((type, clause.subject), clause)
            if other is not clause:
                table.report(
                    f'"{type}" leads to {other.id} already; one type leads to one clause.', "applies_to", value=type
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


def _few(number: int) -> str:
    return {0: "no examples", 1: "one example"}.get(number, f"{number} examples")
