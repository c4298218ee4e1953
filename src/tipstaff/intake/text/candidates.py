"""Who could be meant: every address and host a mail names, with the cues that speak for it and against it."""

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from ..mail import Mail
from ..ranking.words import around
from .candidate import Candidate, Shape
from .cues import HOP_ZONES, is_log, look_at_address, look_at_host
from .find import Found, find_all, is_address, is_public
from .hops import outside_hop, received_lines, stated_hop
from .names import registered_part
from .sections import Line
from .shapes import Columns, cell_of, shapes_of

MOST_CANDIDATES = 20_000
_LINES_KEPT = 8
_LINES_LOOKED_AT = 6
_SHAPES_KEPT = 12
_URLS_KEPT = 200
_LINES_READ_CLOSELY = 300
_PAIR = 2
_DOTTED = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_MAIL_ADDRESS = re.compile(r"[\w.+=%#-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,6})")
_REVERSED = re.compile(r"(?<![\w.-])((?:[0-9]{1,3}\.){3}[0-9]{1,3})\.[A-Za-z]")
_REQUEST = re.compile(r"[\"'](?:GET|POST|HEAD|PUT|OPTIONS|CONNECT) ")
_RECEIVED = frozenset(("Received:", "received:", "RECEIVED:"))


@dataclass(frozen=True, slots=True)
class Scene:
    """All candidates of a mail."""

    addresses: list[Candidate]
    hosts: list[Candidate]
    overflow: bool
    """True when the mail names more than anybody could mean."""


@dataclass(slots=True)
class _Heap:
    """Candidates of one kind while a mail is read."""

    kind: str
    by_value: dict[str, Candidate] = field(default_factory=dict)
    total: int = 0
    overflow: bool = False

    def take(self, value: str) -> Candidate | None:
        """The candidate with this value, a new one when there is room."""
        self.total += 1
        this = self.by_value.get(value)
        if this is None:
            if len(self.by_value) >= MOST_CANDIDATES:
                self.overflow = True
                return None
            this = self.by_value[value] = Candidate(self.kind, value, len(self.by_value))
        this.count += 1
        return this


def gather(mail: Mail, lines: list[Line]) -> Scene:
    """Every candidate of a mail with its cues."""
    own = _own_domains(mail, lines)
    addresses, hosts = _Heap("ip"), _Heap("host")
    columns = Columns()
    listed = _Listed()
    flows = _Flows()
    for place, line in enumerate(lines):
        text = line.plain
        if "." not in text and "::" not in text and text.count(":") < 6:
            columns.see(line, names_something=False)
            continue
        if line.number >= _LINES_READ_CLOSELY and _only_counts(text, addresses):
            continue
        found = find_all(text, names=line.zone not in HOP_ZONES)
        columns.see(line, names_something=any(x.kind != "name" for x in found))
        if found:
            beside = (lines[place - 1] if place else None, lines[place + 1] if place + 1 < len(lines) else None)
            _see_addresses(line, found, addresses, columns, listed, beside, flows)
            _see_hosts(line, found, addresses, hosts, own, columns.sign_of(line), beside)
    _look_at_way(mail, lines, addresses.by_value)
    _look_at_reversed(lines, addresses.by_value)
    flows.mark(addresses.by_value)
    writer = registered_part(mail.sender[1].rpartition("@")[2])
    for this in hosts.by_value.values():
        if registered_part(this.value) == writer:
            this.see("sender_domain")
    _join_names(hosts)
    _drop_surroundings(addresses)
    _drop_unroutable(addresses)
    _compare(list(addresses.by_value.values()), addresses.total)
    _compare(list(hosts.by_value.values()), hosts.total)
    return Scene(list(addresses.by_value.values()), list(hosts.by_value.values()), addresses.overflow or hosts.overflow)


def _only_counts(text: str, addresses: _Heap) -> bool:
    """The thousandth line of a log says no more than the hundredth: where all of it is known, it only counts."""
    known = [addresses.by_value.get(x) for x in _DOTTED.findall(text)]
    if not known or None in known:
        return False
    for this in known:
        if this is not None:
            this.count += 1
            addresses.total += 1
    return True


