"""Rows whose column is, or is not, one of very many values: said to PostgreSQL as one text, which it makes a set of.

An IN of thousands of parameters takes longer to write down and to read than to answer, and so does an array of them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet


def among(rows: "QuerySet[Any]", column: str, values: Iterable[object], *, kind: str = "text") -> "QuerySet[Any]":
    """Those of `rows` whose `column` is one of `values`; `kind` is PostgreSQL's name for what they are."""
    return rows.filter(_compared(column, text_of(values), kind, "= ANY("))


def none_of(rows: "QuerySet[Any]", column: str, text: str, *, kind: str = "text") -> "QuerySet[Any]":
    """Those of `rows` whose `column`, which is never null, is none of the words of `text`."""
    return rows.filter(_compared(column, text, kind, "<> ALL("))


def text_of(values: Iterable[object]) -> str:
    """Values as one text, in order, as `none_of` takes them."""
    words = sorted({str(value) for value in values})
    assert not any(" " in word or not word for word in words), "a value with a blank in it would be two"
    return " ".join(words)


def _compared(column: str, text: str, kind: str, how: str) -> Any:
    from django.db.models import BooleanField, F, Func, TextField, Value

    return Func(
        F(column), Value(text, output_field=TextField()), output_field=BooleanField(),
        template="%(expressions)s, ' ')::" + kind + "[])", arg_joiner=f" {how}string_to_array(",
    )  # fmt: skip
