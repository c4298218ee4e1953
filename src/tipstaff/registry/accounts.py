"""Writes of accounts: customers, those who use and represent them, their services, standing and contracts."""

import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q
from psycopg.types.range import Range

from tipstaff.host.envelopes import UselessKey, check_openpgp, check_smime
from tipstaff.ledger.operations import record
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Customer,
    Origin,
    Representative,
    Service,
    Standing,
    require_aware,
)

from .changes import Draft, change, is_a_persons, versions_stay
from .models import (
    AcceptanceRow,
    CustomerRow,
    HoldingRow,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    StandingRow,
    UserRow,
)
from .queries import mail_keys_of
from .refusals import (
    NotAContact,
    NotTheCustomersService,
    NotTheCustomersUser,
    NotYetSo,
    ResellersInACircle,
    UnknownKey,
)
from .rows import (
    holding_of_row,
    in_words,
    resource_in_words,
    resource_of,
    site_of,
    stated_customer_of,
    value_in_words,
)

MAIL_ADDRESS = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>.]+")
CLOCKS_DIFFER = timedelta(minutes=5)
"""What another system's clock says may be so far ahead of ours."""
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def add_customer(customer: Customer, *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> tuple[str, ...]:
    """Add a customer, or bring the one with this key up to date. Doing it twice changes nothing more.

    Returns what was left as it is because a person had set it: empty unless `origin` is an import.
    """
    with change(at=at, actor=actor, origin=origin) as draft:
        if customer.reseller is not None:
            with connection.cursor() as cursor:
                # Two at once could close a circle between them: who sets a reseller waits here, as in migration 0009,
                # and before any row is locked.
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext('registry resellers'))")
        before = CustomerRow.objects.select_for_update(of=("self",)).filter(key=customer.key).first()
        if before is not None and stated_customer_of(before) == customer:
            return ()
        _refuse_circle(customer)
        wanted: dict[str, object] = {
            "name": customer.name,
            "reseller_id": customer.reseller,
            "is_reseller": customer.is_reseller,
            "standing": customer.standing,
            "since": customer.since,
            "phone": customer.phone,
            "email": customer.email,
            "postal_address": customer.postal_address,
            "country": customer.country,
            "brand": customer.brand,
        }
        kept, set_now = _weigh(wanted, before, draft)
        standing = Standing(str(wanted["standing"]))
        wrote = before is None or any(getattr(before, name) != value for name, value in wanted.items())
        if before is None:
            CustomerRow.objects.create(key=customer.key, **wanted, **_marks(draft), by_person=set_now)
            _state_standing(customer.key, standing, since=_begin(customer, standing, at), why="", draft=draft)
        elif wrote:
            if before.standing != standing:
                _state_standing(customer.key, standing, since=at, why="", draft=draft)
            for name, value in wanted.items():
                setattr(before, name, value)
            before.by_person = sorted({*before.by_person, *set_now})
            before.save()
        contact_kept, contact_wrote = _state_first_contact(customer.key, customer.representative, draft)
        kept += contact_kept
        if not wrote and not contact_wrote:
            return tuple(kept)
        what = "customer.added" if before is None else "customer.changed"
        draft.tell(f"{'new' if before is None else 'changed'}: customer {customer.key}, {customer.name}", customer.key)
        record(
            what, at=at, actor=actor, about=[customer.key], standing=standing, reseller=wanted["reseller_id"],
            change=draft.key,
        )  # fmt: skip
        return tuple(kept)


def _marks(draft: Draft) -> dict[str, object]:
    return {"known_from": draft.at, "change": draft.id}


def _begin(customer: Customer, standing: Standing, at: datetime) -> datetime:
    """A running contract runs since it began; that one has ended is known only from now."""
    return customer.since if standing is Standing.GOOD and customer.since is not None else at


def _weigh(
    wanted: dict[str, object], before: CustomerRow | ServiceRow | None, draft: Draft
) -> tuple[list[str], list[str]]:
    """Put a person's own words back into what an import wants; what was so kept, and what a person sets now."""
    if draft.by_person:
        if before is None:
            return [], sorted(name for name, value in wanted.items() if value and value != Standing.GOOD)
        return [], [name for name, value in wanted.items() if getattr(before, name) != value]
    kept = []
    for name in before.by_person if before is not None else ():
        own = getattr(before, name)
        if name in wanted and wanted[name] != own:
            kept.append(f'{name.removesuffix("_id")} stays "{own}", which a person has set, and not "{wanted[name]}"')
            wanted[name] = own
    return kept, []


