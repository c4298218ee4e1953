"""Filters that belong to no case, in the console, by the API and at a terminal: the same for each."""

import contextlib
import dataclasses
import json
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.contrib.auth.models import User
from django.test import Client
from typer.testing import CliRunner

from tests.rooms.web.test_devices import EDGE
from tests.rooms.web.test_devices import edge as edge
from tipstaff import wiring
from tipstaff.cli.main import app
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.operations import plan_measure
from tipstaff.enforcement.queries import list_filters
from tipstaff.procedures.sighting import take
from tipstaff.registry import operations as registry
from tipstaff.web.roles import give_roles
from tipstaff.words import Candidate, Degree, FilterState, HoldingKind, Role, Tier

JSON = "application/json"
ASKED = {
    "network": "192.0.2.7/32", "protocol": "tcp", "port": "445", "direction": "in", "degree": "block",
    "danger": "A worm & more.", "lasts_hours": "24", "why_no_narrower": "It would go on.",
}  # fmt: skip


WRONG = (
    {"network": "192.0.2.7/24"}, {"network": "evil"}, {"port": "99999"}, {"protocol": ""}, {"degree": "x"},
    {"lasts_hours": "-1"}, {"ground": "boredom"}, {"shown_by": "S-999999"},
)  # fmt: skip


