"""What a look sends and how it reads what comes back; the program that looks has nothing in its hands. No database."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from queue import Queue

import pytest

from tipstaff.sensors.retest import looking
from tipstaff.sensors.retest.asking import Prober
from tipstaff.words import RetestCheck, RetestFound

PROBER = Prober(name="probe.operator.example.net", mailbox="abuse@operator.example.net", wait_seconds=1.0)
HERE = ip_address("127.0.0.1")
ASKED = {"name": PROBER.name, "address": "192.0.2.10", "port": 1900}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (b"\x81\x80", True),  # An answer, and recursion is offered.
        (b"\x81\x83", True),  # There is no such name: it went and looked.
        (b"\x81\x85", False),  # REFUSED
        (b"\x85\x00", False),  # It knows the name itself, and offers no recursion.
        (b"\x01\x80", False),  # A question.
    ],
)
def test_a_resolver_is_open_where_it_went_and_looked(flags: bytes, says: bool) -> None:
    [question] = looking.dns_question(ASKED)
    assert question[2:4] == b"\x01\x00"
    assert b"\x05probe\x08operator\x07example\x03net\x00" in question
    answer = question[:2] + flags + question[4:]
    assert bool(looking.tells_dns(question, answer)) is says
    assert not looking.tells_dns(question, b"\x00\x00" + answer[2:] if question[:2] != b"\x00\x00" else b"")
    assert not looking.tells_dns(question, answer[:11])


def test_a_time_server_multiplies_where_it_answers_a_keepers_question_with_more() -> None:
    asked = bytes.fromhex("160200010000000000000000")
    assert looking.tells_ntp(asked, b"\x16\x82" + bytes(100))
    assert not looking.tells_ntp(asked, b"\x16\x82" + bytes(5))
    assert not looking.tells_ntp(asked, b"\x24" + bytes(47))  # The time, which anybody may ask for.


def test_a_cache_and_a_device_are_told_by_what_they_say() -> None:
    assert looking.tells_memcached(b"", bytes(8) + b"VERSION 1.6.18\r\n")
    assert not looking.tells_memcached(b"", bytes(8) + b"ERROR\r\n")
    assert looking.tells_ssdp(b"", b"HTTP/1.1 200 OK\r\n")
    [question] = looking.ssdp_questions(ASKED)
    assert question.startswith(b"M-SEARCH * HTTP/1.1\r\nHOST: 192.0.2.10:1900\r\n")


@contextmanager
def answering(told: bytes) -> Iterator[tuple[int, Queue[bytes]]]:
    """(a port that says something to whoever connects, what it hears from them)."""
    heard: Queue[bytes] = Queue()
    with socket.create_server(("127.0.0.1", 0)) as line:

        def serve() -> None:
            taken, _ = line.accept()
            with taken:
                taken.sendall(told)
                heard.put(taken.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        yield line.getsockname()[1], heard


def test_a_port_that_takes_connections_is_still_there_and_hears_nothing_from_us() -> None:
    with answering(b"220 hello\r\n" + b"x" * 200) as (port, heard):
        looked = PROBER.look(RetestCheck.TCP_PORT, HERE, port)
        assert heard.get(timeout=5) == b""
    assert (looked.found, looked.sent, looked.got) == (
        RetestFound.STILL_THERE,
        (),
        (b"220 hello\r\n" + b"x" * 200,),
    )
    assert PROBER.look(RetestCheck.TCP_PORT, HERE, port).found is RetestFound.GONE


def test_silence_by_datagrams_is_gone_after_three_and_a_refusal_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        looked = PROBER.look(RetestCheck.MEMCACHED, HERE, silent.getsockname()[1])
        assert (looked.found, len(looked.sent)) == (RetestFound.GONE, 3)
        port = silent.getsockname()[1]
    assert PROBER.look(RetestCheck.MEMCACHED, HERE, port).said == f"Port {port} refuses."


@pytest.mark.parametrize(
    ("address", "port"), [("0.0.0.0", 53), ("224.0.0.1", 53), ("192.0.2.10", 0), ("probe.example.net", 53)]
)
def test_only_one_machines_literal_address_is_looked_at(address: str, port: int) -> None:
    with pytest.raises(ValueError, match=r"address and port of one machine|does not appear to be"):
        looking.look({**ASKED, "address": address, "port": port, "check": "ntp", "wait_seconds": 0.1, "mailbox": "x"})


def test_what_fails_on_our_side_is_unclear() -> None:
    lost = Prober(name="x.example.net", mailbox="a@example.net", through=("/nowhere/at/all",))
    assert lost.look(RetestCheck.NTP, HERE, 123).found is RetestFound.UNCLEAR
    broken = Prober(name="x.example.net", mailbox="a@example.net", through=("false",))
    assert broken.look(RetestCheck.NTP, HERE, 123).found is RetestFound.UNCLEAR


def test_the_program_that_looks_has_nothing_in_its_hands() -> None:
    shows = "import json,os,resource,sys;sys.stdin.read();" \
        "told=[sorted(os.environ),sorted(os.listdir('/proc/self/fd')),resource.getrlimit(resource.RLIMIT_FSIZE)," \
        "[l for l in open('/proc/self/status') if 'NoNewPrivs' in l]];" \
        "print(json.dumps({'found':'gone','said':json.dumps(told),'sent':[],'got':[]}))"  # fmt: skip
    os.environ["TIPSTAFF_TEST_SECRET"] = "hush"
    told = json.loads(Prober(name="x", mailbox="y", through=(sys.executable, "-c", shows)).look(
        RetestCheck.NTP, HERE, 123).said)  # fmt: skip
    names, files, file_size, privileges = told
    assert set(names) <= {"PATH", "LC_CTYPE"}
    assert len(files) <= 4, "the three streams, and the folder that it lists"
    assert file_size == [0, 0]
    assert privileges[0].split() == ["NoNewPrivs:", "1"]


def test_the_program_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", looking.__file__], input=b'{"address": "192.0.2.10"', capture_output=True,
        check=False,
    )  # fmt: skip
    assert b"JSONDecodeError" in done.stderr