def set_standing(
    customer: str, standing: Standing, *, since: datetime, why: str, at: datetime, actor: str,
    origin: Origin = Origin.PERSON,
) -> tuple[str, ...]:  # fmt: skip
    """A customer's contract runs, rests or has ended since a moment that is not ahead. The same again does nothing.

    Returns what a person's word kept: an import does not let in again whom somebody sent away by hand.
    """
    with change(at=at, actor=actor, origin=origin) as draft:
        row = CustomerRow.objects.select_for_update().filter(key=customer).first()
        if row is None:
            raise UnknownKey(f"there is no customer {customer}")
        if row.standing == standing:
            return ()
        if require_aware(since) > at + CLOCKS_DIFFER:
            raise NotYetSo(f"{customer} is not {standing} yet: {since:%Y-%m-%d %H:%M} UTC lies ahead; say it then")
        if not draft.by_person and "standing" in row.by_person:
            return (f'standing stays "{row.standing}", which a person has set, and not "{standing}"',)
        _state_standing(customer, standing, since=require_aware(since), why=why, draft=draft)
        row.standing = standing
        if draft.by_person:
            row.by_person = sorted({*row.by_person, "standing"})
        row.save()
        draft.tell(f"{customer} is {standing} since {since:%Y-%m-%d %H:%M} UTC. {why}".strip(), customer)
        record(
            "customer.standing", at=at, actor=actor, about=[customer], standing=standing, since=since, why=why,
            change=draft.key,
        )  # fmt: skip
        return ()


def _state_standing(customer: str, standing: Standing, *, since: datetime, why: str, draft: Draft) -> None:
    for row in StandingRow.objects.select_for_update().filter(customer_id=customer, during__endswith__isnull=True):
        if row.during.lower >= since:
            row.delete()  # It was never true; PostgreSQL keeps that it was believed.
        else:
            row.during = Range(row.during.lower, since)
            row.save()
    later = StandingRow.objects.filter(customer_id=customer, during__endswith__gt=since).order_by("during")
    for row in later:
        if row.during.lower >= since:
            row.delete()
        else:
            row.during = Range(row.during.lower, since)
            row.save()
    StandingRow.objects.create(
        customer_id=customer, standing=standing, during=Range(since, None), why=why, **_marks(draft)
    )


def _state_first_contact(customer: str, person: Representative | None, draft: Draft) -> tuple[list[str], bool]:
    """Make `person` the first of the chain, as a customer's own row states; the rest of the chain stays.

    Returns what was kept, and whether anything was written.
    """
    before = RepresentativeRow.objects.select_for_update().filter(customer_id=customer, rank=0).first()
    stated = None if person is None else (person.name, person.email, person.language, person.timezone)
    now = None if before is None else (before.name, before.email, before.language, before.timezone)
    if stated == now:
        return [], False
    if not draft.by_person and _chain_is_a_persons(customer):
        who = "nobody" if before is None else before.email
        return [f"the representative stays {who}, as a person has set the chain"], False
    if person is None:
        assert before is not None
        before.delete()
        if draft.by_person:
            _note_that_nobody_represents(customer)
    elif before is None:
        RepresentativeRow.objects.create(
            customer_id=customer, rank=0, **_columns(person), by_person=draft.by_person, **_marks(draft)
        )
    else:
        moved = before.email.lower() != person.email.lower()
        for name, value in _columns(person).items():
            if name in ("name", "email", "language", "timezone") or moved or value:
                setattr(before, name, value)
        before.by_person = before.by_person or draft.by_person
        before.save()
    return [], True


def _chain_is_a_persons(customer: str) -> bool:
    """Whether a person has set somebody of the chain, or has said last that there is nobody."""
    rows = RepresentativeRow.objects.filter(customer_id=customer)
    return rows.filter(by_person=True).exists() or (
        not rows.exists()
        and CustomerRow.objects.filter(key=customer, by_person__contains=[_NOBODY_REPRESENTS]).exists()
    )


def _note_that_nobody_represents(customer: str) -> None:
    row = CustomerRow.objects.get(key=customer)
    row.by_person = sorted({*row.by_person, _NOBODY_REPRESENTS})
    row.save(update_fields=["by_person"])


_NOBODY_REPRESENTS = "representatives"
"""Among the fields that a person has set: they took the last representative away."""


