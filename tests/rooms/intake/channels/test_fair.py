"""Sources are served in turn and at their pace; STARTTLS, and nothing that was said before it."""

import datetime
import smtplib
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.channels.fair import FairPool, Pace
from tipstaff.intake.channels.mail_server import Limits

from .serving import HOST, PATIENCE_SECONDS, Desk, Line, serving

MAIL = "From: a@example.org\r\nSubject: x\r\n\r\nSpam from 192.0.2.1.\r\n"


def test_one_source_with_many_mails_delays_nobody_else() -> None:
    pool, gate, done = FairPool(1, name="test"), threading.Event(), []

    def work(name: str) -> str:
        gate.wait(PATIENCE_SECONDS)
        done.append(name)
        return name

    first = pool.submit("flood", work, "flood 0")
    rest = [pool.submit("flood", work, f"flood {n}") for n in range(1, 50)]
    other = pool.submit("other", work, "other")
    gate.set()
    other.result(PATIENCE_SECONDS)
    assert done.index("other") <= 2
    pool.shutdown()
    assert [first.result(0), *(x.result(0) for x in rest)] == [f"flood {n}" for n in range(50)], "nothing is lost"


def test_what_fails_is_told_to_who_waits_and_stops_nothing() -> None:
    pool = FairPool(1, name="test")

    def fail() -> str:
        raise ZeroDivisionError

    failed, good = pool.submit("a", fail), pool.submit("a", lambda: "good")
    with pytest.raises(ZeroDivisionError):
        failed.result(PATIENCE_SECONDS)
    assert good.result(PATIENCE_SECONDS) == "good"
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit("a", lambda: "late")


@given(st.lists(st.floats(0, 30), min_size=1, max_size=200), st.integers(1, 20))
def test_in_no_minute_comes_more_than_twice_the_allowance(gaps: list[float], a_minute: int) -> None:
    pace, now, taken = Pace(a_minute), 0.0, []
    for gap in gaps:
        now += gap
        if pace.allows("a", seconds=now):
            taken.append(now)
    for at in taken:
        assert sum(at <= x < at + 60 for x in taken) <= 2 * a_minute


def test_a_source_beyond_its_pace_is_asked_to_come_back_and_another_is_not() -> None:
    pace = Pace(3)
    assert [pace.allows("a", seconds=n) for n in range(4)] == [True, True, True, False]
    assert pace.allows("b", seconds=4)
    assert pace.allows("a", seconds=24)


def test_a_mail_beyond_the_pace_is_asked_for_later() -> None:
    desk = Desk()
    with serving(desk, limits=Limits(mails_a_minute=2, count_local=True)) as (smtp, _):
        answers = []
        for _n in range(3):
            with Line(smtp) as line:
                assert line.reply().startswith("220")
                line.say("EHLO client.example.org")
                line.say("MAIL FROM:<a@example.org>")
                line.say("RCPT TO:<abuse@example.net>")
                answers.append(line.say("DATA")[:3])
    assert answers == ["354", "354", "450"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine's tests, made now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.example.net")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2100, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mx.example.net")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def test_mail_comes_over_tls(certificate: tuple[Path, Path]) -> None:
    desk = Desk()
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    trusted.check_hostname = False
    with (
        serving(desk, tls=server_context(certificate)) as (smtp, _),
        smtplib.SMTP(HOST, smtp, timeout=PATIENCE_SECONDS) as client,
    ):
        client.starttls(context=trusted)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@example.org", ["abuse@example.net"], MAIL)
        client.sendmail("a@example.org", ["abuse@example.net"], MAIL)
    assert [mail.raw.decode() for mail in desk.mails] == [MAIL, MAIL]


def test_what_was_said_in_clear_after_starttls_is_not_taken_for_said_over_tls(certificate: tuple[Path, Path]) -> None:
    desk = Desk()
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    trusted.check_hostname = False
    with serving(desk, tls=server_context(certificate)) as (smtp, _), Line(smtp) as line:
        assert line.reply().startswith("220")
        assert line.say("EHLO client.example.org").startswith("250")
        line.send(b"STARTTLS\r\nRSET\r\nNOOP injected\r\n")
        assert line.reply().startswith("220")
        with trusted.wrap_socket(line.socket, do_handshake_on_connect=False) as over_tls:
            over_tls.do_handshake()
            over_tls.sendall(b"QUIT\r\n")
            assert over_tls.recv(100).startswith(b"221")


def test_without_a_certificate_tls_is_not_offered() -> None:
    with serving(Desk()) as (smtp, _), Line(smtp) as line:
        assert line.reply().startswith("220")
        assert "STARTTLS" not in line.say("EHLO client.example.org")
        assert line.say("STARTTLS").startswith("502")
