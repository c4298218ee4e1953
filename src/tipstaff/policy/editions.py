"""Editions of the policy: those that are shipped, one from a folder, and the one in force at a moment.

An edition is a folder: `edition.toml`, and one file a clause in `clauses/`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from .clauses import Clause, Edition, Example, UnknownClause
from .form import check_names, check_together, policy_rows, read_clause, read_edition
from .toml_tables import Problem, open_table

__all__ = [
    "BadEdition",
    "Clause",
    "Edition",
    "Example",
    "NoEditionInForce",
    "Problem",
    "UnknownClause",
    "digest_of",
    "edition_in_force",
    "load_edition",
    "policy_rows",
    "shipped_editions",
]

_HERE = Path(__file__).parent


class BadEdition(ValueError):
    """The edition has mistakes; each is a sentence that names file, line and clause."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NoEditionInForce(LookupError):
    """No edition was in force at that moment, so nobody may be bound to one."""


def shipped_editions() -> tuple[Edition, ...]:
    """The editions that come with the program, the oldest first."""
    editions = [load_edition(folder) for folder in sorted((_HERE / "editions").iterdir()) if folder.is_dir()]
    return tuple(sorted(editions, key=lambda edition: edition.effective_at))


def edition_in_force(editions: Iterable[Edition], *, at: datetime) -> Edition:
    """The edition that bound everybody at `at`; raises NoEditionInForce before the first one."""
    posted = [edition for edition in editions if edition.effective_at <= at]
    if not posted:
        raise NoEditionInForce(f"no edition of the policy was in force at {at.isoformat()}")
    return max(posted, key=lambda edition: (edition.effective_at, edition.id))


def digest_of(files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 (hex) over names and contents, in order of name; line ends are the same on every machine."""
    sha = hashlib.sha256()
    for name, content in sorted(files):
        content = content.replace(b"\r\n", b"\n")
        sha.update(f"{name}\0{len(content)}\0".encode() + content)
    return sha.hexdigest()


def load_edition(folder: Path, *, thorough: bool = False) -> Edition:
    """Read and check the edition in `folder`; raises BadEdition with every mistake that it has.

    A `thorough` reading, for whoever writes one, also looks up whether the holidays of each region are known.
    """
    problems: list[Problem] = []
    head = open_table(folder / "edition.toml", problems)
    files = [folder / "edition.toml", *sorted((folder / "clauses").glob("*.toml"))]
    tables = [table for file in files[1:] if (table := open_table(file, problems)) is not None]
    if head is None:
        raise BadEdition(problems)
    clauses = [read_clause(table) for table in tables]
    edition = read_edition(head, clauses=tuple(clause for clause, _ in clauses), thorough=thorough)
    if not tables and not problems:
        head.report("the edition has no clauses; write each as a file in its folder clauses/.")
    # What one mistake entails is not reported as another: each check needs the ones before it to be clean.
    if not problems:
        check_together(clauses)
    if not problems:
        check_names(edition, head, clauses)
    if problems:
        raise BadEdition(problems)
    content = [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in files]
    return replace(edition, digest=digest_of(content))
