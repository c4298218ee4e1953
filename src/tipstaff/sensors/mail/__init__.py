"""Counts what our mail servers sent for whom: bursts, many mails to one person, senders that are not the user's own.

It reads Postfix's log with times of RFC 3339 (rsyslog's `RSYSLOG_FileFormat`, or `journalctl -o short-iso-precise`).
No mail is opened: the log names the user, the envelope and nothing else.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from tipstaff.sensors.protocol import Books, NotReadable, Seen
from tipstaff.words import ResourceKind, Usage, UsageKind

BURST_MIN, TO_ONE_MIN, NOT_OWNED_MIN = 100, 20, 5
"""Mails in a minute, mails in an hour to one recipient, refused senders in an hour: less is not handed in."""
_LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\S+) \S+ (?:\S*/)?postfix\S*/(?P<daemon>[\w-]+)\[\d+\]: (?P<said>.*)")
_UNDATED = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")
_CLIENT = re.compile(r"(?P<mail>\w+): client=[^\[]*\[(?P<client>[^\]]+)\](?:.*sasl_username=(?P<user>[^\s,]+))?")
_QUEUED = re.compile(r"(?P<mail>\w+): from=<[^>]*>, size=\d+, nrcpt=(?P<recipients>\d+)")
_SENT = re.compile(r"(?P<mail>\w+): to=<(?P<to>[^>]*)>")
_NOT_OWNED = re.compile(r"\[(?P<client>[^\]]+)\]: 5\d\d .*Sender address rejected: not owned by user (?P<user>[^;\s]+)")


class Postfix:
    """Bursts (`mail.burst`), excess to one person (`mail.excess_to_one`) and senders that are not the user's own
    (`mail.sender_not_owned`) out of a mail server's log."""

    reads = "Postfix's log with times of RFC 3339"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        sender: dict[str, str] = {}
        queued: set[str] = set()
        minutes: Counter[tuple[str, int]] = Counter()
        to_in_minute: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        hours: Counter[tuple[str, str, int]] = Counter()
        not_owned: Counter[tuple[str, int]] = Counter()
        minute_of: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            found = _LINE.match(line)
            if found is None:
                if _UNDATED.match(line):
                    raise NotReadable(
                        f"line {number}: its time has neither year nor zone; log with RSYSLOG_FileFormat."
                    )
                continue
            said = found["said"]
            if m := _NOT_OWNED.search(said):
                not_owned[m["user"], _minute(found["at"], number) // 60] += 1
            elif m := _CLIENT.match(said):
                sender[m["mail"]] = m["user"] or m["client"]
            elif (m := _QUEUED.match(said)) and m["mail"] in sender and m["mail"] not in queued:
                # A mail that waits comes by here again: it is counted once.
                queued.add(m["mail"])
                minute_of[m["mail"]] = minute = _minute(found["at"], number)
                minutes[sender[m["mail"]], minute] += 1
            elif (m := _SENT.match(said)) and m["mail"] in minute_of:
                who, minute = sender[m["mail"]], minute_of[m["mail"]]
                to_in_minute[who, minute].add(m["to"].lower())
                hours[who, m["to"].lower(), minute // 60] += 1
        yield from _log_ins(minutes)
        for (who, minute), count in _worst(minutes, of=60):
            if count >= BURST_MIN:
                to = len(to_in_minute[who, minute])
                yield _seen(
                    "mail.burst", who, minute, type="messaging/bulk_messaging", stretch=minute // 60,
                    excerpt=f"{count} mails within a minute to {to} recipients",
                    messages_per_minute=count, recipients=to,
                )  # fmt: skip
        for (who, to_whom, hour), count in hours.items():
            if count >= TO_ONE_MIN:
                yield _seen(
                    "mail.excess_to_one", who, hour * 60, type="messaging/spam", stretch=hour, of=to_whom,
                    excerpt=f"{count} mails within an hour to one recipient", messages_per_hour=count,
                )  # fmt: skip
        for (who, hour), count in not_owned.items():
            if count >= NOT_OWNED_MIN:
                yield _seen(
                    "mail.sender_not_owned", who, hour * 60, type="messaging/spam", stretch=hour,
                    excerpt=f"{count} times within an hour a sender that is not this user's own", rejected=count,
                )  # fmt: skip


def _log_ins(minutes: Iterable[tuple[str, int]]) -> Iterator[Seen]:
    """Each log-in that sent something, once, when it did last. An address that sent something has shown no secret."""
    last: dict[str, int] = {}
    for who, minute in minutes:
        last[who] = max(minute, last.get(who, minute))
    for who, minute in sorted(last.items()):
        try:
            ip_address(who)
        except ValueError:
            at = datetime.fromtimestamp(minute * 60, tz=UTC)
            used = Usage(kind=UsageKind.LOGIN, what=who, seen_at=at, source="mail")
            yield Seen(kind="", id=f"log-in:{who}:{minute}", at=at, used=used)


def _worst(minutes: Counter[tuple[str, int]], *, of: int) -> Iterator[tuple[tuple[str, int], int]]:
    """Of each sender's minutes within a stretch the one with the most."""
    best: dict[tuple[str, int], tuple[tuple[str, int], int]] = {}
    for (who, minute), count in minutes.items():
        known = best.get((who, minute // of))
        if known is None or count > known[1]:
            best[who, minute // of] = ((who, minute), count)
    return iter(best.values())


def _seen(
    kind: str, who: str, minute: int, *, type: str, stretch: int, excerpt: str, of: str = "", **facts: int
) -> Seen:
    try:
        source = ip_address(who)
    except ValueError:
        source = None
    return Seen(
        kind=kind,
        id=f"{kind}:{who}:{of}:{stretch}",
        at=datetime.fromtimestamp(minute * 60, tz=UTC),
        error_seconds=60.0,
        type=type,
        source=source,
        # A log-in name that is a mail address may stand in the registry as a mailbox; whoever looks it up tries both.
        held=None if source is not None else (ResourceKind.LOGIN, who, ""),
        facts=facts,
        excerpt=excerpt,
    )


def _minute(text: str, line: int) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise NotReadable(f"line {line}: {text!r} is no time.") from None
    if at.tzinfo is None:
        raise NotReadable(f"line {line}: {text!r} states no zone.")
    return int(at.timestamp()) // 60
