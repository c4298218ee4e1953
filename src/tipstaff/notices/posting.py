"""Carry one letter from the store to the mail server, each step on record before the next one is taken."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from threading import Event
from typing import Final

from django.db import InterfaceError, OperationalError, connection

from tipstaff.config import MailOut
from tipstaff.words import Letter, MailKeys

from . import operations
from .addresses import mailable
from .closing import NO_KEYS
from .compose import COMPLAINANT_KINDS
from .outbound import DOT_TIMEOUT_SECONDS, TIMEOUT_SECONDS, AnswerLost, NotDelivered, deliver
from .prose import PORTAL_LINK
from .queries import get_letter

LOST_SESSION_WAITS_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Rests before what became of a letter is written again, on a new session: long enough for a server's restart."""
_NEVER: Final = Event()


@dataclass(frozen=True, slots=True)
class Sender:
    """By whose name letters of a brand go out."""

    address: str
    name: str
    on_its_host: Callable[[str], str] = lambda link: link
    """A link of ours as the brand's pages have it."""


def post_next(
    server: MailOut,
    *,
    worker: str,
    now: Callable[[], datetime],
    link: Callable[[str, datetime], str],
    log_in_link: Callable[[str, datetime], str] | None = None,
    report_link: Callable[[str, datetime], str] | None = None,
    keys_of: Callable[[Letter, str], MailKeys] = lambda letter, to: NO_KEYS,
    on_sent: Callable[[Letter], None] | None = None,
    first: Callable[[Letter], object] = lambda letter: None,
    sender_name: str = "",
    of_brand: Callable[[str], Sender | None] = lambda brand: None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    dot_timeout_seconds: float = DOT_TIMEOUT_SECONDS,
    rest: Callable[[float], object] = _NEVER.wait,
) -> Letter | None:
    """Take the letter that is longest due to the mail server and return it as it then stands; None when none is due.

    `link` makes a case's portal link, `log_in_link` one by which somebody logs in, `report_link` one at which a
    complainant sees how a report stands; `keys_of` knows by which keys the letter is closed for an address. `first`
    begins the transaction that notes the sending, `on_sent` ends it. `of_brand` says how letters of a brand go out,
    None for those that go as `server` and `sender_name` say.
    Call this outside of any transaction. What became of a letter is written
    again when the database's session was lost meanwhile, after `rest` of some seconds. An exception from here is a
    fault of this program or of a database that stays away; what the worker had in hand then is settled when it asks for
    its next letter, or by `recover_interrupted` when it is gone.
    """
    assert server.host, "letters are held while there is no mail server"
    letter = operations.claim_letter(at=now(), worker=worker, domain=server.from_address.rpartition("@")[2])
    if letter is None:
        return None
    sender = of_brand(letter.brand) or Sender(address=server.from_address, name=sender_name)
    try:
        made = _link_in(letter, at=now(), link=link, log_in_link=log_in_link, report_link=report_link)
        delivered = deliver(
            letter,
            server=replace(server, from_address=sender.address),
            sender_name=sender.name,
            at=now(),
            portal_link=sender.on_its_host(made) if made is not None else None,
            keys_of=partial(keys_of, letter),
            on_handing_over=lambda: operations.mark_handing_over(letter.key, at=now(), worker=worker),
            timeout_seconds=timeout_seconds,
            dot_timeout_seconds=dot_timeout_seconds,
        )
    except NotDelivered as why:
        failed, at = why, now()
        _despite_lost_sessions(lambda: _settle(letter, failed, at=at, worker=worker), rest=rest)
    except operations.NotInYourHands:
        # Somebody took this worker for dead and settled the letter: it stopped before the dot.
        pass
    else:
        at = now()
        _despite_lost_sessions(
            lambda: operations.mark_sent(
                letter.key, at=at, reply=delivered.reply, worker=worker, on_sent=on_sent,
                first=lambda: first(letter), diverted=delivered.to != mailable(letter.to), closed=delivered.closed,
            ),
            rest=rest,
        )  # fmt: skip
    return get_letter(letter.key)


def _link_in(
    letter: Letter,
    *,
    at: datetime,
    link: Callable[[str, datetime], str],
    log_in_link: Callable[[str, datetime], str] | None,
    report_link: Callable[[str, datetime], str] | None,
) -> str | None:
    """The link that a letter lacks until it is sent; None where it has none, or where none can be made."""
    if PORTAL_LINK not in letter.body:
        return None
    if letter.kind in COMPLAINANT_KINDS:  # Before all else: a complainant never gets the link to a case.
        return report_link(letter.report, at) if letter.report and report_link is not None else None
    if letter.log_in is not None:
        return log_in_link(letter.log_in, at) if log_in_link is not None else None
    return link(letter.case, at) if letter.case else None


def _despite_lost_sessions(write: Callable[[], None], *, rest: Callable[[float], object]) -> None:
    """Write what only this worker knows, again on a new session each time that one is lost; raise when none comes back.

    One that was lost after its commit has written: the letter is in nobody's hands then, and nothing follows twice.
    """
    with suppress(operations.NotInYourHands):
        for seconds in LOST_SESSION_WAITS_SECONDS:
            try:
                return write()
            except (OperationalError, InterfaceError):
                connection.close()
                rest(seconds)
        write()


def _settle(letter: Letter, why: NotDelivered, *, at: datetime, worker: str) -> None:
    if isinstance(why, AnswerLost):
        operations.mark_in_doubt(letter.key, at=at, reply=str(why), worker=worker)
    else:
        operations.mark_failed(letter.key, at=at, reply=str(why), permanent=why.permanent, worker=worker)
