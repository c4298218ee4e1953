"""No sentence of an explanation can be false for its case: each rests on facts, and each fact is true of the world."""

import dataclasses
import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tests.rooms.policy.worlds import NOW, Asked
from tipstaff.policy.clauses import Edition
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.explain import Audience, explain
from tipstaff.policy.judge import judge
from tipstaff.policy.sentences import sentences, spoken
from tipstaff.words import (
    DOUBTS,
    Allegation,
    Attribution,
    AttributionReason,
    Degree,
    Disposition,
    EvidenceGrade,
    Fact,
    Grade,
    History,
    Moment,
    NoticePosture,
    Reason,
    Rung,
    Scope,
    Trust,
    Verdict,
)

EDITION = shipped_editions()[-1]
often = settings(max_examples=100, deadline=None)
any_question = worlds.questions(on_clause=True) | worlds.questions(attributed=worlds.named, on_clause=True)


def answered(asked: Asked) -> Verdict:
    return judge(
        asked.allegation, attribution=asked.attribution, history=asked.history, edition=asked.edition,
        received_at=NOW, cited=asked.cited, trust=asked.trust,
    )  # fmt: skip


def holds(fact: Fact, value: str, asked: Asked, verdict: Verdict) -> bool:
    """Whether a fact is true, found anew from the question and the edition's own words."""
    edition, trust = asked.edition, asked.trust
    clause = next((c for c in edition.clauses if c.id == verdict.clause), None)
    strikes = asked.history.cases_before
    repeats = next((r for r in edition.repeats if clause is not None and r.group == clause.group), None)
    lifetime = str((repeats.lifetime if repeats else edition.memory).days)
    moment = asked.allegation.moment
    match fact:
        case Fact.CLAUSE:
            return clause is not None and value == clause.id
        case Fact.EDITION:
            return value == edition.id
        case Fact.HOLDER_CONFIRMED:
            return asked.attribution.grade is Grade.CONFIRMED
        case Fact.HOLDER_PROBABLE:
            return asked.attribution.grade is Grade.PROBABLE
        case Fact.IN_PROGRESS:
            assert moment is not None
            oldest = (NOW - moment.at).total_seconds() + moment.error_seconds
            return oldest <= edition.in_progress.total_seconds() == float(value) * 3600
        case Fact.NONE_BEFORE:
            return strikes <= 0 and value == lifetime
        case Fact.STRIKES:
            return strikes > 0 and value == lifetime
        case Fact.ESCALATED:
            return repeats is not None and strikes >= int(value) and any(s.strikes == int(value) for s in repeats.steps)
        case Fact.SHORTER_TIME:
            assert clause is not None
            assert clause.answer_within is not None
            assert verdict.answer_within is not None
            return verdict.answer_within < clause.answer_within
        case Fact.TIME_TO_ANSWER:
            return verdict.answer_within == timedelta(hours=float(value))
        case Fact.STATUTE:
            return clause is not None and value == clause.answer_source != ""
        case Fact.PERSON_DECIDES:
            return verdict.decides == value
        case Fact.PERSON_FROM:
            return verdict.decides is None and value == edition.person_from.name.lower()
        case Fact.NOTICE_FIRST:
            return verdict.notice is NoticePosture.BEFORE
        case Fact.NOTICE_WITH:
            return verdict.notice is NoticePosture.SIMULTANEOUS
        case Fact.NOTICE_WITHHELD:
            return verdict.notice is NoticePosture.WITHHELD
    assert trust is not None
    return {
        Fact.SPOOFABLE: trust.evidence is EvidenceGrade.SPOOFABLE,
        Fact.NOTHING_SHOWN: trust.evidence is EvidenceGrade.STATED,
        Fact.SENDER_NOT_VOUCHED_FOR: trust.authenticated is False and trust.reporter_upheld <= 0,
        Fact.REPORTER_OFTEN_WRONG: trust.reporter_overturned > max(trust.reporter_upheld, 2),
        Fact.REPORTER_FLOODS: trust.flooding,
        Fact.CORROBORATED: trust.evidence is EvidenceGrade.CORROBORATED,
    }[fact]


def measures(verdict: Verdict) -> list[Rung]:
    """The rungs that touch anything; a letter touches nothing."""
    return [rung for rung in verdict.ladder if rung.degree > Degree.NOTIFY]


