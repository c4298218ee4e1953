"""Writes of filters that belong to no case. Each is one transaction with its entry in the record."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import Degree, Filter, FilterState, Ground, Selector

from .models import FilterRow
from .operations import selector_json
from .queries import filter_of


class NoSuchFilter(LookupError):
    """There is no filter with this key."""


class NotThatFar(ValueError):
    """This filter has gone on meanwhile, or has ended: look at it again."""


def keep_filter(
    *,
    selector: Selector,
    degree: Degree,
    device: str,
    danger: str,
    shown_by: Sequence[str],
    lasts_hours: int,
    touches: Sequence[str],
    considered: Sequence[str],
    ground: Ground | None,
    at: datetime,
    actor: str,
) -> Filter:
    """Put a proposed filter on record. Nothing is planned."""
    with transaction.atomic():
        row = FilterRow.objects.create(
            key=next_key("F"), selector=selector_json(selector), degree=int(degree), device=device, danger=danger,
            shown_by=list(shown_by), state=FilterState.PROPOSED, proposed_by=actor, proposed_at=at,
            lasts_hours=lasts_hours, touches=list(touches), considered=list(considered),
            ground=ground.value if ground else "",
        )  # fmt: skip
        record(
            "filter.proposed", at=at, actor=actor, about=[row.key, *shown_by, *touches[:50]], device=device,
            selector=str(selector), degree=degree.name.lower(), danger=danger, lasts_hours=lasts_hours,
            touches=len(touches), considered=list(considered), ground=ground,
        )  # fmt: skip
    return filter_of(row)


def lock_filter(key: str) -> Filter:
    """Hold a filter for the rest of the caller's transaction; raise NoSuchFilter."""
    row = FilterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchFilter(key)
    return filter_of(row)


def decide_filter(key: str, *, to: FilterState, why: str, starts_at: datetime | None, at: datetime, actor: str) -> None:
    """An engineer agreed or did not; raise NotThatFar for one that waits for nobody."""
    row = _in(key, FilterState.PROPOSED)
    row.state, row.decided_by, row.decided_at, row.decided_why, row.starts_at = to, actor, at, why, starts_at
    row.save(update_fields=["state", "decided_by", "decided_at", "decided_why", "starts_at"])
    record(f"filter.{to}", at=at, actor=actor, about=[key], why=why, starts_at=starts_at)


def note_told(key: str, *, touches: Sequence[str], letters: Mapping[str, str], starts_at: datetime | None) -> None:
    """Whom it touches now, and which letter told each; what was told before stays. The letters have their entries."""
    row = FilterRow.objects.select_for_update().get(key=key)
    row.touches, row.letters = list(touches), {**row.letters, **letters}
    row.starts_at = starts_at if starts_at is not None else row.starts_at
    row.save(update_fields=["touches", "letters", "starts_at"])


def note_touches(key: str, *, touches: Sequence[str], at: datetime, actor: str) -> None:
    """Whom it would touch now is others than when it was proposed."""
    row = _in(key, FilterState.PROPOSED)
    row.touches = list(touches)
    row.save(update_fields=["touches"])
    record("filter.touches", at=at, actor=actor, about=[key, *touches[:50]], touches=len(touches))


def note_planned(key: str, *, measure: str, at: datetime, actor: str) -> None:
    """Its measure is planned."""
    row = _in(key, FilterState.AGREED)
    row.state, row.measure = FilterState.STANDS, measure
    row.save(update_fields=["state", "measure"])
    record("filter.planned", at=at, actor=actor, about=[key, measure])


def end_filter(key: str, *, why: str, at: datetime, actor: str) -> None:
    """It is over; raise NotThatFar for one that ended before."""
    row = _in(key, FilterState.PROPOSED, FilterState.AGREED, FilterState.STANDS)
    row.state, row.ended_at, row.ended_why = FilterState.ENDED, at, why
    row.save(update_fields=["state", "ended_at", "ended_why"])
    record("filter.ended", at=at, actor=actor, about=[key, *([row.measure] if row.measure else [])], why=why)


def _in(key: str, *states: FilterState) -> FilterRow:
    row = FilterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchFilter(key)
    if row.state not in states:
        raise NotThatFar(key)
    return row
