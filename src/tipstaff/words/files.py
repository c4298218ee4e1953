"""What scanners say of files that came with a report: evidence for whoever decides, and never a measure by itself."""

import enum
from dataclasses import dataclass


class FileVerdict(enum.StrEnum):
    """What one scanner says of one file."""

    MATCHED = "matched"
    """A signature or rule of the operator's names it."""
    NOTHING_FOUND = "nothing_found"
    """It was looked through and none matched, which does not make it harmless."""
    NOT_EXAMINED = "not_examined"
    """It could not be looked through: why stands beside it. It is never taken for the one above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedFile:
    """A file that came with a report, and what one scanner says of it. The file itself is kept in the evidence only."""

    name: str
    """As the report calls it; empty where it does not."""
    sha256: str
    octets: int
    by: str
    """`clamd`, `yara`."""
    verdict: FileVerdict
    found: tuple[str, ...] = ()
    """Names of the signatures or rules that matched."""
    why: str = ""
    """Why it was not examined, in a sentence."""
    again: bool = False
    """Whether the scanner may be asked once more: it could not be reached."""
