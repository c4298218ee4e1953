"""Cases, counted: by clause, by customer, by month, and how long they took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncMonth

from tipstaff.host import viewing
from tipstaff.words import CaseOutcome

from .models import CaseRow

seen = partial(viewing.seen, of=viewing.CASES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseFigures:
    """The cases that were opened under one clause in a time, and what has become of them."""

    clause: str
    opened: int
    still_open: int
    reports: int
    outcomes: Mapping[CaseOutcome, int]
    """Of those that have ended."""
    half_took: timedelta | None
    """Opened to closed: half of those that have ended took no longer; None if none has."""
    most_took: timedelta | None
    """The same for nine of ten."""


def by_clause(*, since: datetime, until: datetime) -> list[ClauseFigures]:
    """Cases opened in [since, until) by clause; most first."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_CLAUSE, [since, until, viewing.hidden_of(viewing.CASES).split()])
        rows = cursor.fetchall()
    outcomes: dict[str, dict[CaseOutcome, int]] = {}
    ended = seen(CaseRow.objects.filter(opened_at__gte=since, opened_at__lt=until, closed_at__isnull=False)).order_by()
    for clause, outcome, n in ended.values_list("clause", "outcome").annotate(n=Count("key")):
        outcomes.setdefault(clause, {})[CaseOutcome(outcome)] = n
    return [
        ClauseFigures(
            clause=clause,
            opened=opened,
            still_open=still_open,
            reports=reports,
            outcomes=outcomes.get(clause, {}),
            half_took=None if half is None else timedelta(seconds=half),
            most_took=None if most is None else timedelta(seconds=most),
        )
        for clause, opened, still_open, reports, half, most in rows
    ]


def by_customer(*, since: datetime, until: datetime) -> dict[str, int]:
    """How many cases were opened against each customer in [since, until)."""
    rows = seen(CaseRow.objects.filter(opened_at__gte=since, opened_at__lt=until)).order_by()
    return dict(rows.values_list("customer").annotate(n=Count("key")))


def by_month(*, since: datetime, until: datetime) -> dict[date, tuple[int, int]]:
    """Month (UTC, its first day) -> how many cases were opened and how many closed in it."""
    counts: dict[date, list[int]] = {}
    for place, field in enumerate(("opened_at", "closed_at")):
        rows = seen(CaseRow.objects.filter(**{f"{field}__gte": since, f"{field}__lt": until}))
        for begin, n in (
            rows.annotate(m=TruncMonth(field, tzinfo=UTC)).order_by().values_list("m").annotate(Count("key"))
        ):
            counts.setdefault(begin.date(), [0, 0])[place] = n
    return {begin: (opened, closed) for begin, (opened, closed) in counts.items()}


_BY_CLAUSE = """
SELECT clause, count(*), count(*) FILTER (WHERE closed_at IS NULL), sum(reports)::bigint,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at))
           FILTER (WHERE closed_at IS NOT NULL),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at))
           FILTER (WHERE closed_at IS NOT NULL)
FROM cases_caserow WHERE opened_at >= %s AND opened_at < %s AND key <> ALL(%s::text[])
GROUP BY clause ORDER BY count(*) DESC, clause
"""
