"""RADIUS accounting (RFC 2866, RFC 2869, RFC 3162, RFC 4818): FreeRADIUS detail files, and the same as CSV.

What happened when: a record arrived at `Timestamp` and its event is `Acct-Delay-Time` older. That is the server's
clock, one for all NASes. `Event-Timestamp` is the NAS's own and only shows how far the two are apart.
"""

import numpy as np
import polars as pl

from ...protocol import ERROR, OPEN, RECORD, STATION, USERNAME, Joins, Kind, Lines, Options, Parsed, Stretch
from ...reading import MICRO, Sieve, header_of, instants, instants_in_doubt, line_starts, machines, prefixes, table
from .scan import Scanner

PROVES = (
    "that an authenticated log-in had an address or a delegated prefix, or was let in with a machine "
    "(Calling-Station-Id), from its Start to its Stop"
)
CLOCK = "the RADIUS server's, less the delay that the NAS states; the error is estimated from Event-Timestamp"
GAPS = (
    "a lost Stop leaves the end open until the address is given on or the NAS restarts, and that of a machine without "
    "an address until its NAS restarts or falls silent (--every); a lost Start is made good by the session time that "
    "later records state"
)

NAMES = (
    "Acct-Status-Type", "User-Name", "NAS-IP-Address", "NAS-IPv6-Address", "NAS-Identifier", "Acct-Session-Id",
    "Acct-Session-Time", "Acct-Delay-Time", "Framed-IP-Address", "Framed-IPv6-Prefix", "Framed-IPv6-Address",
    "Delegated-IPv6-Prefix", "Calling-Station-Id", "Event-Timestamp", "Timestamp",
)  # fmt: skip
"""As FreeRADIUS' dictionaries spell them."""
WANTED = {
    # attribute: column
    "acct_status_type": "status", "user_name": "user", "nas_ip_address": "nas_ip", "nas_ipv6_address": "nas_ip6",
    "nas_identifier": "nas_id", "acct_session_id": "session", "acct_session_time": "lasted",
    "acct_delay_time": "delay", "framed_ip_address": "framed4", "framed_ipv6_prefix": "framed6",
    "framed_ipv6_address": "address6", "delegated_ipv6_prefix": "delegated6", "calling_station_id": "station",
    "event_timestamp": "event", "timestamp": "arrived",
}  # fmt: skip
STATUS = {
    "start": "start", "1": "start", "stop": "stop", "2": "stop", "interim-update": "interim", "alive": "interim",
    "3": "interim", "interim": "interim", "accounting-on": "restart", "7": "restart", "accounting-off": "restart",
    "8": "restart",
}  # fmt: skip
SCANNER = Scanner(
    {name: WANTED[name.lower().replace("-", "_")] for name in NAMES},
    numbers=frozenset({"lasted", "delay", "arrived"}),
    quads=frozenset({"framed4"}),
    few=frozenset({"status", "nas_ip", "nas_ip6", "nas_id"}),
)
DELAY_SECONDS_MAX = 31 * 86400
"""So long a NAS or a relay may try to deliver a record; what says more counts wrongly."""
ADDRESSES = ("framed4", "framed6", "address6", "delegated6")


class Detail(Kind):
    """FreeRADIUS' detail files."""

    kind = "radius-detail"
    proves, clock, gaps = PROVES, CLOCK, GAPS
    joins = Joins.SESSION
    rotated = True
    tells_lateness = True

    def cut(self, data: bytes) -> int:
        end = data.rfind(b"\n\n")
        return 0 if end < 0 else end + 2

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        frame = SCANNER.records(stretch.data, stretch.offset)
        return _parsed(records_of_detail(stretch) if frame is None else frame, options)


class Csv(Lines):
    """One record a line; the header names the attributes, as RADIUS or with underscores."""

    kind = "radius-csv"
    proves, clock, gaps = PROVES, CLOCK, GAPS
    joins = Joins.SESSION
    rotated = True
    tells_lateness = True
    has_header = True

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        named = header_of(stretch, needs=("acct_status_type", "timestamp"), kind=self.kind)
        named = ["user_name" if n == "username" else n for n in named]
        there = [n for n in named if n in WANTED]
        frame = table(stretch, named, wanted=there, quoted=b'"' in stretch.data)
        return _parsed(frame.rename({n: WANTED[n] for n in there}), options, lines=True)


