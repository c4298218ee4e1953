"""The book: one file per device that says which announcements are made, for which measures, and until when.

It is what survives: the speaker reads it (BIRD includes it), the generation stands in it, and it is only ever replaced
whole. Beside it stands `NAME.pending` from before it is replaced until the speaker has taken it in, so that whoever
comes after a `kill -9` knows that there is something left to do.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.routing.routes import Route, merged

_HEAD = "# Written by Tipstaff for the device {device}. What you change here is put right; what you add is reported.\n"
_GENERATION = re.compile(r"# generation (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One measure in the book."""

    measure: str
    fingerprint: str
    case: str
    until: datetime | None
    rate: int
    routes: tuple[Route, ...]

    def has_ended(self, at: datetime) -> bool:
        return self.until is not None and self.until <= at


@dataclass(frozen=True, kw_only=True)
class Book:
    """What the file says."""

    generation: int = 0
    entries: tuple[Entry, ...] = ()
    leaving: tuple[tuple[str, Route], ...] = ()
    """(measure, route) that is wanted no longer: kept until nobody is seen to hold it any more."""
    body: tuple[str, ...] = ()
    """The lines for the speaker."""
    exists: bool = field(default=False, compare=False)

    @cached_property
    def required(self) -> dict[Route, int]:
        """Route -> rate of all that shall be announced."""
        return merged((route, entry.rate) for entry in self.entries for route in entry.routes)

    @cached_property
    def gone(self) -> frozenset[Route]:
        """Routes that shall be announced no longer."""
        return frozenset(route for _, route in self.leaving) - self.required.keys()

    def next_end(self) -> datetime | None:
        return min((entry.until for entry in self.entries if entry.until is not None), default=None)


def text_of(book: Book, *, device: str) -> str:
    """The file's text."""
    lines = [_HEAD.format(device=device), f"# generation {book.generation}\n"]
    for e in book.entries:
        until = e.until.isoformat() if e.until else None
        lines.append(f"#: {json.dumps([e.measure, e.fingerprint, e.case, until, e.rate, e.routes])}\n")
    lines += [f"#- {json.dumps([measure, route])}\n" for measure, route in book.leaving]
    lines += [f"{line}\n" for line in book.body]
    return "".join(lines)


def read_text(text: str) -> Book:
    """Read a file's text; raise ValueError if it is none of ours or damaged."""
    generation: int | None = None
    entries: list[Entry] = []
    leaving: list[tuple[str, Route]] = []
    body: list[str] = []
    for line in text.splitlines():
        if line.startswith("#: "):
            measure, fingerprint, case, until, rate, routes = json.loads(line[3:])
            entries.append(
                Entry(
                    measure=measure,
                    fingerprint=fingerprint,
                    case=case,
                    until=datetime.fromisoformat(until) if until else None,
                    rate=rate,
                    routes=tuple(Route(*route) for route in routes),
                )
            )
        elif line.startswith("#- "):
            measure, route = json.loads(line[3:])
            leaving.append((measure, Route(*route)))
        elif told := _GENERATION.fullmatch(line):
            generation = int(told[1])
        elif line and not line.startswith("# Written by "):
            body.append(line)
    if generation is None:
        raise ValueError("it says no generation")
    return Book(generation=generation, entries=tuple(entries), leaving=tuple(leaving), body=tuple(body), exists=True)


class Shelf:
    """Where a device's book stands."""

    def __init__(
        self, device: str, file: Path, *, timeout_seconds: float = 20, stub: Sequence[str] = ()
    ) -> None:  # fmt: skip
        """`stub` is what the operator puts there before the first plan, where the router must find something to start
        with; it is an empty book, however it is set."""
        self._stub = "".join("".join(stub).split())
        self.device = device
        self._timeout_seconds = timeout_seconds
        self.file = file
        self.pending_file = file.with_name(file.name + ".pending")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """While entered, nobody else is; raise DeviceUnreachable where somebody is for too long."""
        lock = self.file.with_name(f"{self.file.name}.lock")
        with alone(lock, device=self.device, seconds=self._timeout_seconds):
            yield

    def read(self) -> Book:
        """Raise OSError or ValueError for a file that cannot be read; a missing one is an empty book."""
        text = self.text()
        if text is None:
            return Book()
        if self._stub and "".join(text.split()) == self._stub:
            return Book()
        return read_text(text)

    def text(self) -> str | None:
        """What stands in the file; None where there is none. Raise OSError for one that cannot be read."""
        try:
            return self.file.read_text()
        except FileNotFoundError:
            return None

    @property
    def pending(self) -> bool:
        return self.pending_file.exists()

    def write(self, book: Book) -> None:
        """Replace the book as a whole, and note that the speaker has to take it in."""
        self.put(text_of(book, device=self.device))

    def put(self, text: str | None) -> None:
        """The same with the file's text, as `text` gave it: the operator's stub is no book, and goes back as it was."""
        self.pending_file.touch()
        if text is None:
            self.file.unlink(missing_ok=True)
            return
        # Written beside and renamed: whoever is killed here leaves the old book or the new one.
        beside = self.file.with_name(f"{self.file.name}.new")
        with open(beside, "w") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, self.file)
        folder = os.open(self.file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def taken_in(self) -> None:
        """The speaker holds what the book says."""
        self.pending_file.unlink(missing_ok=True)


def without(book: Book, measures: Sequence[str]) -> Book:
    """The book with these measures leaving."""
    names = set(measures)
    leaving = [(e.measure, route) for e in book.entries if e.measure in names for route in e.routes]
    return Book(
        generation=book.generation,
        entries=tuple(e for e in book.entries if e.measure not in names),
        leaving=(*book.leaving, *leaving),
        body=book.body,
        exists=True,
    )
