"""Which service a subscriber that logs name belongs to: the operator's own list, checked against the registry."""

import csv
from collections.abc import Iterable
from datetime import datetime

from tipstaff.registry.operations import ListRead, read_list
from tipstaff.registry.queries import get_customer, get_service
from tipstaff.words import Identity, RefusedRow, SubjectKind, require_aware

KINDS = (SubjectKind.USERNAME, SubjectKind.CIRCUIT, SubjectKind.MAC)


class NotSubscribers(ValueError):
    """The file's header lacks a column, or not one row of it is good; the message says which."""


def import_subscribers(
    lines: Iterable[str], *, source: str, at: datetime, actor: str
) -> tuple[ListRead, list[RefusedRow]]:
    """Take in `kind,value,service[,customer][,since][,until]`; what the file says no more ends.

    A bad row is refused, the others count; a file without one good row is refused as a whole, and nothing changes.
    `service` may be empty where `customer` is stated.
    """
    reader = csv.DictReader(lines)
    missing = {"kind", "value"} - set(reader.fieldnames or ()) or (
        {"service"} if not {"service", "customer"} & set(reader.fieldnames or ()) else set()
    )
    if missing:
        raise NotSubscribers(f"the first line lacks {', '.join(sorted(missing))}")
    found: list[Identity] = []
    refused: list[RefusedRow] = []
    for number, row in enumerate(reader, start=2):
        try:
            found.append(_identity(row))
        except ValueError as why:
            refused.append(RefusedRow(line=number, why=str(why)))
    if not found:
        first = f"; line {refused[0].line}: {refused[0].why}" if refused else ""
        raise NotSubscribers(f"not one row of it is good, so what it said before stands{first}")
    return read_list(found, source=source, at=at, actor=actor), refused


def _identity(row: dict[str, str | None]) -> Identity:
    text = {k: (v or "").strip() for k, v in row.items() if isinstance(k, str) and not isinstance(v, list)}
    kind, value = text.get("kind", ""), text.get("value", "")
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if not value:
        raise ValueError("no value")
    service, customer = text.get("service", ""), text.get("customer", "")
    if service:
        known = get_service(service)
        if known is None:
            raise ValueError(f"there is no service {service}")
        if customer and customer != known.customer:
            raise ValueError(f"{service} is {known.customer}'s, not {customer}'s")
        customer = known.customer
    elif not customer or get_customer(customer) is None:
        raise ValueError(f"there is no customer {customer!r}, and no service is named")
    since, until = (_instant(text.get(c, ""), c) for c in ("since", "until"))
    if since is not None and until is not None and until <= since:
        raise ValueError("it ends before it begins")
    return Identity(
        kind=SubjectKind(kind),
        value=value.lower() if kind == SubjectKind.MAC else value,
        customer=customer,
        service=service or None,
        since=since,
        until=until,
    )


def _instant(text: str, column: str) -> datetime | None:
    if not text:
        return None
    try:
        return require_aware(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(f"{column} is {text!r}, which is no instant with a zone") from None
