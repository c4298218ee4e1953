"""An edition's way from the command line, with the roles that the staff have."""

import contextlib
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from typer.testing import CliRunner

from tests.as_read import as_read
from tipstaff import wiring
from tipstaff.cli.editions import NotYours
from tipstaff.cli.policy import app
from tipstaff.ledger.queries import entries_about
from tipstaff.policy import edition_files, edition_folders, load_edition
from tipstaff.procedures.editions import adopt_installed
from tipstaff.procedures.replaying import PAST
from tipstaff.registry.operations import add_customer
from tipstaff.web.roles import give_roles
from tipstaff.words import Customer, Representative, Role

SPAM = "clauses/mail.unsolicited.toml"


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "160"})
    if exit_code == 0 and result.exception is not None:
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def said(*arguments: str, exit_code: int = 0) -> str:
    return " ".join(run(*arguments, exit_code=exit_code).split())


@pytest.fixture
def staff(db: None, at: datetime) -> None:
    for name, role in (("anna", Role.LEAD), ("carla", Role.COUNSEL), ("ole", Role.ANALYST)):
        give_roles(User.objects.create_user(name), frozenset({role}))
    named = Representative(name="Desk", email="desk@customer.example.com")
    add_customer(Customer(key="acct-1", name="Placeholder 1", representative=named), at=at, actor="import")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "2026-07"
    shutil.copytree(edition_folders()[0], copy)
    for file, was, now in (
        ("edition.toml", 'id = "2026-01"', 'id = "2026-07"'),
        ("edition.toml", "Example Network Operator", "Example Network"),
        (SPAM, 'severity = "medium"', 'severity = "high"'),
    ):
        text = (copy / file).read_text(encoding="utf-8")
        (copy / file).write_text(text.replace(was, now), encoding="utf-8")
    return copy


def test_an_edition_goes_all_its_way(staff: None, folder: Path, at: datetime) -> None:
    assert "Edition 2026-07 is a draft of anna's." in run("draft", str(folder), "--by", "anna")
    assert "approved by carla. Customers are told before it counts." in run(
        "approve", "2026-07", "--seen", as_read("2026-07"), "--by", "carla"
    )
    told = run("publish", "2026-07", "--by", "anna")
    examples = sum(1 for _ in load_edition(folder).examples())
    assert f"Compiled: {examples} examples hold; of 0 past reports, 0 would be judged otherwise" in told
    assert "Announced: 1 letters; 0 customers have named nobody." in told
    assert "Posted: edition 2026-07 counts from 2026-06-04 00:00 UTC." in told
    assert "1 of the letters that announce it have reached no mail server yet" in told, "outbound mail is not set up"
    (entry,) = [each for each in entries_about("edition 2026-07") if each.what == "edition.posted"]
    assert entry.detail["untold"] == 1
    listed = json.loads(run("list", "--json"))
    assert [(each["id"], each["state"]) for each in listed] == [("2026-07", "posted"), ("2026-01", "posted")]
    assert [edition.id for edition in wiring.editions()] == ["2026-01", "2026-07"]


def test_a_program_that_publishes_reads_what_came_of_it(staff: None, folder: Path, at: datetime) -> None:
    run("draft", str(folder), "--by", "anna")
    refused = CliRunner().invoke(app, ("publish", "2026-07", "--by", "anna", "--json"))
    assert (refused.exit_code, refused.stdout) == (1, ""), "nobody has approved it"
    run("approve", "2026-07", "--seen", as_read("2026-07"), "--by", "carla")
    told = CliRunner().invoke(app, ("publish", "2026-07", "--by", "anna", "--json"))
    read = json.loads(told.stdout)
    assert (read["edition"], read["state"], read["effects"]["past_clauses"]) == ("2026-07", "posted", [])
    assert read["letters_untold"] == 1
    assert "Compiled:" in told.stderr


def test_what_is_posted_is_no_draft_of_anybody(staff: None, folder: Path, at: datetime) -> None:
    adopt_installed([edition_files(edition_folders()[0])], at=at)
    refused = run("draft", str(edition_folders()[0]), "--by", "anna", exit_code=1)
    assert "2026-01: An edition of that name is on record already" in refused
    run("draft", str(folder), "--by", "anna")
    assert "a draft of anna's" in run("draft", str(folder), "--by", "anna"), "the same again is the same draft"
    assert "on record already" in run("draft", str(folder), "--by", "carla", exit_code=1)


def test_nobody_does_what_their_role_does_not_let_them(staff: None, folder: Path) -> None:
    run("draft", str(folder), "--by", "carla")
    for arguments in (("draft", str(folder), "--by", "ole"), ("approve", "2026-07", "--seen", "0" * 12, "--by", "anna"),
                      ("publish", "2026-07", "--by", "ole"), ("publish", "2026-07", "--by", "nobody")):  # fmt: skip
        with pytest.raises(NotYours, match="may not"):
            run(*arguments)
    assert "Whoever wrote an edition does not approve it." in run(
        "approve", "2026-07", "--seen", as_read("2026-07"), "--by", "carla", exit_code=1
    )
    assert "takes its steps in order" in run("publish", "2026-07", "--by", "anna", exit_code=1)
    assert "No edition of that name" in run("publish", "2027-01", "--by", "anna", exit_code=1)


