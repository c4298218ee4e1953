"""Reads of the restricted legal register. Who may ask is the procedures' to say."""

from datetime import datetime

from django.db.models import Q

from tipstaff.words import AskedOf, ConditionNoted, Gives, LegalMatter, MatterKind, MatterState

from .models import ConditionRow, MatterRow

_SAME = (
    "key", "clause", "edition", "opened_by", "opened_at", "received_at", "authority", "reference", "binding", "digest",
    "report", "clock", "due_at", "url", "grade", "reason", "customer", "authenticated_by", "authenticated_how", "why",
    "decided_by", "second_by", "decided_at", "ground", "review_at", "told_at", "told_how", "handed_at", "handed_digest",
)  # fmt: skip
"""Columns that the word has under the same name."""


def get_matter(key: str) -> LegalMatter | None:
    row = MatterRow.objects.filter(key=key).first()
    return matter_of(row) if row is not None else None


def list_matters(*, open_only: bool = False, limit: int = 500, after: str | None = None) -> list[LegalMatter]:
    """The newest first; with `open_only` those that wait for a decision. `after` is the last key of the page before."""
    rows = MatterRow.objects.order_by("-id")
    if after is not None:
        rows = rows.filter(id__lt=MatterRow.objects.filter(key=after).values_list("id", flat=True).first() or 0)
    if open_only:
        rows = rows.filter(state__in=[MatterState.OPEN.value, MatterState.PROPOSED.value])
    return [matter_of(row) for row in rows[:limit]]


def late_matters(*, at: datetime) -> list[LegalMatter]:
    """Those whose clock has ended undecided, and those whose ground for silence should have been looked at again."""
    undecided = Q(state__in=[MatterState.OPEN.value, MatterState.PROPOSED.value], due_at__lte=at)
    silent = Q(review_at__lte=at, told_at__isnull=True)
    return [matter_of(row) for row in MatterRow.objects.filter(undecided | silent).order_by("id")]


def conditions_noted() -> dict[str, ConditionNoted]:
    """What was noted last of each condition."""
    rows = ConditionRow.objects.order_by("condition", "-id").distinct("condition")
    return {
        row.condition: ConditionNoted(
            condition=row.condition, met=row.met, shown_by=row.shown_by, until=row.until, noted_by=row.noted_by,
            noted_at=row.noted_at,
        )
        for row in rows
    }  # fmt: skip


def matter_of(row: MatterRow) -> LegalMatter:
    """The row as the word that leaves this room."""
    asked = None
    if row.address is not None:
        asked = AskedOf(
            address=row.address, port=row.port, protocol=row.protocol, used_at=row.used_at,
            error_seconds=row.error_seconds,
        )  # fmt: skip
    return LegalMatter(
        kind=MatterKind(row.kind), state=MatterState(row.state), shown=tuple(row.shown), lacking=tuple(row.lacking),
        gives=tuple(Gives(each) for each in row.gives), asked=asked, **{name: getattr(row, name) for name in _SAME},
    )  # fmt: skip
