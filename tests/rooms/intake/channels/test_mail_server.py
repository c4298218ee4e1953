"""Mails by real sockets: what is acknowledged is on record, and what is not is still the sender's."""

import hashlib
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tipstaff.intake.channels.mail_server import MIB, CannotListen, Limits, MailServer, recipients_rule
from tipstaff.intake.channels.protocol import Refused, TryAgain
from tipstaff.words import Channel

from .serving import HOST, PATIENCE_SECONDS, Desk, Line, serving

MAIL = b"From: desk@example.org\r\nSubject: Abuse\r\n\r\nA line.\r\n"
TO = "abuse@example.net"


def sent(port: int, raw: bytes = MAIL, *, sender: str = "desk@example.org", to: str | list[str] = TO) -> str:
    """Send by SMTP and return the reply to the mail itself."""
    with smtplib.SMTP(HOST, port, timeout=PATIENCE_SECONDS) as client:
        client.ehlo("client.example.org")
        client.mail(sender, [f"size={len(raw)}"])
        for recipient in [to] if isinstance(to, str) else to:
            code, words = client.rcpt(recipient)
            assert code == 250, words
        try:
            code, words = client.data(raw)
        except smtplib.SMTPDataError as refusal:
            return f"{refusal.smtp_code} {refusal.smtp_error!r}"
        return f"{code} {words.decode()}"


# 250 means that it is on record


def test_a_mail_is_acknowledged_with_its_reference() -> None:
    desk = Desk()
    with serving(desk) as (smtp, _):
        assert sent(smtp) == "250 2.0.0 On record as R-000001"
    (mail,) = desk.mails
    assert mail.raw == MAIL
    assert (mail.sender, mail.recipients, mail.channel) == ("desk@example.org", (TO,), Channel.SMTP)


def test_no_reply_comes_before_the_mail_is_on_record() -> None:
    desk = Desk()
    desk.ready.clear()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(MAIL + b".\r\n")
        assert desk.began.acquire(timeout=PATIENCE_SECONDS)
        # The server answers other connections meanwhile, and this one not.
        with Line(smtp) as other:
            assert other.reply().startswith("220")
            assert other.say("NOOP").startswith("250")
        line.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            line.socket.recv(1, socket.MSG_PEEK)
        line.socket.settimeout(PATIENCE_SECONDS)
        assert desk.mails == []
        desk.ready.set()
        assert line.reply() == "250 2.0.0 On record as R-000001"


@pytest.mark.parametrize("trouble", [TryAgain("the database is away"), RuntimeError("password=hunter2")])
def test_what_is_not_on_record_is_asked_for_again(trouble: Exception) -> None:
    desk = Desk(trouble=trouble)
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(MAIL + b".\r\n")
        assert line.reply() == "451 4.3.0 Not put on record, try again later"
        desk.trouble = None
        line.envelope()
        line.send(MAIL + b".\r\n")
        assert line.reply() == "250 2.0.0 On record as R-000001"
    assert [mail.raw for mail in desk.mails] == [MAIL]


def test_what_is_refused_for_good_is_told_why_in_one_line() -> None:
    desk = Desk(trouble=Refused("The mail has passed 51 servers;\r\n250 it is in a loop."))
    with serving(desk) as (smtp, _):
        assert sent(smtp) == "554 5.6.0 The mail has passed 51 servers; 250 it is in a loop."


def test_a_sender_who_hung_up_early_is_no_trouble() -> None:
    desk = Desk()
    desk.ready.clear()
    with serving(desk) as (smtp, _):
        with Line(smtp) as line:
            line.begin()
            line.send(MAIL + b".\r\n")
            assert desk.began.acquire(timeout=PATIENCE_SECONDS)
        desk.ready.set()
        assert sent(smtp).startswith("250 ")


def test_a_sender_who_says_no_more_still_gets_the_answer() -> None:
    desk = Desk()
    desk.ready.clear()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(MAIL + b".\r\n")
        assert desk.began.acquire(timeout=PATIENCE_SECONDS)
        line.socket.shutdown(socket.SHUT_WR)
        desk.ready.set()
        assert line.reply().startswith("250 ")


# LMTP


