"""Instants in running text, with the zone as stated or the lack of it kept."""

import re
from datetime import UTC, datetime, timedelta, timezone

from tipstaff.words import Moment

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio janeiro januari stycznia",
            "feb february februar fevrier février febrero febbraio fevereiro februari fev fév lutego",
            "mar march märz mrz mars marzo março maart maa marca",
            "apr april avril avr abril aprile abr kwietnia",
            "may mai mayo maggio maio mei mag maja",
            "jun june juni juin junio giugno junho giu czerwca",
            "jul july juli juillet julio luglio julho lug lipca",
            "aug august août aout agosto augustus ago sierpnia",
            "sep sept september septembre septiembre settembre setembro set września",
            "oct october oktober octobre octubre ottobre outubro okt ott out października",
            "nov november novembre noviembre novembro listopada",
            "dec december dezember dez décembre decembre diciembre dicembre dezembro dic dez grudnia",
        ),
        1,
    )
    for name in names.split()
}
_ZONE_TABLE = """
        UTC=0 GMT=0 Z=0 UT=0 WET=0 CET=60 MET=60 CEST=120 MEST=120 WEST=60 BST=60 EET=120 EEST=180 MSK=180
        EST=-300 EDT=-240 CST=-360 CDT=-300 MST=-420 MDT=-360 PST=-480 PDT=-420 JST=540 KST=540 HKT=480
        SGT=480 AEST=600 AEDT=660 AWST=480 ACST=570 NZST=720 NZDT=780 BRT=-180 BRST=-120 ART=-180 CLT=-240
        SAST=120 AKST=-540 AKDT=-480 HST=-600 TRT=180 PKT=300 WIB=420 ICT=420
        """
_ZONES = {name: int(minutes) for name, _, minutes in (x.partition("=") for x in _ZONE_TABLE.split())}
"""Minutes east of UTC. IST and a few others mean several zones and are left out: then no zone is stated."""

_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([AaPp]\.?[Mm]\b\.?))?"
_ZONE = r"(?:\s?\(?(Z\b|[A-Z]{2,5}\b(?:\s?[+-]\d{1,2}(?::?\d{2})?)?|(?:UTC|GMT)?\s?[+-]\d{2}:?\d{2}|[+-]\d{2}\b))?"
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
_SYSLOG = re.compile(r"\b([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})\b(?! ?20\d\d)")
_DATE_ONLY = re.compile(r"(?<![\d.])(20\d\d)-(\d{2})-(\d{2})(?![\d-])")
_ZONE_WORD = re.compile(r"UTC|GMT|\b[A-Z]{2,4}T\b|[+-]\d\d:?\d\d|utc|gmt")
_STATED = re.compile(
    r"(?:\b(?:logs?|flows?|entries|events|lines|list|records?)\b[^\n()]{0,20}(?=\((?:UTC|GMT|"
    r"[A-Z]{1,4}T)\b)|time ?zone|timezone|times?(?:\s?stamps?)?(?: (?:are|is|in|shown|given|"
    r"included|listed|"
    r"stated)){0,3}|zeitzone|uhrzeiten?|TZ)"
    r"[^\n\w+-]{0,6}(?:(?:are|is|in|all|the) ){0,3}\(?((?:UTC|GMT)\s?[+-]\s?\d{1,2}(?::?\d{2})?|"
    r"[A-Z]{1,4}T\b|UTC\b|GMT\b|Z\b|[+-]\d{2}:?\d{2})",
    re.IGNORECASE,
)


def stated_zone(text: str) -> int | None:
    """Minutes east of UTC that a mail states once for all its times (`all times are UTC`), or None."""
    for line in text[:8000].split("\n"):
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
    if ":" not in line:
        compact = _COMPACT.search(line)
        return _moment("compact", compact, zone) if compact else None
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
        return earliest[1]
    found = _SYSLOG.search(line)
    if found and year_of is not None:
        return _from_syslog(found, zone, year_of)
    return None


def find_date(line: str) -> Moment | None:
    """A day without a time of day: known to within twelve hours, in an unknown zone."""
    found = _DATE_ONLY.search(line)
    if not found:
        return None
    try:
        noon = datetime(int(found[1]), int(found[2]), int(found[3]), 12)  # noqa: DTZ001 - the zone is unknown, and kept so.
    except ValueError:
        return None
    return Moment.without_zone(noon, error_seconds=12 * 3600)


def parse_timestamp(value: str) -> Moment | None:
    """A time stamp that stands alone in a field: ISO 8601, RFC 5322, or seconds since 1970."""
    value = value.strip()[:100]
    if value.isdigit() and 9 <= len(value) <= 10:
        return Moment(datetime.fromtimestamp(int(value), tz=UTC))
    return find_moment(value)


def _moment(form: str, x: re.Match[str], zone: int | None) -> Moment | None:
    try:
        if form == "iso":
            year, month, day, rest = int(x[1]), int(x[2]), int(x[3]), 4
        elif form == "clf" or form == "rfc":
            year, month, day, rest = int(x[3]), _MONTHS[x[2].lower()], int(x[1]), 4
        elif form == "us":
            year, month, day, rest = int(x[3]), _MONTHS[x[1].lower()], int(x[2]), 4
        elif form == "ctime":
            year, month, day = int(x[8]), _MONTHS[x[1].lower()], int(x[2])
            return _at(year, month, day, x[3], x[4], x[5], x[6], x[7], zone)
        elif form == "compact":
            return _at(int(x[1]), int(x[2]), int(x[3]), x[4], x[5], x[6], None, x[7], zone)
        else:
            first, second, year, rest = int(x[1]), int(x[3]), int(x[4]), 5
            # A day above 12 settles the order; else slashes are read as month first, dots as day first.
            month_first = second > 12 or (x[2] == "/" and first <= 12)
            month, day = (first, second) if month_first else (second, first)
        return _at(year, month, day, x[rest], x[rest + 1], x[rest + 2], x[rest + 3], x[rest + 4], zone)
    except (KeyError, ValueError):
        return None


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
    error = 1.0 if second else 60.0
    offset = _offset((zone_text or "").strip().upper()) if zone_text else None
    if offset is None:
        offset = zone
    if offset is None:
        return Moment.without_zone(naive, error_seconds=error)
    return Moment(naive.replace(tzinfo=timezone(timedelta(minutes=offset))), error_seconds=error)


def _offset(zone: str) -> int | None:
    zone = zone.strip(" ()")
    if not zone:
        return None
    if zone in _ZONES:
        return _ZONES[zone]
    found = re.fullmatch(r"(?:[A-Z]{2,5})?\s?([+-])\s?(\d{1,2}):?(\d{2})?", zone)
    if not found:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    if minutes > 14 * 60:
        return None
    return minutes if found[1] == "+" else -minutes


def _from_syslog(x: re.Match[str], zone: int | None, year_of: datetime) -> Moment | None:
    month = _MONTHS.get(x[1].lower())
    if month is None:
        return None
    # A log line of December in a mail of January is last year's.
    year = year_of.year - 1 if month > year_of.month + 1 else year_of.year
    try:
        naive = datetime(year, month, int(x[2]), int(x[3]), int(x[4]), min(59, int(x[5])))  # noqa: DTZ001 - its zone is settled below.
    except ValueError:
        return None
    if zone is None:
        return Moment.without_zone(naive)
    return Moment(naive.replace(tzinfo=timezone(timedelta(minutes=zone))))
