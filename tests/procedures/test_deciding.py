"""Whose go-ahead counts, how long a proposal waits, and which earlier cases count against somebody."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office, reporter
from tipstaff.cases.operations import AlreadyProposed, SecondMustBeAnother
from tipstaff.cases.queries import decisions_of
from tipstaff.cases.rules import IllegalMove
from tipstaff.enforcement.planner import Ability
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN, FIRST_LIFETIME, URGENT_MEASURE_LASTS
from tipstaff.policy.strikes import Escalation, Repeats
from tipstaff.procedures import casework
from tipstaff.procedures.casework import NothingToPlan, ProposalLapsed
from tipstaff.procedures.complaint import weigh_allegation
from tipstaff.procedures.judging import matters_of_case
from tipstaff.procedures.suspension import NotYourDecision, what_would_follow
from tipstaff.procedures.trust import Belief
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_of
from tipstaff.words import (
    Allegation,
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    Degree,
    EvidenceGrade,
    Fact,
    Ground,
    HoldingKind,
    LetterKind,
    MeasureState,
    NoticePosture,
    Proof,
    Role,
    Rung,
    Scope,
    Trust,
)

pytestmark = pytest.mark.django_db

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office(db: None) -> Office:
    made = Office()
    made.admit("acct-1", ADDRESS)
    made.roles = {
        "ana": frozenset({Role.ANALYST}),
        "lena": frozenset({Role.LEAD}),
        "carl": frozenset({Role.COUNSEL}),
        "erik": frozenset({Role.ENGINEER}),
        "adam": frozenset({Role.ADMINISTRATOR}),
        "gone": frozenset(),
    }
    return made


def leave_to(office: Office, role: Role | None, *, clause: str = "mail.unsolicited") -> None:
    """The clause names this role for every measure."""
    edition = office.desk.editions[-1]
    clauses = tuple(dataclasses.replace(c, decides=role) if c.id == clause else c for c in edition.clauses)
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, clauses=clauses),))


def waiting(office: Office, role: Role) -> Case:
    """A case that was warned of, not answered, and now waits for `role`."""
    leave_to(office, role)
    case = office.warned(ADDRESS, at=NOON)
    office.deadlines(at=NOON + 2 * DAY)
    case = office.fresh(case.key)
    assert (case.state, case.decides) == (CaseState.WAITING_PERSON, role)
    return case


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (Role.ANALYST, {"ana", "lena"}, {"carl", "erik", "adam", "gone", "nobody-known", "worker"}),
        (Role.LEAD, {"lena"}, {"ana", "carl", "erik", "adam", "gone"}),
        (Role.COUNSEL, {"carl"}, {"ana", "lena", "erik", "adam", "gone"}),
    ],
)
def test_a_go_ahead_counts_only_from_the_role_that_the_clause_names(
    office: Office, role: Role, may: set[str], may_not: set[str]
) -> None:
    office.roles |= {"nobody-known": frozenset(), "worker": frozenset()}
    case = waiting(office, role)
    for who in sorted(may_not):
        with pytest.raises(NotYourDecision, match=role.value):
            casework.decide_waiting(
                case.key, go_ahead=True, why="Go.", version=case.version, desk=office.desk, at=NOON + 2 * DAY, actor=who
            )
        assert office.measures(case) == []
    for who in sorted(may)[:1]:
        casework.decide_waiting(
            case.key, go_ahead=True, why="Go.", version=case.version, desk=office.desk, at=NOON + 2 * DAY, actor=who
        )
    [measure] = office.measures(case)
    assert measure.notice is not None
    assert measure.until == NOON + 2 * DAY + office.desk.editions[-1].length_of(FIRST_LIFETIME, default=DAY)


def test_closing_confirming_and_reviewing_are_the_same_roles(office: Office) -> None:
    case = waiting(office, Role.COUNSEL)
    wish = {"why": "No.", "version": case.version, "desk": office.desk, "at": NOON + 2 * DAY, "actor": "lena"}
    for act in (casework.close_not_upheld, casework.confirm_fixed):
        with pytest.raises(NotYourDecision):
            act(case.key, **wish)
    disputed = office.answer(case, Answer.DISPUTE, at=NOON + 2 * DAY)
    with pytest.raises(NotYourDecision):
        casework.review_dispute(
            case.key, upheld=True, why="Yes.", version=disputed.version, desk=office.desk, at=NOON + 2 * DAY,
            actor="ana",
        )  # fmt: skip
    assert office.fresh(case.key).state is CaseState.DISPUTED
    closed = casework.review_dispute(
        case.key, upheld=True, why="Yes.", version=disputed.version, desk=office.desk, at=NOON + 2 * DAY, actor="carl"
    )
    assert closed.outcome is CaseOutcome.NOT_UPHELD


def test_an_urgent_measure_takes_one_who_holds_the_clauses_role(office: Office) -> None:
    leave_to(office, Role.COUNSEL)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    casework.propose_urgent(
        case.key, ground=Ground.LISTING, shown_by="List entry 12", at=NOON, actor="ana", desk=office.desk
    )
    with pytest.raises(NotYourDecision):
        casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="lena")
    assert office.measures(case) == []
    casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="carl")
    assert [m.urgency and m.urgency.seconded_by for m in office.measures(case)] == ["carl"]


def test_a_proposal_that_nobody_seconds_in_time_lapses_and_stays_on_record(office: Office) -> None:
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    casework.propose_urgent(
        case.key, ground=Ground.NETWORK_HARM, shown_by="Flow 1", at=NOON, actor="ana", desk=office.desk
    )
    late = NOON + COUNTERSIGN_WITHIN + timedelta(seconds=1)
    with pytest.raises(ProposalLapsed):
        casework.second_urgent(case.key, desk=office.desk, at=late, actor="lena")
    assert office.measures(case) == []
    casework.propose_urgent(
        case.key, ground=Ground.NETWORK_HARM, shown_by="Flow 2", at=late, actor="ana", desk=office.desk
    )
    casework.second_urgent(case.key, desk=office.desk, at=late + HOUR, actor="lena")
    [measure] = office.measures(case)
    assert measure.urgency is not None
    assert measure.urgency.shown_by == "Flow 2"
    [lapsed] = [e for e in entries_about(case.key) if e.what == "case.urgent_measure_lapsed"]
    assert (lapsed.detail["shown_by"], lapsed.detail["proposed_by"]) == ("Flow 1", "ana")


def test_a_measure_without_warning_ends_by_itself_when_nobody_reviews_it_and_its_notice_went_with_it(
    office: Office,
) -> None:
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    casework.propose_urgent(
        case.key, ground=Ground.NETWORK_HARM, shown_by="Flow 1", at=NOON, actor="ana", desk=office.desk
    )
    casework.second_urgent(case.key, desk=office.desk, at=NOON, actor="lena")
    [measure] = office.measures(case)
    assert measure.notice is None
    chosen = next(c for c in measure.candidates if c.chosen)
    assert chosen.lasts_hours == URGENT_MEASURE_LASTS.total_seconds() / 3600
    assert measure.until == NOON + URGENT_MEASURE_LASTS
    office.post(at=NOON)
    assert office.kinds_to(CUSTOMER) == [LetterKind.NOTICE], "with the measure, not after it"
    office.enforce(at=NOON)
    assert office.twin.rules() != []
    office.enforce(at=NOON + URGENT_MEASURE_LASTS - timedelta(seconds=1))
    assert office.twin.rules() != []
    office.enforce(at=NOON + URGENT_MEASURE_LASTS)
    assert office.twin.rules() == []
    assert office.measures(case)[0].state is MeasureState.LIFTED
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON


def test_the_edition_sets_how_long_a_measure_lasts(office: Office) -> None:
    edition = office.desk.editions[-1]
    clocks = tuple(
        dataclasses.replace(clock, amount=3) if clock.id == "measure.lifetime" else clock for clock in edition.clocks
    )
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, clocks=clocks),))
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.until == measure.planned_at + timedelta(days=3)


# What counts when it happens again.


def fixed_case(office: Office, *, at_day: int, dispute: str = "") -> Case:
    """A case that the customer fixed; `dispute` says whether it was disputed before, and reviewed."""
    at = NOON + at_day * DAY
    case = office.warned(ADDRESS, at=at, by=reporter(at_day % 9 + 1))
    if dispute:
        case = office.answer(case, Answer.DISPUTE, at=at + HOUR)
    if dispute == "reviewed":
        case = casework.review_dispute(
            case.key, upheld=False, why="It is so.", version=case.version, desk=office.desk, at=at + HOUR, actor="lena"
        )
        office.post(at=at + HOUR)
    office.answer(office.fresh(case.key), Answer.FIXED, at=at + 2 * HOUR)
    office.follow(at=at + 2 * HOUR)
    assert office.fresh(case.key).outcome is CaseOutcome.FIXED
    return case


def repeats_after(office: Office, *, at_day: int) -> Case:
    return office.case_of(office.complain(ADDRESS, at=NOON + at_day * DAY))


@pytest.mark.parametrize(("dispute", "counts"), [("", 1), ("open", 0), ("reviewed", 1)])
def test_a_contested_case_counts_only_once_a_colleague_has_reviewed_it(
    office: Office, dispute: str, counts: int
) -> None:
    fixed_case(office, at_day=0, dispute=dispute)
    again = repeats_after(office, at_day=10)
    assert again.repeats == counts
    assert again.answer_within == timedelta(hours=12 if counts else 24)


def test_a_strike_expires_when_the_edition_says(office: Office) -> None:
    edition = office.desk.editions[-1]
    thirty = Repeats(group="mail", lifetime=timedelta(days=30))
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, repeats=(thirty,)),))
    fixed_case(office, at_day=0)
    second = fixed_case(office, at_day=20)
    assert office.fresh(second.key).repeats == 1
    third = repeats_after(office, at_day=45)
    assert third.repeats == 1, "the first has expired, the second counts"


def test_from_the_third_strike_on_a_lead_decides_on_any_measure(office: Office) -> None:
    for day in (0, 10, 20):
        fixed_case(office, at_day=day)
    case = office.warned(ADDRESS, at=NOON + 30 * DAY)
    assert (case.repeats, case.decides) == (3, Role.LEAD)
    office.deadlines(at=NOON + 33 * DAY)
    assert office.measures(case) == []
    case = office.fresh(case.key)
    assert case.state is CaseState.WAITING_PERSON
    with pytest.raises(NotYourDecision):
        casework.decide_waiting(
            case.key, go_ahead=True, why="Go.", version=case.version, desk=office.desk, at=NOON + 33 * DAY, actor="ana"
        )
    casework.decide_waiting(
        case.key, go_ahead=True, why="Go.", version=case.version, desk=office.desk, at=NOON + 33 * DAY, actor="lena"
    )
    assert [m.degree for m in office.measures(case)] == [Degree.BLOCK]


def test_what_anybody_could_have_forged_is_told_and_no_clock_measures_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = office.complain(ADDRESS, at=NOON)
    allegation = report.incidents[0].allegation
    plain = weigh_allegation(allegation, received_at=NOON, desk=office.desk, at=NOON)
    monkeypatch.setattr(Belief, "trust", lambda self, allegation, *, customer: Trust(evidence=EvidenceGrade.SPOOFABLE))
    belief = Belief(report, desk=office.desk)
    doubted = weigh_allegation(allegation, received_at=NOON, desk=office.desk, at=NOON, belief=belief)
    assert plain.verdict.decides is None
    assert doubted.verdict.decides is Role.ANALYST
    assert doubted.verdict.disposition is plain.verdict.disposition
    assert doubted.verdict.notice is NoticePosture.BEFORE
    assert Fact.SPOOFABLE in {basis.fact for basis in doubted.verdict.basis}


def shared(office: Office, address: str = "192.0.2.77", *, device: str = EDGE) -> Case:
    """A case about a shared address: the device within reach can stop the whole address only, with two who use it."""
    office.admit("acct-2")
    office.admit("acct-3")
    office.hold(address, customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(1024, 2047))
    office.hold(address, customer="acct-3", kind=HoldingKind.PORT_BLOCK, ports=(2048, 4095))
    only = Ability(device=device, can=frozenset({(Scope.ADDRESS, Degree.BLOCK)}), proof=Proof.PROBE)
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: (only,))
    report = office.complain(address, at=NOON, port=1500)
    office.post(at=NOON)
    case = office.case_of(report)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    return office.fresh(case.key)


def go_ahead(office: Office, case: Case, *, actor: str, at: datetime) -> Case:
    version = office.fresh(case.key).version
    return casework.decide_waiting(
        case.key, go_ahead=True, why="It goes on and on.", version=version, desk=office.desk, at=at, actor=actor
    )


def test_what_hits_others_takes_two_people_and_both_stand_in_the_record(office: Office) -> None:
    case = shared(office)
    assert case.state is CaseState.WAITING_PERSON
    entries = [e for e in entries_about(case.key) if e.what == "case.waiting_person"]
    assert "would hit 1 other: two people decide" in str(entries[-1].detail["why"])
    at = NOON + 3 * DAY
    assert go_ahead(office, case, actor="ana", at=at).state is CaseState.WAITING_PERSON
    assert office.measures(case) == []
    with pytest.raises(SecondMustBeAnother):
        casework.second_wide(case.key, desk=office.desk, at=at, actor="ana")
    with pytest.raises(AlreadyProposed):
        go_ahead(office, case, actor="lena", at=at)
    [key] = casework.second_wide(case.key, desk=office.desk, at=at + HOUR, actor="lena")
    [measure] = office.measures(case)
    assert (measure.key, measure.selector.scope) == (key, Scope.ADDRESS)
    assert measure.notice is not None
    [decided] = [e for e in entries_about(case.key) if e.what == "case.decided"]
    assert (decided.actor, decided.detail["proposed_by"]) == ("lena", "ana")
    assert "It goes on and on." in str(decided.detail["why"])


def test_a_long_name_of_a_device_is_in_nobodys_way(office: Office) -> None:
    case = shared(office, device="the-edge-router-of-the-northern-site")
    go_ahead(office, case, actor="ana", at=NOON + 3 * DAY)
    [proposed] = decisions_of(case.key)
    assert proposed.ground == "block 192.0.2.77 on the-edge-router-of-the-northern-site hits 1"
    [key] = casework.second_wide(case.key, desk=office.desk, at=NOON + 3 * DAY, actor="lena")
    assert [m.key for m in office.measures(case)] == [key]


def test_a_measure_that_hits_others_is_not_agreed_to_when_it_is_too_late(office: Office) -> None:
    case = shared(office)
    at = NOON + 3 * DAY
    go_ahead(office, case, actor="ana", at=at)
    with pytest.raises(ProposalLapsed):
        casework.second_wide(case.key, desk=office.desk, at=at + COUNTERSIGN_WITHIN + HOUR, actor="lena")
    office.answer(case, Answer.DISPUTE, at=at + HOUR)
    with pytest.raises(IllegalMove):
        casework.second_wide(case.key, desk=office.desk, at=at + HOUR, actor="lena")
    assert office.measures(case) == []


def test_whoever_seconds_agrees_to_what_was_proposed_and_to_nothing_else(office: Office) -> None:
    case = shared(office)
    at = NOON + 3 * DAY
    go_ahead(office, case, actor="ana", at=at)
    office.admit("acct-4")
    office.hold("192.0.2.77", customer="acct-4", kind=HoldingKind.PORT_BLOCK, ports=(4096, 8191))
    with pytest.raises(ProposalLapsed):
        casework.second_wide(case.key, desk=office.desk, at=at + HOUR, actor="lena")
    assert (office.measures(case), office.fresh(case.key).state) == ([], CaseState.WAITING_PERSON)
    assert [d.seconded_by for d in decisions_of(case.key)] == [None], "nobody has agreed to anything"


def test_what_hits_nobody_else_any_more_is_not_what_was_agreed_to(office: Office) -> None:
    case = shared(office)
    at = NOON + 3 * DAY
    go_ahead(office, case, actor="ana", at=at)
    [other] = holdings_of("acct-3", at=at)
    end_holding(other.key, held_until=at, at=at, actor="import")
    with pytest.raises(NothingToPlan):
        casework.second_wide(case.key, desk=office.desk, at=at + HOUR, actor="lena")
    assert (office.measures(case), office.fresh(case.key).state) == ([], CaseState.WAITING_PERSON)


def test_nobody_goes_ahead_while_the_customer_still_has_time(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    with pytest.raises(IllegalMove):
        go_ahead(office, case, actor="lena", at=NOON + HOUR)
    assert office.measures(case) == []


def with_rules(office: Office, *, add: tuple[Rung, ...] = (), **rules: object) -> None:
    """The desk works by an edition in which the clause on unsolicited mail has these rules; repeating `add`s rungs."""
    edition = office.desk.editions[-1]
    clauses = tuple(
        dataclasses.replace(c, **rules) if c.id == "mail.unsolicited" else c  # type: ignore[arg-type]  # any field
        for c in edition.clauses
    )
    steps = (Escalation(strikes=1, adds=add),)
    repeats = (Repeats(group="mail", lifetime=edition.memory, steps=steps),) if add else edition.repeats
    changed = dataclasses.replace(edition, clauses=clauses, repeats=repeats)
    office.desk = dataclasses.replace(office.desk, editions=(*office.desk.editions[:-1], changed))


def test_a_clause_that_two_people_decide_on_is_enforced_by_two_and_not_by_the_clock(office: Office) -> None:
    with_rules(office, two_people=True)
    case = office.warned(ADDRESS, at=NOON)
    assert case.decides is Role.ANALYST, "a clock is nobody's second person"
    office.deadlines(at=NOON + 3 * DAY)
    assert (office.fresh(case.key).state, office.measures(case)) == (CaseState.WAITING_PERSON, [])
    at = NOON + 3 * DAY
    assert go_ahead(office, case, actor="ana", at=at).state is CaseState.WAITING_PERSON
    assert office.measures(case) == [], "one person proposed it"
    [proposed] = decisions_of(case.key)
    assert "Under clause mail.unsolicited of edition" in proposed.detail
    assert "two people decide on this measure: block tcp/25" in proposed.detail
    with pytest.raises(SecondMustBeAnother):
        casework.second_wide(case.key, desk=office.desk, at=at, actor="ana")
    [key] = casework.second_wide(case.key, desk=office.desk, at=at + HOUR, actor="lena")
    assert [m.key for m in office.measures(case)] == [key]
    [decided] = [e for e in entries_about(case.key) if e.what == "case.decided"]
    assert (decided.actor, decided.detail["proposed_by"]) == ("lena", "ana")


def test_a_service_is_suspended_by_two_people_whatever_the_edition_says(office: Office) -> None:
    suspend = Rung(scope=Scope.ADDRESS, degree=Degree.SUSPEND)
    with_rules(office, ladder=(suspend,))
    only = Ability(device=EDGE, can=frozenset({(Scope.ADDRESS, Degree.SUSPEND)}), proof=Proof.PROBE)
    office.desk = dataclasses.replace(office.desk, abilities=lambda at: (only,))
    case = office.warned(ADDRESS, at=NOON)
    office.deadlines(at=NOON + 3 * DAY)
    go_ahead(office, case, actor="lena", at=NOON + 3 * DAY)
    assert office.measures(case) == []
    casework.second_wide(case.key, desk=office.desk, at=NOON + 3 * DAY, actor="ana")
    assert [m.degree for m in office.measures(case)] == [Degree.SUSPEND]


def test_a_measure_that_only_a_repetition_opened_takes_two_people(office: Office) -> None:
    wider = Rung(scope=Scope.ADDRESS, degree=Degree.RATE_LIMIT)
    with_rules(office, ladder=(), add=(wider,))
    edition = office.desk.editions[-1]
    assert edition.takes_two_people(wider, clause="mail.unsolicited")
    with_rules(office, ladder=(wider,), add=(wider,))
    assert not office.desk.editions[-1].takes_two_people(wider, clause="mail.unsolicited"), "it was open before"


def test_what_joined_under_a_clause_that_two_people_decide_on_is_not_taken_by_the_clock(office: Office) -> None:
    case = office.warned(ADDRESS, at=NOON)
    [matter] = matters_of_case(case.key)
    edition = office.desk.editions[-1]
    joined = dataclasses.replace(edition.clause("mail.unsolicited"), id="mail.joined", two_people=True, applies_to=())
    both = dataclasses.replace(edition, clauses=(*edition.clauses, joined))
    office.desk = dataclasses.replace(office.desk, editions=(*office.desk.editions[:-1], both))
    assert isinstance(matter.conduct, Allegation)
    cited = dataclasses.replace(matter.conduct, cited="mail.joined")
    assert what_would_follow(case, matter.conduct, left_to=None, desk=office.desk, at=NOON) is not None
    assert what_would_follow(case, cited, left_to=None, desk=office.desk, at=NOON) is None
