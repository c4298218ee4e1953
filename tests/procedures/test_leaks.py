"""Nothing that a customer can see says who complained, or which spamtrap was hit: every letter, file and page of it."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
from django.test import Client

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff import wiring
from tipstaff.notices import place_shown
from tipstaff.procedures.links import Link, make_link
from tipstaff.words import Answer, Case, Letter

ADDRESS = "198.51.100.7"
TRAP = "kiwi-trap-31@honey.example.org"
TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
LINKS = {
    "as it is": f"?u={TRAP}",
    "percent-encoded": f"?u={quote(TRAP, safe='')}",
    "encoded twice": f"?u={quote(quote(TRAP, safe=''), safe='')}",
    "base64": "?u=" + base64.b64encode(TRAP.encode()).decode(),
    "base64 for URLs": "#" + base64.urlsafe_b64encode(TRAP.encode()).decode().rstrip("="),
    "hex": f"?h={TRAP.encode().hex()}",
    "in the path": f"/{quote(TRAP, safe='')}/unsubscribe",
    "a token": f"?id={TOKEN}",
}


def complain(office: Office, address: str, link: str, *, n: int = 1) -> Case:
    """A case about a page whose address, as the reporter had it in a mail, names the spamtrap that the mail went to."""
    by = reporter()
    told = {
        "xarf_version": "4.2.0", "report_id": f"7f2c1e1a-0000-4000-8000-{n:012}", "category": "content",
        "type": "phishing", "timestamp": (NOON - HOUR).isoformat(), "source_identifier": address,
        "url": f"http://{address}/shop/login{n}{link}", "description": f"Sent to {TRAP}",
        "reporter": {"org": by.name, "contact": by.address, "domain": by.domain}, "evidence": [
            {"content_type": "text/plain", "payload": base64.b64encode(f"To: {TRAP}\nFrom: x".encode()).decode()}
        ],
    }  # fmt: skip
    raw = (
        f"From: {by.name} <{by.address}>\r\nTo: abuse@operator.example.net\r\nSubject: Phishing for {TRAP}\r\n"
        f"Message-ID: <ref-5512@{by.domain}>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/json; name="xarf.json"\r\n\r\n'
    ).encode() + json.dumps(told).encode()
    return office.case_of(office.take_in(raw, at=NOON, sender=by.address))


def told_to_customer(case: Case, letters: list[Letter]) -> Iterator[str]:
    """All that they get, each also with what is encoded in it undone."""
    for letter in letters:
        yield from (letter.subject, letter.body)
        for file in letter.attachments:
            yield file.text
            tree: dict[str, Any] = json.loads(file.text)
            yield from (base64.b64decode(x["payload"]).decode() for x in tree.get("evidence", ()))
    yield Client().get(f"/p/{make_link(Link.CASE, case.key, at=NOON, expires_at=NOON + 30 * DAY)}").content.decode()


def must_not_say(text: str) -> None:
    by = reporter()
    local, _, host = TRAP.partition("@")
    secrets = (TRAP, local, host, by.address, by.domain, by.name, "ref-5512", TOKEN, TRAP.encode().hex())
    coded = (base64.b64encode(TRAP.encode()).decode().rstrip("="), quote(TRAP, safe=""))
    for view in (text, unquote(unquote(text)), text.replace("[.]", ".")):
        for secret in (*secrets, *coded):
            assert secret.lower() not in view.lower(), secret


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The office, and the pages that go with it."""
    monkeypatch.setattr(wiring, "now", lambda: NOON)
    monkeypatch.setattr(wiring, "desk", lambda: office.desk)
    return office


def test_links_that_name_the_spamtrap_are_shown_without_it(desk: Office) -> None:
    desk.admit("acct-1", ADDRESS)
    cases = {complain(desk, ADDRESS, link, n=n).key for n, link in enumerate(LINKS.values(), 1)}
    assert len(cases) == 1
    desk.post(at=NOON)
    letters = desk.letters_to("acct-1@customer.example.com")
    said = list(told_to_customer(desk.fresh(cases.pop()), letters))
    assert sum(len(letter.attachments) for letter in letters) >= len(LINKS)
    for text in said:
        must_not_say(text)
    for n in range(1, len(LINKS) + 1):
        assert f"/shop/login{n}" in said[-1], "what is to be set right is still named"
        assert any(f"/shop/login{n}" in letter.body.replace("\n", "") for letter in letters)


def test_no_letter_in_any_language_says_who_complained(desk: Office) -> None:
    cases = {}
    for n, language in enumerate(("en", "de", "es", "fr", "ja", "pt"), 10):
        desk.admit(f"acct-{n}", f"198.51.100.{n}", language=language)
        cases[f"acct-{n}", language] = complain(desk, f"198.51.100.{n}", LINKS["base64"], n=n)
    desk.post(at=NOON)
    for days in (9, 10):
        at = NOON + timedelta(days=days)
        if days == 9:
            desk.deadlines(at=at)
        else:
            for case in cases.values():
                desk.answer(desk.fresh(case.key), Answer.FIXED, at=at)
        desk.enforce(at=at)
        desk.post(at=at)
    for (customer, language), case in cases.items():
        letters = desk.letters_to(f"{customer}@customer.example.com")
        assert len(letters) >= 2
        assert {x.language for x in letters} == {language}
        for text in told_to_customer(case, letters):
            must_not_say(text)


@pytest.mark.parametrize(
    "place",
    [
        "198.51.100.7", "shop.example.org", "http://shop.example.org/a/b.php?page=3&sort=up#top", "hxxp://x.example/",
        "http://shop.example.org/a-long-path-of-many-words/and-another-one-of-them/login.php",
        "http://shop.example.org/?next=shop.example.com/page",
    ],
)  # fmt: skip
def test_a_place_that_names_nobody_is_shown_whole(place: str) -> None:
    assert place_shown(place) == place
