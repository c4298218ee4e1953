"""How a member of staff wants times written: a zone and a way of their own, on every page that they read.

What is typed into a form stays UTC, as its label says, and so do the tables of logs and holdings that say UTC in their
heads: they are compared with logs. The record, letters, exports and the API know nothing of this.
"""

from collections.abc import Callable
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse

from .models import StaffReader
from .said import LANGUAGES
from .shown import READER, Reader

_PAGES = ("/console/", "/me/")


class NoSuchWay(ValueError):
    """Choose a time zone and a way to write dates from the lists."""


def reader_of(user: User) -> Reader:
    row = StaffReader.objects.filter(user=user).first()
    return Reader(
        zone=ZoneInfo(row.timezone) if row and row.timezone != "UTC" else None, dates=row.dates if row else ""
    )


def keep(user: User, *, timezone: str, dates: str) -> None:
    """Raise NoSuchWay."""
    if timezone not in available_timezones() or (dates and dates not in LANGUAGES):
        raise NoSuchWay(NoSuchWay.__doc__)
    StaffReader.objects.update_or_create(user=user, defaults={"timezone": timezone, "dates": dates})


class AsRead:
    """Middleware: pages of the console are made for whoever reads them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(_PAGES) or not request.user.is_authenticated:
            return self.get_response(request)
        before = READER.set(reader_of(request.user))
        try:
            return self.get_response(request)
        finally:
            READER.reset(before)
