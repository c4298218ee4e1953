"""Flows of NAT in files: many rows that never change again, sorted by address and port, found without a database.

A part is one Parquet file. It is written beside its place, made safe on the disk, and moved there whole, so that a file
under its own name is always a whole one. Which parts count is said elsewhere (`flow_parts.py`); a file that nobody
names is what a killed import left.

Flows that are over are laid by how long they lasted: those of up to an hour into a slot for each hour in which they
began, those of up to a day into slots of a day, and so on. So what lasted long is never in the way of what did not,
and an instant touches two slots of each span, however long the history is.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tipstaff.words import Ending

from .codes import ENDINGS, OPEN
from .intervals import PLACE, Clock, bindings, joined, with_defaults
from .protocol import RECORD, Joins
from .reading import ipv4

_HOUR = 3600 * 1_000_000
SPANS = (_HOUR, 24 * _HOUR, 30 * 24 * _HOUR)
"""The slots' widths in microseconds; a flow lies in the narrowest that it fits. One beyond all lies in the only slot
of the span after them."""
OPEN_SPAN, CARRIED = 8, 9
"""Spans of two parts that every batch replaces: flows that may go on, to be found, and the same to be gone on with."""
CARRY = 24 * _HOUR
"""So long a flow that was followed waits for its own end to be read. One that was not waits for ever. And a flow whose
beginning was not read may have begun so long before it was first heard of, or longer where the operator says so."""
GROUP_ROWS = 16_384
PART_ROWS_MAX = 8_000_000
OFFSET_BITS = 40
"""A record's place is one number: its load, and in these bits its offset in the file. Later loads have greater ones."""

PART: dict[str, pl.DataType] = {
    "hi": pl.UInt64(), "lo": pl.UInt64(), "port": pl.UInt16(), "protocol": pl.Int16(),
    "since": pl.Int64(),  # microseconds since 1970, the clock's error left out
    "known": pl.Int64(),  # how long after that it was surely there
    "lasts": pl.Int64(),  # -1: it may go on
    "unsure": pl.Int64(),  # `lasts` less how long it was surely there
    "ending": pl.UInt8(), "inside_version": pl.UInt8(), "inside_hi": pl.UInt64(), "inside_lo": pl.UInt64(),
    "load": pl.Int32(), "offset": pl.Int64(),
    "there_version": pl.UInt8(),  # 0: with whom it was is not known
    "there_hi": pl.UInt64(), "there_lo": pl.UInt64(),
    "there_port": pl.Int32(),  # -1: not known, nor is the 0 that an earlier version wrote
}  # fmt: skip
_ORDER = ("hi", "lo", "port", "since")
_SUPERSEDED = ENDINGS.index(Ending.SUPERSEDED)


