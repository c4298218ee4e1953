"""What whoever looks may not see: the rooms' reading doors leave it out, for as long as they look.

Who looks is known at the web's door, what they read is known in each room: between the two there is only this. It holds
keys of cases, reports, letters, measures and sightings, and digests of evidence. Outside of a look nothing is hidden.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet

Keys = frozenset[str]
NONE: Keys = frozenset()
_HIDDEN: ContextVar[Callable[[], Keys] | None] = ContextVar("hidden", default=None)


@contextmanager
def hiding(find: Callable[[], Keys]) -> Iterator[None]:
    """Leave out what `find` names, which is asked once, when something is read first."""
    known: list[Keys] = []

    def keys() -> Keys:
        if not known:
            with _everything():
                known.append(find())
        return known[0]

    before = _HIDDEN.set(keys)
    try:
        yield
    finally:
        _HIDDEN.reset(before)


@contextmanager
def _everything() -> Iterator[None]:
    before = _HIDDEN.set(None)
    try:
        yield
    finally:
        _HIDDEN.reset(before)


def is_looked() -> bool:
    """Whether somebody looks now, so that what they may not see is left out already."""
    return _HIDDEN.get() is not None


def hidden() -> Keys:
    """Keys of what is left out now."""
    keys = _HIDDEN.get()
    return NONE if keys is None else keys()


def is_hidden(key: str) -> bool:
    """Whether `key`, or what it is part of (`R-000001.2`), is left out now."""
    return key.partition(".")[0] in hidden()


def seen(rows: "QuerySet[Any]", column: str = "key") -> "QuerySet[Any]":
    """Those of `rows` whose `column`, which is never null, names nothing that is left out."""
    keys = hidden()
    if not keys:
        return rows
    from django.contrib.postgres.fields import ArrayField
    from django.db.models import BooleanField, F, Func, TextField, Value

    # One value, which PostgreSQL makes a hash of: an IN of thousands of parameters is slow to say.
    those = Value(sorted(keys), output_field=ArrayField(TextField()))
    none_of = Func(
        F(column), those, template="%(expressions)s)", arg_joiner=" <> ALL(", output_field=BooleanField()
    )  # fmt: skip
    return rows.filter(none_of)
