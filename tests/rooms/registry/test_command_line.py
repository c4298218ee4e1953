import contextlib
import json
import os
import pwd
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tipstaff.cli.registry import app
from tipstaff.cli.registry_files import import_files_in_order
from tipstaff.registry import operations, queries

from .conftest import BY, day, hold

pytestmark = pytest.mark.usefixtures("operator")


def run(*arguments: str, exit_code: int = 0, columns: int = 160) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": str(columns)})
    assert result.exit_code == exit_code, result.output
    return result.output


def test_who_names_the_holder_and_shows_the_rows():
    hold("198.51.100.7/32", "acct-1", service="svc-1-1")
    shown = run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z")
    assert shown.startswith("CONFIRMED: acct-1, service svc-1-1\nOne holder over the whole window.\n")
    assert "Asked of 2026-02-01 11:59:59 to 2026-02-01 12:00:01 UTC." in shown
    assert "198.51.100.0/24" in shown
    assert "198.51.100.7/32" in shown


def test_who_names_nobody_for_a_shared_address_without_a_port():
    hold("198.51.100.7/32", "acct-1", port_first=1024, port_last=2047)
    hold("198.51.100.7/32", "acct-2", port_first=2048, port_last=3071)
    shown = run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z")
    assert shown.startswith("AMBIGUOUS: nobody is named\nSeveral share this address;")
    answer = json.loads(run("who", "198.51.100.7", "--at", "2026-02-01T12:00:00Z", "--port", "2048", "--json"))
    assert (answer["grade"], answer["customer"], answer["reason"]) == ("confirmed", "acct-2", "ONE_HOLDER")
    assert answer["proof"][-1]["port_first"] == 2048


def test_who_says_what_is_wrong_with_a_question():
    assert "is not an IPv4 or IPv6 address" in run("who", "198.51.100.999", exit_code=2)
    assert "is not a time" in run("who", "198.51.100.7", "--at", "noon", exit_code=2)
    assert "lies in the future" in run("who", "198.51.100.7", "--at", "2999-01-01T00:00:00Z", exit_code=2)


def test_import_shows_a_preview_then_takes_the_file_in(tmp_path):
    file = tmp_path / "holdings.csv"
    file.write_text("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-1\n")
    shown = run("import", "--dry-run", str(file))
    assert "  new: 198.51.100.7 for acct-1 from 2026-01-01 00:00 UTC (holdings.csv:2)" in shown
    assert "holdings.csv: would be 1 row of holdings: 1 new, 0 changed, 0 unchanged." in shown
    assert queries.holdings_of("acct-1", at=day(1)) == []
    assert run("import", str(file)) == "holdings.csv: 1 row of holdings: 1 new, 0 changed, 0 unchanged.\n"
    assert len(queries.holdings_of("acct-1", at=day(1))) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_files_are_taken_in_by_their_kinds(order, tmp_path):
    example = Path(__file__).parents[3] / "docs" / "operate" / "example"
    contacts, lines = tmp_path / "a.csv", tmp_path / "b.csv"
    contacts.write_text("customer,email,place\nacct-1001,night@example.net,2\n")
    lines.write_text("resource;name;held_from;customer\ncircuit;line-7;2026-01-01;acct-1001\n")
    files = sorted(map(str, [*example.glob("*.csv"), contacts, lines]))
    shown = run("import", *files[::order])
    kinds = [line.split(" of ")[1].split(":")[0] for line in shown.splitlines() if " row" in line]
    assert kinds == ["customers", "representatives", "services", "holdings", "sites", "resources"]
    assert [p.email for p in queries.representatives_of("acct-1001")] == ["night@example.net"]


def test_a_dry_run_tries_all_files_together_and_leaves_nothing():
    example = Path(__file__).parents[3] / "docs" / "operate" / "example"
    files = sorted(map(str, example.glob("*.csv")))
    before = len(queries.list_customers(limit=1000)), queries.list_changes(limit=9)
    shown = run("import", "--dry-run", *files)
    assert shown.count(": would be ") == len(files)
    told = [json.loads(line) for line in run("import", "--dry-run", "--json", *files).splitlines()]
    assert not any(file["refused"] or file["applied"] or file["change"] for file in told)
    assert (len(queries.list_customers(limit=1000)), queries.list_changes(limit=9)) == before


