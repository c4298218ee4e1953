"""Who looks hears that something changed: one connection to the database for each process, fanned out to open pages.

What is told is only that a page should be asked again. It is asked under the reader's own permissions; a change of
what they may not see is not told to them at all. Nothing depends on it: a page that hears nothing asks by itself.
"""

import logging
import queue
import threading
from collections.abc import Callable, Collection, Iterator

import psycopg
from django.db import close_old_connections, connections

from tipstaff.procedures.sealed import closed_among, sealed_among

from .processes import database_url

log = logging.getLogger("tipstaff.web")

CHANNEL = "tipstaff_record"
MANY = "*"
GATHER_SECONDS, BEAT_SECONDS, STREAM_SECONDS, AGAIN_SECONDS = 0.3, 15.0, 600.0, 5.0
"""What comes within the first is told once; so often an idle stream says that it lives, and so long it lasts; so long
after losing the database nobody tries again."""


class NoRoom(Exception):
    """So many pages listen already that this one has to ask by itself."""


class Listener:
    """One open page: it is woken when something that it may see has changed."""

    def __init__(self, *, key: str, sealed: bool, closed: frozenset[str] = frozenset()) -> None:
        """`sealed` where it may see sealed things; `closed` are the clause groups that it may not see."""
        self.key, self.sealed, self.closed = key, sealed, closed
        self.news: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def hears(self, told: set[str], *, hidden: set[str], closed: Collection[str] = ()) -> bool:
        """Whether any of `told`, keys that were named together, concerns this page. What is named together with one of
        `hidden` is only for who may see sealed things, with one of `closed` not for this page."""
        hides = set(closed) if self.sealed else {*closed, *hidden}
        keys = {key for some in told if hides.isdisjoint(some.split()) for key in some.split()}
        return bool(keys) if not self.key else self.key in keys or MANY in keys


class Hub:
    """The listeners of this process, and the thread that hears for them while there are any."""

    def __init__(self, *, hidden_of: Callable[[set[str]], set[str]] = sealed_among) -> None:
        self._hidden_of = hidden_of
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End every stream: the process goes. May be called from a signal handler."""
        self._stopping.set()
        for listener in tuple(self._listeners):
            listener.news.put(False)

    def stream(self, listener: Listener, *, most: int, clock: Callable[[], float]) -> Iterator[bytes]:
        """Server-sent events for one page: `changed`, without a word on what. Raise NoRoom beyond `most` of them."""
        with self._lock:
            if len(self._listeners) >= most or self._stopping.is_set():
                raise NoRoom
            self._listeners.add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._hear, name="live", daemon=True)
                self._thread.start()
        return _Stream(self._events(listener, clock=clock), ended=lambda: self._listeners.discard(listener))

    def _events(self, listener: Listener, *, clock: Callable[[], float]) -> Iterator[bytes]:
        until = clock() + STREAM_SECONDS
        yield b"retry: 5000\n\n"
        while not self._stopping.is_set() and clock() < until:
            try:
                news = listener.news.get(timeout=BEAT_SECONDS)
            except queue.Empty:
                yield b": still here\n\n"
                continue
            if not news:
                return
            yield b"event: changed\ndata: \n\n"

    def _hear(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
            try:
                self._listen()
            except psycopg.Error as why:
                log.warning("open pages hear no news and ask by themselves: %s", type(why).__name__)
                self._stopping.wait(AGAIN_SECONDS)
            finally:
                connections.close_all()

    def _listen(self) -> None:
        with psycopg.connect(database_url(), autocommit=True, application_name="tipstaff-live") as life:
            life.execute(f"LISTEN {CHANNEL}")
            self._tell({MANY})  # Whatever happened before this was heard.
            while self._listeners and not self._stopping.is_set():
                told = {note.payload for note in life.notifies(timeout=1.0, stop_after=1)}
                if told:
                    told |= {note.payload for note in life.notifies(timeout=GATHER_SECONDS)}
                    self._tell(told)

    def _tell(self, told: set[str]) -> None:
        close_old_connections()
        named = {key for some in told for key in some.split()}
        listeners = tuple(self._listeners)
        hidden = self._hidden_of(named)
        closed = {groups: closed_among(named, groups=groups) for groups in {x.closed for x in listeners} if groups}
        for listener in listeners:
            if listener.hears(told, hidden=hidden, closed=closed.get(listener.closed, set())):
                listener.news.put(True)


class _Stream:
    """An iterator whose end is told, whether or not anybody began to read it."""

    def __init__(self, events: Iterator[bytes], *, ended: Callable[[], object]) -> None:
        self._events, self._ended = events, ended

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        self._ended()
