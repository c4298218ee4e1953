"""A complaint's mail as text that is safe to look at: nothing in it is run, fetched or turned into a link."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tipstaff.intake.mail import Mail, Part, read_mail
from tipstaff.intake.text.characters import html_to_text
from tipstaff.words import Mark

SHOWN_HEADERS = ("From", "To", "Date", "Subject", "Reply-To", "Message-ID", "Auto-Submitted", "Content-Type")
READ_OCTETS_MAX = 2**20
"""So much of a mail is read for its page, however large it is: the pages of several people are made at once."""
TEXT_MAX = 60_000
"""Characters shown of one part; the raw view has all."""
PARTS_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPart:
    """One part of the mail."""

    title: str
    content_type: str
    octets: int
    text: str
    pieces: tuple[tuple[str, bool], ...]
    """The text in pieces, and whether each names a candidate."""
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMail:
    """The mail as a reader sees it."""

    headers: tuple[tuple[str, str], ...]
    parts: tuple[ShownPart, ...]
    trouble: str
    read_octets: int
    """How much of the mail was read for this."""


def show_mail(head: bytes, *, octets: int, candidates: Sequence[Mark] = ()) -> ShownMail:
    """Headers and the text of each part; a picture or a program is named and counted, never shown.

    `head` is the beginning of a mail of `octets`: READ_OCTETS_MAX of it, or all. `candidates` are marked in the text.
    """
    assert len(head) <= READ_OCTETS_MAX, "a page does not unfold more"
    mail = read_mail(head)
    leaves = [part for part in mail.root.walk() if not part.is_container]
    named = _pattern(candidates)
    parts = tuple(_shown(part, named) for part in leaves[:PARTS_MAX])
    trouble = _trouble(mail, len(leaves), cut=len(head) < octets)
    return ShownMail(headers=_headers(mail), parts=parts, trouble=trouble, read_octets=len(head))


def _headers(mail: Mail) -> tuple[tuple[str, str], ...]:
    return tuple((name, value[:1000]) for name in SHOWN_HEADERS for value in mail.headers(name)[:3])


def _shown(part: Part, named: re.Pattern[str] | None) -> ShownPart:
    text = part.text if part.is_texty else ""
    if part.content_type == "text/html":
        text = _as_text(text)
    return ShownPart(
        title=part.filename or part.content_type,
        content_type=part.content_type,
        octets=len(part.content),
        text=text[:TEXT_MAX],
        pieces=tuple(_pieces(text[:TEXT_MAX], named)),
        cut=len(text) > TEXT_MAX,
    )


def _pattern(candidates: Sequence[Mark]) -> re.Pattern[str] | None:
    """Each candidate as it stands in a text: defanged, in letters of either case, or in another script (RFC 5890)."""
    if not candidates:
        return None
    spellings = {y: None for x in candidates for y in (x.value, _as_written(x.value))}
    each = (_DOT.join(map(re.escape, x.split("."))) for x in sorted(spellings, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(each)})(?![\w-]|\.\w)", re.IGNORECASE)


_DOT = r"(?:\.|\[\.?\]|\(\.\)|\[dot\]|\(dot\))"


def _pieces(text: str, named: re.Pattern[str] | None) -> Iterator[tuple[str, bool]]:
    at = 0
    for found in named.finditer(text) if named is not None else ():
        yield text[at : found.start()], False
        yield found[0], True
        at = found.end()
    yield text[at:], False


def _as_written(name: str) -> str:
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return name


def _trouble(mail: Mail, leaves: int, *, cut: bool) -> str:
    troubles = []
    if mail.broken and not cut:  # What was cut short has no whole form.
        troubles.append(f"The mail's form is broken ({mail.broken}).")
    if mail.exceeded:
        troubles.append(f"It was unfolded only in part ({', '.join(sorted(mail.exceeded))}).")
    if leaves > PARTS_MAX:
        troubles.append(f"{leaves - PARTS_MAX} more parts are in the raw view.")
    return " ".join(troubles)


def _as_text(html: str) -> str:
    """A page's words, and where its links claim to lead, written out so that nobody follows one by accident."""
    words, links = html_to_text(html)
    listed = "\n".join(f"  [{n}] {link}" for n, link in enumerate(links[:100], 1))
    return f"{words}\n\nLinks in it, as text:\n{listed}" if listed else words
