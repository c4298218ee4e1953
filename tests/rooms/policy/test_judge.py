"""What must hold of every verdict, whatever is asked."""

import ast
import dataclasses
import inspect
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.policy import clauses as clauses_module
from tipstaff.policy.clauses import Actor, Clause, Edition, Opens
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.judge import judge
from tipstaff.policy.strikes import Escalation, Repeats
from tipstaff.words import (
    SEALED_TYPES,
    XARF_TYPES,
    Allegation,
    Attribution,
    AttributionReason,
    Degree,
    Direction,
    Disposition,
    Grade,
    History,
    Moment,
    NaiveInstant,
    NoticePosture,
    Reason,
    Role,
    Rung,
    Scope,
    Verdict,
)

EDITION = shipped_editions()[-1]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NEW_HERE = History()

instants = st.datetimes(timezones=st.just(UTC))
moments = st.none() | st.builds(
    Moment,
    instants
    | st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=200), NOW.replace(tzinfo=None), timezones=st.just(UTC)),
    st.floats(0, 1e6) | st.floats(),
    st.booleans(),
)
types = st.sampled_from(sorted(XARF_TYPES)) | st.text(max_size=20)
allegations = st.builds(
    Allegation,
    type=types,
    source=st.none() | st.ip_addresses(),
    source_port=st.none() | st.integers(-1, 70000),
    target_port=st.none() | st.integers(-1, 70000),
    url=st.none() | st.just("http://www.example.net/x"),
    domain=st.none() | st.just("www.example.net"),
    protocol=st.none() | st.sampled_from(["tcp", "UDP", "icmp", "", "gré"]),
    moment=moments,
    confidence=st.floats(0, 1) | st.floats(),
)
attributions = st.builds(
    Attribution,
    grade=st.sampled_from(Grade),
    reason=st.sampled_from(AttributionReason),
    customer=st.none() | st.just("acct-1001"),
)
histories = st.builds(History, cases_before=st.integers(-1, 5))


def asked(
    allegation: Allegation, attribution: Attribution, history: History = NEW_HERE, *, edition: Edition = EDITION
) -> Verdict:
    return judge(allegation, attribution=attribution, history=history, edition=edition, received_at=NOW)


def held(grade: Grade = Grade.CONFIRMED, reason: AttributionReason = AttributionReason.ONE_HOLDER) -> Attribution:
    customer = "acct-1001" if grade in (Grade.CONFIRMED, Grade.PROBABLE) else None
    return Attribution(grade=grade, reason=reason, customer=customer)


def reported(type: str, *, age: timedelta | None = timedelta(hours=1), error_seconds: float = 1.0) -> Allegation:
    moment = None if age is None else Moment(NOW - age, error_seconds)
    return Allegation(type=type, source=IPv4Address("192.0.2.10"), moment=moment)


@given(allegations, attributions, histories)
@settings(max_examples=300, deadline=None)
def test_every_question_has_an_answer_with_its_reason_in_words(
    allegation: Allegation, attribution: Attribution, history: History
) -> None:
    verdict = asked(allegation, attribution, history)
    assert verdict.edition == EDITION.id
    assert verdict.explanation.endswith(".")
    assert verdict.reason not in (Reason.NO_REPRESENTATIVE, Reason.CUSTOMER_GONE)


@given(allegations, attributions, histories)
@settings(max_examples=300, deadline=None)
def test_a_case_opens_only_against_a_named_holder(
    allegation: Allegation, attribution: Attribution, history: History
) -> None:
    verdict = asked(allegation, attribution, history)
    if verdict.disposition is Disposition.OPEN_CASE:
        assert attribution.named
        assert attribution.customer is not None
        assert allegation.type not in SEALED_TYPES
        assert allegation.confidence >= EDITION.reader_confidence_min
        assert verdict.clause
        assert verdict.group
        assert verdict.answer_within
        assert verdict.ladder
    elif not attribution.named or attribution.customer is None:
        assert verdict.ladder == ()
        assert verdict.answer_within is None
    if verdict.disposition is Disposition.PERSON:
        assert verdict.decides is not None


