"""Customers' webhooks: of their own cases only, after a letter told of it, and never to where nobody may be reached."""

import base64
import hmac
import http.server
import importlib.util
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from django.test import Client

from tipstaff import wiring
from tipstaff.cases.models import CaseRow
from tipstaff.cases.operations import SEALED_MATTER
from tipstaff.cases.queries import list_cases
from tipstaff.host.outward import NotAllowed, Outward
from tipstaff.intake.queries import reports_of_case
from tipstaff.ledger.operations import record, seal_entries
from tipstaff.ledger.queries import recent
from tipstaff.notices.models import LetterRow
from tipstaff.notices.queries import cases_told, list_letters
from tipstaff.procedures import hooks, registering
from tipstaff.procedures.hooks_of_customers import OWN_EVENTS, note_deadlines_near
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.web.portal import people, webhooks
from tipstaff.webhooks import operations, queries
from tipstaff.wiring import jobs
from tipstaff.words import Case, CaseState, LetterKind, Representative, Webhook


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"web_{name}_of_webhooks", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_account = _beside("test_account")


class Program(http.server.BaseHTTPRequestHandler):
    """A customer's program: it keeps what it got, and answers as it is told to."""

    status: int
    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.status)
        self.send_header("Content-Length", "19")
        self.end_headers()
        self.wfile.write(b"<b>words of ours</b")

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
def office(day: object, clock: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings let customers' events go to this machine, and the operator's own nowhere."""
    own = wiring.settings()
    allowed = replace(
        own, portal=replace(own.portal, webhook_hosts=("127.0.0.1",)), server=replace(own.server, data_folder=tmp_path)
    )  # fmt: skip
    monkeypatch.setattr(wiring, "settings", lambda: allowed)
    seal_entries()


def told_case() -> Case:
    """A case of which its customer was told."""
    return next(c for c in list_cases(limit=500) if cases_told([c.key]) and c.state is CaseState.NOTIFIED)


def made(url: str, customer: str, *events: str) -> Webhook:
    return hooks.make(
        url, events=events or OWN_EVENTS, outward=wiring.outward_to_customers(), seal=wiring.seal_secret,
        at=wiring.now(), actor="customer (somebody)", customer=customer,
    )[0]  # fmt: skip


def handed_over(case: Case, kind: LetterKind = LetterKind.NOTICE) -> None:
    """The record says that a letter of this kind was handed over about the case."""
    letter = LetterRow.objects.filter(case=case.key).order_by("id").first()
    assert letter is not None
    LetterRow.objects.filter(pk=letter.pk).update(kind=kind.value)
    record("letter.sent", at=wiring.now(), actor="worker", about=[letter.key, case.key], reply="250 ok")


def run(at: datetime | None = None, **more: object) -> int:
    """One round, as the worker makes it."""
    at = at or wiring.now()
    seal_entries()
    hooks.tell(at=at)
    return hooks.send_due(
        outward=wiring.outward(), to_customers=wiring.outward_to_customers(), unseal=wiring.unseal_secret,
        now=lambda: at, desk=wiring.desk(),
    )  # fmt: skip


def bodies() -> list[dict[str, object]]:
    return [json.loads(body) for _, body in Program.got]


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (LetterKind.NOTICE, "case.opened"),
        (LetterKind.REMINDER, "case.decided"),
        (LetterKind.MEASURE_TAKEN, "measure.in_force"),
        (LetterKind.MEASURE_LIFTED, "measure.lifted"),
        (LetterKind.CASE_CLOSED, "case.closed"),
        (LetterKind.EXTENSION_GRANTED, None),
    ],
)
def test_each_letter_that_went_out_is_an_event_of_its_own_case(
    office: None, program: str, kind: LetterKind, event: str | None
) -> None:
    case = told_case()
    made(program, case.customer)
    handed_over(case, kind)
    assert run() == (event is not None)
    expected = [{"type": event, "timestamp": wiring.now().isoformat(), "data": {"cases": [case.key]}}]
    assert bodies() == (expected if event else []), "its kind and its case, and nothing else"


def test_a_deadline_that_is_near_is_told_once_and_one_that_was_put_off_again(office: None, program: str) -> None:
    case, at = told_case(), wiring.now()
    made(program, case.customer)
    CaseRow.objects.update(due_at=None)
    CaseRow.objects.filter(key=case.key).update(due_at=at + timedelta(hours=25))
    assert note_deadlines_near(at=at) == 0
    assert note_deadlines_near(at=at + timedelta(hours=2)) == 1
    jobs.deadlines_near(0)
    assert note_deadlines_near(at=at + timedelta(hours=2)) == 0
    run()
    assert [(b["type"], b["data"]) for b in bodies()] == [("case.deadline_near", {"cases": [case.key]})]
    CaseRow.objects.filter(key=case.key).update(due_at=at + timedelta(hours=30))
    assert note_deadlines_near(at=at + timedelta(hours=7)) == 1


@pytest.mark.parametrize("how", ["sealed", "closed"])
def test_no_deadline_is_noted_of_what_is_sealed_or_closed_nor_by_two_at_once(
    office: None, program: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    case, at = told_case(), wiring.now()
    made(program, case.customer)
    CaseRow.objects.update(due_at=None)
    CaseRow.objects.filter(key=case.key).update(due_at=at + timedelta(hours=2))
    if how == "sealed":
        CaseRow.objects.filter(key=case.key).update(resource=SEALED_MATTER)
    else:
        own = wiring.settings()
        closing = replace(own, staff=replace(own.staff, closed_groups=(f"{case.group}=counsel",)))
        monkeypatch.setattr(wiring, "settings", lambda: closing)
    jobs.deadlines_near(0)
    assert "case.deadline_near" not in [e.what for e in recent(about=case.key, limit=5)]
    assert jobs.deadlines_near.lock == "deadlines_near"


def test_nobody_is_told_of_anybody_elses_case_and_an_operators_webhook_goes_on_as_before(
    office: None, program: str
) -> None:
    case = told_case()
    other = next(c.customer for c in list_cases(limit=500) if c.customer != case.customer)
    hook = made(program, other)
    handed_over(case)
    assert run() == 0
    assert queries.list_dispatches(hook.key) == []


@pytest.mark.parametrize("how", ["untold", "sealed", "closed", "diverted"])
def test_what_they_were_not_told_what_is_sealed_and_what_is_closed_is_told_to_nobody(
    office: None, program: str, how: str
) -> None:
    case = told_case()
    made(program, case.customer)
    handed_over(case)
    seal_entries()
    match how:
        case "untold":
            LetterRow.objects.filter(case=case.key).update(sent_at=None)
        case "sealed":
            CaseRow.objects.filter(key=case.key).update(resource=SEALED_MATTER)
        case "diverted":
            LetterRow.objects.filter(case=case.key).update(diverted=True)
    assert hooks.tell(at=wiring.now(), closed=[case.group] if how == "closed" else []) == 0


def test_what_was_sealed_before_it_went_out_goes_out_no_more(office: None, program: str) -> None:
    case = told_case()
    hook = made(program, case.customer)
    handed_over(case)
    seal_entries()
    assert hooks.tell(at=wiring.now()) == 1
    CaseRow.objects.filter(key=case.key).update(resource=SEALED_MATTER)
    assert run() == 0
    assert Program.got == []
    assert queries.list_dispatches(hook.key) == [], "nothing says that there was anything"


def test_who_complained_and_what_was_said_stands_in_no_message(office: None, program: str) -> None:
    case = told_case()
    made(program, case.customer)
    for kind in LetterKind:
        handed_over(case, kind)
        run()
    said = b" ".join(body for _, body in Program.got)
    assert said.count(case.key.encode()) == 5
    for report in reports_of_case(case.key):
        assert report.sender.encode() not in said
        assert report.key.encode() not in said
    assert set(json.loads(Program.got[0][1])["data"]) == {"cases"}


def test_a_manager_makes_tries_and_forgets_one_at_the_portal_and_others_do_not(office: None, program: str) -> None:
    case, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    page = f"/account/webhooks/{case.customer}"
    shown = client.post(f"{page}/make", {"url": program, "event": ["case.opened", "case.closed"]}).content.decode()
    (secret,) = [word for word in shown.replace("<", " ").replace(">", " ").split() if word.startswith("whsec_")]
    assert secret not in client.get(page).content.decode(), "it is shown once"
    (hook,) = queries.list_webhooks(customer=case.customer)
    assert hook.events == ("case.opened", "case.closed")
    client.post(f"{page}/{hook.key}/try")
    assert run() == 1
    headers, body = Program.got[0]
    proof = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")),
        f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body, "sha256",
    )  # fmt: skip
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(proof).decode()}"
    one = client.get(f"{page}/{hook.key}").content.decode()
    assert ">200<" in one
    assert "words of ours" not in one
    other = _account.of_another(case)
    foreign, _, _ = _account.come_in(get_customer(other.customer).representative.email)  # type: ignore[union-attr]  # they have one
    for verb, path in (("get", page), ("get", f"{page}/{hook.key}"), ("post", f"{page}/{hook.key}/forget"),
                       ("post", f"{page}/make"),
                       ("post", f"/account/webhooks/{other.customer}/{hook.key}/forget"),
                       ("get", f"/account/webhooks/{other.customer}/{hook.key}")):  # fmt: skip
        assert getattr(foreign, verb)(path).status_code == 404, path
    assert [e.what for e in recent(about=case.customer, limit=2)] == ["webhook.tried", "webhook.made"]
    client.post(f"{page}/{hook.key}/forget")
    assert queries.list_webhooks(customer=case.customer) == []


def test_a_screen_left_open_makes_and_forgets_none(office: None, program: str, clock: Callable[..., datetime]) -> None:
    case, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    hook = made(program, case.customer)
    clock(timedelta(minutes=16))
    page = f"/account/webhooks/{case.customer}"
    assert client.post(f"{page}/make", {"url": program, "event": "case.opened"})["Location"] == "/account/log-in"
    assert client.post(f"{page}/{hook.key}/forget")["Location"] == "/account/log-in"
    assert [h.key for h in queries.list_webhooks(customer=case.customer)] == [hook.key]


@pytest.mark.parametrize("how", ["let out", "less", "forgotten", "no contact"])
def test_what_somebody_made_is_switched_off_when_they_may_not_manage_it_any_more(
    office: None, program: str, how: str
) -> None:
    case, email = _account.of_somebody()
    manager, _, _ = _account.come_in(email)
    if how != "no contact":
        whose, form = f"/account/people/{case.customer}", {"email": "colleague@example.com", "role": "manages"}
        manager.post(f"{whose}/invite", form)
    other = next(c.customer for c in list_cases(limit=500) if c.customer != case.customer)
    who = email if how == "no contact" else "colleague@example.com"
    theirs, elsewhere, kept = (
        hooks.make(
            program, events=OWN_EVENTS, outward=wiring.outward_to_customers(), seal=wiring.seal_secret, at=wiring.now(),
            actor=f"customer ({maker})", customer=customer,
        )[0].key
        for maker, customer in ((who, case.customer), (who, other), ("third@example.com", case.customer))
    )  # fmt: skip
    match how:
        case "let out":
            (id,) = re.findall(r"/(\d+)/let-out", manager.get(whose).content.decode())
            manager.post(f"{whose}/{id}/let-out")
        case "less":
            manager.post(f"{whose}/invite", {**form, "role": "answers"})
        case "forgotten":
            assert people.forget(who, customer=case.customer, at=wiring.now(), actor="eva")
        case "no contact":
            new = Representative(name="New", email="new@example.com", verified_at=wiring.now())
            with_new = [*representatives_of(case.customer), new]
            registering.designate(case.customer, with_new, at=wiring.now(), actor="lena")
            assert queries.get_webhook(theirs).on  # type: ignore[union-attr]  # it is there
            manager.post(f"/account/people/{case.customer}/contacts", {"act": "remove", "email": email})
            assert [one.email for one in representatives_of(case.customer)] == ["new@example.com"]
    gone, away, stays = (queries.get_webhook(key) for key in (theirs, elsewhere, kept))
    assert gone is not None
    assert away is not None
    assert stays is not None
    assert (gone.on, away.on, stays.on) == (False, False, True), "none of theirs that they may not manage"
    assert "Who made it" in gone.note
    handed_over(case)
    run()
    assert [body["type"] for body in bodies()].count("case.opened") == 1, "the third's"
    assert "webhook.switched_off" in [e.what for e in recent(about=f"webhook:{theirs}", limit=3)]


@pytest.mark.parametrize(
    ("allowed", "url", "address"),
    [
        ((), "https://hooks.example.com/", "203.0.113.9"),
        (("*",), "http://hooks.example.com/", "203.0.113.9"),
        (("*",), "https://hooks.example.com:8443/", "203.0.113.9"),
        (("*",), "https://127.0.0.1/", "127.0.0.1"),
        (("*",), "https://[::1]/", "::1"),
        (("*",), "https://169.254.169.254/latest", "169.254.169.254"),
        (("*",), "https://8.8.8.8/", "8.8.8.8"),
        (("*",), "https://localhost/", "127.0.0.1"),
        (("*",), "https://hooks.example.com/", "10.0.0.7"),
        (("*",), "https://hooks.example.com/", "::ffff:10.0.0.7"),
        (("*",), "https://hooks.example.com/", "64:ff9b::a00:7"),
        (("*.example.com",), "https://hooks.example.com/", "169.254.169.254"),
    ],
)
def test_no_host_inside_and_none_that_the_settings_do_not_name_is_reached(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...], url: str, address: str
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, 1, 6, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", _never)
    with pytest.raises(NotAllowed):
        Outward(allowed, setting="[portal] webhook_hosts").post(url, b"{}", {}, timeout_seconds=1)


def _never(*_: object, **__: object) -> None:
    raise AssertionError("it was connected to")


def test_a_customer_is_not_told_where_a_name_leads_inside(office: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own = wiring.settings()
    monkeypatch.setattr(wiring, "settings", lambda: replace(own, portal=replace(own.portal, webhook_hosts=("*",))))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("10.9.8.7", 443))])
    case, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    page = f"/account/webhooks/{case.customer}"
    assert "https to a host that we allow" in client.post(
        f"{page}/make", {"url": "https://10.9.8.7/", "event": "case.opened"}, follow=True
    ).content.decode()  # fmt: skip
    client.post(f"{page}/make", {"url": "https://inside.example.com/", "event": "case.opened"})
    (hook,) = queries.list_webhooks(customer=case.customer)
    client.post(f"{page}/{hook.key}/try")
    assert run() == 0
    for shown in (client.get(page), client.get(f"{page}/{hook.key}")):
        assert "10.9.8.7" not in shown.content.decode()
    token = Client(headers={"Authorization": f"Bearer {_account.token_for(client, 'webhooks')}"})
    for path in (f"?account={case.customer}", f"/{hook.key}/dispatches"):
        answer = token.get(f"/api/own/webhooks{path}")
        assert answer.status_code == 200
        assert "10.9.8.7" not in answer.content.decode()


def test_digits_of_a_hosts_name_are_no_status(office: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own = wiring.settings()
    monkeypatch.setattr(wiring, "settings", lambda: replace(own, portal=replace(own.portal, webhook_hosts=("*",))))
    case = told_case()
    hook = made("https://200.shop.example/", case.customer)
    hooks.try_webhook(hook.key, at=wiring.now(), actor="customer (somebody)")

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror("it is not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    assert run() == 0
    (one,) = queries.list_dispatches(hook.key)
    assert one.said.startswith("200")
    assert [told["status"] for told in webhooks.told_of(hook)] == [None]


def test_one_that_takes_nothing_for_long_is_switched_off_and_the_contact_gets_one_letter(
    office: None, program: str
) -> None:
    case = told_case()
    hook = made(program, case.customer)
    Program.status = 503
    handed_over(case)
    when = wiring.now()
    for _ in range(30):
        run(when)
        found = queries.get_webhook(hook.key)
        assert found is not None
        if not found.on:
            break
        when = queries.list_dispatches(hook.key)[0].due_at or when + timedelta(hours=1)
    assert not found.on
    assert when - wiring.now() >= operations.OFF_AFTER
    run(when + timedelta(days=1))
    letters = [x for x in list_letters(limit=500) if x.kind is LetterKind.WEBHOOK_OFF]
    customer = get_customer(case.customer)
    assert customer is not None
    assert customer.representative is not None
    assert [x.to for x in letters] == [customer.representative.email]
    assert "127.0.0.1" in letters[0].body
    assert program not in letters[0].body
    assert "503" not in letters[0].body


def test_one_who_answers_an_octet_at_a_time_holds_nobody_for_longer_than_the_time_for_all_of_it() -> None:
    begun, over = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        line, _ = listener.accept()
        line.recv(4096)
        begun.set()
        line.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            try:
                line.sendall(b"X-A: b\r\n")
            except OSError:
                break
        line.close()

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(OSError, match="did not answer within"):
            Outward(["127.0.0.1"]).post(
                f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {}, timeout_seconds=0.4
            )  # fmt: skip
    finally:
        over.set()
        thread.join()
        listener.close()
    assert begun.is_set()


def test_each_customers_first_comes_before_anybodys_second_and_the_operators_own_before_all(
    office: None, program: str, at: datetime
) -> None:
    case = told_case()
    other = next(c.customer for c in list_cases(limit=500) if c.customer != case.customer)
    many, one = made(program, case.customer), made(program, other)
    own, _ = hooks.make(
        program, events=["case.*"], outward=Outward(["127.0.0.1"]), seal=wiring.seal_secret, at=at, actor="eva"
    )  # fmt: skip
    tried = [hooks.try_webhook(key, at=at, actor="x").number for key in (many.key, many.key, one.key, own.key)]
    assert queries.due(at, limit=3) == [tried[3], tried[0], tried[2]]


def test_five_are_the_most_and_only_events_of_customers_can_be_asked_for(office: None, program: str) -> None:
    case = told_case()
    for event in ("case.*", "case.noted", "report.decided", "letter.sent"):
        with pytest.raises(hooks.NoSuchEvent):
            made(program, case.customer, event)
    for _ in range(hooks.HOOKS_MAX):
        made(program, case.customer)
    with pytest.raises(hooks.TooManyWebhooks):
        made(program, case.customer)


def test_a_customers_program_keeps_webhooks_with_the_scope_for_it_and_its_person_s_role(
    office: None, program: str
) -> None:
    case, email = _account.of_somebody()
    client, _, _ = _account.come_in(email)
    reads = Client(headers={"Authorization": f"Bearer {_account.token_for(client, 'read', 'answer')}"})
    keeps = Client(headers={"Authorization": f"Bearer {_account.token_for(client, 'webhooks')}"})
    asked = {"account": case.customer, "url": program, "events": ["case.opened"]}
    assert reads.post("/api/own/webhooks", asked, "application/json").status_code == 403
    answer = keeps.post("/api/own/webhooks", asked, "application/json")
    assert answer.status_code == 200, answer.content
    key = answer.json()["webhook"]["key"]
    assert answer.json()["secret"].startswith("whsec_")
    assert "whsec_" not in keeps.get(f"/api/own/webhooks?account={case.customer}").content.decode()
    other = _account.of_another(case)
    foreign = made(program, other.customer)
    for verb, path, body in (
        ("get", f"/api/own/webhooks?account={other.customer}", None),
        ("get", f"/api/own/webhooks/{foreign.key}/dispatches", None),
        ("delete", f"/api/own/webhooks/{foreign.key}", None),
        ("post", f"/api/own/webhooks/{foreign.key}", {"act": "try"}),
        ("post", "/api/own/webhooks", {**asked, "account": other.customer}),
    ):
        sent = getattr(keeps, verb)(path, body, "application/json") if body else getattr(keeps, verb)(path)
        assert sent.status_code == 404, path
    assert keeps.post(f"/api/own/webhooks/{key}", {"act": "try"}, "application/json").status_code == 200
    assert run() == 1
    (one,) = keeps.get(f"/api/own/webhooks/{key}/dispatches").json()
    assert (one["event"], one["state"], one["status"]) == ("webhook.tried", "taken", 200)
    assert keeps.post(f"/api/own/webhooks/{key}", {"act": "forget"}, "application/json").status_code == 422
    for url in ("https://elsewhere.example.org/", "https://10.0.0.1/"):
        assert keeps.post("/api/own/webhooks", {**asked, "url": url}, "application/json").status_code == 422
    assert keeps.delete(f"/api/own/webhooks/{key}").status_code == 204
