"""Every kind of act, by hand and by each way in, is one change with its entry in the record, and is undone exactly."""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from types import SimpleNamespace

import pytest
from django.db import connection

from tipstaff.ledger.queries import recent
from tipstaff.procedures import registering
from tipstaff.procedures.admission import import_registry
from tipstaff.registry import operations, queries
from tipstaff.registry.changes import KEPT
from tipstaff.registry.crm import signature_of
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Identity,
    Representative,
    Resource,
    ResourceKind,
    Service,
    ServiceKind,
    Standing,
    SubjectKind,
    Tier,
)

from .conftest import BY, NOW, customer, day, hold

pytestmark = pytest.mark.usefixtures("operator")

LATER = {"at": NOW + timedelta(hours=1), "actor": "lena"}
CHAIN = [Representative(name="Night", email="night@example.net"), Representative(name="Day", email="day@example.net")]
VLAN = Resource(kind=ResourceKind.VLAN, name="7", scope="sw-1", customer="acct-1", held_from=day(0))


def resource(**more) -> int:
    return operations.hold_resource(replace(VLAN, **more), **LATER)


def file_letter() -> None:
    operations.add_letter(
        issuer="Example Network", customer="acct-2", prefixes=[ip_network("198.51.100.0/24")], valid_from=day(0),
        file_name="loa.pdf", digest="ab" * 32, **LATER,
    )  # fmt: skip


def transfer() -> None:
    operations.transfer_holding(held("acct-1"), to="acct-2", since=day(20), **LATER)


def held(whose: str) -> int:
    return queries.all_holdings_of(whose)[0].key


def csv(text: str):
    return lambda: import_registry(text.splitlines(keepends=True), source_name="file.csv", **LATER)


def endpoint(*rows: dict[str, object]) -> SimpleNamespace:
    return SimpleNamespace(all=lambda: iter(rows))


def netbox() -> None:
    tenant = {"id": 1, "slug": "bakery", "name": "Bakery", "custom_fields": {}}
    prefix = {"id": 2, "prefix": "198.51.100.128/28", "tenant": tenant, "status": {"value": "active"}}
    told = SimpleNamespace(
        tenancy=SimpleNamespace(tenants=endpoint(tenant)),
        ipam=SimpleNamespace(
            aggregates=endpoint(), prefixes=endpoint(prefix), ip_addresses=endpoint(), vlans=endpoint(),
            asns=endpoint({"id": 3, "asn": 64500, "tenant": tenant}),
        ),
        circuits=SimpleNamespace(circuits=endpoint()),
    )  # fmt: skip
    registering.import_netbox(told, source_name="netbox", **LATER)


def delivery(event: str, **told: object):
    def deliver() -> None:
        body, at = json.dumps({"event": event, **told}).encode(), LATER["at"]
        time, key = str(int(at.timestamp())), b"k" * 32
        signature = signature_of(key=key, delivery="delivery-1", timestamp=time, body=body)
        registering.take_delivery(body, delivery="delivery-1", timestamp=time, signature=signature, key=key, at=at)

    return deliver


def nothing() -> None:
    """Nothing has to be there before."""


