"""Two at once, in real transactions."""

import threading
from ipaddress import ip_network

import pytest
from django.db import connection, transaction

from tipstaff.registry import queries
from tipstaff.registry.operations import HeldAtThisMomentByAnother, HeldTwice

from .conftest import NOW, hold, stock

pytestmark = pytest.mark.django_db(transaction=True)


def in_parallel(*tasks) -> list[object]:
    """Run all at the same moment, each on its own connection; their results or refusals, in order."""
    start = threading.Barrier(len(tasks))
    results: list[object] = [None] * len(tasks)

    def run(place: int, task) -> None:
        try:
            start.wait(timeout=30)
            results[place] = task()
        except (HeldTwice, HeldAtThisMomentByAnother) as why:
            results[place] = why
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, task)) for place, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


def test_of_two_who_hold_the_same_address_at_once_exactly_one_wins():
    stock()
    for number in range(8):
        address = f"198.51.100.{number}/32"
        results = in_parallel(lambda a=address: hold(a, "acct-1"), lambda a=address: hold(a, "acct-2"))
        refused = [result for result in results if isinstance(result, Exception)]
        assert len(refused) == 1, results
        held = [row for row in queries.holdings_within(ip_network(address)) if row.customer]
        assert len(held) == 1


def test_the_second_waits_for_the_first_and_is_told_who_has_it():
    stock()
    written, may_end = threading.Event(), threading.Event()

    def first() -> int:
        with transaction.atomic():
            key = hold("198.51.100.0/28", "acct-1")
            written.set()
            assert may_end.wait(timeout=30)
            return key

    def second() -> int:
        assert written.wait(timeout=30)
        return hold("198.51.100.7/32", "acct-2")

    def release() -> None:
        assert written.wait(timeout=30)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with connection.cursor() as cursor:
            for _ in range(100_000):  # Until PostgreSQL says that the second waits for the first one's transaction.
                cursor.execute(waiting)
                if cursor.fetchone()[0]:
                    break
        may_end.set()

    one, other, _ = in_parallel(first, second, release)
    assert isinstance(one, int)
    assert isinstance(other, HeldTwice)
    assert other.overlaps[0][1].customer == "acct-1"
    assert queries.accounts_on(ip_network("198.51.100.7/32"), at=NOW) == {"acct-1"}
