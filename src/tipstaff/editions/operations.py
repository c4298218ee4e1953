"""Writes of the editions' room. Each is one transaction with its entry in the record.

DRAFT -> APPROVED -> COMPILED -> ANNOUNCED -> POSTED
                             `-> POSTED, when nothing changes that matters to customers
any but POSTED -> WITHDRAWN
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from tipstaff.ledger.operations import record
from tipstaff.words import (
    AdoptionGround,
    EditionOnRecord,
    EditionState,
    EditionWork,
    FirstUse,
    ReplayRun,
    WorkStep,
    require_aware,
)

from .models import AcceptanceRow, EditionRow, ReplayPileRow, ReplayRow, WorkRow
from .rows import acceptance_of, edition_of, replay_of, work_of_row

_REPORT = re.compile(r"R-\d")
SEEN_MIN = 12
"""So many characters of a digest name a text among those that one may have read under a name."""


class ShowsNoUse(ValueError):
    """A report about a customer is somebody's claim; it shows no use of theirs."""


class StillWorking(Exception):
    """A step of this edition is being carried out; wait until it has ended."""


class TooManyReplays(Exception):
    """Several replays go on already; wait until one of them has ended."""


class NoSuchEdition(LookupError):
    """No edition of that name is on record."""


class NameTaken(ValueError):
    """An edition of that name is on record already; give the draft another id."""


class WrongStep(ValueError):
    """An edition takes its steps in order: draft, approve, compile, announce, post."""


class NotWhatWasRead(ValueError):
    """The draft of that name is not the one that you read; read it, and name its SHA-256."""


class ApproverMustBeAnother(ValueError):
    """Whoever wrote an edition does not approve it."""


class NotAnnounced(ValueError):
    """The change matters to customers, so they are told before it counts."""


@transaction.atomic
def draft(id: str, *, digest: str, title: str, files: Mapping[str, str], at: datetime, actor: str) -> EditionOnRecord:
    """Keep a draft. The same files again by the same writer are the same draft; raises NameTaken."""
    known = EditionRow.objects.filter(digest=digest).first()
    if known is not None and known.state == EditionState.DRAFT and known.drafted_by == actor:
        return edition_of(known)
    if known is not None or EditionRow.objects.filter(name=id).exclude(state=EditionState.WITHDRAWN).exists():
        raise NameTaken(id)
    row = EditionRow.objects.create(
        name=id, digest=digest, title=title, files=dict(files), state=EditionState.DRAFT,
        drafted_by=actor, drafted_at=require_aware(at),
    )  # fmt: skip
    record("edition.drafted", at=at, actor=actor, about=[_key(row), digest], title=title, files=len(files))
    return edition_of(row)


@transaction.atomic
def approve(id: str, *, seen: str, significant: bool, why: str, at: datetime, actor: str) -> EditionOnRecord:
    """Counsel finds the words right, of which `seen` is the SHA-256, or at least its first 12 characters; raises
    NotWhatWasRead, ApproverMustBeAnother, WrongStep."""
    row = _lock(id, EditionState.DRAFT)
    if len(seen) < SEEN_MIN or not row.digest.startswith(seen.lower()):
        raise NotWhatWasRead(id)
    if actor == row.drafted_by:
        raise ApproverMustBeAnother(id)
    row.state, row.approved_by, row.approved_at = EditionState.APPROVED, actor, require_aware(at)
    row.significant = significant
    row.save()
    record(
        "edition.approved", at=at, actor=actor, about=[_key(row), row.digest], drafted_by=row.drafted_by,
        significant=significant, why=why,
    )  # fmt: skip
    return edition_of(row)


@transaction.atomic
def note_compiled(id: str, *, effects: Mapping[str, object], at: datetime, actor: str) -> EditionOnRecord:
    """All its examples hold, and what it would change is known; raises WrongStep."""
    row = _lock(id, EditionState.APPROVED, EditionState.COMPILED)
    row.state, row.compiled_at, row.effects = EditionState.COMPILED, require_aware(at), dict(effects)
    row.save()
    record("edition.compiled", at=at, actor=actor, about=[_key(row), row.digest], **dict(effects))
    return edition_of(row)


@transaction.atomic
def note_announced(
    id: str, *, letters: int, unreachable: int, counts_from: datetime, at: datetime, actor: str
) -> EditionOnRecord:
    """Customers were written to, and told that it counts from `counts_from` at the earliest; raises WrongStep."""
    row = _lock(id, EditionState.COMPILED)
    row.state, row.announced_at = EditionState.ANNOUNCED, require_aware(at)
    row.save()
    record(
        "edition.announced", at=at, actor=actor, about=[_key(row), row.digest], letters=letters,
        unreachable=unreachable, counts_from=counts_from.isoformat(),
    )  # fmt: skip
    return edition_of(row)


