"""An address plan as CSV: which service has which prefix, from when until when."""

import polars as pl

from ...protocol import OPEN, SERVICE, Joins, Lines, Options, Parsed, Stretch
from ...reading import Sieve, header_of, instants, prefixes, table


class Plan(Lines):
    """`prefix,service[,since][,until]`; a whole file. What the same file says no more ends."""

    kind = "ipam"
    proves = "that the plan gives a prefix to a service; it is the operator's own word, so it proves alone"
    clock = "none: instants are the plan's own"
    gaps = "what people forgot to write down"
    joins = Joins.ALONE
    has_header = True
    whole = says_the_present = True
    clock_error_seconds = 0.0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        named = header_of(stretch, needs=("prefix", "service"), kind=self.kind)
        wanted = [c for c in ("prefix", "service", "since", "until") if c in named]
        frame = table(stretch, named, wanted=wanted, quoted=b'"' in stretch.data)
        frame = frame.with_columns(pl.lit(None, pl.String).alias(c) for c in ("since", "until") if c not in named)
        frame = prefixes(frame, "prefix").with_columns(
            pl.Series("from", instants(frame, "since", zone=options.zone)),
            pl.Series("to", instants(frame, "until", zone=options.zone)),
        )
        sieve = Sieve(frame)
        sieve.refuse(pl.col("_more").is_not_null(), "more fields than the header names")
        sieve.refuse(pl.col("lo").is_null(), "no prefix")
        sieve.refuse(pl.col("service").fill_null("") == "", "no service")
        for text, at in (("since", "from"), ("until", "to")):
            sieve.refuse((pl.col(text).fill_null("") != "") & pl.col(at).is_null(), f"{text} is no instant with a zone")
        sieve.refuse((pl.col("to") <= pl.col("from")).fill_null(False), "it ends before it begins")
        records = sieve.frame.select(
            "offset", "version", "hi", "lo", "length",
            pl.col("from").fill_null(0).alias("since"),
            pl.col("to").fill_null(OPEN).alias("until"),
            pl.col("to").is_not_null().alias("final"),
            pl.lit(SERVICE, pl.UInt8).alias("kind"),
            pl.col("service").alias("subject"),
        )  # fmt: skip
        told = sieve.parsed(records)
        told.covers = None
        return told
