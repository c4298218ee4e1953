"""What must hold of every verdict under any edition that somebody could write, whatever is asked."""

import dataclasses
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tests.rooms.policy.worlds import NOW, Asked
from tipstaff.policy.canonical import verdict_digest
from tipstaff.policy.clauses import ClauseKind, Opens
from tipstaff.policy.deciding import DESK, IDENTITY_ROWS, PROBABLE_DEGREE_MAX, SPEECH_ROWS, may_decide, weighed_trust
from tipstaff.policy.judge import judge
from tipstaff.policy.strikes import count
from tipstaff.words import (
    DOUBTS,
    SEALED_TYPES,
    Degree,
    Disposition,
    EvidenceGrade,
    Fact,
    Grade,
    History,
    Moment,
    NoticePosture,
    Reason,
    Role,
    Rung,
    Scope,
    Strike,
    Trust,
    Verdict,
)

whatever = settings(max_examples=120, deadline=None)
CANNOT_DECIDE = {Role.SYSTEM, Role.CUSTOMER, Role.ADMINISTRATOR}


def answered(asked: Asked, **changes: object) -> Verdict:
    asked = dataclasses.replace(asked, **changes)  # type: ignore[arg-type]  # fields by name
    return judge(
        asked.allegation,
        attribution=asked.attribution,
        history=asked.history,
        edition=asked.edition,
        received_at=NOW,
        cited=asked.cited,
        trust=asked.trust,
    )


def facts(verdict: Verdict) -> set[Fact]:
    return {basis.fact for basis in verdict.basis}


@given(worlds.questions())
@whatever
def test_every_question_has_an_answer(asked: Asked) -> None:
    verdict = answered(asked)
    assert verdict.edition == asked.edition.id
    assert verdict.explanation.endswith(".")
    assert (verdict.disposition is Disposition.PERSON) <= (verdict.decides is not None)
    assert len({basis.fact for basis in verdict.basis}) == len(verdict.basis)
    assert verdict.decides not in CANNOT_DECIDE


@given(worlds.questions(on_clause=True) | worlds.questions(attributed=worlds.unnamed, on_clause=True, plain=True))
@whatever
def test_nobody_is_accused_while_the_holder_is_ambiguous_or_the_report_sealed(asked: Asked) -> None:
    verdict = answered(asked)
    named = asked.attribution.grade in (Grade.CONFIRMED, Grade.PROBABLE) and asked.attribution.customer is not None
    if not named or asked.allegation.type in SEALED_TYPES:
        assert verdict.disposition is not Disposition.OPEN_CASE
        assert (verdict.ladder, verdict.measure_ports, verdict.answer_within) == ((), (), None)


@given(worlds.questions(attributed=worlds.named, on_clause=True, plain=True))
@whatever
def test_no_case_opens_under_an_edition_that_was_not_surely_in_force(asked: Asked) -> None:
    verdict = answered(asked)
    if verdict.disposition is Disposition.OPEN_CASE:
        assert asked.edition.effective_at <= NOW
        moment = asked.allegation.moment
        if moment is not None:
            assert (NOW - moment.at).total_seconds() + moment.error_seconds >= -600, "a time in the future"
            since = (moment.at - asked.edition.effective_at).total_seconds()
            assert since >= moment.error_seconds - 1e-3


@given(worlds.questions(attributed=worlds.named, on_clause=True))
@whatever
def test_what_is_said_is_judged_by_a_person_and_so_is_who_somebody_is(asked: Asked) -> None:
    verdict = answered(asked)
    clause = asked.edition.clause_named(verdict.clause or asked.cited or "")
    if clause is None:
        return
    if not SPEECH_ROWS.isdisjoint(clause.rows):
        assert verdict.disposition is not Disposition.OPEN_CASE
        if verdict.ladder:
            assert verdict.decides is not None, "no clock takes a measure on what was said"
    if not clause.judged:
        assert verdict.disposition is not Disposition.OPEN_CASE
        if verdict.reason is Reason.NO_CLAUSE and not IDENTITY_ROWS.isdisjoint(clause.rows):
            assert verdict.decides is Role.COUNSEL


