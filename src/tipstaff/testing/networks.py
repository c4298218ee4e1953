"""The other networks of an operator with known truth: DHCP behind relays, NAT by blocks of ports and by connection.

Each maker gives what its log says, line by line as it was written, and apart from it what was really so. Only the logs
have faults: releases and records are lost, a client declines what it was given, a lease is taken again after another's.
"""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from .subscribers import BEGIN, DAY, HOUR, INSIDE, Operator, dotted

FOREVER = 2**40
UNKNOWN = ""
"""Somebody whom no log and no registry knows."""
LEASED = int.from_bytes(bytes((10, 64, 0, 0)), "big")
BLOCKS = int.from_bytes(bytes((12, 0, 0, 0)), "big")
FLOWS = int.from_bytes(bytes((13, 0, 0, 0)), "big")
BLOCK = 504
TERM = 4 * HOUR
KINDS_OF_LEASES, BY_MACHINE = 3, 2
"""Addresses are of so many kinds by turns, the last of which is without a relay."""
Line = tuple[float, bytes]
"""When it was written, in seconds since 1970, and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Had:
    """A subscriber really had an address, or one connection of it, in [begin, end); seconds since 1970."""

    who: str
    begin: float
    end: float
    first: int = 0
    last: int = 65535
    there: tuple[str, int] | None = None
    """With whom the connection was."""
    stay: int | None = None
    """Behind a NAT, the stay of the operator that it belongs to."""


@dataclass(kw_only=True)
class Truth:
    """Who had what, whose customer each was, and to whom that one answered. Nothing of it comes from a reader."""

    had: dict[int, list[Had]] = field(default_factory=dict)
    """By address."""
    customers: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    """Of a subscriber: whose it was, from when until when."""
    above: dict[str, list[tuple[str, float, float]]] = field(default_factory=dict)
    """Of a customer who was below a reseller: the one who answers for it."""

    def add(self, address: int, *had: Had) -> None:
        self.had.setdefault(address, []).extend(had)

    def holders(
        self, address: int, first: float, last: float, *, port: int | None = None, there: tuple[str, int] | None = None
    ) -> set[str]:
        """Who answers for all who had it at some instant of [first, last]; UNKNOWN among them where nobody knows."""
        found: set[str] = set()
        for had in self._touching(address, first, last, port=port, there=there):
            begin, end = max(had.begin, first), min(had.end, last + 1e-6)
            left = [(c, b, e) for c, b, e in self.customers.get(had.who, ()) if b <= last and b < end and e > begin]
            for customer, b, e in left:
                steps = [(t, s, u) for t, s, u in self.above.get(customer, ()) if s < min(e, end) and u > max(b, begin)]
                found |= {top for top, _, _ in steps} or {customer}
                if steps and not any(s <= max(b, begin) and u >= min(e, end) for _, s, u in steps):
                    found.add(customer)
            if not any(b <= begin and e >= end for _, b, e in left):
                found.add(UNKNOWN)
        return found

    def stays(self, address: int, first: float, last: float) -> int:
        """How many stays there were at some instant of [first, last]."""
        return len(list(self._touching(address, first, last, port=None, there=None)))

    def beside(self, address: int, mine: Had) -> list[Had]:
        """The other connections that had the same port meanwhile."""
        meanwhile = self._touching(address, mine.begin, mine.end, port=mine.first, there=None)
        return [had for had in meanwhile if had != mine]

    def always(self, address: int, first: float, last: float) -> bool:
        """Whether somebody had it at every instant of [first, last]."""
        reach = first
        for had in sorted(self.had.get(address, ()), key=lambda h: h.begin):
            if had.begin <= reach:
                reach = max(reach, had.end)
        return reach > last

    def _touching(
        self, address: int, first: float, last: float, *, port: int | None, there: tuple[str, int] | None
    ) -> Iterator[Had]:
        for had in self.had.get(address, ()):
            if had.begin > last or had.end <= first or (port is not None and not had.first <= port <= had.last):
                continue
            if there is None or had.there is None or had.there == there:
                yield had


def in_order(lines: Iterable[Line]) -> bytes:
    """A log."""
    return b"".join(text for _, text in sorted(lines, key=lambda line: line[0]))


def sessions_into(truth: Truth, made: Operator, *, base: int) -> None:
    """What RADIUS' stays really were."""
    columns = zip(made.address.tolist(), made.subscriber.tolist(), made.begin.tolist(), made.end.tolist(), strict=True)
    for address, subscriber, begin, end in columns:
        truth.add(base + address, Had(who=f"u{subscriber}", begin=begin, end=end))


KEA = b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
PORTS = 6
"""Of each relay; two relays name theirs alike."""


def line_of(relay: int, port: int) -> str:
    """What a circuit is called where the relay says who it is."""
    return f"eth0/1/{port} at dslam-{relay}"


def mac(number: int) -> str:
    return "02:00:" + ":".join(f"{number >> s & 255:02x}" for s in (24, 16, 8, 0))


