"""The desk's figures: what came, what waits, how fast it is; by day, clause, source and kind of customer.

The overview and the API show the same. Sealed reports are in no number.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tipstaff.cases import figures as of_cases
from tipstaff.intake import figures as of_reports
from tipstaff.notices import figures as of_letters
from tipstaff.registry import queries as registry
from tipstaff.words import CaseOutcome, ReportOutcome

from .shown import label

DAYS_MAX = 92
"""More days than that are counted by month."""
ACTED = (ReportOutcome.FORWARDED, ReportOutcome.FIXED, ReportOutcome.MEASURE_TAKEN)
WAITING = (ReportOutcome.RECEIVED, ReportOutcome.WITH_A_PERSON, ReportOutcome.NEEDS_DETAIL)
GROUPS = ("told to a customer", "still open with us", "nothing to do")
"""What has become of a report, in the order of `arrivals`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures in rows, the same on the page, as CSV and as JSON. A time is in seconds."""

    name: str
    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]

    @property
    def shown(self) -> list[list[str]]:
        """Its cells as a person reads them."""
        return [
            [_cell(value, seconds=head.endswith(" took")) for head, value in zip(self.heads, row, strict=True)]
            for row in self.rows
        ]


def arrivals(since: datetime, until: datetime) -> dict[str, tuple[int, int, int]]:
    """Day, or month of a long time -> how many reports were told to a customer, are open with us, need nothing."""
    by_day = until - since <= timedelta(days=DAYS_MAX)
    found = of_reports.arrivals_by("day" if by_day else "month", since=since, until=until)
    steps: dict[str, tuple[int, int, int]] = {}
    begin = since.date() if by_day else since.date().replace(day=1)
    while begin < until.date():
        counts = found.get(begin, {})
        acted, waits = (sum(counts.get(outcome, 0) for outcome in group) for group in (ACTED, WAITING))
        steps[f"{begin:%m-%d}" if by_day else f"{begin:%Y-%m}"] = (acted, waits, sum(counts.values()) - acted - waits)
        begin = begin + timedelta(days=1) if by_day else _next_month(begin)
    return steps


def tables_of(since: datetime, until: datetime) -> list[Table]:
    """All tables of [since, until)."""
    return [
        Table(
            name="sources",
            title="By source",
            note="who reported, by the domain of their address",
            heads=("source", "reports", "told to a customer", "open with us", "asked for more", "not upheld",
                   "told before", "not ours", "no complaint", "half read took"),
            rows=tuple(_source(each) for each in of_reports.by_source(since=since, until=until)),
        ),
        Table(
            name="clauses",
            title="By clause",
            note="cases opened in this time, and what has become of them",
            heads=("clause", "opened", "open", "reports", "fixed", "fixed after a measure", "not upheld", "withdrawn",
                   "half took", "nine of ten took"),
            rows=tuple(_clause(each) for each in of_cases.by_clause(since=since, until=until)),
        ),
        Table(
            name="classes",
            title="By kind of customer",
            note="cases opened in this time",
            heads=("kind", "customers", "cases"),
            rows=_classes(of_cases.by_customer(since=since, until=until)),
        ),
        Table(
            name="months",
            title="By month",
            note="cases opened and closed",
            heads=("month", "opened", "closed"),
            rows=tuple(
                (f"{month:%Y-%m}", *counts)
                for month, counts in sorted(of_cases.by_month(since=since, until=until).items())
            ),
        ),
        Table(
            name="letters",
            title="Letters",
            note="written in this time, and how long until a mail server took them",
            heads=("kind", "written", "sent", "half took", "nine of ten took"),
            rows=tuple(
                (label(x.kind), x.written, x.sent, _seconds(x.half_took), _seconds(x.most_took))
                for x in of_letters.by_kind(since=since, until=until)
            ),
        ),
    ]  # fmt: skip


def _source(each: of_reports.SourceFigures) -> tuple[str | int | float | None, ...]:
    def of(*outcomes: ReportOutcome) -> int:
        return sum(each.outcomes.get(outcome, 0) for outcome in outcomes)

    return (
        each.domain or "no address", each.reports, of(*ACTED), of(ReportOutcome.RECEIVED, ReportOutcome.WITH_A_PERSON),
        of(ReportOutcome.NEEDS_DETAIL), of(ReportOutcome.NOT_UPHELD), of(ReportOutcome.DUPLICATE),
        of(ReportOutcome.NOT_OURS, ReportOutcome.TOO_OLD), of(ReportOutcome.SET_ASIDE), each.read_seconds,
    )  # fmt: skip


def _clause(each: of_cases.ClauseFigures) -> tuple[str | int | float | None, ...]:
    ended = (CaseOutcome.FIXED, CaseOutcome.FIXED_AFTER_MEASURE, CaseOutcome.NOT_UPHELD, CaseOutcome.WITHDRAWN)
    return (
        each.clause, each.opened, each.still_open, each.reports, *(each.outcomes.get(outcome, 0) for outcome in ended),
        _seconds(each.half_took), _seconds(each.most_took),
    )  # fmt: skip


def _classes(cases: Mapping[str, int]) -> tuple[tuple[str | int | float | None, ...], ...]:
    """Kind of customer, how many of them had a case, and how many cases."""
    _of_service, kinds = registry.customer_classes()
    customers, opened = Counter[str](), Counter[str]()
    for customer, n in cases.items():
        customers[kinds.get(customer, "not in the registry")] += 1
        opened[kinds.get(customer, "not in the registry")] += n
    return tuple((kind, customers[kind], n) for kind, n in sorted(opened.items(), key=lambda x: (-x[1], x[0])))


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


def _cell(value: str | float | None, *, seconds: bool) -> str:
    if value is None:
        return "—"
    if not seconds or isinstance(value, str):
        return str(value)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= length:
            return f"{value / length:.1f} {unit}"
    return f"{value:.1f} s"


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def document(since: datetime, until: datetime) -> dict[str, object]:
    """All figures of [since, until) for a program. Times taken are in seconds."""
    steps = {name: dict(zip(GROUPS, counts, strict=True)) for name, counts in arrivals(since, until).items()}
    tables = {
        table.name: [dict(zip(table.heads, row, strict=True)) for row in table.rows]
        for table in tables_of(since, until)
    }
    return {"from": since.isoformat(), "to": until.isoformat(), "reports": steps, **tables}
