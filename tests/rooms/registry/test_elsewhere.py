"""Who likely holds what is not ours: a search in a sorted file, held against reading all of it."""

import os
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.registry.elsewhere import NotATable, announcer_of, check_table
from tipstaff.words import Announcer

AS_OF = datetime(2026, 3, 9, 4, tzinfo=UTC)
V4, V6 = int(IPv4Address("198.51.100.0")), int(IPv6Address("2001:db8::"))
Row = tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address, int]


def written(folder: Path, rows: list[Row], *, end: str = "\n", last: str = "\n") -> Path:
    table = folder / "announcements.tsv"
    lines = [f"{first}\t{until}\t{number}\tSE\tEXAMPLE-{number}" for first, until, number in rows]
    table.write_bytes((end.join(lines) + (last if lines else "")).encode())
    os.utime(table, (AS_OF.timestamp(), AS_OF.timestamp()))
    return table


def read_through(address: IPv4Address | IPv6Address, rows: list[Row]) -> int | None:
    for first, until, number in rows:
        if first.version == address.version and int(first) <= int(address) <= int(until):
            return number or None
    return None


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Ranges that do not overlap, in their order, some next to each other."""
    rows: list[Row] = []
    for kind, base in ((IPv4Address, V4), (IPv6Address, V6)):
        at = base
        for gap, size in draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12)):
            first, at = at + gap, at + gap + size
            rows.append((kind(first), kind(at - 1), draw(st.sampled_from([0, 64496, 64497, 4200000000]))))
    return rows


@given(rows=tables(), offset=st.integers(0, 100), six=st.booleans(), end=st.sampled_from(["\n", "\r\n"]),
       last=st.sampled_from(["\n", ""]))  # fmt: skip
def test_the_search_finds_what_reading_all_of_it_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], offset: int, six: bool, end: str, last: str
) -> None:
    table = written(tmp_path_factory.mktemp("table"), rows, end=end, last=last)
    address = IPv6Address(V6 + offset) if six else IPv4Address(V4 + offset)
    found = announcer_of(address, table)
    assert (found.number if found else None) == read_through(address, rows)


@given(rows=tables().flatmap(st.permutations), offset=st.integers(0, 60))
def test_a_table_out_of_order_names_nobody_else(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], offset: int
) -> None:
    address = IPv4Address(V4 + offset)
    found = announcer_of(address, written(tmp_path_factory.mktemp("table"), rows))
    assert found is None or found.number == read_through(address, rows)


def test_the_answer_says_whose_word_it_is_and_of_when(tmp_path: Path) -> None:
    rows: list[Row] = [(ip_address("198.51.100.0"), ip_address("198.51.100.255"), 64500)]
    found = announcer_of(ip_address("198.51.100.9"), written(tmp_path, rows))
    assert found == Announcer(64500, "SE", "EXAMPLE-64500", date(2026, 3, 9))


@pytest.mark.parametrize("line", ["198.51.100.0,198.51.100.255,64500,SE,X", "a\tb\tc\td\te", "\x00\xff" * 700])
def test_a_file_of_another_form_is_refused_and_not_guessed_at(tmp_path: Path, line: str) -> None:
    table = tmp_path / "other"
    table.write_text(line + "\n", encoding="latin-1")
    with pytest.raises(NotATable, match="tabs between"):
        check_table(table)
    with pytest.raises(NotATable, match="tabs between"):
        announcer_of(ip_address("198.51.100.9"), table)


def test_an_empty_table_knows_nobody(tmp_path: Path) -> None:
    table = written(tmp_path, [])
    check_table(table)
    assert announcer_of(ip_address("198.51.100.9"), table) is None
