"""The exabgp driver with a real ExaBGP, and FRR as the peer whose kernel forwards the packets."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.live import announcers
from tests.live.announcers import AnnouncerContract, announced_one_of_two, check_flows, edge_with, opened
from tests.live.speakers import ExaBgpSpeaker, Peer
from tipstaff.enforcement.drivers.exabgp import make
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import LATE, NOON, await_true
from tipstaff.words import Rule, Seen

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("bgp")]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with edge_with("exabgp") as built:
        yield built


@pytest.fixture(scope="module")
def speaker(peer: Peer) -> Iterator[ExaBgpSpeaker]:
    with opened(ExaBgpSpeaker(peer.lab, peer.folder.parent / "exabgp")) as made:
        yield made


@pytest.mark.thorough(but=(LATE,))
class TestBlackholes(AnnouncerContract):
    make_driver = staticmethod(make)

    @pytest.fixture(autouse=True)
    def _speaker(self, speaker: ExaBgpSpeaker, peer: Peer) -> None:
        self.speaker, self.peer = speaker, peer

    def clean(self) -> None:
        announcers.clean(make, self.speaker)

    def broken(self, driver: Driver) -> contextlib.AbstractContextManager[None]:
        return announcers.away(self.speaker.book.with_name("edge1.book.mouth"))

    def put_foreign(self, driver: Driver) -> str:
        line = "announce route 192.0.2.77/32 next-hop 198.51.100.254 community [65535:666]"
        with self.speaker.book.open("a") as book:
            book.write(f"{line}\n")
        driver._speaker.load(None)  # type: ignore[attr-defined]  # as its next start would
        return line

    def tamper(self, driver: Driver, rule: Rule) -> None:
        lines = self.speaker.book.read_text().splitlines(keepends=True)
        kept = [x for x in lines if not x.startswith(f"announce route {rule.selector.network} ")]
        self.speaker.book.write_text("".join(kept))
        driver._speaker.load(None)  # type: ignore[attr-defined]  # as its next start would


def test_killed_it_withdraws_all_and_started_again_it_announces_what_stands(speaker: ExaBgpSpeaker, peer: Peer) -> None:
    announcers.clean(make, speaker)
    driver = announced_one_of_two(make, speaker, peer)
    speaker.kill()
    await_true(lambda: peer.blackholes() == set())
    assert not driver.observe(at=NOON).complete
    speaker.open()
    await_true(lambda: driver.observe(at=NOON).of("M-000002") is Seen.IN_FORCE)
    assert peer.blackholes() == {"192.0.2.8"}


def test_flows_are_in_the_peers_table_of_flows(speaker: ExaBgpSpeaker, peer: Peer) -> None:
    announcers.clean(make, speaker, "flowspec")
    check_flows(make, speaker, peer)
