"""The letters' page explains every kind and every state."""

import re
from pathlib import Path

from tipstaff.words import LetterKind, LetterState

PAGE = (Path(__file__).parents[3] / "docs" / "explain" / "letters.md").read_text("utf-8")


def test_every_kind_and_every_state_of_a_letter_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert explained == {word.value for word in (*LetterKind, *LetterState)}
