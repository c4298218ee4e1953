"""`tipstaff attribute`: who held each of many addresses, ports and times, with the proof."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from tipstaff.attribution.match import PROTOCOLS, Question
from tipstaff.words import Attribution, Binding, Holding, Identity, Moment

from .base import database

COLUMNS = ("address", "port", "protocol", "at", "precision_seconds")
AT_ONCE = 50_000
"""Lines that are read, answered and printed together: memory stays bounded, however long the file is."""
ONE_BY_ONE_MAX = 300
"""So few questions are sooner answered by the database than by reading all of it."""


def attribute(
    file: Annotated[str, typer.Argument(help="CSV, or - for standard input.", metavar="FILE|-")],
) -> None:
    """Say who held each address of a CSV file: address, port, protocol, at\\[, precision_seconds].

    One JSON object a line comes out, in the order of the lines: grade, customer, service and proof; for a line that
    can't be read, its error. Without a port, a protocol or a time leave the field empty. `at` is RFC 3339; without a
    zone it is taken to be right to 14 hours only. A first line with the columns' names may be there.
    """
    with database(), _opened(file) as text:
        from tipstaff import wiring

        rows = _rows(text)
        now = wiring.now()
        first = list(islice(rows, ONE_BY_ONE_MAX + 1))
        if len(first) <= ONE_BY_ONE_MAX:
            from tipstaff.procedures.lookup import answer_one

            for number, row in first:
                question = _question(row)
                told = question if isinstance(question, str) else answer_one(question, received_at=now)
                typer.echo(_line(number, told))
            return
        from tipstaff.procedures.many import open_book

        book = open_book(at=now)
        while first:
            asked = [_question(row) for _, row in first]
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


def _question(row: list[str]) -> Question | str:
    """The question, or why it is none."""
    if len(row) > len(COLUMNS):
        return f"{len(row)} fields, but there are {len(COLUMNS)}: {', '.join(COLUMNS)}"
    address, port, protocol, at, precision = [*row, "", "", "", "", ""][:5]
    try:
        source = ip_address(address)
    except ValueError:
        return f"{address!r} is not an IPv4 or IPv6 address"
    if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
        return f"{port!r} is not a port from 0 to 65535"
    number: int | None = None
    if protocol:
        number = int(protocol) if protocol.isascii() and protocol.isdigit() else PROTOCOLS.get(protocol.lower())
        if number is None or number > 255:
            return f"{protocol!r} is no protocol; write tcp, udp, or its IANA number"
    moment = _moment(at, precision)
    if isinstance(moment, str):
        return moment
    return Question(address=source, port=int(port) if port else None, protocol=number, moment=moment)


def _moment(at: str, precision: str) -> Moment | str | None:
    try:
        error = float(precision) if precision else 1.0
    except ValueError:
        return f"{precision!r} is not a number of seconds"
    if not 0 <= error <= 366 * 86400:
        return "the precision is between 0 seconds and a year"
    if not at:
        return None
    try:
        instant = datetime.fromisoformat(at)
        return Moment.without_zone(instant, error_seconds=error) if instant.tzinfo is None else Moment(instant, error)
    except (ValueError, OverflowError):
        return f"{at!r} is not a time; write one like 2026-03-01T12:00:00Z"


def _line(number: int, told: Attribution | str) -> str:
    if isinstance(told, str):
        return json.dumps({"line": number, "error": told})
    return json.dumps({"line": number, **answer_json(told)})


def answer_json(answer: Attribution) -> dict[str, Any]:
    """An answer as `tipstaff attribute` and the API print it."""
    return {
        "grade": answer.grade.name,
        "customer": answer.customer,
        "service": answer.service,
        "reason": answer.reason.value,
        "downstream": answer.downstream,
        "allows": sorted(answer.grade.allows),
        "window": [_stamp(answer.earliest), _stamp(answer.latest)],
        "proof": [
            *(_holding(h) for h in answer.proof),
            *(_binding(b) for b in answer.bindings),
            *(_identity(i) for i in answer.identities),
        ],
    }


def _holding(h: Holding) -> dict[str, Any]:
    return {
        "row": "holding", "key": h.key, "tier": h.tier, "kind": h.kind, "prefix": str(h.prefix),
        "ports": [h.port_first, h.port_last], "held": [_stamp(h.held_from), _stamp(h.held_until)],
        "customer": h.customer, "service": h.service, "source": h.source,
    }  # fmt: skip


def _binding(b: Binding) -> dict[str, Any]:
    leads_to = {"inside": str(b.inside), "inside_realm": b.inside_realm} if b.inside is not None else {
        b.subject_kind or "subject": b.subject
    }  # fmt: skip
    return {
        "row": "log", "source": b.source, "realm": b.realm, "prefix": str(b.prefix),
        "ports": [b.port_first, b.port_last], "protocol": b.protocol, **leads_to,
        "possible": [_stamp(b.possible_from), _stamp(b.possible_until)],
        "sure": [_stamp(b.sure_from), _stamp(b.sure_until)] if b.sure_from < b.sure_until else None,
        "ending": b.ending, "clock_error_seconds": b.clock_error_seconds,
        "file": b.file, "offset": b.offset, "stretch": list(b.stretch), "sha256": b.sha256,
    }  # fmt: skip


def _identity(i: Identity) -> dict[str, Any]:
    return {
        "row": "subscriber", i.kind: i.value, "customer": i.customer, "service": i.service, "reseller": i.reseller,
        "known": [_stamp(i.since), _stamp(i.until)],
    }  # fmt: skip


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
