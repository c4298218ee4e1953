"""How people work on many cases: hand over, snooze, tag, link, watch, many at once; and what of their work is late.

None of it moves a clock of a customer's, writes a letter or takes a measure. What belongs to the desk stays there: no
letter and no page for anybody else draws on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from tipstaff.cases import operations as cases
from tipstaff.cases.queries import Kind, Waiting, waiting_by, waiting_kinds
from tipstaff.cases.working import BULK_MAX as BULK_MAX
from tipstaff.cases.working import Bulk, latest_bulk, snooze_case, tidy_name
from tipstaff.cases.working import SavedView as SavedView
from tipstaff.cases.working import be_present as be_present
from tipstaff.cases.working import change_all as change_them
from tipstaff.cases.working import forget_view as forget_view
from tipstaff.cases.working import link_case as link_case
from tipstaff.cases.working import save_view as save_view
from tipstaff.cases.working import saved_views as saved_views
from tipstaff.cases.working import tag_case as tag_case
from tipstaff.cases.working import undo_all as undo_them
from tipstaff.cases.working import watch_case as watch_case
from tipstaff.cases.working import watchers_of as watchers_of
from tipstaff.intake.operations import KeyUsedOtherwise as KeyUsedOtherwise
from tipstaff.intake.operations import once_for_key as once_for_key
from tipstaff.words import Case, Severity

from .desk import Desk

SNOOZE_MAX = timedelta(days=90)
UNDO_WITHIN = timedelta(hours=24)
LEVELS: Mapping[Severity, timedelta] = {
    Severity.CRITICAL: timedelta(hours=4),
    Severity.HIGH: timedelta(hours=24),
    Severity.MEDIUM: timedelta(hours=72),
    Severity.LOW: timedelta(days=14),
}
"""Within what time a person acts on a case that waits for one, where its edition has no `desk.decide` clock for it."""


class NoSuchColleague(LookupError):
    """Nobody of that name works at the desk."""


class NotThen(ValueError):
    """Choose a time between now and 90 days from now."""


def hand_over(key: str, *, to: str, note: str, version: int, desk: Desk, at: datetime, actor: str) -> Case:
    """Give a case to a colleague, with a word on it. Raise NoSuchColleague or StaleCase."""
    if not desk.roles_of(to):
        raise NoSuchColleague(f"Nobody called {to} works at the desk.")
    case = cases.assign_case(key, to=to, version=version, at=at, actor=actor)
    if note:
        cases.write_note(key, text=note, at=at, actor=actor)
    return case


def snooze(key: str, *, until: datetime, why: str, version: int, at: datetime, actor: str) -> Case:
    """Out of sight until then; it comes back by itself, and at once when something happens on it."""
    return snooze_case(key, until=_then(until, at=at), version=version, why=why, at=at, actor=actor)


def wake(key: str, *, version: int, at: datetime, actor: str) -> Case:
    return snooze_case(key, until=None, version=version, why="", at=at, actor=actor)


def _then(until: datetime, *, at: datetime) -> datetime:
    if not at < until <= at + SNOOZE_MAX:
        raise NotThen(until.isoformat())
    return until


def change_all(
    versions: Mapping[str, int], *, action: str, value: str, desk: Desk, at: datetime, actor: str
) -> tuple[Bulk, list[str]]:
    """Do the same to many cases, after a look at each (`preview`); what somebody changed meanwhile stays as it is."""
    check_value(action, value, desk=desk, at=at)
    return change_them(versions, action=action, value=value, at=at, actor=actor)


def check_value(action: str, value: str, *, desk: Desk, at: datetime) -> None:
    """Raise what `change_all` would: NoSuchColleague, NotThen or NotInOrder."""
    if action == "assign" and value and not desk.roles_of(value):
        raise NoSuchColleague(f"Nobody called {value} works at the desk.")
    if action == "snooze" and value:
        try:
            until = datetime.fromisoformat(value)
        except ValueError as why:
            raise NotThen(value) from why
        if until.tzinfo is None:
            raise NotThen(value)
        _then(until, at=at)
    if action in ("tag", "link") and (value or action == "tag"):
        tidy_name(value, characters_max=32 if action == "tag" else 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How the desk does on one clause."""

    clause: str
    within: timedelta
    """The shortest time that holds for a case of it that waits."""
    waiting: int
    late: int
    today: int
    """So many more will be late before the day ends where the operator is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """What waits for a person, by when somebody should have acted."""

    levels: tuple[Level, ...]
    late: tuple[tuple[Case, datetime], ...]
    """The first of them, each with the moment by which somebody should act; most overdue first."""
    today: tuple[tuple[Case, datetime], ...]


def act_by(case: Case, *, desk: Desk) -> datetime | None:
    """By when a person should act on it; None while it waits for none.

    Its edition says so in a clock `desk.decide.CLAUSE`, `desk.decide.GROUP` or `desk.decide`, else its severity does.
    """
    if case.waits_since is None:
        return None
    return case.waits_since + level_of(case, desk=desk)


def level_of(case: Case, *, desk: Desk) -> timedelta:
    return _level(Kind(case.edition, case.group, case.clause, case.severity), desk=desk)


def _level(kind: Kind, *, desk: Desk) -> timedelta:
    edition = next((edition for edition in desk.editions if edition.id == kind.edition), None)
    level = LEVELS[Severity(kind.severity)]
    if edition is not None:
        for clock in ("desk.decide", f"desk.decide.{kind.group}", f"desk.decide.{kind.clause}"):
            level = edition.length_of(clock, default=level)
    return level


def lateness(*, desk: Desk, at: datetime) -> Lateness:
    """What is late now, and what will be late today. A case that is snoozed is late all the same."""
    levels = {kind: _level(kind, desk=desk) for kind in waiting_kinds()}
    zone = ZoneInfo(desk.zone)
    ends_at = datetime.combine(at.astimezone(zone).date() + timedelta(days=1), time(), zone)
    found, late, today = waiting_by(levels, at=at, ends_at=ends_at, limit=CASES_MAX)
    clauses: dict[str, list[Waiting]] = {}
    for each in found:
        clauses.setdefault(each.kind.clause, []).append(each)
    return Lateness(
        levels=tuple(
            Level(
                clause=clause, within=min(levels[each.kind] for each in some), waiting=sum(x.waiting for x in some),
                late=sum(x.late for x in some), today=sum(x.today for x in some),
            )
            for clause, some in sorted(clauses.items())
        ),
        late=tuple(late), today=tuple(today),
    )  # fmt: skip


CASES_MAX = 200
"""So many of those that are late, and of those that will be today, are named; all are counted."""


def undoable(name: str, *, at: datetime) -> Bulk | None:
    """What this person did to many cases within a day, and can still undo."""
    return latest_bulk(name, since=at - UNDO_WITHIN)


def undo_all(id: int, *, at: datetime, actor: str) -> tuple[Sequence[str], Sequence[str]]:
    """Undo it: (put back, changed since and left as they are)."""
    return undo_them(id, at=at, actor=actor)
