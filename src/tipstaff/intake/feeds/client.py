"""The one way out to feeds: HTTPS with bounds on time and size, no redirect to another host."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

LARGEST_OCTETS = 64 * 1024 * 1024
"""Of an answer: it is in memory, and as JSON in several times as much."""
_SECONDS = 60.0
_WHOLE_SECONDS = 600.0
_AGENT = "tipstaff"


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer. Header names are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; raise ValueError."""
        try:
            return json.loads(self.body)
        except RecursionError as why:
            raise ValueError("it is nested too deep") from why


class HttpTrouble(OSError):
    """The server cannot be reached, or answers what cannot be taken; the message says which."""

    permanent = False


class Http(Protocol):
    """Asks servers."""

    def ask(self, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, or POST with a body. Raises HttpTrouble. A status of 400 and more is an answer, no exception."""
        ...


class _SameHost(urllib.request.HTTPRedirectHandler):
    """A publisher that moved is named anew in the settings; nobody is led elsewhere with the operator's key."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]  # urllib's own
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise HttpTrouble(f"{urlsplit(req.full_url).hostname} leads to another host; name the new address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class RealHttp:
    """The standard library's client. Plain HTTP is spoken to this machine only."""

    def __init__(self) -> None:
        # No proxy of the environment: where feeds are fetched from is the settings' business alone.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHost())

    def ask(self, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise HttpTrouble(f"{url}: feeds are fetched by https only.")
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above.
            url, data=body, headers={"User-Agent": _AGENT, **(headers or {})}
        )
        try:
            with self._opener.open(request, timeout=_SECONDS) as found:
                return Answer(found.status, self._read(found), {k.lower(): v for k, v in found.headers.items()})
        except urllib.error.HTTPError as why:
            with why:
                return Answer(why.code, why.read(100_000), {k.lower(): v for k, v in why.headers.items()})
        except HttpTrouble:
            raise
        except (OSError, ValueError) as why:
            raise HttpTrouble(f"{parts.hostname}: {why}") from why

    @staticmethod
    def _read(found: Any) -> bytes:
        end = time.monotonic() + _WHOLE_SECONDS
        pieces: list[bytes] = []
        left = LARGEST_OCTETS
        while piece := found.read1(1 << 20):
            left -= len(piece)
            if left < 0:
                raise HttpTrouble(f"the answer is larger than {LARGEST_OCTETS // 1024 // 1024} MiB")
            if time.monotonic() > end:
                raise HttpTrouble(f"the answer took longer than {_WHOLE_SECONDS:.0f} seconds")
            pieces.append(piece)
        return b"".join(pieces)
