"""Turn a letter's template and its facts into wrapped plain text, and into HTML that says the same. Pure.

A template is read line by line:

    # Heading                 underlined
    Some text with {fact}     lines up to a blank line are one paragraph, wrapped at 72
    Label :: {fact}           a row of a table; left out when the fact is empty
    - text, 1. text           an item of a list
    | {fact}                  verbatim, line by line, never wrapped
    > {fact}                  a quotation, wrapped and indented
    = {fact}                  a line that stands by itself
    [if fact] .. [end]        only when the fact is there; also [unless fact]
    [each fact] .. [end]      once for each of several; {item} and {number} inside

What a line is, is decided by the template alone: a fact cannot turn into a heading, a rule or another fact.
"""

import html
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

WIDTH = 72
PORTAL_LINK = "{{portal_link}}"
"""The one placeholder that stays in a composed letter; the link is put in when the letter is sent."""

UNBROKEN_SPACE = "\N{NO-BREAK SPACE}"
"""Holds a date on one line while the letter is wrapped; an ordinary space in the letter itself."""

Value = str | tuple[str, ...]
_SLOT = re.compile(r"\{\{portal_link\}\}|\{(\w+)\}")
_RULE = re.compile(r"\[(if|unless|each) (\w+)\]$")
_ITEM = re.compile(r"(?:-|\{number\}\.) ")


class LacksAFact(ValueError):
    """The letter needs a fact that was not given."""


class BrokenTemplate(ValueError):
    """The template has a rule that nothing ends, or an end that nothing began."""


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in both its forms, from one reading of its template."""

    subject: str
    body: str
    """Plain text, wrapped."""
    html: str
    """The inside of an HTML body: no script, no image, nothing loaded; every fact escaped."""


def render(template: str, facts: Mapping[str, Value]) -> Written:
    """Return the letter. The template's first line is `Subject: ...`."""
    first, _, rest = template.partition("\n")
    if not first.startswith("Subject: "):
        raise BrokenTemplate("the first line is no subject")
    subject = " ".join(_fill(first.removeprefix("Subject: "), facts).split())
    blocks = _blocks(list(_say(_parse(rest), facts)))
    return Written(
        subject=subject,
        body=_lay_out(blocks).replace(UNBROKEN_SPACE, " "),
        html="\n".join(map(_html_of, blocks)),
    )


def clean(value: str, *, characters_max: int = 400) -> str:
    """Return a fact as one line that can do no harm: no control, format or private characters, no slot, bounded."""
    spaced = "".join(" " if character.isspace() else character for character in value)
    kept = "".join(c for c in spaced if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
    line = " ".join(kept.split()).replace("{{", "{ {").replace("}}", "} }")
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"


class _Form(Enum):
    BLANK = auto()
    HEADING = auto()
    TEXT = auto()
    ROW = auto()
    ITEM = auto()
    VERBATIM = auto()
    QUOTE = auto()
    ALONE = auto()


@dataclass(frozen=True, slots=True)
class _Line:
    form: _Form
    text: str


@dataclass(frozen=True, slots=True)
class _Block:
    verb: str
    fact: str
    inner: tuple["_Line | _Block", ...]


def _parse(text: str) -> tuple[_Line | _Block, ...]:
    stack: list[tuple[str, str, list[_Line | _Block]]] = [("", "", [])]
    for line in text.split("\n"):
        line = line.rstrip()
        if rule := _RULE.match(line):
            stack.append((rule[1], rule[2], []))
        elif line == "[end]":
            verb, fact, inner = stack.pop()
            if not stack:
                raise BrokenTemplate("an end that nothing began")
            stack[-1][2].append(_Block(verb, fact, tuple(inner)))
        else:
            stack[-1][2].append(_form_of(line))
    if len(stack) != 1:
        raise BrokenTemplate(f"nothing ends [{stack[-1][0]} {stack[-1][1]}]")
    return tuple(stack[0][2])


def _form_of(line: str) -> _Line:
    if not line:
        return _Line(_Form.BLANK, "")
    for mark, form in (("# ", _Form.HEADING), ("| ", _Form.VERBATIM), ("> ", _Form.QUOTE), ("= ", _Form.ALONE)):
        if line.startswith(mark):
            return _Line(form, line.removeprefix(mark))
    if _ITEM.match(line):
        return _Line(_Form.ITEM, line)
    return _Line(_Form.ROW if " :: " in line else _Form.TEXT, line)


def _say(lines: tuple[_Line | _Block, ...], facts: Mapping[str, Value]) -> Iterator[_Line]:
    for line in lines:
        if isinstance(line, _Block):
            value = facts.get(line.fact, "")
            if line.verb == "each":
                items = value if isinstance(value, tuple) else tuple(filter(None, (value,)))
                for number, item in enumerate(items, 1):
                    yield from _say(line.inner, {**facts, "item": item, "number": str(number)})
            elif bool(value) is (line.verb == "if"):
                yield from _say(line.inner, facts)
        elif line.form is _Form.ROW:
            label, _, slot = line.text.partition(" :: ")
            if value_text := _fill(slot, facts, may_be_empty=True).strip():
                yield _Line(_Form.ROW, f"{label}\0{value_text}")
        elif line.form is _Form.VERBATIM:
            value = facts.get(line.text.strip("{}"), ())
            yield from (_Line(_Form.VERBATIM, each) for each in ((value,) if isinstance(value, str) else value))
        else:
            yield _Line(line.form, _fill(line.text, facts))


def _fill(text: str, facts: Mapping[str, Value], *, may_be_empty: bool = False) -> str:
    def put(slot: re.Match[str]) -> str:
        if slot[1] is None:
            return PORTAL_LINK
        value = facts.get(slot[1], "")
        if isinstance(value, tuple):
            value = ", ".join(value)
        if not value and not may_be_empty:
            raise LacksAFact(slot[1])
        return value

    return _SLOT.sub(put, text)


def _blocks(lines: list[_Line]) -> list[list[_Line]]:
    """Lines of one form that follow each other, together."""
    blocks: list[list[_Line]] = []
    for line in lines:
        if line.form is _Form.BLANK:
            blocks.append([])
        elif blocks and blocks[-1] and blocks[-1][-1].form is line.form:
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return [block for block in blocks if block]


def _lay_out(blocks: list[list[_Line]]) -> str:
    out = ""
    for block in blocks:
        if block[0].form is _Form.HEADING:
            out += "".join(f"\n{line.text}\n{'-' * width_of(line.text)}\n" for line in block)
        else:
            out += _lay_out_block(block) + "\n\n"
    return out.strip("\n") + "\n"


def _lay_out_block(block: list[_Line]) -> str:
    match block[0].form:
        case _Form.ROW:
            return _table([line.text.split("\0", 1) for line in block])
        case _Form.ITEM:
            return "\n".join(_wrap(line.text, then=" " * (line.text.index(" ") + 1)) for line in block)
        case _Form.QUOTE:
            return "\n".join(_wrap(line.text, first="    ", then="    ") for line in block)
        case _Form.ALONE:
            return "\n".join(line.text for line in block)
        case _Form.VERBATIM:
            return "\n".join(f"    {line.text}" for line in block)
        case _:
            return _wrap(_joined(line.text for line in block))


def _table(rows: list[list[str]]) -> str:
    column = max(width_of(label) for label, _ in rows) + 2
    return "\n".join(
        _wrap(text, first=f"  {label}{' ' * (column - width_of(label))}", then=" " * (column + 2))
        for label, text in rows
    )


def _wrap(text: str, *, first: str = "", then: str = "") -> str:
    if any(map(_is_wide, text)):
        return _wrap_wide(text, first=first, then=then)
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )


