"""Nothing is overwritten, and every act can be undone."""

import importlib
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from django.db import ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tipstaff.ledger.queries import entries_about
from tipstaff.registry import changes, operations, queries
from tipstaff.registry.imports import read_sheet
from tipstaff.registry.models import ChangeRow, PastRow
from tipstaff.registry.operations import AlreadyUndone, ChangedSince, HeldTwice, NoSuchChange, UndoingRefused
from tipstaff.words import Origin, Representative, Standing

from .conftest import BY, NOW, customer, day, hold, row

pytestmark = pytest.mark.usefixtures("operator")

ADDRESS = ip_address("198.51.100.7")
LATER = {"at": NOW + timedelta(hours=1), "actor": "lena"}


def latest() -> str:
    return queries.list_changes(limit=1)[0].key


def undo(key: str | None = None, **more) -> str:
    return operations.undo(key or latest(), why="It was the wrong line.", **{**LATER, **more})


def holders(*, at=NOW, known_at=NOW) -> set[str | None]:
    return {h.customer for h in queries.holdings_as_known(ADDRESS, at=at, known_at=known_at)} - {None}


def test_what_was_believed_before_is_still_told():
    key = hold("198.51.100.7/32", "acct-1")
    operations.end_holding(key, held_until=day(20), **LATER)
    hold("198.51.100.7/32", "acct-2", held_from=day(70))
    before, after = NOW + timedelta(minutes=30), NOW + timedelta(hours=2)
    assert "acct-1" in holders(at=day(30), known_at=before)
    assert holders(at=day(10), known_at=after) == {"acct-1"}
    assert holders(at=day(30), known_at=after) == set()
    assert holders(at=day(75), known_at=after) == {"acct-2"}
    assert holders(at=day(10), known_at=NOW - timedelta(seconds=1)) == set()


def test_who_was_believed_to_hold_it_as_known_then():
    key = hold("198.51.100.7/32", "acct-1")
    operations.end_holding(key, held_until=day(20), **LATER)
    assert holders(at=day(30), known_at=NOW + timedelta(minutes=30)) == {"acct-1"}
    assert holders(at=day(30), known_at=NOW + timedelta(hours=2)) == set()
    versions = queries.versions_of_addresses(ip_network("198.51.100.7/32"))
    now, past = (version for version in versions if version.customer == "acct-1")
    assert (now.true_until, now.known_until) == (day(20), None)
    assert (past.true_until, past.known_from, past.known_until) == (None, NOW, LATER["at"])
    assert past.ended_by == now.change


def test_postgresql_keeps_what_a_writer_around_the_doors_overwrites():
    hold("198.51.100.7/32", "acct-1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_holdingrow SET customer_id = 'acct-2' WHERE customer_id = 'acct-1'")
        cursor.execute("DELETE FROM registry_holdingrow WHERE customer_id = 'acct-2'")
        cursor.execute(
            "SELECT body ->> 'customer_id' FROM registry_pastrow WHERE kept_table LIKE '%holding%' ORDER BY id"
        )
        assert cursor.fetchall() == [("acct-1",), ("acct-2",)]
    for sql in ("UPDATE registry_pastrow SET kept_key = ''", "DELETE FROM registry_pastrow"):
        with pytest.raises(ProgrammingError, match="is kept"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)


def test_no_table_of_what_is_kept_can_be_truncated():
    """All tests' tables may be, so the triggers are made anew here, as the migration makes them."""
    migration = importlib.import_module("tipstaff.registry.migrations.0011_no_truncate")
    kept = {model._meta.db_table for model in changes.KEPT} | {PastRow._meta.db_table, ChangeRow._meta.db_table}
    assert set(migration.KEPT) == kept
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(migration.TRIGGERS)
        for table in migration.KEPT:
            with pytest.raises(ProgrammingError, match=f"TRUNCATE of {table} is refused"), transaction.atomic():
                cursor.execute(f"TRUNCATE {table} CASCADE")


