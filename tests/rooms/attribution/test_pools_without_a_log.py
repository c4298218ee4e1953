"""In a pool of which no log was ever read, nobody known is not nobody there; every way of asking says so."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

import tipstaff.attribution.sources as built_in
from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import Asked, answer_one, who_held_them
from tipstaff.procedures.many import open_book
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import AttributionReason, Customer, Grade, HoldingKind, Moment, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
BY = {"at": NOON + timedelta(days=1), "actor": "engineer"}
DETAIL = Path(built_in.__file__).parent / "radius" / "samples" / "detail.log"
NOBODY = Grade.NONE, AttributionReason.UNASSIGNED
UNREAD = Grade.NO_DATA, AttributionReason.SOURCE_GAP


@pytest.fixture
def pools(db, tmp_path) -> None:
    """192.0.2/24, 2001:db8::/36: a pool of no log; 198.51.100/24: of one; 203.0.113/25: of a plan; /25: no pool."""
    begin = NOON - timedelta(days=300)
    for prefix, kind in (
        ("192.0.2.0/24", "static"), ("192.0.2.0/24", "pool"), ("198.51.100.0/24", "static"),
        ("198.51.100.0/24", "pool"), ("203.0.113.0/24", "static"), ("203.0.113.0/25", "pool"),
        ("2001:db8::/32", "static"), ("2001:db8::/36", "pool"),
    ):  # fmt: skip
        registry.hold(
            tier=Tier.OPERATOR, kind=HoldingKind(kind), prefix=ip_network(prefix), held_from=begin, source="plan", **BY
        )
    registry.add_customer(Customer(key="acct-1", name="Customer 1", representative=None), **BY)
    for prefix, until in (("192.0.2.7/32", None), ("192.0.2.8/32", NOON), ("2001:db8:80::/56", None)):
        registry.hold(
            tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network(prefix), held_from=begin, held_until=until,
            customer="acct-1", source="plan", **BY,
        )  # fmt: skip
    registry.hold(
        tier=Tier.CUSTOMER, kind=HoldingKind.DELEGATED, prefix=ip_network("2001:db8:800::/56"), held_from=begin,
        held_until=begin + timedelta(hours=4), customer="acct-1", source="dhcp", **BY,
    )  # fmt: skip
    list(take_in(DETAIL, sources()["radius-detail"], Options(source="radius"), **BY))
    plan = tmp_path / "plan.csv"
    plan.write_text("prefix,service\n203.0.113.9/32,svc-1\n2001:db8:150::/48,svc-1\n")
    list(take_in(plan, sources()["ipam"], Options(source="plan"), **BY))


@pytest.mark.parametrize(
    ("address", "hours", "told"),
    [
        ("192.0.2.77", 0, UNREAD),
        ("192.0.2.7", 0, (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)),
        ("192.0.2.8", -1, (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)),
        ("192.0.2.8", 0, UNREAD),  # until noon and perhaps somebody else's after
        ("192.0.2.8", 1, UNREAD),
        ("198.51.100.77", 1, NOBODY),
        ("203.0.113.10", 0, NOBODY),
        ("203.0.113.200", 0, NOBODY),
        ("2001:db8:801::1", 0, NOBODY),  # a prefix of the same /40 is given out in the registry
        ("2001:db8:80::1", 0, (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)),
        ("2001:db8:280::1", 0, UNREAD),
        ("2001:db8:151::1", 0, NOBODY),  # another prefix of the same /40 is in the plan
        ("2001:db8:400::1", 0, UNREAD),
        ("2001:db8:f000::1", 0, NOBODY),
    ],
)
def test_every_way_of_asking_tells_a_pool_of_no_log_from_an_address_of_nobody(address, hours, told, pools):
    moment, received = Moment(NOON + timedelta(hours=hours), 1.0), NOON + timedelta(days=2)
    alone = answer_one(Question(address=ip_address(address), moment=moment), received_at=received)
    (among,) = who_held_them([Asked(ip_address(address), None, None, moment)], received_at=received)
    (of_many,) = open_book(at=received).attribute(
        [Question(address=ip_address(address), moment=moment)], received_at=received
    )
    assert [(a.grade, a.reason) for a in (alone, among, of_many)] == [told] * 3


def test_where_the_registry_gives_out_blocks_of_ports_it_tells_of_the_pool(pools):
    registry.hold(
        tier=Tier.CUSTOMER, kind=HoldingKind.PORT_BLOCK, prefix=ip_network("192.0.2.9/32"), customer="acct-1",
        held_from=NOON - timedelta(days=300), port_first=1024, port_last=2047, source="plan", **BY,
    )  # fmt: skip
    for port, told in (
        (None, (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)),
        (1024, (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)),
        (2048, NOBODY),
    ):
        question = Question(address=ip_address("192.0.2.9"), port=port, moment=Moment(NOON, 1.0))
        answer = answer_one(question, received_at=NOON + timedelta(days=2))
        assert (answer.grade, answer.reason) == told
