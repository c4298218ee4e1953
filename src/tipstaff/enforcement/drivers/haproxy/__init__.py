"""HAProxy: a page or a host name answers 451 or 403, until its time is over, by one map that is changed while it runs.

A change is a new version of the map, put in force as a whole by the runtime API; a single row among very many is
changed by itself. The file that HAProxy loads at its start is written too, so that a restart forgets nothing.
"""

import contextlib
import fcntl
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from tipstaff.enforcement.drivers.haproxy import table
from tipstaff.enforcement.kept import has_ended
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.pages import LAW, POLICY, Listeners, probe_page
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = ("socket", "map_file", "blocked_by", "policy_url", "probe_http", "probe_https", "timeout_seconds")
_BATCH_OCTETS = 12_000
"""One command with its rows must fit into a buffer of HAProxy."""
_ROWS_ALONE_MAX = 12
"""So many rows are changed by themselves in a map of many more; beyond that the whole map gets a new version."""
_MANY_ROWS = 2000


def make(device: str, options: Mapping[str, object]) -> "HaproxyDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is asked yet."""
    given = Options(device=device, driver="haproxy", given=options)
    given.only(_KNOWN)
    listeners = Listeners(http=given.listeners("probe_http"), https=given.listeners("probe_https"))
    if not listeners:
        # The runtime API shows the map, and not whether any rule looks into it.
        raise given.bad("probe_http", "or probe_https is needed: only a request shows that HAProxy obeys its map.")
    blocked_by = given.needed("blocked_by")
    return HaproxyDriver(
        device,
        socket_path=given.path("socket"),
        map_file=given.path("map_file"),
        links={
            LAW: f'<{blocked_by}>; rel="blocked-by"',
            POLICY: f'<{given.text("policy_url") or blocked_by}>; rel="terms-of-service"',
        },
        listeners=listeners,
        timeout_seconds=given.number("timeout_seconds", 20),
    )


