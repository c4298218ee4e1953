"""Writes `src/tipstaff/client/operations.py` from the API's own document; with `--check` it only compares."""

import keyword
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "src" / "tipstaff" / "client" / "operations.py"
HEAD = '''"""Every operation of the API. Made by tools/client.py; do not change it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import quote

from .calling import Caller, Reply

'''
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def made(document: dict[str, Any]) -> str:
    """The module's text."""
    schemas = document["components"]["schemas"]
    named = sorted(schemas.items(), key=lambda each: ("enum" not in each[1], each[0]))
    parts = [_shape(name, schema) for name, schema in named if name != "Problem"]
    client = ['class Client(Caller):\n    """The API of one desk, asked by one token."""\n']
    for path, methods in document["paths"].items():
        client += [
            _method(path, method, operation, schemas) for method, operation in methods.items() if operation["security"]
        ]  # What takes no token is for other programs.
    text = HEAD + "\n\n".join([*parts, "\n".join(client)]) + "\n"
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(FILE), "-"]
    return subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout


def _shape(name: str, schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"{name} = {_type(schema)}"
    required = set(schema.get("required", ()))
    fields = {
        field: _type(inner) if field in required else f"NotRequired[{_type(inner)}]"
        for field, inner in schema.get("properties", {}).items()
    }
    if any(keyword.iskeyword(field) for field in fields):
        inside = ", ".join(f'"{field}": {kind}' for field, kind in fields.items())
        return f'{name} = TypedDict("{name}", {{{inside}}})'
    lines = "\n".join(f"    {field}: {kind}" for field, kind in fields.items())
    about = f'    """{_sentence(schema.get("description", ""))}"""\n' if schema.get("description") else ""
    return f"class {name}(TypedDict):\n{about}\n{lines or '    pass'}"


def _sentence(text: str) -> str:
    return text.strip().splitlines()[0].replace("\\", "\\\\").replace('"""', "'''")


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return f"Literal[{', '.join(map(repr, schema.get('enum', [schema.get('const')])))}]"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_type(each) for each in schema[several]))
    if schema.get("type") == "array":
        return f"list[{_type(schema.get('items', {}))}]"
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        return f"dict[str, {_type(more) if isinstance(more, dict) else 'Any'}]"
    return _PLAIN.get(schema.get("type", ""), "Any")


def _asked(kind: str) -> str:
    """A list that is passed in may be any sequence."""
    return re.sub(r"^list\[", "Sequence[", kind)


def _method(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    parameters = operation["parameters"]
    in_path = [p for p in parameters if p["in"] == "path"]
    positional = [f"{p['name']}: {_type(p['schema'])}" for p in in_path]
    named, passed = [], []
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        positional.append("file: tuple[str, bytes]")
        passed.append("file=file")
    elif content:
        kind = _asked(_type(content["application/json"]["schema"]))
        needed = kind not in schemas or schemas[kind].get("required")
        positional.append(f"asked: {kind}" if needed else f"asked: {kind} | None = None")
        passed.append("body=asked" if needed else "body=asked or {}")
    query = []
    for p in parameters:
        name = p["name"].lower().replace("-", "_")
        name += "_" if keyword.iskeyword(name) else ""
        if p["in"] == "query":
            kind = _type(p["schema"])
            optional = "" if p["required"] else " = None"
            kind = kind if p["required"] or "None" in kind.split(" | ") else f"{kind} | None"
            named.append((not p["required"], f"{name}: {kind}{optional}"))
            query.append(f'"{p["name"]}": {name}')
        elif p["in"] == "header" and name != "if_none_match":
            named.append((True, f"{name}: str | None = None"))
            passed.append(f"{name}={name}")
    if query:
        passed.append(f"query={{{', '.join(query)}}}")
    order = [text for _, text in sorted(named, key=lambda each: each[0])]
    arguments = ", ".join(["self", *positional, *(["*", *order] if order else [])])
    answers = next(r for status, r in operation["responses"].items() if 200 <= int(status) < 300)
    body = answers.get("content", {}).get("application/json", {}).get("schema")
    kind = _type(body) if body else "None"
    where = path.replace("{", "{quote(str(").replace("}", "), safe='')}")
    where = f'f"{where}"' if in_path else f'"{path}"'
    about = _sentence(operation.get("description", "")) or operation["summary"]
    call = f'self._call("{method.upper()}", {", ".join([where, *passed])})'
    return (
        f'\n    def {operation["operationId"]}({arguments}) -> Reply[{kind}]:\n        """{about}"""\n'
        f"        return {call}\n"
    )


def document() -> dict[str, Any]:
    """The API's document; Django has to be set up."""
    import json

    from tipstaff.web.api.urls import api

    found: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(), default=str))
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIPSTAFF_DATA"] = folder  # Keys are made where Django starts: not in a folder of yours.
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
        import django

        django.setup()
        text = made(document())
    if "--check" in sys.argv:
        return int(FILE.read_text(encoding="utf-8") != text)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
