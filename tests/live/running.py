"""A desk of real processes on a database of its own. Each process can be killed and started again alone.

What is awaited is asked of the database, with an end; nothing sleeps.
"""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from psycopg.conninfo import conninfo_to_dict

from tipstaff.enforcement.drivers import memory, nftables
from tipstaff.testing.mailbox import Mailbox
from tipstaff.words import Seen

ROOT = Path(__file__).parents[2]
ABUSE = "abuse@operator.example.net"
PROCESSES = ("intake", "worker", "enforcer", "web")
PATIENCE_SECONDS = 60.0
DRIVEN = ("understand", "letters", "follow", "round")
"""Jobs that a story waits for; the others come round for ever."""

T = TypeVar("T")


class NotInTime(AssertionError):
    """What was waited for did not happen."""


def until(ask: Callable[[], T], *, what: str | Callable[[], str], seconds: float = PATIENCE_SECONDS) -> T:
    """Ask again and again until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise NotInTime(what if isinstance(what, str) else what())
        select.select([], [], [], 0.02)


# Databases


def url_of(database: str) -> str:
    """The test run's own server, with another database."""
    parts = {k: str(v) for k, v in conninfo_to_dict(os.environ["TIPSTAFF_DATABASE_URL"]).items() if v is not None}
    parts.pop("dbname", None)
    return f"postgresql:///{database}?{urllib.parse.urlencode(parts)}"


