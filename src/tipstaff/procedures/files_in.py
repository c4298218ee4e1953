"""A customer sends files along with an answer: they come in as the same answer by mail would, by all of its checks.

The sieve looks at them before they are kept, scanners look through them, a person reads them beside the case, and they
accuse nobody (`procedures/replies.py`).
"""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from tipstaff.notices.compose import COMPLAINANT_KINDS
from tipstaff.notices.queries import letters_of_case
from tipstaff.words import Channel

from .complaint import accept
from .desk import Desk

FILES_MAX = 5
OCTETS_MAX = 10 * 1024 * 1024
"""Of all files together."""
_SHOWN = frozenset({"text/plain", "text/csv", "image/png", "image/jpeg", "application/pdf"})
"""Kinds that keep their name; everything else is octets, whatever it calls itself."""


class TooManyFiles(ValueError):
    """Send at most five files, of 10 MiB together."""


class NothingToAnswer(LookupError):
    """No letter about this case was handed over, so nothing can be an answer to one."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it was sent."""

    name: str
    content: bytes


def hand_in_files(case: str, files: Sequence[File], *, words: str, sender: str, desk: Desk, at: datetime) -> str:
    """Keep the files as an answer to the last letter about the case; the report's key. `sender` empty: its reader.

    Raise TooManyFiles or NothingToAnswer; the answer itself is another matter (`answer_case`).
    """
    if len(files) > FILES_MAX or sum(len(file.content) for file in files) > OCTETS_MAX:
        raise TooManyFiles(TooManyFiles.__doc__)
    handed_over = [
        letter for letter in letters_of_case(case)
        if letter.sent_at is not None and letter.message_id and letter.kind not in COMPLAINANT_KINDS
    ]  # fmt: skip
    letter = max(handed_over, key=lambda each: (each.sent_at, each.key), default=None)
    if letter is None:
        raise NothingToAnswer(case)
    mail = EmailMessage()
    mail["From"] = sender or letter.to
    mail["To"] = desk.abuse_address
    mail["Date"] = format_datetime(at)
    mail["Subject"] = f"[{case}] Files"
    mail["In-Reply-To"] = mail["References"] = letter.message_id
    mail.set_content(words or "(no words)")
    for number, file in enumerate(files, 1):
        name = "".join(c for c in file.name if c.isprintable() and c not in '/\\"')[-100:].strip() or f"file-{number}"
        guessed = mimetypes.guess_type(name)[0] or ""
        kind, _, below = (guessed if guessed in _SHOWN else "application/octet-stream").partition("/")
        mail.add_attachment(file.content, maintype=kind, subtype=below, filename=name)
    return accept(
        mail.as_bytes(), sender=sender or letter.to, recipients=(desk.abuse_address,), channel=Channel.WEB, desk=desk,
        at=at,
    )  # fmt: skip
