"""Which remedy is the narrowest that suffices, and what each would touch. Pure: no I/O, no clock.

A remedy is a selector (what is touched) x a degree (how hard) x a time after which it ends by itself. `weigh` turns the
rungs of a ladder into candidates, keeps those that suffice, and chooses the narrowest; a tie goes to the one that hits
fewer others. Every other candidate keeps its sentence why not: together they are the proof that the most limited remedy
was taken. What is within reach, the caller says: the policy knows no device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from tipstaff.words import Candidate, Degree, Direction, Rung, Scope, Selector

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MEASURE_LASTS = timedelta(days=7)
"""Every measure ends by itself, unless it is lifted earlier or a person renews it: where the edition sets no
`measure.lifetime`."""
URGENT_MEASURE_LASTS = timedelta(hours=24)
"""A measure without a warning is reviewed within a day, or ends (row 64): where the edition sets no
`measure.review`."""
FIRST_LIFETIME = "measure.lifetime_first"
"""The clock of an edition that ends a measure sooner as long as that was not tried in vain; without it, none does."""
COUNTERSIGN_WITHIN = timedelta(hours=4)
"""A second person answers for it within this time (row 64): where the edition sets no `measure.countersign`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Whether a remedy can be carried out."""

    device: str | None
    """Who would carry it out; None when nobody can."""
    flaw: str = ""
    """Why that does not suffice, in a sentence; empty if it does."""
    one_way: Direction | None = None
    """It stops an address or prefix this way only, as a blackhole does: that is narrower, and is said so."""


Reach = Callable[[Rung, tuple[Selector, ...]], Reached]
"""Says of one rung and its selectors, which go together, whether anything can carry them out and show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefer:
    """A shorter time than the edition's longest, after which a measure may end by itself."""

    lasts: timedelta
    flaw: str = ""
    """Why so short a time does not suffice, in a sentence; empty if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What the inventory says lies around a resource, so that a measure's by-catch can be counted."""

    prefix: Network | None = None
    """The narrowest prefix of the holder's around the address."""
    others_on_address: frozenset[str] = frozenset()
    """Accounts other than the holder's that use the address (shared hosting, shared ports)."""
    others_on_prefix: frozenset[str] = frozenset()
    services_on_address: frozenset[str] = frozenset()
    """The holder's other services that use the address."""
    services_on_prefix: frozenset[str] = frozenset()
    services_of_account: frozenset[str] = frozenset()
    """All services of the holder."""
    accounts_below: frozenset[str] = frozenset()
    """Accounts that the holder serves in turn, as a reseller does."""
    others_on_service: frozenset[str] = frozenset()
    """Accounts other than the holder's that use the service: their log-ins, sites and addresses on it, and those below
    a reseller who use it in turn."""


