"""Looks for addresses of ours that came onto a blocklist.

It reads CSV with a first line `at,address,list,answer`: what each list answered at each look, as `dig +short` prints it
for the reversed address below the list's zone (RFC 5782), and nothing where it is not listed. The operator's own
resolver asks, as often as the lists allow.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address, ip_network

from tipstaff.sensors.protocol import Address, Books, NotReadable, Seen, instant, rows, since_without_a_break

COLUMNS = ("at", "address", "list", "answer")
_LISTED = ip_network("127.0.0.0/8")
_REFUSED = ip_network("127.255.255.0/24")
"""What lists answer to whom they do not serve: it says nothing of the address."""


class Listings:
    """Addresses of ours that are on lists (`reputation.listed`)."""

    reads = "what blocklists answered at each look as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        looks: defaultdict[Address, dict[str, list[tuple[datetime, bool]]]] = defaultdict(lambda: defaultdict(list))
        for line, row in rows(lines, columns=COLUMNS):
            try:
                address = ip_address(row["address"])
                answers = [ip_address(answer) for answer in row["answer"].split()]
            except ValueError as why:
                raise NotReadable(f"line {line}: {why}.") from None
            if any(answer in _REFUSED for answer in answers):
                continue
            listed = any(answer in _LISTED for answer in answers)
            looks[address][row["list"].lower().rstrip(".")].append((instant(row["at"], line=line), listed))
        for address, lists in looks.items():
            on = {name: since_without_a_break(seen) for name, seen in lists.items()}
            now = {name: since for name, since in on.items() if since is not None}
            if not now or not books.is_own(ip_network(address), at=max(now.values())):
                continue
            first, last = min(now.values()), max(at for seen in lists.values() for at, _ in seen)
            yield Seen(
                kind="reputation.listed",
                id=f"listed:{address}:{','.join(sorted(now))}:{first:%Y-%m-%dT%H}"[:200],
                at=last,
                type="reputation/blocklist",
                source=address,
                facts={"lists": len(now), "hours_listed": int((last - first).total_seconds() // 3600)},
                excerpt="\n".join(
                    f"{name}: listed since {since:%Y-%m-%d %H:%M} UTC" for name, since in sorted(now.items())
                ),
            )
