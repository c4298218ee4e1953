"""Per-flow NAT logs: Linux's `conntrack -E -o timestamp`."""

import polars as pl

from ...protocol import OPEN, Joins, Lines, Options, Parsed, Stretch
from ...reading import MICRO, PROTOCOLS, WITH_PORTS, Sieve, prefixes, table


class Conntrack(Lines):
    """One line for a new flow, one when it is destroyed; the first addresses are inside, the reply's are outside."""

    kind = "nat-flows"
    proves = "which inside address made a connection from a public address and port"
    clock = "the NAT's own, to the microsecond"
    gaps = (
        "events that the kernel's buffer lost; a flow whose end was lost is open until its port is used again with the "
        "same server"
    )
    joins = Joins.SESSION
    rotated = True
    momentary = True
    lasts_seconds = 86_400.0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        frame = table(Stretch(stretch.data.replace(b",", b";"), stretch.offset), ["line"], wanted=["line"])
        line = pl.col("line")
        frame = frame.with_columns(
            line.str.extract(r"^\[(\d+\.\d+)\]", 1).cast(pl.Float64, strict=False).alias("stamp"),
            line.str.extract(r"\[(NEW|UPDATE|DESTROY)\]", 1).alias("event"),
            line.str.extract(r"\] +(\w+) ", 1)
            .replace_strict(PROTOCOLS, default=None, return_dtype=pl.Int16).alias("protocol"),
            line.str.extract(r" src=(\S+) ", 1).alias("inside"),
            line.str.extract(r" src=.* src=\S+ dst=(\S+)", 1).alias("outside"),
            line.str.extract(r" src=.* src=.* dport=(\d+)", 1).cast(pl.Int32, strict=False).alias("port_first"),
            line.str.extract(r" sport=(\d+) ", 1).alias("session"),
            line.str.extract(r" dst=(\S+ sport=\d+ dport=\d+)", 1).str.replace(r"sport=\d+ ", "").alias("remote"),
        )  # fmt: skip
        frame = prefixes(frame, "inside").rename({"version": "inside_version", "hi": "inside_hi", "lo": "inside_lo"})
        frame = prefixes(frame.drop("length"), "outside").with_columns(
            (pl.col("stamp") * MICRO).round().cast(pl.Int64).alias("at")
        )
        sieve = Sieve(frame)
        unnamed = "no event of a protocol with a name"
        # A line that is whole may be of a protocol that has no ports; one that is torn may be of any.
        torn = line.str.contains(r"^\[|=") & ~line.str.contains(r"\] +\S+ .* src=.* src=\S+ dst=\S+")
        neither = pl.col("event").is_null() | pl.col("protocol").is_null()
        sieve.refuse(neither & torn, unnamed, missed=True)
        sieve.refuse(neither, unnamed)
        sieve.refuse(pl.col("at").is_null(), "no time; run conntrack with -o timestamp", missed=True)
        both = pl.col("lo").is_not_null() & pl.col("inside_lo").is_not_null()
        sieve.refuse(~both, "no addresses of both directions", missed=True)
        no_port, why = ~pl.col("port_first").is_between(1, 65535), "no port of the reply's direction"
        sieve.refuse(no_port.fill_null(value=True) & pl.col("protocol").is_in(WITH_PORTS), why, missed=True)
        sieve.refuse(no_port, why)
        # Not translated: the registry and the sessions of that address speak for it.
        kept = sieve.frame.filter((pl.col("lo") != pl.col("inside_lo")) | (pl.col("hi") != pl.col("inside_hi")))
        gone = pl.col("event") == "DESTROY"
        records = kept.select(
            "offset", "version", "hi", "lo", "length", "port_first", pl.col("port_first").alias("port_last"),
            "protocol", "inside_version", "inside_hi", "inside_lo",
            pl.col("session", "remote").fill_null(""), pl.lit(0, pl.UInt8).alias("kind"),
            pl.col("at").alias("since"), pl.col("at").alias("seen"),
            pl.when(gone).then("at").otherwise(OPEN).alias("until"), gone.alias("final"),
            (pl.col("event") == "NEW").alias("begun"),
        )  # fmt: skip
        return sieve.parsed(records, at="seen")
