"""Clocks that run on the operator itself: what began when, by when it is due, whether it was late. It moves no case.

Each is one row until it ends, so that a restart forgets none. What starts and ends one is said by `procedures`.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from tipstaff.host.viewing import CASES, REPORTS, seen
from tipstaff.words import RunningClock

from .models import ClockPlaceRow, RunningClockRow

_ABOUT = f"{CASES} {REPORTS}"
"""What clocks run for, among what may be left out; matters of the legal register are asked for by themselves."""


def start_clocks(clocks: Iterable[RunningClock], *, look_at: datetime) -> list[RunningClock]:
    """Keep those that are not kept already, also not as ended; returns the new ones."""
    given = list(clocks)
    if not given:
        return []
    rows = RunningClockRow.objects.filter(about__in=[each.about for each in given])
    known = set(rows.values_list("clock", "about", "nth"))
    new = [each for each in given if (each.clock, each.about, each.nth) not in known]
    RunningClockRow.objects.bulk_create(
        RunningClockRow(
            clock=each.clock, about=each.about, nth=each.nth, edition=each.edition, started_at=each.started_at,
            due_at=each.due_at, look_at=min(look_at, each.due_at),
        )
        for each in new
    )  # fmt: skip
    return new


def end_clock(clock: RunningClock, *, at: datetime, keep: bool) -> bool:
    """It is done. With `keep` the row stays, so that it never begins again. False where it had ended already."""
    rows = _row_of(clock).filter(ended_at=None)
    return bool(rows.update(ended_at=at)) if keep else bool(rows.delete()[0])


def look_again(clock: RunningClock, *, look_at: datetime, late_at: datetime | None = None) -> None:
    """It is not done yet: look again then; and note since when it is known to be late."""
    late = {} if late_at is None else {"late_at": late_at}
    _row_of(clock).update(look_at=look_at, **late)


def clocks_to_look_at(at: datetime, *, limit: int) -> list[RunningClock]:
    """Those that may be done or late by now, whatever is left out for who looks: what is due soonest first, and last
    what was told of as late already."""
    rows = RunningClockRow.objects.filter(ended_at=None, look_at__lte=at)
    return [_clock_of(row) for row in rows.order_by(F("late_at").asc(nulls_first=True), "due_at", "id")[:limit]]


def running_clocks(
    *,
    about: Collection[str] | None = None,
    due_before: datetime | None = None,
    clocks: Collection[str] | None = None,
    register: bool = True,
    limit: int = 200,
) -> list[RunningClock]:
    """Those that run, soonest due first; of these things only, only those due before a moment, and only these clocks,
    where given. Without `register`, none of the legal register's."""
    rows = seen(RunningClockRow.objects.filter(ended_at=None), "about", of=_ABOUT)
    if about is not None:
        rows = rows.filter(about__in=list(about))
    if due_before is not None:
        rows = rows.filter(due_at__lt=due_before)
    if clocks is not None:
        rows = rows.filter(clock__in=list(clocks))
    if not register:
        rows = rows.exclude(about__startswith="G-")
    return [_clock_of(row) for row in rows.order_by("due_at", "id")[:limit]]


def count_late_clocks(*, clocks: Collection[str] | None = None, register: bool = True) -> int:
    """How many run that were found late; of these clocks only, where given. Without `register`, none of the legal
    register's."""
    rows = seen(RunningClockRow.objects.filter(ended_at=None, late_at__isnull=False), "about", of=_ABOUT)
    if clocks is not None:
        rows = rows.filter(clock__in=list(clocks))
    if not register:
        rows = rows.exclude(about__startswith="G-")
    return rows.count()


def read_to(*, ahead: bool = False) -> int:
    """How far into the record's chain the events were read that start these clocks; `ahead` of what is left behind."""
    row = ClockPlaceRow.objects.filter(pk=_AHEAD if ahead else _READ).first()
    return row.seq if row else 0


@transaction.atomic
def lock_place(*, first: Callable[[], int], ahead: bool = False) -> int:
    """Hold that place for the rest of the caller's transaction; `first` says where it begins."""
    pk = _AHEAD if ahead else _READ
    if not ClockPlaceRow.objects.filter(pk=pk).exists():
        ClockPlaceRow.objects.get_or_create(pk=pk, defaults={"seq": first()})
    return ClockPlaceRow.objects.select_for_update().get(pk=pk).seq


def note_read_to(seq: int, *, ahead: bool = False) -> None:
    ClockPlaceRow.objects.filter(pk=_AHEAD if ahead else _READ).update(seq=seq)


_READ, _AHEAD = 1, 2
"""The rows of both places."""


def _row_of(clock: RunningClock) -> QuerySet[RunningClockRow]:
    return RunningClockRow.objects.filter(clock=clock.clock, about=clock.about, nth=clock.nth)


def _clock_of(row: RunningClockRow) -> RunningClock:
    return RunningClock(
        clock=row.clock, about=row.about, edition=row.edition, started_at=row.started_at, due_at=row.due_at,
        late_at=row.late_at, nth=row.nth,
    )  # fmt: skip


LOOK_AFTER = timedelta(minutes=10)
"""What began is looked at after this for the first time: most of it is done by then."""
