"""DNS: the operator's resolvers no longer answer for a host name, by a response policy zone on the primary server.

Changes are RFC 2136 updates with TSIG (RFC 8945). Each has the zone's generation as its prerequisite, so the server
itself refuses one that was made for another state. The zone is read back by transfer, and each resolver is asked how
far it has come and how it answers.
"""

import base64
import binascii
import contextlib
import ipaddress
import re
import select
import struct
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from tipstaff.enforcement.drivers.rpz import zone as zones
from tipstaff.enforcement.drivers.rpz.transfer import BadTransfer, Copy, Labels, Record
from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.kept import has_ended
from tipstaff.enforcement.options import Listener, Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan, as_asked
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Direction, Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = (
    "server", "zone", "tsig_name", "tsig_algorithm", "tsig_file", "tsig_command", "resolvers", "neighbour", "says",
    "page_addresses", "addresses", "ttl_seconds", "timeout_seconds", "keeper_file",
)  # fmt: skip
_ALGORITHMS = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_UPDATE_OCTETS_MAX = 60_000
"""What is put into one update, which is at most 65,535 octets long with its head and its signature."""
_ASKED_MAX = 8
"""Names of a change that each resolver is asked for before it is said to have taken the change over."""
_ZONE_NAME = b"\xc0\x0c"
"""Where the zone's own name stands in an update: behind the head (RFC 1035, 4.1.4)."""
_RECORD = struct.Struct("!HHIH")
_REMOVED = _RECORD.pack(dns.rdatatype.ANY, dns.rdataclass.ANY, 0, 0)
"""All record sets of a name go (RFC 2136, 2.5.3)."""


def make(device: str, options: Mapping[str, object]) -> "RpzDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is asked yet, and no secret is read."""
    given = Options(device=device, driver="rpz", given=options)
    given.only(_KNOWN)
    server = given.listener("server")
    if server is None:
        raise given.bad("server", "is missing: the primary server's address and port, for example 192.0.2.53:53.")
    names = {}
    for name in ("zone", "tsig_name", "neighbour"):
        text = given.text(name) if name == "neighbour" else given.needed(name)
        try:
            names[name] = dns.name.from_text(text) if text else None
        except dns.exception.DNSException as why:
            raise given.bad(name, f"is {text!r}, which is no name of the DNS: {why}.") from why
    try:
        pages = tuple(ipaddress.ip_address(x) for x in given.texts("page_addresses"))
    except ValueError as why:
        raise given.bad("page_addresses", f"takes addresses: {why}.") from why
    assert names["zone"] is not None
    assert names["tsig_name"] is not None
    says = given.text("says", "blocked by the acceptable use policy")
    if not says or len(says.encode()) > 255:
        raise given.bad("says", "takes a text of 1 to 255 octets.")
    return RpzDriver(
        device,
        server=server,
        zone=names["zone"],
        tsig_name=names["tsig_name"],
        tsig_algorithm=given.text("tsig_algorithm", _ALGORITHMS[0], one_of=_ALGORITHMS),
        tsig=Secret.of(f"device {device}", options, stem="tsig"),
        keeper=Keeper(device, file=given.path("keeper_file"), module=__name__, options=options),
        resolvers=given.listeners("resolvers"),
        neighbour=names["neighbour"],
        says=says,
        addresses=given.flag("addresses"),
        page_addresses=pages,
        ttl_seconds=given.number("ttl_seconds", 60),
        timeout_seconds=given.number("timeout_seconds", 10),
    )