_Beside = tuple[Line | None, Line | None]
"""The lines above and below."""


@dataclass(slots=True)
class _Listed:
    """The list of addresses that the last line left open: it goes on where nothing else stands before its items."""

    number: int = -2
    zone: str = ""
    last: Candidate | None = None
    shape: Shape = ()

    def goes_on(self, line: Line, things: list[Found]) -> Candidate | None:
        """The last item above, when the first thing of this line follows it in one list."""
        if self.last is None or line.number != self.number + 1 or line.zone != self.zone:
            return None
        return self.last if len(_LABEL.findall(line.plain[: things[0].start])) <= 1 else None

    def leave(self, line: Line, things: list[Found], last: Candidate | None, shape: Shape, *, went_on: bool) -> None:
        """Note how a line ends: in a comma, or in the items that began beside their label."""
        after = line.plain[things[-1].end :].strip(_AROUND)
        before = line.plain[: things[0].start].rstrip(_AROUND)
        open_ = after == "," or (not after and (before.endswith(":") or (not before and went_on)))
        self.number, self.zone, self.last, self.shape = line.number, line.zone, last if open_ else None, shape


@dataclass(slots=True)
class _Flows:
    """The rows of a log that name two addresses, and who stood first in them."""

    rows: Counter[str] = field(default_factory=Counter)
    first_pair: dict[str, tuple[str, str]] = field(default_factory=dict)
    partners: dict[str, set[str]] = field(default_factory=dict)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def see(self, things: list[Found]) -> None:
        """Note a row."""
        one, other = things[0].value, things[1].value
        self.pairs.add((one, other))
        for this, partner in ((one, other), (other, one)):
            self.rows[this] += 1
            self.first_pair.setdefault(this, (one, other))
            self.partners.setdefault(this, set()).add(partner)

    def mark(self, addresses: dict[str, Candidate]) -> None:
        """Of two that speak with each other, who stands in no other line answers the one that the letter names."""
        for value, (one, other) in self.first_pair.items():
            this, partner = addresses.get(other), addresses.get(one)
            if value != other or this is None or partner is None or (other, one) not in self.pairs:
                continue
            if self.partners[other] == {one} and this.count == self.rows[other] and partner.count > self.rows[one]:
                this.see("arrow_target")


_KEYS = frozenset({"source_key", "victim_key"})
_AROUND = " \t[](){}<>\"'"
_LABEL = re.compile(r"[^\W\d_]{2,}")


def _see_addresses(
    line: Line,
    found: list[Found],
    addresses: _Heap,
    columns: Columns,
    listed: _Listed,
    beside: _Beside,
    flows: _Flows,
) -> None:
    things = [_as_address(x) if x.kind == "net" else x for x in found if x.kind in ("ip", "net")]
    if not things:
        return
    log = is_log(line.plain)
    if log and len(things) == _PAIR and things[0].value != things[1].value and line.zone not in HOP_ZONES:
        flows.see(things)
    sign = columns.sign_of(line)
    shapes, places = shapes_of(line, things, sign, *beside)
    before = listed.goes_on(line, things)
    this: Candidate | None = None
    last_place, keys = -1, frozenset[str]()
    for x, shape, place in zip(things, shapes, places, strict=True):
        if place != last_place:
            last_place, keys = place, frozenset()
        this = addresses.take(x.value)
        if this is None:
            continue
        had = _KEYS.intersection(this.features)
        if x.port:
            this.ports[x.port] += 1
        if x.kind == "net":
            this.network = x.host
        if before is not None and place == 0:
            # What was said of the list's first items is said of those that were wrapped to this line.
            shape = listed.shape
            for cue in before.features:
                if not cue.startswith("zone_"):
                    this.see(cue, before.features[cue])
            this.see(f"zone_{line.zone}")
            this.words.update(before.words)
        # A line built like an earlier one says the same of its address.
        new = _new_shape(this, shape)
        if before is not None and place == 0:
            if len(this.lines) < _LINES_KEPT:
                this.lines.append(line)
        elif len(this.lines) < _LINES_KEPT:
            this.lines.append(line)
            if new and len(this.lines) <= _LINES_LOOKED_AT:
                title = columns.title(line, sign, cell_of(line.plain, x.start, sign)) if sign else ""
                look_at_address(this, x, line, order=place, of=places[-1] + 1, is_log=log, column=title)
                this.words.update(dict.fromkeys(around(line.plain, x.start, x.end, label=line.before, title=title)))
        # The key before a list holds for all of it.
        for key in keys:
            this.see(key)
        keys |= _KEYS.intersection(this.features) - had
    went_on = before is not None and not places[-1]
    listed.leave(line, things, this, listed.shape if went_on else shapes[-1], went_on=went_on)


