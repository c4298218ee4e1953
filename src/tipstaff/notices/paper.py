"""A letter on paper: the same words as a PDF to print and post, with the link to its page as a QR code.

Every font is in the file, so that it is printed as it was made. Japanese takes one that is installed here; without one
no letter is made, rather than one of empty boxes.
"""

import io
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from tipstaff.words import Letter

from .prose import PORTAL_LINK

ADDRESS_LINES_MAX, ADDRESS_CHARACTERS_MAX = 8, 80
_LATIN = "Vera"
FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
JAPANESE = ("ipaexg.ttf", "ipag.ttf", "ipagp.ttf", "TakaoPGothic.ttf", "TakaoGothic.ttf", "VL-Gothic-Regular.ttf",
            "DroidSansFallbackFull.ttf", "wqy-zenhei.ttc", "wqy-microhei.ttc")  # fmt: skip
"""Fonts with the characters of Japanese whose outlines a PDF may hold (TrueType), the better first."""


class NoAddress(ValueError):
    """A letter on paper takes one to eight lines of address, of 80 characters at the most."""


class NoFont(ValueError):
    """No font is installed in which this can be printed: install fonts-ipafont-gothic, or name one in the settings
    ([mail_out] paper_font). Until then the letter goes another way."""


def address_lines(text: str) -> tuple[str, ...]:
    """The lines of a postal address as somebody typed it; raise NoAddress."""
    lines = tuple(line for each in text.splitlines() if (line := " ".join(each.split())))
    if not 1 <= len(lines) <= ADDRESS_LINES_MAX or any(len(line) > ADDRESS_CHARACTERS_MAX for line in lines):
        raise NoAddress(NoAddress.__doc__)
    return lines


def can_be_printed(letter: Letter, *, own_font: str = "") -> bool:
    """Whether a font is here for the letter's own words."""
    try:
        _font_for(letter, (), own_font=own_font)
    except NoFont:
        return False
    return True


def letter_on_paper(
    letter: Letter, *, to: Sequence[str], operator: str, dated: str, link: str | None, own_font: str = ""
) -> bytes:  # fmt: skip
    """The letter as a PDF of A4 pages. `to` are the lines of the address, `dated` the day as the letter says it.

    `link` stands in the text where the letter has one, and as a QR code at its end: nobody types it. `own_font` is a
    file that stands before those that are installed. Raise NoFont.
    """
    font = _font_for(letter, to, own_font=own_font)
    plain = ParagraphStyle("plain", fontName=font, fontSize=10, leading=14, alignment=TA_LEFT, splitLongWords=True)
    head = ParagraphStyle("head", parent=plain, fontSize=12, leading=16, spaceAfter=6 * mm)
    if letter.language == "ja":
        plain.wordWrap = head.wordWrap = "CJK"
    body = letter.body.replace(PORTAL_LINK, link or "")
    story = [
        Paragraph(escape(operator), plain),
        Spacer(0, 12 * mm),
        Paragraph("<br/>".join(map(escape, to)), plain),
        Spacer(0, 12 * mm),
        Paragraph(escape(dated), plain),
        Spacer(0, 8 * mm),
        Paragraph(escape(letter.subject), head),
    ]
    for block in body.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if len(lines) > 1 and not lines[1].strip("-"):  # As the letters' prose underlines a heading.
            story.append(Paragraph(f"<u>{escape(lines[0])}</u>", plain))
            lines = lines[2:]
        if any(lines):
            story += [Paragraph("<br/>".join(map(_spaced, lines)), plain), Spacer(0, 3 * mm)]
    if link is not None and PORTAL_LINK in letter.body:
        code = QrCodeWidget(link, barWidth=35 * mm, barHeight=35 * mm, barLevel="M")
        story.append(Drawing(35 * mm, 35 * mm, code))

    def number(page: Canvas, _: object) -> None:
        page.setFont(font, 8)
        page.drawString(25 * mm, 12 * mm, f"{letter.key}, {page.getPageNumber()}")

    out = io.BytesIO()
    SimpleDocTemplate(
        out, pagesize=A4, leftMargin=25 * mm, rightMargin=20 * mm, topMargin=25 * mm, bottomMargin=20 * mm,
        title=letter.subject, author=operator, lang=letter.language,
    ).build(story, onFirstPage=number, onLaterPages=number)  # fmt: skip
    return out.getvalue()


def _spaced(line: str) -> str:
    """A line of the letter, with the gaps between its columns."""
    return escape(line).replace("  ", "\u00a0\u00a0")


def _font_for(letter: Letter, to: Sequence[str], *, own_font: str) -> str:
    """A font for the letter, and for all of the address: where it goes is no use in boxes. Raise NoFont."""
    wanted = frozenset("".join(to)) - {" "}
    if letter.language == "ja":
        wanted |= frozenset(c for c in letter.subject + letter.body if "\u3040" <= c <= "\u9fff")
    found = next((name for name, has in _fonts(own_font) if all(ord(c) in has for c in wanted)), None)
    if found is None:
        raise NoFont(" ".join(str(NoFont.__doc__).split()))
    return found


@cache
def _fonts(own_font: str) -> tuple[tuple[str, Collection[int]], ...]:
    """The fonts that can be put into a PDF, each with the characters that it has, made known once."""
    installed = {path.name: path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.tt[fc]"))}
    files = ["Vera.ttf", own_font, *(str(installed[name]) for name in JAPANESE if name in installed)]
    found = []
    for number, file in enumerate(filter(None, files)):
        name = _LATIN if number == 0 else file
        try:
            font = TTFont(name, file)
        except (TTFError, OSError):
            continue  # Of another kind, or not to be read: as if it were not there.
        pdfmetrics.registerFont(font)
        found.append((name, frozenset(font.face.charToGlyph)))
    return tuple(found)
