"""The table `inet tipstaff`: what it is built of, how a rule becomes its elements, and how a listing is read. Pure.

The table holds two sets of book-keeping beside the sets that rules look into:

- `generation` has one element, `g17`: the generation of the last plan. A change deletes the element that it read
  and adds its own in the same transaction, so the kernel itself refuses a change that was made for another state.
- `measures` has one element per measure, named by its key; the comment says which elements it needs. Two measures
  may need one element: it stays until the last of them is lifted.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from tipstaff.enforcement.planner import fingerprint
from tipstaff.words import Degree, Direction, Rule, Scope

TABLE = "tipstaff"
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
"""A measure's key fits into an element of type ifname: 15 characters."""

Network = IPv4Network | IPv6Network
Element = tuple[str, str]
"""(set, element in words): `("block_flow_out4", "192.0.2.7,tcp,25")`."""

_COMMENT = re.compile(r"fp=(\S+) in=(\S+) el=(\S+)")
Rules = tuple[tuple[str, str], ...]
"""(comment, text) of each rule of the chain."""

_VERBS = {Degree.BLOCK: "block", Degree.RATE_LIMIT: "slow"}
_KINDS = {Scope.FLOW: "flow", Scope.ADDRESS: "addr", Scope.PREFIX: "net"}
_WAYS = {Direction.OUT: ("out",), Direction.IN: ("in",), Direction.BOTH: ("out", "in")}
CAN = frozenset(
    [(scope, Degree.BLOCK) for scope in _KINDS] + [(Scope.FLOW, Degree.RATE_LIMIT), (Scope.ADDRESS, Degree.RATE_LIMIT)]
)
"""What the table can say: (scope, degree)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What 'slowed down' means on this device."""

    connections_per_minute: int = 20
    """New TCP connections that a slowed address or port may make in a minute."""
    packets_per_second: int = 50
    """Packets of other protocols in a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a listing says that the device holds."""

    generation: int = 0
    generation_elements: tuple[str, ...] = ()
    measures: Mapping[str, str] = field(default_factory=dict)
    """Measure key -> comment of its element."""
    elements: Mapping[Element, str] = field(default_factory=dict)
    """Element -> comment; a comment that does not name measures is foreign."""
    prefixes: Mapping[Element, Any] = field(default_factory=dict)
    """Every element of the prefix sets as it was listed, time left included."""
    sets: frozenset[str] = frozenset()
    rule_comments: tuple[str, ...] = ()
    own_rule_handles: tuple[int, ...] = ()
    chain_stands: bool = False
    foreign: tuple[str, ...] = ()
    exists: bool = False

    def stands(self, rules: "Rules") -> bool:
        """Whether the rules that look into the sets are all there, as this version and these settings write them."""
        return self.chain_stands and self.sets >= set(_SETS) and self.rule_comments == tuple(c for c, _ in rules)


def supports(rule: Rule) -> bool:
    """Whether the table can hold exactly this rule."""
    selector = rule.selector
    if (selector.scope, rule.degree) not in CAN or selector.network is None or not KEY.fullmatch(rule.measure):
        return False
    if selector.scope is Scope.FLOW:
        return selector.network.num_addresses == 1 and selector.protocol in ("tcp", "udp")
    return True


def elements_of(rule: Rule) -> tuple[Element, ...]:
    """The elements that a rule needs."""
    selector = rule.selector
    network = selector.network
    assert network is not None, "only networks become elements"
    if selector.scope is Scope.FLOW:
        words = f"{network.network_address},{selector.protocol},{selector.port}"
    else:
        words = str(network.network_address if network.num_addresses == 1 else network)
    stem = f"{_VERBS[rule.degree]}_{_KINDS[selector.scope]}"
    return tuple((f"{stem}_{way}{network.version}", words) for way in _WAYS[selector.direction])


def comment_of(rule: Rule) -> str:
    """The comment of a measure's element: enough to lift it without any plan."""
    needs = elements_of(rule)
    into = "+".join(name for name, _ in needs)
    return f"fp={fingerprint(rule)} in={into} el={needs[0][1]} case={rule.case}"[:127]


def needs_of(comment: str) -> tuple[Element, ...]:
    """The elements that a measure's comment names; none if it is not ours."""
    told = _COMMENT.match(comment)
    return tuple((name, told[3]) for name in told[2].split("+")) if told else ()


