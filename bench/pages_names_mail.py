"""How fast a page, a host name or a mailbox is stopped and let go, one by one and by the hundred thousand. Prints JSON.

    python bench/pages_names_mail.py [--count 100000] [--measures 60] [--only nginx,haproxy,rpz,postfix]

It needs nginx, haproxy, named and unbound, and root for Postfix; what is not there is skipped and said so. It starts
each on loopback with settings of its own, and a database that goes with it.
"""

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _one_measure import AT, desk, latency, timed


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--count", type=int, default=100_000)
    arguments.add_argument("--measures", type=int, default=60)
    arguments.add_argument("--only", default="nginx,haproxy,rpz,rpz-bind,postfix")
    wanted = arguments.parse_args()
    figures: dict[str, object] = {
        "benchmark": "pages_names_mail",
        "command": " ".join(["python", *sys.argv]),
        "at": AT.isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
    }
    with desk():
        for name in wanted.only.split(","):
            print(name, file=sys.stderr, flush=True)
            with LABS[name]() as lab:
                if isinstance(lab, str):
                    figures[name] = {"skipped": lab}
                    continue
                driver, rule, selector = lab
                found: dict[str, object] = {"one": latency(driver, selector, wanted.measures, proof="PROBE")}
                if rule is not None:
                    found["many"] = many(driver, rule, wanted.count)
                figures[name] = found
                print(json.dumps(found), file=sys.stderr, flush=True)
    peers = [figures.get(name) for name in ("nginx", "haproxy")]
    if all(isinstance(p, dict) and "many" in p for p in peers):
        first, second = (p["many"]["processor_seconds"] for p in peers)  # type: ignore[index]  # checked above
        figures["nginx_to_haproxy"] = {name: round(first[name] / max(second[name], 0.01), 2) for name in first}
    json.dump(figures, sys.stdout, indent=2)
    print()


def many(driver: Any, rule: Callable[[int], Any], n: int) -> dict[str, object]:
    """Make a device hold `n` rules from nothing, take one away, take all away; each is carried out and read back."""
    from tipstaff.enforcement.planner import steps
    from tipstaff.words import Plan

    driver._timeout_seconds = 600
    rules = [rule(i) for i in range(n)]
    seconds: dict[str, float] = {}
    processor: dict[str, float] = {}

    def measured(name: str, work: Callable[[], Any]) -> Any:
        used = os.times()
        seconds[name], done = timed(work)
        now = os.times()
        processor[name] = sum(now[:4]) - sum(used[:4])  # Ours and that of the programs that we ran; no daemon's.
        return done

    begun = driver.observe(at=AT).generation
    for name, wanted in (("all", rules), ("one_less", rules[1:]), ("one_back", rules), ("none", [])):
        begun += 1
        plan = Plan(device=driver.device, generation=begun, rules=tuple(wanted))
        todo = steps(plan, driver.observe(at=AT))
        measured(f"{name}_carry_out", lambda plan=plan, todo=todo: driver.carry_out(plan, steps=todo, at=AT))
        after = measured(f"{name}_read", lambda: driver.observe(at=AT))
        assert len(after.rules) == len(wanted), (name, len(after.rules), after.detail)
        assert not wanted or {str(seen) for _, seen in after.rules} == {"in_force"}, after.detail
    return {
        "count": n,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "processor_seconds": {name: round(value, 3) for name, value in processor.items()},
    }


# What is measured.

Lab = Iterator[object]


def _page(i: int) -> Any:
    from tipstaff.words import Degree, Rule, Selector

    url = f"http://www.example.net/{i % 97}/{i}.html"
    return Rule(measure=f"M-{i:06d}", case=f"C-{i:06d}", selector=Selector(url=url), degree=Degree.BLOCK)


def _selector_of_page(i: int) -> Any:
    from tipstaff.words import Selector

    return Selector(url=f"http://www.example.net/one/{i}.html")


@contextlib.contextmanager
def _nginx() -> Lab:
    from tests.live.web_server import PROGRAM, Nginx
    from tipstaff.enforcement.drivers.nginx import make

    if PROGRAM is None:
        yield "nginx is not installed"
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Nginx(Path(folder), workers=2)
        server.start()
        try:
            yield make("web1", server.options()), _page, _selector_of_page
        finally:
            server.stop()


@contextlib.contextmanager
def _haproxy() -> Lab:
    from tests.live.balancer import PROGRAM, Haproxy
    from tipstaff.enforcement.drivers.haproxy import make, table

    if PROGRAM is None:
        yield "HAProxy is not installed"
        return
    with tempfile.TemporaryDirectory() as folder:
        rules = table.rules_for(
            map_file=f"{folder}/tipstaff.map", blocked_by="https://noc.example.net/orders",
            policy_url="https://noc.example.net/policy",
        )  # fmt: skip
        server = Haproxy(Path(folder), rules=rules)
        server.start()
        try:
            yield make("lb1", server.options()), _page, _selector_of_page
        finally:
            server.stop()


def _rpz(*, unbound: bool) -> Callable[[], contextlib.AbstractContextManager[object]]:
    @contextlib.contextmanager
    def lab() -> Lab:
        from tests.live.name_servers import NAMED, UNBOUND, NameServers
        from tipstaff.enforcement.drivers.rpz import make
        from tipstaff.words import Degree, Rule, Selector

        if NAMED is None or (unbound and UNBOUND is None):
            yield "named or unbound is not installed"
            return

        def rule(i: int) -> Rule:
            selector = Selector(host_name=f"h{i}.example.net")
            return Rule(measure=f"M-{i:06d}", case=f"C-{i:06d}", selector=selector, degree=Degree.BLOCK)

        with tempfile.TemporaryDirectory() as folder:
            servers = NameServers(Path(folder), unbound=unbound)
            servers.start()
            try:
                device = "ns1" if unbound else "ns2"
                yield make(device, servers.options()), rule, lambda i: Selector(host_name=f"one{i}.example.net")
            finally:
                servers.stop()

    return lab


@contextlib.contextmanager
def _postfix() -> Lab:
    from tests.live.mail_server import POSTFIX, Postfix
    from tipstaff.enforcement.drivers.postfix import make
    from tipstaff.words import Selector

    if POSTFIX is None or os.geteuid() != 0:
        yield "Postfix is not installed, or this is not root"
        return
    server = Postfix()
    server.start()
    try:
        yield make("mx1", server.options()), None, lambda i: Selector(mailbox=f"u{i}@example.net")
    finally:
        server.stop()


LABS: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "rpz": _rpz(unbound=True),
    "rpz-bind": _rpz(unbound=False),
    "postfix": _postfix,
}

if __name__ == "__main__":
    main()
