"""Rows to words."""

from tipstaff.words import EditionOnRecord, EditionState, EditionWork, FirstUse, ReplayRun, WorkStep

from .models import AcceptanceRow, EditionRow, ReplayRow, WorkRow


def edition_of(row: EditionRow) -> EditionOnRecord:
    """The row as the word that leaves this room."""
    return EditionOnRecord(
        id=row.name,
        digest=row.digest,
        state=EditionState(row.state),
        title=row.title,
        drafted_by=row.drafted_by,
        drafted_at=row.drafted_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        significant=row.significant,
        compiled_at=row.compiled_at,
        effects=row.effects,
        announced_at=row.announced_at,
        posted_by=row.posted_by,
        posted_at=row.posted_at,
        effective_at=row.effective_at,
    )


def acceptance_of(row: AcceptanceRow) -> FirstUse:
    return FirstUse(
        customer=row.customer,
        edition=row.edition,
        digest=row.digest,
        accepted_at=row.accepted_at,
        shown_by=row.shown_by,
    )


def work_of_row(row: WorkRow) -> EditionWork:
    return EditionWork(
        edition=row.name,
        step=WorkStep(row.step),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        done=row.done,
        finished_at=row.finished_at,
        trouble=row.trouble,
    )


def replay_of(row: ReplayRow) -> ReplayRun:
    return ReplayRun(
        key=str(row.pk),
        edition=row.edition,
        digest=row.digest,
        since=row.since,
        until=row.until,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        place=row.place,
        totals=row.totals,
        finished_at=row.finished_at,
        trouble=row.trouble,
    )
