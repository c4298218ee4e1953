"""Patterns of one line: words as they stand, with `{source}`, `{time}` ... where values stand.

They are matched from left to right without ever going back, so a line takes time in proportion to its length, whatever
it says. `{any}` passes over up to 300 characters.
"""

import re
from dataclasses import dataclass

FIELDS = frozenset(
    [
        "source",
        "port",
        "time",
        "target",
        "target_port",
        "url",
        "domain",
        "protocol",
        "kind",
        "reference",
        "work",
        "claimant",
    ]
)
_TOKENS = frozenset(["source", "port", "target", "target_port", "url", "domain", "protocol"])
"""Values without a blank; the others are text up to the words that follow."""
TIME = re.compile(
    r"(?:\d{4}[-/.]\d\d[-/.]\d\d(?:T|,? {1,2})\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?"
    r"|\d{1,2}[./ -](?:\d{1,2}|[A-Za-z]{3,9})[./ :-]\d{4}(?:,|:)? ?\d\d:\d\d(?::\d\d)?"
    r"|(?:[A-Z][a-z]{2},? )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?)"
    r"( ?(?:Z\b|UTC|GMT|[A-Z]{3,4}\b|[+-]\d\d:?\d\d))?"
)
"""A date with a time of day as logs write it; its group is the zone."""
_PART = re.compile(r"\{([a-z_]{1,20})\}")
_LONGEST_LINE = 2000
_LONGEST_VALUE = 300
_TRIES = 50


class BadPattern(ValueError):
    """The pattern cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern: literals and field names in turn."""

    text: str
    parts: tuple[tuple[bool, str], ...]
    """(is a field, its name or the literal)."""

    def match(self, line: str) -> dict[str, str] | None:
        """The fields' values, or None when the line is not of this pattern."""
        line = line[:_LONGEST_LINE]
        first_is_field, first = self.parts[0]
        if first_is_field:
            return self._from(line, len(line) - len(line.lstrip(" \t>|*-•")))
        at = line.find(first)
        for _ in range(_TRIES):
            if at < 0:
                return None
            found = self._from(line, at)
            if found is not None:
                return found
            at = line.find(first, at + 1)
        return None

    def _from(self, line: str, at: int) -> dict[str, str] | None:
        found: dict[str, str] = {}
        n = 0
        while n < len(self.parts):
            is_field, what = self.parts[n]
            if not is_field:
                if not line.startswith(what, at):
                    return None
                at += len(what)
                n += 1
                continue
            following = self.parts[n + 1][1] if n + 1 < len(self.parts) else ""
            end = _end_of(line, at, what, following)
            if end is None or end - at > _LONGEST_VALUE:
                return None
            value = line[at:end].strip()
            if what != "any":
                if not value:
                    return None
                found.setdefault(what, value)
            at = end
            n += 1
        return found


def _end_of(line: str, at: int, what: str, following: str) -> int | None:
    if what in _TOKENS:
        end = at
        while end < len(line) and not line[end].isspace():
            end += 1
        if not following:
            return end
        bare = following.split(" ")[0] if not following.startswith(" ") else ""
        if not bare:
            return end if line.startswith(following, end) else None
        # The last place: what separates an address from its port stands within an address too.
        cut = line.rfind(bare, at, end)
        return cut if cut >= 0 and line.startswith(following, cut) else None
    if what == "time" and (stamp := TIME.match(line, at)):
        ends = (stamp.end(), stamp.start(1) if stamp[1] else stamp.end())
        fits = [x for x in ends if line.startswith(following, x)]
        if fits:
            return fits[0]
    if not following:
        return min(len(line), at + _LONGEST_VALUE)
    found = line.find(following, at)
    return found if found >= 0 else None


def compile_pattern(text: str) -> Pattern:
    """Raise BadPattern for one that names unknown fields, two fields side by side, or no field."""
    parts: list[tuple[bool, str]] = []
    at = 0
    for found in _PART.finditer(text):
        if found.start() > at:
            parts.append((False, text[at : found.start()]))
        name = found[1]
        if name != "any" and name not in FIELDS:
            raise BadPattern(f"{{{name}}} is no field; known are any, {', '.join(sorted(FIELDS))}")
        if parts and parts[-1][0]:
            raise BadPattern(f"{{{parts[-1][1]}}} and {{{name}}} stand side by side; something must be between them")
        parts.append((True, name))
        at = found.end()
    if at < len(text):
        parts.append((False, text[at:]))
    if not any(is_field and name != "any" for is_field, name in parts):
        raise BadPattern(f"{text!r} has no field such as {{source}}")
    if len(text) > 500:
        raise BadPattern("a pattern has at most 500 characters")
    return Pattern(text, tuple(parts))
