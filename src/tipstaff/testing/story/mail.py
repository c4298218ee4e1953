"""Writes the story's mails, byte for byte the same for the same day: no clock, no chance, no library's boundary."""

import base64
import binascii
import csv
import hashlib
import io
import json
import quopri
import struct
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.header import Header
from email.utils import format_datetime

from tipstaff.words import require_aware

from .operator import ABUSE_ADDRESS
from .reporters import Reporting

CRLF = "\r\n"


@dataclass(frozen=True, slots=True)
class Day:
    """The story's start instant, and the ways in which people write times."""

    start: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_aware(self.start).replace(microsecond=0))

    def at(self, hours: float, seconds: int = 0) -> datetime:
        """The instant `hours` after the start (before it when negative)."""
        return self.start + timedelta(hours=hours, seconds=seconds)


def rfc3339(at: datetime, *, hours: float = 0) -> str:
    """`2026-03-02T08:15:00Z`, or with the offset of a zone `hours` east."""
    if not hours:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return at.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")


def plain(at: datetime, *, hours: float = 0) -> str:
    """`2026-03-02 08:15:00`: no zone is written."""
    return _local(at, hours).strftime("%Y-%m-%d %H:%M:%S")


def syslog(at: datetime, *, hours: float = 0) -> str:
    """`Mar  2 08:15:00`: neither year nor zone."""
    local = _local(at, hours)
    return f"{_MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S}"


def apache(at: datetime, *, hours: float = 0) -> str:
    """`02/Mar/2026:08:15:00 +0000`: the common log format's time."""
    local = _local(at, hours)
    return f"{local.day:02d}/{_MONTHS[local.month - 1]}/{local.year}:{local:%H:%M:%S} {local:%z}"


