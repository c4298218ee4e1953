"""How well readings fare on reporters that their weights did not see: figures, and the curve of confidence."""

import json
import sys
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from scipy.stats import beta
from train_reading import OUTER, Told, _related, fold_of, is_kind

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
    split: str,
    predictions: Path | None,
    wrong: bool,
) -> None:
    """Learn without each tenth of the reporters, read that tenth with all parsers, and print what was right.

    The reporters are parted by `split`, a name.
    """
    read_: dict[str, dict[str, Any]] = {}
    for fold in range(OUTER):
        kept_out = [x for x in told if fold_of(x.reporter, OUTER, salt=split) == fold]
        weights = weights_from(learn([x for x in told if fold_of(x.reporter, OUTER, salt=split) != fold]))
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
    """From each confidence on: the share of mails read that surely, and how many of those were right.

    After it what needs no person: all of it, what was read by a form, and what was read by its words.
    """
    points = []
    for mail in told:
        reading = readings[mail.file]
        if reading["confidence"] is None:
            continue
        sources, kind = is_right(mail, reading)
        points.append(_Point(
            reading["confidence"], sources, kind is not False, all(_may_be(mail, x) for x in reading["incidents"]),
            not reading["needs_person"], mail.by_words,
        ))  # fmt: skip
    points.sort(key=lambda x: -x.confidence)
    steps = [max(1, round(len(points) * i / _STEPS)) for i in range(1, _STEPS + 1)]
    found = [_step(points[:many], len(points)) for many in steps]
    alone = [x for x in points if x.alone]
    by_form, by_words = [x for x in alone if not x.by_words], [x for x in alone if x.by_words]
    parts = {"all": alone, "by_form": by_form, "by_words": by_words}
    return [*found, *({"without_a_person": name} | _step(part, len(points)) for name, part in parts.items() if part)]


class _Point(NamedTuple):
    """One reading: how sure it is, and what of it is right."""

    confidence: float
    sources: bool
    kind: bool
    kind_may_be: bool
    """Whether no label says that its kind is wrong: some know of no narrower kinds."""
    alone: bool
    by_words: bool


def _may_be(mail: Told, incident: dict[str, Any]) -> bool:
    return is_kind(mail.label["class"], incident["type"]) is not False


def _step(points: Sequence[_Point], of: int) -> dict[str, Any]:
    right = sum(x.sources and x.kind_may_be for x in points)
    return {
        "from": points[-1].confidence,
        "many": len(points),
        "share": _share(len(points), of),
        "right": _share(sum(x.sources and x.kind for x in points), len(points)),
        "right_or_narrower": _share(right, len(points)),
        "at_least": at_least(right, len(points)),
        "source_right": _share(sum(x.sources for x in points), len(points)),
    }


def at_least(right: int, many: int) -> float:
    """The share of right ones that so many tell for certain, once in twenty wrongly (Clopper and Pearson, 1934)."""
    return round(float(beta.ppf(0.05, right, many - right + 1)), 4) if right else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
