"""Writes the tables of docs/operate/settings.md from `tipstaff.config`; with `--check` it only compares.

What stands between the markers is made; the rest of the page is written by hand.
"""

import ast
import dataclasses
import inspect
import sys
import typing
from pathlib import Path
from typing import Any

from tipstaff.config import shape

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "operate" / "settings.md"
BEGIN, END = "<!-- made by tools/settings_doc.py -->", "<!-- end of what is made -->"
TABLES: dict[str, Any] = {
    "devices": shape.DeviceConfig,
    "mailboxes": shape.MailboxConfig,
    "feeds": shape.FeedConfig,
    "brands": shape.BrandConfig,
}
"""Sections of which there may be many."""
SHORT = {("server", "database_url"): "TIPSTAFF_DATABASE_URL", ("server", "data_folder"): "TIPSTAFF_DATA"}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One key that can be set."""

    section: str
    key: str
    kind: str
    default: str
    meaning: str

    @property
    def variable(self) -> str:
        """The environment's name for it; devices have none."""
        return SHORT.get((self.section, self.key), f"TIPSTAFF_{self.section.upper()}_{self.key.upper()}")


def sections() -> dict[str, list[Setting]]:
    """Every section of the settings file with its keys, in the order of the source."""
    hints = typing.get_type_hints(shape.Config)
    own = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    return {name: _settings(name, hint) for name, hint in own.items()} | {
        name: _settings(name, kind) for name, kind in TABLES.items()
    }


def made() -> str:
    """The tables."""
    lines: list[str] = []
    for name, settings in sections().items():
        title = f"`[[{name}]]`" if name in TABLES else f"`[{name}]`"
        lines += [f"### {title}", ""]
        if name in TABLES:
            lines += ["| key | takes | unless set | meaning |", "|---|---|---|---|"]
            lines += [f"| `{s.key}` | {s.kind} | {s.default} | {s.meaning} |" for s in settings]
        else:
            lines += ["| key | environment | takes | unless set | meaning |", "|---|---|---|---|---|"]
            lines += [f"| `{s.key}` | `{s.variable}` | {s.kind} | {s.default} | {s.meaning} |" for s in settings]
        lines.append("")
    return "\n".join(lines)


def _settings(section: str, kind: Any) -> list[Setting]:
    hints, said = typing.get_type_hints(kind, include_extras=True), _docstrings(kind)
    return [
        Setting(section, f.name, _kind(hints[f.name]), _default(section, f), said[f.name])
        for f in dataclasses.fields(kind)
        if f.name != "options"  # Not a key: what is left of a table is the plug-in's.
    ]


def _docstrings(kind: type) -> dict[str, str]:
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    said = {}
    for here, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(here, ast.AnnAssign) and isinstance(here.target, ast.Name) and isinstance(after, ast.Expr):
            said[here.target.id] = " ".join(ast.literal_eval(after.value).split()).replace("|", "\\|")
    return said


def _kind(hint: Any) -> str:
    for bounds in getattr(hint, "__metadata__", ()):
        return f"{bounds.least} or more" if bounds.most == shape.Bounds(0).most else f"{bounds.least} to {bounds.most}"
    if typing.get_origin(hint) is tuple:
        return "texts"
    if isinstance(hint, type) and hint is bool:
        return "true or false"
    names = {int: "number", str: "text", Path: "path"}
    inner = [arg for arg in typing.get_args(hint) if arg is not type(None)] or [hint]
    return names.get(inner[0], "any")


def _default(section: str, field: "dataclasses.Field[Any]") -> str:
    if (section, field.name) == ("server", "data_folder"):
        return "`~/.local/share/tipstaff`"
    if field.default is dataclasses.MISSING:
        return "must be set"
    value = field.default
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return str(value) if isinstance(value, int) else f"`{value}`"


def main() -> int:
    """Write what is made into the page, or with `--check` compare."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page = f"{before}{BEGIN}\n\n{made()}\n{END}{after}"
    if "--check" in sys.argv[1:]:
        if page != text:
            print(f"{PAGE.name} is not current; run  python tools/settings_doc.py", file=sys.stderr)
        return 0 if page == text else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
