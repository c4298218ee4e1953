"""How well readings fare on reporters that their weights did not see: figures, and the curve of confidence."""

import json
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from train_reading import OUTER, Told, _related, fold_of

from tipstaff.cli.parse import describe
from tipstaff.intake.protocol import Parser, load_parsers
from tipstaff.intake.ranking.model import Weights, weights_from
from tipstaff.intake.reading import read

_MOST_COUNTED = 20
_STEPS = 12


def run(
    told: Sequence[Told],
    learn: Callable[[Sequence[Told]], dict[str, Any]],
    *,
    predictions: Path | None,
    wrong: bool,
) -> None:
    """Learn without each tenth of the reporters, read that tenth with all parsers, and print what was right."""
    read_: dict[str, dict[str, Any]] = {}
    for fold in range(OUTER):
        kept_out = [x for x in told if fold_of(x.reporter, OUTER, salt="outer") == fold]
        weights = weights_from(learn([x for x in told if fold_of(x.reporter, OUTER, salt="outer") != fold]))
        parsers = parsers_with(weights)
        for mail in kept_out:
            read_[mail.file] = describe(mail.file, read(mail.raw, parsers=parsers))
        print(f"fold {fold + 1} of {OUTER}", file=sys.stderr, flush=True)
    if predictions:
        predictions.write_text("".join(json.dumps(x) + "\n" for x in read_.values()), encoding="utf-8")
    print(json.dumps(figures(told, read_) | {"curve": curve(told, read_)}))
    if wrong:
        for mail in told:
            if not is_right(mail, read_[mail.file])[0]:
                print(mail.file, file=sys.stderr)


def parsers_with(weights: Weights) -> tuple[Parser, ...]:
    """All parsers, those that learn with these weights instead of the shipped ones."""
    return tuple(type(x)(weights) if hasattr(x, "weights") else x for x in load_parsers())  # type: ignore[call-arg]


def named(reading: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Addresses and hosts that a reading's incidents name."""
    addresses, hosts = set(), set()
    for incident in reading["incidents"]:
        source = incident["source"] or ""
        try:
            addresses.add(str(ip_address(source)))
        except ValueError:
            try:
                host = urlsplit(source if "://" in source else f"//{source}").hostname or ""
            except ValueError:
                continue
            hosts.add(host.rstrip("."))
    return addresses, hosts - {""}


def compared(mail: Told, reading: dict[str, Any]) -> tuple[set[str], set[str]]:
    """What should have been named and what was; hosts count only where no address is meant."""
    addresses, hosts = named(reading)
    if mail.wanted["ip"]:
        return mail.wanted["ip"], addresses
    wanted = mail.wanted["host"]
    strangers = {x for x in hosts if not any(_related(x, y) for y in wanted)}
    return wanted, strangers | {y for y in wanted if any(_related(x, y) for x in hosts)}


def is_right(mail: Told, reading: dict[str, Any]) -> tuple[bool, bool | None]:
    """Whether the sources are exactly right, and whether the type is (None where it is not known)."""
    if mail.label["rejected"]:
        return not reading["incidents"], None
    wanted, found = compared(mail, reading)
    types = {x["type"] for x in reading["incidents"]}
    return wanted == found, mail.label["class"] in types if mail.label["class"] else None


def figures(told: Sequence[Told], readings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Shares of what was right, as the corpus's own scorer counts them."""
    complaints = [x for x in told if not x.label["rejected"]]
    others = [x for x in told if x.label["rejected"]]
    right = missed = extra = 0
    for mail in complaints:
        wanted, found = compared(mail, readings[mail.file])
        right += min(len(wanted & found), _MOST_COUNTED)
        missed += min(len(wanted - found), _MOST_COUNTED)
        extra += min(len(found - wanted), _MOST_COUNTED)
    classed = [x for x in complaints if x.label["class"]]
    categories = [
        any(i["type"].split("/")[0] == x.label["class"].split("/")[0] for i in readings[x.file]["incidents"])
        for x in classed
    ]
    lost = sum(1 for x in complaints if readings[x.file]["verdict"] == "not_a_complaint")
    return {
        "mails": len(complaints),
        "exact": _share(sum(is_right(x, readings[x.file])[0] for x in complaints), len(complaints)),
        "recall": _share(right, right + missed),
        "precision": _share(right, right + extra),
        "type": _share(sum(bool(is_right(x, readings[x.file])[1]) for x in classed), len(classed)),
        "category": _share(sum(categories), len(classed)),
        "set_aside": _share(sum(is_right(x, readings[x.file])[0] for x in others), len(others)),
        "complaints_set_aside": lost,
    }


def curve(told: Sequence[Told], readings: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """From each confidence on: the share of complaints read that surely, and how many of those were right."""
    points = []
    for mail in told:
        reading = readings[mail.file]
        if reading["confidence"] is None:
            continue
        sources, kind = is_right(mail, reading)
        points.append((reading["confidence"], sources and kind is not False, sources, not reading["needs_person"]))
    points.sort(key=lambda x: -x[0])
    steps = [max(1, round(len(points) * i / _STEPS)) for i in range(1, _STEPS + 1)]
    found = [_step(points[:many], len(points)) for many in steps]
    alone = [x for x in points if x[3]]
    return [*found, {"without_a_person": True} | _step(alone, len(points))] if alone else found


def _step(points: Sequence[tuple[float, bool, bool, bool]], of: int) -> dict[str, Any]:
    return {
        "from": points[-1][0],
        "share": _share(len(points), of),
        "right": _share(sum(x[1] for x in points), len(points)),
        "source_right": _share(sum(x[2] for x in points), len(points)),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
