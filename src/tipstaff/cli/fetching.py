"""`tipstaff feeds` and `tipstaff mailboxes`: fetch what does not come by itself."""

import json
import logging
import signal
import threading
from typing import Annotated

import typer

from .base import database

Once = Annotated[bool, typer.Option("--once", help="Look once at what is due, say what came, and end.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def feeds(
    once: Once = False,
    now: Annotated[bool, typer.Option("--now", help="Look once, also at what is not due yet. Mind the terms.")] = False,
    json_: Json = False,
) -> None:
    """Fetch the feeds that the settings name, each when it is due."""
    with database():
        from tipstaff.wiring import fetchers

        fetchers.check_feeds()
        if not (once or now):
            fetchers.run_feeds(stop_when_told())
            return
        done = fetchers.look_at_feeds(even_early=now)
        _say(done, json_=json_, what="reports")


def mailboxes(once: Once = False, json_: Json = False) -> None:
    """Fetch mail from the mailboxes that the settings name: Maildir, mbox, IMAP."""
    with database():
        from tipstaff.wiring import fetchers

        fetchers.check_feeds()
        if not once:
            fetchers.run_mailboxes(stop_when_told())
            return
        _say(fetchers.look_into_mailboxes(), json_=json_, what="mails")


def _say(done: dict[str, list[str]] | dict[str, int], *, json_: bool, what: str) -> None:
    if json_:
        typer.echo(json.dumps(done))
        return
    for name, came in done.items():
        count = came if isinstance(came, int) else len(came)
        more = f": {', '.join(came)}" if isinstance(came, list) and came else ""
        typer.echo(f"{name}: {count} {what}{more}")
    if not done:
        typer.echo("Nothing is due.")


def stop_when_told() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.getLogger("tipstaff").info("fetching until told to stop")
    return stop
