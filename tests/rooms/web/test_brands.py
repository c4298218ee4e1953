"""An operator's brands: letters, links, pages and lists follow the customer's, and nobody else's do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client

from tipstaff import config, wiring
from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import list_cases
from tipstaff.config import BrandConfig, MailOut
from tipstaff.intake.queries import list_reports
from tipstaff.notices.models import LetterRow
from tipstaff.notices.queries import get_letter, list_letters
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.letters import tell_complainant, tell_customer
from tipstaff.procedures.portal import send_log_in_link
from tipstaff.registry.operations import add_customer, designate
from tipstaff.registry.queries import get_customer
from tipstaff.testing.mailbox import Mailbox
from tipstaff.web.models import PortalPerson
from tipstaff.wiring import mail
from tipstaff.words import Case, Customer, Letter, LetterKind, Representative, Role

LogIn = Callable[..., Client]
NORTH = BrandConfig(
    name="north", shown_as="North Line", address="abuse@north.example.net", public_url="https://help.north.example.net",
    mark="NL", colour="teal", language="de", timezone="Asia/Tokyo",
)  # fmt: skip
HOST = {"HTTP_HOST": "help.north.example.net", "secure": True}


@pytest.fixture
def north(day: object, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case whose customer is under a brand; all others are under the operator's own name."""
    own, desk = wiring.settings(), wiring.desk()
    branded = replace(own, brands=(NORTH,), web=replace(own.web, public_url="https://abuse.example.net"))
    monkeypatch.setattr(wiring, "settings", lambda: branded)
    speaks = replace(desk, brands=wiring.brands(), portal_link=wiring.portal_link)
    monkeypatch.setattr(wiring, "desk", lambda: speaks)
    case = list_cases(limit=1)[0]
    add_customer(replace(customer_of(case), brand="north"), at=at, actor="lena")
    return case


def customer_of(case: Case) -> Customer:
    found = get_customer(case.customer)
    assert found is not None
    return found


def other_than(case: Case) -> Case:
    return next(one for one in list_cases(limit=100) if one.customer != case.customer)


def told(case: Case, at: datetime) -> Letter:
    key = tell_customer(
        LetterKind.EXTENSION_GRANTED, case=case, customer=customer_of(case), desk=wiring.desk(), at=at, actor="lena",
        once=f"brand:{case.key}",
    )  # fmt: skip
    found = get_letter(key or "")
    assert found is not None
    return found


def test_a_letter_goes_by_the_brands_name_from_its_address_with_a_link_to_its_host(
    north: Case, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, others = told(north, at), told(other_than(north), at)
    assert (theirs.brand, others.brand) == ("north", "")
    assert "North Line" in theirs.body
    assert "abuse@north.example.net" in theirs.body
    assert "North Line" not in others.body
    link = send_log_in_link(
        "it@example.com", customer=north.customer, name="", language="en", log_in="1-1", desk=wiring.desk(), at=at,
        actor="x",
    )  # fmt: skip
    with Mailbox() as box:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        while mail.post_next() is not None:
            pass
        mails = [each.message for each in box.mails]
    by_key = {str(each["Message-ID"])[1:].partition(".")[0]: each for each in mails}
    ours = by_key[theirs.key]
    assert str(ours["From"]) == "North Line abuse desk <abuse@north.example.net>"
    assert "https://help.north.example.net/p/" in ours.get_body(("plain",)).get_content()
    assert "https://abuse.example.net/" not in ours.get_body(("plain",)).get_content()
    assert "https://help.north.example.net/account/enter/" in by_key[link].get_body(("plain",)).get_content()
    assert "operator.example.net" in str(by_key[others.key]["From"])
    assert "north" not in by_key[others.key].as_string()


def test_pages_are_under_the_brand_of_their_host_and_no_strangers_host_makes_one(north: Case) -> None:
    for path in ("/", "/report", "/account/log-in", "/.well-known/security.txt"):
        page = Client().get(path, **HOST).content.decode()
        assert "abuse@north.example.net" in page, path
        for host in ("abuse.example.net", "evil.example.org", "help.north.example.net.evil.example.org"):
            assert "north" not in Client().get(path, HTTP_HOST=host, secure=True).content.decode().lower(), (path, host)
    page = Client().get("/", **HOST).content.decode()
    assert 'lang="de"' in page, "whoever wishes no language reads the brand's"
    assert "chip tone-teal" in page
    assert "North Line" in page
    assert 'lang="fr"' in Client().get("/", headers={"Accept-Language": "fr"}, **HOST).content.decode()


def test_a_cases_page_is_under_its_customers_brand_whatever_host_it_was_opened_at(north: Case, at: datetime) -> None:
    link = wiring.portal_link(north.key, at)
    assert link.startswith("https://help.north.example.net/p/")
    path = link.removeprefix("https://help.north.example.net")
    for host in ("help.north.example.net", "abuse.example.net"):
        assert "North Line" in Client().get(path, HTTP_HOST=host, secure=True).content.decode()
    theirs = wiring.portal_link(other_than(north).key, at)
    assert theirs.startswith("https://abuse.example.net/p/")
    path = theirs.removeprefix("https://abuse.example.net")
    assert "North Line" not in Client().get(path, **HOST).content.decode()


def test_the_console_lists_a_brands_cases_and_customers_alone(north: Case, log_in: LogIn) -> None:
    CaseRow.objects.filter(key=north.key).update(brand="north")
    lena = log_in(Role.LEAD, name="lena")
    listed = lena.get("/console/cases?view=all&brand=north").content.decode()
    assert (f"row-{north.key}" in listed, f"row-{other_than(north).key}" in listed) == (True, False)
    assert [each["key"] for each in lena.get("/api/cases?brand=north").json()] == [north.key]
    customers = lena.get("/console/customers?brand=north").content.decode()
    assert f"/console/customers/{north.customer}" in customers
    assert f"/console/customers/{other_than(north).customer}" not in customers


def test_a_customer_takes_a_brand_that_the_settings_name_and_keeps_it_without_the_field(
    north: Case, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    lena = log_in(Role.LEAD, name="lena")
    page = f"/console/customers/{north.customer}/save"
    lena.post(page, {"name": "Other Name", "brand": "south"})
    assert customer_of(north).name != "Other Name"
    own = wiring.settings()
    monkeypatch.setattr(wiring, "settings", lambda: replace(own, brands=()))
    lena.post(page, {"name": "Other Name"})
    assert (customer_of(north).name, customer_of(north).brand) == ("Other Name", "north")


def test_a_brand_that_the_settings_name_no_more_is_the_operators_own(north: Case, at: datetime) -> None:
    desk: Desk = replace(wiring.desk(), brands={})
    assert desk.speaking_to(customer_of(north)) is desk


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ('name = "North Line"', "small letters"),
        ('name = "north"\naddress = "nobody"', "mail address"),
        ('name = "north"\npublic_url = "http://help.north.example.net"', "public_url"),
        ('name = "north"\npublic_url = "https://help.north.example.net/x"', "public_url"),
        ('name = "north"\ncolour = "pink"', "colour"),
        ('name = "north"\ntimezone = "Mars/Base"', "timezone"),
        ('name = "north"\nlanguage = "German"', "language"),
        ('name = "north"\nlogo = "x"', "not a setting"),
        ("shown_as = 'x'", "lacks its name"),
    ],
)
def test_a_brand_that_cannot_be_meant_is_refused(tmp_path: Path, lines: str, wrong: str) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text(f'[web]\npublic_url = "https://abuse.example.net"\n[[brands]]\n{lines}\n')
    with pytest.raises(config.BadSetting, match=wrong):
        config.load(file, {})


