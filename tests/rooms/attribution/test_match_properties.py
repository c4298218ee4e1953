"""What must hold of every history, shown on random ones against the slow oracle beside this file."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tipstaff.attribution.match import attribute, window_of
from tipstaff.words import Grade, Moment, Tier

from .histories import ADDRESSES, BEGIN, PORTS, RECEIVED, histories, hour, meet, moments, rows
from .oracle import holder_at, in_short, slow_answer

QUESTION = {
    "address": st.sampled_from(ADDRESSES),
    "port": PORTS,
    "moment": moments(),
    "holdings": histories(),
}
SURENESS = {Grade.CONFIRMED: 3, Grade.NONE: 3, Grade.PROBABLE: 2, Grade.AMBIGUOUS: 1, Grade.NO_DATA: 0}


def ask(address, *, records_begin_at=BEGIN, **question):
    return attribute(address, received_at=RECEIVED, records_begin_at=records_begin_at, **question)


@settings(max_examples=200, deadline=None)
@given(**QUESTION)
def test_it_answers_as_the_slow_oracle_does(address, port, moment, holdings):
    answer = ask(address, port=port, moment=moment, holdings=holdings)
    grade, reason, customer = slow_answer(
        address, port=port, moment=moment, received_at=RECEIVED, holdings=holdings, records_begin_at=BEGIN
    )
    assert (answer.grade, answer.customer) == (grade, customer)
    if reason is not None:
        assert answer.reason is reason


@settings(max_examples=80, deadline=None)
@given(**QUESTION, share=st.floats(0, 1), some_port=st.integers(1, 65535))
def test_nobody_is_named_who_shared_the_window_with_another(address, port, moment, holdings, share, some_port):
    answer = ask(address, port=port, moment=moment, holdings=holdings)
    if not answer.named:
        return
    window = window_of(moment, received_at=RECEIVED)
    instant = window.earliest + share * (window.latest - window.earliest)
    holder = holder_at(address, port=port or some_port, instant=instant, holdings=holdings)
    if answer.reason == "EDGE_IN_WINDOW":
        assert holder in (answer.customer, "nobody", "not ours")
    else:
        assert holder == answer.customer


@settings(max_examples=80, deadline=None)
@given(**QUESTION, other=rows(key=77))
def test_an_unrelated_holding_never_changes_the_answer(address, port, moment, holdings, other):
    window = window_of(moment, received_at=RECEIVED)
    elsewhere = address not in other.prefix
    at_another_time = other.held_from > window.latest or (
        other.held_until is not None and other.held_until <= window.earliest
    )
    at_another_port = port is not None and not other.port_first <= port <= other.port_last
    assume(elsewhere or at_another_time or at_another_port)
    assume(not any(meet(other, held) for held in holdings))
    before = ask(address, port=port, moment=moment, holdings=holdings)
    assert ask(address, port=port, moment=moment, holdings=(*holdings, other)) == before


@settings(max_examples=200, deadline=None)
@given(**QUESTION, wider=st.sampled_from((1.0, 1800.0, 7200.0, 86400.0)))
def test_widening_the_window_never_makes_the_answer_surer(address, port, moment, holdings, wider):
    assume(moment is not None and not window_of(moment, received_at=RECEIVED).assumed)
    narrow = ask(address, port=port, moment=moment, holdings=holdings)
    wide = ask(address, port=port, moment=Moment(moment.at, moment.error_seconds + wider), holdings=holdings)
    assert SURENESS[wide.grade] <= SURENESS[narrow.grade]
    if SURENESS[wide.grade] == 3:
        assert in_short(wide)[0] is narrow.grade
    if narrow.named and wide.named:
        assert wide.customer == narrow.customer


@settings(max_examples=80, deadline=None)
@given(**QUESTION)
def test_leaving_the_port_out_never_makes_the_answer_surer(address, port, moment, holdings):
    assume(port is not None)
    stated = ask(address, port=port, moment=moment, holdings=holdings)
    unstated = ask(address, port=None, moment=moment, holdings=holdings)
    if unstated.named:
        assert (stated.grade, stated.customer) == (unstated.grade, unstated.customer)


@settings(max_examples=80, deadline=None)
@given(**QUESTION)
def test_a_customer_is_named_at_confirmed_and_probable_and_nowhere_else(address, port, moment, holdings):
    answer = ask(address, port=port, moment=moment, holdings=holdings)
    assert (answer.customer is not None) == (answer.grade in (Grade.CONFIRMED, Grade.PROBABLE))
    if not answer.named:
        assert answer.service is None
        assert answer.downstream is None
    if answer.downstream is not None:
        assert any(row.tier is Tier.RESELLER and row.customer == answer.customer for row in answer.proof)


@settings(max_examples=80, deadline=None)
@given(**QUESTION)
def test_the_proof_alone_gives_the_same_answer(address, port, moment, holdings):
    answer = ask(address, port=port, moment=moment, holdings=holdings)
    assert ask(address, port=port, moment=moment, holdings=answer.proof) == answer


@settings(max_examples=200, deadline=None)
@given(**QUESTION, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(address, port, moment, holdings, order):
    numbered = [replace(row, key=key) for key, row in enumerate(holdings)]
    shuffled = list(numbered)
    order.shuffle(shuffled)
    assert ask(address, port=port, moment=moment, holdings=numbered) == ask(
        address, port=port, moment=moment, holdings=shuffled
    )


@settings(max_examples=80, deadline=None)
@given(**QUESTION)
def test_before_the_records_nobody_is_named(address, port, moment, holdings):
    begin = hour(401)
    assume(window_of(moment, received_at=RECEIVED).earliest < begin)
    assert ask(address, port=port, moment=moment, holdings=holdings, records_begin_at=begin).grade is Grade.NO_DATA
