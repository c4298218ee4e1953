"""`tipstaff parse`: what the reader understands of mails in files, without a database."""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from tipstaff.intake.protocol import Parser, load_parsers
from tipstaff.intake.reading import read
from tipstaff.words import Allegation, Reading, ReadingOutcome, ReadingReason

LARGEST_FILE_OCTETS = 100 * 1024 * 1024
_MANY = 64
"""From this many files on, more than one process pays."""


def parse(
    paths: Annotated[list[Path], typer.Argument(help="Mails: files, or folders with mails in them, any number.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes to use; 0 for one per core.")] = 0,
) -> None:
    """Read mails and print what is understood of them. Nothing is stored, opened or sent."""
    failures: list[str] = []
    files = _files(paths, failures)
    if json_:
        for line in _results(files, _as_json, jobs, failures):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    else:
        _print_tables(_results(files, _as_rows, jobs, failures))
    for failure in failures:
        typer.echo(failure, err=True)
    if failures:
        raise typer.Exit(1)


def _files(paths: list[Path], failures: list[str]) -> Iterator[Path]:
    """Every file named, and every file below a folder named, in the order of their names."""
    for path in paths:
        if path.is_dir():
            try:
                for folder, folders, names in os.walk(
                    path, onerror=lambda why: failures.append(_cannot(Path(why.filename), why))
                ):
                    folders.sort()
                    found = (Path(folder, x) for x in sorted(names) if not x.startswith("."))
                    # A pipe or a device would be waited for; a dangling link is told like any file that is not there.
                    yield from (x for x in found if x.is_file() or x.is_symlink())
            except OSError as why:
                failures.append(_cannot(path, why))
        elif path.is_file():
            yield path
        elif path.exists():
            failures.append(f"Cannot read {path}: it is no file.")
        else:
            failures.append(f"Cannot read {path}: there is no such file.")


def _results(files: Iterator[Path], work: Callable[[Path], Any], jobs: int, failures: list[str]) -> Iterator[Any]:
    """The work's result for each file, in order; a file that cannot be read leaves a sentence instead."""
    listed = list(files)
    bar = _Bar(len(listed))
    cores = jobs or _cores()
    try:
        if cores > 1 and len(listed) >= _MANY:
            context = multiprocessing.get_context("forkserver")
            with context.Pool(min(cores, 16)) as pool:
                yield from _sifted(pool.imap(partial(_guarded, work), listed, chunksize=8), bar, failures)
        else:
            yield from _sifted(map(partial(_guarded, work), listed), bar, failures)
    finally:
        bar.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _sifted(results: Iterator[tuple[Any, str]], bar: "_Bar", failures: list[str]) -> Iterator[Any]:
    for result, failure in results:
        bar.advance()
        if failure:
            failures.append(failure)
        else:
            yield result


def _guarded(work: Callable[[Path], Any], path: Path) -> tuple[Any, str]:
    try:
        return work(path), ""
    except OSError as why:
        return None, _cannot(path, why)


def _cannot(path: Path, why: OSError) -> str:
    return f"Cannot read {path}: {(why.strerror or str(why)).lower()}."


def _reading(path: Path) -> Reading:
    if path.stat().st_size > LARGEST_FILE_OCTETS:
        raise OSError(27, f"it is larger than {LARGEST_FILE_OCTETS // 1024 // 1024} MB")
    parsers: tuple[Parser, ...] = load_parsers()
    return read(path.read_bytes(), parsers=parsers)


def _as_json(path: Path) -> str:
    reading = _reading(path)
    return json.dumps(describe(path.name, reading), ensure_ascii=False)


def describe(name: str, reading: Reading) -> dict[str, Any]:
    """A reading as plain values. A sealed one shows no address."""
    if reading.outcome is ReadingOutcome.SEALED:
        incidents: list[dict[str, Any]] = [{"type": "content/csam", "source": None, "port": None, "at": None}]
    else:
        incidents = list(_incidents(reading))
    return {
        "file": name,
        "incidents": incidents,
        "verdict": reading.outcome.value,
        "reason": reading.reason.value,
        "parser": reading.parser,
        "detail": reading.detail,
        "confidence": min((x.confidence for x in reading.allegations), default=None),
        "needs_person": reading.outcome is ReadingOutcome.UNREADABLE or reading.reason is ReadingReason.UNSURE,
        "candidates": [asdict(x) | {"why": list(x.why)} for x in reading.marks],
    }


