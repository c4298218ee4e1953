from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.ledger.queries import entries_about
from tipstaff.registry import operations, queries
from tipstaff.registry.names import SCOPED, NotInItsForm, plain_name, plain_scope
from tipstaff.registry.operations import (
    NotALetter,
    NotAResource,
    NotTheCustomersService,
    ResourceHeldTwice,
    TransferNeedsALetter,
    UndoingRefused,
    UnknownKey,
)
from tipstaff.words import Customer, HoldingKind, Resource, ResourceKind, Standing, Tier

from .conftest import BY, NOW, day, hold, row

pytestmark = pytest.mark.usefixtures("operator")

ONE_OF_EACH = [
    (ResourceKind.ASN, "", "64500", "AS64500"),
    (ResourceKind.VLAN, "SW-1", "0100", "100"),
    (ResourceKind.PORT, "sw-1", "Ethernet1/12", "Ethernet1/12"),
    (ResourceKind.BGP_SESSION, "edge1", "2001:DB8::1", "2001:db8::1"),
    (ResourceKind.ROUTE, "", "198.51.100.0/24 as64500", "198.51.100.0/24 AS64500"),
    (ResourceKind.DOMAIN, "", "Shop.Example.NET.", "shop.example.net"),
    (ResourceKind.MAILBOX, "", "Info@Example.net", "info@example.net"),
    (ResourceKind.LOGIN, "radius", "line-7", "line-7"),
    (ResourceKind.CIRCUIT, "", "C-4711", "C-4711"),
    (ResourceKind.MAC, "", "0200.5E10.0000", "02:00:5e:10:00:00"),
    (ResourceKind.HANDLE, "", "org-ex1-example", "ORG-EX1-EXAMPLE"),
]


def thing(kind=ResourceKind.ASN, name="AS64500", holder: str | None = "acct-1", **more) -> Resource:
    more.setdefault("held_from", day(0))
    return Resource(kind=kind, name=name, customer=holder, **more)


def give(*args, **more) -> int:
    return operations.hold_resource(thing(*args, **more), **BY)


@pytest.mark.parametrize(("kind", "scope", "name", "plain"), ONE_OF_EACH)
def test_every_kind_is_held_by_one_at_a_time_and_found_again(kind, scope, name, plain):
    give(kind, name, scope=scope)
    with pytest.raises(ResourceHeldTwice, match=r"for acct-2 .* overlaps .* for acct-1"):
        give(kind, plain, "acct-2", scope=scope, held_from=day(5))
    (found,) = queries.resource_holders(kind, name, at=NOW)
    assert (found.name, found.customer) == (plain, "acct-1")
    operations.end_resource(found.key, held_until=day(5), **BY)
    give(kind, plain, "acct-2", scope=scope, held_from=day(5))
    assert [r.customer for r in queries.resource_holders(kind, plain, scope=scope, at=day(4))] == ["acct-1"]
    assert [r.customer for r in queries.resource_holders(kind, plain, scope=scope, at=NOW)] == ["acct-2"]


def test_every_kind_of_resource_is_tried_above():
    assert {kind for kind, *_ in ONE_OF_EACH} == set(ResourceKind)


def test_the_same_number_in_another_scope_or_tier_is_another_thing():
    give(ResourceKind.VLAN, "100", scope="sw-1")
    give(ResourceKind.VLAN, "100", "acct-2", scope="sw-2")
    give(ResourceKind.VLAN, "100", None, scope="sw-1", tier=Tier.OPERATOR)
    assert {r.customer for r in queries.resource_holders(ResourceKind.VLAN, "100", scope="sw-1", at=NOW)} == {
        "acct-1", None,
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "scope", "name", "plain"), ONE_OF_EACH)
def test_postgresql_itself_refuses_a_second_holder_of_every_kind(kind, scope, name, plain):
    give(kind, name, scope=scope)
    row = """
    INSERT INTO registry_resourcerow (kind, name, scope, tier, customer_id, during, source)
    VALUES (%s, %s, %s, 'customer', 'acct-2', tstzrange(%s, %s), '')
    """
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError, match="registry_resource_held_once"), transaction.atomic():
            cursor.execute(row, [kind, plain, scope.lower(), day(5), None])
        cursor.execute(row, [kind, plain, scope.lower(), day(-5), day(0)])


