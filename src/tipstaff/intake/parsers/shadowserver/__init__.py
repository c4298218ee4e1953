"""Reads Shadowserver reports: CSV attached, inline or zipped. New or missing columns do no harm; links stay shut."""

import csv
import io
import re
from collections.abc import Iterator

from tipstaff.words import Allegation, Moment, Reading, ReadingReason

from ...mail import Mail
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.names import is_host_name, to_ascii
from ...text.times import find_moment

_KINDS = (
    (r"honeypot_brute_force|brute_force", "connection/login_attack"),
    (
        r"honeypot_ddos|honeypot_adb_ddos|ddos_participant|ddos_amp|ddos_target|amp_ddos|ip_spoofer|"
        r"\bddos",
        "connection/ddos",
    ),
    (
        r"honeypot_http_scan|honeypot_ics_scan|honeypot_rdp_scan|honeypot_smb_scan|honeypot_adb_scan|"
        r"http_scan",
        "connection/vulnerability_scan",
    ),
    (r"darknet|port_scan|honeypot", "connection/port_scan"),
    (r"microsoft_sinkhole|sinkhole_http_referer|sinkhole|botnet_drone|drone|infected", "infrastructure/botnet"),
    (r"cc_ip|\bc2\b|command_control|cc_url", "infrastructure/botnet"),
    (r"compromised_website|compromised_iot|compromised_account|compromised", "infrastructure/compromised_server"),
    (r"post_exploitation|exchange_webshell|webshell|defacement", "content/remote_compromise"),
    (r"malware_url|malware", "content/malware"),
    (r"phish", "content/phishing"),
    (r"spam_url|spam", "messaging/spam"),
    (r"blocklist|blacklist", "reputation/blocklist"),
    (r"vulnerable|exchange|cve|vulnerability", "vulnerability/cve"),
    (r"poodle|freak|ssl|tls|certificate", "vulnerability/misconfiguration"),
    (
        r"scan6?_|open|accessible|isakmp|dns|ntp|snmp|smb|rdp|netbios|ldap|mongodb|redis|telnet|"
        r"device_id|population",
        "vulnerability/open_service",
    ),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in _KINDS)
_FILE = re.compile(r"(?:\A|/)(?:\d{4}-\d{2}-\d{2}-)?([a-z0-9_]{2,60})(?:-[\w.-]{1,200})?\.csv\Z", re.IGNORECASE)
_SOURCES = ("src_ip", "ip", "ip_address", "source_ip")
_PORTS = ("src_port", "port", "source_port")
_TARGETS = ("dst_ip", "target_ip", "destination_ip")
_TIMES = ("timestamp", "time", "detection_time", "date")
_MOST_COLUMNS = 400


class ShadowserverParser:
    """Reads one report type a file, by the name of the file."""

    name = "shadowserver"
    priority = 40

    def read(self, mail: Mail) -> Reading | None:
        """The events of a report, or None when the mail holds no such CSV."""
        allegations: list[Allegation] = []
        seen_form = False
        for name, text in _tables(mail):
            rows = _rows(text)
            if rows is None:
                continue
            seen_form = True
            kind = kind_of(name or mail.subject)
            for row in rows:
                if len(allegations) > MOST_ALLEGATIONS:
                    break
                allegation = _allegation(row, kind)
                if allegation:
                    allegations.append(allegation)
        if not seen_form:
            return None
        if not allegations:
            return unreadable(
                mail,
                ReadingReason.NO_SOURCE,
                parser=self.name,
                detail="The report has the right columns and no row with an address.",
            )
        return complaint(mail, allegations, parser=self.name, reporter=reporter_of(mail))


def kind_of(name: str) -> str:
    """The XARF type for a report's name (`2026-01-31-scan_rdp-example-asn.csv`)."""
    found = _FILE.search(name)
    report = found[1] if found else name
    for pattern, kind in _COMPILED:
        if pattern.search(report):
            return kind
    return "vulnerability/open_service"


def _tables(mail: Mail) -> Iterator[tuple[str, str]]:
    """CSV texts with their names: attached, unpacked, or in the body."""
    for attachment in mail.attachments:
        if b"timestamp" in attachment.content[:4000].lower():
            yield attachment.name, decode(attachment.content)
    body = mail.body
    start = body.find("timestamp")
    if start >= 0:
        line_start = body.rfind("\n", 0, start) + 1
        yield "", body[line_start:]


def _rows(text: str) -> Iterator[dict[str, str]] | None:
    """Rows as dictionaries by lower-case column names, or None when the first line is not such a heading."""
    text = text.lstrip("\ufeff \r\n")
    heading, _, _rest = text.partition("\n")
    if len(heading) > 20_000:
        return None
    separator = max(",;\t|", key=heading.count)
    names = [x.strip().strip("\"'").lower() for x in heading.split(separator)]
    if not (len(names) >= 3 and any(x in names for x in _TIMES[:1]) and any(x in names for x in _SOURCES)):
        return None
    if len(names) > _MOST_COLUMNS:
        return None
    return _read(text, names, separator)


def _read(text: str, names: list[str], separator: str) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=separator)
    try:
        next(reader, None)
        for cells in reader:
            # Short rows lack their last columns; cells beyond the heading have no name and are left out.
            yield dict(zip(names, cells, strict=False))
    except csv.Error:
        return


def _first(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[x].strip() for x in names if row.get(x, "").strip()), "")


def _allegation(row: dict[str, str], kind: str) -> Allegation | None:
    source = address_in(_first(row, _SOURCES))
    if source is None:
        return None
    url = row.get("url", "").strip()
    host = row.get("http_host", "").strip() or row.get("host", "").strip() or row.get("domain", "").strip()
    shown = [f"{name}: {one_line(value, longest=200)}" for name, value in row.items() if value.strip()]
    return Allegation(
        type=kind,
        source=source,
        source_port=port_in(_first(row, _PORTS)),
        url=url[:2000] if url.startswith(("http://", "https://")) else None,
        domain=to_ascii(host) if is_host_name(host) else None,
        protocol=one_line(row.get("protocol", "").lower(), longest=20) or None,
        target=one_line(_first(row, _TARGETS), longest=100) or None,
        target_port=port_in(_first(row, ("dst_port", "target_port"))),
        moment=_moment(_first(row, _TIMES)),
        excerpt=excerpt(shown)[:1500],
        confidence=0.95,
    )


def _moment(value: str) -> Moment | None:
    # The reports' time stamps are UTC, by the publisher's description of its formats.
    return find_moment(value, zone=0)
