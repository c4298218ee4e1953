"""Complaints a second on their way from SMTP to a committed case, with the real processes. Prints JSON.

    python bench/way.py [--complaints 300] [--connections 4]

Intake and worker run as they do under `tipstaff up`, on an embedded PostgreSQL with durability on, in a folder that
goes with it. A third each are feedback reports (ARF), XARF 4 documents and letters in somebody's own words; each opens
a case of its own. Letters are written and held.
"""

import argparse
import json
import os
import platform
import smtplib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.live.moving_in import CUSTOMERS, network_of  # noqa: E402 - found by the line above
from tests.live.running import Desk, clean_environment, hand_over, run_python, until  # noqa: E402 - found by the line above
from tipstaff.host.postgres import EmbeddedPostgres  # noqa: E402 - found by the line above
from tipstaff.testing.story.mail import (  # noqa: E402 - found by the line above
    arf,
    mail,
    rfc3339,
    rfc5322,
    spam_sample,
    text,
    xarf,
    xarf_evidence,
    xarf_mail,
)
from tipstaff.testing.story.reporters import Reporting  # noqa: E402 - found by the line above


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--complaints", type=int, default=300)
    arguments.add_argument("--connections", type=int, default=4)
    wanted = arguments.parse_args()
    if not 0 < wanted.complaints <= 3 * CUSTOMERS:
        arguments.error(f"--complaints is a number up to {3 * CUSTOMERS}: each opens a case of its own")
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder:
        figures = measure(Path(folder), complaints=wanted.complaints, connections=wanted.connections)
    json.dump(figures, sys.stdout, indent=2)
    print()


def measure(folder: Path, *, complaints: int, connections: int) -> dict[str, object]:
    """Send them all and wait until the last case is committed."""
    with EmbeddedPostgres(folder / "postgres") as server:
        run_python(
            "-m", "tests.live.moving_in",
            environment=clean_environment(TIPSTAFF_DATABASE_URL=server.url, TIPSTAFF_DATA=str(folder / "data")),
        )  # fmt: skip
        desk = Desk(folder, url=server.url, letters=None)
        try:
            desk.start("intake", "worker")
            desk.await_doors()
            until(lambda: desk.one("SELECT count(*) FROM procrastinate_workers"), what="the worker does not start")
            mails = list(distinct_complaints(complaints, at=datetime.now(UTC) - timedelta(minutes=5)))
            return timed(desk, server, mails, connections=connections)
        finally:
            desk.stop()


def timed(desk: Desk, server: EmbeddedPostgres, mails: Sequence[bytes], *, connections: int) -> dict[str, object]:
    before = cpu_seconds(desk, server)
    load = os.getloadavg()[0]
    start = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(lambda n: _send(desk, mails[n::connections]), range(connections)))
    acknowledged = time.monotonic() - start
    until(
        lambda: desk.one("SELECT count(*) FROM cases_caserow") >= len(mails),
        what=lambda: f"of {len(mails)} cases there are {desk.one('SELECT count(*) FROM cases_caserow')}",
        seconds=600,
    )
    committed = time.monotonic() - start
    desk.settle(seconds=600)
    answered = time.monotonic() - start
    used = {name: round(after - before[name], 2) for name, after in cpu_seconds(desk, server).items()}
    outcomes = dict(desk.ask("SELECT outcome, count(*) FROM intake_reportrow GROUP BY 1"))
    assert outcomes == {"forwarded": len(mails)}, outcomes
    total = sum(used.values())
    return {
        "benchmark": "way",
        "command": f"python bench/way.py --complaints {len(mails)} --connections {connections}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release(),
            "load_before": round(load, 2),
        },
        "complaints": len(mails),
        "connections": connections,
        "octets": sum(map(len, mails)),
        "seconds": {
            "until_all_were_acknowledged": round(acknowledged, 2),
            "until_all_cases_were_committed": round(committed, 2),
            "until_all_letters_were_written": round(answered, 2),
        },
        "complaints_per_second": {
            "acknowledged": round(len(mails) / acknowledged, 1),
            "to_committed_case": round(len(mails) / committed, 1),
        },
        "cpu_seconds": used,
        "cpu_milliseconds_per_complaint": round(1000 * total / len(mails), 1),
        "letters_held": desk.one("SELECT count(*) FROM notices_letterrow WHERE state = 'held'"),
        "peak_mib": {name: round(desk.peak_mib(name)) for name in ("intake", "worker")},
    }  # fmt: skip


def _send(desk: Desk, mails: Sequence[bytes]) -> None:
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=300) as smtp:
        smtp.ehlo()
        for raw in mails:
            hand_over(smtp, raw, sender="bench@reporter.example.org")


def cpu_seconds(desk: Desk, server: EmbeddedPostgres) -> dict[str, float]:
    """Processor time so far of each process, the database's sessions that have ended included."""
    used = {name: desk.cpu_seconds(name) for name in ("intake", "worker")}
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
    return used | {"postgresql": ticks / os.sysconf("SC_CLK_TCK")}


def distinct_complaints(count: int, *, at: datetime) -> Iterator[bytes]:
    """One after the other by kind: each customer has one of each, under three clause groups."""
    for n in range(count):
        source = str(network_of(n // 3).network_address)
        reporter = Reporting(f"Sample Watch {n}", f"watch-{n}@reporter.example.org")
        kind = (_feedback, _document, _words)[n % 3]
        yield kind(source, reporter, n, at)


def _feedback(source: str, reporter: Reporting, n: int, at: datetime) -> bytes:
    sample = spam_sample(
        source=source, helo=f"host-{n}.customer.example.com", received_by="mx.reporter.example.org", at=at,
        sender="prizes@sender.example.com", to="someone@reporter.example.org", subject="You have won", body="Answer.",
    )  # fmt: skip
    fields = {
        "Feedback-Type": "abuse", "User-Agent": "SampleFBL/1", "Version": "1", "Source-IP": source,
        "Arrival-Date": rfc5322(at),
    }  # fmt: skip
    return mail(
        arf(fields, sample=sample, words=f"A report about mail from {source}."),
        sender=reporter,
        subject=f"FW: {n}",
        at=at,
    )


def _document(source: str, reporter: Reporting, n: int, at: datetime) -> bytes:
    log = "".join(
        f"{rfc3339(at)} sshd[{i}]: Failed password for root from {source} port {40_000 + i}\n" for i in range(20)
    )
    document = xarf(
        "connection/login_attack", version="4.2.0", reporter=reporter, at=at, source=source, source_port=40_000,
        destination_ip="203.0.113.80", destination_port=22, protocol="tcp", first_seen=rfc3339(at),
        evidence_source="honeypot", evidence=xarf_evidence(log.encode(), content_type="text/plain", description="Log"),
    )  # fmt: skip
    return mail(xarf_mail(document, words="See the attached report."), sender=reporter, subject=f"Report {n}", at=at)


def _words(source: str, reporter: Reporting, n: int, at: datetime) -> bytes:
    lines = "".join(
        f"{rfc3339(at)} firewall: DROP IN=eth0 SRC={source} DST=203.0.113.{i + 1} PROTO=TCP SPT={50_000 + i} DPT=23\n"
        for i in range(20)
    )
    said = f"Hello,\n\nan address of yours scans our network for open ports:\n\n{lines}\nPlease look into it.\n"
    return mail(text(said), sender=reporter, subject=f"Port scan from {source}", at=at)


if __name__ == "__main__":
    main()
