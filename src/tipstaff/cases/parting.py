"""Cases are merged, split and taken apart again. An incident keeps its identity, its decider and its terms."""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import Case, CaseOutcome, CaseState, Role

from . import rules
from .models import CaseRow, DecisionRow, MemberRow, MergeRow
from .operations import ABOUT_MAX, NoSuchCase, PlaceTaken, StaleCase
from .rows import case_of


class NotInThisCase(ValueError):
    """What should be split off is not in this case, or is all of it."""


class NotMerged(ValueError):
    """This case was not merged into another, or was taken apart already."""


def merge_case(key: str, *, into: str, version: int, why: str, at: datetime, actor: str) -> list[str]:
    """Put everything of one case into another of the same customer; the incidents that went over.

    The first one ends as merged, the other one's time to answer ends when the later of the two would have. Raise
    CannotMerge where that could make a measure wider or a time shorter, or would hide a dispute.
    """
    with transaction.atomic():
        rows = _locked_all([key, into])
        row, other = rows[key], rows[into]
        if row.version != version:
            raise StaleCase(key)
        merged = rules.merged(case_of(row), into=case_of(other))
        if DecisionRow.objects.filter(case__in=[row, other], seconded_by__isnull=True).exists():
            raise rules.CannotMerge(f"Something that takes two people waits on {key} or {into}: decide that first.")
        members = MemberRow.objects.filter(case=row)
        incidents = list(members.order_by("id").values_list("incident", flat=True))
        members.filter(home=None).update(home=key)
        members.update(case=other)
        MergeRow.objects.create(
            case=row, into=into, incidents=incidents, at=at,
            before={"state": row.state, "due_at": row.due_at.isoformat() if row.due_at else None,
                    "extended": row.extended},
        )  # fmt: skip
        row.state, row.outcome, row.merged_into = CaseState.CLOSED, CaseOutcome.MERGED, into
        row.due_at, row.closed_at, row.snoozed_until = None, at, None
        other.state, other.due_at, other.extended = merged.state, merged.due_at, merged.extended
        other.decides, other.severity = merged.decides, merged.severity
        _count_and_save(row, other)
        record(
            "case.merged", at=at, actor=actor, about=[into, key], why=why, incidents=len(incidents),
            due_at=other.due_at, role=other.decides,
        )  # fmt: skip
        return incidents


def part_merged(key: str, *, why: str, at: datetime, actor: str) -> tuple[Case, list[str]]:
    """Undo a merge: what went over and is still there goes back. Nobody's time to answer becomes shorter by it."""
    with transaction.atomic():
        found = CaseRow.objects.filter(pk=key).values_list("merged_into", flat=True).first()
        if found is None:
            raise NotMerged(key)
        rows = _locked_all([key, found])
        row, other = rows[key], rows[found]
        merge = MergeRow.objects.filter(case=row, into=found, undone_at=None).order_by("-id").first()
        if merge is None or row.merged_into != found:
            raise NotMerged(key)
        if CaseState(other.state) not in rules.MERGEABLE:
            raise rules.CannotMerge(f"{found} has gone on since: {rules.WHAT_NEXT[CaseState(other.state)]}")
        members = MemberRow.objects.filter(case=other, incident__in=merge.incidents)
        incidents = list(members.order_by("id").values_list("incident", flat=True))
        row.state, row.outcome, row.merged_into, row.closed_at = merge.before["state"], CaseOutcome.NONE, None, None
        row.extended, row.due_at = merge.before["extended"], None
        if (before := merge.before["due_at"]) is not None:
            row.due_at = max(datetime.fromisoformat(before), other.due_at or at)
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError as why_not:
            raise PlaceTaken(f"Another case is open by now where {key} was.") from why_not
        members.filter(home=key).update(home=None)
        MemberRow.objects.filter(case=other, incident__in=incidents).update(case=row)
        merge.undone_at = at
        merge.save(update_fields=["undone_at"])
        _count_and_save(row, other)
        record("case.parted", at=at, actor=actor, about=[key, found], why=why, incidents=len(incidents))
        return case_of(row), incidents


def split_case(
    key: str,
    *,
    incidents: Collection[str],
    resources: tuple[str, str],
    version: int,
    why: str,
    at: datetime,
    actor: str,
) -> Case:
    """Give some incidents of a case one of their own, with the same terms, state and time to answer.

    `resources` is what the new case and the old one are about from now on: neither names what only the other holds.
    """
    with transaction.atomic():
        row = _locked_all([key])[key]
        if row.version != version:
            raise StaleCase(key)
        rules.may_split(case_of(row))
        if DecisionRow.objects.filter(case=row, seconded_by__isnull=True).exists():
            raise rules.CannotMerge(f"Something that takes two people waits on {key}: decide that first.")
        wanted = set(incidents)
        there = dict(MemberRow.objects.filter(case=row).values_list("incident", "decides"))
        if not wanted or not wanted < set(there):
            raise NotInThisCase(key)
        new = next_key("C")
        part = CaseRow.objects.get(pk=key)
        part.key, part.part, part.split_from = new, new, row.split_from or key
        part.version, part.assignee, part.snoozed_until = 1, row.assignee, None
        role: Role | None = None
        for incident in wanted:
            decides = there[incident]
            role = rules.stricter(role, Role(decides) if decides else None)
        part.decides = role
        part.resource, row.resource = resources
        part.save(force_insert=True)
        MemberRow.objects.filter(case=row, incident__in=wanted, home=None).update(home=key)
        MemberRow.objects.filter(case=row, incident__in=wanted).update(case_id=new)
        _count_and_save(row, part)
        record(
            "case.split", at=at, actor=actor, about=[key, new, *sorted(wanted)[:ABOUT_MAX]], why=why,
            incidents=len(wanted),
        )  # fmt: skip
        return case_of(part)


def _locked_all(keys: Collection[str]) -> dict[str, CaseRow]:
    """These cases, locked in the order of their keys."""
    rows = {r.key: r for r in CaseRow.objects.select_for_update().filter(pk__in=set(keys)).order_by("key")}
    for key in keys:
        if key not in rows:
            raise NoSuchCase(key)
    return rows


def _count_and_save(*rows: CaseRow) -> None:
    for row in rows:
        row.reports = MemberRow.objects.filter(case=row).exclude(incident__startswith="S-").count()
        row.version += 1
        row.save()
