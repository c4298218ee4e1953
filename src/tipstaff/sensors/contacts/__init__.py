"""Looks at contacts to whom no mail goes any more: those in the public registries, and those named to us.

It reads CSV with a first line `at,handle,contact,answer`: what the contact's mail server answered when it was asked
whether it takes mail for them (`RCPT TO`, nothing sent), and nothing where it does. `handle` is the registry's name of
whoever they stand for (`ORG-EX1-EXAMPLE`); left empty, it is a contact that a customer named to us.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from tipstaff.sensors.protocol import Books, Seen, instant, rows, since_without_a_break
from tipstaff.words import ResourceKind

COLUMNS = ("at", "handle", "contact", "answer")
_UNKNOWN = ("550", "551", "553", "5.1.")
"""Answers that are about the recipient (RFC 5321, RFC 3463); any other says nothing of the contact."""


class Contacts:
    """Contacts in public registries (`registry.stale_contact`) and of customers (`representative.unreachable`) whom no
    mail reaches."""

    reads = "what the mail servers of contacts answered at each look as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        looks: defaultdict[tuple[str, str], list[tuple[datetime, bool]]] = defaultdict(list)
        for line, row in rows(lines, columns=COLUMNS):
            unknown = row["answer"].startswith("5") and any(code in row["answer"] for code in _UNKNOWN)
            if row["answer"] and not unknown:
                continue
            looks[row["handle"], row["contact"].lower()].append((instant(row["at"], line=line), unknown))
        for (handle, contact), seen in looks.items():
            since, last = since_without_a_break(seen), max(seen)[0]
            if since is None:
                continue
            days = int((last - since).total_seconds() // 86400)
            said = f"{contact}: no mail reaches them since {since:%Y-%m-%d %H:%M} UTC"
            if handle:
                yield Seen(
                    kind="registry.stale_contact", at=last,
                    id=f"stale:{handle}:{contact}:{since:%Y-%m-%d}:{days}"[:200],
                    held=(ResourceKind.HANDLE, handle, ""), facts={"days_stale": days}, excerpt=f"{handle}, {said}",
                )  # fmt: skip
                continue
            for customer, others in books.represented_by(contact, at=last):
                yield Seen(
                    kind="representative.unreachable", id=f"contact:{customer}:{contact}:{since:%Y-%m-%d}"[:200],
                    at=last, account=customer, facts={"contacts": others}, excerpt=said,
                )  # fmt: skip
