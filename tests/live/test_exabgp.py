"""The exabgp driver with a real ExaBGP, and FRR as the peer whose kernel forwards the packets."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.live.speakers import ExaBgpSpeaker, Peer, peer_at_the_edge, unavailable
from tipstaff.enforcement.drivers.exabgp import make
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Rule, Seen, Selector

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("bgp")]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    if why := unavailable("exabgp"):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="tipstaff-bgp-"))
    folder.chmod(0o755)
    with peer_at_the_edge(folder / "frr") as built:
        yield built
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def speaker(peer: Peer) -> Iterator[ExaBgpSpeaker]:
    made = ExaBgpSpeaker(peer.lab, peer.folder.parent / "exabgp")
    try:
        made.open()
        yield made
    finally:
        made.kill()


def clean(speaker: ExaBgpSpeaker, announce: str = "blackhole") -> None:
    speaker.book.unlink(missing_ok=True)
    driver = make("edge1", speaker.options(announce=announce))
    driver._speaker.load(driver._shelf.read())


def blackhole(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(network=ip_network(network), direction=Direction.IN)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


@pytest.mark.thorough
class TestBlackholes(DriverContract):
    @pytest.fixture(autouse=True)
    def _speaker(self, speaker: ExaBgpSpeaker, peer: Peer) -> None:
        self.speaker, self.peer = speaker, peer

    def make(self) -> Driver:
        clean(self.speaker)
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", self.speaker.options(peer_fib=self.peer.lab.prefix("edge")))

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return blackhole(f"2001:db8:1::1:{n:x}", f"M-{(n if key is None else key) + 1:06d}", until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        mouth = self.speaker.book.with_name("edge1.book.mouth")
        mouth.rename(mouth.with_suffix(".away"))
        yield
        mouth.with_suffix(".away").rename(mouth)

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

    def forget(self, driver: Driver) -> None:
        clean(self.speaker)


def test_killed_it_withdraws_all_and_started_again_it_announces_what_stands(speaker: ExaBgpSpeaker, peer: Peer) -> None:
    clean(speaker)
    driver = make("edge1", speaker.options(peer_fib=peer.lab.prefix("edge")))
    carry_out(driver, 1, [blackhole("192.0.2.7"), blackhole("192.0.2.8", "M-000002")])
    carry_out(driver, 2, [blackhole("192.0.2.8", "M-000002")])
    assert peer.blackholes() == {"192.0.2.8"}
    speaker.kill()
    await_true(lambda: peer.blackholes() == set())
    assert not driver.observe(at=NOON).complete
    speaker.open()
    await_true(lambda: driver.observe(at=NOON).of("M-000002") is Seen.IN_FORCE)
    assert peer.blackholes() == {"192.0.2.8"}


def test_flows_are_in_the_peers_table_of_flows(speaker: ExaBgpSpeaker, peer: Peer) -> None:
    clean(speaker, "flowspec")
    flows = make("edge1", speaker.options(announce="flowspec", rate_bytes_per_second=100_000))

    def rule(key: str, network: str, port: int, way: Direction, degree: Degree = Degree.BLOCK) -> Rule:
        selector = Selector(network=ip_network(network), protocol="tcp", port=port, direction=way)
        return Rule(measure=key, case="C-000001", selector=selector, degree=degree)

    rules = [
        rule("M-000001", "192.0.2.7", 25, Direction.OUT),
        rule("M-000002", "2001:db8:1::7", 80, Direction.IN),
        rule("M-000003", "192.0.2.8", 25, Direction.OUT, Degree.RATE_LIMIT),
    ]
    assert {seen for _, seen in carry_out(flows, 1, rules).rules} == {Seen.IN_FORCE}
    await_true(lambda: len(peer.flows(4)) == 2 and len(peer.flows(6)) == 1)
    assert peer.flows(4) == ["from 192.0.2.7/32 proto = 6 dstp = 25", "from 192.0.2.8/32 proto = 6 dstp = 25"]
    assert "FS:rate 100000.000000" in peer.ask("show bgp ipv4 flowspec detail")
    assert carry_out(flows, 2, []).rules == ()
    await_true(lambda: not peer.flows(4) and not peer.flows(6))
