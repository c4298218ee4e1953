"""Reads of the notices room."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Count, Exists, Func, OuterRef, Q, QuerySet, TextField, Value

from tipstaff.host import viewing
from tipstaff.host.among import among
from tipstaff.host.newest import newest
from tipstaff.words import Letter, LetterKind, LetterState, require_aware

from .addresses import folded
from .compose import COMPLAINANT_KINDS
from .models import LetterRow
from .rows import letter_of

seen = partial(viewing.seen, of=viewing.LETTERS)


def get_letter(key: str) -> Letter | None:
    row = seen(LetterRow.objects.filter(key=key)).first()
    return letter_of(row) if row else None


def letter_written_for(once: str) -> Letter | None:
    """Return the letter that a step of the story has written, if it ran."""
    row = LetterRow.objects.filter(once=once).first()
    return letter_of(row) if row else None


def written_for(*, once: str) -> set[str]:
    """Of all letters of the steps whose names begin with `once`, what follows in the name, whatever became of them."""
    names = LetterRow.objects.filter(once__startswith=once).values_list("once", flat=True)
    return {name.removeprefix(once) for name in names}


def handed_over(*, once: str) -> dict[str, datetime]:
    """Of all letters of the steps whose names begin with `once`, those that a mail server took and that did not come
    back, with when: by the rest of the step's name."""
    rows = _handed_over().filter(once__startswith=once).values_list("once", "sent_at")
    return {name.removeprefix(once): at for name, at in rows if at is not None}


def handed_over_at(*, once: str) -> datetime | None:
    """When a mail server took the letter of this one step; None where none did, or it came back."""
    return _handed_over().filter(once=once).values_list("sent_at", flat=True).first()


def _handed_over() -> "QuerySet[LetterRow]":
    return LetterRow.objects.filter(state=LetterState.SENT.value, sent_at__isnull=False, diverted=False)


def letter_of_message(message_id: str) -> Letter | None:
    """The letter that carries this Message-ID; None when it is none of ours."""
    # A letter's key stands in its Message-ID, so no index over all of them is needed.
    key = message_id.removeprefix("<").partition(".")[0]
    row = seen(LetterRow.objects.filter(key=key[:64], message_id=message_id)).first()
    return letter_of(row) if row else None


def find_words(text: str, *, limit: int) -> list[Letter]:
    """The newest letters in which all these words stand. One whose matter was sealed has lost its words."""
    asked = SearchQuery(text, config="simple", search_type="websearch")
    # What may not be seen is left out first: among the newest it would take the place of what may, and so be told of.
    letters = seen(LetterRow.objects.all())
    rows = letters.annotate(words=SearchVector("subject", "body", config="simple")).filter(words=asked)
    ids = newest(rows, "id", take="id", limit=limit)
    return [letter_of(row) for row in LetterRow.objects.filter(id__in=ids).order_by("-id")]


def closed_letters(cases: Collection[str], *, reports: Collection[str]) -> set[str]:
    """Keys of all letters about these cases or reports."""
    keys: set[str] = set()
    for column, about in (("case", cases), ("report", reports)):  # Each has its own index; an OR of them is slower.
        if about:
            keys.update(among(LetterRow.objects.order_by(), column, about).values_list("key", flat=True))
    return keys


def newest_letter(about: str, *, to: str) -> Letter | None:
    """The latest letter about a case or a report that was written to this address; None without one."""
    of = {"case": about} if about.startswith("C-") else {"report": about}
    row = LetterRow.objects.filter(**of, to_folded=folded(to)).order_by("-id").first()
    return letter_of(row) if row else None


def letters_of_case(case: str) -> list[Letter]:
    """Return a case's letters in the order they were written."""
    return [letter_of(row) for row in seen(LetterRow.objects.filter(case=case)).order_by("id")]


def letters_of_report(report: str) -> list[Letter]:
    """Return a report's letters in the order they were written."""
    return [letter_of(row) for row in seen(LetterRow.objects.filter(report=report)).order_by("id")]


def list_letters(
    *, state: LetterState | None = None, kind: LetterKind | None = None, limit: int = 100, before: str | None = None
) -> list[Letter]:
    """Return the newest letters, or the newest in one state or of one kind; `before` is the last key of a page."""
    rows: QuerySet[LetterRow] = seen(LetterRow.objects.order_by("-id"))
    if kind is not None:
        rows = rows.filter(kind=kind.value)
    if before is not None:
        end = LetterRow.objects.filter(key=before).values_list("id", flat=True).first()
        rows = rows.filter(id__lt=end or 0)
    if state is not None:
        rows = rows.filter(state=state.value)
    return [letter_of(row) for row in rows[:limit]]


