"""The most memory that the listener takes for enormous mails, and what their sender hears. Prints one JSON object.

    python bench/large_mail.py [--megabytes 500]

The real intake process on an embedded PostgreSQL, once with the limit as it comes and once with the largest that may be
set. To each a mail of the wanted size is sent piece by piece, then the largest that the limit allows, then a small one.
The peak is read from /proc. What is answered with 250 must be kept, and nothing else.
"""

import argparse
import base64
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.live.running import ABUSE, Desk, clean_environment, run_python  # noqa: E402 - the root is in the path by now
from tipstaff.config.shape import MailIn  # noqa: E402 - as above
from tipstaff.host.postgres import EmbeddedPostgres  # noqa: E402 - as above

PIECE = b"".join(base64.b64encode(os.urandom(57)) + b"\r\n" for _ in range(4096))
"""Base64 that no compressor makes smaller than what it encodes."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=500)
    arguments.add_argument("--max-mib", type=int, action="append", help="another limit to try")
    wanted = arguments.parse_args()
    found = [measure(mib, megabytes=wanted.megabytes) for mib in wanted.max_mib or [MailIn().max_mib]]
    json.dump({"bench": "large_mail", "goal_megabytes": 300, "limits": found}, sys.stdout, indent=2)
    print()


def measure(max_mib: int, *, megabytes: int) -> dict[str, object]:
    """A listener with this limit."""
    with (
        tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as name,
        EmbeddedPostgres(Path(name) / "postgres") as server,
    ):
        folder = Path(name)
        environment = clean_environment(TIPSTAFF_DATABASE_URL=server.url, TIPSTAFF_DATA=str(folder / "data"))
        run_python("-m", "tests.live.moving_in", environment=environment)
        limits = {"max_mib": max_mib, "memory_mib": max(256, max_mib)}
        desk = Desk(folder, url=server.url, letters=None, settings={"mail_in": limits})
        try:
            desk.start("intake")
            desk.await_doors()
            pid, sent = desk.processes["intake"], []
            idle = most_memory(pid)
            for octets in (megabytes * 1_000_000, max_mib * 1024 * 1024 - 10_000, 10_000):
                start = time.monotonic()
                answer = send(desk.smtp_port, octets=octets)
                kept = desk.one(
                    "SELECT count(*) FROM intake_reportrow r JOIN ledger_evidencerow e ON e.digest = r.evidence"
                )
                sent.append(
                    {
                        "megabytes_sent": round(octets / 1e6, 2),
                        "answer": answer,
                        "mails_kept_so_far": kept,
                        "peak_megabytes_so_far": round(most_memory(pid) / 1e6, 1),
                        "seconds": round(time.monotonic() - start, 1),
                    }
                )
        finally:
            desk.stop()
    return {"max_mib": max_mib, "peak_megabytes_before": round(idle / 1e6, 1), "mails": sent}


def most_memory(pid: int) -> int:
    """The most that a process ever held, in octets."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def send(port: int, *, octets: int) -> str:
    """Send one mail of about that size; the answer to it."""
    with socket.create_connection(("127.0.0.1", port), timeout=600) as line:
        file = line.makefile("rb")

        def say(command: bytes) -> str:
            line.sendall(command)
            while (reply := file.readline())[3:4] == b"-":
                pass
            return reply.decode().strip()

        file.readline()
        to = f"RCPT TO:<{ABUSE}>".encode()
        for command in (b"EHLO x.example.org", b"MAIL FROM:<a@example.org>", to, b"DATA"):
            say(command + b"\r\n")
        head = b"From: a@example.org\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        line.sendall(head)
        sent = len(head)
        while sent < octets:
            piece = PIECE[: octets - sent + 78]
            line.sendall(piece)
            sent += len(piece)
        return say(b"\r\n.\r\n")


if __name__ == "__main__":
    main()
