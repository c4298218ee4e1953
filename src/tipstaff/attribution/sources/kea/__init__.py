"""Kea's memfile (`kea-leases4.csv`, `kea-leases6.csv`), looks at its PostgreSQL database, and its forensic log."""

import polars as pl

from ...circuits import circuit_named, readable
from ...protocol import CIRCUIT, DECLINED, ERROR, MAC, OPEN, Joins, Lines, Options, Parsed, Stretch
from ...reading import MICRO, Sieve, header_of, local_instants, prefixes, seconds, table

GAPS = "what the server did not serve: static and stolen addresses"
_FOREVER = 4294967295
_PREFIX_DELEGATION = "2"
_STATES = ["0", "1", "2", "3"]
_nameless = pl.col("subject").is_null() | (pl.col("subject") == "")
"""Somebody was given the address, and whoever had it before may have it no more."""


class Memfile(Lines):
    """Rows as Kea appends them. Its clean-up writes the file anew without the past: tail it, or keep copies."""

    kind = "kea-memfile"
    proves = (
        "that the server gave an address or prefix to a hardware address, or to a circuit where relay data is kept "
        "(store-extended-info)"
    )
    clock = "the DHCP server's own, one for all rows"
    gaps = f"{GAPS}; what the clean-up had removed before it was read; a release is only known to lie between two rows"
    joins = Joins.LEASE
    has_header = True

    def cut(self, data: bytes) -> int:
        """After the last whole row that is no deletion: when a lease was deleted, only the row after it tells."""
        end = data.rfind(b"\n") + 1
        while end:
            start = data.rfind(b"\n", 0, end - 1) + 1
            fields = data[start:end].split(b",")
            lifetime = 2 if b":" in fields[0] else 3
            if len(fields) <= lifetime or fields[lifetime] != b"0":
                return end
            end = start
        return 0

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        named = header_of(stretch, needs=("address", "valid_lifetime", "expire", "state"), kind=self.kind)
        six = "duid" in named
        who = "duid" if six else "hwaddr"
        wanted = ["address", who, "valid_lifetime", "expire", "state"]
        wanted += [c for c in ("lease_type", "prefix_len", "hwaddr", "user_context") if c in named and c not in wanted]
        frame = table(stretch, named, wanted=wanted)
        frame = prefixes(frame, "address")
        term = pl.col("valid_lifetime").cast(pl.Int64, strict=False)
        end = pl.col("expire").cast(pl.Int64, strict=False)
        frame = frame.with_columns(term.alias("term"), end.alias("end"))
        sieve = Sieve(frame)
        sieve.refuse(pl.col("_more").is_not_null(), "more fields than the header names", missed=True)
        sieve.refuse(pl.col("lo").is_null(), "no address", missed=True)
        sieve.refuse(
            pl.col("term").is_null() | pl.col("end").is_null(), "no lifetime or expiry in whole seconds", missed=True
        )
        sieve.refuse(
            ~pl.col("end").is_between(0, 4_102_444_800 + _FOREVER)
            | (pl.col("term") < 0)
            | (pl.col("end") < pl.col("term")),
            "an expiry that cannot be",
            missed=True,
        )
        sieve.refuse(~pl.col("state").is_in(_STATES), "a state that this reader does not know", missed=True)
        frame = sieve.frame
        subject = pl.col("hwaddr") if "hwaddr" in frame.columns else pl.col(who)
        if six:
            subject = pl.when(pl.col("hwaddr").fill_null("") != "").then("hwaddr").otherwise(who)
            frame = frame.with_columns(
                pl.when(pl.col("lease_type") == _PREFIX_DELEGATION)
                .then(pl.col("prefix_len").cast(pl.UInt8, strict=False))
                .otherwise("length")
                .alias("length")
            )
        frame = frame.with_columns(subject.str.to_lowercase().alias("subject"), pl.lit(MAC, pl.UInt8).alias("kind"))
        frame = _declined(_circuits(frame, unique=options.circuits_unique))
        sieve.frame = frame
        sieve.refuse(_nameless, "no hardware address or DUID", missed=True)
        return sieve.parsed(_leases(sieve.frame))


