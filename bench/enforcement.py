"""How fast a decision is in force, and how fast a packet filter is made to hold many elements. Prints JSON.

    python bench/enforcement.py [--elements 10000] [--measures 20]

It needs nft and ip, and root or a kernel that lets a plain user have namespaces. It starts a database of its own,
which goes with it, and touches no network but the one that it builds.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar

T = TypeVar("T")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--elements", type=int, default=10_000)
    arguments.add_argument("--measures", type=int, default=20)
    wanted = arguments.parse_args()

    from tipstaff.testing.lab import Lab

    if why := Lab.unavailable():
        print(json.dumps({"benchmark": "enforcement", "skipped": why}))
        return
    figures: dict[str, object] = {
        "benchmark": "enforcement",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()},
    }
    with Lab() as lab:
        figures["elements"] = converge(lab, wanted.elements)
    from tipstaff.testing import postgres

    try:
        with Lab() as lab:
            figures["latency"] = latency(lab, wanted.measures)
    finally:
        postgres.stop()
    json.dump(figures, sys.stdout, indent=2)
    print()


def converge(lab, n: int) -> dict[str, object]:  # type: ignore[no-untyped-def]  # Lab is imported late
    """Make an empty filter hold `n` elements; change one; take all away."""
    from tipstaff.enforcement.drivers.nftables import make
    from tipstaff.enforcement.planner import steps
    from tipstaff.words import Degree, Direction, Plan, Rule, Selector

    at = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    driver = make("edge1", {"command_prefix": lab.prefix("edge"), "timeout_seconds": 120})
    rules = [
        Rule(
            measure=f"M-{i:06d}",
            case=f"C-{i:06d}",
            selector=Selector(
                network=ip_network(f"192.0.2.{i % 256}"), protocol="tcp", port=1 + i // 256, direction=Direction.OUT
            ),
            degree=Degree.BLOCK,
            until=at + timedelta(days=1),
        )
        for i in range(n)
    ]
    seconds: dict[str, float] = {}

    def round_of(name: str, generation: int, wanted: list[Rule]) -> None:
        plan = Plan(device="edge1", generation=generation, rules=tuple(wanted))
        seconds[f"{name}_read_before"], before = timed(lambda: driver.observe(at=at))
        todo = steps(plan, before)
        seconds[f"{name}_carry_out"], _ = timed(lambda: driver.carry_out(plan, steps=todo, at=at))
        seconds[f"{name}_read_after"], after = timed(lambda: driver.observe(at=at))
        assert len(after.rules) == len(wanted), "the filter does not hold what was wanted"

    round_of("all", 1, rules)
    round_of("one_less", 2, rules[1:])
    round_of("none", 3, [])
    return {"count": n, "seconds": {name: round(value, 4) for name, value in seconds.items()}}


def latency(lab, n: int) -> dict[str, object]:  # type: ignore[no-untyped-def]  # Lab is imported late
    """From the decision on record to in force at probe level, and from the wish to lifted, proven by packets."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)

    from tipstaff.enforcement import operations, queries
    from tipstaff.enforcement.drivers.nftables import make
    from tipstaff.enforcement.guards import Limits
    from tipstaff.procedures.enforcing import reconcile
    from tipstaff.words import Candidate, Degree, Direction, MeasureState, Proof, Selector

    at = datetime.now(UTC)
    limits = Limits(own=(ip_network("192.0.2.0/24"),))
    driver = make("edge1", lab.device_options())
    fence = operations.become_writer("edge1", at=at)
    in_force, lifted = [], []
    for i in range(n):
        chosen = Candidate(
            selector=Selector(network=ip_network("192.0.2.7"), protocol="tcp", port=2000 + i, direction=Direction.OUT),
            degree=Degree.BLOCK,
            device="edge1",
            sufficient=True,
            others_hit=0,
            services_hit=0,
            chosen=True,
            why="The narrowest.",
        )

        def apply(chosen: Candidate = chosen, case: str = f"C-{i:06d}") -> str:
            key = operations.plan_measure(
                case=case,
                customer="acct-1",
                candidates=[chosen],
                chosen=chosen,
                until=at + timedelta(days=1),
                lifted_when="It is fixed.",
                notice="L-000001",
                urgency=None,
                at=at,
                actor="bench",
            )
            reconcile(driver, fence=fence, limits=limits, at=at)
            return key

        def lift(key: str) -> None:
            operations.want_lifted(key, why="It is fixed.", at=at, actor="bench")
            reconcile(driver, fence=fence, limits=limits, at=at)

        seconds, key = timed(apply)
        in_force.append(seconds)
        measure = queries.get_measure(key)
        assert measure is not None
        assert (measure.state, measure.proof) == (MeasureState.IN_FORCE, Proof.PROBE), measure
        seconds, _ = timed(lambda key=key: lift(key))
        lifted.append(seconds)
        measure = queries.get_measure(key)
        assert measure is not None
        assert (measure.state, measure.proof) == (MeasureState.LIFTED, Proof.PROBE), measure
    return {
        "measures": n,
        "decision_to_in_force_by_probe_seconds": spread(in_force),
        "wish_to_lifted_by_probe_seconds": spread(lifted),
    }


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that it took, and what came of it."""
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "median": round(statistics.median(values), 4),
        "p95": round(sorted(values)[max(0, int(len(values) * 0.95 + 0.5) - 1)], 4),
    }


if __name__ == "__main__":
    main()
