"""What a feed's row costs on its way to a committed, attributed, judged and grouped allegation. Prints JSON.

    python bench/feed_rows.py [--rows 10000] [--intelmq DIR]

One process on an embedded PostgreSQL with durability on, a hundred customers with an address each. The report is a CSV
as Shadowserver sends it. Processor time is that of this process and of all of the database's. With --intelmq the same
rows go through IntelMQ afterwards, in the same run.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.live.moving_in import CUSTOMERS, network_of  # noqa: E402 - found by the line above
from tests.live.moving_in import main as move_in  # noqa: E402 - as above
from tipstaff.host.memory import collect_rarely  # noqa: E402 - as above
from tipstaff.host.postgres import EmbeddedPostgres  # noqa: E402 - as above

if TYPE_CHECKING:
    from tipstaff.procedures.desk import Desk  # Known at run time only once Django runs.


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rows", type=int, default=10_000)
    arguments.add_argument("--intelmq", type=Path, help="a virtual environment that has IntelMQ; see bench/_intelmq.py")
    wanted = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "pg") as server,
    ):
        os.environ["TIPSTAFF_DATABASE_URL"], os.environ["TIPSTAFF_DATA"] = server.url, folder
        move_in()
        found = measure(server, rows=wanted.rows)
    peer = beside(wanted.intelmq, rows=wanted.rows, rounds=3)
    found["intelmq"] = peer
    if "missing" not in peer:
        for stage in ("until_grouped", "until_told"):
            ratio = found[stage]["rows_per_cpu_second"] / peer["rows_per_cpu_second"]
            found[f"times_intelmq_{stage}"] = round(ratio, 2)
    json.dump(found, sys.stdout, indent=2)
    print()


def measure(server: EmbeddedPostgres, *, rows: int) -> dict[str, Any]:
    """Take in, read, decide and answer one report of so many rows."""
    from django.db import connection

    from tipstaff import wiring
    from tipstaff.intake.reading import read
    from tipstaff.procedures import complaint

    collect_rarely()  # As the worker does before its first job.
    at = datetime.now(UTC)
    raw = mail_with(csv_of(rows, at=at))
    desk = dataclasses.replace(wiring.desk(), enqueue=lambda job, key: None)
    # What is loaded once in a process, such as the reader's models, is loaded before.
    warm_up = mail_with(csv_of(1, at=at - timedelta(days=300)))
    complaint.understand(_accepted(warm_up, desk=desk, at=at), desk=desk, at=at)
    start = time.process_time()
    reading = read(raw, parsers=desk.parsers)
    read_seconds = time.process_time() - start
    assert len(reading.allegations) == rows, reading.detail

    spent: dict[str, tuple[float, float]] = {}
    group = complaint.group

    def grouped(*given: Any, **named: Any) -> None:
        group(*given, **named)
        spent["grouped"] = (time.process_time() - start, database_seconds(server) - before)

    before, start = database_seconds(server), time.process_time()
    complaint.group = grouped
    key = _accepted(raw, desk=desk, at=at)
    complaint.understand(key, desk=desk, at=at)
    spent["told"] = (time.process_time() - start, database_seconds(server) - before)
    complaint.group = group
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT count(*), count(*) FILTER (WHERE "case" IS NOT NULL), count(DISTINCT "case") '
            "FROM intake_incidentrow i JOIN intake_reportrow r ON r.id = i.report_id WHERE r.key = %s",
            [key],
        )
        incidents, joined, cases = cursor.fetchone() or (0, 0, 0)
        cursor.execute("SELECT count(*) FROM notices_letterrow WHERE kind = 'notice'")
        (letters,) = cursor.fetchone() or (0,)
    assert incidents == rows
    return {
        "bench": "feed_rows",
        "rows": rows,
        "rows_in_a_case": joined,
        "cases": cases,
        "letters_to_customers": letters,
        "rows_read_per_cpu_second": round(rows / read_seconds),
        "until_grouped": {
            "what": "taken in, read, attributed, judged and grouped into cases, all committed",
            **figures(*spent["grouped"], rows=rows),
        },
        "until_told": {
            "what": "the same, and alarms looked for, a letter to each customer written, the answer decided",
            **figures(*spent["told"], rows=rows),
        },
    }


def figures(own: float, database: float, *, rows: int) -> dict[str, float]:
    """Processor time of this process and of the database's."""
    return {
        "cpu_ms_per_row": round(1000 * (own + database) / rows, 3),
        "of_which_database": round(1000 * database / rows, 3),
        "rows_per_cpu_second": round(rows / (own + database)),
    }


def beside(environment: Path | None, *, rows: int, rounds: int) -> dict[str, object]:
    """IntelMQ on the same rows: each round with addresses that it has not seen, so that it drops none."""
    from _intelmq import PeerMissing, intelmq

    at = datetime.now(UTC)
    try:
        with intelmq(environment) as pipeline:
            pipeline.take(csv_of(100, at=at - timedelta(days=1)), rows=100, name=f"2026-03-10-{REPORT}")
            found = [
                pipeline.take(csv_of(rows, at=at + timedelta(hours=n)), rows=rows, name=f"2026-03-{11 + n}-{REPORT}")
                for n in range(rounds)
            ]
    except PeerMissing as why:
        return {"missing": str(why)[:400]}
    cpu = [x["bots_cpu_seconds"] + x["redis_cpu_seconds"] for x in found]
    return {
        "what": "file, Shadowserver parser, deduplicator, taxonomy, file; nothing durable, nobody attributed",
        "rows": rows,
        "cpu_ms_per_row": [round(1000 * x / rows, 3) for x in cpu],
        "of_which_redis": [round(1000 * x["redis_cpu_seconds"] / rows, 3) for x in found],
        "rows_per_wall_second": [round(rows / x["wall_seconds"]) for x in found],
        "rows_per_cpu_second": round(rows / sorted(cpu)[len(cpu) // 2]),
    }


def _accepted(raw: bytes, *, desk: "Desk", at: datetime) -> str:
    from tipstaff.procedures import complaint
    from tipstaff.words import Channel

    return complaint.accept(raw, sender="feed@example.org", recipients=(), channel=Channel.FEED, desk=desk, at=at)


def csv_of(rows: int, *, at: datetime) -> bytes:
    """A report of so many rows, over all customers in turn, each at its own second and port."""
    lines = ['"timestamp","ip","protocol","port","hostname","tag","asn","geo"']
    for n in range(rows):
        when = (at - timedelta(hours=5, seconds=n)).strftime("%Y-%m-%d %H:%M:%S")
        address = network_of(n % CUSTOMERS).network_address
        lines.append(f'"{when}","{address}","tcp",{1024 + n % 60000},"","smb",64500,"ZZ"')
    return ("\n".join(lines) + "\n").encode()


REPORT = "test_smb-example-asn"
"""A report's name that both know: IntelMQ has its columns in the schema that it ships for tests."""


def mail_with(csv: bytes) -> bytes:
    """The report as the publisher mails it."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Reports <reports@example.org>", "Report"
    mail.set_content("The report follows.\n")
    mail.add_attachment(csv, maintype="text", subtype="csv", filename=f"2026-03-10-{REPORT}.csv")
    return mail.as_bytes()


def database_seconds(server: EmbeddedPostgres) -> float:
    """Processor time so far of the database, sessions that have ended included."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == server.pid:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server.pid:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