def _see_hosts(
    line: Line,
    found: list[Found],
    addresses: _Heap,
    hosts: _Heap,
    own: frozenset[str],
    sign: str,
    beside: _Beside,
) -> None:
    things = [x for x in found if x.kind in ("url", "name")]
    if not things:
        return
    shapes = shapes_of(line, things, sign, *beside)[0]
    log = is_log(line.plain)
    for x, shape in zip(things, shapes, strict=True):
        if x.kind == "url" and (x.host[:1].isdecimal() or ":" in x.host) and is_address(x.host):
            this = addresses.take(x.host)
            if this is None:
                continue
            this.see("in_url")
            if log and x.start:
                # A request's target or its Referer.
                this.see("log_later")
                if _REQUEST.search(line.plain) and any(y.kind == "ip" and y.start < x.start for y in found):
                    this.see("arrow_target")
            this.see(f"zone_{line.zone}")
            if line.defanged:
                this.see("defanged")
            if len(this.urls) < _URLS_KEPT:
                this.urls.setdefault(x.value)
            if len(this.lines) < _LINES_KEPT:
                this.lines.append(line)
                this.words.update(dict.fromkeys(around(line.plain, x.start, x.end, label=line.before)))
            _new_shape(this, shape)
            continue
        this = hosts.take(x.host)
        if this is None:
            continue
        if x.kind == "url" and len(this.urls) < _URLS_KEPT:
            this.urls.setdefault(x.value)
        new = _new_shape(this, shape)
        if len(this.lines) < _LINES_KEPT:
            this.lines.append(line)
            if new and len(this.lines) <= _LINES_LOOKED_AT:
                look_at_host(this, x, line, own=own, alone=len(found) == 1)
                this.words.update(dict.fromkeys(around(line.plain, x.start, x.end, label=line.before)))


def _new_shape(this: Candidate, shape: Shape) -> bool:
    if shape in this.shapes:
        return False
    if len(this.shapes) < _SHAPES_KEPT:
        this.shapes.add(shape)
    return True


def _as_address(x: Found) -> Found:
    """A network as its first address, so that it can be weighed like one."""
    network = ip_network(x.value, strict=False)
    return Found(x.start, x.end, "net", str(network.network_address), host=str(network))


def _join_names(hosts: _Heap) -> None:
    """A bare name and a page on its `www` host are one: the page is what is meant."""
    for value, this in list(hosts.by_value.items()):
        fuller = hosts.by_value.get(f"www.{value}")
        if fuller is None or this.urls:
            continue
        for feature, strength in this.features.items():
            fuller.see(feature, strength)
        fuller.words |= this.words
        fuller.shapes |= this.shapes
        fuller.lines = (this.lines + fuller.lines)[:_LINES_KEPT]
        fuller.count += this.count
        fuller.first = min(this.first, fuller.first)
        del hosts.by_value[value]


def _drop_surroundings(addresses: _Heap) -> None:
    """A network that holds addresses which are named singly says only where those lie."""
    networks = [x for x in addresses.by_value.values() if x.network]
    if not networks:
        return
    singles: dict[int, list[int]] = {4: [], 6: []}
    for this in addresses.by_value.values():
        if not this.network and any(line.zone not in HOP_ZONES for line in this.lines):
            single = ip_address(this.value)
            singles[single.version].append(int(single))
    for numbers in singles.values():
        numbers.sort()
    for this in networks:
        network = ip_network(this.network)
        numbers = singles[network.version]
        next_ = bisect_left(numbers, int(network.network_address))
        if next_ < len(numbers) and numbers[next_] <= int(network.broadcast_address):
            del addresses.by_value[this.value]


