"""Customers' people log in by an identity provider: tied by themselves alone, never by a mail address that it says."""

import dataclasses
import importlib.util
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.test import Client

from tipstaff import wiring
from tipstaff.ledger.queries import recent
from tipstaff.registry.operations import designate
from tipstaff.web.models import PersonLink, PortalPerson
from tipstaff.web.portal import people

Clock = Callable[[timedelta], datetime]
BACK = "https://abuse.example.net/account/company/back"


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"web_{name}_of_companies", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_account = _beside("test_account")
_company = _beside("test_company")
company = _company.company


@pytest.fixture
def provider(day: object, company: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The double that staff's log-in is tried against, for customers."""
    own, was = company, wiring.settings()
    portal = dataclasses.replace(
        was.portal, openid_issuer=own.issuer, openid_client_id=_company.CLIENT,
        openid_secret_file=was.staff.openid_secret_file, openid_name="Example Net",
    )  # fmt: skip
    now = dataclasses.replace(was, portal=portal)
    monkeypatch.setattr(wiring, "settings", lambda: now)
    own.back, own.at = BACK, wiring.now()
    own.person = {"sub": "c-17", "email": "x@example.org", "email_verified": True, "amr": ["pwd", "mfa"]}
    return own


def tie(provider: Any, client: Client) -> Any:
    """What a browser is answered that goes to the provider from its owner's page and comes back."""
    return client.get(provider.approve(client.get("/account/me/company")["Location"]))


def come(provider: Any) -> tuple[Client, Any]:
    client = Client()
    return client, client.get(provider.approve(client.get("/account/company")["Location"]))


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def by_link(email: str) -> Client:
    """Somebody's browser that a letter's link has let in, who has shown no factor."""
    client = Client()
    _account.ask(email)
    client.post(_account.link_for(email))
    return client


def test_a_mail_address_that_the_provider_says_lets_nobody_in_and_ties_nobody(provider: Any) -> None:
    _, email = _account.of_somebody()
    _account.come_in(email)
    provider.person |= {"email": email, "preferred_username": email, "sub": email}
    client, answer = come(provider)
    assert answer.status_code == 403
    assert not is_in(client)
    assert PersonLink.objects.count() == 0


def test_who_came_by_a_letter_ties_themselves_and_comes_in_by_the_provider_alone(provider: Any) -> None:
    case, email = _account.of_somebody()
    client = by_link(email)
    assert not is_in(client), "a mailbox alone opens nothing"
    assert tie(provider, client)["Location"] == "/account/me/"
    assert is_in(client), "the provider named two factors"
    assert [e.what for e in recent(about=case.customer, limit=1)] == ["portal.linked"]
    again, answer = come(provider)
    assert answer["Location"] == "/account/"
    assert is_in(again)
    link = _link_anew(email)
    for verb in ("get", "post"):
        thief = Client()
        page = getattr(thief, verb)(link)
        assert "without it this link opens nothing" in page.content.decode()
        assert thief.get("/account/me/").status_code == 302, "their mailbox in other hands adds no passkey"


def _link_anew(email: str) -> str:
    PortalPerson.objects.update(link_made_at=None)
    _account.ask(email)
    link: str = _account.link_for(email)
    return link


def test_one_factor_at_the_provider_takes_a_code_of_theirs_and_guesses_are_counted(provider: Any, clock: Clock) -> None:
    _, email = _account.of_somebody()
    client, key, _ = _account.come_in(email)
    assert tie(provider, client)["Location"] == "/account/me/"
    provider.person["amr"] = ["pwd"]
    other, answer = come(provider)
    assert answer["Location"] == "/account/company/second"
    assert not is_in(other)
    assert other.get("/account/me/").status_code == 302, "nobody is logged in by half"
    assert other.post("/account/company/second", {"code": "000000"}).status_code == 401
    at = clock(timedelta(minutes=1))
    assert other.post("/account/company/second", {"code": _account.code(key, at)})["Location"] == "/account/"
    assert is_in(other)
    late, _ = come(provider)
    provider.at = clock(timedelta(minutes=11))
    assert late.post("/account/company/second", {"code": "000000"})["Location"] == "/account/log-in"
    answers = [come(provider)[0].post("/account/company/second", {"code": "1"}).status_code for _ in range(12)]
    assert answers[-1] == 429


def test_one_number_is_one_person_and_one_person_has_one_number(provider: Any) -> None:
    case, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    tie(provider, client)
    other = _account.of_another(case)
    customer = people.get_customer(other.customer)
    assert customer is not None
    assert customer.representative is not None
    second, _, _ = _account.come_in(customer.representative.email)
    assert tie(provider, second).status_code == 403
    provider.person["sub"] = "c-18"
    assert tie(provider, client).status_code == 403
    assert [(row.subject, row.person.email) for row in PersonLink.objects.all()] == [("c-17", email)]


def test_an_answer_for_one_browser_ties_nobody_in_another(provider: Any) -> None:
    case, email = _account.of_somebody()
    mine, _, _ = _account.come_in(email)
    victim = by_link(people.get_customer(_account.of_another(case).customer).representative.email)  # type: ignore[union-attr]  # they have one
    answer = provider.approve(mine.get("/account/me/company")["Location"])
    assert victim.get(answer).status_code == 403, "it was not asked from there"
    for site in ("cross-site", "same-site", "none"):
        begun = victim.get("/account/me/company", headers={"Sec-Fetch-Site": site})
        assert begun["Location"] == "/account/me/"
    assert PersonLink.objects.count() == 0


def test_a_screen_left_open_ties_nothing(provider: Any, clock: Clock) -> None:
    _, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    answer = provider.approve(client.get("/account/me/company")["Location"])
    clock(timedelta(minutes=9))
    provider.at = clock(timedelta(minutes=2))
    assert client.get(answer).status_code == 403, "the answer is too old"
    clock(timedelta(minutes=16))
    assert client.get("/account/me/company")["Location"] == "/account/log-in"
    assert PersonLink.objects.count() == 0


@pytest.mark.parametrize(
    "lies", [{"nonce": "another"}, {"aud": "somebody-else"}, {"iss": "https://other.example.net"}, {"exp": 1}]
)
def test_what_the_provider_did_not_say_to_us_now_lets_nobody_in(provider: Any, lies: dict[str, Any]) -> None:
    _, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    tie(provider, client)
    provider.lies = lies
    client, answer = come(provider)
    assert answer.status_code == 403
    assert not is_in(client)


def test_whom_the_registry_names_no_more_is_out_and_the_desk_takes_a_tie_away(provider: Any) -> None:
    case, email = _account.of_somebody()
    client = by_link(email)
    tie(provider, client)
    found = [v for v in people.visitors_of(case.customer, at=wiring.now()) if v.email == email]
    assert found[0].factors == 1
    assert people.forget(email, customer=case.customer, at=wiring.now(), actor="eva")
    assert not is_in(client)
    assert come(provider)[1].status_code == 403
    again = Client()
    assert again.post(_link_anew(email))["Location"] == "/account/", "the next link begins anew"
    tie(provider, again)
    for customer in people.represented_by(email):
        designate(customer, [], at=wiring.now(), actor="eva")
    assert come(provider)[1].status_code == 403
    assert not is_in(again)


def test_a_tie_is_taken_away_by_who_has_another_way_in(provider: Any) -> None:
    _, email = _account.of_somebody()
    client = by_link(email)
    tie(provider, client)
    client.post("/account/me/company/unlink")
    assert PersonLink.objects.count() == 1, "nobody locks themselves out"
    other = _account.of_another(_account.of_somebody()[0])
    customer = people.get_customer(other.customer)
    assert customer is not None
    assert customer.representative is not None
    provider.person["sub"] = "c-18"
    second, _, _ = _account.come_in(customer.representative.email)
    tie(provider, second)
    second.post("/account/me/company/unlink")
    assert PersonLink.objects.count() == 1


def test_staffs_provider_opens_no_portal_and_customers_none_of_the_desk(provider: Any) -> None:
    _, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    tie(provider, client)
    browser = Client()
    provider.approve(browser.get("/account/company")["Location"])
    assert browser.get("/login/company/back?state=x&code=code-0").status_code == 400
    assert browser.get("/console/cases").status_code == 302


def test_without_a_provider_there_is_none(day: object, clock: Clock) -> None:
    assert Client().get("/account/company").status_code == 404
    assert Client().get("/account/company/back?code=1&state=2").status_code == 403
    assert "/account/company" not in Client().get("/account/log-in").content.decode()
