"""HAProxy: a page or a host name answers 451 or 403, until its time is over, by one map that is changed while it runs.

A change is a new version of the map, put in force as a whole by the runtime API; a single row among very many is
changed by itself. The file that HAProxy loads at its start is written too, so that a restart forgets nothing.
"""

import contextlib
import errno
import hashlib
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.drivers.haproxy import table
from tipstaff.enforcement.kept import has_ended
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.pages import LAW, POLICY, Listeners, probe_page
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan, as_asked
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = ("socket", "map_file", "blocked_by", "policy_url", "probe_http", "probe_https", "timeout_seconds")
_BATCH_OCTETS = 12_000
"""One command with its rows must fit into a buffer of HAProxy."""
_ROWS_ALONE_MAX = 60
"""So many rows are changed by themselves in a map of many more; beyond that the whole map gets a new version."""
_ASKED_FOR_SINGLY_MAX = 30
"""Of so many measures each is looked at by itself after a change."""
_STRUCK_MAX = 10_000
"""With so many rows struck out the file is written anew."""
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
        """What was read last, with what it was changed by since."""
        self._digest: bytes | None = None
        """SHA-256 of the listing that says just that."""
        self._file: _File | None = None

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
            foreign=held.foreign,
            at=at,
        )

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        held = self._held
        if held is None or held.lacking.intersection(measures) or len(measures) > _ASKED_FOR_SINGLY_MAX:
            return None
        there = {key: held.measures[key] for key in sorted(measures) if key in held.measures}
        asked = {f"measure:{key}" for key in measures} | {one.key or "" for one in there.values()}
        try:
            if not self._stands(held, [*asked, "generation"]):
                return None
        except (DeviceUnreachable, DeviceRefused):
            return None
        prints = {key: one.fingerprint for key, one in there.items()}
        return as_asked(prints, asked=measures, generation=held.generation, foreign=held.foreign, at=at)

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._alone():
            if self._held is None or len(steps) > _ASKED_FOR_SINGLY_MAX or not self._by_itself(plan, steps, at):
                held = self._read()
                self._change(held, self._wanted(held, plan, steps, at))

    def _by_itself(self, plan: Plan, steps: Sequence[Step], at: datetime) -> bool:
        """Carry out a small change of what was read last, where all that it touches stands as it was read."""
        assert self._held is not None
        change = self._wanted(self._held, plan, steps, at)
        if not _few(self._held, change.rows) or not self._stands(self._held, [*change.rows, "generation"]):
            return False
        self._change(self._held, change)
        return True

    def _wanted(self, held: table.Held, plan: Plan, steps: Sequence[Step], at: datetime) -> table.Change:
        """How the rows shall differ from what is held; raise StalePlan for an older plan."""
        if plan.generation < held.generation:
            raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
        rules = [s.rule for s in steps if s.verb == "apply" and s.rule is not None and not has_ended(s.rule, at=at)]
        come = [self._measure(rule, at=at) for rule in rules]
        assert all(one.key is not None for one in come), f"{rules} was planned for a device that cannot hold it"
        gone = {step.measure for step in steps}
        if plan.whole:
            gone |= {key for key, one in held.measures.items() if has_ended(one.rule, at=at)}
        return held.change(generation=plan.generation, gone=gone, come=come)

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
            with alone(self._lock_file, device=self.device, seconds=self._timeout_seconds):
                yield
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {why.filename or self._map}: {why.strerror}") from why

    def _keep(self, held: table.Held, change: Mapping[str, str | None]) -> None:
        """Write what HAProxy starts with the next time: the whole file, or, in one that is as we left it, what differs.

        HAProxy passes over a line that begins with `#`, and of two rows of one key it takes the first. So new rows are
        added before old ones are struck out, each by one octet, and whoever is killed between the two leaves rows that
        the next plan puts right.
        """
        kept = self._file
        if kept is not None and _few(held, change) and kept.struck < _STRUCK_MAX and kept.stands(self._map):
            kept.change(self._map, change)
            return
        beside = self._map.with_name(f"{self._map.name}.{os.getpid()}.new")
        self._file = None
        file = _File.written(beside, _rows_after(held, change))
        os.replace(beside, self._map)
        self._file = file

    # The runtime API.

    def _read(self) -> table.Held:
        """The whole map; only what differs from what was known before is taken apart."""
        listing = self._listing()
        digest = hashlib.sha256(listing).digest()
        if self._held is not None and self._digest == digest:
            return self._held
        held = self._held or table.Held()
        self._held = self._digest = None
        rows: dict[str, tuple[str, ...]] = {}
        for line in listing.decode("latin-1").split("\n"):
            if line:
                _, _, row = line.partition(" ")
                key, _, value = row.partition(" ")
                rows[key] = (*rows[key], value) if key in rows else (value,)
        if "" in rows:
            raise DeviceRefused(f"{self.device}: HAProxy's listing cannot be read")
        there = held.rows
        differs = {key: values for key, values in rows.items() if there.get(key) != values}
        held.take({**dict.fromkeys(there.keys() - rows.keys(), ()), **differs})
        self._held, self._digest = held, digest
        return held

    def _listing(self) -> bytes:
        """The rows of the map, a line each; raise DeviceUnreachable unless it is sure that these are all of them.

        A listing that breaks off looks like one of a map that lost its rows. So HAProxy is asked for its index of maps
        right behind it, and has to list as many rows as that one counts.
        """
        said = self._ask_octets(f"show map {self._map};show map")
        listing, _, index = said.rpartition(b"# id (file) ")
        counted = self._counted(index.decode("latin-1"))
        if counted is None or not (listing == b"\n" or listing.endswith(b"\n\n")):
            raise DeviceUnreachable(f"{self.device}: HAProxy's listing of {self._map} breaks off")
        rows = listing.rstrip(b"\n")
        listed = _lines(rows)
        # Rows of a version that somebody prepared, and was killed before it was in force, are counted too.
        for version in range(counted.in_force + 1, counted.newest + 1):
            if listed >= counted.rows:
                break
            listed += _lines(self._ask_octets(f"show map @{version} {self._map}").rstrip(b"\n"))
        if listed != counted.rows:
            raise DeviceUnreachable(
                f"{self.device}: HAProxy lists {listed} rows of {self._map} and counts {counted.rows}"
            )  # fmt: skip
        return rows

    def _counted(self, index: str) -> "_Counted | None":
        """What HAProxy's index of maps says about ours."""
        found = re.search(rf"\({re.escape(str(self._map))}\) .*curr_ver=(\d+) next_ver=(\d+) entry_cnt=(\d+)\n", index)
        return None if found is None else _Counted(*map(int, found.groups()))

    def _stands(self, held: table.Held, keys: Iterable[str]) -> bool:
        """Whether HAProxy answers for these keys as it was read to hold them, and holds as many rows as that."""
        counted = self._counted(self._ask("show map"))
        if counted is None or counted.rows != held.count:
            return False
        asked = list(dict.fromkeys(keys))
        for some in _batches([f"get map {self._map} {_escaped(key)};" for key in asked]):
            said = self._ask("".join(some)[:-1]).removesuffix("\n\n").split("\n\n")
            if len(said) != len(some):
                return False
            for key, answer in zip(asked[: len(some)], said, strict=True):
                values = held.rows.get(key, ())
                told = "found=no" in answer if not values else f'key="{key}", value="{values[0]}"' in answer
                if len(values) > 1 or not told:
                    return False
            del asked[: len(some)]
        return True

    def _change(self, held: table.Held, change: table.Change) -> None:
        """Carry it out in the file and in the running HAProxy; `held` is what it holds then."""
        rows = change.rows
        if not rows:
            return
        self._keep(held, rows)
        self._held = self._digest = None
        if _few(held, rows):
            self._change_rows(held, rows)
        else:
            self._change_whole(held, rows)
        values: dict[str, tuple[str, ...]] = {key: () if value is None else (value,) for key, value in rows.items()}
        held.take(values, known=change.made)
        self._held = held

    def _change_rows(self, held: table.Held, change: Mapping[str, str | None]) -> None:
        """Row by row, in a map of very many. The generation goes last: killed midway, the next plan finds what is
        missing."""
        for key, value in change.items():
            there = held.rows.get(key, ())
            if value is not None and len(there) == 1:
                self._tell(f"set map {self._map} {_escaped(key)} {_escaped(value)}")
                continue
            if there:
                self._tell(f"del map {self._map} {_escaped(key)}")
            if value is not None:
                self._tell(f"add map {self._map} <<", [_line(key, value)])

    def _change_whole(self, held: table.Held, change: Mapping[str, str | None]) -> None:
        """By a new version of the map, which HAProxy puts in force at once."""
        said = self._ask(f"prepare map {self._map}").strip()
        version = said.rpartition(": ")[2]
        if not version.isdecimal():
            raise DeviceRefused(f"{self.device}: HAProxy makes no new version of {self._map}: {said[:200]}")
        for some in _batches([_line(key, value) for key, value in _rows_after(held, change)]):
            self._tell(f"add map @{version} {self._map} <<", some)
        self._tell(f"commit map @{version} {self._map}")

    def _tell(self, command: str, lines: Sequence[str] = ()) -> None:
        said = self._ask(command, lines).strip()
        if said:
            raise DeviceRefused(f"{self.device}: HAProxy answers {said[:200]!r} to {command.split()[0]} map")

    def _ask(self, command: str, lines: Sequence[str] = ()) -> str:
        return self._ask_octets(command, lines).decode("latin-1")

    def _ask_octets(self, command: str, lines: Sequence[str] = ()) -> bytes:
        payload = "".join([command, "\n", *lines, "\n" if lines else ""]).encode("latin-1")
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
        said = b"".join(parts)
        if said.startswith((b"Unknown map identifier", b"Permission denied", b"Unknown command")):
            words = said.decode("latin-1").strip().splitlines()[0]
            raise DeviceUnreachable(f"{self.device}: {words} ({command[:80].split(' <<')[0]})")
        if said != b"\n" and not said.endswith(b"\n\n"):  # HAProxy closes each answer with an empty line.
            raise DeviceUnreachable(f"{self.device}: HAProxy's answer to {command.split()[0]} map breaks off")
        return said


