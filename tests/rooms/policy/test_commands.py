"""`tipstaff policy test`, `diff` and `clock`: what an author of an edition sees."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.rooms.policy.test_editions import SHIPPED, SPAM, mistaken
from tipstaff.cli.policy import app
from tipstaff.policy import load_edition, shipped_editions
from tipstaff.policy.difference import ChangeKind, differences, effects, is_significant, marked

EDITION = shipped_editions()[-1]


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


def changed(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the shipped edition with some texts changed."""
    copy = folder / "2026-07"
    shutil.copytree(SHIPPED, copy)
    for file, was, now in (("edition.toml", 'id = "2026-01"', 'id = "2026-07"'), *changes):
        text = (copy / file).read_text(encoding="utf-8")
        assert was in text, "the shipped edition has changed; so must this test"
        (copy / file).write_text(text.replace(was, now), encoding="utf-8")
    return copy


def test_every_example_is_run_and_told() -> None:
    told = said("test")
    lines = [line for line in told.splitlines() if line.startswith("ok ")]
    assert len(lines) == sum(1 for _ in EDITION.examples()) >= 3 * len(EDITION.clauses)
    assert f"{len(lines)} of {len(lines)} examples hold." in told
    assert "ok   mail.unsolicited/first-report: A first report of bulk mail" in told
    assert said("test", "--clause", "routes.forged").endswith("3 of 3 examples hold.\n")


def test_an_example_that_does_not_hold_fails_and_says_how(tmp_path: Path) -> None:
    copy = changed(tmp_path, (SPAM, "\nhours = 24\n", "\nhours = 48\n"))
    told = said("test", str(copy), code=1)
    assert "FAIL mail.unsolicited/first-report" in told
    assert "answer_within should be 24 hours and is 48 hours" in told
    assert "No clause 'mail.spam' has examples" in said("test", "--clause", "mail.spam", code=2)


def test_an_event_whose_condition_fails_says_why(tmp_path: Path) -> None:
    copy = mistaken(tmp_path, "clauses/way.share_contact.toml", "facts.desk_address ||", "facts.desk_adress ||")
    told = " ".join(said("test", str(copy), code=1).split())
    assert "clause should be way.share_contact and is nothing, because of its condition nothing is stated about" in told


def test_a_finding_whose_condition_cannot_be_worked_out_says_why(tmp_path: Path) -> None:
    copy = mistaken(tmp_path, "clauses/duty.accountability.toml", "facts.score_percent < 50", "1 / 0 < 50")
    told = " ".join(said("test", str(copy), code=1).split())
    assert "clause should be duty.accountability and is nothing, because of its condition division by zero" in told
    file = copy / "clauses" / "duty.accountability.toml"
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if text.startswith("when ="))
    together = told.replace(" ", "")  # A long place is broken over lines.
    assert f"({file}:{line})" in together, "the condition"
    example = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if 'id = "half-of-it-fails"' in text)
    assert f"{file}:{example - 1}disposition" in together, "the example"
    checked = CliRunner().invoke(app, ["check", str(copy)], env={"COLUMNS": "400"})
    assert f"{file}:{example - 1}: duty.accountability/half-of-it-fails: " in checked.output


def test_what_is_different_is_told_in_words_rules_and_verdicts(tmp_path: Path) -> None:
    copy = changed(tmp_path, (SPAM, "\nhours = 24\n", "\nhours = 48\n"), (SPAM, "or guessed. If", "or made up. If"))
    told = said("diff", str(SHIPPED), str(copy))
    assert "Unsolicited bulk mail (mail.unsolicited): other rules" in told
    assert "answer within: 24 hours → 48 hours" in told
    assert "[-guessed.-] {+made up.+}" in told
    assert "mail.unsolicited/first-report: open case, mail.unsolicited, 24 hours to answer" in told
    assert "Customers are told of it." in told
    for_programs = json.loads(said("diff", "--json", str(SHIPPED), str(copy)))
    assert [change["what"] for change in for_programs["changes"]] == ["mail.unsolicited"]
    assert for_programs["effects"]
    assert "Nothing differs." in said("diff", str(SHIPPED), str(SHIPPED))


def test_other_words_alone_are_not_significant_and_everything_else_is(tmp_path: Path) -> None:
    words = load_edition(changed(tmp_path / "a", (SPAM, "or guessed. If", "or made up. If")))
    assert [change.kind for change in differences(EDITION, words)] == [ChangeKind.WORDS]
    assert not is_significant(EDITION, words)
    assert effects(EDITION, words) == ()
    for number, change in enumerate(
        [
            (SPAM, '"address: block", ', ""),
            (SPAM, 'severity = "medium"', 'severity = "high"'),
            ("edition.toml", "look_back_days = 180", "look_back_days = 181"),
            ("edition.toml", "hours = 4\n", "hours = 5\n"),
            ("clauses/routes.forged.toml", "facts.seen_by >= 3", "facts.seen_by >= 2"),
        ]
    ):
        assert is_significant(EDITION, load_edition(changed(tmp_path / str(number), change))), change


