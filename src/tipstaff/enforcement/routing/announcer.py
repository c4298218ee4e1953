"""A device that is a BGP speaker and its peers: a plan becomes a book, the speaker takes it in, the peers show it.

What differs between speakers is said by a `Speaker`: how routes are written for it, how it is told, what it holds.
"""

import contextlib
import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple, Protocol

from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.probing import Address, Vantage, obstacle, probe_rule
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, DriverFailure, StalePlan
from tipstaff.enforcement.routing import routes
from tipstaff.enforcement.routing.book import Book, Entry, Shelf, without
from tipstaff.enforcement.routing.fib import read_fib
from tipstaff.enforcement.routing.routes import Kind, Route
from tipstaff.words import Degree, Direction, Observation, Plan, ProbeResult, Proof, Rule, Seen, Selector, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a speaker was read to hold."""

    routes: frozenset[Route]
    """Announcements in the device's own place, that go out to all peers that were named."""
    foreign: tuple[str, ...] = ()
    """What somebody else put into that place."""
    detail: str = ""
    """What is wrong with it, in a sentence; for people."""


class Written(NamedTuple):
    """What the lines for the speaker in a book say."""

    routes: frozenset[Route]
    """Those of its measures that stand there as they should."""
    foreign: tuple[str, ...] = ()
    """Lines that somebody else put in."""
    foreign_routes: frozenset[Route] = frozenset()
    """What these lines announce."""


class Speaker(Protocol):
    """One kind of BGP speaker."""

    answers: bool
    """Whether `read` asks the speaker itself, and not only what was handed over."""
    shows_sessions: bool
    """Whether `read` counts only what goes out on sessions that stand."""

    def body(self, book: Book, *, foreign: Sequence[str]) -> tuple[str, ...]:
        """The lines for the speaker in the book, with the foreign ones of the former book."""

    def written(self, book: Book) -> Written:
        """What stands in the book's body."""

    def load(self, book: Book) -> None:
        """Make the speaker hold what is required, and no longer what is gone. Twice is harmless.

        It raises DeviceRefused if the speaker took nothing of it, and DeviceUnreachable where that is not known.
        """

    def read(self) -> Held:
        """Raise DeviceUnreachable or DeviceRefused if it cannot be read."""


