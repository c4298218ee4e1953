"""How lines lead to what they name: members of one list, rows of one table, cells below one title."""

import re

from .candidate import Shape
from .find import Found
from .sections import Line

_BULLETS = " \t*-•·>|[(\"'<"
_LIST_JOIN = re.compile(
    r"\A[\])\"'>]{0,2}(?:\s?\([^)]{0,40}\))?\s{0,3}(?:,|;|/|&|\band\b|\bund\b|\bet\b|\by\b|\be\b|"
    r"\bи\b|\+|\s)\s{0,3}(?:and |und |et |y |e |и )?[\[(\"'<]{0,2}\Z"
)
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]{1,20}")
_WIDE = re.compile(r" {2,}")
_WORDS_KEPT = 3
_LABEL_WORDS = 8


def separator(text: str) -> str:
    """What parts the cells of a line, or an empty text when it is no row of a table."""
    if text.count("\t") >= 2:
        return "\t"
    if text.count('","') >= 2:
        return '","'
    for sign in ("|", ";"):
        if text.count(sign) >= 2:
            return sign
    if text.count(",") - text.count(", ") >= 2:
        return ","
    return "  " if len(_WIDE.findall(text.strip())) >= 2 else ""


def cell_of(text: str, start: int, sign: str) -> int:
    """The number of the cell in which a place lies, from 0."""
    before = text[:start]
    return len(_WIDE.findall(before.lstrip())) if sign == "  " else before.count(sign)


class Columns:
    """The titles of the table that is being read, kept from its first line on."""

    def __init__(self) -> None:
        self._sign = ""
        self._zone = ""
        self._titles: list[str] = []

    def see(self, line: Line, *, names_something: bool) -> None:
        """Look whether a line could be the titles of the rows below it."""
        if names_something:
            return
        text = line.plain
        sign = separator(text)
        if not sign:
            return
        cells = (_WIDE.split(text.strip()) if sign == "  " else text.split(sign))[:80]
        telling = sum(1 for x in cells if _WORD.search(x) and len(x) <= 40)
        if len(cells) >= 3 and telling * 3 >= len(cells) * 2 and sum(map(str.isdigit, text)) * 8 <= len(text):
            self._sign, self._zone, self._titles = sign, line.zone, cells

    def title(self, line: Line, sign: str, cell: int) -> str:
        """The title above a cell, or an empty text."""
        if not self._titles or line.zone != self._zone or cell >= len(self._titles):
            return ""
        same = sign == self._sign or (sign == '","' and self._sign == ",")
        return self._titles[cell].strip(" \"'")[:40] if same else ""


def shapes_of(line: Line, things: list[Found]) -> tuple[list[Shape], list[int], str]:
    """For each thing of a line its shape and its place (things that are merely listed share one), and the separator."""
    text = line.plain
    shapes: list[Shape] = []
    places: list[int] = []
    sign = separator(text) if len(text) < 2000 else ""
    # A row of nothing but addresses is a list, however they are parted.
    row = sign if sign and len(things) <= text.count(sign) else ""
    for order, x in enumerate(things):
        between = text[things[order - 1].end : x.start][:60] if order else ""
        if order and _LIST_JOIN.match(between) and not (row and row in between):
            # Addresses in a row, with nothing between them but commas: all of them stand or fall together.
            shapes.append(shapes[-1])
            places.append(places[-1])
            continue
        place = places[-1] + 1 if places else 0
        places.append(place)
        before = text[: x.start]
        bare = not before[-40:].strip(_BULLETS) and not before.strip(_BULLETS)
        if bare and len(text) - x.end < 4:
            shapes.append((line.zone, "alone", _told(line.before, _LABEL_WORDS)))
        elif sign:
            shapes.append((line.zone, "cell", cell_of(text, x.start, sign), sign))
        elif bare:
            shapes.append((line.zone, "start"))
        else:
            number = line.number if line.zone == "subject" else 0
            shapes.append((line.zone, "text", place, _told(before) or _signs(before), number))
    return shapes, places, sign


def _told(label: str, most: int = _WORDS_KEPT) -> str:
    """The last words of what leads to a thing."""
    return " ".join(_WORD.findall(label[-12 * most :].lower())[-most:])


def _signs(before: str) -> str:
    """The last signs where no word leads to a thing."""
    return _DIGITS.sub("9", before[-4:]).strip()[-2:]
