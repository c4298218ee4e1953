"""Links lead somewhere, and what the README tells people to type exists."""

import os
import re
from pathlib import Path

import pytest

from .documents import ROOT, anchors, pages, without_code

ALL = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in pages()]


@pytest.mark.parametrize("page", ALL)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", without_code(pages()[page])):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        here = there.exists()
        if not here or (anchor and there.suffix == ".md" and anchor not in anchors(there.read_text(encoding="utf-8"))):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", ALL)
def test_no_table_tells_the_same_thing_twice(page: Path) -> None:
    """Two rows that begin alike are one row and its earlier wording, and one of them is not true any more."""
    for table in re.findall(r"^(?:\|.*\n)+", pages()[page], re.M):
        begin = [tuple(cell.strip() for cell in row.split("|")[1:3]) for row in table.splitlines()[2:]]
        assert {row for row in begin if begin.count(row) > 1} == set()


@pytest.mark.parametrize("page", ALL)
def test_only_example_names_and_addresses_are_shown(page: Path) -> None:
    text = re.sub(r"RFC \d+, (?:section )?[\d.]+", "", pages()[page])
    strange = {
        address
        # Four numbers and no more: five are an object of SNMP.
        for address in re.findall(r"(?<!\d\.)\b(?:\d{1,3}\.){3}\d{1,3}\b(?!\.\d)", text)
        if not address.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "127.", "0.0.0.0", "10."))
    }
    assert strange == set()
    hosts = {host.lower() for host in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", text)}
    assert {host for host in hosts if not re.search(r"(^|\.)example\.(net|org|com)$", host)} == set()


def _readme_commands() -> set[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return set(re.findall(r"^    (\./\S+|\.venv/bin/tipstaff)", text, re.M))


def test_the_readmes_two_commands_are_there_and_can_be_run() -> None:
    assert _readme_commands() >= {"./run", "./test"}
    for command in _readme_commands() - {".venv/bin/tipstaff"}:
        assert os.access(ROOT / command, os.X_OK), command


def test_what_the_readme_and_contributing_make_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for text in pages().values():
        said = set(re.findall(r"`make ([a-z]+)`", text)) | set(re.findall(r"^    make ([a-z]+)\b", text, re.M))
        assert said <= targets


def test_every_benchmark_is_explained() -> None:
    text = (ROOT / "docs" / "develop" / "benchmarks.md").read_text(encoding="utf-8")
    programs = {path.name for path in (ROOT / "bench").glob("*.py") if not path.name.startswith("_")}
    assert {name for name in programs if f"`bench/{name}`" not in text} == set()


def test_every_decision_is_listed_and_says_what_was_given_up() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "index.md").read_text(encoding="utf-8")
    for page in sorted(folder.glob("[0-9]*.md")):
        text = page.read_text(encoding="utf-8")
        assert f"({page.name})" in listed
        assert text.startswith(f"# {page.name[:4]} ")
        if page.name != "0011-dependencies.md":
            assert [heading for heading in ("## Context", "## Choice", "## Given up") if heading not in text] == []


def test_every_dependency_is_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "decisions" / "0011-dependencies.md").read_text(encoding="utf-8").lower()
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = [re.match(r"[\w-]+", each.lower()) for each in wanted]
    assert [name.group() for name in names if name and name.group() not in text] == []
