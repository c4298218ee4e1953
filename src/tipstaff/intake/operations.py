"""Writes of the intake room. Each is one transaction with its entry in the record, and does nothing the second time."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import (
    Allegation,
    Evidence,
    Incident,
    Reading,
    ReadingOutcome,
    ReadingReason,
    Report,
    Reporter,
    ReportOutcome,
    require_aware,
)

from .models import IncidentRow, ReportRow
from .outcome import first_outcome, overall
from .rows import incident_of, incident_rows, report_of, storable

BATCH = 500
"""Incidents written at a time: memory stays level however many a mail names."""


class NoSuchReport(LookupError):
    """No report or incident has this key."""


class AlreadyInACase(ValueError):
    """An incident of this report is in a case; what the report alleges stands, and a wrong case is closed instead."""


class SealedStaysSealed(ValueError):
    """A sealed report's outcome is not changed here; counsel decides in the sealed queue."""


@transaction.atomic
def open_report(evidence: Evidence, *, at: datetime, actor: str) -> str:
    """Give the evidence a report and return its key; the same key when the same bytes came before.

    Sealed evidence is born read: no parser may ever see it, so it never stands among the unread.
    """
    row = ReportRow.objects.filter(evidence=evidence.digest).only("key").first()
    if row is not None:
        return row.key
    sealed = evidence.sealed
    row, new = ReportRow.objects.get_or_create(
        evidence=evidence.digest,
        defaults={
            "key": next_key("R"),
            "received_at": require_aware(evidence.received_at),
            "channel": evidence.channel,
            "sender": "" if sealed else storable(evidence.sender),
            "outcome": ReportOutcome.SEALED if sealed else ReportOutcome.RECEIVED,
            "outcome_reason": ReadingReason.CHILD_ABUSE if sealed else "",
            "read_at": require_aware(at) if sealed else None,
            "reading_outcome": ReadingOutcome.SEALED if sealed else "",
            "reading_reason": ReadingReason.CHILD_ABUSE if sealed else "",
        },
    )
    if new:
        record("report.opened", at=at, actor=actor, about=[row.key, evidence.digest], outcome=row.outcome)
    return row.key


def lock_report(key: str) -> Report:
    """Hold the report for the rest of the caller's transaction; raise NoSuchReport."""
    row = _locked_report(key)
    incidents = list(row.incidents.order_by("n"))
    return report_of(row, incidents=incidents, total=len(incidents))


@transaction.atomic
def store_reading(key: str, *, reading: Reading, at: datetime, actor: str) -> tuple[Incident, ...]:
    """Put the reading and its incidents on record; of a report read before, the incidents as they are, unchanged.

    Of a sealed reading nothing but its outcome and reason is kept, and of its report no sender.
    """
    row = _locked_report(key)
    if row.read_at is not None:
        return tuple(
            incident_of(incident, report_key=row.key) for incident in row.incidents.order_by("n").iterator(BATCH)
        )
    sealed = reading.outcome is ReadingOutcome.SEALED
    outcome = first_outcome(reading)
    row.read_at = require_aware(at)
    if sealed:
        _forget_reading(row)
    else:
        _write_reading(row, reading)
    row.reading_outcome = reading.outcome
    row.reading_reason = reading.reason
    if not row.decided:
        row.outcome = outcome
        row.outcome_reason = "" if outcome is ReportOutcome.RECEIVED else reading.reason
    row.save()
    allegations = () if sealed else reading.allegations
    incidents = _create_incidents(row, incident_rows(row, allegations, outcome=outcome))
    record(
        "report.read",
        at=at,
        actor=actor,
        about=[key],
        outcome=reading.outcome,
        reason=reading.reason,
        parser=row.parser,
        incidents=len(incidents),
    )
    return incidents


@transaction.atomic
def replace_reading(key: str, *, allegations: Iterable[Allegation], at: datetime, actor: str) -> tuple[Incident, ...]:
    """A person says what a report alleges, in place of what a reader made of it; its reporter stays.

    The incidents so far go, and their numbers with them, because the record speaks of them. Raises AlreadyInACase.
    """
    row = _locked_report(key)
    if row.outcome == ReportOutcome.SEALED:
        raise SealedStaysSealed(key)
    if row.incidents.filter(case__isnull=False).exists():
        raise AlreadyInACase(key)
    last = row.incidents.aggregate(n=Max("n"))["n"] or row.first_n - 1
    row.incidents.all().delete()
    row.first_n = last + 1
    row.read_at = row.read_at or require_aware(at)
    row.reading_outcome, row.reading_reason = ReadingOutcome.COMPLAINT, ReadingReason.UNDERSTOOD
    row.parser, row.detail = "person", ""
    row.decided, row.outcome, row.outcome_reason = False, ReportOutcome.RECEIVED, ""
    row.save()
    incidents = _create_incidents(row, incident_rows(row, allegations, outcome=ReportOutcome.RECEIVED))
    if not incidents:
        raise ValueError("a reading by a person alleges something; set the report aside instead")
    record("report.read", at=at, actor=actor, about=[key], parser="person", incidents=len(incidents), first=row.first_n)
    return incidents


def set_incident(
    key: str, *, outcome: ReportOutcome, reason: str, case: str | None = None, at: datetime, actor: str
) -> None:
    """Say what became of one incident (`R-000001.2`), and so of its report."""
    set_incidents([key], outcome=outcome, reason=reason, case=case, at=at, actor=actor)


