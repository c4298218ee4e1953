"""Neighbour tables (ARP, ND) as they were read from time to time: `ip -j neigh`, one look a line."""

import json
from typing import Any

import polars as pl

from tipstaff.words import RefusedLine

from ...protocol import MAC, REFUSED_TOLD_MAX, Joins, Lines, Options, Parsed, Stretch
from ...reading import instants, line_starts, prefixes

_HEARD = {"REACHABLE", "DELAY"}
"""States in which the neighbour has answered lately (RFC 4861 section 7.3.2); STALE may be anybody's past."""


class Table(Lines):
    """A line is `{"at": INSTANT, "neighbours": [...]}` with the array that `ip -j neigh` prints."""

    kind = "neighbours"
    proves = "that a hardware address answered for an address when the router looked; anybody on the link can claim one"
    clock = "of the machine that looked"
    gaps = "everything between two looks; who was silent"
    joins = Joins.SIGHTING

    def read(self, stretch: Stretch, options: Options) -> Parsed:
        rows: list[tuple[int, str, str, str]] = []
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
            rows += [(stretch.offset + int(start), str(look["at"]), a, m) for a, m in _heard(look)]
        schema = {"offset": pl.Int64, "at": pl.String, "address": pl.String, "subject": pl.String}
        frame = prefixes(pl.DataFrame(rows, schema=schema, orient="row"), "address")
        frame = frame.with_columns(pl.Series("since", instants(frame, "at", zone=options.zone)))
        good = frame.filter(pl.col("lo").is_not_null() & pl.col("since").is_not_null())
        bad = frame.filter(pl.col("lo").is_null() | pl.col("since").is_null())
        refused += [RefusedLine(offset=o, why="no address, or no instant with a zone") for o in bad["offset"]]
        records = good.select(
            "offset", "version", "hi", "lo", "length", "since", pl.col("since").alias("seen"), "subject",
            pl.lit(MAC, pl.UInt8).alias("kind"), pl.lit(False).alias("strong"),
        )  # fmt: skip
        covers = None
        if records.height:
            covers = (int(records["since"].min()), int(records["since"].max()))  # type: ignore[arg-type]  # no nulls
        return Parsed(
            records=records,
            count=count,
            refused=sorted(refused, key=lambda r: r.offset)[:REFUSED_TOLD_MAX],
            refused_total=len(refused),
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


def _heard(look: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (str(n["dst"]), str(n["lladdr"]).lower())
        for n in look["neighbours"]
        if isinstance(n, dict) and n.get("dst") and n.get("lladdr") and _HEARD & set(n.get("state", ()))
    ]
