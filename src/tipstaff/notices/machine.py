"""A notice for machines: what the letter says, as XARF 4 reports that a customer's own desk or program can read. Pure.

Written from the customer's facts only, so nothing of who complained can be in it: reporter and sender are the operator.
The core schema of XARF 4 holds; fields that a type asks for besides are there where the letter knows them.
"""

import base64
import json
import re
import uuid
from datetime import UTC
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from tipstaff.words import Attachment

if TYPE_CHECKING:
    from .compose import LetterFacts

PLACES_MAX: Final = 20
"""So many places get a file of their own."""
_VERSION: Final = "4.2.0"
_NAMESPACE: Final = uuid.UUID("3f0a1c52-6f0e-5c0f-9d0c-1b7a4f7d2a10")
"""Report ids are made from case and place, so that the same notice written again names the same report."""


def xarf_reports(facts: "LetterFacts") -> tuple[Attachment, ...]:
    """One file for each place that the notice names; none where no time is known, which every report must state."""
    at = facts.first_seen or (
        facts.moment.at if facts.moment is not None and facts.moment.zone_stated and not facts.moment.of_days else None
    )
    category, _, kind = facts.type.partition("/")
    if at is None or not kind or not facts.resource:
        return ()
    us = {
        "org": facts.operator,
        "contact": facts.abuse_contact,
        "domain": facts.abuse_contact.rpartition("@")[2],
    }
    files = []
    for n, place in enumerate((facts.resource, *facts.further)[:PLACES_MAX], 1):
        report: dict[str, object] = {
            "xarf_version": _VERSION,
            "report_id": str(uuid.uuid5(_NAMESPACE, f"{facts.case} {place}")),
            "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "reporter": us,
            "sender": us,
            "source_identifier": place,
            "category": category,
            "type": kind,
            "evidence_source": _EVIDENCE_SOURCES.get(facts.source_kind.value, "third_party_report"),
            "description": facts.explanation,
            "tags": [_tag("case", facts.case), *([_tag("clause", facts.clause)] if facts.clause else [])],
            "first_seen": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        if facts.last_seen is not None:
            report["last_seen"] = facts.last_seen.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if n == 1 and facts.port is not None:
            report["source_port"] = facts.port
        if n == 1 and facts.protocol and category == "connection":  # Elsewhere XARF means another layer by it.
            report["protocol"] = facts.protocol
        if not _is_address(place):
            report["url" if "://" in place else "domain"] = place
        if n == 1 and facts.evidence:
            payload = base64.b64encode(facts.evidence.encode()).decode()
            words = "Lines of the report; what could name its author is left out."
            report["evidence"] = [{"content_type": "text/plain", "description": words, "payload": payload}]
        text = json.dumps({k: v for k, v in report.items() if v not in ("", None)}, ensure_ascii=False, indent=1)
        files.append(Attachment(name=f"{facts.case}-{n}.xarf.json", text=text))
    return tuple(files)


_EVIDENCE_SOURCES: Final = {
    "feedback_loop": "user_complaint",
    "person": "user_complaint",
    "measurement": "researcher_analysis",
    "own_sensor": "automated_scan",
}


def _tag(name: str, value: str) -> str:
    """`case:c-000123`: XARF's tags know no capitals and no dots."""
    return f"{name}:{re.sub(r'[^a-z0-9_+-]', '_', value.lower())}"


def _is_address(place: str) -> bool:
    try:
        ip_address(place)
    except ValueError:
        return False
    return True
