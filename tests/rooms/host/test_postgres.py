"""Our own PostgreSQL: private, never root's, gone with whoever started it, and what was committed stays."""

import contextlib
import importlib.util
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tipstaff.host.postgres import BackupFailed, EmbeddedPostgres, NoPostgres, dump, find_binaries, is_owned, restore

from .waiting import expecting_end, read_line, start_python

WRITES_ROWS = """
import sys
from pathlib import Path
import psycopg
from tipstaff.host.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid)
with psycopg.connect(server.url, autocommit=True) as connection:
    connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
    for n in range(1, 1_000_000):
        connection.execute("INSERT INTO kept VALUES (%s)", [n])
        print(n)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path, whose name grows with the test's and would make every socket path a long one.
    with tempfile.TemporaryDirectory(prefix="tipstaff-host-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "postgres"


def ask(server: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(server.url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return row[0]


def tell(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement)


def test_it_answers_once_started_and_is_gone_once_stopped(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    assert server.start() is True
    assert server.running()
    assert ask(server, "SELECT 40 + 2") == 42
    assert server.pid is not None
    with expecting_end([server.pid]):
        server.stop()
    assert not server.running()
    assert not (server.data / "postmaster.pid").exists(), "it was shut down cleanly"
    with pytest.raises(psycopg.OperationalError):
        ask(server, "SELECT 1")


def test_its_log_has_what_failed_but_not_the_statement_with_its_values(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        tell(server, "CREATE TABLE kept (words text PRIMARY KEY)")
        for _ in range(2):
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                tell(server, "INSERT INTO kept VALUES ('what a mail says')")
        said = server.log.read_text()
    assert "duplicate key value" in said
    assert "what a mail says" not in said


def test_what_was_written_is_there_after_a_restart(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        tell(server, "CREATE TABLE kept AS SELECT 7 AS n")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert ask(server, "SELECT n FROM kept") == 7


def test_after_a_kill_the_server_goes_and_every_committed_row_stays(folder: Path) -> None:
    starter = start_python(WRITES_ROWS, folder)
    server_pid = int(read_line(starter.stdout))
    with expecting_end([server_pid]):
        for _ in range(50):
            told = int(read_line(starter.stdout))
        starter.kill()
        said = starter.stdout.read() if starter.stdout else ""
    starter.wait()
    told = max([told, *(int(line) for line in said.split("\n")[:-1] if line)])
    with EmbeddedPostgres(folder) as again:
        assert again.running(), "it is ours now"
        kept = ask(again, "SELECT count(*) FROM kept")
        assert ask(again, "SELECT max(n) FROM kept") == kept, "no row in between is missing"
        assert kept in (told, told + 1), "the last one may have been committed before it could be told"


def test_who_comes_second_joins_and_does_not_stop_it(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as first:
        second = EmbeddedPostgres(folder, durable=False)
        assert second.start() is False
        assert ask(second, "SELECT 1") == 1
        second.stop()
        assert ask(first, "SELECT 1") == 1
        assert is_owned(folder)
    assert not is_owned(folder)


def test_it_listens_on_no_network(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        assert ask(server, "SHOW listen_addresses") == ""
        assert ask(server, "SHOW unix_socket_directories") == str(server.socket)


def test_its_files_are_ours_and_private(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        for place in (folder, server.data, server.socket):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700, place
            assert place.stat().st_uid == os.getuid(), place


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is changed to nobody; this run is a plain user's")
def test_as_root_it_runs_as_nobody(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        inside, outside, how_many = Path(f"/proc/{server.pid}/uid_map").read_text().split()
        assert (inside, outside, how_many) == ("65534", "0", "1")


def test_a_folder_that_others_can_read_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True)
    folder.chmod(0o755)
    with pytest.raises(NoPostgres) as refused:
        EmbeddedPostgres(folder).start()
    assert str(refused.value) == (
        f"{folder} is open to others or not ours; run chmod 700 on it, or name another folder."
    )
    assert list(folder.iterdir()) == [], "nothing was made in it"


def test_a_long_path_gets_a_short_and_private_socket_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = folder.parent / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    long = folder / "a-name-as-long-as-some-people-like-it" / "and-another-one-just-as-long-below-it" / "postgres"
    with EmbeddedPostgres(long, durable=False) as server:
        assert server.socket.parent == runtime
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert ask(server, "SELECT 1") == 1
        assert EmbeddedPostgres(long).socket == server.socket, "every process finds the same one"
        assert EmbeddedPostgres(long / "other").socket != server.socket
    assert list(runtime.iterdir()) == [], "and it goes with the server"


def test_a_short_socket_folder_of_somebody_else_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder.parent))
    server = EmbeddedPostgres(folder / ("long" * 30), durable=False)
    server.socket.mkdir()
    server.socket.chmod(0o755)
    with pytest.raises(NoPostgres, match="is open to others or not ours"):
        server.start()


@pytest.mark.parametrize("name", ["a b", "a&b", "a%20b", "a,b", "a?b#c", 'a"b', "grün+1", "a'b"])
def test_a_folder_may_have_any_name(folder: Path, name: str) -> None:
    with EmbeddedPostgres(folder / name, durable=False) as server:
        tell(server, "CREATE TABLE kept (n int)")
        dump(server.url, folder / "all.backup")
        restore(server.url, folder / "all.backup")
        second = EmbeddedPostgres(folder / name)
        assert second.start() is False
        assert ask(second, "SELECT count(*) FROM kept") == 0


def test_without_binaries_it_says_what_was_tried_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    with pytest.raises(NoPostgres) as why:
        find_binaries()
    assert str(why.value) == (
        "No PostgreSQL binaries in /usr/lib/postgresql/*/bin; "
        "install postgresql, or name a server in TIPSTAFF_DATABASE_URL."
    )


def test_a_database_that_was_being_made_when_all_was_killed_is_made_anew(folder: Path) -> None:
    half = folder / "data.new"
    half.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert ask(server, "SELECT 1") == 1
    assert not half.exists()


def test_data_of_another_version_are_left_alone_with_a_word_what_to_do(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False):
        pass
    (folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(
        NoPostgres, match=r"was made by PostgreSQL 12, but .* is installed; restore a `tipstaff backup`"
    ):
        EmbeddedPostgres(folder, durable=False).start()


def test_a_server_that_cannot_start_says_its_last_words(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False):
        pass
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(NoPostgres, match=r"stopped at once; the last lines of .*no_such_setting"):
        EmbeddedPostgres(folder, durable=False).start()
    assert not is_owned(folder)


def test_a_backup_brings_everything_back(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        tell(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        dump(server.url, folder / "all.backup")
        tell(server, "DELETE FROM kept")
        restore(server.url, folder / "all.backup")
        assert ask(server, "SELECT count(*) FROM kept") == 1000


def test_a_backup_that_fails_changes_nothing_and_says_why(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        tell(server, "CREATE TABLE kept AS SELECT 1 AS n")
        (folder / "no.backup").write_bytes(b"not a backup")
        with pytest.raises(BackupFailed, match=r"pg_restore: .*input file does not appear to be a valid archive"):
            restore(server.url, folder / "no.backup")
        assert ask(server, "SELECT count(*) FROM kept") == 1
