"""What a person typed: a text that can be kept (no NUL, no blanks around it, not too long), a number, one of a kind, or
a day."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from django.core.exceptions import BadRequest

_Kind = TypeVar("_Kind", bound=Enum)
_T = TypeVar("_T")
PLACE_MAX = 10**17
"""No row of ours has a higher number; PostgreSQL's whole numbers end at 9.2 * 10**18."""
PAGE_MAX = 10**6


def asked_text(form: Mapping[str, str], name: str, *, characters_max: int = 200) -> str:
    """The field's text, or an empty one. PostgreSQL keeps no NUL, and a browser never sends one by itself."""
    return form.get(name, "").replace("\x00", "").strip()[:characters_max]


def asked_number(form: Mapping[str, str], name: str, *, otherwise: _T, most: int = PLACE_MAX) -> int | _T:
    """The whole number, from 0 and below `most`, that the field says; `otherwise` where it says none."""
    text = form.get(name, "")
    return int(text) if text.isdecimal() and len(text) < len(str(most)) else otherwise


def asked_page(form: Mapping[str, str], name: str = "page") -> int:
    """The page of a list that the field names, from 1; the first where it names none."""
    return max(1, asked_number(form, name, otherwise=1, most=PAGE_MAX))


def asked_kind(kind: type[_Kind], form: Mapping[str, str], name: str) -> _Kind | None:
    """What a list is narrowed to; None where the field names nothing of that kind."""
    return next((each for each in kind if each.value == form.get(name)), None)


def asked_day(form: Mapping[str, str], name: str, *, otherwise: datetime) -> datetime:
    """The beginning (UTC) of the day that the field names, or `otherwise` if it is empty; BadRequest in a sentence."""
    text = form.get(name, "")
    if not text:
        return otherwise
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as why:
        raise BadRequest(f"{name} is no day; write it as 2026-10-01.") from why
