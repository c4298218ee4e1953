"""Editions are read strictly: every mistake is one sentence with file, line and clause."""

import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tipstaff.policy
from tipstaff.policy import (
    BadEdition,
    NoEditionInForce,
    UnknownClause,
    edition_in_force,
    load_edition,
    shipped_editions,
)
from tipstaff.policy.clauses import ClockKind, ClockUnit
from tipstaff.policy.editions import digest_of, policy_rows
from tipstaff.policy.toml_lines import lines_of

SHIPPED = Path(tipstaff.policy.__file__).parent / "editions" / "2026-01"
GOLDEN = Path(__file__).parent / "golden" / "mistakes.txt"

SPAM = "clauses/mail.unsolicited.toml"
FORGED = "clauses/routes.forged.toml"
BURST = 'findings = ["mail.burst"]\nwhen = "facts.messages_per_minute >= 500 && facts.recipients <= 5"'
MISTAKES: list[tuple[str, str, str | re.Pattern[str], str]] = [
    # (what is wrong, file, text, what it becomes)
    ("an unknown key", SPAM, 'severity = "medium"', 'severty = "medium"'),
    ("an unknown word", SPAM, 'severity = "medium"', 'severity = "mediun"'),
    ("a value of the wrong kind", SPAM, "hours = 24", 'hours = "24"'),
    ("an unknown kind of report", SPAM, '"messaging/bulk_messaging"]', '"messaging/bulk_mesaging"]'),
    ("a kind of report of another clause", SPAM, '["messaging/spam", ', '["content/malware", "messaging/spam", '),
    ("a name that is taken", SPAM, 'id = "mail.unsolicited"', 'id = "mail.spamvertised"'),
    ("a name that says nothing", SPAM, 'id = "mail.unsolicited"', 'id = "Clause18"'),
    ("a row that there is not", SPAM, "rows = [18]", "rows = [118]"),
    ("a missing key", SPAM, re.compile(r"^title = .*\n", re.M), ""),
    ("an empty text", SPAM, re.compile(r"^title = .*$", re.M), 'title = ""'),
    ("a ladder that leads down", SPAM, '"mailbox: hold", "flow: block"', '"flow: block", "mailbox: hold"'),
    ("an unknown rung", SPAM, '"address: block"', '"adress: block"'),
    ("a port without its way", SPAM, 'measure_direction = "out"\n', ""),
    ("no port at all", SPAM, '"tcp/25"', '"25"'),
    ("more time for a repeated report", SPAM, "repeated_hours = 12", "repeated_hours = 36"),
    ("a statute's clock without its source", SPAM, 'kind = "operator"', 'kind = "statute"'),
    ("too few examples", SPAM, re.compile(r"\[\[example\]\].*", re.S), ""),
    ("an example twice", SPAM, 'id = "again"', 'id = "first-report"'),
    ("an example that expects no clause of ours", SPAM, 'clause = "mail.spamvertised"', 'clause = "mail.spam"'),
    ("an unknown word in an example", SPAM, 'grade = "ambiguous"', 'grade = "vague"'),
    ("an unknown key in an example", SPAM, "age_days = 200", "age_weeks = 30"),
    ("steps for what does not lead here", SPAM, '"messaging/bulk_messaging" = ', '"messaging/bulk" = '),
    ("a name that is no test", SPAM, '"tests/procedures/', '"procedures/'),
    ("something that serves nothing", SPAM, '"procedure: suspension"', '"suspension"'),
    ("a clause that awaits something and is proved", SPAM, "served_by = ", 'awaits = "A thing."\nserved_by = '),
    ("an unknown automatic step", SPAM, '"corroborate"', '"corroborat"'),
    (
        "an operator's clause that would judge",
        "clauses/way.forward.toml",
        'acts = "operator"',
        'acts = "operator"\nkind = "conduct"',
    ),
    ("a condition that cannot be read", FORGED, "facts.seen_by >= 3", "facts.seen_by >="),
    ("a condition about something else", FORGED, "facts.seen_by >= 3", "weather.rain >= 3"),
    ("a condition that calls what is not there", FORGED, "facts.seen_by >= 3", "twice(3) > 1"),
    ("a condition on a fact that nothing states", FORGED, "facts.seen_by >= 3", "facts.seen_bye >= 3"),
    ("a condition on what no report states", FORGED, "facts.seen_by >= 3", "report['prot'] == 'tcp'"),
    ("a finding of no form", FORGED, 'findings = ["routes.', 'findings = ["Routes/'),
    ("an example about nothing", FORGED, 'type = "unknown/unknown", ', ""),
    ("an event that a clause of conduct answers", FORGED, "findings = ", 'events = ["a.b"]\nfindings = '),
    ("two clauses for one finding", FORGED, re.compile(r"findings = .*\nwhen = .*"), BURST),
    ("a sealed kind that is told", "clauses/content.child_abuse.toml", '"withheld"', '"before"'),
    ("a file that is not TOML", SPAM, "rows = [18]", "rows = [18"),
    ("a name that no page can have", "edition.toml", 'id = "2026-01"', 'id = "2026/01"'),
    ("a name that is too long", "edition.toml", 'id = "2026-01"', 'id = "' + "2026-01-" * 5 + '"'),
    ("defamation under another row", "clauses/content.defamation.toml", "rows = [40]", "rows = [42]"),
    ("saying who it was under another row", "clauses/way.identify_user.toml", "rows = [81]", "rows = [42]"),
    ("one person who suspends", "clauses/way.suspend_or_terminate.toml", "two_people = true\n", ""),
    ("an instant without a zone", "edition.toml", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00"),
    ("an unknown parameter", "edition.toml", "memory_days", "memory_day"),
    ("a confidence beyond its bounds", "edition.toml", "= 0.5", "= 1.5"),
    ("a clock that serves nothing", "edition.toml", 'clause = "way.mailbox"', 'clause = "way.post"'),
    ("a clock of no length", "edition.toml", "hours = 4\n", ""),
    ("an operator's clock with a statute's source", "edition.toml", '"statute"\nsource', '"operator"\nsource'),
    ("business days of nowhere", "edition.toml", 'region = "US"\n', ""),
    ("a statute's months of nowhere", "edition.toml", 'months = 6\nregion = "IE"\n', "months = 6\n"),
    ("holidays of a place that is not there", "edition.toml", 'region = "US"', 'region = "XX"'),
    ("a notice that is withheld without end", "clauses/content.child_abuse.toml", "withheld_days = 30\n", ""),
    ("a window that ends before it begins", "edition.toml", "not_before = 10", "not_before = 15"),
    (
        "repeats of a group that no clause has",
        "edition.toml",
        "[repeats.mail]",
        "[repeats.post]\ndays = 9\n\n[repeats.mail]",
    ),
    ("steps that do not rise", "edition.toml", "strikes = 3", "strikes = 3\n\n[[repeats.mail.step]]\nstrikes = 2"),
    ("a time that no calendar holds", SPAM, "\nhours = 24\n", "\nhours = 99999999999\n"),
]


def mistaken(folder: Path, file: str, wrong: str | re.Pattern[str], instead: str) -> Path:
    """A copy of the shipped edition with one thing changed."""
    copy = folder / "2026-01"
    shutil.copytree(SHIPPED, copy)
    text = (copy / file).read_text(encoding="utf-8")
    changed = text.replace(wrong, instead, 1) if isinstance(wrong, str) else wrong.sub(instead, text, count=1)
    assert changed != text, "the shipped edition has changed; so must this test"
    (copy / file).write_text(changed, encoding="utf-8")
    return copy


def said_of(folder: Path, file: str, wrong: str | re.Pattern[str], instead: str) -> str:
    copy = mistaken(folder, file, wrong, instead)
    with pytest.raises(BadEdition) as caught:
        load_edition(copy, thorough=True)
    return str(caught.value).replace(str(folder) + os.sep, "")


def test_every_mistake_is_a_sentence_that_names_file_line_and_clause(tmp_path: Path) -> None:
    parts = []
    for number, (what, file, wrong, instead) in enumerate(MISTAKES):
        folder = tmp_path / str(number)
        folder.mkdir()
        sentence = said_of(folder, file, wrong, instead)
        assert "\n" not in sentence, "one mistake is one sentence"
        parts.append(f"# {what}\n{sentence}\n")
    said = "\n".join(parts)
    if os.environ.get("TIPSTAFF_GOLDEN") == "write":
        GOLDEN.write_text(said, encoding="utf-8")
    assert said == GOLDEN.read_text(encoding="utf-8")
    for line in said.splitlines():
        assert not line or line.startswith("#") or re.match(r"2026-01/[\w./]+\.toml:\d+: .+\.$", line)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    copy = mistaken(tmp_path, SPAM, 'severity = "medium"', 'severity = "mediun"')
    file = copy / "clauses" / "content.malware.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("rows = [13]", "rows = []"), encoding="utf-8")
    with pytest.raises(BadEdition) as caught:
        load_edition(copy)
    assert [problem.clause for problem in caught.value.problems] == ["content.malware", "mail.unsolicited"]


def test_a_folder_without_an_edition_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadEdition, match=r"edition\.toml:1: the file cannot be read"):
        load_edition(tmp_path)


