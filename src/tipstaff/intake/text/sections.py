"""A mail laid out as lines, each with the zone it stands in: prose, log, pasted headers, register entry, signature."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from ..mail import Mail, Part, body_of
from .characters import decode, html_to_text
from .find import refang

LONGEST_LINE = 2000
MOST_LINES = 3000
_LONGEST_SIGNATURE = 25
_LONGEST_FILE = 200_000
_LONGEST_QUOTED = 40_000
_MOST_FILES = 12


class Line(NamedTuple):
    """One line: as it came, made readable, and where it stands."""

    text: str
    plain: str
    """The same refanged."""
    zone: str
    """`subject` `body` `quoted` `headers` `register` `signature` `file` `embedded` `file_headers`"""
    number: int
    before: str = ""
    """The nearest line above that is not empty, when it could be a label of this one."""
    defanged: bool = False


def lay_out(mail: Mail) -> list[Line]:
    """All lines that are worth reading, in the order in which a person would."""
    lines: list[Line] = []
    for zone, text in _texts(mail):
        before = ""
        for line_zone, text_line in _zoned(zone, text.replace("\xa0", " ")):
            if len(lines) >= MOST_LINES:
                return lines
            shown = text_line[:LONGEST_LINE]
            plain = refang(shown)
            lines.append(Line(shown, plain, line_zone, len(lines), before, plain != shown))
            if not _ITEM.match(plain) and not (" " not in plain.strip() and _REST_OF_URL.search(plain)):
                # Items of a list keep the label above the list; a label broken over two lines is joined.
                before = f"{before[-80:]} {plain}" if len(plain) < 25 and not before.endswith((":", ".")) else plain
    return lines


_ITEM = re.compile(r"[\s*•·>|\[(<\"'-]{0,8}[^\s]{0,2000}[.:][^\s]{1,2000}\s{0,3}\Z")


_REST_OF_URL = re.compile(r"[=&%/]|\d{4}")


def _texts(mail: Mail) -> Iterator[tuple[str, str]]:
    yield "subject", mail.subject
    yield "body", mail.body
    files = 0
    for attachment in mail.attachments:
        if files >= _MOST_FILES:
            break
        if not _is_log(attachment.name, attachment.content_type, attachment.content):
            continue
        text = decode(attachment.content[:_LONGEST_FILE])
        if attachment.content_type == "text/html" or text[:200].lstrip().lower().startswith(
            ("<html", "<!doctype html")
        ):
            text = html_to_text(text)[0]
        if attachment.content_type == "text/rfc822-headers" or _HEADERS_FIRST.match(text[:300]):
            yield "file_headers", text
        else:
            yield "file", text
        files += 1
    for message in mail.embedded[:_MOST_FILES]:
        yield "file_headers", headers_as_text(message)
        yield "embedded", body_of(message)[:_LONGEST_QUOTED]


_HEADERS_FIRST = re.compile(
    r"\s{0,20}(?:Return-Path|Received|Delivered-To|From|X-[A-Za-z-]{1,40}|Authentication-Results):", re.IGNORECASE
)


def _is_log(name: str, content_type: str, content: bytes) -> bool:
    if content_type in ("application/pgp-signature", "application/pkcs7-signature", "text/x-vcard", "text/calendar"):
        return False
    if content_type.startswith(("image/", "video/", "audio/", "font/")) or name.lower().endswith(
        (".asc", ".vcf", ".p7s")
    ):
        return False
    head = content[:2000]
    return (
        b"\0" not in head
        and sum(x < 9 or 13 < x < 27 for x in head) * 50 <= len(head)
        and not head.startswith((b"%PDF", b"PK"))
    )


def headers_as_text(part: Part) -> str:
    """The headers of a mail inside a mail, one a line, those that tell its way first."""
    shown = []
    for name in (
        "return-path",
        "received",
        "x-originating-ip",
        "x-source-ip",
        "from",
        "subject",
        "date",
        "message-id",
        "reply-to",
    ):
        for value in part.headers.get(name, ())[:30]:
            shown.append(f"{name.title()}: {' '.join(value.split())[:1500]}")
    return "\n".join(shown)


_QUOTE = re.compile(r"^(?:\s?[>|]){1,10}\s?")
_HEADER = re.compile(
    r"^(?:Received|Return-Path|Delivered-To|X-[A-Za-z-]{2,40}|Message-ID|DKIM-Signature|"
    r"Authentication-Results|ARC-[A-Za-z-]{3,30}|Received-SPF|MIME-Version|Content-Type|"
    r"Envelope-To):",
    re.IGNORECASE,
)
_RESULT = re.compile(r"^(?:spf|dkim|dmarc)=\w{3,10} [(\w]", re.IGNORECASE)
"""What was found of a mail's sender (RFC 8601), without its header's name: this line and none behind it."""
_REGISTER = re.compile(
    r"^(?:%|inetnum|inet6num|netname|NetRange|CIDR|NetName|NetHandle|OrgName|OrgId|"
    r"OrgAbuse\w{2,8}|route6?|origin|descr|"
    r"mnt-\w{2,12}|admin-c|tech-c|abuse-c|abuse-mailbox|organi[sz]ation|org-name|org-type|person|"
    r"role|nic-hdl|last-modified|Registrar[ \w]{0,30}|"
    r"Name Server|Registrant[ \w/-]{0,30}|aut-num|as-name|RegDate|Updated|Ref|inetrev|owner|"
    r"ownerid|responsible):?(?:\s|$)",
    re.IGNORECASE,
)


_FOLDED = re.compile(
    r"(?:by|with|for|from|id|via|tls|Server id|envelope-from|helo=)\s|[\[(;]|"
    r"(?:spf|dkim|dmarc|arc|smtp|header|client-ip)\b[.\w]{0,20}=",
)
_FOLDED_LINES = 6
_TRACE = re.compile(r"\b(?:trace ?route|tracert|tracing route)\b.{0,80}\bto\b", re.IGNORECASE)
"""The head of a table of hops: it says on which way an address lies, not who did anything."""
_HOP = re.compile(r"\s{0,8}(?:\d{1,2}[\s.:|)]|hop\b|host\b|\*)", re.IGNORECASE)


def _goes_on(bare: str, after: list[str]) -> bool:
    """Whether a line that lost its indentation still belongs to the header above (RFC 5322, 2.2.3)."""
    if _FOLDED.match(bare):
        return True
    for line in after:
        if not line.strip():
            return False
        if _HEADER.match(_QUOTE.sub("", line).lstrip()):
            return True
    return False


_ANY_HEADER = re.compile(r"[A-Za-z][A-Za-z-]{1,40}:")
_ANY_LABEL = re.compile(r"[A-Za-z][\w -]{1,30}:\s")


def _zoned(zone: str, text: str) -> Iterator[tuple[str, str]]:
    """The lines of a text with their zones. A pasted header holds until an empty line or a line that is none."""
    in_headers = in_register = in_trace = signed = False
    register_lines = 0
    traced = "trac" in text.lower()
    raws = text.split("\n")
    for number, raw in enumerate(raws):
        line = raw.rstrip()
        bare = line.lstrip()
        if not bare:
            in_headers = in_register = False
            continue
        quoted = bare[0] in ">|" and bool(_QUOTE.match(line))
        if quoted:
            bare = _QUOTE.sub("", line)
            if not bare.strip():
                in_headers = False
                continue
        if zone == "body" and line == "--":
            # What many lines follow is no signature, however it begins.
            signed = len(raws) - number <= _LONGEST_SIGNATURE
        if zone in ("subject", "file_headers"):
            yield zone, bare
            continue
        labelled = ":" in bare[:64]
        if not in_headers and "=" in bare[:6] and _RESULT.match(bare):
            yield "headers", bare
            continue
        if labelled and _HEADER.match(bare):
            in_headers, in_register = True, False
        elif in_headers and not (line[:1] in " \t" or (labelled and _ANY_HEADER.match(bare))):
            in_headers = _goes_on(bare, raws[number + 1 : number + 1 + _FOLDED_LINES])
        if traced and _TRACE.search(bare[:200]):
            in_trace = True
        elif in_trace:
            in_trace = bool(_HOP.match(bare)) or " " not in bare.strip()
        if not in_headers:
            if (labelled or bare[0] == "%") and _REGISTER.match(bare):
                register_lines += 1
                in_register = register_lines > 2 or bare[0] == "%"
            elif not (labelled and _ANY_LABEL.match(bare)):
                in_register = False
                if register_lines:
                    register_lines -= 1
        if in_headers:
            yield "headers", bare
        elif in_register or in_trace:
            yield "register", bare
        elif signed and zone == "body" and not quoted:
            yield "signature", bare
        elif zone == "body" and quoted:
            yield "quoted", bare
        else:
            yield zone, bare
