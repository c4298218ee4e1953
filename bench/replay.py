"""How many past allegations a minute are judged under another edition, out of a real record. Prints JSON.

    python bench/replay.py [--allegations 1000000] [--processes 2]

It starts a database of its own, which goes with it, and fills it with judgements as the program records them: every
type, holder, age and port in turn. Measured is the whole replay, from the first row asked for to the last one counted,
with the narrowest measures of all that differ under both editions and whom they would hit.
"""

import argparse
import dataclasses
import itertools
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipstaff.policy.clauses import Edition

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CUSTOMERS = 200


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--allegations", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tipstaff.site.settings"
    from tipstaff.testing import postgres

    try:
        import django

        django.setup()
        from tipstaff.cli.base import migrate

        migrate()
        json.dump(measured(wanted.allegations, wanted.processes), sys.stdout, indent=2)
        print()
    finally:
        postgres.stop()


def measured(allegations: int, processes: int) -> dict[str, object]:
    """The figures."""
    from tipstaff import wiring
    from tipstaff.enforcement.drivers.memory import MemoryTwin
    from tipstaff.policy.editions import shipped_editions
    from tipstaff.policy.replay import Tally
    from tipstaff.procedures.collateral import Collateral
    from tipstaff.procedures.replaying import replayed_parts

    (edition, *_) = shipped_editions()
    move_in()
    filled = fill(edition, allegations)
    desk = dataclasses.replace(wiring.desk(), abilities=lambda at: (MemoryTwin("edge1").ability,))
    other = dataclasses.replace(
        edition,
        id="2027-01",
        look_back=timedelta(days=90),
        clauses=tuple(dataclasses.replace(c, answer_within=timedelta(hours=8)) for c in edition.clauses),
    )
    load = os.getloadavg()[0]
    backend = backend_pid()
    cpu_before, own_before, database_before = cpu(), time.process_time(), cpu_of(backend)
    queued_before, began = seconds_queued(), time.perf_counter()
    collateral, tally = Collateral(desk=desk, at=AT), Tally()
    for _, part in replayed_parts(
        other, since=AT - timedelta(days=1), until=AT + timedelta(days=1), desk=desk, processes=processes,
        collateral=collateral,
    ):  # fmt: skip
        tally.add(part)
    seconds, used, database = time.perf_counter() - began, cpu() - cpu_before, cpu_of(backend) - database_before
    own, queued = time.process_time() - own_before, seconds_queued() - queued_before
    assert tally.judged == filled, (tally.judged, filled)
    assert tally.not_reproduced == 0, "every verdict comes out again"
    assert tally.weighed == tally.different, "and every measure is weighed"
    return {
        "bench": "replay",
        "allegations": filled,
        "different": tally.different,
        "processes": processes,
        "seconds": round(seconds, 2),
        "cpu_seconds": {
            "reading_and_weighing": round(own, 2),
            "judging": round(max(used - own, 0.0), 2),
            "database": round(database, 2),
        },
        "first_process_seconds": {
            "running": round(own, 2),
            "waiting_for_a_core_that_others_have": round(queued, 2),
            "waiting_for_judges_and_database": round(seconds - own - queued, 2),
        },
        "allegations_a_minute_of_two_cores_by_cpu": round(filled / (used + database) * 2 * 60),
        "allegations_a_minute": round(filled / seconds * 60),
        "memory_mib_max": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "differences_weighed": tally.weighed,
        "of_them_unlike_any_other": collateral.weighed,
        "edition": edition.id,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": round(load, 2)},
    }


def cpu() -> float:
    """Processor seconds of this process and of those that it has waited for."""
    return sum(part for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for part in resource.getrusage(who)[:2])


def seconds_queued() -> float:
    """How long this process could have run and had no core: other programs, or its own judges, had them."""
    with open("/proc/self/schedstat") as stat:
        return int(stat.read().split()[1]) / 1e9


