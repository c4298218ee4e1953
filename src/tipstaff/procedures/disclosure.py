"""An authority asks, or wants to know who a customer is: counsel decides, two people name anybody (rows 80 and 81).

The request is authenticated by a way that we found ourselves, its form looked at, its clock started. Our records say
who held the address then; ambiguous is never answered with a guess. What leaves the house holds what was asked and
decided, of that moment, and nothing else; the customer is told before, unless a ground to be silent is on record, which
is looked at again.
"""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address

from django.db import transaction

from tipstaff.attribution.match import is_ahead
from tipstaff.legal import operations
from tipstaff.legal.form import looked_for
from tipstaff.legal.queries import get_matter, late_matters, list_matters
from tipstaff.policy import Clause, Edition, edition_to_go_by
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event, LegalForm
from tipstaff.registry.queries import get_customer
from tipstaff.words import (
    Customer,
    Gives,
    Grade,
    LegalMatter,
    MatterKind,
    MatterState,
    Moment,
    Role,
    Stated,
)

from .answer_clock import ends_for_us
from .desk import Desk
from .lookup import who_held
from .suspension import NotYourDecision

SILENCE_MAX = timedelta(days=30)
"""So long a ground for silence counts at the most before it is looked at again, where the clause says nothing else."""
PORT_MAX = 65535
YEAR_MIN = 1970
ERROR_SECONDS_MAX = 1_000_000


class NotAnswerable(ValueError):
    """The edition's clause does not let this be answered, or not yet; the message says what is missing."""


def take_request(
    text: bytes,
    *,
    kind: MatterKind,
    authority: str,
    reference: str,
    binding: bool,
    received_at: datetime,
    clock: str = "",
    address: str = "",
    port: int | None = None,
    protocol: str = "",
    used_at: datetime | None = None,
    error_seconds: float = 1.0,
    desk: Desk,
    at: datetime,
    actor: str,
) -> LegalMatter:
    """Enter a request: its form is looked at, its clock runs from `received_at`. The text itself stays with counsel.

    `clock` is one of the edition's; raise NotAnswerable for one that does not serve the clause, for a question
    without address or time, and for what cannot be; NotYourDecision for whoever is not counsel.
    """
    _is_counsel(desk, actor)
    edition = edition_to_go_by(desk.editions, at=at)
    clauses = _clauses(edition)
    clause = clauses.get(kind)
    if clause is None:
        raise NotAnswerable(f"No clause of edition {edition.id} answers a matter of the kind {kind}.")
    if (kind is MatterKind.IDENTITY or address or used_at) and (not address or used_at is None):
        raise NotAnswerable("Who it was can be asked of an address and a moment; one of them is missing.")
    if any(when > at or when.year < YEAR_MIN for when in (received_at, used_at) if when is not None):
        raise NotAnswerable(f"It came in, or asks about a moment, later than now or before {YEAR_MIN}.")
    if "%" in address:
        raise NotAnswerable("Its address names an interface.")
    if not (0 <= (port or 0) <= PORT_MAX and 0 <= error_seconds <= ERROR_SECONDS_MAX):
        raise NotAnswerable(f"The port is above {PORT_MAX}, or the error not within {ERROR_SECONDS_MAX} seconds.")
    if not authority.strip() or not reference.strip():
        raise NotAnswerable("It names no authority, or has no reference.")
    ends = next((c for c in edition.clocks if c.id == clock and c.clause in clauses_asked(edition)), None)
    if clock and ends is None:
        raise NotAnswerable(f"{clock} is no clock of the edition for requests.")
    found = list(looked_for(LegalForm.ORDER, text.decode("utf-8", "replace")))
    return operations.open_matter(
        kind, at=at, actor=actor, clause=clause.id, edition=edition.id, received_at=received_at,
        authority=authority.strip()[:500], reference=reference.strip()[:200], binding=binding,
        digest=sha256(text).hexdigest(), shown=[e.name for e, there in found if there],
        lacking=[e.name for e, there in found if not there], clock=clock,
        due_at=ends_for_us(ends, at=received_at, desk=desk).by if ends else None,
        address=str(ip_address(address)) if address else None, port=port, protocol=protocol, used_at=used_at,
        error_seconds=error_seconds,
    )  # fmt: skip


def authenticate(key: str, *, how: str, desk: Desk, at: datetime, actor: str) -> LegalMatter:
    """Whoever asks was reached by a way that we found ourselves; `how` says which. A mail's sender proves nothing."""
    _is_counsel(desk, actor)
    if not how.strip():
        raise NotAnswerable("Say by which way of our own they were reached.")
    return operations.note_authentic(key, how=how.strip()[:2000], at=at, actor=actor)


