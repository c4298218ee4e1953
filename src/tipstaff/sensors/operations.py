"""Writes of sightings. Each is one transaction with its entry in the record."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from django.db import IntegrityError, transaction

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import (
    Disposition,
    Measured,
    RefusedSighting,
    Retest,
    RetestCheck,
    RetestFound,
    Sighting,
    TakenSightings,
    require_aware,
)

from .form import digest_of
from .models import RetestRow, SightingRow
from .rows import measured_of, retest_of


class NoSuchSighting(LookupError):
    """There is no sighting with this key."""


class NotLeftToAPerson(ValueError):
    """This sighting does not wait for a person: it is done, or is decided with its case."""


def keep_sightings(
    sightings: Sequence[tuple[int, Sighting]], *, evidence: str, at: datetime, actor: str
) -> TakenSightings:
    """Put (line, sighting) pairs on record. What a sensor named before is known and changes nothing; what it names
    again with another content is refused."""
    for _ in range(3):
        try:
            with transaction.atomic():
                return _keep(sightings, evidence=evidence, at=require_aware(at), actor=actor)
        except IntegrityError:
            continue  # Another delivery put some of them on record between our look and our write.
    raise AssertionError("the same sightings are handed in by very many at once")


def _keep(sightings: Sequence[tuple[int, Sighting]], *, evidence: str, at: datetime, actor: str) -> TakenSightings:
    ids: dict[str, list[str]] = {}
    for _, sighting in sightings:
        ids.setdefault(sighting.sensor, []).append(sighting.id)
    standing = {
        (sensor, name): digest
        for sensor, names in ids.items()
        for name, digest in SightingRow.objects.filter(sensor=sensor, name__in=names).values_list("name", "digest")
    }
    rows: list[SightingRow] = []
    refused: list[RefusedSighting] = []
    known = 0
    for line, sighting in sightings:
        named, digest = (sighting.sensor, sighting.id), digest_of(sighting)
        before = standing.setdefault(named, "")
        if before == digest:
            known += 1
        elif before:
            why = f"{sighting.sensor} gave the id {sighting.id!r} to something else before."
            refused.append(RefusedSighting(line=line, why=why))
        else:
            standing[named] = digest
            rows.append(_row(sighting, digest=digest, evidence=evidence, line=line, at=at))
    SightingRow.objects.bulk_create(rows, batch_size=1000)
    taken = tuple(row.key for row in rows)
    if taken or refused:
        record(
            "sightings.taken", at=at, actor=actor, about=[evidence], taken=len(taken), known=known,
            refused=len(refused), first=taken[0] if taken else None, sensors=sorted(ids),
        )  # fmt: skip
    return TakenSightings(evidence=evidence, taken=taken, known=known, refused=tuple(refused))


def _row(sighting: Sighting, *, digest: str, evidence: str, line: int, at: datetime) -> SightingRow:
    return SightingRow(
        key=next_key("S"),
        sensor=sighting.sensor,
        name=sighting.id,
        digest=digest,
        evidence=evidence,
        line=line,
        received_at=at,
        kind=sighting.kind,
        type=sighting.type,
        moment_at=sighting.moment.at,
        moment_error_seconds=sighting.moment.error_seconds,
        source=str(sighting.source) if sighting.source else None,
        source_port=sighting.source_port,
        url=sighting.url,
        domain=sighting.domain,
        account=sighting.account,
        protocol=sighting.protocol,
        target=sighting.target,
        target_port=sighting.target_port,
        facts=dict(sighting.facts),
        excerpt=sighting.excerpt,
    )


def lock_measured(key: str) -> Measured:
    """Hold a sighting for the rest of the caller's transaction; raise NoSuchSighting."""
    row = SightingRow.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise NoSuchSighting(key)
    return measured_of(row)