def leases(truth: Truth, *, addresses: int, days: int, seed: int, ahead: int = 0) -> list[Line]:
    """Kea's memfile about addresses of three kinds, by turns: behind relays that say who they are, behind relays that
    do not, and without one. Its clock is `ahead` by so many seconds."""
    dice = random.Random(seed)  # noqa: S311 - a world for tests
    lines: list[Line] = []
    for number in range(addresses):
        kind = number % KINDS_OF_LEASES
        _leases_of(truth, lines, LEASED + number, kind=kind, end=BEGIN + days * DAY, dice=dice, ahead=ahead)
    return lines


def looks(truth: Truth, *, days: int, every: int, lost: float, seed: int, ahead: int = 0) -> list[Line]:
    """What a router's neighbour table showed of the machines that had addresses without a relay, look by look: most of
    those who are there answer."""
    dice = random.Random(seed)  # noqa: S311 - a world for tests
    lines: list[Line] = []
    there = {a: had for a, had in truth.had.items() if (a - LEASED) % KINDS_OF_LEASES == BY_MACHINE}
    for at in range(BEGIN, BEGIN + days * DAY, every):
        if dice.random() < lost:
            continue
        seen = [
            {"dst": dotted(address), "dev": "eth0", "lladdr": had.who, "state": ["REACHABLE"]}
            for address, stays in there.items()
            for had in stays
            if had.begin <= at < had.end and had.who != UNKNOWN and dice.random() < 0.8
        ]
        lines.append((at, (json.dumps({"at": _stamp(at + ahead), "neighbours": seen}) + "\n").encode()))
    return lines


def _leases_of(
    truth: Truth, lines: list[Line], address: int, *, kind: int, end: float, dice: random.Random, ahead: int
) -> None:
    at = float(BEGIN + dice.randrange(0, 6 * HOUR))
    past: list[tuple[int, int]] = []
    planned: list[tuple[tuple[int, int], bool]] = []
    while at < end:
        new = dice.randrange(2), dice.randrange(PORTS)
        if not planned:
            # A client that comes back after another is the easiest to swallow: most of all within its first term.
            first = dice.choice(past[-3:]) if past and dice.random() < 0.4 else new
            visited = dice.random() < 0.25
            planned = [(first, True), (new, True), (first, False)] if visited else [(first, False)]
        (relay, port), short = planned.pop(0)
        past.append((relay, port))
        who, row = _client(kind, address, relay, port, ahead)
        if dice.random() < 0.06:
            # Somebody unknown has it already, which the client finds out.
            lines += [(at, row(TERM, at)), (at + 1, _declined(address, at + 1 + ahead))]
            truth.add(address, Had(who=UNKNOWN, begin=at, end=at + DAY))
            at += DAY + dice.randrange(60, HOUR)
            continue
        renewed = [at]
        for _ in range(0 if short else dice.randrange(0, 5)):
            # Some are late, and some come back when the term is over and nobody had it since.
            step = dice.choice(
                (TERM // 2, TERM // 2, TERM // 2 + dice.randrange(0, 900), TERM + dice.randrange(1, HOUR))
            )
            renewed.append(renewed[-1] + step)
        ways = ("release", "lost") if short else ("release", "expiry", "expiry", "lost", "lost")
        way, last = dice.choice(ways), renewed[-1]
        soon = dice.randrange(60, HOUR if short else TERM)
        over = last + (TERM if way == "expiry" else soon)
        at = over + dice.choice((0, 1, 2, dice.randrange(3, 60 if short else 7200)))
        lines += [(r, row(TERM, r)) for r in renewed]
        if way == "release":
            lines.append((over, row(0, last)))
        elif way == "lost":
            # The server forgot that it had given it, and gives it to the next within its term.
            over = at if at < end else last + TERM
        for r, after in [*pairwise(renewed), (last, over)]:
            truth.add(address, Had(who=who, begin=r, end=min(after, r + TERM)))


def _client(kind: int, address: int, relay: int, port: int, ahead: int):  # type: ignore[no-untyped-def]  # a name and a writer
    circuit = f"eth0/{1 if kind == 0 else 2}/{port}"
    options = bytes([1, len(circuit)]) + circuit.encode()
    if kind == 0:
        remote = f"dslam-{relay}".encode()
        options += bytes([2, len(remote)]) + remote
    context = f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "0x{options.hex().upper()}" }} }} }}'
    who = (line_of(relay, port), f"{circuit} of {relay}", mac(relay * PORTS + port))[kind]

    def row(term: int, since: float) -> bytes:
        hardware = mac(relay * PORTS + port)
        more = "" if kind == 2 else context
        return f"{dotted(address)},{hardware},,{term},{int(since) + ahead + term},1,0,0,,0,{more}\n".encode()

    return who, row


def _declined(address: int, at: float) -> bytes:
    return f"{dotted(address)},,,{DAY},{int(at) + DAY},1,0,0,,1,\n".encode()