def test_nothing_is_taken_in_beside_a_file_that_cannot_be(tmp_path):
    good, empty, gone, latin = (tmp_path / name for name in ("good.csv", "empty.csv", "gone.csv", "latin.csv"))
    good.write_text("key,name\nacct-77,Example\n")
    empty.write_text("\n \n")
    latin.write_bytes(b"key,name\nacct-78,Caf\xe9\n")
    assert run("import", str(good), str(gone), exit_code=1) == f"tipstaff: {gone} cannot be read: no such file.\n"
    said = run("import", str(good), str(empty), exit_code=1)
    assert said == f"tipstaff: {empty} is empty; its first line should name the columns.\n"
    assert "byte 21 is not UTF-8 text" in run("import", str(latin), exit_code=1)
    assert "it is a folder" in run("import", str(tmp_path), exit_code=1)
    assert f"{gone} cannot be read: no such file." in run("import", "ipam", str(gone), exit_code=1)
    assert f"{gone} cannot be read: no such file." in run("import", "subscribers", str(gone), exit_code=1)
    assert queries.get_customer("acct-77") is None


def test_nothing_is_folded_in_a_pipe():
    long = ".".join(["a" * 60] * 3) + ".example.net"
    operations.add_site(long, address=ip_address("198.51.100.9"), customer="acct-1", service=None, since=day(1), **BY)
    shown = run("who", long, "--at", "2026-02-01T12:00:00Z", columns=40)
    assert long in shown.splitlines()
    assert "2026-01-02 00:00:00" in shown


def test_import_tells_bad_rows_by_line_and_fails(tmp_path):
    file = tmp_path / "holdings.csv"
    file.write_text("tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-404\n")
    shown = run("import", str(file), exit_code=1)
    assert shown == (
        "holdings.csv:2: There is no customer acct-404.\nholdings.csv: nothing is taken in, because of 1 bad row.\n"
    )


def test_customers_are_listed():
    shown = run("customers", "acct-3")
    assert "acct-3" in shown
    assert "abuse@acct-3.example.net" in shown
    assert "acct-1" not in shown
    assert json.loads(run("customers", "acct-9", "--json"))["is_reseller"] is True


def test_a_past_answer_can_be_asked_for_again_and_an_act_undone():
    shown = run("hold", "198.51.100.7", "acct-1", "--since", "2026-01-01")
    number = shown.split()[-1].removesuffix(".")
    run("end", number, "--at", "2026-02-01T00:00:00Z")
    shown = run("history", "198.51.100.7")
    assert shown.count("198.51.100.7 for acct-1") == 2
    assert run("history", "198.51.100.7", "--at", "2026-03-01").startswith(
        "operator: 198.51.100.0/24 the operator from"
    )
    then = json.loads(run("history", "198.51.100.7", "--at", "2026-01-15", "--json").splitlines()[0])
    assert (then["tier"], then["customer"]) == ("customer", "acct-1")
    listed = [json.loads(line) for line in run("changes", "acct-1", "--json").splitlines()]
    assert run("undo", listed[0]["key"], "--why", "Wrong line.").startswith(f"{listed[0]['key']} is undone by CH-")
    assert len(queries.holdings_of("acct-1", at=day(300))) == 1
    assert "undone by" in run("changes")
    assert "was undone by" in run("undo", listed[0]["key"], exit_code=1)


def test_contacts_standing_and_editions_are_set_by_hand():
    run("contacts", "acct-1", "night@example.net", "owner@example.org", "--language", "de")
    assert run("bounced", "night@example.net", "--why", "550") == "Noted for acct-1.\n"
    assert "1. night@example.net <night@example.net> de letters come back since" in run("contacts", "acct-1")
    assert run("reached", "night@example.net") == "Verified for acct-1.\n"
    assert run("standing", "acct-1", "suspended", "--why", "Unpaid.") == "acct-1 is suspended.\n"
    run("accept", "acct-1", "2026-01", "--contract", "K-7")
    assert queries.acceptances_of("acct-1")[0].contract == "K-7"
    assert "There is no customer acct-404." in run("contacts", "acct-404", exit_code=1)
    operations.designate("acct-2", [], **BY)
    assert run("contacts", "acct-2") == "acct-2 has designated nobody: its cases wait for a person.\n"
    assert "is not a mail address" in run("contacts", "acct-1", "nobody", exit_code=1)
    assert "There is no customer acct-404." in run("standing", "acct-404", "good", exit_code=1)


