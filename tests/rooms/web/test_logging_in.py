"""Second factors, passkeys, recovery codes and sessions of staff."""

import base64
import dataclasses
import importlib.util
import json
import re
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tipstaff import wiring
from tipstaff.ledger.queries import entries_about
from tipstaff.web import factors, throttle
from tipstaff.web.first import make_first_token
from tipstaff.web.me.urls import urlpatterns
from tipstaff.web.roles import give_roles
from tipstaff.words import Role

LogIn = Callable[..., Client]
ORIGIN, PASSWORD = "https://abuse.example.net", "correct horse battery"

_spec = importlib.util.spec_from_file_location("web_device", Path(__file__).with_name("device.py"))
assert _spec is not None
assert _spec.loader is not None
_device = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_device)
Device = _device.Device


Clock = Callable[[timedelta], datetime]


def colleague(*roles: Role, name: str = "lena") -> User:
    user, _ = User.objects.get_or_create(username=name)
    user.set_password(PASSWORD)
    user.save()
    give_roles(user, frozenset(roles))
    return user


def enter(name: str = "lena", **more: Any) -> tuple[Client, str]:
    """Somebody's browser after name and password, and where it was sent."""
    client = Client(**more)
    return client, client.post("/login", {"username": name, "password": PASSWORD})["Location"]


def code(key: str, at: datetime) -> str:
    octets = base64.b32decode(key + "=" * (-len(key) % 8))
    return TOTP(octets, 6, SHA1(), 30).generate(int(at.timestamp())).decode()


def add_codes(client: Client, at: datetime) -> tuple[str, list[str]]:
    """The key of a code app that was just added, and the recovery codes that came with it."""
    page = client.post("/me/codes/begin").content.decode()
    (key,) = re.findall(r">([A-Z2-7]{32})<", page)
    assert "<svg" in page
    page = client.post("/me/codes/confirm", {"code": code(key, at)}).content.decode()
    return key, recovery_codes(page)


def recovery_codes(page: str) -> list[str]:
    (shown,) = re.findall(r"<pre[^>]*>([^<]*)</pre>", page)
    return shown.split()


