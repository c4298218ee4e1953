"""The page on the policy explains every word that a verdict may use, and every key of an edition."""

import re
import tomllib
from pathlib import Path

import pytest

import tipstaff.policy
from tipstaff.words import Disposition, Reason

PAGE = (Path(__file__).parents[3] / "docs" / "explain" / "policy.md").read_text(encoding="utf-8")
SHIPPED = Path(tipstaff.policy.__file__).parent / "editions"


@pytest.mark.parametrize("word", [*Reason, *Disposition])
def test_every_reason_and_disposition_has_its_row(word: Reason | Disposition) -> None:
    assert re.search(rf"^\| `{word.value}` \| ", PAGE, re.M)


def test_every_key_of_an_edition_is_explained() -> None:
    keys: set[str] = set()
    for file in (f for f in SHIPPED.rglob("*.toml") if f.parent.name != "locales"):
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        keys |= table.keys() | table.get("parameters", {}).keys()
    for key in keys - {"id", "introduction", "example", "parameters", "clocks"}:
        assert f"`{key}`" in PAGE or f"`[{key}]`" in PAGE, key
    assert all(f"`[{part}]`" in PAGE for part in ("parameters", "clocks", "[example]"))