def test_addresses_are_transferred_by_a_letter_only(tmp_path):
    number = run("hold", "198.51.100.8/29", "acct-1", "--since", "2026-01-01").split()[-1].removesuffix(".")
    assert "only by a letter of authority" in run("transfer", number, "acct-2", exit_code=1)
    paper = tmp_path / "loa.pdf"
    paper.write_bytes(b"%PDF-1.7")
    arguments = ("--customer", "acct-2", "--issuer", "Example Network", "--prefix", "198.51.100.0/24")
    assert run("letter", str(paper), *arguments).startswith("LOA-")
    assert run("transfer", number, "acct-2").startswith("acct-2 has it;")
    run("resource", "vlan", "100", "acct-2", "--scope", "sw-1")
    assert "vlan 100 on sw-1 for acct-2" in run("history", "100", "--kind", "vlan")


def test_nobody_accepted_an_edition_that_there_is_not(tmp_path):
    file = tmp_path / "contracts.csv"
    file.write_text(
        "customer,contract,edition,accepted_at\nacct-1,K-7,2026-01,2026-01-05\nacct-2,K-8,2199-01,2026-01-05\n"
    )
    said = run("import", str(file), exit_code=1)
    assert "contracts.csv:3: There is no edition 2199-01 of the policy.\n" in said
    assert queries.acceptances_of("acct-1") == []
    run("import", "--rest", str(file))
    assert [len(queries.acceptances_of(key)) for key in ("acct-1", "acct-2")] == [1, 0]


def test_a_kind_may_stand_before_its_files(tmp_path):
    file = tmp_path / "who.csv"
    file.write_text("key,name\nacct-5,Example Bakery\n")
    assert "who.csv is no file of holdings: its header" in run("import", "holdings", str(file), exit_code=1)
    assert queries.get_customer("acct-5") is None
    assert "Name the files of customers" in run("import", "customers", exit_code=2)
    assert "1 row of customers: 1 new" in run("import", "customers", str(file))


def test_who_types_is_who_the_process_runs_as(monkeypatch, tmp_path):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    file = tmp_path / "who.csv"
    file.write_text("key,name\nacct-5,Example Bakery\n")
    run("import", str(file))
    assert queries.list_changes(limit=1)[0].actor == pwd.getpwuid(os.getuid()).pw_name


def test_the_rest_of_a_file_comes_in_and_its_bad_rows_are_told(tmp_path):
    file = tmp_path / "holdings.csv"
    file.write_text(
        "tier,kind,prefix,held_from,customer\ncustomer,static,198.51.100.7,2026-01-01,acct-404\n"
        "customer,static,198.51.100.8,2026-01-01,acct-1\n"
    )
    assert run("import", "--rest", "--dry-run", str(file)) == (
        "holdings.csv:2: There is no customer acct-404.\n"
        "  new: 198.51.100.8 for acct-1 from 2026-01-01 00:00 UTC (holdings.csv:3)\n"
        "holdings.csv: would be 2 rows of holdings: 1 new, 0 changed, 0 unchanged.\n"
    )
    assert run("import", "--rest", str(file)) == (
        "holdings.csv:2: There is no customer acct-404.\n"
        "holdings.csv: 2 rows of holdings: 1 new, 0 changed, 0 unchanged.\n"
    )


