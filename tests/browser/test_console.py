"""The console, the portal and the public pages in a real browser."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Locator, Page, expect
from pysequoia import Tsk

from tests.rooms.web.test_permissions import DOORS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

Open = Callable[..., Page]
HERE = Path(__file__).parent
PICTURES = HERE.parent.parent / "docs" / "pictures"
STAFF_PAGES = {
    "cases": "/console/cases",
    "inbox": "/console/inbox",
    "reports": "/console/reports",
    "report": "/console/reports/R-000001",
    "studio": "/console/reports/R-000001/studio",
    "case": "/console/cases/C-000005",
    "customers": "/console/customers",
    "customer": "/console/customers/acct-1002",
    "reseller": "/console/customers/acct-1033",
    "changes": "/console/changes",
    "import": "/console/import",
    "held": "/console/held",
    "held-answer": "/console/held?address=192.0.2.131&around=year",
    "admission": "/console/admissions",
    "measures": "/console/measures",
    "measure": "/console/measures/M-000001",
    "devices": "/console/devices",
    "device": "/console/devices/edge-1",
    "letter": "/console/letters/L-000001",
    "policy": "/console/policy",
    "replay": "/console/policy/replay?edition=2027-01",
    "shadow": "/console/policy/shadow",
    "editions": "/console/editions",
    "record": "/console/record?verify=1",
    "sightings": "/console/sightings",
    "sealed": "/console/sealed",
    "health": "/console/health",
    "overview": "/console/overview",
    "wall": "/console/wall",
    "staff": "/console/staff",
    "me": "/me/",
    "levels": "/console/levels",
    "webhooks": "/console/webhooks",
    "legal": "/console/legal",
    "matter": "/console/legal/G-000001",
    "harbour": "/console/legal/harbour",
    "clocks": "/console/clocks",
    "filters": "/console/filters",
    "filter": "/console/filters/F-000001",
    "driver": "/console/drivers/memory",
    "accountability": "/console/accountability",
    "tokens": "/console/tokens",
    "webhook": "/console/webhooks/000000000001",
    "search": "/console/search?q=192.0.2.0/24",
}
NO_PAGES = {
    "live": "a stream", "numbers": "a part of the list of cases", "peek": "the same",
    "raw_evidence": "the bytes of a mail", "framed_evidence": "a mail in its frame",
}  # fmt: skip
"""What is read at an address of the console and is no page by itself."""
OPEN_PAGES = {
    "landing": "/",
    "report-form": "/report",
    "policy-public": "/policy",
    "policy-german": "/policy?in=de",
    "policy-changes": "/policy/2026-07/changes",
    "log-in": "/login",
}
PICTURED = {"cases", "case", "inbox", "measure", "health", "editions", "replay", "shadow"}


def picture(page: Page, name: str) -> None:
    """Keep a picture for the documentation, when asked to."""
    if os.environ.get("TIPSTAFF_PICTURES") == "1":
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(PICTURES / f"{name}.png"))


def barriers(page: Page, *, inside: str = "html") -> list[str]:
    """What axe finds against WCAG 2.2 A and AA in a part of the page, and how much the page is too wide."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((HERE / "axe.min.js").read_text())
    found = page.evaluate(
        "inside => axe.run(inside, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(r =>"
        " JSON.stringify(r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' '"
        " + (n.any[0]?.message ?? n.failureSummary)).join('; '))))",
        inside,
    )
    listed: list[str] = json.loads(found)
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*listed, f"{wide} px too wide"] if wide > 0 else listed


def barriers_unfolded(page: Page, known: set[str] | None = None) -> list[str]:
    """The same with everything on the page opened that can be: what is folded, then the menu, then each dialog. A menu
    or a dialog that is in `known`, letter by letter, was looked at before in this window."""
    known = set() if known is None else known

    def is_new(part: Locator) -> bool:
        text = str(part.evaluate("one => one.outerHTML"))
        return text not in known and not known.add(text)  # type: ignore[func-returns-value]  # it adds it

    page.evaluate("document.querySelectorAll('details:not([data-menu])').forEach(one => { one.open = true; })")
    found = barriers(page)
    if page.locator("details[data-menu]").count() and is_new(page.locator("details[data-menu]")):
        page.locator("details[data-menu] > summary").click()
        found += [f"menu: {barrier}" for barrier in barriers(page, inside="details[data-menu]")]
        page.keyboard.press("Escape")
    for dialog in filter(is_new, page.locator("dialog").all()):
        dialog.evaluate("one => one.showModal()")
        name = f"#{dialog.get_attribute('id')}"
        found += [f"{name}: {barrier}" for barrier in barriers(page, inside=name)]
        dialog.evaluate("one => one.close()")
    return found