class PartIsMissing(FileNotFoundError):
    """A part that counts is not in the folder; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A part that lies in the folder, and what is said of it."""

    name: str
    version: int
    span: int
    slot: int
    first: int
    last: int
    """The least and the greatest place (`place_of`)."""
    since: int
    until: int
    """Whatever is in it lies between these instants, the clock's error left out."""
    rows: int
    octets: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a batch makes of the flows so far."""

    ended: pl.DataFrame
    going_on: pl.DataFrame
    carried: pl.DataFrame


def place_of(version: int, hi: int, lo: int) -> int:
    """A number of 63 bits that grows with the address: parts are told apart by it."""
    return lo if version == 4 else hi >> 1


def placed(records: pl.DataFrame, *, load: int) -> pl.DataFrame:
    """Records with the load in their offsets."""
    offsets = [c for c in ("offset", "end_offset") if c in records.columns]
    return records.with_columns(pl.col(c).cast(pl.Int64) + place_in_loads(load, 0) for c in offsets)


def place_in_loads(load: int, offset: int) -> int:
    """Where a record stands, as one number for all loads."""
    return (load << OFFSET_BITS) + offset


def carried_of(rows: Sequence[dict[str, int]]) -> pl.DataFrame:
    """Flows that may go on, by names of RECORD, as a batch goes on with them."""
    return _unknown(pl.DataFrame(rows, schema_overrides={name: kind for name, (kind, _) in RECORD.items()}))


def _unknown(records: pl.DataFrame) -> pl.DataFrame:
    """Flows that may go on, of which it is not known with whom they are."""
    nobody = pl.lit(None, pl.String).alias("remote")
    return with_defaults(records).with_columns(nobody).with_columns(pl.lit(OPEN, pl.Int64).alias("cut"))


def step(
    carried: pl.DataFrame | None, records: pl.DataFrame, *, covers: tuple[int, int], interim: int | None = None,
    lasts: int = 0,
) -> Step:  # fmt: skip
    """Flows that are over and flows that may go on, when `records` come after what was `carried`.

    `covers` is the stretch that the log was read of without a gap, `interim` how long none that goes on is silent and
    `lasts` how long one lasts at most, in microseconds. Taking a log in by pieces makes the same flows as taking it in
    at once, as long as its records are in
    order.
    """
    covers_since, covers_until = covers
    if carried is not None:
        records = with_defaults(records)
        records = pl.concat([_told_apart(carried, records), records], how="diagonal")
    records = joined(records, Joins.SESSION)
    found = bindings(
        records, Joins.SESSION, clock=Clock(error=0, interim=interim), restarts=None, covers_until=covers_until
    )
    # Had it begun since the log was read without a gap, its beginning would have been read, or be lost a day ago.
    earliest = pl.max_horizontal(pl.col("since") - max(CARRY, lasts), pl.min_horizontal("since", covers_since))
    found = found.with_columns(pl.when("begun").then("possible_from").otherwise(earliest).alias("possible_from"))
    if "cut" in records.columns:
        # Who used the port next may have been read, and put away, in an earlier batch.
        cut = records.filter(pl.col("cut") < OPEN).select("offset", "cut")
        found = found.join(cut, on="offset", how="left", maintain_order="left")
        by = ~pl.col("final") & (pl.col("cut") < OPEN) & (pl.col("cut") < pl.col("possible_until"))
        found = found.with_columns(
            pl.when(by).then("cut").otherwise("possible_until").alias("possible_until"),
            pl.when(by).then(pl.min_horizontal("sure_until", "cut")).otherwise("sure_until").alias("sure_until"),
            pl.when(by).then(pl.lit(_SUPERSEDED, pl.UInt8)).otherwise("ending").alias("ending"),
        ).drop("cut")
    over = pl.col("final") | ((pl.col("possible_until") < OPEN) & (pl.col("seen") < covers_until - CARRY))
    going_on = found.filter(~over)
    return Step(
        ended=_rows(found.filter(over)),
        going_on=_rows(going_on),
        carried=going_on.select(
            *RECORD,
            pl.when(pl.col("ending") == _SUPERSEDED).then("possible_until").otherwise(OPEN).alias("cut"),
        ),
    )


def _told_apart(carried: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """An earlier version did not keep whom a flow is with. One of these is taken for the first that its inside address
    has on its port from now on."""
    if "remote" not in carried.columns:
        carried = carried.with_columns(pl.lit(None, pl.String).alias("remote"))
    old = carried.filter(pl.col("remote").is_null())
    if old.is_empty():
        return carried
    by = [*PLACE, "inside_version", "inside_hi", "inside_lo"]
    first = records.sort("seen", maintain_order=True).unique(by, keep="first", maintain_order=True)
    named = old.drop("session", "remote").join(first.select(*by, "session", "remote"), on=by, how="left")
    known = named.filter(pl.col("remote").is_not_null())
    unknown = old.join(known.select("offset"), on="offset", how="anti")
    return pl.concat([carried.filter(pl.col("remote").is_not_null()), known, unknown], how="diagonal")


def _rows(found: pl.DataFrame) -> pl.DataFrame:
    """Bindings as rows of a part, and their version."""
    open_ = pl.col("possible_until") == OPEN
    lasts = pl.when(open_).then(-1).otherwise(pl.col("possible_until") - pl.col("possible_from"))
    surely = pl.col("sure_until") - pl.col("possible_from")
    rows = _there(found).select(
        "version", "hi", "lo", pl.col("port_first").alias("port"), "protocol", pl.col("possible_from").alias("since"),
        (pl.col("sure_from") - pl.col("possible_from")).alias("known"), lasts.alias("lasts"),
        (lasts - surely).alias("unsure"), "ending", "inside_version", "inside_hi", "inside_lo",
        (pl.col("offset") // 2**OFFSET_BITS).alias("load"), (pl.col("offset") % 2**OFFSET_BITS).alias("offset"),
        "there_version", "there_hi", "there_lo", "there_port",
    )  # fmt: skip
    return rows.select(pl.col("version").cast(pl.UInt8), *(pl.col(c).cast(kind) for c, kind in PART.items()))


def _there(found: pl.DataFrame) -> pl.DataFrame:
    """With whom each flow is, as numbers, from what its log's reader wrote: `203.0.113.5`, behind it the port where it
    is known, or the halves of the address as `0.3405803781:443`. What is written otherwise is not known, nor is a port
    0, which stands for one that the log does not have."""
    text = pl.col("remote")
    halves = text.str.extract_groups(r"^(?P<_hi>\d+)\.(?P<_lo>\d+):\d+$")
    port = text.str.extract(r"[ :/=](\d+)$", 1).cast(pl.Int32, strict=False)
    found = found.with_columns(
        text.str.extract(r"^(\d+\.\d+\.\d+\.\d+)(?:\D|$)", 1).alias("_four"),
        port.fill_null(-1).replace(0, -1).alias("there_port"),
        halves.struct.unnest(),
    ).with_columns(
        ipv4("_four").alias("_four"), *(pl.col(c).cast(pl.UInt64, strict=False).alias(c) for c in ("_hi", "_lo"))
    )  # fmt: skip
    six = pl.col("_lo").is_not_null() & ((pl.col("_hi") > 0) | (pl.col("_lo") >= 2**32))
    known = pl.col("_four").is_not_null() | (pl.col("_lo") > 0)
    return found.with_columns(
        pl.when(six).then(6).when(known).then(4).otherwise(0).fill_null(0).cast(pl.UInt8).alias("there_version"),
        pl.col("_hi").fill_null(0).alias("there_hi"),
        pl.coalesce("_four", "_lo", pl.lit(0, pl.UInt64)).alias("there_lo"),
    )


def write_step(folder: Path, made: Step, *, prefix: str) -> list[Written]:
    """All that a batch makes, as parts."""
    parts = write_ended(folder, made.ended, prefix=prefix)
    for version in (4, 6):
        rows = made.going_on.filter(made.going_on.get_column("version") == version)
        parts += write_sorted(folder, rows, prefix=prefix, version=version, span=OPEN_SPAN, slot=0)
    return [*parts, write_carried(folder, made.carried, prefix=prefix)]


def write_ended(folder: Path, rows: pl.DataFrame, *, prefix: str) -> list[Written]:
    """Flows that are over, in parts by version, span and slot."""
    lasts = rows.get_column("lasts").to_numpy()
    span = np.searchsorted(SPANS, lasts)
    width = np.array([*SPANS, OPEN])[span]
    cell = rows.select("version").with_columns(
        pl.Series("span", span, pl.Int64), pl.Series("slot", rows.get_column("since").to_numpy() // width, pl.Int64)
    )
    split = rows.with_columns(cell.get_column("span"), cell.get_column("slot"))
    written: list[Written] = []
    for (version, of_span, slot), part in sorted(split.partition_by("version", "span", "slot", as_dict=True).items()):
        written += write_sorted(
            folder, part.drop("span", "slot"), prefix=prefix, version=int(version), span=int(of_span), slot=int(slot)
        )
    return written


def write_sorted(folder: Path, rows: pl.DataFrame, *, prefix: str, version: int, span: int, slot: int) -> list[Written]:
    """Rows of one slot in parts of at most PART_ROWS_MAX, cut between addresses."""
    rows = rows.select(*PART)
    order = [rows.get_column(c).to_numpy() for c in _ORDER if c != "hi" or version == 6]
    rows = rows[np.lexsort(order[::-1])]
    return [
        _write(folder, piece, prefix=prefix, version=version, span=span, slot=slot)
        for piece in _cut(rows)
        if len(piece)
    ]


def _cut(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    lo, hi = rows.get_column("lo").to_numpy(), rows.get_column("hi").to_numpy()
    begin = 0
    while begin < len(rows):
        end = min(begin + PART_ROWS_MAX, len(rows))
        while end < len(rows) and (lo[end], hi[end]) == (lo[end - 1], hi[end - 1]):
            end += 1
        yield rows[begin:end]
        begin = end


def _write(folder: Path, rows: pl.DataFrame, *, prefix: str, version: int, span: int, slot: int) -> Written:
    first, last = (place_of(version, *rows.select("hi", "lo").row(n)) for n in (0, -1))
    since = rows.get_column("since").to_numpy()
    lasts = rows.get_column("lasts").to_numpy()
    until = OPEN if (lasts < 0).any() else int((since + lasts).max())
    kind = {OPEN_SPAN: "open"}.get(span, f"{span}-{slot}")
    name = f"{prefix}-v{version}-{kind}-{first:x}-{last:x}-{secrets.token_hex(6)}.parquet"
    octets, sha256 = write_file(folder, name, rows)
    return Written(
        name=name, version=version, span=span, slot=slot, first=first, last=last, since=int(since.min()), until=until,
        rows=rows.height, octets=octets, sha256=sha256,
    )  # fmt: skip


def write_carried(folder: Path, records: pl.DataFrame, *, prefix: str) -> Written:
    """What the next batch goes on with; it is never searched."""
    name = f"{prefix}-carried-{secrets.token_hex(6)}.parquet"
    octets, sha256 = write_file(folder, name, records)
    return Written(
        name=name, version=0, span=CARRIED, slot=0, first=0, last=0, since=0, until=0, rows=records.height,
        octets=octets, sha256=sha256,
    )  # fmt: skip


def write_file(folder: Path, name: str, rows: pl.DataFrame) -> tuple[int, str]:
    """Octets and digest of a file that is whole and on the disk when its name is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = folder / f"{name}.part"
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        rows.write_parquet(file, compression="zstd", row_group_size=GROUP_ROWS, statistics=True)
        file.flush()
        os.fsync(file.fileno())
        octets = os.fstat(file.fileno()).st_size
    sha256 = digest_of(beside)
    beside.replace(folder / name)
    sync_folder(folder)
    return octets, sha256


