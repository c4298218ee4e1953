"""The overview and the wall: the desk's figures to read, and to take along.

Each table can be had as CSV, the picture as SVG and everything as JSON.
"""

import csv
import io
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.procedures.figures import GROUPS, Table, usual

from ..asked import asked_day
from ..figures import document, figures
from ..roles import Ability, StaffRequest, abilities_of, needs
from . import reads
from .page import show_console
from .pictures import AFTER, BEFORE, WAITS, Layer, columns

LAYERS = tuple(Layer(label=name, colour=colour) for name, colour in zip(GROUPS, (AFTER, WAITS, BEFORE), strict=True))
NARROW_MAX = 3
"""Tables of so few columns stand beside the picture."""
WALL_SECONDS = 30


@require_safe
@needs(Ability.SEE_DESK)
def overview(request: StaffRequest) -> HttpResponse:
    """A time's figures; `as=svg`, `as=csv&table=sources` and `as=json` give them as files."""
    at = wiring.now()
    first, end = usual(at)
    since = asked_day(request.GET, "from", otherwise=first)
    until = asked_day(request.GET, "to", otherwise=end - timedelta(days=1)) + timedelta(days=1)
    if since >= until:
        raise BadRequest("from must not be after to.")
    found = figures(since, until)
    steps = found.steps
    kind = request.GET.get("as", "")
    if kind == "svg":
        drawn = columns(steps, LAYERS, title=_title(since, until), alone=True)
        return HttpResponse(drawn, content_type="image/svg+xml", headers=_as_file("reports.svg"))
    tables = {table.name: table for table in found.tables}
    if kind == "csv":
        if request.GET.get("table", "") not in tables:
            raise Http404(f"there is no table {request.GET.get('table', '')[:40]}; there are {', '.join(tables)}")
        return _csv(tables[request.GET["table"]])
    if kind == "json":
        return JsonResponse(document(found, since=since, until=until), headers=_as_file("overview.json"))
    asked = f"from={since:%Y-%m-%d}&to={until - timedelta(days=1):%Y-%m-%d}"
    return show_console(
        request, "tipstaff/console/overview.html", here="console:overview", at=at, numbers=reads.numbers(at),
        since=since, last=until - timedelta(days=1), picture=columns(steps, LAYERS, title=_title(since, until)),
        steps=[(name, *counts) for name, counts in steps.items()], layers=LAYERS,
        tables=[x for x in tables.values() if len(x.heads) > NARROW_MAX],
        narrow=[x for x in tables.values() if len(x.heads) <= NARROW_MAX],
        counted_at=found.counted_at, asked=asked, total=sum(map(sum, steps.values())),
    )  # fmt: skip


@require_safe
@needs(Ability.SEE_DESK)
def wall(request: StaffRequest) -> HttpResponse:
    """Figures to read from across the room; the browser asks again by itself, without any script."""
    at = wiring.now()
    found = figures(*usual(at))
    numbers, troubled = reads.numbers(at), reads.count_troubled_letters()
    legal = Ability.KEEP_LEGAL in abilities_of(request.user)
    tiles = [
        ("waiting for a person", numbers.waiting, bool(numbers.waiting)),
        ("overdue", numbers.overdue, bool(numbers.overdue)),
        ("open cases", numbers.open, False),
        ("measures in force", numbers.in_force, False),
        ("complaints today", numbers.today, False),
        ("letters in trouble", troubled, bool(troubled)),
        ("clocks of ours late", late := reads.late_clocks(legal=legal), bool(late)),
    ]
    answer = show_console(
        request, "tipstaff/console/wall.html", here="console:overview", at=at, tiles=tiles,
        counted_at=found.counted_at, picture=columns(found.steps, LAYERS, title="Complaints a day, the last 30 days"),
    )  # fmt: skip
    answer["Refresh"] = str(WALL_SECONDS)
    return answer


def _title(since: datetime, until: datetime) -> str:
    return f"Complaints from {since:%Y-%m-%d} to {until - timedelta(days=1):%Y-%m-%d}"


def _csv(table: Table) -> HttpResponse:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([f"{head} seconds" if head.endswith(" took") else head for head in table.heads])
    writer.writerows(_plain(row) for row in table.rows)
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8", headers=_as_file(f"{table.name}.csv"))


def _plain(row: Sequence[str | int | float | None]) -> list[str | int | float]:
    """A cell that a spreadsheet would run as a formula is marked as text: a source's name comes from outside."""
    return ["" if x is None else f"'{x}" if isinstance(x, str) and x[:1] in "=+-@\t\r" else x for x in row]


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
