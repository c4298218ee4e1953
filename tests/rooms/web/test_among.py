"""Very many values said as one text: the rows are those that an IN of them would find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tipstaff.host.among import among, none_of, text_of
from tipstaff.host.viewing import CASES, DIGESTS, REPORTS, hidden_of, hiding, once
from tipstaff.web.models import PortalPerson

NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=6)
NAMES = st.sets(NAME, max_size=8)
KEYS = frozenset({"C-000001", "R-000002", "L-000003", "a" * 64})


class Among(TestCase):
    @given(there=NAMES, asked=NAMES)
    def test_it_is_as_an_in_of_them(self, there: set[str], asked: set[str]) -> None:
        PortalPerson.objects.all().delete()
        PortalPerson.objects.bulk_create([PortalPerson(email=name, made_at="2026-05-04T12:00Z") for name in there])
        rows = PortalPerson.objects.all()
        found = set(among(rows, "email", asked).values_list("email", flat=True))
        assert found == set(rows.filter(email__in=asked).values_list("email", flat=True)) == there & asked
        assert set(none_of(rows, "email", text_of(asked)).values_list("email", flat=True)) == there - asked
        ids = dict(rows.values_list("id", "email"))
        some = [id for id, name in ids.items() if name in asked]
        assert {row.email for row in among(rows, "id", some, kind="bigint")} == there & asked


def test_a_value_with_a_blank_is_not_taken_for_two() -> None:
    with pytest.raises(AssertionError):
        text_of(["C-000001 C-000002"])


def test_each_table_is_told_of_its_own_kind_of_keys_alone() -> None:
    assert hidden_of(None) == ""
    with hiding(lambda: KEYS):
        assert hidden_of(CASES) == "C-000001"
        assert hidden_of(f"{CASES} {REPORTS}") == "C-000001 R-000002"
        assert hidden_of(DIGESTS) == "a" * 64
        assert set(hidden_of(None).split()) == KEYS
        assert [once("x", lambda: 1), once("x", lambda: 2)] == [1, 1]
        with hiding(lambda: frozenset()):
            assert (hidden_of(None), once("x", lambda: 3)) == ("", 3), "what was asked in another look is not known"
        assert once("x", lambda: 4) == 1
    assert [once("x", lambda: 5), once("x", lambda: 6)] == [5, 6], "outside of a look nothing is remembered"
