"""The sentences of an explanation to a customer or a complainant: one file a language, each with the same sentences."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

FALLBACK = "en"


@cache
def spoken() -> frozenset[str]:
    """The languages that explanations are written in."""
    return frozenset(
        entry.name.removesuffix(".toml")
        for entry in resources.files(__name__).iterdir()
        if entry.name.endswith(".toml")
    )


@cache
def sentences(language: str) -> Mapping[str, Any]:
    """The sentences in a language (`de`, `de-AT`), in English where they are not written in it."""
    known = language.partition("-")[0].lower()
    name = f"{known if known in spoken() else FALLBACK}.toml"
    return tomllib.loads((resources.files(__name__) / name).read_text("utf-8"))
