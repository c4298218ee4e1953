"""Parts of flows into a backup and out of it. Private to this room.

What is copied is what the database names at one moment: under the writers' lock its snapshot is taken and every part
that counts gets a second name (a hard link), so that writers may go on at once and take away what they like. Parts
never change, so a part that another backup beside this one holds already is linked to and not copied.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.db import connection, transaction

from .flow_parts import ONE_WRITER, _prefix, folder
from .models import FlowPartRow

SUMS = "SHA256SUMS"
"""In the folder of a backup: a line for each part, as sha256sum(1) writes and checks them."""
_ONE_BACKUP = 7_421_002


class BackupRunsAlready(RuntimeError):
    """Another backup of this database is being made; wait until it is done."""


@dataclass(frozen=True, slots=True)
class Held:
    """Parts that stay for as long as they are held, and the database's snapshot that names exactly these."""

    snapshot: str
    digests: dict[str, str]
    """By the name of each part its SHA-256, as it was written."""
    links: Path

    def copy(self, into: Path) -> Iterator[str]:
        """Copy all into a new folder, with their sums; a sentence for each that is missing or not what was written."""
        from .flow_files import sync_folder

        part = into.with_name(f"{into.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        beside = [f for f in into.parent.glob("*.flows") if f.is_dir()]
        for name, sha256 in self.digests.items():
            source = next((f / name for f in beside if _same_size(f / name, self.links / name)), None)
            if source is not None and _placed(source, part / name, sha256=sha256, link=True):
                continue
            if not _placed(self.links / name, part / name, sha256=sha256, link=False):
                yield f"{folder() / name} is missing, or not what was written; it is not in the backup"
        (part / SUMS).write_text("".join(f"{sha256}  {name}\n" for name, sha256 in self.digests.items()))
        sync_folder(part)
        part.rename(into)
        sync_folder(into.parent)


@contextlib.contextmanager
def held() -> Iterator[Held]:
    """Hold the parts that count now. BackupRunsAlready where somebody does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_ONE_BACKUP])
        if not cursor.fetchone()[0]:
            raise BackupRunsAlready(str(BackupRunsAlready.__doc__))
        links = folder() / f".held-{_prefix()}"
        try:
            # The lock before the snapshot: whoever wrote before is seen, and nobody writes until the links are there.
            cursor.execute("SELECT pg_advisory_lock(%s)", [ONE_WRITER])
            shutil.rmtree(links, ignore_errors=True)  # Left by one that was killed.
            with transaction.atomic():
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                cursor.execute("SELECT pg_export_snapshot()")
                snapshot = cursor.fetchone()[0]
                digests = dict(FlowPartRow.objects.order_by("name").values_list("name", "sha256"))
                if digests:
                    links.mkdir(mode=0o700, parents=True)
                for name in digests:
                    _link(folder() / name, links / name)
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_WRITER])
                yield Held(snapshot, digests, links)
        finally:
            shutil.rmtree(links, ignore_errors=True)
            cursor.execute("SELECT pg_advisory_unlock_all()")


@contextlib.contextmanager
def writers_wait(url: str) -> Iterator[None]:
    """Nobody lays parts or sweeps the folder while the block lasts, whatever becomes of the tables meanwhile."""
    with psycopg.connect(url, autocommit=True) as waiting:
        waiting.execute("SELECT pg_advisory_lock(%s)", [ONE_WRITER])
        yield


def bring(source: Path) -> tuple[list[Path], list[str]]:
    """Parts of a backup into the folder: those that are new there, and a sentence for each that can't be used."""
    from .flow_files import sync_folder

    brought, wrong = [], []
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    for line in (source / SUMS).read_text().splitlines():
        sha256, name = line.split("  ", 1)
        place = folder() / name
        if place.name != name or _is(place, sha256):
            continue
        beside = place.with_name(f".{name}.part")
        if _placed(source / name, beside, sha256=sha256, link=False):
            beside.replace(place)
            brought.append(place)
        else:
            wrong.append(f"{source / name} is missing, or not what was written")
    sync_folder(folder())
    return brought, wrong


def _placed(source: Path, place: Path, *, sha256: str, link: bool) -> bool:
    """Put a file there whose digest is this; False, and nothing there, where it is another or none."""
    try:
        if link:
            _link(source, place)
        else:
            _copy(source, place)
    except FileNotFoundError:
        return False
    if _is(place, sha256):
        return True
    place.unlink(missing_ok=True)
    return False


def _link(source: Path, place: Path) -> None:
    """A second name where the file system has such; where it has none, a copy. One that is missing stays missing."""
    try:
        place.hardlink_to(source)
    except FileNotFoundError:
        return
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            _copy(source, place)


def _copy(source: Path, place: Path) -> None:
    with source.open("rb") as read, os.fdopen(os.open(place, _NEW, 0o600), "wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def _is(place: Path, sha256: str) -> bool:
    from .flow_files import PartIsMissing, digest_of

    try:
        return digest_of(place) == sha256
    except PartIsMissing:
        return False


def _same_size(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.stat().st_size == other.stat().st_size