def _incidents(reading: Reading) -> Iterator[dict[str, Any]]:
    """One object for each source that is named: of a page at an address, the address and the page.

    Of an unsure reading also those of its candidates that the reader would take for a source of their own.
    """
    named: set[str] = set()
    for this in reading.allegations:
        address, item = str(this.source or ""), this.url or this.domain or ""
        if address and (not item or address not in named):
            yield _incident(this, address)
        if item:
            yield _incident(this, item)
        named |= {address, this.domain or "", host_of(item)}
    first = next(iter(reading.allegations), None)
    for mark in reading.marks:
        if first is not None and mark.chosen and mark.value not in named:
            yield _incident(
                Allegation(
                    type=first.type, moment=first.moment, unread_time=first.unread_time, confidence=mark.likelihood
                ),
                mark.value,
            )


def host_of(url: str) -> str:
    """The host that a URL names, or an empty text."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _incident(allegation: Allegation, source: str) -> dict[str, Any]:
    moment = allegation.moment
    return {
        "type": allegation.type,
        "source": source,
        "port": allegation.source_port,
        "at": _rfc3339(moment.at) if moment else None,
        "at_error_seconds": moment.error_seconds if moment else None,
        "zone_stated": moment.zone_stated if moment else None,
        **({"unread_time": allegation.unread_time} if allegation.unread_time is not None else {}),
        "protocol": allegation.protocol,
        "target": allegation.target,
        "target_port": allegation.target_port,
        "url": allegation.url,
        "domain": allegation.domain,
        "work": allegation.work,
        "claimant": allegation.claimant,
        "confidence": allegation.confidence,
    }


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_MOST_ROWS = 12
_Row = tuple[str, str, str, str, str]


def _as_rows(path: Path) -> list[_Row]:
    """Rows for a person: file, verdict, type, source, when."""
    reading = _reading(path)
    verdict = f"{_VERDICTS[reading.outcome]} ({reading.reason.value})"
    if reading.outcome is ReadingOutcome.SEALED or not reading.allegations:
        return [(path.name, verdict, "", "", reading.detail)]
    rows: list[_Row] = []
    for this in reading.allegations[:_MOST_ROWS]:
        source = str(this.source) if this.source else (this.url or this.domain or "")
        port = f" port {this.source_port}" if this.source_port else ""
        when = _when(this)
        rows.append((path.name if not rows else "", verdict if not rows else "", this.type, source + port, when))
    left = len(reading.allegations) - _MOST_ROWS
    if left > 0:
        rows.append(("", "", f"and {left} more", "", ""))
    return rows


_VERDICTS = {
    ReadingOutcome.COMPLAINT: "complaint",
    ReadingOutcome.NOT_A_COMPLAINT: "no complaint",
    ReadingOutcome.UNREADABLE: "for a person",
    ReadingOutcome.SEALED: "sealed",
}


def _when(allegation: Allegation) -> str:
    if allegation.moment is None:
        said = allegation.unread_time
        return f"time not understood: {said}" if said else "no time stated"
    if allegation.moment.of_days:
        return f"{allegation.moment.days_said}, no hour stated"
    return allegation.moment.at.strftime("%Y-%m-%d %H:%M:%S") + (
        " UTC" if allegation.moment.zone_stated else ", no zone stated"
    )


def _print_tables(results: Iterator[list[_Row]]) -> None:
    """A table a batch, so that memory stays bounded however many mails there are."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    batch: list[_Row] = []

    def show() -> None:
        table = Table(box=None, pad_edge=False, expand=False)
        for name, style in (("Mail", "bold"), ("Reading", ""), ("Type", "cyan"), ("Source", ""), ("When", "dim")):
            table.add_column(name, style=style, overflow="fold")
        for row in batch:
            # Text, not markup: what a mail says is shown and never interpreted.
            table.add_row(*(Text("".join(x for x in cell if x.isprintable())[:300]) for cell in row))
        console.print(table)
        batch.clear()

    for rows in results:
        batch += rows
        if len(batch) >= 200:
            show()
    if batch:
        show()


class _Bar:
    """A progress bar on stderr when a person watches; nothing otherwise."""

    def __init__(self, total: int) -> None:
        self._progress: Any = None
        if total >= 20 and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            self._progress = Progress(
                "Reading",
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._progress.add_task("mails", total=total)
            self._progress.start()

    def advance(self) -> None:
        if self._progress is not None:
            self._progress.advance(self._task)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