class HaproxyDriver:
    """One HAProxy on this machine, reached by its runtime API at the level `admin`."""

    max_proof = Proof.PROBE

    def __init__(
        self, device: str, *, socket_path: Path, map_file: Path, links: Mapping[int, str], listeners: Listeners,
        timeout_seconds: float,
    ) -> None:  # fmt: skip
        self.device = device
        self._socket = socket_path
        self._map = map_file
        self._links = links
        self._listeners = listeners
        self._timeout_seconds = timeout_seconds
        self._held: table.Held | None = None
        """The last listing; only so that the same words need not be read twice."""

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=table.CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        return table.supports(rule)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held = self._read()
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive = {key: one for key, one in sorted(held.measures.items()) if not has_ended(one.rule, at=at)}
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple((key, Seen.DRIFT if key in held.lacking else Seen.IN_FORCE) for key in alive),
            fingerprints=tuple((key, one.fingerprint) for key, one in alive.items()),
            foreign=tuple(f"{key} {value}" for key, value in held.foreign),
            at=at,
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._alone():
            held = self._read()
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            measures = {key: one for key, one in held.measures.items() if not has_ended(one.rule, at=at)}
            for step in steps:
                measures.pop(step.measure, None)
                if step.verb == "apply" and step.rule is not None and not has_ended(step.rule, at=at):
                    one = measures[step.measure] = self._measure(step.rule, at=at)
                    assert one.key is not None, f"{step.rule} was planned for a device that cannot hold it"
            rows = table.rows_of(generation=plan.generation, measures=measures.values(), foreign=held.foreign)
            if len(rows) == len(held.rows) and rows == dict(held.rows):
                return
            self._keep(rows)
            self._change(rows, held)
            self._held = replace(held, known={one.line: one for one in measures.values()})

    def probe(self, rule: Rule) -> ProbeResult:
        return probe_page(
            rule, listeners=self._listeners, is_ours=lambda status, links: self._links.get(status, "") in links
        )

    def _measure(self, rule: Rule, *, at: datetime) -> table.Measure:
        ends = table.NEVER
        if rule.until is not None:
            # HAProxy ends it by its machine's clock, as that machine stamps a file.
            self._lock_file.touch()
            ends = int(self._lock_file.stat().st_mtime + (rule.until - at).total_seconds() + 0.999)
        return table.Measure(rule=rule, ends=min(ends, table.NEVER), fingerprint=fingerprint(rule))

    @property
    def _lock_file(self) -> Path:
        return self._map.with_name(f"{self._map.name}.lock")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with open(self._lock_file, "a+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {why.filename or self._map}: {why.strerror}") from why

    def _keep(self, rows: Mapping[str, str]) -> None:
        """What HAProxy starts with the next time."""
        beside = self._map.with_name(f"{self._map.name}.{os.getpid()}.new")
        with open(beside, "wb") as out:
            out.write("".join([f"{key} {value}\n" for key, value in rows.items()]).encode("latin-1"))
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, self._map)

    # The runtime API.

    def _read(self) -> table.Held:
        rows = []
        for line in self._ask(f"show map {self._map}").split("\n"):
            if line:
                _, _, row = line.partition(" ")
                key, _, value = row.partition(" ")
                rows.append((key, value))
        if any(not key for key, _ in rows):
            raise DeviceRefused(f"{self.device}: HAProxy's listing cannot be read")
        self._held = table.read(rows, before=self._held)
        return self._held

    def _change(self, rows: Mapping[str, str], held: table.Held) -> None:
        there = dict(held.rows)
        doubled: set[str] = set()
        if len(there) < len(held.rows):
            doubled = {key for key, count in Counter(key for key, _ in held.rows).items() if count > 1}
        other = {key for key, value in rows.items() if there.get(key) != value} | (there.keys() - rows.keys()) | doubled
        if len(other) <= _ROWS_ALONE_MAX and len(rows) > _MANY_ROWS:
            # The generation goes last: killed midway, the next plan finds what is missing.
            for key in sorted(other, key=lambda k: (k == "generation", k)):
                if key in there:
                    self._tell(f"del map {self._map} {_escaped(key)}")
                if key in rows:
                    self._tell(f"add map {self._map} <<", [_line(key, rows[key])])
            return
        said = self._ask(f"prepare map {self._map}").strip()
        version = said.rpartition(": ")[2]
        if not version.isdecimal():
            raise DeviceRefused(f"{self.device}: HAProxy makes no new version of {self._map}: {said[:200]}")
        batch: list[bytes] = []
        size = 0
        for key, value in rows.items():
            line = _line(key, value)
            if size + len(line) > _BATCH_OCTETS:
                self._tell(f"add map @{version} {self._map} <<", batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line)
        self._tell(f"add map @{version} {self._map} <<", batch)
        self._tell(f"commit map @{version} {self._map}")

    def _tell(self, command: str, lines: Sequence[bytes] = ()) -> None:
        said = self._ask(command, lines).strip()
        if said:
            raise DeviceRefused(f"{self.device}: HAProxy answers {said[:200]!r} to {command.split()[0]} map")

    def _ask(self, command: str, lines: Sequence[bytes] = ()) -> str:
        payload = b"".join([command.encode("latin-1"), b"\n", *lines, b"\n" if lines else b""])
        try:
            with socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(self._timeout_seconds)
                wire.connect(str(self._socket))
                wire.sendall(payload)
                parts = []
                while part := wire.recv(1 << 18):
                    parts.append(part)
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: HAProxy does not answer at {self._socket}: {why}") from why
        said = b"".join(parts).decode("latin-1")
        if said.startswith(("Unknown map identifier", "Permission denied", "Unknown command")):
            raise DeviceUnreachable(f"{self.device}: {said.strip().splitlines()[0]} ({command.split(' <<')[0]})")
        return said


def _line(key: str, value: str) -> bytes:
    return f"{key} {value}\n".encode("latin-1")


def _escaped(word: str) -> str:
    return "".join("\\" + c if c in " ;\\\"'<" else c for c in word)
