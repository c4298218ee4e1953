"""Letters on paper: a PDF that says what the letter says, in every language, and holds whatever a stranger wrote."""

import re
import zlib
from base64 import a85decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tipstaff.notices import paper
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


IPA = Path("/usr/share/fonts/opentype/ipafont-gothic/ipag.ttf")
needs_a_font = pytest.mark.skipif(not IPA.exists(), reason="fonts-ipafont-gothic is not installed")


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is installed that has Japanese."""
    monkeypatch.setattr(paper, "FOLDERS", ())
    paper._fonts.cache_clear()
    yield
    paper._fonts.cache_clear()


@pytest.mark.parametrize(
    "language", [pytest.param(x, marks=needs_a_font if x == "ja" else ()) for x in sorted(languages())]
)
def test_a_notice_is_printed_with_its_code_in_every_language(language: str, facts: LetterFacts) -> None:
    letter = letter_of(facts, language=language)
    pdf = on_paper(letter)
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/Type /Page\n") >= 2, "a notice is longer than a page"
    assert pdf.count(b"/FontFile2") == pdf.count(b"/Type /FontDescriptor") >= 1, "every font is in the file"
    bare = on_paper(replace(letter, body="Nothing to open."))
    squares, before = (sum(page.count(b" re") for page in pages_of(each)) for each in (pdf, bare))
    assert squares > before + 100, "the code is drawn, square by square"


def test_nothing_in_a_letter_is_taken_as_markup_and_no_letter_is_too_odd(facts: LetterFacts) -> None:
    letter = letter_of(facts, language="en")
    markup = "<font size=999>&amp;</para><img src='file:///etc/hostname'/>"
    for body in (markup, "x" * 50_000, "\n\n\n", "漢字 \U0001f600 \u202e"):
        assert on_paper(replace(letter, body=body, subject="<b>&</b>")).startswith(b"%PDF-1.")


@needs_a_font
@pytest.mark.parametrize("own", ["", str(IPA), "/nowhere/at-all.ttf"])
def test_japanese_is_set_in_a_font_that_is_in_the_file(facts: LetterFacts, own: str) -> None:
    letter = letter_of(facts, language="ja")
    paper._fonts.cache_clear()
    assert paper.can_be_printed(letter, own_font=own)
    pdf = letter_on_paper(letter, to=("\u6771\u4eac", "1"), operator="x", dated="x", link=None, own_font=own)
    assert b"IPAGothic" in pdf
    assert len(pdf) > 20_000, "with the outlines of what is written"


def test_without_a_font_no_japanese_letter_is_made_and_the_message_says_what_to_install(
    facts: LetterFacts, no_fonts: None, tmp_path: Path
) -> None:
    letter = letter_of(facts, language="ja")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"OTTO" + b"\x00" * 64)
    for own in ("", str(broken)):
        assert not paper.can_be_printed(letter, own_font=own)
        with pytest.raises(paper.NoFont, match="fonts-ipafont-gothic"):
            letter_on_paper(letter, to=("x",), operator="x", dated="x", link=None, own_font=own)
    english = letter_of(facts, language="en")
    assert paper.can_be_printed(english)
    with pytest.raises(paper.NoFont):
        letter_on_paper(english, to=("\u6771\u4eac",), operator="x", dated="x", link=None)
