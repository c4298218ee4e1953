"""A feed or a mailbox is looked at: what is new is kept like any complaint, and only then is it remembered as seen."""

import logging
from datetime import datetime, timedelta

from tipstaff.intake.channels.mailbox import Mailbox, MailboxTrouble
from tipstaff.intake.channels.protocol import TryAgain
from tipstaff.intake.feeds.client import Http, HttpTrouble
from tipstaff.intake.feeds.protocol import FeedTrouble, Own, Request, Source
from tipstaff.intake.forms.wrapped import mail_of
from tipstaff.intake.operations import remember_fetch, remember_trouble
from tipstaff.intake.queries import fetching
from tipstaff.words import Channel

from .complaint import accept
from .desk import Desk
from .trust import vouch

log = logging.getLogger("tipstaff.feeds")

LONGEST_PAUSE = timedelta(hours=12)
_ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What a source stumbles over where a publisher changed its form: it stops no other feed."""


def next_look(name: str, *, source: Source, every: timedelta) -> datetime | None:
    """When a feed may be looked at next: not before its publisher's terms allow; None where it never was."""
    known = fetching(f"feed:{name}")
    if known.next_at is not None:
        return known.next_at
    return None if known.looked_at is None else known.looked_at + _pause(source, every)


def fetch_feed(
    name: str,
    *,
    source: Source,
    http: Http,
    url: str,
    key: str,
    secret: str,
    options: dict[str, object],
    every: timedelta,
    own: Own,
    desk: Desk,
    at: datetime,
) -> list[str]:
    """Look at a feed once; references of the reports that came of it. Trouble is remembered and tried again later."""
    known = fetching(f"feed:{name}")
    request = Request(
        http=http, url=url, key=key, secret=secret, options=options, state=known.state, own=own, at=at
    )  # fmt: skip
    pause = _pause(source, every)
    try:
        found = source.fetch(request)
    except (FeedTrouble, HttpTrouble, *_ODD) as why:
        said = (
            f"The answer is not of the form that is known ({type(why).__name__})."
            if isinstance(why, _ODD)
            else str(why)
        )
        after = timedelta(seconds=getattr(why, "retry_after_seconds", 0))
        failures = known.failures + 1
        wait = min(LONGEST_PAUSE, max(after, pause * 2 ** min(failures - 1, 8)))
        remember_trouble(f"feed:{name}", why=said, next_at=at + wait)
        log.warning("the feed %s cannot be fetched: %s (tried again at %s)", name, said, (at + wait).isoformat())
        return []
    references = [
        accept(
            mail_of(
                x.body, content_type=x.content_type, filename=x.name, sender=f"Feed {name} <no-reply@feed.invalid>",
                subject=f"Feed {name}: {x.name}",
            ),
            sender="", recipients=(desk.abuse_address,), channel=Channel.FEED, desk=desk, at=at,
        )
        for x in found.documents
    ]  # fmt: skip
    for reference in references:
        vouch(reference, by=f"feed {name}", at=at)
    # After the reports: what is interrupted before this is fetched again, and found to be there.
    remember_fetch(f"feed:{name}", state=found.state, at=at, next_at=at + pause)
    log.info("the feed %s was fetched: %d reports", name, len(references))
    return references


def _pause(source: Source, every: timedelta) -> timedelta:
    return max(every, timedelta(seconds=source.seconds_between_min))


def empty_mailbox(mailbox: Mailbox, *, desk: Desk, at: datetime) -> int:
    """Take every new mail of a mailbox; how many. Raises MailboxTrouble, TryAgain: the rest is there the next time."""
    name = f"mailbox:{mailbox.name}"
    taken = 0

    def put_on_record(raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        return accept(
            raw, sender=sender, recipients=recipients or (desk.abuse_address,), channel=channel, desk=desk, at=at
        )

    try:
        for state in mailbox.take(put_on_record, fetching(name).state):
            remember_fetch(name, state=state, at=at, next_at=None)
            taken += 1
    except MailboxTrouble as why:
        remember_trouble(name, why=str(why), next_at=at)
        raise
    return taken


__all__ = ["TryAgain", "empty_mailbox", "fetch_feed", "next_look"]
