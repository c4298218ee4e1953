"""What whoever looks may not see: the rooms' reading doors leave it out, for as long as they look.

Who looks is known at the web's door, what they read is known in each room: between the two there is only this. It holds
keys of cases, reports, letters, measures and sightings, and digests of evidence. Outside of a look nothing is hidden.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from .among import none_of, text_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

Keys = frozenset[str]
_T = TypeVar("_T")
NONE: Keys = frozenset()
_HIDDEN: ContextVar[Callable[[], Keys] | None] = ContextVar("hidden", default=None)
_KNOWN: ContextVar[dict[str, Any] | None] = ContextVar("known", default=None)


@contextmanager
def hiding(find: Callable[[], Keys]) -> Iterator[None]:
    """Leave out what `find` names, which is asked once, when something is read first."""
    known: list[Keys] = []

    def keys() -> Keys:
        if not known:
            with _everything():
                known.append(find())
        return known[0]

    before, remembered = _HIDDEN.set(keys), _KNOWN.set({})
    try:
        yield
    finally:
        _HIDDEN.reset(before)
        _KNOWN.reset(remembered)


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


def once(name: str, make: Callable[[], _T]) -> _T:
    """What `make` says of what is left out now, asked once in each look."""
    known = _KNOWN.get()
    if known is None:
        return make()
    if name not in known:
        known[name] = make()
    found: _T = known[name]
    return found


def is_hidden(key: str) -> bool:
    """Whether `key`, or what it is part of (`R-000001.2`), is left out now."""
    return key.partition(".")[0] in hidden()


CASES, REPORTS, LETTERS, MEASURES, SIGHTINGS, DIGESTS = "C-", "R-", "L-", "M-", "S-", ""
"""What keys of each kind begin with; a digest has no such beginning. Two kinds are said with a blank between."""


def hidden_of(kind: str | None) -> str:
    """Keys of one kind that are left out now, or of all (None), as one text for `host.among`: a table of letters holds
    no others."""
    return _of_kind(hidden(), kind)


@lru_cache(maxsize=16)
def _of_kind(keys: Keys, kind: str | None) -> str:
    return text_of(key for key in keys if kind is None or (key[:2] in kind.split() if kind else "-" not in key))


def seen(rows: "QuerySet[Any]", column: str = "key", *, of: str | None = None) -> "QuerySet[Any]":
    """Those of `rows` whose `column`, which is never null, names nothing that is left out; `of` is the one kind of keys
    that it holds."""
    text = hidden_of(of)
    return none_of(rows, column, text) if text else rows
