"""Prefix filters on a real BIRD and a real FRR: one route is seen filtered, its sibling on the same session stays."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.live.announcers import edge_with, opened
from tests.live.speakers import PEER, SPEAKER, BirdSpeaker, Peer
from tests.procedures.office import Office
from tests.procedures.test_detecting import LATER, case_under, give, looked
from tests.rooms.sensors.test_detectors import dump
from tipstaff import wiring
from tipstaff.enforcement.drivers.prefix_filter import make
from tipstaff.enforcement.protocol import Driver
from tipstaff.procedures.suspension import plan_for
from tipstaff.testing.drivers import LATE, DriverContract, await_true, carry_out
from tipstaff.words import Answer, Degree, MeasureState, Proof, ResourceKind, Rule, Seen, Selector, session_name

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("bgp")]

OF_PEER = ("203.0.113.0/25", "203.0.113.128/25")
OF_BIRD = ("198.51.100.128/26", "198.51.100.192/26")


def filtering_peer() -> contextlib.AbstractContextManager[Peer]:
    """FRR that announces two routes and denies what stands in our prefix lists."""
    route_map = "".join(
        f"route-map IN deny {n}\n match {ip} address prefix-list tipstaff-edge1\n"
        for n, ip in ((10, "ip"), (20, "ipv6"))
    )
    return edge_with("bird", "birdc", more=route_map, announces=OF_PEER)


def filtering_bird(peer: Peer) -> BirdSpeaker:
    """BIRD that announces two routes and asks our function what to take; not started yet."""
    routes = "".join(f"  route {n} blackhole;\n" for n in OF_BIRD)
    speaker = BirdSpeaker(
        peer.lab,
        peer.folder.parent / "bird",
        more=f"protocol static own {{ ipv4 {{ table tipstaff_edge1_4; }};\n{routes}}}\n",
        taking="filter { if tipstaff_denied_edge1() then reject; accept; }",
    )
    (speaker.include / "filter.conf").write_text("function tipstaff_denied_edge1() { return false; }\n")
    return speaker


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with filtering_peer() as built:
        yield built


@pytest.fixture(scope="module")
def bird(peer: Peer) -> Iterator[BirdSpeaker]:
    with opened(filtering_bird(peer)) as speaker:
        yield speaker


def denial(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(network=ip_network(network), announced_on="edge")
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


def of_bird(bird: BirdSpeaker) -> Driver:
    file = str(bird.include / "filter.conf")
    return make("edge1", {"dialect": "bird", "session": "edge", "file": file, "socket": str(bird.socket)})


def test_bird_takes_the_sibling_and_not_the_denied_prefix(peer: Peer, bird: BirdSpeaker) -> None:
    # As the docs say: the function is there before the first plan, so that BIRD starts.
    (bird.include / "filter.conf").write_text("function tipstaff_denied_edge1() { return false; }\n")
    driver = of_bird(bird)
    assert driver.max_proof is Proof.STATE
    carry_out(driver, 1, [])  # The function is there from the first plan on.
    await_true(lambda: all(n in bird.ask("show route protocol edge") for n in OF_PEER))
    seen = carry_out(driver, 2, [denial(OF_PEER[0])])
    assert seen.of("M-000001") is Seen.IN_FORCE
    shown = bird.ask("show route protocol edge")
    assert (OF_PEER[0] in shown, OF_PEER[1] in shown) == (False, True)
    assert carry_out(driver, 3, []).rules == ()
    await_true(lambda: OF_PEER[0] in bird.ask("show route protocol edge"))


def test_a_forged_announcement_becomes_a_case_and_then_a_filter_on_its_session(
    db: None, peer: Peer, bird: BirdSpeaker
) -> None:
    """The way of one: a real session's table, the detector, the judge, an engineer, BIRD, and back."""
    office = Office()
    office.admit("acct-1")
    give(office, ResourceKind.ASN, "AS64499")
    give(office, ResourceKind.BGP_SESSION, PEER, scope="edge1")
    file = str(bird.include / "filter.conf")
    (bird.include / "filter.conf").unlink()
    session = session_name(PEER, "edge1")
    options = {"dialect": "bird", "session": session, "protocol": "edge", "file": file, "socket": str(bird.socket)}
    driver = make("edge1", options)
    office.twin = driver  # type: ignore[assignment]  # the real thing in the twin's place
    carry_out(driver, 1, [])  # The function is there from the first plan on.
    await_true(lambda: all(n in bird.ask("show route protocol edge") for n in OF_PEER))
    looked(office, "routes", dump("64499", peer=PEER, peer_as=64499, prefix=OF_PEER[0]))
    office.post(at=LATER)
    case = case_under("routes.entitled_prefixes")
    at = wiring.now()  # BIRD's keeper of ends goes by the real clock.
    [key] = plan_for(case.key, desk=office.desk, at=at, actor="engineer")
    done = office.enforce(at=at)
    assert not done.failure, done
    [measure] = office.measures(case)
    assert (measure.key, measure.state, measure.proof) == (key, MeasureState.IN_FORCE, Proof.STATE)
    shown = bird.ask("show route protocol edge")
    assert (OF_PEER[0] in shown, OF_PEER[1] in shown) == (False, True)
    office.answer(office.fresh(case.key), Answer.FIXED, at=at)
    office.enforce(at=at)
    await_true(lambda: OF_PEER[0] in bird.ask("show route protocol edge"))
    assert office.measures(case)[0].state is MeasureState.LIFTED


