"""Compares what customers announce with what they may: origins, entitlements, an end, prepending, what is missing here.

It reads route tables in the one-line form of bgpdump (`bgpdump -m`), of one or several collectors and our own routers,
one behind the other: `TABLE_DUMP2|1777896000|B|203.0.113.1|64501|198.51.100.0/24|64501 64500|IGP|...`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network

from tipstaff.sensors.protocol import Books, Network, NotReadable, Roa, Seen, instant
from tipstaff.words import ResourceKind, Usage, UsageKind

TIMES_LONGER_MIN = 2
AFTER_EXIT = "routes.announced_after_exit"
_FORMS = ("TABLE_DUMP", "TABLE_DUMP2", "BGP4MP", "BGP4MP_ET")


@dataclass(slots=True)
class _Route:
    """One prefix from one origin, as everybody who sent a table saw it."""

    first: datetime
    last: datetime
    peers: set[str] = field(default_factory=set)
    runs: dict[int, int] = field(default_factory=dict)
    """By the peer's AS, how often the origin stands in a row at the end of the path: the fewest."""
    here: bool = False
    """Whether one of our own routers had it."""
    handed_to_us: datetime | None = None
    """When one of our own routers last had it from the origin itself, with nobody's number between."""


class Routes:
    """`routes.origin_invalid`, `routes.not_entitled`, `routes.announced_after_exit`, `routes.prepended` and
    `routes.missing_here`, each of a customer's own origin; and which routes an origin itself hands to us, whosoever."""

    reads = "route tables in the one-line form of bgpdump"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        table: dict[tuple[Network, int], _Route] = {}
        for line, text in enumerate(lines, 1):
            if text.strip():
                _read(text.strip(), line=line, table=table, books=books)
        # Without a table of our own nothing can be missing in it.
        own_table = any(route.here for route in table.values())
        of_customer: dict[int, str | None] = {}
        for (prefix, origin), route in table.items():
            if origin not in of_customer:
                of_customer[origin] = books.holder_of(ResourceKind.ASN, f"AS{origin}", at=route.last)
            customer = of_customer[origin]
            found = []
            if customer is not None:
                found = list(_compare(prefix, origin, route, customer=customer, books=books, own_table=own_table))
                yield from found
            # One announcement is told once: what came after a prefix's end has a clause of its own.
            if route.handed_to_us is not None and not any(one.kind == AFTER_EXIT for one in found):
                yield _in_use(prefix, origin, at=route.handed_to_us)


def _read(text: str, *, line: int, table: dict[tuple[Network, int], _Route], books: Books) -> None:
    fields = text.split("|")
    if len(fields) < 7 or fields[0] not in _FORMS:
        raise NotReadable(f"line {line}: it is not in the one-line form of bgpdump.")
    if fields[2] not in ("A", "B"):
        return  # A withdrawal says nothing of who announces it.
    at = instant(fields[1], line=line)
    path = fields[6].split()
    if not path or not path[-1].isdecimal():
        return  # A set at the end names no single origin (RFC 6811, section 2).
    try:
        prefix, origin = ip_network(fields[5]), int(path[-1])
    except ValueError as why:
        raise NotReadable(f"line {line}: {why}.") from None
    run = next((n for n, hop in enumerate(reversed(path)) if hop != path[-1]), len(path))
    route = table.setdefault((prefix, origin), _Route(first=at, last=at))
    route.first, route.last = min(route.first, at), max(route.last, at)
    route.peers.add(fields[3])
    peer = int(fields[4]) if fields[4].isdecimal() else 0
    route.runs[peer] = min(run, route.runs.get(peer, run))
    if books.own_asn is not None and peer == books.own_asn:
        route.here = True
        # A route that came by another's network is that network's use of ours, not the origin's.
        if {hop for hop in path if hop != str(books.own_asn)} == {path[-1]}:
            route.handed_to_us = max(at, route.handed_to_us or at)


