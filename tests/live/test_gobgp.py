"""The gobgp driver with a real gobgpd, and FRR as the peer whose kernel forwards the packets."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.live.speakers import GoBgpSpeaker, Peer, peer_at_the_edge, unavailable
from tipstaff.enforcement.drivers.gobgp import make
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Rule, Seen, Selector

pytestmark = [pytest.mark.live, pytest.mark.thorough, pytest.mark.xdist_group("bgp")]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    if why := unavailable("gobgp", "gobgpd"):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="tipstaff-bgp-"))
    folder.chmod(0o755)
    with peer_at_the_edge(folder / "frr") as built:
        yield built
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def speaker(peer: Peer) -> Iterator[GoBgpSpeaker]:
    made = GoBgpSpeaker(peer.lab, peer.folder.parent / "gobgp")
    try:
        made.open()
        yield made
    finally:
        made.kill()


def clean(speaker: GoBgpSpeaker, announce: str = "blackhole") -> None:
    speaker.book.unlink(missing_ok=True)
    with contextlib.suppress(Exception):
        speaker.run("global", "rib", "del", "192.0.2.77/32", "-a", "ipv4")
    driver = make("edge1", speaker.options(announce=announce))
    driver._speaker.load(driver._shelf.read())


def blackhole(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(network=ip_network(network), direction=Direction.IN)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


class TestBlackholes(DriverContract):
    many = 40  # Its command line takes one route at a time, some 60 to 100 in a second.

    @pytest.fixture(autouse=True)
    def _speaker(self, speaker: GoBgpSpeaker, peer: Peer) -> None:
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
        socket = Path(self.speaker.target.removeprefix("unix://"))
        socket.rename(socket.with_suffix(".away"))
        yield
        socket.with_suffix(".away").rename(socket)

    def put_foreign(self, driver: Driver) -> str:
        self.speaker.run("global", "rib", "add", "192.0.2.77/32", "nexthop", "198.51.100.254", "-a", "ipv4")
        return "route blackhole 192.0.2.77/32"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.speaker.run("global", "rib", "del", str(rule.selector.network), "-a", "ipv6")

    def forget(self, driver: Driver) -> None:
        clean(self.speaker)


def test_killed_it_forgets_all_and_the_next_round_puts_back_what_stands_and_nothing_older(
    speaker: GoBgpSpeaker, peer: Peer
) -> None:
    clean(speaker)
    driver = make("edge1", speaker.options(peer_fib=peer.lab.prefix("edge")))
    carry_out(driver, 1, [blackhole("192.0.2.7"), blackhole("192.0.2.8", "M-000002")])
    carry_out(driver, 2, [blackhole("192.0.2.8", "M-000002")])
    assert peer.blackholes() == {"192.0.2.8"}
    speaker.kill()
    assert not driver.observe(at=NOON).complete
    speaker.open()
    assert driver.observe(at=NOON).of("M-000002") is Seen.DRIFT
    assert carry_out(driver, 2, [blackhole("192.0.2.8", "M-000002")]).rules == (("M-000002", Seen.IN_FORCE),)
    assert peer.blackholes() == {"192.0.2.8"}


def test_flows_are_in_the_peers_table_of_flows(speaker: GoBgpSpeaker, peer: Peer) -> None:
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
