"""One complaint's whole way, seen in a real browser: mailbox, case, letter, measure on packets, answer, end, record."""

import os
import re
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live.conftest import MakeDesk
from tests.live.moving_in import network_of
from tests.live.running import Desk, run_python
from tests.live.story import complaint_of
from tipstaff.testing.lab import Lab

pytestmark = [pytest.mark.live, pytest.mark.browser, pytest.mark.xdist_group("whole-way")]

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
FAR = "203.0.113.250"
PASSWORD = "a long enough password"
N = 7
CUSTOMER = f"Placeholder Holder {N}"
ADDRESS = str(network_of(N).network_address)
SOON = 30_000
"""Milliseconds: pages look for news every ten to twenty seconds by themselves."""


def picture(page: Page, name: str) -> None:
    if os.environ.get("TIPSTAFF_PICTURES") == "1":
        page.screenshot(path=str(PICTURES / f"{name}.png"))


def first_link(desk: Desk) -> str:
    """What `tipstaff login-link --new` prints."""
    return run_python("-m", "tipstaff", "login-link", "--new", "ana", environment=desk.environment("person")).strip()


@pytest.mark.parametrize("edge", ["twin", "filter"])
def test_a_person_watches_one_complaint_from_the_mailbox_to_a_lifted_measure(
    edge: str, open_desk: MakeDesk, browser: Browser
) -> None:
    """On the twin of a device everywhere, and on a packet filter with packets where one can be had."""
    if edge == "filter" and (why := Lab.unavailable()):
        pytest.skip(why)
    with ExitStack() as stack:
        lab: Lab | None = None
        device = None
        if edge == "filter":
            neighbour = str(network_of(N + 1).network_address)
            lab = stack.enter_context(Lab(customers=(ADDRESS, neighbour), outside=(FAR,)))
            lab.listen("outside", FAR, 25)
            lab.listen("outside", FAR, 80)
            device = {"name": "edge1", "driver": "nftables", **lab.device_options()}
        desk = open_desk(device=device)
        desk.start()
        desk.await_doors()
        console = _log_in(desk, browser)

        # The mail, and the case that it becomes.
        desk.send(complaint_of(N, at=desk.now()), sender=f"loop-{N}@reporter.example.org")
        desk.settle()
        console.goto(f"{_site(desk)}/console/cases")
        console.get_by_role("link", name=re.compile("C-0")).first.click()
        console.wait_for_url("**/console/cases/C-*")
        expect(console.get_by_role("heading", name=re.compile(CUSTOMER)).first).to_be_visible()
        expect(console.get_by_text("Customer told").first).to_be_visible(timeout=SOON)
        expect(console.get_by_text("mail.unsolicited").first).to_be_visible()
        expect(console.get_by_text("one holder").first).to_be_visible()
        picture(console, "way-1-told")
        if lab is not None:
            assert _reaches(lab, 25)

        # Nobody answers: the page shows the measure without a reload, and packets show that it is there.
        case = console.url.rpartition("/")[2]
        due = desk.one("SELECT due_at FROM cases_caserow WHERE key = %s", case)
        desk.set_clock(due + timedelta(seconds=1))
        # Days have passed: the log-in of the first one has ended.
        console.goto(f"{_site(desk)}/console/cases")
        console.get_by_label("Name").fill("ana")
        console.get_by_label("Password").fill(PASSWORD)
        console.get_by_role("button", name="Log in").click()
        console.wait_for_url("**/console/**")
        console.goto(f"{_site(desk)}/console/cases/{case}")
        desk.look_round()
        expect(
            console.get_by_text("A restriction is in force").or_(console.get_by_text("Measure in force")).first
        ).to_be_visible(timeout=2 * SOON)
        expect(console.get_by_text(f"tcp/25 from {ADDRESS}").first).to_be_visible(timeout=SOON)
        desk.settle()
        picture(console, "way-2-measure")
        if lab is not None:
            assert not _reaches(lab, 25)
            assert _reaches(lab, 80)

        # Whoever touches devices has no door; the others show that one would be seen.
        assert desk.listens("enforcer") == []
        assert desk.listens("web") != []
        assert desk.listens("intake") != []

        # The customer opens the link of the letter on a phone and answers.
        link = _link(desk, case)
        phone = browser.new_page(viewport={"width": 390, "height": 844})
        phone.goto(link)
        expect(phone.get_by_text(ADDRESS).first).to_be_visible()
        assert "reporter.example.org" not in phone.content()
        phone.locator("input[name=answer][value=fixed]").check()
        phone.locator("#words").fill("The mail plugin was removed and every password changed.")
        picture(phone, "way-3-answer")
        phone.get_by_role("button", name="Send the answer").click()
        expect(phone.get_by_text("Thank you, we have your answer.")).to_be_visible()

        # It is lifted, shown to be lifted, closed, and told.
        expect(console.get_by_text("Closed", exact=True).first).to_be_visible(timeout=2 * SOON)
        desk.settle()
        console.reload()
        expect(console.get_by_text("The mail plugin was removed").first).to_be_visible()
        picture(console, "way-4-closed")
        if lab is not None:
            assert _reaches(lab, 25)
        assert desk.ask('SELECT state FROM enforcement_measurerow WHERE "case" = %s', case) == [("lifted",)]
        _outcome_is_told(desk)
        console.goto(f"{_site(desk)}/console/record?verify=1")
        expect(console.get_by_text(re.compile("^Whole: ")).first).to_be_visible()


def _site(desk: Desk) -> str:
    return f"http://127.0.0.1:{desk.web_port}"


def _log_in(desk: Desk, browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(first_link(desk))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set password").click()
    page.wait_for_url("**/console/**")
    return page


def _reaches(lab: Lab, port: int) -> bool:
    return lab.knock("inside", FAR, port, source=ADDRESS) == "connected"


def _link(desk: Desk, case: str) -> str:
    assert desk.letters is not None
    for letter in reversed(desk.letters.mails):
        found = re.search(r"http://\S+/p/\S+", letter.text)
        if case in letter.text and found:
            return found.group(0)
    raise AssertionError(f"no letter about {case} has a link")


def _outcome_is_told(desk: Desk) -> None:
    """The complainant has an acknowledgement and the outcome, and neither names the customer."""
    assert desk.letters is not None
    theirs = [m for m in desk.letters.mails if m.recipients == (f"loop-{N}@reporter.example.org",)]
    assert len(theirs) == 2
    assert not any(CUSTOMER in m.subject + m.text or f"acct-{N}" in m.text for m in theirs)
