"""Secrets on disk are made once and are their owner's only."""

import stat
from pathlib import Path

from .waiting import read_line, start_python

MAKE = """
import sys
from pathlib import Path
from tipstaff.host.keys import read_or_make
print("ready", flush=True)
print(read_or_make(Path(sys.argv[1])))
"""


def test_a_secret_is_made_once_and_found_again(tmp_path: Path) -> None:
    from tipstaff.host.keys import read_or_make

    first = read_or_make(tmp_path / "keys" / "signing.key")
    assert len(first) >= 64
    assert read_or_make(tmp_path / "keys" / "signing.key") == first


def test_two_secrets_are_never_the_same(tmp_path: Path) -> None:
    from tipstaff.host.keys import read_or_make

    assert read_or_make(tmp_path / "a") != read_or_make(tmp_path / "b")


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    from tipstaff.host.keys import read_or_make

    key = tmp_path / "keys" / "signing.key"
    read_or_make(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_eight_processes_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "signing.key"
    makers = [start_python(MAKE, key) for _ in range(8)]
    for maker in makers:
        assert read_line(maker.stdout) == "ready"
    said = {read_line(maker.stdout) for maker in makers}
    assert [maker.wait() for maker in makers] == [0] * 8
    assert said == {key.read_text()}
    assert [file.name for file in key.parent.iterdir()] == ["signing.key"], "nothing half-made is left behind"
