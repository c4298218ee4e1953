"""Rules as access control lists of RFC 8519, and back. Pure: XML in, XML out.

Three lists are ours: one for each IP version, which the operator attaches to interfaces, and one that is attached to
none and says the generation.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from tipstaff.enforcement.access_lists import LISTS, NAME, Entry, Held, entry, name_of, ways_of
from tipstaff.words import Rule

NS = "urn:ietf:params:xml:ns:yang:ietf-access-control-list"
_BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
BOOKS = "tipstaff-books"
REST = "tipstaff-rest"
_PROTOCOLS = {"tcp": 6, "udp": 17}
_GENERATION = re.compile(r"generation/(\d+)")
_TYPES = {4: "ipv4-acl-type", 6: "ipv6-acl-type"}


def entries_of(rule: Rule) -> list[Entry]:
    """The entries that a rule needs: one for each way."""
    selector = rule.selector
    assert selector.network is not None, "only networks are filtered"
    found = []
    for way in ways_of(rule):
        matches = _matches(selector.network, way, selector.protocol, selector.port)
        body = f"<matches>{matches}</matches><actions><forwarding>drop</forwarding></actions>"
        name = name_of(rule, way, _does(ET.fromstring(f'<ace xmlns="{NS}">{body}</ace>')))  # noqa: S314 - our own text
        found.append(entry(name, f"<ace><name>{name}</name>{body}</ace>", version=selector.network.version))
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
        aces += [e.body for e in entries if e.version == version]
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
                if NAME.fullmatch(label):
                    entries.append(entry(label, _xml(ace), version=version, does=_does(ace)))
                elif label != REST:
                    strange.append((label, _xml(ace)))
            foreign[version] = tuple(strange)
    return Held(generation=generation, entries=tuple(entries), foreign=foreign)


def counted(data: Any) -> frozenset[str]:
    """Names of the entries that some interface counts packets for: they are where packets pass."""
    return frozenset(_text(one, "name") for one in data.iter(f"{{{NS}}}ace-statistics"))


def _does(ace: Any) -> list[tuple[str, str]]:
    """Of what an entry does: its leaves, without its name and whatever prefix the device gives to the action."""
    leaves = []
    for part in ("matches", "actions"):
        for under in ace.findall(f"{{{NS}}}{part}"):
            for leaf in under.iter():
                tag, text = _plain(leaf.tag), (leaf.text or "").strip()
                if not len(leaf):
                    leaves.append((tag, text.rpartition(":")[2] if tag == "forwarding" else text))
    return sorted(leaves)


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _text(element: Any, name: str) -> str:
    return (element.findtext(f"{{{NS}}}{name}") or "").strip()


def _xml(element: Any) -> str:
    """An element of a reply as text that may be sent back, whatever prefixes the device uses."""
    inside = "".join(_xml(child) for child in element)
    text = "" if len(element) else (element.text or "").strip().replace("&", "&amp;").replace("<", "&lt;")
    return f'<{_plain(element.tag)} xmlns="{element.tag[1:].partition("}")[0]}">{text}{inside}</{_plain(element.tag)}>'
