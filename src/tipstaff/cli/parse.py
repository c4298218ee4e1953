"""`tipstaff parse`: what the reader understands of mails in files, without a database."""

import contextlib
import gzip
import io
import json
import multiprocessing
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from tipstaff.intake.protocol import Parser, load_parsers
from tipstaff.words import Allegation, Reading, ReadingOutcome, ReadingReason, host_of

LARGEST_FILE_OCTETS = 100 * 1024 * 1024
STANDARD_INPUT = Path("-")
_GZIP = b"\x1f\x8b"
_FROM_LINE = re.compile(rb"(?:\A|\n\r?\n)(?=From \S+ [^\n]{0,200}\d\d:\d\d)")
"""What parts an mbox: an empty line, then `From`, a sender and a time (RFC 4155). A sentence may begin with "From "."""
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_MANY = 64
"""From this many files on, more than one process pays."""


def parse(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Mails: files, mboxes, or folders with such in them, any number; - is standard input."),
    ],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Processes to use; 0 for one per core.")] = 0,
) -> None:
    """Read mails and print what is understood of them. Nothing is stored, opened or sent."""
    failures: list[str] = []
    files = _files(paths, failures)
    if json_:
        for lines in _results(files, _as_json, jobs, failures):
            sys.stdout.writelines(f"{line}\n" for line in lines)
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
            found = 0
            for file in _below(path, failures):
                found += 1
                yield file
            if not found:
                typer.echo(f"There is no file in {path}.", err=True)
        elif path.is_file() or path == STANDARD_INPUT:
            yield path
        elif path.exists():
            failures.append(f"Cannot read {path}: it is no file.")
        else:
            failures.append(f"Cannot read {path}: there is no such file.")


def _below(path: Path, failures: list[str]) -> Iterator[Path]:
    """The files in a folder and its folders. What is none is left out with a sentence: it would be waited for."""
    walk = os.walk(path, onerror=lambda why: failures.append(_cannot(Path(why.filename), why)))
    try:
        for folder, folders, names in walk:
            folders.sort()
            links = [name for name in folders if Path(folder, name).is_symlink()]
            for name in sorted((*links, *(x for x in names if not x.startswith(".")))):
                file = Path(folder, name)
                if file.is_file():
                    yield file
                else:
                    typer.echo(f"Left out {file}: it is {_what(file)}.", err=True)
    except OSError as why:
        failures.append(_cannot(path, why))


def _what(path: Path) -> str:
    if path.is_symlink():
        return "a link to a folder" if path.is_dir() else "a link to no file"
    return "a pipe" if path.is_fifo() else "no file"


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


def _readings(path: Path) -> Iterator[tuple[str, Reading]]:
    """Each mail of a file with its name: the file's own, and in an mbox of several its number behind a colon."""
    from tipstaff.intake.reading import read  # It takes numpy, and every other command would wait for that.

    parsers: tuple[Parser, ...] = load_parsers()
    mails = _mails(_octets(path))
    name = "-" if path == STANDARD_INPUT else path.name
    for number, mail in enumerate(mails, 1):
        yield (name if len(mails) == 1 else f"{name}:{number}"), read(mail, parsers=parsers)


def _octets(path: Path) -> bytes:
    """What a file holds, unpacked if gzip packed it."""
    with contextlib.ExitStack() as stack:
        file: IO[bytes] = sys.stdin.buffer if path == STANDARD_INPUT else stack.enter_context(path.open("rb"))
        octets = file.read(LARGEST_FILE_OCTETS + 1)
        if octets[:2] == _GZIP:
            try:
                octets = gzip.GzipFile(fileobj=io.BytesIO(octets)).read(LARGEST_FILE_OCTETS + 1)
            except (EOFError, zlib.error) as why:
                raise OSError(22, f"it is packed by gzip and broken ({why})") from why
    if len(octets) > LARGEST_FILE_OCTETS:
        raise OSError(27, f"it is larger than {LARGEST_FILE_OCTETS // 1024 // 1024} MB")
    return octets


def _mails(octets: bytes) -> list[bytes]:
    """The mails of an mbox of several; anything else is one mail."""
    begins = [found.end() for found in _FROM_LINE.finditer(octets)] if octets[:5] == b"From " else []
    if len(begins) < 2:
        return [octets]
    pieces = (octets[begin:end] for begin, end in pairwise([*begins, len(octets)]))
    return [_QUOTED_FROM.sub(rb"\1", piece.split(b"\n", 1)[-1]) for piece in pieces]


def _as_json(path: Path) -> list[str]:
    return [json.dumps(describe(name, reading), ensure_ascii=False) for name, reading in _readings(path)]


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
        # Whose space is ours is not known here.
        "candidates": [
            {key: value for key, value in asdict(x).items() if key != "ours"} | {"why": list(x.why)}
            for x in reading.marks
        ],
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
    return [row for name, reading in _readings(path) for row in _rows_of(name, reading)]


def _rows_of(name: str, reading: Reading) -> list[_Row]:
    verdict = f"{_VERDICTS[reading.outcome]} ({reading.reason.value})"
    if reading.outcome is ReadingOutcome.SEALED or not reading.allegations:
        return [(name, verdict, "", "", reading.detail)]
    rows: list[_Row] = []
    for this in reading.allegations[:_MOST_ROWS]:
        source = str(this.source) if this.source else (this.url or this.domain or "")
        port = f" port {this.source_port}" if this.source_port else ""
        when = _when(this)
        rows.append((name if not rows else "", verdict if not rows else "", this.type, source + port, when))
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