def test_a_clause_that_is_gone_or_new_is_significant(tmp_path: Path) -> None:
    copy = changed(tmp_path)
    (copy / "clauses" / "usenet.rules.toml").unlink()
    shutil.rmtree(copy / "locales")
    without = load_edition(copy)
    translated = [(ChangeKind.WORDS, f"translation {each.locale}") for each in EDITION.translations]
    assert [(c.kind, c.what) for c in differences(EDITION, without)] == [
        (ChangeKind.REMOVED, "usenet.rules"), *translated,
    ]  # fmt: skip
    assert [(c.kind, c.what) for c in differences(without, EDITION)] == [
        (ChangeKind.ADDED, "usenet.rules"), *translated,
    ]  # fmt: skip
    assert {effect.clause for effect in effects(EDITION, without)} == {"usenet.rules"}


def test_what_repeats_lead_to_and_which_rows_a_clause_serves_are_no_words() -> None:
    [first, *others] = EDITION.repeats
    longer = dataclasses.replace(first, lifetime=first.lifetime * 2)
    clause, *more = EDITION.clauses
    for changed_one in (
        dataclasses.replace(EDITION, repeats=(longer, *others)),
        dataclasses.replace(EDITION, repeats=tuple(others)),
        dataclasses.replace(EDITION, clauses=(dataclasses.replace(clause, rows=(98,)), *more)),
    ):
        assert is_significant(EDITION, changed_one)
    assert [c.kind for c in differences(EDITION, dataclasses.replace(EDITION, translations=()))] == [
        ChangeKind.WORDS for _ in EDITION.translations
    ]


def test_both_texts_can_be_read_from_the_marked_one() -> None:
    was, now = "Do not send bulk mail to people.", "Never send bulk letters to people at all."
    parts = list(marked(was, now))
    assert "".join(words for kind, words in parts if kind != "new") == was
    assert "".join(words for kind, words in parts if kind != "gone") == now


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["clock"], "copyright.restore                        10 to 14 business days, by 17 U.S.C. 512", 0),
        (
            ["clock", "copyright.restore", "--at", "2026-11-20T12:00-0500", "--zone", "America/New_York"],
            "Not before 2026-12-07 05:00 UTC.\nIt ends at 2026-12-12 05:00 UTC.",
            0,
        ),
        (["clock", "copyright.restore"], "Say with --at when it began", 2),
        (["clock", "tea", "--at", "2026-11-20T12:00Z"], "has no clock 'tea'", 2),
        (["clock", "copyright.restore", "--at", "2026-11-20T12:00Z", "--region", "XX"], "known of 'XX'", 2),
        (["clock", "transit.correct_first", "--at", "2026-11-20T12:00Z", "--zone", "Mars"], "no time zone 'Mars'", 2),
        (["coverage", "--tests", "."], " not yet under edition 2026-01.", 0),
    ],
)
def test_the_commands_answer_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str, code: int
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    assert sentence in said(*arguments, code=code)


def test_coverage_fails_where_a_named_test_is_not_there(tmp_path: Path) -> None:
    assert "which does not exist." in said("coverage", "--tests", str(tmp_path), code=1)


def for_programs(*arguments: str, code: int = 0) -> dict[str, object]:
    result = CliRunner().invoke(app, [*arguments, "--json"], env={"COLUMNS": "80"})
    assert result.exit_code == code, result.output
    read = json.loads(result.stdout)
    assert isinstance(read, dict)
    return read


def test_programs_read_what_people_read(tmp_path: Path) -> None:
    wrong = changed(tmp_path, (SPAM, "\nhours = 24\n", "\nhours = 48\n"))
    assert for_programs("show")["sha256"] == EDITION.digest
    shown = for_programs("show", "mail.unsolicited")
    assert shown["examples"][0]["verdict"]["answer_within_hours"] == 24  # type: ignore[index]  # read from JSON
    [checked] = for_programs("check")["editions"]  # type: ignore[misc]  # read from JSON
    assert (checked["wrong"], checked["sha256"]) == ([], EDITION.digest)
    [checked] = for_programs("check", str(wrong), code=1)["editions"]  # type: ignore[misc]  # read from JSON
    assert "clauses/mail.unsolicited.toml:" in checked["wrong"][0]
    tried = for_programs("test", str(wrong), "--clause", "mail.unsolicited", code=1)
    assert (tried["tried"], tried["failed"]) == (5, 1)
    assert tried["examples"][0]["place"].endswith("mail.unsolicited.toml:39")  # type: ignore[index]  # read from JSON


def test_a_mistake_in_the_form_is_told_to_programs_with_its_place(tmp_path: Path) -> None:
    broken = mistaken(tmp_path, "clauses/duty.accountability.toml", "facts.score_percent < 50", "facts.score_percent <")
    [mistake] = for_programs("check", str(broken), code=1)["mistakes"]  # type: ignore[misc]  # read from JSON
    assert "clauses/duty.accountability.toml:" in mistake
    assert "clause duty.accountability: the condition cannot be read" in mistake
