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
    r"\"(?:GET|POST|HEAD|PUT|OPTIONS) /|HTTP/[12]|bytes received|session established|connection established|"
    # Whatever TLS says is said on a connection (RFC 8446, section 2), a failed handshake too.
    r"\bTLSv?1[._ ]?[0-3]\b|\b(?:TLS|SSL)[ _-](?:handshake|session|cipher|version|protocol)|"
    # Fields of a request, in JSON or as key=value.
    r"\b(?:ja[34]s?(?:_hash)?|sni|server_name|alpn|(?:http_?)?user[_-]?agent)[\"']?\s*[:=]|"
    r"\b(?:http_|request_)?(?:method|verb)[\"']?\s*[:=]\s*[\"']?(?:GET|POST|HEAD|PUT|OPTIONS|DELETE|PATCH|CONNECT)\b|"
    r"\b(?:http_|response_|sc[-_])?status(?:_code)?[\"']?\s*[:=]\s*[\"']?[1-5]\d\d\b|"
    r"layer[ -]?7\b|application[ -_]layer|\bhttps?[ _](?:get[ _]|post[ _])?flood|\bslowloris\b",
    re.IGNORECASE,
)
_OVER_QUIC = re.compile(r"HTTP/3", re.IGNORECASE)


def grade(allegation: Allegation, *, saw_the_same: bool | None = None) -> EvidenceGrade:
    """The grade. `saw_the_same` is what the operator's own telemetry says of it; None where it was not asked."""
    if saw_the_same:
        return EvidenceGrade.CORROBORATED
    if allegation.source is None:
        return EvidenceGrade.UNKNOWN
    protocol = (allegation.protocol or "").lower()
    if protocol in _DATAGRAMS and allegation.type not in _ANSWERS:
        # One datagram carries whatever source its sender wrote; nothing shows that an answer arrived there. Of requests
        # over QUIC (RFC 9000) that cannot be said: a connection validates the address, a lone first packet does not.
        return EvidenceGrade.UNKNOWN if _OVER_QUIC.search(allegation.excerpt[:4000]) else EvidenceGrade.SPOOFABLE
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
    r"\b(?:SRC|DST|SPT|DPT|proto)=|\[\d+\]: |\S+@\S+ |\b[A-Z]{3,5} /\S|"
    r"\"\w+\"\s*:\s*[\"\d{\[]|\b\w+=\S+\s+\w+=\S+"
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
