"""What a page is styled by is in a stylesheet: a class that nobody made leaves a field as wide as the screen."""

import re
from pathlib import Path

import tipstaff.web

WEB = Path(tipstaff.web.__file__).parent
PARTS = {"tone-", "amber", "green", "grey", "red", "violet"}
"""Halves of `tone-amber` and the like, which a template puts together."""


def test_every_class_of_a_template_is_in_the_stylesheet() -> None:
    sheet = "".join(file.read_text(encoding="utf-8") for file in (WEB / "static" / "tipstaff").glob("*.css"))
    known = {name.replace("\\", "") for name in re.findall(r"\.((?:[\w-]|\\.)+)", sheet)}
    lacking: dict[str, set[str]] = {}
    for file in (WEB / "templates").rglob("*.html"):
        for named in re.findall(r'class="([^"]*)"', file.read_text(encoding="utf-8")):
            for name in set(re.sub(r"{[%{].*?[%}]}", " ", named).split()) - known - PARTS:
                lacking.setdefault(name, set()).add(file.name)
    assert lacking == {}
