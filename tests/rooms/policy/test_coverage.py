"""A row works only with a test that exists; the commands say so as prose that was reviewed."""

import inspect
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tipstaff.policy
from tipstaff import wiring
from tipstaff.policy.clauses import AutoStep, Opens
from tipstaff.policy.coverage import RowState, coverage, missing_tests, read_results, state_of
from tipstaff.policy.deciding import SPEECH_ROWS
from tipstaff.policy.editions import policy_rows, shipped_editions
from tipstaff.words import Role

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
SHIPPED = Path(tipstaff.policy.__file__).parent / "editions" / "2026-01"
EDITION = shipped_editions()[-1]


def test_every_test_that_a_clause_names_exists() -> None:
    assert list(missing_tests(EDITION, root=ROOT)) == []


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("tests/rooms/policy/test_nothing.py::test_x", "which does not exist"),
        ("tests/rooms/policy/test_coverage.py::test_that_nobody_wrote", "which does not exist"),
        ("tests/rooms/policy/test_coverage.py::said", "which does not exist"),
        ("tests/rooms/policy/test_examples.py::test_an_example_of_the_edition_holds[no.clause]", "run for no.clause"),
        ("tests/rooms/policy/test_coverage.py::test_coverage_is_also_there_for_programs[x.y]", "run for x.y"),
    ],
)
def test_a_test_that_does_not_exist_is_found(named: str, sentence: str) -> None:
    clause = replace(EDITION.clauses[0], proved_by=(named,))
    [missing] = missing_tests(replace(EDITION, clauses=(clause,)), root=ROOT)
    assert sentence in missing


def test_a_row_works_only_with_a_named_test_and_something_that_serves_it() -> None:
    rows = coverage(EDITION, rows=policy_rows())
    assert [row.row for row in rows] == list(range(1, 99))
    for row in rows:
        assert row.clauses, f"row {row.row} stands in no clause"
        if row.state is not RowState.NOT_YET:
            assert row.tests
            assert row.served_by
        else:
            assert row.limits, f"row {row.row} does not say what is missing"


def test_without_its_test_or_what_serves_it_a_clause_does_not_work() -> None:
    clause = EDITION.clause("mail.unsolicited")
    assert state_of(clause) is RowState.WORKS
    assert state_of(replace(clause, proved_by=())) is RowState.NOT_YET
    assert state_of(replace(clause, served_by=())) is RowState.NOT_YET
    assert state_of(replace(clause, awaits="A thing.")) is RowState.NOT_YET


STEPS = {
    AutoStep.TAKE_IN: ("test_every_clause.py", "test_forwarding.py"),
    AutoStep.CORROBORATE: ("test_a_second_sender", "test_trust.py", "test_sightings.py"),
    AutoStep.MEASURE: ("test_detectors.py", "test_books.py"),
    AutoStep.RECONCILE: ("test_detectors.py", "test_detecting.py"),
    AutoStep.VET: ("test_admission.py", "test_vetting.py"),
    AutoStep.SEAL: ("test_sealed_reports", "sealed_queue"),
    AutoStep.TELL: ("test_forwarding.py", "test_answers.py", "test_measures.py", "test_in_touch.py"),
    AutoStep.PLAN: (
        "test_measures.py",
        "test_planner.py",
        "test_a_repeat_within_memory",
        "test_transit.py",
        "test_spreading.py",
        "test_filtering.py",
    ),
    AutoStep.PUBLISH: ("test_editions.py", "test_policy_pages.py", "test_detecting.py"),
    AutoStep.CHECK_FORM: ("test_legal_form.py", "test_the_form_of_a_request"),
    AutoStep.PROBE: (
        "test_exposure.py",
        "test_a_contact_whom_no_mail_reaches",
        "test_mailbox_probe.py",
        "test_address_questions.py",
        "test_retesting.py",
        "test_accountability.py",
    ),
    AutoStep.ATTRIBUTE: ("test_lookup.py", "test_address_questions.py", "test_disclosure.py"),
}
"""By which tests each automatic step is proved, whatever clause claims it."""


def test_every_step_that_a_served_clause_calls_automatic_is_proved_or_said_not_to_be_built() -> None:
    assert set(STEPS) == set(AutoStep)
    for clause in EDITION.clauses:
        if clause.awaits or clause.untried_events:
            continue  # It is not served at all, and says so.
        for step in clause.automatic:
            proved = any(part in test for test in clause.proved_by for part in STEPS[step])
            assert proved is not (step in clause.not_built), (clause.id, step)


def test_a_step_that_is_not_built_keeps_a_clause_from_being_served() -> None:
    clause = EDITION.clause("mail.unsolicited")
    assert state_of(replace(clause, not_built=(AutoStep.CORROBORATE,))) is RowState.NOT_YET
    assert state_of(replace(clause, events=("nothing.raises_this",))) is RowState.NOT_YET


@pytest.mark.parametrize(
    "left", [{"decides": Role.ANALYST}, {"two_people": True}, {"left_to_people": "That."}, {"opens": Opens.PERSON}]
)
def test_whatever_is_left_to_people_makes_it_a_persons(left: dict[str, object]) -> None:
    clause = EDITION.clause("mail.unsolicited")
    assert state_of(replace(clause, **left)) is RowState.PERSON  # type: ignore[arg-type]  # any field


def test_no_program_scores_content() -> None:
    """Content comes before the judge because somebody reported it: no clause about it takes a finding of a program."""
    about = [clause for clause in EDITION.clauses if clause.id.startswith(("content.", "copyright.", "rights."))]
    assert len(about) > 15
    for clause in (*about, *(c for c in EDITION.clauses if not SPEECH_ROWS.isdisjoint(c.rows))):
        assert clause.findings == (), clause.id
    for detector in wiring.detectors().values():
        source = Path(inspect.getfile(type(detector))).read_text(encoding="utf-8")
        assert '"content/' not in source


