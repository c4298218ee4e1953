"""The desk's figures: counted anew by hand from what is on record, on the page, as files and by the API."""

import csv
import io
import json
import statistics
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from django.test import Client

from tipstaff.cases.queries import list_cases
from tipstaff.intake.models import ReportRow
from tipstaff.intake.queries import list_reports
from tipstaff.notices.queries import list_letters
from tipstaff.procedures.figures import (
    ACTED,
    GROUPS,
    KEPT_FOR,
    WAITING,
    arrivals,
    count_usual,
    figures_of,
    tables_of,
    usual,
)
from tipstaff.web.console.overview import _plain
from tipstaff.web.console.pictures import Layer, columns
from tipstaff.web.figures import document, figures
from tipstaff.words import Report, ReportOutcome, Role

LogIn = Callable[..., Client]


@pytest.fixture
def span(day: ModuleType, at: datetime) -> tuple[datetime, datetime]:
    midnight = at.replace(hour=0, minute=0)
    return midnight - timedelta(days=6), midnight + timedelta(days=1)


def table(name: str, span: tuple[datetime, datetime]) -> list[dict[str, object]]:
    found = next(x for x in tables_of(*span) if x.name == name)
    return [dict(zip(found.heads, row, strict=True)) for row in found.rows]


def counted() -> list[Report]:
    return [x for x in list_reports(limit=10_000) if x.outcome is not ReportOutcome.SEALED]


def test_each_report_is_counted_once_on_its_day_and_sealed_ones_nowhere(span: tuple[datetime, datetime]) -> None:
    everything = list_reports(limit=10_000)
    assert any(x.outcome is ReportOutcome.SEALED for x in everything)
    expected: dict[str, list[int]] = {}
    for report in counted():
        group = 0 if report.outcome in ACTED else 1 if report.outcome in WAITING else 2
        expected.setdefault(f"{report.received_at.astimezone(UTC):%m-%d}", [0, 0, 0])[group] += 1
    found = arrivals(*span)
    assert {name: list(counts) for name, counts in found.items() if any(counts)} == expected
    assert len(found) == 7
    assert sum(map(sum, found.values())) == len(everything) - 1


def test_sources_add_up_to_all_reports(span: tuple[datetime, datetime]) -> None:
    expected: Counter[str] = Counter()
    for report in counted():
        address = (report.reading.reporter.address if report.reading else "") or report.sender
        domain = address.rpartition("@")[2].lower()
        expected[domain] += 1
    rows = table("sources", span)
    assert {row["source"]: row["reports"] for row in rows} == dict(expected)
    for row in rows:
        parts = ("told to a customer", "open with us", "asked for more", "not upheld", "told before", "not ours")
        assert sum(int(str(row[part])) for part in (*parts, "no complaint")) == row["reports"]


def test_clauses_say_how_many_and_how_long(span: tuple[datetime, datetime]) -> None:
    cases = [x for x in list_cases(limit=1000) if span[0] <= x.opened_at < span[1]]
    assert cases
    rows = {row["clause"]: row for row in table("clauses", span)}
    assert {clause: row["opened"] for clause, row in rows.items()} == Counter(x.clause for x in cases)
    for clause, row in rows.items():
        took = [(x.closed_at - x.opened_at).total_seconds() for x in cases if x.clause == clause and x.closed_at]
        assert row["open"] == sum(x.clause == clause and x.closed_at is None for x in cases)
        assert row["half took"] == (pytest.approx(statistics.median(took), abs=0.1) if took else None)
    assert sum(int(str(row["cases"])) for row in table("classes", span)) == len(cases)
    assert sum(int(str(row["opened"])) for row in table("months", span)) == len(cases)


def test_letters_say_how_fast_they_left(span: tuple[datetime, datetime]) -> None:
    letters = [x for x in list_letters(limit=1000) if span[0] <= x.created_at < span[1]]
    assert letters
    assert sum(int(str(row["written"])) for row in table("letters", span)) == len(letters)
    assert sum(int(str(row["sent"])) for row in table("letters", span)) == sum(x.sent_at is not None for x in letters)


