"""Records of one subscriber on one address are joined, and of two never, whatever their hashes are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.attribution import intervals
from tipstaff.attribution.intervals import SAME_START, by_beginning, joined
from tipstaff.attribution.protocol import OPEN, Joins

HALF_A_MINUTE = 30_000_000
LOOK_SECONDS = 100.0


def records(seed: int, *, ordered: bool) -> pl.DataFrame:
    """Few addresses, subscribers and sessions, so that all of them meet; some subjects are not known."""
    dice = np.random.default_rng(seed)
    number = int(dice.integers(1, 60))
    since = dice.integers(0, 40, number) * HALF_A_MINUTE
    seen = since + dice.integers(0, 20, number) * HALF_A_MINUTE
    final = dice.random(number) < 0.3
    subjects = [("alice", "bob", None)[n] for n in dice.integers(0, 3, number)]
    found = pl.DataFrame({
        "offset": np.arange(number) * 10, "version": pl.Series(np.full(number, 4, np.uint8)),
        "lo": dice.integers(0, 3, number).astype(np.uint64), "since": since, "seen": seen,
        "until": np.where(final, seen, OPEN), "final": final, "begun": dice.random(number) < 0.7,
        "session": pl.Series([str(n) for n in dice.integers(0, 2, number)]),
        "subject": pl.Series(subjects, dtype=pl.String),
    })  # fmt: skip
    return found.sort("seen") if ordered else found


def plain(frame: pl.DataFrame, joins: Joins) -> set[tuple]:
    """(subject, beginning, last seen) of each, one record after the other, of those that all state their beginning."""
    order = "seen" if joins is Joins.SESSION else "since"
    groups: dict[tuple, list[dict]] = {}
    for row in frame.sort(order, maintain_order=True).iter_rows(named=True):
        groups.setdefault((row["lo"], row["subject"], row["session"]), []).append(row)
    found = set()
    for who, rows in groups.items():
        last = None
        for row in sorted(rows, key=lambda r: (r["since"], r["seen"])) if joins is Joins.SESSION else rows:
            goes_on = last is not None and row["since"] <= (
                last["since"] + SAME_START if joins is Joins.SESSION else last["seen"] + LOOK_SECONDS * 1e6
            )
            last = row
            if goes_on:
                begun, seen = max(x for x in found if x[0] == who)[1:]
                found.discard((who, begun, seen))
                found.add((who, begun, max(seen, row["seen"])))
            else:
                found.add((who, row["since"], row["seen"]))
    return found


@pytest.mark.parametrize("joins", [Joins.SESSION, Joins.SIGHTING])
@pytest.mark.parametrize("seed", range(40))
def test_what_is_joined_is_what_a_plain_loop_joins(joins, seed):
    frame = records(seed, ordered=bool(seed % 2)).with_columns(begun=pl.lit(True), final=pl.lit(False), until=OPEN)
    told = joined(frame, joins, look_seconds=LOOK_SECONDS)
    rows = told.select("lo", "subject", "session", "since", "seen").iter_rows()
    assert {((lo, subject, session), since, seen) for lo, subject, session, since, seen in rows} == plain(frame, joins)
    assert told.height == len(plain(frame, joins))


def test_one_that_began_after_an_end_is_another_however_soon():
    """A piece of a NAT's log that holds a release alone, and the same block given to the same one at once."""
    said = pl.DataFrame({
        "offset": pl.Series([10, 20], dtype=pl.Int64), "lo": pl.Series([1, 1], dtype=pl.UInt64),
        "subject": "alice", "since": [0, 4_000_000], "seen": [0, 4_000_000], "until": [0, OPEN],
        "final": [True, False], "begun": [False, True],
    })  # fmt: skip
    assert joined(said, Joins.SESSION).select("since", "until").rows() == [(0, 0), (4_000_000, OPEN)]
    long_ago = -4 * HALF_A_MINUTE
    first = said.tail(1).with_columns(pl.lit(long_ago, pl.Int64).alias(c) for c in ("since", "seen", "offset"))
    whole = joined(pl.concat([first, joined(said, Joins.SESSION).select(first.columns)]), Joins.SESSION)
    assert whole.select("since", "until").rows() == [(long_ago, 0), (4_000_000, OPEN)]


@pytest.mark.parametrize("joins", list(Joins))
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_subjects_whose_hashes_meet_are_still_told_apart(joins, kept, monkeypatch):
    hashed = intervals._hashed
    for seed in range(30):
        frame = records(seed, ordered=bool(seed % 2))
        told = joined(frame, joins, look_seconds=LOOK_SECONDS)
        with monkeypatch.context() as patch:
            patch.setattr(intervals, "_hashed", lambda frame, columns: hashed(frame, columns) % np.uint64(kept))
            met = joined(frame, joins, look_seconds=LOOK_SECONDS)
        assert met.sort("offset").equals(told.sort("offset")), seed


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=14))
def test_what_is_out_of_order_is_put_in_the_order_of_beginning_and_of_being_seen(rows):
    """`rows` are (subscriber, beginning), in the order in which they were seen."""
    rows = sorted(rows, key=lambda row: row[0])
    subscriber, since = (np.array([row[i] for row in rows]) for i in (0, 1))
    starts = np.append(True, subscriber[1:] != subscriber[:-1])
    order = by_beginning(since, starts)
    wanted = np.lexsort((np.arange(len(rows)), since, subscriber))
    assert np.array_equal(np.arange(len(rows)) if order is None else order, wanted)