def test_these_worlds_open_cases() -> None:
    """Or what is said of cases here would be true of nothing."""

    def opens(asked: Asked) -> bool:
        return answered(asked).disposition is Disposition.OPEN_CASE

    any_of_them = settings(whatever, phases=(Phase.generate,))
    find(worlds.questions(attributed=worlds.named, on_clause=True, plain=True), opens, settings=any_of_them)


@given(worlds.editions())
@whatever
def test_nobody_is_cut_off_for_good_by_a_clock(edition: worlds.Edition) -> None:
    rung = Rung(scope=Scope.ACCOUNT, degree=Degree.TERMINATE)
    for clause in edition.clauses:
        decider = edition.decider_of(rung, clause=clause.id)
        assert decider is not None
        assert decider not in CANNOT_DECIDE


@given(worlds.questions(attributed=worlds.named, on_clause=True))
@whatever
def test_the_ladder_is_the_clauses_and_its_steps_and_a_probable_holder_meets_no_more_than_a_block(asked: Asked) -> None:
    verdict = answered(asked)
    if verdict.clause is None or not verdict.ladder:
        return
    clause = asked.edition.clause(verdict.clause)
    step = asked.edition.repeats_of(clause.group).step(asked.history.cases_before)
    allowed = {*clause.ladder, *(step.adds if step else ())}
    if asked.attribution.grade is Grade.PROBABLE:
        allowed = {rung for rung in allowed if rung.degree <= PROBABLE_DEGREE_MAX}
    assert set(verdict.ladder) == allowed
    assert [(r.scope, r.degree) for r in verdict.ladder] == sorted({(r.scope, r.degree) for r in verdict.ladder})


@given(worlds.questions(attributed=worlds.named, on_clause=True, plain=True))
@whatever
def test_a_doubt_takes_every_measure_from_the_clock_and_changes_nothing_else(asked: Asked) -> None:
    doubtful, plain = answered(asked), answered(asked, trust=None)
    assert (doubtful.disposition, doubtful.clause, doubtful.ladder) == (plain.disposition, plain.clause, plain.ladder)
    assert doubtful.answer_within == plain.answer_within
    if facts(doubtful) & DOUBTS:
        assert doubtful.decides is not None
        assert doubtful.notice is not NoticePosture.SIMULTANEOUS
        assert doubtful.reason is not Reason.HARM_IN_PROGRESS
    elif doubtful.basis and Fact.CORROBORATED not in facts(doubtful):
        assert doubtful == plain
    if plain.decides is not None:
        assert doubtful.decides == plain.decides


@given(worlds.trusts)
def test_what_our_own_measurement_saw_needs_no_reporters_word(trust: Trust | None) -> None:
    seen = dataclasses.replace(trust or Trust(), evidence=EvidenceGrade.CORROBORATED)
    assert weighed_trust(seen) == (Fact.CORROBORATED,)
    assert weighed_trust(None) == weighed_trust(Trust()) == ()


@given(worlds.questions(attributed=worlds.named, on_clause=True, plain=True), st.integers(0, 6))
@whatever
def test_more_strikes_never_leave_more_time_nor_a_shorter_ladder(asked: Asked, more: int) -> None:
    fewer = answered(asked, history=History(cases_before=0))
    after = answered(asked, history=History(cases_before=more))
    assert (fewer.disposition, fewer.clause) == (after.disposition, after.clause)
    clause = asked.edition.clause_named(fewer.clause or "")
    if fewer.answer_within is not None and after.answer_within is not None:
        assert after.answer_within <= fewer.answer_within
        if clause is not None and clause.answer_source:
            assert after.answer_within == fewer.answer_within == clause.answer_within, "a statute's time is nobody's"
    assert set(fewer.ladder) <= set(after.ladder)


