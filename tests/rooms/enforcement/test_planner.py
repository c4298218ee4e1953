"""The narrowest sufficient measure is chosen, and every other one says why not."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tipstaff.enforcement.guards import Limits, fuse, refusal
from tipstaff.enforcement.planner import Ability, Footprint, fingerprint, steps, weigh
from tipstaff.testing.drivers import NOON
from tipstaff.words import (
    Candidate,
    Degree,
    Direction,
    Observation,
    Plan,
    Proof,
    Rule,
    Rung,
    Scope,
    Seen,
    Selector,
)

ADDRESS = ip_address("192.0.2.7")
OWN = Limits(
    own=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
    owns_session=lambda selector: selector.announced_on == "AS64501" or selector.session == "alice/02-00-5E-10-00-01",
)
FILTER = Ability(
    device="edge1",
    can=frozenset({(Scope.FLOW, Degree.BLOCK), (Scope.FLOW, Degree.RATE_LIMIT), (Scope.ADDRESS, Degree.BLOCK)}),
    proof=Proof.PROBE,
    limits=OWN,
)
LADDER = (
    Rung(scope=Scope.ACCOUNT, degree=Degree.NOTIFY),
    Rung(scope=Scope.ITEM, degree=Degree.BLOCK),
    Rung(scope=Scope.FLOW, degree=Degree.BLOCK),
    Rung(scope=Scope.ADDRESS, degree=Degree.BLOCK),
    Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND),
)


def weighed(**changes: Any) -> tuple[Candidate, ...]:
    usual: dict[str, Any] = {
        "ladder": LADDER,
        "measure_ports": (("tcp", 25),),
        "resource": ADDRESS,
        "url": None,
        "source_port": None,
        "service": "svc-1",
        "account": "acct-1",
        "footprint": Footprint(),
        "devices": (FILTER,),
    }
    return weigh(**{**usual, **changes})


def chosen(candidates: tuple[Candidate, ...]) -> list[str]:
    return [f"{c.degree.name.lower()} {c.selector}" for c in candidates if c.chosen]


def test_a_port_is_chosen_before_its_address() -> None:
    assert chosen(weighed()) == ["block tcp/25 from 192.0.2.7"]


def test_all_ports_of_a_clause_are_chosen_together_and_say_so() -> None:
    candidates = weighed(measure_ports=(("tcp", 25), ("tcp", 587)))
    assert chosen(candidates) == ["block tcp/25 from 192.0.2.7", "block tcp/587 from 192.0.2.7"]
    assert "together with tcp/587 from 192.0.2.7" in candidates[0].why


def test_a_letter_is_no_measure() -> None:
    assert all(c.degree is not Degree.NOTIFY for c in weighed())
    assert weighed(ladder=LADDER[:1]) == ()


def test_a_url_that_no_device_can_block_falls_to_the_web_ports_with_the_reason() -> None:
    candidates = weighed(url="http://shop.example.com/a.html", measure_ports=(("tcp", 80), ("tcp", 443)))
    assert chosen(candidates) == ["block tcp/80 to 192.0.2.7", "block tcp/443 to 192.0.2.7"]
    item = next(c for c in candidates if c.selector.scope is Scope.ITEM)
    assert item.why == (
        "No device can block one URL; the narrowest within reach is tcp/80 to 192.0.2.7 and tcp/443 to 192.0.2.7."
    )


def test_a_url_that_names_its_own_port_knows_better_than_the_clause() -> None:
    candidates = weighed(url="http://shop.example.com:8080/a", measure_ports=(("tcp", 80), ("tcp", 443)))
    assert chosen(candidates) == ["block tcp/8080 to 192.0.2.7"]


def test_a_url_that_mail_advertises_is_not_where_the_mail_comes_from() -> None:
    candidates = weighed(url="http://shop.example.com/a", direction=Direction.OUT)
    assert chosen(candidates) == ["block tcp/25 from 192.0.2.7"]
    assert all(c.selector.scope is not Scope.ITEM for c in candidates)


def test_an_open_service_is_closed_on_its_own_port() -> None:
    candidates = weighed(measure_ports=(), source_port=53, source_protocol="udp", direction=Direction.IN)
    assert chosen(candidates) == ["block udp/53 to 192.0.2.7"]


def test_conduct_without_a_known_port_takes_the_address() -> None:
    assert chosen(weighed(measure_ports=(), source_port=50123)) == ["block 192.0.2.7"]


def test_a_shared_address_says_whom_else_it_would_hit() -> None:
    everything = replace(FILTER, can=FILTER.can | {(Scope.SERVICE, Degree.SUSPEND)})
    shared = Footprint(others_on_address=frozenset({"acct-2", "acct-3", "acct-4"}))
    candidates = weighed(footprint=shared, devices=(everything,))
    assert chosen(candidates) == ["suspend svc-1"]
    port = next(c for c in candidates if c.selector.scope is Scope.FLOW)
    assert (port.others_hit, port.why) == (3, "Would also hit 3 other accounts; svc-1 suffices.")


def test_a_device_that_cannot_show_an_effect_is_not_chosen() -> None:
    told = replace(FILTER, proof=Proof.ACK)
    candidates = weighed(devices=(told,))
    assert chosen(candidates) == []
    assert any(c.why == "edge1 cannot show that it is in force, only that it was told." for c in candidates)


def test_nothing_sufficient_means_nothing_chosen() -> None:
    candidates = weighed(devices=())
    assert chosen(candidates) == []
    assert {c.why for c in candidates} == {
        "No device can block one port of one address.",
        "No device can block one address.",
        "No device can suspend one service.",
    }


def test_a_protected_address_is_never_chosen() -> None:
    limits = replace(OWN, protected=(ip_network("192.0.2.7/32"),))
    candidates = weighed(devices=(replace(FILTER, limits=limits),))
    assert chosen(candidates) == []
    assert candidates[0].why == "It would touch 192.0.2.7/32, which is protected."


def test_a_device_beside_the_way_is_not_chosen() -> None:
    elsewhere = replace(FILTER, device="edge2", networks=(ip_network("203.0.113.0/24"),))
    assert weighed(devices=(elsewhere,))[0].device is None
    assert weighed(devices=(elsewhere, FILTER))[0].device == "edge1"


def test_slowing_down_comes_before_blocking_the_same_port() -> None:
    ladder = (Rung(scope=Scope.FLOW, degree=Degree.BLOCK), Rung(scope=Scope.FLOW, degree=Degree.RATE_LIMIT))
    candidates = weighed(ladder=ladder)
    assert chosen(candidates) == ["rate_limit tcp/25 from 192.0.2.7"]
    assert candidates[0].why == "Harsher than to slow down tcp/25 from 192.0.2.7, which suffices."


# An oracle that is too slow and too plain to be wrong: the world as a set of points, a measure as the points it takes.

Point = tuple[str, str, str, str]
"""(account, service, address, what: an item, a host name's page, a port, or the rest)."""

accounts = st.frozensets(st.sampled_from(["acct-2", "acct-3"]), max_size=2)
services = st.frozensets(st.sampled_from(["svc-2", "svc-3"]), max_size=2)


@st.composite
def footprints(draw: st.DrawFn) -> Footprint:
    on_address, on_prefix = draw(services), draw(services)
    return Footprint(
        prefix=draw(st.sampled_from([None, ip_network("192.0.2.0/28"), ip_network("192.0.2.7/32")])),
        others_on_address=draw(accounts),
        others_on_prefix=draw(accounts),
        services_on_address=on_address,
        services_on_prefix=on_prefix,
        services_of_account=on_address | on_prefix | {"svc-1"} | draw(services),
        accounts_below=draw(st.frozensets(st.sampled_from(["acct-8", "acct-9"]), max_size=2)),
    )


rungs = st.builds(Rung, scope=st.sampled_from(list(Scope)), degree=st.sampled_from(list(Degree)))


def world(f: Footprint) -> set[Point]:
    here = [("acct-1", "svc-1")]
    here += [("acct-1", s) for s in f.services_on_address] + [(a, f"of {a}") for a in f.others_on_address]
    nearby = [("acct-1", "svc-1")]
    nearby += [("acct-1", s) for s in f.services_on_prefix] + [(a, f"of {a}") for a in f.others_on_prefix]
    points = {(a, s, "here", what) for a, s in here for what in ("tcp/80", "tcp/25", "rest")}
    points |= {("acct-1", "svc-1", "here", what) for what in ("item", "page", "forged")}
    points |= {(a, s, "nearby", what) for a, s in nearby for what in ("tcp/80", "rest")}
    points |= {("acct-1", s, "elsewhere", "rest") for s in f.services_of_account}
    points |= {("acct-1", "svc-1", "elsewhere", "mailbox"), ("acct-1", "svc-1", "elsewhere", "announcement")}
    points |= {(a, f"of {a}", "elsewhere", "rest") for a in f.accounts_below}
    return points


def reach(scope: Scope, f: Footprint) -> frozenset[Point]:
    web = ("item", "page", "tcp/80")
    takes = {
        Scope.FORGED: lambda p: p[3] == "forged",
        Scope.ITEM: lambda p: p[3] == "item",
        Scope.MAILBOX: lambda p: p[3] == "mailbox",
        Scope.HOST_NAME: lambda p: p[3] in ("item", "page"),
        Scope.FLOW: lambda p: p[2] == "here" and p[3] in web,
        Scope.ROUTE: lambda p: p[3] == "announcement",
        Scope.ADDRESS: lambda p: p[2] == "here",
        Scope.PREFIX: lambda p: p[2] in ("here", "nearby"),
        Scope.SESSION: lambda p: p[:3] == ("acct-1", "svc-1", "here"),
        Scope.SERVICE: lambda p: p[0] == "acct-1" and p[1] == "svc-1",
        Scope.ACCOUNT: lambda p: p[0] == "acct-1" or p[0] in f.accounts_below,
    }
    return frozenset(p for p in world(f) if takes[scope](p))


@settings(max_examples=400, deadline=None)
@given(
    ladder=st.lists(rungs, max_size=7),
    footprint=footprints(),
    can=st.frozensets(st.tuples(st.sampled_from(list(Scope)), st.sampled_from(list(Degree)))),
    proof=st.sampled_from(list(Proof)),
)
def test_nothing_is_chosen_while_something_strictly_narrower_suffices(
    ladder: list[Rung], footprint: Footprint, can: frozenset[tuple[Scope, Degree]], proof: Proof
) -> None:
    candidates = weighed(
        ladder=ladder,
        footprint=footprint,
        url="http://shop.example.com/a.html",
        mailbox="someone@example.com",
        session="line-7/4711",
        forged_on="r1/eth7",
        announced=ip_network("192.0.2.0/24"),
        announced_on=("AS64501",),
        measure_ports=(("tcp", 80),),
        devices=(Ability(device="edge1", can=can, proof=proof),),
    )
    has_prefix = footprint.prefix is not None and footprint.prefix.num_addresses > 1
    possible = {
        (rung.scope, rung.degree)
        for rung in ladder
        if rung.degree is not Degree.NOTIFY
        and (rung.scope, rung.degree) in can
        and proof >= Proof.STATE
        and (rung.scope is not Scope.PREFIX or has_prefix)
    }
    taken = [(c.selector.scope, c.degree) for c in candidates if c.chosen]
    assert len(taken) == bool(possible)
    for scope, degree in taken:
        assert (scope, degree) in possible
        for other, how in possible:
            assert not reach(other, footprint) < reach(scope, footprint), (other, scope)
            assert not (other is scope and how < degree)
    assert {(c.selector.scope, c.degree) for c in candidates if c.sufficient} == possible
    assert all(c.why for c in candidates)


@settings(max_examples=100, deadline=None)
@given(ladder=st.lists(rungs, max_size=7), footprint=footprints())
def test_a_measure_never_counts_fewer_others_than_it_touches(ladder: list[Rung], footprint: Footprint) -> None:
    for c in weighed(ladder=ladder, footprint=footprint, measure_ports=(("tcp", 80),), direction=Direction.IN):
        touched = {p[0] for p in reach(c.selector.scope, footprint)} - {"acct-1"}
        if c.selector.scope is Scope.PREFIX:
            touched |= footprint.others_on_address
        assert c.others_hit == len(touched)


# Guards.


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ("0.0.0.0/0", "default route"),
        ("::/0", "default route"),
        ("192.0.0.0/16", "takes in a /16; a measure takes in a /24 at most"),
        ("2001:db8::/32", "takes in a /32; a measure takes in a /48 at most"),
        ("198.51.100.7/32", "not within our own address space"),
        ("192.0.2.1/32", "would touch 192.0.2.1/32, which is protected"),
        ("192.0.2.0/28", "would touch 192.0.2.1/32, which is protected"),
    ],
)
def test_what_may_never_be_sent_is_refused_with_the_reason(network: str, why: str) -> None:
    limits = replace(OWN, protected=(ip_network("192.0.2.1/32"),))
    assert why in (refusal(Selector(network=ip_network(network)), limits) or "")


