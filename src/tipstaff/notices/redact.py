"""Take out of evidence what would tell a customer who complained, and leave what helps to fix the problem. Pure.

Two nets, one behind the other. The general one knows no name: mail addresses, addresses and host names that are not
the customer's own, message ids, long tokens, telephone numbers, and whole headers that exist to name recipients. The
particular one knows whom to hide (`hide`), and finds them in any spelling: other case, defanged, quoted-printable,
percent- or entity-encoded, base64, reversed, `user=host` as bounce addresses have it, a name's parts in any order and
with any marks between them, a reference without its marks. What is left out reads `[…]`.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from email.header import decode_header
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise, permutations
from urllib.parse import unquote_to_bytes

LEFT_OUT = "[…]"
LINES_MAX = 20
CHARACTERS_MAX = 200
_READ_MAX = 10_000
"""So much of an excerpt is looked at; twenty lines of use to anybody are in it."""


def redact(excerpt: str, *, hide: frozenset[str], keep: frozenset[str]) -> str:
    """Return at most 20 lines of 200 characters in which none of `hide` can be read.

    `keep` holds what is the customer's own (an address, a URL, a host name) and stays legible, also where a hidden
    value is a part of it; of a URL only as far as it names no visitor.
    """
    keep = frozenset(place_shown(own).partition(LEFT_OUT)[0].rstrip("?#/") or own for own in keep)
    hidden, kept = _Hidden(hide, keep=keep), _Kept(keep)
    text = _headers_left_out(_readable(excerpt[:_READ_MAX]))
    spared = kept.spans(text)
    spans = [*hidden.spans(text, spared), *_strangers(text, kept, spared)]
    lines = [_shortened(line) for line in _cut(text, spans).split("\n") if line.strip()]
    return "\n".join(LEFT_OUT if hidden.can_be_read_in(line, kept) else line for line in lines[:LINES_MAX])


def place_shown(place: str) -> str:
    """A place as its holder may see it: of a URL in it, what names a visitor is left out.

    Links in spam carry the address that they were sent to, as it is, encoded, or as a token of its own. Whoever knows
    to whom a link went knows who complained. The host and the path stay, which are what has to be set right.
    """
    if begin := _URL_BEGINS.match(place):
        # All of it is one URL, also behind a quotation mark or a blank, where others would see its end.
        return place[: begin.end()] + _without_visitor(place[begin.end() :])
    return _URL.sub(lambda url: _without_visitor(url[0]), place)


_URL_BEGINS = re.compile(r"(?i)[\s\"'<(]*(?=[a-z][a-z0-9+.-]*://|[^\s/\\?#]+[/\\?#])")
"""Of any scheme, or of none."""


def _without_visitor(url: str) -> str:
    scheme = re.match(r"(?i)(?:[a-z][a-z0-9+.-]*://)?", url)
    assert scheme is not None, "it may be empty"
    host, *path = re.split(r"(?=[/\\?#])", url[scheme.end() :])
    host, more = re.fullmatch(r"(?s)([^\s\"'<>]*)(.*)", host).groups()  # type: ignore[union-attr]  # it fits anything
    user, at, host = host.rpartition("@")
    more = LEFT_OUT if "@" in more or _names_visitor(more) else more
    shown = [f"{scheme[0]}{LEFT_OUT + at if user else ''}{host}{more}"]
    for piece in path:
        if piece[0] in "/\\" and not _names_visitor(piece):
            shown.append(piece)
        elif piece[0] in "/\\":
            shown.append(f"{piece[0]}{LEFT_OUT}")
        elif _names_visitor(piece) or any(_is_opaque(x) for x in _TOKEN.findall(piece)):
            return f"{''.join(shown)}{piece[0]}{LEFT_OUT}"
        else:
            shown.append(piece)
    return "".join(shown)


def _names_visitor(piece: str) -> bool:
    """Whether a mail address stands in it: as it is, or in an encoding of characters, base64 or hex."""
    if any(_MAILBOX.search(view.text) for view in _views(piece)):
        return True
    # A "/" may be of the run or stand before it: it is read both ways, and without the one that begins the piece.
    said = unquote_to_bytes(piece[1:]).decode("latin-1")
    runs = {run for text in (said, said.replace("/", " ")) for run in _BASE64_RUN.findall(text)}
    return any(_MAILBOX.search(clear) for run in runs for clear in _decoded(run))


_MAILBOX = re.compile(r"[\w.+=\"'-]{1,64}(?:@|%40|=40)[\w-]{1,63}\.[\w.-]{2,100}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What is always left out.

_NAMING_HEADER = re.compile(
    r"""(?ix) ^ [>\s|]* (?:
        (?:resent-)? (?:to|cc|bcc) | delivered-to | envelope-to | apparently-to | x-(?:original-to|envelope-to|rcpt-to)
      | x-real-to | original-rcpt-to | final-recipient | original-recipient | removal-recipient | removed-recipient
      | return-path | errors-to | reply-to | sender | message-id | x-message-id | resent-message-id | content-id
      | in-reply-to | references | list-[a-z-]+ | (?:x-)?feedback-id | x-unsubscribe[a-z-]* | original-envelope-id
      | reporting-mta | received-from-mta | remote-mta | dkim-signature | arc-[a-z-]+ | authentication-results
      | received-spf | reported-by | reporter[a-z-]* | x-reporter[a-z-]* | x-abuse-reports-to | x-csa-[a-z-]+
      | x-(?:google|gm|ms|microsoft|yahoo|forefront|barracuda|proofpoint|mimecast|sg|ses)-[a-z-]+
    ) \s* : [ \t]* (?=\S)
    """
)
_HEADER = re.compile(r"^[>\s|]*[A-Za-z][A-Za-z0-9-]{1,60}\s*:(?:\s|$)")
_RECEIVED = re.compile(r"(?i)^[>\s|]*received\s*:")
_RECEIVED_TAIL = re.compile(r"(?i)\b(by|for|id|via|envelope-from|envelope-sender)\s+(?!\[…\])[^\s;)]+")
_SYSLOG_HOST = re.compile(
    r"""(?x) ^ ( \s* (?:<\d+>)? (?: [A-Z][a-z]{2} [ ]{1,2} \d{1,2} [ ] \d\d:\d\d:\d\d (?:[.,]\d+)?
      | \d{4}-\d\d-\d\d [T ] \d\d:\d\d:\d\d \S* ) [ ] ) ( [A-Za-z0-9][\w.-]* ) ( [ ] [\w./()-]+ (?:\[\d+\])? : )"""
)
_ADDRESS = re.compile(
    r"[^\s<>()\[\],;:\"'|@…]{1,200}(?:@|\[at\]|\(at\)| at (?=\S{1,100}\[))[\w-]+"
    r"(?:(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))[\w-]+)*"
)
_ANGLED = re.compile(r"<[^<>\s]*@[^<>\s]*>")
_NAME_BEFORE_ANGLED = re.compile(r"(?i)(?<=from: )[^<>\n]{1,200}?(?=\s*<)")
_URL = re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s<>\"']+")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:(?:\.|\[\.\]|\(\.\))\d{1,3}){3}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,39}(?:\d+\.\d+\.\d+\.\d+)?(?![\w:])")
_HARDWARE = re.compile(r"(?i)(?<![\w:])(?:[0-9a-f]{2}[:-]){5,}[0-9a-f]{2}(?![\w:])")
_HOST = re.compile(
    r"(?i)(?<![\w@/.-])(?:[\w](?:[\w-]{0,61}[\w])?(?:\.|\[\.\]|\(\.\)))+(?:[a-z]{2,24}|xn--[a-z0-9-]+)(?![\w-])"
)
_NO_TELEPHONE = (
    r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:|\d{1,2}:\d\d|\d{4}-\d\d-\d\d|\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d\d)\b"
)
"""Addresses, times and dates, which may follow a telephone number."""
_MORE_DIGITS = rf"(?:[ ]?[-/.(]{{0,2}}[)]?[ ]?(?!{_NO_TELEPHONE})\d{{1,14}})*"
_TELEPHONE = re.compile(rf"(?<![\w+.:/-])\+(?!1[0-4](?:00|15|30|45)(?!\d))[1-9]\d{{0,14}}{_MORE_DIGITS}")
"""An international number (ITU-T E.123): no country's code begins with 0, so no zone east of Greenwich before +10:00 is
one; the others are told apart by their quarters of an hour."""
_TELEPHONE_NAMED = re.compile(
    r"(?i)\b(?:tel|telephone|telefon|phone|fon|fax|mobile|mobil)\b[.:]{0,2}[ ]{0,3}"
    rf"(?!{_NO_TELEPHONE})[(]?\d+{_MORE_DIGITS}"
)
_TELEPHONE_DIGITS = range(8, 16)
"""As ITU-T E.164 has it, with the country's code; eight at least, or any number of a log would be one."""
_NO_HOST = _words(
    """
    asp aspx bak bin bmp bz2 cgi class conf config css csv db dll doc docx env exe gif gz htm html ico ini iso jar jpeg
    jpg js json jsp key lock log md mdb msi old orig pdf pem php phtml pl png ppt py rar rb rdf rss sh so sql svg swf
    tar tgz tmp txt vbs wasm webp woff xls xlsx xml yaml yml zip
    """
)
_TOKEN = re.compile(r"[A-Za-z0-9_=+-]{20,}")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_BASE64_BLOCK = re.compile(r"(?m)(?:^[ >|]{0,8}[A-Za-z0-9+/]{4,}={0,2} {0,4}\n)+[ >|]{0,8}[A-Za-z0-9+/]{2,}={0,2}$")
_BASE64_LINE = re.compile(r"[ >|]{0,8}[A-Za-z0-9+/]{40,}={0,2} *")
_BASE64_REST = re.compile(r"[ >|]{0,8}[A-Za-z0-9+/]+={0,2} *")
_ENCODED_WORD = re.compile(r"=\?[\w*-]{1,40}\?[bBqQ]\?[^?\s]{0,500}\?=")