class Announcer:
    """A driver whose rules are announcements of one speaker."""

    def __init__(
        self,
        device: str,
        *,
        kind: Kind,
        speaker: Speaker,
        file: Path,
        module: str,
        options: Mapping[str, object],
        rate_bytes_per_second: int = 0,
        peers_check_sources: bool = False,
        session: str = "",
        stub: Sequence[str] = (),
        peer_fib: Sequence[str] = (),
        settle_seconds: int = 5,
        timeout_seconds: int = 20,
        vantage: Vantage | None = None,
    ) -> None:
        self.device = device
        self._kind = kind
        self._speaker = speaker
        self._shelf = Shelf(device, file, timeout_seconds=timeout_seconds, stub=stub)
        self._rate = rate_bytes_per_second
        self._both_ways = peers_check_sources
        self._session = session
        self._peer_fib = tuple(peer_fib)
        self._settle_seconds = settle_seconds
        self._timeout_seconds = timeout_seconds
        self._vantage = vantage
        self._keeper = Keeper(device, file=file, module=module, options=options)
        # A flow in a RIB was seen to stop nothing, so a session proves no more than that it was told.
        shown = bool(self._peer_fib) or speaker.shows_sessions
        told = Proof.CONFIG if speaker.answers else Proof.ACK
        self.read_proof = Proof.STATE if kind is not Kind.FLOWSPEC and shown else told
        self.max_proof = Proof.PROBE if vantage is not None else self.read_proof

    @property
    def ability(self) -> Ability:
        one_way = Direction.IN if self._kind is Kind.BLACKHOLE and not self._both_ways else None
        can = routes.can(self._kind, slows=self._rate > 0)
        return Ability(
            device=self.device, can=can, proof=self.max_proof, proof_of=self._shows, one_way=one_way,
            session=self._session, narrows=self._kind is Kind.FLOWSPEC,
        )  # fmt: skip

    def supports(self, rule: Rule) -> bool:
        return routes.supports(rule, self._kind, slows=self._rate > 0, both_ways=self._both_ways, session=self._session)

    def observe(self, *, at: datetime) -> Observation:
        try:
            with self._shelf.locked():
                book = self._shelf.read()
                if self._shelf.pending:
                    # Whoever wrote the book did not live to see it taken in. It says what shall be, so it is finished.
                    self._take_in(book, wait=True)
                held, seen_by_peer = self._speaker.read(), self._peers()
            if book.next_end() is not None:
                self._keeper.keep(at)
        except (DriverFailure, OSError, ValueError) as why:
            detail = f"{self.device}: {why}"
            return Observation(complete=False, generation=0, rules=(), at=at, detail=detail)
        return self._observation(book, held, seen_by_peer, at)

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        try:
            with self._shelf.locked():
                book = self._shelf.read()
                if plan.generation < book.generation:
                    raise StalePlan(f"{self.device} holds generation {book.generation}, the plan is {plan.generation}")
                held = self._speaker.read()  # Nothing is changed while it does not answer.
                seen_by_peer = self._peers()
                new = self._planned(book, plan, steps, at, held, seen_by_peer)
                self._commit(book, new, held, seen_by_peer)
            if new.next_end() is not None:
                self._keeper.keep(at)
            else:
                self._keeper.wake(at)  # A keeper that is still there has nothing left to do.
        except (OSError, ValueError) as why:
            raise DeviceUnreachable(f"{self.device}: {why}") from why

    def probe(self, rule: Rule) -> ProbeResult:
        if self._vantage is None:
            return ProbeResult(
                target_stopped=None, neighbour_works=None, detail="No vantage point for a probe is set up."
            )
        try:
            required = self._shelf.read().required
        except (OSError, ValueError) as why:
            return ProbeResult(target_stopped=None, neighbour_works=None, detail=str(why))
        target = rule.selector.network
        measured = [(ip_network(n), route.port) for route in required for n in (route.network, route.remote) if n]

        def touched(address: Address) -> bool:
            own = target is not None and address in target
            return any(address in network and not (own and port is not None) for network, port in measured)

        others = [] if not rule.selector.narrowed else required.keys() - set(routes.routes_of(rule, self._kind))

        def taken(way: Direction, customer: Address, far: Address, source_port: int) -> bool:
            source, destination = (customer, far) if way is Direction.OUT else (far, customer)
            return any(_stops(route, rule.selector, source, destination, source_port) for route in others)

        return probe_rule(rule, vantage=self._vantage, touched=touched, taken=taken)

    def end_due(self, *, at: datetime) -> datetime | None:
        """Take away what has ended by now; when the next one ends. It is for the keeper, and for a timer.

        What has ended is out of the book at once, so no restart brings it back; if the speaker does not answer, this
        raises DriverFailure and is to be called again.
        """
        with self._shelf.locked():
            book = self._shelf.read()
            due = [e.measure for e in book.entries if e.has_ended(at)]
            if due:
                new = without(book, due)
                new = replace(new, body=self._speaker.body(new, foreign=self._speaker.written(book).foreign))
                self._shelf.write(new)
                book = new
            if self._shelf.pending:
                self._take_in(book, wait=False)
        if due and book.next_end() is None:
            self._keeper.wake(at)
        return book.next_end()

    # How a plan becomes a book.

    def _planned(
        self,
        book: Book,
        plan: Plan,
        steps: Sequence[Step],
        at: datetime,
        held: Held,
        seen_by_peer: frozenset[Route] | None,
    ) -> Book:
        entries = {e.measure: e for e in book.entries if not e.has_ended(at)}
        for step in steps:
            entries.pop(step.measure, None)
            rule = step.rule
            if step.verb == "apply" and rule is not None and not (rule.until is not None and rule.until <= at):
                assert self.supports(rule), f"{rule} was planned for a device that cannot hold it"
                entries[rule.measure] = Entry(
                    measure=rule.measure,
                    fingerprint=fingerprint(rule),
                    case=rule.case,
                    until=rule.until,
                    rate=routes.rate_of(rule.degree, self._rate),
                    routes=routes.routes_of(rule, self._kind),
                )
        kept = {(key, route) for key, entry in entries.items() for route in entry.routes}
        stays = held.routes | (seen_by_peer or frozenset())
        leaving = [(e.measure, route) for e in book.entries for route in e.routes if (e.measure, route) not in kept] + [
            (key, route) for key, route in book.leaving if route in stays and (key, route) not in kept
        ]
        new = Book(
            generation=plan.generation,
            entries=tuple(entries[key] for key in sorted(entries)),
            leaving=tuple(dict.fromkeys(leaving)),
            body=book.body,
            exists=True,
        )
        return replace(new, body=self._speaker.body(new, foreign=self._speaker.written(book).foreign))

    def _commit(self, book: Book, new: Book, held: Held, seen_by_peer: frozenset[Route] | None) -> None:
        same = book.exists and new == book
        written = self._speaker.written(new)
        followed = seen_by_peer is None or (new.required.keys() <= seen_by_peer and not new.gone & seen_by_peer)
        if same and followed and not self._shelf.pending and held.routes - written.foreign_routes == written.routes:
            return
        former = self._shelf.text()
        if not same:
            self._shelf.write(new)
        try:
            self._take_in(new, wait=True)
        except DeviceRefused:
            if not same:
                # It holds what it held, and so shall the file that it reads when it starts next; without the operator's
                # stub, which is no book yet, a router would not start at all.
                self._shelf.put(former)
                with contextlib.suppress(DriverFailure):
                    self._take_in(book, wait=False)
            raise

    def _take_in(self, book: Book, *, wait: bool) -> None:
        self._speaker.load(book)
        if wait:
            self._settle(book)
        self._shelf.taken_in()

    def _settle(self, book: Book) -> None:
        """Wait a while for the peers to follow. What they do not show by then, the read-back says."""
        required, gone = book.required.keys(), book.gone

        def followed() -> bool:
            try:
                seen = self._peers()
                if seen is not None and not (required <= seen and seen.isdisjoint(gone)):
                    return False  # A speaker that lists its routes tells its peers nothing meanwhile.
                held = self._speaker.read().routes
            except DriverFailure:
                return False  # One answer that did not come is no reason to look no more.
            return required <= held and held.isdisjoint(gone)

        _await(followed, seconds=self._settle_seconds)

    # What was seen.

    def _shows(self, selector: Selector, degree: Degree) -> Proof:
        probed = self._vantage is not None and not obstacle(selector, degree, self._vantage)
        return self.max_proof if probed else self.read_proof

    def _peers(self) -> frozenset[Route] | None:
        """The blackholes in the peer's forwarding table; None if nobody looks there."""
        if not self._peer_fib or self._kind is not Kind.BLACKHOLE:
            return None
        return read_fib(self._peer_fib, timeout_seconds=self._timeout_seconds)

    def _observation(self, book: Book, held: Held, seen_by_peer: frozenset[Route] | None, at: datetime) -> Observation:
        written = self._speaker.written(book)
        stands = held.routes & written.routes
        stands = stands & seen_by_peer if seen_by_peer is not None else stands
        rules: dict[str, Seen] = {}
        for entry in book.entries:
            whole = all(route in stands for route in entry.routes)
            rules[entry.measure] = Seen.IN_FORCE if whole else Seen.DRIFT
        lingering = book.gone & (held.routes | (seen_by_peer or frozenset()))
        for measure, route in book.leaving:
            if route in lingering:
                rules[measure] = Seen.DRIFT
        if held.routes - written.routes - written.foreign_routes - book.gone:
            rules["orphan"] = Seen.DRIFT  # It announces what no book says: named, so that it is put right.
        detail = held.detail
        if not detail and Seen.DRIFT in rules.values():
            late = next((r for e in book.entries for r in e.routes if r not in stands), None)
            detail = f"The peer does not show {late} yet." if late and late in held.routes else ""
        return Observation(
            complete=True,
            generation=book.generation,
            rules=tuple(sorted(rules.items())),
            fingerprints=tuple(sorted((e.measure, e.fingerprint) for e in book.entries)),
            foreign=(*written.foreign, *held.foreign),
            at=at,
            detail=detail,
        )

    # Who sees to it that measures end when nobody else does.


def _stops(route: Route, port_of: Selector, source: Address, destination: Address, source_port: int) -> bool:
    """Whether an announcement stops packets between these two to the port of a selector."""
    if route.port not in (None, port_of.port) or route.source_port not in (None, source_port):
        return False
    if route.protocol is not None and route.protocol != routes.NUMBERS[port_of.protocol or "tcp"]:
        return False
    one, other = (source, destination) if route.way == "from" else (destination, source)
    return one in ip_network(route.network) and (route.remote is None or other in ip_network(route.remote))


def _await(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Ask again and again until it is so, or time is over. No event tells of what a peer installs."""
    begun = asked = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now - begun >= seconds:
            return False
        # To look at 100,000 routes takes long, for those that are asked too: it takes half of the time at most.
        select.select([], [], [], min(max(0.02, now - asked), begun + seconds - now))
        asked = time.monotonic()
    return True
