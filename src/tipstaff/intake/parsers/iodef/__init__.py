"""Reads IODEF incidents, version 2 (RFC 7970) and 1 (RFC 5070); XML with a document type is refused unread."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.taxonomy import kind_of_names
from ...forms.xml import MOST_OCTETS, BrokenXml, Element, HostileXml, read_xml
from ...mail import Mail
from ...ranking.letter import UNKNOWN_KIND, kind_of_letter
from ...ranking.model import Weights, load_weights
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.find import refang
from ...text.names import is_host_name, to_ascii
from ...text.times import Stated, read_time

_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmp", "132": "sctp"}
_IMPACTS = {
    "dos": "connection/ddos",
    "recon": "connection/port_scan",
    "social-engineering": "content/phishing",
    "extortion": "content/fraud",
    "info-leak": "content/exposed_data",
    "admin": "infrastructure/compromised_server",
    "user": "infrastructure/compromised_server",
    "takeover-account": "connection/login_attack",
    "takeover-system": "infrastructure/compromised_server",
    "integrity-data": "infrastructure/compromised_server",
    "policy": "reputation/threat_intelligence",
    "file": "content/malware",
}
"""Impact@type of RFC 5070 (3.10.1) and SystemImpact@type of RFC 7970 (3.12.1), where a name alone does not tell."""

_STATED = 0.95
_HINTED = 0.5
"""Confidence where no words of the document say the kind: many programs fill in one impact for all that they send."""

_Kind = tuple[str, float]
"""A type, and how sure it is."""
_UNTOLD: _Kind = (UNKNOWN_KIND, 0.0)


class IodefParser:
    """Reads an `<IODEF-Document>`, attached or alone in the letter."""

    name = "iodef"
    priority = 32

    def __init__(self, weights: Weights | None = None) -> None:
        self.weights = weights

    def read(self, mail: Mail) -> Reading | None:
        """The sources of each incident, or None when the mail holds no such document."""
        source = _document(mail)
        if source is None:
            return None
        try:
            root = read_xml(source)
        except HostileXml:
            return unreadable(
                mail, ReadingReason.HOSTILE_FORM, parser=self.name,
                detail="The IODEF document declares a document type or entities, which are refused unread.",
            )  # fmt: skip
        except BrokenXml as why:
            return unreadable(
                mail, ReadingReason.BROKEN_FORM, parser=self.name, detail=f"The IODEF document is broken: {why}."
            )
        incidents = list(root.below("Incident"))
        allegations = [x for incident in incidents for x in _allegations(incident)][: MOST_ALLEGATIONS + 1]
        weights = self.weights or load_weights()
        sure = True
        if any(x.confidence < _STATED for x in allegations):
            # The document does not say what happened in words; the letter around it may.
            kind, chance = kind_of_letter(mail, weights)
            sure = _STATED * chance >= weights.sure_from
            allegations = [_by_letter(x, kind, round(_STATED * chance, 3)) for x in allegations]
        if not allegations:
            return unreadable(
                mail, ReadingReason.NO_SOURCE, parser=self.name, detail="The IODEF document names no source."
            )
        reference = next((x.first("IncidentID") for x in incidents), "")
        contact = next((_contact(x) for x in incidents), "")
        return complaint(
            mail,
            allegations,
            parser=self.name,
            sure=sure,
            reporter=reporter_of(mail, reference=reference, address=contact),
            detail="" if sure else "The document does not say in words which kind of abuse it is about.",
        )


def _by_letter(this: Allegation, kind: str, confidence: float) -> Allegation:
    """The allegation with what the letter says of its kind, unless the document's own words said it."""
    if this.confidence >= _STATED:
        return this
    return replace(this, type=this.type if kind == UNKNOWN_KIND else kind, confidence=confidence)


def _document(mail: Mail) -> str | None:
    for leaf in mail.leaves:
        if b"IODEF-Document" in leaf.content[:4000] or b"I\0O\0D\0E\0F" in leaf.content[:4000]:
            return _cut(decode(leaf.content[:MOST_OCTETS], charset=leaf.charset))
    for attachment in mail.attachments:
        if b"IODEF-Document" in attachment.content[:4000]:
            return _cut(decode(attachment.content[:MOST_OCTETS]))
    return None


def _cut(text: str) -> str:
    """From the declaration to the closing tag: words of a letter around it are left out, a document type is not."""
    start = min((x for x in (text.find("<?xml"), text.find("<!DOCTYPE")) if x >= 0), default=-1)
    if start < 0:
        start = max(0, text.find("<", max(0, text.find("IODEF-Document") - 30)))
    end = text.rfind("IODEF-Document>")
    return text[start : end + len("IODEF-Document>")] if end > start else text[start:]


def _contact(incident: Element) -> str:
    for contact in incident.all("Contact"):
        for email in contact.all("Email"):
            text = email.text or email.first("EmailTo")
            if "@" in text:
                return one_line(text, longest=254)
    return ""


