"""Reads of the editions' room."""

from datetime import datetime

from django.db.models import QuerySet

from tipstaff.words import EditionOnRecord, EditionState, EditionWork, FirstUse

from .models import AcceptanceRow, EditionRow, WorkRow
from .rows import acceptance_of, edition_of, work_of_row


def list_editions() -> list[EditionOnRecord]:
    """Every edition, the newest draft first."""
    return [edition_of(row) for row in EditionRow.objects.defer("files").order_by("-drafted_at", "-id")]


def get_edition(id: str) -> EditionOnRecord | None:
    """The edition of that name that was not given up, or else the one given up last."""
    rows = list(EditionRow.objects.defer("files").filter(name=id).order_by("-id"))
    kept = [row for row in rows if row.state != EditionState.WITHDRAWN]
    return edition_of((kept or rows)[0]) if rows else None


def files_of(digest: str) -> dict[str, str]:
    """An edition's files; raises KeyError."""
    row = EditionRow.objects.filter(digest=digest).first()
    if row is None:
        raise KeyError(digest)
    return dict(row.files)


def posted_editions() -> list[tuple[str, datetime]]:
    """(digest, from when it counts) of everything that was posted: one small query, asked before each judgement."""
    rows = EditionRow.objects.filter(state=EditionState.POSTED).order_by("effective_at", "id")
    return [(digest, at) for digest, at in rows.values_list("digest", "effective_at") if at is not None]


def first_uses_of(customer: str) -> list[FirstUse]:
    """Which editions a customer accepted, and by what use, the latest first."""
    return [acceptance_of(row) for row in _counting().filter(customer=customer).order_by("-accepted_at")]


def first_use(customer: str, *, digest: str) -> FirstUse | None:
    """A customer's first use under an edition; None when nothing shows one."""
    row = _counting().filter(customer=customer, digest=digest).first()
    return acceptance_of(row) if row else None


def customers_who_used(digest: str) -> frozenset[str]:
    """Who has used a service under an edition."""
    return frozenset(_counting().filter(digest=digest).values_list("customer", flat=True))


def _counting() -> "QuerySet[AcceptanceRow]":
    """Without what earlier versions noted because of a report about the customer: that was no use of theirs."""
    return AcceptanceRow.objects.exclude(shown_by__startswith="R-")


def work_of(id: str) -> EditionWork | None:
    """What is being done on an edition, or was done last; None where nothing was asked for."""
    row = WorkRow.objects.filter(name=id).first()
    return work_of_row(row) if row else None
