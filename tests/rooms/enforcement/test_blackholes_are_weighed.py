"""A blackhole stops everything to an address and nothing from it: it is chosen where that suffices, and says so."""

from ipaddress import IPv4Address

import pytest

from tipstaff.enforcement.drivers import rpz
from tipstaff.enforcement.drivers.bird import make
from tipstaff.enforcement.planner import Ability, Conduct, Footprint, weigh
from tipstaff.enforcement.protocol import BadOption
from tipstaff.words import Candidate, Degree, Direction, Proof, Rung, Scope

PORT, ADDRESS = Rung(scope=Scope.FLOW, degree=Degree.BLOCK), Rung(scope=Scope.ADDRESS, degree=Degree.BLOCK)


def bird(announce: str, **more: object) -> Ability:
    return make(announce, {"file": "/nowhere", "announce": announce, **more}).ability


def conduct(direction: Direction) -> Conduct:
    return Conduct(
        ladder=(PORT, ADDRESS), measure_ports=[("tcp", 80)], resource=IPv4Address("192.0.2.7"), url=None,
        source_port=None, service="S-1", account="acct-1", direction=direction,
        footprint=Footprint(others_on_address=frozenset({"acct-2"})),
    )  # fmt: skip


def chosen(candidates: tuple[Candidate, ...]) -> list[str]:
    return [f"{c.device}: {c.selector}" for c in candidates if c.chosen]


def test_what_a_customer_serves_is_stopped_by_a_blackhole_and_the_words_say_how_much_that_is() -> None:
    weighed = weigh(devices=[bird("blackhole", sessions=["edge"])], **conduct(Direction.IN))
    assert chosen(weighed) == ["blackhole: everything to 192.0.2.7"]
    assert weighed[-1].selector.direction is Direction.IN
    assert weighed[-1].others_hit == 1


def test_what_a_customer_sends_is_not_stopped_by_a_blackhole() -> None:
    weighed = weigh(devices=[bird("blackhole", sessions=["edge"])], **conduct(Direction.OUT))
    assert chosen(weighed) == []
    assert weighed[-1].why == "blackhole stops only what is sent to it, and this goes the other way."


def test_peers_that_check_sources_stop_both_ways() -> None:
    device = bird("blackhole", sessions=["edge"], peers_check_sources=True)
    assert chosen(weigh(devices=[device], **conduct(Direction.OUT))) == ["blackhole: 192.0.2.7"]


def test_a_flow_of_a_port_comes_before_a_blackhole_of_the_address() -> None:
    probed = {"probe_inside": ["a"], "probe_outside": ["b"], "probe_outside_addresses": ["198.51.100.10"]}
    devices = [bird("blackhole", sessions=["edge"]), bird("flowspec", **probed)]
    assert chosen(weigh(devices=devices, **conduct(Direction.IN))) == ["flowspec: tcp/80 to 192.0.2.7"]


def test_a_flow_that_nobody_can_show_to_be_in_force_is_not_chosen() -> None:
    device = bird("flowspec", sessions=["edge"])
    assert device.proof is Proof.CONFIG
    weighed = weigh(devices=[device, bird("blackhole", sessions=["edge"])], **conduct(Direction.IN))
    assert chosen(weighed) == ["blackhole: everything to 192.0.2.7"]
    assert weighed[0].why.startswith("flowspec cannot show that it is in force")


def test_resolvers_keep_others_from_an_address_only_where_wanted_and_stop_nothing_that_it_sends() -> None:
    options = {
        "server": "127.0.0.1:53", "zone": "rpz.example.net", "tsig_name": "key", "tsig_command": ["true"],
        "keeper_file": "/nowhere/keeper", "resolvers": ["127.0.0.1:53"],
    }  # fmt: skip
    unasked, asked = rpz.make("ns1", options).ability, rpz.make("ns1", {**options, "addresses": True}).ability
    assert chosen(weigh(devices=[unasked], **conduct(Direction.IN))) == []
    assert chosen(weigh(devices=[asked], **conduct(Direction.IN))) == ["ns1: everything to 192.0.2.7"]
    assert chosen(weigh(devices=[asked], **conduct(Direction.OUT))) == []
    after = [bird("blackhole", sessions=["edge"]), asked]
    assert chosen(weigh(devices=after, **conduct(Direction.IN))) == ["blackhole: everything to 192.0.2.7"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "file is missing"),
        ({"file": "/x", "announce": "melt"}, 'takes "blackhole" or "flowspec"'),
        ({"file": "/x", "sessions": "edge"}, "takes a list of texts"),
        ({"file": "/x", "peers_check_sources": 1}, "takes true or false"),
        ({"file": "/x", "settle_seconds": 0}, "takes a whole number from 1 up"),
        ({"file": "/x", "announce": "flowspec", "peer_fib": ["ip"]}, "are for blackholes"),
        ({"file": "/x", "rate_bytes_per_second": 5}, "is for flowspec"),
        ({"file": "/x", "colour": "blue"}, "colour is not an option of the bird driver"),
        ({"file": "/x", "next_hop4": "2001:db8::1"}, "next_hop4 is '2001:db8::1', but it takes an IPv4 address"),
        ({"file": "/x", "table4": "a b; }"}, "but it takes letters, digits and underscores"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadOption, match=sentence):
        make("edge1", options)