def _columns(person: Representative) -> dict[str, object]:
    return {
        "name": person.name,
        "email": person.email,
        "language": person.language,
        "timezone": person.timezone,
        "phone": person.phone,
        "verified_at": person.verified_at,
        "bounced_at": person.bounced_at,
        "openpgp_key": person.openpgp_key,
        "smime_certificate": person.smime_certificate,
    }


def designate(
    customer: str, chain: Sequence[Representative], *, at: datetime, actor: str, origin: Origin = Origin.PERSON
) -> tuple[str, ...]:
    """Make `chain` the customer's representatives, the first one foremost. Returns what a person's word kept."""
    for person in chain:
        refuse_no_contact(person)
        _refuse_useless_keys(person, at=at)
    if len({person.email.lower() for person in chain}) < len(chain):
        raise NotAContact("the same address stands in the chain twice")
    with change(at=at, actor=actor, origin=origin) as draft:
        if not CustomerRow.objects.select_for_update().filter(key=customer).exists():
            raise UnknownKey(f"there is no customer {customer}")
        rows = list(RepresentativeRow.objects.select_for_update().filter(customer_id=customer).order_by("rank"))
        if [_columns_of(row) for row in rows] == [_columns(person) for person in chain]:
            return ()
        if not draft.by_person and _chain_is_a_persons(customer):
            return (f"the representatives of {customer} stay as a person has set them",)
        for row in rows[len(chain) :]:
            row.delete()
        if draft.by_person and not chain:
            _note_that_nobody_represents(customer)
        for rank, person in enumerate(chain):
            if rank < len(rows):
                row = rows[rank]
                for name, value in {**_columns(person), "rank": rank, "by_person": draft.by_person}.items():
                    setattr(row, name, value)
                row.save()
            else:
                RepresentativeRow.objects.create(
                    customer_id=customer, rank=rank, **_columns(person), by_person=draft.by_person, **_marks(draft)
                )
        names = ", then ".join(person.email for person in chain) or "nobody"
        draft.tell(f"{customer} is represented by {names}", customer)
        record(
            "customer.represented", at=at, actor=actor, about=[customer], contacts=len(chain), change=draft.key
        )  # fmt: skip
    return ()


def lock_customer(key: str) -> None:
    """Within a transaction: nobody else changes this customer or their contacts before it ends."""
    CustomerRow.objects.select_for_update().filter(key=key).first()


def _columns_of(row: RepresentativeRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in _columns(Representative(name="", email=""))}


def refuse_no_contact(person: Representative) -> None:
    """Raise NotAContact where somebody's address, language or time zone cannot be written to or by."""
    if not MAIL_ADDRESS.fullmatch(person.email):
        raise NotAContact(f'"{person.email}" is not a mail address')
    if not LANGUAGE.fullmatch(person.language):
        raise NotAContact(f'"{person.language}" is not a language tag; write one like en or pt-BR')
    try:
        zoneinfo.ZoneInfo(person.timezone)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise NotAContact(f'"{person.timezone}" is not a time zone; write one like Europe/Berlin') from None


def _refuse_useless_keys(person: Representative, *, at: datetime) -> None:
    """A key is looked at when it is given; one that has run out since keeps nobody from other changes."""
    known = mail_keys_of(person.email)
    for kind, key, old, check in (
        ("OpenPGP key", person.openpgp_key, known.openpgp, check_openpgp),
        ("S/MIME certificate", person.smime_certificate, known.smime, check_smime),
    ):
        try:
            if key and key not in old:
                check(key, at=at)
        except UselessKey as why:
            raise NotAContact(f"no letter to {person.email} can be closed by this {kind}: {why}") from None