def test_an_ended_holding_is_open_again_after_undoing():
    key = hold("198.51.100.7/32", "acct-1")
    operations.end_holding(key, held_until=day(20), **BY)
    undone = latest()
    new = undo()
    assert [h.held_until for h in queries.holdings_of("acct-1", at=NOW)] == [None]
    change = queries.get_change(undone)
    assert change is not None
    assert change.undone_by == new
    entry = entries_about(undone)[-1]
    assert (entry.what, entry.actor, entry.detail["why"]) == ("registry.undone", "lena", "It was the wrong line.")


def test_an_undoing_is_undone_like_any_other_change():
    key = hold("198.51.100.7/32", "acct-1")
    operations.end_holding(key, held_until=day(20), **BY)
    undo(undo())
    assert queries.holdings_of("acct-1", at=NOW) == []
    assert len(queries.holdings_of("acct-1", at=day(10))) == 1


def test_what_was_added_is_gone_after_undoing_and_its_space_is_free():
    hold("198.51.100.7/32", "acct-1")
    added = latest()
    undo()
    assert queries.holdings_of("acct-1", at=NOW) == []
    hold("198.51.100.7/32", "acct-2")
    with pytest.raises(AlreadyUndone, match=f"{added} was undone by CH-"):
        undo(added)
    with pytest.raises(NoSuchChange):
        undo("CH-999999999")
    with pytest.raises(NoSuchChange):
        undo("the last one")


def test_what_was_changed_since_is_undone_in_its_order():
    operations.add_customer(replace(customer("acct-1"), name="First"), **BY)
    first = latest()
    operations.add_customer(replace(customer("acct-1"), name="Second"), **BY)
    second = latest()
    with pytest.raises(ChangedSince, match=f"undo {second} first"):
        undo(first)
    undo(second)
    undo(first)
    found = queries.get_customer("acct-1")
    assert found is not None
    assert found.name == "Customer acct-1"


def test_an_undoing_never_takes_from_who_holds_it_by_now():
    key = hold("198.51.100.7/32", "acct-1")
    operations.end_holding(key, held_until=day(20), **BY)
    ended = latest()
    hold("198.51.100.7/32", "acct-2", held_from=day(70))
    with pytest.raises(UndoingRefused, match="held by another by now"):
        undo(ended)
    assert holders(at=day(75), known_at=LATER["at"]) == {"acct-2"}


def test_a_customer_in_use_is_not_undone():
    operations.add_customer(customer("acct-7"), **BY)
    added = latest()
    hold("198.51.100.7/32", "acct-7")
    with pytest.raises(UndoingRefused):
        undo(added)
    assert queries.get_customer("acct-7") is not None


def test_a_whole_import_is_undone_at_once():
    text = "tier,kind,prefix,held_from,customer\n" + "".join(
        f"customer,static,198.51.100.{n},2026-01-01,acct-1\n" for n in range(50)
    )
    preview = operations.import_csv(text.splitlines(keepends=True), source_name="plan.csv", **BY)
    assert preview.change is not None
    undo(preview.change)
    assert queries.holdings_of("acct-1", at=NOW) == []
    again = operations.import_csv(text.splitlines(keepends=True), source_name="plan.csv", **BY)
    assert again.added == 50


def test_standing_representatives_and_services_come_back_too():
    before = (queries.get_customer("acct-1"), queries.representatives_of("acct-1"), queries.standings_of("acct-1"))
    operations.set_standing("acct-1", Standing.TERMINATED, since=day(30), why="It sent spam.", **BY)
    assert [p.standing for p in queries.standings_of("acct-1")] == [Standing.TERMINATED, Standing.GOOD]
    undo()
    chain = [Representative(name="A", email="a@example.net"), Representative(name="B", email="b@example.net")]
    operations.designate("acct-1", chain, **BY)
    undo()
    now = (queries.get_customer("acct-1"), queries.representatives_of("acct-1"), queries.standings_of("acct-1"))
    assert now == before


# --- manual beats automatic


def take_in(text: str, **more):
    return operations.import_csv(text.splitlines(keepends=True), source_name="crm.csv", **{**BY, **more})


