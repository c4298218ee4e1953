"""The API does to a case what the console does: the same permissions, no lost edit, nothing done twice."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tipstaff.cases.queries import get_case, list_cases, notes_of
from tipstaff.web.api.cases import FIELDS, FREE
from tipstaff.web.api.urls import api
from tipstaff.web.console.actions import ACTIONS
from tipstaff.words import Case, CaseOutcome, CaseState, Role

LogIn = Callable[..., Client]
RUNNING = frozenset({CaseState.NOTIFIED, CaseState.EXTENDED})


def running() -> Case:
    return list_cases(states=RUNNING)[0]


def fresh(case: Case) -> Case:
    found = get_case(case.key)
    assert found is not None
    return found


def post(client: Client, path: str, body: dict[str, Any] | None = None, *, status: int = 200, **headers: str) -> Any:
    answer = client.post(f"/api{path}", body or {}, "application/json", headers=headers)
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status
    return answer


def test_every_act_of_the_console_is_an_operation_with_its_fields() -> None:
    assert set(FIELDS) == set(ACTIONS)
    assert set(FREE) <= set(ACTIONS)
    paths = api.get_openapi_schema()["paths"]
    for action in ACTIONS:
        operation = paths[f"/api/cases/{{key}}/{action}"]["post"]
        assert {p["name"] for p in operation["parameters"]} == {"key", "If-Match", "Idempotency-Key"}


def test_a_case_is_read_with_what_happens_next_and_its_etag(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST), running()
    answer = client.get(f"/api/cases/{case.key}")
    said = answer.json()
    assert answer["ETag"] == f'"{case.key}.{case.version}"'
    assert said["next_at"] == said["due_at"] is not None
    assert "until the deadline" in said["next"]
    assert "fixed" in said["customer_may_answer"]
    again = client.get(f"/api/cases/{case.key}", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_long_story_and_what_a_case_holds_come_in_pages(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST), running()
    for what in ("history", "incidents"):
        whole = client.get(f"/api/cases/{case.key}/{what}").json()
        assert whole
        found: list[Any] = []
        address: str | None = f"/api/cases/{case.key}/{what}?limit=1"
        while address:
            answer = client.get(address)
            assert len(answer.json()) <= 1
            found += answer.json()
            link = answer.headers.get("Link", "")
            address = link[1 : link.index(">")] if link else None
        assert found == whole


def test_an_act_takes_the_version_that_was_seen_and_the_second_sees_the_first_ones(day: object, log_in: LogIn) -> None:
    lena, mary, case = log_in(Role.ANALYST, name="lena"), log_in(Role.LEAD, name="mary"), running()
    path, seen = f"/cases/{case.key}/take", f'"{case.key}.{case.version}"'
    assert post(lena, path, status=428).json()["etag"] == seen
    done = post(lena, path, **{"If-Match": seen})
    assert done.json()["case"]["assignee"] == "lena"
    refused = post(mary, path, status=412, **{"If-Match": seen}).json()
    assert refused["case"]["assignee"] == "lena"
    assert refused["etag"] == done["ETag"]
    assert fresh(case).assignee == "lena"
    post(mary, path, **{"If-Match": refused["etag"]})
    assert fresh(case).assignee == "mary"


def test_the_same_request_twice_is_done_once(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST, name="lena"), running()
    path, body = f"/cases/{case.key}/note", {"text": "They rang."}
    first = post(client, path, body, **{"Idempotency-Key": "one"})
    again = post(client, path, body, **{"Idempotency-Key": "one"})
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    assert [note.text for note in notes_of(case.key)] == ["They rang."]
    post(client, path, {"text": "Other."}, status=409, **{"Idempotency-Key": "one"})
    post(log_in(Role.LEAD, name="mary"), path, body, **{"Idempotency-Key": "one"})
    assert [note.actor for note in notes_of(case.key)] == ["lena", "mary"]


def test_a_refusal_is_a_problem_with_the_consoles_sentence(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.LEAD, name="mary"), running()
    seen = {"If-Match": f'"{case.key}.{case.version}"'}
    assert "why" in post(client, f"/cases/{case.key}/fixed", {}, status=422, **seen).json()["detail"]
    said = post(client, f"/cases/{case.key}/merge", {"into": case.key, "why": "x"}, status=409, **seen).json()
    assert "is the same case" in said["detail"]
    said = post(client, f"/cases/{case.key}/hand-over", {"to": "zoe"}, status=422, **seen).json()
    assert said["detail"] == "Nobody called zoe works at the desk."
    post(client, "/cases/C-999999/note", {"text": "x"}, status=404)
    counsels = next(c for c in list_cases() if c.decides is Role.COUNSEL)
    seen = {"If-Match": f'"{counsels.key}.{counsels.version}"'}
    post(client, f"/cases/{counsels.key}/not-upheld", {"why": "x"}, status=403, **seen)
    assert fresh(case) == case


def test_a_case_is_closed_by_the_api_as_by_the_console(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.LEAD, name="mary"), running()
    seen = {"If-Match": f'"{case.key}.{case.version}"'}
    done = post(client, f"/cases/{case.key}/not-upheld", {"why": "Not so."}, **seen).json()
    assert (done["case"]["state"], done["case"]["outcome"]) == ("closed", "not_upheld")
    assert fresh(case).outcome is CaseOutcome.NOT_UPHELD


def test_the_newest_come_in_pages_that_miss_and_double_none(day: object, log_in: LogIn) -> None:
    client, wanted = log_in(Role.ANALYST), [case.key for case in list_cases(order="newest")]
    assert len(wanted) > 3
    found, path = [], "/api/cases?order=newest&limit=2"
    while path:
        answer = client.get(path)
        found += [case["key"] for case in answer.json()]
        path = answer.get("Link", "")[1:].partition(">")[0]
    assert found == wanted
    for cursor in ("x", "AAAA", "Zm9vIGJhcg"):
        assert client.get(f"/api/cases?cursor={cursor}").status_code == 422


def test_many_cases_are_changed_shown_and_put_back(day: object, log_in: LogIn) -> None:
    client, cases = log_in(Role.ANALYST, name="lena"), list_cases(limit=2)
    body = {"cases": {c.key: c.version for c in cases}, "action": "tag", "value": "Wave"}
    shown = post(client, "/cases/many", {**body, "preview": True}).json()
    assert (shown["id"], sorted(shown["changed"])) == (None, sorted(c.key for c in cases))
    assert [fresh(c) for c in cases] == cases
    done = post(client, "/cases/many", body).json()
    assert {c["key"] for c in client.get("/api/cases?tag=wave").json()} == set(done["changed"])
    assert sorted(post(client, f"/cases/many/{done['id']}/undo").json()["put_back"]) == sorted(done["changed"])
    post(client, f"/cases/many/{done['id']}/undo", status=409)
    post(client, "/cases/many", {**body, "action": "close"}, status=422)


def test_lists_are_kept_and_lateness_is_told(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST, name="lena")
    kept = post(client, "/views", {"name": "Spam", "query": "find=spam"}).json()
    assert client.get("/api/views").json() == [kept]
    assert log_in(Role.LEAD, name="mary").delete(f"/api/views/{kept['id']}").status_code == 404
    assert client.delete(f"/api/views/{kept['id']}").status_code == 204
    late = client.get("/api/cases/late").json()
    assert sum(level["waiting"] for level in late["levels"]) >= 1


@pytest.mark.parametrize("what", ["notes", "incidents", "history", "letters"])
def test_what_is_in_a_case_is_read(day: object, log_in: LogIn, what: str) -> None:
    client, case = log_in(Role.ANALYST), running()
    post(client, f"/cases/{case.key}/note", {"text": "x"})
    assert client.get(f"/api/cases/{case.key}/{what}").json()
    assert client.get(f"/api/cases/C-999999/{what}").status_code == 404