def test_who_held_it_is_told_as_it_was_known_then():
    key = give()
    operations.end_resource(key, held_until=day(3), at=NOW + timedelta(hours=1), actor="lena")
    asked = {"at": day(10), "known_at": NOW + timedelta(minutes=1)}
    assert [r.customer for r in queries.resource_holders(ResourceKind.ASN, "64500", **asked)] == ["acct-1"]
    assert queries.resource_holders(ResourceKind.ASN, "64500", at=day(10), known_at=NOW + timedelta(hours=2)) == []
    assert [v.known_until for v in queries.versions_of_resource(ResourceKind.ASN, "64500")] == [
        None, NOW + timedelta(hours=1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "scope"),
    [
        (ResourceKind.ASN, "AS0", ""),
        (ResourceKind.ASN, "AS4294967296", ""),
        (ResourceKind.ASN, "example", ""),
        (ResourceKind.VLAN, "4095", "sw-1"),
        (ResourceKind.VLAN, "100", ""),
        (ResourceKind.MAC, "02:00:5e", ""),
        (ResourceKind.DOMAIN, "a b", ""),
        (ResourceKind.MAILBOX, "nobody", ""),
        (ResourceKind.BGP_SESSION, "edge", "edge1"),
        (ResourceKind.ROUTE, "198.51.100.1/24 AS64500", ""),
        (ResourceKind.CIRCUIT, " ", ""),
        (ResourceKind.LOGIN, "a\nb", "radius"),
    ],
)
def test_a_name_out_of_form_is_refused_with_a_sentence(kind, name, scope):
    with pytest.raises(NotAResource) as refused:
        give(kind, name, scope=scope)
    assert len(str(refused.value)) > 20


def test_a_resource_has_a_known_holder_and_an_end_after_its_beginning():
    with pytest.raises(UnknownKey):
        give(holder="acct-404")
    with pytest.raises(NotTheCustomersService):
        give(service="svc-2-1")
    with pytest.raises(NotAResource):
        give(held_until=day(0))
    with pytest.raises(NotAResource):
        give(tier=Tier.OPERATOR)
    key = give()
    assert give() == key
    with pytest.raises(NotAResource):
        operations.end_resource(key, held_until=day(-1), **BY)


@given(kind=st.sampled_from(ResourceKind), text=st.text(max_size=40))
def test_a_plain_name_is_plain_already(kind, text):
    try:
        once = plain_name(kind, text)
    except NotInItsForm:
        return
    assert plain_name(kind, once) == once


@given(number=st.integers(1, 2**32 - 1))
def test_an_as_number_has_one_name_however_it_is_written(number):
    dotted = f"{number >> 16}.{number & 0xFFFF}"
    assert {plain_name(ResourceKind.ASN, text) for text in (str(number), f"as{number}", dotted)} == {f"AS{number}"}


@given(octets=st.binary(min_size=6, max_size=6))
def test_a_hardware_address_has_one_name_however_it_is_written(octets):
    spellings = (octets.hex(), octets.hex(":"), octets.hex("-").upper(), octets.hex(".", 2))
    assert {plain_name(ResourceKind.MAC, text) for text in spellings} == {octets.hex(":")}


def test_kinds_that_mean_nothing_alone_need_a_scope():
    for kind in SCOPED:
        with pytest.raises(NotInItsForm, match="needs a scope"):
            plain_scope(kind, " ")


def test_resources_come_in_by_csv_end_and_are_refused_by_line():
    header = "resource,name,scope,customer,held_from,held_until\n"
    rows = "asn,64500,,acct-1,2026-01-01,\nvlan,100,sw-1,acct-2,2026-01-01,\n"
    preview = operations.import_csv((header + rows).splitlines(True), source_name="things.csv", **BY)
    assert (preview.kind, preview.added, preview.refused) == ("resources", 2, ())
    again = operations.import_csv((header + rows).splitlines(True), source_name="things.csv", **BY)
    assert (again.unchanged, again.change) == (2, None)
    ended = rows.replace("2026-01-01,\nvlan", "2026-01-01,2026-02-01\nvlan")
    preview = operations.import_csv((header + ended).splitlines(True), source_name="things.csv", **BY)
    assert (preview.changed, preview.unchanged) == (1, 1)
    bad = header + "vlan,100,sw-1,acct-1,2026-01-05,\nvlan,9999,sw-1,acct-1,2026-01-05,\n"
    preview = operations.import_csv(bad.splitlines(True), source_name="things.csv", **BY)
    assert [r.line for r in preview.refused] == [2, 3]
    assert "overlaps vlan 100 on sw-1 for acct-2" in preview.refused[0].why
    assert queries.resources_of("acct-1", at=NOW) == []
    assert [r.name for r in queries.resources_of("acct-1")] == ["AS64500"]