def _headers_left_out(text: str) -> str:
    """Leave out headers that name recipients and systems, with their folded lines, and blocks of base64.

    Of a Received header stays whom it was from and when.
    """
    out: list[str] = []
    naming = received = coded = False
    for line in text.split("\n"):
        coded = bool((_BASE64_REST if coded else _BASE64_LINE).fullmatch(line))
        if coded:
            out.append(LEFT_OUT)
            continue
        folded = line[:1] in (" ", "\t") and not _HEADER.match(line)
        if naming and folded:
            continue
        named = _NAMING_HEADER.match(line)
        naming = named is not None
        received = bool(_RECEIVED.match(line)) or (received and folded)
        if named is not None:
            line = f"{named[0].rstrip()} {LEFT_OUT}"
        elif received:
            line = _RECEIVED_TAIL.sub(rf"\1 {LEFT_OUT}", line)
        out.append(_SYSLOG_HOST.sub(rf"\1{LEFT_OUT}\3", line))
    return "\n".join(out)


_Span = tuple[int, int]


def _strangers(text: str, kept: "_Kept", spared: list[_Span]) -> Iterator[_Span]:
    """Yield whatever names somebody and is not kept."""
    yield from (found.span() for found in _NAME_BEFORE_ANGLED.finditer(text))
    for url in _URL.finditer(text):
        if not _within(url.span(), spared):
            yield url.start() + _readable_part(url[0], kept), url.end()
    yield from (
        span for span in _telephones(text) if not any(span[0] < end and start < span[1] for start, end in spared)
    )
    for pattern, names in _NAMES:
        for found in pattern.finditer(text):
            if names(found[0]) and not _within(found.span(), spared):
                yield found.span()