def fingerprint_of(comment: str) -> str:
    """The fingerprint that a measure's comment carries."""
    told = _COMMENT.match(comment)
    return told[1] if told else ""


def required(measures: Mapping[str, str]) -> dict[Element, tuple[str, ...]]:
    """Element -> measures that need it. Of prefixes that lie within each other only the widest stands in a set."""
    needed: dict[Element, list[str]] = {}
    for key, comment in sorted(measures.items()):
        for element in needs_of(comment):
            needed.setdefault(element, []).append(key)
    by_set: dict[str, list[str]] = {}
    for name, words in needed:
        if "_net_" in name:
            by_set.setdefault(name, []).append(words)
    for name, nets in by_set.items():
        if len(nets) > 1:
            for words in nets:
                wider = _widest(words, nets)
                if wider != words:
                    needed[(name, wider)] += needed.pop((name, words))
    return {element: tuple(sorted(keys)) for element, keys in needed.items()}


def element_comment(keys: Iterable[str]) -> str:
    """The comment of an element: the measures that need it, as many as fit."""
    text = "tipstaff"
    for key in keys:
        if len(text) + len(key) + 1 > 120:
            return text + " ..."
        text += f" {key}"
    return text


def is_ours(comment: str) -> bool:
    """Whether an element's comment is one that we write."""
    return comment == "tipstaff" or comment.startswith("tipstaff ")


def has_ended(rule: Rule, *, at: datetime) -> bool:
    return rule.until is not None and rule.until <= at


def seconds_left(until: datetime | None, *, at: datetime) -> int | None:
    """Whole seconds until then, at least one; None for no end."""
    return None if until is None else max(1, math.ceil((until - at).total_seconds()))


def element_value(element: Element) -> Any:
    """An element as nft's JSON wants it."""
    name, words = element
    if "_flow_" in name:
        host, protocol, port = words.split(",")
        return {"concat": [host, protocol, int(port)]}
    if "_net_" in name and "/" in words:
        net, _, length = words.partition("/")
        return {"prefix": {"addr": net, "len": int(length)}}
    return words


def command(verb: str, set_name: str, elements: list[Any]) -> dict[str, Any]:
    """One command of nft's JSON."""
    return {verb: {"element": {"family": "inet", "table": TABLE, "name": set_name, "elem": elements}}}


def flush(set_name: str) -> dict[str, Any]:
    """The command that empties a set."""
    return {"flush": {"set": {"family": "inet", "table": TABLE, "name": set_name}}}


# Reading a listing.


def read_listing(text: str) -> Held:
    """Read `nft -j list table inet tipstaff`; raise ValueError if it is not one."""
    tree = json.loads(text)
    objects = tree["nftables"]
    sets: dict[str, list[Any]] = {}
    foreign: list[str] = []
    comments: list[str] = []
    handles: list[int] = []
    stands = False
    for entry in objects:
        if "set" in entry:
            one = entry["set"]
            if one["name"] in _SETS:
                sets[one["name"]] = one.get("elem", [])
            else:
                foreign.append(f"set {one['name']}")
        elif "map" in entry:
            foreign.append(f"map {entry['map']['name']}")
        elif "chain" in entry:
            one = entry["chain"]
            if one["name"] == "forward":
                stands = one.get("hook") == "forward" and one.get("type") == "filter"
            else:
                foreign.append(f"chain {one['name']}")
        elif "rule" in entry:
            one = entry["rule"]
            comment = one.get("comment", "")
            if one["chain"] == "forward" and is_ours(comment):
                comments.append(comment)
                handles.append(one["handle"])
            else:
                foreign.append(f"rule {one['handle']} in chain {one['chain']}")
    generations = tuple(str(_value(e)[0]) for e in sets.get("generation", []))
    measures = {}
    for raw in sets.get("measures", []):
        value, comment = _value(raw)
        if needs_of(comment):
            measures[str(value)] = comment
        else:
            foreign.append(f"element {value} in set measures")
    elements: dict[Element, str] = {}
    prefixes: dict[Element, Any] = {}
    for name, raws in sets.items():
        if name in ("generation", "measures") or name.startswith("meter_"):
            continue
        for raw in raws:
            value, comment = _value(raw)
            element = (name, _words(value))
            elements[element] = comment
            if "_net_" in name:
                prefixes[element] = raw
            if not is_ours(comment):
                foreign.append(f"element {element[1]} in set {name}")
    numbers = [int(g[1:]) for g in generations if re.fullmatch(r"g\d+", g)]
    return Held(
        generation=max(numbers, default=0),
        generation_elements=generations,
        measures=measures,
        elements=elements,
        prefixes=prefixes,
        sets=frozenset(sets),
        rule_comments=tuple(comments),
        own_rule_handles=tuple(handles),
        chain_stands=stands,
        foreign=tuple(foreign),
        exists=True,
    )


