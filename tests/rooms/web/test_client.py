"""The client for Python: true to the API's document, and careful on the wire. The manual's examples run."""

import http.server
import importlib.util
import io
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from ninja import Schema

from tipstaff import wiring
from tipstaff.cases.queries import list_cases
from tipstaff.client import Client, Refused, Unreachable
from tipstaff.client.operations import EndIn
from tipstaff.registry.queries import all_holdings_of
from tipstaff.web.roles import give_roles
from tipstaff.web.tokens import SCOPES, make_token
from tipstaff.words import Role

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/operate/api.md").read_text(encoding="utf-8"), re.S)


class InProcess(urllib.request.HTTPSHandler):
    """The way to the desk without a network: what the client sends goes to the site as it is."""

    def https_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:  # type: ignore[override]  # it is enough
        data = request.data if isinstance(request.data, bytes) else b""
        url = request.full_url.removeprefix("https://abuse.example.net")
        headers = dict(request.header_items())
        kind = headers.pop("Content-type", "application/octet-stream")
        answer = Browser().generic(request.get_method(), url, data, kind, headers=headers)
        told = Message()
        for name, value in answer.headers.items():
            told[name] = value
        body = io.BytesIO(b"".join(answer.streaming_content) if answer.streaming else answer.content)  # type: ignore[arg-type]  # no page is asynchronous
        response = urllib.response.addinfourl(body, told, request.full_url, answer.status_code)
        response.msg = answer.reason_phrase  # type: ignore[attr-defined]  # urllib reads it
        return response


@pytest.fixture
def in_process(day: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    build = urllib.request.build_opener
    monkeypatch.setattr(urllib.request, "build_opener", lambda *handlers: build(InProcess(), *handlers))


def token(*scopes: str) -> str:
    user, _ = User.objects.get_or_create(username="lena")
    give_roles(user, frozenset({Role.LEAD}))
    return make_token("client", owner="lena", scopes=scopes, days=1, at=wiring.now(), actor="lena")[1]


def test_it_is_as_the_document_says(db: None) -> None:
    spec = importlib.util.spec_from_file_location("tools_client", ROOT / "tools" / "client.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.made(tool.document()) == tool.FILE.read_text(encoding="utf-8"), "run tools/client.py"


def test_no_two_shapes_of_the_api_share_a_name(db: None) -> None:
    """The document has one place for a name: of two, one operation would be told with the other's fields."""
    from tipstaff.web.api.urls import api

    assert api.get_openapi_schema()["paths"], "all of the API is loaded"
    found, below = set[type[Schema]](), [Schema]
    while below:
        below = [each for one in below for each in one.__subclasses__() if each not in found]
        found.update(below)
    modules: dict[str, set[str]] = {}
    for each in found:
        if each.__module__.startswith("tipstaff."):
            modules.setdefault(each.__name__, set()).add(each.__module__)
    assert len(modules) > 50
    assert {name: sorted(where) for name, where in modules.items() if len(where) > 1} == {}


def test_it_needs_the_standard_library_alone() -> None:
    script = (
        "import sys; import tipstaff.client; print([m for m in ('django', 'pydantic', 'ninja') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_manuals_examples_do_what_they_say(in_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(EXAMPLES) == 3
    names = {"TOKEN": token("cases:read", "cases:act")}
    for example in EXAMPLES:
        exec(compile(example, "docs/operate/api.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    newest = [case.key for case in list_cases(order="newest")]
    assert [line.split()[0] for line in said[:-1]] == newest
    assert said[-1] == "The case is yours. lena"


def test_pages_etags_and_keys_are_its_to_keep(in_process: None) -> None:
    desk = Client("https://abuse.example.net", token=token(*SCOPES))
    all_at_once = [case["key"] for case in desk.list_cases(order="newest").value]
    assert [case["key"] for case in desk.each(desk.list_cases, order="newest", limit=1)] == all_at_once
    key = all_at_once[0]
    first = desk.case_note(key, {"text": "Once."}, idempotency_key="k")
    assert (first.replayed, desk.case_note(key, {"text": "Once."}, idempotency_key="k").replayed) == (False, True)
    with pytest.raises(Refused, match="look at it") as why:
        desk.report_set_aside(desk.list_reports().value[0]["key"], {"why": "x"}, if_match='"old"')
    assert why.value.status == 412
    file = ("customers.csv", b"key,name\nacct-77,Placeholder 77\n")
    assert desk.import_file(file, dry_run=True).value["added"] == 1
    assert EndIn.__annotations__.keys() == {"held_until"}
    held = all_holdings_of("acct-1002")[0]
    desk.end_holding(held.key, {"held_until": "2031-01-01T00:00:00Z"})
    assert next(h.held_until for h in all_holdings_of("acct-1002") if h.key == held.key) == datetime(
        2031, 1, 1, tzinfo=UTC
    )
    with pytest.raises(ValueError, match="no http"):
        Client("ftp://abuse.example.net", token="x")


class Moody(http.server.BaseHTTPRequestHandler):
    """A desk in trouble: each answer of the script once, and what was sent is kept."""

    script: list[tuple[int, dict[str, str]] | None]
    sent: list[tuple[str, str, str | None]]

    def do_POST(self) -> None:
        self.sent.append((self.path, self.headers["Authorization"], self.headers["Idempotency-Key"]))
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.script.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        body = b'{"detail": "No."}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[str]:
    Moody.sent = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_it_comes_back_when_told_to_and_nothing_is_asked_for_twice(moody: str) -> None:
    waited: list[float] = []
    Moody.script = [(429, {"Retry-After": "7"}), None, (503, {}), (200, {})]
    desk = Client(moody, token="t", wait=waited.append)
    desk.case_note("C-1/x", {"text": "x"})
    assert waited == [7, 4, 8]
    assert len({key for _, _, key in Moody.sent}) == 1, "one key for all attempts"
    assert Moody.sent[0][:2] == ("/api/cases/C-1%2Fx/note", "Bearer t")


def test_it_gives_up_and_says_what_it_knows(moody: str) -> None:
    desk = Client(moody, token="t", wait=lambda seconds: None)
    Moody.script = [None] * 4
    with pytest.raises(Unreachable, match="does not answer"):
        desk.case_note("C-1", {"text": "x"})
    Moody.script = [(503, {})] * 4
    with pytest.raises(Refused) as why:
        desk.case_note("C-1", {"text": "x"})
    assert (why.value.status, why.value.detail) == (503, "No.")
    Moody.script = [(307, {"Location": f"{moody}/elsewhere"})]
    with pytest.raises(Refused) as why:
        desk.case_note("C-1", {"text": "x"})
    assert why.value.status == 307, "a token goes to no other address"
    assert Moody.script == []
