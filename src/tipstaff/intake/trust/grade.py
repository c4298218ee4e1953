"""What an allegation's own evidence shows about its source address. Pure."""

import re

from tipstaff.words import Allegation, EvidenceGrade

_ESTABLISHED = frozenset(
    [
        "messaging/spam",
        "messaging/bulk_messaging",
        "connection/login_attack",
        "connection/scraping",
        "connection/sql_injection",
        "connection/vulnerability_scan",
        "vulnerability/open_service",
        "vulnerability/cve",
        "vulnerability/misconfiguration",
    ]
)
"""Mail, log-ins and web requests need a whole handshake; an open service was asked and answered from its address."""
_SPOOFABLE = frozenset(["connection/ddos", "connection/port_scan", "connection/reconnaissance"])
_DATAGRAMS = frozenset(["udp", "icmp", "gre"])
_ANSWERS = frozenset(["vulnerability/open_service", "vulnerability/cve", "vulnerability/misconfiguration"])
_HANDSHAKE = re.compile(
    r"three-way handshake|3-way handshake|handshake (?:was )?completed|\bESTABLISHED\b|fully established|"
    r"\"(?:GET|POST|HEAD|PUT|OPTIONS) /|HTTP/[12]|bytes received|session established",
    re.IGNORECASE,
)


def grade(allegation: Allegation, *, saw_the_same: bool | None = None) -> EvidenceGrade:
    """The grade. `saw_the_same` is what the operator's own telemetry says of it; None where it was not asked."""
    if saw_the_same:
        return EvidenceGrade.CORROBORATED
    if allegation.source is None:
        return EvidenceGrade.UNKNOWN
    protocol = (allegation.protocol or "").lower()
    if protocol in _DATAGRAMS and allegation.type not in _ANSWERS:
        # One datagram carries whatever source its sender wrote; nothing shows that an answer arrived there.
        return EvidenceGrade.SPOOFABLE
    if allegation.type in _ESTABLISHED:
        return EvidenceGrade.ESTABLISHED
    shown = _HANDSHAKE.search(allegation.excerpt[:4000]) is not None
    if allegation.type in _SPOOFABLE:
        return EvidenceGrade.ESTABLISHED if shown else EvidenceGrade.SPOOFABLE
    return EvidenceGrade.ESTABLISHED if shown else EvidenceGrade.UNKNOWN
