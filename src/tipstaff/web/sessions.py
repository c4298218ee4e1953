"""Which log-ins stand: listed for whoever made them, and ended by them or by an administrator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session as Kept
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse

from tipstaff import wiring

from .models import Session

NOTED_EVERY = timedelta(minutes=1)
FRESH = timedelta(minutes=15)
"""So long after a log-in somebody may change how they log in."""
_SEEN, _HOW, _STRONG, _ENTERED, _PERSON = "seen_at", "how", "strong", "entered_at", "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingSession:
    """A log-in that stands, as its owner sees it."""

    id: int
    how: str
    address: str
    agent: str
    began_at: datetime
    seen_at: datetime
    mine: bool
    """It is the one that asks."""


def staff(user: User | AnonymousUser) -> str:
    """How a member of staff is called in factors and sessions."""
    return f"staff:{user.pk}"


def enter(request: HttpRequest, user: User, *, how: str, strong: bool, at: datetime) -> None:
    """Log `user` in. `how` says by what; `strong` when that were two factors, or one that counts for two."""
    auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    begin(request, how=how, strong=strong, at=at)


def begin(request: HttpRequest, *, how: str, strong: bool, at: datetime) -> None:
    """A session begins under a new key: it ends by itself so long after, however much it is used."""
    request.session.cycle_key()
    request.session.set_expiry(settings.SESSION_COOKIE_AGE)
    request.session.update({_HOW: how, _STRONG: strong, _ENTERED: at.isoformat()})
    request.session.pop(_SEEN, None)


def is_strong(request: HttpRequest) -> bool:
    return bool(request.session.get(_STRONG))


def make_strong(request: HttpRequest) -> None:
    """Whoever asks has just shown a factor of their own."""
    request.session[_STRONG] = True


def is_fresh(request: HttpRequest, *, at: datetime) -> bool:
    """Whether they logged in a moment ago: a screen left open is not enough to change how they log in."""
    entered = request.session.get(_ENTERED)
    return entered is not None and at - datetime.fromisoformat(entered) < FRESH


def entered_at(request: HttpRequest) -> datetime:
    """When the log-in was made by which somebody is here; where none is on record, before all time."""
    entered = request.session.get(_ENTERED)
    return datetime.min.replace(tzinfo=UTC) if entered is None else datetime.fromisoformat(entered)


class Seen:
    """Middleware: notes where a log-in was used last, once a minute. Pages that look at no session cost nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.session.accessed and request.session.session_key and (who := who_asks(request)):
            _note(request, who=who, at=wiring.now())
        return response


def who_asks(request: HttpRequest) -> str:
    """`staff:3`, of a customer's people `person:3`, or nothing for somebody who is not logged in."""
    if (id := request.session.get(auth.SESSION_KEY)) is not None:
        return f"staff:{id}"
    person = request.session.get(_PERSON)
    return f"person:{person}" if person is not None else ""


def enter_portal(request: HttpRequest, person: int, *, how: str, strong: bool, at: datetime) -> None:
    """Log somebody of a customer's in. A browser is a member of staff's or theirs, never both."""
    request.session.flush()
    request.session[_PERSON] = person
    begin(request, how=how, strong=strong, at=at)


def person_in(request: HttpRequest) -> int | None:
    """Which of the customers' people is logged in here."""
    found: int | None = None if auth.SESSION_KEY in request.session else request.session.get(_PERSON)
    return found


def _note(request: HttpRequest, *, who: str, at: datetime) -> None:
    seen = request.session.get(_SEEN)
    if seen is not None and at - datetime.fromisoformat(seen) < NOTED_EVERY:
        return
    request.session[_SEEN] = at.isoformat()
    if (entered := request.session.get(_ENTERED)) is not None:
        # What is saved anew would last anew: it gets what is left.
        left = datetime.fromisoformat(entered) + timedelta(seconds=settings.SESSION_COOKIE_AGE) - at
        request.session.set_expiry(max(1, int(left.total_seconds())))
    found = {
        "who": who,
        "how": request.session.get(_HOW, ""),
        "address": request.META.get("REMOTE_ADDR") or None,
        "agent": request.headers.get("User-Agent", "").replace("\x00", "")[:200],
        "seen_at": at,
    }
    _, is_new = Session.objects.update_or_create(
        key=request.session.session_key, defaults=found, create_defaults={**found, "began_at": at}
    )
    if is_new:
        # Django reads a clock of its own for these; in the demo it is another.
        Kept.objects.filter(expire_date__lt=Now()).delete()
        Session.objects.exclude(key__in=Kept.objects.values("session_key")).delete()


def sessions_of(who: str, *, mine: str | None) -> list[StandingSession]:
    """Those that stand, the last used first. `mine` is the key of the one that asks."""
    standing = Kept.objects.filter(expire_date__gt=Now()).values("session_key")
    rows = Session.objects.filter(who=who, key__in=standing).order_by("-seen_at", "-id")
    return [
        StandingSession(
            id=row.pk, how=row.how, address=row.address or "", agent=row.agent, began_at=row.began_at,
            seen_at=row.seen_at, mine=row.key == mine,
        )
        for row in rows
    ]  # fmt: skip


def end_sessions(who: str, *, id: int | None = None, but: str | None = None) -> int:
    """End one of somebody's sessions, or all of them `but` the one with that key; how many there were."""
    rows = Session.objects.filter(who=who)
    rows = rows.filter(pk=id) if id is not None else rows.exclude(key=but or "")
    with transaction.atomic():
        keys = list(rows.values_list("key", flat=True))
        ended, _ = Kept.objects.filter(session_key__in=keys).delete()
        rows.delete()
    return ended