def test_a_long_time_is_shown_by_month(span: tuple[datetime, datetime]) -> None:
    found = arrivals(span[1] - timedelta(days=400), span[1])
    assert all(len(name) == len("2026-05") for name in found)
    assert next(iter(found)) == f"{span[1] - timedelta(days=400):%Y-%m}"
    assert list(found)[-1] == f"{span[1]:%Y-%m}"
    assert sum(map(sum, found.values())) == len(counted())


def test_the_page_shows_them_and_gives_them_as_files(span: tuple[datetime, datetime], log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    page = client.get("/console/overview").content.decode()
    assert "What came" in page
    assert f"{len(counted())} complaints" in page
    ET.fromstring(client.get("/console/overview?as=svg").content.decode())
    answer = client.get("/console/overview?as=csv&table=sources")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert sum(int(row["reports"]) for row in rows) == len(counted())
    assert json.loads(client.get("/console/overview?as=json").content)["clauses"]
    assert client.get("/console/overview?as=csv&table=secrets").status_code == 404
    assert client.get("/console/overview?from=2026-99-01").status_code == 400
    assert client.get("/console/overview?from=2026-05-05&to=2026-05-01").status_code == 400


def test_a_wall_asks_again_by_itself(span: tuple[datetime, datetime], log_in: LogIn) -> None:
    answer = log_in(Role.ANALYST).get("/console/wall")
    assert int(answer["Refresh"]) > 0
    assert "waiting for a person" in answer.content.decode()


def test_a_program_gets_the_same(span: tuple[datetime, datetime], log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    asked = f"from={span[0]:%Y-%m-%d}&to={span[1] - timedelta(days=1):%Y-%m-%d}"
    answer = client.get(f"/api/figures?{asked}")
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(document(figures(*span), since=span[0], until=span[1])))
    assert client.get("/api/figures?from=2026-05-05&to=2026-05-01").status_code == 422
    for no_day in ("6.33e-220", "0", "-1e3", "2026-05-05T00:00:00Z"):
        assert client.get(f"/api/figures?from={no_day}").status_code == 422, no_day
    assert Client().get("/api/figures").status_code == 401


def test_what_is_shown_was_counted_minutes_ago_and_is_what_counting_finds(span: tuple[datetime, datetime]) -> None:
    at = span[1] - timedelta(hours=12)
    first = count_usual(closed=(), at=at)
    assert (first.steps, list(first.tables)) == (arrivals(*usual(at)), tables_of(*usual(at))), "sealed ones are in none"
    kept = figures_of(*usual(at), closed=(), at=at + KEPT_FOR - timedelta(seconds=1))
    assert kept == first
    assert figures_of(*usual(at), closed=("mail",), at=at).counted_at == at, "counted apart"
    ReportRow.objects.filter(key=counted()[0].key).update(received_at=span[1] - timedelta(days=40))
    assert figures_of(*usual(at), closed=(), at=at + timedelta(minutes=9)) == first
    later = figures_of(*usual(at), closed=(), at=at + KEPT_FOR)
    assert later.counted_at == at + KEPT_FOR
    assert sum(map(sum, later.steps.values())) == sum(map(sum, first.steps.values())) - 1
    assert later.steps == arrivals(*usual(at))


def test_a_spreadsheet_runs_nothing_that_a_reporter_named() -> None:
    assert _plain(("=cmd()", "@x", 3, None, "example.org")) == ["'=cmd()", "'@x", 3, "", "example.org"]


def test_columns_are_as_tall_as_their_numbers() -> None:
    layers = [Layer(label=name, colour="#3f74d8") for name in GROUPS]
    drawn = ET.fromstring(str(columns({"05-01": (4, 0, 4), "05-02": (0, 0, 0)}, layers, title="Two days", alone=True)))
    heights = [x.get("height", "") for x in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    assert heights.count("95.0") == 2
    assert "4 told to a customer" in str(columns({"05-01": (4, 0, 4)}, layers, title="One day"))
