"""What is closed to somebody is nowhere: every address of the console and every reading operation of the API is tried.

Whoever adds a page or an operation need add nothing here: it is tried by itself.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, reverse

from tipstaff import wiring
from tipstaff.cases.models import CaseRow, MemberRow
from tipstaff.enforcement.models import DeviceRow, MeasureRow
from tipstaff.enforcement.queries import count_wanted_on, list_measures
from tipstaff.host.viewing import hidden, hiding
from tipstaff.intake.queries import list_reports, reports_of_case
from tipstaff.ledger.operations import record, seal_entries
from tipstaff.ledger.queries import entries_of
from tipstaff.notices.queries import list_letters
from tipstaff.procedures import hooks
from tipstaff.procedures.judging import condition_of
from tipstaff.procedures.sealed import QUEUE, VIEWED, closed_among, closed_groups, keys_hidden
from tipstaff.sensors.models import SightingRow
from tipstaff.web import eyes
from tipstaff.web.api.urls import api
from tipstaff.web.console import live as live_page
from tipstaff.web.console.urls import urlpatterns
from tipstaff.web.eyes import keys_in
from tipstaff.webhooks.models import DispatchRow
from tipstaff.wiring import live
from tipstaff.wiring.live import Hub, Listener
from tipstaff.words import ReportOutcome, Role

LogIn = Callable[..., Client]
MARK = "zqxmarked"
"""A word that stands in the closed case alone."""


@pytest.fixture
def closed(day: ModuleType, monkeypatch: pytest.MonkeyPatch) -> CaseRow:
    """A case with reports, letters and a note, whose clause group the leads alone may see."""
    row = CaseRow.objects.filter(reports__gt=0).exclude(state="closed").order_by("-reports", "key")[0]
    row.explanation, row.customer_name, row.tags, row.campaign = MARK, f"{MARK} Network", [MARK], MARK
    row.assignee = "lena"
    row.save()
    row.notes.create(at=row.opened_at, actor="eva", text=f"{MARK} note")
    staff = dataclasses.replace(wiring.settings().staff, closed_groups=(f"{row.group}=lead",))
    own = dataclasses.replace(wiring.settings(), staff=staff)
    monkeypatch.setattr(wiring, "settings", lambda: own)
    DeviceRow.objects.create(name="edge-1")  # Without it the device's page would be none, and say nothing.
    for key, state, lifted_at in (("M-000001", "in_force", None), ("M-000002", "lifted", row.opened_at)):
        MeasureRow.objects.create(
            key=key, case=row.key, customer=row.customer, device="edge-1", selector_key=key, degree=2, proof=3,
            selector={"network": f"{row.resource}/32", "protocol": "tcp", "port": 25, "direction": "both"},
            notice="L-000001", state=state, planned_at=row.opened_at, in_force_at=row.opened_at, lifted_at=lifted_at,
            lifted_when=MARK, until=row.opened_at + timedelta(days=7),
        )  # fmt: skip
    SightingRow.objects.create(
        key="S-000001", sensor="flows", name=MARK, digest="0" * 64, evidence="1" * 64, line=1, case=row.key, kind="x",
        received_at=row.opened_at, moment_at=row.opened_at, moment_error_seconds=1, source=row.resource,
        disposition="open_case", type=row.type,
    )  # fmt: skip
    report = reports_of_case(row.key)[0].key
    record(
        "condition.failed", at=row.opened_at, actor="worker", edition="2026-01", clause="network.scanning", why=MARK,
        about=[f"{report}.1", report, condition_of("2026-01", "network.scanning")], condition="when",
    )  # fmt: skip
    CaseRow.objects.filter(group=row.group).exclude(pk=row.key).update(group="other")  # So that others are to be seen.
    return row


@pytest.fixture
def keys(closed: CaseRow) -> frozenset[str]:
    """All that stands for the closed case."""
    found = keys_hidden({closed.group}, sealed=False)
    assert {key[0] for key in found if key[1] == "-"} == {"C", "R", "L", "M", "S"}
    assert any(len(key) == 64 for key in found)
    return found


def own_keys(page: bytes, keys: frozenset[str]) -> set[str]:
    return keys_in(page.decode(errors="replace")) & keys


def console_reads(keys: frozenset[str], row: CaseRow) -> Iterator[tuple[str, bool]]:
    """Every address of the console that is read, with the closed case's keys in it, and whether it names one."""
    own = {
        "case": row.key, "peek": row.key,
        "report": next(k for k in keys if k[:2] == "R-"), "studio": next(k for k in keys if k[:2] == "R-"),
        "letter": next(k for k in keys if k[:2] == "L-"), "raw_evidence": next(k for k in keys if len(k) == 64),
        "framed_evidence": next(k for k in keys if len(k) == 64),
        "customer": row.customer, "device": "edge-1", "webhook": "none", "matter": "G-000001",
        "measure": next((k for k in keys if k[:2] == "M-"), "M-000001"),
    }  # fmt: skip
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        taken = re.findall(r"<(?:\w+:)?(\w+)>", str(pattern.pattern))
        name = str(pattern.name)
        if not taken:
            yield reverse(f"console:{name}"), False
        elif name in own:
            yield reverse(f"console:{name}", args=[own[name], *[0] * (len(taken) - 1)]), own[name] in keys
        elif len(taken) == 1:
            yield reverse(f"console:{name}", args=[1 if "int:" in str(pattern.pattern) else "X-0"]), False


