"""A worker in a process of its own, for tests that kill it. Stops where it is told to and says so on standard output.

python worker_process.py NAME HOST PORT [handing_over | answered]
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django

django.setup()

from tipstaff.config import MailOut  # noqa: E402 - after django.setup()
from tipstaff.notices import operations  # noqa: E402 - after django.setup()
from tipstaff.notices.posting import post_next  # noqa: E402 - after django.setup()


def main() -> None:
    name, host, port, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else ""
    if stop == "handing_over":
        operations.mark_handing_over = then_stop(operations.mark_handing_over)
    if stop == "answered":
        operations.mark_sent = stop_instead
    server = MailOut(host=host, port=port, from_address="abuse@operator.example.net")
    at = datetime(2026, 3, 14, 9, 15, tzinfo=UTC)
    while post_next(server, worker=name, now=lambda: at, link=lambda case, at: f"https://portal.example.net/{case}"):
        pass


def then_stop(done: Callable[..., None]) -> Callable[..., None]:
    def wrapped(*what: Any, **more: Any) -> None:
        done(*what, **more)
        stop_instead()

    return wrapped


def stop_instead(*_: Any, **__: Any) -> None:
    print("stopped", flush=True)
    sys.stdin.read()


main()
