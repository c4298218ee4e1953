"""Reads which letter a mail answers (RFC 5322, 3.6.4), or which key of ours stands in its subject. Pure."""

import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import parseaddr

HEADER_OCTETS_MAX = 64 * 1024
_IDS_MAX = 20
_ID = re.compile(r"<[^<>\s]{1,250}>")
_KEY = re.compile(r"\b([CR]-\d{6,12})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a mail says it answers. Anybody can write that: a Message-ID of ours only a letter's reader has seen."""

    message_ids: tuple[str, ...]
    """Those of In-Reply-To first, then those of References, the latest first."""
    keys: tuple[str, ...]
    """Keys of cases and reports in the subject, such as `C-000123`."""
    sender: str
    """The address in From, in lower case; whoever sent it wrote that, too."""


def read_answered(raw: bytes) -> Answered:
    """Look at the headers of a mail as it was received."""
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:HEADER_OCTETS_MAX])
    replied = _ID.findall(str(head.get("In-Reply-To", "")))
    earlier = _ID.findall(str(head.get("References", "")))
    return Answered(
        message_ids=tuple(dict.fromkeys([*replied, *reversed(earlier)]))[:_IDS_MAX],
        keys=tuple(dict.fromkeys(_KEY.findall(_subject(str(head.get("Subject", ""))))))[:_IDS_MAX],
        sender=parseaddr(str(head.get("From", "")))[1].strip().lower(),
    )


def _subject(raw: str) -> str:
    try:
        return str(make_header(decode_header(raw[:2000])))
    except (ValueError, LookupError):
        return raw[:2000]
