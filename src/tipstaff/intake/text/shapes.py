"""How lines lead to what they name: members of one list, rows of one table, cells below one title."""

import re
from functools import lru_cache

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
_NAME = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_WIDE = re.compile(r" {2,}")
_WORDS_KEPT = 3
_LONGEST_ROW = 2000
_LABEL_LETTERS = 160
_HOPS = frozenset({"headers", "file_headers"})
_SHORT_CELL = 30
_LETTERS = re.compile(r"[^\W\d_]+")
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
    return "  " if "  " in text and len(_WIDE.findall(text.strip())) >= 2 else ""


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

    def sign_of(self, line: Line) -> str:
        """What parts the cells of a line: what parted the titles above it, as long as it occurs there too."""
        sign = self._sign
        if sign and line.zone == self._zone:
            text = line.plain
            if (len(_WIDE.findall(text.strip())) if sign == "  " else text.count(sign)) >= 2:
                return '","' if sign == "," and text.count('","') >= 2 else sign
        return separator(line.plain) if len(line.plain) < _LONGEST_ROW else ""

    def title(self, line: Line, sign: str, cell: int) -> str:
        """The title above a cell, or an empty text."""
        if not self._titles or line.zone != self._zone or cell >= len(self._titles):
            return ""
        same = sign == self._sign or (sign == '","' and self._sign == ",")
        return self._titles[cell].strip(" \"'")[:40] if same else ""


def shapes_of(
    line: Line, things: list[Found], sign: str, above: Line | None = None, below: Line | None = None
) -> tuple[list[Shape], list[int]]:
    """For each thing of a line its shape and its place; things that are listed share both. `sign` parts cells."""
    text = line.plain
    shapes: list[Shape] = []
    places: list[int] = []
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
            shapes.append(
                (line.zone, "alone", _record(line, above, below) or _told(line.before[-_LABEL_LETTERS:], _LABEL_WORDS))
            )
        elif sign:
            shapes.append((line.zone, "cell", cell_of(text, x.start, sign), sign))
        elif bare:
            shapes.append((line.zone, "start"))
        else:
            number = line.number if line.zone == "subject" else 0
            # Of the hops of a mail each is itself: there the names around them count.
            told = _hop(before) if line.zone in _HOPS else _told(before[-_LABEL_LETTERS:])
            shapes.append((line.zone, "text", place, told or _signs(before), number))
    return shapes, places


def _record(line: Line, above: Line | None, below: Line | None) -> str:
    """How the lines beside a thing on a line of its own are built, where each such thing heads or ends a record."""
    if above is None or below is None or above.zone != line.zone:
        return ""
    over, under = above.plain.strip(), below.plain.strip()
    if " " not in over and ("." in over or "::" in over):
        # An item of a plain list, and not of records.
        return ""
    if " " in under and below.zone == line.zone and " " not in line.plain.strip() and len(_WORD.findall(under)) >= 3:
        return "/" + " ".join(_WORD.findall(under.lower())[:_WORDS_KEPT])
    if (
        not line.before.endswith(":")
        and len(over) < _SHORT_CELL
        and len(under) < _SHORT_CELL
        and any(map(str.isdigit, over))
    ):
        return _LETTERS.sub("a", _DIGITS.sub("9", over))
    return ""


@lru_cache(maxsize=512)
def _told(label: str, most: int = _WORDS_KEPT) -> str:
    """The last words of what leads to a thing; other names on the way differ from line to line."""
    return " ".join(_WORD.findall(_NAME.sub(" ", label.lower())[-12 * most :])[-most:])


def _hop(before: str) -> str:
    return " ".join(_WORD.findall(before[-12 * _WORDS_KEPT :].lower())[-_WORDS_KEPT:])


def _signs(before: str) -> str:
    """The last signs where no word leads to a thing."""
    return _DIGITS.sub("9", _NAME.sub(" ", before[-70:])[-4:]).strip()[-2:]
