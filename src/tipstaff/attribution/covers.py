"""Which stretches of time each source was read of. Private to this room."""

from collections.abc import Iterable, Iterator, Sequence

from django.db.models import QuerySet
from django.db.models.functions import Greatest

from .codes import OPEN
from .models import CoverRow, LoadRow, MissedRow, SourceRow
from .protocol import Span

QUIET = 3600 * 1_000_000
"""Two readings of a source that lie farther apart, in microseconds, are never taken for one. Those that lie no farther
are, where it is one file that was read on: logs have quiet times."""
SILENCES = 2
"""Between two files of a log that one was missing shows where all is silent for longer than so many times the longest
silence within the files beside."""
FEW = 16
"""Fewer records than these do not tell how long a log is silent, where those on the other side do."""


def quiet_between_files(load: LoadRow, *, error: int) -> tuple[int, int]:
    """For how long, in microseconds, a log may be silent before and after a file, if none is missing there: as it was
    within the files on both sides, and its clock may be wrong.

    The side on which it was silent for less counts, so that one quiet spell, or the night, hides nothing.
    """
    assert load.covers_from is not None, "it speaks of a time"
    assert load.covers_until is not None, "it speaks of a time"
    others = LoadRow.objects.filter(source_id=load.source_id, silence__isnull=False).exclude(pk=load.pk)
    before = others.filter(covers_until__range=(load.covers_from - QUIET, load.covers_from)).order_by("-covers_until")
    after = others.filter(covers_from__range=(load.covers_until, load.covers_until + QUIET)).order_by("covers_from")
    own = load.silence or 0, load.records
    quiet = [min(QUIET, SILENCES * _usual_silence(own, _beside(side)) + 2 * error) for side in (before, after)]
    return quiet[0], quiet[1]


def _beside(nearest: QuerySet[LoadRow]) -> tuple[int, int]:
    """(longest silence, records) of the nearest files of within an hour that hold enough records to tell."""
    silence = records = 0
    for one, count in nearest.values_list("silence", "records")[:FEW]:
        silence, records = max(silence, one or 0), records + count
        if records >= FEW:
            break
    return silence, records


def _usual_silence(*sides: tuple[int, int]) -> int:
    """How long a log was silent at most on the side where it was less; of two that hold few records, where more."""
    telling = [silence for silence, records in sides if records >= FEW]
    return min(telling) if telling else max(silence for silence, _ in sides)


def note_cover(source: int, covers: tuple[int, int], *, quiet: tuple[int, int] = (QUIET, QUIET)) -> tuple[int, int]:
    """A source was read from one instant to another, in the caller's transaction: stretches that lie no more than
    `quiet` apart, before and after, become one, which is given back."""
    SourceRow.objects.select_for_update().get(pk=source)
    first, last = covers
    touched = CoverRow.objects.filter(source_id=source, since__lte=last + quiet[1], until__gte=first - quiet[0])
    edges = list(touched.values_list("since", "until"))
    touched.delete()
    whole = min([first, *(s for s, _ in edges)]), max([last, *(u for _, u in edges)])
    CoverRow.objects.create(source_id=source, since=whole[0], until=whole[1])
    return whole


def forget_cover(sources: Sequence[int], *, before: int) -> None:
    """What was read of these sources before an instant is not kept any more, in the caller's transaction."""
    mine = CoverRow.objects.filter(source_id__in=sources)
    mine.filter(until__lte=before).delete()
    mine.filter(since__lt=before).update(since=before)


SPANS_MAX = 200
"""More spans of one reading than these are kept as one."""


def note_missed(source: int, missed: Sequence[Span], covers: tuple[int, int] | None) -> None:
    """Between which instants a source wrote what could not be read, before `note_cover` of the same reading."""
    if covers is not None:
        first, last = covers
        MissedRow.objects.filter(source_id=source, until=OPEN, since__lt=last).update(until=Greatest("since", first))
    spans = []
    for before, after in missed:
        before = read_until(source) if before is None else before
        if before is not None:  # What lies before all that was read is a gap anyway.
            after = OPEN if after is None else after
            spans.append((min(before, after), max(before, after)))
    if len(spans) > SPANS_MAX:
        spans = [(min(s for s, _ in spans), max(u for _, u in spans))]
    MissedRow.objects.bulk_create(MissedRow(source_id=source, since=since, until=until) for since, until in spans)


def read_until(source: int) -> int | None:
    """The last instant of which the source was read, in microseconds."""
    last = CoverRow.objects.filter(source_id=source).order_by("-until").first()
    return None if last is None else last.until


def holes(
    covered: Sequence[tuple[int, int]], *, begin: int | None = None, end: int | None = None
) -> list[tuple[int | None, int | None]]:
    """What stretches that lie apart leave out, in microseconds: before the first, between them, after the last.

    With `begin` and `end` only the holes that touch [begin, end], for which `covered` may be those stretches alone that
    bound them.
    """
    edges: list[int | None] = [None, *(edge for stretch in covered for edge in stretch), None]
    found = zip(edges[::2], edges[1::2], strict=True)
    return [
        (first, last) for first, last in found
        if (end is None or first is None or first <= end) and (begin is None or last is None or last > begin)
    ]  # fmt: skip


Hole = tuple[int | None, int | None, int, bool]
"""From when until when a source was not read, for how long what it tells of may last without a word, and whether it may
be had beside another's."""


def with_lasting(holes: Iterable[Hole]) -> Iterator[tuple[int | None, int | None, bool, bool]]:
    """(first, last, lasting, beside) of holes, and after each the time for which what began in it may last. A lease is
    spoken of again when half of it is over, and then only if its client is there; a connection not before its end."""
    for first, last, term, beside in holes:
        yield first, last, False, False
        if term and last is not None and last < OPEN:
            yield last, last + term, True, beside


def note_lasting(source: SourceRow, *, stated: float | None, usual: float, beside: bool) -> None:
    """For how many seconds what the source tells of may last without a word: as stated, else what is usual of its kind,
    but no shorter than was stated before."""
    if stated is None:
        SourceRow.objects.filter(pk=source.pk, term__lt=round(usual * 1e6)).update(term=round(usual * 1e6))
    SourceRow.objects.filter(pk=source.pk).update(
        beside=beside, **({} if stated is None else {"term": round(stated * 1e6)})
    )
