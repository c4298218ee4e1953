"""Sightings over the REST endpoint, on the command line, on the console's pages and on the customer's."""

import hashlib
import json
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from typer.testing import CliRunner

from tipstaff import config, wiring
from tipstaff.cases.queries import list_cases
from tipstaff.cli import sightings as command
from tipstaff.procedures.sighting import judge_waiting
from tipstaff.registry import operations as registry
from tipstaff.sensors.form import LINES_MAX
from tipstaff.sensors.queries import count_by_disposition
from tipstaff.web.roles import give_roles
from tipstaff.words import Customer, Holding, HoldingKind, Representative, Role, Tier

TOKEN = "a sensor's token, long enough"
SCAN: dict[str, Any] = {
    "id": "scan-1", "kind": "flows.scan", "type": "connection/port_scan", "source": "192.0.2.77",
    "at": "2026-05-04T11:00:00Z", "facts": {"targets": 300, "minutes": 30, "announced": False},
    "target": "203.0.113.7", "excerpt": "192.0.2.77 > 203.0.113.7 tcp/22",
}  # fmt: skip


@pytest.fixture
def api(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A desk that gave one sensor a token, and one customer."""
    monkeypatch.setattr(wiring, "sensor_tokens", lambda: {hashlib.sha256(TOKEN.encode()).hexdigest(): "flows-1"})
    then = at - timedelta(days=500)
    written_to = Representative(name="Desk", email="acct-1@customer.example.com", language="en", timezone="UTC")
    registry.add_customer(Customer(key="acct-1", name="Placeholder", representative=written_to), at=then, actor="tests")
    for tier, prefix, customer in ((Tier.OPERATOR, "192.0.2.0/24", None), (Tier.CUSTOMER, "192.0.2.77/32", "acct-1")):
        row = Holding(
            key=0, tier=tier, kind=HoldingKind.STATIC, prefix=ip_network(prefix), held_from=then, customer=customer
        )
        registry.add_holdings([row], at=then, actor="tests")
    return Client()


def post(api: Client, *sightings: Any, token: str = TOKEN) -> Any:
    body = "\n".join(json.dumps(each) for each in sightings)
    return api.post(
        "/api/sightings/in",
        data=body,
        content_type="application/x-ndjson",
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_sensor_hands_in_many_at_once_and_each_line_stands_for_itself(api: Client) -> None:
    answer = post(api, SCAN, {**SCAN, "id": "scan-2", "source": "nowhere"}, {**SCAN, "id": "scan-3", "sensor": "other"})
    assert answer.status_code == 202
    said = answer.json()
    assert (len(said["taken"]), said["known"]) == (1, 0)
    assert [refused["line"] for refused in said["refused"]] == [2, 3]
    again = post(api, SCAN)
    assert (again.status_code, again.json()["taken"], again.json()["known"]) == (202, [], 1)


def test_what_only_the_sealed_queue_may_hold_is_refused_in_one_sentence_and_is_not_too_much(api: Client) -> None:
    answer = post(api, {**SCAN, "excerpt": "the URL https://www.example.net/x hosts child sexual abuse material"})
    assert answer.status_code == 422
    said = "It speaks of what only the sealed queue may hold: send it as a report. Nothing was kept."
    assert (answer.json()["detail"], answer.json()["error"]) == (said, said)
    assert answer["Content-Type"] == "application/problem+json"
    assert count_by_disposition() == {}
    too_many = post(api, *({**SCAN, "id": f"scan-{n}"} for n in range(LINES_MAX + 1)))
    assert too_many.status_code == 413
    assert "sightings at once" in too_many.json()["error"]
    assert count_by_disposition() == {}


def test_no_reporters_token_and_no_stranger_hands_in_sightings(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    reporters = "a reporter's token, long enough"
    monkeypatch.setattr(wiring, "report_tokens", lambda: {hashlib.sha256(reporters.encode()).hexdigest(): "example"})
    for token in (reporters, "nobody's token", ""):
        assert post(api, SCAN, token=token).status_code == 401
    assert post(api, {"id": "x"}).status_code == 422


def test_a_token_that_is_a_reporters_too_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"flows-1 {TOKEN}\n")
    file.chmod(0o600)
    settings = config.load(
        None, {"TIPSTAFF_REPORTS_IN_TOKENS_FILE": str(file), "TIPSTAFF_SIGHTINGS_IN_TOKENS_FILE": str(file)}
    )
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    wiring.report_tokens.cache_clear()
    wiring.sensor_tokens.cache_clear()
    try:
        with pytest.raises(config.BadSetting, match=r"flows-1 has a reporter's token"):
            wiring.sensor_tokens()
    finally:
        wiring.report_tokens.cache_clear()
        wiring.sensor_tokens.cache_clear()


def test_the_desk_and_the_customer_see_that_we_measured_it(api: Client, at: datetime) -> None:
    post(api, SCAN)
    judge_waiting(desk=wiring.desk(), at=at)
    [case] = list_cases()
    ada = User.objects.create_user("ada", password="x")
    give_roles(ada, frozenset({Role.ANALYST}))
    api.force_login(ada)
    page = api.get(f"/console/cases/{case.key}").content.decode()
    assert "Measured by us" in page
    assert "S-0" in page
    assert "targets 300" in page
    assert "Nobody complained." in page
    listed = api.get("/console/sightings?became=open_case").content.decode()
    assert case.key in listed
    assert case.key not in api.get("/console/sightings?became=nothing").content.decode()
    portal = Client().get(wiring.portal_link(case.key, at).removeprefix(wiring.settings().public_url))
    said = portal.content.decode()
    assert ", measured by ourselves at" in said
    assert "What we measured falls under" in said
    assert "was reported from" not in said
    assert "203.0.113.7" not in said


def test_the_command_takes_in_a_file_and_says_what_became_of_each(
    api: Client, at: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import contextlib

    monkeypatch.setattr(command, "database", contextlib.nullcontext)
    file = tmp_path / "scans.jsonl"
    file.write_text(json.dumps(SCAN) + "\nnot json\n")
    result = CliRunner().invoke(command.app, ["import", "--sensor", "flows-1", str(file)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert f"{file}:2: It is no JSON." in result.output
    assert "1 new sighting (S-" in result.output
    assert "0 known before, 1 refused." in result.output
    again = CliRunner().invoke(command.app, ["import", "--sensor", "flows-1", "-", "--json"], input=json.dumps(SCAN))
    assert (again.exit_code, json.loads(again.output)["known"]) == (0, 1)
    waiting = CliRunner().invoke(command.app, ["list", "--waiting"], env={"COLUMNS": "200"}).output
    assert "waits" in waiting
    judge_waiting(desk=wiring.desk(), at=at)
    [document] = CliRunner().invoke(command.app, ["list", "--became", "open_case", "--json"]).output.splitlines()
    assert json.loads(document)["case"] == list_cases()[0].key
    assert "scans" not in CliRunner().invoke(command.app, ["list", "198.51.100.1"]).output


NOBODYS = {**SCAN, "id": "scan-8", "source": "192.0.2.78"}


def left_one(api: Client, at: datetime) -> str:
    """A sighting of an address that nobody holds, judged."""
    [key] = post(api, NOBODYS).json()["taken"]
    judge_waiting(desk=wiring.desk(), at=at)
    return str(key)


def sign_in(api: Client, name: str, role: Role) -> None:
    user = User.objects.create_user(name, password="x")
    give_roles(user, frozenset({role}))
    api.force_login(user)


def test_what_is_left_to_a_person_waits_in_the_inbox_until_an_engineer_closes_it(api: Client, at: datetime) -> None:
    key = left_one(api, at)
    sign_in(api, "ada", Role.ANALYST)
    inbox = api.get("/console/inbox").content.decode()
    assert "Sightings to decide" in inbox
    assert key in inbox
    assert "engineer" in inbox
    form = {"key": key, "why": "A router of ours.", "decision": "done"}
    said = api.post("/console/sightings/decide", form, follow=True).content.decode()
    assert "leaves this decision to the role engineer" in said
    assert key in said, "an analyst cannot close it"
    sign_in(api, "eve", Role.ENGINEER)
    said = api.post("/console/sightings/decide", {**form, "why": " "}, follow=True).content.decode()
    assert "say why" in said
    assert "Sightings to decide" in said
    said = api.post("/console/sightings/decide", form, follow=True).content.decode()
    assert f"{key}: closed." in said
    assert "Sightings to decide" not in said
    assert "closed by eve: A router of ours." in api.get("/console/sightings").content.decode()


def test_the_inbox_counts_it_and_the_judge_can_be_asked_again_there(api: Client, at: datetime) -> None:
    from tipstaff.web.console.reads import count_waiting

    before = count_waiting()
    key = left_one(api, at)
    assert count_waiting() == before + 1
    sign_in(api, "eve", Role.ENGINEER)
    row = Holding(
        key=0, tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("192.0.2.78/32"),
        held_from=at - timedelta(days=9), customer="acct-1",
    )  # fmt: skip
    registry.add_holdings([row], at=at, actor="tests")
    form = {"key": key, "why": "The row was missing.", "decision": "again"}
    said = api.post("/console/sightings/decide", form, follow=True).content.decode()
    assert f"{key}: the judge is asked again." in said
    judge_waiting(desk=wiring.desk(), at=at)
    assert api.get(f"/api/sightings/{key}").json()["became"] == "open_case"


def test_programs_read_sightings_and_close_them_over_the_api(api: Client, at: datetime) -> None:
    key = left_one(api, at)
    sign_in(api, "eve", Role.ENGINEER)
    assert [s["key"] for s in api.get("/api/sightings?left=true").json()] == [key]
    asked = {"keys": [key], "decision": "done", "why": "A router of ours."}

    def decide(**changed: object) -> Any:
        body = json.dumps({**asked, **changed})
        return api.post("/api/sightings/decide", data=body, content_type="application/json")

    assert decide(keys=["S-999999"]).status_code == 404
    assert decide(why="").status_code == 422
    assert decide(why=" ").status_code == 422
    assert decide(decision="forget").status_code == 422
    answer = decide()
    assert answer.status_code == 200
    assert [(s["key"], s["done_by"], s["left_to_person"]) for s in answer.json()] == [(key, "eve", False)]
    assert decide().status_code == 409
    assert api.get("/api/sightings?left=true").json() == []


def test_an_analyst_is_refused_over_the_api_what_is_an_engineers(api: Client, at: datetime) -> None:
    key = left_one(api, at)
    sign_in(api, "ada", Role.ANALYST)
    body = json.dumps({"keys": [key], "decision": "done", "why": "seen"})
    answer = api.post("/api/sightings/decide", data=body, content_type="application/json")
    assert answer.status_code == 403
    assert api.get(f"/api/sightings/{key}").json()["left_to_person"] is True


def test_the_commands_close_sightings_and_put_them_to_the_judge_again(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    import contextlib

    monkeypatch.setattr(command, "database", contextlib.nullcontext)
    key = left_one(api, at)
    for name, role in (("eve", Role.ENGINEER), ("ada", Role.ANALYST)):
        sign_in(api, name, role)
    run = CliRunner().invoke
    refused = run(command.app, ["done", key, "--by", "ada", "--why", "seen"])
    assert refused.exit_code == 1
    assert "to the role engineer" in refused.output
    assert run(command.app, ["done", "S-999999", "--by", "eve", "--why", "seen"]).exit_code == 1
    [left] = run(command.app, ["list", "--left", "--json"]).output.splitlines()
    assert (json.loads(left)["key"], json.loads(left)["done"]) == (key, None)
    again = run(command.app, ["again", key, "--by", "eve", "--why", "logs came late"])
    assert (again.exit_code, again.output) == (0, f"{key}: the judge is asked again.\n")
    judge_waiting(desk=wiring.desk(), at=at)
    closed = run(command.app, ["done", key, "--by", "eve", "--why", "a router of ours"])
    assert (closed.exit_code, closed.output) == (0, f"{key}: closed by eve.\n")
    assert run(command.app, ["list", "--left", "--json"]).output == ""
    [document] = run(command.app, ["list", key, "--json"]).output.splitlines()
    assert json.loads(document)["done"]["why"] == "a router of ours"
