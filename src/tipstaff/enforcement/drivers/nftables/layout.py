"""What the table `inet tipstaff` is built of, and which elements of its sets a rule needs. Pure."""

import hashlib
import re
import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from tipstaff.words import Degree, Direction, Rule, Scope, Selector, machine_named

TABLE = "tipstaff"
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
"""A measure's key fits into an element of type ifname: 15 characters."""
PORT = KEY
"""A customer's port is a named interface of the device; so is its name."""

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Element = tuple[str, str]
"""(set, element in words): `("block_flow_out4", "192.0.2.7,tcp,25")`."""
Rules = tuple[tuple[str, str, str], ...]
"""(chain, comment, text) of each rule."""

BOOKS = tuple(f"measures_{n:x}" for n in range(16))
"""The sets that name the measures. For each 32 KiB that the kernel hands out it walks a set from its beginning, so many
short sets are read in a fraction of the time of a long one."""
OLD_BOOK = "measures"
"""The one set that named them all until 2026-11: it is read, and what stands there is moved when it is changed."""

CHAINS = {"forward": ("filter", "forward", "filter - 5"), "garden": ("nat", "prerouting", "dstnat - 5")}
"""Chain -> (type, hook, priority). The second is there only where a garden is set up: it brings connection tracking."""

_VERBS = {Degree.BLOCK: "block", Degree.RATE_LIMIT: "slow", Degree.WALLED_GARDEN: "garden"}
_KINDS = {Scope.FLOW: "flow", Scope.ADDRESS: "addr", Scope.PREFIX: "net"}
_WAYS = {Direction.OUT: ("out",), Direction.IN: ("in",), Direction.BOTH: ("out", "in")}
_CAN = frozenset(
    [(scope, Degree.BLOCK) for scope in _KINDS] + [(Scope.FLOW, Degree.RATE_LIMIT), (Scope.ADDRESS, Degree.RATE_LIMIT)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Garden:
    """Where the walled garden is: its page by HTTP and HTTPS, and who answers for names meanwhile."""

    pages: Mapping[int, Address]
    """IP version -> the page's address. A version without a page has no garden."""
    http_port: int = 80
    """Where redirected HTTP goes. Port 443 of the same address is open as it is: HTTPS cannot be redirected."""
    resolvers: tuple[Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the settings say of a device."""

    tcp_block: str = "reset"
    connections_per_minute: int = 20
    """New TCP connections that a slowed address or port may make in a minute."""
    packets_per_second: int = 50
    """Packets of other protocols in a second."""
    customer_ports: frozenset[str] = frozenset()
    """The interfaces that customers are behind: no measure on a port touches another one."""
    ports_of: str = ""
    """The router or switch that they belong to, as the registry calls it: ports of others have the same names."""
    garden: Garden | None = None


def can(setup: Setup) -> frozenset[tuple[Scope, Degree]]:
    """What the table can say with these settings: (scope, degree)."""
    more = set()
    if setup.customer_ports:
        more |= {(Scope.FORGED, Degree.BLOCK), (Scope.SESSION, Degree.BLOCK)}
    if setup.garden:
        more |= {(Scope.ADDRESS, Degree.WALLED_GARDEN), (Scope.PREFIX, Degree.WALLED_GARDEN)}
    return _CAN | more


def holds(selector: Selector, degree: Degree, *, setup: Setup) -> bool:
    """Whether the table can hold exactly this."""
    if (selector.scope, degree) not in can(setup):
        return False
    if selector.forged_on is not None:
        router, _, port = selector.forged_on.partition("/")
        return router == setup.ports_of and port in setup.customer_ports
    if selector.session is not None:
        router, port, _ = _machine(selector.session)
        return router in ("", setup.ports_of) and port in setup.customer_ports
    network = selector.network
    if network is None:
        return False
    if selector.scope is Scope.FLOW:
        return network.num_addresses == 1 and selector.protocol in ("tcp", "udp") and not selector.narrowed
    if degree is Degree.WALLED_GARDEN:
        garden = setup.garden
        return (
            garden is not None
            and network.version in garden.pages
            and selector.direction is Direction.BOTH
            and not any(address in network for address in (*garden.pages.values(), *garden.resolvers))
        )
    return True


def supports(rule: Rule, *, setup: Setup) -> bool:
    """Whether the table can hold exactly this rule."""
    return KEY.fullmatch(rule.measure) is not None and holds(rule.selector, rule.degree, setup=setup)


def elements_of(rule: Rule) -> tuple[Element, ...]:
    """The elements that a rule needs."""
    selector = rule.selector
    network = selector.network
    if network is None:
        if selector.forged_on is not None:
            return (("guard_port", selector.forged_on.partition("/")[2]),)
        assert selector.session is not None, "the planner asked whether this can be held"
        return (("block_mac", ",".join(_machine(selector.session)[1:])),)
    scope, version = selector.scope, network.version
    first = network.network_address
    # The same words as str(), in a fifth of the time: these are the many.
    address = socket.inet_ntoa(first.packed) if version == 4 else str(first)
    if scope is Scope.FLOW:
        words = f"{address},{selector.protocol},{selector.port}"
    else:
        words = address if network.num_addresses == 1 else str(network)
    return tuple([(name, words) for name in _sets_for(rule.degree, scope, selector.direction, version)])


def book_of(measure: str) -> str:
    """The set that names this measure."""
    return BOOKS[zlib.crc32(measure.encode()) % len(BOOKS)]


def is_book(name: str) -> bool:
    """Whether a set names measures."""
    return name.startswith(OLD_BOOK)


def is_of_prefixes(name: str) -> bool:
    """Whether a set holds prefixes, which may lie within each other, and not single values."""
    return "_net_" in name


def _machine(session: str) -> tuple[str, str, str]:
    """(router, port, MAC address) of a session that is one machine on one port; the port is empty for another one."""
    place, mac = machine_named(session) or ("", "")
    router, _, port = place.rpartition("/")
    return router, port, mac


@cache
def _sets_for(degree: Degree, scope: Scope, direction: Direction, version: int) -> tuple[str, ...]:
    return tuple(f"{_VERBS[degree]}_{_KINDS[scope]}_{way}{version}" for way in _WAYS[direction])


def _set_kinds() -> dict[str, str]:
    kinds = {
        "generation": "type ifname;",
        **dict.fromkeys((OLD_BOOK, *BOOKS), "type ifname; flags timeout;"),
        "block_mac": "type ifname . ether_addr; flags timeout;",
        "guard_port": "type ifname; flags timeout;",
    }
    for way in ("out", "in"):
        for version in (4, 6):
            host = f"ipv{version}_addr"
            flow = f"{host} . inet_proto . inet_service"
            for verb in ("block", "slow"):
                kinds[f"{verb}_flow_{way}{version}"] = f"type {flow}; flags timeout;"
            for verb in ("block", "slow", "garden"):
                kinds[f"{verb}_addr_{way}{version}"] = f"type {host}; flags timeout;"
            for verb in ("block", "garden"):
                kinds[f"{verb}_net_{way}{version}"] = f"type {host}; flags interval, timeout;"
            kinds[f"meter_flow_{way}{version}"] = f"type {flow}; flags dynamic, timeout; timeout 2m; size 65535;"
            kinds[f"meter_addr_{way}{version}"] = f"type {host}; flags dynamic, timeout; timeout 2m; size 65535;"
    return kinds


SETS = _set_kinds()
READ_SETS = frozenset(name for name in SETS if not name.startswith("meter_"))
"""The sets that say what is wanted; the others count packets."""


def rules_of(setup: Setup) -> Rules:
    """The rules of the chains, in their order. The comment changes with the text, so a changed setting is noticed."""
    connections = f"limit rate over {setup.connections_per_minute}/minute burst {setup.connections_per_minute} packets"
    packets = f"limit rate over {setup.packets_per_second}/second burst {setup.packets_per_second} packets"
    opening = "tcp flags & (syn | ack) == syn"
    stop_tcp = "reject with tcp reset" if setup.tcp_block == "reset" else "drop"
    rules: list[tuple[str, str]] = [
        # Sources that do not lead back through the port that they came by (RFC 2827, RFC 3704).
        ("guard_port", "iifname @guard_port fib saddr . iif oif missing counter drop"),
        ("block_mac", "iifname . ether saddr @block_mac counter drop"),
    ]
    redirects: list[tuple[str, str]] = []
    for way, end in (("out", "saddr"), ("in", "daddr")):
        for version, family in ((4, "ip"), (6, "ip6")):
            host = f"{family} {end}"
            flow = f"{host} . meta l4proto . th dport"
            fast = f"{opening} update"
            tail = f"{way}{version}"
            rules += [
                (f"net_{tail}", f"{host} @block_net_{tail} counter drop"),
                (f"addr_{tail}", f"{host} @block_addr_{tail} counter drop"),
                (f"flow_{tail}_tcp", f"meta l4proto tcp {flow} @block_flow_{tail} counter {stop_tcp}"),
                (f"flow_{tail}", f"{flow} @block_flow_{tail} counter drop"),
            ]
            if setup.garden and version in setup.garden.pages:
                for kind in ("addr", "net"):
                    walled = f"{host} @garden_{kind}_{tail}"
                    rules += _walls(setup.garden, walled, way=way, version=version, name=f"garden_{kind}_{tail}")
                    if way == "out":
                        redirects.append(_redirect(setup.garden, walled, version=version, name=f"garden_{kind}_{tail}"))
            rules += [
                (
                    f"slow_flow_{tail}_tcp",
                    f"{flow} @slow_flow_{tail} {fast} @meter_flow_{tail} {{ {flow} {connections} }} counter drop",
                ),
                (
                    f"slow_flow_{tail}",
                    f"meta l4proto != tcp {flow} @slow_flow_{tail} "
                    f"update @meter_flow_{tail} {{ {flow} {packets} }} counter drop",
                ),
                (
                    f"slow_addr_{tail}_tcp",
                    f"{host} @slow_addr_{tail} {fast} @meter_addr_{tail} {{ {host} {connections} }} counter drop",
                ),
                (
                    f"slow_addr_{tail}",
                    f"meta l4proto != tcp {host} @slow_addr_{tail} "
                    f"update @meter_addr_{tail} {{ {host} {packets} }} counter drop",
                ),
            ]
    return tuple(
        (chain, f"{TABLE} {name} {hashlib.sha256(text.encode()).hexdigest()[:8]}", text)
        for chain, of_chain in (("forward", rules), ("garden", redirects))
        for name, text in of_chain
    )


def _walls(garden: Garden, walled: str, *, way: str, version: int, name: str) -> list[tuple[str, str]]:
    """What a walled-in customer still reaches, and is reached by; and that the rest is stopped."""
    family = "ip" if version == 4 else "ip6"
    far, port = (f"{family} daddr", "dport") if way == "out" else (f"{family} saddr", "sport")
    page, names = garden.pages[version], [str(r) for r in garden.resolvers if r.version == version]
    rules = [(f"{name}_page", f"{walled} {far} {page} tcp {port} {{ {garden.http_port}, 443 }} accept")]
    if names:
        asked = f"{far} {{ {', '.join(names)} }} meta l4proto {{ tcp, udp }} th {port} 53"
        rules.append((f"{name}_dns", f"{walled} {asked} accept"))
    if way == "out":
        # A browser that is refused asks the page; one that gets no answer waits for long.
        rules.append((f"{name}_tcp", f"meta l4proto tcp {walled} counter reject with tcp reset"))
    return [*rules, (name, f"{walled} counter drop")]


def _redirect(garden: Garden, walled: str, *, version: int, name: str) -> tuple[str, str]:
    page = garden.pages[version]
    to = f"ip to {page}:{garden.http_port}" if version == 4 else f"ip6 to [{page}]:{garden.http_port}"
    return name, f"{walled} tcp dport 80 dnat {to}"
