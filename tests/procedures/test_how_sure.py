"""Only a holder who is sure is walled in, disconnected or suspended, also where another one's case was there first."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office, reporter
from tests.procedures.test_measures_in_random_worlds import Step, World, few, happens, person
from tipstaff.cases.models import MemberRow
from tipstaff.cases.queries import members_of
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.queries import list_measures
from tipstaff.policy.deciding import PROBABLE_DEGREE_MAX
from tipstaff.procedures import parting
from tipstaff.procedures.judging import matters_of_case
from tipstaff.procedures.letters import notices_sent
from tipstaff.procedures.suspension import plan_for, resources_of
from tipstaff.words import Case, CaseState, Degree, LetterKind, Measure, Proof, Rung, Scope

SURE, LIKELY = "192.0.2.7", "192.0.2.9"
BEGAN = NOON - 2 * HOUR
GARDEN = Rung(scope=Scope.ADDRESS, degree=Degree.WALLED_GARDEN)


@pytest.fixture
def garden(db: None) -> Office:
    return walled_in()


def walled_in() -> Office:
    """A clause whose one measure is the walled garden, on the one device; LIKELY became acct-1's two hours ago."""
    office = Office()
    office.admit("acct-1", SURE)
    office.hold(LIKELY, customer="acct-1", since=BEGAN)
    edition = office.desk.editions[-1]
    clauses = tuple(
        dataclasses.replace(each, ladder=(GARDEN,)) if each.id == "mail.unsolicited" else each
        for each in edition.clauses
    )
    walled = dataclasses.replace(edition, clauses=clauses, person_from=Degree.DISCONNECT)
    only = Ability(device=EDGE, can=frozenset({(GARDEN.scope, GARDEN.degree)}), proof=Proof.PROBE)
    office.desk = dataclasses.replace(
        office.desk, editions=(*office.desk.editions[:-1], walled), abilities=lambda at: (only,)
    )
    return office


def likely(office: Office, *, by: int, at: datetime = NOON) -> Case:
    """A report of the very second in which the holding of LIKELY began."""
    return office.case_of(office.complain(LIKELY, at=at, happened=BEGAN, by=reporter(by)))


