"""A row works only with a test that exists; the commands say so as prose that was reviewed."""

import ast
import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tipstaff.policy
from tipstaff.policy.coverage import RowState, coverage
from tipstaff.policy.editions import policy_rows, shipped_editions

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
SHIPPED = Path(tipstaff.policy.__file__).parent / "editions" / "2026-01"
EDITION = shipped_editions()[-1]
NAMED = sorted({test for clause in EDITION.clauses for test in clause.proved_by})


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_a_clause_names_exists(named: str) -> None:
    file, _, name = named.partition("::")
    function, _, parameter = name.rstrip("]").partition("[")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if file.endswith("policy/test_examples.py"):
        assert parameter in {f"{clause.id}/{example.id}" for clause, example in EDITION.examples()}


def test_a_row_works_only_with_a_named_test() -> None:
    rows = coverage(EDITION, rows=policy_rows())
    assert [row.row for row in rows] == list(range(1, 99))
    for row in rows:
        assert bool(row.tests) is (row.state is not RowState.NOT_YET)
        assert row.clauses or row.state is RowState.NOT_YET


def test_what_counsel_decides_first_counts_as_a_persons() -> None:
    states = {row.row: row.state for row in coverage(EDITION, rows=policy_rows())}
    assert states[41] is RowState.PERSON
    assert states[18] is RowState.WORKS
    assert states[50] is RowState.NOT_YET


def said(*arguments: str, code: int = 0) -> str:
    from tipstaff.cli.policy import app

    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("show-edition", ["show"]),
        ("show-clause", ["show", "content.phishing"]),
        ("show-operators-clause", ["show", "way.without_warning"]),
        ("check", ["check"]),
        ("coverage", ["coverage"]),
    ],
)
def test_the_commands_speak_as_reviewed(name: str, arguments: list[str]) -> None:
    golden = GOLDEN / f"{name}.txt"
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", said(*arguments))
    if os.environ.get("TIPSTAFF_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_coverage_is_also_there_for_programs() -> None:
    told = json.loads(said("coverage", "--json"))
    assert sum(told["counts"].values()) == len(told["rows"]) == 98
    assert told["rows"][17]["clauses"] == ["mail.unsolicited"]


def test_an_unknown_clause_is_one_sentence() -> None:
    assert "has no clause 'mail.spam'; `tipstaff policy show` lists them." in said("show", "mail.spam", code=2)


def test_an_edition_with_an_example_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    (copy / "clauses").mkdir(parents=True)
    for file in SHIPPED.rglob("*.toml"):
        (copy / file.relative_to(SHIPPED)).write_bytes(file.read_bytes())
    spam = copy / "clauses" / "mail.unsolicited.toml"
    spam.write_text(spam.read_text(encoding="utf-8").replace("\nhours = 24\n", "\nhours = 48\n"), encoding="utf-8")
    told = said("check", str(copy), code=1)
    assert "mail.unsolicited/first-report: answer_within should be 24 hours and is 48 hours" in told
    assert "way.warn_first/told-first: answer_within should be 24 hours and is 48 hours" in told
    spam.write_text("id = ", encoding="utf-8")
    told = said("check", str(copy), code=1)
    assert "mail.unsolicited.toml:1: this is not TOML" in told
    assert "1 mistake found." in told
