"""Headers, log-in, first log-in."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http.multipartparser import MultiPartParser
from django.test import Client

import tipstaff.web
from tipstaff import wiring
from tipstaff.ledger.queries import entries_about
from tipstaff.web.first import (
    FirstLinkGone,
    check_first_token,
    make_first_token,
    needs_first,
    use_first_token,
)
from tipstaff.web.roles import roles_of
from tipstaff.words import Role

LogIn = Callable[..., Client]
TEMPLATES = Path(tipstaff.web.__file__).parent / "templates"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/policy", "/login", "/health", "/nowhere", "/first/x", "/p/x", "/r/x"])
def test_every_page_forbids_what_is_not_ours(at: object, path: str) -> None:
    answer = Client().get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.django_db
def test_what_is_refused_or_not_there_is_said_on_a_page_with_a_way_back(at: object, log_in: LogIn) -> None:
    for answer, status, title in (
        (Client().get("/nowhere"), 404, "There is nothing here"),
        (Client().get("/policy/2027-09"), 404, "There is nothing here"),
        (log_in(Role.ANALYST).get("/console/staff"), 403, "Not for your roles"),
    ):
        assert answer.status_code == status
        assert title in answer.content.decode()
        assert 'href="/' in answer.content.decode()


def test_no_template_has_inline_script_or_style() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), template
        assert "<style" not in text, template
        assert not re.search(r"\s(style|on[a-z]+)=", text), template
        assert not re.search(r"https?://(?!www\.w3\.org)", text), template


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/p/x", "/r/x", "/first/x"])
def test_a_page_whose_address_is_a_key_tells_it_nobody(at: object, path: str) -> None:
    answer = Client().get(path)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["Cache-Control"] == "no-store" or "no-store" in answer["Cache-Control"]
    assert "noindex" in answer["X-Robots-Tag"]
    assert not answer.cookies


def test_a_name_waits_after_five_failures_at_one_address_only(
    db: None, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("mary", password="correct horse battery")
    client = Client()
    for _ in range(5):
        assert client.post("/login", {"username": "mary", "password": "wrong"}).status_code == 401
    right = {"username": "Mary", "password": "correct horse battery"}
    blocked = client.post("/login", right)
    assert (blocked.status_code, blocked["Retry-After"]) == (429, "901")
    assert Client(REMOTE_ADDR="198.51.100.7").post("/login", right | {"username": "mary"}).status_code == 302
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(minutes=16))
    assert client.post("/login", right | {"username": "mary"}).status_code == 302


@pytest.mark.django_db
def test_a_log_in_leads_only_to_our_own_pages(at: object) -> None:
    User.objects.create_user("mary", password="correct horse battery")
    form = {"username": "mary", "password": "correct horse battery", "next": "https://evil.example.com/"}
    assert Client().post("/login", form)["Location"] == "/console/"


@pytest.mark.django_db
def test_the_first_link_works_once(at: datetime) -> None:
    assert needs_first()
    token = make_first_token(at=at, actor="tests")
    client = Client()
    weak = client.post(f"/first/{token}", {"password": "short", "again": "short"})
    assert weak.status_code == 400
    form = {"password": "correct horse battery", "again": "correct horse battery"}
    assert client.post(f"/first/{token}", form)["Location"] == "/console/"
    assert client.get("/console/", follow=True).status_code == 200
    assert not needs_first()
    assert Client().get(f"/first/{token}").status_code == 410
    assert roles_of(User.objects.get(username="admin")) == {Role.ADMINISTRATOR, Role.LEAD}


@pytest.mark.django_db
def test_a_first_link_expires_and_a_newer_one_replaces_it(at: datetime) -> None:
    old = make_first_token(at=at, actor="tests")
    new = make_first_token(at=at, actor="tests")
    with pytest.raises(FirstLinkGone):
        check_first_token(old, at=at)
    assert check_first_token(new, at=at) == "admin"
    with pytest.raises(FirstLinkGone):
        use_first_token(new, password="correct horse battery", at=at + timedelta(days=1))
    with pytest.raises(ValidationError):
        use_first_token(new, password="admin", at=at)
    assert check_first_token(new, at=at) == "admin", "a weak password does not spend the link"


def test_an_administrator_adds_a_colleague_who_sets_their_own_password(at: object, log_in: LogIn) -> None:
    page = log_in(Role.ADMINISTRATOR, name="admin").post("/console/staff/add", {"name": "lena", "role": ["analyst"]})
    (token,) = re.findall(r"/first/([\w-]+)", page.content.decode())
    lena = Client()
    lena.post(f"/first/{token}", {"password": "correct horse battery", "again": "correct horse battery"})
    assert lena.get("/console/cases").status_code == 200
    assert lena.get("/console/staff").status_code == 403
    said = [(e.what, e.actor) for e in entries_about("staff:lena")]
    assert said == [("staff.added", "admin"), ("staff.link_made", "admin"), ("staff.password_set", "lena")]


def test_an_administrator_cannot_lock_themselves_out(at: object, log_in: LogIn) -> None:
    admin = log_in(Role.ADMINISTRATOR, name="admin")
    me = User.objects.get(username="admin")
    admin.post(f"/console/staff/{me.pk}", {"do": "off"})
    admin.post(f"/console/staff/{me.pk}", {"do": "roles", "role": ["analyst"]})
    assert admin.get("/console/staff").status_code == 200


def test_who_is_switched_off_is_out_at_once(at: object, log_in: LogIn) -> None:
    lena = log_in(Role.ANALYST, name="lena")
    person = User.objects.get(username="lena")
    log_in(Role.ADMINISTRATOR).post(f"/console/staff/{person.pk}", {"do": "off"})
    assert lena.get("/console/cases").status_code == 302


@pytest.mark.django_db
def test_the_public_pages_answer_without_a_log_in(at: object) -> None:
    client = Client()
    assert "abuse@operator.example.net" in client.get("/").content.decode()
    assert client.get("/policy").status_code == 200
    assert client.get("/policy.json").json()["clauses"]
    assert client.get("/health").json()["status"] == "well"
    lines = client.get("/.well-known/security.txt").content.decode().splitlines()
    assert {line.partition(":")[0] for line in lines} >= {"Contact", "Expires"}


@pytest.mark.django_db
def test_a_slash_too_many_leads_to_the_page_and_to_no_other_host() -> None:
    answer = Client().get("/policy/?edition=x")
    assert (answer.status_code, answer["Location"]) == (301, "/policy?edition=x")
    assert Client().get("/console").status_code == 301
    assert Client().get("/x", PATH_INFO="//evil.example.com/").status_code == 404
    assert Client().get("/nothing/").status_code == 404
    assert Client().get("/console/cases/%00").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/account/cases/C-1", "/account/log-in", "/console/import", "/api/registry/import"])
def test_what_is_larger_than_any_form_is_refused_before_it_is_read(
    at: object, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: object) -> None:
        raise AssertionError("the files would be on disk by now")

    monkeypatch.setattr(MultiPartParser, "parse", read)
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    answer = client.post(path, {"x": "y"}, CONTENT_LENGTH=str(11 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer["Content-Type"] == ("application/problem+json" if path.startswith("/api/") else "text/plain")
    own = client.post("/api/reports/in", {"x": "y"}, CONTENT_LENGTH=str(11 * 1024 * 1024 + 1))
    assert own.status_code == 401, "programs hand in more, by a token that comes first"
