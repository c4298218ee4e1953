"""Maintenance windows of a device: while one lasts, nobody reads it and nothing is sent to it. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun|daily) (\d\d):(\d\d)-(\d\d):(\d\d)")
_ONCE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)/(\d{4}-\d\d-\d\dT\d\d:\d\d)")
_DAY = timedelta(days=1)


class BadWindow(ValueError):
    """A maintenance window is none; the message says which, and how one is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Once, from `begins` to `ends`; or each week on `weekday` (Monday is 0), or each day, at a time of the day."""

    begins: datetime | timedelta
    ends: datetime | timedelta
    """As a time of the day it may lie past midnight: more than 24 hours."""
    weekday: int | None = None

    def until(self, at: datetime) -> datetime | None:
        """When it ends, if it lasts at `at`."""
        if isinstance(self.begins, datetime):
            assert isinstance(self.ends, datetime), "both are instants"
            return self.ends if self.begins <= at < self.ends else None
        assert isinstance(self.ends, timedelta), "both are times of the day"
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (midnight - _DAY, midnight):  # Yesterday's may have gone past midnight.
            if self.weekday in (None, day.weekday()) and day + self.begins <= at < day + self.ends:
                return day + self.ends
        return None


def read_windows(texts: Sequence[str]) -> tuple[Window, ...]:
    """Windows as the settings write them: `sun 02:00-04:00`, `daily 23:30-00:30`, `2026-12-01T02:00/2026-12-01T04:00`.

    All in UTC. Raise BadWindow for anything else.
    """
    return tuple(_read(text) for text in texts)


def maintenance_until(windows: Sequence[Window], at: datetime) -> datetime | None:
    """When the maintenance that lasts at `at` ends; None if none does."""
    return max(filter(None, (window.until(at) for window in windows)), default=None)


def _read(text: str) -> Window:
    bad = BadWindow(
        f"maintenance has {text!r}, but a window is sun 02:00-04:00, daily 23:30-00:30, or "
        "2026-12-01T02:00/2026-12-01T04:00, in UTC"
    )
    if told := _WEEKLY.fullmatch(text.strip().lower()):
        day, *numbers = told.groups()
        h1, m1, h2, m2 = map(int, numbers)
        if h1 > 23 or h2 > 24 or m1 > 59 or m2 > 59:
            raise bad
        begins, ends = timedelta(hours=h1, minutes=m1), timedelta(hours=h2, minutes=m2)
        if ends <= begins:
            ends += _DAY
        return Window(begins=begins, ends=ends, weekday=None if day == "daily" else _DAYS.index(day))
    if told := _ONCE.fullmatch(text.strip()):
        try:
            first, last = (datetime.fromisoformat(x).replace(tzinfo=UTC) for x in told.groups())
        except ValueError:
            raise bad from None
        if first < last:
            return Window(begins=first, ends=last)
    raise bad
