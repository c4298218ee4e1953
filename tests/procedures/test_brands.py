"""A case remembers the brand that its customer was under when it was opened."""

from dataclasses import replace

from tests.procedures.office import HOUR, NOON, Office
from tipstaff.cases.queries import Narrowed, list_cases
from tipstaff.registry.operations import add_customer
from tipstaff.registry.queries import get_customer

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
