"""What holds in every room of the API: acts as in the console, pages, ETags, keys, problems, and a true document."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tipstaff.cases.queries import list_cases, notes_of
from tipstaff.cases.rules import NEEDS_PERSON
from tipstaff.enforcement.models import FilterRow
from tipstaff.enforcement.queries import get_measure, measures_of_case
from tipstaff.intake.queries import get_report, list_reports
from tipstaff.ledger.models import EvidenceRow
from tipstaff.ledger.queries import get_raw, recent
from tipstaff.legal.models import MatterRow
from tipstaff.notices import operations as notices
from tipstaff.notices.compose import Draft
from tipstaff.notices.queries import get_letter, list_letters
from tipstaff.procedures.acceptance import acceptances_of
from tipstaff.procedures.sealed import sealed_among
from tipstaff.registry.queries import get_customer, list_admissions, list_changes, list_customers, representatives_of
from tipstaff.web.api.resources import FIELDS
from tipstaff.web.api.urls import api
from tipstaff.web.console import views
from tipstaff.web.console.acts import ON_LETTERS, ON_MEASURES, ON_REPORTS
from tipstaff.words import AdmissionState, CaseState, LetterKind, LetterState, MeasureState, ReportOutcome, Role

LogIn = Callable[..., Client]


def post(client: Client, path: str, body: dict[str, Any] | None = None, *, status: int = 200, **headers: str) -> Any:
    answer = client.post(f"/api{path}", body or {}, "application/json", headers=headers)
    assert answer.status_code == status, answer.content
    if status >= 400:
        assert (answer["Content-Type"], answer.json()["status"]) == ("application/problem+json", status)
    return answer


def etag(client: Client, path: str) -> str:
    return str(client.get(f"/api{path}")["ETag"])


def test_every_act_of_the_console_is_an_operation_with_its_fields() -> None:
    paths = api.get_openapi_schema()["paths"]
    for kind, acts in (("report", ON_REPORTS), ("letter", ON_LETTERS), ("measure", ON_MEASURES)):
        assert set(FIELDS[kind]) == set(acts)
        for act in acts:
            operation = paths[f"/api/{kind}s/{{key}}/{act}"]["post"]
            assert {p["name"] for p in operation["parameters"]} == {"key", "If-Match", "Idempotency-Key"}


def test_every_operation_has_a_name_of_its_own_a_scope_and_its_refusals() -> None:
    operations = [
        (path, method, operation)
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method, operation in methods.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names) > 60
    for path, method, operation in operations:
        if path.startswith(("/api/staff", "/api/tokens")):
            assert operation["security"] == [{"session": []}], "a person who is there, and no token"
        elif path != "/api/registry/deliveries":
            own = path.startswith("/api/own/")
            door = "customer" if own else "token"
            ((scope,),) = [way[door] for way in operation["security"] if door in way]
            reads = method == "get" or path == "/api/attribute"
            if own:
                alone = {"webhooks", "keys"} & set(path.split("/"))
                wanted = alone.pop() if alone else "read" if reads else "answer"
                assert scope == wanted, path
            else:
                assert scope.endswith(":read" if reads else ":act"), path
        for status, response in operation["responses"].items():
            problem = "application/problem+json" in response.get("content", {})
            assert problem is (int(status) >= 400), (path, status)


def test_a_doubtful_letter_is_sent_again_or_taken_as_sent(day: object, at: datetime, log_in: LogIn) -> None:
    keys = [
        notices.queue_letter(
            LetterKind.ACKNOWLEDGEMENT, once=f"ack:{n}", at=at, actor="worker", to="ana@example.org", case=None,
            report=None, held=False, draft=Draft(subject="Yours", body="Hello"),
        )
        for n in range(2)
    ]  # fmt: skip
    while (claimed := notices.claim_letter(at=at, worker="w")) is not None:
        notices.mark_handing_over(claimed.key, at=at, worker="w")
        notices.mark_in_doubt(claimed.key, at=at, reply="lost", worker="w")
    client = log_in(Role.ANALYST, name="lena")
    assert {x["key"] for x in client.get("/api/letters?state=in_doubt&kind=acknowledgement").json()} >= set(keys)
    shown = client.get(f"/api/letters/{keys[0]}")
    assert (shown.json()["text"], shown.json()["state"]) == ("Hello", "in_doubt")
    post(client, f"/letters/{keys[0]}/again", status=428)
    done = post(client, f"/letters/{keys[0]}/again", **{"If-Match": shown["ETag"]})
    assert (done.json()["letter"]["state"], done["ETag"]) == ("queued", etag(client, f"/letters/{keys[0]}"))
    post(client, f"/letters/{keys[0]}/again", status=412, **{"If-Match": shown["ETag"]})
    post(client, f"/letters/{keys[0]}/again", status=409, **{"If-Match": done["ETag"]})
    post(client, f"/letters/{keys[1]}/arrived", **{"If-Match": etag(client, f"/letters/{keys[1]}")})
    assert [get_letter(key).state for key in keys] == [LetterState.QUEUED, LetterState.SENT]  # type: ignore[union-attr]  # they are there
    assert recent(about=keys[1], limit=1)[0].actor == "lena"
    post(client, "/letters/L-999999/again", status=404, **{"If-Match": "*"})
    post(log_in(Role.ENGINEER), f"/letters/{keys[0]}/again", status=403, **{"If-Match": "*"})


def test_a_measure_goes_on_and_ends_by_the_api(day: object, log_in: LogIn) -> None:
    case = next(c for c in list_cases() if c.state is CaseState.NOTIFIED and c.measure_ports and c.decides is None)
    mary, eva = log_in(Role.LEAD, name="mary"), log_in(Role.ENGINEER, name="eva")
    post(mary, f"/cases/{case.key}/propose-urgent", {"ground": "network_harm", "shown_by": "40,000 mails an hour"})
    post(mary, f"/cases/{case.key}/second-urgent", status=403)
    post(eva, f"/cases/{case.key}/second-urgent")
    (measure,) = measures_of_case(case.key)
    path = f"/measures/{measure.key}"
    post(mary, f"{path}/prolong", {"why": "It goes on."}, status=403, **{"If-Match": etag(mary, path)})
    nora = log_in(Role.LEAD, name="nora")
    post(nora, f"{path}/prolong", {}, status=422, **{"If-Match": etag(nora, path)})
    # Two took it, so it goes on by two: whoever asked for it is not the second.
    asked = post(nora, f"{path}/prolong", {"why": "It goes on."}, **{"If-Match": etag(nora, path)}).json()
    assert measure.until is not None
    assert datetime.fromisoformat(asked["measure"]["until"]) == measure.until
    post(nora, f"{path}/agree", status=403, **{"If-Match": etag(nora, path)})
    otto = log_in(Role.ANALYST, name="otto")
    done = post(otto, f"{path}/agree", **{"If-Match": etag(otto, path)}).json()
    assert datetime.fromisoformat(done["measure"]["until"]) > measure.until
    post(log_in(Role.ANALYST), f"{path}/lift", {"why": "x"}, status=403, **{"If-Match": "*"})
    post(eva, f"{path}/lift", {"why": "A mistake."}, **{"If-Match": etag(eva, path)})
    assert get_measure(measure.key).state in (MeasureState.LIFTING, MeasureState.LIFTED)  # type: ignore[union-attr]  # it is there
    post(eva, f"{path}/taken-as-lifted", {"why": "x"}, status=409, **{"If-Match": "*"})


def test_a_report_is_read_set_aside_and_sealed_by_the_api(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST, name="lena")
    waiting = [r for r in list_reports(limit=50) if r.outcome is ReportOutcome.WITH_A_PERSON and not r.incidents]
    assert waiting
    path = f"/reports/{waiting[0].key}"
    post(client, f"{path}/read-as", {"type": "nonsense"}, status=422, **{"If-Match": etag(client, path)})
    done = post(client, f"{path}/set-aside", {"why": "Not a report."}, **{"If-Match": etag(client, path)}).json()
    assert done["report"]["outcome"] == "set_aside"
    post(client, f"{path}/seal", **{"If-Match": etag(client, path)})
    assert get_report(waiting[0].key).outcome is ReportOutcome.SEALED  # type: ignore[union-attr]  # it is there


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/reports", lambda: [r.key for r in list_reports(limit=200, sealed=False)]),
        ("/letters", lambda: [x.key for x in list_letters(limit=200)]),
        ("/record", lambda: [e.id for e in recent(limit=10_000) if sealed_among({*e.about}) == set()]),
        ("/registry/changes", lambda: [c.key for c in list_changes(limit=200)]),
        ("/registry/admissions", lambda: [a.key for a in list_admissions(state=AdmissionState.WAITING)]),
        ("/registry/customers", lambda: [c.key for c in list_customers(limit=200)]),
    ],
)
def test_lists_come_in_pages_that_miss_and_double_none(
    day: object, log_in: LogIn, path: str, keys: Callable[[], list[object]]
) -> None:
    client = log_in(Role.ANALYST)
    for n in range(4):  # Each is a change, and one that the second look at its name holds up.
        stated = {"name": f"Placeholder Network {n // 2}"}
        assert client.put(f"/api/registry/customers/acct-p{n}", stated, "application/json").status_code == 200
    wanted = keys()
    assert len(wanted) > 3
    found, at = [], f"/api{path}?limit={3 if len(wanted) < 60 else 90}"
    while at:
        answer = client.get(at)
        found += [one["id" if path == "/record" else "key"] for one in answer.json()]
        at = answer.get("Link", "")[1:].partition(">")[0]
    assert found == wanted
    for cursor in ("%00", "AAAA", "w6Q", "a"):
        assert client.get(f"/api{path}?cursor={cursor}").status_code in (200, 422)
    assert client.get(f"/api{path}?cursor=AAAA").status_code == 422


def test_sealed_things_filters_and_legal_matters_come_in_pages_too(
    db: None, at: datetime, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(1, 6):
        EvidenceRow.objects.create(
            digest=f"{n:064}", size=n, received_at=at if n < 4 else at - timedelta(days=n), channel="smtp", sender="",
            recipients=[], sealed=True, content=b"", stripped=[{"size": n}],
        )  # fmt: skip
        FilterRow.objects.create(
            key=f"F-00000{n}", selector={"network": "192.0.2.7/32", "direction": "both"}, degree=2, device="edge-1",
            danger="x", shown_by=[], state="refused", proposed_by="ole", proposed_at=at, lasts_hours=1,
        )  # fmt: skip
        MatterRow.objects.create(
            key=f"G-00000{n}", kind="request", state="open", clause="x", edition="2026-01", opened_by="eva",
            opened_at=at, received_at=at,
        )  # fmt: skip
    client = log_in(Role.COUNSEL, Role.ENGINEER)
    newest = {
        "sealed": [f"{n:064}" for n in (3, 2, 1, 4, 5)],
        "filters": [f"F-00000{n}" for n in range(5, 0, -1)],
        "legal": [f"G-00000{n}" for n in range(5, 0, -1)],
    }
    for path, wanted in newest.items():
        found, more = [], f"/api/{path}?limit=2"
        while more:
            answer = client.get(more)
            found += [one.get("key") or one["digest"] for one in answer.json()]
            more = answer.get("Link", "")[1:].partition(">")[0]
        assert found == wanted, path
    assert client.get("/api/sealed").json()[0]["taken_out"] == [{"size": 3}]
    monkeypatch.setattr(views, "SEALED_LINES", 2)
    shown, more = [], "/console/sealed"
    while more:
        answer = client.get(more)
        shown += [evidence.digest for evidence, _, _ in answer.context["rows"]]
        more = f"/console/sealed?after={answer.context['older']}" if answer.context["older"] else ""
    assert shown == newest["sealed"]
    assert client.get("/console/sealed?after=none").context["rows"] == []


def test_a_search_goes_on_over_its_pages(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST)
    source = next(i.allegation.source for r in list_reports(limit=50) for i in r.incidents if i.allegation.source)
    search = f"/api/reports?search={source.exploded.rsplit('.', 1)[0]}.0/24"
    wanted = [r["key"] for r in client.get(f"{search}&limit=200").json()]
    found, at = [], f"{search}&limit=1"
    while at:
        answer = client.get(at)
        found += [r["key"] for r in answer.json()]
        at = answer.get("Link", "")[1:].partition(">")[0]
    assert found == wanted != []


def test_what_was_seen_is_not_sent_again(day: object, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST), list_cases()[0]
    for path in ("/cases", "/reports", f"/cases/{case.key}/notes", f"/registry/customers/{case.customer}", "/figures"):
        answer = client.get(f"/api{path}")
        again = client.get(f"/api{path}", headers={"If-None-Match": f'"x", {answer["ETag"]}'})
        assert (answer.status_code, again.status_code, again.content) == (200, 304, b""), path
    post(client, f"/cases/{case.key}/note", {"text": "x"})
    path = f"/api/cases/{case.key}/notes"
    before = client.get(path)["ETag"]
    post(client, f"/cases/{case.key}/note", {"text": "y"})
    assert client.get(path, headers={"If-None-Match": before}).status_code == 200


def test_any_act_under_one_key_is_done_once_and_a_refusal_is_not_kept(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST, name="lena")
    key, body = {"Idempotency-Key": "k1"}, {"name": "A Customer"}
    path = "/api/registry/customers/acct-new"
    refused = client.put(path, {}, "application/json", headers=key)
    assert refused.status_code == 422
    first = client.put(path, body, "application/json", headers=key)
    again = client.put(path, body, "application/json", headers=key)
    assert (first.status_code, again.json(), again["Idempotent-Replay"]) == (200, first.json(), "true")
    assert len(client.get("/api/registry/changes?about=acct-new").json()) == 1
    assert client.put(path, {"name": "Other"}, "application/json", headers=key).status_code == 409
    assert get_customer("acct-new").name == "A Customer"  # type: ignore[union-attr]  # it was made above
    case = list_cases()[0]
    log_in(Role.ANALYST, name="mia").post(
        f"/api/cases/{case.key}/note", {"text": "x"}, "application/json", headers=key
    )  # fmt: skip
    assert len(notes_of(case.key)) == 1, "another person's key is another"
    for wrong in ("x" * 101, "a\tb"):
        assert client.put(path, body, "application/json", headers={"Idempotency-Key": wrong}).status_code == 422


def test_a_customer_that_somebody_else_changed_is_not_overwritten(day: object, log_in: LogIn) -> None:
    client, customer = log_in(Role.ANALYST), list_cases()[0].customer
    path, seen = f"/api/registry/customers/{customer}", etag(log_in(Role.LEAD), f"/registry/customers/{customer}")

    def change(name: str) -> int:
        answer = client.put(path, {"name": name}, "application/json", headers={"If-Match": seen})
        return answer.status_code

    assert [change("First"), change("Second")] == [200, 412]
    assert get_customer(customer).name == "First"  # type: ignore[union-attr]  # they are there
    assert client.put(f"{path}-none", {"name": "x"}, "application/json", headers={"If-Match": seen}).status_code == 412


def test_also_what_no_operation_answers_is_a_problem(
    day: object, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in(Role.ANALYST)
    for method, path, status in (
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/cases", 405),
        ("GET", "/api/reports/in", 405),
        ("POST", "/api/reports/in", 401),
        ("POST", "/api/cases/many", 400),
    ):
        answer = client.generic(method, path, "{", "application/json")
        assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), path
        assert answer.json()["detail"]
    assert client.generic("DELETE", "/api/cases", "")["Allow"] == "GET"
    client.raise_request_exception = False
    monkeypatch.setattr("tipstaff.web.api.cases.case_out", None)
    broken = client.get("/api/cases")
    assert (broken.status_code, broken["Content-Type"]) == (500, "application/problem+json")
    assert "TypeError" not in broken.content.decode()


def test_the_inbox_its_counters_health_evidence_and_the_sealed_queue_are_read(day: object, log_in: LogIn) -> None:
    client = log_in(Role.ANALYST, name="lena")
    inbox = client.get("/api/inbox").json()
    waiting = [r.key for r in list_reports(limit=50) if r.outcome is ReportOutcome.WITH_A_PERSON]
    assert inbox["reports"] == waiting
    assert {each["case"] for each in inbox["cases"]} == {c.key for c in list_cases(states=NEEDS_PERSON)}
    assert inbox["numbers"]["open"] == len([c for c in list_cases(limit=200) if c.state is not CaseState.CLOSED])
    assert "Reading" in {each["name"] for each in client.get("/api/health").json()}
    report = get_report(waiting[0])
    assert report is not None
    answer = client.get(f"/api/evidence/{report.evidence}")
    assert b"".join(answer.streaming_content) == get_raw(report.evidence)  # type: ignore[attr-defined]  # a stream
    assert "sandbox" in answer["Content-Security-Policy"]
    assert client.get(f"/api/evidence/{'0' * 64}").status_code == 404
    assert client.get("/api/sealed").status_code == 403
    counsel = log_in(Role.COUNSEL, name="mira")
    (sealed,) = list_reports(outcome=ReportOutcome.SEALED)
    assert [each["report"] for each in counsel.get("/api/sealed").json()] == [sealed.key]
    assert counsel.get(f"/api/evidence/{sealed.evidence}").status_code == 403


def test_an_edition_takes_its_steps_by_the_api(day: object, log_in: LogIn) -> None:
    client = log_in(Role.COUNSEL, name="mira")
    assert client.get("/api/editions").status_code == 200
    assert client.post("/api/editions/2031-01/approve", {}, "application/json").status_code == 404
    assert log_in(Role.ANALYST).post("/api/editions/2031-01/approve", {}, "application/json").status_code == 403


def test_a_customer_accepts_is_reached_and_logs_in_anew_by_the_api(day: object, log_in: LogIn) -> None:
    client, customer = log_in(Role.ANALYST, name="lena"), list_cases()[0].customer
    path = f"/registry/customers/{customer}"
    stated = {"contract": "K-1", "edition": "2026-01", "accepted_by": "their counsel"}
    said = post(client, f"{path}/acceptances", stated).json()["said"]
    assert said.endswith("accepted edition 2026-01.")
    assert [each.edition for each in acceptances_of(customer)] == ["2026-01"]
    post(client, f"{path}/acceptances", stated | {"edition": "1999-01"}, status=409)
    (person, *_) = representatives_of(customer)
    post(client, f"{path}/reached", {"email": person.email, "bounced": True})
    assert next(p for p in representatives_of(customer) if p.email == person.email).bounced_at is not None
    post(client, f"{path}/reached", {"email": "somebody@else.example.com"}, status=409)
    post(client, f"{path}/forget-log-in", {"email": person.email}, status=409)
    post(client, "/registry/customers/nobody/acceptances", stated, status=404)
    post(client, "/legal/G-000001/hand-over", status=403)