@pytest.fixture
def shown(edge: MemoryTwin, at: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sighting on record, and a customer below the filter."""
    desk = dataclasses.replace(wiring.desk(), abilities=lambda at: (edge.ability,))
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    monkeypatch.setattr("tipstaff.cli.filters.database", contextlib.nullcontext)
    registry.hold(tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network("192.0.2.7/32"), customer="acct-7",
                  source="plan",
                  held_from=at, at=at, actor="import")  # fmt: skip
    line = {"id": "1", "kind": "flows.scan", "at": at.isoformat(), "source": "192.0.2.7", "facts": {"targets": 1}}
    return take(json.dumps(line).encode(), sensor="x", desk=desk, at=at, actor="tests").taken[0]


def logged_in(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_an_analyst_proposes_and_an_engineer_agrees_in_the_console(shown: str, at: datetime) -> None:
    ole, emil = logged_in("ole"), logged_in("emil")
    for wrong in WRONG:
        answer = ole.post("/console/filters/propose", {**ASKED, "shown_by": shown, **wrong}, follow=True)
        assert "Nothing was planned." in answer.content.decode(), wrong
        assert "A worm &amp; more." in answer.content.decode(), "what was typed stays, and is escaped"
    assert list_filters() == []
    page = ole.post("/console/filters/propose", {**ASKED, "shown_by": shown}, follow=True).content.decode()
    assert "is proposed" in page
    assert "acct-7" in page
    [found] = list_filters()
    own = ole.post(f"/console/filters/{found.key}/decide", {"decision": "agree", "seen": "1", "why": "Yes."})
    assert own.status_code == 403, "an analyst agrees to nothing"
    assert "An engineer decides" in emil.get(f"/console/filters/{found.key}").content.decode()
    for seen, why in (("0", "Yes."), ("x", "Yes."), ("1", "")):
        form = {"decision": "agree", "seen": seen, "why": why}
        said = emil.post(f"/console/filters/{found.key}/decide", form, follow=True).content.decode()
        assert "Nothing was changed." in said
    emil.post(f"/console/filters/{found.key}/decide", {"decision": "agree", "seen": "1", "why": "Yes."})
    assert list_filters()[0].state is FilterState.AGREED
    assert found.key in ole.get("/console/filters").content.decode()
    assert ole.post(f"/console/filters/{found.key}/end", {"why": "Over."}).status_code == 403
    emil.post(f"/console/filters/{found.key}/end", {"why": "Over."})
    assert list_filters()[0].state is FilterState.ENDED
    assert emil.post("/console/filters/F-999999/end", {"why": "Over."}).status_code == 404


def test_the_api_does_the_same_under_the_same_permissions(shown: str, at: datetime) -> None:
    ole, emil = logged_in("ole"), logged_in("emil")
    asked = {**ASKED, "port": 445, "lasts_hours": 24, "shown_by": [shown], "ground": "network_harm"}
    assert ole.post("/api/filters", {**asked, "shown_by": ["S-9"]}, JSON).status_code == 422
    made = ole.post("/api/filters", asked, JSON)
    assert made.status_code == 201
    key = made.json()["key"]
    assert ole.get(f"/api/filters/{key}/dry-run").json()["touches"] == ["acct-7"]
    words = {"decision": "agree", "seen": 1, "why": "Yes."}
    assert ole.post(f"/api/filters/{key}/decide", words, JSON).status_code == 403
    assert logged_in("anna").post(f"/api/filters/{key}/decide", words, JSON).status_code == 403, "a lead is no engineer"
    assert emil.post(f"/api/filters/{key}/decide", {**words, "seen": 7}, JSON).status_code == 422
    agreed = emil.post(f"/api/filters/{key}/decide", words, JSON).json()
    assert (agreed["state"], list(agreed["letters"])) == ("stands", ["acct-7"])
    assert emil.post(f"/api/filters/{key}/go-on", {"hours": 24, "why": "Still."}, JSON).status_code == 403
    assert emil.post(f"/api/filters/{key}/decide", words, JSON).status_code == 409
    assert emil.post("/api/filters/F-9/end", {"why": "x"}, JSON).status_code == 404
    assert emil.post(f"/api/filters/{key}/end", {"why": "Over."}, JSON).json()["state"] == "ended"
    page = emil.get(f"/console/measures/{agreed['measure']}").content.decode()
    assert f"/console/filters/{key}" in page
    assert emil.get("/api/filters?state=ended").json()[0]["key"] == key


def test_the_terminal_does_the_same_and_asks_who_it_is(shown: str, at: datetime) -> None:
    give_roles(User.objects.create_user("eva"), frozenset({Role.ENGINEER}))

    def run(*words: str, exit_code: int = 0) -> str:
        done = CliRunner().invoke(app, ["filters", *words], env={"COLUMNS": "200"})
        assert done.exit_code == exit_code, done.output
        return done.output

    words = ["propose", "192.0.2.7", "--danger", "A worm.", "--hours", "24", "--protocol", "tcp", "--port", "445"]
    words += ["--direction", "in", "--why-no-narrower", "It would go on."]
    assert "Nothing was changed" in run(*words, "--shown-by", shown, "--by", "nobody", exit_code=1)
    assert "no sighting" in run(*words, "--shown-by", "S-9", "--by", "emil", exit_code=1)
    run(*words, "--shown-by", shown, "--by", "emil")
    key = list_filters()[0].key
    assert "acct-7" in run("show", key)
    assert "AnotherMustAgree" not in run("agree", key, "--by", "emil", "--seen", "1", "--why", "Yes.", exit_code=1)
    assert "agreed" in run("agree", key, "--by", "eva", "--seen", "1", "--why", "Yes.")
    assert json.loads(run("list", "--json"))["state"] == "agreed"
    assert "taken out" in run("end", key, "--by", "eva", "--why", "Over.")
    assert "There is no filter F-9" in run("show", "F-9", exit_code=1)


@pytest.mark.parametrize("way", ["form", "api", "terminal"])
def test_one_far_end_and_one_source_port_are_told_as_they_were_asked_for(
    shown: str, edge: MemoryTwin, at: datetime, way: str
) -> None:
    ole, emil = logged_in("ole"), logged_in("emil")
    narrow = {"remote": "203.0.113.0/25", "source_port": "4000"}
    if way == "form":
        page = ole.post("/console/filters/propose", {**ASKED, **narrow, "remote": "2001:db8::9%x", "shown_by": shown},
                        follow=True)  # fmt: skip
        assert "Nothing was planned." in page.content.decode()
        ole.post("/console/filters/propose", {**ASKED, **narrow, "shown_by": shown})
    elif way == "api":
        asked = {**ASKED, **narrow, "port": 445, "source_port": 4000, "lasts_hours": 24, "shown_by": [shown]}
        assert ole.post("/api/filters", {**asked, "remote": "2001:db8::9%x"}, JSON).status_code == 422
        made = ole.post("/api/filters", asked, JSON).json()
        assert (made["remote"], made["source_port"]) == ("203.0.113.0/25", 4000)
    else:
        words = ["propose", "192.0.2.7", "--danger", "A worm.", "--hours", "24", "--protocol", "tcp", "--port", "445"]
        words += ["--direction", "in", "--why-no-narrower", "It would go on.", "--shown-by", shown, "--by", "ole"]
        done = CliRunner().invoke(app, ["filters", *words, "--remote", "203.0.113.0/25", "--source-port", "4000"])
        assert done.exit_code == 0, done.output
    [found] = list_filters()
    assert (str(found.selector.remote), found.selector.source_port) == ("203.0.113.0/25", 4000)
    if way != "form":
        return
    candidate = Candidate(
        selector=found.selector, degree=Degree.BLOCK, device=EDGE, sufficient=True, others_hit=0, services_hit=0,
        chosen=True, why="The narrowest.",
    )  # fmt: skip
    plan_measure(
        case=found.key, customer="", candidates=[candidate], chosen=candidate, until=at + timedelta(hours=24),
        lifted_when="It is over.", notice="L-000001", urgency=None, at=at, actor="emil",
    )  # fmt: skip
    for command in (("measures",), ("plan",), ("apply", "--dry-run"), ("apply",)):
        told = CliRunner().invoke(app, [*command, "--json"])
        assert told.exit_code == 0, (command, told.output, told.exception)
        document = json.loads(told.output)
        kept = document.get("selector") or document.get("rules", [{}])[0].get("selector")
        if command in (("measures",), ("plan",)):
            assert kept == {
                "network": "192.0.2.7/32", "protocol": "tcp", "port": 445, "direction": "in",
                "remote": "203.0.113.0/25", "source_port": 4000,
            }  # fmt: skip
    assert [words for _, words in edge.rules()] == [str(found.selector)]
    assert emil.get("/console/measures").status_code == 200