@pytest.mark.thorough(but=(LATE,))
class TestFrr(DriverContract):
    many = 200

    @pytest.fixture(autouse=True)
    def _peer(self, peer: Peer, tmp_path: Path) -> None:
        self.peer, self.file = peer, tmp_path / "edge.book"

    def make(self) -> Driver:
        self.forget(None)
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return of_frr(self.peer, self.file)

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return denial(f"2001:db8:{n:x}::/48", f"M-{(n if key is None else key) + 1:06d}", until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        socket = self.peer.folder / "bgpd.vty"
        socket.rename(socket.with_suffix(".away"))
        yield
        socket.with_suffix(".away").rename(socket)

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.peer.ask(f"configure terminal\nno ipv6 prefix-list tipstaff-edge1 permit {rule.selector.network}")

    def forget(self, driver: Driver | None) -> None:
        self.file.unlink(missing_ok=True)
        self.peer.ask("configure terminal\nno ip prefix-list tipstaff-edge1")
        self.peer.ask("configure terminal\nno ipv6 prefix-list tipstaff-edge1")


def of_frr(peer: Peer, file: Path) -> Driver:
    vtysh = [*peer.lab.prefix("edge"), "vtysh", "--vty_socket", str(peer.folder)]
    options = {"dialect": "frr", "session": "edge", "neighbor": SPEAKER, "file": str(file), "vtysh": vtysh}
    return make("edge1", options)


def test_frr_takes_the_sibling_and_not_the_denied_prefix(peer: Peer, bird: BirdSpeaker, tmp_path: Path) -> None:
    driver = of_frr(peer, tmp_path / "edge.book")

    def taken() -> set[str]:
        return set(json.loads(peer.ask(f"show bgp ipv4 unicast neighbors {SPEAKER} routes json"))["routes"])

    await_true(lambda: set(OF_BIRD) <= taken())
    assert carry_out(driver, 1, [denial(OF_BIRD[0])]).of("M-000001") is Seen.IN_FORCE
    assert set(OF_BIRD) & taken() == {OF_BIRD[1]}
    assert OF_BIRD[0] in peer.ask(f"show bgp ipv4 unicast neighbors {SPEAKER} filtered-routes")
    assert carry_out(driver, 2, []).rules == ()
    await_true(lambda: set(OF_BIRD) <= taken())


@pytest.mark.parametrize("dialect", ["bird", "openbgpd"])
def test_what_is_rendered_is_taken_by_the_daemons_own_check(dialect: str, tmp_path: Path) -> None:
    from tests.rooms.enforcement.test_prefix_filters_as_text import NETWORKS
    from tipstaff.enforcement.drivers.prefix_filter.text import DIALECTS

    command = {"bird": "bird", "openbgpd": "bgpd"}[dialect]
    if not (path := shutil.which(command, path="/usr/sbin:/sbin")):
        pytest.skip(f"{command} is not installed")
    lines = "\n".join(DIALECTS[dialect]("tipstaff_denied_edge1", NETWORKS, "192.0.2.9"))
    file = tmp_path / "filter.conf"
    head = {
        "bird": "router id 192.0.2.1;\nprotocol device {}\n",
        "openbgpd": "AS 64500\nrouter-id 192.0.2.1\nneighbor 192.0.2.9 { remote-as 64501 }\n",
    }[dialect]
    file.write_text(f"{head}{lines}\n")
    file.chmod(0o600)
    check = [path, "-p", "-c", str(file)] if dialect == "bird" else [path, "-n", "-f", str(file)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    file.write_text(f"{head}nonsense {lines}\n")
    assert subprocess.run(check, capture_output=True).returncode != 0


def test_openbgpd_takes_the_sibling_and_not_the_denied_prefix(peer: Peer, bird: BirdSpeaker, tmp_path: Path) -> None:
    """In FRR's place: it is the last one here."""
    if not (bgpd := shutil.which("bgpd", path="/usr/sbin")) or not (bgpctl := shutil.which("bgpctl", path="/usr/sbin")):
        pytest.skip("OpenBGPD is not installed (Debian: apt-get install openbgpd)")
    Path("/run/openbgpd").mkdir(exist_ok=True)  # Where it locks itself in.
    denied, socket, conf = tmp_path / "tipstaff.conf", tmp_path / "bgpd.sock", tmp_path / "bgpd.conf"
    denied.touch()
    conf.write_text(
        f'AS 64500\nrouter-id {PEER}\nfib-update no\nsocket "{socket}"\nlisten on {PEER}\n'
        f"neighbor {SPEAKER} {{ remote-as 64500 }}\n"
        f'include "{denied}"\nallow from any\n'
    )
    conf.chmod(0o600)
    peer.kill("bgpd")
    peer.start("openbgpd", *peer.lab.prefix("edge"), bgpd, "-d", "-f", str(conf))

    def routes(*of: str) -> set[str]:
        command = [bgpctl, "-s", str(socket), "-j", "show", "rib", *of]
        said = subprocess.run(command, capture_output=True, text=True).stdout
        return {each["prefix"] for each in json.loads(said or "{}").get("rib", ())}

    await_true(lambda: set(OF_BIRD) <= routes())
    hand_over = ["sh", "-c", f"cat > {denied} && exec {bgpctl} -s {socket} reload"]
    options = {"dialect": "openbgpd", "session": "edge", "neighbor": SPEAKER, "hand_over": hand_over}
    driver = make("edge1", {**options, "file": str(tmp_path / "edge.book")})
    assert driver.max_proof is Proof.ACK, "it is told, and not asked"
    carry_out(driver, 1, [denial(OF_BIRD[0])])
    await_true(lambda: set(OF_BIRD) & routes() == {OF_BIRD[1]})
    assert set(OF_BIRD) <= routes("in"), "it is heard, and filtered"
    carry_out(driver, 2, [])
    await_true(lambda: set(OF_BIRD) <= routes())
