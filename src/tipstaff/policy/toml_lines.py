"""Where in a TOML text a key or a value stands, so that a mistake can be named by its line.

`tomllib` forgets lines. This scanner only finds keys and where their values end; what they mean is tomllib's matter.
"""

import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
_PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|[\[\]{}]|#.*')


@dataclass(frozen=True, slots=True)
class Lines:
    """The first and last line of every key and table of a text, counted from 1."""

    lines: tuple[str, ...]
    spans: dict[Path, tuple[int, int]]

    def line_of(self, path: Path, *, value: object = None) -> int:
        """The line of `path`, or of `value` within it; of the nearest thing around it where that is all there is."""
        for length in range(len(path), 0, -1):
            span = self.spans.get(path[:length])
            if span is None:
                continue
            inner = [str(part) for part in path[length:] if isinstance(part, str)]
            for wanted in ([f'"{value}"', f"'{value}'"] if value is not None else []) + inner[::-1]:
                for number in range(span[0], span[1] + 1):
                    if wanted in self.lines[number - 1]:
                        return number
            return span[0]
        return 1


def lines_of(text: str) -> Lines:
    """Find every key of `text`, which tomllib has already accepted."""
    lines = tuple(text.splitlines())
    spans: dict[Path, tuple[int, int]] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    number = 0
    while number < len(lines):
        line = lines[number]
        if header := _HEADER.match(line):
            table = _path_of_table(header, counts)
            spans.setdefault(table, (number + 1, number + 1))
        elif key := _KEY.match(line):
            end = _end_of_value(lines, number, key.end())
            parts = _parts(key.group(1))
            for length in range(1, len(parts) + 1):
                spans.setdefault((*table, *parts[:length]), (number + 1, end + 1))
            number = end
        number += 1
    return Lines(lines, spans)


def _path_of_table(header: re.Match[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    parts = _parts(header.group(2))
    for place, part in enumerate(parts):
        path = (*path, part)
        if header.group(1) == "[[" and place == len(parts) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _end_of_value(lines: tuple[str, ...], number: int, column: int) -> int:
    """The line on which the value ends that begins in `lines[number]` at `column`."""
    depth, quotes = 0, ""
    while number < len(lines):
        line = lines[number]
        while True:
            if quotes:
                closing = line.find(quotes, column)
                if closing < 0:
                    break
                column, quotes = closing + 3, ""
                continue
            token = _TOKEN.search(line, column)
            if token is None:
                break
            column = token.end()
            if token.group() in ('"""', "'''"):
                quotes = token.group()
            elif token.group() in "[{":
                depth += 1
            elif token.group() in "]}":
                depth -= 1
        if not quotes and depth <= 0:
            return number
        number, column = number + 1, 0
    return len(lines) - 1


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(a or b or c for a, b, c in _PART.findall(dotted))
