"""Readings of logs that should not have been are taken out again. Private to this room.

What such a reading brought goes. What other readings brought stays, but nothing of it may rest on what goes: a session
that only that reading had heard of since, or had ended, is open again and in doubt by all the time in which it was
heard of, so that it is sure of nothing and ends nobody. Where the reading that began it is taken out as well, and both
are read again, it is sure as ever.
"""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from . import flow_parts
from .codes import ENDINGS, OPEN, SERVICE, STATION
from .covers import QUIET
from .models import BindingRow, CoverRow, LoadRow, RestartRow, ScopeRow, SourceRow

_EXPLICIT, _, _SUPERSEDED, _, _STILL = range(len(ENDINGS))
_PLACE = " AND ".join(f"n.{c} = b.{c}" for c in ("realm", "version", "length", "hi", "lo", "port_first", "protocol"))
# What was said of a row before, and by how much it is in doubt now: by all the time in which it was heard of.
_DOUBTED = f"""
FROM (
    SELECT id, since, seen, greatest(seen - since, 0) + error AS doubt FROM (
        SELECT r.id, l.clock_error AS error, coalesce(r.since, r.possible_from + l.clock_error) AS since,
            coalesce(r.seen, least(r.sure_until, r.possible_until, {OPEN - 2**60}) + l.clock_error) AS seen
        FROM attribution_bindingrow r JOIN attribution_loadrow l ON l.id = r.load_id
        WHERE r.source_id = %(source)s
    ) said
) x WHERE x.id = b.id AND b.source_id = %(source)s
"""
_IN_DOUBT = """
    since = x.since, seen = x.seen, begun = coalesce(b.begun, true), possible_from = x.since - x.doubt,
    sure_from = x.since + x.doubt, sure_until = least(b.sure_until, x.since)
"""
# What a plan said before is as it was: a reading of it that is gone ended nothing (`restating.py`).
_SAID_AGAIN = f"""
UPDATE attribution_bindingrow SET possible_until = until, sure_until = until, until = NULL, end_load_id = load_id,
    end_offset = byte_offset, ending = CASE WHEN until < {OPEN} THEN {_EXPLICIT} ELSE {_STILL} END
WHERE source_id = %(source)s AND kind = {SERVICE} AND end_load_id = ANY(%(loads)s) AND until IS NOT NULL RETURNING id
"""
# Only the gone reading knew how these ended, or that they were still there.
_ENDED_BY_IT = f"""
UPDATE attribution_bindingrow b SET {_IN_DOUBT}, heard = x.seen, until = x.since, final = false,
    possible_until = {OPEN}, ending = {_STILL}, end_load_id = b.load_id, end_offset = b.byte_offset
{_DOUBTED} AND b.kind <> {SERVICE} AND b.end_load_id = ANY(%(loads)s) RETURNING b.id
"""
# These were heard of later too, but until when only that reading may have said.
_HEARD_OF = f"""
UPDATE attribution_bindingrow b SET {_IN_DOUBT}
{_DOUBTED} AND b.kind <> {SERVICE}
    AND b.load_id < %(last)s AND b.end_load_id > %(first)s AND b.ending <> {_EXPLICIT}
    AND b.sure_until BETWEEN %(since)s AND %(until)s
"""
_FOLLOWED = f"""
UPDATE attribution_bindingrow SET possible_until = {OPEN}, ending = {_STILL}
WHERE source_id = %(source)s AND kind <> {SERVICE} AND ending = {_SUPERSEDED}
    AND possible_until BETWEEN %(since)s AND %(until)s RETURNING id
"""
# Whoever is left and was given the address next ends it again, unless it was heard of after that.
_FOLLOW = f"""
UPDATE attribution_bindingrow b SET
    possible_until = next.since, sure_until = least(b.sure_until, next.surely), ending = {_SUPERSEDED}
FROM (
    SELECT b.id, min(n.sure_from) AS since, min(n.possible_from) AS surely
    FROM attribution_bindingrow b JOIN attribution_bindingrow n
        ON n.source_id = b.source_id AND {_PLACE} AND n.nas = b.nas AND n.possible_from > b.possible_from
    WHERE b.id = ANY(%(opened)s) AND b.version <> {STATION}
        AND n.possible_from >= coalesce(b.seen, b.sure_until) + coalesce(b.since - b.possible_from, 0)
    GROUP BY b.id
) next WHERE b.id = next.id
"""


