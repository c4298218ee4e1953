"""Port-block logs of carrier-grade NAT by syslog: one line when a block is given out, one when it comes back."""

import polars as pl

from ...protocol import ERROR, OPEN, Joins, Lines, Options, Parsed, Stretch
from ...reading import Sieve, in_their_years, instants_in_doubt, prefixes, table

# Shapes as the vendors' manuals describe them. Groups: event, inside, outside, first, last.
SHAPES = (
    # Junos SRX and MX, port block allocation: RT_SRC_NAT_PBA_ALLOC / _RELEASE / _INTERIM
    (r"SRC_NAT_PBA_(ALLOC|RELEASE|INTERIM)", r"Subscriber (\S+) ", r"port block \[(\d+)-(\d+)\]", r"from ([0-9.]+)"),
    # Junos MS-MPC: JSERVICES_NAT_PORT_BLOCK_ALLOC / _RELEASE / _ACTIVE: inside -> outside:first-last
    (r"NAT_PORT_BLOCK_(ALLOC|RELEASE|ACTIVE)", r": (\S+) -> ", r" -> [0-9.]+:(\d+)-(\d+)", r" -> ([0-9.]+):"),
    # Cisco ASR CGv6: [UserbasedA - inside vrf - outside first last], A for assigned and W for withdrawn
    (r"\[(?:Userbased|Portblock)(A|W) ", r"\[\w+ - ([0-9a-fA-F.:]+) ", r" (\d+) (\d+)\]", r" - ([0-9.]+) \d+ \d+\]"),
    # key=value, as several write it and anybody can be told to
    (r"\bevent=(\w+)", r"\binside=([0-9a-fA-F.:]+)", r"\bports=(\d+)-(\d+)", r"\boutside=([0-9.]+)"),
)  # fmt: skip
EVENTS = {
    "alloc": "alloc", "a": "alloc", "assign": "alloc", "allocated": "alloc",
    "release": "release", "w": "release", "free": "release", "freed": "release", "released": "release",
    "interim": "active", "active": "active",
}  # fmt: skip


class Syslog(Lines):
    """Lines as a syslog server writes them, with an RFC 5424 time, or an RFC 3164 one with `--zone` and `--year`."""

    kind = "nat-blocks"
    proves = "which inside address had a public address and a block of ports, from its allocation to its release"
    clock = "the NAT's own, as the line states it"
    gaps = "lines that syslog lost (it is UDP): a lost release leaves the end open until the block is given on"
    joins = Joins.SESSION
    rotated = True
    lasts_seconds = 86_400.0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        frame = table(Stretch(stretch.data.replace(b",", b";"), stretch.offset), ["line"], wanted=["line"])
        line = pl.col("line")
        found = {
            "event": [line.str.extract(s[0], 1) for s in SHAPES],
            "inside": [line.str.extract(s[1], 1) for s in SHAPES],
            "first": [line.str.extract(s[2], 1) for s in SHAPES],
            "last": [line.str.extract(s[2], 2) for s in SHAPES],
            "outside": [line.str.extract(s[3], 1) for s in SHAPES],
        }
        shape = pl.coalesce(*(pl.when(e.is_not_null()).then(i) for i, e in enumerate(found["event"])))
        frame = frame.with_columns(shape.alias("shape")).with_columns(
            pl.coalesce(*(pl.when(pl.col("shape") == i).then(e) for i, e in enumerate(each))).alias(name)
            for name, each in found.items()
        )
        stamp = line.str.extract(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?)", 1)
        old = line.str.extract(r"^(?:<\d+>)?([A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d) ", 1)
        frame = frame.with_columns(old.alias("old"))
        frame = frame.with_columns(
            pl.coalesce(stamp, in_their_years(frame, "old", options)).alias("stamp"),
            pl.col("event").str.to_lowercase().replace_strict(EVENTS, default=None, return_dtype=pl.String),
        )
        frame = prefixes(frame, "inside").rename({"version": "inside_version", "hi": "inside_hi", "lo": "inside_lo"})
        frame = prefixes(frame.drop("length"), "outside")
        at, doubt = instants_in_doubt(frame, "stamp", zone=options.zone)
        frame = frame.with_columns(
            at.alias("at"),
            *([] if doubt is None else [doubt.alias(ERROR)]),
            pl.col("first").cast(pl.Int32, strict=False).alias("port_first"),
            pl.col("last").cast(pl.Int32, strict=False).alias("port_last"),
        )
        sieve = Sieve(frame)
        sieve.refuse(pl.col("event").is_null(), "not a line about a block of ports that this reader knows")
        sieve.refuse(pl.col("at").is_null(), "no time, or one that needs --zone (and --year)", missed=True)
        sieve.refuse(
            pl.col("lo").is_null() | pl.col("inside_lo").is_null(), "no inside or outside address", missed=True
        )
        sieve.refuse(
            ~((pl.col("port_first") <= pl.col("port_last")) & pl.col("port_last").is_between(1, 65535)),
            "no block of ports",
            missed=True,
        )
        gone = pl.col("event") == "release"
        records = sieve.frame.select(
            "offset", "version", "hi", "lo", "length", "port_first", "port_last",
            "inside_version", "inside_hi", "inside_lo", pl.lit(0, pl.UInt8).alias("kind"),
            pl.col("at").alias("since"), pl.col("at").alias("seen"),
            pl.when(gone).then("at").otherwise(OPEN).alias("until"), gone.alias("final"),
            (pl.col("event") == "alloc").alias("begun"), *([] if doubt is None else [ERROR]),
        )  # fmt: skip
        return sieve.parsed(records, at="seen")
