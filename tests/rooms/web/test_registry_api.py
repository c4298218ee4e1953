"""The registry by API, under the console's abilities, and the customer system's signed way in."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tipstaff import wiring
from tipstaff.registry import queries
from tipstaff.registry.crm import signature_of
from tipstaff.words import Role

LogIn = Callable[..., Client]
API = "/api/registry"


@pytest.fixture
def desk(day: ModuleType, log_in: LogIn) -> Client:
    return log_in(Role.LEAD, name="lena")


def send(client: Client, method: str, path: str, body: object, status: int = 200):
    call = getattr(client, method)
    answer = call(f"{API}{path}", json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_customer_is_read_with_everything_that_is_held(desk):
    listed = desk.get(f"{API}/customers?search=dental").json()
    assert [c["key"] for c in listed] == ["acct-1002"]
    one = desk.get(f"{API}/customers/acct-1002").json()
    assert one["holdings"][0]["prefix"] == "192.0.2.16/29"
    assert one["representatives"][0]["email"] == "office@dental.example.com"
    assert desk.get(f"{API}/customers/nobody").status_code == 404


def test_what_people_do_by_api_is_a_change_that_can_be_undone(desk):
    send(desk, "put", "/customers/api-1", {"name": "Sample Shop", "country": "DE", "phone": "+49 30 000000"})
    send(desk, "put", "/customers/api-1/representatives", [{"name": "A", "email": "a@shop.example.com"}])
    send(desk, "put", "/services/api-s", {"customer": "api-1", "kind": "hosting"})
    asked = {"prefix": "203.0.113.4/30", "customer": "api-1", "held_from": "2026-05-01T00:00:00Z"}
    number = send(desk, "post", "/holdings", asked)["number"]
    refused = send(desk, "post", "/holdings", {**asked, "customer": "acct-1002"}, status=409)
    assert "overlaps 203.0.113.4/30 for api-1" in refused["detail"]
    send(desk, "post", "/holdings", {**asked, "held_from": "2026-05-01T00:00:00"}, status=422)
    send(desk, "post", "/holdings", {**asked, "prefix": "203.0.113.5/30"}, status=422)
    send(desk, "post", f"/holdings/{number}/end", {"held_until": "2026-05-03T00:00:00Z"})
    then = desk.get(f"{API}/holdings", {"address": "203.0.113.5", "at": "2026-05-02T00:00:00Z"}).json()
    assert [h["customer"] for h in then if h["tier"] == "customer"] == ["api-1"]
    changes = desk.get(f"{API}/changes", {"about": "api-1"}).json()
    assert {c["origin"] for c in changes} == {"person"}
    send(desk, "post", f"/changes/{changes[0]['key']}/undo", {"why": "Too early."})
    send(desk, "post", f"/changes/{changes[0]['key']}/undo", {"why": "Again."}, status=409)
    assert desk.get(f"{API}/customers/api-1").json()["holdings"][0]["held_until"] is None
    vlan = {"kind": "vlan", "name": "100", "scope": "sw-1", "customer": "api-1", "held_from": "2026-05-01T00:00:00Z"}
    key = send(desk, "post", "/resources", vlan)["number"]
    send(desk, "post", "/resources", {**vlan, "customer": "acct-1002"}, status=409)
    send(desk, "post", f"/resources/{key}/end", {"held_until": "2026-05-02T00:00:00Z"})
    found = desk.get(f"{API}/resources", {"kind": "vlan", "name": "100", "at": "2026-05-01T12:00:00Z"}).json()
    assert [r["customer"] for r in found] == ["api-1"]
    send(desk, "post", "/customers/api-1/standing", {"standing": "terminated", "why": "Spam."})
    assert queries.standings_of("api-1")[0].why == "Spam."


def test_a_file_is_previewed_and_taken_in(desk):
    def upload(**query):
        text = b"key,name\nfile-1,Specimen Architects\nfile-2,\n"
        form = {"file": SimpleUploadedFile("customers.csv", text)}
        return desk.post(f"{API}/import?{'&'.join(f'{k}={v}' for k, v in query.items())}", form).json()

    preview = upload(dry_run="true", rest="true")
    assert (preview["added"], preview["applied"]) == (1, False)
    assert preview["refused"] == [{"line": 3, "why": "The field name is empty."}]
    assert queries.get_customer("file-1") is None
    assert upload(rest="true")["change"].startswith("CH-")
    waiting = desk.get(f"{API}/admissions").json()
    (one,) = [w for w in waiting if w["customer"] == "file-1"]
    assert one["concerns"][0]["against"] == "acct-1005"
    decided = send(desk, "post", f"/admissions/{one['key']}/decide", {"accept": False, "why": "The same people."})
    assert (decided["state"], decided["decided_by"]) == ("refused", "lena")


def test_a_file_says_what_lies_outside_the_operators_own_space(desk):
    text = b"tier,kind,prefix,held_from,customer\ncustomer,static,2001:db8:ffff::/48,2026-05-01,acct-1002\n"
    form = {"file": SimpleUploadedFile("holdings.csv", text)}
    outside = desk.post(f"{API}/import?dry_run=true", form).json()["outside"]
    assert outside["count"] == 1
    assert "2001:db8:ffff::/48 of acct-1002" in outside["says"]


def test_what_no_program_sends_is_no_failure(desk):
    for method, path in (
        ("put", "/customers/a%00b"),
        ("put", "/customers/%00/representatives"),
        ("post", "/changes/%00/undo"),
        ("post", "/admissions/AD-%00/decide"),
        ("post", "/customers/%00/standing"),
    ):
        answer = getattr(desk, method)(f"{API}{path}", "{}", content_type="application/json")
        assert answer.status_code == 404, path
    send(desk, "put", "/customers/a", {"name": "X\x00"}, status=422)
    send(desk, "put", "/services/s", {"customer": "acct-1002", "kind": "hosting", "label": "\x00"}, status=422)
    assert desk.get(f"{API}/customers/%00").status_code == 404
    assert desk.get(f"{API}/resources", {"kind": "asn", "name": "x", "at": "2026-05-01T00:00:00Z"}).status_code == 422
    assert desk.get(f"{API}/holdings", {"address": "x", "at": "2026-05-01T00:00:00Z"}).status_code == 422
    assert desk.get(f"{API}/holdings", {"address": "192.0.2.1", "at": "2026-05-01T00:00:00"}).status_code == 422


@pytest.mark.parametrize("role", [Role.COUNSEL, Role.ADMINISTRATOR])
def test_who_may_not_keep_the_registry_changes_nothing_by_api_either(day, log_in, role):
    client = log_in(role)
    send(client, "put", "/customers/x", {"name": "X"}, status=403)
    send(client, "post", "/changes/CH-1/undo", {"why": "x"}, status=403)
    assert Client().get(f"{API}/customers").status_code == 401
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(log_in(Role.LEAD, name="lena2").get("/console/cases").wsgi_request.user)
    assert strict.put(f"{API}/customers/x", "{}", content_type="application/json").status_code == 403


def test_the_customer_systems_deliveries_are_signed_and_taken_once(day, monkeypatch):
    body = json.dumps({"event": "customer.saved", "customer": {"key": "crm-1", "name": "Example Shop"}}).encode()
    time = str(int(wiring.now().timestamp()))

    def deliver(key: bytes = b"secret", status: int = 200):
        signed = signature_of(key=key, delivery="delivery-1", timestamp=time, body=body)
        answer = Client(enforce_csrf_checks=True).post(
            f"{API}/deliveries", body, content_type="application/json",
            headers={"X-Tipstaff-Delivery": "delivery-1", "X-Tipstaff-Time": time, "X-Tipstaff-Signature": signed},
        )  # fmt: skip
        assert answer.status_code == status, answer.content
        return answer.json()

    monkeypatch.setattr(wiring, "delivery_key", lambda: None)
    deliver(status=404)
    monkeypatch.setattr(wiring, "delivery_key", lambda: b"secret")
    assert "does not fit" in deliver(b"wrong", status=401)["detail"]
    assert deliver()["again"] is False
    assert deliver()["again"] is True
    assert queries.get_customer("crm-1") is not None


def test_a_time_that_nothing_can_have_happened_at_is_refused(desk: Client) -> None:
    for wrong in ("0001-01-01T00:00:00+01:01", "9999-12-31T23:59:59-23:00", 1767225600, "1767225600", "2026-03-01"):
        send(desk, "post", "/holdings/1/end", {"held_until": wrong}, status=422)
    for wrong in ("-2534611", "1767225600.5"):
        assert desk.get(f"{API}/holdings", {"address": "192.0.2.1", "at": wrong}).status_code == 422


def test_addresses_move_by_a_letter_that_is_filed_by_api(desk):
    asked = {"prefix": "203.0.113.4/30", "customer": "acct-1002", "held_from": "2026-01-01T00:00:00Z"}
    number = send(desk, "post", "/holdings", asked)["number"]
    moving = {"customer": "acct-1001", "since": "2026-02-01T00:00:00Z"}
    told = send(desk, "post", f"/holdings/{number}/transfer", moving, status=409)
    assert "letter of authority" in told["detail"]

    def file(content: bytes = b"We, the undersigned", **query: str):
        told = {"customer": "acct-1001", "issuer": "Example Network", "prefix": "203.0.113.0/24", **query}
        form = {"file": SimpleUploadedFile("loa.pdf", content)}
        return desk.post(f"{API}/letters?{urlencode({'valid_from': '2026-01-01T00:00:00Z', **told})}", form)

    for wrong, status in (
        ({"prefix": "203.0.113.1/24"}, 422), ({"customer": "acct-404"}, 409), ({"issuer": ""}, 409),
        ({"content": b"x" * 10_000_001}, 413),
    ):  # fmt: skip
        assert file(**wrong).status_code == status, wrong
    filed = file().json()
    assert filed["sha256"] == hashlib.sha256(b"We, the undersigned").hexdigest()
    new = send(desk, "post", f"/holdings/{number}/transfer", moving)["number"]
    then = desk.get(f"{API}/holdings", {"address": "203.0.113.5", "at": "2026-02-02T00:00:00Z"}).json()
    assert [(h["number"], h["customer"]) for h in then if h["tier"] == "customer"] == [(new, "acct-1001")]
    assert then[0]["source"] == f"transfer by {filed['key']}"


def test_services_end_users_are_kept_and_an_account_is_told_as_known_then(desk, monkeypatch):
    send(desk, "put", "/services/api-s", {"customer": "acct-1002", "kind": "hosting"})
    send(desk, "put", "/users/u-1", {"customer": "acct-1002", "name": "Alex", "email": "alex@example.net"})
    send(desk, "put", "/users/u-1", {"customer": "acct-404", "name": "Alex"}, status=409)
    send(desk, "put", "/users/u-2", {"customer": "acct-1002", "name": "\x00"}, status=422)
    told = send(desk, "put", "/users/u-1", {"customer": "acct-1001", "name": "Alex"}, status=409)
    assert "is acct-1002's and can't become acct-1001's" in told["detail"]
    before = wiring.now()
    monkeypatch.setattr(wiring, "now", lambda: before + timedelta(hours=1))
    ended = {"ended_at": "2026-05-05T00:00:00Z"}
    assert send(desk, "post", "/services/api-s/end", ended) == {"holdings": 0}
    send(desk, "post", "/services/nobodys/end", ended, status=409)
    send(desk, "put", "/users/u-1", {"customer": "acct-1002", "name": "Sam"})

    def told(**asked: str):
        found = desk.get(f"{API}/customers/acct-1002/then", {"at": "2026-06-01T00:00:00Z", **asked}).json()
        return "api-s" in [one["key"] for one in found["services"]], [one["name"] for one in found["users"]]

    assert told() == (False, ["Sam"])
    assert told(known_at=before.isoformat()) == (True, ["Alex"])
    whole = desk.get(f"{API}/customers/acct-1002/then").json()
    assert whole["standing"]["standing"] == "good"
    assert "192.0.2.16/29" in [one["prefix"] for one in whole["holdings"]]
    assert desk.get(f"{API}/customers/nobody/then").status_code == 404
    assert desk.get(f"{API}/customers/%00/then").status_code == 404
    assert desk.get(f"{API}/customers/acct-1002/then", {"at": "2026-06-01"}).status_code == 422
