"""The registry's look-ups, with PostgreSQL's answers, against the slow oracle that knows no index."""

import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tipstaff.attribution.match import attribute, window_of
from tipstaff.registry import operations, queries
from tipstaff.registry.operations import HeldTwice
from tipstaff.words import Customer, Holding, HoldingKind, Moment, Tier

from .histories import meet
from .oracle import slow_answer

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BY = {"at": NOW, "actor": "engineer"}
CUSTOMERS = ("acct-1", "acct-2", "acct-3")


def random_row(dice: random.Random) -> Holding:
    tier = dice.choice((Tier.OPERATOR, Tier.RESELLER, *[Tier.CUSTOMER] * 8))
    if dice.random() < 0.5:
        length = dice.choice((24, 27, 29, 32, 32, 32))
        prefix = ip_network((int(ip_address("198.51.100.0")) + dice.randrange(64), length), strict=False)
    else:
        length = dice.choice((40, 56, 64, 128))
        start = int(ip_address("2001:db8:0:4200::")) + (dice.randrange(16) << 64) + dice.randrange(4)
        prefix = ip_network((start, length), strict=False)
    begins = dice.randrange(-30, 60)
    lasts = dice.choice((None, 1, 3, 9))
    block = tier is Tier.CUSTOMER and dice.random() < 0.3
    first = 1024 * dice.randrange(64) if block else 0
    return Holding(
        key=0,
        tier=tier,
        kind=HoldingKind.PORT_BLOCK if block else HoldingKind.STATIC,
        prefix=prefix,
        held_from=day(begins),
        held_until=None if lasts is None else day(begins + lasts),
        customer=None if tier is Tier.OPERATOR else dice.choice(CUSTOMERS),
        port_first=first,
        port_last=first + 1023 if block else 65535,
        source="dice",
    )


def day(number: int) -> datetime:
    return BEGIN + timedelta(days=number)


def hold(row: Holding) -> None:
    operations.hold(
        tier=row.tier,
        kind=row.kind,
        prefix=row.prefix,
        held_from=row.held_from,
        held_until=row.held_until,
        customer=row.customer,
        port_first=row.port_first,
        port_last=row.port_last,
        source=row.source,
        **BY,
    )


@pytest.mark.parametrize("seed", range(2))
def test_postgresql_refuses_exactly_what_overlaps_and_answers_as_the_oracle(seed, db):
    dice = random.Random(seed)
    for key in CUSTOMERS:
        operations.add_customer(Customer(key=key, name=key, representative=None, is_reseller=True), **BY)
    kept: list[Holding] = []
    for _ in range(250):
        row = random_row(dice)
        in_the_way = [old for old in kept if meet(row, old)]
        if not in_the_way:
            hold(row)
            kept.append(row)
            continue
        with pytest.raises(HeldTwice) as refused:
            hold(row)
        told = {(old.prefix, old.held_from, old.port_first) for _, old in refused.value.overlaps}
        assert told <= {(old.prefix, old.held_from, old.port_first) for old in in_the_way}
        assert len(told) == min(len(in_the_way), operations.OVERLAPS_TOLD_MAX)
    assert len(kept) > 40
    begin = queries.records_begin_at()

    for _ in range(250):
        near = dice.choice(kept).prefix
        address = near.network_address + dice.randrange(min(near.num_addresses, 70))
        error = dice.choice((1.0, 3600.0, 86400.0 * 2))
        moment = dice.choice((None, *[Moment(day(dice.randrange(-31, 68)) + timedelta(hours=1), error)] * 4))
        port = dice.choice((None, 1, 1024 * dice.randrange(1, 64)))
        window = window_of(moment, received_at=NOW)
        found = queries.holdings_covering(address, earliest=window.earliest, latest=window.latest)
        answer = attribute(address, port=port, moment=moment, received_at=NOW, holdings=found, records_begin_at=begin)
        grade, reason, holder = slow_answer(
            address, port=port, moment=moment, received_at=NOW, holdings=kept, records_begin_at=begin
        )
        assert (answer.grade, answer.customer) == (grade, holder)
        assert reason is None or answer.reason is reason
