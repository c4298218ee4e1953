"""Reads what a mail system says about a letter that did not arrive (RFC 3464). Pure; it believes nothing by itself."""

import email
import re
from dataclasses import dataclass
from email.message import Message

OCTETS_MAX = 256 * 1024
"""A delivery report says what matters at its beginning; what a stranger hangs behind it is not read."""
_PERMANENT = re.compile(r"5\.(1\.\d{1,3}|2\.1)\b")
"""The recipient does not exist, moved, or is closed (RFC 3463): not a full mailbox, nor a letter that was disliked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A mail system's word that one recipient can't be reached."""

    message_id: str
    """Of the letter that came back, as it stands in the part that was returned."""
    recipients: frozenset[str]
    """The recipient as we wrote it, and as the last system knew it, in lower case."""
    status: str


def read_returned(raw: bytes) -> Returned | None:
    """The first recipient that was refused for good; None when there is none, or no letter is named."""
    report = email.message_from_bytes(raw[:OCTETS_MAX])
    if report.get_content_type() != "multipart/report" or not report.is_multipart():
        return None
    parts = report.get_payload()
    assert isinstance(parts, list)
    message_id, refused = "", None
    for part in parts:
        if not isinstance(part, Message):
            continue
        kind = part.get_content_type()
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            refused = refused or _refused(part)
        elif kind in ("message/rfc822", "message/global", "text/rfc822-headers"):
            message_id = message_id or _message_id_of(part)
    if refused is None or not message_id:
        return None
    return Returned(message_id=message_id, recipients=refused[0], status=refused[1])


def _refused(part: Message) -> tuple[frozenset[str], str] | None:
    blocks = part.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Message) or str(block.get("Action", "")).strip().lower() != "failed":
            continue
        status = _PERMANENT.match(str(block.get("Status", "")).strip())
        named = [str(block.get(name, "")).rpartition(";")[2].strip(" <>\t\r\n").lower() for name in _NAMES]
        if status and any(named):
            return frozenset(filter(None, named)), status[0]
    return None


_NAMES = ("Original-Recipient", "Final-Recipient")


def _message_id_of(part: Message) -> str:
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        return str(inner[0].get("Message-ID", "")).strip()
    text = part.get_payload(decode=True)
    if isinstance(text, bytes):
        return str(email.message_from_bytes(text).get("Message-ID", "")).strip()
    return ""