def test_an_edition_without_clauses_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "edition.toml", tmp_path)
    with pytest.raises(BadEdition, match="has no clauses"):
        load_edition(tmp_path)


def test_the_digest_changes_with_every_word_and_with_nothing_else(tmp_path: Path) -> None:
    (shipped,) = shipped_editions()
    copy = mistaken(tmp_path, SPAM, "Unsolicited bulk mail", "Unsolicited bulk mail, of any kind")
    assert load_edition(copy).digest != shipped.digest
    again = tmp_path / "elsewhere"
    shutil.copytree(SHIPPED, again)
    (again / "notes.txt").write_text("Not part of the edition.", encoding="utf-8")
    for file in again.rglob("*.toml"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_edition(again).digest == shipped.digest


def test_the_digest_tells_names_from_contents() -> None:
    assert digest_of([("a", b"bc")]) != digest_of([("ab", b"c")])
    assert digest_of([("a", b"1"), ("b", b"2")]) == digest_of([("b", b"2"), ("a", b"1")])


def test_the_edition_in_force_is_the_latest_that_had_taken_effect(tmp_path: Path) -> None:
    (first,) = shipped_editions()
    copy = mistaken(tmp_path, "edition.toml", "2026-01-01T00:00:00Z", "2026-07-01T02:00:00+02:00")
    second = load_edition(copy)
    assert second.effective_at == datetime(2026, 7, 1, tzinfo=UTC)
    both = (second, first)
    assert edition_in_force(both, at=first.effective_at) is first
    assert edition_in_force(both, at=second.effective_at - timedelta(microseconds=1)) is first
    assert edition_in_force(both, at=second.effective_at) is second
    with pytest.raises(NoEditionInForce):
        edition_in_force(both, at=first.effective_at - timedelta(microseconds=1))


def test_a_statutes_clock_is_told_from_the_operators() -> None:
    (edition,) = shipped_editions()
    restore = edition.clock("copyright.restore")
    assert (restore.kind, restore.unit, restore.not_before, restore.amount) == (
        ClockKind.STATUTE,
        ClockUnit.BUSINESS_DAYS,
        10,
        14,
    )
    assert restore.source
    assert restore.length is None
    assert all(bool(clock.source) is (clock.kind is ClockKind.STATUTE) for clock in edition.clocks)
    assert edition.clock("measure.review").length == timedelta(hours=24)


def test_what_to_do_begins_with_what_is_particular_to_the_kind_of_report() -> None:
    (edition,) = shipped_editions()
    clause = edition.clause("hosts.exploited")
    assert clause.steps_for("connection/infected_host") == clause.what_to_do
    assert clause.steps_for("content/remote_compromise")[1:] == clause.what_to_do


def test_an_unknown_clause_is_said_to_be_so() -> None:
    (edition,) = shipped_editions()
    with pytest.raises(UnknownClause, match=r"2026-01 has no clause 'mail\.spam'"):
        edition.clause("mail.spam")
    with pytest.raises(UnknownClause):
        edition.clock("tea")


def test_there_are_ninety_eight_rows() -> None:
    assert list(policy_rows()) == list(range(1, 99))
    assert all(title and '"' not in title for title in policy_rows().values())


def test_lines_are_found_through_long_texts_lists_and_tables() -> None:
    text = """a = 1
long = \"\"\"
b = 2  # not a key
\"\"\"
list = [
  "one",  # ]
  "two",
]
[table."odd.name"]
c.d = { e = 3, f = "x" }
[[row]]
id = 'first'
[[row]]
id = "second"
[row.inner]
g = true
"""
    lines = lines_of(text)
    assert lines.line_of(("a",)) == 1
    assert lines.line_of(("long",)) == 2
    assert lines.line_of(("b",)) == 1
    assert lines.line_of(("list",), value="two") == 7
    assert lines.line_of(("table", "odd.name", "c", "d", "f")) == 10
    assert lines.line_of(("row", 0, "id")) == 12
    assert lines.line_of(("row", 1, "id")) == 14
    assert lines.line_of(("row", 1, "inner", "g")) == 16
    assert lines.line_of(("row", 1, "lacking")) == 13


def test_an_edition_may_name_no_clock_that_nothing_watches(tmp_path: Path) -> None:
    """It would be a promise to customers, or a duty by law, of which nobody is told that it is late."""
    copy = tmp_path / "mine"
    shutil.copytree(SHIPPED, copy)
    head = copy / "edition.toml"
    said = '\n[clocks."complaint.aknowledge"]\nkind = "operator"\nclause = "way.mailbox"\nhours = 2\nsays = "Soon."\n'
    head.write_text(head.read_text(encoding="utf-8").replace("\n# When it happens", f"{said}\n# When it happens"))
    with pytest.raises(BadEdition) as why:
        load_edition(copy, thorough=True)
    assert (
        'nothing starts or watches a clock "complaint.aknowledge"; perhaps "complaint.acknowledge" is meant.'
        in str(why.value)
    )  # fmt: skip
    load_edition(copy)  # One that was posted stays readable.
    head.write_text(head.read_text(encoding="utf-8").replace("complaint.aknowledge", "desk.decide.mail"))
    load_edition(copy, thorough=True)
