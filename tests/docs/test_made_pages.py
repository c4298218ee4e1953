"""Pages that are made from the source are current, and what the settings page shows can be loaded."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tipstaff import config

from .documents import DOCS, ROOT

SETTINGS = (DOCS / "operate" / "settings.md").read_text(encoding="utf-8")


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["glossary", "settings_doc"])
def test_a_made_page_is_current(name: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / f"{name}.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_word_of_the_glossary_has_its_sentence() -> None:
    for word in tool("glossary").words():
        assert word.says, f"{word.module}: {word.name} needs a docstring"
        if word.is_enum and word.name != "Severity":  # Four grades that say all themselves.
            silent = [part.name for part in word.parts if not part.says]
            assert silent == [], f"{word.module}: {word.name} has values without a sentence"


def example() -> str:
    after = SETTINGS.partition("## A whole file")[2]
    found = re.search(r"```toml\n(.*?)```", after, re.S)
    assert found
    return found.group(1)


def test_the_whole_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text(example(), encoding="utf-8")
    loaded = config.load(file, {})
    assert loaded.public_url == "https://abuse.example.net"
    assert [device.driver for device in loaded.devices] == ["nftables"]


def test_the_whole_file_has_every_setting() -> None:
    tree = tomllib.loads(example())
    for section, settings in tool("settings_doc").sections().items():
        if section == "demo":
            assert section not in tree, "nobody is to copy it"
            continue
        table = tree[section][0] if isinstance(tree[section], list) else tree[section]
        assert {setting.key for setting in settings} - set(table) == set()


def test_every_setting_has_its_row_with_its_variable() -> None:
    for section, settings in tool("settings_doc").sections().items():
        for setting in settings:
            row = f"| `{setting.key}` | " + (
                "" if section in tool("settings_doc").TABLES else f"`{setting.variable}` | "
            )
            assert row in SETTINGS
            assert setting.meaning


@pytest.mark.parametrize(
    "page", [path for path in sorted((DOCS / "operate").glob("*.md")) if "[[devices]]" in path.read_text("utf-8")]
)
def test_settings_that_other_pages_show_load_too(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)):
        if "project.entry-points" in block:
            continue
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        config.load(file, {})
