"""What `tipstaff registry import FILE...` does for the registry's own files: in their order."""

import contextlib
import errno
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tipstaff.words import ImportPreview, Outside

from .base import who_types


def import_files_in_order(files: list[Path], *, dry_run: bool, rest: bool, as_json: bool) -> None:
    """Take files in, what is named before what names it. If one can't be read or is empty, none is taken in.

    With `dry_run` all files together are tried: what one would bring, the next may name.
    """
    from tipstaff.procedures.admission import tried_out

    outside: Outside | None = None
    with tried_out() if dry_run else contextlib.nullcontext():
        for file in _in_order(files):
            preview = _import_one(file, rest=rest)
            if dry_run:
                preview = replace(preview, applied=False, change=None)
            typer.echo(json.dumps(asdict(preview)) if as_json else import_in_words(preview, dry_run=dry_run, rest=rest))
            if preview.refused and not rest:
                raise typer.Exit(1)
            outside = outside if preview.outside is None else preview.outside
    if outside:
        typer.echo(f"tipstaff: {outside}", err=True)


def _import_one(file: Path, *, rest: bool) -> ImportPreview:
    from tipstaff import wiring
    from tipstaff.procedures.admission import import_registry

    try:
        # With --rest the file is read as it goes in, and never held as a whole.
        with open(file, encoding="utf-8-sig", newline="") as opened, shown_taking_in(file) as shown:
            return import_registry(
                shown.read(opened if rest else opened.read().splitlines(keepends=True)), source_name=file.name,
                at=wiring.now(), actor=who_types(), rest=rest, progress=shown.take_in,
                editions=wiring.editions(),
            )  # fmt: skip
    except (OSError, UnicodeDecodeError) as why:
        refuse(file, why)


def refuse(file: Path, why: OSError | UnicodeDecodeError | str) -> NoReturn:
    """Say in one sentence why a file is not taken in, and end."""
    if isinstance(why, UnicodeDecodeError):
        why = f"cannot be read: byte {why.start + 1} is not UTF-8 text"
    elif isinstance(why, OSError):
        why = f"cannot be read: {_WHY.get(why.errno or 0, (why.strerror or str(why)).lower())}"
    typer.echo(f"tipstaff: {file} {why}.", err=True)
    raise typer.Exit(1)


_WHY = {
    errno.ENOENT: "no such file",
    errno.EISDIR: "it is a folder; name the files in it",
    errno.EACCES: "you may not read it",
}


def without_their_kind(files: list[Path]) -> list[Path]:
    """The files behind the kind that the first word may name; exit 1 for one whose header is another kind's."""
    from tipstaff.procedures.admission import ORDER, place_in_order

    kind, *rest = files
    if kind.exists() or str(kind) not in ORDER:
        return files
    if not rest:
        raise typer.BadParameter(f"Name the files of {kind} to take in.")
    for file in rest:
        try:
            other = file.is_file() and place_in_order(_first_line(file)) != ORDER.index(str(kind))
        except (OSError, UnicodeDecodeError) as why:
            refuse(file, why)
        if other:
            refuse(file, f"is no file of {kind}: its header fits another kind, or none")
    return rest


def _in_order(files: list[Path]) -> list[Path]:
    from tipstaff.procedures.admission import place_in_order

    places = {}
    for file in files:
        try:
            # A pipe can be read only once, so its kind is not asked beforehand.
            places[file] = place_in_order(_first_line(file)) if file.is_file() or not file.exists() else -1
            if file.is_dir():
                raise IsADirectoryError(errno.EISDIR, "")
        except (OSError, UnicodeDecodeError) as why:
            refuse(file, why)
    return sorted(files, key=lambda file: places[file])


def _first_line(file: Path) -> str:
    with open(file, encoding="utf-8-sig") as opened:
        for line in opened:
            if line.strip():
                return line
    refuse(file, "is empty; its first line should name the columns")


def import_in_words(preview: ImportPreview, *, dry_run: bool, rest: bool = False) -> str:
    """What a file would change, or did, as lines to read."""
    lines = [f"{preview.source}:{row.line}: {row.why}" for row in preview.refused]
    lines += [f"{preview.source}:{row.line}: kept: {row.why}" for row in preview.kept]
    if preview.gone:
        lines += [f"{preview.source}: gone there: {row}" for row in preview.gone]
        ended = f"{many(preview.ended, 'row')} ended here."
        ask = f"Nothing of it has ended here. To end all of it now: --end-gone {preview.gone_token}"
        lines.append(f"{preview.source}: {ended if preview.ended else ask}")
    counts = f"{preview.added} new, {preview.changed} changed, {preview.unchanged} unchanged"
    if preview.refused and not rest and (dry_run or not preview.applied):
        lines.append(f"{preview.source}: nothing is taken in, because of {many(len(preview.refused), 'bad row')}.")
    elif dry_run and preview.rows:
        lines += [f"  {change}" for change in preview.changes]
        lines.append(f"{preview.source}: would be {many(preview.rows, 'row')} of {preview.kind}: {counts}.")
    elif not preview.rows:
        lines.append(f"{preview.source}: there is no row of {preview.kind} in it.")
    else:
        lines.append(f"{preview.source}: {many(preview.rows, 'row')} of {preview.kind}: {counts}.")
        if preview.change and sys.stdout.isatty():
            lines.append(f"To take it back: tipstaff registry undo {preview.change}")
    return "\n".join(lines)


class ShownTakingIn:
    """How much of a file has been read and how many of its rows are taken in, shown by two bars."""

    def __init__(self, bars: Progress, file: Path) -> None:
        self._bars = bars
        # A pipe does not say how long it is.
        size = file.stat().st_size if file.is_file() else None
        self._read = bars.add_task("read", total=size, told=file.name)
        self._rows = bars.add_task("taken in", total=None, told="rows")

    def read(self, lines: Iterable[str]) -> Iterator[str]:
        rows = -1  # The first line names the columns.
        for line in lines:
            rows += 1
            self._bars.advance(self._read, len(line.encode()))
            yield line
        self._bars.update(self._rows, total=max(rows, 0))

    def take_in(self, rows: int) -> None:
        self._bars.advance(self._rows, rows)


@contextlib.contextmanager
def shown_taking_in(file: Path) -> Iterator[ShownTakingIn]:
    """Bars on standard error, gone at the end, where that is a terminal: how far a file has been read and taken in."""
    columns = (
        TextColumn("{task.fields[told]}"), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        yield ShownTakingIn(bars, file)


def many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
