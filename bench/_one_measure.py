"""How soon one measure is in force and lifted again, whatever the device, and what it took: what benchmarks of drivers
have in common."""

import contextlib
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
AT = datetime.now(UTC)


@contextlib.contextmanager
def desk() -> Iterator[None]:
    """A database of its own with the project's tables, gone at the end."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tipstaff.site.settings")
    import django
    from django.core.management import call_command

    from tipstaff.testing import postgres

    django.setup()
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        postgres.stop()


def latency(
    driver: Any, selector: Callable[[int], Any], n: int, *, proof: str, degree: str = "BLOCK", own: tuple[Any, ...] = ()
) -> dict[str, object]:
    """From the decision on record to in force as surely as the driver can show, and from the wish to lifted.

    `proof` is the level that each of both has to be shown at; where one is not, the benchmark ends and says so.
    """
    from tipstaff.enforcement import operations, queries
    from tipstaff.enforcement.guards import Limits
    from tipstaff.procedures.enforcing import hasten, reconcile
    from tipstaff.words import Candidate, Degree, MeasureState, Proof

    limits = Limits(
        own=own,
        new_rules_max=10 * n,
        owns_name=lambda _: True,
        owns_mailbox=lambda _: True,
        owns_session=lambda _: True,
        owns_port=lambda _: True,
    )
    fence = operations.become_writer(driver.device, at=AT)

    def reached(measure: Any) -> str:
        """The level that it was shown at."""
        if measure.proof < Proof[proof]:
            sys.exit(
                f"{driver.device}: {measure.key} is {measure.state} at proof level {measure.proof.name}, and this "
                f"benchmark counts to {proof}: {measure.proof_detail}"
            )
        return str(measure.proof.name)

    def called() -> None:
        """What the enforcer does when the database calls it."""
        if hasten(driver, fence=fence, limits=limits, at=AT) is None:
            reconcile(driver, fence=fence, limits=limits, at=AT)

    reconcile(driver, fence=fence, limits=limits, at=AT)  # As it does when it starts.
    in_force, lifted, proofs = [], [], set()
    for i in range(n):
        chosen = Candidate(
            selector=selector(i), degree=Degree[degree], device=driver.device, sufficient=True, others_hit=0,
            services_hit=0, chosen=True, why="The narrowest.",
        )  # fmt: skip
        begun = time.perf_counter()
        key = operations.plan_measure(
            case=f"C-{driver.device}-{i}", customer="acct-1", candidates=[chosen], chosen=chosen,
            until=AT + timedelta(days=1), lifted_when="It is fixed.", notice="L-000001", urgency=None, at=AT,
            actor="bench",
        )  # fmt: skip
        called()
        in_force.append(time.perf_counter() - begun)
        measure = queries.get_measure(key)
        assert measure is not None
        assert measure.state is MeasureState.IN_FORCE, (measure, driver.observe(at=AT).detail)
        proofs.add(reached(measure))
        begun = time.perf_counter()
        operations.want_lifted(key, why="It is fixed.", at=AT, actor="bench")
        called()
        lifted.append(time.perf_counter() - begun)
        measure = queries.get_measure(key)
        assert measure is not None
        assert measure.state is MeasureState.LIFTED, (measure.state, measure.proof_detail, measure.still_stopped)
        proofs.add(reached(measure))
    operations.stop_writing(fence)
    return {
        "measures": n,
        "proof": sorted(proofs),
        "decision_to_in_force_seconds": spread(in_force),
        "wish_to_lifted_seconds": spread(lifted),
    }


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that it took, and what came of it."""
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


def used(work: Callable[[], T]) -> tuple[dict[str, float], T]:
    """Seconds of wall and of CPU (ours, our children's and the kernel's for us), and what came of it."""
    before = cpu_seconds()
    seconds, done = timed(work)
    return {"wall": round(seconds, 4), "cpu": round(cpu_seconds() - before, 4)}, done


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def spread(values: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "median": round(statistics.median(values), 4),
        "p95": round(sorted(values)[max(0, int(len(values) * 0.95 + 0.5) - 1)], 4),
    }
