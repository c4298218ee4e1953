"""Who held it, when logs speak too: public address -> NAT -> inside address -> session -> subscriber -> customer.

Where the session names a machine (a lease, a neighbour), one step more may lead on: whoever was logged in with it then
(802.1X, RADIUS) is the subscriber. Logged in with it as two customers at once, nobody surely was.

The slow and obviously right way: every instant (and, where no port was stated, every port) at which anything could
change is visited, and each row says who it was there. `snapshot.py` answers many questions at once, and a test holds
the two equal on random histories.

A row of a log has an inner span in which it is sure and an outer one in which it is possible. So

* one subject at every point, each time proven: CONFIRMED. Proven is a point by the registry, by one strong source, or
  by two sources that are weak alone and name different kinds of things: whoever takes another's hardware address is
  given that one's lease and answers for it in every neighbour table, so that many who repeat it say it once;
* one subject at every point that has any: PROBABLE;
* two subjects who are both sure at the same point: CONTRADICTED; otherwise two: AMBIGUOUS;
* a point in a gap of the sources, or after one, with nobody but a session or a lease that may have ended in it:
  NO_DATA. So is a point with nobody after a gap, for as long as a lease, a block of ports or a connection that began in
  it may last.

A flow of a NAT is one connection. Where the log was read of all the window and long enough before it, and all flows of
the port in it lead to one inside address, the question is about them and happened while they lasted. In a gap somebody
else may have had the port, and without a stated time nothing is known to have happened: there a flow says no more than
that it was. Flows of two inside addresses that had one port at once, with a server each, do not contradict each other:
AMBIGUOUS. Where it is stated with whom the connection was, only those count that were with that one, or of which nobody
knows with whom. If none was, it is none of them that is complained of, or that server is known by another address:
AMBIGUOUS.

A connection that began in a gap is unseen until its end is read, and may have had the port beside one that is seen. For
as long as it may last, a flow is sure only if the complaint states all that a NAT gives out once: the protocol, and the
server's address and port; of a NAT that gives a port to one at a time, the protocol. Otherwise: AMBIGUOUS.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, TypeVar

from tipstaff.words import (
    PUBLIC,
    Attribution,
    AttributionReason,
    Binding,
    Ending,
    Gap,
    Grade,
    Holding,
    HoldingKind,
    Identity,
    Moment,
    Station,
    SubjectKind,
    Tier,
    require_aware,
    station_of,
)

from .match import PROOF_ROWS_MAX, Window, attribute, plain_address, window_of

Address = IPv4Address | IPv6Address
Row = TypeVar("Row", Holding, Binding)
REGISTRY = "registry"
_TICK = timedelta(microseconds=1)
_GREATEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class _Voice:
    """What the rows say at one point."""

    subject: str | None
    """None for a subscriber whom the registry does not know."""
    downstream: str | None
    service: str | None
    sure: bool
    strong: bool
    source: str
    witness: SubjectKind | None = None
    """What the source names its subscriber by; None where it is the registry."""
    through_nat: bool = False
    unseen_end: bool = False
    """True where it was possible only because its end was not seen."""
    missed: bool = False
    """True where its unseen end, and another's beginning, may lie in a gap before."""
    momentary: bool = False
    """True where it had one connection of the port."""
    but_for_others: bool = False
    """True where it is not sure only because an unseen connection may have had the port as well."""


@dataclass(frozen=True, slots=True)
class _Point:
    """One instant and one port: whose space it is, and what the rows say."""

    ours: bool
    gap: bool
    voices: tuple[_Voice, ...]

    @property
    def subjects(self) -> frozenset[str | None]:
        return frozenset(v.subject for v in self.voices)

    @property
    def contradicted(self) -> bool:
        sure = [v for v in self.voices if v.sure and v.subject is not None]
        # A NAT may give one port to two connections at once, each with a server of its own.
        return len({v.subject for v in sure}) > 1 and not all(v.momentary for v in sure)

    @property
    def sure(self) -> bool:
        return any(v.sure for v in self.voices)

    @property
    def but_for_others(self) -> bool:
        return any(v.but_for_others for v in self.voices)

    @property
    def proven(self) -> bool:
        sure = [v for v in self.voices if v.sure]
        apart = len({v.source for v in sure}) > 1 and len({v.witness for v in sure}) > 1
        return apart or any(v.strong for v in sure)


