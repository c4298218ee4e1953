"""The rows that benchmarks of the desk are made on fit the tables as they are."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models.fields import NOT_PROVIDED

BENCH = Path(__file__).parents[3] / "bench"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that fills a table."""
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    import _desk_rows

    return [part for _, rows, _ in _desk_rows.STEPS for part in rows.split(";\n") if part.strip()]


def test_each_names_every_column_that_must_be_said(statements: list[str]) -> None:
    models: dict[str, Any] = {model._meta.db_table: model for model in apps.get_models()}
    lacking = {}
    for statement in statements:
        found = re.match(r"\s*INSERT INTO (\w+) \(([^)]*)\)", statement)
        assert found is not None, statement[:80]
        named = {name.strip().strip('"') for name in found[2].split(",")}
        fields = [field for field in models[found[1]]._meta.concrete_fields if not (field.null or field.generated)]
        must = {f.column for f in fields if f.db_default is NOT_PROVIDED and f.get_internal_type() != "BigAutoField"}
        assert named <= {field.column for field in models[found[1]]._meta.concrete_fields}, statement[:80]
        if must - named:
            lacking[found[1]] = must - named
    assert lacking == {}
