"""Bytes to characters, whatever a mail claims about its charset, and HTML to plain text; always an answer."""

import html
import re
from contextlib import suppress

_ALIASES = {
    "ansi_x3.110-1983": "latin-1",
    "unicode-1-1-utf-7": "utf-7",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
    "default": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8mb4": "utf-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "x-mac-cyrillic": "mac_cyrillic",
    "iso-8859-8-i": "iso-8859-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
}
_TEXT_CODECS = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,39}\Z")
_NOT_TEXT = {"base64", "bz2", "hex", "quopri", "rot13", "rot_13", "uu", "zip", "zlib", "punycode", "idna"}


def decode(content: bytes, *, charset: str = "") -> str:
    """Decode bytes by their stated charset, else as UTF-8, else as Western letters. It never fails."""
    name = charset.strip().strip("\"'").lower()
    name = _ALIASES.get(name, name)
    if content.startswith(b"\xef\xbb\xbf"):
        return content[3:].decode("utf-8", "replace")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and len(content) % 2 == 0:
        return content.decode("utf-16", "replace")
    if b"\0" in content[:64] and (wide := _without_mark(content[:400])):
        return content.decode(wide, "replace")
    if b"\x1b$" in content and not name.startswith("iso-2022"):
        # Escapes to another set (RFC 1468) are ASCII to the letter, whatever the label says.
        with suppress(UnicodeDecodeError):
            return content.decode("iso2022_jp")
    if name and name not in _NOT_TEXT and not name.endswith("_codec") and _TEXT_CODECS.match(name):
        try:
            # A label that everybody writes, whatever the text is in, says nothing.
            return (_by_script(content) if name == "cp1252" else "") or content.decode(name)
        except (LookupError, UnicodeError, ValueError):
            pass
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if name.startswith(("utf-8", "utf8")) or not name:
        # A few broken bytes in UTF-8 are likelier than another charset that nobody named.
        text = content.decode("utf-8", "replace")
        if text.count("\ufffd") * 200 < len(text):
            return text
    return _by_script(content) or content.decode("cp1252", "replace")


def _without_mark(head: bytes) -> str:
    """The form of UTF-16 in which every other octet of these is NUL, as in any Western text; else nothing."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    enough = len(head) // 2 * 4 // 5
    return "utf-16-le" if odd >= enough > even else "utf-16-be" if even >= enough > odd else ""


_HIGH = re.compile(rb"[\x80-\xff]")
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")
_LOOKED_AT = 4000
_FEW = 8
"""So few letters may be of any script."""
_SCRIPTS = (
    ("cp932", re.compile("[\u3040-\u30ff]"), 0.2),
    ("euc_jp", re.compile("[\u3040-\u30ff]"), 0.2),
    ("euc_kr", re.compile("[\uac00-\ud7a3]"), 0.9),
    ("gb2312", re.compile("[\u4e00-\u9fff\u3000-\u3020\uff00-\uff60]"), 0.9),
    ("big5", re.compile("[\u4e00-\u9fff\u3000-\u3020\uff00-\uff60]"), 0.9),
    ("gb18030", re.compile("[\u4e00-\u9fff\u3000-\u3020\uff00-\uff60]"), 0.9),
)
"""Sets of Eastern letters, with how much of a text's other letters are of their script."""
_SMALL_CYRILLIC = re.compile("[а-яёіїєґ]")


