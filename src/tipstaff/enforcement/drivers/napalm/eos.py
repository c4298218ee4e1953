"""Rules as access lists in the text of Arista EOS, and back. Pure.

Each entry is a remark with its name and, under it, what it does. The generation is a remark at the head of both lists.
"""

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from tipstaff.enforcement.access_lists import LISTS, NAME, Entry, Held, entry, name_of, ways_of
from tipstaff.words import Rule

_HEADS = {4: f"ip access-list {LISTS[4]}", 6: f"ipv6 access-list {LISTS[6]}"}
_REST = {4: "permit ip any any", 6: "permit ipv6 any any"}
_REMARK = re.compile(r"remark (\S+)")
_GENERATION = re.compile(r"remark generation/(\d+)")


def entries_of(rule: Rule) -> list[Entry]:
    """The entries that a rule needs: one for each way."""
    selector = rule.selector
    assert selector.network is not None, "only networks are filtered"
    found = []
    for way in ways_of(rule):
        version = selector.network.version
        protocol = selector.protocol or {4: "ip", 6: "ipv6"}[version]
        one = _place(selector.network)
        ends = f"{one} any" if way == "o" else f"any {one}"
        # Out, the port is the other end's; in, the customer's own. Seen from the packet both are its destination.
        does = f"deny {protocol} {ends}" + ("" if selector.port is None else f" eq {selector.port}")
        found.append(entry(name_of(rule, way, does), does, version=version))
    return found


def config(generation: int, entries: Iterable[Entry], held: Held, *, accept_rest: bool) -> str:
    """Commands that put both lists in the place of what is there; what is foreign stays in them, at the head."""
    lines = []
    for version, head in _HEADS.items():
        lines += [f"no {head}", head, f"remark generation/{generation}"]
        lines += [body for _, body in held.foreign.get(version, ())]
        for one in entries:
            if one.version == version:
                lines += [f"remark {one.name}", one.body]
        lines += [_REST[version]] if accept_rest else []
        lines += ["exit"]
    return "\n".join(lines)


def read(running: str) -> Held:
    """What a running configuration says of our lists."""
    generation, entries = 0, []
    foreign: dict[int, tuple[tuple[str, str], ...]] = {}
    for version, head in _HEADS.items():
        lines, strange = _lines_under(head, running), []
        while lines:
            line = lines.pop(0)
            remark = _REMARK.fullmatch(line)
            if remark is not None and NAME.fullmatch(remark[1]):
                # A remark that nothing follows is an entry that somebody took away.
                does = lines.pop(0) if lines and not lines[0].startswith(("remark", _REST[version])) else "nothing"
                entries.append(entry(remark[1], does, version=version, does=_by_number(does)))
            elif told := _GENERATION.fullmatch(line):
                generation = max(generation, int(told[1]))
            elif line != _REST[version]:
                strange.append((line, line))
        foreign[version] = tuple(strange)
    return Held(generation=generation, entries=tuple(entries), foreign=foreign)


def _place(network: IPv4Network | IPv6Network) -> str:
    return f"host {network.network_address}" if network.num_addresses == 1 else str(network)


def _lines_under(head: str, running: str) -> list[str]:
    """The lines of one list, without the numbers that the device gives them."""
    found: list[str] = []
    inside = False
    for line in running.splitlines():
        if not line.startswith(" "):
            inside = line.strip() == head
        elif inside:
            found.append(re.sub(r"^\d+ ", "", line.strip()))
    return found


def _by_number(does: str) -> str:
    """A port may be shown by its service's name; one that is not known here stays, and is drift."""
    head, _, port = does.rpartition(" eq ")
    if not head or port.isdecimal():
        return does
    try:
        return f"{head} eq {socket.getservbyname(port, does.split()[1])}"
    except (OSError, OverflowError):
        return does
