"""The queries behind every answer are planned once a connection, and those that go together come back apart."""

import pytest
from django.db import DataError, OperationalError, connection, transaction
from psycopg.errors import DivisionByZero

from tipstaff.registry.planned import fetch_planned, fetch_together

pytestmark = pytest.mark.django_db
ADD = "SELECT %s::bigint + 41 AS planned_once"


def test_a_planned_query_is_prepared_and_others_are_not():
    assert [fetch_planned(ADD, [n]) for n in range(3)] == [[(41,)], [(42,)], [(43,)]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s AS not_planned", [1])
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        statements = [said for (said,) in cursor.fetchall()]
    assert [s for s in statements if "planned_once" in s]
    assert not [s for s in statements if "not_planned" in s]


def test_queries_that_go_together_keep_their_order_and_their_rows():
    rows = fetch_together((ADD, [1]), ("SELECT n FROM generate_series(1, %s::int) n", [3]), (ADD, [2]))
    assert rows == [[(42,)], [(1,), (2,), (3,)], [(43,)]]


def test_one_that_fails_is_told_and_the_connection_serves_on():
    with pytest.raises(DataError) as why, transaction.atomic():
        fetch_together((ADD, [1]), ("SELECT 1 / %s::int", [0]), (ADD, [2]))
    assert isinstance(why.value.__cause__, DivisionByZero)
    assert fetch_together((ADD, [3])) == [[(44,)]]


@pytest.mark.parametrize("fetch", [lambda *asked: fetch_planned(*asked), lambda *asked: fetch_together(asked)])
def test_a_trouble_of_the_database_comes_up_as_such_and_not_as_a_fault_of_what_asked(fetch):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 20")
    with pytest.raises(OperationalError), transaction.atomic():
        fetch("SELECT pg_sleep(%s)", [5])
    assert fetch_planned(ADD, [3]) == [(44,)]
