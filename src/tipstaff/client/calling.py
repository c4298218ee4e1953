"""One call of the API: what is sent, what comes back, when it is tried again."""

import json
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from threading import Event
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
ATTEMPTS_MAX = 4
WAIT_SECONDS_MAX = 120
_AGAIN = (429, 503)
_NEXT = re.compile(r'<([^>]*)>;\s*rel="next"')


class Refused(Exception):
    """The desk answered that it will not, or cannot: `status`, the sentence `detail`, and all of the problem."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail", "")) or f"status {status}")
        self.status, self.problem = status, problem

    @property
    def detail(self) -> str:
        return str(self)


class Unreachable(OSError):
    """The desk did not answer, also not after several attempts; whether it did what was asked is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[T]):
    """What came back."""

    value: T
    etag: str
    """What an act on it sends as `if_match`; empty where there is none."""
    cursor: str | None
    """Of a list: what the next page is asked with; None on the last one."""
    replayed: bool
    """True when the same was asked before under the same key: it was not done twice."""


class _Listing(Protocol[T]):
    def __call__(self, *, cursor: str | None = None, **narrowed: Any) -> Reply[list[T]]: ...


class Caller:
    """Whoever calls: an address and a token. It keeps nothing else, and many threads may use one."""

    def __init__(
        self,
        url: str,
        *,
        token: str,
        timeout_seconds: float = 30,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """`wait` is how it waits before another attempt, in seconds."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no http or https address")
        self._url, self._token, self._timeout_seconds = url.rstrip("/"), token, timeout_seconds
        self._wait = wait or Event().wait
        # A redirect is not followed: the token is for this address and for no other.
        self._opener = urllib.request.build_opener(_NoRedirect)

    def each(self, listing: _Listing[T], **narrowed: Any) -> Iterator[T]:
        """Everything that a list holds, page after page."""
        cursor: str | None = ""
        while cursor is not None:
            answer = listing(cursor=cursor or None, **narrowed)
            yield from answer.value
            cursor = answer.cursor

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        file: tuple[str, bytes] | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Reply[Any]:
        asked = {k: _text(v) for k, v in (query or {}).items() if v is not None}
        url = f"{self._url}{path}" + (f"?{urllib.parse.urlencode(asked)}" if asked else "")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        data = None
        if file is not None:
            data, headers["Content-Type"] = _multipart(*file)
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        if if_match is not None:
            headers["If-Match"] = if_match
        if idempotency_key or (method != "GET" and file is None):
            # So that an attempt after a broken connection does nothing a second time. A file that is taken in twice
            # changes nothing by itself, and may be larger than a request with a key.
            headers["Idempotency-Key"] = idempotency_key or secrets.token_hex(16)
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - checked above
        return self._attempt(request)

    def _attempt(self, request: urllib.request.Request) -> Reply[Any]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with self._opener.open(request, timeout=self._timeout_seconds) as response:
                    return _answer(response.read(), response.headers)
            except urllib.error.HTTPError as why:
                with why:
                    problem = _problem(why.read())
                if why.code not in _AGAIN or attempt == ATTEMPTS_MAX:
                    raise Refused(why.code, problem) from None
                after = why.headers.get("Retry-After", "")
                self._wait(min(WAIT_SECONDS_MAX, int(after) if after.isdecimal() else 2**attempt))
            except (urllib.error.URLError, TimeoutError, ConnectionError) as why:
                if attempt == ATTEMPTS_MAX:
                    raise Unreachable(f"{self._url} does not answer ({why})") from why
                self._wait(2**attempt)
        raise AssertionError("the last attempt returns or raises")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(raw: bytes, headers: Message) -> Reply[Any]:
    match = _NEXT.search(headers.get("Link", ""))
    found = urllib.parse.parse_qs(urllib.parse.urlsplit(match[1]).query) if match else {}
    return Reply(
        value=json.loads(raw) if raw else None,
        etag=headers.get("ETag", ""),
        cursor=found.get("cursor", [None])[0],
        replayed=headers.get("Idempotent-Replay") == "true",
    )


def _problem(raw: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": raw[:300].decode(errors="replace")}


def _multipart(name: str, content: bytes) -> tuple[bytes, str]:
    """One file as a form sends it (RFC 7578)."""
    edge = secrets.token_hex(16)
    shown = re.sub(r'[\r\n"]', "_", name)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{shown}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"