def test_lmtp_answers_once_for_each_recipient() -> None:
    desk = Desk()
    with serving(desk) as (_, lmtp), Line(lmtp) as line:
        line.begin(greeting="LHLO", recipients=(TO, "abuse@example.com"))
        line.send(MAIL + b".\r\n")
        assert [line.reply(), line.reply()] == ["250 2.0.0 On record as R-000001"] * 2
        desk.trouble = TryAgain()
        line.envelope(recipients=(TO, TO, TO))
        line.send(MAIL + b".\r\n")
        assert [line.reply()[:3] for _ in range(3)] == ["451"] * 3
        assert line.say("QUIT").startswith("221")
    (mail,) = desk.mails
    assert (mail.recipients, mail.channel) == ((TO, "abuse@example.com"), Channel.LMTP)


def test_the_standard_librarys_lmtp_client_is_understood() -> None:
    desk = Desk()
    with serving(desk) as (_, lmtp), smtplib.LMTP(HOST, lmtp, timeout=PATIENCE_SECONDS) as client:
        assert client.sendmail("desk@example.org", [TO], MAIL) == {}
        assert client.ehlo("client.example.org")[0] == 250
        for name in ("size", "8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes"):
            assert client.has_extn(name), name
        assert not client.has_extn("auth")
    assert len(desk.mails) == 1


def test_lmtp_refuses_the_greetings_of_smtp() -> None:
    with serving(Desk()) as (_, lmtp), Line(lmtp) as line:
        line.reply()
        assert line.say("EHLO client.example.org").startswith("500")


# What is taken, and what is not


def test_the_null_sender_is_taken() -> None:
    desk = Desk()
    with serving(desk) as (smtp, _):
        assert sent(smtp, sender="").startswith("250 ")
    assert desk.mails[0].sender == ""


@pytest.mark.parametrize("to", ["someone@example.org", "abuse%example.org", "abuse", "abusex@example.net"])
def test_nothing_is_relayed(to: str) -> None:
    with serving(Desk()) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.say("EHLO client.example.org")
        line.say("MAIL FROM:<desk@example.org>")
        assert line.say(f"RCPT TO:<{to}>").startswith("550 5.7.1")
        assert line.say("DATA").startswith("503")


def test_the_operators_own_recipients_are_taken() -> None:
    rule = recipients_rule(["abuse@*", "@complaints.example.net", "*@noc.example.net", "Desk@Example.net"])
    for address in (
        "abuse@x.example",
        "ABUSE+x@y.example",
        "any@complaints.example.net",
        "any@noc.example.net",
        "desk@EXAMPLE.net",
    ):
        assert rule(address), address
    for address in ("", "@", "abuse@", "@complaints.example.net", "desk@example.org", "x@example.net", "*@x.example"):
        assert not rule(address), address


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("a..b.@example.org", "a..b.@example.org"),
        ('"a b>"@example.org', '"a b>"@example.org'),
        ("@relay.example.org,@b.example.org:desk@example.org", "desk@example.org"),
        ("дежурный@example.org", "дежурный@example.org"),
    ],
)
def test_a_complaint_is_not_refused_for_how_its_sender_is_spelled(given: str, understood: str) -> None:
    desk = Desk()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.say("EHLO client.example.org")
        assert line.say(f"MAIL FROM:<{given}> BODY=8BITMIME SMTPUTF8").startswith("250")
        line.say(f"RCPT TO:<{TO}>")
        line.say("DATA")
        line.send(MAIL + b".\r\n")
        assert line.reply().startswith("250")
    assert desk.mails[0].sender == understood


@pytest.mark.parametrize(
    "path", ["<a\rb@example.org>", "<a\x00b@example.org>", "<a@example.org", "<a <b@example.org>>"]
)
def test_an_address_that_is_none_is_refused(path: str) -> None:
    with serving(Desk()) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.say("EHLO client.example.org")
        assert line.say(f"MAIL FROM:{path}")[:3] in ("501", "553")