def test_a_customers_address_may_be_sent() -> None:
    assert refusal(Selector(network=ip_network("192.0.2.7")), OWN) is None


def test_a_route_may_be_denied_whoever_holds_the_prefix_but_no_default_route() -> None:
    for network in ("203.0.113.0/24", "198.51.0.0/16", "192.0.2.0/24"):
        assert refusal(Selector(network=ip_network(network), announced_on="AS64501"), OWN) is None
    for network in ("0.0.0.0/0", "::/0"):
        why = refusal(Selector(network=ip_network(network), announced_on="AS64501"), OWN)
        assert why is not None
        assert "default route" in why


def test_no_session_is_touched_that_the_registry_does_not_know_as_a_customers() -> None:
    upstream = Selector(network=ip_network("203.0.113.0/24"), announced_on="192.0.2.9 at edge1")
    assert "192.0.2.9 at edge1 is not a BGP session of a customer" in (refusal(upstream, OWN) or "")
    assert refusal(Selector(session="alice/02-00-5E-10-00-01"), OWN) is None
    for session in ("mallory/02-00-5E-10-00-01", "alice"):
        assert "is not a session of a customer" in (refusal(Selector(session=session), OWN) or "")
    nobody_says = replace(OWN, owns_session=None)
    assert refusal(Selector(session="alice/02-00-5E-10-00-01"), nobody_says) is not None
    assert refusal(Selector(network=ip_network("203.0.113.0/24"), announced_on="AS64501"), nobody_says) is not None