class Looks(Lines):
    """What `tipstaff leases` wrote of the tables `lease4` and `lease6`: leases that are new or changed since the look
    before, and those that are gone."""

    kind = "kea-postgresql"
    proves = Memfile.proves
    clock = "the DHCP server's own for what was given, the database's for what is gone"
    gaps = f"{GAPS}; what came and went between two looks, so that it never proves a subscriber alone"
    joins = Joins.LEASE
    has_header = True

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        named = header_of(stretch, needs=("looked_at", "gone", "address", "cltt", "lifetime", "state"), kind=self.kind)
        wanted = ("looked_at", "before", "gone", "address", "prefix_len", "hwaddr", "duid", "cltt", "lifetime", "state",
                  "user_context")  # fmt: skip
        frame = prefixes(table(stretch, named, wanted=[c for c in wanted if c in named]), "address")
        frame = frame.with_columns(
            pl.coalesce(pl.col("prefix_len").cast(pl.UInt8, strict=False), "length").alias("length"),
            pl.col("lifetime").cast(pl.Int64, strict=False).alias("term"),
            seconds("cltt").alias("since"),
            *((pl.col(c).cast(pl.Float64, strict=False) * MICRO).round().cast(pl.Int64).alias(c)
              for c in ("looked_at", "before")),
        )  # fmt: skip
        sieve = Sieve(frame)
        sieve.refuse(pl.col("_more").is_not_null(), "more fields than the header names", missed=True)
        sieve.refuse(pl.col("lo").is_null(), "no address", missed=True)
        sieve.refuse(~pl.col("term").is_between(0, _FOREVER) | pl.col("since").is_null(), "no lifetime or beginning",
                     missed=True)  # fmt: skip
        sieve.refuse(~pl.col("gone").is_in(["0", "1"]) | pl.col("looked_at").is_null(), "no look")
        sieve.refuse((pl.col("gone") == "1") & pl.col("before").is_null(), "gone, but never there before")
        sieve.refuse(~pl.col("state").is_in(_STATES), "a state that this reader does not know", missed=True)
        subject = pl.when(pl.col("hwaddr").fill_null("") != "").then("hwaddr").otherwise("duid").str.to_lowercase()
        frame = sieve.frame.with_columns(subject.alias("subject"), pl.lit(MAC, pl.UInt8).alias("kind"))
        sieve.frame = _declined(_circuits(frame, unique=options.circuits_unique))
        sieve.refuse(_nameless, "no hardware address or DUID", missed=True)
        gone, ended = pl.col("gone") == "1", pl.col("state").is_in(["2", "3"])
        promised = pl.when(pl.col("term") == _FOREVER).then(OPEN).otherwise(pl.col("since") + pl.col("term") * MICRO)
        # It was there at the look before, and it is not at this one; what was expired by then ended by its own term.
        until = pl.when(gone).then(pl.min_horizontal(promised, "looked_at")).otherwise(promised)
        seen = pl.when(gone).then(pl.min_horizontal(until, pl.max_horizontal("since", "before"))).otherwise(promised)
        return sieve.parsed(
            sieve.frame.select(
                "offset", "version", "hi", "lo", "length", "since", seen.alias("seen"), until.alias("until"),
                (gone | ended).alias("final"), "kind", "subject",
                # Looks may miss one who had it for a while, so they never prove a subscriber alone.
                pl.lit(value=False).alias("strong"),
            )
        )  # fmt: skip