def ask(client: Client, address: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = client.post(address, body or {}, content_type="application/json").json()
    return found


def add_passkey(client: Client, device: Any) -> dict[str, Any]:
    return ask(client, "/me/passkey", device.make(ask(client, "/me/passkey/options")) | {"name": "Key on the ring"})


def show_passkey(client: Client, device: Any, **more: str) -> dict[str, Any]:
    return ask(client, "/login/passkey", device.show(ask(client, "/login/passkey/options")) | more)


def is_in(client: Client) -> bool:
    return client.get("/console/cases").status_code == 200


# RFC 6238, appendix B: the last six digits of the rows for SHA-1.
@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_rfc(db: None, monkeypatch: pytest.MonkeyPatch, seconds: int, shown: str) -> None:
    then = datetime.fromtimestamp(seconds, UTC)
    monkeypatch.setattr("tipstaff.web.factors.secrets.token_bytes", lambda _: b"12345678901234567890")
    factors.begin_totp("staff:1", account="lena", issuer="x", at=then)
    wrong = f"{(int(shown) + 1) % 1_000_000:06}"
    with pytest.raises(factors.NotThatCode):
        factors.confirm_totp("staff:1", wrong, at=then)
    factors.confirm_totp("staff:1", shown, at=then)
    assert factors.has_totp("staff:1")


def test_a_password_alone_logs_nobody_in_who_has_a_code_app(clock: Clock) -> None:
    colleague(Role.ANALYST)
    first, to = enter()
    assert to == "/console/"
    key, recovery = add_codes(first, wiring.now())
    assert len(set(recovery)) == factors.CODES
    at = clock(timedelta(minutes=1))
    client, to = enter()
    assert to == "/login/second"
    assert not is_in(client)
    assert client.post(to, {"code": "000000"}).status_code == 401
    assert client.post(to, {"code": code(key, at)})["Location"] == "/console/"
    assert is_in(client)
    assert [(e.what, e.actor) for e in entries_about("staff:lena")] == [
        ("staff.factor_added", "lena"), ("staff.recovery_codes_made", "lena"),
    ]  # fmt: skip


def test_a_code_counts_once_and_an_old_one_never(clock: Clock) -> None:
    colleague(Role.ANALYST)
    key, _ = add_codes(enter()[0], wiring.now())
    at = clock(timedelta(minutes=5))
    for stale in (at - timedelta(minutes=1), at + timedelta(minutes=1)):
        client, to = enter()
        assert client.post(to, {"code": code(key, stale)}).status_code == 401
    client, to = enter()
    assert client.post(to, {"code": code(key, at)}).status_code == 302
    again, to = enter()
    assert again.post(to, {"code": code(key, at)}).status_code == 401
    assert not is_in(again)


def test_guesses_of_a_second_factor_are_counted_from_everywhere(clock: Clock) -> None:
    colleague(Role.ANALYST)
    key, _ = add_codes(enter()[0], wiring.now())
    clock(timedelta(minutes=5))
    for n in range(5):
        client, to = enter(REMOTE_ADDR=f"198.51.100.{n + 1}")
        assert client.post(to, {"code": "12345"}).status_code == 401
    client, to = enter(REMOTE_ADDR="198.51.100.9")
    assert client.post(to, {"code": code(key, wiring.now())}).status_code == 429
    at = clock(timedelta(minutes=16))
    client, to = enter()
    assert client.post(to, {"code": code(key, at)}).status_code == 302


def test_a_recovery_code_stands_in_once_and_new_ones_replace_all(clock: Clock) -> None:
    colleague(Role.ANALYST)
    _, recovery = add_codes(enter()[0], wiring.now())
    client, to = enter()
    assert client.post(to, {"code": recovery[0].upper().replace("-", " ")}).status_code == 302
    other, to = enter()
    assert other.post(to, {"code": recovery[0]}).status_code == 401
    page = client.post("/me/recovery").content.decode()
    assert recovery[1] not in page
    assert other.post(to, {"code": recovery[1]}).status_code == 401
    fresh = recovery_codes(page)[0]
    assert other.post(to, {"code": fresh}).status_code == 302


def test_nothing_in_the_database_alone_makes_a_code(clock: Clock) -> None:
    user = colleague(Role.ANALYST)
    client, _ = enter()
    key, recovery = add_codes(client, wiring.now())
    secret = base64.b32decode(key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT kept FROM web_factor UNION ALL SELECT digest::bytea FROM web_recoverycode")
        rows = [bytes(row[0]) for row in cursor.fetchall()]
        assert not any(secret in row or recovery[0].replace("-", "").encode() in row for row in rows)
        # A row that is moved to somebody else opens for nobody.
        cursor.execute("UPDATE web_factor SET who = 'staff:0', counter = 0")
    with pytest.raises(AssertionError, match="somebody else"):
        factors.use_totp("staff:0", code(key, wiring.now()), at=wiring.now())
    assert not factors.has_factor(f"staff:{user.pk}")


def test_half_a_log_in_runs_out_and_leads_on_to_our_own_pages_only(clock: Clock) -> None:
    colleague(Role.ANALYST)
    key, _ = add_codes(enter()[0], wiring.now())
    clock(timedelta(minutes=1))
    client, to = enter()
    at = clock(timedelta(minutes=11))
    assert client.post(to, {"code": code(key, at)})["Location"] == "/login"
    for onward, then in (("https://evil.example.com/", "/console/"), ("/console/reports", "/console/reports")):
        at = clock(timedelta(minutes=2))
        client.post("/login", {"username": "lena", "password": PASSWORD, "next": onward})
        assert client.post(to, {"code": code(key, at)})["Location"] == then


def test_a_one_time_link_sets_a_password_and_is_no_second_factor(clock: Clock) -> None:
    colleague(Role.ANALYST)
    add_codes(enter()[0], wiring.now())
    client, token = Client(), make_first_token(name="lena", at=wiring.now(), actor="tests")
    answer = client.post(f"/first/{token}", {"password": PASSWORD + "!", "again": PASSWORD + "!"})
    assert answer["Location"] == "/login/second"
    assert not is_in(client)


def test_a_passkey_is_shown_after_the_password_or_alone_if_the_device_asked(clock: Clock) -> None:
    colleague(Role.ANALYST)
    device, first = Device(ORIGIN), enter()[0]
    assert len(add_passkey(first, device)["codes"]) == factors.CODES
    client, to = enter()
    assert to == "/login/second"
    assert show_passkey(client, device) == {"to": "/console/"}
    assert is_in(client)
    alone = Client()
    assert show_passkey(alone, device, next="/console/reports") == {"to": "/console/reports"}
    assert is_in(alone)
    assert show_passkey(Client(), device, next="//evil.example.com/") == {"to": "/console/"}
    device.verifies = False
    assert "verif" in show_passkey(Client(), device)["trouble"]
    second, _ = enter()
    assert show_passkey(second, device) == {"to": "/console/"}, "after the password a touch is enough"


def test_a_passkey_of_somebody_else_another_site_or_an_older_question_does_not_count(clock: Clock) -> None:
    colleague(Role.ANALYST)
    colleague(Role.LEAD, name="mary")
    lenas, marys = Device(ORIGIN), Device(ORIGIN)
    add_passkey(enter()[0], lenas)
    add_passkey(enter("mary")[0], marys)
    client, _ = enter()
    assert "not known" in show_passkey(client, marys)["trouble"]
    lenas.origin = "https://abuse.example.com"
    assert "origin" in show_passkey(client, lenas)["trouble"]
    lenas.origin = ORIGIN
    answer = lenas.show(ask(client, "/login/passkey/options"))
    ask(client, "/login/passkey/options")
    assert "challenge" in ask(client, "/login/passkey", answer)["trouble"]
    assert "too long" in ask(client, "/login/passkey", answer)["trouble"], "a question is answered once"
    answer = lenas.show(ask(client, "/login/passkey/options"))
    answer["response"]["signature"] = marys.show(ask(Client(), "/login/passkey/options"))["response"]["signature"]
    assert "ignature" in ask(client, "/login/passkey", answer)["trouble"]
    assert not is_in(client)
    assert show_passkey(client, lenas) == {"to": "/console/"}


def test_a_passkey_that_counts_backwards_is_a_copy(clock: Clock) -> None:
    colleague(Role.ANALYST)
    device = Device(ORIGIN)
    add_passkey(enter()[0], device)
    assert "to" in show_passkey(Client(), device)
    device.count -= 1
    assert "copy" in show_passkey(Client(), device)["trouble"]


@pytest.mark.parametrize(
    "body",
    ["", "[]", '{"rawId": 7}', '{"id": "x", "rawId": "x", "response": {}}', "[" * 20_000, '{"rawId": "' + "A" * 40_000],
)
def test_what_is_no_passkeys_answer_is_refused_in_words(clock: Clock, body: str) -> None:
    client = Client()
    ask(client, "/login/passkey/options")
    answer = client.post("/login/passkey", body, content_type="application/json")
    assert (answer.status_code, bool(answer.json()["trouble"])) == (401, True)


@pytest.mark.parametrize("part", ["rawId", "signature", "authenticatorData", "userHandle", "challenge", "cut short"])
def test_a_number_where_octets_belong_takes_no_memory_and_odd_octets_are_refused(clock: Clock, part: str) -> None:
    """Of a number the library would make that many octets, before anybody is known."""
    colleague(Role.ANALYST)
    device = Device(ORIGIN)
    add_passkey(enter()[0], device)
    client = Client()
    answer = device.show(ask(client, "/login/passkey/options"))
    response = answer["response"]
    if part == "rawId":
        answer["rawId"] = 200_000_000
    elif part == "challenge":
        said = json.loads(base64.urlsafe_b64decode(response["clientDataJSON"] + "=="))
        said = json.dumps(said | {"challenge": 200_000_000}).encode()
        response["clientDataJSON"] = base64.urlsafe_b64encode(said).decode().rstrip("=")
    elif part == "cut short":  # Extensions are announced (bit 7 of the flags), and none follow.
        octets = bytearray(base64.urlsafe_b64decode(response["authenticatorData"] + "=="))
        octets[32] |= 0x80
        response["authenticatorData"] = base64.urlsafe_b64encode(octets).decode().rstrip("=")
    else:
        response[part] = 200_000_000
    tracemalloc.start()
    try:
        refused = client.post("/login/passkey", answer, content_type="application/json")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert (refused.status_code, bool(refused.json()["trouble"])) == (401, True)


def test_a_question_put_after_a_password_is_not_answered_without_one(clock: Clock) -> None:
    colleague(Role.ANALYST)
    device = Device(ORIGIN)
    add_passkey(enter()[0], device)
    device.verifies = False
    client, _ = enter()
    clock(timedelta(minutes=9))
    options = ask(client, "/login/passkey/options")
    clock(timedelta(minutes=2))  # The half log-in is over; the question is not.
    assert "verif" in ask(client, "/login/passkey", device.show(options))["trouble"]
    assert not is_in(client)


def test_guesses_of_many_lock_out_nobody_else(clock: Clock) -> None:
    colleague(Role.ANALYST)
    at = clock(timedelta(minutes=1))
    for n in range(60):
        throttle.count_failure(f"person:{n}", address=None, at=at)
    assert throttle.seconds_to_wait("staff:1", address=None, at=at) == 0
    for _ in range(5):
        throttle.count_failure("staff:1", address=None, at=at)
    assert throttle.seconds_to_wait("staff:1", address=None, at=at) > 0


def test_who_is_switched_off_has_no_passkey_either(clock: Clock) -> None:
    user, device = colleague(Role.ANALYST), Device(ORIGIN)
    add_passkey(enter()[0], device)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert "Nobody" in show_passkey(Client(), device)["trouble"]


def test_passkeys_are_not_offered_where_browsers_take_none(db: None, at: datetime) -> None:
    assert "data-passkey" not in Client().get("/login").content.decode(), "an address, not a name"


def test_roles_that_need_a_second_factor_do_nothing_without(clock: Clock, settings: Any) -> None:
    own = settings.TIPSTAFF
    settings.TIPSTAFF = dataclasses.replace(own, staff=dataclasses.replace(own.staff, second_factor_for=("lead",)))
    colleague(Role.LEAD, name="mary")
    colleague(Role.ANALYST)
    assert is_in(enter()[0])
    client, _ = enter("mary")
    assert client.get("/console/cases")["Location"] == "/me/"
    assert client.get("/console/numbers", headers={"HX-Request": "true"})["HX-Redirect"] == "/me/"
    assert client.get("/api/cases").status_code == 403
    assert "second factor" in client.get("/me/").content.decode()
    add_codes(client, wiring.now())
    assert is_in(client)
    assert client.get("/api/cases").status_code == 200
    (only,) = factors.factors_of(f"staff:{User.objects.get(username='mary').pk}")
    client.post(f"/me/factors/{only.id}/remove")
    assert "Your roles need one" in client.get("/me/").content.decode()
    assert factors.factors_of(f"staff:{User.objects.get(username='mary').pk}") == [only]


def test_how_one_logs_in_is_changed_only_after_a_fresh_log_in(clock: Clock) -> None:
    colleague(Role.ANALYST)
    client, _ = enter()
    clock(timedelta(minutes=16))
    fresh = {p.name for p in urlpatterns if p.callback.needs_fresh}
    assert fresh == {
        "begin_codes", "confirm_codes", "passkey_options", "add_passkey", "link_company", "unlink_company", "recovery",
        "remove",
    }  # fmt: skip
    for pattern in urlpatterns:
        if pattern.name in fresh:
            address = "/me/" + str(pattern.pattern).replace("<int:id>", "1")
            ask_for = client.get if pattern.name == "link_company" else client.post
            assert ask_for(address)["Location"] == "/login?again&next=/me/", address
    assert ask(client, "/me/passkey/options") == {"to": "/login?again&next=/me/"}
    assert client.get("/login?again&next=/me/").status_code == 200
    assert client.get("/me/").status_code == 200


def test_one_s_own_page_is_for_who_is_logged_in(clock: Clock) -> None:
    for pattern in urlpatterns:
        address = "/me/" + str(pattern.pattern).replace("<int:id>", "1")
        for answer in (Client().get(address), Client().post(address)):
            assert answer.status_code == 405 or answer["Location"] == "/login?next=/me/", address


def test_sessions_are_seen_and_ended_by_who_made_them_and_by_nobody_else(clock: Clock) -> None:
    colleague(Role.ANALYST)
    colleague(Role.ANALYST, name="mary")
    here, _ = enter(REMOTE_ADDR="192.0.2.1", headers={"User-Agent": "Browser at home"})
    there, _ = enter(REMOTE_ADDR="192.0.2.2", headers={"User-Agent": "Browser on the train"})
    marys, _ = enter("mary", REMOTE_ADDR="192.0.2.3")
    clock(timedelta(minutes=2))
    assert all(map(is_in, (here, there, marys)))
    page = here.get("/me/").content.decode()
    assert "Browser at home" in page
    assert "Browser on the train" in page
    assert "192.0.2.3" not in page
    (id,) = re.findall(r"/me/sessions/(\d+)/end", page)
    marys.post(f"/me/sessions/{id}/end")
    assert is_in(there)
    here.post(f"/me/sessions/{id}/end")
    assert (is_in(there), is_in(here), is_in(marys)) == (False, True, True)
    there, _ = enter()
    here.post("/me/sessions/end")
    assert (is_in(there), is_in(here)) == (False, True)
    assert [e.what for e in entries_about("staff:lena")] == ["staff.sessions_ended"] * 2


def test_a_session_ends_by_itself_however_much_it_is_used(clock: Clock) -> None:
    colleague(Role.ANALYST)
    client, _ = enter()
    assert client.session.get_expiry_age() == 12 * 3600
    for hours in (9, 2):
        clock(timedelta(hours=hours))
        assert is_in(client)
    assert client.session.get_expiry_age() == 3600


def test_a_new_factor_ends_the_sessions_that_began_without_it(clock: Clock) -> None:
    colleague(Role.ANALYST)
    thief, _ = enter()
    assert is_in(thief)
    client, _ = enter()
    add_codes(client, wiring.now())
    assert (is_in(thief), is_in(client)) == (False, True)


def test_an_administrator_ends_sessions_and_takes_lost_factors_away(clock: Clock, log_in: LogIn) -> None:
    user = colleague(Role.ANALYST)
    client, _ = enter()
    add_codes(client, wiring.now())
    admin, address = log_in(Role.ADMINISTRATOR, name="admin"), f"/console/staff/{user.pk}"
    assert "1 factor, 1 session" in admin.get("/console/staff").content.decode()
    admin.post(address, {"do": "sessions"})
    assert not is_in(client)
    assert enter()[1] == "/login/second"
    admin.post(address, {"do": "factors"})
    assert enter()[1] == "/console/"
    said = [(e.what, e.actor) for e in entries_about("staff:lena")][-2:]
    assert said == [("staff.sessions_ended", "admin"), ("staff.factors_forgotten", "admin")]
