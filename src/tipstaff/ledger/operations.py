"""Writes of the ledger. `record` joins the caller's transaction: a step and its entry stand or fall together."""

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha256

from django.db import IntegrityError, connection, transaction
from psycopg.types.json import Jsonb

from tipstaff.words import Channel, Evidence, require_aware

from .canonical import GENESIS, chained, digest_of, digest_of_text, plain, text_of
from .models import Entry, EvidenceRow, Link

_KEY_SEQUENCES = {
    "R": "report_number",
    "C": "case_number",
    "M": "measure_number",
    "L": "letter_number",
    "S": "sighting_number",
    "G": "matter_number",
    "P": "retest_number",
    "F": "filter_number",
}
PIECE_OCTETS = 2**20
"""Evidence is folded, fetched and unfolded in pieces of this size."""
_SEALING_LOCK = 0x71_95_7A_FF
"""Advisory lock: one sealer at a time, or the chain would fork."""


_TOKEN: ContextVar[str] = ContextVar("token", default="")


@contextmanager
def through(token: str) -> Iterator[None]:
    """Whatever is written in this context was done through that token: each entry says so beside its actor.

    A context and no argument, because no entry of the dozens that one act may write must be able to forget it.
    """
    before = _TOKEN.set(token)
    try:
        yield
    finally:
        _TOKEN.reset(before)


def _signed(detail: Mapping[str, object]) -> Mapping[str, object]:
    token = _TOKEN.get()
    return {**detail, "by_token": token} if token else detail


def record(what: str, *, at: datetime, actor: str, about: Sequence[str], **detail: object) -> None:
    """Write one entry. `about` names everything concerned, foremost first; `detail` must hold no secret."""
    at = require_aware(at)
    body = plain(_signed(detail))
    about = tuple(dict.fromkeys(key for key in about if key))
    Entry.objects.create(
        at=at,
        what=what,
        actor=actor,
        about=list(about),
        detail=body,
        digest=digest_of(at=at, what=what, actor=actor, about=about, detail=body),
    )


Step = tuple[str, Sequence[str], Mapping[str, object]]
"""(what, about, detail) of an entry."""


def record_all(steps: Iterable[Step], *, at: datetime, actor: str) -> None:
    """`record` for many steps of one moment, in their order and in one statement."""
    at = require_aware(at)
    into = "COPY ledger_entry (at, what, actor, about, detail, digest) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for what, about, detail in steps:
            keys = list(dict.fromkeys(key for key in about if key))
            text = text_of(_signed(detail))
            digest = digest_of_text(at=at, what=what, actor=actor, about=keys, text=text)
            copy.write_row((at, what, actor, keys, text, digest))


def next_key(prefix: str) -> str:
    """A new key, `C-000123`; never given twice, also not after a rollback."""
    return next_keys(prefix, 1)[0]


