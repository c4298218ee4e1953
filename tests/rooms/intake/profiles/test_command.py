"""`tipstaff profiles`: what is not used is said, with an exit code."""

import json
from pathlib import Path

from typer.testing import CliRunner

from tipstaff.cli.profiles import app

MAIL = b"""From: CSIRT <notices@csirt.example.org>
Subject: Port scan from your network
Date: Tue, 10 Mar 2026 12:00:00 +0000

A port scan came from you:
Source IP: 192.0.2.5
Time: 2026-03-10 04:00:00 UTC
"""


def run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(x) for x in args])
    return done.exit_code, done.output


def test_a_proposal_is_written_checked_and_used(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(MAIL)
    folder = tmp_path / "profiles"
    folder.mkdir()
    code, said = run("propose", mail, "--name", "csirt-example", "--into", folder)
    assert code == 0, said
    assert "look it over" in said
    assert run("check", folder) == (0, "csirt-example.toml: used, 1 samples\n")


def test_a_profile_that_is_not_used_makes_the_check_fail(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("name = 1\n")
    code, said = run("check", tmp_path, "--json")
    assert code == 1
    assert json.loads(said)["faults"][0].endswith("name is no text.")


def test_a_mail_of_which_nothing_is_read_has_no_proposal(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(b"From: a@example.org\n\nHello.\n")
    code, said = run("propose", mail, "--name", "x")
    assert code == 1
    assert "by hand" in said
