"""Every word of measures is explained, every option is documented, and the built-in drivers come as plug-ins do."""

import enum
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tipstaff.enforcement import operations
from tipstaff.enforcement.protocol import BadOption
from tipstaff.procedures import enforcing
from tipstaff.words import Degree, MeasureState, Proof, Scope, Seen

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("words", [MeasureState, Proof, Seen, Degree, Scope])
def test_every_word_is_explained(words: type[enum.Enum]) -> None:
    text = (DOCS / "explain" / "enforcement.md").read_text()
    assert [word.name for word in words if f"| `{word.name}` |" not in text] == []


def test_every_entry_in_the_record_is_explained() -> None:
    text = (DOCS / "explain" / "enforcement.md").read_text()
    written = Path(operations.__file__).read_text() + Path(enforcing.__file__).read_text()
    kinds = set(re.findall(r'"((?:measure|device)\.[a-z_]+)"', written))
    assert len(kinds) > 15
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("name", sorted({plug.name for plug in entry_points(group="tipstaff.drivers")} - {"memory"}))
def test_every_option_of_a_driver_is_documented(name: str) -> None:
    text = (DOCS / "operate" / "devices.md").read_text()
    (plug,) = entry_points(group="tipstaff.drivers", name=name)
    with pytest.raises(BadOption) as told:
        plug.load()("edge1", {"?": 1})
    known = str(told.value).partition("known are ")[2].rstrip(".").split(", ")
    assert len(known) > 5
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert [option for option in known if not any(f"`{option}`" in row for row in rows)] == []


def test_the_built_in_drivers_come_through_entry_points() -> None:
    plugs = {plug.name: plug for plug in entry_points(group="tipstaff.drivers")}
    assert {"bird", "exabgp", "gobgp", "memory", "nftables", "prefix-filter"} <= plugs.keys()
    assert plugs["memory"].load()("edge1", {}).device == "edge1"
    assert plugs["nftables"].load()("edge1", {}).ability.device == "edge1"
