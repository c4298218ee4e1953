"""All holdings and bindings as arrays, to answer many questions at once; equal to `walk.py`, which is the reference.

Most questions are plain: one row, or one chain of NAT, session and subscriber, covers the whole span asked and nothing
else touches it; or nothing touches it at all. Those are decided here for all questions together. Whatever is not plain
(an edge within the span, more than one claim, a gap, a flow) goes to the reference itself, with the rows found here.
So equality has to be shown for the plain ones only, and a test shows it for all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tipstaff.words import Attribution, AttributionReason, Grade

from .codes import ENDINGS, OPEN, STATION
from .tables import Array, Questions, Table

GRADES = tuple(Grade)
REASONS = tuple(AttributionReason)
NOBODY = -1
UNDECIDED = 255
OPERATOR, RESELLER, CUSTOMER = range(3)
_PROMISED = next(i for i, e in enumerate(ENDINGS) if e.value == "promised")


@dataclass(frozen=True, kw_only=True)
class Held:
    """The registry's holdings, an element each. `customer` and `service` are places in a list of names; -1: none."""

    key: Array
    tier: Array
    pool: Array
    version: Array
    hi: Array
    lo: Array
    length: Array
    since: Array
    until: Array
    port_first: Array
    port_last: Array
    customer: Array
    service: Array


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Bindings, one element each. `subject` is a number that `Known` uses too; -1 for translations."""

    realm: Array
    version: Array
    hi: Array
    lo: Array
    length: Array
    port_first: Array
    port_last: Array
    protocol: Array
    possible_from: Array
    sure_from: Array
    sure_until: Array
    possible_until: Array
    ending: Array
    heard: Array
    """Of a lease when its log last spoke of it; OPEN of all others."""
    strong: Array
    momentary: Array
    subject: Array
    machine: Array
    """The hardware address by which alone the subscriber is named, as a number; -1."""
    inside_realm: Array
    inside_version: Array
    inside_hi: Array
    inside_lo: Array


@dataclass(frozen=True, kw_only=True)
class Known:
    """By which customer and service a subject is known; `reseller` is -1 for the operator's own customers."""

    subject: Array
    customer: Array
    service: Array
    reseller: Array
    since: Array
    until: Array
    sure_from: Array
    sure_until: Array


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """When sources of a neighbourhood (/24, or /40 of IPv6) were not read."""

    version: Array
    hi: Array
    lo: Array
    since: Array
    until: Array
    lasting: Array
    """Whether what was given in the gap before may last."""


@dataclass(kw_only=True)
class Answers:
    """An element for each question: places in GRADES, REASONS, and of names; and the rows that prove it."""

    grade: Array
    reason: Array
    customer: Array
    service: Array
    downstream: Array
    outer: Array
    """The binding of the address itself; -1 where there is none or more than one."""
    inner: Array
    """The session behind a translation."""
    station: Array
    """Who was logged in with the machine that the session names; -1."""
    holding: Array
    """The one customer's or reseller's holding; -1."""
    known: Array
    """The entry by which the subscriber is known; -1."""
    referred: dict[int, Attribution] = field(default_factory=dict)
    """Answers of the reference, by question."""


Reference = Callable[[int, Array, Array], Attribution]
"""Answers a question by the walk: its place, the holdings' rows and the bindings' rows that touch it."""


class Stretches:
    """Numbers from firsts to lasts, both included; stretches may overlap."""

    def __init__(self, firsts: Array, lasts: Array) -> None:
        order = np.argsort(firsts, kind="stable")
        self._firsts, self._lasts = firsts[order], np.maximum.accumulate(lasts[order])

    def has(self, numbers: Array) -> Array:
        """Which of the numbers lie in a stretch."""
        place = np.searchsorted(self._firsts, numbers, side="right") - 1
        found: Array = np.zeros(len(numbers), bool)
        some = place >= 0
        found[some] = self._lasts[place[some]] >= numbers[some]
        return found


