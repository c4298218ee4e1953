"""Reads what the regional internet registries publish: RPSL objects, ARIN's records, delegated-extended statistics.

Pure. A published object says who holds space in *their* words: an organisation handle, a net name, an opaque id. Whose
that is here, the registry's own handles say (`ResourceKind.HANDLE`); nothing is guessed from names.

Sources: RFC 2622 (RPSL) and RFC 4012 (inet6num, route6) for the form of objects; RIPE's and ARIN's public
documentation for `status`, `created` and `NetType`; the NRO's "extended allocation and assignment reports" for the
statistics.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network, summarize_address_range

from tipstaff.words import Holding, HoldingKind, RefusedRow, Resource, ResourceKind, Tier

from .imports import Line, Sheet
from .names import NotInItsForm, plain_name

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One published object, as far as it matters here."""

    line: int
    """Where it begins."""
    networks: tuple[Network, ...] = ()
    asns: tuple[str, ...] = ()
    route: str = ""
    handles: tuple[str, ...] = ()
    """Whom it names, the most telling first."""
    own_space: bool = False
    """True when it is an allocation to a network operator rather than an assignment to its customer."""
    of_the_world: bool = False
    """True for a line of statistics, which list everybody's space."""
    since: datetime | None = None


def looks_published(first: str) -> bool:
    """True when a file's first line of content is one of the three forms rather than CSV."""
    return bool(_RPSL.match(first) or _ARIN.match(first) or _VERSION.match(first) or _RECORD.match(first))


def read_published(
    lines: Iterable[str],
    *,
    source_name: str,
    at: datetime,
    holder_of: Callable[[str], tuple[Tier, str | None] | None],
) -> Sheet:
    """A file of published objects as rows for the registry; what names nobody we know is refused by line.

    `holder_of` says whose a handle is: (tier, customer), or None. Statistics list the whole world, so there a line
    that is not ours is passed over in silence.
    """
    taken: list[Line] = []
    refused: list[RefusedRow] = []
    for item in _registered(lines):
        if isinstance(item, RefusedRow):
            refused.append(item)
            continue
        known = next((found for handle in item.handles if (found := holder_of(handle.upper()))), None)
        if known is None:
            if not item.of_the_world:
                named = ", ".join(item.handles) or "nobody"
                refused.append(
                    RefusedRow(line=item.line, why=f"It names {named}, and no handle of that name is in the registry.")
                )
            continue
        tier, customer = known
        taken += _rows(item, tier=tier, customer=customer, source=f"{source_name}:{item.line}", at=at)
    return Sheet(source=source_name, kind="published objects", lines=tuple(taken), refused=tuple(refused))


def _rows(item: Registered, *, tier: Tier, customer: str | None, source: str, at: datetime) -> Iterator[Line]:
    since = item.since or at
    if customer is None and not item.own_space:
        networks: tuple[Network, ...] = ()  # The operator's own use of its own space says nothing new.
    else:
        networks = item.networks
    if item.own_space and customer is not None and tier is Tier.CUSTOMER:
        tier = Tier.RESELLER  # Space that its holder may assign on.
    for number, network in enumerate(networks):
        yield Line(
            number=item.line,
            undated=item.since is None,
            value=Holding(
                key=0, tier=tier, kind=HoldingKind.STATIC, prefix=network, held_from=since, customer=customer,
                source=source if len(networks) == 1 else f"{source} part {number + 1}",
            ),
        )  # fmt: skip
    things = [(ResourceKind.ASN, name) for name in item.asns]
    if item.route:
        things.append((ResourceKind.ROUTE, item.route))
    for kind_of_thing, name in things:
        yield Line(
            number=item.line,
            undated=item.since is None,
            value=Resource(
                kind=kind_of_thing,
                name=name,
                tier=Tier.OPERATOR if customer is None else Tier.CUSTOMER,
                customer=customer,
                held_from=since,
                source=source,
            ),
        )


_RPSL = re.compile(r"(inetnum|inet6num|aut-num|route6?|organisation|person|role|mntner|as-set|% )\s*:?", re.I)
_ARIN = re.compile(r"(NetRange|CIDR|NetName|NetHandle|ASNumber|ASName|OrgName|OrgId|# )\s*:?")
_VERSION = re.compile(r"\d+(\.\d+)?\|[a-z]+\|\d{8}\|")
_RECORD = re.compile(r"[a-z]+\|[A-Z*]{0,2}\|(ipv4|ipv6|asn)\|")


