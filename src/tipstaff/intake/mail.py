"""A mail as a tree of decoded parts, whatever is broken in it. It never grows past its bounds and opens no link."""

import bz2
import email
import email.header
import email.message
import email.policy
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import parseaddr
from typing import Any

from fast_mail_parser import parse_email_tree

from .locked import unlock
from .locked_office import SIGN, is_locked, unlock_office
from .text.characters import decode, html_to_text, one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far a mail is unfolded. What lies beyond is left as it came, and the mail says so in `exceeded`."""

    depth: int = 12
    parts: int = 400
    decoded_octets: int = 48 * 1024 * 1024
    embedded_copies_octets: int = 64 * 1024 * 1024
    headers_per_part: int = 500
    archive_entries: int = 40
    archive_octets: int = 32 * 1024 * 1024
    archive_ratio: int = 150
    locked_documents: int = 2
    """Locked spreadsheets on which passwords are tried: each password takes some tenth of a second."""
    archive_passwords: tuple[str, ...] = field(default=(), repr=False)
    """Passwords agreed with reporters, tried on locked archives and spreadsheets; never said of a mail."""


@dataclass(frozen=True, slots=True)
class Part:
    """One node: a container with children, or a leaf with its transfer-decoded bytes."""

    content_type: str
    charset: str
    filename: str
    disposition: str
    headers: dict[str, tuple[str, ...]]
    content: bytes
    children: tuple["Part", ...]
    is_message: bool

    def header(self, name: str) -> str:
        """The first value of a header, as one line, or an empty text."""
        values = self.headers.get(name)
        return one_line(values[0], longest=2000) if values else ""

    def walk(self) -> Iterator["Part"]:
        """This part and all below it, in the order of the mail."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))

    @property
    def is_container(self) -> bool:
        return bool(self.children) or self.content_type.startswith("multipart/")

    @property
    def text(self) -> str:
        """A leaf's bytes as characters, in whatever charset they prove to be."""
        return decode(self.content, charset=self.charset)

    @property
    def is_texty(self) -> bool:
        """True for what a person could read: text of any kind, JSON, XML, or unlabelled bytes that look like text."""
        kind = self.content_type
        if kind.startswith("text/") or kind in _TEXTY or kind.endswith(("+json", "+xml")):
            return True
        if (
            kind.startswith(("image/", "video/", "audio/", "font/"))
            or kind in _ARCHIVES
            or kind.startswith("multipart/")
        ):
            return False
        return looks_like_text(self.content)


_TEXTY = frozenset(
    [
        "application/json",
        "application/xml",
        "application/xhtml+xml",
        "application/csv",
        "message/feedback-report",
        "message/delivery-status",
        "message/disposition-notification",
        "message/global-delivery-status",
    ]
)
_ARCHIVES = frozenset(["application/zip", "application/x-zip-compressed", "application/gzip", "application/x-gzip"])


