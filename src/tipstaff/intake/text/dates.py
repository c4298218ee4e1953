"""Days in running text and in fields, and the words of a time that nobody can place ("last month", "Sunday 25 Oct")."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tipstaff.words import Moment

from .phrases import Phrases, alternatives

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar jänner janvier janv enero ene gennaio genn gen janeiro januari januára stycznia sty "
            "января янв ocak",
            "feb february februar febr februari februára fevrier février févr fevr febrero febbraio febb fevereiro "
            "fev fév lutego lut февраля фев şubat",
            "mar march märz maerz mrz mars marzo março marco maart maa marts marca марта мар mart",
            "apr april avril avr abril aprile abr kwietnia kwi апреля апр nisan",
            "may mai mayo maggio magg maio mei mag maja maj мая mayıs",
            "jun june juni juin junio giugno giu junho czerwca cze июня июн haziran",
            "jul july juli juillet juil julio luglio julho lug lipca lip июля июл temmuz",
            "aug august août aout agosto augusti augustus ago sierpnia sie августа авг ağustos",
            "sep sept september septembre septiembre setiembre settembre setembro set września wrz сентября сен eylül",
            "oct october oktober octobre octubre ottobre outubro okt ott out października paź октября окт ekim",
            "nov november novembre noviembre novembro listopada lis ноября ноя kasım",
            "dec december dezember dez décembre decembre déc diciembre dicembre dezembro desember dic des grudnia gru "
            "декабря дек aralık",
        ),
        1,
    )
    for name in names.split()
}
"""Months by their names and short names in dates: en, de, fr, es, it, pt, nl, sv, da, no, pl, ru and tr."""

_DAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
    "sonnabend|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|"
    "sábado|domingo|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|segunda-feira|terça-feira|quarta-feira|"
    "quinta-feira|sexta-feira|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag"
)
_SAID = {
    "en": rf"yesterday|last (?:night|week|weekend|month|year|{_DAYS})|previous (?:night|week|month)|"
    r"past (?:week|month)|(?:\d{1,3}|a|an|one|two|three|four|five|six|seven|several|few|some) "
    r"(?:days?|weeks?|months?|years?) ago|"
    r"earlier this (?:week|month|year)|the other day",
    "de": rf"gestern|vorgestern|(?:letzte[nrs]?|vorige[nrs]?|vergangene[nrs]?) (?:nacht|woche|"
    rf"wochenende|monat|jahr|{_DAYS})|"
    r"vor (?:\d{1,3}|einem|einer|zwei|drei|vier|fünf|sechs|einigen|wenigen|mehreren) "
    r"(?:tag|woche|monat|jahr)(?:en|e|n)?",
    "fr": rf"avant-hier|(?:d'|depuis )hier|hier (?:soir|matin|à|vers|après-midi)|"
    rf"(?:la semaine|le mois|la nuit|l'année|{_DAYS}) (?:derni(?:er|ère)|passée?)|"
    r"il y a (?:\d{1,3}|une?|deux|trois|quatre|quelques|plusieurs) (?:jours?|semaines?|mois|ans?)",
    "es": rf"ayer|anteayer|anoche|(?:la semana|el mes|el año|el fin de semana|{_DAYS}) (?:pasad[oa])|"
    r"hace (?:\d{1,3}|una?|dos|tres|cuatro|varios|varias|unos|unas) (?:días?|semanas?|meses|mes|años?)",
    "pt": r"ontem|anteontem|(?:a semana|o mês|o ano|na semana|no mês) passad[oa]|"
    r"há (?:\d{1,3}|uma?|dois|duas|três|quatro|vários|várias|alguns|algumas) (?:dias?|semanas?|meses|mês|anos?)",
    "it": rf"ieri|l'altro ieri|(?:la settimana|il mese|l'anno|{_DAYS}) scors[oa]|"
    r"(?:\d{1,3}|una?|due|tre|quattro|alcuni|alcune) (?:giorni|giorno|settimane|settimana|mesi|mese|anni) fa",
    "nl": rf"gisteren|eergisteren|(?:vorige|afgelopen) (?:nacht|week|weekend|maand|jaar|{_DAYS})|"
    r"(?:\d{1,3}|een|twee|drie|vier|enkele) (?:dagen|dag|weken|week|maanden|maand|jaar) geleden",
}
"""What says when, in each language, and is no day that could be looked up."""
_RELATIVE = re.compile(rf"\b(?:{'|'.join(_SAID.values())})\b", re.IGNORECASE)
_MAY_BE_RELATIVE = Phrases("|".join(rf"\b{x}\b" for said in _SAID.values() for x in alternatives(said)))
"""A part of each of those words, looked for first because it is sooner found to be absent."""

_NAME = r"([^\W\d_]{3,12})"
_OF = r"(?:(?:de|del|di|of|do|van)\s)?"
_FORMS = (
    ("ymd", re.compile(r"(?<![\w./-])(20\d\d)([-/.])(\d{1,2})\2(\d{1,2})(?![\w/-]|\.\d)(?!T\d)|"
                       r"(?<![\w./-])(20\d\d)(-)(\d{1,2})-(\d{1,2})(?=T\d)")),
    ("week", re.compile(r"(?<![\w-])(20\d\d)-?W(\d\d)-?([1-7])(?![\w-])")),
    ("dmy", re.compile(r"(?<![\w./-])(\d{1,2})(?:([./-])|\.\s)(\d{1,2})(?:[./-]|\.\s)(20\d\d)(?![\w/-]|\.\d)")),
    ("named", re.compile(
        rf"(?<![\w.])(\d{{1,2}})(?:st|nd|rd|th|er|\.?º|\.?ª|°|\.)?(?:\s{{1,3}}|[./-])(?:(?:day\s)?{_OF}){_NAME}\.?,?"
        rf"(?:\s{{1,3}}|[./-]){_OF}(20\d\d)(?!\w)")),
    ("us", re.compile(rf"\b{_NAME}\.?(?:\s{{1,3}}|-)(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?"
        r"(?:,\s?|\s{1,3}|-)(?:of\s)?(20\d\d)(?!\w)")),
    ("kanji", re.compile(r"(20\d\d)\s?年\s?(\d{1,2})\s?月\s?(\d{1,2})\s?日")),
)  # fmt: skip
_YEAR = re.compile(r"20\d\d")
_CLOCK_FOLLOWS = re.compile(r"[T_,:]?\s{0,3}(?:at |um |à |@ |- ?)?\d{1,2}:\d\d")
_HALF_A_DAY = timedelta(hours=12)


class Day(NamedTuple):
    """A day that a text states, and where."""

    start: int
    end: int
    moment: Moment


def find_date(line: str) -> Moment | None:
    """The first day that a line states: known to within twelve hours, in an unknown zone.

    Where day and month may stand in either order, both days lie within: nobody guesses. Between dots the day stands
    first, as in every locale that writes dates with dots (Unicode CLDR).
    """
    first = next(days_in(line), None)
    return first.moment if first else None


def days_in(line: str) -> Iterator[Day]:
    """Every day that a line states, in the order of the forms of writing within that of the line."""
    if not _YEAR.search(line):
        return
    found = [
        Day(x.start(), x.end(), moment)
        for form, pattern in _FORMS
        for x in pattern.finditer(line)
        if (moment := _moment(form, x)) is not None
    ]
    yield from sorted(found, key=lambda x: (x.start, -x.end))


def clock_follows(line: str, day: Day) -> bool:
    """Whether the day is the first half of an instant."""
    return _CLOCK_FOLLOWS.match(line, day.end) is not None


def either_order(first: int, second: int, year: int, between: str) -> list[tuple[int, int, int]]:
    """The days (year, month, day) that `first` and `second` may mean, with what stands between them."""
    ways = [(year, second, first)]
    if between != "." or second > 12:
        ways.append((year, first, second))
    return list(dict.fromkeys((y, m, d) for y, m, d in ways if 1 <= m <= 12))


def span(instants: list[datetime], *, error_seconds: float) -> tuple[datetime, float]:
    """The middle of instants and an error that covers all of them, each to within `error_seconds`."""
    half = (max(instants) - min(instants)) / 2
    return min(instants) + half, half.total_seconds() + error_seconds


def _moment(form: str, x: re.Match[str]) -> Moment | None:
    try:
        days = [datetime(y, m, d) for y, m, d in _days(form, x)]  # noqa: DTZ001 - the zone is unknown, and kept so.
    except (KeyError, ValueError):
        return None
    if not days:
        return None
    middle, error = span(days, error_seconds=_HALF_A_DAY.total_seconds())
    return Moment.without_zone(middle + _HALF_A_DAY, error_seconds=error)


def _days(form: str, x: re.Match[str]) -> list[tuple[int, int, int]]:
    if form == "ymd":
        year, _, month, day = x.groups()[:4] if x[1] else x.groups()[4:]
        return [(int(year), int(month), int(day))]
    if form == "week":
        at = datetime.fromisocalendar(int(x[1]), int(x[2]), int(x[3]))
        return [(at.year, at.month, at.day)]
    if form == "dmy":
        return either_order(int(x[1]), int(x[3]), int(x[4]), x[2] or ".")
    if form == "named":
        return [(int(x[3]), MONTHS[x[2].lower()], int(x[1]))]
    if form == "us":
        return [(int(x[3]), MONTHS[x[1].lower()], int(x[2]))]
    return [(int(x[1]), int(x[2]), int(x[3]))]


_DAY_OR_MONTH = r"(?:0?[1-9]|[12]\d|3[01])"
_PARTIAL = re.compile(
    r"(?<![\w:./-])(?:20\d\d([-/.])\d{1,2}\1\d{1,2}|20\d\d[-/]\d{1,2}|20\d\d-?W\d\d|\d{1,2}([./-])\d{1,2}\2\s?20\d\d|"
    rf"{_DAY_OR_MONTH}([/-]){_DAY_OR_MONTH}\3[2-4]\d|[0-3]\d\.[01]\d\.[2-4]\d)(?![\w/-]|\.\d)"
)
_WORDED = (
    re.compile(rf"(?<![\w.])\d{{1,2}}(?:st|nd|rd|th|er|\.?º|\.)?(?:\s{{1,3}}|[./-])(?:(?:day\s)?{_OF}){_NAME}(?!\w)"),
    re.compile(rf"\b{_NAME}\.?(?:\s{{1,3}}|-)(?:the\s|{_OF})(?:\d{{1,2}}(?:st|nd|rd|th)?|20\d\d)(?![\w:])"),
)
_NO_MONTHS_ALONE = frozenset(["may", "set", "out", "sie", "des", "gen", "lis", "mag", "mars", "march", "mart"])
"""Short names of months that are words in other languages too: they count with a year only."""
_IN_MONTH = re.compile(
    rf"\b(?:in|im|en|em|nel|during|since|seit|depuis|desde|dal|sinds)\s(?:mid-|early |late )?{_NAME}\b", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")


_WORD = re.compile(r"[^\W\d_]{3,12}")
_MONTHS_ALONE = frozenset(MONTHS) - _NO_MONTHS_ALONE


def unplaced(line: str) -> str:
    """The first words of a line that state a time and name no day that could be looked up, or an empty text.

    It is asked of lines of which no time could be read. Several lines in one are asked whether one of them may say so.
    """
    lowered = line.lower()
    named = not MONTHS.keys().isdisjoint(_WORD.findall(lowered))
    if _DIGIT.search(line):
        if found := _PARTIAL.search(line):
            return found[0]
        for x in (x for pattern in _WORDED for x in pattern.finditer(line)) if named else ():
            if x[1].lower() in _MONTHS_ALONE:
                return x[0]
    if _MAY_BE_RELATIVE.search(lowered) and (found := _RELATIVE.search(line)):
        return found[0]
    for x in _IN_MONTH.finditer(line) if named else ():
        if len(x[1]) > 3 and x[1][0].isupper() and x[1].lower() in MONTHS:
            return x[0]
    return ""


_WEEKDAY = re.compile(rf"\b(?:{_DAYS}|mon|tue|wed|thu|fri|sat|sun)\b", re.IGNORECASE)
_CLOCK = re.compile(r"(?<![\w:./-])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?![\w:/]|\.\d)")
_NO_YEAR = re.compile(
    rf"(?<![\w:./-])(?!24/7)(?:{_DAY_OR_MONTH}/{_DAY_OR_MONTH}|{_DAY_OR_MONTH}\.(?:0?[1-9]|1[0-2])\.)(?![\w/-]|\.\d)"
)
_NUMBERED = re.compile(
    r"(?<![\w:./-])@?(?:20\d\d-\d{3}|20\d\d[01]\d[0-3]\d|[0-3]\d[01]\d20\d\d|"
    r"1[4-9]\d{8}(?:\.\d+|\d{3})?)(?![\w-]|\.\d)|"
    r"\b(?:q[1-4]|week|quarter|kw|semaine|semana|settimana)\s\d{1,2}\b|\bq[1-4]\b|"
    r"\b(?:the|am|au|le|over|this|at) week-?ends?\b|\bwochenende\b|"
    r"\b(?:on|since|by|from) (?:the )?(?:[1-9]|[12]\d|3[01])(?:st|nd|rd|th)\b",
    re.IGNORECASE,
)
"""Days of the year, days without separators, seconds since 1970, weeks, quarters, and the 25th."""
_BARE_NAME = re.compile(rf"\b{_NAME}\b")


def unplaced_beside(line: str) -> str:
    """As `unplaced`; and weekdays, hours, months and numbers alone, which count on the offender's own lines."""
    if said := unplaced(line):
        return said
    if found := _WEEKDAY.search(line) or _CLOCK.search(line) or _NO_YEAR.search(line) or _NUMBERED.search(line):
        return found[0]
    names = (x[0] for x in _BARE_NAME.finditer(line))
    return next((x for x in names if len(x) > 4 and x.lower() in MONTHS and x.lower() not in _NO_MONTHS_ALONE), "")
