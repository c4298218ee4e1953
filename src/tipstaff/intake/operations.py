"""Writes of the intake room. Each is one transaction with its entry in the record, and does nothing the second time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from tipstaff.ledger.operations import Step, next_key, record, record_all
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
    ranges,
    require_aware,
)

from .models import FetchedRow, HandedInRow, IncidentRow, ReportRow
from .outcome import first_outcome, overall
from .rows import COPIED, copied, incident_of, incident_rows, report_of, storable
from .trust.found import MailAuthentication

BATCH = 500
"""Incidents written at a time: memory stays level however many a mail names."""


class KeyUsedOtherwise(ValueError):
    """This key was used before for something else; use a new key for a new request."""


KEYS_KEPT = timedelta(days=30)
"""For how long a request may be repeated under its key."""


class NoSuchReport(LookupError):
    """No report or incident has this key."""


class AlreadyInACase(ValueError):
    """An incident of this report is in a case; what the report alleges stands, and a wrong case is closed instead."""


class SealedStaysSealed(ValueError):
    """A sealed report's outcome is not changed here; counsel decides in the sealed queue."""


@transaction.atomic
def open_report(evidence: Evidence, *, at: datetime, actor: str, peer: str = "") -> str:
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
            "peer": "" if sealed else peer[:45],
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
        _forget_reading(row, reason=reading.reason)
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


