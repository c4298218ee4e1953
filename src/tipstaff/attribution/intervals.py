"""Records become bindings: what belongs together is joined, what was superseded ends, clocks widen the edges.

Everything is whole columns; a record costs about half a microsecond. Joining is associative: records of one stretch
are joined first, and what came out of several stretches is joined again.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tipstaff.words import Ending

from .codes import ENDINGS, OPEN, STATION
from .protocol import ERROR, RECORD, Joins

SAME_START = 60_000_000
"""Records of one session whose beginnings differ by less than this many microseconds mean the same beginning."""

SUBJECT = ("version", "hi", "lo", "length", "port_first", "port_last", "protocol", "kind", "subject", "inside_version",
           "inside_hi", "inside_lo", "session", "remote")  # fmt: skip
PLACE = ("version", "hi", "lo", "length", "port_first", "protocol")
HEARD = "heard"
"""A column beside those of RECORD that joined records may have: the last instant of which a record of them spoke (of a
lease its last renewal); where it is left out, `seen`."""


def joined(records: pl.DataFrame, joins: Joins, *, look_seconds: float = 0.0) -> pl.DataFrame:
    """Records that say the same subscriber on the same address, as one each; in order of place and beginning.

    `records` has some columns of RECORD. `look_seconds` is the time between two looks of a sighting.
    """
    records = _with_offsets(records)
    if joins is Joins.ALONE or not records.height:
        return records
    # Only numbers are put in order; of all the columns no more than the first row of each is taken in the end.
    order = records.get_column("seen" if joins is Joins.SESSION else "since")
    rows = np.arange(len(order)) if order.is_sorted() else np.argsort(order.to_numpy(), kind="stable")
    # Between two renewals nobody else may have been given the place: who stands beside whom is asked of the place.
    rows, starts_key = _by_subject(records, rows, of_one_place=joins is Joins.LEASE)
    since, seen = (records.get_column(c).to_numpy()[rows] for c in ("since", "seen"))
    until = records.get_column("until").to_numpy()[rows] if "until" in records.columns else np.full(len(rows), OPEN)
    final = records.get_column("final").to_numpy()[rows] if "final" in records.columns else np.zeros(len(rows), bool)
    begun = records.get_column("begun").to_numpy()[rows] if "begun" in records.columns else np.ones(len(rows), bool)
    if joins is Joins.SESSION:
        _give_beginnings(since, begun, starts_key, final)
        again = by_beginning(since, starts_key)
        if again is not None:
            rows, since, seen, until, final, begun = (a[again] for a in (rows, since, seen, until, final, begun))
    before = np.empty_like(since)
    if joins is Joins.SESSION:
        before[1:] = since[:-1] + SAME_START
    elif joins is Joins.LEASE:
        before[1:] = np.where(final[:-1], since[:-1] - 1, until[:-1])
    else:
        before[1:] = seen[:-1] + int(look_seconds * 1e6)
    starts = starts_key.copy()
    starts[1:] |= since[1:] > before[1:]
    if joins is Joins.SESSION:
        # What says that it began after an end is another, however soon: a piece of a log may hold an end alone.
        starts[1:] |= final[:-1] & begun[1:] & (since[1:] > until[:-1])
    return _one_each(records, rows, starts, joins, since=since, seen=seen, until=until, final=final, begun=begun)


def by_beginning(since: np.ndarray, starts_key: np.ndarray) -> np.ndarray | None:
    """The order of beginning within each subscriber, of rows that are in order of having been seen; None where they are
    in both. Only the few subscribers of whom that is not so are put in order."""
    backwards = np.flatnonzero(~starts_key[1:] & (since[1:] < since[:-1])) + 1
    if not len(backwards):
        return None
    subscriber = np.cumsum(starts_key)
    few = np.zeros(int(subscriber[-1]) + 1, bool)
    few[subscriber[backwards]] = True
    mixed = np.flatnonzero(few[subscriber])
    order = np.arange(len(since))
    order[mixed] = mixed[np.lexsort((since[mixed], subscriber[mixed]))]
    return order


def _give_beginnings(since: np.ndarray, begun: np.ndarray, starts_key: np.ndarray, final: np.ndarray) -> None:
    """A record that does not say when its session began takes the latest beginning before it, if that has not ended."""
    if begun.all():
        return
    place = np.arange(len(since))
    last = np.maximum.accumulate(np.where(begun | starts_key, place, 0))
    ended = np.cumsum(final)
    ended_before = np.append(0, ended[:-1])
    can = ~begun & begun[last] & (ended_before == np.append(0, ended)[last])
    since[can] = since[last[can]]
    begun[can] = True


def _one_each(
    records: pl.DataFrame,
    rows: np.ndarray,
    starts: np.ndarray,
    joins: Joins,
    *,
    since: np.ndarray,
    seen: np.ndarray,
    until: np.ndarray,
    final: np.ndarray,
    begun: np.ndarray,
) -> pl.DataFrame:
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(starts)) - 1
    offsets = records.get_column("end_offset").to_numpy()[rows]
    if joins is Joins.SESSION:
        final_end = np.maximum.reduceat(np.where(final, until, np.iinfo(np.int64).min), first)
        seen_last = np.maximum.reduceat(seen, first)
        # Something was heard of it long after its Stop: then that Stop was not its end.
        ended = np.logical_or.reduceat(final, first) & (seen_last <= final_end + SAME_START)
        until_joined = np.where(ended, final_end, OPEN)
        closing = np.maximum.reduceat(np.where(seen == np.repeat(seen_last, last - first + 1), offsets, -1), first)
    else:
        seen_last = np.maximum.reduceat(seen, first) if joins is Joins.SIGHTING else seen[last]
        until_joined, ended, closing = until[last], final[last], offsets[last]
    more = {}
    if joins is Joins.LEASE:
        heard = records.get_column(HEARD).to_numpy()[rows] if HEARD in records.columns else since
        more[HEARD] = np.maximum.reduceat(heard, first)
    if ERROR in records.columns:
        more[ERROR] = np.maximum.reduceat(records.get_column(ERROR).to_numpy()[rows], first)
    return records[rows[first]].with_columns(
        *(pl.Series(name, values) for name, values in more.items()),
        pl.Series("since", np.minimum.reduceat(since, first)),
        pl.Series("seen", np.where(ended, np.minimum(seen_last, until_joined), seen_last)),
        pl.Series("until", until_joined),
        pl.Series("final", ended),
        pl.Series("begun", np.logical_or.reduceat(begun, first)),
        pl.Series("end_offset", closing),
    )


def longest_term(leases: pl.DataFrame) -> int:
    """For how long, in microseconds, a lease was given at most; those without end left out."""
    given = leases.filter(~pl.col("final") & (pl.col("until") < OPEN))
    return int(given.select((pl.col("until") - pl.col("since")).max()).item() or 0)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How wrong a source's instants may be, in microseconds, and how often it speaks of what lasts."""

    error: int
    interim: int | None = None


