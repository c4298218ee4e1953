"""Tokens: shown once, never more than their owner and their scopes, each act on record under both."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from typer.testing import CliRunner

from tipstaff import wiring
from tipstaff.cases.queries import get_case, list_cases, notes_of
from tipstaff.intake.queries import list_reports
from tipstaff.ledger.queries import entries_of, recent, verify
from tipstaff.web.roles import give_roles
from tipstaff.web.tokens import PREFIX, SCOPES, BadToken, list_tokens, make_token, revoke_token
from tipstaff.words import CaseState, ReportOutcome, Role

LogIn = Callable[..., Client]


def program(*scopes: str, at: datetime, owner: str = "lena", role: Role = Role.ANALYST) -> tuple[str, Client]:
    """(the token's key, a program that has it), of an owner in this role."""
    user, _ = User.objects.get_or_create(username=owner)
    give_roles(user, frozenset({role}))
    made, token = make_token("nightly sync", owner=owner, scopes=scopes, days=30, at=at, actor=owner)
    return made.key, Client(headers={"Authorization": f"Bearer {token}"}, enforce_csrf_checks=True)


def test_a_token_acts_in_its_owners_name_and_the_record_names_both(day: object, at: datetime) -> None:
    key, client = program("cases:read", "cases:act", at=at)
    case = list_cases(states=frozenset({CaseState.NOTIFIED, CaseState.EXTENDED}))[0]
    etag = client.get(f"/api/cases/{case.key}")["ETag"]
    done = client.post(f"/api/cases/{case.key}/take", {}, "application/json", headers={"If-Match": etag})
    assert done.json()["case"]["assignee"] == "lena"
    entry = recent(about=case.key, limit=1)[0]
    assert (entry.actor, entry.detail["by_token"]) == ("lena", f"nightly sync ({key})")
    seen = Client()
    seen.force_login(User.objects.get(username="lena"))
    assert f"lena by the token nightly sync ({key})" in seen.get(reverse("console:record")).content.decode()
    seen.post(reverse("console:act", args=[case.key, "note"]), {"text": "By hand."})
    assert "by_token" not in recent(about=case.key, limit=1)[0].detail, "the next request is none of the token's"
    assert verify().broken_at is None


def test_without_its_scope_a_token_is_told_which_one_it_lacks(day: object, at: datetime) -> None:
    _, client = program("reports:read", at=at)
    assert client.get("/api/reports").status_code == 200
    case = list_cases()[0]
    for method, path, scope in (
        ("GET", "/api/cases", "cases:read"),
        ("POST", f"/api/cases/{case.key}/note", "cases:act"),
        ("GET", f"/api/cases/{case.key}/letters", "letters:read"),
        ("GET", "/api/measures", "measures:read"),
        ("POST", "/api/attribute", "registry:read"),
        ("PUT", "/api/registry/customers/x", "registry:act"),
    ):
        answer = client.generic(method, path, '{"text": "x"}', "application/json")
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json"), path
        assert answer.json()["missing_scope"] == scope
        assert answer.json()["scopes"] == ["reports:read"]
    assert notes_of(case.key) == []


def test_a_search_finds_nothing_in_rooms_that_a_token_may_not_read(day: object, at: datetime) -> None:
    customer = list_cases()[0].customer_name
    found = [
        program(*scopes, at=at)[1].get("/api/search", {"q": customer}).json()
        for scopes in (("cases:read", "registry:read"), ("cases:read",))
    ]
    assert [bool(each["customers"]) for each in found] == [True, False]
    assert found[0]["cases"] == found[1]["cases"] != []


def test_no_scope_allows_what_the_owners_roles_do_not(day: object, at: datetime) -> None:
    _, client = program(*SCOPES, at=at, owner="adam", role=Role.ADMINISTRATOR)
    assert client.get("/api/cases").status_code == 403
    _, engineer = program(*SCOPES, at=at, owner="enid", role=Role.ENGINEER)
    case = list_cases(states=frozenset({CaseState.NOTIFIED}))[0]
    refused = engineer.post(
        f"/api/cases/{case.key}/not-upheld", {"why": "no"}, "application/json",
        headers={"If-Match": f'"{case.key}.{case.version}"'},
    )  # fmt: skip
    assert (refused.status_code, get_case(case.key)) == (403, case)
    give_roles(User.objects.get(username="enid"), frozenset())
    assert engineer.get("/api/cases").status_code == 403, "roles are looked up each time"


def test_sealed_reports_are_listed_for_the_owner_who_may_see_them_alone(day: object, at: datetime) -> None:
    (sealed,) = list_reports(outcome=ReportOutcome.SEALED)
    for role, sees in ((Role.LEAD, False), (Role.COUNSEL, True)):
        _, client = program("reports:read", at=at, owner=role.value, role=role)
        answer = client.get("/api/reports", {"limit": 200}).json()
        assert (sealed.key in [report["key"] for report in answer]) is sees
        assert all(not report["incidents"] for report in answer if report["key"] == sealed.key)


def test_a_token_ends_by_revoking_by_its_day_and_with_its_owner(
    day: object, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, client = program("cases:read", at=at)
    assert client.get("/api/cases").status_code == 200
    User.objects.filter(username="lena").update(is_active=False)
    gone = client.get("/api/cases")
    assert (gone.status_code, gone["Content-Type"]) == (401, "application/problem+json")
    assert gone["WWW-Authenticate"].startswith("Bearer")
    User.objects.filter(username="lena").update(is_active=True)
    assert client.get("/api/cases").status_code == 200
    revoke_token(key, at=at, actor="lena")
    assert client.get("/api/cases").status_code == 401
    _, other = program("cases:read", at=at)
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(days=30))
    assert other.get("/api/cases").status_code == 401
    assert [entry.what for entry in recent(about=f"token:{key}", limit=9)] == ["token.revoked", "token.made"]


def test_a_session_beside_a_wrong_token_counts_for_nothing(day: object, log_in: LogIn) -> None:
    client = log_in(Role.LEAD)
    assert client.get("/api/cases").status_code == 200
    for text in ("Bearer x", f"Bearer {PREFIX}000000000000_{'a' * 43}", "Basic bGVuYTp4", "Bearer"):
        assert client.get("/api/cases", headers={"Authorization": text}).status_code == 401


def test_only_the_digest_is_kept_and_the_last_use_is_noted(day: object, at: datetime) -> None:
    made, token = make_token("x", owner=User.objects.create(username="lena").username, scopes=["cases:read"],
                             days=1, at=at, actor="lena")  # fmt: skip
    secret = token.removeprefix(f"{PREFIX}{made.key}_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(web_token)::text FROM web_token")
        kept = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(detail::text, '') FROM ledger_entry")
        kept += cursor.fetchone()[0]
    assert secret not in kept
    assert list_tokens()[0].used_at is None
    Client().get("/api/cases", headers={"Authorization": f"Bearer {token}"})
    assert list_tokens(owner="lena")[0].used_at == at


def test_the_console_shows_a_new_token_once_and_revokes_ones_own_alone(day: object, log_in: LogIn) -> None:
    lena, mary, adam = log_in(Role.ANALYST, name="lena"), log_in(Role.LEAD, name="mary"), log_in(Role.ADMINISTRATOR)
    form: dict[str, Any] = {"name": "sync", "days": "7", "scope": ["cases:read"]}
    shown = lena.post(reverse("console:token_make"), form).content.decode()
    assert PREFIX in shown
    assert PREFIX not in lena.get(reverse("console:tokens")).content.decode()
    (made,) = list_tokens(owner="lena")
    url = reverse("console:token_revoke", args=[made.key])
    assert made.key not in mary.get(reverse("console:tokens")).content.decode()
    mary.post(url)
    assert list_tokens()[0].revoked_at is None
    adam.post(url)
    assert (list_tokens()[0].revoked_by, list_tokens()[0].revoked_at) == ("administrator", wiring.now())
    for wrong in ({"scope": []}, {"days": "0"}, {"days": "x"}, {"name": ""}, {"scope": ["desk:all"]}):
        lena.post(reverse("console:token_make"), {**form, **wrong})
    assert len(list_tokens()) == 1


def test_who_is_logged_in_keeps_tokens_and_staff_by_the_api_and_no_token_does(day: object, log_in: LogIn) -> None:
    lena, adam = log_in(Role.ANALYST, name="lena"), log_in(Role.ADMINISTRATOR, name="adam")
    form = {"name": "sync", "scopes": ["cases:read"], "days": 7}
    made = [lena.post("/api/tokens", form, "application/json", headers={"Idempotency-Key": "1"}) for _ in range(2)]
    secret = made[0].json()["secret"]
    assert secret.startswith(PREFIX)
    assert made[1].json() == {**made[0].json(), "secret": None}, "it is shown this once"
    for bearer in (secret, "tipstaff_unknown"):
        refused = Client().get("/api/tokens", headers={"Authorization": f"Bearer {bearer}"})
        assert refused.status_code == (403 if bearer == secret else 401)
    assert lena.post("/api/tokens", {**form, "scopes": ["desk:all"]}, "application/json").status_code == 422
    assert [token["key"] for token in adam.get("/api/tokens").json()] == [made[0].json()["token"]["key"]]

    added = adam.post("/api/staff", {"name": "nina", "roles": ["analyst"]}, "application/json")
    assert "/first/" in added.json()["secret"]
    assert adam.post("/api/staff", {"name": "nina"}, "application/json").status_code == 409
    number = {person["name"]: person["number"] for person in adam.get("/api/staff").json()}

    def change(name: str, do: str, **more: Any) -> tuple[int, Any]:
        answer = adam.post(f"/api/staff/{number[name]}/{do}", more, "application/json")
        return answer.status_code, answer.json()

    assert change("nina", "roles", roles=["lead"])[1]["person"]["roles"] == ["lead"]
    assert change("nina", "roles")[0] == 422, "saying nothing of roles takes none away"
    for role in ("system", "customer"):
        assert change("nina", "roles", roles=[role])[0] == 422, "nobody is given what programs and customers are"
        form = {"name": f"no-{role}", "roles": [role]}
        assert adam.post("/api/staff", form, "application/json").status_code == 422
    assert change("nina", "link")[1]["secret"] != added.json()["secret"]
    assert change("lena", "off")[1]["person"]["active"] is False
    assert change("adam", "off")[0] == change("adam", "roles", roles=[])[0] == 409, "not oneself"
    assert [entry.actor for entry in entries_of("staff:nina", what=["staff.roles_changed"])] == ["adam"]
    gone = adam.delete(f"/api/tokens/{made[0].json()['token']['key']}")
    assert (gone.status_code, list_tokens()[0].revoked_by) == (204, "adam")


def test_a_token_for_nobody_is_not_made(db: None, at: datetime) -> None:
    for owner in ("nobody-here", "worker"):
        with pytest.raises(BadToken, match="can log in here"):
            make_token("x", owner=owner, scopes=["cases:read"], days=1, at=at, actor="test")


def test_the_command_makes_lists_and_revokes(day: object, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    from tipstaff.cli import tokens

    monkeypatch.setattr(tokens, "database", lambda: nullcontext(wiring.settings()))
    User.objects.create(username="lena")
    run = CliRunner().invoke
    made = run(tokens.app, ["make", "sync", "--owner", "lena", "--scope", "cases:read"])
    token = made.stdout.strip()
    assert token.startswith(PREFIX), made.output
    (found,) = list_tokens()
    assert "cases:read" in run(tokens.app, ["list"]).stdout
    assert "is revoked" in run(tokens.app, ["revoke", found.key]).stdout
    assert Client().get("/api/cases", headers={"Authorization": f"Bearer {token}"}).status_code == 401
