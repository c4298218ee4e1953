"""What the examples of a clause hold, key by key."""

import re
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from tipstaff.words import (
    XARF_TYPES,
    AttributionReason,
    Degree,
    Disposition,
    Grade,
    NoticePosture,
    Reason,
    Role,
    Stated,
)

from .clauses import Example, ExampleKind, Expected, Given, Subject
from .toml_tables import Table, perhaps

_EXAMPLE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PORT = re.compile(r"(tcp|udp)/(\d{1,5})")
OCCURRENCE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
"""How findings and events are named: `routes.origin_invalid`."""
_EXAMPLES_MIN = 3


def read_examples(table: Table, clause: str) -> tuple[Example, ...]:
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
        of_event = isinstance(value.get("given"), dict) and "event" in value["given"]
        given, expect = example.inner("given", "the table given"), example.inner("expect", "the table expect")
        examples.append(
            Example(
                id=id,
                kind=example.word("kind", ExampleKind),
                says=example.text("says"),
                given=_read_given(given) if given else Given(type=""),
                expect=_read_expected(expect, of_event=of_event) if expect else Expected(),
                line=example.line_of(),
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
    named = [key for key in ("type", "finding", "event") if key in table.table]
    if len(named) != 1:
        table.report("an example supposes one of a type of report, a finding and an event.")
    given = Given(
        type=table.text("type", default="unknown/unknown"),
        finding=read_occurrence(table, "finding"),
        event=read_occurrence(table, "event"),
        facts=_read_facts(table),
    )
    if given.type not in XARF_TYPES and given.type != "unknown/unknown":
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


def read_occurrence(table: Table, key: str) -> str:
    """The name of a finding or an event; empty where none is given."""
    name = table.text(key, default="")
    if name and not OCCURRENCE.fullmatch(name):
        table.report(f'"{name}" names no {key}; write it as routes.origin_invalid.', key, value=name)
    return name


def _read_facts(table: Table) -> MappingProxyType[str, Stated]:
    facts: dict[str, Stated] = {}
    stated = table.inner("facts", "the table facts", default=None)
    for name, value in stated.table.items() if stated else ():
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            facts[name] = tuple(value)
        elif isinstance(value, bool | int | float | str):
            facts[name] = value
        else:
            table.report(f"the fact {name} is neither a truth, a number, a text nor a list of texts.", "facts", name)
    return MappingProxyType(facts)


def _read_expected(table: Table, *, of_event: bool) -> Expected:
    if of_event:
        expected = Expected(clause=table.text("clause", default="") or None)
        table.done()
        return expected
    hours = table.whole("answer_within_hours", default=None)
    expected = Expected(
        disposition=table.word("disposition", Disposition),
        reason=table.word("reason", Reason),
        clause=table.text("clause", default="") or None,
        answer_within=None if hours is None else timedelta(hours=hours),
        notice=table.word("notice", NoticePosture, default=None),
        decides=table.word("decides", Role, default=None),
        widest_degree=table.word("widest_degree", Degree, default=None),
        ports=read_ports(table, "ports") if "ports" in table.table else None,
    )
    table.done()
    return expected


def read_ports(table: Table, key: str) -> tuple[tuple[str, int], ...]:
    ports = []
    for text in table.texts(key, default=[]):
        match = _PORT.fullmatch(text)
        if match is None or not 0 < int(match.group(2)) < 65536:
            table.report(f'{text!r} is no port; write it as "tcp/25".', key, value=text)
        else:
            ports.append((match.group(1), int(match.group(2))))
    return tuple(ports)


def _few(number: int) -> str:
    return {0: "no examples", 1: "one example"}.get(number, f"{number} examples")
