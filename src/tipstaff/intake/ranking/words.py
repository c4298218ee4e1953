"""The words around a thing that a mail names, as features: where each stands, cut to a stem, and never a name."""

import re
from zlib import crc32

_WORD = re.compile(r"[^\W\d_]{2,24}")
_STEM = 8
"""Letters kept of a word: enough to tell `attack` from `attach`, short enough to join a word's forms."""
_NEAR = 60
_BEFORE = 5
_AFTER = 4
_LABEL = 12
_LABEL_LETTERS = 120


def around(text: str, start: int, end: int, *, label: str, title: str = "") -> list[str]:
    """Words before and after a place in a line, the nearest apart; of the label above when nothing stands before."""
    found: list[str] = []
    before = _WORD.findall(text[max(0, start - _NEAR) : start].lower())[-_BEFORE:]
    if before:
        found.append(f"b1={before[-1][:_STEM]}")
        found += [f"b={x[:_STEM]}" for x in before]
        if len(before) > 1:
            found.append(f"b2={before[-2][:_STEM]} {before[-1][:_STEM]}")
    else:
        found += [f"l={x[:_STEM]}" for x in _WORD.findall(label[-_LABEL_LETTERS:].lower())[-_LABEL:]]
    if title:
        found += [f"h={x[:_STEM]}" for x in _WORD.findall(title.lower())[:4]]
    after = _WORD.findall(text[end : end + _NEAR].lower())[:_AFTER]
    if after:
        found.append(f"a1={after[0][:_STEM]}")
        found += [f"a={x[:_STEM]}" for x in after]
    return found


def number(feature: str) -> int:
    """The number by which a feature is known: no word travels in the weights."""
    return crc32(feature.encode("utf-8", "replace"))