def _drop_unroutable(addresses: _Heap) -> None:
    """Nobody can be found by an address that is everybody's, as long as another is named."""
    for this in addresses.by_value.values():
        if not is_public(this.value):
            this.see("unroutable")
    left = {value: x for value, x in addresses.by_value.items() if "unroutable" not in x.features}
    if left and len(left) < len(addresses.by_value):
        addresses.by_value = left


def _look_at_way(mail: Mail, lines: list[Line], addresses: dict[str, Candidate]) -> None:
    """Received lines: of a mail inside this one or pasted into it, the first hop from outside is the likely sender."""
    by_zone: dict[str, list[str]] = {}
    for line in lines:
        by_zone.setdefault(line.zone, []).append(line.plain)
    for zone in ("headers", "file_headers", "file", "body", "quoted", "embedded"):
        shown = by_zone.get(zone, [])
        if not any(x[:9] in _RECEIVED for x in shown):
            continue
        hop = stated_hop(shown) or outside_hop(received_lines(shown))
        if hop and hop in addresses:
            addresses[hop].see("outside_hop")
            for other in addresses.values():
                if other.value != hop and all(x.zone in HOP_ZONES for x in other.lines):
                    other.see("other_hop")
            break
    if addresses:
        way = " ".join(x[:1000] for x in mail.headers("received")[:10])
        for value in {*_DOTTED.findall(way), *(x for x in addresses if ":" in x and x in way)}:
            if value in addresses:
                addresses[value].see("own_way")


def _look_at_reversed(lines: list[Line], addresses: dict[str, Candidate]) -> None:
    """A blocklist's name, or one of the reverse tree, holds its address with octets reversed (RFC 5782, RFC 1035)."""
    for line in lines:
        if line.number < _LINES_READ_CLOSELY and line.plain.count(".") >= 4 and line.zone not in HOP_ZONES:
            for found in _REVERSED.findall(line.plain)[:8]:
                this = addresses.get(".".join(reversed(found.split("."))))
                if this is not None and found not in addresses:
                    for cue in ("near_strong", "ip_word", f"zone_{line.zone}"):
                        this.see(cue)


def _compare(candidates: list[Candidate], total: int) -> None:
    """Number the candidates that are left, whoever is only somebody's target after all others, and set them beside."""
    for place, this in enumerate(sorted(candidates, key=lambda x: (x.is_target, x.first))):
        this.first = place
    many = len(candidates)
    most = max((x.count for x in candidates), default=1)
    for this in candidates:
        this.see("rank", 1.0 / (1 + this.first))
        if this.first == 0:
            this.see("is_first")
        if many == 1:
            this.see("only")
        this.see("share", this.count / max(1, total))
        this.see("often", math.log1p(this.count) / math.log1p(most) if most > 1 else 0.0)


def _own_domains(mail: Mail, lines: Iterable[Line]) -> frozenset[str]:
    """Domains of the people in the mail: sender, answer address, and addresses in the signature or the prose."""
    found: set[str] = set()
    for value in (mail.sender[1], mail.reply_to, mail.header("message-id").strip("<>"), mail.header("return-path")):
        name = value.rpartition("@")[2].strip(" <>")
        if "." in name:
            found.add(registered_part(name))
    for line in lines:
        if "@" in line.plain and line.zone in ("body", "signature", "quoted"):
            for name in _MAIL_ADDRESS.findall(line.plain)[:20]:
                found.add(registered_part(name))
    for value in (*mail.headers("to"), *mail.headers("cc")):
        for name in _MAIL_ADDRESS.findall(value[:2000])[:20]:
            if name.lower().startswith("abuse."):
                found.add(registered_part(name))
    found.discard("")
    return frozenset(found)