def sync_folder(folder: Path) -> None:
    """Names that were given or taken away are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(path: Path) -> str:
    """Raises PartIsMissing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as why:
        raise PartIsMissing(f"{path} is missing") from why


def read_rows(path: Path) -> pl.DataFrame:
    """All of a part. Raises PartIsMissing."""
    if not path.exists():
        raise PartIsMissing(f"{path} is missing")
    rows = pl.read_parquet(path, memory_map=False)
    if "lasts" not in rows.columns:
        return rows
    # An earlier version did not keep with whom they were.
    unknown = {name: -1 if name == "there_port" else 0 for name in PART if name not in rows.columns}
    return rows.with_columns(pl.lit(value, PART[name]).alias(name) for name, value in unknown.items())


def search(
    path: Path, *, hi: int, lo: int, port: int | None, protocol: int | None, earliest: int, latest: int, rows_max: int
) -> list[dict[str, Any]]:
    """Rows of an address that touch [earliest, latest], each with its number in the file as `row`.

    Parquet says of each group of rows what it lies between, so only a few groups are read. Raises PartIsMissing.
    """
    here = (pl.col("hi") == pl.lit(hi, pl.UInt64)) & (pl.col("lo") == pl.lit(lo, pl.UInt64))
    if port is not None:
        here &= pl.col("port") == pl.lit(port, pl.UInt16)
    if protocol is not None:
        here &= (pl.col("protocol") == protocol) | (pl.col("protocol") < 0)
    lasts = pl.col("lasts")
    here &= (pl.col("since") <= latest) & ((lasts < 0) | (pl.col("since") + lasts > earliest))
    if not path.exists():
        raise PartIsMissing(f"{path} is missing")
    found = pl.scan_parquet(path, row_index_name="row").filter(here)
    if port is None:
        # So many users of an address are several whoever else there is; of a stated port every user counts.
        found = found.head(rows_max)
    return found.collect().to_dicts()


