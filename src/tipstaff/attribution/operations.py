"""Writes of attribution: files of logs are taken in, in stretches, each with its digest and its entry in the record."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
from django.db import connection, transaction
from django.db.models import QuerySet

from tipstaff.ledger.operations import record
from tipstaff.registry.operations import add_identities as add_identities  # beside the logs that they explain
from tipstaff.words import PUBLIC, RefusedLine, SourceLoad, require_aware

from . import flow_copies, flow_parts, staging, taking_out
from .clocks import Arrivals, KnownClock, clock_error
from .covers import QUIET, note_cover, note_lasting, note_missed, quiet_between_files, read_until
from .flow_files import placed
from .intervals import HEARD, Clock, bindings, joined, longest_term, with_defaults
from .models import BindingRow, LoadRow, RealmRow, SourceRow
from .protocol import ERROR, REFUSED_TOLD_MAX, Joins, Lines, Options, Parsed, Source, Span, Stretch, UnusableFile
from .queries import LogReading, instant, micro, readings
from .reading import Sieve
from .restating import restate

CHUNK = 24 << 20
"""A file is read in pieces of so many bytes; a record may be as long. Below 32 MiB glibc uses a piece's memory again
for the next one; above, each piece is fresh pages from the kernel, which took longer than reading them."""
BATCH_RECORDS = 6_000_000
"""So many joined records are kept before they are written; one commit each."""
HEAD = 4096
AHEAD = timedelta(hours=1)
"""A clock that runs ahead by more is not believed, unless its error is stated; nor is a file that grows so long after
what it says taken for one that is written as things happen."""
_ONE_READING = 7_421_003
"""The first number of the advisory lock of those who read a source; the second is the source's."""
_SAVED = "source.read"

Progress = Callable[[int], None]
"""Called with how many bytes more have been read."""


class AnotherKind(ValueError):
    """A source of this name is of another kind; the message says which."""


def take_in(
    path: Path, source: Source, options: Options, *, at: datetime, actor: str, progress: Progress = lambda _: None
) -> Iterator[SourceLoad]:
    """Read what is new in a file and write the bindings that it proves, one SourceLoad a commit.

    A file that was read before goes on where it ended, whatever its name is now, as long as its head and what was read
    last are the same; a killed import goes on after its last commit. Only whole records are read: a tail without its
    end is left for the next time. Whoever reads another file of the source meanwhile is waited for.
    """
    at = require_aware(at)
    row = _source(options.source, source.kind)
    with _alone_with(row), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = _resume(row, file, source)
        header = file.readline() if source.has_header else b""
        place = max(begin, len(header))
        progress(place)
        header = _carried(file, source, header, place)
        file.seek(place)
        if place >= size:
            return
        if not source.whole:
            yield from _batches(file, source, options, row, path, header, place, at=at, actor=actor, progress=progress)
            return
        with transaction.atomic():
            here = str(path.resolve())
            if _known_by_another_name(row, file, here, size):
                return
            before = LoadRow.objects.filter(source=row, file=here).order_by("-id").first()
            if not source.says_the_present:
                # The whole file stands for all it ever said.
                BindingRow.objects.filter(source=row, load__file=here).delete()
            told = list(
                _batches(file, source, options, row, path, header, place, at=at, actor=actor, progress=progress)
            )
            if not any(load.records for load in told):
                why = next((f"; line {bad.line}: {bad.why}" for load in told for bad in load.refused), "")
                raise UnusableFile(f"not one row of it is good, so what it said before stands{why}")
            if source.says_the_present:
                restate(row.pk, here, before=before, at=micro(at))
        yield from told


def merge_flows(source: str, *, at: datetime, actor: str, parts_min: int = flow_parts.MERGE_FROM) -> int:
    """Make fewer parts of the many that a source's flows lie in, slot by slot; how many fewer there are."""
    row = SourceRow.objects.filter(name=source).first()
    return 0 if row is None else flow_parts.merge(row, at=require_aware(at), actor=actor, parts_min=parts_min)


