"""Times as logs write them: an hour that happens twice, one that never happens, and a second that few years have."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import micro
from tipstaff.attribution.reading import instants
from tipstaff.testing.sources import read
from tipstaff.wiring import sources

BERLIN = ZoneInfo("Europe/Berlin")
TURNED_BACK = datetime(2025, 10, 26, 1, tzinfo=UTC)
"""At this instant 03:00 became 02:00 again, so that 02:00 to 03:00 was there twice."""


def told(*texts: str, zone: ZoneInfo | None = None) -> list[int | None]:
    return instants(pl.DataFrame({"at": list(texts)}), "at", zone=zone).to_list()


def written(*at: datetime) -> list[str]:
    """As a log on a clock in Berlin writes them."""
    return [f"{one.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}" for one in at]


def test_a_leap_second_is_the_second_after_the_last_one_with_a_zone_or_without():
    midnight = micro(datetime(2017, 1, 1, tzinfo=UTC))
    assert told("2016-12-31T23:59:59Z", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z") == [
        midnight - 10**6, midnight, midnight,
    ]  # fmt: skip
    assert told("2017-01-01 00:59:60", "2016-12-31T18:59:60.5-05:00", zone=BERLIN) == [midnight, midnight + 500_000]


def test_an_hour_that_a_clock_leaves_out_is_no_time():
    assert told("2026-03-29 02:30:00", zone=BERLIN) == [None]
    assert None not in told("2026-03-29 01:59:59", "2026-03-29 03:00:00", zone=BERLIN)


def test_an_hour_that_happens_twice_is_told_apart_by_the_order_of_the_lines_and_refused_without():
    minutes = (-70, -50, -10, 5, 50, 70)
    at = [TURNED_BACK + timedelta(minutes=m) for m in minutes]
    assert told(*written(*at), zone=BERLIN) == [micro(one) for one in at]
    assert told(*written(*at[:2]), zone=BERLIN) == [micro(at[0]), None], "it may be the one or the other"
    assert told(*written(at[1]), zone=None) == [None]


@given(st.lists(st.integers(-7200, 7199), min_size=1, max_size=30, unique=True))
def test_a_log_in_order_is_never_read_an_hour_off(seconds):
    at = [TURNED_BACK + timedelta(seconds=s) for s in sorted(seconds)]
    found = told(*written(*at), zone=BERLIN)
    assert all(got in (None, micro(one)) for got, one in zip(found, at, strict=True))


@pytest.mark.parametrize("whole", [True, False])
def test_whoever_had_the_address_in_the_one_hour_is_not_taken_for_who_had_it_in_the_other(whole):
    """Alice had it from 02:10 to 02:50, the clock went back, and Bob had it from 02:05 to 02:40."""
    alice, bob = (TURNED_BACK + timedelta(minutes=m) for m in (-50, 5))
    rows = [("Start", "alice", alice), ("Stop", "alice", alice + timedelta(minutes=40))]
    rows += [("Start", "bob", bob), ("Stop", "bob", bob + timedelta(minutes=35))]
    lines = [f"{written(at)[0]},{status},{user},198.51.100.7\n" for status, user, at in rows]
    header = "timestamp,acct_status_type,user_name,framed_ip_address\n"
    options = Options(source="radius", zone=BERLIN)
    pieces = ["".join(lines)] if whole else lines
    parsed = [read(sources()["radius-csv"], (header + piece).encode(), options) for piece in pieces]
    found = {(r["subject"], r["since"]) for p in parsed for r in p.records.iter_rows(named=True)}
    refused = sum(p.refused_total for p in parsed)
    if whole:
        assert ({("alice", micro(alice)), ("bob", micro(bob))} <= found, refused) == (True, 0)
    else:
        # Line by line nothing shows which hour it was: each is in doubt by as much, and counts for no hour.
        assert refused == 0
        for p, (_, user, at) in zip(parsed, rows, strict=True):
            (row,) = p.records.iter_rows(named=True)
            assert row["subject"] == user
            assert abs(row["since"] - micro(at)) == row["error"] == 1800 * 1_000_000
