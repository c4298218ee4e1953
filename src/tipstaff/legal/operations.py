"""Writes of the restricted legal register. The record holds the key of a matter and the step, and nothing that names
anybody: colleagues read the record."""

from datetime import datetime

from django.db import transaction

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import Gives, LegalMatter, MatterKind, MatterState, require_aware

from .models import ConditionRow, MatterRow
from .queries import matter_of

WAITS = frozenset({MatterState.OPEN, MatterState.PROPOSED})


class NoSuchMatter(LookupError):
    """No matter of the legal register has this key."""


class NotNow(ValueError):
    """The matter is past this step, or not there yet; nothing was changed."""


class AnotherHasToAgree(PermissionError):
    """Whoever proposed to name a customer cannot be the second person; nothing was changed."""


@transaction.atomic
def open_matter(kind: MatterKind, *, at: datetime, actor: str, **stated: object) -> LegalMatter:
    """Enter a matter; of a report under one clause there is one, however often it is entered."""
    if report := stated.get("report"):
        known = MatterRow.objects.filter(report=report, clause=stated.get("clause")).first()
        if known is not None:
            return matter_of(known)
    row = MatterRow.objects.create(
        key=next_key("G"), kind=kind.value, state=MatterState.OPEN.value, opened_by=actor, opened_at=require_aware(at),
        **stated,
    )  # fmt: skip
    record("matter.opened", at=at, actor=actor, about=[row.key], kind=kind)
    return matter_of(row)


@transaction.atomic
def note_condition(condition: str, *, met: bool, shown_by: str, until: datetime, at: datetime, actor: str) -> None:
    """Counsel looked at a condition of a limit of liability; what shows it stays in this register."""
    ConditionRow.objects.create(
        condition=condition, met=met, shown_by=shown_by, until=require_aware(until), noted_by=actor, noted_at=at
    )
    record("harbour.noted", at=at, actor=actor, about=["harbour"], condition=condition, met=met)


@transaction.atomic
def note_authentic(key: str, *, how: str, at: datetime, actor: str) -> LegalMatter:
    """Somebody has reached whoever asked, by a way that we found ourselves."""
    row = _locked(key, *WAITS)
    row.authenticated_by, row.authenticated_how = actor, how
    return _changed(row, "matter.authenticated", at=at, actor=actor)


@transaction.atomic
def note_holder(key: str, *, grade: str, reason: str, customer: str, at: datetime, actor: str) -> LegalMatter:
    """What our records say of the address. The record of the step does not name the holder."""
    row = _locked(key, MatterState.OPEN)  # what was proposed rests on it
    row.grade, row.reason, row.customer = grade, reason, customer
    return _changed(row, "matter.looked_up", at=at, actor=actor, grade=grade)


@transaction.atomic
def propose_answer(key: str, *, gives: tuple[Gives, ...], why: str, at: datetime, actor: str) -> LegalMatter:
    """Counsel would answer with that; a second person has to agree."""
    row = _locked(key, *WAITS)
    row.state, row.gives, row.why, row.decided_by = MatterState.PROPOSED.value, list(gives), why, actor
    return _changed(row, "matter.proposed", at=at, actor=actor)


@transaction.atomic
def agree(key: str, *, seen: str, at: datetime, actor: str) -> LegalMatter:
    """A second person agrees to what they have `seen`, a matter's `proposal`; raise AnotherHasToAgree for the one who
    proposed it, NotNow where something else is proposed by now."""
    row = _locked(key, MatterState.PROPOSED)
    if actor == row.decided_by:
        raise AnotherHasToAgree
    if seen != matter_of(row).proposal:
        raise NotNow(f"{key}: what is proposed is not what you have seen; look at it again.")
    row.state, row.second_by, row.decided_at = MatterState.ANSWERED.value, actor, require_aware(at)
    return _changed(row, "matter.answered", at=at, actor=actor, proposed_by=row.decided_by)


@transaction.atomic
def decide(key: str, *, answer: bool, gives: tuple[Gives, ...], why: str, at: datetime, actor: str) -> LegalMatter:
    """One person decides: to answer what names nobody, or to refuse."""
    row = _locked(key, *WAITS)
    row.state = (MatterState.ANSWERED if answer else MatterState.REFUSED).value
    row.gives, row.why, row.decided_by, row.decided_at = list(gives), why, actor, require_aware(at)
    return _changed(row, "matter.answered" if answer else "matter.refused", at=at, actor=actor)


@transaction.atomic
def keep_silent(key: str, *, ground: str, until: datetime, at: datetime, actor: str) -> LegalMatter:
    """The customer is not told yet, on this ground, which is looked at again by `until`."""
    row = _locked(key, *MatterState)
    if row.told_at is not None:
        raise NotNow(f"{key}: they were told already.")
    row.ground, row.review_at = ground, require_aware(until)
    return _changed(row, "matter.silence", at=at, actor=actor, until=until.isoformat())


@transaction.atomic
def note_told(key: str, *, how: str, at: datetime, actor: str) -> LegalMatter:
    """The customer was told."""
    row = _locked(key, *MatterState)
    if row.told_at is not None:
        raise NotNow(f"{key}: they were told already.")
    row.told_at, row.told_how, row.review_at, row.ground = require_aware(at), how, None, ""
    return _changed(row, "matter.told", at=at, actor=actor)


@transaction.atomic
def note_handed_over(key: str, *, digest: str, at: datetime, actor: str) -> LegalMatter:
    """The answer left the house; its digest shows later what it was."""
    row = _locked(key, MatterState.ANSWERED)
    row.handed_at, row.handed_digest = require_aware(at), digest
    return _changed(row, "matter.handed_over", at=at, actor=actor, sha256=digest)


def _locked(key: str, *states: MatterState) -> MatterRow:
    row = MatterRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchMatter(key)
    if row.state not in [state.value for state in states]:
        raise NotNow(f"{key} is {row.state}.")
    return row


def _changed(row: MatterRow, what: str, *, at: datetime, actor: str, **detail: object) -> LegalMatter:
    row.save()
    record(what, at=at, actor=actor, about=[row.key], **detail)
    return matter_of(row)