@given(allegations, attributions, histories)
@settings(deadline=None)
def test_a_ladder_leads_from_narrow_to_wide_and_a_probable_holder_meets_no_more_than_a_block(
    allegation: Allegation, attribution: Attribution, history: History
) -> None:
    verdict = asked(allegation, attribution, history)
    rungs = [(rung.scope, rung.degree) for rung in verdict.ladder]
    assert rungs == sorted(set(rungs))
    if attribution.grade is Grade.PROBABLE:
        assert all(rung.degree <= Degree.BLOCK for rung in verdict.ladder)
    assert all(rung.degree < Degree.TERMINATE for rung in verdict.ladder)


@given(allegations, attributions, histories)
@settings(deadline=None)
def test_the_same_question_has_the_same_answer_whatever_was_asked_before(
    allegation: Allegation, attribution: Attribution, history: History
) -> None:
    fresh = dataclasses.replace(EDITION)
    assert asked(allegation, attribution, history) == asked(allegation, attribution, history, edition=fresh)


@given(allegations, attributions, histories)
@settings(deadline=None)
def test_more_upheld_cases_never_leave_more_time(
    allegation: Allegation, attribution: Attribution, history: History
) -> None:
    before = asked(allegation, attribution, History())
    after = asked(allegation, attribution, History(cases_before=3))
    assert (before.disposition, before.clause, before.ladder) == (after.disposition, after.clause, after.ladder)
    if before.answer_within is not None:
        assert after.answer_within is not None
        assert after.answer_within <= before.answer_within


@given(allegations)
@settings(deadline=None)
def test_a_surer_holder_never_meets_less(allegation: Allegation) -> None:
    probable, confirmed = asked(allegation, held(Grade.PROBABLE)), asked(allegation, held())
    assert probable.disposition is confirmed.disposition
    assert set(probable.ladder) <= set(confirmed.ladder)


@given(allegations, st.integers(0, 400))
@settings(deadline=None)
def test_nobody_is_bound_to_an_edition_before_it_took_effect(allegation: Allegation, days: int) -> None:
    received_at = EDITION.effective_at + timedelta(days=days - 200)
    verdict = judge(allegation, attribution=held(), history=History(), edition=EDITION, received_at=received_at)
    if verdict.disposition is Disposition.OPEN_CASE:
        assert received_at >= EDITION.effective_at
        moment = allegation.moment
        if moment is not None and (moment.at - received_at).total_seconds() < moment.error_seconds:
            assert (moment.at - EDITION.effective_at).total_seconds() >= moment.error_seconds - 1e-3


def slowly_chosen(allegation: Allegation, edition: Edition) -> Clause | None:
    """The clause for an allegation, found by reading every clause in turn."""
    names_only = allegation.source is None and bool(allegation.url or allegation.domain)
    subject = "name" if names_only else "address"
    fitting = [c for c in edition.clauses if allegation.type in c.applies_to and c.subject in (None, subject)]
    narrow = [clause for clause in fitting if clause.subject is not None]
    assert len(narrow) <= 1
    assert len(fitting) - len(narrow) <= 1
    return next(iter(narrow + fitting), None)


@given(allegations)
@settings(max_examples=300, deadline=None)
def test_the_clause_is_the_one_that_reading_them_all_finds(allegation: Allegation) -> None:
    assert EDITION.clause_for(allegation) is slowly_chosen(allegation, EDITION)


@pytest.mark.parametrize("type", sorted(SEALED_TYPES))
@pytest.mark.parametrize("grade", list(Grade))
def test_what_is_sealed_goes_to_counsel_whoever_held_the_address(type: str, grade: Grade) -> None:
    verdict = asked(reported(type, age=timedelta(days=2000)), held(grade))
    assert (verdict.disposition, verdict.decides) == (Disposition.PERSON, Role.COUNSEL)
    assert verdict.notice is NoticePosture.WITHHELD
    assert verdict.clause == "content.child_abuse"


def test_what_is_sealed_is_sealed_under_an_edition_without_a_clause_on_it() -> None:
    bare = dataclasses.replace(EDITION, clauses=())
    verdict = asked(reported("content/csam"), held(), edition=bare)
    assert (verdict.disposition, verdict.decides, verdict.clause) == (Disposition.PERSON, Role.COUNSEL, None)


