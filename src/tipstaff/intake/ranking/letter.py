"""Which kind of abuse a letter as a whole speaks of, and how sure that is; forms that do not say it ask here too."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

from ..mail import Mail
from ..text.kinds import named_on, weigh_kinds
from ..text.sections import Line, lay_out
from . import kinds
from .model import Classes, Weights, sigmoid

UNKNOWN_KIND = "reputation/threat_intelligence"
"""The type of a complaint that names somebody and no kind of abuse: a person looks at it."""
_RULES_OUTWEIGH = 8.0
_HARDLY_LEARNED = 0.3
_NARROWER = frozenset(
    {
        "copyright/p2p",
        "connection/sql_injection",
        "connection/vulnerability_scan",
        "connection/scraping",
        "content/remote_compromise",
        "content/exposed_data",
    }
)
"""Kinds of which few reporters complain, so that they are known by rules only."""
_ITEM = re.compile(r"\s{0,8}(?:[-*•·–]|\d{1,2}[.)])\s{1,10}\S")
_ITEMS_FROM = 4
_KINDS_FROM = 4


def kind_of_letter(mail: Mail, weights: Weights) -> tuple[str, float]:
    """The kind of abuse that the mail's words mean, and how sure that is, 0 to 1."""
    text = prose(lay_out(mail))
    return kind_of(mail.subject, text, weigh_kinds(subject=mail.subject, text=text), weights)


def kind_of(subject: str, text: str, rules: dict[str, float], weights: Weights) -> tuple[str, float]:
    """The kind of abuse, and how sure that is, 0 to 1; `rules` are the points of `weigh_kinds`.

    It is what was learned, or a narrower kind of the same category that words speak of and that is not learned.
    """
    facts = kinds.facts(subject=subject, text=text, rules=rules)
    kind, doubts = judged(facts, rules, weights.kinds)
    return (kind, sigmoid(weights.sure_kind.score(doubts))) if rules else (UNKNOWN_KIND, 0.0)


def judged(
    facts: list[tuple[str, float]], rules: Mapping[str, float], classes: Classes
) -> tuple[str, list[tuple[str, float]]]:
    """The kind that a letter's `facts` and the points of its `rules` mean, and what tells how sure that is."""
    learned, chance, following = kinds.likeliest(facts, classes, rules)
    best = max(rules, key=lambda x: (rules[x], x), default="")
    same = best.partition("/")[0] == learned.partition("/")[0] or chance < _HARDLY_LEARNED
    if best == learned or not (best in _NARROWER and same and rules[best] >= _RULES_OUTWEIGH):
        return learned, kinds.doubts(chance, following, learned, facts)
    chance = max(chance, rules[best] / (sum(rules.values()) + 1.0))
    return best, [*kinds.doubts(chance, 0.0, best, facts), ("narrower", 1.0)]


def prose(lines: list[Line]) -> str:
    """The words to judge the kind of abuse by: what the reporter wrote, and the logs; not register entries."""
    own = _without_policies([x.plain for x in lines if x.zone in ("body", "quoted", "signature")])
    other = [x.plain for x in lines if x.zone in ("file", "embedded", "headers", "file_headers")][:120]
    return "\n".join(own)[:14_000] + "\n" + "\n".join(other)[:5000]


def _without_policies(lines: Sequence[str]) -> list[str]:
    """Without lists whose items go through the kinds one by one: they tell a policy, or all that may be the matter."""
    kept: list[str] = []
    items: list[str] = []
    for line in chain(lines, ("end",)):
        if _ITEM.match(line) or (items and not line.strip()):
            items.append(line)
            continue
        if items:
            if len(items) < _ITEMS_FROM or len(frozenset().union(*map(named_on, items))) < _KINDS_FROM:
                kept += items
            items.clear()
        kept.append(line)
    kept.pop()
    return kept