class Snapshot:
    """Rows, indexed."""

    def __init__(
        self, held: Held, bound: Bound, known: Known, gaps: Gaps, *, spoken: Mapping[int, "Stretches"],
        records_begin: int | None,
    ) -> None:  # fmt: skip
        """`spoken`: by IP version the neighbourhoods, as numbers, of which a log, plan or map was ever read."""
        self.held, self.bound, self.known, self.records_begin = held, bound, known, records_begin
        self.spoken = spoken
        self._holdings = _Held(held)
        realms = np.unique(np.append(bound.realm, 0))
        self._realms = {int(r): _Realm(bound, np.flatnonzero(bound.realm == r)) for r in realms}
        here = np.flatnonzero(bound.version == STATION)
        # A machine's number is as good a key as an address's.
        self._stations = Table(
            version=np.full(len(here), 4), hi=bound.hi[here], lo=bound.lo[here], length=np.full(len(here), 32),
            since=bound.possible_from[here], until=bound.possible_until[here], rows=here,
        )  # fmt: skip
        self._known_order = np.argsort(known.subject, kind="stable")
        self._known_subjects = known.subject[self._known_order]
        self._gaps = _blocks(gaps, ~gaps.lasting)
        self._after_gaps = _blocks(gaps, gaps.lasting)

    def answer(self, asked: Questions, *, assumed: Array, protocol: Array, reference: Reference) -> Answers:
        """Answer all. `assumed` says where no usable time was stated, `protocol` is an IANA number or -1."""
        order = np.lexsort((asked.lo, asked.hi)) if asked.version == 6 else np.argsort(asked.lo)
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))
        asked, assumed, protocol = asked.take(order), assumed[order], protocol[order]
        work = _Work(self, asked, assumed, protocol)
        work.decide()
        answers = work.answers
        left = np.flatnonzero(answers.grade == UNDECIDED)
        rows = work.rows_of(left)
        for place, (held, bound) in zip(left, rows, strict=True):
            told = reference(int(order[place]), held, bound)
            answers.grade[place] = GRADES.index(told.grade)
            answers.reason[place] = REASONS.index(told.reason)
            answers.referred[int(order[place])] = told
        for name in (
            "grade",
            "reason",
            "customer",
            "service",
            "downstream",
            "outer",
            "inner",
            "station",
            "holding",
            "known",
        ):
            setattr(answers, name, getattr(answers, name)[inverse])
        return answers

    def known_as(self, subject: Array) -> tuple[Array, Array]:
        """(first, end) in `known_order` of the entries of each subject."""
        first = np.searchsorted(self._known_subjects, subject, side="left")
        return first, np.searchsorted(self._known_subjects, subject, side="right")

    @property
    def known_order(self) -> Array:
        return self._known_order

    def logged_in(self, machine: Array, *, earliest: Array, latest: Array) -> tuple[Array, Array]:
        """(places, rows) of those who were logged in with each machine at some instant of its span."""
        places = np.flatnonzero(machine >= 0)
        if not len(places):
            return places, places
        asked = Questions(
            4, np.zeros(len(places), np.uint64), machine[places].astype(np.uint64), earliest[places], latest[places],
            np.full(len(places), -1, np.int64),
        )  # fmt: skip
        found, rows = self._stations.pairs(asked)
        return places[found], rows

    def gapped(self, asked: Questions) -> Array:
        """Whether a gap touches each question."""
        found: Array = np.zeros(len(asked.lo), bool)
        found[self._gaps.pairs(asked)[0]] = True
        return found

    def silent(self, asked: Questions) -> Array:
        """Whether nobody seen is nobody there for none of each question's span."""
        found = self.gapped(asked)
        found[self._after_gaps.pairs(asked)[0]] = True
        return found

    def spoken_of(self, asked: Questions) -> Array:
        """Whether a log of each question's neighbourhood was ever read."""
        blocks = asked.lo >> np.uint64(8) if asked.version == 4 else asked.hi >> np.uint64(24)
        return self.spoken[asked.version].has(blocks.astype(np.int64))

    def realm(self, number: int) -> "_Realm | None":
        return self._realms.get(number)


class _Held:
    """Holdings by tier."""

    def __init__(self, held: Held) -> None:
        self.tables = []
        for tier in (OPERATOR, RESELLER, CUSTOMER):
            rows = np.flatnonzero(held.tier == tier)
            whole = (held.port_first[rows] == 0) & (held.port_last[rows] == 65535)
            self.tables.append([_table(held, rows[whole], ports=False), _table(held, rows[~whole], ports=True)])

    def pairs(self, tier: int, asked: Questions) -> tuple[Array, Array]:
        return _together([t.pairs(asked) for t in self.tables[tier]])


