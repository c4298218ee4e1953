"""The processes that fetch: `feeds` asks publishers, `mailboxes` looks into mailboxes, `prober` asks what is ours.

None of them reads what came, and none has a device's secret.
"""

import contextlib
import logging
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from django.db import DatabaseError, close_old_connections

from tipstaff import config, wiring
from tipstaff.config import FeedConfig, MailboxConfig
from tipstaff.intake.channels.mailbox import Imap, Mailbox, MailboxTrouble, Maildir, Mbox
from tipstaff.intake.feeds.client import Http, RealHttp
from tipstaff.intake.feeds.protocol import GROUP, Own, Source
from tipstaff.procedures.fetching import empty_mailbox, fetch_feed, next_look
from tipstaff.procedures.probing import probe_due
from tipstaff.sensors.retest.asking import Prober

log = logging.getLogger("tipstaff")

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_LOOK_SECONDS = 5.0
_AFTER_TROUBLE_SECONDS = 60.0


class NoSuchFeed(LookupError):
    """The settings name a kind of feed that is not installed; the message lists those that are."""


@cache
def source_of(kind: str) -> Source:
    """The source that reads feeds of a kind."""
    known = {x.name: x for x in entry_points(group=GROUP)}
    if kind not in known:
        raise NoSuchFeed(f"there is no kind of feed {kind!r}; installed are {', '.join(sorted(known))}")
    made: Source = known[kind].load()()
    return made


def check_feeds() -> None:
    """Raise what would stop a feed or mailbox from being fetched: an unknown kind, a secret that cannot be read."""
    own = wiring.settings()
    for feed in own.feeds:
        with _placed(own.where_table("feeds", feed.name)):
            needed = getattr(source_of(feed.kind), "needs", ())
            if missing := [name for name in needed if getattr(feed, name) is None]:
                raise config.BadSetting(f"{feed.name!r}: a feed of {feed.kind} needs its {' and '.join(missing)}.")
            _secret(feed.key_file), _secret(feed.secret_file)
    for mailbox in own.mailboxes:
        with _placed(own.where_table("mailboxes", mailbox.name)):
            make_mailbox(mailbox)
            _check_mailbox(mailbox)


def _check_mailbox(mailbox: MailboxConfig) -> None:
    where = repr(mailbox.name)
    if mailbox.kind == "imap" and (not mailbox.username or mailbox.password_file is None):
        raise config.BadSetting(f"{where}: an imap mailbox needs its username and password_file.")
    if mailbox.kind == "maildir" and mailbox.path is not None and not mailbox.path.is_dir():
        raise config.BadSetting(f"{where}: path is {mailbox.path}, but there is no such folder.")
    if mailbox.kind == "mbox" and mailbox.path is not None and not mailbox.path.parent.is_dir():
        raise config.BadSetting(f"{where}: path is {mailbox.path}, but there is no folder {mailbox.path.parent}.")


@contextlib.contextmanager
def _placed(where: str) -> Iterator[None]:
    """Say where the setting is that cannot be used."""
    try:
        yield
    except (NoSuchFeed, config.BadSetting) as why:
        raise config.BadSetting(f"{where} {str(why).rstrip('.')}.") from why


def make_mailbox(one: MailboxConfig) -> Mailbox:
    """The mailbox that the settings describe; raise BadSetting for what cannot be one."""
    largest = wiring.settings().mail_in.max_mib * 1024 * 1024
    where = repr(one.name)
    if one.kind in ("maildir", "mbox"):
        if one.path is None:
            raise config.BadSetting(f"{where}: a {one.kind} needs its path.")
        return (Maildir if one.kind == "maildir" else Mbox)(one.name, one.path, largest_octets=largest)
    if one.kind != "imap":
        raise config.BadSetting(f"{where}: kind is {one.kind!r}, but it takes maildir, mbox or imap.")
    if not one.host or one.tls not in ("tls", "starttls", "none"):
        raise config.BadSetting(f"{where}: an imap mailbox needs its host, and tls is tls, starttls or none.")
    return Imap(
        one.name, host=one.host, port=one.port, tls=one.tls, username=one.username, folder=one.folder,
        password=_secret(one.password_file), largest_octets=largest,
    )  # fmt: skip