# --- letters of authority


def letter(holder="acct-2", prefixes=("198.51.100.0/25",), **more):
    more.setdefault("valid_from", day(0))
    return operations.add_letter(
        issuer="Example Network", customer=holder, prefixes=[ip_network(p) for p in prefixes],
        file_name="loa.pdf", digest="ab" * 32, **more, **BY,
    )  # fmt: skip


def test_addresses_move_between_customers_only_by_a_letter():
    key = hold("198.51.100.8/29", "acct-1")
    with pytest.raises(TransferNeedsALetter, match="only by a letter of authority that is valid on 2026-01-21"):
        operations.transfer_holding(key, to="acct-2", since=day(20), **BY)
    for unfit in (
        {"holder": "acct-3"}, {"prefixes": ("198.51.100.8/30",)}, {"valid_from": day(21)}, {"valid_until": day(20)},
    ):  # fmt: skip
        letter(**unfit)
        with pytest.raises(TransferNeedsALetter):
            operations.transfer_holding(key, to="acct-2", since=day(20), **BY)
    filed = letter()
    operations.transfer_holding(key, to="acct-2", since=day(20), **BY)
    assert [str(h.prefix) for h in queries.holdings_of("acct-1", at=day(19))] == ["198.51.100.8/29"]
    assert queries.holdings_of("acct-1", at=day(20)) == []
    (moved,) = queries.holdings_of("acct-2", at=day(20))
    assert moved.source == f"transfer by {filed.key}"
    entry = next(e for e in entries_about("acct-2") if e.what == "holding.transferred")
    assert entry.detail["letter"] == filed.key
    change = queries.list_changes(limit=1)[0]
    operations.undo(change.key, why="", **BY)
    assert [h.held_until for h in queries.holdings_of("acct-1", at=day(20))] == [None]


def test_a_file_does_not_move_addresses_without_a_letter():
    header = "tier,kind,prefix,held_from,held_until,customer\n"
    operations.import_csv([header, "customer,static,198.51.100.8/29,2026-01-01,,acct-1\n"], source_name="a.csv", **BY)
    moving = [
        header,
        "customer,static,198.51.100.8/29,2026-01-01,2026-02-01,acct-1\n",
        "customer,static,198.51.100.8/29,2026-02-01,,acct-2\n",
    ]
    preview = operations.import_csv(moving, source_name="a.csv", **BY)
    assert [r.line for r in preview.refused] == [3]
    assert "would go from acct-1 to acct-2 without a letter of authority" in preview.refused[0].why
    assert [h.held_until for h in queries.holdings_of("acct-1", at=NOW)] == [None]
    letter()
    assert operations.import_csv(moving, source_name="a.csv", **BY).applied
    assert len(queries.holdings_of("acct-2", at=NOW)) == 1


PREFIX, HEADER = "198.51.100.8/29", "tier,kind,prefix,held_from,held_until,customer\n"


def sheet(*rows: str):
    """The refusals of a file of holdings."""
    preview = operations.import_csv([HEADER, *(f"{row}\n" for row in rows)], source_name="a.csv", **BY)
    return [refused.why for refused in preview.refused]


