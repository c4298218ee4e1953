"""Log-in by the operator's identity provider, against a small one that listens here and signs with keys of its own."""

import base64
import dataclasses
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from tipstaff import wiring
from tipstaff.ledger.queries import entries_about
from tipstaff.web.models import CompanyLink
from tipstaff.web.roles import give_roles, roles_of
from tipstaff.words import Role

DESK, CLIENT, SECRET = "https://abuse.example.net", "desk", "s3cret/with:signs"


class Company:
    """An identity provider: `person` is who logs in there, `lies` what it says instead of the truth."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
        self.signs_with: Any = self.key
        self.algorithm = "RS256"
        self.person: dict[str, Any] = {"sub": "7f3", "preferred_username": "Lena@example.net", "groups": ["abuse-desk"]}
        self.lies: dict[str, Any] = {}
        self.about: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.refused: list[str] = []
        self.issuer = ""
        self.at = datetime.min
        self.back = f"{DESK}/login/company/back"

    def approve(self, url: str) -> str:
        """What somebody's browser is sent back with after they logged in there."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return (
            f"{self.back.removeprefix(DESK)}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"
        )

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            own = {name: f"{self.issuer}/{path}" for name, path in names.items()}
            return {"issuer": self.issuer, **own, **self.about}
        return KeySet([self.key]).as_dict(private=False) if path == "/keys" else None

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """RFC 6749, section 4.1.3, and RFC 7636, section 4.6: a code is good once, for who asked for it."""
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        pair = base64.b64encode(b"desk:s3cret%2Fwith%3Asigns").decode()
        right = (
            asked is not None
            and asked["code_challenge"] == base64.urlsafe_b64encode(verifier).decode().rstrip("=")
            and asked["redirect_uri"] == form.get("redirect_uri") == self.back
            and authorization == f"Basic {pair}"
        )
        if not right or asked is None:
            self.refused.append(form.get("code", ""))
            return None
        now = int(self.at.timestamp())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = {k: v for k, v in (said | self.person | self.lies).items() if v is not None}
        header = {"alg": self.algorithm, "kid": "1"}
        return {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(header, claims)}

    def sign(self, header: dict[str, str], claims: dict[str, Any]) -> str:
        if not isinstance(self.signs_with, bytes):
            return jwt.encode(header, claims, self.signs_with, algorithms=[self.algorithm])
        # By hand: the library would not take a public key for a secret either.
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
        proof = hmac.digest(self.signs_with, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, base64.urlsafe_b64encode(proof).decode().rstrip("=")])


