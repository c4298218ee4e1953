"""Reads of the ledger."""

import io
import zlib
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

from django.db import connection
from django.db.models import BinaryField, BooleanField, F, Func, Max, Q, QuerySet, TextField, Value
from django.db.models.functions import Substr

from tipstaff.host import viewing
from tipstaff.host.among import among
from tipstaff.host.viewing import hidden, is_hidden
from tipstaff.words import Entry as EntryWord
from tipstaff.words import Evidence

from .canonical import GENESIS, chained, digest_of
from .models import Entry, EvidenceRow, Link
from .operations import PIECE_OCTETS, evidence_of

seen = partial(viewing.seen, of=viewing.DIGESTS)


class SealedEvidence(PermissionError):
    """This evidence is sealed; only its digest may leave the sealed queue."""


def get_evidence(digest: str) -> Evidence | None:
    row = None if is_hidden(digest) else EvidenceRow.objects.defer("content").filter(digest=digest).first()
    return evidence_of(row) if row else None


def get_evidences(digests: Iterable[str]) -> dict[str, Evidence]:
    """What is kept under these digests, without the bytes."""
    rows = EvidenceRow.objects.defer("content").filter(digest__in=set(digests) - hidden())
    return {row.digest: evidence_of(row) for row in rows}


def get_raw(digest: str, *, octets: int | None = None) -> bytes:
    """The bytes as received, or only the first `octets`; raise SealedEvidence for sealed ones, KeyError for unknown.

    Fetched and unfolded piece by piece: a large mail takes its own size of memory once, and a piece.
    """
    if is_hidden(digest):
        raise KeyError(digest)
    found = io.BytesIO()
    for unfolded in raw_pieces(digest):
        found.write(unfolded)
        if octets is not None and found.tell() >= octets:
            break
    # getvalue() hands out the buffer itself, where a copy would need the mail's size once more.
    return found.getvalue() if octets is None else found.getvalue()[:octets]


def raw_pieces(digest: str) -> Iterator[bytes]:
    """The bytes as received, a piece in memory at a time; raises as `get_raw`, and zlib.error for what is not whole."""
    unfolding = zlib.decompressobj()
    fetched = 0
    while not unfolding.eof:
        folded: bytes = unfolding.unconsumed_tail
        if not folded:
            folded = _piece(digest, first=fetched + 1)
            fetched += len(folded)
        unfolded = unfolding.decompress(folded, PIECE_OCTETS)
        if not folded and not unfolded:
            raise zlib.error("what is kept ends too early")
        yield unfolded


def _piece(digest: str, *, first: int, sealed: bool = False) -> bytes:
    """What is kept under a digest, from its octet number `first` on: a piece of it, empty past the end."""
    piece = Substr("content", first, PIECE_OCTETS, output_field=BinaryField())
    row = EvidenceRow.objects.filter(digest=digest).values_list("sealed", piece).first()
    if row is None:
        raise KeyError(digest)
    if row[0] and not sealed:
        raise SealedEvidence(digest)
    return bytes(row[1])


def get_sealed(digest: str) -> bytes:
    """The encrypted remainder of sealed evidence; raise KeyError for what is unknown or not sealed."""
    row = EvidenceRow.objects.filter(digest=digest, sealed=True).first()
    if row is None:
        raise KeyError(digest)
    return bytes(row.content)


def list_sealed(*, limit: int | None = None, after: str | None = None) -> list[Evidence]:
    """What waits in the sealed queue, newest first: digests and sizes only. `after` is the last digest of the page
    before."""
    rows = seen(EvidenceRow.objects.defer("content").filter(sealed=True), "digest").order_by("-received_at", "-digest")
    if after is not None:
        end = EvidenceRow.objects.filter(digest=after).values_list("received_at", flat=True).first()
        rows = rows.filter(Q(received_at__lt=end) | Q(received_at=end, digest__lt=after)) if end else rows.none()
    return [evidence_of(row) for row in rows[:limit]]


