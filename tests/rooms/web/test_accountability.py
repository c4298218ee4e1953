"""A customer's own check at the portal, in the console, by the API and at a terminal."""

import contextlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from typer.testing import CliRunner

from tests.rooms.web.test_account import come_in, of_another, of_somebody
from tipstaff import wiring
from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import list_cases
from tipstaff.cli.main import app
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import recent
from tipstaff.notices.queries import cases_told
from tipstaff.procedures.accountability import is_asked_for, last_of
from tipstaff.web.models import PortalPerson
from tipstaff.web.portal.people import PortalRole, invite
from tipstaff.web.roles import give_roles
from tipstaff.words import Role

Clock = Callable[[timedelta], datetime]
SAID = {"users_known": "yes", "use_recorded": "no", "complaints_read": "yes", "users_told": "perhaps"}


def staff(name: str, *roles: Role) -> Client:
    give_roles(User.objects.create_user(name), frozenset(roles))
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_a_customer_asks_for_it_and_sees_where_they_stand(
    day: object, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    page = f"/account/check/{case.customer}"
    assert "never checked" in client.get(page).content.decode()
    assert f'href="{page}"' in client.get("/account/").content.decode()
    seen = client.post(f"{page}/say", {**SAID, "want": "yes"}, follow=True).content.decode()
    audit = last_of(case.customer)
    assert audit is not None
    assert f"{audit.score_percent} %" in seen
    assert {p.value: f.value for p, f in audit.points.items()} | {
        "users_known": "met", "use_recorded": "not_met", "complaints_read": "met", "users_told": "unknown",
    } == {p.value: f.value for p, f in audit.points.items()}  # fmt: skip
    # Neither another customer's, nor anybody's who is not in; and not as often as one likes.
    other = of_another(case).customer
    assert client.get(f"/account/check/{other}").status_code == 404
    assert client.post(f"/account/check/{other}/say", {"want": "yes"}).status_code == 404
    assert not is_asked_for(other, at=wiring.now())
    for _ in range(3):
        said = client.post(f"{page}/say", {"want": "no"}, follow=True).content.decode()
    assert "Too many at once" in said
    assert not is_asked_for(case.customer, at=wiring.now())
    assert Client().post(f"{page}/say", {"want": "yes"})["Location"] == "/account/log-in"
    clock(timedelta(minutes=6))
    by = PortalPerson.objects.get(email=email)
    invite("reads@example.com", customer=case.customer, role=PortalRole.READS, by=by, at=wiring.now())
    reader, _, _ = come_in("reads@example.com", asked=True)
    assert "What only you can say" not in reader.get(page).content.decode()
    assert reader.post(f"{page}/say", {"want": "yes"}).status_code == 404
    # The desk sees it, checks whoever asks for it, and nobody else.
    client.post(f"{page}/say", {"want": "yes"})
    desk = staff("ada", Role.ANALYST)
    assert case.customer in desk.get("/console/accountability").content.decode()
    assert [row["customer"] for row in desk.get("/api/accountability").json()] == [case.customer]
    assert desk.post(f"/api/accountability/{case.customer}/check").json()["points"]["use_recorded"] == "not_met"
    assert desk.post(f"/api/accountability/{other}/check").status_code == 409
    assert desk.post("/api/accountability/acct-none/check").status_code == 404
    assert staff("adm", Role.ADMINISTRATOR).get("/api/accountability").status_code == 403
    monkeypatch.setattr("tipstaff.cli.accountability.database", contextlib.nullcontext)
    listed = CliRunner().invoke(app, ["accountability", "list", "--json"])
    assert json.loads(listed.output)["customer"] == case.customer
    made = CliRunner().invoke(app, ["accountability", "check", case.customer])
    assert "not met" in made.output
    assert CliRunner().invoke(app, ["accountability", "check", other]).exit_code == 1
    assert CliRunner().invoke(app, ["accountability", "check"]).output == "Nobody is due.\n"


def test_what_a_customer_was_not_told_of_changes_neither_page_nor_answer_nor_record(day: object, clock: Clock) -> None:
    case, email = of_somebody()
    client, _, _ = come_in(email)
    desk = staff("ada", Role.ANALYST)

    def seen() -> tuple[str, object, object]:
        """The customer's page after a check, what the API says of it, and the record's last entry."""
        page = client.post(f"/account/check/{case.customer}/say", {**SAID, "want": "yes"}, follow=True)
        assert page.status_code == 200
        [entry, *_] = [e for e in recent(about=case.customer, limit=20) if e.what == "accountability.checked"]
        said = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page.content.decode())
        return said, desk.get("/api/accountability").json(), entry.detail

    before = seen()
    others = [c for c in list_cases(limit=200) if c.customer != case.customer]
    sealed = next(c for c in others if cases_told([c.key]))
    untold = next(c for c in others if not cases_told([c.key]))
    CaseRow.objects.filter(key=sealed.key).update(resource="sealed")
    for hidden in (sealed, untold):
        CaseRow.objects.filter(key=hidden.key).update(customer=case.customer)
        record("case.overdue", at=wiring.now(), actor="tests", about=[hidden.key])
    assert seen() == before
