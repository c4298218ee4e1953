"""The way out for what is sent to an address that somebody typed: to whom it goes, and to whom it never does."""

import contextlib
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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


@pytest.mark.parametrize(
    ("url", "first", "slow_to_connect"),
    [
        ("https://127.0.0.1:{}/", b"\x16\x03\x03\x3f\xff\x02", False),
        ("https://127.0.0.1:{}/", b"\x16\x03\x03\x3f\xff\x02", True),
        ("http://127.0.0.1:{}/", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", False),
        ("http://127.0.0.1:{}/", b"HTTP/1.1 200 OK\r\nX-A: ", True),
    ],
    ids=["in the handshake", "connected late, then in the handshake", "in the last answer", "connected late"],
)
def test_no_octet_at_a_time_holds_anybody_for_longer_wherever_it_is_said(
    monkeypatch: pytest.MonkeyPatch, url: str, first: bytes, slow_to_connect: bool
) -> None:
    over, connect = threading.Event(), socket.create_connection
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        line, _ = listener.accept()
        with line, contextlib.suppress(OSError):
            line.sendall(first)
            for _ in range(40):
                if over.wait(0.05):
                    break
                line.sendall(b"\2")

    def late(*to: Any) -> socket.socket:
        line = connect(*to)
        over.wait(0.35)
        return line

    if slow_to_connect:
        monkeypatch.setattr(socket, "create_connection", late)
    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    try:
        with pytest.raises(NotTaken, match=r"did not answer within 0\.3 seconds"):
            Outward(["127.0.0.1"]).post(
                url.format(listener.getsockname()[1]), b"{}", {}, timeout_seconds=0.3
            )  # fmt: skip
        assert time.monotonic() - begun < 1.5
    finally:
        over.set()
        thread.join()
        listener.close()


def test_a_name_server_that_is_silent_is_waited_for_as_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] if over.wait(3) else None)
    begun = time.monotonic()
    try:
        with pytest.raises(NotTaken, match="nobody told one in time"):
            Outward(["hooks.example.net"]).post("https://hooks.example.net/x", b"", {}, timeout_seconds=0.2)
        assert time.monotonic() - begun < 1.5
    finally:
        over.set()


def test_by_tls_the_certificate_is_the_names_and_the_connection_the_addresss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Door.got = []
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    ever = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *ever)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.net")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(tmp_path / "pem")
    server = http.server.HTTPServer(("127.0.0.1", 0), Door)
    server.socket = ours.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pem"))
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **rest: real("127.0.0.1", *more, **rest))
    way = Outward(["*.example.net", "127.0.0.1"])
    try:
        said = way.post(f"https://hooks.example.net:{server.server_port}/a", b"{}", {}, timeout_seconds=5)
        assert (said.status, Door.got) == (302, [(f"hooks.example.net:{server.server_port}/a", b"{}")])
        with pytest.raises(NotTaken, match=r"not valid for 'other\.example\.net'"):
            way.post(f"https://other.example.net:{server.server_port}/a", b"{}", {}, timeout_seconds=5)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
