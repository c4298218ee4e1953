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
    if _shows_nothing(allegation):
        return EvidenceGrade.STATED
    if allegation.type in _ESTABLISHED:
        return EvidenceGrade.ESTABLISHED
    shown = _HANDSHAKE.search(allegation.excerpt[:4000]) is not None
    if allegation.type in _SPOOFABLE:
        return EvidenceGrade.ESTABLISHED if shown else EvidenceGrade.SPOOFABLE
    return EvidenceGrade.ESTABLISHED if shown else EvidenceGrade.UNKNOWN


_LINE = re.compile(
    r"\d{1,2}:\d{2}:\d{2}|\d{4}-\d{2}-\d{2}|(?im:^(?:received|from|date|message-id|subject|return-path): ?\S)|"
    r"\b(?:SRC|DST|SPT|DPT|proto)=|\[\d+\]: |\S+@\S+ |\b[A-Z]{3,5} /\S"
)
"""What stands in a log's line or in a header, and in no plain sentence: a time of day or a day, a field, a process."""


def _shows_nothing(allegation: Allegation) -> bool:
    """Whether there is nothing but a sentence about what an address did. What can be looked at, a page, a name, an open
    service, needs no log: anybody can see it for themselves."""
    if not allegation.type.startswith(("messaging/", "connection/")):
        return False
    if allegation.moment is not None or allegation.unread_time is not None or allegation.url or allegation.domain:
        return False
    return _LINE.search(allegation.excerpt[:4000]) is None
