"""A part of a mail as its sender laid it out, for a sandboxed frame: built anew from tags that do nothing.

No attribute is taken over, so nothing in it is fetched, run, followed or styled; what is shown is headings, lists,
tables and words. The frame's own policy would let nothing else happen either.
"""

import re
from html import escape, unescape

from tipstaff.intake.mail import read_mail

from .evidence import PARTS_MAX, READ_OCTETS_MAX, TEXT_MAX

FRAMED_POLICY = "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
TAGS_MAX = 20_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,30})([^<>]*)>|<![^<>]*>|<\?[^<>]*>")
_KEPT = frozenset({
    "p", "br", "div", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption",
    "thead", "tbody", "tfoot", "tr", "td", "th", "b", "strong", "i", "em", "u", "s", "sub", "sup", "small",
    "blockquote", "pre", "code", "center", "address",
})  # fmt: skip
_AS = {"a": "u", "font": "", "img": "[picture]", "input": "[field]"}
"""A link is underlined words: where it leads stands in the text beside the frame. A picture is said in brackets."""
_SILENT = frozenset({"script", "style", "title", "template"})
"""What stands between these is nothing that a reader sees."""


def framed(head: bytes, *, part: int) -> str | None:
    """A whole document of part number `part`, counted from 0 as the page counts them; None where it is no HTML.

    `head` is the beginning of a mail: READ_OCTETS_MAX of it, or all.
    """
    assert len(head) <= READ_OCTETS_MAX, "a page does not unfold more"
    leaves = [each for each in read_mail(head).root.walk() if not each.is_container][:PARTS_MAX]
    if part >= len(leaves) or leaves[part].content_type != "text/html":
        return None
    return (
        '<!doctype html><html><head><meta charset="utf-8"><title>A part of a mail</title></head><body>'
        f"{laid_out(leaves[part].text)}</body></html>"
    )


def laid_out(source: str) -> str:
    """The words of `source` and those of its tags that do nothing, without any attribute. Linear in its length."""
    source = source[: 4 * TEXT_MAX]
    pieces: list[str] = []
    silent, at = "", 0
    for number, tag in enumerate(_TAG.finditer(source)):
        if number == TAGS_MAX:
            break
        if not silent:
            pieces.append(escape(unescape(source[at : tag.start()])))
        at = tag.end()
        closes, name = tag[1] or "", (tag[2] or "").lower()
        if silent:
            silent = "" if closes and name == silent else silent
        elif name in _SILENT and not closes:
            silent = name
        elif name in _KEPT:
            pieces.append(f"<{closes}{name}>")
        elif shown := _AS.get(name):
            pieces.append(f"<{closes}{shown}>" if shown.isalpha() else shown)
    if not silent:
        pieces.append(escape(unescape(source[at:])))
    return "".join(pieces)
