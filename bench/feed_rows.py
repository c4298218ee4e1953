"""What a feed's row costs on its way to a committed, attributed, judged and grouped allegation. Prints JSON.

    python bench/feed_rows.py [--rows 500]

One process on an embedded PostgreSQL with durability on, a hundred customers with an address each. The report is a CSV
as Shadowserver sends it. Processor time is that of this process and of the database's sessions.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.live.moving_in import CUSTOMERS, network_of  # noqa: E402 - found by the line above
from tests.live.moving_in import main as move_in  # noqa: E402 - as above
from tipstaff.host.postgres import EmbeddedPostgres  # noqa: E402


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rows", type=int, default=500)
    wanted = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "pg") as server,
    ):
        os.environ["TIPSTAFF_DATABASE_URL"], os.environ["TIPSTAFF_DATA"] = server.url, folder
        move_in()
        json.dump(measure(server, rows=wanted.rows), sys.stdout, indent=2)
        print()


def measure(server: EmbeddedPostgres, *, rows: int) -> dict[str, object]:
    """Read and decide one report of so many rows."""
    from django.db import connection

    from tipstaff import wiring
    from tipstaff.intake.protocol import load_parsers
    from tipstaff.intake.reading import read
    from tipstaff.procedures import complaint
    from tipstaff.words import Channel

    at = datetime.now(UTC)
    raw = feed(rows, at=at)
    start = time.process_time()
    reading = read(raw, parsers=load_parsers())
    read_seconds = time.process_time() - start
    assert len(reading.allegations) == rows, reading.detail
    desk = dataclasses.replace(wiring.desk(), enqueue=lambda job, key: None)
    key = complaint.accept(raw, sender="feed@example.org", recipients=(), channel=Channel.FEED, desk=desk, at=at)
    before, start = database_seconds(server), time.process_time()
    complaint.understand(key, desk=desk, at=at)
    own = time.process_time() - start
    with connection.cursor() as cursor:
        cursor.execute('SELECT count(*), count(*) FILTER (WHERE "case" IS NOT NULL) FROM intake_incidentrow')
        incidents, joined = cursor.fetchone() or (0, 0)

    database = database_seconds(server) - before
    assert incidents == rows
    return {
        "bench": "feed_rows",
        "rows": rows,
        "rows_in_a_case": joined,
        "rows_read_per_cpu_second": round(rows / read_seconds),
        "cpu_milliseconds_per_row": {
            "this_process": round(1000 * own / rows, 2),
            "database": round(1000 * database / rows, 2),
        },
        "rows_decided_per_cpu_second": round(rows / (own + database), 1),
    }


def feed(rows: int, *, at: datetime) -> bytes:
    """A mail with a report of so many rows, over all customers in turn."""
    lines = ['"timestamp","ip","protocol","port","hostname","tag","asn","geo"']
    for n in range(rows):
        when = (at - timedelta(hours=5, seconds=n)).strftime("%Y-%m-%d %H:%M:%S")
        address = network_of(n % CUSTOMERS).network_address
        lines.append(f'"{when}","{address}","tcp",{1024 + n % 60000},"","rdp",64500,"ZZ"')
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Reports <reports@example.org>", "Report"
    mail.set_content("The report follows.\n")
    content = "\n".join(lines).encode()
    mail.add_attachment(content, maintype="text", subtype="csv", filename="2026-03-10-scan_rdp-example-asn.csv")
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
