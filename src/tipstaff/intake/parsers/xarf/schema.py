"""Checks a report by the schemas that the `xarf` library ships, one compiled validator a type, not all at once."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ...text.characters import one_line


def first_fault(report: dict[str, Any], kind: str) -> str:
    """The first thing that a report does against the schema of its type, in words; empty when there is none."""
    validator = _validator(kind)
    if validator is None:
        return ""
    fault = next(iter(validator.iter_errors(report)), None)
    if fault is None:
        return ""
    # The message may quote a payload; its first words suffice.
    place = ".".join(str(x) for x in fault.absolute_path)
    return one_line(f"{place or 'report'}: {fault.message[:160]}", longest=200)


@cache
def _schemas() -> dict[str, Any]:
    """Every schema in the library's package by its `$id`."""
    found: dict[str, Any] = {}
    root = files("xarf") / "schemas"
    for folder in (root, root / "types"):
        for file in folder.iterdir():
            if file.name.endswith(".json"):
                schema = json.loads(file.read_text(encoding="utf-8"))
                found[schema["$id"]] = schema
    return found


@cache
def _validator(kind: str) -> Any:
    """A compiled validator for one type, or None when the library knows no such type."""
    import jsonschema  # type: ignore[import-untyped]  # the package ships no types
    import referencing
    import referencing.jsonschema

    ending = kind.replace("/", "-").replace("_", "-")
    schemas = _schemas()
    own = next((x for key, x in schemas.items() if key.replace("_", "-").endswith(f"/{ending}.json")), None)
    if own is None:
        return None
    resources = [(key, referencing.jsonschema.DRAFT202012.create_resource(x)) for key, x in schemas.items()]
    registry: Any = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator(own, registry=registry, format_checker=jsonschema.FormatChecker())
