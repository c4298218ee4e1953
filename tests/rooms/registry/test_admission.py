"""A person decides who is let in, with a reason, and is asked once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import admission, registering
from tipstaff.registry import operations, queries
from tipstaff.registry.operations import DecisionNeedsAReason, NoSuchAdmission
from tipstaff.words import (
    AdmissionState,
    ConcernKind,
    Customer,
    ListKind,
    Representative,
    Resource,
    ResourceKind,
    Standing,
)

from .conftest import BY, day

pytestmark = pytest.mark.usefixtures("operator")

GOOD = Customer(
    key="new-1",
    name="Example Bakery Ltd",
    representative=Representative(name="Ada", email="it@bakery.example.com"),
    phone="+49 30 000000",
    email="office@bakery.example.com",
    postal_address="Example Street 1, 10115 Berlin",
    country="DE",
)


def waiting() -> list[str]:
    return [a.customer for a in queries.list_admissions(state=AdmissionState.WAITING)]


def aliases(*lines: str) -> tuple[int, int]:
    return admission.load_list(ListKind.ALIASES, [f"{line}\n" for line in lines], file_name="aliases.txt", **BY)


def test_a_new_customer_without_a_concern_waits_for_nobody():
    registering.save_customer(GOOD, **BY)
    (clear,) = queries.list_admissions(customer="new-1")
    assert (clear.state, clear.concerns) == (AdmissionState.CLEAR, ())
    assert waiting() == []


def test_a_matched_name_is_put_to_a_person_who_decides_with_a_reason():
    aliases("Specimen Spam Works; Example Bakery")
    registering.save_customer(GOOD, **BY)
    (asked,) = queries.list_admissions(customer="new-1")
    assert [c.kind for c in asked.concerns] == [ConcernKind.ALIAS_MATCH]
    assert asked.lists == ("aliases of 2026-03-10",)
    found = queries.get_customer("new-1")
    assert found is not None
    assert found.standing is Standing.GOOD, "nothing is decided by a match"
    with pytest.raises(DecisionNeedsAReason):
        admission.decide(asked.key, accept=False, why="  ", **BY)
    admission.decide(asked.key, accept=True, why="Another bakery: I saw the register.", **BY)
    with pytest.raises(NoSuchAdmission):
        admission.decide(asked.key, accept=False, why="Again.", **BY)
    entry = entries_about("new-1")[-1]
    assert (entry.what, entry.actor, entry.detail["why"]) == (
        "admission.accepted", "engineer", "Another bakery: I saw the register.",
    )  # fmt: skip


def test_what_was_decided_is_not_asked_again_until_something_new_is_seen():
    aliases("Example Bakery")
    registering.save_customer(GOOD, **BY)
    admission.decide(queries.list_admissions(customer="new-1")[0].key, accept=True, why="Seen.", **BY)
    registering.save_customer(replace(GOOD, email="new@bakery.example.com"), **BY)
    admission.vet_all(**BY)
    assert "new-1" not in waiting()
    aliases("Example Bakery", "Bakery of Example")
    assert "new-1" in waiting()


def test_whoever_was_terminated_is_known_under_another_name():
    registering.save_customer(GOOD, **BY)
    registering.set_standing("new-1", Standing.TERMINATED, since=day(30), why="Spam.", **BY)
    other = replace(
        GOOD, key="new-2", name="Quite Another Shop", email="x@shop.example.com", postal_address="Road 9, Bonn"
    )
    registering.save_customer(replace(other, representative=Representative(name="B", email="b@shop.example.com")), **BY)
    (asked,) = queries.list_admissions(customer="new-2")
    assert [c.against for c in asked.concerns] == ["new-1"]
    assert "was terminated on 2026-01-31: both use the telephone number" in asked.concerns[0].explanation


def test_whoever_was_refused_is_known_again_too():
    aliases("Example Bakery")
    registering.save_customer(GOOD, **BY)
    admission.decide(queries.list_admissions(customer="new-1")[0].key, accept=False, why="It is them.", **BY)
    aliases("Nobody at all")
    registering.save_customer(replace(GOOD, key="new-2", name="Other Name"), **BY)
    (asked,) = queries.list_admissions(customer="new-2")
    assert "new-1, Example Bakery Ltd, was refused on 2026-03-10" in asked.concerns[0].explanation


def test_a_number_on_the_asn_drop_list_is_seen_when_it_is_brought_and_when_the_list_changes():
    registering.save_customer(GOOD, **BY)
    admission.load_list(ListKind.ASN_DROP, ["AS64500 ; EXAMPLE\n"], file_name="asndrop.txt", **BY)
    registering.hold_resource(Resource(kind=ResourceKind.ASN, name="AS64500", customer="new-1", held_from=day(0)), **BY)
    assert "new-1" in waiting()
    registering.hold_resource(
        Resource(kind=ResourceKind.ASN, name="AS64501", customer="acct-1", held_from=day(0)), **BY
    )
    admission.load_list(ListKind.ASN_DROP, ["AS64501 ; EXAMPLE\n"], file_name="asndrop.txt", **BY)
    kinds = {c.kind for c in queries.list_admissions(customer="acct-1")[0].concerns}
    assert ConcernKind.DROP_ASN in kinds
    assert "new-1" not in waiting(), "the list no longer names it"


def test_a_letters_prefix_on_the_drop_list_is_seen():
    from ipaddress import ip_network

    registering.save_customer(GOOD, **BY)
    admission.load_list(ListKind.DROP, ['{"cidr":"203.0.113.0/24","sblid":"SBL1"}\n'], file_name="drop.json", **BY)
    registering.file_letter(
        issuer="Example", customer="new-1", prefixes=[ip_network("203.0.113.0/25")], valid_from=day(0),
        valid_until=None, file_name="loa.pdf", content=b"%PDF", **BY,
    )  # fmt: skip
    (asked,) = queries.list_admissions(customer="new-1", limit=1)
    assert [c.kind for c in asked.concerns] == [ConcernKind.DROP_PREFIX]


def test_customers_of_a_file_are_vetted_when_they_come_in():
    aliases("Example Bakery")
    text = (
        "key,name,phone,email,postal_address,country,representative_email\n"
        'imp-1,Example Bakery,+49 30 0000,a@b.example.com,"Street 1, Berlin",DE,a@b.example.com\n'
        'imp-2,Sample Clinic,+49 30 1111,c@d.example.com,"Street 2, Berlin",DE,c@d.example.com\n'
    )
    preview = admission.import_registry(text.splitlines(True), source_name="c.csv", **BY)
    assert preview.applied
    assert waiting() == ["imp-1"]
    assert [a.state for a in queries.list_admissions(customer="imp-2")] == [AdmissionState.CLEAR]
    assert queries.count_waiting_admissions() == 1


def test_a_file_of_those_who_are_customers_already_asks_nobody_about_their_orders() -> None:
    text = "key,name,representative_name,representative_email\nnew-7,Sample Choir,Ada,it@choir.example.com\n"
    assert admission.import_registry(text.splitlines(True), source_name="customers.csv", **BY).applied
    assert queries.get_customer("new-7") is not None
    assert waiting() == []
    alone = admission.vet_customer("new-7", **BY)
    assert ConcernKind.ORDER_INCOMPLETE in {c.kind for c in alone.concerns}


def _number_by_file() -> str:
    text = "resource,name,held_from,customer\nasn,AS64500,2026-01-01,acct-1\n"
    change = admission.import_registry(text.splitlines(True), source_name="resources.csv", **BY).change
    assert change is not None
    return change


def _number_by_publication() -> None:
    handle = Resource(kind=ResourceKind.HANDLE, name="EX-BAKERY", customer="acct-1", held_from=day(0))
    operations.hold_resource(handle, **BY)
    text = "aut-num:        AS64500\nas-name:        EX-BAKERY\nsource:         EXAMPLE\n"
    assert admission.import_registry(text.splitlines(True), source_name="whois.txt", **BY).applied


def _number_by_undoing() -> None:
    ended = registering.undo(_number_by_file(), why="A slip.", **BY)
    operations.open_admission("acct-1", (), lists=(), **BY)
    registering.undo(ended, why="It was none.", **BY)


@pytest.mark.parametrize("brought", [_number_by_file, _number_by_publication, _number_by_undoing])
def test_whatever_way_it_is_changed_a_customer_is_vetted(brought: Callable[[], object]) -> None:
    admission.load_list(ListKind.ASN_DROP, ["AS64500 ; EXAMPLE\n"], file_name="asndrop.txt", **BY)
    brought()
    assert [c.kind for c in queries.list_admissions(customer="acct-1")[0].concerns] == [ConcernKind.DROP_ASN]
    assert waiting() == ["acct-1"]
