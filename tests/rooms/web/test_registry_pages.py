"""The registry's pages: what people see, do and undo there, and who may."""

import re
from collections.abc import Callable
from types import ModuleType

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pysequoia import Tsk

from tipstaff.registry import queries
from tipstaff.web.console.registry import ACTIONS
from tipstaff.words import ListKind, Role, Standing

LogIn = Callable[..., Client]


@pytest.fixture
def desk(day: ModuleType, log_in: LogIn) -> Client:
    return log_in(Role.LEAD, name="lena")


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def post(client: Client, path: str, **form: str) -> str:
    answer = client.post(path, form, follow=True)
    assert answer.status_code == 200, path
    return answer.content.decode()


ACCOUNT = "/console/customers/acct-1002"


def test_customers_are_found_by_standing_and_by_word(desk):
    shown = page(desk, "/console/customers?standing=terminated")
    assert "Specimen Architects" in shown
    assert "Example Bakery" not in shown
    assert "Example Bakery" in page(desk, "/console/customers?find=bakery")
    assert "Nobody fits" in page(desk, "/console/customers?find=no%20such")


def test_a_page_shows_what_was_held_as_a_picture_and_as_a_table(desk):
    shown = page(desk, ACCOUNT)
    assert "<svg" in shown
    assert "192.0.2.16/29" in shown
    assert "Letters go to" in shown


def test_a_customer_is_added_vetted_and_changed(desk):
    form = {"key": "new-1", "name": "Specimen Architects Ltd", "phone": "+49 30 000000", "country": "DE"}
    shown = post(desk, "/console/customers/add", **form)
    assert "new-1 is added." in shown
    assert "admission waits" in shown
    assert "acct-1005, Specimen Architects, was terminated on" in shown
    assert "is there already." in post(desk, "/console/customers/add", **form)
    shown = post(desk, "/console/customers/new-1/save", name="Renamed Ltd", country="Germany")
    assert "A country is two letters" in shown
    assert "new-1 is saved." in post(desk, "/console/customers/new-1/save", name="Renamed Ltd")
    found = queries.get_customer("new-1")
    assert found is not None
    assert found.name == "Renamed Ltd"


def test_an_admission_is_decided_with_a_reason(desk):
    from tipstaff.procedures.admission import load_list
    from tipstaff.wiring import now

    load_list(ListKind.ALIASES, ["Spam Works; Sample Dental Practice\n"], file_name="a.txt", at=now(), actor="lena")
    shown = page(desk, "/console/admissions")
    assert "an alias of Spam Works" in shown
    assert "Customers to admit" in page(desk, "/console/inbox")
    (asked,) = queries.list_admissions(customer="acct-1002")
    path = f"/console/admissions/{asked.key}/decide"
    assert "decided with the reason in words" in post(desk, path, do="refuse", why=" ")
    assert "is accepted" in post(desk, path, do="accept", why="A dentist; I called them.")
    assert "A dentist; I called them." in page(desk, ACCOUNT)