@transaction.atomic
def set_incidents(
    keys: Sequence[str], *, outcome: ReportOutcome, reason: str, case: str | None = None, at: datetime, actor: str
) -> None:
    """Say the same of several incidents of any reports; one entry for each report that changes."""
    numbers: dict[str, list[int]] = {}
    for key in keys:
        report_key, n = split_incident_key(key)
        numbers.setdefault(report_key, []).append(n)
    for report_key in sorted(numbers):  # One order for all, so that two callers cannot lock each other out.
        row = _locked_report(report_key)
        if row.outcome == ReportOutcome.SEALED:
            raise SealedStaysSealed(report_key)
        wanted = set(numbers[report_key])
        said = (outcome, storable(reason), case)
        found = row.incidents.filter(n__in=wanted).values_list("n", "outcome", "reason", "case")
        standing = {n: (ReportOutcome(was), why, joined) for n, was, why, joined in found}
        if missing := wanted - set(standing):
            raise NoSuchReport(f"{report_key}.{min(missing)}")
        changed = sorted(n for n in wanted if standing[n] != said)
        if not changed:
            continue
        row.incidents.filter(n__in=changed).update(outcome=said[0], reason=said[1], case=said[2])
        _derive_outcome(row)
        first = [f"{report_key}.{n}" for n in changed[:1]]
        record(
            "incident.decided",
            at=at,
            actor=actor,
            about=[*first, report_key, *([case] if case else [])],
            outcome=outcome,
            reason=reason,
            incidents=ranges(changed),
        )


@transaction.atomic
def set_report(key: str, *, outcome: ReportOutcome, reason: str, at: datetime, actor: str) -> None:
    """Set a report's outcome itself; from now on its incidents do not change it. Sealing forgets what was read."""
    row = _locked_report(key)
    if row.outcome == ReportOutcome.SEALED and outcome is not ReportOutcome.SEALED:
        raise SealedStaysSealed(key)
    reason = storable(reason)
    if (row.decided, row.outcome, row.outcome_reason) == (True, outcome, reason):
        return
    row.decided, row.outcome, row.outcome_reason = True, outcome, reason
    if outcome is ReportOutcome.SEALED:
        row.read_at = row.read_at or require_aware(at)
        _forget_reading(row)
    row.save()
    record("report.decided", at=at, actor=actor, about=[key], outcome=outcome, reason=reason)


def split_incident_key(key: str) -> tuple[str, int]:
    """(`R-000001`, 2) of `R-000001.2`."""
    report_key, dot, n = key.rpartition(".")
    if not dot or not n.isdecimal():
        raise NoSuchReport(key)
    return report_key, int(n)


def ranges(numbers: Sequence[int]) -> str:
    """`1-3 7` for sorted 1, 2, 3, 7: ten thousand incidents decided at once stay one short line of the record."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][1] + 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _locked_report(key: str) -> ReportRow:
    row = ReportRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchReport(key)
    return row


def _write_reading(row: ReportRow, reading: Reading) -> None:
    reporter: Reporter = reading.reporter
    row.parser = storable(reading.parser)
    row.detail = storable(reading.detail)
    row.reporter_address = storable(reporter.address)
    row.reporter_name = storable(reporter.name)
    row.reporter_reference = storable(reporter.reference)
    row.reporter_message_id = storable(reporter.message_id)
    row.reporter_subject = storable(reporter.subject)


def _forget_reading(row: ReportRow) -> None:
    """Keep outcome, reason and the incidents' places in their cases; the mail's words are for the sealed queue only."""
    _write_reading(row, Reading(outcome=ReadingOutcome.SEALED, reason=ReadingReason.CHILD_ABUSE))
    row.sender = ""
    row.reading_outcome, row.reading_reason = ReadingOutcome.SEALED, ReadingReason.CHILD_ABUSE
    row.incidents.filter(case__isnull=True).delete()
    nothing: dict[str, Any] = dict.fromkeys(
        ("source", "source_port", "url", "domain", "moment_at", "moment_error_seconds", "moment_zone_stated")
    )
    row.incidents.update(**nothing, excerpt="", rest={}, site="")


def _create_incidents(report: ReportRow, rows: Iterable[IncidentRow]) -> tuple[Incident, ...]:
    incidents: list[Incident] = []
    unsaved = iter(rows)
    while batch := list(islice(unsaved, BATCH)):
        IncidentRow.objects.bulk_create(batch)
        incidents.extend(incident_of(row, report_key=report.key) for row in batch)
    return tuple(incidents)


def _derive_outcome(row: ReportRow) -> None:
    if row.decided:
        return
    outcome = overall(_outcomes_present(row))
    first = row.incidents.filter(outcome=outcome).order_by("n").values_list("reason", flat=True).first()
    if (row.outcome, row.outcome_reason) == (outcome, first or ""):
        return
    row.outcome, row.outcome_reason = outcome, first or ""
    row.save(update_fields=["outcome", "outcome_reason"])


def _outcomes_present(row: ReportRow) -> list[ReportOutcome]:
    """One look into the index for each outcome there is, where DISTINCT would read every incident every time."""
    question = """
        SELECT wanted FROM unnest(%s::text[]) AS wanted
        WHERE EXISTS (SELECT 1 FROM intake_incidentrow WHERE report_id = %s AND outcome = wanted)
    """
    with connection.cursor() as cursor:
        cursor.execute(question, [[str(outcome) for outcome in ReportOutcome], row.id])
        return [ReportOutcome(value) for (value,) in cursor.fetchall()]
