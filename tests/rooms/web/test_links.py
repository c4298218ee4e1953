"""One table of signed links: each kind opens its own door, and no other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from django.urls import URLPattern, URLResolver
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.procedures.links import Link, LinkExpired, LinkTampered, make_link, open_link
from tipstaff.site.quiet import without_tokens
from tipstaff.web.urls import urlpatterns

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=30)


@given(KEYS, st.integers(1, 10**8))
def test_a_link_opens_its_own_door_until_it_ends_and_no_other(key: str, lasts: int) -> None:
    end = NOON + timedelta(seconds=lasts)
    for made, door in product(Link, Link):
        token = make_link(made, key, at=NOON, expires_at=end)
        if made is door:
            assert open_link(door, token, at=end - timedelta(seconds=1)) == key
            with pytest.raises(LinkExpired):
                open_link(door, token, at=end)
        else:
            with pytest.raises(LinkTampered):
                open_link(door, token, at=NOON)


@given(KEYS, st.data())
def test_a_link_with_another_letter_opens_nothing(key: str, data: st.DataObject) -> None:
    token = make_link(Link.CASE, key, at=NOON, expires_at=NOON + timedelta(days=1))
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != token[place]))
    with pytest.raises(LinkTampered):
        open_link(Link.CASE, token[:place] + letter + token[place + 1 :], at=NOON)


def test_no_two_kinds_are_signed_alike_or_lead_to_one_place() -> None:
    assert len({kind.salt for kind in Link}) == len({kind.path for kind in Link}) == len(Link)


def _addresses(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for each in patterns:
        place = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _addresses(each.url_patterns, place)
        else:
            yield place


def test_no_log_says_a_links_token_whichever_door_it_opens() -> None:
    tokens = [place for place in _addresses(urlpatterns) if "<str:token>" in place]
    assert {kind.path for kind in Link} | {"first"} == {place.partition("/<")[0] for place in tokens}
    for place in tokens:
        said = f'"GET /{place.replace("<str:token>", "key-1.69f9dbc0.KYqPhP6Z")} HTTP/1.1" 200'
        assert without_tokens(said) == said.replace("key-1.69f9dbc0.KYqPhP6Z", "…")
