"""Two at once, in real transactions."""

import os
import signal
import threading
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from django.db import connection, transaction

from tipstaff.ledger.queries import entries_about
from tipstaff.registry import operations, queries, taking_in
from tipstaff.registry.operations import (
    HeldAtThisMomentByAnother,
    HeldTwice,
    ResellersInACircle,
    ResourceHeldTwice,
    SiteHeldTwice,
)
from tipstaff.words import HoldingKind, Resource, Tier

from .conftest import BY, NOW, customer, day, hold, stock
from .test_resources import ONE_OF_EACH

pytestmark = pytest.mark.django_db(transaction=True)


REFUSED = (HeldAtThisMomentByAnother, HeldTwice, ResellersInACircle, ResourceHeldTwice, SiteHeldTwice)


def in_parallel(*tasks) -> list[object]:
    """Run all at the same moment, each on its own connection; their results or refusals, in order."""
    start = threading.Barrier(len(tasks))
    results: list[object] = [None] * len(tasks)

    def run(place: int, task) -> None:
        try:
            start.wait(timeout=30)
            results[place] = task()
        except REFUSED as why:
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


def test_of_two_who_take_anything_at_once_exactly_one_has_it():
    """Every kind of holding, every kind of resource, and a virtual host: each pair in two real transactions."""
    stock()
    (v4, v6), ports = ("198.51.100.64/26", "2001:db8:0:4200::/56"), {"port_first": 1024, "port_last": 2047}
    pairs = {
        f"holding {kind} {prefix}": lambda who, kind=kind, prefix=prefix, more=more: hold(
            prefix, who, kind=kind, **more
        )
        for kind, prefix, more in [
            (HoldingKind.STATIC, v4, {}),
            (HoldingKind.LEASE, "198.51.100.5/32", {}),
            (HoldingKind.PORT_BLOCK, "198.51.100.6/32", ports),
            (HoldingKind.DELEGATED, v6, {}),
            (HoldingKind.STATIC, "2001:db8::7/128", {}),
        ]
    }
    pairs["pool"] = lambda who: hold("198.51.100.128/25", None, tier=Tier.OPERATOR, kind=HoldingKind.POOL, source=who)
    pairs |= {
        f"resource {kind}": lambda who, kind=kind, scope=scope, name=name: operations.hold_resource(
            Resource(kind=kind, name=name, scope=scope, customer=who, held_from=day(0)), **BY
        )
        for kind, scope, name, _ in ONE_OF_EACH
    }
    pairs["site"] = lambda who: operations.add_site(
        "shop.example.net", address=ip_address("198.51.100.9"), customer=who, service=None, since=day(0), until=None,
        **BY,
    )  # fmt: skip
    for what, take in pairs.items():
        results = in_parallel(lambda take=take: take("acct-1"), lambda take=take: take("acct-2"))
        refused = [type(result) for result in results if isinstance(result, Exception)]
        assert len(refused) == 1, (what, results)
        if what != "pool":
            with pytest.raises(REFUSED):
                take("acct-2" if isinstance(results[1], Exception) else "acct-1")


def test_two_who_put_each_other_above_themselves_close_no_circle():
    stock()

    def under(key: str, reseller: str) -> str:
        operations.add_customer(replace(customer(key), reseller=reseller), **BY)
        return key

    results = in_parallel(lambda: under("acct-1", "acct-2"), lambda: under("acct-2", "acct-1"))
    assert sorted(type(result).__name__ for result in results) == ["ResellersInACircle", "str"]
    assert len([*queries.accounts_above("acct-1"), *queries.accounts_above("acct-2")]) == 1


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


def test_an_import_that_is_killed_is_begun_again_and_ends_as_if_it_had_not_been(monkeypatch):
    """`kill -9` in the middle of the third piece: two pieces stay, the third is as if it had never begun."""
    stock()
    monkeypatch.setattr(taking_in, "PIECE_ROWS", 10)
    rows = [f"customer,static,198.51.100.{n},2026-01-01,acct-1\n" for n in range(35)]
    rows[4] = "customer,static,bogus,2026-01-01,acct-1\n"
    rows[31] = "customer,static,198.51.100.200,2026-01-01,acct-404\n"
    sheet = ["tier,kind,prefix,held_from,customer\n", *rows]
    gone, never = os.pipe()  # Nobody ever writes into it.

    def until_killed():
        yield from sheet[:26]
        os.read(gone, 1)

    connection.close()  # No two processes speak over one connection.
    child = os.fork()
    if child == 0:
        try:
            operations.import_csv(until_killed(), source_name="h.csv", rest=True, **BY)
        finally:
            os._exit(1)
    try:
        for _ in range(100_000):  # Until two pieces are on record; the third is read by then, or about to be.
            if len(queries.holdings_of("acct-1", at=NOW)) == 19:
                break
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(gone)
        os.close(never)
    assert len(queries.holdings_of("acct-1", at=NOW)) == 19
    whole = operations.import_csv(sheet, source_name="h.csv", rest=True, **BY)
    assert (whole.added, whole.unchanged) == (14, 19)
    assert [(row.line, row.why) for row in whole.refused] == [
        (6, '"bogus" is not an address or prefix.'), (33, "There is no customer acct-404."),
    ]  # fmt: skip
    assert len(queries.holdings_of("acct-1", at=NOW)) == 33
    told = [entry.detail["change"] for entry in entries_about("h.csv") if entry.what == "registry.imported"]
    assert sorted(told) == sorted(one.key for one in queries.list_changes() if one.source == "h.csv")
    assert len(told) == 4, "two pieces before the kill, and two after it"
