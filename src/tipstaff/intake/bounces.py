"""What a mail system says of a letter that it could not deliver (RFC 3464). Pure."""

from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

OCTETS_MAX = 1024 * 1024
"""A delivery report and the headers that it returns are far shorter."""
PARTS_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A letter that came back for good."""

    message_id: str
    """Of the letter, as the report returns its headers."""
    recipient: str
    why: str
    """The other side's words."""


def returned_letter(raw: bytes) -> Returned | None:
    """Return what came back; None when nothing failed for good, or when the report does not say which mail."""
    mail = message_from_bytes(raw[:OCTETS_MAX], policy=compat32)
    failed: tuple[str, str] | None = None
    message_id = ""
    for n, part in enumerate(mail.walk()):
        if n > PARTS_MAX:
            break
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            failed = failed or _failure_in(part)
        elif kind in ("text/rfc822-headers", "message/rfc822", "message/rfc822-headers", "message/global-headers"):
            message_id = message_id or _message_id_in(part)
    if failed is None or not message_id:
        return None
    return Returned(message_id=message_id, recipient=failed[0], why=failed[1])


def _failure_in(part: Message) -> tuple[str, str] | None:
    """(recipient, words) of the first recipient for whom delivery failed for good."""
    blocks = part.get_payload()
    for block in (b for b in blocks if isinstance(b, Message)) if isinstance(blocks, list) else ():
        status = str(block.get("Status", "")).strip()
        if str(block.get("Action", "")).strip().lower() == "failed" and not status.startswith("4"):
            recipient = str(block.get("Final-Recipient", block.get("Original-Recipient", ""))).rpartition(";")[2]
            words = str(block.get("Diagnostic-Code", "")).partition(";")[2].strip() or status
            return recipient.strip(), " ".join(words.split())[:300]
    return None


def _message_id_in(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        inner = payload[0] if payload else None
        return str(inner.get("Message-ID", "")).strip() if isinstance(inner, Message) else ""
    text = part.get_payload(decode=True)
    return str(message_from_bytes(text if isinstance(text, bytes) else b"").get("Message-ID", "")).strip()
