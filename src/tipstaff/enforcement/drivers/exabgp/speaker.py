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
from tipstaff.enforcement.routing.routes import DISCARD, NUMBERS, Kind, Route

_TOLD_FLOW = re.compile(
    r"announce flow route \{ match \{ (source|destination) ([^/]+/\d+)(?:/0)?;"
    r"(?: (?:protocol|next-header) =(\d+); destination-port =(\d+);)? \}"
)
_TOLD_ROUTE = re.compile(r"announce route (\S+) ")
_RIB_FLOW = re.compile(
    r" flow (source|destination)-ipv[46] ([^/ ]+/\d+)(?:/0)?"
    r"(?: (?:protocol|next-header) =(\S+) destination-port =(\S+))?(?: extended-community .*)?$"
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
        end = "source" if route.way == "from" else "destination"
        parts = [f"{end} {route.network}{'/0' if route.version == 6 else ''};"]
        if route.protocol is not None:
            name = "protocol" if route.version == 4 else "next-header"
            parts.append(f"{name} ={route.protocol}; destination-port ={route.port};")
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
    if flow := _TOLD_FLOW.match(line):
        return _flow(flow[1], flow[2], flow[3], flow[4])
    route = _TOLD_ROUTE.match(line)
    return Route(Kind.BLACKHOLE, "to", str(ip_network(route[1]))) if route else None


def _in_rib(lines: Iterable[str]) -> Iterable[tuple[Route | str, str]]:
    for line in lines:
        words = line.partition(" in-open ")[2] or line
        if flow := _RIB_FLOW.search(line):
            yield _flow(flow[1], flow[2], flow[3], flow[4]), words
        elif route := _RIB_ROUTE.search(line):
            yield Route(Kind.BLACKHOLE, "to", str(ip_network(route[1]))), words
        else:
            yield words, words


def _flow(end: str, network: str, protocol: str | None, port: str | None) -> Route:
    way = "from" if end == "source" else "to"
    if protocol is None or port is None:
        return Route(Kind.FLOWSPEC, way, str(ip_network(network)))
    number = NUMBERS.get(protocol) or int(protocol)
    # Version 5 names well-known ports.
    name = next(name for name, n in NUMBERS.items() if n == number)
    return Route(
        Kind.FLOWSPEC,
        way,
        str(ip_network(network)),
        number,
        int(port) if port.isdigit() else socket.getservbyname(port, name),
    )
