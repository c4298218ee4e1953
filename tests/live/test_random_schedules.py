"""Random schedules of kills, reboots and late plans: in the end the device holds what is wanted, and nothing else.

With `TIPSTAFF_TEST_SOAK` (`make live` sets it) 500 for each device; without it a few, always the same.
`TIPSTAFF_TEST_SCHEDULES` says another number, and `TIPSTAFF_TEST_FIRST_SCHEDULE` where it begins: then several
processes can share them.
"""

import base64
import itertools
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType

import pytest

from tests.live import (
    balancer,
    mail_server,
    name_servers,
    test_ovs,
    test_prefix_filter,
    test_radius_measures,
    web_server,
)
from tests.live.announcers import edge_with, opened
from tests.live.needs import lacking, need_library
from tests.live.speakers import BirdSpeaker, ExaBgpSpeaker, GoBgpSpeaker, Peer, unavailable
from tipstaff import wiring
from tipstaff.enforcement.drivers import ansible, bird, exabgp, gobgp, haproxy, nginx, ovs, postfix, rpz, webhook
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.testing import playbooks
from tipstaff.testing.drivers import NOON
from tipstaff.testing.lab import Lab
from tipstaff.testing.receiver import Receiver
from tipstaff.words import Degree, Proof, Selector

from .schedules import Soak

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

SCHEDULES = int(os.environ.get("TIPSTAFF_TEST_SCHEDULES", 500 if os.environ.get("TIPSTAFF_TEST_SOAK") else 12))

FIRST = int(os.environ.get("TIPSTAFF_TEST_FIRST_SCHEDULE", "0"))


def check(soak: Soak) -> None:
    faults = [fault for seed in range(FIRST, FIRST + SCHEDULES) for fault in soak.play(seed)]
    assert faults == [], "\n".join(faults)
    assert soak.befell["killed"] >= SCHEDULES // 3, soak.befell
    assert soak.befell["killed in the write"] >= SCHEDULES // 3, soak.befell
    print(f"{SCHEDULES} schedules: {dict(soak.befell)}")  # `-s` shows what was played


def test_a_device_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "edge1.json"
    check(Soak(make=lambda: MemoryTwin("edge1", file=file), forget=lambda: file.unlink(missing_ok=True)))


def test_a_packet_filter() -> None:
    if why := Lab.unavailable():
        lacking(why)
    with Lab() as lab:
        ways = itertools.cycle((False, True, True, False))

        def forget() -> None:
            lab.run("edge", "sh", "-c", "nft delete table inet tipstaff 2>/dev/null; true")

        def make_by_either_way() -> NftDriver:
            return make("edge1", {"command_prefix": lab.prefix("edge"), "netlink": next(ways)})

        check(Soak(make=make_by_either_way, forget=forget))


soak_only = pytest.mark.skipif(not os.environ.get("TIPSTAFF_TEST_SOAK"), reason="TIPSTAFF_TEST_SOAK=1 runs it")


@pytest.fixture
def peer() -> Iterator[Peer]:
    with edge_with() as built:
        yield built


@soak_only
def test_bird_and_the_kernel_of_its_peer(peer: Peer) -> None:
    if why := unavailable("bird", "birdc"):
        lacking(why)
    speaker = BirdSpeaker(peer.lab, peer.folder.parent / "bird")
    options = speaker.options(peer_fib=peer.lab.prefix("edge"))

    def forget() -> None:
        speaker.kill()
        for file in speaker.include.iterdir():
            file.unlink()
        speaker.open()

    with opened(speaker):
        check(
            Soak(
                make=lambda: bird.make("edge1", options),
                forget=forget,
                kill=speaker.kill,
                start=speaker.start_only,
                ready=speaker.await_peer,
                whole=True,
            )
        )


@soak_only
@pytest.mark.parametrize(("kind", "driver"), [(GoBgpSpeaker, gobgp), (ExaBgpSpeaker, exabgp)], ids=["gobgp", "exabgp"])
def test_a_speaker_that_is_told_line_by_line(
    peer: Peer, kind: type[GoBgpSpeaker | ExaBgpSpeaker], driver: ModuleType
) -> None:
    if why := unavailable(*kind.PROGRAMS):
        lacking(why)
    speaker = kind(peer.lab, peer.folder.parent / "speaker")

    def forget() -> None:
        speaker.kill()
        speaker.book.unlink(missing_ok=True)
        speaker.open()

    with opened(speaker):
        check(
            Soak(
                make=lambda: driver.make("edge1", speaker.options()),
                forget=forget,
                kill=speaker.kill,
                start=speaker.start_only,
                ready=speaker.await_peer,
                whole=True,
            )
        )


