"""How fast a decision is in force, and how fast a packet filter is made to hold many elements. Prints JSON.

    python bench/enforcement.py [--elements 100000] [--measures 20] [--without-nft]

It needs nft and ip, and root or a kernel that lets a plain user have namespaces. It starts a database of its own,
which waits for the disk at each commit and goes with it, and touches no network but the one that it builds.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from _database import database
from _one_measure import latency, spread, used

if TYPE_CHECKING:
    from tipstaff.testing.lab import Lab


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--elements", type=int, default=100_000)
    arguments.add_argument("--measures", type=int, default=20)
    arguments.add_argument("--without-nft", action="store_true", help="leave out what runs nft for the many: minutes")
    wanted = arguments.parse_args()

    from tipstaff.testing.lab import Lab

    if why := Lab.unavailable():
        print(json.dumps({"benchmark": "enforcement", "skipped": why}))
        return
    figures: dict[str, object] = {
        "benchmark": "enforcement",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python", *sys.argv]),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "kernel": platform.release(),
            "load": os.getloadavg()[0],
        },
    }
    with database(durable=True):
        from tipstaff.enforcement.drivers.nftables import make
        from tipstaff.host.memory import collect_rarely
        from tipstaff.words import Direction, Selector

        collect_rarely()  # As the enforcer does before its first round.
        with Lab() as lab:
            figures["elements"] = converge(lab, wanted.elements, nft=not wanted.without_nft)

        def port(i: int) -> Selector:
            return Selector(network=ip_network("192.0.2.7"), protocol="tcp", port=2000 + i, direction=Direction.OUT)

        with Lab() as lab:
            driver = make("edge1", lab.device_options())
            figures["latency"] = latency(
                driver, port, wanted.measures, proof="STATE", own=(ip_network("192.0.2.0/24"),)
            )
        with Lab() as lab:
            figures["one_change_among_many_with_the_database"] = one_among(lab, wanted.elements)
    json.dump(figures, sys.stdout, indent=2)
    print()


def converge(lab: "Lab", n: int, *, nft: bool, changes: int = 20) -> dict[str, object]:
    """Make an empty filter hold `n` measures, change one and then another, take all away; by nft and by netlink.

    The kernel holds two elements for each, the one that stops the traffic and the one that names it: so half as many
    measures are `n` elements. Beside it what nft alone takes for `n` elements, without any of our books: with nft no
    driver can be faster.
    """
    by_nft = {"nft_alone": floor(lab, n), "nft": converge_by(lab, n, changes=3, netlink=False)} if nft else {}
    return {
        **by_nft,
        "netlink": converge_by(lab, n, changes=changes, netlink=True),
        "netlink_half_as_many": converge_by(lab, n // 2, changes=changes, netlink=True),
    }


def converge_by(lab: "Lab", n: int, *, changes: int, netlink: bool) -> dict[str, object]:
    from tipstaff.enforcement.drivers.nftables import make
    from tipstaff.enforcement.planner import digest_of, steps
    from tipstaff.words import Degree, Direction, Observation, Plan, Rule, Selector

    at = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    driver = make("edge1", {"command_prefix": lab.prefix("edge"), "timeout_seconds": 120, "netlink": netlink})
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
        for i in range(n + changes)
    ]
    figures: dict[str, Any] = {"measures": n, "elements": 2 * n}
    generation = 0

    def planned(wanted: list[Rule]) -> tuple[list[str], Callable[[], None]]:
        """The measures that a plan changes, and what carries it out."""
        nonlocal generation
        generation += 1
        plan = Plan(device="edge1", generation=generation, rules=tuple(wanted))
        digest_of(plan.rules)  # Whoever makes a plan does so: each rule knows its fingerprint by then.
        todo = steps(plan, driver.observe(at=at))
        return [step.measure for step in todo], lambda: driver.carry_out(plan, steps=todo, at=at)

    def whole(name: str, wanted: list[Rule]) -> None:
        _, carry_out = planned(wanted)
        figures[f"{name}_carry_out"], _ = used(carry_out)
        figures[f"{name}_read_whole"], seen = used(lambda: driver.observe(at=at))
        figures[f"{name}_converged"] = {
            what: round(sum(figures[f"{name}_{part}"][what] for part in ("carry_out", "read_whole")), 4)
            for what in ("wall", "cpu")
        }
        assert [key for key, _ in seen.rules] == [rule.measure for rule in wanted], "it holds something else"

    whole("all", rules[:n])
    spent: list[dict[str, float]] = []
    for i in range(changes):
        # One more, and one less.
        touched, carry_out = planned(rules[i + 1 : n + i + 1])
        assert set(touched) == {rules[i].measure, rules[n + i].measure}

        def change(carry_out: Callable[[], None] = carry_out, touched: list[str] = touched) -> Observation:
            carry_out()
            return driver.look_at(touched, at=at) or driver.observe(at=at)

        taken, seen = used(change)
        assert (str(seen.of(rules[i].measure)), str(seen.of(rules[n + i].measure))) == ("absent", "in_force")
        spent.append(taken)
    figures["one_change_and_its_read_back"] = {
        "changes": changes,
        **{what: spread([one[what] for one in spent]) for what in ("wall", "cpu")},
    }
    whole("none", [])
    lab.run("edge", "nft", "delete table inet tipstaff")
    return figures


def floor(lab: "Lab", n: int) -> dict[str, object]:
    """What nft itself takes to add the same elements, with a comment and an end each, and to list them again."""
    lines = ", ".join(
        f'192.0.2.{i % 256} . tcp . {1 + i // 256} timeout 1d comment "tipstaff M-{i:06d}"' for i in range(n)
    )
    lab.run("edge", "nft", "-f", "-", given="add table inet alone\nadd set inet alone them "
            "{ type ipv4_addr . inet_proto . inet_service; flags timeout; }\n")  # fmt: skip
    try:
        added, _ = used(lambda: lab.run("edge", "nft", "-f", "-", given=f"add element inet alone them {{ {lines} }}\n"))
        one = "{ 192.0.2.7 . tcp . 1 }"
        asked, _ = used(lambda: lab.run("edge", "nft", f"get element inet alone them {one}"))
        listed, _ = used(lambda: lab.run("edge", "nft", "-j", "list", "set", "inet", "alone", "them"))
    finally:
        lab.run("edge", "nft", "delete table inet alone")
    return {"add": added, "list": listed, "ask_for_one": asked}


def one_among(lab: "Lab", n: int, changes: int = 20) -> dict[str, object]:
    """One change among `n` measures in force: database, record, kernel and the read-back of what was changed."""
    from django.db import connection

    from tipstaff.enforcement import operations, queries
    from tipstaff.enforcement.drivers.nftables import make
    from tipstaff.enforcement.guards import Limits
    from tipstaff.enforcement.models import DeviceRow, MeasureRow
    from tipstaff.enforcement.planner import steps
    from tipstaff.procedures.enforcing import hasten, reconcile
    from tipstaff.words import Candidate, Degree, Direction, MeasureState, Proof, Selector

    at = datetime.now(UTC)
    limits = Limits(own=(ip_network("192.0.2.0/24"),))
    driver = make("edge2", {"command_prefix": lab.prefix("edge"), "timeout_seconds": 120, "netlink": True})
    # As they stand once each was planned, sent and seen in its turn, a mass of this hour that two people let pass.
    asked, passed, sent = (at - timedelta(minutes=n) for n in (10, 9, 8))
    hosts = [f"192.0.2.{i}/32" for i in range(256)]
    MeasureRow.objects.bulk_create(
        [
            MeasureRow(
                key=f"B-{i:06d}", case=f"C-{i:06d}", customer=f"acct-{i}", device="edge2", degree=int(Degree.BLOCK),
                selector={"network": hosts[i % 256], "protocol": "tcp", "port": 1 + i // 256, "direction": "out"},
                selector_key=str(i), state=MeasureState.IN_FORCE, proof=Proof.STATE, planned_at=asked,
                sent_at=sent, in_force_at=sent, until=at + timedelta(days=1), generation=1,
                lifted_when="It is fixed.", notice="L-000001",
            )
            for i in range(n)
        ],
        batch_size=5000,
    )  # fmt: skip
    fence = operations.become_writer("edge2", at=at)
    DeviceRow.objects.filter(name="edge2").update(let_pass_at=passed)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE enforcement_measurerow")  # As PostgreSQL does by itself within a minute.
    plan = operations.next_plan(fence, at=at)
    driver.carry_out(plan, steps=steps(plan, driver.observe(at=at)), at=at)
    first, _ = used(lambda: reconcile(driver, fence=fence, limits=limits, at=at))
    idle, _ = used(lambda: reconcile(driver, fence=fence, limits=limits, at=at))
    assert len(driver.observe(at=at).rules) == n
    spent: list[dict[str, float]] = []
    for i in range(changes):
        chosen = Candidate(
            selector=Selector(network=ip_network("192.0.2.7"), protocol="udp", port=2000 + i, direction=Direction.OUT),
            degree=Degree.BLOCK, device="edge2", sufficient=True, others_hit=0, services_hit=0, chosen=True, why="So.",
        )  # fmt: skip
        key = operations.plan_measure(
            case=f"D-{i:06d}", customer="acct-1", candidates=[chosen], chosen=chosen, until=at + timedelta(days=1),
            lifted_when="It is fixed.", notice="L-000001", urgency=None, at=at, actor="bench",
        )  # fmt: skip
        for state in (MeasureState.IN_FORCE, MeasureState.LIFTED):
            if state is MeasureState.LIFTED:
                operations.want_lifted(key, why="It is fixed.", at=at, actor="bench")
            taken, done = used(lambda: hasten(driver, fence=fence, limits=limits, at=at))
            measure = queries.get_measure(key)
            assert done is not None, "it took a whole round"
            assert measure is not None
            assert (measure.state, measure.proof) == (state, Proof.STATE)
            spent.append(taken)
    after_few, done = used(lambda: reconcile(driver, fence=fence, limits=limits, at=at))
    assert not done.steps, done
    return {
        "count": n,
        "first_whole_round": first,
        "whole_round_with_nothing_to_do": idle,
        "whole_round_after_the_changes": after_few,
        "one_change": {"changes": len(spent), **{k: spread([one[k] for one in spent]) for k in ("wall", "cpu")}},
    }


if __name__ == "__main__":
    main()
