"""Which stretches of time each source was read of. Private to this room."""

from collections.abc import Sequence

from .models import CoverRow, SourceRow

QUIET = 3600 * 1_000_000
"""Two readings of a source that lie no farther apart, in microseconds, are taken for one: logs have quiet times."""


def note_cover(source: int, covers: tuple[int, int] | None) -> None:
    """A source was read from one instant to another, in the caller's transaction: stretches that touch become one."""
    if covers is None:
        return
    SourceRow.objects.select_for_update().get(pk=source)
    first, last = covers
    touched = CoverRow.objects.filter(source_id=source, since__lte=last + QUIET, until__gte=first - QUIET)
    edges = list(touched.values_list("since", "until"))
    touched.delete()
    CoverRow.objects.create(
        source_id=source, since=min([first, *(s for s, _ in edges)]), until=max([last, *(u for _, u in edges)])
    )


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