def test_an_import_leaves_a_customers_field_that_a_person_has_set():
    take_in("key,name,phone\nacct-5,Example Bakery,+49 30 0000\n")
    found = queries.get_customer("acct-5")
    assert found is not None
    operations.add_customer(replace(found, name="Example Bakery Ltd"), **BY)
    preview = take_in("key,name,phone\nacct-5,Example Bakery,+49 30 1111\n")
    assert preview.changed == 1
    assert [k.why for k in preview.kept] == [
        'Customer acct-5, Example Bakery: name stays "Example Bakery Ltd", which a person has set, and not '
        '"Example Bakery".'
    ]
    kept = queries.get_customer("acct-5")
    assert kept is not None
    assert (kept.name, kept.phone) == ("Example Bakery Ltd", "+49 30 1111")


def test_an_import_leaves_a_holding_that_a_person_has_ended_or_given():
    take_in("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-1\n")
    (held,) = queries.holdings_of("acct-1", at=NOW)
    operations.end_holding(held.key, held_until=day(20), **LATER)
    hold("198.51.100.7/32", "acct-2", held_from=day(70))
    preview = take_in(
        "tier,kind,prefix,held_from,held_until,customer\n"
        "customer,static,198.51.100.7,2026-01-01,,acct-1\n"
        "customer,static,198.51.100.8,2026-01-01,,acct-1\n"
    )
    assert (preview.applied, preview.added, preview.refused) == (True, 1, ())
    assert [k.line for k in preview.kept] == [2]
    assert "and that stands" in preview.kept[0].why
    assert {str(h.prefix) for h in queries.holdings_of("acct-1", at=NOW)} == {"198.51.100.8/32"}
    assert {str(h.prefix) for h in queries.holdings_of("acct-2", at=day(75))} == {"198.51.100.7/32"}


def test_what_an_import_has_set_another_import_may_change():
    take_in("key,name\nacct-5,Example Bakery\n")
    assert take_in("key,name\nacct-5,Example Bakers\n").kept == ()
    found = queries.get_customer("acct-5")
    assert found is not None
    assert found.name == "Example Bakers"
    change = queries.changes_of("acct-5")[0]
    assert (change.origin, change.source, change.actor) == (Origin.IMPORT, "crm.csv", "engineer")


def test_the_chain_of_contacts_that_a_person_has_set_stands_as_a_whole():
    header = "customer,email,place,name\n"
    assert take_in("key,name\nacct-5,Example Bakery\n").applied
    assert take_in(header + "acct-5,desk@example.net,1,Desk\n").added == 1
    chain = queries.representatives_of("acct-5")
    # A second contact of a person's makes the chain theirs, the first contact too.
    operations.designate("acct-5", [*chain, Representative(name="Ada", email="ada@example.net")], **BY)
    preview = take_in(header + "acct-5,other@example.net,1,Other\n")
    assert [k.why for k in preview.kept] == [
        "Representatives of acct-5: the representatives of acct-5 stay as a person has set them."
    ]
    preview = take_in("key,name,representative_email\nacct-5,Example Bakery,other@example.net\n")
    assert "the representative stays desk@example.net" in preview.kept[0].why
    assert [p.email for p in queries.representatives_of("acct-5")] == ["desk@example.net", "ada@example.net"]
    # Nobody is an answer, too.
    operations.designate("acct-5", [], **BY)
    assert len(take_in(header + "acct-5,desk@example.net,1,Desk\n").kept) == 1
    preview = take_in("key,name,representative_email\nacct-5,Example Bakery,other@example.net\n")
    assert "the representative stays nobody" in preview.kept[0].why
    assert queries.representatives_of("acct-5") == []
    undo()
    assert len(queries.representatives_of("acct-5")) == 2


