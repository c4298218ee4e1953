"""A snapshot with its words: questions in, attributions out, many at a time.

Where the rows come from is the caller's matter: `bulk.py` reads them from the database, tests make them from words.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

import numpy as np

from tipstaff.words import PUBLIC, Attribution, Binding, Gap, Holding, HoldingKind, Identity, Station, Tier

from .codes import ENDINGS, KINDS, OPEN, STATION
from .match import GIVEN_OUT, Question, block_of, plain_address, window_of
from .snapshot import GRADES, NOBODY, REASONS, Answers, Bound, Gaps, Held, Known, Snapshot, Stretches
from .tables import Array, Questions
from .walk import last_sure, machine_of, spoken_of, walk

Address = IPv4Address | IPv6Address
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIERS = (Tier.OPERATOR, Tier.RESELLER, Tier.CUSTOMER)
_MICRO = timedelta(microseconds=1)


Alone = Callable[[Question, datetime], Attribution]
"""Answers one question that was received at an instant."""


@dataclass(kw_only=True)
class Book:
    """Rows as arrays, and what turns a row's number into words."""

    snapshot: Snapshot
    names: Sequence[str]
    holding: Callable[[int], Holding]
    binding: Callable[[int], Binding]
    identity: Callable[[int], Identity]
    gaps: Callable[[Address, datetime, datetime], list[Gap]]
    records_begin_at: datetime | None
    flow_places: Mapping[int, tuple[Array, Array]] = field(default_factory=dict)
    """By IP version the stretches of addresses of which flows in files speak (`bulk.flow_places`)."""
    alone: Alone | None = None
    """Answers the questions about those: the flows themselves are too many to be here."""
    settled: Callable[[Attribution], Attribution] = lambda answer: answer
    """What becomes of an answer in the end."""

    def attribute(self, questions: Sequence[Question], *, received_at: datetime) -> list[Attribution]:
        """An answer for each question, in their order."""
        found: list[Attribution | None] = [None] * len(questions)
        for version in (4, 6):
            places = [i for i, q in enumerate(questions) if plain_address(q.address).version == version]
            if self.alone is not None:
                with_flows = self._with_flows(version, [questions[i].address for i in places])
                for i in (i for i, flows in zip(places, with_flows, strict=True) if flows):
                    found[i] = self.alone(questions[i], received_at)
                places = [i for i in places if found[i] is None]
            if not places:
                continue
            lot = [questions[i] for i in places]
            for place, answer in zip(places, self._lot(version, lot, received_at=received_at), strict=True):
                found[place] = answer
        return [self.settled(a) for a in found if a is not None]

    def _with_flows(self, version: int, addresses: Sequence[Address]) -> Array:
        """Which addresses lie in a stretch that flows speak of."""
        firsts, lasts = self.flow_places[version]
        if not len(firsts):
            return np.zeros(len(addresses), bool)
        places = np.array([int(plain_address(a)) >> (0 if version == 4 else 65) for a in addresses], np.int64)
        stretch = np.searchsorted(firsts, places, side="right") - 1
        within: Array = (stretch >= 0) & (places <= lasts[stretch])
        return within

    def _lot(self, version: int, questions: list[Question], *, received_at: datetime) -> Iterator[Attribution]:
        windows = [window_of(q.moment, received_at=received_at) for q in questions]
        values = [int(plain_address(q.address)) for q in questions]
        usable = [q.port if q.port is not None and 0 < q.port < 65536 else -1 for q in questions]
        asked = Questions(
            version,
            np.array([v >> 64 for v in values], np.uint64),
            np.array([v & (2**64 - 1) for v in values], np.uint64),
            np.array([micro(w.earliest) for w in windows], np.int64),
            np.array([micro(w.latest) for w in windows], np.int64),
            np.array(usable, np.int64),
        )

        def reference(place: int, held: Array, bound: Array) -> Attribution:
            question, window = questions[place], windows[place]
            bindings = [self.binding(int(r)) for r in bound]
            subjects = np.unique(self.snapshot.bound.subject[bound])
            first, end = self.snapshot.known_as(subjects[subjects >= 0])
            entries = [self.snapshot.known_order[i] for f, e in zip(first, end, strict=True) for i in range(f, e)]
            insides = dict.fromkeys(b.inside for b in bindings if b.inside is not None)
            since = last_sure(bindings, earliest=window.earliest)
            address = plain_address(question.address)
            gaps = self.gaps(address, since, window.latest)
            gaps += [
                replace(gap, behind_nat=True)
                for inside in insides
                if inside != address
                for gap in self.gaps(inside, since, window.latest)
            ]
            return walk(
                question.address,
                port=question.port,
                protocol=question.protocol,
                moment=question.moment,
                there=question.there,
                there_port=question.there_port,
                received_at=received_at,
                holdings=[self.holding(int(r)) for r in held],
                bindings=bindings,
                identities=[self.identity(int(e)) for e in sorted(entries)],
                gaps=gaps,
                unread=not self.spoken_of(address),
                records_begin_at=self.records_begin_at,
            )

        answers = self.snapshot.answer(
            asked,
            assumed=np.array([w.assumed for w in windows], bool),
            protocol=np.array([-1 if q.protocol is None else q.protocol for q in questions], np.int64),
            reference=reference,
        )
        for place, window in enumerate(windows):
            yield self.in_words(answers, place, window.earliest, window.latest)

    def spoken_of(self, address: Address) -> bool:
        """Whether a log of the address's neighbourhood was ever read."""
        return bool(self.snapshot.spoken[address.version].has(np.array([block_of(address)], np.int64))[0])

    def in_words(self, answers: Answers, place: int, earliest: datetime, latest: datetime) -> Attribution:
        """One answer with the rows that prove it."""
        if place in answers.referred:
            return answers.referred[place]
        rows = [int(r) for r in (answers.outer[place], answers.inner[place], answers.station[place]) if r != NOBODY]
        return Attribution(
            grade=GRADES[answers.grade[place]],
            reason=REASONS[answers.reason[place]],
            customer=self._name(answers.customer[place]),
            service=self._name(answers.service[place]),
            downstream=self._name(answers.downstream[place]),
            proof=tuple(self.holding(int(r)) for r in [answers.holding[place]] if r != NOBODY),
            bindings=tuple(self.binding(r) for r in rows),
            identities=tuple(self.identity(int(e)) for e in [answers.known[place]] if e != NOBODY),
            earliest=earliest,
            latest=latest,
        )

    def _name(self, code: int) -> str | None:
        return None if code == NOBODY else self.names[code]