@pytest.mark.parametrize(
    ("tier", "was", "becomes", "first", "second"),
    [
        (Tier.CUSTOMER, HoldingKind.STATIC, HoldingKind.STATIC, "acct-1", "acct-2"),
        (Tier.CUSTOMER, HoldingKind.LEASE, HoldingKind.STATIC, "acct-1", "acct-2"),
        (Tier.CUSTOMER, HoldingKind.STATIC, HoldingKind.LEASE, "acct-1", "acct-2"),
        (Tier.RESELLER, HoldingKind.DELEGATED, HoldingKind.STATIC, "acct-9", "acct-8"),
    ],
)
@pytest.mark.parametrize("between", [timedelta(0), timedelta(seconds=1), timedelta(hours=23)])
def test_by_whatever_way_addresses_are_taken_they_move_only_by_a_letter(tier, was, becomes, first, second, between):
    operations.add_customer(Customer(key="acct-8", name="Another", representative=None, is_reseller=True), **BY)
    assert sheet(f"{tier},{was},{PREFIX},{day(0).isoformat()},,{first}") == []
    ended, begins = day(20), day(20) + between
    given = {"tier": tier, "kind": becomes, "held_from": begins}
    # In one file, in two, and by hand.
    told = [f"{tier},{was},{PREFIX},{day(0).isoformat()},{ended.isoformat()},{first}"]
    told.append(f"{tier},{becomes},198.51.100.8/30,{begins.isoformat()},,{second}")
    assert len(sheet(*told)) == 1
    assert sheet(told[0]) == []
    assert "would go from" in sheet(told[1])[0]
    with pytest.raises(TransferNeedsALetter, match=f"198.51.100.8/30 would go from {first} to {second} without"):
        hold("198.51.100.8/30", second, **given)
    with pytest.raises(TransferNeedsALetter):
        operations.add_holdings([row("198.51.100.8/30", second, source="many", **given)], **BY)
    assert queries.holdings_of(second, at=begins) == []
    # Given back for a day since it was told, or with a letter, or to whoever had them, they are given out.
    assert hold("198.51.100.8/32", second, **{**given, "held_from": NOW + timedelta(days=1)})
    assert hold("198.51.100.9/32", first, **given)
    letter(second)
    assert hold("198.51.100.10/31", second, **given)


def test_an_end_told_for_an_earlier_day_does_not_make_a_transfer_of_it():
    key = hold("198.51.100.8/29", "acct-1")
    operations.end_holding(key, held_until=NOW - timedelta(days=2), **BY)
    for since in (NOW - timedelta(days=1), NOW, NOW + timedelta(hours=23)):
        with pytest.raises(TransferNeedsALetter):
            hold("198.51.100.8/29", "acct-2", held_from=since)
        with pytest.raises(TransferNeedsALetter):  # Nor another tier.
            hold("198.51.100.8/29", "acct-9", tier=Tier.RESELLER, held_from=since)
    assert hold("198.51.100.8/29", "acct-2", held_from=NOW + timedelta(days=1))


def test_between_a_reseller_and_those_below_nothing_moves():
    key = hold("198.51.100.8/29", "acct-3")
    operations.end_holding(key, held_until=day(20), **BY)
    assert hold("198.51.100.8/29", "acct-9", tier=Tier.RESELLER, held_from=day(20))


def test_a_letter_by_which_addresses_were_transferred_is_not_undone():
    key = hold("198.51.100.8/29", "acct-1")
    letter()
    filed = queries.list_changes(limit=1)[0].key
    operations.transfer_holding(key, to="acct-2", since=NOW, **BY)
    moved = queries.list_changes(limit=1)[0].key
    with pytest.raises(UndoingRefused, match=rf"by LOA-\d+, which it filed, .* went to acct-2; undo {moved} first"):
        operations.undo(filed, why="a slip", **BY)
    assert queries.letters_of_authority("acct-2")
    operations.undo(moved, why="a slip", **BY)
    operations.undo(filed, why="a slip", **BY)
    assert not queries.letters_of_authority("acct-2")


def test_what_ended_as_agreed_or_with_its_service_was_taken_from_nobody():
    hold("198.51.100.8/32", "acct-1", held_until=day(20))
    hold("198.51.100.9/32", "acct-1", service="svc-1-1")
    operations.end_service("svc-1-1", held_until=day(20), **BY)
    for address in ("198.51.100.8/32", "198.51.100.9/32"):
        assert hold(address, "acct-2", held_from=day(20))
    lease = hold("198.51.100.10/32", "acct-1", kind=HoldingKind.LEASE)
    operations.end_holding(lease, held_until=day(20), **BY)
    assert hold("198.51.100.10/32", "acct-2", kind=HoldingKind.LEASE, held_from=day(20))
    gone = hold("198.51.100.11/32", "acct-1")
    operations.end_holding(gone, held_until=day(20), **BY)
    operations.set_standing("acct-1", Standing.TERMINATED, since=day(20), why="spam", **BY)
    assert hold("198.51.100.11/32", "acct-2", held_from=day(20))


def test_a_letter_names_an_issuer_prefixes_and_a_file():
    filed = letter()
    assert letter() == filed
    assert queries.letters_of_authority("acct-2") == [filed]
    with pytest.raises(NotALetter):
        letter(prefixes=())
    with pytest.raises(NotALetter):
        letter(valid_until=day(0))
    with pytest.raises(UnknownKey):
        letter("acct-404")
    assert replace(filed, key="").digest == "ab" * 32
