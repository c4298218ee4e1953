"""Both ends, the protocol and both ports (RFC 8955): held exactly, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product
from pathlib import Path

import pytest

from tipstaff.enforcement import access_lists
from tipstaff.enforcement.drivers.bird import make
from tipstaff.enforcement.drivers.bird.speaker import Bird, _route_of
from tipstaff.enforcement.drivers.exabgp.speaker import ExaBgp, _in_rib, _told
from tipstaff.enforcement.drivers.gobgp.speaker import _route_of as gobgp_route_of
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.drivers.nftables import layout
from tipstaff.enforcement.guards import Limits, Vetting, holds_exactly, refusal
from tipstaff.enforcement.kept import line_of, read_line, selector_of
from tipstaff.enforcement.operations import _stops_all_of, selector_json
from tipstaff.enforcement.planner import Ability, fingerprint, reached
from tipstaff.enforcement.probing import Address, Vantage, obstacle
from tipstaff.enforcement.routing import announcer
from tipstaff.enforcement.routing.book import Book, Entry
from tipstaff.enforcement.routing.routes import Kind, Route, merged, routes_of, supports
from tipstaff.procedures.filtering import NotAFilter
from tipstaff.testing.drivers import NOON, carry_out
from tipstaff.web.console.filters import proposal_of
from tipstaff.words import Degree, Direction, ProbeResult, Rule, Rung, Scope, Selector

OWN = Limits(own=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
PORT = Selector(network=ip_network("192.0.2.7"), protocol="tcp", port=25, direction=Direction.OUT)
NARROW = replace(PORT, remote=ip_network("203.0.113.9"), source_port=4000)

ends = {4: ("192.0.2.7", "203.0.113.0/25", "203.0.113.9"), 6: ("2001:db8::7", "2001:db8:f::/64", "2001:db8:f::9")}
SELECTORS = [
    Selector(
        network=ip_network(ends[version][0]), protocol=protocol, port=port, direction=way,
        remote=None if remote is None else ip_network(remote), source_port=source_port,
    )
    for version, protocol, port in product((4, 6), ("tcp", "udp"), (25, 80, 65535))
    for way, remote, source_port in product(Direction, (None, *ends[version][1:]), (None, 53, 4000))
]  # fmt: skip
"""All that is told apart here."""


def rule_on(selector: Selector) -> Rule:
    return Rule(measure="M-000001", case="C-000001", selector=selector, degree=Degree.BLOCK)


def test_it_is_one_port_of_one_address_and_says_what_it_takes_in() -> None:
    assert NARROW.scope is Scope.FLOW
    assert str(NARROW) == "tcp/25 from 192.0.2.7 from port 4000, far end 203.0.113.9/32"
    for wrong in ({"port": None, "protocol": None}, {"remote": ip_network("2001:db8::9")}):
        with pytest.raises(ValueError, match=r"far end|IP version"):
            replace(NARROW, **wrong)  # type: ignore[arg-type]  # two kinds of value


def test_what_is_kept_of_it_reads_as_it_was() -> None:
    for selector in SELECTORS:
        rule = rule_on(selector)
        assert read_line(line_of(rule))[0] == rule
        assert selector_of(selector_json(selector)) == selector
    prints = [fingerprint(rule_on(selector)) for selector in SELECTORS]
    assert len(set(prints)) == len(SELECTORS), "a device that holds all of the port does not hold this"


def test_each_speaker_reads_its_own_lines_as_the_same_flows() -> None:
    bird = Bird(stem="edge1", kind=Kind.FLOWSPEC, socket="", tables={}, next_hops={}, sessions=(), timeout_seconds=1)
    exabgp = ExaBgp(file=Path("none"), next_hops={}, timeout_seconds=1)
    for selector in SELECTORS:
        assert supports(rule_on(selector), Kind.FLOWSPEC, slows=False, both_ways=False, session="")
        routes = routes_of(rule_on(selector), Kind.FLOWSPEC)
        assert len(routes) == (2 if selector.direction is Direction.BOTH else 1)
        for route in merged((route, 0) for route in routes):
            words = bird._line(route, 0).partition("route ")[2].partition(" { bgp")[0]
            assert _route_of(words.replace("= ", "")) == route
            assert _told(exabgp._line(route, 0)) == route


def test_a_flow_between_two_ends_is_one_flow_whichever_of_them_is_ours() -> None:
    out = routes_of(rule_on(replace(NARROW, source_port=None)), Kind.FLOWSPEC)
    theirs = replace(PORT, network=NARROW.remote, remote=PORT.network, direction=Direction.IN)
    assert routes_of(rule_on(theirs), Kind.FLOWSPEC) == out


def test_who_cannot_say_it_does_not_hold_all_of_the_port_in_its_place() -> None:
    setup = layout.Setup()
    assert layout.supports(rule_on(PORT), setup=setup)
    assert access_lists.supports(rule_on(PORT))
    for narrowed in (NARROW, replace(NARROW, remote=None), replace(NARROW, source_port=None)):
        assert not layout.supports(rule_on(narrowed), setup=setup)
        assert not access_lists.supports(rule_on(narrowed))
        assert not supports(rule_on(narrowed), Kind.BLACKHOLE, slows=False, both_ways=True, session="")


class OfBefore(MemoryTwin):
    """A plug-in that was written before there were far ends: it says yes to every port."""

    @property
    def ability(self) -> Ability:
        return replace(super().ability, narrows=False)


def test_a_driver_that_knows_of_no_far_ends_is_not_even_asked() -> None:
    driver, rule = OfBefore("edge1"), rule_on(NARROW)
    assert driver.supports(rule)
    assert not holds_exactly(driver, rule)
    assert holds_exactly(driver, rule_on(PORT))
    assert Vetting().refused([rule], OWN, driver=driver) == {"M-000001": "edge1 cannot hold it exactly."}
    rung, way = Rung(scope=Scope.FLOW, degree=Degree.BLOCK), Direction.OUT
    assert "cannot hold exactly this" in reached(rung, (NARROW,), [driver.ability], way).flaw
    assert reached(rung, (PORT,), [driver.ability], way).flaw == ""
    assert reached(rung, (NARROW,), [MemoryTwin("edge1").ability], way).flaw == ""


def test_the_twin_holds_it_and_tells_it_from_the_port() -> None:
    twin = MemoryTwin("edge1")
    assert carry_out(twin, 1, [rule_on(NARROW)], at=NOON).fingerprints == (("M-000001", fingerprint(rule_on(NARROW))),)
    assert twin.rules() == [("M-000001", str(NARROW))]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"remote": ip_network("0.0.0.0/0")}, "The far end is everybody"),
        ({"source_port": 0}, "0 is no port"),
        ({"source_port": 65536}, "65536 is no port"),
        ({"network": ip_network("198.51.100.7")}, "not within our own address space"),
        ({"network": ip_network("0.0.0.0/0")}, "the default route"),
    ],
)
def test_guards_hold_for_it_too(more: dict[str, object], why: str) -> None:
    assert refusal(NARROW, OWN) is None, "whose the far end is, does not matter"
    assert why in (refusal(replace(NARROW, **more), OWN) or "")  # type: ignore[arg-type]  # several kinds of value


def test_an_end_that_names_an_interface_is_text_and_reaches_no_device() -> None:
    zoned = [ip_network("2001:db8:f::9%x"), ip_network("2001:db8:f::9%x\nshutdown")]
    ours = replace(PORT, network=ip_network("2001:db8::7"))
    for end in zoned:
        with pytest.raises(ValueError, match="names no interface"):
            replace(ours, remote=end)
        passed_by = replace(ours, remote=ip_network("2001:db8:f::9"))
        object.__setattr__(passed_by, "remote", end)
        assert "names an interface" in (refusal(passed_by, OWN) or "")
        for network, far in ((str(end), "2001:db8:f::9"), ("2001:db8::7", str(end.network_address))):
            form = {"network": network, "remote": far, "protocol": "tcp", "port": "25", "degree": "block"}
            with pytest.raises(NotAFilter, match="no interface"):
                proposal_of(form)


def test_it_stops_no_more_than_it_says() -> None:
    assert _stops_all_of(PORT, NARROW, Degree.BLOCK)
    assert not _stops_all_of(NARROW, PORT, Degree.BLOCK)
    assert _stops_all_of(NARROW, NARROW, Degree.BLOCK)


def test_only_from_its_far_end_it_can_be_probed() -> None:
    outside = tuple(ip_network(end).network_address for end in ("203.0.113.9", "2001:db8:f::9", "203.0.113.10"))
    there = Vantage(inside=("x",), outside=("y",), outside_addresses=outside)
    assert obstacle(NARROW, Degree.BLOCK, there) == ""
    elsewhere = replace(NARROW, remote=ip_network("198.51.100.0/24"))
    assert "lies within 198.51.100.0/24" in obstacle(elsewhere, Degree.BLOCK, there)


@pytest.mark.parametrize(("op", "port"), [(129, 25), (145, 8080)])
def test_gobgp_says_the_length_of_a_port_beside_it(op: int, port: int) -> None:
    """As gobgpd 3.10 answers: a port above 255 takes two octets, and its operator says so."""
    told = [
        {"type": 2, "value": {"prefix": "192.0.2.9/32"}}, {"type": 3, "value": [{"op": 129, "value": 6}]},
        {"type": 5, "value": [{"op": op, "value": port}]},
    ]  # fmt: skip
    assert gobgp_route_of({"value": told}) == Route(Kind.FLOWSPEC, "from", "192.0.2.9/32", 6, port)


@pytest.mark.parametrize("more", [
    {"type": 3, "value": [{"op": 0x03, "value": 6}, {"op": 0xC5, "value": 17}]},
    {"type": 5, "value": [{"op": 0x13, "value": 1024}, {"op": 0xD5, "value": 65535}]},
    {"type": 6, "value": [{"op": 0x82, "value": 53}]},
    {"type": 5, "value": [{"op": 0x81}]},
    {"type": 4, "value": [{"op": 0x81, "value": 53}]},
])  # fmt: skip
def test_a_range_is_no_flow_of_every_port(more: dict[str, object]) -> None:
    """Read as one without the condition it would be ours, and taken away or believed in its place."""
    assert gobgp_route_of({"value": [{"type": 1, "value": {"prefix": "192.0.2.9/32"}}, more]}) is None


@pytest.mark.parametrize("condition", ["dport 1024..65535", "dport 25,80", "proto > 5", "sport != 53", "icmp type 8"])
def test_bird_says_a_range_in_words_that_are_none_of_ours(condition: str) -> None:
    assert _route_of("flow4 { dst 192.0.2.9/32; }") is not None
    assert _route_of(f"flow4 {{ dst 192.0.2.9/32; {condition}; }}") is None


@pytest.mark.parametrize("condition", [
    "destination-port >=1024&<=65535", "protocol =tcp destination-port [ =25 =80 ]",
    "protocol =6 destination-port =25&<80", "protocol =gre destination-port =25",
    "protocol =tcp destination-port =no-such-port", "protocol =icmp",
])  # fmt: skip
def test_exabgp_says_a_range_in_words_that_are_none_of_ours(condition: str) -> None:
    line = "neighbor 192.0.2.1 in-open ipv4 flow flow destination-ipv4 192.0.2.9/32"
    assert [isinstance(route, Route) for route, _ in _in_rib([line])] == [True]
    assert [route for route, _ in _in_rib([f"{line} {condition}"]) if isinstance(route, Route)] == []


def test_no_neighbour_is_an_address_that_a_flow_stops_at_either_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow towards a customer is written as from its far end: the customer stands where the other end does."""
    driver = make("edge1", {
        "file": str(tmp_path / "edge1.conf"), "announce": "flowspec", "probe_inside": ["in"], "probe_outside": ["out"],
        "probe_outside_addresses": ["203.0.113.9"],
    })  # fmt: skip
    towards = replace(NARROW, network=ip_network("192.0.2.8"), direction=Direction.IN)
    routes = routes_of(rule_on(towards), Kind.FLOWSPEC)
    assert [(r.network, r.remote) for r in routes] == [("203.0.113.9/32", "192.0.2.8/32")]
    entry = Entry(measure="M-000002", fingerprint="0", case="C-000001", until=None, rate=0, routes=routes)
    driver._shelf.write(Book(generation=1, entries=(entry,)))
    asked: list[Callable[[Address], bool]] = []

    def asks(rule: Rule, *, vantage: Vantage, touched: Callable[[Address], bool], taken: object) -> ProbeResult:
        asked.append(touched)
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="")

    monkeypatch.setattr(announcer, "probe_rule", asks)
    driver.probe(rule_on(PORT))
    found = {end: asked[0](ip_address(end)) for end in ("192.0.2.8", "203.0.113.9", "192.0.2.9")}
    assert found == {"192.0.2.8": True, "203.0.113.9": True, "192.0.2.9": False}
