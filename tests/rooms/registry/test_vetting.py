"""The pure heart of admission: what is found, and how it is explained."""

from datetime import UTC, datetime
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.registry.vetting import (
    LIKE_FROM,
    BadList,
    Entry,
    Former,
    Order,
    likeness,
    plain_phone,
    plain_words,
    read_list,
    vet,
    why_undeliverable,
)
from tipstaff.words import ConcernKind, Customer, ListKind, Representative

AT = datetime(2026, 3, 10, tzinfo=UTC)


def order(name: str = "Example Bakery Ltd", **more) -> Order:
    person = Representative(name="Ada Example", email="it@bakery.example.com")
    facts = {key: more.pop(key) for key in ("postal_address", "country", "since") if key in more}
    facts = {"postal_address": "Example Street 1, 10115 Berlin", "country": "DE", **facts}
    more.setdefault("emails", frozenset({"it@bakery.example.com"}))
    more.setdefault("phones", frozenset({"+49 30 000000"}))
    return Order(customer=Customer(key="new", name=name, representative=person, **facts), **more)


def found(one: Order, **more) -> list[tuple[ConcernKind, str]]:
    concerns = vet(one, lists=more.get("lists", {}), former=more.get("former", ()), at=AT)
    assert all(c.explanation.endswith(".") and 0 < c.score <= 100 for c in concerns)
    return [(c.kind, c.explanation) for c in concerns]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Example Bakery Ltd", "EXAMPLE BAKERY GmbH"),
        ("Exämple Bäckerei e.K.", "Example Backerei"),
        ("Example Bakery", "Bakery, Example"),
        ("ExampleBakery", "Example Bakery Inc."),
        ("Example Bakery", "Exampel Bakery"),
        ("The Sample Hosting Company", "Sample Hosting Co."),
        ("Straße Beispiel AG", "Strasse Beispiel"),
        ("Beispiel S.A.R.L.", "Beispiel"),
        ("\U0001d404xample \uff22akery", "Example Bakery"),
    ],
)
def test_names_that_a_person_would_call_alike_are_alike(one, other):
    assert likeness(one, other) >= LIKE_FROM
    assert likeness(other, one) == likeness(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Example Bakery Ltd", "Sample Clinic Ltd"),
        ("Sample Hosting GmbH", "Sample Printing GmbH"),
        ("Robin Example", "Sam Specimen"),
        ("AB", "AC"),
        ("", "Example"),
        ("Ltd", "Inc"),
    ],
)
def test_names_that_only_share_a_form_or_a_word_are_not(one, other):
    assert likeness(one, other) < LIKE_FROM


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_the_same_both_ways_and_whole_for_the_same_name(one, other):
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 100
    assert plain_words(plain_words(one)) == plain_words(one)
    if plain_words(one):
        assert likeness(one, one.upper()) == 100 or plain_words(one.upper()) != plain_words(one)


def test_a_good_order_raises_nothing():
    assert found(order()) == []


def test_an_alias_is_matched_and_the_list_named():
    aliases = read_list(ListKind.ALIASES, ["# mine\n", "Specimen Spam Works; Exampel Bakery; EB Mail ; \n"])
    ((kind, said),) = found(order(), lists={ListKind.ALIASES: aliases})
    assert kind is ConcernKind.ALIAS_MATCH
    assert said == (
        '"Example Bakery Ltd" is like "Exampel Bakery": "example bakery" and "exampel bakery" agree by 92 of 100, an '
        "alias of Specimen Spam Works on the list of aliases."
    )


def test_prefixes_and_numbers_on_the_drop_lists_are_found_in_both_forms():
    drop = read_list(
        ListKind.DROP,
        ['{"cidr":"203.0.113.0/24","sblid":"SBL1","rir":"example"}\n', '{"type":"metadata","records":2}\n',
         "; comment\n", "2001:db8:bad::/48 ; SBL2\n", '{"cidr":"203.0.113.0/24","sblid":"SBL1","rir":"example"}\n'],
    )  # fmt: skip
    asns = read_list(ListKind.ASN_DROP, ['{"asn":64500,"rir":"x","asname":"EXAMPLE-AS"}\n', "AS64501 ; EX-2\n"])
    assert len(drop) == 2
    lists = {ListKind.DROP: drop, ListKind.ASN_DROP: asns}
    brought = order(prefixes=(ip_network("203.0.113.64/26"), ip_network("2001:db8::/32")), asns=(64501, 64502))
    assert [said for _, said in found(brought, lists=lists)] == [
        "AS64501 is on the ASN-DROP list (EX-2).",
        "2001:db8::/32 overlaps 2001:db8:bad::/48, which is on the DROP list (SBL2).",
        "203.0.113.64/26 overlaps 203.0.113.0/24, which is on the DROP list (SBL1).",
    ]
    assert found(order(prefixes=(ip_network("198.51.100.0/24"),), asns=(64499,)), lists=lists) == []


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (ListKind.DROP, "203.0.113.1/24 ; SBL1"),
        (ListKind.DROP, '{"sblid":"SBL1"}'),
        (ListKind.ASN_DROP, "example"),
        (ListKind.ALIASES, '{"name":"Example","aliases":"one"}'),
        (ListKind.ALIASES, "{"),
    ],
)
def test_a_bad_list_is_refused_by_line(kind, line):
    with pytest.raises(BadList, match="line 2: "):
        read_list(kind, ["# head\n", f"{line}\n"])


