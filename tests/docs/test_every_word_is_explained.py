"""Every reason, state, plug-in, setting, command and option stands in docs/."""

import enum
import importlib
import re
from importlib.metadata import entry_points

import pytest
import typer

from tipstaff import words
from tipstaff.config import load

from .documents import DOCS, documentation, quoted

EXPLAINED: tuple[type[enum.Enum], ...] = (
    words.EvidenceGrade,
    words.ReadingReason,
    words.ReadingOutcome,
    words.ReportOutcome,
    words.AttributionReason,
    words.Grade,
    words.Use,
    words.Ending,
    words.SubjectKind,
    words.Reason,
    words.Disposition,
    words.CaseState,
    words.CaseOutcome,
    words.Answer,
    words.LetterKind,
    words.LetterState,
    words.MeasureState,
    words.Proof,
    words.Seen,
    words.Scope,
    words.Degree,
)


@pytest.mark.parametrize(
    "member", [pytest.param(member, id=f"{kind.__name__}.{member.name}") for kind in EXPLAINED for member in kind]
)
def test_every_reason_and_state_is_explained(member: enum.Enum) -> None:
    spellings = {member.name, str(member.value)} - {""}
    rows = [word for word in spellings if re.search(rf"^\|[^|\n]*`{re.escape(word)}`", documentation(), re.M)]
    assert rows, f"{type(member).__name__}.{member.name} needs a row in a table of docs/explain"


@pytest.mark.parametrize("group", ["tipstaff.parsers", "tipstaff.drivers", "tipstaff.sources", "tipstaff.feeds"])
def test_every_plug_in_is_named(group: str) -> None:
    names = [point.name for point in entry_points(group=group)]
    assert names, "the package is installed"
    assert [name for name in names if not quoted(name)] == []
    assert quoted(group)


def _commands() -> list[tuple[str, list[str]]]:
    """(command, its options' names) for every command there is."""
    main = importlib.import_module("tipstaff.cli.main")
    found: list[tuple[str, list[str]]] = []

    def walk(command: object, path: str) -> None:
        options = [
            name
            for parameter in getattr(command, "params", ())
            if parameter.param_type_name == "option"
            for name in (*parameter.opts, *parameter.secondary_opts)
        ]
        found.append((path, options))
        for name, below in getattr(command, "commands", {}).items():
            walk(below, f"{path} {name}")

    walk(typer.main.get_command(main.app), "tipstaff")
    return found


@pytest.mark.parametrize(("command", "options"), [pytest.param(*each, id=each[0]) for each in _commands()])
def test_every_command_is_explained_with_its_options(command: str, options: list[str]) -> None:
    page = (DOCS / "operate" / "index.md").read_text(encoding="utf-8")
    last = command.split()[-1]
    assert re.search(rf"`[^`\n]*\b{re.escape(last)}\b[^`\n]*`", page), f"{command} needs a row in docs/operate/index.md"
    everywhere = documentation()
    missing = [o for o in options if not re.search(rf"(?<![\w-]){re.escape(o)}(?![\w-])", everywhere)]
    assert missing == [], f"{command}: not explained"


def _without_help() -> list[str]:
    """What `--help` names and says nothing of: a command, an argument or an option."""
    main = importlib.import_module("tipstaff.cli.main")
    found: list[str] = []

    def walk(command: object, path: str) -> None:
        if not getattr(command, "help", None):
            found.append(path)
        found.extend(f"{path}: {p.name}" for p in getattr(command, "params", ()) if not getattr(p, "help", None))
        for name, below in getattr(command, "commands", {}).items():
            walk(below, f"{path} {name}")

    walk(typer.main.get_command(main.app), "tipstaff")
    return found


def test_nothing_that_can_be_typed_is_without_help() -> None:
    assert _without_help() == []


def test_no_command_is_explained_that_does_not_exist() -> None:
    known = {command.removeprefix("tipstaff").strip() for command, _ in _commands()}
    tops = {name.split()[0] for name in known if name}
    said = set(re.findall(r"`tipstaff (?:-c \S+ )?([a-z][a-z-]+)\b", documentation()))
    said |= set(re.findall(r"^ +(?:\$ )?tipstaff (?:-c \S+ )?([a-z][a-z-]+)\b", documentation(), re.M))
    assert said - tops == set()


def test_the_variables_that_are_named_exist() -> None:
    settings = {name for name in re.findall(r"\bTIPSTAFF_[A-Z_]+\b", documentation()) if not name.endswith("_")}
    others = {
        "TIPSTAFF_CONFIG",
        "TIPSTAFF_LOG_LEVEL",
        "TIPSTAFF_PYTHON",
        "TIPSTAFF_NO_APT",
        "TIPSTAFF_TEST_PROCESSES",
        "TIPSTAFF_TEST_SOAK",
        "TIPSTAFF_WEB_PROT",  # the example of a mistake
    }
    values = {"PORT": "1", "PROCESSES": "1", "MIB": "256", "MAX": "1", "STARTTLS": "true", "ADDRESS": "x@example.net"}
    values |= {"OVERRIDE": "x@example.net", "RECIPIENTS": "@example.net", "TIPSTAFF_DATABASE_URL": "postgresql:///x"}
    values |= {"TIPSTAFF_LOG_LEVEL": "DEBUG", "TIPSTAFF_WEB_PUBLIC_URL": "https://example.net", "HOURLY": "1"}
    values |= {"RESOLVER": "192.0.2.53", "FORM": "true", "MINUTE": "1", "CLAMD": "127.0.0.1:3310", "SECONDS": "1"}
    values |= {
        "PROXIES": "127.0.0.1",
        "FOR": "lead",
        "ZONE": "UTC",
        "SINCE": "2026-01-01T00:00:00Z",
        "ROLES": "group=lead",
        "ISSUER": "https://example.net",
    }
    together = (
        {"TIPSTAFF_MAIL_OUT_DKIM_SELECTOR", "TIPSTAFF_MAIL_OUT_DKIM_KEY_FILE"},
        {"TIPSTAFF_STAFF_OPENID_ISSUER", "TIPSTAFF_STAFF_OPENID_CLIENT_ID"},
    )
    values |= {"PAGES": "1", "RUN": "true", "GROUPS": "group=lead"}
    for name in settings - others:
        # An unknown one is refused by name.
        named = next((pair for pair in together if name in pair), {name})
        load(None, {each: values.get(each, values.get(each.rpartition("_")[2], "x")) for each in named})
