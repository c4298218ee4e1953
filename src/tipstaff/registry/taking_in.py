"""Files into the registry: whole or not at all, or all that is good of them. Private to this room."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction

from tipstaff.ledger.operations import record
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Holding,
    ImportPreview,
    Origin,
    RefusedRow,
    Resource,
    Service,
    Site,
    Tier,
)

from . import staging
from .changes import Draft, change
from .columns import Contact
from .guarding import Overlap, foreign, no_resellers, refusals_told_apart
from .holdings import ANALYZE_FROM_ROWS, OVERLAPS_TOLD_MAX, moved_without_a_letter
from .imports import Line, Sheet, Value, read_sheet, read_sheets
from .leaving_out import completed
from .models import (
    HoldingRow,
    ResourceRow,
)
from .one_row import REFUSALS, Outcome, write, write_chain
from .queries import held_outside
from .refusals import (
    HeldAtThisMomentByAnother,
)
from .rows import (
    in_words,
    value_in_words,
)

CHANGES_TOLD_MAX = 50
Progress = Callable[[int], None]
"""Called with how many rows more have been taken in or refused."""
PIECE_ROWS = 50_000
"""So many rows of a long file are taken in at once; a crash loses none that went before."""


def import_csv(
    lines: Iterable[str],
    *,
    source_name: str,
    at: datetime,
    actor: str,
    dry_run: bool = False,
    rest: bool = False,
    progress: Progress = lambda _: None,
    editions: Container[str] | None = None,
) -> ImportPreview:
    """Take in a CSV file: all of it, or with one bad row nothing; with `rest`, all of it but its bad rows.

    The header says what it holds; `imports.py` lists the columns. The same file again changes nothing, so one that
    was cut off is simply imported again. With `rest` a long file goes in piece by piece. Where `editions` of the policy
    are said, an acceptance of another is a bad row.
    """
    if not rest:
        sheet = read_sheet(lines, source_name=source_name)
        return take_in(
            sheet, at=at, actor=actor, origin=Origin.IMPORT, dry_run=dry_run, progress=progress, editions=editions
        )
    pieces = [
        take_in(
            sheet,
            at=at,
            actor=actor,
            origin=Origin.IMPORT,
            dry_run=dry_run,
            rest=True,
            progress=progress,
            editions=editions,
        )
        for sheet in read_sheets(lines, source_name=source_name, rows_max=PIECE_ROWS)
    ]
    return joined(pieces)


def import_pieces(
    lines: Iterable[str], *, source_name: str, at: datetime, actor: str, dry_run: bool = False
) -> Iterator[ImportPreview]:
    """As `import_csv` with `rest`, piece by piece, for whoever shows how far it is."""
    for sheet in read_sheets(lines, source_name=source_name, rows_max=PIECE_ROWS):
        yield take_in(sheet, at=at, actor=actor, origin=Origin.IMPORT, dry_run=dry_run, rest=True)


def joined(pieces: list[ImportPreview]) -> ImportPreview:
    """What several pieces of one file did, as one."""
    first = pieces[0]
    return replace(
        first,
        rows=sum(p.rows for p in pieces),
        added=sum(p.added for p in pieces),
        changed=sum(p.changed for p in pieces),
        unchanged=sum(p.unchanged for p in pieces),
        changes=tuple(c for p in pieces for c in p.changes)[:CHANGES_TOLD_MAX],
        refused=tuple(r for p in pieces for r in p.refused),
        kept=tuple(k for p in pieces for k in p.kept),
        outside=pieces[-1].outside,
        applied=all(p.applied for p in pieces),
        change=" ".join(p.change for p in pieces if p.change) or None,
    )


def take_in(
    sheet: Sheet, *, at: datetime, actor: str, origin: Origin, dry_run: bool = False, rest: bool = False,
    progress: Progress = lambda _: None, editions: Container[str] | None = None,
) -> ImportPreview:  # fmt: skip
    """Take in what was read from a file or another system."""
    tally = _Tally()
    key = None
    if any(line.undated for line in sheet.lines):
        sheet = replace(sheet, lines=tuple(_dated(line) if line.undated else line for line in sheet.lines))
    with transaction.atomic(), change(at=at, actor=actor, origin=origin, source=sheet.source) as draft:
        with transaction.atomic():
            _take_in_one_by_one(sheet, tally, at=at, actor=actor, origin=origin, progress=progress, editions=editions)
            held = [line for line in sheet.lines if isinstance(line.value, Holding)]
            if held and (rest or not tally.refused):
                _take_in_holdings(held, tally, draft, rest=rest)
            progress(len(held) + len(sheet.refused))
            outside = held_outside(at=at) if held else None
            refused = sorted((*sheet.refused, *tally.refused), key=lambda row: row.line)
            applied = not dry_run and bool(sheet.kind) and (rest or not refused)
            if not applied:
                transaction.set_rollback(True)
        if not applied:
            draft.count = 0
        elif tally.added or tally.changed:
            key = draft.key
            counts = {"added": tally.added, "changed": tally.changed, "unchanged": tally.unchanged}
            record(
                "registry.imported", at=at, actor=actor, about=[sheet.source], kind=sheet.kind, **counts,
                refused=len(refused), kept=len(tally.kept), change=key,
            )  # fmt: skip
    return ImportPreview(
        source=sheet.source,
        kind=sheet.kind,
        rows=sheet.rows,
        added=tally.added,
        changed=tally.changed,
        unchanged=tally.unchanged,
        changes=tuple(tally.changes),
        refused=tuple(refused),
        kept=tuple(tally.kept),
        outside=outside,
        applied=applied,
        change=key,
    )


def _dated(line: Line) -> Line:
    """A row whose source does not say since when: what we know already of the same holder goes on."""
    value = line.value
    known: HoldingRow | ResourceRow | None = None
    if isinstance(value, Holding):
        known = HoldingRow.objects.filter(
            tier=value.tier, kind=value.kind, prefix=value.prefix, customer_id=value.customer,
            during__endswith__isnull=True,
        ).first()  # fmt: skip
    elif isinstance(value, Resource):
        known = ResourceRow.objects.filter(
            kind=value.kind, name=value.name, scope=value.scope, tier=value.tier, customer_id=value.customer,
            during__endswith__isnull=True,
        ).first()  # fmt: skip
    if known is None:
        return line
    assert isinstance(value, Holding | Resource)
    return replace(line, value=replace(value, held_from=known.during.lower, service=known.service_id))


@dataclass
class _Tally:
    """What an import has done so far."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: list[str] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    kept: list[RefusedRow] = field(default_factory=list)

    def add(self, what: str) -> None:
        self.added += 1
        self._tell(f"new: {what}")

    def change(self, what: str) -> None:
        self.changed += 1
        self._tell(f"changed: {what}")

    def refuse(self, line: int, why: str) -> None:
        self.refused.append(RefusedRow(line=line, why=f"{why[:1].upper()}{why[1:]}".removesuffix(".") + "."))

    def keep(self, line: int, why: str) -> None:
        self.kept.append(RefusedRow(line=line, why=f"{why[:1].upper()}{why[1:]}".removesuffix(".") + "."))

    def _tell(self, sentence: str) -> None:
        if len(self.changes) < CHANGES_TOLD_MAX:
            self.changes.append(sentence)