def test_who_is_only_probable_is_not_walled_in_by_the_ladder_of_who_is_sure(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    assert GARDEN in case.ladder
    garden.post(at=NOON)
    assert likely(garden, by=2).key == case.key
    assert [m.confirmed for m in members_of(case.key).values()] == [True, False]
    garden.post(at=NOON)
    assert len(set(notices_sent(case.key))) == 2
    sure, doubtful = (letter.body for letter in garden.letters if letter.kind is LetterKind.NOTICE)
    assert "we lead all traffic of" in sure
    assert "we lead all traffic of" not in doubtful, "the letter threatens with nothing that cannot follow"
    later = NOON + 9 * DAY
    garden.deadlines(at=later)
    [measure] = garden.measures(case)
    assert str(measure.selector).endswith(SURE)
    plan_for(case.key, desk=garden.desk, at=later, actor="ana")
    assert len(garden.measures(case)) == 1, "nor by a person"


def test_where_nothing_else_is_within_reach_a_person_is_asked(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    likely(garden, by=2)
    MemberRow.objects.filter(case=case.key, confirmed=True).update(waits=True)  # Nobody tells them of the other one.
    garden.post(at=NOON)
    garden.deadlines(at=NOON + 9 * DAY)
    assert (garden.fresh(case.key).state, list(garden.measures(case))) == (CaseState.WAITING_PERSON, [])


def test_the_surest_report_that_was_told_counts_and_a_split_keeps_it(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    likely(garden, by=2)
    [other] = [terms for conduct, _, _, terms in resources_of(case) if conduct.offender == LIKELY]
    assert other.ladder == ()
    own = list(members_of(case.key))[1:]
    new = parting.split(
        case.key, incidents=own, version=garden.fresh(case.key).version, why="Two.", desk=garden.desk, at=NOON,
        actor="ana",
    )  # fmt: skip
    assert [m.confirmed for m in members_of(new.key).values()] == [False]
    assert [terms.ladder for _, _, _, terms in resources_of(new)] == [()]
    MemberRow.objects.filter(case=new.key).update(confirmed=True)
    assert [terms.ladder for _, _, _, terms in resources_of(new)] == [(GARDEN,)]


# In every world


class Mixed(World):
    """A desk that can wall in and nothing else, and reports of which some name their holder surely and some do not."""

    def __init__(self, *, blunt: bool = False) -> None:
        self.office, self.at = walled_in(), NOON
        self.checked: set[str] = set()
        self.seen: Counter[str] = Counter()
        self.sure: set[str] = set()

    def check(self) -> None:
        for measure in list_measures(limit=1000):
            if measure.key not in self.checked:
                self.checked.add(measure.key)
                self.check_new(measure, self.office.fresh(measure.case))

    def report_of(self, place: str, exact: bool, who: int) -> None:
        """`exact`: of the very second in which LIKELY became theirs, so that it may have been somebody else's."""
        happened = BEGAN if exact else max(BEGAN + HOUR / 2, self.at - 3 * HOUR)
        report = self.office.complain(place, at=self.at, happened=happened, by=reporter(who))
        if place == SURE or not exact:
            self.sure.update(each.key for each in report.incidents)

    def split(self, n: int) -> None:
        def last_goes(case: Case) -> None:
            parting.split(
                case.key, incidents=list(members_of(case.key))[1:], version=case.version, why="Two.",
                desk=self.office.desk, at=self.at, actor="ana",
            )  # fmt: skip

        self._on_case(n, last_goes)

    def join(self, n: int) -> None:
        def goes_on(case: Case) -> None:
            others = [each.key for each in self.office.cases() if each.key != case.key]
            if others:
                parting.merge(
                    case.key, into=others[0], version=case.version, why="One.", desk=self.office.desk, at=self.at,
                    actor="ana",
                )  # fmt: skip

        self._on_case(n, goes_on)

    def check_new(self, measure: Measure, case: Case) -> None:
        assert measure.degree > PROBABLE_DEGREE_MAX, "it is the only one that this device can"
        address = str(measure.selector.network.network_address) if measure.selector.network else ""
        members = members_of(case.key)
        about = [m for m in matters_of_case(case.key) if m.conduct.offender == address and not members[m.key].waits]
        counting = [m.key for m in about if members[m.key].told_by is not None] or [m.key for m in about]
        assert self.sure & set(counting), f"nobody who was surely named is walled in: {measure.key}, {address}"
        self.seen["sure" if measure.urgency is None else "urgent"] += 1


mixed_steps = st.one_of(
    st.tuples(st.just("report_of"), st.sampled_from((SURE, LIKELY, LIKELY)), st.booleans(), st.integers(1, 3)),
    st.tuples(st.just("letters_go"), st.booleans()),
    st.tuples(st.just("time_passes"), st.sampled_from((1, 40, 200))),
    st.tuples(st.just("clock")),
    st.tuples(st.just("devices")),
    st.tuples(st.just("decide"), few, st.booleans(), person),
    st.tuples(st.just("propose"), few, person),
    st.tuples(st.just("second"), few, person, st.booleans()),
    st.tuples(st.just("split"), few),
    st.tuples(st.just("join"), few),
)
silence: list[Step] = [("letters_go", False), ("time_passes", 200), ("clock",), ("devices",)]


def mixed(in_order: Sequence[Step]) -> Counter[str]:
    return happens(in_order, make=Mixed)


@given(st.lists(mixed_steps.map(lambda step: [step]) | st.just(silence), min_size=3, max_size=9))
@settings(
    max_examples=15,
    phases=(Phase.reuse, Phase.generate, Phase.shrink),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_joins_leaves_or_is_decided_only_who_is_surely_named_is_reached_beyond_a_block(
    db: None, then: list[list[Step]]
) -> None:
    mixed([("report_of", LIKELY, True, 1), *chain.from_iterable(then)])


def test_these_worlds_reach_beyond_a_block_and_stop_before_it(db: None) -> None:
    """Or the property above would be true of nothing."""
    likely_one, sure_one = ("report_of", LIKELY, True, 1), ("report_of", SURE, False, 2)
    assert mixed([sure_one, *silence])["sure"] == 1
    assert mixed([likely_one, *silence, ("decide", 0, True, 0)])["sure"] == 0
    assert mixed([sure_one, likely_one, *silence])["sure"] == 1, "the one, not the other"
    sure_of_it = ("report_of", LIKELY, False, 2)
    assert mixed([sure_of_it, likely_one, *silence])["sure"] == 1, "about the same, and sure"
    assert mixed([likely_one, sure_of_it, *silence])["sure"] == 0, "a case goes no further than what opened it"
    urgent: list[Step] = [("propose", 0, 0), ("second", 0, 1, False)]
    assert mixed([sure_one, *urgent])["urgent"] == 1
    assert mixed([likely_one, *urgent])["urgent"] == 0
