"""Conditions of clauses in CEL, the Common Expression Language (cel.dev): no loops, no side effects, always an end.

A condition is compiled once, when its edition is read. It sees two names: `report`, what a report states, and `facts`,
what a finding or an event states. It holds only where its value is true: what cannot be said of a fact that is not
stated does not hold.
"""

import importlib.util
import re
import sys
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from types import ModuleType
from typing import TYPE_CHECKING

from tipstaff.words import Allegation, Stated, StatedFacts

if TYPE_CHECKING:
    import cel

NAMES = frozenset({"report", "facts"})
REPORT_FACTS = ("type", "protocol", "source_port", "target_port", "url", "domain", "target", "confidence")
_TEXT_MAX = 1000
_STRING = r"""(?:'[^']*'|"[^"]*")"""


class BadCondition(ValueError):
    """The condition cannot be read; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: its text, by which it is compared, and its compiled form."""

    text: str
    program: "cel.Program" = field(compare=False, repr=False)

    def holds(self, *, report: StatedFacts | None = None, facts: StatedFacts | None = None) -> bool:
        """Whether it is true of what is stated; an expression that cannot be worked out is not."""
        return self.ask(report=report, facts=facts) is True

    def ask(self, *, report: StatedFacts | None = None, facts: StatedFacts | None = None) -> bool | None:
        """Whether it is true of what is stated; what asks for something unstated is not. None where it cannot be worked
        out."""
        value = self._work_out(report, facts)
        if isinstance(value, bool):
            return value
        return False if isinstance(value, KeyError) else None

    def why_not(self, *, report: StatedFacts | None = None, facts: StatedFacts | None = None) -> str | None:
        """None where it holds; else why not, for somebody who writes an edition."""
        value = self._work_out(report, facts)
        match value:
            case bool():
                return None if value else "it is false"
            case KeyError():
                return f"nothing is stated about {value.args[0]!r}"
            case Exception():
                return re.split(r"[.\n]", str(value))[0]
        return f"its value is {value!r}, neither true nor false"

    def failure(self, *, report: StatedFacts | None = None, facts: StatedFacts | None = None) -> str:
        """Why it is neither true nor false of what is stated, in words that repeat nothing of it; empty where it is
        one of the two, or asks for what nobody stated."""
        value = self._work_out(report, facts)
        match value:
            case bool() | KeyError():
                return ""
            case TypeError():
                return "it compares what is not of one kind"
            case LookupError():
                return "it asks for a place that a list does not have"
            case ArithmeticError():
                return "its arithmetic has no result"
            case Exception():
                return "it calls something that does not take what is stated"
        return "its value is neither true nor false"

    def _work_out(self, report: StatedFacts | None, facts: StatedFacts | None) -> object:
        """Its value, or what kept it from having one."""
        try:
            value: object = self.program.execute({"report": dict(report or {}), "facts": _plain(facts or {})})
        except (LookupError, TypeError, ValueError, RuntimeError, ArithmeticError) as why:
            return why
        return value


def read_condition(text: str) -> Condition:
    """Compile a condition; raises BadCondition with one sentence."""
    if len(text) > _TEXT_MAX:
        raise BadCondition(f"the condition has {len(text)} characters; {_TEXT_MAX} are the most.")
    try:
        program = _cel.compile(text)
    except ValueError as why:
        found = re.search(r"ERROR: <input>:\d+:(\d+): ([^\n]+)", str(why))
        where, what = (f"at character {found.group(1)}", found.group(2)) if found else ("", str(why).splitlines()[0])
        raise BadCondition(f"the condition cannot be read {where}: {what[:160].rstrip('. ')}.") from why
    for name in sorted(set(program.variables()) - NAMES):
        raise BadCondition(f'the condition names "{name}"; it may name report and facts only.')
    condition = Condition(text, program)
    if (unknown := re.search(r"^Undefined variable or function: '(\w+)'", condition.why_not() or "")) is not None:
        raise BadCondition(f'the condition calls "{unknown.group(1)}", which CEL does not know.')
    return condition


def names_in(text: str, of: str) -> frozenset[str]:
    """What a condition asks of `report` or `facts` by name: `facts.days`, `facts["days"]`, `"days" in facts`."""
    indexed = re.findall(rf"(?<![\w.]){of}\s*\[\s*({_STRING})\s*\]", text)
    looked_for = re.findall(rf"({_STRING})\s+in\s+{of}(?!\w)", text)
    bare = re.sub(_STRING, "''", text)
    fields = re.findall(rf"(?<![\w.]){of}\s*\.\s*\??(\w+)\b(?!\s*\()", bare)
    return frozenset((*fields, *(quoted[1:-1] for quoted in (*indexed, *looked_for))))


def report_facts(allegation: Allegation) -> dict[str, Stated]:
    """What a condition may ask of a report: only what is stated is there."""
    stated = {name: getattr(allegation, name) for name in REPORT_FACTS}
    return {name: value for name, value in stated.items() if value is not None}


def _plain(facts: StatedFacts) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}


def _load_cel() -> ModuleType:
    """CEL's compiled part alone: its package would first import a terminal program of its own, for 0.4 s."""
    package = importlib.util.find_spec("cel")
    if "cel" not in sys.modules and package is not None and package.submodule_search_locations:
        for folder in package.submodule_search_locations:
            spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec("cel.cel")
            if spec is not None and spec.loader is not None:
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return importlib.import_module("cel")


_cel = _load_cel()
