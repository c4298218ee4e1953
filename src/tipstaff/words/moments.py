"""When something happened, and how surely that is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    def earliest(self) -> datetime:
        return self.at - timedelta(seconds=self.error_seconds)

    @property
    def latest(self) -> datetime:
        return self.at + timedelta(seconds=self.error_seconds)