@pytest.mark.parametrize(
    ("grade", "reason", "disposition", "why"),
    [
        (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT, Disposition.ASK_COMPLAINANT, Reason.HOLDER_AMBIGUOUS),
        (Grade.NONE, AttributionReason.NOT_OUR_SPACE, Disposition.NOT_OURS, Reason.NOT_OUR_SPACE),
        (Grade.NONE, AttributionReason.UNASSIGNED, Disposition.UNASSIGNED, Reason.NO_HOLDER),
        (Grade.NONE, AttributionReason.NO_ADDRESS, Disposition.ASK_COMPLAINANT, Reason.NO_ADDRESS),
        (Grade.CONTRADICTED, AttributionReason.ONE_HOLDER, Disposition.PERSON, Reason.HOLDER_CONTRADICTED),
        (Grade.NO_DATA, AttributionReason.BEFORE_RECORDS, Disposition.TOO_OLD, Reason.BEFORE_RECORDS),
    ],
)
def test_without_a_named_holder_nobody_is_told(
    grade: Grade, reason: AttributionReason, disposition: Disposition, why: Reason
) -> None:
    verdict = asked(reported("messaging/spam"), held(grade, reason))
    assert (verdict.disposition, verdict.reason) == (disposition, why)


def test_an_event_that_may_lie_within_the_look_back_is_not_too_old() -> None:
    age = EDITION.look_back + timedelta(hours=10)
    assert asked(reported("messaging/spam", age=age), held()).reason is Reason.BEYOND_LOOK_BACK
    perhaps = reported("messaging/spam", age=age, error_seconds=14 * 3600)
    assert asked(perhaps, held()).reason is Reason.FIRST_REPORT


def test_what_is_not_ours_is_said_to_be_so_however_old_and_unsure_it_is() -> None:
    allegation = Allegation(type="messaging/spam", moment=Moment(NOW - timedelta(days=999)), confidence=0.0)
    verdict = asked(allegation, held(Grade.NONE, AttributionReason.NOT_OUR_SPACE))
    assert verdict.disposition is Disposition.NOT_OURS


def test_a_time_in_the_future_accuses_nobody_and_the_complainant_is_asked_for_another() -> None:
    for grade in (Grade.PROBABLE, Grade.CONFIRMED):
        verdict = asked(reported("connection/ddos", age=timedelta(days=-2)), held(grade))
        assert (verdict.reason, verdict.disposition) == (Reason.TIME_AHEAD, Disposition.ASK_COMPLAINANT)
        assert (verdict.clause, verdict.ladder, verdict.decides) == (None, (), None)
    ahead = asked(reported("connection/ddos", age=timedelta(minutes=-5)), held())
    assert ahead.reason is Reason.HARM_IN_PROGRESS


def test_a_time_that_was_not_understood_accuses_nobody_and_the_complainant_is_asked_for_it() -> None:
    for grade, why in (
        (Grade.PROBABLE, AttributionReason.TIME_ASSUMED),
        (Grade.CONFIRMED, AttributionReason.ONE_HOLDER),
        (Grade.AMBIGUOUS, AttributionReason.TIME_UNREAD),
    ):
        unread = dataclasses.replace(reported("connection/ddos", age=None), unread_time="last month")
        verdict = asked(unread, held(grade, why))
        assert (verdict.reason, verdict.disposition) == (Reason.TIME_UNREAD, Disposition.ASK_COMPLAINANT)
        assert (verdict.clause, verdict.ladder, verdict.decides) == (None, (), None)


def test_the_attacked_port_is_the_one_that_a_measure_would_close() -> None:
    allegation = Allegation(type="connection/login_attack", target_port=5900, protocol="TCP")
    verdict = asked(allegation, held())
    assert (verdict.measure_ports, verdict.measure_direction) == ((("tcp", 5900),), Direction.OUT)
    assert asked(reported("connection/login_attack"), held()).measure_ports == (("tcp", 22),)
    again = asked(allegation, held())
    assert again.measure_ports == (("tcp", 5900),)


def test_a_cited_clause_stands_before_the_one_that_the_type_leads_to() -> None:
    verdict = judge(
        reported("messaging/spam"),
        attribution=held(),
        history=History(),
        edition=EDITION,
        received_at=NOW,
        cited="mail.forged_headers",
    )
    assert verdict.clause == "mail.forged_headers"


