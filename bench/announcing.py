"""How soon a blackhole is in a peer's kernel, one by one and 100,000 at once, by BIRD and by ExaBGP. Prints JSON.

    python bench/announcing.py [--routes 100000] [--measures 40] [--exabgp-routes 10000]

It needs root, and Debian's bird2, frr and exabgp. The peer is FRR in a network namespace, and what counts is its
kernel's forwarding table. It starts a database of its own, which goes with it, and touches no network but the one that
it builds.
"""

import argparse
import json
import os
import platform
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _one_measure import desk, latency

from tests.live.announcers import edge_with
from tests.live.speakers import (
    BirdSpeaker,
    ExaBgpSpeaker,
    Peer,
    Running,
    unavailable,
)
from tipstaff.enforcement.drivers import bird, exabgp
from tipstaff.enforcement.planner import steps
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.words import Degree, Direction, Plan, Rule, Selector

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
BASE = int(ip_address("2001:db8:1:1::"))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--routes", type=int, default=100_000)
    arguments.add_argument("--measures", type=int, default=40)
    arguments.add_argument("--exabgp-routes", type=int, default=10_000)
    wanted = arguments.parse_args()
    if why := unavailable("bird", "birdc", "exabgp"):
        print(json.dumps({"benchmark": "announcing", "skipped": why}))
        return
    figures: dict[str, object] = {
        "benchmark": "announcing",
        "command": " ".join(["python", "bench/announcing.py", *sys.argv[1:]]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "load_before": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "kernel": platform.release(),
        },
    }
    by_bird: dict[str, Any] = {}
    by_exabgp: dict[str, Any] = {}
    with desk():
        with network() as (peer, folder):
            speaker = BirdSpeaker(peer.lab, folder / "bird")
            try:
                speaker.open()
                options = speaker.options(peer_fib=peer.lab.prefix("edge"), settle_seconds=30)
                # First: for seconds after 100,000 routes went, their peer is slow to take up another.
                by_bird["one_by_one"] = one_by_one(bird.make("edge1", options), wanted.measures)
                by_bird["all_at_once"] = bird_all_at_once(peer, speaker, wanted.routes)
            finally:
                speaker.kill()
        with network() as (peer, folder):
            other = ExaBgpSpeaker(peer.lab, folder / "exabgp")
            try:
                other.open()
                options = other.options(peer_fib=peer.lab.prefix("edge"), settle_seconds=120, timeout_seconds=120)
                driver = exabgp.make("edge2", options)
                by_exabgp["one_by_one"] = one_by_one(driver, wanted.measures)
                by_exabgp["all_at_once"] = exabgp_all_at_once(peer, driver, wanted.exabgp_routes)
            finally:
                other.kill()
    figures["bird"], figures["exabgp"] = by_bird, by_exabgp
    figures["bird_routes_per_second_over_exabgp"] = round(
        by_bird["all_at_once"]["planned_routes_per_second"] / by_exabgp["all_at_once"]["planned_routes_per_second"], 1
    )
    json.dump(figures, sys.stdout, indent=2)
    print()


@contextmanager
def network() -> Iterator[tuple[Peer, Path]]:
    """FRR in a network of its own, and a folder that FRR's user may enter."""
    with edge_with("bird", "birdc", "exabgp") as peer:
        yield peer, peer.folder.parent


def rules(n: int) -> list[Rule]:
    return [
        Rule(
            measure=f"M-{i:06d}",
            case=f"C-{i:06d}",
            selector=Selector(network=ip_network(BASE + i if i else f"{ip_address(BASE)}"), direction=Direction.IN),
            degree=Degree.BLOCK,
        )
        for i in range(n)
    ]


