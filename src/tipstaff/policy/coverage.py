"""Which rows of the policy an edition puts to work, and which tests prove it. No row counts without a named test.

A row that several clauses put into words has come only as far as the one that has come least far.
"""

import ast
import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .clauses import Clause, Edition, Opens


class RowState(enum.StrEnum):
    """How far a row has come."""

    WORKS = "works"
    """A clause serves it without a person, and a named test proves it."""
    PERSON = "person"
    """It is served and leaves a step to a person, by design; a named test proves that."""
    NOT_YET = "not yet"
    """It stands in the edition, and what would serve it is not built or not proved."""


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


def coverage(edition: Edition, *, rows: Mapping[int, str]) -> tuple[RowCoverage, ...]:
    """The state of every row under `edition`."""
    return tuple(_of_row(row, title, [c for c in edition.clauses if row in c.rows]) for row, title in rows.items())


def _of_row(row: int, title: str, clauses: list[Clause]) -> RowCoverage:
    states = {state_of(clause) for clause in clauses} or {RowState.NOT_YET}
    return RowCoverage(
        row=row,
        title=title,
        state=max(states, key=list(RowState).index),
        clauses=tuple(clause.id for clause in clauses),
        served_by=tuple(dict.fromkeys(service for clause in clauses for service in clause.served_by)),
        tests=tuple(dict.fromkeys(test for clause in clauses for test in clause.proved_by)),
        limits=tuple(sentence for clause in clauses for sentence in (clause.awaits, clause.limits) if sentence),
    )


def state_of(clause: Clause) -> RowState:
    """How far one clause has come."""
    if not clause.proved_by or not clause.served_by or clause.awaits:
        return RowState.NOT_YET
    if clause.judged:
        needs_person = clause.opens is Opens.PERSON or not clause.applies_to
    else:
        needs_person = clause.decides is not None
    return RowState.PERSON if needs_person else RowState.WORKS


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
