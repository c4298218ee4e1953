"""Times in running text and in fields, with the zone as stated or the lack of it kept; what nobody can read, too."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tipstaff.words import Moment

from .dates import MONTHS, clock_follows, days_in, either_order, find_date, span, unplaced

_ZONE_TABLE = """
        UTC=0 GMT=0 Z=0 UT=0 WET=0 CET=60 MET=60 CEST=120 MEST=120 WEST=60 EET=120 EEST=180 MSK=180
        EST=-300 EDT=-240 CDT=-300 MST=-420 MDT=-360 PDT=-420 JST=540 KST=540 HKT=480
        SGT=480 AEST=600 AEDT=660 AWST=480 ACST=570 NZST=720 NZDT=780 BRT=-180 BRST=-120 ART=-180 CLT=-240
        MEZ=60 MESZ=120 SAST=120 AKST=-540 AKDT=-480 HST=-600 TRT=180 PKT=300 WIB=420 ICT=420
        """
_ZONES = {name: int(minutes) for name, _, minutes in (x.partition("=") for x in _ZONE_TABLE.split())}
"""Minutes east of UTC. IST, CST, BST, PST and a few others mean several zones and are left out: then no zone is stated.

CST is also China's and Cuba's, BST also that of Bangladesh, PST also that of the Philippines, and many write these.
"""
_SEASONS = {
    name: ZoneInfo(place)
    for place, names in {
        "Europe/Lisbon": "WET WEST",
        "Europe/Berlin": "CET MET MEZ CEST MEST MESZ",
        "Europe/Athens": "EET EEST",
        "America/New_York": "EST EDT",
        "America/Chicago": "CDT",
        "America/Denver": "MST MDT",
        "America/Los_Angeles": "PDT",
        "America/Anchorage": "AKST AKDT",
        "Australia/Sydney": "AEST AEDT",
        "Pacific/Auckland": "NZST NZDT",
    }.items()
    for name in names.split()
}
"""Where each of these names holds for half of the year. In the other half the clock on the wall may be meant."""
_OUT_OF_SEASON_SECONDS = 3600.0


class _Zone(int):
    """Minutes east of UTC, and by which name a text stated them."""

    name = ""


_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([AaPp]\.?[Mm]\b\.?))?"
_OR_ANOTHER = (
    rf"(?!\s?(?:[/&(]|bzw\.?|oder|or|and|und)\s?(?:{'|'.join(_ZONES)}|[ICBPA]ST)\b(?!\s?[+-]\d)"
    r"|\s?\(?(?:[Ss]ommer|[Ss]ummer|[Ww]inter|DST\b|[Dd]aylight))"
)
"""Behind a zone's name: what says that another may be meant, so that none is stated."""
_NO_CLOCK = r"(?!:?\d|\s?(?:[Uu]hr|h\b|[AaPp]\.?[Mm]\b))"
"""Behind an offset: what would make it the end of a span of time."""
_ZONE = (
    r"(?:(?:\s[Uu]hr)?\s?\(?(Z\b|(?:UTC|GMT)(?=\s?[/(]\s?(?:UTC|GMT)\b)|"
    rf"[A-Z]{{2,5}}\b(?:\s?[+-]\d{{1,2}}(?::?\d{{2}})?\b)?{_OR_ANOTHER}|"
    rf"(?:UTC|GMT)?\s?[+-]\d{{2}}:?\d{{2}}{_NO_CLOCK}|[+-]\d{{2}}\b{_NO_CLOCK}))?"
)
_PATTERNS = (
    (
        "iso",
        re.compile(
            rf"(?<!\d)(20\d\d)[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?:[T_,]|\s{{1,3}}(?:at |@ |-\s?)?){_CLOCK}{_ZONE}"
        ),
    ),
    ("clf", re.compile(rf"(?<!\d)(\d{{1,2}})/([A-Z][a-z]{{2}})/(20\d\d):{_CLOCK}{_ZONE}")),
    (
        "rfc",
        re.compile(
            r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?[. -]{1,2}(?:de |of )?([^\W\d_]{3,12})\.?,?[ -](?:de )?(20\d\d),?"
            rf"(?:\s(?:at |um |à )?|T|,\s?){_CLOCK}{_ZONE}"
        ),
    ),
    (
        "us",
        re.compile(
            r"\b([A-Z][a-z]{2,8})\.? {1,2}(\d{1,2})(?:st|nd|rd|th)?,? (20\d\d),?"
            rf"(?:\s(?:at |@ )?|,\s?){_CLOCK}{_ZONE}"
        ),
    ),
    ("ctime", re.compile(rf"\b([A-Z][a-z]{{2}}) {{1,2}}(\d{{1,2}}) {_CLOCK}(?: ([A-Z]{{3,4}}))? (20\d\d)")),
    (
        "dmy",
        re.compile(
            r"(?<!\d)(\d{1,2})([./-])(\d{1,2})[./-](20\d\d),?"
            rf"(?:\s{{1,3}}(?:at |um |- ?|@ )?|T){_CLOCK}{_ZONE}"
        ),
    ),
    (
        "compact",
        re.compile(r"(?<!\d)(20\d\d)(\d\d)(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)(Z|\s?[+-]\d{2}:?\d{2})?(?!\d)"),
    ),
)
_CLOCK_FACE = re.compile(r"\d:\d\d")
_COMPACT = _PATTERNS[-1][1]
_SYSLOG = re.compile(
    r"\b([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})\b(?! ?20\d\d)"
    r"(?: (UTC|GMT|CES?T|MES?Z|[+-]\d{4})(?= ))?"
)
"""Between the time and the host some write a zone. Other zones' names may be a host's."""
_ZONE_WORD = re.compile(r"UTC|GMT|\b[A-Z]{2,4}T\b|\bMES?Z\b|[+-]\d\d:?\d\d|utc|gmt")
_STATED = re.compile(
    r"(?:\b(?:logs?|flows?|entries|events|lines|list|records?)\b[^\n()]{0,20}(?=\((?:UTC|GMT|"
    r"[A-Z]{1,4}T)\b)|time ?zone|timezone|times?(?:\s?stamps?)?(?: (?:are|is|in|shown|given|"
    r"included|listed|"
    r"stated)){0,3}|zeitzone|uhrzeiten?|TZ)"
    r"[^\n\w+-]{0,6}(?:(?:are|is|in|all|the) ){0,3}\(?((?:UTC|GMT)\s?[+-]\s?\d{1,2}(?::?\d{2})?|"
    rf"(?:UTC|GMT)(?=\s?[/(]\s?(?:UTC|GMT)\b)|(?:[A-Z]{{1,4}}T|MES?Z|UTC|GMT)\b{_OR_ANOTHER}|"
    r"Z\b|[+-]\d{2}:?\d{2})",
    re.IGNORECASE,
)


