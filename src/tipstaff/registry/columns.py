"""What each kind of CSV file holds: its columns, and how a row becomes a word. Pure."""

import enum
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import TypeVar

from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Holding,
    HoldingKind,
    Representative,
    Resource,
    ResourceKind,
    Service,
    ServiceKind,
    Site,
    Standing,
    Tier,
)

from .names import NotInItsForm, plain_host_name, plain_name, plain_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One place in a customer's chain of representatives, counted from 1."""

    customer: str
    place: int
    person: Representative


Value = Customer | Service | Holding | Site | Resource | Acceptance | AccountUser | Contact
_Enum = TypeVar("_Enum", bound=enum.StrEnum)


BRAND = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class BadRow(ValueError):
    """This row can't be taken in."""


def _customer(row: Mapping[str, str], source: str) -> Customer:
    email, name = row.get("representative_email", ""), row.get("representative_name", "")
    if email and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]+", email):
        raise BadRow(f'"{email}" is not a mail address.')
    if name and not email:
        raise BadRow("A representative needs representative_email.")
    language, timezone = _tongue(row)
    country = row.get("country", "").upper()
    if country and not re.fullmatch(r"[A-Z]{2}", country):
        raise BadRow(f'"{country}" is not a country; write two letters like DE (ISO 3166-1).')
    brand = row.get("brand", "").lower()
    if brand and not BRAND.fullmatch(brand):
        raise BadRow(f'"{brand}" is no brand; write its name in the settings, like north.')
    person = Representative(name=name or row["name"], email=email, language=language, timezone=timezone)
    return Customer(
        key=row["key"],
        name=row["name"],
        representative=person if email else None,
        reseller=row.get("reseller") or None,
        is_reseller=_yes(row.get("is_reseller", ""), "is_reseller"),
        standing=_one_of(Standing, row.get("standing", "") or "good", "standing"),
        since=read_time(row["since"], "since") if row.get("since") else None,
        phone=row.get("phone", ""),
        email=row.get("email", ""),
        postal_address=row.get("postal_address", ""),
        country=country,
        brand=brand,
    )


def _tongue(row: Mapping[str, str]) -> tuple[str, str]:
    """The language and the time zone of a contact."""
    timezone = row.get("timezone", "") or "UTC"
    try:
        zoneinfo.ZoneInfo(timezone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise BadRow(f'"{timezone}" is not a time zone; write one like Europe/Berlin.') from None
    language = row.get("language", "") or "en"
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise BadRow(f'"{language}" is not a language tag; write one like en or pt-BR.')
    return language, timezone


def _contact(row: Mapping[str, str], source: str) -> Contact:
    email = row["email"]
    if not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]+", email):
        raise BadRow(f'"{email}" is not a mail address.')
    place = row.get("place", "") or "1"
    if not re.fullmatch(r"[1-9][0-9]?", place):
        raise BadRow(f'place is "{place}"; contacts are asked in the order 1, 2, 3 ...')
    language, timezone = _tongue(row)
    return Contact(
        customer=row["customer"],
        place=int(place),
        person=Representative(
            name=row.get("name", "") or email,
            email=email,
            language=language,
            timezone=timezone,
            phone=row.get("phone", ""),
        ),
    )


def _user(row: Mapping[str, str], source: str) -> AccountUser:
    return AccountUser(key=row["key"], customer=row["customer"], name=row["name"], email=row.get("email", ""))


def _acceptance(row: Mapping[str, str], source: str) -> Acceptance:
    return Acceptance(
        customer=row["customer"],
        contract=row["contract"],
        edition=row["edition"],
        accepted_at=read_time(row["accepted_at"], "accepted_at"),
        accepted_by=row.get("accepted_by", ""),
    )


