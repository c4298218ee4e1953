"""Waiting for something that can only be asked for, with an end."""

import http.client
import select
import time
from collections.abc import Callable
from urllib.parse import urlsplit


def wait_until(holds: Callable[[], bool], *, seconds: float, every_seconds: float = 0.1) -> bool:
    """Ask until `holds` or the time is over; returns whether it holds."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        select.select([], [], [], every_seconds)
    return True


def answers_http(url: str, *, seconds: float) -> bool:
    """Whether `url` answers 200 within `seconds`."""
    parts = urlsplit(url)

    def asks() -> bool:
        try:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=2)
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    return wait_until(asks, seconds=seconds)