@given(any_question)
@often
def test_every_fact_of_a_verdict_is_true_of_the_world(asked: Asked) -> None:
    verdict = answered(asked)
    for basis in verdict.basis:
        assert holds(basis.fact, basis.value, asked, verdict), basis


@given(any_question, st.sampled_from(Audience))
@often
def test_every_sentence_rests_on_facts_of_the_verdict_and_every_number_comes_from_them(
    asked: Asked, audience: Audience
) -> None:
    verdict = answered(asked)
    said = explain(verdict, edition=asked.edition, to=audience)
    values = {basis.fact: basis.value for basis in verdict.basis}
    clause = asked.edition.clause_named(verdict.clause or "")
    for sentence in said:
        assert sentence.text.rstrip("”").endswith("."), sentence
        assert sentence.rests_on, sentence
        backing = []
        for what in sentence.rests_on:
            assert what in values or what == verdict.reason, sentence
            backing.append(values.get(what, ""))  # type: ignore[call-overload]  # a reason has no value
        own_words = f"{asked.edition.id} {asked.edition.digest} {asked.edition.effective_at:%Y-%m-%d %H:%M} SHA-256 "
        own_words += f"{clause.title} {clause.rows} {clause.id}" if clause else ""
        if clause is not None and clause.answer_within is not None and audience is Audience.COMPLAINANT:
            own_words += f" {clause.time_said(clause.answer_within)}"
        if verdict.reason in sentence.rests_on:
            own_words += f" {asked.edition.look_back.days} {verdict.explanation}"
        known = set(re.findall(r"\d+", " ".join([*backing, own_words])))
        assert set(re.findall(r"\d+", sentence.text)) <= known, sentence
    assert len({sentence.text for sentence in said}) == len(said)


@given(any_question)
@often
def test_a_complainant_learns_nothing_of_what_the_holder_did_before_nor_of_what_we_think_of_them(asked: Asked) -> None:
    verdict = answered(asked)
    of_the_holder = {Fact.STRIKES, Fact.NONE_BEFORE, Fact.ESCALATED, Fact.SHORTER_TIME, *DOUBTS}
    said = explain(verdict, edition=asked.edition, to=Audience.COMPLAINANT)
    assert said, "a complainant is always told something"
    for sentence in said:
        assert not of_the_holder & set(sentence.rests_on)
        assert "acct-1001" not in sentence.text
    if verdict.disposition is not Disposition.OPEN_CASE:
        assert not any("hours to answer" in sentence.text for sentence in said)
    if not measures(verdict):
        assert not any("measure" in sentence.text for sentence in said)


@given(any_question, st.integers(0, 6))
@often
def test_what_a_complainant_is_told_is_the_same_whatever_came_before_and_whoever_vouches(
    asked: Asked, strikes: int
) -> None:
    other = dataclasses.replace(asked, history=History(cases_before=strikes), trust=None)
    told = [explain(answered(a), edition=asked.edition, to=Audience.COMPLAINANT) for a in (asked, other)]
    assert told[0] == told[1]


@given(any_question)
@often
def test_a_complainant_is_never_told_of_less_time_than_the_holder_has(asked: Asked) -> None:
    verdict = answered(asked)
    clause = asked.edition.clause_named(verdict.clause or "")
    if verdict.disposition is Disposition.OPEN_CASE and verdict.answer_within is not None:
        assert clause is not None
        assert clause.answer_within is not None
        assert verdict.answer_within <= clause.answer_within
        time = re.sub("^1 hours$", "1 hour", clause.time_said(clause.answer_within))
        said = [s.text for s in explain(verdict, edition=asked.edition, to=Audience.COMPLAINANT)]
        assert verdict.notice is NoticePosture.WITHHELD or any(f"at most {time} to answer" in text for text in said)


@given(any_question)
@often
def test_a_customer_is_told_nothing_while_nobody_may_tell_them(asked: Asked) -> None:
    verdict = answered(asked)
    said = explain(verdict, edition=asked.edition, to=Audience.CUSTOMER)
    if verdict.notice is NoticePosture.WITHHELD or not verdict.ladder:
        assert said == () or verdict.notice is not NoticePosture.WITHHELD
    if verdict.disposition is Disposition.OPEN_CASE and verdict.notice is not NoticePosture.WITHHELD:
        assert said[0].rests_on == (Fact.CLAUSE, Fact.EDITION)
        timed = [s for s in said if Fact.TIME_TO_ANSWER in s.rests_on]
        assert timed


