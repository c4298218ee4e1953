"""On a PostgreSQL of the operator's own: by TCP, with a password, as a role that owns its database and no more."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.live.home import KEPT, Home, press_ctrl_c
from tests.live.running import clean_environment, free_ports
from tipstaff.cli.waiting import wait_until
from tipstaff.host.postgres import _as_whom, find_binaries

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("own-server")]

PASSWORD = "S3cret%2Fof/the:role@"
IN_A_URL = "S3cret%252Fof%2Fthe%3Arole%40"
SECRETS = (PASSWORD, IN_A_URL, "S3cret")
ADMIN = "only-for-this-test"


class Server:
    """A server that asks everybody for a password, with databases of a role that is no superuser."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "server.log"
        self._data, self._password_file = folder / "data", folder / "password"
        self._binaries, [self.port] = find_binaries(), free_ports(1)

    def start(self) -> "subprocess.Popen[bytes]":
        self._password_file.write_text(ADMIN)
        subprocess.run(
            [
                *_as_whom(), str(self._binaries / "initdb"), "-D", str(self._data), "-U", "root_of_it", "--no-sync",
                "--auth=scram-sha-256", f"--pwfile={self._password_file}", "--encoding=UTF8", "--locale=C",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *_as_whom(), "setpriv", "--pdeathsig", "INT", str(self._binaries / "postgres"),
                    "-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", "", "-c", "fsync=off",
                ],
                stdout=log, stderr=log, env=clean_environment(),
            )  # fmt: skip

    def administer(self, *statements: str) -> None:
        admin = f"postgresql://root_of_it:{ADMIN}@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(admin, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]  # names are made here, not given

    def answers(self) -> bool:
        try:
            self.administer("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql://tipstaff:{IN_A_URL}@127.0.0.1:{self.port}/{database}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    process = made.start()
    try:
        assert wait_until(made.answers, seconds=60), made.log.read_text()
        made.administer(
            f"CREATE ROLE tipstaff LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE one OWNER tipstaff ENCODING 'UTF8'",
            "CREATE DATABASE two OWNER tipstaff ENCODING 'UTF8'",
        )  # fmt: skip
        yield made
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def watching_command_lines() -> Iterator[set[str]]:
    """Every command line that is seen on this machine meanwhile: anybody here may read them."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # It is gone by now.
            over.wait(0.02)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def test_everything_runs_on_a_server_by_tcp_and_the_password_is_seen_nowhere(server: Server, tmp_path: Path) -> None:
    one = Home(tmp_path / "one", TIPSTAFF_DATABASE_URL=server.url("one"))
    two = Home(tmp_path / "two", TIPSTAFF_DATABASE_URL=server.url("two"))
    kept, said = tmp_path / "kept.dump", []
    with watching_command_lines() as commands:
        report, case = one.open_case()
        with one.up() as process:
            second = one.complain("another one")
            press_ctrl_c(process)
            said.append(process.communicate(timeout=60)[0])
        assert process.returncode == 0
        before = one.contents()
        for home, words in (
            (one, ("verify",)), (one, ("backup", str(kept))), (two, ("restore", "--yes", str(kept))),
            (two, ("trace", second)), (two, ("check",)),
        ):  # fmt: skip
            done = home.run(*words)
            said += [done.stdout, done.stderr]
        assert two.contents() == before
    for table in KEPT:
        assert not before[table].startswith("0 rows"), f"nothing is in {table} that could be lost"
    assert report in two.run("trace", case).stdout
    with psycopg.connect(server.url("two")) as connection:
        asked = "SELECT rolsuper, inet_server_addr() IS NOT NULL FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(asked).fetchone() == (False, True)
    ran = [command for command in commands if "tipstaff" in command]
    for part in ("tipstaff up", "tipstaff worker", "gunicorn", "pg_dump", "pg_restore", "tipstaff verify"):
        assert any(part in command for command in ran), f"{part} was not seen at all"
    assert not [command for command in commands if any(secret in command for secret in SECRETS)]
    files = [f for folder in (one.data, two.data) for f in folder.rglob("*") if f.is_file()]
    assert not (one.data / "postgres").exists(), "the embedded one is not started"
    for text in (*said, server.log.read_text(), *(f.read_bytes().decode(errors="replace") for f in (*files, kept))):
        assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize("command", ["up", "backup", "verify"])
def test_a_server_that_refuses_us_is_told_without_the_password(server: Server, tmp_path: Path, command: str) -> None:
    wrong = server.url("one").replace("tipstaff:", "nobody_here:")
    home = Home(tmp_path / "wrong", TIPSTAFF_DATABASE_URL=wrong)
    words = (command, str(tmp_path / "kept.dump")) if command == "backup" else (command,)
    done = home.run(*words, code=1)
    assert "nobody_here" in done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    assert "Traceback" not in done.stderr
