"""Customers' people at the portal: who gets in, what each sees and may do, and what nobody of another customer sees."""

import base64
import importlib.util
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from cryptography.x509.oid import NameOID
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pysequoia import Profile, Tsk, decrypt

from tipstaff import wiring
from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import get_case, list_cases
from tipstaff.config import MailOut
from tipstaff.editions.queries import first_uses_of
from tipstaff.enforcement.models import MeasureRow
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.queries import recent
from tipstaff.notices.models import LetterRow
from tipstaff.notices.queries import cases_told, list_letters
from tipstaff.policy import edition_files, edition_folders
from tipstaff.procedures.editions import adopt_installed
from tipstaff.registry.operations import designate, undo
from tipstaff.registry.queries import changes_of, get_customer, representatives_of
from tipstaff.site.quiet import without_tokens
from tipstaff.testing.mailbox import Mailbox
from tipstaff.web.models import Brand, Factor, Forward, PortalPerson, ProposedContact, ProposedKey
from tipstaff.web.portal import account, contacts, mail_keys, reads, tokens, webhooks
from tipstaff.web.portal.account_urls import urlpatterns
from tipstaff.web.portal.outgoing import TO_ALL_MAX, TO_ONE_MAX, contact_in_letter, holds_url, is_no_name
from tipstaff.web.portal.people import PortalRole, role_on
from tipstaff.wiring import mail
from tipstaff.words import Case, CaseOutcome, CaseState, Letter, LetterKind, Representative, Role

Clock = Callable[[timedelta], datetime]
ORIGIN = "https://abuse.example.net"
OPEN_TO_ALL = {
    "log_in", "log_out", "enter", "passkey", "agree", "show_key", "company", "company_back", "company_second"
}  # fmt: skip
"""Addresses by which somebody comes in or goes out, or whose link is the key; all others take somebody who is in."""

_spec = importlib.util.spec_from_file_location("web_device", Path(__file__).with_name("device.py"))
assert _spec is not None
assert _spec.loader is not None
_device = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_device)


def link_for(email: str) -> str | None:
    """The address in the last letter with a link that was written to somebody."""
    letters = [x for x in list_letters(limit=500) if x.kind is LetterKind.LOG_IN_LINK and x.to == email]
    if not letters:
        return None
    log_in = max(letters, key=lambda x: x.key).log_in
    assert log_in is not None
    link = wiring.log_in_link(log_in, wiring.now())
    assert link.startswith(ORIGIN)
    return link.removeprefix(ORIGIN)


def ask(email: str) -> str:
    """What the page says to somebody who asks for a link."""
    return Client().post("/account/log-in", {"email": email}).content.decode()


def code(key: str, at: datetime) -> str:
    return TOTP(base64.b32decode(key), 6, SHA1(), 30).generate(int(at.timestamp())).decode()


def come_in(email: str, *, asked: bool = False) -> tuple[Client, str, list[str]]:
    """Somebody's browser after their first log-in, the key of their code app, and their recovery codes."""
    if not asked:
        ask(email)
    link = link_for(email)
    assert link is not None, email
    client = Client()
    assert client.post(link)["Location"] == "/account/"
    assert client.get("/account/")["Location"] == "/account/me/", "a mailbox alone opens nothing"
    (key,) = re.findall(r">([A-Z2-7]{32})<", client.post("/account/me/codes/begin").content.decode())
    page = client.post("/account/me/codes/confirm", {"code": code(key, wiring.now())}).content.decode()
    (shown,) = re.findall(r"<pre[^>]*>([^<]*)</pre>", page)
    return client, key, shown.split()


def of_somebody() -> tuple[Case, str]:
    """A case of which its customer was told, and the address of their representative."""
    case = list_cases(states=frozenset({CaseState.NOTIFIED}))[0]
    customer = get_customer(case.customer)
    assert customer is not None
    assert customer.representative is not None
    return case, customer.representative.email


def of_another(than: Case) -> Case:
    return next(c for c in list_cases(states=frozenset({CaseState.NOTIFIED})) if c.customer != than.customer)


def test_every_page_of_the_portal_takes_somebody_who_is_in(clock: Clock) -> None:
    for pattern in urlpatterns:
        if pattern.name in OPEN_TO_ALL:
            continue
        assert pattern.callback.is_inside, pattern.name
        address = "/account/" + str(pattern.pattern).replace("<int:id>", "1").replace("<str:", "").replace(">", "")
        for answer in (Client().get(address), Client().post(address)):
            assert answer.status_code == 405 or answer["Location"] == "/account/log-in", address
    assert Client().get("/account/me/")["Location"] == "/account/log-in"


def test_a_link_goes_to_contacts_on_record_and_the_page_says_the_same_to_everybody(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    said = {ask(who).replace(who, "") for who in (email.upper(), "stranger@example.org", "no address")}
    pages = {re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page) for page in said}
    assert len(pages) == 1
    assert link_for(email) is not None
    assert link_for("stranger@example.org") is None
    assert PortalPerson.objects.count() == 1


