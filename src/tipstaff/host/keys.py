"""Secrets on disk: made once, readable by their owner only, never in the database."""

import contextlib
import os
import secrets
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Make a folder, and what leads to it, for its owner only; one that is there stays as it is."""
    for part in reversed((folder, *folder.parents)):
        if not part.exists():
            with contextlib.suppress(FileExistsError):
                part.mkdir(mode=0o700)
    return folder


def read_or_make(path: Path, *, octets: int = 48) -> str:
    """The secret in `path`; a new one is made there, whole or not at all, if there is none yet."""
    private_folder(path.parent)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
            out.write(secrets.token_urlsafe(octets))
            out.flush()
            os.fsync(out.fileno())
        # link(2) fails if another process was first: then theirs counts.
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()


def write_private(file: Path, content: bytes) -> None:
    """Write a new secret that only its owner can read; FileExistsError where something lies already."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
