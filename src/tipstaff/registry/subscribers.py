"""By whose service a log-in, circuit or MAC is known, as the operator's lists say. Private to this room.

A list says what is so now; most say nothing of since when. So its history is what its readings said: an entry counts
as sure from the reading that first had it until the last one that did, and what lies between two readings, or before
the first, is only possible. What a list states with its instants counts as it states it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from tipstaff.ledger.operations import record
from tipstaff.words import Identity, Origin, SubjectKind, require_aware

from .changes import change
from .holdings import ANALYZE_FROM_ROWS
from .models import SubscriberListRow, SubscriberRow
from .planned import Asked, fetch_planned
from .said import Times, end_of


class ListRead(NamedTuple):
    """What one reading of a list did."""

    known: int
    """So many entries it has."""
    added: int
    ended: int
    change: str


def add_identities(
    identities: Iterable[Identity], *, source: str, at: datetime, actor: str, origin: Origin = Origin.IMPORT
) -> int:
    """Take in what the list `source` says now; returns how many entries that are."""
    return read_list(identities, source=source, at=at, actor=actor, origin=origin).known


def read_list(
    identities: Iterable[Identity], *, source: str, at: datetime, actor: str, origin: Origin = Origin.IMPORT
) -> ListRead:
    """Take in what the list `source` says now, as one change. What it says no more ends; nothing is overwritten."""
    at = require_aware(at)
    said = Counter(_entry(i.kind, i.value, i.customer, i.service, i.since, i.until) for i in identities)
    with change(at=at, actor=actor, origin=origin, source=source) as draft:
        reading = SubscriberListRow.objects.select_for_update().filter(key=source).first()
        said_at = at if reading is None else reading.read_at
        known: dict[tuple[str, str], list[SubscriberRow]] = defaultdict(list)
        still: dict[Entry, SubscriberRow] = {}
        for row in SubscriberRow.objects.filter(source=source).order_by("pk").iterator(5000):
            known[row.kind, row.value].append(row)
            if row.sure_until is None:
                still[_entry_of(row)] = row
        new = {entry: None for entry in said if entry not in still}
        gone = {row.pk: row for entry, row in still.items() if entry not in said}
        going_on = {entry[:4]: entry for entry in new if entry[4] is None}
        for row in [row for row in gone.values() if _entry_of(row)[:4] in going_on]:
            # The same as ever, but for the end that is stated now.
            entry = going_on.pop(_entry_of(row)[:4], None)
            if entry is None:
                continue
            del new[entry], gone[row.pk]
            row.until = row.stated_until = entry[5]
            row.save()
        followers: dict[tuple[str, str], list[datetime | None]] = defaultdict(list)
        for kind, value, _, _, since, _ in new:
            followers[kind, value].append(since)
        for row in gone.values():
            times = Times(row.since, row.until, row.sure_from, row.sure_until)
            left = end_of(times, followers=followers[row.kind, row.value], said_at=said_at, at=at)
            if left is None:
                row.delete()  # PostgreSQL keeps that it was believed.
            else:
                row.since, row.until, row.sure_from, row.sure_until = left
                row.save()
        SubscriberRow.objects.bulk_create(
            (
                SubscriberRow(
                    kind=kind, value=value, customer=customer, service=service, source=source,
                    # Nobody was said to be there before: then whoever comes first may have been.
                    since=since if since is not None or not known[kind, value] else said_at,
                    until=until, stated_until=until, sure_from=at if since is None else None,
                    known_from=draft.at, change=draft.id,
                )
                for kind, value, customer, service, since, until in new
            ),
            batch_size=5000,
        )  # fmt: skip
        if len(new) >= ANALYZE_FROM_ROWS:
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE registry_subscriberrow")
        SubscriberListRow.objects.update_or_create(
            key=source, defaults={"read_at": at}, create_defaults={"read_at": at, **_marks(draft.at, draft.id)}
        )
        draft.tell(f"list {source}: {len(said)} subscribers, {len(new)} new, {len(gone)} gone", source)
        record(
            "identities.read", at=at, actor=actor, about=[source], count=len(said), new=len(new), gone=len(gone),
            change=draft.key,
        )  # fmt: skip
        return ListRead(len(said), len(new), len(gone), draft.key)


def _marks(known_from: datetime, change: int) -> dict[str, object]:
    return {"known_from": known_from, "change": change}


def _entry_of(row: SubscriberRow) -> "Entry":
    """As the list states it."""
    since = None if row.sure_from is not None else row.since
    return _entry(row.kind, row.value, row.customer, row.service, since, row.stated_until)


Entry = tuple[str, str, str, str | None, datetime | None, datetime | None]


def _entry(
    kind: str, value: str, customer: str, service: str | None, since: datetime | None, until: datetime | None
) -> Entry:
    return str(kind), value, customer, service, since, until


_COLUMNS = "s.kind, s.value, s.customer_id, s.service_id, s.since, s.until, s.sure_from, s.sure_until"


def identities_of(subjects: Iterable[tuple[SubjectKind, str]]) -> list[Identity]:
    """By which services these subscribers are or were known, as the lists say."""
    return list(entries_in_words(fetch_planned(*entries_named(subjects))))


def entries_named(subjects: Iterable[tuple[SubjectKind, str]]) -> Asked:
    """Asks for what the lists say of these subscribers."""
    wanted = list(dict.fromkeys(subjects))
    return (
        f"SELECT {_COLUMNS} FROM registry_subscriberrow s JOIN unnest(%s::text[], %s::text[]) w(kind, value) "  # noqa: S608 - this room's own columns
        "ON w.kind = s.kind AND w.value = s.value ORDER BY s.id",
        [[k.value for k, _ in wanted], [v for _, v in wanted]],
    )


def entries_in_words(rows: Iterable[tuple[Any, ...]]) -> Iterator[Identity]:
    for kind, value, customer, service, since, until, sure_from, sure_until in rows:
        yield Identity(
            kind=SubjectKind(kind), value=value, customer=customer, service=service, since=since, until=until,
            sure_from=sure_from, sure_until=sure_until,
        )  # fmt: skip
