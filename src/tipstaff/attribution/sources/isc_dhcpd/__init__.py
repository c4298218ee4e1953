"""ISC dhcpd's `dhcpd.leases`: the newest state of each lease is appended; a clean-up keeps only that."""

import re
from datetime import UTC, datetime

import numpy as np
import polars as pl

from tipstaff.words import RefusedLine

from ...circuits import circuit_named
from ...protocol import CIRCUIT, DECLINED, MAC, OPEN, REFUSED_TOLD_MAX, Joins, Kind, Options, Parsed, Stretch
from ...reading import MICRO, around, prefixes

_LEASE = re.compile(rb"^lease (\S+) \{\n(.*?)^\}", re.M | re.S)
_FIELD = re.compile(r"^\s+(?:(starts|ends|cltt) (?:epoch (\d+)|\d (\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)|(never))|"
                    r"binding state (\w+)|hardware ethernet ([0-9a-fA-F:]+)|option agent\.(circuit|remote)-id (.+)|"
                    r"uid (.+));", re.M)  # fmt: skip


class Leases(Kind):
    """Leases as they were written, one after the other."""

    kind = "isc-dhcpd"
    proves = "that the server gave an address to a hardware address, or to a circuit where a relay named one"
    clock = "the DHCP server's own, in UTC as dhcpd writes it"
    gaps = "what the clean-up had removed before it was read; what the server did not serve"
    joins = Joins.LEASE

    def cut(self, data: bytes) -> int:
        end = data.rfind(b"\n}\n")
        return 0 if end < 0 else end + 3

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        rows, refused, missed, count = [], [], [], 0
        for found in _LEASE.finditer(stretch.data):
            count += 1
            offset = stretch.offset + found.start()
            address = found[1].decode("ascii", "replace")
            fields = _fields(found[2].decode("utf-8", "replace"))
            why = _why_not(fields)
            if why:
                refused.append(RefusedLine(offset=offset, why=why))
                if fields.get("state") in (None, "active"):  # Somebody was given the address.
                    missed.append(offset)
                continue
            starts, ends, state = fields["starts"], fields.get("ends", OPEN), fields["state"]
            abandoned = state == "abandoned"
            if abandoned:  # It ends when it was given up, and is given to nobody until it is written anew.
                starts, ends = starts if ends == OPEN else ends, OPEN
            circuit, sole = circuit_named(
                "" if abandoned else str(fields.get("circuit", "")), str(fields.get("remote", "")),
                unique=options.circuits_unique,
            )  # fmt: skip
            subject = DECLINED if abandoned else circuit or str(fields.get("mac", "")).lower()
            rows.append(
                (offset, address, starts, ends, state not in ("active", "abandoned"),
                 CIRCUIT if circuit else MAC, subject, bool(circuit) and sole)
            )  # fmt: skip
        schema = {"offset": pl.Int64, "address": pl.String, "since": pl.Int64, "until": pl.Int64, "final": pl.Boolean,
                  "kind": pl.UInt8, "subject": pl.String, "strong": pl.Boolean}  # fmt: skip
        frame = prefixes(pl.DataFrame(rows, schema=schema, orient="row"), "address")
        bad = frame.filter(pl.col("lo").is_null())
        refused += [RefusedLine(offset=o, why="no address") for o in bad.get_column("offset")]
        records = frame.filter(pl.col("lo").is_not_null()).with_columns(pl.col("until").alias("seen")).drop("address")
        covers = None
        if records.height:
            covers = (int(records["since"].min()), int(records["since"].max()))  # type: ignore[arg-type]  # no nulls
        return Parsed(
            records=records,
            count=count - len(refused),
            refused=sorted(refused, key=lambda r: r.offset)[:REFUSED_TOLD_MAX],
            refused_total=len(refused),
            covers=covers,
            missed=around([np.array(missed)], records, at="since") if missed else [],
        )


def _fields(block: str) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for when, epoch, stamp, never, state, mac, which, named, _ in _FIELD.findall(block):
        if when:
            found[when] = OPEN if never else int(epoch) * MICRO if epoch else _instant(stamp)
        elif state:
            found.setdefault("state", state)
        elif mac:
            found["mac"] = mac
        elif which:
            found[which] = named.strip('"')
    return found


def _why_not(fields: dict[str, int | str]) -> str:
    if "starts" not in fields or "state" not in fields:
        return "no beginning or no binding state"
    if fields["state"] not in ("active", "free", "released", "expired", "abandoned"):
        return f"a lease that nobody had ({fields['state']})"
    if not fields.get("mac") and not fields.get("circuit") and fields["state"] != "abandoned":
        return "no hardware address and no circuit"
    if isinstance(fields.get("ends", OPEN), int) and int(fields.get("ends", OPEN)) < int(fields["starts"]):
        return "it ends before it begins"
    return ""


def _instant(stamp: str) -> int:
    return int(datetime.strptime(stamp, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * MICRO
