"""Doors hand out frozen words, never rows or QuerySets."""

import importlib
import inspect
import pkgutil
import typing

import pytest
from django.db.models import Model, QuerySet

import tipstaff

DOORS = [
    m.name
    for m in pkgutil.walk_packages(tipstaff.__path__, "tipstaff.")
    if m.name.endswith((".queries", ".operations", ".figures"))
]


def parts_of(hint: object) -> typing.Iterator[object]:
    yield hint
    for part in typing.get_args(hint):
        yield from parts_of(part)


def test_there_are_doors() -> None:
    assert {"tipstaff.cases.queries", "tipstaff.ledger.operations", "tipstaff.registry.queries"} <= set(DOORS)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_hands_out_values_not_rows(door: str) -> None:
    module = importlib.import_module(door)
    room = door.rpartition(".")[0]
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("_") or function.__module__ != door:
            continue
        hints = typing.get_type_hints(function, vars(module))
        assert "return" in hints, f"{door}.{name} does not say what it returns"
        rows = [p for p in parts_of(hints["return"]) if inspect.isclass(p) and issubclass(p, (Model, QuerySet))]
        assert not rows, f"{door}.{name} hands out {rows} beyond {room}"
