"""Compares what an address sends with what it usually sends, by the day; nothing of what or to whom.

It reads CSV with a first line `day,address,octets`: how much each address sent on each day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from ipaddress import ip_address, ip_network
from statistics import median

from tipstaff.sensors.protocol import Address, Books, NotReadable, Seen, number, rows

DAYS_MIN, TIMES_MIN = 7, 10
"""Fewer days say nothing of what is usual; less is not handed in."""


class Profile:
    """Addresses that send many times what they usually do (`service.unlike_its_profile`)."""

    reads = "what each address sent on each day as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        days: defaultdict[Address, dict[date, float]] = defaultdict(dict)
        for line, row in rows(lines, columns=("day", "address", "octets")):
            try:
                day, address = date.fromisoformat(row["day"]), ip_address(row["address"])
            except ValueError as why:
                raise NotReadable(f"line {line}: {why}.") from None
            days[address][day] = days[address].get(day, 0) + number(row["octets"], line=line)
        for address, sent in days.items():
            *before, last = sorted(sent)
            usual = median(sent[day] for day in before) if len(before) >= DAYS_MIN else 0
            times = int(sent[last] / usual) if usual else 0
            at = datetime.combine(last, time(12), tzinfo=UTC)
            if times < TIMES_MIN or not books.is_own(ip_network(address), at=at):
                continue
            yield Seen(
                kind="service.unlike_its_profile",
                id=f"profile:{address}:{last}",
                at=at,
                error_seconds=43_200.0,
                source=address,
                facts={"days_observed": len(before), "times_usual": times},
                excerpt=f"{times} times what it sent on the middle one of {len(before)} days before",
            )