@transaction.atomic
def post(id: str, *, effective_at: datetime, untold: int, at: datetime, actor: str) -> EditionOnRecord:
    """Fix digest and moment for good: from `effective_at` on it counts; raises WrongStep, NotAnnounced.

    `untold` of its letters had reached no mail server by then: that stands on record. Of two that would count from one
    moment the one posted later counts: a second after the other.
    """
    row = _lock(id, EditionState.COMPILED, EditionState.ANNOUNCED)
    if row.significant and row.announced_at is None:
        raise NotAnnounced(id)
    assert effective_at >= at, "nobody is bound to words that were not posted yet"
    posted = EditionRow.objects.select_for_update().filter(state=EditionState.POSTED)
    taken = {other.effective_at for other in posted.order_by("id").defer("files")}
    while effective_at in taken:
        effective_at += timedelta(seconds=1)
    row.state, row.posted_by, row.posted_at = EditionState.POSTED, actor, require_aware(at)
    row.effective_at = require_aware(effective_at)
    row.save()
    record(
        "edition.posted", at=at, actor=actor, about=[_key(row), row.digest], effective_at=effective_at,
        drafted_by=row.drafted_by, approved_by=row.approved_by, announced_at=row.announced_at, untold=untold,
    )  # fmt: skip
    return edition_of(row)


@transaction.atomic
def adopt(
    id: str, *, digest: str, title: str, files: Mapping[str, str], effective_at: datetime, ground: AdoptionGround,
    at: datetime,
) -> bool:  # fmt: skip
    """Take in an edition that came with the installation; False when anything is posted under that name already."""
    if EditionRow.objects.filter(name=id, state=EditionState.POSTED).exists():
        return False
    row, new = EditionRow.objects.get_or_create(
        digest=digest,
        defaults={
            "name": id, "title": title, "files": dict(files), "state": EditionState.POSTED, "adopted": True,
            "drafted_by": "installation", "drafted_at": require_aware(at), "posted_by": "installation",
            "posted_at": at, "effective_at": require_aware(effective_at),
        },
    )  # fmt: skip
    if new:
        record(
            "edition.adopted", at=at, actor="installation", about=[_key(row), digest], effective_at=effective_at,
            ground=ground,
        )  # fmt: skip
    return new


def hold(digest: str) -> None:
    """Hold an edition for the rest of the caller's transaction."""
    EditionRow.objects.select_for_update().get(digest=digest)


def note_confirmed(id: str, *, why: str, at: datetime, actor: str) -> None:
    """Somebody has read an edition that was adopted, and answers for it."""
    row = _lock(id, EditionState.POSTED)
    record("edition.confirmed", at=at, actor=actor, about=[_key(row), row.digest], why=why)


@transaction.atomic
def withdraw(id: str, *, why: str, at: datetime, actor: str) -> EditionOnRecord:
    """Give an edition up that was not posted; raises WrongStep."""
    row = _lock(id, *(state for state in EditionState if state is not EditionState.POSTED))
    row.state = EditionState.WITHDRAWN
    row.save()
    record("edition.withdrawn", at=at, actor=actor, about=[_key(row), row.digest], why=why)
    return edition_of(row)


@transaction.atomic
def accept(
    customer: str,
    *,
    edition: str,
    digest: str,
    shown_by: str,
    at: datetime,
    actor: str = "customer",
    noted_at: datetime | None = None,
) -> tuple[FirstUse, bool]:
    """Note a customer's use under an edition; (acceptance, False) when an earlier is on record. Raise ShowsNoUse.

    `at` is when the service was used; the record says that `actor` noted it, at `noted_at` where that was later.
    """
    if _REPORT.match(shown_by):
        raise ShowsNoUse(shown_by)
    row, new = AcceptanceRow.objects.exclude(shown_by__startswith="R-").get_or_create(
        customer=customer,
        digest=digest,
        defaults={"edition": edition, "accepted_at": require_aware(at), "shown_by": shown_by},
    )
    if new:
        record(
            "edition.accepted", at=noted_at or at, actor=actor, about=[customer, f"edition {edition}", digest],
            shown_by=shown_by, used_at=at,
        )  # fmt: skip
    return acceptance_of(row), new


@transaction.atomic
def ask_for_work(id: str, *, step: WorkStep, at: datetime, actor: str) -> EditionWork:
    """Note that a step is to be carried out; raises StillWorking while another is."""
    row = WorkRow.objects.select_for_update().filter(name=id).first()
    if row is not None and row.finished_at is None:
        raise StillWorking(id)
    row, _ = WorkRow.objects.update_or_create(
        name=id,
        defaults={
            "step": step, "asked_by": actor, "asked_at": require_aware(at), "done": 0, "finished_at": None,
            "trouble": "",
        },
    )  # fmt: skip
    return work_of_row(row)


def tell_progress(id: str, *, done: int) -> None:
    """How far a step has come, for whoever looks: said on a connection of its own, because the work may stand in a
    transaction of which nobody sees anything before its end."""
    beside = connection.copy()
    try:
        with beside.cursor() as cursor:
            cursor.execute("UPDATE editions_workrow SET done = %s WHERE name = %s AND finished_at IS NULL", [done, id])
    finally:
        beside.close()