def test_a_brands_times_are_in_its_zone_where_nobodys_own_is_known(north: Case, at: datetime) -> None:
    page = Client().get(
        wiring.report_link(list_reports(limit=1)[0].key, at).removeprefix("https://abuse.example.net"), **HOST
    )
    assert "JST" in page.content.decode()


def test_the_api_keeps_a_brand_that_is_left_out_and_takes_none_that_the_settings_do_not_name(
    north: Case, log_in: LogIn
) -> None:
    lena, path = log_in(Role.LEAD, name="lena"), f"/api/registry/customers/{north.customer}"
    assert lena.put(path, {"name": "A Name"}, "application/json").status_code == 200
    assert customer_of(north).brand == "north"
    assert lena.put(path, {"name": "B Name", "brand": "south"}, "application/json").status_code == 422
    assert customer_of(north).name == "A Name"
    assert lena.put(path, {"name": "A Name", "brand": ""}, "application/json").status_code == 200
    assert customer_of(north).brand == ""


def test_a_letters_link_leads_to_the_brand_that_its_text_speaks_for(
    north: Case, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, others = told(north, at), told(other_than(north), at)
    add_customer(replace(customer_of(north), brand=""), at=at, actor="lena")
    add_customer(replace(customer_of(other_than(north)), brand="north"), at=at, actor="lena")
    report = next(one for one in list_reports(limit=200) if one.incidents and one.incidents[0].case and one.sender)
    answer = tell_complainant(LetterKind.ACKNOWLEDGEMENT, report=report, once="x", desk=wiring.desk(), at=at)
    LetterRow.objects.filter(key=answer).update(brand="north")
    with Mailbox() as box:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        while mail.post_next() is not None:
            pass
        mails = {str(each.message["Message-ID"])[1:].partition(".")[0]: each.message for each in box.mails}
    texts = {key: each.get_body(("plain",)).get_content() for key, each in mails.items()}
    assert "https://help.north.example.net/p/" in texts[theirs.key], "moved to another brand since it was written"
    assert "https://abuse.example.net/p/" in texts[others.key]
    assert "https://help.north.example.net/" not in texts[others.key]
    assert "https://help.north.example.net/r/" in texts[answer or ""], "where a complainant sees how it stands"
    assert "/p/" not in texts[answer or ""]


def test_a_letter_on_an_edition_leads_to_the_brands_own_host(north: Case) -> None:
    desk = wiring.desk()
    asked = desk.speaking_to(customer_of(north)).policy_link("2026-01")
    assert asked == "https://help.north.example.net/policy/2026-01/changes"
    others = desk.speaking_to(customer_of(other_than(north))).policy_link("2026-01")
    assert others == "https://abuse.example.net/policy/2026-01/changes"


def test_whoever_asks_for_a_log_in_hears_from_the_brand_whose_page_they_asked(north: Case, at: datetime) -> None:
    who = Representative(name="A Person", email="both@example.com", language="en", timezone="UTC")
    both = sorted({case.customer for case in list_cases(limit=100)} - {north.customer})
    for customer in (both[0], both[-1], north.customer):
        designate(customer, [who], at=at, actor="lena")
    Client().post("/account/log-in", {"email": who.email}, **HOST)
    [letter] = list_letters(kind=LetterKind.LOG_IN_LINK)
    assert (letter.to, letter.brand) == (who.email, "north")
    PortalPerson.objects.update(link_made_at=None)
    Client().post("/account/log-in", {"email": who.email}, HTTP_HOST="abuse.example.net", secure=True)
    assert list_letters(kind=LetterKind.LOG_IN_LINK)[0].brand == ""