def records_of_detail(stretch: Stretch) -> pl.DataFrame:
    """A row for each record: attributes as text, with the offset of the record's first line. Slow, and says what is
    right; `scan.py` must find the same."""
    text = pl.read_csv(
        b"line\n" + stretch.data,
        separator="\x1f",
        quote_char=None,
        infer_schema=False,
        encoding="utf8-lossy",
        truncate_ragged_lines=True,
    ).to_series()
    starts = line_starts(stretch.data)
    first = np.frombuffer(stretch.data, np.uint8)[np.minimum(starts, len(stretch.data) - 1)]
    header = (first != 9) & (first != 10) & (first != 32)
    number = np.cumsum(header) - 1
    frame = pl.DataFrame({"record": pl.Series(number, dtype=pl.Int64), "line": text})
    parts = (
        frame.filter(pl.Series(first == 9))
        .with_columns(pl.col("line").str.strip_prefix("\t").str.splitn(" = ", 2).struct.unnest())
        .with_columns(pl.col("field_0").str.to_lowercase().str.replace_all("-", "_", literal=True))
        .filter(pl.col("field_0").is_in(list(WANTED)) & (pl.col("record") >= 0))
    )
    records = pl.DataFrame({"record": np.arange(int(header.sum())), "offset": starts[header] + stretch.offset})
    for attribute, column in WANTED.items():
        values = parts.filter(pl.col("field_0") == attribute).select(
            "record", pl.col("field_1").str.strip_chars('" \r').alias(column)
        )
        # An attribute that is there twice (RFC 2865 allows it for few) counts once.
        records = records.join(values.unique("record", keep="first"), on="record", how="left", maintain_order="left")
    return records