def micro(at: datetime | None, *, none: int = OPEN) -> int:
    """Microseconds since 1970; `none` for no instant."""
    return none if at is None else (at - EPOCH) // _MICRO


def book_of(
    holdings: Sequence[Holding],
    bindings: Sequence[Binding],
    identities: Sequence[Identity],
    gaps: Sequence[tuple[Address, Gap]] = (),
    *,
    spoken: Iterable[Address] = (),
    records_begin_at: datetime | None,
) -> Book:
    """A book of words. Each gap comes with an address of the neighbourhood that it is about, and `spoken` are some of
    those neighbourhoods of which a log was read without one."""
    names: dict[str, int] = {}

    def code(name: str | None) -> int:
        return NOBODY if name is None else names.setdefault(name, len(names))

    def ints(values: Iterable[int], kind: type = np.int64) -> Array:
        return np.array(list(values), kind)

    realms = {PUBLIC: 0}
    subjects: dict[tuple[object, str, str], int] = {}
    sources = dict.fromkeys(b.source.lower() for b in bindings)
    for b in bindings:
        realms.setdefault(b.realm, len(realms))
        realms.setdefault(b.inside_realm, len(realms))
    held = Held(
        key=ints(h.key for h in holdings),
        tier=ints(TIERS.index(h.tier) for h in holdings),
        pool=np.array([h.kind is HoldingKind.POOL for h in holdings], bool),
        **_prefixes([h.prefix for h in holdings]),
        since=ints(micro(h.held_from) for h in holdings),
        until=ints(micro(h.held_until) for h in holdings),
        port_first=ints(h.port_first for h in holdings),
        port_last=ints(h.port_last for h in holdings),
        customer=ints(code(h.customer) for h in holdings),
        service=ints(code(h.service) for h in holdings),
    )
    insides = [b.inside if b.inside is not None else IPv4Address(0) for b in bindings]
    bound = Bound(
        realm=ints(realms[b.realm] for b in bindings),
        **_prefixes([b.prefix for b in bindings]),
        port_first=ints(b.port_first for b in bindings),
        port_last=ints(b.port_last for b in bindings),
        protocol=ints(-1 if b.protocol is None else b.protocol for b in bindings),
        possible_from=ints(micro(b.possible_from) for b in bindings),
        sure_from=ints(micro(b.sure_from) for b in bindings),
        sure_until=ints(micro(b.sure_until) for b in bindings),
        possible_until=ints(micro(b.possible_until) for b in bindings),
        ending=ints(ENDINGS.index(b.ending) for b in bindings),
        heard=ints(micro(spoken_of(b)) for b in bindings),
        strong=np.array([b.strong for b in bindings], bool),
        momentary=np.array([b.momentary for b in bindings], bool),
        subject=ints(
            NOBODY
            if b.inside is not None
            else subjects.setdefault((KINDS.index(b.subject_kind), b.subject, b.source.lower()), len(subjects))
            for b in bindings
        ),
        machine=ints(NOBODY if (m := machine_of(b)) is None else m.number for b in bindings),
        inside_realm=ints(realms[b.inside_realm] for b in bindings),
        inside_version=ints(a.version for a in insides),
        inside_hi=ints((int(a) >> 64 for a in insides), np.uint64),
        inside_lo=ints((int(a) & (2**64 - 1) for a in insides), np.uint64),
    )
    told = [(i, s) for i in identities for s in sources if i.in_logs_of(s)]
    identities = [i for i, _ in told]
    known = Known(
        subject=ints(subjects.setdefault((KINDS.index(i.kind), i.value, s), len(subjects)) for i, s in told),
        customer=ints(code(i.customer) for i in identities),
        service=ints(code(i.service) for i in identities),
        reseller=ints(code(i.reseller) for i in identities),
        since=ints(micro(i.since, none=-OPEN) for i in identities),
        until=ints(micro(i.until) for i in identities),
        sure_from=ints(micro(i.sure_from, none=-OPEN) for i in identities),
        sure_until=ints(micro(i.sure_until) for i in identities),
    )
    blocks = [neighbourhood(a) for a, _ in gaps]
    gap_rows = Gaps(
        version=ints((v for v, _, _ in blocks)),
        hi=ints((hi for _, hi, _ in blocks), np.uint64),
        lo=ints((lo for _, _, lo in blocks), np.uint64),
        since=ints(micro(g.since, none=-OPEN) for _, g in gaps),
        until=ints(micro(g.until) for _, g in gaps),
        lasting=np.array([g.lasting for _, g in gaps], bool),
    )

    def gaps_of(address: Address, earliest: datetime, latest: datetime) -> list[Gap]:
        return [g for (a, g), b in zip(gaps, blocks, strict=True) if b == neighbourhood(address)]

    begin = None if records_begin_at is None else micro(records_begin_at)
    return Book(
        snapshot=Snapshot(
            held,
            bound,
            known,
            gap_rows,
            spoken=_spoken(
                [*(a for a, _ in gaps), *spoken],
                [
                    *(b.prefix for b in bindings if b.realm == PUBLIC and not isinstance(b.prefix, Station)),
                    *(h.prefix for h in holdings if h.kind in GIVEN_OUT),
                ],
            ),
            records_begin=begin,
        ),
        names=_Codes(names),
        holding=holdings.__getitem__,
        binding=bindings.__getitem__,
        identity=identities.__getitem__,
        gaps=gaps_of,
        records_begin_at=records_begin_at,
    )


