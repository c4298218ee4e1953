"""Reads of the editions' room."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from tipstaff.host.viewing import hidden, is_hidden
from tipstaff.words import EditionOnRecord, EditionState, EditionWork, FirstUse, ReplayRun

from .models import AcceptanceRow, EditionRow, ReplayPileRow, ReplayRow, WorkRow
from .rows import acceptance_of, edition_of, replay_of, work_of_row


def list_editions() -> list[EditionOnRecord]:
    """Every edition, the newest draft first."""
    return [edition_of(row) for row in EditionRow.objects.defer("files").order_by("-drafted_at", "-id")]


def get_edition(id: str) -> EditionOnRecord | None:
    """The edition of that name that was not given up, or else the one given up last."""
    rows = list(EditionRow.objects.defer("files").filter(name=id).order_by("-id"))
    kept = [row for row in rows if row.state != EditionState.WITHDRAWN]
    return edition_of((kept or rows)[0]) if rows else None


def files_of(digest: str) -> dict[str, str]:
    """An edition's files; raises KeyError."""
    row = EditionRow.objects.filter(digest=digest).first()
    if row is None:
        raise KeyError(digest)
    return dict(row.files)


def posted_editions() -> list[tuple[str, datetime]]:
    """(digest, from when it counts) of everything that was posted: one small query, asked before each judgement."""
    rows = EditionRow.objects.filter(state=EditionState.POSTED).order_by("effective_at", "id")
    return [(digest, at) for digest, at in rows.values_list("digest", "effective_at") if at is not None]


def first_uses_of(customer: str) -> list[FirstUse]:
    """Which editions a customer accepted, and by what use, the latest first."""
    return [acceptance_of(row) for row in _counting().filter(customer=customer).order_by("-accepted_at")]


def first_use(customer: str, *, digest: str) -> FirstUse | None:
    """A customer's first use under an edition; None when nothing shows one."""
    row = _counting().filter(customer=customer, digest=digest).first()
    return acceptance_of(row) if row else None


def customers_who_used(digest: str) -> frozenset[str]:
    """Who has used a service under an edition."""
    return frozenset(_counting().filter(digest=digest).values_list("customer", flat=True))


def _counting() -> "QuerySet[AcceptanceRow]":
    """Without what earlier versions noted because of a report about the customer: that was no use of theirs."""
    return AcceptanceRow.objects.exclude(shown_by__startswith="R-")


def work_of(id: str) -> EditionWork | None:
    """What is being done on an edition, or was done last; None where nothing was asked for."""
    row = WorkRow.objects.filter(name=id).first()
    return work_of_row(row) if row else None


def get_replay(key: str) -> ReplayRun | None:
    row = ReplayRow.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < _DIGITS_MAX else None
    return replay_of(row) if row else None


_DIGITS_MAX = 18


def latest_replay(*, edition: str, digest: str, since: datetime, until: datetime) -> ReplayRun | None:
    """The last time that somebody asked this question."""
    rows = ReplayRow.objects.filter(edition=edition, digest=digest, since=since, until=until)
    row = rows.order_by("-id").first()
    return replay_of(row) if row else None


def list_replays() -> list[ReplayRun]:
    """All that are kept, the newest first."""
    return [replay_of(row) for row in ReplayRow.objects.order_by("-id")]


def count_alike(key: str) -> Counter[str]:
    """How many differences of a replay are alike, by what they have in common; without those that whoever looks may not
    see."""
    piles = ReplayPileRow.objects.filter(replay=int(key))
    found: Counter[str] = Counter()
    if not hidden():
        for alike, n in piles.values_list("alike").annotate(sum=Sum("n")).order_by("alike"):
            found[alike] = n
        return found
    for alike, differences in piles.order_by("alike").values_list("alike", "differences").iterator(chunk_size=200):
        found[alike] += sum(not is_hidden(each[0]) for each in differences)
    return +found


def replayed_differences(key: str, *, alike: Collection[str], offset: int, limit: int) -> list[tuple[str, list[Any]]]:
    """(what they have in common, one difference) of a replay, for those with one of these things in common, part
    by part as they were judged; without those that whoever looks may not see."""
    piles = ReplayPileRow.objects.filter(replay=int(key), alike__in=list(alike)).order_by("id")
    found: list[tuple[str, list[Any]]] = []
    passed = 0
    if not hidden():
        # What is before the page is passed over without being read.
        skipped = []
        for id, n in piles.values_list("id", "n").iterator():
            if passed + n > offset:
                break
            passed += n
            skipped.append(id)
        if skipped:
            piles = piles.filter(id__gt=skipped[-1])
    for pile in piles.iterator(chunk_size=50):
        for each in pile.differences:
            if is_hidden(each[0]):
                continue
            passed += 1
            if passed > offset:
                found.append((pile.alike, each))
            if len(found) >= limit:
                return found
    return found