def test_an_import_leaves_a_services_field_that_a_person_has_set():
    header = "key,customer,kind,label,port\n"
    take_in(header + "svc-5,acct-1,access,Shop,sw-1:1\n")
    operations.add_service(replace(queries.services_of("acct-1")[-1], port="sw-2:7"), **BY)
    preview = take_in(header + "svc-5,acct-1,access,Shop floor,sw-1:1\n")
    assert [k.why for k in preview.kept] == [
        'Service svc-5 of acct-1: port stays "sw-2:7", which a person has set, and not "sw-1:1".'
    ]
    kept = queries.services_of("acct-1")[-1]
    assert (kept.label, kept.port) == ("Shop floor", "sw-2:7")


SITE = "host_name,address,customer,since,until\nshop.example.net,198.51.100.7,{},{},{}\n"
DOMAIN = "resource,name,customer,held_from,held_until\ndomain,shop.example.net,{},{},{}\n"


@pytest.mark.parametrize("file", [SITE, DOMAIN])
def test_an_import_leaves_a_site_or_resource_that_a_person_has_ended_or_given(file):
    """A person ended acct-1's and gave it to acct-2; the file still has it as acct-1's, and later as acct-3's."""

    def holders(at: datetime) -> list[str | None]:
        if file is SITE:
            return [s.customer for s in queries.sites_named("shop.example.net", at=at)]
        held = [r for who in ("acct-1", "acct-2", "acct-3") for r in queries.resources_of(who, at=at)]
        return [r.customer for r in held if r.name == "shop.example.net"]

    def by_hand(who: str, since: str, until: str) -> None:
        sheet = read_sheet(file.format(who, since, until).splitlines(keepends=True), source_name="desk")
        assert operations.take_in(sheet, origin=Origin.PERSON, **BY).applied

    assert take_in(file.format("acct-1", "2026-01-01", "")).added == 1
    by_hand("acct-1", "2026-01-01", "2026-01-20")
    by_hand("acct-2", "2026-01-21", "")
    other = file.replace("shop.example.net", "new.example.net").format("acct-1", "2026-01-01", "").splitlines(True)[1]
    for said in (("acct-1", "2026-01-01", ""), ("acct-3", "2026-01-19", ""), ("acct-3", "2026-02-01", "")):
        preview = take_in(file.format(*said) + other)
        assert (preview.applied, preview.refused, [k.line for k in preview.kept]) == (True, (), [2])
        assert "and that stands" in preview.kept[0].why
    assert [holders(day(n)) for n in (10, 19.5, 30)] == [["acct-1"], [], ["acct-2"]]


def test_a_systems_end_of_a_service_ends_nothing_that_a_person_has_set():
    crm = {**LATER, "actor": "customer-system", "origin": Origin.CRM}
    hold("198.51.100.7/32", "acct-1", service="svc-1-1")
    take_in("tier,kind,prefix,held_from,customer,service\ncustomer,static,198.51.100.8,2026-01-01,acct-1,svc-1-1\n")
    ended = operations.end_service("svc-1-1", held_until=day(20), **crm)
    assert ended.holdings == 1
    stays = "198.51.100.7 for acct-1 from 2026-01-01 00:00 UTC (registry) stays as a person has set it"
    assert ended.kept == (f"{stays}, but names nobody since 2026-01-21",)
    refused = take_in("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-25,acct-2\n")
    assert "svc-1-1 has ended on 2026-01-21" in refused.kept[0].why
    address = ip_address("198.51.100.7")
    for n, holder in ((19, ["acct-1"]), (30, [])):
        one = queries.holdings_covering(address, earliest=day(n), latest=day(n))
        many = queries.holdings_covering_all([address], earliest=day(n), latest=day(n))[address]
        assert one == many
        assert [h.customer for h in one if h.customer] == holder, n
    over_the_end = queries.holdings_covering(address, earliest=day(19), latest=day(30))
    assert [h.held_until for h in over_the_end if h.customer] == [day(20)]
    assert [str(h.prefix) for h in queries.holdings_of("acct-1", at=day(30))] == ["198.51.100.7/32"]
    # A person's own word ends both; after it no system tells otherwise.
    assert operations.end_service("svc-1-1", held_until=day(15), **LATER).holdings == 2
    assert queries.holdings_of("acct-1", at=day(16)) == []
    again = operations.end_service("svc-1-1", held_until=day(5), **crm)
    assert (again.holdings, again.kept) == (0, ("the service svc-1-1 ended on 2026-01-16, as a person has said",))
    assert len(queries.holdings_of("acct-1", at=day(10))) == 2


