"""Which kind of abuse is meant: words of the subject and the text, and what the rules of `text.kinds` found in them."""

import math
import re
from collections import Counter
from collections.abc import Mapping

from ..text.phrases import letters_of
from .model import Classes

LENGTH = 6.0
"""To which length a mail's features are scaled."""
_RULES = 0.6
_CATEGORY = 0.6
_FEW_POINTS = 4.0
"""So many points speak for no kind: a single word that stands in any mail decides nothing."""
_LONGEST_WORD = 24
_WORD = re.compile(rf"[^\W\d_]{{2,{_LONGEST_WORD}}}")
_STEM = 9
_SUBJECT_WORDS = 40
_TEXT_WORDS = 1200
_TEXT_LETTERS = 8000
_EARLY = 60
_STRENGTHS = tuple(min(1.0, 0.4 + 0.2 * math.log1p(x)) for x in range(20))
"""What a word counts that occurs so many times."""


def facts(*, subject: str, text: str, rules: Mapping[str, float]) -> list[tuple[str, float]]:
    """Features of a mail with their strengths. Those that begin with `#` are no words of the mail."""
    found: dict[str, float] = {}
    for word in _words(subject.lower())[:_SUBJECT_WORDS]:
        found[f"s={word[:_STEM]}"] = 1.0
    words = [x[:_STEM] for x in _words(text[:_TEXT_LETTERS].lower())[:_TEXT_WORDS]]
    for word, count in Counter(words).items():
        found[f"w={word}"] = _STRENGTHS[count] if count < len(_STRENGTHS) else 1.0
    for word in words[:_EARLY]:
        found[f"f={word}"] = 0.7
    whole = sum(rules.values()) + _FEW_POINTS
    for kind, points in rules.items():
        found[f"#r={kind}"] = 0.3 * math.log1p(points)
        found[f"#p={kind}"] = 6.0 * points / whole
    found[f"#top={max(rules, key=lambda x: (rules[x], x))}" if rules else "#none"] = 3.0 if rules else 1.0
    return list(found.items())


def _words(text: str) -> list[str]:
    """The runs of letters of a text in lower case that are neither single nor too long for a word."""
    if not text.isascii():
        return _WORD.findall(text)
    found = letters_of(text)
    return [x for x in found if len(x) > 1] if max(map(len, found), default=0) <= _LONGEST_WORD else _WORD.findall(text)


def likeliest(
    features: list[tuple[str, float]], classes: Classes, rules: Mapping[str, float]
) -> tuple[str, float, float]:
    """The likeliest learned kind, its likelihood, and that of the next.

    Rules count beside what was learned: they know the kinds of which only few reporters complain. Where two kinds are
    nearly as likely, the one of the likelier category comes first.
    """
    whole = sum(rules.values()) + _FEW_POINTS
    chances = [
        (chance + _RULES * rules.get(name, 0.0) / whole) / (1 + _RULES)
        for name, chance in zip(classes.names, classes.probabilities(features, length=LENGTH), strict=True)
    ]
    of_category: dict[str, float] = {}
    categories = [x.partition("/")[0] for x in classes.names]
    for category, chance in zip(categories, chances, strict=True):
        of_category[category] = of_category.get(category, 0.0) + chance
    order = sorted(range(len(chances)), key=lambda i: -(chances[i] + _CATEGORY * of_category[categories[i]]))
    return classes.names[order[0]], chances[order[0]], chances[order[1]] if len(order) > 1 else 0.0


def doubts(chance: float, following: float, kind: str, features: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Features from which it is told how sure the kind is."""
    by_rules = [x for x in features if x[0][0] == "#"]
    top = f"#top={kind}"
    agrees = any(name == top for name, _ in by_rules)
    points = max((math.expm1(s / 0.3) for name, s in by_rules if name.startswith("#r=")), default=0.0)
    return [
        ("chance", chance),
        ("gap", chance - following),
        ("clear", float(chance > 0.8)),
        ("rules agree", float(agrees)),
        ("both", float(agrees and chance > 0.6)),
        ("many points", min(1.0, points / 15.0)),
    ]