def _take_in_one_by_one(
    sheet: Sheet, tally: _Tally, *, at: datetime, actor: str, origin: Origin, progress: Progress,
    editions: Container[str] | None,
) -> None:  # fmt: skip
    seen: dict[object, int] = {}
    chains: dict[str, list[Line]] = {}
    for line in _resellers_first(
        replace(line, value=completed(line.value, line.left_out))
        for line in sheet.lines
        if not isinstance(line.value, Holding)
    ):
        value = line.value
        assert not isinstance(value, Holding)
        progress(1)
        name = _name_of(value)
        if name in seen:
            why = f"{value_in_words(value)} stands on line {seen[name]} already."
            tally.refused.append(RefusedRow(line=line.number, why=why))
            continue
        seen[name] = line.number
        if isinstance(value, Contact):
            chains.setdefault(value.customer, []).append(line)
            continue
        if isinstance(value, Acceptance) and editions is not None and value.edition not in editions:
            tally.refuse(line.number, f"there is no edition {value.edition} of the policy")
            continue
        try:
            with transaction.atomic():
                outcome = write(value, at=at, actor=actor, origin=origin)
        except REFUSALS as refusal:
            tally.refuse(line.number, str(refusal))
            continue
        _count(outcome, line.number, value_in_words(value), tally)
    for customer, chain in chains.items():
        people = [line.value.person for line in sorted(chain, key=_place) if isinstance(line.value, Contact)]
        try:
            with transaction.atomic():
                outcome = write_chain(customer, people, at=at, actor=actor, origin=origin)
        except REFUSALS as refusal:
            tally.refuse(chain[0].number, str(refusal))
            continue
        _count(outcome, chain[0].number, f"representatives of {customer}", tally)
        tally.unchanged += (len(chain) - 1) if outcome.before_is_same else 0


def _count(outcome: Outcome, line: int, what: str, tally: _Tally) -> None:
    if outcome.kept:
        tally.keep(line, f"{what}: {'; '.join(outcome.kept)}")
    if outcome.before_is_same or outcome.kept_all:
        tally.unchanged += 1
    elif outcome.new:
        tally.add(what)
    else:
        tally.change(f"{what}: {', '.join(outcome.fields)}" if outcome.fields else what)


