"""The narrower words of the packet filter, shown by packets: a machine on a port, forged sources, the walled garden."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.enforcement.guards import Limits, refusal
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.testing.drivers import NOON, DriverContract, carry_out
from tipstaff.testing.lab import CUSTOMERS, OUTSIDE, Lab
from tipstaff.words import Degree, Direction, Rule, Seen, Selector

pytestmark = pytest.mark.live

FAR, FAR6 = OUTSIDE
PAGE, PAGE6, NAMES, NAMES6 = "198.51.100.80", "2001:db8:ffff::80", "198.51.100.53", "2001:db8:ffff::53"
SPOOFED = "203.0.113.9"
MORE = {
    "customer_ports": ["inside"],
    "garden": [PAGE, PAGE6],
    "garden_resolvers": [NAMES, NAMES6],
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab(customers=(*CUSTOMERS, "192.0.2.6"), outside=(*OUTSIDE, PAGE, PAGE6, NAMES, NAMES6)) as built:
        yield built


@pytest.fixture
def driver(lab: Lab, request: pytest.FixtureRequest) -> NftDriver:
    with contextlib.suppress(Exception):
        lab.run("edge", "nft", "delete", "table", "inet", "tipstaff")
    return make("edge1", {**lab.device_options(), **MORE, "netlink": getattr(request, "param", True)})


class TestPorts(DriverContract):
    """The contract for machines on a port."""

    many = 200

    @pytest.fixture(autouse=True)
    def _lab(self, lab: Lab) -> None:
        self.lab = lab

    def make(self) -> Driver:
        with contextlib.suppress(Exception):
            self.lab.run("edge", "nft", "delete", "table", "inet", "tipstaff")
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", {"command_prefix": self.lab.prefix("edge"), **MORE, "netlink": True})

    def rule(self, n: int, *, until: object = None, key: int | None = None) -> Rule:
        one = super().rule(n, until=until, key=key)  # type: ignore[arg-type]  # handed on as it came
        selector = Selector(session=f"inside/02:00:5e:10:{n // 256:02x}:{n % 256:02x}")
        return Rule(measure=one.measure, case=one.case, selector=selector, degree=Degree.BLOCK, until=one.until)

    def tamper(self, driver: Driver, rule: Rule) -> None:
        port, _, mac = str(rule.selector.session).partition("/")
        self.lab.run("edge", "nft", f'delete element inet tipstaff block_mac {{ "{port}" . {mac} }}')

    def forget(self, driver: Driver) -> None:
        self.lab.run("edge", "nft", "flush ruleset")


def rule_on(selector: Selector, degree: Degree = Degree.BLOCK) -> Rule:
    return Rule(measure="M-000001", case="C-000001", selector=selector, degree=degree)


def be_machine(lab: Lab, mac: str) -> None:
    """Another machine is plugged in behind the same port."""
    lab.run("inside", "ip", "link", "set", "eth0", "address", mac)
    lab.run("edge", "ip", "neigh", "flush", "dev", "inside")
    lab.run("inside", "ip", "neigh", "flush", "dev", "eth0")


@pytest.mark.parametrize(
    ("driver", "customer", "far"),
    [(False, "192.0.2.7", FAR), (True, "192.0.2.7", FAR), (True, "2001:db8:1::7", FAR6)],
    indirect=["driver"],
)
def test_one_machine_on_a_port_is_stopped_and_the_next_on_it_is_not(
    lab: Lab, driver: NftDriver, customer: str, far: str
) -> None:
    bad, good = "02:00:5e:10:00:01", "02:00:5e:10:00:02"
    rule = rule_on(Selector(session=f"inside/{bad.upper()}"))
    assert driver.supports(rule)
    be_machine(lab, bad)
    with lab.listening("outside", far, 443):
        assert lab.knock("inside", far, 443, source=customer) == "connected"
        assert carry_out(driver, 1, [rule]).of("M-000001") is Seen.IN_FORCE
        assert lab.knock("inside", far, 443, source=customer) == "silent"
        be_machine(lab, good)
        assert lab.knock("inside", far, 443, source=customer) == "connected"
        be_machine(lab, bad)
        assert carry_out(driver, 2, []).rules == ()
        assert lab.knock("inside", far, 443, source=customer) == "connected"


def test_forged_sources_do_not_leave_a_guarded_port_and_the_customers_own_do(lab: Lab, driver: NftDriver) -> None:
    rule = rule_on(Selector(forged_on="edge1/inside"))
    assert driver.supports(rule)
    with contextlib.suppress(Exception):
        lab.run("inside", "ip", "addr", "add", f"{SPOOFED}/32", "dev", "eth0")
    lab.run("outside", "nft", "add table inet seen; flush table inet seen; "
            "add chain inet seen all_in { type filter hook input priority 0; }; "
            f"add rule inet seen all_in ip saddr {{ {SPOOFED}, 192.0.2.9 }} udp dport 53 counter")  # fmt: skip

    def arrived() -> int:
        listing = json.loads(lab.run("outside", "nft", "-j", "list table inet seen"))["nftables"]
        return sum(e["counter"]["packets"] for o in listing if "rule" in o for e in o["rule"]["expr"] if "counter" in e)

    carry_out(driver, 1, [])
    with lab.listening("outside", FAR, 53, protocol="udp"):
        for source, wanted in ((SPOOFED, 1), ("192.0.2.9", 2)):
            lab.knock("inside", FAR, 53, source=source, protocol="udp")
            assert arrived() == wanted
        assert carry_out(driver, 2, [rule]).of("M-000001") is Seen.IN_FORCE
        assert lab.knock("inside", FAR, 53, source=SPOOFED, protocol="udp") == "silent"
        assert arrived() == 2
        assert lab.knock("inside", FAR, 53, source="192.0.2.9", protocol="udp") == "connected"
        assert arrived() == 3
        assert carry_out(driver, 3, []).rules == ()
        lab.knock("inside", FAR, 53, source=SPOOFED, protocol="udp")
        assert arrived() == 4


@pytest.fixture(scope="module")
def pages(lab: Lab) -> Iterator[None]:
    """A site out there, and the operator's page with its API (RFC 8908); each says what it is."""
    servers = []
    for address, words in ((FAR, "a site"), (FAR6, "a site"), (PAGE, "the garden"), (PAGE6, "the garden")):
        server = subprocess.Popen(
            [*lab.prefix("outside"), sys.executable, "-I", "-S", "-c", _SERVER, address, words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        servers.append(server)
    yield
    for server in servers:
        server.kill()
        server.communicate()


def fetch(lab: Lab, source: str, host: str, *, accept: str = "text/html") -> str:
    return lab.run("inside", sys.executable, "-I", "-S", "-c", _FETCH, source, host, accept).strip()


@pytest.mark.parametrize(
    ("network", "customer", "sibling", "far", "names"),
    [
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.8", FAR, NAMES),
        ("192.0.2.6/31", "192.0.2.7", "192.0.2.8", FAR, NAMES),
        ("2001:db8:1::7/128", "2001:db8:1::7", "2001:db8:1::8", FAR6, NAMES6),
    ],
)
def test_a_walled_in_customer_sees_the_operators_page_and_nothing_else(
    lab: Lab, driver: NftDriver, pages: None, network: str, customer: str, sibling: str, far: str, names: str
) -> None:
    rule = rule_on(Selector(network=ip_network(network)), Degree.WALLED_GARDEN)
    assert driver.supports(rule)
    with (
        lab.listening("outside", far, 443),
        lab.listening("outside", names, 53, protocol="udp"),
        lab.listening("outside", far, 53, protocol="udp"),
        lab.listening("inside", customer, 80),
    ):
        assert carry_out(driver, 1, [rule]).of("M-000001") is Seen.IN_FORCE
        assert fetch(lab, customer, far) == "the garden"
        assert json.loads(fetch(lab, customer, far, accept="application/captive+json"))["captive"] is True
        assert lab.knock("inside", names, 53, source=customer, protocol="udp") == "connected"
        assert lab.knock("inside", far, 443, source=customer) == "refused"
        assert lab.knock("inside", far, 53, source=customer, protocol="udp") == "silent"
        assert lab.knock("outside", customer, 80) == "silent"
        assert fetch(lab, sibling, far) == "a site"
        assert lab.knock("inside", far, 443, source=sibling) == "connected"
        result = driver.probe(rule)
        assert result.proves_in_force, result
        assert carry_out(driver, 2, []).rules == ()
        assert fetch(lab, customer, far) == "a site"
        assert driver.probe(rule).proves_lifted


def test_the_garden_goes_when_the_settings_name_none(lab: Lab, driver: NftDriver) -> None:
    carry_out(driver, 1, [rule_on(Selector(network=ip_network("192.0.2.7")), Degree.WALLED_GARDEN)])
    plain = make("edge1", {"command_prefix": lab.prefix("edge")})
    seen = plain.observe(at=NOON)
    assert seen.of("M-000001") is Seen.DRIFT
    assert carry_out(plain, 2, []).rules == ()
    assert "dnat" not in lab.run("edge", "nft", "list table inet tipstaff")


def test_what_the_settings_do_not_name_is_not_held() -> None:
    device = make("edge1", MORE)
    plain = make("edge1", {})
    network = ip_network("192.0.2.7")
    for selector, degree in (
        (Selector(session="uplink/02:00:5e:10:00:01"), Degree.BLOCK),
        (Selector(session="inside/not-a-machine"), Degree.BLOCK),
        (Selector(forged_on="edge1/uplink"), Degree.BLOCK),
        (Selector(forged_on="edge2/inside"), Degree.BLOCK),
        (Selector(network=ip_network("198.51.100.80")), Degree.WALLED_GARDEN),
        (Selector(network=ip_network("198.51.100.0/24")), Degree.WALLED_GARDEN),
        (Selector(network=network, direction=Direction.OUT), Degree.WALLED_GARDEN),
    ):
        assert not device.supports(rule_on(selector, degree)), selector
    for selector, degree in (
        (Selector(session="inside/02:00:5e:10:00:01"), Degree.BLOCK),
        (Selector(forged_on="edge1/inside"), Degree.BLOCK),
        (Selector(network=network), Degree.WALLED_GARDEN),
    ):
        assert device.supports(rule_on(selector, degree))
        assert not plain.supports(rule_on(selector, degree))
        assert (selector.scope, degree) not in plain.ability.can


def test_a_protected_machine_is_not_touched_on_any_port() -> None:
    limits = Limits(own=(), protected_names=("02:00:5e:10:00:01",), owns_session=lambda _: True)
    assert refusal(Selector(session="inside/02:00:5E:10:00:01"), limits) == (
        "It would touch 02:00:5e:10:00:01, which is protected."
    )
    assert refusal(Selector(session="inside/02:00:5e:10:00:02"), limits) is None
    assert refusal(Selector(session="inside/02:00:5e:10:00:02"), Limits(own=())) is not None


def test_a_port_is_guarded_only_while_the_registry_knows_it_as_a_customers() -> None:
    limits = Limits(own=(), owns_port=lambda place: place == "edge1/inside")
    assert refusal(Selector(forged_on="edge1/inside"), limits) is None
    assert refusal(Selector(forged_on="edge1/uplink"), limits) == (
        "edge1/uplink is not a port of a customer of ours, as far as the registry knows."
    )
    assert refusal(Selector(forged_on="edge1/inside"), Limits(own=())) is not None


def test_a_garden_that_cannot_work_is_refused_at_the_start() -> None:
    with pytest.raises(BadOption, match="garden_resolvers go together"):
        make("edge1", {"garden": [PAGE]})
    with pytest.raises(BadOption, match="one address for each IP version"):
        make("edge1", {"garden": [PAGE, FAR], "garden_resolvers": [NAMES]})
    with pytest.raises(BadOption, match="an interface has a name like eth7"):
        make("edge1", {"customer_ports": ["eth7 . 02"]})


_SERVER = """
import http.server, socket, socketserver, sys
address, words = sys.argv[1:]
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        captive = self.headers["Accept"] == "application/captive+json"
        told = b'{"captive": true}' if captive and "garden" in words else words.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)
    def log_message(self, *told):
        pass
class Server(socketserver.TCPServer):
    allow_reuse_address = True
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
server = Server((address, 80), Page)
print("ready", flush=True)
server.serve_forever()
"""

_FETCH = """
import http.client, sys
source, host, accept = sys.argv[1:]
way = http.client.HTTPConnection(host, 80, timeout=3, source_address=(source, 0))
way.request("GET", "/", headers={"Accept": accept})
print(way.getresponse().read().decode())
"""