def rfc5322(at: datetime, *, hours: float = 0) -> str:
    """`Mon, 02 Mar 2026 08:15:00 +0000`."""
    return format_datetime(_local(at, hours))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _local(at: datetime, hours: float) -> datetime:
    return at.astimezone(timezone(timedelta(hours=hours)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a mail: its content type, its body as it goes over the wire, and further header lines."""

    content_type: str
    body: bytes
    headers: tuple[str, ...] = ()

    def wire(self) -> bytes:
        lines = (f"Content-Type: {self.content_type}", *self.headers)
        return CRLF.join(lines).encode("ascii") + b"\r\n\r\n" + self.body


def text(
    words: str, *, charset: str = "utf-8", subtype: str = "plain", encoding: str = "", claimed: str | None = None
) -> Part:
    """A text part. `encoding` is the transfer encoding; `claimed` is the charset it says it has, when that is wrong."""
    raw = words.strip("\n").replace("\n", CRLF).encode(charset) + b"\r\n"
    headers: tuple[str, ...] = ()
    if encoding == "base64":
        raw = _base64_lines(raw)
    elif encoding == "quoted-printable":
        raw = quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    if encoding:
        headers = (f"Content-Transfer-Encoding: {encoding}",)
    elif not raw.isascii():
        headers = ("Content-Transfer-Encoding: 8bit",)
    return Part(content_type=f"text/{subtype}; charset={claimed or charset}", body=raw, headers=headers)


def attachment(raw: bytes, *, content_type: str, name: str) -> Part:
    """A file, as base64."""
    return Part(
        content_type=f'{content_type}; name="{name}"',
        body=_base64_lines(raw),
        headers=("Content-Transfer-Encoding: base64", f'Content-Disposition: attachment; filename="{name}"'),
    )


def multipart(parts: Sequence[Part], *, subtype: str = "mixed", parameters: str = "", preamble: str = "") -> Part:
    """Several parts in one; the boundary is made of what it bounds."""
    bodies = [part.wire() for part in parts]
    boundary = "=_" + hashlib.sha256(b"\0".join(bodies)).hexdigest()[:24]
    edge = f"--{boundary}".encode("ascii")
    raw = preamble.encode("ascii") + b"".join(edge + b"\r\n" + body + b"\r\n" for body in bodies) + edge + b"--\r\n"
    more = f"; {parameters}" if parameters else ""
    return Part(content_type=f'multipart/{subtype}{more}; boundary="{boundary}"', body=raw)


def enclosed(raw: bytes, *, content_type: str = "message/rfc822") -> Part:
    """A mail within a mail."""
    return Part(content_type=content_type, body=raw)


def mail(
    content: Part | str,
    *,
    sender: Reporting,
    subject: str,
    at: datetime,
    to: str = ABUSE_ADDRESS,
    message_id: str | None = None,
    headers: Iterable[str] = (),
    received_by: str = "mx.operator.example.net",
) -> bytes:
    """A whole mail. Its Message-ID comes from the sender, the subject and the time unless it is given."""
    part = text(content) if isinstance(content, str) else content
    sent = rfc5322(at, hours=sender.zone_hours)
    if message_id is None:
        message_id = f"<{stamp(sender.address, subject, sent)[:20]}@{sender.domain}>"
    lines = [
        f"Received: from mx.{sender.domain} (mx.{sender.domain} [{sender.mx}])",
        f"\tby {received_by} with ESMTPS id {stamp(message_id)[:12]}; {rfc5322(at + timedelta(seconds=2))}",
        f"Date: {sent}",
        f"From: {_words(sender.name)} <{sender.address}>",
        f"To: {to}",
        f"Subject: {_words(subject)}",
        f"Message-ID: {message_id}",
        "MIME-Version: 1.0",
        *headers,
    ]
    return CRLF.join(lines).encode("ascii") + b"\r\n" + part.wire()


def spam_sample(
    *,
    source: str,
    helo: str,
    received_by: str,
    at: datetime,
    sender: str,
    to: str,
    subject: str,
    body: str,
    hours: float = 0,
    source_port: int | None = None,
) -> bytes:
    """The mail that a complaint is about, as the victim's server kept it."""
    port = f":{source_port}" if source_port else ""
    lines = (
        f"Return-Path: <{sender}>",
        f"Received: from {helo} ({helo} [{source}]{port})",
        f"\tby {received_by} (Postfix) with ESMTP id {stamp(source, subject)[:10].upper()}",
        f"\tfor <{to}>; {rfc5322(at, hours=hours)}",
        f"Date: {rfc5322(at - timedelta(seconds=4), hours=hours)}",
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {_words(subject)}",
        f"Message-ID: <{stamp(sender, subject, to)[:16]}@{helo}>",
        "MIME-Version: 1.0",
    )
    return CRLF.join(lines).encode("ascii") + b"\r\n" + text(body).wire()


def arf(
    fields: Mapping[str, str], *, sample: bytes, words: str, headers_only: bool = False, also: Sequence[str] = ()
) -> Part:
    """An abuse report after RFC 5965: words, fields, sample."""
    report = CRLF.join([f"{name}: {value}" for name, value in fields.items()] + list(also)) + CRLF
    if headers_only:
        kept, _, _ = sample.partition(b"\r\n\r\n")
        third = Part(content_type="text/rfc822-headers", body=kept + b"\r\n")
    else:
        third = enclosed(sample)
    return multipart(
        (text(words), Part(content_type="message/feedback-report", body=report.encode("ascii")), third),
        subtype="report",
        parameters="report-type=feedback-report",
    )


def xarf_mail(document: Mapping[str, object], *, words: str, third: Part | None = None) -> Part:
    """An XARF document in its usual mail: words, then the JSON as a file."""
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8")
    parts = [text(words), attachment(raw, content_type="application/json", name="xarf.json")]
    if third:
        parts.append(third)
    return multipart(parts)


def xarf(
    type: str,
    *,
    version: str,
    reporter: Reporting,
    at: datetime,
    source: str,
    **fields: object,
) -> dict[str, object]:
    """An XARF 4 document; its identifier comes from its content."""
    category, _, kind = type.partition("/")
    contact = {"org": reporter.name, "contact": reporter.address, "domain": reporter.domain}
    identifier = uuid.UUID(
        bytes=hashlib.sha256(f"{type}{source}{at}{reporter.address}".encode()).digest()[:16], version=4
    )
    return {
        "xarf_version": version,
        "report_id": str(identifier),
        "timestamp": rfc3339(at),
        "reporter": contact,
        "sender": contact,
        "source_identifier": source,
        "category": category,
        "type": kind,
        **fields,
    }


def xarf_evidence(raw: bytes, *, content_type: str, description: str) -> list[dict[str, object]]:
    """The evidence of an XARF 4 document: one item."""
    return [
        {
            "content_type": content_type,
            "description": description,
            "payload": base64.b64encode(raw).decode("ascii"),
            "hash": "sha256:" + hashlib.sha256(raw).hexdigest(),
            "size": len(raw),
        }
    ]


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV with every cell quoted, the way scan feeds write them."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")


def zipped(raw: bytes, *, name: str) -> bytes:
    """A ZIP archive of one file, dated at the beginning of ZIP's time so that its bytes stay the same."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, raw)
    return out.getvalue()


PICTURE_MARK = b"An innocent grey square from the Tipstaff example day"
"""Stands in the only picture of the story. It must be found nowhere after the day was played."""


def innocent_picture() -> bytes:
    """A grey square of 8 x 8 points as PNG, with PICTURE_MARK in a comment: what the sealed complaints carry."""
    rows = b"".join(b"\0" + b"\x80" * 8 for _ in range(8))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
        + _chunk(b"tEXt", b"Comment\0" + PICTURE_MARK)
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def picture_traces(mark: bytes = PICTURE_MARK) -> tuple[bytes, ...]:
    """The mark as it looks when it is kept: as it is, in hexadecimal, and in base64 wherever it begins."""
    encoded = (base64.b64encode(b"\0" * before + mark)[4 if before else 0 : -8] for before in range(3))
    return (mark, mark.hex().encode("ascii"), *encoded)


def shows_picture(raw: bytes, *, mark: bytes = PICTURE_MARK) -> bool:
    """True when the picture with this mark, or the part of it that holds the mark, stands in `raw`."""
    dense = raw.translate(None, b" \t\r\n")
    return mark in raw or any(trace in dense for trace in picture_traces(mark)[1:])


def stamp(*words: str) -> str:
    """A hexadecimal name made of words."""
    return hashlib.sha256("\0".join(words).encode("utf-8")).hexdigest()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", binascii.crc32(kind + body))


def _base64_lines(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", b"\r\n")


def _words(words: str) -> str:
    return words if words.isascii() else Header(words, "utf-8", maxlinelen=70).encode(linesep=CRLF)
