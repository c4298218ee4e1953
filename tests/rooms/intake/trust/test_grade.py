"""What a report's evidence can show about its source."""

from ipaddress import ip_address

import pytest

from tipstaff.intake.trust.grade import grade
from tipstaff.words import Allegation, EvidenceGrade

SOURCE = ip_address("192.0.2.1")


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
    assert grade(Allegation(type=type, source=SOURCE, protocol=protocol, excerpt=excerpt)) is wanted


def test_our_own_telemetry_stands_above_everything() -> None:
    ddos = Allegation(type="connection/ddos", source=SOURCE, protocol="udp")
    assert grade(ddos, saw_the_same=True) is EvidenceGrade.CORROBORATED
    assert grade(ddos, saw_the_same=False) is EvidenceGrade.SPOOFABLE


def test_without_an_address_nothing_is_proved_about_one() -> None:
    assert grade(Allegation(type="content/phishing", url="http://x.example/")) is EvidenceGrade.UNKNOWN
