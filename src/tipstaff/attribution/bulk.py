"""A book of everything that the database knows: holdings, bindings and subscribers as arrays.

It takes a few seconds and about 150 bytes a row, and then answers hundreds of thousands of questions a second. It is
the database of the moment in which it was read.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import numpy as np
import polars as pl
from django.db import connection

from tipstaff.words import Attribution, Binding, Ending, Gap, Holding, HoldingKind, Identity, Tier

from .book import TIERS, Address, Alone, Book, neighbourhood
from .codes import CIRCUIT, ENDINGS, KINDS, MAC, OPEN
from .covers import holes, with_lasting
from .flow_parts import extent
from .match import GIVEN_OUT
from .queries import binding_of, instant, micro
from .reading import machines, prefixes
from .snapshot import NOBODY, Bound, Gaps, Held, Known, Snapshot, Stretches

_BOUND = """
COPY (
    SELECT source_id, load_id, byte_offset, realm, version, length, hi, lo, port_first, port_last, protocol,
        possible_from, sure_from, sure_until, possible_until, ending, strong::int AS strong,
        momentary::int AS momentary, kind, subject, inside_realm, inside_version, inside_hi, inside_lo, heard
    FROM attribution_bindingrow
) TO STDOUT (FORMAT csv, HEADER)
"""


_spoken_of = (
    pl.when(
        (pl.col("ending") == ENDINGS.index(Ending.PROMISED))
        | ((pl.col("ending") == ENDINGS.index(Ending.SUPERSEDED)) & pl.col("kind").is_in([MAC, CIRCUIT]))
    )
    .then(pl.coalesce("heard", "sure_from"))
    .otherwise(OPEN)
)
"""As `walk.spoken_of` says; OPEN where that is None."""


def bound_frame() -> pl.DataFrame:
    """All bindings, as the table has them."""
    return _frame(_BOUND, text=("subject",))


def flow_places() -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By IP version the stretches of places (`flow_files.place_of`) that flows in files speak of, apart and in order:
    their first and their last places."""
    found = {}
    for version in (4, 6):
        stretches: list[list[int]] = []
        for _, first, last in sorted(e for e in extent() if e[0] == version):
            if stretches and first <= stretches[-1][1]:
                stretches[-1][1] = max(stretches[-1][1], last)
            else:
                stretches.append([first, last])
        firsts, lasts = (np.array([s[i] for s in stretches], np.int64) for i in (0, 1))
        found[version] = firsts, lasts
    return found


def held_frame(csv: bytes) -> pl.DataFrame:
    """The registry's export of holdings, with addresses as numbers."""
    text = ("tier", "kind", "address", "customer", "service", "source")
    frame = read_csv(csv, text=text)
    return prefixes(frame.rename({"length": "bits", "version": "family"}), "address").with_columns(
        pl.col("bits").alias("length")
    )


def read_csv(csv: bytes, *, text: Sequence[str]) -> pl.DataFrame:
    """CSV of PostgreSQL; whole numbers but for the columns of text."""
    names = csv[: csv.index(b"\n")].decode().split(",")
    schema: dict[str, Any] = {n: pl.String if n in text else pl.Int64 for n in names}
    return pl.read_csv(csv, schema=schema)


def book_from(
    held: pl.DataFrame,
    bound: pl.DataFrame,
    known: pl.DataFrame,
    *,
    records_begin_at: datetime | None,
    alone: Alone | None = None,
    settled: Callable[[Attribution], Attribution] = lambda answer: answer,
) -> Book:
    """A book of frames. `known` has kind, subject, customer, service, reseller, since, until, sure_from, sure_until
    and source.

    `alone` answers what is about an address of which flows in files speak: they are not in the book.
    """
    by = ["kind", "subject", "source_id"]
    subjects = bound.select(by).unique(maintain_order=True).filter(pl.col("kind") > 0).with_row_index("code")
    bound = bound.join(subjects, on=by, how="left", maintain_order="left")
    bound = bound.with_columns(pl.when(pl.col("kind") == MAC).then(machines(pl.col("subject"))).alias("machine"))
    known = _by_source(known, subjects)
    names, coded = _coded(held, known)
    gap_frame, gaps_of, scopes = _gaps()
    snapshot = Snapshot(
        Held(
            key=_array(held, "id"),
            tier=held.get_column("tier").replace_strict([t.value for t in TIERS], [0, 1, 2]).to_numpy(),
            pool=(held.get_column("kind") == HoldingKind.POOL.value).to_numpy(),
            **{c: _array(held, c) for c in ("version", "hi", "lo", "length", "since", "port_first", "port_last")},
            until=_array(held, "until", none=OPEN),
            customer=coded[0],
            service=coded[1],
        ),
        Bound(
            **{c: _array(bound, c) for c in ("realm", "version", "length", "port_first", "port_last", "protocol",
               "possible_from", "sure_from", "sure_until", "possible_until", "ending", "inside_realm",
               "inside_version")},
            **{c: _array(bound, c).view(np.uint64) for c in ("hi", "lo", "inside_hi", "inside_lo")},
            heard=_array(bound.select(_spoken_of.alias("heard")), "heard"),
            strong=_array(bound, "strong").astype(bool),
            momentary=_array(bound, "momentary").astype(bool),
            subject=_array(bound, "code", none=NOBODY).astype(np.int64),
            machine=_array(bound, "machine", none=NOBODY).astype(np.int64),
        ),
        Known(
            subject=_array(known, "code").astype(np.int64),
            customer=coded[2],
            service=coded[3],
            reseller=coded[4],
            since=_array(known, "since", none=-OPEN),
            until=_array(known, "until", none=OPEN),
            sure_from=_array(known, "sure_from", none=-OPEN),
            sure_until=_array(known, "sure_until", none=OPEN),
        ),
        gap_frame,
        spoken=_spoken(bound, held, scopes),
        records_begin=None if records_begin_at is None else micro(records_begin_at),
    )  # fmt: skip
    return Book(
        snapshot=snapshot,
        names=names,
        holding=lru_cache(100_000)(lambda row: _holding(held.row(row, named=True))),
        binding=lru_cache(100_000)(_binding_maker(bound)),
        identity=lru_cache(100_000)(lambda row: _identity(known.row(row, named=True))),
        gaps=gaps_of,
        records_begin_at=records_begin_at,
        flow_places=flow_places() if alone else {},
        alone=alone,
        settled=settled,
    )


