"""What must hold of every verdict on what we measured ourselves, under any edition that somebody could write."""

import dataclasses
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tests.rooms.policy.worlds import NOW, Asked
from tipstaff.policy.conditions import read_condition
from tipstaff.policy.explain import Audience, explain
from tipstaff.policy.judge import judge
from tipstaff.policy.past import keep_question, question_again
from tipstaff.policy.replay import ask_again, treatment_of
from tipstaff.words import (
    DOUBTS,
    Attribution,
    AttributionReason,
    Conduct,
    Disposition,
    Fact,
    Grade,
    Moment,
    Reason,
    Sighting,
    Trust,
    Verdict,
)

whatever = settings(max_examples=150, deadline=None)
KINDS = ("flows.scan", "flows.flood", "mail.burst")
CONDITIONS = (None, read_condition("facts.targets >= 100"), read_condition("facts.targets >= 10 && !facts.announced"))

facts = st.dictionaries(
    st.sampled_from(["targets", "announced", "validity"]),
    st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text(max_size=5)
    | st.lists(st.text(max_size=3), max_size=2).map(tuple),
    max_size=3,
)  # fmt: skip
sightings = st.builds(
    Sighting,
    kind=st.sampled_from(KINDS) | st.just("no.such"),
    facts=facts | st.just({"targets": 300, "announced": False}),
    moment=worlds.moments.map(lambda moment: moment or Moment(NOW)),
    source=st.none() | st.ip_addresses(),
    url=st.none() | st.just("http://www.example.net/x"),
    source_port=st.none() | st.integers(1, 65535),
    target_port=st.none() | st.integers(1, 65535),
    protocol=st.none() | st.sampled_from(["tcp", "udp", "icmp"]),
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A sighting, and all else that the judge is asked with it."""

    sighting: Sighting
    asked: Asked


@st.composite
def questions(
    draw: st.DrawFn, *, attributed: st.SearchStrategy[Attribution] = worlds.attributions, plain: bool = False
) -> Seen:
    """Any sighting under an edition some of whose clauses take findings, with thresholds and without."""
    asked = draw(worlds.questions(attributed=attributed, plain=plain))
    clauses = tuple(
        dataclasses.replace(
            clause,
            findings=tuple(sorted(draw(st.sets(st.sampled_from(KINDS), max_size=2)))),
            found_when=draw(st.sampled_from(CONDITIONS)),
        )
        if clause.judged
        else clause
        for clause in asked.edition.clauses
    )
    return Seen(
        draw(sightings), dataclasses.replace(asked, edition=dataclasses.replace(asked.edition, clauses=clauses))
    )


def answered(seen: Seen, conduct: Conduct | None = None, **changes: object) -> Verdict:
    asked = dataclasses.replace(seen.asked, **changes)  # type: ignore[arg-type]  # fields by name
    return judge(
        conduct or seen.sighting, attribution=asked.attribution, history=asked.history, edition=asked.edition,
        received_at=NOW, trust=asked.trust,
    )  # fmt: skip


def stated(verdict: Verdict) -> set[Fact]:
    return {basis.fact for basis in verdict.basis}


@given(questions())
@whatever
def test_every_sighting_has_an_answer_and_nobody_is_asked(seen: Seen) -> None:
    verdict = answered(seen)
    assert verdict.disposition is not Disposition.ASK_COMPLAINANT
    assert verdict.reason is not Reason.READER_UNSURE
    assert (verdict.disposition is Disposition.PERSON) <= (verdict.decides is not None)
    assert (verdict.disposition is Disposition.NOTHING) <= (verdict.ladder == ())
    assert verdict.explanation.endswith(".")
    assert "reported" not in verdict.explanation


@given(questions() | questions(attributed=worlds.unnamed, plain=True))
@whatever
def test_nobody_is_accused_who_is_not_surely_named(seen: Seen) -> None:
    attribution = seen.asked.attribution
    named = attribution.grade in (Grade.CONFIRMED, Grade.PROBABLE) and attribution.customer is not None
    verdict = answered(seen)
    if not named:
        assert verdict.disposition is not Disposition.OPEN_CASE
        assert (verdict.ladder, verdict.answer_within) == ((), None)
    if attribution.grade is Grade.AMBIGUOUS and attribution.reason is not AttributionReason.NOT_OUR_SPACE:
        # Before the first edition counts nothing is judged: a person looks, and nobody is named there either.
        before = verdict.reason is Reason.NO_EDITION_IN_FORCE
        assert verdict.disposition in ({Disposition.PERSON} if before else {Disposition.NOTHING, Disposition.TOO_OLD})


@given(questions(attributed=worlds.named, plain=True))
@whatever
def test_a_case_opens_only_where_a_clause_takes_it_and_its_conditions_hold(seen: Seen) -> None:
    verdict = answered(seen)
    if verdict.disposition is not Disposition.OPEN_CASE:
        return
    clause = seen.asked.edition.clause(verdict.clause or "")
    assert seen.sighting.kind in clause.findings
    assert clause.found_when is None or clause.found_when.holds(facts=seen.sighting.facts)
    assert seen.sighting.moment.earliest >= seen.asked.edition.effective_at
    assert Fact.MEASURED in stated(verdict)


@given(questions(attributed=worlds.named))
@whatever
def test_what_a_reporter_is_worth_changes_nothing_about_what_we_measured(seen: Seen) -> None:
    verdict = answered(seen, trust=None)
    assert answered(seen, trust=Trust(flooding=True, authenticated=False, reporter_overturned=9)) == verdict
    assert not stated(verdict) & DOUBTS


@given(questions(attributed=worlds.named))
@whatever
def test_fewer_facts_never_open_more(seen: Seen) -> None:
    bare = dataclasses.replace(seen.sighting, facts={})
    if answered(seen, bare).disposition is Disposition.OPEN_CASE:
        clause = seen.asked.edition.clause(answered(seen, bare).clause or "")
        assert clause.found_when is None


@given(questions())
@whatever
def test_the_record_gives_the_question_back_as_it_was_asked(seen: Seen) -> None:
    if seen.sighting.moment.error_seconds != seen.sighting.moment.error_seconds:
        return  # The door refuses such a time.
    verdict = answered(seen, trust=None)
    kept = json.loads(json.dumps(keep_question(seen.sighting, history=seen.asked.history, received_at=NOW, trust=None)))
    question = question_again(
        "S-000001", kept, grade=seen.asked.attribution.grade, reason=seen.asked.attribution.reason,
        customer=seen.asked.attribution.customer, service=None, edition=seen.asked.edition.id, verdict="",
    )  # fmt: skip
    assert treatment_of(ask_again(question, seen.asked.edition)) == treatment_of(verdict)


@given(questions(attributed=worlds.named))
@whatever
def test_no_sentence_says_that_somebody_complained(seen: Seen) -> None:
    verdict = answered(seen)
    for audience in (Audience.CUSTOMER, Audience.COURT):
        for sentence in explain(verdict, edition=seen.asked.edition, to=audience):
            assert "reported" not in sentence.text
            assert "the report" not in sentence.text
