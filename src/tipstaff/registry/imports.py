"""Reads CSV files into words, row by row. Pure: what a row means for the registry is decided in `operations.py`.

The header says which kind of file it is. Columns, those in brackets may be left out or empty:

* customers: key, name, [reseller], [is_reseller: yes or no], [standing: good, suspended or terminated], [since],
  [representative_name], [representative_email], [language], [timezone]
* services: key, customer, kind (access, hosting, mail, transit or colocation), [label], [port]
* holdings: tier (operator, reseller or customer), kind (static, lease, port_block, delegated or pool), prefix,
  held_from, [held_until], [customer], [service], [port_first], [port_last]
* sites: host_name, address, customer, since, [service], [until]

Times are RFC 3339 with a zone (`2026-03-01T12:00:00Z`); a date alone is its first instant in UTC. Fields are divided
by commas, or by semicolons where the header has no comma.
"""

import csv
import enum
import re
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TypeVar

from tipstaff.words import (
    Customer,
    Holding,
    HoldingKind,
    RefusedRow,
    Representative,
    Service,
    ServiceKind,
    Site,
    Standing,
    Tier,
)

from .rows import plain_host_name

Value = Customer | Service | Holding | Site
_Enum = TypeVar("_Enum", bound=enum.StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a file that was understood."""

    number: int
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file that was read."""

    source: str
    kind: str
    """`customers`, `services`, `holdings`, `sites`, or empty when the header says none of them."""
    lines: tuple[Line, ...]
    refused: tuple[RefusedRow, ...]

    @property
    def rows(self) -> int:
        return len(self.lines) + len({row.line for row in self.refused if row.line > 1})


def read_sheet(lines: Iterable[str], *, source_name: str) -> Sheet:
    """Understand each row of a file, or say why not."""
    numbered = _Counted(lines)
    header = next((line for line in numbered if line.strip()), "").lstrip("\ufeff")
    delimiter = ";" if ";" in header and "," not in header else ","
    try:
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter, strict=True), [])]
    except csv.Error:
        names = []
    kind, why = _kind_of(names)
    if why:
        first = RefusedRow(line=max(numbered.number, 1), why=why)
        return Sheet(source=source_name, kind=kind, lines=(), refused=(first,))
    understood: list[Line] = []
    refused: list[RefusedRow] = []
    for number, fields in _records(numbered, delimiter):
        try:
            understood.append(Line(number=number, value=_row(kind, names, fields, f"{source_name}:{number}")))
        except _BadRow as bad:
            refused.append(RefusedRow(line=number, why=str(bad)))
    return Sheet(source=source_name, kind=kind, lines=tuple(understood), refused=tuple(refused))


class _BadRow(ValueError):
    """This row can't be taken in."""


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
    for kind, (needed, optional, _) in _KINDS.items():
        if set(needed) <= set(names):
            doubled = sorted({name for name in names if names.count(name) > 1})
            unknown = [name for name in names if name not in (*needed, *optional)]
            if doubled:
                return kind, f"The column {doubled[0]} stands in the header twice."
            if unknown:
                known = ", ".join((*needed, *optional))
                return kind, f'There is no column "{unknown[0]}" in a file of {kind}; there may be {known}.'
            return kind, ""
    headers = "; ".join(f"{kind}: {', '.join(needed)}" for kind, (needed, _, _) in _KINDS.items())
    return "", f"The header fits no kind of file. At least these columns are needed: {headers}."


def _row(kind: str, names: list[str], fields: list[str] | None, source: str) -> Value:
    if fields is None:
        raise _BadRow("This is not well-formed CSV; look for a quotation mark that is not closed.")
    if len(fields) != len(names):
        raise _BadRow(f"There are {len(fields)} fields where the header has {len(names)}.")
    needed, _, build = _KINDS[kind]
    row = dict(zip(names, fields, strict=True))
    for name in needed:
        if not row[name]:
            raise _BadRow(f"The field {name} is empty.")
    for name, field in row.items():
        if len(field) > _FIELD_CHARACTERS_MAX:
            raise _BadRow(f"The field {name} is longer than {_FIELD_CHARACTERS_MAX} characters.")
        if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in field):
            raise _BadRow(f"The field {name} holds a line break or another control character.")
        if name in _KEYS and len(field) > 64:
            raise _BadRow(f"The field {name} is longer than 64 characters.")
    return build(row, source)


_FIELD_CHARACTERS_MAX = 500
_KEYS = ("key", "customer", "reseller", "service")


