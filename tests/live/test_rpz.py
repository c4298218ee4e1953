"""The RPZ driver on a real BIND and Unbound: the contract, and what the resolvers answer."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.live.name_servers import NAMED, UNBOUND, NameServers
from tipstaff import wiring
from tipstaff.cli.main import app
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.rpz import RpzDriver, make
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Proof, Rule, Seen, Selector

pytestmark = [pytest.mark.live, pytest.mark.skipif(NAMED is None, reason="BIND (named) is not installed")]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServers]:
    built = NameServers(tmp_path_factory.mktemp("names"))
    built.start()
    yield built
    built.stop()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServers]:
    """A BIND without an Unbound behind it, which takes a change over in its own time."""
    built = NameServers(tmp_path_factory.mktemp("bind"), unbound=False)
    built.start()
    yield built
    built.stop()


def host(name: str, *, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(host_name=name)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


class TestRpzDriver(DriverContract):
    @pytest.fixture(autouse=True)
    def _servers(self, alone: NameServers) -> None:
        self.servers = alone

    def make(self) -> Driver:
        self.servers.wipe()
        return make("ns1", self.servers.options())

    def again(self, driver: Driver) -> Driver:
        return make("ns1", self.servers.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return host(f"h{n}.example.net", key=f"M-{(n if key is None else key) + 1:06d}", until=until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, RpzDriver)
        works, driver._server = driver._server, ("127.0.0.1", 1)
        yield
        driver._server = works

    def put_foreign(self, driver: Driver) -> str:
        self.servers.update(("add", "by-hand.example.org", 60, "CNAME", "."))
        return "by-hand.example.org"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        assert rule.selector.host_name is not None
        self.servers.update(("delete", rule.selector.host_name))

    def forget(self, driver: Driver) -> None:
        self.servers.wipe()


@pytest.mark.skipif(UNBOUND is None, reason="Unbound is not installed")
def test_every_resolver_stops_answering_for_the_name_and_its_neighbour_is_answered(servers: NameServers) -> None:
    servers.wipe()
    driver = make("ns1", servers.options(page_addresses=["192.0.2.99"]))
    rule = host("shop.example.net")
    ports = (servers.port, servers.unbound_port)
    assert {servers.ask("shop.example.net", port) for port in ports} == {"192.0.2.80"}
    assert driver.probe(rule).proves_lifted
    seen = carry_out(driver, 1, [rule])
    assert (seen.of("M-000001"), seen.detail) == (Seen.IN_FORCE, "")
    assert {servers.ask("SHOP.example.net", port) for port in ports} == {"192.0.2.99"}
    assert {servers.ask("shop.example.net", port, "MX") for port in ports} == {"NODATA"}
    for beside in ("www.example.net", "a.shop.example.net", "shop2.example.net"):
        assert all(servers.ask(beside, port).startswith("192.0.2.8") for port in ports), beside
    result = driver.probe(rule)
    assert result.proves_in_force, result
    # A resolver that is behind is not covered by the one that is not.
    servers.kill("unbound")
    assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT


@pytest.mark.skipif(UNBOUND is None, reason="Unbound is not installed")
def test_no_name_leads_to_a_blocked_address_at_any_resolver_and_the_next_address_is_found(servers: NameServers) -> None:
    servers.stop()
    servers.start()
    servers.wipe()
    driver = make("ns1", servers.options(addresses=True))
    to = Selector(network=ip_network("192.0.2.80"), direction=Direction.IN)
    rule = replace(host("x"), selector=to)
    six = replace(host("x", key="M-000002"), selector=replace(to, network=ip_network("2001:db8::80")))
    assert driver.supports(rule)
    assert not driver.supports(replace(rule, selector=replace(to, direction=Direction.BOTH)))
    assert not make("ns1", servers.options()).supports(rule)
    assert carry_out(driver, 1, [rule, six]).rules == (("M-000001", Seen.IN_FORCE), ("M-000002", Seen.IN_FORCE))
    for port in (servers.port, servers.unbound_port):
        assert {servers.ask(name, port) for name in ("shop.example.net", "www.example.net")} == {"NODATA"}
        assert servers.ask("six.example.net", port, "AAAA") == "NODATA"
        assert servers.ask("a.shop.example.net", port) == "192.0.2.81"
        assert servers.ask("seven.example.net", port, "AAAA") == "2001:db8::81"
    assert driver.probe(rule).target_stopped is None
    assert carry_out(driver, 2, []).rules == ()
    await_true(lambda: servers.ask("www.example.net", servers.unbound_port) == "192.0.2.80")


def test_nobody_reads_from_a_resolver_which_measure_blocks_what(alone: NameServers) -> None:
    alone.wipe()
    driver = make("ns1", alone.options())
    carry_out(driver, 1, [host("shop.example.net")])
    assert driver._copy is not None
    book = [b".".join(name).decode() for name in driver._copy.names if name[-1:] == (b"_tipstaff",)]
    texts = [alone.ask(f"{name}.", alone.port, "TXT") for name in book]
    assert len(texts) == 2
    assert not any("shop" in text or "M-0" in text for text in [*book, *texts])


def test_a_change_that_was_never_finished_counts_for_nothing_and_is_cleared_away(alone: NameServers) -> None:
    alone.wipe()
    driver = make("ns1", alone.options())
    carry_out(driver, 1, [host("a.example.net")])
    late = make("ns1", alone.options())
    late._send_one = late._send  # type: ignore[attr-defined]  # the driver as it is inside
    sent: list[int] = []

    def dies_midway(changes: object, *, if_generation: bytes | None) -> None:
        sent.append(1)
        if len(sent) > 1:
            raise KeyboardInterrupt
        late._send_one(changes, if_generation=if_generation)  # type: ignore[attr-defined]  # the driver as it is inside

    late._send = dies_midway  # type: ignore[method-assign,assignment]  # the driver as it is inside
    many = [host("a.example.net"), *(host(f"b{n}.example.net", key=f"M-{n:06d}") for n in range(2, 320))]
    with contextlib.suppress(KeyboardInterrupt):
        carry_out(late, 2, many)
    seen = driver.observe(at=NOON)
    assert (seen.generation, [key for key, _ in seen.rules], seen.foreign) == (1, ["M-000001"], ())
    assert "never finished" in seen.detail
    seen = carry_out(driver, 3, [host("a.example.net")])
    assert (seen.detail, alone.ask("b2.example.net", alone.port)) == ("", "192.0.2.81")


def test_what_has_ended_is_taken_out_without_the_enforcer(alone: NameServers) -> None:
    alone.wipe()
    ends = NOON + timedelta(hours=1)
    rules = [host("a.example.net", until=ends), host("b.example.net", key="M-000002")]
    carry_out(make("ns1", alone.options()), 4, rules)
    timer = make("ns1", alone.options())
    assert timer.end_due(at=NOON) == ends
    assert alone.ask("a.example.net", alone.port) == "NODATA"
    assert timer.end_due(at=ends) is None
    assert alone.ask("a.example.net", alone.port) == "192.0.2.81"
    seen = timer.observe(at=ends)
    assert (seen.generation, seen.rules) == (4, (("M-000002", Seen.IN_FORCE),))


def test_a_keeper_ends_it_in_its_time_while_nobody_else_is_there(alone: NameServers) -> None:
    alone.wipe()
    carry_out(make("ns1", alone.options()), 1, [host("a.example.net", until=NOON + timedelta(seconds=2))])
    assert alone.ask("a.example.net", alone.port) == "NODATA"
    await_true(lambda: alone.ask("a.example.net", alone.port) == "192.0.2.81")


def test_the_timers_command_ends_what_is_due_and_says_what_is_next(
    alone: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone.wipe()
    driver, ends = make("ns1", alone.options()), NOON + timedelta(hours=1)
    carry_out(driver, 1, [host("a.example.net", until=ends)])
    monkeypatch.setattr(wiring, "drivers", lambda: (driver, MemoryTwin("edge1")))
    for at, said in ((NOON, f"the next measure ends at {ends.isoformat()}"), (ends, "no measure has an end")):
        monkeypatch.setattr(wiring, "now", lambda at=at: at)
        assert CliRunner().invoke(app, ["end-due"]).output == f"ns1: {said}.\n"
    assert alone.ask("a.example.net", alone.port) == "192.0.2.81"


def test_the_secret_is_in_no_sentence_and_others_may_not_read_it(alone: NameServers, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_text("bm90IHRoZSBzZWNyZXQgdGhhdCBCSU5EIGhhcw==")
    wrong.chmod(0o600)
    seen = make("ns1", alone.options(tsig_file=str(wrong))).observe(at=NOON)
    assert not seen.complete
    assert "bm90" not in seen.detail
    wrong.chmod(0o644)
    with pytest.raises(BadOption, match="everybody can read"):
        make("ns1", alone.options(tsig_file=str(wrong)))
    from_command = make("ns1", alone.options(tsig_file="", tsig_command=["cat", str(alone.key_file)]))
    assert from_command.observe(at=NOON).complete
    silent = make("ns1", alone.options(tsig_file="", tsig_command=["false"]))
    assert "the tsig cannot be read" in silent.observe(at=NOON).detail


def test_without_resolvers_nothing_shows_that_it_is_in_force(alone: NameServers) -> None:
    assert make("ns1", alone.options(resolvers=[])).max_proof is Proof.CONFIG
    assert make("ns1", alone.options(neighbour="")).max_proof is Proof.STATE


def test_options_that_cannot_be_used_are_told_in_a_sentence(alone: NameServers) -> None:
    for more, said in (
        ({"server": "ns1:53"}, "takes an address and a port"), ({"zone": ""}, "zone is missing"),
        ({"tsig_algorithm": "hmac-md5"}, 'takes "hmac-sha256", "hmac-sha384" or "hmac-sha512"'),
        ({"tsig_command": ["x"]}, "one of tsig_file and tsig_command says"),
        ({"keeper_file": "x"}, "takes a whole path"), ({"page_addresses": ["x"]}, "takes addresses"),
        ({"zone": "a..b"}, "no name of the DNS"), ({"secret": "x"}, "secret is not an option"),
    ):  # fmt: skip
        with pytest.raises(BadOption, match=said):
            make("ns1", alone.options(**more))
