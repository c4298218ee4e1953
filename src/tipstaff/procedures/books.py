"""What our own books show of a customer becomes a sighting, and the judge says whether it amounts to anything.

A letter that nobody answered, a repair that did not hold, a representative whom no letter reaches, a use after the end,
an order that people found false: none of these is a complaint, and no sensor measures them. Each is handed in by the
transaction in which it happened, counts what came before, and is judged like whatever else we measure. Thresholds are
the policy's.
"""

import hashlib
import json
from datetime import datetime, timedelta

from tipstaff.cases.queries import closed_as_fixed, unanswered_of
from tipstaff.ledger.operations import store_evidence
from tipstaff.registry.queries import get_customer
from tipstaff.sensors.form import read_line
from tipstaff.sensors.operations import keep_sightings
from tipstaff.sensors.queries import is_known
from tipstaff.words import (
    Admission,
    AdmissionState,
    Case,
    Channel,
    ConcernKind,
    Conduct,
    LateUse,
    Reason,
    Stated,
    Verdict,
)

from .desk import Desk

SENSOR = "books"
"""The name under which our own books hand in."""
COUNTED_OVER = timedelta(days=365)
"""How far back letters without an answer are counted."""
CAME_BACK_WITHIN = timedelta(days=90)
"""How far back repairs are counted that did not hold."""
ASKED_AGAIN_AFTER = timedelta(days=14)
"""A customer without a representative is asked for one again after this; it is the clause's own time to answer."""

UNANSWERED = "complaint.unanswered"
CAME_BACK = "complaint.came_back"
NOBODY_NAMED = "representative.missing"
NOBODY_REACHED = "representative.unreachable"
USED_AFTER_END = "service.used_after_end"
DATA_MISMATCH = "order.data_mismatch"
MATCHES_REGISTER = "customer.matches_register"
DUTY_GROUPS = frozenset({"duties"})
"""Clause groups about how a customer answers us. What comes of them never counts for the next finding."""


def hand_in(
    kind: str, *, id: str, account: str, shown: str, desk: Desk, at: datetime, happened_at: datetime, **facts: Stated
) -> bool:
    """Put one finding of our books to the judge, in the caller's transaction; False where it was put before, or where
    no edition knows such findings. `shown` is what the letter quotes of our books: it names nobody else.
    """
    if is_known(SENSOR, id) or not any(edition.takes(kind) for edition in desk.editions):
        return False
    line = {
        "id": id, "kind": kind, "account": account, "at": happened_at.isoformat(), "facts": facts, "excerpt": shown,
    }  # fmt: skip
    raw = json.dumps(line, sort_keys=True).encode()
    digest = hashlib.sha256(raw).hexdigest()
    kept = keep_sightings([(1, read_line(raw, sensor=SENSOR))], evidence=digest, at=at, actor="worker")
    if kept.taken:
        store_evidence(raw, digest=digest, at=at, channel=Channel.SENSOR, sender=SENSOR, recipients=())
        desk.enqueue("sightings", "all")
    return bool(kept.taken)


def look_up_in_books(case: Case, conduct: Conduct, verdict: Verdict, *, repeats: int, desk: Desk, at: datetime) -> None:
    """A case was opened: did the same come back, and is there anybody to write to? `repeats` are the holder's strikes;
    without one nothing was set right before."""
    if repeats:
        same_came_back(case, conduct, desk=desk, at=at)
    if verdict.reason is Reason.NO_REPRESENTATIVE and not is_about_duties(case):
        nobody_to_write_to(case.customer, desk=desk, at=at)


def case_went_unanswered(case: Case, *, desk: Desk, at: datetime) -> None:
    """A time to answer passed and nobody answered: the judge is told how many did within a year (rows 88 and 89)."""
    if is_about_duties(case):
        return
    passed = unanswered_of(case.customer, since=at - COUNTED_OVER, but_not_of=DUTY_GROUPS)
    hand_in(
        UNANSWERED, id=f"unanswered:{case.key}", account=case.customer, desk=desk, at=at, happened_at=at,
        unanswered=len(passed), shown=f"No answer by its date: {', '.join(sorted(passed)[-20:])}",
    )  # fmt: skip


