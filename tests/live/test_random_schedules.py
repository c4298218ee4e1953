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

from tests.live.announcers import edge_with, opened
from tests.live.speakers import BirdSpeaker, ExaBgpSpeaker, GoBgpSpeaker, Peer, unavailable
from tipstaff.enforcement.drivers import bird, exabgp, gobgp, webhook
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.testing.drivers import NOON
from tipstaff.testing.lab import Lab
from tipstaff.testing.receiver import Receiver

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