def look_up(key: str, *, desk: Desk, at: datetime, actor: str) -> LegalMatter:
    """Ask our records who held the address then, and keep the answer in the register."""
    _is_counsel(desk, actor)
    matter = _matter(key)
    if matter.asked is None or matter.asked.used_at is None:
        raise NotAnswerable("It asks about no address and moment.")
    moment = Moment(matter.asked.used_at, matter.asked.error_seconds)
    if is_ahead(moment, received_at=matter.received_at):
        raise NotAnswerable("It asks about a time that was still to come when it was received.")
    found = who_held(
        ip_address(matter.asked.address), port=matter.asked.port, protocol=matter.asked.protocol or None,
        moment=moment, received_at=matter.received_at,
    )  # fmt: skip
    return operations.note_holder(
        key, grade=found.grade.value, reason=found.reason.value, customer=found.customer or "", at=at, actor=actor
    )


def decide(
    key: str, *, answer: bool, gives: Collection[Gives] = (), why: str, desk: Desk, at: datetime, actor: str
) -> LegalMatter:
    """Counsel decides: refuses, answers what names nobody, or proposes to name a customer (`agree`).

    Raise NotAnswerable where the edition's clause does not let it be answered, NotYourDecision, NotNow.
    """
    _is_counsel(desk, actor)
    if not why.strip():
        raise NotAnswerable("Say why; it stands in the register.")
    matter = _matter(key)
    chosen = tuple(each for each in Gives if each in set(gives))
    if not answer or matter.kind is MatterKind.REPORT:
        return operations.decide(key, answer=answer, gives=(), why=why.strip()[:4000], at=at, actor=actor)
    if matter.kind is MatterKind.REQUEST:
        if set(chosen) - {Gives.HELD}:
            raise NotAnswerable("Who a customer is is asked as `identity`: two people decide that.")
        _must_let(matter, [actor], desk=desk, at=at)
        return operations.decide(key, answer=True, gives=chosen, why=why.strip()[:4000], at=at, actor=actor)
    if not chosen:
        raise NotAnswerable("Say what the answer holds.")
    _must_let(matter, [actor, "a second person"], desk=desk, at=at)
    return operations.propose_answer(key, gives=chosen, why=why.strip()[:4000], at=at, actor=actor)


def agree(key: str, *, seen: str, desk: Desk, at: datetime, actor: str) -> LegalMatter:
    """A second person, counsel or a lead, agrees that a customer is named; both answer for it. `seen` is the matter's
    `proposal` as they looked at it; raise NotNow where it has changed since."""
    if not (may_decide(desk.roles_of(actor), needed=Role.COUNSEL) or Role.LEAD in desk.roles_of(actor)):
        raise NotYourDecision("Naming a customer takes counsel, and counsel or a lead as the second person.")
    with transaction.atomic():
        agreed = operations.agree(key, seen=seen, at=at, actor=actor)
        _must_let(agreed, [agreed.decided_by, actor], desk=desk, at=at)
        return agreed


def keep_silent(key: str, *, ground: str, until: datetime, desk: Desk, at: datetime, actor: str) -> LegalMatter:
    """The customer is not told yet. The ground is on record and looked at again by `until`, at the latest after the
    time of the clause."""
    _is_counsel(desk, actor)
    matter = _matter(key)
    edition = next((each for each in desk.editions if each.id == matter.edition), None)
    clause = edition.clause_named(matter.clause) if edition is not None else None
    longest = (clause.withheld_until if clause is not None else None) or SILENCE_MAX
    if not ground.strip() or not at < until <= at + longest:
        raise NotAnswerable(f"Name a ground, and a day within {longest.days} days on which it is looked at again.")
    return operations.keep_silent(key, ground=ground.strip()[:2000], until=until, at=at, actor=actor)


def note_told(key: str, *, how: str, desk: Desk, at: datetime, actor: str) -> LegalMatter:
    """The customer was told by counsel; `how` says by what."""
    _is_counsel(desk, actor)
    if not how.strip():
        raise NotAnswerable("Say how they were told.")
    return operations.note_told(key, how=how.strip()[:2000], at=at, actor=actor)


