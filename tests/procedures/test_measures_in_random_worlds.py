"""Whatever is reported, sent, lost, answered or decided, in whatever order: what holds of every measure in every world.

Some addresses have one holder, one is shared by ports, one changes hands at noon, one is nobody's; the world knows the
truth, and nobody at the desk is asked for it.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import chain

from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.procedures.office import EDGE, HOUR, NOON, Office, reporter
from tipstaff.cases.queries import decisions_of
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.queries import list_measures
from tipstaff.intake.queries import reports_of_case
from tipstaff.notices.operations import claim_letter, mark_failed, mark_handing_over
from tipstaff.notices.queries import get_letter, letters_of_case
from tipstaff.procedures import casework, refusals
from tipstaff.words import (
    Answer,
    Case,
    Degree,
    Ground,
    HoldingKind,
    LetterKind,
    LetterState,
    Measure,
    Proof,
    Scope,
)

OWN, SECOND, OTHERS = "192.0.2.10", "192.0.2.12", "192.0.2.11"
SHARED, MOVES, NOBODYS = "192.0.2.20", "192.0.2.30", "192.0.2.40"
BLOCKS = {"acct-1": (1024, 2047), "acct-2": (2048, 4095)}
PORTS = (None, 1500, 3000)
PEOPLE = ("ana", "lena")
HALF = timedelta(minutes=30)
_REFUSALS = tuple(getattr(refusals, name) for name in refusals.__all__)


def truth(place: str, port: int | None, at: datetime) -> str | None:
    """Who held it; None for nobody, and where it cannot be told."""
    if place == SHARED:
        return next((who for who, (first, last) in BLOCKS.items() if port and first <= port <= last), None)
    if place == MOVES:
        return "acct-1" if at < NOON else "acct-2"
    return {OWN: "acct-1", SECOND: "acct-1", OTHERS: "acct-2"}.get(place)


class World:
    """A desk, its clock, and what was seen of it so far."""

    def __init__(self, *, blunt: bool) -> None:
        """With `blunt`, the one device within reach can block whole addresses and nothing less."""
        self.office = Office()
        if blunt:
            only = Ability(device=EDGE, can=frozenset({(Scope.ADDRESS, Degree.BLOCK)}), proof=Proof.PROBE)
            self.office.desk = dataclasses.replace(self.office.desk, abilities=lambda at: (only,))
        for customer in BLOCKS:
            self.office.admit(customer)
            self.office.hold(f"{SHARED}/32", customer=customer, kind=HoldingKind.PORT_BLOCK, ports=BLOCKS[customer])
        self.office.hold(f"{OWN}/32", customer="acct-1")
        self.office.hold(f"{SECOND}/32", customer="acct-1")
        self.office.hold(f"{OTHERS}/32", customer="acct-2")
        self.office.hold(f"{MOVES}/32", customer="acct-1", until=NOON)
        self.office.hold(f"{MOVES}/32", customer="acct-2", since=NOON)
        self.at = NOON - 5 * HOUR
        self.checked: set[str] = set()
        self.seen: Counter[str] = Counter()

    # What may happen

    def report(self, place: str, port: int | None, hours: int, who: int) -> None:
        happened = self.at - hours * HOUR - HALF
        self.office.complain(place, at=self.at, happened=happened, port=port, by=reporter(who))

    def letters_go(self, lost: bool) -> None:
        if not lost:
            self.seen["letters"] += len(self.office.post(at=self.at))
            return
        while (letter := claim_letter(at=self.at, worker="tests", domain="operator.example.net")) is not None:
            mark_handing_over(letter.key, at=self.at, worker="tests")
            mark_failed(letter.key, at=self.at, reply="550 no such mailbox", permanent=True, worker="tests")
            self.seen["lost"] += 1

    def time_passes(self, hours: int) -> None:
        self.at += hours * HOUR

    def clock(self) -> None:
        self.office.deadlines(at=self.at)

    def devices(self) -> None:
        self.office.enforce(at=self.at)

    def answer(self, n: int, answer: Answer) -> None:
        self._on_case(n, lambda case: self.office.answer(case, answer, at=self.at))

    def decide(self, n: int, go_ahead: bool, who: int) -> None:
        more = {"go_ahead": go_ahead, "why": "Looked at.", "desk": self.office.desk, "at": self.at}
        self._on_case(
            n, lambda case: casework.decide_waiting(case.key, version=case.version, actor=PEOPLE[who], **more)
        )

    def propose(self, n: int, who: int) -> None:
        said = {"ground": Ground.NETWORK_HARM, "shown_by": "Flow export 17", "desk": self.office.desk, "at": self.at}
        self._on_case(n, lambda case: casework.propose_urgent(case.key, actor=PEOPLE[who], **said))

    def second(self, n: int, who: int, wide: bool) -> None:
        second = casework.second_wide if wide else casework.second_urgent
        self._on_case(n, lambda case: second(case.key, desk=self.office.desk, at=self.at, actor=PEOPLE[who]))

    def review(self, n: int, upheld: bool, who: int) -> None:
        more = {"upheld": upheld, "why": "Looked at.", "desk": self.office.desk, "at": self.at}
        self._on_case(
            n, lambda case: casework.review_dispute(case.key, version=case.version, actor=PEOPLE[who], **more)
        )

    def _on_case(self, n: int, act: Callable[[Case], object]) -> None:
        cases = sorted(self.office.cases(), key=lambda case: case.key)
        if not cases:
            return
        with suppress(*_REFUSALS), transaction.atomic():
            act(cases[n % len(cases)])
            self.seen["acts"] += 1

    # What must hold

    def check(self) -> None:
        """Look at each measure once, at the step that planned it, and at everything that holds as long as it stands."""
        for measure in list_measures(limit=1000):
            if measure.key not in self.checked:
                self.checked.add(measure.key)
                self.check_new(measure, self.office.fresh(measure.case))
        for case in self.office.cases():
            assert case.customer in BLOCKS
            grounds = [
                incident
                for report in reports_of_case(case.key)
                for incident in report.incidents
                if incident.case == case.key
            ]
            for incident in grounds:
                moment = incident.allegation.moment
                assert moment is not None
                held_by = truth(str(incident.allegation.source), incident.allegation.source_port, moment.at)
                assert held_by == case.customer, (incident.key, case.customer)
            for letter in letters_of_case(case.key):
                if letter.kind is LetterKind.NOTICE:
                    assert letter.to == f"{case.customer}@customer.example.com"

    def check_new(self, measure: Measure, case: Case) -> None:
        address = str(measure.selector.network.network_address) if measure.selector.network else ""
        assert measure.until is not None, "it ends by itself"
        assert measure.until > self.at
        assert measure.customer == case.customer
        if address == MOVES:
            assert truth(MOVES, None, self.at) == measure.customer, "not against whoever holds it next"
        if measure.urgency is None:
            self.seen["warned"] += 1
            notice = get_letter(measure.notice or "")
            assert notice is not None
            assert (notice.kind, notice.state, notice.diverted) == (LetterKind.NOTICE, LetterState.SENT, False)
            assert notice.case == measure.case
            assert notice.sent_at is not None
            assert notice.sent_at + case.answer_within <= measure.planned_at, "they had their time"
            assert re.search(rf"{re.escape(address)}(?!\d)", notice.body), "the letter named what is measured"
        else:
            self.seen["urgent"] += 1
            who = {measure.urgency.decided_by, measure.urgency.seconded_by}
            assert len(who) == 2
            assert who <= set(PEOPLE)
            assert measure.urgency.ground is Ground.NETWORK_HARM
            assert measure.urgency.shown_by
            notices = [letter for letter in letters_of_case(case.key) if letter.kind is LetterKind.NOTICE]
            assert any(address in letter.body for letter in notices), "its notice goes with it"
        self.check_narrowest(measure, case)

    def check_narrowest(self, measure: Measure, case: Case) -> None:
        chosen = [c for c in measure.candidates if c.chosen]
        assert measure.selector in {c.selector for c in chosen}
        for other in measure.candidates:
            assert other.why
            if other.chosen or not other.sufficient:
                continue
            narrower = (other.selector.scope, other.degree) < (measure.selector.scope, measure.degree)
            assert not narrower or other.others_hit > chosen[0].others_hit, (other, measure)
        if chosen[0].others_hit and measure.urgency is None:
            self.seen["wide"] += 1
            agreed = [d for d in decisions_of(case.key) if d.kind == casework.WIDE and d.seconded_by is not None]
            assert any({d.proposed_by, d.seconded_by} == set(PEOPLE) for d in agreed), "two people answer for it"


Step = tuple[object, ...]
places = st.sampled_from((OWN, SECOND, OTHERS, SHARED, MOVES, NOBODYS))
few, person = st.integers(0, 3), st.integers(0, 1)
reported = st.tuples(st.just("report"), places, st.sampled_from(PORTS), st.integers(0, 7), st.integers(1, 3))
steps = st.one_of(
    reported,
    st.tuples(st.just("letters_go"), st.booleans()),
    st.tuples(st.just("time_passes"), st.sampled_from((1, 3, 22, 40))),
    st.tuples(st.just("clock")),
    st.tuples(st.just("devices")),
    st.tuples(st.just("answer"), few, st.sampled_from(Answer)),
    st.tuples(st.just("decide"), few, st.booleans(), person),
    st.tuples(st.just("propose"), few, person),
    st.tuples(st.just("second"), few, person, st.booleans()),
    st.tuples(st.just("review"), few, st.booleans(), person),
)


@contextmanager
def world(make: Callable[..., World], *, blunt: bool) -> Iterator[World]:
    """A world that is gone afterwards: what it wrote is rolled back."""
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django marks its own: what is durable may lie inside
    with outer:
        yield make(blunt=blunt)
        transaction.set_rollback(True)


def happens(in_order: Sequence[Step], *, blunt: bool = False, make: Callable[..., World] = World) -> Counter[str]:
    with world(make, blunt=blunt) as it:
        for verb, *arguments in in_order:
            getattr(it, str(verb))(*arguments)
            it.check()
        return it.seen


due: list[Step] = [("time_passes", 40), ("clock",), ("devices",), ("letters_go", False)]
"""What follows from silence."""
urgent: list[Step] = [("propose", 0, 0), ("second", 0, 1, False)]


told = reported.map(lambda step: [step, ("letters_go", False)])
whiles = st.one_of(steps.map(lambda step: [step]), told, st.just(due), st.just(urgent))


@given(
    st.lists(reported, min_size=1, max_size=2),
    st.lists(whiles, min_size=2, max_size=9),
    st.booleans(),
)
@settings(
    max_examples=25,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_measure_without_notice_or_ground_nor_wider_than_needed_nor_against_who_was_not_surely_named(
    db: None, first: list[Step], then: list[list[Step]], blunt: bool
) -> None:
    happens([*first, *chain.from_iterable(then)], blunt=blunt)


def test_these_worlds_hold_measures_of_every_kind(db: None) -> None:
    """Or the property above would be true of nothing."""
    letters: Step = ("letters_go", False)
    own, shared, moves = ("report", OWN, None, 1, 1), ("report", SHARED, 1500, 1, 2), ("report", MOVES, None, 1, 1)
    assert happens([own, shared, letters, *due])["warned"] >= 1
    lost = happens([own, ("letters_go", True), *due])
    assert (lost["lost"] > 0, lost["warned"]) == (True, 0)
    assert happens([own, *urgent])["urgent"] == 1
    assert happens([own, ("propose", 0, 0), ("second", 0, 0, False)])["urgent"] == 0
    second: Step = ("report", SECOND, None, 1, 1)
    later = happens([own, letters, ("time_passes", 22), second, letters, ("time_passes", 3), ("clock",)])
    assert later["warned"] == 1, "the other address was named three hours ago"
    wide: list[Step] = [("decide", 0, True, 0), ("second", 0, 1, True)]
    assert happens([shared, letters, *due[:3], *wide], blunt=True)["wide"] >= 1
    assert happens([moves, letters, *due])["warned"] == 0
    assert happens([moves, ("time_passes", 40), *urgent])["urgent"] == 0