@soak_only
def test_a_receiver_of_webhooks(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(b"not a secret, but long enough").decode())
    secret.chmod(0o600)
    at = [NOON]
    with Receiver(secret.read_text(), now=lambda: at[0].timestamp()) as receiver:
        options = {"url": receiver.url, "can": ["flow:block"], "proof": "state", "secret_file": str(secret)}

        def make_at_its_time() -> webhook.WebhookDriver:
            at[0] = soak.at  # A message may be five minutes old, and in a schedule hours pass.
            return webhook.make("edge1", options)

        def forget() -> None:
            with receiver.lock:
                receiver.generation, receiver.rules, receiver.ids = 0, {}, []

        soak = Soak(make=make_at_its_time, forget=forget)
        check(soak)


def page_of(name: str) -> Selector:
    return Selector(url=f"http://{name}/page;1")


@soak_only
@pytest.mark.parametrize("rows_alone", [False, True], ids=["whole", "row by row"])
def test_a_balancer_that_is_killed_and_starts_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_alone: bool
) -> None:
    if balancer.PROGRAM is None:
        lacking("HAProxy is not installed")
    if rows_alone:
        monkeypatch.setattr(haproxy, "_MANY_ROWS", 0)
    links = {"blocked_by": "https://noc.example.net/orders", "policy_url": "https://noc.example.net/policy"}
    built = balancer.Haproxy(tmp_path, rules=haproxy.table.rules_for(map_file=f"{tmp_path}/tipstaff.map", **links))
    kept: list[haproxy.HaproxyDriver] = []

    def make_or_keep() -> haproxy.HaproxyDriver:
        # An enforcer that lives on remembers what it read; each second one is new.
        if len(kept) % 2 == 0:
            kept.append(haproxy.make("edge1", built.options()))
        else:
            kept.append(kept[-1])
        return kept[-1]

    built.start()
    try:
        check(Soak(make=make_or_keep, forget=built.wipe, kill=built.stop, start=built.start, name=page_of))
    finally:
        built.stop()


@soak_only
def test_a_web_server_that_is_killed_and_starts_with_its_files(tmp_path: Path) -> None:
    if web_server.PROGRAM is None:
        lacking("nginx is not installed")
    built = web_server.Nginx(tmp_path)

    def make() -> nginx.NginxDriver:
        driver = nginx.make("edge1", built.options(reload=built.quick_reload()))
        driver.settled_seconds = 0
        return driver

    built.start()
    try:
        check(Soak(make=make, forget=built.forget, kill=built.kill, start=built.start, name=page_of))
    finally:
        built.stop()


@soak_only
def test_a_name_server_and_its_resolver(tmp_path: Path) -> None:
    if name_servers.NAMED is None:
        lacking("named is not installed")
    servers = name_servers.NameServers(tmp_path, unbound=False)

    servers.start()
    try:
        check(
            Soak(
                make=lambda: rpz.make("edge1", servers.options()),
                forget=servers.wipe,
                kill=lambda: servers.kill("named"),
                start=servers.start,
                name=lambda name: Selector(host_name=name),
            )
        )
    finally:
        servers.stop()


@soak_only
def test_a_mail_server_whose_policy_server_is_started_again() -> None:
    if mail_server.POSTFIX is None or os.geteuid() != 0:
        lacking("Postfix is not installed, or this is not root")
    server = mail_server.Postfix()

    def forget() -> None:
        for name in ("rows.jsonl", "held"):
            (server.rows / name).unlink(missing_ok=True)

    server.start()
    try:
        check(
            Soak(
                make=lambda: postfix.make("edge1", server.options()),
                forget=forget,
                kill=server.stop_policy,
                start=server.start_policy,
                name=lambda name: Selector(mailbox=f"bot@{name}"),
            )
        )
    finally:
        server.stop()


@soak_only
def test_a_host_that_playbooks_are_run_on(tmp_path: Path) -> None:
    options = playbooks.options(tmp_path)
    state = tmp_path / "host" / "state"
    try:
        check(Soak(make=lambda: ansible.make("edge1", options), forget=lambda: state.unlink(missing_ok=True)))
    finally:
        (tmp_path / "runs" / "keeper").unlink(missing_ok=True)