# Scripts whose characters are as wide as two others and that are written without spaces between words.

_WIDE = "WF"
_NEVER_FIRST = "、。，．：；！？」』）】〕々ー・"
_NEVER_LAST = "「『（【〔"


def width_of(text: str) -> int:
    """Columns that a text takes on a screen (Unicode Standard Annex 11)."""
    return sum(2 if _is_wide(character) else 1 for character in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in _WIDE


def _joined(lines: Iterable[str]) -> str:
    """Lines of one paragraph as one: with a space between them, but none beside a wide character."""
    whole = ""
    for line in lines:
        beside_wide = bool(whole) and bool(line) and (_is_wide(whole[-1]) or _is_wide(line[0]))
        whole += line if beside_wide or not whole else f" {line}"
    return whole


def _wrap_wide(text: str, *, first: str, then: str) -> str:
    """Between two wide characters a line may end anywhere, but not before a closing mark or after an opening one."""
    units: list[str] = []
    for unit in re.findall(r"\s+|[^\s]", text):
        last = units[-1] if units else ""
        if not last or unit.isspace():
            units.append(unit)
            continue
        narrow = not last.isspace() and not _is_wide(last[-1]) and not _is_wide(unit)
        if narrow or unit in _NEVER_FIRST or last[-1] in _NEVER_LAST:
            units[-1] += unit
        else:
            units.append(unit)
    lines, line = [], first
    for unit in units:
        fits = width_of(line) + width_of(unit) <= WIDTH
        if not fits and line.strip() and line not in (first, then):
            lines.append(line.rstrip())
            line = then
        line += unit if line not in (first, then) or not unit.isspace() else ""
    return "\n".join([*lines, line.rstrip()])


_RULED = 'style="border-left:3px solid #c8cdd5;margin:0 0 1em;padding:0 0 0 1em"'


def _html_of(block: list[_Line]) -> str:
    """One block as HTML. Styles stand at their elements: mail programs drop what stands elsewhere."""
    texts = [_escaped(line.text) for line in block]
    match block[0].form:
        case _Form.HEADING:
            return "\n".join(f'<h2 style="font-size:1.05em;margin:1.6em 0 .5em">{text}</h2>' for text in texts)
        case _Form.ROW:
            return f'<table style="border-collapse:collapse;margin:0 0 1em">{"".join(map(_html_row, texts))}</table>'
        case _Form.ITEM:
            ordered = not block[0].text.startswith("-")
            items = "".join(f"<li>{text.split(' ', 1)[1]}</li>" for text in texts)
            return f"<ol>{items}</ol>" if ordered else f"<ul>{items}</ul>"
        case _Form.QUOTE:
            return f"<blockquote {_RULED}>{'<br>'.join(texts)}</blockquote>"
        case _Form.VERBATIM:
            lines = "\n".join(texts)
            return f'<pre style="background:#f3f4f6;padding:.7em;white-space:pre-wrap;font-size:.9em">{lines}</pre>'
        case _Form.ALONE:
            return f"<p>{'<br>'.join(texts)}</p>"
        case _:
            return f"<p>{_joined(texts)}</p>"


def _html_row(text: str) -> str:
    label, _, value = text.partition("\0")
    cell = 'style="text-align:left;vertical-align:top;padding:.15em 1.2em .15em 0;font-weight:normal;color:#4b5563"'
    return f'<tr><th scope="row" {cell}>{label}</th><td style="vertical-align:top;padding:.15em 0">{value}</td></tr>'


def _escaped(text: str) -> str:
    text = html.escape(text, quote=True)
    return text.replace(PORTAL_LINK, f'<a href="{PORTAL_LINK}">{PORTAL_LINK}</a>')
