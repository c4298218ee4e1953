"""What a rule becomes in BGP. Pure: no I/O, no clock.

Two kinds of announcement, and a device makes one of them:

- a blackhole (RFC 7999): who hears it discards everything that is sent *to* the prefix. What the prefix sends goes on,
  unless the routers that hear it also discard what comes from a blackholed source (RFC 5635, loose reverse path check);
- a flow (FlowSpec, RFC 8955 and RFC 8956): who hears it discards, or slows down, the packets of one source or
  destination, and of one protocol and port if they are named; down to both ends, the protocol and both ports.
"""

import enum
import struct
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from tipstaff.words import Degree, Direction, Rule, Scope

Network = IPv4Network | IPv6Network

NUMBERS = {"tcp": 6, "udp": 17}
"""Protocols that have ports, and their numbers (RFC 9293, RFC 768)."""
DISCARD = 0
"""The rate of a flow that is discarded (RFC 8955, 7.3)."""


class Kind(enum.StrEnum):
    """What a device announces."""

    BLACKHOLE = "blackhole"
    FLOWSPEC = "flowspec"
    DENIAL = "denial"
    """Nothing is announced: one prefix is not taken from one session."""


class Route(NamedTuple):
    """One announcement, without its attributes."""

    kind: str
    way: str
    """`to` or `from` the network; a blackhole is always `to`."""
    network: str
    """A prefix, always with its length."""
    protocol: int | None = None
    port: int | None = None
    remote: str | None = None
    """The other end, a prefix; then it is always said as `from` where the packets come from."""
    source_port: int | None = None

    @property
    def version(self) -> int:
        return 6 if ":" in self.network else 4

    def __str__(self) -> str:
        if self.kind == Kind.BLACKHOLE:
            return f"blackhole {self.network}"
        more = "" if self.protocol is None else f" protocol {self.protocol} port {self.port}"
        more += "" if self.remote is None else f" to {self.remote}"
        more += "" if self.source_port is None else f" source port {self.source_port}"
        if self.kind == Kind.DENIAL:
            return f"denial of {self.network}"
        return f"flow {self.way} {self.network}{more}"


def can(kind: Kind, *, slows: bool) -> frozenset[tuple[Scope, Degree]]:
    """What a device that makes such announcements can do: (scope, degree)."""
    if kind is Kind.BLACKHOLE:
        return frozenset({(Scope.ADDRESS, Degree.BLOCK), (Scope.PREFIX, Degree.BLOCK)})
    if kind is Kind.DENIAL:
        return frozenset({(Scope.ROUTE, Degree.BLOCK)})
    degrees = (Degree.BLOCK, Degree.RATE_LIMIT) if slows else (Degree.BLOCK,)
    return frozenset((scope, degree) for scope in (Scope.FLOW, Scope.ADDRESS, Scope.PREFIX) for degree in degrees)


def supports(rule: Rule, kind: Kind, *, slows: bool, both_ways: bool, session: str) -> bool:
    """Whether announcements can hold exactly this rule. A blackhole stops one way only, unless peers check sources."""
    selector = rule.selector
    network = selector.network
    if network is None or network.prefixlen == 0 or (selector.scope, rule.degree) not in can(kind, slows=slows):
        return False
    if kind is Kind.DENIAL:
        return selector.announced_on == session
    if kind is Kind.BLACKHOLE:
        return selector.direction is (Direction.BOTH if both_ways else Direction.IN)
    if selector.scope is Scope.FLOW:
        return network.num_addresses == 1 and selector.protocol in NUMBERS
    return True


def routes_of(rule: Rule, kind: Kind) -> tuple[Route, ...]:
    """The announcements that a rule needs."""
    selector = rule.selector
    network = selector.network
    assert network is not None, "only networks are announced"
    assert network.prefixlen > 0, "a default route is never announced"
    if kind is not Kind.FLOWSPEC:
        return (Route(kind, "to", str(network)),)
    number = NUMBERS[selector.protocol] if selector.protocol is not None else None
    ways = {Direction.OUT: ("from",), Direction.IN: ("to",), Direction.BOTH: ("from", "to")}[selector.direction]
    return tuple(
        flow(str(network), way=way, protocol=number, port=selector.port, remote=selector.remote,
             source_port=selector.source_port)
        for way in ways
    )  # fmt: skip


def flow(
    network: str, *, way: str, protocol: int | None, port: int | None, remote: object = None,
    source_port: int | None = None,
) -> Route:  # fmt: skip
    """A flow in its one form: who is asked what it holds sees two prefixes, and not which of them is whose."""
    far = None if remote is None else str(remote)
    if far is not None and way == "to":
        network, far, way = far, network, "from"
    return Route(Kind.FLOWSPEC, way, network, protocol, port, far, source_port)


def flow_between(
    source: str | None, destination: str | None, *, protocol: int | None, port: int | None, source_port: int | None
) -> Route | None:
    """The flow between two prefixes as a speaker says them, one of which may be missing; None where both are."""
    if source is None and destination is None:
        return None
    way, network = ("to", destination) if source is None else ("from", source)
    remote = destination if source is not None else None
    return flow(str(network), way=way, protocol=protocol, port=port, remote=remote, source_port=source_port)


def rate_of(degree: Degree, bytes_per_second: int) -> int:
    """The traffic rate that goes with a flow, in bytes per second."""
    return bytes_per_second if degree is Degree.RATE_LIMIT else DISCARD


def merged(needs: Iterable[tuple[Route, int]]) -> dict[Route, int]:
    """Route -> rate. Where two measures need one route, the lower rate holds."""
    found: dict[Route, int] = {}
    for route, rate in needs:
        found[route] = min(rate, found.get(route, rate))
    return found


def rate_community(rate: int) -> int:
    """The upper and lower half of the traffic-rate-bytes extended community as one number of 64 bits."""
    return (0x8006 << 48) | int.from_bytes(struct.pack(">f", float(rate)))
