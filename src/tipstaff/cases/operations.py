"""Writes of cases. Each is one transaction with its entry in the record."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import Answer, Case, CaseOutcome, CaseState, Role, Verdict

from . import rules
from .models import CaseRow, DecisionRow, MemberRow, NoteRow
from .rows import case_of, ladder_json, open_row


class StaleCase(Exception):
    """Somebody else changed this case meanwhile; look at it again and repeat what you wanted."""


class NoSuchCase(KeyError):
    """There is no case with this key."""


class SecondMustBeAnother(PermissionError):
    """Whoever proposed a measure cannot second it."""


def join_or_open(
    *,
    verdict: Verdict,
    customer: str,
    customer_name: str,
    service: str | None,
    incident: str,
    evidence: str,
    type: str,
    resource: str,
    repeats: int,
    at: datetime,
    actor: str,
) -> tuple[Case, bool]:
    """Put an incident into the open case of customer x clause group x service, or open one. (case, opened).

    Doing it again for the same incident changes nothing. Two at once make one case: the database holds it.
    """
    if verdict.clause is None or verdict.group is None:
        raise ValueError("a verdict without a clause opens no case")
    report = incident.partition(".")[0]
    is_report = int(report != incident)  # A sighting is no report: nobody complained.
    for _ in range(2):
        try:
            with transaction.atomic():
                member = MemberRow.objects.select_related("case").filter(incident=incident).first()
                if member is not None:
                    return case_of(member.case), False
                row = open_row(customer, group=verdict.group, service=service, lock=True)
                opened = row is None
                if row is None:
                    row = CaseRow.objects.create(
                        key=next_key("C"),
                        customer=customer,
                        customer_name=customer_name,
                        service=service,
                        clause=verdict.clause,
                        group=verdict.group,
                        edition=verdict.edition,
                        type=type,
                        severity=verdict.severity,
                        state=CaseState.WAITING_PERSON if verdict.disposition == "person" else CaseState.OPENED,
                        resource=resource,
                        opened_at=at,
                        explanation=verdict.explanation,
                        notice=verdict.notice,
                        ladder=ladder_json(verdict.ladder),
                        measure_ports=[list(p) for p in verdict.measure_ports],
                        measure_direction=verdict.measure_direction,
                        decides=verdict.decides,
                        answer_seconds=int((verdict.answer_within or timedelta(hours=72)).total_seconds()),
                        repeats=repeats,
                    )
                    record(
                        "case.opened", at=at, actor=actor, about=[row.key, report, incident, evidence, customer],
                        clause=verdict.clause, edition=verdict.edition, reason=verdict.reason,
                        severity=verdict.severity, service=service, explanation=verdict.explanation,
                    )  # fmt: skip
                MemberRow.objects.create(case=row, incident=incident)
                CaseRow.objects.filter(pk=row.pk).update(reports=F("reports") + is_report, version=F("version") + 1)
                if not opened:
                    record("case.joined", at=at, actor=actor, about=[row.key, report, incident, evidence])
                row.refresh_from_db()
                return case_of(row), opened
        except IntegrityError:
            continue  # Another process opened the case, or took the incident, between our look and our write.
    raise StaleCase(f"{customer} {verdict.group} {service}")


def lock_case(key: str, *, version: int | None = None) -> Case:
    """Hold the case for the rest of the caller's transaction: what is decided on it now is decided once.

    Cases are locked before devices, always. Raise StaleCase when `version` is no longer the case's.
    """
    return case_of(_locked(key, version))


def mark_told(key: str, *, incidents: Sequence[str], letter: str | None) -> None:
    """Note which letter named these incidents' addresses to the holder; None when it was withdrawn."""
    MemberRow.objects.filter(case_id=key, incident__in=list(incidents)).update(told_by=letter)


def start_due(key: str, *, due_at: datetime, at: datetime, actor: str, about: tuple[str, ...] = ()) -> None:
    """Set the end of the time to answer of a case that had none yet, as after a reminder was handed over."""
    with transaction.atomic():
        row = _locked(key, None)
        if row.due_at is None and CaseState(row.state) in rules.CLOCK_RUNS:
            row.due_at = due_at
            _save(row)
            record("case.clock_started", at=at, actor=actor, about=[key, *about], due_at=due_at)


def forget_matter(key: str, *, at: datetime, actor: str) -> None:
    """Take out of sight what a case is about and what was written on it, and leave it to counsel."""
    with transaction.atomic():
        row = _locked(key, None)
        row.resource, row.answer, row.decides = SEALED_MATTER, "", Role.COUNSEL
        _save(row)
        NoteRow.objects.filter(case=row).update(text=SEALED_MATTER)
        record("case.matter_sealed", at=at, actor=actor, about=[key])


SEALED_MATTER = "sealed"
"""What a case is about when that may not be said."""


class NotDue(Exception):
    """The deadline has not passed: it was moved, or an answer came, a moment ago."""