def test_a_virtual_host_is_given_and_ended_by_hand():
    said = run("site", "Shop.example.net", "198.51.100.7", "acct-1", "--service", "svc-1-1", "--since", "2026-02-01")
    assert said == "Shop.example.net at 198.51.100.7 is acct-1's.\n"
    assert "is already answered for acct-1" in run("site", "shop.example.net", "198.51.100.7", "acct-2", exit_code=1)
    assert "is acct-1's, not acct-2's" in run(
        "site", "w.example.net", "198.51.100.7", "acct-2", "--service", "svc-1-1", exit_code=1
    )
    assert "is not an IPv4 or IPv6 address" in run("site", "shop.example.net", "here", "acct-1", exit_code=2)
    assert "Nothing has changed" in run("site", "shop.example.net", "198.51.100.7", "acct-1")
    run("site", "shop.example.net", "198.51.100.7", "acct-1", "--until", "2026-02-20")
    assert [(s.service, s.until) for s in queries.sites_named("shop.example.net", at=day(40))] == [
        ("svc-1-1", datetime(2026, 2, 20, tzinfo=UTC))
    ]
    assert "can't end before it begins" in run(
        "site", "x.example.net", "198.51.100.7", "acct-1", "--since", "2026-02-01", "--until", "2026-01-01", exit_code=1
    )
    assert run("undo", queries.list_changes(limit=1)[0].key, "--why", "the wrong day")
    assert queries.sites_named("shop.example.net", at=day(60))[0].until is None


@contextlib.contextmanager
def screen(monkeypatch) -> Iterator[list[bytes]]:
    """Standard error is a pseudo-terminal for the time of the block; what was shown there, when it is over."""
    own, theirs = os.openpty()
    shown: list[bytes] = []

    def listen() -> None:
        with contextlib.suppress(OSError):  # The other end is closed.
            while piece := os.read(own, 65536):
                shown.append(piece)

    listening = threading.Thread(target=listen)
    listening.start()
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "100")
        yield shown
    listening.join(30)
    os.close(own)


KINDS_OF_FILES = {
    "customers": "key,name\n" + "".join(f"acct-3{n},Customer {n}\n" for n in range(40)),
    "holdings": "tier,kind,prefix,held_from,customer\n"
    + "".join(f"customer,static,198.51.100.{n},2026-01-01,acct-1\n" for n in range(40)),
    "resources": "resource,name,held_from,customer\n"
    + "".join(f"domain,d{n}.example.net,2026-01-01,acct-1\n" for n in range(40)),
}


@pytest.mark.parametrize("kind", KINDS_OF_FILES)
def test_a_terminal_shows_how_far_a_file_of_each_kind_is(kind, monkeypatch, tmp_path):
    file = tmp_path / f"{kind}.txt"
    file.write_text(KINDS_OF_FILES[kind])
    for rest in (False, True):
        with screen(monkeypatch) as shown:
            import_files_in_order([file], dry_run=True, rest=rest, as_json=False)
        bars = b"".join(shown).decode()
        assert f"{kind}.txt" in bars
        assert "taken in" in bars
        assert bars.count("100%") >= 2, "read, and taken in"


def test_netbox_that_does_not_answer_is_one_sentence(tmp_path):
    token = tmp_path / "token"
    token.write_text("sesame")
    shown = run("netbox", "http://127.0.0.1:9", "--token-file", str(token), exit_code=1)
    assert "NetBox at http://127.0.0.1:9 did not answer as it should" in shown