ACTS = {
    # What is done, after what.
    "a customer is added": (lambda: operations.add_customer(customer("acct-5"), **LATER), nothing),
    "a customer is changed": (
        lambda: operations.add_customer(replace(customer("acct-1"), name="New"), **LATER), nothing,
    ),
    "an account goes under another": (
        lambda: operations.add_customer(replace(customer("acct-1"), reseller="acct-9"), **LATER), nothing,
    ),
    "a standing": (
        lambda: operations.set_standing("acct-1", Standing.SUSPENDED, since=day(4), why="x", **LATER), nothing,
    ),
    "contacts": (lambda: operations.designate("acct-1", CHAIN, **LATER), nothing),
    "contacts are ordered": (
        lambda: operations.designate("acct-1", CHAIN[::-1], **LATER),
        lambda: operations.designate("acct-1", CHAIN, **BY),
    ),
    "letters come back": (
        lambda: operations.note_bounce(CHAIN[0].email, why="550", **LATER),
        lambda: operations.designate("acct-1", CHAIN, **BY),
    ),
    "letters arrive": (
        lambda: operations.note_reached(CHAIN[0].email, why="x", **LATER),
        lambda: operations.designate("acct-1", CHAIN, **BY),
    ),
    "a user": (lambda: operations.add_user(AccountUser(key="u", customer="acct-1", name="A"), **LATER), nothing),
    "an edition is accepted": (
        lambda: operations.accept_policy(
            Acceptance(customer="acct-1", contract="K", edition="2026-01", accepted_at=day(1)), **LATER
        ),
        nothing,
    ),
    "a service": (
        lambda: operations.add_service(Service(key="svc-5", customer="acct-1", kind=ServiceKind.MAIL), **LATER),
        nothing,
    ),
    "a service ends with what is held by it": (
        lambda: operations.end_service("svc-1-1", held_until=day(9), **LATER),
        lambda: hold("198.51.100.7/32", "acct-1", service="svc-1-1"),
    ),
    "addresses": (
        lambda: operations.hold(
            tier=Tier.CUSTOMER, kind="static", prefix=ip_network("2001:db8:7::/48"), held_from=day(0),
            customer="acct-1", source="x", **LATER,
        ),
        nothing,
    ),
    "addresses end": (
        lambda: operations.end_holding(held("acct-1"), held_until=day(9), **LATER),
        lambda: hold("198.51.100.7/32", "acct-1"),
    ),
    "a letter of authority": (file_letter, nothing),
    "addresses move": (transfer, lambda: (hold("198.51.100.7/32", "acct-1"), file_letter())),
    "a virtual host": (
        lambda: operations.add_site(
            "shop.example.net", address=ip_address("198.51.100.9"), customer="acct-1", service=None, since=day(0),
            until=None, **LATER,
        ),
        nothing,
    ),
    "a resource": (resource, nothing),
    "a resource ends": (
        lambda: operations.end_resource(queries.resources_of("acct-1")[0].key, held_until=day(9), **LATER),
        lambda: operations.hold_resource(VLAN, **BY),
    ),
    "a list of subscribers": (
        lambda: operations.read_list(
            [Identity(kind=SubjectKind.USERNAME, value="line-1", customer="acct-1")], source="radius", **LATER
        ),
        nothing,
    ),
    "a file of customers": (csv("key,name\nacct-6,Six\nacct-1,Another\n"), nothing),
    "a file of contacts": (
        csv("customer,email\nacct-7,new@example.net\n"),
        lambda: operations.add_customer(replace(customer("acct-7"), representative=None), **BY),
    ),
    "a file of users": (csv("key,customer,name\nu-9,acct-1,Sam\n"), nothing),
    "a file of acceptances": (
        csv("customer,contract,edition,accepted_at\nacct-1,K,2026-01,2026-01-05\n"), nothing,
    ),
    "a file of services": (csv("key,customer,kind\nsvc-8,acct-1,transit\n"), nothing),
    "a file of holdings": (
        csv("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-05,acct-1\n"), nothing,
    ),
    "a file of resources": (csv("resource,name,held_from,customer\nasn,64500,2026-01-05,acct-1\n"), nothing),
    "a file of sites": (
        csv("host_name,address,customer,since\nshop.example.net,198.51.100.9,acct-1,2026-01-05\n"), nothing,
    ),
    "published objects": (
        csv("aut-num: AS64501\norg: ORG-EX1\nsource: EXAMPLE\n"),
        lambda: operations.hold_resource(replace(VLAN, kind=ResourceKind.HANDLE, name="ORG-EX1", scope=""), **BY),
    ),
    "statistics": (
        csv("2|example|20260101|1|19830101|20260101|+0000\n"
            "example|ZZ|ipv4|198.51.100.128|16|20260102|assigned|opaque-1\n"),
        lambda: operations.hold_resource(replace(VLAN, kind=ResourceKind.HANDLE, name="opaque-1", scope=""), **BY),
    ),
    "NetBox": (netbox, nothing),
    "the customer system saves a customer": (delivery("customer.saved", customer={"key": "c-1", "name": "N"}), nothing),
    "the customer system ends a contract": (
        delivery("customer.standing", customer={"key": "acct-1", "standing": "terminated", "since": "2026-03-01"}),
        nothing,
    ),
    "the customer system saves a service": (
        delivery("service.saved", service={"key": "svc-7", "customer": "acct-1", "kind": "mail"}), nothing,
    ),
    "the customer system ends a service": (
        delivery("service.ended", service={"key": "svc-1-1"}),
        lambda: hold("198.51.100.7/32", "acct-1", service="svc-1-1"),
    ),
    "the customer system tells an acceptance": (
        delivery("policy.accepted", acceptance={"customer": "acct-1", "contract": "K", "edition": "2026-01",
                                                "accepted_at": "2026-01-05"}),
        nothing,
    ),
}  # fmt: skip


def believed() -> list[tuple[str, list[str]]]:
    """All that the registry believes now, without when it came to know it and by which change."""
    found = []
    for model in KEPT:
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT (to_jsonb(r) - '{{known_from,change,restored_from}}'::text[])::text FROM {table} r ORDER BY 1"
            )
            found.append((table, [row for (row,) in cursor.fetchall()]))
    return found


@pytest.mark.parametrize(("act", "before"), [pytest.param(*pair, id=name) for name, pair in ACTS.items()])
def test_it_is_one_change_on_record_that_is_undone_exactly_and_done_again(act, before) -> None:
    before()
    known = {change.key for change in queries.list_changes(limit=500)}
    stood = believed()
    act()
    new = [change.key for change in queries.list_changes(limit=500) if change.key not in known]
    assert len(new) == 1
    assert believed() != stood
    assert any(e.detail.get("change") == new[0] for e in recent(limit=500)), "the record says it, by its change"
    did = believed()
    undoing = operations.undo(new[0], at=NOW + timedelta(hours=2), actor="lena", why="a slip")
    assert believed() == stood
    assert any(e.what == "registry.undone" for e in recent(about=new[0], limit=5))
    operations.undo(undoing, at=NOW + timedelta(hours=3), actor="lena", why="no, it was right")
    assert believed() == did


def test_every_kept_table_is_written_by_one_of_these() -> None:
    """What is added to the registry later is to be tried here as well."""
    for name in ("addresses", "a user", "an edition is accepted", "a letter of authority", "a virtual host"):
        ACTS[name][0]()
    ACTS["a resource"][0]()
    ACTS["a list of subscribers"][0]()
    assert [table for table, rows in believed() if not rows] == []
