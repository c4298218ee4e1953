"""While a maintenance window lasts, a device is neither read nor written; then everything is caught up with."""

from datetime import UTC, datetime, timedelta

import pytest

from tipstaff import wiring
from tipstaff.config import DeviceConfig
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.windows import BadWindow, maintenance_until, read_windows
from tipstaff.wiring.enforcer import Enforcer


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)  # The 3rd is a Sunday.


@pytest.mark.parametrize(
    ("text", "when", "ends"),
    [
        ("sun 02:00-04:00", at(3, 2), at(3, 4)),
        ("sun 02:00-04:00", at(3, 3, 59), at(3, 4)),
        ("sun 02:00-04:00", at(3, 4), None),
        ("sun 02:00-04:00", at(4, 3), None),
        ("Sun 23:00-01:00", at(4, 0, 30), at(4, 1)),
        ("sun 23:00-01:00", at(3, 0, 30), None),
        ("daily 23:30-00:30", at(6, 0, 15), at(6, 0, 30)),
        ("daily 23:30-00:30", at(6, 23, 45), at(7, 0, 30)),
        ("daily 20:00-24:00", at(6, 23, 59), at(7, 0)),
        ("2026-05-05T10:00/2026-05-06T10:00", at(6, 9, 59), at(6, 10)),
        ("2026-05-05T10:00/2026-05-06T10:00", at(6, 10), None),
    ],
)
def test_a_window_lasts_from_its_beginning_to_its_end(text: str, when: datetime, ends: datetime | None) -> None:
    assert maintenance_until(read_windows([text]), when) == ends


def test_of_windows_that_overlap_the_last_end_counts() -> None:
    windows = read_windows(["sun 02:00-04:00", "2026-05-03T03:00/2026-05-03T06:00"])
    assert maintenance_until(windows, at(3, 3, 30)) == at(3, 6)


@pytest.mark.parametrize(
    "text", ["", "sunday 02:00-04:00", "sun 2-4", "sun 25:00-26:00", "2026-05-06T10:00/2026-05-05T10:00",
             "2026-13-01T00:00/2026-14-01T00:00"]
)  # fmt: skip
def test_what_is_no_window_is_told_with_what_one_is(text: str) -> None:
    with pytest.raises(BadWindow, match=r"a window is sun 02:00-04:00"):
        read_windows([text])


@pytest.mark.django_db
def test_the_enforcer_leaves_a_device_alone_while_its_window_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    device = DeviceConfig(name="edge1", driver="memory", maintenance=("sun 02:00-04:00",))
    twin, now = MemoryTwin("edge1"), [at(3, 3, 59)]
    monkeypatch.setattr(wiring, "now", lambda: now[0])
    read: list[datetime] = []
    observe = twin.observe
    monkeypatch.setattr(twin, "observe", lambda *, at: read.append(at) or observe(at=at))
    enforcer = Enforcer()
    enforcer._devices = ((device, twin),)
    enforcer.converge()
    assert read == []
    now[0] = at(3, 4)
    enforcer.converge()
    assert read
    assert set(read) == {at(3, 4)}


def test_clocks_that_jump_are_not_believed_at_once() -> None:
    from tipstaff.wiring.enforcer import JUMP_SECONDS, PATIENCE_SECONDS, Clock

    clock = Clock()
    assert clock.doubt(at(3, 3), ticks=0) == ""
    assert clock.doubt(at(3, 3) + timedelta(seconds=5), ticks=5) == ""
    ahead = timedelta(seconds=JUMP_SECONDS + 60)
    assert "jumped" in clock.doubt(at(3, 3) + ahead, ticks=10)
    assert "jumped" in clock.doubt(at(3, 3) + ahead + timedelta(seconds=5), ticks=15)
    assert clock.doubt(at(3, 3) + timedelta(seconds=20), ticks=20) == "", "it was set right again"
    assert "jumped" in clock.doubt(at(3, 3) + ahead, ticks=25)
    late = 25 + PATIENCE_SECONDS
    assert clock.doubt(at(3, 3) + ahead + timedelta(seconds=PATIENCE_SECONDS), ticks=late) == "", "it is so"
    assert clock.doubt(at(3, 3) + ahead + timedelta(seconds=PATIENCE_SECONDS + 5), ticks=late + 5) == ""
    assert "jumped" in clock.doubt(at(3, 3), ticks=late + 10), "backwards too: nothing is late then, but it is odd"
