"""Many phrases sought in one text, quickly: each is tried only where a piece of plain letters that it needs occurs."""

import re
from collections.abc import Iterable, Iterator, Set

import numpy as np
from numpy.typing import NDArray


class Phrases:
    """Alternatives of one pattern in lower case. The text must be in lower case too."""

    def __init__(self, pattern: str) -> None:
        self._alternatives = tuple((*_needed(x), re.compile(x)) for x in _spread(pattern))
        self._plain = tuple(x for x in self._alternatives if x[0].isascii() and x[1].isascii())
        self._by_word = tuple((max(x[0].split() or [""], key=len), *x) for x in self._alternatives)
        self._plain_by_word = tuple((max(letters_of(x[0]) or [""], key=len), *x) for x in self._plain)
        self.words = frozenset(x[0] for x in (*self._by_word, *self._plain_by_word))
        """What `search_by_words` asks of a text, a word or a piece of one for each alternative."""

    @property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """The compiled alternatives."""
        return tuple(x for _, _, x in self._alternatives)

    def search(self, text: str) -> bool:
        """True when any phrase occurs."""
        for first, second, pattern in self._plain if text.isascii() else self._alternatives:
            if first in text and second in text and pattern.search(text):
                return True
        return False

    def search_by_words(self, text: str, held: Set[str]) -> bool:
        """As `search`; `held` are those of our `words` that stand in the text, so that each is sought but once."""
        if self.words.isdisjoint(held):
            return False
        for word, first, second, pattern in self._plain_by_word if text.isascii() else self._by_word:
            if word in held and first in text and second in text and pattern.search(text):
                return True
        return False

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every occurrence, phrase by phrase."""
        for first, second, pattern in self._plain if text.isascii() else self._alternatives:
            if first in text and second in text:
                yield from pattern.finditer(text)


class Pieces:
    """Many pieces of letters, sought at once: only those are looked for of whose runs of three a text has each."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = tuple(dict.fromkeys(pieces))
        self._short = tuple(x for x in self._pieces if len(x) < _RUN)
        self._long = tuple(x for x in self._pieces if len(x) >= _RUN)
        runs = [_runs_of(x) for x in self._long]
        most = max(map(len, runs), default=1)
        # A piece with fewer runs than the longest has its last one several times.
        self._needed = np.array([np.pad(x, (0, most - len(x)), mode="edge") for x in runs], dtype=np.uint16)

    def held_by(self, text: str) -> set[str]:
        """The pieces that stand in the text."""
        if len(text) < _SOON_SOUGHT or not self._long:
            return {x for x in self._pieces if x in text}
        seen = np.zeros(1 << 16, dtype=np.bool_)
        for start in range(0, len(text), _AT_ONCE):
            seen[_runs_of(text[start : start + _AT_ONCE + _RUN - 1])] = True
        possible = (self._long[x] for x in np.flatnonzero(seen[self._needed].all(axis=1)))
        return {x for x in (*possible, *self._short) if x in text}


_RUN = 3
_SOON_SOUGHT = 300
_AT_ONCE = 1 << 18


def _runs_of(text: str) -> NDArray[np.uint16]:
    """A number for each three code units that follow each other. Different ones may share it, equal ones always do."""
    units: NDArray[np.uint16] = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    runs: NDArray[np.uint16] = units[:-2] * np.uint16(8209) ^ units[1:-1] * np.uint16(161) ^ units[2:]
    return runs


_NO_LETTERS = {x: " " for x in range(128) if not chr(x).isalpha()}


def letters_of(text: str) -> list[str]:
    """The runs of letters of a text of ASCII."""
    return text.translate(_NO_LETTERS).split()


_LEADING_GROUP = re.compile(r"(\\b)?\(\?:")


def _spread(pattern: str) -> Iterator[str]:
    """The alternatives, those that need no plain letters spread over their first group so that each branch does."""
    for alternative in alternatives(pattern):
        opening = _LEADING_GROUP.match(alternative)
        end = _closing(alternative, opening.end()) if opening else -1
        if opening is None or _needed(alternative)[0] or end < 0 or alternative[end + 1 : end + 2] in _QUANTIFIERS:
            yield alternative
            continue
        for branch in alternatives(alternative[opening.end() : end]):
            yield f"{opening[1] or ''}{branch}{alternative[end + 1 :]}"


def _closing(pattern: str, start: int) -> int:
    """Where the group that opened before `start` closes, or -1."""
    depth, i, in_class = 1, start, False
    while i < len(pattern):
        sign = pattern[i]
        if sign == "\\":
            i += 2
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if not depth:
                return i
        i += 1
    return -1


def alternatives(pattern: str) -> list[str]:
    """Those of a pattern at its outermost level."""
    parts, depth, at, i = [], 0, 0, 0
    in_class = False
    while i < len(pattern):
        sign = pattern[i]
        if sign == "\\":
            i += 2
            continue
        if in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == "|" and depth == 0:
            parts.append(pattern[at:i])
            at = i + 1
        i += 1
    parts.append(pattern[at:])
    return parts


_QUANTIFIERS = frozenset("?*{")


def _needed(pattern: str) -> tuple[str, str]:
    """The two longest runs of plain letters that a text needs for the pattern to match; empty when there is none."""
    runs: list[str] = []
    run = ""
    depth, i = 0, 0
    while i < len(pattern):
        sign = pattern[i]
        follows = pattern[i + 1] if i + 1 < len(pattern) else ""
        if sign == "\\":
            runs.append(run)
            run = ""
            i += 2
            continue
        if sign == "[":
            runs.append(run)
            run = ""
            i = pattern.index("]", i + 2) + 1
            continue
        if sign == "{":
            i = pattern.index("}", i) + 1
            continue
        if sign in "()":
            depth += 1 if sign == "(" else -1
            runs.append(run)
            run = ""
        elif depth == 0 and (sign.isalnum() or sign == " " or sign == "-"):
            if follows and follows in _QUANTIFIERS:
                runs.append(run)
                run = ""
            else:
                run += sign
        else:
            runs.append(run)
            run = ""
        i += 1
    runs.append(run)
    longest = sorted((x for x in runs if len(x.strip()) >= 2), key=len, reverse=True)
    first, second = [*longest, "", ""][:2]
    return first, second