def _blocks(gaps: Gaps, those: Array) -> Table:
    length = np.where(gaps.version == 4, 24, 40).astype(np.uint8)
    columns = {"version": gaps.version, "hi": gaps.hi, "lo": gaps.lo, "length": length, "since": gaps.since,
               "until": gaps.until}  # fmt: skip
    return Table(**{name: values[those] for name, values in columns.items()})


def _table(held: Held, rows: Array, *, ports: bool) -> Table:
    return Table(
        version=held.version[rows],
        hi=held.hi[rows],
        lo=held.lo[rows],
        length=held.length[rows],
        since=held.since[rows],
        until=held.until[rows],
        port_first=held.port_first[rows] if ports else None,
        port_last=held.port_last[rows] if ports else None,
        rows=rows,
    )


class _Realm:
    """The bindings of one realm: those of all ports, and those that are shared."""

    def __init__(self, bound: Bound, rows: Array) -> None:
        whole = (bound.port_first[rows] == 0) & (bound.port_last[rows] == 65535) & (bound.protocol[rows] < 0)
        self._bound = bound
        self.whole = self._of(rows[whole], ports=False)
        self.shared = self._of(rows[~whole], ports=True)

    def _of(self, rows: Array, *, ports: bool) -> Table:
        b = self._bound
        return Table(
            version=b.version[rows],
            hi=b.hi[rows],
            lo=b.lo[rows],
            length=b.length[rows],
            since=b.possible_from[rows],
            until=b.possible_until[rows],
            port_first=b.port_first[rows] if ports else None,
            port_last=b.port_last[rows] if ports else None,
            rows=rows,
        )

    def pairs(self, asked: Questions, protocol: Array) -> tuple[Array, Array]:
        """Bindings of the address, its port and protocol; shared ones only where a port is stated."""
        stated = np.flatnonzero(asked.port >= 0)
        questions, rows = self.shared.pairs(asked.take(stated))
        questions, rows = _together([self.whole.pairs(asked), (stated[questions], rows)])
        of = self._bound.protocol[rows]
        fits = (protocol[questions] < 0) | (of < 0) | (of == protocol[questions])
        return questions[fits], rows[fits]