class _Codes(Sequence[str]):
    """Names by their numbers."""

    def __init__(self, names: dict[str, int]) -> None:
        self._names = list(names)

    def __getitem__(self, place: Any) -> Any:
        return self._names[place]

    def __len__(self) -> int:
        return len(self._names)


def _prefixes(networks: Sequence[IPv4Network | IPv6Network | Station]) -> dict[str, Array]:
    places = [
        (STATION, STATION, n.number) if isinstance(n, Station) else (n.version, n.prefixlen, int(n.network_address))
        for n in networks
    ]
    first = [number for _, _, number in places]
    return {
        "version": np.array([version for version, _, _ in places], np.int64),
        "length": np.array([length for _, length, _ in places], np.int64),
        "hi": np.array([f >> 64 for f in first], np.uint64),
        "lo": np.array([f & (2**64 - 1) for f in first], np.uint64),
    }


def _spoken(addresses: Iterable[Address], prefixes: Iterable[IPv4Network | IPv6Network]) -> dict[int, Stretches]:
    """By IP version the neighbourhoods of these addresses and prefixes."""
    blocks = [(a.version, block_of(a), block_of(a)) for a in addresses]
    blocks += [(p.version, block_of(p[0]), block_of(p[-1])) for p in prefixes]
    return {
        kind: Stretches(*(np.array([b[place] for b in blocks if b[0] == kind], np.int64) for place in (1, 2)))
        for kind in (4, 6)
    }


def neighbourhood(address: Address) -> tuple[int, int, int]:
    value = int(address)
    if address.version == 4:
        return 4, 0, value >> 8 << 8
    return 6, value >> 88 << 24, 0
