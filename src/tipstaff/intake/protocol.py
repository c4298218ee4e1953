"""What a parser is: it turns a mail into allegations or says that the mail is not in its form; it believes nothing."""

from functools import cache
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from tipstaff.words import Reading

from .mail import Mail

GROUP = "tipstaff.parsers"
"""The entry-point group by which parsers are found."""


@runtime_checkable
class Parser(Protocol):
    """Reads one form of complaint."""

    name: str
    """Unique, lower case: it stands in every Reading."""
    priority: int
    """Parsers are asked in ascending order; exact forms below 100, guesses above."""

    def read(self, mail: Mail) -> Reading | None:
        """The reading of `mail`, or None when it is not in this parser's form. It raises nothing by design."""
        ...


class ParserIsBroken(Exception):
    """A plug-in registered as a parser is none; repair or remove the package that brings it."""

    permanent = True


@cache
def load_parsers() -> tuple[Parser, ...]:
    """All registered parsers, the one to be asked first in front."""
    found: list[Parser] = []
    for point in entry_points(group=GROUP):
        try:
            parser = point.load()()
        except Exception as why:
            raise ParserIsBroken(f"{point.name} ({point.value}): {why}") from why
        if not isinstance(parser, Parser):
            raise ParserIsBroken(f"{point.name} ({point.value}) has no name, priority or read")
        found.append(parser)
    return tuple(sorted(found, key=lambda x: (x.priority, x.name)))