# --- a model of the whole: any sequence of acts, undone backwards, leads back to where it began

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "end", "rename", "standing", "contacts"]),
        st.integers(0, 3),
        st.sampled_from(["acct-1", "acct-2"]),
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=8,
)


def picture() -> object:
    return [
        (queries.get_customer(key), queries.representatives_of(key), queries.standings_of(key),
         [replace(h, key=0) for h in queries.all_holdings_of(key)])
        for key in ("acct-1", "acct-2")
    ]  # fmt: skip


def act(kind: str, place: int, who: str, number: int) -> None:
    if kind == "hold":
        hold(f"198.51.100.{place}/32", who, held_from=day(number), held_until=day(number + 5))
    elif kind == "end":
        held = queries.all_holdings_of(who)
        if held:
            operations.end_holding(held[place % len(held)].key, held_until=day(number + 1), **BY)
    elif kind == "rename":
        operations.add_customer(replace(customer(who), name=f"Name {number}"), **BY)
    elif kind == "standing":
        operations.set_standing(who, list(Standing)[place % 3], since=day(number), why="", **BY)
    else:
        operations.designate(who, [Representative(name=str(n), email=f"n{n}@example.net") for n in range(place)], **BY)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_any_acts_undone_backwards_lead_back_step_by_step(acts):
    with transaction.atomic():
        seen = {change.key for change in queries.list_changes(limit=1000)}
        pictures = []
        for kind, place, who, number in acts:
            before = picture()
            try:
                with transaction.atomic():
                    act(kind, place, who, number)
            except (HeldTwice, operations.NotAHolding):
                continue
            if queries.list_changes(limit=1)[0].key not in seen:
                pictures.append((queries.list_changes(limit=1)[0].key, before))
                seen.add(pictures[-1][0])
        for key, before in reversed(pictures):
            undo(key)
            assert picture() == before
        transaction.set_rollback(True)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_what_is_asked_of_the_past_is_what_was_answered_then(acts):
    """The oracle: the answers of each moment, written down when they were the present."""
    addresses = [ip_address(f"198.51.100.{n}") for n in range(4)]
    moments = [day(n) for n in range(0, 46, 5)]

    def answers_now() -> list[set[tuple[str, str | None]]]:
        return [
            {(str(h.prefix), h.customer) for h in queries.holdings_covering(a, earliest=m, latest=m)}
            for a in addresses
            for m in moments
        ]

    with transaction.atomic():
        written = []
        for number, (kind, place, who, days) in enumerate(acts, 1):
            at = NOW + timedelta(minutes=number)
            try:
                with transaction.atomic():
                    if kind in ("hold", "rename"):
                        operations.add_holdings(
                            [row(f"198.51.100.{place}/32", who, held_from=day(days), held_until=day(days + 9))],
                            at=at, actor="lena",
                        )  # fmt: skip
                    elif kind == "end" and (held := queries.all_holdings_of(who)):
                        until = day(days + 2)
                        operations.end_holding(held[place % len(held)].key, held_until=until, at=at, actor="lena")
                    elif kind in ("standing", "contacts"):
                        changes = queries.list_changes(limit=3)
                        operations.undo(changes[place % len(changes)].key, why="", at=at, actor="lena")
            except (HeldTwice, operations.NotAHolding, AlreadyUndone, ChangedSince, UndoingRefused):
                pass
            written.append((at, answers_now()))
        for at, then in written:
            asked = [
                {(str(h.prefix), h.customer) for h in queries.holdings_as_known(a, at=m, known_at=at)}
                for a in addresses
                for m in moments
            ]
            assert asked == then
        transaction.set_rollback(True)
