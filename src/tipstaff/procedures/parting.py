"""Cases are merged, split and taken apart again, and nobody loses by it.

No measure becomes wider: each incident keeps the service, ladder and ports that it was judged with, and who must decide
on it. No time becomes shorter: the later end holds, and what no letter has named yet is named in a new one. No dispute
is hidden: what waits for a word of ours, or has a measure, is settled first. And who decided on one of the cases has
decided on all that came of it (`lineage_of`), so that nobody reviews their own decision.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from tipstaff.cases import parting
from tipstaff.cases.operations import lock_case, mark_told
from tipstaff.cases.queries import get_case, members_of, standing_key, told_incidents
from tipstaff.cases.rules import CannotMerge
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.intake.operations import move_incidents
from tipstaff.notices.operations import withdraw_unsent
from tipstaff.policy.deciding import may_decide
from tipstaff.sensors.operations import move_measured
from tipstaff.words import Case, LetterKind, MeasureState

from .complaint import tell_untold
from .desk import Desk
from .judging import matters_of_case
from .suspension import NotYourDecision


def merge(key: str, *, into: str, version: int, why: str, desk: Desk, at: datetime, actor: str) -> Case:
    """Let one case go on in another of the same customer and clause; the case in which both go on.

    Raise CannotMerge with a sentence, StaleCase, NoSuchCase, or NotYourDecision.
    """
    with transaction.atomic():
        for each in sorted({key, into}):
            _may_touch(lock_case(each), desk=desk, actor=actor)
        _take_back_unsent(key, why=f"{key} goes on in {into}.", at=at, actor=actor)
        incidents = parting.merge_case(key, into=into, version=version, why=why, at=at, actor=actor)
        _move(incidents, case=key, to=into)
        tell_untold(into, desk=desk, at=at, actor=actor)
        return _fresh(into)


def part(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> Case:
    """Undo a merge: the case is open again with what it had, and with no less time."""
    with transaction.atomic():
        into = standing_key(key)
        for each in sorted({key, into}):
            _may_touch(lock_case(each), desk=desk, actor=actor)
        _take_back_unsent(into, why=f"{key} goes on by itself again.", at=at, actor=actor)
        _, incidents = parting.part_merged(key, why=why, at=at, actor=actor)
        _move(incidents, case=into, to=key)
        for each in (key, into):
            tell_untold(each, desk=desk, at=at, actor=actor)
        return _fresh(key)


def split(
    key: str, *, incidents: Collection[str], version: int, why: str, desk: Desk, at: datetime, actor: str
) -> Case:  # fmt: skip
    """Let some incidents of a case go on in a new one; the new case. To undo it, merge it into the other again."""
    with transaction.atomic():
        case = lock_case(key)
        _may_touch(case, desk=desk, actor=actor)
        _take_back_unsent(key, why="Some of it goes on in a case of its own.", at=at, actor=actor)
        resources = _resources(case, incidents=set(incidents))
        new = parting.split_case(
            key, incidents=incidents, resources=resources, version=version, why=why, at=at, actor=actor
        )  # fmt: skip
        _move(list(members_of(new.key)), case=key, to=new.key)
        for each in (key, new.key):
            tell_untold(each, desk=desk, at=at, actor=actor)
        return _fresh(new.key)


def _resources(case: Case, *, incidents: set[str]) -> tuple[str, str]:
    """What some incidents of a case are about, and what the rest of it is."""
    mine: list[str] = []
    rest: list[str] = []
    for matter in matters_of_case(case.key):
        (mine if matter.key in incidents else rest).append(matter.conduct.offender)
    kept = case.resource if case.resource in rest or not rest else rest[0]
    return (mine[0] if mine else case.resource), kept


_HELD_BY_NONE = frozenset({MeasureState.LIFTED, MeasureState.FAILED})


def _may_touch(case: Case, *, desk: Desk, actor: str) -> None:
    if not may_decide(desk.roles_of(actor), needed=case.decides):
        raise NotYourDecision(f"{case.key}: clause {case.clause} leaves this decision to the role {case.decides}.")
    if any(measure.state not in _HELD_BY_NONE for measure in measures_of_case(case.key)):
        raise CannotMerge(f"{case.key} has a measure: it stays the case that it was taken in.")


def _take_back_unsent(key: str, *, why: str, at: datetime, actor: str) -> None:
    """A letter that is not out yet would tell of two cases at once: it is written anew, for each."""
    withdrawn = withdraw_unsent(key, kinds={LetterKind.NOTICE}, why=why, at=at, actor=actor)
    untold = [incident for incident, letter in told_incidents(key).items() if letter in set(withdrawn)]
    mark_told(key, incidents=untold, letter=None)


def _move(incidents: Sequence[str], *, case: str, to: str) -> None:
    move_incidents([k for k in incidents if not k.startswith("S-")], case=case, to=to)
    move_measured([k for k in incidents if k.startswith("S-")], to=to)


def _fresh(key: str) -> Case:
    case = get_case(key)
    assert case is not None, key
    return case
