"""Tables as rows of text, however they are written: CSV, tabs, pipes, columns of blanks, or a spreadsheet."""

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice

from ..locked_office import is_locked
from .labels import meaning_of

MOST_COLUMNS = 400
MOST_ROWS = 20_001
_LONGEST_HEADING = 20_000
_SHEET_OCTETS = 24 * 1024 * 1024
"""What a spreadsheet may unfold to."""
MOST_CELLS = 2_000_000
"""In the rectangle from a sheet's first cell to its last, which the reader lays out whole: some 30 octets each."""
_RULE = re.compile(r"^[\s|+:=-]{3,}$")
_GAP = re.compile(r"\s{2,}|\t+")
_HEADING_SEARCHED = 400


class UnreadableSheet(Exception):
    """The spreadsheet is broken, locked, or unfolds to more than the bound; the message says which."""

    permanent = True


Row = dict[str, str]
"""A row by what its columns mean (`source`, `time` ...), and by their own names in lower case."""


def rows_of_sheet(content: bytes) -> Iterator[list[str]]:
    """All rows of all sheets of an XLSX or ODS file as text. Raises UnreadableSheet."""
    if is_locked(content):
        raise UnreadableSheet("it is locked with a password that is not known here")
    if content[:4] != b"PK\x03\x04":
        raise UnreadableSheet("it is neither XLSX nor ODS")
    _refuse_bomb(content)
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        for name in book.sheet_names[:20]:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_width > MOST_COLUMNS:
                continue
            for row in islice(sheet.iter_rows(), MOST_ROWS):
                yield [_cell(x) for x in row]
    except CalamineError as why:
        raise UnreadableSheet(str(why)[:150]) from why
    except BaseException as why:
        # Compiled code of others: a panic of it is no Exception, and it must not end the process that reads.
        if isinstance(why, (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)):
            raise
        raise UnreadableSheet(type(why).__name__) from why


def sheet_cost(content: bytes) -> int:
    """Octets to which a spreadsheet says it unfolds, each file in it for one KiB at least; it is read no further."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(max(1024, x.file_size) for x in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, struct.error):
        return len(content)


_BROKEN = (zlib.error, lzma.LZMAError, struct.error)


def _refuse_bomb(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > 2000 or sum(x.file_size for x in entries) > _SHEET_OCTETS:
                raise UnreadableSheet("it unfolds to more than the bound")
            for entry in entries:
                # Sizes stated in the directory may lie; what is inflated is counted.
                with archive.open(entry) as file:
                    inflated = file.read(entry.file_size + 1)
                if len(inflated) > entry.file_size:
                    raise UnreadableSheet("it unfolds to more than it says")
                if entry.filename.lower().endswith("workbook.bin"):
                    # XLSB (MS-XLSB) says where its cells are in another way.
                    raise UnreadableSheet("it is neither XLSX nor ODS")
                _refuse_spread(inflated)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError, *_BROKEN) as why:
        raise UnreadableSheet("it is broken or locked") from why


_TAGS = re.compile(
    rb"<(?P<end>/?)(?:[^\s<>/\"'=:]+:)?(?P<name>[^\s<>/\"'=:]+)(?P<told>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)"
)
"""Every tag, so that none is seen inside another's attributes."""
_SHEET_TAGS = frozenset((b"row", b"c", b"table", b"table-row", b"table-cell", b"covered-table-cell"))
_PLACE = re.compile(rb"r\s*=\s*[\"']([A-Za-z]{0,8})(\d{0,12})")
_REPEATED = re.compile(rb"number-(?:columns|rows)-repeated\s*=\s*[\"']\s*\+?(\d{1,12})")


def _refuse_spread(page: bytes) -> None:
    """A cell far away from the others costs the reader the whole rectangle between them, and the process its life.

    Counted are rows and columns as ECMA-376 (part 1, 18.3.1.4 and 18.3.1.73) and OpenDocument 1.3 (part 3, 19.675 and
    19.679) place them: by their reference, or after the one before, or as often as they are repeated.
    """
    rows = columns = row = column = 0
    empty_rows = empty_columns = repeated = 0
    for tag in _TAGS.finditer(page):
        name, told = tag["name"], tag["told"]
        if name not in _SHEET_TAGS or (tag["end"] and name != b"table-row"):
            continue
        again = max((int(x) for x in _REPEATED.findall(told)), default=1)
        if name == b"table":
            # Another sheet of the file.
            rows = columns = row = column = empty_rows = empty_columns = 0
        elif name == b"row":
            row = max((int(x[1]) for x in _PLACE.findall(told) if x[1]), default=row + 1)
            column, rows = 0, max(rows, row)
        elif name == b"c":
            places = [x for x in _PLACE.findall(told) if x[0] and x[1]]
            column = max((_column(x[0]) for x in places), default=column + 1)
            columns, rows = max(columns, column), max([rows, *(int(x[1]) for x in places)])
        elif name == b"table-row" and not tag["end"]:
            column = empty_columns = 0
            repeated = again
        elif name != b"table-row":
            if told.endswith(b"/") and b"value" not in told and b"formula" not in told:
                # What is empty takes no room unless something stands behind it.
                empty_columns += again
                continue
            column += empty_columns + again
            empty_columns = 0
            columns = max(columns, column)
        if tag["end"] or (name == b"table-row" and told.endswith(b"/")):
            if column:
                row += empty_rows + repeated
                empty_rows = 0
            else:
                empty_rows += repeated
            rows = max(rows, row)
        if rows * columns > MOST_CELLS:
            raise UnreadableSheet(f"its cells are spread over more than {MOST_CELLS:,} places")
    if rows and (b"<!" in page or page.find(b"<?", 10) >= 0):
        # No program writes any there, and what stands in them would be counted wrongly.
        raise UnreadableSheet("comments stand among its cells")


