"""A complaint's mail as text that is safe to look at: nothing in it is run, fetched or turned into a link."""

from dataclasses import dataclass

from tipstaff.intake.mail import Mail, Part, read_mail
from tipstaff.intake.text.characters import html_to_text

SHOWN_HEADERS = ("From", "To", "Date", "Subject", "Reply-To", "Message-ID", "Auto-Submitted", "Content-Type")
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
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMail:
    """The mail as a reader sees it."""

    headers: tuple[tuple[str, str], ...]
    parts: tuple[ShownPart, ...]
    trouble: str


def show_mail(raw: bytes) -> ShownMail:
    """Headers and the text of each part; a picture or a program is named and counted, never shown."""
    mail = read_mail(raw)
    leaves = [part for part in mail.root.walk() if not part.is_container]
    parts = tuple(_shown(part) for part in leaves[:PARTS_MAX])
    return ShownMail(headers=_headers(mail), parts=parts, trouble=_trouble(mail, len(leaves)))


def _headers(mail: Mail) -> tuple[tuple[str, str], ...]:
    return tuple((name, value[:1000]) for name in SHOWN_HEADERS for value in mail.headers(name)[:3])


def _shown(part: Part) -> ShownPart:
    text = part.text if part.is_texty else ""
    if part.content_type == "text/html":
        text = _as_text(text)
    return ShownPart(
        title=part.filename or part.content_type,
        content_type=part.content_type,
        octets=len(part.content),
        text=text[:TEXT_MAX],
        cut=len(text) > TEXT_MAX,
    )


def _trouble(mail: Mail, leaves: int) -> str:
    troubles = []
    if mail.broken:
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