def test_representatives_standing_services_and_holdings_are_changed_and_undone(desk):
    shown = post(
        desk, f"{ACCOUNT}/contacts", email_1="night@example.net", name_1="Night", language_1="de",
        email_2="owner@example.org",
    )  # fmt: skip
    assert "The representatives are saved." in shown
    assert "letters come back since" in post(desk, f"{ACCOUNT}/reached", email="night@example.net", do="bounced")
    found = queries.get_customer("acct-1002")
    assert found is not None
    assert found.representative is not None
    assert found.representative.email == "owner@example.org"
    assert "is verified" in post(desk, f"{ACCOUNT}/reached", email="night@example.net", do="reached")
    assert "needs its reason" in post(desk, f"{ACCOUNT}/standing", standing="suspended")
    assert "is suspended." in post(desk, f"{ACCOUNT}/standing", standing="suspended", why="Unpaid.")
    last = queries.changes_of("acct-1002")[0]
    assert "needs its reason" in post(desk, f"/console/changes/{last.key}/undo")
    shown = post(desk, f"/console/changes/{last.key}/undo", why="The wrong one.", about="acct-1002")
    assert f"{last.key} is undone by" in shown
    found = queries.get_customer("acct-1002")
    assert found is not None
    assert found.standing is Standing.GOOD
    assert "undone by" in page(desk, "/console/changes")
    told = page(desk, "/console/record?about=acct-1002")
    assert f"{last.key} was taken back by CH-" in told
    assert "Suspended since" in told
    assert "svc-new is saved." in post(desk, f"{ACCOUNT}/service", key="svc-new", kind="hosting")
    assert "overlaps" in post(desk, f"{ACCOUNT}/hold", prefix="192.0.2.8/30", kind="static")
    assert "holds 192.0.2.4/30." in post(desk, f"{ACCOUNT}/hold", prefix="192.0.2.4/30", kind="static")
    site = {"host_name": "Shop.example.net", "address": "192.0.2.4", "since": "2026-03-01 12:00"}
    assert "Shop.example.net at 192.0.2.4 is" in post(desk, f"{ACCOUNT}/site", **site)
    assert "before it begins" in post(desk, f"{ACCOUNT}/site", **site, until="2026-02-01")
    shown = post(desk, f"{ACCOUNT}/site", **site, until="2026-03-02")
    assert "Virtual hosts" in shown
    assert "2026-03-02 00:00" in shown
    assert "does not appear to be" in post(desk, f"{ACCOUNT}/site", **{**site, "address": "here"})
    assert "holds vlan 100." in post(desk, f"{ACCOUNT}/resource", kind="vlan", name="100", scope="sw-1")
    (vlan,) = queries.resources_of("acct-1002")
    assert "It has its end." in post(
        desk, f"{ACCOUNT}/end", what="resource", number=str(vlan.key), until="2099-01-01 12:00"
    )
    assert "not held by this customer" in post(desk, f"{ACCOUNT}/end", what="holding", number="1")
    edition = page(desk, ACCOUNT).partition("<option>")[2].partition("<")[0]
    assert "accepted edition" in post(desk, f"{ACCOUNT}/accept", edition=edition, contract="K-7")
    assert "no such edition" in post(desk, f"{ACCOUNT}/accept", edition="1999-01", contract="K-7")


def test_a_file_shows_what_it_would_change_before_it_does(desk):
    text = "tier,kind,prefix,held_from,customer\ncustomer,static,192.0.2.4/30,2026-05-01,acct-1002\n"
    text += "customer,static,192.0.2.8/30,2026-05-01,acct-1002\n"
    text += "customer,static,192.0.2.0/30,2026-05-01,acct-404\n"
    shown = page_of(desk.post("/console/import", {"file": SimpleUploadedFile("plan.csv", text.encode())}))
    assert "What plan.csv would change" in shown
    assert "Nothing is taken in while a row is refused" in shown
    assert "There is no customer acct-404." in shown
    sure = {"text": text, "name": "plan.csv", "do": "take"}
    assert "Nothing is taken in" in page_of(desk.post("/console/import", sure))
    assert not [h for h in queries.all_holdings_of("acct-1002") if str(h.prefix) == "192.0.2.4/30"]
    good = desk.post("/console/import", {"text": text, "name": "plan.csv", "rest": "on"})
    assert "A person has set these otherwise, and that stands" in page_of(good)
    assert "1 new, 0 changed, 0 unchanged, 1 refused, 1 kept" in post(desk, "/console/import", **sure, rest="on")
    assert [h for h in queries.all_holdings_of("acct-1002") if str(h.prefix) == "192.0.2.4/30"]
    away_text = text.splitlines()[0] + "\ncustomer,static,2001:db8:ffff::/48,2026-05-01,acct-1002"
    away = {"name": "away.csv", "text": away_text}
    assert "After this, 1 holding lies outside" in page_of(desk.post("/console/import", away))
    assert "Now 1 holding lies outside" in post(desk, "/console/import", **away, do="take")
    assert "Choose a file first." in page_of(desk.post("/console/import", {}))
    wrong = SimpleUploadedFile("plan.csv", b"\xff\xfe")
    assert "is not UTF-8 text" in page_of(desk.post("/console/import", {"file": wrong}))
    large = SimpleUploadedFile("plan.csv", b"x" * 1_000_001)
    assert "at most 1 MB" in page_of(desk.post("/console/import", {"file": large}))


def page_of(answer) -> str:
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("role", [Role.COUNSEL, Role.ADMINISTRATOR])
def test_who_may_not_keep_the_registry_changes_nothing(day, log_in, role):
    client, before = log_in(role), len(queries.list_changes())
    paths = [f"{ACCOUNT}/{action}" for action in ACTIONS] + [
        "/console/customers/add",
        "/console/changes/CH-1/undo",
        "/console/import",
    ]
    assert {client.post(path).status_code for path in paths} == {403}
    assert len(queries.list_changes()) == before


