"""Reads of the ledger."""

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import BinaryField, QuerySet
from django.db.models.functions import Substr

from tipstaff.words import Entry as EntryWord
from tipstaff.words import Evidence

from .canonical import GENESIS, chained, digest_of
from .models import Entry, EvidenceRow, Link
from .operations import PIECE_OCTETS, evidence_of


class SealedEvidence(PermissionError):
    """This evidence is sealed; only its digest may leave the sealed queue."""


def get_evidence(digest: str) -> Evidence | None:
    row = EvidenceRow.objects.defer("content").filter(digest=digest).first()
    return evidence_of(row) if row else None


def get_evidences(digests: Iterable[str]) -> dict[str, Evidence]:
    """What is kept under these digests, without the bytes."""
    rows = EvidenceRow.objects.defer("content").filter(digest__in=list(digests))
    return {row.digest: evidence_of(row) for row in rows}


def get_raw(digest: str, *, octets: int | None = None) -> bytes:
    """The bytes as received, or only the first `octets`; raise SealedEvidence for sealed ones, KeyError for unknown.

    Fetched and unfolded piece by piece: a large mail takes its own size of memory once, and a piece.
    """
    found = io.BytesIO()
    for piece in raw_pieces(digest):
        found.write(piece)
        if octets is not None and found.tell() >= octets:
            break
    # getvalue() hands out the buffer itself, where a copy would need the mail's size once more.
    return found.getvalue() if octets is None else found.getvalue()[:octets]


def raw_pieces(digest: str) -> Iterator[bytes]:
    """The bytes as received, of which only a piece is in memory at a time; raises as `get_raw` does."""
    unfolding = zlib.decompressobj()
    fetched = 0
    while not unfolding.eof:
        folded: bytes = unfolding.unconsumed_tail
        if not folded:
            folded = _piece(digest, first=fetched + 1)
            fetched += len(folded)
        unfolded = unfolding.decompress(folded, PIECE_OCTETS)
        assert folded or unfolded, "what is kept is whole"
        yield unfolded


def _piece(digest: str, *, first: int) -> bytes:
    """What is kept under a digest, from its octet number `first` on: a piece of it, empty past the end."""
    piece = Substr("content", first, PIECE_OCTETS, output_field=BinaryField())
    row = EvidenceRow.objects.filter(digest=digest).values_list("sealed", piece).first()
    if row is None:
        raise KeyError(digest)
    if row[0]:
        raise SealedEvidence(digest)
    return bytes(row[1])


def get_sealed(digest: str) -> bytes:
    """The encrypted remainder of sealed evidence; raise KeyError for what is unknown or not sealed."""
    row = EvidenceRow.objects.filter(digest=digest, sealed=True).first()
    if row is None:
        raise KeyError(digest)
    return bytes(row.content)


def list_sealed(*, limit: int = 200) -> list[Evidence]:
    """What waits in the sealed queue: digests and sizes only."""
    rows = EvidenceRow.objects.defer("content").filter(sealed=True).order_by("-received_at")[:limit]
    return [evidence_of(row) for row in rows]


def get_stripped(digest: str) -> list[dict[str, object]]:
    """What was taken out of sealed evidence before it was kept: type, size and SHA-256 of each part."""
    row = EvidenceRow.objects.only("stripped").filter(digest=digest).first()
    return list(row.stripped) if row else []


def entries_about(key: str, *, limit: int = 1000) -> list[EntryWord]:
    """Every entry that names `key`, in order."""
    rows = Entry.objects.filter(about__contains=[key]).select_related("link").order_by("id")[:limit]
    return _words(rows)


def latest_about(keys: Iterable[str], *, what: Iterable[str]) -> dict[str, EntryWord]:
    """For each of `keys` the newest entry of these kinds that names it; keys without one are left out."""
    # Key by key in the index, which OFFSET makes PostgreSQL do: it would rather read a young record from end to end.
    question = """
        SELECT w.key, (
            SELECT max(x.id) FROM (
                SELECT id, what FROM ledger_entry WHERE about @> ARRAY[w.key]::varchar[] OFFSET 0
            ) x WHERE x.what = ANY(%s)
        ) FROM unnest(%s::text[]) w(key) ORDER BY w.key
    """
    with connection.cursor() as cursor:
        cursor.execute(question, [list(what), list(set(keys))])
        newest = {key: id for key, id in cursor.fetchall() if id is not None}
    rows = Entry.objects.filter(id__in=set(newest.values())).select_related("link").order_by("id")
    found = {entry.id: entry for entry in _words(rows)}
    return {key: found[id] for key, id in newest.items()}


def has_entry(key: str, *, what: str) -> bool:
    """Whether such an entry names `key`, however many others do."""
    return Entry.objects.filter(about__contains=[key], what=what).exists()


