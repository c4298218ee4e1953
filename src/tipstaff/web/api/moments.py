"""Times that programs send: RFC 3339, and nothing else that could be taken for a time."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_NUMBER = re.compile(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", re.IGNORECASE)


def _no_number(given: object) -> object:
    """A number would be read as seconds since 1970, which nobody here means."""
    if isinstance(given, (int, float)) or (isinstance(given, str) and _NUMBER.fullmatch(given)):
        raise ValueError("a time is written as 2026-03-01T12:00:00Z")
    return given


def _in_range(at: datetime) -> datetime:
    """The beginning and the end of what a datetime can say are in no other zone what they are in their own."""
    if not 1900 <= at.year <= 9000:
        raise ValueError("that is no time that anything here can have happened")
    return at if at.tzinfo is None else at.astimezone(UTC)


def _a_day(given: object) -> object:
    """A number would be read as seconds since 1970, in a day as in an instant."""
    if isinstance(given, (int, float)) or (isinstance(given, str) and not _DAY.fullmatch(given)):
        raise ValueError("a day is written as 2026-03-01")
    return given


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
Day = Annotated[date, BeforeValidator(_a_day)]
Instant = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_in_range)]
