"""nginx: a page or a host name answers 451 or 403, until its time is over. The driver owns two files and no others.

`http.conf` says what is stopped and is written whole: beside it, tested, renamed into its place, and loaded. The
running nginx tells at a listener of its own which file it has read, so what is called in force is what it answers by.
"""

import contextlib
import http.client
import os
import select
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.drivers.nginx import include
from tipstaff.enforcement.kept import has_ended
from tipstaff.enforcement.options import Listener, Options
from tipstaff.enforcement.pages import LAW, POLICY, Listeners, probe_page
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan, as_asked
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = (
    "folder", "status", "nginx", "nginx_options", "reload", "hash_sizes", "blocked_by", "policy_url", "probe_http",
    "probe_https", "timeout_seconds",
)  # fmt: skip
_Stamp = tuple[int, int, int]
"""By which it is seen whether somebody wrote a file: its number, the time of its last change, and its size."""
_SETTLED_SECONDS = 0.25
"""After a reload workers of the old kind take requests for a tenth of a second more: so long, and longer, every answer
must come from a new one."""


def make(device: str, options: Mapping[str, object]) -> "NginxDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet."""
    given = Options(device=device, driver="nginx", given=options)
    given.only(_KNOWN)
    status = given.listener("status")
    if status is None:
        raise given.bad("status", "is missing: an address and a port, for example 127.0.0.1:8479.")
    blocked_by, policy_url = given.needed("blocked_by"), given.text("policy_url")
    for name, url in (("blocked_by", blocked_by), ("policy_url", policy_url)):
        if url and (not url.startswith(("http://", "https://")) or any(c in url for c in ' "<>\\${}')):
            raise given.bad(name, f"is {url!r}, but it takes the URL of a page.")
    return NginxDriver(
        device,
        folder=given.path("folder"),
        status=status,
        nginx=(given.program("nginx", "nginx"), *given.texts("nginx_options")),
        reload=given.texts("reload"),
        hash_sizes=given.flag("hash_sizes", True),
        links={
            LAW: f'<{blocked_by}>; rel=\\"blocked-by\\"',
            POLICY: f'<{policy_url or blocked_by}>; rel=\\"terms-of-service\\"',
        },
        listeners=Listeners(
            http=given.listeners("probe_http"),
            https=given.listeners("probe_https"),
        ),
        timeout_seconds=given.number("timeout_seconds", 20),
    )


