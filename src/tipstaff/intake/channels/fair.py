"""Threads that serve every source in turn, and a bound on how often one source may come."""

import collections
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class FairPool:
    """A queue for each source, served round and round: who sends a thousand mails delays their own, nobody else's."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._queues: dict[str, collections.deque[Callable[[], None]]] = {}
        self._turns: collections.deque[str] = collections.deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, source: str, work: Callable[..., str], *args: Any, **more: Any) -> "Future[str]":
        """Have `work` done after what this source asked for before; raises RuntimeError once closed."""
        future: Future[str] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work(*args, **more))
            except BaseException as why:  # noqa: BLE001 - whatever it is belongs to whoever waits for the future.
                future.set_exception(why)

        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            if source not in self._queues:
                self._queues[source] = collections.deque()
                self._turns.append(source)
            self._queues[source].append(run)
            self._changed.notify()
        return future

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._turns or self._closed)
                if not self._turns:
                    return
                source = self._turns.popleft()
                queue = self._queues[source]
                run = queue.popleft()
                if queue:
                    self._turns.append(source)
                else:
                    del self._queues[source]
            run()
            del run

    def shutdown(self) -> None:
        """Do what is queued, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()


class Pace:
    """At most so many a minute from one source, with as many at once in the beginning. 0 is any number.

    Sources that were silent long enough to have their whole allowance again are forgotten.
    """

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._left: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def allows(self, source: str, *, seconds: float) -> bool:
        """Whether one more may come at this instant of a clock that only goes forward; if so, it counts."""
        if not self._a_minute:
            return True
        left, since = self._left.pop(source, (float(self._a_minute), seconds))
        left = min(float(self._a_minute), left + (seconds - since) * self._a_minute / 60)
        allowed = left >= 1
        self._left[source] = (left - 1 if allowed else left, seconds)
        while self._left and seconds - next(iter(self._left.values()))[1] > 60:
            self._left.popitem(last=False)
        return allowed