def same_file_after(load: LoadRow) -> list[LoadRow]:
    """The reading and those that went on in its file where it had ended: they can only be read again together. Of a
    file that is read as a whole (it covers no time) all that were made after it."""
    if load.covers_from is None:
        return [load, *LoadRow.objects.filter(source=load.source_id, id__gt=load.pk, file=load.file).order_by("id")]
    chain = [load]
    for later in LoadRow.objects.filter(source=load.source_id, id__gt=load.pk, first_byte__gt=load.first_byte).order_by(
        "id"
    ):
        last = chain[-1]
        grown = later.head_size != last.head_size and later.file == last.file
        if later.first_byte == last.end_byte and (later.head_sha256 == last.head_sha256 or grown):
            chain.append(later)
    return chain


def leaning_on(source: SourceRow, loads: Sequence[int]) -> list[int]:
    """Other readings that ended what these began, or began what these ended."""
    rows = BindingRow.objects.filter(source=source).exclude(kind=SERVICE)  # A plan's are as they were at once.
    after = rows.filter(load_id__in=loads).exclude(end_load_id__in=loads).values_list("end_load_id", flat=True)
    before = rows.filter(end_load_id__in=loads).exclude(load_id__in=loads).values_list("load_id", flat=True)
    return sorted({*after.distinct(), *before.distinct()})


def brought_by(source: SourceRow, loads: Sequence[int]) -> tuple[int, int]:
    """How many bindings and flows of these readings there are."""
    flows = flow_parts.flows_of(source, loads)
    return BindingRow.objects.filter(source=source, load_id__in=loads).count(), flows


def take_out(source: SourceRow, loads: Sequence[LoadRow], *, at: datetime) -> int:
    """Take readings of a source out, in the caller's transaction; how much of other readings is open again."""
    numbers = [load.pk for load in loads]
    covers = _covers(LoadRow.objects.filter(pk__in=numbers))
    error = max(load.clock_error for load in loads)
    first_begun, last_begun = BindingRow.objects.filter(source=source, load_id__in=numbers).aggregate(
        first=Min("possible_from"), last=Max("sure_from", filter=Q(sure_from__lt=OPEN))
    ).values()  # fmt: skip
    begin = min([*(first for first, _ in covers), OPEN if first_begun is None else first_begun]) - error
    end = max([*(last for _, last in covers), last_begun or 0]) + 2 * error
    source_of: dict[str, int | list[int]] = {"source": source.pk, "loads": numbers}
    within: dict[str, int] = {
        "source": source.pk, "first": min(numbers), "last": max(numbers), "since": begin, "until": end,
    }  # fmt: skip
    opened: list[int] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM attribution_bindingrow WHERE source_id = %(source)s AND load_id = ANY(%(loads)s)", source_of
        )
        cursor.execute(_SAID_AGAIN, source_of)
        opened += [row for (row,) in cursor.fetchall()]
        cursor.execute(_ENDED_BY_IT, source_of)
        opened += [row for (row,) in cursor.fetchall()]
        cursor.execute(_HEARD_OF, within)
        cursor.execute(_FOLLOWED, within)
        opened += [row for (row,) in cursor.fetchall()]
        cursor.execute(_FOLLOW, {"opened": opened})
    flows = flow_parts.take_out(source, numbers, until=end, at=at)
    LoadRow.objects.filter(pk__in=numbers).delete()
    # A restart that another reading told of at that time is lost with them: sessions stay open that it had ended.
    RestartRow.objects.filter(source=source, at__gte=begin, at__lte=end).delete()
    _cover_again(source)
    return len(set(opened)) + flows


def _cover_again(source: SourceRow) -> None:
    """What is left was read of the rest only; what was forgotten stays forgotten."""
    SourceRow.objects.select_for_update().get(pk=source.pk)
    before = list(CoverRow.objects.filter(source=source).values_list("since", "until"))
    CoverRow.objects.filter(source=source).delete()
    left = LoadRow.objects.filter(source=source)
    if not left.exists():
        ScopeRow.objects.filter(source=source).delete()
        SourceRow.objects.filter(pk=source.pk).update(error_before=0, error_lately=0, error_samples=0, term=0)
    stretches: list[list[int]] = []
    for first, last in sorted(_covers(left)):
        if stretches and first <= stretches[-1][1] + QUIET:
            stretches[-1][1] = max(stretches[-1][1], last)
        else:
            stretches.append([first, last])
    CoverRow.objects.bulk_create(
        CoverRow(source=source, since=max(first, since), until=min(last, until))
        for first, last in stretches
        for since, until in before
        if max(first, since) <= min(last, until)
    )


def _covers(loads: QuerySet[LoadRow]) -> list[tuple[int, int]]:
    edges = loads.values_list("covers_from", "covers_until")
    return [(first, last) for first, last in edges if first is not None and last is not None]
