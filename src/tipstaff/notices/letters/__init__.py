"""The letters' texts: one folder a language, one file a kind, and the language's phrases in `phrases.toml`.

A new language is a new folder with `phrases.toml`; a kind that the folder lacks is sent in English.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

FALLBACK = "en"


@cache
def languages() -> frozenset[str]:
    """Return the languages that have a folder."""
    return frozenset(entry.name for entry in resources.files(__name__).iterdir() if (entry / "phrases.toml").is_file())


@cache
def has_letter(language: str, kind: str) -> bool:
    """Say whether the kind is written in the language."""
    return language in languages() and (resources.files(__name__) / language / f"{kind}.txt").is_file()


@cache
def letter_text(language: str, kind: str) -> str:
    """Return a letter's template as it is in the package."""
    return (resources.files(__name__) / language / f"{kind}.txt").read_text("utf-8")


@cache
def phrases(language: str) -> Mapping[str, Any]:
    """Return a language's phrases."""
    return tomllib.loads((resources.files(__name__) / language / "phrases.toml").read_text("utf-8"))