def walk(
    address: Address | None,
    *,
    port: int | None,
    protocol: int | None,
    moment: Moment | None,
    there: Address | None = None,
    there_port: int | None = None,
    received_at: datetime,
    holdings: Iterable[Holding],
    bindings: Iterable[Binding],
    identities: Iterable[Identity],
    gaps: Sequence[Gap] = (),
    unread: bool = False,
    records_begin_at: datetime | None,
) -> Attribution:
    """Name the holder, or say why nobody is named. Rows that do not touch the question do no harm.

    `there` and `there_port` are with whom the connection was, as the complaint states it.

    `holdings` are those over the address and over the inside addresses that its translations lead to; `bindings` those
    of the address, for translations those of the inside addresses, and those of the machines that all these name;
    `gaps` when no source was read, since `last_sure` of these; `unread` where none of the neighbourhood ever was.
    """
    window = window_of(moment, received_at=received_at)
    if port is not None and not 0 < port <= _GREATEST_PORT:
        port = None
    if address is None:
        return attribute(
            None, port=port, moment=moment, received_at=received_at, holdings=(), records_begin_at=records_begin_at
        )
    address = plain_address(address)
    holdings, bindings = tuple(holdings), sorted(bindings, key=_proof_order)
    within = [g for g in gaps if _overlaps(g.since, g.until, window)]
    rows = _Rows(address, port=port, protocol=protocol, window=window, holdings=holdings, bindings=bindings)
    rows.keep_with(there, port=there_port)
    if not window.assumed and all(g.behind_nat for g in within):
        rows.narrow()
    dynamic = rows.pooled and bool(within)
    early = records_begin_at is not None and window.earliest < require_aware(records_begin_at)
    if early or not (rows.outer or dynamic):
        return attribute(
            address,
            port=port,
            moment=moment,
            received_at=received_at,
            holdings=rows.over_address,
            unread=unread,
            records_begin_at=records_begin_at,
        )
    known: dict[tuple[SubjectKind, str], list[Identity]] = {}
    for identity in identities:
        known.setdefault((identity.kind, identity.value), []).append(identity)
    return _graded(rows, known=known, gaps=gaps)