def test_what_does_not_exist_is_not_found(desk):
    assert desk.get("/console/customers/nobody").status_code == 404
    assert desk.get("/console/customers/%00").status_code == 404
    assert desk.post("/console/customers/%00/save").status_code == 404
    assert desk.get("/console/customers?find=%00&page=99999999").status_code == 200
    assert desk.get("/console/changes?before=abc").status_code == 200
    assert desk.post("/console/admissions/AD-%00/decide", {"do": "accept", "why": "x"}).status_code == 404
    assert desk.post("/console/changes/%00/undo", {"why": "x"}).status_code == 404
    assert desk.post("/console/customers/nobody/save").status_code == 404
    assert desk.post(f"{ACCOUNT}/explode").status_code == 404
    assert "there is no change" in post(desk, "/console/changes/CH-999999/undo", why="x").lower()


def test_a_long_chain_of_contacts_is_saved_whole(desk):
    chain = [f"contact-{number}@example.net" for number in range(1, 13)]
    form = {f"email_{number}": email for number, email in enumerate(chain, 1)}
    assert "The representatives are saved." in post(desk, f"{ACCOUNT}/contacts", **form)
    shown = page(desk, ACCOUNT)
    again = dict(re.findall(r'name="(email_\d+)"[^>]* value="([^"]+)"', shown))
    assert list(again.values()) == chain, "the form shows them all"
    post(desk, f"{ACCOUNT}/contacts", **again, email_13="contact-13@example.net")
    assert [one.email for one in queries.representatives_of("acct-1002")] == [*chain, "contact-13@example.net"]


def test_keys_of_a_contact_are_set_refused_and_taken_away(desk):
    chain = queries.representatives_of("acct-1002")
    key = str(Tsk.generate("x@example.net").extract_certificate())
    form = {"email": chain[0].email.upper(), "openpgp_key": key.replace("\n", "\r\n"), "smime_certificate": ""}
    assert "are closed by that key" in post(desk, f"{ACCOUNT}/keys", **form)
    assert queries.mail_keys_of(chain[0].email).openpgp == (key.strip(),)
    assert "BEGIN PGP PUBLIC KEY BLOCK" in page(desk, ACCOUNT)
    told = post(desk, f"{ACCOUNT}/keys", **{**form, "openpgp_key": "nonsense"})
    assert "it is not an ASCII-armoured public key block" in told
    assert "none of" in post(desk, f"{ACCOUNT}/keys", **{**form, "email": "nobody@example.net"})
    assert queries.mail_keys_of(chain[0].email).openpgp == (key.strip(),)
    post(desk, f"{ACCOUNT}/keys", email=chain[0].email)
    assert queries.representatives_of("acct-1002") == chain


def test_letters_moves_users_and_ends_of_services_are_kept_on_the_page(desk):
    given = {"prefix": "203.0.113.4/30", "kind": "static", "since": "2026-01-05"}
    assert "holds 203.0.113.4/30" in post(desk, f"{ACCOUNT}/hold", **given)
    number = next(h.key for h in queries.all_holdings_of("acct-1002") if str(h.prefix) == "203.0.113.4/30")
    move = {"number": str(number), "to": "acct-1001"}
    assert "letter of authority" in post(desk, f"{ACCOUNT}/transfer", **move)
    other = "/console/customers/acct-1001"
    form = {"issuer": "Example Network", "prefixes": "203.0.113.0/24 2001:db8:9::/48", "since": "2026-01-01"}
    assert "Choose the letter" in post(desk, f"{other}/letter", **form)
    pdf = SimpleUploadedFile("loa.pdf", b"We")
    assert "is filed: " in post(desk, f"{other}/letter", **form, file=pdf)
    assert "203.0.113.0/24, 2001:db8:9::/48" in page(desk, other)
    assert "That is not held by this customer." in post(desk, f"{other}/transfer", **move)
    assert "acct-1001 holds 203.0.113.4/30 from then on." in post(desk, f"{ACCOUNT}/transfer", **move)
    assert "User u-1 is saved." in post(desk, f"{ACCOUNT}/user", key="u-1", name="Alex", email="alex@example.net")
    assert "a key and a name" in post(desk, f"{ACCOUNT}/user", key="u-2")
    moved = post(desk, f"{other}/user", key="u-1", name="Alex")
    assert "User u-1 is acct-1002&#x27;s and can&#x27;t become acct-1001&#x27;s" in moved
    assert [(one.key, one.email) for one in queries.users_of("acct-1002")] == [("u-1", "alex@example.net")]
    assert queries.users_of("acct-1001") == []
    assert "svc-new is saved." in post(desk, f"{ACCOUNT}/service", key="svc-new", kind="hosting")
    assert "has no service svc-404" in post(desk, f"{ACCOUNT}/end_service", key="svc-404")
    assert "svc-new has its end" in post(desk, f"{ACCOUNT}/end_service", key="svc-new")