class RpzDriver:
    """One response policy zone of its own on a primary server, and the resolvers that apply it."""

    def __init__(
        self, device: str, *, server: Listener, zone: dns.name.Name, tsig_name: dns.name.Name, tsig_algorithm: str,
        tsig: Secret, keeper: Keeper, resolvers: Sequence[Listener], neighbour: dns.name.Name | None, says: str,
        addresses: bool, page_addresses: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address], ttl_seconds: int,
        timeout_seconds: float,
    ) -> None:  # fmt: skip
        self.device = device
        # What the zone holds is configuration; only a resolver can say that it answers by it.
        self.max_proof = Proof.CONFIG if not resolvers else Proof.PROBE if neighbour else Proof.STATE
        self._server = server
        self._zone = zone
        self._tsig = (tsig_name, tsig_algorithm)
        self._tsig_secret = tsig
        self._keeper = keeper
        self._resolvers = tuple(resolvers)
        self._neighbour = neighbour
        self._addresses = addresses
        self._ttl = ttl_seconds
        self._timeout_seconds = timeout_seconds
        self._block = _block(says, page_addresses)
        self._says = says.encode()
        self._secret: tuple[dns.tsig.Key, zones.Book] | None = None
        self._copy: Copy | None = None
        """The last transfer. The next one brings only what changed since (RFC 1995)."""
        self._held: zones.Held | None = None
        self._freed: tuple[Labels, ...] = ()
        """Names that the last change let go."""
        self._lock = threading.Lock()

    @property
    def ability(self) -> Ability:
        can = zones.can(addresses=self._addresses)
        # Who does not find an address does not send to it; what it sends goes on.
        return Ability(device=self.device, can=can, proof=self.max_proof, one_way=Direction.IN)

    def supports(self, rule: Rule) -> bool:
        return zones.supports(rule, zone=self._zone, addresses=self._addresses)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held = self._read()
            behind = self._behind(held.generation) if held.exists else []
            self._keep(held, at=at)
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive = {key: e for key, e in sorted(held.entries.items()) if not has_ended(e.rule, at=at)}
        drifted = alive.keys() if behind else held.drifted
        seen = [(key, Seen.DRIFT if key in drifted else Seen.IN_FORCE) for key in alive]
        strange = sorted(held.unreadable)
        seen += [(f"unreadable-{owner[0].decode('ascii', 'replace')}", Seen.DRIFT) for owner in strange]
        details = [f"{host}:{port} has not come as far as the zone" for host, port in behind]
        if held.unfinished:
            details.append(f"{len(held.unfinished)} entries are of a change that was never finished")
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(seen),
            fingerprints=tuple((key, e.fingerprint) for key, e in alive.items()),
            foreign=held.foreign,
            at=at,
            detail="; ".join(details),
        )

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        try:
            held = self._read()
            if not held.exists or held.unreadable or self._behind(held.generation):
                return None
        except (DeviceUnreachable, DeviceRefused):
            return None
        there = {key: held.entries[key] for key in sorted(measures) if key in held.entries}
        if held.unfinished or held.drifted & there.keys() or any(labels in held.blocks for labels in self._freed):
            return None
        prints = {key: entry.fingerprint for key, entry in there.items()}
        return as_asked(prints, asked=measures, generation=held.generation, foreign=held.foreign, at=at)

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        for again in (True, False):
            held = self._read()
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            come, gone = self._changes(held, plan, steps, at=at)
            try:
                self._update(held, plan, come, gone)
            except _Overtaken:
                if again:
                    continue
                raise DeviceUnreachable(f"{self.device}: the zone changes all the time") from None
            break
        self._keep(self._read(), at=at)
        # A resolver takes a change over name by name, and may answer by the new generation before it is through.
        self._await(plan.generation, [*self._few(come, stopped=True), *self._few(gone, stopped=False)])

    def end_due(self, *, at: datetime) -> datetime | None:
        """Take out what has ended, without any plan; when the next one ends. It is for the keeper, and for a timer."""
        held = self._read()
        if any(has_ended(entry.rule, at=at) for entry in held.entries.values()):
            plan = Plan(device=self.device, generation=held.generation, rules=())
            try:
                self._update(held, plan, *self._changes(held, plan, [], at=at))
            except _Overtaken:
                raise DeviceUnreachable(f"{self.device}: the zone was changed meanwhile") from None
        return _next_end(held, after=at)

    def _keep(self, held: zones.Held, *, at: datetime) -> None:
        """A zone knows no time: a keeper ends what has an end, also if the enforcer is gone for long."""
        needed = any(e.rule.until is not None and e.rule.until > at for e in held.entries.values())
        self._keeper.needed(needed, at=at)

    def probe(self, rule: Rule) -> ProbeResult:
        name = zones.name_of(rule, zone=self._zone)
        if not self._resolvers or self._neighbour is None or name is None or rule.selector.network is not None:
            detail = "No resolver and no neighbour for a probe are set up, or no name is known that could be asked for."
            return ProbeResult(target_stopped=None, neighbour_works=None, detail=detail)
        stopped: list[bool | None] = []
        works: list[bool | None] = []
        said = []
        for resolver in self._resolvers:
            answer = self._ask(resolver, name, "TXT")
            stopped.append(None if answer is None else self._says in _texts(answer))
            beside = self._ask(resolver, self._neighbour.labels[:-1], "A")
            works.append(None if beside is None else beside.rcode() == dns.rcode.NOERROR and bool(beside.answer))
            words = "no answer" if answer is None else "blocked" if stopped[-1] else dns.rcode.to_text(answer.rcode())
            alive = "answers" if works[-1] else "does not answer"
            said.append(f"{dns.name.Name(name)} at {resolver[0]}:{resolver[1]}: {words}; {self._neighbour} {alive}")
        return ProbeResult(
            target_stopped=_all(stopped), neighbour_works=_all(works), detail="; ".join(said) + ".",
            target_free=_all([None if x is None else not x for x in stopped]),
        )  # fmt: skip

    # What is read.

    def _read(self) -> zones.Held:
        with self._lock:
            key, book = self._key()
            copy = self._copy if self._copy is not None and self._held is not None else Copy(self._zone)
            held = self._held or zones.Held(book=book, block=self._block)
            self._copy = self._held = None
            try:
                changed = copy.bring(self._server, key, timeout_seconds=self._timeout_seconds)
                if changed is None:
                    held = zones.Held(book=book, block=self._block)
                    held.take(copy.names.items())
                else:
                    held.take((labels, copy.names.get(labels, ())) for labels in changed)
            except (BadTransfer, dns.exception.DNSException, OSError, EOFError) as why:
                self._secret = None  # It may be the secret that was changed.
                raise DeviceUnreachable(f"{self.device}: the zone cannot be transferred: {_words(why)}") from why
            self._copy, self._held = copy, held
            return held

    def _behind(self, generation: int) -> list[Listener]:
        """The resolvers that do not answer by this generation of the zone."""
        return [resolver for resolver in self._resolvers if self._generation_at(resolver) != generation]

    def _generation_at(self, resolver: Listener) -> int | None:
        """The generation that a resolver answers by, 0 for none; None if it does not answer with one."""
        answer = self._ask(resolver, zones.GENERATION, "TXT")
        return None if answer is None else zones.generation_of(_texts(answer))

    def _ask(self, resolver: Listener, name: Labels, kind: str) -> dns.message.Message | None:
        for _ in range(2):  # One datagram may be lost.
            with contextlib.suppress(dns.exception.DNSException, OSError):
                query = dns.message.make_query(dns.name.Name((*name, b"")), kind)
                return dns.query.udp_with_fallback(query, resolver[0], port=resolver[1], timeout=1)[0]
        return None

    def _few(self, changes: Sequence["_Change"], *, stopped: bool) -> list[tuple[Labels, bool]]:
        """(name, whether it is stopped now) of some of the names that a change stops or frees.

        No address is among them: a resolver looks at where names lead, and never answers for `rpz-ip` itself.
        """
        names = [c.name for c in changes if c.name[-1:] not in (zones.BOOK, (b"rpz-ip",))]
        return [(name, stopped) for name in names[:: max(1, len(names) // _ASKED_MAX)]]

    def _await(self, generation: int, names: Sequence[tuple[Labels, bool]]) -> None:
        """Wait until the resolvers have taken the zone over. Those that do not in time, or are silent, the read-back
        names."""
        begun = time.monotonic()
        for resolver in self._resolvers:
            while not self._follows(resolver, generation, names):
                if time.monotonic() - begun > self._timeout_seconds:
                    return
                select.select([], [], [], 0.02)

    def _follows(self, resolver: Listener, generation: int, names: Sequence[tuple[Labels, bool]]) -> bool:
        """Whether a resolver answers by this generation, and so of these names; a silent one is waited for no more."""
        found = self._generation_at(resolver)
        if found is None or found != generation:
            return found is None
        answers = ((self._ask(resolver, name, "TXT"), stopped) for name, stopped in names)
        return all(answer is None or (self._says in _texts(answer)) is stopped for answer, stopped in answers)

    # What is changed.

    def _changes(
        self, held: zones.Held, plan: Plan, steps: Sequence[Step], *, at: datetime
    ) -> tuple[list["_Change"], list["_Change"]]:
        """What is added and what is taken away, a name at a time."""
        _, book = self._key()
        rules = [s.rule for s in steps if s.verb == "apply" and s.rule is not None and not has_ended(s.rule, at=at)]
        assert all(map(self.supports, rules)), f"{rules} was planned for a device that cannot hold it"
        leaves = {step.measure for step in steps}
        if plan.whole:
            leaves |= {key for key, e in held.entries.items() if has_ended(e.rule, at=at)} | held.unfinished.keys()
        text, g = int(dns.rdatatype.TXT), plan.generation
        come = [
            _Change(book.owner(rule.measure), [(text, zones.txt(book.seal(rule, generation=g)))])
            for rule in sorted(rules, key=lambda rule: rule.measure)
        ]
        needed = self._names(rules)
        freed = {
            labels
            for labels in self._names(e.rule for key in leaves for e in _both(held, key))
            if labels not in needed and leaves.issuperset(held.measures_on(labels))
        }
        lacking = {labels for labels in needed if not held.blocks.get(labels, False)}
        if plan.whole:
            lacking |= held.lacking - freed
        come += [_Change(name, self._block) for name in sorted(lacking)]
        self._freed = tuple(freed)
        applied = {rule.measure for rule in rules}
        stale = [e.owner for key in sorted(leaves - applied) for e in _both(held, key)]
        strange = sorted(held.unreadable) if plan.whole else ()
        # Names first: one that is still blocked while nothing says by which measure would be so for ever.
        gone = [_Change(owner, ()) for owner in (*sorted(freed), *stale, *strange)]
        return come, gone

    def _names(self, rules: Iterable[Rule]) -> set[Labels]:
        """The names that these block."""
        found = (zones.name_of(rule, zone=self._zone) for rule in rules)
        return {name for name in found if name is not None}

    def _update(self, held: zones.Held, plan: Plan, come: Sequence["_Change"], gone: Sequence["_Change"]) -> None:
        new = [(int(dns.rdatatype.TXT), zones.txt([str(plan.generation).encode()]))]
        turn = [] if held.exists and held.generation == plan.generation else [_Change(zones.GENERATION, new)]
        if not come and not gone and not turn:
            return
        before = str(held.generation).encode() if held.exists else None
        whole = list(self._batches([*come, *gone, *turn]))
        if len(whole) == 1:
            self._send(whole[0], if_generation=before)
            return
        # Too much for one update: what comes is there before the generation says so, what goes is there after it.
        for some in self._batches(come):
            self._send(some, if_generation=before)
        for some in self._batches(turn):
            self._send(some, if_generation=before)
        for some in self._batches(gone):
            self._send(some, if_generation=str(plan.generation).encode())

    def _batches(self, changes: Sequence["_Change"]) -> Iterator["_Records"]:
        """The changes as records of updates, as few as they fit into."""
        some = _Records(self._zone)
        for change in changes:
            wire = change.wire(ttl=self._ttl)
            if len(some.wire) + len(wire) > _UPDATE_OCTETS_MAX:
                yield some
                some = _Records(self._zone)
            some.wire += wire
            some.count += 1 + len(change.records)
        if some.count:
            yield some

    def _send(self, records: "_Records", *, if_generation: bytes | None) -> None:
        key, _ = self._key()
        update = dns.update.UpdateMessage(self._zone, keyring=key, keyname=key.name, keyalgorithm=key.algorithm)
        mark = dns.name.Name(zones.GENERATION)
        if if_generation is None:
            update.absent(mark)
        else:
            data = zones.txt([if_generation])
            update.present(mark, dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.TXT, data, 0, len(data)))
        update.update.append(records)
        try:
            answer = dns.query.tcp(update, self._server[0], port=self._server[1], timeout=self._timeout_seconds)
        except (dns.exception.DNSException, OSError, EOFError) as why:
            self._secret = self._held = None
            raise DeviceUnreachable(f"{self.device}: the update was not answered: {_words(why)}") from why
        if answer.rcode() in (dns.rcode.NXRRSET, dns.rcode.YXDOMAIN, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN):
            raise _Overtaken
        if answer.rcode() != dns.rcode.NOERROR:
            raise DeviceRefused(f"{self.device}: the server answers {dns.rcode.to_text(answer.rcode())} to the update")

    # The secret.

    def _key(self) -> tuple[dns.tsig.Key, zones.Book]:
        if self._secret is None:
            secret = self._read_secret()
            name, algorithm = self._tsig
            key = dns.tsig.Key(name, secret, algorithm)
            self._secret = key, zones.Book(secret, zone=str(self._zone))
        return self._secret

    def _read_secret(self) -> bytes:
        """The secret, never logged: no sentence and no exception of ours has it."""
        text = self._tsig_secret.read().decode("ascii", "replace")
        # A file of BIND's own form, or nothing but the secret.
        found = re.search(r'secret\s+"([^"]+)"', text)
        try:
            secret = base64.b64decode((found[1] if found else text).strip(), validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) < 16:
            raise DeviceUnreachable(f"{self.device}: what is given as the TSIG secret is none: 16 octets in base64")
        return secret


class _Overtaken(Exception):
    """The zone holds another generation than the one that was read."""


class _Change:
    """What shall stand at one name from now on; nothing, to take it away."""

    def __init__(self, name: Labels, records: Sequence[Record]) -> None:
        self.name = name
        self.records = records

    def wire(self, *, ttl: int) -> bytes:
        """It as records of an update: all goes that stands there, then these come."""
        name = b"".join([bytes((len(label),)) + label for label in self.name]) + _ZONE_NAME
        parts = [name, _REMOVED]
        for kind, data in self.records:
            parts += (name, _RECORD.pack(kind, dns.rdataclass.IN, ttl, len(data)), data)
        return b"".join(parts)


class _Records(dns.rrset.RRset):
    """Records that are octets already. One by one, 100,000 names would take dnspython half a minute to write."""

    __slots__ = ("count", "wire")

    def __init__(self, zone: dns.name.Name) -> None:
        super().__init__(zone, dns.rdataclass.IN, dns.rdatatype.ANY)
        self.wire = bytearray()
        self.count = 0

    def to_wire(self, file: BinaryIO, *_: object, **__: object) -> int:  # type: ignore[override]  # as a renderer asks
        file.write(self.wire)
        return self.count


def _both(held: zones.Held, measure: str) -> list[zones.Entry]:
    """What is kept of a measure; it may be of a change that was never finished."""
    return [some[measure] for some in (held.entries, held.unfinished) if measure in some]


def _next_end(held: zones.Held, *, after: datetime) -> datetime | None:
    """When the next measure ends of those that have not ended by then."""
    ends = [entry.rule.until for entry in held.entries.values() if entry.rule.until is not None]
    return min((end for end in ends if end > after), default=None)


def _block(says: str, pages: Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> tuple[Record, ...]:
    """What stands at a blocked name."""
    kinds = {4: dns.rdatatype.A, 6: dns.rdatatype.AAAA}
    said = (int(dns.rdatatype.TXT), zones.txt([says.encode()]))
    return (said, *dict.fromkeys((int(kinds[page.version]), page.packed) for page in pages))


def _texts(answer: dns.message.Message) -> list[bytes]:
    return [b"".join(r.strings) for s in answer.answer for r in s if s.rdtype == dns.rdatatype.TXT]


def _all(found: Sequence[bool | None]) -> bool | None:
    if False in found:
        return False
    return None if None in found else True


def _words(why: Exception) -> str:
    return str(why).rstrip(".") or type(why).__name__
