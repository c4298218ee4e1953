"""A live RADIUS server: only true packets are kept, each once, and what is kept names the subscriber."""

import hashlib
import os
import socket
import struct
import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from tipstaff.attribution.accounting import Accounting, NotAccounting, read_secrets
from tipstaff.attribution.protocol import Options, Stretch
from tipstaff.wiring import sources

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SECRET = b"s3cret"


def packet(number: int, *attributes: tuple[int, bytes], secret: bytes = SECRET) -> bytes:
    body = b"".join(bytes([kind, len(value) + 2]) + value for kind, value in attributes)
    head = struct.pack("!BBH", 4, number, 20 + len(body))
    return head + hashlib.md5(head + bytes(16) + body + secret).digest() + body


START = packet(
    7, (40, b"\0\0\0\1"), (1, b'al"ice'), (4, bytes([192, 0, 2, 1])), (44, b"5A1"), (8, bytes([198, 51, 100, 7])),
    (123, bytes([0, 56]) + bytes.fromhex("20010db800004200")), (41, b"\0\0\0\5"), (26, b"\0\0\0\1ven"),
)  # fmt: skip


def server() -> Accounting:
    return Accounting(secrets={ip_address("192.0.2.1"): SECRET})


def test_a_true_packet_becomes_a_record_that_the_detail_reader_reads():
    record, answer = server().take(START, sender="192.0.2.1", at=NOON)
    read = sources()["radius-detail"].read(Stretch(record.encode(), 0), Options(source="live"))
    assert read.refused == []
    rows = read.records.to_dicts()
    assert [r["length"] for r in rows] == [32, 56]
    assert {r["subject"] for r in rows} == {"al?ice"}
    assert {r["since"] for r in rows} == {int((NOON.timestamp() - 5) * 1e6)}
    assert answer[0] == 5
    assert answer[1] == 7
    assert answer[4:] == hashlib.md5(answer[:4] + START[4:20] + SECRET).digest()


def test_a_repeated_packet_is_answered_and_not_written_again():
    hearing = server()
    first = hearing.take(START, sender="192.0.2.1", at=NOON)
    again = hearing.take(START, sender="192.0.2.1", at=NOON)
    assert again == ("", first[1])


@pytest.mark.parametrize(
    ("sent", "sender", "why"),
    [
        (START, "192.0.2.9", "no client"),
        (packet(1, (40, b"\0\0\0\1"), secret=b"other"), "192.0.2.1", "another secret"),
        (START[:30], "192.0.2.1", "length"),
        (b"\1" + START[1:], "192.0.2.1", "code 1"),
        (b"hello", "192.0.2.1", "no RADIUS packet"),
        (packet(1, (8, b"\1\2")), "192.0.2.1", "Framed-IP-Address"),
    ],
)
def test_anything_else_is_not_taken_and_the_reason_is_said(sent, sender, why):
    with pytest.raises(NotAccounting, match=why):
        server().take(sent, sender=sender, at=NOON)


def test_secrets_that_others_may_read_are_refused(tmp_path):
    file = tmp_path / "clients"
    file.write_text("192.0.2.1 s3cret\n# a comment\n2001:db8::1 other\n")
    file.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        read_secrets(file)
    file.chmod(0o600)
    assert len(read_secrets(file)) == 2


def test_the_command_answers_once_the_record_is_on_the_disk(tmp_path):
    clients, into = tmp_path / "clients", tmp_path / "detail"
    clients.write_text("127.0.0.1 s3cret\n")
    clients.chmod(0o600)
    command = [sys.executable, "-m", "tipstaff", "radius", "--clients", clients, "--into", into, "--port", "0"]
    env = {**os.environ, "TIPSTAFF_DATA": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as running:
        try:
            assert running.stdout is not None
            port = int(running.stdout.readline().split()[-1])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(30)
                asking.sendto(packet(3, (40, b"\0\0\0\1"), secret=b"wrong"), ("127.0.0.1", port))
                asking.sendto(START, ("127.0.0.1", port))
                assert asking.recv(100)[:2] == b"\5\7"
                assert "Acct-Status-Type = Start" in into.read_text()
        finally:
            running.terminate()
            _, errors = running.communicate(timeout=30)
    assert "another secret" in errors
    assert running.returncode == 0
