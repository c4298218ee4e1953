"""The same lines are read once: under another name, beside another reading, and when a file was written anew."""

import threading
from pathlib import Path

import pytest
from django.db import connection, connections

from tipstaff.attribution.codes import OPEN
from tipstaff.attribution.models import BindingRow
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options, UnusableFile
from tipstaff.attribution.queries import flows_kept
from tipstaff.wiring import sources

from .test_flows import BY, NOON, PUBLIC, Flow, folder, log_of

__all__ = ["folder"]  # A fixture.
T = int(NOON.timestamp())
HEADER = "timestamp,acct_status_type,user_name,framed_ip_address,acct_session_id,acct_session_time\n"
FLOWS = [Flow(n, PUBLIC[0], 1500 + n, 6, "100.64.0.1", n * 10.0, n * 10.0 + 5) for n in range(60)]
LOGS = {
    "nat-flows": log_of(FLOWS),
    "radius-csv": HEADER.encode()
    + b"".join(
        f"{T + n * 60},Start,user-{n},10.0.0.{n},s{n},\n{T + n * 60 + 50},Stop,user-{n},10.0.0.{n},s{n},50\n".encode()
        for n in range(100)
    ),
}
"""Longer than the head by which a file is known."""
KINDS = pytest.mark.parametrize("kind", LOGS)


def read(kind: str, path: Path, progress=lambda _: None) -> int:
    """How many bindings were new."""
    options = Options(source=kind, inside_realm="cgn")
    return sum(load.bindings for load in take_in(path, sources()[kind], options, progress=progress, **BY))


def kept() -> int:
    return BindingRow.objects.count() + sum(k.rows for k in flows_kept())


@pytest.mark.django_db
@KINDS
def test_a_file_that_was_renamed_goes_on_where_it_was(kind, tmp_path, folder):
    log = LOGS[kind]
    middle = log.index(b"\n", len(log) * 2 // 3) + 1
    path, renamed = tmp_path / "today.log", tmp_path / "today.log.1"
    path.write_bytes(log[:middle])
    before = read(kind, path)
    path.rename(renamed)
    renamed.write_bytes(log)
    more = read(kind, renamed)
    assert before > more > 0
    assert kept() == before + more == {"nat-flows": 60, "radius-csv": 100}[kind]
    assert read(kind, renamed) == 0
    # What is written under the old name from then on is a new file.
    path.write_bytes(log.replace(b"100.64.0.1", b"100.64.0.2").replace(b"user-", b"guest-"))
    assert read(kind, path) == before + more


PLANS = {
    "ipam": ("prefix,service\n100.64.0.1/32,svc-{}\n", "prefix,service\n100.64.0.9/32,svc-9\n"),
    "nat-deterministic": (
        "inside,outside,ports_per_host,since\n100.64.0.{}/32,198.51.100.0/32,1000,2026-01-01T00:00:00Z\n",
        "inside,outside,ports_per_host,since\n100.64.0.9/32,198.51.100.9/32,1000,2026-01-01T00:00:00Z\n",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("kind", PLANS)
def test_a_plan_or_map_that_was_renamed_does_not_stand_twice(kind, tmp_path):
    text, other = PLANS[kind]
    path, renamed, copied = (tmp_path / name for name in ("plan.csv", "plan-2026.csv", "copy.csv"))
    path.write_text(text.format(1))
    assert read(kind, path) == 1
    copied.write_text(text.format(1))
    assert (read(kind, copied), kept()) == (0, 1), "a copy says nothing new"
    path.rename(renamed)
    renamed.write_text(text.format(2))
    with pytest.raises(UnusableFile, match=rf"{path}, which is gone.*take reading \d+ out first"):
        read(kind, renamed)
    assert kept() == 1
    renamed.write_text(text.format(1))
    assert (read(kind, renamed), kept()) == (0, 1)
    renamed.write_text(text.format(2))
    assert read(kind, renamed) == 1
    ends = BindingRow.objects.order_by("id").values_list("possible_until", flat=True)
    assert [end < OPEN for end in ends] == ([True, False] if kind == "ipam" else [False])
    path.write_text(other)
    assert read(kind, path) == 1, "two that are both there are two"


@pytest.mark.django_db
def test_a_file_with_the_same_head_that_was_written_anew_is_read_anew(tmp_path, folder):
    log = LOGS["nat-flows"]
    path = tmp_path / "nat.log"
    path.write_bytes(log)
    read("nat-flows", path)
    end = log.index(b"\n", 5000) + 1
    other = [Flow(n, PUBLIC[1], 1500, 6, "100.64.0.1", 9000.0 + n, 9000.5 + n) for n in range(60)]
    path.write_bytes(log[:end] + log_of(other))
    assert path.stat().st_size > len(log)
    read("nat-flows", path)
    assert any(b"198.51.100.2" in line for line in log_of(other).splitlines())
    assert kept() >= 120


@pytest.mark.django_db(transaction=True)
@KINDS
def test_two_who_read_one_file_at_once_read_it_once(kind, tmp_path, folder):
    path = tmp_path / "today.log"
    path.write_bytes(LOGS[kind])
    found: dict[str, int] = {}
    begun, go_on = threading.Event(), threading.Event()

    def first_progress(_: int) -> None:
        begun.set()
        assert go_on.wait(30)

    def reading(name: str, progress) -> None:
        found[name] = read(kind, path, progress)
        connections.close_all()

    one = threading.Thread(target=reading, args=("one", first_progress))
    other = threading.Thread(target=reading, args=("other", lambda _: None))
    one.start()
    assert begun.wait(30)
    other.start()
    while other.is_alive() and not _somebody_waits():
        other.join(timeout=0.02)
    go_on.set()
    for thread in (one, other):
        thread.join(30)
    assert found == {"one": kept(), "other": 0}


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])
