"""A rule as a device keeps it, in JSON, so that it can be read back, compared and lifted without any plan. Pure."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from ipaddress import ip_network
from operator import attrgetter
from typing import Any

from tipstaff.enforcement.planner import fingerprint
from tipstaff.words import Degree, Direction, Rule, Selector

NAMES = tuple(field.name for field in fields(Selector) if field.name not in ("network", "direction", "remote"))
"""What a selector may name beside its networks and direction. One that were forgotten would make a rule wider."""
_named = attrgetter(*NAMES)
_WRITER = json.JSONEncoder(separators=(",", ":"))


def line_of(rule: Rule, **more: object) -> str:
    """One line of JSON in ASCII: the rule, its fingerprint, and what the driver wants to remember with it."""
    s = rule.selector
    kept: dict[str, object] = {
        "measure": rule.measure,
        "fingerprint": fingerprint(rule),
        "case": rule.case,
        "degree": int(rule.degree),
        **{name: value for name, value in zip(NAMES, _named(s), strict=True) if value is not None},
        **more,
    }
    if s.network is not None:
        kept["network"] = str(s.network)
    if s.remote is not None:
        kept["remote"] = str(s.remote)
    if s.direction is not Direction.BOTH:
        kept["direction"] = str(s.direction)
    if rule.until is not None:
        kept["until"] = rule.until.isoformat()
    if rule.by_law:
        kept["by_law"] = True
    return _WRITER.encode(kept)


def read_line(line: str) -> tuple[Rule, Mapping[str, Any]]:
    """The rule of a line and all that stands in it; raise ValueError, KeyError or TypeError for what is none."""
    kept = json.loads(line)
    rule = Rule(
        measure=kept["measure"],
        case=kept["case"],
        degree=Degree(kept["degree"]),
        until=datetime.fromisoformat(kept["until"]) if "until" in kept else None,
        by_law=kept.get("by_law", False),
        selector=selector_of(kept),
    )
    return rule, kept


def selector_of(kept: Mapping[str, Any]) -> Selector:
    """A selector out of its JSON."""
    network, remote = kept.get("network"), kept.get("remote")
    return Selector(
        network=ip_network(network) if network else None,
        remote=ip_network(remote) if remote else None,
        direction=Direction(kept.get("direction", "both")),
        **{name: kept[name] for name in kept.keys() & NAMES},
    )


def has_ended(rule: Rule, *, at: datetime) -> bool:
    """Whether its time is over."""
    return rule.until is not None and rule.until <= at
