"""Pages and host names as a web server understands them, and how it is shown that one is stopped.

`page_of` writes a URL as a server reads a request for it, so that `//`, `..` and `%61` are no other page. A probe goes
to the addresses that the settings name, with the page's name in SNI and Host: no link is followed, no name looked up.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from tipstaff.enforcement.options import Listener
from tipstaff.words import ProbeResult, Rule, Selector

LAW, POLICY = 451, 403
"""What a stopped page answers: 451 where the law demands it (RFC 7725), else 403."""
_USUAL_PORTS = {"http": 80, "https": 443}
_IN_NO_URL = re.compile(r"[\0-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of one host name. Scheme and usual port are no part of it: by http and https it is the same page."""

    host: str
    """In ASCII and lower case."""
    port: int | None
    """A port that is not the scheme's own; then the page is stopped there only."""
    path: bytes
    """Decoded, without dot segments and doubled slashes."""
    query: str
    """As written, without the question mark."""
    tls: bool


@lru_cache(maxsize=1 << 17)  # A hundred thousand pages are asked for again in each round of a device.
def page_of(url: str) -> Page | None:
    """The page that a URL names; None for what a web server is not asked for, or would refuse by itself."""
    if _IN_NO_URL.search(url):
        return None
    try:
        parts = urlsplit(url)
        if "\\" in parts.netloc:  # Browsers and RFC 3986 read another host there.
            return None
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
    except ValueError:  # UnicodeError is one.
        return None
    if parts.scheme not in _USUAL_PORTS or not plain_host(host):
        return None
    path = plain_path(unquote_to_bytes(parts.path))
    if path is None:
        return None
    usual = port is None or port in _USUAL_PORTS.values()
    tls = parts.scheme == "https"
    return Page(host=host, port=None if usual else port, path=path, query=parts.query, tls=tls)


def plain_host(host: str) -> bool:
    """Whether it can be a host name, in ASCII; an address written as one is none."""
    labels = host.split(".")
    return (
        0 < len(host) <= 253
        and len(labels) > 1
        and all(0 < len(x) <= 63 and x.replace("-", "a").replace("_", "a").isalnum() and x.isascii() for x in labels)
        and not labels[-1].isdigit()
    )


def plain_path(decoded: bytes) -> bytes | None:
    """Without dot segments and doubled slashes (RFC 3986, section 5.2.4); None where it climbs above the root."""
    if b"\0" in decoded:
        return None
    kept: list[bytes] = []
    segments = decoded.split(b"/")
    for segment in segments:
        if segment == b"..":
            if not kept:
                return None
            kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    closed = b"/" if kept and segments[-1] in (b"", b".", b"..") else b""
    return b"/" + b"/".join(kept) + closed


def names_all_of(other: Selector, own: Selector) -> bool:
    """Whether one page, host name or mailbox is another, or a host name has the page among its own."""
    if other.mailbox is not None or own.mailbox is not None:
        return (other.mailbox or "").lower() == (own.mailbox or "").lower()
    page = page_of(own.url) if own.url is not None else None
    if other.host_name is not None:
        named = page.host if page is not None else (own.host_name or "").lower().rstrip(".")
        return other.host_name.lower().rstrip(".") == named
    whole = page_of(other.url) if other.url is not None else None
    if page is None or whole is None or (whole.host, whole.path) != (page.host, page.path):
        return False
    return whole.port in (None, page.port) and whole.query in ("", page.query)


def answer_of(rule: Rule) -> int:
    """The status that its page answers with."""
    return LAW if rule.by_law else POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Where a web server listens, as this machine reaches it."""

    http: tuple[Listener, ...] = ()
    https: tuple[Listener, ...] = ()
    timeout_seconds: float = 5

    def __bool__(self) -> bool:
        return bool(self.http or self.https)


def probe_page(rule: Rule, *, listeners: Listeners, is_ours: Callable[[int, Sequence[str]], bool]) -> ProbeResult:
    """Ask for what the rule stops, and for a neighbour. `is_ours(status, Link headers)` tells our answer from a site's.

    The neighbour of a page is one beside it, with a longer name; that of a host name is a name that nobody has. It need
    not exist: whatever is answered, if it is not our stop, was let through.
    """
    if rule.selector.url is not None:
        page = page_of(rule.selector.url)
        if page is None:
            return ProbeResult(target_stopped=None, neighbour_works=None, detail="No server is asked for such a URL.")
        target = quote_from_bytes(page.path, safe="/!$&'()*+,;=:@-._~") + (f"?{page.query}" if page.query else "")
        beside = quote_from_bytes(page.path, safe="/!$&'()*+,;=:@-._~") + "-tipstaff-neighbour"
        ask, next_to, tls = (page.host, target), (page.host, beside), page.tls
    else:
        host = (rule.selector.host_name or "").encode("idna").decode("ascii").lower()
        ask, next_to, tls = (host, "/"), (f"tipstaff-neighbour.{host}", "/"), bool(listeners.https)
    where = listeners.https if tls and listeners.https else listeners.http
    secure = tls and bool(listeners.https)
    if not where:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="No listener for a probe is set up.")
    stopped: list[bool | None] = []
    works: list[bool | None] = []
    said: list[str] = []
    for listener in where:
        for (name, path), found in ((ask, stopped), (next_to, works)):
            status, links = _head(listener, name, path, secure=secure, timeout=listeners.timeout_seconds)
            said.append(f"{name}{path[:80]} at {listener[0]}:{listener[1]}: {status or 'no answer'}")
            if not status or status in (502, 503, 504):
                found.append(None)  # What lies behind the server is down, or the server itself: nothing is shown.
            else:
                found.append(is_ours(status, links) is (found is stopped))
    return ProbeResult(target_stopped=_all(stopped), neighbour_works=_all(works), detail="; ".join(said) + ".")


def _all(found: Sequence[bool | None]) -> bool | None:
    if False in found:
        return False
    return None if None in found else True


def _head(listener: Listener, host: str, path: str, *, secure: bool, timeout: float) -> tuple[int, list[str]]:
    """Status and Link headers of a HEAD request; (0, []) where none came."""
    try:
        with socket.create_connection(listener, timeout=timeout) as plain:
            wire = _tls().wrap_socket(plain, server_hostname=host) if secure else plain
            with wire:
                asked = (
                    f"HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tipstaff-probe\r\nConnection: close\r\n\r\n"
                )
                wire.sendall(asked.encode("ascii"))
                answer = http.client.HTTPResponse(wire, method="HEAD")
                answer.begin()
                return answer.status, answer.headers.get_all("Link") or []
    except (OSError, http.client.HTTPException, UnicodeError):
        return 0, []


def _tls() -> ssl.SSLContext:
    # The certificate is the customer's and not what is probed: it may be expired, and the page is stopped all the same.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
