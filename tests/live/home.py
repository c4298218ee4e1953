"""A data folder with the commands that a person runs on it, each a process of its own."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.live.running import ROOT, free_ports
from tipstaff.cli.waiting import answers_http, wait_until

NOW = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - real processes run on the real clock
TIPSTAFF = [sys.executable, "-m", "tipstaff"]
HELD = "192.0.2.10"
"""An address of a customer in the example."""
EXAMPLE = ROOT / "docs" / "operate" / "example"


class Home:
    """A data folder, ports, and the environment of whoever runs Tipstaff on them."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = folder
        self.web, self.smtp, self.lmtp = free_ports(3)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIPSTAFF_", "DJANGO_"))}
        self.environment = kept | {
            "TIPSTAFF_DATA": str(folder),
            "TIPSTAFF_WEB_PORT": str(self.web),
            "TIPSTAFF_MAIL_IN_SMTP_PORT": str(self.smtp),
            "TIPSTAFF_MAIL_IN_LMTP_PORT": str(self.lmtp),
            "TIPSTAFF_SERVER_FIRST_EDITION_SINCE": "2026-01-01T00:00:00Z",
            **environment,
        }

    def run(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*TIPSTAFF, *words], env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def up(self) -> "Iterator[subprocess.Popen[str]]":
        """`tipstaff up` in a terminal of its own, once mail and pages are served; Ctrl-C at the end of the block."""
        process = subprocess.Popen(
            [*TIPSTAFF, "up"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert answers_http(f"http://127.0.0.1:{self.web}/health", seconds=120)
            assert wait_until(self.takes_mail, seconds=60)
            yield process
        finally:
            if process.poll() is None:
                press_ctrl_c(process)
            process.communicate(timeout=60)

    def takes_mail(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.smtp), timeout=1):
                return True
        except OSError:
            return False

    def complain(self, subject: str, *, about: str = HELD) -> str:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail("ana@reporter.example.org")
            smtp.rcpt("abuse@operator.example.net")
            code, reply = smtp.data(
                f"From: ana@reporter.example.org\r\nTo: abuse@operator.example.net\r\nSubject: {subject}\r\n"
                f"Message-ID: <{subject.replace(' ', '-')}@reporter.example.org>\r\n\r\n"
                f"{NOW} sshd: Failed password for root from {about} port 40123\r\n"
            )
        assert code == 250, reply
        return reply.decode().split()[-1].rstrip(".")

    def open_case(self) -> tuple[str, str]:
        """Move the example's customers in and complain about one of them; report and case, once letters are written."""
        self.run("registry", "import", *map(str, sorted(EXAMPLE.glob("*.csv"))))
        with self.up():
            report = self.complain("about a customer")
            assert wait_until(lambda: "notice" in self.letter_kinds(), seconds=60), self.run("trace", report).stdout
        traced = [json.loads(line) for line in self.run("trace", report, "--json").stdout.splitlines()]
        [case] = {key for entry in traced for key in entry["about"] if key.startswith("C-")}
        return report, case

    def letter_kinds(self) -> set[str]:
        listed = self.run("letters", "list", "--json").stdout
        return {json.loads(line)["kind"] for line in listed.splitlines()}

    def contents(self) -> dict[str, str]:
        """Of every table of ours a digest of its rows, and the record's head."""
        head = json.loads(self.run("verify", "--json").stdout)  # First: it gives every entry its place in the chain.
        assert head["whole"]
        asked = subprocess.run(
            [sys.executable, "-c", _CONTENTS], env=self.environment, capture_output=True, text=True, check=False
        )
        assert asked.returncode == 0, asked.stderr
        found: dict[str, str] = json.loads(asked.stdout.splitlines()[-1])
        return found | {"head": head["head"], "entries": str(head["entries"])}


KEPT = (
    "cases_caserow", "intake_incidentrow", "intake_reportrow", "ledger_entry", "ledger_evidencerow", "ledger_link",
    "notices_letterrow", "registry_customerrow",
)  # fmt: skip
"""What a backup is for: tables that `Home.open_case` has written to."""

_CONTENTS = """
import json
from tipstaff.cli.base import database
with database():
    from django.db import connection
    found = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if table.startswith(("procrastinate_", "django_")):
                continue  # What runs now, not what happened.
            cursor.execute(f"SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {table} t")
            found[table] = " rows, ".join(map(str, cursor.fetchone()))
    print(json.dumps(found))
"""


def press_ctrl_c(process: "subprocess.Popen[str]") -> None:
    """As a terminal does: SIGINT to everything that runs in the foreground."""
    os.killpg(process.pid, signal.SIGINT)


def family(pid: int) -> dict[int, str]:
    """A process and all that it started, by number, each with its command line."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(stat.parent.name)] = int(fields[1])
    found, new = {pid}, {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return {each: _command_line(each) for each in found if each in parents}


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
