"""When something happened, and how surely that is known."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

UNKNOWN_ZONE_SECONDS = 14 * 3600
"""Civil time differs from UTC by at most 14 hours (the IANA zones span UTC-12 to UTC+14)."""


class NaiveInstant(ValueError):
    """An instant came without a zone; state the zone, or its lack as a Moment with `zone_stated=False`."""


def require_aware(at: datetime) -> datetime:
    """Return `at` in UTC; raise NaiveInstant if it has no zone."""
    if at.tzinfo is None:
        raise NaiveInstant(str(at))
    return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as a reporter stated it: `at` is UTC, the truth lies within `at` ± `error_seconds`.

    A time that was stated without a zone is kept as if it were UTC, with an error of 14 hours and
    `zone_stated=False`: attribution then sees for itself whether the missing zone matters.
    """

    at: datetime
    error_seconds: float = 1.0
    zone_stated: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_aware(self.at))

    @classmethod
    def without_zone(cls, naive: datetime, *, error_seconds: float = 1.0) -> "Moment":
        return cls(naive.replace(tzinfo=UTC), error_seconds + UNKNOWN_ZONE_SECONDS, zone_stated=False)

    @property
    def of_days(self) -> bool:
        """Whether it is a day or more: no hour was stated, or one of two days."""
        return self._as_written_seconds >= 12 * 3600

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day that may be meant, in the zone in which it was stated."""
        around = timedelta(seconds=self._as_written_seconds)
        return (self.at - around).date(), (self.at + around - timedelta(microseconds=1)).date()

    @property
    def days_said(self) -> str:
        """Those days as ISO 8601 writes them: `2026-10-25`, or `2026-10-11 to 2026-11-10`."""
        first, last = self.days
        return str(first) if first == last else f"{first} to {last}"

    @property
    def _as_written_seconds(self) -> float:
        return self.error_seconds - (0 if self.zone_stated else UNKNOWN_ZONE_SECONDS)

    @property
    def earliest(self) -> datetime:
        return self.at - timedelta(seconds=self.error_seconds)

    @property
    def latest(self) -> datetime:
        return self.at + timedelta(seconds=self.error_seconds)
