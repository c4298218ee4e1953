"""Looks at counters of ports: how full a customer's link is, and how much source validation drops there.

Both read CSV. `links`: `at,scope,port,bits_per_second,speed_bps`, the greater of the two directions at each poll.
`sav`: `at,scope,port,dropped`, the packets that source validation dropped since the poll before. `scope` is the device,
as the registry names it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from tipstaff.sensors.protocol import Books, Seen, instant, number, rows
from tipstaff.words import ResourceKind

SHARE_MIN, DAYS_MIN = 80, 1
DROPPED_MIN = 100
"""Less is not handed in."""


class Links:
    """Links whose 95th percentile comes near their speed (`routes.link_full`)."""

    reads = "the load of ports at each poll as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        polls: defaultdict[tuple[str, str], list[tuple[datetime, float]]] = defaultdict(list)
        for line, row in rows(lines, columns=("at", "scope", "port", "bits_per_second", "speed_bps")):
            speed = number(row["speed_bps"], line=line)
            if speed:
                share = 100 * number(row["bits_per_second"], line=line) / speed
                polls[row["scope"], row["port"]].append((instant(row["at"], line=line), share))
        for (scope, port), polled in polls.items():
            first, last = min(polled)[0], max(polled)[0]
            # The nearest rank: the smallest value that 95 of 100 polls do not exceed.
            shares = sorted(share for _, share in polled)
            p95 = int(shares[-(-95 * len(shares) // 100) - 1])
            days = int((last - first).total_seconds() // 86400)
            if p95 < SHARE_MIN or days < DAYS_MIN:
                continue
            yield Seen(
                kind="routes.link_full",
                id=f"full:{scope}:{port}:{last:%G-W%V}",
                at=last,
                held=(ResourceKind.PORT, port, scope),
                facts={"p95_percent": p95, "days": days, "polls": len(polled)},
                excerpt=f"{scope} {port}: 95 of 100 polls below {p95} % of its speed, over {days} days",
            )


class SourceValidation:
    """Packets with sources that are not the port's (`network.spoofed_source`; BCP 38, BCP 84)."""

    reads = "what source validation dropped at each poll as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        drops: defaultdict[tuple[str, str, int], list[tuple[datetime, float]]] = defaultdict(list)
        for line, row in rows(lines, columns=("at", "scope", "port", "dropped")):
            if dropped := number(row["dropped"], line=line):
                at = instant(row["at"], line=line)
                drops[row["scope"], row["port"], int(at.timestamp()) // 3600].append((at, dropped))
        for (scope, port, hour), polled in drops.items():
            first, last = min(polled)[0], max(polled)[0]
            dropped = int(sum(count for _, count in polled))
            minutes = int((last - first).total_seconds() // 60)
            if dropped < DROPPED_MIN:
                continue
            yield Seen(
                kind="network.spoofed_source",
                id=f"spoofed:{scope}:{port}:{hour}",
                at=last,
                held=(ResourceKind.PORT, port, scope),
                facts={"packets_dropped": dropped, "minutes": minutes, "port": f"{scope}/{port}"},
                excerpt=f"{scope} {port}: {dropped} packets with sources that are not its own, over {minutes} minutes",
            )
