"""How GoBGP is told by its command line, and what its JSON says that it holds."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any

from tipstaff.enforcement.alone import run_alone
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.routing.announcer import Held, Written
from tipstaff.enforcement.routing.book import Book
from tipstaff.enforcement.routing.routes import DISCARD, Kind, Route, flow_between

_ESTABLISHED = 6
_EQUALS, _LAST, _LENGTH = 0x01, 0x80, 0x30
"""Bits of a FlowSpec operator (RFC 8955, 4.2.1.1); the length is that of the value, which is known by then."""
_DESTINATION, _SOURCE, _PROTOCOL, _DESTINATION_PORT, _SOURCE_PORT = 1, 2, 3, 5, 6
"""Component types of FlowSpec (RFC 8955, 4.2.2)."""
_NUMBERS = (_PROTOCOL, _DESTINATION_PORT, _SOURCE_PORT)
_COMMUNITIES, _EXTENDED_COMMUNITIES = 8, 16
"""Path attributes (RFC 1997, RFC 4360)."""


class GoBgp:
    """One gobgpd, reached by `gobgp`."""

    answers = shows_sessions = True

    def __init__(
        self,
        *,
        device: str,
        command: Sequence[str],
        kind: Kind,
        mark: tuple[int, int],
        next_hops: Mapping[int, str],
        sessions: Sequence[str],
        timeout_seconds: float,
    ) -> None:
        self._device, self._command = device, tuple(command)
        self._kind = kind
        self._mark = (mark[0] << 16) | mark[1]
        self._mark_words = f"{mark[0]}:{mark[1]}"
        self._next_hops = next_hops
        self._sessions = tuple(sessions)
        self._timeout_seconds = timeout_seconds
        flows = "-flowspec" if kind is Kind.FLOWSPEC else ""
        self._families = {4: f"ipv4{flows}", 6: f"ipv6{flows}"}

    def body(self, book: Book, *, foreign: Sequence[str]) -> tuple[str, ...]:
        return tuple(foreign)

    def written(self, book: Book) -> Written:
        return Written(frozenset(book.required), book.body)

    def load(self, book: Book) -> None:
        mine, _ = self._rib()
        required = book.required
        for route in mine.keys() - required.keys():
            self._run("del", route, DISCARD)
        for route, rate in required.items():
            if mine.get(route) != rate:
                self._run("add", route, rate)

    def read(self) -> Held:
        mine, foreign = self._rib()
        peers = {p["conf"]["neighbor_address"]: p["state"].get("session_state") for p in self._json("neighbor")}
        wanted = self._sessions or tuple(peers)
        down = [name for name in wanted if peers.get(name) != _ESTABLISHED]
        routes = set() if down else set(mine)
        for name in wanted if routes else ():
            out: set[Route | str] = set()
            for family in self._families.values():
                out |= {r for r, _ in self._paths(self._json("neighbor", name, "adj-out", "-a", family))}
            routes &= out
        detail = " ".join(f"The session with {name} is down." for name in down)
        return Held(routes=frozenset(routes), foreign=tuple(foreign), detail=detail)

    def _rib(self) -> tuple[dict[Route, int], list[str]]:
        """(ours with their rates, others that were put in here and not learnt)."""
        mine: dict[Route, int] = {}
        foreign: list[str] = []
        for family in self._families.values():
            for route, path in self._paths(self._json("global", "rib", "-a", family)):
                if isinstance(route, Route) and self._mark in _communities(path):
                    mine[route] = _rate(path)
                elif not path.get("neighbor-ip"):
                    foreign.append(f"route {route}")
        return mine, foreign

    def _paths(self, table: Mapping[str, Any]) -> Iterator[tuple[Route | str, Mapping[str, Any]]]:
        for words, paths in table.items():
            for path in paths:
                yield _route_of(path["nlri"]) or words, path

    def _run(self, verb: str, route: Route, rate: int) -> None:
        family = self._families[route.version]
        communities = f"{self._mark_words},65535:666" if route.kind == Kind.BLACKHOLE else self._mark_words
        if route.kind == Kind.BLACKHOLE:
            words = [verb, route.network, "nexthop", self._next_hops[route.version] or _own_hop(route)]
            words += ["community", communities] if verb == "add" else []
        else:
            words = [verb, "match", "source" if route.way == "from" else "destination", route.network]
            words += ["destination", route.remote] if route.remote is not None else []
            if route.protocol is not None:
                words += ["protocol", f"=={route.protocol}", "destination-port", f"=={route.port}"]
            words += ["source-port", f"=={route.source_port}"] if route.source_port is not None else []
            action = ["discard"] if rate == DISCARD else ["rate-limit", str(rate)]
            words += ["then", *action, "community", communities] if verb == "add" else []
        self._call("global", "rib", "-a", family, *words)

    def _json(self, *words: str) -> Any:
        text = self._call(*words, "-j")
        try:
            # An empty table is said in words, with and without -j.
            return {} if text.strip() in ("", "Network not in table") else json.loads(text)
        except ValueError as why:
            raise DeviceUnreachable(f"what gobgp says cannot be read: {text[:100]!r}") from why

    def _call(self, *words: str) -> str:
        try:
            done = run_alone([*self._command, *words], device=self._device, timeout_seconds=self._timeout_seconds)
        except subprocess.TimeoutExpired as why:
            raise DeviceUnreachable(f"gobgp gave no answer in {self._timeout_seconds:g} s") from why
        except OSError as why:
            raise DeviceUnreachable(f"{self._command[0]} cannot be run: {why.strerror}") from why
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[:200]
            if "deadline" in said or "Unavailable" in said or "connect" in said:
                raise DeviceUnreachable(f"gobgpd does not answer: {said}")
            raise DeviceRefused(f"gobgp refuses {' '.join(words)}: {said}")
        return done.stdout


def _own_hop(route: Route) -> str:
    return "0.0.0.0" if route.version == 4 else "::"  # noqa: S104  # the next hop that GoBGP writes as its own


def _communities(path: Mapping[str, Any]) -> list[int]:
    return [c for a in path["attrs"] if a["type"] == _COMMUNITIES for c in a["communities"]]


def _rate(path: Mapping[str, Any]) -> int:
    values = [v for a in path["attrs"] if a["type"] == _EXTENDED_COMMUNITIES for v in a["value"] if "rate" in v]
    return int(values[0]["rate"]) if values else DISCARD


def _route_of(nlri: Mapping[str, Any]) -> Route | None:
    if "prefix" in nlri:
        return Route(Kind.BLACKHOLE, "to", str(ip_network(nlri["prefix"])))
    parts = {part["type"]: part["value"] for part in nlri["value"]}
    if not parts.keys() <= {_DESTINATION, _SOURCE, *_NUMBERS}:
        return None
    source, destination = (str(ip_network(parts[e]["prefix"])) if e in parts else None for e in (_SOURCE, _DESTINATION))
    numbers = {key: _only(parts[key]) for key in _NUMBERS if key in parts}
    if None in numbers.values():
        return None  # Without its condition it would read as a flow of every port.
    protocol, port, source_port = map(numbers.get, _NUMBERS)
    return flow_between(source, destination, protocol=protocol, port=port, source_port=source_port)


def _only(conditions: Sequence[Mapping[str, int]]) -> int | None:
    """The one value that a component asks for; None for ranges, which are none of ours."""
    if len(conditions) == 1 and conditions[0]["op"] & ~_LENGTH == _EQUALS | _LAST:
        return conditions[0].get("value")
    return None
