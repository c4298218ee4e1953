"""dnsmasq's lease file: what is leased now, with the instant at which each lease will end."""

import polars as pl

from ...protocol import MAC, Joins, Lines, Options, Parsed, Stretch, UnusableFile
from ...reading import MICRO, Sieve, prefixes, seconds, table


class Leases(Lines):
    """`EXPIRY MAC ADDRESS NAME CLIENT-ID`, one lease a line. The file is the present only: keep copies over time."""

    kind = "dnsmasq"
    proves = "that the server gave an address to a hardware address"
    clock = "the DHCP server's own; a lease's beginning is its end less the lease time, which --every states"
    gaps = "whatever came and went between two copies of the file; what the server did not serve"
    joins = Joins.LEASE

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        if options.interim_seconds is None:
            raise UnusableFile("dnsmasq writes when a lease ends, not when it began: give its lease time with --every")
        data = stretch.data.replace(b",", b";").replace(b" ", b",")
        columns = ["expiry", "mac", "address", "name", "client"]
        frame = prefixes(table(Stretch(data, stretch.offset), columns, wanted=columns), "address")
        frame = frame.with_columns(seconds("expiry").alias("until"))
        sieve = Sieve(frame)
        sieve.refuse(pl.col("expiry") == "duid", "the server's own DUID, no lease")
        sieve.refuse(pl.col("until").is_null() | (pl.col("until") == 0), "no end; a lease for ever states none")
        sieve.refuse(pl.col("lo").is_null(), "no address")
        sieve.refuse(~pl.col("mac").str.contains("^[0-9a-fA-F:]{11,}$"), "no hardware address")
        records = sieve.frame.select(
            "offset", "version", "hi", "lo", "length", "until", pl.col("until").alias("seen"),
            (pl.col("until") - int(options.interim_seconds * MICRO)).alias("since"),
            pl.lit(MAC, pl.UInt8).alias("kind"), pl.col("mac").str.to_lowercase().alias("subject"),
            pl.lit(False).alias("strong"),
        )  # fmt: skip
        return sieve.parsed(records)
