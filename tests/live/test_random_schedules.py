"""Random schedules of kills, reboots and late plans: in the end the device holds what is wanted, and nothing else.

With `TIPSTAFF_TEST_SOAK` (`make live` sets it) 500 for each device; without it a few, always the same.
"""

import os
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.nftables import make
from tipstaff.testing.lab import Lab

from .schedules import Soak

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

SCHEDULES = 500 if os.environ.get("TIPSTAFF_TEST_SOAK") else 12


def check(soak: Soak) -> None:
    faults = [fault for seed in range(SCHEDULES) for fault in soak.play(seed)]
    assert faults == []
    assert soak.befell["killed"] >= SCHEDULES // 3, soak.befell


def test_a_device_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "edge1.json"
    check(Soak(make=lambda: MemoryTwin("edge1", file=file), forget=lambda: file.unlink(missing_ok=True)))


def test_a_packet_filter() -> None:
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab() as lab:
        options = {"command_prefix": lab.prefix("edge")}

        def forget() -> None:
            lab.run("edge", "sh", "-c", "nft delete table inet tipstaff 2>/dev/null; true")

        check(Soak(make=lambda: make("edge1", options), forget=forget))
