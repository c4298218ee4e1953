"""Representatives, standing, contracts, users, and accounts below accounts."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.db import IntegrityError, connection, transaction
from pysequoia import Tsk

from tipstaff import wiring
from tipstaff.ledger.queries import entries_about
from tipstaff.registry import operations, queries
from tipstaff.registry.operations import NotAContact, NotYetSo, UndoingRefused, UnknownKey
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    MailKeys,
    Origin,
    Representative,
    Resource,
    ResourceKind,
    Standing,
)

from .conftest import BY, NOW, customer, day, hold

pytestmark = pytest.mark.usefixtures("operator")

FIRST = Representative(name="Night desk", email="night@example.net", language="de", timezone="Europe/Berlin")
SECOND = Representative(name="Owner", email="owner@example.org", phone="+49 30 0000")


def reached() -> str | None:
    found = queries.get_customer("acct-1")
    assert found is not None
    return found.representative.email if found.representative else None


def test_the_next_contact_is_written_to_when_letters_come_back():
    operations.designate("acct-1", [FIRST, SECOND], **BY)
    assert reached() == "night@example.net"
    assert operations.note_bounce("Night@Example.net", why="550 no such user", **BY) == ("acct-1",)
    assert operations.note_bounce("night@example.net", why="again", **BY) == ()
    assert reached() == "owner@example.org"
    operations.note_bounce("owner@example.org", why="550", **BY)
    assert reached() is None
    operations.note_reached("night@example.net", why="They answered.", **BY)
    assert reached() == "night@example.net"
    assert queries.representatives_of("acct-1")[0].verified_at == NOW
    told = [e.what for e in entries_about("acct-1") if e.what.startswith("contact.")]
    assert told == ["contact.bounced", "contact.bounced", "contact.verified"]


def test_a_chain_is_kept_in_order_with_keys_and_languages():
    keyed = replace(FIRST, openpgp_key=public_key(), smime_certificate="")
    operations.designate("acct-1", [keyed, SECOND], **BY)
    assert queries.representatives_of("acct-1") == [keyed, SECOND]
    operations.designate("acct-1", [SECOND, keyed], **BY)
    assert queries.representatives_of("acct-1") == [SECOND, keyed]
    operations.designate("acct-1", [], **BY)
    assert reached() is None


def public_key(*, seconds: int | None = None) -> str:
    return str(Tsk.generate("Night desk <night@example.net>", validity_seconds=seconds).extract_certificate())


def test_a_key_that_has_run_out_is_refused_when_it_is_given_and_stops_no_other_change():
    key = public_key(seconds=24 * 3600)
    late = {**BY, "at": wiring.now() + timedelta(days=400)}
    with pytest.raises(NotAContact, match=r"no letter to night@example\.net can be closed by this OpenPGP key: it ran"):
        operations.designate("acct-1", [replace(FIRST, openpgp_key=key)], **late)
    keyed = replace(FIRST, openpgp_key=key)
    operations.designate("acct-1", [keyed], **{**BY, "at": wiring.now()})
    operations.designate("acct-1", [keyed, SECOND], **late)
    assert queries.representatives_of("acct-1") == [keyed, SECOND]


def test_letters_are_closed_by_the_keys_of_the_customer_they_are_about():
    """Another account that gives a key for the same address makes no letter about this one unreadable."""
    own, other = public_key(), public_key()
    operations.add_customer(Customer(key="acct-77", name="Other", representative=None), **BY)
    operations.designate("acct-1", [replace(FIRST, openpgp_key=own)], **BY)
    operations.designate("acct-77", [replace(FIRST, openpgp_key=other)], **BY)
    address = FIRST.email.upper()
    assert queries.mail_keys_of(address, customer="acct-1") == MailKeys(openpgp=(own,))
    assert queries.mail_keys_of(address, customer="acct-77") == MailKeys(openpgp=(other,))
    assert queries.mail_keys_of(address) == MailKeys(openpgp=(own, other)), "a letter to log in is about neither"
    assert queries.mail_keys_of(SECOND.email, customer="acct-1") == MailKeys()
    operations.designate("acct-1", [FIRST], **BY)
    assert queries.mail_keys_of(address, customer="acct-1") == MailKeys(), "they gave none, and no other's counts"
    assert queries.mail_keys_of(address, customer="acct-404") == MailKeys(openpgp=(other,))


def test_the_keys_of_somebody_who_was_taken_out_count_for_what_was_written_to_them():
    own, other = public_key(), public_key()
    first, second = replace(FIRST, openpgp_key=own), replace(SECOND, openpgp_key=other)
    operations.add_customer(Customer(key="acct-77", name="Other", representative=None), **BY)
    operations.designate("acct-1", [first, second], **BY)
    operations.designate("acct-77", [replace(FIRST, openpgp_key=other)], **BY)
    out = {**BY, "at": NOW + timedelta(days=2)}
    operations.designate("acct-1", [second], **out)

    def keys(*, written_at, customer=None):
        return queries.mail_keys_of(FIRST.email.upper(), customer=customer, written_at=written_at)

    assert keys(written_at=NOW, customer="acct-1") == MailKeys(openpgp=(own,)), "and no other account's"
    assert keys(written_at=out["at"], customer="acct-1") == MailKeys(openpgp=(own,)), "as the letter that says so"
    assert keys(written_at=NOW) == MailKeys(openpgp=(other, own))
    long_after = out["at"] + timedelta(days=1)
    assert keys(written_at=long_after) == MailKeys(openpgp=(other,))
    operations.designate("acct-1", [FIRST], **{**BY, "at": long_after})
    assert keys(written_at=NOW, customer="acct-1") == MailKeys(), "who is a contact again has what is on record now"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(FIRST, email="nobody"),
        replace(FIRST, language="klingon language"),
        replace(FIRST, timezone="Mars/Olympus"),
        replace(FIRST, openpgp_key="my key"),
        replace(FIRST, smime_certificate="my certificate"),
    ],
)
def test_a_contact_that_can_not_work_is_refused(wrong):
    with pytest.raises(NotAContact):
        operations.designate("acct-1", [wrong], **BY)
    with pytest.raises(NotAContact, match="twice"):
        operations.designate("acct-1", [FIRST, replace(FIRST, name="The same")], **BY)


def test_a_chain_comes_in_by_csv_and_keeps_what_only_we_know():
    operations.import_csv(["key,name\n", "acct-5,Example\n"], source_name="c.csv", **BY)
    text = "customer,email,place,name,language\nacct-5,b@example.net,2,B,en\nacct-5,a@example.net,1,A,de\n"
    preview = operations.import_csv(text.splitlines(True), source_name="contacts.csv", **BY)
    assert (preview.kind, preview.applied) == ("representatives", True)
    assert [p.email for p in queries.representatives_of("acct-5")] == ["a@example.net", "b@example.net"]
    operations.note_bounce("a@example.net", why="550", at=NOW, actor="worker")
    again = operations.import_csv(text.splitlines(True), source_name="contacts.csv", **BY)
    assert (again.changed, again.unchanged) == (0, 2)
    found = queries.get_customer("acct-5")
    assert found is not None
    assert found.representative is not None
    assert found.representative.email == "b@example.net"
    bad = operations.import_csv(["customer,email\n", "acct-404,a@example.net\n"], source_name="x.csv", **BY)
    assert bad.refused[0].why == "There is no customer acct-404."


def test_a_customer_whose_letters_come_back_is_not_changed_by_the_same_file():
    text = "key,name,representative_email\nacct-5,Example,a@example.net\n"
    operations.import_csv(text.splitlines(True), source_name="c.csv", **BY)
    operations.note_bounce("a@example.net", why="550", at=NOW, actor="worker")
    again = operations.import_csv(text.splitlines(True), source_name="c.csv", **BY)
    assert (again.unchanged, again.change) == (1, None)
    assert queries.representatives_of("acct-5")[0].bounced_at == NOW


@pytest.mark.parametrize("undo_the_mark_too", [False, True])
def test_a_letter_that_came_back_does_not_block_undoing_what_brought_its_contact(undo_the_mark_too):
    text = "key,name,representative_email\nacct-5,Example,{}\n"
    operations.import_csv(text.format("a@example.net").splitlines(True), source_name="c.csv", **BY)
    changed = operations.import_csv(text.format("b@example.net").splitlines(True), source_name="c.csv", **BY)
    for _ in range(2):
        operations.note_bounce("b@example.net", why="550", at=NOW, actor="worker", origin=Origin.MAIL)
        operations.note_reached("b@example.net", why="answered", at=NOW, actor="worker")
    operations.note_bounce("b@example.net", why="550", at=NOW, actor="worker", origin=Origin.MAIL)
    bounced = queries.list_changes()[0]
    assert (bounced.origin, bounced.actor) == (Origin.MAIL, "worker")
    if undo_the_mark_too:
        operations.undo(bounced.key, why="the mail server was wrong", **BY)
        (kept,) = queries.representatives_of("acct-5")
        assert (kept.email, kept.bounced_at, kept.verified_at) == ("b@example.net", None, NOW)
    undone = operations.undo(changed.change, why="the wrong file", **BY)
    assert [p.email for p in queries.representatives_of("acct-5")] == ["a@example.net"]
    operations.undo(undone, why="the right file", **BY)
    assert [p.email for p in queries.representatives_of("acct-5")] == ["b@example.net"]


def test_standing_is_known_at_every_time():
    operations.set_standing("acct-1", Standing.SUSPENDED, since=day(10), why="Unpaid.", **BY)
    operations.set_standing("acct-1", Standing.GOOD, since=day(12), why="Paid.", **BY)
    operations.set_standing("acct-1", Standing.TERMINATED, since=day(40), why="Spam.", **BY)
    operations.set_standing("acct-1", Standing.TERMINATED, since=day(50), why="Again.", **BY)

    def then(number: float) -> str:
        found = queries.standing_at("acct-1", at=day(number))
        return found.standing if found else "unknown"

    assert [then(n) for n in (-1, 0, 9.9, 10, 11.9, 12, 39, 40, 60)] == [
        "unknown", "good", "good", "suspended", "suspended", "good", "good", "terminated", "terminated",
    ]  # fmt: skip
    found = queries.get_customer("acct-1")
    assert found is not None
    assert found.standing is Standing.TERMINATED
    with pytest.raises(UnknownKey):
        operations.set_standing("acct-404", Standing.GOOD, since=day(0), why="", **BY)


def test_an_edition_accepted_is_the_last_one_by_then():
    for edition, number in (("2025-01", 1), ("2026-01", 20)):
        accepted = Acceptance(customer="acct-1", contract="K-7", edition=edition, accepted_at=day(number))
        operations.accept_policy(accepted, **BY)
        operations.accept_policy(accepted, **BY)
    assert len(queries.acceptances_of("acct-1")) == 2
    before, after = queries.edition_accepted("acct-1", at=day(10)), queries.edition_accepted("acct-1", at=day(30))
    assert before is not None
    assert after is not None
    assert (before.edition, after.edition) == ("2025-01", "2026-01")
    assert queries.edition_accepted("acct-1", at=day(0)) is None
    text = ["customer,contract,edition,accepted_at\n", "acct-2,K-8,2026-01,2026-01-05\n"]
    assert operations.import_csv(text, source_name="a.csv", **BY).added == 1
    assert operations.import_csv(text, source_name="a.csv", **BY).unchanged == 1


def test_those_who_use_an_account_are_its_users_and_hold_nothing():
    operations.add_user(AccountUser(key="u-1", customer="acct-1", name="Robin"), **BY)
    operations.add_user(AccountUser(key="u-1", customer="acct-1", name="Robin", email="r@example.net"), **BY)
    assert [(u.key, u.email) for u in queries.users_of("acct-1")] == [("u-1", "r@example.net")]
    text = ["key,customer,name\n", "u-2,acct-1,Sam\n", "u-3,acct-404,Kim\n"]
    preview = operations.import_csv(text, source_name="u.csv", rest=True, **BY)
    assert (preview.added, [r.line for r in preview.refused]) == (1, [3])


def test_accounts_stand_below_accounts_to_any_depth():
    above = "acct-9"
    for depth in range(12):
        key = f"deep-{depth}"
        operations.add_customer(customer(key, reseller=above, is_reseller=True), **BY)
        above = key
    assert [c.key for c in queries.accounts_above("deep-3")] == ["deep-2", "deep-1", "deep-0", "acct-9"]
    assert {c.key for c in queries.accounts_below("acct-9")} == {"acct-3", *(f"deep-{n}" for n in range(12))}
    assert queries.accounts_below("deep-11") == []


# --- the good rows of a file with bad ones


def test_the_rest_of_a_file_is_taken_in_and_it_can_be_begun_again():
    text = "tier,kind,prefix,held_from,customer\n" + "".join(
        f"customer,static,198.51.100.{n},2026-01-01,acct-{'404' if n == 7 else '1'}\n" for n in range(20)
    )
    text += "customer,static,198.51.100.3,2026-02-01,acct-2\ncustomer,static,198.51.100.999,2026-01-01,acct-1\n"
    preview = operations.import_csv(text.splitlines(True), source_name="h.csv", rest=True, **BY)
    # From February on line 5 says that it is acct-1's and line 22 that it is acct-2's: neither is believed.
    assert (preview.applied, preview.added) == (True, 18)
    assert [r.line for r in preview.refused] == [5, 9, 22, 23]
    assert len(queries.holdings_of("acct-1", at=NOW)) == 18
    again = operations.import_csv(text.splitlines(True), source_name="h.csv", rest=True, **BY)
    assert (again.added, again.unchanged, len(again.refused), again.change) == (0, 18, 4, None)


def test_of_a_wide_prefix_and_one_of_another_within_the_narrower_is_taken_in():
    text = "tier,kind,prefix,held_from,customer\n" + "".join(
        f"customer,static,{prefix},2026-01-01,{customer}\n"
        for prefix, customer in (
            ("198.51.100.0/26", "acct-1"), ("198.51.100.16/28", "acct-2"), ("198.51.100.20", "acct-1"),
            ("198.51.100.64/28", "acct-1"), ("198.51.100.72", "acct-1"),
        )
    )  # fmt: skip
    for round in range(2):
        told = operations.import_csv(text.splitlines(True), source_name="h.csv", rest=True, **BY)
        assert [r.line for r in told.refused] == [2, 3, 6]
        assert "198.51.100.0/26 for acct-1 from 2026-01-01" in told.refused[0].why
        assert (told.added, told.unchanged) == ((2, 0), (0, 2))[round]
    held = {str(h.prefix): c for c in ("acct-1", "acct-2") for h in queries.holdings_of(c, at=NOW)}
    assert held == {"198.51.100.20/32": "acct-1", "198.51.100.64/28": "acct-1"}


def test_a_long_file_goes_in_piece_by_piece_and_a_crash_loses_no_piece(monkeypatch):
    from tipstaff.registry import taking_in

    monkeypatch.setattr(taking_in, "PIECE_ROWS", 10)
    header = "tier,kind,prefix,held_from,customer\n"
    rows = [f"customer,static,198.51.100.{n},2026-01-01,acct-1\n" for n in range(35)]

    def cut_off():
        yield header
        yield from rows[:25]
        raise OSError("the file went away")

    with pytest.raises(OSError, match="went away"):
        operations.import_csv(cut_off(), source_name="h.csv", rest=True, **BY)
    assert len(queries.holdings_of("acct-1", at=NOW)) == 20
    whole = operations.import_csv([header, *rows], source_name="h.csv", rest=True, **BY)
    assert (whole.rows, whole.added, whole.unchanged) == (35, 15, 20)
    assert [r.line for r in whole.refused] == []
    later = {"at": NOW + timedelta(hours=1), "actor": "lena"}
    for key in reversed((whole.change or "").split()):
        operations.undo(key, why="", **later)
    assert len(queries.holdings_of("acct-1", at=NOW)) == 20


def test_a_contract_has_not_ended_before_it_has():
    """A system that says so ahead of time is told so; until then the customer is written to as ever."""
    for origin in (Origin.PERSON, Origin.CRM):
        with pytest.raises(NotYetSo, match="lies ahead; say it then"):
            operations.set_standing(
                "acct-1", Standing.TERMINATED, since=NOW + timedelta(days=30), why="end of month", origin=origin, **BY
            )
    found, now = queries.get_customer("acct-1"), queries.standing_at("acct-1", at=NOW)
    assert found is not None
    assert now is not None
    assert found.standing is now.standing is Standing.GOOD
    operations.set_standing("acct-1", Standing.TERMINATED, since=NOW + timedelta(minutes=1), why="clocks", **BY)


def test_no_undoing_closes_a_circle_of_resellers():
    operations.add_customer(replace(customer("acct-1"), reseller="acct-2"), **BY)
    first = queries.changes_of("acct-1", limit=1)[0].key
    undoing = operations.undo(first, why="a slip", **BY)
    operations.add_customer(replace(customer("acct-2"), reseller="acct-1"), **BY)
    with pytest.raises(UndoingRefused, match="an account would stand above itself"):
        operations.undo(undoing, why="no, it was right", **BY)
    assert [one.key for one in queries.accounts_above("acct-2")] == ["acct-1"]
    assert queries.accounts_above("acct-1") == []


def test_postgresql_itself_refuses_that_an_account_stands_above_itself():
    operations.add_customer(replace(customer("acct-2"), reseller="acct-1"), **BY)
    for key, reseller in (("acct-1", "acct-2"), ("acct-1", "acct-1")):
        with pytest.raises(IntegrityError, match="above itself"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE registry_customerrow SET reseller_id = %s WHERE key = %s", [reseller, key])


def test_an_import_leaves_a_user_whom_a_person_has_set():
    asked = AccountUser(key="u-1", customer="acct-1", name="Alex", email="alex@example.net")
    operations.add_user(asked, **BY)
    sheet = ["key,customer,name,email\n", "u-1,acct-1,Somebody,else@example.net\n", "u-2,acct-1,New,\n"]
    told = operations.import_csv(sheet, source_name="users.csv", **BY)
    assert [(row.line, row.why) for row in told.kept] == [
        (2, "User u-1 of acct-1: stays Alex alex@example.net, as a person has set them.")
    ]
    assert (told.added, told.changed) == (1, 0)
    assert queries.users_of("acct-1")[0] == asked
    told = operations.import_csv([*sheet[:2], "u-2,acct-1,Newer,\n"], source_name="users.csv", **BY)
    assert told.changed == 1, "what an import has set another may change"


def test_an_account_is_told_as_it_was_known_then_about_then():
    """What did we believe on day X about day Y: of its name, contacts, standing, services, users and all it holds."""
    x, later = NOW + timedelta(minutes=1), NOW + timedelta(hours=1)
    operations.designate("acct-1", [FIRST], **BY)
    operations.add_user(AccountUser(key="u-1", customer="acct-1", name="Alex"), **BY)
    key = hold("198.51.100.8/29", "acct-1", held_from=day(0))
    operations.add_site(
        "shop.example.net", address=ip_address("198.51.100.9"), customer="acct-1", service=None, since=day(0),
        until=None, **BY,
    )  # fmt: skip
    asn = Resource(kind=ResourceKind.ASN, name="AS64500", customer="acct-1", held_from=day(0))
    operations.hold_resource(asn, **BY)
    operations.accept_policy(
        Acceptance(customer="acct-1", contract="K-1", edition="2026-01", accepted_at=day(1)), **BY
    )  # fmt: skip
    by = {"at": later, "actor": "lena"}
    operations.add_customer(replace(customer("acct-1"), name="Renamed"), **by)
    operations.designate("acct-1", [SECOND], **by)
    operations.end_holding(key, held_until=day(3), **by)
    operations.set_standing("acct-1", Standing.SUSPENDED, since=day(4), why="unpaid", **by)
    operations.add_user(AccountUser(key="u-1", customer="acct-1", name="Sam"), **by)

    def told(at, known_at):
        found = queries.account_as_known("acct-1", at=at, known_at=known_at)
        assert found is not None
        assert found.standing is not None
        return (
            found.customer.name, [one.email for one in found.representatives], found.standing.standing,
            [str(one.prefix) for one in found.holdings], [one.name for one in found.users],
        )  # fmt: skip

    name = customer("acct-1").name
    assert told(day(5), x) == (name, [FIRST.email], Standing.GOOD, ["198.51.100.8/29"], ["Alex"])
    assert told(day(5), later) == ("Renamed", [SECOND.email], Standing.SUSPENDED, [], ["Sam"])
    assert told(day(2), later) == ("Renamed", [SECOND.email], Standing.GOOD, ["198.51.100.8/29"], ["Sam"])
    found = queries.account_as_known("acct-1", at=day(5), known_at=x)
    assert found is not None
    assert [one.name for one in found.resources] == ["AS64500"]
    assert [one.host_name for one in found.sites] == ["shop.example.net"]
    assert [one.edition for one in found.acceptances] == ["2026-01"]
    assert found.services == tuple(queries.services_of("acct-1"))
    assert found.services
    early = queries.account_as_known("acct-1", at=day(0), known_at=x)
    assert early is not None
    assert early.acceptances == ()
    assert queries.account_as_known("acct-1", at=day(5), known_at=NOW - timedelta(days=9)) is None
    assert queries.account_as_known("acct-404", at=day(5), known_at=x) is None
