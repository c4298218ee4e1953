"""Reads Shadowserver reports: CSV attached, inline or zipped. New or missing columns do no harm; links stay shut."""

import csv
import io
import json
import re
from collections.abc import Iterator

from tipstaff.words import Allegation, Reading, ReadingReason

from ...forms.taxonomy import kind_of_names
from ...mail import Mail
from ...shaping import MOST_ALLEGATIONS, address_in, complaint, excerpt, port_in, reporter_of, unreadable
from ...text.characters import decode, one_line
from ...text.names import is_host_name, to_ascii
from ...text.times import read_time

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
        drift: list[str] = []
        seen_form = False
        # Others send tables with the same columns; what a report's name means, it means in these reports only.
        ours = "shadowserver" in f"{mail.subject} {mail.sender[1]} {mail.body[:3000]}".lower()
        for name, text in _tables(mail):
            known = kind_named(name or mail.subject)
            rows = rows_of_json(text) if text[:1] in "[{" else _rows(text)
            if rows is None or not ((known and (ours or name)) or _looks_like_one(text)):
                continue
            seen_form = True
            unusable = 0
            for row in rows:
                if len(allegations) > MOST_ALLEGATIONS:
                    break
                allegation = allegation_of(row, known)
                if allegation:
                    allegations.append(allegation)
                else:
                    unusable += 1
            drift += _drift(name or mail.subject, text, known=known, unusable=unusable)
        if not seen_form:
            return None
        if not allegations:
            return unreadable(
                mail,
                ReadingReason.NO_SOURCE,
                parser=self.name,
                detail="The report has the right columns and no row with an address.",
            )
        # A report that changed is read all the same; what changed is said, so that somebody can look.
        detail = one_line(" ".join(drift), longest=300)
        return complaint(mail, allegations, parser=self.name, reporter=reporter_of(mail), detail=detail)


def kind_named(name: str) -> str | None:
    """The XARF type for a report's name (`2026-01-31-scan_rdp-example-asn.csv`), or None for an unknown one."""
    found = _FILE.search(name)
    report = found[1] if found else name
    return next((kind for pattern, kind in _COMPILED if pattern.search(report)), None)


_OWN_COLUMNS = frozenset(["asn", "geo", "region", "city", "naics", "hostname", "tag", "severity", "sector"])
"""Columns that nearly every report has; with three of them a table under an unknown name is taken for one."""


def _heading(text: str) -> list[str]:
    heading = text.lstrip("\ufeff \r\n").partition("\n")[0][:20_000]
    return [x.strip().strip("\"'").lower() for x in heading.split(max(",;\t|", key=heading.count))]


def _looks_like_one(text: str) -> bool:
    if text[:1] in "[{":
        return False
    return len(_OWN_COLUMNS.intersection(_heading(text))) >= 3


def _drift(name: str, text: str, *, known: str | None, unusable: int) -> list[str]:
    """What is not as the reader knows it, in sentences: reported, and fatal to nothing."""
    is_json = text[:1] in "[{"
    names = _heading(text)
    said = []
    if known is None:
        said.append(f"The report {one_line(name, longest=80)!r} is of a type that is not known yet.")
    if not is_json and not any(x in names for x in _PORTS):
        said.append("It has no column for the source's port.")
    if unusable:
        said.append(f"{unusable} of its rows name no address.")
    return said


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


def allegation_of(row: dict[str, str], kind: str | None) -> Allegation | None:
    """What one row says; `kind` is None where the report's name tells none, and the row's own words must."""
    source = address_in(_first(row, _SOURCES))
    if source is None:
        return None
    words = (row.get(x, "") for x in ("infection", "family", "tag", "type", "application"))
    kind = kind or kind_of_names(*words) or "vulnerability/open_service"
    url = row.get("url", "").strip()
    host = row.get("http_host", "").strip() or row.get("host", "").strip() or row.get("domain", "").strip()
    shown = [f"{name}: {one_line(value, longest=200)}" for name, value in row.items() if value.strip()]
    # The reports' time stamps are UTC, by the publisher's description of its formats.
    when = read_time(_first(row, _TIMES), zone=0)
    return Allegation(
        type=kind,
        source=source,
        source_port=port_in(_first(row, _PORTS)),
        url=url[:2000] if url.startswith(("http://", "https://")) else None,
        domain=to_ascii(host) if is_host_name(host) else None,
        protocol=one_line(row.get("protocol", "").lower(), longest=20) or None,
        target=one_line(_first(row, _TARGETS), longest=100) or None,
        target_port=port_in(_first(row, ("dst_port", "target_port"))),
        moment=when.moment,
        unread_time=when.unread or None,
        excerpt=excerpt(shown)[:1500],
        confidence=0.95,
    )


def rows_of_json(text: str) -> Iterator[dict[str, str]]:
    """Rows as the reports API gives them: a JSON list of flat objects (or one object with such a list)."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(tree, dict):
        tree = next((x for x in tree.values() if isinstance(x, list)), [])
    for row in tree if isinstance(tree, list) else ():
        if isinstance(row, dict):
            yield {
                str(name).lower(): str(value) for name, value in list(row.items())[:_MOST_COLUMNS] if value is not None
            }