def _compare(
    prefix: Network, origin: int, route: _Route, *, customer: str, books: Books, own_table: bool
) -> Iterator[Seen]:
    day = f"{route.last:%Y-%m-%d}"
    seen = f"{prefix} from AS{origin}, seen by {len(route.peers)} routers"

    def found(kind: str, said: str, **facts: bool | int | str | tuple[str, ...]) -> Seen:
        return Seen(
            kind=kind, id=f"{kind}:{prefix}:{origin}:{day}", at=route.last, account=customer, facts=facts,
            excerpt=f"{seen}: {said}",
        )  # fmt: skip

    validity = validity_of(prefix, origin, books.roas)
    to_us = _sessions(prefix, route, customer=customer, books=books)
    if validity == "invalid":
        yield found("routes.origin_invalid", "its authorisations allow another origin or length", validity=validity,
                    seen_by=len(route.peers), **to_us)  # fmt: skip
    registered, letter = books.may_announce(customer, prefix, origin, at=route.last)
    ended = books.ended(prefix, at=route.last) if books.is_own(prefix, at=route.last) else None
    if ended is not None and ended.customer == customer:
        days = int((route.last - ended.at).total_seconds() // 86400)
        yield found(AFTER_EXIT, f"it was theirs until {ended.at:%Y-%m-%d}", days_after_exit=days, ours=True, **to_us)
    elif not registered and not letter:
        yield found("routes.not_entitled", "neither the registry nor a letter of authority names them",
                    registered=registered, letter_of_authority=letter, **to_us)  # fmt: skip
    if books.own_asn is None:
        return
    elsewhere = [run for peer, run in route.runs.items() if peer != books.own_asn]
    if route.here and elsewhere:
        longer = route.runs[books.own_asn] - min(elsewhere)
        if longer >= TIMES_LONGER_MIN:
            yield found("routes.prepended", f"their number stands {longer} times more in the path to us",
                        times_longer=longer)  # fmt: skip
    elif own_table and not route.here:
        hours = int((route.last - route.first).total_seconds() // 3600)
        yield found("routes.missing_here", f"for {hours} hours, and never to us", hours_missing=hours)


def _in_use(prefix: Network, origin: int, *, at: datetime) -> Seen:
    used = Usage(kind=UsageKind.ANNOUNCEMENT, what=f"{prefix} AS{origin}", seen_at=at, source="routes")
    return Seen(kind="service.used_after_end", id=f"used:{used.what}:{at:%Y-%m-%d}", at=at, used=used)


def _sessions(prefix: Network, route: _Route, *, customer: str, books: Books) -> Mapping[str, str | tuple[str, ...]]:
    """On which of the customer's own sessions with us it comes in, so that it can be denied there and nowhere else."""
    theirs = tuple(
        peer for peer in sorted(route.peers)
        if books.holder_of(ResourceKind.BGP_SESSION, peer, at=route.last) == customer
    )  # fmt: skip
    return {"prefix": str(prefix), "sessions": theirs} if theirs else {}


def validity_of(prefix: Network, origin: int, roas: Sequence[Roa]) -> str:
    """`valid`, `invalid` or `not_found` (RFC 6811, section 2)."""
    covering = [
        roa for roa in roas
        if roa.prefix.version == prefix.version and prefix.subnet_of(roa.prefix)  # type: ignore[arg-type]  # one version
    ]  # fmt: skip
    if not covering:
        return "not_found"
    allowed = any(roa.origin == origin != 0 and prefix.prefixlen <= roa.longest for roa in covering)
    return "valid" if allowed else "invalid"


def read_roas(given: object) -> tuple[Roa, ...]:
    """The validated origins that a relying party exports as JSON (`roas`, each with asn, prefix and maxLength)."""
    listed = given.get("roas") if isinstance(given, dict) else None
    if not isinstance(listed, list):
        raise NotReadable("the route origins have no list named roas.")
    found = []
    for number, one in enumerate(listed, 1):
        try:
            prefix = ip_network(one["prefix"])
            origin = int(str(one["asn"]).upper().removeprefix("AS"))
            found.append(Roa(prefix=prefix, longest=int(one.get("maxLength", prefix.prefixlen)), origin=origin))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise NotReadable(f"entry {number} of the route origins is none.") from None
    return tuple(found)
