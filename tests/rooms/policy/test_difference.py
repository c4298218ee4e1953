"""What is different between two editions: nothing that reaches a customer goes unseen."""

from dataclasses import fields, replace
from typing import Any

import pytest

from tipstaff.policy import Edition
from tipstaff.policy.clauses import AutoStep, Clause, LegalForm
from tipstaff.policy.difference import (
    NOT_COMPARED,
    PARAMETERS,
    WORDS,
    ChangeKind,
    differences,
    effects,
    is_significant,
)
from tipstaff.policy.editions import shipped_editions
from tipstaff.words import Degree, Rung, Scope


@pytest.fixture(scope="module")
def shipped() -> Edition:
    return shipped_editions()[0]


def changed(edition: Edition, id: str, **fields_: Any) -> Edition:
    """The edition with one clause written anew."""
    clauses = tuple(replace(c, **fields_) if c.id == id else c for c in edition.clauses)
    assert clauses != edition.clauses
    return replace(edition, id="2026-07", clauses=clauses)


def test_every_field_of_a_clause_is_compared_or_says_why_not() -> None:
    names = {field.name for field in fields(Clause)}
    assert WORDS | NOT_COMPARED.keys() <= names
    assert not WORDS & NOT_COMPARED.keys()
    assert all(NOT_COMPARED.values())


def test_every_field_of_an_edition_is_compared_or_says_why_not() -> None:
    by_part = {"clauses", "clocks", "repeats", "purposes", "translations", "title", "introduction"}
    its_own = {"id", "effective_at", "digest", "verdicts"}  # Its name, its day, and what is worked out from the rest.
    assert {field.name for field in fields(Edition)} == by_part | its_own | {*PARAMETERS}


@pytest.mark.parametrize(
    ("id", "new"),
    [
        ("content.violent_threats", {"automatic": ()}),
        ("mail.unsolicited", {"automatic": tuple(AutoStep)}),
        ("content.terror_and_hatred", {"legal_form": None}),
        ("mail.unsolicited", {"legal_form": LegalForm.REMOVAL_ORDER}),
    ],
)
def test_what_is_done_by_itself_and_in_what_form_it_comes_are_rules(
    shipped: Edition, id: str, new: dict[str, object]
) -> None:
    (change,) = differences(shipped, after := changed(shipped, id, **new))
    assert (change.kind, change.what, [key for key, _, _ in change.rules]) == (ChangeKind.RULES, id, [*new])
    assert is_significant(shipped, after)


def test_another_company_matters_and_another_title_is_only_words(shipped: Edition) -> None:
    (change,) = differences(shipped, replace(shipped, entity="Another Operator"))
    assert (change.kind, change.what) == (ChangeKind.RULES, "entity")
    (change,) = differences(shipped, replace(shipped, title="Another title"))
    assert (change.kind, change.what) == (ChangeKind.WORDS, "title")


def test_an_effect_tells_of_each_rung_and_not_of_the_widest_alone(shipped: Edition) -> None:
    clause = next(clause for clause in shipped.clauses if clause.id == "mail.unsolicited")
    flow = Rung(scope=Scope.FLOW, degree=Degree.BLOCK)
    assert flow in clause.ladder[:-1], "narrower than the widest"
    narrower = tuple(rung for rung in clause.ladder if rung != flow)
    found = [e for e in effects(shipped, changed(shipped, clause.id, ladder=narrower)) if e.clause == clause.id]
    assert found
    assert all("block (flow)" in each.was and "block (flow)" not in each.now for each in found)
    ports = effects(shipped, changed(shipped, clause.id, measure_ports=(("tcp", 2525),)))
    assert ports
    assert all("tcp/2525" in each.now for each in ports if each.clause == clause.id)


def test_an_effect_tells_of_events_that_another_clause_answers(shipped: Edition) -> None:
    clause, example = next((c, e) for c, e in shipped.examples() if e.given.event and e.expect.clause == c.id)
    found = effects(shipped, changed(shipped, clause.id, events=()))
    (effect,) = [each for each in found if (each.clause, each.example) == (clause.id, example.id)]
    assert (effect.was, effect.now) == (f"{clause.id} answers it", "no clause answers it")


def test_the_same_edition_differs_in_nothing(shipped: Edition) -> None:
    assert differences(shipped, shipped) == ()
    assert effects(shipped, shipped) == ()