def get_stripped(digests: Iterable[str]) -> dict[str, list[dict[str, object]]]:
    """What was taken out of sealed evidence before it was kept: type, size and SHA-256 of each part."""
    return dict(EvidenceRow.objects.filter(digest__in=list(digests)).values_list("digest", "stripped"))


def entries_about(key: str) -> list[EntryWord]:
    """Every entry that names `key`, in order, however many they are: ask for kinds of them where kinds will do."""
    return _words(_open(Entry.objects.filter(about__contains=[key])).select_related("link").order_by("id"))


def entries_of(key: str, *, what: Iterable[str]) -> list[EntryWord]:
    """Every entry of these kinds that names `key`, in order, however many others do."""
    rows = Entry.objects.filter(about__contains=[key], what__in=list(what))
    return _words(rows.select_related("link").order_by("id"))


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


def has_entry(key: str, *, what: str, **detail: str) -> bool:
    """Whether such an entry names `key`, however many others do; one with these details where they are given."""
    said = {f"detail__{name}": value for name, value in detail.items()}
    return Entry.objects.filter(about__contains=[key], what=what, **said).exists()


TRACE_SHOWN = 2000
"""So much of a chain is shown at once."""


def trace(key: str, *, limit: int = TRACE_SHOWN) -> list[EntryWord]:
    """The chain of `key` from either end, in order; of a longer one its beginning and its end, half of `limit` each.

    From a report, its evidence or a sighting it leads to the cases it joined, with their letters and measures, but
    never to the other reports in them; from a case, letter or measure to everything about the case.
    """
    return trace_and_rest(key, limit=limit)[0]


