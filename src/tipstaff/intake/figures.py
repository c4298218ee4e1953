"""What came in, counted: by day and outcome, and by who reported. Sealed reports are in no number here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Literal

from django.db import connection
from django.db.models import Count
from django.db.models.functions import TruncDay, TruncMonth

from tipstaff.host import viewing
from tipstaff.words import ReportOutcome

from .models import ReportRow

Step = Literal["day", "month"]

seen = partial(viewing.seen, of=viewing.REPORTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigures:
    """What one reporter's domain sent, and how it fared."""

    domain: str
    """Empty where no address was given."""
    reports: int
    outcomes: Mapping[ReportOutcome, int]
    read_seconds: float | None
    """Median of received to read; None if none was read."""


def arrivals_by(step: Step, *, since: datetime, until: datetime) -> dict[date, dict[ReportOutcome, int]]:
    """Reports received in [since, until) by the day or month (UTC) they came in and what has become of them."""
    truncated = (TruncDay if step == "day" else TruncMonth)("received_at", tzinfo=UTC)
    rows = seen(ReportRow.objects.filter(received_at__gte=since, received_at__lt=until))
    found: dict[date, dict[ReportOutcome, int]] = {}
    counted = rows.exclude(outcome=ReportOutcome.SEALED).annotate(begin=truncated).order_by()
    for begin, outcome, n in counted.values_list("begin", "outcome").annotate(n=Count("id")):
        found.setdefault(begin.date(), {})[ReportOutcome(outcome)] = n
    return found


def by_source(*, since: datetime, until: datetime, limit: int = 30) -> list[SourceFigures]:
    """Who reported in [since, until), by the domain of their address; those with most reports first."""
    with connection.cursor() as cursor:
        cursor.execute(
            _BY_SOURCE, [since, until, ReportOutcome.SEALED, viewing.hidden_of(viewing.REPORTS).split(), limit]
        )
        rows = cursor.fetchall()
    return [
        SourceFigures(
            domain=domain,
            reports=total,
            outcomes={ReportOutcome(name): n for name, n in zip(names, counts, strict=True)},
            read_seconds=seconds,
        )
        for domain, total, names, counts, seconds in rows
    ]


_BY_SOURCE = """
WITH said AS (
    SELECT lower(split_part(coalesce(nullif(reporter_address, ''), sender), '@', 2)) AS domain, outcome,
           extract(epoch FROM read_at - received_at) AS seconds
    FROM intake_reportrow WHERE received_at >= %s AND received_at < %s AND outcome <> %s
      AND key <> ALL(%s::text[])
), counted AS (
    SELECT domain, outcome, count(*) AS n FROM said GROUP BY domain, outcome
), most AS (
    SELECT domain, sum(n)::bigint AS total, array_agg(outcome ORDER BY outcome) AS names,
           array_agg(n ORDER BY outcome) AS counts
    FROM counted GROUP BY domain ORDER BY sum(n) DESC, domain LIMIT %s
), took AS (
    SELECT domain, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS half
    FROM said WHERE domain IN (SELECT domain FROM most) GROUP BY domain
)
SELECT domain, total, names, counts, half FROM most JOIN took USING (domain) ORDER BY total DESC, domain
"""
