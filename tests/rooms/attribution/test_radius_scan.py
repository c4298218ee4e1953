"""The fast reader of detail files finds exactly what the plain one finds, and leaves to it what it has not seen."""

import random
from ipaddress import IPv4Address
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import tipstaff.attribution.sources.radius as radius
from tipstaff.attribution.protocol import Options, Stretch
from tipstaff.attribution.sources.radius import scan

SAMPLE = (Path(radius.__file__).parent / "samples" / "detail.log").read_bytes()
NUMBERS = ("lasted", "delay", "arrived")
HEADS = ("Tue Mar 10 12:00:00 2026\n", "x\n", "\n", " \n", "User-Name = a\n")
ODD = ("user-name", "User_Name", "Acct-Session-ID", "NAS_IP-Address", "Timestamp ", "Framed-IP-Netmask", "Timestampx")
VALUES = ("Start", "Stop", '"alice"', '"al = ice"', "192.0.2.1", "7", "007", "1772323200", '" 12 "', "", '"', "x" * 70,
          '"Ünal"', "2001:db8::/56", "-5", "1.5", "12345678901", "\x1f", "a\rb")  # fmt: skip


def plainly(data: bytes, offset: int = 0) -> pl.DataFrame:
    frame = radius.records_of_detail(Stretch(data, offset))
    return frame.drop("record").select("offset", *radius.WANTED.values())


def compare(data: bytes, offset: int = 0) -> bool:
    """Whether the fast reader took it; then it is equal, numbers as the plain one's text means them."""
    fast = radius.SCANNER.records(data, offset)
    if fast is None:
        return False
    slow = plainly(data, offset)
    for column in NUMBERS:
        if fast.schema[column] == pl.Int64:
            assert slow.get_column(column).drop_nulls().str.contains(r"^\d{1,10}$").all()
            slow = slow.with_columns(pl.col(column).cast(pl.Int64))
    if fast.schema["framed4"] == pl.UInt32:
        numbers = [None if text is None else int(IPv4Address(text)) for text in slow.get_column("framed4")]
        slow = slow.with_columns(pl.Series("framed4", numbers, pl.UInt32))
    assert_frame_equal(fast, slow)
    return True


@st.composite
def details(draw: st.DrawFn) -> bytes:
    spelt = (
        st.sampled_from((*radius.NAMES, *radius.NAMES, *ODD)) if draw(st.booleans()) else st.sampled_from(radius.NAMES)
    )
    values = st.sampled_from(VALUES if draw(st.booleans()) else VALUES[:12])
    line = st.tuples(spelt, st.sampled_from((" = ",) * 9 + ("=", "")), values).map("\t{0[0]}{0[1]}{0[2]}\n".format)
    text = "".join(draw(st.lists(st.one_of(line, line, line, line, st.sampled_from(HEADS)), max_size=40)))
    return (
        draw(st.sampled_from((HEADS[0], HEADS[0], "", "\n"))) + text + draw(st.sampled_from(("", "\n", "\tUs")))
    ).encode()


@given(details(), st.sampled_from((64, 500, scan.BLOCK)))
@settings(max_examples=400, deadline=None)
def test_both_readers_find_the_same(data, block):
    usual, scan.BLOCK = scan.BLOCK, block
    try:
        if data:
            compare(data, 1000)
    finally:
        scan.BLOCK = usual


def test_what_freeradius_writes_is_read_fast():
    assert compare(SAMPLE)
    dice = random.Random(1)
    pieces = [p + b"\n\n" for p in SAMPLE.split(b"\n\n") if p.strip()]
    many = b"".join(dice.choice(pieces) for _ in range(30_000))
    assert len(many) > scan.BLOCK, "more than one block"
    assert compare(many, 77)


@pytest.mark.parametrize("odd", ["\tuser-name = \"x\"\n", "\tUser_Name = x\n", "\tUser-Name\n", "\tUser-Name = a\rb\n",
                                 "\tUser-Name = a\x1fb\n", "\tUser-Name = \0\n"])  # fmt: skip
def test_what_it_has_not_seen_goes_to_the_plain_reader(odd):
    assert radius.SCANNER.records(SAMPLE + b"Tue Mar 10 12:00:00 2026\n" + odd.encode(), 0) is None


def test_bytes_that_are_no_text_go_to_the_plain_reader():
    assert radius.SCANNER.records(SAMPLE.replace(b"alice", b"al\xffce"), 0) is None


@given(details())
@settings(max_examples=100, deadline=None)
def test_the_records_of_the_source_are_the_same_either_way(data):
    source, options = radius.Detail(), Options(source="r")
    if radius.SCANNER.records(data, 0) is None or not data:
        return
    fast = source.read(Stretch(data, 0), options)
    slow = radius._parsed(radius.records_of_detail(Stretch(data, 0)), options)
    assert_frame_equal(fast.records, slow.records)
    assert (fast.refused, fast.refused_total, fast.count, fast.covers) == (
        slow.refused, slow.refused_total, slow.count, slow.covers
    )  # fmt: skip