def oldest_held(*, limit: int) -> list[Letter]:
    """Return the letters that have been held longest."""
    return [letter_of(row) for row in LetterRow.objects.filter(state=LetterState.HELD.value).order_by("id")[:limit]]


def count_by_state(states: Collection[LetterState] = tuple(LetterState)) -> dict[LetterState, int]:
    """Return how many letters stand in each of these states, every one named."""
    rows = seen(LetterRow.objects.filter(state__in=[state.value for state in states]))
    counted = dict(rows.values_list("state").annotate(count=Count("id")))
    return {state: counted.get(state.value, 0) for state in states}


def count_in(state: LetterState, *, most: int) -> int:
    """How many letters stand in this state; it counts no further than `most`."""
    return seen(LetterRow.objects.filter(state=state.value)).values("pk")[:most].count()


def not_taken_yet() -> tuple[int, str]:
    """How many letters wait because the mail server did not take them, and what became of the latest attempt."""
    rows = seen(LetterRow.objects.filter(state=LetterState.QUEUED.value, attempts__gt=0))
    latest = rows.order_by("-due_at", "-id").values_list("detail", flat=True).first()
    return rows.count(), latest or ""


def unreached(
    kinds: Collection[LetterKind], *, cases: Collection[str], but: Collection[str], limit: int
) -> list[Letter]:  # fmt: skip
    """Letters of these kinds about one of these cases that mail brought to nobody, newest first; none whose place a
    later letter has taken, and none of `but`."""
    rows = _unreached(kinds).filter(case__in=list(cases)).exclude(key__in=list(but))
    return [letter_of(row) for row in rows.order_by("-id")[:limit]]


def cases_unreached(kinds: Collection[LetterKind]) -> set[str]:
    """The cases about which there are such letters: most of them ended long ago."""
    rows = _unreached(kinds).values_list("case", flat=True).distinct()
    return {case for case in rows if case is not None}


def notices_unreached(cases: Collection[str]) -> dict[str, bool]:
    """Notices about these cases that mail brought to nobody, newest first: whether another was written after each."""
    rows = _unreached([LetterKind.NOTICE]).filter(case__in=list(cases)).annotate(followed=_followed())
    return dict(rows.order_by("-id").values_list("key", "followed"))


_FAILED: Final = (LetterState.REFUSED.value, LetterState.RETURNED.value)


def _followed() -> Exists:
    later = LetterRow.objects.filter(case=OuterRef("case"), kind=OuterRef("kind"), id__gt=OuterRef("id"))
    return Exists(later.exclude(state__in=[*_FAILED, LetterState.WITHDRAWN.value]))


def _unreached(kinds: Collection[LetterKind]) -> "QuerySet[LetterRow]":
    """A later letter takes the place that is of the same kind and did not fail; of a measure only one that is about the
    same measure, because what another measure does is told in its own. Of a notice none does by its date: the next one
    names what came after it, and who knows what it named is not asked here (`notices_unreached`)."""
    later = LetterRow.objects.filter(case=OuterRef("case"), kind=OuterRef("kind"), id__gt=OuterRef("id"))
    later = later.exclude(state__in=[*_FAILED, LetterState.WITHDRAWN.value]).exclude(kind=LetterKind.NOTICE.value)
    later = later.annotate(step_of=_second_of("once")).filter(
        ~Q(kind=LetterKind.MEASURE_TAKEN.value) | Q(step_of=_second_of(OuterRef("once")))
    )
    rows = LetterRow.objects.filter(state__in=_FAILED, kind__in=[kind.value for kind in kinds], case__isnull=False)
    return seen(rows.exclude(Exists(later)))


def _second_of(once: "str | OuterRef") -> Func:
    """What a step of the story is about, which stands second in its name: `measure_taken:M-000001`,
    `prolonged:M-000001:2026-05-04T12:00:00+00:00`."""
    return Func(once, Value(":"), Value(2), function="split_part", output_field=TextField())


def too_many_to(address: str, *, at: datetime, hourly_max: int) -> bool:
    """Say whether one more letter to this complainant would be too many within an hour: a storm is not answered."""
    since = require_aware(at) - timedelta(hours=1)
    written = LetterRow.objects.filter(
        to_folded=folded(address),
        created_at__gt=since,
        kind__in=[kind.value for kind in COMPLAINANT_KINDS],
    )
    return len(written.values_list("id")[:hourly_max]) >= hourly_max


def cases_told(cases: Collection[str]) -> frozenset[str]:
    """Which of these cases the customer knows of: a letter about it was handed over to them."""
    kinds = [kind.value for kind in LetterKind if kind not in COMPLAINANT_KINDS]
    rows = LetterRow.objects.filter(case__in=list(cases), kind__in=kinds, sent_at__isnull=False, diverted=False)
    return frozenset(str(case) for case in rows.values_list("case", flat=True))