def weigh(
    *,
    ladder: Sequence[Rung],
    measure_ports: Sequence[tuple[str, int]],
    resource: Address | None,
    url: str | None,
    source_port: int | None,
    service: str | None,
    account: str | None,
    footprint: Footprint,
    reach: Reach,
    host_name: str | None = None,
    mailbox: str | None = None,
    session: str | None = None,
    forged_on: str | None = None,
    source_protocol: str | None = None,
    direction: Direction | None = None,
    announced: Network | None = None,
    announced_on: tuple[str, ...] = (),
    lasts: timedelta | None = None,
    briefer: Sequence[Briefer] = (),
) -> tuple[Candidate, ...]:
    """Weigh every rung of the ladder; the chosen candidates are all of one rung and one time, or there is none.

    A clause that names several ports takes one candidate per port, chosen together. `direction` says where the
    conduct happens: OUT if the customer reaches out (mail, scans), IN if the customer serves it (pages, open
    resolvers). Without it, a URL or host name means IN and anything else OUT; with OUT, a URL is what the conduct
    points at and not where it happens. With IN, and no port named by the clause, `source_port` is the port that the
    customer serves it on. `announced` is a prefix that the customer announces on the BGP sessions `announced_on`, where
    that is the conduct: a candidate for each session, chosen together. `forged_on` is a port on which we saw
    packets with sources that do not belong there. `lasts` is the time after which the measure ends
    by itself at the latest, and `briefer` are shorter ones: the shortest that suffices is chosen.
    """
    way = way_of(url=url, host_name=host_name, direction=direction)
    served = bool(url or host_name) and way is Direction.IN
    conduct = _Conduct(
        resource=resource,
        url=url if served else None,
        host_name=(host_name or _host_name_of(url)) if served else None,
        mailbox=mailbox,
        session=session,
        forged_on=forged_on,
        service=service,
        account=account,
        direction=way,
        ports=(),
        announced=announced,
        announced_on=announced_on,
    )
    conduct = replace(conduct, ports=_ports(conduct, measure_ports, source_port, source_protocol))
    options = [
        _option(rung, selectors, footprint, service, reach)
        for rung in dict.fromkeys(ladder)
        if rung.degree is not Degree.NOTIFY  # A letter is no measure: nothing is touched.
        for selectors in [_selectors(rung.scope, conduct, footprint)]
        if selectors
    ]
    sufficient = [option for option in options if not option.flaw]
    narrowest = [a for a in sufficient if not any(_narrower(b, a, footprint) for b in sufficient)]
    chosen = min(narrowest, key=_order, default=None)
    times = _times(lasts, briefer)
    briefest = next(time for time in times if time is None or not time.flaw)
    return tuple(
        Candidate(
            selector=selector,
            degree=option.degree,
            device=device,
            sufficient=not option.flaw and (time is None or not time.flaw),
            others_hit=option.others_hit,
            services_hit=option.services_hit,
            chosen=option is chosen and time is briefest,
            why=_why(option, chosen, selector) if option is not chosen else _why_so_long(
                _why(option, chosen, selector), time, briefest, several=len(times) > 1
            ),
            lasts_hours=None if time is None else _in_hours(time.lasts),
        )
        for option in options
        for selector, device in zip(option.selectors, option.devices, strict=True)
        for time in times
    )  # fmt: skip


def _times(lasts: timedelta | None, briefer: Sequence[Briefer]) -> list[Briefer | None]:
    """The times that are weighed, the shortest first; the longest one always suffices."""
    if lasts is None:
        return [None]
    shorter = sorted((each for each in briefer if each.lasts < lasts), key=lambda each: each.lasts)
    return [*shorter, Briefer(lasts=lasts)]


def _why_so_long(why: str, time: Briefer | None, briefest: Briefer | None, *, several: bool) -> str:
    if time is None or briefest is None or not several:
        return why
    if time is briefest:
        return f"{why.removesuffix('.')}; {_in_hours(time.lasts)} hours is the shortest time that suffices."
    return time.flaw or f"Longer than needed: {_in_hours(briefest.lasts)} hours suffice."