def bird_all_at_once(peer: Peer, speaker: BirdSpeaker, n: int) -> dict[str, object]:
    """From an empty device to all in the peer's kernel; then BIRD killed, and started cold with its file; then none."""
    driver = bird.make("edge1", speaker.options(settle_seconds=1, timeout_seconds=120))
    planned, seconds = carry_out(peer, driver, 100_000, rules(n), n)
    speaker.kill()
    await_count(peer, 0)
    begun, before, own = time.perf_counter(), processor_seconds(peer), time.process_time()
    speaker.start_only()
    await_count(peer, n)
    cold, own = time.perf_counter() - begun, time.process_time() - own
    used = {name: spent - before.get(name, 0) for name, spent in processor_seconds(peer, speaker).items()}
    lifted, _ = carry_out(peer, driver, 100_001, [], 0)
    return {
        "routes": n,
        "cold_start_to_kernel_seconds": round(cold, 2),
        "cold_start_processor_seconds": {name: round(seconds, 2) for name, seconds in used.items()},
        "cold_start_processor_seconds_of_the_benchmark": round(own, 2),
        "plan_to_kernel_seconds": round(planned, 2),
        "plan_driver_processor_seconds": round(seconds, 2),
        "planned_routes_per_second": round(n / planned),
        "lifted_from_kernel_seconds": round(lifted, 2),
    }


def exabgp_all_at_once(peer: Peer, driver: Announcer, n: int) -> dict[str, object]:
    planned, seconds = carry_out(peer, driver, 100_000, rules(n), n)
    lifted, _ = carry_out(peer, driver, 100_001, [], 0)
    return {
        "routes": n,
        "plan_to_kernel_seconds": round(planned, 2),
        "plan_driver_processor_seconds": round(seconds, 2),
        "planned_routes_per_second": round(n / planned),
        "lifted_from_kernel_seconds": round(lifted, 2),
    }


def carry_out(peer: Peer, driver: Announcer, generation: int, wanted: list[Rule], count: int) -> tuple[float, float]:
    """(seconds until the kernel has that many, seconds of processor time that the driver took)."""
    plan = Plan(device=driver.device, generation=generation, rules=tuple(wanted))
    begun, worked = time.perf_counter(), time.process_time()
    driver.carry_out(plan, steps=steps(plan, driver.observe(at=AT)), at=AT)
    worked = time.process_time() - worked
    await_count(peer, count)
    return time.perf_counter() - begun, worked


def await_count(peer: Peer, n: int) -> None:
    """Until the peer's kernel has exactly that many blackholes of BGP. Its own count is cheap, a listing is not."""
    for _ in range(6000):
        if entries(peer) >= n and (n or entries(peer) < 100) and listed(peer) == n:
            return
        select.select([], [], [], 0.02)
    raise AssertionError(f"the peer's kernel never had {n}")


def entries(peer: Peer) -> int:
    """Of the peer's kernel, as a process there sees it: to start one for each look would take a share of it all."""
    stats = Path(f"/proc/{peer.processes['zebra'].pid}/net/rt6_stats").read_text()
    return int(stats.split()[3], 16)


def listed(peer: Peer) -> int:
    return peer.lab.run("edge", "ip", "-6", "route", "show", "type", "blackhole").count("proto bgp")


def processor_seconds(*groups: Running) -> dict[str, float]:
    """What each daemon has used so far; beside other work on the machine, this says more than a clock."""
    used: dict[str, float] = {}
    for name, process in ((n, p) for group in groups for n, p in group.processes.items()):
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def one_by_one(driver: Announcer, n: int) -> dict[str, object]:
    """From the decision on record to in force, and from the wish to lifted, as the peer's kernel shows them."""
    return latency(
        driver,
        lambda i: Selector(network=ip_network(f"192.0.2.{20 + i % 200}"), direction=Direction.IN),
        n,
        proof="STATE",
        own=(ip_network("192.0.2.0/24"),),
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that it took, and what came of it."""
    begun = time.perf_counter()
    done = work()
    return time.perf_counter() - begun, done


if __name__ == "__main__":
    main()
