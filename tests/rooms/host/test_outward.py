"""The way out for what is sent to an address that somebody typed: to whom it goes, and to whom it never does."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from tipstaff.host.outward import NotAllowed, NotTaken, Outward


class Door(http.server.BaseHTTPRequestHandler):
    """Answers a redirect to itself, and keeps what it got."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((f"{self.headers['Host']}{self.path}", body))
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"moved")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Door.got = []
    server = http.server.HTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [
        (socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in addresses
    ]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def never(*_: object, **__: object) -> socket.socket:
    raise AssertionError("it was connected to")


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ((), "https://hooks.example.net/x"),
        (("hooks.example.net",), "https://other.example.net/x"),
        (("hooks.example.net",), "https://hooks.example.net.evil.example.org/"),
        (("hooks.example.net",), "http://hooks.example.net/x"),
        (("hooks.example.net",), "https://user:pw@hooks.example.net/x"),
        (("hooks.example.net",), "https://hooks.example.net/x#y"),
        (("hooks.example.net",), "https://hooks.example.net/x\r\nHost: y"),
        (("hooks.example.net",), "ftp://hooks.example.net/x"),
        (("hooks.example.net",), "https://hooks.example.net:0/x"),
        (("hooks.example.net",), "https://hooks.example.net:99999/x"),
        (("*.example.net",), "https://example.net/x"),
        (("hooks.example.net",), "https://127.0.0.1/x"),
        (("127.0.0.1",), "https://127.0.0.2/x"),
        (("127.0.0.1",), "https://2130706433/x"),
        (("192.0.2.0/24",), "http://192.0.2.7/x"),
        (("hooks.example.net",), "https://[::1]/x"),
        (("hooks.example.net",), "https:///x"),
        (("hooks.example.net",), "/x"),
    ],
)
def test_what_is_not_named_in_the_settings_is_refused_before_anything_is_looked_up(
    monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...], url: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", never)
    with pytest.raises(NotAllowed):
        Outward(allowed).post(url, b"", {}, timeout_seconds=1)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "fc00::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:db8::1"],
)  # fmt: skip
def test_an_allowed_name_that_leads_inside_leads_nowhere(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    # One that is outside comes with it: the choice between them is not left to chance.
    resolve(monkeypatch, "9.9.9.9", address)
    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(NotAllowed, match="which is not outside"):
        Outward(["hooks.example.net"]).post("https://hooks.example.net/x", b"", {}, timeout_seconds=1)


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "9.9.9.9")
    called = []

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    for allowed in ("hooks.example.net", "*.example.net"):
        with pytest.raises(NotTaken):
            Outward([allowed]).post("https://hooks.example.net/x", b"", {}, timeout_seconds=1)
    assert called == [("9.9.9.9", 443)] * 2


def test_a_name_may_lead_inside_where_the_settings_name_the_network_too(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "10.1.2.3")
    monkeypatch.setattr(socket, "create_connection", lambda *_: (_ for _ in ()).throw(ConnectionRefusedError()))
    with pytest.raises(NotTaken, match="cannot be reached"):
        Outward(["hooks.example.net", "10.1.2.0/24"]).post("https://hooks.example.net/", b"", {}, timeout_seconds=1)


def test_a_redirect_is_an_answer_and_not_a_way(port: int) -> None:
    said = Outward(["127.0.0.1"]).post(f"http://127.0.0.1:{port}/a?b=c", b"{}", {}, timeout_seconds=5)
    assert (said.status, said.text) == (302, "moved")
    assert Door.got == [(f"127.0.0.1:{port}/a?b=c", b"{}")]


def test_what_is_neither_name_nor_address_is_no_setting() -> None:
    for wrong in ("https://hooks.example.net", "10.0.0.1/8", "*."):
        with pytest.raises(NotAllowed, match="neither"):
            Outward([wrong])