def is_about_duties(case: Case) -> bool:
    """Whether a case is itself about how the customer answers us."""
    return case.group in DUTY_GROUPS


def same_came_back(case: Case, conduct: Conduct, *, desk: Desk, at: datetime) -> None:
    """A new case is about what its holder said was set right before: the judge is told how often (row 89).

    Only what happened after they had said so shows that a repair did not hold.
    """
    moment = conduct.moment
    if is_about_duties(case) or moment is None:
        return
    before = closed_as_fixed(
        case.customer, group=case.group, resource=case.resource, since=at - CAME_BACK_WITHIN, until=moment.earliest
    )
    if before:
        hand_in(
            CAME_BACK, id=f"came-back:{case.key}", account=case.customer, desk=desk, at=at, happened_at=at,
            times_back=len(before), shown=f"{case.resource}: said to be set right in {', '.join(sorted(before)[-20:])}",
        )  # fmt: skip


def nobody_to_write_to(customer: str, *, desk: Desk, at: datetime, letter: str | None = None) -> None:
    """A letter had nobody to go to, or came back from the last contact of the chain (row 92): once a fortnight."""
    found = get_customer(customer)
    if found is None or found.representative is not None:
        return
    begun = int(at.timestamp() // ASKED_AGAIN_AFTER.total_seconds())
    if letter is not None:
        hand_in(
            NOBODY_REACHED, id=f"unreachable:{customer}:{begun}", account=customer, desk=desk, at=at, happened_at=at,
            contacts=0, shown=f"{letter} came back, and there is no other contact.",
        )  # fmt: skip
    else:
        hand_in(
            NOBODY_NAMED, id=f"nobody:{customer}:{begun}", account=customer, desk=desk, at=at, happened_at=at,
            contacts=0, shown="The account has no representative to whom a letter could go.",
        )  # fmt: skip


def used_after_end(found: LateUse, *, desk: Desk, at: datetime) -> None:
    """Something is used after its holder's right to it has ended (row 32): told once, and again each further day."""
    seen_at = found.use.seen_at
    hours = int((seen_at - found.ended_at).total_seconds() // 3600)
    # Before the clause's threshold it is told by the hour, so that the first one that amounts to something is told.
    step = f"{hours // 24}d" if hours >= 24 else f"{hours}h"
    hand_in(
        USED_AFTER_END, id=f"after-end:{found.use.kind}:{found.use.what}:{found.ended_at.isoformat()}:{step}",
        account=found.customer, desk=desk, at=at, happened_at=seen_at, hours_after_end=hours, shown=found.explanation,
    )  # fmt: skip


def order_was_decided(admission: Admission, *, confirmed_by: int, desk: Desk, at: datetime) -> None:
    """People decided on an order that vetting put before them (rows 17 and 33). The program accuses nobody of a false
    order: it says that people found one, and how many."""
    assert admission.decided_at is not None, "it has been decided"
    kinds = {concern.kind for concern in admission.concerns}
    refused = admission.state is AdmissionState.REFUSED
    if ConcernKind.ORDER_CONTRADICTS in kinds and confirmed_by == 1:
        hand_in(
            DATA_MISMATCH, id=f"order:{admission.key}", account=admission.customer, desk=desk, at=at,
            happened_at=admission.decided_at, explained=not refused,
            shown=_said(admission, ConcernKind.ORDER_CONTRADICTS),
        )  # fmt: skip
    if refused and kinds & REGISTERS:
        hand_in(
            MATCHES_REGISTER, id=f"register:{admission.key}:{confirmed_by}", account=admission.customer, desk=desk,
            at=at, happened_at=at, confirmed_by=confirmed_by, shown=_said(admission, *REGISTERS),
        )  # fmt: skip


REGISTERS = frozenset({ConcernKind.ALIAS_MATCH, ConcernKind.DROP_PREFIX, ConcernKind.DROP_ASN})


def _said(admission: Admission, *kinds: ConcernKind) -> str:
    return "\n".join(concern.explanation for concern in admission.concerns if concern.kind in kinds)[:4000]
