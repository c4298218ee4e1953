"""`tipstaff policy`: show an edition, check one that is being written, and say which rows of the policy it covers."""

import json
import shutil
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.cli.base import read_settings
from tipstaff.policy.clauses import Actor, Clause, Edition, UnknownClause
from tipstaff.policy.coverage import RowState, coverage
from tipstaff.policy.editions import BadEdition, load_edition, policy_rows, shipped_editions
from tipstaff.policy.examples import try_examples
from tipstaff.words import Degree, Direction, NoticePosture

app = typer.Typer(help="Show and check editions of the acceptable use policy.", no_args_is_help=True)

_EditionOption = Annotated[Path | None, typer.Option("--edition", help="An edition's folder; else the newest in use.")]


@app.command()
def show(
    clause: Annotated[str | None, typer.Argument(help="A clause, such as mail.unsolicited.")] = None,
    edition: _EditionOption = None,
) -> None:
    """Show an edition's clauses, or one of them as a customer reads it."""
    shown = _edition(edition)
    if clause is None:
        _show_edition(shown)
        return
    try:
        _show_clause(shown.clause(clause), shown)
    except UnknownClause as why:
        typer.echo(f"{why}; `tipstaff policy show` lists them.", err=True)
        raise typer.Exit(2) from why


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="The edition's folder; else all in use.")] = None,
) -> None:
    """Check an edition: its form, and that every example has the verdict it promises."""
    try:
        editions = _editions() if folder is None else (load_edition(folder, thorough=True),)
    except BadEdition as why:
        typer.echo(str(why), err=True)
        typer.echo(f"{_count(len(why.problems), 'mistake')} found.", err=True)
        raise typer.Exit(1) from why
    wrong = 0
    for edition in editions:
        mismatches = try_examples(edition)
        for mismatch in mismatches:
            typer.echo(str(mismatch), err=True)
        tried = sum(1 for _ in edition.examples())
        wrong += len(mismatches)
        typer.echo(
            f"Edition {edition.id}: {_count(len(edition.clauses), 'clause')}, "
            f"{tried - len(mismatches)} of {_count(tried, 'example')} hold. SHA-256 {edition.digest}"
        )
    if wrong:
        raise typer.Exit(1)


@app.command("coverage")
def show_coverage(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
    edition: _EditionOption = None,
) -> None:
    """List the rows of the policy: the clause that serves each, its state, and the tests that prove it."""
    shown = _edition(edition)
    rows = coverage(shown, rows=policy_rows())
    counts = {state.value: sum(row.state is state for row in rows) for state in RowState}
    if as_json:
        listed = [
            {
                "row": row.row,
                "title": row.title,
                "state": row.state.value,
                "clauses": row.clauses,
                "tests": row.tests,
                "limits": row.limits,
            }
            for row in rows
        ]
        typer.echo(json.dumps({"edition": shown.id, "counts": counts, "rows": listed}, indent=2))
        return
    for row in rows:
        typer.echo(f"{row.row:>2}  {row.state.value:<7}  {row.title:<30}  {', '.join(row.clauses)}".rstrip())
        for test in row.tests:
            typer.echo(f"{'':13}proved by {test}")
        for limit in row.limits:
            _say(limit, first=" " * 13)
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()) + f" under edition {shown.id}.")


def _edition(folder: Path | None) -> Edition:
    try:
        if folder is not None:
            return load_edition(folder)
        return max(_editions(), key=lambda edition: edition.effective_at)
    except BadEdition as why:
        typer.echo(str(why), err=True)
        raise typer.Exit(1) from why


def _editions() -> tuple[Edition, ...]:
    """The operator's own editions where the settings name them, else the shipped ones."""
    folder = read_settings().server.editions_folder
    if folder is None:
        return shipped_editions()
    return tuple(load_edition(each) for each in sorted(folder.iterdir()) if each.is_dir())


def _show_edition(edition: Edition) -> None:
    _say(f"{edition.title}, of {edition.entity}")
    _say(f"In force from {edition.effective_at:%Y-%m-%d %H:%M} UTC, SHA-256 {edition.digest}")
    typer.echo()
    _say(edition.introduction)
    typer.echo()
    widest = max(len(clause.id) for clause in edition.clauses)
    for clause in edition.clauses:
        answer = _length(clause.answer_within) if clause.answer_within else ""
        typer.echo(f"{clause.id:<{widest}}  {answer:<8}  {clause.title}")


def _show_clause(clause: Clause, edition: Edition) -> None:
    _say(f"{clause.title} ({clause.id}, edition {edition.id})")
    typer.echo()
    _say(clause.text)
    typer.echo()
    for label, value in _facts(clause, edition):
        _say(value, first=f"{label + ':':<20}", rest=" " * 20)
    if clause.what_to_do:
        typer.echo("\nWhat to do")
        for step in clause.what_to_do:
            _say(step, first="  - ", rest="    ")
        for type, steps in clause.what_to_do_for.items():
            for step in steps:
                _say(f"{step} ({type})", first="  - ", rest="    ")
    typer.echo("\nExamples")
    for example in clause.examples:
        _say(f"{example.kind.value.replace('_', ' ').capitalize()}: {example.says}", first="  - ", rest="    ")


def _say(text: str, *, first: str = "", rest: str | None = None) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    indent = first if rest is None else rest
    typer.echo(textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False))


def _facts(clause: Clause, edition: Edition) -> list[tuple[str, str]]:
    facts = [("Rows of the policy", ", ".join(map(str, clause.rows))), ("Shown by", clause.proof)]
    if clause.acts is Actor.USER:
        facts.append(("Reports", ", ".join(clause.applies_to) or "none by themselves; a person cites it"))
        if clause.answer_within is not None:
            again = clause.answer_within_repeated
            shorter = f", {_length(again)} when repeated" if again is not None else ""
            whose = f"by {clause.answer_source}" if clause.answer_source else "set by the operator"
            facts.append(("Time to answer", f"{_length(clause.answer_within)}{shorter}, {whose}"))
        facts.append(("Notice", _NOTICES[clause.notice]))
        facts.append(
            (
                "Decided by",
                clause.decides.value
                if clause.decides
                else f"the clock, a person from {_degree(edition.person_from)} up",
            )
        )
        rungs = [f"{_degree(rung.degree)} ({rung.scope.name.lower().replace('_', ' ')})" for rung in clause.ladder]
        facts.append(("Remedies", ", ".join(rungs)))
    if clause.measure_ports:
        ports = ", ".join(f"{protocol}/{port}" for protocol, port in clause.measure_ports)
        facts.append(("Ports", f"{ports} {_DIRECTIONS[clause.measure_direction]}"))
    if clause.limits:
        facts.append(("Not yet", clause.limits))
    return facts


_NOTICES = {
    NoticePosture.BEFORE: "before any measure",
    NoticePosture.SIMULTANEOUS: "with the measure while harm goes on and a ground is recorded, else before it",
    NoticePosture.WITHHELD: "withheld, on counsel's decision",
    NoticePosture.PUBLIC: "on a public page",
    NoticePosture.NONE: "none",
}
_DIRECTIONS = {Direction.OUT: "outwards", Direction.IN: "inwards", Direction.BOTH: "both ways"}


def _degree(degree: Degree) -> str:
    return degree.name.lower().replace("_", " ")


def _length(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return _count(hours, "hour") if hours % 24 or hours < 72 else _count(hours // 24, "day")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