def test_an_adopted_edition_is_confirmed_by_two_at_a_terminal(staff: None, at: datetime) -> None:
    adopt_installed([edition_files(edition_folders()[0])], at=at)
    why = ("--why", "Read beside our contracts.")
    with pytest.raises(NotYours, match="counsel or lead"):
        run("confirm", "2026-01", "--by", "ole", *why)
    assert "A second person confirms it as well." in run("confirm", "2026-01", "--by", "anna", *why)
    assert "takes its steps in order" in run("confirm", "2026-01", "--by", "anna", *why, exit_code=1)
    assert "Two people have confirmed it." in run("confirm", "2026-01", "--by", "carla", *why)
    assert "No edition of that name" in run("confirm", "2031-01", "--by", "carla", *why, exit_code=1)


def test_an_acceptance_can_be_noted_and_is_shown(staff: None, at: datetime) -> None:
    adopt_installed([edition_files(edition_folders()[0])], at=at, since=at - timedelta(days=30))
    assert "Nothing shows yet" in run("accepted", "acct-1")
    said = ("--shown-by", "log-in to the portal", "--by", "anna")
    assert "has not come yet" in run("accepted", "acct-1", "--used-at", "2026-05-04T12:01Z", *said, exit_code=2)
    assert "No edition was in force then" in run(
        "accepted", "acct-1", "--used-at", "2020-05-01T10:00Z", *said, exit_code=2
    )
    noted = run("accepted", "acct-1", "--used-at", "2026-05-01T10:00Z", *said)
    assert "2026-01      2026-05-01 10:00 UTC  by use, shown by log-in to the portal" in noted
    assert "on record already" in run("accepted", "acct-1", "--used-at", "2026-05-02T10:00Z", *said)
    [entry] = [e for e in entries_about("acct-1") if e.what == "edition.accepted"]
    assert (entry.what, entry.actor, entry.at) == ("edition.accepted", "anna", wiring.now())
    assert str(entry.detail["used_at"]).startswith("2026-05-01T10:00")
    assert "Say with --by" in run(
        "accepted", "acct-1", "--used-at", "2026-05-01T10:00Z", "--shown-by", "x", exit_code=2
    )
    assert "There is no customer acct-9." in run("accepted", "acct-9", exit_code=1)
    assert "Say with --shown-by" in run("accepted", "acct-1", "--used-at", "2026-05-01T10:00Z", exit_code=2)


def test_a_use_of_which_nobody_was_told_before_is_not_noted_and_that_is_said(staff: None, at: datetime) -> None:
    adopt_installed([edition_files(edition_folders()[0])], at=at - timedelta(days=30))
    said = ("--shown-by", "log-in to the portal", "--by", "anna")
    refused = run("accepted", "acct-1", "--used-at", "2026-05-01T10:00Z", *said, exit_code=1)
    assert "Not noted: no use accepts edition 2026-01 yet, for nobody has told acct-1 of it." in refused
    assert "Nothing shows yet" in run("accepted", "acct-1")


def test_a_command_says_how_the_edition_that_it_shows_stands(
    staff: None, folder: Path, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipstaff.cli.policy.database", contextlib.nullcontext)
    monkeypatch.setattr("tipstaff.cli.replay.database", contextlib.nullcontext)
    wiring.adopt_editions()
    run("draft", str(folder), "--by", "anna")
    for command in ("show", "clock", "coverage"):
        installed = said(command)
        assert "Edition 2026-01 as installed; which one is in force, only the record says" in installed
        assert "In force" not in installed
        assert "Edition 2026-01, in force by the record since 2026-01-01 00:00 UTC." in said(command, "--in-force")
        assert "Edition 2026-07, on record as draft; in force now is 2026-01." in said(command, "--edition", "2026-07")
        assert f"Read from {folder}; whether it was posted" in said(command, "--edition", str(folder))
    on_record = said("diff", "2026-01", "2026-07")
    assert on_record == said("diff", "2026-01", str(folder))
    assert "entity: Example Network Operator → Example Network" in said("diff", str(edition_folders()[0]), str(folder))
    assert "is no folder, and no edition on record" in said("diff", "2026-01", "2031-01", exit_code=2)
    run("approve", "2026-07", "--seen", as_read("2026-07"), "--by", "carla")
    run("publish", "2026-07", "--by", "anna")
    posted = said("show", "--edition", "2026-07")
    assert "posted; it counts from 2026-06-04 00:00 UTC. In force now is 2026-01." in posted
    assert "is no folder, and no edition on record" in said("show", "--edition", "2031-01", exit_code=2)
    assert "Say either" in said("show", "--edition", "2026-07", "--in-force", exit_code=2)


def test_a_draft_is_replayed_by_its_id(
    staff: None, folder: Path, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipstaff.cli.replay.database", contextlib.nullcontext)
    wiring.adopt_editions()
    run("draft", str(folder), "--by", "anna")
    told = said("replay", "2026-07", exit_code=1)
    assert "as if edition 2026-07 had been in force" in told
    assert f"from {at - PAST:%Y-%m-%d}" in told, "one span for the command, the page and a draft's compiling"
    assert "no edition on record; on record: 2026-07, 2026-01" in " ".join(
        run("replay", "2031-01", exit_code=2).split()
    )
