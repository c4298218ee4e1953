"""The nftables driver on a real kernel: the contract every driver keeps, and what only packets can show."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import ClassVar

import pytest

from tipstaff.enforcement.drivers.nftables import NftDriver, layout, make
from tipstaff.enforcement.planner import steps
from tipstaff.enforcement.probing import Vantage, probe_rule
from tipstaff.enforcement.protocol import BadOption, Driver, StalePlan
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.testing.lab import OUTSIDE, Lab
from tipstaff.words import Degree, Direction, Plan, Proof, Rule, Seen, Selector, Step

pytestmark = pytest.mark.live

FAR, FAR6 = OUTSIDE
ANOTHER_FAR = "198.51.100.11"
BOOK = layout.book_of("M-000001")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab(outside=(*OUTSIDE, ANOTHER_FAR)) as built:
        yield built


@pytest.fixture
def driver(lab: Lab) -> NftDriver:
    with contextlib.suppress(Exception):
        lab.run("edge", "nft", "delete", "table", "inet", "tipstaff")
    return make("edge1", lab.device_options())


class TestNftDriver(DriverContract):
    more: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True)
    def _lab(self, lab: Lab) -> None:
        self.lab = lab

    def make(self) -> Driver:
        with contextlib.suppress(Exception):
            self.lab.run("edge", "nft", "delete", "table", "inet", "tipstaff")
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", {**self.lab.device_options(), **self.more})

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, NftDriver)
        works = driver._prefix, driver._nft
        driver._prefix = ("ip", "netns", "exec", "no-such-namespace")
        driver._nft = (*driver._prefix, "nft")
        yield
        driver._prefix, driver._nft = works

    def put_foreign(self, driver: Driver) -> str:
        self.lab.run("edge", "nft", "add element inet tipstaff block_addr_out4 { 192.0.2.77 }")
        return "element 192.0.2.77 in set block_addr_out4"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        network = rule.selector.network
        assert network is not None
        element = f"{network.network_address} . {rule.selector.protocol} . {rule.selector.port}"
        self.lab.run("edge", "nft", f"delete element inet tipstaff block_flow_out4 {{ {element} }}")

    def forget(self, driver: Driver) -> None:
        self.lab.run("edge", "nft", "flush ruleset")


class TestNftDriverByNetlink(TestNftDriver):
    more: ClassVar[dict[str, object]] = {"netlink": True}


def flow(host: str, protocol: str, port: int, direction: Direction, key: str = "M-000001") -> Rule:
    selector = Selector(network=ip_network(host), protocol=protocol, port=port, direction=direction)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK)


@pytest.mark.parametrize(("customer", "far"), [("192.0.2.7", FAR), ("2001:db8:1::7", FAR6)])
def test_a_blocked_port_is_blocked_and_its_neighbours_work(
    lab: Lab, driver: NftDriver, customer: str, far: str
) -> None:
    neighbour = customer[:-1] + "8"
    with lab.listening("outside", far, 25), lab.listening("outside", far, 443):
        assert lab.knock("inside", far, 25, source=customer) == "connected"
        carry_out(driver, 1, [flow(customer, "tcp", 25, Direction.OUT)])
        assert lab.knock("inside", far, 25, source=customer) == "refused"
        assert lab.knock("inside", far, 443, source=customer) == "connected"
        assert lab.knock("inside", far, 25, source=neighbour) == "connected"
        carry_out(driver, 2, [])
        assert lab.knock("inside", far, 25, source=customer) == "connected"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_customers_own_port_is_closed_to_the_world_and_the_next_one_is_not(
    lab: Lab, driver: NftDriver, protocol: str
) -> None:
    near = "192.0.2.7"
    with lab.listening("inside", near, 53, protocol=protocol), lab.listening("inside", near, 80):
        assert lab.knock("outside", near, 53, protocol=protocol) == "connected"
        carry_out(driver, 1, [flow(near, protocol, 53, Direction.IN)])
        assert lab.knock("outside", near, 53, protocol=protocol) == ("refused" if protocol == "tcp" else "silent")
        assert lab.knock("outside", near, 80) == "connected"
        # What the customer reaches out for is another matter.
        with lab.listening("outside", FAR, 53, protocol=protocol):
            assert lab.knock("inside", FAR, 53, source=near, protocol=protocol) == "connected"


@pytest.mark.parametrize("network", ["192.0.2.7/32", "192.0.2.6/31", "2001:db8:1::7/128"])
def test_a_blocked_address_or_prefix_is_stopped_both_ways_and_the_next_is_not(
    lab: Lab, driver: NftDriver, network: str
) -> None:
    v6 = ":" in network
    far, near, neighbour = (FAR6, "2001:db8:1::7", "2001:db8:1::8") if v6 else (FAR, "192.0.2.7", "192.0.2.8")
    selector = Selector(network=ip_network(network))
    rule = Rule(measure="M-000001", case="C-000001", selector=selector, degree=Degree.BLOCK)
    with lab.listening("outside", far, 443), lab.listening("inside", near, 80), lab.listening("inside", neighbour, 80):
        carry_out(driver, 1, [rule])
        assert lab.knock("inside", far, 443, source=near) == "silent"
        assert lab.knock("outside", near, 80) == "silent"
        assert lab.knock("inside", far, 443, source=neighbour) == "connected"
        assert lab.knock("outside", neighbour, 80) == "connected"
        result = driver.probe(rule)
        assert result.proves_in_force, result


def test_a_slowed_port_lets_some_connections_through_and_not_many(lab: Lab) -> None:
    with contextlib.suppress(Exception):
        lab.run("edge", "nft", "delete", "table", "inet", "tipstaff")
    driver = make("edge1", {**lab.device_options(), "connections_per_minute": 3})
    rule = replace(flow("192.0.2.7", "tcp", 25, Direction.OUT), degree=Degree.RATE_LIMIT)
    with lab.listening("outside", FAR, 25):
        carry_out(driver, 1, [rule])
        knocks = [lab.knock("inside", FAR, 25, source="192.0.2.7") for _ in range(6)]
        assert knocks[:3] == ["connected"] * 3
        assert "silent" in knocks[3:]
        assert lab.knock("inside", FAR, 25, source="192.0.2.8") == "connected"


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_probe_proves_in_force_and_lifted(lab: Lab, driver: NftDriver, direction: Direction, protocol: str) -> None:
    rule = flow("192.0.2.7", protocol, 587, direction)
    assert driver.max_proof is Proof.PROBE
    assert driver.probe(rule).proves_lifted
    carry_out(driver, 1, [rule])
    result = driver.probe(rule)
    assert result.proves_in_force, result
    carry_out(driver, 2, [])
    assert driver.probe(rule).proves_lifted


def test_a_closed_port_is_never_taken_for_a_blocked_one(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 4444, Direction.OUT)
    assert lab.knock("inside", FAR, 4444, source="192.0.2.7") == "refused"
    assert driver.probe(rule).target_stopped is False


def test_a_probe_tells_when_the_neighbour_was_hit_too(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(driver, 1, [rule])
    lab.run("edge", "nft", "add table inet rough; add chain inet rough f { type filter hook forward priority 0; }")
    lab.run("edge", "nft", "add rule inet rough f ip saddr 192.0.2.0/24 drop")
    try:
        result = driver.probe(rule)
    finally:
        lab.run("edge", "nft", "delete table inet rough")
    assert (result.target_stopped, result.neighbour_works) == (True, False)


@pytest.mark.parametrize("way", [Direction.OUT, Direction.IN])
def test_what_is_stopped_between_two_ends_only_is_probed_from_there(lab: Lab, way: Direction) -> None:
    """By whatever stops it: here a rule by hand, for this driver holds no such thing."""
    inside, outside, far = lab.prefix("inside"), lab.prefix("outside"), ip_address(FAR)
    vantage = Vantage(inside=tuple(inside), outside=tuple(outside), outside_addresses=(far, ip_address(ANOTHER_FAR)))
    rule = flow("192.0.2.7", "tcp", 587, way)
    narrow = replace(rule, selector=replace(rule.selector, remote=ip_network(FAR), source_port=4000))
    source, destination = ("192.0.2.7", FAR) if way is Direction.OUT else (FAR, "192.0.2.7")

    def probe() -> tuple[bool | None, bool | None]:
        result = probe_rule(narrow, vantage=vantage, touched=lambda _: False)
        return result.target_stopped, result.neighbour_works

    assert probe() == probe() == (False, True), "the same port may be asked again at once"
    lab.run("edge", "nft", "add table inet byhand; add chain inet byhand f { type filter hook forward priority 0; }")
    match = f"ip saddr {source} ip daddr {destination} tcp sport 4000 tcp dport 587"
    lab.run("edge", "nft", f"add rule inet byhand f {match} drop")
    try:
        assert probe() == (True, True)
        none_else = replace(vantage, outside_addresses=(far,))
        alone = probe_rule(narrow, vantage=none_else, touched=lambda _: False)
        assert (alone.target_stopped, alone.neighbour_works) == (None, None), "nothing would show that it is no wider"
        assert probe_rule(rule, vantage=vantage, touched=lambda _: False).target_stopped is False, "not from elsewhere"
        end = f"{'d' if way is Direction.OUT else 's'}addr {FAR}"
        for wider in (match.replace("tcp sport 4000 ", ""), match.replace(f"ip {end} ", "")):
            lab.run("edge", "nft", f"add rule inet byhand f {wider} drop")
            assert probe() == (True, False), "the rest of the port is stopped too"
            lab.run("edge", "nft", f"flush chain inet byhand f; add rule inet byhand f {match} drop")
    finally:
        lab.run("edge", "nft", "delete table inet byhand")


def test_a_probe_without_a_vantage_says_that_it_knows_nothing(lab: Lab) -> None:
    blind = make("edge1", {"command_prefix": lab.prefix("edge")})
    result = blind.probe(flow("192.0.2.7", "tcp", 25, Direction.OUT))
    assert (result.target_stopped, result.neighbour_works) == (None, None)
    assert blind.max_proof is Proof.STATE


def test_rules_that_were_flushed_are_drift_although_the_elements_are_there(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(driver, 1, [rule])
    lab.run("edge", "nft", "flush chain inet tipstaff forward")
    seen = driver.observe(at=NOON)
    assert seen.of("M-000001") is Seen.DRIFT
    assert "missing or changed" in seen.detail
    assert carry_out(driver, 1, [rule]).of("M-000001") is Seen.IN_FORCE
    assert driver.probe(rule).proves_in_force


def test_a_changed_setting_is_noticed_and_takes_effect(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(driver, 1, [rule])
    quiet = make("edge1", {**lab.device_options(), "tcp_block": "drop"})
    assert quiet.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(quiet, 1, [rule]).of("M-000001") is Seen.IN_FORCE
    assert lab.knock("inside", FAR, 25, source="192.0.2.7") == "silent"


def test_a_foreign_rule_in_our_chain_outlives_the_mending(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(driver, 1, [rule])
    lab.run("edge", "nft", 'add rule inet tipstaff forward tcp dport 9 drop comment "by hand"')
    handle = lab.run("edge", "nft", "-a", "list chain inet tipstaff forward").partition("net_out4")[2]
    handle = handle.partition("# handle ")[2].split()[0]
    lab.run("edge", "nft", f"delete rule inet tipstaff forward handle {handle}")
    assert carry_out(driver, 2, [rule]).of("M-000001") is Seen.IN_FORCE
    assert "by hand" in lab.run("edge", "nft", "list chain inet tipstaff forward")


def test_an_entry_put_in_by_hand_is_neither_taken_over_nor_lifted(lab: Lab, driver: NftDriver) -> None:
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(driver, 1, [])
    lab.run("edge", "nft", "add element inet tipstaff block_flow_out4 { 192.0.2.7 . tcp . 25 }")
    assert carry_out(driver, 2, [rule]).of("M-000001") is Seen.IN_FORCE
    assert carry_out(driver, 3, []).foreign == ("element 192.0.2.7,tcp,25 in set block_flow_out4",)


def test_prefixes_within_each_other_stand_together_and_are_lifted_one_by_one(lab: Lab, driver: NftDriver) -> None:
    def prefix(key: str, text: str) -> Rule:
        return Rule(measure=key, case="C-000001", selector=Selector(network=ip_network(text)), degree=Degree.BLOCK)

    wide, narrow, other = (
        prefix("M-000001", "192.0.2.0/28"),
        prefix("M-000002", "192.0.2.4/30"),
        prefix("M-000003", "192.0.2.16/28"),
    )
    seen = carry_out(driver, 1, [wide, narrow, other])
    assert {s for _, s in seen.rules} == {Seen.IN_FORCE}
    assert lab.knock("inside", FAR, 443, source="192.0.2.9") == "silent"
    seen = carry_out(driver, 2, [narrow, other])
    assert [key for key, s in seen.rules if s is Seen.IN_FORCE] == ["M-000002", "M-000003"]
    assert lab.knock("inside", FAR, 443, source="192.0.2.9") == "refused"
    assert lab.knock("inside", FAR, 443, source="192.0.2.7") == "silent"
    assert carry_out(driver, 3, []).rules == ()


def test_an_element_that_nothing_needs_any_more_is_lifted(lab: Lab, driver: NftDriver) -> None:
    carry_out(driver, 1, [flow("192.0.2.7", "tcp", 25, Direction.OUT)])
    lab.run("edge", "nft", f"flush set inet tipstaff {BOOK}")
    assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(driver, 2, []).rules == ()
    assert "192.0.2.7" not in lab.run("edge", "nft", "list table inet tipstaff")


@pytest.mark.parametrize("by", ["driver", "direct"])
def test_what_an_older_version_named_in_its_one_set_stands_is_moved_and_is_lifted(
    lab: Lab, by: str, request: pytest.FixtureRequest
) -> None:
    driver: NftDriver = request.getfixturevalue(by)
    first, second = (flow(f"192.0.2.{n}", "tcp", 25, Direction.OUT, f"M-00000{n}") for n in (1, 2))
    carry_out(driver, 1, [first, second])
    for rule in (first, second):
        said = driver._read().measures[rule.measure]
        lab.run(
            "edge",
            "nft",
            "-f",
            "-",
            given=f"""
            delete element inet tipstaff {layout.book_of(rule.measure)} {{ "{rule.measure}" }}
            add element inet tipstaff measures {{ "{rule.measure}" comment "{said}" }}
        """,
        )
    seen = driver.observe(at=NOON)
    assert seen.rules == (("M-000001", Seen.IN_FORCE), ("M-000002", Seen.IN_FORCE))
    later = replace(second, until=NOON + timedelta(days=2))
    seen = carry_out(driver, 2, [later])
    assert (seen.rules, seen.foreign) == ((("M-000002", Seen.IN_FORCE),), ())
    assert "elements" not in lab.run("edge", "nft", "list set inet tipstaff measures")
    assert carry_out(driver, 3, []).rules == ()
    assert "M-000002" not in lab.run("edge", "nft", "list table inet tipstaff")


def test_a_change_of_an_older_state_is_refused_by_the_kernel_itself(lab: Lab, driver: NftDriver) -> None:
    """The late one has read the device before, and does not read it again: only the transaction can tell."""
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    driver.observe(at=NOON)
    carry_out(driver, 1, [rule])
    driver.observe(at=NOON)
    remembered = driver._held
    other = make("edge1", lab.device_options())
    carry_out(other, 3, [])
    driver._held = remembered
    with pytest.raises(StalePlan):
        carry_out_blindly(driver, 2, rule)
    assert driver.observe(at=NOON).rules == ()


def carry_out_blindly(driver: NftDriver, generation: int, rule: Rule) -> None:
    plan = Plan(device=driver.device, generation=generation, rules=(rule,))
    driver.carry_out(plan, steps=[Step(verb="apply", measure=rule.measure, rule=rule)], at=NOON)


def test_a_measure_ends_in_the_kernel_while_nobody_looks(lab: Lab, driver: NftDriver) -> None:
    rule = replace(flow("192.0.2.7", "tcp", 25, Direction.OUT), until=NOON + timedelta(seconds=1))
    with lab.listening("outside", FAR, 25):
        carry_out(driver, 1, [rule])
        assert lab.knock("inside", FAR, 25, source="192.0.2.7") == "refused"
        await_true(lambda: lab.knock("inside", FAR, 25, source="192.0.2.7") == "connected")


def test_options_that_cannot_be_used_are_told_in_a_sentence() -> None:
    with pytest.raises(BadOption, match="prefix is not an option of the nftables driver"):
        make("edge1", {"prefix": ["ip"]})
    with pytest.raises(BadOption, match="takes a list of texts"):
        make("edge1", {"command_prefix": "ip netns exec edge"})
    with pytest.raises(BadOption, match='takes "reset" or "drop"'):
        make("edge1", {"tcp_block": "melt"})
    with pytest.raises(BadOption, match="a probe takes all of"):
        make("edge1", {"probe_inside": ["ip", "netns", "exec", "inside"]})


@pytest.fixture
def direct(lab: Lab, driver: NftDriver) -> NftDriver:
    """The same device, reached by netlink."""
    return make("edge1", {**lab.device_options(), "netlink": True})


def test_after_a_change_what_was_changed_is_asked_for_alone(lab: Lab, direct: NftDriver) -> None:
    first, second = (flow(f"192.0.2.{n}", "tcp", 25, Direction.OUT, key=f"M-{n:06d}") for n in (7, 8))
    carry_out(direct, 1, [first])
    plan = Plan(device="edge1", generation=2, rules=(second,))
    direct.carry_out(plan, steps=steps(plan, direct.observe(at=NOON)), at=NOON)
    seen = direct.look_at(["M-000007", "M-000008"], at=NOON)
    assert seen is not None
    assert (seen.generation, seen.rules) == (2, (("M-000008", Seen.IN_FORCE),))
    assert [seen.of(key) for key in ("M-000007", "M-000009")] == [Seen.ABSENT, Seen.UNKNOWN]


@pytest.mark.parametrize(
    "behind",
    [
        "delete element inet tipstaff block_flow_out4 { 192.0.2.7 . tcp . 25 }",
        f'delete element inet tipstaff {BOOK} {{ "M-000001" }}',
        "flush chain inet tipstaff forward",
        "delete table inet tipstaff",
    ],
)
def test_what_is_not_as_it_was_left_takes_a_whole_reading(lab: Lab, direct: NftDriver, behind: str) -> None:
    carry_out(direct, 1, [])
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    plan = Plan(device="edge1", generation=2, rules=(rule,))
    direct.carry_out(plan, steps=steps(plan, direct.observe(at=NOON)), at=NOON)
    assert direct.look_at([rule.measure], at=NOON) is not None
    lab.run("edge", "nft", behind)
    assert direct.look_at([rule.measure], at=NOON) is None
    assert direct.observe(at=NOON).of(rule.measure) is not Seen.IN_FORCE


def test_netlink_reads_what_nft_wrote_and_nft_what_netlink_wrote(
    lab: Lab, driver: NftDriver, direct: NftDriver
) -> None:
    wide = Rule(
        measure="M-000003",
        case="C-000001",
        selector=Selector(network=ip_network("192.0.2.16/28")),
        degree=Degree.BLOCK,
        until=NOON + timedelta(hours=1),
    )
    rules = [
        flow("192.0.2.7", "tcp", 25, Direction.BOTH),
        replace(flow("2001:db8:1::7", "udp", 53, Direction.IN, key="M-000002"), until=NOON + timedelta(hours=1)),
        wide,
    ]
    by_nft = carry_out(driver, 1, rules)
    assert direct.observe(at=NOON) == by_nft
    assert carry_out(direct, 2, rules[:2]) == driver.observe(at=NOON)
    # No prefix is left, so this one goes over netlink.
    assert carry_out(direct, 3, [rules[1], replace(rules[0], degree=Degree.RATE_LIMIT)]) == driver.observe(at=NOON)


def test_a_device_that_is_another_one_by_now_is_read_anew(direct: NftDriver) -> None:
    """The prefix leads to a new namespace, as after a restart: an open way into the old one must not be believed."""
    rule = flow("192.0.2.7", "tcp", 25, Direction.OUT)
    carry_out(direct, 1, [rule])
    with Lab(customers=("192.0.2.7",), outside=("198.51.100.10",)) as other:
        direct._prefix, direct._nft = tuple(other.prefix("edge")), (*other.prefix("edge"), "nft")
        seen = direct.observe(at=NOON)
        assert (seen.complete, seen.rules) == (True, ())
