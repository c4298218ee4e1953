"""Who held this address and port, then? One, ambiguous or none, with the rows that prove it.

The question is a rectangle: every instant at which it may have happened, times every port that it may have been.
Each holding of the address is a rectangle too, so the answer is what the holdings paint inside the question:

* one colour everywhere: CONFIRMED;
* one colour and some bare canvas, because a holding begins or ends in between: PROBABLE;
* more than one colour, or a part of the ports only when no port was stated: AMBIGUOUS, which names nobody;
* no colour: NONE.

A reseller's colour lies over that of its customers, and only what lies in the operator's own space counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from tipstaff.words import (
    Attribution,
    AttributionReason,
    Grade,
    Holding,
    HoldingKind,
    Moment,
    Tier,
    require_aware,
)

LOOK_BACK = timedelta(days=7)
"""Without a stated time, one holder must have held it for so long before the report came in."""

FUTURE_CLOCK_ERROR = timedelta(minutes=10)
"""A stated time may lie so far after receipt, as a clock that runs ahead; one beyond it is no statement at all."""

PROOF_ROWS_MAX = 64
"""An answer that names nobody shows so many rows at most, of as many holders as it can."""

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "icmpv6": 58, "sctp": 132}
"""IANA numbers of the names that reporters use."""

_PORTS = (0, 65536)
_TICK = timedelta(microseconds=1)
_ORDER = {Tier.OPERATOR: 0, Tier.RESELLER: 1, Tier.CUSTOMER: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When it may have happened: every instant from `earliest` to `latest`, both included."""

    earliest: datetime
    latest: datetime
    assumed: bool
    """True when no usable time was stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who held this address and port then?"""

    address: IPv4Address | IPv6Address
    port: int | None = None
    protocol: int | None = None
    """IANA protocol number."""
    moment: Moment | None = None
    there: IPv4Address | IPv6Address | None = None
    """With whom the connection was that is complained of."""
    there_port: int | None = None


def is_ahead(moment: Moment, *, received_at: datetime) -> bool:
    """Whether all of the stated time lies in the future: nobody has held anything then."""
    return moment.earliest > received_at + FUTURE_CLOCK_ERROR


def window_of(moment: Moment | None, *, received_at: datetime) -> Window:
    """The instants that a statement of time leaves possible; fetch holdings over exactly this window."""
    received_at = require_aware(received_at)
    if moment is None or is_ahead(moment, received_at=received_at):
        return Window(earliest=received_at - LOOK_BACK, latest=received_at, assumed=True)
    return Window(earliest=min(moment.earliest, received_at), latest=moment.latest, assumed=False)


def attribute(
    address: IPv4Address | IPv6Address | None,
    *,
    port: int | None,
    moment: Moment | None,
    received_at: datetime,
    holdings: Iterable[Holding],
    unread: bool = False,
    records_begin_at: datetime | None,
) -> Attribution:
    """Name the holder of `address` and `port` at `moment`, or say why nobody is named.

    `holdings` are those that cover the address within `window_of(moment)`; others do no harm. `unread`: no log of its
    neighbourhood was ever read, so that nobody known in a pool is not nobody there.
    """
    window = window_of(moment, received_at=received_at)
    if port is not None and not 0 < port < 65536:
        port = None  # Port 0 is no port (RFC 6335 section 6): reporters write it for "unknown".
    if address is None:
        return _nobody(Grade.NONE, AttributionReason.NO_ADDRESS, window)
    rows = _relevant(holdings, address=plain_address(address), port=port, window=window)
    if records_begin_at is None and not rows:
        # Nothing was ever entered: that says nothing about the event, so a person looks, and nobody is sent away.
        return _nobody(Grade.NO_DATA, AttributionReason.SOURCE_GAP, window)
    if records_begin_at is not None and window.earliest < require_aware(records_begin_at):
        return _nobody(Grade.NO_DATA, AttributionReason.BEFORE_RECORDS, window, rows)

    question = _question(port, window)
    not_ours = _minus([question], _rectangles(rows, Tier.OPERATOR, question))
    if not_ours == [question]:
        return _nobody(Grade.NONE, AttributionReason.NOT_OUR_SPACE, window, rows)

    painted = _painted(rows, question=question, not_ours=not_ours)
    subjects = {subject for subject, _ in painted}
    pools = [row for row in rows if row.kind is HoldingKind.POOL] if unread else []
    shared_out = _minus(_rectangles(pools, Tier.OPERATOR, question), [rectangle for _, rectangle in painted])
    if not subjects:
        if shared_out:
            return _nobody(Grade.NO_DATA, AttributionReason.SOURCE_GAP, window, rows)
        return _nobody(Grade.NONE, AttributionReason.UNASSIGNED, window, rows)
    if len(subjects) > 1:
        some_ports_only = any(not rectangle.all_ports_of(question) for _, rectangle in painted)
        several = AttributionReason.SEVERAL_HOLDERS_IN_WINDOW
        reason = AttributionReason.SHARED_WITHOUT_PORT if port is None and some_ports_only else several
        return _nobody(Grade.AMBIGUOUS, reason, window, rows)

    (subject,) = subjects
    bare = _minus([question], [rectangle for _, rectangle in painted])
    if any(hole.at_the_same_time_as(rectangle) for hole in bare for _, rectangle in painted):
        return _nobody(Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT, window, rows)
    if shared_out:
        return _nobody(Grade.NO_DATA, AttributionReason.SOURCE_GAP, window, rows)
    if bare and window.assumed:
        return _nobody(Grade.AMBIGUOUS, AttributionReason.EDGE_IN_WINDOW, window, rows)

    through_reseller = any(row.tier is Tier.RESELLER and row.customer == subject for row in rows)
    if bare:
        grade, reason = Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW
    elif window.assumed:
        grade, reason = Grade.PROBABLE, AttributionReason.TIME_ASSUMED
    else:
        grade = Grade.CONFIRMED
        reason = AttributionReason.ONE_RESELLER if through_reseller else AttributionReason.ONE_HOLDER
    return Attribution(
        grade=grade,
        reason=reason,
        customer=subject,
        service=_only(row.service for row in rows if row.customer == subject),
        downstream=_downstream(rows, subject=subject, question=question) if through_reseller else None,
        proof=rows,
        earliest=window.earliest,
        latest=window.latest,
    )


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """Instants [since, until) times ports [first, end). Half-open both ways, so that neighbours do not touch."""

    since: datetime
    until: datetime
    first: int
    end: int

    def at_the_same_time_as(self, other: "_Rectangle") -> bool:
        return self.since < other.until and other.since < self.until

    def all_ports_of(self, other: "_Rectangle") -> bool:
        return self.first <= other.first and other.end <= self.end

    def within(self, other: "_Rectangle") -> "_Rectangle | None":
        cut = _Rectangle(
            max(self.since, other.since),
            min(self.until, other.until),
            max(self.first, other.first),
            min(self.end, other.end),
        )
        return cut if cut.since < cut.until and cut.first < cut.end else None

    def without(self, other: "_Rectangle") -> "list[_Rectangle]":
        cut = self.within(other)
        if cut is None:
            return [self]
        around = (
            _Rectangle(self.since, cut.since, self.first, self.end),
            _Rectangle(cut.until, self.until, self.first, self.end),
            _Rectangle(cut.since, cut.until, self.first, cut.first),
            _Rectangle(cut.since, cut.until, cut.end, self.end),
        )
        return [part for part in around if part.since < part.until and part.first < part.end]