@pytest.mark.parametrize("clause", [c.id for c in EDITION.clauses if c.acts is not Actor.USER])
def test_no_case_opens_against_a_customer_for_what_the_operator_owes(clause: str) -> None:
    verdict = judge(
        reported("messaging/spam"),
        attribution=held(),
        history=History(),
        edition=EDITION,
        received_at=NOW,
        cited=clause,
    )
    assert (verdict.disposition, verdict.reason) == (Disposition.PERSON, Reason.NO_CLAUSE)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        judge(
            reported("messaging/spam"),
            attribution=held(),
            history=History(),
            edition=EDITION,
            received_at=datetime(2026, 11, 20),
        )


def test_from_a_walled_garden_upwards_a_person_decides() -> None:
    ladder = EDITION.clause("mail.unsolicited").ladder
    deciders = {rung.degree: EDITION.decider_of(rung, clause="mail.unsolicited") for rung in ladder}
    assert deciders[Degree.BLOCK] is None
    assert deciders[Degree.SUSPEND] is Role.ANALYST
    hosted = EDITION.clause("copyright.hosted")
    assert {EDITION.decider_of(rung, clause=hosted.id) for rung in hosted.ladder} == {Role.COUNSEL}


def test_a_clause_that_opens_with_a_person_never_opens_a_case() -> None:
    for clause in EDITION.clauses:
        if clause.opens is Opens.PERSON:
            for type in clause.applies_to:
                assert asked(reported(type), held()).disposition is Disposition.PERSON


def test_the_judge_can_reach_no_clock_and_nothing_outside() -> None:
    for module in (inspect.getmodule(judge), clauses_module):
        assert module is not None
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not set(names) & {"time", "random", "os", "pathlib", "django", "socket", "secrets"}
            assert not (isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"))


@pytest.mark.parametrize("id", ["content.defamation", "content.terror_and_hatred", "content.violent_threats"])
def test_what_was_said_stays_a_persons_under_whatever_row_it_is_filed(id: str) -> None:
    relabelled = dataclasses.replace(
        EDITION,
        clauses=tuple(
            dataclasses.replace(c, rows=(42,), opens=Opens.CASE, decides=None) if c.id == id else c
            for c in EDITION.clauses
        ),
    )
    verdict = judge(
        Allegation(type="unknown/unknown", moment=Moment(NOW - timedelta(hours=5))),
        attribution=Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
        history=NEW_HERE, edition=relabelled, received_at=NOW, cited=id,
    )  # fmt: skip
    assert (verdict.disposition, verdict.reason) == (Disposition.PERSON, Reason.SPEECH)
    assert verdict.decides is Role.COUNSEL


def test_who_a_customer_is_stays_counsels_under_whatever_row_it_is_filed() -> None:
    clauses = tuple(dataclasses.replace(c, rows=(42,)) if c.id == "way.identify_user" else c for c in EDITION.clauses)
    verdict = judge(
        Allegation(type="unknown/unknown", moment=Moment(NOW - timedelta(hours=5))),
        attribution=Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
        history=NEW_HERE, edition=dataclasses.replace(EDITION, clauses=clauses), received_at=NOW,
        cited="way.identify_user",
    )  # fmt: skip
    assert (verdict.reason, verdict.decides) == (Reason.NO_CLAUSE, Role.COUNSEL)


def test_a_step_takes_nothing_away_that_an_earlier_one_adds() -> None:
    hold, stop = Rung(scope=Scope.SERVICE, degree=Degree.HOLD), Rung(scope=Scope.ACCOUNT, degree=Degree.SUSPEND)
    repeats = Repeats(group="mail", lifetime=timedelta(days=365), steps=(
        Escalation(strikes=1, decides=Role.LEAD, answer_within=timedelta(hours=6), adds=(stop,)),
        Escalation(strikes=3, adds=(hold,)),
    ))  # fmt: skip
    assert repeats.step(0) is None
    assert repeats.step(2) == repeats.steps[0]
    assert repeats.step(3) == Escalation(
        strikes=3, decides=Role.LEAD, answer_within=timedelta(hours=6), adds=(stop, hold)
    )