FORMER = Former(
    key="acct-5",
    name="Sample Mailing House",
    emails=frozenset({"ops@mailing.example.com"}),
    phones=frozenset({"0030 / 1234567"}),
    postal_address="Musterstraße 12, 10115 Berlin",
    ended="terminated on 2026-01-01",
)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "SAMPLE MAILING-HOUSE LLC"}, "are the same without case, accents and legal form"),
        ({"emails": frozenset({"ops@mailing.example.com"})}, "both use the mail address ops@mailing.example.com"),
        ({"phones": frozenset({"+30 1234567"})}, "both use the telephone number that ends in 234567"),
        ({"postal_address": "Musterstrasse 12; 10115 BERLIN"}, "both give the postal address"),
    ],
)
def test_who_was_terminated_is_known_again_and_it_is_said_by_what(more, said):
    concerns = [why for kind, why in found(order(**more), former=[FORMER]) if kind is ConcernKind.TERMINATED_BEFORE]
    assert len(concerns) == 1
    assert concerns[0].startswith("acct-5, Sample Mailing House, was terminated on 2026-01-01: ")
    assert said in concerns[0]


def test_nobody_is_taken_for_another_by_a_street_or_an_empty_field():
    assert found(order(postal_address="Musterstraße 14, 10115 Berlin"), former=[FORMER]) == []
    bare = Former(key="acct-6", name="Other House", ended="terminated on 2026-01-01")
    assert found(order(), former=[bare, FORMER]) == []


def test_nobody_is_held_against_themselves():
    itself = Former(key="new", name="Example Bakery Ltd", ended="terminated on 2026-01-01")
    assert found(order(), former=[itself]) == []


def test_an_order_that_lacks_something_says_all_of_it():
    bare = Order(customer=Customer(key="new", name="Example", representative=None))
    assert found(bare) == [
        (
            ConcernKind.ORDER_INCOMPLETE,
            "The order lacks a telephone number, a mail address, a postal address, a country and a representative.",
        )
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"emails": frozenset({"a@bakery.invalid"})}, 'nothing under "invalid" is reached'),
        ({"phones": frozenset({"+33 1 000000"})}, "whose numbers begin with +49"),
        ({"phones": frozenset({"0033 1 000000"})}, "whose numbers begin with +49"),
        ({"phones": frozenset({"12"})}, "between 5 and 15 digits"),
        ({"name": "12345"}, "no two letters"),
        ({"since": datetime(2027, 1, 1, tzinfo=UTC)}, "begins only on 2027-01-01"),
    ],
)
def test_what_can_not_be_right_is_said(more, said):
    ((kind, why),) = found(order(**more))
    assert kind is ConcernKind.ORDER_CONTRADICTS
    assert said in why


@pytest.mark.parametrize(
    "email",
    ["a@b", "@example.net", "a@-x.example.net", "a..b@example.net", ".a@example.net", f"{'a' * 65}@example.net",
     "a@example.123", "a@x_y.example.net", "a@printer.local"],
)  # fmt: skip
def test_an_address_that_no_mail_reaches_is_known_by_its_form(email):
    assert why_undeliverable(email)


@pytest.mark.parametrize("email", ["a@example.net", "a.b+c@mail.example.org", "ü@exämple.net"])
def test_an_address_that_may_work_is_left_alone(email):
    assert why_undeliverable(email) == ""


@given(st.text(alphabet="0123456789", min_size=9, max_size=12))
def test_a_number_is_one_however_it_is_written(digits):
    assert plain_phone(f"+49 {digits[:3]}/{digits[3:]}") == plain_phone(f"0049-{digits}")


def test_entries_of_a_list_are_kept_once():
    assert read_list(ListKind.ALIASES, ["A Name\n", "A Name\n"]) == (Entry(name="A Name"),)