def _administer(*statements: str) -> None:
    with psycopg.connect(url_of("postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]  # names are made here, not given


@contextlib.contextmanager
def database(name: str, *, template: str | None = None) -> Iterator[str]:
    """A fresh database for as long as the block lasts; its URL."""
    _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _administer(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    try:
        yield url_of(name)
    finally:
        _administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def run_python(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a module or a line of Python beside the desk and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean_environment(**more: str) -> dict[str, str]:
    """Our environment without any setting of Tipstaff's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TIPSTAFF_") and not k.startswith("PYTEST")}
    return {**kept, "PYTHONUNBUFFERED": "1", "TIPSTAFF_SERVER_FIRST_EDITION_SINCE": "2026-01-01T00:00:00Z", **more}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on. A process that is started again gets the same one back."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


# The desk


class Desk:
    """Settings, data folder, mail server for the letters, and the processes."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str,
        letters: Mailbox | None,
        device: Mapping[str, object] | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self.folder, self.url, self.letters = folder, url, letters
        self.smtp_port, self.lmtp_port, self.web_port = free_ports(3)
        self.clock = folder / "clock"
        self.clock.write_text("0")
        self.processes: dict[str, int] = {}
        """Name -> number of the process, which leads a session of its own."""
        self._forking: subprocess.Popen[str] | None = None
        self._sql: psycopg.Connection | None = None
        self._jobs: App | None = None
        self._config = folder / "tipstaff.toml"
        sections: dict[str, dict[str, object]] = {
            "server": {"data_folder": str(folder / "data")},
            "operator": {"abuse_address": ABUSE, "own_domains": [ABUSE.partition("@")[2]]},
            "web": {"port": self.web_port},
            "mail_in": {"smtp_port": self.smtp_port, "lmtp_port": self.lmtp_port},
            "mail_out": {"host": letters.host, "port": letters.port} if letters is not None else {},
            "demo": {"clock_file": str(self.clock)},
        }
        for name, values in (settings or {}).items():
            sections[name] |= values
        self._device = device or {"name": "edge1", "driver": "memory", "state_file": str(folder / "edge1.json")}
        self._config.write_text(_toml(sections, [self._device]), encoding="utf-8")

    def environment(self, name: str = "forking") -> dict[str, str]:
        """What a process of this desk runs with. Its sessions at the server carry its name."""
        return clean_environment(
            TIPSTAFF_CONFIG=str(self._config), TIPSTAFF_DATABASE_URL=self.url, TIPSTAFF_SUPERVISED="1", PGAPPNAME=name
        )

    # Processes

    def start(self, *names: str) -> None:
        """Start processes; returns at once."""
        for name in names or PROCESSES:
            assert name not in self.processes, f"{name} runs already"
            forking = self._forking or self._start_forking()
            assert forking.stdin is not None
            assert forking.stdout is not None
            print(name, self.folder / f"{name}.log", sep="\t", file=forking.stdin, flush=True)
            self.processes[name] = int(forking.stdout.readline())

    def _start_forking(self) -> "subprocess.Popen[str]":
        self._forking = subprocess.Popen(
            [sys.executable, "-m", "tests.live.forking"], env=self.environment(), cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._forking.stdout is not None
        assert self._forking.stdout.readline() == "ready\n"
        return self._forking

    def kill(self, name: str) -> None:
        """`kill -9`, and its children with it; returns when they are gone."""
        pid = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        until(lambda: not _in_group(pid), what=f"{name} does not die")

    def alive(self, name: str) -> bool:
        return name in self.processes and Path(f"/proc/{self.processes[name]}").exists()

    def stop(self) -> None:
        """The end of the test: everything goes."""
        for name in list(self.processes):
            self.kill(name)
        if self._forking is not None:
            self._forking.kill()
            self._forking.communicate()
            self._forking = None
        if self._sql is not None:
            self._sql.close()
        if self._jobs is not None:
            self._jobs.close()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def peak_mib(self, name: str) -> float:
        """The largest size that a process has had in memory (VmHWM), in MiB."""
        status = Path(f"/proc/{self.processes[name]}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None, status
        return int(found.group(1)) / 1024

    def listens(self, name: str) -> list[str]:
        """The sockets, of TCP and of Unix, on which a process or a child of it takes connections."""
        group = self.processes[name]
        held = set()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.getpgid(int(process.name)) == group:
                    held |= {os.readlink(fd) for fd in (process / "fd").iterdir()}
        found = []
        for table, column, listening, inode in (("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)):
            rows = [line.split() for line in Path(f"/proc/{group}/net/{table}").read_text().splitlines()[1:]]
            found += [" ".join(r) for r in rows if r[column] == listening and f"socket:[{r[inode]}]" in held]
        return found

    def cpu_seconds(self, name: str) -> float:
        """Processor time of a process and of its children that still run."""
        ticks = sum(int(fields[11]) + int(fields[12]) for fields in _in_group(self.processes[name]))
        return ticks / os.sysconf("SC_CLK_TCK")

    # The database

    @property
    def sql(self) -> psycopg.Connection:
        if self._sql is None or self._sql.closed:
            self._sql = psycopg.connect(self.url, autocommit=True, application_name="test")
        return self._sql

    def ask(self, question: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows that answer a question."""
        return self.sql.execute(question, values).fetchall()  # type: ignore[arg-type]  # questions are the tests' own

    def one(self, question: str, *values: object) -> Any:
        """The first value of the first row; None without one."""
        rows = self.ask(question, *values)
        return rows[0][0] if rows else None

    def look_round(self) -> None:
        """Have the worker look at deadlines now, not in up to five seconds."""
        if self._jobs is None:
            self._jobs = App(connector=SyncPsycopgConnector(conninfo=self.url))
            self._jobs.open()
        with contextlib.suppress(AlreadyEnqueued):
            self._jobs.configure_task("round", queue="clock", lock="clock", queueing_lock="round").defer(key="all")

    def settled(self) -> bool:
        """Nothing is left to do at this moment."""
        jobs = self.one(
            "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND task_name = ANY(%s)"
            " AND (scheduled_at IS NULL OR scheduled_at < now() + interval '1 hour')",
            list(DRIVEN),
        )
        letters = self.one(
            "SELECT count(*) FROM notices_letterrow WHERE state IN ('sending', 'handing_over') "
            "OR (state = 'queued' AND due_at <= %s)",
            self.now(),
        )
        return jobs == 0 and letters == 0

    def settle(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it is settled, twice in a row: a job that ends may have asked for another."""
        until(
            lambda: self.settled() and self.settled(),
            what=lambda: f"it does not settle: {self.ask('SELECT task_name, status, args FROM procrastinate_jobs')}",
            seconds=seconds,
        )

    # The device

    def held(self) -> frozenset[str]:
        """Keys of the measures that the device itself shows, asked beside the enforcer."""
        options = {k: v for k, v in self._device.items() if k not in ("name", "driver")}
        make = {"memory": memory.make, "nftables": nftables.make}[str(self._device["driver"])]
        seen = make(str(self._device["name"]), options).observe(at=self.now())
        assert seen.complete, seen.detail
        return frozenset(key for key, how in seen.rules if how is not Seen.ABSENT)

    # The clock

    def now(self) -> datetime:
        """The desk's own time."""
        real: datetime = self.one("SELECT clock_timestamp()")
        return real + timedelta(seconds=float(self.clock.read_text() or 0))

    def set_clock(self, to: datetime) -> None:
        """Let time pass until `to`; never back."""
        real: datetime = self.one("SELECT clock_timestamp()")
        ahead = max((to - real).total_seconds(), float(self.clock.read_text() or 0))
        part = self.clock.with_suffix(".part")
        part.write_text(str(ahead))
        part.replace(self.clock)

    # The outside

    def answers_mail(self) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=5) as smtp:
                return smtp.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def answers_http(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def await_doors(self) -> None:
        """Wait until mail is taken and pages are served, where those processes run."""
        if "intake" in self.processes:
            until(self.answers_mail, what=lambda: f"no mail is taken: {self.log('intake')}")
        if "web" in self.processes:
            until(self.answers_http, what=lambda: f"no page is served: {self.log('web')}")

    def send(self, raw: bytes, *, sender: str = "reports@reporter.example.org", lmtp: bool = False) -> str:
        """Send a mail as a server does: without its 250 it is sent again. Returns the words after the 250."""
        words = ""

        def taken() -> bool:
            nonlocal words
            client, port = (smtplib.LMTP, self.lmtp_port) if lmtp else (smtplib.SMTP, self.smtp_port)
            try:
                with client("127.0.0.1", port, timeout=60) as smtp:
                    smtp.ehlo_or_helo_if_needed()
                    words = hand_over(smtp, raw, sender=sender)
                    return True
            except smtplib.SMTPResponseException as why:
                if why.smtp_code >= 500:
                    raise
                return False
            except (OSError, smtplib.SMTPException):
                return False

        until(taken, what=lambda: f"the mail was not taken: {self.log('intake')[-2000:]}")
        return words

    def answer(self, link: str, *, answer: str, words: str) -> int:
        """Send the portal's form as a customer does: who gets no page sends it again. Returns the page's status."""
        form = urllib.parse.urlencode({"answer": answer, "words": words}).encode()
        status = 0

        def shown() -> bool:
            nonlocal status
            try:
                with urllib.request.urlopen(link, data=form, timeout=60) as page:
                    status = page.status
            except urllib.error.HTTPError as why:
                status = why.code
            except (OSError, http.client.HTTPException):
                return False
            return status < 500

        until(shown, what="the portal does not answer")
        return status


def _in_group(group: int) -> list[list[str]]:
    """What proc(5) says, from the third field on, of each living process of a group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(fields)
    return found


def hand_over(smtp: smtplib.SMTP, raw: bytes, *, sender: str) -> str:
    """One mail over an open line, its octets as they are; the words of the 250."""
    code, words = smtp.mail(sender, [f"size={len(raw)}"])
    if code == 250:
        code, words = smtp.rcpt(ABUSE)
    if code == 250:
        code, words = smtp.docmd("DATA")
    if code == 354:
        smtp.send(wire_form(raw))
        code, words = smtp.getreply()
    if code != 250:
        raise smtplib.SMTPResponseException(code, words)
    return words.decode()


def wire_form(raw: bytes) -> bytes:
    """With dots doubled and the end marked (RFC 5321, 4.5.2); line ends are not repaired."""
    doubled = re.sub(rb"(^|\r\n)\.", rb"\1..", raw)
    return doubled + (b".\r\n" if doubled.endswith(b"\r\n") else b"\r\n.\r\n")


def _toml(sections: Mapping[str, Mapping[str, object]], devices: Sequence[Mapping[str, object]]) -> str:
    lines: list[str] = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    for device in devices:
        lines += ["[[devices]]", *(f"{key} = {json.dumps(value)}" for key, value in device.items()), ""]
    return "\n".join(lines)


# Stops: where a process is held in the middle of a step, so that it can be killed just there

_STOP_LOCK = 5150

_STOPS = f"""
CREATE TABLE test_stop (what text, nth int, after bigint, at_commit boolean);
CREATE TABLE test_step (what text, xact xid8, actor text, entry bigint);
CREATE FUNCTION test_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_WHEN = 'BEFORE' THEN
    INSERT INTO test_step VALUES (NEW.what, pg_current_xact_id(), current_setting('application_name'), NEW.id);
  END IF;
  IF EXISTS (SELECT 1 FROM test_stop s WHERE s.what = NEW.what AND s.at_commit = (TG_WHEN = 'AFTER')
      AND (SELECT count(*) FROM ledger_entry e WHERE e.what = NEW.what AND e.id > s.after AND e.id < NEW.id) = s.nth)
  THEN
    PERFORM pg_advisory_xact_lock({_STOP_LOCK});
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER test_stop BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION test_stop();
CREATE CONSTRAINT TRIGGER test_stop_at_commit AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION test_stop();
"""
# A trigger in the test's own database: the product has no hook. BEFORE INSERT holds the process with the step not
# yet written, and the kill takes all of its transaction back; the deferred one holds it within COMMIT, and the kill
# leaves the step on record with nobody who knows.


def install_stops(desk: Desk) -> None:
    desk.sql.execute(_STOPS)  # type: ignore[call-overload]  # the text above


class Killer:
    """Holds whoever comes to one step, kills it there, and starts it again."""

    def __init__(self, desk: Desk, *, what: str, nth: int, at_commit: bool, session_only: bool = False) -> None:
        """With `session_only` the process lives on, and PostgreSQL ends the session that it works on."""
        self._desk, self._step, self._session_only = desk, (what, nth, at_commit), session_only
        self.killed = ""
        self.in_hand: frozenset[str] = frozenset()
        """Keys of the letters that a killed worker was handing over."""
        self._failure: BaseException | None = None
        self._done = threading.Event()
        self._armed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer", daemon=True)

    def __enter__(self) -> "Killer":
        self._thread.start()
        self._armed.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, kind: object, why: object, at: object) -> None:
        self._done.set()
        self._thread.join()
        if self._failure is not None and kind is None:
            raise self._failure

    def _run(self) -> None:
        try:
            with psycopg.connect(self._desk.url, autocommit=True, application_name="killer") as sql:
                self._hold(sql)
        except BaseException as why:  # noqa: BLE001 - a thread's door: raised again in the test
            self._failure = why
        finally:
            self._armed.set()

    def _hold(self, sql: psycopg.Connection) -> None:
        what, nth, at_commit = self._step
        sql.execute("SELECT pg_advisory_lock(%s)", [_STOP_LOCK])
        sql.execute(
            "INSERT INTO test_stop SELECT %s, %s, coalesce(max(id), 0), %s FROM ledger_entry", [what, nth, at_commit]
        )
        self._armed.set()
        held = None
        while held is None and not self._done.is_set():
            held = sql.execute(
                "SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
                " WHERE l.locktype = 'advisory' AND NOT l.granted AND l.objid = %s AND a.datname = current_database()",
                [_STOP_LOCK],
            ).fetchone()
            if held is None:
                select.select([], [], [], 0.01)
        if held is not None and self._session_only:
            sql.execute("SELECT pg_terminate_backend(%s)", [held[0]])
        elif held is not None:
            self._desk.kill(held[1])
        sql.execute("DELETE FROM test_stop")
        sql.execute("SELECT pg_advisory_unlock(%s)", [_STOP_LOCK])
        if held is not None:
            # PostgreSQL finds by itself that its client is gone, and takes back what was not committed.
            until(
                lambda: not sql.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [held[0]]).fetchone(),
                what=f"the session of the killed {held[1]} stays",
            )
            if not self._session_only:
                if held[1] == "worker":
                    rows = sql.execute("SELECT key FROM notices_letterrow WHERE state = 'handing_over'").fetchall()
                    self.in_hand = frozenset(key for (key,) in rows)
                self._desk.start(held[1])
            self.killed = held[1]