@given(any_question)
@often
def test_a_court_is_told_every_fact(asked: Asked) -> None:
    verdict = answered(asked)
    said = explain(verdict, edition=asked.edition, to=Audience.COURT)
    told = {what for sentence in said for what in sentence.rests_on}
    assert {basis.fact for basis in verdict.basis} - {
        Fact.SHORTER_TIME,
        *(() if measures(verdict) else (Fact.PERSON_FROM, Fact.NOTICE_WITH)),
    } <= told
    assert verdict.reason in told


def test_an_explanation_does_not_borrow_the_words_of_another_edition() -> None:
    verdict = judged()
    with pytest.raises(ValueError, match="2026-01"):
        explain(verdict, edition=dataclasses.replace(EDITION, id="2027-01"), to=Audience.COURT)


@st.composite
def on_short_ladders(draw: st.DrawFn) -> Asked:
    """Questions whose clauses often know a letter and nothing else, which earlier cases may add rungs to."""
    asked = draw(worlds.questions(attributed=worlds.named, on_clause=True, plain=True))
    letter = (Rung(scope=Scope.ADDRESS, degree=Degree.NOTIFY),)
    shortened = tuple(
        dataclasses.replace(clause, ladder=draw(st.sampled_from([letter, letter, clause.ladder])))
        for clause in asked.edition.clauses
    )
    return dataclasses.replace(asked, edition=dataclasses.replace(asked.edition, clauses=shortened))


EXCEPTION = {
    "en": "except on", "de": "außer aus", "es": "salvo por", "fr": "sauf pour", "pt": "salvo por", "ja": "を除き",
}  # fmt: skip


def claims_of_a_measure(language: str) -> list[str]:
    """The sentences of a language that say that a measure may follow, as expressions."""
    said = sentences(language)
    complainant = said["complainant"]
    templates = [
        said["person_from"], said["notice_with"], complainant["person_decides"], complainant["measure_may_follow"],
    ]  # fmt: skip
    court = [r"Remedies open, .*", r"The clock may take .*", r"A measure may come .*"]
    return [re.sub(r"\\{\w+\\}", ".*", re.escape(template)) for template in templates] + court


@given(on_short_ladders(), st.sampled_from(Audience), st.sampled_from(sorted(EXCEPTION)))
@often
def test_a_measure_is_said_to_follow_only_where_one_is_open_and_none_before_a_letter_with_its_exception(
    asked: Asked, audience: Audience, language: str
) -> None:
    verdict = answered(asked)
    claims = claims_of_a_measure(language)
    for sentence in explain(verdict, edition=asked.edition, to=audience, language=language):
        if any(re.fullmatch(claim, sentence.text) for claim in claims):
            assert measures(verdict), sentence
        if Fact.NOTICE_FIRST in sentence.rests_on:
            assert EXCEPTION["en" if audience is Audience.COURT else language] in sentence.text


def test_where_the_clause_knows_only_a_letter_nobody_is_told_that_a_measure_may_follow() -> None:
    shared = judged("copyright/p2p")
    assert shared.clause == "copyright.peer_to_peer"
    assert read(shared, Audience.COMPLAINANT).splitlines()[1:] == [
        "We tell whoever held it, and they have at most 72 hours to answer from then on.",
    ]
    assert "Remedies open" not in read(shared, Audience.COURT)
    clauses = tuple(dataclasses.replace(c, decides=None) for c in EDITION.clauses if c.id == shared.clause)
    undecided = dataclasses.replace(EDITION, clauses=clauses)
    verdict = judged("copyright/p2p", edition=undecided)
    assert verdict.decides is None
    for audience in Audience:
        said = " ".join(sentence.text for sentence in explain(verdict, edition=undecided, to=audience))
        assert "may follow" not in said
        assert "suffices" not in said
        assert "The clock may take" not in said


def judged(
    type: str = "messaging/spam",
    *,
    strikes: int = 0,
    trust: Trust | None = None,
    age: int = 5,
    edition: Edition = EDITION,
) -> Verdict:
    return judge(
        Allegation(type=type, moment=Moment(NOW - timedelta(hours=age))),
        attribution=Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1001"),
        history=History(cases_before=strikes), edition=edition, received_at=NOW, trust=trust,
    )  # fmt: skip


