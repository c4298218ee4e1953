"""Which rows of the policy an edition puts to work, and which tests prove it. No row counts without a named test.

A row that several clauses put into words has come only as far as the one that has come least far, and a row that keeps
something with people (`rows.csv`) is a person's whatever its clauses leave to a clock.
"""

import ast
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

from .clauses import Clause, Edition, Opens
from .decomposition import decomposition, differences_from_rows, why_otherwise


class RowState(enum.StrEnum):
    """How far a row has come."""

    WORKS = "works"
    """A clause serves it without a person, every step that it calls automatic is built, and named tests prove it."""
    PERSON = "person"
    """The same, but it leaves a step to a person, by design: who decides, or what is left to people, says which."""
    NOT_YET = "not yet"
    """It stands in the edition, and what would serve it, or a step that it calls automatic, is not built or proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCoverage:
    """One row of the policy's decomposition, and what serves it."""

    row: int
    title: str
    state: RowState
    clauses: tuple[str, ...] = ()
    served_by: tuple[str, ...] = ()
    """`procedure: complaint`, `page: policy`, `desk: reading` ..."""
    tests: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """What is missing, in sentences."""


Results: TypeAlias = Mapping[str, str]
"""What became of each test that was run, `tests/x.py::test_y[z]`: `passed`, `failed` or `skipped`."""


def coverage(edition: Edition, *, rows: Mapping[int, str], results: Results | None = None) -> tuple[RowCoverage, ...]:
    """The state of every row under `edition`; with the results of a run, only tests that passed in it prove it."""
    otherwise: dict[int, list[str]] = {}
    for each in differences_from_rows(edition):
        if why := why_otherwise(each):
            otherwise.setdefault(each.row, []).append(why)
    return tuple(
        _of_row(row, title, [c for c in edition.clauses if row in c.rows], results, otherwise.get(row, ()))
        for row, title in rows.items()
    )


def _of_row(
    row: int, title: str, clauses: list[Clause], results: Results | None, otherwise: Iterable[str]
) -> RowCoverage:
    states = {state_of(clause, results=results) for clause in clauses} or {RowState.NOT_YET}
    if decomposition()[row].people:
        states.add(RowState.PERSON)
    unproved = () if results is None else tuple(s for clause in clauses for s in unproved_by(clause, results=results))
    return RowCoverage(
        row=row,
        title=title,
        state=max(states, key=list(RowState).index),
        clauses=tuple(clause.id for clause in clauses),
        served_by=tuple(dict.fromkeys(service for clause in clauses for service in clause.served_by)),
        tests=tuple(dict.fromkeys(test for clause in clauses for test in clause.proved_by)),
        limits=(
            *(
                sentence
                for clause in clauses
                for sentence in (clause.awaits, *missing(clause), clause.limits)
                if sentence
            ),
            *dict.fromkeys(otherwise),
            *dict.fromkeys(unproved),
        ),
    )


def state_of(clause: Clause, *, results: Results | None = None) -> RowState:
    """How far one clause has come; with the results of a run, as far as that run proved it."""
    if not clause.proved_by or not clause.served_by or clause.awaits:
        return RowState.NOT_YET
    if results is not None and any(unproved_by(clause, results=results)):
        return RowState.NOT_YET
    if clause.not_built or clause.untried_events:
        return RowState.NOT_YET
    by_itself = bool(clause.applies_to or clause.findings) if clause.judged else True
    left = clause.opens is Opens.PERSON or clause.decides is not None or clause.two_people or clause.left_to_people
    return RowState.WORKS if by_itself and not left else RowState.PERSON


def missing(clause: Clause) -> Iterator[str]:
    """A sentence for what a clause calls automatic and nobody has built, and for examples of what nothing raises."""
    if clause.not_built:
        yield f"Called automatic and not built: {', '.join(step.value for step in clause.not_built)}."
    if clause.untried_events:
        yield f"Its examples try its words only: nothing in the program raises {', '.join(clause.untried_events)}."


def unproved_by(clause: Clause, *, results: Results) -> Iterator[str]:
    """A sentence for each test that the clause names and that did not pass in a run."""
    for named in clause.proved_by:
        found = results_of(named, results)
        if not found:
            yield f"{named} was not run."
        elif worst := next((said for said in ("failed", "skipped") if said in found), ""):
            yield f"{named} {'was skipped' if worst == 'skipped' else worst}."


def results_of(named: str, results: Results) -> frozenset[str]:
    """What became of a named test; of one that runs for several parameters and is named without, of all of them."""
    return frozenset(said for test, said in results.items() if test == named or test.startswith(f"{named}["))


def read_results(xml: bytes) -> Results:
    """The results of a run as pytest writes them (`--junit-xml`); raise NotResults."""
    try:
        cases = list(ElementTree.fromstring(xml).iter("testcase"))  # noqa: S314 - the operator's own file
    except ElementTree.ParseError as why:
        raise NotResults(f"it is no XML: {why}") from why
    results: dict[str, str] = {}
    for case in cases:
        folder, _, last = case.get("classname", "").rpartition(".")
        # A test in a class has the class behind the module; modules of tests are named test_*.
        file = folder if last.startswith("Test") else f"{folder}.{last}" if folder else last
        name = f"{file.replace('.', '/')}.py::{case.get('name', '')}"
        children = {child.tag for child in case}
        said = "failed" if children & {"failure", "error"} else "skipped" if "skipped" in children else "passed"
        results[name] = max(said, results.get(name, ""), key=["", "passed", "skipped", "failed"].index)
    return results


class NotResults(ValueError):
    """The file holds no results of a run of pytest."""


def missing_tests(edition: Edition, *, root: Path) -> Iterator[str]:
    """A sentence for each test that a clause names and that does not exist below `root`.

    The files are parsed, not run: whether a test passes is said by running it.
    """
    for clause in edition.clauses:
        for named in clause.proved_by:
            file, _, name = named.partition("::")
            function, _, parameter = name.rstrip("]").partition("[")
            tests = _tests_of(root / file)
            if function not in tests:
                yield f"{clause.id} names {named}, which does not exist."
            elif parameter and not (tests[function] and _is_parameter(parameter, edition)):
                yield f"{clause.id} names {named}, but that test does not run for {parameter}."


@cache
def _tests_of(file: Path) -> Mapping[str, bool]:
    """The tests of a file, and whether each runs for several parameters; empty where there is no such file."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return {}
    return {
        node.name: any("parametrize" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def _is_parameter(parameter: str, edition: Edition) -> bool:
    """A clause, or a clause's example: what tests of an edition run for."""
    clauses = {clause.id for clause in edition.clauses}
    return parameter in clauses or parameter in {f"{clause.id}/{example.id}" for clause, example in edition.examples()}