LATER = pytest.mark.skipif(
    not (os.environ.get("TIPSTAFF_PICTURES") or os.environ.get("TIPSTAFF_TEST_SOAK")),
    reason="it takes long; `make live` runs it (TIPSTAFF_TEST_SOAK=1)",
)
"""Each scheme and each width is looked at in every run; the other two pairs by `make live`, and for pictures."""


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param("dark", 1440, id="dark-desktop"),
        pytest.param("light", 390, id="light-phone"),
        pytest.param("light", 1440, id="light-desktop", marks=LATER),
        pytest.param("dark", 390, id="dark-phone", marks=LATER),
    ],
)
def test_staff_pages_have_no_barriers_and_fit_with_everything_open(open_page: Open, scheme: str, width: int) -> None:
    page = open_page(scheme=scheme, width=width, height=900 if width > 1000 else 844)
    found: dict[str, list[str]] = {}
    known: set[str] = set()
    for name, address in STAFF_PAGES.items():
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, f"{name}: {address} is not shown"
        expect(page.locator("main")).to_be_visible()
        expect(page.locator("#q")).to_be_visible()
        if name in PICTURED and width > 1000:
            picture(page, f"{name}-{scheme}")
        elif name in ("cases", "case"):
            picture(page, f"{name}-phone-{scheme}")
        found[name] = barriers_unfolded(page, known)
    assert "\n".join(f"{name}: {barrier}" for name, what in found.items() for barrier in what) == ""


def test_every_page_of_the_console_is_among_those() -> None:
    shown = {resolve(urlsplit(address).path).url_name for address in STAFF_PAGES.values()}
    read = {name for name, (methods, _) in DOORS.items() if "GET" in methods}
    assert read - shown == NO_PAGES.keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_open_pages_have_no_barriers_and_fit_a_phone(open_page: Open, scheme: str) -> None:
    page = open_page(who="", scheme=scheme, width=390, height=844)
    found: dict[str, list[str]] = {}
    for name, address in OPEN_PAGES.items():
        page.goto(address)
        found[name] = barriers_unfolded(page)
    assert "\n".join(f"{name}: {barrier}" for name, what in found.items() for barrier in what) == ""


def test_the_list_is_worked_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.goto("/console/cases?view=open")
    rows = page.locator("[data-rows] tr[data-open]")
    keys = [rows.nth(n).get_attribute("id") for n in range(3)]

    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    wanted = str(keys[1]).removeprefix("row-")
    expect(page.locator("#peek h2")).to_contain_text(wanted)

    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/cases/{wanted}")
    page.keyboard.press("n")
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("u")
    page.wait_for_url("**/console/cases")

    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/console/inbox")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("C-000002")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/cases/C-000002")


def test_pages_and_acts_are_reached_by_name_and_a_case_is_tagged_without_a_mouse(open_page: Open) -> None:
    page = open_page()
    page.goto("/console/cases/C-000012")
    page.keyboard.press("Control+k")
    page.keyboard.type("tags")
    page.keyboard.press("Enter")
    expect(page.locator("#add-tags")).to_be_focused()
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The tags are changed.")
    page.keyboard.press("Control+k")
    page.keyboard.type("late")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/levels$"))
    page.keyboard.press("Control+k")
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/console/search"))


def test_typing_in_the_list_narrows_it(open_page: Open) -> None:
    page = open_page()
    page.goto("/console/cases?view=all")
    page.get_by_label("Find in cases").fill("no-such-customer")
    expect(page.locator("#rows")).to_contain_text("Nothing fits")


