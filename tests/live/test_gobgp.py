"""The gobgp driver with a real gobgpd, and FRR as the peer whose kernel forwards the packets."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import announcers
from tests.live.announcers import AnnouncerContract, announced_one_of_two, blackhole, check_flows, edge_with, opened
from tests.live.speakers import GoBgpSpeaker, Peer
from tipstaff.enforcement.drivers.gobgp import make
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import LATE, NOON, carry_out
from tipstaff.words import Rule, Seen

pytestmark = [
    pytest.mark.live,
    pytest.mark.thorough(but=("test_what_is_no_longer_wanted_is_gone", LATE)),
    pytest.mark.xdist_group("bgp"),
]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with edge_with("gobgp", "gobgpd") as built:
        yield built


@pytest.fixture(scope="module")
def speaker(peer: Peer) -> Iterator[GoBgpSpeaker]:
    with opened(GoBgpSpeaker(peer.lab, peer.folder.parent / "gobgp")) as made:
        yield made


def clean(speaker: GoBgpSpeaker, announce: str = "blackhole") -> None:
    with contextlib.suppress(Exception):
        speaker.run("global", "rib", "del", "192.0.2.77/32", "-a", "ipv4")
    announcers.clean(make, speaker, announce)


class TestBlackholes(AnnouncerContract):
    make_driver = staticmethod(make)
    many = 40  # Its command line takes one route at a time, some 60 to 100 in a second.

    @pytest.fixture(autouse=True)
    def _speaker(self, speaker: GoBgpSpeaker, peer: Peer) -> None:
        self.speaker, self.peer = speaker, peer

    def clean(self) -> None:
        clean(self.speaker)

    def broken(self, driver: Driver) -> contextlib.AbstractContextManager[None]:
        return announcers.away(Path(self.speaker.target.removeprefix("unix://")))

    def put_foreign(self, driver: Driver) -> str:
        self.speaker.run("global", "rib", "add", "192.0.2.77/32", "nexthop", "198.51.100.254", "-a", "ipv4")
        return "route blackhole 192.0.2.77/32"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.speaker.run("global", "rib", "del", str(rule.selector.network), "-a", "ipv6")


def test_killed_it_forgets_all_and_the_next_round_puts_back_what_stands_and_nothing_older(
    speaker: GoBgpSpeaker, peer: Peer
) -> None:
    clean(speaker)
    driver = announced_one_of_two(make, speaker, peer)
    speaker.kill()
    assert not driver.observe(at=NOON).complete
    speaker.open()
    assert driver.observe(at=NOON).of("M-000002") is Seen.DRIFT
    assert carry_out(driver, 2, [blackhole("192.0.2.8", "M-000002")]).rules == (("M-000002", Seen.IN_FORCE),)
    assert peer.blackholes() == {"192.0.2.8"}


def test_flows_are_in_the_peers_table_of_flows(speaker: GoBgpSpeaker, peer: Peer) -> None:
    clean(speaker, "flowspec")
    check_flows(make, speaker, peer)