def trace(key: str, *, limit: int = 2000) -> list[EntryWord]:
    """The chain of `key` from either end, in order.

    From a report, its evidence or a sighting it leads to the cases it joined, with their letters and measures, but
    never to the other reports in them; from a case, letter or measure to everything about the case.
    """
    named = {k for entry in entries_about(key, limit=limit) for k in entry.about}
    if _is_report(key):
        reports = {k for k in named if _is_report(k)} | {key}
        about_reports = Entry.objects.filter(about__overlap=sorted(reports))
        cases = {k for e in _ordered(about_reports, limit) for k in e.about if k.startswith("C-")}
        rows = Entry.objects.filter(about__overlap=sorted(reports | cases))
        return [e for e in _ordered(rows, limit) if _is_about(e, reports) or not any(map(_is_report, e.about))]
    cases = {k for k in named if k.startswith("C-")}
    around = {k for case in cases for e in entries_about(case, limit=limit) for k in e.about}
    linked = {k for k in around if k[:2] in ("R-", "S-", "L-", "M-") or len(k) == _SHA256_HEX}
    return _ordered(Entry.objects.filter(about__overlap=sorted({key} | cases | linked)), limit)


_SHA256_HEX = 64


def _is_report(key: str) -> bool:
    return key.startswith(("R-", "S-")) or len(key) == _SHA256_HEX


def _is_about(entry: EntryWord, keys: set[str]) -> bool:
    return not keys.isdisjoint(entry.about)


def _ordered(rows: "QuerySet[Entry]", limit: int) -> list[EntryWord]:
    return _words(rows.select_related("link").order_by("id")[:limit])


def recent(*, before: int | None = None, limit: int = 100) -> list[EntryWord]:
    """The newest entries, newest first; `before` an id, for the next page."""
    rows = Entry.objects.select_related("link").order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    return _words(rows[:limit])


def stream(
    what: str,
    *,
    since: datetime,
    until: datetime,
    details: Sequence[str],
    limit: int | None = None,
    chunk_size: int = 5000,
) -> Iterator[list[tuple[str | None, ...]]]:
    """Every entry of one kind within [since, until), in order and in chunks: what it is foremost about, and some of its
    details as text (what is no text as JSON). Nothing more is held than a chunk."""
    columns = ", ".join(["about[1]", *("detail ->> %s" for _ in details)])
    # Only this function's own words are put into SQL text; every value is a parameter.
    sql = f"SELECT {columns} FROM ledger_entry WHERE what = %s AND at >= %s AND at < %s ORDER BY id LIMIT %s"  # noqa: S608
    # A cursor that the server keeps lives in a transaction.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(sql, [*details, what, since, until, limit])
        while rows := cursor.fetchmany(chunk_size):
            yield rows


def count_about(key: str, *, what: str) -> int:
    """How many entries of one kind name `key`."""
    return Entry.objects.filter(about__contains=[key], what=what).count()


def newest_about(key: str, *, what: str, limit: int, before: int | None = None) -> list[EntryWord]:
    """The newest entries of one kind that name `key`, newest first; `before` an id, for the next page."""
    rows = Entry.objects.filter(about__contains=[key], what=what).select_related("link").order_by("-id")
    return _words((rows if before is None else rows.filter(id__lt=before))[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a check of the whole record found."""

    entries: int
    sealed: int
    broken_at: int | None
    """Id of the first entry that does not fit, or None when all fit."""
    why: str
    head: str
    """The chain's last value: who kept an earlier one can tell whether the record was rewritten."""

    @property
    def whole(self) -> bool:
        return self.broken_at is None


def verify() -> Verification:
    """Take every digest and the chain anew, from the first entry on."""
    entries = Entry.objects.count()
    chain, expected, sealed = GENESIS, 1, 0
    for link in Link.objects.select_related("entry").order_by("seq").iterator(chunk_size=2000):
        entry = link.entry
        own = digest_of(at=entry.at, what=entry.what, actor=entry.actor, about=entry.about, detail=entry.detail)
        chain = chained(chain, entry.digest)
        why = ""
        if link.seq != expected:
            why = f"place {expected} is missing"
        elif own != entry.digest:
            why = "the entry is not what its digest says"
        elif chain != link.chain:
            why = "the chain does not follow"
        if why:
            return Verification(entries=entries, sealed=sealed, broken_at=entry.pk, why=why, head=chain)
        expected, sealed = expected + 1, sealed + 1
    for entry in Entry.objects.filter(link__isnull=True).iterator(chunk_size=2000):
        own = digest_of(at=entry.at, what=entry.what, actor=entry.actor, about=entry.about, detail=entry.detail)
        if own != entry.digest:
            why = "the entry is not what its digest says"
            return Verification(entries=entries, sealed=sealed, broken_at=entry.pk, why=why, head=chain)
    return Verification(entries=entries, sealed=sealed, broken_at=None, why="", head=chain)


def _words(rows: Iterable[Entry]) -> list[EntryWord]:
    return [
        EntryWord(
            id=row.pk,
            at=row.at,
            what=row.what,
            actor=row.actor,
            about=tuple(row.about),
            detail=row.detail,
            digest=row.digest,
            seq=row.link.seq if hasattr(row, "link") else None,
        )
        for row in rows
    ]