def set_measured(
    key: str, *, disposition: Disposition, reason: str, case: str | None, at: datetime, actor: str
) -> None:
    """Say what became of a sighting. Saying the same again changes nothing."""
    with transaction.atomic():
        measured = lock_measured(key)
        if (measured.disposition, measured.reason, measured.case) == (disposition, reason, case):
            return
        SightingRow.objects.filter(key=key).update(disposition=disposition, reason=reason, case=case)
        record(
            "sighting.decided", at=at, actor=actor, about=[key, *([case] if case else [])], disposition=disposition,
            reason=reason,
        )  # fmt: skip


def move_measured(keys: Sequence[str], *, to: str) -> None:
    """These sightings are in another case now, into or out of which theirs was merged or split; the caller records
    that."""
    SightingRow.objects.filter(key__in=list(keys)).update(case=to)


def finish(key: str, *, why: str, at: datetime, actor: str) -> None:
    """A person has seen to it and nothing more follows; raise NotLeftToAPerson. What the judge said of it stays."""
    with transaction.atomic():
        _lock_left(key)
        SightingRow.objects.filter(key=key).update(done_at=require_aware(at), done_by=actor, done_why=why)
        record("sighting.done", at=at, actor=actor, about=[key], why=why)


def put_back(key: str, *, why: str, at: datetime, actor: str) -> None:
    """A person has mended what kept the judge from it, and it waits for the judge again; raise NotLeftToAPerson."""
    with transaction.atomic():
        _lock_left(key)
        SightingRow.objects.filter(key=key).update(disposition=None, reason="")
        record("sighting.put_back", at=at, actor=actor, about=[key], why=why)


def _lock_left(key: str) -> None:
    if not lock_measured(key).left_to_person:
        raise NotLeftToAPerson(f"{key} does not wait for a person: it is done, or is decided with its case.")


def ask_retest(
    *,
    case: str,
    customer: str,
    clause: str,
    address: IPv4Address | IPv6Address,
    protocol: str,
    port: int,
    check: RetestCheck,
    at: datetime,
    actor: str,
) -> Retest:
    """Ask for one look before a case closes; the prober makes it."""
    with transaction.atomic():
        row = RetestRow.objects.create(
            key=next_key("P"), case=case, customer=customer, clause=clause, address=str(address), protocol=protocol,
            port=port, check_name=check.value, asked_at=require_aware(at), due_at=at,
        )  # fmt: skip
        record(
            "retest.asked", at=at, actor=actor, about=[case, customer, row.key], under=clause, check=check,
            address=str(address), protocol=protocol, port=port,
        )  # fmt: skip
    return retest_of(row)


def claim_retest(*, at: datetime) -> Retest | None:
    """The next look that is due, held for the rest of the caller's transaction; one that another prober has is not."""
    waiting = RetestRow.objects.select_for_update(skip_locked=True).filter(found="", due_at__lte=at)
    row = waiting.order_by("due_at", "id").first()
    return retest_of(row) if row is not None else None


def begin_retest(key: str, *, at: datetime, again_at: datetime) -> None:
    """On record before anything is sent; whoever dies at it lets another try at `again_at`."""
    row = RetestRow.objects.select_for_update().get(key=key)
    row.tries, row.sent_at, row.due_at = row.tries + 1, require_aware(at), again_at
    row.save(update_fields=["tries", "sent_at", "due_at"])
    record(
        "retest.begun", at=at, actor="prober", about=[row.case, row.customer, key], attempt=row.tries,
        address=row.address, protocol=row.protocol, port=row.port, check=row.check_name,
    )  # fmt: skip


def end_retest(
    key: str,
    *,
    found: RetestFound,
    said: str,
    evidence: str = "",
    sighting: str = "",
    at: datetime,
    actor: str,
) -> None:
    """Say what a look showed; said once, it stays."""
    with transaction.atomic():
        row = RetestRow.objects.select_for_update().get(key=key)
        if row.found:
            return
        row.found, row.said, row.found_at = found.value, said, require_aware(at)
        row.evidence, row.sighting = evidence, sighting
        row.save(update_fields=["found", "said", "found_at", "evidence", "sighting"])
        about = [row.case, row.customer, key, *([sighting] if sighting else [])]
        record("retest.ended", at=at, actor=actor, about=about, found=found, said=said, evidence=evidence or None)
