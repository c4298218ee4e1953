from dataclasses import replace
from ipaddress import ip_address

import pytest

from tipstaff.ledger.queries import entries_about
from tipstaff.registry import operations, queries
from tipstaff.registry.operations import ResellersInACircle, SiteHeldTwice, UnknownKey
from tipstaff.words import Service, ServiceKind, Standing

from .conftest import BY, NOW, customer, day

pytestmark = pytest.mark.usefixtures("operator")


def test_a_customer_comes_back_as_it_went_in():
    assert queries.get_customer("acct-3") == customer("acct-3", reseller="acct-9")
    assert queries.get_customer("acct-404") is None
    assert [one.key for one in queries.accounts_below("acct-9")] == ["acct-3"]


def test_adding_a_customer_twice_changes_and_records_nothing_more():
    operations.add_customer(customer("acct-1"), **BY)
    assert [entry.what for entry in entries_about("acct-1")].count("customer.added") == 1
    assert "customer.changed" not in [entry.what for entry in entries_about("acct-1")]


def test_a_changed_customer_is_kept_as_changed():
    changed = replace(customer("acct-1"), standing=Standing.SUSPENDED, representative=None)
    operations.add_customer(changed, **BY)
    assert queries.get_customer("acct-1") == changed
    assert entries_about("acct-1")[-1].what == "customer.changed"


def test_an_account_does_not_stand_above_itself():
    operations.add_customer(customer("acct-4", reseller="acct-3"), **BY)
    with pytest.raises(ResellersInACircle, match="acct-9 under acct-4 under acct-3 under acct-9 is a circle"):
        operations.add_customer(customer("acct-9", reseller="acct-4"), **BY)
    with pytest.raises(ResellersInACircle):
        operations.add_customer(customer("acct-1", reseller="acct-1"), **BY)
    with pytest.raises(UnknownKey):
        operations.add_customer(customer("acct-1", reseller="acct-404"), **BY)


def test_customers_are_found_by_key_name_and_address():
    assert [one.key for one in queries.list_customers(search="ACCT-2")] == ["acct-2"]
    assert [one.key for one in queries.list_customers(search="abuse@acct-3")] == ["acct-3"]
    assert [one.key for one in queries.list_customers(limit=2)] == ["acct-1", "acct-2"]


def test_a_services_customer_is_told():
    assert [service.key for service in queries.services_of("acct-1")] == ["svc-1-1"]
    service = queries.get_service("svc-2-1")
    assert service is not None
    assert service.customer == "acct-2"


@pytest.mark.parametrize("kind", ServiceKind)
def test_every_kind_of_service_comes_in_by_hand_and_by_file(kind):
    operations.add_service(Service(key="svc-x", customer="acct-1", kind=kind, port="sw-1/7"), **BY)
    sheet = ["key,customer,kind\n", f"svc-y,acct-1,{kind}\n"]
    assert operations.import_csv(sheet, source_name="services.csv", **BY).added == 1
    known = {service.key: service.kind for service in queries.services_of("acct-1")}
    assert (known["svc-x"], known["svc-y"]) == (kind, kind)


def add_site(name: str, holder: str = "acct-2", service: str | None = "svc-2-1", **more) -> None:
    more.setdefault("address", ip_address("198.51.100.80"))
    more.setdefault("since", day(0))
    operations.add_site(name, customer=holder, service=service, **more, **BY)


def test_sites_are_known_by_address_and_by_name_over_time():
    add_site("Shop.Example.NET.")
    add_site("shop.example.net")
    add_site("blog.example.net", until=day(5))
    add_site("shop.example.net", address=ip_address("2001:db8::80"))
    address = ip_address("198.51.100.80")
    assert queries.sites_on(address, at=day(1)) == ["blog.example.net", "shop.example.net"]
    assert queries.sites_on(address, at=NOW) == ["shop.example.net"]
    assert [str(site.address) for site in queries.sites_named("shop.example.net", at=NOW)] == [
        "198.51.100.80",
        "2001:db8::80",
    ]
    service = queries.service_of_site("shop.example.net", at=NOW)
    assert service is not None
    assert service.key == "svc-2-1"
    assert queries.service_of_site("blog.example.net", at=NOW) is None


def test_a_name_at_an_address_is_not_answered_for_two_at_once():
    add_site("shop.example.net")
    with pytest.raises(SiteHeldTwice, match="already answered for acct-2"):
        add_site("SHOP.example.net", holder="acct-1", service="svc-1-1", since=day(3))
    add_site("shop.example.net.example.org", holder="acct-1", service="svc-1-1")