def _leases(frame: pl.DataFrame) -> pl.DataFrame:
    """Each row as a lease; a deleted one (lifetime 0) ended between the rows that stand around it."""
    since = (pl.col("end") - pl.col("term")) * MICRO
    gone = (pl.col("term") == 0) | (pl.col("state") == "3")
    reclaimed = pl.col("state") == "2"
    frame = frame.with_columns(since.alias("since"), gone.alias("gone"))
    until = pl.when(pl.col("term") == _FOREVER).then(OPEN).otherwise(pl.col("end") * MICRO)
    alive = pl.when(~pl.col("gone")).then("since")
    before = pl.max_horizontal("since", alive.cum_max().forward_fill())
    after = pl.max_horizontal(before, alive.backward_fill())
    return frame.select(
        "offset",
        "version",
        "hi",
        "lo",
        "length",
        "since",
        pl.when("gone").then(before).otherwise(until).alias("seen"),
        pl.when("gone").then(after).otherwise(until).alias("until"),
        (pl.col("gone") | reclaimed).alias("final"),
        "kind",
        "subject",
        "strong",
    )


def _declined(frame: pl.DataFrame) -> pl.DataFrame:
    """Whom a client found on the address that it was given (RFC 2131 section 3.1: DHCPDECLINE) nobody knows: the lease
    before has ended, and as long as the server keeps the address back, it is an unknown one's."""
    declined = pl.col("state") == "1"
    return frame.with_columns(
        pl.when(declined).then(pl.lit(DECLINED)).otherwise("subject").alias("subject"),
        pl.when(declined).then(pl.lit(MAC, pl.UInt8)).otherwise("kind").alias("kind"),
        (pl.col("strong") & ~declined).alias("strong"),
    )


def _circuits(frame: pl.DataFrame, *, unique: bool) -> pl.DataFrame:
    """Where relay data was kept, the circuit is the subscriber, and proves one where its name is one line's only."""
    frame = frame.with_columns(pl.lit(value=False).alias("strong"))
    if "user_context" not in frame.columns:
        return frame
    hexed = pl.col("user_context").str.extract(r"sub-options\"?:\s*\"?0x([0-9A-Fa-f]+)")
    if not frame.get_column("user_context").str.contains("sub-options", literal=True).any():
        return frame
    found = frame.select(hexed.alias("_hex")).drop_nulls().unique().get_column("_hex")
    named = [(hexes, *name) for hexes in found if (name := circuit_of(hexes, unique=unique)) is not None]
    known = pl.DataFrame(named, schema={"_hex": pl.String, "_circuit": pl.String, "_sole": pl.Boolean}, orient="row")
    frame = frame.with_columns(hexed.alias("_hex")).join(known, on="_hex", how="left", maintain_order="left")
    return frame.with_columns(
        pl.coalesce("_circuit", "subject").alias("subject"),
        pl.when(pl.col("_circuit").is_not_null()).then(pl.lit(CIRCUIT, pl.UInt8)).otherwise("kind").alias("kind"),
        pl.col("_sole").fill_null(value=False).alias("strong"),
    ).drop("_hex", "_circuit", "_sole")


def circuit_of(hexed: str, *, unique: bool = False) -> tuple[str, bool] | None:
    """The name of the circuit in option 82, and whether it is one line's only; None where there is no circuit."""
    try:
        raw = bytes.fromhex(hexed)
    except ValueError:
        return None
    options: dict[int, bytes] = {}
    place = 0
    while place + 2 <= len(raw):
        code, size = raw[place], raw[place + 1]
        options.setdefault(code, raw[place + 2 : place + 2 + size])
        place += 2 + size
    circuit, remote = options.get(1), options.get(2, b"")
    return circuit_named(readable(circuit), readable(remote), unique=unique) if circuit else None