class _Work:
    """One lot of questions, in order of address."""

    def __init__(self, snapshot: Snapshot, asked: Questions, assumed: Array, protocol: Array) -> None:
        self.snapshot, self.asked, self.assumed, self.protocol = snapshot, asked, assumed, protocol
        number = len(asked.lo)
        none = np.full(number, NOBODY, np.int64)
        self.answers = Answers(
            grade=np.full(number, UNDECIDED, np.uint8),
            reason=np.zeros(number, np.uint8),
            customer=none.copy(),
            service=none.copy(),
            downstream=none.copy(),
            outer=none.copy(),
            inner=none.copy(),
            station=none.copy(),
            holding=none.copy(),
            known=none.copy(),
        )
        held = snapshot._holdings
        self.held_pairs = [held.pairs(tier, asked) for tier in (OPERATOR, RESELLER, CUSTOMER)]
        realm = snapshot.realm(0)
        assert realm is not None, "the internet is always there"
        self.outer_pairs = realm.pairs(asked, protocol)

    def decide(self) -> None:
        """Everything that is plain."""
        s, asked = self.snapshot, self.asked
        number = len(asked.lo)
        if s.records_begin is None:
            return
        early = asked.earliest < s.records_begin
        self._say(early, Grade.NO_DATA, AttributionReason.BEFORE_RECORDS)
        operator, operator_covers, _ = self._one(self.held_pairs[0])
        reseller, reseller_covers, reseller_row = self._one(self.held_pairs[1])
        customer, customer_covers, customer_row = self._one(self.held_pairs[2])
        outer = np.bincount(self.outer_pairs[0], minlength=number)
        ours = ~early & operator_covers
        self._say(~early & (operator == 0), Grade.NONE, AttributionReason.NOT_OUR_SPACE)
        # A port that is not stated may make any binding of some ports a matter of several.
        unstated = asked.port < 0
        sharers = unstated & self._has_sharers
        plain = ours & ~sharers
        silent = s.silent(asked)

        resold = plain & (reseller == 1) & reseller_covers & (customer == 0) & (outer == 0)
        self._say_held(resold, reseller_row, AttributionReason.ONE_RESELLER)
        free = plain & (reseller == 0)
        registered = free & (customer == 1) & customer_covers & (outer == 0)
        self._say_held(registered, customer_row, AttributionReason.ONE_HOLDER)
        nobody = free & (customer == 0) & (outer == 0) & ~silent
        unread = self._pooled & ~s.spoken_of(asked)
        self._say(nobody & unread, Grade.NO_DATA, AttributionReason.SOURCE_GAP)
        self._say(nobody & ~unread, Grade.NONE, AttributionReason.UNASSIGNED)

        one = np.flatnonzero(free & (customer == 0) & (outer == 1))
        if len(one):
            row = np.full(number, NOBODY, np.int64)
            row[self.outer_pairs[0]] = self.outer_pairs[1]
            self._follow(one, row[one])
        # Without its port, a shared address is several customers': the first sharer found shows it.
        several = ours & sharers & (reseller == 0)
        self._say(several, Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)

    @property
    def _pooled(self) -> Array:
        """Whether the operator shares out the address at some instant of the span."""
        questions, rows = self.held_pairs[0]
        found: Array = np.zeros(len(self.asked.lo), bool)
        found[questions[self.snapshot.held.pool[rows]]] = True
        return found

    @cached_property
    def _has_sharers(self) -> Array:
        """Where no port was stated: whether some ports of the address were bound in the span."""
        found = np.zeros(len(self.asked.lo), bool)
        unstated = np.flatnonzero(self.asked.port < 0)
        realm = self.snapshot.realm(0)
        assert realm is not None, "the internet is always there"
        protocol = self.snapshot.bound.protocol
        for start in range(0, len(unstated), 20_000):
            places = unstated[start : start + 20_000]
            questions, rows = realm.shared.pairs(self.asked.take(places))
            asked_of, of = self.protocol[places[questions]], protocol[rows]
            found[places[questions[(asked_of < 0) | (of < 0) | (of == asked_of)]]] = True
        return found

    def _one(self, pairs: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        """How many rows each question has, whether one of them covers all that is asked, and the last of them."""
        questions, rows = pairs
        held, number = self.snapshot.held, len(self.asked.lo)
        counts = np.bincount(questions, minlength=number)
        row = np.full(number, NOBODY, np.int64)
        row[questions] = rows
        asked = self.asked
        port = asked.port[questions]
        fits = (held.since[rows] <= asked.earliest[questions]) & (held.until[rows] > asked.latest[questions])
        whole = (held.port_first[rows] == 0) & (held.port_last[rows] == 65535)
        fits &= whole | ((port >= 0) & (held.port_first[rows] <= port) & (port <= held.port_last[rows]))
        covers = np.zeros(number, bool)
        covers[questions[fits]] = True
        return counts, covers, row

    def _say(self, where: Array, grade: Grade, reason: AttributionReason) -> None:
        where = where & (self.answers.grade == UNDECIDED)
        self.answers.grade[where] = GRADES.index(grade)
        self.answers.reason[where] = REASONS.index(reason)

    def _say_held(self, where: Array, rows: Array, reason: AttributionReason) -> None:
        places = np.flatnonzero(where & (self.answers.grade == UNDECIDED))
        held, a = self.snapshot.held, self.answers
        a.customer[places], a.service[places] = held.customer[rows[places]], held.service[rows[places]]
        a.holding[places] = rows[places]
        self._named(places, reason, proven=np.ones(len(places), bool))

    def _named(self, places: Array, reason: AttributionReason, *, proven: Array) -> None:
        """One customer is named: how surely, and why."""
        a, assumed = self.answers, self.assumed[places]
        surely = proven & ~assumed
        a.grade[places] = np.where(surely, GRADES.index(Grade.CONFIRMED), GRADES.index(Grade.PROBABLE))
        assumed_reason, one_source = (
            REASONS.index(r) for r in (AttributionReason.TIME_ASSUMED, AttributionReason.ONE_SOURCE)
        )
        a.reason[places] = np.where(~proven, one_source, np.where(assumed, assumed_reason, REASONS.index(reason)))

    def _follow(self, places: Array, outer: Array) -> None:
        """Questions with exactly one binding: through its translation, to its subscriber, to its customer."""
        b = self.snapshot.bound
        unheard = self._unheard(self.asked.take(places), outer)
        plain = ~b.momentary[outer] & ~unheard & self._surely(places, outer)
        places, outer = places[plain], outer[plain]
        direct = b.subject[outer] >= 0
        self._name(places[direct], outer[direct], np.full(int(direct.sum()), NOBODY, np.int64))
        for number in np.unique(b.inside_realm[outer[~direct]]):
            for version in (4, 6):
                here = ~direct & (b.inside_realm[outer] == number) & (b.inside_version[outer] == version)
                if here.any():
                    self._follow_inside(int(number), version, places[here], outer[here])

    def _follow_inside(self, realm: int, version: int, places: Array, outer: Array) -> None:
        b, asked = self.snapshot.bound, self.asked
        sessions = self.snapshot.realm(realm)
        inside = Questions(
            version,
            b.inside_hi[outer],
            b.inside_lo[outer],
            asked.earliest[places],
            asked.latest[places],
            np.full(len(places), -1, np.int64),
        )
        order = np.argsort(inside.lo)
        places, outer, inside = places[order], outer[order], inside.take(order)
        if sessions is None:
            return
        questions, rows = sessions.whole.pairs(inside)
        real = b.subject[rows] >= 0
        questions, rows = questions[real], rows[real]
        single = np.bincount(questions, minlength=len(places)) == 1
        if realm == 0:
            held, _ = self.snapshot._holdings.pairs(CUSTOMER, inside)
            single[held] = False
        part, _ = sessions.shared.pairs(inside)
        single[part] = False
        inner = np.full(len(places), NOBODY, np.int64)
        inner[questions] = rows
        for place, row in ((p, r) for p in (inside, asked.take(places)) for r in (inner, outer)):
            single &= ~self._unheard(place, row)
        single &= self._surely(places, inner)
        self._name(places[single], outer[single], inner[single])

    def _unheard(self, asked: Questions, rows: Array) -> Array:
        """Whether a lease may have been broken in a gap since its log last spoke of it."""
        b = self.snapshot.bound
        heard = np.where(b.heard[rows] <= asked.earliest, b.heard[rows], b.sure_from[rows])
        since = replace(asked, earliest=np.minimum(asked.earliest, heard))
        unheard: Array = (b.heard[rows] < OPEN) & self.snapshot.gapped(since)
        return unheard

    def _surely(self, places: Array, rows: Array) -> Array:
        b = self.snapshot.bound
        sure: Array = (b.sure_from[rows] <= self.asked.earliest[places]) & (
            b.sure_until[rows] > self.asked.latest[places]
        )
        return sure

    def _name(self, places: Array, outer: Array, inner: Array) -> None:
        """By the one entry that knows the subscriber over all that is asked."""
        s, b, a, asked = self.snapshot, self.snapshot.bound, self.answers, self.asked
        session = np.where(inner >= 0, inner, outer)
        station, plain = self._logged_in(places, session)
        speaks = np.where(station >= 0, station, session)
        first, end = s.known_as(b.subject[speaks])
        single = plain & (end - first == 1)
        places, outer, inner, session, station, speaks, first = (
            x[single] for x in (places, outer, inner, session, station, speaks, first)
        )
        entry = s.known_order[first] if len(first) else first
        k = s.known
        begin, finish = np.maximum(k.since, k.sure_from)[entry], np.minimum(k.until, k.sure_until)[entry]
        valid = (begin <= asked.earliest[places]) & (finish > asked.latest[places])
        places, outer, inner, session, station, speaks, entry = (
            x[valid] for x in (places, outer, inner, session, station, speaks, entry)
        )
        resold = k.reseller[entry] >= 0
        a.customer[places] = np.where(resold, k.reseller[entry], k.customer[entry])
        a.service[places] = np.where(resold, NOBODY, k.service[entry])
        a.downstream[places] = np.where(resold, k.customer[entry], NOBODY)
        a.outer[places], a.inner[places], a.station[places], a.known[places] = outer, inner, station, entry
        proven = b.strong[outer] & b.strong[session] & b.strong[speaks]
        for mask, reason in ((resold, AttributionReason.ONE_RESELLER), (~resold, AttributionReason.ONE_HOLDER)):
            self._named(places[mask], reason, proven=proven[mask])

    def _logged_in(self, places: Array, session: Array) -> tuple[Array, Array]:
        """Who alone was logged in, all the while, with the machine that each session names; -1 where nobody was. And
        whether that is plain."""
        s, b, asked = self.snapshot, self.snapshot.bound, self.asked
        station, plain = np.full(len(places), NOBODY, np.int64), np.ones(len(places), bool)
        found, rows = s.logged_in(b.machine[session], earliest=asked.earliest[places], latest=asked.latest[places])
        if not len(found):
            return station, plain
        station[found] = rows
        some = np.unique(found)
        row = station[some]
        first, end = s.known_as(b.subject[session[some]])
        alone = np.bincount(found, minlength=len(places))[some] == 1
        plain[some] = alone & (end == first) & self._surely(places[some], row) & (b.ending[row] != _PROMISED)
        return station, plain

    def rows_of(self, places: Array) -> Sequence[tuple[Array, Array]]:
        """For the questions that are left: their holdings' rows and bindings' rows, those inside included."""
        asked, s = self.asked.take(places), self.snapshot
        if not len(places):
            return []
        realm = s.realm(0)
        assert realm is not None, "the internet is always there"
        whole, shared = realm.whole.pairs(asked), _capped(realm.shared.pairs(asked))
        outer = _together([whole, shared])
        held = [s._holdings.pairs(tier, asked) for tier in (OPERATOR, RESELLER, CUSTOMER)]
        bound = [outer]
        b = s.bound
        for number in np.unique(b.inside_realm[outer[1]]):
            for version in (4, 6):
                through = np.flatnonzero(
                    (b.subject[outer[1]] < 0)
                    & (b.inside_realm[outer[1]] == number)
                    & (b.inside_version[outer[1]] == version)
                )
                sessions = s.realm(int(number))
                if not len(through):
                    continue
                who, rows = outer[0][through], outer[1][through]
                inside = Questions(
                    version, b.inside_hi[rows], b.inside_lo[rows], asked.earliest[who], asked.latest[who],
                    np.full(len(who), -1, np.int64),
                )  # fmt: skip
                if sessions is not None:
                    for table in (sessions.whole, sessions.shared):
                        questions, found = table.pairs(inside)
                        real = b.subject[found] >= 0
                        bound.append((who[questions[real]], found[real]))
                if number == 0:
                    questions, found = s._holdings.pairs(CUSTOMER, inside)
                    held.append((who[questions], found))
        number = len(places)
        questions, rows = _together(bound)
        logged_in, stations = s.logged_in(
            b.machine[rows], earliest=asked.earliest[questions], latest=asked.latest[questions]
        )
        bound.append((questions[logged_in], stations))
        return list(zip(_by_question(_together(held), number), _by_question(_together(bound), number), strict=True))


SHARERS_MAX = 200


def _capped(pairs: tuple[Array, Array]) -> tuple[Array, Array]:
    """At most SHARERS_MAX rows of each question."""
    questions, rows = pairs
    order = np.argsort(questions, kind="stable")
    questions, rows = questions[order], rows[order]
    first = np.searchsorted(questions, questions)
    keep = np.arange(len(questions)) - first < SHARERS_MAX
    return questions[keep], rows[keep]


def _by_question(pairs: tuple[Array, Array], number: int) -> list[Array]:
    questions, rows = pairs
    order = np.argsort(questions, kind="stable")
    rows = rows[order]
    ends = np.cumsum(np.bincount(questions, minlength=number))
    return [np.unique(rows[start:end]) for start, end in zip(np.append(0, ends[:-1]), ends, strict=True)]


def _together(pairs: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([q for q, _ in pairs]), np.concatenate([r for _, r in pairs])


assert OPEN > 0
