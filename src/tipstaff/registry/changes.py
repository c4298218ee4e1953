"""One act, one change: what was written by it, and how it is undone. Private to this room.

PostgreSQL keeps every version that a write replaces (`migrations/0004_nothing_is_overwritten.py`), marked with the
change that ended it. To undo a change is to bring those versions back, and to take away what the change had put there;
the versions so replaced are kept in their turn, so an undoing can itself be undone.
"""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, models, transaction

from tipstaff.ledger.operations import record
from tipstaff.words import Change, Origin, require_aware

from .models import (
    AcceptanceRow,
    ChangeRow,
    CustomerRow,
    HoldingRow,
    Kept,
    LetterRow,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    StandingRow,
    SubscriberListRow,
    SubscriberRow,
    UserRow,
)
from .refusals import AlreadyUndone, ChangedSince, NoSuchChange, UndoingRefused
from .rows import letter_key

KEPT: tuple[type[models.Model], ...] = (
    CustomerRow,
    UserRow,
    RepresentativeRow,
    StandingRow,
    AcceptanceRow,
    ServiceRow,
    LetterRow,
    HoldingRow,
    SiteRow,
    ResourceRow,
    SubscriberListRow,
    SubscriberRow,
)
"""Every kept table, those first to which others refer."""

SAYS_MAX = 50
ABOUT_MAX = 500


@dataclass
class Draft:
    """A change while it is being written."""

    id: int
    at: datetime
    origin: Origin
    says: list[str] = field(default_factory=list)
    about: dict[str, None] = field(default_factory=dict)
    count: int = 0

    @property
    def key(self) -> str:
        return key_of(self.id)

    @property
    def by_person(self) -> bool:
        return self.origin is Origin.PERSON

    def tell(self, sentence: str, *about: str | None, count: int = 1) -> None:
        """Note what was written."""
        self.count += count
        if len(self.says) < SAYS_MAX:
            self.says.append(sentence)
        for key in about:
            if key and len(self.about) < ABOUT_MAX:
                self.about[key] = None


_open: ContextVar[Draft | None] = ContextVar("registry_change", default=None)


def key_of(id: int) -> str:
    """`CH-12`."""
    return f"CH-{id}"


@contextmanager
def change(*, at: datetime, actor: str, origin: Origin = Origin.PERSON, source: str = "") -> Iterator[Draft]:
    """What is written inside is one change; inside another one it is part of that. Joins or makes a transaction."""
    outer = _open.get()
    if outer is not None:
        yield outer
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('registry_change_number')")
            draft = Draft(id=int(cursor.fetchone()[0]), at=require_aware(at), origin=origin)
            cursor.execute(
                "SELECT set_config('tipstaff.change', %s, true), set_config('tipstaff.known_at', %s, true)",
                [str(draft.id), draft.at.isoformat()],
            )
        token = _open.set(draft)
        try:
            yield draft
            if draft.count:
                ChangeRow.objects.create(
                    id=draft.id,
                    at=draft.at,
                    actor=actor,
                    origin=origin,
                    source=source,
                    says=draft.says,
                    count=draft.count,
                    about=list(draft.about),
                )
        finally:
            _open.reset(token)
        with connection.cursor() as cursor:
            # Inside a longer transaction the next writer must not be taken for this one. After a refusal PostgreSQL
            # takes the settings back by itself, with the rest of the transaction.
            cursor.execute("SELECT set_config('tipstaff.change', '', true), set_config('tipstaff.known_at', '', true)")


@transaction.atomic
def undo(key: str, *, at: datetime, actor: str, why: str) -> str:
    """Bring back what stood before a change; returns the undoing's own key.

    Refused while something that the change wrote has been changed again since: that is to be undone first.
    """
    target = ChangeRow.objects.select_for_update().filter(pk=_number(key)).first()
    if target is None:
        raise NoSuchChange(f"there is no change {key}")
    if target.undone_by is not None:
        raise AlreadyUndone(f"{key} was undone by {key_of(target.undone_by)}")
    for model in KEPT:
        _refuse_what_changed_since(model, target.pk)
    _refuse_a_letter_in_use(target.pk)
    with change(at=at, actor=actor, source=f"undoing of {key}") as draft:
        try:
            with connection.cursor() as cursor, transaction.atomic(), versions_stay():
                written = sum(_take_away(cursor, model, target.pk) for model in reversed(KEPT))
                written += sum(_put_back(cursor, model, target.pk, draft) for model in KEPT)
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        except IntegrityError as refused:
            raise UndoingRefused(
                f"{key} can't be undone: what it had ended is held by another by now, what it added is still in use, "
                "or an account would stand above itself"
            ) from refused
        draft.tell(f"undone: {key}. {why}".strip(), *target.about, count=max(written, 1))
    target.undone_by = draft.id
    target.save(update_fields=["undone_by"])
    ChangeRow.objects.filter(pk=draft.id).update(undoes=target.pk)
    record(
        "registry.undone", at=at, actor=actor, about=[draft.key, key, *target.about[:50]], why=why, rows=written,
    )  # fmt: skip
    return draft.key