def forget_flows(*, before: datetime, at: datetime, actor: str) -> int:
    """Take away the flows that were over before an instant, for every source; how many."""
    return flow_parts.forget(before=micro(before), at=require_aware(at), actor=actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """What goes, or went, with readings of a source that are taken out."""

    source: str
    readings: tuple[LogReading, ...]
    """Those that were named and those that went on in the same files."""
    bindings: int
    flows: int
    leaning: tuple[int, ...]
    """Other readings that speak of the same sessions: to be taken out, and read again, as well."""
    opened: int | None
    """So many bindings and flows of other readings are open again; None of what was only tried."""


class NoSuchReading(LookupError):
    """There is no reading of this number; `tipstaff registry readings` lists them."""


def take_out(numbers: Sequence[int], *, why: str, at: datetime, actor: str, dry_run: bool = False) -> list[TakenOut]:
    """Take readings of logs out again, source by source, with those that went on in the same file: what they brought
    goes, and nothing else rests on them any more. Their files can be read anew then. NoSuchReading."""
    by_source: dict[int, dict[int, LoadRow]] = {}
    for number in numbers:
        load = LoadRow.objects.filter(pk=number).first()
        if load is None:
            raise NoSuchReading(f"there is no reading {number}; `tipstaff registry readings` lists them")
        by_source.setdefault(load.source_id, {}).update({x.pk: x for x in taking_out.same_file_after(load)})
    return [
        _taken_out(SourceRow.objects.get(pk=source), loads, why=why, at=require_aware(at), actor=actor, dry_run=dry_run)
        for source, loads in by_source.items()
    ]


def _taken_out(
    row: SourceRow, loads: dict[int, LoadRow], *, why: str, at: datetime, actor: str, dry_run: bool
) -> TakenOut:
    with _alone_with(row), transaction.atomic():
        numbers = sorted(loads)
        bindings, flows = taking_out.brought_by(row, numbers)
        told = TakenOut(
            source=row.name, readings=tuple(readings(numbers=numbers)), bindings=bindings, flows=flows,
            leaning=tuple(taking_out.leaning_on(row, numbers)), opened=None,
        )  # fmt: skip
        if dry_run:
            return told
        told = replace(told, opened=taking_out.take_out(row, [loads[n] for n in numbers], at=at))
        record(
            "source.taken_out", at=at, actor=actor, about=[row.name], why=why, bindings=bindings, flows=flows,
            opened=told.opened,
            readings=[{"number": r.number, "file": r.file, "sha256": r.sha256, "bytes": [r.first_byte, r.end_byte]}
                      for r in told.readings],
        )  # fmt: skip
    return told


def hold_flows() -> AbstractContextManager[flow_copies.Held]:
    """Keep the files of flows that count now for as long as the block lasts, with the database's snapshot that names
    them. `copy` of what it gives writes them into a folder. BackupRunsAlready where somebody holds them."""
    return flow_copies.held()


def flow_writers_wait(url: str) -> AbstractContextManager[None]:
    """Nobody writes flows into the database at `url` for as long as the block lasts; its tables may be replaced."""
    return flow_copies.writers_wait(url)


def bring_flows(source: Path) -> tuple[list[Path], list[str]]:
    """The files of flows of a backup into their folder: those that are new there, and what is wrong, in sentences."""
    return flow_copies.bring(source)


def _carried(file: BinaryIO, source: Source, header: bytes, place: int) -> bytes:
    """What the records before `place` left for those after it, for kinds whose later records lean on earlier ones."""
    if source.has_header or isinstance(source, Lines):
        return header
    file.seek(0)
    held, left = b"", place
    while left > 0 and (piece := file.read(min(CHUNK, left))):
        left -= len(piece)
        held += piece
        end = source.cut(held)
        header, held = source.carry(header, held[:end]), held[end:]
    return header


@dataclass
class _Batch:
    """What was read and is not written yet."""

    first_byte: int
    end_byte: int
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    parts: list[pl.DataFrame] = field(default_factory=list)
    restarts: list[pl.DataFrame] = field(default_factory=list)
    lateness: list[np.ndarray] = field(default_factory=list)
    refused: list[RefusedLine] = field(default_factory=list)
    refused_total: int = 0
    records: int = 0
    covers: tuple[int, int] | None = None
    missed: list[Span] = field(default_factory=list)
    term: int = 0
    grown: bool = False
    """Whether the file was read before, and had grown since: it is written as things happen."""
    goes_on_from: int | None = None
    """The last instant of the reading of the same file that ended where it begins: nothing lies between the two."""
    silence: int = 0
    """The longest time between two records after each other, in microseconds."""

    def add(self, parsed: Parsed, data: bytes, source: Source, options: Options) -> None:
        self.digest.update(data)
        self.end_byte += len(data)
        if parsed.records.height:
            if source.joins is Joins.LEASE:
                self.term = max(self.term, longest_term(parsed.records))
            self.parts.append(joined(parsed.records, source.joins, look_seconds=options.interim_seconds or 0.0))
        if parsed.restarts is not None and parsed.restarts.height:
            self.restarts.append(parsed.restarts)
        if parsed.lateness is not None:
            self.lateness.append(parsed.lateness)
        self.refused += parsed.refused[: max(0, REFUSED_TOLD_MAX - len(self.refused))]
        self.refused_total += parsed.refused_total
        self.records += parsed.count
        self.missed += parsed.missed
        self._note_silence(parsed)
        if parsed.covers is not None:
            first, last = parsed.covers
            before = self.covers or parsed.covers
            self.covers = (min(first, before[0]), max(last, before[1]))

    def _note_silence(self, parsed: Parsed) -> None:
        """What a record says later of the same is heard of as well."""
        if parsed.covers is None or not parsed.records.height:
            return
        times = parsed.records.get_column("seen" if "seen" in parsed.records.columns else "since").to_numpy()
        times = np.sort(times)
        within = int(np.diff(times).max()) if len(times) > 1 else 0
        earlier = self.goes_on_from if self.covers is None else self.covers[1]
        between = 0 if earlier is None else parsed.covers[0] - earlier
        self.silence = max(self.silence, within, between)


def _batches(
    file: BinaryIO, source: Source, options: Options, row: SourceRow, path: Path, header: bytes, place: int,
    *, at: datetime, actor: str, progress: Progress,
) -> Iterator[SourceLoad]:  # fmt: skip
    own = _last_of_this_file(row, file, place)
    batch = _Batch(place, place, grown=own is not None, goes_on_from=own)
    goes_on, after = own is not None, read_until(row.pk) if own is None else own
    latest = micro(at + max(AHEAD, timedelta(seconds=options.clock_error_seconds or 0)))
    for data in stretches(file, source, place):
        parsed = source.read(Stretch(data, batch.end_byte, header), replace(options, after=after, goes_on=goes_on))
        parsed = _without_what_is_to_come(parsed, source, latest=latest)
        if parsed.covers is not None:
            after, goes_on = parsed.covers[1], True
        batch.add(parsed, data, source, options)
        header = source.carry(header, data)
        progress(len(data))
        if sum(p.height for p in batch.parts) >= BATCH_RECORDS:
            yield _write(batch, file, source, options, row, path, at=at, actor=actor)
            batch = _Batch(batch.end_byte, batch.end_byte, grown=batch.grown, goes_on_from=after)
    if batch.end_byte > batch.first_byte:
        yield _write(batch, file, source, options, row, path, at=at, actor=actor)


def _without_what_is_to_come(parsed: Parsed, source: Source, *, latest: int) -> Parsed:
    """A record of a time that has not come yet is wrong by its clock or its zone, and would say that all until then was
    read. A plan may well speak of what is to come."""
    if parsed.covers is None or parsed.covers[1] <= latest or source.whole:
        return parsed
    column = "seen" if source.joins is Joins.SESSION else "since"
    sieve = Sieve(parsed.records)
    sieve.refuse(pl.col(column) > latest, "a time that has not come yet", missed=True)
    told = sieve.parsed(sieve.frame, at=column)
    number = parsed.records.filter(pl.col(column) > latest).get_column("offset").n_unique()
    by_line = {bad.offset: bad for bad in told.refused}
    restarts = None if parsed.restarts is None else parsed.restarts.filter(pl.col("at") <= latest)
    instants = pl.concat([sieve.frame.get_column(column), *([] if restarts is None else [restarts.get_column("at")])])
    covers = (parsed.covers[0], int(instants.to_numpy().max())) if len(instants) else None
    return replace(
        parsed, records=told.records, restarts=restarts, covers=covers, count=parsed.count - number,
        refused=[*parsed.refused, *by_line.values()], refused_total=parsed.refused_total + number,
        missed=[*parsed.missed, *told.missed],
    )  # fmt: skip


def stretches(file: BinaryIO, source: Source, place: int) -> Iterator[bytes]:
    """What the file holds from `place` on, in stretches of whole records of about CHUNK bytes; of a `whole` source to
    its end. What is cut off is read again: copying it from stretch to stretch took longer."""
    size = CHUNK
    while True:
        file.seek(place)
        data = file.read(size)
        ended = len(data) < size
        end = len(data) if ended and source.whole else source.cut(data)
        if end == 0:
            if ended:
                return
            if size > 8 * CHUNK:
                raise UnusableFile(f"{file.name} has no whole {source.kind} record in {size} bytes")
            size *= 2
            continue
        yield data[:end]
        place, size = place + end, CHUNK


@transaction.atomic
def _write(
    batch: _Batch, file: BinaryIO, source: Source, options: Options, row: SourceRow, path: Path, *, at: datetime,
    actor: str,
) -> SourceLoad:  # fmt: skip
    given = options.clock_error_seconds
    error = _clock_error(batch, source, row, file) if given is None else round(given * 1e6)
    records = pl.concat(batch.parts, how="diagonal") if batch.parts else None
    if records is not None and ERROR in records.columns:
        records = records.with_columns(pl.col(ERROR).fill_null(0))
    if records is not None and len(batch.parts) > 1:
        records = joined(records, source.joins, look_seconds=options.interim_seconds or 0.0)
    head, head_size = _head(file)
    load = LoadRow.objects.create(
        source=row,
        file=str(path.resolve()),
        head_sha256=head,
        head_size=head_size,
        first_byte=batch.first_byte,
        end_byte=batch.end_byte,
        sha256=batch.digest.hexdigest(),
        records=batch.records,
        refused=batch.refused_total,
        clock_error=error,
        covers_from=batch.covers[0] if batch.covers else None,
        covers_until=batch.covers[1] if batch.covers else None,
        silence=batch.silence,
        read_at=at,
    )
    SourceRow.objects.filter(pk=row.pk, term__lt=batch.term).update(term=batch.term)
    if source.lasts_seconds or (source.joins is Joins.SESSION and options.lasts_seconds is not None):
        beside = source.momentary and not options.one_port
        note_lasting(row, stated=options.lasts_seconds, usual=source.lasts_seconds, beside=beside)
    if source.joins in (Joins.SESSION, Joins.LEASE):
        note_missed(row.pk, batch.missed, batch.covers)
    whole = None
    if batch.covers is not None:
        first, last = batch.covers
        quiet = QUIET, QUIET
        if source.rotated and not options.follows:
            quiet = quiet_between_files(load, error=error)
        if batch.goes_on_from is not None and 0 <= first - batch.goes_on_from <= QUIET:
            first = batch.goes_on_from
        whole = note_cover(row.pk, (first, last), quiet=quiet)
    added = 0
    if records is not None and records.height:
        realm, inside_realm = _realm(options.realm), _realm(options.inside_realm)
        if source.momentary:
            assert whole is not None, "there are records"
            assert batch.covers is not None, "there are records"
            staging.note_scope(records, source=row.pk)
            added = flow_parts.keep(
                records, source=row, load=load.pk, realm=realm, inside_realm=inside_realm, error=error,
                covers=(whole[0], batch.covers[1]), interim=_interim(options),
                lasts=round((options.lasts_seconds or 0) * 1e6), at=at,
            )  # fmt: skip
        else:
            added = _bind(records, batch, source, options, row, load.pk, error, realm, inside_realm)
    told = SourceLoad(
        source=options.source,
        kind=source.kind,
        file=str(path),
        first_byte=batch.first_byte,
        end_byte=batch.end_byte,
        sha256=load.sha256,
        records=batch.records,
        bindings=added,
        refused=tuple(_numbered(path, batch.refused)),
        refused_total=batch.refused_total,
        clock_error_seconds=error / 1e6,
        covers_from=instant(load.covers_from),
        covers_until=instant(load.covers_until),
    )
    record(
        _SAVED, at=at, actor=actor, about=[options.source], kind=source.kind, file=told.file, sha256=told.sha256,
        bytes=[told.first_byte, told.end_byte], records=told.records, bindings=added, refused=told.refused_total,
    )  # fmt: skip
    return told


def _clock_error(batch: _Batch, source: Source, row: SourceRow, file: BinaryIO) -> int:
    """The error of the source's clock in microseconds, with what earlier readings showed of it."""
    error, samples = clock_error(batch.lateness, floor_seconds=source.clock_error_seconds)
    if source.whole or source.joins in (Joins.ALONE, Joins.SIGHTING):
        return error  # How long a look took is no fault of the clock.
    kept = SourceRow.objects.select_for_update().get(pk=row.pk)
    now: KnownClock | Arrivals
    if source.tells_lateness:
        known = KnownClock(kept.error_before, kept.error_lately, kept.error_samples)
        now, settled = known.after(error, samples), known.settled
        error = max(error, known.error)
        grew = error > known.error and not settled
    else:
        arrived = Arrivals(kept.error_before, kept.error_lately, kept.error_samples)
        late = _late(batch, file)
        now = arrived if late is None else arrived.after(late)
        error = max(error, now.error)
        grew = now.error > max(arrived.error, round(source.clock_error_seconds * 1e6))
    kept.error_before, kept.error_lately, kept.error_samples = now.before, now.lately, now.samples
    kept.save(update_fields=["error_before", "error_lately", "error_samples"])
    if grew:
        # What was read when too little was known of the clock is no surer than what is read now.
        staging.widen(source=row.pk, error=error)
        flow_parts.widen(source=row, error=error)
    return error


def _late(batch: _Batch, file: BinaryIO) -> int | None:
    """How long after its newest record's time a file that grows was last written to, in microseconds; None where that
    is not known, where more was written than was read, or where it is so far away that it is no log of what happens."""
    told = os.fstat(file.fileno())
    if not batch.grown or batch.covers is None or told.st_size != batch.end_byte:
        return None
    late = told.st_mtime_ns // 1000 - batch.covers[1]
    return late if abs(late) <= AHEAD / timedelta(microseconds=1) else None


def _bind(
    records: pl.DataFrame, batch: _Batch, source: Source, options: Options, row: SourceRow, load: int, error: int,
    realm: int, inside_realm: int,
) -> int:  # fmt: skip
    """Into the database; how many bindings are new."""
    interim = _interim(options)
    clock = Clock(error=error, interim=interim)
    records = placed(records, load=load)
    restarts = pl.concat(batch.restarts) if batch.restarts else None
    if restarts is not None:
        staging.note_restarts(restarts, source=row.pk)
    taken = 0
    doubt = pl.col(ERROR) if ERROR in records.columns else pl.lit(0)
    records = records.with_columns((doubt + error).cast(pl.Int64).alias(ERROR))
    if source.joins is not Joins.ALONE and BindingRow.objects.filter(source=row).exists():
        # What earlier readings left is taken out and joined as if it had been read with this.
        more = [c for c in (HEARD, ERROR) if c in records.columns]
        records = with_defaults(records).hstack(records.select(more))
        before = staging.take_out(
            records, source.joins, interim=interim, source=row.pk, realm=realm, inside_realm=inside_realm
        )
        if before is not None:
            taken = before.height
            records = joined(
                pl.concat([before, records], how="diagonal"), source.joins, look_seconds=options.interim_seconds or 0.0
            )
        restarts = staging.restarts_of(row.pk, records.get_column("nas"))
    found = bindings(
        records, source.joins, clock=clock, restarts=restarts, covers_until=read_until(row.pk),
        one_pool=options.one_pool,
    )  # fmt: skip
    rows = staging.rows_of(
        found, source=row.pk, joins=source.joins, realm=realm, inside_realm=inside_realm, momentary=source.momentary
    )
    added = staging.put_in(rows) - taken
    if interim is not None and source.joins is Joins.SESSION and batch.covers is not None:
        staging.note_silence(source=row.pk, interim=interim, covers_until=batch.covers[1])
    staging.note_shapes(rows)
    if batch.covers is not None:
        staging.note_scope(rows, source=row.pk)
    if added > 1000:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE attribution_bindingrow, attribution_scoperow")
    return added


def _interim(options: Options) -> int | None:
    return None if options.interim_seconds is None else round(options.interim_seconds * 1e6)


def _source(name: str, kind: str) -> SourceRow:
    row, _ = SourceRow.objects.get_or_create(name=name, defaults={"kind": kind})
    if row.kind != kind:
        raise AnotherKind(f"the source {name} is of kind {row.kind}; give this one another name with --source")
    return row


def _realm(name: str) -> int:
    if name == PUBLIC:
        return 0
    found = RealmRow.objects.filter(name=name).first()
    if found is None:
        last = RealmRow.objects.order_by("-id").first()
        found = RealmRow.objects.create(id=1 if last is None else last.pk + 1, name=name)
    return int(found.pk)


@contextlib.contextmanager
def _alone_with(source: SourceRow) -> Iterator[None]:
    """One reading of a source at a time: where a file was read to is asked before, and said after."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_ONE_READING, source.pk])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_ONE_READING, source.pk])


def _resume(row: SourceRow, file: BinaryIO, source: Source) -> int:
    """Where the last reading of this very file ended, by whatever name; 0 for a new one, and for one that was written
    anew with the same head."""
    if source.whole:
        return 0
    size = os.fstat(file.fileno()).st_size
    known = _with_head_of(file, LoadRow.objects.filter(source=row)).filter(end_byte__lte=size).order_by("-end_byte")
    for first, end, sha256 in known.values_list("first_byte", "end_byte", "sha256").distinct():
        if _digest(file, first, end) == sha256:
            found = int(end)
            break
    else:
        found = 0
    file.seek(0)
    return found


def _with_head_of(file: BinaryIO, loads: QuerySet[LoadRow]) -> QuerySet[LoadRow]:
    """Those of a file that began as this one does."""
    file.seek(0)
    head = file.read(HEAD)
    sizes = loads.filter(head_size__lte=len(head)).values_list("head_size", flat=True).distinct()
    return loads.filter(head_sha256__in=[hashlib.sha256(head[:size]).hexdigest() for size in sizes])


def _last_of_this_file(row: SourceRow, file: BinaryIO, place: int) -> int | None:
    """The last instant that was read of this file, whose reading ended at `place`; None of one that is new."""
    loads = _with_head_of(file, LoadRow.objects.filter(source=row))
    last = loads.filter(end_byte=place).order_by("-id").first()
    if last is None:
        return None
    mine = loads.filter(file=last.file, end_byte__lte=place, covers_until__isnull=False)
    return mine.order_by("-id").values_list("covers_until", flat=True).first()


def _known_by_another_name(row: SourceRow, file: BinaryIO, here: str, size: int) -> bool:
    """Whether this is a plan or map that was read of another file, word by word; from now on it is known as `here` if
    that file is gone. UnusableFile where one that was read is gone and this is another: the old would stand beside the
    new for ever, if it was renamed."""
    loads = LoadRow.objects.filter(source=row)
    if loads.filter(file=here).exists():
        return False
    place = file.tell()
    for other in loads.order_by("file", "-id").distinct("file"):
        if not BindingRow.objects.filter(source=row, load__file=other.file).exists():
            continue
        gone = not Path(other.file).exists()
        if other.end_byte == size and _digest(file, other.first_byte, size) == other.sha256:
            if gone:
                loads.filter(file=other.file).update(file=here)
            return True
        if gone:
            raise UnusableFile(
                f"{row.name} was read of {other.file}, which is gone, and stands as it was read. If this is the same "
                f"under another name, read it under the old one, or take reading {other.pk} out first (tipstaff "
                "registry take-out). If it is another, give it a source of its own (--source)"
            )
    file.seek(place)
    return False


def _digest(file: BinaryIO, first: int, end: int) -> str:
    digest = hashlib.sha256()
    file.seek(first)
    while first < end and (piece := file.read(min(CHUNK, end - first))):
        digest.update(piece)
        first += len(piece)
    return digest.hexdigest()


def _head(file: BinaryIO) -> tuple[str, int]:
    """Of the file that is open: its name may be another's by now."""
    file.seek(0)
    head = file.read(HEAD)
    return hashlib.sha256(head).hexdigest(), len(head)


def _numbered(path: Path, refused: Sequence[RefusedLine]) -> Iterator[RefusedLine]:
    """With their line numbers, counted only now that somebody is told of them."""
    line, place = 1, 0
    with path.open("rb") as file:
        for bad in refused:
            left = bad.offset - place
            while left > 0:
                piece = file.read(min(left, CHUNK))
                if not piece:
                    break
                line += piece.count(b"\n")
                left -= len(piece)
            place = bad.offset
            yield replace(bad, line=line)
