"""An address plan that was read again: what it says no more ends, and its past stays as it was read.

A row without a beginning is sure from the reading that first had it until the last one that did. A row that a reading
ends keeps the earliest end that it had before, and which reading it was, so that this one can be taken out again
(`taking_out.py`). Only `operations.py` uses it.
"""

from collections import defaultdict
from typing import Any, NamedTuple

from django.db.models import F
from django.db.models.functions import Least

from tipstaff.registry.said import Times, end_of

from .codes import ENDINGS, OPEN
from .models import BindingRow, LoadRow
from .queries import micro

_STATED = ("realm", "version", "length", "hi", "lo", "kind", "subject")
_TIMES = ("possible_from", "sure_from", "possible_until", "ending", "load_id")
_EXPLICIT, _, _SUPERSEDED, _, _STILL = range(len(ENDINGS))
_EARLIEST = Least("until", "possible_until")
"""What comes back when readings are taken out: which of them gave an end is not kept, so none later than any gave. Null
counts for nothing."""


class _Row(NamedTuple):
    pk: int
    what: tuple[object, ...]
    """The prefix, and whose it is."""
    since: int | None
    """As stated."""
    until: int | None
    times: Times[int]
    still_said: bool

    @property
    def place(self) -> tuple[object, ...]:
        return self.what[:-2]


def restate(source: int, file: str, *, before: LoadRow | None, at: int) -> None:
    """Set the rows that were just read of `file` beside those of its earlier readings, of which `before` was the last.
    `at` is the instant of the reading in microseconds."""
    rows = BindingRow.objects.filter(source=source, load__file=file)
    last = 0 if before is None else before.pk
    rows.filter(load__gt=last, possible_from__lte=0).update(sure_from=at)
    if before is None:
        return
    said_at = micro(before.read_at)
    read_at = {load.pk: micro(load.read_at) for load in LoadRow.objects.filter(source=source, file=file)}
    every = [_row(row, read_at) for row in rows.order_by("pk").values_list("pk", *_STATED, *_TIMES)]
    old = [row for row, load in every if load <= last]
    new = {(row.what, row.since, row.until): row for row, load in every if load > last}
    # What stands in the plan twice stands there once.
    doubled = {row.pk for row, load in every if load > last} - {row.pk for row in new.values()}
    ended_by = LoadRow.objects.filter(source=source, file=file).order_by("-id").first()
    assert ended_by is not None, "it was just read"
    gone = []
    for row in (row for row in old if row.still_said):
        same = new.pop((row.what, row.since, row.until), None)
        if same is None:
            gone.append(row)
        else:
            doubled.add(same.pk)
    going_on = {row.what: key for key, row in new.items() if row.since is None}
    for row in [row for row in gone if row.what in going_on]:
        # The same as ever, but for the end that is stated now.
        same = new.pop(going_on.pop(row.what))
        doubled.add(same.pk)
        gone.remove(row)
        until = OPEN if same.until is None else same.until
        ending = _EXPLICIT if until < OPEN else _STILL
        rows.filter(pk=row.pk).update(
            possible_until=until, sure_until=until, ending=ending, end_load=ended_by, until=_EARLIEST
        )
    rows.filter(pk__in=doubled).delete()
    followers: dict[object, list[int | None]] = defaultdict(list)
    for row in new.values():
        followers[row.place].append(row.since)
    for row in gone:
        left = end_of(row.times, followers=followers[row.place], said_at=said_at, at=at)
        # Where nothing is left of it, it has no instant any more.
        end, sure_end = (F("possible_from"),) * 2 if left is None else (left.until, left.sure_until)
        rows.filter(pk=row.pk).update(
            possible_until=end, sure_until=sure_end, ending=_SUPERSEDED, end_load=ended_by, until=_EARLIEST
        )
    # Somebody had the prefix before: then whoever comes after has it since the reading before at the earliest.
    had = {row.place for row in old}
    later = [row.pk for row in new.values() if row.since is None and row.place in had]
    rows.filter(pk__in=later).update(possible_from=said_at)


def _row(values: tuple[Any, ...], read_at: dict[int, int]) -> tuple[_Row, int]:
    pk, *stated, possible_from, sure_from, possible_until, ending, load = values
    undated = sure_from == read_at[load]
    until = None if possible_until == OPEN else possible_until
    times = Times(None if possible_from <= 0 else possible_from, until, sure_from if undated else None, None)
    return _Row(pk, tuple(stated), None if undated else possible_from, until, times, ending != _SUPERSEDED), load