RUN = """<testsuites><testsuite>
<testcase classname="tests.rooms.a.test_x" name="test_good"/>
<testcase classname="tests.rooms.a.test_x" name="test_bad"><failure message="no"/></testcase>
<testcase classname="tests.rooms.a.test_x" name="test_broken"><error message="no"/></testcase>
<testcase classname="tests.rooms.a.test_x.TestIt" name="test_inside"/>
<testcase classname="tests.rooms.a.test_x" name="test_away"><skipped message="no nft"/></testcase>
<testcase classname="tests.rooms.a.test_x" name="test_each[mail.unsolicited]"/>
<testcase classname="tests.rooms.a.test_x" name="test_each[mail.storage]"><failure message="no"/></testcase>
</testsuite></testsuites>"""
FILE = "tests/rooms/a/test_x.py"


@pytest.mark.parametrize(
    ("named", "state", "why"),
    [
        ("test_good", RowState.WORKS, ""),
        ("test_inside", RowState.WORKS, ""),
        ("test_each[mail.unsolicited]", RowState.WORKS, ""),
        ("test_each[mail.storage]", RowState.NOT_YET, "failed."),
        ("test_each", RowState.NOT_YET, "failed."),
        ("test_bad", RowState.NOT_YET, "failed."),
        ("test_broken", RowState.NOT_YET, "failed."),
        ("test_away", RowState.NOT_YET, "was skipped."),
        ("test_goo", RowState.NOT_YET, "was not run."),
        ("test_nowhere", RowState.NOT_YET, "was not run."),
    ],
)
def test_of_a_run_only_a_test_that_passed_proves_anything(named: str, state: RowState, why: str) -> None:
    clause = replace(EDITION.clause("mail.bombing"), proved_by=(f"{FILE}::{named}",))
    results = read_results(RUN.encode())
    assert state_of(clause, results=results) is state
    assert state_of(clause) is RowState.WORKS
    [row] = coverage(replace(EDITION, clauses=(clause,)), rows={23: "Mail bombing"}, results=results)
    assert row.state is state
    assert [limit for limit in row.limits if FILE in limit] == ([f"{FILE}::{named} {why}"] if why else [])


def test_the_command_takes_the_results_of_a_run(tmp_path: Path) -> None:
    """Made from what the edition names itself: all of it passed, then one of them did not."""
    named = sorted({test for clause in EDITION.clauses for test in clause.proved_by})

    def run(*, but: str = "", child: str = "") -> list[str]:
        cases = []
        for test in named:
            file, _, name = test.partition("::")
            inside = child if test == but else ""
            place = file.removesuffix(".py").replace("/", ".")
            cases.append(f'<testcase classname="{place}" name="{name}">{inside}</testcase>')
        (tmp_path / "run.xml").write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        return ["coverage", "--json", "--results", str(tmp_path / "run.xml")]

    whole = json.loads(said("coverage", "--json"))["counts"]
    assert json.loads(said(*run()))["counts"] == whole
    proof = EDITION.clause("mail.bombing").proved_by[0]
    skipped = json.loads(said(*run(but=proof, child="<skipped/>")))
    assert skipped["rows"][22]["state"] == "not yet"
    assert skipped["counts"]["works"] < whole["works"]
    failed = json.loads(said(*run(but=proof, child="<failure/>"), code=1))
    assert any(f"names {proof}, which failed." in sentence for sentence in failed["missing"])
    (tmp_path / "run.xml").write_text("no results")
    assert "run.xml cannot be read: it is no XML" in said("coverage", "--results", str(tmp_path / "run.xml"), code=2)


def test_a_row_has_come_only_as_far_as_its_last_clause() -> None:
    states = {row.row: row.state for row in coverage(EDITION, rows=policy_rows())}
    assert state_of(EDITION.clause("content.phishing")) is RowState.WORKS
    assert states[11] is RowState.PERSON, "patents are counsel's"
    assert states[41] is RowState.PERSON
    assert states[18] is RowState.PERSON, "from a walled garden on an analyst decides"
    assert states[23] is RowState.WORKS
    assert states[35] is states[62] is RowState.PERSON, "an analyst confirms"
    assert states[49] is RowState.WORKS
    assert states[79] is RowState.PERSON, "an analyst decides on a measure"


def test_what_serves_a_clause_is_there() -> None:
    """Procedures are modules, pages have addresses, commands can be given; the desk is people."""
    from django.urls import NoReverseMatch, reverse
    from typer.main import get_command

    from tipstaff.cli.main import app

    commands = get_command(app).commands  # type: ignore[attr-defined]  # a group
    for service in {service for clause in EDITION.clauses for service in clause.served_by}:
        kind, _, name = service.partition(": ")
        match kind:
            case "procedure":
                assert (ROOT / "src" / "tipstaff" / "procedures" / f"{name}.py").exists(), service
            case "page":
                try:
                    reverse(name)
                except NoReverseMatch:
                    pytest.fail(f"there is no {service}")
            case "command":
                group, _, inner = name.partition(" ")
                assert group in commands, service
                assert not inner or inner in commands[group].commands, service
            case "detector":
                assert name in wiring.detectors(), service
            case "desk":
                assert name in ("reading", "case"), service
            case _:
                pytest.fail(f"{service} is nothing that exists")


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
    for part in ("clauses", "locales"):
        (copy / part).mkdir(parents=True)
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
