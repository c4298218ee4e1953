"""The first form of X-ARF, 0.1 and 0.2: YAML, read by the safe loader without aliases, else line by line."""

import re
from datetime import date, datetime

import yaml

_LONGEST = 20_000
_NAME = re.compile(r"[A-Za-z][A-Za-z-]{1,40}")


class _Plain(yaml.SafeLoader):
    """Plain texts only: an alias can unfold to more than any memory holds, and a report needs none."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are refused")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def first_form(text: str) -> dict[str, str]:
    """The report's fields by lower-case names. What is no YAML is read as `Name: value` lines."""
    document = text[:_LONGEST]
    start = document.find("---")
    if start >= 0:
        document = document[start + 3 :]
    end = re.search(r"^(?:\.\.\.|---)\s*$", document, re.MULTILINE)
    try:
        # The loader is a SafeLoader's: it builds texts, numbers, dates, lists and maps, and calls nothing.
        found = yaml.load(document[: end.start()] if end else document, Loader=_Plain)  # noqa: S506
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, AttributeError):
        found = None
    if isinstance(found, dict):
        fields = {str(name).strip().lower(): _said(value) for name, value in list(found.items())[:200]}
        if "source" in fields or "source-ip" in fields:
            # The loader may turn a time into a date of its own, without the zone that was written: the line keeps it.
            return {**fields, **{n: v for n, v in _lines(text).items() if n in ("date", "source", "report-id")}}
    return _lines(text)


def _said(value: object) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, list):
        return next((str(x) for x in value if isinstance(x, (str, int))), "")[:2000]
    return str(value)[:2000].strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text[:_LONGEST].splitlines():
        name, colon, value = line.partition(":")
        if colon and _NAME.fullmatch(name.strip()):
            found.setdefault(name.strip().lower(), value.strip().strip("\"'"))
    return found
