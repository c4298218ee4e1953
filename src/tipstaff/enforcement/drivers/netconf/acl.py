"""Rules as access control lists of RFC 8519, and back. Pure: XML in, XML out.

Three lists are ours: one for each IP version, which the operator attaches to interfaces, and one that is attached to
none and says the generation. All that must be known of a rule stands in the names of its entries, for an entry has
nothing else to write on: measure, fingerprint, end, which of how many it is, and a digest of what it does.
"""

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from tipstaff.enforcement.planner import fingerprint
from tipstaff.words import Degree, Direction, Rule, Scope

NS = "urn:ietf:params:xml:ns:yang:ietf-access-control-list"
_BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
LISTS = {4: "tipstaff-4", 6: "tipstaff-6"}
BOOKS = "tipstaff-books"
REST = "tipstaff-rest"
CAN = frozenset((scope, Degree.BLOCK) for scope in (Scope.FLOW, Scope.ADDRESS, Scope.PREFIX))
_PROTOCOLS = {"tcp": 6, "udp": 17}
_NAME = re.compile(r"([A-Za-z0-9-]{1,15})/([0-9a-f]{12})/(\d+|-)/([oi])([12])/([0-9a-f]{8})")
_GENERATION = re.compile(r"generation/(\d+)")
_TYPES = {4: "ipv4-acl-type", 6: "ipv6-acl-type"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ours as the device has it."""

    name: str
    measure: str
    fingerprint: str
    until: datetime | None
    of: int
    """How many entries the rule has."""
    whole: bool
    """Whether it does what its name says."""
    version: int
    xml: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What our lists hold."""

    generation: int = 0
    entries: tuple[Entry, ...] = ()
    foreign: Mapping[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """IP version -> (name, XML) of entries that somebody else put into our lists."""


def supports(rule: Rule) -> bool:
    """Whether entries can hold exactly this rule."""
    selector = rule.selector
    network = selector.network
    if network is None or not network.prefixlen or (selector.scope, rule.degree) not in CAN:
        return False
    return selector.port is None or (selector.protocol in _PROTOCOLS and network.num_addresses == 1)


def entries_of(rule: Rule) -> list[Entry]:
    """The entries that a rule needs: one for each way."""
    selector = rule.selector
    assert selector.network is not None, "only networks are filtered"
    ways = {Direction.OUT: "o", Direction.IN: "i", Direction.BOTH: "oi"}[selector.direction]
    until = "-" if rule.until is None else str(int(rule.until.timestamp()))
    found = []
    for way in ways:
        matches = _matches(selector.network, way, selector.protocol, selector.port)
        body = f"<matches>{matches}</matches><actions><forwarding>drop</forwarding></actions>"
        digest = _digest(ET.fromstring(f'<ace xmlns="{NS}">{body}</ace>'))  # noqa: S314 - our own text
        name = f"{rule.measure}/{fingerprint(rule)}/{until}/{way}{len(ways)}/{digest}"
        found.append(_entry(name, f"<ace><name>{name}</name>{body}</ace>", version=selector.network.version))
    return found


def _matches(network: IPv4Network | IPv6Network, way: str, protocol: str | None, port: int | None) -> str:
    ip = f"ipv{network.version}"
    side = "source" if way == "o" else "destination"
    number = "" if protocol is None else f"<protocol>{_PROTOCOLS[protocol]}</protocol>"
    addressed = f"<{ip}>{number}<{side}-{ip}-network>{network}</{side}-{ip}-network></{ip}>"
    if port is None:
        return addressed
    # Out, the port is the other end's; in, the customer's own. Seen from the packet both are its destination.
    eq = f"<destination-port><operator>eq</operator><port>{port}</port></destination-port>"
    return f"{addressed}<{protocol}>{eq}</{protocol}>"


def config(generation: int, entries: Iterable[Entry], held: Held, *, accept_rest: bool) -> str:
    """The whole of our lists, each in the place of what is there; what is foreign stays in them."""
    entries = tuple(entries)
    lists = []
    for version, name in LISTS.items():
        aces = [xml for _, xml in held.foreign.get(version, ())]
        aces += [e.xml for e in entries if e.version == version]
        if accept_rest:
            aces.append(f"<ace><name>{REST}</name><actions><forwarding>accept</forwarding></actions></ace>")
        lists.append(_list(name, _TYPES[version], aces))
    # No packet has this destination, and the list is attached to nothing.
    never = "<matches><ipv4><destination-ipv4-network>0.0.0.0/32</destination-ipv4-network></ipv4></matches>"
    drop = "<actions><forwarding>drop</forwarding></actions>"
    lists.append(_list(BOOKS, _TYPES[4], [f"<ace><name>generation/{generation}</name>{never}{drop}</ace>"]))
    acls = f'<acls xmlns="{NS}">{"".join(lists)}</acls>'
    return f'<config xmlns="{_BASE}">{acls}</config>'


def _list(name: str, kind: str, aces: Sequence[str]) -> str:
    replace = f'xmlns:nc="{_BASE}" nc:operation="replace"'
    return f"<acl {replace}><name>{name}</name><type>{kind}</type><aces>{''.join(aces)}</aces></acl>"


def only_ours() -> str:
    """The subtree filter (RFC 6241 section 6) for our lists."""
    names = "".join(f"<acl><name>{name}</name></acl>" for name in (*LISTS.values(), BOOKS))
    return f'<acls xmlns="{NS}">{names}</acls>'


def read(data: Any) -> Held:
    """What a reply's data element says of our lists."""
    generation, entries, foreign = 0, [], {}
    for acl in data.iter(f"{{{NS}}}acl"):
        name = _text(acl, "name")
        aces = [(_text(ace, "name"), ace) for ace in acl.iter(f"{{{NS}}}ace")]
        if name == BOOKS:
            told = [int(m[1]) for label, _ in aces if (m := _GENERATION.fullmatch(label))]
            generation = max(told, default=0)
        for version in (v for v, ours in LISTS.items() if ours == name):
            strange = []
            for label, ace in aces:
                if _NAME.fullmatch(label):
                    entries.append(_entry(label, _xml(ace), version=version, digest=_digest(ace)))
                elif label != REST:
                    strange.append((label, _xml(ace)))
            foreign[version] = tuple(strange)
    return Held(generation=generation, entries=tuple(entries), foreign=foreign)


def counted(data: Any) -> frozenset[str]:
    """Names of the entries that some interface counts packets for: they are where packets pass."""
    return frozenset(_text(one, "name") for one in data.iter(f"{{{NS}}}ace-statistics"))


def _entry(name: str, xml: str, *, version: int, digest: str | None = None) -> Entry:
    told = _NAME.fullmatch(name)
    assert told is not None, name
    until = None if told[3] == "-" else datetime.fromtimestamp(int(told[3]), tz=UTC)
    whole = digest is None or digest == told[6]
    return Entry(name, told[1], told[2], until, int(told[5]), whole, version, xml)


def _digest(ace: Any) -> str:
    """Of what an entry does: its leaves, without its name and whatever prefix the device gives to the action."""
    leaves = []
    for part in ("matches", "actions"):
        for under in ace.findall(f"{{{NS}}}{part}"):
            for leaf in under.iter():
                tag, text = _plain(leaf.tag), (leaf.text or "").strip()
                if not len(leaf):
                    leaves.append((tag, text.rpartition(":")[2] if tag == "forwarding" else text))
    return hashlib.sha256(repr(sorted(leaves)).encode()).hexdigest()[:8]


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _text(element: Any, name: str) -> str:
    return (element.findtext(f"{{{NS}}}{name}") or "").strip()


def _xml(element: Any) -> str:
    """An element of a reply as text that may be sent back, whatever prefixes the device uses."""
    inside = "".join(_xml(child) for child in element)
    text = "" if len(element) else (element.text or "").strip().replace("&", "&amp;").replace("<", "&lt;")
    return f'<{_plain(element.tag)} xmlns="{element.tag[1:].partition("}")[0]}">{text}{inside}</{_plain(element.tag)}>'
