"""Per-flow NAT logs by syslog, in the formats of the common vendors (`formats.py`)."""

import polars as pl

from ...protocol import OPEN, Joins, Lines, Options, Parsed, Stretch
from ...reading import MICRO, PROTOCOLS, WITH_PORTS, Sieve, in_their_years, instants, prefixes, table
from .formats import ACTIVE, CREATED, DELETED, FORMATS, Format

_FIELDS = (
    "event",
    "protocol",
    "inside",
    "inside_port",
    "outside",
    "port",
    "there",
    "there_port",
    "at",
    "begin",
    "lasted",
)


class Syslog(Lines):
    """A line when a connection is made, one when it ends, or one for all of it; mixed with whatever else is logged."""

    kind = "nat-syslog"
    proves = "which inside address made a connection from a public address and port"
    clock = "the NAT's own, as the line states it, mostly to the second"
    gaps = (
        "lines that syslog lost (it is UDP); a flow whose end was lost is open until its port is used again with the "
        "same server; formats that were not tried on the vendors' devices"
    )
    joins = Joins.SESSION
    rotated = True
    momentary = True
    lasts_seconds = 86_400.0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        frame = table(Stretch(stretch.data.replace(b",", b";"), stretch.offset), ["line"], wanted=["line"])
        left, parts = frame.select("offset", "line"), []
        for shape in FORMATS:
            mine = left.get_column("line").str.contains(shape.marker).fill_null(value=False)
            if mine.any():
                parts.append(_found(left.filter(mine), shape))
                left = left.filter(~mine)
        nothing = left.with_columns(
            *(pl.lit(None, pl.String).alias(f) for f in _FIELDS), pl.lit(value=False).alias("torn")
        )
        frame = pl.concat([*parts, nothing]).sort("offset")
        sieve = Sieve(_numbers(frame, options))
        sieve.refuse(pl.col("torn"), "a line about one connection of a NAT that is not whole", missed=True)
        sieve.refuse(pl.col("event").is_null(), "not a line about one connection of a NAT that this reader knows")
        sieve.refuse(pl.col("until").is_null(), "no time, or one that needs --zone (and --year)", missed=True)
        sieve.refuse(pl.col("protocol").is_null(), "no protocol with a name or number")
        both = pl.col("lo").is_not_null() & pl.col("inside_lo").is_not_null()
        sieve.refuse(~both, "no inside or outside address", missed=True)
        # Where nothing was translated some write the address 0.0.0.0 and the port 0.
        untranslated = ~pl.col("port_first").is_between(1, 65535)
        translated = pl.col("protocol").is_in(WITH_PORTS) & (pl.col("lo") > 0)
        sieve.refuse(untranslated.fill_null(value=True) & translated, "no public port", missed=True)
        sieve.refuse(untranslated, "no public port")
        sieve.refuse(pl.col("since") > pl.col("until"), "a connection that ends before it begins", missed=True)
        # Not translated: the registry and the sessions of that address speak for it.
        kept = sieve.frame.filter((pl.col("lo") != pl.col("inside_lo")) | (pl.col("hi") != pl.col("inside_hi")))
        gone = pl.col("event") == DELETED
        records = kept.select(
            "offset", "version", "hi", "lo", "length", "port_first", pl.col("port_first").alias("port_last"),
            "protocol", "inside_version", "inside_hi", "inside_lo",
            pl.col("inside_port").fill_null("").alias("session"),
            pl.concat_str(pl.col("there", "there_port").fill_null(""), separator=" ").str.strip_chars().alias("remote"),
            pl.lit(0, pl.UInt8).alias("kind"), "since", pl.col("until").alias("seen"),
            pl.when(gone).then("until").otherwise(OPEN).alias("until"), gone.alias("final"), "begun",
        )  # fmt: skip
        told = sieve.parsed(records, at="seen")
        if kept.height:
            told.covers = (int(kept["until"].min()), int(kept["until"].max()))  # type: ignore[arg-type]  # no nulls
        return told