def next_keys(prefix: str, number: int) -> list[str]:
    """So many new keys, in their order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(%s) FROM generate_series(1, %s)", [_KEY_SEQUENCES[prefix], number])
        return [f"{prefix}-{n:06d}" for (n,) in cursor.fetchall()]


@transaction.atomic
def store_evidence(
    raw: bytes, *, digest: str, at: datetime, channel: Channel, sender: str, recipients: Sequence[str]
) -> tuple[Evidence, bool]:
    """Keep `raw` as it came; (evidence, False) when the same bytes are already there."""
    return _store(_folded(raw), digest, len(raw), at, channel, sender, recipients, sealed=False, stripped=[])


@transaction.atomic
def store_sealed(
    sealed: bytes,
    *,
    digest: str,
    size: int,
    at: datetime,
    channel: Channel,
    sender: str,
    recipients: Sequence[str],
    stripped: Sequence[dict[str, object]],
) -> tuple[Evidence, bool]:
    """Keep an encrypted, media-free remainder under the digest of what was received (clause row 41)."""
    return _store(sealed, digest, size, at, channel, sender, recipients, sealed=True, stripped=list(stripped))


def _store(
    content: bytes,
    digest: str,
    size: int,
    at: datetime,
    channel: Channel,
    sender: str,
    recipients: Sequence[str],
    *,
    sealed: bool,
    stripped: list[dict[str, object]],
) -> tuple[Evidence, bool]:
    rows = EvidenceRow.objects.defer("content").filter(digest=digest)
    row = rows.first()
    new = row is None
    if row is None:
        row = EvidenceRow(
            digest=digest, size=size, received_at=require_aware(at), channel=channel, sender=sender,
            recipients=list(recipients), sealed=sealed, stripped=stripped,
        )  # fmt: skip
        try:
            _insert(row, content)
        except IntegrityError:  # The same bytes came twice at the same moment, and the other one was first.
            row, new = rows.get(), False
    evidence = evidence_of(row)
    if new:
        what = "evidence.sealed" if sealed else "evidence.stored"
        as_what = {"sealed_as": sha256(content).hexdigest()} if sealed else {}
        record(
            what, at=at, actor="intake", about=[digest], size=size, channel=channel, parts_stripped=len(stripped),
            **as_what,
        )  # fmt: skip
    else:
        record("evidence.seen_again", at=at, actor="intake", about=[digest], channel=channel)
    return evidence, new


@transaction.atomic
def _insert(row: EvidenceRow, content: bytes) -> None:
    """Django writes values into the statement's text, which takes many times their size; COPY takes it once more."""
    values = {
        "digest": ("text", row.digest),
        "size": ("int8", row.size),
        "received_at": ("timestamptz", row.received_at),
        "channel": ("text", str(row.channel)),
        "sender": ("text", row.sender),
        "recipients": ("text[]", row.recipients),
        "sealed": ("bool", row.sealed),
        "content": ("bytea", content),
        "stripped": ("jsonb", Jsonb(row.stripped)),
    }
    statement = f"COPY ledger_evidencerow ({', '.join(values)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.set_types([kind for kind, _ in values.values()])
        copy.write_row([value for _, value in values.values()])


def _folded(raw: bytes) -> bytes:
    """Compressed, piece by piece: all at once would take the result's size twice."""
    folding, folded = zlib.compressobj(1), io.BytesIO()
    for at in range(0, len(raw), PIECE_OCTETS):
        folded.write(folding.compress(memoryview(raw)[at : at + PIECE_OCTETS]))
    folded.write(folding.flush())
    return folded.getvalue()


def evidence_of(row: EvidenceRow) -> Evidence:
    """The row as a word."""
    return Evidence(
        digest=row.digest,
        size=row.size,
        received_at=row.received_at,
        channel=Channel(row.channel),
        sender=row.sender,
        recipients=tuple(row.recipients),
        sealed=row.sealed,
    )


@transaction.atomic
def seal_entries(*, limit: int = 10_000) -> int:
    """Put entries that have no place yet into the chain; returns how many. Safe to run anywhere, any time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALING_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    last = Link.objects.order_by("-seq").first()
    seq, chain = (last.seq, last.chain) if last else (0, GENESIS)
    waiting = list(Entry.objects.filter(link__isnull=True).order_by("id").values_list("id", "digest")[:limit])
    links = []
    for entry_id, digest in waiting:
        seq, chain = seq + 1, chained(chain, digest)
        links.append(Link(seq=seq, entry_id=entry_id, chain=chain))
    Link.objects.bulk_create(links)
    return len(links)


@transaction.atomic
def seal_stored(digest: str, *, sealed: bytes, stripped: Sequence[dict[str, object]], at: datetime, actor: str) -> None:
    """Replace evidence that turned out to belong in the sealed queue by its encrypted, media-free remainder."""
    row = EvidenceRow.objects.select_for_update().get(digest=digest)
    if row.sealed:
        return
    # The entry first: PostgreSQL takes no other bytes than those that it names.
    record(
        "evidence.sealed", at=at, actor=actor, about=[digest], parts_stripped=len(stripped),
        sealed_as=sha256(sealed).hexdigest(),
    )  # fmt: skip
    row.sealed, row.content, row.stripped, row.sender = True, sealed, list(stripped), ""
    row.save(update_fields=["sealed", "content", "stripped", "sender"])
