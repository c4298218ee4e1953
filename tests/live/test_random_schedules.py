"""Random schedules of kills, reboots and late plans: in the end the device holds what is wanted, and nothing else.

With `TIPSTAFF_TEST_SOAK` (`make live` sets it) 500 for each device; without it a few, always the same.
`TIPSTAFF_TEST_SCHEDULES` says another number, and `TIPSTAFF_TEST_FIRST_SCHEDULE` where it begins: then several
processes can share them.
"""

import base64
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.live import balancer, mail_server, name_servers, web_server
from tests.live.announcers import edge_with, opened
from tests.live.speakers import BirdSpeaker, ExaBgpSpeaker, GoBgpSpeaker, Peer, unavailable
from tipstaff.enforcement.drivers import ansible, bird, exabgp, gobgp, haproxy, nginx, postfix, rpz, webhook
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.testing import playbooks
from tipstaff.testing.drivers import NOON
from tipstaff.testing.lab import Lab
from tipstaff.testing.receiver import Receiver
from tipstaff.words import Selector

from .schedules import Soak

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

SCHEDULES = int(os.environ.get("TIPSTAFF_TEST_SCHEDULES", 500 if os.environ.get("TIPSTAFF_TEST_SOAK") else 12))

FIRST = int(os.environ.get("TIPSTAFF_TEST_FIRST_SCHEDULE", "0"))


def check(soak: Soak) -> None:
    faults = [fault for seed in range(FIRST, FIRST + SCHEDULES) for fault in soak.play(seed)]
    assert faults == [], "\n".join(faults)
    assert soak.befell["killed"] >= SCHEDULES // 3, soak.befell


def test_a_device_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "edge1.json"
    check(Soak(make=lambda: MemoryTwin("edge1", file=file), forget=lambda: file.unlink(missing_ok=True)))


def test_a_packet_filter() -> None:
    if why := Lab.unavailable():
        pytest.skip(why)
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
        pytest.skip(why)
    speaker = BirdSpeaker(peer.lab, peer.folder.parent / "bird")
    options = speaker.options(peer_fib=peer.lab.prefix("edge"))

    def kill() -> None:
        speaker.kill()
        speaker.open()

    def forget() -> None:
        speaker.kill()
        for file in speaker.include.iterdir():
            file.unlink()
        speaker.open()

    with opened(speaker):
        check(Soak(make=lambda: bird.make("edge1", options), forget=forget, kill=kill, whole=True))


@soak_only
@pytest.mark.parametrize(("kind", "driver"), [(GoBgpSpeaker, gobgp), (ExaBgpSpeaker, exabgp)], ids=["gobgp", "exabgp"])
def test_a_speaker_that_is_told_line_by_line(
    peer: Peer, kind: type[GoBgpSpeaker | ExaBgpSpeaker], driver: ModuleType
) -> None:
    if why := unavailable(*kind.PROGRAMS):
        pytest.skip(why)
    speaker = kind(peer.lab, peer.folder.parent / "speaker")

    def forget() -> None:
        speaker.kill()
        speaker.book.unlink(missing_ok=True)
        speaker.open()

    def kill() -> None:
        speaker.kill()
        speaker.open()

    with opened(speaker):
        check(Soak(make=lambda: driver.make("edge1", speaker.options()), forget=forget, kill=kill, whole=True))


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
        pytest.skip("HAProxy is not installed")
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

    def kill() -> None:
        built.stop()
        built.start()

    built.start()
    try:
        check(Soak(make=make_or_keep, forget=built.wipe, kill=kill, name=page_of))
    finally:
        built.stop()


@soak_only
def test_a_web_server_that_is_killed_and_starts_with_its_files(tmp_path: Path) -> None:
    if web_server.PROGRAM is None:
        pytest.skip("nginx is not installed")
    built = web_server.Nginx(tmp_path)

    def make() -> nginx.NginxDriver:
        driver = nginx.make("edge1", built.options(reload=built.quick_reload()))
        driver.settled_seconds = 0
        return driver

    def kill() -> None:
        built.kill()
        built.start()

    built.start()
    try:
        check(Soak(make=make, forget=built.forget, kill=kill, name=page_of))
    finally:
        built.stop()


@soak_only
def test_a_name_server_and_its_resolver(tmp_path: Path) -> None:
    if name_servers.NAMED is None:
        pytest.skip("named is not installed")
    servers = name_servers.NameServers(tmp_path, unbound=False)

    def kill() -> None:
        servers.kill("named")
        servers.start()

    servers.start()
    try:
        check(
            Soak(
                make=lambda: rpz.make("edge1", servers.options()),
                forget=servers.wipe,
                kill=kill,
                name=lambda name: Selector(host_name=name),
            )
        )
    finally:
        servers.stop()


@soak_only
def test_a_mail_server_whose_policy_server_is_started_again() -> None:
    if mail_server.POSTFIX is None or os.geteuid() != 0:
        pytest.skip("Postfix is not installed, or this is not root")
    server = mail_server.Postfix()

    def forget() -> None:
        for name in ("rows.jsonl", "held"):
            (server.rows / name).unlink(missing_ok=True)

    def kill() -> None:
        server.stop_policy()
        server.start_policy()

    server.start()
    try:
        check(
            Soak(
                make=lambda: postfix.make("edge1", server.options()),
                forget=forget,
                kill=kill,
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