def test_a_link_is_spent_by_its_button_once_and_within_a_day(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    ask(email)
    first = link_for(email)
    assert first is not None
    for _ in range(2):
        page = Client().get(first)
        assert (page.status_code, page["Referrer-Policy"]) == (200, "no-referrer"), "mail filters open links"
    ask(email)
    assert link_for(email) == first, "one in five minutes"
    clock(timedelta(minutes=6))
    ask(email)
    second = link_for(email)
    assert second is not None
    assert Client().post(first).status_code == 410, "only the last one opens"
    assert Client().post(second + "x").status_code == 410
    assert Client().post(second).status_code == 302
    assert Client().post(second).status_code == 410
    clock(timedelta(minutes=6))
    ask(email)
    third = link_for(email)
    assert third is not None
    clock(timedelta(days=1))
    assert Client().post(third).status_code == 410
    assert third.rpartition("/")[2] not in without_tokens(f"GET {third} 200")


def test_a_log_in_with_a_factor_is_a_use_of_the_service_and_a_mailbox_alone_is_none(day: object, clock: Clock) -> None:
    posted = wiring.now() - timedelta(days=60)  # Elsewhere, as the operator states: customers know of it.
    adopt_installed([edition_files(edition_folders()[0])], at=posted, since=posted)
    case, email = of_somebody()
    _, key, _ = come_in(email)
    assert first_uses_of(case.customer) == []
    at = clock(timedelta(minutes=6))
    ask(email)
    link = link_for(email)
    assert link is not None
    assert Client().post(link, {"code": code(key, at)}).status_code == 302
    [use] = first_uses_of(case.customer)
    assert (use.shown_by, use.accepted_at) == (f"log-in to the portal, {email}", at)


def test_no_link_is_kept(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    ask(email)
    link = link_for(email)
    assert link is not None
    (letter,) = [x for x in list_letters(limit=500) if x.kind is LetterKind.LOG_IN_LINK]
    assert "{{portal_link}}" in letter.body
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(l)::text FROM notices_letterrow l WHERE kind = 'log_in_link'")
        assert link.rpartition("/")[2] not in str(cursor.fetchall())


def test_a_representative_sees_all_that_their_customer_was_told_of_and_answers(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = client.get("/account/").content.decode()
    assert case.key in page
    assert case.customer_name in page
    shown = client.get(f"/account/cases/{case.key}").content.decode()
    assert "Your answer" in shown
    client.post(f"/account/cases/{case.key}", {"answer": "fixed", "words": "We removed the plugin."})
    fresh = get_case(case.key)
    assert fresh is not None
    assert (fresh.state in (CaseState.FIXED, CaseState.CLOSED), fresh.answer) == (True, "We removed the plugin.")
    assert f"customer (account, {email})" in {entry.actor for entry in recent(about=case.key, limit=50)}


def test_nothing_of_another_customer_and_nothing_untold_is_there(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = client.get("/account/").content.decode()
    own = set(re.findall(r"/account/cases/([\w-]+)", page))
    for other in list_cases(limit=200):
        theirs = other.customer == case.customer and bool(cases_told([other.key]))
        assert (other.key in own) == theirs, other.key
        answer = client.get(f"/account/cases/{other.key}")
        assert answer.status_code == (200 if theirs else 404), other.key
        if not theirs:
            assert client.post(f"/account/cases/{other.key}", {"answer": "fixed", "words": "x"}).status_code == 404
            assert get_case(other.key) == other
        if other.customer != case.customer:
            assert other.customer not in page
            assert other.customer_name not in page
            for below in ("", "/invite"):
                ask_for = client.post if below else client.get
                assert ask_for(f"/account/people/{other.customer}{below}").status_code == 404
    assert client.get("/account/cases/C-999999").status_code == 404


def test_who_complained_is_on_no_page(day: object, clock: Clock) -> None:
    for case in list_cases(states=frozenset({CaseState.NOTIFIED})):
        customer = get_customer(case.customer)
        if customer is None or customer.representative is None:
            continue
        client, _, _ = come_in(customer.representative.email)
        addresses = ("/account/", f"/account/cases/{case.key}", f"/account/people/{case.customer}", "/account/me/")
        pages = "".join(client.get(address).content.decode() for address in addresses)
        assert case.key in pages
        for report in reports_of_case(case.key):
            assert report.reading is not None
            reporter = report.reading.reporter
            secrets = (report.key, report.sender, reporter.address, reporter.name, reporter.reference)
            for secret in filter(None, (*secrets, reporter.message_id)):
                assert secret not in pages, secret
        return
    pytest.fail("nobody was told of anything")


@pytest.mark.parametrize("role", PortalRole)
def test_each_role_does_what_it_may_and_no_more(day: object, clock: Clock, role: PortalRole) -> None:
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    people = f"/account/people/{case.customer}"
    manager.post(f"{people}/invite", {"email": "Colleague@example.com", "role": role.value})
    client, _, _ = come_in("colleague@example.com", asked=True)
    assert case.key in client.get("/account/").content.decode()
    page = client.get(f"/account/cases/{case.key}").content.decode()
    assert ('name="answer"' in page) == (role is not PortalRole.READS)
    assert ("/invite" in client.get(people).content.decode()) == (role is PortalRole.MANAGES)
    for address, form, done in (
        (f"{people}/invite", {"email": "third@example.com", "role": "manages"}, role is PortalRole.MANAGES),
        (f"{people}/999/let-out", {}, role is PortalRole.MANAGES),
    ):
        assert (client.post(address, form).status_code == 302) == done, address
        assert client.post(address, form).status_code in (302, 404)
    assert (link_for("third@example.com") is not None) == (role is PortalRole.MANAGES)
    answered = client.post(f"/account/cases/{case.key}", {"answer": "need_time"}).status_code
    assert answered == (409 if role is PortalRole.READS else 303)
    fresh = get_case(case.key)
    assert fresh is not None
    assert (fresh.state is CaseState.EXTENDED) == (role is not PortalRole.READS)


def test_who_is_let_out_is_out_at_once_and_both_stand_in_the_record(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    people = f"/account/people/{case.customer}"
    manager.post(f"{people}/invite", {"email": "colleague@example.com", "role": "answers"})
    client, key, _ = come_in("colleague@example.com", asked=True)
    (id,) = re.findall(r"/(\d+)/let-out", manager.get(people).content.decode())
    manager.post(f"{people}/{id}/let-out")
    assert client.get("/account/")["Location"] == "/account/log-in"
    clock(timedelta(minutes=6))
    ask("colleague@example.com")
    link = link_for("colleague@example.com")
    assert link is not None
    assert Client().post(link, {"code": code(key, wiring.now())}).status_code == 410, "the old link, and no new one"
    said = [(e.what, e.actor) for e in recent(about=case.customer, limit=20) if e.what.startswith("portal.")]
    assert ("portal.let_in", f"customer ({email})") in said
    assert said[0] == ("portal.let_out", f"customer ({email})")


def test_a_contact_whom_the_registry_names_no_more_is_out(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    designate(case.customer, [Representative(name="New", email="new@example.com")], at=wiring.now(), actor="lena")
    assert client.get("/account/")["Location"] == "/account/log-in"
    assert client.get(f"/account/cases/{case.key}").status_code == 302
    assert client.get("/account/me/").status_code == 302
    successor, _, _ = come_in("new@example.com")
    assert case.key in successor.get("/account/").content.decode()


def test_a_reseller_sees_and_answers_the_cases_of_the_accounts_below(day: object, clock: Clock) -> None:
    case, _ = of_somebody()
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM registry_customerrow WHERE is_reseller ORDER BY key LIMIT 1")
        (reseller,) = cursor.fetchone()
        cursor.execute("UPDATE registry_customerrow SET reseller_id = %s WHERE key = %s", [reseller, case.customer])
    designate(
        reseller, [Representative(name="R", email="desk@reseller.example.com")], at=wiring.now(), actor="lena"
    )  # fmt: skip
    assert "desk@reseller.example.com" not in {c.email for c in representatives_of(case.customer)}
    client, _, _ = come_in("desk@reseller.example.com")
    assert case.key in client.get("/account/").content.decode()
    assert client.post(f"/account/cases/{case.key}", {"answer": "need_time"}).status_code == 303
    assert client.get(f"/account/cases/{of_another(case).key}").status_code == 404


def test_the_second_log_in_takes_the_link_and_a_code(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    _, key, recovery = come_in(email)
    at = clock(timedelta(minutes=6))
    ask(email)
    link = link_for(email)
    assert link is not None
    client = Client()
    assert 'autocomplete="one-time-code"' in client.get(link).content.decode()
    assert client.post(link).status_code == 401
    assert client.post(link, {"code": "000000"}).status_code == 401
    assert client.post(link, {"code": code(key, at)})["Location"] == "/account/"
    assert client.get("/account/").status_code == 200
    clock(timedelta(minutes=6))
    ask(email)
    link = link_for(email)
    assert link is not None
    other = Client()
    assert other.post(link, {"code": recovery[0]}).status_code == 302
    assert other.get("/account/").status_code == 200


def test_a_passkey_logs_a_customers_person_in_and_opens_no_door_of_the_desk(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    client, _, _ = come_in(email)
    device: Any = _device.Device(ORIGIN)

    def send(client: Client, address: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = client.post(address, body, content_type="application/json").json()
        return found

    made = device.make(send(client, "/account/me/passkey/options", {}))
    assert "codes" in send(client, "/account/me/passkey", made)
    again = Client()
    assert send(again, "/account/passkey", device.show(send(again, "/login/passkey/options", {}))) == {
        "to": "/account/"
    }
    assert again.get("/account/").status_code == 200
    staff = Client()
    assert "Nobody" in send(staff, "/login/passkey", device.show(send(staff, "/login/passkey/options", {})))["trouble"]
    for door in ("/console/", "/console/cases", "/me/"):
        assert again.get(door)["Location"].startswith("/login"), door
    assert again.get("/api/cases").status_code == 401


def test_a_member_of_staff_is_nobody_of_a_customers(day: object, clock: Clock, log_in: Callable[..., Client]) -> None:
    case, email = of_somebody()
    client = log_in(Role.LEAD, name="mary")
    assert client.get(f"/account/cases/{case.key}")["Location"] == "/account/log-in"
    ask(email)
    link = link_for(email)
    assert link is not None
    client.post(link)
    assert client.get("/console/cases").status_code == 302, "one browser is one of the two"


def test_guesses_at_a_code_are_counted_and_asking_for_links_as_well(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    _, key, _ = come_in(email)
    at = clock(timedelta(minutes=6))
    ask(email)
    link = link_for(email)
    assert link is not None
    assert [Client().post(link, {"code": "12345"}).status_code for _ in range(5)] == [401] * 5
    assert Client().post(link, {"code": code(key, at)}).status_code == 429
    tries = [Client().post("/account/log-in", {"email": "x@example.org"}).status_code for _ in range(11)]
    assert 429 in tries


def test_times_are_in_the_readers_own_zone(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    (contact, *rest) = representatives_of(case.customer)
    moved = Representative(name=contact.name, email=email, timezone="Asia/Tokyo", verified_at=contact.verified_at)
    designate(case.customer, [moved, *rest], at=wiring.now(), actor="lena")
    client, _, _ = come_in(email)
    assert case.due_at is not None
    page = client.get("/account/").content.decode()
    due = re.search(rf'<time datetime="{re.escape(case.due_at.isoformat())}">([^<]*)<', page)
    assert due is not None
    assert "JST" in due[1]


def test_an_invitation_takes_an_address_a_role_and_nobody_who_is_a_contact(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    address = f"/account/people/{case.customer}"
    for form, said in (
        ({"email": "no address", "role": "reads"}, "no mail address"),
        ({"email": "colleague@example.com", "role": "owns"}, "Choose what"),
        ({"email": email.upper(), "role": "reads"}, "among your contacts"),
    ):
        manager.post(f"{address}/invite", form)
        assert said in manager.get(address).content.decode()
    assert PortalPerson.objects.count() == 1


def test_the_desk_takes_lost_factors_away_and_the_mailbox_begins_anew(
    day: object, clock: Clock, log_in: Callable[..., Client]
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    desk, address = log_in(Role.ANALYST, name="lena"), f"/console/customers/{case.customer}"
    assert "1 factor, 1 session" in desk.get(address).content.decode()
    assert email in desk.get(address).content.decode()
    desk.post(f"{address}/portal", {"email": "stranger@example.org"})
    desk.post(f"{address}/portal", {"email": email})
    assert client.get("/account/")["Location"] == "/account/log-in"
    said = [(e.what, e.actor) for e in recent(about=case.customer, limit=5) if e.what.startswith("portal.")]
    assert said[0] == ("portal.factors_forgotten", "lena")
    clock(timedelta(minutes=6))
    fresh, _, _ = come_in(email)
    assert fresh.get("/account/").status_code == 200


def test_a_case_of_which_no_letter_reached_them_is_not_there(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    assert client.get(f"/account/cases/{case.key}").status_code == 200
    with connection.cursor() as cursor:  # As in a staging set-up: the letter went to the override.
        cursor.execute('UPDATE notices_letterrow SET diverted = true WHERE "case" = %s', [case.key])
    assert case.key not in client.get("/account/").content.decode()
    assert client.get(f"/account/cases/{case.key}").status_code == 404
    answer = client.post(f"/account/cases/{case.key}", {"answer": "fixed", "words": "x"})
    assert (answer.status_code, get_case(case.key)) == (404, case)


def test_who_two_customers_let_in_stays_with_the_one_and_is_news_to_the_other(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    other = of_another(case)
    (their, *_) = representatives_of(other.customer)
    first, second = come_in(email)[0], come_in(their.email)[0]
    here, there = f"/account/people/{case.customer}", f"/account/people/{other.customer}"
    form = {"email": "both@example.com", "role": "reads"}
    first.post(f"{here}/invite", form)
    client, key, _ = come_in("both@example.com", asked=True)
    assert "has not come yet" not in first.get(here).content.decode()
    clock(timedelta(minutes=6))
    second.post(f"{there}/invite", form)
    assert "has not come yet" in second.get(there).content.decode(), "that was for another customer"
    link = link_for("both@example.com")
    assert link is not None
    assert Client().post(link, {"code": code(key, wiring.now())}).status_code == 302
    clock(timedelta(minutes=1))
    second.post(f"{there}/invite", form | {"role": "answers"})
    page = second.get(there).content.decode()
    assert "has not come yet" not in page, "another role is no new invitation"
    (id,) = re.findall(r"/(\d+)/let-out", page)
    said = second.post(f"{there}/{id}/let-out", follow=True).content.decode()
    assert "both@example.com is let out." in said
    page = client.get("/account/").content.decode()
    assert (case.key in page, other.key in page) == (True, False)


def test_a_link_that_opens_nothing_leads_to_a_form_that_is_taken(day: object, clock: Clock) -> None:
    for answer in (Client().get("/account/enter/x"), Client().post("/account/enter/x")):
        assert (answer.status_code, answer["Referrer-Policy"]) == (410, "same-origin")
        assert "no-store" in answer["Cache-Control"]


def test_invitations_have_a_pace(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    address = f"/account/people/{case.customer}"
    for n in range(6):
        manager.post(f"{address}/invite", {"email": f"c{n}@example.com", "role": "reads"})
    assert "Too many at once" in manager.get(address).content.decode()
    assert (link_for("c4@example.com") is not None, link_for("c5@example.com")) == (True, None)
    clock(timedelta(minutes=1))
    manager.post(f"{address}/invite", {"email": "c5@example.com", "role": "reads"})
    assert link_for("c5@example.com") is not None


def test_of_many_accounts_only_those_that_are_shown_are_looked_up(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    own = get_customer(case.customer)
    assert own is not None
    asked: list[str] = []

    def counted(person: PortalPerson, customer: str) -> PortalRole | None:
        asked.append(customer)
        return role_on(person, customer)

    monkeypatch.setattr(reads, "role_on", counted)
    monkeypatch.setattr(account, "ACCOUNTS_MAX", 2)
    monkeypatch.setattr(reads, "accounts_below", lambda key: [replace(own, key=f"B-{n}") for n in range(5)])
    assert "B-4" not in client.get("/account/").content.decode()
    assert asked == [case.customer, "B-0"]


def last_link(kind: LetterKind, to: str) -> str:
    """The address in the last letter of a kind that was written to somebody."""
    letter = max((x for x in list_letters(limit=500) if (x.kind, x.to) == (kind, to)), key=lambda x: x.key)
    assert letter.log_in is not None
    assert "{{portal_link}}" in letter.body
    return wiring.log_in_link(letter.log_in, wiring.now()).removeprefix(ORIGIN)


def told_of_contacts() -> list[str]:
    return sorted(x.to for x in list_letters(limit=500) if x.kind is LetterKind.CONTACTS_CHANGED)


def propose(client: Client, customer: str, email: str, **more: str) -> None:
    form = {"act": "propose", "name": "Second", "email": email, "language": "de", "timezone": "Europe/Berlin"}
    assert client.post(f"/account/people/{customer}/contacts", {**form, **more}).status_code == 302


def test_a_contact_is_proposed_agrees_by_mail_and_becomes_the_last_one(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    propose(client, case.customer, "Second@example.com")
    assert [c.email for c in representatives_of(case.customer)] == [email], "nobody is a contact who did not agree"
    link = last_link(LetterKind.CONTACT_CHECK, "second@example.com")
    page = Client().get(link)
    assert (page.status_code, page["Content-Language"], page["Referrer-Policy"]) == (200, "de", "no-referrer")
    assert [c.email for c in representatives_of(case.customer)] == [email], "mail filters open links"
    assert Client().post(link + "x").status_code == 410
    assert Client().post(link).status_code == 200
    first, second = representatives_of(case.customer)
    assert (first.email, second.email, second.language) == (email, "second@example.com", "de")
    assert second.verified_at == wiring.now()
    assert told_of_contacts() == [email], "who was there before is told"
    assert Client().post(link).status_code == 410
    said = [(e.what, e.actor) for e in recent(about=case.customer, limit=20) if e.what.startswith("portal.contact")]
    assert said[0] == ("portal.contacts_changed", f"customer ({email})")
    assert ("portal.contact_proposed", f"customer ({email})") in said


def posted(monkeypatch: pytest.MonkeyPatch) -> list[EmailMessage]:
    """What a mail server was handed of all letters that were due."""
    with Mailbox() as box:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        while mail.post_next() is not None:
            pass
        return [each.message for each in box.mails]


def opened(mail: EmailMessage, secret: Tsk) -> str:
    """What a mail says to whoever has this secret key; raises where it opens nothing."""
    _, body = mail.iter_parts()
    inside = decrypt(body.get_content(), decryptor=secret.decryptor()).bytes
    assert inside is not None
    plain = message_from_bytes(inside, policy=default).get_body(("plain",))
    assert plain is not None
    return str(plain.get_content())


def test_a_contacts_key_counts_once_a_letter_that_only_it_opens_was_opened(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page, secret = f"/account/people/{case.customer}", Tsk.generate(f"Maja <{email}>", profile=Profile.RFC4880)
    posted(monkeypatch)
    client.post(f"{page}/key", {"key": str(secret)})
    client.post(f"{page}/key", {"key": "-----BEGIN PGP PUBLIC KEY BLOCK-----"})
    assert not ProposedKey.objects.exists(), "a secret key and half a key are refused"
    assert "Nothing can be closed by this key" in client.get(page).content.decode()
    client.post(f"{page}/key", {"key": str(secret.extract_certificate())})
    assert "This key is used once you have opened" in client.get(page).content.decode()
    assert representatives_of(case.customer)[0].openpgp_key == "", "nobody has shown it to be theirs"
    row = max((x for x in list_letters(limit=500) if x.kind is LetterKind.KEY_CHECK), key=lambda x: x.key)
    assert "{{portal_link}}" in row.body, "the link stands nowhere"
    (letter,) = [each for each in posted(monkeypatch) if each["To"] == email]
    link = re.search(r"https://\S+/account/key/\S+", opened(letter, secret))
    assert link is not None
    assert "/account/key/" not in letter.as_string()
    path = link[0].removeprefix(ORIGIN)
    assert Client().get(path).status_code == 200
    assert representatives_of(case.customer)[0].openpgp_key == "", "mail filters open links"
    assert Client().post(f"{path}x").status_code == 410
    assert Client().post(path).status_code == 200
    used = representatives_of(case.customer)[0]
    assert (used.openpgp_key, used.verified_at) == (str(secret.extract_certificate()).strip(), wiring.now())
    assert Client().post(path).status_code == 410
    (told,) = [each for each in posted(monkeypatch) if each["To"] == email]
    fingerprint = secret.extract_certificate().fingerprint.upper()
    assert f"<{email}> (OpenPGP) {fingerprint}" in " ".join(opened(told, secret).split()), "closed by it, and says so"
    said = {e.what for e in recent(about=case.customer, limit=20)}
    assert {"portal.key_proposed", "portal.contacts_changed"} <= said
    client.post(f"{page}/key", {"act": "forget", "kind": "OpenPGP"})
    assert representatives_of(case.customer)[0].openpgp_key == ""


def certificate(email: str, *, lasts: timedelta, trailing: str = "") -> dict[str, str]:
    """An S/MIME certificate for an address, as the form sends it."""
    key, name = rsa.generate_private_key(65537, 2048), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, email)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(wiring.now() - timedelta(days=1))
    made = builder.not_valid_after(wiring.now() + lasts).sign(key, SHA256())
    return {"key": made.public_bytes(Encoding.PEM).decode() + trailing}


def test_the_key_shown_last_is_the_one_that_closes_and_one_that_ran_out_locks_nobody_out(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = f"/account/people/{case.customer}"
    secret = Tsk.generate(f"Maja <{email}>", profile=Profile.RFC4880)
    client.post(f"{page}/key", {"key": str(secret.extract_certificate())})
    assert Client().post(last_link(LetterKind.KEY_CHECK, email)).status_code == 200
    client.post(f"{page}/key", certificate(email, lasts=timedelta(hours=1)))
    late = last_link(LetterKind.KEY_CHECK, email)
    start = wiring.now()
    clock(timedelta(hours=2))
    answer = Client().post(late)
    assert (answer.status_code, "it ran out on" in answer.content.decode()) == (409, True)
    clock(start - wiring.now() + timedelta(minutes=1))
    client.post(f"{page}/key", certificate(email, lasts=timedelta(days=2)))
    posted(monkeypatch)
    answer = Client().post(last_link(LetterKind.KEY_CHECK, email))
    assert "It takes the place of every key that you gave before" in answer.content.decode()
    used = representatives_of(case.customer)[0]
    assert (used.openpgp_key, bool(used.smime_certificate)) == ("", True)
    told = next(x for x in recent(about=case.customer, limit=20) if x.what == "portal.contacts_changed")
    assert mail_keys.says_of(used, at=wiring.now())[0][1] in str(told.detail["why"]), "with its fingerprint"
    assert [each.get_content_type() for each in posted(monkeypatch)] == ["application/pkcs7-mime"]
    clock(timedelta(days=3))
    ask(email)
    (letter,) = posted(monkeypatch)
    assert letter.get_content_type() in ("text/plain", "multipart/alternative"), "a code is asked of whoever opens it"
    Factor.objects.all().delete()
    clock(timedelta(hours=1))
    ask(email)
    assert posted(monkeypatch) == [], "the mailbox alone would open it"


def test_what_no_key_holds_is_refused_and_none_of_it_is_kept(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = f"/account/people/{case.customer}"
    for odd in (
        certificate(email, lasts=timedelta(days=9), trailing="\0x"),
        {"key": "-----BEGIN PGP PUBLIC KEY BLOCK-----\0"},
        {"act": "forget", "kind": "Z" * 300_000},
        {"act": "forget", "kind": "x\0y"},
    ):
        assert client.post(f"{page}/key", odd).status_code == 302
    assert not ProposedKey.objects.exists()
    assert not [x for x in recent(about=case.customer, limit=20) if x.what == "portal.contacts_changed"]
    token = token_for(client, "keys")
    named = str(Tsk.generate("a\0b <x@example.com>").extract_certificate())
    assert client.post(f"{page}/key", {"key": named}).status_code == 302
    assert "a\N{REPLACEMENT CHARACTER}b <x@example.com>" in ProposedKey.objects.get().says
    clock(timedelta(days=1))
    reader = Client(headers={"Authorization": f"Bearer {token}"})
    given = {"account": case.customer, "key": named}
    answers = [reader.post("/api/own/keys", given, "application/json") for _ in range(webhooks.A_MINUTE + 1)]
    assert (answers[0].status_code, "Too many at once" in answers[-1].content.decode()) == (200, True)
    assert ProposedKey.objects.filter(made_at__lt=wiring.now()).count() == 0, "those of before are gone"


def test_an_address_too_long_for_the_record_gets_no_link_and_no_failure(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    long = f"{'a' * 64}@{'b' * 60}.{'c' * 20}.example.com"
    assert client.post(f"/account/people/{case.customer}/invite", {"email": long, "role": "reads"}).status_code == 302
    assert "That is no mail address" in client.get(f"/account/people/{case.customer}").content.decode()
    designate(case.customer, [Representative(name="x", email=long)], at=wiring.now(), actor="import")
    ask(long)
    assert link_for(long) is None


def test_nobody_gives_a_key_for_somebody_else_and_none_that_waited_too_long_counts(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    other = of_another(case)
    client, _, _ = come_in(email)
    page, key = (
        f"/account/people/{case.customer}",
        {"key": str(Tsk.generate("x <x@example.com>").extract_certificate())},
    )
    client.post(f"{page}/invite", {"email": "colleague@example.com", "role": "manages"})
    colleague, _, _ = come_in("colleague@example.com", asked=True)
    assert "Give a key" not in colleague.get(page).content.decode()
    colleague.post(f"{page}/key", key)
    assert client.post(f"/account/people/{other.customer}/key", key).status_code == 404
    assert not ProposedKey.objects.exists()
    client.post(f"{page}/key", key)
    first = last_link(LetterKind.KEY_CHECK, email)
    client.post(f"{page}/key", key)
    assert Client().post(first).status_code == 410, "another took its place"
    late = last_link(LetterKind.KEY_CHECK, email)
    clock(timedelta(days=1))
    assert Client().post(late).status_code == 410
    client.post(f"{page}/key", key)
    assert ProposedKey.objects.count() == 2, "it takes a fresh log-in"
    assert representatives_of(case.customer)[0].openpgp_key == ""


def test_a_program_gives_its_persons_key_and_takes_none_back(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    reads, keeps = (Client(headers={"Authorization": f"Bearer {token_for(client, x)}"}) for x in ("read", "keys"))
    key = str(Tsk.generate("x <x@example.com>").extract_certificate())
    given = {"account": case.customer, "key": key}
    assert reads.post("/api/own/keys", given, "application/json").status_code == 403
    for wrong, status in (({"account": of_another(case).customer}, 404), ({"key": "x"}, 422)):
        assert keeps.post("/api/own/keys", {**given, **wrong}, "application/json").status_code == status
    answer = keeps.post("/api/own/keys", given, "application/json").json()
    assert (answer["kind"], answer["used"]) == ("OpenPGP", False)
    asked = f"/api/own/keys?account={case.customer}"
    assert keeps.get(asked).json() == [answer]
    assert Client().post(last_link(LetterKind.KEY_CHECK, email)).status_code == 200
    assert keeps.get(asked).json() == [{**answer, "used": True}]


def test_the_order_of_contacts_changes_and_never_leaves_nobody_reachable(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    address = f"/account/people/{case.customer}/contacts"
    client.post(address, {"act": "remove", "email": email})
    assert [c.email for c in representatives_of(case.customer)] == [email]
    assert "Somebody must be left" in client.get(f"/account/people/{case.customer}").content.decode()
    propose(client, case.customer, "second@example.com")
    Client().post(last_link(LetterKind.CONTACT_CHECK, "second@example.com"))
    client.post(address, {"act": "up", "email": "second@example.com"})
    assert [c.email for c in representatives_of(case.customer)] == ["second@example.com", email]
    assert told_of_contacts() == [email, email, "second@example.com"]
    with connection.cursor() as cursor:  # Letters to the second come back: the first is the last who is reached.
        cursor.execute(
            "UPDATE registry_representativerow SET bounced_at = %s WHERE email = 'second@example.com'", [wiring.now()]
        )
    client.post(address, {"act": "remove", "email": email})
    assert {c.email for c in representatives_of(case.customer)} == {"second@example.com", email}
    client.post(address, {"act": "remove", "email": "second@example.com"})
    assert [c.email for c in representatives_of(case.customer)] == [email]


def test_contacts_are_changed_by_their_own_managers_and_by_a_fresh_log_in_alone(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    address = f"/account/people/{case.customer}/contacts"
    for role in (PortalRole.READS, PortalRole.ANSWERS):
        client.post(f"/account/people/{case.customer}/invite", {"email": f"{role}@example.com", "role": role.value})
        colleague, _, _ = come_in(f"{role}@example.com", asked=True)
        assert colleague.post(address, {"act": "remove", "email": email}).status_code == 404
        assert 'name="act"' not in colleague.get(f"/account/people/{case.customer}").content.decode()
    other = of_another(case)
    assert client.post(f"/account/people/{other.customer}/contacts", {"act": "up", "email": email}).status_code == 404
    propose(client, case.customer, "second@example.com")
    link = last_link(LetterKind.CONTACT_CHECK, "second@example.com")
    (proposed,) = re.findall(
        r'name="id" value="(\d+)"', client.get(f"/account/people/{case.customer}").content.decode()
    )
    client.post(address, {"act": "take-back", "id": proposed})
    assert Client().post(link).status_code == 410
    propose(client, case.customer, "third@example.com")
    third = last_link(LetterKind.CONTACT_CHECK, "third@example.com")
    designate(
        case.customer, [Representative(name="N", email="n@example.com", verified_at=wiring.now())], at=wiring.now(),
        actor="lena",
    )  # fmt: skip
    assert Client().post(third).status_code == 410, "who proposed them may do so no more"
    newer, _, _ = come_in("n@example.com")
    clock(timedelta(minutes=16))
    assert newer.post(address, {"act": "remove", "email": "n@example.com"})["Location"] == "/account/log-in"
    assert [c.email for c in representatives_of(case.customer)] == ["n@example.com"]


@pytest.mark.parametrize(
    ("email", "more"), [("no address", {}), ("x@example.com", {"name": ""}), ("x@example.com", {"timezone": "Mars"}),
                        ("x@example.com", {"language": "<b>"})],
)  # fmt: skip
def test_what_cannot_be_a_contact_is_asked_of_nobody(
    day: object, clock: Clock, email: str, more: dict[str, str]
) -> None:
    case, own = of_somebody()
    client, _, _ = come_in(own)
    propose(client, case.customer, email, **more)
    assert not [x for x in list_letters(limit=500) if x.kind is LetterKind.CONTACT_CHECK]


def of_a_reseller(case: Case) -> tuple[str, Client]:
    """The case's customer is a reseller with one account below; the key of that, and who is logged in for the first."""
    customer, other = get_customer(case.customer), of_another(case).customer
    assert customer is not None
    assert customer.representative is not None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_customerrow SET is_reseller = true WHERE key = %s", [case.customer])
        cursor.execute("UPDATE registry_customerrow SET reseller_id = %s WHERE key = %s", [case.customer, other])
    return other, come_in(customer.representative.email)[0]


def test_a_reseller_passes_a_case_on_under_its_own_name_and_decides_on_the_answer(day: object, clock: Clock) -> None:
    case, _ = of_somebody()
    below, client = of_a_reseller(case)
    client.post(
        f"/account/brand/{case.customer}",
        {"name": "Example <Hosting>", "mark": "EH", "colour": "violet", "contact": "help@example.com"},
    )
    page = client.get(f"/account/cases/{case.key}").content.decode()
    places = re.findall(r'name="place" value="([^"]*)"', page)
    assert places
    passed = f"/account/cases/{case.key}/pass-on"
    client.post(passed, {"account": below, "place": [places[0], "198.51.100.99"], "note": "Please look <b>today</b>."})
    (contact, *_) = representatives_of(below)
    letter = next(x for x in list_letters(limit=500) if x.kind is LetterKind.PASSED_ON)
    assert (letter.to, "Example <Hosting>" in letter.subject, "today" in letter.body) == (contact.email, True, False)
    link = last_link(LetterKind.PASSED_ON, contact.email)
    shown = Client().get(link)
    text = shown.content.decode()
    assert shown["Referrer-Policy"] == "no-referrer"
    assert "Example &lt;Hosting&gt;" in text
    assert "Please look &lt;b&gt;today&lt;/b&gt;." in text
    assert "tone-violet" in text
    assert "help@example.com" in text
    assert "198.51.100.99" not in text
    assert case.customer_name not in text
    for report in reports_of_case(case.key):
        assert report.sender not in text
        assert report.key not in text
    before = get_case(case.key)
    assert Client().post(link, {"answer": "fixed", "words": ""}).status_code == 400
    assert Client().post(link, {"answer": "need_time", "words": "x"}).status_code == 400, (
        "time is the reseller's to ask"
    )
    assert Client().post(link, {"answer": "fixed", "words": "We cleaned it."}).status_code == 303
    assert get_case(case.key) == before, "the case is the reseller's, and moves by their answer"
    assert "We cleaned it." in client.get(f"/account/cases/{case.key}").content.decode()
    assert Client().post(link, {"answer": "dispute", "words": "no"}).status_code == 303
    assert "We cleaned it." in client.get(f"/account/cases/{case.key}").content.decode(), "the first answer stays"
    assert [x.to for x in list_letters(limit=500) if x.kind is LetterKind.PASSED_ON_ANSWERED] == [
        representatives_of(case.customer)[0].email
    ]
    (number,) = re.findall(r"/pass-on/(\d+)/end", client.get(f"/account/cases/{case.key}").content.decode())
    client.post(f"{passed}/{number}/end")
    assert Client().get(link).status_code == 404


@pytest.mark.parametrize(
    "text",
    ["Your bank: log in at https://bank.example/login", "WWW.bank", "bank.example/login", "bank.example:8080/x",
     "bank。example/login", "bank．example／login", "ww\u200bw.bank", "a\r\nb", "ｈttps：／／bank",
     "bank.example\\login"],
)  # fmt: skip
def test_what_a_mail_program_makes_a_link_or_a_line_of_is_no_name(text: str) -> None:
    assert holds_url(text)
    assert is_no_name(text)


def test_a_name_may_have_dots_and_a_contact_in_a_letter_is_an_address_or_a_number_alone() -> None:
    for name in ("Example.com Hosting", "St. Example & Co. KG", "A/B Networks", "Пример", "例え株式会社"):
        assert not is_no_name(name), name
    assert is_no_name("help@example.com")
    assert not holds_url("help@example.com, +49 30 1234")
    assert contact_in_letter("help@example.com; +49 (30) 1234") == "help@example.com, +49 (30) 1234"
    for words in ("", "Your account is locked, call +49 30 1234", "https://bank.example", "help@example.com now"):
        assert contact_in_letter(words) == "", words


def passed_on() -> list[Letter]:
    return [x for x in list_letters(limit=500) if x.kind is LetterKind.PASSED_ON]


def test_our_mail_carries_no_words_of_a_resellers_to_an_address_of_their_choice(day: object, clock: Clock) -> None:
    case, _ = of_somebody()
    _, client = of_a_reseller(case)
    address, good = f"/account/brand/{case.customer}", {"name": "Example Hosting", "mark": "EH", "colour": "violet"}
    for bad in ({"name": "Bank: https://bank.example/login"}, {"mark": "www.b.com"}, {"contact": "bank.example/login"}):
        client.post(address, {**good, **bad})
        assert "A name holds no address" in client.get(address).content.decode()
    assert not Brand.objects.exists()
    client.post(address, {**good, "contact": "You are locked out: call +49 30 1234"})
    (place, *_) = re.findall(r'name="place" value="([^"]*)"', client.get(f"/account/cases/{case.key}").content.decode())
    form = {"name": "See bank.example/login", "email": "x@example.com", "place": place, "language": "en"}
    client.post(f"/account/cases/{case.key}/pass-on", form)
    (letter,) = passed_on()
    assert "Example Hosting" in letter.subject
    for words in ("bank.example", "locked out"):
        assert words not in letter.subject + letter.body
    Brand.objects.update(name="Bank: https://bank.example/login")  # As one was set before it was refused.
    client.post(f"/account/cases/{case.key}/pass-on", form)
    assert all("bank.example" not in x.subject + x.body for x in passed_on())


def test_letters_to_addresses_that_are_typed_have_a_bound_for_the_day(day: object, clock: Clock) -> None:
    case, _ = of_somebody()
    below, client = of_a_reseller(case)
    address = f"/account/cases/{case.key}/pass-on"
    page = client.get(f"/account/cases/{case.key}").content.decode()
    form = {"email": "x@example.com", "place": re.findall(r'name="place" value="([^"]*)"', page)[0]}
    for _ in range(TO_ONE_MAX - 1):
        client.post(address, form)
    propose(client, case.customer, "x@example.com")
    client.post(address, form)
    assert len(passed_on()) == TO_ONE_MAX - 1
    assert "to that address today" in client.get(f"/account/cases/{case.key}").content.decode()
    clock(timedelta(minutes=2))
    Forward.objects.bulk_create(
        Forward(case="C-0", reseller=case.customer, email=f"{n}@example.com", places=[], made_by="x",
                made_at=wiring.now())
        for n in range(TO_ALL_MAX - TO_ONE_MAX)
    )  # fmt: skip
    client.post(address, form | {"email": "y@example.com"})
    assert "for this account today" in client.get(f"/account/cases/{case.key}").content.decode()
    propose(client, case.customer, "y@example.com")
    assert not [x for x in list_letters(limit=500) if x.to == "y@example.com"]
    client.post(address, form | {"account": below})
    assert len(passed_on()) == TO_ONE_MAX, "whose address is on record is written to all the same"


def test_a_contact_is_proposed_without_words_and_an_order_that_stays_is_told_to_nobody(
    day: object, clock: Clock
) -> None:  # fmt: skip
    case, email = of_somebody()
    client, _, _ = come_in(email)
    propose(client, case.customer, "second@example.com", name="See bank.example/login")
    propose(client, case.customer, "second@example.com", name="You have won")
    (asked,) = [x for x in list_letters(limit=500) if x.kind is LetterKind.CONTACT_CHECK]
    assert "You have won" not in asked.subject + asked.body
    client.post(f"/account/people/{case.customer}/contacts", {"act": "up", "email": email})
    assert told_of_contacts() == []
    assert "are told by letter" not in client.get(f"/account/people/{case.customer}").content.decode()
    assert not [e for e in recent(about=case.customer, limit=20) if e.what == "portal.contacts_changed"]


def test_only_a_resellers_people_pass_on_and_only_what_is_theirs(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = client.get(f"/account/cases/{case.key}").content.decode()
    assert "pass-on" not in page
    form = {"email": "x@example.com", "place": re.findall(r"<span class=.mono break-all.>([^<]*)<", page)}
    client.post(f"/account/cases/{case.key}/pass-on", form)
    other = of_another(case)
    assert client.post(f"/account/cases/{other.key}/pass-on", form).status_code == 404
    assert client.get(f"/account/brand/{case.customer}").status_code == 404
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_customerrow SET is_reseller = true WHERE key = %s", [case.customer])
    client.post(f"/account/cases/{case.key}/pass-on", {"account": other.customer, "place": form["place"]})
    client.post(f"/account/cases/{case.key}/pass-on", {"email": "x@example.com", "place": ["203.0.113.250"]})
    client.post(f"/account/brand/{case.customer}", {"name": "X", "colour": "url(//example.org)"})
    assert not [x for x in list_letters(limit=500) if x.kind is LetterKind.PASSED_ON]
    said = client.get(f"/account/cases/{case.key}").content.decode()
    for sentence in ("not one of yours", "Choose which places", "Give a name and a colour"):
        assert sentence in said
    client.post(f"/account/people/{case.customer}/invite", {"email": "reader@example.com", "role": "reads"})
    reader, _, _ = come_in("reader@example.com", asked=True)
    assert reader.post(f"/account/cases/{case.key}/pass-on", form).status_code == 404


def test_whoever_logs_in_by_a_link_was_reached_and_sees_good_standing_or_what_counts(
    day: object, clock: Clock
) -> None:  # fmt: skip
    case, email = of_somebody()
    (contact, *rest) = representatives_of(case.customer)
    designate(case.customer, [replace(contact, verified_at=None), *rest], at=wiring.now(), actor="lena")
    client, _, _ = come_in(email)
    assert representatives_of(case.customer)[0].verified_at == wiring.now()
    assert "In good standing" not in client.get("/account/").content.decode(), "something is open"
    client.post(f"/account/cases/{case.key}", {"answer": "fixed", "words": "done"})
    page = client.get("/account/", headers={"Accept-Language": "fr"}).content.decode()
    assert "Vos dossiers" in page
    assert 'lang="fr"' in page


def token_for(client: Client, *scopes: str, days: str = "30") -> str:
    """A token that somebody makes on their page."""
    page = client.post("/account/tokens", {"name": "their program", "scope": scopes, "days": days}).content.decode()
    (token,) = re.findall(r"tipstaffown_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", page)
    return str(token)


def by(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_a_customers_program_sees_and_answers_what_its_person_may(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    asked = by(token_for(client, "read", "answer"))
    assert [one["key"] for one in asked.get("/api/own/accounts").json()] == [case.customer]
    assert {one["account"] for one in asked.get("/api/own/cases").json()} == {case.customer}
    shown = asked.get(f"/api/own/cases/{case.key}")
    text, told = shown.content.decode(), shown.json()
    assert (told["clause"], told["state"]) == (case.clause, case.state.value)
    assert told["checklist"]
    for report in reports_of_case(case.key):
        assert report.key not in text
        assert report.sender not in text
    address = f"/api/own/cases/{case.key}/answer"
    send = {"content_type": "application/json", "headers": {"Idempotency-Key": "once"}}
    assert asked.post(address, {"answer": "fixed"}, **send).status_code == 422
    first = asked.post(address, {"answer": "fixed", "words": "We cleaned it."}, **send)
    again = asked.post(address, {"answer": "fixed", "words": "We cleaned it."}, **send)
    assert (first.status_code, again.json()) == (200, first.json())
    fresh = get_case(case.key)
    assert fresh is not None
    assert fresh.answer == "We cleaned it."
    actors = {entry.actor for entry in recent(about=case.key, limit=50)}
    assert f"customer (API, {email})" in actors
    assert asked.post(address, {"answer": "need_time"}, content_type="application/json").status_code == 409


def test_no_token_shows_or_moves_anything_of_another_customer(day: object, clock: Clock) -> None:
    """Every contact of the day against every case of the day: what is theirs and told is there, all else is a 404."""
    everybody: dict[str, set[str]] = {}
    for case in list_cases(limit=200):
        for contact in representatives_of(case.customer):
            everybody.setdefault(contact.email.lower(), set()).add(case.customer)
    assert len(everybody) > 2
    for email, own in everybody.items():
        person, _ = PortalPerson.objects.get_or_create(email=email, defaults={"made_at": wiring.now()})
        _, token = tokens.make("p", person=person, scopes=["read", "answer"], days=1, at=wiring.now())
        asked = by(token)
        listed = {one["key"] for one in asked.get("/api/own/cases").json()}
        for case in list_cases(limit=200):
            theirs = case.customer in own and bool(cases_told([case.key]))
            assert (case.key in listed) == theirs, (email, case.key)
            assert asked.get(f"/api/own/cases/{case.key}").status_code == (200 if theirs else 404)
            if not theirs:
                form = {"answer": "fixed", "words": "x"}
                answer = asked.post(f"/api/own/cases/{case.key}/answer", form, content_type="application/json")
                assert (answer.status_code, get_case(case.key)) == (404, case)
        for measure in asked.get("/api/own/measures").json():
            assert measure["case"] in listed
        for door in ("/api/cases", "/api/registry/customers", "/api/webhooks", "/api/legal/matters"):
            assert asked.get(door).status_code == 401, door


def test_a_token_does_no_more_than_its_scopes_and_its_person(
    day: object, clock: Clock, log_in: Callable[..., Client]
) -> None:  # fmt: skip
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    people = f"/account/people/{case.customer}"
    manager.post(f"{people}/invite", {"email": "reader@example.com", "role": "reads"})
    reader, _, _ = come_in("reader@example.com", asked=True)
    both, read = token_for(reader, "read", "answer"), token_for(reader, "read")
    address, form = f"/api/own/cases/{case.key}", {"answer": "need_time"}
    assert by(both).get(address).json()["answers"] == []
    assert by(both).post(f"{address}/answer", form, content_type="application/json").status_code == 403
    refused = by(read).post(f"{address}/answer", form, content_type="application/json")
    assert (refused.status_code, refused.json()["missing_scope"]) == (403, "answer")
    assert reader.get("/api/own/cases").status_code == 401, "a session is no token"
    assert log_in(Role.LEAD, name="mary").get("/api/own/cases").status_code == 401
    for wrong in (both[:-1] + "_", both.upper(), "tipstaffown_", f"tipstaff_{both[12:]}"):
        assert by(wrong).get("/api/own/cases").status_code == 401, wrong
    (key,) = re.findall(rf'value="({read[12:24]})"', reader.get("/account/tokens").content.decode())
    manager.post("/account/tokens", {"revoke": key})
    assert by(read).get(address).status_code == 200, "nobody revokes a token of somebody else's"
    reader.post("/account/tokens", {"revoke": key})
    assert by(read).get(address).status_code == 401
    (id,) = re.findall(r"/(\d+)/let-out", manager.get(people).content.decode())
    manager.post(f"{people}/{id}/let-out")
    assert by(both).get(address).status_code == 401, "who is let out is out with their programs"
    own = token_for(manager, "read", days="1")
    clock(timedelta(days=1))
    assert by(own).get(address).status_code == 401
    manager.post("/account/tokens", {"name": "late", "scope": "read", "days": "1"})
    assert not [t for t in tokens.tokens_of(PortalPerson.objects.get(email=email)) if t.name == "late"]


def test_tokens_end_with_what_their_person_logged_in_with_and_with_their_last_role(
    day: object, clock: Clock, log_in: Callable[..., Client]
) -> None:
    case, email = of_somebody()
    manager, _, _ = come_in(email)
    people, desk = f"/account/people/{case.customer}", log_in(Role.ANALYST, name="lena")
    own = token_for(manager, "read")
    page = f"/console/customers/{case.customer}"
    assert "1 factor, 1 session, 1 token<" in desk.get(page).content.decode()
    manager.post(f"{people}/invite", {"email": "colleague@example.com", "role": "reads"})
    colleague, _, _ = come_in("colleague@example.com", asked=True)
    theirs = token_for(colleague, "read")
    (id,) = re.findall(r"/(\d+)/let-out", manager.get(people).content.decode())
    manager.post(f"{people}/{id}/let-out")
    manager.post(f"{people}/invite", {"email": "colleague@example.com", "role": "reads"})
    assert by(theirs).get("/api/own/cases").status_code == 401, "let in again is not as if never let out"
    assert by(own).get("/api/own/cases").status_code == 200
    desk.post(f"{page}/portal", {"email": email})
    assert by(own).get("/api/own/cases").status_code == 401
    assert "0 sessions, 0 tokens<" in desk.get(page).content.decode()
    ended = [e for e in recent(about=case.customer, limit=20) if e.what == "portal.token_revoked"]
    assert [(e.actor, e.detail["email"]) for e in ended] == [
        ("lena", email), (f"customer ({email})", "colleague@example.com")
    ]  # fmt: skip


def test_a_link_names_no_mailbox_that_it_was_sent_to_to_a_program_either(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    CaseRow.objects.filter(key=case.key).update(resource="http://shop.example.net/a?u=reader@victim.example.org")
    token = token_for(come_in(email)[0], "read")
    for address in ("/api/own/cases", f"/api/own/cases/{case.key}"):
        shown = by(token).get(address).content.decode()
        assert "http://shop.example.net/a?" in shown
        assert "victim.example.org" not in shown


def test_a_token_needs_a_name_a_scope_and_days_and_there_is_a_bound(day: object, clock: Clock) -> None:
    _, email = of_somebody()
    client, _, _ = come_in(email)
    for form in (
        {"name": "x", "days": "30"}, {"name": "<b>", "scope": "read", "days": "30"},
        {"name": "x", "scope": "read", "days": "367"}, {"name": "x", "scope": "all", "days": "3"},
    ):  # fmt: skip
        client.post("/account/tokens", form)
        assert "Give a name of letters" in client.get("/account/tokens").content.decode()
    person = PortalPerson.objects.get(email=email)
    for _ in range(tokens.TOKENS_MAX):
        _, token = tokens.make("p", person=person, scopes=["read"], days=1, at=wiring.now())
    with pytest.raises(tokens.NotMade):
        tokens.make("p", person=person, scopes=["read"], days=1, at=wiring.now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row_to_json(t)::text, '') FROM web_portaltoken t")
        assert token.rpartition("_")[2] not in cursor.fetchone()[0], "only digests are kept"


def test_who_agreed_meanwhile_is_not_said_to_be_taken_back(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    propose(client, case.customer, "second@example.com")
    row, customer = ProposedContact.objects.get(), get_customer(case.customer)
    assert customer is not None
    read = QuerySet.first

    def agreed_after(rows: Any) -> Any:
        found = read(rows)
        if rows.model is ProposedContact and isinstance(found, ProposedContact):
            monkeypatch.setattr(QuerySet, "first", read)
            assert contacts.agree(row.pk, at=wiring.now())
        return found

    monkeypatch.setattr(QuerySet, "first", agreed_after)
    by = PortalPerson.objects.get(email=email)
    assert contacts.take_back(row.pk, customer=customer, by=by, at=wiring.now()) is None
    assert [c.email for c in representatives_of(case.customer)] == [email, "second@example.com"]
    assert "portal.contact_taken_back" not in {e.what for e in recent(about=case.customer, limit=20)}


def in_turn(asked: CaptureQueriesContext, counted: str) -> bool:
    """Whether the customer was locked before something was counted, so that two at once count one another."""
    said = [query["sql"] for query in asked.captured_queries]
    locks = [n for n, sql in enumerate(said) if "registry_customerrow" in sql and "FOR UPDATE" in sql]
    counts = [n for n, sql in enumerate(said) if "COUNT(" in sql and counted in sql]
    return bool(locks) and bool(counts) and locks[0] < counts[0]


def test_what_is_asked_and_passed_on_at_once_is_counted_in_turn(day: object, clock: Clock) -> None:
    case, _ = of_somebody()
    _, client = of_a_reseller(case)
    with CaptureQueriesContext(connection) as asked:
        propose(client, case.customer, "second@example.com")
    assert in_turn(asked, "web_proposedcontact")
    page = client.get(f"/account/cases/{case.key}").content.decode()
    place = re.findall(r'name="place" value="([^"]*)"', page)[0]
    with CaptureQueriesContext(connection) as asked:
        client.post(f"/account/cases/{case.key}/pass-on", {"email": "x@example.com", "place": place})
    assert in_turn(asked, "web_forward")


def test_a_reseller_passes_on_a_place_and_is_not_shown_to_whom_its_link_was_sent(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, _ = of_somebody()
    below, client = of_a_reseller(case)
    raw, before = "http://shop.example.net/a?u=reader@victim.example.org", reads.matters_of_case
    monkeypatch.setattr(
        reads,
        "matters_of_case",
        lambda key: [replace(m, allegation=replace(m.allegation, url=raw)) for m in before(key)],
    )
    address, passed = f"/account/cases/{case.key}", f"/account/cases/{case.key}/pass-on"
    page = client.get(address).content.decode()
    assert "http://shop.example.net/a?[…]" in page
    assert "victim.example.org" not in page
    (name,) = re.findall(r'name="place" value="([^"]*)"', page)
    for other in (raw, name[::-1], "0", ""):
        client.post(passed, {"account": below, "place": other})
    assert not Forward.objects.exists(), "nothing but what the page named is taken"
    clock(timedelta(minutes=1))
    client.post(passed, {"account": below, "place": name})
    assert Forward.objects.get().places == [raw]
    page = client.get(address).content.decode()
    assert page.count("http://shop.example.net/a?[…]") > 1
    assert "victim.example.org" not in page
    page = Client().get(last_link(LetterKind.PASSED_ON, representatives_of(below)[0].email)).content.decode()
    assert "http://shop.example.net/a?[…]" in page
    assert "victim.example.org" not in page


def test_newer_cases_push_out_no_open_case_no_measure_and_nothing_that_counts(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    token = token_for(client, "read")
    monkeypatch.setattr(reads, "CASES_MAX", 0)  # As if so many newer ones had come that nothing older is listed.
    assert case.key in client.get("/account/").content.decode()
    assert case.key in {one["key"] for one in by(token).get("/api/own/cases").json()}
    MeasureRow.objects.create(
        key="M-000901", case=case.key, customer=case.customer, device="edge-1", selector_key="x", degree=2, proof=3,
        selector={"network": "192.0.2.7/32", "protocol": "tcp", "port": 25, "direction": "both"},
        notice="L-000001", state="in_force", planned_at=case.opened_at, in_force_at=case.opened_at,
        proof_at=case.opened_at, until=wiring.now() + timedelta(days=7),
    )  # fmt: skip
    CaseRow.objects.filter(key=case.key).update(
        state=CaseState.CLOSED.value, outcome=CaseOutcome.FIXED.value, closed_at=wiring.now()
    )
    page = client.get("/account/").content.decode()
    assert "192.0.2.7" in page
    stands = page.partition(">In force<")[2].partition("</ul>")[0]
    assert f'Read back from the device <time datetime="{case.opened_at.isoformat()}"' in stands
    assert f'since <time datetime="{case.opened_at.isoformat()}"' in stands
    assert "Rule: " in stands, "why"
    assert "What counts from earlier" in page
    assert "In good standing" not in page
    (told,) = by(token).get("/api/own/measures").json()
    assert (told["key"], told["proof"]) == ("M-000901", "state")
    assert datetime.fromisoformat(told["proof_at"]) == case.opened_at


def named_again(case: Case, email: str, clock: Clock) -> None:
    """As an import that stops naming a contact, and one that names them again an hour later."""
    designate(case.customer, [Representative(name="New", email="new@example.com")], at=wiring.now(), actor="import")
    clock(timedelta(hours=1))
    old = Representative(name="Old", email=email.title())
    designate(
        case.customer, [Representative(name="New", email="new@example.com"), old], at=wiring.now(), actor="import"
    )


def test_whoever_the_registry_names_again_begins_anew(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, key, _ = come_in(email)
    token = token_for(client, "read", "answer")
    clock(timedelta(minutes=6))
    ask(email)
    link = link_for(email)
    assert link is not None
    assert by(token).get("/api/own/accounts").status_code == 200
    named_again(case, email, clock)
    assert by(token).get("/api/own/accounts").status_code == 401, "the token is of a time before"
    assert client.get("/account/")["Location"] == "/account/log-in", "so is the log-in"
    assert client.get("/account/me/").status_code == 302
    assert Client().post(link, {"code": code(key, wiring.now())}).status_code == 410, "so is the link"
    fresh, new_key, _ = come_in(email)
    assert new_key != key, "so is the code app: whoever reads the mailbox now adds their own"
    assert fresh.get(f"/account/cases/{case.key}").status_code == 200
    assert by(token).get("/api/own/accounts").status_code == 401
    ended = [e.what for e in recent(about=case.customer, limit=20) if e.actor == "worker"]
    assert {"portal.token_revoked", "portal.factors_forgotten"} <= set(ended)


def test_a_passkey_of_a_time_before_opens_nothing(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    device: Any = _device.Device(ORIGIN)

    def send(client: Client, address: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = client.post(address, body, content_type="application/json").json()
        return found

    send(client, "/account/me/passkey", device.make(send(client, "/account/me/passkey/options", {})))
    named_again(case, email, clock)
    again = Client()
    answer = send(again, "/account/passkey", device.show(send(again, "/login/passkey/options", {})))
    assert "Nobody" in answer["trouble"]
    assert again.get("/account/")["Location"] == "/account/log-in"


def test_what_opened_two_customers_opens_only_the_one_that_never_let_go(day: object, clock: Clock) -> None:
    """The address is renamed at one customer and renamed back, and stays what it was at another."""
    case, email = of_somebody()
    other = of_another(case)
    stays = [*representatives_of(other.customer), Representative(name="Both", email=email)]
    designate(other.customer, stays, at=wiring.now(), actor="lena")
    token = token_for(come_in(email)[0], "read")
    assert {one["key"] for one in by(token).get("/api/own/accounts").json()} == {case.customer, other.customer}
    named_again(case, email, clock)
    assert [one["key"] for one in by(token).get("/api/own/accounts").json()] == [other.customer]
    assert by(token).get(f"/api/own/cases/{case.key}").status_code == 404
    assert by(token).get(f"/api/own/cases/{other.key}").status_code == 200


def test_whoever_only_changes_places_or_is_corrected_stays(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    token = token_for(client, "read")
    here, new = representatives_of(case.customer)[0], Representative(name="New", email="new@example.com")
    for chain in ([new, here], [replace(here, name="Corrected", language="de"), new], [here]):
        clock(timedelta(minutes=1))
        designate(case.customer, chain, at=wiring.now(), actor="lena")
        assert by(token).get(f"/api/own/cases/{case.key}").status_code == 200
        assert client.get("/account/").status_code == 200


def test_undoing_what_took_a_contact_out_brings_no_token_back(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    token = token_for(come_in(email)[0], "read")
    designate(case.customer, [Representative(name="New", email="new@example.com")], at=wiring.now(), actor="lena")
    clock(timedelta(minutes=1))
    undo(changes_of(case.customer, limit=1)[0].key, at=wiring.now(), actor="lena", why="a slip")
    assert representatives_of(case.customer)[0].email == email
    assert by(token).get("/api/own/accounts").status_code == 401


def test_own_cases_come_in_pages_that_lose_and_repeat_none(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    for other in list_cases(limit=200):
        chain = representatives_of(other.customer)
        if all(one.email != email for one in chain):
            extra = Representative(name="All", email=email)
            designate(other.customer, [*chain, extra], at=wiring.now(), actor="lena")
    asked = by(token_for(come_in(email)[0], "read"))
    whole = asked.get("/api/own/cases?limit=200")
    assert "Link" not in whole
    keys = [one["key"] for one in whole.json()]
    assert len(keys) > 2
    assert {key for key in keys if cases_told([key])} == set(keys)
    for most in (1, 2, len(keys)):
        seen: list[str] = []
        address = f"/api/own/cases?limit={most}"
        while address:
            answer = asked.get(address)
            assert len(answer.json()) <= most
            seen += [one["key"] for one in answer.json()]
            address = answer.get("Link", "").partition(">")[0].removeprefix("<")
        assert seen == keys, most
    mine = [one["key"] for one in asked.get(f"/api/own/cases?account={case.customer}&open=true&limit=1").json()]
    assert len(mine) == 1
    assert asked.get("/api/own/cases?cursor=nonsense").status_code == 422
    assert asked.get("/api/own/cases?limit=0").status_code == 422
    assert asked.get("/api/own/cases?account=acct-nobody").json() == []
    plain = base64.urlsafe_b64encode(f"{wiring.now().isoformat()} {case.key}".encode()).decode()
    assert asked.get(f"/api/own/cases?cursor={plain}").status_code == 422, "nobody makes one themselves"


def test_a_request_reads_so_many_cases_that_nobody_was_told_of_and_its_cursor_goes_on_without_naming_one(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    CaseRow.objects.update(customer=case.customer)
    asked = by(token_for(come_in(email)[0], "read"))
    whole = [one["key"] for one in asked.get("/api/own/cases?limit=200").json()]
    LetterRow.objects.filter(case__in=whole[:-1]).update(sent_at=None)
    keys = [one["key"] for one in asked.get("/api/own/cases?limit=200").json()]
    untold = [one.key for one in list_cases(limit=500) if one.key not in keys]
    assert keys
    assert len(untold) > 2
    read: list[int] = []

    def counted(**how: Any) -> list[Case]:
        found = list_cases(**how)
        read.append(len(found))
        return found

    monkeypatch.setattr(reads, "list_cases", counted)
    monkeypatch.setattr(reads, "READ_AT_A_TIME", 1)
    monkeypatch.setattr(reads, "READ_MAX", 2)
    seen: list[str] = []
    address, pages = "/api/own/cases?limit=1", 0
    while address:
        read.clear()
        answer = asked.get(address)
        assert sum(read) <= 2
        pages += 1
        seen += [one["key"] for one in answer.json()]
        address = answer.get("Link", "").partition(">")[0].removeprefix("<")
        cursor = address.partition("cursor=")[2]
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert not any(key.encode() in told for key in untold)
    assert seen == keys
    assert pages > len(keys) + 1, "some were short, and led on"