def look_at_feeds(*, http: Http | None = None, even_early: bool = False) -> dict[str, list[str]]:
    """Look at every feed that is due; the references that came of each."""
    done: dict[str, list[str]] = {}
    for feed in wiring.settings().feeds:
        source, at = source_of(feed.kind), wiring.now()
        due = next_look(feed.name, source=source, every=timedelta(minutes=feed.every_minutes))
        if due is not None and due > at and not even_early:
            continue
        done[feed.name] = fetch_feed(
            feed.name, source=source, http=http or RealHttp(), url=feed.url, key=_secret(feed.key_file),
            secret=_secret(feed.secret_file), options=feed.options, every=timedelta(minutes=feed.every_minutes),
            own=_own(feed), desk=wiring.desk(), at=at,
        )  # fmt: skip
    return done


def run_feeds(stop: threading.Event) -> None:
    """Look at each feed when it is due, until told to stop."""
    while True:
        close_old_connections()
        try:
            look_at_feeds()
        except DatabaseError as why:
            log.warning("the database is away (%s); feeds wait for it", type(why).__name__)
        if stop.wait(_LOOK_SECONDS):
            return


def prober() -> Prober:
    """How the settings let looks be made; raise BadSetting where there is no name to ask for."""
    own = wiring.settings()
    name = own.prober.name or next(iter(own.operator.own_domains), "")
    if not _HOST_NAME.fullmatch(name.lower()) or len(name) > 253:
        raise config.BadSetting(f"{own.where('prober', 'name')} is {name!r}; it takes a host name of yours.")
    return Prober(
        name=name, mailbox=own.operator.abuse_address, wait_seconds=own.prober.wait_seconds, through=own.prober.through
    )


def look_at_what_is_due() -> int:
    """Make the looks that are due now; how many were made or given up."""
    own = wiring.settings()
    return probe_due(prober(), a_minute=own.prober.a_minute, desk=wiring.desk(), now=wiring.now)


def run_prober(stop: threading.Event) -> None:
    """Make looks as they become due, until told to stop."""
    while True:
        close_old_connections()
        try:
            look_at_what_is_due()
        except DatabaseError as why:
            log.warning("the database is away (%s); the prober waits for it", type(why).__name__)
        if stop.wait(_LOOK_SECONDS):
            return


def run_mailboxes(stop: threading.Event) -> None:
    """Keep looking into every mailbox, each in a thread of its own, until told to stop."""
    threads = [
        threading.Thread(target=_keep_looking, args=(make_mailbox(x), x.every_seconds, stop), name=f"mailbox {x.name}")
        for x in wiring.settings().mailboxes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def look_into_mailboxes() -> dict[str, int]:
    """Look into every mailbox once; how many mails came of each. Raises MailboxTrouble."""
    return {
        x.name: empty_mailbox(make_mailbox(x), desk=wiring.desk(), at=wiring.now()) for x in wiring.settings().mailboxes
    }


def _keep_looking(mailbox: Mailbox, every_seconds: int, stop: threading.Event) -> None:
    while not stop.is_set():
        close_old_connections()
        try:
            taken = empty_mailbox(mailbox, desk=wiring.desk(), at=wiring.now())
            if taken:
                log.info("%d %s came from the mailbox %s", taken, "mail" if taken == 1 else "mails", mailbox.name)
        except MailboxTrouble as why:
            log.warning("the mailbox %s cannot be read: %s", mailbox.name, why)
            stop.wait(_AFTER_TROUBLE_SECONDS)
            continue
        except Exception:  # a process door: the mail stays where it is, and is taken the next time
            log.exception("the mailbox %s was left for now", mailbox.name)
            stop.wait(_AFTER_TROUBLE_SECONDS)
            continue
        mailbox.wait(float(every_seconds), stop)


def _own(feed: FeedConfig) -> Own:
    from tipstaff.registry.queries import own_space

    asns = feed.options.get("asns")
    return Own(
        networks=own_space(at=wiring.now()),
        domains=frozenset(x.lower() for x in wiring.settings().operator.own_domains),
        asns=frozenset(x for x in asns if isinstance(x, int)) if isinstance(asns, list) else frozenset(),
    )


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text, mode = path.read_text(encoding="utf-8").strip(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as why:
        raise config.BadSetting(f"{path} cannot be read ({why}).") from why
    if mode & 0o077:
        raise config.BadSetting(f"{path}: others can read this secret; run chmod 600 on the file.")
    return text
