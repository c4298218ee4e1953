"""Proposes a profile from one mail: finds where the values stand that were read, and makes patterns of the lines."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tipstaff.words import Allegation, Reading

from ..mail import Mail
from ..text.find import refang
from .pattern import TIME, BadPattern, compile_pattern
from .reader import shown

_NUMBER = re.compile(r"[0-9][0-9A-Fa-f:.]*[0-9]|[0-9]+")
_LONGEST_LITERAL = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Where a value stands in the mail's text."""

    line: int
    start: int
    end: int
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile to be confirmed by a person: its text, the lines shown, and the spans in them."""

    toml: str
    lines: tuple[str, ...]
    spans: tuple[Span, ...]


def propose(mail: Mail, reading: Reading, *, name: str, sample: str) -> Proposal | None:
    """A proposal from what was read, or what a person said is right; None where no value stands in a line of "
    "its own."""
    lines = tuple(mail.body.splitlines()[:2000])
    spans = tuple(find_spans(lines, reading.allegations))
    if not any(x.field in ("source", "url", "domain") for x in spans):
        return None
    many = len({(x.source, x.url, x.domain) for x in reading.allegations}) > 1
    patterns = list(dict.fromkeys(_pattern(lines[n], [x for x in spans if x.line == n]) for n in _lines_of(spans)))
    patterns = [x for x in patterns if x]
    offender = [x for x in patterns if re.search(r"\{(?:source|url|domain)\}", x)]
    others = [x for x in patterns if x not in offender]
    each, once = (offender[:3], others[:8]) if many else ([], [*offender[:2], *others[:8]])
    if not offender:
        return None
    return Proposal(
        _toml(name, mail, reading, once=once, each=each, sample=sample), lines, spans
    )  # fmt: skip


def find_spans(lines: Iterable[str], allegations: Iterable[Allegation]) -> Iterable[Span]:
    """The values of the allegations where they stand: the first line that names an offender, and its fellows there."""
    wanted = list(allegations)[:50]
    numbered = [(n, line, refang(line)) for n, line in enumerate(lines)]
    timed = False
    for n, line, plain in numbered:
        taken: list[tuple[int, int]] = []
        here = line if any(_names(line, x) for x in wanted) else plain
        for allegation in wanted:
            for field, value in _values(allegation):
                at = _whole(here, value)
                if at >= 0 and not any(a < at + len(value) and at < b for a, b in taken):
                    if field in ("port", "target_port") and not taken:
                        continue
                    taken.append((at, at + len(value)))
                    yield Span(n, at, at + len(value), field, value)
        stamp = TIME.search(here)
        if stamp and (taken or (not timed and re.search(r"time|date|seen|when|at\b", here, re.IGNORECASE))):
            timed = True
            if not any(a < stamp.end() and stamp.start() < b for a, b in taken):
                yield Span(n, stamp.start(), stamp.end(), "time", stamp[0])


def _values(allegation: Allegation) -> Iterable[tuple[str, str]]:
    pairs = (
        ("url", allegation.url),
        ("source", allegation.source),
        ("domain", allegation.domain),
        ("target", allegation.target),
        ("port", allegation.source_port),
        ("target_port", allegation.target_port),
    )
    return ((name, str(value)) for name, value in pairs if value)


def _names(line: str, allegation: Allegation) -> bool:
    return any(_whole(line, value) >= 0 for field, value in _values(allegation) if field in ("source", "url", "domain"))


def _whole(line: str, value: str) -> int:
    """Where the value stands as a word of its own; -1 where it does not."""
    found = re.search(rf"(?<![\w.]){re.escape(value)}(?![\w]|\.\w)", line)
    return found.start() if found else -1


def _lines_of(spans: Iterable[Span]) -> list[int]:
    return list(dict.fromkeys(x.line for x in spans))


def _pattern(line: str, spans: list[Span]) -> str:
    """The line with values' names in their place; other numbers become `{any}`, since they change."""
    here = line if all(line[x.start : x.end] == x.value for x in spans) else refang(line)
    pieces: list[str] = []
    at = 0
    for span in sorted(spans, key=lambda x: x.start):
        if span.start < at:
            continue
        pieces += [_literal(here[at : span.start], first=not pieces), f"{{{span.field}}}"]
        at = span.end
    tail = here[at:].rstrip()
    pieces.append(_literal(tail[:20], first=False) if tail.strip() and not tail[:20].strip().isalnum() else "")
    text = re.sub(r"(?:\{any\}\s*){2,}", "{any}", "".join(pieces)).strip()
    text = re.sub(r"(\{any\})+(?=\{)|(?<=\})(\{any\})+", "", text)
    text = text.removeprefix("{any}").removesuffix("{any}").strip()
    try:
        compile_pattern(text)
    except BadPattern:
        return ""
    return text


def _literal(text: str, *, first: bool) -> str:
    text = text[-_LONGEST_LITERAL:] if first else text[:_LONGEST_LITERAL]
    return _NUMBER.sub("{any}", text.replace("{", "").replace("}", ""))


def _toml(name: str, mail: Mail, reading: Reading, *, once: list[str], each: list[str], sample: str) -> str:
    kinds = {x.type for x in reading.allegations}
    lines = [
        f"name = {_quoted(name)}",
        f"about = {_quoted('Proposed from one mail; a person confirms it.')}",
        f"type = {_quoted(sorted(kinds)[0])}",
        'form = "text"',
        "",
        "[match]",
        f"from = [{_quoted(mail.sender[1].lower())}]",
        "",
        "[text]",
        f"once = [{', '.join(map(_quoted, once))}]",
        f"each = [{', '.join(map(_quoted, each))}]",
        "",
        "[[samples]]",
        f"file = {_quoted(sample)}",
    ]
    for allegation in reading.allegations[:50]:
        lines += ["", "[[samples.expect]]"]
        values = {
            k: v for k, v in shown(allegation).items() if k in ("type", "source", "port", "url", "domain", "time")
        }
        lines += [
            f"{key} = {value if isinstance(value, int) else _quoted(str(value))}" for key, value in values.items()
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(x if x.isprintable() else f"\\u{ord(x):04x}" for x in escaped) + '"'
