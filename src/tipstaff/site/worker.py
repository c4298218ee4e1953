"""Gunicorn's threaded worker, which ends the streams of open pages at once when it is to stop."""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Without this a stop waits for each stream until the grace is over."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        from tipstaff.web.console.live import HUB  # Loaded with the application; gunicorn asks for us before it is.

        HUB.stop()
        super().handle_exit(sig, frame)