def looks_like_text(content: bytes) -> bool:
    """True when the first bytes hold no control characters that text has no use for."""
    head = content[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return bool(head) and not head.translate(None, _PLAIN_OCTETS)


_PLAIN_OCTETS = bytes(x for x in range(256) if x >= 32 or x in b"\t\r\n\f\x1b").replace(b"\x7f", b"")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail or lay in an archive of it."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was read. `exceeded` names every bound that was met; `broken` says what had to be guessed."""

    root: Part
    size: int
    exceeded: frozenset[str] = frozenset()
    broken: str = ""
    unread: bool = False
    """Whether its form defeated every parser: `root` has its first headers, and the rest undecoded."""
    limits: Limits = field(default_factory=Limits)
    _memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def header(self, name: str) -> str:
        """The first value of one of the mail's own headers, or an empty text."""
        return self.root.header(name)

    def headers(self, name: str) -> tuple[str, ...]:
        """All values of one of the mail's own headers, in order."""
        return self.root.headers.get(name, ())

    @property
    def subject(self) -> str:
        return self.header("subject")

    @property
    def sender(self) -> tuple[str, str]:
        """Display name and address of From."""
        if "sender" not in self._memo:
            self._memo["sender"] = _mailbox(self.header("from"))
        found: tuple[str, str] = self._memo["sender"]
        return found

    @property
    def reply_to(self) -> str:
        """Where an answer goes: Reply-To, else From."""
        return _mailbox(self.header("reply-to"))[1] or self.sender[1]

    @property
    def leaves(self) -> tuple[Part, ...]:
        """All parts with bytes of their own, embedded mails' parts too."""
        if "leaves" not in self._memo:
            self._memo["leaves"] = tuple(x for x in self.root.walk() if not x.is_container)
        found: tuple[Part, ...] = self._memo["leaves"]
        return found

    @property
    def embedded(self) -> tuple[Part, ...]:
        """The roots of mails that lie inside this one, outermost first."""
        return tuple(child for x in self.root.walk() if x.is_message for child in x.children)

    @property
    def body(self) -> str:
        """What the mail itself says in words: its own text parts, not those of mails inside it."""
        if "body" not in self._memo:
            self._memo["body"], self._memo["links"] = _body(self.root)
        text: str = self._memo["body"]
        return text

    @property
    def links(self) -> list[str]:
        """Where the links of the HTML part point, when the body was read from HTML."""
        _ = self.body
        found: list[str] = self._memo["links"]
        return found

    @property
    def closed(self) -> Part | None:
        """The first part that came locked and stayed so. It is looked for once: a large file takes a while."""
        if "closed" not in self._memo:
            self._memo["closed"] = next((x for x in self.leaves if is_closed(x.content)), None)
        found: Part | None = self._memo["closed"]
        return found

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Files of this mail (not of mails inside it), with those in its archives put in the archive's place."""
        if "attachments" not in self._memo:
            self._memo["attachments"] = tuple(_attachments(self.root, self.limits))
        found: tuple[Attachment, ...] = self._memo["attachments"]
        return found


def read_mail(raw: bytes, *, limits: Limits | None = None) -> Mail:
    """Read a mail from its bytes. Whatever the bytes are, a Mail comes back."""
    limits = limits or Limits()
    exceeded: set[str] = set()
    payload = raw.lstrip(b"\r\n\x00 ") if raw[:1] in (b"\r", b"\n", b"\x00", b" ") else raw
    if payload.startswith(b"From "):
        # An mbox separator line is not a header.
        payload = payload.partition(b"\n")[2]
    if payload and not _KNOWN_HEADER.search(payload, 0, _HEAD_OCTETS):
        # Text that somebody handed over without a mail around it: its first lines are no headers, colons or not.
        payload = b"Content-Type: text/plain\r\n\r\n" + payload
    try:
        budget = _Budget(limits, exceeded, size=len(payload))
        root = _from_fast(_unfolded(payload, budget), budget, 0)
        return Mail(root=root, size=len(raw), exceeded=frozenset(exceeded), limits=limits)
    except _TooManyWalls:
        slow = read_mail_by_standard_library(payload, limits=limits)
        return replace(slow, size=len(raw), exceeded=slow.exceeded | {"depth"})
    except Exception as why:  # noqa: BLE001 - the parser is another's compiled code; whatever it raises, the mail is read.
        return replace(read_mail_by_standard_library(payload, limits=limits), size=len(raw), broken=_says(why))


_KNOWN_HEADER = re.compile(
    rb"^(?:from|sender|to|cc|subject|date|received|message-id|mime-version|content-[a-z-]+|return-path|delivered-to|"
    rb"x-[a-z0-9-]+|reply-to|in-reply-to|references|feedback-type|auto-submitted|dkim-signature)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_HEAD_OCTETS = 65_536
"""Where some header stands in any mail."""

_SLOW_OCTETS = 4_000_000
_MANY_BOUNDARIES = 60


def read_mail_by_standard_library(raw: bytes, *, limits: Limits | None = None) -> Mail:
    """The same by Python's own `email`: slower, and lenient where the fast parser gives up. The tests' oracle."""
    limits = limits or Limits()
    exceeded: set[str] = set()
    # Its work grows with lines times open boundaries, so a large or many-walled mail is cut.
    bound = _SLOW_OCTETS if raw.count(b"boundary") <= _MANY_BOUNDARIES else _SLOW_OCTETS // 16
    if len(raw) > bound:
        exceeded.add("size")
        raw = raw[:bound]
    unread = False
    try:
        # compat32 keeps header values as they came, so no broken header can raise while it is looked at.
        message = email.message_from_bytes(raw, _Bounded, policy=email.policy.compat32)
        root = _from_standard(message, _Budget(limits, exceeded), 0)
    except RecursionError:
        exceeded.add("depth")
        root, unread = _headers_only(raw), True
    except Exception as why:  # noqa: BLE001 - hostile input may break the library in ways that it does not document.
        return Mail(root=_headers_only(raw), size=len(raw), broken=_says(why), unread=True, limits=limits)
    return Mail(root=root, size=len(raw), exceeded=frozenset(exceeded), unread=unread, limits=limits)


class _Bounded(email.message.Message):
    """A message whose fields with parameters are cut: the library's work on one is the square of its length."""

    cut = False

    def set_raw(self, name: str, value: str) -> None:
        if len(value) > _LONGEST_WITH_PARAMETERS and name.lower().startswith("content-"):
            value, self.cut = value[:_LONGEST_WITH_PARAMETERS], True
        super().set_raw(name, value)


_LONGEST_WITH_PARAMETERS = 4000
"""Characters of such a field. A boundary has at most 70 (RFC 2046, 5.1.1), and a pattern is made of it."""

_MOST_WALLS = 2000
"""Containers in one mail. For each that lies in another the fast parser takes some 200 octets of a stack of 8 MiB."""
_SMALL_OCTETS = 64 * 1024
"""So little holds fewer containers than that, however it is encoded."""
_CODED_TYPE = re.compile(rb"(?:[^;\n]|\n[ \t])*?=\?")
"""A media type in encoded words (RFC 2047): the fast parser decodes it, and no count of names could see it."""
_EMBEDDING = re.compile(rb"(?<=message/)(?:rfc822|global)\b|(?<=multipart/)digest\b", re.IGNORECASE)
_EMBEDDING_NAMES = (b"message/rfc822", b"message/global", b"multipart/digest")
_CLOSED_TYPE = "message/x-closed"
_CLOSED_DIGEST = "multipart/x-closed"


class _TooManyWalls(Exception):
    """More containers than the fast parser may be given: it goes into each, and its stack has an end."""


def _unfolded(raw: bytes, budget: "_Budget") -> Any:
    """The fast parser's tree. In all but a small mail the mails inside stay closed, and are unfolded one by one here.

    The parser decodes what is embedded and goes into it at once, where nothing could be counted before.
    """
    if len(raw) > _SMALL_OCTETS:
        walls = sum(1 for _ in _places(raw, b"multipart/"))
        coded = b"=?" in raw and any(_CODED_TYPE.match(raw, x) for x in _places(raw, b"\ncontent-type:"))
        if walls > _MOST_WALLS or coded:
            raise _TooManyWalls
        if any(True for name in _EMBEDDING_NAMES for _ in _places(raw, name)):
            raw, budget.changed = _EMBEDDING.sub(b"x-closed", raw), True
        if raw.count(b"=?") > _MOST_WORDS:
            raw, budget.changed = _with_few_words(raw), True
    return parse_email_tree(raw, mode="lazy")


_MOST_WORDS = 100
"""Encoded words that are decoded in one line, which has room for a few (RFC 2047, 2): the work is their square."""
_LEFT_CODED = b"\x1e\x1fleft coded\x1f\x1e"
_WORD_OR_LINE = re.compile(rb"=\?|\n")


def _with_few_words(raw: bytes) -> bytes:
    """The mail with the start of each further encoded word in a line spoiled; `_as_it_came` mends it."""
    words = 0

    def spoil(found: re.Match[bytes]) -> bytes:
        nonlocal words
        words = 0 if found[0] == b"\n" else words + 1
        return found[0] if words <= _MOST_WORDS else _LEFT_CODED

    return _WORD_OR_LINE.sub(spoil, raw)


def _places(raw: bytes, name: bytes, *, octets: int = 1 << 20) -> Iterator[int]:
    """Where a name in lower case ends, whatever its case in the mail: much faster than a pattern, a MiB at a time."""
    for start in range(0, len(raw), octets):
        piece = raw[start : start + octets + len(name) - 1].lower()
        at = piece.find(name)
        while at >= 0:
            yield start + at + len(name)
            at = piece.find(name, at + len(name))


class _HiddenBody(Exception):
    """A container without a part: its text would be lost."""


class _Budget:
    """Counts what has been unfolded, and remembers which bound was met."""

    def __init__(self, limits: Limits, exceeded: set[str], *, size: int = 0) -> None:
        self.limits = limits
        self.size = size
        self.exceeded = exceeded
        self.parts = 0
        self.octets = 0
        self.copied = 0
        self.documents = 0
        self.changed = False
        """Whether words of the mail were changed before it was unfolded, and are to be put back."""

    def another_part(self, depth: int) -> bool:
        self.parts += 1
        if depth > self.limits.depth:
            self.exceeded.add("depth")
            return False
        if self.parts > self.limits.parts:
            self.exceeded.add("parts")
            return False
        return True

    def afford(self, octets: int) -> bool:
        if self.octets + octets > self.limits.decoded_octets:
            self.exceeded.add("size")
            return False
        self.octets += octets
        return True

    def opened(self, content: bytes) -> bytes:
        """A part's content, and that of a locked spreadsheet as it was before it was locked."""
        if not content.startswith(SIGN) or not self.limits.archive_passwords:
            return content
        self.documents += 1
        if self.documents > self.limits.locked_documents:
            return content
        try:
            return unlock_office(content, passwords=self.limits.archive_passwords) or content
        except Exception:  # noqa: BLE001 - one attachment that cannot be opened must not cost the reading of the mail.
            return content

    def another_mail(self, octets: int) -> bool:
        """A mail inside a mail is a copy of what is left of it; the deepest of too many stay closed."""
        self.copied += octets
        if self.copied > max(self.limits.embedded_copies_octets, 2 * self.size):
            self.exceeded.add("depth")
            return False
        return True


_CHARSET = re.compile(r"""charset\s{0,4}=\s{0,4}["']?([\w.:+-]{1,40})""", re.IGNORECASE)


def _from_fast(node: Any, budget: _Budget, depth: int, *, usual: str = "text/plain") -> Part:
    found = list(node.headers.items())[: budget.limits.headers_per_part]
    headers = {name.lower(): tuple(values[:100]) for name, values in found}
    if budget.changed:
        headers = {name: tuple(map(_as_it_came, values)) for name, values in headers.items()}
    if budget.changed and any(_LEFT_CODED.decode() in x for _, values in found for x in values):
        budget.exceeded.add("size")
    kind = node.content_type if "content-type" in headers else usual
    shown = "multipart/digest" if kind == _CLOSED_DIGEST else node.content_type
    children: tuple[Part, ...] = ()
    content = b""
    if kind == _CLOSED_TYPE and budget.another_part(depth + 1) and budget.another_mail(node.encoded_size or 0):
        try:
            inner = _from_fast(_unfolded(node.content or b"", budget), budget, depth + 1)
            return _part("message/rfc822", headers, node.filename, node.disposition, b"", (inner,), True)
        except _TooManyWalls:
            budget.exceeded.add("depth")
    if node.children:
        # What lies in a digest is a mail unless it says otherwise (RFC 2046, 5.1.5).
        below = _CLOSED_TYPE if kind == _CLOSED_DIGEST else "text/plain"
        children = tuple(
            _from_fast(x, budget, depth + 1, usual=below) for x in node.children if budget.another_part(depth + 1)
        )
    elif node.content_type.startswith("multipart/"):
        # Its boundary never comes: the fast parser hides the body, the slow one shows it.
        if budget.size <= _SLOW_OCTETS:
            raise _HiddenBody(node.content_type)
        budget.exceeded.add("size")
    elif budget.afford(node.encoded_size or 0):
        content = node.content or b""
        coded = "base64" in headers.get("content-transfer-encoding", ("",))[0].lower()
        if budget.changed and not coded and (b"/x-closed" in content or _LEFT_CODED in content):
            content = _as_it_came(content.decode("latin-1")).encode("latin-1")
    content = budget.opened(content)
    return _part(shown, headers, node.filename, node.disposition, content, children, bool(node.is_message))


def _as_it_came(text: str) -> str:
    """Words of the mail again, where one of them was changed so that a part stays closed or a word is left coded."""
    text = text.replace(_LEFT_CODED.decode(), "=?")
    if "/x-closed" not in text:
        return text
    return _CLOSED.sub(lambda x: x[0][:-8] + ("rfc822" if len(x[1]) == len("message") else "digest"), text)


_CLOSED = re.compile("(message|multipart)/x-closed", re.IGNORECASE)


_MAIL_TYPES = ("message/rfc822", "message/global")


def _from_standard(message: "email.message.Message[str, str]", budget: _Budget, depth: int) -> Part:
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in message.raw_items() if hasattr(message, "raw_items") else message.items():
        if len(headers) >= budget.limits.headers_per_part:
            break
        key = name.lower()
        if len(headers.get(key, ())) < 100:
            headers[key] = (*headers.get(key, ()), _decoded_header(str(value)))
            if len(value) > _LONGEST_DECODED:
                budget.exceeded.add("size")
    if isinstance(message, _Bounded) and message.cut:
        budget.exceeded.add("size")
    children: tuple[Part, ...] = ()
    content = b""
    payload = message.get_payload()
    kind = message.get_content_type()
    if isinstance(payload, list) and kind.startswith("message/") and kind not in _MAIL_TYPES:
        # The library takes any message/* for a mail; a report's fields are a leaf here.
        content = b"\n".join(x.as_bytes() for x in payload[:200] if isinstance(x, email.message.Message))
        if not budget.afford(len(content)):
            content = b""
    elif isinstance(payload, list):
        children = tuple(
            _from_standard(x, budget, depth + 1)  # type: ignore[arg-type]  # the stubs allow text in a list; the parser never puts any there
            for x in payload
            if budget.another_part(depth + 1)
        )
    elif budget.afford(len(payload) if payload else 0):
        decoded = message.get_payload(decode=True)
        content = decoded if isinstance(decoded, bytes) else b""
    return _part(
        kind,
        headers,
        message.get_filename() or "",
        message.get_content_disposition() or "",
        budget.opened(content),
        children,
        kind in _MAIL_TYPES,
    )


def _part(
    content_type: str,
    headers: dict[str, tuple[str, ...]],
    filename: str,
    disposition: str | None,
    content: bytes,
    children: tuple[Part, ...],
    is_message: bool,
) -> Part:
    if not children and content_type.startswith("multipart/"):
        content_type = "text/plain"
    charset = _CHARSET.search(headers.get("content-type", ("",))[0][:2000])
    return Part(
        content_type.lower().strip()[:100],
        charset[1] if charset else "",
        one_line(filename or ""),
        (disposition or "").lower()[:20],
        headers,
        content,
        children,
        is_message,
    )


_LONGEST_DECODED = 64 * 1024
"""Characters of a header field that the standard library decodes: its work, too, is their square."""


def _decoded_header(value: str) -> str:
    value = value[:_LONGEST_DECODED]
    value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\r", "").replace("\n", "")
    if "=?" not in value:
        return value
    try:
        pieces = email.header.decode_header(value)
        return "".join(x if isinstance(x, str) else decode(x, charset=name or "") for x, name in pieces)
    except Exception:  # noqa: BLE001 - a header that cannot be decoded is shown as it came.
        return value


def _headers_only(raw: bytes) -> Part:
    """What can be said of a mail whose form defeats every parser: its first headers and its first text."""
    head, _, rest = raw[:200_000].replace(b"\r\n", b"\n").partition(b"\n\n")
    headers: dict[str, tuple[str, ...]] = {}
    for line in decode(head).split("\n")[:200]:
        name, colon, value = line.partition(":")
        if colon and name.strip() and " " not in name.strip():
            headers.setdefault(name.strip().lower(), (_decoded_header(value.strip()),))
    return Part("text/plain", "", "", "", headers, rest, (), False)


def _says(why: Exception) -> str:
    return one_line(f"{type(why).__name__}: {why}", longest=200)


_BRACKETED = re.compile(r"([^<>]*)<([^<>\s@,]{1,64}@[^<>\s@,]{1,255})>\s*")


def _mailbox(value: str) -> tuple[str, str]:
    # The display name has been decoded already, so what it says must not be taken for an address (RFC 2047, 6.2).
    if match := _BRACKETED.fullmatch(value):
        return one_line(match[1].strip(' "'), longest=200), one_line(match[2], longest=254)
    try:
        name, address = parseaddr(value)
    except Exception:  # noqa: BLE001 - as for every header: what cannot be read is empty.
        return "", ""
    if address.count("@") != 1 or any(x.isspace() for x in address):
        found = re.search(r"[\w.+=%#-]{1,100}@[\w.-]{1,200}", value)
        address = found[0] if found else ""
    return one_line(name, longest=200), one_line(address, longest=254)


def _own_leaves(part: Part) -> Iterator[Part]:
    """The leaves of one mail, not entering mails inside it."""
    stack = [part]
    while stack:
        this = stack.pop()
        if this.is_message and this is not part:
            continue
        if this.is_container:
            stack.extend(reversed(this.children))
        else:
            yield this


_LONGEST_BODY = 400_000
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_ENOUGH_WORDS = 400
_PLACE = re.compile(
    r"(?<![\d.])\d{1,3}(?:\[?\.\]?\d{1,3}){3}(?!\d)|://|\[\.\]|[0-9A-Fa-f]{0,4}::[0-9A-Fa-f/]|"
    r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{1,4}:){6}[0-9A-Fa-f]"
)
"""What an address or a link has in it, defanged too. A date has fewer dots, and a clock fewer colons."""


def body_of(part: Part) -> str:
    """What one mail (or a mail inside another) says in words."""
    return _body(part)[0]


def _body(root: Part) -> tuple[str, list[str]]:
    texts: list[str] = []
    links: list[str] = []
    left = _LONGEST_BODY
    stack = [root]
    while stack and left > 0:
        part = stack.pop()
        if part.is_message and part is not root:
            continue
        if part.content_type == "multipart/alternative" and part.children:
            text, found = _best_alternative(part, left)
            links += found
        elif part.is_container:
            stack.extend(reversed(part.children))
            continue
        elif part.content_type not in ("text/plain", "text/html") or part.disposition == "attachment" or part.filename:
            continue
        else:
            text, found = _words(part, left)
            links += found
        texts.append(text)
        left -= len(text)
    return "\n\n".join(x for x in texts if x), links


def _words(part: Part, longest: int) -> tuple[str, list[str]]:
    content = part.content[: longest * 4]
    text = decode(content, charset=part.charset).replace("\r\n", "\n").replace("\r", "\n")
    links: list[str] = []
    if part.content_type == "text/html" or text[:200].lstrip().lower().startswith(("<html", "<!doctype html")):
        text, links = html_to_text(text)
    return text[:longest], links


def _best_alternative(part: Part, longest: int) -> tuple[str, list[str]]:
    """The plain form, unless it is but a stub beside the HTML one."""
    plain = page = None
    for leaf in _own_leaves(part):
        if leaf.disposition == "attachment":
            continue
        if leaf.content_type == "text/plain" and plain is None:
            plain = leaf
        elif leaf.content_type == "text/html" and page is None:
            page = leaf
    text, links = _words(plain, longest) if plain else ("", [])
    said = len(_SIGNATURE.split(text, maxsplit=1)[0].strip())
    if page is not None and said < _ENOUGH_WORDS:
        other, links = _words(page, longest)
        # However short the page: where it alone names an address or a link, the plain form is no more than a stub.
        stub = len(other) >= 2 * said and _PLACE.search(other) and not _PLACE.search(text)
        if len(other) > max(200, 2 * said) or not said or stub:
            return (f"{other}\n\n{text}" if text else other)[:longest], links
    return text, links


def _attachments(root: Part, limits: Limits) -> Iterator[Attachment]:
    for part in _own_leaves(root):
        if not part.content:
            continue
        inline = part.content_type in ("text/plain", "text/html") and not part.filename
        if inline and part.disposition != "attachment":
            continue
        name = part.filename.lower()
        if part.content[:4] == b"PK\x03\x04" and (part.content_type in _ARCHIVES or not name.endswith(_OFFICE)):
            inside = list(open_zip(part.content, limits=limits))
            yield from inside or [Attachment(part.filename, part.content_type, part.content)]
        elif part.content.startswith(PACKED):
            bound = min(limits.archive_octets, max(4096, len(part.content)) * limits.archive_ratio)
            plain = unfold(part.content, octets=bound).content
            yield Attachment(_PACKED_NAME.sub("", part.filename), "application/octet-stream", plain)
        else:
            yield Attachment(part.filename, part.content_type, part.content)


_PACKED = (".zip", ".gz", ".bz2", ".xz", ".7z", ".rar", ".jar")
_PACKED_NAME = re.compile(r"\.(?:gz|bz2|xz)\Z", re.IGNORECASE)
_SHEETS = (".xlsx", ".xlsm", ".ods")
"""Archives themselves; who reads one has bounds of its own for what it unfolds to, and for all of a mail."""
_OFFICE = (".docx", ".xlsx", ".xlsm", ".pptx", ".odt", ".ods", ".jar", ".apk")


def is_bomb(content: bytes, *, limits: Limits) -> bool:
    """Whether a ZIP archive says itself that it unfolds to more than is unfolded here."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False
    bounds = (max(4096, e.compress_size) * limits.archive_ratio for e in entries)
    beyond = any(e.file_size > bound for e, bound in zip(entries, bounds, strict=True))
    return beyond or sum(e.file_size for e in entries) > limits.archive_octets


def is_closed(content: bytes) -> bool:
    """Whether it is a document or an archive that a password locks. One that was opened is no longer."""
    if content.startswith(SIGN):
        return is_locked(content)
    if content[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(entry.flag_bits & 1 for entry in archive.infolist()[:1000])
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return False


def open_zip(content: bytes, *, limits: Limits, nested: bool = False) -> Iterator[Attachment]:
    """Files in a ZIP archive, within bounds: no bomb, no file locked by an unknown password, and an archive inside it
    only if `nested` says so."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            left = limits.archive_octets
            for entry in archive.infolist()[: limits.archive_entries]:
                if entry.is_dir() or (not nested and entry.filename.lower().endswith(_PACKED)):
                    continue
                bound = min(left, max(4096, entry.compress_size) * limits.archive_ratio)
                data = entry_of(content, archive, entry, bound, limits.archive_passwords)
                if data is None:
                    continue
                if len(data) > bound:
                    return
                left -= len(data)
                if data[:4] == b"PK\x03\x04" and not nested and not entry.filename.lower().endswith(_SHEETS):
                    continue
                yield Attachment(one_line(entry.filename), "application/octet-stream", data)
    except Exception:  # noqa: BLE001 - a broken or hostile archive holds nothing that we can read.
        return


def entry_of(
    content: bytes, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, bound: int, passwords: tuple[str, ...]
) -> bytes | None:
    """At most `bound` + 1 octets of one file, or None when it is locked and no known password opens it."""
    if not entry.flag_bits & 1:
        with archive.open(entry) as file:
            return file.read(bound + 1)
    return unlock(content, archive, entry, passwords=passwords, octets=bound + 1) if passwords else None


_GZIP = b"\x1f\x8b\x08"
PACKED = (
    _GZIP,
    *(b"BZh%d" % size + first for size in range(1, 10) for first in (b"1AY&SY", b"\x17rE8P\x90")),
    b"\xfd7zXZ\0",
)
"""With what gzip (RFC 1952), bzip2 and xz files begin. A bzip2 file goes on with a block or its end: a text may begin
with the same three letters."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What a gzip, bzip2 or xz file unfolds to."""

    content: bytes
    whole: bool
    """Whether nobody unfolds more of it. Behind a fault in a gzip file nobody does, but in its next member."""
    skipped: tuple[bytes, ...]
    """What stands between a fault in a gzip file and its next member."""
    behind: bytes
    """What stands behind the last member, and is none."""
    members: int
    """How many were begun: one that is empty costs time, and no octet of what is found."""


def unfold(content: bytes, *, octets: int) -> Unfolded:
    """At most so many octets of what a gzip, bzip2 or xz file unfolds to, all its members."""
    found: list[bytes] = []
    skipped: list[bytes] = []
    held = at = members = 0
    whole = True
    while whole and content.startswith(PACKED, at):
        members += 1
        if members > _MOST_MEMBERS:
            whole = False
            break
        plain, taken, whole = _member(content, at, octets + 1 - held)
        found += plain
        held += sum(map(len, plain))
        in_gzip = content.startswith(_GZIP, at)
        at += taken
        if held > octets:
            whole = False
        elif in_gzip and not whole:
            next_at = content.find(_GZIP, at)
            next_at = next_at if next_at >= 0 else len(content)
            skipped.append(content[at:next_at])
            at = next_at
            whole = True
        # Between and behind members programs write zeros only (RFC 1952, 2.2, and the xz format, 2.2).
        at = _ZEROS.match(content, at).end()  # type: ignore[union-attr]  # it fits anything
    return Unfolded(b"".join(found)[:octets], whole, tuple(skipped), content[at:] if whole else b"", members)


def _member(content: bytes, start: int, octets: int) -> tuple[list[bytes], int, bool]:
    """At most so many octets of what one member unfolds to, how many were taken in, and whether it is whole; of one of
    gzip all that stands before a fault."""
    unpacker: Any = _UNPACKERS.get(content[start : start + 2], lzma.LZMADecompressor)()
    found: list[bytes] = []
    held = 0
    at, size = start, _LEAST_PIECE
    least: int | None = None
    while not unpacker.eof and at < len(content) and held < octets:
        # In pieces, because the library copies all that it is given beyond the member's end, and of a piece with a
        # fault gives nothing: such a one is taken in again in smaller ones.
        before = unpacker.copy() if hasattr(unpacker, "copy") else None
        piece = content[at : at + size]
        try:
            found.append(unpacker.decompress(piece, octets - held))
        except (zlib.error, OSError, EOFError, lzma.LZMAError):
            if before is None or size == 1:
                break
            unpacker, size = before, max(1, size // 32)
            least = size
            continue
        held += len(found[-1])
        at += len(piece) - len(unpacker.unused_data)
        size = min(2 * size, _MOST_PIECE) if least is None else least
    return found, max(1, at - start), unpacker.eof


_MOST_MEMBERS = 20_000
"""More than the files that the sieve looks at: such a file is sealed."""
_LEAST_PIECE, _MOST_PIECE = 256, 32 * 1024
_ZEROS = re.compile(rb"\0*")
_UNPACKERS: dict[bytes, Callable[[], Any]] = {b"\x1f\x8b": lambda: zlib.decompressobj(31), b"BZ": bz2.BZ2Decompressor}