OTHERS = ("", "?find={resource}&about={key}&outcome=sealed")
QUERIES = {
    reverse("console:cases"): (
        "", "?view=all", "?view=mine", f"?view=all&tag={MARK}", f"?view=all&campaign={MARK}", f"?view=all&find={MARK}",
        "?view=all&find={resource}",
    ),
    reverse("console:search"): (f"?q={MARK}", "?q={customer}", "?q={resource}", "?q={resource}/24"),
    reverse("console:overview"): ("", "?as=json", "?as=csv&table=clauses", "?as=svg"),
    reverse("console:replay"): ("", "?edition=2026-01", "?edition=2026-01&as=json"),
    reverse("console:record"): ("", "?about={key}", "?verify=1"),
}  # fmt: skip
"""How each address is asked, and all OTHERS."""


def test_no_page_of_the_console_shows_or_names_what_is_closed(
    closed: CaseRow, keys: frozenset[str], log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyst = log_in(Role.ANALYST, Role.ENGINEER, Role.ADMINISTRATOR, name="lena")
    words = {"key": closed.key, "customer": closed.customer, "resource": closed.resource}
    monkeypatch.setattr(live_page, "HUB", Deaf())
    tried = 0
    for address, names_it in console_reads(keys, closed):
        if address == reverse("console:live"):
            continue  # It says nothing but that something changed: below.
        for query in ("",) if names_it else QUERIES.get(address, OTHERS):
            query = query.format(**words)
            answer = analyst.get(f"{address}{query}")
            content = body(answer)
            tried += 1
            assert answer.status_code != 500, address
            if names_it:
                assert answer.status_code in (403, 404), address
            shown = own_keys(content, keys) - keys_in(query)  # What was asked for stands in the field for it.
            assert not shown, (address, query, shown)
            assert MARK not in content.decode(errors="replace").replace(query.rpartition("=")[2], ""), (address, query)
    assert tried > 60


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def api_reads() -> Iterator[str]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        if "get" in methods:
            yield path


def test_no_reading_operation_of_the_api_names_what_is_closed(
    closed: CaseRow, keys: frozenset[str], log_in: LogIn
) -> None:
    analyst = log_in(Role.ANALYST, Role.ENGINEER, name="lena")
    of_kind = {k: next((key for key in keys if key.startswith(k)), f"{k}000001") for k in ("R-", "L-", "M-", "S-")}
    places = {
        "/cases/": closed.key, "/reports/": of_kind["R-"], "/letters/": of_kind["L-"], "/measures/": of_kind["M-"],
        "/sightings/": of_kind["S-"], "/customers/": closed.customer, "/devices/": "edge-1",
    }  # fmt: skip
    paths = list(api_reads())
    assert len(paths) > 25
    for path in paths:
        place = next((key for part, key in places.items() if f"{part}{{" in path), "none")
        address = re.sub(r"\{\w+\}", place, path)
        for query in ("",) if place in keys else ("?q=x", f"?search={MARK}&q={closed.resource}&about={closed.key}"):
            answer = analyst.get(address + query)
            assert not own_keys(body(answer), keys) - keys_in(address + query), (address, query)
            assert MARK not in body(answer).decode()
            if place in keys:
                assert answer.status_code in (403, 404), address
                assert answer["Content-Type"] == "application/problem+json"


def test_an_open_case_names_no_report_that_is_closed(closed: CaseRow, keys: frozenset[str], log_in: LogIn) -> None:
    """A report that tells of a closed case too is closed with it, wherever it stands."""
    other = CaseRow.objects.exclude(pk=closed.pk).exclude(group=closed.group).filter(state="notified")[0]
    report = next(key for key in keys if key[:2] == "R-")
    moved = MemberRow.objects.filter(incident__startswith=f"{report}.")
    assert moved.update(case_id=other.pk, waits=True) > 0
    analyst, lead = log_in(Role.ANALYST, name="lena"), log_in(Role.LEAD, name="eva")
    address = f"/api/cases/{other.key}/incidents"
    assert own_keys(body(lead.get(address)), keys)
    for each in (address, f"/api/cases/{other.key}/history", reverse("console:case", args=[other.key])):
        answer = analyst.get(each)
        assert answer.status_code == 200
        assert not own_keys(body(answer), keys), each


def test_numbers_do_not_count_what_is_closed(closed: CaseRow, log_in: LogIn) -> None:
    analyst, lead = log_in(Role.ANALYST, name="lena"), log_in(Role.LEAD, name="eva")

    def counted(client: Client) -> dict[str, Any]:
        figures = client.get("/api/figures").json()
        late = client.get("/api/cases/late").json()
        return {
            "listed": len(client.get("/api/cases?limit=200").json()),
            "waiting": sum(level["waiting"] for level in late["levels"]),
            "page": re.findall(rb"(\d+)</", client.get("/console/numbers").content),
            "wall": re.findall(rb"text-[^>]*>(\d+)<", client.get("/console/wall").content),
            "opened": sum(each["opened"] for each in figures["clauses"]),
        }

    less, more = counted(analyst), counted(lead)
    assert less["listed"] == more["listed"] - 1
    assert less["page"] != more["page"]
    assert less["opened"] == more["opened"] == less["listed"], "what is kept for all leaves it out for everybody"


def test_nobody_acts_on_what_is_closed_to_them(closed: CaseRow, keys: frozenset[str], log_in: LogIn) -> None:
    analyst = log_in(Role.ANALYST, name="lena")
    before = CaseRow.objects.values().get(pk=closed.key)
    other = CaseRow.objects.exclude(pk=closed.key).first()
    assert other is not None
    letter, report = (next(k for k in keys if k[:2] == kind) for kind in ("L-", "R-"))
    asked: list[HttpResponse] = [
        analyst.post(reverse("console:act", args=[closed.key, "note"]), {"text": "x"}),
        analyst.post(reverse("console:act", args=[other.key, "merge"]), {"into": closed.key.lower(), "why": "x"}),
        analyst.post(reverse("console:many"), {"case": f"{closed.key}:1", "action": "tag", "value": "x"}),
        analyst.post(reverse("console:send_again", args=[letter])),
        analyst.post(reverse("console:set_aside", args=[report]), {"why": "x"}),
        analyst.post(f"/api/cases/{closed.key}/note", {"text": "x"}, "application/json"),
        analyst.post("/api/cases/many", {"cases": {closed.key: closed.version}, "action": "tag", "value": "x"},
                     "application/json"),
    ]  # fmt: skip
    told = json.dumps({"cases": {closed.key: closed.version}, "action": "tag", "value": "x"}).replace("C-", "\\u0043-")
    split = told.replace("\\u0043-", "C-\\u0000")
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", "application/octet-stream"):
        asked += [analyst.post("/api/cases/many", text, kind) for text in (told, split)]
    assert [answer.status_code for answer in asked] == [404] * len(asked)
    assert CaseRow.objects.values().get(pk=closed.key) == before


class Deaf(Hub):
    """Hears nothing by itself."""

    def _hear(self) -> None:
        """Nothing."""


def test_an_open_page_hears_nothing_of_what_is_closed(
    closed: CaseRow, keys: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "close_old_connections", lambda: None)  # The test's own.
    hub = Deaf()
    groups = frozenset({closed.group})
    pages = [Listener(key="", sealed=False, closed=groups), Listener(key="", sealed=False)]
    streams = [hub.stream(page, most=2, clock=lambda: 0.0) for page in pages]
    for key in sorted(keys):
        hub._tell({f"{key} acct-1"})
        assert [page.news.empty() for page in pages] == [True, False], key
        pages[1].news.get()
    for stream in streams:
        stream.close()


def test_a_program_is_told_nothing_of_what_is_closed(
    closed: CaseRow, keys: frozenset[str], at: Any, settings: Any
) -> None:
    made = hooks.operations.make_webhook(
        "https://hooks.example.net/", events=["case.*"], sealed_secret=b"x", told_to=hooks.ledger.chain_end(), at=at,
        actor="eva",
    )  # fmt: skip
    other = CaseRow.objects.exclude(pk=closed.key).first()
    assert other is not None
    for key in (closed.key, other.key):
        record("case.closed", at=at, actor="eva", about=[key])
    seal_entries()
    assert hooks.tell(at=at, closed={closed.group}) == 1
    (told,) = DispatchRow.objects.filter(webhook__key=made.key)
    assert other.key in told.body
    assert closed.key not in told.body


def test_who_may_see_it_sees_it_and_that_is_on_record_once_an_hour(
    closed: CaseRow, keys: frozenset[str], log_in: LogIn
) -> None:
    lead = log_in(Role.LEAD, name="eva")
    address = reverse("console:case", args=[closed.key])
    for _ in range(2):
        page = lead.get(address).content.decode()
        assert MARK in page
    (entry,) = entries_of(closed.key, what=[VIEWED])
    assert entry.actor == "eva"
    lead.get(f"/api/cases/{closed.key}")
    assert len(entries_of(closed.key, what=[VIEWED])) == 1
    counsel = log_in(Role.COUNSEL, name="mira")
    assert counsel.get(address).status_code == 404
    sealed = list_reports(outcome=ReportOutcome.SEALED)[0]
    assert counsel.get(reverse("console:report", args=[sealed.key])).status_code == 200
    assert counsel.get(reverse("console:sealed")).status_code == 200
    assert [e.actor for key in (sealed.key, QUEUE) for e in entries_of(key, what=[VIEWED])] == ["mira", "mira"]
    assert log_in(Role.LEAD).get(reverse("console:report", args=[sealed.key])).status_code == 404


def test_roles_open_groups_and_nothing_is_hidden_outside_of_a_look(closed: CaseRow) -> None:
    pairs = ("a=lead", "a = counsel", "b=counsel")
    assert closed_groups(pairs) == {"a", "b"}
    assert closed_groups(pairs, roles=[Role.LEAD]) == {"b"}
    assert closed_groups(pairs, roles=[Role.COUNSEL, Role.ANALYST]) == frozenset()
    assert closed_among({closed.key, "C-999999"}, groups={closed.group}) == {closed.key}
    assert hidden() == frozenset()
    newest = list_reports(limit=500)[0].key
    with hiding(lambda: frozenset({newest})):
        assert newest not in {report.key for report in list_reports(limit=500)}
    assert newest in {report.key for report in list_reports(limit=500)}
    assert list_letters(limit=1)
    assert list_measures(limit=1) is not None
    assert count_wanted_on(["edge-1"]) == {"edge-1": 1}
    with hiding(lambda: frozenset({closed.key, "M-000001", "M-000002"})):
        assert count_wanted_on(["edge-1"]) == {}


def test_a_group_that_there_is_not_closes_nothing_and_health_says_so(
    closed: CaseRow, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in(Role.ANALYST)
    assert "closed_groups" not in client.get(reverse("console:health")).content.decode()
    staff = dataclasses.replace(wiring.settings().staff, closed_groups=("child-abuze=counsel",))
    own = dataclasses.replace(wiring.settings(), staff=staff)
    monkeypatch.setattr(wiring, "settings", lambda: own)
    assert "no clause is of child-abuze" in client.get(reverse("console:health")).content.decode()


def test_a_look_asks_once_what_is_closed_however_much_is_on_the_page(
    closed: CaseRow, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def counted(groups: Any, *, sealed: bool) -> frozenset[str]:
        asked.append(groups)
        return keys_hidden(groups, sealed=sealed)

    monkeypatch.setattr(eyes, "keys_hidden", counted)
    other = CaseRow.objects.exclude(pk=closed.pk).exclude(group=closed.group)[0]
    client = log_in(Role.ANALYST)
    for page in (reverse("console:cases"), reverse("console:case", args=[other.pk])):
        asked.clear()
        assert client.get(page).status_code == 200
        assert len(asked) == 1, page
