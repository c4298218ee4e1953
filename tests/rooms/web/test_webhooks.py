"""Webhooks: what happens is told, signed, once it stands in the record; nothing is lost; a dead end is switched off."""

import base64
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from tipstaff import wiring
from tipstaff.cases.queries import list_cases
from tipstaff.host.outward import Outward
from tipstaff.intake.queries import list_reports
from tipstaff.ledger.operations import record, seal_entries
from tipstaff.ledger.queries import recent
from tipstaff.procedures import complaint, hooks
from tipstaff.webhooks import operations, queries
from tipstaff.webhooks.models import DispatchRow
from tipstaff.wiring import jobs
from tipstaff.words import ReportOutcome, Role, Webhook

LogIn = Callable[..., Client]


class Program(http.server.BaseHTTPRequestHandler):
    """The operator's own program: it keeps what it got, and answers as it is told to."""

    status: int
    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def program() -> Iterator[str]:
    Program.got, Program.status = [], 200
    server = http.server.HTTPServer(("127.0.0.1", 0), Program)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def office(day: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings let events go to this machine; keys are the test's own; what is on record stands in the chain."""
    own = wiring.settings()
    allowed = replace(
        own, api=replace(own.api, webhook_hosts=("127.0.0.1",)), server=replace(own.server, data_folder=tmp_path)
    )  # fmt: skip
    monkeypatch.setattr(wiring, "settings", lambda: allowed)
    seal_entries()


def made(url: str, *events: str, at: datetime) -> tuple[Webhook, str]:
    return hooks.make(
        url, events=events or ("case.*",), outward=wiring.outward(), seal=wiring.seal_secret, at=at, actor="eva"
    )  # fmt: skip


def run(at: datetime) -> int:
    """One round, as the worker makes it."""
    seal_entries()
    hooks.tell(at=at)
    return hooks.send_due(outward=wiring.outward(), unseal=wiring.unseal_secret, now=lambda: at)


def note(at: datetime, what: str = "case.noted", **detail: object) -> str:
    key = list_cases()[0].key
    record(what, at=at, actor="lena", about=[key, "R-000001.2", "acct-1", "staff:lena"], words="secret words", **detail)
    return key


def now_of(webhook: Webhook) -> Webhook:
    found = queries.get_webhook(webhook.key)
    assert found is not None
    return found


def test_what_happens_is_told_signed_and_without_a_word_of_what_was_said(
    office: None, at: datetime, program: str
) -> None:
    webhook, secret = made(program, at=at)
    key = note(at)
    note(at, "report.read")
    note(at, "case.matter_sealed")
    assert run(at) == 1
    ((headers, body),) = Program.got
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("case.noted", at.isoformat())
    assert told["data"] == {"entry": told["data"]["entry"], "case": key, "report": "R-000001"}
    proof = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")),
        f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body, "sha256",
    )  # fmt: skip
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(proof).decode()}"
    assert int(headers["webhook-timestamp"]) == at.timestamp()
    note(at)
    seal_entries()
    jobs.webhooks(0)
    assert len(Program.got) == 2, "the worker's job does the same"
    assert run(at) == 0, "it is told once"
    assert now_of(webhook).waiting == 0


def test_an_alarm_of_a_device_is_told_with_its_name_and_not_with_why(office: None, at: datetime, program: str) -> None:
    made(program, "device.*", at=at)
    record("device.silent", at=at, actor="enforcer", about=["edge1"], why="The password is wrong.")
    record("device.intent", at=at, actor="enforcer", about=["edge1", "M-000001"], generation=1)
    assert run(at) == 1
    ((_, body),) = Program.got
    told = json.loads(body)
    assert (told["type"], told["data"]) == ("device.silent", {"entry": told["data"]["entry"], "device": "edge1"})


def test_nothing_is_told_of_what_is_sealed(office: None, at: datetime, program: str) -> None:
    made(program, "report.decided", at=at)
    waiting = [r for r in list_reports(limit=50) if r.outcome is ReportOutcome.WITH_A_PERSON]
    complaint.seal_by_hand(waiting[0].key, desk=wiring.desk(), at=at, actor="lena")
    complaint.set_aside(waiting[1].key, why="Not so.", tell=False, desk=wiring.desk(), at=at, actor="lena")
    assert run(at) == 1
    assert json.loads(Program.got[0][1])["data"]["report"] == waiting[1].key


