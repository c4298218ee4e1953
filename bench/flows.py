"""How fast flows of NAT are written into files and found again, as the history grows by partition.

    python bench/flows.py [--day 200000000] [--hours 6] [--further-hours 1500] [--per-batch 2000000] [--sample 200]

An operator of `--day` NAT records a day (a new flow is one record, its end another). `--hours` hours of its flows are
laid into files as an import lays them (joined, split by span and slot, sorted, safe on the disk), and after each hour
questions are asked: cold, with the files out of the page cache, and warm. After them come `--further-hours` that are
nearly empty: what many more partitions cost a question, whatever is in them. Beside that a log of `--log-records`
records as conntrack and as IPFIX goes the whole way, from the file on. Everything is measured; only the lines under
`extrapolated` are reckoned, and they say from what. One core: Polars is given one thread.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

BEGIN = 1_772_323_200
PUBLIC = int(IPv4Address("198.18.0.0"))
INSIDE = int(IPv4Address("100.64.0.0"))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = 3600 * 10**6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", type=int, default=200_000_000)
    parser.add_argument("--hours", type=int, default=6)
    parser.add_argument("--further-hours", type=int, default=1500)
    parser.add_argument("--per-batch", type=int, default=2_000_000)
    parser.add_argument("--addresses", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--log-records", type=int, default=1_000_000)
    options = parser.parse_args()
    from _database import database

    with database() as folder:
        print(json.dumps(run(options, folder), indent=1))


def run(options: argparse.Namespace, folder: Path) -> dict:
    from tipstaff.attribution.models import LoadRow, SourceRow

    told = {
        "command": " ".join(["python", *sys.argv]), "python": platform.python_version(), "cpus": os.cpu_count(),
        "whole_way": {kind: whole_way(kind, folder, options.log_records) for kind in ("nat-flows", "nat-ipfix")},
    }  # fmt: skip
    source = SourceRow.objects.create(name="bench", kind="nat-flows")
    load = LoadRow.objects.create(
        source=source, file="bench", head_sha256="", head_size=0, first_byte=0, end_byte=0, sha256="", records=0,
        clock_error=10**6, read_at=LATER,
    )  # fmt: skip
    each_hour = options.day // 24
    growth, written, cpu, flows = [], 0, 0.0, History(options)
    for hour in range(options.hours):
        made = flows.hour(hour, each_hour)
        passed, rows = lay(made, source, load, options.per_batch)
        cpu, written = cpu + passed, written + rows
        merged = merge_seconds()
        growth.append({"hours": hour + 1, **kept(), "merge_cpu_seconds": merged, **look_up(flows, options.sample)})
        # A whole day takes long: whoever must end it early still has what was measured.
        print(json.dumps({"records": written, "cpu_seconds": round(cpu, 1), **growth[-1]}), file=sys.stderr, flush=True)
    last = growth[-1]
    for hour in range(options.hours, options.hours + options.further_hours):
        lay(flows.hour(hour, 400), source, load, options.per_batch)
        if hour % 24 == 0:
            merge_seconds(parts_min=8)
        if (hour + 1) % 500 == 0 or hour + 1 == options.hours + options.further_hours:
            growth.append({"hours": hour + 1, "nearly_empty": True, **kept(), **look_up(flows, options.sample)})
    a_record = last["octets"] / written
    told["laid_into_files"] = {
        "records": written, "cpu_seconds": round(cpu, 1), "records_per_cpu_second": round(written / cpu),
        "bytes_a_record": round(a_record, 2), "bytes_a_flow": round(last["octets"] / last["flows"], 2),
    }  # fmt: skip
    told["growth"] = growth
    whole = told["whole_way"]["nat-ipfix"]["records_per_cpu_second"]
    told["extrapolated"] = {
        "cpu_hours_a_day_whole_way_ipfix": [round(options.day / whole / 3600, 2), "from whole_way, one core"],
        "gib_a_day": [round(options.day * a_record / 2**30, 2), "from bytes_a_record"],
        "parts_that_one_question_opens_after_a_year": [
            last["parts_opened_mean"],
            "as after the last full hour: they are those of the slots around the instant, and growth shows that they "
            "do not grow with the history",
        ],
    }  # fmt: skip
    told["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return told


class History:
    """Flows on ports that are used again only after they were free: the truth is known."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.dice = np.random.default_rng(1)
        self.addresses = options.addresses
        self.asked: list[tuple[np.ndarray, ...]] = []
        self.number = 0

    def hour(self, hour: int, records: int):
        """Records of the flows that begin in an hour, in order of time; a thousandth never ends."""
        import polars as pl

        from tipstaff.attribution.codes import OPEN

        count = records // 2
        since = (BEGIN + hour * 3600) * 10**6 + np.sort(self.dice.integers(0, HOUR, count))
        # One of a hundred lasts hours; the others a minute or two.
        long = self.dice.random(count) < 0.01
        lasts = np.where(long, self.dice.exponential(2 * HOUR, count), self.dice.exponential(90e6, count))
        end = since + lasts.astype(np.int64) + 1000
        # Each port is given out in turn, so it comes back after addresses * 60000 flows.
        slot = self.number + np.arange(count)
        lo, port = (PUBLIC + slot % self.addresses).astype(np.uint64), 1024 + slot // self.addresses % 60_000
        inside = (INSIDE + self.dice.integers(0, 200_000, count)).astype(np.uint64)
        ended = self.dice.random(count) >= 0.001
        pick = self.dice.choice(count, min(count, 20_000))
        self.asked.append((lo[pick], port[pick], since[pick], np.where(ended, end, OPEN)[pick], inside[pick]))
        self.number += count
        session = slot.astype(np.int64)
        each = {"lo": lo, "port_first": port.astype(np.int32), "inside_lo": inside, "session": session}
        begun = pl.DataFrame({**each, "since": since}).with_columns(final=pl.lit(False))
        over = pl.DataFrame({**each, "since": end}).filter(pl.Series(ended)).with_columns(final=pl.lit(True))
        both = pl.concat([begun, over]).sort("since")
        gone = pl.col("final")
        return both.with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("offset") * 180, pl.col("session").cast(pl.String),
            pl.lit(4, pl.UInt8).alias("version"), pl.lit(0, pl.UInt64).alias("hi"),
            pl.lit(32, pl.UInt8).alias("length"), pl.col("port_first").alias("port_last"),
            pl.lit(6, pl.Int16).alias("protocol"), pl.col("since").alias("seen"),
            pl.when(gone).then("since").otherwise(OPEN).alias("until"), (~gone).alias("begun"),
            pl.lit(0, pl.UInt8).alias("kind"), pl.lit(4, pl.UInt8).alias("inside_version"),
            pl.lit(0, pl.UInt64).alias("inside_hi"),
        )  # fmt: skip


