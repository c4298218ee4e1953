from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tipstaff.attribution.match import PROOF_ROWS_MAX, attribute, window_of
from tipstaff.words import AttributionReason, Grade, Holding, HoldingKind, Moment, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
HOUR = timedelta(hours=1)
AT_NOON = Moment(NOON)


def row(prefix: str, customer: str | None = None, **more) -> Holding:
    more.setdefault("tier", Tier.OPERATOR if customer is None else Tier.CUSTOMER)
    more.setdefault("kind", HoldingKind.STATIC)
    more.setdefault("held_from", NOON - timedelta(days=30))
    more.setdefault("key", 0)
    return Holding(prefix=ip_network(prefix), customer=customer, **more)


OURS = (row("198.51.100.0/24", key=1), row("2001:db8::/32", key=2))


def ask(address: str | None, *holdings: Holding, port: int | None = None, moment: Moment | None = AT_NOON, **more):
    more.setdefault("received_at", LATER)
    more.setdefault("records_begin_at", NOON - timedelta(days=365))
    return attribute(
        None if address is None else ip_address(address), port=port, moment=moment, holdings=holdings, **more
    )


def test_one_holder_over_the_whole_window_is_confirmed_with_the_rows_that_prove_it():
    held = row("198.51.100.16/28", "acct-1", service="svc-1-1")
    answer = ask("198.51.100.20", *OURS, held, row("198.51.100.32/28", "acct-2"))
    assert (answer.grade, answer.reason) == (Grade.CONFIRMED, AttributionReason.ONE_HOLDER)
    assert (answer.customer, answer.service, answer.downstream) == ("acct-1", "svc-1-1", None)
    assert answer.proof == (OURS[0], held)
    assert (answer.earliest, answer.latest) == (NOON - timedelta(seconds=1), NOON + timedelta(seconds=1))


def test_an_address_outside_our_space_is_not_ours_even_where_a_customer_row_says_otherwise():
    answer = ask("203.0.113.9", *OURS, row("203.0.113.0/24", "acct-1"))
    assert (answer.grade, answer.reason, answer.customer) == (Grade.NONE, AttributionReason.NOT_OUR_SPACE, None)


def test_a_pool_names_nobody():
    pool = row("198.51.100.0/25", kind=HoldingKind.POOL)
    answer = ask("198.51.100.20", *OURS, pool)
    assert (answer.grade, answer.reason) == (Grade.NONE, AttributionReason.UNASSIGNED)
    assert pool in answer.proof


def test_a_lease_that_ends_inside_the_window_makes_it_probable():
    lease = row("198.51.100.20/32", "acct-1", kind=HoldingKind.LEASE, held_until=NOON)
    answer = ask("198.51.100.20", *OURS, lease)
    assert (answer.grade, answer.reason, answer.customer) == (
        Grade.PROBABLE,
        AttributionReason.EDGE_IN_WINDOW,
        "acct-1",
    )


def test_a_lease_that_ends_at_the_windows_first_instant_does_not_count():
    lease = row("198.51.100.20/32", "acct-1", held_until=NOON - timedelta(seconds=1))
    assert ask("198.51.100.20", *OURS, lease).reason is AttributionReason.UNASSIGNED


def test_a_lease_that_begins_at_the_windows_last_instant_counts():
    lease = row("198.51.100.20/32", "acct-1", held_from=NOON + timedelta(seconds=1))
    assert ask("198.51.100.20", *OURS, lease).reason is AttributionReason.EDGE_IN_WINDOW


def test_a_lease_renewed_inside_the_window_is_one_holder():
    first = row("198.51.100.20/32", "acct-1", held_until=NOON)
    second = row("198.51.100.20/32", "acct-1", held_from=NOON)
    assert ask("198.51.100.20", *OURS, first, second).grade is Grade.CONFIRMED


def test_two_holders_inside_the_window_name_nobody():
    first = row("198.51.100.20/32", "acct-1", held_until=NOON)
    second = row("198.51.100.20/32", "acct-2", held_from=NOON)
    answer = ask("198.51.100.20", *OURS, first, second)
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
    assert answer.customer is None
    assert {first, second} <= set(answer.proof)


def block(customer: str, first: int, last: int, **more) -> Holding:
    return row("198.51.100.20/32", customer, kind=HoldingKind.PORT_BLOCK, port_first=first, port_last=last, **more)


def test_a_shared_address_without_a_port_names_nobody_even_if_one_block_only_is_given_out():
    one = block("acct-1", 1024, 2047)
    answer = ask("198.51.100.20", *OURS, one)
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)
    answer = ask("198.51.100.20", *OURS, one, block("acct-2", 2048, 3071))
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.SHARED_WITHOUT_PORT)


@pytest.mark.parametrize(("port", "customer"), [(1024, "acct-1"), (2047, "acct-1"), (2048, "acct-2")])
def test_a_shared_address_with_a_port_names_the_blocks_holder(port, customer):
    answer = ask("198.51.100.20", *OURS, block("acct-1", 1024, 2047), block("acct-2", 2048, 3071), port=port)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, customer)
    assert {proof.customer for proof in answer.proof} == {None, customer}


def test_a_port_that_no_block_has_is_unassigned():
    assert ask("198.51.100.20", *OURS, block("acct-1", 1024, 2047), port=9).reason is AttributionReason.UNASSIGNED


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_as_good_as_no_port(port):
    answer = ask("198.51.100.20", *OURS, block("acct-1", 0, 2047), port=port)
    assert answer.reason is AttributionReason.SHARED_WITHOUT_PORT


