"""What the readers of logs share: lines with their offsets, addresses and times as numbers, refusals.

All of it works on whole columns (Polars, NumPy): a record costs well under a microsecond.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from .protocol import REFUSED_TOLD_MAX, Options, Parsed, Span, Stretch, UnusableFile

MICRO = 1_000_000
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "icmpv6": 58, "sctp": 132, "udplite": 136}
"""As logs name them; IANA's numbers."""


def line_starts(data: bytes) -> np.ndarray:
    """The offset of every line's first byte, relative to `data`."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    if data and not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    return np.concatenate(([0], ends[:-1] + 1)) if len(ends) else np.zeros(0, np.int64)


def table(stretch: Stretch, columns: Sequence[str], *, wanted: Sequence[str], quoted: bool = False) -> pl.DataFrame:
    """Comma-separated lines as text columns, with `offset`; `_more` is not null where a line has too many fields.

    A short or blank line has nulls. Bytes that are not UTF-8 become U+FFFD, which no reader takes for a name.
    """
    head = ",".join([*columns, "_more"]).encode() + b"\n"
    offsets = line_starts(stretch.data) + stretch.offset

    def read(encoding: Literal["utf8", "utf8-lossy"]) -> pl.DataFrame:
        return pl.read_csv(
            head + stretch.data,
            infer_schema=False,
            quote_char='"' if quoted else None,
            truncate_ragged_lines=True,
            encoding=encoding,
            columns=[*wanted, "_more"],
        )

    try:
        frame = read("utf8")
    except pl.exceptions.ComputeError:
        frame = read("utf8-lossy")
    if frame.height != len(offsets):
        raise UnusableFile("a quoted field holds a line break; write each record on one line")
    return frame.with_columns(pl.Series("offset", offsets, pl.Int64))


def header_of(stretch: Stretch, *, needs: Sequence[str], kind: str) -> list[str]:
    """The names of the columns in lower case with underscores; UnusableFile when one that is needed is missing."""
    text = stretch.header.decode("utf-8-sig", "replace").strip()
    names = [n.strip().strip('"').lower().replace("-", "_") for n in text.split(",")]
    missing = [n for n in needs if n not in names]
    if missing:
        raise UnusableFile(f"this is no {kind} file: its first line lacks {', '.join(missing)}")
    return [n or f"_unnamed{i}" for i, n in enumerate(names)]


def ipv4(column: str) -> pl.Expr:
    """Dotted text as a number; null where it is no IPv4 address."""
    parts = pl.col(column).str.splitn(".", 4).struct
    octets = [parts.field(f"field_{i}").cast(pl.UInt8, strict=False).cast(pl.UInt64) for i in range(4)]
    return octets[0] * 16777216 + octets[1] * 65536 + octets[2] * 256 + octets[3]


def prefixes(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """`frame` with version, hi, lo and length of the address or prefix in `column`; nulls where it is none."""
    frame = frame.with_columns(
        ipv4(column).alias("lo"),
        pl.lit(0, pl.UInt64).alias("hi"),
        pl.lit(4, pl.UInt8).alias("version"),
        pl.lit(32, pl.UInt8).alias("length"),
    )
    odd = frame.get_column("lo").is_null() & frame.get_column(column).is_not_null()
    if not odd.any():
        return frame
    texts = frame.filter(odd).get_column(column).unique()
    known = pl.DataFrame(
        [_numbers(text) for text in texts],
        schema={"_text": pl.String, "_v": pl.UInt8, "_hi": pl.UInt64, "_lo": pl.UInt64, "_len": pl.UInt8},
        orient="row",
    )
    joined = frame.join(known, left_on=column, right_on="_text", how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce("lo", "_lo").alias("lo"),
        pl.coalesce("_hi", "hi").alias("hi"),
        pl.coalesce("_v", "version").alias("version"),
        pl.coalesce("_len", "length").alias("length"),
    ).drop("_v", "_hi", "_lo", "_len")


def _numbers(text: str) -> tuple[str, int | None, int | None, int | None, int | None]:
    try:
        network = ip_network(text.strip(), strict=False) if "/" in text else ip_network(ip_address(text.strip()))
    except ValueError:
        return text, None, None, None, None
    first = int(network.network_address)
    return text, network.version, first >> 64, first & (2**64 - 1), network.prefixlen


def machines(text: pl.Expr) -> pl.Expr:
    """Hardware addresses as numbers, by the rule of `words.station_of`; null where there is none."""
    low = text.str.strip_chars().str.to_lowercase()
    plain = low.str.replace_all(r"[:.\-]", "")
    telephone = (low == plain) & plain.str.contains("^[0-9]{12}$")
    number = (
        pl.when(plain.str.contains("^[0-9a-f]{12}$") & ~telephone).then(plain).str.to_integer(base=16, strict=False)
    )
    return pl.when((number > 0) & (number // 2**40 % 2 == 0)).then(number)


def seconds(column: str) -> pl.Expr:
    """Whole seconds since 1970 as microseconds; null where the text is none, or no year that a log could speak of."""
    number = pl.col(column).cast(pl.Int64, strict=False)
    return pl.when(number.is_between(0, 4_102_444_800)).then(number * MICRO)


def instants(frame: pl.DataFrame, column: str, *, zone: ZoneInfo | None) -> pl.Series:
    """Instants in microseconds, as `instants_in_doubt` reads them; null where they are in doubt."""
    told, doubt = instants_in_doubt(frame, column, zone=zone)
    return told if doubt is None else told.to_frame("at").select(pl.when(doubt == 0).then("at")).to_series()


def instants_in_doubt(frame: pl.DataFrame, column: str, *, zone: ZoneInfo | None) -> tuple[pl.Series, pl.Series | None]:
    """Instants in microseconds: epoch seconds (with a fraction, too), or RFC 3339, with a zone or in `zone`. And by how
    much each may be wrong beyond the clock's error, where it may at all: in an hour that happens twice.

    Without `zone` a time that states none is null: nobody may be punished by a guess. A second 60 (a leap second) is
    the second after 59, as POSIX clocks repeat it.
    """
    if frame.schema[column] == pl.Int64:
        return frame.select(seconds(column)).to_series(), None
    text = frame.get_column(column).str.strip_chars()
    epoch = (text.cast(pl.Float64, strict=False) * MICRO).round().cast(pl.Int64, strict=False)
    epoch = frame.select(pl.when(epoch.is_between(0, 4_102_444_800 * MICRO)).then(epoch)).to_series()
    if epoch.null_count() == text.null_count():
        return epoch, None
    leap = text.str.contains(r":60(\D|$)")
    plain = text.str.replace(r":60(\D|$)", ":59${1}").str.replace("Z$", "+00:00").str.replace(" ", "T")
    aware = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us", time_zone="UTC")
    naive = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us")
    local, doubt = local_instants(naive, zone)
    told = frame.select(pl.coalesce(aware.dt.timestamp("us"), local)).to_series()
    told = told + leap.fill_null(False).cast(pl.Int64) * MICRO
    return frame.select(pl.coalesce(epoch, told)).to_series(), doubt


def local_instants(naive: pl.Series, zone: ZoneInfo | None) -> tuple[pl.Series, pl.Series | None]:
    """Naive datetimes of a zone, in the order of the log, as microseconds UTC; null without a zone. And how far they
    may be off, as in `instants_in_doubt`.

    An hour that a clock going back makes happen twice is told apart by the log's own order: where the times step back,
    the second hour begins. Without such a step it is the middle of the two, in doubt by half of what lies between them.
    A time that a clock going forward leaves out is null.
    """
    if zone is None:
        return pl.Series(naive.name, [None] * len(naive), dtype=pl.Int64), None
    first, second = (
        naive.dt.replace_time_zone(zone.key, ambiguous=fold, non_existent="null").dt.timestamp("us")
        for fold in ("earliest", "latest")
    )
    twice = (first != second).fill_null(False).to_numpy()
    if not twice.any():
        return first, None
    places = np.flatnonzero(twice)
    early, late = (each.gather(places).to_numpy() for each in (first, second))
    steps = np.flatnonzero(np.diff(early) < -_STEP_BACK)
    doubt = np.zeros(len(naive), np.int64)
    if len(steps) == 1:
        known = np.where(np.arange(len(places)) > steps[0], late, early)
    else:
        doubt[places] = (late - early) // 2
        known = early + doubt[places]
    told = first.scatter(places, known)
    return told, pl.Series("doubt", doubt) if doubt.any() else None


def in_their_years(frame: pl.DataFrame, column: str, options: Options) -> pl.Series:
    """`Mar 10 12:00:00` (RFC 3164) with its year, as `2026-03-10T12:00:00`; null where none was stated.

    The stated year is that of the first line. A log is in order: where the months step back by half a year or more, the
    next year has begun, and what is read later goes on from there, by whatever year a timer still states.
    """
    text = frame.get_column(column)
    if options.year is None or text.null_count() == len(text):
        return pl.Series(column, [None] * len(text), dtype=pl.String)
    # Any leap year will do for the order of the days.
    days = ("2024 " + text).str.to_datetime("%Y %b %e %H:%M:%S", strict=False, time_unit="us").dt.timestamp("us")
    order = days.fill_null(strategy="forward").fill_null(strategy="backward").fill_null(0).to_numpy()
    steps = np.diff(order, prepend=order[:1])
    years = np.full(len(order), options.year)
    for place in np.flatnonzero((steps < -_HALF_A_YEAR) | (steps > _NEARLY_A_YEAR)):
        # Forward by nearly a year is a line of December behind the first ones of January.
        years[place:] += 1 if steps[place] < 0 else -1
    later = _years_later(order[0], options)
    if later is None:
        return pl.Series(column, [None] * len(text), dtype=pl.String)
    years += later
    told = (pl.Series(years).cast(pl.String) + " " + text).str.to_datetime(
        "%Y %b %e %H:%M:%S", strict=False, time_unit="us"
    )
    return told.dt.strftime("%Y-%m-%dT%H:%M:%S").alias(column)


def _years_later(first: int, options: Options) -> int | None:
    """By how many years a reading is later than the stated one: in a file that goes on, no line is half a year older
    than the last. Another file may be older. But where it begins when the source ended, in another year than the stated
    one, a timer may have gone on stating the old year: None, for nobody is named by a guess."""
    assert options.year is not None, "it is asked of stated years"
    if options.after is None:
        return 0
    last = datetime.fromtimestamp(options.after / MICRO, UTC)
    begin = datetime.fromtimestamp(first / MICRO, UTC)
    for later in range(-1 if options.goes_on and begin.month == 12 else 0, max(0, last.year - options.year) + 2):
        # The 29th of February counts as the 28th: a day does not matter here.
        day = 28 if (begin.month, begin.day) == (2, 29) else begin.day
        there = begin.replace(year=options.year + later, day=day)
        soon = timedelta(days=-1) < there - last < timedelta(days=31)
        if later < 0:
            # December's last lines are read in January, when a timer already states the new year.
            if soon:
                return later
        elif options.goes_on and there > last - timedelta(microseconds=_HALF_A_YEAR):
            return later
        elif not options.goes_on and later and soon:
            return None
    return 0


_NEARLY_A_YEAR = 330 * 86400 * MICRO
_HALF_A_YEAR = 183 * 86400 * MICRO
_STEP_BACK = 20 * 60 * MICRO
"""A log is not that far out of order, and the hour that happens twice is longer."""


WITH_PORTS = (6, 17, 33, 132, 136)
"""Protocols whose connections have a port; others are translated without one."""


class Sieve:
    """Takes bad records out of a frame, each with its reason, the first reason counting."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self.told: list[tuple[int, str]] = []
        self.total = 0
        self.missed: list[np.ndarray] = []

    def refuse(self, bad: pl.Expr, why: str, *, missed: bool = False) -> "Sieve":
        """Take out what `bad` says; a null counts as bad. `missed` says that those are records of the kind, which may
        have ended or begun something that nobody knows of now."""
        mask = self.frame.select(bad.fill_null(True)).to_series()
        number = int(mask.sum())
        if number:
            self.total += number
            room = REFUSED_TOLD_MAX - len(self.told)
            offsets = self.frame.filter(mask).get_column("offset")
            self.told += [(o, why) for o in offsets.head(max(room, 0))]
            if missed:
                self.missed.append(offsets.to_numpy())
            self.frame = self.frame.filter(~mask)
        return self

    def parsed(self, records: pl.DataFrame, *, at: str = "since", **more: object) -> Parsed:
        """`at` is the column with the instant at which each record was written."""
        from tipstaff.words import RefusedLine

        covers = None
        if "since" in records.columns and records.height:
            covers = (int(records["since"].min()), int(records["since"].max()))  # type: ignore[arg-type]  # no nulls
        found = {"covers": covers, "count": self.frame.height, **more}
        return Parsed(
            records=records,
            refused=[RefusedLine(offset=o, why=w) for o, w in sorted(self.told)],
            refused_total=self.total,
            missed=around(self.missed, records, at=at) if self.missed else [],
            **found,  # type: ignore[arg-type]  # the fields of Parsed
        )


def around(missed: Sequence[np.ndarray], records: pl.DataFrame, *, at: str) -> list[Span]:
    """Between which records, by their instants, records lie that could not be read."""
    there = records.select("offset", at).drop_nulls().sort("offset") if records.height else None
    if there is None:
        return [(None, None)]
    offsets, instants = (there.get_column(c).to_numpy() for c in ("offset", at))
    places = np.unique(np.searchsorted(offsets, np.concatenate(missed)))
    before = [int(instants[i - 1]) if i else None for i in places]
    after = [int(instants[i]) if i < len(instants) else None for i in places]
    return list(zip(before, after, strict=True))
