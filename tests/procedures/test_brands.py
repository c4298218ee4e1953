"""A case remembers the brand of its opening, and no brand tells a complainant whose customer it was."""

from dataclasses import replace
from itertools import count

import pytest

from tests.procedures.office import HOUR, NOON, Office, reporter, spam_report
from tipstaff.cases.queries import Narrowed, list_cases
from tipstaff.config import BrandConfig
from tipstaff.notices.queries import letters_of_report
from tipstaff.procedures import complainants_brand, complaint
from tipstaff.registry.operations import add_customer
from tipstaff.registry.queries import get_customer
from tipstaff.words import Channel, Customer, Letter

ADDRESS = "192.0.2.7"


def test_a_case_keeps_the_brand_of_its_opening(office: Office) -> None:
    office.admit("acct-1", ADDRESS + "/32")
    customer = get_customer("acct-1")
    assert customer is not None
    add_customer(replace(customer, brand="north"), at=NOON, actor="ana")
    office.complain(ADDRESS, at=NOON)
    [case] = office.cases()
    add_customer(customer, at=NOON + HOUR, actor="ana")
    assert office.fresh(case.key).brand == "north"
    assert [one.key for one in list_cases(narrowed=Narrowed(brand="north"))] == [case.key]
    assert list_cases(narrowed=Narrowed(brand="south")) == []


NORTH = BrandConfig(name="north", shown_as="North Line", address="abuse@north.example.net")
WIDELY_KNOWN = replace(NORTH, to_complainants=True)
OWN = "abuse@operator.example.net"


def answered(office: Office, *, at_address: tuple[str, ...], brand: BrandConfig, n: int) -> Letter:
    """The first letter to whom a complaint of theirs came in at this address."""
    office.desk = replace(
        office.desk, brands={brand.name: brand}, own_addresses=office.desk.own_addresses | {brand.address}
    )
    who = reporter(n)
    raw = spam_report(ADDRESS, at=NOON, by=who, happened=NOON - HOUR, port=None, subject="Abuse report")
    key = complaint.accept(
        raw, sender=who.address, recipients=at_address, channel=Channel.SMTP, desk=office.desk, at=NOON
    )
    complaint.understand(key, desk=office.desk, at=NOON)
    (letter,) = letters_of_report(key)
    return letter


def under_north(office: Office) -> None:
    add_customer(replace(office.admit("acct-1", ADDRESS + "/32"), brand="north"), at=NOON, actor="ana")


@pytest.mark.parametrize(
    ("at_address", "brand"),
    [
        (("Abuse@North.example.net",), "north"),
        ((OWN,), ""),
        (("abuse@north.example.net", OWN), ""),
        (("abuse@north.example.net", "copy@reporter.example.org"), "north"),
    ],
)
def test_a_complainant_is_answered_by_the_brand_to_which_they_wrote_whoevers_the_customer_is(
    office: Office, at_address: tuple[str, ...], brand: str
) -> None:
    office.admit("acct-1", ADDRESS + "/32")
    letter = answered(office, at_address=at_address, brand=NORTH, n=1)
    assert (letter.brand, "North Line" in letter.body) == (brand, bool(brand))
    (case,) = office.cases()
    assert case.brand == "", "the customer's own is another"


def test_the_customers_brand_is_told_only_of_many_customers_whose_networks_everybody_knows(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_north(office)
    n = count(1)
    assert answered(office, at_address=(OWN,), brand=NORTH, n=next(n)).brand == "", "nobody said that it may be told"
    assert answered(office, at_address=(OWN,), brand=WIDELY_KNOWN, n=next(n)).brand == "", "it has one customer"
    monkeypatch.setattr(complainants_brand, "CUSTOMERS_MIN", 2)
    assert answered(office, at_address=(OWN,), brand=WIDELY_KNOWN, n=next(n)).brand == ""
    add_customer(Customer(key="acct-2", name="Another", representative=None, brand="north"), at=NOON, actor="ana")
    told = answered(office, at_address=(OWN,), brand=WIDELY_KNOWN, n=next(n))
    assert (told.brand, "North Line" in told.body) == ("north", True)
    office.admit("shop", is_reseller=True)
    customer = get_customer("acct-1")
    assert customer is not None
    add_customer(replace(customer, reseller="shop"), at=NOON, actor="ana")
    add_customer(Customer(key="acct-3", name="A third", representative=None, brand="north"), at=NOON, actor="ana")
    assert answered(office, at_address=(OWN,), brand=WIDELY_KNOWN, n=next(n)).brand == "", "a reseller stands out of it"


def test_a_report_about_two_brands_tells_neither(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complainants_brand, "CUSTOMERS_MIN", 1)
    under_north(office)
    first = answered(office, at_address=(OWN,), brand=WIDELY_KNOWN, n=1)
    assert first.brand == "north"
    office.admit("acct-9", "192.0.2.9/32")
    (case,) = office.cases()
    office.complain("192.0.2.9", at=NOON + HOUR, by=reporter(9))
    other = next(each for each in office.cases() if each.key != case.key)
    report = office.report(first.report or "")
    (incident,) = report.incidents
    assert complainants_brand.brand_for_complainant(report, desk=office.desk) == "north"
    for case_of_other in (other.key, None):
        both = replace(report, incidents=(incident, replace(incident, case=case_of_other)))
        assert complainants_brand.brand_for_complainant(both, desk=office.desk) == ""
