"""What customers' and public pages say, in six languages: the English sentence is the key, one file for each other one.

A sentence may hold tags of HTML and `{names}`; whatever is put in for a name is escaped. What no file holds is said in
English, and a test sees to it that every file holds every sentence.
"""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from types import MappingProxyType
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from tipstaff.notices.letters import phrases

FALLBACK = "en"
LANGUAGES = MappingProxyType(
    {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "pt": "Português", "ja": "日本語"}
)
COOKIE = "in"
_ACCEPTED_MAX = 20
"""So many wishes of a browser are looked at."""
_DATES = MappingProxyType(
    {
        "en": "{day} {month} {year}",
        "de": "{day}. {month} {year}",
        "es": "{day} de {month} de {year}",
        "fr": "{day} {month} {year}",
        "pt": "{day} de {month} de {year}",
        "ja": "{year}年{month}{day}日",
    }
)


class Sentence(ValueError):
    """What somebody at a page is told, by its English sentence and what is put into it; each page says it its way."""

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text.format(**values) if values else text)
        self.text, self.values = text, values

    def said(self, language: str) -> str:
        return say(language, self.text, **self.values)


def say(language: str, text: str, **values: object) -> str:
    """The sentence in a language, not escaped: for what a template or a header escapes itself."""
    found = pattern(language, text)
    return found.format(**values) if values else found


def pattern(language: str, text: str) -> str:
    """The sentence in a language, its names not filled in."""
    return _said(language).get(text, text) if language in LANGUAGES and language != FALLBACK else text


def language_of(request: HttpRequest, *, otherwise: str = "") -> str:
    """What the reader chose; else what their browser wishes; else `otherwise`, as `pt-BR` in a registry; else English.

    The choice is in the address (`?in=de`), or remembered in a cookie by pages that may set one.
    """
    chosen = (request.GET.get("in", ""), request.COOKIES.get(COOKIE, ""))
    wished = [each.partition(";")[0] for each in request.headers.get("Accept-Language", "").split(",")[:_ACCEPTED_MAX]]
    for tag in (*chosen, *sorted(wished, key=lambda each: each.strip() == "*"), otherwise):
        language = tag.strip()[:35].partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return FALLBACK


def moment(language: str, then: datetime, *, zone: ZoneInfo | None = None) -> str:
    """An instant as readers of a language write it, with its zone; `then` is aware."""
    local = then.astimezone(zone or UTC)
    between = " " if language == "ja" else ", "
    return f"{day(language, local)}{between}{local:%H:%M} {local.tzname()}"


def day(language: str, then: date) -> str:
    """A day as readers of a language write it."""
    language = language if language in LANGUAGES else FALLBACK
    month = phrases(language)["months"][then.month - 1]
    return _DATES[language].format(day=then.day, month=month, year=then.year)


def type_said(language: str, xarf_type: str) -> str:
    """What kind of complaint it is, in the words of the letters, with a capital."""
    types = phrases(language if language in LANGUAGES else FALLBACK)["types"]
    text: str = types.get(xarf_type, types["other"])
    return text[:1].upper() + text[1:]


@cache
def _said(language: str) -> Mapping[str, str]:
    return tomllib.loads((resources.files(__name__) / f"{language}.toml").read_text("utf-8"))
