"""Files that came with a report are looked through by scanners of the operator's; what they say is evidence.

No link is opened and nothing is fetched. What cannot be looked through is said to be so, and never to be clean.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

from tipstaff.intake.mail import Limits, Mail, open_zip
from tipstaff.words import ExaminedFile, FileVerdict

FILES_MAX = 20
"""So many files of one report are looked through, those in its archives among them."""
FOUND_MAX = 20


class ScannerAway(Exception):
    """The scanner cannot be asked now; it is asked again later."""


class NotScanned(Exception):
    """This file was not looked through to its end; asking again is of no use."""


class Scanner(Protocol):
    """Looks through one file, within bounds of time and memory."""

    name: str

    def scan(self, content: bytes) -> tuple[str, ...]:
        """The names of what matched; empty for nothing. Raise ScannerAway or NotScanned."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail, or one of an archive of it."""

    name: str
    content: bytes
    flaw: str = ""
    """Why it cannot be looked through whole: files in it are locked, or lie beyond the bounds."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def files_of(mail: Mail) -> Iterator[File]:
    """The files of a mail and of the mails in it; an archive is one itself, and then come those in it."""
    for part in mail.leaves:
        in_words = part.content_type.startswith(("text/", "message/")) and part.disposition != "attachment"
        if not part.content or (in_words and not part.filename):
            continue
        if part.content[:4] != b"PK\x03\x04":
            yield File(part.filename, part.content)
            continue
        inside = [File(each.name, each.content) for each in open_zip(part.content, limits=mail.limits)]
        left = _entries(part.content, limits=mail.limits) - len(inside)
        flaw = f"{left} of the files in it are locked, packed once more, or beyond the bounds." if left > 0 else ""
        yield File(part.filename, part.content, flaw)
        yield from inside


def _entries(content: bytes, *, limits: Limits) -> int:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return sum(not entry.is_dir() for entry in archive.infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return 1  # An archive that cannot be read holds at least something.


def examine(file: File, *, scanner: Scanner, octets_max: int) -> ExaminedFile:
    """What a scanner says of a file."""
    found: tuple[str, ...] = ()
    why, again = "", False
    if len(file.content) > octets_max:
        why = f"It is larger than {octets_max} octets."
    else:
        try:
            found = scanner.scan(file.content)[:FOUND_MAX]
            why = "" if found else file.flaw
        except (ScannerAway, NotScanned) as flaw:
            why, again = str(flaw), isinstance(flaw, ScannerAway)
    verdict = FileVerdict.MATCHED if found else FileVerdict.NOT_EXAMINED if why else FileVerdict.NOTHING_FOUND
    return ExaminedFile(
        name=file.name[:200], sha256=file.sha256, octets=len(file.content), by=scanner.name, verdict=verdict,
        found=found, why=why, again=again,
    )  # fmt: skip
