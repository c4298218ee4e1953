"""What a report's evidence can show about its source."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from tipstaff.intake.trust.grade import grade
from tipstaff.words import Allegation, EvidenceGrade, Moment

SOURCE = ip_address("192.0.2.1")
MOMENT = Moment(datetime(2026, 3, 14, 9, 12, 44, tzinfo=UTC), 1.0)


@pytest.mark.parametrize(
    ("type", "protocol", "excerpt", "wanted"),
    [
        ("connection/login_attack", "ssh", "", EvidenceGrade.ESTABLISHED),
        ("messaging/spam", "smtp", "", EvidenceGrade.ESTABLISHED),
        ("connection/port_scan", "tcp", "SYN to port 23", EvidenceGrade.SPOOFABLE),
        ("connection/port_scan", "tcp", "verified by a TCP three-way handshake", EvidenceGrade.ESTABLISHED),
        ("connection/ddos", "udp", "", EvidenceGrade.SPOOFABLE),
        ("connection/login_attack", "udp", "", EvidenceGrade.SPOOFABLE),
        ("vulnerability/open_service", "udp", "", EvidenceGrade.ESTABLISHED),
        ("infrastructure/botnet", None, "", EvidenceGrade.UNKNOWN),
        ("infrastructure/botnet", "tcp", '"POST /gate HTTP/1.1" 200', EvidenceGrade.ESTABLISHED),
        ("reputation/blocklist", None, "", EvidenceGrade.UNKNOWN),
    ],
)
def test_a_source_is_proved_by_an_answer_that_reached_it(
    type: str, protocol: str | None, excerpt: str, wanted: EvidenceGrade
) -> None:
    told = Allegation(type=type, source=SOURCE, protocol=protocol, excerpt=excerpt, moment=MOMENT)
    assert grade(told) is wanted


@pytest.mark.parametrize("excerpt", ["", "Spam from 192.0.2.1 now", "192.0.2.1 is attacking us, stop it!", "port 22"])
@pytest.mark.parametrize("type", ["messaging/spam", "connection/login_attack", "connection/port_scan"])
def test_a_sentence_about_an_address_shows_nothing(type: str, excerpt: str) -> None:
    bare = Allegation(type=type, source=SOURCE, excerpt=excerpt)
    assert grade(bare) is EvidenceGrade.STATED
    assert grade(bare, saw_the_same=True) is EvidenceGrade.CORROBORATED
    assert grade(replace(bare, moment=MOMENT)) is not EvidenceGrade.STATED
    assert grade(replace(bare, url="http://shop.example.net/")) is not EvidenceGrade.STATED


@pytest.mark.parametrize(
    "excerpt",
    [
        "Failed password for root\nNov 27 10:00:00 host sshd[811]: Failed password for root from 192.0.2.1",
        "Received: from mail.example.net (192.0.2.1)",
        'GET /wp-login.php HTTP/1.1" 200',
        "kernel: IN=eth0 SRC=192.0.2.1 DST=198.51.100.3",
    ],
)
def test_a_line_of_a_log_or_a_header_shows_something(excerpt: str) -> None:
    told = Allegation(type="connection/login_attack", source=SOURCE, excerpt=excerpt)
    assert grade(told) is EvidenceGrade.ESTABLISHED


def test_what_anybody_can_look_at_needs_no_log() -> None:
    assert grade(Allegation(type="vulnerability/open_service", source=SOURCE)) is EvidenceGrade.ESTABLISHED


def test_our_own_telemetry_stands_above_everything() -> None:
    ddos = Allegation(type="connection/ddos", source=SOURCE, protocol="udp", moment=MOMENT)
    assert grade(ddos, saw_the_same=True) is EvidenceGrade.CORROBORATED
    assert grade(ddos, saw_the_same=False) is EvidenceGrade.SPOOFABLE


def test_without_an_address_nothing_is_proved_about_one() -> None:
    assert grade(Allegation(type="content/phishing", url="http://x.example/")) is EvidenceGrade.UNKNOWN
