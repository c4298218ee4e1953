"""Staff read times in a zone and a way of their own, on every page; the record, forms and the API stay in UTC."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from tipstaff.ledger.queries import recent
from tipstaff.notices.queries import list_letters
from tipstaff.web import shown
from tipstaff.words import Role

LogIn = Callable[..., Client]
PAGES = ("/console/", "/console/cases", "/console/reports", "/console/record", "/console/overview", "/console/levels")


def kept(client: Client, zone: str, dates: str = "") -> str:
    answer = client.post("/me/times", {"timezone": zone, "dates": dates}, follow=True)
    return answer.content.decode()


def test_every_page_follows_the_zone_and_nobody_elses_page_does(day: object, at: datetime, log_in: LogIn) -> None:
    lena, eva = log_in(Role.LEAD, name="lena"), log_in(Role.LEAD, name="eva")
    pages = [*PAGES, f"/console/letters/{list_letters(limit=1)[0].key}"]
    before = {page: eva.get(page).content.decode() for page in pages}
    assert "Kept" in kept(lena, "Asia/Tokyo")
    for page in pages:
        mine = lena.get(page).content.decode()
        assert re.search(r"\d\d:\d\d(:\d\d)? JST", mine) or not re.search(r"\d\d:\d\d(:\d\d)? UTC", before[page]), page
        found = re.search(r".{200}2026-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", mine, re.S)
        assert not found, found[0]
        assert "JST" not in eva.get(page).content.decode(), page
    assert "2026-05-04 21:00" in lena.get("/console/wall").content.decode(), "noon in UTC"
    assert 'value="Asia/Tokyo"' not in eva.get("/me/").content.decode()


def test_dates_are_written_in_the_way_that_was_chosen(day: object, at: datetime, log_in: LogIn) -> None:
    lena = log_in(Role.LEAD)
    kept(lena, "Europe/Berlin", "de")
    assert "4. Mai 2026, 14:00 CEST" in lena.get("/console/wall").content.decode()


@pytest.mark.parametrize(("zone", "dates"), [("Nowhere/Land", ""), ("../../etc/passwd", ""), ("UTC", "xx"), ("", "")])
def test_what_is_no_zone_and_no_way_is_not_kept(log_in: LogIn, at: datetime, db: None, zone: str, dates: str) -> None:
    lena = log_in(Role.LEAD)
    assert "from the lists" in kept(lena, zone, dates)
    assert "selected>UTC<" in lena.get("/me/").content.decode()


def test_the_record_and_the_api_stay_in_utc(day: object, at: datetime, log_in: LogIn) -> None:
    lena = log_in(Role.LEAD)
    kept(lena, "Asia/Tokyo", "ja")
    assert "+09:00" not in lena.get("/api/cases").content.decode()
    assert all(entry.at.utcoffset() == at.utcoffset() for entry in recent(limit=5))
    assert shown.READER.get() is None, "it ends with the page"
    assert Client().post("/account/me/times", {"timezone": "Asia/Tokyo"}).status_code in (302, 404)