def edges(row: dict[str, Any], *, error: int) -> tuple[int, int, int, int]:
    """possible_from, sure_from, sure_until and possible_until of a row, in microseconds."""
    since, lasts = row["since"], row["lasts"]
    surely = since + lasts - row["unsure"]
    until = OPEN if lasts < 0 else since + lasts + error
    return since - error, since + row["known"] + error, surely - error, until


def younger(rows: pl.DataFrame, *, before: int) -> pl.DataFrame:
    """The rows, of a part or carried, that were not over before an instant; of one that may go on, what was heard
    last counts."""
    if "cut" in rows.columns:
        end = pl.when(pl.col("cut") < OPEN).then("cut").otherwise("seen")
    else:
        end = pl.col("since") + pl.col("lasts") - pl.when(pl.col("lasts") < 0).then("unsure").otherwise(0)
    return rows.filter(end >= before)


def begun_by(path: Path, *, loads: Sequence[int]) -> int:
    """How many rows of a part some readings began. Raises PartIsMissing."""
    if not path.exists():
        raise PartIsMissing(f"{path} is missing")
    return int(pl.scan_parquet(path).select(pl.col("load").is_in(list(loads)).sum()).collect().item())


def without(
    rows: pl.DataFrame, *, loads: Sequence[int], version: int, until: int, read_until: dict[int, int]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of a part that some readings did not begin, and of these those, as records that may go on, of which such a
    reading may have said the end: it lies by `until`, and after all that the beginning's own reading said."""
    rows = rows.filter(~pl.col("load").is_in(list(loads)))
    end = pl.col("since") + pl.col("lasts")
    own = pl.col("load").replace_strict(read_until, default=OPEN, return_dtype=pl.Int64)
    theirs = rows.select(
        ((pl.col("load") < max(loads)) & (end > own) & (end <= until)).fill_null(value=False)
    ).to_series()
    again = rows.filter(theirs)
    begun, place = pl.col("known") == 0, pl.col("load").cast(pl.Int64) * 2**OFFSET_BITS + pl.col("offset")
    heard = pl.col("since") + pl.col("known")
    return rows.filter(~theirs), _unknown(
        again.select(
            place.alias("offset"), place.alias("end_offset"), pl.lit(version, pl.UInt8).alias("version"), "hi", "lo",
            pl.lit(32 if version == 4 else 128, pl.UInt8).alias("length"),
            pl.col("port").cast(pl.Int32).alias("port_first"), pl.col("port").cast(pl.Int32).alias("port_last"),
            "protocol", heard.alias("since"), heard.alias("seen"), begun.alias("begun"),
            pl.lit(0, pl.UInt8).alias("kind"), "inside_version", "inside_hi", "inside_lo",
        )
    )  # fmt: skip


def carried_without(carried: pl.DataFrame, *, loads: Sequence[int]) -> pl.DataFrame:
    """What is carried of flows that some readings did not begin, with nothing that they said of them later."""
    begun_in, heard_in = (pl.col(c) // 2**OFFSET_BITS for c in ("offset", "end_offset"))
    theirs = heard_in.is_in(list(loads)) | (pl.col("cut") < OPEN)
    return carried.filter(~begun_in.is_in(list(loads))).with_columns(
        pl.when(theirs).then("since").otherwise("seen").alias("seen"),
        pl.when(theirs).then("offset").otherwise("end_offset").alias("end_offset"),
        pl.lit(OPEN, pl.Int64).alias("cut"),
        pl.lit(value=False).alias("final"),
        pl.lit(OPEN, pl.Int64).alias("until"),
    )


def together(carried: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Several lots of flows that may go on as one."""
    return pl.concat(carried, how="diagonal") if carried else _unknown(pl.DataFrame(schema={"offset": pl.Int64()}))


def laid_open(folder: Path, carried: pl.DataFrame, *, prefix: str) -> list[Written]:
    """Parts of flows that may go on, all of them."""
    nothing = with_defaults(pl.DataFrame(schema={name: kind for name, (kind, _) in RECORD.items()}))
    return write_step(folder, step(carried, nothing, covers=(0, 0)), prefix=prefix)


def unnamed(folder: Path, *, prefix: str, named: Sequence[str]) -> list[Path]:
    """Files of this prefix that nobody names."""
    if not folder.is_dir():
        return []
    known = set(named)
    return [f for f in folder.iterdir() if f.name.startswith(f"{prefix}-") and f.name not in known]
