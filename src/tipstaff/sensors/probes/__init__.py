"""Reads test messages that went through a customer's server, with its leave: does it note who connects, and the way?

`mail-probe` and `news-probe` read one message as it came out (RFC 5322, RFC 5536), with a header that whoever sent it
put in: `X-Tipstaff-Probe: account=acct-1; helo=probe.example.net; from=192.0.2.200; by=mail.customer.example.com`.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message
from email.utils import parsedate_to_datetime

from tipstaff.sensors.protocol import Books, NotReadable, Seen

HEADER = "X-Tipstaff-Probe"
_FIELD = re.compile(r"(account|helo|from|by)=([^;\s]+)")


class MailProbe:
    """Whether a mail server notes the address that connects (`probe.mail_peer`; RFC 5321, section 4.4) and lets its
    mail show the way that it took (`probe.mail_headers`)."""

    reads = "a test message as it came out of a customer's mail server"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        message, sent, at = _probe(lines)
        opted_in = books.allowed(sent["account"], "mail-probe", at=at)
        traces = [" ".join(str(line).split()) for line in message.get_all("Received", [])]
        by = [line for line in traces if re.search(rf"\bby {re.escape(sent['by'])}\b", line, flags=re.IGNORECASE)]
        noted = any(sent["from"] in line for line in by)
        yield _seen("probe.mail_headers", sent, at, f"{len(by)} trace lines of {sent['by']}",
                    opted_in=opted_in, way_shown=bool(by))  # fmt: skip
        if by:  # Without a trace line there is nothing in which the address could stand.
            yield _seen("probe.mail_peer", sent, at, by[-1], opted_in=opted_in, peer_noted=noted)


class NewsProbe:
    """Whether a news server writes a truthful Path and says where an article was injected (`probe.usenet_path`;
    RFC 5537, sections 3.2 and 3.5)."""

    reads = "a test article as it came out of a customer's news server"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        article, sent, at = _probe(lines)
        path = [identity.lower() for identity in re.split(r"[!\s]+", str(article.get("Path", ""))) if identity]
        injected = str(article.get("Injection-Info", ""))
        truthful = sent["by"].lower() in path and sent["by"].lower() in injected.lower()
        yield _seen(
            "probe.usenet_path", sent, at, f"Path: {'!'.join(path)}\nInjection-Info: {injected}",
            opted_in=books.allowed(sent["account"], "news-probe", at=at), truthful_path=truthful,
        )  # fmt: skip


def _probe(lines: Iterable[str]) -> tuple[Message, dict[str, str], datetime]:
    message = message_from_string("".join(lines))
    sent = dict(_FIELD.findall(str(message.get(HEADER, ""))))
    if missing := [name for name in ("account", "helo", "from", "by") if name not in sent]:
        raise NotReadable(f"line 1: the header {HEADER} does not say {missing[0]}.")
    try:
        at = parsedate_to_datetime(str(message.get("Date", "")))
    except (TypeError, ValueError):
        raise NotReadable("line 1: its Date is none.") from None
    if at.tzinfo is None:
        raise NotReadable("line 1: its Date has no zone.")
    return message, sent, at.astimezone(UTC)


def _seen(kind: str, sent: dict[str, str], at: datetime, excerpt: str, **facts: bool) -> Seen:
    return Seen(
        kind=kind, id=f"{kind}:{sent['account']}:{sent['by']}:{at.isoformat()}"[:200], at=at, account=sent["account"],
        facts=facts, excerpt=excerpt[:2000],
    )  # fmt: skip