def _column(letters: bytes) -> int:
    """The number of a column from its letters: A is 1, XFD 16,384."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (date, time, timedelta)):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:4000].strip() if value not in (None, "") else ""


def tables_in(text: str) -> Iterator[list[Row]]:
    """Tables with a heading in a text: comma, semicolon, tab, pipe, or two blanks and more between columns."""
    lines = text.lstrip("\ufeff").splitlines()
    at = 0
    searched = 0
    while at < len(lines) and searched < _HEADING_SEARCHED:
        searched += 1
        form = _heading(lines[at])
        if form is None:
            at += 1
            continue
        separator, names = form
        rows, at = _body(lines, at + 1, separator, names)
        if rows:
            yield rows


def table_of_rows(rows: Iterator[list[str]]) -> list[Row]:
    """Rows of cells by the first row that is a heading; none when no row is one within the first fifty."""
    names: list[str] | None = None
    found: list[Row] = []
    for n, cells in enumerate(rows):
        if names is None:
            if n > 50:
                return []
            if _is_heading(cells):
                names = cells
            continue
        if any(cells) and not (_is_heading(cells) and cells == names):
            found.append(_row(names, cells))
        if len(found) >= MOST_ROWS:
            break
    return found


_VALUE = re.compile(r"\d\.\d{1,3}\.\d|\d\d:\d\d")
"""An address or a clock: it stands in rows, never in their heading."""


def _heading(line: str) -> tuple[str, list[str]] | None:
    if len(line) > _LONGEST_HEADING or len(line) < 5 or _VALUE.search(line):
        return None
    stripped = line.strip().lstrip("#").strip()
    for separator in (",", ";", "\t", "|"):
        # Several tabs between two names only line the columns up: then any gap separates.
        if separator in stripped and separator * 2 not in stripped:
            cells = _split(stripped, separator)
            if _is_heading(cells):
                return separator, cells
    if "  " in stripped or "\t" in stripped:
        cells = _split(stripped, " ")
        if _is_heading(cells):
            return " ", cells
    return None


def _is_heading(cells: list[str]) -> bool:
    """At least two columns of ours, one of them a source, an URL or a domain, and no cell that is a value."""
    if not 2 <= len(cells) <= MOST_COLUMNS:
        return False
    meanings = {meaning_of(x) for x in cells} - {None}
    return len(meanings) >= 2 and bool(meanings & {"source", "url", "domain"}) and not any(map(_VALUE.search, cells))


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return [x.strip() for x in _GAP.split(line.strip())]
    if separator == "|":
        return [x.strip() for x in line.strip().strip("|").split("|")]
    try:
        return [
            x.strip()
            for x in next(csv.reader([line.replace("\0", "")], delimiter=separator, skipinitialspace=True), [])
        ]
    except csv.Error:
        return []


def _body(lines: list[str], at: int, separator: str, names: list[str]) -> tuple[list[Row], int]:
    rows: list[Row] = []
    blank = 0
    while at < len(lines) and len(rows) < MOST_ROWS:
        line = lines[at]
        if not line.strip() or _RULE.match(line):
            blank += not line.strip()
            at += 1
            if blank > 1 and rows:
                break
            continue
        if separator != " " and separator not in line:
            break
        cells = _split(line, separator)
        if separator in ",;" and line.count('"') % 2 and at + 1 < len(lines):
            # A quoted cell that goes on in the next line (RFC 4180, 2.6).
            cells = _split(f"{line} {lines[at + 1]}", separator)
            at += 1
        if separator == " " and len(cells) != len(names):
            # With gaps only, a missing cell would shift all others: a victim must not become an offender.
            if len(cells) > len(names) or len(cells) < 2:
                break
            at += 1
            continue
        at += 1
        blank = 0
        rows.append(_row(names, cells))
    return rows, at


def _row(names: list[str], cells: list[str]) -> Row:
    row: Row = {}
    for name, cell in zip(names, cells, strict=False):
        if not cell:
            continue
        row.setdefault(name.strip().lower(), cell)
        meaning = meaning_of(name)
        if meaning:
            row.setdefault(f"={meaning}", cell)
    return row


def meant(row: Row, meaning: str) -> str:
    """The cell of the first column that means this, or an empty text."""
    return row.get(f"={meaning}", "")


def shown(row: Row) -> list[str]:
    """The row as lines of `name: value`, for an excerpt."""
    return [f"{name}: {value}" for name, value in row.items() if not name.startswith("=")]
