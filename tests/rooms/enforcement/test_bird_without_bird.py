"""The bird driver with a twin of BIRD that takes its file in as BIRD does: the contract, and what guards forbid."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement import operations, queries
from tipstaff.enforcement.drivers.bird import make
from tipstaff.enforcement.drivers.bird.speaker import Bird
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.protocol import DeviceUnreachable, Driver, read_proof_of
from tipstaff.enforcement.routing.announcer import Announcer, Held
from tipstaff.enforcement.routing.book import Book, read_text, text_of
from tipstaff.procedures.enforcing import reconcile
from tipstaff.testing.drivers import NOON, DriverContract, carry_out
from tipstaff.words import Candidate, Degree, Direction, MeasureState, Proof, Rule, Selector


class BirdTwin(Bird):
    """What it has loaded stands in a file of its own, as the real one has it in memory."""

    def __init__(self, real: Bird, file: Path) -> None:
        self.__dict__.update(real.__dict__)
        self.loaded = file.with_name("loaded")
        self.away = False

    def load(self, book: Book) -> None:
        if self.away:
            raise DeviceUnreachable("BIRD does not answer")
        beside = self.loaded.with_name(f"loaded.{os.getpid()}")
        beside.write_text(text_of(book, device="twin"))
        beside.replace(self.loaded)

    def read(self) -> Held:
        if self.away:
            raise DeviceUnreachable("BIRD does not answer")
        if not self.loaded.exists():
            return Held(routes=frozenset())
        said = self.written(read_text(self.loaded.read_text()))
        return Held(routes=said.routes | said.foreign_routes)


def driver_of(folder: Path, announce: str = "blackhole") -> tuple[Announcer, BirdTwin]:
    file = folder / "edge1.conf"
    driver = make("edge1", {"file": str(file), "announce": announce})
    assert isinstance(driver._speaker, Bird)
    twin = BirdTwin(driver._speaker, file)
    driver._speaker = twin
    return driver, twin


class TestBirdTwin(DriverContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Driver:
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return driver_of(self.folder)[0]

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return blackhole(f"2001:db8:1::1:{n:x}", f"M-{(n if key is None else key) + 1:06d}", until)

    def test_a_rule_ends_by_itself_if_nobody_lifts_it(self) -> None:
        pytest.skip("its keeper would look for a real BIRD; the live tests have one")

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        driver._speaker.away = True  # type: ignore[attr-defined]  # the twin's own word
        yield
        driver._speaker.away = False  # type: ignore[attr-defined]  # the twin's own word

    def put_foreign(self, driver: Driver) -> str:
        line = "  route 192.0.2.77/32 blackhole;"
        self.edit(lambda text: text.replace("accept; }; };\n", f"accept; }}; }};\n{line}\n", 1))
        return line

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.edit(lambda text: text.replace(f"  route {rule.selector.network} blackhole;\n", ""))

    def forget(self, driver: Driver) -> None:
        (self.folder / "edge1.conf").unlink()
        (self.folder / "loaded").unlink()

    def edit(self, change) -> None:  # type: ignore[no-untyped-def]  # text to text
        for name in ("edge1.conf", "loaded"):
            file = self.folder / name
            file.write_text(change(file.read_text()))


def blackhole(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(network=ip_network(network), direction=Direction.IN)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


def test_the_file_says_whose_it_is_and_stands_whole(tmp_path: Path) -> None:
    driver, _ = driver_of(tmp_path)
    carry_out(driver, 7, [blackhole("192.0.2.7"), blackhole("2001:db8:1::7", "M-000002")])
    lines = (tmp_path / "edge1.conf").read_text().splitlines()
    assert "# generation 7" in lines
    assert [line for line in lines if not line.startswith("#")] == [
        "protocol static tipstaff_edge1_blackhole4 { ipv4 { table tipstaff_edge1_4;"
        " import filter { bgp_community.add((65535,666)); accept; }; };",
        "  route 192.0.2.7/32 blackhole;",
        "}",
        "protocol static tipstaff_edge1_blackhole6 { ipv6 { table tipstaff_edge1_6;"
        " import filter { bgp_community.add((65535,666)); accept; }; };",
        "  route 2001:db8:1::7/128 blackhole;",
        "}",
    ]


def test_a_book_that_was_written_and_not_taken_in_is_finished_by_whoever_comes_next(tmp_path: Path) -> None:
    driver, twin = driver_of(tmp_path)
    carry_out(driver, 1, [blackhole("192.0.2.7")])
    # The machine stops between the file and BIRD.
    written = driver._shelf.read()
    later = replace(written, generation=2, entries=(), leaving=())
    driver._shelf.write(replace(later, body=twin.body(later, foreign=())))
    assert len(twin.read().routes) == 1
    seen = driver_of(tmp_path)[0].observe(at=NOON)
    assert (seen.complete, seen.generation, seen.rules) == (True, 2, ())
    assert twin.read().routes == frozenset()


@pytest.mark.parametrize("announce", ["blackhole", "flowspec"])
@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "192.0.2.0/23", "203.0.113.9/32", "192.0.2.1/32"])
@pytest.mark.django_db
def test_nothing_that_a_guard_forbids_is_ever_in_the_file(tmp_path: Path, announce: str, network: str) -> None:
    """A default route, a wide prefix, somebody else's address, our own router: asked for, refused, never written."""
    driver, twin = driver_of(tmp_path, announce)
    limits = Limits(own=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")), protected=(ip_network("192.0.2.1"),))
    way = Direction.IN if announce == "blackhole" else Direction.BOTH
    selector = Selector(network=ip_network(network, strict=False), direction=way)
    chosen = Candidate(
        selector=selector, degree=Degree.BLOCK, device="edge1", sufficient=True, others_hit=0, services_hit=0,
        chosen=True, why="The narrowest.",
    )  # fmt: skip
    key = operations.plan_measure(
        case="C-000001", customer="acct-1", candidates=[chosen], chosen=chosen, until=NOON + timedelta(days=1),
        lifted_when="It is fixed.", notice="L-000001", urgency=None, at=NOON, actor="test",
    )  # fmt: skip
    fence = operations.become_writer("edge1", at=NOON)
    done = reconcile(driver, fence=fence, limits=limits, at=NOON)
    operations.stop_writing(fence)
    assert done.refused == (key,)
    measure = queries.get_measure(key)
    assert measure is not None
    assert measure.state is MeasureState.FAILED
    assert twin.read().routes == frozenset()
    assert "route " not in (tmp_path / "edge1.conf").read_text()


def test_no_more_is_promised_of_a_flow_than_a_probe_can_show(tmp_path: Path) -> None:
    options = {
        "file": str(tmp_path / "edge1.conf"), "announce": "flowspec", "rate_bytes_per_second": 1000,
        "probe_inside": ["in"], "probe_outside": ["out"], "probe_outside_addresses": ["203.0.113.1"],
    }  # fmt: skip
    driver = make("edge1", options)
    assert (read_proof_of(driver), driver.max_proof) == (Proof.CONFIG, Proof.PROBE)
    four, six = (Selector(network=ip_network(x)) for x in ("192.0.2.7", "2001:db8::7"))
    assert driver.ability.shows([four], Degree.BLOCK) is Proof.PROBE
    assert driver.ability.shows([four], Degree.RATE_LIMIT) is Proof.CONFIG, "what is slowed down is never probed"
    assert driver.ability.shows([four, six], Degree.BLOCK) is Proof.CONFIG, "nobody is out there for IPv6"