@contextmanager
def versions_stay() -> Iterator[None]:
    """What is written inside says itself, by `restored_from`, whose version it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tipstaff.undoing', 'yes', true)")
    yield
    with connection.cursor() as cursor:
        # After a refusal PostgreSQL takes the setting back by itself, with the rest of the transaction.
        cursor.execute("SELECT set_config('tipstaff.undoing', '', true)")


def is_a_persons(row: Kept) -> bool:
    """Whether a person has set it, or somebody brought back what a person had set."""
    return ChangeRow.objects.filter(pk=row.restored_from or row.change or 0, origin=Origin.PERSON).exists()


def change_of(row: ChangeRow) -> Change:
    return Change(
        key=key_of(row.pk),
        at=row.at,
        actor=row.actor,
        origin=Origin(row.origin),
        source=row.source,
        says=tuple(row.says),
        count=row.count,
        about=tuple(row.about),
        undoes=None if row.undoes is None else key_of(row.undoes),
        undone_by=None if row.undone_by is None else key_of(row.undone_by),
    )


def _number(key: str) -> int:
    digits = key.strip().upper().removeprefix("CH-")
    if not digits.isdecimal() or len(digits) > 18:
        raise NoSuchChange(f'"{key[:40]}" is no change; they are named like CH-12')
    return int(digits)


def _names(model: type[models.Model]) -> tuple[str, str, Sequence[str]]:
    """Table, primary key and the columns that are not made by PostgreSQL."""
    meta = model._meta
    assert meta.pk is not None
    return meta.db_table, str(meta.pk.column), [str(f.column) for f in meta.concrete_fields]


_BEFORE = """
    SELECT DISTINCT ON (p.kept_key) p.kept_key, p.body,
        coalesce((p.body ->> 'restored_from')::bigint, p.came_by) AS first
    FROM registry_pastrow p
    WHERE p.kept_table = '{table}' AND p.ended_by = %(id)s AND p.came_by IS DISTINCT FROM %(id)s
    ORDER BY p.kept_key, p.id
"""
"""The versions that a change ended, each with the change that had brought it."""


def _refuse_what_changed_since(model: type[models.Model], id: int) -> None:
    table, pk, _ = _names(model)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH touched AS (
                SELECT kept_key, bool_or(came_by = %(id)s OR (body ->> 'restored_from')::bigint = %(id)s) AS left_one
                FROM registry_pastrow
                WHERE kept_table = '{table}' AND (came_by = %(id)s OR ended_by = %(id)s)
                GROUP BY kept_key)
            SELECT t.kept_key, r.change FROM touched t LEFT JOIN {table} r ON r.{pk}::text = t.kept_key
            WHERE CASE WHEN r.{pk} IS NULL THEN
                    -- Gone: well if this change took it away, ill if a later one did.
                    EXISTS (SELECT FROM registry_pastrow p WHERE p.kept_table = '{table}' AND p.kept_key = t.kept_key
                        AND p.id = (SELECT max(id) FROM registry_pastrow q
                            WHERE q.kept_table = '{table}' AND q.kept_key = t.kept_key)
                        AND p.ended_by IS DISTINCT FROM %(id)s)
                ELSE r.change IS DISTINCT FROM %(id)s AND r.restored_from IS DISTINCT FROM %(id)s END
            LIMIT 1
            """,
            {"id": id},
        )
        later = cursor.fetchone()
    if later is not None:
        by = f"; undo {key_of(later[1])} first" if later[1] is not None else ""
        raise ChangedSince(f"{later[0]} was changed again after {key_of(id)}{by}")


def transferred_by(letter: str) -> str:
    """What a holding that was transferred by a letter has as its source; by it the letter is found in use."""
    return f"transfer by {letter}"


def _refuse_a_letter_in_use(id: int) -> None:
    """A letter of authority stays on file while addresses are held by it, were they given back since or not."""
    for letter in LetterRow.objects.filter(models.Q(change=id) | models.Q(restored_from=id)):
        name = letter_key(letter.pk)
        moved = HoldingRow.objects.filter(source=transferred_by(name)).exclude(change=id).first()
        if moved is not None:
            by = f"; undo {key_of(moved.change)} first" if moved.change is not None else ""
            raise UndoingRefused(
                f"{key_of(id)} can't be undone: by {name}, which it filed, {moved.prefix} went to "
                f"{moved.customer_id}{by}"
            )


def _take_away(cursor: Any, model: type[models.Model], id: int) -> int:
    """Delete what the change had added."""
    table, pk, _ = _names(model)
    cursor.execute(
        f"""
        DELETE FROM {table} r WHERE (r.change = %(id)s OR r.restored_from = %(id)s)
            AND NOT EXISTS (SELECT FROM ({_BEFORE.format(table=table)}) b WHERE b.kept_key = r.{pk}::text)
        """,
        {"id": id},
    )
    return int(cursor.rowcount)


def _put_back(cursor: Any, model: type[models.Model], id: int, draft: Draft) -> int:
    """Bring back the versions that the change had replaced, and those that it had taken away."""
    table, pk, columns = _names(model)
    plain = [c for c in columns if c not in (pk, "known_from", "change", "restored_from")]
    before = _BEFORE.format(table=table)
    values = {"id": id, "new": draft.id, "at": draft.at}
    cursor.execute(
        f"""
        UPDATE {table} r SET {", ".join(f"{c} = v.{c}" for c in plain)}, restored_from = b.first
        FROM ({before}) b, jsonb_populate_record(NULL::{table}, b.body) v WHERE r.{pk}::text = b.kept_key
        """,
        values,
    )
    written = int(cursor.rowcount)
    cursor.execute(
        f"""
        INSERT INTO {table} ({pk}, {", ".join(plain)}, known_from, change, restored_from)
        SELECT v.{pk}, {", ".join(f"v.{c}" for c in plain)}, %(at)s, %(new)s, b.first
        FROM ({before}) b, jsonb_populate_record(NULL::{table}, b.body) v
        WHERE NOT EXISTS (SELECT FROM {table} r WHERE r.{pk}::text = b.kept_key)
        """,
        values,
    )
    return written + int(cursor.rowcount)
