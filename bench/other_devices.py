"""How soon one measure is in force and lifted by the drivers that no other benchmark has. Prints JSON.

    python bench/other_devices.py [--measures 40] [--only gobgp,ovs,...]

It needs root and Debian's bird2, frr, gobgpd, openvswitch-switch, freeradius, hostapd and ansible-core; what is missing
is said and left out. NETCONF's device is one of our own on loopback. It starts a database of its own, and touches no
network but those that it builds.
"""

import argparse
import base64
import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _one_measure import AT, desk, latency

Lab = Iterator[tuple[Any, Callable[[int], Any], dict[str, Any]]]
OWN = (ip_network("192.0.2.0/24"), ip_network("203.0.113.0/24"), ip_network("198.51.100.0/24"))


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--measures", type=int, default=40)
    arguments.add_argument("--only", default=",".join(LABS))
    wanted = arguments.parse_args()
    figures: dict[str, object] = {
        "benchmark": "other_devices",
        "command": " ".join(["python", "bench/other_devices.py", *sys.argv[1:]]),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
    }
    with desk():
        for name in wanted.only.split(","):
            print(name, file=sys.stderr, flush=True)
            try:
                with LABS[name]() as (driver, selector, more):
                    figures[name] = latency(driver, selector, wanted.measures, proof="STATE", own=OWN, **more)
            except pytest.skip.Exception as why:
                figures[name] = {"skipped": str(why)}
    json.dump(figures, sys.stdout, indent=2)
    print()


def _one_address(i: int) -> Any:
    from tipstaff.words import Direction, Selector

    return Selector(network=ip_network(f"192.0.2.{20 + i % 200}"), direction=Direction.IN)


def _one_flow(i: int) -> Any:
    from tipstaff.words import Direction, Selector

    return Selector(network=ip_network(f"192.0.2.{20 + i % 200}"), protocol="tcp", port=25, direction=Direction.OUT)


@contextlib.contextmanager
def _gobgp() -> Lab:
    from tests.live.announcers import edge_with, opened
    from tests.live.speakers import GoBgpSpeaker
    from tipstaff.enforcement.drivers.gobgp import make

    with edge_with("gobgp", "gobgpd") as peer, opened(GoBgpSpeaker(peer.lab, peer.folder.parent / "gobgp")) as speaker:
        yield make("gobgp1", speaker.options(peer_fib=peer.lab.prefix("edge"))), _one_address, {}


def _prefix_filter(dialect: str) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    @contextlib.contextmanager
    def lab() -> Lab:
        from tests.live import test_prefix_filter as filtered
        from tests.live.announcers import opened
        from tipstaff.testing.drivers import await_true, carry_out
        from tipstaff.words import Selector

        with filtered.filtering_peer() as peer, opened(filtered.filtering_bird(peer)) as bird:
            routes = filtered.OF_PEER if dialect == "bird" else filtered.OF_BIRD
            if dialect == "bird":
                (bird.include / "filter.conf").unlink()
                driver = filtered.of_bird(bird)
                carry_out(driver, 1, [], at=AT)
                await_true(lambda: all(n in bird.ask("show route protocol edge") for n in routes))
            else:
                driver = filtered.of_frr(peer, peer.folder.parent / "edge.book")
                await_true(lambda: all(n in peer.ask("show bgp ipv4 unicast") for n in routes))
            yield driver, lambda i: Selector(network=ip_network(routes[i % 2]), announced_on="edge"), {}

    return lab


@contextlib.contextmanager
def _ovs() -> Lab:
    from tests.live.test_ovs import Switch
    from tipstaff.enforcement.drivers import ovs
    from tipstaff.testing.lab import Lab as Network
    from tipstaff.words import Selector

    if why := Network.unavailable():
        pytest.skip(why)
    with tempfile.TemporaryDirectory() as folder, Network() as network, ExitStack() as stack:
        switch = Switch(Path(folder), stack, prefix=network.prefix("edge"))
        for n in range(16):
            switch.set("add-port", "br0", f"line{n}", "--", "set", "Interface", f"line{n}", "type=internal",
                       f"external_ids:service=S-{n}", f"external_ids:account=acct-{n}")  # fmt: skip
        driver = ovs.make("switch1", switch.options())
        yield driver, lambda i: Selector(session=f"line{i % 16}/02:00:5e:10:00:{i % 256:02x}"), {}


@contextlib.contextmanager
def _radius() -> Lab:
    from tests.live.running import until
    from tests.live.test_radius_measures import ONE, Access
    from tipstaff.testing.lab import Lab as Network
    from tipstaff.words import Selector

    if why := Network.unavailable():
        pytest.skip(why)
    network = Network(customers=("192.0.2.7",), outside=("192.0.2.8",))
    with tempfile.TemporaryDirectory() as folder, network as lab, ExitStack() as stack:
        access = Access(lab, Path(folder), stack)
        with access.supplicant(ONE):
            until(lambda: "alice" in access.open_sessions(), what="alice is on line")
            yield access.driver, lambda _: Selector(account="acct-alice"), {"degree": "SUSPEND"}


@contextlib.contextmanager
def _webhook() -> Lab:
    from tipstaff.enforcement.drivers.webhook import make
    from tipstaff.testing.receiver import Receiver

    secret = "whsec_" + base64.b64encode(b"not a secret, but long enough").decode()
    with tempfile.TemporaryDirectory() as folder, Receiver(secret, now=time.time) as receiver:
        file = Path(folder) / "secret"
        file.write_text(secret)
        file.chmod(0o600)
        options = {"url": receiver.url, "can": ["flow:block", "address:block"], "proof": "state",
                   "secret_file": str(file)}  # fmt: skip
        yield make("hook1", options), _one_address, {}


@contextlib.contextmanager
def _netconf() -> Lab:
    from tipstaff.enforcement.access_lists import LISTS
    from tipstaff.enforcement.drivers.netconf import make
    from tipstaff.testing.netconf import NetconfDevice

    with tempfile.TemporaryDirectory() as folder, NetconfDevice(attached=tuple(LISTS.values())) as device:
        password = Path(folder) / "password"
        password.write_text(device.password)
        password.chmod(0o600)
        options = {
            "address": f"127.0.0.1:{device.port}", "username": device.username, "password_file": str(password),
            "host_key": device.host_key, "rest": "accept", "statistics": True, "keeper_file": f"{folder}/keeper",
        }  # fmt: skip
        yield make("access1", options), _one_flow, {}


@contextlib.contextmanager
def _ansible() -> Lab:
    from tests.live.test_ansible import on_the_edge
    from tipstaff.enforcement.drivers.ansible import make

    with tempfile.TemporaryDirectory() as folder, on_the_edge() as lab:
        yield make("edge1", lab.options(Path(folder))), _one_flow, {}


LABS: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "gobgp": _gobgp,
    "prefix-filter-bird": _prefix_filter("bird"),
    "prefix-filter-frr": _prefix_filter("frr"),
    "ovs": _ovs,
    "radius": _radius,
    "webhook": _webhook,
    "netconf": _netconf,
    "ansible": _ansible,
}

if __name__ == "__main__":
    main()