def _telephones(text: str) -> Iterator[_Span]:
    for named, pattern in ((False, _TELEPHONE), (True, _TELEPHONE_NAMED)):
        for found in pattern.finditer(text):
            groups = list(re.finditer(r"\d+", found[0]))
            while sum(len(group[0]) for group in groups) >= _TELEPHONE_DIGITS.stop:
                groups.pop()  # What follows it is another number.
            digits = sum(len(group[0]) for group in groups)
            fraction = re.fullmatch(r"\+\d+\.\d+", found[0])
            if digits >= (6 if named else _TELEPHONE_DIGITS.start) and not fraction:
                yield found.start(), found.start() + groups[-1].end()


def _within(span: _Span, spared: list[_Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in spared)


def _readable_part(url: str, kept: "_Kept") -> int:
    """How much of a URL stays: all up to `?` on a host of the customer's own, since what follows names visitors."""
    place = re.split(r"[?#]", url, maxsplit=1)[0]
    host = place.split("/")[2]
    return len(place_shown(place).partition(LEFT_OUT)[0]) if (0, len(host)) in kept.spans(host) else 0


def _ip_of(found: str) -> str | None:
    """An address in its one spelling, or None: neither 999.1.2.3 nor `::` names anybody."""
    plain = re.sub(r"[\[\]()]", "", found)
    try:
        address = ip_address(plain)
    except ValueError:
        return None
    return str(address) if isinstance(address, IPv4Address) or len(plain) > 3 else None


def _names_a_host(found: str) -> bool:
    return found.rpartition(".")[2].lower() not in _NO_HOST


def _is_opaque(found: str) -> bool:
    """A long run is opaque unless it is words in a row, none of them longer than words are."""
    words = [word for word in re.split(r"[-_=+]", found) if word]
    plain = all(len(word) <= 24 and (word.isalpha() or word.isdigit()) for word in words)
    return not plain or re.fullmatch(r"[0-9a-fA-F-]+", found) is not None


_NAMES: tuple[tuple[re.Pattern[str], Callable[[str], object]], ...] = (
    (_ANGLED, bool),
    (_ADDRESS, bool),
    (_HARDWARE, bool),
    (_IPV4, _ip_of),
    (_IPV6, _ip_of),
    (_HOST, _names_a_host),
    (_TOKEN, _is_opaque),
)


# Whom to hide, in any spelling.


class _Kept:
    """What is the customer's own."""

    def __init__(self, keep: Iterable[str]) -> None:
        spelled = {form for value in keep if len(value.strip()) >= 3 for form in _kept_forms(value.strip())}
        ordered = sorted(spelled, key=len, reverse=True)
        edge_before, edge_after = r"(?<![\w.@-])", r"(?![\w@-]|\.\w)"
        self._pattern = re.compile(
            "|".join(f"{edge_before}{re.escape(form)}{edge_after}" for form in ordered) or r"(?!)", re.IGNORECASE
        )

    def spans(self, text: str) -> list[_Span]:
        return [found.span() for found in self._pattern.finditer(text)]


def _kept_forms(value: str) -> Iterator[str]:
    yield value
    yield value.replace(".", "[.]")
    scheme, mark, rest = value.partition("://")
    if mark:
        host = rest.partition("/")[0].partition(":")[0]
        yield from (host, f"{scheme.replace('tt', 'xx')}://{rest}", host.replace(".", "[.]"))
    try:
        address = ip_address(value)
    except ValueError:
        return
    yield from (str(address), address.exploded)


class _Hidden:
    """The values that must not be read, found in all their spellings."""

    def __init__(self, hide: Iterable[str], *, keep: Iterable[str]) -> None:
        kept = {_folded(value) for value in keep}
        forms: set[str] = set()
        address_forms: set[str] = set()
        self._addresses: set[IPv4Address | IPv6Address] = set()
        self._turned: list[tuple[str, ...]] = []
        for value in {each.strip().strip("<>").strip() for each in hide}:
            if len(value) < 2 or _folded(value) in kept:
                continue
            try:
                address = ip_address(value)
            except ValueError:
                forms.update(_spellings(value))
                self._turned += _turned(value)
            else:
                self._addresses.add(address)
                address_forms.update(_address_spellings(address))
        # What is short is found only as a word by itself: "ann" is not hidden in "channel".
        self._literal = tuple({form for form in forms if len(form) >= 4})
        self._bounded = tuple({form for form in forms if 2 <= len(form) < 4} | address_forms)

    def spans(self, text: str, spared: list[_Span]) -> list[_Span]:
        """Return every reading of a hidden value, but for those that lie within something kept."""
        return [span for span in self._found(text) if not _within(span, spared)]

    def can_be_read_in(self, text: str, kept: _Kept) -> bool:
        return bool(self.spans(text, kept.spans(text)))

    def _found(self, text: str) -> Iterator[_Span]:
        for view in _views(text):
            for found in self._readings(view.text):
                yield view.start[found.start()], view.end[found.end() - 1]
        for found in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
            plain = _ip_of(found[0])
            if plain is not None and ip_address(plain) in self._addresses:
                yield found.span()
        yield from self._encoded(text)

    def _readings(self, text: str) -> Iterator[re.Match[str]]:
        # Looking for each form costs little; a pattern of hundreds of forms costs much, and is rarely needed.
        if present := [form for form in self._literal if form in text]:
            yield from _alternation(present, "", "").finditer(text)
        if present := [form for form in self._bounded if form in text]:
            yield from _alternation(present, r"(?<![0-9a-z])", r"(?![0-9a-z])").finditer(text)
        for parts in self._turned:
            if all(part in text for part in parts):
                yield from _in_a_row(parts).finditer(text)

    def _encoded(self, text: str) -> Iterator[_Span]:
        """Runs of base64 or hexadecimal digits that decode to something hidden, also over several lines."""
        for pattern in (_BASE64_RUN, _BASE64_BLOCK):
            for run in pattern.finditer(text):
                if self._is_said_by(re.sub(r"[\s>|]", "", run[0])):
                    # Of a path only the part that says it: the host before it stays.
                    parts = re.finditer(r"[^/]{8,}", run[0]) if pattern is _BASE64_RUN else ()
                    said = [part.span() for part in parts if self._is_said_by(part[0])]
                    yield from [(run.start() + start, run.start() + end) for start, end in said] or [run.span()]

    def _is_said_by(self, run: str) -> bool:
        return any(self._says(clear) for clear in _decoded(run))

    def _says(self, clear: str, depth: int = 0) -> bool:
        if any(True for text in _texts(clear) for _ in self._readings(text)):
            return True
        return depth < 2 and any(
            self._says(again, depth + 1) for run in _BASE64_RUN.findall(clear) for again in _decoded(run)
        )


def _alternation(forms: Iterable[str], before: str, after: str) -> re.Pattern[str]:
    ordered = sorted(forms, key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(map(re.escape, ordered))}){after}")


