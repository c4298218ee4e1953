"""The examples of every shipped edition are tests: what is published is what is judged."""

import pytest

from tipstaff.policy.clauses import Clause, Edition, Example, ExampleKind
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.examples import differences, verdict_on
from tipstaff.words import XARF_TYPES, Allegation

EDITIONS = shipped_editions()
EXAMPLES = [
    pytest.param(edition, clause, example, id=f"{clause.id}/{example.id}")
    for edition in EDITIONS
    for clause, example in edition.examples()
]
CLAUSES = [pytest.param(clause, id=clause.id) for edition in EDITIONS for clause in edition.clauses]


@pytest.mark.parametrize(("edition", "clause", "example"), EXAMPLES)
def test_an_example_of_the_edition_holds(edition: Edition, clause: Clause, example: Example) -> None:
    assert differences(example, clause=clause, edition=edition) == ()


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_shows_a_hit_a_near_miss_and_an_exempt_or_exigent_case(clause: Clause) -> None:
    kinds = {example.kind for example in clause.examples}
    assert len(clause.examples) >= 3
    assert {ExampleKind.HIT, ExampleKind.NEAR_MISS} <= kinds
    assert kinds & {ExampleKind.EXEMPT, ExampleKind.EXIGENT}


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_lies_in_the_file_of_its_name(clause: Clause) -> None:
    assert clause.file.endswith(f"/{clause.id}.toml")


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_is_two_to_five_sentences_and_an_example_one(clause: Clause) -> None:
    assert 2 <= clause.text.count(". ") + 1 <= 5
    assert all(example.says.endswith(".") and ". " not in example.says for example in clause.examples)


@pytest.mark.parametrize("type", sorted(XARF_TYPES))
def test_every_kind_of_report_leads_to_a_clause(type: str) -> None:
    for edition in EDITIONS:
        assert edition.clause_for(Allegation(type=type)) is not None
        assert edition.clause_for(Allegation(type=type, url="http://example.net/")) is not None


@pytest.mark.parametrize(("edition", "clause", "example"), EXAMPLES)
def test_an_explanation_is_one_or_two_sentences_that_name_what_they_rest_on(
    edition: Edition, clause: Clause, example: Example
) -> None:
    verdict = verdict_on(example, clause=clause, edition=edition)
    assert verdict.explanation.endswith(".")
    assert 1 <= verdict.explanation.replace(".toml", "").count(". ") + 1 <= 2
    if verdict.answer_within is not None:
        assert verdict.clause is not None
        assert edition.clause(verdict.clause).title in verdict.explanation
        assert edition.id in verdict.explanation
