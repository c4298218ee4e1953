"""Editions of the policy: those that are shipped, one from a folder, and the one in force at a moment.

An edition is a folder: `edition.toml`, one file a clause in `clauses/`, and one file a translation in `locales/`.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from .clauses import Clause, Edition, Example, UnknownClause
from .decomposition import policy_rows
from .form import check_names, check_thoroughly, check_together, read_clause, read_edition
from .locales import read_translation
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
    "edition_files",
    "edition_folders",
    "edition_in_force",
    "edition_to_go_by",
    "in_the_name_of",
    "load_edition",
    "policy_rows",
    "read_files",
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
    editions = [load_edition(folder) for folder in edition_folders()]
    return tuple(sorted(editions, key=lambda edition: edition.effective_at))


def in_the_name_of(edition: Edition, operator: str) -> Edition:
    """A shipped edition cannot know whose it becomes: people read it as the operator's. Its digest is of its files."""
    return replace(edition, entity=operator) if edition.digest in _shipped_digests() else edition


@functools.cache
def _shipped_digests() -> frozenset[str]:
    return frozenset(edition.digest for edition in shipped_editions())


def edition_folders(above: Path = _HERE / "editions") -> list[Path]:
    """The folders of the editions that lie in one; those that come with the program, unless told otherwise."""
    return sorted(folder for folder in above.iterdir() if folder.is_dir()) if above.is_dir() else []


def edition_in_force(editions: Iterable[Edition], *, at: datetime) -> Edition:
    """The edition that bound everybody at `at`; raises NoEditionInForce before the first one."""
    posted = [edition for edition in editions if edition.effective_at <= at]
    if not posted:
        raise NoEditionInForce(f"no edition of the policy was in force at {at.isoformat()}")
    return max(posted, key=lambda edition: (edition.effective_at, edition.id))


def edition_to_go_by(editions: Iterable[Edition], *, at: datetime) -> Edition:
    """The edition in force or, while none is, the one that comes first: its words can be read, and nobody is bound to
    them yet, which its judge says. Raises NoEditionInForce where there is none at all."""
    editions = tuple(editions)
    posted = [edition for edition in editions if edition.effective_at <= at]
    if not posted and editions:
        return min(editions, key=lambda edition: (edition.effective_at, edition.id))
    return edition_in_force(posted, at=at)


def digest_of(files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 (hex) over names and contents, in order of name; line ends are the same on every machine."""
    sha = hashlib.sha256()
    for name, content in sorted(files):
        content = content.replace(b"\r\n", b"\n")
        sha.update(f"{name}\0{len(content)}\0".encode() + content)
    return sha.hexdigest()


def load_edition(folder: Path, *, thorough: bool = False) -> Edition:
    """Read and check the edition in `folder`; raises BadEdition with every mistake that it has.

    A `thorough` reading is for whoever writes one: it also looks up whether the holidays of each region are known, and
    asks for what only later versions of the program ask for.
    """
    return read_files(edition_files(folder), where=str(folder), thorough=thorough)


def edition_files(folder: Path) -> dict[str, bytes]:
    """The files of an edition by their names within its folder; raises BadEdition when one cannot be read."""
    paths = [folder / "edition.toml", *(path for part in _PARTS for path in sorted((folder / part).glob("*.toml")))]
    files: dict[str, bytes] = {}
    problems = []
    for path in paths:
        try:
            files[path.relative_to(folder).as_posix()] = path.read_bytes()
        except OSError as why:
            sentence = f"the file cannot be read ({why.strerror})."
            problems.append(Problem(file=str(path), line=1, clause="", sentence=sentence))
    if problems:
        raise BadEdition(problems)
    return files


_PARTS = ("clauses", "locales")


def read_files(files: Mapping[str, bytes], *, where: str = "", thorough: bool = False) -> Edition:
    """An edition from its files, such as those kept on record; raises BadEdition. `where` leads their names in it.

    Clauses stand in the order of their names, however the files come. The same files are read once: it takes a third of
    a second, and an edition never changes.
    """
    return _read(tuple(sorted(files.items())), where, thorough)


@functools.lru_cache(maxsize=4)
def _read(files: tuple[tuple[str, bytes], ...], where: str, thorough: bool) -> Edition:
    problems: list[Problem] = []
    lead = f"{where}/" if where else ""
    tables = {name: open_table(lead + name, content, problems) for name, content in files}
    head = tables.get("edition.toml")
    if head is None:
        raise BadEdition(
            problems or [Problem(file=f"{lead}edition.toml", line=1, clause="", sentence="it is missing.")]
        )
    clauses = [read_clause(table) for name, table in tables.items() if name.startswith("clauses/") and table]
    edition = read_edition(head, clauses=tuple(clause for clause, _ in clauses), thorough=thorough)
    if not clauses and not problems:
        head.report("the edition has no clauses; write each as a file in its folder clauses/.")
    # What one mistake entails is not reported as another: each check needs the ones before it to be clean.
    if not problems:
        check_together(clauses)
    if not problems:
        check_names(edition, head, clauses)
    if not problems and thorough:
        check_thoroughly(edition, head, clauses)
    said = [] if problems else [table for name, table in tables.items() if name.startswith("locales/") and table]
    translations = [read_translation(table, edition) for table in said]
    if problems:
        raise BadEdition(problems)
    return replace(edition, translations=tuple(translations), digest=digest_of(files))
