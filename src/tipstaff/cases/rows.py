"""Between rows and words, for this room's own two doors."""

from collections.abc import Sequence
from datetime import timedelta

from tipstaff.words import Case, CaseOutcome, CaseState, Degree, Direction, NoticePosture, Role, Rung, Scope, Severity

from . import rules
from .models import CaseRow


def open_row(customer: str, *, group: str, service: str | None, lock: bool) -> CaseRow | None:
    """The open row, for this room's own operations."""
    rows = CaseRow.objects.filter(
        customer=customer, group=group, service=service, part="", state__in=[str(s) for s in rules.OPEN]
    )
    return (rows.select_for_update() if lock else rows).first()


def case_of(row: CaseRow) -> Case:
    """The row as a word."""
    return Case(
        key=row.key,
        customer=row.customer,
        customer_name=row.customer_name,
        brand=row.brand,
        service=row.service,
        clause=row.clause,
        group=row.group,
        edition=row.edition,
        type=row.type,
        severity=Severity(row.severity),
        state=CaseState(row.state),
        outcome=CaseOutcome(row.outcome),
        resource=row.resource,
        opened_at=row.opened_at,
        due_at=row.due_at,
        closed_at=row.closed_at,
        extended=row.extended,
        reports=row.reports,
        explanation=row.explanation,
        notice=NoticePosture(row.notice),
        ladder=_ladder_of(row.ladder),
        measure_ports=tuple((p, n) for p, n in row.measure_ports),
        measure_direction=Direction(row.measure_direction),
        decides=Role(row.decides) if row.decides else None,
        assignee=row.assignee,
        answer=row.answer,
        version=row.version,
        answer_within=timedelta(seconds=row.answer_seconds),
        repeats=row.repeats,
        fixed_at=row.fixed_at,
        watched_until=row.watched_until,
        reopened=row.reopened,
        appealed=row.appealed,
        merged_into=row.merged_into,
        split_from=row.split_from,
        waits_since=row.waits_since,
        snoozed_until=row.snoozed_until,
        tags=tuple(row.tags),
        campaign=row.campaign,
    )


def ladder_json(ladder: Sequence[Rung]) -> list[list[str]]:
    """A ladder as it is kept: by name, because a scope that is added moves the numbers of the wider ones."""
    return [[rung.scope.name, rung.degree.name] for rung in ladder]


_SCOPES_BY_NUMBER = ("ITEM", "MAILBOX", "HOST_NAME", "FLOW", "ADDRESS", "PREFIX", "SERVICE", "ACCOUNT")
"""What 1 to 8 meant in cases that were kept before ladders were kept by name."""


def _ladder_of(kept: Sequence[Sequence[str | int]]) -> tuple[Rung, ...]:
    return tuple(
        Rung(
            scope=Scope[scope if isinstance(scope, str) else _SCOPES_BY_NUMBER[scope - 1]],
            degree=Degree[degree] if isinstance(degree, str) else Degree(degree),
        )
        for scope, degree in kept
    )