def test_any_octets_and_lines_of_any_length_are_taken_as_they_are() -> None:
    odd = b"\r\n.dot\r\n..\r\n" + bytes(range(256)) + b"\n.\n\r.\r" + b"x" * 300_000 + b"\r\n"
    desk = Desk()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(odd.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert line.reply().startswith("250")
    assert desk.mails[0].raw == odd


def test_a_browser_is_sent_away() -> None:
    desk = Desk()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.send(b"POST / HTTP/1.1\r\nEHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<abuse@x>\r\nDATA\r\nbad\r\n.\r\n")
        assert line.reply().startswith("421")
        assert line.reply() == ""
    assert desk.mails == []


def test_nothing_of_the_program_is_told_to_strangers() -> None:
    with serving(Desk()) as (smtp, _), Line(smtp) as line:
        said = [line.reply(), line.say("EHLO client.example.org")]
        said += [line.say(command) for command in ("HELP", "VRFY abuse", "EXPN x", "AUTH PLAIN", "STARTTLS")]
        line.send(b"MAIL FROM:<\xff\xfe@example.org> SIZE=1 SIZE=x\r\nVRFY \xff\r\n")
        said += [line.reply(), line.reply()]
    assert not any(word in "".join(said) for word in ("Python", "aiosmtpd", "Error(", "Traceback"))


# The end of a mail


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\n..\r\n"]
)
def test_only_the_one_true_end_ends_a_mail(end: bytes) -> None:
    smuggled = b"MAIL FROM:<ceo@example.com>\r\nRCPT TO:<abuse@example.net>\r\nDATA\r\nSmuggled.\r\n"
    desk = Desk()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(b"Body." + end + smuggled + b".\r\n")
        assert line.reply().startswith("250")
        assert line.say("NOOP") == "250 OK"
    (mail,) = desk.mails
    assert mail.sender == "desk@example.org"
    assert mail.raw == (b"Body." + end + smuggled).replace(b"\r\n.", b"\r\n")


