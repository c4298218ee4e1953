"""The desk's figures: what came, what waits, how fast it is; by day, clause, source and kind of customer.

The overview, the wall and the API show the same, as it was counted within the last minutes: counting a month of a
million cases takes most of a second. What is sealed, or closed to some of the staff, is in no number for anybody.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from tipstaff.cases import figures as of_cases
from tipstaff.cases.working import keep_figures, kept_figures
from tipstaff.host.viewing import hiding
from tipstaff.intake import figures as of_reports
from tipstaff.notices import figures as of_letters
from tipstaff.registry import queries as registry
from tipstaff.words import CaseOutcome, ReportOutcome

from .sealed import keys_hidden

KEPT_FOR = timedelta(minutes=10)
"""So old may be what is shown; it says when it was counted."""
USUAL = timedelta(days=30)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All figures of a time, as they were counted."""

    counted_at: datetime
    steps: Mapping[str, tuple[int, int, int]]
    """As `arrivals` has them."""
    tables: tuple[Table, ...]


def figures_of(since: datetime, until: datetime, *, closed: Collection[str], at: datetime) -> Figures:
    """The figures of [since, until), counted no longer ago than KEPT_FOR; `closed` clause groups are in no number."""
    name = _name(since, until, closed=closed)
    kept = kept_figures(name)
    if kept is None or not at - KEPT_FOR < kept[0] <= at:
        return count_anew(since, until, closed=closed, at=at)
    counted_at, found = kept
    return Figures(
        counted_at=counted_at, steps={step: tuple(counts) for step, counts in found["steps"].items()},
        tables=tuple(
            Table(**{**table, "heads": tuple(table["heads"]), "rows": tuple(map(tuple, table["rows"]))})
            for table in found["tables"]
        ),
    )  # fmt: skip


def count_anew(since: datetime, until: datetime, *, closed: Collection[str], at: datetime) -> Figures:
    """Count them, and keep what was counted."""
    with hiding(lambda: keys_hidden(closed, sealed=True)):
        steps, tables = arrivals(since, until), tables_of(since, until)
    found = {"steps": steps, "tables": [asdict(table) for table in tables]}
    keep_figures(_name(since, until, closed=closed), found, at=at)
    return Figures(counted_at=at, steps=steps, tables=tuple(tables))


def count_usual(*, closed: Collection[str], at: datetime) -> Figures:
    """Count anew what the overview and the wall show first."""
    return count_anew(*usual(at), closed=closed, at=at)


def usual(at: datetime) -> tuple[datetime, datetime]:
    """The last 30 days in UTC, the one under way among them."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - USUAL + timedelta(days=1), midnight + timedelta(days=1)


def _name(since: datetime, until: datetime, *, closed: Collection[str]) -> str:
    without = hashlib.sha256("\n".join(sorted(closed)).encode()).hexdigest()[:16]
    return f"{since.isoformat()} {until.isoformat()} {without}"


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
                (x.kind.value, x.written, x.sent, _seconds(x.half_took), _seconds(x.most_took))
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
