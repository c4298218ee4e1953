"""Which rows of the policy an edition puts to work, and which tests prove it. No row counts without a named test."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from .clauses import Actor, Clause, Edition, Opens


class RowState(enum.StrEnum):
    """How far a row has come."""

    WORKS = "works"
    """A clause serves it without a person, and a named test proves it."""
    PERSON = "person"
    """A clause serves it and leaves the first step to a person, by design; a named test proves that."""
    NOT_YET = "not yet"
    """No clause serves it, or nothing proves the one that does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCoverage:
    """One row of the policy's decomposition, and what serves it."""

    row: int
    title: str
    state: RowState
    clauses: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    """What is missing, in sentences."""


def coverage(edition: Edition, *, rows: Mapping[int, str]) -> tuple[RowCoverage, ...]:
    """The state of every row under `edition`."""
    return tuple(_of_row(row, title, [c for c in edition.clauses if row in c.rows]) for row, title in rows.items())


def _of_row(row: int, title: str, clauses: list[Clause]) -> RowCoverage:
    states = {_state(clause) for clause in clauses}
    return RowCoverage(
        row=row,
        title=title,
        state=next((state for state in RowState if state in states), RowState.NOT_YET),
        clauses=tuple(clause.id for clause in clauses),
        tests=tuple(test for clause in clauses for test in clause.proved_by),
        limits=tuple(clause.limits for clause in clauses if clause.limits),
    )


def _state(clause: Clause) -> RowState:
    if not clause.proved_by:
        return RowState.NOT_YET
    cited_only = clause.acts is Actor.USER and not clause.applies_to
    return RowState.PERSON if clause.opens is Opens.PERSON or cited_only else RowState.WORKS
