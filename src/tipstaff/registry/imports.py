"""Reads CSV files into words, row by row. Pure: what a row means for the registry is decided in `operations.py`.

The header says which kind of file it is. Columns, those in brackets may be left out or empty:

* customers: key, name, [reseller], [is_reseller: yes or no], [standing: good, suspended or terminated], [since],
  [representative_name], [representative_email], [language], [timezone], [phone], [email], [postal_address], [country],
  [brand]
* services: key, customer, kind (access, hosting, mail, transit or colocation), [label], [port]
* holdings: tier (operator, reseller or customer), kind (static, lease, port_block, delegated or pool), prefix,
  held_from, [held_until], [customer], [service], [port_first], [port_last]
* representatives: customer, email, [place: 1, 2 ...], [name], [language], [timezone], [phone]
* users: key, customer, name, [email]
* acceptances: customer, contract, edition, accepted_at, [accepted_by]
* resources: resource (asn, vlan, port, bgp_session, route, domain, mailbox, login, circuit, mac or handle), name,
  held_from, [scope], [tier], [customer], [service], [held_until]
* sites: host_name, address, customer, since, [service], [until]

Times are RFC 3339 with a zone (`2026-03-01T12:00:00Z`); a date alone is its first instant in UTC. Fields are divided
by commas, or by semicolons where the header has no comma.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from tipstaff.words import RefusedRow

from .columns import KINDS, BadRow, Value, why_no_holding

__all__ = ["KINDS", "BadRow", "Line", "Sheet", "Value", "place_in_order", "read_sheet", "read_sheets", "why_no_holding"]

_FIELD_CHARACTERS_MAX = 500
_KEYS = ("key", "customer", "reseller", "service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a file that was understood."""

    number: int
    value: Value
    left_out: frozenset[str] = frozenset()
    """The columns that the file does not have: what we know already of them stays."""
    undated: bool = False
    """True when the source does not say since when: one that we know already goes on as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file that was read."""

    source: str
    kind: str
    """`customers`, `services`, `holdings` ...; empty when the header says none of them."""
    lines: tuple[Line, ...]
    refused: tuple[RefusedRow, ...]
    said_by_wider: tuple[Value, ...] = ()
    """What was left out because a wider row of the same holder says it."""
    unread: frozenset[str] = frozenset()
    """The sources of what could not be read: whether it is still said is not known."""

    @property
    def rows(self) -> int:
        return len(self.lines) + len({row.line for row in self.refused if row.line > 1})


def read_sheet(lines: Iterable[str], *, source_name: str) -> Sheet:
    """Understand each row of a file, or say why not."""
    return next(read_sheets(lines, source_name=source_name, rows_max=None))


def read_sheets(lines: Iterable[str], *, source_name: str, rows_max: int | None) -> Iterator[Sheet]:
    """A file in pieces of so many rows, so that a long one needs no more memory than a short one."""
    numbered = _Counted(lines)
    names, delimiter = _columns(next((line for line in numbered if line.strip()), ""))
    kind, why = _kind_of(names)
    if why:
        first = RefusedRow(line=max(numbered.number, 1), why=why)
        yield Sheet(source=source_name, kind=kind, lines=(), refused=(first,))
        return
    left_out = frozenset(KINDS[kind][1]) - frozenset(names)
    records = _records(numbered, delimiter)
    piece = list(islice(records, rows_max))
    while True:
        understood: list[Line] = []
        refused: list[RefusedRow] = []
        for number, fields in piece:
            try:
                value = _row(kind, names, fields, f"{source_name}:{number}")
                understood.append(Line(number=number, value=value, left_out=left_out))
            except BadRow as bad:
                refused.append(RefusedRow(line=number, why=str(bad)))
        yield Sheet(source=source_name, kind=kind, lines=tuple(understood), refused=tuple(refused))
        piece = list(islice(records, rows_max)) if rows_max is not None else []
        if not piece:
            return


ORDER = ("customers", "representatives", "users", "acceptances", "services", "holdings", "sites", "resources")
"""What is named stands before what names it."""


def place_in_order(header: str) -> int:
    """When a file that begins with this line is to be taken in, beside others; the last place for an unknown kind."""
    kind, _ = _kind_of(_columns(header)[0])
    return ORDER.index(kind) if kind else len(ORDER)


def _columns(header: str) -> tuple[list[str], str]:
    """The names of the columns and what divides them."""
    header = header.lstrip("\ufeff")
    delimiter = ";" if ";" in header and "," not in header else ","
    try:
        names = next(csv.reader([header], delimiter=delimiter, strict=True), [])
    except csv.Error:
        names = []
    return [name.strip().lower() for name in names], delimiter


class _Counted:
    """Counts lines as they pass. csv's own count starts anew behind the header."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        return line


def _records(numbered: _Counted, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the line on which it begins; None for one that is no CSV."""
    reader = csv.reader(numbered, delimiter=delimiter, strict=True)
    while True:
        begins = numbered.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield begins, None
            continue
        if any(field.strip() for field in fields):
            yield begins, [field.strip() for field in fields]


def _kind_of(names: list[str]) -> tuple[str, str]:
    """The kind that a header declares, and why the header can't be used."""
    fitting = [kind for kind, (needed, _, _) in KINDS.items() if set(needed) <= set(names)]
    # Users may have mail addresses, and representatives need one: the kind is the one that knows all the columns.
    fitting.sort(key=lambda kind: not set(names) <= {*KINDS[kind][0], *KINDS[kind][1]})
    if fitting:
        kind = fitting[0]
        needed, optional, _ = KINDS[kind]
        doubled = sorted({name for name in names if names.count(name) > 1})
        unknown = [name for name in names if name not in (*needed, *optional)]
        if doubled:
            return kind, f"The column {doubled[0]} stands in the header twice."
        if unknown:
            known = ", ".join((*needed, *optional))
            return kind, f'There is no column "{unknown[0]}" in a file of {kind}; there may be {known}.'
        return kind, ""
    headers = "; ".join(f"{kind}: {', '.join(needed)}" for kind, (needed, _, _) in KINDS.items())
    return "", f"The header fits no kind of file. At least these columns are needed: {headers}."


def _row(kind: str, names: list[str], fields: list[str] | None, source: str) -> Value:
    if fields is None:
        raise BadRow("This is not well-formed CSV; look for a quotation mark that is not closed.")
    if len(fields) != len(names):
        are = "is 1 field" if len(fields) == 1 else f"are {len(fields)} fields"
        raise BadRow(f"There {are} where the header has {len(names)}.")
    needed, _, build = KINDS[kind]
    row = dict(zip(names, fields, strict=True))
    for name in needed:
        if not row[name]:
            raise BadRow(f"The field {name} is empty.")
    for name, field in row.items():
        if len(field) > _FIELD_CHARACTERS_MAX:
            raise BadRow(f"The field {name} is longer than {_FIELD_CHARACTERS_MAX} characters.")
        if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in field):
            raise BadRow(f"The field {name} holds a line break or another control character.")
        if name in _KEYS and len(field) > 64:
            raise BadRow(f"The field {name} is longer than 64 characters.")
    return build(row, source)
