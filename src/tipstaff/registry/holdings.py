"""Writes of addresses: what was held by whom and when, and the letters by which it may move."""

# ruff: noqa: S608 - only this room's own constants are put into SQL text; every value is a parameter.

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.db import connection, transaction
from psycopg.types.range import Range

from tipstaff.ledger.operations import record
from tipstaff.words import Holding, HoldingKind, LetterOfAuthority, Origin, Tier, require_aware

from . import staging
from .changes import change, transferred_by
from .guarding import Overlap, foreign, no_resellers, refusals_told_apart, refuse_foreign
from .imports import why_no_holding
from .models import CustomerRow, HoldingRow, LetterRow, SiteRow
from .names import plain_host_name
from .refusals import HeldTwice, NotAHolding, NotALetter, SiteHeldTwice, TransferNeedsALetter, UnknownKey
from .rows import HOLDING_COLUMNS, SCOPES, holding_of, in_words, letter_key
from .spells import service_ends

OVERLAPS_TOLD_MAX = 20
ANALYZE_FROM_ROWS = 1000
"""After so many new rows at once, PostgreSQL should count again rather than plan from old figures."""


def hold(
    *,
    tier: Tier,
    kind: HoldingKind,
    prefix: IPv4Network | IPv6Network,
    held_from: datetime,
    held_until: datetime | None = None,
    customer: str | None = None,
    service: str | None = None,
    port_first: int = 0,
    port_last: int = 65535,
    source: str,
    at: datetime,
    actor: str,
    origin: Origin = Origin.PERSON,
) -> int:
    """Record one holding and return its key; raise HeldTwice when PostgreSQL refuses it, and TransferNeedsALetter where
    it takes addresses from another customer."""
    holding = Holding(
        key=0,
        tier=tier,
        kind=kind,
        prefix=prefix,
        held_from=require_aware(held_from),
        held_until=None if held_until is None else require_aware(held_until),
        customer=customer,
        service=service,
        port_first=port_first,
        port_last=port_last,
        source=source,
    )
    _refuse_what_is_none(holding)
    with change(at=at, actor=actor, origin=origin, source=source) as draft:
        refuse_foreign([(customer, service)])
        for why in no_resellers([customer] if tier is Tier.RESELLER else []).values():
            raise NotAHolding(why)
        for key, end in service_ends([service] if service is not None else []).items():
            if holding.held_until is None or holding.held_until > end:
                raise NotAHolding(staging.ended_words(key, end))
        for why in moved_without_a_letter(holding).values():
            raise TransferNeedsALetter(why)
        try:
            with refusals_told_apart(), transaction.atomic():
                row = HoldingRow.objects.create(
                    tier=tier,
                    kind=kind,
                    prefix=prefix,
                    ports=Range(port_first, port_last + 1),
                    during=Range(holding.held_from, holding.held_until),
                    customer_id=customer,
                    service_id=service,
                    source=source,
                    known_from=draft.at,
                    change=draft.id,
                )
        except Overlap as why:
            raise HeldTwice([(holding, old) for old in _in_the_way(holding)], said=str(why)) from why
        draft.tell(f"new: {in_words(holding)}", customer, service)
        record(
            "holding.added", at=at, actor=actor, about=[key for key in (customer, service) if key], holding=row.pk,
            tier=tier, prefix=str(prefix), source=source, change=draft.key,
        )  # fmt: skip
        return int(row.pk)


