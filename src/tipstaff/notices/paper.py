"""A letter on paper: the same words as a PDF to print and post, with the link to its page as a QR code. Pure.

Japanese is set in a font that the PDF names and the reader's program brings along; all else is in the file.
"""

import io
from collections.abc import Sequence
from functools import cache
from xml.sax.saxutils import escape

from reportlab.graphics.barcode.qr import QrCodeWidget
from reportlab.graphics.shapes import Drawing
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from tipstaff.words import Letter

from .prose import PORTAL_LINK

ADDRESS_LINES_MAX, ADDRESS_CHARACTERS_MAX = 8, 80
_JAPANESE = "HeiseiKakuGo-W5"
_LATIN = "Vera"


class NoAddress(ValueError):
    """A letter on paper takes one to eight lines of address, of 80 characters at the most."""


def address_lines(text: str) -> tuple[str, ...]:
    """The lines of a postal address as somebody typed it; raise NoAddress."""
    lines = tuple(line for each in text.splitlines() if (line := " ".join(each.split())))
    if not 1 <= len(lines) <= ADDRESS_LINES_MAX or any(len(line) > ADDRESS_CHARACTERS_MAX for line in lines):
        raise NoAddress(NoAddress.__doc__)
    return lines


def letter_on_paper(letter: Letter, *, to: Sequence[str], operator: str, dated: str, link: str | None) -> bytes:
    """The letter as a PDF of A4 pages. `to` are the lines of the address, `dated` the day as the letter says it.

    `link` stands in the text where the letter has one, and as a QR code at its end: nobody types it.
    """
    font = _fonts()[letter.language == "ja"]
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


@cache
def _fonts() -> tuple[str, str]:
    """The fonts for letters in Latin script and for Japanese, made known once."""
    pdfmetrics.registerFont(TTFont(_LATIN, "Vera.ttf"))
    pdfmetrics.registerFont(UnicodeCIDFont(_JAPANESE))
    return _LATIN, _JAPANESE