def _customer(row: Mapping[str, str], source: str) -> Customer:
    email, name = row.get("representative_email", ""), row.get("representative_name", "")
    if email and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]+", email):
        raise _BadRow(f'"{email}" is not a mail address.')
    if name and not email:
        raise _BadRow("A representative needs representative_email.")
    timezone = row.get("timezone", "") or "UTC"
    try:
        zoneinfo.ZoneInfo(timezone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise _BadRow(f'"{timezone}" is not a time zone; write one like Europe/Berlin.') from None
    language = row.get("language", "") or "en"
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise _BadRow(f'"{language}" is not a language tag; write one like en or pt-BR.')
    person = Representative(name=name or row["name"], email=email, language=language, timezone=timezone)
    return Customer(
        key=row["key"],
        name=row["name"],
        representative=person if email else None,
        reseller=row.get("reseller") or None,
        is_reseller=_yes(row.get("is_reseller", ""), "is_reseller"),
        standing=_one_of(Standing, row.get("standing", "") or "good", "standing"),
        since=_time(row["since"], "since") if row.get("since") else None,
    )


def _service(row: Mapping[str, str], source: str) -> Service:
    return Service(
        key=row["key"],
        customer=row["customer"],
        kind=_one_of(ServiceKind, row["kind"], "kind"),
        label=row.get("label", ""),
        port=row.get("port", ""),
    )


def _holding(row: Mapping[str, str], source: str) -> Holding:
    try:
        prefix = ip_network(row["prefix"])
    except ValueError as why:
        hint = "; it has bits set to the right of its length" if "host bits" in str(why) else ""
        raise _BadRow(f'"{row["prefix"]}" is not an address or prefix{hint}.') from None
    tier = _one_of(Tier, row["tier"], "tier")
    kind = _one_of(HoldingKind, row["kind"], "kind")
    customer = row.get("customer") or None
    first = _port(row.get("port_first", "") or "0", "port_first")
    last = _port(row.get("port_last", "") or "65535", "port_last")
    since = _time(row["held_from"], "held_from")
    until = _time(row["held_until"], "held_until") if row.get("held_until") else None
    holding = Holding(
        key=0,
        tier=tier,
        kind=kind,
        prefix=prefix,
        held_from=since,
        held_until=until,
        customer=customer,
        service=row.get("service") or None,
        port_first=first,
        port_last=last,
        source=source,
    )
    if why_not := why_no_holding(holding):
        raise _BadRow(why_not)
    return holding


def why_no_holding(holding: Holding) -> str:
    """What a holding lacks to be one, in a sentence; empty when nothing."""
    if holding.tier is Tier.OPERATOR and holding.customer is not None:
        return f"The operator's own space has no customer, but {holding.customer} is named."
    if holding.tier is not Tier.OPERATOR and holding.customer is None:
        return f"A holding of the tier {holding.tier} needs a customer."
    if holding.kind is HoldingKind.POOL and holding.tier is not Tier.OPERATOR:
        return "Pools are the operator's; a customer's holding is static, lease, port_block or delegated."
    if holding.service is not None and holding.customer is None:
        return "A service belongs to a customer, and none is named."
    if not 0 <= holding.port_first <= holding.port_last <= 65535:
        return f"{holding.port_first}-{holding.port_last} is not a range of ports."
    if holding.shared and holding.tier is Tier.OPERATOR:
        return "The operator's own space has all its ports."
    if holding.shared and holding.kind is not HoldingKind.POOL and holding.kind is not HoldingKind.PORT_BLOCK:
        return f"Only a port_block has some of the ports; this is {holding.kind}."
    if holding.held_until is not None and holding.held_until <= holding.held_from:
        return "It ends before it begins."
    return ""


def _site(row: Mapping[str, str], source: str) -> Site:
    try:
        address = ip_address(row["address"])
    except ValueError:
        raise _BadRow(f'"{row["address"]}" is not an address.') from None
    host_name = plain_host_name(row["host_name"])
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", host_name):
        raise _BadRow(f'"{row["host_name"]}" is not a host name.')
    since = _time(row["since"], "since")
    until = _time(row["until"], "until") if row.get("until") else None
    if until is not None and until <= since:
        raise _BadRow("It ends before it begins.")
    return Site(
        host_name=host_name,
        address=address,
        customer=row["customer"],
        service=row.get("service") or None,
        since=since,
        until=until,
    )


def _time(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _BadRow(f'{name} is "{text}"; write a time like 2026-03-01T12:00:00Z.') from None
    if at.tzinfo is None and not re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        raise _BadRow(f'{name} is "{text}" without a zone; write 2026-03-01T12:00:00Z or +02:00.')
    try:
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except OverflowError:
        raise _BadRow(f'{name} is "{text}"; that is beyond the calendar.') from None


def _port(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise _BadRow(f'{name} is "{text}"; ports go from 0 to 65535.')
    return int(text)


def _yes(text: str, name: str) -> bool:
    if text.lower() in ("yes", "true", "1"):
        return True
    if text.lower() in ("", "no", "false", "0"):
        return False
    raise _BadRow(f'{name} is "{text}"; write yes or no.')


def _one_of(words: type[_Enum], text: str, name: str) -> _Enum:
    try:
        return words(text.lower())
    except ValueError:
        raise _BadRow(f'{name} is "{text}"; it may be {", ".join(words)}.') from None


_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Mapping[str, str], str], Value]]] = {
    "holdings": (
        ("tier", "kind", "prefix", "held_from"),
        ("held_until", "customer", "service", "port_first", "port_last"),
        _holding,
    ),
    "sites": (("host_name", "address", "customer", "since"), ("service", "until"), _site),
    "services": (("key", "customer", "kind"), ("label", "port"), _service),
    "customers": (
        ("key", "name"),
        (
            "reseller",
            "is_reseller",
            "standing",
            "since",
            "representative_name",
            "representative_email",
            "language",
            "timezone",
        ),
        _customer,
    ),
}
"""For each kind: the columns it needs, those it may have, and how a row becomes a word."""
