"""What commands say where there is nothing, or where something else was meant."""

from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from tipstaff.cli import explain, letters, registry_files, trace
from tipstaff.cli import record as record_commands
from tipstaff.config import Config
from tipstaff.ledger.operations import record
from tipstaff.policy.explain import Audience
from tipstaff.words import ImportPreview

AT = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def on_the_tests_database(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trace, letters, explain):
        monkeypatch.setattr(module, "database", lambda: nullcontext(Config()))


@pytest.mark.parametrize("typed", ["C-000064", "c-000064", "C-64", " c-64 ", "C-0064"])
def test_a_case_is_found_however_its_key_is_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    record("case.opened", at=AT, actor="worker", about=["C-000064"])
    trace.trace(typed)
    assert "case.opened" in capsys.readouterr().out


def test_keys_of_every_kind_are_written_in_full() -> None:
    assert [trace.in_full(x) for x in ("ad-04", "ch-12", "r-1234567", "A" * 64, "acct-1", "edition 2026-01")] == [
        "AD-4", "CH-12", "R-1234567", "a" * 64, "acct-1", "edition 2026-01",
    ]  # fmt: skip


def test_a_customers_key_counts_as_it_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    record("customer.added", at=AT, actor="ana", about=["c-7"])
    trace.trace("c-7")
    assert "customer.added" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("192.0.2.10", "`tipstaff registry who`"),
        ("2001:db8::/64", "`tipstaff registry who`"),
        ("C-999999", "an admission AD-4, a change CH-12, a customer's key"),
    ],
)
def test_what_is_not_found_is_answered_with_what_could_be(
    key: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        trace.trace(key)
    told = capsys.readouterr().err
    assert f"nothing in the record is about {key!r}" in told
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (Audience.CUSTOMER, "'R-000123' is not a case, C-000123. A customer is told of cases."),
        (
            Audience.COURT,
            "'R-000123' is not a case or a report on record, nor a sighting: C-000123, R-000123, S-000123.",
        ),
    ],
)
def test_reasons_are_asked_of_what_that_reader_is_told_of(
    to: Audience, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        explain.explain("r-123", to=to)
    assert capsys.readouterr().err == f"tipstaff: {said}\n"


def test_where_there_are_no_letters_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    letters.list_(state=None, case="", limit=100, as_json=False)
    assert capsys.readouterr().out == "No letters.\n"
    letters.list_(state=None, case="", limit=100, as_json=True)
    assert capsys.readouterr().out == "", "a program reads no sentence"


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_file_of_column_names_alone_is_said_to_have_no_row(dry_run: bool) -> None:
    preview = ImportPreview(source="customers.csv", kind="customers", rows=0)
    said = registry_files.import_in_words(preview, dry_run=dry_run)
    assert said == "customers.csv: there is no row of customers in it."


def test_what_is_no_backup_is_refused_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Not a backup, and long enough to be taken for a tar archive.\n" * 50)
    with pytest.raises(typer.Exit) as end:
        record_commands.restore(file, yes=True)
    assert end.value.exit_code == 1
    assert capsys.readouterr().err == (f"tipstaff: {file} is no backup; name a file that `tipstaff backup` wrote.\n")