def _value(raw: Any) -> tuple[Any, str]:
    if isinstance(raw, dict) and "elem" in raw:
        return raw["elem"]["val"], raw["elem"].get("comment", "")
    return raw, ""


def _words(value: Any) -> str:
    if isinstance(value, dict) and "concat" in value:
        return ",".join(str(x) for x in value["concat"])
    if isinstance(value, dict) and "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    return value if isinstance(value, str) else json.dumps(value)


def _widest(words: str, nets: list[str]) -> str:
    narrow = ip_network(words)
    return str(min((n for n in map(ip_network, nets) if lies_within(narrow, n)), key=lambda n: n.prefixlen))


def lies_within(a: Network, b: Network) -> bool:
    """Whether `a` is part of `b`."""
    return a.version == b.version and a.prefixlen >= b.prefixlen and a.network_address in b


def covers(element: Element, address: str) -> bool:
    """Whether an element of an address or prefix set takes in this address."""
    name, words = element
    if "_flow_" in name:
        return False
    try:
        return ip_address(address) in ip_network(words)
    except ValueError:
        return False


# What the table is built of.


def skeleton(*, held: Held, rules: "Rules") -> str:
    """The commands that build the table, or complete it without touching what is foreign or in force."""
    lines = [] if held.exists else [f"create table inet {TABLE}"]
    lines += [f"delete rule inet {TABLE} forward handle {handle}" for handle in held.own_rule_handles]
    lines.append(f"table inet {TABLE} {{")
    for name, kind in _SETS.items():
        if name == "generation" and not held.generation_elements:
            kind += ' elements = { "g0" };'
        lines.append(f"  set {name} {{ {kind} }}")
    lines.append("  chain forward {")
    lines.append("    type filter hook forward priority filter - 5; policy accept;")
    for comment, text in rules:
        lines.append(f'    {text} comment "{comment}"')
    lines += ["  }", "}", ""]
    return "\n".join(lines)


def _set_kinds() -> dict[str, str]:
    kinds = {"generation": "type ifname;", "measures": "type ifname; flags timeout;"}
    for way in ("out", "in"):
        for version in (4, 6):
            host = f"ipv{version}_addr"
            flow = f"{host} . inet_proto . inet_service"
            for verb in ("block", "slow"):
                kinds[f"{verb}_flow_{way}{version}"] = f"type {flow}; flags timeout;"
                kinds[f"{verb}_addr_{way}{version}"] = f"type {host}; flags timeout;"
            kinds[f"block_net_{way}{version}"] = f"type {host}; flags interval, timeout;"
            kinds[f"meter_flow_{way}{version}"] = f"type {flow}; flags dynamic, timeout; timeout 2m; size 65535;"
            kinds[f"meter_addr_{way}{version}"] = f"type {host}; flags dynamic, timeout; timeout 2m; size 65535;"
    return kinds


def rules_of(*, rates: Rates, tcp_block: str) -> Rules:
    """The rules of the chain, in their order. The comment changes with the text, so a changed setting is noticed."""
    connections = f"limit rate over {rates.connections_per_minute}/minute burst {rates.connections_per_minute} packets"
    packets = f"limit rate over {rates.packets_per_second}/second burst {rates.packets_per_second} packets"
    opening = "tcp flags & (syn | ack) == syn"
    stop_tcp = "reject with tcp reset" if tcp_block == "reset" else "drop"
    rules: list[tuple[str, str]] = []
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
    return tuple((f"tipstaff {name} {hashlib.sha256(text.encode()).hexdigest()[:8]}", text) for name, text in rules)


_SETS = _set_kinds()
