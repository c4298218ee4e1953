"""Writes of what admission knows: lists, vettings, decisions, findings after an end, deliveries already taken."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from tipstaff.ledger.operations import record
from tipstaff.words import Admission, AdmissionState, Concern, ConcernKind, LateUse, ListKind, require_aware

from .models import AdmissionRow, CustomerRow, DeliveryRow, LateUseRow, ListRow
from .refusals import DecisionNeedsAReason, NoSuchAdmission
from .vetting import Entry, read_list


def load_list(kind: ListKind, lines: Iterable[str], *, file_name: str, at: datetime, actor: str) -> int:
    """Take a list's newest file in the place of the last one; how many entries it has. Raises BadList."""
    text = list(lines)
    entries = read_list(kind, text)
    digest = hashlib.sha256("".join(text).encode()).hexdigest()
    with transaction.atomic():
        ListRow.objects.update_or_create(
            kind=kind,
            defaults={
                "file_name": file_name,
                "digest": digest,
                "loaded_at": require_aware(at),
                "entries": [{k: v for k, v in asdict(entry).items() if v} for entry in entries],
            },
        )
        record(
            "list.loaded", at=at, actor=actor, about=[f"list:{kind}"], file=file_name, entries=len(entries),
            sha256=digest,
        )  # fmt: skip
    return len(entries)


@transaction.atomic
def open_admission(
    customer: str, concerns: Sequence[Concern], *, lists: Sequence[str], at: datetime, actor: str
) -> Admission:
    """Note a vetting. What a person has decided is not asked again while the concerns are the same."""
    name = CustomerRow.objects.select_for_update().get(key=customer).name
    told = [asdict(concern) for concern in concerns]
    last = AdmissionRow.objects.filter(customer_key=customer).order_by("-id").first()
    if last is not None and _ground(last.concerns) == _ground(told):
        return admission_of(last)
    if last is not None and last.state == AdmissionState.WAITING:
        last.concerns, last.lists, last.customer_name = told, list(lists), name
        last.state = AdmissionState.WAITING if told else AdmissionState.CLEAR
        last.save()
        row = last
    else:
        row = AdmissionRow.objects.create(
            customer_key=customer,
            customer_name=name,
            opened_at=require_aware(at),
            state=AdmissionState.WAITING if told else AdmissionState.CLEAR,
            concerns=told,
            lists=list(lists),
        )
    if told:
        record(
            "admission.opened", at=at, actor=actor, about=[customer, admission_key(row.pk)],
            concerns=[c["explanation"] for c in told][:20], lists=list(lists),
        )  # fmt: skip
    return admission_of(row)


@transaction.atomic
def decide_admission(key: str, *, accept: bool, why: str, at: datetime, actor: str) -> Admission:
    """A person's decision, with its reason; raise NoSuchAdmission when it is not waiting."""
    if not why.strip():
        raise DecisionNeedsAReason("an admission is decided with the reason in words")
    digits = key.upper().removeprefix("AD-")
    row = AdmissionRow.objects.select_for_update().filter(pk=int(digits) if digits.isdecimal() else 0).first()
    if row is None or row.state != AdmissionState.WAITING:
        raise NoSuchAdmission(f"{key} waits for nobody: there is none of that name, or it was decided")
    row.state = AdmissionState.ACCEPTED if accept else AdmissionState.REFUSED
    row.decided_at, row.decided_by, row.why = require_aware(at), actor, why.strip()
    row.save()
    record(
        f"admission.{row.state}", at=at, actor=actor, about=[row.customer_key, admission_key(row.pk)], why=row.why,
        concerns=[c["explanation"] for c in row.concerns][:20],
    )  # fmt: skip
    return admission_of(row)


@transaction.atomic
def note_late_use(finding: LateUse, *, at: datetime, actor: str) -> bool:
    """Keep a finding; True when it is new, False when the same was found before and only counts up."""
    row, new = LateUseRow.objects.get_or_create(
        kind=finding.use.kind,
        what=finding.use.what,
        customer_key=finding.customer,
        reason=finding.reason,
        ended_at=finding.ended_at,
        defaults={
            "explanation": finding.explanation,
            "source": finding.use.source,
            "first_seen_at": require_aware(finding.use.seen_at),
            "last_seen_at": finding.use.seen_at,
        },
    )
    if new:
        record(
            "late_use.found", at=at, actor=actor, about=[finding.customer], kind=finding.use.kind,
            seen=finding.use.what, reason=finding.reason, explanation=finding.explanation,
        )  # fmt: skip
        return True
    # The same sight, told again, is one.
    LateUseRow.objects.filter(pk=row.pk).exclude(last_seen_at=finding.use.seen_at).update(
        count=F("count") + 1, last_seen_at=Greatest(F("last_seen_at"), finding.use.seen_at)
    )
    return False


def begin_delivery(delivery: str, *, digest: str, at: datetime) -> dict[str, Any] | None:
    """Claim a delivery in the caller's transaction; the answer it got before, if it was taken in already.

    A second one at the same moment waits here until the first is committed or rolled back. The digest of the body
    that came under this name is in the answer as `digest`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO registry_deliveryrow (id, received_at, digest, answer) VALUES (%s, %s, %s, '{}') "
            "ON CONFLICT DO NOTHING",
            [delivery, require_aware(at), digest],
        )
        if cursor.rowcount:
            return None
    row = DeliveryRow.objects.get(pk=delivery)
    return {**row.answer, "digest": row.digest}


def end_delivery(delivery: str, *, answer: dict[str, Any]) -> None:
    """Keep what was answered."""
    DeliveryRow.objects.filter(pk=delivery).update(answer=answer)


def admission_key(id: int) -> str:
    """`AD-4`."""
    return f"AD-{id}"


def admission_of(row: AdmissionRow) -> Admission:
    return Admission(
        key=admission_key(row.pk),
        customer=row.customer_key,
        customer_name=row.customer_name,
        opened_at=row.opened_at,
        state=AdmissionState(row.state),
        concerns=tuple(Concern(**{**c, "kind": ConcernKind(c["kind"])}) for c in row.concerns),
        lists=tuple(row.lists),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        why=row.why,
    )


def entries_of(row: ListRow) -> tuple[Entry, ...]:
    return tuple(Entry(**{**e, "aliases": tuple(e.get("aliases", ()))}) for e in row.entries)


def _ground(concerns: Sequence[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(str(c["kind"]), str(c["against"]), str(c["explanation"])) for c in concerns}