def _question(port: int | None, window: Window) -> _Rectangle:
    first, end = _PORTS if port is None else (port, port + 1)
    return _Rectangle(window.earliest, window.latest + _TICK, first, end)


def plain_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address written as IPv6 (RFC 4291 2.5.5.2) is the IPv4 address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


GIVEN_OUT = frozenset({HoldingKind.LEASE, HoldingKind.PORT_BLOCK, HoldingKind.DELEGATED})
"""What is given out of a pool: where the registry has one of these it is told who has what of the pool."""


def block_of(address: IPv4Address | IPv6Address) -> int:
    """The number of its neighbourhood: its /24, or /40 of IPv6."""
    return int(address) >> (8 if address.version == 4 else 88)


def _relevant(
    holdings: Iterable[Holding], *, address: IPv4Address | IPv6Address, port: int | None, window: Window
) -> tuple[Holding, ...]:
    """The holdings that touch the question, the operator's own first, then in order of time and port."""
    question = _question(port, window)
    rows = [row for row in holdings if address in row.prefix and _rectangle(row, question) is not None]
    return tuple(sorted(rows, key=lambda row: (_ORDER[row.tier], row.held_from, row.port_first, row.key)))


def _rectangle(row: Holding, question: _Rectangle) -> _Rectangle | None:
    until = question.until if row.held_until is None else row.held_until
    return _Rectangle(row.held_from, until, row.port_first, row.port_last + 1).within(question)


def _rectangles(rows: Iterable[Holding], tier: Tier, question: _Rectangle) -> list[_Rectangle]:
    cut = [_rectangle(row, question) for row in rows if row.tier is tier]
    return [rectangle for rectangle in cut if rectangle is not None]


def _minus(canvas: list[_Rectangle], rectangles: Iterable[_Rectangle]) -> list[_Rectangle]:
    for rectangle in rectangles:
        canvas = [part for whole in canvas for part in whole.without(rectangle)]
    return canvas


def _painted(
    rows: Iterable[Holding], *, question: _Rectangle, not_ours: Sequence[_Rectangle]
) -> list[tuple[str, _Rectangle]]:
    """Who is answerable for which part of the question: a reseller before its customers, in our space only."""
    rows = tuple(rows)
    resold = _rectangles(rows, Tier.RESELLER, question)
    painted: list[tuple[str, _Rectangle]] = []
    for row in rows:
        rectangle = _rectangle(row, question)
        if row.customer is None or rectangle is None:
            continue
        hidden = [*not_ours, *resold] if row.tier is Tier.CUSTOMER else not_ours
        painted += [(row.customer, part) for part in _minus([rectangle], hidden)]
    return painted


def _downstream(rows: Iterable[Holding], *, subject: str, question: _Rectangle) -> str | None:
    """The reseller's customer, when one and the same held all of it."""
    rows = tuple(row for row in rows if row.tier is Tier.CUSTOMER)
    customer = _only(row.customer for row in rows)
    if customer == subject or _minus([question], _rectangles(rows, Tier.CUSTOMER, question)):
        return None
    return customer


def _only(values: Iterable[str | None]) -> str | None:
    """The one value that all have in common, else None."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else None


def _nobody(grade: Grade, reason: AttributionReason, window: Window, rows: Sequence[Holding] = ()) -> Attribution:
    first_of_each = {(row.tier, row.customer): row for row in reversed(rows)}
    telling = [row for row in rows if first_of_each[row.tier, row.customer] is row]
    repeated = [row for row in rows if first_of_each[row.tier, row.customer] is not row]
    proof = [*telling, *repeated][:PROOF_ROWS_MAX]
    return Attribution(grade=grade, reason=reason, proof=tuple(proof), earliest=window.earliest, latest=window.latest)
