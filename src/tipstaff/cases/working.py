"""How people keep order among many cases: snooze, tags, campaigns, watching, saved views, many at once, who is there.

Nothing here touches a clock, a letter or a measure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from tipstaff.ledger.operations import record, record_all
from tipstaff.words import Case

from .models import BulkRow, CaseRow, FiguresRow, PresenceRow, SavedViewRow, WatcherRow
from .operations import NoSuchCase, StaleCase
from .rows import case_of

SEEN_WITHIN = timedelta(seconds=30)
"""Whoever's page has not asked for so long has left the case."""
TAGS_MAX, BULK_MAX = 12, 200


class NotInOrder(ValueError):
    """A name has 1 to 60 letters, digits, spaces, dots and hyphens."""


class TooManyTags(ValueError):
    """A case has twelve tags at the most."""


class NothingToUndo(ValueError):
    """This was undone already, or there is no such act."""


def tidy_name(text: str, *, characters_max: int = 32) -> str:
    """A tag or a campaign as it is kept: lower case, single hyphens for spaces. Raise NotInOrder."""
    name = "-".join(text.lower().split())
    if not 0 < len(name) <= characters_max or not all(c.isalnum() or c in ".-_:/" for c in name):
        raise NotInOrder(text)
    return name


def snooze_case(key: str, *, until: datetime | None, version: int, why: str, at: datetime, actor: str) -> Case:
    """Out of sight until then, or until something happens on it; None brings it back now."""
    with transaction.atomic():
        row = _locked(key, version)
        row.snoozed_until = until
        _save(row)
        record("case.snoozed" if until else "case.woken", at=at, actor=actor, about=[key], why=why, until=until)
        return case_of(row)


def tag_case(
    key: str, *, add: Collection[str] = (), remove: Collection[str] = (), version: int, at: datetime, actor: str
) -> Case:
    """Put tags on a case and take others off. Raise NotInOrder or TooManyTags."""
    with transaction.atomic():
        row = _locked(key, version)
        gone = {tidy_name(tag) for tag in remove}
        tags = [tag for tag in row.tags if tag not in gone]
        tags += [tag for tag in dict.fromkeys(map(tidy_name, add)) if tag not in tags]
        if len(tags) > TAGS_MAX:
            raise TooManyTags(key)
        row.tags = tags
        _save(row)
        record("case.tagged", at=at, actor=actor, about=[key], tags=tags)
        return case_of(row)


def link_case(key: str, *, campaign: str | None, version: int, why: str, at: datetime, actor: str) -> Case:
    """Say that a case is part of a campaign over many customers, or of none. Only the desk learns of it."""
    with transaction.atomic():
        row = _locked(key, version)
        before, row.campaign = row.campaign, tidy_name(campaign, characters_max=60) if campaign else None
        _save(row)
        record("case.linked", at=at, actor=actor, about=[key], why=why, campaign=row.campaign, before=before)
        return case_of(row)


def watch_case(key: str, *, name: str, on: bool) -> None:
    """Follow a case, or no longer: one's own list, and nobody else's business."""
    if not CaseRow.objects.filter(pk=key).exists():
        raise NoSuchCase(key)
    if on:
        WatcherRow.objects.get_or_create(case_id=key, name=name)
    else:
        WatcherRow.objects.filter(case_id=key, name=name).delete()


def watchers_of(key: str) -> list[str]:
    return list(WatcherRow.objects.filter(case_id=key).order_by("name").values_list("name", flat=True))


# Who is on a case just now


def be_present(key: str, *, name: str, at: datetime) -> list[tuple[str, datetime]]:
    """Note that somebody has the case before them; who else has, and since when."""
    here = PresenceRow.objects.filter(Q(seen_at__gte=at - SEEN_WITHIN) | Q(name=name), case_id=key)
    present = list(here.order_by("since"))
    own = next((row for row in present if row.name == name), None)
    if own is None:
        fresh = PresenceRow(case_id=key, name=name, since=at, seen_at=at)
        PresenceRow.objects.bulk_create([fresh], ignore_conflicts=True)
    else:
        since = own.since if at - own.seen_at <= SEEN_WITHIN else at
        PresenceRow.objects.filter(pk=own.pk).update(since=since, seen_at=at)
    return [(row.name, row.since) for row in present if row.name != name]


# Views that people keep


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A list of cases under a name: the query of its address."""

    id: int
    owner: str
    name: str
    query: str
    shared: bool


def save_view(name: str, *, query: str, shared: bool, owner: str) -> SavedView:
    """Keep a view, or change one's own of that name. Raise NotInOrder."""
    name = " ".join(name.split())
    if not 0 < len(name) <= 60 or len(query) > 500:
        raise NotInOrder(name)
    row, _ = SavedViewRow.objects.update_or_create(
        owner=owner, name=name, defaults={"query": query, "shared": shared}
    )  # fmt: skip
    return _view(row)


def forget_view(id: int, *, owner: str) -> bool:
    """Only one's own."""
    return bool(SavedViewRow.objects.filter(pk=id, owner=owner).delete()[0])


def saved_views(name: str) -> list[SavedView]:
    """One's own, then what others share."""
    mine = SavedViewRow.objects.filter(owner=name).order_by("name")
    theirs = SavedViewRow.objects.filter(shared=True).exclude(owner=name).order_by("name", "owner")
    return [_view(row) for row in (*mine, *theirs)]