def _place(line: Line) -> int:
    assert isinstance(line.value, Contact)
    return line.value.place


def _take_in_holdings(lines: list[Line], tally: _Tally, draft: Draft, *, rest: bool) -> None:
    holdings = [line.value for line in lines if isinstance(line.value, Holding)]
    line_of = {holding.source: line.number for holding, line in zip(holdings, lines, strict=True)}
    with staging.staged(holdings):
        staging.complete(lines[0].left_out)
        over = staging.end_with_services()
        for source, ended in over.items():
            tally.refuse(line_of[source], ended)
        if over and not rest:
            return
        staging.drop_sources(list(over))
        strangers = foreign(staging.staged_pairs())
        if strangers:
            for holding in holdings:
                if why := strangers.get((holding.customer, holding.service)):
                    tally.refuse(line_of[holding.source], why)
            if not rest:
                return
            staging.drop_pairs(strangers)
        if plain := no_resellers(staging.staged_resellers()):
            wrong = [h for h in holdings if h.tier is Tier.RESELLER and h.customer in plain]
            for holding in wrong:
                tally.refuse(line_of[holding.source], plain[str(holding.customer)])
            if not rest:
                return
            staging.drop_sources([holding.source for holding in wrong])
        told = len(tally.changes)
        for kept in staging.drop_what_persons_set() if not draft.by_person else ():
            tally.keep(line_of[kept.new.source], kept.why)
        while True:
            changed: list[Holding] = []
            try:
                with refusals_told_apart(), transaction.atomic():
                    unchanged = staging.drop_unchanged()
                    changed = staging.change_restated()
                    if moves := moved_without_a_letter():
                        raise _Moved
                    added = staging.insert_staged(known_from=draft.at, change=draft.id)
            except _Moved:
                for moved, why in moves.items():
                    tally.refuse(line_of[moved], why)
                if not rest:
                    return
                staging.drop_sources(list(moves))
                continue
            except Overlap:
                # Whose a thing is that a file gives to two, it does not say; whoever came first has no better right.
                clashes = staging.rivals(limit=10_000) if rest else []
                clashes = clashes or staging.overlaps(restating=True, limit=10_000 if rest else OVERLAPS_TOLD_MAX)
                for new, old in clashes:
                    tally.refuse(line_of[new.source], f"{in_words(new)} overlaps {in_words(old)}")
                if not rest:
                    return
                if not clashes:
                    raise HeldAtThisMomentByAnother from None
                staging.drop_sources([new.source for new, _ in clashes])
                continue
            break
    tally.unchanged += unchanged
    for holding in changed:
        tally.change(in_words(holding))
    tally.added += added
    if len(tally.changes) == told and tally.unchanged == 0:
        left = {row.line for row in (*tally.refused, *tally.kept)}
        taken = [holding for holding in holdings if line_of[holding.source] not in left]
        tally.changes += [f"new: {in_words(holding)}" for holding in taken[: CHANGES_TOLD_MAX - told]]
    if added or changed:
        about = sorted({h.customer for h in holdings if h.customer is not None})
        says = [f"changed: {in_words(h)}" for h in changed[:20]]
        for sentence in says:
            draft.tell(sentence, count=0)
        draft.tell(f"holdings: {added} new, {len(changed)} changed", *about[:200], count=added + len(changed))
    if added >= ANALYZE_FROM_ROWS:
        staging.analyze()


class _Moved(Exception):
    """A file moves addresses from one customer to another without a letter."""


def _name_of(value: Value) -> object:
    if isinstance(value, Customer | Service | AccountUser):
        return type(value), value.key
    if isinstance(value, Contact):
        return value.customer, value.place
    if isinstance(value, Acceptance):
        return value
    if isinstance(value, Resource):
        return value.kind, value.scope, value.name, value.tier, value.held_from
    assert isinstance(value, Site)
    return value.host_name, value.address, value.since


def _resellers_first(lines: Iterable[Line]) -> list[Line]:
    """The rows in an order in which every reseller comes before its customers; those in a circle last."""
    waiting = list(lines)
    in_file = {line.value.key for line in waiting if isinstance(line.value, Customer)}
    done: set[str] = set()
    ordered: list[Line] = []
    while waiting:
        not_yet = in_file - done
        ready = [line for line in waiting if _reseller_of(line.value) not in not_yet]
        if not ready:
            return ordered + waiting
        waiting = [line for line in waiting if _reseller_of(line.value) in not_yet]
        ordered += ready
        done |= {line.value.key for line in ready if isinstance(line.value, Customer)}
    return ordered


def _reseller_of(value: Value) -> str | None:
    return value.reseller if isinstance(value, Customer) else None
