"""How fast a file of holdings comes in with the constraint, and is previewed, changed, undone and asked about.

    python bench/registry.py [--rows 1000000] [--look-ups 5000] [--import-only]

It starts its own embedded PostgreSQL in a folder of its own, or uses TIPSTAFF_DATABASE_URL's server, where it makes
and drops a database of its own. It prints one JSON object. The peer is the same rows by COPY into a bare table with
one index and no constraint, in the same run: what PostgreSQL needs at least.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from holdings import BEGIN, Clock, operator_space

HEADER = "tier,kind,prefix,held_from,held_until,customer\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--look-ups", type=int, default=5_000)
    parser.add_argument("--import-only", action="store_true", help="leave out what follows the first import")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder:
        print(json.dumps(run(options, Path(folder)), indent=2))


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from tipstaff.host.postgres import EmbeddedPostgres

    os.environ["TIPSTAFF_DATA"] = str(folder)
    server = EmbeddedPostgres(folder / "postgres") if os.environ.get("TIPSTAFF_DATABASE_URL") is None else None
    if server is not None:
        server.start()
        os.environ["TIPSTAFF_DATABASE_URL"] = server.url
    try:
        return measure(options, server.pid if server else None)
    finally:
        if server is not None:
            from django.db import connections

            connections.close_all()
            server.stop()


def address(number: int) -> IPv4Address:
    return IPv4Address("10.0.0.0") + number


def file(rows: int, *, ended: int = 0) -> Iterator[str]:
    """A file of so many holdings of single addresses; the first `ended` of them have an end."""
    yield HEADER
    since, until = BEGIN.isoformat(), (BEGIN + timedelta(days=30)).isoformat()
    for number in range(rows):
        end = until if number < ended else ""
        yield f"customer,static,{address(number)},{since},{end},acct-{(number * 7919) % 1000}\n"


def measure(options: argparse.Namespace, server: int | None) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tipstaff.site.settings"
    import django

    django.setup()
    from django.db import connection

    from tipstaff.registry import operations, queries
    from tipstaff.words import Customer, Origin

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    by: dict[str, Any] = {"at": BEGIN, "actor": "bench"}
    for number in range(1000):
        key = f"acct-{number}"
        operations.add_customer(Customer(key=key, name=key, representative=None), **by)
    operations.add_holdings(operator_space(), **by, origin=Origin.IMPORT)

    clock, rows = Clock(server), options.rows
    changed = min(rows // 10, 100_000)

    def take_in(ended: int = 0, **more: Any) -> Any:
        kept["last"] = operations.import_csv(file(rows, ended=ended), source_name="bench.csv", rest=True, **by, **more)

    kept: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    few = min(rows, 50_000)
    measured["preview_of_a_piece"] = clock.time(
        lambda: operations.import_csv(file(few), source_name="bench.csv", dry_run=True, **by), count=few
    )
    measured["import"] = clock.time(take_in, count=rows)
    assert kept["last"].added == rows, kept["last"]
    ends: list[str] = []
    if not options.import_only:
        measured["import_of_the_same_again"] = clock.time(take_in, count=rows)
        assert kept["last"].unchanged == rows, kept["last"]
        by |= {"at": BEGIN + timedelta(days=60)}
        measured["import_with_ends"] = {"changed": changed, **clock.time(lambda: take_in(changed), count=rows)}
        assert kept["last"].changed == changed, kept["last"]
        ends = kept["last"].change.split()

    dice = random.Random(7)
    asked = [address(dice.randrange(rows)) for _ in range(options.look_ups)]
    at, before, after = BEGIN + timedelta(days=40), BEGIN + timedelta(days=50), BEGIN + timedelta(days=70)
    ended = frozenset(address(number) for number in range(changed if ends else 0))

    def right(found: list[Any], *, known: bool) -> None:
        """Each address has its one holder, but for those that ended before, once that was known."""
        held = [sum(h.customer is not None for h in each) for each in found]
        assert held == [int(not (known and a in ended)) for a in asked]

    def as_believed_now() -> None:
        found["now"] = [queries.holdings_covering(a, earliest=at, latest=at) for a in asked]

    def as_known(name: str, known_at: Any) -> None:
        found[name] = [queries.holdings_as_known(a, at=at, known_at=known_at) for a in asked]

    found: dict[str, list[Any]] = {}
    measured["look_ups_as_believed_now"] = clock.time(as_believed_now, count=len(asked))
    right(found["now"], known=True)
    for name, known_at in (("before", before), ("after", after)):
        measured[f"look_ups_as_known_{name}_the_ends"] = clock.time(
            lambda name=name, known_at=known_at: as_known(name, known_at), count=len(asked)
        )
        right(found[name], known=name == "after")
    if ends:
        undone = clock.time(lambda: [operations.undo(key, why="", **by) for key in reversed(ends)], count=changed)
        measured["undo"] = {"rows": changed, **undone}
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_bare (tier text, kind text, prefix cidr, during tstzrange, customer text);"
            "CREATE INDEX ON bench_bare USING btree (prefix)"
        )

        def copy() -> None:
            with cursor.copy("COPY bench_bare FROM STDIN") as out:
                for number in range(rows):
                    out.write(f"customer\tstatic\t{address(number)}/32\t[{BEGIN.isoformat()},)\tacct-{number % 1000}\n")

        measured["peer_bare_copy"] = clock.time(copy, count=rows)
        cursor.execute("SELECT pg_size_pretty(pg_total_relation_size('registry_holdingrow')), version()")
        size, version = cursor.fetchone()
    connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    peer, own = measured["peer_bare_copy"], measured["import"]
    if "per_cpu_second" in own:
        measured["import_costs_so_many_times_the_peer"] = round(peer["per_cpu_second"] / own["per_cpu_second"], 1)
    return {
        "command": " ".join(["python", *sys.argv]),
        "postgresql": version.split()[1],
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "rows": rows,
        "table_and_indexes": size,
        **measured,
    }


if __name__ == "__main__":
    main()