def _spellings(value: str) -> Iterator[str]:
    """A value as it may be written, all in lower case; encodings of single characters are undone before."""
    plain = _folded(value)
    yield plain
    yield plain[::-1]
    yield plain.replace(" ", "")
    local, mark, host = plain.rpartition("@")
    if mark and local and host:
        for between in ("=", "+", "-", "_", "%", "#", " at ", "_at_", "-at-", ".at.", "/"):
            yield f"{local}{between}{host}"
        yield f"{host}={local}"
        yield host
        if len(local) >= 5 and local not in _ROLES:
            yield local
    else:
        host = plain
    if "." in host:
        yield ".".join(reversed(host.split(".")))
        yield host.replace(".", "-")
        yield host.replace(".", "_")
        with suppress(UnicodeError):
            yield host.encode("idna").decode("ascii")


def _turned(value: str) -> Iterator[tuple[str, ...]]:
    """The parts of a name in each order, of a local part likewise, and of a reference as they stand.

    Never one part alone, which may be any word, nor two that name no person.
    """
    plain = _folded(value)
    local, _, host = plain.rpartition("@")
    if not local and (("." in host and " " not in host) or "://" in host):
        return
    parts = re.findall(r"[^\W\d_]{2,}", local or host)[:_PARTS_MAX]
    orders = set(permutations(parts)) if len(parts) <= 3 else {tuple(parts), tuple(reversed(parts))}
    pairs = set(permutations(parts, 2)) if len(parts) <= 3 else {*pairwise(parts), (parts[0], parts[-1])}
    for order in orders | pairs | {(last, first) for first, last in pairs}:
        if len(order) >= 2 and not _ROLES.issuperset(order):
            yield order
    runs = re.findall(r"[^\W\d_]+|\d+", "" if local else host)
    lettered = 2 <= len(runs) <= 5 and any(map(str.isalpha, runs)) and any(map(str.isdigit, runs))
    if (lettered and sum(map(len, runs)) >= 5) or (re.fullmatch(r"\d+[^\d:.]\d+", host) and len(host) >= 9):
        yield tuple(runs)


