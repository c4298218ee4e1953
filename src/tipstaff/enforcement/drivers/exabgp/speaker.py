"""How routes are written for ExaBGP's text API, and what its answers say. Versions 4.2 and 5.0 speak alike."""

import json
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path

from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.routing.announcer import Held, Written
from tipstaff.enforcement.routing.book import Book
from tipstaff.enforcement.routing.routes import DISCARD, NUMBERS, Kind, Route, flow_between

_TOLD_FLOW = re.compile(
    r"announce flow route \{ match \{(?: destination ([^/]+/\d+)(?:/0)?;)?(?: source ([^/]+/\d+)(?:/0)?;)?"
    r"(?: (?:protocol|next-header) =(\d+); destination-port =(\d+);)?(?: source-port =(\d+);)? \}"
)
_TOLD_ROUTE = re.compile(r"announce route (\S+) ")
_RIB_FLOW = re.compile(
    r" flow(?: destination-ipv[46] ([^/ ]+/\d+)(?:/0)?)?(?: source-ipv[46] ([^/ ]+/\d+)(?:/0)?)?"
    r"(?: (?:protocol|next-header) =(\S+) destination-port =(\S+))?(?: source-port =(\S+))?"
    r"(?: extended-community .*)?$"
)
_RIB_ROUTE = re.compile(r" ipv[46] unicast (\S+) next-hop ")


class ExaBgp:
    """One ExaBGP, reached through the process that it runs for us."""

    answers = shows_sessions = True

    def __init__(self, *, file: Path, next_hops: Mapping[int, str], timeout_seconds: float) -> None:
        self._mouth = f"{file}.mouth"
        self._next_hops = next_hops
        self._timeout_seconds = timeout_seconds

    def body(self, book: Book, *, foreign: Sequence[str]) -> tuple[str, ...]:
        return (*(self._line(route, rate) for route, rate in book.required.items()), *foreign)

    def written(self, book: Book) -> Written:
        known = {self._line(route, rate): route for route, rate in book.required.items()}
        stand = frozenset(known[line] for line in book.body if line in known)
        unknown = [line for line in book.body if line not in known]
        # A line of one of our own routes that was written with other settings is ours and wrong, not foreign.
        own = set(known.values())
        foreign = tuple(line for line in unknown if _told(line) not in own)
        return Written(stand, foreign, frozenset(r for r in map(_told, foreign) if r is not None))

    def load(self, book: Book) -> None:
        errors = self._ask("load")["errors"]
        if errors:
            raise DeviceRefused(f"ExaBGP refuses {errors[0]!r}")

    def read(self) -> Held:
        answer = self._ask("read")
        down = [line.split()[0] for line in answer["peers"][1:] if "established" not in line]
        told = {route for route in map(_told, answer["told"]) if route is not None}
        in_rib = dict(_in_rib(answer["rib"]))
        foreign = tuple(f"route {words}" for route, words in in_rib.items() if route not in told)
        routes = frozenset() if down else frozenset(told & in_rib.keys())
        detail = " ".join(f"The session with {name} is down." for name in down)
        return Held(routes=routes, foreign=foreign, detail=detail)

    def _line(self, route: Route, rate: int) -> str:
        if route.kind == Kind.BLACKHOLE:
            hop = self._next_hops[route.version] or "self"
            return f"announce route {route.network} next-hop {hop} community [65535:666]"
        offset = "/0" if route.version == 6 else ""
        parts = [f"{'source' if route.way == 'from' else 'destination'} {route.network}{offset};"]
        if route.remote is not None:
            parts.insert(0, f"destination {route.remote}{offset};")
        if route.protocol is not None:
            name = "protocol" if route.version == 4 else "next-header"
            parts.append(f"{name} ={route.protocol}; destination-port ={route.port};")
        if route.source_port is not None:
            parts.append(f"source-port ={route.source_port};")
        action = "discard" if rate == DISCARD else f"rate-limit {rate}"
        return f"announce flow route {{ match {{ {' '.join(parts)} }} then {{ {action}; }} }}"

    def _ask(self, what: str) -> dict[str, list[str]]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mouth:
                mouth.settimeout(self._timeout_seconds)
                mouth.connect(self._mouth)
                mouth.sendall(f"{what}\n".encode())
                with mouth.makefile("r", encoding="utf-8") as lines:
                    answer: dict[str, list[str]] = json.loads(lines.readline())
                    return answer
        except (OSError, ValueError) as why:
            raise DeviceUnreachable(f"ExaBGP's process does not answer at {self._mouth}: {why}") from why


def _told(line: str) -> Route | None:
    if told := _TOLD_FLOW.match(line):
        return _flow(*told.groups())
    route = _TOLD_ROUTE.match(line)
    return Route(Kind.BLACKHOLE, "to", str(ip_network(route[1]))) if route else None


def _in_rib(lines: Iterable[str]) -> Iterable[tuple[Route | str, str]]:
    for line in lines:
        words = line.partition(" in-open ")[2] or line
        if (told := _RIB_FLOW.search(line)) and (flow := _flow(*told.groups())):
            yield flow, words
        elif route := _RIB_ROUTE.search(line):
            yield Route(Kind.BLACKHOLE, "to", str(ip_network(route[1]))), words
        else:
            yield words, words


def _flow(
    destination: str | None, source: str | None, protocol: str | None, port: str | None, source_port: str | None
) -> Route | None:
    """None for what is not ours: no flow of one protocol and one port, of which `=25&<80` is none either."""
    try:
        ends = [str(ip_network(end)) if end else None for end in (source, destination)]
        number = None if protocol is None else NUMBERS.get(protocol) or int(protocol)
        # Version 5 names well-known ports.
        name = next((name for name, n in NUMBERS.items() if n == number), "tcp")
        ports = [
            None if x is None else int(x) if x.isdigit() else socket.getservbyname(x, name) for x in (port, source_port)
        ]
    except (OSError, ValueError):
        return None
    return flow_between(ends[0], ends[1], protocol=number, port=ports[0], source_port=ports[1])
