"""`tipstaff attribute`: who held each of many addresses, ports and times, with the proof."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer

from tipstaff.attribution.match import Question
from tipstaff.procedures.questions import NoQuestion, answer_json, question_of
from tipstaff.words import Attribution

from .base import database

AT_ONCE = 50_000
"""Lines that are read, answered and printed together: memory stays bounded, however long the file is."""
ONE_BY_ONE_MAX = 300
"""So few questions are sooner answered by the database than by reading all of it."""


def attribute(
    file: Annotated[str, typer.Argument(help="CSV, or - for standard input.", metavar="FILE|-")],
) -> None:
    """Say who held each address of a CSV file: address, port, protocol, at\\[, precision_seconds, destination,
    destination_port].

    One JSON object a line comes out, in the order of the lines: grade, customer, service and proof; for a line that
    can't be read, its error. Without a port, a protocol or a time leave the field empty. `at` is RFC 3339; without a
    zone it is taken to be right to 14 hours only. The destination, which is whom the connection was with, tells two
    connections of one public port apart. A first line with the columns' names may be there.
    """
    with database(), _opened(file) as text:
        from tipstaff import wiring

        rows = _rows(text)
        now = wiring.now()
        first = list(islice(rows, ONE_BY_ONE_MAX + 1))
        if len(first) <= ONE_BY_ONE_MAX:
            from tipstaff.procedures.lookup import answer_one

            for number, row in first:
                question = _question(row, asked_at=now)
                told = question if isinstance(question, str) else answer_one(question, received_at=now)
                typer.echo(_line(number, told))
            return
        from tipstaff.procedures.many import open_book

        book = open_book(at=now)
        while first:
            asked = [_question(row, asked_at=now) for _, row in first]
            answers = iter(book.attribute([q for q in asked if not isinstance(q, str)], received_at=now))
            for (number, _), question in zip(first, asked, strict=True):
                sys.stdout.write(_line(number, question if isinstance(question, str) else next(answers)) + "\n")
            first = list(islice(rows, AT_ONCE))


@contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    if file == "-":
        yield sys.stdin
        return
    with Path(file).open(encoding="utf-8-sig", errors="replace", newline="") as text:
        yield text


def _rows(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields; blank lines and a header are left out."""
    for number, line in enumerate(text, start=1):
        if number == 1:
            line = line.removeprefix("\ufeff")  # Standard input is read as it comes.
        if not line.strip():
            continue
        try:
            row = next(csv.reader([line]))
        except (csv.Error, StopIteration):
            row = [line.strip()]
        row = [field.strip() for field in row]
        if number == 1 and row and row[0].lower() == "address":
            continue
        yield number, row


def _question(row: list[str], *, asked_at: datetime) -> Question | str:
    """The question, or why it is none."""
    try:
        return question_of(row, asked_at=asked_at)
    except NoQuestion as why:
        return str(why)


def _line(number: int, told: Attribution | str) -> str:
    if isinstance(told, str):
        return json.dumps({"line": number, "error": told})
    return json.dumps({"line": number, **answer_json(told)})