def end_work(id: str, *, trouble: str, at: datetime) -> None:
    """A step was carried out, or could not be."""
    WorkRow.objects.filter(name=id, finished_at=None).update(finished_at=require_aware(at), trouble=trouble)


REPLAYS_AT_ONCE_MAX = 3
REPLAYS_KEPT = 20
"""The newest are kept with all that they list; it can be asked for again at any time."""


@transaction.atomic
def ask_for_replay(
    edition: str, *, digest: str, since: datetime, until: datetime, at: datetime, actor: str
) -> ReplayRun:
    """Note that the past is to be judged again; while the same goes on already, that one. Raises TooManyReplays."""
    with connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE editions_replayrow IN SHARE ROW EXCLUSIVE MODE"
        )  # Two askers count one after another.
    going_on = list(ReplayRow.objects.filter(finished_at=None).order_by("id"))
    asked = (edition, digest, since, until)
    for row in going_on:
        if (row.edition, row.digest, row.since, row.until) == asked:
            return replay_of(row)
    if len(going_on) >= REPLAYS_AT_ONCE_MAX:
        raise TooManyReplays
    row = ReplayRow.objects.create(
        edition=edition, digest=digest, since=require_aware(since), until=require_aware(until), asked_by=actor,
        asked_at=require_aware(at),
    )  # fmt: skip
    old = ReplayRow.objects.filter(finished_at__isnull=False).order_by("-id").values_list("id", flat=True)
    ReplayRow.objects.filter(id__in=list(old[REPLAYS_KEPT - 1 :])).delete()
    return replay_of(row)


@transaction.atomic
def note_replayed(
    key: str,
    *,
    after: int,
    place: int,
    totals: Mapping[str, object],
    piles: Mapping[str, Sequence[Sequence[object]]],
) -> bool:
    """Keep what one part of a replay found, from the place `after` to `place` of the record; whether it was the next
    part. If it was not, somebody else has done it, and nothing is kept a second time."""
    going_on = ReplayRow.objects.filter(pk=int(key), place=after, finished_at=None)
    if not going_on.update(place=place, totals=dict(totals)):
        return False
    ReplayPileRow.objects.bulk_create(
        ReplayPileRow(replay_id=int(key), alike=alike, n=len(each), differences=list(each))
        for alike, each in piles.items()
    )
    return True


@transaction.atomic
def blank_measures(reports: Collection[str], *, replay: str | None = None) -> None:
    """Take the measures of these reports out of what replays list, or one replay does: their words name a URL or an
    address. That such a report is treated differently, and how, stays counted."""
    if not reports:
        return
    if replay is None:
        # Whoever notes a part has its row: either we find that part here, or they see what is sealed by then.
        list(ReplayRow.objects.select_for_update().filter(finished_at=None).order_by("id").values_list("id"))
    piles = ReplayPileRow.objects.order_by("id") if replay is None else ReplayPileRow.objects.filter(replay=int(replay))
    named = Q()
    for report in sorted(reports):
        named |= Q(text__contains=f'"{report}.')
    for pile in piles.annotate(text=Cast("differences", TextField())).filter(named).iterator(chunk_size=50):
        pile.differences = [
            [*each[:_BEFORE_MEASURES], *("" for _ in each[_BEFORE_MEASURES:])]
            if each[0].partition(".")[0] in reports else each
            for each in pile.differences
        ]  # fmt: skip
        pile.save(update_fields=["differences"])


_BEFORE_MEASURES = 3


def reports_with_measures() -> Iterator[set[str]]:
    """The reports of which replays list a measure in words, pile by pile."""
    for differences in (
        ReplayPileRow.objects.order_by("id").values_list("differences", flat=True).iterator(chunk_size=50)
    ):
        yield {each[0].partition(".")[0] for each in differences if any(each[_BEFORE_MEASURES:])}


@transaction.atomic
def hold_announced(id: str) -> bool:
    """Hold an edition for the rest of the caller's transaction; whether it is announced or posted."""
    rows = EditionRow.objects.select_for_update().filter(name=id).exclude(state=EditionState.WITHDRAWN)
    return any(row.announced_at is not None for row in rows)


def end_replay(key: str, *, trouble: str, at: datetime) -> None:
    """A replay has come to its end, or could not."""
    ReplayRow.objects.filter(pk=int(key), finished_at=None).update(finished_at=require_aware(at), trouble=trouble)


def _lock(id: str, *states: EditionState) -> EditionRow:
    """The edition of that name, locked, in one of these states."""
    row = EditionRow.objects.select_for_update().filter(name=id).exclude(state=EditionState.WITHDRAWN).first()
    if row is None:
        raise NoSuchEdition(id)
    if row.state not in states:
        raise WrongStep(f"{id} is {row.state}")
    return row


def _key(row: EditionRow) -> str:
    return f"edition {row.name}"