class _Rows:
    """The rows that touch the question."""

    def __init__(
        self,
        address: Address,
        *,
        port: int | None,
        protocol: int | None,
        window: Window,
        holdings: Sequence[Holding],
        bindings: Sequence[Binding],
    ) -> None:
        self.port, self.window, self.protocol = port, window, protocol
        self.asked, self.one_flow, self.elsewhere = window, False, False
        self.server: tuple[Address, int] | None = None
        self.over_address = [
            h for h in holdings if address in h.prefix and _overlaps(h.held_from, h.held_until, window)
        ]
        self.outer = [
            b
            for b in bindings
            if b.realm == PUBLIC
            and address in b.prefix
            and _overlaps(b.possible_from, b.possible_until, window)
            and (port is None or b.port_first <= port <= b.port_last)
            and (protocol is None or b.protocol is None or b.protocol == protocol)
        ]
        self.inner: dict[tuple[str, Address], list[Binding]] = {}
        self.inner_holdings: dict[Address, list[Holding]] = {}
        for outer in self.outer:
            if outer.inside is None:
                continue
            key = (outer.inside_realm, outer.inside)
            self.inner[key] = [
                b
                for b in bindings
                if b.inside is None
                and b.realm == outer.inside_realm
                and outer.inside in b.prefix
                and _overlaps(b.possible_from, b.possible_until, window)
            ]
            if outer.inside_realm == PUBLIC:
                self.inner_holdings[outer.inside] = [
                    h
                    for h in holdings
                    if h.tier is Tier.CUSTOMER
                    and outer.inside in h.prefix
                    and _overlaps(h.held_from, h.held_until, window)
                ]
        self.stations: dict[Station, list[Binding]] = {}
        for session in [*self.outer, *(b for found in self.inner.values() for b in found)]:
            station = machine_of(session)
            if station is not None:
                self.stations[station] = [
                    b for b in bindings if b.prefix == station and _overlaps(b.possible_from, b.possible_until, window)
                ]
        self.pooled = any(h.tier is Tier.OPERATOR and h.kind is HoldingKind.POOL for h in self.over_address)

    def keep_with(self, there: Address | None, *, port: int | None) -> None:
        """Where one connection of the port was with the server that is stated, leave out those with others."""
        flows = [b for b in self.outer if b.momentary]
        if there is None or self.port is None or not flows or not _tells(there):
            return
        there = plain_address(there)
        self.server = None if port is None else (there, port)
        theirs = [b for b in flows if b.there is not None and plain_address(b.there) == there]
        if not theirs:
            # The server may be known by another address; a connection of which no destination is known is no better.
            self.elsewhere = all(b.there is not None for b in flows)
            return
        # A port that no connection with that server had is the server's own behind a translation of theirs.
        if any(b.there_port == port for b in theirs if port is not None):
            theirs = [b for b in theirs if b.there_port in (None, port)]
        self.outer = [b for b in self.outer if not b.momentary or b.there is None or b in theirs]

    def is_given_once(self, flow: Binding) -> bool:
        """Whether no other can be what is complained of while this connection lasts: all five numbers are stated."""
        stated = self.server is not None and self.protocol is not None and flow.protocol == self.protocol
        return stated and flow.there is not None and (plain_address(flow.there), flow.there_port) == self.server

    def narrow(self) -> None:
        """If all flows of the port in the window lead to one inside address, ask about the time of these flows only."""
        flows = [b for b in self.outer if b.momentary]
        if not flows or self.port is None or len({(b.inside_realm, b.inside) for b in self.outer}) > 1:
            return
        earliest = max(self.window.earliest, min(b.possible_from for b in flows))
        ends = [self.window.latest if b.possible_until is None else b.possible_until - _TICK for b in flows]
        self.asked = replace(self.window, earliest=earliest, latest=min(self.window.latest, max(ends)))
        self.one_flow = True

    def span(self, binding: Binding) -> tuple[Binding, datetime, datetime | None]:
        """When it is possible; the one flow that the question is about, always."""
        if self.one_flow and binding.momentary:
            return binding, self.asked.earliest, None
        return binding, binding.possible_from, binding.possible_until

    def all_bindings(self) -> list[Binding]:
        """In the order of the walk, each once."""
        behind = (*self.inner.values(), *self.stations.values())
        return list(dict.fromkeys([*self.outer, *(b for found in behind for b in found)]))

    def edges(self) -> Iterator[datetime | None]:
        for held in (self.over_address, *self.inner_holdings.values()):
            for h in held:
                yield from (h.held_from, h.held_until)
        for b in self.all_bindings():
            yield from (b.possible_from, b.sure_from, b.sure_until, b.possible_until)