def test_nothing_is_told_before_it_stands_in_the_chain_nor_from_before_it_was_asked_for(
    office: None, at: datetime, program: str
) -> None:
    note(at)
    seal_entries()
    made(program, at=at)
    note(at)
    hooks.tell(at=at)
    assert queries.due(at, limit=9) == []
    seal_entries()
    hooks.tell(at=at)
    assert len(queries.due(at, limit=9)) == 1


def test_a_worker_that_dies_at_any_moment_loses_nothing_and_the_message_keeps_its_id(
    office: None, at: datetime, program: str
) -> None:
    webhook, _ = made(program, at=at)
    note(at)
    seal_entries()
    hooks.tell(at=at)
    (number,) = queries.due(at, limit=9)
    begun = operations.begin_attempt(number, at=at)
    assert begun is not None
    # Here it is killed: before the message went out, or after.
    assert queries.due(at, limit=9) == []
    later = at + operations.BACK_OFF[0]
    assert run(later) == 1
    assert Program.got[0][0]["webhook-id"] == begun[0].id
    for _ in range(len(operations.BACK_OFF) + 1):
        hooks.send_again(webhook.key, number, at=later)
        for n in range(20):
            operations.begin_attempt(number, at=later + timedelta(days=2 * n))
        assert queries.due(later + timedelta(days=99), limit=9) == [number], "an attempt that never ended is made again"


def test_a_failure_is_tried_again_later_and_later_and_others_go_on(office: None, at: datetime, program: str) -> None:
    webhook, _ = made(program, at=at)
    note(at)
    Program.status = 500
    when, gaps = at, []
    for _ in range(4):
        assert run(when) == 0
        (dispatch,) = queries.list_dispatches(webhook.key)
        assert dispatch.due_at is not None
        gaps.append((dispatch.due_at - when).total_seconds())
        assert run(dispatch.due_at - timedelta(seconds=1)) == 0
        when = dispatch.due_at
    assert gaps == [5, 300, 1800, 7200]
    assert len(Program.got) == 4
    assert len({headers["webhook-id"] for headers, _ in Program.got}) == 1
    failing = now_of(webhook)
    assert (failing.failing_since, failing.note, failing.waiting) == (at, "500", 1)
    Program.status = 204
    note(when)
    assert run(when) == 2
    assert (now_of(webhook).failing_since, now_of(webhook).note) == (None, "")


def test_what_takes_nothing_for_long_is_switched_off_with_a_note_and_loses_nothing(
    office: None, at: datetime, program: str
) -> None:
    webhook, _ = made(program, at=at)
    Program.status = 503
    note(at)
    when = at
    while now_of(webhook).on:
        run(when)
        when = queries.list_dispatches(webhook.key)[-1].due_at or when + timedelta(hours=1)
    off = now_of(webhook)
    assert when - at >= operations.OFF_AFTER
    assert off.note.startswith(f"Nothing was taken since {at:%Y-%m-%d %H:%M} UTC. The last answer: 503")
    assert recent(about=f"webhook:{webhook.key}", limit=1)[0].what == "webhook.switched_off"
    asked = len(Program.got)
    note(when)
    run(when + timedelta(days=9))
    assert len(Program.got) == asked
    Program.status = 200
    hooks.switch(webhook.key, on=True, at=when, actor="eva")
    assert run(when) == 2, "what waited, and what happened meanwhile"
    assert now_of(webhook).waiting == 0


def test_one_that_is_on_again_after_a_year_is_told_of_seven_days_and_reads_no_more(
    office: None, at: datetime, program: str
) -> None:
    webhook, _ = made(program, at=at)
    hooks.switch(webhook.key, on=False, at=at, actor="eva")
    later = at + timedelta(days=365)
    for when in (at, later - timedelta(days=7, seconds=1), later - timedelta(days=6), later):
        note(when)
    seal_entries()
    hooks.switch(webhook.key, on=True, at=later, actor="eva")
    assert run(later) == 2
    assert [json.loads(body)["timestamp"] for _, body in Program.got] == [
        (later - timedelta(days=6)).isoformat(), later.isoformat()
    ]  # fmt: skip