def stated_zone(text: str) -> int | None:
    """Minutes east of UTC that a mail states once for all its times (`all times are UTC`), or None."""
    text = text[:8000]
    if not _ZONE_WORD.search(text):
        return None
    for line in text.split("\n"):
        if _ZONE_WORD.search(line):
            found = _STATED.search(line)
            if found:
                return _offset(found[1].upper())
    return None


def find_moment(line: str, *, zone: int | None = None, year_of: datetime | None = None) -> Moment | None:
    """The first instant that a line states.

    `zone` (minutes) is what the mail states for all times; `year_of` is the mail's own date, which lends its year
    to log lines that have none.
    """
    found = _instant(line, zone, year_of)
    return found[1] if found else None


class Stated(NamedTuple):
    """A time as a text states it. One that is stated and cannot be placed is not the same as none."""

    moment: Moment | None = None
    unread: str = ""
    """The words of a time that was stated and not understood; nobody may be named by the lack of it."""

    @property
    def is_day(self) -> bool:
        """Whether it is a day, or more, rather than an instant."""
        return self.moment is not None and self.moment.of_days

    def agrees(self, other: Moment) -> bool:
        """Whether both may mean the same instant."""
        mine = self.moment
        return mine is not None and mine.earliest <= other.latest and other.earliest <= mine.latest


def find_stated(line: str, *, zone: int | None = None, year_of: datetime | None = None) -> Stated:
    """The first instant that a line states, else the first day; two that cannot both be meant are understood by nobody.

    `zone` and `year_of` as for `find_moment`.
    """
    instant = _instant(line, zone, year_of)
    if instant is None:
        return Stated(find_date(line))
    start, moment = instant
    years = [x.start() for x in _YEAR.finditer(line)]
    if len(years) < 2 and all(start <= x < start + _INSTANT_LONGEST for x in years):
        return Stated(moment)  # The only year is its own: no other day stands here.
    for day in days_in(line):
        if day.start != start and not clock_follows(line, day) and not Stated(day.moment).agrees(moment):
            return Stated(None, line[day.start : day.end])
    return Stated(moment)


