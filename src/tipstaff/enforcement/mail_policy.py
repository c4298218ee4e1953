"""What Postfix asks before it takes a mail: a small server of its own that knows a file of rows and nothing else.

It speaks Postfix's policy delegation protocol (SMTPD_POLICY_README). It reads the rows that the `postfix` driver
writes, at the next question after each change, and notes which mails it has held. It has no database and no secret.
"""

import asyncio
import contextlib
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

from tipstaff.enforcement.kept import line_of, read_line
from tipstaff.words import Degree, Rule

HOUR = 3600.0
NEVER = 9_999_999_999
ASK_STATUS = "tipstaff_status"
"""The driver asks with this `request`; Postfix itself always asks with `smtpd_access_policy`."""
_LINE_OCTETS_MAX = 8192
_LINES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A rule, and when it ends by the clock of the machine that the server runs on: seconds since 1970."""

    rule: Rule
    ends: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What the file says."""

    generation: int = 0
    rows: Mapping[str, Row] = field(default_factory=dict)
    """Measure -> row."""
    foreign: tuple[str, ...] = ()
    """Lines that are none of ours; nobody is stopped by them."""
    says: str = ""
    per_hour: int = 30
    digest: str = ""
    exists: bool = False


def render(
    *, generation: int, rows: Iterable[Row], foreign: Iterable[str], says: str, per_hour: int
) -> bytes:  # fmt: skip
    """The file: a line about all, then a line for each measure."""
    head = json.dumps({"tipstaff": 1, "generation": generation, "says": says, "per_hour": per_hour})
    lines = [head]
    lines += [line_of(row.rule, ends=row.ends) for row in sorted(rows, key=lambda r: r.rule.measure)]
    return "\n".join([*lines, *foreign, ""]).encode()


def read(text: bytes) -> Rows:
    """Read the file; raise ValueError for one that is not ours."""
    first, *lines = text.decode(errors="surrogateescape").split("\n")
    head = json.loads(first)
    if not isinstance(head, dict) or head.get("tipstaff") != 1:
        raise ValueError("its first line is not ours")
    rows: dict[str, Row] = {}
    foreign = []
    for line in lines:
        if not line:
            continue
        try:
            rule, kept = read_line(line)
            rows[rule.measure] = Row(rule=rule, ends=int(kept["ends"]), fingerprint=kept["fingerprint"])
        except (ValueError, KeyError, TypeError):
            foreign.append(line)
    return Rows(
        generation=int(head["generation"]), rows=rows, foreign=tuple(foreign), says=str(head["says"]),
        per_hour=int(head["per_hour"]), digest=hashlib.sha256(text).hexdigest()[:24], exists=True,
    )  # fmt: skip


def identity(asked: Mapping[str, str], *, own: Iterable[IPv4Network | IPv6Network], login_domain: str) -> str:
    """Whose mail it is: the log-in's, or, from an address of our own without one, the sender's; "" for nobody's.

    A sender's address is written by whoever sends: from elsewhere it names nobody, and where there is a log-in, that
    counts.
    """
    login = asked.get("sasl_username", "").strip().lower()
    if login:
        return login if "@" in login or not login_domain else f"{login}@{login_domain}"
    try:
        client = ip_address(asked.get("client_address", ""))
    except ValueError:
        return ""
    within = any(client.version == net.version and client in net for net in own)
    return asked.get("sender", "").strip().lower() if within else ""


class Policy:
    """Answers what Postfix asks. One object for all connections."""

    def __init__(
        self, folder: Path, *, now: Callable[[], float], own: Iterable[IPv4Network | IPv6Network] = (),
        login_domain: str = "",
    ) -> None:  # fmt: skip
        self._file = folder / "rows.jsonl"
        self._held = folder / "held"
        self._now = now
        self._own = tuple(own)
        self._login_domain = login_domain.lower()
        self._stamp: tuple[int, int, int] | None = None
        self._rows = Rows()
        self._by_name: dict[str, list[Row]] = {}
        self._counts: dict[str, deque[tuple[float, int]]] = {}

    def answer(self, asked: Mapping[str, str]) -> str:
        """The action for one question. Raises OSError or ValueError while the rows cannot be read."""
        self._refresh()
        if asked.get("request") == ASK_STATUS:
            return f"generation {self._rows.generation} {self._rows.digest or '-'}"
        name = identity(asked, own=self._own, login_domain=self._login_domain)
        now = self._now()
        rows = [row for row in self._by_name.get(name, ()) if row.ends > now]
        if not rows:
            return "DUNNO"
        hardest = max(rows, key=lambda row: row.rule.degree)
        if hardest.rule.degree >= Degree.BLOCK:
            return f"REJECT 5.7.1 {self._rows.says}"
        if asked.get("protocol_state") != "END-OF-MESSAGE":
            return "DUNNO"  # A mail is held and counted once, when it is whole.
        if hardest.rule.degree is Degree.HOLD:
            self._note(hardest.rule.measure, asked.get("queue_id", ""))
            return f"HOLD {self._rows.says}"
        return self._slowed(name, _count_of(asked), now)

    def _slowed(self, name: str, recipients: int, now: float) -> str:
        counts = self._counts.setdefault(name, deque())
        while counts and counts[0][0] <= now - HOUR:
            counts.popleft()
        if counts and sum(n for _, n in counts) + recipients > self._rows.per_hour:
            return f"DEFER 4.7.1 {self._rows.says}"
        counts.append((now, recipients))
        return "DUNNO"

    def _note(self, measure: str, queue_id: str) -> None:
        if queue_id.isalnum():
            with open(self._held, "a") as out:
                out.write(f"{measure} {queue_id}\n")

    def _refresh(self) -> None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._stamp, self._rows, self._by_name = None, Rows(), {}
            return
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        self._rows = read(self._file.read_bytes())
        self._stamp = stamp
        self._by_name = {}
        for row in self._rows.rows.values():
            self._by_name.setdefault((row.rule.selector.mailbox or "").lower(), []).append(row)


def _count_of(asked: Mapping[str, str]) -> int:
    said = asked.get("recipient_count", "1")
    return max(1, int(said)) if said.isdecimal() else 1


async def serve(policy: Policy, host: str, port: int, *, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Answer until `stop` is set; raise OSError if nothing can listen there. `ready` is told the port."""
    open_now: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            while asked := await _question(reader):
                try:
                    action = policy.answer(asked)
                except (OSError, ValueError):
                    return  # Nothing is answered: Postfix does what its `default_action` says.
                writer.write(f"action={action}\n\n".encode())
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            open_now.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, host, port, limit=_LINE_OCTETS_MAX)
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    for task in tuple(open_now):
        task.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 5)


async def _question(reader: asyncio.StreamReader) -> dict[str, str] | None:
    """The attributes of one question; None at the end of the connection."""
    asked: dict[str, str] = {}
    for _ in range(_LINES_MAX):
        line = await reader.readline()
        if not line.endswith(b"\n"):
            return None
        if line == b"\n":
            return asked or None
        name, _, value = line.rstrip(b"\n").decode(errors="replace").partition("=")
        asked[name] = value
    raise ValueError("a question without an end")


def write_whole(file: Path, text: bytes, *, mode: int) -> None:
    """Put a file in place so that whoever reads it finds the old one or the new one."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    with open(beside, "wb") as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(beside, file)
