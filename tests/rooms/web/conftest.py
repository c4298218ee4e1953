"""People at the desk, and a small piece of the example day."""

import dataclasses
import importlib.util
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tipstaff import wiring
from tipstaff.web.roles import give_roles
from tipstaff.words import Role

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FEW = frozenset(
    {"ssh", "spam-arf", "not-ours", "sealed-text", "broken-xarf", "shared-without-port", "brand-xarf", "spam-html"}
)


def load_day() -> ModuleType:
    """The module beside this one: the example day, as tests of the web room and of the browser play it."""
    spec = importlib.util.spec_from_file_location("web_day", Path(__file__).with_name("day.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("web_day", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is noon on an ordinary Monday."""
    monkeypatch.setattr(wiring, "now", lambda: NOON)
    return NOON


@pytest.fixture
def day(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Some complaints of the example day have come in, and letters went out."""
    module = load_day()
    desk = module.desk()
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    if _KEPT:
        _put_back()
    else:
        module.play(at=at, ids=FEW, answers=False)
        _keep()
    return module


_KEPT: dict[str, bytes] = {}
"""The rows of the day once it was played: `table (columns)` and what COPY says of it. Playing takes seconds."""


def _keep() -> None:
    rooms = ("ledger", "registry", "intake", "cases", "notices", "enforcement")
    tables = [model._meta.db_table for room in rooms for model in apps.get_app_config(room).get_models()]
    with connection.cursor() as cursor:
        for table in tables:  # In the order in which they are defined: what is pointed at comes first.
            cursor.execute(
                "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
                [table],
            )
            name = f"{table} ({cursor.fetchone()[0]})"
            with cursor.copy(f"COPY {name} TO STDOUT") as out:
                _KEPT[name] = b"".join(bytes(part) for part in out)


def _put_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table, rows in _KEPT.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as into:
                into.write(rows)


@pytest.fixture
def log_in(db: None) -> Callable[..., Client]:
    """A browser of somebody with these roles."""

    def make(*roles: Role, name: str = "") -> Client:
        user, _ = User.objects.get_or_create(username=name or "-".join(roles) or "nobody")
        give_roles(user, frozenset(roles))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def clock(db: None, at: datetime, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], datetime]:
    """The desk has a name over https; calling this lets time pass. Passwords are hashed in no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    named = dataclasses.replace(
        wiring.settings(), web=dataclasses.replace(wiring.settings().web, public_url="https://abuse.example.net")
    )
    monkeypatch.setattr(wiring, "settings", lambda: named)

    def later(by: timedelta) -> datetime:
        then = wiring.now() + by
        monkeypatch.setattr(wiring, "now", lambda: then)
        return then

    return later