_YEAR = re.compile(r"20\d\d")
_INSTANT_LONGEST = 40


def parse_timestamp(value: str, *, zone: int | None = None, year_of: datetime | None = None) -> Moment | None:
    """A time stamp that stands alone in a field: ISO 8601, RFC 5322, seconds or milliseconds since 1970, or a day."""
    value = value.strip()[:100]
    if _COUNTED.fullmatch(value):
        return _since_1970(value) or find_date(f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 else "")
    if _DAY_OF_YEAR.fullmatch(value):
        day = date(int(value[:4]), 1, 1) + timedelta(days=int(value[5:]) - 1)
        return find_date(str(day) if day.year == int(value[:4]) else "")
    return find_stated(value, zone=zone, year_of=year_of).moment


def read_time(*values: str, zone: int | None = None, year_of: datetime | None = None) -> Stated:
    """The time in the first of a form's fields that can be read; else what the first one that is filled in says."""
    for value in values:
        if moment := parse_timestamp(value, zone=zone, year_of=year_of):
            return Stated(moment)
    filled = (shown(x) for x in values if x.strip().lower() not in _NOT_STATED)
    return Stated(None, next(filled, ""))


_DAY_OF_YEAR = re.compile(r"20\d\d-\d{3}")
"""An ordinal date (ISO 8601). In prose it may as well be the number of a ticket."""
_COUNTED = re.compile(r"\d{8,10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19}")
_SINCE, _UNTIL = 946_684_800, 4_102_444_800
"""The years 2000 to 2099: a number beyond them is no time of an event."""
_UNREAD_SHOWN = 60
_NOT_STATED = frozenset(["", "-", "--", "?", "n/a", "na", "none", "null", "nil", "unknown", "not available"])
"""What fills a field and says that no time is known."""


def _since_1970(value: str) -> Moment | None:
    """Seconds since 1970, or milli-, micro- and nanoseconds by their number of digits."""
    whole, _, _ = value.partition(".")
    seconds = int(whole) // {13: 10**3, 16: 10**6, 19: 10**9}.get(len(whole), 1)
    return Moment(datetime.fromtimestamp(seconds, tz=UTC)) if _SINCE <= seconds < _UNTIL else None


def stated_in(subject: str, body: str, *, year_of: datetime | None = None) -> Stated:
    """What a letter says of the time, for a form that has no field for it or an empty one.

    That is the time that it names, where it names no other; else the words of the first that cannot be placed.
    """
    zone = stated_zone(body)
    first = Stated()
    lines = [x[:600] for x in (subject, *body[:_PROSE_LONGEST].splitlines())]
    may_be_unread = bool(unplaced("\n".join(lines)))
    for line in lines:
        found = find_stated(line, zone=zone, year_of=year_of)
        unread = found.unread or ("" if found.moment or not may_be_unread else unplaced(line))
        if found.moment is not None:
            if first.moment is not None and not first.agrees(found.moment):
                unread = line.strip()
            elif first.moment is None or found.moment.error_seconds < first.moment.error_seconds:
                first = found
        if unread:
            return Stated(None, shown(unread))
    return first


def shown(unread: str) -> str:
    """Words of a time, for a person."""
    return " ".join(unread.split())[:_UNREAD_SHOWN]


_PROSE_LONGEST = 20_000


def _instant(line: str, zone: int | None, year_of: datetime | None) -> tuple[int, Moment] | None:
    """The first instant of a line and where it begins."""
    if ":" not in line:
        compact = _COMPACT.search(line)
        moment = _moment("compact", compact, zone) if compact else None
        return (compact.start(), moment) if compact and moment else None
    if not _CLOCK_FACE.search(line):
        return None
    earliest: tuple[int, Moment] | None = None
    for form, pattern in _PATTERNS:
        found = pattern.search(line)
        if found and (earliest is None or found.start() < earliest[0]):
            moment = _moment(form, found, zone)
            if moment:
                earliest = (found.start(), moment)
    if earliest:
        return earliest
    found = _SYSLOG.search(line)
    if found and year_of is not None:
        moment = _from_syslog(found, zone, year_of)
        return (found.start(), moment) if moment else None
    return None


