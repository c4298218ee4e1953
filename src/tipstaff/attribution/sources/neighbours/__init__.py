"""Neighbour tables (ARP, ND) as they were read from time to time, one look a line (`neighbour_tables.py`)."""

import json
from typing import Any

import numpy as np
import polars as pl

from tipstaff.words import RefusedLine

from ...neighbour_tables import heard, unstated
from ...protocol import MAC, REFUSED_TOLD_MAX, Joins, Lines, Options, Parsed, Stretch
from ...reading import instants, line_starts, prefixes


class Table(Lines):
    """A line is `{"at": INSTANT, "neighbours": [...]}` with the array that `ip -j neigh` prints.

    A look that took its time says in `began` when it began: the clock is then wrong by as much. An entry of a table
    without states shows who was possible and never who it surely was.
    """

    kind = "neighbours"
    proves = "that a hardware address answered for an address when the router looked; anybody on the link can claim one"
    clock = "of the machine that looked"
    gaps = "everything between two looks; who was silent"
    joins = Joins.SIGHTING

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        rows: list[tuple[int, str, str, str, str, bool]] = []
        refused: list[RefusedLine] = []
        count = 0
        for start, line in zip(line_starts(stretch.data), stretch.data.splitlines(), strict=True):
            if not line.strip():
                continue
            count += 1
            look = _look(line)
            if isinstance(look, str):
                refused.append(RefusedLine(offset=stretch.offset + int(start), why=look))
                continue
            at, began = str(look["at"]), str(look.get("began", look["at"]))
            rows += [(stretch.offset + int(start), at, began, *neighbour) for neighbour in _heard(look)]
        schema = {"offset": pl.Int64, "at": pl.String, "began": pl.String, "address": pl.String, "subject": pl.String,
                  "begun": pl.Boolean}  # fmt: skip
        frame = prefixes(pl.DataFrame(rows, schema=schema, orient="row"), "address")
        frame = frame.with_columns(
            pl.Series("since", instants(frame, "at", zone=options.zone)),
            pl.Series("began", instants(frame, "began", zone=options.zone)),
        )
        good = frame.filter(pl.col("lo").is_not_null() & pl.col("since").is_not_null())
        bad = frame.filter(pl.col("lo").is_null() | pl.col("since").is_null())
        refused += [RefusedLine(offset=o, why="no address, or no instant with a zone") for o in bad["offset"]]
        records = good.select(
            "offset", "version", "hi", "lo", "length", "since", pl.col("since").alias("seen"), "subject", "begun",
            pl.when("begun").then(pl.lit("")).otherwise(pl.lit("unstated")).alias("session"),
            pl.lit(MAC, pl.UInt8).alias("kind"), pl.lit(False).alias("strong"),
        )  # fmt: skip
        took = good.select((pl.col("since") - pl.col("began")).drop_nulls()).to_series().to_numpy()
        covers = None
        if records.height:
            covers = (int(records["since"].min()), int(records["since"].max()))  # type: ignore[arg-type]  # no nulls
        return Parsed(
            records=records,
            count=count,
            refused=sorted(refused, key=lambda r: r.offset)[:REFUSED_TOLD_MAX],
            refused_total=len(refused),
            # However few they are, one slow look makes all that it saw as unsure as it was slow.
            lateness=np.array([took.max()]) if len(took) else None,
            covers=covers,
        )


def _look(line: bytes) -> dict[str, Any] | str:
    """The look of a line, or why it is none."""
    try:
        look = json.loads(line)
    except ValueError:
        return "no JSON"
    if not isinstance(look, dict) or "at" not in look or not isinstance(look.get("neighbours"), list):
        return 'no object with "at" and "neighbours"'
    return look


def _heard(look: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Address, hardware, and whether it answered lately."""
    return [
        (str(n["dst"]), str(n["lladdr"]).lower(), heard(n))
        for n in look["neighbours"]
        if isinstance(n, dict) and n.get("dst") and n.get("lladdr") and (heard(n) or unstated(n))
    ]