_PARTS_MAX = 6


@lru_cache(maxsize=256)
def _in_a_row(parts: tuple[str, ...]) -> re.Pattern[str]:
    """These parts with up to three marks or none between them, and nothing beside them that makes it another word."""
    row = r"[\W_]{0,3}".join(map(re.escape, parts))
    before = r"(?<!\d)" if parts[0].isdigit() else r"(?<![^\W\d_])"
    after = r"(?!\d)" if parts[-1].isdigit() else r"(?![^\W\d_])"
    return re.compile(f"{before}{row}{after}")


_ROLES = _words(
    """
    abuse admin administrator center centre cert complaints contact desk hostmaster marketing network no office
    postmaster noreply reply report reporter reports root sales security service services spam support team the
    webmaster
    """
)


def _address_spellings(address: IPv4Address | IPv6Address) -> Iterator[str]:
    yield from (str(address), address.exploded, address.reverse_pointer, str(int(address)), f"{int(address):x}")
    yield from (str(address)[::-1], address.exploded[::-1])
    if isinstance(address, IPv4Address):
        octets = str(address).split(".")
        for order in (octets, octets[::-1]):
            yield from (mark.join(order) for mark in (".", "-", "_"))
        yield ".".join(f"{int(octet):03d}" for octet in octets)
        yield f"0x{int(address):08x}"
        yield f"{int(address):08x}"
    else:
        yield address.exploded.replace(":", "-")
        yield str(address).replace(":", "-")
        yield address.exploded.replace(":", "")