def _allegations(incident: Element) -> Iterator[Allegation]:
    kind = _kind(incident)
    about = one_line(incident.first("Description"), longest=300)
    own = _when(incident)
    for event in incident.all("EventData"):
        yield from _of_event(event, kind=kind, when=own, about=about)


def _of_event(event: Element, *, kind: _Kind, when: Stated, about: str) -> Iterator[Allegation]:
    """An event inherits what it does not say itself, and may hold events (RFC 7970, 3.14)."""
    own = _when(event)
    when = own if own.moment or own.unread else when
    kind = _kind(event, default=kind)
    about = one_line(event.first("Description"), longest=300) or about
    for flow in event.all("Flow"):
        systems = list(flow.all("System"))
        target = next(
            (x for x in systems if x.attributes.get("category") in ("target", "infrastructure", "sensor")), None
        )
        for system in systems:
            if system.attributes.get("category", "source") in ("source", "watchlist-source"):
                yield from _of_system(system, target, kind=kind, when=when, about=about)
    for inner in event.all("EventData"):
        yield from _of_event(inner, kind=kind, when=when, about=about)


def _of_system(
    system: Element, target: Element | None, *, kind: _Kind, when: Stated, about: str
) -> Iterator[Allegation]:
    protocol, port = _service(system)
    target_protocol, target_port = _service(target) if target is not None else (None, None)
    victim = next((x.text for x in target.below("Address")), "") if target is not None else ""
    of_node = read_time(*(x.text for x in system.below("DateTime")))
    when = of_node if of_node.moment or (of_node.unread and not when.moment) else when
    names = [x.text for node in system.all("Node") for x in (*node.all("NodeName"), *node.below("Name")) if x.text]
    domain = next((to_ascii(x.rstrip(".")) for x in names if is_host_name(x.rstrip("."))), None)
    found: list[tuple[IPv4Address | IPv6Address | None, str | None]] = []
    for address in system.below("Address"):
        category = address.attributes.get("category", "ipv4-addr")
        text = refang(address.text)[:2000]
        if category in ("ipv4-addr", "ipv6-addr") and (one := address_in(text)):
            found.append((one, None))
        elif category in ("site-uri", "ext-value") and "://" in text:
            found.append((None, text))
    if not found and domain:
        found.append((None, None))
    for source, url in found:
        yield Allegation(
            type=kind[0],
            source=source,
            source_port=port,
            url=url,
            domain=domain if source is None else None,
            protocol=protocol or target_protocol,
            target=one_line(victim, longest=254) or None,
            target_port=target_port,
            moment=when.moment,
            unread_time=when.unread or None,
            excerpt=excerpt(_shown(system, target, about)),
            confidence=kind[1],
        )


def _service(system: Element) -> tuple[str | None, int | None]:
    for service in system.all("Service"):
        number = service.attributes.get("ip-protocol") or service.attributes.get("ip_protocol") or ""
        return _PROTOCOLS.get(number.strip()), port_in(service.first("Port"))
    return None, None


def _when(element: Element) -> Stated:
    return read_time(*(element.first(name) for name in ("StartTime", "DetectTime", "EndTime")))


def _kind(element: Element, *, default: _Kind = _UNTOLD) -> _Kind:
    """By words first, then by what kind of impact is stated; an incident whose kind nobody states is a hint only."""
    texts: list[str] = []
    impacts: list[str] = []
    for assessment in element.all("Assessment"):
        for this in assessment.walk():
            if this.name in ("IncidentCategory", "Impact", "SystemImpact", "Description") and this.text:
                texts.append(this.text)
            if this.attributes.get("ext-type"):
                # A kind that the schema does not list is the sender's own word (RFC 5070, 5.1).
                texts.append(this.attributes["ext-type"])
            impacts += [this.attributes[x] for x in ("ext-type", "type") if this.attributes.get(x)]
    texts += [x.text for method in element.all("Method") for x in method.walk() if x.text]
    texts.append(element.first("Description"))
    by_word = kind_of_names(*(x.replace("-", " ") for x in texts))
    by_impact = next((_IMPACTS[key] for x in impacts for key in _IMPACTS if x.lower().endswith(key)), None)
    if by_word:
        return by_word, _STATED
    return (by_impact, _HINTED) if by_impact and default[1] < _STATED else default


def _shown(system: Element, target: Element | None, about: str) -> list[str]:
    lines = [f"Description: {about}"] if about else []
    for role, one in (("Source", system), ("Target", target)):
        for this in one.walk() if one is not None else ():
            if this.text and this.name in ("Address", "Port", "NodeName", "Name", "DateTime", "Counter", "Description"):
                lines.append(f"{role} {this.name}: {one_line(this.text, longest=300)}")
    return lines[:60]