def _by_script(content: bytes) -> str:
    """Text whose set of letters nobody named, by the script that it gives; nothing where it may as well be Western.

    Western letters are mostly ASCII, others are not; a wrong set gives octets that it does not have, or another script.
    """
    head = content[:_LOOKED_AT]
    if len(_HIGH.findall(head)) * 10 < 3 * len(_LETTERS.findall(head)) or not _HIGH.search(head):
        return ""
    for codec, script, least in _SCRIPTS:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        others = sum(x > "\x7f" for x in text[:_LOOKED_AT])
        if others and len(script.findall(text[:_LOOKED_AT])) >= least * others:
            return text
    small = {x: len(_SMALL_CYRILLIC.findall(head.decode(x, "replace"))) for x in ("cp1251", "koi8_r", "cp866")}
    likeliest = max(small, key=lambda x: small[x])
    enough = max(_FEW, len(_HIGH.findall(head)) // 2)
    return content.decode(likeliest, "replace") if small[likeliest] > enough else ""


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})([^<>]*)>|<![^<>]*>|<\?[^<>]*>")
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "title",
        "tr",
        "ul",
        "body",
        "html",
        "head",
    ]
)
_BLANKS = re.compile(r"[ \t\xa0\u200b\u200c\u200d\ufeff]+")
_CELL = re.compile("\x1e([^\x1e\x1f]{0,160})\x1f")
_LINE_ENDS = re.compile(r" ?\n ?")
_EMPTY_LINES = re.compile(r"\n{3,}")
_HREF = re.compile(r"""\bhref\s{0,4}=\s{0,4}["']?([^"'\s<>]{4,2000})""", re.IGNORECASE)


def html_to_text(source: str) -> tuple[str, list[str]]:
    """The words of an HTML page, line by line, and the addresses its links point to. Linear in its length."""
    source = without(source, "<!--", "-->")
    for name in ("style", "script"):
        source = _without_element(source, name)
    preformatted = "<pre" in source[:2_000_000].lower()
    if not preformatted:
        source = source.replace("\r", " ").replace("\n", " ")
    pieces: list[str] = []
    links: list[str] = []
    at = 0
    for tag in _TAG.finditer(source):
        pieces.append(source[at : tag.start()])
        at = tag.end()
        name = (tag[2] or "").lower()
        if name in _BLOCKS:
            pieces.append("\n")
        elif name in ("td", "th"):
            pieces.append("\x1f" if tag[1] else "\t\x1e")
        elif name == "a" and not tag[1] and len(links) < 2000:
            found = _HREF.search(tag[3])
            if found:
                links.append(html.unescape(found[1]))
    pieces.append(source[at:])
    text = html.unescape("".join(pieces))
    if "\x1e" in text:
        text = _CELL.sub(_one_cell, text).replace("\x1e", "").replace("\x1f", "")
    text = _BLANKS.sub(_blank, text)
    text = _LINE_ENDS.sub("\n", text)
    return _EMPTY_LINES.sub("\n\n", text).strip(), links


def _one_cell(found: re.Match[str]) -> str:
    """A short cell of a table on one line, so that its row stays one."""
    return " ".join(found[1].split())


def _blank(found: re.Match[str]) -> str:
    return "\t" if "\t" in found[0] else " "


def without(source: str, opening: str, closing: str) -> str:
    """`source` less every `opening` ... `closing`; an opening that nothing closes is kept as it stands."""
    if opening not in source:
        return source
    pieces, at = [], 0
    while (start := source.find(opening, at)) >= 0:
        end = source.find(closing, start + len(opening))
        if end < 0:
            break
        pieces.append(source[at:start])
        at = end + len(closing)
    pieces.append(source[at:])
    return "".join(pieces)


def _without_element(source: str, name: str) -> str:
    lowered = source.lower()
    if len(lowered) != len(source) or f"<{name}" not in lowered:
        # Lower-casing may change the length of a few letters; then tags are stripped but their content stays.
        return source
    pieces, at = [], 0
    while (start := lowered.find(f"<{name}", at)) >= 0:
        end = lowered.find(f"</{name}", start)
        if end < 0:
            break
        pieces.append(source[at:start])
        at = end
    pieces.append(source[at:])
    return "".join(pieces)


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(value: str, *, longest: int = 300) -> str:
    """A header's value with line ends and control characters gone: nothing in it can start a new header."""
    value = value[: longest * 4]
    return (value if value.isprintable() else _CONTROLS.sub(" ", value)).strip()[:longest]