def blocks(truth: Truth, made: Operator, *, per_nas: int, lost: float, seed: int, ahead: float = 0.0) -> list[Line]:
    """What NATs log of blocks of ports for RADIUS' stays on inside addresses, each NAS with a public address; their
    clock is `ahead` by so many seconds."""
    dice = random.Random(seed)  # noqa: S311 - a world for tests
    lines: list[Line] = []
    free: dict[int, list[tuple[float, int]]] = {}
    order = sorted(range(len(made.begin)), key=lambda stay: made.begin[stay])
    for stay in order:
        nas, begin, end = int(made.nas[stay]), float(made.begin[stay]), float(made.end[stay])
        left = free.setdefault(nas, [(0.0, n) for n in range(per_nas)])
        ready = [block for block in left if block[0] <= begin]
        if not ready or end - begin < 60:
            continue
        _, number = taken = dice.choice(ready)
        left.remove(taken)
        left.append((end + 1, number))
        address, inside = BLOCKS + nas, INSIDE + int(made.address[stay])
        first, begin = 1024 + number * BLOCK, begin + dice.randrange(1, 5) + dice.random()
        said = f"inside={dotted(inside)} outside={dotted(address)} ports={first}-{first + BLOCK - 1}\n"
        lines.append((begin, f"{_stamp(begin + ahead)} nat{nas} event=alloc {said}".encode()))
        if dice.random() >= lost and not made.cut[stay]:
            lines.append((end, f"{_stamp(end + ahead)} nat{nas} event=release {said}".encode()))
        who = f"u{int(made.subscriber[stay])}"
        truth.add(address, Had(who=who, begin=begin, end=end, first=first, last=first + BLOCK - 1, stay=stay))
    return lines


def flows(
    truth: Truth, made: Operator, *, number: int, ports: int, lost: float, seed: int, ahead: float = 0.0,
    outlasting: int = 0, hole: tuple[float, float] = (0.0, 0.0), lasts: float = 0.0,
) -> list[Line]:  # fmt: skip
    """What `conntrack -E` prints of connections through NATs that give one port to several at once, each with another
    server; never are both ends of one lost. Their clock is `ahead`. So many more begin in a `hole` of the log and are
    `outlasting` it, by up to the time that one `lasts`; of these the end is lost, too."""
    dice = random.Random(seed)  # noqa: S311 - a world for tests
    lines: list[Line] = []
    busy: dict[tuple[int, int, tuple[str, int]], list[tuple[float, float]]] = {}
    through = [n for n in range(len(made.begin)) if made.begin[n] < hole[1] - 60 and made.end[n] > hole[1] + 60]
    planned: list[tuple[int, float, float]] = []
    for stay in dice.choices(through, k=outlasting) if outlasting else ():
        begin = max(float(made.begin[stay]), hole[0]) + dice.random() * (
            hole[1] - max(float(made.begin[stay]), hole[0])
        )
        planned.append((stay, begin, min(begin + dice.uniform(lasts / 3, lasts), float(made.end[stay]))))
    for stay in dice.choices(range(len(made.begin)), k=number):
        begin = float(made.begin[stay]) + 60 + dice.random() * (float(made.end[stay]) - float(made.begin[stay]) - 120)
        end = min(begin + dice.choice((0.2, 5.0, 40.0, 600.0, 7200.0)) * (0.5 + dice.random()), float(made.end[stay]))
        planned.append((stay, begin, end))
    for number, (stay, begin, end) in enumerate(planned):
        address, port = FLOWS + int(made.nas[stay]) % 2, 20000 + dice.randrange(ports)
        there = (f"203.0.113.{dice.randrange(1, 5)}", dice.choice((443, 443, 53)))
        mine = busy.setdefault((address, port, there), [])
        if begin >= end or any(b - 1 < end and begin < e + 1 for b, e in mine):
            continue
        mine.append((begin, end))
        inside = dotted(INSIDE + int(made.address[stay]))
        way = (
            f"src={inside} dst={there[0]} sport={1024 + stay % 60000} dport={there[1]} "
            f"%ssrc={there[0]} dst={dotted(address)} sport={there[1]} dport={port}\n"
        )
        fate = dice.random() if number >= outlasting else lost / 2
        if fate >= lost / 2:
            lines.append(
                (begin, f"[{begin + ahead:.6f}]\t    [NEW] tcp      6 120 SYN_SENT {way % '[UNREPLIED] '}".encode())
            )
        if not lost / 2 <= fate < lost:
            lines.append((end, f"[{end + ahead:.6f}]\t[DESTROY] tcp      6 {way % ''}".encode()))
        truth.add(
            address,
            Had(
                who=f"u{int(made.subscriber[stay])}",
                begin=begin,
                end=end,
                first=port,
                last=port,
                there=there,
                stay=stay,
            ),
        )
    return lines


def _stamp(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat()