def test_a_chosen_theme_is_remembered(open_page: Open) -> None:
    page = open_page(scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "day")
    page.locator("details[data-menu] summary").click()
    page.get_by_text("Light or dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "night")
    page.goto("/console/inbox")
    expect(page.locator("html")).to_have_attribute("data-theme", "night")


def test_a_form_in_use_is_not_refreshed_and_the_page_is_again_afterwards(open_page: Open) -> None:
    page = open_page()
    refreshes: list[str] = []
    page.on("request", lambda asked: refreshes.append(asked.url) if "hx-request" in asked.headers else None)
    page.clock.install()
    page.goto("/console/cases?view=open")
    told = page.locator("tr", has_text="Customer told").first
    case = f"/console/cases/{str(told.get_attribute('id')).removeprefix('row-')}"
    page.goto(case)

    def refreshed() -> int:
        """How often the page asked for itself in half a minute of its own time."""
        refreshes.clear()
        page.clock.run_for(30_000)
        # What was asked for before this has been sent when this is answered.
        page.evaluate("fetch('/console/numbers').then(answer => answer.text())")
        # htmx gives a request up after a minute, and the page's minutes pass at once: each answer is awaited here.
        expect(page.locator(".htmx-request")).to_have_count(0)
        return sum(url.endswith(case) for url in refreshes)

    form = page.locator("details[data-form]", has=page.locator("#not-why"))
    assert refreshed() > 0, "with nothing in use it looks for news"

    form.locator("summary").click()
    assert refreshed() == 0, "a form is open"
    expect(page.locator("#not-why")).to_be_visible()

    page.locator("#not-why").fill("Half a reason")
    page.locator("#not-why").blur()
    form.evaluate("one => { one.open = false; }")
    assert refreshed() == 0, "words are half written, though folded away"
    expect(page.locator("#not-why")).to_have_value("Half a reason")

    page.locator("#not-why").evaluate("field => { field.value = ''; }")
    page.locator("#note-text").focus()
    assert refreshed() == 0, "somebody is about to write"

    page.locator("#note-text").blur()
    assert refreshed() > 0, "nothing is in use any more"


def test_a_choice_in_the_inbox_is_not_swept_away_and_an_engineer_closes_a_sighting(open_page: Open) -> None:
    page = open_page(who="eva")
    refreshes: list[str] = []
    page.on("request", lambda asked: refreshes.append(asked.url) if "hx-request" in asked.headers else None)
    page.clock.install()
    page.goto("/console/inbox")
    form = page.locator("form", has=page.locator("#left-why"))

    def refreshed() -> int:
        """How often the inbox asked for itself in a minute of the page's own time."""
        refreshes.clear()
        page.clock.run_for(60_000)
        page.evaluate("fetch('/console/numbers').then(answer => answer.text())")
        expect(page.locator(".htmx-request")).to_have_count(0)
        return sum(url.endswith("/console/inbox") for url in refreshes)

    assert refreshed() > 0, "with nothing in use it looks for news"
    box = form.get_by_role("checkbox").first
    box.set_checked(not box.is_checked())
    box.blur()
    assert refreshed() == 0, "something is chosen"
    box.set_checked(True)
    page.locator("#left-why").fill("A router of our own.")
    page.locator("#left-why").blur()
    assert refreshed() == 0, "words are half written"
    form.get_by_role("button", name="Close: nothing more follows").click()
    expect(page.get_by_text(": closed.")).to_be_visible()
    expect(page.locator("#left-why")).to_have_count(0)


def test_the_console_can_be_read_without_scripts(open_page: Open, browser: object, site: str) -> None:
    context = browser.new_context(base_url=site, java_script_enabled=False)  # type: ignore[attr-defined]  # Playwright's
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill("lena")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.goto("/console/cases?view=all")
    page.locator("#rows a").first.click()
    expect(page.get_by_role("heading", name="What happened")).to_be_visible()
    page.goto("/console/health")
    expect(page.locator("#hours")).to_be_visible()
    context.close()


def add_device(page: Page) -> None:
    """A laptop with a finger on it, that says yes."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                     "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True}},
    )  # fmt: skip


def test_a_passkey_is_added_and_logs_in_alone(open_page: Open, site: str) -> None:
    desk = site.replace("127.0.0.1", "localhost")
    page = open_page(who="")
    add_device(page)
    page.goto(f"{desk}/login?next=/me/")
    page.get_by_label("Name").fill("pia")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("What you call the device").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    codes = page.locator("#new-codes pre")
    expect(codes).to_contain_text(re.compile(r"[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}"))
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Recovery codes left: 10")).to_be_visible()
    page.get_by_role("button", name="Add a code app").click()
    expect(page.get_by_role("img", name="The key as a QR code")).to_be_visible()
    assert barriers(page) == []
    page.context.clear_cookies()
    page.goto(f"{desk}/login?next=/console/reports")
    page.get_by_role("button", name="Log in by passkey").click()
    page.wait_for_url("**/console/reports")


def test_the_chart_is_drawn(open_page: Open) -> None:
    page = open_page()
    page.goto("/console/health")
    expect(page.locator("[data-hours] canvas")).to_be_visible()


def test_a_colleague_joins_a_customer_answers_and_the_desk_sees_it(open_page: Open) -> None:
    desk = open_page()
    desk.goto("/console/staff")
    desk.get_by_label("Log-in name").fill("nina")
    desk.locator("form[action$=add] input[value=analyst]").check()
    desk.get_by_role("button", name="Add, and make").click()
    link = desk.locator("[role=status] .mono").inner_text()

    nina = open_page(who="")
    nina.goto(link[link.index("/first/") :])
    nina.get_by_label("Password").fill("another long password")
    nina.get_by_label("The same again").fill("another long password")
    nina.get_by_role("button", name="Set password").click()
    nina.wait_for_url("**/console/cases")

    nina.locator("tr", has_text="Customer told").first.get_by_role("link").click()
    nina.wait_for_url("**/console/cases/C-*")
    nina.keyboard.press("a")
    expect(nina.get_by_text("The case is yours.")).to_be_visible()
    nina.locator("#note-text").fill("Called the contact.")
    nina.get_by_role("button", name="Add note").click()
    expect(nina.get_by_text("Called the contact.")).to_be_visible()
    expect(nina.get_by_role("button", name="Give it back")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_customer_reads_and_answers_on_a_phone(open_page: Open, site: str, scheme: str) -> None:
    page = open_page(who="", scheme=scheme, width=390, height=844)
    page.goto(portal_link(open_page, site))
    picture(page, f"portal-phone-{scheme}")
    assert barriers_unfolded(page) == []
    page.get_by_text("More time, please").click()
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("Thank you, we have your answer.")).to_be_visible()
    assert barriers(page) == []


def test_a_contact_logs_in_by_a_link_and_a_passkey_and_lets_a_colleague_in(open_page: Open, site: str) -> None:
    from datetime import timedelta

    from tipstaff import wiring
    from tipstaff.procedures.links import Link, make_link

    desk = open_page()
    desk.goto("/console/customers/acct-1002")
    email = desk.locator("header .mono").filter(has_text="@").first.inner_text()
    page = open_page(who="", width=390, height=844)
    at, own = wiring.now(), site.replace("127.0.0.1", "localhost")
    add_device(page)
    page.goto(f"{own}/account/log-in")
    assert barriers(page) == []
    page.get_by_label("Your mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("a letter with a link is on its way")).to_be_visible()
    # The first link of the first person here, made with the site's own key as the letter's is.
    page.goto(f"{own}/account/enter/{make_link(Link.LOG_IN, '1-1', at=at, expires_at=at + timedelta(days=1))}")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    assert barriers_unfolded(page) == []
    page.get_by_role("link", name="Cases", exact=True).click()
    assert barriers_unfolded(page) == []
    page.get_by_role("link", name="Who may see this").first.click()
    page.get_by_label("Mail address").fill("colleague@example.com")
    page.get_by_text("answer as well").click()
    page.get_by_role("button", name="Let in, and send a link").click()
    expect(page.get_by_text("colleague@example.com gets a letter with a link.")).to_be_visible()
    assert barriers(page) == []
    page.get_by_label("Public key").fill(str(Tsk.generate(f"x <{email}>").extract_certificate()))
    page.get_by_role("button", name="Send me that letter").click()
    expect(page.get_by_text("This key is used once you have opened the letter")).to_be_visible()
    picture(page, "account-people-phone-light")
    assert barriers_unfolded(page) == []
    page.get_by_role("link", name="Cases", exact=True).click()
    page.get_by_role("link", name="Webhooks").first.click()
    page.get_by_label("Address, by https").fill("https://hooks.example.com/cases")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("checks signatures with this secret")).to_be_visible()
    picture(page, "account-webhooks-phone-light")
    assert barriers_unfolded(page) == []
    page.get_by_role("link", name="https://hooks.example.com/cases").click()
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("A message that tells of nothing is on its way")).to_be_visible()
    for address in ("/account/tokens", "/account/me/", "/account/check/acct-1002"):
        page.goto(f"{own}{address}")
        assert barriers_unfolded(page) == [], address
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in by Example Corp")).to_be_visible()
    page.get_by_role("button", name="Log in by passkey").click()
    page.wait_for_url("**/account/")
    page.get_by_role("link", name=re.compile(r"^C-\d+")).first.click()
    assert barriers_unfolded(page) == []


def test_open_pages_show_their_hosts_brand_and_the_form_asks_what_the_kind_needs(open_page: Open, site: str) -> None:
    page = open_page(who="", scheme="dark", width=390, height=844)
    for path in ("/", "/report", "/account/log-in"):
        page.goto(f"{site.replace('127.0.0.1', 'north.localhost')}{path}")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        expect(page.get_by_text("North Line").first).to_be_visible()
        assert barriers_unfolded(page) == [], path
    picture(page, "brand-log-in-phone-dark")
    page.goto("/report")
    port, mail = page.get_by_label("Its source port"), page.get_by_label("The mail itself")
    for kind, asked in (("content/phishing", (False, True)), ("connection/port_scan", (True, False)),
                        ("messaging/spam", (True, True)), ("vulnerability/open_service", (False, False))):  # fmt: skip
        page.get_by_label("What happened").select_option(kind)
        assert (port.is_visible(), mail.is_visible()) == asked, kind
    page.get_by_label("What happened").select_option("messaging/spam")
    assert barriers(page) == []
    picture(page, "report-form-phone-dark")


def portal_link(open_page: Open, site: str) -> str:
    """A link to a case that still takes "more time", made with the site's own key."""
    from datetime import timedelta

    from tipstaff import wiring
    from tipstaff.procedures.links import Link, make_link

    desk = open_page()
    desk.goto("/console/cases?view=open")
    row = desk.locator("tr", has_text="Customer told").first
    key = str(row.get_attribute("id")).removeprefix("row-")
    at = wiring.now()
    return f"/p/{make_link(Link.CASE, key, at=at, expires_at=at + timedelta(days=1))}"


def test_a_case_and_the_list_change_before_the_eyes_of_who_has_them_open(open_page: Open) -> None:
    here, list_, colleague = open_page(who="lena"), open_page(who="lena"), open_page()
    for page in (here, list_):  # They never ask by themselves: what does so waits ten seconds at the least.
        page.add_init_script(
            "for (const set of ['setTimeout', 'setInterval']) { const was = window[set];"
            " window[set] = (run, ms, ...more) => ms >= 9000 ? 0 : was(run, ms, ...more); }"
        )
    with here.expect_response("**/console/live?case=C-000003"):
        here.goto("/console/cases/C-000003")
    with list_.expect_response("**/console/live"):
        list_.goto("/console/cases?view=all")
    here.evaluate("window.opened = true")
    colleague.goto("/console/cases/C-000003")
    colleague.get_by_text("Tags…").click()
    colleague.get_by_label("Add, with blanks between").fill("seen-live")
    colleague.get_by_role("button", name="Change tags").click()
    expect(colleague.get_by_role("link", name="seen-live")).to_be_visible(timeout=20_000)
    expect(here.get_by_role("link", name="seen-live")).to_be_visible(timeout=20_000)
    colleague.keyboard.press("a")
    expect(list_.locator("#row-C-000003 [title='mary.king']")).to_be_visible(timeout=20_000)
    assert here.evaluate("window.opened"), "it was not loaded anew"