def _graded(rows: _Rows, *, known: dict[tuple[SubjectKind, str], list[Identity]], gaps: Sequence[Gap]) -> Attribution:
    window, used = rows.window, _used(rows, known)
    reseller_rows = [h for h in rows.over_address if h.tier is Tier.RESELLER]
    shared = any(b.shared for b in rows.outer)
    several_without_port = rows.port is None and shared

    def answer(grade: Grade, reason: AttributionReason, **named: Any) -> Attribution:
        return Attribution(
            grade=grade,
            reason=reason,
            proof=tuple(_in_order([*rows.over_address, *(h for f in rows.inner_holdings.values() for h in f)])),
            bindings=tuple(rows.all_bindings() if named else rows.all_bindings()[:PROOF_ROWS_MAX]),
            identities=tuple(used if named else used[:PROOF_ROWS_MAX]),
            earliest=window.earliest,
            latest=window.latest,
            **named,
        )

    if several_without_port and not reseller_rows and any(h.tier is Tier.OPERATOR for h in rows.over_address):
        # Which of the sharers it was, only the port can tell; it need not be asked of every instant.
        return answer(Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)

    if rows.elsewhere:
        read = not any(_overlaps(g.since, g.until, window) for g in gaps if not g.behind_nat)
        if read:
            return answer(Grade.AMBIGUOUS, AttributionReason.OTHER_DESTINATION)
        return answer(Grade.NO_DATA, AttributionReason.SOURCE_GAP)

    points = list(_points(rows, known=known, gaps=gaps))
    if not any(p.ours for p in points):
        return answer(Grade.NONE, AttributionReason.NOT_OUR_SPACE)
    subjects = frozenset().union(*(p.subjects for p in points))
    if any(p.contradicted for p in points):
        return answer(Grade.CONTRADICTED, AttributionReason.SOURCES_DISAGREE)
    if len(subjects) > 1:
        reason = AttributionReason.SEVERAL_HOLDERS_IN_WINDOW
        return answer(Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT if several_without_port else reason)
    in_doubt = [p for p in points if p.gap and not p.sure]
    if in_doubt:
        if all(p.but_for_others for p in in_doubt):
            return answer(Grade.AMBIGUOUS, AttributionReason.UNSEEN_CONNECTIONS)
        return answer(Grade.NO_DATA, AttributionReason.SOURCE_GAP)
    if not subjects:
        return answer(Grade.NONE, AttributionReason.UNASSIGNED)
    (subject,) = subjects
    if subject is None:
        return answer(Grade.NO_DATA, AttributionReason.UNKNOWN_SUBSCRIBER)
    bare = any(not p.voices for p in points)
    if several_without_port and any(v.through_nat or v.source != REGISTRY for p in points for v in p.voices):
        return answer(Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)
    if bare and window.assumed:
        return answer(Grade.AMBIGUOUS, AttributionReason.EDGE_IN_WINDOW)

    grade, reason = Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW
    through_reseller = any(v.downstream is not None for p in points for v in p.voices) or any(
        h.customer == subject for h in reseller_rows
    )
    if not bare and all(p.proven for p in points):
        if window.assumed:
            reason = AttributionReason.TIME_ASSUMED
        else:
            grade = Grade.CONFIRMED
            reason = AttributionReason.ONE_RESELLER if through_reseller else AttributionReason.ONE_HOLDER
    elif not bare and all(p.sure for p in points):
        reason = AttributionReason.ONE_SOURCE
    elif any(v.unseen_end for p in points for v in p.voices):
        reason = AttributionReason.UNSEEN_END
    voices = [v for p in points for v in p.voices]
    return answer(
        grade,
        reason,
        customer=subject,
        service=_only(v.service for v in voices),
        downstream=_only(v.downstream for v in voices) if through_reseller else None,
    )


def _points(
    rows: _Rows, *, known: dict[tuple[SubjectKind, str], list[Identity]], gaps: Sequence[Gap]
) -> Iterator[_Point]:
    """Every instant where something could change, times every port where something could."""
    window = rows.asked
    unread = [g for g in gaps if not g.lasting]
    edges = {*rows.edges(), *(e for g in gaps for e in (g.since, g.until))}
    entries = [i for b in rows.all_bindings() for i in _known_as(b, known)]
    edges |= {e for i in entries for e in (i.since, i.until, i.sure_from, i.sure_until)}
    instants = {window.earliest, window.latest}
    for edge in edges - {None}:
        assert edge is not None
        instants |= {at for at in (edge, edge - _TICK) if window.earliest <= at <= window.latest}
    order = sorted(instants)
    held = _by_instant(order, [(h, h.held_from, h.held_until) for h in rows.over_address])
    bound = _by_instant(order, [rows.span(b) for b in rows.outer])
    for number, at in enumerate(order):
        here, spoken = held[number], bound[number]
        dynamic = bool(rows.outer) or any(h.kind is HoldingKind.POOL for h in here)
        gap = dynamic and any(_covers(g.since, g.until, at) for g in gaps if not g.lasting)
        after = [g for g in gaps if g.lasting and _covers(g.since, g.until, at)] if dynamic else []
        ports = {rows.port} if rows.port is not None else _rims([*here, *spoken])
        for port in sorted(p for p in ports if p is not None):
            yield _at(
                at,
                held=[h for h in here if h.port_first <= port <= h.port_last],
                bound=[b for b in spoken if b.port_first <= port <= b.port_last],
                rows=rows,
                known=known,
                gap=gap,
                after=after,
                gaps=unread,
            )


