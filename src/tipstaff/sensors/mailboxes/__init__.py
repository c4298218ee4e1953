"""Looks at how full mailboxes are and how much in them is unread, without a look at any message.

It reads what Dovecot prints, the two tables one behind the other, after a line that says when:

    # 2026-05-04T12:00:00Z
    (doveadm -f tab quota get -A)
    (doveadm -f tab mailbox status -A 'messages unseen' '*')
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from tipstaff.sensors.protocol import Books, NotReadable, Seen, instant, number
from tipstaff.words import ResourceKind

SHARE_MIN = 80
"""Percent of the quota: a mailbox with less is not handed in."""


class Dovecot:
    """Mailboxes that are full of what nobody reads (`mail.stored_files`)."""

    reads = "two tables of doveadm: quota, and the state of mailboxes"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        at: datetime | None = None
        head: list[str] = []
        share: dict[str, int] = {}
        messages: defaultdict[str, float] = defaultdict(float)
        unseen: defaultdict[str, float] = defaultdict(float)
        for line, text in enumerate(lines, 1):
            if text.startswith("#"):
                at = instant(text.lstrip("# ").strip(), line=line)
                continue
            fields = text.rstrip("\r\n").split("\t")
            if fields[0].lower() == "username":
                head = [name.lower() for name in fields]
                continue
            if not text.strip():
                continue
            if len(fields) != len(head):
                raise NotReadable(f"line {line}: {len(fields)} fields under {len(head)} columns.")
            row = dict(zip(head, fields, strict=True))
            if row.get("type", "").upper() == "STORAGE" and row.get("limit", "-") not in ("-", "0", ""):
                used = 100 * number(row["value"], line=line) / number(row["limit"], line=line)
                share[row["username"]] = max(share.get(row["username"], 0), int(used))
            elif "unseen" in row:
                messages[row["username"]] += number(row["messages"], line=line)
                unseen[row["username"]] += number(row["unseen"], line=line)
        if at is None:
            raise NotReadable("line 1: a line `# 2026-05-04T12:00:00Z` says when the tables were printed.")
        for user, percent in share.items():
            if percent < SHARE_MIN or not messages[user]:
                continue
            unread = int(100 * unseen[user] / messages[user])
            yield Seen(
                kind="mail.stored_files",
                id=f"storage:{user}:{at:%Y-%m-%d}",
                at=at,
                held=(ResourceKind.MAILBOX, user, ""),
                facts={"share_of_quota_percent": percent, "unread_percent": unread},
                excerpt=f"{user}: {percent} % of the quota used, {unread} % of the messages never read",
            )
