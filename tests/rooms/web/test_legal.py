"""The legal register in the console and by the API: counsel's, and one matter for a second person."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from django.test import Client
from django.urls import reverse

from tipstaff.cases.queries import list_cases
from tipstaff.intake.models import HandedInRow
from tipstaff.legal.queries import get_matter, list_matters
from tipstaff.procedures.harbour import CONDITIONS
from tipstaff.registry.queries import get_customer, holdings_of
from tipstaff.words import HoldingKind, Role

LogIn = Callable[..., Client]
ORDER = "District Court, docket no. 12 C 34, 4 May 2026. Pursuant to section 9: who used the address?"


def address_of_somebody(at: object) -> tuple[str, str]:
    for case in list_cases():
        for holding in holdings_of(case.customer, at=at):  # type: ignore[arg-type]  # the fixture's
            if holding.kind is HoldingKind.STATIC and not holding.shared:
                return case.customer, str(holding.prefix.network_address)
    raise AssertionError("nobody of the day holds an address alone")


def stated(address: str, at: object) -> dict[str, str]:
    used = at - timedelta(minutes=5)  # type: ignore[operator]  # the fixture's
    return {
        "kind": "identity", "authority": "District Court", "reference": "12 C 34", "binding": "on", "text": ORDER,
        "clock": "disclosure.production_order", "address": address, "used_at": used.isoformat(),
    }  # fmt: skip


def test_two_people_name_a_customer_in_the_console(day: object, at: object, log_in: LogIn) -> None:
    customer, address = address_of_somebody(at)
    counsel, lead = log_in(Role.COUNSEL), log_in(Role.LEAD)
    assert counsel.post(reverse("console:legal_enter"), stated(address, at)).status_code == 303
    [matter] = list_matters()
    page = reverse("console:matter", args=[matter.key])

    def act(client: Client, action: str, **form: object) -> str:
        answer = client.post(reverse("console:matter_act", args=[matter.key, action]), form, follow=True)
        return answer.content.decode()

    assert counsel.get(reverse("console:search"), {"q": matter.key.lower()})["Location"] == page
    assert lead.get(page).status_code == 404, "it does not wait for anybody yet"
    assert "by a way of our own" in act(counsel, "decide", decision="answer", why="Valid.", gives=["name"])
    act(counsel, "authenticate", how="Called the court.")
    act(counsel, "look-up")
    assert "two people" not in act(counsel, "decide", decision="answer", why="Valid.", gives=["name"])
    assert "cannot be the second" in act(counsel, "agree")
    shown = lead.get(page).content.decode()
    assert "look-up" not in counsel.get(page).content.decode(), "what was proposed rests on it"
    [seen] = re.findall(r'name="seen" value="([^"]+)"', shown)
    act(counsel, "decide", decision="answer", why="Valid.", gives=["name", "phone"])
    assert "look at it again" in act(lead, "agree", seen=seen)
    act(counsel, "decide", decision="answer", why="Valid.", gives=["name"])
    assert "by the role counsel" in act(lead, "told", how="No.")
    act(lead, "agree", seen=seen)
    assert lead.get(page).status_code == 404, "it is counsel's alone again"
    take = reverse("console:matter_hand_over", args=[matter.key])
    assert counsel.post(take).status_code == 303, "the customer is told first"
    act(counsel, "silence", ground="The order forbids it.", until=(at + timedelta(days=9)).date().isoformat())  # type: ignore[operator]  # the fixture's
    answer = counsel.post(take)
    known = get_customer(customer)
    assert known is not None
    assert json.loads(answer.content)["customer"] == {"name": known.name}
    assert customer not in answer.content.decode()
    assert lead.post(take).status_code == 403
    assert matter.key in counsel.get(reverse("console:legal")).content.decode()


def test_programs_of_counsels_do_the_same(day: object, at: object, log_in: LogIn) -> None:
    _, address = address_of_somebody(at)
    counsel, lead = log_in(Role.COUNSEL), log_in(Role.LEAD)

    def send(client: Client, path: str, **asked: object) -> tuple[int, dict[str, object]]:
        answer = client.post(f"/api/legal{path}", json.dumps(asked), "application/json")
        return answer.status_code, answer.json()

    status, matter = send(counsel, "", **{**stated(address, at), "binding": True})
    assert (status, matter["state"]) == (200, "open")
    key = matter["key"]
    assert lead.get(f"/api/legal/{key}").status_code == 404
    assert lead.get("/api/legal").status_code == 403
    assert send(counsel, f"/{key}/decide", decision="answer", why="Valid.", gives=["name"])[0] == 409
    assert send(counsel, f"/{key}/authenticate", how="Called the court.")[0] == 200
    assert send(counsel, f"/{key}/look-up")[0] == 200
    assert send(counsel, f"/{key}/decide", decision="answer", why="Valid.", gives=["name"])[0] == 200
    shown = lead.get(f"/api/legal/{key}").json()
    assert shown["why"] == "Valid."
    assert send(counsel, f"/{key}/agree", seen=shown["proposal"])[0] == 403
    assert send(lead, f"/{key}/agree")[0] == 422
    assert send(lead, f"/{key}/agree", seen="somebody: name")[0] == 409
    assert send(lead, f"/{key}/agree", seen=shown["proposal"])[0] == 200
    found = get_matter(str(key))
    assert found is not None
    assert found.state == "answered"
    assert found.decided_by != found.second_by
    assert [one["key"] for one in counsel.get("/api/legal").json()] == [key]
    assert counsel.get("/api/legal?waiting=true").json() == []
    assert send(counsel, "", **{**stated(address, at), "binding": True, "address": "nowhere"})[0] == 409


def test_an_answer_of_the_register_is_kept_nowhere_else(day: object, at: object, log_in: LogIn) -> None:
    _, address = address_of_somebody(at)
    asked = json.dumps({**stated(address, at), "binding": True})
    counsel, once = log_in(Role.COUNSEL), {"Idempotency-Key": "k"}
    assert counsel.post("/api/legal", asked, "application/json", headers=once).status_code == 200
    again = counsel.post("/api/legal", asked, "application/json", headers=once)
    assert (again.status_code, address in again.content.decode()) == (409, False)
    assert len(list_matters()) == 1, "it is done once all the same"
    [kept] = HandedInRow.objects.all()
    assert kept.answer == {"status": 200, "headers": {}, "text": ""}


def test_a_form_with_odd_numbers_is_told_so(day: object, at: object, log_in: LogIn) -> None:
    _, address = address_of_somebody(at)
    counsel = log_in(Role.COUNSEL)
    for odd in ({"port": "65536"}, {"error_seconds": "nan"}, {"error_seconds": "1e300"}, {"received": "9999-12-31"}):
        answer = counsel.post(reverse("console:legal_enter"), {**stated(address, at), **odd}, follow=True)
        assert answer.status_code == 200
    assert list_matters() == []


def test_programs_of_counsels_keep_the_conditions_of_a_limit(day: object, at: object, log_in: LogIn) -> None:
    counsel = log_in(Role.COUNSEL)

    def send(path: str, **asked: object) -> tuple[int, object]:
        answer = counsel.post(f"/api/legal/{path}", json.dumps(asked), "application/json")
        return answer.status_code, answer.json()

    until = (at + timedelta(days=9)).isoformat()  # type: ignore[operator]  # the fixture's
    conditions = counsel.get("/api/legal/harbour").json()
    assert not any(each["met"] for each in conditions)
    status, conditions = send("harbour", condition="takedown", met=True, shown_by="A memo.", until=until)
    assert status == 200
    assert [each["id"] for each in conditions if each["met"]] == ["takedown"]  # type: ignore[attr-defined]  # a list
    assert send("harbour", condition="luck", met=True, shown_by="A memo.", until=until)[0] == 409
    status, answer = send("harbour/rely", on="C-000001")
    assert (status, answer["under"]) == (200, "")  # type: ignore[index]  # an object
    assert "takedown" not in answer["lacking"]  # type: ignore[index]  # an object
    case = list_cases()[0].key
    assert send("counter-notices", case=case, text="No.")[0] == 409, "it is about no copy"
    assert send("counter-notices", case="C-999999", text="No.")[0] == 404


def test_counsel_keeps_the_conditions_of_a_limit_in_the_console_and_nobody_else_does(
    day: object, at: datetime, log_in: LogIn
) -> None:
    counsel, page = log_in(Role.COUNSEL), reverse("console:harbour")

    def told(path: str, **form: str) -> str:
        return counsel.post(f"{page}/{path}", form, follow=True).content.decode()

    noted = {"condition": "takedown", "met": "yes", "shown_by": "A memo & <more>.", "until": "2026-09-01T12:00"}
    assert counsel.get(page).content.decode().count("Not met") == len(CONDITIONS)
    assert "takedown is noted." in told("note", **noted)
    shown = counsel.get(page).content.decode()
    assert shown.count("Not met") == len(CONDITIONS) - 1
    assert "A memo &amp; &lt;more&gt;." in shown
    for odd in ({"condition": "luck"}, {"condition": "agent"}, {"until": "2020-01-01T00:00"}, {"until": "soon"},
                {"shown_by": " "}):  # fmt: skip
        assert "is noted." not in told("note", **noted | odd), odd
    assert "cannot rely on it; not met: " in told("rely", on="C-000001")
    assert "There is no case C-999999." in told("counter-notice", case="C-999999", text="No.")
    assert "has words" in told("counter-notice", case=list_cases()[0].key, text=" ")
    assert "has no clock" in told("counter-notice", case=list_cases()[0].key, text="No.")
    for role in (Role.ANALYST, Role.LEAD, Role.ENGINEER, Role.ADMINISTRATOR):
        other = log_in(role)
        assert other.get(page).status_code == 403
        for path in ("note", "rely", "counter-notice"):
            assert other.post(f"{page}/{path}", noted).status_code == 403


def test_what_the_database_cannot_keep_is_refused_and_no_failure(day: object, log_in: LogIn) -> None:
    counsel = log_in(Role.COUNSEL)
    asked = (("told", ("about", "authority", "how")), ("end", ("clock", "about", "why")))
    for act, fields in asked:
        for text, status in (("C-\x00", 409), ("\x00", 422)):
            answer = counsel.post(f"/api/clocks/{act}", dict.fromkeys(fields, text), "application/json")
            assert answer.status_code == status, (act, text, answer.content)
