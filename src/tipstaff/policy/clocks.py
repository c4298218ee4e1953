"""Times that an edition sets, and when they end: for one party, in its own zone, with the holidays of one region.

Hours are hours. Days, months and business days are counted as people and courts count them: the day on which a clock
begins does not count, and it ends with the end of its last day where the party lives (so, for one, Regulation (EEC,
Euratom) No 1182/71, Article 3).
"""

import calendar as months_of_years
import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

from tipstaff.words import NaiveInstant

_DAY = timedelta(days=1)
_SATURDAY = 5


class ClockKind(enum.StrEnum):
    """Who set a clock: the operator may change its own, never a statute's."""

    OPERATOR = "operator"
    STATUTE = "statute"


class ClockUnit(enum.StrEnum):
    """What a clock counts in. Business days and months need a calendar, so they have no fixed length."""

    HOURS = "hours"
    DAYS = "days"
    BUSINESS_DAYS = "business_days"
    MONTHS = "months"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A time that the edition sets, or that a statute sets and the edition repeats."""

    id: str
    kind: ClockKind
    clause: str
    """The clause that it serves."""
    unit: ClockUnit
    amount: int
    not_before: int = 0
    """For a window: the earliest end, in the same unit."""
    source: str = ""
    """The statute, for a statute's clock; empty for the operator's own."""
    text_at: str = ""
    """Where the statute's words can be read, so that the clock can be held against them."""
    verified: str = ""
    """What of the statute's words was read, where and when, and what was not; in a sentence."""
    region: str = ""
    """Whose holidays count, as ISO 3166: `US`, `DE-BE`. Business days need one; a last day that falls on a day of
    rest there moves to the next business day."""
    says: str = ""

    @property
    def length(self) -> timedelta | None:
        """How long it is; None in business days and months, which only a calendar can tell."""
        if self.unit is ClockUnit.HOURS:
            return timedelta(hours=self.amount)
        return timedelta(days=self.amount) if self.unit is ClockUnit.DAYS else None

    @property
    def shortest_unit(self) -> timedelta:
        """What one of its unit lasts at the least; business days and months are never shorter than that."""
        return _SHORTEST[self.unit]


_SHORTEST = {
    ClockUnit.HOURS: timedelta(hours=1),
    ClockUnit.DAYS: _DAY,
    ClockUnit.BUSINESS_DAYS: _DAY,
    ClockUnit.MONTHS: 28 * _DAY,
}


class UnknownZone(LookupError):
    """There is no time zone of that name."""


class UnknownRegion(LookupError):
    """No holidays are known of that region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When a clock ends, in UTC. For a window also the moment from which it may."""

    by: datetime
    """The first instant that is too late."""
    not_before: datetime | None = None


def deadline(clock: Clock, *, at: datetime, zone: str = "UTC", region: str = "") -> Deadline:
    """When `clock` ends that began at the instant `at`, for a party in `zone`.

    The clock's own region, where it names one, stands above `region`: a statute's holidays are its own country's.
    Raises NaiveInstant, UnknownZone or UnknownRegion.
    """
    if at.tzinfo is None:
        raise NaiveInstant(str(at))
    at = _utc(at)  # Adding hours to a local time would skip or repeat those at which its clocks change.
    if clock.unit is ClockUnit.HOURS:
        earliest = at + timedelta(hours=clock.not_before) if clock.not_before else None
        return Deadline(by=at + timedelta(hours=clock.amount), not_before=earliest)
    lives = _zone(zone)
    began_on, region = at.astimezone(lives).date(), clock.region or region
    last = _counted(began_on, clock.unit, clock.amount, region)
    first = _counted(began_on, clock.unit, clock.not_before, region) if clock.not_before else None
    return Deadline(by=_start_of(last + _DAY, lives), not_before=_start_of(first, lives) if first is not None else None)


@cache
def zone_of(locale: str) -> str:
    """The time zone of the country that a locale names (`de-AT`), by the system's own list of zones; UTC for a locale
    without a country, and for a country with several zones, of which nobody may choose one."""
    _, _, country = locale.replace("_", "-").partition("-")
    for folder in TZPATH:
        try:
            lines = (Path(folder) / "zone.tab").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        rows = (line.split("\t") for line in lines if not line.startswith("#"))
        zones = [row[2] for row in rows if row[0] == country.upper()]
        return zones[0] if len(zones) == 1 else "UTC"
    return "UTC"


def is_business_day(day: date, *, region: str) -> bool:
    """Neither a weekend nor a public holiday of `region`. Saturday and Sunday are the weekend everywhere here."""
    return day.weekday() < _SATURDAY and day not in _holidays(region, day.year)


def is_region(region: str) -> bool:
    """Whether holidays are known of `region`."""
    try:
        _holidays(region, 2026)
    except UnknownRegion:
        return False
    return True


def _counted(began_on: date, unit: ClockUnit, amount: int, region: str) -> date:
    """The last day of a clock; it moves to a business day where the region is known."""
    if unit is ClockUnit.BUSINESS_DAYS:
        day = began_on
        for _ in range(amount):
            day = _next_business_day(day + _DAY, region)
        return day
    day = began_on + timedelta(days=amount) if unit is ClockUnit.DAYS else _months_later(began_on, amount)
    return _next_business_day(day, region) if region else day


def _next_business_day(day: date, region: str) -> date:
    while not is_business_day(day, region=region):
        day += _DAY
    return day


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, months_of_years.monthrange(year, month)[1]))


def _start_of(day: date, lives: ZoneInfo) -> datetime:
    """The first instant of `day` where the party lives, also where the clocks leave midnight out."""
    return _utc(datetime.combine(day, time.min, tzinfo=lives))


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as why:
        raise UnknownZone(f"there is no time zone {name!r}; one is written as Europe/Berlin.") from why


@cache
def _holidays(region: str, year: int) -> frozenset[date]:
    if not region:
        raise UnknownRegion("business days need a region whose holidays count, such as US or DE-BE.")
    import holidays  # Only here: it is large, and most processes never count a business day.

    country, _, part = region.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError as why:
        raise UnknownRegion(f"no holidays are known of {region!r}; a region is written as US or DE-BE.") from why
