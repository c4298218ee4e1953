"""Deterministic NAT (RFC 7422): the map from inside hosts to blocks of ports, each version with its time."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import numpy as np
import polars as pl

from tipstaff.words import RefusedLine

from ...protocol import OPEN, REFUSED_TOLD_MAX, Joins, Lines, Options, Parsed, Stretch
from ...reading import header_of, instants, table

BLOCKS_MAX = 4_000_000
"""A line that makes more blocks than this is a mistake."""


class Map(Lines):
    """`inside,outside,ports_per_host,since[,until][,port_first][,port_last][,order]`, one version of a map a line.

    `order` says which host gets the next block: `address` (the default) fills an outside address before the next one;
    `port` gives the first block of every outside address before the second (RFC 7422 section 2.2 names more).
    Without `until` a version lasts until the next line that names the same outside prefix.
    """

    kind = "nat-deterministic"
    proves = "which inside address a public address and port belong to, by the NAT's own configuration, without any log"
    clock = "none but the instants at which a version was put in force; they must be right"
    gaps = "ports outside the map; a change of configuration that nobody wrote down"
    joins = Joins.ALONE
    has_header = True
    whole = True
    clock_error_seconds = 0.0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        named = header_of(stretch, needs=("inside", "outside", "ports_per_host", "since"), kind=self.kind)
        known = ("inside", "outside", "ports_per_host", "since", "until", "port_first", "port_last", "order")
        frame = table(stretch, named, wanted=[c for c in known if c in named])
        frame = frame.with_columns(pl.lit(None, pl.String).alias(c) for c in known if c not in named)
        frame = frame.with_columns(
            pl.Series("from", instants(frame, "since", zone=options.zone)),
            pl.Series("to", instants(frame, "until", zone=options.zone)),
        )
        refused: list[RefusedLine] = []
        versions: list[_Version] = []
        unread: list[_Replaced] = []
        for row in frame.iter_rows(named=True):
            version = _version(row)
            if isinstance(version, str):
                refused.append(RefusedLine(offset=row["offset"], why=version))
                unread.append(_replaced(row))
            else:
                versions.append(version)
        ends = [(v, _until(v, versions, unread)) for v in versions]
        blocks = [v.blocks(until=until) for v, until in ends if until > v.since]
        return Parsed(
            records=pl.concat(blocks) if blocks else _Version.nothing(),
            count=len(versions),
            refused=refused[:REFUSED_TOLD_MAX],
            refused_total=len(refused),
        )


class _Version:
    """One line, understood."""

    def __init__(self, row: dict[str, object]) -> None:
        self.offset = int(str(row["offset"]))
        self.inside = ip_network(str(row["inside"]))
        self.outside = ip_network(str(row["outside"]))
        self.size = int(str(row["ports_per_host"]))
        self.first, self.last = (int(str(row[c] or d)) for c, d in (("port_first", 1024), ("port_last", 65535)))
        self.order = str(row["order"] or "address")
        since, until = row["from"], row["to"]
        self.since = int(str(since))
        self.until = OPEN if until is None else int(str(until))

    @property
    def per_address(self) -> int:
        return (self.last - self.first + 1) // self.size

    def blocks(self, *, until: int) -> pl.DataFrame:
        """A record for each inside host."""
        hosts = np.arange(self.inside.num_addresses, dtype=np.uint64)
        if self.order == "address":
            address, block = hosts // np.uint64(self.per_address), hosts % np.uint64(self.per_address)
        else:
            address, block = (
                hosts % np.uint64(self.outside.num_addresses),
                hosts // np.uint64(self.outside.num_addresses),
            )
        port = self.first + block.astype(np.int64) * self.size
        outside, inside = int(self.outside.network_address), int(self.inside.network_address)
        return pl.DataFrame(
            {
                "lo": np.uint64(outside) + address,
                "port_first": port.astype(np.int32),
                "port_last": (port + self.size - 1).astype(np.int32),
                "inside_version": np.full(len(hosts), self.inside.version, np.uint8),
                "inside_hi": np.full(len(hosts), inside >> 64, np.uint64),
                "inside_lo": np.uint64(inside & (2**64 - 1)) + hosts,
            }
        ).select(
            pl.lit(self.offset, pl.Int64).alias("offset"), pl.all(), pl.lit(0, pl.UInt8).alias("kind"),
            pl.lit(self.since, pl.Int64).alias("since"), pl.lit(until, pl.Int64).alias("until"),
            pl.lit(until < OPEN).alias("final"),
        )  # fmt: skip

    @staticmethod
    def nothing() -> pl.DataFrame:
        return _Version(
            {"offset": 0, "inside": "192.0.2.0/32", "outside": "192.0.2.0/32", "ports_per_host": 1, "from": 0, "to": 0,
             "port_first": 1, "port_last": 1, "order": ""}
        ).blocks(until=0).clear()  # fmt: skip


def _version(row: dict[str, object]) -> _Version | str:
    """The version, or why the line is none."""
    if row["from"] is None:
        return "since is no instant with a zone"
    if row["until"] and row["to"] is None:
        return "until is no instant with a zone"
    try:
        version = _Version(row)
    except ValueError as why:
        return f"{why}"
    if not isinstance(version.outside, IPv4Network):
        return "outside must be an IPv4 prefix"
    if not isinstance(version.inside, IPv4Network | IPv6Network) or version.inside.num_addresses > BLOCKS_MAX:
        return f"inside must be a prefix of at most {BLOCKS_MAX} hosts"
    if version.order not in ("address", "port"):
        return "order must be address or port"
    if not 0 < version.first <= version.last <= 65535 or not 0 < version.size <= version.last - version.first + 1:
        return "port_first, port_last and ports_per_host do not fit together"
    if version.per_address * version.outside.num_addresses < version.inside.num_addresses:
        return "outside has fewer blocks than inside has hosts"
    if version.until <= version.since:
        return "it ends before it begins"
    return version


_Replaced = tuple[IPv4Network | IPv6Network | None, int | None]
"""What a line that can't be read replaces, and from when on; None where it does not even say that."""


def _replaced(row: dict[str, object]) -> _Replaced:
    try:
        outside = ip_network(str(row["outside"]))
    except ValueError:
        outside = None
    return outside, row["from"]  # type: ignore[return-value]  # `instants` made it


def _until(version: _Version, versions: list[_Version], unread: list[_Replaced]) -> int:
    """Until the next version of its outside addresses; one that can't be read is a version, too, and whose inside
    hosts it names nobody knows."""
    later = [v.since for v in versions if _overlap(v.outside, version.outside) and v.since > version.since]
    later += [
        version.since if s is None else s
        for o, s in unread
        if (s is None or s >= version.since) and (o is None or _overlap(o, version.outside))
    ]
    return max(version.since, min([version.until, *later]))


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)
