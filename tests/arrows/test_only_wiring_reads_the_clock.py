"""Time is an argument. ruff bans the usual spellings; this looks for the others too."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tipstaff"
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("timezone", "now"),
    ("time", "time"),
}
ALLOWED = {"wiring"}


def test_no_module_but_wiring_reads_the_clock() -> None:
    found = []
    for file in SOURCE.rglob("*.py"):
        if file.relative_to(SOURCE).parts[0] in ALLOWED:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Attribute):
                continue
            base = node.value
            owner = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
            if (owner, node.attr) in CLOCKS:
                found.append(f"{file.relative_to(SOURCE)}:{node.lineno} {owner}.{node.attr}")
    assert found == []
