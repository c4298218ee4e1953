"""Translations of an edition: complete, checked against it, and never binding."""

import re
from pathlib import Path

import pytest

from tests.rooms.policy.test_editions import mistaken, said_of
from tipstaff.policy import load_edition, shipped_editions

EDITION = shipped_editions()[-1]
GERMAN = "locales/de.toml"
SPAM = "Unverlangte Massenpost"


def test_every_clause_is_translated_with_as_many_steps_as_it_has() -> None:
    [german] = EDITION.translations
    assert german.locale == "de"
    for clause in EDITION.clauses:
        words = german.clauses[clause.id]
        assert len(words.what_to_do) == len(clause.what_to_do), clause.id
        assert words.what_to_do_for.keys() == clause.what_to_do_for.keys(), clause.id
        assert 2 <= len(re.findall(r"[.?!](?= [A-ZÄÖÜ]|$)", words.text)) <= 6, clause.id
        assert words.title != clause.title or clause.id == "content.phishing"
        assert words.text != clause.text


def test_a_reader_gets_the_translation_and_anybody_else_the_binding_words() -> None:
    assert EDITION.wording("mail.unsolicited", language="de").title == SPAM
    assert EDITION.wording("mail.unsolicited", language="de-AT").title == SPAM
    for language in ("en", "fr", ""):
        assert EDITION.wording("mail.unsolicited", language=language).title == "Unsolicited bulk mail"
    steps = EDITION.wording("mail.unsolicited", language="de").steps_for("messaging/bulk_messaging")
    assert steps[0].startswith("Zeigen Sie uns")
    assert len(steps) == 5


@pytest.mark.parametrize(
    ("wrong", "instead", "sentence"),
    [
        ('locale = "de"', 'locale = "deutsch"', '"deutsch" is no language'),
        ('locale = "de"', 'locale = "en"', '"en" is the language of the edition itself'),
        ('[clauses."mail.unsolicited"]', '[clauses."mail.unsolicitd"]', '"mail.unsolicitd" is no clause of this'),
        (re.compile(r'\[clauses\."way\.without_warning"\].*', re.S), "", "not translated: way.without_warning."),
        (re.compile(r'  "Lesen Sie die Satzung der Gruppe.*\n'), "", "the edition has 2 steps to take, and here are 1"),
        ('"content/suspicious_registration" =', '"content/fraud" =', "has not the types and steps"),
        ("note = ", "remark = ", '"remark" is not a key of a translation'),
    ],
)
def test_a_mistake_in_a_translation_is_named_with_its_line(
    tmp_path: Path, wrong: str | re.Pattern[str], instead: str, sentence: str
) -> None:
    said = said_of(tmp_path, GERMAN, wrong, instead)
    assert re.search(r"2026-01/locales/de\.toml:\d+: ", said)
    assert sentence in said


def test_a_translations_words_are_part_of_the_digest(tmp_path: Path) -> None:
    copy = mistaken(tmp_path, GERMAN, SPAM, "Massenpost, unverlangt")
    assert load_edition(copy).digest != EDITION.digest