def hand_over(key: str, *, desk: Desk, at: datetime, actor: str) -> str:
    """The answer as JSON text: what was asked and decided, and no more; its SHA-256 is on record.

    Raise NotAnswerable before it was decided, and while the customer was neither told nor left untold on a ground that
    still counts. Asked again it gives the same text while our records say the same.
    """
    _is_counsel(desk, actor)
    matter = _matter(key)
    if matter.state is not MatterState.ANSWERED or matter.kind is MatterKind.REPORT:
        raise NotAnswerable(f"{key}: nothing was decided that could be handed over.")
    silent = bool(matter.ground) and matter.review_at is not None and at < matter.review_at
    if matter.customer and matter.told_at is None and not silent:
        raise NotAnswerable(f"{key}: the customer is told first, unless a ground to be silent is on record and counts.")
    text = json.dumps(minimised(matter), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    operations.note_handed_over(key, digest=sha256(text.encode()).hexdigest(), at=at, actor=actor)
    return text


def minimised(matter: LegalMatter) -> dict[str, object]:
    """What leaves the house: the question, and of the answer what was decided. No account number, no other address, no
    other time, no row of ours."""
    asked = matter.asked
    found: dict[str, object] = {"reference": matter.reference}
    if asked is not None:
        found["asked"] = {
            "address": asked.address, "port": asked.port, "protocol": asked.protocol or None,
            "at": asked.used_at.isoformat() if asked.used_at else None, "error_seconds": asked.error_seconds,
        }  # fmt: skip
    if Gives.HELD in matter.gives:
        found["held_by_one_customer"] = matter.grade == Grade.CONFIRMED.value
    customer = get_customer(matter.customer) if set(matter.gives) - {Gives.HELD} else None
    if customer is not None:
        found["customer"] = {each.value: _VALUES[each](customer) for each in matter.gives if each in _VALUES}
    return found


_VALUES: Mapping[Gives, Callable[[Customer], str]] = {
    Gives.NAME: lambda customer: customer.name,
    Gives.POSTAL_ADDRESS: lambda customer: customer.postal_address,
    Gives.EMAIL: lambda customer: customer.email,
    Gives.PHONE: lambda customer: customer.phone,
}


def register(
    *, open_only: bool = False, desk: Desk, actor: str, limit: int = 500, after: str | None = None
) -> list[LegalMatter]:  # fmt: skip
    """The register, newest first, for counsel alone; raise NotYourDecision for everybody else. `after` is the last key
    of the page before."""
    _is_counsel(desk, actor)
    return list_matters(open_only=open_only, limit=limit, after=after)


def late(*, desk: Desk, at: datetime, actor: str) -> list[LegalMatter]:
    """What of the register should have been decided or looked at again by now."""
    _is_counsel(desk, actor)
    return late_matters(at=at)


def clauses_asked(edition: Edition) -> frozenset[str]:
    """The clauses of an edition that answer requests; a request's clock serves one of them."""
    return frozenset(clause.id for clause in _clauses(edition).values())


def shown_to(key: str, *, desk: Desk, actor: str) -> LegalMatter:
    """One matter: to counsel, and to a lead while it waits for a second person. To everybody else there is none."""
    matter = get_matter(key)
    roles = desk.roles_of(actor)
    waits = matter is not None and matter.state is MatterState.PROPOSED
    if matter is None or not (Role.COUNSEL in roles or (Role.LEAD in roles and waits)):
        raise operations.NoSuchMatter(key)
    return matter


_EVENT_OF: Mapping[MatterKind, Event] = {
    MatterKind.REQUEST: Event.AUTHORITY_ASKS, MatterKind.IDENTITY: Event.IDENTITY_ASKED,
}  # fmt: skip


def _clauses(edition: Edition) -> dict[MatterKind, Clause]:
    """The clause of an edition that answers each kind of request."""
    return {
        kind: clause for kind, event in _EVENT_OF.items() for clause in edition.clauses if event.value in clause.events
    }


def _must_let(matter: LegalMatter, people: list[str], *, desk: Desk, at: datetime) -> None:
    """Raise NotAnswerable unless the clause of the matter's edition lets these people answer it."""
    lacks = [] if matter.authenticated_by else ["nobody has reached whoever asks by a way of our own"]
    facts: dict[str, Stated] = {"authenticated": bool(matter.authenticated_by), "counsel_agrees": True}
    if matter.kind is MatterKind.IDENTITY:
        lacks += [] if matter.binding else ["nothing makes it binding"]
        lacks += [] if matter.grade == Grade.CONFIRMED.value else ["our records do not name one holder surely"]
        facts = {"binding": matter.binding, "attribution": matter.grade, "people": tuple(people)}
    edition = next((each for each in desk.editions if each.id == matter.edition), None)
    edition = edition or edition_to_go_by(desk.editions, at=at)
    allowed = edition.clause_for_event(_EVENT_OF[matter.kind], facts=facts)
    if lacks or allowed is None:
        raise NotAnswerable(f"{matter.key}: {'; '.join(lacks) or f'edition {edition.id} does not let it be answered'}.")


def _matter(key: str) -> LegalMatter:
    matter = get_matter(key)
    if matter is None:
        raise operations.NoSuchMatter(key)
    return matter


def _is_counsel(desk: Desk, actor: str) -> None:
    if not may_decide(desk.roles_of(actor), needed=Role.COUNSEL):
        raise NotYourDecision("The legal register is read and kept by the role counsel.")
