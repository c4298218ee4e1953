"""Queries that every answer to who held an address asks: planned once a connection, for planning took longer than
searching, and sent together where they can be, for the way there and back takes as long as either.

They go past Django's cursors; what goes wrong comes up as Django's own errors all the same, as callers expect."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


def fetch_planned(sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """The rows of a query. `sql` is the room's own text; every value is a parameter."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, parameters, prepare=True).fetchall()


Asked = tuple[str, Sequence[Any]]
"""A query and its parameters."""


def fetch_together(*asked: Asked) -> list[list[tuple[Any, ...]]]:
    """The rows of each query, as `fetch_planned` gives them, by one way there and back."""
    connection.ensure_connection()
    wire = connection.connection
    with connection.wrap_database_errors, wire.pipeline():
        cursors = [psycopg.Cursor(wire).execute(sql, parameters, prepare=True) for sql, parameters in asked]
        return [cursor.fetchall() for cursor in cursors]