class Forensic(Lines):
    """The forensic log (hook `legal_log`): one sentence an event, nothing of the past is ever removed."""

    kind = "kea-forensic"
    proves = "that the server gave an address or prefix to a hardware address, and behind which circuit of which relay"
    clock = "the DHCP server's own; its zone is written as a name, so the file's zone must be given unless it is UTC"
    gaps = GAPS
    joins = Joins.LEASE
    rotated = True

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        frame = table(Stretch(stretch.data.replace(b",", b";"), stretch.offset), ["line"], wanted=["line"])
        line = pl.col("line")
        clock = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? (\S+) "
        frame = frame.with_columns(
            line.str.extract(clock, 1).alias("stamp"),
            line.str.extract(clock, 2).alias("zone"),
            line.str.extract(r"(?:Address|Prefix): (\S+) has been", 1).alias("address"),
            line.str.extract(r"has been (assigned|renewed|rebound|released)", 1).alias("event"),
            line.str.extract(r"for (\d+) hrs? ", 1).cast(pl.Int64, strict=False).alias("hours"),
            line.str.extract(r" (\d+) mins? ", 1).cast(pl.Int64, strict=False).alias("minutes"),
            line.str.extract(r" (\d+) secs? ", 1).cast(pl.Int64, strict=False).alias("secs"),
            line.str.extract(r"hardware address: hwtype=\d+ ([0-9a-fA-F:]+)", 1).str.to_lowercase().alias("mac"),
            line.str.extract(r"DUID: ([0-9a-fA-F:]+)", 1).str.to_lowercase().alias("duid"),
            *(line.str.extract(rf"{name}-id: ([0-9a-fA-F:]+)", 1).str.replace_all(":", "", literal=True).alias(name)
              for name in ("circuit", "remote")),
        )  # fmt: skip
        relayed = frame.select("circuit", "remote").drop_nulls("circuit").unique().rows()
        known = pl.DataFrame(
            [(c, r, *circuit_named(_text(c), _text(r or ""), unique=options.circuits_unique)) for c, r in relayed],
            schema={"circuit": pl.String, "remote": pl.String, "named": pl.String, "sole": pl.Boolean}, orient="row",
        )  # fmt: skip
        frame = frame.join(known, on=["circuit", "remote"], how="left", nulls_equal=True, maintain_order="left")
        naive = frame.get_column("stamp").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
        utc = naive.dt.replace_time_zone("UTC").dt.timestamp("us")
        local, doubt = local_instants(naive, options.zone)
        frame = prefixes(frame, "address").with_columns(
            pl.when(pl.col("zone").is_in(["UTC", "GMT"])).then(utc).otherwise(local).alias("since"),
            *([] if doubt is None else [doubt.alias(ERROR)]),
        )
        sieve = Sieve(frame)
        sieve.refuse(
            pl.col("event").is_null() | pl.col("lo").is_null(), "not a sentence that gives, renews or releases"
        )
        sieve.refuse(pl.col("since").is_null(), "a time whose zone is not known; name it with --zone", missed=True)
        sieve.refuse(
            pl.coalesce("circuit", "mac", "duid").is_null(), "no circuit, hardware address or DUID", missed=True
        )
        gone, wired = pl.col("event") == "released", pl.col("circuit").is_not_null()
        term = pl.sum_horizontal(pl.col("hours") * 3600, pl.col("minutes") * 60, "secs")
        sieve.refuse(~gone & (term <= 0), "no lifetime", missed=True)
        records = sieve.frame.select(
            "offset", "version", "hi", "lo", "length", "since",
            pl.when(gone).then("since").otherwise(pl.col("since") + term * MICRO).alias("seen"),
            pl.when(gone).then("since").otherwise(pl.col("since") + term * MICRO).alias("until"),
            gone.alias("final"),
            pl.when(wired).then(pl.lit(CIRCUIT, pl.UInt8)).otherwise(pl.lit(MAC, pl.UInt8)).alias("kind"),
            pl.coalesce("named", "mac", "duid").alias("subject"),
            pl.col("sole").fill_null(value=False).alias("strong"), *([] if doubt is None else [ERROR]),
        )  # fmt: skip
        return sieve.parsed(records)


def _text(hexed: str) -> str:
    try:
        return readable(bytes.fromhex(hexed))
    except ValueError:
        return hexed.lower()