def _at(
    at: datetime,
    *,
    held: Sequence[Holding],
    bound: Sequence[Binding],
    rows: _Rows,
    known: dict[tuple[SubjectKind, str], list[Identity]],
    gap: bool,
    after: Sequence[Gap],
    gaps: Sequence[Gap],
) -> _Point:
    if not any(h.tier is Tier.OPERATOR for h in held):
        return _Point(ours=False, gap=False, voices=())
    resold = [h for h in held if h.tier is Tier.RESELLER]
    if resold:
        below = _only(h.customer for h in held if h.tier is Tier.CUSTOMER)
        return _Point(
            ours=True,
            gap=False,
            voices=tuple(_Voice(h.customer, below, h.service, True, True, REGISTRY) for h in resold),
        )
    voices = [_registered(h) for h in held if h.tier is Tier.CUSTOMER]
    # Of two protocols a NAT gives a port to two, even one that gives it to one at a time.
    beside = any((g.beside or rows.protocol is None) and not g.behind_nat for g in after)
    alone = [b for b in bound if not (beside and b.momentary) or rows.is_given_once(b)]
    for binding in bound:
        if binding.inside is None:
            voices += _session(binding, at=at, rows=rows, known=known, gaps=gaps)
            continue
        inner = [
            v
            for b in rows.inner[binding.inside_realm, binding.inside]
            if _possible(b, at)
            for v in _session(b, at=at, rows=rows, known=known, gaps=gaps)
        ]
        inner += [
            _registered(h)
            for h in rows.inner_holdings.get(binding.inside, ())
            if binding.inside_realm == PUBLIC and _covers(h.held_from, h.held_until, at)
        ]
        sure = _translated(binding, at, one_flow=rows.one_flow, gap=gap, gaps=gaps)
        others = sure and binding not in alone
        sure = sure and not others
        missed = not sure and _missed(binding, at, gaps=gaps)
        voices += [
            replace(
                v,
                sure=v.sure and sure,
                strong=v.strong and binding.strong,
                through_nat=True,
                unseen_end=v.unseen_end or _unseen_end(binding, at, sure=sure),
                missed=v.missed or missed,
                momentary=binding.momentary,
                but_for_others=v.sure and others,
            )
            for v in inner or [_Voice(None, None, None, sure, False, binding.source)]
        ]
    # Nobody else may have it while it surely is somebody's, whoever that is, nor who began before it was last given.
    silent = not any(_sure(b, at, gaps=gaps) for b in alone) and not all(
        any(_given_since(b, g.since, at=at) for b in alone) for g in after
    )
    return _Point(ours=True, gap=gap or silent or any(v.missed for v in voices), voices=tuple(voices))


def _translated(binding: Binding, at: datetime, *, one_flow: bool, gap: bool, gaps: Sequence[Gap]) -> bool:
    """Whether the port surely led inside then."""
    if not binding.momentary:
        return _sure(binding, at, gaps=gaps)
    if one_flow:
        # Its edges are those of the log but where it did not tell of one of them.
        unseen = binding.sure_from - binding.possible_from > timedelta(seconds=2 * binding.clock_error_seconds)
        return (at >= binding.sure_from or not unseen) and (
            binding.ending is Ending.EXPLICIT or at < binding.sure_until
        )
    return not gap and _sure(binding, at, gaps=gaps)