def _found(lines: pl.DataFrame, shape: Format) -> pl.DataFrame:
    """What the patterns of a format find in its lines; nulls in all of a line that lacks what is needed."""
    groups = pl.concat(
        [lines.select(pl.col("line").str.extract_groups(p).alias("g")).unnest("g") for p in shape.patterns],
        how="horizontal",
    )
    missing = [pl.lit(None, pl.String).alias(f) for f in _FIELDS if f not in groups.columns]
    groups = groups.with_columns(
        *missing,
        pl.col("event").str.to_lowercase().replace_strict(shape.events, default=None, return_dtype=pl.String),
    )
    whole = pl.all_horizontal(pl.col(n).is_not_null() for n in shape.needs)
    groups = groups.with_columns(pl.when(whole).then(f).alias(f) for f in _FIELDS)
    others = lines.get_column("line").str.contains(shape.others)
    torn = ~groups.select(whole).to_series() & ~others
    return pl.concat([lines, groups.select(_FIELDS), torn.alias("torn").to_frame()], how="horizontal")


def _numbers(frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Addresses, ports and times as numbers: `since` and `until` what the line speaks of, `begun` whether it says when
    the connection began."""
    name = pl.col("protocol").str.to_lowercase()
    frame = prefixes(frame, "inside").rename({"version": "inside_version", "hi": "inside_hi", "lo": "inside_lo"})
    frame = prefixes(frame.drop("length"), "outside").with_columns(
        pl.coalesce(
            name.replace_strict(PROTOCOLS, default=None, return_dtype=pl.Int16), name.cast(pl.UInt8, strict=False)
        ).cast(pl.Int16).alias("protocol"),
        pl.col("port").cast(pl.Int32, strict=False).alias("port_first"),
        _stamp(frame, options),
    )  # fmt: skip
    head, own, began = (_instants(frame, c, options) for c in ("stamp", "at", "begin"))
    event, lasted = pl.col("event"), pl.col("lasted").cast(pl.Int64, strict=False) * MICRO
    frame = frame.with_columns(head.alias("head"), own.alias("own"), began.alias("began"))
    headed = pl.coalesce(pl.when(event == CREATED).then("began"), "head")
    until = pl.when(pl.col("at").is_not_null()).then("own").otherwise(headed)
    begun = (event == CREATED) | pl.col("began").is_not_null() | pl.col("lasted").is_not_null()
    return frame.with_columns(
        until.alias("until"),
        pl.coalesce("began", until - lasted, until).alias("since"),
        begun.alias("begun"),
    )


def _stamp(frame: pl.DataFrame, options: Options) -> pl.Series:
    """The time at a line's head: RFC 5424, the same with a space, or RFC 3164 with a year behind, before or stated."""
    line = pl.col("line")
    full = line.str.extract(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)", 1)
    old = line.str.extract(r"^(?:<\d+>)? ?(?:\d+: )?\*?([A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d)", 1)
    behind = line.str.extract(r"^(?:<\d+>)? ?[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d (\d{4}) ", 1)
    heads = frame.select(full.alias("full"), old.alias("old"), behind.alias("behind"))
    parsed = (pl.col("behind") + " " + pl.col("old")).str.to_datetime("%Y %b %e %H:%M:%S", strict=False, time_unit="us")
    alone = heads.select(pl.when(pl.col("full").is_null() & pl.col("behind").is_null()).then("old").alias("old"))
    stated = in_their_years(alone, "old", options)
    return heads.select(pl.coalesce("full", parsed.dt.strftime("%Y-%m-%dT%H:%M:%S"), stated).alias("stamp")).to_series()


def _instants(frame: pl.DataFrame, column: str, options: Options) -> pl.Series:
    """Microseconds of epoch seconds, of epoch nanoseconds (FortiOS since 6.2), or of a printed time."""
    text = pl.col(column).str.replace_all("/", "-", literal=True)
    nano = text.str.contains(r"^\d{19}$")
    plain = pl.when(nano).then(pl.lit(None, pl.String)).otherwise(text).alias(column)
    fine = frame.select(pl.when(nano).then(text).cast(pl.Int64, strict=False) // 1000).to_series()
    printed = instants(frame.with_columns(plain), column, zone=options.zone)
    return pl.DataFrame({"fine": fine, "printed": printed}).select(pl.coalesce("fine", "printed")).to_series()


assert {e for f in FORMATS for e in f.events.values()} <= {CREATED, DELETED, ACTIVE}
