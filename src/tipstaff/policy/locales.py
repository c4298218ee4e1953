"""What a translation of an edition holds. Its words help to understand; where they differ, the binding ones count."""

import re
from types import MappingProxyType

from .clauses import Clause, Edition, Translation, Wording
from .toml_tables import Table, perhaps

_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


def read_translation(table: Table, edition: Edition) -> Translation:
    """One translation, checked against the edition that it translates: every clause, the clocks that it
    has sentences for, and nothing else."""
    locale = table.text("locale")
    if locale and not _LOCALE.fullmatch(locale):
        table.report(f'"{locale}" is no language; write it as de or de-AT.', "locale")
    if locale == edition.locale:
        table.report(f'"{locale}" is the language of the edition itself.', "locale")
    title, introduction = table.text("title"), table.text("introduction")
    note = table.text("note")
    clauses = table.inner("clauses", "the table clauses")
    known = {clause.id: clause for clause in edition.clauses}
    said: dict[str, Wording] = {}
    for id, value in clauses.table.items() if clauses else ():
        assert clauses is not None, "there is no item without its table"
        if id not in known:
            clauses.report(f'"{id}" is no clause of this edition{perhaps(id, known)}.', id)
            continue
        if not isinstance(value, dict):
            clauses.report(f'the clause "{id}" must be a table.', id)
            continue
        inner = clauses.under(value, "a clause", id)
        inner.clause = id
        said[id] = _read_wording(inner, known[id])
        inner.done()
    of_clocks = table.inner("clocks", "the table clocks", default=None)
    clocks = {id: of_clocks.text(id) for id in of_clocks.table} if of_clocks is not None else {}
    kept = {clock.id: clock for clock in edition.clocks}
    for id in clocks:
        if id not in kept and of_clocks is not None:
            of_clocks.report(f'"{id}" is no clock of this edition{perhaps(id, kept)}.', id)
    missing = [id for id in known if id not in said]
    if clauses is not None and missing:
        table.report(f"these clauses are not translated: {', '.join(missing)}.", "clauses")
    table.done()
    return Translation(
        locale=locale,
        title=title,
        introduction=" ".join(introduction.split()),
        note=" ".join(note.split()),
        clauses=MappingProxyType(said),
        clocks=MappingProxyType(clocks),
    )


def _read_wording(table: Table, clause: Clause) -> Wording:
    steps = table.texts("what_to_do", default=[])
    if len(steps) != (wanted := len(clause.what_to_do)):
        table.report(f"the edition has {wanted} steps to take, and here are {len(steps)}.", "what_to_do")
    particular = table.inner("what_to_do_for", "the table what_to_do_for", default=None)
    by_type = {type: particular.texts(type) for type in particular.table} if particular is not None else {}
    if {type: len(steps) for type, steps in by_type.items()} != {t: len(s) for t, s in clause.what_to_do_for.items()}:
        table.report("what_to_do_for has not the types and steps that it has in the edition.", "what_to_do_for")
    return Wording(
        title=table.text("title"),
        text=" ".join(table.text("text").split()),
        what_to_do=steps,
        what_to_do_for=MappingProxyType(by_type),
    )