def _moment(form: str, x: re.Match[str], zone: int | None) -> Moment | None:
    try:
        if form == "iso":
            year, month, day, rest = int(x[1]), int(x[2]), int(x[3]), 4
        elif form == "clf" or form == "rfc":
            year, month, day, rest = int(x[3]), MONTHS[x[2].lower()], int(x[1]), 4
        elif form == "us":
            year, month, day, rest = int(x[3]), MONTHS[x[1].lower()], int(x[2]), 4
        elif form == "ctime":
            year, month, day = int(x[8]), MONTHS[x[1].lower()], int(x[2])
            return _at(year, month, day, x[3], x[4], x[5], x[6], x[7], zone)
        elif form == "compact":
            return _at(int(x[1]), int(x[2]), int(x[3]), x[4], x[5], x[6], None, x[7], zone)
        else:
            ways = [
                _at(year, month, day, x[5], x[6], x[7], x[8], x[9], zone)
                for year, month, day in either_order(int(x[1]), int(x[3]), int(x[4]), x[2])
            ]
            return _covering([x for x in ways if x is not None])
        return _at(year, month, day, x[rest], x[rest + 1], x[rest + 2], x[rest + 3], x[rest + 4], zone)
    except (KeyError, ValueError):
        return None


def _covering(ways: list[Moment]) -> Moment | None:
    """One moment that covers all that may be meant."""
    if len(ways) < 2:
        return ways[0] if ways else None
    middle, error = span([x.at for x in ways], error_seconds=max(x.error_seconds for x in ways))
    return Moment(middle, error, zone_stated=all(x.zone_stated for x in ways))


def _at(
    year: int,
    month: int,
    day: int,
    hour: str,
    minute: str,
    second: str | None,
    half: str | None,
    zone_text: str | None,
    zone: int | None,
) -> Moment | None:
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half[0] in "Pp" else 0)
    naive = datetime(year, month, day, hours, int(minute), min(59, int(second or 0)))  # noqa: DTZ001 - its zone is settled below.
    beside = (zone_text or "").strip().upper()
    if not second and _is_later_clock(beside, naive):
        beside = ""
    return _in_zone(naive, _offset(beside), zone, error_seconds=1.0 if second else 60.0)


def _is_later_clock(offset: str, than: datetime) -> bool:
    """Whether what stands behind a clock may be the end of a span (`08:05-09:30`) as well as an offset."""
    found = re.fullmatch(r"-(\d\d):(\d\d)", offset)
    return found is not None and (int(found[1]), int(found[2])) > (than.hour, than.minute)


def _in_zone(naive: datetime, beside: _Zone | None, stated: int | None, *, error_seconds: float) -> Moment:
    """A clock's time in the zone that stands beside it, else in the one that the mail states."""
    zone = stated if beside is None else beside
    if zone is None:
        return Moment.without_zone(naive, error_seconds=error_seconds)
    offset = timedelta(minutes=zone)
    there = _SEASONS.get(zone.name) if isinstance(zone, _Zone) else None
    # Where the clocks are changed, one hour has both offsets, and another none: neither name is out of season.
    if there and offset not in {naive.replace(tzinfo=there, fold=x).utcoffset() for x in (0, 1)}:
        error_seconds += _OUT_OF_SEASON_SECONDS
    return Moment(naive.replace(tzinfo=timezone(offset)), error_seconds=error_seconds)


def _offset(zone: str) -> _Zone | None:
    zone = zone.strip(" ()")
    if zone in _ZONES:
        named = _Zone(_ZONES[zone])
        named.name = zone
        return named
    found = re.fullmatch(r"([A-Z]{2,5})?\s?([+-])\s?(\d{1,2}):?(\d{2})?", zone)
    if not found:
        return None
    minutes = int(found[3]) * 60 + int(found[4] or 0)
    if minutes > (14 if found[2] == "+" else 12) * 60 or minutes % 15:
        return None
    minutes = minutes if found[2] == "+" else -minutes
    base = _ZONES.get(found[1] or "UTC")
    # `MEZ+1` may count from MEZ or from UTC; `CET +0100` says the same twice.
    return _Zone(minutes) if not base or (base == minutes and len(found[3]) > 1) else None


def _from_syslog(x: re.Match[str], zone: int | None, year_of: datetime) -> Moment | None:
    month = MONTHS.get(x[1].lower())
    if month is None:
        return None
    # A log line of December in a mail of January is last year's.
    year = year_of.year - 1 if month > year_of.month + 1 else year_of.year
    try:
        naive = datetime(year, month, int(x[2]), int(x[3]), int(x[4]), min(59, int(x[5])))  # noqa: DTZ001 - its zone is settled below.
    except ValueError:
        return None
    return _in_zone(naive, _offset(x[6] or ""), zone, error_seconds=1.0)