def _registered(lines: Iterable[str]) -> Iterator[Registered | RefusedRow]:
    """Objects and statistics lines as they come; either form may stand in a file."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if not text.strip():
            yield from _of_block(block)
            block = []
        elif text[0] in "%#" or text.startswith("\ufeff%"):
            continue
        elif "|" in text and (_RECORD.match(text) or _VERSION.match(text)):
            yield from _of_statistics(number, text)
        else:
            block.append((number, text))
    yield from _of_block(block)


def _of_block(block: list[tuple[int, str]]) -> Iterator[Registered | RefusedRow]:
    if not block:
        return
    begins = block[0][0]
    pairs: list[tuple[str, str]] = []
    for number, text in block:
        if text[0] in " \t+" and pairs:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {text[1:].strip()}")
            continue
        name, colon, value = text.partition(":")
        if not colon:
            yield RefusedRow(line=number, why=f'"{text[:60]}" is neither an attribute nor a line of statistics.')
            return
        pairs.append((name.strip().lower(), value.partition("#")[0].strip()))
    values: dict[str, str] = {}
    for name, value in pairs:
        values.setdefault(name, value)
    try:
        yield from _of_values(begins, pairs[0][0], values)
    except (ValueError, NotInItsForm) as why:
        yield RefusedRow(line=begins, why=f"This object can't be read: {str(why)[:200].removesuffix('.')}.")


def _of_values(line: int, kind: str, values: dict[str, str]) -> Iterator[Registered]:
    if kind in ("inetnum", "inet6num"):
        status = values.get("status", "").upper()
        yield Registered(
            line=line,
            networks=_range(values[kind]),
            handles=_some(values.get("org"), values.get("netname")),
            own_space=status.startswith(("ALLOCATED", "SUB-ALLOCATED", "AGGREGATED")),
            since=_day(values.get("created")),
        )
    elif kind == "aut-num":
        yield Registered(
            line=line,
            asns=(plain_name(ResourceKind.ASN, values[kind]),),
            handles=_some(values.get("org"), values.get("as-name")),
            since=_day(values.get("created")),
        )
    elif kind in ("route", "route6"):
        origin = plain_name(ResourceKind.ASN, values.get("origin", ""))
        yield Registered(
            line=line,
            route=plain_name(ResourceKind.ROUTE, f"{values[kind]} {origin}"),
            handles=_some(values.get("org"), origin),
            since=_day(values.get("created")),
        )
    elif "netrange" in values:
        net_type = values.get("nettype", "").lower()
        yield Registered(
            line=line,
            networks=_range(values["netrange"]),
            handles=_some(*_arin_handles(values), values.get("netname")),
            own_space="alloc" in net_type,
            since=_day(values.get("regdate")),
        )
    elif "asnumber" in values:
        first, _, last = values["asnumber"].partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if len(numbers) > 100_000:
            raise ValueError("a block of more than 100,000 AS numbers is nobody's alone")
        yield Registered(
            line=line,
            asns=tuple(f"AS{number}" for number in numbers),
            handles=_some(*_arin_handles(values), values.get("asname")),
            since=_day(values.get("regdate")),
        )
    # Persons, organisations, maintainers and the like hold nothing.


def _arin_handles(values: dict[str, str]) -> tuple[str | None, ...]:
    """`Organization: Example Network (EXAMPLE-1)` and `Customer: Example Bakery (C00000001)` name their handles."""
    named = [re.search(r"\(([^()\s]+)\)\s*$", values.get(name, "")) for name in ("customer", "organization")]
    return *(found[1] if found else None for found in named), values.get("orgid")


def _of_statistics(line: int, text: str) -> Iterator[Registered | RefusedRow]:
    fields = text.strip().split("|")
    if _VERSION.match(text) or fields[-1] == "summary" or len(fields) < 7:
        return
    _, _, kind, start, size, day, status = fields[:7]
    opaque = fields[7] if len(fields) > 7 else ""
    if status not in ("allocated", "assigned") or not opaque:
        return
    try:
        networks: tuple[Network, ...] = ()
        asns: tuple[str, ...] = ()
        if kind == "asn":
            asns = tuple(f"AS{number}" for number in range(int(start), int(start) + int(size)))
        elif kind == "ipv6":
            networks = (ip_network(f"{start}/{int(size)}"),)
        else:
            first = IPv4Address(start)
            networks = tuple(summarize_address_range(first, first + (int(size) - 1)))
        since = _day(f"{day[:4]}-{day[4:6]}-{day[6:8]}") if len(day) == 8 else None
    except ValueError as why:
        yield RefusedRow(line=line, why=f"This line of statistics can't be read: {why}.")
        return
    yield Registered(
        line=line, networks=networks, asns=asns, handles=(opaque,), own_space=True, of_the_world=True, since=since
    )


def _range(text: str) -> tuple[Network, ...]:
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not dash:
        return (ip_network(first),)
    begin, end = ip_address(first), ip_address(last)
    return tuple(summarize_address_range(begin, end))


def _some(*names: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name)


def _day(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