@transaction.atomic
def store_authentication(key: str, *, found: MailAuthentication, at: datetime, actor: str) -> None:
    """Put on record whether the sender's domain vouches for the mail. The second time changes nothing."""
    row = _locked_report(key)
    if row.outcome == ReportOutcome.SEALED or row.authentication:
        return
    row.authenticated, row.authentication = found.vouched, asdict(found)
    row.save(update_fields=["authenticated", "authentication"])
    record(
        "report.authenticated", at=at, actor=actor, about=[key], vouched=found.vouched, domain=storable(found.domain),
        spf=found.spf, arc=found.arc, dmarc=found.dmarc, by=storable(found.by),
    )  # fmt: skip


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
def move_incidents(keys: Sequence[str], *, case: str, to: str) -> None:
    """These incidents, and what was a duplicate of one of them, are in another case now; the caller records that.

    What became of each stays as it was said.
    """
    numbers: dict[str, list[int]] = {}
    for key in keys:
        report, n = split_incident_key(key)
        numbers.setdefault(report, []).append(n)
    for report in sorted(numbers):
        IncidentRow.objects.filter(report__key=report, n__in=numbers[report], case=case).update(case=to)
    IncidentRow.objects.filter(
        case=case, outcome=ReportOutcome.DUPLICATE, reason__in=[f"SAME_AS {key}" for key in keys]
    ).update(case=to)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one incident of a report, by its number there."""

    n: int
    outcome: ReportOutcome
    reason: str
    case: str | None = None


class DecidedMeanwhile(Exception):
    """Somebody else said what became of an incident; roll back and look again."""


@transaction.atomic
def settle_incidents(key: str, settled: Sequence[Settled], *, at: datetime, actor: str) -> None:
    """`set_incidents` for incidents of one report that nobody has decided yet, each with its own outcome.

    One entry for those of which the same is said. Raise DecidedMeanwhile where one is no longer undecided.
    """
    row = _locked_report(key)
    if row.outcome == ReportOutcome.SEALED:
        raise SealedStaysSealed(key)
    update = """
        UPDATE intake_incidentrow i SET outcome = w.outcome, reason = w.reason, "case" = w.joined
        FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[]) w(n, outcome, reason, joined)
        WHERE i.report_id = %s AND i.n = w.n AND i.outcome = %s
    """
    alike: dict[tuple[ReportOutcome, str, str | None], list[int]] = {}
    for x in settled:
        alike.setdefault((x.outcome, storable(x.reason), x.case), []).append(x.n)
    columns: list[list[object]] = [[], [], [], []]
    for (outcome, reason, case), numbers in alike.items():
        columns[0] += numbers
        columns[1] += [str(outcome)] * len(numbers)
        columns[2] += [reason] * len(numbers)
        columns[3] += [case] * len(numbers)
    with connection.cursor() as cursor:
        cursor.execute(update, [*columns, row.id, str(ReportOutcome.RECEIVED)])
        if cursor.rowcount != len(settled):
            raise DecidedMeanwhile(key)
    _derive_outcome(row)
    steps: list[Step] = [
        (
            "incident.decided",
            [f"{key}.{min(numbers)}", key, *([case] if case else [])],
            {"outcome": outcome, "reason": reason, "incidents": ranges(sorted(numbers))},
        )
        for (outcome, reason, case), numbers in alike.items()
    ]
    record_all(steps, at=at, actor=actor)


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
        counsel_alone = reason == ReadingReason.COUNSEL_ALONE
        _forget_reading(row, reason=ReadingReason.COUNSEL_ALONE if counsel_alone else ReadingReason.CHILD_ABUSE)
    row.save()
    record("report.decided", at=at, actor=actor, about=[key], outcome=outcome, reason=reason)


@transaction.atomic
def once_for_key(
    key: str, *, who: str, digest: str, make: Callable[[], dict[str, Any]], at: datetime
) -> tuple[dict[str, Any], bool]:
    """(`make()`, True) the first time, (its answer from then, False) after that; raise KeyUsedOtherwise.

    Two at once: the second waits for the first one's transaction, and gets its answer or does the work itself.
    """
    HandedInRow.objects.filter(at__lt=at - KEYS_KEPT).delete()
    row, new = HandedInRow.objects.get_or_create(who=who, key=key, defaults={"digest": digest, "at": at})
    if not new:
        if row.digest != digest:
            raise KeyUsedOtherwise(key)
        return row.answer, False
    row.answer = make()
    row.save(update_fields=["answer"])
    return row.answer, True


def remember_fetch(name: str, *, state: dict[str, Any], at: datetime, next_at: datetime | None) -> None:
    """A feed or mailbox was looked at and all that it held is on record: this is what was seen of it."""
    FetchedRow.objects.update_or_create(
        name=name,
        defaults={"state": state, "looked_at": at, "failures": 0, "trouble": "", "next_at": next_at},
    )


def remember_trouble(name: str, *, why: str, next_at: datetime) -> int:
    """It could not be looked at; how many times in a row by now. What was seen before stays."""
    row, _ = FetchedRow.objects.get_or_create(name=name)
    row.failures, row.trouble, row.next_at = row.failures + 1, storable(why)[:500], next_at
    row.save()
    return row.failures


def split_incident_key(key: str) -> tuple[str, int]:
    """(`R-000001`, 2) of `R-000001.2`."""
    report_key, dot, n = key.rpartition(".")
    if not dot or not n.isdecimal():
        raise NoSuchReport(key)
    return report_key, int(n)


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
    row.reporter_language = reporter.language


def _forget_reading(row: ReportRow, *, reason: ReadingReason) -> None:
    """Keep outcome, reason and the incidents' places in their cases; the mail's words are for the sealed queue only."""
    _write_reading(row, Reading(outcome=ReadingOutcome.SEALED, reason=reason))
    row.sender, row.peer, row.authenticated, row.authentication = "", "", None, {}
    row.reading_outcome, row.reading_reason = ReadingOutcome.SEALED, reason
    row.incidents.filter(case__isnull=True).delete()
    nothing: dict[str, Any] = dict.fromkeys(
        ("source", "source_port", "url", "domain", "moment_at", "moment_error_seconds", "moment_zone_stated")
    )
    row.incidents.update(**nothing, excerpt="", rest={}, site="")


def _create_incidents(report: ReportRow, rows: Iterable[IncidentRow]) -> tuple[Incident, ...]:
    incidents: list[Incident] = []
    into = f"COPY intake_incidentrow ({', '.join(COPIED)}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for row in rows:
            copy.write_row(copied(row))
            incidents.append(incident_of(row, report_key=report.key))
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