def _given_since(binding: Binding, since: datetime | None, *, at: datetime) -> bool:
    """Whether it was given out between those two: whoever had it before has it no more."""
    return binding.sure_from <= at and (since is None or since <= binding.possible_from)


def _registered(holding: Holding) -> _Voice:
    return _Voice(holding.customer, None, holding.service, True, True, REGISTRY)


def _session(
    binding: Binding, *, at: datetime, rows: _Rows, known: dict[tuple[SubjectKind, str], list[Identity]],
    gaps: Sequence[Gap],
) -> list[_Voice]:  # fmt: skip
    """The customers by whom the session's subscriber is known then, and of a machine those who were logged in with it;
    an unknown one if there is none."""
    logged_in = [
        v
        for b in rows.stations.get(machine_of(binding), ())  # type: ignore[arg-type]  # None is no key, and has nobody
        if _possible(b, at)
        for v in _subscriber(b, at=at, known=known, gaps=gaps) or [_unknown(b, at=at, gaps=gaps)]
    ]
    one = len({v.subject for v in logged_in}) == 1
    own = _unknown(binding, at=at, gaps=gaps)
    through = [
        # Its word is the binding's: that the machine had the address, nobody else says.
        replace(
            v,
            sure=v.sure and own.sure and one,
            strong=v.strong and own.strong,
            source=own.source,
            witness=own.witness,
            unseen_end=v.unseen_end or _unseen_end(binding, at, sure=own.sure),
            missed=v.missed or own.missed,
        )
        for v in logged_in
    ]
    return [*_subscriber(binding, at=at, known=known, gaps=gaps), *through] or [own]


_NO_STATEMENT = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
"""Whoever writes that one of these was the destination writes what it is called behind their own NAT (RFC 6890)."""


def _tells(there: Address) -> bool:
    return not any(plain_address(there) in network for network in _NO_STATEMENT)


def machine_of(binding: Binding) -> Station | None:
    """The machine that a session names, where it names its subscriber by no more."""
    return station_of(binding.subject) if binding.subject_kind is SubjectKind.MAC else None


def _subscriber(
    binding: Binding, *, at: datetime, known: dict[tuple[SubjectKind, str], list[Identity]],
    gaps: Sequence[Gap],
) -> list[_Voice]:  # fmt: skip
    voice = _unknown(binding, at=at, gaps=gaps)
    return [
        replace(
            voice,
            subject=i.reseller or i.customer,
            downstream=i.customer if i.reseller else None,
            service=None if i.reseller else i.service,
            sure=voice.sure and i.surely_at(at),
            unseen_end=_unseen_end(binding, at, sure=voice.sure),
        )
        for i in _known_as(binding, known)
        if _covers(i.since, i.until, at)
    ]


def _unknown(binding: Binding, *, at: datetime, gaps: Sequence[Gap]) -> _Voice:
    sure = _sure(binding, at, gaps=gaps)
    missed = not sure and _missed(binding, at, gaps=gaps)
    kind = binding.subject_kind
    return _Voice(None, None, None, sure, binding.strong, binding.source, kind, missed=missed)


def last_sure(bindings: Iterable[Binding], *, earliest: datetime) -> datetime:
    """Since when gaps matter to a question about `earliest` and later: an end that nobody saw may lie in one before."""
    unseen = [b.sure_until for b in bindings if b.ending in _UNSEEN]
    return min([earliest, *unseen, *(b.sure_from for b in bindings if spoken_of(b) is not None)])


_UNSEEN = frozenset({Ending.OPEN, Ending.SUPERSEDED})
"""Ends that may have been long before: who fell silent is possible for one interim only."""


