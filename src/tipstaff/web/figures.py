"""The desk's figures as people and programs read them: `procedures.figures`, with the kinds of letters in words."""

from dataclasses import replace
from datetime import datetime

from tipstaff import wiring
from tipstaff.procedures.figures import GROUPS, Figures, Table, figures_of
from tipstaff.procedures.sealed import closed_groups
from tipstaff.words import LetterKind

from .shown import label


def figures(since: datetime, until: datetime) -> Figures:
    """All figures of [since, until), counted some minutes ago at the most."""
    closed = closed_groups(wiring.settings().staff.closed_groups)
    found = figures_of(since, until, closed=closed, at=wiring.now())
    return replace(found, tables=tuple(_in_words(table) for table in found.tables))


def _in_words(table: Table) -> Table:
    if table.name != "letters":
        return table
    return replace(table, rows=tuple((label(LetterKind(str(kind))), *rest) for kind, *rest in table.rows))


def document(found: Figures, *, since: datetime, until: datetime) -> dict[str, object]:
    """All figures for a program. Times taken are in seconds."""
    steps = {name: dict(zip(GROUPS, counts, strict=True)) for name, counts in found.steps.items()}
    tables = {
        table.name: [dict(zip(table.heads, row, strict=True)) for row in table.rows] for table in found.tables
    }  # fmt: skip
    return {
        "from": since.isoformat(), "to": until.isoformat(), "counted_at": found.counted_at.isoformat(),
        "reports": steps, **tables,
    }  # fmt: skip