def bindings(
    records: pl.DataFrame, joins: Joins, *, clock: Clock, restarts: pl.DataFrame | None, covers_until: int | None,
    one_pool: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Joined records with the spans in which they are possible and sure, and how each end is known.

    ERROR, where `records` have it, is all by which they are to be widened, the clock's error included.

    Whoever is given the place ends the one who had it, but not one of whom something was heard later: both stand then.
    Nor does a session on another NAS, which may have the same pool; `one_pool` says that no two give out the same.
    Adds `possible_from`, `sure_from`, `sure_until`, `possible_until` (microseconds) and `ending`.
    """
    records = with_defaults(records).hstack([_said(records, HEARD, "seen"), _said(records, ERROR, clock.error)])
    if not records.height:
        return records.with_columns(
            *(pl.lit(None, pl.Int64).alias(c) for c in ("possible_from", "sure_from", "sure_until", "possible_until")),
            pl.lit(None, pl.UInt8).alias("ending"),
        )
    records, same_place = _by_place(records, by_nas=joins is Joins.SESSION and not one_pool)
    # Whoever logs in with a machine's address elsewhere shows that two have it, not that the one before has left.
    same_place &= records.get_column("version").to_numpy()[1:] != STATION
    since, error = (records.get_column(c).to_numpy() for c in ("since", ERROR))
    seen, until, final, begun = (records.get_column(c).to_numpy() for c in ("seen", "until", "final", "begun"))
    lease = joins is Joins.LEASE
    # The same clock told all: of its error no order is in doubt.
    doubt = np.maximum(error - clock.error, 0)
    # A lease that was released was sure until the last row before that; any other is, until its term is over.
    sure_end = np.where(final, seen if lease else until, until if lease or joins is Joins.ALONE else seen)
    end = until.copy()
    ending = np.where(
        final, ENDINGS.index(Ending.EXPLICIT), np.where(until < OPEN, ENDINGS.index(Ending.PROMISED), len(ENDINGS) - 1)
    )
    if joins is Joins.ALONE:
        ending = np.where(until < OPEN, ENDINGS.index(Ending.EXPLICIT), len(ENDINGS) - 1)
    if joins is Joins.SIGHTING:
        look = clock.interim or 0
        end = np.where(final, end, seen + look)
        ending = np.full(len(end), ENDINGS.index(Ending.INFERRED))
    elif clock.interim is not None and joins is Joins.SESSION and covers_until is not None:
        due = seen + clock.interim
        silent = ~final & (due + error < covers_until)
        end, ending = np.where(silent, due, end), np.where(silent, ENDINGS.index(Ending.INFERRED), ending)
    if restarts is not None and restarts.height:
        restarted = _next_restart(records, restarts, after=seen + doubt)
        cut = ~final & (restarted < end)
        end = np.where(cut, restarted, end)
        sure_end = np.where(cut, np.minimum(sure_end, restarted), sure_end)
        ending = np.where(cut, ENDINGS.index(Ending.SUPERSEDED), ending)
    if joins is not Joins.ALONE:
        # Whoever is given the address next ends the one before, unless that one's own end was seen.
        following = _following(since, records.get_column(HEARD).to_numpy(), doubt, same_place)
        cut = (~final | lease) & (following < end) & (joins is not Joins.SIGHTING)
        end = np.where(cut, following, end)
        sure_end = np.where(cut, np.minimum(sure_end, following), sure_end)
        ending = np.where(cut, ENDINGS.index(Ending.SUPERSEDED), ending)
    begins = since - (clock.interim or 0) if joins is Joins.SIGHTING else since
    # One whose beginning was never told is sure of nothing but what it was seen to be; a sighting that only says who
    # was possible is sure of nothing, whatever it is joined with later.
    sure_from = np.where(begun, since, seen) + error
    sure_until = np.where(sure_end == OPEN, OPEN, sure_end - error)
    if joins is Joins.SIGHTING:
        sure_from, sure_until = np.where(begun, sure_from, OPEN), np.where(begun, sure_until, 0)
    return records.with_columns(
        pl.Series("possible_from", begins - error),
        pl.Series("sure_from", sure_from),
        pl.Series("sure_until", sure_until),
        pl.Series("possible_until", np.where(end == OPEN, OPEN, np.minimum(end, OPEN - error) + error)),
        pl.Series("ending", ending.astype(np.uint8)),
    )


def _following(since: np.ndarray, heard: np.ndarray, doubt: np.ndarray, same_place: np.ndarray) -> np.ndarray:
    """For each row, in order of place and beginning, when the first one in its place began that came later than it and
    than all that was heard of it; OPEN where none did. At the same instant nobody can tell which of two came later, nor
    where either is in doubt."""
    after = np.maximum(heard, since + 1) + doubt
    following = np.full(len(since), OPEN)
    rows = np.flatnonzero(same_place)
    steps = 1
    while len(rows):
        later = since[rows + steps] - doubt[rows + steps] >= after[rows]
        following[rows[later]] = since[rows[later] + steps]
        rows = rows[~later]
        rows = rows[rows + steps < len(same_place)]
        rows = rows[same_place[rows + steps]]
        steps += 1
    return following


def _said(records: pl.DataFrame, name: str, default: str | int) -> pl.Series:
    """A column that records may have, or what stands for it."""
    if name in records.columns:
        return records.get_column(name)
    if isinstance(default, str):
        return _with_offsets(records).get_column(default).alias(name)
    return pl.Series(name, np.full(records.height, default))


def _by_place(records: pl.DataFrame, *, by_nas: bool) -> tuple[pl.DataFrame, np.ndarray]:
    """In order of place and then of beginning, and which rows lie in the same place as the next: the same port is
    another place where the connection is with somebody else, and with `by_nas` the same address on another NAS."""
    place = [c for c in PLACE if records.get_column(c).min() != records.get_column(c).max()]
    order = [records.get_column("since").to_numpy(), *(records.get_column(c).to_numpy() for c in reversed(place))]
    with_others = _tells(records.get_column("remote"))
    if with_others:
        order.insert(1, records.get_column("remote").hash().to_numpy())
    by_nas = by_nas and _tells(records.get_column("nas"))
    if by_nas:
        order.insert(1, records.get_column("nas").hash().to_numpy())
    records = records[np.lexsort(order)]
    same = np.ones(records.height - 1, bool)
    for column in place:
        values = records.get_column(column).to_numpy()
        same &= values[1:] == values[:-1]
    if with_others:
        # The one that is not known (null) is nobody's, and nobody has the port after it.
        remote = records.get_column("remote")
        same &= (remote[1:] == remote[:-1]).fill_null(value=False).to_numpy()
    if by_nas:
        nas = records.get_column("nas")
        same &= (nas[1:] == nas[:-1]).to_numpy()
    return records, same


def _next_restart(records: pl.DataFrame, restarts: pl.DataFrame, *, after: np.ndarray) -> np.ndarray:
    """For each record the first restart of its NAS after it was last seen."""
    left = records.select("nas", pl.Series("at", after)).with_row_index("_row").sort("at")
    right = restarts.select("nas", "at", pl.col("at").alias("restarted")).sort("at")
    found = left.join_asof(right, on="at", by="nas", strategy="forward", check_sortedness=False).sort("_row")
    return found.select(
        pl.when(pl.col("nas") != "").then(pl.col("restarted")).fill_null(OPEN)
    ).to_series().to_numpy()  # fmt: skip


def _with_offsets(records: pl.DataFrame) -> pl.DataFrame:
    missing = [c for c in ("end_offset", "seen") if c not in records.columns]
    stands = {"end_offset": "offset", "seen": "since"}
    return records.with_columns(pl.col(stands[c]).alias(c) for c in missing)


def with_defaults(records: pl.DataFrame) -> pl.DataFrame:
    """All columns of RECORD, in its order."""
    records = _with_offsets(records)
    return records.select(
        pl.col(name).cast(kind) if name in records.columns else pl.lit(value, kind).alias(name)
        for name, (kind, value) in RECORD.items()
    )


def _by_subject(records: pl.DataFrame, rows: np.ndarray, *, of_one_place: bool) -> tuple[np.ndarray, np.ndarray]:
    """`rows` with those of one subject together, in their order, and where each subject's first one is; `of_one_place`
    only those between which no other subject of the place stands.

    Subjects are told apart by a hash of 64 bits, and rows that it has put together are compared: where two subjects
    have met in one number, exact numbers are given. Columns that are missing are constant.
    """
    there = [c for c in SUBJECT if c in records.columns]
    there = [c for c in there if _tells(records.get_column(c))] or there[:1]
    places = ([c for c in PLACE if c in there] or ["lo"]) if of_one_place else there
    rows, starts = _put_together(records, rows, places)
    if places != there:
        starts |= _differ(records.select(c for c in there if c not in places), rows)
    return rows, starts


def _put_together(records: pl.DataFrame, rows: np.ndarray, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """`rows` with those that are alike in `columns` together, in their order, and where each first one is."""
    order, starts = _in_their_order(_hashed(records, columns)[rows])
    if (_differ(records.select(columns), rows[order]) & ~starts).any():
        order, starts = _in_their_order(records.select(pl.struct(columns).rank("dense")).to_series().to_numpy()[rows])
    return rows[order], starts


def _in_their_order(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order in which equal keys are together, in the order in which they came, and where the first of each is.

    NumPy sorts numbers many times as fast as it sorts stably: first the keys, then key and place as one number.
    """
    order = np.argsort(key)
    starts = np.append(True, key[order[1:]] != key[order[:-1]])[: len(key)]
    bits = max(len(key) - 1, 1).bit_length()
    assert 2 * bits < 64, "so many rows are never held"
    together = np.sort((np.cumsum(starts) - 1) << bits | order)
    return together & ((1 << bits) - 1), starts


def _tells(values: pl.Series) -> bool:
    """Whether it may tell two subjects apart: of numbers, if they are not all the same."""
    return values.dtype == pl.String or values.null_count() > 0 or values.min() != values.max()


def _hashed(records: pl.DataFrame, columns: list[str]) -> np.ndarray:
    return records.select(pl.struct(columns).hash()).to_series().to_numpy()


def _differ(records: pl.DataFrame, rows: np.ndarray) -> np.ndarray:
    """Whether each row differs from the one before it; the first one does."""
    differ = np.zeros(len(rows), bool)
    for column in records.iter_columns():
        values = column.gather(rows)
        differ[1:] |= values[1:].ne_missing(values[:-1]).to_numpy()
    differ[:1] = True
    return differ