def lay(made, source, load, per_batch: int) -> tuple[float, int]:
    """As an import lays its batches: processor seconds, and records."""
    from django.db import transaction

    from tipstaff.attribution.flow_parts import keep
    from tipstaff.attribution.intervals import joined
    from tipstaff.attribution.protocol import Joins

    begin = time.process_time()
    for start in range(0, made.height, per_batch):
        piece = made[start : start + per_batch]
        with transaction.atomic():
            keep(
                joined(piece, Joins.SESSION), source=source, load=load.pk, realm=0, inside_realm=0, error=10**6,
                covers=(BEGIN * 10**6, int(piece["since"][-1])), interim=None, at=LATER,
            )  # fmt: skip
    return time.process_time() - begin, made.height


def merge_seconds(parts_min: int = 4) -> float:
    from tipstaff.attribution.operations import merge_flows

    begin = time.process_time()
    merge_flows("bench", at=LATER, actor="bench", parts_min=parts_min)
    return round(time.process_time() - begin, 1)


def kept() -> dict:
    from tipstaff.attribution.queries import flows_kept

    line = next(k for k in flows_kept() if k.source == "bench")
    return {"parts": line.parts, "flows": line.rows, "octets": line.octets}


def look_up(flows: History, number: int) -> dict:
    """Questions about flows of any hour so far, each cold, and the same ones warm; all must name the right inside."""
    from django.conf import settings

    from tipstaff.attribution.flow_parts import parts_over
    from tipstaff.attribution.queries import bindings_covering
    from tipstaff.registry.planned import fetch_planned

    lo, port, since, end, inside = (np.concatenate(c) for c in zip(*flows.asked, strict=True))
    picks = flows.dice.choice(len(lo), number, replace=False)
    cold, warm, right, opened, cpu = [], [], 0, 0, [0.0, 0.0]
    for turn, times in enumerate((cold, warm)):
        for n in picks:
            at = int(min(since[n] + 10**6, end[n]))
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
            address = IPv4Address(int(lo[n]))
            span = {"earliest": moment - timedelta(seconds=1), "latest": moment + timedelta(seconds=1)}
            if turn == 0:
                drop(Path(settings.FLOWS_FOLDER))
            else:
                asked = parts_over(address, earliest=at - 10**6, latest=at + 10**6, realm="")
                opened += len(fetch_planned(*asked))
            begin, used = time.perf_counter(), time.process_time()
            found = bindings_covering(address, port=int(port[n]), protocol=6, **span)
            times.append(time.perf_counter() - begin)
            cpu[turn] += time.process_time() - used
            named = {int(b.inside) for b in found if b.inside is not None}
            right += turn == 1 and named == {int(inside[n])}
    assert right == number, (right, number)
    return {
        "parts_opened_mean": round(opened / number, 1), "right": right,
        "cold_ms": spread(cold), "warm_ms": spread(warm),
        "cold_and_warm_cpu_ms_mean": [round(x * 1000 / number, 2) for x in cpu],
    }  # fmt: skip