def test_a_round_reads_so_much_and_sends_it_and_the_next_goes_on(
    office: None, at: datetime, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook, _ = made(program, at=at)
    for _ in range(5):
        note(at)
    monkeypatch.setattr(hooks, "READ_AT_A_TIME", 1)
    monkeypatch.setattr(hooks, "READS_A_ROUND", 2)
    sent = [run(at) for _ in range(4)]
    assert max(sent) == 2
    assert sum(sent) == 5
    assert len(queries.list_dispatches(webhook.key)) == 5, "each once"


def test_what_waits_for_one_that_stays_off_is_forgotten_after_a_month(office: None, at: datetime, program: str) -> None:
    off, on = (made(program, at=at)[0] for _ in range(2))
    Program.status = 503
    note(at)
    run(at)
    hooks.switch(off.key, on=False, at=at, actor="eva")
    assert operations.tidy(at=at + timedelta(days=30)) == 0
    assert operations.tidy(at=at + timedelta(days=31)) == 1
    assert (now_of(off).waiting, now_of(on).waiting) == (0, 1)
    hooks.switch(off.key, on=True, at=at, actor="eva")
    note(at)
    run(at)
    for each in (off, on):
        hooks.switch(each.key, on=False, at=at - timedelta(days=31), actor="eva")
    DispatchRow.objects.update(at=at - timedelta(days=31))
    jobs.webhooks(0)
    assert (now_of(off).waiting, now_of(on).waiting) == (0, 0), "where all are off too"


def test_one_that_says_it_is_gone_is_switched_off_at_once(office: None, at: datetime, program: str) -> None:
    webhook, _ = made(program, at=at)
    Program.status = 410
    note(at)
    run(at)
    assert not now_of(webhook).on
    assert "gone (410)" in now_of(webhook).note


def test_an_address_that_is_no_longer_allowed_gets_nothing_more(office: None, at: datetime, program: str) -> None:
    webhook, _ = made(program, at=at)
    note(at)
    seal_entries()
    hooks.tell(at=at)
    assert hooks.send_due(outward=Outward(()), unseal=wiring.unseal_secret, now=lambda: at) == 0
    assert Program.got == []
    assert "not among [api] webhook_hosts" in now_of(webhook).note


def test_the_secret_is_kept_sealed_and_shown_once(office: None, at: datetime, program: str, log_in: LogIn) -> None:
    client = log_in(Role.ENGINEER, name="eva")
    asked, once = {"url": program, "events": ["case.*"]}, {"Idempotency-Key": "k"}
    answer = client.post("/api/webhooks", asked, "application/json", headers=once)
    key, secret = answer.json()["webhook"]["key"], answer.json()["secret"]
    assert secret.startswith("whsec_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_webhookrow")
        kept = bytes(cursor.fetchone()[0])
        cursor.execute("SELECT string_agg(detail::text, '') FROM ledger_entry")
        said = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(answer::text, '') FROM intake_handedinrow")
        said += cursor.fetchone()[0]
    again = client.post("/api/webhooks", asked, "application/json", headers=once)
    assert (again["Idempotent-Replay"], again.json()) == ("true", {**answer.json(), "secret": None})
    assert base64.b64decode(secret.removeprefix("whsec_")) not in kept
    assert secret.encode() not in kept
    assert secret not in said + client.get(f"/api/webhooks/{key}").content.decode()
    assert wiring.unseal_secret(kept).decode() == secret


def test_webhooks_are_kept_by_the_api(office: None, at: datetime, program: str, log_in: LogIn) -> None:
    client = log_in(Role.LEAD)

    def post(path: str, body: dict[str, object], status: int = 200) -> dict[str, object]:
        answer = client.post(f"/api/webhooks{path}", body, "application/json")
        assert answer.status_code == status, answer.content
        return answer.json() if answer.content else {}

    for url, events in (
        ("https://inside.example.net/", ["case.*"]),
        (program.replace("127.0.0.1", "localhost"), ["case.*"]),
        (program, ["evidence.sealed"]),
        (program, ["sighting.*"]),
        (program, []),
    ):
        post("", {"url": url, "events": events}, 422)
    assert client.get("/api/webhooks").json() == []
    key = post("", {"url": program, "events": ["case.noted"]})["webhook"]["key"]  # type: ignore[index]  # a document
    for _ in range(3):
        note(at)
    assert run(at) == 3
    path, numbers = f"/api/webhooks/{key}/dispatches?limit=2", []
    while path:
        page = client.get(path)
        numbers += [one["number"] for one in page.json()]
        assert {one["state"] for one in page.json()} == {"taken"}
        path = page.get("Link", "")[1:].partition(">")[0]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 3
    post(f"/{key}/dispatches/{numbers[0]}/again", {})
    assert run(at) == 1
    assert Program.got[3][0]["webhook-id"] in {headers["webhook-id"] for headers, _ in Program.got[:3]}
    post(f"/{key}/dispatches/0/again", {}, 404)
    assert post(f"/{key}/switch", {"on": False})["on"] is False
    assert client.delete(f"/api/webhooks/{key}").status_code == 204
    assert client.get(f"/api/webhooks/{key}").status_code == 404
    assert log_in(Role.ANALYST).get("/api/webhooks").status_code == 403


ROUND = """
import os, sys
from datetime import datetime
import django
django.setup()
from tipstaff.host.outward import Outward
from tipstaff.procedures import hooks
at = datetime.fromisoformat(sys.argv[1])
hooks.send_due(outward=Outward(["127.0.0.1"]), unseal=lambda sealed: sealed, now=lambda: at)
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_a_program_answers_is_made_good_by_the_next(at: datetime, tmp_path: Path) -> None:
    heard, secret = threading.Event(), "whsec_" + base64.b64encode(b"of this test").decode()
    ids: list[str] = []

    class Slow(Program):
        def do_POST(self) -> None:
            ids.append(self.headers["webhook-id"])
            self.rfile.read(int(self.headers["Content-Length"]))
            if len(ids) == 1:
                heard.set()
                self.rfile.read(1)  # Until whoever asked is gone.
                return
            self.send_response(204)
            self.end_headers()

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    webhook = operations.make_webhook(
        f"http://127.0.0.1:{server.server_port}/", events=["case.*"], sealed_secret=secret.encode(), told_to=0, at=at,
        actor="eva",
    )  # fmt: skip
    record("case.noted", at=at, actor="lena", about=["C-000001"])
    seal_entries()
    hooks.tell(at=at)
    own = connection.settings_dict
    url = f"postgresql://{own['USER']}:{own['PASSWORD']}@/{own['NAME']}?host={own['HOST']}&port={own['PORT']}"
    environment = {**os.environ, "TIPSTAFF_DATABASE_URL": url, "TIPSTAFF_DATA": str(tmp_path)}
    worker = subprocess.Popen([sys.executable, "-c", ROUND, at.isoformat()], env=environment)
    try:
        assert heard.wait(60), "it never asked"
    finally:
        worker.kill()
        worker.wait()
    (waits,) = queries.list_dispatches(webhook.key)
    assert (waits.attempts, waits.taken_at, waits.due_at) == (1, None, at + operations.BACK_OFF[0])
    later = at + operations.BACK_OFF[0]
    assert hooks.send_due(outward=Outward(["127.0.0.1"]), unseal=lambda sealed: sealed, now=lambda: later) == 1
    server.shutdown()
    server.server_close()
    assert len(ids) == 2
    assert ids[0] == ids[1] == waits.id


def test_the_console_adds_tries_switches_and_forgets_one_and_shows_what_it_was_answered(
    office: None, at: datetime, program: str, log_in: LogIn
) -> None:
    eva, lena = log_in(Role.ENGINEER, name="eva"), log_in(Role.ANALYST, name="lena")
    assert lena.get("/console/webhooks").status_code == 403
    shown = eva.post("/console/webhooks/make", {"url": program, "events": "case.opened letter.*"}).content.decode()
    assert "whsec_" in shown
    assert "whsec_" not in eva.get("/console/webhooks").content.decode()
    (webhook,) = queries.list_webhooks()
    page = f"/console/webhooks/{webhook.key}"
    assert lena.post(f"{page}/try").status_code == 403

    eva.post(f"{page}/try")
    eva.post(f"{page}/try")
    assert run(at) == 2
    headers, body = Program.got[0]
    assert json.loads(body) == {"type": "webhook.tried", "timestamp": at.isoformat(), "data": {}}
    assert headers["webhook-id"].startswith("msg_")
    assert "200" in eva.get(page).content.decode()
    assert recent(about=f"webhook:{webhook.key}", limit=1)[0].actor == "eva"

    eva.post(f"{page}/again", {"number": str(queries.list_dispatches(webhook.key)[0].number)})
    assert run(at) == 1
    assert Program.got[2][0]["webhook-id"] == Program.got[1][0]["webhook-id"], "whoever gets it twice can tell"
    eva.post(f"{page}/switch", {"on": "no"})
    assert "It is off" in eva.post(f"{page}/try", follow=True).content.decode()
    assert run(at) == 0
    eva.post(f"{page}/forget")
    assert eva.get(page).status_code == 404
    assert queries.list_webhooks() == []


def test_the_console_says_why_an_address_is_not_allowed(office: None, log_in: LogIn) -> None:
    eva = log_in(Role.ENGINEER)
    for url, events in (("https://elsewhere.example.org/", "case.*"), ("http://127.0.0.1:1/", "mail.read")):
        answer = eva.post("/console/webhooks/make", {"url": url, "events": events}, follow=True)
        assert 'role="status"' in answer.content.decode()
    assert queries.list_webhooks() == []