def _in_hours(time: timedelta) -> int:
    return int(time.total_seconds() // 3600)


def way_of(*, url: str | None, host_name: str | None, direction: Direction | None) -> Direction:
    """Where the conduct happens: IN if the customer serves it, OUT if the customer reaches out."""
    if direction is not Direction.OUT and (url or host_name):
        return Direction.IN
    return direction or Direction.OUT


# How candidates come about.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conduct:
    resource: Address | None
    url: str | None
    host_name: str | None
    mailbox: str | None
    session: str | None
    forged_on: str | None
    service: str | None
    account: str | None
    direction: Direction
    ports: tuple[tuple[str, int], ...]
    announced: Network | None
    announced_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Option:
    scope: Scope
    degree: Degree
    selectors: tuple[Selector, ...]
    devices: tuple[str | None, ...]
    """One for each selector."""
    flaw: str
    """Why it does not suffice; empty if it does."""
    others_hit: int
    services_hit: int


def _host_name_of(url: str | None) -> str | None:
    host = _split(url)[0]
    if not host:
        return None
    try:
        ip_address(host)
    except ValueError:
        return host
    return None


def _split(url: str | None) -> tuple[str, int | None]:
    if not url:
        return "", None
    try:
        parts = urlsplit(url.replace("\\", "/"))  # As `host_of` reads it.
        default = {"http": 80, "https": 443, "ftp": 21}.get(parts.scheme)
        return (parts.hostname or "").lower(), parts.port or default
    except ValueError:
        return "", None


def _ports(
    conduct: _Conduct, measure_ports: Sequence[tuple[str, int]], source_port: int | None, source_protocol: str | None
) -> tuple[tuple[str, int], ...]:
    known = tuple(dict.fromkeys(measure_ports))
    if conduct.url is not None:
        port = _split(conduct.url)[1]
        # The clause presumes the usual ports; a URL that names another one knows better.
        if port is not None and ("tcp", port) not in known:
            return (("tcp", port),)
        return known
    if not known and conduct.direction is Direction.IN and source_port is not None and source_protocol:
        return ((source_protocol, source_port),)
    return known


def _selectors(scope: Scope, conduct: _Conduct, footprint: Footprint) -> tuple[Selector, ...]:
    """The selectors of one rung; none where the conduct does not name its subject."""
    match scope:
        case Scope.FORGED:
            return (Selector(forged_on=conduct.forged_on),) if conduct.forged_on else ()
        case Scope.ITEM:
            return (Selector(url=conduct.url),) if conduct.url else ()
        case Scope.MAILBOX:
            return (Selector(mailbox=conduct.mailbox),) if conduct.mailbox else ()
        case Scope.HOST_NAME:
            return (Selector(host_name=conduct.host_name),) if conduct.host_name else ()
        case Scope.FLOW:
            if conduct.resource is None:
                return ()
            host = ip_network(conduct.resource)
            return tuple(
                Selector(network=host, protocol=protocol, port=port, direction=conduct.direction)
                for protocol, port in conduct.ports
            )
        case Scope.ROUTE:
            if conduct.announced is None:
                return ()
            return tuple(Selector(network=conduct.announced, announced_on=each) for each in conduct.announced_on)
        case Scope.ADDRESS:
            return (Selector(network=ip_network(conduct.resource)),) if conduct.resource is not None else ()
        case Scope.PREFIX:
            around = footprint.prefix
            if conduct.resource is None or around is None or around.num_addresses == 1:
                return ()
            return (Selector(network=around),) if conduct.resource in around else ()
        case Scope.SESSION:
            return (Selector(session=conduct.session),) if conduct.session else ()
        case Scope.SERVICE:
            return (Selector(service=conduct.service),) if conduct.service else ()
        case Scope.ACCOUNT:
            return (Selector(account=conduct.account),) if conduct.account else ()


def _option(
    rung: Rung,
    selectors: tuple[Selector, ...],
    footprint: Footprint,
    service: str | None,
    reach: Reach,
) -> _Option:
    others, services = _hit(rung.scope, footprint, service)
    # Each BGP session has a device of its own; what else a rung takes is one device's.
    parts = [(s,) for s in selectors] if rung.scope is Scope.ROUTE else [selectors]
    reached = [(part, reach(rung, part)) for part in parts]
    unreached = any(each.device is None for _, each in reached)
    return _Option(
        scope=rung.scope,
        degree=rung.degree,
        selectors=tuple(
            s if each.one_way is None else replace(s, direction=each.one_way) for part, each in reached for s in part
        ),
        devices=tuple(each.device for part, each in reached for _ in part),
        flaw=next((each.flaw for _, each in reached if each.flaw), f"Nothing can {does(rung)}." if unreached else ""),
        others_hit=others,
        services_hit=services,
    )


def _hit(scope: Scope, footprint: Footprint, service: str | None) -> tuple[int, int]:
    """(other accounts, other services of the holder) that a measure of this scope would touch."""
    match scope:
        case Scope.FLOW | Scope.ADDRESS:
            return len(footprint.others_on_address), len(footprint.services_on_address)
        case Scope.PREFIX:
            others = footprint.others_on_prefix | footprint.others_on_address
            return len(others), len(footprint.services_on_prefix | footprint.services_on_address)
        case Scope.SERVICE:
            return len(footprint.others_on_service), 0
        case Scope.ACCOUNT:
            # With the account goes whatever it serves, the service among it.
            below = footprint.accounts_below | footprint.others_on_service
            return len(below), len(footprint.services_of_account - {service})
        case _:
            return 0, 0


# Which of two sufficient options is narrower.

_ON_THE_WIRE = (Scope.ITEM, Scope.HOST_NAME, Scope.FLOW, Scope.ADDRESS, Scope.PREFIX)
"""Each of these is part of the next: an item of its host's pages, the pages of the address's web ports, ..."""


def _narrower(a: _Option, b: _Option, footprint: Footprint) -> bool:
    """Whether `a` touches strictly less than `b`; or the same, less hard."""
    if a.scope is b.scope:
        return a.degree < b.degree
    return _within(a, b, footprint)


def _within(a: _Option, b: _Option, footprint: Footprint) -> bool:
    if Scope.FORGED in (a.scope, b.scope):
        # Nobody's lawful traffic is among it, whatever else the other one stops.
        return a.scope is Scope.FORGED
    if a.scope in _ON_THE_WIRE and b.scope in _ON_THE_WIRE:
        return a.scope < b.scope
    if a.scope is Scope.ROUTE:
        # The prefix may still be reached another way; without the service it could not be announced at all.
        return b.scope in (Scope.PREFIX, Scope.SERVICE, Scope.ACCOUNT)
    if b.scope is Scope.ROUTE:
        return False
    if a.scope is Scope.MAILBOX:
        return b.scope in (Scope.SERVICE, Scope.ACCOUNT)
    if a.scope is Scope.SESSION:
        # It is the customer's own traffic at this address and no more, even where others share the address.
        shared = b.others_hit > 0 or b.services_hit > 0
        return b.scope > a.scope or b.scope is Scope.PREFIX or (b.scope is Scope.ADDRESS and shared)
    if b.scope is Scope.SESSION:
        alone = a.others_hit == 0 and a.services_hit == 0
        return a.scope in (Scope.ITEM, Scope.HOST_NAME) or (a.scope is Scope.FLOW and alone)
    if b.scope is Scope.ACCOUNT:
        # An address that others share reaches beyond the account, and is no part of it; a service is part of it.
        return a.scope is Scope.SERVICE or a.others_hit == 0
    if b.scope is Scope.SERVICE:
        return a.scope in _ON_THE_WIRE and a.others_hit == 0 and a.services_hit == 0
    return False


def _order(option: _Option) -> tuple[int, int, int, int, str]:
    return option.others_hit, option.services_hit, option.scope, option.degree, str(option.selectors[0])


# The sentences.

_DOES = {
    Degree.RATE_LIMIT: "slow down",
    Degree.HOLD: "hold back",
    Degree.BLOCK: "block",
    Degree.WALLED_GARDEN: "wall in",
    Degree.DISCONNECT: "disconnect",
    Degree.SUSPEND: "suspend",
    Degree.TERMINATE: "terminate",
}
_SCOPES = {
    Scope.FORGED: "the forged packets of one port",
    Scope.ITEM: "one URL",
    Scope.MAILBOX: "one mailbox",
    Scope.HOST_NAME: "one host name",
    Scope.FLOW: "one port of one address",
    Scope.ROUTE: "one announced prefix",
    Scope.ADDRESS: "one address",
    Scope.PREFIX: "one prefix",
    Scope.SESSION: "one session",
    Scope.SERVICE: "one service",
    Scope.ACCOUNT: "one account",
}


def does(rung: Rung) -> str:
    """What a remedy of this rung does, as a sentence says it: `block one address`."""
    return f"{_DOES.get(rung.degree, 'do')} {_SCOPES[rung.scope]}"


def _why(option: _Option, chosen: _Option | None, selector: Selector) -> str:
    if option is chosen:
        others = [str(s) for s in option.selectors if s is not selector]
        with_others = f", together with {_listed(others)}" if others else ""
        return f"The narrowest measure that stops it and can be shown to be in force{with_others}."
    if option.flaw:
        if chosen is None or option.scope >= chosen.scope:
            return option.flaw
        return f"{option.flaw.removesuffix('.')}; the narrowest within reach is {_named(chosen)}."
    assert chosen is not None, "a sufficient candidate was rejected for nothing"
    if option.scope is chosen.scope:
        return f"Harsher than to {_DOES[chosen.degree]} {_named(chosen)}, which suffices."
    if option.others_hit > chosen.others_hit:
        return f"Would also hit {_count(option.others_hit, 'other account')}; {_named(chosen)} suffices."
    if option.services_hit > chosen.services_hit:
        more = _count(option.services_hit, "other service")
        return f"Would also hit {more} of the customer; {_named(chosen)} suffices."
    return f"Wider than needed: {_named(chosen)} suffices."


def _named(option: _Option) -> str:
    return _listed([str(s) for s in option.selectors])


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