def test_the_fuse_holds_back_a_mass_change_until_two_people_say_otherwise() -> None:
    assert fuse(["a"] * 100, [], limits=OWN) is None
    assert "more than the fuse of 100" in (fuse(["a"] * 101, [], limits=OWN) or "")
    assert "101 new measures within an hour" in (fuse(["a"], ["a"] * 100, limits=OWN) or "")
    assert fuse([], ["a"] * 101, limits=OWN) is None, "nothing new waits for anything"
    assert fuse(["a"] * 101, [], limits=replace(OWN, overridden_by=("ann", "bob"))) is None
    with pytest.raises(ValueError, match="two different people"):
        replace(OWN, overridden_by=("ann", "Ann "))


def test_the_fuse_counts_the_customers_of_all_devices_together() -> None:
    limits = replace(OWN, customers_total=200)
    new, others = [f"acct-{n}" for n in range(8)], [f"acct-{n}" for n in range(5, 21)]
    assert fuse(new, [], limits=limits) is None
    why = fuse(new, [], limits=limits, elsewhere=lambda: others)
    assert why is not None
    assert "21 of 200 customers" in why
    assert fuse(new, [], limits=replace(limits, customers_total=None), elsewhere=lambda: others) is None


def test_the_fuse_counts_customers_as_a_share() -> None:
    limits = replace(OWN, customers_total=200)
    few = [f"acct-{n}" for n in range(20)]
    assert fuse(few, few, limits=limits) is None
    assert "21 of 200 customers at once" in (fuse([*few, "acct-x"], [], limits=limits) or "")
    assert "21 of 200 customers within an hour" in (fuse(["acct-x"], few, limits=limits) or "")