def test_admission_is_worked_from_the_command_line(tmp_path):
    from tipstaff.cli import admission

    def admit(*arguments: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(admission.app, arguments)
        assert result.exit_code == exit_code, result.output
        return result.output

    lists = tmp_path / "aliases.txt"
    lists.write_text("Specimen Spam Works; Customer acct-1\n")
    assert "aliases.txt: 1 entry. 4 customers wait for a person." in admit("lists", "aliases", str(lists))
    asked = admit("list")
    key = asked.split()[0]
    assert "ALIAS_MATCH 100" in asked
    assert admit("accept", key, "--why", "I know them.") == f"{key}: Customer acct-1 is accepted.\n"
    assert "waits for nobody" in admit("refuse", key, "--why", "No.", exit_code=1)
    assert "I know them." in admit("list", "--state", "accepted")
    assert "ORDER_INCOMPLETE" in admit("vet", "acct-1")
    run("hold", "198.51.100.7", "acct-1", "--since", "2026-01-01")
    run("standing", "acct-1", "terminated", "--since", "2026-02-01")
    assert "acct-1, who holds 198.51.100.7/32, was terminated" in admit("seen", "traffic", "198.51.100.7")
    assert "(once)" in admit("late-uses")
    assert "No finding" in admit("seen", "traffic", "203.0.113.1")
    lists.write_bytes(b"\x00\xff")
    assert "byte 2 is not UTF-8 text." in admit("lists", "aliases", str(lists), exit_code=1)
    lists.write_text("{\n")
    assert "can't be read as a list of the kind aliases: line 1" in admit("lists", "aliases", str(lists), exit_code=1)


def test_what_lies_outside_the_operators_own_space_is_said(tmp_path):
    rows, own = tmp_path / "rows.csv", tmp_path / "own.csv"
    rows.write_text(
        "tier,kind,prefix,held_from,customer\ncustomer,static,203.0.113.7,2026-01-01,acct-1\n"
        "customer,static,203.0.113.128/25,2026-01-01,acct-1\ncustomer,static,198.51.100.7,2026-01-01,acct-1\n"
    )
    own.write_text("tier,kind,prefix,held_from\noperator,static,203.0.113.0/25,2026-01-01\n")
    said = "2 holdings lie outside the operator's own space (203.0.113.7/32 of acct-1 and more)"
    assert said in run("import", "--dry-run", str(rows))
    assert "203.0.113.128/25 of acct-1)" in run("import", "--dry-run", str(rows), str(own))
    told = run("import", str(rows), "--json").splitlines()
    assert json.loads(told[0])["outside"] == {"count": 2, "first": "203.0.113.7/32 of acct-1"}
    assert said in told[1]
    own.write_text(
        "tier,kind,prefix,held_from\noperator,static,203.0.113.0/25,2026-01-01\noperator,pool,203.0.113.128/25,2026-01-01\n"
    )
    assert "outside" not in run("import", str(own))


def test_addresses_given_by_hand_outside_the_own_space_are_said():
    assert "1 holding lies outside the operator's own space" in run("hold", "203.0.113.7", "acct-1")
    assert "outside" not in run("hold", "198.51.100.9", "acct-1")
    assert "1 holding lies outside" in run("hold", "192.0.2.0/24", "acct-1")


def test_a_day_is_all_of_it_and_never_its_midnight():
    hold("198.51.100.7/32", "acct-1", held_from=day(1), held_until=datetime(2026, 2, 3, 16, tzinfo=UTC))
    hold("198.51.100.7/32", "acct-2", held_from=datetime(2026, 2, 3, 16, tzinfo=UTC))
    shown = run("who", "198.51.100.7", "--at", "2026-02-03")
    assert shown.startswith("AMBIGUOUS: nobody is named\n")
    assert "Asked of 2026-02-02 10:00:00 to 2026-02-04 14:00:00 UTC." in shown
    assert run("who", "198.51.100.7", "--at", "2026-01-20").startswith("CONFIRMED: acct-1")
    assert run("who", "198.51.100.7", "--at", "2026-02-03T10:00").startswith("AMBIGUOUS"), "no zone was stated"
    assert run("who", "198.51.100.7", "--at", "2026-02-03T10:00Z").startswith("CONFIRMED: acct-1")


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        (("--port", "99999"), "'99999' is not a port from 0 to 65535."),
        (("--port", "-1"), "'-1' is not a port from 0 to 65535."),
        (("--precision", "-5"), "The precision is between 0 seconds and a year."),
        (("--precision", "nan"), "The precision is between 0 seconds and a year."),
        (("--at", "2026-02-03T10:00Z", "--precision", "99999999"), "The precision is between 0 seconds and a year."),
    ],
)
def test_a_port_or_precision_that_cannot_be_is_refused_in_one_sentence(option, sentence):
    hold("198.51.100.7/32", "acct-1")
    assert sentence in run("who", "198.51.100.7", *option, exit_code=2, columns=200)


def flat(*arguments: str, exit_code: int) -> str:
    """What is said, without the frame around it."""
    return " ".join(run(*arguments, exit_code=exit_code).replace("│", " ").split())


