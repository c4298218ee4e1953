"""The numbers that stand for words in rows and arrays. It imports nothing heavy: every process reads bindings."""

from tipstaff.words import Ending, SubjectKind

OPEN = 2**63 - 1
"""The end, in microseconds, of what has not ended."""

KINDS = (None, SubjectKind.USERNAME, SubjectKind.CIRCUIT, SubjectKind.MAC, SubjectKind.SERVICE)
"""A record's `kind` is a place in this list; 0 is a translation."""

USERNAME, CIRCUIT, MAC, SERVICE = (
    KINDS.index(k) for k in (SubjectKind.USERNAME, SubjectKind.CIRCUIT, SubjectKind.MAC, SubjectKind.SERVICE)
)

ENDINGS = (Ending.EXPLICIT, Ending.PROMISED, Ending.SUPERSEDED, Ending.INFERRED, Ending.OPEN)
"""A binding's `ending` is a place in this list."""


STATION = 48
"""The `version` and `length` of a row whose place is a hardware address (EUI-48): its number stands in `lo`."""


def unsigned(value: int) -> int:
    """Half an address from PostgreSQL's signed number."""
    return value & (2**64 - 1)


def signed(value: int) -> int:
    """Half an address as PostgreSQL's signed number."""
    return value - 2**64 if value >= 2**63 else value
