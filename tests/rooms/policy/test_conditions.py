"""Conditions of clauses: compiled once, true or not, and never a surprise."""

import shutil
import threading
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rooms.policy.test_editions import SPAM, mistaken
from tipstaff.policy import load_edition, shipped_editions
from tipstaff.policy.conditions import BadCondition, read_condition, report_facts
from tipstaff.words import Allegation

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


@given(facts)
def test_whatever_is_stated_every_condition_has_an_answer(stated: dict[str, object]) -> None:
    for condition in CONDITIONS:
        assert condition.holds(facts=stated) in (True, False)  # type: ignore[arg-type]  # what hypothesis draws


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