def note_bounce(email: str, *, why: str, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> tuple[str, ...]:
    """Letters to this address come back: the next contact of each chain is written to. The customers concerned."""
    marks = {"bounced_at": require_aware(at)}
    return _mark_contacts(email, marks, "contact.bounced", why=why, at=at, actor=actor, origin=origin)


def note_reached(email: str, *, why: str, at: datetime, actor: str) -> tuple[str, ...]:
    """It was shown that this address reaches its representative, who counts as verified from now on."""
    marks = {"bounced_at": None, "verified_at": require_aware(at)}
    return _mark_contacts(email, marks, "contact.verified", why=why, at=at, actor=actor, origin=Origin.PERSON)


def _mark_contacts(
    email: str, marks: Mapping[str, datetime | None], what: str, *, why: str, at: datetime, actor: str, origin: Origin
) -> tuple[str, ...]:
    """The version stays that of the change which brought the contact, so that this can still be undone."""
    with change(at=at, actor=actor, origin=origin) as draft, versions_stay():
        rows = RepresentativeRow.objects.select_for_update().filter(email__iexact=email.strip()).order_by("pk")
        if what == "contact.bounced":
            rows = rows.filter(bounced_at__isnull=True)
        customers = []
        for row in rows:
            for name, value in marks.items():
                setattr(row, name, value)
            row.restored_from = row.restored_from or row.change
            row.save()
            customers.append(str(row.customer_id))
            draft.tell(f"{what.replace('.', ' ')}: {row.email} of {row.customer_id}. {why}".strip(), row.customer_id)
            record(what, at=at, actor=actor, about=[row.customer_id], rank=row.rank, why=why, change=draft.key)
        return tuple(customers)


def add_user(
    user: AccountUser, *, at: datetime, actor: str, origin: Origin = Origin.PERSON
) -> tuple[str, ...]:  # fmt: skip
    """Add somebody who uses an account, or bring them up to date. Returns what a person's word kept.

    A file or another system may move them to another account, as it says where everybody is; a person who writes a
    key that is another customer's has mistaken it.
    """
    with change(at=at, actor=actor, origin=origin) as draft:
        if not CustomerRow.objects.filter(key=user.customer).exists():
            raise UnknownKey(f"there is no customer {user.customer}")
        wanted = {"customer_id": user.customer, "name": user.name, "email": user.email}
        row = UserRow.objects.select_for_update().filter(key=user.key).first()
        if row is not None and draft.by_person and row.customer_id != user.customer:
            raise NotTheCustomersUser(f"user {user.key} is {row.customer_id}'s and can't become {user.customer}'s")
        if row is None:
            UserRow.objects.create(key=user.key, **wanted, **_marks(draft))
        elif all(getattr(row, name) == value for name, value in wanted.items()):
            return ()
        elif not draft.by_person and is_a_persons(row):
            return (f"stays {row.name} {row.email}".rstrip() + ", as a person has set them",)
        else:
            for name, value in wanted.items():
                setattr(row, name, value)
            row.save()
        draft.tell(f"user {user.key} of {user.customer}", user.customer)
        record(
            "customer.user_changed", at=at, actor=actor, about=[user.customer], user=user.key, change=draft.key
        )  # fmt: skip
        return ()


def accept_policy(acceptance: Acceptance, *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> None:
    """Note that a customer accepted an edition of the policy. The same again does nothing."""
    with change(at=at, actor=actor, origin=origin) as draft:
        if not CustomerRow.objects.filter(key=acceptance.customer).exists():
            raise UnknownKey(f"there is no customer {acceptance.customer}")
        same = {
            "customer_id": acceptance.customer,
            "contract": acceptance.contract,
            "edition": acceptance.edition,
            "accepted_at": require_aware(acceptance.accepted_at),
            "accepted_by": acceptance.accepted_by,
        }
        if AcceptanceRow.objects.filter(**same).exists():
            return
        AcceptanceRow.objects.create(**same, **_marks(draft))
        draft.tell(f"{acceptance.customer} accepted edition {acceptance.edition}", acceptance.customer)
        record(
            "customer.accepted_policy", at=at, actor=actor, about=[acceptance.customer], edition=acceptance.edition,
            contract=acceptance.contract, accepted_at=acceptance.accepted_at, change=draft.key,
        )  # fmt: skip


def add_service(service: Service, *, at: datetime, actor: str, origin: Origin = Origin.PERSON) -> tuple[str, ...]:
    """Add a service, or bring the one with this key up to date. It stays its customer's."""
    with change(at=at, actor=actor, origin=origin) as draft:
        before = ServiceRow.objects.select_for_update().filter(key=service.key).first()
        if not CustomerRow.objects.filter(key=service.customer).exists():
            raise UnknownKey(f"there is no customer {service.customer}")
        if before is not None and before.customer_id != service.customer:
            raise NotTheCustomersService(
                f"{service.key} is {before.customer_id}'s and can't become {service.customer}'s"
            )
        wanted: dict[str, object] = {"kind": service.kind, "label": service.label, "port": service.port}
        kept, set_now = _weigh(wanted, before, draft)
        if before is None:
            ServiceRow.objects.create(
                key=service.key, customer_id=service.customer, **wanted, by_person=set_now, **_marks(draft)
            )
        elif all(getattr(before, name) == value for name, value in wanted.items()):
            return tuple(kept)
        else:
            for name, value in wanted.items():
                setattr(before, name, value)
            before.by_person = sorted({*before.by_person, *set_now})
            before.save()
        what = "service.added" if before is None else "service.changed"
        draft.tell(
            f"{'new' if before is None else 'changed'}: service {service.key} of {service.customer}",
            service.key,
            service.customer,
        )
        record(
            what, at=at, actor=actor, about=[service.key, service.customer], kind=service.kind, change=draft.key
        )  # fmt: skip
        return tuple(kept)


def _refuse_circle(customer: Customer) -> None:
    """Climb from the reseller upwards in one statement, however many there are."""
    if customer.reseller is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE above (key, reseller_id, climbed) AS (
                SELECT key, reseller_id, ARRAY[key::text] FROM registry_customerrow WHERE key = %(reseller)s
                UNION ALL
                SELECT r.key, r.reseller_id, a.climbed || r.key::text FROM above a
                    JOIN registry_customerrow r ON r.key = a.reseller_id
                WHERE a.key <> %(key)s AND r.key <> ALL (a.climbed))
            SELECT climbed FROM above ORDER BY array_length(climbed, 1) DESC LIMIT 1
            """,
            {"reseller": customer.reseller, "key": customer.key},
        )
        row = cursor.fetchone()
    if customer.reseller == customer.key or (row is not None and customer.key in row[0]):
        climbed = [customer.key, *(row[0] if row else [customer.key])]
        raise ResellersInACircle(f"no account stands below itself: {' under '.join(climbed)} is a circle")
    if row is None:
        raise UnknownKey(f"there is no reseller {customer.reseller}")


class ServiceEnded(NamedTuple):
    """What the end of a service did."""

    holdings: int
    """So many ended with it."""
    kept: tuple[str, ...] = ()
    """What stays as it is because a person had set it."""


def end_service(
    key: str, *, held_until: datetime, at: datetime, actor: str, origin: Origin = Origin.PERSON
) -> ServiceEnded:
    """A service has ended: so has all that is held by it and reaches beyond its end, and what would begin only
    afterwards is taken away.

    A system's word ends nothing that a person has set, and no service otherwise than a person has ended it. Its end may
    be told to be earlier than was said; the service does not come back by being told to end later.
    """
    held_until = require_aware(held_until)
    with change(at=at, actor=actor, origin=origin) as draft:
        service = ServiceRow.objects.select_for_update().filter(key=key).first()
        if service is None:
            raise UnknownKey(f"there is no service {key}")
        earlier = service.ended_at is None or held_until < service.ended_at
        if earlier and not draft.by_person and "ended_at" in service.by_person:
            assert service.ended_at is not None
            return ServiceEnded(0, (f"the service {key} ended on {_day(service.ended_at)}, as a person has said",))
        if earlier:
            service.ended_at = held_until
            if draft.by_person:
                service.by_person = sorted({*service.by_person, "ended_at"})
            service.save(update_fields=["ended_at", "by_person"])
        assert service.ended_at is not None
        ended, kept = 0, []
        for model, in_words in _HELD_BY_A_SERVICE:
            beyond = Q(during__endswith__isnull=True) | Q(during__endswith__gt=service.ended_at)
            for row in model.objects.select_for_update().filter(beyond, service_id=key).order_by("pk"):
                if not draft.by_person and is_a_persons(row):
                    day = _day(service.ended_at)
                    kept.append(f"{in_words(row)} stays as a person has set it, but names nobody since {day}")
                    continue
                if row.during.lower < service.ended_at:
                    row.during = Range(row.during.lower, service.ended_at)
                    row.save(update_fields=["during"])
                else:
                    row.delete()  # PostgreSQL keeps that it was believed.
                ended += 1
        if ended or earlier:
            draft.tell(f"the service {key} has ended, with {ended} holdings", key, service.customer_id, count=ended + 1)
            record(
                "service.ended", at=at, actor=actor, about=[key, service.customer_id], held_until=service.ended_at,
                holdings=ended, kept=len(kept), change=draft.key,
            )  # fmt: skip
        return ServiceEnded(ended, tuple(kept))


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


_HELD_BY_A_SERVICE: tuple[tuple[type[HoldingRow | SiteRow | ResourceRow], Callable[[Any], str]], ...] = (
    (HoldingRow, lambda row: in_words(holding_of_row(row))),
    (SiteRow, lambda row: value_in_words(site_of(row))),
    (ResourceRow, lambda row: resource_in_words(resource_of(row))),
)
