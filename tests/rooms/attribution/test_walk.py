"""The walk from a public address to a customer, one edge case a test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tipstaff.attribution.walk import walk
from tipstaff.words import (
    AttributionReason,
    Binding,
    Ending,
    Gap,
    Grade,
    Holding,
    HoldingKind,
    Identity,
    Moment,
    SubjectKind,
    Tier,
    Use,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
LATER = NOON + timedelta(days=2)


def space(prefix: str, **more) -> Holding:
    more = {"tier": Tier.OPERATOR, "kind": HoldingKind.POOL, "held_from": NOON - timedelta(days=300), "key": 1, **more}
    return Holding(prefix=ip_network(prefix), **more)


POOL = (space("198.51.100.0/24"), space("2001:db8::/32", key=2))


def session(prefix: str, user: str, begin: float = -5, end: float | None = 5, *, error: float = 1, **more) -> Binding:
    """A log-in from `begin` to `end` hours around noon, by a clock that may be `error` seconds wrong."""
    since, wrong = NOON + begin * HOUR, error * SECOND
    more.setdefault("sure_until", (NOON + end * HOUR if end is not None else since) - wrong)
    more.setdefault("possible_until", None if end is None else NOON + end * HOUR + wrong)
    return Binding(
        **{
            "source": "radius-1",
            "prefix": ip_network(prefix),
            "possible_from": since - wrong,
            "sure_from": since + wrong,
            "ending": Ending.EXPLICIT,
            "subject_kind": SubjectKind.USERNAME,
            "subject": user,
            "clock_error_seconds": error,
            **more,
        }
    )


def nat(public: str, first: int, last: int, inside: str, **more) -> Binding:
    more = {"source": "nat-1", "subject_kind": None, "inside": ip_address(inside), "inside_realm": "cgn", **more}
    return session(public, "", port_first=first, port_last=last, **more)


def known(user: str, customer: str, **more) -> Identity:
    more = {"kind": SubjectKind.USERNAME, "service": f"svc-{customer}", **more}
    return Identity(value=user, customer=customer, **more)


ALICE, BOB = known("alice", "acct-1"), known("bob", "acct-2")


def ask(address: str, *rows: Binding | Holding | Identity, at=NOON, error=1.0, port=None, protocol=None, **more):
    return walk(
        ip_address(address),
        port=port,
        protocol=protocol,
        moment=Moment(at, error) if at else None,
        received_at=LATER,
        holdings=[*POOL, *(r for r in rows if isinstance(r, Holding))],
        bindings=[r for r in rows if isinstance(r, Binding)],
        identities=[ALICE, BOB, *(r for r in rows if isinstance(r, Identity))],
        records_begin_at=NOON - timedelta(days=365),
        **more,
    )


def test_a_session_over_the_whole_window_names_its_subscriber_with_the_row_that_proves_it():
    held = session("198.51.100.7/32", "alice", file="detail", offset=77, sha256="ab")
    answer = ask("198.51.100.7", held)
    assert (answer.grade, answer.reason) == (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)
    assert (answer.customer, answer.service) == ("acct-1", "svc-acct-1")
    assert (answer.bindings, answer.identities) == ((held,), (ALICE,))


def test_nat_leads_by_the_port_to_the_inside_address_and_on_to_the_session():
    rows = [
        nat("198.51.100.9/32", 1024, 2047, "100.64.0.1"),
        nat("198.51.100.9/32", 2048, 3071, "100.64.0.2"),
        session("100.64.0.1/32", "alice", realm="cgn"),
        session("100.64.0.2/32", "bob", realm="cgn"),
    ]
    assert ask("198.51.100.9", *rows, port=2047).customer == "acct-1"
    answer = ask("198.51.100.9", *rows, port=2048)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, "acct-2")
    assert answer.bindings == (rows[1], rows[3])


def test_a_shared_address_without_a_port_names_nobody_and_asks():
    one = nat("198.51.100.9/32", 1024, 2047, "100.64.0.1")
    answer = ask("198.51.100.9", one, session("100.64.0.1/32", "alice", realm="cgn"))
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)
    assert answer.customer is None
    assert answer.grade.allows == {Use.QUESTION}


def test_the_same_inside_address_in_another_realm_is_another_subscriber():
    rows = [
        nat("198.51.100.9/32", 1024, 2047, "10.0.0.1", inside_realm="east"),
        session("10.0.0.1/32", "alice", realm="west"),
        session("10.0.0.1/32", "bob", realm="east"),
    ]
    assert ask("198.51.100.9", *rows, port=1500).customer == "acct-2"


@pytest.mark.parametrize(("protocol", "customer"), [(6, "acct-1"), (17, "acct-2")])
def test_a_flow_of_one_protocol_says_nothing_of_another(protocol, customer):
    rows = [
        nat("198.51.100.9/32", 5000, 5000, "100.64.0.1", protocol=6),
        nat("198.51.100.9/32", 5000, 5000, "100.64.0.2", protocol=17),
        session("100.64.0.1/32", "alice", realm="cgn"),
        session("100.64.0.2/32", "bob", realm="cgn"),
    ]
    assert ask("198.51.100.9", *rows, port=5000, protocol=protocol).customer == customer
    assert ask("198.51.100.9", *rows, port=5000).customer is None


def test_a_lease_that_ends_inside_the_window_is_probable():
    answer = ask("198.51.100.7", session("198.51.100.7/32", "alice", end=0))
    assert (answer.grade, answer.reason) == (Grade.PROBABLE, AttributionReason.EDGE_IN_WINDOW)


def test_the_clocks_error_keeps_an_edge_that_lies_just_outside_the_window_from_being_confirmed():
    near = session("198.51.100.7/32", "alice", end=5 / 3600, error=1)
    assert ask("198.51.100.7", near).grade is Grade.CONFIRMED
    wrong = session("198.51.100.7/32", "alice", end=5 / 3600, error=10)
    assert ask("198.51.100.7", wrong).grade is Grade.PROBABLE


def test_two_who_followed_each_other_within_the_clocks_error_are_ambiguous():
    rows = session("198.51.100.7/32", "alice", end=0.001), session("198.51.100.7/32", "bob", begin=0.0012, error=10)
    answer = ask("198.51.100.7", *rows)
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)


def test_a_missed_stop_leaves_the_subscriber_probable_until_the_address_is_given_on():
    silent = session(
        "198.51.100.7/32", "alice", sure_until=NOON - HOUR, possible_until=NOON + HOUR, ending=Ending.INFERRED
    )
    assert ask("198.51.100.7", silent, at=NOON - 2 * HOUR).grade is Grade.CONFIRMED
    answer = ask("198.51.100.7", silent)
    assert (answer.grade, answer.reason, answer.customer) == (
        Grade.PROBABLE,
        AttributionReason.UNSEEN_END,
        "acct-1",
    )
    assert ask("198.51.100.7", silent, at=NOON + 2 * HOUR).reason is AttributionReason.UNASSIGNED


def test_two_sources_that_are_both_sure_of_different_customers_contradict_and_open_a_finding():
    arp = session("198.51.100.7/32", "bob", source="neighbours", strong=False)
    answer = ask("198.51.100.7", session("198.51.100.7/32", "alice"), arp)
    assert (answer.grade, answer.reason) == (Grade.CONTRADICTED, AttributionReason.SOURCES_DISAGREE)
    assert answer.customer is None
    assert answer.grade.allows == {Use.FINDING}
    assert len(answer.bindings) == 2


def test_the_registrys_own_row_and_a_session_of_another_contradict():
    static = space("198.51.100.7/32", tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, customer="acct-2", key=3)
    assert ask("198.51.100.7", static, session("198.51.100.7/32", "alice")).grade is Grade.CONTRADICTED
    assert ask("198.51.100.7", static, session("198.51.100.7/32", "bob")).grade is Grade.CONFIRMED


def test_a_mac_alone_is_probable_however_many_sources_repeat_it_and_another_kind_of_witness_confirms():
    mac = {"subject_kind": SubjectKind.MAC, "strong": False}
    dhcp = session("198.51.100.7/32", "02:00:00:00:00:01", source="dhcp-1", **mac)
    owner = known("02:00:00:00:00:01", "acct-1", kind=SubjectKind.MAC)
    answer = ask("198.51.100.7", dhcp, owner)
    assert (answer.grade, answer.reason) == (Grade.PROBABLE, AttributionReason.ONE_SOURCE)
    # Whoever takes another's hardware address gets that one's lease, and answers for it in the neighbour table.
    seen = session("198.51.100.7/32", "02:00:00:00:00:01", source="neighbours", **mac)
    log = session("198.51.100.7/32", "02:00:00:00:00:01", source="dhcp-1-forensic", **mac)
    assert ask("198.51.100.7", dhcp, seen, log, owner).grade is Grade.PROBABLE
    circuit = {"subject_kind": SubjectKind.CIRCUIT, "strong": False}
    line = known("dslam-2 eth 0/7", "acct-1", kind=SubjectKind.CIRCUIT)
    looked = session("198.51.100.7/32", "dslam-2 eth 0/7", source="leases", **circuit)
    assert ask("198.51.100.7", dhcp, looked, owner, line).grade is Grade.CONFIRMED
    same = session("198.51.100.7/32", "dslam-2 eth 0/7", source="dhcp-1", **circuit)
    assert ask("198.51.100.7", dhcp, same, owner, line).grade is Grade.PROBABLE


def test_a_subscriber_whom_the_registry_does_not_know_is_not_nobody():
    answer = ask("198.51.100.7", session("198.51.100.7/32", "mallory"))
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.UNKNOWN_SUBSCRIBER)


def test_a_line_that_changed_hands_names_its_holder_of_that_time():
    rows = [
        session("198.51.100.7/32", "line-7", begin=-30, end=30),
        known("line-7", "acct-1", until=NOON - HOUR),
        known("line-7", "acct-2", since=NOON - HOUR),
    ]
    assert ask("198.51.100.7", *rows, at=NOON - 2 * HOUR).customer == "acct-1"
    assert ask("198.51.100.7", *rows).customer == "acct-2"
    assert ask("198.51.100.7", *rows, at=NOON - HOUR).grade is Grade.AMBIGUOUS


def test_privacy_addresses_inside_a_delegated_prefix_are_its_subscribers():
    held = session("2001:db8:0:4200::/56", "alice")
    for address in ("2001:db8:0:42aa:1:2:3:4", "2001:db8:0:4201:dead:beef:0:1"):
        assert ask(address, held).customer == "acct-1"
    assert ask("2001:db8:0:4300::1", held).reason is AttributionReason.UNASSIGNED


def test_the_walk_stops_at_a_reseller():
    resold = known("carol", "acct-3", reseller="acct-9")
    answer = ask("198.51.100.7", session("198.51.100.7/32", "carol"), resold)
    assert (answer.grade, answer.reason) == (Grade.CONFIRMED, AttributionReason.ONE_RESELLER)
    assert (answer.customer, answer.service, answer.downstream) == ("acct-9", None, "acct-3")


def test_nobody_seen_in_a_gap_is_not_nobody_there():
    gap = [Gap(since=NOON - HOUR, until=NOON + HOUR)]
    answer = ask("198.51.100.7", gaps=gap)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)
    gone_quiet = session("198.51.100.7/32", "alice", sure_until=NOON - HOUR, possible_until=None, ending=Ending.OPEN)
    assert ask("198.51.100.7", gone_quiet, gaps=gap).grade is Grade.NO_DATA
    assert ask("198.51.100.7", session("198.51.100.7/32", "alice"), gaps=gap).grade is Grade.CONFIRMED
    assert ask("198.51.100.7", gaps=[Gap(since=NOON + HOUR, until=None)]).reason is AttributionReason.UNASSIGNED


def test_a_translation_to_an_inside_address_that_no_session_has_is_an_unknown_subscriber():
    answer = ask("198.51.100.9", nat("198.51.100.9/32", 1024, 2047, "100.64.0.1"), port=1500)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.UNKNOWN_SUBSCRIBER)


def test_inside_addresses_may_be_the_registrys_own_holdings():
    inside = space("100.64.0.1/32", tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, customer="acct-1", key=4)
    rows = nat("198.51.100.9/32", 1024, 2047, "100.64.0.1", inside_realm=""), inside
    answer = ask("198.51.100.9", *rows, port=1500)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, "acct-1")
    assert inside in answer.proof


def test_without_a_time_one_subscriber_of_many_never_stands_for_the_week():
    rows = session("198.51.100.7/32", "alice", begin=-200, end=0), session("198.51.100.7/32", "bob", begin=1, end=60)
    assert ask("198.51.100.7", *rows, at=None).grade is Grade.AMBIGUOUS


@pytest.mark.parametrize(("grade", "uses"), [(Grade.CONFIRMED, 2), (Grade.PROBABLE, 0), (Grade.AMBIGUOUS, 0)])
def test_only_confirmed_reaches_suspension_and_disclosure(grade, uses):
    assert len(grade.allows & {Use.SUSPENSION, Use.DISCLOSURE}) == uses


def test_the_one_flow_of_a_port_in_the_window_is_what_the_question_is_about():
    flow = nat("198.51.100.9/32", 5000, 5000, "100.64.0.1", end=0.001, begin=0, momentary=True)
    rows = [session("100.64.0.1/32", "alice", realm="cgn"), session("100.64.0.2/32", "bob", realm="cgn")]
    answer = ask("198.51.100.9", flow, *rows, port=5000, error=60)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, "acct-1")
    assert flow in answer.bindings
    again = nat("198.51.100.9/32", 5000, 5000, "100.64.0.2", begin=0.002, end=0.003, momentary=True)
    assert ask("198.51.100.9", flow, again, *rows, port=5000, error=60).grade is Grade.AMBIGUOUS
    assert ask("198.51.100.9", flow, again, *rows, port=5000, error=0.5).customer == "acct-1"
    for gap in (Gap(since=NOON + 30 * SECOND, until=None), Gap(since=None, until=NOON - 30 * SECOND)):
        assert ask("198.51.100.9", flow, *rows, port=5000, error=60, gaps=[gap]).grade is Grade.NO_DATA
        # What is not known of the inside address then is not what the port is asked about.
        inside = replace(gap, behind_nat=True)
        assert ask("198.51.100.9", flow, *rows, port=5000, error=60, gaps=[inside]).grade is Grade.CONFIRMED
    assert ask("198.51.100.9", flow, *rows, port=5000, at=None).grade is Grade.AMBIGUOUS


def test_a_leases_promise_behind_a_block_of_ports_is_no_more_than_what_the_nat_told():
    block = nat("198.51.100.9/32", 1024, 2047, "100.64.0.1", sure_until=NOON - HOUR, possible_until=None,
                ending=Ending.OPEN)  # fmt: skip
    lease = session("100.64.0.1/32", "alice", realm="cgn", ending=Ending.PROMISED)
    gap = [Gap(since=NOON - HOUR, until=None)]
    assert ask("198.51.100.9", block, lease, port=1500).grade is Grade.PROBABLE
    assert ask("198.51.100.9", block, lease, port=1500, gaps=gap).grade is Grade.NO_DATA


def test_a_leases_promise_names_nobody_where_the_log_was_not_read():
    lease = session("198.51.100.7/32", "alice", ending=Ending.PROMISED)
    assert ask("198.51.100.7", lease).grade is Grade.CONFIRMED
    answer = ask("198.51.100.7", lease, gaps=[Gap(since=NOON, until=None)])
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)


def test_nobody_seen_after_a_gap_of_a_log_of_leases_is_nobody_there_only_when_every_lease_is_over():
    after = [Gap(since=NOON - HOUR, until=NOON + HOUR, lasting=True)]
    lease = session("198.51.100.7/32", "alice", ending=Ending.PROMISED)
    assert ask("198.51.100.7", lease, gaps=after).grade is Grade.CONFIRMED
    begins = replace(lease, possible_from=NOON - timedelta(seconds=2), sure_from=NOON)
    assert ask("198.51.100.7", begins, error=60).grade is Grade.PROBABLE
    answer = ask("198.51.100.7", begins, error=60, gaps=after)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)