def _view(row: SavedViewRow) -> SavedView:
    return SavedView(id=row.pk, owner=row.owner, name=row.name, query=row.query, shared=row.shared)


# Many at once

_FIELDS = {"assign": "assignee", "snooze": "snoozed_until", "tag": "tags", "link": "campaign"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """One act on many cases."""

    id: int
    action: str
    value: str
    at: datetime
    actor: str
    cases: tuple[str, ...]
    undone_at: datetime | None


def change_all(
    versions: Mapping[str, int], *, action: str, value: str, at: datetime, actor: str
) -> tuple[Bulk, list[str]]:
    """Do the same to many cases; the act, and the cases that somebody changed since they were shown: those stay.

    `action` is `assign` (value: a name, or empty for nobody), `snooze` (an instant, or empty), `tag` (a tag) or `link`
    (a campaign, or empty).
    """
    if action not in _FIELDS:
        raise ValueError(action)
    if not 0 < len(versions) <= BULK_MAX:
        raise NotInOrder(f"Choose between 1 and {BULK_MAX} cases.")
    with transaction.atomic():
        rows = {r.key: r for r in CaseRow.objects.select_for_update().filter(pk__in=versions).order_by("key")}
        fit = [rows[key] for key in sorted(versions) if key in rows and rows[key].version == versions[key]]
        before: dict[str, object] = {}
        for row in fit:
            before[row.key] = {"was": _plain(row, action), "version": row.version + 1}
            _set(row, action, value)
            _save(row)
        bulk = BulkRow.objects.create(action=action, value=value, before=before, at=at, actor=actor)
        detail = {"number": bulk.pk, "action": action, "value": value}
        # An entry for each: one about all of them would make each case's story that of the others.
        record_all([("case.changed_at_once", [row.key], detail) for row in fit], at=at, actor=actor)
        return _bulk(bulk), sorted(set(versions) - {row.key for row in fit})


def undo_all(id: int, *, at: datetime, actor: str) -> tuple[list[str], list[str]]:
    """Put back what one act on many cases changed: (put back, changed since and left as they are).

    Whoever did it may undo it. Raise NothingToUndo.
    """
    with transaction.atomic():
        bulk = BulkRow.objects.select_for_update().filter(pk=id, undone_at=None, actor=actor).first()
        if bulk is None:
            raise NothingToUndo(str(id))
        back: list[str] = []
        for row in CaseRow.objects.select_for_update().filter(pk__in=list(bulk.before)).order_by("key"):
            kept = bulk.before[row.key]
            if row.version == kept["version"]:
                _put_back(row, bulk.action, kept["was"])
                _save(row)
                back.append(row.key)
        bulk.undone_at = at
        bulk.save(update_fields=["undone_at"])
        detail = {"number": id, "action": bulk.action}
        record_all([("case.change_undone", [key], detail) for key in back], at=at, actor=actor)
        return back, sorted(set(bulk.before) - set(back))


def latest_bulk(name: str, *, since: datetime) -> Bulk | None:
    """The newest act on many cases of this person that can be undone."""
    row = BulkRow.objects.filter(actor=name, undone_at=None, at__gte=since).order_by("-id").first()
    return _bulk(row) if row is not None else None


def _bulk(row: BulkRow) -> Bulk:
    return Bulk(
        id=row.pk, action=row.action, value=row.value, at=row.at, actor=row.actor, cases=tuple(sorted(row.before)),
        undone_at=row.undone_at,
    )  # fmt: skip


def _plain(row: CaseRow, action: str) -> object:
    was = getattr(row, _FIELDS[action])
    return was.isoformat() if isinstance(was, datetime) else was


def _set(row: CaseRow, action: str, value: str) -> None:
    if action == "tag":
        row.tags = list(dict.fromkeys([*row.tags, tidy_name(value)]))[:TAGS_MAX]
    elif action == "snooze":
        row.snoozed_until = datetime.fromisoformat(value) if value else None
    elif action == "link":
        row.campaign = tidy_name(value, characters_max=60) if value else None
    else:
        row.assignee = value or None


def _put_back(row: CaseRow, action: str, was: object) -> None:
    is_time = action == "snooze" and isinstance(was, str)
    setattr(row, _FIELDS[action], datetime.fromisoformat(str(was)) if is_time else was)


def _locked(key: str, version: int) -> CaseRow:
    row = CaseRow.objects.select_for_update().filter(pk=key).first()
    if row is None:
        raise NoSuchCase(key)
    if row.version != version:
        raise StaleCase(key)
    return row


def _save(row: CaseRow) -> None:
    row.version += 1
    row.save()


FIGURES_KEPT_FOR = timedelta(days=1)


def keep_figures(name: str, found: dict[str, Any], *, at: datetime) -> None:
    """Keep what was counted under a name, in place of what was kept before; what is older than a day goes."""
    FiguresRow.objects.update_or_create(name=name, defaults={"at": at, "found": found})
    FiguresRow.objects.filter(at__lt=at - FIGURES_KEPT_FOR).delete()


def kept_figures(name: str) -> tuple[datetime, dict[str, Any]] | None:
    """When they were counted, and what was found."""
    row = FiguresRow.objects.filter(name=name).first()
    return None if row is None else (row.at, row.found)
