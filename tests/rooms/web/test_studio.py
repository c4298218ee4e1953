"""The parser studio: what was read is marked, a profile is proposed, tested and put into use by a person."""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client

from tipstaff import wiring
from tipstaff.intake.profiles.reader import ProfilesParser
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.queries import get_report
from tipstaff.intake.reading import read
from tipstaff.ledger.queries import has_entry
from tipstaff.procedures import complaint
from tipstaff.words import Channel, Role

LogIn = Callable[..., Client]
MAIL = b"""From: CSIRT <notices@csirt.example.org>
Subject: Port scan from your network
Date: Mon, 4 May 2026 11:00:00 +0000

A port scan came from you:
Source IP: 203.0.113.44
Time: 2026-05-04 09:00:00 UTC
"""


@pytest.fixture
def key(db: None, at: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A report from a reporter who has no profile yet, and a folder for profiles."""
    own = wiring.settings()
    settings = dataclasses.replace(own, server=dataclasses.replace(own.server, profiles_folder=tmp_path))
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    desk = dataclasses.replace(wiring.desk(), enqueue=lambda job, key: None)
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    key = complaint.accept(
        MAIL, sender="notices@csirt.example.org", recipients=(), channel=Channel.SMTP, desk=desk, at=at
    )
    complaint.understand(key, desk=desk, at=at)
    return key


def proposed(page: str) -> str:
    import html
    import re

    found = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def test_what_was_read_is_marked_in_the_mail(key: str, log_in: LogIn) -> None:
    page = log_in(Role.ANALYST).get(f"/console/reports/{key}/studio").content.decode()
    assert '<mark title="source">203.0.113.44' in page
    assert '<mark title="time">2026-05-04 09:00:00 UTC' in page
    assert "Make a profile" in log_in(Role.ANALYST).get(f"/console/reports/{key}").content.decode()


def test_a_confirmed_profile_is_used_from_the_next_mail_on(key: str, log_in: LogIn, tmp_path: Path) -> None:
    client = log_in(Role.ANALYST)
    toml = proposed(client.get(f"/console/reports/{key}/studio").content.decode())
    assert client.post(f"/console/reports/{key}/studio", {"toml": toml, "do": "confirm"}).status_code == 302
    report = get_report(key)
    assert report is not None
    assert has_entry(key, what="profile.confirmed")
    later = MAIL.replace(b"203.0.113.44", b"203.0.113.45").replace(b"09:00", b"10:30")
    reading = read(later, parsers=(ProfilesParser(tmp_path), *load_parsers()))
    assert (reading.parser, str(reading.allegations[0].source)) == ("profile:csirt-example-org", "203.0.113.45")


def test_a_program_proposes_tries_and_uses_one_as_the_page_does(key: str, log_in: LogIn, tmp_path: Path) -> None:
    client, address = log_in(Role.ANALYST), f"/api/reports/{key}/profile"
    asked = client.get(address).json()
    assert asked["proposed"] is True
    assert asked["toml"] == proposed(client.get(f"/console/reports/{key}/studio").content.decode())

    def tried(toml: str, *, use: bool) -> tuple[bool, str | None]:
        found = client.post(address, {"toml": toml, "use": use}, "application/json").json()
        return bool(found["faults"]), found["used_as"]

    assert tried(asked["toml"].replace("Source IP:", "Quelle:"), use=True) == (True, None)
    assert tried(asked["toml"], use=False) == (False, None)
    assert list(tmp_path.iterdir()) == []
    assert tried(asked["toml"], use=True) == (False, "csirt-example-org")
    assert has_entry(key, what="profile.confirmed")
    assert client.get("/api/reports/R-999999/profile").status_code == 404


def test_a_profile_that_does_not_read_its_mail_is_not_put_into_use(key: str, log_in: LogIn, tmp_path: Path) -> None:
    client = log_in(Role.ANALYST)
    toml = proposed(client.get(f"/console/reports/{key}/studio").content.decode())
    wrong = toml.replace("Source IP:", "Quelle:")
    answer = client.post(f"/console/reports/{key}/studio", {"toml": wrong, "do": "confirm"})
    assert answer.status_code == 422
    assert "not usable yet" in answer.content.decode()
    assert "Quelle:" in proposed(answer.content.decode()), "what was typed is kept"
    assert list(tmp_path.iterdir()) == []


def test_another_reporters_profile_is_not_written_over(key: str, log_in: LogIn, tmp_path: Path) -> None:
    client = log_in(Role.ANALYST)
    toml = proposed(client.get(f"/console/reports/{key}/studio").content.decode())
    theirs = toml.replace("notices@csirt.example.org", "other@csirt.example.net")
    assert theirs != toml
    for standing in (theirs, "not a profile"):
        (tmp_path / "csirt-example-org.toml").write_text(standing)
        answer = client.post(f"/console/reports/{key}/studio", {"toml": toml, "do": "confirm"})
        assert answer.status_code == 422
        assert "choose another name" in answer.content.decode()
        assert (tmp_path / "csirt-example-org.toml").read_text() == standing
    (tmp_path / "csirt-example-org.toml").write_text(toml)
    assert client.post(f"/console/reports/{key}/studio", {"toml": toml, "do": "confirm"}).status_code == 302


@pytest.mark.parametrize("name", ["../evil", "/etc/cron.d/x", "UPPER", ""])
def test_a_profiles_name_cannot_lead_elsewhere(key: str, log_in: LogIn, tmp_path: Path, name: str) -> None:
    client = log_in(Role.ANALYST)
    toml = proposed(client.get(f"/console/reports/{key}/studio").content.decode())
    wrong = toml.replace('name = "csirt-example-org"', f'name = "{name}"')
    assert client.post(f"/console/reports/{key}/studio", {"toml": wrong, "do": "confirm"}).status_code == 422
    assert list(tmp_path.iterdir()) == []


def test_an_engineer_makes_no_profile(key: str, log_in: LogIn) -> None:
    assert log_in(Role.ENGINEER).get(f"/console/reports/{key}/studio").status_code == 403