class _View:
    """A text as it reads after decoding, with the place in the original that each character came from."""

    __slots__ = ("end", "start", "text")

    def __init__(self) -> None:
        self.text = ""
        self.start: Sequence[int] = ()
        self.end: Sequence[int] = ()


_DEFANGED = r"\[\.\]|\(\.\)|\{\.\}|\\\.|\[:\]|\[@\]|\[dot\]|\(dot\)|\{dot\}| dot |\[at\]|\(at\)|\{at\}| at |\s{2,16}"
_QUOTED = r"=\r?\n|(?:=[0-9A-Fa-f]{2})+"
_PERCENT = r"(?:%[0-9A-Fa-f]{2})+"
_ENTITY = r"&#\d{1,7};?|&#[xX][0-9A-Fa-f]{1,6};?|&[a-zA-Z]{2,8};"
_ESCAPE = r"\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}"
_UNITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?!)",
        _DEFANGED,
        f"{_DEFANGED}|{_QUOTED}",
        f"{_DEFANGED}|{_PERCENT}",
        f"{_DEFANGED}|{_ENTITY}",
        f"{_DEFANGED}|{_ESCAPE}",
        f"{_DEFANGED}|{_QUOTED}|{_PERCENT}|{_ENTITY}|{_ESCAPE}",
    )
)


_PLAIN_RUN = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]")


def _texts(text: str) -> Iterator[str]:
    """How a text reads, as in `_views`, where it does not matter what stood where."""
    yield _folded(text, strip=False)
    for unit in _UNITS[1:] if _UNITS[-1].search(text) else ():
        undone, count = unit.subn(lambda found: _unit_says(found[0]), text)
        if count:
            yield _folded(undone, strip=False)


