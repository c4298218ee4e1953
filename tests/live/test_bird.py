"""The bird driver with a real BIRD, and FRR as the peer whose kernel forwards the packets."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.live.announcers import check_both_ends
from tests.live.speakers import BirdSpeaker, Peer, peer_at_the_edge, unavailable
from tipstaff.enforcement.drivers.bird import make
from tipstaff.enforcement.protocol import DeviceRefused, Driver
from tipstaff.enforcement.routing.announcer import Announcer
from tipstaff.testing.drivers import LATE, NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Proof, Rule, Seen, Selector

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("bgp")]

FAR, FAR6 = "198.51.100.10", "2001:db8:ffff::10"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    if why := unavailable("bird", "birdc"):
        pytest.skip(why)
    # FRR runs as another user, who may not enter pytest's own folders.
    made = Path(tempfile.mkdtemp(prefix="tipstaff-bgp-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def peer(folder: Path) -> Iterator[Peer]:
    with peer_at_the_edge(folder / "frr") as built:
        yield built


@pytest.fixture(scope="module")
def bird(peer: Peer, folder: Path) -> Iterator[BirdSpeaker]:
    speaker = BirdSpeaker(peer.lab, folder / "bird")
    try:
        speaker.open()
        yield speaker
    finally:
        speaker.kill()


def clean(bird: BirdSpeaker) -> None:
    for file in bird.include.iterdir():
        file.unlink()
    bird.ask("configure")


class BirdContract(DriverContract):
    announce = ""

    @pytest.fixture(autouse=True)
    def _bird(self, bird: BirdSpeaker, peer: Peer) -> None:
        self.bird, self.peer = bird, peer

    def options(self) -> dict[str, object]:
        return self.bird.options(announce=self.announce)

    def make(self) -> Driver:
        clean(self.bird)
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", self.options())

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        away = self.bird.socket.with_suffix(".away")
        self.bird.socket.rename(away)
        yield
        away.rename(self.bird.socket)

    def forget(self, driver: Driver) -> None:
        clean(self.bird)

    @property
    def file(self) -> Path:
        return Path(str(self.options()["file"]))


class TestBlackholes(BirdContract):
    announce = "blackhole"

    def options(self) -> dict[str, object]:
        return self.bird.options(announce="blackhole", peer_fib=self.peer.lab.prefix("edge"))

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        selector = Selector(network=ip_network(f"2001:db8:1::1:{n:x}"), direction=Direction.IN)
        measure = f"M-{(n if key is None else key) + 1:06d}"
        return Rule(measure=measure, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)

    def put_foreign(self, driver: Driver) -> str:
        text = self.file.read_text().replace(
            " accept; }; };\n", " accept; }; };\n  route 192.0.2.77/32 blackhole;\n", 1
        )
        self.file.write_text(text)
        self.bird.ask("configure")
        return "  route 192.0.2.77/32 blackhole;"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.file.write_text(self.file.read_text().replace(f"  route {rule.selector.network} blackhole;\n", ""))
        self.bird.ask("configure")


@pytest.mark.thorough(but=(LATE,))
class TestFlows(BirdContract):
    announce = "flowspec"

    def put_foreign(self, driver: Driver) -> str:
        other = self.bird.include / "other.conf"
        other.write_text(
            "protocol static byhand { flow4 { table tipstaff_edge1_flow4; }; route flow4 { dst 192.0.2.77/32; }; }\n"
        )
        self.bird.ask("configure")
        return "route flow4 { dst 192.0.2.77/32; } of byhand in table tipstaff_edge1_flow4"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        text = self.file.read_text()
        line = next(x for x in text.splitlines() if x.startswith(f"  route flow4 {{ src {rule.selector.network};"))
        self.file.write_text(text.replace(f"{line}\n", ""))
        self.bird.ask("configure")


def blackhole(network: str, key: str = "M-000001") -> Rule:
    selector = Selector(network=ip_network(network), direction=Direction.IN)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK)


@pytest.fixture
def driver(bird: BirdSpeaker, peer: Peer) -> Announcer:
    clean(bird)
    lab = peer.lab
    vantage = {name: value for name, value in lab.device_options().items() if name.startswith("probe_")}
    return make("edge1", bird.options(peer_fib=lab.prefix("edge"), **vantage))


@pytest.mark.parametrize(
    ("target", "sibling"),
    [
        ("192.0.2.7", "192.0.2.8"),
        pytest.param("2001:db8:1::7", "2001:db8:1::8", marks=pytest.mark.thorough),
    ],
)
def test_a_blackholed_address_gets_nothing_and_its_sibling_does(
    peer: Peer, driver: Announcer, target: str, sibling: str
) -> None:
    lab, rule = peer.lab, blackhole(target)
    with lab.listening("inside", target, 80), lab.listening("inside", sibling, 80):
        assert lab.knock("outside", target, 80) == "connected"
        assert carry_out(driver, 1, [rule]).of("M-000001") is Seen.IN_FORCE
        assert lab.knock("outside", target, 80) == "silent"
        assert lab.knock("outside", sibling, 80) == "connected"
        result = driver.probe(rule)
        assert result.proves_in_force, result
        assert carry_out(driver, 2, []).rules == ()
        assert lab.knock("outside", target, 80) == "connected"
        assert driver.probe(rule).proves_lifted


@pytest.mark.thorough
def test_a_blackholed_prefix_is_in_the_peers_kernel(peer: Peer, driver: Announcer) -> None:
    carry_out(driver, 1, [blackhole("192.0.2.4/30")])
    assert peer.blackholes() == {"192.0.2.4/30"}
    assert "Community: blackhole" in peer.ask("show bgp ipv4 unicast 192.0.2.4/30")
    carry_out(driver, 2, [])
    assert peer.blackholes() == set()


def test_a_flow_is_in_the_peers_table_of_flows(bird: BirdSpeaker, peer: Peer) -> None:
    clean(bird)
    flows = make("edge1", bird.options(announce="flowspec", rate_bytes_per_second=100_000))
    assert flows.max_proof is Proof.CONFIG

    def rule(key: str, network: str, port: int, way: Direction, degree: Degree = Degree.BLOCK) -> Rule:
        selector = Selector(network=ip_network(network), protocol="tcp", port=port, direction=way)
        return Rule(measure=key, case="C-000001", selector=selector, degree=degree)

    carry_out(
        flows,
        1,
        [
            rule("M-000001", "192.0.2.7", 25, Direction.OUT),
            rule("M-000002", "192.0.2.7", 80, Direction.IN),
            rule("M-000003", "2001:db8:1::7", 25, Direction.OUT),
            rule("M-000004", "192.0.2.8", 25, Direction.OUT, Degree.RATE_LIMIT),
        ],
    )
    await_true(lambda: len(peer.flows(4)) == 3 and len(peer.flows(6)) == 1)
    assert peer.flows(4)[:2] == ["from 192.0.2.7/32 proto = 6 dstp = 25", "from 192.0.2.8/32 proto = 6 dstp = 25"]
    assert peer.flows(4)[2] == "to 192.0.2.7/32 proto = 6 dstp = 80"
    detail = peer.ask("show bgp ipv4 flowspec detail")
    assert "FS:rate 0.000000" in detail
    assert "FS:rate 100000.000000" in detail
    carry_out(flows, 2, [])
    await_true(lambda: not peer.flows(4) and not peer.flows(6))
    check_both_ends(flows, peer)


def test_a_killed_speaker_converges_and_nothing_older_comes_back(
    bird: BirdSpeaker, peer: Peer, driver: Announcer
) -> None:
    old, new = blackhole("192.0.2.7"), blackhole("192.0.2.8", "M-000002")
    carry_out(driver, 1, [old, new])
    carry_out(driver, 2, [new])
    assert peer.blackholes() == {"192.0.2.8"}
    bird.kill()  # kill -9
    assert not driver.observe(at=NOON).complete
    bird.open()
    await_true(lambda: driver.observe(at=NOON).of("M-000002") is Seen.IN_FORCE)
    assert peer.blackholes() == {"192.0.2.8"}
    assert carry_out(driver, 3, []).rules == ()
    assert peer.blackholes() == set()


@pytest.mark.thorough
def test_a_killed_peer_converges_and_nothing_older_comes_back(bird: BirdSpeaker, peer: Peer, driver: Announcer) -> None:
    new = blackhole("192.0.2.8", "M-000002")
    carry_out(driver, 1, [blackhole("192.0.2.7"), new])
    carry_out(driver, 2, [new])
    peer.kill_daemons()  # kill -9
    await_true(lambda: driver.observe(at=NOON).of("M-000002") is not Seen.IN_FORCE)
    peer.start_daemons()
    await_true(lambda: driver.observe(at=NOON).of("M-000002") is Seen.IN_FORCE)
    assert peer.blackholes() == {"192.0.2.8"}
    carry_out(driver, 3, [])
    # FRR that has just come up may keep what the killed one left in the kernel; until then it is not called lifted.
    await_true(lambda: driver.observe(at=NOON).rules == (), seconds=180)
    assert peer.blackholes() == set()


def test_a_session_that_is_down_is_drift_and_not_in_force(bird: BirdSpeaker, peer: Peer) -> None:
    clean(bird)
    driver = make("edge1", bird.options(settle_seconds=1))
    assert driver.max_proof is Proof.STATE
    assert carry_out(driver, 1, [blackhole("192.0.2.7")]).of("M-000001") is Seen.IN_FORCE
    bird.ask("disable edge")
    seen = driver.observe(at=NOON)
    assert (seen.complete, seen.of("M-000001"), seen.detail) == (True, Seen.DRIFT, "The session edge is down.")
    bird.ask("enable edge")
    await_true(lambda: driver.observe(at=NOON).of("M-000001") is Seen.IN_FORCE)


@pytest.mark.thorough
def test_a_measure_that_the_peer_keeps_is_not_called_lifted(bird: BirdSpeaker, peer: Peer) -> None:
    clean(bird)
    driver = make("edge1", bird.options(settle_seconds=1, peer_fib=peer.lab.prefix("edge")))
    carry_out(driver, 1, [blackhole("192.0.2.7")])
    peer.lab.run("edge", "ip", "route", "add", "blackhole", "192.0.2.7", "proto", "bgp", "metric", "5")
    try:
        assert carry_out(driver, 2, []).of("M-000001") is Seen.DRIFT
    finally:
        peer.lab.run("edge", "ip", "route", "del", "blackhole", "192.0.2.7", "proto", "bgp", "metric", "5")
    assert carry_out(driver, 2, []).rules == ()


@pytest.mark.thorough
def test_a_measure_ends_at_the_peer_while_nobody_looks(peer: Peer, driver: Announcer) -> None:
    rule = replace(blackhole("192.0.2.7"), until=NOON + timedelta(seconds=1))
    carry_out(driver, 1, [rule])
    assert peer.blackholes() == {"192.0.2.7"}
    await_true(lambda: peer.blackholes() == set())


@pytest.mark.thorough
def test_what_ended_while_everything_was_off_is_gone_before_it_starts_again(
    bird: BirdSpeaker, peer: Peer, driver: Announcer
) -> None:
    """As a timer does at the start of the machine: the speaker is not there yet, and must not find it in its file."""
    carry_out(driver, 1, [replace(blackhole("192.0.2.7"), until=NOON + timedelta(days=1))])
    bird.kill()
    with pytest.raises(Exception, match="does not answer"):
        driver.end_due(at=NOON + timedelta(days=2))
    bird.open()
    await_true(lambda: driver.observe(at=NOON).complete)
    assert driver.observe(at=NOON).rules == ()
    assert peer.blackholes() == set()


def test_a_configuration_that_bird_refuses_changes_nothing(bird: BirdSpeaker, driver: Announcer) -> None:
    carry_out(driver, 1, [blackhole("192.0.2.7")])
    broken = bird.include / "broken.conf"
    broken.write_text("protocol nonsense;\n")
    with pytest.raises(DeviceRefused, match="refuses its configuration"):
        carry_out(driver, 2, [blackhole("192.0.2.8")])
    broken.unlink()
    seen = driver.observe(at=NOON)
    assert (seen.generation, seen.rules) == (1, (("M-000001", Seen.IN_FORCE),))


@pytest.mark.thorough
def test_a_changed_next_hop_is_noticed_and_takes_effect(bird: BirdSpeaker, peer: Peer, driver: Announcer) -> None:
    carry_out(driver, 1, [blackhole("192.0.2.7")])
    other = make("edge1", {**bird.options(), "next_hop4": "198.51.100.253"})
    assert other.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(other, 1, [blackhole("192.0.2.7")]).of("M-000001") is Seen.IN_FORCE
    await_true(lambda: "198.51.100.253" in peer.ask("show bgp ipv4 unicast 192.0.2.7/32"))


def test_no_default_route_can_be_said_even_past_the_guards(driver: Announcer) -> None:
    for everything in ("0.0.0.0/0", "::/0"):
        assert not driver.supports(blackhole(everything))
    assert not driver.supports(replace(blackhole("192.0.2.7"), selector=Selector(network=ip_network("192.0.2.7"))))
