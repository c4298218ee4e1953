"""A customer who asked for it is checked again and again: can it be said who of theirs did something? (row 71)

What our own records show counts beside what the customer says; what nothing shows counts for nothing, and where little
is known nobody is judged. Each check is on record with its points, the customer sees it at the portal, and the judge
says whether it amounts to anything.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import transaction

from tipstaff.cases.queries import Narrowed, lineage_of, list_cases, unanswered_of
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import latest_about
from tipstaff.notices.queries import cases_told
from tipstaff.policy import edition_to_go_by
from tipstaff.registry.operations import UnknownKey
from tipstaff.registry.queries import get_customer, list_customers, representatives_of
from tipstaff.sensors.queries import newest_of_account
from tipstaff.words import DECLARED, AuditFound, AuditPoint, Entry, SelfAudit, Standing, Stated

from .address_questions import ANSWERED
from .books import COUNTED_OVER, DUTY_GROUPS, hand_in
from .desk import Desk
from .detecting import allowed_by, note_leave

LEAVE = "accountability"
"""What a customer asks for, as `tipstaff detectors leave` names it."""
KIND = "probe.accountability"
CHECKED, DECLARED_ENTRY = "accountability.checked", "accountability.declared"
EVERY = timedelta(days=30)
"""How often it comes round, where the edition is silent (`accountability.every`)."""
ASKED_FOR_LASTS = timedelta(days=366)
"""A customer who asks for it at the portal asks for a year."""
_SHOWN_BY: Mapping[AuditPoint, tuple[str, str]] = {
    AuditPoint.MAIL_PEER: ("probe.mail_peer", "peer_noted"),
    AuditPoint.MAIL_HEADERS: ("probe.mail_headers", "way_shown"),
    AuditPoint.USENET_PATH: ("probe.usenet_path", "truthful_path"),
}
"""Which finding of a test message or article shows a point, and by which fact."""


class NotAskedFor(PermissionError):
    """This customer has not asked for the check, or no longer: it is not made (`tipstaff detectors leave`)."""


def check(customer: str, *, desk: Desk, at: datetime, actor: str) -> SelfAudit:
    """Make the check of one customer now, keep it, and put it to the judge. Raise UnknownKey, or NotAskedFor."""
    if get_customer(customer) is None:
        raise UnknownKey(f"there is no customer {customer}")
    if not allowed_by([customer], LEAVE, at=at):
        raise NotAskedFor(customer)
    audit = SelfAudit(customer=customer, at=at, points=_points(customer, at=at))
    with transaction.atomic():
        record(
            CHECKED, at=at, actor=actor, about=[customer, _key(customer)], score_percent=audit.score_percent,
            points={point.value: found.value for point, found in audit.points.items()},
        )  # fmt: skip
        if audit.score_percent is not None:
            facts: dict[str, Stated] = {"opted_in": True, "score_percent": audit.score_percent, "known": audit.known}
            missed = ", ".join(
                p.value.replace("_", " ") for p, found in audit.points.items() if found is AuditFound.NOT_MET
            )
            hand_in(
                KIND, id=f"accountability:{customer}:{at:%Y-%m-%d}", account=customer, desk=desk, at=at, happened_at=at,
                shown=f"{audit.score_percent} % of {audit.known} points are met. Not met: {missed or 'none'}.", **facts,
            )  # fmt: skip
    return audit


def come_round(*, desk: Desk, at: datetime, actor: str = "worker") -> list[SelfAudit]:
    """Check everybody who asked for it and whose last check is as long ago as the edition says. Safe at any time."""
    every = edition_to_go_by(desk.editions, at=at).length_of("accountability.every", default=EVERY)
    customers = [c.key for c in list_customers(limit=1_000_000) if c.standing is not Standing.TERMINATED]
    asked = allowed_by(customers, LEAVE, at=at)
    last = latest_about([_key(key) for key in asked], what=[CHECKED])
    due = [key for key in asked if (entry := last.get(_key(key))) is None or entry.at + every <= at]
    return [check(key, desk=desk, at=at, actor=actor) for key in due]


def declare(customer: str, answers: Mapping[AuditPoint, bool], *, at: datetime, actor: str) -> None:
    """Note what a customer says of the points that only they can say; what is left out stays as it was."""
    if get_customer(customer) is None:
        raise UnknownKey(f"there is no customer {customer}")
    said = {**_declared(customer), **{p: yes for p, yes in answers.items() if p in DECLARED}}
    record(
        DECLARED_ENTRY, at=at, actor=actor, about=[customer, _key(customer)],
        points={point.value: said[point] for point in DECLARED if point in said},
    )  # fmt: skip


def ask_for(customer: str, *, wanted: bool, shown_by: str, at: datetime, actor: str) -> None:
    """A customer asks for the check, for a year, or no longer wants it."""
    until = at + ASKED_FOR_LASTS if wanted else at
    note_leave(customer, LEAVE, until=until, shown_by=shown_by, at=at, actor=actor)


def is_asked_for(customer: str, *, at: datetime) -> bool:
    """Whether this customer has asked for the check."""
    return bool(allowed_by([customer], LEAVE, at=at))


def last_of(customer: str) -> SelfAudit | None:
    """The customer's last check."""
    return last_of_many([customer]).get(customer)