def _missed(binding: Binding, at: datetime, *, gaps: Sequence[Gap]) -> bool:
    """Whether it may have ended, and another's begun, in a gap since it was last sure."""
    # It ended after it was first heard of, and its log may begin with that.
    heard = binding.possible_from + timedelta(seconds=2 * binding.clock_error_seconds)
    after = max(binding.sure_until, binding.sure_from if binding.sure_from <= at else heard)
    return binding.ending in _UNSEEN and any(
        (g.since is None or g.since <= at) and (g.until is None or g.until > after) for g in gaps
    )


def _unseen_end(binding: Binding, at: datetime, *, sure: bool) -> bool:
    return not sure and at >= binding.sure_from and binding.ending is not Ending.EXPLICIT


def _known_as(binding: Binding, known: dict[tuple[SubjectKind, str], list[Identity]]) -> list[Identity]:
    if binding.subject_kind is None:
        return []
    found = known.get((binding.subject_kind, binding.subject), [])
    return [i for i in found if i.in_logs_of(binding.source)]


def _used(rows: _Rows, known: dict[tuple[SubjectKind, str], list[Identity]]) -> list[Identity]:
    found = [i for b in rows.all_bindings() for i in _known_as(b, known)]
    return list(dict.fromkeys(i for i in found if _overlaps(i.since, i.until, rows.window)))


def _by_instant(order: Sequence[datetime], spans: Iterable[tuple[Row, datetime, datetime | None]]) -> list[list[Row]]:
    """For each instant the rows that cover it."""
    found: list[list[Row]] = [[] for _ in order]
    for row, since, until in spans:
        end = len(order) if until is None else bisect_left(order, until)
        for number in range(bisect_left(order, since), end):
            found[number].append(row)
    return found


def _rims(rows: Iterable[Holding | Binding]) -> set[int | None]:
    ports = {0, _GREATEST_PORT}
    for row in rows:
        ports |= {row.port_first - 1, row.port_first, row.port_last, row.port_last + 1}
    return {p for p in ports if 0 <= p <= _GREATEST_PORT}


def _possible(binding: Binding, at: datetime) -> bool:
    return _covers(binding.possible_from, binding.possible_until, at)


def _sure(binding: Binding, at: datetime, *, gaps: Sequence[Gap]) -> bool:
    """A lease is sure as long as the log was read since it last spoke of it: in a gap it may have been broken, and
    another's been given and broken, too."""
    if not binding.sure_from <= at < binding.sure_until:
        return False
    heard = spoken_of(binding)
    if heard is None:
        return True
    if heard > at:  # When before `at` the log last spoke of it is not kept.
        heard = binding.sure_from
    return not any((g.since is None or g.since <= at) and (g.until is None or g.until > heard) for g in gaps)


def spoken_of(binding: Binding) -> datetime | None:
    """When the log last spoke of a lease that its term, or the next one's beginning, ends; None of all others."""
    by_term = binding.ending is Ending.PROMISED
    followed = binding.ending is Ending.SUPERSEDED and binding.subject_kind in (SubjectKind.MAC, SubjectKind.CIRCUIT)
    return (binding.heard or binding.sure_from) if by_term or followed else None


def _covers(since: datetime | None, until: datetime | None, at: datetime) -> bool:
    return (since is None or since <= at) and (until is None or at < until)


def _overlaps(since: datetime | None, until: datetime | None, window: Window) -> bool:
    return (since is None or since <= window.latest) and (until is None or until > window.earliest)


def _proof_order(b: Binding) -> tuple[str, datetime, int, str, str, str, int]:
    """Whoever answers, the proof reads the same."""
    return b.source, b.possible_from, b.port_first, b.subject, str(b.inside), b.file, b.offset


_ORDER = {Tier.OPERATOR: 0, Tier.RESELLER: 1, Tier.CUSTOMER: 2}


def _in_order(rows: Iterable[Holding]) -> list[Holding]:
    return sorted(dict.fromkeys(rows), key=lambda h: (_ORDER[h.tier], h.held_from, h.port_first, h.key))


def _only(values: Iterable[str | None]) -> str | None:
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None
