"""What stops less than a port is proven only where the rest of the port is seen to go on."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product

import pytest

from tipstaff.enforcement import probing
from tipstaff.enforcement.probing import Call, Taken, Vantage, obstacle, probe_rule
from tipstaff.enforcement.routing.announcer import _stops
from tipstaff.enforcement.routing.routes import Kind, routes_of
from tipstaff.words import Degree, Direction, ProbeResult, Selector

from .test_narrower_than_a_port import NARROW, PORT, rule_on

FAR, OTHER = "203.0.113.9", "198.51.100.10"
THERE = Vantage(inside=("x",), outside=("y",), outside_addresses=(ip_address(FAR), ip_address(OTHER)))
WIDER = {
    "all of the port": PORT,
    "from any source port": replace(NARROW, source_port=None),
    "with any far end": replace(NARROW, remote=None),
}
NARROWER = {
    "both": NARROW,
    "one far end": replace(NARROW, source_port=None),
    "one source port": replace(NARROW, remote=None),
}


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[[Selector], None]:
    """A device that stops what it is told to, in a world in which everybody else answers."""

    def stops(selector: Selector) -> None:
        def takes_in(call: Call, way: Direction) -> bool:
            _, source, host, port, source_port = call
            customer, far = (source, host) if way is Direction.OUT else (host, source or FAR)
            return (
                selector.network is not None
                and ip_address(customer) in selector.network
                and port == selector.port
                and (selector.remote is None or ip_address(far) in selector.remote)
                and selector.source_port in (None, source_port)
            )

        def converse(
            listening: object, listeners: list[tuple[str, str, int]], talking: tuple[str, ...],
            calls: Callable[[list[int]], list[Call]], *, all_of: int = 0,
        ) -> list[str]:  # fmt: skip
            way = Direction.OUT if talking == THERE.inside else Direction.IN
            made = calls([port or 50000 + n for n, (_, _, port) in enumerate(listeners)])
            assert all(port for _, _, _, port, _ in made[: all_of + 1])
            return ["silent" if takes_in(call, way) else "connected" for call in made]

        monkeypatch.setattr(probing, "_converse", converse)

    return stops


def probed(selector: Selector, *, vantage: Vantage = THERE, taken: Taken | None = None) -> ProbeResult:
    return probe_rule(rule_on(selector), vantage=vantage, touched=lambda _: False, taken=taken)


@pytest.mark.parametrize(("name", "way"), list(product(NARROWER, Direction)))
def test_only_a_device_that_stops_no_more_than_it_is_proven(
    device: Callable[[Selector], None], name: str, way: Direction
) -> None:
    selector = replace(NARROWER[name], direction=way)
    device(selector)
    assert probed(selector).proves_in_force
    for wider in WIDER.values():
        takes_in_more = (wider.remote, wider.source_port) != (selector.remote, selector.source_port)
        # What is wider in one thing only is no narrower in the other.
        if (
            takes_in_more
            and wider.remote in (None, selector.remote)
            and wider.source_port in (None, selector.source_port)
        ):
            device(replace(wider, direction=way))
            found = probed(selector)
            assert (found.target_stopped, found.neighbour_works) == (True, False), wider
            assert "the rest of the port is stopped too" in found.detail
            assert found.contradicts_lift, "nor is it called lifted while all of the port is stopped"


def test_where_the_rest_of_the_port_cannot_be_tried_nothing_is_proven(device: Callable[[Selector], None]) -> None:
    device(PORT)
    by_others = probed(NARROW, taken=lambda *_: True)
    assert (by_others.target_stopped, by_others.neighbour_works) == (True, None), "no harm is said that was not seen"
    assert by_others.contradicts_lift
    nobody_else = replace(THERE, outside_addresses=(ip_address(FAR),))
    assert "beyond 203.0.113.9/32" in obstacle(NARROW, Degree.BLOCK, nobody_else), "so no such measure is taken"
    assert not probed(NARROW, vantage=nobody_else).proves_in_force
    assert probed(PORT, vantage=nobody_else).proves_in_force, "all of a port is proven as ever"


def test_another_far_end_is_tried_that_no_other_measure_takes_in(device: Callable[[Selector], None]) -> None:
    device(NARROW)
    third = ip_address("198.51.100.11")
    more = replace(THERE, outside_addresses=(*THERE.outside_addresses, third))
    tried: list[object] = []

    def taken(way: Direction, customer: object, far: object, source_port: int) -> bool:
        tried.append(far)
        return far == ip_address(OTHER)

    assert probed(NARROW, vantage=more, taken=taken).proves_in_force
    assert tried == [ip_address(FAR), ip_address(OTHER), third]
    assert not probed(NARROW, taken=taken).proves_in_force


def test_what_another_announcement_stops_is_known_by_its_ends_and_ports() -> None:
    ours, other = ip_address("192.0.2.7"), ip_address(OTHER)

    def stops(selector: Selector, source_port: int = 0) -> bool:
        return any(
            _stops(route, NARROW, ours, other, source_port) for route in routes_of(rule_on(selector), Kind.FLOWSPEC)
        )

    theirs = Selector(network=ip_network("198.51.100.0/24"), protocol="tcp", port=25, direction=Direction.IN)
    for selector in (PORT, replace(PORT, port=None, protocol=None), theirs, replace(theirs, remote=PORT.network)):
        assert stops(selector), selector
    for selector in (
        replace(PORT, direction=Direction.IN), replace(PORT, port=26), replace(PORT, protocol="udp"), NARROW,
        replace(PORT, network=ip_network("192.0.2.8")), replace(PORT, remote=ip_network("203.0.113.0/24")),
        replace(theirs, remote=ip_network("192.0.2.8")), replace(PORT, source_port=4000),
    ):  # fmt: skip
        assert not stops(selector), selector
    assert stops(replace(PORT, source_port=4000), 4000)
