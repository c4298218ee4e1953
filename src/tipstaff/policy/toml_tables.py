"""One table of an edition's TOML being read strictly: a mistake is one clear sentence with file, line and clause."""

import difflib
import enum
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from .toml_lines import Lines, lines_of
from .toml_lines import Path as Place

E = TypeVar("E", bound=enum.Enum)
WHOLE_MAX = 1_000_000
"""The largest whole number of an edition: so many days are within the calendar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in an edition, and where it stands."""

    file: str
    line: int
    clause: str
    """Empty for a mistake outside any clause."""
    sentence: str

    def __str__(self) -> str:
        clause = f" clause {self.clause}:" if self.clause else ""
        return f"{self.file}:{self.line}:{clause} {self.sentence}"


class Table:
    """One TOML table being read: every question asked of it takes a key away, and what is left is a mistake."""

    def __init__(
        self, table: dict[str, Any], *, file: str, lines: Lines, problems: list[Problem], place: Place, what: str
    ) -> None:
        self.table, self.file, self.lines, self.problems = table, file, lines, problems
        self.place, self.what = place, what
        self.clause = ""
        self.asked: set[str] = set()
        self.lacks: dict[str, Problem] = {}

    def line_of(self, *place: str | int, value: object = None) -> int:
        """The line at which that stands in the file; of the table itself without a place."""
        return self.lines.line_of((*self.place, *place), value=value)

    def report(self, sentence: str, *place: str | int, value: object = None) -> None:
        line = self.line_of(*place, value=value)
        self.problems.append(Problem(file=self.file, line=line, clause=self.clause, sentence=sentence))

    def report_lack(self, key: str, wanted: str) -> None:
        self.report(f"{self.what} lacks its {key}, {wanted}.")
        self.lacks[key] = self.problems[-1]

    def holds(self, key: str, kind: type) -> bool:
        """Whether `key` has a value of `kind`, so that more can be asked of it."""
        return isinstance(self.table.get(key), kind)

    def take(self, key: str, kind: type, wanted: str, *, default: Any = ...) -> Any:
        """The value of `key`, when it is of `kind`; else its default, or an empty value and a mistake."""
        self.asked.add(key)
        empty: Any = kind() if default is ... and kind is not datetime else default
        if key not in self.table:
            if default is ...:
                self.report_lack(key, wanted)
            return empty
        value = self.table[key]
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            self.report(f"{key} must be {wanted}, not {value!r}.", key)
            return empty
        return value

    def text(self, key: str, *, default: Any = ...) -> str:
        value: str = self.take(key, str, "a text in quotes", default=default)
        if value == "" and default is ... and key in self.table:
            self.report(f"{key} is empty; say it in words.", key)
        return value.strip()

    def whole(self, key: str, *, default: Any = ..., least: int = 0) -> Any:
        value = self.take(key, int, "a whole number", default=default)
        if self.holds(key, int) and value < least:
            self.report(f"{key} must be at least {least}, not {value}.", key)
        if self.holds(key, int) and value > WHOLE_MAX:
            self.report(f"{key} must be at most {WHOLE_MAX:,}, not {value}.", key)
            return WHOLE_MAX  # What is reported once shall not fail elsewhere.
        return value

    def texts(self, key: str, *, default: Any = ...) -> tuple[str, ...]:
        values = self.take(key, list, "a list of texts in quotes", default=default)
        for value in values:
            if not isinstance(value, str) or not value.strip():
                self.report(f"{key} must hold texts in quotes, not {value!r}.", key, value=value)
        return tuple(value.strip() for value in values if isinstance(value, str))

    def word(self, key: str, words: type[E], *, default: Any = ...) -> Any:
        """A member of an enum, by its name in small letters."""
        value = self.take(key, str, f"one of {listed(names_of(words))}", default=None if default is ... else default)
        if key not in self.table:
            if default is ...:
                self.report_lack(key, f"one of {listed(names_of(words))}")
                return next(iter(words))
            return default
        return self.member(key, words, value) if isinstance(value, str) else next(iter(words))

    def member(self, key: str, words: type[E], value: str) -> E:
        names = names_of(words)
        if value not in names:
            self.report(
                f"{value!r} is no {key}; it is one of {listed(names)}{perhaps(value, names)}.", key, value=value
            )
            return next(iter(words))
        return names[value]

    def inner(self, key: str, what: str, *, default: Any = ...) -> "Table | None":
        value = self.take(key, dict, "a table", default=default)
        return None if value is None else self.under(value, what, key)

    def under(self, table: dict[str, Any], what: str, *place: str | int) -> "Table":
        inner = Table(
            table, file=self.file, lines=self.lines, problems=self.problems, place=(*self.place, *place), what=what
        )
        inner.clause = self.clause
        return inner

    def done(self) -> None:
        """Every key that nobody asked for is unknown."""
        for key in self.table:
            if key not in self.asked:
                meant = _closest(key, self.asked)
                if meant in self.lacks:
                    self.problems.remove(self.lacks.pop(meant))
                self.report(f'"{key}" is not a key of {self.what}{perhaps(key, self.asked)}.', key)


def open_table(file: str, content: bytes, problems: list[Problem]) -> Table | None:
    """The whole of `file` as a table; None with a mistake on record when it is none."""

    def wrong(sentence: str, line: int = 1) -> None:
        problems.append(Problem(file=file, line=line, clause="", sentence=sentence))

    try:
        text = content.decode("utf-8")
        table = tomllib.loads(text)
    except UnicodeDecodeError:
        wrong("the file is not UTF-8 text; save it as UTF-8.")
    except tomllib.TOMLDecodeError as why:
        found = re.search(r"at line (\d+)", str(why))
        sentence = re.sub(r" \(at (line \d+, column \d+|end of document)\)", "", str(why))
        wrong(f"this is not TOML: {sentence}.", int(found.group(1)) if found else text.count("\n") + 1)
    else:
        name = file.rpartition("/")[2]
        what = "an edition" if name == "edition.toml" else "a translation" if "/locales/" in file else "a clause"
        return Table(table, file=file, lines=lines_of(text), problems=problems, place=(), what=what)
    return None


def names_of(words: type[E]) -> dict[str, E]:
    """How a word is written in an edition: reasons in capitals as in the record, all else in small letters."""
    if issubclass(words, enum.StrEnum):
        return {str(word.value): word for word in words}
    return {word.name.lower(): word for word in words}


def listed(names: Iterable[str]) -> str:
    """Names as a sentence lists them."""
    names = list(names)
    return ", ".join(names[:-1]) + (" or " if len(names) > 1 else "") + names[-1]


def _closest(word: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else None


def perhaps(word: str, known: Iterable[str]) -> str:
    """The end of a sentence on an unknown word: which known one may be meant."""
    meant = _closest(word, known)
    return f'; perhaps "{meant}" is meant' if meant else ""