def test_accounts_services_and_users_are_kept_by_hand_and_shown():
    assert "There is no customer new-1; to add one, give its --name." in flat("customer", "new-1", exit_code=2)
    assert run("customer", "new-1", "--name", "Example Ltd", "--country", "DE") == "new-1 is added.\n"
    assert run("customer", "new-1", "--phone", "+49 30 000000") == "new-1 is saved.\n"
    found = queries.get_customer("new-1")
    assert found is not None
    assert (found.name, found.phone, found.country) == ("Example Ltd", "+49 30 000000", "DE")
    run("customer", "new-1", "--reseller", "acct-9")
    assert "acct-9 under new-1 under acct-9 is a circle" in run(
        "customer", "acct-9", "--reseller", "new-1", exit_code=1
    )
    run("customer", "new-1", "--reseller", "")
    assert "to add one, give its --kind" in flat("service", "svc-new", "new-1", exit_code=2)
    assert run("service", "svc-new", "new-1", "--kind", "hosting", "--port", "sw-1/7") == "svc-new is added.\n"
    assert run("service", "svc-new", "new-1", "--label", "A rack") == "svc-new is saved.\n"
    assert run("user", "u-1", "new-1", "--name", "Alex") == "User u-1 of new-1 is saved.\n"
    run("hold", "198.51.100.77", "new-1", "--service", "svc-new", "--since", "2026-01-01")
    shown = run("show", "new-1")
    for line in ("new-1  Example Ltd", "standing: good", "service: svc-new hosting A rack sw-1/7", "user: u-1 Alex"):
        assert line in shown
    assert "holds: 198.51.100.77/32, static since 2026-01-01 00:00, number " in shown
    assert run("end-service", "svc-new") == "svc-new has its end, and with it 1 holding.\n"
    assert "holds:" not in run("show", "new-1")
    before = run("show", "new-1", "--at", "2026-02-01", "--json")
    assert [one["prefix"] for one in json.loads(before)["holdings"]] == ["198.51.100.77/32"]
    assert "There was no customer new-1" in run("show", "new-1", "--known-at", "2020-01-01", exit_code=1)
    assert "There is no customer acct-404" in run("show", "acct-404", exit_code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history", "shop.example.net"), "of something else say its --kind"),
        (("history", "100", "--kind", "vlan"), "Nobody holds it or ever did"),
        (("hold", "198.51.100.78", "acct-1", "--kind", "foo"), "not one of 'static'"),
        (("netbox", "ftp://netbox.example.net", "--token-file", __file__), "is no address of a NetBox"),
        (("netbox", "https://netbox.example.net", "--token-file", "/nowhere"), "does not exist"),
        (("letter", "/nowhere", "--customer", "a", "--issuer", "b", "--prefix", "192.0.2.0/24"), "does not exist"),
        (("contacts", "acct-1", "--openpgp-key", "/nowhere"), "does not exist"),
        (("contacts", "acct-1", "--openpgp-key", __file__, "--of", "nobody@example.net"), "none of the contacts"),
    ],
)
def test_what_cannot_be_is_said_in_words(words, said):
    assert said in flat(*words, exit_code=0 if "vlan" in words else 2)


def test_what_an_act_has_made_is_told_to_a_program_as_well(tmp_path):
    (paper := tmp_path / "loa.pdf").write_bytes(b"We")
    number = json.loads(run("hold", "198.51.100.80", "acct-1", "--since", "2026-01-01", "--json"))["number"]
    terms = ("--customer", "acct-2", "--issuer", "Example", "--prefix", "198.51.100.0/24", "--since", "2026-01-01")
    filed = json.loads(run("letter", str(paper), *terms, "--json"))
    assert filed == {"letter": queries.letters_of_authority("acct-2")[0].key, "sha256": sha256(b"We").hexdigest()}
    moved = json.loads(run("transfer", str(number), "acct-2", "--since", "2026-02-01", "--json"))["number"]
    assert moved == queries.all_holdings_of("acct-2")[0].key
    ended = json.loads(run("end", str(moved), "--at", "2026-03-01", "--json"))
    assert ended == {"number": moved, "held_until": "2026-03-01T00:00:00+00:00"}
    vlan = json.loads(run("resource", "vlan", "9", "acct-1", "--scope", "sw-1", "--json"))["number"]
    assert [one.key for one in queries.resources_of("acct-1")] == [vlan]
    assert json.loads(run("end-service", "svc-1-1", "--json")) == {"service": "svc-1-1", "holdings": 0}