def drop(folder: Path) -> None:
    """Take the files out of the page cache (they are safe on the disk, so nothing is lost)."""
    for path in folder.iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def whole_way(kind: str, folder: Path, number: int) -> dict:
    """A log of so many records from the file on: read, joined, laid into files, committed."""
    from tipstaff.attribution.operations import take_in
    from tipstaff.attribution.protocol import Options
    from tipstaff.wiring import now, sources

    log = folder / kind
    log.write_bytes(conntrack(number) if kind == "nat-flows" else ipfix(number))
    begin, wall = time.process_time(), time.perf_counter()
    loads = list(take_in(log, sources()[kind], Options(source=kind, inside_realm="cgn"), at=now(), actor="bench"))
    cpu = time.process_time() - begin
    assert sum(x.records for x in loads) == number, loads
    octets = log.stat().st_size
    log.unlink()
    return {
        "records": number, "log_bytes_a_record": round(octets / number, 1), "cpu_seconds": round(cpu, 2),
        "records_per_cpu_second": round(number / cpu), "seconds": round(time.perf_counter() - wall, 2),
    }  # fmt: skip


def events(number: int):
    """(microseconds, outside, port, inside, port inside, whether it ended) in order of time."""
    dice = np.random.default_rng(2)
    count = number // 2
    since = BEGIN * 10**6 + np.sort(dice.integers(0, HOUR // 4, count))
    end = since + dice.integers(10**6, 120 * 10**6, count)
    n = np.arange(count)
    at, flow, over = np.concatenate([since, end]), np.tile(n, 2), np.repeat([False, True], count)
    order = np.argsort(at, kind="stable")
    flow = flow[order]
    inside = dice.integers(0, 200_000, count)
    return (
        at[order], (PUBLIC + 65536 + flow % 250).tolist(), (1024 + flow // 250 % 60_000).tolist(),
        (INSIDE + inside[flow]).tolist(), (20_000 + flow % 40_000).tolist(), over[order].tolist(),
    )  # fmt: skip


def conntrack(number: int) -> bytes:
    from tipstaff.testing.subscribers import dotted

    at, outside, port, inside, own, over = events(number)
    return "".join(
        f"[{t // 10**6}.{t % 10**6:06d}]\t{'[DESTROY] tcp      6' if gone else '    [NEW] tcp      6 120 SYN_SENT'} "
        f"src={dotted(i)} dst=203.0.113.{p % 250} sport={o} dport=443 {'' if gone else '[UNREPLIED] '}"
        f"src=203.0.113.{p % 250} dst={dotted(a)} sport=443 dport={p}{' [ASSURED]' if gone else ''}\n"
        for t, a, p, i, o, gone in zip(at.tolist(), outside, port, inside, own, over, strict=True)
    ).encode()


def ipfix(number: int) -> bytes:
    """Messages of 50 records each behind one template."""
    import struct

    fields = ((323, 8), (230, 1), (4, 1), (8, 4), (225, 4), (7, 2), (227, 2), (12, 4), (11, 2))
    at, outside, port, inside, own, over = events(number)
    kind = np.dtype([("t", ">u8"), ("e", "u1"), ("p", "u1"), ("i", ">u4"), ("o", ">u4"), ("ip", ">u2"), ("op", ">u2"),
                     ("d", ">u4"), ("dp", ">u2")])  # fmt: skip
    rows = np.zeros(number, kind)
    rows["t"], rows["e"], rows["p"] = at // 1000, np.where(over, 5, 4), 6
    rows["i"], rows["o"], rows["ip"], rows["op"] = inside, outside, own, port
    rows["d"], rows["dp"] = 0xCB007105, 443
    template = struct.pack(">HH", 300, len(fields)) + b"".join(struct.pack(">HH", *f) for f in fields)
    parts = [
        struct.pack(">HHIII", 10, 20 + len(template), 0, 0, 1) + struct.pack(">HH", 2, 4 + len(template)) + template
    ]
    for start in range(0, number, 50):
        body = rows[start : start + 50].tobytes()
        parts.append(struct.pack(">HHIII", 10, 20 + len(body), 0, 0, 1) + struct.pack(">HH", 300, 4 + len(body)) + body)
    return b"".join(parts)


def spread(times: list[float]) -> dict:
    ordered = sorted(t * 1000 for t in times)
    last = len(ordered) - 1
    return {f"p{q}": round(ordered[min(len(ordered) * q // 100, last)], 2) for q in (50, 90, 99)}


if __name__ == "__main__":
    main()