def read(verdict: Verdict, audience: Audience) -> str:
    return "\n".join(sentence.text for sentence in explain(verdict, edition=EDITION, to=audience))


def test_a_first_report_reads_so_to_a_customer_and_to_a_complainant() -> None:
    rule = "“Unsolicited bulk mail” in edition 2026-01 of the acceptable use policy of Example Network Operator"
    assert read(judged(), Audience.CUSTOMER) == "\n".join(
        (
            f"What was reported falls under {rule}.",
            "Our records name you as the holder over the whole time in question.",
            "No earlier case of this kind counts: none from the last 365 days.",
            "You have 24 hours to answer once our letter is handed over.",
            "Without an answer in time the narrowest measure that suffices may follow; from “walled garden” up a "
            "person decides first.",
            "No measure is taken before a letter about it was handed over, except on a recorded ground for urgency.",
        )
    )
    assert read(judged(), Audience.COMPLAINANT) == "\n".join(
        (
            f"What you reported falls under {rule}.",
            "We tell whoever held it, and they have at most 24 hours to answer from then on.",
            "If nothing is done, the narrowest measure that suffices may follow.",
        )
    )


def test_a_forgeable_flood_by_somebody_who_did_it_before_reads_so() -> None:
    told = read(judged("connection/ddos", strikes=3, trust=Trust(evidence=EvidenceGrade.SPOOFABLE)), Audience.CUSTOMER)
    assert "Nothing in the report rules out that somebody else sent these packets under your address." in told
    assert "No measure is taken by the clock: our analyst decides." in told
    assert "An earlier case of this kind from the last 365 days counts." in told
    assert "counts as going on" not in told
    assert Reason.HARM_IN_PROGRESS is judged("connection/ddos").reason


@given(any_question, st.sampled_from([Audience.CUSTOMER, Audience.COMPLAINANT]), st.sampled_from(sorted(spoken())))
@often
def test_every_language_says_what_english_says(asked: Asked, audience: Audience, language: str) -> None:
    verdict = answered(asked)
    english = explain(verdict, edition=asked.edition, to=audience)
    said = explain(verdict, edition=asked.edition, to=audience, language=f"{language}-XX")
    assert [sentence.rests_on for sentence in said] == [sentence.rests_on for sentence in english]
    for sentence, other in zip(said, english, strict=True):
        assert re.findall(r"\d+", sentence.text) == re.findall(r"\d+", other.text) or language == "ja", sentence
        assert "{" not in sentence.text
        assert sentence.text != other.text or language == "en"
    if Fact.STATUTE not in {basis.fact for basis in verdict.basis}:
        values = [re.findall(r"\d+", sentence.text) for sentence in said]
        assert [sorted(each) for each in values] == [sorted(re.findall(r"\d+", each.text)) for each in english]


def test_a_complainant_is_told_in_english_what_the_record_says_where_no_clause_was_looked_at() -> None:
    """The record's one sentence and the complainant's come from the same place; other languages follow the reason."""
    outside = judge(
        Allegation(type="messaging/spam", moment=Moment(NOW - timedelta(hours=5))),
        attribution=Attribution(grade=Grade.NONE, reason=AttributionReason.NOT_OUR_SPACE),
        history=History(), edition=EDITION, received_at=NOW,
    )  # fmt: skip
    assert read(outside, Audience.COMPLAINANT) == outside.explanation
    [german] = explain(outside, edition=EDITION, to=Audience.COMPLAINANT, language="de")
    assert german.text == (
        "Was gemeldet wurde, lag zur fraglichen Zeit außerhalb des Adressraums von Example Network Operator."
    )
    assert german.rests_on == (Reason.NOT_OUR_SPACE,)


def test_every_language_has_every_sentence_with_the_same_places() -> None:
    def shape(said: object) -> object:
        if isinstance(said, dict):
            return {key: shape(value) for key, value in said.items()}
        if isinstance(said, list):
            return len(said)
        return sorted(re.findall(r"{(\w+)}", str(said)))

    assert spoken() >= {"en", "de", "es", "fr", "pt", "ja"}
    english = sentences("en")
    for language in spoken():
        assert shape(dict(sentences(language))) == shape(dict(english)), language
    assert sentences("xx") == english