@pytest.fixture
def company(db: None, at: datetime, tmp_path: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    own = Company()

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.say(own.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {k: v[0] for k, v in parse_qs(body).items()}
            self.say(own.exchange(form, self.headers.get("Authorization", "")) if self.path == "/token" else None)

        def say(self, found: dict[str, Any] | None) -> None:
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    own.issuer, own.at = f"http://127.0.0.1:{server.server_port}", at
    file = tmp_path / "secret"
    file.write_text(SECRET)
    was = wiring.settings()
    staff = dataclasses.replace(
        was.staff, openid_issuer=own.issuer, openid_client_id=CLIENT, openid_secret_file=file,
        openid_name="Example Net", openid_roles=("abuse-desk=analyst", "abuse leads = lead"),
    )  # fmt: skip
    now = dataclasses.replace(was, staff=staff, web=dataclasses.replace(was.web, public_url=DESK))
    monkeypatch.setattr(wiring, "settings", lambda: now)
    yield own
    server.shutdown()
    server.server_close()
    thread.join()


def come(company: Company, *, onward: str = "") -> tuple[Client, Any]:
    """Somebody's browser after the company's log-in, and the answer that it got here."""
    client = Client()
    to = client.get(f"/login/company?{urlencode({'next': onward})}")["Location"]
    return client, client.get(company.approve(to))


def is_in(client: Client) -> bool:
    return client.get("/console/cases").status_code == 200


def linked(name: str, *roles: Role) -> User:
    user = User.objects.create_user(name, password="correct horse battery")
    give_roles(user, frozenset(roles))
    return user


def test_a_member_of_a_group_gets_an_account_and_its_roles(company: Company) -> None:
    assert "Log in by Example Net" in Client().get("/login").content.decode()
    client, answer = come(company, onward="/console/reports")
    assert answer["Location"] == "/console/reports"
    assert is_in(client)
    lena = User.objects.get(username="lena")
    assert (roles_of(lena), lena.has_usable_password()) == ({Role.ANALYST}, False)
    assert [(e.what, e.actor) for e in entries_about("staff:lena")] == [("staff.added", "identity provider")]


def test_roles_follow_the_groups_and_who_left_is_out_at_once(company: Company) -> None:
    first, _ = come(company)
    company.person |= {"groups": ["abuse-desk", "abuse leads"], "preferred_username": "somebody.else"}
    come(company)
    lena = User.objects.get(username="lena")
    assert roles_of(lena) == {Role.ANALYST, Role.LEAD}, "by the provider's number for her, whatever she is called there"
    assert is_in(first)
    company.person["groups"] = ["sales"]
    client, answer = come(company)
    assert answer.status_code == 403
    assert (is_in(first), is_in(client)) == (False, False)
    assert roles_of(User.objects.get(username="lena")) == set()


def test_a_name_that_is_here_already_is_not_taken_over(company: Company) -> None:
    lena = linked("lena", Role.LEAD)
    client, answer = come(company)
    assert answer.status_code == 403
    assert "is a lena here already" in answer.content.decode()
    assert not is_in(client)
    client.post("/login", {"username": "lena", "password": "correct horse battery"})
    client.get(company.approve(client.get("/me/company")["Location"]))
    assert CompanyLink.objects.get().user == lena
    again, _ = come(company)
    assert is_in(again)
    assert roles_of(User.objects.get(username="lena")) == {Role.ANALYST}
    client.post("/me/company/unlink")
    assert not is_in(come(company)[0])


def test_one_person_of_the_company_is_one_account(company: Company) -> None:
    come(company)
    linked("mary", Role.LEAD)
    client = Client()
    client.post("/login", {"username": "mary", "password": "correct horse battery"})
    answer = client.get(company.approve(client.get("/me/company")["Location"]))
    assert answer.status_code == 403
    assert CompanyLink.objects.get().user.username == "lena"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_page_of_another_site_begins_no_link(company: Company, site: str) -> None:
    linked("lena", Role.LEAD)
    client = Client()
    client.post("/login", {"username": "lena", "password": "correct horse battery"})
    assert client.get("/me/company", headers={"Sec-Fetch-Site": site})["Location"] == "/me/"
    own = client.get("/me/company", headers={"Sec-Fetch-Site": "same-origin"})
    assert own["Location"].startswith(company.issuer)


def test_who_is_in_no_group_gets_no_account(company: Company) -> None:
    for groups in (["sales"], [], None, "abuse-desk-not", 7):
        company.person["groups"] = groups
        assert come(company)[1].status_code == 403
    assert not User.objects.exists()


def test_programs_names_are_no_persons(company: Company) -> None:
    company.person["preferred_username"] = "worker"
    assert come(company)[1].status_code == 403
    company.person["preferred_username"] = "../../etc"
    assert come(company)[1].status_code == 403
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "lies",
    [
        {"iss": "https://other.example.net"}, {"aud": "another-desk"}, {"aud": ["another-desk"]}, {"nonce": "old"},
        {"nonce": None}, {"exp": 1}, {"exp": None}, {"sub": ""}, {"sub": None}, {"azp": "another-desk"},
        {"iat": 4102444800},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_said_to_us_now_counts_for_nothing(company: Company, lies: dict[str, Any]) -> None:
    company.lies = lies
    client, answer = come(company)
    assert answer.status_code == 403
    assert not is_in(client)
    assert not User.objects.exists()


def test_a_signature_by_another_key_or_by_a_shared_secret_counts_for_nothing(company: Company) -> None:
    company.signs_with = RSAKey.generate_key(2048, {"kid": "1"})
    assert come(company)[1].status_code == 403
    # The public key as a shared secret: the oldest trick there is with these tokens.
    company.signs_with = company.key.as_pem(private=False)
    company.algorithm = "HS256"
    assert come(company)[1].status_code == 403
    company.algorithm, company.signs_with = "none", b""
    assert come(company)[1].status_code == 403
    assert not User.objects.exists()
    company.key = company.signs_with = ECKey.generate_key("P-256", {"kid": "1", "use": "sig"})
    company.algorithm = "ES256"
    assert is_in(come(company)[0]), "a key that was changed is fetched"


def test_an_answer_counts_once_for_the_browser_that_asked(company: Company) -> None:
    client = Client()
    back = company.approve(client.get("/login/company")["Location"])
    thief = Client()
    thief.get("/login/company")
    assert thief.get(back).status_code == 403
    assert Client().get(back).status_code == 400
    state = back.partition("state=")[2].partition("&")[0]
    assert client.get(back.replace(state, "x")).status_code == 403
    assert client.get(back).status_code == 400, "what was asked is forgotten by a wrong answer"
    assert not User.objects.exists()


def test_a_code_that_was_asked_for_by_another_is_refused_by_the_provider(company: Company) -> None:
    mine, thiefs = Client(), Client()
    theirs = company.approve(thiefs.get("/login/company")["Location"])
    own = company.approve(mine.get("/login/company")["Location"])
    swapped = own.replace("code-1", "code-0")
    assert theirs != swapped
    assert mine.get(swapped).status_code == 403
    assert company.refused == ["code-0"], "the challenge was another's"


def test_an_answer_comes_in_time_and_from_the_provider_that_was_asked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    back = company.approve(client.get("/login/company")["Location"])
    other = back.replace("iss=http", "iss=https")
    assert client.get(other).status_code == 403
    back = company.approve(client.get("/login/company")["Location"])
    then = wiring.now() + timedelta(minutes=11)
    monkeypatch.setattr(wiring, "now", lambda: then)
    assert client.get(back).status_code == 400


def test_it_leads_on_to_our_own_pages_only(company: Company) -> None:
    for onward in ("https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "javascript:alert(1)"):
        assert come(company, onward=onward)[1]["Location"] == "/console/"


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://other.example.net"}, {"token_endpoint": "http://login.example.net/token"},
        {"authorization_endpoint": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": 7},
    ],
    ids=str,
)  # fmt: skip
def test_a_provider_that_says_something_odd_of_itself_is_not_used(company: Company, about: dict[str, Any]) -> None:
    client = Client()
    company.about = about
    answer = client.get("/login/company")
    if answer.status_code == 302:
        answer = client.get(company.approve(answer["Location"]))
    assert answer.status_code in (502, 403)
    assert not User.objects.exists()


def test_a_second_factor_here_is_asked_for_unless_the_company_asked_for_two(company: Company, settings: Any) -> None:
    own = settings.TIPSTAFF
    settings.TIPSTAFF = dataclasses.replace(own, staff=dataclasses.replace(own.staff, second_factor_for=("*",)))
    client, _ = come(company)
    assert client.get("/console/cases")["Location"] == "/me/"
    company.person["amr"] = ["pwd", "mfa"]
    assert is_in(come(company)[0])


def test_a_desk_without_a_provider_has_no_such_log_in(db: None, at: datetime) -> None:
    assert Client().get("/login/company").status_code == 404
    assert Client().get("/login/company/back?code=x&state=y").status_code == 400
    assert "Log in by" not in Client().get("/login").content.decode()
