"""The most memory that the mailbox takes for one enormous mail, and what the sender hears. Prints one JSON object.

    python bench/large_mail.py [--megabytes 500]

A server of its own is started, the mail is sent to it piece by piece, and its peak is read from /proc. The mail is
larger than [mail_in] max_mib, so it is answered with 552 and nothing of it is kept; a small mail after it is taken.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVER = "tests.rooms.intake.channels.serving"
PIECE = (b"QUJD" * 19 + b"\r\n") * 4096


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=500)
    wanted = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", SERVER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdin is not None
        port = int(server.stdout.readline().split()[0])
        start = time.monotonic()
        large, sent = send(port, octets=wanted.megabytes * 1_000_000)
        seconds = time.monotonic() - start
        small, _ = send(port, octets=10_000)
        server.stdin.write("rss\n")
        server.stdin.flush()
        peak = int(server.stdout.readline())
        server.stdin.write("end\n")
        server.stdin.close()
        server.wait(60)
        kept = len(list(Path(folder).iterdir()))
    json.dump(
        {
            "bench": "large_mail",
            "megabytes_sent": round(sent / 1e6),
            "answer": large,
            "answer_to_a_small_mail_after_it": small[:3],
            "mails_kept": kept,
            "peak_megabytes": round(peak / 1e6, 1),
            "goal_megabytes": 300,
            "seconds": round(seconds, 1),
        },
        sys.stdout,
        indent=2,
    )
    print()


def send(port: int, *, octets: int) -> tuple[str, int]:
    """Send one mail of that size; the answer to it and how much was sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=600) as line:
        file = line.makefile("rb")

        def say(command: bytes) -> str:
            line.sendall(command)
            while (reply := file.readline())[3:4] == b"-":
                pass
            return reply.decode().strip()

        file.readline()
        for command in (b"EHLO x.example.org", b"MAIL FROM:<a@example.org>", b"RCPT TO:<abuse@example.net>", b"DATA"):
            say(command + b"\r\n")
        head = b"From: a@example.org\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        line.sendall(head)
        sent = len(head)
        while sent < octets:
            piece = PIECE[: octets - sent + 78]
            line.sendall(piece)
            sent += len(piece)
        return say(b"\r\n.\r\n"), sent


if __name__ == "__main__":
    main()
