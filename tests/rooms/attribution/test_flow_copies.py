"""Flows in a backup: exactly what the database's snapshot names, whatever writers do meanwhile and wherever it ends."""

import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.rooms.attribution.test_flows import BY, Killed, history, log_of, read_in_pieces
from tipstaff.attribution.flow_copies import SUMS, BackupRunsAlready
from tipstaff.attribution.models import FlowPartRow
from tipstaff.attribution.operations import bring_flows, flow_writers_wait, hold_flows, merge_flows, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import flows_missing, flows_spoilt
from tipstaff.wiring import sources

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, settings) -> Path:
    settings.FLOWS_FOLDER = tmp_path / "flows"
    return tmp_path / "flows"


@pytest.fixture
def log(tmp_path) -> Path:
    """Half a log, taken in; the rest stands in the file."""
    flows = [f for f in history(7, number=60, seconds=9000) if f.end is None or f.end < 80_000]
    whole, path = log_of(flows), tmp_path / "nat.log"
    read_in_pieces(whole[: len(whole) // 2], path, random.Random(7), pieces=6)
    path.write_bytes(whole)
    return path


def writes(path: Path) -> None:
    list(take_in(path, sources()["nat-flows"], Options(source="cgn-1", inside_realm="cgn"), **BY))
    merge_flows("cgn-1", parts_min=2, **BY)


def beside(what, *words) -> threading.Thread:
    """Something that another process does, on a connection of its own."""

    def done() -> None:
        try:
            what(*words)
        finally:
            connection.close()

    thread = threading.Thread(target=done)
    thread.start()
    return thread


def named() -> set[str]:
    return set(FlowPartRow.objects.values_list("name", flat=True))


def crashing(monkeypatch, step: int) -> None:
    """The process ends at the so-manieth rename of a file or folder."""
    left, renames = [step], {name: getattr(Path, name) for name in ("replace", "rename")}

    def stopping(name: str):
        def rename(self: Path, to: Path) -> Path:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return renames[name](self, to)

        return rename

    for name in renames:
        monkeypatch.setattr(Path, name, stopping(name))


def test_what_is_held_is_what_the_snapshot_names_though_writers_replace_and_merge(log, folder, tmp_path):
    before = named()
    with hold_flows() as held:
        writer = beside(writes, log)
        writer.join()
        with psycopg.connect(url()) as other:
            other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            other.execute(f"SET TRANSACTION SNAPSHOT '{held.snapshot}'")
            seen = {n for (n,) in other.execute("SELECT name FROM attribution_flowpartrow")}
        assert list(held.copy(tmp_path / "kept.flows")) == []
    kept = {f.name for f in (tmp_path / "kept.flows").iterdir()} - {SUMS}
    assert kept == seen == before
    assert not before <= {f.name for f in folder.iterdir()}, "the writer took some of them away"
    assert (
        subprocess.run(["sha256sum", "-c", "--quiet", SUMS], cwd=tmp_path / "kept.flows", check=False).returncode == 0
    )
    assert {f.name for f in folder.iterdir()} == named(), "nothing that was held is left"


def url() -> str:
    own = os.environ["TIPSTAFF_DATABASE_URL"]
    return psycopg.conninfo.make_conninfo(own, dbname=str(connection.settings_dict["NAME"]))


def test_a_second_backup_beside_the_first_links_to_what_is_there_already(log, tmp_path):
    for name in ("one.flows", "two.flows"):
        with hold_flows() as held:
            assert list(held.copy(tmp_path / name)) == []
    for part in named():
        assert (tmp_path / "one.flows" / part).samefile(tmp_path / "two.flows" / part)


def test_a_neighbouring_backup_that_was_spoilt_is_not_linked_to(log, tmp_path):
    with hold_flows() as held:
        assert list(held.copy(tmp_path / "one.flows")) == []
        part = tmp_path / "one.flows" / sorted(held.digests)[0]
        part.write_bytes(bytes(part.stat().st_size))
        assert list(held.copy(tmp_path / "two.flows")) == []
    assert subprocess.run(["sha256sum", "-c", "--quiet", SUMS], cwd=tmp_path / "two.flows", check=False).returncode == 0


def test_a_part_that_is_gone_or_spoilt_is_told_and_the_others_are_kept(log, folder, tmp_path):
    gone, spoilt = sorted(named())[:2]
    (folder / gone).unlink()
    (folder / spoilt).write_bytes(b"spoilt")
    with hold_flows() as held:
        told = list(held.copy(tmp_path / "kept.flows"))
    assert [name in sentence for name, sentence in zip((gone, spoilt), told, strict=True)] == [True, True]
    kept = {f.name for f in (tmp_path / "kept.flows").iterdir()} - {SUMS}
    assert kept == named() - {gone, spoilt}
    assert [gone in sentence for sentence in flows_missing()] == [True]


def test_one_backup_at_a_time_and_what_a_killed_one_left_is_no_harm(log, folder, tmp_path):
    told = []

    def tries() -> None:
        try:
            with hold_flows():
                pass
        except BackupRunsAlready as why:
            told.append(str(why))

    with hold_flows() as held:
        beside(tries).join()
        links = held.links
        left = {f.name for f in links.iterdir()}
    assert len(told) == 1
    # A killed one leaves its links; the next backup takes them away, and writers never mind them.
    links.mkdir()
    (links / "left").write_bytes(b"")
    writes(log)
    with hold_flows() as held:
        assert left != set(held.digests)
        assert {f.name for f in links.iterdir()} == set(held.digests)
    assert not links.exists()


def test_a_backup_that_is_killed_while_it_copies_has_no_folder_and_the_next_one_is_whole(log, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, hold_flows() as held:
        crashing(patch, 1)
        with pytest.raises(Killed):
            list(held.copy(tmp_path / "kept.flows"))
    assert not (tmp_path / "kept.flows").exists()
    with hold_flows() as held:
        assert list(held.copy(tmp_path / "kept.flows")) == []


def test_a_restore_that_is_killed_anywhere_brings_all_files_the_next_time(log, folder, tmp_path, monkeypatch):
    with hold_flows() as held:
        list(held.copy(tmp_path / "kept.flows"))
    shutil.rmtree(folder)
    killed, step = 0, 2
    while True:
        with monkeypatch.context() as patch:
            crashing(patch, step)
            try:
                bring_flows(tmp_path / "kept.flows")
                break
            except Killed:
                killed += 1
                # A file of a name that counts is a whole one, wherever it ended.
                assert all("is missing" in sentence for sentence in flows_spoilt())
    assert killed > 2
    assert (flows_spoilt(), flows_missing()) == ([], [])
    assert bring_flows(tmp_path / "kept.flows") == ([], [])


def test_a_spoilt_file_of_a_backup_is_told_and_does_not_replace_a_good_one(log, folder, tmp_path):
    with hold_flows() as held:
        list(held.copy(tmp_path / "kept.flows"))
    one, other = sorted(held.digests)[:2]
    for name in (one, other):
        (tmp_path / "kept.flows" / name).write_bytes(b"spoilt")
    (folder / other).unlink()
    brought, wrong = bring_flows(tmp_path / "kept.flows")
    assert (brought, [other in sentence for sentence in wrong]) == ([], [True])
    assert [other in sentence for sentence in flows_spoilt()] == [True]


def test_writers_wait_while_a_database_is_being_restored(log, folder, tmp_path):
    before, stray = named(), folder / "brought-and-not-named-yet"
    with flow_writers_wait(url()):
        stray.write_bytes(b"")
        writer = beside(writes, log)
        until_waiting()
        assert named() == before
    writer.join()
    assert named() != before


def until_waiting() -> None:
    """Somebody waits for the writers' lock."""
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with connection.cursor() as cursor:
        while True:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
