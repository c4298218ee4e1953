"""How fast holdings go in and are found again, beside other forms of the constraint, in one run.

    python bench/holdings.py [--rows 100000] [--compared-rows 20000] [--look-ups 5000]

It starts its own embedded PostgreSQL in a folder of its own, or uses TIPSTAFF_DATABASE_URL's server, where it makes
and drops a database of its own, `test_` and the name in the URL. It prints one JSON object. CPU seconds are those of
this process and, for the embedded server, of the server's processes too.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PERIODS = 10
"""Leases of each address, one after the other."""

FORMS = {
    # How the constraint may be put: (a column beside the prefix, what is excluded, what is asked of its index).
    "int8range": (
        ", span int8range GENERATED ALWAYS AS (registry_span(prefix)) STORED",
        "span WITH &&, ports WITH &&, during WITH &&",
        "h.span @> (q.address - '0.0.0.0'::inet)",
    ),
    "inetrange": (
        """, span bench_inetrange GENERATED ALWAYS AS (bench_inetrange(
            set_masklen(prefix::inet, 32), set_masklen(broadcast(prefix::inet), 32), '[]')) STORED""",
        "span WITH &&, ports WITH &&, during WITH &&",
        "h.span @> q.address",
    ),
    "inet_ops": ("", "prefix inet_ops WITH &&, ports WITH &&, during WITH &&", "h.prefix::inet >>= q.address"),
}
ORDERS = {"by_time": "during, prefix", "by_address": "prefix, during"}
ROWS = """
SELECT prefix, ports, during FROM registry_holdingrow
WHERE tier = 'customer' AND prefix <<= '10.0.0.0/8' AND prefix < %s::inet ORDER BY {}
"""
LOOK_UPS = """
SELECT count(*) FROM unnest(%s::inet[], %s::timestamptz[]) AS q (address, at),
LATERAL (SELECT FROM bench_holding h WHERE {} AND h.during @> q.at OFFSET 0) AS found
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--compared-rows", type=int, default=20_000, help="rows of the comparison with other forms")
    parser.add_argument("--look-ups", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tipstaff-bench-") as folder:
        print(json.dumps(run(options, Path(folder)), indent=2))


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from tipstaff.host.postgres import EmbeddedPostgres

    os.environ["TIPSTAFF_DATA"] = str(folder)
    own = os.environ.get("TIPSTAFF_DATABASE_URL") is None
    server = EmbeddedPostgres(folder / "postgres") if own else None
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


def measure(options: argparse.Namespace, server: int | None) -> dict[str, Any]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tipstaff.site.settings"
    import django

    django.setup()
    from django.db import connection

    from tipstaff.attribution.match import attribute
    from tipstaff.registry import operations, queries
    from tipstaff.words import Customer, Moment

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    by = {"at": BEGIN, "actor": "bench"}
    for number in range(1000):
        key = f"acct-{number}"
        operations.add_customer(Customer(key=key, name=key, representative=None), **by)

    clock = Clock(server)
    rows = options.rows
    space = list(operator_space())
    operations.add_holdings(space, **by)
    bulk = clock.time(lambda: operations.add_holdings(leases(rows), **by), count=rows)
    single = clock.time(lambda: [hold_one(operations, number) for number in range(500)], count=500)

    dice = random.Random(7)
    questions = [
        (
            lease_address(dice.randrange(rows // PERIODS)),
            BEGIN + timedelta(hours=dice.randrange(24 * PERIODS), seconds=dice.randrange(3600)),
        )
        for _ in range(options.look_ups)
    ]
    begin = queries.records_begin_at()

    def whose(address: IPv4Address, at: datetime) -> str:
        period, place = (at - BEGIN).days, int(address) - int(lease_address(0))
        return f"acct-{(period * (rows // PERIODS) + place) * 7919 % 1000}"

    def named(address: IPv4Address, moment: Moment) -> str | None:
        """By the truth: nobody only where one lease follows another's within the clock's error, or before them all."""
        last = BEGIN + timedelta(days=PERIODS, microseconds=-1)
        held_by = {whose(address, min(at, last)) for at in (moment.earliest, moment.latest)}
        return held_by.pop() if moment.earliest >= BEGIN and len(held_by) == 1 else None

    def ask() -> None:
        for address, at in questions:
            found = queries.holdings_covering(address, earliest=at, latest=at)
            assert [h.customer for h in found if h.customer] == [whose(address, at)], (address, at)

    def ask_and_attribute() -> None:
        for address, at in questions:
            moment = Moment(at)
            found = queries.holdings_covering(address, earliest=moment.earliest, latest=moment.latest)
            answer = attribute(
                address, port=None, moment=moment, received_at=at, holdings=found, records_begin_at=begin
            )
            assert answer.customer == named(address, moment), (address, at)

    look_ups = clock.time(ask, count=len(questions))
    answers = clock.time(ask_and_attribute, count=len(questions))

    with connection.cursor() as cursor:
        compared = compare(cursor, clock, rows=min(options.compared_rows, rows), questions=questions)
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    return {
        "command": " ".join(["python", *sys.argv]),
        "postgresql": version,
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "rows": rows,
        "add_in_bulk": bulk,
        "add_one_by_one": single,
        "look_ups_one_by_one": look_ups,
        "look_ups_and_attribution_one_by_one": answers,
        "compared": compared,
    }


def compare(cursor: Any, clock: "Clock", *, rows: int, questions: list[tuple[IPv4Address, datetime]]) -> dict[str, Any]:
    """The same rows into each form of the constraint, in two orders, and the same questions asked of its index.

    The questions go in as one statement, so that the index is measured and not the way to the server.
    """
    addresses = rows // PERIODS
    values = [[str(lease_address(int(a) % addresses)) for a, _ in questions], [at for _, at in questions]]
    measured: dict[str, Any] = {"rows": rows, "look_ups": len(questions)}
    cursor.execute("CREATE TYPE bench_inetrange AS RANGE (subtype = inet)")
    cursor.execute("SET enable_seqscan = off")
    for order, by in ORDERS.items():
        for name, (column, excluded, asked) in FORMS.items():
            cursor.execute(
                f"CREATE TABLE bench_holding (prefix cidr, ports int4range, during tstzrange{column}, "
                f"EXCLUDE USING gist ({excluded}))"
            )
            fill = f"INSERT INTO bench_holding (prefix, ports, during) {ROWS.format(by)}"
            end = [str(lease_address(addresses))]
            added = clock.time(lambda fill=fill, end=end: cursor.execute(fill, end), count=rows)
            cursor.execute("ANALYZE bench_holding")
            ask = LOOK_UPS.format(asked)
            found = clock.time(lambda ask=ask: cursor.execute(ask, values), count=len(questions))
            assert cursor.fetchone() == (len(questions),), "each question has one answer"
            cursor.execute("DROP TABLE bench_holding")
            measured[f"{name}_{order}"] = {"add": added, "look_up": found}
    return measured


class Clock:
    """Wall time and CPU time of a piece of work, this process's and the server's."""

    def __init__(self, server: int | None) -> None:
        self._server = server
        self._tick = os.sysconf("SC_CLK_TCK")

    def time(self, work: Callable[[], object], *, count: int) -> dict[str, Any]:
        client, server, wall = time.process_time(), self._server_seconds(), time.perf_counter()
        work()
        wall = time.perf_counter() - wall
        client, server = time.process_time() - client, self._server_seconds() - server
        measured = {
            "per_second": round(count / wall),
            "seconds": round(wall, 3),
            "cpu_seconds_client": round(client, 3),
        }
        if self._server is not None:
            measured["cpu_seconds_server"] = round(server, 3)
            measured["per_cpu_second"] = round(count / max(client + server, 0.01))
        return measured

    def _server_seconds(self) -> float:
        """CPU time of the postmaster's living children and of those that it has waited for."""
        if self._server is None:
            return 0.0
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self._server:
                ticks += int(fields[11]) + int(fields[12])
            elif stat.parent.name == str(self._server):
                ticks += sum(int(fields[place]) for place in (11, 12, 13, 14))
        return ticks / self._tick


def operator_space() -> Iterator[Any]:
    from tipstaff.words import Holding, HoldingKind, Tier

    for prefix in ("10.0.0.0/8", "2001:db8::/32"):
        yield Holding(
            key=0,
            tier=Tier.OPERATOR,
            kind=HoldingKind.STATIC,
            prefix=ip_network(prefix),
            held_from=BEGIN - timedelta(days=1),
            source="bench",
        )


def lease_address(number: int) -> IPv4Address:
    return IPv4Address("10.0.0.0") + number


def leases(rows: int) -> Iterator[Any]:
    """`rows` leases of an hour or a day, PERIODS for each address, in the order of time as they would come in."""
    from tipstaff.words import Holding, HoldingKind, Tier

    for number in range(rows):
        period, place = divmod(number, rows // PERIODS)
        yield Holding(
            key=0,
            tier=Tier.CUSTOMER,
            kind=HoldingKind.LEASE,
            prefix=IPv4Network((int(lease_address(place)), 32)),
            held_from=BEGIN + timedelta(days=period),
            held_until=BEGIN + timedelta(days=period + 1),
            customer=f"acct-{(number * 7919) % 1000}",
            source="bench",
        )


def hold_one(operations: Any, number: int) -> None:
    from tipstaff.words import HoldingKind, Tier

    operations.hold(
        tier=Tier.CUSTOMER,
        kind=HoldingKind.DELEGATED,
        prefix=IPv6Network((int(ip_network("2001:db8::/32").network_address) + (number << 72), 56)),
        held_from=BEGIN,
        customer=f"acct-{number % 1000}",
        source="bench",
        at=BEGIN,
        actor="bench",
    )


if __name__ == "__main__":
    main()
