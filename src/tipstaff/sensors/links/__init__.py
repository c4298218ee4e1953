"""Looks at counters of ports: how full a link is, who keeps others from a shared one, what source validation drops.

All read CSV. `links`: `at,scope,port,bits_per_second,speed_bps`, the greater of the two directions at each poll.
`shared-link`: `at,scope,link,dropped,port,bits_per_second`, for each poll of a link that several ports share a row for
each port: what the link dropped since the poll before, and what that port sent or took.
`sav`: `at,scope,port,dropped`, the packets that source validation dropped since the poll before. `scope` is the device,
as the registry names it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tipstaff.sensors.protocol import Books, Seen, instant, number, rows
from tipstaff.words import ResourceKind

SHARE_MIN, DAYS_MIN = 80, 1
DROPPED_MIN = 100
"""Less is not handed in."""
POLLS_MIN = 3
"""A shared link that drops at fewer polls than these, one after the other, had a burst."""
CAUSE_SHARE_MIN = 50
"""The cause is confirmed only where one port has at least so many per cent of the load, at each of these polls."""


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


@dataclass(slots=True)
class _Poll:
    """A shared link at one moment."""

    at: datetime
    dropped: float = 0
    load: dict[str, float] = field(default_factory=dict)
    """By port."""


class SharedLink:
    """Links on which packets of others are dropped while one port carries most (`network.harm_to_others`)."""

    reads = "drops and load of links that several ports share, at each poll as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        polls: defaultdict[tuple[str, str], dict[datetime, _Poll]] = defaultdict(dict)
        for line, row in rows(lines, columns=("at", "scope", "link", "dropped", "port", "bits_per_second")):
            at = instant(row["at"], line=line)
            poll = polls[row["scope"], row["link"]].setdefault(at, _Poll(at))
            poll.dropped = max(poll.dropped, number(row["dropped"], line=line))
            poll.load[row["port"]] = number(row["bits_per_second"], line=line)
        for (scope, link), polled in polls.items():
            run: list[_Poll] = []
            for _, poll in sorted(polled.items()):
                if poll.dropped:
                    run.append(poll)
                    continue
                yield from _harm(scope, link, run, books=books)
                run = []
            yield from _harm(scope, link, run, books=books)


def _harm(scope: str, link: str, run: list[_Poll], *, books: Books) -> Iterator[Seen]:
    """What one stretch of polls with drops shows, where it is long enough."""
    dropped = int(sum(poll.dropped for poll in run))
    if len(run) < POLLS_MIN or dropped < DROPPED_MIN:
        return
    last = run[-1].at
    heaviest = {max(poll.load, key=lambda port: (poll.load[port], port)) for poll in run}
    port = max(run[-1].load, key=lambda port: (run[-1].load[port], port))
    share = min(int(100 * poll.load.get(port, 0) / (sum(poll.load.values()) or 1)) for poll in run)
    cause = books.holder_of(ResourceKind.PORT, port, scope=scope, at=last)
    on_it = {name for poll in run for name, bits in poll.load.items() if bits}
    others = {books.holder_of(ResourceKind.PORT, name, scope=scope, at=last) for name in on_it} - {cause, None}
    yield Seen(
        kind="network.harm_to_others",
        id=f"harm:{scope}:{link}:{port}:{run[0].at.isoformat()}",
        at=last,
        held=(ResourceKind.PORT, port, scope),
        facts={
            "customers_affected": len(others),
            "cause_confirmed": heaviest == {port} and share >= CAUSE_SHARE_MIN,
            "share_percent": share,
            "packets_dropped": dropped,
            "polls": len(run),
        },
        excerpt=f"{scope} {link}: {dropped} packets dropped at {len(run)} polls, {share} % of the load on {port}",
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