@lru_cache(maxsize=64)
def _views(text: str) -> tuple[_View, ...]:
    """The text as it stands, and as it reads when units of one kind, or of all kinds, are undone; no two the same."""
    units = [unit for unit in _UNITS[1:] if unit.search(text)] if _UNITS[-1].search(text) else []
    return tuple(_view(text, unit) for unit in (_UNITS[0], *units))


def _view(text: str, unit: re.Pattern[str]) -> _View:
    view, at = _View(), 0
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def take(said: str, start: int, end: int) -> None:
        for character in _folded(said, strip=False):
            parts.append(character)
            starts.append(start)
            ends.append(end)

    def take_plain(start: int, end: int) -> None:
        for run in _PLAIN_RUN.finditer(text, start, end):
            first, last = run.span()
            if run[0].isascii():
                parts.append(run[0].lower())
                starts.extend(range(first, last))
                ends.extend(range(first + 1, last + 1))
            else:
                take(run[0], first, last)

    for found in unit.finditer(text):
        take_plain(at, found.start())
        take(_unit_says(found[0]), *found.span())
        at = found.end()
    take_plain(at, len(text))
    view.text, view.start, view.end = "".join(parts), starts, ends
    return view


def _unit_says(unit: str) -> str:
    low = unit.strip().lower()
    if low.startswith("=") and low.strip("=\r\n") == "":
        return ""
    if low.startswith("="):
        return unquote_to_bytes(low.replace("=", "%")).decode("utf-8", "replace")
    if low.startswith("%"):
        return unquote_to_bytes(low).decode("utf-8", "replace")
    if low.startswith("&"):
        return html.unescape(low if low.endswith(";") else low + ";")
    if low.startswith("\\") and len(low) > 2:
        return chr(int(low[2:], 16))
    if not low:
        return " "
    inner = low.strip("[](){}\\")
    return {"dot": ".", "at": "@"}.get(inner, inner)


def _decoded(run: str) -> Iterator[str]:
    """What a run may say as base64, from each of four beginnings, and as hexadecimal digits."""
    standard = run.replace("-", "+").replace("_", "/").rstrip("=")
    for begin in range(min(4, len(standard))):
        part = standard[begin:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            clear = base64.b64decode(part + "=" * (-len(part) % 4))
        except (binascii.Error, ValueError):
            continue
        yield clear.decode("latin-1")
        yield clear.decode("utf-8", "ignore")
        yield clear.decode("utf-16-le", "ignore")
    for digits in re.findall(r"[0-9A-Fa-f]{8,}", run):
        for begin in range(2):  # What stands before may end in such a digit.
            yield bytes.fromhex(digits[begin : begin + (len(digits) - begin) // 2 * 2]).decode("utf-8", "ignore")


def _folded(text: str, *, strip: bool = True) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.strip() if strip else folded


# The text before and after.


def _readable(text: str) -> str:
    """Undo encoded words, and drop what no reader sees: control characters and marks without width."""
    for _ in range(3):
        text, count = _ENCODED_WORD.subn(lambda word: _word_says(word[0]), text)
        if not count:
            break
    text = unicodedata.normalize("NFKC", text)
    text = _ENCODED_WORD.sub(LEFT_OUT, text).replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in _UNSEEN)


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _word_says(word: str) -> str:
    try:
        said = "".join(
            part if isinstance(part, str) else part.decode(charset or "ascii", "replace")
            for part, charset in decode_header(word)
        )
    except (LookupError, ValueError, UnicodeError, binascii.Error):
        return LEFT_OUT
    return re.sub(r"\s+", " ", said)


def _cut(text: str, spans: Iterable[_Span]) -> str:
    out: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        if start >= at:
            out += [text[at:start], LEFT_OUT]
        at = end
    return "".join([*out, text[at:]])


def _shortened(line: str) -> str:
    line = line.rstrip()
    return line if len(line) <= CHARACTERS_MAX else line[: CHARACTERS_MAX - 1] + "…"
