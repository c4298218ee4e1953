"""Counts scans and floods in flow records: which of our addresses spoke to how many, and how fast to one; and which
spoke with a server that is known to control machines.

It reads CSV with a first line `start,seconds,source,target,protocol,source_port,target_port,flags,packets`. Any
collector can write that; with nfdump: `nfdump -q -N -r FILE -o
'fmt:%tsr,%td,%sa,%da,%pr,%sp,%dp,%flg,%pkt'` behind that line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from tipstaff.sensors.protocol import Address, Books, NotReadable, Seen, instant, number, rows

COLUMNS = ("start", "seconds", "source", "target", "protocol", "source_port", "target_port", "flags", "packets")
STRETCH_SECONDS = 3600
"""What is counted together: an hour by the clock, so that the same file counts the same however it was cut."""
TARGETS_MIN = 50
"""A source that tried fewer is not handed in."""
RATE_MIN, SECONDS_MIN = 5_000, 10
"""Packets a second to one target, over so many seconds: less is not handed in."""
PROBE_PACKETS_MAX = 3
"""A probe gets no further than a few packets; a longer flow is a conversation."""
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmp"}


@dataclass(slots=True)
class _Reach:
    """What one source tried within a stretch."""

    targets: set[tuple[str, int]] = field(default_factory=set)
    ports: dict[int, int] = field(default_factory=dict)
    first: float = float("inf")
    last: float = 0.0


@dataclass(slots=True)
class _Stream:
    """What one source sent to one target within a stretch."""

    packets: float = 0.0
    syn: float = 0.0
    first: float = float("inf")
    last: float = 0.0
    protocols: dict[tuple[str, int], float] = field(default_factory=dict)


class Flows:
    """Scans (`flows.scan`), floods (`flows.flood`) and talks with control servers (`flows.control_server`)."""

    reads = "flow records as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        reach: dict[tuple[Address, int], _Reach] = {}
        streams: dict[tuple[Address, Address, int], _Stream] = {}
        ours: dict[Address, bool] = {}
        talks: dict[tuple[Address, Address, str, int, int], list[datetime]] = {}
        for line, row in rows(lines, columns=COLUMNS):
            try:
                source, target = ip_address(row["source"]), ip_address(row["target"])
            except ValueError as why:
                raise NotReadable(f"line {line}: {why}.") from None
            started = instant(row["start"], line=line)
            if source not in ours:
                ours[source] = books.is_own(ip_network(source), at=started)
            if not ours[source]:
                continue
            start = started.timestamp()
            end = start + _seconds(row["seconds"], line=line)
            packets = number(row["packets"], line=line)
            protocol = _NUMBERS.get(row["protocol"], row["protocol"].lower().replace("ipv6-icmp", "icmp"))
            port = int(number(row["target_port"] or "0", line=line))
            flags = row["flags"].replace(".", "").upper()
            stretch = int(start) // STRETCH_SECONDS
            if packets <= PROBE_PACKETS_MAX and not (protocol == "tcp" and flags not in ("", "S", "SR", "RS")):
                one = reach.setdefault((source, stretch), _Reach())
                one.targets.add((str(target), port))
                one.ports[port] = one.ports.get(port, 0) + 1
                one.first, one.last = min(one.first, start), max(one.last, end)
            if packets > PROBE_PACKETS_MAX and str(target) in books.controls:
                talks.setdefault((source, target, protocol, port, stretch), []).append(started)
            stream = streams.setdefault((source, target, stretch), _Stream())
            stream.packets += packets
            stream.syn += packets if protocol == "tcp" and flags == "S" else 0
            stream.first, stream.last = min(stream.first, start), max(stream.last, end)
            stream.protocols[protocol, port] = stream.protocols.get((protocol, port), 0) + packets
        yield from _scans(reach, books)
        yield from _floods(streams, books)
        yield from _talks(talks, books)


def _scans(reach: dict[tuple[Address, int], _Reach], books: Books) -> Iterator[Seen]:
    for (source, stretch), one in reach.items():
        if len(one.targets) < TARGETS_MIN:
            continue
        port, _ = max(one.ports.items(), key=lambda pair: (pair[1], -pair[0]))
        minutes = max(1, -(-int(one.last - one.first) // 60))
        yield Seen(
            kind="flows.scan",
            id=f"scan:{source}:{stretch}",
            at=_at(one.first),
            type="connection/port_scan",
            source=source,
            target_port=port or None,
            facts={"targets": len(one.targets), "minutes": minutes, "announced": str(source) in books.agreed},
            excerpt=f"{len(one.targets)} targets within {minutes} minutes, most on port {port}",
        )


def _floods(streams: dict[tuple[Address, Address, int], _Stream], books: Books) -> Iterator[Seen]:
    for (source, target, stretch), one in streams.items():
        seconds = int(one.last - one.first)
        rate = int(one.packets / max(1, seconds))
        if seconds < SECONDS_MIN or rate < RATE_MIN:
            continue
        (protocol, port), _ = max(one.protocols.items(), key=lambda pair: pair[1])
        syn_percent = int(100 * one.syn / one.packets)
        yield Seen(
            kind="flows.flood",
            id=f"flood:{source}:{target}:{stretch}",
            at=_at(one.last),
            type="connection/ddos",
            source=source,
            protocol=protocol,
            target=str(target),
            target_port=port or None,
            facts={
                "packets_per_second": rate, "seconds": seconds, "syn_percent": syn_percent,
                "icmp": protocol == "icmp", "agreed_test": str(source) in books.agreed,
            },
            excerpt=f"{rate} packets a second for {seconds} seconds, {protocol}, {syn_percent} % of them only SYN",
        )  # fmt: skip


def _talks(talks: dict[tuple[Address, Address, str, int, int], list[datetime]], books: Books) -> Iterator[Seen]:
    """Conversations, not probes: a packet with a forged source gets no answer, and so no further than a few."""
    for (source, target, protocol, port, stretch), started in talks.items():
        listed_by = books.controls[str(target)]
        yield Seen(
            kind="flows.control_server",
            id=f"control:{source}:{target}:{protocol}:{port}:{stretch}",
            at=min(started),
            type="connection/infected_host",
            source=source,
            protocol=protocol,
            target=str(target),
            target_port=port or None,
            facts={"conversations": len(started), "listed_by": listed_by},
            excerpt=f"{len(started)} conversations with {target}, which {listed_by} names as a control server",
        )


def _seconds(text: str, *, line: int) -> float:
    """A duration in seconds, or as nfdump also writes it: `00:01:12.250`."""
    parts = text.split(":")
    return sum(number(part, line=line) * 60.0**power for power, part in enumerate(reversed(parts)))


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def read_controls(text: str) -> dict[str, str]:
    """Known control servers, a line `address who-says-so` each; raise NotReadable for a line that is neither."""
    found: dict[str, str] = {}
    for line, said in enumerate(text.splitlines(), 1):
        address, _, by = said.partition("#")[0].strip().partition(" ")
        if not address:
            continue
        try:
            found[str(ip_address(address))] = by.strip()[:100] or "your own list"
        except ValueError as why:
            raise NotReadable(f"line {line}: {why}.") from None
    return found
