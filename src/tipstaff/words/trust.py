"""How far a report may be believed: what travels with an allegation to the judge."""

from dataclasses import dataclass
from enum import StrEnum


class EvidenceGrade(StrEnum):
    """What the evidence itself shows about the source address."""

    CORROBORATED = "corroborated"
    """The operator's own telemetry saw the same."""
    ESTABLISHED = "established"
    """A connection was established, so the source address cannot have been forged by a third party."""
    SPOOFABLE = "spoofable"
    """Only packets that anybody could have sent under this address."""
    STATED = "stated"
    """Somebody says so of an address, without a time, a log or a header that shows anything."""
    UNKNOWN = "unknown"
    """The report does not say enough to tell."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """A reporter's record and the evidence's grade, as they stood when the allegation was judged."""

    evidence: EvidenceGrade = EvidenceGrade.UNKNOWN
    reporter_upheld: int = 0
    reporter_overturned: int = 0
    flooding: bool = False
    authenticated: bool | None = None
    """Whether the sender's domain vouches for the mail (DKIM, SPF or ARC aligned); None where it was not checked."""
