"""Rows to words and back. What a word says is what the row gives back, save three things no database column holds.

NUL and lone surrogates become U+FFFD; an address loses its zone (`fe80::1%eth0`); a port outside 0 to 65535 is none.
The bytes as they came stay in the ledger's vault, so nothing is lost by that.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter
from typing import Any, TypeVar

from tipstaff.words import (
    Allegation,
    Channel,
    Incident,
    Moment,
    Reading,
    ReadingOutcome,
    ReadingReason,
    Report,
    Reporter,
    ReportOutcome,
    host_of,
)

from .models import IncidentRow, ReportRow

_COLUMNS = frozenset({"type", "source", "source_port", "url", "domain", "moment", "excerpt", "confidence"})
_REST = tuple(f.name for f in fields(Allegation) if f.name not in _COLUMNS)
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")

T = TypeVar("T")


def storable(value: T) -> T:
    """`value`, with characters replaced that PostgreSQL's UTF-8 text cannot hold; other types pass."""
    if isinstance(value, str) and value.isascii() and "\0" not in value:
        return value
    return _NOT_STORABLE.sub("\ufffd", value) if isinstance(value, str) else value  # type: ignore[return-value]  # str


_TEXTS = tuple(field.name for field in fields(Allegation) if "str" in str(field.type))


def storable_allegation(allegation: Allegation) -> Allegation:
    """The allegation as it will come back."""
    changes: dict[str, Any] = {}
    for name in _TEXTS:
        value = getattr(allegation, name)
        if value is not None and (kept := storable(value)) is not value:
            changes[name] = kept
    if isinstance(allegation.source, IPv6Address) and allegation.source.scope_id is not None:
        changes["source"] = IPv6Address(int(allegation.source))
    if not _is_port(allegation.source_port):
        changes["source_port"] = None
    if not _is_port(allegation.target_port):
        changes["target_port"] = None
    # A feed has ten thousand rows, of which hardly any needs a change.
    return replace(allegation, **changes) if changes else allegation


def incident_rows(
    report: ReportRow, allegations: Iterable[Allegation], *, outcome: ReportOutcome
) -> Iterator[IncidentRow]:
    """Unsaved rows, numbered from the report's first."""
    for n, given in enumerate(allegations, report.first_n):
        allegation = storable_allegation(given)
        moment = allegation.moment
        rest = {name: getattr(allegation, name) for name in _REST}
        yield IncidentRow(
            report=report,
            n=n,
            received_at=report.received_at,
            type=allegation.type,
            source=str(allegation.source) if allegation.source else None,
            source_port=allegation.source_port,
            url=allegation.url,
            domain=allegation.domain,
            moment_at=moment.at if moment else None,
            moment_error_seconds=moment.error_seconds if moment else None,
            moment_zone_stated=moment.zone_stated if moment else None,
            excerpt=allegation.excerpt,
            confidence=allegation.confidence,
            rest={name: value for name, value in rest.items() if value is not None},
            site=site_of(allegation),
            outcome=outcome,
        )


_FIELDS = (
    "report_id", "n", "received_at", "type", "source", "source_port", "url", "domain", "moment_at",
    "moment_error_seconds", "moment_zone_stated", "excerpt", "confidence", "site", "outcome", "reason", "case",
)  # fmt: skip
_values = attrgetter(*_FIELDS)
COPIED = (*(f'"{name}"' for name in _FIELDS), "rest")
"""Columns that a new incident has, for COPY."""


def copied(row: IncidentRow) -> tuple[Any, ...]:
    """The values of an unsaved row for COPIED."""
    return (*_values(row), json.dumps(row.rest))


def allegation_of(row: IncidentRow) -> Allegation:
    """The row's allegation as a word."""
    moment = None
    if row.moment_at is not None and row.moment_error_seconds is not None:
        moment = Moment(row.moment_at, row.moment_error_seconds, zone_stated=bool(row.moment_zone_stated))
    return Allegation(
        type=row.type,
        source=ip_address(row.source) if row.source is not None else None,
        source_port=row.source_port,
        url=row.url,
        domain=row.domain,
        moment=moment,
        excerpt=row.excerpt,
        confidence=row.confidence,
        **row.rest,
    )


def incident_of(row: IncidentRow, *, report_key: str) -> Incident:
    """The row as a word."""
    return Incident(
        key=f"{report_key}.{row.n}",
        allegation=allegation_of(row),
        outcome=ReportOutcome(row.outcome),
        reason=row.reason,
        case=row.case,
    )


def report_of(row: ReportRow, *, incidents: Sequence[IncidentRow], total: int) -> Report:
    """The row and some of its `total` incidents as a word; the reading tells only of the incidents given."""
    words = tuple(incident_of(incident, report_key=row.key) for incident in incidents)
    return replace(report_with(row, incidents=words), incident_total=total)


def report_with(row: ReportRow, *, incidents: tuple[Incident, ...]) -> Report:
    """The row and all its incidents as a word."""
    return Report(
        key=row.key,
        evidence=row.evidence,
        received_at=row.received_at,
        channel=Channel(row.channel),
        sender=row.sender,
        outcome=ReportOutcome(row.outcome),
        outcome_reason=row.outcome_reason,
        reading=_reading_of(row, tuple(incident.allegation for incident in incidents)),
        incidents=incidents,
        incident_total=len(incidents),
    )


def site_of(allegation: Allegation) -> str:
    """The host name complained about, labels from the right; empty where there is none."""
    return labels_from_the_right(allegation.domain or host_of(allegation.url))


def labels_from_the_right(name: str) -> str:
    """`www.example.net` as `net.example.www`; empty for an address and for what no host name is long as."""
    name = name.strip().rstrip(".").lower()
    if not name or len(name) > 253 or is_address(name):
        return ""
    return ".".join(reversed(name.split(".")))


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def plain_address(address: IPv4Address | IPv6Address) -> str:
    """The address as PostgreSQL writes it, without a zone."""
    return str(IPv6Address(int(address))) if isinstance(address, IPv6Address) else str(address)


def _reading_of(row: ReportRow, allegations: tuple[Allegation, ...]) -> Reading | None:
    if row.read_at is None:
        return None
    return Reading(
        outcome=ReadingOutcome(row.reading_outcome),
        reason=ReadingReason(row.reading_reason),
        allegations=allegations,
        reporter=Reporter(
            address=row.reporter_address,
            name=row.reporter_name,
            reference=row.reporter_reference,
            message_id=row.reporter_message_id,
            subject=row.reporter_subject,
            language=row.reporter_language,
        ),
        parser=row.parser,
        detail=row.detail,
    )


def _is_port(port: int | None) -> bool:
    return port is None or 0 <= port <= 65535
