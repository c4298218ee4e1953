import json

import pytest
from typer.testing import CliRunner

from tipstaff.cli.registry import app
from tipstaff.registry import queries

from .conftest import day, hold

pytestmark = pytest.mark.usefixtures("operator")


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})
    assert result.exit_code == exit_code, result.output
    return result.output


def test_who_names_the_holder_and_shows_the_rows():
    hold("198.51.100.7/32", "acct-1", service="svc-1-1")
    shown = run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z")
    assert shown.startswith("CONFIRMED: acct-1, service svc-1-1\nOne holder over the whole window.\n")
    assert "Asked of 2026-02-01 11:59:59 to 2026-02-01 12:00:01 UTC." in shown
    assert "198.51.100.0/24" in shown
    assert "198.51.100.7/32" in shown


def test_who_names_nobody_for_a_shared_address_without_a_port():
    hold("198.51.100.7/32", "acct-1", port_first=1024, port_last=2047)
    hold("198.51.100.7/32", "acct-2", port_first=2048, port_last=3071)
    shown = run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z")
    assert shown.startswith("AMBIGUOUS: nobody is named\nSeveral share this address;")
    answer = json.loads(run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z", "--port", "2048", "--json"))
    assert (answer["grade"], answer["customer"], answer["reason"]) == ("confirmed", "acct-2", "ONE_HOLDER")
    assert answer["proof"][-1]["port_first"] == 2048


def test_who_says_what_is_wrong_with_a_question():
    assert "is not an IPv4 or IPv6 address" in run("who", "198.51.100.999", exit_code=2)
    assert "is not a time" in run("who", "198.51.100.7", "--at", "noon", exit_code=2)


def test_import_shows_a_preview_then_takes_the_file_in(tmp_path):
    file = tmp_path / "holdings.csv"
    file.write_text("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-1\n")
    shown = run("import", "--dry-run", str(file))
    assert "  new: 198.51.100.7 for acct-1 from 2026-01-01 00:00 UTC (holdings.csv:2)" in shown
    assert "holdings.csv: would be 1 row of holdings: 1 new, 0 changed, 0 unchanged." in shown
    assert queries.holdings_of("acct-1", at=day(1)) == []
    assert run("import", str(file)) == "holdings.csv: 1 row of holdings: 1 new, 0 changed, 0 unchanged.\n"
    assert len(queries.holdings_of("acct-1", at=day(1))) == 1


def test_import_tells_bad_rows_by_line_and_fails(tmp_path):
    file = tmp_path / "holdings.csv"
    file.write_text("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-404\n")
    shown = run("import", str(file), exit_code=1)
    assert shown == (
        "holdings.csv:2: There is no customer acct-404.\nholdings.csv: nothing is taken in, because of 1 bad row.\n"
    )


def test_customers_are_listed():
    shown = run("customers", "acct-3")
    assert "acct-3" in shown
    assert "abuse@acct-3.example.net" in shown
    assert "acct-1" not in shown
    assert json.loads(run("customers", "acct-9", "--json"))["is_reseller"] is True