@given(worlds.questions(attributed=worlds.named, on_clause=True, plain=True))
@whatever
def test_a_surer_holder_never_meets_less(asked: Asked) -> None:
    probable = answered(asked, attribution=dataclasses.replace(asked.attribution, grade=Grade.PROBABLE))
    confirmed = answered(asked, attribution=dataclasses.replace(asked.attribution, grade=Grade.CONFIRMED))
    assert probable.disposition is confirmed.disposition
    assert set(probable.ladder) <= set(confirmed.ladder)


@given(worlds.strikes, st.sampled_from(worlds.GROUPS), st.integers(0, 900))
def test_strikes_count_while_they_are_young_of_the_group_and_not_contested(
    strikes: list[Strike], group: str, lifetime: int
) -> None:
    counted = 0
    for strike in strikes:
        if strike.group != group or strike.contested:
            continue
        if (NOW - strike.at).days <= lifetime:
            counted += 1
    assert count(strikes, group=group, at=NOW, lifetime=timedelta(days=lifetime)) == counted


@given(st.none() | st.sampled_from(Role), st.frozensets(st.sampled_from(Role)))
def test_only_a_lead_stands_in_and_only_for_an_analyst(needed: Role | None, held: frozenset[Role]) -> None:
    may = may_decide(held, needed=needed)
    if needed is None:
        assert may == bool(held & DESK)
    elif needed in CANNOT_DECIDE | {Role.ANALYST}:
        assert may == bool(held & {Role.ANALYST, Role.LEAD})
    else:
        assert may == (needed in held)


@given(worlds.questions(on_clause=True))
@whatever
def test_the_same_question_has_the_same_answer_whatever_was_asked_before(asked: Asked) -> None:
    first = answered(asked)
    fresh = dataclasses.replace(asked.edition)
    assert verdict_digest(answered(asked, edition=fresh)) == verdict_digest(first) == verdict_digest(answered(asked))


GOLDEN = Path(__file__).with_name("verdicts.golden")


@pytest.mark.parametrize(
    ("seed", "zone", "language"),
    [("0", "UTC", "C"), ("1", "Asia/Kathmandu", "C.UTF-8"), ("random", "America/St_Johns", "C")],
)
def test_the_same_question_has_the_same_answer_on_any_machine(seed: str, zone: str, language: str) -> None:
    """Order of hashing, time zone and language of the machine change nothing, down to the last octet; nor does another
    machine, for what is said stands in a file. `TIPSTAFF_GOLDEN=write` writes it
    anew after a change of what is said."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language}
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("say_verdicts.py"))],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    if os.environ.get("TIPSTAFF_GOLDEN") == "write":
        GOLDEN.write_text(ran.stdout)
    assert ran.stdout == GOLDEN.read_text()


@given(worlds.questions(attributed=worlds.named), st.integers(0, 5000), st.integers(-3, 3))
@whatever
def test_the_first_instant_of_an_edition_is_exact(asked: Asked, error: int, off: int) -> None:
    clause = dataclasses.replace(
        asked.edition.clauses[0],
        id="a.b",
        kind=ClauseKind.CONDUCT,
        rows=(18,),
        opens=Opens.CASE,
        applies_to=(),
        subject=None,
    )
    edition = dataclasses.replace(
        asked.edition, clauses=(clause,), effective_at=NOW - timedelta(days=1), look_back=timedelta(days=9)
    )
    moment = Moment(edition.effective_at + timedelta(seconds=error + off), error)
    allegation = dataclasses.replace(asked.allegation, type="messaging/spam", moment=moment, confidence=1.0)
    verdict = answered(asked, allegation=allegation, edition=edition, cited="a.b")
    bound = verdict.disposition is Disposition.OPEN_CASE
    assert bound == (off >= 0)
    assert bound or verdict.reason is Reason.NO_EDITION_IN_FORCE
