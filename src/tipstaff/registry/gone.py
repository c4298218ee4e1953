"""What another system does not say any more. It is shown, and ended only when a person accepts what was shown.

A system that forgets is not a customer who leaves: a slip, a token that sees less, a page that did not load look the
same from here. So nothing ends by itself. What a person has set since is not looked at.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from tipstaff.words import Holding, ImportPreview, Origin, Resource

from .changes import change
from .holdings import end_holding
from .imports import Sheet
from .models import ChangeRow, HoldingRow, ResourceRow
from .refusals import NotWhatWasShown
from .resources import end_resource
from .rows import holding_of_row, in_words, resource_in_words, resource_of
from .taking_in import take_in

TOKEN_CHARACTERS = 12


def take_in_all_there_is(
    sheet: Sheet, *, end_gone: str, at: datetime, actor: str, origin: Origin, dry_run: bool = False
) -> ImportPreview:
    """Take in a sheet that holds all that its source says, and show what it says no more.

    `end_gone` is the token that a preview showed: then that, and nothing else, ends at `at`, in one change with the
    rest. Raises NotWhatWasShown when by now other things are gone.
    """
    with transaction.atomic(), change(at=at, actor=actor, origin=origin, source=sheet.source) as draft:
        gone = gone_there(sheet, origin=origin)
        token = token_of(gone)
        if end_gone and end_gone != token:
            raise NotWhatWasShown(f"{end_gone} was for other rows than are gone from {sheet.source} now; look again")
        ending = gone if end_gone and not dry_run else []
        for row in ending:
            if isinstance(row, Holding):
                end_holding(row.key, held_until=at, at=at, actor=actor, origin=origin)
            else:
                end_resource(row.key, held_until=at, at=at, actor=actor, origin=origin)
        preview = take_in(sheet, at=at, actor=actor, origin=origin, dry_run=dry_run, rest=True)
        return replace(
            preview,
            gone=tuple(in_words(row) if isinstance(row, Holding) else resource_in_words(row) for row in gone),
            gone_token=token,
            ended=len(ending),
            change=draft.key if ending else preview.change,
        )


def gone_there(sheet: Sheet, *, origin: Origin) -> list[Holding | Resource]:
    """Open rows that came from this source, stand as it said them, and are not in the sheet; in order of number."""
    said = {_what(value) for value in (*(line.value for line in sheet.lines), *sheet.said_by_wider)}
    known = ChangeRow.objects.filter(origin=origin).values("id")
    here = {"during__endswith__isnull": True, "source__startswith": f"{sheet.source} ", "change__in": known}
    rows: list[Holding | Resource] = [holding_of_row(row) for row in HoldingRow.objects.filter(**here).order_by("pk")]
    rows += [resource_of(row) for row in ResourceRow.objects.filter(**here).order_by("pk")]
    return [row for row in rows if _what(row) not in said and row.source not in sheet.unread]


def token_of(gone: Iterable[Holding | Resource]) -> str:
    """A short name for exactly these rows; empty for none."""
    rows = [f"{type(row).__name__} {row.key}" for row in gone]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:TOKEN_CHARACTERS] if rows else ""


def _what(value: object) -> object:
    if isinstance(value, Holding):
        return value.tier, value.kind, value.prefix, value.port_first, value.port_last, value.customer
    if isinstance(value, Resource):
        return value.kind, value.scope, value.name, value.tier, value.customer
    return value
