"""The example day, played by real processes on real mail, a real database and, where it may, a real packet filter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tipstaff.testing.lab import Lab

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("demo")]


def test_every_complaint_of_the_example_day_ends_as_the_story_declares(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TIPSTAFF_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tipstaff", "demo", "--exit", "--json"],
        env=environment | {"TIPSTAFF_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.stdout, done.stderr[-3000:]
    told = json.loads(done.stdout)
    wrong = {row["id"]: row["wrong"] for row in told["complaints"] if row["wrong"]}
    assert wrong == {}
    assert told["summary"]["wrong"] == []
    assert len(told["complaints"]) >= 60
    assert told["summary"]["right"] == told["summary"]["complaints"]
    assert {"tcp/25 from 192.0.2.10", "tcp/22 from 192.0.2.18"} <= set(told["summary"]["measures"])
    assert done.returncode == 0, done.stderr[-3000:]
    by_packets = "Packet filter: nftables" in " ".join(told["summary"]["notes"])
    assert by_packets == (Lab.unavailable() is None), told["summary"]["notes"]
