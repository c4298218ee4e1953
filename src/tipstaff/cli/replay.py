"""`tipstaff policy replay` and `tipstaff policy shadow`: what another wording would have changed, and does change."""

import json
import os
import shutil
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from tipstaff.cli.base import database
from tipstaff.policy.clauses import Edition
from tipstaff.policy.editions import BadEdition, load_edition
from tipstaff.policy.replay import LISTED_MAX, Tally

LISTED = 20


def replay(
    edition: Annotated[
        str, typer.Argument(help="The edition to judge under: its folder, or its id on record, draft or posted.")
    ],
    since: Annotated[str, typer.Option("--from", help="The first day, as 2026-10-01; 180 days back without it.")] = "",
    until: Annotated[str, typer.Option("--to", help="The day after the last one; now without it.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, with the first 100,000 differences.")
    ] = False,
    listed: Annotated[int, typer.Option("--list", help="How many differences are listed one by one.")] = LISTED,
    processes: Annotated[int, typer.Option("--processes", help="Processes that judge; 0 for one a core.")] = 0,
) -> None:
    """Judge past complaints again under another edition: who would be treated differently, and how. Changes nothing."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.replayed import as_document
        from tipstaff.procedures.replaying import PAST, replay_past
        from tipstaff.procedures.replays import line_again, line_of

        at, desk = wiring.now(), wiring.desk()
        under = _edition(edition, desk.editions)
        begin, end = _day(since, at - PAST), _day(until, at)
        with _progress() as told:
            tally = replay_past(
                under, since=begin, until=end, desk=desk, at=at, processes=processes or os.cpu_count() or 1, told=told,
                listed_max=LISTED_MAX if as_json else listed,
            )  # fmt: skip
        lines = [line_again(line_of(d), d.alike) for d in tally.listed]
        document = as_document(tally, lines, under=under, begin=begin, end=end)
    if as_json:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print(tally, document["measures"], lines, under=under, begin=begin, end=end)
    if not tally.judged:
        raise typer.Exit(1)


def shadow(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
    listed: Annotated[int, typer.Option("--list", help="How many are listed, the newest first.")] = LISTED,
) -> None:
    """Show where the edition that runs in the shadow would have decided otherwise. It decides nothing."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.shadow import disagreements

        shadowed = wiring.desk().shadow
        if shadowed is None:
            typer.echo("No edition runs in the shadow: `shadow_folder` under [server] names one.", err=True)
            raise typer.Exit(1)
        found = disagreements(shadowed, limit=listed)
    if as_json:
        typer.echo(json.dumps(found.as_document(), indent=2))
        return
    typer.echo(found.in_a_sentence())
    for one in found.newest:
        typer.echo(f"{one.at:%Y-%m-%d %H:%M}  {one.incident:<14}  {one.customer or '-':<12}  {'; '.join(one.how)}")


def _edition(name: str, editions: tuple[Edition, ...]) -> Edition:
    for edition in editions:
        if edition.id == name:
            return edition
    folder = Path(name)
    if not folder.is_dir():
        from tipstaff.editions.operations import NoSuchEdition
        from tipstaff.editions.queries import list_editions
        from tipstaff.procedures.editions import edition_on_record

        try:
            return edition_on_record(name)
        except NoSuchEdition as why:
            known = ", ".join(dict.fromkeys(edition.id for edition in list_editions())) or "none"
            raise typer.BadParameter(f"{name} is no folder, and no edition on record; on record: {known}.") from why
    try:
        return load_edition(folder)
    except BadEdition as why:
        typer.echo(str(why), err=True)
        raise typer.Exit(1) from why


def _day(text: str, otherwise: datetime) -> datetime:
    if not text:
        return otherwise
    try:
        at = datetime.fromisoformat(text)
    except ValueError as why:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-10-01.") from why
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class _progress:  # noqa: N801 - used as a function
    """A counter on the terminal, where there is one."""

    def __enter__(self) -> Any:
        self.bar = Progress(
            SpinnerColumn(), TextColumn("{task.completed:,.0f} judged again"), console=Console(stderr=True),
            transient=True,
        )  # fmt: skip
        self.bar.__enter__()
        task = self.bar.add_task("", total=None)
        return lambda judged: self.bar.update(task, completed=judged)

    def __exit__(self, *why: object) -> None:
        self.bar.__exit__(*why)  # type: ignore[arg-type]  # handed through


def _print(tally: Tally, measures: Any, lines: list[Any], *, under: Edition, begin: datetime, end: datetime) -> None:
    _say(
        f"{tally.judged:,} past allegations from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, judged again as if edition "
        f"{under.id} had been in force: {tally.different:,} would have been treated differently."
    )
    if tally.not_kept:
        _say(f"{tally.not_kept:,} more cannot be judged again: what was asked was not kept, or their edition is gone.")
    if tally.not_reproduced:
        _say(f"{tally.not_reproduced:,} have another verdict now under the edition that was applied: look into it.")
    if tally.judged:
        _say(tally.said_of_history)
    if not tally.different:
        return
    typer.echo("\nIn what")
    for phrase, n in tally.how.most_common(12):
        _say(phrase, first=f"{n:>9,}  ", rest=" " * 11)
    typer.echo("\nCases, by kind of customer          before      after")
    for kind in sorted({kind for kind, _, _ in tally.cases}):
        before = sum(n for (k, b, _), n in tally.cases.items() if k == kind and b)
        after = sum(n for (k, _, a), n in tally.cases.items() if k == kind and a)
        typer.echo(f"  {kind:<28}  {before:>9,}  {after:>9,}")
    typer.echo(f"\nMeasures that silence would have led to, over all {measures['weighed']:,} that differ")
    for name in ("before", "after"):
        kinds = ", ".join(f"{n:,} x {kind}" for kind, n in measures[name]["measures"].items()) or "none"
        _say(f"{kinds}; others hit: {measures[name]['others_hit']:,}", first=f"  {name:<7} ", rest=" " * 10)
    typer.echo("")
    for line in lines:
        hits = [f"{words} ({side.others_hit} others hit)" if words else "none"
                for words, side in ((line.before, line.alike.before), (line.after, line.alike.after))]  # fmt: skip
        _say(
            f"{line.key}  {line.customer or 'nobody named'}: {'; '.join(line.alike.how)}. "
            f"Measure {hits[0]} → {hits[1]}.",
            rest="    ",
        )
    if tally.different > len(lines):
        typer.echo(f"{tally.different - len(lines):,} more; --list and --json show them.")


def _say(text: str, *, first: str = "", rest: str = "") -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    typer.echo(textwrap.fill(text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False))
