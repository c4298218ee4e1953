"""What another edition would have changed: the page, its picture and its numbers as files, and the shadow."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType

import pytest
from django.test import Client
from django.urls import reverse

from tests.procedures.office import HOUR, reporter, spam_report
from tipstaff import wiring
from tipstaff.policy.editions import shipped_editions
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import complaint
from tipstaff.web.console.pictures import Pair, bars
from tipstaff.words import Channel, Role

LogIn = Callable[..., Client]
(EDITION, *_) = shipped_editions()
OTHER = dataclasses.replace(
    EDITION,
    id="2027-01",
    clauses=tuple(dataclasses.replace(c, answer_within=timedelta(hours=7)) for c in EDITION.clauses),
)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another edition may be judged under: it runs in the shadow."""
    shadow = Shadow(edition=OTHER)
    monkeypatch.setattr(wiring, "shadow", lambda: shadow)


@pytest.fixture
def page(day: ModuleType, other: None, log_in: LogIn) -> Callable[..., str]:
    def ask(**more: str) -> str:
        answer = log_in(Role.ANALYST).get(reverse("console:replay"), {"edition": "2027-01", **more})
        assert answer.status_code == 200
        return answer.content.decode()

    return ask


def test_the_page_shows_who_would_be_treated_differently_with_the_measures(page: Callable[..., str]) -> None:
    shown = page()
    assert "would have been treated differently." in shown
    assert "time to answer 24 h → 7 h" in shown
    assert "<svg" in shown
    assert "block tcp/25 from" in shown
    assert "others hit" in shown


def test_each_bar_leads_to_the_cases_behind_it(page: Callable[..., str]) -> None:
    behind = page(behind="clause:mail.unsolicited")
    assert "Cases behind mail.unsolicited" in behind
    every = page()
    assert "behind=clause%3Amail.unsolicited" in every
    assert 0 < behind.count('data-h="Report"') < every.count('data-h="Report"')
    nothing = page(behind="clause:no.such")
    assert nothing.count('data-h="Report"') == 0


def test_picture_and_numbers_can_be_taken_along(day: ModuleType, other: None, log_in: LogIn) -> None:
    client = log_in(Role.LEAD)
    for by in ("clause", "class"):
        picture = client.get(reverse("console:replay"), {"edition": "2027-01", "as": "svg", "by": by})
        assert picture["Content-Type"] == "image/svg+xml"
        assert picture["Content-Disposition"].startswith("attachment")
        root = ET.fromstring(picture.content)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not root.findall(".//{http://www.w3.org/2000/svg}a"), "no address of ours goes out with it"
    numbers = json.loads(client.get(reverse("console:replay"), {"edition": "2027-01", "as": "json"}).content)
    assert numbers["different"] == len(numbers["differences"]) > 0


def test_a_page_without_a_question_asks_for_one_and_a_bad_one_is_refused(
    day: ModuleType, other: None, log_in: LogIn
) -> None:
    client = log_in(Role.ANALYST)
    assert "Judge again" in client.get(reverse("console:replay")).content.decode()
    assert client.get(reverse("console:replay"), {"edition": "no-such"}).status_code == 404
    assert client.get(reverse("console:replay"), {"edition": "2027-01", "from": "yesterday"}).status_code == 400


def test_the_shadows_disagreements_are_shown(day: ModuleType, other: None, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    assert "No disagreement yet" in client.get(reverse("console:shadow")).content.decode()
    own, now = dataclasses.replace(wiring.desk(), shadow=wiring.shadow()), wiring.now()
    raw = spam_report("192.0.2.10", at=now, by=reporter(3), happened=now - HOUR)
    key = complaint.accept(
        raw, sender=reporter(3).address, recipients=("abuse@operator.example.net",), channel=Channel.SMTP, desk=own,
        at=now,
    )  # fmt: skip
    complaint.understand(key, desk=own, at=now)
    shown = client.get(reverse("console:shadow")).content.decode()
    assert "It was asked at 1 judgements and would have decided 1 otherwise." in shown
    assert "time to answer 24 h → 7 h" in shown


def test_without_a_shadow_the_page_says_how_to_begin(at: object, log_in: LogIn) -> None:
    assert "Nothing runs in the shadow" in log_in(Role.ANALYST).get(reverse("console:shadow")).content.decode()


def test_a_picture_keeps_what_it_is_told_apart_from_markup() -> None:
    drawn = bars([Pair(label="<b>&", before=0, after=3, link="?a=1&b=2")], title='"x"', alone=True)
    root = ET.fromstring(drawn)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<b>&" in texts
    widths = [float(r.get("width", "0").rstrip("%")) for r in root.iter("{http://www.w3.org/2000/svg}rect")][-2:]
    assert widths[0] == 0 < widths[1]
