"""Reads XARF: 4.0 to 4.2 by the `xarf` library, older JSON (3 and before) and the first form in YAML leniently."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tipstaff.words import XARF_TYPES, Allegation, Reading, ReadingReason, host_of

from ...mail import Mail
from ...shaping import address_in, complaint, excerpt, port_in, reporter_of, sealed, unreadable
from ...text.characters import decode, one_line
from ...text.find import find_all, is_public, refang
from ...text.names import is_host_name, to_ascii
from ...text.times import Stated, read_time
from .first_form import first_form

_MOST_OCTETS = 8_000_000
_MOST_DOCUMENTS = 500

_OLD_KINDS = {
    "spam": "messaging/spam",
    "webspam": "messaging/spam",
    "loginattack": "connection/login_attack",
    "login": "connection/login_attack",
    "bruteforce": "connection/login_attack",
    "portscan": "connection/port_scan",
    "scan": "connection/port_scan",
    "ddos": "connection/ddos",
    "dos": "connection/ddos",
    "phishing": "content/phishing",
    "malware": "content/malware",
    "malwareattack": "content/malware",
    "virus": "content/malware",
    "botnet": "infrastructure/botnet",
    "bot": "infrastructure/botnet",
    "cc": "infrastructure/botnet",
    "infected": "connection/infected_host",
    "infectedhost": "connection/infected_host",
    "exploit": "connection/vulnerability_scan",
    "webattack": "connection/vulnerability_scan",
    "hacking": "connection/vulnerability_scan",
    "harvesting": "connection/scraping",
    "copyright": "copyright/copyright",
    "trademark": "content/brand_infringement",
    "fraud": "content/fraud",
    "scam": "content/fraud",
    "openservice": "vulnerability/open_service",
    "open": "vulnerability/open_service",
    "openport": "vulnerability/open_service",
    "vulnerable": "vulnerability/cve",
    "vulnerability": "vulnerability/cve",
    "compromised": "infrastructure/compromised_server",
    "compromisedserver": "infrastructure/compromised_server",
    "compromisedwebsite": "content/remote_compromise",
    "defacement": "content/remote_compromise",
    "blacklist": "reputation/blocklist",
    "rblist": "reputation/blocklist",
    "rbl": "reputation/blocklist",
    "blocklist": "reputation/blocklist",
    "authfailure": "messaging/spam",
    "auth": "connection/login_attack",
    "abuse": "messaging/spam",
    "childabuse": "content/csam",
    "csam": "content/csam",
    "csem": "content/csem",
}
_PARTS = (
    ("child", "content/csam"),
    ("csam", "content/csam"),
    ("blacklist", "reputation/blocklist"),
    ("blocklist", "reputation/blocklist"),
    ("dnsbl", "reputation/blocklist"),
    ("phish", "content/phishing"),
    ("scam", "content/fraud"),
    ("fraud", "content/fraud"),
    ("malware", "content/malware"),
    ("login", "connection/login_attack"),
    ("brute", "connection/login_attack"),
    ("scan", "connection/port_scan"),
    ("dos", "connection/ddos"),
    ("bot", "infrastructure/botnet"),
    ("spam", "messaging/spam"),
    ("copyright", "copyright/copyright"),
    ("trademark", "content/brand_infringement"),
    ("vulnerab", "vulnerability/cve"),
    ("open", "vulnerability/open_service"),
    ("attack", "connection/reconnaissance"),
)
_OLD_FIELDS = re.compile(r"^(?:Reported-From|Report-Type|Source-Type|Schema-URL):", re.MULTILINE | re.IGNORECASE)


class XarfParser:
    """Reads reports in JSON (attached, inline, or in base64) and in the first form, key and value a line."""

    name = "xarf"
    priority = 10

    def read(self, mail: Mail) -> Reading | None:
        """The reading of an XARF report, or None when the mail holds none."""
        allegations: list[Allegation] = []
        faults: list[str] = []
        contact: tuple[str, str, str] = ("", "", "")
        seen = False
        for document in _documents(mail):
            for report in _reports(document):
                seen = True
                if len(allegations) >= _MOST_DOCUMENTS:
                    break
                found, fault, who = _read_report(report)
                if found is not None and found.type in ("content/csam", "content/csem"):
                    return sealed(mail, parser=self.name)
                if found is not None:
                    allegations.append(_with_address(found, mail))
                    contact = contact if contact[0] else who
                if fault:
                    faults.append(fault)
        if not seen:
            return None
        if not allegations:
            return unreadable(
                mail,
                ReadingReason.BROKEN_FORM,
                parser=self.name,
                detail=one_line(f"The XARF report cannot be used: {faults[0] if faults else 'it names no source'}."),
            )
        reporter = reporter_of(mail, reference=contact[2], address=contact[0], name=contact[1])
        return complaint(mail, allegations, parser=self.name, reporter=reporter, detail=faults[0] if faults else "")


def _with_address(allegation: Allegation, mail: Mail) -> Allegation:
    """Where the form names only a URL or a host, the address that the letter writes beside the same host."""
    host = allegation.domain or host_of(allegation.url)
    if allegation.source is not None or not host:
        return allegation
    for line in mail.body.splitlines()[:500]:
        plain = refang(line[:2000])
        if host in plain:
            found = {x.value for x in find_all(plain) if x.kind == "ip" and is_public(x.value)}
            if len(found) == 1:
                return replace(allegation, source=address_in(found.pop()), confidence=min(allegation.confidence, 0.93))
    return allegation


def _documents(mail: Mail) -> Iterator[dict[str, Any]]:
    for leaf in mail.leaves:
        kind, name = leaf.content_type, leaf.filename.lower()
        if kind.startswith(("image/", "video/", "audio/")) or len(leaf.content) > _MOST_OCTETS:
            continue
        content = leaf.content.strip()
        if not _may_be_xarf(kind, name, content):
            continue
        text = decode(content, charset=leaf.charset)
        for value in _json_in(text):
            if isinstance(value, dict):
                yield value
            elif isinstance(value, list):
                yield from (x for x in value[:_MOST_DOCUMENTS] if isinstance(x, dict))
        if _OLD_FIELDS.search(text[:3000]) and len(_OLD_FIELDS.findall(text[:6000])) >= 2:
            yield {"Legacy": first_form(text)}
    for attachment in mail.attachments:
        if attachment.name.lower().endswith(".json") and not any(attachment.content is x.content for x in mail.leaves):
            for value in _json_in(decode(attachment.content[:_MOST_OCTETS])):
                if isinstance(value, dict):
                    yield value


def _may_be_xarf(kind: str, name: str, content: bytes) -> bool:
    if kind in ("application/json", "text/json") or kind.endswith("+json") or name.endswith(".json"):
        return True
    if content.startswith((b"{", b"[", b"eyJ", b"ewo", b"ew0")) or name.startswith("xarf"):
        return True
    return b"eport" in content[:4000] or b"xarf" in content[:4000]


def _json_in(text: str) -> Iterator[Any]:
    """The JSON value that a text is, holds between its first and last brace, or holds in base64."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        start = stripped.find("{")
        compact = "".join(stripped[:_MOST_OCTETS].split())
        if start < 0 and len(compact) > 40 and re.fullmatch(r"[A-Za-z0-9+/_-]{40,}={0,2}", compact):
            try:
                yield from _json_in(decode(base64.b64decode(compact + "=" * (-len(compact) % 4), altchars=None)))
            except (binascii.Error, ValueError):
                return
            return
        if start < 0 or not re.search(
            r"\"(?:xarf_version|Version|ReporterInfo|Report)\"", stripped[start : start + 20_000]
        ):
            return
        stripped = stripped[start:]
    try:
        value, _ = json.JSONDecoder().raw_decode(stripped)
    except (ValueError, RecursionError):
        if not re.search(
            r"\"(?:xarf_version|ReporterInfo|ReportClass|ReportType|source_identifier)\"", stripped[:20_000]
        ):
            return
        value = {"Broken": True}
    yield value


def _reports(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The single reports in a document; what is not XARF yields nothing."""
    if "Broken" in document or "Legacy" in document or "xarf_version" in document or "source_identifier" in document:
        yield document
        return
    for key in ("reports", "Reports", "events", "items"):
        many = document.get(key)
        if isinstance(many, list):
            for one in many[:_MOST_DOCUMENTS]:
                if isinstance(one, dict):
                    yield one if "xarf_version" in one else {**document, "Report": one}
            return
    if isinstance(document.get("Report"), dict) or "ReportType" in document or "ReportClass" in document:
        yield document
    elif isinstance(document.get("Report"), list):
        for one in document["Report"][:_MOST_DOCUMENTS]:
            if isinstance(one, dict):
                yield {**document, "Report": one}


_Result = tuple[Allegation | None, str, tuple[str, str, str]]


def _read_report(report: dict[str, Any]) -> _Result:
    if "Broken" in report:
        return None, "its JSON is broken", ("", "", "")
    if "Legacy" in report:
        return _read_first_form(report["Legacy"])
    if "xarf_version" in report or "source_identifier" in report:
        return _read_four(report)
    return _read_three(report)


def _read_four(report: dict[str, Any]) -> _Result:
    kind = f"{_text(report, 'category')}/{_text(report, 'type')}".lower().replace("-", "_")
    fault = ""
    if kind not in XARF_TYPES:
        kind = _nearest_kind(_text(report, "type")) or _nearest_kind(_text(report, "category"))
        fault = "Its type is not one of XARF 4; the nearest one was taken."
        if not kind:
            return None, "its type is unknown", ("", "", "")
    else:
        from .schema import first_fault

        found = first_fault(report, kind)
        fault = f"It breaks the XARF schema and was read all the same: {found}" if found else ""
    reporter = report.get("reporter") if isinstance(report.get("reporter"), dict) else {}
    assert isinstance(reporter, dict)
    identifier = _text(report, "source_identifier")
    url = _text(report, "url") or next((x for x in _texts(report.get("infringing_url"), report.get("urls")) if x), "")
    allegation = _allegation(
        kind,
        identifier=identifier,
        port=report.get("source_port"),
        url=url,
        domain=_text(report, "domain") or _text(report, "fqdn"),
        protocol=_text(report, "protocol") or _text(report, "service"),
        target=_text(report, "destination_ip") or _text(report, "target_brand") or _text(report, "smtp_to"),
        target_port=report.get("destination_port"),
        when=read_time(_text(report, "timestamp"), _text(report, "first_seen")),
        shown=_shown(report),
        work=_text(report, "work_title"),
        claimant=_text(report, "rights_holder") or _text(report, "brand_owner"),
        confidence=report.get("confidence"),
    )
    who = (_text(reporter, "contact"), _text(reporter, "org"), _text(report, "report_id"))
    return allegation, fault if allegation else "it names no source", who


def _read_three(document: dict[str, Any]) -> _Result:
    report = document.get("Report") if isinstance(document.get("Report"), dict) else document
    assert isinstance(report, dict)
    info = document.get("ReporterInfo") if isinstance(document.get("ReporterInfo"), dict) else {}
    assert isinstance(info, dict)
    source = report.get("Source") if isinstance(report.get("Source"), dict) else {}
    assert isinstance(source, dict)
    extra = report.get("AdditionalInfo") if isinstance(report.get("AdditionalInfo"), dict) else {}
    assert isinstance(extra, dict)
    kind = _nearest_kind(_text(report, "ReportType")) or _nearest_kind(_text(report, "ReportClass"))
    who = (
        _text(info, "ReporterContactEmail") or _text(info, "ReporterOrgEmail"),
        _text(info, "ReporterOrg"),
        _text(report, "ReportID") or _text(document, "ReportID"),
    )
    if not kind:
        return None, "its type is unknown", who
    identifier = (
        _text(source, "IP") or _text(report, "SourceIp") or _text(report, "SourceIP") or _text(report, "Source")
    )
    url = _text(source, "URL") or _text(report, "Url") or _text(report, "URL") or _text(extra, "URL")
    allegation = _allegation(
        kind,
        identifier=identifier or url or _text(source, "Domain") or _text(report, "Domain"),
        port=source.get("Port") or report.get("SourcePort") or extra.get("SourcePort"),
        url=url,
        domain=_text(source, "Domain") or _text(report, "Domain"),
        protocol=_text(report, "Protocol") or _text(extra, "Protocol"),
        target=_text(report, "DestinationIp") or _text(report, "DestinationIP") or _text(report, "SmtpRcptToAddress"),
        target_port=report.get("DestinationPort"),
        when=read_time(_text(report, "Date"), _text(report, "FirstSeen")),
        shown=_shown(report),
        work=_text(report, "Title") or _text(extra, "Title"),
        claimant=_text(report, "CopyrightOwner"),
        confidence=None,
    )
    return allegation, "" if allegation else "it names no source", who


def _read_first_form(fields: dict[str, str]) -> _Result:
    kind = _nearest_kind(fields.get("report-type", "")) or _nearest_kind(fields.get("category", ""))
    who = (fields.get("reported-from", ""), "", fields.get("report-id", ""))
    source = fields.get("source", "") or fields.get("source-ip", "")
    if not kind:
        return None, "its type is unknown", who
    allegation = _allegation(
        kind,
        identifier=source,
        port=fields.get("source-port") or (fields.get("port") if fields.get("port-type") == "source" else None),
        url=source if "://" in source else fields.get("url", ""),
        domain="",
        protocol=fields.get("service", "") or fields.get("protocol", ""),
        target=fields.get("destination", "") or fields.get("target", ""),
        target_port=fields.get("destination-port") or fields.get("port"),
        when=read_time(fields.get("date", "")),
        shown=[f"{name}: {value}" for name, value in fields.items()],
        work="",
        claimant="",
        confidence=None,
    )
    return allegation, "" if allegation else "it names no source", who


def _allegation(
    kind: str,
    *,
    identifier: str,
    port: object,
    url: str,
    domain: str,
    protocol: str,
    target: str,
    target_port: object,
    when: Stated,
    shown: list[str],
    work: str,
    claimant: str,
    confidence: object,
) -> Allegation | None:
    source = address_in(identifier)
    plain = refang(identifier.strip())[:2000]
    url = refang(url.strip())[:2000]
    if source is None and "://" in plain and not url:
        url = plain
    name = domain or (plain if source is None and "://" not in plain else "")
    name = name.strip().rstrip(".")
    if source is None and not (url and "://" in url) and not is_host_name(name):
        found = [x for x in find_all(plain) if x.kind == "ip"]
        if not found:
            return None
        source = address_in(found[0].value)
    sure = 0.98
    if isinstance(confidence, (int, float)) and not isinstance(confidence, bool) and 0 < confidence <= 100:
        # The specification says 0 to 1, its examples and many senders say per cent.
        sure = float(confidence) if confidence <= 1 else confidence / 100
    return Allegation(
        type=kind,
        source=source,
        source_port=port_in(port),
        url=url if "://" in url else None,
        domain=to_ascii(name) if is_host_name(name) else None,
        protocol=one_line(protocol.lower(), longest=30) or None,
        target=one_line(target, longest=254) or None,
        target_port=port_in(target_port),
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt(shown),
        work=one_line(work, longest=300) or None,
        claimant=one_line(claimant, longest=300) or None,
        confidence=sure,
    )


def _nearest_kind(name: str) -> str:
    lowered = name.lower().strip()
    for kind in XARF_TYPES:
        if kind.partition("/")[2] == lowered.replace("-", "_").replace(" ", "_"):
            return kind
    letters = re.sub(r"[^a-z]", "", lowered)
    if letters in _OLD_KINDS:
        return _OLD_KINDS[letters]
    return next((kind for part, kind in _PARTS if part in letters), "")


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        lowered = name.lower()
        value = next((x for key, x in fields.items() if isinstance(key, str) and key.lower() == lowered), None)
    return str(value)[:4000].strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _texts(*values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (x for x in value[:50] if isinstance(x, str))


def _shown(report: dict[str, Any]) -> list[str]:
    """The report's plain fields, for the excerpt; evidence payloads stay out."""
    lines: list[str] = []
    for name, value in list(report.items())[:80]:
        if isinstance(value, (str, int, float)) and name.lower() not in ("payload", "data", "samples", "attachment"):
            lines.append(f"{one_line(str(name), longest=60)}: {one_line(str(value), longest=500)}")
        elif isinstance(value, dict) and name in ("Source",):
            lines += [
                f"{name}.{key}: {one_line(str(x), longest=300)}"
                for key, x in list(value.items())[:10]
                if isinstance(x, (str, int))
            ]
    for sample in report.get("evidence") or report.get("Samples") or []:
        if isinstance(sample, dict):
            lines += _sample(sample)
    return lines


_READABLE = ("text/", "message/", "application/json", "application/x-ndjson", "application/jsonl")


def _sample(sample: dict[str, Any]) -> list[str]:
    """A text sample's first lines: they are the log lines that a customer needs."""
    kind = str(sample.get("content_type") or sample.get("ContentType") or "")
    payload = sample.get("payload") or sample.get("Payload") or sample.get("Data")
    if not isinstance(payload, str) or not kind.startswith(_READABLE):
        return []
    try:
        content = base64.b64decode(payload[:40_000] + "=" * (-len(payload[:40_000]) % 4), validate=True)
        text = decode(content)
    except (binascii.Error, ValueError):
        text = payload[:20_000]
    return [one_line(x, longest=500) for x in text.splitlines()[:20]]
