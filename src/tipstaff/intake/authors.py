"""Who wrote a mail: a person, a program by itself, or a program in answer to another mail. Pure."""

import enum
from email.parser import BytesHeaderParser
from email.policy import compat32

HEADER_OCTETS_MAX = 64 * 1024


class Author(enum.Enum):
    """What the headers admit to (RFC 3834, RFC 2076, RFC 2919)."""

    PERSON = "person"
    """Nothing speaks against it."""
    PROGRAM = "program"
    """Generated or sent to many: an alert, a feed, a list."""
    ANSWERING = "answering"
    """An automatic answer to a mail of somebody's: answering it could go on for ever."""


def written_by_program(raw: bytes) -> Author:
    """Look at the headers of a mail as it was received."""
    head = BytesHeaderParser(policy=compat32).parsebytes(raw[:HEADER_OCTETS_MAX])

    def value(name: str) -> str:
        return str(head.get(name, "")).strip().lower()

    submitted = value("Auto-Submitted").partition(";")[0].strip()
    if submitted == "auto-replied" or value("X-Autoreply") in ("yes", "true") or "X-Autorespond" in head:
        return Author.ANSWERING
    if value("Precedence") == "auto_reply":
        return Author.ANSWERING
    of_a_list = any(name in head for name in ("List-Id", "List-Unsubscribe", "List-Post", "Feedback-ID"))
    if submitted not in ("", "no") or value("Precedence") in ("bulk", "junk", "list") or of_a_list:
        return Author.PROGRAM
    return Author.PERSON