def trace_and_rest(key: str, *, limit: int = TRACE_SHOWN) -> tuple[list[EntryWord], int]:
    """`trace`, and how many entries of the chain it leaves out."""
    ids = _chain(key)
    shown = ids if len(ids) <= limit else [*ids[: limit // 2], *ids[len(ids) - (limit - limit // 2) :]]
    return _at(shown), len(ids) - len(shown)


def trace_page(key: str, *, after: int, limit: int) -> list[EntryWord]:
    """So many entries of the chain of `key` behind the entry with the id `after`, in order."""
    ids = _chain(key)
    first = bisect_right(ids, after)
    return _at(ids[first : first + limit])


def trace_all(key: str) -> Iterator[EntryWord]:
    """All of what `trace` is about, however long; no more is held than some of it."""
    ids = _chain(key)
    for first in range(0, len(ids), TRACE_SHOWN):
        yield from _at(ids[first : first + TRACE_SHOWN])


def left_out_of_trace(key: str, *, limit: int = TRACE_SHOWN) -> int:
    """How many entries of the chain `trace` leaves out."""
    return max(0, len(_chain(key)) - limit)


def _at(ids: Sequence[int]) -> list[EntryWord]:
    return _words(Entry.objects.filter(id__in=ids).select_related("link").order_by("id"))


# Key by key in the index, which OFFSET makes PostgreSQL do: an overlap with thousands of keys is compared with each
# entry's own, and a case that very many reports joined took half a minute to open.
_OF_KEYS = """
    SELECT DISTINCT e.id FROM unnest(%s::varchar[]) k(key)
    CROSS JOIN LATERAL (SELECT id, about FROM ledger_entry WHERE about @> ARRAY[k.key] OFFSET 0) e
"""


def _chain(key: str) -> list[int]:
    """Ids of the entries of the chain, in order."""
    named = _named_with({key})
    if _is_report(key):
        reports = {k for k in named if _is_report(k)} | {key}
        cases = {k for k in _named_with(reports) if k.startswith("C-")}
        asked = f"{_OF_KEYS} UNION {_OF_KEYS} WHERE array_to_string(e.about, E'\\n') !~ %s"
        given: list[Any] = [sorted(reports), sorted(cases), _NAMES_A_REPORT]
    else:
        cases = {k for k in named if k.startswith("C-")}
        around = named if cases == {key} else _named_with(cases)
        linked = {k for k in around if k[:2] in ("R-", "S-", "L-", "M-") or len(k) == _SHA256_HEX}
        # What names an incident of a report names the report or its case as well: half as many to look up.
        linked -= {k for k in linked if "." in k and k.partition(".")[0] in linked}
        asked, given = _OF_KEYS, [sorted({key} | cases | linked)]
    with connection.cursor() as cursor:
        cursor.execute(asked, given)
        ids = [id for (id,) in cursor.fetchall()]
    if not hidden():
        return sorted(ids)
    return sorted(_open(among(Entry.objects.all(), "id", ids, kind="bigint")).values_list("id", flat=True))


def _open(rows: QuerySet[Entry]) -> QuerySet[Entry]:
    """Those entries that name nothing that whoever looks may not see."""
    keys = viewing.hidden_of(None)
    if not keys:
        return rows
    names_none = Func(
        F("about"), Value(keys, output_field=TextField()), output_field=BooleanField(),
        template="NOT EXISTS (SELECT FROM unnest(%(expressions)s, ' ')))",
        arg_joiner=") k(key) WHERE split_part(k.key, '.', 1) = ANY(string_to_array(",
    )  # fmt: skip
    return rows.filter(names_none)


def _named_with(keys: set[str]) -> set[str]:
    """Whatever is named by an entry that names one of `keys`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT unnest(e.about) FROM unnest(%s::varchar[]) k(key) CROSS JOIN LATERAL"
            " (SELECT about FROM ledger_entry WHERE about @> ARRAY[k.key] OFFSET 0) e",
            [sorted(keys)],
        )
        return {name for (name,) in cursor.fetchall()}


_SHA256_HEX = 64
_NAMES_A_REPORT = r"(^|\n)([RS]-|[^\n]{64}(\n|$))"


def _is_report(key: str) -> bool:
    return key.startswith(("R-", "S-")) or len(key) == _SHA256_HEX


def recent(*, about: str | None = None, before: int | None = None, limit: int = 100) -> list[EntryWord]:
    """The newest entries, or those that name a key, newest first; `before` an id, for the next page."""
    rows = _open(Entry.objects.select_related("link").order_by("-id"))
    if about is not None:
        # In the index of keys, not from the newest entry back: most of them name others.
        rows = rows.filter(about__contains=[about]).order_by((F("id") + 0).desc())
    if before is not None:
        rows = rows.filter(id__lt=before)
    return _words(rows[:limit])


def stream(
    what: str,
    *,
    since: datetime,
    until: datetime,
    details: Sequence[str],
    after: int = 0,
    chunk_size: int = 5000,
    about: Collection[str] | None = None,
    upto: int | None = None,
) -> Iterator[tuple[int, list[tuple[str | None, ...]]]]:
    """Every entry of one kind within [since, until), with an id beyond `after` and not beyond `upto`, in order and in
    chunks: the id of a chunk's last entry, and of each what it is foremost about and some of its details as text.

    What is no text comes as JSON. Nothing more is held than a chunk, and no transaction between two: whoever reads on
    from an id misses none of what was committed before. With `about` only what names one of these keys, whoever looks:
    that is for taking away from a sum what they may not see."""
    columns = ", ".join(["about[1]", *("detail ->> %s" for _ in details)])
    # Only this function's own words are put into SQL text; every value is a parameter.
    keys = [sorted(hidden() if about is None else about)] if hidden() or about is not None else []
    which = "AND NOT EXISTS (SELECT FROM unnest(about) k(key) WHERE split_part(k.key, '.', 1) = ANY(%s))"
    if about is not None:
        which = "AND about && %s::varchar[]"
    sql = f"""
        SELECT id, {columns} FROM ledger_entry WHERE what = %s AND at >= %s AND at < %s {which if keys else ""}
        AND id > %s AND id <= %s ORDER BY id LIMIT %s
    """  # noqa: S608 - fixed parts of this file; values are parameters
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                sql, [*details, what, since, until, *keys, after, 2**63 - 1 if upto is None else upto, chunk_size]
            )
            rows = cursor.fetchall()
        if rows:
            after = rows[-1][0]
            yield after, [row[1:] for row in rows]
        if len(rows) < chunk_size:
            return


def chain_end() -> int:
    """The last place in the sealed chain; 0 while it is empty."""
    return Link.objects.order_by("-seq").values_list("seq", flat=True).first() or 0


def chain_before(instant: datetime) -> int:
    """About the last place in the chain of what was noted before `instant`; 0 where nothing was. An entry may be of a
    moment before that of the one ahead of it: who needs none more than needs be, and not each one, asks this."""
    low, high = 0, chain_end()
    while low < high:
        middle = (low + high + 1) // 2
        if Entry.objects.filter(link__seq=middle, at__lt=instant).exists():
            low = middle
        else:
            high = middle - 1
    return low


def in_chain(*, after: int, limit: int) -> list[EntryWord]:
    """The entries that stand in the chain behind `after`, in its order. Whoever reads on from the last one misses none:
    places are given one by one, and only to what is committed."""
    rows = Entry.objects.filter(link__seq__gt=after, link__seq__lte=after + limit)
    return _words(rows.select_related("link").order_by("link__seq"))


def place_before(at: datetime) -> int:
    """The last place of the chain before an instant; 0 where none is. Places are given in the order of time, by and
    large: an entry that was dated back may stand behind it."""
    low, high = 0, Link.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    while low < high:
        middle = (low + high + 1) // 2
        if Link.objects.values_list("entry__at", flat=True).get(seq=middle) < at:
            low = middle
        else:
            high = middle - 1
    return low


def newest_id(key: str) -> int:
    """Of the newest entry that names `key`; 0 where none does."""
    # In the index of keys, not from the newest entry back: most of them name others.
    rows = _open(Entry.objects.filter(about__contains=[key]))
    return rows.aggregate(newest=Max(F("id") + 0))["newest"] or 0


def count_about(key: str, *, what: str) -> int:
    """How many entries of one kind name `key`."""
    return _open(Entry.objects.filter(about__contains=[key], what=what)).count()


def newest_about(key: str, *, what: str, limit: int, before: int | None = None) -> list[EntryWord]:
    """The newest entries of one kind that name `key`, newest first; `before` an id, for the next page."""
    rows = _open(Entry.objects.filter(about__contains=[key], what=what)).select_related("link").order_by("-id")
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
    after: int = 0
    """What stands up to this place of the chain was not looked at."""

    @property
    def whole(self) -> bool:
        return self.broken_at is None


def verify(*, newest: int | None = None) -> Verification:
    """Take every digest and the chain anew, from the first entry on; with `newest` only of so many of the last, whose
    chain begins with what the place before them says."""
    after = 0 if newest is None else max(0, chain_end() - newest)
    before = Link.objects.filter(seq=after).first()
    chain, expected, sealed = before.chain if before else "" if after else GENESIS, after + 1, 0
    rows = Entry.objects.filter(id__gt=before.entry_id) if before else Entry.objects.all()
    entries = rows.count()
    links = Link.objects.filter(seq__gt=after).select_related("entry").order_by("seq")
    for link in links.iterator(chunk_size=2000):
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
            return Verification(entries=entries, sealed=sealed, broken_at=entry.pk, why=why, head=chain, after=after)
        expected, sealed = expected + 1, sealed + 1
    for entry in rows.filter(link__isnull=True).iterator(chunk_size=2000):
        own = digest_of(at=entry.at, what=entry.what, actor=entry.actor, about=entry.about, detail=entry.detail)
        if own != entry.digest:
            why = "the entry is not what its digest says"
            return Verification(entries=entries, sealed=sealed, broken_at=entry.pk, why=why, head=chain, after=after)
    return Verification(entries=entries, sealed=sealed, broken_at=None, why="", head=chain, after=after)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultVerification:
    """What a check of all kept evidence against the record found."""

    kept: int
    sealed: int
    octets: int
    """Of what is kept in clear, unfolded and compared."""
    unfit: int
    """How many do not fit."""
    first: tuple[tuple[str, str], ...]
    """The digests of the first of them, and why."""

    @property
    def whole(self) -> bool:
        return self.unfit == 0


UNFIT_NAMED = 100
_AT_A_TIME = 200


def count_evidence() -> int:
    return EvidenceRow.objects.count()


def verify_evidence(*, on_each: Callable[[int], object] = lambda checked: None) -> VaultVerification:
    """Unfold all that is kept in clear and take its digest anew; ask the record for what was kept and what was sealed.

    Holds a piece of evidence at a time. `on_each` hears how many more were checked. Whether the record itself is whole
    is for `verify` to say.
    """
    kept = sealed = octets = 0
    last, unfit = "", 0
    first: list[tuple[str, str]] = []
    while rows := list(EvidenceRow.objects.defer("content").filter(digest__gt=last).order_by("digest")[:_AT_A_TIME]):
        entries = _kept_by([row.digest for row in rows])
        for row in rows:
            why = _why_unfit(row, entries.get(row.digest, []))
            if why:  # It may have been sealed while it was looked at.
                row = EvidenceRow.objects.defer("content").get(digest=row.digest)
                why = _why_unfit(row, _kept_by([row.digest]).get(row.digest, []))
            if why:
                unfit += 1
                first += [(row.digest, why)] if len(first) < UNFIT_NAMED else []
            kept, sealed, octets = kept + 1, sealed + row.sealed, octets + (0 if row.sealed else row.size)
            on_each(1)
        last = rows[-1].digest
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT about[1], count(*) OVER () FROM ledger_entry e WHERE what IN ('evidence.stored', 'evidence.sealed')"
            " AND NOT EXISTS (SELECT FROM ledger_evidencerow WHERE digest = e.about[1]) ORDER BY id LIMIT %s",
            [UNFIT_NAMED],
        )
        gone = cursor.fetchall()
    unfit += gone[0][1] if gone else 0
    first += [(digest, "it was kept, and is gone") for digest, _ in gone]
    return VaultVerification(kept=kept, sealed=sealed, octets=octets, unfit=unfit, first=tuple(first[:UNFIT_NAMED]))


def _kept_by(digests: list[str]) -> dict[str, list[EntryWord]]:
    """The entries by which these came into the vault, and became sealed, in order."""
    found: dict[str, list[EntryWord]] = {}
    for entry in _words(
        Entry.objects.filter(about__overlap=digests, what__in=["evidence.stored", "evidence.sealed"])
        .select_related("link")
        .order_by("id")
    ):
        found.setdefault(entry.about[0], []).append(entry)
    return found


def _why_unfit(row: EvidenceRow, entries: list[EntryWord]) -> str:
    if not entries:
        return "no entry says that it was kept"
    came = entries[0]
    if (row.size, row.channel, row.received_at) != (came.detail.get("size"), came.detail.get("channel"), came.at):
        return "its size, channel or time is not what its entry says"
    sealings = [entry for entry in entries if entry.what == "evidence.sealed"]
    if row.sealed:
        if not sealings:
            return "it is sealed, and no entry says so"
        sealed_as = sealings[-1].detail.get("sealed_as")
        fits = sealed_as in (None, _digest_as_kept(row.digest))  # Older versions noted no digest of the remainder.
        return "" if fits else "its encrypted remainder is not what its entry says"
    if sealings:
        return "it was sealed, and is in clear"
    digest, octets = sha256(), 0
    try:
        for unfolded in raw_pieces(row.digest):
            digest.update(unfolded)
            octets += len(unfolded)
            if octets > row.size:
                return "it is longer than its entry says"
    except (zlib.error, SealedEvidence):
        return "it cannot be unfolded"
    return "" if digest.hexdigest() == row.digest else "its bytes are not those that its digest names"


def _digest_as_kept(digest: str) -> str:
    kept, fetched = sha256(), 0
    while piece := _piece(digest, first=fetched + 1, sealed=True):
        kept.update(piece)
        fetched += len(piece)
    return kept.hexdigest()


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