def test_commands_sent_in_one_go_are_answered_in_order() -> None:
    head = b"MAIL FROM:<desk@example.org>\r\nRCPT TO:<abuse@example.net>\r\nDATA\r\n"
    desk = Desk()
    with serving(desk) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.send(b"EHLO client.example.org\r\n" + head)
        assert [line.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        line.send(MAIL + b".\r\n" + head)
        assert [line.reply()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        line.send(b".\r\nQUIT\r\n")
        assert [line.reply()[:3] for _ in range(2)] == ["250", "221"]
    assert [mail.raw for mail in desk.mails] == [MAIL, b""]


def test_a_mail_that_never_ends_is_not_taken() -> None:
    desk = Desk()
    limits = Limits(data_idle_seconds=0.05)
    with serving(desk, limits=limits) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(MAIL)
        assert line.reply().startswith("421 4.4.2")
        assert line.reply() == ""
    assert desk.mails == []


def test_what_follows_a_mail_that_took_too_long_is_not_taken_for_commands() -> None:
    desk = Desk()
    with serving(desk, limits=Limits(data_seconds=0.05)) as (smtp, _), Line(smtp) as line:
        line.begin()
        line.send(MAIL)
        assert line.reply() == "421 4.4.2 The mail took too long"
        assert line.reply() == ""
    assert desk.mails == []


def test_a_silent_connection_is_closed() -> None:
    with serving(Desk(), limits=Limits(idle_seconds=0.05)) as (smtp, _), Line(smtp) as line:
        assert line.reply().startswith("220")
        assert line.reply().startswith("421 4.4.2")
        assert line.reply() == ""


# Limits


def test_a_mail_beyond_the_size_is_refused_before_and_after_it_came() -> None:
    desk = Desk()
    with serving(desk, max_bytes=1000) as (smtp, lmtp):
        with Line(smtp) as line:
            line.reply()
            assert "250-SIZE 1000" in line.say("EHLO client.example.org").splitlines()
            assert line.say("MAIL FROM:<desk@example.org> SIZE=1001").startswith("552")
            line.envelope()
            line.send(b"x" * 1001 + b"\r\n.\r\n")
            assert line.reply().startswith("552 ")
            line.envelope()
            line.send(b"x" * 998 + b"\r\n.\r\n")
            assert line.reply().startswith("250 ")
        with Line(lmtp) as line:
            line.begin(greeting="LHLO", recipients=(TO, "abuse@example.com"))
            line.send(b"x" * 1001 + b"\r\n.\r\n")
            assert [line.reply()[:3], line.reply()[:3]] == ["552", "552"]
    assert [len(mail.raw) for mail in desk.mails] == [1000]


def test_connections_are_limited_for_each_source_and_in_all() -> None:
    for limits in (Limits(connections=2), Limits(connections_per_source=2)):
        with serving(Desk(), limits=limits) as (smtp, _):
            first, second = Line(smtp), Line(smtp)
            assert first.reply().startswith("220")
            assert second.reply().startswith("220")
            with Line(smtp) as third:
                assert third.reply().startswith("421 4.7.0")
                assert third.reply() == ""
            assert first.say("QUIT").startswith("221")
            assert first.reply() == ""
            with Line(smtp) as fourth:
                assert fourth.reply().startswith("220")
            first.__exit__()
            second.__exit__()


def test_recipients_are_limited() -> None:
    with serving(Desk(), limits=Limits(recipients=2)) as (smtp, _), Line(smtp) as line:
        line.reply()
        line.say("EHLO client.example.org")
        line.say("MAIL FROM:<desk@example.org>")
        assert [line.say(f"RCPT TO:<{TO}>")[:3] for _ in range(3)] == ["250", "250", "452"]


def test_a_budget_smaller_than_one_mail_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limits(mail_octets=2, memory_octets=1)


def test_thirty_mails_at_once_are_each_taken_once_or_asked_to_wait() -> None:
    limits = Limits(mail_octets=6 * MIB, memory_octets=40 * MIB)
    mails = [bytes([65 + n]) * (5 * MIB) + b"\r\n" for n in range(30)]
    desk = Desk()
    with serving(desk, limits=limits) as (smtp, _):
        with ThreadPoolExecutor(30) as senders:
            replies = list(senders.map(lambda raw: sent(smtp, raw), mails))
        taken = [raw for raw, reply in zip(mails, replies, strict=True) if reply.startswith("250 ")]
        waiting = [reply for reply in replies if not reply.startswith("250 ")]
        assert sorted(mail.raw for mail in desk.mails) == sorted(taken)
        assert all(reply.startswith(("452 ", "421 ")) for reply in waiting)
        assert taken
        # All of the budget is free again: as many fit as ever did.
        desk.ready.clear()
        with ThreadPoolExecutor(7) as senders:
            again = [senders.submit(sent, smtp, raw) for raw in mails[:7]]
            for _ in range(limits.accepting):
                assert desk.began.acquire(timeout=PATIENCE_SECONDS)
            desk.ready.set()
            assert {reply.result()[:3] for reply in again} == {"250"}


@pytest.mark.parametrize("sign", [b"", b"\r\n\r\nUEsDBBQAAAAI", b"\x1f\x8b\x08", b"\r\nH4sIAAAA"])
def test_one_heavy_mail_is_put_on_record_at_a_time_and_light_ones_pass_it(sign: bytes) -> None:
    """An archive weighs as much as a large mail: it may be one once it is unfolded."""
    heavy = [b"%d: " % n + (sign or b"x" * MIB) + b"\r\n" for n in range(6)]
    gate, going, most, light = threading.Event(), 0, 0, []
    lock, began = threading.Lock(), threading.Event()

    def accept(raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        nonlocal going, most
        if raw == MAIL:
            light.append(raw)
            return "R-000001"
        with lock:
            going += 1
            most = max(most, going)
        began.set()
        assert gate.wait(PATIENCE_SECONDS)
        with lock:
            going -= 1
        return "R-000002"

    server = MailServer(HOST, 0, -1, accept=accept, hostname="mx.example.net")
    server.start()
    try:
        with ThreadPoolExecutor(6) as senders:
            replies = [senders.submit(sent, server.ports[Channel.SMTP], raw) for raw in heavy]
            assert began.wait(PATIENCE_SECONDS)
            for _ in range(6):
                assert sent(server.ports[Channel.SMTP]).startswith("250 ")
            assert not any(reply.done() for reply in replies), "the heavy ones still wait"
            gate.set()
            assert {reply.result()[:3] for reply in replies} == {"250"}
    finally:
        gate.set()
        server.stop()
    assert (most, len(light)) == (1, 6)


def test_a_full_budget_is_told_before_the_mail_is_sent_and_mid_way_where_no_size_was_declared() -> None:
    desk = Desk()
    desk.ready.clear()
    with serving(desk, limits=Limits(mail_octets=MIB, memory_octets=MIB + MIB // 2)) as (smtp, _), Line(smtp) as first:
        first.begin()
        first.send(b"x" * (MIB - 2) + b"\r\n.\r\n")
        assert desk.began.acquire(timeout=PATIENCE_SECONDS)
        with Line(smtp) as second:
            second.reply()
            second.say("EHLO client.example.org")
            second.say("MAIL FROM:<desk@example.org> SIZE=900000")
            second.say(f"RCPT TO:<{TO}>")
            assert second.say("DATA").startswith("452 4.3.1")
            assert second.say("RSET").startswith("250")
            second.envelope()
            second.send(b"y" * (MIB - 2) + b"\r\n.\r\n")
            assert second.reply().startswith("452 4.3.1")
            desk.ready.set()
            assert first.reply().startswith("250")
            second.envelope()
            second.send(b"y" * (MIB - 2) + b"\r\n.\r\n")
            assert second.reply().startswith("250")


# Starting, stopping, dying


def test_stopping_waits_for_what_is_being_put_on_record_and_sends_others_away() -> None:
    desk = Desk()
    desk.ready.clear()
    server = MailServer(HOST, 0, -1, accept=desk.accept, hostname="mx.example.net")
    server.start()
    port = server.ports[Channel.SMTP]
    with Line(port) as busy, Line(port) as idle, Line(port) as midway, ThreadPoolExecutor(1) as other:
        idle.reply()
        midway.begin()
        midway.send(b"Half a mail")
        busy.begin()
        busy.send(MAIL + b".\r\n")
        assert desk.began.acquire(timeout=PATIENCE_SECONDS)
        stopping = other.submit(server.stop)
        assert idle.reply().startswith("421 4.3.2")
        assert midway.reply().startswith("421 4.3.2")
        assert not stopping.done()
        desk.ready.set()
        assert busy.reply().startswith("250 ")
        assert busy.reply().startswith("421 4.3.2")
        stopping.result(PATIENCE_SECONDS)
    with pytest.raises(ConnectionRefusedError):
        Line(port)
    server.stop()
    assert len(desk.mails) == 1
    server.start()
    assert sent(server.ports[Channel.SMTP]).startswith("250 ")
    server.stop()


def test_a_port_that_is_taken_is_said_in_words() -> None:
    with serving(Desk()) as (smtp, _):
        server = MailServer(HOST, smtp, -1, accept=Desk().accept, hostname="mx.example.net")
        with pytest.raises(CannotListen, match=r"127\.0\.0\.1"):
            server.start()
        server.stop()


@contextmanager
def server_of_its_own(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    program = Path(__file__).with_name("serving.py")
    server = subprocess.Popen(
        [sys.executable, str(program), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield server, int(server.stdout.readline().split()[0])
    finally:
        server.kill()
        server.communicate()


def most_memory(server: subprocess.Popen[str]) -> int:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("rss\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def test_forty_megabytes_are_taken_in_bounded_memory(tmp_path: Path) -> None:
    raw = MAIL + (b"x" * 76 + b"\r\n") * (40 * 2**20 // 78)
    with server_of_its_own(tmp_path) as (server, port):
        assert sent(port).startswith("250 ")
        before = most_memory(server)
        assert sent(port, raw).startswith("250 ")
        assert most_memory(server) - before < 2 * len(raw)
        assert (tmp_path / hashlib.sha256(raw).hexdigest()).stat().st_size == len(raw)


def test_a_server_killed_in_the_middle_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    with server_of_its_own(tmp_path) as (server, port):
        acknowledged = []
        with Line(port) as midway, Line(port) as line:
            midway.begin()
            midway.send(b"Half a mail")
            line.reply()
            line.say("EHLO client.example.org")
            for n in range(20):
                raw = MAIL + b"%d\r\n" % n
                line.envelope()
                line.send(raw + b".\r\n")
                assert line.reply().startswith("250 ")
                acknowledged.append(raw)
            line.envelope()
            line.send(b"Half another")
            server.send_signal(signal.SIGKILL)
            assert midway.reply() == ""
            assert line.reply() == ""
    kept = {path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".new"}
    assert kept == set(acknowledged)


def test_lmtp_is_for_this_machine_alone_unless_told_otherwise() -> None:
    """It slows no source down: where SMTP listens for all, LMTP would be the way past that."""
    for more, places in (({}, {HOST: True, "127.0.0.2": False}), ({"lmtp_host": "127.0.0.2"}, {"127.0.0.2": True})):
        server = MailServer("127.0.0.2", 0, 0, accept=Desk().accept, hostname="mx.example.net", **more)
        server.start()
        try:
            for place, open_there in places.items():
                with socket.socket() as line:
                    assert (line.connect_ex((place, server.lmtp_port or 0)) == 0) is open_there
        finally:
            server.stop()
