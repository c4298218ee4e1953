"""The example operator's CSV files, which the documentation shows, are those that the registry takes in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tipstaff.registry.imports import read_sheet
from tipstaff.testing.story import customers, holdings, services, sites
from tipstaff.testing.story.sheets import sheets

DAY = datetime(2026, 3, 2, tzinfo=UTC)
FOLDER = Path(__file__).parents[3] / "docs" / "operate" / "example"
SHEETS = sheets(DAY)


@pytest.mark.parametrize("name", SHEETS)
def test_the_file_in_the_documentation_is_the_example_operators(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == SHEETS[name]


@pytest.mark.parametrize("name", SHEETS)
def test_the_registry_understands_every_row(name: str) -> None:
    sheet = read_sheet(SHEETS[name].splitlines(keepends=True), source_name=name)
    assert not sheet.refused
    assert f"{sheet.kind}.csv" == name


def test_nothing_is_lost_on_the_way_through_a_file() -> None:
    read = {
        name: [line.value for line in read_sheet(text.splitlines(keepends=True), source_name=name).lines]
        for name, text in SHEETS.items()
    }
    assert sorted(read["customers.csv"], key=lambda customer: customer.key) == list(customers())  # type: ignore[union-attr]
    assert read["services.csv"] == list(services())
    assert read["sites.csv"] == list(sites(DAY))
    assert len(read["holdings.csv"]) == len(holdings(DAY))