# Steps.


def a_rule(n: int) -> Rule:
    selector = Selector(network=ip_network(f"192.0.2.{n}"))
    return Rule(measure=f"M-{n:06d}", case="C-000001", selector=selector, degree=Degree.BLOCK)


def holding(*rules: Rule, seen: Seen = Seen.IN_FORCE, complete: bool = True) -> Observation:
    return Observation(
        complete=complete,
        generation=1,
        rules=tuple((r.measure, seen) for r in rules),
        fingerprints=tuple((r.measure, fingerprint(r)) for r in rules),
        at=NOON,
    )


def verbs(wanted: tuple[Rule, ...], seen: Observation) -> list[tuple[str, str]]:
    return [(s.verb, s.measure) for s in steps(Plan(device="edge1", generation=1, rules=wanted), seen)]


def test_steps_are_the_difference_and_lifts_come_first() -> None:
    assert verbs((a_rule(2), a_rule(3)), holding(a_rule(1), a_rule(2))) == [("lift", "M-000001"), ("apply", "M-000003")]


def test_drift_and_change_are_applied_again() -> None:
    assert verbs((a_rule(1),), holding(a_rule(1), seen=Seen.DRIFT)) == [("apply", "M-000001")]
    changed = replace(a_rule(1), until=NOON)
    assert verbs((changed,), holding(a_rule(1))) == [("apply", "M-000001")]


def test_nothing_is_done_to_a_device_that_could_not_be_read() -> None:
    assert verbs((a_rule(2),), holding(complete=False)) == []
    assert holding(complete=False).of("M-000002") is Seen.UNKNOWN