@soak_only
@pytest.mark.parametrize("dialect", ["bird", "frr"])
def test_a_router_that_takes_a_prefix_or_does_not(tmp_path: Path, dialect: str) -> None:
    def route(name: str) -> Selector:
        session = "edge" if name.endswith(".net") else "outside"
        return Selector(network=ip_network(f"203.0.113.{_number(name) % 250}"), announced_on=session)

    with test_prefix_filter.filtering_peer() as peer, opened(test_prefix_filter.filtering_bird(peer)) as speaker:
        book = tmp_path / "edge.book"

        def forget_lists() -> None:
            book.unlink(missing_ok=True)
            peer.ask("configure terminal\nno ip prefix-list tipstaff-edge1")

        def forget_file() -> None:
            (speaker.include / "filter.conf").write_text("function tipstaff_denied_edge1() { return false; }\n")
            speaker.ask("configure")

        if dialect == "frr":
            soak = Soak(
                make=lambda: test_prefix_filter.of_frr(peer, book), forget=forget_lists, kill=peer.kill_daemons,
                start=peer.start_daemons, ready=speaker.await_peer, name=route,
            )  # fmt: skip
        else:
            soak = Soak(
                make=lambda: test_prefix_filter.of_bird(speaker), forget=forget_file, kill=speaker.kill,
                start=speaker.start_only, ready=speaker.await_peer, name=route,
            )  # fmt: skip
        check(soak)


@soak_only
def test_a_switch_that_is_killed_and_forgets_its_flows(tmp_path: Path) -> None:
    if why := Lab.unavailable():
        lacking(why)
    if not test_ovs.SCHEMA.exists():
        lacking("there is no Open vSwitch")

    def machine(name: str) -> Selector:
        line = "line" if name.endswith(".net") else "outside"
        return Selector(session=f"{line}{_number(name) % 8}/02:00:5e:10:00:{_number(name) % 256:02x}")

    with Lab() as lab, ExitStack() as stack:
        switch = test_ovs.Switch(tmp_path, stack, prefix=lab.prefix("edge"))
        for n in range(8):
            switch.set("add-port", "br0", f"line{n}", "--", "set", "Interface", f"line{n}", "type=internal")
        check(
            Soak(
                make=lambda: ovs.make("edge1", switch.options()),
                forget=lambda: switch.flows("del-flows"),
                kill=switch.kill,
                start=switch.start,
                ready=switch.await_bridge,
                name=machine,
            )
        )


@soak_only
def test_a_device_by_netconf_that_hangs_up(tmp_path: Path) -> None:
    need_library("ncclient")
    from tests.rooms.enforcement.test_netconf import options
    from tipstaff.enforcement.drivers import netconf
    from tipstaff.testing.netconf import NetconfDevice

    device = NetconfDevice(attached=("tipstaff-4", "tipstaff-6"))
    with device:
        told = options(device, tmp_path)
        try:
            check(
                Soak(
                    make=lambda: netconf.make("edge1", told),
                    forget=device.reboot,
                    kill=device.close,
                    start=device.open,
                    busy_rounds=20,
                )
            )
        finally:
            (tmp_path / "keeper").unlink(missing_ok=True)


@soak_only
def test_a_device_by_napalm_that_does_not_answer(tmp_path: Path) -> None:
    need_library("napalm")
    from tipstaff.enforcement.drivers import napalm
    from tipstaff.testing.eos import EosDevice

    with EosDevice() as device:
        (tmp_path / "password").write_text(device.password)
        (tmp_path / "password").chmod(0o600)
        told = {
            "host": "127.0.0.1", "port": device.port, "transport": "http", "username": device.username,
            "password_file": str(tmp_path / "password"), "rest": "accept", "keeper_file": str(tmp_path / "keeper"),
        }  # fmt: skip
        try:
            check(
                Soak(
                    make=lambda: napalm.make("edge1", told),
                    forget=device.reboot,
                    kill=device.close,
                    start=device.open,
                    proof=Proof.CONFIG,
                )
            )
        finally:
            (tmp_path / "keeper").unlink(missing_ok=True)


@soak_only
def test_a_radius_server_that_shuts_out_whom_it_shall(tmp_path: Path) -> None:
    """FreeRADIUS itself is asked after each schedule: refused is who is to be, and nobody else."""
    with test_radius_measures.server_alone(tmp_path) as access:
        access.know(*((f"c{n}.example.net", f"c{n}.example.net") for n in range(1, 5 * SCHEDULES + 40)))
        asked: list[str] = []

        def account(name: str) -> Selector:
            asked.append(name)
            return Selector(account=name)

        def shown(stopped: Collection[str]) -> list[str]:
            out = {n: access.asked(n) == "Access-Reject" for n in {*stopped, *asked[-3:]} if n.endswith(".net")}
            return [f"FreeRADIUS refuses {n}: {refused}" for n, refused in out.items() if refused != (n in stopped)]

        check(
            Soak(
                make=lambda: access.make(device="edge1"),
                forget=access.forget,
                kill=access.kill,
                start=access.start,
                name=account,
                degree=Degree.SUSPEND,
                shown=shown,
                at=wiring.now(),  # The server ends a measure by its own clock.
            )
        )


def _number(name: str) -> int:
    """Of the customer in `c7.example.net`."""
    return int(name.partition(".")[0][1:])
