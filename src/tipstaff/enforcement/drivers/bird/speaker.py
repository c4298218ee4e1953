"""How routes are written for BIRD 2, how it is told over its control socket, and what it says that it holds."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network

from tipstaff.enforcement.routing.announcer import Held, Written
from tipstaff.enforcement.routing.bird_control import Control, configure
from tipstaff.enforcement.routing.book import Book
from tipstaff.enforcement.routing.routes import Kind, Route, flow_between, rate_community

_BLACKHOLE = "(65535,666)"
"""The BLACKHOLE community (RFC 7999, 5)."""
_ROUTE = re.compile(r"(flow[46] \{.*?\}|[0-9a-f][0-9a-f.:]*/\d+)?\s+.*?\[(\S+) [^]]*\]")
_FLOW = re.compile(
    r"flow[46] \{(?: dst (\S+);)?(?: src (\S+);)?"
    r"(?: (?:proto|next header) (\d+);)?(?: dport (\d+);)?(?: sport (\d+);)? \}"
)
_LINE = re.compile(r"\s*route (flow[46] \{.*?\}|[0-9a-f][0-9a-f.:]*/\d+)")


def name_of(device: str) -> str:
    """The device's name as BIRD's symbols may be: letters, digits and underscores."""
    return "tipstaff_" + re.sub(r"\W", "_", device, flags=re.ASCII)


class Bird:
    """One BIRD, reached by its control socket."""

    def __init__(
        self,
        *,
        stem: str,
        kind: Kind,
        socket: str,
        tables: Mapping[int, str],
        next_hops: Mapping[int, str],
        sessions: Sequence[str],
        timeout_seconds: float,
    ) -> None:
        self.answers, self.shows_sessions = True, bool(sessions)
        self._kind = kind
        self._socket = socket
        self._tables = tables
        self._next_hops = next_hops
        self._sessions = tuple(sessions)
        self._timeout_seconds = timeout_seconds
        self._protocols = {v: f"{stem}_{kind}{v}" for v in (4, 6)}

    def body(self, book: Book, *, foreign: Sequence[str]) -> tuple[str, ...]:
        required = book.required
        lines: list[str] = []
        for version in (4, 6):
            lines.append(self._opening(version))
            lines += [self._line(route, rate) for route, rate in required.items() if route.version == version]
            lines += [x for x in foreign if x.startswith("  route ") and (":" in x.partition(";")[0]) == (version == 6)]
            lines.append("}")
        return (*lines, *(x for x in foreign if not x.startswith("  route ")))

    def written(self, book: Book) -> Written:
        known = {self._line(route, rate): route for route, rate in book.required.items()}
        frame = {self._opening(4), self._opening(6), "}"}
        # Written with other settings, an opening is ours all the same, but nothing below it is as it should be.
        own = tuple(f"protocol static {name} " for name in self._protocols.values())
        whole = frame <= set(book.body)
        stand = frozenset(known[line] for line in book.body if line in known) if whole else frozenset()
        foreign = tuple(x for x in book.body if x not in known and x not in frame and not x.startswith(own))
        routes = (_route_of(told[1].replace("= ", "")) for x in foreign if (told := _LINE.match(x)))
        return Written(stand, foreign, frozenset(route for route in routes if route is not None))

    def load(self, book: Book) -> None:
        with Control(self._socket, self._timeout_seconds) as control:
            configure(control)

    def read(self) -> Held:
        routes: set[Route] = set()
        foreign: list[str] = []
        details: list[str] = []
        with Control(self._socket, self._timeout_seconds) as control:
            down = [name for name in self._sessions if not self._is_up(control, name)]
            details += [f"The session {name} is down." for name in down]
            for version in (4, 6):
                table = self._tables[version]
                mine, others = self._routes(control.rows(f"show route table {table}"), version)
                foreign += [f"route {words} of {protocol} in table {table}" for words, protocol in others]
                for name in self._sessions:
                    if name in down:
                        mine = set()
                    elif mine:
                        mine &= self._routes(control.rows(f"show route table {table} export {name}"), version)[0]
                routes |= mine
        return Held(routes=frozenset(routes), foreign=tuple(foreign), detail=" ".join(details))

    def _opening(self, version: int) -> str:
        channel = f"flow{version}" if self._kind is Kind.FLOWSPEC else f"ipv{version}"
        filter_lines = ""
        if self._kind is Kind.BLACKHOLE:
            hop = f" bgp_next_hop = {self._next_hops[version]};" if self._next_hops[version] else ""
            filter_lines = f" import filter {{ bgp_community.add({_BLACKHOLE});{hop} accept; }};"
        return (
            f"protocol static {self._protocols[version]} "
            f"{{ {channel} {{ table {self._tables[version]};{filter_lines} }};"
        )

    def _line(self, route: Route, rate: int) -> str:
        if route.kind == Kind.BLACKHOLE:
            return f"  route {route.network} blackhole;"
        parts = [f"{'src' if route.way == 'from' else 'dst'} {route.network};"]
        if route.remote is not None:
            parts.insert(0, f"dst {route.remote};")
        if route.protocol is not None:
            parts.append(f"{'proto' if route.version == 4 else 'next header'} = {route.protocol};")
            parts.append(f"dport = {route.port};")
        if route.source_port is not None:
            parts.append(f"sport = {route.source_port};")
        value = rate_community(rate)
        action = f"bgp_ext_community.add((generic, {value >> 32:#x}, {value & 0xFFFFFFFF:#x}));"
        return f"  route flow{route.version} {{ {' '.join(parts)} }} {{ {action} }};"

    def _is_up(self, control: "Control", session: str) -> bool:
        lines = control.rows(f"show protocols {session}")
        return any(line.split()[:1] == [session] and line.split()[3:4] == ["up"] for line in lines)

    def _routes(self, lines: Sequence[str], version: int) -> tuple[set[Route], list[tuple[str, str]]]:
        """(routes of our own protocol, (words, protocol) of all others)."""
        mine: set[Route] = set()
        others: list[tuple[str, str]] = []
        own, words = self._protocols[version], ""
        for line in lines:
            told = _ROUTE.match(line)
            if told is None:
                continue
            words = told[1] or words  # A second route to the same prefix does not name it again.
            route = _route_of(words) if told[2] == own else None
            if route is not None:
                mine.add(route)
            else:
                others.append((words, told[2]))
        return mine, others


@lru_cache(1 << 18)
def _route_of(words: str) -> Route | None:
    """The route that BIRD words so. Kept, for a table is read again and again until its peers have followed."""
    if not words.startswith("flow"):
        return Route(Kind.BLACKHOLE, "to", words if ":" not in words else str(ip_network(words)))
    told = _FLOW.fullmatch(words)
    if told is None:
        return None
    destination, source = (str(ip_network(x)) if x else None for x in (told[1], told[2]))
    protocol, port, source_port = (int(x) if x else None for x in (told[3], told[4], told[5]))
    return flow_between(source, destination, protocol=protocol, port=port, source_port=source_port)
