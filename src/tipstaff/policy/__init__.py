"""What the acceptable use policy says: editions as data, and a judge that applies them.

It reads no clock, asks nobody and changes nothing; it refuses to judge where the holder is not named, and it never
acts on a verdict.
"""

from .clocks import Deadline, deadline
from .editions import (
    BadEdition,
    Clause,
    Edition,
    Example,
    NoEditionInForce,
    UnknownClause,
    edition_files,
    edition_folders,
    edition_in_force,
    edition_to_go_by,
    in_the_name_of,
    load_edition,
    read_files,
    shipped_editions,
)
from .judge import judge

__all__ = [
    "BadEdition",
    "Clause",
    "Deadline",
    "Edition",
    "Example",
    "NoEditionInForce",
    "UnknownClause",
    "deadline",
    "edition_files",
    "edition_folders",
    "edition_in_force",
    "edition_to_go_by",
    "in_the_name_of",
    "judge",
    "load_edition",
    "read_files",
    "shipped_editions",
]