def test_an_address_inside_a_delegated_prefix_belongs_to_its_holder():
    delegated = row("2001:db8:0:4200::/56", "acct-1", kind=HoldingKind.DELEGATED)
    answer = ask("2001:db8:0:42aa:1:2:3:4", *OURS, delegated)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, "acct-1")


def test_an_ipv4_address_written_as_ipv6_is_the_ipv4_address():
    assert ask("::ffff:198.51.100.20", *OURS, row("198.51.100.20/32", "acct-1")).customer == "acct-1"


def test_a_resellers_space_stops_at_the_reseller_and_names_its_customer_downstream():
    resold = row("198.51.100.0/26", "acct-9", tier=Tier.RESELLER)
    under = row("198.51.100.20/32", "acct-1")
    answer = ask("198.51.100.20", *OURS, resold, under)
    assert (answer.grade, answer.reason) == (Grade.CONFIRMED, AttributionReason.ONE_RESELLER)
    assert (answer.customer, answer.downstream) == ("acct-9", "acct-1")
    assert answer.proof == (OURS[0], resold, under)


def test_a_reseller_is_named_though_its_own_customers_cannot_be_told_apart():
    resold = row("198.51.100.0/26", "acct-9", tier=Tier.RESELLER)
    answer = ask("198.51.100.20", *OURS, resold, block("acct-1", 1024, 2047), block("acct-2", 2048, 3071))
    assert (answer.grade, answer.customer, answer.downstream) == (Grade.CONFIRMED, "acct-9", None)


def test_without_a_time_one_holder_over_the_whole_look_back_is_probable():
    answer = ask("198.51.100.20", *OURS, row("198.51.100.20/32", "acct-1"), moment=None)
    assert (answer.grade, answer.reason, answer.customer) == (
        Grade.PROBABLE,
        AttributionReason.TIME_ASSUMED,
        "acct-1",
    )
    assert (answer.earliest, answer.latest) == (LATER - timedelta(days=7), LATER)


def test_without_a_time_a_holding_younger_than_the_look_back_names_nobody():
    young = row("198.51.100.20/32", "acct-1", held_from=NOON)
    answer = ask("198.51.100.20", *OURS, young, moment=None)
    assert (answer.grade, answer.reason, answer.customer) == (Grade.AMBIGUOUS, AttributionReason.EDGE_IN_WINDOW, None)


def test_a_time_without_a_zone_is_confirmed_where_the_zone_does_not_matter():
    moment = Moment.without_zone(datetime(2026, 3, 10, 12))
    assert ask("198.51.100.20", *OURS, row("198.51.100.20/32", "acct-1"), moment=moment).grade is Grade.CONFIRMED


def test_a_time_without_a_zone_names_nobody_where_the_zone_matters():
    moment = Moment.without_zone(datetime(2026, 3, 10, 12))
    first = row("198.51.100.20/32", "acct-1", held_until=NOON - 13 * HOUR)
    second = row("198.51.100.20/32", "acct-2", held_from=NOON - 13 * HOUR)
    assert ask("198.51.100.20", *OURS, first, second, moment=moment).grade is Grade.AMBIGUOUS


def test_an_event_before_the_records_is_no_data_rather_than_nobody():
    answer = ask("198.51.100.20", *OURS, records_begin_at=NOON)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.BEFORE_RECORDS)


def test_an_empty_registry_says_nothing_about_when_it_happened():
    answer = ask("198.51.100.20", records_begin_at=None)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)


def test_without_an_address_nobody_is_named():
    answer = ask(None, *OURS)
    assert (answer.grade, answer.reason) == (Grade.NONE, AttributionReason.NO_ADDRESS)


def test_a_time_after_receipt_is_no_statement_of_time():
    lease = row("198.51.100.20/32", "acct-1", held_from=NOON - HOUR)
    stated = Moment(LATER + 5 * HOUR)
    assert window_of(stated, received_at=LATER).assumed
    assert ask("198.51.100.20", *OURS, lease, moment=stated).grade is Grade.AMBIGUOUS


def test_a_reporters_clock_that_runs_ahead_a_little_is_believed():
    window = window_of(Moment(LATER + timedelta(minutes=2)), received_at=LATER)
    assert (window.earliest, window.assumed) == (LATER, False)


def test_an_answer_that_names_nobody_shows_a_bounded_proof_with_several_holders():
    blocks = [block(f"acct-{n}", 100 * n, 100 * n + 99) for n in range(1, 400)]
    answer = ask("198.51.100.20", *OURS, *blocks)
    assert len(answer.proof) == PROOF_ROWS_MAX
    leases = [
        row("198.51.100.20/32", "acct-1", held_from=NOON + n * HOUR, held_until=NOON + (n + 1) * HOUR)
        for n in range(-150, 24)
    ]
    last = row("198.51.100.20/32", "acct-2", held_from=NOON + 24 * HOUR)
    answer = ask("198.51.100.20", *OURS, *leases, last, moment=None)
    assert answer.grade is Grade.AMBIGUOUS
    assert last in answer.proof


def test_the_service_is_named_only_when_all_rows_agree():
    first = row("198.51.100.20/32", "acct-1", service="svc-1", held_until=NOON)
    second = replace(first, service="svc-2", held_from=NOON, held_until=None)
    answer = ask("198.51.100.20", *OURS, first, second)
    assert (answer.grade, answer.service) == (Grade.CONFIRMED, None)
