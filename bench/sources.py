"""How fast logs become bindings: RADIUS accounting and Kea leases into intervals, and on into PostgreSQL.

    python bench/sources.py [RECORDS] [--no-database]

One core: Polars is given one thread. Processor seconds are this process's; the server's are told beside them.
"""

import argparse
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=int, nargs="?", default=5_000_000)
    parser.add_argument("--no-database", action="store_true")
    options = parser.parse_args()
    from _database import database

    with database() as folder:
        found = {
            "command": " ".join(["python", *sys.argv]),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "records": options.records,
        }
        for kind, write in (("kea-memfile", kea), ("radius-csv", radius), ("radius-detail", detail)):
            number = options.records
            log = folder / kind
            with log.open("wb") as file:
                write(file, number)
            found[kind] = measure(kind, log, number, into_database=not options.no_database)
            log.unlink()
        found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(found, indent=1))


def measure(kind: str, log: Path, number: int, *, into_database: bool) -> dict:
    import polars as pl

    from tipstaff.attribution.intervals import Clock, bindings, joined
    from tipstaff.attribution.operations import stretches
    from tipstaff.attribution.protocol import Options, Stretch
    from tipstaff.wiring import now, sources

    source, options = sources()[kind], Options(source=kind)
    begin = time.process_time()
    parts, restarts, place, count = [], [], 0, 0
    with log.open("rb") as file:
        header = file.readline() if source.has_header else b""
        place = len(header)
        for data in stretches(file, source, place):
            parsed = source.read(Stretch(data, place, header), options)
            place += len(data)
            parts.append(joined(parsed.records, source.joins))
            count += parsed.count
            if parsed.restarts is not None:
                restarts.append(parsed.restarts)
    records = joined(pl.concat(parts), source.joins)
    ended = pl.concat(restarts) if restarts else None
    found = bindings(records, source.joins, clock=Clock(error=10**6), restarts=ended, covers_until=None)
    cpu = time.process_time() - begin
    assert count == number, (count, number)
    told = {
        "records": number, "bytes": log.stat().st_size, "bindings": found.height,
        "into_intervals_cpu_seconds": round(cpu, 2),
        "records_per_cpu_second": round(number / cpu),
    }  # fmt: skip
    del parts, records, found
    if into_database:
        from django.db import connection

        from tipstaff.attribution.operations import take_in

        server = server_seconds()
        begin, wall = time.process_time(), time.perf_counter()
        loads = list(take_in(log, source, options, at=now(), actor="bench"))
        told["whole_import_cpu_seconds"] = round(time.process_time() - begin, 2)
        told["whole_import_server_cpu_seconds"] = round(server_seconds() - server, 2)
        told["whole_import_seconds"] = round(time.perf_counter() - wall, 2)
        assert (sum(x.records for x in loads), sum(x.bindings for x in loads)) == (number, told["bindings"]), loads
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE attribution_bindingrow")
    return told


def server_seconds() -> float:
    """Processor time of this connection's server process."""
    from django.db import connection

    connection.ensure_connection()
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def kea(file, number: int) -> None:
    """Leases of an hour on a tenth as many addresses, renewed now and then."""
    dice = np.random.default_rng(1)
    file.write(
        b"address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"
    )
    for start in range(0, number, 200_000):
        count = min(200_000, number - start)
        address = dice.integers(0, number // 10, count)
        at = 1_772_323_200 + (start + np.arange(count)) * 259_200 // number
        file.write("".join(
            f"10.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255},"
            f"02:00:00:{a >> 16 & 255:02x}:{a >> 8 & 255:02x}:{a & 255:02x},01:02:00:00:00:00:01,"
            f"43200,{t + 43200},1,0,0,host-{a},0,,0\n"
            for a, t in zip(address.tolist(), at.tolist(), strict=True)
        ).encode())  # fmt: skip


def accounting(number: int):
    """Start, three interims and Stop of a fifth as many sessions, in order of time."""
    dice = np.random.default_rng(1)
    sessions = number // 5
    begin = 1_772_323_200 + np.arange(sessions) * 259_200 // sessions
    length = dice.integers(3600, 6 * 3600, sessions)
    session = np.repeat(np.arange(sessions), 5)
    step = np.tile(np.arange(5), sessions)
    at = begin[session] + length[session] * step // 4
    order = np.argsort(at, kind="stable")
    for start in range(0, len(order), 200_000):
        places = order[start : start + 200_000]
        passed = (at - begin[session])[places].tolist()
        yield zip(session[places].tolist(), step[places].tolist(), at[places].tolist(), passed, strict=True)


KINDS = ("Start", "Interim-Update", "Interim-Update", "Interim-Update", "Stop")


def radius(file, number: int) -> None:
    file.write(
        b"timestamp,acct_status_type,user_name,nas_ip_address,acct_session_id,framed_ip_address,acct_session_time\n"
    )
    users = number // 10
    for lot in accounting(number):
        file.write("".join(
            f"{t},{KINDS[k]},user{s % users:07d},192.0.2.{s % 250},{s & 0xFFFFF:05X},"
            f"10.{s % users >> 16 & 255}.{s % users >> 8 & 255}.{s % users & 255},{passed}\n"
            for s, k, t, passed in lot
        ).encode())  # fmt: skip


def detail(file, number: int) -> None:
    users = number // 10
    for lot in accounting(number):
        file.write("".join(
            f"Tue Mar 10 12:00:00 2026\n\tAcct-Status-Type = {KINDS[k]}\n\tUser-Name = \"user{s % users:07d}\"\n"
            f"\tNAS-IP-Address = 192.0.2.{s % 250}\n\tNAS-Port = {s % 4096}\n\tService-Type = Framed-User\n"
            f"\tFramed-Protocol = PPP\n\tAcct-Session-Id = \"{s & 0xFFFFF:05X}\"\n"
            f"\tFramed-IP-Address = 10.{s % users >> 16 & 255}.{s % users >> 8 & 255}.{s % users & 255}\n"
            f"\tAcct-Session-Time = {passed}\n\tAcct-Delay-Time = 0\n\tTimestamp = {t}\n\n"
            for s, k, t, passed in lot
        ).encode())  # fmt: skip


if __name__ == "__main__":
    main()