def last_of_many(customers: list[str]) -> dict[str, SelfAudit]:
    """The last check of each customer who has one."""
    found = latest_about([_key(customer) for customer in customers], what=[CHECKED])
    return {
        customer: SelfAudit(
            customer=customer, at=entry.at,
            points={AuditPoint(p): AuditFound(str(f)) for p, f in _kept(entry)},
        )
        for customer in customers
        if (entry := found.get(_key(customer))) is not None
    }  # fmt: skip


def register(*, at: datetime) -> list[tuple[str, SelfAudit | None]]:
    """Everybody who asked for the check, with their last one; who was never checked first, then the lowest score."""
    customers = [c.key for c in list_customers(limit=1_000_000) if c.standing is not Standing.TERMINATED]
    asked = allowed_by(customers, LEAVE, at=at)
    last = last_of_many(asked)
    rows = [(key, last.get(key)) for key in asked]
    return sorted(rows, key=lambda row: (row[1] is not None, _score(row[1]), row[0]))


def declared_by(customer: str) -> dict[AuditPoint, bool]:
    """What the customer said of the points that only they can say."""
    return _declared(customer)


def _score(audit: SelfAudit | None) -> int:
    return 101 if audit is None or audit.score_percent is None else audit.score_percent


def _points(customer: str, *, at: datetime) -> dict[AuditPoint, AuditFound]:
    since = at - COUNTED_OVER
    contacts = [contact for contact in representatives_of(customer) if contact.bounced_at is None]
    asked, late = _asked_and_late(customer, since=since)
    found = {
        AuditPoint.CONTACT: _met(bool(contacts)),
        AuditPoint.SECOND_CONTACT: _met(len(contacts) > 1),
        AuditPoint.ANSWERS: _met(not late) if asked or late else AuditFound.UNKNOWN,
        AuditPoint.ADDRESS_QUESTION: _of_question(customer, since=since),
    }
    for point, (kind, fact) in _SHOWN_BY.items():
        seen = newest_of_account(customer, kind, since=since)
        found[point] = AuditFound.UNKNOWN if seen is None else _met(seen.sighting.facts.get(fact) is True)
    said = _declared(customer)
    return found | {p: _met(said[p]) if p in said else AuditFound.UNKNOWN for p in DECLARED}


def _asked_and_late(customer: str, *, since: datetime) -> tuple[bool, bool]:
    """Whether we asked the customer about anything since then, and whether a time to answer passed.

    The customer reads what comes of it. So only cases count that they were told of, and none that is sealed: what waits
    for a person or for counsel must not show, or somebody would be warned.
    """
    # All of them, not the first so many: hidden ones must not push known ones out of the count.
    unsealed = list_cases(customer=customer, order="newest", narrowed=Narrowed(unsealed=True), limit=1_000_000)
    missed = frozenset(unanswered_of(customer, since=since, but_not_of=DUTY_GROUPS))
    late = any(case.key in missed and _is_told(case.key) for case in unsealed)
    recent = [case.key for case in unsealed if case.opened_at >= since and case.group not in DUTY_GROUPS]
    return late or bool(cases_told(recent)) or any(_is_told(key) for key in recent), late


def _is_told(case: str) -> bool:
    """Whether the customer knows of a case, or of one that it was split from or merged with."""
    return bool(cases_told(lineage_of(case)))


def _of_question(customer: str, *, since: datetime) -> AuditFound:
    entry = latest_about([customer], what=[ANSWERED]).get(customer)
    if entry is None or entry.at < since:
        return AuditFound.UNKNOWN
    return _met(entry.detail["answer"] != "wrong")


def _declared(customer: str) -> dict[AuditPoint, bool]:
    entry = latest_about([_key(customer)], what=[DECLARED_ENTRY]).get(_key(customer))
    return {} if entry is None else {AuditPoint(p): yes is True for p, yes in _kept(entry)}


def _kept(entry: Entry) -> Iterator[tuple[str, object]]:
    """The points of an entry, but for those that this version of the program does not know."""
    points = entry.detail["points"]
    known = {point.value for point in AuditPoint}
    yield from ((name, how) for name, how in points.items() if name in known) if isinstance(points, Mapping) else ()


def _met(so: bool) -> AuditFound:
    return AuditFound.MET if so else AuditFound.NOT_MET


def _key(customer: str) -> str:
    return f"accountability:{customer}"
