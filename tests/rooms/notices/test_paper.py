"""Letters on paper: a PDF that says what the letter says, in every language, and holds whatever a stranger wrote."""

import re
import zlib
from base64 import a85decode
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tipstaff.notices.compose import LetterFacts, compose
from tipstaff.notices.letters import languages
from tipstaff.notices.paper import letter_on_paper
from tipstaff.words import Letter, LetterKind, LetterState


def letter_of(facts: LetterFacts, *, language: str) -> Letter:
    draft = compose(LetterKind.NOTICE, facts=replace(facts, language=language))
    return Letter(
        key="L-000044", kind=LetterKind.NOTICE, to="it@example.com", subject=draft.subject, body=draft.body,
        state=LetterState.RETURNED, case="C-000123", report=None, created_at=datetime(2026, 3, 17, tzinfo=UTC),
        sent_at=None, message_id="", language=draft.language,
    )  # fmt: skip


def on_paper(letter: Letter, *, link: str = "https://abuse.example.net/p/C-000123.6a.x") -> bytes:
    return letter_on_paper(
        letter, to=("Example Bakery", "1 Example Street"), operator="Example Net", dated="17 March 2026", link=link
    )  # fmt: skip


def pages_of(pdf: bytes) -> list[bytes]:
    """What is drawn on each page, unpacked."""
    found = re.findall(rb"/Filter \[ /ASCII85Decode /FlateDecode \][^>]*>>\s*stream\n(.*?)endstream", pdf, re.DOTALL)
    return [zlib.decompress(a85decode(b"<~" + each.strip(), adobe=True)) for each in found]


@pytest.mark.parametrize("language", sorted(languages()))
def test_a_notice_is_printed_with_its_code_in_every_language(language: str, facts: LetterFacts) -> None:
    letter = letter_of(facts, language=language)
    pdf = on_paper(letter)
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/Type /Page\n") >= 2, "a notice is longer than a page"
    assert (b"HeiseiKakuGo-W5" in pdf) == (language == "ja")
    bare = on_paper(replace(letter, body="Nothing to open."))
    squares, before = (sum(page.count(b" re") for page in pages_of(each)) for each in (pdf, bare))
    assert squares > before + 100, "the code is drawn, square by square"


def test_nothing_in_a_letter_is_taken_as_markup_and_no_letter_is_too_odd(facts: LetterFacts) -> None:
    letter = letter_of(facts, language="en")
    markup = "<font size=999>&amp;</para><img src='file:///etc/hostname'/>"
    for body in (markup, "x" * 50_000, "\n\n\n", "漢字 \U0001f600 \u202e"):
        assert on_paper(replace(letter, body=body, subject="<b>&</b>")).startswith(b"%PDF-1.")