class _Counted(NamedTuple):
    """What HAProxy says about a map."""

    in_force: int
    """The version that it looks into."""
    newest: int
    """The version that was prepared last."""
    rows: int
    """Of all versions together."""


class _File:
    """The map's file as this process left it, and where each row begins in it."""

    def __init__(self) -> None:
        self._stamp: tuple[int, int, int] | None = None
        self._begins: dict[str, list[int]] = {}
        self.struck = 0
        """Rows that were struck out, and still take their place."""

    @classmethod
    def written(cls, file: Path, rows: Iterable[tuple[str, str]]) -> "_File":
        """Write a new file of these rows."""
        new = cls()
        lines, begins = [], 0
        for key, value in rows:
            new._begins.setdefault(key, []).append(begins)
            lines.append(line := _line(key, value).encode("latin-1"))
            begins += len(line)
        with open(file, "wb") as out:
            out.write(b"".join(lines))
            out.flush()
            os.fsync(out.fileno())
            new._note(out.fileno())
        return new

    def stands(self, file: Path) -> bool:
        """Whether nobody has touched it since."""
        with contextlib.suppress(OSError):
            return self._stamp == _stamp(os.stat(file))
        return False

    def change(self, file: Path, change: Mapping[str, str | None]) -> None:
        """Add what comes behind all else, then strike out what was there before under these keys."""
        wire = os.open(file, os.O_RDWR)
        try:
            self._stamp = None
            at = os.fstat(wire).st_size
            lines: list[bytes] = []
            struck = [begins for key in change for begins in self._begins.pop(key, ())]
            for key, value in change.items():
                if value is not None:
                    self._begins[key] = [at + sum(map(len, lines))]
                    lines.append(_line(key, value).encode("latin-1"))
            more = b"".join(lines)
            if os.pwrite(wire, more, at) < len(more):  # A full disk takes a part, and says no more than that.
                os.ftruncate(wire, at)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            os.fsync(wire)
            for begins in struck:
                os.pwrite(wire, b"#", begins)
            os.fsync(wire)
            self.struck += len(struck)
            self._note(wire)
        finally:
            os.close(wire)

    def _note(self, wire: int) -> None:
        self._stamp = _stamp(os.fstat(wire))


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _few(held: table.Held, change: Mapping[str, str | None]) -> bool:
    """Whether it is a change of few rows among very many, which is carried out row by row."""
    return len(change) <= _ROWS_ALONE_MAX and len(held.rows) > _MANY_ROWS


def _rows_after(held: table.Held, change: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """All rows of the map once the change is carried out, those that are not ours among them."""
    for key, values in held.rows.items():
        if key not in change:
            yield from ((key, value) for value in values)
    yield from ((key, value) for key, value in change.items() if value is not None)


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """As few as fit into a buffer of HAProxy each."""
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and size + len(line) > _BATCH_OCTETS:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _lines(rows: bytes) -> int:
    return rows.count(b"\n") + bool(rows)


def _line(key: str, value: str) -> str:
    return f"{key} {value}\n"


def _escaped(word: str) -> str:
    return "".join("\\" + c if c in " ;\\\"'<" else c for c in word)