def _parsed(frame: pl.DataFrame, options: Options, *, lines: bool = False) -> Parsed:
    """Rows of attributes become records; On and Off become restarts."""
    missing = [c for c in WANTED.values() if c not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
    if frame.get_column("user").str.contains("\ufffd", literal=True).any():
        frame = frame.with_columns(pl.when(~pl.col("user").str.contains("\ufffd", literal=True)).then("user"))
    arrived, doubt = instants_in_doubt(frame, "arrived", zone=options.zone)
    if doubt is not None:
        frame = frame.with_columns(doubt.alias(ERROR))
    delay = frame.get_column("delay").cast(pl.Int64, strict=False).fill_null(0)
    frame = frame.with_columns(
        (arrived - delay * MICRO).alias("at"),
        _event(frame, options).alias("event_at"),
        _status(frame),
        pl.coalesce("nas_ip", "nas_ip6", "nas_id", pl.lit("")).alias("nas"),
        pl.col("lasted").cast(pl.Int64, strict=False),
    )
    sieve = Sieve(frame)
    if lines:
        sieve.refuse(pl.col("_more").is_not_null(), "more fields than the header names", missed=True)
    sieve.refuse(pl.col("status").is_null(), "no Acct-Status-Type that this reader knows")
    sieve.refuse(pl.col("at").is_null(), "no Timestamp, or one without a zone", missed=True)
    if not delay.is_between(0, DELAY_SECONDS_MAX).all():
        late = pl.col("delay").cast(pl.Int64, strict=False).fill_null(0)
        sieve.refuse(~late.is_between(0, DELAY_SECONDS_MAX), "an Acct-Delay-Time that cannot be", missed=True)
    lateness = sieve.frame.select((pl.col("at") - pl.col("event_at")).drop_nulls()).to_series().to_numpy()
    restarts = sieve.frame.filter(pl.col("status") == "restart").select("nas", "at")
    kept = sieve.frame.height
    covers = None if not kept else (int(sieve.frame["at"].min()), int(sieve.frame["at"].max()))  # type: ignore[arg-type]  # no nulls
    sieve.frame = sieve.frame.filter(pl.col("status") != "restart")
    if sieve.frame.get_column("station").null_count() < sieve.frame.height:
        sieve.frame = sieve.frame.with_columns(machines(pl.col("station")).cast(pl.UInt64).alias("machine"))
    else:
        sieve.frame = sieve.frame.with_columns(pl.lit(None, pl.UInt64).alias("machine"))
    sieve.refuse(
        ~pl.any_horizontal(*(_stated(sieve.frame, a) for a in ADDRESSES), pl.col("machine").is_not_null()),
        "no Framed-IP-Address, IPv6 address or prefix, and no Calling-Station-Id that is a hardware address",
    )
    # Somebody was given the address: whoever had it before may have it no more.
    sieve.refuse(pl.col("user").is_null() | (pl.col("user") == ""), "no User-Name", missed=True)
    sieve.refuse(
        pl.col("lasted").is_not_null() & ~pl.col("lasted").is_between(0, 10 * 366 * 86400),
        "an Acct-Session-Time that cannot be",
        missed=True,
    )
    each = [
        _with_prefix(sieve, address) for address in ADDRESSES if sieve.frame.get_column(address).null_count() < kept
    ]
    each.append(_with_machine(sieve.frame))
    records = pl.concat([r for r in each if r is not None]) if any(r is not None for r in each) else _nothing()
    told = sieve.parsed(records, at="seen", restarts=restarts, lateness=lateness)
    told.count, told.covers = sieve.frame.height + restarts.height, covers
    return told


def _status(frame: pl.DataFrame) -> pl.Expr:
    """What the records tell of: of few words each is looked up once."""
    known = pl.lit(None, pl.String)
    for said in frame.get_column("status").drop_nulls().unique().sort():
        known = pl.when(pl.col("status") == said).then(pl.lit(STATUS.get(said.lower()), pl.String)).otherwise(known)
    return known.alias("status")


def _stated(frame: pl.DataFrame, address: str) -> pl.Expr:
    """Whether a record has this kind of address, as text or as a number."""
    there = pl.col(address).is_not_null()
    return there if frame.schema[address] == pl.UInt32 else there & (pl.col(address) != "")


def _with_prefix(sieve: Sieve, address: str) -> pl.DataFrame | None:
    """The records that have this kind of address, as records of an identity source."""
    rows = sieve.frame.filter(_stated(sieve.frame, address))
    if not rows.height:
        return None
    if rows.schema[address] == pl.UInt32:
        return _records(
            rows.with_columns(
                pl.col(address).cast(pl.UInt64).alias("lo"), pl.lit(0, pl.UInt64).alias("hi"),
                pl.lit(4, pl.UInt8).alias("version"), pl.lit(32, pl.UInt8).alias("length"),
            )
        )  # fmt: skip
    here = Sieve(prefixes(rows, address))
    here.refuse(pl.col("lo").is_null(), f"an address that is none ({address})", missed=True)
    sieve.told += here.told
    sieve.total += here.total
    sieve.missed += here.missed
    return _records(here.frame)


def _with_machine(frame: pl.DataFrame) -> pl.DataFrame | None:
    """Who was let in with which machine, whether it was given an address or not: a lease may name the machine."""
    rows = frame.filter(pl.col("machine").is_not_null())
    if not rows.height:
        return None
    kind = pl.lit(STATION, pl.UInt8)
    return _records(
        rows.with_columns(
            pl.col("machine").alias("lo"), pl.lit(0, pl.UInt64).alias("hi"), kind.alias("version"), kind.alias("length")
        )
    )


def _records(frame: pl.DataFrame) -> pl.DataFrame:
    stop = pl.col("status") == "stop"
    start = pl.col("status") == "start"
    return frame.select(
        "offset",
        "version",
        "hi",
        "lo",
        "length",
        pl.when(start).then("at").otherwise(pl.col("at") - pl.col("lasted").fill_null(0) * MICRO).alias("since"),
        pl.col("at").alias("seen"),
        pl.when(stop).then("at").otherwise(OPEN).alias("until"),
        stop.alias("final"),
        (start | pl.col("lasted").is_not_null()).alias("begun"),
        pl.concat_str(pl.col("nas"), pl.lit("|"), pl.col("session").fill_null("")).alias("session"),
        "nas",
        pl.lit(USERNAME, pl.UInt8).alias("kind"),
        pl.col("user").alias("subject"),
        *(c for c in (ERROR,) if c in frame.columns),
    )


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={c: RECORD[c][0] for c in _COLUMNS})


_COLUMNS = ("offset", "version", "hi", "lo", "length", "since", "seen", "until", "final", "begun", "session", "nas",
            "kind", "subject")  # fmt: skip


def _event(frame: pl.DataFrame, options: Options) -> pl.Series:
    """Event-Timestamp, where it states seconds or UTC: only the clock's error is read from it."""
    event = frame.get_column("event")
    if event.null_count() == len(event):
        return pl.Series([None] * len(event), dtype=pl.Int64)
    printed = event.str.extract(r"^([A-Z][a-z]{2} +\d+ \d{4} \d\d:\d\d:\d\d) (?:UTC|GMT)$")
    parsed = printed.str.to_datetime("%b %e %Y %H:%M:%S", strict=False, time_unit="us").dt.timestamp("us")
    return frame.select(pl.coalesce(parsed, instants(frame, "event", zone=options.zone))).to_series()
