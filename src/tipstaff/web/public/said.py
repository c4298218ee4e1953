"""What the public policy page says around the policy itself, in the languages of the letters (`said.toml`). Pure."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

FALLBACK = "en"


def said_in(language: str) -> tuple[str, Mapping[str, str]]:
    """(the language, its words by name) for a reader of `language`; English where it is not written."""
    known = language.partition("-")[0].lower()
    known = known if known in _said() else FALLBACK
    return known, _said()[known]


@cache
def _said() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((resources.files("tipstaff.web.public") / "said.toml").read_text("utf-8"))