class NginxDriver:
    """One nginx on this machine, and the folder from which it includes `http.conf` and `server.conf`."""

    def __init__(
        self, device: str, *, folder: Path, status: Listener, nginx: Sequence[str], reload: Sequence[str],
        hash_sizes: bool, links: Mapping[int, str], listeners: Listeners, timeout_seconds: float,
    ) -> None:  # fmt: skip
        self.device = device
        self.max_proof = Proof.PROBE if listeners else Proof.STATE
        self._file = folder / "http.conf"
        self._server = folder / "server.conf"
        self._before = folder / "http.before"
        self._pending = folder / "http.pending"
        """There from before a file is put in its place until nginx has read it."""
        self._status = status
        self._nginx = tuple(nginx)
        self._reload = tuple(reload) or (*nginx, "-s", "reload")
        self._form = {"status": _listen(status), "links": links, "hash_sizes": hash_sizes}
        self._headers = {status: link.replace("\\", "") for status, link in links.items()}
        self._listeners = listeners
        self._timeout_seconds = timeout_seconds
        self.settled_seconds = _SETTLED_SECONDS
        self._last: tuple[tuple[Path, int, int, int], include.Held] | None = None
        """The file as it was last read: as long as nobody writes it, a round need not take a large one apart again."""
        self._shelves: Mapping[int, include.Shelf] = {}
        """The parts of the file that this process wrote last, which nginx took."""

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=include.CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        return include.supports(rule)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held, running = self._read(self._file), self._running()
            if held.exists and running is None and self._pending.exists():
                # Whoever wrote the first file of all was killed before nginx was told, and before it no listener says
                # what nginx has read. The file says what shall be, so that is finished.
                with self._alone():
                    self._load(held.digest)
                running = self._running()
            if held.exists and running is None:
                raise DeviceUnreachable(f"{self.device}: nginx does not answer at {_listen(self._status)}")
            detail = ""
            if running is not None and running != held.digest:
                # Whoever wrote the file was killed before nginx was told. What counts is what it answers by.
                earlier = self._read(self._before)
                detail = "nginx has not read the file as it is now."
                held = earlier if earlier.digest == running else _all_lacking(held)
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive = {key: one for key, one in sorted(held.measures.items()) if not has_ended(one.rule, at=at)}
        good = held.stands and (not held.exists or self._server_stands())
        if held.exists and not good:
            detail = "A part of the files that gives the entries effect is missing or changed."
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(
                (key, Seen.IN_FORCE if good and key not in held.lacking else Seen.DRIFT) for key in alive
            ),
            fingerprints=tuple((key, one.fingerprint) for key, one in alive.items()),
            foreign=held.foreign,
            at=at,
            detail=detail,
        )  # fmt: skip

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._alone():
            held = self._read(self._file)
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            running = self._running()
            if running is None and held.exists:
                raise DeviceUnreachable(f"{self.device}: nginx does not answer at {_listen(self._status)}")
            if plan.whole:
                # What is wanted stands in the plan. Steps were made for what nginx answered by a moment ago; somebody
                # who was killed may have written a file since, or nginx may have read one.
                wanted = {rule.measure: rule for rule in plan.rules}
                kept: dict[str, include.Measure] = {}
            elif running != held.digest or not held.stands:
                raise DeviceUnreachable(f"{self.device}: nginx does not answer by what stands in {self._file}")
            else:
                wanted = {step.measure: step.rule for step in steps if step.rule is not None and step.verb == "apply"}
                gone = {step.measure for step in steps}
                kept = {key: one for key, one in held.measures.items() if key not in gone}
            measures = {key: one for key, one in kept.items() if not has_ended(one.rule, at=at)}
            for rule in wanted.values():
                if has_ended(rule, at=at):
                    continue
                assert include.supports(rule), f"{rule} was planned for a device that cannot hold it"
                one = held.measures.get(rule.measure)
                stands = one is not None and one.fingerprint == fingerprint(rule)
                measures[rule.measure] = one if one is not None and stands else self._measure(rule, at=at)
            shelves = include.shelved([measures[key] for key in sorted(measures)], self._shelves)
            foreign = held.foreign_lines
            text = include.render(generation=plan.generation, shelves=shelves, foreign=foreign, **self._form)  # type: ignore[arg-type]  # one dict of three kinds
            digest = _digest(text)
            if digest == running == held.digest and held.stands and not held.lacking and self._server_stands():
                return
            untried = {n: part for n, part in shelves.items() if self._shelves.get(n) is not part}
            trial = include.render(generation=plan.generation, shelves=untried, foreign=foreign, **self._form)  # type: ignore[arg-type]  # as above
            self._shelves = {}
            stamp = self._write_and_load(text, digest, trial=trial, before=held if running == held.digest else None)
            self._shelves = shelves
            if not foreign:
                ours = include.as_rendered(generation=plan.generation, digest=digest, measures=measures)
                self._last = (self._file, *stamp), ours

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        last = self._last
        try:
            held = self._read(self._file)
            stands = held.stands and self._server_stands() and self._running() == held.digest
        except (DeviceUnreachable, DeviceRefused):
            return None
        if last is None or self._last is not last or not stands or held.lacking:
            return None  # It is not as it was left.
        there = {key: held.measures[key] for key in sorted(measures) if key in held.measures}
        prints = {key: one.fingerprint for key, one in there.items()}
        return as_asked(prints, asked=measures, generation=held.generation, foreign=held.foreign, at=at)

    def probe(self, rule: Rule) -> ProbeResult:
        if not self._listeners:
            return ProbeResult(target_stopped=None, neighbour_works=None, detail="No listener for a probe is set up.")
        return probe_page(rule, listeners=self._listeners, is_ours=self._is_ours)

    def _is_ours(self, status: int, links: Sequence[str]) -> bool:
        return self._headers.get(status, "") in links

    def _measure(self, rule: Rule, *, at: datetime) -> include.Measure:
        ends = include.NEVER
        if rule.until is not None:
            # nginx ends it by its machine's clock, which need not be the one that `at` came from: what is left, counts.
            ends = int(self._device_seconds() + (rule.until - at).total_seconds() + 0.999)
        return include.Measure(rule=rule, ends=min(ends, include.NEVER), fingerprint=fingerprint(rule))

    def _device_seconds(self) -> float:
        """The clock of the machine that the files lie on, as it stamps a file of ours."""
        self._lock_file.touch()
        return self._lock_file.stat().st_mtime

    @property
    def _lock_file(self) -> Path:
        return self._file.with_name("lock")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with alone(self._lock_file, device=self.device, seconds=self._timeout_seconds):
                yield
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {why.filename or self._file.parent}: {why.strerror}") from why

    def _read(self, file: Path) -> include.Held:
        try:
            found = file.stat()
            stamp = (file, *_stamp(found))
            if self._last is not None and self._last[0] == stamp:
                return self._last[1]
            text = file.read_bytes()
        except FileNotFoundError:
            if not file.parent.is_dir():
                raise DeviceUnreachable(f"{self.device}: there is no folder {file.parent}") from None
            return include.Held()
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {file}: {why.strerror}") from why
        try:
            held = include.read(text, **self._form)  # type: ignore[arg-type]  # one dict of three kinds
        except (ValueError, KeyError, TypeError, AssertionError) as why:
            raise DeviceRefused(f"{self.device}: {file} is not what was written there: {why!r}") from why
        if file == self._file:
            self._last = stamp, held
        return held

    def _server_stands(self) -> bool:
        with contextlib.suppress(OSError):
            return self._server.read_bytes() == include.SERVER
        return False

    def _running(self) -> str | None:
        """The digest of the file that the running nginx has read; "" if it has read none, None if it is not there."""
        connection = http.client.HTTPConnection(*self._status, timeout=self._timeout_seconds)
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            words = connection.getresponse().read(200).decode("ascii", "replace").split()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return words[2] if len(words) == 3 and words[0] == "tipstaff" else ""

    def _write_and_load(self, text: bytes, digest: str, *, trial: bytes, before: include.Held | None) -> _Stamp:
        """Put a file in its place and let nginx read it. `trial` is what of it nginx has never read, and `before` what
        it answers by now."""
        new = self._file.with_name("http.new")
        _write(new, trial)
        self._test_alone(new)
        stamp = _write(new, text)
        earlier, tmp = self._file.with_name("http.earlier"), self._before.with_suffix(".tmp")
        for left in (earlier, tmp):
            left.unlink(missing_ok=True)  # By somebody who was killed.
        existed = self._file.exists()
        if existed:
            os.link(self._file, earlier)
            if before is not None and before.exists:
                os.link(self._file, tmp)
                os.replace(tmp, self._before)
        self._pending.touch()
        os.replace(new, self._file)
        if not self._server_stands():
            _write(self._server.with_suffix(".tmp"), include.SERVER)
            os.replace(self._server.with_suffix(".tmp"), self._server)
        try:
            if self._reload[: len(self._nginx)] != self._nginx:
                self._run(*self._nginx, "-t")  # As nginx itself does before it lets itself be reloaded.
            self._load(digest)
        except DeviceRefused as why:
            if "[emerg]" in str(why):
                # nginx as a whole does not take it, though it is right by itself: it must still start after a crash.
                if existed:
                    os.replace(earlier, self._file)
                else:
                    self._server.unlink(missing_ok=True)
                    self._file.unlink(missing_ok=True)
            raise
        finally:
            earlier.unlink(missing_ok=True)
        return stamp

    def _load(self, wanted: str) -> None:
        """Let nginx read its files anew, and wait until it answers by them."""
        self._run(*self._reload)
        self._await(wanted)
        self._pending.unlink(missing_ok=True)

    def _test_alone(self, new: Path) -> None:
        """Let nginx read the new file by itself, before it stands where a restart would find it."""
        trial = new.with_name("trial.conf")
        server = new.with_name("trial.server")
        _write(server, include.SERVER)
        _write(
            trial,
            f"pid {new.parent}/trial.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
            f'include "{new}";\nserver {{ listen {_listen(self._status)}; server_name trial.invalid; '
            f'include "{server}"; }}\n}}\n'.encode(),
        )
        try:
            self._run(self._nginx[0], "-t", "-c", str(trial))
        finally:
            for file in (trial, server, new.with_name("trial.pid")):
                file.unlink(missing_ok=True)

    def _run(self, *command: str) -> None:
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=self._timeout_seconds, env={**os.environ, "PATH": path, "LC_ALL": "C"}, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as why:
            raise DeviceUnreachable(f"{self.device}: {command[0]} gave no answer in {self._timeout_seconds} s") from why
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {command[0]} cannot be run: {why.strerror}") from why
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if "[emerg]" in line] or done.stderr.splitlines()
            words = said[0][:300] if said else f"it ended with {done.returncode}"
            raise DeviceRefused(f"{self.device}: {words}")

    def _await(self, wanted: str) -> None:
        """Wait until every worker that takes requests has read the file."""
        begun = time.monotonic()
        since: float | None = None
        while time.monotonic() - begun < self._timeout_seconds:
            if self._running() != wanted:
                since = None
            else:
                since = since or time.monotonic()
                if time.monotonic() - since >= self.settled_seconds:
                    return
            select.select([], [], [], 0.01)
        raise DeviceUnreachable(f"{self.device}: nginx has not taken the new file in {self._timeout_seconds} s")


def _digest(text: bytes) -> str:
    return text.rpartition(b'return 200 "tipstaff ')[2].split(b"\\n")[0].split()[-1].decode()


def _all_lacking(held: include.Held) -> include.Held:
    """The file as it would be if none of its entries were there: nginx has read neither it nor the one before."""
    return include.Held(
        generation=held.generation, measures=held.measures, lacking=frozenset(held.measures), foreign=held.foreign,
        stands=held.stands, exists=held.exists,
    )  # fmt: skip


def _listen(listener: Listener) -> str:
    host, port = listener
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _write(file: Path, text: bytes) -> _Stamp:
    with open(file, "wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
        return _stamp(os.fstat(out.fileno()))


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_ino, found.st_mtime_ns, found.st_size
