"""Conditions of clauses: compiled once, true or not, and never a surprise."""

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.policy.test_editions import SPAM, mistaken
from tipstaff.policy import judge, load_edition, shipped_editions
from tipstaff.policy.clauses import Failing
from tipstaff.policy.conditions import BadCondition, read_condition, report_facts
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    Disposition,
    Grade,
    History,
    Moment,
    Reason,
    Role,
    Sighting,
)

CONDITIONS = [clause.when for clause in shipped_editions()[-1].clauses if clause.when is not None]
facts = st.dictionaries(
    st.sampled_from(["validity", "seen_by", "other"]),
    st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text() | st.lists(st.text()).map(tuple),
)


def test_a_condition_holds_only_where_it_is_true() -> None:
    condition = read_condition("facts.seen_by >= 3 && facts.validity == 'invalid'")
    assert condition.holds(facts={"seen_by": 3, "validity": "invalid"})
    assert condition.why_not(facts={"seen_by": 2, "validity": "invalid"}) == "it is false"
    assert condition.why_not(facts={"validity": "invalid"}) == "nothing is stated about 'seen_by'"
    assert "No such overload" in (condition.why_not(facts={"seen_by": "many", "validity": "invalid"}) or "")
    assert "neither true nor false" in (read_condition("facts.seen_by").why_not(facts={"seen_by": 3}) or "")


OF_MANY_KINDS = [
    read_condition(text)
    for text in (
        "facts.other[2] == 'x'", "facts.seen_by / facts.other > 1", "facts.seen_by", "facts.validity + facts.other > 1",
        "facts.other.matches(facts.validity)", "int(facts.validity) > 1", "facts.seen_by > 1 || facts.other",
        "timestamp(facts.validity) > timestamp('2026-01-01T00:00:00Z')",
    )
]  # fmt: skip


@settings(deadline=None)
@given(facts)
def test_whatever_is_stated_every_condition_has_an_answer(stated: Any) -> None:
    for condition in (*CONDITIONS, *OF_MANY_KINDS):
        held, failed = condition.holds(facts=stated), condition.failure(facts=stated)
        assert held in (True, False)
        assert not (held and failed), condition.text


@pytest.mark.parametrize(
    ("text", "stated", "failed"),
    [
        ("facts.a > 1", {"a": 1}, ""),
        ("facts.a > 1", {}, ""),
        ("facts.a > 1", {"a": "secret"}, "it compares what is not of one kind"),
        ("facts.a[3] > 1", {"a": (1,)}, "it asks for a place that a list does not have"),
        ("1 / facts.a > 1", {"a": 0}, "its arithmetic has no result"),
        ("int(facts.a) > 1", {"a": "secret"}, "it calls something that does not take what is stated"),
        ("facts.a", {"a": "secret"}, "its value is neither true nor false"),
    ],
)
def test_a_condition_that_fails_says_so_and_repeats_nothing_of_what_is_stated(
    text: str, stated: dict[str, object], failed: str
) -> None:
    assert read_condition(text).failure(facts=stated) == failed  # type: ignore[arg-type]  # of any kind


def test_what_was_measured_and_no_condition_could_be_worked_out_of_is_a_persons() -> None:
    edition = shipped_editions()[-1]
    at = datetime(2026, 11, 20, tzinfo=UTC)
    for targets, reason in ((40, Reason.BELOW_THRESHOLD), ("many", Reason.CONDITION_FAILED)):
        seen = Sighting(
            sensor="flows", id="1", kind="flows.scan", source=ip_address("192.0.2.7"), moment=Moment(at),
            facts={"targets": targets, "minutes": 30, "announced": False},
        )  # fmt: skip
        holder = Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1")
        verdict = judge(seen, attribution=holder, history=History(), edition=edition, received_at=at)
        assert (verdict.reason, verdict.clause) == (reason, None)
    assert (verdict.disposition, verdict.decides) == (Disposition.PERSON, Role.ANALYST)
    assert edition.failing(seen) == (
        Failing(clause="network.scanning", key="found_when", why="it compares what is not of one kind"),
    )


def test_a_condition_decides_nothing_where_a_person_cited_the_clause() -> None:
    edition = shipped_editions()[-1]
    told = Allegation(type="messaging/spam", source=ip_address("192.0.2.7"))
    found = edition.clause_for(told)
    assert found is not None
    bad = replace(found, when=read_condition("report.type > 1"))
    edition = replace(edition, clauses=tuple(bad if c.id == bad.id else c for c in edition.clauses))
    assert [each.clause for each in edition.failing(told)] == [bad.id]
    assert edition.failing(replace(told, cited=bad.id)) == ()


@pytest.mark.parametrize(
    "text", ["facts.", "f(", "weather.rain > 1", "nothing(1) == 1", "1 +", "facts.a == " + "1" * 2000]
)
def test_what_cannot_be_read_is_refused_when_the_edition_is(text: str) -> None:
    with pytest.raises(BadCondition):
        read_condition(text)


def test_a_pattern_cannot_keep_the_judge_busy() -> None:
    """CEL's patterns are automata: what makes a backtracking one explode is read once from left to right."""
    condition = read_condition("facts.name.matches('^(a+)+$')")
    assert not condition.holds(facts={"name": "a" * 50_000 + "!"})


def test_a_condition_may_be_asked_in_any_thread() -> None:
    condition = read_condition("facts.a == 1")
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(condition.holds(facts={"a": 1})))
    thread.start()
    thread.join()
    assert answers == [True]


def test_a_report_leads_to_a_clause_with_a_condition_only_where_it_holds(tmp_path: Path) -> None:
    other = tmp_path / "mail.relayed.toml"
    copy = mistaken(
        tmp_path, SPAM, 'id = "mail.unsolicited"', 'id = "mail.relayed"\nwhen = "report.target_port == 587"'
    )
    (copy / SPAM).rename(other)
    (copy / SPAM).write_bytes((Path(__file__).parents[3] / SHIPPED_SPAM).read_bytes())
    other.rename(copy / "clauses" / other.name)
    shutil.rmtree(copy / "locales")  # The clause is new: no translation has it.
    edition = load_edition(copy)
    spam = Allegation(type="messaging/spam", source=ip_address("192.0.2.10"))
    with_port = Allegation(type="messaging/spam", source=ip_address("192.0.2.10"), target_port=587)
    plain, relayed = edition.clause_for(spam), edition.clause_for(with_port)
    assert plain is not None
    assert plain.id == "mail.unsolicited"
    assert relayed is not None
    assert relayed.id == "mail.relayed"


def test_a_condition_sees_only_what_a_report_states() -> None:
    stated = report_facts(Allegation(type="messaging/spam", target_port=25))
    assert stated == {"type": "messaging/spam", "target_port": 25, "confidence": 1.0}


SHIPPED_SPAM = "src/tipstaff/policy/editions/2026-01/clauses/mail.unsolicited.toml"
