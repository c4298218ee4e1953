"""Addresses, URLs and host names in one line of text, with their ports and places. Every pattern is bounded."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from .names import is_host_name, to_ascii

_DEFANGED = (
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("[DOT]", "."),
    (" [.] ", "."),
    (" dot ", "."),
    ("[:]", ":"),
    ("[://]", "://"),
    ("[:/]", ":/"),
    ("[/]", "/"),
    ("[@]", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
    ("\\.", "."),
    ("[.", "."),
)
_FANGS = re.compile(r"[\[({](?:\.|dot|DOT|at|@|:|/)|\\\.| dot ")
_WIDE_DIGITS = {ord(x): str(n) for n, x in enumerate("０１２３４５６７８９")}
_WIDE_DOT = re.compile(r"(?<=[A-Za-z0-9])[．。](?=[A-Za-z0-9])")
_SCHEMES = re.compile(r"\b(?:h(?:xx|tt|\*\*|XX|__|tx|xt)p(s?)|mxxp|meow)(?=\s?:|\[)", re.IGNORECASE)
_FTP = re.compile(r"\bfxps?(?=://)", re.IGNORECASE)
_SPACED_DOT = re.compile(r"\s{0,2}_\._\s{0,2}")
_SPACED_COLON = re.compile(r"\b(https?|ftp)\s?:\s?//\s?", re.IGNORECASE)


def refang(line: str) -> str:
    """The line with what was made harmless for show made readable again (hxxp, [.], (dot))."""
    if _FANGS.search(line):
        for shown, meant in _DEFANGED:
            if shown == "[." and "[." in line:
                # `example[.com` half-opened by careless tools; `[..]` is an ellipsis and stays.
                line = line.replace("[..", "\0").replace("[.", ".").replace("\0", "[..")
            elif shown == " dot ":
                if " dot " in line and "http" in line.lower():
                    line = line.replace(shown, meant)
            else:
                line = line.replace(shown, meant)
    if "．" in line or "。" in line:
        line = _WIDE_DOT.sub(".", line.translate(_WIDE_DIGITS))
    if "_._" in line:
        line = _SPACED_DOT.sub(".", line)
    if ":" not in line:
        return line
    lowered = line.lower()
    if "p:" in lowered or "ps:" in lowered or "p :" in lowered or "s :" in lowered:
        line = _SCHEMES.sub(lambda x: "https" if x[1] else "http", line)
        line = _FTP.sub("ftp", line)
        line = _SPACED_COLON.sub(r"\1://", line)
    return line


class Found(NamedTuple):
    """One thing found in a line: where it stands, what it says."""

    start: int
    end: int
    kind: str
    """`ip`, `net`, `url` or `name`."""
    value: str
    """Canonical: an address as text, a URL refanged, a name in ASCII."""
    host: str = ""
    """Host of a URL."""
    port: int | None = None


_URL = re.compile(r"(?<![A-Za-z0-9])((?:https?|ftp)://|www\d?\.)([^\s<>\"'`|\\{}^\u00a0\u3000]{3,2000})", re.IGNORECASE)
_V4 = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_V4_AFTER = re.compile(
    r"(?:(/\d{1,2})(?!\d)|[:#](\d{1,5})(?![\d:.])|\.(\d{1,5})(?=:| >|\s|"
    r"$))?(?![\w@])(?!-\d{1,3}\b(?!\d{0,3}\.))(?!\.[\w-])"
)
_V4_NOT_AFTER = frozenset(".@%-_")
_V6 = re.compile(
    r"(?<![\w:.])([0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,33}(?:(?:\d{1,3}\.){3}\d{1,3})?)(?:(/\d{1,3})(?!\d))?(?![\w:])"
)
_HAS_NAME = re.compile(r"\.(?:[A-Za-z]|xn--|[^\x00-\x7f])")
_NAME = re.compile(r"[A-Za-z0-9_\u00a1-\uffef-]{1,63}(?:\.[A-Za-z0-9_\u00a1-\uffef-]{1,63}){0,8}")
_NAME_AFTER = re.compile(r"(?::(\d{2,5})(?!\d))?(/[^\s<>\"'`|\\^]{0,2000})?(?![\w@-])")
_NAME_NOT_AFTER = frozenset(".@%=/-")
_TRAILING = ".,;:!?)]}>*'\"»”’…_"


def find_all(line: str, *, names: bool = True) -> list[Found]:
    """What one refanged line names, left to right, without overlaps. The caller bounds the line."""
    found: list[Found] = []
    taken: list[tuple[int, int]] = []
    if "://" in line or "www" in line.lower():
        for x in _URL.finditer(line):
            url = _trimmed(x[0])
            this = _url(url, x.start())
            if this:
                found.append(this)
                taken.append((x.start(), x.start() + len(url)))
    dots = line.count(".")
    if dots >= 3:
        for x in _V4.finditer(line):
            start = x.start()
            before = line[start - 1] if start else " "
            if before in _V4_NOT_AFTER or before.isalnum() or _overlaps(taken, start, x.end()):
                continue
            after = _V4_AFTER.match(line, x.end())
            address = _v4(x[0])
            if after is None or address is None or _is_version(line, start, x.end()):
                continue
            end = after.end()
            taken.append((start, end))
            if after[1] and after[1] != "/32":
                if 8 <= int(after[1][1:]) <= 31:
                    found.append(Found(start, end, "net", f"{x[0]}{after[1]}"))
                continue
            port = after[2] or after[3]
            number = int(port) if port and 0 < int(port) < 65536 else None
            found.append(Found(start, end, "ip", address, port=number))
    if "::" in line or line.count(":") >= 6:
        for x in _V6.finditer(line):
            if len(x[1]) < 6 or _overlaps(taken, x.start(), x.end()):
                continue
            try:
                six = ip_address(x[1])
            except ValueError:
                continue
            taken.append((x.start(), x.end()))
            if x[2] and x[2] != "/128":
                found.append(Found(x.start(), x.end(), "net", f"{six}{x[2]}"))
            else:
                port6 = re.match(r"\]:(\d{1,5})(?!\d)", line[x.end() : x.end() + 9])
                number = int(port6[1]) if port6 and 0 < int(port6[1]) < 65536 else None
                mapped = six.ipv4_mapped if isinstance(six, IPv6Address) else None
                found.append(Found(x.start(), x.end(), "ip", str(mapped or six), port=number))
    if names and dots and _HAS_NAME.search(line):
        for x in _NAME.finditer(line):
            if "." not in x[0]:
                continue
            start = x.start()
            if (start and line[start - 1] in _NAME_NOT_AFTER) or _overlaps(taken, start, x.end()):
                continue
            name = x[0].strip("-_")
            after = _NAME_AFTER.match(line, x.end())
            if after is None or not is_host_name(name) or name.replace(".", "").isdecimal():
                continue
            path = _trimmed(after[2]) if after[2] else ""
            ascii_name = to_ascii(name)
            if len(path) > 1 and "://" not in path:
                port_text = f":{after[1]}" if after[1] else ""
                url = f"http://{ascii_name}{port_text}{path}"
                found.append(Found(start, after.end(), "url", url, host=ascii_name))
            else:
                found.append(Found(start, after.end(), "name", ascii_name, host=ascii_name))
    found.sort(key=lambda y: y.start)
    return found


def _trimmed(url: str) -> str:
    """A URL without the punctuation of the sentence around it."""
    while url and url[-1] in _TRAILING:
        if url[-1] == ")" and url.count("(") >= url.count(")"):
            break
        url = url[:-1]
    return url


def _url(url: str, start: int) -> Found | None:
    full = url if "://" in url[:8] else f"http://{url}"
    try:
        parts = urlsplit(full)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc and not _plausible(host):
        return None
    host = host.strip("[]").rstrip(".")
    address = _v4(host) or (_v6(host) if ":" in host else None)
    if not address:
        if not _plausible(host):
            return None
        ascii_host = to_ascii(host)
        if ascii_host != host:
            full = full.replace(parts.netloc, parts.netloc.lower().replace(host, ascii_host), 1)
        host = ascii_host
    return Found(start, start + len(url), "url", full, host=address or host, port=port)


def _plausible(host: str) -> bool:
    return is_host_name(host)


@lru_cache(maxsize=4096)
def _v4(text: str) -> str | None:
    octets = text.split(".")
    if len(octets) != 4 or not all(x.isascii() and x.isdecimal() and len(x) <= 3 and int(x) < 256 for x in octets):
        return None
    if any(len(x) > 1 and x[0] == "0" for x in octets):
        # Zero-padded octets (`192.000.002.001`) are decimal in logs; nobody writes octal there.
        if not all(len(x) == 3 for x in octets):
            return None
        octets = [str(int(x)) for x in octets]
    return ".".join(octets)


def _v6(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


_VERSION_WORDS = re.compile(
    r"(?:\b(?:Chrome|Firefox|Safari|Edg[eA]?|OPR|CriOS|Gecko|Trident|AppleWebKit|"
    r"[Vv]er(?:sion)?\.?|rev|Core|firmware|release)|Version|Build|[A-Za-z]{2,30}/)[/ :=]{0,2}v?\Z"
)


_VERSION_SIGNS = frozenset("/ :=.v(")


def _is_version(line: str, start: int, end: int) -> bool:
    """Four numbers of a program, not an address: after its name, doubled as mail servers do, or with a release."""
    before = line[max(0, start - 40) : start]
    if before[-1:] not in _VERSION_SIGNS:
        return False
    text, after = line[start:end], line[end : end + 20]
    if before[-1:] == "(":
        return after.startswith(f"/{text}")
    if before[-1:] == "/" and line[max(0, start - 1 - len(text)) : start - 1] == text:
        return True
    return after.startswith(" r(") or _VERSION_WORDS.search(before) is not None


def _overlaps(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    return any(start < y and x < end for x, y in taken)


_UNROUTABLE = tuple(
    IPv4Network(x)
    for x in (
        [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ]
    )
)
_UNROUTABLE6 = tuple(IPv6Network(x) for x in ["::/8", "fc00::/7", "fe80::/10", "ff00::/8"])


@lru_cache(maxsize=8192)
def is_public(address: str) -> bool:
    """True for an address that could be somebody's on the internet. The documentation ranges count as such."""
    parsed = ip_address(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in x for x in _UNROUTABLE)
    return not any(parsed in x for x in _UNROUTABLE6)


def is_address(text: str) -> bool:
    """True when `text` is an address and nothing else."""
    try:
        is_public(text)
    except ValueError:
        return False
    return True
