"""Flows of NAT logs go with the database: what a question is answered here, it is answered where the backup went."""

import json
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.live.home import TIPSTAFF, Home
from tests.live.running import until
from tests.rooms.attribution.test_flows import NOON, history, log_of
from tipstaff.host.postgres import EmbeddedPostgres

pytestmark = pytest.mark.live

FLOWS = [f for f in history(11, number=60, seconds=9000) if f.end is not None and f.end < 80_000]


def answers(home: Home, folder: Path) -> list[tuple[str, str, list[str]]]:
    """What the home says of each flow's middle: the grade, and where the rows of its proof lie."""
    questions = folder / "questions.csv"
    questions.write_text("".join(
        f"{f.public},{f.port},{f.protocol},{(NOON + timedelta(seconds=(f.since + f.end) / 2)).isoformat()},1\n"
        for f in FLOWS
    ))  # fmt: skip
    lines = [json.loads(line) for line in home.run("attribute", str(questions)).stdout.splitlines()]
    return [(a["grade"], a["reason"], sorted(p["part"] for p in a["proof"] if p.get("part"))) for a in lines]


@contextmanager
def running(home: Home) -> Iterator[Home]:
    """Its database runs all the while, so that no command has to start it."""
    home.data.mkdir()
    with EmbeddedPostgres(home.data / "postgres"):
        yield home


def take_in(home: Home, folder: Path) -> None:
    log = folder / "nat.log"
    (folder / "own.csv").write_text(
        "tier,kind,prefix,held_from,customer\noperator,pool,198.51.100.0/24,2026-01-01T00:00:00Z,\n"
    )
    home.run("registry", "import", str(folder / "own.csv"))
    text, dice = log_of(FLOWS), random.Random(3)
    for end in (*sorted(dice.sample(range(len(text)), 2)), len(text)):
        log.write_bytes(text[:end])
        home.run("registry", "import", "nat-flows", "--source", "cgn-1", "--inside-realm", "cgn", str(log))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with running(Home(tmp_path / "home")) as made:
        take_in(made, tmp_path)
        yield made


def test_a_backup_that_was_killed_and_one_that_was_not(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept.dump"
    before = answers(home, tmp_path)
    assert sum(bool(parts) for _, _, parts in before) == len(FLOWS), "every answer cites the flow's file"
    # Killed while it copies: nothing stands under the backup's names, and what it left is in nobody's way.
    part = tmp_path / "killed.dump.part"
    killed = subprocess.Popen([*TIPSTAFF, "backup", str(tmp_path / "killed.dump")], env=home.environment)
    until(lambda: part.exists() and list((home.data / "flows").glob(".held-*")), what="the backup to hold its files")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed.dump").exists()
    assert not (tmp_path / "killed.dump.flows").exists()
    said = home.run("backup", str(kept)).stdout
    parts = {p.name for p in (home.data / "flows").iterdir()}
    assert f"{len(parts)} files of flows" in said
    assert not [name for name in parts if name.startswith(".")]

    with running(Home(tmp_path / "other")) as other:
        other.run("restore", "--yes", str(kept))
        assert answers(other, tmp_path) == before
        # It goes on there: the same log brings nothing twice, and a merge finds every file that it needs.
        log = tmp_path / "nat.log"
        other.run("registry", "import", "nat-flows", "--source", "cgn-1", "--inside-realm", "cgn", str(log))
        other.run("registry", "flows", "--merge", "--check")
        assert [a[:2] for a in answers(other, tmp_path)] == [b[:2] for b in before]

    # Back in time on the server that it came from, over what was merged and forgotten there since.
    home.run("registry", "flows", "--forget-before", (NOON + timedelta(days=30)).isoformat())
    home.run("restore", "--yes", str(kept))
    assert answers(home, tmp_path) == before

    # And where they are not, it is said.
    bare = tmp_path / "bare.dump"
    assert "files of flows are not in it" in home.run("backup", "--without-flows", str(bare)).stdout
    shutil.rmtree(home.data / "flows")
    done = home.run("restore", "--yes", str(bare), code=1)
    assert "is missing" in done.stderr
    assert "name nobody until" in done.stderr
    assert {grade for grade, _, _ in answers(home, tmp_path)} == {"NO_DATA"}