def backend_pid() -> int:
    """The database's process that serves us."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def cpu_of(pid: int) -> float:
    """Processor seconds that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        after_name = stat.read().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def move_in() -> None:
    """Some customers, so that remedies have somebody to hit."""
    from tipstaff.registry import operations as registry
    from tipstaff.words import Customer, Holding, HoldingKind, Tier

    since = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        Holding(key=0, tier=Tier.OPERATOR, kind=HoldingKind.STATIC, prefix=ip_network("192.0.2.0/24"), held_from=since)
    ]
    for n in range(CUSTOMERS):
        registry.add_customer(
            Customer(key=f"acct-{n}", name=f"Placeholder {n}", representative=None), at=since, actor="import"
        )
        rows.append(
            Holding(
                key=0, tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network(f"192.0.2.{n}/32"),
                held_from=since, customer=f"acct-{n}",
            )
        )  # fmt: skip
    registry.add_holdings(rows, at=since, actor="import")


def fill(edition: "Edition", wanted: int) -> int:
    """Write judgements as `procedures.complaint` records them; returns how many."""
    from django.db import connection

    with connection.cursor() as cursor:
        copy = "COPY ledger_entry (at, what, actor, about, detail, digest) FROM STDIN"
        with cursor.copy(copy) as into:
            for n, detail in enumerate(itertools.islice(judgements(edition), wanted)):
                about = [f"R-{n:06}.1", f"R-{n:06}", "0" * 64]
                into.write_row((AT, "incident.judged", "worker", about, json.dumps(detail), "0" * 64))
        cursor.execute("ANALYZE ledger_entry")
        cursor.execute("SELECT count(*) FROM ledger_entry WHERE what = 'incident.judged'")
        return int(cursor.fetchone()[0])


def judgements(edition: "Edition") -> Iterator[dict[str, object]]:
    """The details of entries, over and over: a mixed world."""
    from tipstaff.policy.judge import judge
    from tipstaff.policy.past import keep_question
    from tipstaff.policy.replay import treatment_digest, treatment_of
    from tipstaff.words import XARF_TYPES, Allegation, Attribution, AttributionReason, Grade, History, Moment, Trust

    grades = [
        *[(Grade.CONFIRMED, AttributionReason.ONE_HOLDER)] * 6,
        (Grade.PROBABLE, AttributionReason.TIME_ASSUMED),
        (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT),
        (Grade.NONE, AttributionReason.NOT_OUR_SPACE),
    ]
    ages = [timedelta(minutes=5), timedelta(hours=20), timedelta(days=3), timedelta(days=120), timedelta(days=400)]
    world = itertools.product(sorted(XARF_TYPES), grades, ages, [None, 22, 443, 50000])
    proof = [
        {"holding": 1, "tier": "customer", "kind": "static", "prefix": "192.0.2.0/32", "source": "customers.csv:7"}
    ]
    made = []
    for n, (type, (grade, reason), age, port) in enumerate(world):
        customer = f"acct-{n % CUSTOMERS}" if grade in (Grade.CONFIRMED, Grade.PROBABLE) else None
        allegation = Allegation(
            type=type, source=ip_address(f"192.0.2.{n % CUSTOMERS}"), target_port=port, moment=Moment(AT - age)
        )
        history, trust = History(cases_before=n % 3), Trust()
        verdict = judge(
            allegation, attribution=Attribution(grade=grade, reason=reason, customer=customer), history=history,
            edition=edition, received_at=AT, trust=trust,
        )  # fmt: skip
        made.append(
            {
                "grade": grade, "attribution": reason, "customer": customer, "service": None, "proof": proof,
                "clause": verdict.clause, "edition": verdict.edition, "disposition": verdict.disposition,
                "reason": verdict.reason, "explanation": verdict.explanation,
                "asked": keep_question(allegation, history=history, received_at=AT, trust=trust),
                "verdict": treatment_digest(treatment_of(verdict)),
            }
        )  # fmt: skip
    return itertools.cycle(made)


if __name__ == "__main__":
    main()
