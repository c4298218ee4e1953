"""What drivers of speakers that are told line by line have in common in their tests: ExaBGP and GoBGP."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.live.speakers import BirdSpeaker, ExaBgpSpeaker, GoBgpSpeaker, Peer, peer_at_the_edge, unavailable
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Rule, Seen, Selector

Make = Callable[[str, Mapping[str, object]], Any]
Speaker = ExaBgpSpeaker | GoBgpSpeaker


@contextmanager
def edge_with(*programs: str, more: str = "", announces: Sequence[str] = ()) -> Iterator[Peer]:
    """The peer, in a folder that FRR's own user may enter; the test is skipped where a program is missing."""
    if why := unavailable(*programs):
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="tipstaff-bgp-"))
    folder.chmod(0o755)
    try:
        with peer_at_the_edge(folder / "frr", more=more, announces=announces) as built:
            yield built
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(speaker: Speaker | BirdSpeaker) -> Iterator[Any]:
    """The speaker, in session with the peer."""
    try:
        speaker.open()
        yield speaker
    finally:
        speaker.kill()


def clean(make: Make, speaker: Speaker, announce: str = "blackhole") -> None:
    """Nothing is announced any more, and nothing kept."""
    speaker.book.unlink(missing_ok=True)
    driver = make("edge1", speaker.options(announce=announce))
    driver._speaker.load(driver._shelf.read())


def blackhole(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    """All that goes to an address is stopped."""
    selector = Selector(network=ip_network(network), direction=Direction.IN)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


class AnnouncerContract(DriverContract):
    """The contract, for one driver's blackholes; what is its own is how it is cleaned, broken and tampered with."""

    make_driver: Make
    speaker: Any
    peer: Peer

    def clean(self) -> None:
        raise NotImplementedError

    def make(self) -> Driver:
        self.clean()
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        options = self.speaker.options(peer_fib=self.peer.lab.prefix("edge"))
        made: Driver = type(self).make_driver("edge1", options)
        return made

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return blackhole(f"2001:db8:1::1:{n:x}", f"M-{(n if key is None else key) + 1:06d}", until)

    def forget(self, driver: Driver) -> None:
        self.clean()


@contextmanager
def away(file: Path) -> Iterator[None]:
    """While a file has another name."""
    other = file.with_suffix(".away")
    file.rename(other)
    yield
    other.rename(file)


def check_flows(make: Make, speaker: Speaker, peer: Peer) -> None:
    """Flows stand in the peer's table as they were asked for, and are gone from it when they are lifted."""
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
    check_both_ends(flows, peer)


def check_both_ends(flows: Any, peer: Peer) -> None:
    """Source, destination, protocol and both ports stand in the peer's table as one flow, and go again."""
    out = {"network": "192.0.2.9/32", "remote": "203.0.113.9/32", "port": 25, "direction": Direction.OUT}
    back = {"network": "2001:db8:1::9/128", "remote": "2001:db8:f::/64", "port": 80, "direction": Direction.IN}
    rules = [
        Rule(
            measure=f"M-00001{n}", case="C-000001", degree=Degree.BLOCK,
            selector=Selector(protocol="tcp", source_port=4000, **{**end, "network": ip_network(end["network"]),
                                                                 "remote": ip_network(end["remote"])}),
        )
        for n, end in enumerate((out, back))
    ]  # fmt: skip
    assert {seen for _, seen in carry_out(flows, 11, rules).rules} == {Seen.IN_FORCE}
    await_true(lambda: len(peer.flows(4)) == len(peer.flows(6)) == 1)
    for version, source, destination, port in (
        (4, out["network"], out["remote"], 25),
        (6, back["remote"], back["network"], 80),
    ):
        (line,) = peer.flows(version)
        words = line.replace("/0 ", " ")
        for part in (
            f"from {source}",
            f"to {destination}",
            "proto = 6" if version == 4 else "6",
            f"= {port}",
            "= 4000",
        ):
            assert part in words, line
    assert carry_out(flows, 12, []).rules == ()
    await_true(lambda: not peer.flows(4) and not peer.flows(6))


def announced_one_of_two(make: Make, speaker: Speaker, peer: Peer) -> Any:
    """A driver that announced two blackholes and withdrew the first: the older one must never come back."""
    driver = make("edge1", speaker.options(peer_fib=peer.lab.prefix("edge")))
    carry_out(driver, 1, [blackhole("192.0.2.7"), blackhole("192.0.2.8", "M-000002")])
    carry_out(driver, 2, [blackhole("192.0.2.8", "M-000002")])
    assert peer.blackholes() == {"192.0.2.8"}
    assert driver.observe(at=NOON).complete
    return driver