def _by_source(known: pl.DataFrame, subjects: pl.DataFrame) -> pl.DataFrame:
    """An entry for each source's subscriber that it is about. One name in the logs of two sources may be two people."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, lower(name) FROM attribution_sourcerow")
        names = pl.DataFrame(cursor.fetchall(), schema={"source_id": pl.Int64, "spoken_by": pl.String}, orient="row")
    spoken = subjects.join(names, on="source_id", how="left")
    every = known.join(spoken, on=["kind", "subject"], how="inner", maintain_order="left")
    # The rule of `Identity.in_logs_of`.
    mine = pl.col("source").str.to_lowercase()
    said = (mine == pl.col("spoken_by")) | pl.col("spoken_by").str.starts_with(mine + "-")
    return every.filter(pl.col("source").is_null() | said)


def _coded(held: pl.DataFrame, known: pl.DataFrame) -> tuple[list[str], list[np.ndarray]]:
    """Names of customers and services, and the columns as places in them."""
    columns = [held["customer"], held["service"], known["customer"], known["service"], known["reseller"]]
    every = pl.concat([c.cast(pl.String).alias("name") for c in columns]).drop_nulls().unique(maintain_order=True)
    codes = pl.DataFrame({"name": every}).with_row_index("code")
    found = [
        c.cast(pl.String).alias("name").to_frame().join(codes, on="name", how="left", maintain_order="left")["code"]
        .cast(pl.Int64).fill_null(NOBODY).to_numpy()
        for c in columns
    ]  # fmt: skip
    return every.to_list(), found


def _binding_maker(bound: pl.DataFrame) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM attribution_sourcerow")
        sources = dict(cursor.fetchall())
        cursor.execute("SELECT id, name FROM attribution_realmrow")
        realms = dict(cursor.fetchall())
        cursor.execute("SELECT id, file, sha256, first_byte, end_byte, clock_error FROM attribution_loadrow")
        loads = {row[0]: row[1:] for row in cursor.fetchall()}

    def binding(row: int) -> Binding:
        b = bound.row(row, named=True)
        file, sha256, first, end, error = loads[b["load_id"]]
        return binding_of(
            (sources[b["source_id"]], realms.get(b["realm"]), b["version"], b["length"], b["hi"], b["lo"],
             b["port_first"], b["port_last"], b["protocol"], b["possible_from"], b["sure_from"], b["sure_until"],
             b["possible_until"], b["ending"], bool(b["strong"]), bool(b["momentary"]), b["kind"], b["subject"] or "",
             realms.get(b["inside_realm"]), b["inside_version"], b["inside_hi"], b["inside_lo"], file,
             b["byte_offset"], sha256, first, end, error, b["heard"])
        )  # fmt: skip

    return binding


def _holding(row: dict[str, Any]) -> Holding:
    number = row["lo"] if row["version"] == 4 else row["hi"] << 64 | row["lo"]
    network = (number, row["length"])
    since = instant(row["since"])
    assert since is not None, "a holding has a beginning"
    return Holding(
        key=row["id"],
        tier=Tier(row["tier"]),
        kind=HoldingKind(row["kind"]),
        prefix=IPv4Network(network) if row["version"] == 4 else IPv6Network(network),
        held_from=since,
        held_until=instant(row["until"]),
        customer=row["customer"],
        service=row["service"],
        port_first=row["port_first"],
        port_last=row["port_last"],
        source=row["source"],
    )


def _identity(row: dict[str, Any]) -> Identity:
    kind = KINDS[row["kind"]]
    assert kind is not None, "a subscriber has a kind"
    return Identity(
        kind=kind,
        value=row["subject"],
        customer=row["customer"],
        service=row["service"],
        reseller=row["reseller"],
        since=instant(row["since"]),
        until=instant(row["until"]),
        sure_from=instant(row["sure_from"]),
        sure_until=instant(row["sure_until"]),
        source=row["source"],
    )


def _spoken(bound: pl.DataFrame, held: pl.DataFrame, scopes: Sequence[tuple[int, int, int]]) -> dict[int, Stretches]:
    """By IP version the neighbourhoods of which a source speaks, or in which something is bound or given out."""
    found = {}
    place = pl.col("version", "length", "hi", "lo").cast(pl.Int64)
    given = held.lazy().filter(pl.col("kind").is_in([kind.value for kind in GIVEN_OUT])).select(place)
    every = pl.concat([bound.lazy().filter(pl.col("realm") == 0).select(place), given])
    for version, half, width, bits in ((4, "lo", 32, 24), (6, "hi", 64, 40)):
        places = every.filter(pl.col("version") == version)
        block = pl.col(half).cast(pl.Int64).reinterpret(signed=False) // 2 ** (width - bits)
        wide = (bits - pl.col("length")).clip(0, bits)
        stretches = (
            places.select(block.cast(pl.Int64).alias("first"), wide.alias("wide"))
            .unique()
            .with_columns((pl.col("first") + pl.lit(2).pow(pl.col("wide")).cast(pl.Int64) - 1).alias("last"))
            .collect()
        )
        mine = np.array([b for _, v, b in scopes if v == version], np.int64)
        found[version] = Stretches(
            np.concatenate([mine, stretches.get_column("first").to_numpy()]),
            np.concatenate([mine, stretches.get_column("last").to_numpy()]),
        )
    return found


def _gaps() -> tuple[Gaps, Any, list[tuple[int, int, int]]]:
    """When the sources of each neighbourhood were not read; and (source, IP version, neighbourhood) it speaks of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT source_id, since, until FROM attribution_coverrow ORDER BY 1, 2")
        loads: dict[int, list[tuple[int, int]]] = {}
        for source, first, last in cursor.fetchall():
            loads.setdefault(source, []).append((first, last))
        cursor.execute("SELECT source_id, version, block FROM attribution_scoperow ORDER BY 1, 2, 3")
        scopes = cursor.fetchall()
        cursor.execute("SELECT source_id, since, until FROM attribution_missedrow ORDER BY 1, 2, 3")
        missed = cursor.fetchall()
        cursor.execute("SELECT id, term, beside FROM attribution_sourcerow")
        terms = {source: (term, beside) for source, term, beside in cursor.fetchall()}
    gaps = {source: holes(covered) for source, covered in loads.items()}
    for source, first, last in missed:
        gaps.setdefault(source, []).append((first, last))
    found = {
        source: list(with_lasting((*hole, *terms[source]) for hole in gaps.get(source, [(None, None)])))
        for source in terms
    }
    rows = [
        (version, block, -OPEN if first is None else first, OPEN if last is None else last, lasting, beside)
        for source, version, block in scopes
        for first, last, lasting, beside in found[source]
    ]
    by_place: dict[tuple[int, int, int], list[Gap]] = {}
    for version, block, first, last, lasting, beside in rows:
        place = (4, 0, block << 8) if version == 4 else (6, block << 24, 0)
        since = None if first == -OPEN else instant(first)
        gap = Gap(since=since, until=instant(last), lasting=lasting, beside=beside)
        by_place.setdefault(place, []).append(gap)

    def gaps_of(address: Address, earliest: datetime, latest: datetime) -> list[Gap]:
        return [
            g for g in by_place.get(neighbourhood(address), [])
            if (g.since is None or g.since <= latest) and (g.until is None or g.until > earliest)
        ]  # fmt: skip

    version = np.array([r[0] for r in rows], np.int64)
    block = np.array([r[1] for r in rows], np.uint64)
    frame = Gaps(
        version=version,
        hi=np.where(version == 6, block << np.uint64(24), np.uint64(0)),
        lo=np.where(version == 4, block << np.uint64(8), np.uint64(0)),
        since=np.array([r[2] for r in rows], np.int64),
        until=np.array([r[3] for r in rows], np.int64),
        lasting=np.array([r[4] for r in rows], bool),
    )
    return frame, gaps_of, scopes


def _frame(sql: str, *, text: Sequence[str]) -> pl.DataFrame:
    with connection.cursor() as cursor, cursor.copy(sql) as copy:
        return read_csv(b"".join(bytes(block) for block in copy), text=text)


def _array(frame: pl.DataFrame, column: str, *, none: int = 0) -> np.ndarray:
    return frame.get_column(column).fill_null(none).to_numpy()