def _resource(row: Mapping[str, str], source: str) -> Resource:
    kind = _one_of(ResourceKind, row["resource"], "resource")
    tier = _one_of(Tier, row.get("tier", "") or ("customer" if row.get("customer") else "operator"), "tier")
    since = read_time(row["held_from"], "held_from")
    until = read_time(row["held_until"], "held_until") if row.get("held_until") else None
    customer = row.get("customer") or None
    if (tier is Tier.OPERATOR) != (customer is None):
        raise BadRow("A customer's resource names a customer, and the operator's own names none.")
    if until is not None and until <= since:
        raise BadRow("It ends before it begins.")
    try:
        name, scope = plain_name(kind, row["name"]), plain_scope(kind, row.get("scope", ""))
    except NotInItsForm as why:
        raise BadRow(str(why)) from None
    return Resource(
        kind=kind,
        name=name,
        scope=scope,
        tier=tier,
        customer=customer,
        service=row.get("service") or None,
        held_from=since,
        held_until=until,
        source=source,
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
        raise BadRow(f'"{row["prefix"]}" is not an address or prefix{hint}.') from None
    tier = _one_of(Tier, row["tier"], "tier")
    kind = _one_of(HoldingKind, row["kind"], "kind")
    customer = row.get("customer") or None
    first = _port(row.get("port_first", "") or "0", "port_first")
    last = _port(row.get("port_last", "") or "65535", "port_last")
    since = read_time(row["held_from"], "held_from")
    until = read_time(row["held_until"], "held_until") if row.get("held_until") else None
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
        raise BadRow(why_not)
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
        raise BadRow(f'"{row["address"]}" is not an address.') from None
    host_name = plain_host_name(row["host_name"])
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*", host_name):
        raise BadRow(f'"{row["host_name"]}" is not a host name.')
    since = read_time(row["since"], "since")
    until = read_time(row["until"], "until") if row.get("until") else None
    if until is not None and until <= since:
        raise BadRow("It ends before it begins.")
    return Site(
        host_name=host_name,
        address=address,
        customer=row["customer"],
        service=row.get("service") or None,
        since=since,
        until=until,
    )


def read_time(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadRow(f'{name} is "{text}"; write a time like 2026-03-01T12:00:00Z.') from None
    if at.tzinfo is None and not re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        raise BadRow(f'{name} is "{text}" without a zone; write 2026-03-01T12:00:00Z or +02:00.')
    try:
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except OverflowError:
        raise BadRow(f'{name} is "{text}"; that is beyond the calendar.') from None


def _port(text: str, name: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise BadRow(f'{name} is "{text}"; ports go from 0 to 65535.')
    return int(text)


def _yes(text: str, name: str) -> bool:
    if text.lower() in ("yes", "true", "1"):
        return True
    if text.lower() in ("", "no", "false", "0"):
        return False
    raise BadRow(f'{name} is "{text}"; write yes or no.')


def _one_of(words: type[_Enum], text: str, name: str) -> _Enum:
    try:
        return words(text.lower())
    except ValueError:
        raise BadRow(f'{name} is "{text}"; it may be {", ".join(words)}.') from None


KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Mapping[str, str], str], Value]]] = {
    "holdings": (
        ("tier", "kind", "prefix", "held_from"),
        ("held_until", "customer", "service", "port_first", "port_last"),
        _holding,
    ),
    "sites": (("host_name", "address", "customer", "since"), ("service", "until"), _site),
    "resources": (("resource", "name", "held_from"), ("scope", "tier", "customer", "service", "held_until"), _resource),
    "acceptances": (("customer", "contract", "edition", "accepted_at"), ("accepted_by",), _acceptance),
    "representatives": (("customer", "email"), ("place", "name", "language", "timezone", "phone"), _contact),
    "users": (("key", "customer", "name"), ("email",), _user),
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
            "phone",
            "email",
            "postal_address",
            "country",
            "brand",
        ),
        _customer,
    ),
}
"""For each kind: the columns it needs, those it may have, and how a row becomes a word."""
