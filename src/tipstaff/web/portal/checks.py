"""Checklists for each kind of problem, in the reader's language, beside what the edition asks for.

Which list goes with which complaint stands in `checks.toml`; the sentences are said in six languages by `said`. Pure.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from tipstaff.words import Case

from ..said import say


def checks_for(case: Case, *, language: str) -> tuple[str, ...]:
    """What to go through for a case of this kind."""
    return tuple(say(language, check) for check in checks_of(clause=case.clause, xarf_type=case.type))


def checks_of(*, clause: str, xarf_type: str) -> tuple[str, ...]:
    """The list of a clause, else of its group, else of the kind of complaint (`connection/ddos`, then `connection`)."""
    lists, of = lists_of_checks(), _which()
    wanted = (clause, clause.partition(".")[0] + ".", xarf_type, xarf_type.partition("/")[0])
    return lists[next((of[each] for each in wanted if each in of), "any")]


@cache
def lists_of_checks() -> Mapping[str, tuple[str, ...]]:
    """Every list in English, by its name."""
    return {name: tuple(each["checks"]) for name, each in _file().items()}


@cache
def _which() -> Mapping[str, str]:
    return {key: name for name, each in _file().items() for key in each["for"]}


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads((resources.files("tipstaff.web.portal") / "checks.toml").read_text("utf-8"))
