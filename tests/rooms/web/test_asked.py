"""What a person typed, whatever they typed."""

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.web.asked import PLACE_MAX, asked_kind, asked_number, asked_page
from tipstaff.words import Standing


@given(st.text(max_size=30) | st.integers().map(str))
def test_a_number_is_one_that_a_column_can_hold_or_it_is_none(text: str) -> None:
    found = asked_number({"before": text}, "before", otherwise=None)
    assert found is None or 0 <= found < PLACE_MAX
    assert 1 <= asked_page({"page": text}) < 10**6
    if text.isascii() and text.isdigit() and len(text) < 18:
        assert found == int(text)


def test_what_is_not_asked_for_is_what_was_said_instead() -> None:
    assert asked_number({}, "days", otherwise=0) == 0
    assert asked_number({"version": "1" * 10}, "version", otherwise=-1, most=10**9) == -1
    assert asked_page({}) == asked_page({"page": "0"}) == asked_page({"page": "-3"}) == 1
    assert asked_kind(Standing, {"standing": "good"}, "standing") is Standing.GOOD
    assert asked_kind(Standing, {"standing": "<b>"}, "standing") is None