def move_case(
    key: str,
    *,
    to: CaseState,
    at: datetime,
    actor: str,
    why: str,
    version: int | None = None,
    due_at: datetime | None = None,
    outcome: CaseOutcome | None = None,
    about: tuple[str, ...] = (),
    only_if_due: bool = False,
) -> Case:
    """Move a case; raise IllegalMove where the rules forbid it, StaleCase when `version` is no longer the case's.

    With `only_if_due`, raise NotDue unless the deadline has passed at `at`, as it stands under the lock.
    """
    with transaction.atomic():
        row = _locked(key, version)
        if only_if_due and (row.due_at is None or row.due_at > at):
            raise NotDue(key)
        before = CaseState(row.state)
        row.state = rules.move(before, to)
        if to in rules.CLOCK_RUNS:
            row.due_at = due_at
        elif to is CaseState.CLOSED:
            row.due_at, row.closed_at = None, at
        elif to is not CaseState.OVERDUE:
            row.due_at = None
        if outcome is not None:
            row.outcome = outcome
        _save(row)
        record(
            f"case.{to}", at=at, actor=actor, about=[key, *about],
            before=before, why=why, due_at=row.due_at, outcome=row.outcome,
        )  # fmt: skip
        return case_of(row)


def take_answer(
    key: str, *, answer: Answer, words: str, at: datetime, actor: str, extended_due: datetime | None = None
) -> Case:
    """The customer's answer: it moves the case, and is kept in their own words.

    `extended_due` is when the time ends that they are given more of; without it, it is counted in plain hours.
    """
    with transaction.atomic():
        row = _locked(key, None)
        if answer is Answer.NEED_TIME and row.extended:
            raise rules.AlreadyExtended(key)
        before = CaseState(row.state)
        row.state = rules.move(before, rules.ANSWER_MOVES[answer])
        if answer is Answer.NEED_TIME:
            row.extended = True
            within = timedelta(seconds=row.answer_seconds)
            row.due_at = extended_due or rules.extended_due(due=row.due_at or at, answer_within=within)
        else:
            row.due_at = None
        row.answer = words
        _save(row)
        record(
            "case.answered", at=at, actor=actor, about=[key],
            answer=answer, words=words, before=before, now=row.state, due_at=row.due_at,
        )  # fmt: skip
        return case_of(row)


def assign_case(key: str, *, to: str | None, version: int, at: datetime, actor: str) -> Case:
    with transaction.atomic():
        row = _locked(key, version)
        row.assignee = to
        _save(row)
        record("case.assigned", at=at, actor=actor, about=[key], to=to)
        return case_of(row)


def write_note(key: str, *, text: str, at: datetime, actor: str) -> None:
    """A colleague's note; the record says that there is one, its words stay on the case."""
    with transaction.atomic():
        row = _locked(key, None)
        NoteRow.objects.create(case=row, at=at, actor=actor, text=text)
        record("case.noted", at=at, actor=actor, about=[key])


def propose(
    key: str, *, kind: str, ground: str, detail: str, at: datetime, actor: str, lapsed_before: datetime | None = None
) -> None:
    """Propose what takes two people; AlreadyProposed while one waits: nobody seconds what they did not read.

    One that was proposed before `lapsed_before` waits no longer: the record keeps it, and the new one takes its place.
    """
    with transaction.atomic():
        row = _locked(key, None)
        waiting = DecisionRow.objects.filter(case=row, kind=kind, seconded_by__isnull=True)
        if lapsed_before is not None:
            for lapsed in waiting.filter(proposed_at__lt=lapsed_before):
                record(
                    f"case.{kind}_lapsed", at=at, actor=actor, about=[key], ground=lapsed.ground,
                    shown_by=lapsed.detail, proposed_by=lapsed.proposed_by, proposed_at=lapsed.proposed_at,
                )  # fmt: skip
                lapsed.delete()
        if waiting.exists():
            raise AlreadyProposed(key)
        DecisionRow.objects.create(case=row, kind=kind, ground=ground, detail=detail, proposed_by=actor, proposed_at=at)
        record(f"case.{kind}_proposed", at=at, actor=actor, about=[key], ground=ground, shown_by=detail)


class AlreadyProposed(ValueError):
    """A proposal waits for a second person already; second that one."""


class NothingProposed(LookupError):
    """Nothing waits for a second person here."""


def second(key: str, *, kind: str, at: datetime, actor: str) -> tuple[str, str, str]:
    """Second a proposal; returns (ground, what shows it, who proposed it). Raise SecondMustBeAnother for oneself."""
    with transaction.atomic():
        row = _locked(key, None)
        waiting = DecisionRow.objects.filter(case=row, kind=kind, seconded_by__isnull=True).first()
        if waiting is None:
            raise NothingProposed(key)
        if waiting.proposed_by == actor:
            raise SecondMustBeAnother(actor)
        waiting.seconded_by = actor
        waiting.save(update_fields=["seconded_by"])
        record(f"case.{kind}_seconded", at=at, actor=actor, about=[key], proposed_by=waiting.proposed_by)
        return waiting.ground, waiting.detail, waiting.proposed_by


def _locked(key: str, version: int | None) -> CaseRow:
    row = CaseRow.objects.select_for_update().filter(pk=key).first()
    if row is None:
        raise NoSuchCase(key)
    if version is not None and row.version != version:
        raise StaleCase(key)
    return row


def _save(row: CaseRow) -> None:
    row.version += 1
    row.save()
