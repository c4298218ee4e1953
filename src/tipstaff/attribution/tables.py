"""Which rows cover an address, a port and a span of time: for many questions at once, by sorted search.

Rows are grouped by place: one table for each prefix length that occurs, in it one group for each prefix (and first
port). In a group rows lie in order of their beginning, and beside each stands the latest end of those up to it. Two
binary searches then bound the rows that a question may touch, and only those few are compared exactly.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
_MICRO = 1_000_000
_SECONDS_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Questions:
    """Addresses with the span asked, all of one IP version; instants in microseconds, both ends included."""

    version: int
    hi: Array
    lo: Array
    earliest: Array
    latest: Array
    port: Array
    """-1 where none is stated."""

    def take(self, places: Array) -> "Questions":
        return Questions(
            self.version,
            self.hi[places],
            self.lo[places],
            self.earliest[places],
            self.latest[places],
            self.port[places],
        )


class Table:
    """Rows by place and time. `rows` are numbers that mean something to the caller."""

    def __init__(
        self,
        *,
        version: Array,
        hi: Array,
        lo: Array,
        length: Array,
        since: Array,
        until: Array,
        port_first: Array | None = None,
        port_last: Array | None = None,
        rows: Array | None = None,
    ) -> None:
        rows = np.arange(len(lo)) if rows is None else rows
        self._shapes: dict[int, list[_Shape]] = {4: [], 6: []}
        for number in (4, 6):
            for bits in np.unique(length[version == number]):
                here = np.flatnonzero((version == number) & (length == bits))
                ports = None if port_first is None or port_last is None else (port_first[here], port_last[here])
                shape = _Shape(int(bits), number, hi[here], lo[here], since[here], until[here], ports, rows[here])
                self._shapes[number].append(shape)

    def pairs(self, asked: Questions) -> tuple[Array, Array]:
        """(places of questions, rows) for every row that covers a question's address at some instant of its span."""
        found = [shape.pairs(asked) for shape in self._shapes[asked.version]]
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate([q for q, _ in found]), np.concatenate([r for _, r in found])


class _Shape:
    """The rows of one prefix length."""

    def __init__(
        self,
        length: int,
        version: int,
        hi: Array,
        lo: Array,
        since: Array,
        until: Array,
        ports: tuple[Array, Array] | None,
        rows: Array,
    ) -> None:
        self._length, self._version = length, version
        key = self._key(hi, lo)
        first = np.zeros(len(lo), np.int64) if ports is None else ports[0].astype(np.int64)
        order = np.lexsort((since, first, key))
        key, first = key[order], first[order]
        self._since, self._until, self._rows = since[order], until[order], rows[order]
        starts = np.ones(len(order), bool)
        starts[1:] = (key[1:] != key[:-1]) | (first[1:] != first[:-1])
        group = np.cumsum(starts) - 1
        # One group of groups for each place: its blocks of ports, in order.
        self._blocks = first[starts]
        block_keys = key[starts]
        new_place = np.ones(len(block_keys), bool)
        new_place[1:] = block_keys[1:] != block_keys[:-1]
        self._places = block_keys[new_place]
        self._place_starts = np.append(np.flatnonzero(new_place), len(block_keys))
        place_of_block = np.cumsum(new_place) - 1
        self._block_order = (place_of_block.astype(np.uint64) << np.uint64(16)) | self._blocks.astype(np.uint64)
        self._ports_last = None if ports is None else ports[1][order]
        spans = np.zeros(1) if ports is None else ports[1] - ports[0] + 1
        self._widest = int(spans.max()) if ports is not None and len(spans) else 0
        self._begins = _composite(group, self._since // _MICRO)
        self._ends = np.maximum.accumulate(_composite(group, -(-self._until // _MICRO))) if len(order) else self._begins

    def _key(self, hi: Array, lo: Array) -> Array:
        if self._version == 4:
            return lo >> np.uint64(32 - self._length) if self._length else np.zeros(len(lo), np.uint64)
        if self._length <= 64:
            return hi >> np.uint64(64 - self._length) if self._length else np.zeros(len(hi), np.uint64)
        low = lo >> np.uint64(128 - self._length) << np.uint64(128 - self._length)
        both = np.stack([hi, low], axis=1).astype(">u8")
        return np.ascontiguousarray(both).view("S16").reshape(-1)

    def pairs(self, asked: Questions) -> tuple[Array, Array]:
        key = self._key(asked.hi, asked.lo)
        place = np.searchsorted(self._places, key)
        place = np.minimum(place, len(self._places) - 1)
        questions = np.flatnonzero(self._places[place] == key)
        place = place[questions]
        if self._ports_last is None:
            groups = self._place_starts[place]
        else:
            questions, groups = self._fitting_blocks(asked, questions, place)
        earliest, latest = asked.earliest[questions], asked.latest[questions]
        first = np.searchsorted(self._ends, _composite(groups, earliest // _MICRO), side="right")
        last = np.searchsorted(self._begins, _composite(groups, latest // _MICRO), side="right")
        questions, rows = spread(questions, first, last)
        fits = (self._since[rows] <= asked.latest[questions]) & (self._until[rows] > asked.earliest[questions])
        if self._ports_last is not None:
            port = asked.port[questions]
            fits &= (port < 0) | (self._ports_last[rows] >= port)
        return questions[fits], self._rows[rows[fits]]

    def _fitting_blocks(self, asked: Questions, questions: Array, place: Array) -> tuple[Array, Array]:
        """Blocks that may hold the port; all blocks of the place where none is stated."""
        port = asked.port[questions]
        stated = port >= 0
        base = place.astype(np.uint64) << np.uint64(16)
        low = np.maximum(port - self._widest + 1, 0).astype(np.uint64)
        first = np.searchsorted(self._block_order, base | np.where(stated, low, 0).astype(np.uint64))
        last = np.searchsorted(self._block_order, base | np.where(stated, port, 65535).astype(np.uint64), side="right")
        return spread(questions, first, last)


def spread(questions: Array, first: Array, last: Array) -> tuple[Array, Array]:
    """Each question with every number of [first, last)."""
    counts = np.maximum(last - first, 0)
    total = int(counts.sum())
    if total == 0:
        return questions[:0], np.zeros(0, np.int64)
    ends = np.cumsum(counts)
    within = np.arange(total) - np.repeat(ends - counts, counts)
    return np.repeat(questions, counts), np.repeat(first, counts) + within


def _composite(group: Array, seconds: Array) -> Array:
    both: Array = (group.astype(np.uint64) << np.uint64(32)) | np.clip(seconds, 0, _SECONDS_MAX).astype(np.uint64)
    return both