def add_holdings(rows: Iterable[Holding], *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> int:
    """Record many holdings at once, all or none, and return how many; raise HeldTwice with the first few overlaps.

    The keys of `rows` are ignored; PostgreSQL gives new ones.
    """
    with change(at=at, actor=actor, origin=origin, source="many at once") as draft, staging.staged(_sound(rows)):
        pairs = staging.staged_pairs()
        for why in foreign(pairs).values():
            raise UnknownKey(why)
        for why in no_resellers(staging.staged_resellers()).values():
            raise NotAHolding(why)
        for why in moved_without_a_letter().values():
            raise TransferNeedsALetter(why)
        try:
            with refusals_told_apart(), transaction.atomic():
                added = staging.insert_staged(known_from=draft.at, change=draft.id)
        except Overlap as why:
            raise HeldTwice(staging.overlaps(restating=False, limit=OVERLAPS_TOLD_MAX), said=str(why)) from why
        if added >= ANALYZE_FROM_ROWS:
            staging.analyze()
        if added:
            draft.tell(f"new: {added} holdings", *sorted({c for c, _ in pairs if c is not None}), count=added)
            record("holdings.added", at=at, actor=actor, about=["registry"], count=added, change=draft.key)
        return added


def end_holding(key: int, *, held_until: datetime, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> None:
    """Set when a holding ends. Ending it at the same instant again does nothing more."""
    held_until = require_aware(held_until)
    with change(at=at, actor=actor, origin=origin) as draft:
        row = HoldingRow.objects.select_for_update().filter(pk=key).first()
        if row is None:
            raise UnknownKey(f"there is no holding {key}")
        if row.during.upper == held_until:
            return
        if held_until <= row.during.lower:
            raise NotAHolding(f"holding {key} began at {row.during.lower.isoformat()}, so it can't end before that")
        before = row.during.upper
        row.during = Range(row.during.lower, held_until)
        try:
            with refusals_told_apart(), transaction.atomic():
                row.save(update_fields=["during"])
        except Overlap as why:
            holding = replace(_get(key), held_until=held_until)
            raise HeldTwice([(holding, old) for old in _in_the_way(holding)], said=str(why)) from why
        about = [k for k in (row.customer_id, row.service_id) if k]
        draft.tell(f"ended: {in_words(_get(key))}", *about)
        record(
            "holding.ended", at=at, actor=actor, about=about, holding=key, held_until=held_until, before=before,
            change=draft.key,
        )  # fmt: skip


def add_letter(
    *,
    issuer: str,
    customer: str,
    prefixes: Sequence[IPv4Network | IPv6Network],
    valid_from: datetime,
    valid_until: datetime | None = None,
    file_name: str,
    digest: str,
    at: datetime,
    actor: str,
) -> LetterOfAuthority:
    """File a letter of authority for `customer`. The same again gives the letter on file."""
    if not issuer.strip() or not prefixes or len(digest) != 64:
        raise NotALetter("a letter of authority names its issuer and at least one prefix, and its file has a SHA-256")
    if valid_until is not None and valid_until <= valid_from:
        raise NotALetter("the letter ends before it begins")
    with change(at=at, actor=actor, source=file_name) as draft:
        if not CustomerRow.objects.filter(key=customer).exists():
            raise UnknownKey(f"there is no customer {customer}")
        same = {
            "issuer": issuer.strip(),
            "customer_id": customer,
            "prefixes": list(prefixes),
            "valid_from": require_aware(valid_from),
            "valid_until": valid_until,
            "digest": digest,
        }
        row = LetterRow.objects.filter(**same).first()
        if row is None:
            row = LetterRow.objects.create(**same, file_name=file_name, known_from=draft.at, change=draft.id)
            named = ", ".join(map(str, prefixes))
            draft.tell(f"new: letter of authority of {issuer} for {customer}: {named}", customer)
            record(
                "letter_of_authority.filed", at=at, actor=actor, about=[customer], letter=letter_key(row.pk),
                issuer=issuer, prefixes=[str(p) for p in prefixes], valid_from=valid_from, valid_until=valid_until,
                sha256=digest, change=draft.key,
            )  # fmt: skip
        return LetterOfAuthority(
            key=letter_key(row.pk), issuer=row.issuer, customer=customer, prefixes=tuple(prefixes),
            valid_from=valid_from, valid_until=valid_until, file_name=row.file_name, digest=digest,
        )  # fmt: skip


def letter_for(customer: str, prefix: IPv4Network | IPv6Network, *, at: datetime) -> str | None:
    """The key of a letter that lets a customer have `prefix` at that moment; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM registry_letterrow
            WHERE customer_id = %s AND valid_from <= %s AND (valid_until IS NULL OR valid_until > %s)
                AND EXISTS (SELECT FROM unnest(prefixes) AS p WHERE p::inet >>= %s::inet)
            ORDER BY id LIMIT 1
            """,
            [customer, require_aware(at), require_aware(at), str(prefix)],
        )
        row = cursor.fetchone()
    return None if row is None else letter_key(row[0])


def moved_without_a_letter(given: Holding | None = None) -> dict[str, str]:
    """Which rows, by their source, would move addresses from one customer to another without a letter, and whose: the
    staged ones, or `given`."""
    return {
        new.source: f"{new.prefix} would go from {old.customer} to {new.customer} without a letter of authority; file "
        f"one, or give the addresses back to the operator first, for a day"
        for new, old in staging.transfers(given)
        if letter_for(str(new.customer), new.prefix, at=new.held_from) is None
    }


def transfer_holding(
    key: int, *, to: str, service: str | None = None, since: datetime, at: datetime, actor: str
) -> int:
    """Move addresses from one customer to another; refused without a letter of authority. The new holding's key."""
    since = require_aware(since)
    with change(at=at, actor=actor) as draft:
        old = _get(key)
        if old.customer is None or old.customer == to:
            raise NotAHolding(f"{in_words(old)} can't be transferred to {to}")
        letter = letter_for(to, old.prefix, at=since)
        if letter is None:
            raise TransferNeedsALetter(
                f"{old.prefix} is the operator's; it moves from {old.customer} to {to} only by a letter of authority "
                f"that is valid on {since:%Y-%m-%d} and covers it"
            )
        end_holding(key, held_until=since, at=at, actor=actor)
        new = hold(
            tier=old.tier, kind=old.kind, prefix=old.prefix, held_from=since, held_until=old.held_until, customer=to,
            service=service, port_first=old.port_first, port_last=old.port_last, source=transferred_by(letter), at=at,
            actor=actor,
        )  # fmt: skip
        draft.tell(f"transferred by {letter}: {old.prefix} from {old.customer} to {to}", old.customer, to)
        record(
            "holding.transferred", at=at, actor=actor, about=[to, old.customer], letter=letter,
            prefix=str(old.prefix), since=since, change=draft.key,
        )  # fmt: skip
        return new


def add_site(
    host_name: str,
    *,
    address: IPv4Address | IPv6Address,
    customer: str,
    service: str | None,
    since: datetime,
    until: datetime | None = None,
    at: datetime,
    actor: str,
    origin: Origin = Origin.PERSON,
) -> None:
    """Record that a host name is answered at an address for a customer. The same again changes nothing."""
    host_name = plain_host_name(host_name)
    during = Range(require_aware(since), None if until is None else require_aware(until))
    same = {"host_name": host_name, "address": address, "customer_id": customer, "service_id": service}
    if SiteRow.objects.filter(**same, during=during).exists():
        return
    if until is not None and until <= since:
        raise NotAHolding(f"{host_name} can't end before it begins")
    with change(at=at, actor=actor, origin=origin) as draft:
        refuse_foreign([(customer, service)])
        try:
            with refusals_told_apart(), transaction.atomic():
                SiteRow.objects.create(**same, during=during, known_from=draft.at, change=draft.id)
        except Overlap as why:
            old = SiteRow.objects.filter(host_name=host_name, address=address, during__overlap=during).first()
            whose = old.customer_id if old else "another"
            raise SiteHeldTwice(f"{host_name} at {address} is already answered for {whose} then") from why
        about = [key for key in (customer, service) if key]
        draft.tell(f"new: {host_name} at {address} for {customer}", *about)
        record(
            "site.added", at=at, actor=actor, about=about, host_name=host_name, address=str(address),
            change=draft.key,
        )  # fmt: skip


def _sound(rows: Iterable[Holding]) -> Iterator[Holding]:
    for row in rows:
        _refuse_what_is_none(row)
        yield row


def _refuse_what_is_none(holding: Holding) -> None:
    require_aware(holding.held_from)
    if holding.held_until is not None:
        require_aware(holding.held_until)
    if why := why_no_holding(holding):
        raise NotAHolding(f"{in_words(holding)}: {why}")


def _get(key: int) -> Holding:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h WHERE h.id = %s", [key])
        row = cursor.fetchone()
    if row is None:
        raise UnknownKey(f"there is no holding {key}")
    return holding_of(row)


def _in_the_way(holding: Holding) -> list[Holding]:
    """The known rows that a holding overlaps within its scope."""
    if holding.tier is Tier.OPERATOR:
        scope = SCOPES["pool" if holding.kind is HoldingKind.POOL else "operator"]
    else:
        scope = SCOPES[holding.tier]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {HOLDING_COLUMNS} FROM registry_holdingrow h
            WHERE {scope.format("h")} AND h.prefix && %s::cidr AND h.ports && int4range(%s, %s)
                AND h.during && tstzrange(%s, %s) AND h.id <> %s
            ORDER BY lower(h.during), h.id LIMIT {OVERLAPS_TOLD_MAX}
            """,
            [
                str(holding.prefix),
                holding.port_first,
                holding.port_last + 1,
                holding.held_from,
                holding.held_until,
                holding.key,
            ],
        )
        return [holding_of(row) for row in cursor.fetchall()]
